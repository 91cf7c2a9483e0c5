//! Taking elements out at the ends, and waiting for some.

use super::tell_removal;
use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;
use crate::resp::{Error, Reply};
use crate::state::Block;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, MultiPop, Outcome, Result, args,
    double, flag, integer, key, oneof, prose,
};
use crate::values::list::End;
use crate::values::{List, ListRef};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "lpop",
        doc: prose!("Takes one element or several out at the head of a list; the last one takes the list with it.", "O(N), N the number of elements taken out"),
        run: lpop,
        ..POP
    },
    Command {
        name: "rpop",
        doc: prose!("Takes one element or several out at the tail of a list; the last one takes the list with it.", "O(N), N the number of elements taken out"),
        run: rpop,
        ..POP
    },
    Command {
        name: "lmpop", arity: -4, group: Group::List, since: "7.0.0",
        flags: Flags::WRITE | Flags::MOVABLEKEYS,
        acl: Acl::LIST,
        keys: &[KeySpec::index(1).keynum(0, 1, 1).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
        args: args![
            integer("numkeys"), key("key").multiple(), oneof("where", args![flag("LEFT"), flag("RIGHT")]),
            integer("count").token("COUNT").optional(),
        ],
        reply: "[bulk, [bulk]] | nil",
        doc: prose!("Takes elements out of the first of several lists that has some.", "O(N+M), N the number of keys, M of elements taken out"),
        run: lmpop,
        ..BASE
    },
    Command {
        name: "blpop",
        doc: prose!("Takes the element at the head out of the first of several lists that has one; waits for one if need be.", "O(N), N the number of keys"),
        run: blpop,
        ..WAIT
    },
    Command {
        name: "brpop",
        doc: prose!("Takes the element at the tail out of the first of several lists that has one; waits for one if need be.", "O(N), N the number of keys"),
        run: brpop,
        ..WAIT
    },
    Command {
        name: "blmpop", arity: -5, group: Group::List, since: "7.0.0",
        flags: Flags::WRITE | Flags::BLOCKING | Flags::MOVABLEKEYS,
        acl: Acl::LIST,
        keys: &[KeySpec::index(2).keynum(0, 1, 1).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
        args: args![
            double("timeout"), integer("numkeys"), key("key").multiple(), oneof("where", args![flag("LEFT"), flag("RIGHT")]),
            integer("count").token("COUNT").optional(),
        ],
        reply: "[bulk, [bulk]] | nil",
        doc: prose!("Takes elements out of the first of several lists that has some; waits for some if need be.", "O(N+M), N the number of keys, M of elements taken out"),
        run: blmpop,
        ..BASE
    },
];

#[rustfmt::skip]
const POP: Command = Command {
    arity: -2, group: Group::List, since: "1.0.0",
    flags: Flags::WRITE | Flags::FAST,
    acl: Acl::LIST,
    keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
    args: args![key("key"), integer("count").optional().since("6.2.0")],
    reply: "bulk | [bulk] | nil",
    ..BASE
};

#[rustfmt::skip]
const WAIT: Command = Command {
    arity: -3, group: Group::List, since: "2.0.0",
    flags: Flags::WRITE | Flags::BLOCKING,
    acl: Acl::LIST,
    keys: &[KeySpec::index(1).range(-2, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
    args: args![key("key").multiple(), double("timeout")],
    reply: "[bulk, bulk] | nil",
    ..BASE
};

/// What a pop replies.
#[derive(Clone, Copy)]
enum Shape {
    /// The element.
    Single,
    /// The key and the element.
    Keyed,
    /// The elements.
    Several,
    /// The key and the elements.
    KeyedSeveral,
}

impl Shape {
    fn write(self, reply: &mut Reply, key: &[u8], list: ListRef<'_>, end: End, count: usize) {
        if matches!(self, Shape::Keyed | Shape::KeyedSeveral) {
            reply.array(2);
            reply.bulk(key);
        }
        if matches!(self, Shape::Several | Shape::KeyedSeveral) {
            reply.array(count);
            let from = if end.is_left() { 0 } else { list.len() - 1 };
            for element in list.walk(from, end).take(count) {
                reply.bulk(&element.text());
            }
        } else if let Some(element) = list.end(end) {
            reply.bulk(&element.text());
        }
    }
}

/// Takes up to `count` elements out of the list at `key` and replies them. How many; None when there is no list.
#[inline]
fn take(
    ctx: &mut Ctx,
    key: &[u8],
    end: End,
    count: usize,
    shape: Shape,
) -> core::result::Result<Option<usize>, Error> {
    let reply = &mut *ctx.reply;
    let taken = ctx.keys.edit(key, |list: &mut List, limits| {
        let count = count.min(list.view().len());
        shape.write(reply, key, list.view(), end, count);
        if count > 0 {
            list.remove_end(end, count);
            list.shrink(limits);
        }
        Ok((count as u64, count))
    })?;
    let Some(taken) = taken else {
        return Ok(None);
    };
    if taken.value > 0 {
        tell_removal(ctx, end.pop_name(), key, taken.is_removed);
    }
    Ok(Some(taken.value))
}

fn lpop(ctx: &mut Ctx) -> Result {
    pop(ctx, End::Left)
}

fn rpop(ctx: &mut Ctx) -> Result {
    pop(ctx, End::Right)
}

fn pop(ctx: &mut Ctx, end: End) -> Result {
    let (count, shape) = match ctx.args {
        [_, _] => (1, Shape::Single),
        [_, _, count] => {
            let count = num::parse_count(count);
            let count = count.ok_or(Error::new("ERR value is out of range, must be positive"))?;
            (count, Shape::Several)
        }
        _ => return Err(Error::wrong_arity(ctx.row.name.as_bytes())),
    };
    if take(ctx, ctx.arg(1), end, count, shape)?.is_none() {
        match shape {
            Shape::Single => ctx.reply.nil(),
            _ => ctx.reply.nil_array(),
        }
    }
    Ok(Outcome::Done)
}

/// What LMPOP and BLMPOP ask for, from the number of keys on.
fn request<'a>(ctx: &Ctx<'a>, at: usize) -> core::result::Result<MultiPop<'a, End>, Error> {
    ctx.multi_pop(at, |options| End::parse(options.value()?))
}

/// Takes from the first list that is there, and logs it as a command that does not choose; false when none is.
fn take_first(
    ctx: &mut Ctx,
    keys: &[&[u8]],
    end: End,
    count: Option<usize>,
) -> core::result::Result<bool, Error> {
    let shape = match count {
        Some(_) => Shape::KeyedSeveral,
        None => Shape::Keyed,
    };
    for key in keys {
        let Some(taken) = take(ctx, key, end, count.unwrap_or(1), shape)? else {
            continue;
        };
        let name: &[u8] = if end.is_left() { b"LPOP" } else { b"RPOP" };
        match count {
            Some(_) => ctx.propagate(&[name, key, num::format_u64(taken as u64).as_bytes()]),
            None => ctx.propagate(&[name, key]),
        }
        return Ok(true);
    }
    Ok(false)
}

fn lmpop(ctx: &mut Ctx) -> Result {
    let request = request(ctx, 1)?;
    if !take_first(ctx, request.keys, request.which, Some(request.count))? {
        ctx.reply.nil_array();
    }
    Ok(Outcome::Done)
}

fn blpop(ctx: &mut Ctx) -> Result {
    pop_or_wait(ctx, End::Left)
}

fn brpop(ctx: &mut Ctx) -> Result {
    pop_or_wait(ctx, End::Right)
}

fn pop_or_wait(ctx: &mut Ctx, end: End) -> Result {
    let Some((timeout, rest)) = ctx.args.split_last() else {
        return Err(Error::SYNTAX);
    };
    let keys = rest.get(1..).unwrap_or(&[]);
    take_or_wait(ctx, timeout, keys, end, None)
}

fn blmpop(ctx: &mut Ctx) -> Result {
    let request = request(ctx, 2)?;
    let timeout = ctx.arg(1);
    take_or_wait(
        ctx,
        timeout,
        request.keys,
        request.which,
        Some(request.count),
    )
}

fn take_or_wait(
    ctx: &mut Ctx,
    timeout: &[u8],
    keys: &[&[u8]],
    end: End,
    count: Option<usize>,
) -> Result {
    let deadline_ms = ctx.deadline_from_s(timeout)?;
    if take_first(ctx, keys, end, count)? {
        return Ok(Outcome::Done);
    }
    let keys = keys.iter().map(|key| key.owned()).collect();
    Ok(Outcome::Block(Box::new(Block::on_keys(keys, deadline_ms))))
}
