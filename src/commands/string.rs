//! Strings.
//!
//! <https://redis.io/docs/latest/develop/data-types/strings/>

use crate::keyspace::{Class, Expiry};
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, key, prose,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "get", arity: 2, group: Group::String, since: "1.0.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key")],
        reply: "bulk | nil",
        doc: prose!("Returns the string at a key.", "O(1)"),
        run: get,
        ..BASE
    },
    Command {
        name: "set", arity: 3, group: Group::String, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM,
        acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE)],
        args: args![key("key")],
        reply: "OK",
        doc: prose!("Sets the string at a key.", "O(1)"),
        run: set,
        ..BASE
    },
    Command {
        name: "incr", arity: 2, group: Group::String, since: "1.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::FAST,
        acl: Acl::STRING,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::UPDATE)],
        args: args![key("key")],
        reply: "int",
        doc: prose!("Adds one to the integer at a key.", "O(1)"),
        run: incr,
        ..BASE
    },
];

fn get(ctx: &mut Ctx) -> Result {
    match ctx.keys.read_string(ctx.arg(1))? {
        Some(value) => ctx.reply.bulk(&value.text()),
        None => ctx.reply.nil(),
    }
    Ok(Outcome::Done)
}

fn set(ctx: &mut Ctx) -> Result {
    ctx.keys.set_string(ctx.arg(1), ctx.arg(2), Expiry::Clear);
    ctx.keys.notify(Class::STRING, "set", ctx.arg(1));
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn incr(ctx: &mut Ctx) -> Result {
    let sum = ctx.keys.increment(ctx.arg(1), 1)?;
    ctx.keys.notify(Class::STRING, "incrby", ctx.arg(1));
    ctx.reply.int(sum);
    Ok(Outcome::Done)
}
