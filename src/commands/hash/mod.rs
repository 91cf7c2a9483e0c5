//! Hashes: fields with values under one key, and times to live of fields; a file for each concern, each with its own
//! `ROWS`.
//!
//! A field whose time is up is gone for everybody who reads it, and is deleted by the command that finds it. Only HSET,
//! HDEL, HEXPIRE and HLEN still take it for one that is there, as in Redis.
//!
//! <https://redis.io/docs/latest/commands/?group=hash>

pub mod expire;
pub mod fields;
pub mod import;
pub mod read;
pub mod with_expiry;

use crate::algorithms::num;
use crate::resp::Error;
use crate::table::{Ctx, Options};
use crate::values::Entry;

/// The latest moment a field can expire at.
const MAX_EXPIRY_MS: i64 = (1 << 46) - 1;

const NO_FIELDS: Error =
    Error::new("ERR Mandatory argument FIELDS is missing or not at the right position");
const BAD_COUNT: Error = Error::new("ERR Number of fields must be a positive integer");
const COUNT_MISMATCH: Error =
    Error::new("ERR The `numfields` parameter must match the number of arguments");

/// The unit of a time, and whether it counts from now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    unit_ms: i64,
    is_relative: bool,
}

impl Moment {
    const SECONDS: Moment = Moment {
        unit_ms: 1000,
        is_relative: true,
    };
    const MILLISECONDS: Moment = Moment {
        unit_ms: 1,
        is_relative: true,
    };
    const UNIX_SECONDS: Moment = Moment {
        unit_ms: 1000,
        is_relative: false,
    };
    const UNIX_MILLISECONDS: Moment = Moment {
        unit_ms: 1,
        is_relative: false,
    };

    /// The options that say when fields expire.
    const OPTIONS: [(&str, Moment); 4] = [
        ("EX", Moment::SECONDS),
        ("PX", Moment::MILLISECONDS),
        ("EXAT", Moment::UNIX_SECONDS),
        ("PXAT", Moment::UNIX_MILLISECONDS),
    ];

    /// The moment in ms since the epoch.
    fn at_ms(self, ctx: &Ctx, text: &[u8]) -> Result<i64, Error> {
        let value = num::parse_i64(text).ok_or(Error::NOT_INTEGER)?;
        if value < 0 {
            return Err(Error::new("ERR invalid expire time, must be >= 0"));
        }
        let start_ms = if self.is_relative { ctx.now_ms } else { 0 };
        value
            .checked_mul(self.unit_ms)
            .and_then(|value_ms| value_ms.checked_add(start_ms))
            .filter(|at_ms| *at_ms <= MAX_EXPIRY_MS)
            .ok_or_else(|| Error::invalid_expire(ctx.row.name))
    }
}

/// The fields behind `FIELDS numfields`, which stand at `at`; `bad_count` is the error of a number that is none.
fn fields_at<'a>(ctx: &Ctx<'a>, at: usize, bad_count: Error) -> Result<&'a [&'a [u8]], Error> {
    listed(&mut ctx.options(at), bad_count)
}

/// The same where the cursor stands.
fn listed<'a>(options: &mut Options<'a>, bad_count: Error) -> Result<&'a [&'a [u8]], Error> {
    if !options.take("FIELDS") {
        return Err(NO_FIELDS);
    }
    let count = options.value().ok().and_then(num::parse_i64);
    let count = count.filter(|count| *count > 0).ok_or(bad_count)?;
    match usize::try_from(count) {
        Ok(count) if count == options.left() => Ok(options.rest()),
        _ => Err(COUNT_MISMATCH),
    }
}

/// What a writing command asks for, or why it cannot be told; a wrong type of value is the error before all others.
fn after_type<T>(ctx: &mut Ctx, asked: Result<T, Error>) -> Result<T, Error> {
    if asked.is_err() {
        // Redis looks the key up first, which is the end of one whose time is up.
        ctx.keys.exists_for_write(ctx.arg(1));
        ctx.keys.peek_value(ctx.arg(1), Entry::hash)?;
    }
    asked
}

/// Logs `name key fields...`.
fn propagate_fields(ctx: &mut Ctx, head: &[&[u8]], fields: &[&[u8]]) {
    let mut command = head.to_vec();
    command.extend_from_slice(fields);
    ctx.propagate(&command);
}
