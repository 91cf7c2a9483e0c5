//! Strings.
//!
//! <https://redis.io/docs/latest/develop/data-types/strings/>

pub mod conditional;
pub mod increx;
mod settings;

use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::lcs as subsequence;
use crate::algorithms::num::{self, LongDouble};
use crate::keyspace::{Class, Condition, Expiry, Updated};
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Deprecated, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args,
    block, double, flag, integer, key, oneof, prose, set_keys, string, unix_time,
};
use crate::values::Str;
use settings::{Accepts, Life, Moment, Settings};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "get", arity: 2, group: Group::String, since: "1.0.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key")],
        reply: "bulk | nil",
        doc: prose!("Returns the string at a key.", "O(1)"),
        run: get, ..BASE
    },
    Command {
        name: "set", arity: -3, group: Group::String, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0)
            .flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE | KeyFlags::VARIABLE_FLAGS)
            .note("RW and ACCESS due to the optional `GET` argument")],
        find_keys: Some(set_keys),
        args: args![
            key("key"), string("value"),
            oneof("condition", args![
                flag("NX"), flag("XX"),
                string("ifeq-value").token("IFEQ").since("8.4.0"),
                string("ifne-value").token("IFNE").since("8.4.0"),
                string("ifdeq-digest").token("IFDEQ").since("8.4.0"),
                string("ifdne-digest").token("IFDNE").since("8.4.0"),
            ]).optional().since("2.6.12"),
            flag("GET").optional().since("6.2.0"),
            oneof("expiration", args![
                integer("seconds").token("EX").since("2.6.12"),
                integer("milliseconds").token("PX").since("2.6.12"),
                unix_time("unix-time-seconds").token("EXAT").since("6.2.0"),
                unix_time("unix-time-milliseconds").token("PXAT").since("6.2.0"),
                flag("KEEPTTL").since("6.0.0"),
            ]).optional(),
        ],
        reply: "OK | bulk | nil",
        doc: prose!("Sets a key to a string, whatever it held; on conditions, with a time to live.", "O(1)"),
        run: set, ..BASE
    },
    Command {
        name: "setnx", arity: 3, group: Group::String, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::INSERT)],
        args: args![key("key"), string("value")],
        deprecated: Some(Deprecated { since: "2.6.12", replaced_by: "`SET` with the `NX` argument" }),
        reply: "int",
        doc: prose!("Sets a key to a string unless there is such a key.", "O(1)"),
        run: setnx, ..BASE
    },
    Command {
        name: "setex", arity: 4, group: Group::String, since: "2.0.0",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE)],
        args: args![key("key"), integer("seconds"), string("value")],
        deprecated: Some(Deprecated { since: "2.6.12", replaced_by: "`SET` with the `EX` argument" }),
        reply: "OK",
        doc: prose!("Sets a key to a string that lives so many seconds.", "O(1)"),
        run: setex, ..BASE
    },
    Command {
        name: "psetex", arity: 4, group: Group::String, since: "2.6.0",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE)],
        args: args![key("key"), integer("milliseconds"), string("value")],
        deprecated: Some(Deprecated { since: "2.6.12", replaced_by: "`SET` with the `PX` argument" }),
        reply: "OK",
        doc: prose!("Sets a key to a string that lives so many milliseconds.", "O(1)"),
        run: psetex, ..BASE
    },
    Command {
        name: "getset", arity: 3, group: Group::String, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![key("key"), string("value")],
        deprecated: Some(Deprecated { since: "6.2.0", replaced_by: "`SET` with the `!GET` argument" }),
        reply: "bulk | nil",
        doc: prose!("Sets a key to a string and returns the one before.", "O(1)"),
        run: getset, ..BASE
    },
    Command {
        name: "getdel", arity: 2, group: Group::String, since: "6.2.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
        args: args![key("key")],
        reply: "bulk | nil",
        doc: prose!("Returns the string at a key and deletes the key.", "O(1)"),
        run: getdel, ..BASE
    },
    Command {
        name: "getex", arity: -2, group: Group::String, since: "6.2.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0)
            .flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)
            .note("RW and UPDATE because it changes the TTL")],
        args: args![
            key("key"),
            oneof("expiration", args![
                integer("seconds").token("EX"),
                integer("milliseconds").token("PX"),
                unix_time("unix-time-seconds").token("EXAT"),
                unix_time("unix-time-milliseconds").token("PXAT"),
                flag("PERSIST"),
            ]).optional(),
        ],
        reply: "bulk | nil",
        doc: prose!("Returns the string at a key and changes how long the key lives.", "O(1)"),
        run: getex, ..BASE
    },
    Command {
        name: "mget", arity: -2, group: Group::String, since: "1.0.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(-1, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key").multiple()],
        tips: &["request_policy:multi_shard"],
        reply: "[bulk | nil]",
        doc: prose!("Returns the strings at several keys, nil where there is none.", "O(N), N the number of keys"),
        run: mget, ..BASE
    },
    Command {
        name: "mset", arity: -3, group: Group::String, since: "1.0.1",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(-1, 2, 0).flags(KeyFlags::OW | KeyFlags::UPDATE)],
        args: args![block("data", args![key("key"), string("value")]).multiple()],
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        reply: "OK",
        doc: prose!("Sets several keys to strings, all at once.", "O(N), N the number of keys"),
        run: mset, ..BASE
    },
    Command {
        name: "msetnx", arity: -3, group: Group::String, since: "1.0.1",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(-1, 2, 0).flags(KeyFlags::OW | KeyFlags::INSERT)],
        args: args![block("data", args![key("key"), string("value")]).multiple()],
        reply: "int",
        doc: prose!("Sets several keys to strings unless one of the keys is there already.", "O(N), N the number of keys"),
        run: msetnx, ..BASE
    },
    Command {
        name: "append", arity: 3, group: Group::String, since: "2.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::INSERT)],
        args: args![key("key"), string("value")],
        reply: "int",
        doc: prose!("Adds to the end of the string at a key; tells the new length.", "O(N), N the length of what is added, amortised"),
        run: append, ..BASE
    },
    Command {
        name: "strlen", arity: 2, group: Group::String, since: "2.2.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key")],
        reply: "int",
        doc: prose!("The length of the string at a key, in bytes.", "O(1)"),
        run: strlen, ..BASE
    },
    Command {
        name: "getrange", arity: 4, group: Group::String, since: "2.4.0",
        flags: Flags::READONLY, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), integer("start"), integer("end")],
        reply: "bulk",
        doc: prose!("A part of the string at a key, between two positions; negative ones count from the end.", "O(N), N the length of the part"),
        run: getrange, ..BASE
    },
    Command {
        name: "substr", arity: 4, group: Group::String, since: "1.0.0",
        flags: Flags::READONLY, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), integer("start"), integer("end")],
        deprecated: Some(Deprecated { since: "2.0.0", replaced_by: "`GETRANGE`" }),
        reply: "bulk",
        doc: prose!("The old name of GETRANGE.", "O(N), N the length of the part"),
        run: getrange, ..BASE
    },
    Command {
        name: "setrange", arity: 4, group: Group::String, since: "2.2.0",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key"), integer("offset"), string("value")],
        reply: "int",
        doc: prose!("Writes over a part of the string at a key, with zeros up to it if need be; tells the new length.", "O(N), N the length of what is written"),
        run: setrange, ..BASE
    },
    Command {
        name: "incr", arity: 2, group: Group::String, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![key("key")],
        reply: "int",
        doc: prose!("Adds one to the integer at a key, which starts at 0.", "O(1)"),
        run: incr, ..BASE
    },
    Command {
        name: "decr", arity: 2, group: Group::String, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![key("key")],
        reply: "int",
        doc: prose!("Takes one from the integer at a key, which starts at 0.", "O(1)"),
        run: decr, ..BASE
    },
    Command {
        name: "incrby", arity: 3, group: Group::String, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![key("key"), integer("increment")],
        reply: "int",
        doc: prose!("Adds to the integer at a key, which starts at 0.", "O(1)"),
        run: incrby, ..BASE
    },
    Command {
        name: "decrby", arity: 3, group: Group::String, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![key("key"), integer("decrement")],
        reply: "int",
        doc: prose!("Takes from the integer at a key, which starts at 0.", "O(1)"),
        run: decrby, ..BASE
    },
    Command {
        name: "incrbyfloat", arity: 3, group: Group::String, since: "2.6.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![key("key"), double("increment")],
        reply: "bulk",
        doc: prose!("Adds to the number at a key, which starts at 0 and may have a fraction.", "O(1)"),
        run: incrbyfloat, ..BASE
    },
    Command {
        name: "lcs", arity: -3, group: Group::String, since: "7.0.0",
        flags: Flags::READONLY, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(1, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key1"), key("key2"), flag("LEN").optional(), flag("IDX").optional(),
            integer("min-match-len").token("MINMATCHLEN").optional(), flag("WITHMATCHLEN").optional(),
        ],
        reply: "bulk | int | map<bulk,any>",
        doc: prose!("The longest sequence of bytes that two strings have in common, gaps allowed: itself, its length or its places.", "O(N*M), N and M the lengths of the strings"),
        run: lcs, ..BASE
    },
];

