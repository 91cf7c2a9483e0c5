//! What changes arrays.

use super::index;
use crate::keyspace::Class;
use crate::resp::Error;
use crate::table::{Ctx, Outcome, Result};
use crate::values::array::MAX_INDEX;
use crate::values::{Array, Limits};

const NO_INDEX_LEFT: Error = Error::new("ERR insert index overflow");

type Parsed<T> = core::result::Result<T, Error>;

pub(super) fn arset(ctx: &mut Ctx) -> Result {
    let start = index(ctx.arg(2))?;
    let values = ctx.args.get(3..).unwrap_or_default();
    if start > MAX_INDEX - (values.len() as u64 - 1) {
        return Err(Error::new("ERR array index overflow"));
    }
    let pairs = (start..=MAX_INDEX).zip(values.iter().copied());
    store(ctx, "arset", &mut pairs.into_iter())
}

pub(super) fn armset(ctx: &mut Ctx) -> Result {
    let pairs = pairs(ctx)?;
    let pairs: Parsed<Vec<_>> = pairs
        .iter()
        .map(|[at, value]| Ok((index(at)?, *value)))
        .collect();
    store(ctx, "armset", &mut pairs?.into_iter())
}

/// The arguments behind the key, two by two.
fn pairs<'a>(ctx: &Ctx<'a>) -> Parsed<&'a [[&'a [u8]; 2]]> {
    match ctx.args.get(2..).unwrap_or_default().as_chunks() {
        (pairs, []) => Ok(pairs),
        _ => Err(Error::wrong_arity(ctx.row.name.as_bytes())),
    }
}

fn store(
    ctx: &mut Ctx,
    event: &'static str,
    pairs: &mut dyn Iterator<Item = (u64, &[u8])>,
) -> Result {
    let key = ctx.arg(1);
    let edited = ctx.keys.edit_or_new(key, |array: &mut Array, limits| {
        let (mut changes, mut added) = (0, 0);
        for (index, value) in pairs {
            added += i64::from(array.set(index, value, limits));
            changes += 1;
        }
        Ok((changes, added))
    })?;
    ctx.keys.notify(Class::ARRAY, event, key);
    ctx.reply.int(edited.value);
    Ok(Outcome::Done)
}

pub(super) fn ardel(ctx: &mut Ctx) -> Result {
    let indices = ctx.args.get(2..).unwrap_or_default().iter();
    let ranges: Parsed<Vec<_>> = indices.map(|at| index(at).map(|at| (at, at))).collect();
    remove(ctx, "ardel", &ranges?)
}

pub(super) fn ardelrange(ctx: &mut Ctx) -> Result {
    let ranges = pairs(ctx)?.iter();
    let ranges: Parsed<Vec<_>> = ranges
        .map(|[from, to]| Ok((index(from)?, index(to)?)))
        .collect();
    remove(ctx, "ardelrange", &ranges?)
}

fn remove(ctx: &mut Ctx, event: &'static str, ranges: &[(u64, u64)]) -> Result {
    let key = ctx.arg(1);
    let edited = ctx.keys.edit(key, |array: &mut Array, limits| {
        let removed = ranges
            .iter()
            .map(|(from, to)| array.remove_range(*from.min(to), *from.max(to), limits));
        let removed = removed.sum();
        Ok((removed, removed))
    })?;
    let Some(edited) = edited else {
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    };
    if edited.value > 0 {
        ctx.keys.notify(Class::ARRAY, event, key);
    }
    if edited.is_removed {
        ctx.keys.notify(Class::GENERIC, "del", key);
    }
    ctx.reply.int(edited.value as i64);
    Ok(Outcome::Done)
}

pub(super) fn arinsert(ctx: &mut Ctx) -> Result {
    insert(ctx, "arinsert", 2, &mut |array, values, limits| {
        let start = array.next_index().ok_or(NO_INDEX_LEFT)?;
        let last = start.saturating_add(values.len() as u64 - 1);
        if last > MAX_INDEX {
            return Err(NO_INDEX_LEFT);
        }
        for (index, value) in (start..=last).zip(values) {
            array.set(index, value, limits);
        }
        array.set_inserted(Some(last));
        Ok(last)
    })
}

pub(super) fn arring(ctx: &mut Ctx) -> Result {
    let size = u64::try_from(ctx.integer(2)?).unwrap_or(0);
    if size == 0 {
        return Err(Error::new("ERR size must be positive"));
    }
    insert(ctx, "arring", 3, &mut |array, values, limits| {
        array.fit_ring(size, limits);
        let mut last = 0;
        for value in values {
            last = array.insert_in_ring(size, value, limits);
        }
        Ok(last)
    })
}

/// What inserts values and says where the last one is.
type Insert<'a> = dyn FnMut(&mut Array, &[&[u8]], &Limits) -> Parsed<u64> + 'a;

fn insert(ctx: &mut Ctx, event: &'static str, from: usize, insert: &mut Insert<'_>) -> Result {
    let key = ctx.arg(1);
    let values = ctx.args.get(from..).unwrap_or_default();
    let edited = ctx.keys.edit_or_new(key, |array: &mut Array, limits| {
        Ok((values.len() as u64, insert(array, values, limits)?))
    })?;
    ctx.keys.notify(Class::ARRAY, event, key);
    super::say_index(ctx.reply, edited.value);
    Ok(Outcome::Done)
}

pub(super) fn arseek(ctx: &mut Ctx) -> Result {
    let key = ctx.arg(1);
    // One more than the highest index: no index is left then.
    let next = match ctx.arg(2) {
        b"18446744073709551615" => u64::MAX,
        text => index(text)?,
    };
    let edited = ctx.keys.edit(key, |array: &mut Array, _| {
        array.set_inserted(next.checked_sub(1));
        Ok((1, ()))
    })?;
    if edited.is_some() {
        ctx.keys.notify(Class::ARRAY, "arseek", key);
    }
    ctx.reply.int_bool(edited.is_some());
    Ok(Outcome::Done)
}
