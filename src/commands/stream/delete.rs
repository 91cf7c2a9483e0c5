//! Deleting entries: one by one, or from the front.

use super::{Parsed, id};
use crate::algorithms::num;
use crate::keyspace::Class;
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Options, Outcome, Result, args,
    block, flag, integer, key, oneof, prose, string, token,
};
use crate::values::stream::{Bound, Id, Log, References, Trim};
use crate::values::{Entry, Stream};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "xdel", arity: -3, group: Group::Stream, since: "5.0.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::STREAM,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::DELETE)],
        args: args![key("key"), string("id").multiple()],
        reply: "int",
        doc: prose!("Deletes entries of a stream; how many there were.", "O(log N) for each entry"),
        run: xdel, ..BASE
    },
    Command {
        name: "xdelex", arity: -5, group: Group::Stream, since: "8.2.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::STREAM,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::DELETE)],
        args: args![
            key("key"),
            oneof("condition", args![flag("KEEPREF"), flag("DELREF"), flag("ACKED")]).optional(),
            block("ids", args![integer("numids"), string("id").multiple()]).token("IDS"),
        ],
        reply: "[int]",
        doc: prose!("Deletes entries of a stream, with or without what groups still hold of them.", "O(log N) for each entry and group"),
        run: xdelex, ..BASE
    },
    Command {
        name: "xackdel", arity: -6, group: Group::Stream, since: "8.2.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::STREAM,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE | KeyFlags::DELETE)],
        args: args![
            key("key"), string("group"),
            oneof("condition", args![flag("KEEPREF"), flag("DELREF"), flag("ACKED")]).optional(),
            block("ids", args![integer("numids"), string("id").multiple()]).token("IDS"),
        ],
        reply: "[int]",
        doc: prose!("Acknowledges entries for a group and deletes them.", "O(log N) for each entry and group"),
        run: xackdel, ..BASE
    },
    Command {
        name: "xtrim", arity: -4, group: Group::Stream, since: "5.0.0",
        flags: Flags::WRITE,
        acl: Acl::STREAM,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::DELETE)],
        args: args![
            key("key"),
            block("trim", args![
                oneof("strategy", args![flag("MAXLEN"), flag("MINID").since("6.2.0")]),
                oneof("operator", args![token("equal", "="), token("approximately", "~")]).optional(),
                string("threshold"),
                integer("count").token("LIMIT").optional().since("6.2.0"),
                oneof("condition", args![flag("KEEPREF"), flag("DELREF"), flag("ACKED")]).optional(),
            ]),
        ],
        tips: &["nondeterministic_output"],
        reply: "int",
        doc: prose!("Deletes entries from the front of a stream; how many.", "O(N), N the entries deleted"),
        run: xtrim, ..BASE
    },
];

/// Takes KEEPREF, DELREF or ACKED, once.
pub(super) fn take_references(options: &mut Options, references: &mut Option<References>) -> bool {
    let words = [
        ("KEEPREF", References::Keep),
        ("DELREF", References::Delete),
        ("ACKED", References::Respect),
    ];
    if references.is_some() {
        return false;
    }
    *references = words
        .into_iter()
        .find_map(|(word, references)| options.take(word).then_some(references));
    references.is_some()
}

/// The trimming options of XADD and XTRIM.
#[derive(Debug, Clone, Default)]
pub(super) struct Trimming {
    bound: Option<Bound>,
    /// Where the bound stands among the arguments.
    bound_at: usize,
    is_approximate: bool,
    limit: Option<u64>,
    pub(super) references: Option<References>,
}

impl Trimming {
    /// Takes the next option if it is about trimming.
    pub(super) fn take(&mut self, options: &mut Options) -> Parsed<bool> {
        if options.left() < 2 {
            return Ok(false);
        }
        let is_length = options.take("MAXLEN");
        if is_length || options.take("MINID") {
            if self.bound.is_some() {
                return Err(Error::new(
                    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
                ));
            }
            self.is_approximate = options.left() > 1 && options.take("~");
            if !self.is_approximate && options.left() > 1 {
                options.take("=");
            }
            self.bound_at = Options::position(options);
            self.bound = Some(if is_length {
                let length = options.integer()?;
                let length = u64::try_from(length);
                Bound::Length(
                    length.map_err(|_| Error::new("ERR The MAXLEN argument must be >= 0."))?,
                )
            } else {
                Bound::Id(id(options.value()?, 0)?)
            });
            return Ok(true);
        }
        if options.take("LIMIT") {
            let limit = u64::try_from(options.integer()?);
            self.limit =
                Some(limit.map_err(|_| Error::new("ERR The LIMIT argument must be >= 0."))?);
            return Ok(true);
        }
        Ok(false)
    }

