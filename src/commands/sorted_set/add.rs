//! Adding members and changing their scores.

use crate::algorithms::num;
use crate::keyspace::Class;
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, block, double,
    flag, integer, key, oneof, prose, string, token,
};
use crate::values::{Limits, SortedSet};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "zadd", arity: -4, group: Group::SortedSet, since: "1.2.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![
            key("key"),
            oneof("condition", args![flag("NX"), flag("XX")]).optional().since("3.0.2"),
            oneof("comparison", args![flag("GT"), flag("LT")]).optional().since("6.2.0"),
            token("change", "CH").optional().since("3.0.2"),
            token("increment", "INCR").optional().since("3.0.2"),
            block("data", args![double("score"), string("member")]).multiple(),
        ],
        reply: "int | double | nil",
        doc: prose!("Adds members to a sorted set or changes their scores; the key is created when there is none.", "O(log(N)) for each member, N the number of members there are"),
        run: zadd,
        ..BASE
    },
    Command {
        name: "zincrby", arity: 4, group: Group::SortedSet, since: "1.2.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::SORTEDSET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![key("key"), integer("increment"), string("member")],
        reply: "double",
        doc: prose!("Adds to the score of a member, which is 0 for a new one, and returns the sum.", "O(log(N)), N the number of members"),
        run: zincrby,
        ..BASE
    },
];

const NOT_A_NUMBER: Error = Error::new("ERR resulting score is not a number (NaN)");

/// How members are added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rule {
    /// NX: members that are there keep their scores.
    pub only_new: bool,
    /// XX: no member is added.
    pub only_known: bool,
    /// GT: no score of a known member becomes lower.
    pub only_greater: bool,
    /// LT: nor higher.
    pub only_less: bool,
    /// CH: the reply counts members that got another score, too.
    pub counts_changed: bool,
    /// INCR: the scores are added to those there are.
    pub is_increment: bool,
}

impl Rule {
    /// The score a member gets, and whether the rule lets it have one; None leaves it as it is.
    fn score(&self, old: Option<f64>, score: f64) -> core::result::Result<Option<f64>, Error> {
        let Some(old) = old else {
            return Ok((!self.only_known).then_some(score));
        };
        if self.only_new {
            return Ok(None);
        }
        let score = match self.is_increment {
            true => old + score,
            false => score,
        };
        if score.is_nan() {
            return Err(NOT_A_NUMBER);
        }
        let is_refused = (self.only_greater && score <= old) || (self.only_less && score >= old);
        Ok((!is_refused).then_some(score))
    }
}

/// What came of it.
#[derive(Default)]
struct Outcomes {
    added: u64,
    changed: u64,
    /// The last member's score now, if the rule let it have one.
    score: Option<f64>,
}

/// Adds `count` members, which `member` tells, to the sorted set at `key`, and replies as ZADD does.
///
/// # Errors
/// WRONGTYPE, or a sum that is no number.
pub fn add<'m>(
    ctx: &mut Ctx,
    key: &[u8],
    rule: Rule,
    count: usize,
    member: &dyn Fn(usize) -> (f64, &'m [u8]),
) -> Result {
    let edited = ctx.keys.edit_or_new(key, |set: &mut SortedSet, limits| {
        let outcomes = add_all(set, limits, rule, count, member)?;
        Ok((outcomes.added + outcomes.changed, outcomes))
    })?;
    let Outcomes {
        added,
        changed,
        score,
    } = edited.value;
    if added + changed > 0 {
        let event = if rule.is_increment { "zincr" } else { "zadd" };
        ctx.keys.notify(Class::SORTED_SET, event, key);
    }
    match (rule.is_increment, score) {
        (true, Some(score)) => ctx.reply.double(score),
        (true, None) => ctx.reply.nil(),
        (false, _) if rule.counts_changed => ctx.reply.int((added + changed) as i64),
        (false, _) => ctx.reply.int(added as i64),
    }
    Ok(Outcome::Done)
}

fn add_all<'m>(
    set: &mut SortedSet,
    limits: &Limits,
    rule: Rule,
    count: usize,
    member: &dyn Fn(usize) -> (f64, &'m [u8]),
) -> core::result::Result<Outcomes, Error> {
    let mut outcomes = Outcomes::default();
    let mut error = None;
    set.prepare(count, limits);
    for at in 0..count {
        let (score, member) = member(at);
        set.change(member, limits, &mut |old| match rule.score(old, score) {
            Ok(new) => {
                outcomes.score = new;
                let new = new.filter(|new| old != Some(*new))?;
                match old {
                    Some(_) => outcomes.changed += 1,
                    None => outcomes.added += 1,
                }
                Some(new)
            }
            Err(refused) => {
                error = Some(refused);
                None
            }
        });
    }
    match error {
        Some(error) => Err(error),
        None => Ok(outcomes),
    }
}

fn zadd(ctx: &mut Ctx) -> Result {
    let mut rule = Rule::default();
    let options = &mut ctx.options(2);
    while !options.is_done() {
        if options.take("NX") {
            rule.only_new = true;
        } else if options.take("XX") {
            rule.only_known = true;
        } else if options.take("CH") {
            rule.counts_changed = true;
        } else if options.take("INCR") {
            rule.is_increment = true;
        } else if options.take("GT") {
            rule.only_greater = true;
        } else if options.take("LT") {
            rule.only_less = true;
        } else {
            break;
        }
    }
    let pairs = options.rest();
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(Error::SYNTAX);
    }
    if rule.only_new && rule.only_known {
        return Err(Error::new(
            "ERR XX and NX options at the same time are not compatible",
        ));
    }
    let exclusive = [rule.only_new, rule.only_greater, rule.only_less];
    if exclusive.into_iter().filter(|is_set| *is_set).count() > 1 {
        return Err(Error::new(
            "ERR GT, LT, and/or NX options at the same time are not compatible",
        ));
    }
    if rule.is_increment && pairs.len() > 2 {
        return Err(Error::new(
            "ERR INCR option supports a single increment-element pair",
        ));
    }
    add_pairs(ctx, rule, pairs)
}

/// Adds scores and members that stand among the arguments.
fn add_pairs(ctx: &mut Ctx, rule: Rule, pairs: &[&[u8]]) -> Result {
    let text = |at: usize| pairs.get(at).copied().unwrap_or(&[]);
    let parse = |at| num::parse_f64(text(at)).ok_or(Error::NOT_FLOAT);
    // One pair is the usual case, and costs no memory.
    let first = parse(0)?;
    let mut rest = Vec::new();
    for at in (2..pairs.len()).step_by(2) {
        rest.push(parse(at)?);
    }
    let score = |at: usize| match at.checked_sub(1) {
        None => first,
        Some(at) => rest.get(at).copied().unwrap_or(0.0),
    };
    add(ctx, ctx.arg(1), rule, pairs.len() / 2, &|at| {
        (score(at), text(at * 2 + 1))
    })
}

fn zincrby(ctx: &mut Ctx) -> Result {
    let rule = Rule {
        is_increment: true,
        ..Rule::default()
    };
    let pair = [ctx.arg(2), ctx.arg(3)];
    add_pairs(ctx, rule, &pair)
}
