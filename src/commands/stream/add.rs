//! Adding entries.

use super::delete::{Trimming, take_references};
use super::{BAD_ID, Parsed, reply_id};
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

/// The options of XADD.
struct Adding {
    makes_no_stream: bool,
    trimming: Trimming,
    wanted: Wanted,
    /// Where the id stands; the fields are behind it.
    id_at: usize,
}

impl Adding {
    fn parse(ctx: &Ctx) -> Parsed<Adding> {
        let mut trimming = Trimming::default();
        let mut makes_no_stream = false;
        let options = &mut ctx.options(2);
        let wanted = loop {
            match options.peek() {
                Some(b"*") | None => break Wanted::Now,
                Some(text) => {
                    if trimming.take(options)? {
                    } else if options.take("NOMKSTREAM") {
                        makes_no_stream = true;
                    } else if !take_references(options, &mut trimming.references) {
                        break Wanted::parse(text)?;
                    }
                }
            }
        };
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
        })
    }
}

/// What became of an XADD.
struct Added {
    id: Id,
    trimmed: u64,
    /// What the trim comes to, for the log.
    bound: Vec<u8>,
}

fn add(
    log: &mut Log,
    limits: &Limits,
    adding: &Adding,
    pairs: &[&[u8]],
    now_ms: i64,
) -> Parsed<Added> {
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
    let trim = adding.trimming.trim();
    let trimmed = trim.map_or(0, |trim| log.trim(&trim));
    Ok(Added {
        id,
        trimmed,
        bound: adding.trimming.reached(log),
    })
}

fn xadd(ctx: &mut Ctx) -> Result {
    let adding = Adding::parse(ctx)?;
    let key = ctx.arg(1);
    let pairs = ctx.args.get(adding.id_at + 1..).unwrap_or(&[]);
    let now_ms = ctx.now_ms;
    let change = |stream: &mut Stream, limits: &Limits| {
        Ok((1, add(stream, limits, &adding, pairs, now_ms)?))
    };
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
    ctx.keys.wake(key);
    reply_id(ctx.reply, added.id);
    ctx.keys.notify(Class::STREAM, "xadd", key);
    if added.trimmed > 0 {
        ctx.keys.notify(Class::STREAM, "xtrim", key);
    }
    if ctx.keys.is_logging() {
        let id = added.id.text();
        let mut logged = ctx.args.to_vec();
        adding.trimming.log(&mut logged, &added.bound);
        if let Some(place) = logged.get_mut(adding.id_at)
            && !matches!(adding.wanted, Wanted::Is(_))
        {
            *place = &id;
        }
        ctx.propagate(&logged);
    }
    Ok(Outcome::Done)
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
