//! Streams.
//!
//! ```text
//!   nodes, each: id (16 bytes as a string), listpack | length, last id, first id, highest deleted id, entries added
//!   groups, each: name, last delivered, entries read
//!     pending, each: id (16 bytes), delivered at (8 bytes), deliveries
//!     consumers, each: name, seen at, active at | pending, each: id (16 bytes)
//! ```
//!
//! Type 26 (Redis 8.6) has marks of producers behind all that: duration, greatest number, for each producer its name and
//! its marks (name and entry's id), then how many were ever added, and duplicates. Type 27 (Redis 8.8) has, besides, behind
//! each group's consumers the ids (16 bytes) of pending entries that were given back.
//!
//! Ids outside of lists are two lengths. Type 15 (Redis 5) ends the head after the last id and counts no entries read;
//! type 19 (Redis 7.0) lacks only the time a consumer was active.

use super::super::rdb::{Cursor, ReadError, write_length, write_string};
use super::Part;
use crate::algorithms::bytes::Append;
use crate::algorithms::lzf::Compressor;
use crate::structures::listpack::{Listpack, is_valid};
use crate::values::stream::{Group, Id, Idempotence, NOBODY, Node, Pending};
use crate::values::{Limits, Stream};

const TYPE: u8 = 21;
/// With marks of producers, as Redis 8.6 writes every stream.
const TYPE_MARKED: u8 = 26;
/// With pending entries that were given back, as Redis 8.8 writes every stream.
const TYPE_GIVEN_BACK: u8 = 27;
/// The first type with what Redis 7.0 added.
const TYPE_COUNTED: u8 = 19;

const CORRUPT: ReadError = ReadError::Corrupt("a stream is damaged");

/// The oldest type that can hold the stream, so that Redis 8.2 reads whatever it knows.
pub(super) fn type_byte(value: &Stream) -> u8 {
    let is_given_back = |group: &Group| group.all_pending().len() > group.owned_pending();
    if value.groups().iter().any(is_given_back) {
        TYPE_GIVEN_BACK
    } else if value.idempotence().is_some() {
        TYPE_MARKED
    } else {
        TYPE
    }
}

fn write_id(out: &mut Vec<u8>, id: Id) {
    write_length(out, id.ms);
    write_length(out, id.seq);
}

/// The sections of a stream, in order; those of a group and of a consumer come again for each.
const NODES: u8 = 1;
const GROUP: u8 = 2;
const PENDING: u8 = 3;
const CONSUMER: u8 = 4;
const OWNED: u8 = 5;

/// Writes one section, or some of it.
pub(super) fn write(
    out: &mut Vec<u8>,
    value: &Stream,
    compressor: Option<&mut Compressor>,
    part: &mut Part,
) -> bool {
    if part.is_at_start() {
        write_length(out, value.node_count() as u64);
        part.enter(NODES);
    }
    if part.stage == NODES {
        if write_nodes(out, value, compressor, part) {
            write_head(out, value);
            part.enter(GROUP);
        }
        return false;
    }
    let type_byte = type_byte(value);
    let Some(group) = value.groups().get(part.group) else {
        match value.idempotence() {
            Some(marks) => write_marks(out, marks),
            None if type_byte == TYPE_GIVEN_BACK => write_marks(out, &Idempotence::default()),
            None => {}
        }
        return true;
    };
    if write_group(out, group, compressor, part) {
        if type_byte == TYPE_GIVEN_BACK {
            write_given_back(out, group);
        }
        part.group += 1;
        part.enter(GROUP);
    }
    false
}

fn write_nodes(
    out: &mut Vec<u8>,
    value: &Stream,
    mut compressor: Option<&mut Compressor>,
    part: &mut Part,
) -> bool {
    value.visit_nodes(part.id, &mut |node| {
        write_string(out, &node.id.to_bytes(), None);
        write_string(out, node.pack.as_bytes(), compressor.as_deref_mut());
        part.pass(node.id, node.pack.as_bytes().len())
    })
}

fn write_head(out: &mut Vec<u8>, value: &Stream) {
    write_length(out, value.len());
    for id in [value.last_id, value.first_id, value.max_deleted_id] {
        write_id(out, id);
    }
    write_length(out, value.entries_added);
    write_length(out, value.groups().len() as u64);
}

