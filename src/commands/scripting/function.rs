//! FUNCTION: libraries of functions, which are data: saved, restored and replicated like keys.
//!
//! <https://redis.io/docs/latest/develop/programmability/functions-intro/>

use crate::algorithms::glob;
use crate::algorithms::lzf::Compressor;
use crate::formats::functions as payload;
use crate::resp::{Error, Reply};
use crate::state::functions::{Function, Library, Restoring};
use crate::state::scripts::ScriptFlags;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, Outcome, Result, args, flag, oneof, prose, string,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "function", arity: -2, group: Group::Scripting, since: "7.0.0",
        doc: prose!("Libraries of functions.", "Depends on the subcommand"),
        subs: &[
            Command {
                name: "delete", arity: 3, group: Group::Scripting, since: "7.0.0",
                flags: Flags::WRITE | Flags::NOSCRIPT,
                acl: Acl::SCRIPTING,
                args: args![string("library-name")],
                tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Forgets a library and its functions.", "O(N), N the number of functions"),
                run: delete,
                ..BASE
            },
            Command {
                name: "flush", arity: -2, group: Group::Scripting, since: "7.0.0",
                flags: Flags::WRITE | Flags::NOSCRIPT,
                acl: Acl::SCRIPTING,
                args: args![oneof("flush-type", args![flag("ASYNC"), flag("SYNC")]).optional()],
                tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Forgets every library.", "O(N), N the number of functions"),
                run: flush,
                ..BASE
            },
            Command {
                name: "help", arity: 2, group: Group::Scripting, since: "7.0.0",
                flags: Flags::LOADING | Flags::STALE,
                acl: Acl::SCRIPTING,
                reply: "[simple]",
                doc: prose!("What the subcommands do.", "O(1)"),
                run: help,
                ..BASE
            },
            Command {
                name: "load", arity: -3, group: Group::Scripting, since: "7.0.0",
                flags: Flags::WRITE | Flags::DENYOOM | Flags::NOSCRIPT,
                acl: Acl::SCRIPTING,
                args: args![flag("REPLACE").optional(), string("function-code")],
                tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
                reply: "bulk",
                doc: prose!("Makes a library of its source; its name is the reply.", "O(N), N the length of the source, and what it does while it is loaded"),
                run: load,
                ..BASE
            },
            Command {
                name: "dump", arity: 2, group: Group::Scripting, since: "7.0.0",
                flags: Flags::NOSCRIPT,
                acl: Acl::SCRIPTING,
                reply: "bulk",
                doc: prose!("All libraries, as bytes for FUNCTION RESTORE.", "O(N), N the length of the sources"),
                run: dump,
                ..BASE
            },
            Command {
                name: "list", arity: -2, group: Group::Scripting, since: "7.0.0",
                flags: Flags::NOSCRIPT,
                acl: Acl::SCRIPTING,
                args: args![string("library-name-pattern").token("LIBRARYNAME").optional(), flag("WITHCODE").optional()],
                tips: &["nondeterministic_output_order"],
                reply: "[any]",
                doc: prose!("The libraries and what they register.", "O(N), N the number of functions"),
                run: list,
                ..BASE
            },
            Command {
                name: "kill", arity: 2, group: Group::Scripting, since: "7.0.0",
                flags: Flags::NOSCRIPT | Flags::ALLOW_BUSY,
                acl: Acl::SCRIPTING,
                tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
                reply: "OK",
                doc: prose!("Ends the function that runs, if it has not written yet.", "O(1)"),
                run: kill,
                ..BASE
            },
            Command {
                name: "stats", arity: 2, group: Group::Scripting, since: "7.0.0",
                flags: Flags::NOSCRIPT | Flags::ALLOW_BUSY,
                acl: Acl::SCRIPTING,
                tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
                reply: "map<bulk,any>",
                doc: prose!("The function that runs, and how many there are.", "O(1)"),
                run: stats,
                ..BASE
            },
            Command {
                name: "restore", arity: -3, group: Group::Scripting, since: "7.0.0",
                flags: Flags::WRITE | Flags::DENYOOM | Flags::NOSCRIPT,
                acl: Acl::SCRIPTING,
                args: args![string("serialized-value"), oneof("policy", args![flag("FLUSH"), flag("APPEND"), flag("REPLACE")]).optional()],
                tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Makes libraries from the bytes of FUNCTION DUMP, all or none.", "O(N), N the length of the sources"),
                run: restore,
                ..BASE
            },
        ],
        ..BASE
    },
];

