//! Users and their permissions, as on <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>.

use super::super::connection::client_line;
use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num::parse_i64;
use crate::resp::Error;
use crate::state::acl::{DEFAULT_USER, LogEntry, Reason, Selector, Where};
use crate::state::{Block, TimeoutReply};
use crate::table::rules::{Rules, category_of, denial, has_space, merged};
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, Outcome, Resolved, Result, args, flag, integer, oneof,
    prose, string,
};

/// The flags of what everybody may ask, and of what only administrators may.
const OPEN: u32 = Flags::NOSCRIPT | Flags::LOADING | Flags::STALE;
const ADMIN: u32 = OPEN | Flags::ADMIN;
const FOR_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "acl", arity: -2, group: Group::Server, since: "6.0.0",
        reply: "any",
        doc: prose!("Manages users and what they may do.", "Depends on the subcommand."),
        subs: &[
            Command {
                name: "cat", arity: -2, group: Group::Server, since: "6.0.0",
                flags: OPEN,
                args: args![string("category").optional()],
                reply: "[bulk]",
                doc: prose!("Lists the categories of commands, or the commands of one.", "O(N), N the number of commands"),
                run: cat,
                ..BASE
            },
            Command {
                name: "deluser", arity: -3, group: Group::Server, since: "6.0.0",
                flags: ADMIN,
                args: args![string("username").multiple()],
                tips: FOR_ALL_NODES,
                reply: "int",
                doc: prose!("Removes users and closes their connections.", "O(N), N the number of connections"),
                run: deluser,
                ..BASE
            },
            Command {
                name: "dryrun", arity: -4, group: Group::Server, since: "7.0.0",
                flags: ADMIN,
                args: args![string("username"), string("command"), string("arg").optional().multiple()],
                reply: "OK | bulk",
                doc: prose!("Tells whether a user may make a call, without making it.", "O(1)"),
                run: dryrun,
                ..BASE
            },
            Command {
                name: "genpass", arity: -2, group: Group::Server, since: "6.0.0",
                flags: OPEN,
                args: args![integer("bits").optional()],
                reply: "bulk",
                doc: prose!("Makes a random password in hexadecimal digits.", "O(N), N the number of bits"),
                run: genpass,
                ..BASE
            },
            Command {
                name: "getuser", arity: 3, group: Group::Server, since: "6.0.0",
                flags: ADMIN,
                args: args![string("username")],
                reply: "map<bulk,any> | nil",
                doc: prose!("Tells the rules of a user.", "O(N), N the number of rules"),
                run: getuser,
                ..BASE
            },
            Command {
                name: "help", arity: 2, group: Group::Server, since: "6.0.0",
                flags: Flags::LOADING | Flags::STALE,
                reply: "[simple]",
                doc: prose!("Lists the subcommands.", "O(1)"),
                run: help,
                ..BASE
            },
            Command {
                name: "list", arity: 2, group: Group::Server, since: "6.0.0",
                flags: ADMIN,
                reply: "[bulk]",
                doc: prose!("Lists all users with their rules, as an ACL file has them.", "O(N), N the number of users"),
                run: list,
                ..BASE
            },
            Command {
                name: "load", arity: 2, group: Group::Server, since: "6.0.0",
                flags: ADMIN,
                reply: "OK",
                doc: prose!("Reads the ACL file again.", "O(N), N the number of users"),
                run: load,
                ..BASE
            },
            Command {
                name: "log", arity: -2, group: Group::Server, since: "6.0.0",
                flags: ADMIN,
                args: args![oneof("operation", args![integer("count"), flag("RESET")]).optional()],
                reply: "OK | [map<bulk,any>]",
                doc: prose!("Lists the latest refusals, or forgets them.", "O(N), N the number of entries"),
                run: log,
                ..BASE
            },
            Command {
                name: "save", arity: 2, group: Group::Server, since: "6.0.0",
                flags: ADMIN,
                tips: FOR_ALL_NODES,
                reply: "OK",
                doc: prose!("Writes all users to the ACL file.", "O(N), N the number of users"),
                run: save,
                ..BASE
            },
            Command {
                name: "setuser", arity: -3, group: Group::Server, since: "6.0.0",
                flags: ADMIN,
                args: args![string("username"), string("rule").optional().multiple()],
                tips: FOR_ALL_NODES,
                reply: "OK",
                doc: prose!("Creates a user or changes its rules.", "O(N), N the number of rules"),
                run: setuser,
                ..BASE
            },
            Command {
                name: "users", arity: 2, group: Group::Server, since: "6.0.0",
                flags: ADMIN,
                reply: "[bulk]",
                doc: prose!("Lists the names of all users.", "O(N), N the number of users"),
                run: users,
                ..BASE
            },
            Command {
                name: "whoami", arity: 2, group: Group::Server, since: "6.0.0",
                flags: OPEN,
                reply: "bulk",
                doc: prose!("Tells the user of this connection.", "O(1)"),
                run: whoami,
                ..BASE
            },
        ],
        ..BASE
    },
];

