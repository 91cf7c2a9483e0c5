//! Streams.
//!
//! ```text
//!   nodes, each: id (16 bytes as a string), listpack | length, last id, first id, highest deleted id, entries added
//!   groups, each: name, last delivered, entries read
//!     pending, each: id (16 bytes), delivered at (8 bytes), deliveries
//!     consumers, each: name, seen at, active at | pending, each: id (16 bytes)
//! ```
//!
//! A stream that knows marks of producers has them behind all that: duration, greatest number, marks ever added,
//! duplicates, and each mark with its producer, its name, its entry's id and the time it was added (8 bytes).
//!
//! Ids outside of lists are two lengths. Type 15 (Redis 5) ends the head after the last id and counts no entries read;
//! type 19 (Redis 7.0) lacks only the time a consumer was active.

use super::super::rdb::{Cursor, ReadError, write_length, write_string};
use crate::algorithms::bytes::Append;
use crate::algorithms::lzf::Compressor;
use crate::structures::listpack::{Listpack, is_valid};
use crate::values::stream::{Consumer, Group, Id, Idempotence, NOBODY, Node, Pending};
use crate::values::{Limits, Stream};

const TYPE: u8 = 21;
/// With marks of producers: a form of our own under a number that no Redis uses, so that none misreads it.
pub(super) const TYPE_MARKED: u8 = 208;
/// The first type with what Redis 7.0 added.
const TYPE_COUNTED: u8 = 19;

const CORRUPT: ReadError = ReadError::Corrupt("a stream is damaged");

pub(super) fn type_byte(value: &Stream) -> u8 {
    match value.idempotence() {
        Some(_) => TYPE_MARKED,
        None => TYPE,
    }
}

fn write_id(out: &mut Vec<u8>, id: Id) {
    write_length(out, id.ms);
    write_length(out, id.seq);
}

pub(super) fn write(out: &mut Vec<u8>, value: &Stream, mut compressor: Option<&mut Compressor>) {
    write_length(out, value.node_count() as u64);
    for node in value.nodes() {
        write_string(out, &node.id.to_bytes(), None);
        write_string(out, node.pack.as_bytes(), compressor.as_deref_mut());
    }
    write_length(out, value.len());
    for id in [value.last_id, value.first_id, value.max_deleted_id] {
        write_id(out, id);
    }
    write_length(out, value.entries_added);
    write_length(out, value.groups().len() as u64);
    for group in value.groups() {
        write_group(out, group, compressor.as_deref_mut());
    }
    if let Some(marks) = value.idempotence() {
        write_marks(out, marks);
    }
}

fn write_marks(out: &mut Vec<u8>, marks: &Idempotence) {
    write_length(out, u64::from(marks.duration_s));
    write_length(out, u64::from(marks.max_size));
    write_length(out, marks.added);
    write_length(out, marks.duplicates);
    write_length(out, marks.marks() as u64);
    for (producer, mark) in marks.iter() {
        write_string(out, producer, None);
        write_string(out, &mark.name, None);
        write_id(out, mark.id);
        out.put(&mark.added_ms.to_le_bytes());
    }
}

fn read_marks(cursor: &mut Cursor<'_>, marks: &mut Idempotence) -> Result<(), ReadError> {
    marks.duration_s = u32::try_from(cursor.length()?).map_err(|_| CORRUPT)?;
    marks.max_size = u32::try_from(cursor.length()?).map_err(|_| CORRUPT)?;
    let (added, duplicates) = (cursor.length()?, cursor.length()?);
    for _ in 0..cursor.length()? {
        let (producer, mark) = (cursor.string()?, cursor.string()?);
        let id = read_id(cursor)?;
        let added_ms = i64::from_le_bytes(cursor.array()?);
        marks.add(&producer, &mark, id, added_ms);
    }
    (marks.added, marks.duplicates) = (added, duplicates);
    Ok(())
}

fn write_group(out: &mut Vec<u8>, group: &Group, mut compressor: Option<&mut Compressor>) {
    write_string(out, group.name(), compressor.as_deref_mut());
    write_id(out, group.last_id);
    write_length(out, group.entries_read.unwrap_or(-1) as u64);
    write_length(out, group.all_pending().len() as u64);
    for pending in group.all_pending().iter() {
        out.put(&pending.id.to_bytes());
        out.put(&pending.delivered_ms.to_le_bytes());
        write_length(out, pending.count);
    }
    write_length(out, group.consumer_count() as u64);
    for consumer in group.consumers() {
        write_consumer(out, consumer, compressor.as_deref_mut());
    }
}

