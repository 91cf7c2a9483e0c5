//! HIMPORT: many hashes with the same fields. The names are said once for a connection, then only values are sent.

use crate::algorithms::bytes::Bytes;
use crate::keyspace::Class;
use crate::resp::Error;
use crate::structures::ordered::OrderedSet;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, key, prose,
    string,
};
use crate::values::hash::Life;
use crate::values::{Entry, Hash};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "himport", arity: -2, group: Group::Hash, since: "8.10.0",
        acl: Acl::HASH,
        reply: "any",
        doc: prose!("Makes hashes with the same fields from their values alone.", "Depends on the subcommand"),
        subs: &[
            Command {
                name: "prepare", arity: -4, group: Group::Hash, since: "8.10.0",
                flags: Flags::DENYOOM, acl: Acl::HASH,
                args: args![string("fieldset-name"), string("field").multiple()],
                reply: "OK",
                doc: prose!("Names the fields of hashes to come, for this connection.", "O(N*log(N)), N the number of fields"),
                run: prepare, ..BASE
            },
            Command {
                name: "set", arity: -5, group: Group::Hash, since: "8.10.0",
                flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::HASH,
                keys: &[KeySpec::index(2).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE)],
                args: args![key("key"), string("fieldset-name"), string("value").multiple()],
                reply: "OK",
                doc: prose!("Makes a hash of prepared fields and their values.", "O(N), N the number of fields"),
                run: set, ..BASE
            },
            Command {
                name: "discard", arity: 3, group: Group::Hash, since: "8.10.0",
                acl: Acl::HASH,
                args: args![string("fieldset-name")],
                reply: "int",
                doc: prose!("Forgets prepared fields.", "O(N), N the number of fieldsets of the connection"),
                run: discard, ..BASE
            },
            Command {
                name: "discardall", arity: 2, group: Group::Hash, since: "8.10.0",
                acl: Acl::HASH,
                reply: "int",
                doc: prose!("Forgets all prepared fields.", "O(N), N the number of fieldsets of the connection"),
                run: discardall, ..BASE
            },
        ],
        ..BASE
    },
];

fn prepare(ctx: &mut Ctx) -> Result {
    let fields = ctx.args.get(3..).unwrap_or(&[]);
    let mut seen = OrderedSet::new();
    if !fields.iter().all(|field| seen.insert(*field)) {
        return Err(Error::new("ERR duplicate field name in fieldset"));
    }
    let fields = fields.iter().map(|field| field.owned()).collect();
    ctx.session.fieldsets.insert(ctx.arg(2).owned(), fields);
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn set(ctx: &mut Ctx) -> Result {
    let (key, values) = (ctx.arg(2), ctx.args.get(4..).unwrap_or(&[]));
    let fields = ctx
        .session
        .fieldsets
        .get(ctx.arg(3))
        .ok_or(Error::new("ERR no such fieldset"))?;
    if fields.len() != values.len() {
        return Err(Error::new(
            "ERR value count does not match fieldset field count",
        ));
    }
    ctx.keys.peek_value(key, Entry::hash)?;
    let mut hash = Hash::new();
    for (field, value) in fields.iter().zip(values) {
        hash.set(field, value, Life::Clear, &ctx.keys.limits);
    }
    let mut logged: Vec<&[u8]> = vec![b"HSET", key];
    for (field, value) in fields.iter().zip(values) {
        logged.extend_from_slice(&[field, value]);
    }
    let logged: Vec<Vec<u8>> = match ctx.keys.is_logging() {
        true => logged.into_iter().map(Bytes::owned).collect(),
        false => Vec::new(),
    };
    let was_there = ctx.keys.peek(key).is_some();
    ctx.keys.store_value(key, hash);
    ctx.keys.notify(Class::HASH, "hset", key);
    if !logged.is_empty() {
        if was_there {
            ctx.propagate(&[b"DEL", key]);
        }
        let logged: Vec<&[u8]> = logged.iter().map(Vec::as_slice).collect();
        ctx.propagate(&logged);
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn discard(ctx: &mut Ctx) -> Result {
    let is_gone = ctx.session.fieldsets.remove(ctx.arg(2)).is_some();
    ctx.reply.int_bool(is_gone);
    Ok(Outcome::Done)
}

fn discardall(ctx: &mut Ctx) -> Result {
    let count = ctx.session.fieldsets.len();
    ctx.session.fieldsets.clear();
    ctx.reply.count(count);
    Ok(Outcome::Done)
}