    /// Checks what can only be checked when all options are known, and sets the limit of approximate trimming.
    pub(super) fn finish(&mut self, ctx: &Ctx) -> Parsed<()> {
        if self.limit.is_some_and(|limit| limit > 0) && self.bound.is_none() {
            return Err(Error::new(
                "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
            ));
        }
        if self.bound.is_none() && ctx.row.name == "xtrim" {
            return Err(Error::new(
                "ERR syntax error, XTRIM must be called with a trimming strategy",
            ));
        }
        if self.limit.is_some() && !self.is_approximate {
            return Err(Error::new(
                "ERR syntax error, LIMIT cannot be used without the special ~ option",
            ));
        }
        if self.is_approximate && self.limit.is_none() {
            let entries = ctx.keys.limits.stream_node_max_entries as u64;
            self.limit = Some(match entries.saturating_mul(100) {
                0 => 10_000,
                limit => limit.min(1_000_000),
            });
        }
        Ok(())
    }

    /// What to trim, if anything.
    pub(super) fn trim(&self) -> Option<Trim> {
        Some(Trim {
            bound: self.bound?,
            is_approximate: self.is_approximate,
            limit: self.limit.unwrap_or(0),
            references: self.references.unwrap_or_default(),
        })
    }

    /// How far an approximate trim came, as an exact bound; empty for an exact one.
    pub(super) fn reached(&self, log: &Log) -> Vec<u8> {
        match self.bound {
            Some(Bound::Length(_)) if self.is_approximate => {
                num::format_u64(log.len()).as_bytes().to_vec()
            }
            Some(Bound::Id(_)) if self.is_approximate => {
                log.first_kept_id().unwrap_or(Id::MAX).text().to_vec()
            }
            _ => Vec::new(),
        }
    }

    /// Puts an exact bound into the arguments to be logged where there was an approximate one.
    pub(super) fn log<'a>(&self, logged: &mut [&'a [u8]], reached: &'a [u8]) {
        if self.is_approximate
            && let Some([operator, bound]) = self
                .bound_at
                .checked_sub(1)
                .and_then(|at| logged.get_mut(at..at + 2))
        {
            *operator = b"=";
            *bound = reached;
        }
    }
}

fn xtrim(ctx: &mut Ctx) -> Result {
    let mut trimming = Trimming::default();
    let options = &mut ctx.options(2);
    while !options.is_done() {
        if !trimming.take(options)? && !take_references(options, &mut trimming.references) {
            return Err(Error::SYNTAX);
        }
    }
    trimming.finish(ctx)?;
    let key = ctx.arg(1);
    let trim = trimming.trim();
    let edited = ctx.keys.edit(key, |stream: &mut Stream, _| {
        let trimmed = trim.map_or(0, |trim| stream.trim(&trim));
        Ok((trimmed, (trimmed, trimming.reached(stream))))
    })?;
    let (trimmed, reached) = edited.map_or((0, Vec::new()), |edited| edited.value);
    if trimmed > 0 {
        ctx.keys.notify(Class::STREAM, "xtrim", key);
        if trimming.is_approximate {
            let mut logged = ctx.args.to_vec();
            trimming.log(&mut logged, &reached);
            ctx.propagate(&logged);
        }
    }
    ctx.reply.int(trimmed as i64);
    Ok(Outcome::Done)
}

fn xdel(ctx: &mut Ctx) -> Result {
    let key = ctx.arg(1);
    let texts = ctx.args.get(2..).unwrap_or(&[]);
    let edited = ctx.keys.edit(key, |stream: &mut Stream, _| {
        let ids = parse_ids(texts)?;
        let mut deleted = 0;
        for id in ids {
            deleted += u64::from(delete_one(stream, id));
        }
        Ok((deleted, deleted))
    })?;
    let deleted = edited.map_or(0, |edited| edited.value);
    if deleted > 0 {
        ctx.keys.notify(Class::STREAM, "xdel", key);
    }
    ctx.reply.int(deleted as i64);
    Ok(Outcome::Done)
}

