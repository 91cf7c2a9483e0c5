//! Strings compared by value or digest, and several set on one condition (since Redis 8.4).
//!
//! <https://redis.io/docs/latest/commands/delex/>

use super::settings::{Accepts, Comparison, Life, Settings, digest as hex_digest};
use crate::algorithms::num;
use crate::keyspace::{Class, Condition, Expiry};
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, block,
    delex_keys, flag, integer, key, oneof, prose, string, unix_time,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "delex", arity: -2, group: Group::String, since: "8.4.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::DELETE | KeyFlags::VARIABLE_FLAGS)],
        find_keys: Some(delex_keys),
        args: args![
            key("key"),
            oneof("condition", args![
                string("ifeq-value").token("IFEQ"),
                string("ifne-value").token("IFNE"),
                string("ifdeq-digest").token("IFDEQ"),
                string("ifdne-digest").token("IFDNE"),
            ]).optional(),
        ],
        reply: "int",
        doc: prose!("Deletes a key if its string, or the digest of it, equals what is given or differs from it.", "O(1); O(N) by digest, N the length of the string"),
        run: delex, ..BASE
    },
    Command {
        name: "digest", arity: 2, group: Group::String, since: "8.4.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key")],
        reply: "bulk | nil",
        doc: prose!("The XXH3 hash of the string at a key, in hexadecimal digits.", "O(N), N the length of the string"),
        run: digest, ..BASE
    },
    Command {
        name: "msetex", arity: -4, group: Group::String, since: "8.4.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::MOVABLEKEYS, acl: Acl::STRING,
        keys: &[KeySpec::index(1).keynum(0, 1, 2).flags(KeyFlags::OW | KeyFlags::UPDATE)],
        args: args![
            integer("numkeys"),
            block("data", args![key("key"), string("value")]).multiple(),
            oneof("condition", args![flag("NX"), flag("XX")]).optional(),
            oneof("expiration", args![
                integer("seconds").token("EX"),
                integer("milliseconds").token("PX"),
                unix_time("unix-time-seconds").token("EXAT"),
                unix_time("unix-time-milliseconds").token("PXAT"),
                flag("KEEPTTL"),
            ]).optional(),
        ],
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        reply: "int",
        doc: prose!("Sets several keys to strings, all at once, with one time to live, if all or none of them are there.", "O(N), N the number of keys"),
        run: msetex, ..BASE
    },
];

fn delex(ctx: &mut Ctx) -> Result {
    let count = ctx.args.len();
    if !matches!(count, 2 | 4) {
        return Err(Error::wrong_arity(ctx.row.name.as_bytes()));
    }
    let key = ctx.arg(1);
    let is_there = ctx.keys.exists_for_write(key);
    if !is_there || count == 4 && !is_met(ctx)? {
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    }
    super::delete(ctx, b"DEL");
    ctx.reply.int(1);
    Ok(Outcome::Done)
}

/// Whether the condition of a DELEX holds.
fn is_met(ctx: &mut Ctx) -> core::result::Result<bool, Error> {
    let value = ctx
        .keys
        .peek_string(ctx.arg(1))
        .map_err(|_| Error::new("ERR Key should be of string type if conditions are specified"))?;
    let comparison = Comparison::named(ctx.arg(2)).ok_or(Error::new(
        "ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE",
    ))?;
    value.map_or(Ok(false), |value| {
        comparison.holds(&value.text(), ctx.arg(3))
    })
}

fn digest(ctx: &mut Ctx) -> Result {
    match ctx.keys.read_string(ctx.arg(1))? {
        Some(value) => ctx.reply.bulk(&hex_digest(&value.text())),
        None => ctx.reply.nil(),
    }
    Ok(Outcome::Done)
}

fn msetex(ctx: &mut Ctx) -> Result {
    let count = num::parse_i64(ctx.arg(1))
        .filter(|count| (1..=i64::from(i32::MAX)).contains(count))
        .ok_or(Error::new("ERR invalid numkeys value"))? as usize;
    let pairs = ctx.args.get(2..).unwrap_or(&[]);
    let pairs = pairs
        .get(..count * 2)
        .ok_or(Error::new("ERR wrong number of key-value pairs"))?;
    let (pairs, _) = pairs.as_chunks::<2>();
    let options = ctx.options(2 + count * 2);
    let settings = Settings::parse(options, Accepts::MSetEx)?;
    let expiry = settings.life.expiry(ctx, "msetex")?;
    let is_unmet = pairs.iter().any(|[key, _]| match settings.condition {
        Condition::Always => false,
        Condition::IfMissing => ctx.keys.exists_for_write(key),
        Condition::IfPresent => !ctx.keys.exists_for_write(key),
    });
    if is_unmet {
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    }
    for [key, value] in pairs {
        ctx.keys.set_string(key, value, expiry);
        ctx.keys.notify(Class::STRING, "set", key);
        if matches!(expiry, Expiry::At(_)) {
            ctx.keys.notify(Class::GENERIC, "expire", key);
        }
    }
    if let (Expiry::At(at_ms), Life::Until(_, time)) = (expiry, settings.life) {
        log_until(ctx, time, at_ms);
    }
    ctx.reply.int(1);
    Ok(Outcome::Done)
}

/// Logs the command with the moment in place of the `time` that it named.
fn log_until(ctx: &mut Ctx, time: &[u8], at_ms: i64) {
    let at = num::format_i64(at_ms);
    let mut logged = ctx.args.to_vec();
    let place = logged.iter().rposition(|arg| core::ptr::eq(*arg, time));
    if let Some([word, value]) = place.and_then(|place| logged.get_mut(place - 1..=place)) {
        *word = b"PXAT";
        *value = at.as_bytes();
    }
    ctx.propagate(&logged);
}
