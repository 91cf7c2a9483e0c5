//! Arrays: values at 64-bit indices.
//!
//! <https://redis.io/docs/latest/develop/data-types/arrays/>

mod grep;
mod read;
mod write;

use crate::algorithms::num;
use crate::resp::{Error, Reply};
use crate::table::{
    Acl, BASE, Command, Flags, Group, KeyFlags, KeySpec, args, block, integer, key, oneof, prose,
    string, token,
};
use crate::values::Str;
use crate::values::array::MAX_INDEX;

/// The key is read.
const READ: &[KeySpec] = &[KeySpec::index(1)
    .range(0, 1, 0)
    .flags(KeyFlags::RO | KeyFlags::ACCESS)];
/// Values of the key are set.
const UPDATE: &[KeySpec] = &[KeySpec::index(1)
    .range(0, 1, 0)
    .flags(KeyFlags::RW | KeyFlags::UPDATE)];
/// Values of the key are removed.
const DELETE: &[KeySpec] = &[KeySpec::index(1)
    .range(0, 1, 0)
    .flags(KeyFlags::RW | KeyFlags::DELETE)];

/// What all rows have in common.
const ARRAY: Command = Command {
    group: Group::Array,
    since: "8.8.0",
    acl: Acl::ARRAY,
    ..BASE
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "arset", arity: -4,
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        keys: UPDATE,
        args: args![key("key"), integer("index"), string("value").multiple()],
        reply: "int",
        doc: prose!("Stores values at an index and those behind it; how many of the places were empty.", "O(N), N the number of values"),
        run: write::arset,
        ..ARRAY
    },
    Command {
        name: "armset", arity: -4,
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        keys: UPDATE,
        args: args![key("key"), block("data", args![integer("index"), string("value")]).multiple()],
        reply: "int",
        doc: prose!("Stores values at any indices; how many of the places were empty.", "O(N), N the number of values"),
        run: write::armset,
        ..ARRAY
    },
    Command {
        name: "arget", arity: 3,
        flags: Flags::READONLY | Flags::FAST,
        keys: READ,
        args: args![key("key"), integer("index")],
        reply: "bulk | nil",
        doc: prose!("Returns the value at an index.", "O(1)"),
        run: read::arget,
        ..ARRAY
    },
    Command {
        name: "armget", arity: -3,
        flags: Flags::READONLY | Flags::FAST,
        keys: READ,
        args: args![key("key"), integer("index").multiple()],
        reply: "[bulk | nil]",
        doc: prose!("Returns the values at several indices.", "O(N), N the number of indices"),
        run: read::armget,
        ..ARRAY
    },
    Command {
        name: "argetrange", arity: 4,
        flags: Flags::READONLY,
        keys: READ,
        args: args![key("key"), integer("start"), integer("end")],
        reply: "[bulk | nil]",
        doc: prose!("Returns every place of a range, with nil for empty ones; backwards if the range is.", "O(N), N the length of the range"),
        run: read::argetrange,
        ..ARRAY
    },
    Command {
        name: "arscan", arity: -4,
        flags: Flags::READONLY,
        keys: READ,
        args: args![key("key"), integer("start"), integer("end"), integer("limit").token("LIMIT").optional()],
        reply: "[[index, bulk]]",
        doc: prose!("Returns the values of a range with their indices; backwards if the range is.", "O(N), N the number of places looked at: the values, and the gaps in dense regions"),
        run: read::arscan,
        ..ARRAY
    },
    Command {
        name: "argrep", arity: -6,
        flags: Flags::READONLY,
        keys: READ,
        args: args![
            key("key"),
            string("start"),
            string("end"),
            oneof("predicate", args![
                block("exact", args![token("exact", "EXACT"), string("string")]),
                block("match", args![token("match", "MATCH"), string("string")]),
                block("glob", args![token("glob", "GLOB"), string("pattern")]),
                block("re", args![token("re", "RE"), string("pattern")]),
            ]).multiple(),
            oneof("options", args![
                token("and", "AND"),
                token("or", "OR"),
                integer("limit").token("LIMIT"),
                token("withvalues", "WITHVALUES"),
                token("nocase", "NOCASE"),
            ]).optional().multiple(),
        ],
        reply: "[index | [index, bulk]]",
        doc: prose!("Finds the values of a range that are, contain or match some texts.", "O(N * C), N the number of places looked at, C what it takes to compare one value"),
        run: grep::argrep,
        ..ARRAY
    },
    Command {
        name: "arlen", arity: 2,
        flags: Flags::READONLY | Flags::FAST,
        keys: READ,
        args: args![key("key")],
        reply: "index",
        doc: prose!("Returns the length of an array: its highest index with a value, and one.", "O(1)"),
        run: read::arlen,
        ..ARRAY
    },
    Command {
        name: "arcount", arity: 2,
        flags: Flags::READONLY | Flags::FAST,
        keys: READ,
        args: args![key("key")],
        reply: "index",
        doc: prose!("Counts the values of an array.", "O(1)"),
        run: read::arcount,
        ..ARRAY
    },
    Command {
        name: "ardel", arity: -3,
        flags: Flags::WRITE | Flags::FAST,
        keys: DELETE,
        args: args![key("key"), integer("index").multiple()],
        reply: "int",
        doc: prose!("Removes the values at some indices; how many there were.", "O(N), N the number of indices"),
        run: write::ardel,
        ..ARRAY
    },
    Command {
        name: "ardelrange", arity: -4,
        flags: Flags::WRITE,
        keys: DELETE,
        args: args![key("key"), block("range", args![integer("start"), integer("end")]).multiple()],
        reply: "int",
        doc: prose!("Removes the values of some ranges; how many there were.", "O(N), N the number of values in the ranges"),
        run: write::ardelrange,
        ..ARRAY
    },
    Command {
        name: "arinsert", arity: -3,
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        keys: UPDATE,
        args: args![key("key"), string("value").multiple()],
        reply: "index",
        doc: prose!("Stores values behind what was inserted last; the index of the last one.", "O(N), N the number of values"),
        run: write::arinsert,
        ..ARRAY
    },
    Command {
        name: "arring", arity: -4,
        flags: Flags::WRITE | Flags::DENYOOM,
        keys: UPDATE,
        args: args![key("key"), integer("size"), string("value").multiple()],
        reply: "index",
        doc: prose!(
            "Stores values in a ring of so many places, over the oldest ones; the index of the last one.",
            "O(M), M the number of values; O(N + M) when the ring changes its size, N the larger size"
        ),
        run: write::arring,
        ..ARRAY
    },
    Command {
        name: "arnext", arity: 2,
        flags: Flags::READONLY | Flags::FAST,
        keys: READ,
        args: args![key("key")],
        reply: "index | nil",
        doc: prose!("Returns the index at which ARINSERT would go on.", "O(1)"),
        run: read::arnext,
        ..ARRAY
    },
    Command {
        name: "arseek", arity: 3,
        flags: Flags::WRITE | Flags::FAST,
        keys: UPDATE,
        args: args![key("key"), integer("index")],
        reply: "int",
        doc: prose!("Lets ARINSERT and ARRING go on at another index; 0 when there is no such key.", "O(1)"),
        run: write::arseek,
        ..ARRAY
    },
    Command {
        name: "arlastitems", arity: -3,
        flags: Flags::READONLY,
        keys: READ,
        args: args![key("key"), integer("count"), token("rev", "REV").optional()],
        reply: "[bulk | nil]",
        doc: prose!("Returns what was inserted last, the oldest first, or the newest.", "O(N), N the number of values"),
        run: read::arlastitems,
        ..ARRAY
    },
    Command {
        name: "arop", arity: -5,
        flags: Flags::READONLY,
        keys: READ,
        args: args![
            key("key"),
            integer("start"),
            integer("end"),
            oneof("operation", args![
                token("sum", "SUM"),
                token("min", "MIN"),
                token("max", "MAX"),
                token("and", "AND"),
                token("or", "OR"),
                token("xor", "XOR"),
                block("match", args![token("match", "MATCH"), string("value")]),
                token("used", "USED"),
            ]),
        ],
        reply: "bulk | int | nil",
        doc: prose!("Makes one number of the values of a range.", "O(N), N the number of places looked at: the values, and the gaps in dense regions"),
        run: read::arop,
        ..ARRAY
    },
    Command {
        name: "arinfo", arity: -2,
        flags: Flags::READONLY,
        keys: READ,
        args: args![key("key"), token("full", "FULL").optional()],
        reply: "map<bulk,index | double>",
        doc: prose!("Tells how an array is stored.", "O(1); O(N) with FULL, N the number of slices"),
        run: read::arinfo,
        ..ARRAY
    },
];

