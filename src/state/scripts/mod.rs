//! Scripts: the machine that runs them, and those that were loaded, by their digests.
//!
//! ```text
//!   by_sha   digest -> Script { source, function in the machine, flags, when used }
//!   by_use   ticket -> digest      those that EVAL brought, the longest unused first
//! ```
//!
//! What SCRIPT LOAD brought stays until SCRIPT FLUSH; of those that EVAL brought, the last five hundred used.

mod busy;
mod call;
mod sandbox;
mod shebang;

pub use busy::{Busy, ScriptLimits};
pub use call::{Digest, ScriptCall, digest_named, digest_of};
pub use sandbox::{
    Fields, HostFunction, LogLine, error_table, log_line, open as open_sandbox,
    redis_register_function, text_of, throw_table,
};
#[cfg(feature = "debugger")]
pub use sandbox::{error_reply, open_debugging, sha1hex, status_reply};
pub use shebang::{ScriptFlags, Shebang};

use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::hash::HashSeed;
use crate::lua::{Thrown, Value, Vm, lib};
use crate::resp::{Encoding, Error, Reply};
use crate::structures::ordered::OrderedMap;

/// So many scripts that EVAL brought are kept.
const KEPT_SCRIPTS: usize = 500;
/// What a script's values may take together.
pub const MEMORY_LIMIT_BYTES: usize = 256 << 20;
/// A heap is collected after a script when it has grown to twice what was left of it last, and by this much.
const GROWTH_BYTES: usize = 1 << 20;

/// A machine and what belongs to it.
#[derive(Debug)]
pub struct Machine {
    pub vm: Box<Vm>,
    pub fields: Fields,
    /// Where the next script's commands reply.
    pub reply: Reply,
    /// What the last collection between two scripts left.
    settled_bytes: usize,
    /// Places among the machine's roots that are free.
    free_roots: Vec<usize>,
}

impl Machine {
    /// A machine with all libraries and the `redis` table.
    pub fn new(seed: HashSeed, is_deprecated_api_open: bool) -> Machine {
        let mut machine = Machine::bare(seed);
        open_sandbox(&mut machine.vm, is_deprecated_api_open);
        machine
    }

    /// A machine without any globals.
    pub fn bare(seed: HashSeed) -> Machine {
        let mut vm = Box::new(Vm::new(seed, MEMORY_LIMIT_BYTES));
        Machine {
            fields: Fields::new(&mut vm),
            reply: Reply::new(Encoding::Cells, false),
            vm,
            settled_bytes: 0,
            free_roots: Vec::new(),
        }
    }

    /// Keeps a value alive; the place is what [`Machine::release`] wants.
    pub fn keep(&mut self, value: Value) -> usize {
        match self.free_roots.pop() {
            Some(place) => {
                if let Some(root) = self.vm.roots.get_mut(place) {
                    *root = value;
                }
                place
            }
            None => {
                self.vm.roots.push(value);
                self.vm.roots.len() - 1
            }
        }
    }

    /// The value at a place.
    pub fn kept(&self, place: usize) -> Value {
        self.vm.roots.get(place).copied().unwrap_or_default()
    }

    pub fn release(&mut self, place: usize) {
        if let Some(root) = self.vm.roots.get_mut(place) {
            *root = Value::Nil;
            self.free_roots.push(place);
        }
    }

    /// To be called after a script: gives back what a greedy one has left behind.
    pub fn settle(&mut self) {
        self.vm.thrown = Value::Nil;
        if self.vm.heap.used_bytes > self.settled_bytes * 2 + GROWTH_BYTES {
            self.vm.collect();
            self.settled_bytes = self.vm.heap.used_bytes;
        }
    }

    /// What was thrown, as the text of an error reply: up to the first zero byte.
    pub fn failure_text(&mut self) -> Vec<u8> {
        let vm = &mut self.vm;
        let mut text = Vec::new();
        let message = match vm.thrown {
            Value::Table(table) => {
                let message = vm.heap.table_of(table).get_str(self.fields.err);
                text_of(vm, message).ok().flatten()
            }
            thrown => {
                text.put(b"ERR ");
                let message = lib::plain_text(vm, thrown);
                message
                    .and_then(|message| text_of(vm, message))
                    .ok()
                    .flatten()
            }
        };
        let message = message.unwrap_or_else(|| b"ERR unknown error".owned());
        text.put(message.split(|&byte| byte == 0).next().unwrap_or(&[]));
        text
    }

    /// Whether what was thrown is an error that a command replied and that was counted then.
    pub fn is_failure_counted(&self) -> bool {
        match self.vm.thrown {
            Value::Table(table) => {
                let table = self.vm.heap.table_of(table);
                table.get_str(self.fields.is_counted) == Value::Bool(true)
            }
            _ => false,
        }
    }

    /// What was thrown, as text; `otherwise` when it is none.
    pub fn thrown_text(&self, otherwise: &str) -> Vec<u8> {
        self.vm
            .thrown_text()
            .unwrap_or(otherwise.as_bytes())
            .owned()
    }
}

/// A script that was loaded.
#[derive(Debug)]
pub struct Script {
    pub source: Vec<u8>,
    pub flags: ScriptFlags,
    /// Where the machine keeps the function.
    root: usize,
    /// Its place among those that may be dropped; None for one that SCRIPT LOAD brought.
    ticket: Option<u64>,
}

