//! The members of one set: adding, removing, asking.

use crate::commands::generic::scan::scan_value;
use crate::keyspace::Class;
use crate::resp::{Error, Reply};
use crate::structures::item::Item;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, integer, key,
    pattern, prose, string,
};
use crate::values::{Entry, Limits, Set, SetRef, Type};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "sadd", arity: -3, group: Group::Set, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST, acl: Acl::SET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::INSERT)],
        args: args![key("key"), string("member").multiple()],
        reply: "int",
        doc: prose!("Adds members to a set and returns how many were new; a missing set is created.", "O(1) for each member"),
        run: sadd, ..BASE
    },
    Command {
        name: "srem", arity: -3, group: Group::Set, since: "1.0.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::SET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::DELETE)],
        args: args![key("key"), string("member").multiple()],
        reply: "int",
        doc: prose!("Removes members from a set and returns how many there were; a set without members is gone.", "O(1) for each member"),
        run: srem, ..BASE
    },
    Command {
        name: "smove", arity: 4, group: Group::Set, since: "1.0.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::SET,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE),
            KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::INSERT),
        ],
        args: args![key("source"), key("destination").spec(1), string("member")],
        reply: "int",
        doc: prose!("Moves a member from one set to another; says whether there was such a member.", "O(1)"),
        run: smove, ..BASE
    },
    Command {
        name: "sismember", arity: 3, group: Group::Set, since: "1.0.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::SET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key"), string("member")],
        reply: "int",
        doc: prose!("Says whether a set has a member.", "O(1)"),
        run: sismember, ..BASE
    },
    Command {
        name: "smismember", arity: -3, group: Group::Set, since: "6.2.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::SET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), string("member").multiple()],
        reply: "[int]",
        doc: prose!("Says of each of several members whether a set has it.", "O(N), N the number of members asked for"),
        run: smismember, ..BASE
    },
    Command {
        name: "scard", arity: 2, group: Group::Set, since: "1.0.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::SET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key")],
        reply: "int",
        doc: prose!("Returns the number of members of a set.", "O(1)"),
        run: scard, ..BASE
    },
    Command {
        name: "smembers", arity: 2, group: Group::Set, since: "1.0.0",
        flags: Flags::READONLY, acl: Acl::SET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key")],
        tips: &["nondeterministic_output_order"],
        reply: "set<bulk>",
        doc: prose!("Returns all members of a set.", "O(N), N the number of members"),
        run: smembers, ..BASE
    },
    Command {
        name: "sscan", arity: -3, group: Group::Set, since: "2.8.0",
        flags: Flags::READONLY, acl: Acl::SET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), integer("cursor"), pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
        ],
        tips: &["nondeterministic_output"],
        reply: "[bulk, [bulk]]",
        doc: prose!("Some members of a set, and a cursor to get more with; 0 begins, and comes back at the end.", "O(1) for a call, O(N) for all N members"),
        run: sscan, ..BASE
    },
];

/// Says a member.
#[inline]
pub(super) fn say(reply: &mut Reply, member: Item<'_>) {
    match member {
        Item::Bytes(bytes) => reply.bulk(bytes),
        Item::Int(number) => reply.bulk_int(number),
    }
}

/// Says all members of a set.
pub(super) fn say_all(reply: &mut Reply, set: SetRef<'_>) {
    set.walk(&mut |member| {
        say(reply, member);
        true
    });
}

/// The set at a key, as a reading command sees it.
#[inline]
pub(super) fn read<'a>(
    ctx: &'a mut Ctx,
    at: usize,
) -> core::result::Result<Option<SetRef<'a>>, Error> {
    ctx.keys.read_value(ctx.arg(at), Entry::set)
}

/// Adds members to a set, which may be new; how many were.
fn add_all(set: &mut Set, members: &[&[u8]], limits: &Limits) -> u64 {
    match members.first() {
        Some(first) if set.is_empty() => *set = Set::for_members(first, members.len(), limits),
        _ => set.prepare(members.len(), limits),
    }
    let mut added = 0;
    for member in members {
        added += u64::from(set.add(member, limits));
    }
    added
}

