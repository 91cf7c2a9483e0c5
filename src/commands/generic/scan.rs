//! Looking through the keys of a database, and what SSCAN, HSCAN and ZSCAN share with that.

use crate::algorithms::bytes::Append;
use crate::algorithms::{glob, num};
use crate::resp::{Error, Reply};
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, Outcome, Result, args, integer, pattern, prose, string,
};
use crate::values::{Entry, Type};

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
        reply: "[bulk, [bulk]]",
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

/// What SCAN and its kin are asked for.
#[derive(Debug)]
pub struct Request<'a> {
    pub cursor: u64,
    /// About so many entries to look at.
    pub count: usize,
    /// Not with NOVALUES.
    pub has_values: bool,
    pattern: &'a [u8],
    /// The inner None is a type that does not exist: no key has it.
    value_type: Option<Option<Type>>,
}

impl<'a> Request<'a> {
    /// Reads the options behind the cursor, which stands at `at`. `of` is the type of the value that is looked through,
    /// None for the keys of a database.
    fn parse(
        ctx: &Ctx<'a>,
        at: usize,
        cursor: u64,
        of: Option<Type>,
    ) -> core::result::Result<Request<'a>, Error> {
        let mut request = Request {
            cursor,
            count: 10,
            has_values: true,
            pattern: b"*",
            value_type: None,
        };
        let options = &mut ctx.options(at + 1);
        while !options.is_done() {
            if let Some(count) = options.take_value("COUNT") {
                let count = num::parse_i64(count).ok_or(Error::NOT_INTEGER)?;
                if count < 1 {
                    return Err(Error::SYNTAX);
                }
                request.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if let Some(pattern) = options.take_value("MATCH") {
                request.pattern = pattern;
            } else if of.is_none()
                && let Some(name) = options.take_value("TYPE")
            {
                request.value_type = Some(Type::parse(name));
            } else if options.take("NOVALUES") {
                if of != Some(Type::Hash) {
                    return Err(Error::new("ERR NOVALUES option can only be used in HSCAN"));
                }
                request.has_values = false;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(request)
    }

    /// Whether a key, member or field is wanted.
    #[inline]
    pub fn fits(&self, text: &[u8]) -> bool {
        self.pattern == b"*" || glob::matches(self.pattern, text)
    }
}

/// What a call of SCAN or its kin found.
#[derive(Debug, Default)]
pub struct Found {
    texts: Vec<u8>,
    ends: Vec<usize>,
}

impl Found {
    /// One more text for the reply.
    pub fn put(&mut self, text: &[u8]) {
        self.texts.put(text);
        self.ends.push(self.texts.len());
    }

    fn reply(self, reply: &mut Reply, next: u64) {
        reply.array(2);
        reply.bulk(num::format_u64(next).as_bytes());
        reply.array(self.ends.len());
        let mut start = 0;
        for end in self.ends {
            reply.bulk(self.texts.get(start..end).unwrap_or(&[]));
            start = end;
        }
    }
}

/// What looks through one value: it puts what fits into the last argument and returns the next cursor.
pub type Walk<'w> = dyn FnMut(Entry<'_>, &Request<'_>, &mut Found) -> u64 + 'w;

/// HSCAN, SSCAN and ZSCAN: looks through the value at the key in argument 1, if it is of that type.
///
/// # Errors
/// A bad cursor, WRONGTYPE, a bad option, in this order; options of a missing key are not looked at.
pub fn scan_value(ctx: &mut Ctx, value_type: Type, walk: &mut Walk<'_>) -> Result {
    let cursor = parse_cursor(ctx.arg(2)).ok_or(Error::INVALID_CURSOR)?;
    let key = ctx.arg(1);
    let mut found = Found::default();
    let mut next = 0;
    if ctx
        .keys
        .read_value(key, |entry| {
            (entry.value_type() == value_type).then_some(())
        })?
        .is_some()
    {
        let request = Request::parse(ctx, 2, cursor, Some(value_type))?;
        if let Some(entry) = ctx.keys.peek(key) {
            next = walk(entry, &request, &mut found);
        }
    }
    found.reply(ctx.reply, next);
    Ok(Outcome::Done)
}

fn scan(ctx: &mut Ctx) -> Result {
    let cursor = parse_cursor(ctx.arg(1)).ok_or(Error::INVALID_CURSOR)?;
    let request = Request::parse(ctx, 1, cursor, None)?;
    let mut found = Found::default();
    let fits = |key: &[u8]| request.fits(key);
    let next = ctx.keys.scan(cursor, request.count, fits, |entry| {
        let value_type = Some(entry.value_type());
        if request.value_type.is_none_or(|wanted| wanted == value_type) {
            found.put(entry.key());
        }
    });
    found.reply(ctx.reply, next);
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
