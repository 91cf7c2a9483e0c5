//! Adding entries.

use super::delete::{Trimming, take_references};
use super::{BAD_ID, Parsed, reply_id};
use crate::algorithms::bytes::Append;
use crate::algorithms::xxh3;
use crate::keyspace::Class;
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Options, Outcome, Result, args,
    block, flag, integer, key, oneof, prose, string, token,
};
use crate::values::stream::{Id, Log, Seq, parse_id};
use crate::values::{Limits, Stream};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "xadd", arity: -5, group: Group::Stream, since: "5.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::STREAM,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)
                .note("UPDATE instead of INSERT because of the optional trimming feature"),
        ],
        args: args![
            key("key"),
            flag("NOMKSTREAM").optional().since("6.2.0"),
            oneof("condition", args![flag("KEEPREF"), flag("DELREF"), flag("ACKED")]).optional(),
            oneof("idmp", args![
                string("producer-id").token("IDMPAUTO"),
                block("idmp-block", args![string("producer-id"), string("idempotent-id")]).token("IDMP"),
            ]).optional().since("8.6.0"),
            block("trim", args![
                oneof("strategy", args![flag("MAXLEN"), flag("MINID").since("6.2.0")]),
                oneof("operator", args![token("equal", "="), token("approximately", "~")]).optional(),
                string("threshold"),
                integer("count").token("LIMIT").optional().since("6.2.0"),
            ]).optional(),
            oneof("id-selector", args![token("auto-id", "*"), string("id")]),
            block("data", args![string("field"), string("value")]).multiple(),
        ],
        tips: &["nondeterministic_output"],
        reply: "bulk | nil",
        doc: prose!("Adds an entry to a stream, which is created if there is none.", "O(1), and the entries trimmed"),
        run: xadd, ..BASE
    },
    Command {
        name: "xsetid", arity: -3, group: Group::Stream, since: "5.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::STREAM,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![
            key("key"), string("last-id"),
            integer("entries-added").token("ENTRIESADDED").optional().since("7.0.0"),
            string("max-deleted-id").token("MAXDELETEDID").optional().since("7.0.0"),
        ],
        reply: "OK",
        doc: prose!("Sets what a stream remembers of its ids; for replication.", "O(1)"),
        run: xsetid, ..BASE
    },
    Command {
        name: "xcfgset", arity: -2, group: Group::Stream, since: "8.6.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::STREAM,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![
            key("key"),
            integer("idmp-duration").token("IDMP-DURATION").optional(),
            integer("idmp-maxsize").token("IDMP-MAXSIZE").optional(),
        ],
        reply: "OK",
        doc: prose!("Sets how long and how many marks of producers a stream keeps.", "O(1)"),
        run: xcfgset, ..BASE
    },
    Command {
        name: "xidmprecord", arity: 5, group: Group::Stream, since: "8.6.2",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::STREAM,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key"), string("pid"), string("iid"), string("stream-id")],
        reply: "OK",
        doc: prose!("Marks an entry as sent by a producer; for logs that are replayed.", "O(1)"),
        run: xidmprecord, ..BASE
    },
];

/// The id of a new entry, as wanted.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    /// `*`: the time.
    Now,
    /// `<ms>-*`.
    Next(u64),
    Is(Id),
}

impl Wanted {
    fn parse(text: &[u8]) -> Parsed<Wanted> {
        let (ms, seq) = parse_id(text).ok_or(BAD_ID)?;
        Ok(match seq {
            Seq::Next => Wanted::Next(ms),
            Seq::Is(seq) => Wanted::Is(Id { ms, seq }),
            Seq::Missing => Wanted::Is(Id { ms, seq: 0 }),
        })
    }

    /// The id it comes to behind `last`.
    fn resolve(self, last: Id, now_ms: i64) -> Option<Id> {
        let id = match self {
            Wanted::Is(id) => id,
            Wanted::Next(ms) if ms == last.ms => Id {
                ms,
                seq: last.seq.checked_add(1)?,
            },
            Wanted::Next(ms) => Id { ms, seq: 0 },
            Wanted::Now if now_ms as u64 > last.ms => Id {
                ms: now_ms as u64,
                seq: 0,
            },
            Wanted::Now => last.next()?,
        };
        (id > last).then_some(id)
    }
}

