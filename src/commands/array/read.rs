//! What reads arrays.

use super::{index, limit, say_index, say_pair, say_value};
use crate::algorithms::num;
use crate::resp::{Error, Reply};
use crate::structures::item::Needle;
use crate::table::{Ctx, Outcome, Result};
use crate::values::array::MAX_INDEX;
use crate::values::{Array, Entry, Str};

/// No reply has more elements than this.
const MAX_REPLY: u64 = 1_000_000;

type Parsed<T> = core::result::Result<T, Error>;

/// The array at the command's key, as a reading command sees it.
pub(super) fn array<'a>(ctx: &'a mut Ctx) -> Parsed<(Option<&'a Array>, &'a mut Reply)> {
    let array = ctx
        .keys
        .read_value(ctx.args.get(1).copied().unwrap_or_default(), Entry::array)?;
    Ok((array, ctx.reply))
}

pub(super) fn arget(ctx: &mut Ctx) -> Result {
    let index = index(ctx.arg(2))?;
    let (array, reply) = array(ctx)?;
    say_value(reply, array.and_then(|array| array.get(index)));
    Ok(Outcome::Done)
}

pub(super) fn armget(ctx: &mut Ctx) -> Result {
    let indices = ctx.args.get(2..).unwrap_or_default().iter();
    let indices: Parsed<Vec<_>> = indices.map(|text| index(text)).collect();
    let indices = indices?;
    let (array, reply) = array(ctx)?;
    reply.array(indices.len());
    for index in indices {
        say_value(reply, array.and_then(|array| array.get(index)));
    }
    Ok(Outcome::Done)
}

/// The bounds of a range, as arguments 2 and 3.
fn range(ctx: &Ctx) -> Parsed<(u64, u64)> {
    Ok((index(ctx.arg(2))?, index(ctx.arg(3))?))
}

pub(super) fn argetrange(ctx: &mut Ctx) -> Result {
    let (from, to) = range(ctx)?;
    let (array, reply) = array(ctx)?;
    let count = from.abs_diff(to).saturating_add(1);
    if count > MAX_REPLY {
        return Err(Error::new("ERR range exceeds maximum of 1000000 items"));
    }
    reply.array(count as usize);
    let mut said = 0;
    if let Some(array) = array {
        array.visit(from, to, &mut |index, value| {
            let place = from.abs_diff(index);
            (said..place).for_each(|_| reply.nil());
            say_value(reply, Some(value));
            said = place + 1;
            true
        });
    }
    (said..count).for_each(|_| reply.nil());
    Ok(Outcome::Done)
}

pub(super) fn arscan(ctx: &mut Ctx) -> Result {
    let (from, to) = range(ctx)?;
    let options = &mut ctx.options(4);
    let most = match options.take_value("LIMIT") {
        Some(text) => limit(text)?,
        None => u64::MAX,
    };
    if !options.is_done() {
        return Err(Error::SYNTAX);
    }
    let (array, reply) = array(ctx)?;
    let mark = reply.mark();
    let mut count = 0;
    if let Some(array) = array {
        array.visit(from, to, &mut |index, value| {
            say_pair(reply, index, value);
            count += 1;
            (count as u64) < most
        });
    }
    reply.close_array(mark, count);
    Ok(Outcome::Done)
}

pub(super) fn arlen(ctx: &mut Ctx) -> Result {
    let (array, reply) = array(ctx)?;
    say_index(reply, array.map_or(0, Array::len));
    Ok(Outcome::Done)
}

pub(super) fn arcount(ctx: &mut Ctx) -> Result {
    let (array, reply) = array(ctx)?;
    say_index(reply, array.map_or(0, Array::count));
    Ok(Outcome::Done)
}

pub(super) fn arnext(ctx: &mut Ctx) -> Result {
    let (array, reply) = array(ctx)?;
    match array.map_or(Some(0), Array::next_index) {
        Some(index) => say_index(reply, index),
        None => reply.nil(),
    }
    Ok(Outcome::Done)
}

pub(super) fn arlastitems(ctx: &mut Ctx) -> Result {
    let count = u64::try_from(ctx.integer(2)?).unwrap_or(0);
    let options = &mut ctx.options(3);
    let is_reverse = options.take("REV");
    if !options.is_done() {
        return Err(Error::SYNTAX);
    }
    let (array, reply) = array(ctx)?;
    let Some(array) = array else {
        reply.array(0);
        return Ok(Outcome::Done);
    };
    if count.min(array.len()) > MAX_REPLY {
        return Err(Error::new("ERR count exceeds maximum of 1000000 items"));
    }
    let mut places: Vec<u64> = array.last_places(count).collect();
    if !is_reverse {
        places.reverse();
    }
    reply.array(places.len());
    for index in places {
        say_value(reply, array.get(index));
    }
    Ok(Outcome::Done)
}

/// What AROP makes of the values of a range.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Sum,
    Min,
    Max,
    And,
    Or,
    Xor,
    Match,
    Used,
}

