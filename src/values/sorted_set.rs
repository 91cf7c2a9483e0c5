//! Sorted sets: members in the order of their scores.
//!
//! Small ones are a listpack of members and scores in order; a score that is a whole number stands there as an integer
//! (so that -0 becomes 0), any other as its text. Larger ones are a [`Ranked`].
//!
//! <https://redis.io/docs/latest/develop/data-types/sorted-sets/>

use super::{Aggregate, Entry, Kind, Limits, Object, Type};
use crate::algorithms::num;
use crate::algorithms::order::order;
use crate::structures::listpack::{Item, Listpack, ListpackRef};
use crate::structures::ranked::{Members, Ranked};
use crate::structures::table::Payload;
use std::cmp::Ordering;
use std::ops::Range;

pub use crate::structures::ranked::Edge;

/// Sorted sets: members in the order of their scores.
#[derive(Debug, Clone)]
pub enum SortedSet {
    /// A listpack of members and scores.
    Packed(Listpack),
    /// What Redis calls a skiplist.
    Tree(Box<Ranked>),
}

/// The same, to be read.
#[derive(Debug, Clone, Copy)]
pub enum SortedSetRef<'a> {
    Packed(ListpackRef<'a>),
    Tree(&'a Ranked),
}

/// One end of a range of members in the order of their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before everything.
    Lowest,
    /// Behind everything.
    Highest,
    Including(&'a [u8]),
    Excluding(&'a [u8]),
}

impl LexBound<'_> {
    /// Whether a member is not before this lower end.
    fn admits_from(&self, member: &[u8]) -> bool {
        match *self {
            LexBound::Lowest => true,
            LexBound::Highest => false,
            LexBound::Including(bound) => member >= bound,
            LexBound::Excluding(bound) => member > bound,
        }
    }

    /// Whether a member is not behind this upper end.
    fn admits_to(&self, member: &[u8]) -> bool {
        match *self {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Including(bound) => member <= bound,
            LexBound::Excluding(bound) => member < bound,
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        match self {
            LexBound::Including(bound) | LexBound::Excluding(bound) => Some(bound),
            LexBound::Lowest | LexBound::Highest => None,
        }
    }
}

/// Members between two in the order of their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LexRange<'a> {
    pub min: LexBound<'a>,
    pub max: LexBound<'a>,
}

impl LexRange<'_> {
    /// Whether no member can be in it.
    fn is_empty(&self) -> bool {
        match (self.min, self.max) {
            (LexBound::Highest, _) | (_, LexBound::Lowest) => true,
            (LexBound::Including(min), LexBound::Including(max)) => min > max,
            (min, max) => min
                .bytes()
                .zip(max.bytes())
                .is_some_and(|(min, max)| min >= max),
        }
    }
}

/// Members whose scores are between two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreRange {
    pub min: f64,
    pub max: f64,
    pub excludes_min: bool,
    pub excludes_max: bool,
}

/// Whether a member is on the inner side of one end of a range.
type Admits<'a> = dyn Fn(&[u8]) -> bool + 'a;

/// Ranks without the first ones, or the last.
pub fn without(ranks: Range<usize>, is_reverse: bool, skipped: usize) -> Range<usize> {
    let skipped = skipped.min(ranks.len());
    match is_reverse {
        true => ranks.start..ranks.end - skipped,
        false => ranks.start + skipped..ranks.end,
    }
}

/// The order of members: by score, then by bytes.
pub fn compare(one: (f64, &[u8]), other: (f64, &[u8])) -> Ordering {
    match one.0.partial_cmp(&other.0) {
        Some(Ordering::Equal) | None => one.1.cmp(other.1),
        Some(order) => order,
    }
}

/// The score in a listpack.
#[inline(always)]
fn score_of(item: Item<'_>) -> f64 {
    match item {
        Item::Int(number) => number as f64,
        Item::Bytes(text) => num::parse_f64(text).unwrap_or(0.0),
    }
}

