//! What lies within an area: GEOSEARCH, and GEORADIUS from before it.

use super::{Fallible, place, point, reply_distance, reply_point, unit_m};
use crate::algorithms::geo::{Area, Point, Shape};
use crate::algorithms::{num, order};
use crate::commands::sorted_set::store;
use crate::resp::Error;
use crate::structures::ranked::Ranked;
use crate::table::{
    Acl, Arg, BASE, Command, Ctx, Deprecated, Flags, Group, KeyFlags, KeySpec, Options, Outcome,
    Result, args, block, double, flag, integer, key, oneof, prose, radius_keys, string,
};
use crate::values::Entry;
use crate::values::sorted_set::ScoreRange;
use core::cmp::Ordering;

const UNIT: Arg = oneof("unit", args![flag("M"), flag("KM"), flag("FT"), flag("MI")]);
const FROM: Arg = oneof(
    "from",
    args![
        string("member").token("FROMMEMBER"),
        block("fromlonlat", args![double("longitude"), double("latitude")]).token("FROMLONLAT"),
    ],
);
const BY: Arg = oneof(
    "by",
    args![
        block("circle", args![double("radius").token("BYRADIUS"), UNIT]),
        block(
            "box",
            args![double("width").token("BYBOX"), double("height"), UNIT]
        ),
    ],
);
const COUNT: Arg = block(
    "count-block",
    args![integer("count").token("COUNT"), flag("ANY").optional()],
)
.optional();
const OLD_COUNT: Arg = block(
    "count-block",
    args![
        integer("count").token("COUNT"),
        flag("ANY").optional().since("6.2.0")
    ],
)
.optional();
const ORDER: Arg = oneof("order", args![flag("ASC"), flag("DESC")]).optional();
const STORE: Arg = oneof(
    "store",
    args![
        key("storekey").display("key").spec(1).token("STORE"),
        key("storedistkey")
            .display("key")
            .spec(2)
            .token("STOREDIST"),
    ],
)
.optional();

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "geosearch", arity: -7, group: Group::Geo, since: "6.2.0",
        flags: Flags::READONLY, acl: Acl::GEO,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), FROM, BY, ORDER, COUNT,
            flag("WITHCOORD").optional(), flag("WITHDIST").optional(), flag("WITHHASH").optional(),
        ],
        reply: FOUND,
        doc: prose!("The places within a circle or a rectangle.", COMPLEXITY),
        run: geosearch, ..BASE
    },
    Command {
        name: "geosearchstore", arity: -8, group: Group::Geo, since: "6.2.0",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::GEO,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
            KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS),
        ],
        args: args![key("destination"), key("source").spec(1), FROM, BY, ORDER, COUNT, flag("STOREDIST").optional()],
        reply: "int",
        doc: prose!("Stores the places within a circle or a rectangle as a sorted set, and tells how many.", COMPLEXITY),
        run: geosearchstore, ..BASE
    },
    Command {
        name: "georadius", arity: -6, group: Group::Geo, since: "3.2.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::MOVABLEKEYS, acl: Acl::GEO,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS),
            KeySpec::keyword("STORE", 6).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
            KeySpec::keyword("STOREDIST", 6).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
        ],
        find_keys: Some(radius_keys),
        args: args![
            key("key"), double("longitude"), double("latitude"), double("radius"), UNIT,
            flag("WITHCOORD").optional(), flag("WITHDIST").optional(), flag("WITHHASH").optional(),
            OLD_COUNT, ORDER, STORE,
        ],
        deprecated: Some(Deprecated { since: "6.2.0", replaced_by: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument" }),
        reply: FOUND_OR_STORED,
        doc: prose!("The places within a radius of a point, returned or stored.", COMPLEXITY),
        run: georadius, ..BASE
    },
    Command {
        name: "georadius_ro", arity: -6, group: Group::Geo, since: "3.2.10",
        flags: Flags::READONLY, acl: Acl::GEO,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), double("longitude"), double("latitude"), double("radius"), UNIT,
            flag("WITHCOORD").optional(), flag("WITHDIST").optional(), flag("WITHHASH").optional(),
            OLD_COUNT, ORDER,
        ],
        deprecated: Some(Deprecated { since: "6.2.0", replaced_by: "`GEOSEARCH` with the `BYRADIUS` argument" }),
        reply: FOUND,
        doc: prose!("The places within a radius of a point.", COMPLEXITY),
        run: georadius_ro, ..BASE
    },
    Command {
        name: "georadiusbymember", arity: -5, group: Group::Geo, since: "3.2.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::MOVABLEKEYS, acl: Acl::GEO,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS),
            KeySpec::keyword("STORE", 5).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
            KeySpec::keyword("STOREDIST", 5).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
        ],
        find_keys: Some(radius_keys),
        args: args![
            key("key"), string("member"), double("radius"), UNIT,
            flag("WITHCOORD").optional(), flag("WITHDIST").optional(), flag("WITHHASH").optional(),
            COUNT, ORDER, STORE,
        ],
        deprecated: Some(Deprecated { since: "6.2.0", replaced_by: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments" }),
        reply: FOUND_OR_STORED,
        doc: prose!("The places within a radius of one of them, returned or stored.", COMPLEXITY),
        run: georadiusbymember, ..BASE
    },
    Command {
        name: "georadiusbymember_ro", arity: -5, group: Group::Geo, since: "3.2.10",
        flags: Flags::READONLY, acl: Acl::GEO,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), string("member"), double("radius"), UNIT,
            flag("WITHCOORD").optional(), flag("WITHDIST").optional(), flag("WITHHASH").optional(),
            COUNT, ORDER,
        ],
        deprecated: Some(Deprecated { since: "6.2.0", replaced_by: "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments" }),
        reply: FOUND,
        doc: prose!("The places within a radius of one of them.", COMPLEXITY),
        run: georadiusbymember_ro, ..BASE
    },
];

