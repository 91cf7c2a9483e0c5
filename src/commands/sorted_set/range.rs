//! Ranges of members, from either end.

use super::bounds::{lex_range, score_range};
use super::{reply_members, store_value};
use crate::algorithms::num;
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Deprecated, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args,
    block, double, flag, integer, key, oneof, prose, string,
};
use crate::values::sorted_set::{LexRange, ScoreRange, without};
use crate::values::{Entry, SortedSet, SortedSetRef};
use std::ops::Range;

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "zrange", arity: -4, group: Group::SortedSet, since: "1.2.0",
        flags: Flags::READONLY,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), string("start"), string("stop"),
            oneof("sortby", args![flag("BYSCORE"), flag("BYLEX")]).optional().since("6.2.0"),
            flag("REV").optional().since("6.2.0"),
            block("limit", args![integer("offset"), integer("count")]).token("LIMIT").optional().since("6.2.0"),
            flag("WITHSCORES").optional(),
        ],
        reply: "[bulk] | [[bulk, double]]",
        doc: prose!("The members in a range of ranks, of scores or of bytes.", "O(log(N)+M), N the number of members, M of those returned"),
        run: zrange,
        ..BASE
    },
    Command {
        name: "zrangestore", arity: -5, group: Group::SortedSet, since: "6.2.0",
        flags: Flags::WRITE | Flags::DENYOOM,
        acl: Acl::SORTEDSET,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
            KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS),
        ],
        args: args![
            key("dst"), key("src").spec(1), string("min"), string("max"),
            oneof("sortby", args![flag("BYSCORE"), flag("BYLEX")]).optional(),
            flag("REV").optional(),
            block("limit", args![integer("offset"), integer("count")]).token("LIMIT").optional(),
        ],
        reply: "int",
        doc: prose!("Stores the members in a range as another sorted set.", "O(log(N)+M), N the number of members, M of those stored"),
        run: zrangestore,
        ..BASE
    },
    Command {
        name: "zrangebyscore", arity: -4, group: Group::SortedSet, since: "1.0.5",
        flags: Flags::READONLY,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), double("min"), double("max"), flag("WITHSCORES").optional().since("2.0.0"),
            block("limit", args![integer("offset"), integer("count")]).token("LIMIT").optional(),
        ],
        deprecated: Some(Deprecated { since: "6.2.0", replaced_by: "`ZRANGE` with the `BYSCORE` argument" }),
        reply: "[bulk] | [[bulk, double]]",
        doc: prose!("The members whose scores are in a range.", "O(log(N)+M), N the number of members, M of those returned"),
        run: zrangebyscore,
        ..BASE
    },
    Command {
        name: "zrevrangebyscore", arity: -4, group: Group::SortedSet, since: "2.2.0",
        flags: Flags::READONLY,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), double("max"), double("min"), flag("WITHSCORES").optional(),
            block("limit", args![integer("offset"), integer("count")]).token("LIMIT").optional(),
        ],
        deprecated: Some(Deprecated { since: "6.2.0", replaced_by: "`ZRANGE` with the `REV` and `BYSCORE` arguments" }),
        reply: "[bulk] | [[bulk, double]]",
        doc: prose!("The members whose scores are in a range, from the highest.", "O(log(N)+M), N the number of members, M of those returned"),
        run: zrevrangebyscore,
        ..BASE
    },
    Command {
        name: "zrangebylex", arity: -4, group: Group::SortedSet, since: "2.8.9",
        flags: Flags::READONLY,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), string("min"), string("max"),
            block("limit", args![integer("offset"), integer("count")]).token("LIMIT").optional(),
        ],
        deprecated: Some(Deprecated { since: "6.2.0", replaced_by: "`ZRANGE` with the `BYLEX` argument" }),
        reply: "[bulk]",
        doc: prose!("The members in a range of their bytes; for members of equal scores.", "O(log(N)+M), N the number of members, M of those returned"),
        run: zrangebylex,
        ..BASE
    },
    Command {
        name: "zrevrangebylex", arity: -4, group: Group::SortedSet, since: "2.8.9",
        flags: Flags::READONLY,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), string("max"), string("min"),
            block("limit", args![integer("offset"), integer("count")]).token("LIMIT").optional(),
        ],
        deprecated: Some(Deprecated { since: "6.2.0", replaced_by: "`ZRANGE` with the `REV` and `BYLEX` arguments" }),
        reply: "[bulk]",
        doc: prose!("The members in a range of their bytes, from the highest; for members of equal scores.", "O(log(N)+M), N the number of members, M of those returned"),
        run: zrevrangebylex,
        ..BASE
    },
    Command {
        name: "zrevrange", arity: -4, group: Group::SortedSet, since: "1.2.0",
        flags: Flags::READONLY,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), integer("start"), integer("stop"), flag("WITHSCORES").optional()],
        deprecated: Some(Deprecated { since: "6.2.0", replaced_by: "`ZRANGE` with the `REV` argument" }),
        reply: "[bulk] | [[bulk, double]]",
        doc: prose!("The members in a range of ranks, from the highest.", "O(log(N)+M), N the number of members, M of those returned"),
        run: zrevrange,
        ..BASE
    },
];

