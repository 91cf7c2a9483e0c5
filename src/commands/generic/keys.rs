//! Keys: deleting, renaming, copying, asking for them.

use crate::algorithms::num;
use crate::keyspace::{Class, Moved};
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, flag, integer,
    key, prose,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "del", arity: -2, group: Group::Generic, since: "1.0.0",
        flags: Flags::WRITE, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(-1, 1, 0).flags(KeyFlags::RM | KeyFlags::DELETE)],
        args: args![key("key").multiple()],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        reply: "int",
        doc: prose!("Deletes keys; tells how many there were.", "O(N), N the number of keys, and the elements of what they hold"),
        run: del, ..BASE
    },
    Command {
        name: "unlink", arity: -2, group: Group::Generic, since: "4.0.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(-1, 1, 0).flags(KeyFlags::RM | KeyFlags::DELETE)],
        args: args![key("key").multiple()],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        reply: "int",
        doc: prose!("Deletes keys; tells how many there were. Large values need not be freed at once.", "O(N), N the number of keys"),
        run: del, ..BASE
    },
    Command {
        name: "exists", arity: -2, group: Group::Generic, since: "1.0.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(-1, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key").multiple()],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        reply: "int",
        doc: prose!("How many of the keys there are; one named twice counts twice.", "O(N), N the number of keys"),
        run: exists, ..BASE
    },
    Command {
        name: "touch", arity: -2, group: Group::Generic, since: "3.2.1",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(-1, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key").multiple()],
        tips: &["request_policy:multi_shard", "response_policy:agg_sum"],
        reply: "int",
        doc: prose!("Marks keys as used just now; tells how many of them there are.", "O(N), N the number of keys"),
        run: touch, ..BASE
    },
    Command {
        name: "type", arity: 2, group: Group::Generic, since: "1.0.0",
        flags: Flags::READONLY | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key")],
        reply: "simple",
        doc: prose!("The type of what a key holds, `none` when there is no such key.", "O(1)"),
        run: type_of, ..BASE
    },
    Command {
        name: "rename", arity: 3, group: Group::Generic, since: "1.0.0",
        flags: Flags::WRITE, acl: Acl::KEYSPACE,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE),
            KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
        ],
        args: args![key("key"), key("newkey").spec(1)],
        reply: "OK",
        doc: prose!("Gives a key another name; a key that had it is overwritten.", "O(1), and the size of what is overwritten"),
        run: rename, ..BASE
    },
    Command {
        name: "renamenx", arity: 3, group: Group::Generic, since: "1.0.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE),
            KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::INSERT),
        ],
        args: args![key("key"), key("newkey").spec(1)],
        reply: "int",
        doc: prose!("Gives a key another name unless a key has it already.", "O(1)"),
        run: renamenx, ..BASE
    },
    Command {
        name: "copy", arity: -3, group: Group::Generic, since: "6.2.0",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::KEYSPACE,
        keys: &[
            KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS),
            KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE),
        ],
        args: args![
            key("source"), key("destination").spec(1),
            integer("destination-db").token("DB").optional(), flag("REPLACE").optional(),
        ],
        reply: "int",
        doc: prose!("Copies what a key holds to another key, here or in another database.", "O(N), N the size of the value"),
        run: copy, ..BASE
    },
    Command {
        name: "move", arity: 3, group: Group::Generic, since: "1.0.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::UPDATE)],
        args: args![key("key"), integer("db")],
        reply: "int",
        doc: prose!("Moves a key to another database unless that has such a key.", "O(1)"),
        run: move_key, ..BASE
    },
];

fn del(ctx: &mut Ctx) -> Result {
    let mut removed = 0;
    for key in ctx.args.iter().skip(1) {
        if ctx.keys.remove(key) {
            ctx.keys.notify(Class::GENERIC, "del", key);
            removed += 1;
        }
    }
    ctx.reply.count(removed);
    Ok(Outcome::Done)
}

fn exists(ctx: &mut Ctx) -> Result {
    let keys = ctx.args.iter().skip(1);
    let found = keys.filter(|key| ctx.keys.inspect(key).is_some()).count();
    ctx.reply.count(found);
    Ok(Outcome::Done)
}

fn touch(ctx: &mut Ctx) -> Result {
    let found = ctx
        .args
        .iter()
        .skip(1)
        .filter(|key| ctx.keys.touch(key))
        .count();
    ctx.reply.count(found);
    Ok(Outcome::Done)
}

