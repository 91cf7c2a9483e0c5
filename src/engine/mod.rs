//! The engine: the one way to run a command, and everything that happens around it.
//!
//! This is the public Rust API. It does no I/O and reads no clock: the host tells the time ([`Engine::set_now`],
//! [`Engine::tick`]), brings bytes or arguments ([`Engine::feed`], [`Engine::call`]), fetches output
//! ([`Engine::drain`], [`Engine::next_message`]) and does what only a host can do ([`Engine::next_request`]).
//!
//! ```
//! use redstart::engine::{Engine, Kind, Options};
//!
//! let mut engine = Engine::new(Options { seed: [1, 2], now_ms: 1_700_000_000_000, ..Options::default() });
//! let client = engine.connect(Kind::Wire);
//! engine.feed(client, b"SET greeting hello\r\nGET greeting\r\n");
//! assert_eq!(engine.drain(client), b"+OK\r\n$5\r\nhello\r\n");
//! ```

mod after;
mod block;
mod caches;
mod call;
mod check;
mod deliver;
mod evict;
mod observe;
mod persist;
#[cfg(feature = "scripting")]
mod script;
mod tick;
mod users;
mod wire;

pub use crate::formats::snapshot::Modules;
pub use crate::state::config::LoadError;
#[cfg(feature = "scripting")]
pub use crate::state::scripts::ScriptLimits;
pub use crate::state::{Kind, Message, Request, Storage};
pub use persist::Purpose;

use crate::algorithms::bytes::Bytes;
use crate::algorithms::hash::HashSeed;
use crate::algorithms::rng::Rng;
use crate::commands;
pub use crate::formats::aof::Record as LogRecord;
use crate::formats::aof::{self, Effects, Log};
use crate::keyspace::Keyspace;
use crate::resp::{Error, Reply};
#[cfg(feature = "debugger")]
use crate::state::DebugMode;
use crate::state::config::with_command_line;
use crate::state::{Config, Hindrance, Server, Session, Sessions};
use crate::table::Lookup;
use block::Blocked;
use persist::Transfer;

/// A session's handle; valid until [`Engine::disconnect`].
pub type SessionId = u32;

/// How to start an engine.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Keys the hash tables and seeds the random commands. The same seed and input give the same run.
    pub seed: [u64; 2],
    /// The time, in ms since the epoch.
    pub now_ms: i64,
    pub config: Config,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Called {
    /// The reply is complete.
    Replied,
    /// The client waits; the reply comes later as a message (or as output).
    Blocked,
    /// There is no reply to the call itself (SUBSCRIBE's come as messages, CLIENT REPLY OFF).
    Silent,
}

/// One Redis.
#[derive(Debug)]
pub struct Engine {
    lookup: Lookup,
    keys: Keyspace,
    server: Server,
    sessions: Sessions,
    blocked: Blocked,
    transfer: Transfer,
    rng: Rng,
    now_ms: i64,
    /// The reply of the native call that ran last; boxed, so that handing it to a command moves a pointer.
    reply: Box<Reply>,
    /// Stands in for it meanwhile.
    spare_reply: Option<Box<Reply>>,
    /// What the running command wants logged instead of itself.
    effects: Effects,
    log: Log,
    is_logging: bool,
    /// Wire sessions whose input waits for the end of a pause.
    paused: Vec<SessionId>,
    /// All input waits, for a script that is paused.
    is_holding: bool,
    #[cfg(feature = "scripting")]
    pauses: script::Pauses,
    /// Scripts that are debugged and whose clients think.
    #[cfg(feature = "debugger")]
    debuggers: Vec<script::Debugger>,
}

impl Engine {
    /// A fresh, empty engine. O(1), without allocation of databases not in use.
    pub fn new(options: Options) -> Engine {
        let mut rng = Rng::new(options.seed);
        let seed = HashSeed::new(options.seed[0], options.seed[1]);
        let lookup = Lookup::new(commands::GROUPS, seed.clone());
        let ids = [hex_id(&mut rng), hex_id(&mut rng)];
        let rows = lookup.rows().len();
        let mut keys = Keyspace::new(options.config.databases, seed.clone(), options.now_ms);
        options.config.apply_to(&mut keys);
        Engine {
            lookup,
            keys,
            server: Server::new(
                options.config,
                options.now_ms,
                ids,
                rows,
                seed,
                options.seed,
            ),
            sessions: Sessions::default(),
            blocked: Blocked::default(),
            transfer: Transfer::default(),
            rng,
            now_ms: options.now_ms,
            reply: Box::default(),
            spare_reply: None,
            effects: Effects::default(),
            log: Log::default(),
            is_logging: false,
            paused: Vec::new(),
            is_holding: false,
            #[cfg(feature = "scripting")]
            pauses: script::Pauses::default(),
            #[cfg(feature = "debugger")]
            debuggers: Vec::new(),
        }
    }

    /// Configures as redis-server does at its start, from a file (its name is empty when there is none) and the words of
    /// the command line behind it. To be called before there are keys: with some, their number of databases stays.
    ///
    /// # Errors
    /// What is wrong with it; nothing is changed then.
    pub fn configure(
        &mut self,
        file_name: &[u8],
        file: &[u8],
        words: &[&[u8]],
    ) -> Result<(), LoadError> {
        let mut config = Config::load(&with_command_line(file, words))?;
        let users = self.users_of(&config)?;
        self.server.users.replace(users);
        if !file_name.is_empty() {
            config.file = Some((file_name.owned(), file.owned()));
        }
        self.keys.set_db_count(config.databases);
        config.apply_to(&mut self.keys);
        #[cfg(feature = "scripting")]
        {
            let is_open = config.value("lua-enable-deprecated-api") == b"yes";
            self.server.scripts.is_deprecated_api_open = is_open;
            self.server.functions.is_deprecated_api_open = is_open;
        }
        self.server.config = config;
        Ok(())
    }

