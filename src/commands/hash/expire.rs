//! Times to live of fields.

use super::{BAD_COUNT, Moment, after_type, fields_at, propagate_fields};
use crate::algorithms::num;
use crate::keyspace::Class;
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, block, flag,
    integer, key, oneof, prose, string, unix_time,
};
use crate::values::hash::Found;
use crate::values::{Entry, Hash};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "hexpire", arity: -6, group: Group::Hash, since: "7.4.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key"), integer("seconds"), oneof("condition", args![flag("NX"), flag("XX"), flag("GT"), flag("LT")]).optional(), block("fields", args![integer("numfields"), string("field").multiple()]).token("FIELDS")],
        reply: "[int]",
        doc: prose!("Gives fields a time to live in seconds.", "O(N), N the number of fields given"),
        run: hexpire,
        ..BASE
    },
    Command {
        name: "hpexpire", arity: -6, group: Group::Hash, since: "7.4.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key"), integer("milliseconds"), oneof("condition", args![flag("NX"), flag("XX"), flag("GT"), flag("LT")]).optional(), block("fields", args![integer("numfields"), string("field").multiple()]).token("FIELDS")],
        reply: "[int]",
        doc: prose!("Gives fields a time to live in milliseconds.", "O(N), N the number of fields given"),
        run: hpexpire,
        ..BASE
    },
    Command {
        name: "hexpireat", arity: -6, group: Group::Hash, since: "7.4.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key"), unix_time("unix-time-seconds"), oneof("condition", args![flag("NX"), flag("XX"), flag("GT"), flag("LT")]).optional(), block("fields", args![integer("numfields"), string("field").multiple()]).token("FIELDS")],
        reply: "[int]",
        doc: prose!("Lets fields live until a moment in seconds since the epoch.", "O(N), N the number of fields given"),
        run: hexpireat,
        ..BASE
    },
    Command {
        name: "hpexpireat", arity: -6, group: Group::Hash, since: "7.4.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key"), unix_time("unix-time-milliseconds"), oneof("condition", args![flag("NX"), flag("XX"), flag("GT"), flag("LT")]).optional(), block("fields", args![integer("numfields"), string("field").multiple()]).token("FIELDS")],
        reply: "[int]",
        doc: prose!("Lets fields live until a moment in milliseconds since the epoch.", "O(N), N the number of fields given"),
        run: hpexpireat,
        ..BASE
    },
    Command {
        name: "hpersist", arity: -5, group: Group::Hash, since: "7.4.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key"), block("fields", args![integer("numfields"), string("field").multiple()]).token("FIELDS")],
        reply: "[int]",
        doc: prose!("Lets fields live for ever.", "O(N), N the number of fields given"),
        run: hpersist,
        ..BASE
    },
    Command {
        name: "httl", arity: -5, group: Group::Hash, since: "7.4.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), block("fields", args![integer("numfields"), string("field").multiple()]).token("FIELDS")],
        tips: &["nondeterministic_output"],
        reply: "[int]",
        doc: prose!("How many seconds fields have to live.", "O(N), N the number of fields given"),
        run: httl,
        ..BASE
    },
    Command {
        name: "hpttl", arity: -5, group: Group::Hash, since: "7.4.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), block("fields", args![integer("numfields"), string("field").multiple()]).token("FIELDS")],
        tips: &["nondeterministic_output"],
        reply: "[int]",
        doc: prose!("How many milliseconds fields have to live.", "O(N), N the number of fields given"),
        run: hpttl,
        ..BASE
    },
    Command {
        name: "hexpiretime", arity: -5, group: Group::Hash, since: "7.4.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), block("fields", args![integer("numfields"), string("field").multiple()]).token("FIELDS")],
        reply: "[int]",
        doc: prose!("When fields expire, in seconds since the epoch.", "O(N), N the number of fields given"),
        run: hexpiretime,
        ..BASE
    },
    Command {
        name: "hpexpiretime", arity: -5, group: Group::Hash, since: "7.4.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), block("fields", args![integer("numfields"), string("field").multiple()]).token("FIELDS")],
        reply: "[int]",
        doc: prose!("When fields expire, in milliseconds since the epoch.", "O(N), N the number of fields given"),
        run: hpexpiretime,
        ..BASE
    },
];