const OPERATIONS: [(&str, Operation); 8] = [
    ("SUM", Operation::Sum),
    ("MIN", Operation::Min),
    ("MAX", Operation::Max),
    ("AND", Operation::And),
    ("OR", Operation::Or),
    ("XOR", Operation::Xor),
    ("MATCH", Operation::Match),
    ("USED", Operation::Used),
];

/// What the values seen so far come to: some number, bits, and how many counted.
#[derive(Default)]
struct Total {
    number: f64,
    bits: i64,
    count: i64,
}

impl Total {
    fn add(&mut self, operation: Operation, value: Str<'_>, wanted: &Needle<'_>) {
        match operation {
            Operation::Sum | Operation::Min | Operation::Max => self.add_number(operation, value),
            Operation::And | Operation::Or | Operation::Xor => self.add_bits(operation, value),
            Operation::Match => self.count += i64::from(wanted.is(value)),
            Operation::Used => self.count += 1,
        }
    }

    fn add_number(&mut self, operation: Operation, value: Str<'_>) {
        let Some(number) = number(value) else {
            return;
        };
        self.count += 1;
        self.number = match operation {
            _ if self.count == 1 => number,
            Operation::Sum => self.number + number,
            Operation::Min => self.number.min(number),
            _ => self.number.max(number),
        };
    }

    fn add_bits(&mut self, operation: Operation, value: Str<'_>) {
        // A cast cuts the fraction off, and stops at the ends of the integers.
        let Some(bits) = value
            .integer()
            .or_else(|| number(value).map(|number| number as i64))
        else {
            return;
        };
        self.count += 1;
        self.bits = match operation {
            _ if self.count == 1 => bits,
            Operation::And => self.bits & bits,
            Operation::Or => self.bits | bits,
            _ => self.bits ^ bits,
        };
    }
}

fn number(value: Str<'_>) -> Option<f64> {
    match value {
        Str::Int(number) => Some(number as f64),
        Str::Bytes(text) => num::parse_f64(text),
    }
}

pub(super) fn arop(ctx: &mut Ctx) -> Result {
    let (from, to) = range(ctx)?;
    let options = &mut ctx.options(4);
    let found = OPERATIONS.iter().find(|(word, _)| options.take(word));
    let (_, operation) = *found.ok_or(Error::SYNTAX)?;
    let wanted = match operation {
        Operation::Match => options.value()?,
        _ => &[],
    };
    if !options.is_done() {
        return Err(Error::SYNTAX);
    }
    let wanted = Needle::new(wanted);
    let (array, reply) = array(ctx)?;
    let mut total = Total::default();
    if let Some(array) = array {
        array.visit(
            from.min(to),
            from.max(to).min(MAX_INDEX),
            &mut |_, value| {
                total.add(operation, value, &wanted);
                true
            },
        );
    }
    match operation {
        Operation::Match | Operation::Used => reply.int(total.count),
        _ if total.count == 0 => reply.nil(),
        Operation::And | Operation::Or | Operation::Xor => reply.int(total.bits),
        Operation::Sum | Operation::Min | Operation::Max => {
            let mut text = Vec::new();
            num::write_f64(&mut text, total.number);
            reply.bulk(&text);
        }
    }
    Ok(Outcome::Done)
}

pub(super) fn arinfo(ctx: &mut Ctx) -> Result {
    let options = &mut ctx.options(2);
    let is_full = options.take("FULL");
    if !options.is_done() {
        return Err(Error::SYNTAX);
    }
    let (array, reply) = array(ctx)?;
    let array = array.ok_or(Error::NO_SUCH_KEY)?;
    let shape = array.shape();
    reply.map(if is_full { 12 } else { 7 });
    for (name, number) in [
        ("count", array.count()),
        ("len", array.len()),
        ("next-insert-index", array.next_index().unwrap_or(0)),
        ("slices", shape.slices as u64),
        ("directory-size", shape.directory_size as u64),
        ("super-dir-entries", shape.super_entries as u64),
        ("slice-size", array.slice_size() as u64),
    ] {
        reply.bulk_str(name);
        say_index(reply, number);
    }
    if is_full {
        say_slices(reply, array);
    }
    Ok(Outcome::Done)
}

fn say_slices(reply: &mut Reply, array: &Array) {
    let shape = array.slice_shape();
    for (name, number) in [
        ("dense-slices", shape.dense),
        ("sparse-slices", shape.sparse),
    ] {
        reply.bulk_str(name);
        reply.count(number);
    }
    let mean = |sum: f64, count: usize| if count == 0 { 0.0 } else { sum / count as f64 };
    for (name, number) in [
        (
            "avg-dense-size",
            mean(shape.dense_words as f64, shape.dense),
        ),
        ("avg-dense-fill", mean(shape.dense_fill, shape.dense)),
        (
            "avg-sparse-size",
            mean(shape.sparse_words as f64, shape.sparse),
        ),
    ] {
        reply.bulk_str(name);
        reply.double(number);
    }
}
