//! Entries that were delivered and not acknowledged: looked at, taken over, given back.

use super::group::no_group;
use super::{Parsed, delete::parse_ids, id, interval_end, interval_start, reply_entry, reply_id};
use crate::algorithms::num;
use crate::resp::{Error, Reply};
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group as CommandGroup, KeyFlags, KeySpec, Options, Outcome,
    Result, args, block, flag, integer, key, oneof, prose, string, unix_time,
};
use crate::values::stream::{Consumer, Group, Id, Log, NOBODY, Pending};
use crate::values::{Entry, Stream};

const KEY: KeySpec = KeySpec::index(1).range(0, 1, 0);

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "xpending", arity: -3, group: CommandGroup::Stream, since: "5.0.0",
        flags: Flags::READONLY,
        acl: Acl::STREAM,
        keys: &[KEY.flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            key("key"), string("group"),
            block("filters", args![
                integer("min-idle-time").token("IDLE").optional().since("6.2.0"),
                string("start"), string("end"), integer("count"), string("consumer").optional(),
            ]).optional(),
        ],
        tips: &["nondeterministic_output"],
        reply: "any",
        doc: prose!("What a group has not acknowledged: in short, or entry by entry.", "O(log N + M), M the entries looked at"),
        run: xpending, ..BASE
    },
    Command {
        name: "xclaim", arity: -6, group: CommandGroup::Stream, since: "5.0.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::STREAM,
        keys: &[KEY.flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![
            key("key"), string("group"), string("consumer"), string("min-idle-time"), string("id").multiple(),
            integer("ms").token("IDLE").optional(), unix_time("unix-time-milliseconds").token("TIME").optional(),
            integer("count").token("RETRYCOUNT").optional(), flag("FORCE").optional(), flag("JUSTID").optional(),
            string("lastid").token("LASTID").optional(),
        ],
        tips: &["nondeterministic_output"],
        reply: "[bulk | nil | [bulk, [bulk] | nil]]",
        doc: prose!("Makes a consumer the owner of pending entries.", "O(log N) for each entry"),
        run: xclaim, ..BASE
    },
    Command {
        name: "xautoclaim", arity: -6, group: CommandGroup::Stream, since: "6.2.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::STREAM,
        keys: &[KEY.flags(KeyFlags::RW | KeyFlags::DELETE)],
        args: args![
            key("key"), string("group"), string("consumer"), string("min-idle-time"), string("start"),
            integer("count").token("COUNT").optional(), flag("JUSTID").optional(),
        ],
        tips: &["nondeterministic_output"],
        reply: "[bulk, [bulk | nil | [bulk, [bulk] | nil]], [bulk]]",
        doc: prose!("Makes a consumer the owner of what has been pending for long.", "O(1) for small counts"),
        run: xautoclaim, ..BASE
    },
    Command {
        name: "xnack", arity: -7, group: CommandGroup::Stream, since: "8.8.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::STREAM,
        keys: &[KEY.flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![
            key("key"), string("group"), oneof("mode", args![flag("SILENT"), flag("FAIL"), flag("FATAL")]),
            block("ids", args![integer("numids"), string("id").multiple()]).token("IDS"),
            integer("count").token("RETRYCOUNT").optional(), flag("FORCE").optional(),
        ],
        reply: "int",
        doc: prose!("Gives pending entries back to the group, for others to take.", "O(log N) for each entry"),
        run: xnack, ..BASE
    },
];

/// A consumer that does something, and what is to be logged of it.
pub(super) struct Acting<'a> {
    pub(super) key: &'a [u8],
    group: &'a [u8],
    consumer: &'a [u8],
    pub(super) now_ms: i64,
    /// The consumer's number, once it has appeared.
    pub(super) number: u32,
    pub(super) is_new: bool,
    /// What the count of changes grows by.
    pub(super) changes: u64,
    pub(super) logged: Vec<Vec<Vec<u8>>>,
    is_logging: bool,
}

