//! Bitmaps: bits and integer fields in strings.
//!
//! <https://redis.io/docs/latest/develop/data-types/bitmaps/>

use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;
use crate::keyspace::Class;
use crate::resp::Error;
use crate::structures::bitmap::{self, FieldType, Operation, Overflow};
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Options, Outcome, Result, args,
    bitfield_keys, block, flag, integer, key, oneof, prose, string,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "setbit", arity: 4, group: Group::Bitmap, since: "2.2.0",
        flags: Flags::WRITE | Flags::DENYOOM,
        acl: Acl::BITMAP,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![key("key"), integer("offset"), integer("value")],
        reply: "int",
        doc: prose!("Sets or clears one bit of a string and returns what it was; the string grows as needed.", "O(1)"),
        run: setbit,
        ..BASE
    },
    Command {
        name: "getbit", arity: 3, group: Group::Bitmap, since: "2.2.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::BITMAP,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), integer("offset")],
        reply: "int",
        doc: prose!("Returns one bit of a string; behind its end all bits are 0.", "O(1)"),
        run: getbit,
        ..BASE
    },
    Command {
        name: "bitcount", arity: -2, group: Group::Bitmap, since: "2.6.0",
        flags: Flags::READONLY,
        acl: Acl::BITMAP,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"),
            block("range", args![
                integer("start"),
                integer("end"),
                oneof("unit", args![flag("BYTE"), flag("BIT")]).optional().since("7.0.0"),
            ]).optional(),
        ],
        reply: "int",
        doc: prose!("Counts the bits that are 1, in the whole string or a range.", "O(N), N the length of the range"),
        run: bitcount,
        ..BASE
    },
    Command {
        name: "bitpos", arity: -3, group: Group::Bitmap, since: "2.8.7",
        flags: Flags::READONLY,
        acl: Acl::BITMAP,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"),
            integer("bit"),
            block("range", args![
                integer("start"),
                block("end-unit-block", args![
                    integer("end"),
                    oneof("unit", args![flag("BYTE"), flag("BIT")]).optional().since("7.0.0"),
                ]).optional(),
            ]).optional(),
        ],
        reply: "int",
        doc: prose!("Finds the first bit of a string or a range that is 1, or that is 0.", "O(N), N the length of the range"),
        run: bitpos,
        ..BASE
    },
    Command {
        name: "bitop", arity: -4, group: Group::Bitmap, since: "2.6.0",
        flags: Flags::WRITE | Flags::DENYOOM,
        acl: Acl::BITMAP,
        keys: &[
            KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
            KeySpec::index(3).range(-1, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS),
        ],
        args: args![
            oneof("operation", args![
                flag("AND"), flag("OR"), flag("XOR"), flag("NOT"), flag("DIFF"), flag("DIFF1"), flag("ANDOR"), flag("ONE"),
            ]),
            key("destkey"),
            key("key").spec(1).multiple(),
        ],
        reply: "int",
        doc: prose!("Combines strings bit by bit, stores the result and returns its length.", "O(N), N the length of all strings"),
        run: bitop,
        ..BASE
    },
    Command {
        name: "bitfield", arity: -2, group: Group::Bitmap, since: "3.2.0",
        flags: Flags::WRITE | Flags::DENYOOM,
        acl: Acl::BITMAP,
        keys: &[
            KeySpec::index(1).range(0, 1, 0)
                .flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE | KeyFlags::VARIABLE_FLAGS)
                .note("This command allows both access and modification of the key"),
        ],
        find_keys: Some(bitfield_keys),
        args: args![
            key("key"),
            oneof("operation", args![
                block("get-block", args![string("encoding"), integer("offset")]).token("GET"),
                block("write", args![
                    oneof("overflow-block", args![flag("WRAP"), flag("SAT"), flag("FAIL")]).token("OVERFLOW").optional(),
                    oneof("write-operation", args![
                        block("set-block", args![string("encoding"), integer("offset"), integer("value")]).token("SET"),
                        block("incrby-block", args![string("encoding"), integer("offset"), integer("increment")]).token("INCRBY"),
                    ]),
                ]),
            ]).optional().multiple(),
        ],
        reply: "[int|nil]",
        doc: prose!("Reads, sets and increments integers of any width at any bit of a string.", "O(1) for each operation"),
        run: bitfield,
        ..BASE
    },
    Command {
        name: "bitfield_ro", arity: -2, group: Group::Bitmap, since: "6.0.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::BITMAP,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"),
            block("get-block", args![string("encoding"), integer("offset")]).token("GET").optional().multiple().multiple_token(),
        ],
        reply: "[int]",
        doc: prose!("Reads integers of any width at any bit of a string.", "O(1) for each operation"),
        run: bitfield_ro,
        ..BASE
    },
];