const COMPLEXITY: &str = "O(N+log(M)), N the places in the cells around the area, M all places";
const FOUND: &str = "[bulk | [any]]";
const FOUND_OR_STORED: &str = "[bulk | [any]] | int";

/// Which of the commands it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Search,
    SearchStore,
    Radius { by_member: bool, stores: bool },
}

/// What is asked for, as far as it was read.
#[derive(Default)]
struct Query<'a> {
    center: Option<Point>,
    /// The centre is a member; it may be named again, but then no point.
    is_from_member: bool,
    shape: Option<Shape>,
    unit_m: f64,
    with_distance: bool,
    with_hash: bool,
    with_point: bool,
    /// 0 for all.
    count: usize,
    /// Whichever are found first.
    is_any: bool,
    /// Nearest first, or farthest.
    order: Option<Order>,
    store: Option<&'a [u8]>,
    /// The distance is stored in place of the place.
    stores_distance: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Nearest,
    Farthest,
}

/// A place within the area; its member is a part of the text of all.
struct Found {
    distance_m: f64,
    score: f64,
    start: usize,
    end: usize,
}

fn geosearch(ctx: &mut Ctx) -> Result {
    run(ctx, Form::Search)
}

fn geosearchstore(ctx: &mut Ctx) -> Result {
    run(ctx, Form::SearchStore)
}

fn georadius(ctx: &mut Ctx) -> Result {
    radius(ctx, false, true)
}

fn georadius_ro(ctx: &mut Ctx) -> Result {
    radius(ctx, false, false)
}

fn georadiusbymember(ctx: &mut Ctx) -> Result {
    radius(ctx, true, true)
}

fn georadiusbymember_ro(ctx: &mut Ctx) -> Result {
    radius(ctx, true, false)
}

fn radius(ctx: &mut Ctx, by_member: bool, stores: bool) -> Result {
    run(ctx, Form::Radius { by_member, stores })
}

fn run(ctx: &mut Ctx, form: Form) -> Result {
    let source = ctx.arg(if form == Form::SearchStore { 2 } else { 1 });
    let is_there = ctx.keys.read_value(source, Entry::sorted_set)?.is_some();
    let query = read(ctx, form, source, is_there)?;
    if !is_there {
        match query.store {
            Some(key) => store(ctx, key, Ranked::new(ctx.keys.limits.seed.clone()), ""),
            None => ctx.reply.array(0),
        }
        return Ok(Outcome::Done);
    }
    let mut text = Vec::new();
    let found = find(ctx, source, &query, &mut text)?;
    let count = match query.count {
        0 => found.len(),
        count => count.min(found.len()),
    };
    let sorted = put_in_order(&found, query.order, count);
    let first = sorted.iter().take(count).filter_map(|at| found.get(*at));
    let member = |one: &Found| text.get(one.start..one.end).unwrap_or(&[]);
    if let Some(key) = query.store {
        let mut members = Ranked::new(ctx.keys.limits.seed.clone());
        for one in first {
            let score = match query.stores_distance {
                true => one.distance_m / query.unit_m,
                false => one.score,
            };
            members.insert(member(one), score);
        }
        let event = match form {
            Form::SearchStore => "geosearchstore",
            _ => "georadiusstore",
        };
        store(ctx, key, members, event);
        return Ok(Outcome::Done);
    }
    ctx.reply.array(count);
    let facts = [query.with_distance, query.with_hash, query.with_point];
    let facts = facts.into_iter().filter(|fact| *fact).count();
    for one in first {
        if facts > 0 {
            ctx.reply.array(facts + 1);
        }
        ctx.reply.bulk(member(one));
        if query.with_distance {
            reply_distance(ctx, one.distance_m / query.unit_m);
        }
        if query.with_hash {
            ctx.reply.int(one.score as i64);
        }
        if query.with_point {
            reply_point(ctx, place(one.score));
        }
    }
    Ok(Outcome::Done)
}

