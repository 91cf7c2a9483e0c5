//! How long keys live.

use crate::algorithms::num;
use crate::keyspace::Class;
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, flag, integer,
    key, oneof, prose, unix_time,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "expire", arity: -3, group: Group::Generic, since: "1.0.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![
            key("key"), integer("seconds"),
            oneof("condition", args![flag("NX"), flag("XX"), flag("GT"), flag("LT")]).optional().since("7.0.0"),
        ],
        reply: "int",
        doc: prose!("Lets a key live so many seconds.", "O(1)"),
        run: expire, ..BASE
    },
    Command {
        name: "pexpire", arity: -3, group: Group::Generic, since: "2.6.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![
            key("key"), integer("milliseconds"),
            oneof("condition", args![flag("NX"), flag("XX"), flag("GT"), flag("LT")]).optional().since("7.0.0"),
        ],
        reply: "int",
        doc: prose!("Lets a key live so many milliseconds.", "O(1)"),
        run: pexpire, ..BASE
    },
    Command {
        name: "expireat", arity: -3, group: Group::Generic, since: "1.2.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![
            key("key"), unix_time("unix-time-seconds"),
            oneof("condition", args![flag("NX"), flag("XX"), flag("GT"), flag("LT")]).optional().since("7.0.0"),
        ],
        reply: "int",
        doc: prose!("Lets a key live until a moment, in seconds since 1970.", "O(1)"),
        run: expireat, ..BASE
    },
    Command {
        name: "pexpireat", arity: -3, group: Group::Generic, since: "2.6.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![
            key("key"), unix_time("unix-time-milliseconds"),
            oneof("condition", args![flag("NX"), flag("XX"), flag("GT"), flag("LT")]).optional().since("7.0.0"),
        ],
        reply: "int",
        doc: prose!("Lets a key live until a moment, in milliseconds since 1970.", "O(1)"),
        run: pexpireat, ..BASE
    },
    Command {
        name: "persist", arity: 2, group: Group::Generic, since: "2.2.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key")],
        reply: "int",
        doc: prose!("Lets a key live for ever again.", "O(1)"),
        run: persist, ..BASE
    },
    Command {
        name: "ttl", arity: 2, group: Group::Generic, since: "1.0.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key")],
        tips: &["nondeterministic_output"],
        reply: "int",
        doc: prose!("How many seconds a key has left; -1 when it does not expire, -2 when there is none.", "O(1)"),
        run: ttl, ..BASE
    },
    Command {
        name: "pttl", arity: 2, group: Group::Generic, since: "2.6.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key")],
        tips: &["nondeterministic_output"],
        reply: "int",
        doc: prose!("How many milliseconds a key has left; -1 when it does not expire, -2 when there is none.", "O(1)"),
        run: pttl, ..BASE
    },
    Command {
        name: "expiretime", arity: 2, group: Group::Generic, since: "7.0.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key")],
        reply: "int",
        doc: prose!("When a key expires, in seconds since 1970; -1 when never, -2 when there is none.", "O(1)"),
        run: expiretime, ..BASE
    },
    Command {
        name: "pexpiretime", arity: 2, group: Group::Generic, since: "7.0.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key")],
        reply: "int",
        doc: prose!("When a key expires, in milliseconds since 1970; -1 when never, -2 when there is none.", "O(1)"),
        run: pexpiretime, ..BASE
    },
];

fn expire(ctx: &mut Ctx) -> Result {
    live_until(ctx, 1000, ctx.now_ms)
}

fn pexpire(ctx: &mut Ctx) -> Result {
    live_until(ctx, 1, ctx.now_ms)
}

fn expireat(ctx: &mut Ctx) -> Result {
    live_until(ctx, 1000, 0)
}

fn pexpireat(ctx: &mut Ctx) -> Result {
    live_until(ctx, 1, 0)
}

