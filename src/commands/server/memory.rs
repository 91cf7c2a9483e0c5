//! MEMORY: where the bytes are.

use super::info::write_human;
use crate::algorithms::bytes::{Append, Bytes};
use crate::resp::{Error, Reply};
use crate::table::{
    BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, integer, key, prose,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "memory", arity: -2, group: Group::Server, since: "4.0.0",
        doc: prose!("Tells where memory goes.", "Depends on the subcommand"),
        subs: &[
            Command {
                name: "usage", arity: -3, group: Group::Server, since: "4.0.0",
                flags: Flags::READONLY,
                keys: &[KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::RO)],
                args: args![key("key"), integer("count").token("SAMPLES").optional()],
                reply: "int | nil",
                doc: prose!("The bytes a key and its value take.", "O(1)"),
                run: usage,
                ..BASE
            },
            Command {
                name: "stats", arity: 2, group: Group::Server, since: "4.0.0",
                tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
                reply: "map<bulk,any>",
                doc: prose!("How much memory is used for what.", "O(1)"),
                run: stats,
                ..BASE
            },
            Command {
                name: "doctor", arity: 2, group: Group::Server, since: "4.0.0",
                tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
                reply: "any",
                doc: prose!("Says in words whether something is wrong with the memory.", "O(1)"),
                run: doctor,
                ..BASE
            },
            Command {
                name: "malloc-stats", arity: 2, group: Group::Server, since: "4.0.0",
                tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
                reply: "any",
                doc: prose!("What the allocator counts.", "O(1)"),
                run: malloc_stats,
                ..BASE
            },
            Command {
                name: "purge", arity: 2, group: Group::Server, since: "4.0.0",
                tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Asks the allocator to give memory back; there is nothing it could give.", "O(1)"),
                run: purge,
                ..BASE
            },
            Command {
                name: "help", arity: 2, group: Group::Server, since: "4.0.0",
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

fn usage(ctx: &mut Ctx) -> Result {
    // SAMPLES bounds the work for large values; here it is exact without.
    let options = &mut ctx.options(3);
    while !options.is_done() {
        if !options.take("samples") || options.is_done() {
            return Err(Error::SYNTAX);
        }
        if options.integer()? < 0 {
            return Err(Error::SYNTAX);
        }
    }
    match ctx.keys.peek(ctx.arg(2)).map(|entry| entry.memory_bytes()) {
        Some(bytes) => ctx.reply.count(bytes),
        None => ctx.reply.nil(),
    }
    Ok(Outcome::Done)
}

/// A number under each of the names, which stand between bars.
#[inline(never)]
fn count(reply: &mut Reply, names: &str, value: u64) {
    for name in names.split('|') {
        reply.bulk_str(name);
        reply.int(value as i64);
    }
}

#[inline(never)]
fn double(reply: &mut Reply, name: &str, value: f64) {
    reply.bulk_str(name);
    reply.double(value);
}

fn stats(ctx: &mut Ctx) -> Result {
    let used = ctx.keys.used_bytes();
    ctx.server.note_memory(used, ctx.now_ms);
    let peak = ctx.server.peak_bytes;
    let overhead = ctx.keys.index_bytes();
    let dbs: Vec<(usize, usize, usize)> = (0..ctx.keys.db_count())
        .filter_map(|db| Some((db, ctx.keys.db(db)?)))
        .filter(|(_, table)| !table.is_empty())
        .map(|(db, table)| (db, table.index_bytes(), table.len()))
        .collect();
    let keys: u64 = dbs.iter().map(|(_, _, keys)| *keys as u64).sum();
    let dataset = used - overhead;
    let percent = |part: u64, whole: u64| {
        if whole == 0 {
            0.0
        } else {
            part as f64 * 100.0 / whole as f64
        }
    };
    let scripting = ctx.server.scripting_memory();
    let reply = &mut *ctx.reply;
    reply.map(33 + dbs.len());
    count(reply, "peak.allocated", peak);
    count(reply, "total.allocated", used);
    count(
        reply,
        "startup.allocated|replication.backlog|replica.fullsync.buffer|clients.slaves|clients.normal|cluster.links|\
         aof.buffer",
        0,
    );
    count(reply, "lua.caches", scripting.scripts as u64);
    count(reply, "functions.caches", scripting.functions as u64);
    count(reply, "script.VMs", scripting.machines() as u64);
    for (db, index_bytes, _) in &dbs {
        reply.bulk(
            &[
                b"db.",
                crate::algorithms::num::format_i64(*db as i64).as_bytes(),
            ]
            .concat(),
        );
        reply.map(2);
        count(reply, "overhead.hashtable.main", *index_bytes as u64);
        count(reply, "overhead.hashtable.expires", 0);
    }
    count(reply, "overhead.db.hashtable.lut", overhead);
    count(reply, "overhead.db.hashtable.rehashing", 0);
    count(reply, "overhead.total", overhead);
    count(reply, "db.dict.rehashing.count", 0);
    count(reply, "keys.count", keys);
    count(
        reply,
        "keys.bytes-per-key",
        used.checked_div(keys).unwrap_or(0),
    );
    count(reply, "dataset.bytes", dataset);
    double(reply, "dataset.percentage", percent(dataset, used));
    double(reply, "peak.percentage", percent(used, peak));
    count(
        reply,
        "allocator.allocated|allocator.active|allocator.resident",
        used,
    );
    count(reply, "allocator.muzzy", 0);
    for (ratio, bytes) in [
        (
            "allocator-fragmentation.ratio",
            "allocator-fragmentation.bytes",
        ),
        ("allocator-rss.ratio", "allocator-rss.bytes"),
        ("rss-overhead.ratio", "rss-overhead.bytes"),
    ] {
        double(reply, ratio, 1.0);
        count(reply, bytes, 0);
    }
    double(reply, "fragmentation", 1.0);
    count(reply, "fragmentation.bytes", 0);
    Ok(Outcome::Done)
}

fn doctor(ctx: &mut Ctx) -> Result {
    /// With less there is nothing to say (Redis: 5 MB).
    const SMALL_BYTES: u64 = 5 << 20;
    let used = ctx.keys.used_bytes();
    let peak = ctx.server.peak_bytes;
    let text: &[u8] = match used {
        0..SMALL_BYTES => b"There is hardly any data here, so there is nothing to find. Come back with more.\n",
        _ if peak > used + used / 2 => {
            b"Memory use was more than half as high again at its peak as it is now. WebAssembly memory never shrinks: \
              what was freed serves the keys to come.\n"
        }
        _ => b"Nothing unusual was found.\n",
    };
    ctx.reply.verbatim("txt", text);
    Ok(Outcome::Done)
}

fn malloc_stats(ctx: &mut Ctx) -> Result {
    let mut text = b"Slab allocator, exact: ".owned();
    write_human(&mut text, ctx.keys.used_bytes());
    text.put(b" in use, ");
    write_human(&mut text, ctx.keys.index_bytes());
    text.put(b" of them index\n");
    ctx.reply.verbatim("txt", &text);
    Ok(Outcome::Done)
}

fn purge(ctx: &mut Ctx) -> Result {
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn help(ctx: &mut Ctx) -> Result {
    ctx.help(
        "memory",
        &[
            "DOCTOR",
            "    Return memory problems reports.",
            "MALLOC-STATS",
            "    Return internal statistics report from the memory allocator.",
            "PURGE",
            "    Attempt to purge dirty pages for reclamation by the allocator.",
            "STATS",
            "    Return information about the memory usage of the server.",
            "USAGE <key> [SAMPLES <count>]",
            "    Return memory in bytes used by <key> and its value. Nested values are",
            "    sampled up to <count> times (default: 5, 0 means sample all).",
        ],
    )
}