/// A score as it stands in a listpack.
enum Packed {
    Int(i64),
    Text(Vec<u8>),
}

impl Packed {
    fn of(score: f64) -> Packed {
        // Whole numbers up to half the range of integers.
        const MOST: f64 = (i64::MAX / 2) as f64;
        if (-MOST..=MOST).contains(&score) && score == (score as i64) as f64 {
            return Packed::Int(score as i64);
        }
        let mut text = Vec::new();
        num::write_f64(&mut text, score);
        Packed::Text(text)
    }
}

/// The elements of a member and its score.
const PAIR: usize = 2;

impl SortedSet {
    /// An empty one.
    pub fn new() -> SortedSet {
        SortedSet::Packed(Listpack::new())
    }

    /// The packed form of that kind.
    pub fn unpack(_kind: Kind, bytes: Vec<u8>) -> SortedSet {
        SortedSet::Packed(Listpack::from_bytes(bytes))
    }

    /// The bytes of the packed form, if this is one.
    pub fn packed(&self) -> Option<&[u8]> {
        match self {
            SortedSet::Packed(list) => Some(list.as_bytes()),
            SortedSet::Tree(_) => None,
        }
    }

    /// The memory of the packed form; empty if this is none.
    pub fn into_packed(self) -> Vec<u8> {
        match self {
            SortedSet::Packed(list) => list.into_bytes(),
            SortedSet::Tree(_) => Vec::new(),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            SortedSet::Packed(_) => Kind::SortedSetPacked,
            SortedSet::Tree(_) => Kind::SortedSetTree,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        match self {
            SortedSet::Packed(list) => list.heap_bytes(),
            SortedSet::Tree(ranked) => size_of::<Ranked>() + ranked.memory_bytes(),
        }
    }

    /// Verifies the invariants. O(n log n); for tests and debugging.
    ///
    /// # Errors
    /// A sentence about the first violation found.
    pub fn check(&self) -> Result<(), String> {
        match self {
            SortedSet::Tree(ranked) => ranked.check(),
            SortedSet::Packed(_) if self.view().is_sound() => Ok(()),
            SortedSet::Packed(_) => Err("no pairs, not in order, or a member twice".to_owned()),
        }
    }

    #[inline]
    pub fn view(&self) -> SortedSetRef<'_> {
        match self {
            SortedSet::Packed(list) => SortedSetRef::Packed(list.view()),
            SortedSet::Tree(ranked) => SortedSetRef::Tree(ranked),
        }
    }

    /// The same members in the encoding a result gets. O(n).
    pub fn of_ranked(ranked: Ranked, limits: &Limits) -> SortedSet {
        let is_short =
            |(member, _): (&[u8], f64)| member.len() <= limits.zset_max_listpack_value_bytes;
        if ranked.len() > limits.zset_max_listpack_entries || !ranked.iter().all(is_short) {
            return SortedSet::Tree(Box::new(ranked));
        }
        let mut list = Listpack::new();
        for (member, score) in ranked.iter() {
            let end = list.view().end();
            insert_pair(&mut list, end, member, score);
        }
        SortedSet::Packed(list)
    }

    /// Prepares for that many members that may be new: with too many the packed form is given up at once.
    pub fn prepare(&mut self, count: usize, limits: &Limits) {
        if count > limits.zset_max_listpack_entries {
            self.unpack_all(limits);
        }
    }

    /// Gives up the packed form.
    #[inline(never)]
    pub fn unpack_all(&mut self, limits: &Limits) -> Option<&mut Ranked> {
        if let SortedSet::Packed(list) = self {
            let mut ranked = Ranked::new(limits.seed.clone());
            for (member, score) in SortedSetRef::Packed(list.view()).iter() {
                ranked.insert(&member.text(), score);
            }
            *self = SortedSet::Tree(Box::new(ranked));
        }
        match self {
            SortedSet::Tree(ranked) => Some(ranked),
            SortedSet::Packed(_) => None,
        }
    }

