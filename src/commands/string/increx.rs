//! INCREX: a counter within bounds and with a time to live, all in one step (since Redis 8.8).
//!
//! <https://redis.io/docs/latest/commands/increx/>

use super::settings::Moment;
use crate::algorithms::num::{self, LongDouble};
use crate::keyspace::Class;
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Options, Outcome, Result, args,
    double, flag, integer, key, oneof, prose, string, unix_time,
};
use crate::values::Str;

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "increx", arity: -2, group: Group::String, since: "8.8.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST, acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![
            key("key"),
            oneof("increment", args![
                double("float").token("BYFLOAT"),
                integer("integer").token("BYINT"),
            ]).optional(),
            flag("SATURATE").optional(),
            string("lowerbound").token("LBOUND").optional(),
            string("upperbound").token("UBOUND").optional(),
            oneof("expiration", args![
                integer("seconds").token("EX"),
                integer("milliseconds").token("PX"),
                unix_time("unix-time-seconds").token("EXAT"),
                unix_time("unix-time-milliseconds").token("PXAT"),
                flag("PERSIST"),
            ]).optional(),
            flag("ENX").optional(),
        ],
        reply: "[int] | [bulk] | [double]",
        doc: prose!("Adds to the number at a key within bounds, and says how long the key lives.", "O(1)"),
        run: increx, ..BASE
    },
];

type Fallible<T> = core::result::Result<T, Error>;

/// The words, as far as they are said.
#[derive(Default)]
struct Words<'a> {
    by_integer: Option<&'a [u8]>,
    by_float: Option<&'a [u8]>,
    lower: Option<&'a [u8]>,
    upper: Option<&'a [u8]>,
    until: Option<(Moment, &'a [u8])>,
    saturate: bool,
    persist: bool,
    only_new: bool,
}

