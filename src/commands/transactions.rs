//! Transactions: commands are queued, then run one after another with nothing in between.
//!
//! <https://redis.io/docs/latest/develop/using-commands/transactions/>

use crate::algorithms::bytes::Bytes;
use crate::resp::Error;
use crate::state::Multi;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, key, prose,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "multi", arity: 1, group: Group::Transactions, since: "1.2.0",
        flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE | Flags::FAST | Flags::ALLOW_BUSY,
        acl: Acl::TRANSACTION,
        reply: "OK",
        doc: prose!("Opens a transaction: the commands that follow are queued until EXEC.", "O(1)"),
        run: multi,
        ..BASE
    },
    Command {
        name: "exec", arity: 1, group: Group::Transactions, since: "1.2.0",
        flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE | Flags::SKIP_SLOWLOG,
        acl: Acl::TRANSACTION,
        reply: "[any] | nil",
        doc: prose!("Runs every queued command; nil when a watched key has changed.", "As the commands in the queue"),
        run: exec,
        ..BASE
    },
    Command {
        name: "discard", arity: 1, group: Group::Transactions, since: "2.0.0",
        flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE | Flags::FAST | Flags::ALLOW_BUSY,
        acl: Acl::TRANSACTION,
        reply: "OK",
        doc: prose!("Throws the queue of the open transaction away.", "O(N), N the number of queued commands"),
        run: discard,
        ..BASE
    },
    Command {
        name: "watch", arity: -2, group: Group::Transactions, since: "2.2.0",
        flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE | Flags::FAST | Flags::ALLOW_BUSY,
        acl: Acl::TRANSACTION,
        keys: &[KeySpec::index(1).range(-1, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key").multiple()],
        reply: "OK",
        doc: prose!("Makes the next EXEC depend on these keys staying as they are.", "O(1) for each key"),
        run: watch,
        ..BASE
    },
    Command {
        name: "unwatch", arity: 1, group: Group::Transactions, since: "2.2.0",
        flags: Flags::NOSCRIPT | Flags::LOADING | Flags::STALE | Flags::FAST | Flags::ALLOW_BUSY,
        acl: Acl::TRANSACTION,
        reply: "OK",
        doc: prose!("Forgets every watched key.", "O(1)"),
        run: unwatch,
        ..BASE
    },
];

fn multi(ctx: &mut Ctx) -> Result {
    if ctx.session.multi.is_some() {
        return Err(Error::new("ERR MULTI calls can not be nested"));
    }
    ctx.session.multi = Some(Box::new(Multi::default()));
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn exec(ctx: &mut Ctx) -> Result {
    let Some(multi) = &ctx.session.multi else {
        return Err(Error::new("ERR EXEC without MULTI"));
    };
    let is_broken = multi.is_broken;
    let has_expired = ctx
        .session
        .watched
        .iter()
        .any(|(db, key)| ctx.keys.is_watch_expired(*db, key, ctx.session.handle));
    if is_broken {
        end(ctx);
        return Err(Error::EXEC_ABORT);
    }
    if ctx.session.is_touched || has_expired {
        end(ctx);
        ctx.reply.nil_array();
        return Ok(Outcome::Done);
    }
    Ok(Outcome::Exec)
}

fn discard(ctx: &mut Ctx) -> Result {
    if ctx.session.multi.is_none() {
        return Err(Error::new("ERR DISCARD without MULTI"));
    }
    end(ctx);
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn watch(ctx: &mut Ctx) -> Result {
    if ctx.session.multi.is_some() {
        return Err(Error::new("ERR WATCH inside MULTI is not allowed"));
    }
    // Once touched, EXEC will refuse anyway: nothing more to remember.
    if !ctx.session.is_touched {
        for key in ctx.args.iter().skip(1) {
            let place = (ctx.keys.selected(), key.owned());
            if !ctx.session.watched.contains(&place) {
                ctx.keys.watch(key, ctx.session.handle);
                ctx.session.watched.push(place);
            }
        }
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}

fn unwatch(ctx: &mut Ctx) -> Result {
    forget_watches(ctx);
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// Leaves the transaction without running it.
pub fn end(ctx: &mut Ctx) {
    ctx.session.multi = None;
    forget_watches(ctx);
}

fn forget_watches(ctx: &mut Ctx) {
    let mut watched = std::mem::take(&mut ctx.session.watched);
    ctx.keys.unwatch_all(&mut watched, ctx.session.handle);
    ctx.session.is_touched = false;
}