    /// Sets the score of a member: `decide` gets the one it has (None: no such member) and answers the new one, or None
    /// to leave everything as it is. O(log n).
    pub fn change(
        &mut self,
        member: &[u8],
        limits: &Limits,
        decide: &mut dyn FnMut(Option<f64>) -> Option<f64>,
    ) {
        let list = match self {
            SortedSet::Tree(ranked) => return ranked.change(member, decide),
            SortedSet::Packed(list) => list,
        };
        if let Some(position) = list.view().find(member, PAIR) {
            if let Some(score) = decide(Some(score_at(list.view(), position))) {
                list.remove(position, PAIR);
                let position = place(list.view(), score, member);
                insert_pair(list, position, member, score);
            }
            return;
        }
        let Some(score) = decide(None) else { return };
        if list.len() / PAIR >= limits.zset_max_listpack_entries
            || member.len() > limits.zset_max_listpack_value_bytes
        {
            if let Some(ranked) = self.unpack_all(limits) {
                ranked.insert(member, score);
            }
            return;
        }
        let position = place(list.view(), score, member);
        insert_pair(list, position, member, score);
    }

    /// Removes a member; whether it was there. O(log n).
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            SortedSet::Tree(ranked) => ranked.remove(member).is_some(),
            SortedSet::Packed(list) => {
                let Some(position) = list.view().find(member, PAIR) else {
                    return false;
                };
                list.remove(position, PAIR) > 0
            }
        }
    }

    /// Removes the members of these ranks. O(m log n).
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        match self {
            SortedSet::Tree(ranked) => {
                ranked.remove_ranks(ranks);
            }
            SortedSet::Packed(list) => {
                if let Some(position) = list.view().seek((ranks.start * PAIR) as i64) {
                    list.remove(position, ranks.len() * PAIR);
                }
            }
        }
    }
}

/// The score of the member at `position`.
fn score_at(list: ListpackRef<'_>, position: usize) -> f64 {
    let score = list.next(position).and_then(|position| list.at(position));
    score.map_or(0.0, score_of)
}

/// Where a member with this score belongs.
fn place(list: ListpackRef<'_>, score: f64, member: &[u8]) -> usize {
    let mut elements = list.iter();
    while let (Some((position, other)), Some((_, other_score))) = (elements.next(), elements.next())
    {
        let other_score = score_of(other_score);
        if other_score > score || (other_score == score && *other.text() > *member) {
            return position;
        }
    }
    list.end()
}

fn insert_pair(list: &mut Listpack, position: usize, member: &[u8], score: f64) {
    list.insert(position, member);
    let next = list.view().next(position).unwrap_or(list.view().end());
    match Packed::of(score) {
        Packed::Int(number) => list.insert_int(next, number),
        Packed::Text(text) => list.insert(next, &text),
    }
}