fn sadd(ctx: &mut Ctx) -> Result {
    let (key, members) = (ctx.arg(1), ctx.options(2).rest());
    let edited = ctx.keys.edit_or_new(key, |set: &mut Set, limits| {
        let added = add_all(set, members, limits);
        Ok((added, added))
    })?;
    if edited.value > 0 {
        ctx.keys.notify(Class::SET, "sadd", key);
    }
    ctx.reply.int(edited.value as i64);
    Ok(Outcome::Done)
}

fn srem(ctx: &mut Ctx) -> Result {
    let (key, members) = (ctx.arg(1), ctx.options(2).rest());
    let edited = ctx.keys.edit(key, |set: &mut Set, _| {
        let mut removed = 0;
        for member in members {
            removed += u64::from(set.remove(member));
            if set.is_empty() {
                break;
            }
        }
        Ok((removed, removed))
    })?;
    let removed = edited.map_or(0, |edited| edited.value);
    if removed > 0 {
        ctx.keys.notify(Class::SET, "srem", key);
    }
    if edited.is_some_and(|edited| edited.is_removed) {
        ctx.keys.notify(Class::GENERIC, "del", key);
    }
    ctx.reply.int(removed as i64);
    Ok(Outcome::Done)
}

fn smove(ctx: &mut Ctx) -> Result {
    let (from, to, member) = (ctx.arg(1), ctx.arg(2), ctx.arg(3));
    let is_moved = move_member(ctx, from, to, member)?;
    ctx.reply.int_bool(is_moved);
    Ok(Outcome::Done)
}

fn move_member(
    ctx: &mut Ctx,
    from: &[u8],
    to: &[u8],
    member: &[u8],
) -> core::result::Result<bool, Error> {
    let has_source = ctx.keys.exists_for_write(from);
    ctx.keys.exists_for_write(to);
    if !has_source {
        return Ok(false);
    }
    let source = ctx.keys.peek_value(from, Entry::set)?;
    ctx.keys.peek_value(to, Entry::set)?;
    if from == to {
        return Ok(source.is_some_and(|set| set.contains(member)));
    }
    let edited = ctx.keys.edit(from, |set: &mut Set, _| {
        let is_removed = set.remove(member);
        Ok((u64::from(is_removed), is_removed))
    })?;
    let Some(edited) = edited.filter(|edited| edited.value) else {
        return Ok(false);
    };
    ctx.keys.notify(Class::SET, "srem", from);
    if edited.is_removed {
        ctx.keys.notify(Class::GENERIC, "del", from);
    }
    let edited = ctx.keys.edit_or_new(to, |set: &mut Set, limits| {
        let added = add_all(set, &[member], limits);
        Ok((added, added))
    })?;
    if edited.value > 0 {
        ctx.keys.notify(Class::SET, "sadd", to);
    }
    Ok(true)
}

fn sismember(ctx: &mut Ctx) -> Result {
    let member = ctx.arg(2);
    let is_member = read(ctx, 1)?.is_some_and(|set| set.contains(member));
    ctx.reply.int_bool(is_member);
    Ok(Outcome::Done)
}

fn smismember(ctx: &mut Ctx) -> Result {
    let set = ctx.keys.read_value(ctx.arg(1), Entry::set)?;
    ctx.reply.array(ctx.args.len() - 2);
    for member in ctx.args.iter().skip(2) {
        ctx.reply
            .int_bool(set.is_some_and(|set| set.contains(member)));
    }
    Ok(Outcome::Done)
}

fn scard(ctx: &mut Ctx) -> Result {
    let count = read(ctx, 1)?.map_or(0, SetRef::len);
    ctx.reply.count(count);
    Ok(Outcome::Done)
}

fn smembers(ctx: &mut Ctx) -> Result {
    let set = ctx.keys.read_value(ctx.arg(1), Entry::set)?;
    ctx.reply.set(set.map_or(0, SetRef::len));
    if let Some(set) = set {
        say_all(ctx.reply, set);
    }
    Ok(Outcome::Done)
}

fn sscan(ctx: &mut Ctx) -> Result {
    scan_value(ctx, Type::Set, &mut |entry, request, found| {
        let Some(set) = entry.set() else { return 0 };
        set.scan(request.cursor, request.count, &mut |member| {
            let text = member.text();
            if request.fits(&text) {
                found.put(&text);
            }
        })
    })
}