/// On what expiry a key must have for it to get another.
#[derive(Default)]
struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Conditions {
    fn parse(ctx: &Ctx) -> core::result::Result<Conditions, Error> {
        let mut found = Conditions::default();
        let options = &mut ctx.options(3);
        while let Some(word) = options.peek() {
            if options.take("NX") {
                found.nx = true;
            } else if options.take("XX") {
                found.xx = true;
            } else if options.take("GT") {
                found.gt = true;
            } else if options.take("LT") {
                found.lt = true;
            } else {
                return Err(Error::concat(&[b"ERR Unsupported option ", word]));
            }
        }
        if found.nx && (found.xx || found.gt || found.lt) {
            return Err(Error::new(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if found.gt && found.lt {
            return Err(Error::new(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(found)
    }

    fn are_none(&self) -> bool {
        !(self.nx || self.xx || self.gt || self.lt)
    }

    /// Whether `at_ms` may follow `old_ms`; no expiry counts as one infinitely far away.
    fn allow(&self, old_ms: Option<i64>, at_ms: i64) -> bool {
        match old_ms {
            None => !self.xx && !self.gt,
            Some(old_ms) => {
                !self.nx && (!self.gt || at_ms > old_ms) && (!self.lt || at_ms < old_ms)
            }
        }
    }
}

/// Sets the expiry to the second argument, in units of `unit_ms` after `start_ms`.
fn live_until(ctx: &mut Ctx, unit_ms: i64, start_ms: i64) -> Result {
    let key = ctx.arg(1);
    let conditions = Conditions::parse(ctx)?;
    let at_ms = ctx
        .integer(2)?
        .checked_mul(unit_ms)
        .and_then(|at_ms| at_ms.checked_add(start_ms))
        .ok_or_else(|| Error::invalid_expire(ctx.row.name))?;
    if !conditions.are_none() {
        let old_ms = ctx.keys.expiry_for_write(key);
        if !old_ms.is_some_and(|old_ms| conditions.allow(old_ms, at_ms)) {
            ctx.reply.int(0);
            return Ok(Outcome::Done);
        }
    }
    let is_done = if at_ms <= ctx.keys.now_ms() {
        end_now(ctx, key)
    } else {
        set(ctx, key, at_ms)
    };
    ctx.reply.int_bool(is_done);
    Ok(Outcome::Done)
}

/// A key that is to expire in the past is deleted, and that is what others hear.
fn end_now(ctx: &mut Ctx, key: &[u8]) -> bool {
    let is_removed = ctx.keys.remove(key);
    if is_removed {
        ctx.keys.notify(Class::GENERIC, "del", key);
        ctx.propagate(&[ctx.deletion("lazyfree-lazy-expire"), key]);
    }
    is_removed
}

fn set(ctx: &mut Ctx, key: &[u8], at_ms: i64) -> bool {
    let is_set = ctx.keys.set_expiry(key, Some(at_ms));
    if is_set {
        ctx.keys.notify(Class::GENERIC, "expire", key);
        log_moment(ctx, key, at_ms);
    }
    is_set
}

/// Logged is when the key ends, with the conditions as they were given.
fn log_moment(ctx: &mut Ctx, key: &[u8], at_ms: i64) {
    if ctx.keys.is_logging() {
        let at = num::format_i64(at_ms);
        let conditions = ctx.args.get(3..).unwrap_or(&[]);
        ctx.propagate(&[&[&b"PEXPIREAT"[..], key, at.as_bytes()], conditions].concat());
    }
}

fn persist(ctx: &mut Ctx) -> Result {
    let key = ctx.arg(1);
    let is_done = ctx.keys.set_expiry(key, None);
    if is_done {
        ctx.keys.notify(Class::GENERIC, "persist", key);
    }
    ctx.reply.int_bool(is_done);
    Ok(Outcome::Done)
}

fn ttl(ctx: &mut Ctx) -> Result {
    reply_expiry(ctx, ctx.now_ms, 1000)
}

fn pttl(ctx: &mut Ctx) -> Result {
    reply_expiry(ctx, ctx.now_ms, 1)
}

fn expiretime(ctx: &mut Ctx) -> Result {
    reply_expiry(ctx, 0, 1000)
}

fn pexpiretime(ctx: &mut Ctx) -> Result {
    reply_expiry(ctx, 0, 1)
}

/// Replies the time from `start_ms` to a key's end, rounded to units of `unit_ms`.
fn reply_expiry(ctx: &mut Ctx, start_ms: i64, unit_ms: i64) -> Result {
    let reply = match ctx.keys.inspect(ctx.arg(1)).map(|entry| entry.expiry_ms()) {
        None => -2,
        Some(None) => -1,
        Some(Some(at_ms)) => {
            let left_ms = at_ms.saturating_sub(start_ms).max(0);
            left_ms.saturating_add(unit_ms / 2) / unit_ms
        }
    };
    ctx.reply.int(reply);
    Ok(Outcome::Done)
}