impl<'a> Words<'a> {
    /// Nothing may be said twice.
    fn parse(mut options: Options<'a>) -> Fallible<Words<'a>> {
        let mut words = Words::default();
        while !options.is_done() {
            let is_fresh = words.take_one(&mut options);
            let is_one_step = words.by_integer.is_none() || words.by_float.is_none();
            let is_one_life = !words.persist || words.until.is_none() && !words.only_new;
            if !is_fresh || !is_one_step || !is_one_life {
                return Err(Error::SYNTAX);
            }
        }
        if words.only_new && words.until.is_none() {
            return Err(Error::new("ERR ENX flag requires an expiration"));
        }
        Ok(words)
    }

    /// Takes a word; false for one unknown or said before.
    fn take_one(&mut self, options: &mut Options<'a>) -> bool {
        let values = [
            ("BYINT", &mut self.by_integer),
            ("BYFLOAT", &mut self.by_float),
            ("LBOUND", &mut self.lower),
            ("UBOUND", &mut self.upper),
        ];
        for (word, place) in values {
            if let Some(value) = options.take_value(word) {
                return place.replace(value).is_none();
            }
        }
        let flags = [
            ("SATURATE", &mut self.saturate),
            ("PERSIST", &mut self.persist),
            ("ENX", &mut self.only_new),
        ];
        for (word, place) in flags {
            if options.take(word) {
                return !core::mem::replace(place, true);
            }
        }
        match Moment::take(options) {
            Some(until) => self.until.replace(until).is_none(),
            None => false,
        }
    }
}

/// What was done to the number: its new value and by how much it changed. None when the bounds forbade it.
type Done<T> = Option<(T, T)>;

fn increx(ctx: &mut Ctx) -> Result {
    let words = Words::parse(ctx.options(2))?;
    match words.by_float {
        Some(by) => increase_float(ctx, &words, by),
        None => increase_integer(ctx, &words),
    }?;
    Ok(Outcome::Done)
}

/// `<what> is not an integer or out of range`, or the same of floats.
fn not_a(what: &str, kind: &str) -> Error {
    Error::concat(&[b"ERR ", what.as_bytes(), b" is not ", kind.as_bytes()])
}

const BAD_BOUNDS: Error = Error::new("ERR LBOUND can't be greater than UBOUND");

fn increase_integer(ctx: &mut Ctx, words: &Words) -> Fallible<()> {
    let read = |what: &str, text: Option<&[u8]>, default: i64| {
        text.map_or(Ok(default), |text| {
            num::parse_i64(text).ok_or_else(|| not_a(what, "an integer or out of range"))
        })
    };
    let by = read("Increment", words.by_integer, 1)?;
    let lower = read("LBOUND", words.lower, i64::MIN)?;
    let upper = read("UBOUND", words.upper, i64::MAX)?;
    if lower > upper {
        return Err(BAD_BOUNDS);
    }
    let until_ms = until_ms(ctx, words)?;
    let key = ctx.arg(1);
    let old = match ctx.keys.peek_string(key)? {
        Some(value) => value.integer().ok_or(Error::NOT_INTEGER)?,
        None => 0,
    };
    let sum = old.saturating_add(by);
    let is_inside = old.checked_add(by).is_some() && (lower..=upper).contains(&sum);
    let done: Done<i64> = match (is_inside, words.saturate) {
        (true, _) => Some((sum, by)),
        (false, false) => None,
        (false, true) => {
            let capped = sum.clamp(lower, upper);
            let applied = capped
                .checked_sub(old)
                .ok_or(Error::new("ERR applied increment would overflow"))?;
            Some((capped, applied))
        }
    };
    if let Some((sum, applied)) = done
        && !is_over(ctx, words, until_ms)
    {
        ctx.keys.increment(key, applied)?;
        ctx.keys.notify(Class::STRING, "incrby", key);
        let text = num::format_i64(sum);
        after(ctx, words, until_ms, text.as_bytes());
    }
    let (value, applied) = done.unwrap_or((old, 0));
    ctx.reply.array(2);
    ctx.reply.int(value);
    ctx.reply.int(applied);
    Ok(())
}

fn increase_float(ctx: &mut Ctx, words: &Words, by: &[u8]) -> Fallible<()> {
    let read = |what: &str, text: &[u8]| {
        LongDouble::parse(text).ok_or_else(|| not_a(what, "a valid float"))
    };
    let by = read("Increment", by)?;
    if !by.is_finite() {
        return Err(Error::new("ERR BYFLOAT increment cannot be Infinity"));
    }
    let bound = |what: &str, text: Option<&[u8]>, default: LongDouble| {
        text.map_or(Ok(default), |text| read(what, text))
    };
    let lower = bound("LBOUND", words.lower, LongDouble::MAX.negated())?;
    let upper = bound("UBOUND", words.upper, LongDouble::MAX)?;
    if upper.is_below(lower) {
        return Err(BAD_BOUNDS);
    }
    let until_ms = until_ms(ctx, words)?;
    let key = ctx.arg(1);
    let zero = LongDouble::from_i64(0);
    let old = match ctx.keys.peek_string(key)? {
        None => zero,
        Some(Str::Int(number)) => LongDouble::from_i64(number),
        Some(Str::Bytes(text)) => LongDouble::parse(text).ok_or(Error::NOT_FLOAT)?,
    };
    if !old.is_finite() {
        return Err(Error::new("ERR value cannot be Infinity"));
    }
    let sum = old.add(by);
    let capped = if upper.is_below(sum) {
        upper
    } else if sum.is_below(lower) {
        lower
    } else {
        sum
    };
    let done: Done<LongDouble> = if capped == sum && sum.is_finite() {
        Some((sum, by))
    } else if words.saturate {
        let applied = capped.add(old.negated());
        if !capped.is_finite() || !applied.is_finite() {
            return Err(Error::NAN_OR_INFINITY);
        }
        Some((capped, applied))
    } else {
        None
    };
    if let Some((sum, _)) = done
        && !is_over(ctx, words, until_ms)
    {
        let mut text = Vec::new();
        sum.write_human(&mut text);
        ctx.keys.replace_string(key, &text);
        ctx.keys.notify(Class::STRING, "incrbyfloat", key);
        after(ctx, words, until_ms, &text);
    }
    let (value, applied) = done.unwrap_or((old, zero));
    ctx.reply.array(2);
    reply_float(ctx, value);
    reply_float(ctx, applied);
    Ok(())
}

fn reply_float(ctx: &mut Ctx, value: LongDouble) {
    if ctx.reply.is_resp3() {
        return ctx.reply.double(value.to_f64());
    }
    let mut text = Vec::new();
    value.write_human(&mut text);
    ctx.reply.bulk(&text);
}

fn until_ms(ctx: &Ctx, words: &Words) -> Fallible<Option<i64>> {
    let until = words
        .until
        .map(|(moment, value)| moment.at_ms(value, ctx.now_ms, "increx"));
    until.transpose()
}

/// Whether the key has a time to live that ENX keeps.
fn keeps_life(ctx: &mut Ctx, words: &Words) -> bool {
    words.only_new && ctx.keys.expiry_for_write(ctx.arg(1)).flatten().is_some()
}

/// Whether the key's time is over at once; then it is deleted instead of increased.
fn is_over(ctx: &mut Ctx, words: &Words, until_ms: Option<i64>) -> bool {
    let is_over =
        until_ms.is_some_and(|at_ms| at_ms <= ctx.keys.now_ms()) && !keeps_life(ctx, words);
    if is_over {
        match ctx.keys.exists_for_write(ctx.arg(1)) {
            true => super::delete(ctx, b"DEL"),
            false => ctx.propagate_nothing(),
        }
    }
    is_over
}

/// Sets the time to live and logs the result.
fn after(ctx: &mut Ctx, words: &Words, until_ms: Option<i64>, text: &[u8]) {
    let key = ctx.arg(1);
    match until_ms {
        Some(at_ms) if !keeps_life(ctx, words) => {
            ctx.keys.set_expiry(key, Some(at_ms));
            ctx.keys.notify(Class::GENERIC, "expire", key);
            let at = num::format_i64(at_ms);
            ctx.propagate(&[b"SET", key, text, b"PXAT", at.as_bytes()]);
        }
        None if words.persist && ctx.keys.set_expiry(key, None) => {
            ctx.keys.notify(Class::GENERIC, "persist", key);
            ctx.propagate(&[b"SET", key, text]);
        }
        _ => ctx.propagate(&[b"SET", key, text, b"KEEPTTL"]),
    }
}
