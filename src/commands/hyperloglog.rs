//! HyperLogLog: how many different elements were added, in 12 KiB.
//!
//! <https://redis.io/docs/latest/develop/data-types/probabilistic/hyperloglogs/>

use crate::algorithms::num::{write_i64, write_u64};
use crate::keyspace::{Class, Updated};
use crate::resp::Error;
use crate::structures::hyperloglog::{self, Corrupt, Encoding, Place, Registers};
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, key, prose,
    string,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "pfadd", arity: -2, group: Group::Hyperloglog, since: "2.8.9",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::HYPERLOGLOG,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::INSERT)],
        args: args![key("key"), string("element").optional().multiple()],
        reply: "int",
        doc: prose!("Adds elements to a HyperLogLog; 1 when its estimate may have changed.", "O(1) for each element"),
        run: pfadd,
        ..BASE
    },
    Command {
        name: "pfcount", arity: -2, group: Group::Hyperloglog, since: "2.8.9",
        flags: Flags::READONLY | Flags::MAY_REPLICATE,
        acl: Acl::HYPERLOGLOG,
        keys: &[
            KeySpec::index(1).range(-1, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS)
                .note("RW because it may change the internal representation of the key, and propagate to replicas"),
        ],
        args: args![key("key").multiple()],
        reply: "int",
        doc: prose!(
            "Estimates how many different elements were added to one HyperLogLog, or to several together.",
            "O(1) for one key whose estimate is remembered, else O(N), N the number of keys, with a large constant"
        ),
        run: pfcount,
        ..BASE
    },
    Command {
        name: "pfmerge", arity: -2, group: Group::Hyperloglog, since: "2.8.9",
        flags: Flags::WRITE | Flags::DENYOOM,
        acl: Acl::HYPERLOGLOG,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::INSERT),
            KeySpec::index(2).range(-1, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS),
        ],
        args: args![key("destkey"), key("sourcekey").spec(1).optional().multiple()],
        reply: "OK",
        doc: prose!("Adds everything that was added to some HyperLogLogs to another one.", "O(N), N the number of keys, with a large constant"),
        run: pfmerge,
        ..BASE
    },
    Command {
        name: "pfdebug", arity: 3, group: Group::Hyperloglog, since: "2.8.9",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::ADMIN,
        acl: Acl::HYPERLOGLOG,
        keys: &[KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS)],
        args: args![string("subcommand"), key("key")],
        reply: "any",
        doc: prose!("Looks into a HyperLogLog: GETREG, DECODE, ENCODING, TODENSE.", "N/A"),
        is_system: true,
        run: pfdebug,
        ..BASE
    },
    Command {
        name: "pfselftest", arity: 1, group: Group::Hyperloglog, since: "2.8.9",
        flags: Flags::ADMIN,
        acl: Acl::HYPERLOGLOG,
        reply: "OK",
        doc: prose!("Tests the HyperLogLog code.", "N/A"),
        is_system: true,
        run: pfselftest,
        ..BASE
    },
];

const NOT_ONE: Error = Error::new("WRONGTYPE Key is not a valid HyperLogLog string value.");
const CORRUPT: Error = Error::new("INVALIDOBJ Corrupted HLL object detected");

fn corrupt(_: Corrupt) -> Error {
    CORRUPT
}

fn encoding(bytes: &[u8]) -> core::result::Result<Encoding, Error> {
    hyperloglog::encoding(bytes).ok_or(NOT_ONE)
}

fn pfadd(ctx: &mut Ctx) -> Result {
    let key = ctx.arg(1);
    let elements = ctx.args.get(2..).unwrap_or_default();
    let is_new = match ctx.keys.peek_string(key)? {
        None => true,
        Some(bytes) => {
            encoding(&bytes.text())?;
            false
        }
    };
    let mut changes = u64::from(is_new);
    let mut done = 0;
    if !is_new {
        (changes, done) = ctx.keys.edit_string(key, 0, |bytes, _| {
            let (changes, done) = add_in_place(bytes, elements);
            (changes > 0, (changes, done))
        })?;
    }
    if is_new || done < elements.len() {
        let rest = elements.get(done..).unwrap_or_default();
        changes += add_with_growth(ctx, key, is_new, rest)?;
    }
    if changes > 0 {
        ctx.keys.dirty += changes - 1;
        ctx.keys.notify(Class::STRING, "pfadd", key);
    }
    ctx.reply.int_bool(changes > 0);
    Ok(Outcome::Done)
}

