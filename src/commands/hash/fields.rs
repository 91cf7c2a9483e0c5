//! Setting, getting and deleting fields one by one.

use crate::algorithms::num::{self, LongDouble};
use crate::keyspace::{Class, Gone};
use crate::resp::{Error, Reply};
use crate::structures::item::Item;
use crate::table::{
    Acl, BASE, Command, Ctx, Deprecated, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args,
    block, double, integer, key, prose, string,
};
use crate::values::hash::Life;
use crate::values::{Entry, Hash};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "hset", arity: -4, group: Group::Hash, since: "2.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key"), block("data", args![string("field"), string("value")]).multiple()],
        reply: "int",
        doc: prose!("Sets fields of a hash and returns how many of them are new.", "O(N), N the number of fields given"),
        run: hset,
        ..BASE
    },
    Command {
        name: "hsetnx", arity: 4, group: Group::Hash, since: "2.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::INSERT)],
        args: args![key("key"), string("field"), string("value")],
        reply: "int",
        doc: prose!("Sets a field of a hash that is not there yet.", "O(1)"),
        run: hsetnx,
        ..BASE
    },
    Command {
        name: "hmset", arity: -4, group: Group::Hash, since: "2.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key"), block("data", args![string("field"), string("value")]).multiple()],
        deprecated: Some(Deprecated { since: "4.0.0", replaced_by: "`HSET` with multiple field-value pairs" }),
        reply: "OK",
        doc: prose!("Sets fields of a hash.", "O(N), N the number of fields given"),
        run: hmset,
        ..BASE
    },
    Command {
        name: "hget", arity: 3, group: Group::Hash, since: "2.0.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), string("field")],
        reply: "bulk | nil",
        doc: prose!("Returns the value of a field.", "O(1)"),
        run: hget,
        ..BASE
    },
    Command {
        name: "hmget", arity: -3, group: Group::Hash, since: "2.0.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), string("field").multiple()],
        reply: "[bulk | nil]",
        doc: prose!("Returns the values of several fields.", "O(N), N the number of fields given"),
        run: hmget,
        ..BASE
    },
    Command {
        name: "hdel", arity: -3, group: Group::Hash, since: "2.0.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::DELETE)],
        args: args![key("key"), string("field").multiple()],
        reply: "int",
        doc: prose!("Deletes fields, and with the last of them the hash; returns how many there were.", "O(N), N the number of fields given"),
        run: hdel,
        ..BASE
    },
    Command {
        name: "hexists", arity: 3, group: Group::Hash, since: "2.0.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key"), string("field")],
        reply: "int",
        doc: prose!("Tells whether a field is there.", "O(1)"),
        run: hexists,
        ..BASE
    },
    Command {
        name: "hstrlen", arity: 3, group: Group::Hash, since: "3.2.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key"), string("field")],
        reply: "int",
        doc: prose!("Returns the length of a field's value in bytes.", "O(1)"),
        run: hstrlen,
        ..BASE
    },
    Command {
        name: "hincrby", arity: 4, group: Group::Hash, since: "2.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![key("key"), string("field"), integer("increment")],
        reply: "int",
        doc: prose!("Adds to the integer in a field, which is 0 when there is none.", "O(1)"),
        run: hincrby,
        ..BASE
    },
    Command {
        name: "hincrbyfloat", arity: 4, group: Group::Hash, since: "2.6.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![key("key"), string("field"), double("increment")],
        reply: "bulk",
        doc: prose!("Adds to the number in a field, which is 0 when there is none.", "O(1)"),
        run: hincrbyfloat,
        ..BASE
    },
];

fn hset(ctx: &mut Ctx) -> Result {
    let added = set_all(ctx)?;
    ctx.reply.count(added);
    Ok(Outcome::Done)
}