/// What tells an entry from others its producer sends: IDMP and IDMPAUTO.
struct Mark<'a> {
    producer: &'a [u8],
    /// None to make one from the fields.
    name: Option<&'a [u8]>,
    /// Where the option stands.
    at: usize,
}

impl<'a> Mark<'a> {
    /// Takes the option if it is next.
    fn take(options: &mut Options<'a>, mark: &mut Option<Mark<'a>>) -> Parsed<bool> {
        let at = Options::position(options);
        let is_given = options.left() > 2 && options.take("IDMP");
        let is_made = options.left() > 1 && !is_given && options.take("IDMPAUTO");
        if !is_given && !is_made {
            return Ok(false);
        }
        if mark.is_some() {
            return Err(Error::new("ERR IDMP/IDMPAUTO specified multiple times"));
        }
        let producer = options.value()?;
        if producer.is_empty() {
            return Err(Error::new(if is_given {
                "ERR IDMP requires a non-empty producer ID"
            } else {
                "ERR IDMPAUTO requires a non-empty producer ID"
            }));
        }
        let name = if is_given {
            Some(options.value()?)
        } else {
            None
        };
        if name.is_some_and(<[u8]>::is_empty) {
            return Err(Error::new("ERR IDMP requires a non-empty idempotent ID"));
        }
        *mark = Some(Mark { producer, name, at });
        Ok(true)
    }

    fn arguments(&self) -> usize {
        2 + usize::from(self.name.is_some())
    }

    /// The mark itself; one made from fields is the same for any order of them.
    fn name(&self, pairs: &[&[u8]]) -> Vec<u8> {
        if let Some(name) = self.name {
            return name.to_vec();
        }
        let (mut sum, mut mix) = (0u64, 0u64);
        for pair in pairs.chunks_exact(2) {
            let mut text = Vec::new();
            for part in pair {
                text.put(&(part.len() as u64).to_le_bytes());
                text.put(part);
            }
            let hash = xxh3::hash(&text);
            sum = sum.wrapping_add(hash);
            mix ^= hash.wrapping_mul(hash | 1);
        }
        [sum.to_le_bytes(), mix.to_le_bytes()].concat()
    }
}

/// The options of XADD.
struct Adding<'a> {
    makes_no_stream: bool,
    trimming: Trimming,
    wanted: Wanted,
    /// Where the id stands; the fields are behind it.
    id_at: usize,
    mark: Option<Mark<'a>>,
}