const BAD_INDEX: Error = Error::new("ERR invalid array index");
const LIMIT_NOT_POSITIVE: Error = Error::new("ERR LIMIT must be positive");

/// An argument that is an index.
fn index(text: &[u8]) -> Result<u64, Error> {
    let index = num::parse_u64(text);
    index.filter(|index| *index <= MAX_INDEX).ok_or(BAD_INDEX)
}

/// The value of LIMIT.
fn limit(text: &[u8]) -> Result<u64, Error> {
    let limit = num::parse_i64(text).ok_or(Error::NOT_INTEGER)?;
    u64::try_from(limit)
        .ok()
        .filter(|limit| *limit > 0)
        .ok_or(LIMIT_NOT_POSITIVE)
}

/// An index or a length; a big number beyond 63 bits.
fn say_index(reply: &mut Reply, index: u64) {
    match i64::try_from(index) {
        Ok(index) => reply.int(index),
        Err(_) => {
            let digits = num::format_u64(index);
            reply.big_number(&digits);
        }
    }
}

fn say_value(reply: &mut Reply, value: Option<Str<'_>>) {
    match value {
        Some(Str::Bytes(text)) => reply.bulk(text),
        Some(Str::Int(number)) => reply.bulk_int(number),
        None => reply.nil(),
    }
}

/// An index with its value, as a pair.
fn say_pair(reply: &mut Reply, index: u64, value: Str<'_>) {
    reply.array(2);
    say_index(reply, index);
    say_value(reply, Some(value));
}
