//! Reading what is new: by ids, or as a consumer of a group; waiting for it.

use super::group::no_group;
use super::pending::Acting;
use super::{Parsed, id, reply_entry, reply_fields, reply_id};
use crate::algorithms::num;
use crate::keyspace::Class;
use crate::resp::{Error, Reply};
use crate::state::Block;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group as CommandGroup, KeyFlags, KeySpec, Options, Outcome,
    Result, args, block, flag, integer, key, prose, string,
};
use crate::values::stream::{Id, Log, Pending};
use crate::values::{Entry, Stream};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "xread", arity: -4, group: CommandGroup::Stream, since: "5.0.0",
        flags: Flags::READONLY | Flags::BLOCKING | Flags::MOVABLEKEYS,
        acl: Acl::STREAM,
        keys: &[KeySpec::keyword("STREAMS", 1).range(-1, 1, 2).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            integer("count").token("COUNT").optional(),
            integer("maxcount").token("MAXCOUNT").optional().since("8.10.0"),
            integer("maxsize").token("MAXSIZE").optional().since("8.10.0"),
            integer("milliseconds").token("BLOCK").optional(),
            block("streams", args![key("key").multiple(), string("id").multiple()]).token("STREAMS"),
        ],
        reply: "any",
        doc: prose!("The entries of streams behind certain ids; waits for some if there are none.", "O(log N + M) for each stream, M the entries returned"),
        run: xread, ..BASE
    },
    Command {
        name: "xreadgroup", arity: -7, group: CommandGroup::Stream, since: "5.0.0",
        flags: Flags::WRITE | Flags::BLOCKING | Flags::MOVABLEKEYS,
        acl: Acl::STREAM,
        keys: &[KeySpec::keyword("STREAMS", 4).range(-1, 1, 2).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![
            block("group-block", args![string("group"), string("consumer")]).token("GROUP"),
            integer("count").token("COUNT").optional(),
            integer("maxcount").token("MAXCOUNT").optional().since("8.10.0"),
            integer("maxsize").token("MAXSIZE").optional().since("8.10.0"),
            integer("milliseconds").token("BLOCK").optional(),
            integer("min-idle-time").token("CLAIM").optional().since("8.4.0"),
            flag("NOACK").optional(),
            block("streams", args![key("key").multiple(), string("id").multiple()]).token("STREAMS"),
        ],
        reply: "any",
        doc: prose!("New entries for a consumer of a group, or those it has not acknowledged.", "O(log N + M) for each stream, M the entries returned"),
        run: xreadgroup, ..BASE
    },
];

/// The options of XREAD and XREADGROUP.
struct Reading<'a> {
    /// Group and consumer.
    group: Option<(&'a [u8], &'a [u8])>,
    /// Entries of each stream.
    count: usize,
    /// What may still be replied, over all streams.
    budget: Budget,
    /// When to stop waiting; None for a reply at once.
    deadline_ms: Option<Option<i64>>,
    is_noack: bool,
    /// Take over what has been pending for so long.
    claims_idle_ms: Option<i64>,
    keys: &'a [&'a [u8]],
    ids: &'a [&'a [u8]],
}

/// MAXCOUNT and MAXSIZE.
#[derive(Clone, Copy)]
struct Budget {
    entries: usize,
    /// The length of the reply at which no further entry is begun.
    end_bytes: usize,
    is_untouched: bool,
}

impl Budget {
    /// Whether there is room for another entry; the first always fits.
    fn allows(&self, reply: &Reply) -> bool {
        self.entries > 0 && (self.is_untouched || reply.text().len() < self.end_bytes)
    }

    fn spend(&mut self) {
        self.entries -= 1;
        self.is_untouched = false;
    }
}

/// Which entries of a stream are wanted.
#[derive(Clone, Copy)]
enum From {
    After(Id),
    /// What the group has not read yet.
    New,
}

fn no_limit(count: i64) -> usize {
    match usize::try_from(count) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(count) => count,
    }
}

fn positive(options: &mut Options, message: &'static str) -> Parsed<usize> {
    let value = num::count_of(options.integer()?);
    value.filter(|value| *value > 0).ok_or(Error::new(message))
}