/// What commands reply of a field that is not there.
const NO_FIELD: i64 = -2;
/// And of one that lives for ever.
const NO_EXPIRY: i64 = -1;

fn hexpire(ctx: &mut Ctx) -> Result {
    expire(ctx, Moment::SECONDS)
}

fn hpexpire(ctx: &mut Ctx) -> Result {
    expire(ctx, Moment::MILLISECONDS)
}

fn hexpireat(ctx: &mut Ctx) -> Result {
    expire(ctx, Moment::UNIX_SECONDS)
}

fn hpexpireat(ctx: &mut Ctx) -> Result {
    expire(ctx, Moment::UNIX_MILLISECONDS)
}

/// On what a time to live is set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    IfNone,
    IfAny,
    IfLater,
    IfEarlier,
}

impl Condition {
    fn holds(self, old_ms: Option<i64>, at_ms: i64) -> bool {
        match self {
            Condition::Always => true,
            Condition::IfNone => old_ms.is_none(),
            Condition::IfAny => old_ms.is_some(),
            Condition::IfLater => old_ms.is_some_and(|old_ms| at_ms > old_ms),
            Condition::IfEarlier => old_ms.is_none_or(|old_ms| at_ms < old_ms),
        }
    }
}

fn condition(word: &[u8]) -> Condition {
    match word.to_ascii_uppercase().as_slice() {
        b"NX" => Condition::IfNone,
        b"XX" => Condition::IfAny,
        b"GT" => Condition::IfLater,
        b"LT" => Condition::IfEarlier,
        _ => Condition::Always,
    }
}

/// What happened to the fields of an HEXPIRE.
#[derive(Default)]
struct Outcomes<'a> {
    replies: Vec<i64>,
    changed: Vec<&'a [u8]>,
    deleted: Vec<&'a [u8]>,
}

/// What an HEXPIRE asks for.
struct Request<'a> {
    at_ms: i64,
    condition: Condition,
    /// The place of the word FIELDS.
    position: usize,
    fields: &'a [&'a [u8]],
}

fn request<'a>(ctx: &Ctx<'a>, moment: Moment) -> core::result::Result<Request<'a>, Error> {
    let at_ms = moment.at_ms(ctx, ctx.arg(2))?;
    let condition = condition(ctx.arg(3));
    let position = if condition == Condition::Always { 3 } else { 4 };
    let bad_count = Error::new("ERR Parameter `numFields` should be greater than 0");
    let fields = fields_at(ctx, position, bad_count)?;
    Ok(Request {
        at_ms,
        condition,
        position,
        fields,
    })
}

fn expire(ctx: &mut Ctx, moment: Moment) -> Result {
    let key = ctx.arg(1);
    let asked = request(ctx, moment);
    let Request {
        at_ms,
        condition,
        position,
        fields,
    } = after_type(ctx, asked)?;
    let now_ms = ctx.keys.now_ms();
    let mut outcomes = Outcomes::default();
    let edited = ctx.keys.edit(key, |hash: &mut Hash, limits| {
        hash.allow_expiry(limits);
        let before_ms = hash.view().deadline_ms();
        let mut earliest_ms = None;
        for field in fields {
            let Some(found) = hash.view().find(field) else {
                outcomes.replies.push(NO_FIELD);
                continue;
            };
            let old_ms = found.expiry_ms;
            if !condition.holds(old_ms, at_ms) {
                outcomes.replies.push(0);
                continue;
            }
            let set_ms = old_ms.unwrap_or(at_ms).min(at_ms);
            earliest_ms = Some(earliest_ms.unwrap_or(set_ms).min(set_ms));
            if at_ms <= now_ms {
                hash.remove(field);
                outcomes.deleted.push(*field);
                outcomes.replies.push(2);
            } else {
                hash.set_expiry(field, Some(at_ms), limits);
                outcomes.changed.push(*field);
                outcomes.replies.push(1);
            }
        }
        hash.move_deadline(before_ms, earliest_ms);
        let changes = outcomes.changed.len() + outcomes.deleted.len();
        Ok((changes as u64, ()))
    })?;
    if edited.is_none() {
        outcomes.replies = vec![NO_FIELD; fields.len()];
    }
    if !outcomes.deleted.is_empty() {
        tell_deleted(
            ctx,
            &outcomes.deleted,
            edited.is_some_and(|edited| edited.is_removed),
        );
    } else if !outcomes.changed.is_empty() {
        ctx.keys.notify(Class::HASH, "hexpire", key);
        log_expiry(
            ctx,
            at_ms,
            ctx.args.get(3..position).unwrap_or(&[]),
            &outcomes.changed,
        );
    }
    ctx.reply.array(outcomes.replies.len());
    for reply in outcomes.replies {
        ctx.reply.int(reply);
    }
    Ok(Outcome::Done)
}

