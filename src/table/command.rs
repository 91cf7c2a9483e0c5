//! The row.

use super::{Arg, Ctx, FindKeys, KeySpec, Result};

/// One command or subcommand.
///
/// Rows are written as `Command { name: .., .., ..BASE }`: what is not said is as in [`BASE`].
#[derive(Debug)]
pub struct Command {
    /// In lower case; of a subcommand only its own word.
    pub name: &'static str,
    /// The number of arguments, name included (both words of a subcommand); negative: at least so many.
    pub arity: i16,
    pub group: Group,
    /// The Redis version that first had it.
    pub since: &'static str,
    /// [`Flags`], or'ed.
    pub flags: u32,
    /// [`Acl`] categories that do not follow from the flags (`@read`, `@write`, `@fast`, `@slow`, `@admin`,
    /// `@dangerous` of admin commands, `@pubsub` and `@blocking` do).
    pub acl: u32,
    /// Where the keys stand among the arguments.
    pub keys: &'static [KeySpec],
    /// Finds the keys where the specs cannot tell all of them, or not what becomes of them.
    pub find_keys: Option<FindKeys>,
    /// The arguments, as COMMAND DOCS tells them; empty without feature `docs`.
    pub args: &'static [Arg],
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// The type of the reply: `OK`, `int`, `index` (a big number beyond 63 bits), `bulk`, `nil`, `double`, `bool`, `simple`,
    /// `[T]`, `map<K,V>`, `set<T>`, `any`, joined by `|`.
    pub reply: &'static str,
    pub doc: Doc,
    pub deprecated: Option<Deprecated>,
    /// For servers and tests among themselves, not for people.
    pub is_system: bool,
    /// The subcommands of a container.
    pub subs: &'static [Command],
    /// What it does. [`no_run`] for a container that does nothing by itself.
    pub run: Run,
}

/// A command's function.
pub type Run = fn(&mut Ctx) -> Result;

/// What a row is where it says nothing else.
pub const BASE: Command = Command {
    name: "",
    arity: 0,
    group: Group::Generic,
    since: "1.0.0",
    flags: 0,
    acl: 0,
    keys: &[],
    find_keys: None,
    args: &[],
    tips: &[],
    reply: "any",
    doc: Doc {
        summary: "",
        complexity: "",
    },
    deprecated: None,
    is_system: false,
    subs: &[],
    run: no_run,
};

/// The function of a container without a subcommand: the arity check never lets a call reach it.
pub fn no_run(ctx: &mut Ctx) -> Result {
    Err(crate::resp::Error::wrong_arity(ctx.row.name.as_bytes()))
}

/// What COMMAND DOCS says in prose.
#[derive(Debug, Clone, Copy)]
pub struct Doc {
    pub summary: &'static str,
    pub complexity: &'static str,
}

/// Since when a command should not be used any more, and what to use instead.
#[derive(Debug, Clone, Copy)]
pub struct Deprecated {
    pub since: &'static str,
    pub replaced_by: &'static str,
}

/// Prose that a build without feature `docs` does not carry.
macro_rules! prose {
    ($summary:expr, $complexity:expr) => {
        if cfg!(feature = "docs") {
            $crate::table::Doc {
                summary: $summary,
                complexity: $complexity,
            }
        } else {
            $crate::table::Doc {
                summary: "",
                complexity: "",
            }
        }
    };
}
pub(crate) use prose;

/// Argument descriptions that a build without feature `docs` does not carry; for those within a `oneof` or `block` too.
macro_rules! args {
    // A block of its own: a constant within a constant lives long enough.
    ($($arg:expr),* $(,)?) => { if cfg!(feature = "docs") { const { &[$($arg),*] } } else { &[] } };
}
pub(crate) use args;

