//! Reading whole hashes, and any of their fields.

use super::super::generic::scan::scan_value;
use crate::algorithms::rng::Rng;
use crate::resp::{Error, Reply};
use crate::structures::item::Item;
use crate::structures::ordered::OrderedSet;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, block, flag,
    integer, key, pattern, prose,
};
use crate::values::{Entry, HashRef, Type};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "hgetall", arity: 2, group: Group::Hash, since: "2.0.0",
        flags: Flags::READONLY,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key")],
        tips: &["nondeterministic_output_order"],
        reply: "map<bulk,bulk>",
        doc: prose!("Returns all fields with their values.", "O(N), N the number of fields"),
        run: hgetall,
        ..BASE
    },
    Command {
        name: "hkeys", arity: 2, group: Group::Hash, since: "2.0.0",
        flags: Flags::READONLY,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key")],
        tips: &["nondeterministic_output_order"],
        reply: "[bulk]",
        doc: prose!("Returns the names of all fields.", "O(N), N the number of fields"),
        run: hkeys,
        ..BASE
    },
    Command {
        name: "hvals", arity: 2, group: Group::Hash, since: "2.0.0",
        flags: Flags::READONLY,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key")],
        tips: &["nondeterministic_output_order"],
        reply: "[bulk]",
        doc: prose!("Returns the values of all fields.", "O(N), N the number of fields"),
        run: hvals,
        ..BASE
    },
    Command {
        name: "hlen", arity: 2, group: Group::Hash, since: "2.0.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key")],
        reply: "int",
        doc: prose!("Returns how many fields there are, those included that are due to be deleted.", "O(1)"),
        run: hlen,
        ..BASE
    },
    Command {
        name: "hrandfield", arity: -2, group: Group::Hash, since: "6.2.0",
        flags: Flags::READONLY,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), block("options", args![integer("count"), flag("WITHVALUES").optional()]).optional()],
        tips: &["nondeterministic_output"],
        reply: "bulk | nil | [bulk] | [[bulk, bulk]]",
        doc: prose!("Returns one or more random fields.", "O(N), N the number of fields returned"),
        run: hrandfield,
        ..BASE
    },
    Command {
        name: "hscan", arity: -3, group: Group::Hash, since: "2.8.0",
        flags: Flags::READONLY,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), integer("cursor"), pattern("pattern").token("MATCH").optional(), integer("count").token("COUNT").optional(), flag("NOVALUES").optional()],
        tips: &["nondeterministic_output"],
        reply: "[bulk, [bulk]]",
        doc: prose!("Some fields, and a cursor to get more with; 0 begins, and comes back at the end.", "O(1) for a call, O(N) for all N fields"),
        run: hscan,
        ..BASE
    },
];

/// Which parts of fields are replied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Fields,
    Values,
    Both,
}

fn say(reply: &mut Reply, part: Part, field: Item<'_>, value: Item<'_>) {
    if part != Part::Values {
        reply.bulk(&field.text());
    }
    if part != Part::Fields {
        reply.bulk(&value.text());
    }
}

fn hgetall(ctx: &mut Ctx) -> Result {
    reply_all(ctx, Part::Both)
}

fn hkeys(ctx: &mut Ctx) -> Result {
    reply_all(ctx, Part::Fields)
}

fn hvals(ctx: &mut Ctx) -> Result {
    reply_all(ctx, Part::Values)
}

fn reply_all(ctx: &mut Ctx, part: Part) -> Result {
    let now_ms = ctx.keys.now_ms();
    let hash = ctx.keys.read_value(ctx.arg(1), Entry::hash)?;
    let (mark, reply) = (ctx.reply.mark(), &mut *ctx.reply);
    let mut count = 0;
    if let Some(hash) = hash {
        hash.each(&mut |field, value, expiry_ms| {
            if expiry_ms.is_none_or(|at_ms| at_ms > now_ms) {
                say(reply, part, field, value);
                count += 1;
            }
        });
    }
    match part {
        Part::Both => reply.close_map(mark, count),
        Part::Fields | Part::Values => reply.close_array(mark, count),
    }
    Ok(Outcome::Done)
}