const BAD_BIT: Error = Error::new("ERR bit is not an integer or out of range");
const BAD_OFFSET: Error = Error::new("ERR bit offset is not an integer or out of range");

/// A bit's offset. With `scale`, `#n` stands for the n-th field of so many bits.
fn bit_offset(ctx: &Ctx, text: &[u8], scale: Option<u32>) -> core::result::Result<u64, Error> {
    let offset = match (text, scale) {
        ([b'#', index @ ..], Some(bits)) => {
            num::parse_i64(index).map(|index| index.wrapping_mul(i64::from(bits)))
        }
        _ => num::parse_i64(text),
    };
    let limit_bytes = ctx.server.config.proto_max_bulk_len_bytes;
    offset
        .filter(|offset| *offset >= 0 && offset >> 3 < limit_bytes)
        .map(|offset| offset as u64)
        .ok_or(BAD_OFFSET)
}

/// The length of a string that reaches up to the bit `last`.
fn length_to(last: u64) -> core::result::Result<usize, Error> {
    usize::try_from(last / 8 + 1).map_err(|_| Error::OOM)
}

fn setbit(ctx: &mut Ctx) -> Result {
    let offset = bit_offset(ctx, ctx.arg(2), None)?;
    let on = match ctx.arg(3) {
        b"0" => false,
        b"1" => true,
        _ => return Err(BAD_BIT),
    };
    let length = length_to(offset)?;
    let (old, is_changed) = ctx
        .keys
        .edit_string(ctx.arg(1), length, |bytes, has_grown| {
            let old = bitmap::set(bytes, offset, on);
            let is_changed = has_grown || old != on;
            (is_changed, (old, is_changed))
        })?;
    if is_changed {
        ctx.keys.notify(Class::STRING, "setbit", ctx.arg(1));
    }
    ctx.reply.int_bool(old);
    Ok(Outcome::Done)
}

fn getbit(ctx: &mut Ctx) -> Result {
    let offset = bit_offset(ctx, ctx.arg(2), None)?;
    let bytes = ctx.keys.read_string(ctx.arg(1))?;
    let on = bytes.is_some_and(|bytes| bitmap::get(&bytes.text(), offset));
    ctx.reply.int_bool(on);
    Ok(Outcome::Done)
}

/// What a range counts.
#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Byte,
    Bit,
}

fn unit(word: &[u8]) -> core::result::Result<Unit, Error> {
    if word.is_word(b"BYTE") {
        Ok(Unit::Byte)
    } else if word.is_word(b"BIT") {
        Ok(Unit::Bit)
    } else {
        Err(Error::SYNTAX)
    }
}

/// The bits `first..=last` that a range of units means in a string; negative ends count from its end. None for an empty
/// range.
fn bit_range(start: i64, end: i64, unit: Unit, length_bytes: usize) -> Option<(u64, u64)> {
    let scale = if unit == Unit::Byte { 8 } else { 1 };
    let total = length_bytes as i64 * 8 / scale;
    let from_end = |at: i64| if at < 0 { (at + total).max(0) } else { at };
    let (start, end) = (from_end(start), from_end(end).min(total - 1));
    (start <= end).then(|| ((start * scale) as u64, (end * scale + scale - 1) as u64))
}

fn bitcount(ctx: &mut Ctx) -> Result {
    let range = match ctx.args.len() {
        2 => None,
        4 | 5 => {
            let (start, end) = (ctx.integer(2)?, ctx.integer(3)?);
            let unit = ctx.args.get(4).map_or(Ok(Unit::Byte), |word| unit(word))?;
            Some((start, end, unit))
        }
        _ => return Err(Error::SYNTAX),
    };
    let count = match (ctx.keys.read_string(ctx.arg(1))?, range) {
        (None, _) => 0,
        (Some(bytes), None) => bitmap::count(&bytes.text()),
        // Two ends behind each other before the start are empty, although both would come to lie on the start.
        (_, Some((start, end, _))) if start < 0 && end < 0 && start > end => 0,
        (Some(bytes), Some((start, end, unit))) => {
            let bytes = bytes.text();
            bit_range(start, end, unit, bytes.len())
                .map_or(0, |(first, last)| bitmap::count_range(&bytes, first, last))
        }
    };
    ctx.reply.int(count as i64);
    Ok(Outcome::Done)
}

