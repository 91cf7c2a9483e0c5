//! EVAL and its kin.
//!
//! <https://redis.io/docs/latest/develop/programmability/eval-intro/>

use crate::algorithms::bytes::Bytes;
use crate::resp::Error;
#[cfg(feature = "debugger")]
use crate::state::DebugMode;
use crate::state::scripts::{Digest, ScriptCall, ScriptFlags, digest_named, digest_of};
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, integer, key,
    prose, string,
};

/// Flags of everything that runs a script or a function.
pub(super) const FLAGS: u32 = Flags::NOSCRIPT
    | Flags::STALE
    | Flags::SKIP_MONITOR
    | Flags::NO_MANDATORY_KEYS
    | Flags::MOVABLEKEYS;

const NO_SCRIPT: Error = Error::new("NOSCRIPT No matching script. Please use EVAL.");

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "eval", arity: -3, group: Group::Scripting, since: "2.6.0",
        flags: FLAGS,
        acl: Acl::SCRIPTING,
        keys: &[KeySpec::index(2).keynum(0, 1, 1).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE).note("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")],
        args: args![string("script"), integer("numkeys"), key("key").optional().multiple(), string("arg").optional().multiple()],
        doc: prose!("Runs a Lua script, and keeps it for EVALSHA.", "As the script"),
        run: eval,
        ..BASE
    },
    Command {
        name: "evalsha", arity: -3, group: Group::Scripting, since: "2.6.0",
        flags: FLAGS,
        acl: Acl::SCRIPTING,
        keys: &[KeySpec::index(2).keynum(0, 1, 1).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![string("sha1"), integer("numkeys"), key("key").optional().multiple(), string("arg").optional().multiple()],
        doc: prose!("Runs a Lua script that was loaded before, by its SHA1.", "As the script"),
        run: evalsha,
        ..BASE
    },
    Command {
        name: "eval_ro", arity: -3, group: Group::Scripting, since: "7.0.0",
        flags: Flags::READONLY | FLAGS,
        acl: Acl::SCRIPTING,
        keys: &[KeySpec::index(2).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS).note("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS")],
        args: args![string("script"), integer("numkeys"), key("key").optional().multiple(), string("arg").optional().multiple()],
        doc: prose!("Runs a Lua script that must not write.", "As the script"),
        run: eval_ro,
        ..BASE
    },
    Command {
        name: "evalsha_ro", arity: -3, group: Group::Scripting, since: "7.0.0",
        flags: Flags::READONLY | FLAGS,
        acl: Acl::SCRIPTING,
        keys: &[KeySpec::index(2).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![string("sha1"), integer("numkeys"), key("key").optional().multiple(), string("arg").optional().multiple()],
        doc: prose!("Runs a Lua script that was loaded before and must not write, by its SHA1.", "As the script"),
        run: evalsha_ro,
        ..BASE
    },
];

fn eval(ctx: &mut Ctx) -> Result {
    evaluate(ctx, false)
}

fn eval_ro(ctx: &mut Ctx) -> Result {
    evaluate(ctx, true)
}

fn evalsha(ctx: &mut Ctx) -> Result {
    evaluate_loaded(ctx, false)
}

fn evalsha_ro(ctx: &mut Ctx) -> Result {
    evaluate_loaded(ctx, true)
}

/// How many of the arguments are keys, checked.
pub(super) fn key_count(ctx: &Ctx) -> core::result::Result<usize, Error> {
    let count = ctx.integer(2)?;
    if count < 0 {
        return Err(Error::new("ERR Number of keys can't be negative"));
    }
    match usize::try_from(count) {
        Ok(count) if count <= ctx.args.len().saturating_sub(3) => Ok(count),
        _ => Err(Error::new(
            "ERR Number of keys can't be greater than number of args",
        )),
    }
}

fn evaluate(ctx: &mut Ctx, is_read_only: bool) -> Result {
    let result = evaluate_source(ctx, is_read_only);
    #[cfg(feature = "debugger")]
    if result.is_err() && ctx.session.debug != DebugMode::Off {
        // The debugging is over before it has begun.
        ctx.reply.array(1);
        ctx.reply.status("<endsession>");
        ctx.session.is_closing = true;
    }
    result
}

fn evaluate_source(ctx: &mut Ctx, is_read_only: bool) -> Result {
    let keys = key_count(ctx)?;
    let source = ctx.arg(1);
    let sha = digest_of(source);
    ctx.server.scripts.load(sha, source, false)?;
    start(ctx, sha, keys, is_read_only)
}

fn evaluate_loaded(ctx: &mut Ctx, is_read_only: bool) -> Result {
    let sha = digest_named(ctx.arg(1));
    #[cfg(feature = "debugger")]
    if sha.is_some() && ctx.session.debug != DebugMode::Off {
        return Err(Error::new(
            "ERR Please use EVAL instead of EVALSHA for debugging",
        ));
    }
    let Some(sha) = sha else {
        return Err(NO_SCRIPT);
    };
    let keys = key_count(ctx)?;
    start(ctx, sha, keys, is_read_only)
}

/// Hands a loaded script to the engine.
fn start(ctx: &mut Ctx, sha: Digest, keys: usize, is_read_only: bool) -> Result {
    let Some((function, flags)) = ctx.server.scripts.find(&sha) else {
        return Err(NO_SCRIPT);
    };
    admit(ctx, flags, is_read_only)?;
    Ok(Outcome::Script(Box::new(ScriptCall {
        is_function: false,
        function,
        name: sha.owned(),
        keys,
        flags,
        is_read_only: is_read_only || flags.has(ScriptFlags::NO_WRITES),
    })))
}

/// Whether a script with these flags may run now.
///
/// # Errors
/// It may write and the command says it must not; or there is no memory or no disk left for what it may write.
pub(super) fn admit(
    ctx: &Ctx,
    flags: ScriptFlags,
    is_read_only: bool,
) -> core::result::Result<(), Error> {
    if flags.has(ScriptFlags::COMPATIBLE) {
        return Ok(());
    }
    if !flags.has(ScriptFlags::NO_WRITES) {
        if is_read_only {
            return Err(Error::new(
                "ERR Can not execute a script with write flag using *_ro command.",
            ));
        }
        if let Some(error) = ctx.server.disk_loss() {
            return Err(error);
        }
    }
    let is_full = ctx.server.config.is_full(ctx.keys.used_bytes());
    if is_full && !flags.has(ScriptFlags::ALLOW_OOM) && !flags.has(ScriptFlags::NO_WRITES) {
        return Err(Error::new(
            "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'",
        ));
    }
    Ok(())
}
