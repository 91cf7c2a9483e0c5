//! SLOWLOG and MONITOR: which commands have run.

use crate::resp::Error;
use crate::table::{BASE, Command, Ctx, Flags, Group, Outcome, Result, args, integer, prose};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "monitor", arity: 1, group: Group::Server, since: "1.0.0",
        flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
        reply: "OK",
        doc: prose!("Shows every command the server runs from now on.", ""),
        run: monitor,
        ..BASE
    },
    Command {
        name: "slowlog", arity: -2, group: Group::Server, since: "2.2.12",
        doc: prose!("Tells which commands were slow.", "Depends on the subcommand"),
        subs: &[
            Command {
                name: "get", arity: -2, group: Group::Server, since: "2.2.12",
                flags: Flags::ADMIN | Flags::LOADING | Flags::STALE,
                args: args![integer("count").optional()],
                tips: &["request_policy:all_nodes", "nondeterministic_output"],
                reply: "[any]",
                doc: prose!("The newest entries: id, time, microseconds, arguments, address and name of the client.", "O(N), N the number of entries"),
                run: get,
                ..BASE
            },
            Command {
                name: "len", arity: 2, group: Group::Server, since: "2.2.12",
                flags: Flags::ADMIN | Flags::LOADING | Flags::STALE,
                tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
                reply: "int",
                doc: prose!("How many entries there are.", "O(1)"),
                run: len,
                ..BASE
            },
            Command {
                name: "reset", arity: 2, group: Group::Server, since: "2.2.12",
                flags: Flags::ADMIN | Flags::LOADING | Flags::STALE,
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Forgets all entries.", "O(N), N the number of entries"),
                run: reset,
                ..BASE
            },
            Command {
                name: "help", arity: 2, group: Group::Server, since: "6.2.0",
                flags: Flags::LOADING | Flags::STALE,
                reply: "[simple]",
                doc: prose!("Lists the subcommands.", "O(1)"),
                run: help,
                ..BASE
            },
        ],
        ..BASE
    },
];

fn monitor(ctx: &mut Ctx) -> Result {
    if ctx.session.exec_length.is_some() {
        return Err(Error::new(
            "ERR MONITOR isn't allowed for DENY BLOCKING client",
        ));
    }
    // Asked a second time, Redis does not answer at all.
    if !ctx.session.is_monitor {
        ctx.session.is_monitor = true;
        ctx.server.monitors.push(ctx.session.handle);
        ctx.reply.ok();
    }
    Ok(Outcome::Done)
}

fn get(ctx: &mut Ctx) -> Result {
    const DEFAULT_COUNT: usize = 10;
    if ctx.args.len() > 3 {
        return Err(Error::concat(&[
            b"ERR unknown subcommand or wrong number of arguments for '",
            ctx.arg(1),
            b"'. Try SLOWLOG HELP.",
        ]));
    }
    let count = match ctx.integer(2) {
        _ if ctx.args.len() < 3 => DEFAULT_COUNT,
        Ok(-1) => usize::MAX,
        Ok(count @ 0..) => usize::try_from(count).unwrap_or(usize::MAX),
        _ => {
            return Err(Error::new(
                "ERR count should be greater than or equal to -1",
            ));
        }
    };
    let entries = &ctx.server.slowlog.entries;
    ctx.reply.array(count.min(entries.len()));
    for entry in entries.iter().take(count) {
        ctx.reply.array(6);
        ctx.reply.int(entry.id as i64);
        ctx.reply.int(entry.at_s);
        ctx.reply.int(entry.spent_usec as i64);
        ctx.reply.array(entry.args.len());
        for text in entry.args.iter().chain([&entry.address, &entry.name]) {
            ctx.reply.bulk(text);
        }
    }
    Ok(Outcome::Done)
}

fn len(ctx: &mut Ctx) -> Result {
    ctx.reply.count(ctx.server.slowlog.entries.len());
    Ok(Outcome::Done)
}

fn reset(ctx: &mut Ctx) -> Result {
    ctx.server.slowlog.entries.clear();
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn help(ctx: &mut Ctx) -> Result {
    ctx.help(
        "slowlog",
        &[
            "GET [<count>]",
            "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
            "    Entries are made of:",
            "    id, timestamp, time in microseconds, arguments array, client IP and port,",
            "    client name",
            "LEN",
            "    Return the length of the slowlog.",
            "RESET",
            "    Reset the slowlog.",
        ],
    )
}
