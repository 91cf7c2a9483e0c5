//! Connections: who talks, in which protocol, to which database.
//!
//! CLIENT has files of its own beside this one.

pub mod client;
mod listing;
pub mod tracking;

pub use listing::client_line;

use super::server::acl::note_login;
use crate::algorithms::bytes::Bytes;
use crate::algorithms::num;
use crate::resp::{Error, Reply};
use crate::state::acl::DEFAULT_USER;
use crate::state::{Kind, ReplyMode, Server, Session};
use crate::table::{
    Acl, BASE, Command, Ctx, Deprecated, Flags, Group, Outcome, Result, args, block, integer,
    prose, string,
};

/// The Redis version whose behaviour this is.
pub use crate::state::REDIS_VERSION;

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "auth", arity: -2, group: Group::Connection, since: "1.0.0",
        flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE | Flags::FAST | Flags::NO_AUTH | Flags::ALLOW_BUSY,
        acl: Acl::CONNECTION,
        args: args![string("username").optional().since("6.0.0"), string("password")],
        reply: "OK",
        doc: prose!("Tells the server who the client is.", "O(N), N the number of passwords of the user"),
        run: auth,
        ..BASE
    },
    Command {
        name: "hello", arity: -1, group: Group::Connection, since: "6.0.0",
        flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE | Flags::FAST | Flags::NO_AUTH | Flags::ALLOW_BUSY,
        acl: Acl::CONNECTION,
        args: args![block("arguments", args![integer("protover"), block("auth", args![string("username"), string("password")]).token("AUTH").optional(), string("clientname").token("SETNAME").optional()]).optional()],
        reply: "map<bulk,any>",
        doc: prose!("Chooses the protocol version, authenticates and names the connection on demand, and tells about the server.", "O(1)"),
        run: hello,
        ..BASE
    },
    Command {
        name: "echo", arity: 2, group: Group::Connection, since: "1.0.0",
        flags: Flags::LOADING | Flags::STALE | Flags::FAST,
        acl: Acl::CONNECTION,
        args: args![string("message")],
        reply: "bulk",
        doc: prose!("Replies its argument.", "O(1)"),
        run: echo,
        ..BASE
    },
    Command {
        name: "ping", arity: -1, group: Group::Connection, since: "1.0.0",
        flags: Flags::FAST,
        acl: Acl::CONNECTION,
        args: args![string("message").optional()],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        reply: "simple | bulk | [bulk]",
        doc: prose!("Replies PONG, or its argument: a sign of life.", "O(1)"),
        run: ping,
        ..BASE
    },
    Command {
        name: "select", arity: 2, group: Group::Connection, since: "1.0.0",
        flags: Flags::LOADING | Flags::STALE | Flags::FAST,
        acl: Acl::CONNECTION,
        args: args![integer("index")],
        reply: "OK",
        doc: prose!("Chooses the database that later commands work on.", "O(1)"),
        run: select,
        ..BASE
    },
    Command {
        name: "reset", arity: 1, group: Group::Connection, since: "6.2.0",
        flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE | Flags::FAST | Flags::NO_AUTH | Flags::ALLOW_BUSY,
        acl: Acl::CONNECTION,
        reply: "simple",
        doc: prose!("Brings the connection back to the state of a new one.", "O(1)"),
        run: reset,
        ..BASE
    },
    Command {
        name: "quit", arity: -1, group: Group::Connection, since: "1.0.0",
        flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE | Flags::FAST | Flags::NO_AUTH | Flags::ALLOW_BUSY,
        acl: Acl::CONNECTION,
        deprecated: Some(Deprecated { since: "7.2.0", replaced_by: "just closing the connection" }),
        reply: "OK",
        doc: prose!("Closes the connection once its replies are sent.", "O(1)"),
        run: quit,
        ..BASE
    },
];

