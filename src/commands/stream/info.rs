//! XINFO: what there is to know about a stream, its groups and their consumers.

use super::{group::no_group, reply_entry, reply_id};
use crate::resp::{Error, Reply};
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group as CommandGroup, KeyFlags, KeySpec, Outcome, Result,
    args, block, flag, integer, key, prose, string,
};
use crate::values::Entry;
use crate::values::stream::{Consumer, Group, Id, Log, Pending};

const KEY: &[KeySpec] = &[KeySpec::index(2)
    .range(0, 1, 0)
    .flags(KeyFlags::RO | KeyFlags::ACCESS)];

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "xinfo", arity: -2, group: CommandGroup::Stream, since: "5.0.0",
        doc: prose!("What there is to know about a stream.", "Depends on the subcommand."),
        subs: &[
            Command {
                name: "stream", arity: -3, group: CommandGroup::Stream, since: "5.0.0",
                flags: Flags::READONLY, acl: Acl::STREAM, keys: KEY,
                args: args![
                    key("key"),
                    block("full-block", args![flag("FULL"), integer("count").token("COUNT").optional()]).optional(),
                ],
                reply: "map<bulk,any>",
                doc: prose!("About a stream, with FULL also about its groups.", "O(1), and the entries returned"),
                run: stream, ..BASE
            },
            Command {
                name: "groups", arity: 3, group: CommandGroup::Stream, since: "5.0.0",
                flags: Flags::READONLY, acl: Acl::STREAM, keys: KEY,
                args: args![key("key")],
                reply: "[map<bulk,any>]",
                doc: prose!("About the groups of a stream.", "O(N), N the groups"),
                run: groups, ..BASE
            },
            Command {
                name: "consumers", arity: 4, group: CommandGroup::Stream, since: "5.0.0",
                flags: Flags::READONLY, acl: Acl::STREAM, keys: KEY,
                args: args![key("key"), string("group")],
                tips: &["nondeterministic_output"],
                reply: "[map<bulk,any>]",
                doc: prose!("About the consumers of a group.", "O(N), N the consumers"),
                run: consumers, ..BASE
            },
            Command {
                name: "help", arity: 2, group: CommandGroup::Stream, since: "5.0.0",
                flags: Flags::LOADING | Flags::STALE, acl: Acl::STREAM,
                reply: "[simple]",
                doc: prose!("What the subcommands are.", "O(1)"),
                run: help, ..BASE
            },
        ],
        ..BASE
    },
];

/// Without COUNT, FULL shows so many entries of each list.
const FULL_COUNT: u64 = 10;

fn help(ctx: &mut Ctx) -> Result {
    ctx.help(
        "XINFO",
        &[
            "CONSUMERS <key> <groupname>",
            "    Show consumers of <groupname>.",
            "GROUPS <key>",
            "    Show the stream consumer groups.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    Show information about the stream.",
        ],
    )
}

fn int_field(reply: &mut Reply, name: &str, value: u64) {
    reply.bulk_str(name);
    reply.int(value as i64);
}

fn id_field(reply: &mut Reply, name: &str, id: Id) {
    reply.bulk_str(name);
    reply_id(reply, id);
}

fn optional_field(reply: &mut Reply, name: &str, value: Option<i64>) {
    reply.bulk_str(name);
    match value {
        Some(value) => reply.int(value),
        None => reply.nil(),
    }
}