fn cat(ctx: &mut Ctx) -> Result {
    let category = match ctx.args {
        [_, _] => {
            // Arrays are of a later version than the list is.
            let names = || Acl::NAMES.iter().map(|(_, name)| *name);
            ctx.reply.array(names().count());
            names().for_each(|name| ctx.reply.bulk_str(name));
            return Ok(Outcome::Done);
        }
        [_, _, name] => category_of(name)
            .ok_or_else(|| Error::concat(&[b"ERR Unknown category '", name, b"'"]))?,
        _ => return Err(wrong_use(ctx)),
    };
    let rows = ctx.lookup.rows().iter();
    let found: Vec<&Resolved> = rows
        .filter(|row| row.row.categories() & category != 0)
        .collect();
    ctx.reply.array(found.len());
    for row in found {
        ctx.reply.bulk(&row.full_name());
    }
    Ok(Outcome::Done)
}

/// For more arguments than a subcommand can have.
fn wrong_use(ctx: &Ctx) -> Error {
    ctx.unknown_subcommand("ACL")
}

fn whoami(ctx: &mut Ctx) -> Result {
    ctx.reply.bulk(&ctx.session.user);
    Ok(Outcome::Done)
}

fn users(ctx: &mut Ctx) -> Result {
    let users = &ctx.server.users;
    ctx.reply.array(users.iter().count());
    users.iter().for_each(|(name, _)| ctx.reply.bulk(name));
    Ok(Outcome::Done)
}

fn list(ctx: &mut Ctx) -> Result {
    let lines: Vec<Vec<u8>> = ctx.server.users.lines().collect();
    ctx.reply.array(lines.len());
    lines.iter().for_each(|line| ctx.reply.bulk(line));
    Ok(Outcome::Done)
}

fn getuser(ctx: &mut Ctx) -> Result {
    let Some(user) = ctx.server.users.get(ctx.arg(2)) else {
        ctx.reply.nil();
        return Ok(Outcome::Done);
    };
    let reply = &mut *ctx.reply;
    reply.map(6);
    reply.bulk_str("flags");
    reply.set(user.flags().count());
    user.flags().for_each(|flag| reply.bulk_str(flag));
    reply.bulk_str("passwords");
    reply.array(user.passwords.len());
    user.passwords.iter().for_each(|hash| reply.bulk(hash));
    write_selector(reply, &user.root);
    reply.bulk_str("selectors");
    reply.array(user.selectors.len());
    for selector in &user.selectors {
        reply.map(3);
        write_selector(reply, selector);
    }
    Ok(Outcome::Done)
}

/// The three fields of permissions.
fn write_selector(reply: &mut crate::resp::Reply, selector: &Selector) {
    type Write = fn(&Selector, &mut Vec<u8>);
    let fields: [(&str, Write); 3] = [
        ("commands", Selector::write_commands),
        ("keys", Selector::write_keys),
        ("channels", Selector::write_channels),
    ];
    for (name, write) in fields {
        let mut text = Vec::new();
        write(selector, &mut text);
        reply.bulk_str(name);
        reply.bulk(&text);
    }
}

/// What applies rules as this server is configured.
fn rules<'a>(ctx: &Ctx<'a>) -> Rules<'a> {
    Rules {
        lookup: ctx.lookup,
        opens_channels: ctx.server.config.value("acl-pubsub-default") == b"allchannels",
    }
}

