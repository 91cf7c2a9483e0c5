//! Groups of consumers: made, moved and removed; acknowledging.

use super::{Parsed, delete::parse_ids, id, id_or_end};
use crate::keyspace::Class;
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group as CommandGroup, KeyFlags, KeySpec, Outcome, Result,
    args, flag, integer, key, oneof, prose, string, token,
};
use crate::values::stream::{Group, Id, Log};
use crate::values::{Entry, Stream};

const KEY: KeySpec = KeySpec::index(2).range(0, 1, 0);

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "xgroup", arity: -2, group: CommandGroup::Stream, since: "5.0.0",
        doc: prose!("Commands about groups of consumers.", "Depends on the subcommand."),
        subs: &[
            Command {
                name: "create", arity: -5, group: CommandGroup::Stream, since: "5.0.0",
                flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::STREAM,
                keys: &[KEY.flags(KeyFlags::RW | KeyFlags::INSERT)],
                args: args![
                    key("key"), string("group"), oneof("id-selector", args![string("id"), token("new-id", "$")]),
                    flag("MKSTREAM").optional(),
                    integer("entriesread").display("entries-read").token("ENTRIESREAD").optional(),
                ],
                reply: "OK",
                doc: prose!("Creates a group.", "O(1)"),
                run: create, ..BASE
            },
            Command {
                name: "setid", arity: -5, group: CommandGroup::Stream, since: "5.0.0",
                flags: Flags::WRITE, acl: Acl::STREAM,
                keys: &[KEY.flags(KeyFlags::RW | KeyFlags::UPDATE)],
                args: args![
                    key("key"), string("group"), oneof("id-selector", args![string("id"), token("new-id", "$")]),
                    integer("entriesread").display("entries-read").token("ENTRIESREAD").optional(),
                ],
                reply: "OK",
                doc: prose!("Sets which entry a group was given last.", "O(1)"),
                run: set_id, ..BASE
            },
            Command {
                name: "destroy", arity: 4, group: CommandGroup::Stream, since: "5.0.0",
                flags: Flags::WRITE, acl: Acl::STREAM,
                keys: &[KEY.flags(KeyFlags::RW | KeyFlags::DELETE)],
                args: args![key("key"), string("group")],
                reply: "int",
                doc: prose!("Removes a group and what is pending for it.", "O(N), N the entries pending"),
                run: destroy, ..BASE
            },
            Command {
                name: "createconsumer", arity: 5, group: CommandGroup::Stream, since: "6.2.0",
                flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::STREAM,
                keys: &[KEY.flags(KeyFlags::RW | KeyFlags::INSERT)],
                args: args![key("key"), string("group"), string("consumer")],
                reply: "int",
                doc: prose!("Adds a consumer to a group.", "O(1)"),
                run: create_consumer, ..BASE
            },
            Command {
                name: "delconsumer", arity: 5, group: CommandGroup::Stream, since: "5.0.0",
                flags: Flags::WRITE, acl: Acl::STREAM,
                keys: &[KEY.flags(KeyFlags::RW | KeyFlags::DELETE)],
                args: args![key("key"), string("group"), string("consumer")],
                reply: "int",
                doc: prose!("Removes a consumer and what is pending for it; how many entries that were.", "O(N), N the entries pending"),
                run: delete_consumer, ..BASE
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
    Command {
        name: "xack", arity: -4, group: CommandGroup::Stream, since: "5.0.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::STREAM,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key"), string("group"), string("id").multiple()],
        reply: "int",
        doc: prose!("Acknowledges entries for a group; how many were pending.", "O(log N) for each entry"),
        run: xack, ..BASE
    },
];

fn help(ctx: &mut Ctx) -> Result {
    ctx.help(
        "XGROUP",
        &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Create a new consumer group. Options are:",
            "    * MKSTREAM",
            "      Create the empty stream if it does not exist.",
            "    * ENTRIESREAD entries_read",
            "      Set the group's entries_read counter (internal use).",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Create a new consumer in the specified group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove the specified consumer.",
            "DESTROY <key> <groupname>",
            "    Remove the specified group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Set the current group ID and entries_read counter.",
        ],
    )
}

/// `NOGROUP` with these words around the names.
pub(super) fn no_group(parts: &[&[u8]]) -> Error {
    let mut all: Vec<&[u8]> = vec![b"NOGROUP No such "];
    all.extend_from_slice(parts);
    Error::concat(&all)
}

/// The key must be there, and of the right type.
fn check_key(ctx: &mut Ctx) -> Parsed<()> {
    ctx.keys.exists_for_write(ctx.arg(2));
    match ctx.keys.peek_value(ctx.arg(2), Entry::stream)? {
        Some(_) => Ok(()),
        None => Err(Error::new(
            "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
        )),
    }
}

/// MKSTREAM, where it is allowed, and ENTRIESREAD.
fn options(ctx: &Ctx, may_create: bool) -> Parsed<(bool, Option<i64>)> {
    let (mut creates, mut entries_read) = (false, None);
    let options = &mut ctx.options(5);
    while !options.is_done() {
        if may_create && options.take("MKSTREAM") {
            creates = true;
        } else if options.left() > 1 && options.take("ENTRIESREAD") {
            let count = options.integer()?;
            if count < -1 {
                return Err(Error::new(
                    "ERR value for ENTRIESREAD must be positive or -1",
                ));
            }
            entries_read = Some(count).filter(|count| *count >= 0);
        } else {
            return Err(ctx.unknown_subcommand("XGROUP"));
        }
    }
    Ok((creates, entries_read))
}

