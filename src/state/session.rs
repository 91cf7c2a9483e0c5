//! Sessions: what Redis calls clients.

use super::{Block, Tracking};
use crate::algorithms::bytes::Bytes;
use crate::resp::{Encoding, Parser, Reply};
use crate::structures::ordered::{OrderedMap, OrderedSet};
use std::collections::VecDeque;

/// How a session talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In-process calls, replies as cells with RESP2's types.
    Native2,
    /// In-process calls, replies as cells with RESP3's types.
    Native3,
    /// Bytes in, bytes out; RESP2 until HELLO 3.
    Wire,
}

/// What CLIENT REPLY asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplyMode {
    #[default]
    On,
    Off,
    /// Off for the next command only.
    SkipNext,
    /// Off for the command that runs.
    Skip,
}

/// What SCRIPT DEBUG asked for.
#[cfg(feature = "debugger")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DebugMode {
    #[default]
    Off,
    /// YES: scripts work on a copy of the data.
    Copy,
    /// SYNC: they work on the data, and everybody else waits.
    Sync,
}

/// A command waiting in a transaction.
#[derive(Debug)]
pub struct Queued {
    pub number: u16,
    pub args: Vec<Vec<u8>>,
}

/// An open transaction.
#[derive(Debug, Default)]
pub struct Multi {
    pub queue: Vec<Queued>,
    /// A command could not be queued: EXEC will refuse.
    pub is_broken: bool,
}

/// A blocked client's command.
#[derive(Debug)]
pub struct Waiting {
    pub block: Block,
    pub number: u16,
    pub args: Vec<Vec<u8>>,
    /// Arrival order among all waiting clients.
    pub ticket: u64,
    pub db: usize,
}

/// A message or late reply to a native session.
#[derive(Debug)]
pub struct Message {
    pub cells: Vec<u32>,
    pub text: Vec<u8>,
    /// The reply of a call that was blocked, not an out-of-band message.
    pub is_reply: bool,
}

/// One client.
#[derive(Debug)]
pub struct Session {
    /// CLIENT ID: never used again.
    pub id: u64,
    /// Its place in [`Sessions`]: used again after a disconnect.
    pub handle: u32,
    pub kind: Kind,
    pub resp3: bool,
    pub db: usize,
    pub name: Vec<u8>,
    pub lib_name: Vec<u8>,
    pub lib_version: Vec<u8>,
    pub user: Vec<u8>,
    pub is_authenticated: bool,
    /// The user may not do everything: each call is looked at.
    pub is_restricted: bool,
    /// It is the host's own: no user's rules are for it.
    pub is_trusted: bool,
    /// `ip:port` of the peer and of our end, or what the host says instead.
    pub address: Vec<u8>,
    pub local_address: Vec<u8>,
    pub created_ms: i64,
    pub active_ms: i64,
    /// The full name of the last command.
    pub last_command: Option<u16>,
    pub commands: u64,
    pub input_bytes: u64,
    pub output_bytes: u64,
    pub multi: Option<Box<Multi>>,
    /// The queue of a transaction runs: nothing may block.
    pub is_in_exec: bool,
    /// How many commands the transaction that runs has.
    pub exec_length: Option<usize>,
    /// A script runs for it: what runs are the script's commands.
    pub is_scripting: bool,
    /// Its caller can wait for a script that is paused.
    pub may_pause: bool,
    /// Where the append-only file ends that has all its writes, in bytes recorded since it was turned on.
    pub logged_bytes: u64,
    /// CLIENT REPLY wants none of the reply that a blocked command will have.
    pub is_late_reply_dropped: bool,
    /// Keys under WATCH, with their databases.
    pub watched: Vec<(usize, Vec<u8>)>,
    /// A watched key has changed.
    pub is_touched: bool,
    pub channels: OrderedSet<Vec<u8>>,
    pub patterns: OrderedSet<Vec<u8>>,
    pub shard_channels: OrderedSet<Vec<u8>>,
    pub waiting: Option<Box<Waiting>>,
    /// The fields that HIMPORT PREPARE named, by the names it gave them.
    pub fieldsets: OrderedMap<Vec<u8>, Vec<Vec<u8>>>,
    pub reply_mode: ReplyMode,
    pub no_evict: bool,
    pub no_touch: bool,
    pub is_monitor: bool,
    /// CLIENT TRACKING is on.
    pub tracking: Option<Box<Tracking>>,
    #[cfg(feature = "debugger")]
    pub debug: DebugMode,
    /// A script of it is debugged: its input is for the debugger.
    #[cfg(feature = "debugger")]
    pub is_debugging: bool,
    /// A pause holds its input back.
    pub is_paused: bool,
    /// Close the connection once the output is flushed.
    pub is_closing: bool,
    /// In [`Sessions::ready`] already.
    pub is_ready: bool,
    pub parser: Parser,
    /// Bytes to the peer of a wire session.
    pub output: Vec<u8>,
    /// The most that was ever fetched of them at once.
    pub output_peak_bytes: usize,
    /// Messages to a native session.
    pub messages: VecDeque<Message>,
}

