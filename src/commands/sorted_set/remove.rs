//! Removing members: by name, and by rank, score or bytes.

use super::bounds::{lex_range, score_range};
use super::range::By;
use crate::keyspace::{Class, Edited};
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, double,
    integer, key, prose, string,
};
use crate::values::SortedSet;

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "zrem", arity: -3, group: Group::SortedSet, since: "1.2.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::DELETE)],
        args: args![key("key"), string("member").multiple()],
        reply: "int",
        doc: prose!("Removes members from a sorted set; the key goes with the last one.", "O(M*log(N)), M the number of members named, N of those there are"),
        run: zrem,
        ..BASE
    },
    Command {
        name: "zremrangebyrank", arity: 4, group: Group::SortedSet, since: "2.0.0",
        flags: Flags::WRITE,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::DELETE)],
        args: args![key("key"), integer("start"), integer("stop")],
        reply: "int",
        doc: prose!("Removes the members in a range of ranks.", "O(log(N)+M), N the number of members, M of those removed"),
        run: zremrangebyrank,
        ..BASE
    },
    Command {
        name: "zremrangebyscore", arity: 4, group: Group::SortedSet, since: "1.2.0",
        flags: Flags::WRITE,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::DELETE)],
        args: args![key("key"), double("min"), double("max")],
        reply: "int",
        doc: prose!("Removes the members whose scores are in a range.", "O(log(N)+M), N the number of members, M of those removed"),
        run: zremrangebyscore,
        ..BASE
    },
    Command {
        name: "zremrangebylex", arity: 4, group: Group::SortedSet, since: "2.8.9",
        flags: Flags::WRITE,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::DELETE)],
        args: args![key("key"), string("min"), string("max")],
        reply: "int",
        doc: prose!("Removes the members in a range of their bytes; for members of equal scores.", "O(log(N)+M), N the number of members, M of those removed"),
        run: zremrangebylex,
        ..BASE
    },
];

/// Tells of members that were removed, and of the key if it went with them.
pub(super) fn tell(ctx: &mut Ctx, key: &[u8], event: &'static str, is_removed: bool) {
    ctx.keys.notify(Class::SORTED_SET, event, key);
    if is_removed {
        ctx.keys.notify(Class::GENERIC, "del", key);
    }
}

/// Replies how many members were removed, and tells of it.
fn finish(ctx: &mut Ctx, edited: Option<Edited<u64>>, event: &'static str) -> Result {
    let count = edited.map_or(0, |edited| edited.value);
    if let Some(edited) = edited.filter(|edited| edited.value > 0) {
        tell(ctx, ctx.arg(1), event, edited.is_removed);
    }
    ctx.reply.int(count as i64);
    Ok(Outcome::Done)
}

fn zrem(ctx: &mut Ctx) -> Result {
    let members = ctx.args.get(2..).unwrap_or_default();
    let edited = ctx.keys.edit(ctx.arg(1), |set: &mut SortedSet, _| {
        let count = members.iter().filter(|member| set.remove(member)).count();
        Ok((count as u64, count as u64))
    })?;
    finish(ctx, edited, "zrem")
}

fn zremrangebyrank(ctx: &mut Ctx) -> Result {
    let by = By::Rank(ctx.integer(2)?, ctx.integer(3)?);
    remove_range(ctx, &by, "zremrangebyrank")
}

fn zremrangebyscore(ctx: &mut Ctx) -> Result {
    let by = By::Score(score_range(ctx.arg(2), ctx.arg(3))?);
    remove_range(ctx, &by, "zremrangebyscore")
}

fn zremrangebylex(ctx: &mut Ctx) -> Result {
    let by = By::Lex(lex_range(ctx.arg(2), ctx.arg(3))?);
    remove_range(ctx, &by, "zremrangebylex")
}

fn remove_range(ctx: &mut Ctx, by: &By<'_>, event: &'static str) -> Result {
    let edited = ctx.keys.edit(ctx.arg(1), |set: &mut SortedSet, _| {
        let ranks = by.ranks(set.view(), false);
        let count = ranks.len() as u64;
        if count > 0 {
            set.remove_ranks(ranks);
        }
        Ok::<_, Error>((count, count))
    })?;
    finish(ctx, edited, event)
}