impl<'a> SortedSetRef<'a> {
    /// Members. O(1).
    #[inline]
    pub fn len(self) -> usize {
        match self {
            SortedSetRef::Packed(list) => list.len() / PAIR,
            SortedSetRef::Tree(ranked) => ranked.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        match self {
            SortedSetRef::Packed(list) => list.is_empty(),
            SortedSetRef::Tree(ranked) => ranked.is_empty(),
        }
    }

    /// The score of a member. O(1).
    pub fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            SortedSetRef::Packed(list) => {
                let position = list.find(member, PAIR)?;
                Some(score_at(list, position))
            }
            SortedSetRef::Tree(ranked) => ranked.score(member),
        }
    }

    /// How many members come before this one, and its score. O(log n).
    pub fn rank(self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            SortedSetRef::Packed(list) => {
                let wanted = list.find(member, PAIR)?;
                let rank = list.iter().take_while(|(at, _)| *at < wanted).count() / PAIR;
                Some((rank, score_at(list, wanted)))
            }
            SortedSetRef::Tree(ranked) => ranked.rank(member),
        }
    }

    /// All members with their scores, in order.
    pub fn iter(self) -> Walk<'a> {
        self.walk(0..self.len(), false)
    }

    /// The members of these ranks, from the lowest or the highest. O(log n), and O(1) for each.
    pub fn walk(self, ranks: Range<usize>, is_reverse: bool) -> Walk<'a> {
        let ranks = ranks.start.min(self.len())..ranks.end.min(self.len());
        let form = match self {
            SortedSetRef::Packed(list) => {
                let first = if is_reverse {
                    ranks.end.checked_sub(1)
                } else {
                    Some(ranks.start)
                };
                Form::Packed(
                    list,
                    first.and_then(|first| list.seek((first * PAIR) as i64)),
                )
            }
            SortedSetRef::Tree(ranked) => Form::Tree(ranked.range(ranks.clone())),
        };
        Walk {
            form,
            left: ranks.len(),
            is_reverse,
        }
    }

    /// The ranks of the members with a score in the range. O(log n).
    pub fn score_ranks(self, range: &ScoreRange) -> Range<usize> {
        let is_empty = range.min > range.max
            || (range.min == range.max && (range.excludes_min || range.excludes_max));
        if is_empty {
            return 0..0;
        }
        let before = |score, is_through| match self {
            SortedSetRef::Tree(ranked) => ranked.before(Edge::Score(score, is_through)),
            SortedSetRef::Packed(_) => self
                .iter()
                .take_while(|(_, other)| *other < score || (is_through && *other == score))
                .count(),
        };
        let start = before(range.min, range.excludes_min);
        start..before(range.max, !range.excludes_max).max(start)
    }

    /// The ranks of the members in the range, where all scores are equal; among members of different scores, those of
    /// some run, from whichever end is asked for. From that end `skipped` members are left out first. O(log n).
    pub fn lex_ranks(self, range: &LexRange<'_>, is_reverse: bool, skipped: usize) -> Range<usize> {
        if range.is_empty() {
            return 0..0;
        }
        match self {
            SortedSetRef::Tree(ranked) => {
                let before = |bound: &LexBound<'_>, is_upper: bool| match *bound {
                    LexBound::Lowest => 0,
                    LexBound::Highest => ranked.len(),
                    LexBound::Including(member) => ranked.before(Edge::Member(member, is_upper)),
                    LexBound::Excluding(member) => ranked.before(Edge::Member(member, !is_upper)),
                };
                let start = before(&range.min, false);
                let ranks = start..before(&range.max, true).max(start);
                without(ranks, is_reverse, skipped)
            }
            SortedSetRef::Packed(_) => self.packed_lex_ranks(range, is_reverse, skipped),
        }
    }

    /// As Redis does, the first member in the range is looked for, then some are left out, whatever they are, and what is
    /// in the range from there on is the result.
    fn packed_lex_ranks(
        self,
        range: &LexRange<'_>,
        is_reverse: bool,
        skipped: usize,
    ) -> Range<usize> {
        let fits = |ends: Option<(Item<'_>, f64)>, admits: &Admits<'_>| {
            ends.is_some_and(|(member, _)| admits(&member.text()))
        };
        let from = |member: &[u8]| range.min.admits_from(member);
        let to = |member: &[u8]| range.max.admits_to(member);
        let len = self.len();
        let last = self.walk(len.saturating_sub(1)..len, false).next();
        if !fits(last, &from) || !fits(self.iter().next(), &to) {
            return 0..0;
        }
        // From the end where the walk begins: those before the range, and after some left out, those in it.
        let (first, second): (&Admits<'_>, &Admits<'_>) = match is_reverse {
            true => (&to, &from),
            false => (&from, &to),
        };
        let walk = |start: usize| match is_reverse {
            true => self.walk(0..len.saturating_sub(start), true),
            false => self.walk(start..len, false),
        };
        let before = walk(0).take_while(|(member, _)| !first(&member.text()));
        let start = before.count();
        if !fits(walk(start).next(), second) {
            return 0..0;
        }
        let start = start.saturating_add(skipped).min(len);
        let inside = walk(start).take_while(|(member, _)| second(&member.text()));
        let end = start + inside.count();
        if is_reverse {
            len - end..len - start
        } else {
            start..end
        }
    }

    /// Whether a packed one that came from outside is as it should be: members with scores, in order, none twice.
    /// O(n log n).
    pub fn is_sound(self) -> bool {
        let SortedSetRef::Packed(list) = self else {
            return true;
        };
        let scores = list.iter().skip(1).step_by(PAIR);
        let are_scores = scores.into_iter().all(|(_, score)| match score {
            Item::Int(_) => true,
            Item::Bytes(text) => num::parse_f64(text).is_some(),
        });
        let is_ordered = self
            .iter()
            .is_sorted_by(|(one, one_score), (other, other_score)| {
                compare((*one_score, &one.text()), (*other_score, &other.text())).is_lt()
            });
        !list.is_empty()
            && list.len().is_multiple_of(PAIR)
            && are_scores
            && is_ordered
            && list
                .are_few_distinct(PAIR)
                .unwrap_or_else(|| self.are_members_distinct())
    }

    /// Whether no member occurs twice. O(n log n).
    fn are_members_distinct(self) -> bool {
        let members: Vec<_> = self.iter().map(|(member, _)| member.text()).collect();
        let by_name = order(members.len(), &mut |one, other| match (
            members.get(one),
            members.get(other),
        ) {
            (Some(one), Some(other)) => one.cmp(other),
            _ => Ordering::Equal,
        });
        let name = |at: &usize| members.get(*at).map(|member| &**member);
        by_name.is_sorted_by(|one, other| name(one) != name(other))
    }

    /// Visits about `count` members, starting at a cursor; the cursor to go on with. A packed one is visited whole.
    pub fn scan(self, cursor: u64, count: usize, visit: &mut dyn FnMut(&[u8], f64)) -> u64 {
        match self {
            SortedSetRef::Packed(_) => {
                self.iter()
                    .for_each(|(member, score)| visit(&member.text(), score));
                0
            }
            SortedSetRef::Tree(ranked) => ranked.scan(cursor, count, visit),
        }
    }
}

