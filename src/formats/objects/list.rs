//! Lists: the nodes of a quicklist as they stand in memory; a list that is one listpack looks like a single node.

use super::super::rdb;
use super::super::rdb::{Cursor, ReadError};
use super::super::ziplist;
use super::Part;
use crate::algorithms::lzf::Compressor;
use crate::structures::listpack::Listpack;
use crate::structures::quicklist::{NodeRef, Quicklist};
use crate::values::{Limits, List, ListRef};

/// Elements one after another.
const PLAIN: u8 = 1;
const ZIPLIST: u8 = 10;
/// Nodes that are ziplists.
const OLD_QUICKLIST: u8 = 14;
/// Nodes that are listpacks, or long elements.
const QUICKLIST: u8 = 18;
/// The node is one long element.
const NODE_PLAIN: u64 = 1;
/// The node is a listpack.
const NODE_PACKED: u64 = 2;

pub(super) fn type_byte(_value: ListRef<'_>) -> u8 {
    QUICKLIST
}

pub(super) fn write(
    out: &mut Vec<u8>,
    value: ListRef<'_>,
    mut compressor: Option<&mut Compressor>,
    part: &mut Part,
) -> bool {
    match value {
        ListRef::Packed(pack) => {
            rdb::write_length(out, 1);
            write_node(out, NodeRef::Packed(pack), compressor);
            part.spend(pack.as_bytes().len());
            true
        }
        ListRef::Linked(list) => {
            if part.is_at_start() {
                rdb::write_length(out, list.node_count() as u64);
                part.enter(1);
            }
            let mut own = None;
            for node in list.nodes_from(part.at as usize) {
                let at = part.at as usize;
                part.at += 1;
                if compressor.is_none() && list.fill().is_inner(at, list.node_count()) {
                    let own = own.get_or_insert_with(Compressor::new);
                    write_inner_node(out, node, own);
                } else {
                    write_node(out, node, compressor.as_deref_mut());
                }
                if !part.spend(parts(node).1.len()) {
                    return false;
                }
            }
            true
        }
    }
}

fn parts(node: NodeRef<'_>) -> (u64, &[u8]) {
    match node {
        NodeRef::Packed(pack) => (NODE_PACKED, pack.as_bytes()),
        NodeRef::Plain(text) => (NODE_PLAIN, text),
    }
}

/// A node that Redis keeps compressed, though strings are not to be.
fn write_inner_node(out: &mut Vec<u8>, node: NodeRef<'_>, compressor: &mut Compressor) {
    const LEAST_BYTES: usize = 48;
    const LEAST_SAVED: usize = 9;
    let (kind, bytes) = parts(node);
    let start = out.len();
    rdb::write_length(out, kind);
    let (room, most) = (bytes.len(), bytes.len().saturating_sub(LEAST_SAVED));
    if room < LEAST_BYTES || !rdb::write_compressed(out, bytes, compressor, room, most) {
        out.truncate(start);
        write_node(out, node, None);
    }
}

fn write_node(out: &mut Vec<u8>, node: NodeRef<'_>, compressor: Option<&mut Compressor>) {
    let (kind, bytes) = parts(node);
    rdb::write_length(out, kind);
    rdb::write_string(out, bytes, compressor);
}

const BAD: ReadError = ReadError::Corrupt("a list is not made of elements");

pub(super) fn read(
    cursor: &mut Cursor<'_>,
    type_byte: u8,
    limits: &Limits,
) -> Result<List, ReadError> {
    let mut list = Quicklist::new(limits.list_fill().kept());
    match type_byte {
        PLAIN => {
            for _ in 0..cursor.length()? {
                list.push(&cursor.string()?, false);
            }
        }
        ZIPLIST => push_ziplist(&mut list, &cursor.string()?)?,
        OLD_QUICKLIST => {
            for _ in 0..cursor.length()? {
                push_ziplist(&mut list, &cursor.string()?)?;
            }
        }
        QUICKLIST => {
            for _ in 0..cursor.length()? {
                read_node(cursor, &mut list)?;
            }
        }
        other => return Err(ReadError::UnknownType(other)),
    }
    if list.is_empty() {
        return Err(BAD);
    }
    let mut list = List::Linked(Box::new(list));
    if type_byte != ZIPLIST {
        list.settle(limits);
    }
    Ok(list)
}

fn read_node(cursor: &mut Cursor<'_>, list: &mut Quicklist) -> Result<(), ReadError> {
    let kind = cursor.length()?;
    let bytes = cursor.string()?;
    match kind {
        NODE_PLAIN if !bytes.is_empty() => list.push_plain(bytes.into_owned()),
        NODE_PACKED => {
            let pack = Listpack::checked(bytes.into_owned()).ok_or(BAD)?;
            if !pack.is_empty() {
                list.push_pack(pack);
            }
        }
        _ => return Err(BAD),
    }
    Ok(())
}

fn push_ziplist(list: &mut Quicklist, bytes: &[u8]) -> Result<(), ReadError> {
    let mut pack = Listpack::new();
    for text in ziplist::read(bytes)? {
        pack.push(&text);
    }
    if !pack.is_empty() {
        list.push_pack(pack);
    }
    Ok(())
}