fn bitpos(ctx: &mut Ctx) -> Result {
    let on = match ctx.integer(2)? {
        0 => false,
        1 => true,
        _ => return Err(Error::new("ERR The bit argument must be 1 or 0.")),
    };
    let count = ctx.args.len();
    if count > 6 {
        return Err(Error::SYNTAX);
    }
    let start = if count > 3 { ctx.integer(3)? } else { 0 };
    let unit = ctx.args.get(5).map_or(Ok(Unit::Byte), |word| unit(word))?;
    let end = if count > 4 {
        Some(ctx.integer(4)?)
    } else {
        None
    };
    let position = match ctx.keys.read_string(ctx.arg(1))? {
        None if on => -1,
        None => 0,
        Some(bytes) => {
            let bytes = bytes.text();
            let range = bit_range(start, end.unwrap_or(-1), unit, bytes.len());
            let found = range.and_then(|(first, last)| bitmap::position(&bytes, on, first, last));
            match found {
                Some(found) => found as i64,
                // Without an end the zeros behind the string count, but only if there is something before them.
                None if !on && end.is_none() && range.is_some() => bytes.len() as i64 * 8,
                None => -1,
            }
        }
    };
    ctx.reply.int(position);
    Ok(Outcome::Done)
}

fn bitop(ctx: &mut Ctx) -> Result {
    const OPERATIONS: [(&str, Operation); 8] = [
        ("AND", Operation::And),
        ("OR", Operation::Or),
        ("XOR", Operation::Xor),
        ("NOT", Operation::Not),
        ("DIFF", Operation::Diff),
        ("DIFF1", Operation::Diff1),
        ("ANDOR", Operation::AndOr),
        ("ONE", Operation::One),
    ];
    let word = ctx.arg(1);
    let (name, operation) = OPERATIONS
        .into_iter()
        .find(|(name, _)| word.is_word(name.as_bytes()))
        .ok_or(Error::SYNTAX)?;
    let sources = ctx.args.get(3..).unwrap_or_default();
    if operation == Operation::Not && sources.len() != 1 {
        return Err(Error::new(
            "ERR BITOP NOT must be called with a single source key.",
        ));
    }
    let needs_two = matches!(
        operation,
        Operation::Diff | Operation::Diff1 | Operation::AndOr
    );
    if needs_two && sources.len() < 2 {
        let parts: [&[u8]; 3] = [
            b"ERR BITOP ",
            name.as_bytes(),
            b" must be called with at least two source keys.",
        ];
        return Err(Error::concat(&parts));
    }
    for source in sources {
        ctx.keys.read_string(source)?;
    }
    let mut texts = Vec::with_capacity(sources.len());
    for source in sources {
        texts.push(ctx.keys.peek_string(source)?.map(|bytes| bytes.text()));
    }
    let bytes: Vec<&[u8]> = texts
        .iter()
        .map(|text| text.as_deref().unwrap_or(&[]))
        .collect();
    let result = bitmap::combine(operation, &bytes);
    let target = ctx.arg(2);
    let length = result.len();
    if length > 0 {
        ctx.keys.set_raw_string(target, result);
        ctx.keys.notify(Class::STRING, "set", target);
    } else if ctx.keys.discard(target) {
        ctx.keys.notify(Class::GENERIC, "del", target);
    }
    ctx.reply.count(length);
    Ok(Outcome::Done)
}

/// One operation of BITFIELD.
struct FieldOperation {
    field: FieldType,
    offset: u64,
    action: Action,
}

enum Action {
    Get,
    Set(i64, Overflow),
    Add(i64, Overflow),
}

