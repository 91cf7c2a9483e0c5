//! Moving elements from one list to another, and waiting for some.

use super::tell_removal;
use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;
use crate::keyspace::Class;
use crate::resp::Error;
use crate::state::Block;
use crate::structures::item::Item;
use crate::table::{
    Acl, BASE, Command, Ctx, Deprecated, Flags, Group, KeyFlags, KeySpec, NO_COUNT, Options,
    Outcome, Result, args, block, double, flag, integer, key, oneof, positive, prose,
};
use crate::values::list::End;
use crate::values::{Entry, Limits, List, ListRef};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "lmove", arity: 5, since: "6.2.0",
        args: args![
            key("source"), key("destination").spec(1), oneof("wherefrom", args![flag("LEFT"), flag("RIGHT")]),
            oneof("whereto", args![flag("LEFT"), flag("RIGHT")]),
        ],
        reply: "bulk | nil",
        doc: prose!("Takes an element out at one end of a list, adds it at one end of another or the same, and returns it.", "O(1)"),
        run: lmove,
        ..MOVE
    },
    Command {
        name: "rpoplpush", arity: 3, since: "1.2.0",
        args: args![key("source"), key("destination").spec(1)],
        reply: "bulk | nil",
        doc: prose!("Moves the element at the tail of a list to the head of another or the same, and returns it.", "O(1)"),
        deprecated: Some(Deprecated { since: "6.2.0", replaced_by: "`LMOVE` with the `RIGHT` and `LEFT` arguments" }),
        run: rpoplpush,
        ..MOVE
    },
    Command {
        name: "lmovem", arity: -5, since: "8.10.0",
        args: args![
            key("source"), key("destination").spec(1), oneof("wherefrom", args![flag("LEFT"), flag("RIGHT")]),
            oneof("whereto", args![flag("LEFT"), flag("RIGHT")]),
            block("how-many", args![
                oneof("selector", args![integer("count").token("COUNT"), integer("exactly").token("EXACTLY")]),
                oneof("ordering", args![flag("OBO"), flag("BULK")]),
            ]).optional(),
        ],
        reply: "[bulk] | nil",
        doc: prose!("Moves elements from one end of a list to one end of another or the same, and returns them: as many as there are up to a number, or exactly that number.", "O(N), N the number of elements moved"),
        run: lmovem,
        ..MOVE
    },
    Command {
        name: "blmove", arity: 6, since: "6.2.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::BLOCKING,
        args: args![
            key("source"), key("destination").spec(1), oneof("wherefrom", args![flag("LEFT"), flag("RIGHT")]),
            oneof("whereto", args![flag("LEFT"), flag("RIGHT")]), double("timeout"),
        ],
        reply: "bulk | nil",
        doc: prose!("Does what LMOVE does, and waits for an element if need be.", "O(1)"),
        run: blmove,
        ..MOVE
    },
    Command {
        name: "brpoplpush", arity: 4, since: "2.2.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::BLOCKING,
        args: args![key("source"), key("destination").spec(1), double("timeout")],
        reply: "bulk | nil",
        doc: prose!("Does what RPOPLPUSH does, and waits for an element if need be.", "O(1)"),
        deprecated: Some(Deprecated { since: "6.2.0", replaced_by: "`BLMOVE` with the `RIGHT` and `LEFT` arguments" }),
        run: brpoplpush,
        ..MOVE
    },
    Command {
        name: "blmovem", arity: -6, since: "8.10.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::BLOCKING,
        args: args![
            key("source"), key("destination").spec(1), oneof("wherefrom", args![flag("LEFT"), flag("RIGHT")]),
            oneof("whereto", args![flag("LEFT"), flag("RIGHT")]), double("timeout"),
            block("how-many", args![
                oneof("selector", args![integer("count").token("COUNT"), integer("exactly").token("EXACTLY")]),
                oneof("ordering", args![flag("OBO"), flag("BULK")]),
            ]).optional(),
        ],
        reply: "[bulk] | nil",
        doc: prose!("Does what LMOVEM does, and waits until there are enough elements.", "O(N), N the number of elements moved"),
        run: blmovem,
        ..MOVE
    },
];

#[rustfmt::skip]
const MOVE: Command = Command {
    group: Group::List,
    flags: Flags::WRITE | Flags::DENYOOM,
    acl: Acl::LIST,
    keys: &[
        KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE),
        KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::INSERT),
    ],
    ..BASE
};

/// From which end to which.
#[derive(Clone, Copy)]
struct Route {
    from: End,
    to: End,
}

const RIGHT_TO_LEFT: Route = Route {
    from: End::Right,
    to: End::Left,
};

