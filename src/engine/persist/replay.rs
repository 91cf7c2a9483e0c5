//! Running an append-only file.

use super::super::{Called, Engine, SessionId};
use crate::algorithms::bytes::Bytes;
use crate::resp::{Error, Limits, Parser, Progress};
use crate::state::Kind;

/// A file being run.
pub(super) struct Replay {
    parser: Parser,
    session: SessionId,
    /// Bytes given, and how many of them end in a whole command outside of any transaction.
    fed_bytes: u64,
    valid_bytes: u64,
}

impl Engine {
    /// Starts running an append-only file on the data set.
    pub fn begin_replay(&mut self) {
        let session = self.connect(Kind::Native2);
        self.transfer.replay = Some(Box::new(Replay {
            parser: Parser::new(),
            session,
            fed_bytes: 0,
            valid_bytes: 0,
        }));
    }

    /// Runs the commands in the next bytes of the file.
    ///
    /// # Errors
    /// What is wrong with them; commands before stay done.
    pub fn replay_chunk(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut replay = self.transfer.replay.take().ok_or_else(no_replay)?;
        replay.fed_bytes += bytes.len() as u64;
        replay.parser.feed(bytes);
        let limits = Limits {
            bulk_bytes: i64::MAX,
            authenticated: true,
        };
        let result = loop {
            match replay.parser.next(limits) {
                Progress::Incomplete => break Ok(()),
                Progress::Broken(_) => break Err(bad_format()),
                Progress::Request => {}
            }
            let args: Vec<Vec<u8>> = replay.parser.args().map(Bytes::owned).collect();
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            if self.call(replay.session, &args) == Called::Replied && self.is_in_multi(&replay) {
                continue;
            }
            replay.valid_bytes = replay.fed_bytes - replay.parser.pending_bytes() as u64;
        };
        match result {
            Ok(()) => self.transfer.replay = Some(replay),
            Err(_) => self.disconnect(replay.session),
        }
        result
    }

    /// Ends it; how many bytes of the file were good. Fewer than were given mean that it is truncated there.
    ///
    /// # Errors
    /// When none was begun.
    pub fn end_replay(&mut self) -> Result<u64, Error> {
        let replay = self.transfer.replay.take().ok_or_else(no_replay)?;
        self.disconnect(replay.session);
        self.keys.dirty_saved = self.keys.dirty;
        Ok(replay.valid_bytes)
    }

    fn is_in_multi(&self, replay: &Replay) -> bool {
        let session = self.sessions.get(replay.session);
        session.is_some_and(|session| session.multi.is_some())
    }
}

fn bad_format() -> Error {
    Error::new("ERR Bad file format reading the append only file")
}

fn no_replay() -> Error {
    Error::new("ERR no replay was begun")
}
