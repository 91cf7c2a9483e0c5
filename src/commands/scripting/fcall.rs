//! FCALL: runs a function of a library.
//!
//! <https://redis.io/docs/latest/commands/fcall/>

use super::eval::{self, FLAGS};
use crate::algorithms::bytes::Bytes;
use crate::resp::Error;
use crate::state::scripts::{ScriptCall, ScriptFlags};
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, integer, key,
    prose, string,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "fcall", arity: -3, group: Group::Scripting, since: "7.0.0",
        flags: FLAGS,
        acl: Acl::SCRIPTING,
        keys: &[KeySpec::index(2).keynum(0, 1, 1).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE).note("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")],
        args: args![string("function"), integer("numkeys"), key("key").optional().multiple(), string("arg").optional().multiple()],
        doc: prose!("Runs a function of a library.", "As the function"),
        run: fcall,
        ..BASE
    },
    Command {
        name: "fcall_ro", arity: -3, group: Group::Scripting, since: "7.0.0",
        flags: Flags::READONLY | FLAGS,
        acl: Acl::SCRIPTING,
        keys: &[KeySpec::index(2).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS).note("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS")],
        args: args![string("function"), integer("numkeys"), key("key").optional().multiple(), string("arg").optional().multiple()],
        doc: prose!("Runs a function of a library that must not write.", "As the function"),
        run: fcall_ro,
        ..BASE
    },
];

fn fcall(ctx: &mut Ctx) -> Result {
    call(ctx, false)
}

fn fcall_ro(ctx: &mut Ctx) -> Result {
    call(ctx, true)
}

fn call(ctx: &mut Ctx, is_read_only: bool) -> Result {
    let Some((function, value)) = ctx.server.functions.find(ctx.arg(1)) else {
        return Err(Error::new("ERR Function not found"));
    };
    let (flags, name) = (function.flags, function.name.owned());
    ctx.integer(2)
        .map_err(|_| Error::new("ERR Bad number of keys provided"))?;
    let keys = eval::key_count(ctx)?;
    eval::admit(ctx, flags, is_read_only)?;
    Ok(Outcome::Script(Box::new(ScriptCall {
        is_function: true,
        function: value,
        name,
        keys,
        flags,
        is_read_only: is_read_only || flags.has(ScriptFlags::NO_WRITES),
    })))
}
