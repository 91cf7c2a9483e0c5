//! Unions, intersections and differences of sorted sets and sets.

use super::{reply_members, store};
use crate::algorithms::num;
use crate::algorithms::order::order;
use crate::resp::Error;
use crate::structures::ranked::Ranked;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Options, Outcome, Result, args, flag,
    integer, key, oneof, prose,
};
use crate::values::{Entry, SetRef, SortedSetRef};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "zunion", arity: -3, group: Group::SortedSet, since: "6.2.0",
        flags: Flags::READONLY | Flags::MOVABLEKEYS,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            integer("numkeys"), key("key").multiple(),
            integer("weight").token("WEIGHTS").optional().multiple(),
            oneof("aggregate", args![flag("SUM"), flag("MIN"), flag("MAX"), flag("COUNT").since("8.8.0")]).token("AGGREGATE").optional(),
            flag("WITHSCORES").optional(),
        ],
        reply: "[bulk] | [[bulk, double]]",
        doc: prose!("The members of several sorted sets together, each with the sum of its scores or another of them.", "O(N)+O(M*log(M)), N the number of all members, M of those in the result"),
        run: zunion,
        ..BASE
    },
    Command {
        name: "zunionstore", arity: -4, group: Group::SortedSet, since: "2.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::MOVABLEKEYS,
        acl: Acl::SORTEDSET,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
            KeySpec::index(2).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS),
        ],
        args: args![
            key("destination"), integer("numkeys"), key("key").spec(1).multiple(),
            integer("weight").token("WEIGHTS").optional().multiple(),
            oneof("aggregate", args![flag("SUM"), flag("MIN"), flag("MAX"), flag("COUNT").since("8.8.0")]).token("AGGREGATE").optional(),
        ],
        reply: "int",
        doc: prose!("Stores the members of several sorted sets together as another one.", "O(N)+O(M*log(M)), N the number of all members, M of those in the result"),
        run: zunionstore,
        ..BASE
    },
    Command {
        name: "zinter", arity: -3, group: Group::SortedSet, since: "6.2.0",
        flags: Flags::READONLY | Flags::MOVABLEKEYS,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            integer("numkeys"), key("key").multiple(),
            integer("weight").token("WEIGHTS").optional().multiple(),
            oneof("aggregate", args![flag("SUM"), flag("MIN"), flag("MAX"), flag("COUNT").since("8.8.0")]).token("AGGREGATE").optional(),
            flag("WITHSCORES").optional(),
        ],
        reply: "[bulk] | [[bulk, double]]",
        doc: prose!("The members that are in all of several sorted sets, each with the sum of its scores or another of them.", "O(N*K)+O(M*log(M)), N the number of members of the smallest, K of sorted sets, M of members in the result"),
        run: zinter,
        ..BASE
    },
    Command {
        name: "zinterstore", arity: -4, group: Group::SortedSet, since: "2.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::MOVABLEKEYS,
        acl: Acl::SORTEDSET,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
            KeySpec::index(2).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS),
        ],
        args: args![
            key("destination"), integer("numkeys"), key("key").spec(1).multiple(),
            integer("weight").token("WEIGHTS").optional().multiple(),
            oneof("aggregate", args![flag("SUM"), flag("MIN"), flag("MAX"), flag("COUNT").since("8.8.0")]).token("AGGREGATE").optional(),
        ],
        reply: "int",
        doc: prose!("Stores the members that are in all of several sorted sets as another one.", "O(N*K)+O(M*log(M)), N the number of members of the smallest, K of sorted sets, M of members in the result"),
        run: zinterstore,
        ..BASE
    },
    Command {
        name: "zintercard", arity: -3, group: Group::SortedSet, since: "7.0.0",
        flags: Flags::READONLY | Flags::MOVABLEKEYS,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![integer("numkeys"), key("key").multiple(), integer("limit").token("LIMIT").optional()],
        reply: "int",
        doc: prose!("Counts the members that are in all of several sorted sets, up to a limit.", "O(N*K), N the number of members of the smallest, K of sorted sets"),
        run: zintercard,
        ..BASE
    },
    Command {
        name: "zdiff", arity: -3, group: Group::SortedSet, since: "6.2.0",
        flags: Flags::READONLY | Flags::MOVABLEKEYS,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![integer("numkeys"), key("key").multiple(), flag("WITHSCORES").optional()],
        reply: "[bulk] | [[bulk, double]]",
        doc: prose!("The members of the first of several sorted sets that are in none of the others.", "O(N*K)+O(M*log(M)), N the number of members of the first, K of sorted sets, M of members in the result"),
        run: zdiff,
        ..BASE
    },
    Command {
        name: "zdiffstore", arity: -4, group: Group::SortedSet, since: "6.2.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::MOVABLEKEYS,
        acl: Acl::SORTEDSET,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
            KeySpec::index(2).keynum(0, 1, 1).flags(KeyFlags::RO | KeyFlags::ACCESS),
        ],
        args: args![key("destination"), integer("numkeys"), key("key").spec(1).multiple()],
        reply: "int",
        doc: prose!("Stores the members of the first of several sorted sets that are in none of the others as another one.", "O(N*K)+O(M*log(M)), N the number of members of the first, K of sorted sets, M of members in the result"),
        run: zdiffstore,
        ..BASE
    },
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// What becomes of the scores of a member of several sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Min,
    Max,
    /// The sum of the weights; the scores do not matter.
    Count,
}

