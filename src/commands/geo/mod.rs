//! Places in a sorted set: the score is the place.
//!
//! <https://redis.io/docs/latest/develop/data-types/geospatial/>

pub mod search;

use super::sorted_set::add::{Rule, add};
use crate::algorithms::bytes::Bytes;
use crate::algorithms::geo::Point;
use crate::algorithms::num;
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, block, double,
    flag, key, oneof, prose, string, token,
};
use crate::values::Entry;

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "geoadd", arity: -5, group: Group::Geo, since: "3.2.0",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::GEO,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![
            key("key"),
            oneof("condition", args![flag("NX"), flag("XX")]).optional().since("6.2.0"),
            token("change", "CH").optional().since("6.2.0"),
            block("data", args![double("longitude"), double("latitude"), string("member")]).multiple(),
        ],
        reply: "int",
        doc: prose!("Adds places to a sorted set, or moves them.", "O(log(N)) for each place, N the size of the sorted set"),
        run: geoadd, ..BASE
    },
    Command {
        name: "geopos", arity: -2, group: Group::Geo, since: "3.2.0",
        flags: Flags::READONLY, acl: Acl::GEO,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), string("member").optional().multiple()],
        reply: "[[double, double] | nil]",
        doc: prose!("Longitude and latitude of places.", "O(1) for each place"),
        run: geopos, ..BASE
    },
    Command {
        name: "geohash", arity: -2, group: Group::Geo, since: "3.2.0",
        flags: Flags::READONLY, acl: Acl::GEO,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), string("member").optional().multiple()],
        reply: "[bulk | nil]",
        doc: prose!("The standard geohashes of places, of 11 letters.", "O(1) for each place"),
        run: geohash, ..BASE
    },
    Command {
        name: "geodist", arity: -4, group: Group::Geo, since: "3.2.0",
        flags: Flags::READONLY, acl: Acl::GEO,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), string("member1"), string("member2"),
            oneof("unit", args![flag("M"), flag("KM"), flag("FT"), flag("MI")]).optional(),
        ],
        reply: "bulk | nil",
        doc: prose!("How far two places are from each other.", "O(1)"),
        run: geodist, ..BASE
    },
];

type Fallible<T> = core::result::Result<T, Error>;

/// A place given as longitude and latitude.
fn point(longitude: &[u8], latitude: &[u8]) -> Fallible<Point> {
    let parse = |text| num::parse_f64(text).ok_or(Error::NOT_FLOAT);
    let (longitude, latitude) = (parse(longitude)?, parse(latitude)?);
    Point::new(longitude, latitude).ok_or_else(|| {
        let mut pair = Vec::new();
        num::write_fixed(&mut pair, longitude, 6);
        pair.push(b',');
        num::write_fixed(&mut pair, latitude, 6);
        Error::concat(&[b"ERR invalid longitude,latitude pair ", &pair])
    })
}

/// The place that a member's score stands for. Scores that no place has are taken as the bits they would be in C: a
/// negative number from above, one too large as nothing but its sign.
fn place(score: f64) -> Point {
    const HALF: f64 = 9223372036854775808.0;
    let bits = match score < HALF {
        true => score as i64 as u64,
        false if score < HALF * 2.0 => (score - HALF) as u64 | 1 << 63,
        false => 0,
    };
    Point::of_score(bits)
}

/// Metres in a unit.
fn unit_m(word: &[u8]) -> Fallible<f64> {
    const UNITS: [(&[u8], f64); 4] = [
        (b"m", 1.0),
        (b"km", 1000.0),
        (b"ft", 0.3048),
        (b"mi", 1609.34),
    ];
    let found = UNITS.into_iter().find(|(name, _)| word.is_word(name));
    found.map(|(_, metres)| metres).ok_or(Error::new(
        "ERR unsupported unit provided. please use M, KM, FT, MI",
    ))
}

