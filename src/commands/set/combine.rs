//! Several sets at once: intersection, union, difference; replied, stored or counted.

use super::members::{say, say_all};
use crate::algorithms::num;
use crate::algorithms::order::order;
use crate::keyspace::{Class, Keyspace};
use crate::resp::{Error, Reply};
use crate::structures::hyperloglog::{self, Place};
use crate::structures::item::Item;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, flag, integer,
    key, prose,
};
use crate::values::{Entry, Limits, Set, SetRef};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "sinter", arity: -2, group: Group::Set, since: "1.0.0",
        flags: Flags::READONLY, acl: Acl::SET,
        keys: &[KeySpec::index(1).range(-1, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key").multiple()],
        tips: &["nondeterministic_output_order"],
        reply: "set<bulk>",
        doc: prose!("Returns the members that all of several sets have.", "O(N*M), N the members of the smallest of M sets"),
        run: sinter, ..BASE
    },
    Command {
        name: "sintercard", arity: -3, group: Group::Set, since: "7.0.0",
        flags: Flags::READONLY | Flags::MOVABLEKEYS, acl: Acl::SET,
        keys: &[KeySpec::index(1).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![integer("numkeys"), key("key").multiple(), integer("limit").token("LIMIT").optional()],
        reply: "int",
        doc: prose!("Counts the members that all of several sets have, up to a limit.", "O(N*M), N the members of the smallest of M sets"),
        run: sintercard, ..BASE
    },
    Command {
        name: "sinterstore", arity: -3, group: Group::Set, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::SET,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
            KeySpec::index(2).range(-1, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS),
        ],
        args: args![key("destination"), key("key").spec(1).multiple()],
        reply: "int",
        doc: prose!("Stores the members that all of several sets have, and returns how many they are.", "O(N*M), N the members of the smallest of M sets"),
        run: sinterstore, ..BASE
    },
    Command {
        name: "sunion", arity: -2, group: Group::Set, since: "1.0.0",
        flags: Flags::READONLY, acl: Acl::SET,
        keys: &[KeySpec::index(1).range(-1, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key").multiple()],
        tips: &["nondeterministic_output_order"],
        reply: "set<bulk>",
        doc: prose!("Returns the members that any of several sets has.", "O(N), N the members of all sets"),
        run: sunion, ..BASE
    },
    Command {
        name: "sunioncard", arity: -3, group: Group::Set, since: "8.10.0",
        flags: Flags::READONLY | Flags::MOVABLEKEYS, acl: Acl::SET,
        keys: &[KeySpec::index(1).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            integer("numkeys"), key("key").multiple(), flag("APPROX").optional(),
            integer("limit").token("LIMIT").optional(),
        ],
        reply: "int",
        doc: prose!("Counts the members that any of several sets has, up to a limit; exactly, or as a HyperLogLog does.", "O(N), N the members of all sets"),
        run: sunioncard, ..BASE
    },
    Command {
        name: "sunionstore", arity: -3, group: Group::Set, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::SET,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
            KeySpec::index(2).range(-1, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS),
        ],
        args: args![key("destination"), key("key").spec(1).multiple()],
        reply: "int",
        doc: prose!("Stores the members that any of several sets has, and returns how many they are.", "O(N), N the members of all sets"),
        run: sunionstore, ..BASE
    },
    Command {
        name: "sdiff", arity: -2, group: Group::Set, since: "1.0.0",
        flags: Flags::READONLY, acl: Acl::SET,
        keys: &[KeySpec::index(1).range(-1, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key").multiple()],
        tips: &["nondeterministic_output_order"],
        reply: "set<bulk>",
        doc: prose!("Returns the members of the first set that no other one has.", "O(N), N the members of all sets"),
        run: sdiff, ..BASE
    },
    Command {
        name: "sdiffcard", arity: -3, group: Group::Set, since: "8.10.0",
        flags: Flags::READONLY | Flags::MOVABLEKEYS, acl: Acl::SET,
        keys: &[KeySpec::index(1).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![integer("numkeys"), key("key").multiple(), integer("limit").token("LIMIT").optional()],
        reply: "int",
        doc: prose!("Counts the members of the first set that no other one has, up to a limit.", "O(N), N the members of all sets"),
        run: sdiffcard, ..BASE
    },
    Command {
        name: "sdiffstore", arity: -3, group: Group::Set, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::SET,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
            KeySpec::index(2).range(-1, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS),
        ],
        args: args![key("destination"), key("key").spec(1).multiple()],
        reply: "int",
        doc: prose!("Stores the members of the first set that no other one has, and returns how many they are.", "O(N), N the members of all sets"),
        run: sdiffstore, ..BASE
    },
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Inter,
    Union,
    Diff,
}

/// The sets at several keys; None for a missing one. The looks are noted, and the first wrong type ends it.
fn sets<'a>(
    keys: &'a mut Keyspace,
    names: &[&[u8]],
) -> core::result::Result<Vec<Option<SetRef<'a>>>, Error> {
    for name in names {
        keys.read_value(name, |entry| entry.set().map(|_| ()))?;
    }
    let keys = &*keys;
    let mut sets = Vec::with_capacity(names.len());
    for name in names {
        sets.push(keys.peek_value(name, Entry::set)?);
    }
    Ok(sets)
}

type Visit<'v, 'a> = dyn FnMut(Item<'a>) -> bool + 'v;

/// Visits the members of the intersection, until `visit` says false: in the order of the smallest set.
fn intersect<'a>(sets: &[Option<SetRef<'a>>], visit: &mut Visit<'_, 'a>) {
    let present: Vec<SetRef<'a>> = sets.iter().copied().flatten().collect();
    if present.len() < sets.len() {
        return;
    }
    let size = |at: usize| present.get(at).map_or(0, |set| set.len());
    let by_size = order(present.len(), &mut |one, other| size(one).cmp(&size(other)));
    let mut sorted = by_size.iter().filter_map(|at| present.get(*at).copied());
    let Some(smallest) = sorted.next() else {
        return;
    };
    let others: Vec<SetRef<'a>> = sorted.filter(|set| !set.is_same(smallest)).collect();
    smallest
        .walk(&mut |member| !others.iter().all(|set| set.contains_item(member)) || visit(member));
}