fn hmset(ctx: &mut Ctx) -> Result {
    set_all(ctx)?;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// Sets all fields; how many are new.
#[inline]
fn set_all(ctx: &mut Ctx) -> core::result::Result<usize, Error> {
    let (pairs, rest) = ctx.args.get(2..).unwrap_or(&[]).as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Error::wrong_arity(ctx.row.name.as_bytes()));
    }
    let key = ctx.arg(1);
    let edited = ctx.keys.edit_or_new(key, |hash: &mut Hash, limits| {
        if pairs.len() > limits.hash_max_listpack_entries {
            hash.make_table(limits);
        }
        let mut added = 0;
        for [field, value] in pairs {
            added += usize::from(hash.set(field, value, Life::Clear, limits));
        }
        Ok((pairs.len() as u64, added))
    })?;
    ctx.keys.notify(Class::HASH, "hset", key);
    Ok(edited.value)
}

/// What a command does with a field that another command may have to see expired first.
enum Step<T> {
    Done(T),
    /// The field is there, but its time is up.
    Due,
}

/// Edits the hash, which is created if need be; a field found due is deleted first, and the edit tried again.
fn edit_live<T>(
    ctx: &mut Ctx,
    mut change: impl FnMut(
        &mut Hash,
        i64,
        &crate::values::Limits,
    ) -> core::result::Result<(u64, Step<T>), Error>,
) -> core::result::Result<Option<T>, Error> {
    let (key, field, now_ms) = (ctx.arg(1), ctx.arg(2), ctx.keys.now_ms());
    for _ in 0..2 {
        let edited = ctx
            .keys
            .edit_or_new(key, |hash, limits| change(hash, now_ms, limits))?;
        match edited.value {
            Step::Done(value) => return Ok(Some(value)),
            Step::Due => ctx.keys.expire_field_aloud(key, field),
        }
    }
    Ok(None)
}

fn hsetnx(ctx: &mut Ctx) -> Result {
    let (field, value) = (ctx.arg(2), ctx.arg(3));
    let is_set = edit_live(ctx, |hash, now_ms, limits| {
        Ok(match hash.view().find(field) {
            Some(found) if found.is_due(now_ms) => (0, Step::Due),
            Some(_) => (0, Step::Done(false)),
            None => {
                hash.set(field, value, Life::Clear, limits);
                (1, Step::Done(true))
            }
        })
    })?;
    let is_set = is_set == Some(true);
    if is_set {
        ctx.keys.notify(Class::HASH, "hset", ctx.arg(1));
    }
    ctx.reply.int_bool(is_set);
    Ok(Outcome::Done)
}