impl<'a> Reading<'a> {
    fn parse(ctx: &Ctx<'a>, takes_group: bool) -> Parsed<Reading<'a>> {
        let mut reading = Reading {
            group: None,
            count: usize::MAX,
            budget: Budget {
                entries: usize::MAX,
                end_bytes: usize::MAX,
                is_untouched: true,
            },
            deadline_ms: None,
            is_noack: false,
            claims_idle_ms: None,
            keys: &[],
            ids: &[],
        };
        let options = &mut ctx.options(1);
        loop {
            let left = options.left();
            if left == 0 {
                return Err(Error::SYNTAX);
            } else if left > 1 && options.take("STREAMS") {
                break;
            } else if options.take("NOACK") {
                if !takes_group {
                    return Err(Error::new(
                        "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.",
                    ));
                }
                reading.is_noack = true;
            } else if left > 1 {
                reading.option(ctx, options, takes_group)?;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        let rest = options.rest();
        if rest.len() % 2 == 1 {
            return Err(Error::new(if takes_group {
                "ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified."
            } else {
                "ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified."
            }));
        }
        if takes_group && reading.group.is_none() {
            return Err(Error::new("ERR Missing GROUP option for XREADGROUP"));
        }
        if reading.count != usize::MAX && reading.budget.entries < reading.count {
            return Err(Error::new("ERR MAXCOUNT must not be less than COUNT"));
        }
        (reading.keys, reading.ids) = rest.split_at(rest.len() / 2);
        Ok(reading)
    }

    /// An option with a value.
    fn option(
        &mut self,
        ctx: &Ctx<'a>,
        options: &mut Options<'a>,
        takes_group: bool,
    ) -> Parsed<()> {
        if options.take("BLOCK") {
            self.deadline_ms = Some(ctx.deadline_from_ms(options.value()?)?);
        } else if options.take("COUNT") {
            self.count = no_limit(options.integer()?);
        } else if options.left() > 2 && options.take("GROUP") {
            if !takes_group {
                return Err(Error::new(
                    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.",
                ));
            }
            self.group = Some((options.value()?, options.value()?));
        } else if options.take("MAXCOUNT") {
            self.budget.entries = positive(options, "ERR MAXCOUNT must be a positive integer")?;
        } else if options.take("MAXSIZE") {
            let bytes = positive(options, "ERR MAXSIZE must be a positive integer")?;
            self.budget.end_bytes = ctx.reply.text().len().saturating_add(bytes);
        } else if takes_group && options.take("CLAIM") {
            let idle_ms = options.integer()?;
            if idle_ms < 0 {
                return Err(Error::new("ERR min-idle-time must be a positive integer"));
            }
            self.claims_idle_ms = Some(idle_ms);
        } else {
            return Err(Error::SYNTAX);
        }
        Ok(())
    }

    /// Where each stream is to be read, all keys, groups and ids being looked at first.
    fn positions(&self, ctx: &mut Ctx) -> Parsed<Vec<From>> {
        let mut positions = Vec::with_capacity(self.keys.len());
        for (key, text) in self.keys.iter().zip(self.ids) {
            let stream = ctx.keys.read_value(key, Entry::stream)?;
            let position = match self.group {
                Some((group, _)) => {
                    if stream.is_none_or(|stream| stream.group(group).is_none()) {
                        return Err(no_group(&[
                            b"key '",
                            key,
                            b"' or consumer group '",
                            group,
                            b"' in XREADGROUP with GROUP option",
                        ]));
                    }
                    match *text {
                        b">" => From::New,
                        b"$" | b"+" => return Err(meaningless(text)),
                        text => match id(text, 0)? {
                            // What `>` is to Redis itself.
                            Id::MAX => From::New,
                            after => From::After(after),
                        },
                    }
                }
                None => From::After(match *text {
                    b"$" => stream.map_or(Id::MIN, |stream| stream.last_id),
                    b"+" => {
                        let last = stream.map_or(Id::MIN, |stream| stream.last_live_id());
                        last.prev().unwrap_or(Id::MIN)
                    }
                    b">" => {
                        return Err(Error::new(
                            "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.",
                        ));
                    }
                    text => id(text, 0)?,
                }),
            };
            positions.push(position);
        }
        Ok(positions)
    }

    /// Waits, if that is wanted, for one of the streams. The id `$` becomes the one it stands for now.
    fn wait(&self, ctx: &mut Ctx, positions: &[From]) -> Result {
        let Some(deadline_ms) = self.deadline_ms else {
            ctx.reply.nil_array();
            return Ok(Outcome::Done);
        };
        let keys = self.keys.iter().map(|key| key.to_vec()).collect();
        let mut wait = Block::on_keys(keys, deadline_ms);
        wait.wakes_on_deletion = self.group.is_some();
        if self.ids.contains(&b"$".as_slice()) {
            let mut kept: Vec<Vec<u8>> = ctx.args.iter().map(|arg| arg.to_vec()).collect();
            let first = kept.len() - self.ids.len();
            for ((arg, text), position) in kept.iter_mut().skip(first).zip(self.ids).zip(positions)
            {
                if let (b"$", From::After(id)) = (*text, position) {
                    *arg = id.text().to_vec();
                }
            }
            wait.args = Some(kept);
        }
        Ok(Outcome::Block(Box::new(wait)))
    }
}

fn meaningless(id: &[u8]) -> Error {
    let parts: [&[u8]; 5] = [
        b"ERR The ",
        id,
        b" ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The ",
        id,
        b" ID would just return an empty result set.",
    ];
    Error::concat(&parts)
}

/// Writes the name of a stream, its entries to follow.
fn begin_stream(reply: &mut Reply, key: &[u8]) {
    if !reply.is_resp3() {
        reply.array(2);
    }
    reply.bulk(key);
}

fn xread(ctx: &mut Ctx) -> Result {
    let mut reading = Reading::parse(ctx, false)?;
    let positions = reading.positions(ctx)?;
    let outer = ctx.reply.mark();
    let mut served = 0;
    for (key, position) in reading.keys.iter().zip(&positions) {
        let (Some(stream), From::After(after)) =
            (ctx.keys.read_value(key, Entry::stream)?, position)
        else {
            continue;
        };
        let from = after.next().filter(|from| *from <= stream.last_live_id());
        let Some(from) = from.filter(|_| reading.budget.allows(ctx.reply)) else {
            continue;
        };
        served += 1;
        begin_stream(ctx.reply, key);
        let inner = ctx.reply.mark();
        let mut count = 0;
        for entry in stream.range(from, Id::MAX, false).take(reading.count) {
            if !reading.budget.allows(ctx.reply) {
                break;
            }
            reading.budget.spend();
            reply_entry(ctx.reply, &entry);
            count += 1;
        }
        ctx.reply.close_array(inner, count);
    }
    if served == 0 {
        return reading.wait(ctx, &positions);
    }
    close(ctx.reply, outer, served);
    Ok(Outcome::Done)
}

fn close(reply: &mut Reply, mark: crate::resp::Mark, served: usize) {
    if reply.is_resp3() {
        reply.close_map(mark, served);
    } else {
        reply.close_array(mark, served);
    }
}

fn xreadgroup(ctx: &mut Ctx) -> Result {
    let mut reading = Reading::parse(ctx, true)?;
    let positions = reading.positions(ctx)?;
    let outer = ctx.reply.mark();
    let (group, consumer) = reading.group.unwrap_or_default();
    let mut served = 0;
    for (key, position) in reading.keys.iter().zip(&positions) {
        // The second look at the key, as in Redis.
        ctx.keys.read_value(key, Entry::stream)?;
        let mut acting = Acting::new(ctx, key, group, consumer);
        let reply = &mut *ctx.reply;
        let edited = ctx.keys.edit(key, |stream: &mut Stream, _| {
            let Ok(at) = stream.find_group(group) else {
                return Ok((0, false));
            };
            acting.appear(stream, at);
            if acting.is_new && reading.is_noack {
                acting.log_creation();
            }
            let mut serving = Serving {
                log: stream,
                at,
                acting: &mut acting,
                reading: &mut reading,
                reply,
            };
            Ok((0, serving.serve(key, *position)))
        })?;
        served += usize::from(edited.is_some_and(|edited| edited.value));
        acting.finish(ctx);
    }
    if served == 0 {
        return reading.wait(ctx, &positions);
    }
    close(ctx.reply, outer, served);
    Ok(Outcome::Done)
}

/// A consumer being served from one stream.
struct Serving<'s, 'a> {
    log: &'s mut Log,
    /// The group's place.
    at: usize,
    acting: &'s mut Acting<'a>,
    reading: &'s mut Reading<'a>,
    reply: &'s mut Reply,
}

impl Serving<'_, '_> {
    /// Whether there was anything.
    fn serve(&mut self, key: &[u8], from: From) -> bool {
        let (last, live) = match self.log.groups().get(self.at) {
            Some(group) => (group.last_id, self.log.last_live_id()),
            None => return false,
        };
        if !self.reading.budget.allows(self.reply) {
            return false;
        }
        let claimable = match (from, self.reading.claims_idle_ms) {
            (From::New, Some(idle_ms)) => self.claimable(idle_ms),
            _ => Vec::new(),
        };
        let has_new = !self.log.is_empty() && live > last;
        if matches!(from, From::New) && !has_new && claimable.is_empty() {
            return false;
        }
        begin_stream(self.reply, key);
        let mark = self.reply.mark();
        let count = match from {
            From::After(after) => self.history(after),
            From::New => {
                self.acting.changes += 1;
                let claimed = self.claim(&claimable);
                claimed + self.read_new(last, claimed)
            }
        };
        self.reply.close_array(mark, count);
        true
    }

    /// What the consumer has not acknowledged, behind an id.
    fn history(&mut self, after: Id) -> usize {
        let ids: Vec<Id> = {
            let group = self.log.groups().get(self.at);
            let consumer = group.and_then(|group| group.consumer(self.acting.number));
            let (Some(consumer), Some(from)) = (consumer, after.next()) else {
                return 0;
            };
            let pending = consumer.pending();
            let mut ids = Vec::new();
            let mut place = pending.seek(from);
            while let Some(id) = pending
                .get(place)
                .filter(|_| ids.len() < self.reading.count)
            {
                ids.push(*id);
                place = pending.next(place);
            }
            ids
        };
        let mut count = 0;
        for id in ids {
            if !self.reading.budget.allows(self.reply) {
                break;
            }
            self.reading.budget.spend();
            count += 1;
            match self.log.get(id) {
                Some(entry) => {
                    reply_entry(self.reply, &entry);
                    let now_ms = self.acting.now_ms;
                    self.log.edit_group(self.at, |group| {
                        if let Some(pending) = group.pending(id).copied() {
                            group.deliver(Pending {
                                delivered_ms: now_ms,
                                count: pending.count.wrapping_add(1),
                                ..pending
                            });
                        }
                    });
                }
                None => {
                    self.reply.array(2);
                    reply_id(self.reply, id);
                    self.reply.nil_array();
                }
            }
        }
        count
    }

    /// What has been pending long enough to be taken over, longest first, and is still there.
    fn claimable(&self, idle_ms: i64) -> Vec<Pending> {
        let Some(group) = self.log.groups().get(self.at) else {
            return Vec::new();
        };
        let now_ms = self.acting.now_ms;
        let is_idle = |pending: &&Pending| {
            now_ms.saturating_sub(pending.delivered_ms) >= idle_ms
                && self.log.get(pending.id).is_some()
        };
        let idle: Vec<Pending> = group
            .all_pending()
            .iter()
            .filter(is_idle)
            .copied()
            .collect();
        let mut compare = |one: usize, other: usize| {
            let time = |at: usize| idle.get(at).map(|pending| pending.delivered_ms);
            time(one).cmp(&time(other))
        };
        let order = crate::algorithms::order::order(idle.len(), &mut compare);
        let taken = order.into_iter().take(self.reading.count);
        taken.filter_map(|at| idle.get(at).copied()).collect()
    }

    fn claim(&mut self, claimable: &[Pending]) -> usize {
        let mut count = 0;
        for old in claimable {
            let Some(entry) = self
                .log
                .get(old.id)
                .filter(|_| self.reading.budget.allows(self.reply))
            else {
                break;
            };
            self.reading.budget.spend();
            count += 1;
            self.reply.array(4);
            reply_fields(self.reply, &entry);
            let idle_ms = self.acting.now_ms - old.delivered_ms;
            self.reply.int(idle_ms.max(0));
            self.reply.int(old.count as i64);
            let pending = Pending {
                delivered_ms: self.acting.now_ms,
                count: old.count.saturating_add(1),
                ..*old
            };
            self.acting.take(self.log, self.at, pending);
        }
        count
    }

    /// What nobody of the group has read yet.
    fn read_new(&mut self, last: Id, claimed: usize) -> usize {
        let mut ids = Vec::new();
        let from = last.next().unwrap_or(Id::MAX);
        let wanted = self.reading.count - claimed;
        for entry in self.log.range(from, Id::MAX, false).take(wanted) {
            if !self.reading.budget.allows(self.reply) {
                break;
            }
            self.reading.budget.spend();
            ids.push(entry.id);
            if self.reading.claims_idle_ms.is_some() {
                self.reply.array(4);
                reply_fields(self.reply, &entry);
                self.reply.int(0);
                self.reply.int(0);
            } else {
                reply_entry(self.reply, &entry);
            }
        }
        for id in &ids {
            self.log.advance(self.at, *id);
            if !self.reading.is_noack {
                let pending = Pending {
                    id: *id,
                    delivered_ms: self.acting.now_ms,
                    count: 1,
                    owner: self.acting.number,
                };
                self.acting.take(self.log, self.at, pending);
            }
        }
        if !ids.is_empty() {
            self.acting.log_position(self.log, self.at);
        }
        ids.len()
    }
}

impl Acting<'_> {
    /// Tells what happened: events, counts, what is to be logged.
    pub(super) fn finish(self, ctx: &mut Ctx) {
        if self.is_new {
            ctx.keys
                .notify(Class::STREAM, "xgroup-createconsumer", self.key);
        }
        ctx.keys.dirty += self.changes;
        if self.changes > 0 {
            ctx.propagate_nothing();
        }
        for command in &self.logged {
            let parts: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
            ctx.propagate(&parts);
        }
    }
}
