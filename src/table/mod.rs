//! Commands as data.
//!
//! One [`Command`] value is the whole truth about a command. Everything else reads it: dispatch and arity, COMMAND and
//! its subcommands, ACL categories, key extraction, the checks before a command runs, propagation, the TypeScript
//! types, completion and the documentation.

pub mod acl_file;
mod arg;
mod command;
mod ctx;
mod getkeys;
mod keys;
mod lookup;
mod multi_pop;
mod options;
pub mod rules;

pub use arg::{
    Arg, ArgKind, block, double, flag, integer, key, oneof, pattern, string, token, unix_time,
};
pub use command::{Acl, BASE, Command, Deprecated, Doc, Flags, Group, no_run};
pub use ctx::{Ctx, Outcome, Result};
pub use getkeys::{
    FindKeys, FoundKey, bitfield_keys, delex_keys, legacy_range, migrate_keys, radius_keys,
    set_keys, sort_keys, sort_ro_keys,
};
pub use keys::{Begin, Find, KeyFlags, KeySpec};
pub use lookup::{Lookup, Resolved};
pub use multi_pop::{MultiPop, NO_COUNT, positive};
pub use options::Options;

pub(crate) use command::{args, prose};