/// What a range is a range of.
#[derive(Debug, Clone, Copy)]
pub(super) enum By<'a> {
    /// First and last, negative ones from the end.
    Rank(i64, i64),
    Score(ScoreRange),
    Lex(LexRange<'a>),
}

impl By<'_> {
    /// The ranks in a sorted set; those of [`By::Rank`] are counted from the highest if so said.
    pub fn ranks(&self, set: SortedSetRef<'_>, is_reverse: bool) -> Range<usize> {
        let (start, stop) = match self {
            By::Score(range) => return set.score_ranks(range),
            By::Lex(range) => return set.lex_ranks(range, is_reverse, 0),
            By::Rank(start, stop) => (*start, *stop),
        };
        let len = set.len();
        let from_end = |at: i64| {
            if at < 0 {
                at.saturating_add(len as i64)
            } else {
                at
            }
        };
        let start = usize::try_from(from_end(start).max(0)).unwrap_or(usize::MAX);
        let stop = num::count_of(from_end(stop)).map_or(0, |stop| stop.saturating_add(1));
        let (start, end) = (start.min(len), stop.min(len));
        match is_reverse {
            _ if start >= end => 0..0,
            true => len - end..len - start,
            false => start..end,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Rank,
    Score,
    Lex,
}

/// What a command of this family says by its name.
#[derive(Clone, Copy)]
struct Form {
    /// None: an option may say it, or that it is a range of ranks.
    unit: Option<Unit>,
    /// None: an option may say it.
    is_reverse: Option<bool>,
    stores: bool,
}

struct Request<'a> {
    by: By<'a>,
    is_reverse: bool,
    /// How many to leave out, and how many to return (negative: all).
    limit: (i64, i64),
    with_scores: bool,
}

