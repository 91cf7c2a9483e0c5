//! CONFIG: parameters read and changed while the server runs.

use crate::algorithms::glob;
use crate::keyspace::KeyStats;
use crate::resp::Error;
use crate::state::config::{self, Found, HIDDEN, HOST, IMMUTABLE, PROTECTED};
use crate::state::{CommandStats, Stats, Storage};
use crate::table::{BASE, Command, Ctx, Flags, Group, Outcome, Result, args, block, prose, string};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "config", arity: -2, group: Group::Server, since: "2.0.0",
        doc: prose!("Reads and changes the configuration.", "Depends on the subcommand"),
        subs: &[
            Command {
                name: "get", arity: -3, group: Group::Server, since: "2.0.0",
                flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                args: args![string("parameter").multiple()],
                reply: "map<bulk,bulk>",
                doc: prose!("The values of the parameters that match a pattern.", "O(N), N the number of patterns"),
                run: get,
                ..BASE
            },
            Command {
                name: "set", arity: -4, group: Group::Server, since: "2.0.0",
                flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                args: args![block("data", args![string("parameter"), string("value")]).multiple()],
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Changes parameters, all of them or none.", "O(N), N the number of parameters"),
                run: set,
                ..BASE
            },
            Command {
                name: "resetstat", arity: 2, group: Group::Server, since: "2.0.0",
                flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Sets the counters that INFO shows to zero.", "O(1)"),
                run: resetstat,
                ..BASE
            },
            Command {
                name: "rewrite", arity: 2, group: Group::Server, since: "2.8.0",
                flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Writes the present values to the configuration file.", "O(1)"),
                run: rewrite,
                ..BASE
            },
            Command {
                name: "help", arity: 2, group: Group::Server, since: "5.0.0",
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

fn get(ctx: &mut Ctx) -> Result {
    // A name without a wildcard is answered as it was written.
    let mut found: Vec<(Found, &[u8])> = Vec::new();
    for &pattern in ctx.args.iter().skip(2) {
        let is_pattern = pattern.iter().any(|byte| b"*?[".contains(byte));
        if is_pattern {
            let matching = config::names().filter(|candidate| {
                !candidate.parameter().is(HIDDEN)
                    && glob::matches_nocase(pattern, candidate.name().as_bytes())
            });
            for candidate in matching {
                if !found.iter().any(|(other, _)| *other == candidate) {
                    found.push((candidate, candidate.name().as_bytes()));
                }
            }
        } else if let Some(candidate) = config::find(pattern)
            && !found.iter().any(|(other, _)| *other == candidate)
        {
            found.push((candidate, pattern));
        }
    }
    ctx.reply.map(found.len());
    for (candidate, name) in found {
        ctx.reply.bulk(name);
        ctx.reply.bulk(&ctx.server.config.shown(candidate.index));
    }
    Ok(Outcome::Done)
}

fn refused(name: &[u8], why: &[u8]) -> Error {
    Error::concat(&[
        b"ERR CONFIG SET failed (possibly related to argument '",
        name,
        b"') - ",
        why,
    ])
}

/// The parameters of CONFIG SET; the first name that cannot be set is the error.
fn targets(ctx: &Ctx) -> core::result::Result<Vec<Found>, Error> {
    let mut targets: Vec<Found> = Vec::new();
    for name in ctx.args.iter().skip(2).step_by(2) {
        let Some(found) = config::find(name) else {
            return Err(Error::concat(&[
                b"ERR Unknown option or number of arguments for CONFIG SET - '",
                name,
                b"'",
            ]));
        };
        if found.parameter().is(IMMUTABLE) {
            return Err(refused(name, b"can't set immutable config"));
        }
        let is_open = ctx.server.config.value("enable-protected-configs") != b"no";
        if found.parameter().is(PROTECTED) && !is_open {
            return Err(refused(name, b"can't set protected config"));
        }
        if targets.contains(&found) {
            return Err(refused(name, b"duplicate parameter"));
        }
        targets.push(found);
    }
    Ok(targets)
}

fn set(ctx: &mut Ctx) -> Result {
    if !ctx.args.len().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    let targets = targets(ctx)?;
    let mut values = Vec::new();
    for (index, found) in targets.iter().enumerate() {
        let text = ctx.arg(3 + index * 2);
        let value = ctx.server.config.check(found.index, text);
        values.push(value.map_err(|why| refused(ctx.arg(2 + index * 2), &why))?);
    }
    // It is turned on where it was off, and only where the host can keep it.
    let is_on = ctx.server.config.value("appendonly") == b"yes";
    let switch = targets.iter().zip(&values).position(|(found, value)| {
        found.parameter().name == "appendonly" && (value == b"yes") != is_on
    });
    if let Some(at) = switch
        && !is_on
        && ctx.server.aof.storage != Storage::Aof
    {
        let why = b"Unable to turn on AOF. Check server logs.";
        return Err(refused(ctx.arg(2 + at * 2), why));
    }
    let mut has_password = false;
    for (found, value) in targets.iter().zip(values) {
        has_password |= found.parameter().name == "requirepass";
        if found.parameter().is(HOST) {
            let name = found.parameter().name.as_bytes();
            ctx.server.request(&[b"config", name, &value]);
        }
        ctx.server.config.set(found.index, value);
    }
    if switch.is_some() {
        ctx.server.turn_aof(!is_on, ctx.now_ms);
    }
    ctx.server.config.apply_to(ctx.keys);
    if has_password {
        let password = &ctx.server.config.requirepass;
        ctx.server.users.set_default_password(password);
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn resetstat(ctx: &mut Ctx) -> Result {
    let rows = ctx.server.stats.by_command.len();
    ctx.server.stats = Stats {
        by_command: vec![CommandStats::default(); rows],
        ..Stats::default()
    };
    ctx.keys.stats = KeyStats::default();
    ctx.server.users.log.denied = Default::default();
    #[cfg(feature = "scripting")]
    {
        ctx.server.scripts.evicted = 0;
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn rewrite(ctx: &mut Ctx) -> Result {
    let config = &ctx.server.config;
    let Some((_, old)) = &config.file else {
        return Err(Error::new(
            "ERR The server is running without a config file",
        ));
    };
    // With an ACL file they stand there.
    let users: Vec<Vec<u8>> = match config.value("aclfile").is_empty() {
        true => ctx.server.users.lines().collect(),
        false => Vec::new(),
    };
    let text = config.rewrite(old, &users);
    ctx.server.request(&[b"config-rewrite", &text]);
    if let Some((_, old)) = &mut ctx.server.config.file {
        *old = text;
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn help(ctx: &mut Ctx) -> Result {
    ctx.help(
        "config",
        &[
            "GET <pattern>",
            "    Return parameters matching the glob-like <pattern> and their values.",
            "SET <directive> <value>",
            "    Set the configuration <directive> to <value>.",
            "RESETSTAT",
            "    Reset statistics reported by the INFO command.",
            "REWRITE",
            "    Rewrite the configuration file.",
        ],
    )
}