/// The entries FULL shows of each list, with its arguments checked; None without FULL.
fn full_count(ctx: &Ctx) -> core::result::Result<Option<usize>, Error> {
    let options = &mut ctx.options(3);
    if options.is_done() {
        return Ok(None);
    }
    if !options.take("FULL") {
        return Err(ctx.unknown_subcommand("XINFO"));
    }
    let mut count = FULL_COUNT;
    if !options.is_done() {
        if options.left() != 2 || !options.take("COUNT") {
            return Err(ctx.unknown_subcommand("XINFO"));
        }
        let wanted = options.integer()?;
        count = u64::try_from(wanted).unwrap_or(FULL_COUNT);
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Ok(Some(if count == 0 { usize::MAX } else { count }))
}

fn stream(ctx: &mut Ctx) -> Result {
    let key = ctx.arg(2);
    let is_there = ctx.keys.read_value(key, Entry::stream)?.is_some();
    if !is_there {
        return Err(Error::NO_SUCH_KEY);
    }
    let full = full_count(ctx)?;
    let Some(log) = ctx.keys.peek_value(key, Entry::stream)? else {
        return Err(Error::NO_SUCH_KEY);
    };
    let reply = &mut *ctx.reply;
    let marks = log.idempotence();
    let pairs = if full.is_some() { 9 } else { 10 };
    reply.map(pairs + if marks.is_some() { 6 } else { 0 });
    int_field(reply, "length", log.len());
    int_field(reply, "radix-tree-keys", log.node_count() as u64);
    int_field(reply, "radix-tree-nodes", log.radix_nodes() as u64);
    id_field(reply, "last-generated-id", log.last_id);
    id_field(reply, "max-deleted-entry-id", log.max_deleted_id);
    int_field(reply, "entries-added", log.entries_added);
    id_field(reply, "recorded-first-entry-id", log.first_id);
    if let Some(marks) = marks {
        int_field(reply, "idmp-duration", u64::from(marks.duration_s));
        int_field(reply, "idmp-maxsize", u64::from(marks.max_size));
        int_field(reply, "pids-tracked", marks.producers() as u64);
        int_field(reply, "iids-tracked", marks.marks() as u64);
        int_field(reply, "iids-added", marks.added);
        int_field(reply, "iids-duplicates", marks.duplicates);
    }
    match full {
        Some(count) => reply_full(reply, log, count),
        None => {
            int_field(reply, "groups", log.groups().len() as u64);
            for (name, is_last) in [("first-entry", false), ("last-entry", true)] {
                reply.bulk_str(name);
                match log.range(Id::MIN, Id::MAX, is_last).next() {
                    Some(entry) => reply_entry(reply, &entry),
                    None => reply.nil(),
                }
            }
        }
    }
    Ok(Outcome::Done)
}

fn reply_full(reply: &mut Reply, log: &Log, count: usize) {
    reply.bulk_str("entries");
    let shown = usize::try_from(log.len()).unwrap_or(usize::MAX).min(count);
    reply.array(shown);
    for entry in log.range(Id::MIN, Id::MAX, false).take(shown) {
        reply_entry(reply, &entry);
    }
    reply.bulk_str("groups");
    reply.array(log.groups().len());
    for group in log.groups() {
        reply.map(7);
        reply.bulk_str("name");
        reply.bulk(group.name());
        id_field(reply, "last-delivered-id", group.last_id);
        optional_field(reply, "entries-read", group.entries_read);
        optional_field(reply, "lag", log.lag(group));
        int_field(reply, "pel-count", group.all_pending().len() as u64);
        reply.bulk_str("pending");
        reply.array(group.all_pending().len().min(count));
        for pending in group.all_pending().iter().take(count) {
            reply.array(4);
            reply_id(reply, pending.id);
            let owner = group.consumer(pending.owner);
            reply.bulk(owner.map_or(&[], Consumer::name));
            reply_delivery(reply, pending);
        }
        reply.bulk_str("consumers");
        reply.array(group.consumer_count());
        for consumer in group.consumers() {
            reply_consumer(reply, group, consumer, count);
        }
    }
}

fn reply_delivery(reply: &mut Reply, pending: &Pending) {
    reply.int(pending.delivered_ms);
    reply.int(pending.count as i64);
}

fn reply_consumer(reply: &mut Reply, group: &Group, consumer: &Consumer, count: usize) {
    reply.map(5);
    reply.bulk_str("name");
    reply.bulk(consumer.name());
    int_field(reply, "seen-time", consumer.seen_ms as u64);
    int_field(reply, "active-time", consumer.active_ms as u64);
    int_field(reply, "pel-count", consumer.pending().len() as u64);
    reply.bulk_str("pending");
    reply.array(consumer.pending().len().min(count));
    let pending = consumer.pending().iter().take(count);
    for pending in pending.filter_map(|id| group.pending(*id)) {
        reply.array(3);
        reply_id(reply, pending.id);
        reply_delivery(reply, pending);
    }
}

fn groups(ctx: &mut Ctx) -> Result {
    let Some(log) = ctx.keys.read_value(ctx.arg(2), Entry::stream)? else {
        return Err(Error::NO_SUCH_KEY);
    };
    let reply = &mut *ctx.reply;
    reply.array(log.groups().len());
    for group in log.groups() {
        reply.map(6);
        reply.bulk_str("name");
        reply.bulk(group.name());
        int_field(reply, "consumers", group.consumer_count() as u64);
        int_field(reply, "pending", group.all_pending().len() as u64);
        id_field(reply, "last-delivered-id", group.last_id);
        optional_field(reply, "entries-read", group.entries_read);
        optional_field(reply, "lag", log.lag(group));
    }
    Ok(Outcome::Done)
}

fn consumers(ctx: &mut Ctx) -> Result {
    let (key, name) = (ctx.arg(2), ctx.arg(3));
    let Some(log) = ctx.keys.read_value(key, Entry::stream)? else {
        return Err(Error::NO_SUCH_KEY);
    };
    let group = log
        .group(name)
        .ok_or_else(|| no_group(&[b"consumer group '", name, b"' for key name '", key, b"'"]))?;
    let reply = &mut *ctx.reply;
    reply.array(group.consumer_count());
    for consumer in group.consumers() {
        let since = |at_ms: i64| (ctx.now_ms - at_ms).max(0);
        reply.map(4);
        reply.bulk_str("name");
        reply.bulk(consumer.name());
        int_field(reply, "pending", consumer.pending().len() as u64);
        reply.bulk_str("idle");
        reply.int(since(consumer.seen_ms));
        reply.bulk_str("inactive");
        reply.int(match consumer.active_ms {
            -1 => -1,
            at_ms => since(at_ms),
        });
    }
    Ok(Outcome::Done)
}