impl Command {
    pub const fn is(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Whether `count` arguments, name included, are as many as the command takes.
    #[inline]
    pub fn accepts(&self, count: usize) -> bool {
        let least = usize::from(self.arity.unsigned_abs());
        count == least || (self.arity < 0 && count > least)
    }

    /// All ACL categories: the row's own and those that follow from its flags.
    pub fn categories(&self) -> u32 {
        let mut all = self.acl;
        let implied = [
            (Flags::WRITE, Acl::WRITE),
            (Flags::ADMIN, Acl::ADMIN | Acl::DANGEROUS),
            (Flags::PUBSUB, Acl::PUBSUB),
            (Flags::BLOCKING, Acl::BLOCKING),
            (Flags::FAST, Acl::FAST),
        ];
        for (flag, category) in implied {
            if self.is(flag) {
                all |= category;
            }
        }
        if self.is(Flags::READONLY) && all & Acl::SCRIPTING == 0 {
            all |= Acl::READ;
        }
        if !self.is(Flags::FAST) {
            all |= Acl::SLOW;
        }
        all
    }
}

/// The group a command is documented in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Pubsub,
    Transactions,
    Connection,
    Server,
    Scripting,
    Hyperloglog,
    Cluster,
    Geo,
    Stream,
    Bitmap,
    Array,
    Module,
}

impl Group {
    /// As COMMAND DOCS prints it.
    pub fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::Pubsub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
            Group::Hyperloglog => "hyperloglog",
            Group::Cluster => "cluster",
            Group::Geo => "geo",
            Group::Stream => "stream",
            Group::Bitmap => "bitmap",
            Group::Array => "array",
            Group::Module => "module",
        }
    }
}

macro_rules! bits {
    ($(#[$doc:meta])* $type:ident { $($(#[$bit_doc:meta])* $name:ident = $bit:literal $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $type;

        impl $type {
            $($(#[$bit_doc])* pub const $name: u32 = 1 << $bit;)*

            /// Every bit with the name Redis prints for it, in Redis' order.
            pub const NAMES: &'static [(u32, &'static str)] = &[$(($type::$name, $text)),*];
        }
    };
}
pub(super) use bits;

bits! {
    /// What COMMAND INFO lists as flags. Plain `u32` constants, so that rows can `|` them in constants.
    Flags {
        WRITE = 0 "write",
        READONLY = 1 "readonly",
        /// Refused above `maxmemory`.
        DENYOOM = 2 "denyoom",
        MODULE = 3 "module",
        ADMIN = 4 "admin",
        PUBSUB = 5 "pubsub",
        NOSCRIPT = 6 "noscript",
        BLOCKING = 8 "blocking",
        /// Allowed while loading.
        LOADING = 9 "loading",
        /// Allowed on a replica with stale data.
        STALE = 10 "stale",
        SKIP_MONITOR = 11 "skip_monitor",
        SKIP_SLOWLOG = 12 "skip_slowlog",
        ASKING = 13 "asking",
        FAST = 14 "fast",
        /// Allowed before authentication.
        NO_AUTH = 15 "no_auth",
        MAY_REPLICATE = 16 "may_replicate",
        /// May be called without any key.
        NO_MANDATORY_KEYS = 17 "no_mandatory_keys",
        NO_ASYNC_LOADING = 23 "no_async_loading",
        NO_MULTI = 24 "no_multi",
        /// Keys stand where the key specs alone cannot tell.
        MOVABLEKEYS = 25 "movablekeys",
        /// Allowed while a script runs too long.
        ALLOW_BUSY = 26 "allow_busy",
    }
}

bits! {
    /// ACL categories; the order is Redis'.
    Acl {
        KEYSPACE = 0 "keyspace",
        READ = 1 "read",
        WRITE = 2 "write",
        SET = 3 "set",
        SORTEDSET = 4 "sortedset",
        LIST = 5 "list",
        HASH = 6 "hash",
        STRING = 7 "string",
        BITMAP = 8 "bitmap",
        HYPERLOGLOG = 9 "hyperloglog",
        GEO = 10 "geo",
        STREAM = 11 "stream",
        PUBSUB = 12 "pubsub",
        ADMIN = 13 "admin",
        FAST = 14 "fast",
        SLOW = 15 "slow",
        BLOCKING = 16 "blocking",
        DANGEROUS = 17 "dangerous",
        CONNECTION = 18 "connection",
        TRANSACTION = 19 "transaction",
        SCRIPTING = 20 "scripting",
        ARRAY = 21 "array",
    }
}