impl Session {
    fn new(id: u64, handle: u32, kind: Kind, now_ms: i64) -> Session {
        Session {
            id,
            handle,
            kind,
            resp3: kind == Kind::Native3,
            db: 0,
            name: Vec::new(),
            lib_name: Vec::new(),
            lib_version: Vec::new(),
            user: b"default".owned(),
            is_restricted: false,
            is_trusted: false,
            is_authenticated: true,
            address: Vec::new(),
            local_address: Vec::new(),
            created_ms: now_ms,
            active_ms: now_ms,
            last_command: None,
            commands: 0,
            input_bytes: 0,
            output_bytes: 0,
            multi: None,
            is_in_exec: false,
            exec_length: None,
            is_scripting: false,
            may_pause: kind == Kind::Wire,
            logged_bytes: 0,
            is_late_reply_dropped: false,
            watched: Vec::new(),
            is_touched: false,
            channels: OrderedSet::new(),
            patterns: OrderedSet::new(),
            shard_channels: OrderedSet::new(),
            waiting: None,
            fieldsets: OrderedMap::new(),
            reply_mode: ReplyMode::On,
            no_evict: false,
            no_touch: false,
            is_monitor: false,
            tracking: None,
            #[cfg(feature = "debugger")]
            debug: DebugMode::Off,
            #[cfg(feature = "debugger")]
            is_debugging: false,
            is_paused: false,
            is_closing: false,
            is_ready: false,
            parser: Parser::new(),
            output: Vec::new(),
            output_peak_bytes: 0,
            messages: VecDeque::new(),
        }
    }

    /// Finds out anew whether calls have to be looked at one by one.
    pub fn note_restriction(&mut self, users: &super::acl::Users) {
        self.is_restricted = !self.is_trusted && users.restricts(&self.user);
    }

    pub fn encoding(&self) -> Encoding {
        if self.kind == Kind::Wire {
            Encoding::Wire
        } else {
            Encoding::Cells
        }
    }

    /// Subscriptions of the kinds SUBSCRIBE and PSUBSCRIBE make.
    pub fn subscription_count(&self) -> usize {
        self.channels.len() + self.patterns.len()
    }

    /// In the RESP2 mode that allows only the pub/sub commands.
    pub fn is_subscriber(&self) -> bool {
        !self.resp3 && self.subscription_count() + self.shard_channels.len() > 0
    }

    /// Sends something outside the reply of the running command: `write` says what.
    pub fn send(&mut self, is_reply: bool, write: impl FnOnce(&mut Reply)) {
        let encoding = self.encoding();
        match encoding {
            Encoding::Wire => {
                let mut reply = Reply::on(
                    encoding,
                    self.resp3,
                    std::mem::take(&mut self.output),
                    Vec::new(),
                );
                write(&mut reply);
                self.output = reply.into_parts().0;
            }
            Encoding::Cells => {
                let mut reply = Reply::new(encoding, self.resp3);
                write(&mut reply);
                let (text, cells) = reply.into_parts();
                self.messages.push_back(Message {
                    cells,
                    text,
                    is_reply,
                });
            }
        }
    }

    /// Output that was not fetched yet, in bytes.
    pub fn pending_output_bytes(&self) -> usize {
        let messages = self
            .messages
            .iter()
            .map(|message| message.text.len() + message.cells.len() * 4);
        self.output.len() + messages.sum::<usize>()
    }
}

/// All sessions, by handle; a session that runs a command is taken out meanwhile.
#[derive(Debug, Default)]
pub struct Sessions {
    slots: Vec<Option<Box<Session>>>,
    free: Vec<u32>,
    /// Handles by CLIENT ID.
    by_id: OrderedMap<u64, u32>,
    last_id: u64,
    count: usize,
    /// Sessions with output or messages the host has not fetched, in the order they got it.
    pub ready: VecDeque<u32>,
}

impl Sessions {
    /// Opens a session and returns its handle.
    pub fn open(&mut self, kind: Kind, now_ms: i64) -> u32 {
        self.last_id += 1;
        self.count += 1;
        let handle = self.free.pop().unwrap_or(self.slots.len() as u32);
        let session = Some(Box::new(Session::new(self.last_id, handle, kind, now_ms)));
        match self.slots.get_mut(handle as usize) {
            Some(slot) => *slot = session,
            None => self.slots.push(session),
        }
        self.by_id.insert(self.last_id, handle);
        handle
    }

    /// Forgets a session.
    pub fn close(&mut self, handle: u32) -> Option<Box<Session>> {
        let session = self.slots.get_mut(handle as usize)?.take()?;
        self.free.push(handle);
        self.by_id.remove(&session.id);
        self.count -= 1;
        Some(session)
    }

    /// Takes a session out while it runs a command; [`Sessions::put`] brings it back.
    #[inline]
    pub fn take(&mut self, handle: u32) -> Option<Box<Session>> {
        self.slots.get_mut(handle as usize)?.take()
    }

    #[inline(always)]
    pub fn put(&mut self, session: Box<Session>) {
        let handle = session.handle as usize;
        if let Some(slot) = self.slots.get_mut(handle) {
            *slot = Some(session);
        }
    }

    pub fn get(&self, handle: u32) -> Option<&Session> {
        self.slots.get(handle as usize)?.as_deref()
    }

    pub fn get_mut(&mut self, handle: u32) -> Option<&mut Session> {
        self.slots.get_mut(handle as usize)?.as_deref_mut()
    }

    /// The handle of the session with this CLIENT ID.
    pub fn handle_of(&self, id: u64) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Session> {
        self.slots.iter().filter_map(Option::as_deref)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.slots.iter_mut().filter_map(Option::as_deref_mut)
    }

    /// How many there are, those taken out included.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Notes that the host has something to fetch.
    pub fn mark_ready(&mut self, handle: u32) {
        if let Some(session) = self.get_mut(handle)
            && !session.is_ready
        {
            session.is_ready = true;
            self.ready.push_back(handle);
        }
    }
}
