//! Fields and their times to live at once.

use super::expire::{log_expiry, tell_deleted};
use super::{BAD_COUNT, Moment, after_type, fields_at, propagate_fields};
use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;
use crate::keyspace::{Class, Gone};
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Options, Outcome, Result, args,
    block, flag, integer, key, oneof, prose, string, unix_time,
};
use crate::values::hash::Life;
use crate::values::{Entry, Hash, Limits};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "hgetex", arity: -5, group: Group::Hash, since: "8.0.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE).note("RW and UPDATE because it changes the TTL")],
        args: args![
            key("key"),
            oneof("expiration", args![
                integer("seconds").token("EX"), integer("milliseconds").token("PX"),
                unix_time("unix-time-seconds").token("EXAT"), unix_time("unix-time-milliseconds").token("PXAT"), flag("PERSIST"),
            ]).optional(),
            block("fields", args![integer("numfields"), string("field").multiple()]).token("FIELDS"),
        ],
        reply: "[bulk | nil]",
        doc: prose!("Returns the values of fields, and on request changes how long they live.", "O(N), N the number of fields given"),
        run: hgetex,
        ..BASE
    },
    Command {
        name: "hsetex", arity: -6, group: Group::Hash, since: "8.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![
            key("key"), oneof("condition", args![flag("FNX"), flag("FXX")]).optional(),
            oneof("expiration", args![
                integer("seconds").token("EX"), integer("milliseconds").token("PX"),
                unix_time("unix-time-seconds").token("EXAT"), unix_time("unix-time-milliseconds").token("PXAT"), flag("KEEPTTL"),
            ]).optional(),
            block("fields", args![integer("numfields"), block("data", args![string("field"), string("value")]).multiple()]).token("FIELDS"),
        ],
        reply: "int",
        doc: prose!("Sets fields, on request only if all or none of them are there, and how long they live.", "O(N), N the number of fields given"),
        run: hsetex,
        ..BASE
    },
    Command {
        name: "hgetdel", arity: -5, group: Group::Hash, since: "8.0.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::HASH,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
        args: args![key("key"), block("fields", args![integer("numfields"), string("field").multiple()]).token("FIELDS")],
        reply: "[bulk | nil]",
        doc: prose!("Returns the values of fields and deletes them.", "O(N), N the number of fields given"),
        run: hgetdel,
        ..BASE
    },
];

/// What HGETEX and HGETDEL do with a field they have read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Leave,
    Persist,
    Until(i64),
    Delete,
}

fn hgetex(ctx: &mut Ctx) -> Result {
    let asked = getex_request(ctx);
    let (fields, after) = after_type(ctx, asked)?;
    get_and_change(ctx, fields, after)
}

type Asked<'a> = core::result::Result<(&'a [&'a [u8]], After), Error>;

fn getex_request<'a>(ctx: &Ctx<'a>) -> Asked<'a> {
    let word = ctx.arg(2);
    let moment = Moment::OPTIONS
        .into_iter()
        .find(|(name, _)| word.is_word(name.as_bytes()));
    let (after, position) = match moment {
        Some((_, moment)) => (After::Until(moment.at_ms(ctx, ctx.arg(3))?), 4),
        None if word.is_word(b"PERSIST") => (After::Persist, 3),
        None => (After::Leave, 2),
    };
    if ctx.args.len() < position + 2 {
        return Err(Error::wrong_arity(b"hgetex"));
    }
    Ok((fields_at(ctx, position, BAD_COUNT)?, after))
}

fn hgetdel(ctx: &mut Ctx) -> Result {
    let asked = fields_at(ctx, 2, BAD_COUNT);
    let fields = after_type(ctx, asked)?;
    get_and_change(ctx, fields, After::Delete)
}

/// What was done to fields.
#[derive(Default)]
struct Changes<'a> {
    expired: Vec<Vec<u8>>,
    deleted: Vec<&'a [u8]>,
    count: u64,
}

fn get_and_change(ctx: &mut Ctx, fields: &[&[u8]], after: After) -> Result {
    let (key, now_ms) = (ctx.arg(1), ctx.keys.now_ms());
    let mut changes = Changes::default();
    let reply = &mut *ctx.reply;
    let edited = ctx.keys.edit(key, |hash: &mut Hash, limits| {
        reply.array(fields.len());
        if !matches!(after, After::Leave | After::Delete) {
            hash.allow_expiry(limits);
        }
        let before_ms = hash.view().deadline_ms();
        let mut earliest_ms = None;
        for field in fields {
            let Some(found) = hash.view().find(field) else {
                reply.nil();
                continue;
            };
            if found.is_due(now_ms) {
                reply.nil();
                hash.remove(field);
                changes.expired.push(field.owned());
                continue;
            }
            reply.bulk(&found.value.text());
            let old_ms = found.expiry_ms;
            change_field(hash, field, old_ms, after, now_ms, limits, &mut changes);
            if let After::Until(at_ms) = after {
                let set_ms = old_ms.unwrap_or(at_ms).min(at_ms);
                earliest_ms = Some(earliest_ms.unwrap_or(set_ms).min(set_ms));
            }
        }
        match after {
            After::Delete => hash.drop_deadline(),
            After::Until(_) => hash.move_deadline(before_ms, earliest_ms),
            After::Leave | After::Persist => {}
        }
        Ok((changes.count + changes.expired.len() as u64, ()))
    })?;
    match edited {
        Some(edited) => tell(ctx, fields, after, changes, edited.is_removed),
        None => {
            ctx.reply.array(fields.len());
            fields.iter().for_each(|_| ctx.reply.nil());
        }
    }
    Ok(Outcome::Done)
}

