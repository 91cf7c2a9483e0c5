//! Changing and removing elements anywhere in a list.

use super::read::bounds;
use super::{mirrored, tell_removal};
use crate::keyspace::Class;
use crate::resp::Error;
use crate::structures::item::Needle;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, flag, integer,
    key, oneof, prose, string,
};
use crate::values::List;
use crate::values::list::End;

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "lset", arity: 4, group: Group::List, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM,
        acl: Acl::LIST,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key"), integer("index"), string("element")],
        reply: "OK",
        doc: prose!("Puts another element in the place of the one with an index.", "O(N), N the number of nodes to pass; O(1) at the ends"),
        run: lset,
        ..BASE
    },
    Command {
        name: "linsert", arity: 5, group: Group::List, since: "2.2.0",
        flags: Flags::WRITE | Flags::DENYOOM,
        acl: Acl::LIST,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::INSERT)],
        args: args![key("key"), oneof("where", args![flag("BEFORE"), flag("AFTER")]), string("pivot"), string("element")],
        reply: "int",
        doc: prose!("Adds an element before or behind the first that is equal to another.", "O(N), N the number of elements before that one"),
        run: linsert,
        ..BASE
    },
    Command {
        name: "ltrim", arity: 4, group: Group::List, since: "1.0.0",
        flags: Flags::WRITE,
        acl: Acl::LIST,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::DELETE)],
        args: args![key("key"), integer("start"), integer("stop")],
        reply: "OK",
        doc: prose!("Keeps the elements from one index to another and removes all others.", "O(N), N the number of elements removed"),
        run: ltrim,
        ..BASE
    },
    Command {
        name: "lrem", arity: 4, group: Group::List, since: "1.0.0",
        flags: Flags::WRITE,
        acl: Acl::LIST,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::DELETE)],
        args: args![key("key"), integer("count"), string("element")],
        reply: "int",
        doc: prose!("Removes elements that are equal to one: all, so many from the head, or so many from the tail.", "O(N+M), N the length of the list, M the number of elements removed"),
        run: lrem,
        ..BASE
    },
];

fn lset(ctx: &mut Ctx) -> Result {
    let (key, index, element) = (ctx.arg(1), ctx.integer(2), ctx.arg(3));
    let edited = ctx.keys.edit(key, |list: &mut List, limits| {
        // Redis keeps its low 32 bits.
        let index = i64::from(index? as i32);
        // What is about to be set counts, even if it is not.
        list.grow_by(&[element], limits);
        let Some(rank) = list.view().rank(index) else {
            return Ok((0, false));
        };
        list.set(rank, element);
        list.shrink(limits);
        Ok((1, true))
    })?;
    match edited {
        None => Err(Error::NO_SUCH_KEY),
        Some(edited) if !edited.value => Err(Error::OUT_OF_RANGE),
        Some(_) => {
            ctx.reply.ok();
            ctx.keys.notify(Class::LIST, "lset", key);
            Ok(Outcome::Done)
        }
    }
}

fn linsert(ctx: &mut Ctx) -> Result {
    let place = ctx.arg(2);
    let is_after = place.eq_ignore_ascii_case(b"after");
    if !is_after && !place.eq_ignore_ascii_case(b"before") {
        return Err(Error::SYNTAX);
    }
    let (key, pivot, element) = (ctx.arg(1), ctx.arg(3), ctx.arg(4));
    let edited = ctx.keys.edit(key, |list: &mut List, limits| {
        list.grow_by(&[element], limits);
        let pivot = Needle::new(pivot);
        let Some(rank) = list.view().iter().position(|item| pivot.is(item)) else {
            return Ok((0, None));
        };
        list.insert(rank, element, is_after);
        Ok((1, Some(list.view().len())))
    })?;
    match edited.map(|edited| edited.value) {
        None => ctx.reply.int(0),
        Some(None) => ctx.reply.int(-1),
        Some(Some(len)) => {
            ctx.reply.count(len);
            ctx.keys.notify(Class::LIST, "linsert", key);
            ctx.keys.grown(key);
        }
    }
    Ok(Outcome::Done)
}

fn ltrim(ctx: &mut Ctx) -> Result {
    let (key, start, stop) = (ctx.arg(1), ctx.integer(2)?, ctx.integer(3)?);
    let edited = ctx.keys.edit(key, |list: &mut List, limits| {
        let len = list.view().len();
        let (rank, count) = bounds(start, stop, len);
        list.remove(rank + count, len);
        list.remove(0, rank);
        list.shrink(limits);
        Ok(((len - count) as u64, len != count))
    })?;
    ctx.reply.ok();
    if let Some(edited) = edited {
        if !edited.value {
            // A trim of nothing is none for the log, but it is for those who watch the key.
            ctx.keys.touched(key);
        }
        tell_removal(ctx, "ltrim", key, edited.is_removed);
    }
    Ok(Outcome::Done)
}

fn lrem(ctx: &mut Ctx) -> Result {
    let (key, count, element) = (ctx.arg(1), mirrored(ctx.arg(2))?, ctx.arg(3));
    let from = if count < 0 { End::Right } else { End::Left };
    let limit = match count {
        0 => usize::MAX,
        count => usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX),
    };
    let edited = ctx.keys.edit(key, |list: &mut List, limits| {
        let removed = list.remove_equal(element, limit, from);
        if removed > 0 {
            list.shrink(limits);
        }
        Ok((removed as u64, removed))
    })?;
    let Some(edited) = edited else {
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    };
    ctx.reply.count(edited.value);
    if edited.value > 0 {
        tell_removal(ctx, "lrem", key, edited.is_removed);
    }
    Ok(Outcome::Done)
}