fn get(ctx: &mut Ctx) -> Result {
    reply_string(ctx)?;
    Ok(Outcome::Done)
}

/// Replies the string at the first argument; whether there is one.
#[inline]
fn reply_string(ctx: &mut Ctx) -> core::result::Result<bool, Error> {
    match ctx.keys.read_string(ctx.arg(1))? {
        Some(value) => {
            ctx.reply.bulk(&value.text());
            Ok(true)
        }
        None => {
            ctx.reply.nil();
            Ok(false)
        }
    }
}

fn set(ctx: &mut Ctx) -> Result {
    if ctx.args.len() > 3 {
        return set_with_options(ctx);
    }
    ctx.keys.set_string(ctx.arg(1), ctx.arg(2), Expiry::Clear);
    ctx.keys.notify(Class::STRING, "set", ctx.arg(1));
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn set_with_options(ctx: &mut Ctx) -> Result {
    let options = Settings::parse(ctx.options(3), Accepts::Set)?;
    let expiry = options.life.expiry(ctx, "set")?;
    let is_met = options.holds(ctx)?;
    if options.get {
        reply_string(ctx)?;
    }
    let is_set = is_met
        && ctx
            .keys
            .set_string_if(ctx.arg(1), ctx.arg(2), expiry, options.condition);
    match (is_set, options.get) {
        (_, true) => {}
        (true, false) => ctx.reply.ok(),
        (false, false) => ctx.reply.nil(),
    }
    if is_set {
        after_set(ctx, ctx.arg(2), expiry, options.get);
    }
    Ok(Outcome::Done)
}

/// Events and log of a SET; `get` stands among its arguments, and has no place in the log.
fn after_set(ctx: &mut Ctx, value: &[u8], expiry: Expiry, get: bool) {
    let key = ctx.arg(1);
    ctx.keys.notify(Class::STRING, "set", key);
    if let Expiry::At(at_ms) = expiry {
        ctx.keys.notify(Class::GENERIC, "expire", key);
        let at = num::format_i64(at_ms);
        ctx.propagate(&[b"SET", key, value, b"PXAT", at.as_bytes()]);
    } else if get {
        let (mut logged, mut is_value) = (Vec::new(), false);
        for (at, arg) in ctx.args.iter().copied().enumerate() {
            if at <= 2 || is_value || !arg.is_word(b"get") {
                logged.push(arg);
            }
            is_value = at > 2 && !is_value && settings::has_value(arg);
        }
        ctx.propagate(&logged);
    }
}

fn setnx(ctx: &mut Ctx) -> Result {
    let (key, value) = (ctx.arg(1), ctx.arg(2));
    let is_set = ctx
        .keys
        .set_string_if(key, value, Expiry::Clear, Condition::IfMissing);
    if is_set {
        ctx.keys.notify(Class::STRING, "set", key);
    }
    ctx.reply.int_bool(is_set);
    Ok(Outcome::Done)
}

fn setex(ctx: &mut Ctx) -> Result {
    set_for(ctx, Moment::Ex, "setex")
}

fn psetex(ctx: &mut Ctx) -> Result {
    set_for(ctx, Moment::Px, "psetex")
}

fn set_for(ctx: &mut Ctx, moment: Moment, command: &str) -> Result {
    let expiry = Life::Until(moment, ctx.arg(2)).expiry(ctx, command)?;
    ctx.keys.set_string(ctx.arg(1), ctx.arg(3), expiry);
    after_set(ctx, ctx.arg(3), expiry, false);
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn getset(ctx: &mut Ctx) -> Result {
    reply_string(ctx)?;
    let (key, value) = (ctx.arg(1), ctx.arg(2));
    ctx.keys.set_string(key, value, Expiry::Clear);
    ctx.keys.notify(Class::STRING, "set", key);
    ctx.propagate(&[b"SET", key, value]);
    Ok(Outcome::Done)
}

fn getdel(ctx: &mut Ctx) -> Result {
    if reply_string(ctx)? {
        delete(ctx, b"DEL");
    }
    Ok(Outcome::Done)
}

/// Deletes the key of a command that is logged as `word`.
fn delete(ctx: &mut Ctx, word: &[u8]) {
    let key = ctx.arg(1);
    ctx.keys.remove(key);
    ctx.keys.notify(Class::GENERIC, "del", key);
    ctx.propagate(&[word, key]);
}

fn getex(ctx: &mut Ctx) -> Result {
    let life = Settings::parse(ctx.options(2), Accepts::GetEx)?.life;
    let key = ctx.arg(1);
    let Some(value) = ctx.keys.read_string(key)? else {
        ctx.reply.nil();
        return Ok(Outcome::Done);
    };
    // A bad time is an error only where there is a value to be read.
    let until_ms = match life {
        Life::Until(moment, value) => Some(moment.at_ms(value, ctx.now_ms, "getex")?),
        _ => None,
    };
    ctx.reply.bulk(&value.text());
    match until_ms {
        Some(at_ms) if at_ms <= ctx.keys.now_ms() => {
            delete(ctx, ctx.deletion("lazyfree-lazy-expire"));
        }
        Some(at_ms) => {
            ctx.keys.set_expiry(key, Some(at_ms));
            ctx.keys.notify(Class::GENERIC, "expire", key);
            let at = num::format_i64(at_ms);
            ctx.propagate(&[b"PEXPIREAT", key, at.as_bytes()]);
        }
        None if life == Life::Persist && ctx.keys.set_expiry(key, None) => {
            ctx.keys.notify(Class::GENERIC, "persist", key);
            ctx.propagate(&[b"PERSIST", key]);
        }
        None => {}
    }
    Ok(Outcome::Done)
}

fn mget(ctx: &mut Ctx) -> Result {
    let keys = ctx.args.get(1..).unwrap_or(&[]);
    ctx.reply.array(keys.len());
    for key in keys {
        match ctx.keys.read(key).and_then(|entry| entry.string()) {
            Some(value) => ctx.reply.bulk(&value.text()),
            None => ctx.reply.nil(),
        }
    }
    Ok(Outcome::Done)
}

fn mset(ctx: &mut Ctx) -> Result {
    let pairs = pairs(ctx)?;
    set_all(ctx, pairs);
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn msetnx(ctx: &mut Ctx) -> Result {
    let pairs = pairs(ctx)?;
    let is_free = !pairs.iter().any(|[key, _]| ctx.keys.exists_for_write(key));
    if is_free {
        set_all(ctx, pairs);
    }
    ctx.reply.int_bool(is_free);
    Ok(Outcome::Done)
}

/// The arguments as keys with their values.
fn pairs<'a>(ctx: &Ctx<'a>) -> core::result::Result<&'a [[&'a [u8]; 2]], Error> {
    let (pairs, rest) = ctx.args.get(1..).unwrap_or(&[]).as_chunks();
    match rest {
        [] => Ok(pairs),
        _ => Err(Error::wrong_arity(ctx.row.name.as_bytes())),
    }
}

