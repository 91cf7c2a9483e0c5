//! DEBUG: what test suites ask of a server. Not available unless `enable-debug-command` says so.

use super::VERSION;
use super::digest::{digest, digest_value};
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num;
use crate::formats::objects;
use crate::keyspace::{Expiry, Keyspace};
use crate::resp::{Encoding, Error, Reply};
use crate::state::{Block, TimeoutReply};
use crate::structures::quicklist::{NodeRef, Quicklist};
use crate::table::{BASE, Command, Ctx, Flags, Group, Outcome, Result, prose};
use crate::values::list::ListRef;
use crate::values::{Entry, Kind, Limits};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "debug", arity: -2, group: Group::Server, since: "1.0.0",
        flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
        reply: "any",
        doc: prose!("Looks inside the server and plays tricks on it, for tests.", "Depends on the subcommand"),
        is_system: true,
        run: debug,
        ..BASE
    },
];

/// A subcommand: its name, how many arguments it takes (name and itself included), and what it does.
type Sub = (
    &'static str,
    core::ops::RangeInclusive<usize>,
    fn(&mut Ctx) -> Result,
);

const ANY: usize = usize::MAX;

const SUBS: &[Sub] = &[
    ("aof-flush-sleep", 3..=3, ok),
    ("change-repl-id", 2..=2, change_repl_id),
    ("client-eviction", 2..=2, client_eviction),
    ("dict-resizing", 3..=3, ok),
    ("digest", 2..=2, digest),
    ("digest-value", 2..=ANY, digest_value),
    ("error", 3..=3, error),
    ("help", 2..=2, help),
    ("htstats", 3..=4, htstats),
    ("htstats-key", 3..=4, htstats_key),
    ("keysizes-hist-assert", 3..=3, ok),
    ("leak", 3..=3, ok),
    ("listpack", 3..=3, listpack),
    ("loadaof", 2..=ANY, loadaof),
    ("log", 3..=3, log),
    ("mark-internal-client", 2..=3, ok),
    ("object", 3..=3, object),
    ("pause-cron", 3..=3, pause_cron),
    ("populate", 3..=5, populate),
    ("protocol", 3..=3, protocol),
    ("quicklist", 3..=4, quicklist),
    ("quicklist-packed-threshold", 3..=3, packed_threshold),
    ("reload", 2..=ANY, reload),
    ("repl-pause", 3..=3, ok),
    ("replicate", 3..=ANY, ok),
    ("replybuffer", 4..=4, replybuffer),
    ("script", 3..=3, ok),
    ("sdslen", 3..=3, sdslen),
    ("set-active-expire", 3..=3, set_active_expire),
    ("set-disable-deny-scripts", 3..=3, ok),
    ("sleep", 3..=3, sleep),
    ("stringmatch-test", 2..=2, stringmatch_test),
    ("structsize", 2..=2, structsize),
];

fn debug(ctx: &mut Ctx) -> Result {
    let word = ctx.arg(1);
    let sub = SUBS.iter().find(|(name, counts, _)| {
        word.is_word(name.as_bytes()) && counts.contains(&ctx.args.len())
    });
    match sub {
        Some((_, _, run)) => run(ctx),
        None => Err(ctx.unknown_subcommand("DEBUG")),
    }
}

/// For switches of mechanisms that are not here.
#[inline(never)]
fn ok(ctx: &mut Ctx) -> Result {
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// A switch as C's `atoi` reads it: on unless it is a number that is 0, or no number.
fn switch(ctx: &Ctx) -> bool {
    let text = ctx.arg(2);
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let number = digits.iter().take_while(|byte| byte.is_ascii_digit());
    number.into_iter().any(|digit| *digit != b'0')
}

fn change_repl_id(ctx: &mut Ctx) -> Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    ctx.server.replication_id = (0..40)
        .map(|_| DIGITS[(ctx.rng.next_u64() & 15) as usize])
        .collect();
    ok(ctx)
}

fn client_eviction(ctx: &mut Ctx) -> Result {
    match ctx.server.config.value("maxmemory-clients") {
        b"0" => Err(Error::new("ERR maxmemory-clients is disabled.")),
        _ => ok(ctx),
    }
}

fn error(ctx: &mut Ctx) -> Result {
    Err(Error::of_bytes(ctx.arg(2).owned()))
}

fn log(ctx: &mut Ctx) -> Result {
    let text = [b"DEBUG LOG: ", ctx.arg(2)].concat();
    ctx.server.request(&[b"log", b"warning", &text]);
    ok(ctx)
}

/// The entry a subcommand is about.
#[inline(never)]
fn entry<'a>(keys: &'a Keyspace, key: &[u8]) -> core::result::Result<Entry<'a>, Error> {
    keys.peek(key).ok_or(Error::NO_SUCH_KEY)
}