/// Every script that can be called by its digest.
#[derive(Debug)]
pub struct Scripts {
    seed: HashSeed,
    /// Made when the first script comes; away while one runs.
    pub machine: Option<Box<Machine>>,
    /// The script that is paused.
    pub busy: Option<Box<Busy>>,
    by_sha: OrderedMap<Digest, Script>,
    by_use: OrderedMap<u64, Digest>,
    last_ticket: u64,
    /// Sources, together.
    source_bytes: usize,
    /// How many were dropped to make room.
    pub evicted: u64,
    /// What the next script or function goes on with: they share their random numbers, which outlive SCRIPT FLUSH.
    pub random: Option<u64>,
    /// Whether to open what Lua 5.1 has and Redis took away (`lua-enable-deprecated-api`).
    pub is_deprecated_api_open: bool,
}

impl Scripts {
    pub fn new(seed: HashSeed) -> Scripts {
        Scripts {
            seed,
            machine: None,
            busy: None,
            by_sha: OrderedMap::new(),
            by_use: OrderedMap::new(),
            last_ticket: 0,
            source_bytes: 0,
            evicted: 0,
            random: None,
            is_deprecated_api_open: false,
        }
    }

    fn machine(&mut self) -> &mut Machine {
        let (seed, is_open) = (&self.seed, self.is_deprecated_api_open);
        self.machine
            .get_or_insert_with(|| Box::new(Machine::new(seed.clone(), is_open)))
    }

    /// A machine that no script has used.
    #[cfg(feature = "debugger")]
    pub fn fresh_machine(&self) -> Box<Machine> {
        Box::new(Machine::new(self.seed.clone(), self.is_deprecated_api_open))
    }

    /// What hash tables are keyed with.
    #[cfg(feature = "debugger")]
    pub fn seed(&self) -> &HashSeed {
        &self.seed
    }

    /// How many scripts there are.
    pub fn len(&self) -> usize {
        self.by_sha.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_sha.is_empty()
    }

    /// What the sources take.
    pub fn source_bytes(&self) -> usize {
        self.source_bytes
    }

    /// What the machine's values take; 0 while there is no machine.
    pub fn machine_bytes(&self) -> usize {
        self.machine
            .as_ref()
            .map_or(0, |machine| machine.vm.heap.used_bytes)
    }

    pub fn contains(&self, sha: &Digest) -> bool {
        self.by_sha.contains_key(sha)
    }

    /// The flags of a script, for what is asked before a command runs.
    pub fn flags_of(&self, sha: &[u8]) -> Option<ScriptFlags> {
        self.by_sha
            .get(&digest_named(sha)?)
            .map(|script| script.flags)
    }

    /// The function and flags of a script that is called now.
    pub fn find(&mut self, sha: &Digest) -> Option<(Value, ScriptFlags)> {
        let script = self.by_sha.get_mut(sha)?;
        if let Some(ticket) = &mut script.ticket {
            self.by_use.remove(ticket);
            self.last_ticket += 1;
            *ticket = self.last_ticket;
            self.by_use.insert(self.last_ticket, *sha);
        }
        let (root, flags) = (script.root, script.flags);
        let machine = self.machine.as_ref()?;
        Some((machine.kept(root), flags))
    }

    /// Compiles a script, if it is not there already. `is_kept` is SCRIPT LOAD's: it stays until SCRIPT FLUSH. One that
    /// EVAL brought before may be dropped still.
    ///
    /// # Errors
    /// What the first line or the compiler says.
    pub fn load(&mut self, sha: Digest, source: &[u8], is_kept: bool) -> Result<(), Error> {
        if self.by_sha.contains_key(&sha) {
            return Ok(());
        }
        let shebang = Shebang::of_script(source)?;
        let root = self.compile(shebang.body)?;
        let ticket = (!is_kept).then(|| {
            self.last_ticket += 1;
            self.by_use.insert(self.last_ticket, sha);
            self.last_ticket
        });
        self.source_bytes += source.len();
        let script = Script {
            source: source.owned(),
            flags: shebang.flags,
            root,
            ticket,
        };
        self.by_sha.insert(sha, script);
        if self.by_use.len() > KEPT_SCRIPTS {
            self.drop_longest_unused();
        }
        Ok(())
    }

    /// Compiles a body into a function that the machine keeps.
    fn compile(&mut self, body: &[u8]) -> Result<usize, Error> {
        let machine = self.machine();
        match machine.vm.load(body, b"@user_script") {
            Ok(function) => Ok(machine.keep(function)),
            Err(Thrown) => {
                let reason = machine.thrown_text("not enough memory");
                machine.settle();
                let start = b"ERR Error compiling script (new function): ";
                Err(Error::concat(&[start, &reason]))
            }
        }
    }

    fn drop_longest_unused(&mut self) {
        let Some((&ticket, &sha)) = self.by_use.first() else {
            return;
        };
        self.by_use.remove(&ticket);
        self.evicted += 1;
        if let Some(script) = self.by_sha.remove(&sha) {
            self.source_bytes -= script.source.len();
            self.machine().release(script.root);
        }
    }

    /// Forgets every script and the machine with all it holds (SCRIPT FLUSH).
    pub fn flush(&mut self) {
        *self = Scripts {
            evicted: self.evicted,
            random: self.random,
            is_deprecated_api_open: self.is_deprecated_api_open,
            ..Scripts::new(self.seed.clone())
        };
    }
}
