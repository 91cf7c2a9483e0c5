//! SCRIPT: the scripts that EVALSHA finds.
//!
//! <https://redis.io/docs/latest/commands/script-load/>

use crate::resp::Error;
use crate::state::scripts::{digest_named, digest_of};
#[cfg(feature = "debugger")]
use crate::state::{DebugMode, Kind};
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, Outcome, Result, args, flag, oneof, prose, string,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "script", arity: -2, group: Group::Scripting, since: "2.6.0",
        doc: prose!("Scripts that were loaded.", "Depends on the subcommand"),
        subs: &[
            Command {
                name: "flush", arity: -2, group: Group::Scripting, since: "2.6.0",
                flags: Flags::NOSCRIPT,
                acl: Acl::SCRIPTING,
                args: args![oneof("flush-type", args![flag("ASYNC"), flag("SYNC")]).optional().since("6.2.0")],
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Forgets every script.", "O(N), N the number of scripts"),
                run: flush,
                ..BASE
            },
            Command {
                name: "load", arity: 3, group: Group::Scripting, since: "2.6.0",
                flags: Flags::NOSCRIPT | Flags::STALE,
                acl: Acl::SCRIPTING,
                args: args![string("script")],
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                reply: "bulk",
                doc: prose!("Compiles a script and keeps it; its SHA1 is the reply.", "O(N), N the length of the script"),
                run: load,
                ..BASE
            },
            Command {
                name: "help", arity: 2, group: Group::Scripting, since: "5.0.0",
                flags: Flags::LOADING | Flags::STALE,
                acl: Acl::SCRIPTING,
                reply: "[simple]",
                doc: prose!("What the subcommands do.", "O(1)"),
                run: help,
                ..BASE
            },
            Command {
                name: "kill", arity: 2, group: Group::Scripting, since: "2.6.0",
                flags: Flags::NOSCRIPT | Flags::ALLOW_BUSY,
                acl: Acl::SCRIPTING,
                tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
                reply: "OK",
                doc: prose!("Ends the script that runs, if it has not written yet.", "O(1)"),
                run: kill,
                ..BASE
            },
            Command {
                name: "debug", arity: 3, group: Group::Scripting, since: "3.2.0",
                flags: Flags::NOSCRIPT,
                acl: Acl::SCRIPTING,
                args: args![oneof("mode", args![flag("YES"), flag("SYNC"), flag("NO")])],
                reply: "OK",
                doc: prose!("Chooses how the next scripts of this client are debugged.", "O(1)"),
                run: debug,
                ..BASE
            },
            Command {
                name: "exists", arity: -3, group: Group::Scripting, since: "2.6.0",
                flags: Flags::NOSCRIPT,
                acl: Acl::SCRIPTING,
                args: args![string("sha1").multiple()],
                tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
                reply: "[int]",
                doc: prose!("Which of these scripts are loaded.", "O(N), N the number of digests"),
                run: exists,
                ..BASE
            },
        ],
        ..BASE
    },
];

fn flush(ctx: &mut Ctx) -> Result {
    let is_mode =
        |word: &[u8]| word.eq_ignore_ascii_case(b"sync") || word.eq_ignore_ascii_case(b"async");
    if ctx.args.len() > 3 || (ctx.args.len() == 3 && !is_mode(ctx.arg(2))) {
        return Err(Error::new(
            "ERR SCRIPT FLUSH only support SYNC|ASYNC option",
        ));
    }
    ctx.server.scripts.flush();
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn load(ctx: &mut Ctx) -> Result {
    let source = ctx.arg(2);
    let sha = digest_of(source);
    ctx.server.scripts.load(sha, source, true)?;
    ctx.reply.bulk(&sha);
    Ok(Outcome::Done)
}

fn exists(ctx: &mut Ctx) -> Result {
    ctx.reply.array(ctx.args.len() - 2);
    for word in ctx.args.iter().skip(2) {
        let is_there = digest_named(word).is_some_and(|sha| ctx.server.scripts.contains(&sha));
        ctx.reply.int_bool(is_there);
    }
    Ok(Outcome::Done)
}

fn kill(ctx: &mut Ctx) -> Result {
    ctx.server.scripts.check_kill(false)?;
    ctx.reply.ok();
    Ok(Outcome::KillScript)
}

#[cfg(feature = "debugger")]
fn debug(ctx: &mut Ctx) -> Result {
    if !ctx.reply.is_empty() {
        return Err(Error::new(
            "ERR SCRIPT DEBUG must be called outside a pipeline",
        ));
    }
    let mode = ctx.arg(2);
    let is = |word: &[u8]| mode.eq_ignore_ascii_case(word);
    let mode = match () {
        () if is(b"no") => DebugMode::Off,
        () if is(b"yes") => DebugMode::Copy,
        () if is(b"sync") => DebugMode::Sync,
        () => return Err(Error::new("ERR Use SCRIPT DEBUG YES/SYNC/NO")),
    };
    if mode != DebugMode::Off && ctx.session.kind != Kind::Wire {
        return Err(Error::new(
            "ERR SCRIPT DEBUG is for connections that speak RESP",
        ));
    }
    ctx.session.debug = mode;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

#[cfg(not(feature = "debugger"))]
fn debug(ctx: &mut Ctx) -> Result {
    let mode = ctx.arg(2);
    if mode.eq_ignore_ascii_case(b"no") {
        ctx.reply.ok();
        return Ok(Outcome::Done);
    }
    let is_known = [b"yes".as_slice(), b"sync"]
        .iter()
        .any(|word| mode.eq_ignore_ascii_case(word));
    Err(Error::new(match is_known {
        true => "ERR this build is for applications: it has no debugger for scripts",
        false => "ERR Use SCRIPT DEBUG YES/SYNC/NO",
    }))
}

fn help(ctx: &mut Ctx) -> Result {
    ctx.help(
        "script",
        &[
            "DEBUG (YES|SYNC|NO)",
            "    Set the debug mode for subsequent scripts executed.",
            "EXISTS <sha1> [<sha1> ...]",
            "    Return information about the existence of the scripts in the script cache.",
            "FLUSH [ASYNC|SYNC]",
            "    Flush the Lua scripts cache. Very dangerous on replicas.",
            "    When called without the optional mode argument, the behavior is determined by the",
            "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the scripts cache.",
            "    * SYNC: Synchronously flush the scripts cache.",
            "KILL",
            "    Kill the currently executing Lua script.",
            "LOAD <script>",
            "    Load a script into the scripts cache without executing it.",
        ],
    )
}