/// Adds elements as far as that needs no other bytes: all of them where registers are dense, else those that change
/// nothing. How many registers were raised, and how many elements are done.
fn add_in_place(bytes: &mut [u8], elements: &[&[u8]]) -> (u64, usize) {
    if hyperloglog::encoding(bytes) == Some(Encoding::Dense) {
        let raise = |element: &&&[u8]| hyperloglog::raise_dense(bytes, Place::of(element));
        let changes = elements.iter().filter(raise).count() as u64;
        if changes > 0 {
            hyperloglog::invalidate(bytes);
        }
        return (changes, elements.len());
    }
    let is_known = |element: &&&[u8]| hyperloglog::raises(bytes, Place::of(element)) == Ok(false);
    (0, elements.iter().take_while(is_known).count())
}

/// Adds elements to registers that are sparse at first, or not there yet; how many registers were raised.
fn add_with_growth(
    ctx: &mut Ctx,
    key: &[u8],
    is_new: bool,
    elements: &[&[u8]],
) -> core::result::Result<u64, Error> {
    let limit_bytes = ctx.server.config.hll_sparse_max_bytes;
    ctx.keys.update_string(key, |bytes| {
        if is_new {
            *bytes = hyperloglog::new();
        }
        let mut changes = 0;
        for element in elements {
            match hyperloglog::raise(bytes, Place::of(element), limit_bytes) {
                Ok(is_raised) => changes += u64::from(is_raised),
                // What was added before the damage showed stays added.
                Err(error) => return Ok((Updated::Yes, Err(corrupt(error)))),
            }
        }
        if changes == 0 && !is_new {
            return Ok((Updated::Raw, Ok(0)));
        }
        hyperloglog::invalidate(bytes);
        Ok((Updated::Yes, Ok(changes)))
    })?
}

fn pfcount(ctx: &mut Ctx) -> Result {
    if let [_, key] = *ctx.args {
        return pfcount_one(ctx, key);
    }
    let mut registers = Registers::new();
    for key in ctx.args.iter().skip(1) {
        if let Some(bytes) = ctx.keys.read_string(key)? {
            let bytes = bytes.text();
            encoding(&bytes)?;
            registers.merge(&bytes).map_err(corrupt)?;
        }
    }
    ctx.reply.int(registers.count() as i64);
    Ok(Outcome::Done)
}

fn pfcount_one(ctx: &mut Ctx, key: &[u8]) -> Result {
    let (count, is_remembered) = match ctx.keys.read_string(key)? {
        None => (0, true),
        Some(bytes) => {
            let bytes = bytes.text();
            encoding(&bytes)?;
            match hyperloglog::cached_count(&bytes) {
                Some(count) => (count, true),
                None => (hyperloglog::count(&bytes).map_err(corrupt)?, false),
            }
        }
    };
    if !is_remembered {
        ctx.keys.update_string(key, |bytes| {
            hyperloglog::set_cached_count(bytes, count);
            Ok((Updated::Yes, ()))
        })?;
    }
    ctx.reply.int(count as i64);
    Ok(Outcome::Done)
}