fn set_all(ctx: &mut Ctx, pairs: &[[&[u8]; 2]]) {
    for [key, value] in pairs {
        ctx.keys.set_string(key, value, Expiry::Clear);
        ctx.keys.notify(Class::STRING, "set", key);
    }
}

fn append(ctx: &mut Ctx) -> Result {
    let (key, value) = (ctx.arg(1), ctx.arg(2));
    let limit_bytes = ctx.server.config.proto_max_bulk_len_bytes;
    let length = if ctx.keys.peek_string(key)?.is_none() {
        ctx.keys.set_string(key, value, Expiry::Clear);
        value.len()
    } else {
        ctx.keys.update_string(key, |bytes| {
            let length = check_length(bytes.len() as u64, value.len(), limit_bytes)?;
            bytes.try_reserve(value.len()).map_err(|_| Error::OOM)?;
            bytes.put(value);
            Ok((Updated::Yes, length))
        })?
    };
    ctx.keys.notify(Class::STRING, "append", key);
    ctx.reply.count(length);
    Ok(Outcome::Done)
}

/// The length of a string of `start` bytes and `more`, unless that is too long.
fn check_length(start: u64, more: usize, limit_bytes: i64) -> core::result::Result<usize, Error> {
    start
        .checked_add(more as u64)
        .filter(|length| *length <= limit_bytes.max(0) as u64)
        .and_then(|length| usize::try_from(length).ok())
        .ok_or(Error::STRING_TOO_LONG)
}

