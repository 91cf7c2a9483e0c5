//! Sessions that talk bytes: input in pieces of any size, pipelines, output.

use super::{Called, Engine, SessionId};
use crate::resp::{Encoding, Limits, Parser, Progress, Reply};
use crate::state::Session;
use crate::table::Flags;

/// Most commands have no more arguments than this; their argument list needs no allocation.
const FEW_ARGS: usize = 16;
/// Input of a client that waits may pile up to this (`client-query-buffer-limit`).
const QUERY_LIMIT_BYTES: usize = 1 << 30;

impl Engine {
    /// Takes bytes from the peer and runs every complete request in them. Output piles up for [`Engine::drain`].
    pub fn feed(&mut self, id: SessionId, bytes: &[u8]) {
        self.server.stats.input_bytes += bytes.len() as u64;
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        session.input_bytes += bytes.len() as u64;
        session.parser.feed(bytes);
        if session.parser.pending_bytes() > QUERY_LIMIT_BYTES {
            session.is_closing = true;
            return;
        }
        self.process(id);
        self.resume_all();
    }

    /// The output so far; empties it.
    pub fn drain(&mut self, id: SessionId) -> Vec<u8> {
        let Some(session) = self.sessions.get_mut(id) else {
            return Vec::new();
        };
        let output = std::mem::take(&mut session.output);
        session.output_bytes += output.len() as u64;
        session.output_peak_bytes = session.output_peak_bytes.max(output.len());
        self.server.stats.output_bytes += output.len() as u64;
        output
    }

    /// The output so far, exchanged for `buffer`, which is emptied and serves the next replies: no allocation.
    pub fn drain_into(&mut self, id: SessionId, buffer: &mut Vec<u8>) {
        buffer.clear();
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        std::mem::swap(&mut session.output, buffer);
        session.output_bytes += buffer.len() as u64;
        session.output_peak_bytes = session.output_peak_bytes.max(buffer.len());
        self.server.stats.output_bytes += buffer.len() as u64;
    }

    /// Whether the connection is to be closed once its output is flushed.
    pub fn is_closing(&self, id: SessionId) -> bool {
        self.sessions
            .get(id)
            .is_none_or(|session| session.is_closing)
    }

    /// Runs the requests that stand in the input.
    pub(super) fn process(&mut self, id: SessionId) {
        while self.can_process(id) {
            let Some(mut session) = self.sessions.take(id) else {
                return;
            };
            let mut parser = std::mem::take(&mut session.parser);
            let mut reply = Reply::on(
                Encoding::Wire,
                session.resp3,
                std::mem::take(&mut session.output),
                Vec::new(),
            );
            let goes_on = self.process_some(&mut session, &mut parser, &mut reply);
            let mut output = reply.into_parts().0;
            // Messages that were sent past a silenced reply.
            output.append(&mut session.output);
            session.parser = parser;
            session.output = output;
            self.sessions.put(session);
            self.after_request(id, false);
            if !goes_on {
                break;
            }
        }
        self.broadcast_changes();
        if self
            .sessions
            .get(id)
            .is_some_and(|session| !session.output.is_empty() || session.is_closing)
        {
            self.sessions.mark_ready(id);
        }
    }

    fn can_process(&mut self, id: SessionId) -> bool {
        self.sessions
            .get(id)
            .is_some_and(|session| session.waiting.is_none() && !session.is_closing)
    }

    /// Runs requests until something has to happen outside; true when there may be more.
    fn process_some(
        &mut self,
        session: &mut Session,
        parser: &mut Parser,
        reply: &mut Reply,
    ) -> bool {
        loop {
            let limits = Limits {
                bulk_bytes: self.server.config.proto_max_bulk_len_bytes,
                authenticated: session.is_authenticated,
            };
            #[cfg(feature = "debugger")]
            if session.is_debugging {
                self.hear_debugger(session, parser, reply);
                return false;
            }
            if self.is_paused(session, parser) {
                return false;
            }
            match parser.next(limits) {
                Progress::Incomplete => return false,
                Progress::Request => {}
                Progress::Broken(error) => {
                    self.server.count_error(error.code());
                    reply.error(error.text());
                    session.is_closing = true;
                    return false;
                }
            }
            let called = self.run_parsed(session, parser, reply);
            if called == Called::Blocked || session.is_closing {
                return false;
            }
            if self.has_aftermath() {
                return true;
            }
        }
    }

    fn run_parsed(&mut self, session: &mut Session, parser: &Parser, reply: &mut Reply) -> Called {
        let count = parser.arg_count();
        let mut few: [&[u8]; FEW_ARGS] = [&[]; FEW_ARGS];
        let many: Vec<&[u8]>;
        let args = match few.get_mut(..count) {
            Some(few) => {
                few.iter_mut()
                    .zip(parser.args())
                    .for_each(|(to, from)| *to = from);
                &*few
            }
            None => {
                many = parser.args().collect();
                &many
            }
        };
        let row = args.first().and_then(|name| self.lookup.find(name));
        reply.set_resp3(session.resp3);
        self.request(session, row, args, reply)
    }

    /// Whether a pause holds this session's input back; it is then taken up again when the pause ends.
    fn is_paused(&mut self, session: &mut Session, parser: &Parser) -> bool {
        if !self.is_paused_now()
            || parser.pending_bytes() == 0
            || !(self.is_holding || self.is_held_back(session, parser))
        {
            return false;
        }
        if !session.is_paused {
            session.is_paused = true;
            self.paused.push(session.handle);
        }
        true
    }

    /// Whether the next request, looked at on a copy, has to wait: one that is refused anyway has not, and a pause of
    /// writes lets everything else pass.
    fn is_held_back(&self, session: &Session, parser: &Parser) -> bool {
        let mut ahead = parser.clone();
        let limits = Limits {
            bulk_bytes: self.server.config.proto_max_bulk_len_bytes,
            authenticated: session.is_authenticated,
        };
        if ahead.next(limits) != Progress::Request {
            return false;
        }
        let args: Vec<&[u8]> = ahead.args().collect();
        let Some((name, _)) = args.split_first() else {
            return false;
        };
        let Ok(row) = self.admit(session, self.lookup.find(name), name, &args) else {
            return false;
        };
        const WRITES: u32 = Flags::WRITE | Flags::MAY_REPLICATE;
        !self.server.pause_writes_only
            || self.flags_of(row, &args) & WRITES != 0
            || row.row.name == "exec" && self.has_queued(session, WRITES)
    }
}