fn type_of(ctx: &mut Ctx) -> Result {
    let found = ctx.keys.inspect(ctx.arg(1));
    ctx.reply
        .status(found.map_or("none", |entry| entry.value_type().name()));
    Ok(Outcome::Done)
}

fn rename(ctx: &mut Ctx) -> Result {
    give_name(ctx, false)?;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn renamenx(ctx: &mut Ctx) -> Result {
    let is_renamed = give_name(ctx, true)?;
    ctx.reply.int_bool(is_renamed);
    Ok(Outcome::Done)
}

/// Renames the first argument's key to the second's; false when it has that name already, or when another key has it
/// and `only_new`.
fn give_name(ctx: &mut Ctx, only_new: bool) -> core::result::Result<bool, Error> {
    let (from, to) = (ctx.arg(1), ctx.arg(2));
    if !ctx.keys.exists_for_write(from) {
        return Err(Error::NO_SUCH_KEY);
    }
    if from == to || (only_new && ctx.keys.exists_for_write(to)) {
        return Ok(false);
    }
    let db = ctx.keys.selected();
    if let Some(moved) = ctx.keys.rename(from, to, db) {
        ctx.keys.notify(Class::GENERIC, "rename_from", from);
        ctx.keys.notify(Class::GENERIC, "rename_to", to);
        notify_replaced(ctx, moved, to, db);
    }
    Ok(true)
}

/// The events of a value that took the place of another.
pub fn notify_replaced(ctx: &mut Ctx, moved: Moved, key: &[u8], db: usize) {
    let Some(old_type) = moved.replaced else {
        return;
    };
    ctx.keys
        .notify_in(db, Class::OVERWRITTEN, "overwritten", key);
    if old_type != moved.value_type {
        ctx.keys
            .notify_in(db, Class::TYPE_CHANGED, "type_changed", key);
    }
}

fn copy(ctx: &mut Ctx) -> Result {
    let (from, to) = (ctx.arg(1), ctx.arg(2));
    let mut to_db = ctx.keys.selected();
    let mut replaces = false;
    let options = &mut ctx.options(3);
    while !options.is_done() {
        if options.take("REPLACE") {
            replaces = true;
        } else if let Some(db) = options.take_value("DB") {
            to_db = database(ctx, db)?;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    if from == to && to_db == ctx.keys.selected() {
        return Err(Error::SAME_OBJECT);
    }
    let is_copied = ctx.keys.read(from).is_some()
        && (replaces || ctx.keys.peek_in(to_db, to).is_none())
        && copy_to(ctx, from, to, to_db);
    ctx.reply.int_bool(is_copied);
    Ok(Outcome::Done)
}

fn copy_to(ctx: &mut Ctx, from: &[u8], to: &[u8], to_db: usize) -> bool {
    let Some(moved) = ctx.keys.copy(from, to, to_db) else {
        return false;
    };
    ctx.keys.notify_in(to_db, Class::GENERIC, "copy_to", to);
    notify_replaced(ctx, moved, to, to_db);
    true
}

/// The number of a database that there is.
fn database(ctx: &Ctx, text: &[u8]) -> core::result::Result<usize, Error> {
    let db = num::parse_i64(text).ok_or(Error::NOT_INTEGER)?;
    let db = i32::try_from(db).map_err(|_| {
        Error::new("ERR value is out of range, value must between -2147483648 and 2147483647")
    })?;
    usize::try_from(db)
        .ok()
        .filter(|db| *db < ctx.keys.db_count())
        .ok_or(Error::DB_OUT_OF_RANGE)
}

fn move_key(ctx: &mut Ctx) -> Result {
    let key = ctx.arg(1);
    let (db, to_db) = (ctx.keys.selected(), database(ctx, ctx.arg(2))?);
    if db == to_db {
        return Err(Error::SAME_OBJECT);
    }
    let is_moved = ctx.keys.exists_for_write(key)
        && ctx.keys.peek_in(to_db, key).is_none()
        && ctx.keys.rename(key, key, to_db).is_some();
    if is_moved {
        ctx.keys.notify(Class::GENERIC, "move_from", key);
        ctx.keys.notify_in(to_db, Class::GENERIC, "move_to", key);
    }
    ctx.reply.int_bool(is_moved);
    Ok(Outcome::Done)
}