fn change_field<'a>(
    hash: &mut Hash,
    field: &'a [u8],
    old_ms: Option<i64>,
    after: After,
    now_ms: i64,
    limits: &Limits,
    changes: &mut Changes<'a>,
) {
    match after {
        After::Leave => return,
        After::Persist if old_ms.is_none() => return,
        After::Persist => {
            hash.set_expiry(field, None, limits);
        }
        After::Until(at_ms) if at_ms > now_ms => {
            hash.set_expiry(field, Some(at_ms), limits);
        }
        After::Until(_) | After::Delete => {
            hash.remove(field);
            changes.deleted.push(field);
        }
    }
    changes.count += 1;
}

/// Events and log of HGETEX and HGETDEL.
fn tell(ctx: &mut Ctx, fields: &[&[u8]], after: After, changes: Changes, is_removed: bool) {
    let key = ctx.arg(1);
    if !changes.expired.is_empty() {
        ctx.keys.note_expired_fields(key, changes.expired);
        ctx.keys.notify(Class::HASH, "hexpired", key);
    }
    if changes.count == 0 {
        ctx.propagate_nothing();
        if is_removed {
            ctx.keys.notify(Class::GENERIC, "del", key);
        }
        return;
    }
    match after {
        After::Until(at_ms) if at_ms > ctx.keys.now_ms() => {
            ctx.keys.notify(Class::HASH, "hexpire", key);
            log_expiry(ctx, at_ms, &[], fields);
        }
        After::Until(_) => tell_deleted(ctx, &changes.deleted, is_removed),
        After::Delete => {
            tell_deleted(ctx, &[], is_removed);
            propagate_fields(ctx, &[b"HDEL", key], fields);
        }
        After::Persist | After::Leave => {
            ctx.keys.notify(Class::HASH, "hpersist", key);
            let count = num::format_i64(fields.len() as i64);
            let head: [&[u8]; 4] = [b"HPERSIST", key, b"FIELDS", count.as_bytes()];
            propagate_fields(ctx, &head, fields);
        }
    }
}

/// On which fields HSETEX insists.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Insists {
    No,
    OnNone,
    OnAll,
}

/// What an HSETEX asks for.
struct Request<'a> {
    insists: Insists,
    life: Life,
    /// The place of a time among the arguments.
    time_at: Option<usize>,
    pairs: &'a [[&'a [u8]; 2]],
}

impl<'a> Request<'a> {
    fn parse(ctx: &Ctx<'a>) -> core::result::Result<Request<'a>, Error> {
        let mut request = Request {
            insists: Insists::No,
            life: Life::Clear,
            time_at: None,
            pairs: &[],
        };
        let options = &mut ctx.options(2);
        loop {
            if options.take("FIELDS") {
                request.pairs = pairs(options)?;
                return Ok(request);
            }
            let insists = if options.take("FNX") {
                Insists::OnNone
            } else if options.take("FXX") {
                Insists::OnAll
            } else {
                request.take_life(ctx, options)?;
                continue;
            };
            if request.insists != Insists::No {
                return Err(Error::new(
                    "ERR Only one of FXX or FNX arguments can be specified",
                ));
            }
            request.insists = insists;
        }
    }

    fn take_life(
        &mut self,
        ctx: &Ctx<'a>,
        options: &mut Options<'a>,
    ) -> core::result::Result<(), Error> {
        let moment = Moment::OPTIONS
            .into_iter()
            .find(|(name, _)| options.take(name));
        let keeps = moment.is_none() && options.take("KEEPTTL");
        if moment.is_none() && !keeps {
            let word = options.peek().unwrap_or(&[]);
            return Err(Error::concat(&[b"ERR unknown argument: ", word]));
        }
        if self.life != Life::Clear {
            return Err(Error::new(
                "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
            ));
        }
        self.life = match moment {
            Some((_, moment)) => {
                self.time_at = Some(Options::position(options));
                Life::Until(moment.at_ms(ctx, options.value()?)?)
            }
            None => Life::Keep,
        };
        Ok(())
    }
}

/// The fields and values that end an HSETEX, behind the word FIELDS.
fn pairs<'a>(options: &mut Options<'a>) -> core::result::Result<&'a [[&'a [u8]; 2]], Error> {
    let wrong_arity = || Error::wrong_arity(b"hsetex");
    if options.left() < 3 {
        return Err(wrong_arity());
    }
    let count = num::parse_i64(options.value()?)
        .and_then(|count| i32::try_from(count).ok())
        .filter(|count| *count > 0)
        .ok_or(Error::new("ERR invalid number of fields"))?;
    match options.rest().as_chunks() {
        (pairs, []) if pairs.len() == count as usize => Ok(pairs),
        _ => Err(wrong_arity()),
    }
}