fn strlen(ctx: &mut Ctx) -> Result {
    let length = ctx.keys.read_string(ctx.arg(1))?.map_or(0, Str::len);
    ctx.reply.count(length);
    Ok(Outcome::Done)
}

fn getrange(ctx: &mut Ctx) -> Result {
    let (start, end) = (ctx.integer(2)?, ctx.integer(3)?);
    match ctx.keys.read_string(ctx.arg(1))? {
        Some(value) => ctx.reply.bulk(slice(&value.text(), start, end)),
        None => ctx.reply.bulk(b""),
    }
    Ok(Outcome::Done)
}

/// The bytes from position `start` to `end`, both included; negative ones count from the end.
fn slice(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let length = bytes.len() as i64;
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let position = |at: i64| if at < 0 { (at + length).max(0) } else { at };
    let (start, end) = (position(start), position(end).min(length - 1));
    if start > end {
        return &[];
    }
    bytes.get(start as usize..=end as usize).unwrap_or(&[])
}

fn setrange(ctx: &mut Ctx) -> Result {
    let (key, value) = (ctx.arg(1), ctx.arg(3));
    let offset =
        u64::try_from(ctx.integer(2)?).map_err(|_| Error::new("ERR offset is out of range"))?;
    let limit_bytes = ctx.server.config.proto_max_bulk_len_bytes;
    if value.is_empty() {
        ctx.keys.exists_for_write(key);
        let length = ctx.keys.peek_string(key)?.map_or(0, Str::len);
        ctx.reply.count(length);
        return Ok(Outcome::Done);
    }
    // The wrong type is an error before the length is.
    let end = match check_length(offset, value.len(), limit_bytes) {
        Ok(end) => end,
        Err(error) => {
            ctx.keys.exists_for_write(key);
            return ctx.keys.peek_string(key).and(Err(error));
        }
    };
    let length = ctx.keys.edit_string(key, end, |bytes, _| {
        if let Some(part) = bytes.get_mut(end - value.len()..end) {
            part.copy_from_slice(value);
        }
        (true, bytes.len())
    })?;
    ctx.keys.notify(Class::STRING, "setrange", key);
    ctx.reply.count(length);
    Ok(Outcome::Done)
}

