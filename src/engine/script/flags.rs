//! What scripts and functions say of themselves, as the flags of the command that runs them.

use crate::state::Server;
use crate::state::scripts::{ScriptFlags, Shebang};
use crate::table::{Command, Flags};

/// The flags of a call of EVAL, FCALL or their kin.
pub fn flags_of(server: &Server, row: &Command, args: &[&[u8]]) -> u32 {
    let name = args.get(1).copied().unwrap_or(&[]);
    let said = match row.name {
        "fcall" | "fcall_ro" => server.functions.flags_of(name),
        "evalsha" | "evalsha_ro" => server.scripts.flags_of(name),
        _ => Shebang::of_script(name).ok().map(|shebang| shebang.flags),
    };
    match said {
        Some(said) if !said.has(ScriptFlags::COMPATIBLE) => {
            let mut flags = row.flags & !Flags::STALE;
            if !said.has(ScriptFlags::NO_WRITES) {
                flags |= Flags::WRITE;
                if !said.has(ScriptFlags::ALLOW_OOM) {
                    flags |= Flags::DENYOOM;
                }
            }
            flags
        }
        _ if row.is(Flags::READONLY) => row.flags,
        _ => row.flags | Flags::MAY_REPLICATE,
    }
}