fn pfmerge(ctx: &mut Ctx) -> Result {
    let mut registers = Registers::new();
    let mut is_dense = false;
    for key in ctx.args.iter().skip(1) {
        if let Some(bytes) = ctx.keys.read_string(key)? {
            let bytes = bytes.text();
            is_dense |= encoding(&bytes)? == Encoding::Dense;
            registers.merge(&bytes).map_err(corrupt)?;
        }
    }
    let target = ctx.arg(1);
    let is_new = ctx.keys.peek(target).is_none();
    let limit_bytes = ctx.server.config.hll_sparse_max_bytes;
    ctx.keys.update_string(target, |bytes| {
        if is_new {
            *bytes = hyperloglog::new();
        }
        if is_dense {
            hyperloglog::to_dense(bytes).map_err(corrupt)?;
        }
        registers.write_to(bytes, limit_bytes).map_err(corrupt)?;
        Ok((Updated::Yes, ()))
    })?;
    ctx.keys.notify(Class::STRING, "pfadd", target);
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn pfdebug(ctx: &mut Ctx) -> Result {
    let (word, key) = (ctx.arg(1), ctx.arg(2));
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    if is("SIMD") {
        return pfdebug_simd(ctx);
    }
    let Some(bytes) = ctx.keys.peek_string(key)? else {
        return Err(Error::new("ERR The specified key does not exist"));
    };
    let bytes = bytes.text();
    let encoding = encoding(&bytes)?;
    if is("GETREG") {
        to_dense(ctx, key, encoding)?;
        return pfdebug_getreg(ctx, key);
    }
    if is("DECODE") {
        if encoding != Encoding::Sparse {
            return Err(Error::new("ERR HLL encoding is not sparse"));
        }
        ctx.reply.bulk(&decoded(&bytes));
    } else if is("ENCODING") {
        ctx.reply.status(match encoding {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        });
    } else if is("TODENSE") {
        let is_changed = to_dense(ctx, key, encoding)?;
        ctx.reply.int_bool(is_changed);
    } else {
        return Err(Error::concat(&[
            b"ERR Unknown PFDEBUG subcommand '",
            word,
            b"'",
        ]));
    }
    Ok(Outcome::Done)
}

/// There is one implementation only, so that there is nothing to switch.
fn pfdebug_simd(ctx: &mut Ctx) -> Result {
    let word = ctx.arg(2);
    if word.eq_ignore_ascii_case(b"ON") {
        ctx.reply.status("enabled");
    } else if word.eq_ignore_ascii_case(b"OFF") {
        ctx.reply.status("disabled");
    } else {
        return Err(Error::new("ERR Argument must be ON or OFF"));
    }
    Ok(Outcome::Done)
}

fn to_dense(ctx: &mut Ctx, key: &[u8], encoding: Encoding) -> core::result::Result<bool, Error> {
    let is_sparse = encoding == Encoding::Sparse;
    if is_sparse {
        ctx.keys.update_string(key, |bytes| {
            hyperloglog::to_dense(bytes).map_err(corrupt)?;
            Ok((Updated::Yes, ()))
        })?;
    }
    Ok(is_sparse)
}

fn pfdebug_getreg(ctx: &mut Ctx, key: &[u8]) -> Result {
    let mut registers = Registers::new();
    if let Some(bytes) = ctx.keys.peek_string(key)? {
        registers.merge(&bytes.text()).map_err(corrupt)?;
    }
    ctx.reply.array(registers.values().len());
    for value in registers.values() {
        ctx.reply.int(i64::from(*value));
    }
    Ok(Outcome::Done)
}

/// The runs of sparse registers: `z:` and `Z:` zeros in the short and the long form, `v:` a value and how often.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    for run in hyperloglog::sparse_runs(bytes) {
        if !text.is_empty() {
            text.push(b' ');
        }
        text.push(match (run.value, run.long) {
            (0, true) => b'Z',
            (0, false) => b'z',
            _ => b'v',
        });
        text.push(b':');
        if run.value > 0 {
            write_i64(&mut text, i64::from(run.value));
            text.push(b',');
        }
        write_u64(&mut text, run.registers as u64);
    }
    text
}

fn pfselftest(ctx: &mut Ctx) -> Result {
    if !hyperloglog::self_test() {
        return Err(Error::new(
            "ERR TESTFAILED HyperLogLog registers or estimates are wrong",
        ));
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}