fn htstats(ctx: &mut Ctx) -> Result {
    let db = usize::try_from(ctx.integer(2)?).ok();
    let Some(table) = db.and_then(|db| ctx.keys.db(db)) else {
        return Err(Error::new("ERR Out of range database"));
    };
    let mut text = Vec::new();
    let dictionaries: [(&[u8], usize, usize); 2] = [
        (b"[Dictionary HT]\n", table.len(), table.slot_count()),
        (
            b"[Expires HT]\n",
            table.volatile_len(),
            table.volatile_len().next_power_of_two(),
        ),
    ];
    for (title, elements, slots) in dictionaries {
        text.put(title);
        if elements > 0 {
            write_table_stats(&mut text, elements, slots);
        }
    }
    ctx.reply.verbatim("txt", &text);
    Ok(Outcome::Done)
}

fn write_table_stats(text: &mut Vec<u8>, elements: usize, slots: usize) {
    text.put(b"Hash table 0 stats (main hash table):\n table size: ");
    num::write_u64(text, slots as u64);
    text.put(b"\n number of elements: ");
    num::write_u64(text, elements as u64);
    text.push(b'\n');
}

fn htstats_key(ctx: &mut Ctx) -> Result {
    /// The smallest table Redis makes; the others are powers of two too.
    const LEAST_SLOTS: usize = 4;
    let entry = entry(ctx.keys, ctx.arg(2))?;
    let elements = match entry.kind() {
        Kind::SetTable => entry.set().map(|set| set.len()),
        Kind::HashTable => entry.hash().map(|hash| hash.len()),
        Kind::SortedSetTree => entry.sorted_set().map(|sorted_set| sorted_set.len()),
        _ => None,
    };
    let elements = elements.ok_or(Error::new(
        "ERR The value stored at the specified key is not represented using an hash table",
    ))?;
    let mut text = Vec::new();
    let slots = elements.next_power_of_two().max(LEAST_SLOTS);
    write_table_stats(&mut text, elements, slots);
    ctx.reply.verbatim("txt", &text);
    Ok(Outcome::Done)
}

/// There is no output for a structure to be printed on; whether the key has it is still told.
fn listpack(ctx: &mut Ctx) -> Result {
    match entry(ctx.keys, ctx.arg(2))?.encoding() {
        "listpack" | "listpackex" => {
            ctx.reply.status("Listpack structure printed on stdout");
            Ok(Outcome::Done)
        }
        _ => Err(Error::new("ERR Not a listpack encoded object.")),
    }
}

fn quicklist(ctx: &mut Ctx) -> Result {
    match entry(ctx.keys, ctx.arg(2))?.encoding() {
        "quicklist" => {
            ctx.reply.status("Quicklist structure printed on stdout");
            Ok(Outcome::Done)
        }
        _ => Err(Error::new("ERR Not a quicklist encoded object.")),
    }
}

/// A status line of names and numbers behind `line`.
#[inline(never)]
fn status_of(reply: &mut Reply, mut line: Vec<u8>, facts: &[(&[u8], u64)]) -> Result {
    put_facts(&mut line, facts);
    reply.status_bytes(&line);
    Ok(Outcome::Done)
}

fn put_facts(line: &mut Vec<u8>, facts: &[(&[u8], u64)]) {
    for (name, value) in facts {
        line.put(name);
        num::write_u64(line, *value);
    }
}

fn sdslen(ctx: &mut Ctx) -> Result {
    let entry = entry(ctx.keys, ctx.arg(2))?;
    let text = match entry.string() {
        Some(string) if entry.encoding() != "int" => string.to_vec(),
        _ => return Err(Error::new("ERR Not an sds encoded string.")),
    };
    let key_bytes = entry.key().len() as u64;
    let sizes: [(&[u8], u64); 6] = [
        (b"key_sds_len:", key_bytes),
        (b", key_sds_avail:", 0),
        (b", key_zmalloc: ", entry.view().memory_bytes() as u64),
        (b", val_sds_len:", text.len() as u64),
        (b", val_sds_avail:", 0),
        (b", val_zmalloc: ", entry.memory_bytes() as u64),
    ];
    status_of(ctx.reply, Vec::new(), &sizes)
}