impl Aggregate {
    fn parse(options: &mut Options<'_>) -> core::result::Result<Aggregate, Error> {
        const ALL: [(&str, Aggregate); 4] = [
            ("SUM", Aggregate::Sum),
            ("MIN", Aggregate::Min),
            ("MAX", Aggregate::Max),
            ("COUNT", Aggregate::Count),
        ];
        let found = ALL.into_iter().find(|(word, _)| options.take(word));
        found.map(|(_, aggregate)| aggregate).ok_or(Error::SYNTAX)
    }

    /// Infinite times zero is not a number.
    fn weighted(self, score: f64, weight: f64) -> f64 {
        match self {
            Aggregate::Count => weight,
            _ => score * weight,
        }
    }

    fn combine(self, one: f64, other: f64) -> f64 {
        match self {
            Aggregate::Min => {
                if other < one {
                    other
                } else {
                    one
                }
            }
            Aggregate::Max => {
                if other > one {
                    other
                } else {
                    one
                }
            }
            Aggregate::Sum | Aggregate::Count => {
                // Two infinities, or what is not a number already.
                number_or_zero(one + other)
            }
        }
    }
}

fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A set that takes part; the members of a plain set have score 1.
#[derive(Clone, Copy)]
enum Source<'a> {
    Missing,
    Sorted(SortedSetRef<'a>),
    Plain(SetRef<'a>),
}

impl<'a> Source<'a> {
    fn of(entry: Option<Entry<'a>>) -> core::result::Result<Source<'a>, Error> {
        let Some(entry) = entry else {
            return Ok(Source::Missing);
        };
        match (entry.sorted_set(), entry.set()) {
            (Some(set), _) => Ok(Source::Sorted(set)),
            (_, Some(set)) => Ok(Source::Plain(set)),
            _ => Err(Error::WRONG_TYPE),
        }
    }

    fn len(self) -> usize {
        match self {
            Source::Missing => 0,
            Source::Sorted(set) => set.len(),
            Source::Plain(set) => set.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Missing => None,
            Source::Sorted(set) => set.score(member),
            Source::Plain(set) => set.contains(member).then_some(1.0),
        }
    }

    /// Visits the members while `visit` says so.
    fn each(self, visit: &mut dyn FnMut(&[u8], f64) -> bool) {
        match self {
            Source::Missing => {}
            Source::Plain(set) => set.walk(&mut |member| visit(&member.text(), 1.0)),
            Source::Sorted(set) => {
                set.iter()
                    .all(|(member, score)| visit(&member.text(), score));
            }
        }
    }
}

/// What is asked for.
struct Request<'a> {
    keys: &'a [&'a [u8]],
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
    /// Of ZINTERCARD: stop at so many.
    limit: usize,
}

/// Which options there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Reply,
    Store,
    Count,
}

/// Reads keys and options from the number of keys on; the types of the keys are looked at in between, as in Redis.
fn parse<'a>(
    ctx: &mut Ctx<'a>,
    at: usize,
    operation: Operation,
    purpose: Purpose,
) -> core::result::Result<Request<'a>, Error> {
    let key_count = ctx.integer(at)?;
    if key_count < 1 {
        return Err(Error::concat(&[
            b"ERR at least 1 input key is needed for '",
            ctx.row.name.as_bytes(),
            b"' command",
        ]));
    }
    let behind = usize::try_from(key_count)
        .unwrap_or(usize::MAX)
        .saturating_add(at + 1);
    let keys = ctx.args.get(at + 1..behind).ok_or(Error::SYNTAX)?;
    for key in keys {
        Source::of(ctx.keys.read(key))?;
    }
    let mut request = Request {
        keys,
        weights: Vec::new(),
        aggregate: Aggregate::Sum,
        with_scores: false,
        limit: usize::MAX,
    };
    let has_weights = operation != Operation::Diff && purpose != Purpose::Count;
    let options = &mut ctx.options(behind);
    while !options.is_done() {
        if has_weights && options.left() > keys.len() && options.take("WEIGHTS") {
            request.weights.clear();
            for _ in keys {
                let weight = num::parse_f64(options.value()?);
                let weight = weight.ok_or(Error::new("ERR weight value is not a float"))?;
                request.weights.push(weight);
            }
        } else if has_weights && options.left() > 1 && options.take("AGGREGATE") {
            request.aggregate = Aggregate::parse(options)?;
        } else if purpose == Purpose::Reply && options.take("WITHSCORES") {
            request.with_scores = true;
        } else if purpose == Purpose::Count
            && let Some(limit) = options.take_value("LIMIT")
        {
            let limit = num::parse_count(limit);
            request.limit = match limit.ok_or(Error::new("ERR LIMIT can't be negative"))? {
                0 => usize::MAX,
                limit => limit,
            };
        } else {
            return Err(Error::SYNTAX);
        }
    }
    Ok(request)
}

