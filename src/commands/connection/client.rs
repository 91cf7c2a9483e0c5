//! CLIENT: what connections there are, and what they may ask for themselves.

use super::{listing, tracking};
use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;
use crate::resp::Error;
use crate::state::ReplyMode;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, Outcome, Result, args, flag, integer, oneof, prose,
    string,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "client", arity: -2, group: Group::Connection, since: "2.4.0",
        doc: prose!("Tells about connections and changes them.", "Depends on the subcommand"),
        subs: &[
            Command {
                name: "caching", arity: 3, group: Group::Connection, since: "6.0.0",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![oneof("mode", args![flag("YES"), flag("NO")])],
                reply: "OK",
                doc: prose!("Says whether the keys of the next command are to be tracked.", "O(1)"),
                run: tracking::caching,
                ..BASE
            },
            Command {
                name: "getname", arity: 2, group: Group::Connection, since: "2.6.9",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                reply: "bulk | nil",
                doc: prose!("The name of this connection.", "O(1)"),
                run: getname,
                ..BASE
            },
            Command {
                name: "getredir", arity: 2, group: Group::Connection, since: "6.0.0",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                reply: "int",
                doc: prose!("The connection that hears of changed keys in the place of this one: 0 for none, -1 without tracking.", "O(1)"),
                run: tracking::getredir,
                ..BASE
            },
            Command {
                name: "help", arity: 2, group: Group::Connection, since: "5.0.0",
                flags: Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                reply: "[simple]",
                doc: prose!("Lists the subcommands.", "O(1)"),
                run: help,
                ..BASE
            },
            Command {
                name: "id", arity: 2, group: Group::Connection, since: "5.0.0",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                reply: "int",
                doc: prose!("The number of this connection; no other one ever has it.", "O(1)"),
                run: id,
                ..BASE
            },
            Command {
                name: "info", arity: 2, group: Group::Connection, since: "6.2.0",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                tips: &["nondeterministic_output"],
                reply: "bulk",
                doc: prose!("The line of CLIENT LIST for this connection.", "O(1)"),
                run: listing::info,
                ..BASE
            },
            Command {
                name: "kill", arity: -3, group: Group::Connection, since: "2.4.0",
                flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![oneof("filter", args![string("old-format").display("ip:port").deprecated("2.8.12"), oneof("new-format", args![integer("client-id").token("ID").optional().since("2.8.12"), oneof("client-type", args![flag("NORMAL"), flag("MASTER").since("3.2.0"), flag("SLAVE"), flag("REPLICA").since("5.0.0"), flag("PUBSUB")]).token("TYPE").optional().since("2.8.12"), string("username").token("USER").optional(), string("addr").display("ip:port").token("ADDR").optional(), string("laddr").display("ip:port").token("LADDR").optional().since("6.2.0"), oneof("skipme", args![flag("YES"), flag("NO")]).token("SKIPME").optional(), integer("maxage").token("MAXAGE").optional().since("7.4.0")]).multiple()])],
                reply: "OK | int",
                doc: prose!("Closes the connections that all filters describe.", "O(N), N the number of connections"),
                run: listing::kill,
                ..BASE
            },
            Command {
                name: "list", arity: -2, group: Group::Connection, since: "2.4.0",
                flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![oneof("client-type", args![flag("NORMAL"), flag("MASTER"), flag("REPLICA"), flag("PUBSUB")]).token("TYPE").optional().since("5.0.0"), integer("client-id").token("ID").optional().multiple().since("6.2.0")],
                tips: &["nondeterministic_output"],
                reply: "bulk",
                doc: prose!("A line about each connection.", "O(N), N the number of connections"),
                run: listing::list,
                ..BASE
            },
            Command {
                name: "no-evict", arity: 3, group: Group::Connection, since: "7.0.0",
                flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![oneof("enabled", args![flag("ON"), flag("OFF")])],
                reply: "OK",
                doc: prose!("Keeps this connection when connections are closed to free memory.", "O(1)"),
                run: no_evict,
                ..BASE
            },
            Command {
                name: "no-touch", arity: 3, group: Group::Connection, since: "7.2.0",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![oneof("enabled", args![flag("ON"), flag("OFF")])],
                reply: "OK",
                doc: prose!("Lets this connection look at keys without counting as their use.", "O(1)"),
                run: no_touch,
                ..BASE
            },
            Command {
                name: "pause", arity: -3, group: Group::Connection, since: "3.0.0",
                flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![integer("timeout"), oneof("mode", args![flag("WRITE"), flag("ALL")]).optional().since("6.2.0")],
                reply: "OK",
                doc: prose!("Holds back what clients send, all of it or only writes, for some milliseconds.", "O(1)"),
                run: pause,
                ..BASE
            },
            Command {
                name: "reply", arity: 3, group: Group::Connection, since: "3.2.0",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![oneof("action", args![flag("ON"), flag("OFF"), flag("SKIP")])],
                reply: "OK",
                doc: prose!("Stops replies to this connection, all of them or the next one, or starts them again.", "O(1)"),
                run: reply,
                ..BASE
            },
            Command {
                name: "setinfo", arity: 4, group: Group::Connection, since: "7.2.0",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![oneof("attr", args![string("libname").token("LIB-NAME"), string("libver").token("LIB-VER")])],
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Notes which client library, in which version, speaks.", "O(1)"),
                run: setinfo,
                ..BASE
            },
            Command {
                name: "setname", arity: 3, group: Group::Connection, since: "2.6.9",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![string("connection-name")],
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Names this connection; an empty name takes the name away.", "O(1)"),
                run: setname,
                ..BASE
            },
            Command {
                name: "tracking", arity: -3, group: Group::Connection, since: "6.0.0",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![oneof("status", args![flag("ON"), flag("OFF")]), integer("client-id").token("REDIRECT").optional(), string("prefix").token("PREFIX").optional().multiple().multiple_token(), flag("BCAST").optional(), flag("OPTIN").optional(), flag("OPTOUT").optional(), flag("NOLOOP").optional()],
                reply: "OK",
                doc: prose!("Tells this connection when keys it holds in a cache of its own change.", "O(1); with many prefixes more"),
                run: tracking::tracking,
                ..BASE
            },
            Command {
                name: "trackinginfo", arity: 2, group: Group::Connection, since: "6.2.0",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                reply: "map<bulk,any>",
                doc: prose!("How this connection tracks keys.", "O(1)"),
                run: tracking::trackinginfo,
                ..BASE
            },
            Command {
                name: "unblock", arity: -3, group: Group::Connection, since: "5.0.0",
                flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![integer("client-id"), oneof("unblock-type", args![flag("TIMEOUT"), flag("ERROR")]).optional()],
                reply: "int",
                doc: prose!("Ends the wait of another connection, as if its time was up or with an error.", "O(log N), N the number of connections"),
                run: unblock,
                ..BASE
            },
            Command {
                name: "unpause", arity: 2, group: Group::Connection, since: "6.2.0",
                flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                reply: "OK",
                doc: prose!("Ends a pause early.", "O(N), N the number of connections held back"),
                run: unpause,
                ..BASE
            },
        ],
        ..BASE
    },
];