fn hlen(ctx: &mut Ctx) -> Result {
    let hash = ctx.keys.read_value(ctx.arg(1), Entry::hash)?;
    ctx.reply.count(hash.map_or(0, HashRef::len));
    Ok(Outcome::Done)
}

fn hrandfield(ctx: &mut Ctx) -> Result {
    let count = if ctx.args.len() > 2 {
        Some(random_count(ctx)?)
    } else {
        None
    };
    let part = if ctx.args.len() > 3 {
        Part::Both
    } else {
        Part::Fields
    };
    let (key, now_ms) = (ctx.arg(1), ctx.keys.now_ms());
    let mut hash = ctx.keys.read_value(key, Entry::hash)?;
    if hash.is_some_and(|hash| hash.may_be_due(now_ms)) {
        if let Some(gone) = ctx.keys.expire_all_fields(key) {
            ctx.keys.notify_gone(key, gone);
        }
        hash = ctx.keys.peek_value(key, Entry::hash)?;
    }
    match (hash, count) {
        (None, None) => ctx.reply.nil(),
        (None, Some(_)) => ctx.reply.array(0),
        (Some(hash), None) => match hash.random(&mut || ctx.rng.next_u64()) {
            Some((field, _)) => ctx.reply.bulk(&field.text()),
            None => ctx.reply.nil(),
        },
        (Some(hash), Some(count)) => reply_random(ctx.reply, ctx.rng, hash, count, part),
    }
    Ok(Outcome::Done)
}

/// The count of HRANDFIELD; the words behind it are checked.
fn random_count(ctx: &Ctx) -> core::result::Result<i64, Error> {
    let count = ctx.integer(2)?;
    if count == i64::MIN {
        return Err(Error::new(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let options = &mut ctx.options(3);
    let with_values = options.take("WITHVALUES");
    if !options.is_done() {
        return Err(Error::SYNTAX);
    }
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::new("ERR value is out of range"));
    }
    Ok(count)
}

/// Any `count` different fields; of a negative count any, the same ones possibly again.
fn reply_random(reply: &mut Reply, rng: &mut Rng, hash: HashRef<'_>, count: i64, part: Part) {
    let len = hash.len();
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let total = if count < 0 { wanted } else { wanted.min(len) };
    let is_nested = part == Part::Both && reply.is_resp3();
    reply.array(match part {
        Part::Both if !is_nested => total.saturating_mul(2),
        _ => total,
    });
    let mut put = |field: Item<'_>, value: Item<'_>| {
        if is_nested {
            reply.array(2);
        }
        say(reply, part, field, value);
    };
    if count < 0 {
        for _ in 0..total {
            if let Some((field, value)) = hash.random(&mut || rng.next_u64()) {
                put(field, value);
            }
        }
    } else if total == len {
        hash.each(&mut |field, value, _| put(field, value));
    } else if total < len / 3 {
        let mut seen = OrderedSet::new();
        while seen.len() < total {
            if let Some((field, value)) = hash.random(&mut || rng.next_u64())
                && seen.insert(field.to_vec())
            {
                put(field, value);
            }
        }
    } else {
        let mut all = Vec::with_capacity(len);
        hash.each(&mut |field, value, _| all.push((field, value)));
        for at in 0..total {
            let other = at + rng.below((len - at) as u64) as usize;
            if other < all.len() {
                all.swap(at, other);
            }
            if let Some((field, value)) = all.get(at) {
                put(*field, *value);
            }
        }
    }
}

fn hscan(ctx: &mut Ctx) -> Result {
    let now_ms = ctx.keys.now_ms();
    scan_value(ctx, Type::Hash, &mut |entry, request, found| {
        let Some(hash) = entry.hash() else {
            return 0;
        };
        hash.scan(
            request.cursor,
            request.count,
            &mut |field, value, expiry_ms| {
                let is_live = expiry_ms.is_none_or(|at_ms| at_ms > now_ms);
                if is_live && request.fits(&field.text()) {
                    found.put(&field.text());
                    if request.has_values {
                        found.put(&value.text());
                    }
                }
            },
        )
    })
}