impl Route {
    fn parse(ctx: &Ctx) -> core::result::Result<Route, Error> {
        Ok(Route {
            from: End::parse(ctx.arg(3))?,
            to: End::parse(ctx.arg(4))?,
        })
    }
}

/// An element on its way; an integer costs nothing in the sum that decides on encodings.
struct Taken {
    text: Vec<u8>,
    counted_bytes: usize,
}

impl Taken {
    fn new(item: Item<'_>) -> Taken {
        let text = item.to_vec();
        let counted_bytes = match item {
            Item::Int(_) => 0,
            Item::Bytes(_) => text.len(),
        };
        Taken {
            text,
            counted_bytes,
        }
    }
}

/// Looks at the source, which loses its key if its time is up.
fn source<'a>(ctx: &'a mut Ctx) -> core::result::Result<Option<ListRef<'a>>, Error> {
    let key = ctx.arg(1);
    if ctx.keys.peek(key).is_none() {
        // Nothing is changed; but a key whose time is up goes now.
        ctx.keys.edit(key, |_: &mut List, _| Ok((0, ())))?;
        return Ok(None);
    }
    ctx.keys.peek_value(key, Entry::list)
}

/// Moves elements, which stand at the source's end in that order, to the destination; they are added in the order of
/// `added`, which is the same one or its opposite.
fn transfer(
    ctx: &mut Ctx,
    route: Route,
    taken: &[Taken],
    is_reversed: bool,
) -> core::result::Result<(), Error> {
    let (from, to) = (ctx.arg(1), ctx.arg(2));
    let count = taken.len();
    let add = |list: &mut List, limits: &Limits| {
        let bytes = taken.iter().map(|element| element.counted_bytes).sum();
        list.grow(bytes, count, limits);
        for at in 0..count {
            let at = if is_reversed { count - 1 - at } else { at };
            if let Some(element) = taken.get(at) {
                list.push(&element.text, route.to);
            }
        }
    };
    let is_removed = if from == to {
        let edited = ctx.keys.edit(from, |list: &mut List, limits| {
            list.remove_end(route.from, count);
            add(list, limits);
            list.shrink(limits);
            Ok((count as u64, ()))
        })?;
        ctx.keys.notify(Class::LIST, route.to.push_name(), to);
        edited.is_some_and(|edited| edited.is_removed)
    } else {
        ctx.keys.edit_or_new(to, |list: &mut List, limits| {
            add(list, limits);
            Ok((count as u64, ()))
        })?;
        // The move is one change, not two.
        ctx.keys.dirty -= count as u64;
        ctx.keys.notify(Class::LIST, route.to.push_name(), to);
        let edited = ctx.keys.edit(from, |list: &mut List, limits| {
            list.remove_end(route.from, count);
            list.shrink(limits);
            Ok((count as u64, ()))
        })?;
        edited.is_some_and(|edited| edited.is_removed)
    };
    ctx.keys.grown(to);
    tell_removal(ctx, route.from.pop_name(), from, is_removed);
    Ok(())
}

/// Moves one element and replies it; false when there is none.
fn move_one(ctx: &mut Ctx, route: Route) -> core::result::Result<bool, Error> {
    let element = source(ctx)?.and_then(|list| list.end(route.from));
    let Some(element) = element.map(Taken::new) else {
        return Ok(false);
    };
    ctx.keys.peek_value(ctx.arg(2), Entry::list)?;
    ctx.reply.bulk(&element.text);
    transfer(ctx, route, &[element], false)?;
    Ok(true)
}

fn lmove(ctx: &mut Ctx) -> Result {
    let route = Route::parse(ctx)?;
    move_or_nil(ctx, route)
}

fn rpoplpush(ctx: &mut Ctx) -> Result {
    move_or_nil(ctx, RIGHT_TO_LEFT)
}

fn move_or_nil(ctx: &mut Ctx, route: Route) -> Result {
    if !move_one(ctx, route)? {
        ctx.reply.nil();
    }
    Ok(Outcome::Done)
}

fn blmove(ctx: &mut Ctx) -> Result {
    let route = Route::parse(ctx)?;
    let deadline_ms = ctx.deadline_from_s(ctx.arg(5))?;
    if !move_one(ctx, route)? {
        return wait_for_one(ctx, deadline_ms);
    }
    let words = [ctx.arg(1), ctx.arg(2), ctx.arg(3), ctx.arg(4)];
    let [from, to, wherefrom, whereto] = words;
    ctx.propagate(&[b"LMOVE", from, to, wherefrom, whereto]);
    Ok(Outcome::Done)
}