    /// Opens a session.
    pub fn connect(&mut self, kind: Kind) -> SessionId {
        self.server.stats.connections += 1;
        let id = self.sessions.open(kind, self.now_ms);
        if let Some(session) = self.sessions.get_mut(id) {
            // The program the engine runs in is not asked for a password: it could read it anyway.
            session.is_authenticated = kind != Kind::Wire || self.server.users.is_default_open();
            session.note_restriction(&self.server.users);
        }
        id
    }

    /// Tells what CLIENT LIST shows as the session's ends.
    pub fn set_addresses(&mut self, id: SessionId, peer: &[u8], local: &[u8]) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.address = peer.owned();
            session.local_address = local.owned();
        }
    }

    /// Ends a session: its subscriptions, watches and wait end with it.
    pub fn disconnect(&mut self, id: SessionId) {
        #[cfg(feature = "scripting")]
        if self.orphan_script(id) {
            return;
        }
        let Some(mut session) = self.sessions.close(id) else {
            return;
        };
        self.forget(&mut session);
        self.sessions.ready.retain(|other| *other != id);
        #[cfg(feature = "debugger")]
        if session.debug != DebugMode::Off {
            if self.has_aftermath() {
                self.settle();
            }
            self.resume_all();
        }
    }

    /// Takes a session off every list it stands on.
    fn forget(&mut self, session: &mut Session) {
        #[cfg(feature = "debugger")]
        self.leave_debugger(session);
        self.stop_waiting(session);
        self.keys.unwatch_all(&mut session.watched, session.handle);
        commands::pubsub::forget(&mut self.server.pubsub, session);
        commands::connection::tracking::stop(&mut self.server, &mut self.keys, session);
        self.paused.retain(|other| *other != session.handle);
        self.blocked
            .resumed
            .retain(|other| *other != session.handle);
    }

    /// Moves the clock; commands see this time until the next call. Time never runs backwards for expiry's sake.
    pub fn set_now(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// The next session with output or messages to fetch.
    pub fn next_ready(&mut self) -> Option<SessionId> {
        let id = self.sessions.ready.pop_front()?;
        if let Some(session) = self.sessions.get_mut(id) {
            session.is_ready = false;
        }
        Some(id)
    }

    /// How many sessions [`Engine::next_ready`] would give.
    pub fn ready_count(&self) -> usize {
        self.sessions.ready.len()
    }

    /// The next message of a native session.
    pub fn next_message(&mut self, id: SessionId) -> Option<Message> {
        self.sessions.get_mut(id)?.messages.pop_front()
    }

    /// The next thing the host is to do.
    pub fn next_request(&mut self) -> Option<Request> {
        self.server.requests.pop_front()
    }

    /// How many things the host is to do.
    pub fn request_count(&self) -> usize {
        self.server.requests.len()
    }

    /// Passes PUBLISH and SPUBLISH on as host requests, so that other engines can hear them.
    pub fn set_bridged(&mut self, is_bridged: bool) {
        self.server.is_bridged = is_bridged;
    }

    /// Starts or stops recording every write as AOF and replicas are to see it; [`Engine::take_log`] fetches.
    pub fn set_logging(&mut self, is_logging: bool) {
        self.is_logging = is_logging;
        self.keys.set_logging(is_logging);
    }

    /// The writes recorded since the last fetch.
    pub fn take_log(&mut self) -> Vec<LogRecord> {
        let mut bytes = Vec::new();
        self.log.take(&mut bytes);
        self.log.cut();
        aof::records(&bytes)
    }

    /// The command table.
    pub fn lookup(&self) -> &Lookup {
        &self.lookup
    }

    pub fn keys(&self) -> &Keyspace {
        &self.keys
    }

    pub fn server(&self) -> &Server {
        &self.server
    }

    pub fn server_mut(&mut self) -> &mut Server {
        &mut self.server
    }

    /// How many sessions are open.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Whether commands of a session may wait; those that may not reply at once as at the end of their time.
    pub fn set_may_block(&mut self, id: SessionId, may_block: bool) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.is_in_exec = !may_block;
        }
    }

    /// Whether a script is paused: commands are refused, and a snapshot would be one of half the script.
    pub fn is_busy(&self) -> bool {
        self.server.hindrance == Hindrance::Script
    }

    /// Whether clients are held back meanwhile, and not told BUSY yet.
    pub fn is_holding(&self) -> bool {
        self.is_holding
    }

    /// For what cannot be while a script is paused.
    ///
    /// # Errors
    /// BUSY.
    pub fn check_idle(&self) -> Result<(), Error> {
        #[cfg(feature = "scripting")]
        if let Some(busy) = &self.server.scripts.busy {
            return Err(busy.refusal());
        }
        Ok(())
    }

    /// Adds nil to the reply of a batch, for a command that said nothing.
    pub fn reply_nil(&mut self) {
        self.reply.nil();
    }

    /// The reply of the native call that ran last.
    pub fn reply(&self) -> &Reply {
        &self.reply
    }
}

/// 40 random hexadecimal digits.
fn hex_id(rng: &mut Rng) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    (0..40)
        .map(|_| DIGITS[(rng.next_u64() & 15) as usize])
        .collect()
}