/// Reads a field and lets `say` reply; one that is due is deleted and not there.
#[inline(always)]
fn read_field(ctx: &mut Ctx, say: impl Fn(&mut Reply, Option<Item<'_>>)) -> Result {
    let (key, field, now_ms) = (ctx.arg(1), ctx.arg(2), ctx.keys.now_ms());
    let hash = ctx.keys.read_value(key, Entry::hash)?;
    match hash.and_then(|hash| hash.find(field)) {
        Some(found) if found.is_due(now_ms) => ctx.keys.expire_field_aloud(key, field),
        found => {
            say(ctx.reply, found.map(|found| found.value));
            return Ok(Outcome::Done);
        }
    }
    say(ctx.reply, None);
    Ok(Outcome::Done)
}

fn hget(ctx: &mut Ctx) -> Result {
    read_field(ctx, |reply, value| match value {
        Some(value) => reply.bulk(&value.text()),
        None => reply.nil(),
    })
}

fn hexists(ctx: &mut Ctx) -> Result {
    read_field(ctx, |reply, value| reply.int_bool(value.is_some()))
}

fn hstrlen(ctx: &mut Ctx) -> Result {
    read_field(ctx, |reply, value| reply.count(value.map_or(0, Item::len)))
}

fn hmget(ctx: &mut Ctx) -> Result {
    let (key, fields) = (ctx.arg(1), ctx.args.get(2..).unwrap_or(&[]));
    let now_ms = ctx.keys.now_ms();
    let hash = ctx.keys.read_value(key, Entry::hash)?;
    let mut due = Vec::new();
    ctx.reply.array(fields.len());
    for field in fields {
        match hash.and_then(|hash| hash.find(field)) {
            Some(found) if found.is_due(now_ms) => {
                due.push(*field);
                ctx.reply.nil();
            }
            Some(found) => ctx.reply.bulk(&found.value.text()),
            None => ctx.reply.nil(),
        }
    }
    if !due.is_empty() {
        expire_all(ctx, key, &due);
    }
    Ok(Outcome::Done)
}

/// Deletes the due fields that HMGET met. When the very first of them was the last field of all, Redis says nothing.
#[cold]
fn expire_all(ctx: &mut Ctx, key: &[u8], due: &[&[u8]]) {
    let (mut is_told, mut is_removed) = (false, false);
    for field in due {
        match ctx.keys.expire_field(key, field) {
            Some(Gone::Field) => is_told = true,
            Some(Gone::Key) => is_removed = true,
            None => {}
        }
    }
    if is_told {
        let gone = if is_removed { Gone::Key } else { Gone::Field };
        ctx.keys.notify_gone(key, gone);
    }
}

fn hdel(ctx: &mut Ctx) -> Result {
    let (key, fields) = (ctx.arg(1), ctx.args.get(2..).unwrap_or(&[]));
    let edited = ctx.keys.edit(key, |hash: &mut Hash, _| {
        let mut count = 0;
        for field in fields {
            count += u64::from(hash.remove(field));
        }
        hash.drop_deadline();
        Ok((count, count))
    })?;
    let count = edited.map_or(0, |edited| edited.value);
    if count > 0 {
        ctx.keys.notify(Class::HASH, "hdel", key);
    }
    if edited.is_some_and(|edited| edited.is_removed) {
        ctx.keys.notify(Class::GENERIC, "del", key);
    }
    ctx.reply.int(count as i64);
    Ok(Outcome::Done)
}

fn hincrby(ctx: &mut Ctx) -> Result {
    let (field, by) = (ctx.arg(2), ctx.integer(3)?);
    let sum = edit_live(ctx, |hash, now_ms, limits| {
        let old = match hash.view().find(field) {
            Some(found) if found.is_due(now_ms) => return Ok((0, Step::Due)),
            Some(found) => found
                .value
                .integer()
                .ok_or(Error::new("ERR hash value is not an integer"))?,
            None => 0,
        };
        let sum = old.checked_add(by).ok_or(Error::OVERFLOW)?;
        hash.set(field, num::format_i64(sum).as_bytes(), Life::Keep, limits);
        Ok((1, Step::Done(sum)))
    })?;
    ctx.keys.notify(Class::HASH, "hincrby", ctx.arg(1));
    ctx.reply.int(sum.unwrap_or(0));
    Ok(Outcome::Done)
}

fn hincrbyfloat(ctx: &mut Ctx) -> Result {
    let (key, field) = (ctx.arg(1), ctx.arg(2));
    let by = LongDouble::parse(ctx.arg(3)).ok_or(Error::NOT_FLOAT)?;
    if !by.is_finite() {
        return Err(Error::new("ERR value is NaN or Infinity"));
    }
    let mut text = Vec::new();
    edit_live(ctx, |hash, now_ms, limits| {
        let old = match hash.view().find(field) {
            Some(found) if found.is_due(now_ms) => return Ok((0, Step::Due)),
            Some(found) => LongDouble::parse(&found.value.text())
                .ok_or(Error::new("ERR hash value is not a float"))?,
            None => LongDouble::from_i64(0),
        };
        let sum = old.add(by);
        if !sum.is_finite() {
            return Err(Error::NAN_OR_INFINITY);
        }
        text.clear();
        sum.write_human(&mut text);
        hash.set(field, &text, Life::Keep, limits);
        Ok((1, Step::Done(())))
    })?;
    ctx.keys.notify(Class::HASH, "hincrbyfloat", key);
    ctx.propagate(&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, &text]);
    ctx.reply.bulk(&text);
    Ok(Outcome::Done)
}