/// What follows when the end of fields' lives has come already: each is logged as deleted.
pub(super) fn tell_deleted(ctx: &mut Ctx, fields: &[&[u8]], is_removed: bool) {
    let key = ctx.arg(1);
    ctx.keys.notify(Class::HASH, "hdel", key);
    if is_removed {
        ctx.keys.notify(Class::GENERIC, "del", key);
    }
    for field in fields {
        ctx.propagate(&[b"HDEL", key, field]);
    }
}

/// A time to live is logged as the moment it ends.
pub(super) fn log_expiry(ctx: &mut Ctx, at_ms: i64, condition: &[&[u8]], fields: &[&[u8]]) {
    let (at, count) = (num::format_i64(at_ms), num::format_i64(fields.len() as i64));
    let mut head: Vec<&[u8]> = vec![b"HPEXPIREAT", ctx.arg(1), at.as_bytes()];
    head.extend_from_slice(condition);
    head.extend_from_slice(&[b"FIELDS", count.as_bytes()]);
    propagate_fields(ctx, &head, fields);
}

fn hpersist(ctx: &mut Ctx) -> Result {
    let key = ctx.arg(1);
    let asked = fields_at(ctx, 2, BAD_COUNT);
    let fields = after_type(ctx, asked)?;
    let now_ms = ctx.keys.now_ms();
    let mut replies = vec![NO_FIELD; fields.len()];
    let edited = ctx.keys.edit(key, |hash: &mut Hash, limits| {
        let mut changes = 0;
        for (field, reply) in fields.iter().zip(&mut replies) {
            *reply = match hash.view().find(field) {
                Some(found) if found.is_due(now_ms) => NO_FIELD,
                Some(found) if found.expiry_ms.is_some() => 1,
                Some(_) => NO_EXPIRY,
                None => NO_FIELD,
            };
            if *reply == 1 {
                hash.set_expiry(field, None, limits);
                changes += 1;
            }
        }
        Ok((changes, changes))
    })?;
    if edited.is_some_and(|edited| edited.value > 0) {
        ctx.keys.notify(Class::HASH, "hpersist", key);
    }
    ctx.reply.array(replies.len());
    for reply in replies {
        ctx.reply.int(reply);
    }
    Ok(Outcome::Done)
}

fn httl(ctx: &mut Ctx) -> Result {
    reply_expiry(ctx, Moment::SECONDS)
}

fn hpttl(ctx: &mut Ctx) -> Result {
    reply_expiry(ctx, Moment::MILLISECONDS)
}

fn hexpiretime(ctx: &mut Ctx) -> Result {
    reply_expiry(ctx, Moment::UNIX_SECONDS)
}

fn hpexpiretime(ctx: &mut Ctx) -> Result {
    reply_expiry(ctx, Moment::UNIX_MILLISECONDS)
}

fn reply_expiry(ctx: &mut Ctx, moment: Moment) -> Result {
    let now_ms = ctx.now_ms;
    let start_ms = if moment.is_relative { now_ms } else { 0 };
    let hash = ctx.keys.read_value(ctx.arg(1), Entry::hash)?;
    let mut options = crate::table::Options::new(ctx.args, 2);
    let fields = super::listed(&mut options, BAD_COUNT)?;
    ctx.reply.array(fields.len());
    for field in fields {
        let found = hash.and_then(|hash| hash.find(field));
        ctx.reply.int(match found {
            None => NO_FIELD,
            Some(found) if found.is_due(now_ms) => NO_FIELD,
            Some(Found {
                expiry_ms: None, ..
            }) => NO_EXPIRY,
            Some(Found {
                expiry_ms: Some(at_ms),
                ..
            }) => (at_ms - start_ms + moment.unit_ms - 1) / moment.unit_ms,
        });
    }
    Ok(Outcome::Done)
}