/// Replies a distance with four digits behind the point. As in Redis they are those of the product with 10,000, rounded
/// once it is formed.
fn reply_distance(ctx: &mut Ctx, distance: f64) {
    let mut text = Vec::new();
    let scaled = (distance * 10_000.0).round_ties_even();
    if scaled < 1e18 {
        let scaled = scaled as u64;
        num::write_u64(&mut text, scaled / 10_000);
        // The one in front keeps the zeros, and gives its place to the point.
        let point = text.len();
        num::write_u64(&mut text, 10_000 + scaled % 10_000);
        if let Some(point) = text.get_mut(point) {
            *point = b'.';
        }
    } else {
        num::write_f64(&mut text, distance);
    }
    ctx.reply.bulk(&text);
}

fn geoadd(ctx: &mut Ctx) -> Result {
    let mut rule = Rule::default();
    let options = &mut ctx.options(2);
    loop {
        if options.take("NX") {
            rule.only_new = true;
        } else if options.take("XX") {
            rule.only_known = true;
        } else if options.take("CH") {
            rule.counts_changed = true;
        } else {
            break;
        }
    }
    let (places, rest) = options.rest().as_chunks();
    if places.is_empty() || !rest.is_empty() || rule.only_new && rule.only_known {
        return Err(Error::SYNTAX);
    }
    let mut scores = Vec::with_capacity(places.len());
    for [longitude, latitude, _] in places {
        scores.push(point(longitude, latitude)?.score() as f64);
    }
    let before = ctx.keys.dirty;
    let outcome = add(ctx, ctx.arg(1), rule, places.len(), &|at| {
        let score = scores.get(at).copied().unwrap_or(0.0);
        (score, places.get(at).map_or(&[], |[_, _, member]| *member))
    })?;
    if ctx.keys.dirty != before && ctx.keys.is_logging() {
        log_add(ctx, places, &scores);
    }
    Ok(outcome)
}

/// The log knows only of the sorted set.
#[inline(never)]
fn log_add(ctx: &mut Ctx, places: &[[&[u8]; 3]], scores: &[f64]) {
    let mut texts = Vec::with_capacity(scores.len());
    for score in scores {
        texts.push(num::format_u64(*score as u64));
    }
    let places_at = ctx.args.len() - places.len() * 3;
    let mut logged: Vec<&[u8]> = vec![b"zadd"];
    logged.extend(ctx.args.get(1..places_at).unwrap_or(&[]));
    for ([_, _, member], text) in places.iter().zip(&texts) {
        logged.extend([text.as_bytes(), member]);
    }
    ctx.propagate(&logged);
}

/// Replies, for each member named, what `say` says about its place; nothing has `say` make up the nil.
fn each_place(ctx: &mut Ctx, say: fn(&mut Ctx, Option<Point>)) -> Result {
    let members = ctx.args.get(2..).unwrap_or(&[]);
    let set = ctx.keys.read_value(ctx.arg(1), Entry::sorted_set)?;
    let places: Vec<Option<Point>> = members
        .iter()
        .map(|member| set.and_then(|set| set.score(member)).map(place))
        .collect();
    ctx.reply.array(members.len());
    for place in places {
        say(ctx, place);
    }
    Ok(Outcome::Done)
}

fn geopos(ctx: &mut Ctx) -> Result {
    each_place(ctx, |ctx, place| match place {
        Some(place) => reply_point(ctx, place),
        None => ctx.reply.nil_array(),
    })
}

fn reply_point(ctx: &mut Ctx, point: Point) {
    ctx.reply.array(2);
    ctx.reply.double(point.longitude);
    ctx.reply.double(point.latitude);
}

fn geohash(ctx: &mut Ctx) -> Result {
    each_place(ctx, |ctx, place| match place {
        Some(place) => ctx.reply.bulk(&place.geohash()),
        None => ctx.reply.nil(),
    })
}

fn geodist(ctx: &mut Ctx) -> Result {
    let unit_m = match ctx.args.len() {
        4 => 1.0,
        5 => unit_m(ctx.arg(4))?,
        _ => return Err(Error::SYNTAX),
    };
    let set = ctx.keys.read_value(ctx.arg(1), Entry::sorted_set)?;
    let find = |at: usize| set.and_then(|set| set.score(ctx.args.get(at)?)).map(place);
    match (find(2), find(3)) {
        (Some(one), Some(other)) => reply_distance(ctx, one.distance_m(other) / unit_m),
        _ => ctx.reply.nil(),
    }
    Ok(Outcome::Done)
}