fn setuser(ctx: &mut Ctx) -> Result {
    let name = ctx.arg(2);
    if has_space(name) {
        return Err(Error::new(
            "ERR Usernames can't contain spaces or null characters",
        ));
    }
    let modifiers = merged(ctx.args.get(3..).unwrap_or_default()).map_err(|start| {
        Error::concat(&[
            b"ERR Unmatched parenthesis in acl selector starting at '",
            start,
            b"'.",
        ])
    })?;
    let rules = rules(ctx);
    // The user is as it was when one modifier is wrong.
    let mut user = match ctx.server.users.get(name) {
        Some(user) => user.clone(),
        None => rules.new_user(),
    };
    for modifier in &modifiers {
        rules.apply(&mut user, modifier).map_err(|why| {
            Error::concat(&[
                b"ERR Error in ACL SETUSER modifier '",
                modifier,
                b"': ",
                why.as_bytes(),
            ])
        })?;
    }
    ctx.server.users.set(name, user);
    refresh_sessions(ctx);
    close_deaf(ctx, name);
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// Finds out anew whose calls have to be looked at one by one.
pub fn refresh_sessions(ctx: &mut Ctx) {
    let users = &ctx.server.users;
    ctx.session.note_restriction(users);
    for session in ctx.others.iter_mut() {
        session.note_restriction(users);
    }
}

/// Closes the connections of a user that hear channels it may not hear any more.
fn close_deaf(ctx: &mut Ctx, name: &[u8]) {
    let Some(user) = ctx.server.users.get(name) else {
        return;
    };
    let hears = |channel: &[u8], is_pattern: bool| {
        user.all()
            .any(|selector| selector.allows_channel(channel, is_pattern))
    };
    let sessions = ctx.others.iter().chain([&*ctx.session]);
    let deaf = sessions.filter(|session| {
        session.user == name
            && (session.channels.iter().any(|one| !hears(one, false))
                || session.shard_channels.iter().any(|one| !hears(one, false))
                || session.patterns.iter().any(|one| !hears(one, true)))
    });
    let deaf: Vec<u32> = deaf.map(|session| session.handle).collect();
    ctx.server.kills.extend(deaf);
}

fn deluser(ctx: &mut Ctx) -> Result {
    let mut count = 0;
    for name in ctx.args.iter().skip(2) {
        if *name == DEFAULT_USER {
            return Err(Error::new("ERR The 'default' user cannot be removed"));
        }
        if !ctx.server.users.remove(name) {
            continue;
        }
        count += 1;
        let sessions = ctx.others.iter().chain([&*ctx.session]);
        let gone = sessions.filter(|session| session.user == *name);
        let gone: Vec<u32> = gone.map(|session| session.handle).collect();
        ctx.server.kills.extend(gone);
    }
    ctx.reply.int(count);
    Ok(Outcome::Done)
}

fn dryrun(ctx: &mut Ctx) -> Result {
    let name = ctx.arg(2);
    let Some(user) = ctx.server.users.get(name) else {
        return Err(Error::concat(&[b"ERR User '", name, b"' not found"]));
    };
    let args = ctx.args.get(3..).unwrap_or_default();
    let row = find_row(ctx, args)
        .ok_or_else(|| Error::concat(&[b"ERR Command '", ctx.arg(3), b"' not found"]))?;
    if !row.row.accepts(args.len()) {
        return Err(Error::wrong_arity(&row.full_name()));
    }
    match denial(user, row, args) {
        None => ctx.reply.ok(),
        Some(denial) => {
            let object = object_of(denial.reason, row, args, denial.at);
            ctx.reply
                .bulk(&refusal_in_full(name, denial.reason, &object));
        }
    }
    Ok(Outcome::Done)
}

/// The row of a call, a subcommand's if there is one of that name.
fn find_row(ctx: &Ctx, args: &[&[u8]]) -> Option<Resolved> {
    let row = ctx.lookup.find(args.first()?)?;
    match args.get(1) {
        Some(word) if !row.row.subs.is_empty() => ctx.lookup.find_sub(row, word),
        _ => Some(row),
    }
}

/// What a refusal is about.
pub fn object_of(reason: Reason, row: Resolved, args: &[&[u8]], at: usize) -> Vec<u8> {
    match reason {
        Reason::Command => row.full_name(),
        _ => args.get(at).copied().unwrap_or_default().owned(),
    }
}

/// Why a call is not allowed, with names.
fn refusal_in_full(user: &[u8], reason: Reason, object: &[u8]) -> Vec<u8> {
    let (before, after): (&[u8], &[u8]) = match reason {
        Reason::Key => (b" has no permissions to access the '", b"' key"),
        Reason::Channel => (b" has no permissions to access the '", b"' channel"),
        Reason::Command | Reason::Auth => (b" has no permissions to run the '", b"' command"),
    };
    [b"User ", user, before, object, after].concat()
}

/// Why a call is not allowed, as its caller is told: names of keys and channels are not for everybody.
pub fn refusal(user: &[u8], reason: Reason, object: &[u8]) -> Vec<u8> {
    match reason {
        Reason::Key => b"No permissions to access a key".owned(),
        Reason::Channel => b"No permissions to access a channel".owned(),
        Reason::Command | Reason::Auth => refusal_in_full(user, reason, object),
    }
}

const GENPASS_BITS: Error = Error::new(
    "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
);

fn genpass(ctx: &mut Ctx) -> Result {
    let bits = match ctx.args {
        [_, _] => 256,
        [_, _, _] => ctx.integer(2)?,
        _ => return Err(wrong_use(ctx)),
    };
    if !(1..=4096).contains(&bits) {
        return Err(GENPASS_BITS);
    }
    let digits = (bits as usize).div_ceil(4);
    let mut text = ctx.server.users.secret_digits(digits);
    text.truncate(digits);
    ctx.reply.bulk(&text);
    Ok(Outcome::Done)
}

fn log(ctx: &mut Ctx) -> Result {
    let count = match ctx.args {
        [_, _] => 10,
        [_, _, word] if word.is_word(b"RESET") => {
            ctx.server.users.log.entries.clear();
            ctx.reply.ok();
            return Ok(Outcome::Done);
        }
        [_, _, count] => parse_i64(count).ok_or(Error::NOT_INTEGER)?.max(0),
        _ => return Err(wrong_use(ctx)),
    };
    let entries = &ctx.server.users.log.entries;
    let count = usize::try_from(count).map_or(usize::MAX, |count| count.min(entries.len()));
    ctx.reply.array(count.min(entries.len()));
    for entry in entries.iter().take(count) {
        write_entry(ctx.reply, entry, ctx.now_ms);
    }
    Ok(Outcome::Done)
}

fn write_entry(reply: &mut crate::resp::Reply, entry: &LogEntry, now_ms: i64) {
    reply.map(10);
    reply.bulk_str("count");
    reply.int(entry.count as i64);
    let texts: [(&str, &[u8]); 4] = [
        ("reason", entry.reason.name().as_bytes()),
        ("context", entry.place.name().as_bytes()),
        ("object", &entry.object),
        ("username", &entry.user),
    ];
    for (name, text) in texts {
        reply.bulk_str(name);
        reply.bulk(text);
    }
    reply.bulk_str("age-seconds");
    reply.double((now_ms - entry.updated_ms) as f64 / 1000.0);
    reply.bulk_str("client-info");
    reply.bulk(&entry.client);
    let numbers = [
        ("entry-id", entry.id as i64),
        ("timestamp-created", entry.created_ms),
        ("timestamp-last-updated", entry.updated_ms),
    ];
    for (name, number) in numbers {
        reply.bulk_str(name);
        reply.int(number);
    }
}

/// Notes that somebody could not log in as `user`.
pub fn note_login(ctx: &mut Ctx, user: &[u8]) {
    let place = match ctx.session.exec_length {
        Some(_) => Where::Multi,
        None => Where::Toplevel,
    };
    let client = client_line(ctx.session, ctx.lookup, ctx.args, ctx.now_ms);
    let entry = LogEntry {
        id: 0,
        count: 0,
        reason: Reason::Auth,
        place,
        object: ctx.arg(0).owned(),
        user: user.owned(),
        client,
        created_ms: ctx.now_ms,
        updated_ms: ctx.now_ms,
    };
    let limit = ctx.server.config.number("acllog-max-len");
    ctx.server
        .users
        .log
        .note(entry, usize::try_from(limit).unwrap_or(usize::MAX));
}

const NO_FILE: Error = Error::new(
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER \
     command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users \
     in the Redis configuration.",
);

fn load(ctx: &mut Ctx) -> Result {
    wait_for_file(ctx, &[b"acl-load"])
}

fn save(ctx: &mut Ctx) -> Result {
    let mut text = Vec::new();
    for line in ctx.server.users.lines() {
        text.put(&line);
        text.push(b'\n');
    }
    wait_for_file(ctx, &[b"acl-save", &text])
}

/// The file is the host's.
fn wait_for_file(ctx: &mut Ctx, request: &[&[u8]]) -> Result {
    if ctx.server.config.value("aclfile").is_empty() {
        return Err(NO_FILE);
    }
    ctx.server.request(request);
    ctx.server.acl_waiters.push(ctx.session.handle);
    Ok(Outcome::Block(Box::new(Block::on_time(
        None,
        TimeoutReply::Ok,
    ))))
}

fn help(ctx: &mut Ctx) -> Result {
    ctx.help(
        "acl",
        &[
            "CAT [<category>]",
            "    List all commands that belong to <category>, or all command categories",
            "    when no category is specified.",
            "DELUSER <username> [<username> ...]",
            "    Delete a list of users.",
            "DRYRUN <username> <command> [<arg> ...]",
            "    Returns whether the user can execute the given command without executing the command.",
            "GETUSER <username>",
            "    Get the user's details.",
            "GENPASS [<bits>]",
            "    Generate a secure 256-bit user password. The optional `bits` argument can",
            "    be used to specify a different size.",
            "LIST",
            "    Show users details in config file format.",
            "LOAD",
            "    Reload users from the ACL file.",
            "LOG [<count> | RESET]",
            "    Show the ACL log entries.",
            "SAVE",
            "    Save the current config to the ACL file.",
            "SETUSER <username> <attribute> [<attribute> ...]",
            "    Create or modify a user with the specified attributes.",
            "USERS",
            "    List all the registered usernames.",
            "WHOAMI",
            "    Return the current connection username.",
        ],
    )
}