pub(super) fn parse_ids(texts: &[&[u8]]) -> Parsed<Vec<Id>> {
    texts.iter().map(|text| id(text, 0)).collect()
}

fn delete_one(log: &mut Log, id: Id) -> bool {
    let is_deleted = log.delete(id);
    if is_deleted {
        log.max_deleted_id = log.max_deleted_id.max(id);
    }
    is_deleted
}

/// The `count id ...` behind IDS.
pub(super) fn take_ids<'a>(options: &mut Options<'a>) -> Parsed<&'a [&'a [u8]]> {
    let count = options.integer().ok().filter(|count| *count > 0);
    let count = count.ok_or(Error::new("ERR Number of IDs must be a positive integer"))?;
    let ids = num::count_of(count)
        .and_then(|count| options.rest().get(..count))
        .ok_or(Error::new(
            "ERR The `numids` parameter must match the number of arguments",
        ))?;
    for _ in ids {
        options.value()?;
    }
    Ok(ids)
}

/// KEEPREF, DELREF or ACKED, and `IDS count id ...`, from the argument at `at` on.
struct Chosen<'a> {
    references: References,
    ids: &'a [&'a [u8]],
}

impl<'a> Chosen<'a> {
    fn parse(ctx: &Ctx<'a>, at: usize) -> Parsed<Chosen<'a>> {
        let mut references = None;
        let mut ids: &[&[u8]] = &[];
        let options = &mut ctx.options(at);
        while !options.is_done() {
            if options.left() > 1 && options.take("IDS") {
                ids = take_ids(options)?;
            } else if !take_references(options, &mut references) {
                return Err(Error::SYNTAX);
            }
        }
        if ids.is_empty() {
            return Err(Error::SYNTAX);
        }
        Ok(Chosen {
            references: references.unwrap_or_default(),
            ids,
        })
    }
}

/// No such entry.
const MISSING: i64 = -1;
const DELETED: i64 = 1;
/// Groups still refer to it.
const KEPT: i64 = 2;

fn delete_with(log: &mut Log, id: Id, references: References) -> i64 {
    match references {
        References::Respect if log.is_referenced(id) => return KEPT,
        References::Delete => log.unreference(id),
        _ => {}
    }
    if delete_one(log, id) {
        DELETED
    } else {
        MISSING
    }
}

fn xdelex(ctx: &mut Ctx) -> Result {
    delete_chosen(ctx, None)
}

fn xackdel(ctx: &mut Ctx) -> Result {
    delete_chosen(ctx, Some(ctx.arg(2)))
}

fn delete_chosen(ctx: &mut Ctx, group: Option<&[u8]>) -> Result {
    let key = ctx.arg(1);
    if group.is_some() {
        ctx.keys.read_value(key, Entry::stream)?;
    } else {
        ctx.keys.exists_for_write(key);
        ctx.keys.peek_value(key, Entry::stream)?;
    }
    let chosen = Chosen::parse(ctx, if group.is_some() { 3 } else { 2 })?;
    let mut results = vec![MISSING; chosen.ids.len()];
    let (mut deleted, mut acknowledged) = (0, 0);
    ctx.keys.edit(key, |stream: &mut Stream, _| {
        let at = group.map(|name| stream.find_group(name));
        if matches!(at, Some(Err(_))) {
            return Ok((0, ()));
        }
        let ids = parse_ids(chosen.ids)?;
        for (id, result) in ids.into_iter().zip(&mut results) {
            if let Some(Ok(at)) = at {
                if stream.edit_group(at, |group| group.acknowledge(id)) != Some(true) {
                    continue;
                }
                acknowledged += 1;
            }
            *result = delete_with(stream, id, chosen.references);
            deleted += u64::from(*result == DELETED);
            // What was acknowledged counts as deleted, even if the entry was gone.
            if at.is_some() && *result == MISSING {
                *result = DELETED;
            }
        }
        Ok((deleted, ()))
    })?;
    if group.is_some() {
        ctx.keys.dirty = ctx.keys.dirty + acknowledged - deleted;
    }
    if deleted > 0 {
        ctx.keys.notify(Class::STREAM, "xdel", key);
    }
    ctx.reply.array(results.len());
    for result in results {
        ctx.reply.int(result);
    }
    Ok(Outcome::Done)
}
