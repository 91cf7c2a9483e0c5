//! Taking the first or last members out, at once or when there are some.

use super::remove::tell;
use super::{reply_members, reply_pairs};
use crate::algorithms::num;
use crate::resp::Error;
use crate::state::Block;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, MultiPop, Outcome, Result, args,
    double, flag, integer, key, oneof, prose,
};
use crate::values::SortedSet;

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "zpopmin", arity: -2, group: Group::SortedSet, since: "5.0.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
        args: args![key("key"), integer("count").optional()],
        reply: "[bulk, double] | [[bulk, double]] | [bulk]",
        doc: prose!("Takes the members with the lowest scores out of a sorted set; the key goes with the last one.", "O(M*log(N)), N the number of members, M of those taken"),
        run: zpopmin,
        ..BASE
    },
    Command {
        name: "zpopmax", arity: -2, group: Group::SortedSet, since: "5.0.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
        args: args![key("key"), integer("count").optional()],
        reply: "[bulk, double] | [[bulk, double]] | [bulk]",
        doc: prose!("Takes the members with the highest scores out of a sorted set; the key goes with the last one.", "O(M*log(N)), N the number of members, M of those taken"),
        run: zpopmax,
        ..BASE
    },
    Command {
        name: "zmpop", arity: -4, group: Group::SortedSet, since: "7.0.0",
        flags: Flags::WRITE | Flags::MOVABLEKEYS,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).keynum(0, 1, 1).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
        args: args![
            integer("numkeys"), key("key").multiple(), oneof("where", args![flag("MIN"), flag("MAX")]),
            integer("count").token("COUNT").optional(),
        ],
        reply: "[bulk, [[bulk, double]]] | nil",
        doc: prose!("Takes members out of the first of several sorted sets that has some.", "O(K)+O(M*log(N)), K the number of keys, N of members, M of those taken"),
        run: zmpop,
        ..BASE
    },
    Command {
        name: "bzpopmin", arity: -3, group: Group::SortedSet, since: "5.0.0",
        flags: Flags::WRITE | Flags::BLOCKING | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(-2, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
        args: args![key("key").multiple(), double("timeout")],
        reply: "[bulk, bulk, double] | nil",
        doc: prose!("Takes the member with the lowest score out of the first of several sorted sets that has one; waits for one if need be.", "O(log(N)), N the number of members"),
        run: bzpopmin,
        ..BASE
    },
    Command {
        name: "bzpopmax", arity: -3, group: Group::SortedSet, since: "5.0.0",
        flags: Flags::WRITE | Flags::BLOCKING | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(-2, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
        args: args![key("key").multiple(), double("timeout")],
        reply: "[bulk, bulk, double] | nil",
        doc: prose!("Takes the member with the highest score out of the first of several sorted sets that has one; waits for one if need be.", "O(log(N)), N the number of members"),
        run: bzpopmax,
        ..BASE
    },
    Command {
        name: "bzmpop", arity: -5, group: Group::SortedSet, since: "7.0.0",
        flags: Flags::WRITE | Flags::BLOCKING | Flags::MOVABLEKEYS,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(2).keynum(0, 1, 1).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
        args: args![
            double("timeout"), integer("numkeys"), key("key").multiple(), oneof("where", args![flag("MIN"), flag("MAX")]),
            integer("count").token("COUNT").optional(),
        ],
        reply: "[bulk, [[bulk, double]]] | nil",
        doc: prose!("Takes members out of the first of several sorted sets that has some; waits for some if need be.", "O(K)+O(M*log(N)), K the number of keys, N of members, M of those taken"),
        run: bzmpop,
        ..BASE
    },
];

/// How what was taken is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// The member and its score, one after the other.
    Flat,
    /// Members with scores as other commands show them.
    Members,
    /// The key, the member and its score.
    Keyed,
    /// The key and pairs.
    KeyedPairs,
}