fn getname(ctx: &mut Ctx) -> Result {
    if ctx.session.name.is_empty() {
        ctx.reply.nil();
    } else {
        ctx.reply.bulk(&ctx.session.name);
    }
    Ok(Outcome::Done)
}

fn help(ctx: &mut Ctx) -> Result {
    ctx.help("client", HELP)
}

fn id(ctx: &mut Ctx) -> Result {
    ctx.reply.int(ctx.session.id as i64);
    Ok(Outcome::Done)
}

fn no_evict(ctx: &mut Ctx) -> Result {
    ctx.session.no_evict = on_or_off(ctx.arg(2))?;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn no_touch(ctx: &mut Ctx) -> Result {
    ctx.session.no_touch = on_or_off(ctx.arg(2))?;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn on_or_off(word: &[u8]) -> core::result::Result<bool, Error> {
    match word {
        _ if word.is_word(b"ON") => Ok(true),
        _ if word.is_word(b"OFF") => Ok(false),
        _ => Err(Error::SYNTAX),
    }
}

fn pause(ctx: &mut Ctx) -> Result {
    let writes_only = match ctx.args.get(3..).unwrap_or(&[]) {
        [] => false,
        [mode] if mode.is_word(b"ALL") => false,
        [mode] if mode.is_word(b"WRITE") => true,
        [_] => {
            return Err(Error::new("ERR CLIENT PAUSE mode must be WRITE or ALL"));
        }
        _ => return Err(ctx.unknown_subcommand("CLIENT")),
    };
    let timeout_ms = num::parse_i64(ctx.arg(2))
        .ok_or(Error::new("ERR timeout is not an integer or out of range"))?;
    if timeout_ms < 0 {
        return Err(Error::TIMEOUT_NEGATIVE);
    }
    let until_ms = ctx
        .now_ms
        .checked_add(timeout_ms)
        .ok_or(Error::TIMEOUT_RANGE)?;
    // While a pause lasts it can be made longer and stricter, not shorter or milder.
    let lasts = ctx.server.paused_until_ms > ctx.now_ms;
    let was_strict = lasts && !ctx.server.pause_writes_only;
    ctx.server.pause_writes_only = writes_only && !was_strict;
    ctx.server.paused_until_ms = match lasts {
        true => until_ms.max(ctx.server.paused_until_ms),
        false => until_ms,
    };
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn reply(ctx: &mut Ctx) -> Result {
    let mode = match ctx.arg(2) {
        word if word.is_word(b"ON") => ReplyMode::On,
        word if word.is_word(b"OFF") => ReplyMode::Off,
        word if word.is_word(b"SKIP") => match ctx.session.reply_mode {
            ReplyMode::Off => ReplyMode::Off,
            _ => ReplyMode::SkipNext,
        },
        _ => return Err(Error::SYNTAX),
    };
    ctx.session.reply_mode = mode;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn setinfo(ctx: &mut Ctx) -> Result {
    let (word, value) = (ctx.arg(2), ctx.arg(3));
    let is_name = word.is_word(b"LIB-NAME");
    if !is_name && !word.is_word(b"LIB-VER") {
        return Err(Error::concat(&[b"ERR Unrecognized option '", word, b"'"]));
    }
    if !is_printable(value) {
        return Err(Error::concat(&[
            b"ERR ",
            word,
            b" cannot contain spaces, newlines or special characters.",
        ]));
    }
    let field = match is_name {
        true => &mut ctx.session.lib_name,
        false => &mut ctx.session.lib_version,
    };
    *field = value.owned();
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn setname(ctx: &mut Ctx) -> Result {
    check_name(ctx.arg(2))?;
    ctx.session.name = ctx.arg(2).owned();
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// Names must not upset the lines of CLIENT LIST.
pub(super) fn check_name(name: &[u8]) -> core::result::Result<(), Error> {
    match is_printable(name) {
        true => Ok(()),
        false => Err(Error::new(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        )),
    }
}

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

fn unblock(ctx: &mut Ctx) -> Result {
    let with_error = match ctx.args.get(3..).unwrap_or(&[]) {
        [] => false,
        [word] if word.is_word(b"TIMEOUT") => false,
        [word] if word.is_word(b"ERROR") => true,
        [_] => {
            return Err(Error::new(
                "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
        _ => return Err(ctx.unknown_subcommand("CLIENT")),
    };
    let id = ctx.integer(2)?;
    let handle = u64::try_from(id)
        .ok()
        .and_then(|id| ctx.others.handle_of(id));
    let waits = handle
        .and_then(|handle| ctx.others.get(handle))
        .is_some_and(|session| session.waiting.is_some());
    if let Some(handle) = handle.filter(|_| waits) {
        ctx.server.unblocks.push((handle, with_error));
    }
    ctx.reply.int_bool(waits);
    Ok(Outcome::Done)
}

fn unpause(ctx: &mut Ctx) -> Result {
    ctx.server.paused_until_ms = 0;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// What CLIENT HELP prints.
const HELP: &[&str] = &[
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "    * ID <client-id>",
    "      Kill connections by client id.",
    "    * MAXAGE <maxage>",
    "      Kill connections older than the specified age.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
];
