//! CLIENT: what connections there are, and what they may ask for themselves.

use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, Outcome, Result, args, oneof, prose, string,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "client", arity: -2, group: Group::Connection, since: "2.4.0",
        doc: prose!("Tells about connections and changes them.", "Depends on the subcommand"),
        subs: &[
            Command {
                name: "id", arity: 2, group: Group::Connection, since: "5.0.0",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                reply: "int",
                doc: prose!("The number of this connection; no other one ever has it.", "O(1)"),
                run: id,
                ..BASE
            },
            Command {
                name: "getname", arity: 2, group: Group::Connection, since: "2.6.9",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                reply: "bulk | nil",
                doc: prose!("The name of this connection.", "O(1)"),
                run: getname,
                ..BASE
            },
            Command {
                name: "setname", arity: 3, group: Group::Connection, since: "2.6.9",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![string("connection-name")],
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Names this connection; an empty name takes the name away.", "O(1)"),
                run: setname,
                ..BASE
            },
            Command {
                name: "setinfo", arity: 4, group: Group::Connection, since: "7.2.0",
                flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
                acl: Acl::CONNECTION,
                args: args![oneof("attr", args![string("libname").token("LIB-NAME"), string("libver").token("LIB-VER")])],
                tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
                reply: "OK",
                doc: prose!("Notes which client library, in which version, speaks.", "O(1)"),
                run: setinfo,
                ..BASE
            },
        ],
        ..BASE
    },
];

fn id(ctx: &mut Ctx) -> Result {
    ctx.reply.int(ctx.session.id as i64);
    Ok(Outcome::Done)
}

fn getname(ctx: &mut Ctx) -> Result {
    if ctx.session.name.is_empty() {
        ctx.reply.nil();
    } else {
        ctx.reply.bulk(&ctx.session.name);
    }
    Ok(Outcome::Done)
}

fn setname(ctx: &mut Ctx) -> Result {
    check_name(ctx.arg(2))?;
    ctx.session.name = ctx.arg(2).to_vec();
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn setinfo(ctx: &mut Ctx) -> Result {
    let (word, value) = (ctx.arg(2), ctx.arg(3));
    let is_name = word.eq_ignore_ascii_case(b"LIB-NAME");
    if !is_name && !word.eq_ignore_ascii_case(b"LIB-VER") {
        return Err(Error::concat(&[b"ERR Unrecognized option '", word, b"'"]));
    }
    if !is_printable(value) {
        return Err(Error::concat(&[
            b"ERR ",
            word,
            b" cannot contain spaces, newlines or special characters.",
        ]));
    }
    let field = match is_name {
        true => &mut ctx.session.lib_name,
        false => &mut ctx.session.lib_version,
    };
    *field = value.to_vec();
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// Names must not upset the lines of CLIENT LIST.
pub(super) fn check_name(name: &[u8]) -> core::result::Result<(), Error> {
    match is_printable(name) {
        true => Ok(()),
        false => Err(Error::new(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        )),
    }
}

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}