/// Takes up to `count` members out of the sorted set at `key` and replies them; how many, None when there is no key.
fn take(
    ctx: &mut Ctx,
    key: &[u8],
    is_max: bool,
    count: usize,
    shape: Shape,
) -> core::result::Result<Option<u64>, Error> {
    let reply = &mut *ctx.reply;
    let edited = ctx.keys.edit(key, |set: &mut SortedSet, _| {
        let len = set.view().len();
        let count = count.min(len);
        let ranks = if is_max { len - count..len } else { 0..count };
        let mut members = set.view().walk(ranks.clone(), is_max);
        match shape {
            Shape::Members => reply_members(reply, members, true),
            Shape::KeyedPairs => {
                reply.array(2);
                reply.bulk(key);
                reply_pairs(reply, members);
            }
            Shape::Flat | Shape::Keyed => {
                reply.array(2 + usize::from(shape == Shape::Keyed));
                if shape == Shape::Keyed {
                    reply.bulk(key);
                }
                if let Some((member, score)) = members.next() {
                    reply.bulk(&member.text());
                    reply.double(score);
                }
            }
        }
        if count > 0 {
            set.remove_ranks(ranks);
        }
        Ok((count as u64, count as u64))
    })?;
    let Some(edited) = edited else {
        return Ok(None);
    };
    if edited.value > 0 {
        let event = if is_max { "zpopmax" } else { "zpopmin" };
        tell(ctx, key, event, edited.is_removed);
    }
    Ok(Some(edited.value))
}

fn zpopmin(ctx: &mut Ctx) -> Result {
    pop(ctx, false)
}

fn zpopmax(ctx: &mut Ctx) -> Result {
    pop(ctx, true)
}

fn pop(ctx: &mut Ctx, is_max: bool) -> Result {
    let (count, shape) = match ctx.args {
        [_, _] => (1, Shape::Flat),
        [_, _, count] => {
            let count = num::parse_count(count);
            let count = count.ok_or(Error::new("ERR value is out of range, must be positive"))?;
            (count, Shape::Members)
        }
        _ => return Err(Error::SYNTAX),
    };
    if take(ctx, ctx.arg(1), is_max, count, shape)?.is_none() {
        ctx.reply.array(0);
    }
    Ok(Outcome::Done)
}

/// What ZMPOP and BZMPOP ask for, from the number of keys on: whether the highest members.
fn request<'a>(ctx: &Ctx<'a>, at: usize) -> core::result::Result<MultiPop<'a, bool>, Error> {
    ctx.multi_pop(at, |options| match options.take("MAX") {
        true => Ok(true),
        false if options.take("MIN") => Ok(false),
        false => Err(Error::SYNTAX),
    })
}

/// Takes from the first sorted set that is there, and logs it as a command that does not choose; false when none is.
fn take_first(
    ctx: &mut Ctx,
    keys: &[&[u8]],
    is_max: bool,
    count: Option<usize>,
) -> core::result::Result<bool, Error> {
    let shape = match count {
        Some(_) => Shape::KeyedPairs,
        None => Shape::Keyed,
    };
    for key in keys {
        let taken = take(ctx, key, is_max, count.unwrap_or(1), shape)?;
        let Some(taken) = taken else { continue };
        let name: &[u8] = if is_max { b"ZPOPMAX" } else { b"ZPOPMIN" };
        if count.is_some() {
            ctx.propagate(&[name, key, num::format_u64(taken).as_bytes()]);
        } else {
            ctx.propagate(&[name, key]);
        }
        return Ok(true);
    }
    Ok(false)
}

fn zmpop(ctx: &mut Ctx) -> Result {
    let request = request(ctx, 1)?;
    if !take_first(ctx, request.keys, request.which, Some(request.count))? {
        ctx.reply.nil_array();
    }
    Ok(Outcome::Done)
}

fn bzpopmin(ctx: &mut Ctx) -> Result {
    pop_or_wait(ctx, false)
}

fn bzpopmax(ctx: &mut Ctx) -> Result {
    pop_or_wait(ctx, true)
}

fn pop_or_wait(ctx: &mut Ctx, is_max: bool) -> Result {
    let Some((timeout, rest)) = ctx.args.split_last() else {
        return Err(Error::SYNTAX);
    };
    let keys = rest.get(1..).unwrap_or_default();
    let deadline_ms = ctx.deadline_from_s(timeout)?;
    take_or_wait(ctx, deadline_ms, keys, is_max, None)
}

fn bzmpop(ctx: &mut Ctx) -> Result {
    let request = request(ctx, 2)?;
    let deadline_ms = ctx.deadline_from_s(ctx.arg(1))?;
    take_or_wait(
        ctx,
        deadline_ms,
        request.keys,
        request.which,
        Some(request.count),
    )
}

fn take_or_wait(
    ctx: &mut Ctx,
    deadline_ms: Option<i64>,
    keys: &[&[u8]],
    is_max: bool,
    count: Option<usize>,
) -> Result {
    if take_first(ctx, keys, is_max, count)? {
        return Ok(Outcome::Done);
    }
    let keys = keys.iter().map(|key| key.to_vec()).collect();
    Ok(Outcome::Block(Box::new(Block::on_keys(keys, deadline_ms))))
}
