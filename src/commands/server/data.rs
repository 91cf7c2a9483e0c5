//! The data set as a whole: its size, its end, its saves; the server's time, role and end.

use crate::algorithms::bytes::Bytes;
use crate::resp::Error;
use crate::state::{Block, Storage, TimeoutReply};
use crate::table::{
    Acl, BASE, Command, Ctx, Deprecated, Flags, Group, Outcome, Result, args, block, flag, integer,
    oneof, prose, string,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "dbsize", arity: 1, group: Group::Server, since: "1.0.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::KEYSPACE,
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        reply: "int",
        doc: prose!("Counts the keys of the selected database.", "O(1)"),
        run: dbsize,
        ..BASE
    },
    Command {
        name: "flushall", arity: -1, group: Group::Server, since: "1.0.0",
        flags: Flags::WRITE,
        acl: Acl::KEYSPACE | Acl::DANGEROUS,
        args: args![oneof("flush-type", args![flag("ASYNC").since("4.0.0"), flag("SYNC").since("6.2.0")]).optional()],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        reply: "OK",
        doc: prose!("Removes every key of every database.", "O(N), N the number of keys"),
        run: flushall,
        ..BASE
    },
    Command {
        name: "flushdb", arity: -1, group: Group::Server, since: "1.0.0",
        flags: Flags::WRITE,
        acl: Acl::KEYSPACE | Acl::DANGEROUS,
        args: args![oneof("flush-type", args![flag("ASYNC").since("4.0.0"), flag("SYNC").since("6.2.0")]).optional()],
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        reply: "OK",
        doc: prose!("Removes every key of the selected database.", "O(N), N the number of keys"),
        run: flushdb,
        ..BASE
    },
    Command {
        name: "swapdb", arity: 3, group: Group::Server, since: "4.0.0",
        flags: Flags::WRITE | Flags::FAST,
        acl: Acl::KEYSPACE | Acl::DANGEROUS,
        args: args![integer("index1"), integer("index2")],
        reply: "OK",
        doc: prose!("Lets two databases change places, for all clients at once.", "O(N), N the number of clients that watch or wait for keys of either"),
        run: swapdb,
        ..BASE
    },
    Command {
        name: "time", arity: 1, group: Group::Server, since: "2.6.0",
        flags: Flags::LOADING | Flags::STALE | Flags::FAST,
        tips: &["nondeterministic_output"],
        reply: "[bulk]",
        doc: prose!("The time: seconds since the epoch, and the microseconds beyond.", "O(1)"),
        run: time,
        ..BASE
    },
    Command {
        name: "lastsave", arity: 1, group: Group::Server, since: "1.0.0",
        flags: Flags::LOADING | Flags::STALE | Flags::FAST,
        acl: Acl::ADMIN | Acl::DANGEROUS,
        tips: &["nondeterministic_output"],
        reply: "int",
        doc: prose!("When the data set was last saved, in seconds since the epoch.", "O(1)"),
        run: lastsave,
        ..BASE
    },
    Command {
        name: "save", arity: 1, group: Group::Server, since: "1.0.0",
        flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::NO_ASYNC_LOADING | Flags::NO_MULTI,
        reply: "OK",
        doc: prose!("Saves the data set; the reply comes when it is stored.", "O(N), N the number of keys"),
        run: save,
        ..BASE
    },
    Command {
        name: "bgsave", arity: -1, group: Group::Server, since: "1.0.0",
        flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::NO_ASYNC_LOADING,
        args: args![flag("SCHEDULE").optional().since("3.2.2")],
        reply: "simple",
        doc: prose!("Begins to save the data set, and does not wait for the end.", "O(1)"),
        run: bgsave,
        ..BASE
    },
    Command {
        name: "bgrewriteaof", arity: 1, group: Group::Server, since: "1.0.0",
        flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::NO_ASYNC_LOADING,
        reply: "simple",
        doc: prose!("Rewrites the append-only file: a snapshot takes the place of the writes so far.", "O(1)"),
        run: bgrewriteaof,
        ..BASE
    },
    Command {
        name: "shutdown", arity: -1, group: Group::Server, since: "1.0.0",
        flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE | Flags::NO_MULTI | Flags::ALLOW_BUSY,
        args: args![oneof("save-selector", args![flag("NOSAVE"), flag("SAVE")]).optional(), flag("NOW").optional().since("7.0.0"), flag("FORCE").optional().since("7.0.0"), flag("ABORT").optional().since("7.0.0")],
        reply: "OK",
        doc: prose!("Ends the server, after a save where there are rules to save or SAVE is said.", "O(N) with a save, N the number of keys; else O(1)"),
        run: shutdown,
        ..BASE
    },
    Command {
        name: "role", arity: 1, group: Group::Server, since: "2.8.12",
        flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE | Flags::FAST,
        acl: Acl::ADMIN | Acl::DANGEROUS,
        reply: "[any]",
        doc: prose!("The role in replication: always that of a primary without replicas.", "O(1)"),
        run: role,
        ..BASE
    },
    Command {
        name: "replicaof", arity: 3, group: Group::Server, since: "5.0.0",
        flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::STALE | Flags::NO_ASYNC_LOADING,
        args: args![oneof("args", args![block("host-port", args![string("host"), integer("port")]), block("no-one", args![flag("NO"), flag("ONE")])])],
        reply: "OK",
        doc: prose!("NO ONE makes the server a primary, which it is anyway; nothing else is possible.", "O(1)"),
        run: replicaof,
        ..BASE
    },
    Command {
        name: "slaveof", arity: 3, group: Group::Server, since: "1.0.0",
        flags: Flags::ADMIN | Flags::NOSCRIPT | Flags::STALE | Flags::NO_ASYNC_LOADING,
        args: args![oneof("args", args![block("host-port", args![string("host"), integer("port")]), block("no-one", args![flag("NO"), flag("ONE")])])],
        deprecated: Some(Deprecated { since: "5.0.0", replaced_by: "`REPLICAOF`" }),
        reply: "OK",
        doc: prose!("The older name of REPLICAOF.", "O(1)"),
        run: replicaof,
        ..BASE
    },
    Command {
        name: "lolwut", arity: -1, group: Group::Server, since: "5.0.0",
        flags: Flags::READONLY | Flags::FAST,
        args: args![integer("version").token("VERSION").optional()],
        reply: "any",
        doc: prose!("Draws a picture and tells the version.", "O(1)"),
        run: super::lolwut::lolwut,
        ..BASE
    },
];