fn hsetex(ctx: &mut Ctx) -> Result {
    let request = Request::parse(ctx)?;
    let key = ctx.arg(1);
    ctx.keys.meet(key);
    let (may_set, due) = insist(ctx, &request)?;
    if !may_set {
        if tell_due(ctx, &due) {
            ctx.propagate_nothing();
        }
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    }
    let until_ms = match request.life {
        Life::Until(at_ms) => Some(at_ms),
        Life::Clear | Life::Keep => None,
    };
    let is_over = until_ms.is_some_and(|at_ms| at_ms <= ctx.keys.now_ms());
    let edited = ctx.keys.edit_or_new(key, |hash: &mut Hash, limits| {
        for field in &due {
            hash.remove(field);
        }
        set_pairs(hash, &request, is_over, limits);
        Ok(((request.pairs.len() + due.len()) as u64, ()))
    })?;
    if !due.is_empty() {
        let due = due.iter().map(|field| field.owned()).collect();
        ctx.keys.note_expired_fields(key, due);
        ctx.keys.notify(Class::HASH, "hexpired", key);
    }
    let is_gone = is_over && ctx.keys.peek(key).is_none();
    if is_gone && !edited.is_removed {
        ctx.keys.came_and_went(key, request.pairs.len() as u64);
    }
    ctx.keys.notify(Class::HASH, "hset", key);
    if is_over {
        let fields: Vec<&[u8]> = request.pairs.iter().map(|[field, _]| *field).collect();
        tell_deleted(ctx, &fields, is_gone);
    } else if let (Some(at_ms), Some(time_at)) = (until_ms, request.time_at) {
        ctx.keys.notify(Class::HASH, "hexpire", key);
        let at = num::format_i64(at_ms);
        let mut logged = ctx.args.to_vec();
        if let Some([word, time]) = logged.get_mut(time_at - 1..=time_at) {
            (*word, *time) = (b"PXAT", at.as_bytes());
        }
        ctx.propagate(&logged);
    }
    ctx.reply.int(1);
    Ok(Outcome::Done)
}

/// Whether the fields are there, or not, as the request wants them; with the due ones that were looked at.
fn insist<'a>(
    ctx: &mut Ctx<'a>,
    request: &Request<'a>,
) -> core::result::Result<(bool, Vec<&'a [u8]>), Error> {
    let mut due = Vec::new();
    if request.insists == Insists::No {
        return Ok((true, due));
    }
    let now_ms = ctx.keys.now_ms();
    let Some(hash) = ctx.keys.peek_value(ctx.arg(1), Entry::hash)? else {
        return Ok((request.insists == Insists::OnNone, due));
    };
    for [field, _] in request.pairs {
        let found = hash.find(field);
        let is_due = found.is_some_and(|found| found.is_due(now_ms));
        if is_due && !due.contains(field) {
            due.push(*field);
        }
        if (found.is_some() && !is_due) != (request.insists == Insists::OnAll) {
            return Ok((false, due));
        }
    }
    Ok((true, due))
}

/// Deletes fields that were found due by a command that does nothing else; whether there were any.
fn tell_due(ctx: &mut Ctx, due: &[&[u8]]) -> bool {
    let key = ctx.arg(1);
    let mut last = None;
    for field in due {
        last = ctx.keys.expire_field(key, field).or(last);
    }
    if let Some(gone) = last {
        ctx.keys.notify_gone(key, gone);
    }
    last == Some(Gone::Field) || last == Some(Gone::Key)
}

/// Sets the fields, or deletes them when their time is over already.
fn set_pairs(hash: &mut Hash, request: &Request<'_>, is_over: bool, limits: &Limits) {
    if request.pairs.len() > limits.hash_max_listpack_entries {
        hash.make_table(limits);
    }
    let Life::Until(at_ms) = request.life else {
        for [field, value] in request.pairs {
            hash.set(field, value, request.life, limits);
        }
        return;
    };
    hash.allow_expiry(limits);
    let before_ms = hash.view().deadline_ms();
    let mut earliest_ms = at_ms;
    for [field, value] in request.pairs {
        let old_ms = hash.view().find(field).and_then(|found| found.expiry_ms);
        earliest_ms = earliest_ms.min(old_ms.unwrap_or(at_ms));
        hash.set(field, value, request.life, limits);
        // At once, so that it does not count beside the next.
        if is_over {
            hash.remove(field);
        }
    }
    hash.move_deadline(before_ms, Some(earliest_ms));
}