fn object(ctx: &mut Ctx) -> Result {
    let entry = entry(ctx.keys, ctx.arg(2))?;
    let mut serialized = Vec::new();
    let is_compressed = ctx.server.config.value("rdbcompression") == b"yes";
    let mut compressor = is_compressed.then(crate::algorithms::lzf::Compressor::new);
    objects::write(&mut serialized, &entry, compressor.as_mut());
    let clock = entry.view().clock();
    let idle_s = ((ctx.now_ms / 1000) as u32).wrapping_sub(clock);
    let mut line = b"Value at:0x0 refcount:1 encoding:".owned();
    line.put(entry.encoding().as_bytes());
    let facts: [(&[u8], u64); 3] = [
        (b" serializedlength:", serialized.len() as u64),
        (b" lru:", u64::from(clock & 0xff_ffff)),
        (b" lru_seconds_idle:", u64::from(idle_s)),
    ];
    let mut nodes = Vec::new();
    if let Some(ListRef::Linked(list)) = entry.list() {
        let limits = &ctx.keys.limits;
        write_nodes(&mut nodes, list, limits);
    }
    put_facts(&mut line, &facts);
    line.put(&nodes);
    ctx.reply.status_bytes(&line);
    Ok(Outcome::Done)
}

/// What a quicklist is made of.
fn write_nodes(line: &mut Vec<u8>, list: &Quicklist, limits: &Limits) {
    let bytes = list.nodes().map(|node| match node {
        NodeRef::Packed(pack) => pack.as_bytes().len(),
        NodeRef::Plain(text) => text.len(),
    });
    line.put(b" ql_nodes:");
    num::write_u64(line, list.node_count() as u64);
    line.put(b" ql_avg_node:");
    num::write_fixed(line, list.len() as f64 / list.node_count() as f64, 2);
    line.put(b" ql_listpack_max:");
    num::write_i64(line, i64::from(limits.list_max_listpack_size));
    let facts: [(&[u8], u64); 2] = [
        (
            b" ql_compressed:",
            u64::from(limits.list_compress_depth != 0),
        ),
        (b" ql_uncompressed_size:", bytes.sum::<usize>() as u64),
    ];
    put_facts(line, &facts);
}

fn pause_cron(ctx: &mut Ctx) -> Result {
    ctx.server.is_cron_paused = switch(ctx);
    ok(ctx)
}

fn populate(ctx: &mut Ctx) -> Result {
    let positive = |at: usize| {
        let number = ctx.integer(at).ok().filter(|number| *number >= 0);
        number.ok_or(Error::new("ERR value is out of range, must be positive"))
    };
    let count = positive(2)?;
    let prefix = if ctx.args.len() > 3 {
        ctx.arg(3)
    } else {
        b"key"
    };
    let size = if ctx.args.len() > 4 { positive(4)? } else { 0 };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size as u128 > ctx.server.config.proto_max_bulk_len_bytes as u128 {
        return Err(Error::STRING_TOO_LONG);
    }
    for number in 0..count {
        let digits = num::format_i64(number);
        let key = [prefix, b":", digits.as_bytes()].concat();
        if ctx.keys.peek(&key).is_none() {
            let mut value = [b"value:", digits.as_bytes()].concat();
            if size > 0 {
                value.resize(size, 0);
            }
            ctx.keys.set_string(&key, &value, Expiry::Clear);
        }
    }
    ok(ctx)
}