impl<'a> Request<'a> {
    /// Reads the options behind the two ends, the first of which is argument `at`.
    fn parse(ctx: &Ctx<'a>, at: usize, form: Form) -> core::result::Result<Request<'a>, Error> {
        let (mut unit, mut is_reverse, mut with_scores) = (form.unit, form.is_reverse, false);
        let mut limit = (0, -1);
        let options = &mut ctx.options(at + 2);
        while !options.is_done() {
            if !form.stores && options.take("WITHSCORES") {
                with_scores = true;
            } else if options.left() > 2 && options.take("LIMIT") {
                limit = (options.integer()?, options.integer()?);
            } else if is_reverse.is_none() && options.take("REV") {
                is_reverse = Some(true);
            } else if form.unit.is_none() && unit.is_none() && options.take("BYLEX") {
                unit = Some(Unit::Lex);
            } else if form.unit.is_none() && unit.is_none() && options.take("BYSCORE") {
                unit = Some(Unit::Score);
            } else {
                return Err(Error::SYNTAX);
            }
        }
        let unit = unit.unwrap_or(Unit::Rank);
        if limit.1 != -1 && unit == Unit::Rank {
            return Err(Error::new(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && unit == Unit::Lex {
            return Err(Error::new(
                "ERR syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let is_reverse = is_reverse.unwrap_or(false);
        let (min, max) = match is_reverse {
            true => (ctx.arg(at + 1), ctx.arg(at)),
            false => (ctx.arg(at), ctx.arg(at + 1)),
        };
        let by = match unit {
            Unit::Rank => By::Rank(ctx.integer(at)?, ctx.integer(at + 1)?),
            Unit::Score => By::Score(score_range(min, max)?),
            Unit::Lex => By::Lex(lex_range(min, max)?),
        };
        Ok(Request {
            by,
            is_reverse,
            limit,
            with_scores,
        })
    }

    /// The ranks of the members asked for.
    fn ranks(&self, set: SortedSetRef<'_>) -> Range<usize> {
        if matches!(self.by, By::Rank(..)) {
            return self.by.ranks(set, self.is_reverse);
        }
        let (skipped, wanted) = self.limit;
        let Some(skipped) = num::count_of(skipped) else {
            return 0..0;
        };
        let ranks = match &self.by {
            By::Rank(..) => 0..0,
            By::Score(range) => without(set.score_ranks(range), self.is_reverse, skipped),
            By::Lex(range) => set.lex_ranks(range, self.is_reverse, skipped),
        };
        let count = usize::try_from(wanted).unwrap_or(usize::MAX);
        let extra = ranks.len().saturating_sub(count);
        without(ranks, !self.is_reverse, extra)
    }
}

fn range(ctx: &mut Ctx, unit: Option<Unit>, is_reverse: Option<bool>) -> Result {
    let form = Form {
        unit,
        is_reverse,
        stores: false,
    };
    let request = Request::parse(ctx, 2, form)?;
    match ctx.keys.read_value(ctx.arg(1), Entry::sorted_set)? {
        None => ctx.reply.array(0),
        Some(set) => {
            let members = set.walk(request.ranks(set), request.is_reverse);
            reply_members(ctx.reply, members, request.with_scores);
        }
    }
    Ok(Outcome::Done)
}

fn zrange(ctx: &mut Ctx) -> Result {
    range(ctx, None, None)
}

fn zrangestore(ctx: &mut Ctx) -> Result {
    let form = Form {
        unit: None,
        is_reverse: None,
        stores: true,
    };
    let request = Request::parse(ctx, 3, form)?;
    ctx.keys.read_value(ctx.arg(2), Entry::sorted_set)?;
    let mut result = SortedSet::new();
    if let Some(set) = ctx.keys.peek_value(ctx.arg(2), Entry::sorted_set)? {
        let (ranks, limits) = (request.ranks(set), &ctx.keys.limits);
        // How many there will be is known before only of ranks: others begin as few members do, and change on the way.
        if matches!(request.by, By::Rank(..)) {
            result.prepare(ranks.len(), limits);
        }
        for (member, score) in set.walk(ranks, request.is_reverse) {
            result.change(&member.text(), limits, &mut |_| Some(score));
        }
    }
    store_value(ctx, ctx.arg(1), result, "zrangestore");
    Ok(Outcome::Done)
}

fn zrangebyscore(ctx: &mut Ctx) -> Result {
    range(ctx, Some(Unit::Score), Some(false))
}

fn zrevrangebyscore(ctx: &mut Ctx) -> Result {
    range(ctx, Some(Unit::Score), Some(true))
}

fn zrangebylex(ctx: &mut Ctx) -> Result {
    range(ctx, Some(Unit::Lex), Some(false))
}

fn zrevrangebylex(ctx: &mut Ctx) -> Result {
    range(ctx, Some(Unit::Lex), Some(true))
}

fn zrevrange(ctx: &mut Ctx) -> Result {
    range(ctx, Some(Unit::Rank), Some(true))
}