fn incr(ctx: &mut Ctx) -> Result {
    add(ctx, 1)
}

fn decr(ctx: &mut Ctx) -> Result {
    add(ctx, -1)
}

fn incrby(ctx: &mut Ctx) -> Result {
    let by = ctx.integer(2)?;
    add(ctx, by)
}

fn decrby(ctx: &mut Ctx) -> Result {
    let by = ctx.integer(2)?.checked_neg();
    add(ctx, by.ok_or(Error::new("ERR decrement would overflow"))?)
}

#[inline]
fn add(ctx: &mut Ctx, by: i64) -> Result {
    let sum = ctx.keys.increment(ctx.arg(1), by)?;
    ctx.keys.notify(Class::STRING, "incrby", ctx.arg(1));
    ctx.reply.int(sum);
    Ok(Outcome::Done)
}

fn incrbyfloat(ctx: &mut Ctx) -> Result {
    let key = ctx.arg(1);
    ctx.keys.meet(key);
    let old = match ctx.keys.peek_string(key)? {
        None => LongDouble::from_i64(0),
        Some(Str::Int(number)) => LongDouble::from_i64(number),
        Some(Str::Bytes(text)) => LongDouble::parse(text).ok_or(Error::NOT_FLOAT)?,
    };
    let by = LongDouble::parse(ctx.arg(2)).ok_or(Error::NOT_FLOAT)?;
    let sum = old.add(by);
    if !sum.is_finite() {
        return Err(Error::NAN_OR_INFINITY);
    }
    let mut text = Vec::new();
    sum.write_human(&mut text);
    ctx.keys.replace_string(key, &text);
    ctx.keys.notify(Class::STRING, "incrbyfloat", key);
    ctx.propagate(&[b"SET", key, &text, b"KEEPTTL"]);
    ctx.reply.bulk(&text);
    Ok(Outcome::Done)
}

