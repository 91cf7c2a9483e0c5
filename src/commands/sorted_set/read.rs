//! Looking at members: scores, ranks, counts.

use super::bounds::{lex_range, score_range};
use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;
use crate::commands::generic::scan::scan_value;
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, double, flag,
    integer, key, pattern, prose, string,
};
use crate::values::{Entry, SortedSetRef, Type};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "zcard", arity: 2, group: Group::SortedSet, since: "1.2.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key")],
        reply: "int",
        doc: prose!("Counts the members of a sorted set.", "O(1)"),
        run: zcard,
        ..BASE
    },
    Command {
        name: "zscore", arity: 3, group: Group::SortedSet, since: "1.2.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), string("member")],
        reply: "double | nil",
        doc: prose!("The score of a member.", "O(1)"),
        run: zscore,
        ..BASE
    },
    Command {
        name: "zmscore", arity: -3, group: Group::SortedSet, since: "6.2.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), string("member").multiple()],
        reply: "[double | nil]",
        doc: prose!("The scores of several members.", "O(N), N the number of members asked for"),
        run: zmscore,
        ..BASE
    },
    Command {
        name: "zrank", arity: -3, group: Group::SortedSet, since: "2.0.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), string("member"), flag("WITHSCORE").optional()],
        reply: "int | [int, double] | nil",
        doc: prose!("How many members come before a member, the lowest score being first.", "O(log(N)), N the number of members"),
        run: zrank,
        ..BASE
    },
    Command {
        name: "zrevrank", arity: -3, group: Group::SortedSet, since: "2.0.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), string("member"), flag("WITHSCORE").optional()],
        reply: "int | [int, double] | nil",
        doc: prose!("How many members come before a member, the highest score being first.", "O(log(N)), N the number of members"),
        run: zrevrank,
        ..BASE
    },
    Command {
        name: "zcount", arity: 4, group: Group::SortedSet, since: "2.0.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), double("min"), double("max")],
        reply: "int",
        doc: prose!("Counts the members whose scores are in a range.", "O(log(N)), N the number of members"),
        run: zcount,
        ..BASE
    },
    Command {
        name: "zlexcount", arity: 4, group: Group::SortedSet, since: "2.8.9",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), string("min"), string("max")],
        reply: "int",
        doc: prose!("Counts the members in a range of their bytes; for members of equal scores.", "O(log(N)), N the number of members"),
        run: zlexcount,
        ..BASE
    },
    Command {
        name: "zscan", arity: -3, group: Group::SortedSet, since: "2.8.0",
        flags: Flags::READONLY,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), integer("cursor"), pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
        ],
        tips: &["nondeterministic_output"],
        reply: "[bulk, [bulk]]",
        doc: prose!("Some members with their scores, and a cursor to get more with; 0 begins, and comes back at the end.", "O(1) for a call, O(N) for all N members"),
        run: zscan,
        ..BASE
    },
];

fn zcard(ctx: &mut Ctx) -> Result {
    let set = ctx.keys.read_value(ctx.arg(1), Entry::sorted_set)?;
    ctx.reply.count(set.map_or(0, SortedSetRef::len));
    Ok(Outcome::Done)
}

fn zscore(ctx: &mut Ctx) -> Result {
    let member = ctx.arg(2);
    let set = ctx.keys.read_value(ctx.arg(1), Entry::sorted_set)?;
    match set.and_then(|set| set.score(member)) {
        Some(score) => ctx.reply.double(score),
        None => ctx.reply.nil(),
    }
    Ok(Outcome::Done)
}

fn zmscore(ctx: &mut Ctx) -> Result {
    let members = ctx.args.get(2..).unwrap_or_default();
    let set = ctx.keys.read_value(ctx.arg(1), Entry::sorted_set)?;
    ctx.reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => ctx.reply.double(score),
            None => ctx.reply.nil(),
        }
    }
    Ok(Outcome::Done)
}

fn zrank(ctx: &mut Ctx) -> Result {
    rank(ctx, false)
}

fn zrevrank(ctx: &mut Ctx) -> Result {
    rank(ctx, true)
}

fn rank(ctx: &mut Ctx, is_reverse: bool) -> Result {
    if ctx.args.len() > 4 {
        return Err(Error::wrong_arity(ctx.row.name.as_bytes()));
    }
    let with_score = match ctx.args.get(3) {
        None => false,
        Some(word) if word.is_word(b"WITHSCORE") => true,
        Some(_) => return Err(Error::SYNTAX),
    };
    let member = ctx.arg(2);
    let set = ctx.keys.read_value(ctx.arg(1), Entry::sorted_set)?;
    let found = set.and_then(|set| Some((set, set.rank(member)?)));
    let Some((set, (rank, score))) = found else {
        match with_score {
            true => ctx.reply.nil_array(),
            false => ctx.reply.nil(),
        }
        return Ok(Outcome::Done);
    };
    let rank = if is_reverse {
        set.len() - 1 - rank
    } else {
        rank
    };
    if with_score {
        ctx.reply.array(2);
    }
    ctx.reply.count(rank);
    if with_score {
        ctx.reply.double(score);
    }
    Ok(Outcome::Done)
}

fn zcount(ctx: &mut Ctx) -> Result {
    let range = score_range(ctx.arg(2), ctx.arg(3))?;
    let set = ctx.keys.read_value(ctx.arg(1), Entry::sorted_set)?;
    ctx.reply
        .count(set.map_or(0, |set| set.score_ranks(&range).len()));
    Ok(Outcome::Done)
}

fn zlexcount(ctx: &mut Ctx) -> Result {
    let range = lex_range(ctx.arg(2), ctx.arg(3))?;
    let set = ctx.keys.read_value(ctx.arg(1), Entry::sorted_set)?;
    ctx.reply
        .count(set.map_or(0, |set| set.lex_ranks(&range, false, 0).len()));
    Ok(Outcome::Done)
}

fn zscan(ctx: &mut Ctx) -> Result {
    scan_value(ctx, Type::SortedSet, &mut |entry, request, found| {
        let Some(set) = entry.sorted_set() else {
            return 0;
        };
        // Redis prints what it keeps as a number with 17 digits here, needed or not.
        let write = match set {
            SortedSetRef::Tree(_) => num::write_17_digits,
            SortedSetRef::Packed(_) => num::write_f64,
        };
        set.scan(request.cursor, request.count, &mut |member, score| {
            if request.fits(member) {
                let mut text = Vec::new();
                write(&mut text, score);
                found.put(member);
                found.put(&text);
            }
        })
    })
}