impl<'a> Acting<'a> {
    pub(super) fn new(ctx: &Ctx, key: &'a [u8], group: &'a [u8], consumer: &'a [u8]) -> Acting<'a> {
        Acting {
            key,
            group,
            consumer,
            now_ms: ctx.now_ms,
            number: NOBODY,
            is_new: false,
            changes: 0,
            logged: Vec::new(),
            is_logging: ctx.keys.is_logging(),
        }
    }

    /// The consumer is seen; it is added if it is not there.
    pub(super) fn appear(&mut self, log: &mut Log, at: usize) {
        log.edit_group(at, |group| {
            self.number = match group.find(self.consumer) {
                Some(number) => number,
                None => {
                    self.is_new = true;
                    self.changes += 1;
                    let number = group.add_consumer(self.consumer, self.now_ms);
                    number.unwrap_or(NOBODY)
                }
            };
            group.saw(self.number, self.now_ms);
        });
    }

    /// The consumer gets an entry.
    pub(super) fn take(&mut self, log: &mut Log, at: usize, pending: Pending) {
        let owner = self.number;
        let pending = Pending { owner, ..pending };
        log.edit_group(at, |group| {
            group.deliver(pending);
            group.activated(owner, self.now_ms);
            self.log_claim(group, &pending);
        });
    }

    fn log(&mut self, command: &[&[u8]]) {
        let command = command.iter().map(|part| part.to_vec()).collect();
        self.logged.push(command);
    }

    /// Logs where an entry stands now.
    fn log_claim(&mut self, group: &Group, pending: &Pending) {
        if !self.is_logging {
            return;
        }
        let owner = group.consumer(pending.owner);
        let owner = owner.map_or(&[][..], Consumer::name);
        let time = num::format_i64(pending.delivered_ms);
        let count = num::format_u64(pending.count);
        let (id, last) = (pending.id.text(), group.last_id.text());
        let command: [&[u8]; 14] = [
            b"XCLAIM",
            self.key,
            self.group,
            owner,
            b"0",
            &id,
            b"TIME",
            &time,
            b"RETRYCOUNT",
            &count,
            b"FORCE",
            b"JUSTID",
            b"LASTID",
            &last,
        ];
        self.log(&command);
    }

    /// Logs what the group has read.
    pub(super) fn log_position(&mut self, log: &Log, at: usize) {
        if let Some(group) = log.groups().get(at).filter(|_| self.is_logging) {
            let last = group.last_id.text();
            let read = num::format_i64(group.entries_read.unwrap_or(-1));
            let command: [&[u8]; 7] = [
                b"XGROUP",
                b"SETID",
                self.key,
                self.group,
                &last,
                b"ENTRIESREAD",
                &read,
            ];
            self.log(&command);
        }
    }

    /// Logs that the consumer was added.
    pub(super) fn log_creation(&mut self) {
        if self.is_logging {
            let command: [&[u8]; 5] = [
                b"XGROUP",
                b"CREATECONSUMER",
                self.key,
                self.group,
                self.consumer,
            ];
            self.log(&command);
        }
    }

    /// A pending entry that is no longer in the stream is forgotten.
    fn drop_missing(&mut self, log: &mut Log, at: usize, pending: &Pending) {
        self.changes += 1;
        log.edit_group(at, |group| {
            self.log_claim(group, pending);
            group.acknowledge(pending.id);
        });
    }
}

fn no_key_or_group(ctx: &Ctx) -> Error {
    no_group(&[
        b"key '",
        ctx.arg(1),
        b"' or consumer group '",
        ctx.arg(2),
        b"'",
    ])
}

/// The options of XPENDING's long form.
struct Filters<'a> {
    idle_ms: i64,
    start: Id,
    end: Id,
    count: u64,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filters<'a> {
    fn parse(ctx: &Ctx<'a>) -> Parsed<Option<Filters<'a>>> {
        let arguments = ctx.args.len();
        if arguments == 3 {
            return Ok(None);
        }
        if !(6..=9).contains(&arguments) {
            return Err(Error::SYNTAX);
        }
        let options = &mut ctx.options(3);
        let mut idle_ms = 0;
        if options.take("IDLE") {
            idle_ms = options.integer()?;
            if arguments < 8 {
                return Err(Error::SYNTAX);
            }
        }
        let (start, end) = (options.value()?, options.value()?);
        let count = options.integer()?.max(0) as u64;
        Ok(Some(Filters {
            idle_ms,
            start: interval_start(start)?,
            end: interval_end(end)?,
            count,
            consumer: options.next(),
        }))
    }
}

fn xpending(ctx: &mut Ctx) -> Result {
    let filters = Filters::parse(ctx)?;
    let missing = no_key_or_group(ctx);
    let stream = ctx.keys.read_value(ctx.arg(1), Entry::stream)?;
    let group = stream.and_then(|stream| stream.group(ctx.args.get(2).copied().unwrap_or(&[])));
    let group = group.ok_or(missing)?;
    match filters {
        Some(filters) => reply_pending(ctx.reply, group, &filters, ctx.now_ms),
        None => reply_summary(ctx.reply, group),
    }
    Ok(Outcome::Done)
}

fn reply_summary(reply: &mut Reply, group: &Group) {
    let pending = group.all_pending();
    reply.array(4);
    reply.count(pending.len());
    let (Some(first), Some(last)) = (pending.first(), pending.last()) else {
        reply.nil();
        reply.nil();
        return reply.nil_array();
    };
    reply_id(reply, first.id);
    reply_id(reply, last.id);
    let mark = reply.mark();
    let mut count = 0;
    for consumer in group
        .consumers()
        .filter(|consumer| !consumer.pending().is_empty())
    {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_int(consumer.pending().len() as i64);
        count += 1;
    }
    reply.close_array(mark, count);
}

fn reply_pending(reply: &mut Reply, group: &Group, filters: &Filters, now_ms: i64) {
    let consumer = match filters.consumer {
        Some(name) => match group.find(name).and_then(|number| group.consumer(number)) {
            Some(consumer) => Some(consumer),
            None => return reply.array(0),
        },
        None => None,
    };
    let mark = reply.mark();
    let mut count = 0;
    let mut visit = |pending: &Pending| {
        let idle_ms = now_ms.wrapping_sub(pending.delivered_ms);
        if count == filters.count || pending.id > filters.end {
            return false;
        }
        if filters.idle_ms != 0 && idle_ms < filters.idle_ms {
            return true;
        }
        count += 1;
        reply.array(4);
        reply_id(reply, pending.id);
        let owner = group.consumer(pending.owner);
        reply.bulk(owner.map_or(&[], Consumer::name));
        reply.int(match pending.owner {
            NOBODY => -1,
            _ => idle_ms.max(0),
        });
        reply.int(pending.count as i64);
        true
    };
    match consumer {
        Some(consumer) => {
            let ids = consumer.pending();
            let mut place = ids.seek(filters.start);
            while let Some(pending) = ids.get(place).and_then(|id| group.pending(*id)) {
                if !visit(pending) {
                    break;
                }
                place = ids.next(place);
            }
        }
        None => {
            let all = group.all_pending();
            let mut place = all.seek(filters.start);
            while let Some(pending) = all.get(place) {
                if !visit(pending) {
                    break;
                }
                place = all.next(place);
            }
        }
    }
    reply.close_array(mark, count as usize);
}

/// Writes what XCLAIM and XAUTOCLAIM say of an entry they hand over.
fn reply_claimed(reply: &mut Reply, log: &Log, id: Id, is_just_id: bool) {
    match log.get(id) {
        Some(entry) if !is_just_id => reply_entry(reply, &entry),
        _ => reply_id(reply, id),
    }
}

/// The options of XCLAIM.
struct Claim {
    ids: Vec<Id>,
    idle_ms: i64,
    delivered_ms: i64,
    count: Option<u64>,
    is_forced: bool,
    is_just_id: bool,
    last_id: Id,
}

fn claim_integer(options: &mut Options, message: &'static str) -> Parsed<i64> {
    num::parse_i64(options.value()?).ok_or(Error::new(message))
}

impl Claim {
    fn parse(ctx: &Ctx) -> Parsed<Claim> {
        let options = &mut ctx.options(4);
        let idle_ms = claim_integer(options, "ERR Invalid min-idle-time argument for XCLAIM")?;
        let mut claim = Claim {
            ids: Vec::new(),
            idle_ms: idle_ms.max(0),
            delivered_ms: -1,
            count: None,
            is_forced: false,
            is_just_id: false,
            last_id: Id::MIN,
        };
        while let Some(id) = options.peek().and_then(|text| Id::parse(text, 0)) {
            claim.ids.push(id);
            options.next();
        }
        while !options.is_done() {
            claim.option(ctx, options)?;
        }
        if !(0..=ctx.now_ms).contains(&claim.delivered_ms) {
            claim.delivered_ms = ctx.now_ms;
        }
        Ok(claim)
    }