fn delete(ctx: &mut Ctx) -> Result {
    if !ctx.server.functions.delete(ctx.arg(2)) {
        return Err(Error::new("ERR Library not found"));
    }
    Ok(changed(ctx))
}

/// Counts a change of the libraries, and replies OK.
fn changed(ctx: &mut Ctx) -> Outcome {
    ctx.keys.dirty += 1;
    ctx.reply.ok();
    Outcome::Done
}

fn flush(ctx: &mut Ctx) -> Result {
    let options = &mut ctx.options(2);
    if ctx.args.len() > 3 {
        return Err(ctx.unknown_subcommand("FUNCTION"));
    }
    if !options.is_done() && !options.take("SYNC") && !options.take("ASYNC") {
        return Err(Error::new(
            "ERR FUNCTION FLUSH only supports SYNC|ASYNC option",
        ));
    }
    ctx.server.functions.flush();
    Ok(changed(ctx))
}

fn load(ctx: &mut Ctx) -> Result {
    let Some((source, options)) = ctx.args.get(2..).and_then(<[_]>::split_last) else {
        return Err(Error::SYNTAX);
    };
    let mut is_replacing = false;
    for word in options {
        if !word.eq_ignore_ascii_case(b"replace") {
            return Err(Error::concat(&[b"ERR Unknown option given: ", word]));
        }
        is_replacing = true;
    }
    let name = ctx.server.functions.load(source, is_replacing);
    pass_log(ctx);
    ctx.reply.bulk(&name?);
    ctx.keys.dirty += 1;
    Ok(Outcome::Done)
}

/// Hands on what libraries logged while they were loaded.
fn pass_log(ctx: &mut Ctx) {
    for (level, text) in core::mem::take(&mut ctx.server.functions.logged) {
        ctx.server.log(level, &text);
    }
}

fn dump(ctx: &mut Ctx) -> Result {
    let is_compressed = ctx.server.config.value("rdbcompression") == b"yes";
    let mut compressor = is_compressed.then(Compressor::new);
    let mut bytes = Vec::new();
    for source in ctx.server.functions.sources() {
        payload::write_library(&mut bytes, source, compressor.as_mut());
    }
    payload::finish(&mut bytes);
    ctx.reply.bulk(&bytes);
    Ok(Outcome::Done)
}

fn list(ctx: &mut Ctx) -> Result {
    let (mut pattern, mut with_code) = (None, false);
    let options = &mut ctx.options(2);
    while !options.is_done() {
        if !with_code && options.take("WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && options.take("LIBRARYNAME") {
            let missing = Error::new("ERR library name argument was not given");
            pattern = Some(options.next().ok_or(missing)?);
        } else {
            let word = options.next().unwrap_or_default();
            return Err(Error::concat(&[b"ERR Unknown argument ", word]));
        }
    }
    let is_listed = |library: &&Library| {
        pattern.is_none_or(|pattern| glob::matches_nocase(pattern, &library.name))
    };
    let libraries = ctx.server.functions.libraries();
    ctx.reply.array(libraries.iter().filter(is_listed).count());
    for library in libraries.iter().filter(is_listed) {
        ctx.reply.map(if with_code { 4 } else { 3 });
        write_library(ctx.reply, library);
        if with_code {
            ctx.reply.bulk_str("library_code");
            ctx.reply.bulk(&library.source);
        }
    }
    Ok(Outcome::Done)
}

fn write_library(reply: &mut Reply, library: &Library) {
    reply.bulk_str("library_name");
    reply.bulk(&library.name);
    reply.bulk_str("engine");
    reply.bulk_str("LUA");
    reply.bulk_str("functions");
    reply.array(library.functions.len());
    for function in &library.functions {
        write_function(reply, function);
    }
}