fn field_operations(ctx: &Ctx) -> core::result::Result<Vec<FieldOperation>, Error> {
    let mut operations = Vec::new();
    let mut overflow = Overflow::Wrap;
    let options = &mut ctx.options(2);
    while !options.is_done() {
        let left = options.left();
        if left > 1 && options.take("OVERFLOW") {
            overflow = overflow_type(options)?;
            continue;
        }
        let (is_set, is_get) = if left > 2 && options.take("GET") {
            (false, true)
        } else if left > 3 && options.take("SET") {
            (true, false)
        } else if left > 3 && options.take("INCRBY") {
            (false, false)
        } else {
            return Err(Error::SYNTAX);
        };
        let field = field_type(options.value()?)?;
        let offset = bit_offset(ctx, options.value()?, Some(field.bits))?;
        let action = match (is_get, is_set) {
            (true, _) => Action::Get,
            (_, true) => Action::Set(options.integer()?, overflow),
            _ => Action::Add(options.integer()?, overflow),
        };
        operations.push(FieldOperation {
            field,
            offset,
            action,
        });
    }
    Ok(operations)
}

fn overflow_type(options: &mut Options) -> core::result::Result<Overflow, Error> {
    if options.take("WRAP") {
        Ok(Overflow::Wrap)
    } else if options.take("SAT") {
        Ok(Overflow::Saturate)
    } else if options.take("FAIL") {
        Ok(Overflow::Fail)
    } else {
        Err(Error::new("ERR Invalid OVERFLOW type specified"))
    }
}

fn field_type(text: &[u8]) -> core::result::Result<FieldType, Error> {
    let (signed, digits, max) = match text {
        [b'i', digits @ ..] => (true, digits, 64),
        [b'u', digits @ ..] => (false, digits, 63),
        _ => (false, &[][..], 0),
    };
    num::parse_i64(digits)
        .filter(|bits| (1..=max).contains(bits))
        .map(|bits| FieldType { signed, bits: bits as u32 })
        .ok_or(Error::new(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.",
        ))
}

impl FieldOperation {
    /// Carries the operation out; the reply (None: nothing was stored), and whether the field has changed.
    fn apply(&self, bytes: &mut [u8]) -> (Option<i64>, bool) {
        let old = self.field.get(bytes, self.offset);
        let (new, is_set) = match self.action {
            Action::Get => return (Some(old), false),
            Action::Set(value, overflow) => (self.field.fit(value, overflow), true),
            Action::Add(value, overflow) => (self.field.add(old, value, overflow), false),
        };
        let Some(new) = new else { return (None, false) };
        self.field.set(bytes, self.offset, new);
        (Some(if is_set { old } else { new }), new != old)
    }
}

fn bitfield(ctx: &mut Ctx) -> Result {
    let operations = field_operations(ctx)?;
    let is_write = |operation: &&FieldOperation| !matches!(operation.action, Action::Get);
    let last_bit = operations
        .iter()
        .filter(is_write)
        .map(|operation| operation.offset + u64::from(operation.field.bits) - 1)
        .max();
    let Some(last_bit) = last_bit else {
        return bitfield_get(ctx, &operations);
    };
    let length = length_to(last_bit)?;
    let (replies, changes) = ctx
        .keys
        .edit_string(ctx.arg(1), length, |bytes, has_grown| {
            let mut changes = 0;
            let mut replies = Vec::with_capacity(operations.len());
            for operation in &operations {
                let (reply, is_changed) = operation.apply(bytes);
                let counts = is_changed || has_grown && reply.is_some() && is_write(&operation);
                changes += u64::from(counts);
                replies.push(reply);
            }
            (changes > 0, (replies, changes))
        })?;
    if changes > 0 {
        ctx.keys.dirty += changes - 1;
        ctx.keys.notify(Class::STRING, "setbit", ctx.arg(1));
    }
    ctx.reply.array(replies.len());
    for reply in replies {
        match reply {
            Some(value) => ctx.reply.int(value),
            None => ctx.reply.nil(),
        }
    }
    Ok(Outcome::Done)
}

fn bitfield_get(ctx: &mut Ctx, operations: &[FieldOperation]) -> Result {
    let text = ctx.keys.read_string(ctx.arg(1))?.map(|bytes| bytes.text());
    let bytes = text.as_deref().unwrap_or(&[]);
    ctx.reply.array(operations.len());
    for operation in operations {
        ctx.reply.int(operation.field.get(bytes, operation.offset));
    }
    Ok(Outcome::Done)
}

fn bitfield_ro(ctx: &mut Ctx) -> Result {
    let operations = field_operations(ctx)?;
    if operations
        .iter()
        .any(|operation| !matches!(operation.action, Action::Get))
    {
        return Err(Error::new(
            "ERR BITFIELD_RO only supports the GET subcommand",
        ));
    }
    bitfield_get(ctx, &operations)
}