    fn option(&mut self, ctx: &Ctx, options: &mut Options) -> Parsed<()> {
        if options.take("FORCE") {
            self.is_forced = true;
        } else if options.take("JUSTID") {
            self.is_just_id = true;
        } else if options.left() > 1 && options.take("IDLE") {
            let idle_ms = claim_integer(options, "ERR Invalid IDLE option argument for XCLAIM")?;
            self.delivered_ms = ctx.now_ms.wrapping_sub(idle_ms);
        } else if options.left() > 1 && options.take("TIME") {
            self.delivered_ms =
                claim_integer(options, "ERR Invalid TIME option argument for XCLAIM")?;
        } else if options.left() > 1 && options.take("RETRYCOUNT") {
            let count =
                claim_integer(options, "ERR Invalid RETRYCOUNT option argument for XCLAIM")?;
            self.count = u64::try_from(count).ok();
        } else if options.left() > 1 && options.take("LASTID") {
            self.last_id = id(options.value()?, 0)?;
        } else {
            let word = options.value()?;
            return Err(Error::concat(&[
                b"ERR Unrecognized XCLAIM option '",
                word,
                b"'",
            ]));
        }
        Ok(())
    }

    /// Hands one entry over; what is pending of it then.
    fn resolve(&self, group: &Group, id: Id, now_ms: i64) -> Option<Pending> {
        let old = match group.pending(id) {
            Some(old) => *old,
            None if self.is_forced => Pending {
                id,
                delivered_ms: now_ms,
                count: 1,
                owner: NOBODY,
            },
            None => return None,
        };
        let idle_ms = now_ms.wrapping_sub(old.delivered_ms);
        if old.owner != NOBODY && self.idle_ms > 0 && idle_ms < self.idle_ms {
            return None;
        }
        Some(Pending {
            delivered_ms: self.delivered_ms,
            count: match self.count {
                Some(count) => count,
                None => old.count.wrapping_add(u64::from(!self.is_just_id)),
            },
            ..old
        })
    }
}

/// The key must hold a stream, with the group.
fn check_group(ctx: &Ctx) -> Parsed<()> {
    let (key, name) = (ctx.arg(1), ctx.arg(2));
    let stream = ctx.keys.peek_value(key, Entry::stream)?;
    match stream.and_then(|stream| stream.group(name)) {
        Some(_) => Ok(()),
        None => Err(no_key_or_group(ctx)),
    }
}

fn xclaim(ctx: &mut Ctx) -> Result {
    ctx.keys.read(ctx.arg(1));
    check_group(ctx)?;
    let claim = Claim::parse(ctx)?;
    let (key, name) = (ctx.arg(1), ctx.arg(2));
    let mut acting = Acting::new(ctx, key, name, ctx.arg(3));
    let reply = &mut *ctx.reply;
    ctx.keys.edit(key, |stream: &mut Stream, _| {
        let Ok(at) = stream.find_group(name) else {
            return Ok((0, ()));
        };
        let is_ahead = stream.edit_group(at, |group| {
            let is_ahead = claim.last_id > group.last_id;
            group.last_id = group.last_id.max(claim.last_id);
            is_ahead
        });
        acting.appear(stream, at);
        let changes = acting.changes;
        let mark = reply.mark();
        let mut count = 0;
        for id in &claim.ids {
            let group = stream.groups().get(at);
            if stream.get(*id).is_none() {
                if let Some(old) = group.and_then(|group| group.pending(*id)).copied() {
                    acting.drop_missing(stream, at, &old);
                }
                continue;
            }
            let pending = group.and_then(|group| claim.resolve(group, *id, acting.now_ms));
            if let Some(pending) = pending {
                acting.take(stream, at, pending);
                acting.changes += 1;
                reply_claimed(reply, stream, *id, claim.is_just_id);
                count += 1;
            }
        }
        reply.close_array(mark, count);
        // Each entry's record has told the position already.
        if is_ahead == Some(true) && acting.changes == changes {
            acting.log_position(stream, at);
            acting.changes += 1;
        }
        Ok((0, ()))
    })?;
    acting.finish(ctx);
    ctx.propagate_nothing();
    Ok(Outcome::Done)
}

/// XAUTOCLAIM looks at so many entries for each that it may return.
const LOOKS: i64 = 10;
/// No larger COUNT is taken.
const MAX_COUNT: i64 = i64::MAX / 16;

fn xautoclaim(ctx: &mut Ctx) -> Result {
    ctx.keys.read(ctx.arg(1));
    let options = &mut ctx.options(4);
    let idle_ms = claim_integer(options, "ERR Invalid min-idle-time argument for XAUTOCLAIM")?;
    let start = interval_start(options.value()?)?;
    let (mut wanted, mut is_just_id) = (100, false);
    while !options.is_done() {
        if options.left() > 1 && options.take("COUNT") {
            wanted = claim_integer(options, "ERR COUNT must be > 0")?;
            if !(1..=MAX_COUNT).contains(&wanted) {
                return Err(Error::new("ERR COUNT must be > 0"));
            }
        } else if options.take("JUSTID") {
            is_just_id = true;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    check_group(ctx)?;
    let (key, name) = (ctx.arg(1), ctx.arg(2));
    let mut acting = Acting::new(ctx, key, name, ctx.arg(3));
    let reply = &mut *ctx.reply;
    ctx.keys.edit(key, |stream: &mut Stream, _| {
        let Ok(at) = stream.find_group(name) else {
            return Ok((0, ()));
        };
        acting.appear(stream, at);
        let mut sweep = Sweep {
            next: Some(start),
            looks: wanted.saturating_mul(LOOKS),
            wanted,
            idle_ms,
            is_just_id,
            missing: Vec::new(),
        };
        sweep.run(stream, at, &mut acting, reply);
        Ok((0, ()))
    })?;
    acting.finish(ctx);
    ctx.propagate_nothing();
    Ok(Outcome::Done)
}

/// XAUTOCLAIM on its way through a group's pending entries.
struct Sweep {
    next: Option<Id>,
    looks: i64,
    wanted: i64,
    idle_ms: i64,
    is_just_id: bool,
    missing: Vec<Id>,
}

impl Sweep {
    /// The next pending entry.
    fn peek(&self, log: &Log, at: usize) -> Option<Pending> {
        let all = log.groups().get(at)?.all_pending();
        all.get(all.seek(self.next?)).copied()
    }

    fn run(&mut self, log: &mut Log, at: usize, acting: &mut Acting, reply: &mut Reply) {
        let mut claimed = Vec::new();
        while let Some(old) = self.peek(log, at) {
            if self.looks == 0 || self.wanted == 0 {
                break;
            }
            self.looks -= 1;
            self.next = old.id.next();
            if log.get(old.id).is_none() {
                acting.drop_missing(log, at, &old);
                self.missing.push(old.id);
                self.wanted -= 1;
                continue;
            }
            let idle_ms = acting.now_ms.wrapping_sub(old.delivered_ms);
            if self.idle_ms > 0 && idle_ms < self.idle_ms {
                continue;
            }
            let pending = Pending {
                delivered_ms: acting.now_ms,
                count: old.count.wrapping_add(u64::from(!self.is_just_id)),
                ..old
            };
            acting.take(log, at, pending);
            acting.changes += 1;
            claimed.push(old.id);
            self.wanted -= 1;
        }
        let cursor = self.peek(log, at).map_or(Id::MIN, |pending| pending.id);
        reply.array(3);
        reply_id(reply, cursor);
        reply.array(claimed.len());
        for id in claimed {
            reply_claimed(reply, log, id, self.is_just_id);
        }
        reply.array(self.missing.len());
        for id in &self.missing {
            reply_id(reply, *id);
        }
    }
}

/// How XNACK changes the count of deliveries.
enum Mode {
    Silent,
    Fail,
    Fatal,
}

fn xnack(ctx: &mut Ctx) -> Result {
    ctx.keys.read(ctx.arg(1));
    check_group(ctx)?;
    let options = &mut ctx.options(3);
    let mode = if options.take("SILENT") {
        Mode::Silent
    } else if options.take("FAIL") {
        Mode::Fail
    } else if options.take("FATAL") {
        Mode::Fatal
    } else {
        return Err(Error::SYNTAX);
    };
    let mut ids = Vec::new();
    let (mut count, mut is_forced) = (None, false);
    while !options.is_done() {
        if options.left() > 1 && ids.is_empty() && options.take("IDS") {
            ids = parse_ids(super::delete::take_ids(options)?)?;
        } else if options.left() > 1 && options.take("RETRYCOUNT") {
            let wanted = u64::try_from(options.integer()?);
            count = Some(wanted.map_err(|_| Error::new("ERR RETRYCOUNT must be >= 0"))?);
        } else if options.take("FORCE") {
            is_forced = true;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    if ids.is_empty() {
        return Err(Error::SYNTAX);
    }
    let (key, name) = (ctx.arg(1), ctx.arg(2));
    let edited = ctx.keys.edit(key, |stream: &mut Stream, _| {
        let mut released = 0;
        let Ok(at) = stream.find_group(name) else {
            return Ok((0, released));
        };
        for id in ids {
            let group = stream.groups().get(at);
            let old = group
                .and_then(|group| group.pending(id))
                .map(|old| old.count);
            if old.is_none() && !(is_forced && stream.get(id).is_some()) {
                continue;
            }
            let old = old.unwrap_or(0);
            let count = count.unwrap_or(match mode {
                Mode::Silent => old.saturating_sub(1),
                Mode::Fail => old,
                Mode::Fatal => i64::MAX as u64,
            });
            let pending = Pending {
                id,
                delivered_ms: 0,
                count,
                owner: NOBODY,
            };
            stream.edit_group(at, |group| group.deliver(pending));
            released += 1;
        }
        Ok((0, released))
    })?;
    let released = edited.map_or(0, |edited| edited.value);
    ctx.keys.dirty += released;
    ctx.reply.int(released as i64);
    Ok(Outcome::Done)
}