/// Members with their scores; see [`SortedSetRef::walk`].
pub struct Walk<'a> {
    form: Form<'a>,
    left: usize,
    is_reverse: bool,
}

enum Form<'a> {
    /// And the position of the next member.
    Packed(ListpackRef<'a>, Option<usize>),
    Tree(Members<'a>),
}

impl<'a> Iterator for Walk<'a> {
    type Item = (Item<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        match &mut self.form {
            Form::Tree(members) => {
                let found = if self.is_reverse {
                    members.next_back()
                } else {
                    members.next()
                };
                found.map(|(member, score)| (Item::Bytes(member), score))
            }
            Form::Packed(list, position) => {
                let at = (*position)?;
                let member = list.at(at)?;
                let score = list.next(at)?;
                *position = if self.is_reverse {
                    list.prev(at).and_then(|score| list.prev(score))
                } else {
                    list.next(score)
                };
                Some((member, score_of(list.at(score)?)))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Walk<'_> {}

impl Default for SortedSet {
    fn default() -> Self {
        SortedSet::new()
    }
}

impl Aggregate for SortedSet {
    const TYPE: Type = Type::SortedSet;

    fn of(object: &mut Object) -> Option<&mut SortedSet> {
        match object {
            Object::SortedSet(value) => Some(value),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::SortedSet(self)
    }
}

impl<'a> Entry<'a> {
    /// The value, if it is a sorted set.
    #[inline]
    pub fn sorted_set(&self) -> Option<SortedSetRef<'a>> {
        Some(match (self.kind(), self.view().payload()) {
            (Kind::SortedSetPacked, Payload::Inline(bytes)) => {
                SortedSetRef::Packed(ListpackRef::new(bytes))
            }
            (_, Payload::Boxed(Object::SortedSet(value))) => value.view(),
            _ => return None,
        })
    }
}