/// Visits the members of the difference, until `visit` says false: in the order of the first set.
fn subtract<'a>(sets: &[Option<SetRef<'a>>], visit: &mut Visit<'_, 'a>) {
    let Some((Some(first), others)) = sets.split_first() else {
        return;
    };
    let others: Vec<SetRef<'a>> = others.iter().copied().flatten().collect();
    if others.iter().any(|set| set.is_same(*first)) {
        return;
    }
    first.walk(&mut |member| others.iter().any(|set| set.contains_item(member)) || visit(member));
}

/// Adds the members of all sets to `result`, until that has `limit`.
fn unite(sets: &[Option<SetRef<'_>>], result: &mut Set, limit: usize, limits: &Limits) {
    for set in sets.iter().flatten() {
        set.walk(&mut |member| {
            result.add_item(member, limits);
            result.view().len() < limit
        });
    }
}

/// An empty set in which a union is quick to make.
fn for_union(sets: &[Option<SetRef<'_>>], limits: &Limits) -> Set {
    let mut present = sets.iter().flatten();
    if present.all(|set| matches!(set, SetRef::Ints(_))) {
        Set::new()
    } else {
        Set::table(limits)
    }
}

fn sinter(ctx: &mut Ctx) -> Result {
    let sets = sets(ctx.keys, ctx.options(1).rest())?;
    say_members(ctx.reply, &mut |visit| intersect(&sets, visit));
    Ok(Outcome::Done)
}

fn sdiff(ctx: &mut Ctx) -> Result {
    let sets = sets(ctx.keys, ctx.options(1).rest())?;
    say_members(ctx.reply, &mut |visit| subtract(&sets, visit));
    Ok(Outcome::Done)
}

/// Says the members that `walk` visits, as a set.
fn say_members<'a>(reply: &mut Reply, walk: &mut dyn FnMut(&mut Visit<'_, 'a>)) {
    let mark = reply.mark();
    let mut count = 0;
    walk(&mut |member| {
        say(reply, member);
        count += 1;
        true
    });
    reply.close_set(mark, count);
}

fn sunion(ctx: &mut Ctx) -> Result {
    let limits = ctx.keys.limits.clone();
    let sets = sets(ctx.keys, ctx.options(1).rest())?;
    let mut union = for_union(&sets, &limits);
    unite(&sets, &mut union, usize::MAX, &limits);
    ctx.reply.set(union.view().len());
    say_all(ctx.reply, union.view());
    Ok(Outcome::Done)
}

/// What a counting command asks for.
struct Count<'a> {
    names: &'a [&'a [u8]],
    /// Never 0.
    limit: usize,
    is_approximate: bool,
}

