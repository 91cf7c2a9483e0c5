//! Streams: entries in the order of their ids, read by anybody or by groups of consumers; a file for each concern. Every
//! file has its own `ROWS`, all of them are listed in `GROUPS`.
//!
//! <https://redis.io/docs/latest/develop/data-types/streams/>

pub mod add;
pub mod delete;
pub mod group;
pub mod info;
pub mod pending;
pub mod range;
pub mod read;

use crate::resp::{Error, Reply};
use crate::values::stream::{Found, Id};

type Parsed<T> = core::result::Result<T, Error>;

const BAD_ID: Error = Error::new("ERR Invalid stream ID specified as stream command argument");

/// An id; without a sequence number, the one with sequence number `missing_seq`.
fn id(text: &[u8], missing_seq: u64) -> Parsed<Id> {
    Id::parse(text, missing_seq).ok_or(BAD_ID)
}

/// The same, or `-` and `+` for the lowest and highest id.
fn id_or_end(text: &[u8], missing_seq: u64) -> Parsed<Id> {
    match text {
        b"-" => Ok(Id::MIN),
        b"+" => Ok(Id::MAX),
        _ => id(text, missing_seq),
    }
}

/// The lower end of an interval, which `(` excludes.
fn interval_start(text: &[u8]) -> Parsed<Id> {
    match text {
        [b'(', text @ ..] if !text.is_empty() => id(text, 0)?
            .next()
            .ok_or(Error::new("ERR invalid start ID for the interval")),
        _ => id_or_end(text, 0),
    }
}

/// The upper end of an interval, which `(` excludes.
fn interval_end(text: &[u8]) -> Parsed<Id> {
    match text {
        [b'(', text @ ..] if !text.is_empty() => id(text, u64::MAX)?
            .prev()
            .ok_or(Error::new("ERR invalid end ID for the interval")),
        _ => id_or_end(text, u64::MAX),
    }
}

/// Writes an id as a bulk string.
fn reply_id(reply: &mut Reply, id: Id) {
    reply.bulk(&id.text());
}

/// Writes an entry: its id, and its fields and values in turn.
fn reply_entry(reply: &mut Reply, entry: &Found<'_>) {
    reply.array(2);
    reply_fields(reply, entry);
}

/// The same without the header, for what has more elements.
fn reply_fields(reply: &mut Reply, entry: &Found<'_>) {
    reply_id(reply, entry.id);
    reply.array(entry.fields * 2);
    entry.each(&mut |name, value| {
        reply.bulk(name);
        reply.bulk(value);
    });
}
