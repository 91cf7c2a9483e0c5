//! OBJECT: how values are kept.

use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, key, prose,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "object", arity: -2, group: Group::Generic, since: "2.2.3",
        reply: "any",
        doc: prose!("Tells how the value of a key is kept.", "O(1)"),
        subs: &[
            Command {
                name: "encoding", arity: 3, group: Group::Generic, since: "2.2.3",
                flags: Flags::READONLY, acl: Acl::KEYSPACE,
                keys: &[KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::RO)],
                args: args![key("key")],
                tips: &["nondeterministic_output"],
                reply: "bulk | nil",
                doc: prose!("The form in which the value of a key is kept.", "O(1)"),
                run: encoding, ..BASE
            },
            Command {
                name: "freq", arity: 3, group: Group::Generic, since: "4.0.0",
                flags: Flags::READONLY, acl: Acl::KEYSPACE,
                keys: &[KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::RO)],
                args: args![key("key")],
                tips: &["nondeterministic_output"],
                reply: "int | nil",
                doc: prose!("How often a key was used lately, on a logarithmic scale up to 255.", "O(1)"),
                run: freq, ..BASE
            },
            Command {
                name: "idletime", arity: 3, group: Group::Generic, since: "2.2.3",
                flags: Flags::READONLY, acl: Acl::KEYSPACE,
                keys: &[KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::RO)],
                args: args![key("key")],
                tips: &["nondeterministic_output"],
                reply: "int | nil",
                doc: prose!("Seconds since a key was used last.", "O(1)"),
                run: idletime, ..BASE
            },
            Command {
                name: "refcount", arity: 3, group: Group::Generic, since: "2.2.3",
                flags: Flags::READONLY, acl: Acl::KEYSPACE,
                keys: &[KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::RO)],
                args: args![key("key")],
                tips: &["nondeterministic_output"],
                reply: "int | nil",
                doc: prose!("How many keys share the value of a key: only the key itself.", "O(1)"),
                run: refcount, ..BASE
            },
            Command {
                name: "help", arity: 2, group: Group::Generic, since: "6.2.0",
                flags: Flags::LOADING | Flags::STALE, acl: Acl::KEYSPACE,
                reply: "[simple]",
                doc: prose!("Lists the subcommands.", "O(1)"),
                run: help, ..BASE
            },
        ],
        ..BASE
    },
];

fn encoding(ctx: &mut Ctx) -> Result {
    match ctx.keys.examine(ctx.arg(2)) {
        Some(entry) => ctx.reply.bulk_str(entry.encoding()),
        None => ctx.reply.nil(),
    }
    Ok(Outcome::Done)
}

fn freq(ctx: &mut Ctx) -> Result {
    if ctx.keys.examine(ctx.arg(2)).is_none() {
        ctx.reply.nil();
        return Ok(Outcome::Done);
    }
    let frequency = ctx.keys.frequency(ctx.arg(2)).ok_or(Error::new(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching \
         between policies at runtime LRU and LFU data will take some time to adjust.",
    ))?;
    ctx.reply.int(i64::from(frequency));
    Ok(Outcome::Done)
}

fn idletime(ctx: &mut Ctx) -> Result {
    if ctx.keys.examine(ctx.arg(2)).is_none() {
        ctx.reply.nil();
        return Ok(Outcome::Done);
    }
    let idle_s = ctx.keys.idle_s(ctx.arg(2)).ok_or(Error::new(
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between \
         policies at runtime LRU and LFU data will take some time to adjust.",
    ))?;
    ctx.reply.int(i64::from(idle_s));
    Ok(Outcome::Done)
}

fn refcount(ctx: &mut Ctx) -> Result {
    match ctx.keys.examine(ctx.arg(2)) {
        Some(_) => ctx.reply.int(1),
        None => ctx.reply.nil(),
    }
    Ok(Outcome::Done)
}

fn help(ctx: &mut Ctx) -> Result {
    ctx.help(
        "object",
        &[
            "ENCODING <key>",
            "    Return the kind of internal representation used in order to store the value",
            "    associated with a <key>.",
            "FREQ <key>",
            "    Return the access frequency index of the <key>. The returned integer is",
            "    proportional to the logarithm of the recent access frequency of the key.",
            "IDLETIME <key>",
            "    Return the idle time of the <key>, that is the approximated number of",
            "    seconds elapsed since the last access to the key.",
            "REFCOUNT <key>",
            "    Return the number of references of the value associated with the specified",
            "    <key>.",
        ],
    )
}
