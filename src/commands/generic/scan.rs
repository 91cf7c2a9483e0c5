//! Looking through the keys of a database.

use crate::algorithms::bytes::Append;
use crate::algorithms::{glob, num};
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, Outcome, Result, args, integer, pattern, prose, string,
};
use crate::values::Type;

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "keys", arity: 2, group: Group::Generic, since: "1.0.0",
        flags: Flags::READONLY, acl: Acl::KEYSPACE | Acl::DANGEROUS,
        args: args![pattern("pattern")],
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        reply: "[bulk]",
        doc: prose!("Every key that matches a pattern.", "O(N), N the number of keys in the database"),
        run: keys, ..BASE
    },
    Command {
        name: "scan", arity: -2, group: Group::Generic, since: "2.8.0",
        flags: Flags::READONLY, acl: Acl::KEYSPACE,
        args: args![
            integer("cursor"), pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
            string("type").token("TYPE").optional().since("6.0.0"),
        ],
        tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
        reply: "[bulk | [bulk]]",
        doc: prose!("Some keys, and a cursor to get more with; 0 begins, and comes back at the end.", "O(1) for a call, O(N) for all N keys of the database"),
        run: scan, ..BASE
    },
    Command {
        name: "randomkey", arity: 1, group: Group::Generic, since: "1.0.0",
        flags: Flags::READONLY, acl: Acl::KEYSPACE,
        tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
        reply: "bulk | nil",
        doc: prose!("Any key of the database, each as likely.", "O(1)"),
        run: randomkey, ..BASE
    },
];

fn keys(ctx: &mut Ctx) -> Result {
    let pattern = ctx.arg(1);
    let mark = ctx.reply.mark();
    let mut count = 0;
    for entry in ctx.keys.entries() {
        if pattern == b"*" || glob::matches(pattern, entry.key()) {
            ctx.reply.bulk(entry.key());
            count += 1;
        }
    }
    ctx.reply.close_array(mark, count);
    Ok(Outcome::Done)
}

/// The options of SCAN.
struct Wanted<'a> {
    count: usize,
    pattern: &'a [u8],
    /// The inner None is a type that does not exist: no key has it.
    value_type: Option<Option<Type>>,
}

impl<'a> Wanted<'a> {
    fn parse(ctx: &Ctx<'a>) -> core::result::Result<Wanted<'a>, Error> {
        let mut wanted = Wanted {
            count: 10,
            pattern: b"*",
            value_type: None,
        };
        let options = &mut ctx.options(2);
        while !options.is_done() {
            if let Some(count) = options.take_value("COUNT") {
                let count = num::parse_i64(count).ok_or(Error::NOT_INTEGER)?;
                if count < 1 {
                    return Err(Error::SYNTAX);
                }
                wanted.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if let Some(pattern) = options.take_value("MATCH") {
                wanted.pattern = pattern;
            } else if let Some(name) = options.take_value("TYPE") {
                wanted.value_type = Some(Type::parse(name));
            } else if options.take("NOVALUES") {
                return Err(Error::new("ERR NOVALUES option can only be used in HSCAN"));
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(wanted)
    }
}

fn scan(ctx: &mut Ctx) -> Result {
    let cursor = parse_cursor(ctx.arg(1)).ok_or(Error::INVALID_CURSOR)?;
    let wanted = Wanted::parse(ctx)?;
    let (mut names, mut ends) = (Vec::new(), Vec::new());
    let fits = |key: &[u8]| wanted.pattern == b"*" || glob::matches(wanted.pattern, key);
    let next = ctx.keys.scan(cursor, wanted.count, fits, |entry| {
        let value_type = Some(entry.value_type());
        if wanted.value_type.is_none_or(|wanted| wanted == value_type) {
            names.put(entry.key());
            ends.push(names.len());
        }
    });
    ctx.reply.array(2);
    ctx.reply.bulk(num::format_u64(next).as_bytes());
    ctx.reply.array(ends.len());
    let mut start = 0;
    for end in ends {
        ctx.reply.bulk(names.get(start..end).unwrap_or(&[]));
        start = end;
    }
    Ok(Outcome::Done)
}

/// A cursor as C's `strtoull` reads it, which forgives spaces, a sign and zeros in front, but no negative number that
/// is written as one usually is.
pub fn parse_cursor(text: &[u8]) -> Option<u64> {
    if let Some(number) = num::parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let text = text.split(|byte| *byte == 0).next()?;
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = text.iter().position(|byte| !is_space(byte))?;
    let (is_negative, digits) = match text.get(start..)? {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let zeros = digits.iter().take_while(|byte| **byte == b'0').count();
    let number = match digits.get(zeros..)? {
        [] if zeros > 0 => 0,
        digits => num::parse_u64(digits)?,
    };
    Some(if is_negative {
        number.wrapping_neg()
    } else {
        number
    })
}

fn randomkey(ctx: &mut Ctx) -> Result {
    match ctx.keys.random_key(|| ctx.rng.next_u64()) {
        Some(key) => ctx.reply.bulk(&key),
        None => ctx.reply.nil(),
    }
    Ok(Outcome::Done)
}