impl<'a> Count<'a> {
    fn parse(ctx: &Ctx<'a>, operation: Operation) -> core::result::Result<Count<'a>, Error> {
        let count = ctx
            .integer(1)
            .ok()
            .and_then(num::count_of)
            .filter(|count| *count > 0)
            .ok_or(Error::new("ERR numkeys should be greater than 0"))?;
        let names = ctx.args.get(2..).and_then(|rest| rest.get(..count));
        let mut wanted = Count {
            names: names.ok_or(Error::new(
                "ERR Number of keys can't be greater than number of args",
            ))?,
            limit: usize::MAX,
            is_approximate: false,
        };
        let options = &mut ctx.options(2 + count);
        while !options.is_done() {
            if let Some(limit) = options.take_value("LIMIT") {
                let limit = num::parse_i64(limit).filter(|limit| *limit >= 0);
                let limit = limit.ok_or(Error::new("ERR LIMIT can't be negative"))?;
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                wanted.limit = if limit == 0 { usize::MAX } else { limit };
            } else if operation == Operation::Union && options.take("APPROX") {
                wanted.is_approximate = true;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(wanted)
    }
}

fn sintercard(ctx: &mut Ctx) -> Result {
    count(ctx, Operation::Inter)
}

fn sunioncard(ctx: &mut Ctx) -> Result {
    count(ctx, Operation::Union)
}

fn sdiffcard(ctx: &mut Ctx) -> Result {
    count(ctx, Operation::Diff)
}

fn count(ctx: &mut Ctx, operation: Operation) -> Result {
    let wanted = Count::parse(ctx, operation)?;
    let limits = ctx.keys.limits.clone();
    let sets = sets(ctx.keys, wanted.names)?;
    let mut found = 0;
    let mut visit = |_: Item<'_>| {
        found += 1;
        found < wanted.limit
    };
    match operation {
        Operation::Inter => intersect(&sets, &mut visit),
        Operation::Diff => subtract(&sets, &mut visit),
        Operation::Union if wanted.is_approximate => found = estimate(&sets).min(wanted.limit),
        Operation::Union => {
            let mut union = for_union(&sets, &limits);
            unite(&sets, &mut union, wanted.limit, &limits);
            found = union.view().len().min(wanted.limit);
        }
    }
    ctx.reply.count(found);
    Ok(Outcome::Done)
}

/// What PFCOUNT would say of all members.
fn estimate(sets: &[Option<SetRef<'_>>]) -> usize {
    let mut registers = hyperloglog::new();
    if hyperloglog::to_dense(&mut registers).is_err() {
        return 0;
    }
    for set in sets.iter().flatten() {
        set.walk(&mut |member| {
            hyperloglog::raise_dense(&mut registers, Place::of(&member.text()));
            true
        });
    }
    hyperloglog::count(&registers).map_or(0, |count| count as usize)
}

fn sinterstore(ctx: &mut Ctx) -> Result {
    store(ctx, Operation::Inter, "sinterstore")
}

fn sunionstore(ctx: &mut Ctx) -> Result {
    store(ctx, Operation::Union, "sunionstore")
}

fn sdiffstore(ctx: &mut Ctx) -> Result {
    store(ctx, Operation::Diff, "sdiffstore")
}

fn store(ctx: &mut Ctx, operation: Operation, event: &'static str) -> Result {
    let key = ctx.arg(1);
    let limits = ctx.keys.limits.clone();
    let sets = sets(ctx.keys, ctx.options(2).rest())?;
    let mut result = match operation {
        Operation::Inter => intersection(&sets, &limits),
        Operation::Diff => difference(&sets, &limits),
        Operation::Union => {
            let mut union = Set::new();
            unite(&sets, &mut union, usize::MAX, &limits);
            union
        }
    };
    let count = result.view().len();
    if count > 0 {
        result.shrink();
        ctx.keys.store_value(key, result);
        ctx.keys.notify(Class::SET, event, key);
    } else if ctx.keys.discard(key) {
        ctx.keys.notify(Class::GENERIC, "del", key);
    }
    ctx.reply.count(count);
    Ok(Outcome::Done)
}

/// The intersection as Redis encodes it: as an intset if it can be one.
fn intersection(sets: &[Option<SetRef<'_>>], limits: &Limits) -> Set {
    let smallest = sets.iter().flatten().min_by_key(|set| set.len());
    let mut result = match smallest {
        Some(SetRef::Ints(_)) => Set::new(),
        _ => Set::packed_new(),
    };
    intersect(sets, &mut |member| {
        result.add_item(member, limits);
        true
    });
    result.pack_ints(limits);
    result
}

/// The difference as Redis encodes it, which depends on how it was made: what was added and removed again leaves its
/// mark.
fn difference(sets: &[Option<SetRef<'_>>], limits: &Limits) -> Set {
    let mut result = Set::new();
    let Some((Some(first), others)) = sets.split_first() else {
        return result;
    };
    let sizes = sets.iter().flatten().map(|set| set.len());
    let (count, sum) = sizes.fold((0, 0), |(count, sum), size| (count + 1, sum + size));
    let adds_all = first.len() * count / 2 > sum;
    if !adds_all || others.iter().flatten().any(|set| set.is_same(*first)) {
        subtract(sets, &mut |member| {
            result.add_item(member, limits);
            true
        });
        return result;
    }
    unite(&[Some(*first)], &mut result, usize::MAX, limits);
    for set in others.iter().flatten() {
        set.walk(&mut |member| {
            result.remove_item(member);
            !result.is_empty()
        });
    }
    result
}
