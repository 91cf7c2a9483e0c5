//! Values on the move: DUMP and RESTORE, and MIGRATE, which needs a network the engine does not have.

use crate::algorithms::lzf::Compressor;
use crate::algorithms::num;
use crate::formats::dump::{self, Refused};
use crate::formats::objects::Loaded;
use crate::formats::rdb;
use crate::keyspace::Class;
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, block, flag,
    integer, key, migrate_keys, oneof, prose, string, token,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "dump", arity: 2, group: Group::Generic, since: "2.6.0",
        flags: Flags::READONLY, acl: Acl::KEYSPACE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key")],
        tips: &["nondeterministic_output"],
        reply: "bulk | nil",
        doc: prose!("What a key holds, as bytes for RESTORE.", "O(N), N the size of the value"),
        run: dump, ..BASE
    },
    Command {
        name: "restore", arity: -4, group: Group::Generic, since: "2.6.0",
        flags: Flags::WRITE | Flags::DENYOOM, acl: Acl::KEYSPACE | Acl::DANGEROUS,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE)],
        args: args![
            key("key"), integer("ttl"), string("serialized-value"),
            flag("REPLACE").optional().since("3.0.0"), flag("ABSTTL").optional().since("5.0.0"),
            integer("seconds").token("IDLETIME").optional().since("5.0.0"),
            integer("frequency").token("FREQ").optional().since("5.0.0"),
        ],
        reply: "OK",
        doc: prose!("Makes a key from the bytes of DUMP.", "O(N), N the size of the value"),
        run: restore, ..BASE
    },
    Command {
        name: "restore-asking", arity: -4, group: Group::Server, since: "3.0.0",
        flags: Flags::WRITE | Flags::DENYOOM | Flags::ASKING, acl: Acl::KEYSPACE | Acl::DANGEROUS,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::OW | KeyFlags::UPDATE)],
        args: args![
            key("key"), integer("ttl"), string("serialized-value"),
            flag("REPLACE").optional().since("3.0.0"), flag("ABSTTL").optional().since("5.0.0"),
            integer("seconds").token("IDLETIME").optional().since("5.0.0"),
            integer("frequency").token("FREQ").optional().since("5.0.0"),
        ],
        reply: "OK",
        doc: prose!("RESTORE as servers of a cluster send it to each other.", "O(N), N the size of the value"),
        is_system: true,
        run: restore, ..BASE
    },
    Command {
        name: "migrate", arity: -6, group: Group::Generic, since: "2.6.0",
        flags: Flags::WRITE | Flags::MOVABLEKEYS, acl: Acl::KEYSPACE | Acl::DANGEROUS,
        keys: &[
            KeySpec::index(3).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE),
            KeySpec::keyword("KEYS", -2).range(-1, 1, 0)
                .flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE | KeyFlags::INCOMPLETE),
        ],
        find_keys: Some(migrate_keys),
        args: args![
            string("host"), integer("port"), oneof("key-selector", args![key("key"), token("empty-string", "")]),
            integer("destination-db"), integer("timeout"),
            flag("COPY").optional().since("3.0.0"), flag("REPLACE").optional().since("3.0.0"),
            oneof("authentication", args![
                string("auth").display("password").token("AUTH").since("4.0.7"),
                block("auth2", args![string("username"), string("password")]).token("AUTH2").since("6.0.0"),
            ]).optional(),
            key("keys").display("key").spec(1).token("KEYS").optional().multiple().since("3.0.6"),
        ],
        tips: &["nondeterministic_output"],
        reply: "OK | simple",
        doc: prose!("Moves keys to another server; from here none can be reached.", "O(N), N the number of keys"),
        run: migrate, ..BASE
    },
];

fn dump(ctx: &mut Ctx) -> Result {
    match ctx.keys.read(ctx.arg(1)) {
        Some(entry) => {
            let is_short = entry
                .string()
                .is_some_and(|value| value.len() < rdb::MIN_COMPRESSED);
            let is_compressed = !is_short && ctx.server.config.value("rdbcompression") == b"yes";
            let mut compressor = is_compressed.then(Compressor::new);
            let mut payload = Vec::new();
            dump::write(&mut payload, &entry, compressor.as_mut());
            ctx.reply.bulk(&payload);
        }
        None => ctx.reply.nil(),
    }
    Ok(Outcome::Done)
}

/// The options of RESTORE.
#[derive(Default)]
struct Manner {
    replaces: bool,
    is_absolute: bool,
    idle_s: Option<i64>,
    frequency: Option<u8>,
}