fn write_given_back(out: &mut Vec<u8>, group: &Group) {
    let pending = group.all_pending();
    write_length(out, (pending.len() - group.owned_pending()) as u64);
    for pending in pending.iter().filter(|pending| pending.owner == NOBODY) {
        out.put(&pending.id.to_bytes());
    }
}

fn write_marks(out: &mut Vec<u8>, marks: &Idempotence) {
    write_length(out, u64::from(marks.duration_s));
    write_length(out, u64::from(marks.max_size));
    write_length(out, marks.producers() as u64);
    for (producer, marks) in marks.queues() {
        write_string(out, producer, None);
        write_length(out, marks.len() as u64);
        for mark in marks {
            write_string(out, &mark.name, None);
            write_id(out, mark.id);
        }
    }
    write_length(out, marks.added);
    write_length(out, marks.duplicates);
}

/// Marks of producers. A mark is as old as its entry's id says.
fn read_marks(cursor: &mut Cursor<'_>, stream: &mut Stream) -> Result<(), ReadError> {
    let mut marks = Idempotence::default();
    let (duration_s, max_size) = (marks.duration_s, marks.max_size);
    marks.duration_s = u32::try_from(cursor.length()?).map_err(|_| CORRUPT)?;
    // As many as come: the greatest number is for those added later.
    marks.max_size = u32::MAX;
    let told_size = u32::try_from(cursor.length()?).map_err(|_| CORRUPT)?;
    for _ in 0..cursor.length()? {
        let producer = cursor.string()?;
        for _ in 0..cursor.length()? {
            let mark = cursor.string()?;
            let id = read_id(cursor)?;
            let added_ms = i64::try_from(id.ms).unwrap_or(i64::MAX);
            marks.add(&producer, &mark, id, added_ms);
        }
    }
    marks.max_size = told_size;
    (marks.added, marks.duplicates) = (cursor.length()?, cursor.length()?);
    // Newer servers write this for every stream; one that is as they all begin is like one without.
    let is_plain = (marks.duration_s, marks.max_size) == (duration_s, max_size)
        && (marks.producers(), marks.added, marks.duplicates) == (0, 0, 0);
    if !is_plain {
        *stream.idempotence_mut() = marks;
    }
    Ok(())
}

/// Writes a section of a group, or some of it; true when there is no more.
fn write_group(
    out: &mut Vec<u8>,
    group: &Group,
    compressor: Option<&mut Compressor>,
    part: &mut Part,
) -> bool {
    match (part.stage, group.nth_consumer(part.consumer)) {
        (GROUP, _) => {
            write_string(out, group.name(), compressor);
            write_id(out, group.last_id);
            write_length(out, group.entries_read.unwrap_or(-1) as u64);
            write_length(out, group.all_pending().len() as u64);
            part.spend(group.name().len());
            part.enter(PENDING);
        }
        (PENDING, _) => {
            let is_end = group.all_pending().visit_from(part.id, &mut |pending| {
                out.put(&pending.id.to_bytes());
                out.put(&pending.delivered_ms.to_le_bytes());
                write_length(out, pending.count);
                part.pass(pending.id, 0)
            });
            if is_end {
                write_length(out, group.consumer_count() as u64);
                part.consumer = 0;
                part.enter(CONSUMER);
            }
        }
        (CONSUMER, Some(consumer)) => {
            write_string(out, consumer.name(), compressor);
            out.put(&consumer.seen_ms.to_le_bytes());
            out.put(&consumer.active_ms.to_le_bytes());
            write_length(out, consumer.pending().len() as u64);
            part.spend(consumer.name().len());
            part.enter(OWNED);
        }
        (_, Some(consumer)) => {
            let is_end = consumer.pending().visit_from(part.id, &mut |id| {
                out.put(&id.to_bytes());
                part.pass(*id, 0)
            });
            if is_end {
                part.consumer += 1;
                part.enter(CONSUMER);
            }
        }
        (_, None) => return true,
    }
    false
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
        let first_id = read_id(cursor)?;
        if length == 0 && first_id == Id::MAX {
            stream.first_id = first_id;
        }
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
    if type_byte >= TYPE_MARKED {
        read_marks(cursor, &mut stream)?;
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
    if type_byte >= TYPE_GIVEN_BACK {
        for _ in 0..cursor.length()? {
            let pending = group.pending(Id::from_bytes(cursor.array()?));
            if pending.is_none_or(|pending| pending.owner != NOBODY) {
                return Err(CORRUPT);
            }
        }
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
