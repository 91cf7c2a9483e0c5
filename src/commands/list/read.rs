//! Looking at lists.

use super::mirrored;
use crate::algorithms::num;
use crate::resp::Error;
use crate::structures::item::Needle;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, integer, key,
    prose, string,
};
use crate::values::list::End;
use crate::values::{Entry, ListRef};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "llen", arity: 2, group: Group::List, since: "1.0.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::LIST,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key")],
        reply: "int",
        doc: prose!("Counts the elements of a list.", "O(1)"),
        run: llen,
        ..BASE
    },
    Command {
        name: "lindex", arity: 3, group: Group::List, since: "1.0.0",
        flags: Flags::READONLY,
        acl: Acl::LIST,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), integer("index")],
        reply: "bulk | nil",
        doc: prose!("Returns the element with an index, counted from 0 at the head or from -1 at the tail.", "O(N), N the number of nodes to pass; O(1) at the ends"),
        run: lindex,
        ..BASE
    },
    Command {
        name: "lrange", arity: 4, group: Group::List, since: "1.0.0",
        flags: Flags::READONLY,
        acl: Acl::LIST,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), integer("start"), integer("stop")],
        reply: "[bulk]",
        doc: prose!("Returns the elements from one index to another.", "O(S+N), S the number of nodes before the range, N of elements in it"),
        run: lrange,
        ..BASE
    },
    Command {
        name: "lpos", arity: -3, group: Group::List, since: "6.0.6",
        flags: Flags::READONLY,
        acl: Acl::LIST,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), string("element"), integer("rank").token("RANK").optional(),
            integer("num-matches").token("COUNT").optional(), integer("len").token("MAXLEN").optional(),
        ],
        reply: "int | nil | [int]",
        doc: prose!("Finds the index of an element, or the indexes of several that are equal.", "O(N), N the number of elements looked at"),
        run: lpos,
        ..BASE
    },
];

fn llen(ctx: &mut Ctx) -> Result {
    let list = ctx.keys.read_value(ctx.arg(1), Entry::list)?;
    ctx.reply.count(list.map_or(0, ListRef::len));
    Ok(Outcome::Done)
}

fn lindex(ctx: &mut Ctx) -> Result {
    let Some(list) = ctx.keys.read_value(ctx.arg(1), Entry::list)? else {
        ctx.reply.nil();
        return Ok(Outcome::Done);
    };
    let index =
        num::parse_i64(ctx.args.get(2).copied().unwrap_or(&[])).ok_or(Error::NOT_INTEGER)?;
    match list.rank(index).and_then(|rank| list.get(rank)) {
        Some(element) => ctx.reply.bulk(&element.text()),
        None => ctx.reply.nil(),
    }
    Ok(Outcome::Done)
}

/// The elements that two indexes bound, both of them included: the first one's rank and how many there are.
pub(super) fn bounds(start: i64, stop: i64, len: usize) -> (usize, usize) {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let from_head = |index: i64| {
        if index < 0 {
            index.saturating_add(len)
        } else {
            index
        }
    };
    let start = from_head(start).max(0);
    let stop = from_head(stop).min(len - 1);
    if start > stop {
        return (0, 0);
    }
    (start as usize, (stop - start + 1) as usize)
}

fn lrange(ctx: &mut Ctx) -> Result {
    let (start, stop) = (ctx.integer(2)?, ctx.integer(3)?);
    let Some(list) = ctx.keys.read_value(ctx.arg(1), Entry::list)? else {
        ctx.reply.array(0);
        return Ok(Outcome::Done);
    };
    let (rank, count) = bounds(start, stop, list.len());
    ctx.reply.array(count);
    for element in list.walk(rank, End::Left).take(count) {
        ctx.reply.bulk(&element.text());
    }
    Ok(Outcome::Done)
}

/// What LPOS asks for.
struct Search {
    /// Which match is the first that counts, from 1.
    rank: u64,
    from: End,
    /// How many are to be found; 0 for all, None for one, not in an array.
    count: Option<u64>,
    /// How many elements to look at.
    most: usize,
}

impl Search {
    fn parse(ctx: &Ctx) -> core::result::Result<Search, Error> {
        let mut search = Search {
            rank: 1,
            from: End::Left,
            count: None,
            most: usize::MAX,
        };
        let options = &mut ctx.options(3);
        while !options.is_done() {
            if let Some(rank) = options.take_value("RANK") {
                let rank = mirrored(rank)?;
                if rank == 0 {
                    return Err(Error::new(
                        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
                         or use negative to start from the end of the list",
                    ));
                }
                search.rank = rank.unsigned_abs();
                search.from = if rank < 0 { End::Right } else { End::Left };
            } else if let Some(count) = options.take_value("COUNT") {
                let count = num::parse_i64(count).and_then(|count| u64::try_from(count).ok());
                search.count = Some(count.ok_or(Error::new("ERR COUNT can't be negative"))?);
            } else if let Some(most) = options.take_value("MAXLEN") {
                let most = num::parse_i64(most).and_then(|most| u64::try_from(most).ok());
                let most = most.ok_or(Error::new("ERR MAXLEN can't be negative"))?;
                search.most = match most {
                    0 => usize::MAX,
                    most => usize::try_from(most).unwrap_or(usize::MAX),
                };
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(search)
    }
}

fn lpos(ctx: &mut Ctx) -> Result {
    let search = Search::parse(ctx)?;
    let needle = Needle::new(ctx.arg(2));
    let list = ctx.keys.read_value(ctx.arg(1), Entry::list)?;
    let len = list.map_or(0, ListRef::len);
    let start = match search.from {
        End::Left => 0,
        End::Right => len.saturating_sub(1),
    };
    let elements = list
        .into_iter()
        .flat_map(|list| list.walk(start, search.from));
    let matches = elements
        .take(search.most)
        .enumerate()
        .filter(|(_, element)| needle.is(*element))
        .map(|(passed, _)| match search.from {
            End::Left => passed,
            End::Right => len - 1 - passed,
        });
    let mut matches = matches.skip(usize::try_from(search.rank - 1).unwrap_or(usize::MAX));
    match search.count {
        None => match matches.next() {
            Some(index) => ctx.reply.count(index),
            None => ctx.reply.nil(),
        },
        Some(count) => {
            let most = match count {
                0 => usize::MAX,
                count => usize::try_from(count).unwrap_or(usize::MAX),
            };
            let mark = ctx.reply.mark();
            let mut found = 0;
            for index in matches.take(most) {
                ctx.reply.count(index);
                found += 1;
            }
            ctx.reply.close_array(mark, found);
        }
    }
    Ok(Outcome::Done)
}