fn write_consumer(out: &mut Vec<u8>, consumer: &Consumer, compressor: Option<&mut Compressor>) {
    write_string(out, consumer.name(), compressor);
    out.put(&consumer.seen_ms.to_le_bytes());
    out.put(&consumer.active_ms.to_le_bytes());
    write_length(out, consumer.pending().len() as u64);
    for id in consumer.pending().iter() {
        out.put(&id.to_bytes());
    }
}

fn read_id(cursor: &mut Cursor<'_>) -> Result<Id, ReadError> {
    Ok(Id {
        ms: cursor.length()?,
        seq: cursor.length()?,
    })
}

pub(super) fn read(
    cursor: &mut Cursor<'_>,
    type_byte: u8,
    _limits: &Limits,
) -> Result<Stream, ReadError> {
    let mut stream = Stream::new();
    let mut last = None;
    for _ in 0..cursor.length()? {
        let id: [u8; 16] = cursor.string()?.as_ref().try_into().map_err(|_| CORRUPT)?;
        let pack = cursor.string()?.into_owned();
        if !is_valid(&pack) {
            return Err(CORRUPT);
        }
        let node = Node {
            id: Id::from_bytes(id),
            pack: Listpack::from_bytes(pack),
        };
        let (first, end, live) = node.verify().ok_or(CORRUPT)?;
        if last.is_some_and(|last| last >= first) || !stream.load_node(node, live) {
            return Err(CORRUPT);
        }
        last = Some(end);
    }
    let length = cursor.length()?;
    stream.last_id = read_id(cursor)?;
    if length != stream.len() || last.is_some_and(|last| last > stream.last_id) {
        return Err(CORRUPT);
    }
    stream.find_first();
    stream.entries_added = length;
    if type_byte >= TYPE_COUNTED {
        read_id(cursor)?;
        stream.max_deleted_id = read_id(cursor)?;
        stream.entries_added = cursor.length()?;
    } else if length == 0 {
        // What Redis makes of a first id that is not there.
        stream.first_id = Id::MAX;
    }
    for _ in 0..cursor.length()? {
        let group = read_group(cursor, type_byte, &stream)?;
        if !stream.add_group(group) {
            return Err(CORRUPT);
        }
    }
    if type_byte == TYPE_MARKED {
        read_marks(cursor, stream.idempotence_mut())?;
    }
    Ok(stream)
}

fn read_group(cursor: &mut Cursor<'_>, type_byte: u8, stream: &Stream) -> Result<Group, ReadError> {
    let name = cursor.string()?;
    let last_id = read_id(cursor)?;
    let entries_read = match type_byte >= TYPE_COUNTED {
        true => Some(cursor.length()? as i64).filter(|read| *read != -1),
        false => stream.read_count(last_id).map(|read| read as i64),
    };
    let mut group = Group::new(&name, last_id, entries_read);
    for _ in 0..cursor.length()? {
        let pending = Pending {
            id: Id::from_bytes(cursor.array()?),
            delivered_ms: i64::from_le_bytes(cursor.array()?),
            count: cursor.length()?,
            owner: NOBODY,
        };
        if group.pending(pending.id).is_some() {
            return Err(CORRUPT);
        }
        group.deliver(pending);
    }
    for _ in 0..cursor.length()? {
        read_consumer(cursor, type_byte, &mut group)?;
    }
    Ok(group)
}

fn read_consumer(
    cursor: &mut Cursor<'_>,
    type_byte: u8,
    group: &mut Group,
) -> Result<(), ReadError> {
    let name = cursor.string()?;
    let seen_ms = i64::from_le_bytes(cursor.array()?);
    let active_ms = match type_byte >= TYPE {
        true => i64::from_le_bytes(cursor.array()?),
        false => seen_ms,
    };
    let owner = group.add_consumer(&name, seen_ms).ok_or(CORRUPT)?;
    group.activated(owner, active_ms);
    for _ in 0..cursor.length()? {
        let id = Id::from_bytes(cursor.array()?);
        let pending = group.pending(id).filter(|pending| pending.owner == NOBODY);
        let pending = *pending.ok_or(CORRUPT)?;
        group.deliver(Pending { owner, ..pending });
    }
    Ok(())
}