fn brpoplpush(ctx: &mut Ctx) -> Result {
    let deadline_ms = ctx.deadline_from_s(ctx.arg(3))?;
    if !move_one(ctx, RIGHT_TO_LEFT)? {
        return wait_for_one(ctx, deadline_ms);
    }
    let (from, to) = (ctx.arg(1), ctx.arg(2));
    ctx.propagate(&[b"RPOPLPUSH", from, to]);
    Ok(Outcome::Done)
}

/// In a transaction there is one nil, at the end of the time another.
fn wait_for_one(ctx: &mut Ctx, deadline_ms: Option<i64>) -> Result {
    if ctx.session.is_in_exec {
        ctx.reply.nil();
        return Ok(Outcome::Done);
    }
    let keys = vec![ctx.arg(1).owned()];
    Ok(Outcome::Block(Box::new(Block::on_keys(keys, deadline_ms))))
}

/// How many elements LMOVEM moves, and how.
#[derive(Clone, Copy)]
struct HowMany {
    count: usize,
    /// That many or none.
    is_exact: bool,
    /// They keep the order in which they stand in the source.
    is_bulk: bool,
}

impl HowMany {
    fn parse(options: &mut Options) -> core::result::Result<HowMany, Error> {
        if options.is_done() {
            return Ok(HowMany {
                count: 1,
                is_exact: false,
                is_bulk: false,
            });
        }
        let (is_exact, count) = match options.take_value("COUNT") {
            Some(count) => (false, count),
            None => (true, options.take_value("EXACTLY").ok_or(Error::SYNTAX)?),
        };
        let count = positive(count, NO_COUNT)?;
        let is_bulk = options.take("BULK");
        if !is_bulk && !options.take("OBO") || !options.is_done() {
            return Err(Error::SYNTAX);
        }
        Ok(HowMany {
            count,
            is_exact,
            is_bulk,
        })
    }
}

/// Moves elements and replies them; how many there were.
fn move_several(
    ctx: &mut Ctx,
    route: Route,
    how_many: HowMany,
) -> core::result::Result<usize, Error> {
    let Some(list) = source(ctx)? else {
        return Ok(0);
    };
    let len = list.len();
    if how_many.is_exact && len < how_many.count {
        return Ok(0);
    }
    let from = if route.from.is_left() { 0 } else { len - 1 };
    let elements = list.walk(from, route.from).take(how_many.count);
    let taken: Vec<Taken> = elements.map(Taken::new).collect();
    ctx.keys.peek_value(ctx.arg(2), Entry::list)?;
    // One by one they end up as they are pushed; in bulk, in the source's order, for which those that come from the
    // tail, or go to the head, have to be turned round.
    let is_reversed = how_many.is_bulk && route.from == route.to;
    let is_shown_reversed = is_reversed != (route.to == End::Left);
    ctx.reply.array(taken.len());
    for at in 0..taken.len() {
        let at = if is_shown_reversed {
            taken.len() - 1 - at
        } else {
            at
        };
        if let Some(element) = taken.get(at) {
            ctx.reply.bulk(&element.text);
        }
    }
    transfer(ctx, route, &taken, is_reversed)?;
    Ok(taken.len())
}

fn lmovem(ctx: &mut Ctx) -> Result {
    let route = Route::parse(ctx)?;
    let how_many = HowMany::parse(&mut ctx.options(5))?;
    if move_several(ctx, route, how_many)? == 0 {
        match how_many.is_exact {
            true => ctx.reply.nil_array(),
            false => ctx.reply.array(0),
        }
    }
    Ok(Outcome::Done)
}

fn blmovem(ctx: &mut Ctx) -> Result {
    let route = Route::parse(ctx)?;
    let how_many = HowMany::parse(&mut ctx.options(6))?;
    let deadline_ms = ctx.deadline_from_s(ctx.arg(5))?;
    let moved = move_several(ctx, route, how_many)?;
    if moved == 0 {
        let mut block = Block::on_keys(vec![ctx.arg(1).owned()], deadline_ms);
        // A list that is too short becomes long enough without being created.
        block.wakes_on_deletion = how_many.is_exact;
        return Ok(Outcome::Block(Box::new(block)));
    }
    let words = [ctx.arg(1), ctx.arg(2), ctx.arg(3), ctx.arg(4)];
    let [from, to, wherefrom, whereto] = words;
    let count = num::format_u64(moved as u64);
    let order: &[u8] = if how_many.is_bulk { b"BULK" } else { b"OBO" };
    ctx.propagate(&[
        b"LMOVEM", from, to, wherefrom, whereto, b"EXACTLY", &count, order,
    ]);
    Ok(Outcome::Done)
}