fn dbsize(ctx: &mut Ctx) -> Result {
    let count = ctx.keys.len();
    ctx.reply.count(count);
    Ok(Outcome::Done)
}

/// ASYNC or SYNC: here both free the memory at once.
fn flush_mode(ctx: &Ctx) -> core::result::Result<(), Error> {
    let options = &mut ctx.options(1);
    let is_mode = options.is_done() || options.take("async") || options.take("sync");
    match is_mode && options.is_done() {
        true => Ok(()),
        false => Err(Error::SYNTAX),
    }
}

fn flushall(ctx: &mut Ctx) -> Result {
    flush_mode(ctx)?;
    for db in 0..ctx.keys.db_count() {
        ctx.keys.flush(db);
    }
    // Also when there was nothing to remove: a replica may hold something.
    ctx.keys.dirty += 1;
    // Nobody should find the data again after a restart.
    ctx.server.is_save_wanted = !ctx.server.config.save_rules.is_empty();
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn flushdb(ctx: &mut Ctx) -> Result {
    flush_mode(ctx)?;
    let db = ctx.keys.selected();
    ctx.keys.flush(db);
    ctx.keys.dirty += 1;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn swapdb(ctx: &mut Ctx) -> Result {
    let index = |at: usize, error: Error| {
        let number = ctx.integer(at).ok();
        // What is no C int is no index; what is one may still be no database.
        number
            .filter(|number| i32::try_from(*number).is_ok())
            .ok_or(error)
    };
    let one = index(1, Error::new("ERR invalid first DB index"))?;
    let other = index(2, Error::new("ERR invalid second DB index"))?;
    let in_range = |index: i64| {
        usize::try_from(index)
            .ok()
            .filter(|db| *db < ctx.keys.db_count())
    };
    let (Some(one), Some(other)) = (in_range(one), in_range(other)) else {
        return Err(Error::DB_OUT_OF_RANGE);
    };
    ctx.keys.swap(one, other);
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn time(ctx: &mut Ctx) -> Result {
    ctx.reply.array(2);
    ctx.reply.bulk_int(ctx.now_ms.div_euclid(1000));
    ctx.reply.bulk_int(ctx.now_ms.rem_euclid(1000) * 1000);
    Ok(Outcome::Done)
}

fn lastsave(ctx: &mut Ctx) -> Result {
    ctx.reply.int(ctx.server.last_save_s);
    Ok(Outcome::Done)
}

const IN_PROGRESS: Error = Error::new("ERR Background save already in progress");

fn save(ctx: &mut Ctx) -> Result {
    if ctx.server.is_saving {
        return Err(IN_PROGRESS);
    }
    ctx.server.is_saving = true;
    ctx.server.save_waiters.push(ctx.session.handle);
    match ctx.server.aof.is_rewriting {
        true => ctx.server.is_save_waiting = true,
        false => ctx.server.request(&[b"save", b"sync"]),
    }
    Ok(Outcome::Block(Box::new(Block::on_time(
        None,
        TimeoutReply::Ok,
    ))))
}

fn bgsave(ctx: &mut Ctx) -> Result {
    let options = &mut ctx.options(1);
    let is_schedule = options.take("schedule");
    if !options.is_done() {
        return Err(Error::SYNTAX);
    }
    let is_in_exec = ctx.session.exec_length.is_some();
    if ctx.server.is_saving {
        return Err(IN_PROGRESS);
    }
    if is_in_exec || ctx.server.aof.is_rewriting {
        if !is_schedule && !is_in_exec {
            return Err(Error::new(
                "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to \
                 schedule a BGSAVE whenever possible.",
            ));
        }
        ctx.server.is_save_scheduled = true;
        ctx.reply.status("Background saving scheduled");
        return Ok(Outcome::Done);
    }
    ctx.server.start_save(ctx.now_ms);
    ctx.reply.status("Background saving started");
    Ok(Outcome::Done)
}

fn bgrewriteaof(ctx: &mut Ctx) -> Result {
    if ctx.server.aof.is_rewriting {
        return Err(Error::new(
            "ERR Background append only file rewriting already in progress",
        ));
    }
    if ctx.server.aof.storage != Storage::Aof {
        return Err(Error::new(
            "ERR Can't execute an AOF background rewriting. Please check the server logs for more information.",
        ));
    }
    if ctx.server.is_saving || ctx.session.exec_length.is_some() {
        ctx.server.aof.is_scheduled = true;
        ctx.server.aof.failures = 0;
        ctx.reply
            .status("Background append only file rewriting scheduled");
        return Ok(Outcome::Done);
    }
    ctx.server.start_rewrite(ctx.now_ms);
    ctx.reply
        .status("Background append only file rewriting started");
    Ok(Outcome::Done)
}

fn shutdown(ctx: &mut Ctx) -> Result {
    let options = &mut ctx.options(1);
    let (mut mode, mut is_now, mut is_forced, mut is_abort) = (None, false, false, false);
    while !options.is_done() {
        let chosen: Option<&[u8]> = match () {
            () if options.take("nosave") => Some(b"nosave"),
            () if options.take("save") => Some(b"save"),
            () if options.take("now") => {
                is_now = true;
                None
            }
            () if options.take("force") => {
                is_forced = true;
                None
            }
            () if options.take("abort") => {
                is_abort = true;
                None
            }
            () => return Err(Error::SYNTAX),
        };
        if chosen.is_some() && mode.is_some() && chosen != mode {
            return Err(Error::SYNTAX);
        }
        mode = chosen.or(mode);
    }
    if is_abort {
        return Err(match mode.is_some() || is_now || is_forced {
            true => Error::SYNTAX,
            false => Error::new("ERR No shutdown in progress."),
        });
    }
    #[cfg(feature = "scripting")]
    if let Some(busy) = &ctx.server.scripts.busy
        && mode != Some(b"nosave")
    {
        return Err(busy.refusal());
    }
    if ctx.server.aof.is_starting && ctx.server.aof.is_rewriting && !is_forced {
        ctx.server.log(3, b"Writing initial AOF, can't exit.");
        return Err(Error::new("ERR Errors trying to SHUTDOWN. Check logs."));
    }
    let mut request: Vec<&[u8]> = vec![b"shutdown", mode.unwrap_or(b"default")];
    if is_now {
        request.push(b"now");
    }
    if is_forced {
        request.push(b"force");
    }
    ctx.server.request(&request);
    ctx.server.shutdown_waiters.push(ctx.session.handle);
    // The connection ends without a reply; only a shutdown that fails is answered.
    Ok(Outcome::Block(Box::new(Block::on_time(
        None,
        TimeoutReply::Ok,
    ))))
}

fn role(ctx: &mut Ctx) -> Result {
    ctx.reply.array(3);
    ctx.reply.bulk_str("master");
    ctx.reply.int(0);
    ctx.reply.array(0);
    Ok(Outcome::Done)
}

fn replicaof(ctx: &mut Ctx) -> Result {
    let is_no_one = ctx.arg(1).is_word(b"no") && ctx.arg(2).is_word(b"one");
    if !is_no_one {
        let port = ctx
            .integer(2)
            .ok()
            .filter(|port| (0..=65535).contains(port));
        return Err(match port {
            Some(_) => Error::new("ERR This server cannot be a replica"),
            None => Error::new("ERR Invalid master port"),
        });
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}
