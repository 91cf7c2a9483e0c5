//! Reading a stream by ids.

use super::{Parsed, interval_end, interval_start, reply_entry};
use crate::resp::Error;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, integer, key,
    prose, string,
};
use crate::values::Entry;

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "xlen", arity: 2, group: Group::Stream, since: "5.0.0",
        flags: Flags::READONLY | Flags::FAST,
        acl: Acl::STREAM,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO)],
        args: args![key("key")],
        reply: "int",
        doc: prose!("How many entries a stream has.", "O(1)"),
        run: xlen, ..BASE
    },
    Command {
        name: "xrange", arity: -4, group: Group::Stream, since: "5.0.0",
        flags: Flags::READONLY,
        acl: Acl::STREAM,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), string("start"), string("end"), integer("count").token("COUNT").optional()],
        reply: "[[bulk, [bulk] | nil]] | nil",
        doc: prose!("The entries between two ids.", "O(log N + M), M the entries returned"),
        run: xrange, ..BASE
    },
    Command {
        name: "xrevrange", arity: -4, group: Group::Stream, since: "5.0.0",
        flags: Flags::READONLY,
        acl: Acl::STREAM,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), string("end"), string("start"), integer("count").token("COUNT").optional()],
        reply: "[[bulk, [bulk] | nil]] | nil",
        doc: prose!("The entries between two ids, the last first.", "O(log N + M), M the entries returned"),
        run: xrevrange, ..BASE
    },
];

fn xlen(ctx: &mut Ctx) -> Result {
    let stream = ctx.keys.read_value(ctx.arg(1), Entry::stream)?;
    let length = stream.map_or(0, |stream| stream.len());
    ctx.reply.int(length as i64);
    Ok(Outcome::Done)
}

fn xrange(ctx: &mut Ctx) -> Result {
    range(ctx, false)
}

fn xrevrange(ctx: &mut Ctx) -> Result {
    range(ctx, true)
}

/// The last COUNT; None when there is none, and what is negative counts as 0.
fn count_option(ctx: &Ctx) -> Parsed<Option<u64>> {
    let mut count = None;
    let options = &mut ctx.options(4);
    while !options.is_done() {
        if options.left() < 2 || !options.take("COUNT") {
            return Err(Error::SYNTAX);
        }
        count = Some(options.integer()?.max(0) as u64);
    }
    Ok(count)
}

fn range(ctx: &mut Ctx, is_reverse: bool) -> Result {
    let (start, end) = match is_reverse {
        true => (ctx.arg(3), ctx.arg(2)),
        false => (ctx.arg(2), ctx.arg(3)),
    };
    let (start, end) = (interval_start(start)?, interval_end(end)?);
    let count = count_option(ctx)?;
    let Some(stream) = ctx.keys.read_value(ctx.arg(1), Entry::stream)? else {
        ctx.reply.array(0);
        return Ok(Outcome::Done);
    };
    if count == Some(0) {
        ctx.reply.nil_array();
        return Ok(Outcome::Done);
    }
    let limit = count.map_or(usize::MAX, |count| {
        usize::try_from(count).unwrap_or(usize::MAX)
    });
    let mark = ctx.reply.mark();
    let mut replied = 0;
    for entry in stream.range(start, end, is_reverse).take(limit) {
        reply_entry(ctx.reply, &entry);
        replied += 1;
    }
    ctx.reply.close_array(mark, replied);
    Ok(Outcome::Done)
}
