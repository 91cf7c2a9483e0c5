//! Members at random.

use super::reply_members;
use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;
use crate::algorithms::rng::Rng;
use crate::resp::{Error, Reply};
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, block, flag,
    integer, key, prose,
};
use crate::values::{Entry, SortedSetRef};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "zrandmember", arity: -2, group: Group::SortedSet, since: "6.2.0",
        flags: Flags::READONLY,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), block("options", args![integer("count"), flag("WITHSCORES").optional()]).optional()],
        tips: &["nondeterministic_output"],
        reply: "bulk | nil | [bulk] | [[bulk, double]]",
        doc: prose!("Members of a sorted set at random, each as likely; a negative count may repeat them.", "O(N*log(M)), N the number of members returned, M of those there are"),
        run: zrandmember,
        ..BASE
    },
];

fn zrandmember(ctx: &mut Ctx) -> Result {
    if ctx.args.len() == 2 {
        let Some(set) = ctx.keys.read_value(ctx.arg(1), Entry::sorted_set)? else {
            ctx.reply.nil();
            return Ok(Outcome::Done);
        };
        let rank = ctx.rng.below(set.len() as u64) as usize;
        if let Some((member, _)) = set.walk(rank..rank + 1, false).next() {
            ctx.reply.bulk(&member.text());
        }
        return Ok(Outcome::Done);
    }
    let count = num::parse_i64(ctx.arg(2)).ok_or(Error::NOT_INTEGER)?;
    if count == i64::MIN {
        return Err(Error::new(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let with_scores = match ctx.args.get(3..).unwrap_or_default() {
        [] => false,
        [word] if word.is_word(b"WITHSCORES") => true,
        _ => return Err(Error::SYNTAX),
    };
    if with_scores && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(Error::new("ERR value is out of range"));
    }
    let set = ctx.keys.read_value(ctx.arg(1), Entry::sorted_set)?;
    let Some(set) = set.filter(|_| count != 0) else {
        ctx.reply.array(0);
        return Ok(Outcome::Done);
    };
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    if count > 0 && wanted >= set.len() {
        reply_members(ctx.reply, set.iter(), with_scores);
        return Ok(Outcome::Done);
    }
    let is_nested = with_scores && ctx.reply.is_resp3();
    ctx.reply.array(if with_scores && !is_nested {
        wanted * 2
    } else {
        wanted
    });
    if count > 0 {
        for rank in distinct(ctx.rng, set.len(), wanted) {
            reply_one(ctx.reply, set, rank, with_scores);
        }
    } else {
        for _ in 0..wanted {
            let rank = ctx.rng.below(set.len() as u64) as usize;
            reply_one(ctx.reply, set, rank, with_scores);
        }
    }
    Ok(Outcome::Done)
}

fn reply_one(reply: &mut Reply, set: SortedSetRef<'_>, rank: usize, with_scores: bool) {
    let Some((member, score)) = set.walk(rank..rank + 1, false).next() else {
        return;
    };
    if with_scores && reply.is_resp3() {
        reply.array(2);
    }
    reply.bulk(&member.text());
    if with_scores {
        reply.double(score);
    }
}

/// `count` different numbers below `len`, in a random order where they are few, else in their own. O(len / 64 + count).
fn distinct(rng: &mut Rng, len: usize, count: usize) -> Vec<usize> {
    let mut taken = vec![0u64; len.div_ceil(64)];
    let mut numbers = Vec::with_capacity(count);
    // Of many, those left out are drawn.
    let is_most = count > len / 2;
    let drawn = if is_most { len - count } else { count };
    let mut left = drawn;
    while left > 0 {
        let number = rng.below(len as u64) as usize;
        let bit = 1 << (number % 64);
        if let Some(word) = taken.get_mut(number / 64)
            && *word & bit == 0
        {
            *word |= bit;
            left -= 1;
            numbers.push(number);
        }
    }
    if is_most {
        numbers.clear();
        let is_free = |number: &usize| {
            let word = taken.get(number / 64).copied().unwrap_or(0);
            word & (1 << (number % 64)) == 0
        };
        numbers.extend((0..len).filter(is_free));
    }
    numbers
}