fn write_function(reply: &mut Reply, function: &Function) {
    reply.map(3);
    reply.bulk_str("name");
    reply.bulk(&function.name);
    reply.bulk_str("description");
    match &function.description {
        Some(description) => reply.bulk(description),
        None => reply.nil(),
    }
    reply.bulk_str("flags");
    let has = |(_, flag): &&(&str, u8)| function.flags.has(*flag);
    reply.set(ScriptFlags::NAMES.iter().filter(has).count());
    for (name, _) in ScriptFlags::NAMES.iter().filter(has) {
        reply.status(name);
    }
}

fn kill(ctx: &mut Ctx) -> Result {
    ctx.server.scripts.check_kill(true)?;
    ctx.reply.ok();
    Ok(Outcome::KillScript)
}

fn stats(ctx: &mut Ctx) -> Result {
    let (functions, reply) = (&ctx.server.functions, &mut *ctx.reply);
    let busy = ctx.server.scripts.busy.as_deref();
    if let Some(busy) = busy
        && !busy.is_function
    {
        return Err(busy.refusal());
    }
    reply.map(2);
    reply.bulk_str("running_script");
    match busy {
        Some(busy) => {
            reply.map(3);
            reply.bulk_str("name");
            reply.bulk(&busy.name);
            reply.bulk_str("command");
            reply.array(busy.command.len());
            for word in &busy.command {
                reply.bulk(word);
            }
            reply.bulk_str("duration_ms");
            reply.int((ctx.now_ms - busy.started_ms).max(0));
        }
        None => reply.nil(),
    }
    reply.bulk_str("engines");
    reply.map(1);
    reply.bulk_str("LUA");
    reply.map(2);
    reply.bulk_str("libraries_count");
    reply.count(functions.libraries().len());
    reply.bulk_str("functions_count");
    reply.count(functions.function_count());
    Ok(Outcome::Done)
}

fn restore(ctx: &mut Ctx) -> Result {
    if ctx.args.len() > 4 {
        return Err(ctx.unknown_subcommand("FUNCTION"));
    }
    let options = &mut ctx.options(3);
    let mode = if options.is_done() || options.take("APPEND") {
        Restoring::Append
    } else if options.take("REPLACE") {
        Restoring::Replace
    } else if options.take("FLUSH") {
        Restoring::Flush
    } else {
        return Err(Error::new(
            "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
        ));
    };
    let result = ctx
        .server
        .functions
        .restore(payload::read(ctx.arg(2)), mode);
    pass_log(ctx);
    result?;
    Ok(changed(ctx))
}

fn help(ctx: &mut Ctx) -> Result {
    ctx.help(
        "function",
        &[
            "LOAD [REPLACE] <FUNCTION CODE>",
            "    Create a new library with the given library name and code.",
            "DELETE <LIBRARY NAME>",
            "    Delete the given library.",
            "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
            "    Return general information on all the libraries:",
            "    * Library name",
            "    * The engine used to run the Library",
            "    * Functions list",
            "    * Library code (if WITHCODE is given)",
            "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
            "STATS",
            "    Return information about the current function running:",
            "    * Function name",
            "    * Command used to run the function",
            "    * Duration in MS that the function is running",
            "    If no function is running, return nil",
            "    In addition, returns a list of available engines.",
            "KILL",
            "    Kill the current running function.",
            "FLUSH [ASYNC|SYNC]",
            "    Delete all the libraries.",
            "    When called without the optional mode argument, the behavior is determined by the",
            "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
            "    * ASYNC: Asynchronously flush the libraries.",
            "    * SYNC: Synchronously flush the libraries.",
            "DUMP",
            "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
            "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
            "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
            "    control how to handle existing libraries (default APPEND):",
            "    * FLUSH: delete all existing libraries.",
            "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
            "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
            "      libraries with the new libraries (notice that even on this option there is a chance of failure",
            "      in case of functions name collision with another library).",
        ],
    )
}