/// The sets with their weights.
fn sources<'a>(ctx: &'a Ctx<'_>, request: &Request<'_>) -> Vec<(Source<'a>, f64)> {
    let keys = request.keys.iter().enumerate();
    keys.map(|(at, key)| {
        let source = Source::of(ctx.keys.peek(key)).unwrap_or(Source::Missing);
        (source, request.weights.get(at).copied().unwrap_or(1.0))
    })
    .collect()
}

/// The smallest first: scores are added up in this order.
fn by_length<'a>(sources: &[(Source<'a>, f64)]) -> Vec<(Source<'a>, f64)> {
    let len = |at: usize| sources.get(at).map(|(source, _)| source.len());
    let sorted = order(sources.len(), &mut |one, other| len(one).cmp(&len(other)));
    sorted
        .into_iter()
        .filter_map(|at| sources.get(at).copied())
        .collect()
}

fn union(sources: &[(Source<'_>, f64)], aggregate: Aggregate, result: &mut Ranked) {
    for (source, weight) in by_length(sources) {
        source.each(&mut |member, score| {
            let score = number_or_zero(aggregate.weighted(score, weight));
            result.change(member, &mut |old| match old {
                Some(old) => Some(aggregate.combine(old, score)),
                None => Some(score),
            });
            true
        });
    }
}

/// Visits every member that is in all sets, while `visit` says so.
fn intersect(
    sources: &[(Source<'_>, f64)],
    aggregate: Aggregate,
    visit: &mut dyn FnMut(&[u8], f64) -> bool,
) {
    let sorted = by_length(sources);
    let Some(((smallest, weight), others)) = sorted.split_first() else {
        return;
    };
    smallest.each(&mut |member, score| {
        // As in Redis, only the first of the products is looked at: another one makes the sum 0.
        let mut total = number_or_zero(aggregate.weighted(score, *weight));
        for (other, weight) in others {
            let Some(score) = other.score(member) else {
                return true;
            };
            total = aggregate.combine(total, aggregate.weighted(score, *weight));
        }
        visit(member, total)
    });
}

fn subtract(sources: &[(Source<'_>, f64)], result: &mut Ranked) {
    let Some(((first, _), others)) = sources.split_first() else {
        return;
    };
    first.each(&mut |member, score| {
        if others
            .iter()
            .all(|(other, _)| other.score(member).is_none())
        {
            result.insert(member, score);
        }
        true
    });
}

fn combined(ctx: &Ctx<'_>, operation: Operation, request: &Request<'_>) -> Ranked {
    let mut result = Ranked::new(ctx.keys.limits.seed.clone());
    let sources = sources(ctx, request);
    match operation {
        Operation::Union => union(&sources, request.aggregate, &mut result),
        Operation::Diff => subtract(&sources, &mut result),
        Operation::Inter => intersect(&sources, request.aggregate, &mut |member, score| {
            result.insert(member, score);
            true
        }),
    }
    result
}

fn reply(ctx: &mut Ctx, operation: Operation) -> Result {
    let request = parse(ctx, 1, operation, Purpose::Reply)?;
    let result = combined(ctx, operation, &request);
    let members = SortedSetRef::Tree(&result).iter();
    reply_members(ctx.reply, members, request.with_scores);
    Ok(Outcome::Done)
}

fn reply_stored(ctx: &mut Ctx, operation: Operation, event: &'static str) -> Result {
    let request = parse(ctx, 2, operation, Purpose::Store)?;
    let result = combined(ctx, operation, &request);
    store(ctx, ctx.arg(1), result, event);
    Ok(Outcome::Done)
}

fn zunion(ctx: &mut Ctx) -> Result {
    reply(ctx, Operation::Union)
}

fn zunionstore(ctx: &mut Ctx) -> Result {
    reply_stored(ctx, Operation::Union, "zunionstore")
}

fn zinter(ctx: &mut Ctx) -> Result {
    reply(ctx, Operation::Inter)
}

fn zinterstore(ctx: &mut Ctx) -> Result {
    reply_stored(ctx, Operation::Inter, "zinterstore")
}

fn zintercard(ctx: &mut Ctx) -> Result {
    let request = parse(ctx, 1, Operation::Inter, Purpose::Count)?;
    let mut count = 0;
    intersect(&sources(ctx, &request), Aggregate::Sum, &mut |_, _| {
        count += 1;
        count < request.limit
    });
    ctx.reply.count(count);
    Ok(Outcome::Done)
}

fn zdiff(ctx: &mut Ctx) -> Result {
    reply(ctx, Operation::Diff)
}

fn zdiffstore(ctx: &mut Ctx) -> Result {
    reply_stored(ctx, Operation::Diff, "zdiffstore")
}