/// Options may be said again, but not any number of times; key and group are looked at before that is noticed.
fn check_count(ctx: &Ctx, most: usize) -> Parsed<()> {
    match ctx.args.len() > most {
        true => Err(ctx.unknown_subcommand("XGROUP")),
        false => Ok(()),
    }
}

/// The id that a group is to stand at: `$` is the stream's last. A group that is there may also go to `-` and `+`.
fn standing(text: &[u8], log: &Log, is_there: bool) -> Parsed<Id> {
    match text {
        b"$" => Ok(log.last_id),
        text if is_there => id_or_end(text, 0),
        text => id(text, 0),
    }
}

/// A group cannot have read more than there was.
fn bounded(entries_read: Option<i64>, log: &Log) -> Option<i64> {
    let all = i64::try_from(log.entries_added).unwrap_or(i64::MAX);
    entries_read.map(|read| read.min(all))
}

/// What was changed about groups counts, but does not touch those who WATCH the key.
fn changed(ctx: &mut Ctx, event: &'static str) {
    ctx.keys.dirty += 1;
    ctx.keys.notify(Class::STREAM, event, ctx.arg(2));
}

fn create(ctx: &mut Ctx) -> Result {
    let (creates, entries_read) = options(ctx, true)?;
    let key = ctx.arg(2);
    let is_new = !ctx.keys.exists_for_write(key);
    if !creates || !is_new {
        check_key(ctx)?;
    }
    check_count(ctx, 8)?;
    let (name, text) = (ctx.arg(3), ctx.arg(4));
    ctx.keys.edit_or_new(key, |stream: &mut Stream, _| {
        let group = Group::new(
            name,
            standing(text, stream, false)?,
            bounded(entries_read, stream),
        );
        match stream.add_group(group) {
            true => Ok((u64::from(is_new), ())),
            false => Err(Error::new("BUSYGROUP Consumer Group name already exists")),
        }
    })?;
    changed(ctx, "xgroup-create");
    ctx.keys.dirty -= u64::from(is_new);
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// Lets `change` change the group that an XGROUP subcommand names.
fn edit_group(
    ctx: &mut Ctx,
    change: &mut dyn FnMut(&mut Log, usize) -> Parsed<i64>,
) -> Parsed<i64> {
    check_key(ctx)?;
    let (key, name) = (ctx.arg(2), ctx.arg(3));
    let edited = ctx.keys.edit(key, |stream: &mut Stream, _| {
        let at = stream
            .find_group(name)
            .map_err(|_| no_group(&[b"consumer group '", name, b"' for key name '", key, b"'"]))?;
        Ok((0, change(stream, at)?))
    })?;
    Ok(edited.map_or(0, |edited| edited.value))
}

fn set_id(ctx: &mut Ctx) -> Result {
    let (_, entries_read) = options(ctx, false)?;
    let (text, count) = (ctx.arg(4), check_count(ctx, 7));
    edit_group(ctx, &mut |log, at| {
        count.clone()?;
        let last_id = standing(text, log, true)?;
        let entries_read = bounded(entries_read, log);
        log.edit_group(at, |group| {
            group.last_id = last_id;
            group.entries_read = entries_read;
        });
        Ok(0)
    })?;
    changed(ctx, "xgroup-setid");
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn destroy(ctx: &mut Ctx) -> Result {
    check_key(ctx)?;
    let (key, name) = (ctx.arg(2), ctx.arg(3));
    let edited = ctx.keys.edit(key, |stream: &mut Stream, _| {
        Ok((0, stream.remove_group(name)))
    })?;
    let is_removed = edited.is_some_and(|edited| edited.value);
    if is_removed {
        changed(ctx, "xgroup-destroy");
        // Whoever waits for entries of the group waits for nothing.
        ctx.keys.wake(key);
    }
    ctx.reply.int_bool(is_removed);
    Ok(Outcome::Done)
}

fn create_consumer(ctx: &mut Ctx) -> Result {
    let (name, now_ms) = (ctx.arg(4), ctx.now_ms);
    let created = edit_group(ctx, &mut |log, at| {
        let number = log.edit_group(at, |group| group.add_consumer(name, now_ms));
        Ok(i64::from(number.flatten().is_some()))
    })?;
    if created > 0 {
        changed(ctx, "xgroup-createconsumer");
    }
    ctx.reply.int(created);
    Ok(Outcome::Done)
}

fn delete_consumer(ctx: &mut Ctx) -> Result {
    let name = ctx.arg(4);
    let pending = edit_group(ctx, &mut |log, at| {
        let removed = log.edit_group(at, |group| group.remove_consumer(name));
        Ok(removed.flatten().map_or(-1, |pending| pending as i64))
    })?;
    if pending >= 0 {
        changed(ctx, "xgroup-delconsumer");
    }
    ctx.reply.int(pending.max(0));
    Ok(Outcome::Done)
}

fn xack(ctx: &mut Ctx) -> Result {
    let (key, name) = (ctx.arg(1), ctx.arg(2));
    let texts = ctx.args.get(3..).unwrap_or(&[]);
    ctx.keys.read_value(key, Entry::stream)?;
    let edited = ctx.keys.edit(key, |stream: &mut Stream, _| {
        let Ok(at) = stream.find_group(name) else {
            return Ok((0, 0));
        };
        let ids = parse_ids(texts)?;
        let acknowledged = stream.edit_group(at, |group| {
            let taken = ids.iter().filter(|id| group.acknowledge(**id));
            taken.count()
        });
        Ok((0, acknowledged.unwrap_or(0)))
    })?;
    let acknowledged = edited.map_or(0, |edited| edited.value);
    ctx.keys.dirty += acknowledged as u64;
    ctx.reply.count(acknowledged);
    Ok(Outcome::Done)
}
