//! Waiting for replicas, of which there are none, and for the append-only file.

use crate::algorithms::num;
use crate::resp::Error;
use crate::state::{Block, BlockOn, TimeoutReply};
use crate::table::{Acl, BASE, Command, Ctx, Flags, Group, Outcome, Result, args, integer, prose};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "wait", arity: 3, group: Group::Generic, since: "3.0.0",
        flags: Flags::BLOCKING, acl: Acl::CONNECTION,
        args: args![integer("numreplicas"), integer("timeout")],
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        reply: "int",
        doc: prose!("Waits until so many replicas have this client's writes, or the time is up; tells how many have them.", "O(1)"),
        run: wait, ..BASE
    },
    Command {
        name: "waitaof", arity: 4, group: Group::Generic, since: "7.2.0",
        flags: Flags::BLOCKING, acl: Acl::CONNECTION,
        args: args![integer("numlocal"), integer("numreplicas"), integer("timeout")],
        tips: &["request_policy:all_shards", "response_policy:agg_min"],
        reply: "[int]",
        doc: prose!("Waits until this client's writes are in append-only files, here and of so many replicas, or the time is up.", "O(1)"),
        run: waitaof, ..BASE
    },
];

fn wait(ctx: &mut Ctx) -> Result {
    let replicas = ctx.integer(1)?;
    let deadline_ms = ctx.deadline_from_ms(ctx.arg(2))?;
    if replicas <= 0 {
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    }
    block(deadline_ms, TimeoutReply::Int(0))
}

fn waitaof(ctx: &mut Ctx) -> Result {
    let local = ctx.integer(1)?;
    if !(0..=1).contains(&local) {
        return Err(Error::new(
            "ERR value is out of range, value must between 0 and 1",
        ));
    }
    let replicas = num::parse_i64(ctx.arg(2))
        .filter(|replicas| *replicas >= 0)
        .ok_or(Error::new("ERR value is out of range, must be positive"))?;
    let deadline_ms = ctx.deadline_from_ms(ctx.arg(3))?;
    let is_enabled = ctx.server.is_aof_enabled();
    if local == 1 && !is_enabled {
        return Err(Error::new(
            "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.",
        ));
    }
    let is_stored = is_enabled && ctx.session.logged_bytes <= ctx.server.aof.durable_bytes;
    if replicas == 0 && local <= i64::from(is_stored) || ctx.session.is_in_exec {
        ctx.reply.array(2);
        ctx.reply.int_bool(is_stored);
        ctx.reply.int(0);
        return Ok(Outcome::Done);
    }
    if !is_stored {
        ctx.server.aof.waiters.push(ctx.session.handle);
    }
    Ok(Outcome::Block(Box::new(Block {
        on: BlockOn::Stored {
            with_replicas: replicas > 0,
        },
        ..Block::on_time(
            deadline_ms,
            TimeoutReply::Ints(vec![i64::from(is_stored), 0]),
        )
    })))
}

fn block(deadline_ms: Option<i64>, timeout_reply: TimeoutReply) -> Result {
    Ok(Outcome::Block(Box::new(Block::on_time(
        deadline_ms,
        timeout_reply,
    ))))
}