fn lcs(ctx: &mut Ctx) -> Result {
    // Both keys are looked at, even when the first is of the wrong type.
    let texts = [ctx.arg(1), ctx.arg(2)].map(|key| {
        let value = ctx.keys.read_string(key).ok()?;
        Some(value.map_or_else(Vec::new, Str::to_vec))
    });
    let [Some(first), Some(second)] = &texts else {
        return Err(Error::new(
            "ERR The specified keys must contain string values",
        ));
    };
    let options = &mut ctx.options(3);
    let (mut len, mut idx, mut with_length, mut min_length) = (false, false, false, 0);
    while !options.is_done() {
        if options.take("IDX") {
            idx = true;
        } else if options.take("LEN") {
            len = true;
        } else if options.take("WITHMATCHLEN") {
            with_length = true;
        } else if let Some(value) = options.take_value("MINMATCHLEN") {
            min_length = num::parse_i64(value).ok_or(Error::NOT_INTEGER)?.max(0);
        } else {
            return Err(Error::SYNTAX);
        }
    }
    if len && idx {
        return Err(Error::new(
            "ERR If you want both the length and indexes, please just use IDX.",
        ));
    }
    let table_bytes = (first.len() as u64 + 1) * (second.len() as u64 + 1) * 4;
    if table_bytes > ctx.server.config.proto_max_bulk_len_bytes as u64 {
        return Err(Error::new(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    if len {
        ctx.reply.count(subsequence::length(first, second));
        return Ok(Outcome::Done);
    }
    let found = subsequence::find(first, second).ok_or(Error::new(
        "ERR Insufficient memory, failed allocating transient memory for LCS",
    ))?;
    match idx {
        true => reply_runs(ctx, &found, min_length as u64, with_length),
        false => ctx.reply.bulk(&found.text),
    }
    Ok(Outcome::Done)
}

/// The places of the common bytes, runs shorter than `min_length` left out.
fn reply_runs(ctx: &mut Ctx, found: &subsequence::Found, min_length: u64, with_length: bool) {
    let runs = found.runs.iter();
    let runs: Vec<_> = runs
        .filter(|run| run.length() as u64 >= min_length)
        .collect();
    ctx.reply.map(2);
    ctx.reply.bulk(b"matches");
    ctx.reply.array(runs.len());
    for run in runs {
        ctx.reply.array(2 + usize::from(with_length));
        for (start, end) in [run.first, run.second] {
            ctx.reply.array(2);
            ctx.reply.count(start);
            ctx.reply.count(end);
        }
        if with_length {
            ctx.reply.count(run.length());
        }
    }
    ctx.reply.bulk(b"len");
    ctx.reply.count(found.text.len());
}