fn auth(ctx: &mut Ctx) -> Result {
    let (user, password) = match ctx.args {
        [_, _]
            if ctx
                .server
                .users
                .get(DEFAULT_USER)
                .is_some_and(|user| user.is_open) =>
        {
            return Err(NO_PASSWORD_SET);
        }
        [_, password] => (DEFAULT_USER, *password),
        [_, user, password] => (*user, *password),
        _ => return Err(Error::SYNTAX),
    };
    authenticate(ctx, user, password)?;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

const NO_PASSWORD_SET: Error = Error::new(
    "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
     configuration is correct?",
);

/// Marks the session as authenticated, or fails without a change.
fn authenticate(ctx: &mut Ctx, user: &[u8], password: &[u8]) -> core::result::Result<(), Error> {
    if !ctx.server.users.accepts(user, password) {
        note_login(ctx, user);
        return Err(Error::new(
            "WRONGPASS invalid username-password pair or user is disabled.",
        ));
    }
    ctx.session.user = user.owned();
    ctx.session.is_authenticated = true;
    ctx.session.note_restriction(&ctx.server.users);
    Ok(())
}

/// What HELLO asks for.
#[derive(Default)]
struct Greeting<'a> {
    version: Option<i64>,
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> Greeting<'a> {
    fn parse(ctx: &Ctx<'a>) -> core::result::Result<Greeting<'a>, Error> {
        let mut greeting = Greeting::default();
        if let Some(version) = ctx.args.get(1) {
            let version = num::parse_i64(version).ok_or(Error::new(
                "ERR Protocol version is not an integer or out of range",
            ))?;
            if !(2..=3).contains(&version) {
                return Err(Error::new("NOPROTO unsupported protocol version"));
            }
            greeting.version = Some(version);
        }
        let mut options = ctx.options(2);
        while let Some(word) = options.next() {
            if word.is_word(b"AUTH") && options.left() >= 2 {
                greeting.credentials = Some((options.value()?, options.value()?));
            } else if word.is_word(b"SETNAME") && options.left() >= 1 {
                let name = options.value()?;
                client::check_name(name)?;
                greeting.name = Some(name);
            } else {
                return Err(Error::concat(&[
                    b"ERR Syntax error in HELLO option '",
                    word,
                    b"'",
                ]));
            }
        }
        Ok(greeting)
    }
}

fn hello(ctx: &mut Ctx) -> Result {
    let greeting = Greeting::parse(ctx)?;
    if let Some((user, password)) = greeting.credentials {
        authenticate(ctx, user, password)?;
    }
    if !ctx.session.is_authenticated {
        return Err(Error::new(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH \
             <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the \
             same time",
        ));
    }
    if let Some(name) = greeting.name {
        ctx.session.name = name.owned();
    }
    if let Some(version) = greeting.version {
        ctx.session.resp3 = version == 3;
        ctx.reply.set_resp3(version == 3);
    }
    write_greeting(ctx.reply, ctx.session);
    Ok(Outcome::Done)
}

fn write_greeting(reply: &mut Reply, session: &Session) {
    reply.map(7);
    for (name, text) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk_str(name);
        reply.bulk_str(text);
    }
    reply.bulk_str("proto");
    reply.int(if session.resp3 { 3 } else { 2 });
    reply.bulk_str("id");
    reply.int(session.id as i64);
    for (name, text) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk_str(name);
        reply.bulk_str(text);
    }
    reply.bulk_str("modules");
    reply.array(0);
}

fn echo(ctx: &mut Ctx) -> Result {
    ctx.reply.bulk(ctx.arg(1));
    Ok(Outcome::Done)
}

fn ping(ctx: &mut Ctx) -> Result {
    if ctx.args.len() > 2 {
        return Err(Error::wrong_arity(ctx.row.name.as_bytes()));
    }
    if ctx.session.is_subscriber() {
        ctx.reply.array(2);
        ctx.reply.bulk_str("pong");
        ctx.reply.bulk(ctx.arg(1));
    } else {
        match ctx.args.get(1) {
            Some(message) => ctx.reply.bulk(message),
            None => ctx.reply.status("PONG"),
        }
    }
    Ok(Outcome::Done)
}

fn select(ctx: &mut Ctx) -> Result {
    let db = i32::try_from(ctx.integer(1)?).map_err(|_| {
        Error::new("ERR value is out of range, value must between -2147483648 and 2147483647")
    })?;
    match usize::try_from(db) {
        Ok(db) if ctx.keys.select(db) => ctx.session.db = db,
        _ => return Err(Error::DB_OUT_OF_RANGE),
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn reset(ctx: &mut Ctx) -> Result {
    super::transactions::end(ctx);
    super::pubsub::forget(&mut ctx.server.pubsub, ctx.session);
    tracking::stop(ctx.server, ctx.keys, ctx.session);
    ctx.keys.select(0);
    forget_all(ctx.session, ctx.server);
    ctx.reply.set_resp3(false);
    ctx.reply.status("RESET");
    Ok(Outcome::Done)
}

/// What RESET takes back, besides subscriptions, watches and tracking. The names of the client's library stay: they are still true.
fn forget_all(session: &mut Session, server: &Server) {
    session.db = 0;
    session.resp3 = false;
    session.name.clear();
    session.user = DEFAULT_USER.owned();
    session.is_authenticated = session.kind != Kind::Wire || server.users.is_default_open();
    session.note_restriction(&server.users);
    session.fieldsets.clear();
    session.reply_mode = ReplyMode::On;
    session.no_evict = false;
    session.no_touch = false;
    session.is_monitor = false;
}

fn quit(ctx: &mut Ctx) -> Result {
    ctx.session.is_closing = true;
    if ctx.session.kind != Kind::Wire {
        // Nobody watches for the end of a connection that is none; the engine asks the host to end it.
        ctx.server.kills.push(ctx.session.handle);
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}