impl Manner {
    fn parse(ctx: &Ctx) -> core::result::Result<Manner, Error> {
        let mut manner = Manner::default();
        let options = &mut ctx.options(4);
        while !options.is_done() {
            if options.take("REPLACE") {
                manner.replaces = true;
            } else if options.take("ABSTTL") {
                manner.is_absolute = true;
            } else if manner.frequency.is_none()
                && let Some(value) = options.take_value("IDLETIME")
            {
                let idle_s = num::parse_i64(value).ok_or(Error::NOT_INTEGER)?;
                manner.idle_s = Some(idle_s).filter(|idle_s| *idle_s >= 0);
                manner
                    .idle_s
                    .ok_or(Error::new("ERR Invalid IDLETIME value, must be >= 0"))?;
            } else if manner.idle_s.is_none()
                && let Some(value) = options.take_value("FREQ")
            {
                let frequency = num::parse_i64(value).ok_or(Error::NOT_INTEGER)?;
                manner.frequency = u8::try_from(frequency).ok();
                manner.frequency.ok_or(Error::new(
                    "ERR Invalid FREQ value, must be >= 0 and <= 255",
                ))?;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(manner)
    }
}

fn restore(ctx: &mut Ctx) -> Result {
    let key = ctx.arg(1);
    let manner = Manner::parse(ctx)?;
    if ctx.keys.exists_for_write(key) && !manner.replaces {
        return Err(Error::BUSY_KEY);
    }
    let ttl_ms = ctx.integer(2)?;
    if ttl_ms < 0 {
        return Err(Error::new("ERR Invalid TTL value, must be >= 0"));
    }
    let loaded = dump::read(ctx.arg(3), &ctx.keys.limits).map_err(|refused| match refused {
        Refused::VersionOrChecksum => Error::new("ERR DUMP payload version or checksum are wrong"),
        Refused::Format => Error::new("ERR Bad data format"),
    })?;
    let start_ms = if manner.is_absolute { 0 } else { ctx.now_ms };
    // Too long a time wraps around into the past, as in Redis.
    let expiry_ms = (ttl_ms > 0).then(|| ttl_ms.wrapping_add(start_ms));
    if expiry_ms.is_some_and(|at_ms| at_ms <= ctx.keys.now_ms()) {
        // It would be gone at once: all that is left to do is to remove what was there.
        if ctx.keys.remove(key) {
            ctx.keys.notify(Class::GENERIC, "del", key);
            ctx.propagate(&[ctx.deletion("lazyfree-lazy-server-del"), key]);
        }
        ctx.reply.ok();
        return Ok(Outcome::Done);
    }
    let moved = match loaded {
        Loaded::String(text) => ctx.keys.restore_string(key, &text, expiry_ms),
        Loaded::Object(object) => ctx.keys.restore_object(key, object, expiry_ms),
    };
    ctx.keys.set_usage(key, manner.idle_s, manner.frequency);
    ctx.keys.notify(Class::GENERIC, "restore", key);
    super::keys::notify_replaced(ctx, moved, key, ctx.keys.selected());
    if let Some(at_ms) = expiry_ms.filter(|_| !manner.is_absolute) {
        log_absolute(ctx, at_ms);
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// A time to live is logged as the moment it ends.
fn log_absolute(ctx: &mut Ctx, at_ms: i64) {
    let at = num::format_i64(at_ms);
    let mut logged = ctx.args.to_vec();
    if let Some(ttl) = logged.get_mut(2) {
        *ttl = at.as_bytes();
    }
    logged.push(b"ABSTTL");
    ctx.propagate(&logged);
}

fn migrate(ctx: &mut Ctx) -> Result {
    let mut keys = ctx.args.get(3..4).unwrap_or(&[]);
    let options = &mut ctx.options(6);
    while !options.is_done() {
        if options.take("COPY") || options.take("REPLACE") || options.take_value("AUTH").is_some() {
            continue;
        } else if options.left() > 2 && options.take_value("AUTH2").is_some() {
            options.value()?;
        } else if options.take("KEYS") {
            if !ctx.arg(3).is_empty() {
                return Err(Error::new(
                    "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string",
                ));
            }
            keys = options.rest();
            break;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    for number in [5, 4] {
        ctx.integer(number)?;
    }
    let found = keys
        .iter()
        .filter(|key| ctx.keys.read(key).is_some())
        .count();
    if found > 0 {
        return Err(Error::new(
            "IOERR error or timeout writing to target instance",
        ));
    }
    ctx.reply.status("NOKEY");
    Ok(Outcome::Done)
}