/// The places of the sorted set within the area, in the order of the search. Their members are added to `text`.
fn find(ctx: &Ctx, source: &[u8], query: &Query, text: &mut Vec<u8>) -> Fallible<Vec<Found>> {
    let mut found = Vec::new();
    let set = ctx.keys.peek_value(source, Entry::sorted_set)?;
    let (Some(set), Some(center), Some(shape)) = (set, query.center, query.shape) else {
        return Ok(found);
    };
    let area = Area::new(center, shape, query.unit_m);
    let limit = match query.is_any {
        true => query.count,
        false => usize::MAX,
    };
    for range in area.ranges() {
        let ranks = set.score_ranks(&ScoreRange {
            min: range.start as f64,
            max: range.end as f64,
            excludes_min: false,
            excludes_max: true,
        });
        for (member, score) in set.walk(ranks, false) {
            let Some(distance_m) = area.distance_m(place(score)) else {
                continue;
            };
            let start = text.len();
            text.extend_from_slice(&member.text());
            found.push(Found {
                distance_m,
                score,
                start,
                end: text.len(),
            });
            if found.len() >= limit {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

/// The places' numbers in the order asked for. As in Redis those equally far keep the order of the search when all are
/// sorted, and come as they come when only the first ones are.
fn put_in_order(found: &[Found], wanted: Option<Order>, count: usize) -> Vec<usize> {
    let Some(wanted) = wanted else {
        return (0..found.len()).collect();
    };
    let mut compare = |one: usize, other: usize| {
        let distance = |at: usize| found.get(at).map(|one| one.distance_m);
        let order = distance(one).partial_cmp(&distance(other));
        let order = order.unwrap_or(Ordering::Equal);
        match wanted {
            Order::Nearest => order,
            Order::Farthest => order.reverse(),
        }
    };
    match count < found.len() {
        true => order::part(found.len(), 0..count, &mut compare),
        false => order::order(found.len(), &mut compare),
    }
}

/// Reads the arguments, in Redis' order of checks.
fn read<'a>(ctx: &Ctx<'a>, form: Form, source: &[u8], is_there: bool) -> Fallible<Query<'a>> {
    let mut query = Query::default();
    let options = &mut ctx.options(2);
    match form {
        Form::Search => {}
        Form::SearchStore => {
            options.next();
            query.store = Some(ctx.arg(1));
        }
        Form::Radius { by_member, .. } => {
            let center = match by_member {
                true => center_of(ctx, source, is_there, options.value()?)?,
                false => point(options.value()?, options.value()?)?,
            };
            query.center = Some(center);
            if by_member && !is_there {
                // Without a sorted set nobody asks how far.
                query.shape = Some(Shape::Circle { radius: 0.0 });
                *options = ctx.options(5);
            } else {
                query.set_circle(options)?;
            }
        }
    }
    while !options.is_done() {
        let is_common = query.take_common(options)?;
        if !is_common {
            query.take_own(ctx, form, source, is_there, options)?;
        }
    }
    query.check(ctx, form)?;
    Ok(query)
}

/// The place of a member that is a centre; without a sorted set any will do.
fn center_of(ctx: &Ctx, source: &[u8], is_there: bool, member: &[u8]) -> Fallible<Point> {
    let set = ctx.keys.peek_value(source, Entry::sorted_set)?;
    match set.and_then(|set| set.score(member)) {
        Some(score) => Ok(place(score)),
        None if is_there => Err(Error::new("ERR could not decode requested zset member")),
        None => Ok(Point {
            longitude: 0.0,
            latitude: 0.0,
        }),
    }
}

/// A length; `bad` is what it is called when it is none.
fn length(text: &[u8], bad: &'static str) -> Fallible<f64> {
    num::parse_f64(text).ok_or(Error::new(bad))
}

impl<'a> Query<'a> {
    fn set_circle(&mut self, options: &mut Options<'a>) -> Fallible<()> {
        let radius = length(options.value()?, "ERR need numeric radius")?;
        if radius < 0.0 {
            return Err(Error::new("ERR radius cannot be negative"));
        }
        self.unit_m = unit_m(options.value()?)?;
        self.shape = Some(Shape::Circle { radius });
        Ok(())
    }

    fn set_rectangle(&mut self, options: &mut Options<'a>) -> Fallible<()> {
        let width = length(options.value()?, "ERR need numeric width")?;
        let height = length(options.value()?, "ERR need numeric height")?;
        if width < 0.0 || height < 0.0 {
            return Err(Error::new("ERR height or width cannot be negative"));
        }
        self.unit_m = unit_m(options.value()?)?;
        self.shape = Some(Shape::Rectangle { width, height });
        Ok(())
    }

    /// Takes an option that all the commands have; false when the next one is none.
    fn take_common(&mut self, options: &mut Options<'a>) -> Fallible<bool> {
        let flags = [
            ("WITHDIST", &mut self.with_distance),
            ("WITHHASH", &mut self.with_hash),
            ("WITHCOORD", &mut self.with_point),
            ("ANY", &mut self.is_any),
        ];
        for (word, flag) in flags {
            if options.take(word) {
                *flag = true;
                return Ok(true);
            }
        }
        if options.take("ASC") {
            self.order = Some(Order::Nearest);
        } else if options.take("DESC") {
            self.order = Some(Order::Farthest);
        } else if let Some(count) = options.take_value("COUNT") {
            let count = num::parse_i64(count).ok_or(Error::NOT_INTEGER)?;
            if count <= 0 {
                return Err(Error::new("ERR COUNT must be > 0"));
            }
            self.count = usize::try_from(count).unwrap_or(usize::MAX);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes an option that only some of the commands have.
    fn take_own(
        &mut self,
        ctx: &Ctx<'a>,
        form: Form,
        source: &[u8],
        is_there: bool,
        options: &mut Options<'a>,
    ) -> Fallible<()> {
        let left = options.left();
        if let Form::Radius { stores, .. } = form {
            for (word, stores_distance) in [("STORE", false), ("STOREDIST", true)] {
                if stores && let Some(key) = options.take_value(word) {
                    self.store = Some(key);
                    self.stores_distance = stores_distance;
                    return Ok(());
                }
            }
            return Err(Error::SYNTAX);
        }
        // Either may be said again, the last one counts; but not both.
        let may_be_member = self.center.is_none() || self.is_from_member;
        let may_be_circle = !matches!(self.shape, Some(Shape::Rectangle { .. }));
        let may_be_rectangle = !matches!(self.shape, Some(Shape::Circle { .. }));
        if may_be_member && left > 1 && options.take("FROMMEMBER") {
            self.center = Some(center_of(ctx, source, is_there, options.value()?)?);
            self.is_from_member = true;
        } else if !self.is_from_member && left > 2 && options.take("FROMLONLAT") {
            self.center = Some(point(options.value()?, options.value()?)?);
        } else if may_be_circle && left > 2 && options.take("BYRADIUS") {
            self.set_circle(options)?;
        } else if may_be_rectangle && left > 3 && options.take("BYBOX") {
            self.set_rectangle(options)?;
        } else if form == Form::SearchStore && options.take("STOREDIST") {
            self.stores_distance = true;
        } else {
            return Err(Error::SYNTAX);
        }
        Ok(())
    }

    /// Whether all that was read makes sense together.
    fn check(&mut self, ctx: &Ctx, form: Form) -> Fallible<()> {
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_point) {
            let what: &[u8] = match form {
                Form::SearchStore => b"GEOSEARCHSTORE",
                _ => b"STORE option in GEORADIUS",
            };
            return Err(Error::concat(&[
                b"ERR ",
                what,
                b" is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
            ]));
        }
        let missing: &[u8] = match (self.center, self.shape) {
            (None, _) => b"FROMMEMBER or FROMLONLAT",
            (_, None) => b"BYRADIUS and BYBOX",
            _ => b"",
        };
        if !missing.is_empty() {
            return Err(Error::concat(&[
                b"ERR exactly one of ",
                missing,
                b" can be specified for ",
                ctx.arg(0),
            ]));
        }
        if self.is_any && self.count == 0 {
            return Err(Error::new("ERR the ANY argument requires COUNT argument"));
        }
        // The first of no order are the nearest.
        if self.count > 0 && !self.is_any && self.order.is_none() {
            self.order = Some(Order::Nearest);
        }
        Ok(())
    }
}