impl<'a> Adding<'a> {
    fn parse(ctx: &Ctx<'a>) -> Parsed<Adding<'a>> {
        let mut trimming = Trimming::default();
        let mut makes_no_stream = false;
        let mut mark = None;
        let options = &mut ctx.options(2);
        let wanted = loop {
            match options.peek() {
                Some(b"*") | None => break Wanted::Now,
                Some(text) => {
                    if trimming.take(options)? {
                    } else if options.take("NOMKSTREAM") {
                        makes_no_stream = true;
                    } else if !take_references(options, &mut trimming.references)
                        && !Mark::take(options, &mut mark)?
                    {
                        break Wanted::parse(text)?;
                    }
                }
            }
        };
        if mark.is_some() && !matches!(wanted, Wanted::Now) {
            return Err(Error::new(
                "ERR IDMP/IDMPAUTO can be used only with auto-generated IDs",
            ));
        }
        trimming.finish(ctx)?;
        let id_at = Options::position(options);
        let fields = options.left().saturating_sub(1);
        if fields < 2 || fields % 2 == 1 {
            return Err(Error::wrong_arity(b"xadd"));
        }
        if matches!(wanted, Wanted::Is(Id::MIN)) {
            return Err(Error::new(
                "ERR The ID specified in XADD must be greater than 0-0",
            ));
        }
        Ok(Adding {
            makes_no_stream,
            trimming,
            wanted,
            id_at,
            mark,
        })
    }
}

/// What became of an XADD.
struct Added {
    id: Id,
    /// The producer had sent it before; it was not added again.
    is_known: bool,
    trimmed: u64,
    /// What the trim comes to, for the log.
    bound: Vec<u8>,
}

/// Changes made, and what became of it.
fn add(
    log: &mut Log,
    limits: &Limits,
    adding: &Adding,
    pairs: &[&[u8]],
    now_ms: i64,
) -> Parsed<(u64, Added)> {
    let name = adding.mark.as_ref().map(|mark| mark.name(pairs));
    let mark = adding.mark.as_ref().zip(name.as_deref());
    if let Some((mark, name)) = mark
        && let Some(id) = log.known(mark.producer, name, now_ms)
    {
        let known = Added {
            id,
            is_known: true,
            trimmed: 0,
            bound: Vec::new(),
        };
        return Ok((0, known));
    }
    if log.last_id == Id::MAX {
        return Err(Error::new(
            "ERR The stream has exhausted the last possible ID, unable to add more items",
        ));
    }
    let id = adding
        .wanted
        .resolve(log.last_id, now_ms)
        .ok_or(Error::new(
            "ERR The ID specified in XADD is equal or smaller than the target stream top item",
        ))?;
    log.append(id, pairs, limits);
    if let Some((mark, name)) = mark {
        let marks = log.idempotence_mut();
        marks.add(mark.producer, name, id, now_ms);
    }
    let trim = adding.trimming.trim();
    let trimmed = trim.map_or(0, |trim| log.trim(&trim));
    let added = Added {
        id,
        is_known: false,
        trimmed,
        bound: adding.trimming.reached(log),
    };
    Ok((1, added))
}

fn xadd(ctx: &mut Ctx) -> Result {
    let adding = Adding::parse(ctx)?;
    let key = ctx.arg(1);
    let pairs = ctx.args.get(adding.id_at + 1..).unwrap_or(&[]);
    let now_ms = ctx.now_ms;
    let change = |stream: &mut Stream, limits: &Limits| add(stream, limits, &adding, pairs, now_ms);
    let added = if adding.makes_no_stream {
        match ctx.keys.edit(key, change)? {
            Some(edited) => edited.value,
            None => {
                ctx.reply.nil();
                return Ok(Outcome::Done);
            }
        }
    } else {
        ctx.keys.edit_or_new(key, change)?.value
    };
    reply_id(ctx.reply, added.id);
    if added.is_known {
        return Ok(Outcome::Done);
    }
    ctx.keys.wake(key);
    ctx.keys.notify(Class::STREAM, "xadd", key);
    if added.trimmed > 0 {
        ctx.keys.notify(Class::STREAM, "xtrim", key);
    }
    if ctx.keys.is_logging() {
        log_added(ctx, &adding, &added);
    }
    Ok(Outcome::Done)
}

/// An entry is logged with its id, and its mark by itself, which is taken only with an id that is not known yet.
fn log_added(ctx: &mut Ctx, adding: &Adding, added: &Added) {
    let id = added.id.text();
    let mut logged = ctx.args.to_vec();
    adding.trimming.log(&mut logged, &added.bound);
    if let Some(place) = logged.get_mut(adding.id_at)
        && !matches!(adding.wanted, Wanted::Is(_))
    {
        *place = &id;
    }
    let Some(mark) = &adding.mark else {
        return ctx.propagate(&logged);
    };
    let name = mark.name(logged.get(adding.id_at + 1..).unwrap_or(&[]));
    logged.drain(mark.at..mark.at + mark.arguments());
    ctx.propagate(&logged);
    ctx.propagate(&[b"XIDMPRECORD", ctx.arg(1), mark.producer, &name, &id]);
}

fn xsetid(ctx: &mut Ctx) -> Result {
    let id = super::id(ctx.arg(2), 0)?;
    let (mut added, mut max_deleted) = (None, None);
    let options = &mut ctx.options(3);
    while !options.is_done() {
        if options.left() > 1 && options.take("ENTRIESADDED") {
            let count = options.integer()?;
            added = Some(
                u64::try_from(count)
                    .map_err(|_| Error::new("ERR entries_added must be positive"))?,
            );
        } else if options.left() > 1 && options.take("MAXDELETEDID") {
            let deleted = super::id(options.value()?, 0)?;
            if id < deleted {
                return Err(Error::new(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                ));
            }
            max_deleted = Some(deleted);
        } else {
            return Err(Error::SYNTAX);
        }
    }
    let key = ctx.arg(1);
    let edited = ctx.keys.edit(key, |stream: &mut Stream, _| {
        if id < stream.max_deleted_id {
            return Err(Error::new(
                "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
            ));
        }
        if !stream.is_empty() {
            if id < stream.last_live_id() {
                return Err(Error::new(
                    "ERR The ID specified in XSETID is smaller than the target stream top item",
                ));
            }
            if added.is_some_and(|added| added < stream.len()) {
                return Err(Error::new(
                    "ERR The entries_added specified in XSETID is smaller than the target stream length",
                ));
            }
        }
        stream.last_id = id;
        stream.entries_added = added.unwrap_or(stream.entries_added);
        stream.max_deleted_id = max_deleted
            .filter(|deleted| *deleted != Id::MIN)
            .unwrap_or(stream.max_deleted_id);
        Ok((0, ()))
    })?;
    if edited.is_none() {
        return Err(Error::NO_SUCH_KEY);
    }
    ctx.keys.dirty += 1;
    ctx.reply.ok();
    ctx.keys.notify(Class::STREAM, "xsetid", key);
    Ok(Outcome::Done)
}

fn xcfgset(ctx: &mut Ctx) -> Result {
    let mut durations: [Option<i64>; 2] = [None; 2];
    let options = &mut ctx.options(2);
    while !options.is_done() {
        let at = if options.left() > 1 && options.take("IDMP-DURATION") {
            0
        } else if options.left() > 1 && options.take("IDMP-MAXSIZE") {
            1
        } else {
            return Err(Error::SYNTAX);
        };
        let value = options.integer()?;
        let (most, message) = match at {
            0 => (
                86_400,
                "ERR IDMP-DURATION must be between 1 and 86400 seconds",
            ),
            _ => (
                10_000,
                "ERR IDMP-MAXSIZE must be between 1 and 10000 entries",
            ),
        };
        if !(1..=most).contains(&value) {
            return Err(Error::new(message));
        }
        if let Some(place) = durations.get_mut(at) {
            *place = Some(value);
        }
    }
    if durations == [None; 2] {
        return Err(Error::new("ERR At least one parameter must be specified"));
    }
    let key = ctx.arg(1);
    let [duration, size] = durations.map(|value| value.map(|value| value as u32));
    let edited = ctx.keys.edit(key, |stream: &mut Stream, _| {
        let marks = stream.idempotence_mut();
        let before = (marks.duration_s, marks.max_size);
        marks.duration_s = duration.unwrap_or(before.0);
        marks.max_size = size.unwrap_or(before.1);
        if before != (marks.duration_s, marks.max_size) {
            marks.clear();
        }
        Ok((1, ()))
    })?;
    if edited.is_none() {
        return Err(Error::NO_SUCH_KEY);
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn xidmprecord(ctx: &mut Ctx) -> Result {
    let (key, producer, mark) = (ctx.arg(1), ctx.arg(2), ctx.arg(3));
    let id = super::id(ctx.arg(4), 0)?;
    if producer.is_empty() || mark.is_empty() {
        return Err(Error::new(
            "ERR The producer ID and the idempotent ID must not be empty",
        ));
    }
    let now_ms = ctx.now_ms;
    let edited = ctx.keys.edit(key, |stream: &mut Stream, _| {
        if stream.get(id).is_none() {
            return Err(Error::new(
                "ERR The specified stream ID was deleted or doesn't exist",
            ));
        }
        let marks = stream.idempotence_mut();
        match marks.get(producer, mark) {
            Some(known) if known == id => Ok((0, ())),
            Some(_) => Err(Error::new(
                "ERR The specified IDMP producer-id/idempotent-id pair maps to a different stream ID",
            )),
            None => {
                marks.add(producer, mark, id, now_ms);
                Ok((1, ()))
            }
        }
    })?;
    if edited.is_none() {
        return Err(Error::NO_SUCH_KEY);
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}