fn protocol(ctx: &mut Ctx) -> Result {
    let reply = &mut *ctx.reply;
    match ctx.args[2].to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk_str("Hello World"),
        b"integer" => reply.int(12345),
        b"double" => reply.double(3141.0 / 1000.0),
        b"null" => reply.nil(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.int(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.int(number));
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.int(number);
                reply.bool(number == 1);
            }
        }
        b"attrib" => {
            if reply.is_resp3() {
                reply.attribute(1);
                reply.bulk_str("key-popularity");
                reply.array(2);
                reply.bulk_str("key:123");
                reply.int(90);
            }
            reply.bulk_str("Some real reply following the attribute");
        }
        b"push" => return push(ctx),
        b"bignum" => reply.big_number(b"1234567999999999999999999999999999999"),
        b"true" => reply.bool(true),
        b"false" => reply.bool(false),
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        _ => {
            return Err(Error::new(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(Outcome::Done)
}

fn push(ctx: &mut Ctx) -> Result {
    if !ctx.reply.is_resp3() {
        return Err(Error::new("ERR RESP2 is not supported by this command"));
    }
    let write = |reply: &mut Reply| {
        reply.push(2);
        reply.bulk_str("server-cpu-usage");
        reply.int(42);
    };
    ctx.reply
        .bulk_str("Some real reply following the push reply");
    match ctx.reply.encoding() {
        Encoding::Wire => write(ctx.reply),
        Encoding::Cells => ctx.session.send(false, write),
    }
    Ok(Outcome::Done)
}

fn packed_threshold(ctx: &mut Ctx) -> Result {
    match num::parse_memory(ctx.arg(2)) {
        Some(bytes @ 0..=0xfff0_0000) => {
            ctx.keys.limits.list_packed_threshold_bytes = bytes as usize;
            ok(ctx)
        }
        _ => Err(Error::new(
            "ERR argument must be a memory value bigger than 1 and smaller than 4gb",
        )),
    }
}

fn reload(ctx: &mut Ctx) -> Result {
    for option in ctx.args.iter().skip(2) {
        if !["merge", "noflush", "nosave"]
            .iter()
            .any(|word| option.is_word(word.as_bytes()))
        {
            return Err(Error::new(
                "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
            ));
        }
    }
    if ctx.args.len() > 2 {
        return Err(Error::new(
            "ERR DEBUG RELOAD takes no options on this server",
        ));
    }
    Ok(Outcome::Reload { is_save: true })
}

/// What the append-only file holds is what there is.
fn loadaof(_: &mut Ctx) -> Result {
    Ok(Outcome::Reload { is_save: false })
}

fn replybuffer(ctx: &mut Ctx) -> Result {
    let what = ctx.arg(2);
    if what.is_word(b"resizing") {
        return ok(ctx);
    }
    if !what.is_word(b"peak-reset-time") {
        return Err(ctx.unknown_subcommand("DEBUG"));
    }
    let is_word = ["never", "reset"]
        .iter()
        .any(|word| ctx.arg(3).is_word(word.as_bytes()));
    if !is_word {
        ctx.integer(3)?;
    }
    ok(ctx)
}

fn set_active_expire(ctx: &mut Ctx) -> Result {
    ctx.server.config.is_active_expire = switch(ctx);
    ok(ctx)
}

/// Stops the server for all clients: this one gets its reply at the end, the others are not heard until then.
fn sleep(ctx: &mut Ctx) -> Result {
    let ms = num::parse_f64(ctx.arg(2)).unwrap_or(0.0) * 1000.0;
    if ms.is_nan() || ms < 1.0 {
        return ok(ctx);
    }
    ctx.server.spent_usec = (ms * 1000.0) as u64;
    let until_ms = ctx.now_ms.saturating_add(ms as i64);
    ctx.server.paused_until_ms = ctx.server.paused_until_ms.max(until_ms);
    ctx.server.pause_writes_only = false;
    Ok(Outcome::Block(Box::new(Block::on_time(
        Some(until_ms),
        TimeoutReply::Ok,
    ))))
}

fn stringmatch_test(ctx: &mut Ctx) -> Result {
    /// Enough to try every branch many times, and over in a few milliseconds.
    const TRIES: usize = 10_000;
    for _ in 0..TRIES {
        let mut random = |bytes: &mut [u8]| {
            let length = (ctx.rng.next_u64() % bytes.len() as u64) as usize;
            bytes
                .iter_mut()
                .for_each(|byte| *byte = b"*?[]-^\\ab\0"[(ctx.rng.next_u64() % 10) as usize]);
            length
        };
        let (mut pattern, mut text) = ([0; 16], [0; 16]);
        let (pattern_bytes, text_bytes) = (random(&mut pattern), random(&mut text));
        crate::algorithms::glob::matches(&pattern[..pattern_bytes], &text[..text_bytes]);
    }
    ctx.reply
        .status("Apparently Redis did not crash: test passed");
    Ok(Outcome::Done)
}

fn structsize(ctx: &mut Ctx) -> Result {
    let mut line = b"bits:".owned();
    num::write_u64(&mut line, u64::from(usize::BITS));
    line.put(b" version:");
    line.put(VERSION.as_bytes());
    ctx.reply.status_bytes(&line);
    Ok(Outcome::Done)
}

fn help(ctx: &mut Ctx) -> Result {
    ctx.help("debug", HELP)
}

const HELP: &[&str] = &[
    "CHANGE-REPL-ID",
    "    Take a new replication id.",
    "DIGEST",
    "    Reply a digest of all data.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Reply a digest of each value.",
    "ERROR <string>",
    "    Reply <string> as an error.",
    "HTSTATS <dbid>",
    "    Tell about the hash table of a database.",
    "LOG <message>",
    "    Write <message> to the host's log.",
    "OBJECT <key>",
    "    Tell how a value is stored.",
    "PAUSE-CRON <0|1>",
    "    Stop or resume what happens by time: expiry and saves.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create <count> strings called <prefix>:<number>.",
    "PROTOCOL <type>",
    "    Reply a value of the type: string, integer, double, bignum, null, array, set, map,",
    "    attrib, push, verbatim, true, false.",
    "RELOAD",
    "    Save the data and load it again.",
    "SDSLEN <key>",
    "    Tell the sizes of a key and of its string.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Leave expired keys alone until they are asked for, or not.",
    "SLEEP <seconds>",
    "    Stop the server for so long. Decimals allowed.",
    "STRINGMATCH-TEST",
    "    Try random patterns on random texts.",
];
