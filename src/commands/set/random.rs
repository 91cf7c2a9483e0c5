//! Random members of a set: returned, or returned and removed.

use super::members::{say, say_all};
use crate::algorithms::bytes::Bytes;
use crate::algorithms::rng::Rng;
use crate::keyspace::Class;
use crate::resp::{Error, Reply};
use crate::structures::item::Item;
use crate::table::{
    Acl, BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, integer, key,
    prose,
};
use crate::values::{Entry, Limits, Set, SetRef};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "spop", arity: -2, group: Group::Set, since: "1.0.0",
        flags: Flags::WRITE | Flags::FAST, acl: Acl::SET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RW | KeyFlags::ACCESS | KeyFlags::DELETE)],
        args: args![key("key"), integer("count").optional().since("3.2.0")],
        tips: &["nondeterministic_output"],
        reply: "bulk | nil | set<bulk>",
        doc: prose!("Removes one or several random members of a set and returns them.", "O(1), or O(N) for N members"),
        run: spop, ..BASE
    },
    Command {
        name: "srandmember", arity: -2, group: Group::Set, since: "1.0.0",
        flags: Flags::READONLY, acl: Acl::SET,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::RO | KeyFlags::ACCESS)],
        args: args![key("key"), integer("count").optional().since("2.6.0")],
        tips: &["nondeterministic_output"],
        reply: "bulk | nil | [bulk]",
        doc: prose!("Returns one or several random members of a set; with a negative count, the same may come again.", "O(1), or O(N) for N members"),
        run: srandmember, ..BASE
    },
];

/// Members in one SREM of the log.
const LOGGED_AT_ONCE: usize = 1024;
/// A set of which less than one of so many would be left is made anew from those.
const KEEP_RATIO: usize = 5;
/// If more than one of so many members are wanted, all are looked at.
const PICK_RATIO: usize = 3;
/// More members than anyone can receive.
const MOST_REPEATED: u64 = 1 << 27;

/// Where members go that were popped.
struct Popped<'r> {
    reply: &'r mut Reply,
    /// For the log; None if there is none.
    gone: Option<Vec<Vec<u8>>>,
}

impl Popped<'_> {
    fn take(&mut self, member: Item<'_>) {
        say(self.reply, member);
        if let Some(gone) = &mut self.gone {
            gone.push(member.to_vec());
        }
    }
}

/// Removes a random member; `visit` sees it.
fn pop(set: &mut Set, rng: &mut Rng, visit: &mut dyn FnMut(Item<'_>)) {
    match set.view().random(rng) {
        Some(Item::Int(number)) => {
            visit(Item::Int(number));
            set.remove_item(Item::Int(number));
        }
        Some(Item::Bytes(bytes)) => {
            visit(Item::Bytes(bytes));
            let member = bytes.owned();
            set.remove(&member);
        }
        None => {}
    }
}

fn spop(ctx: &mut Ctx) -> Result {
    match ctx.args.len() {
        2 => pop_one(ctx),
        3 => pop_several(ctx),
        _ => Err(Error::SYNTAX),
    }
}

fn pop_one(ctx: &mut Ctx) -> Result {
    let key = ctx.arg(1);
    let mut popped = Popped {
        reply: ctx.reply,
        gone: ctx.keys.is_logging().then(Vec::new),
    };
    let rng = &mut *ctx.rng;
    let edited = ctx.keys.edit(key, |set: &mut Set, _| {
        pop(set, rng, &mut |member| popped.take(member));
        Ok((1, ()))
    })?;
    let gone = popped.gone;
    let Some(edited) = edited else {
        ctx.reply.nil();
        return Ok(Outcome::Done);
    };
    ctx.keys.notify(Class::SET, "spop", key);
    if edited.is_removed {
        ctx.keys.notify(Class::GENERIC, "del", key);
    }
    log_removal(ctx, gone.as_deref().unwrap_or(&[]));
    Ok(Outcome::Done)
}

/// Logs that members of the set at the first argument's key are gone.
fn log_removal(ctx: &mut Ctx, gone: &[Vec<u8>]) {
    for members in gone.chunks(LOGGED_AT_ONCE) {
        let mut command: Vec<&[u8]> = vec![b"SREM", ctx.arg(1)];
        command.extend(members.iter().map(Vec::as_slice));
        ctx.propagate(&command);
    }
}

fn pop_several(ctx: &mut Ctx) -> Result {
    let key = ctx.arg(1);
    let count = ctx.integer(2).ok().filter(|count| *count >= 0);
    let count = count.ok_or(Error::new("ERR value is out of range, must be positive"))?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    ctx.keys.exists_for_write(key);
    let size = ctx.keys.peek_value(key, Entry::set)?.map_or(0, SetRef::len);
    ctx.reply.set(count.min(size));
    if count == 0 || size == 0 {
        return Ok(Outcome::Done);
    }
    let mut popped = Popped {
        reply: ctx.reply,
        gone: (ctx.keys.is_logging() && count < size).then(Vec::new),
    };
    let rng = &mut *ctx.rng;
    let edited = ctx.keys.edit(key, |set: &mut Set, limits| {
        take_several(set, count, rng, limits, &mut popped);
        Ok((count.min(size) as u64, ()))
    })?;
    let gone = popped.gone;
    ctx.keys.notify(Class::SET, "spop", key);
    if edited.is_some_and(|edited| edited.is_removed) {
        ctx.keys.notify(Class::GENERIC, "del", key);
        ctx.propagate(&[ctx.deletion("lazyfree-lazy-server-del"), key]);
    }
    log_removal(ctx, gone.as_deref().unwrap_or(&[]));
    Ok(Outcome::Done)
}

/// Removes `count` random members. The encoding is what Redis leaves: if hardly anything is left, that is a new set.
fn take_several(
    set: &mut Set,
    count: usize,
    rng: &mut Rng,
    limits: &Limits,
    popped: &mut Popped<'_>,
) {
    let left = set.view().len().saturating_sub(count);
    if left == 0 {
        set.view().walk(&mut |member| {
            popped.take(member);
            true
        });
        *set = Set::new();
        return;
    }
    let is_made_anew = left.saturating_mul(KEEP_RATIO) <= count;
    let mut kept = match set {
        Set::Ints(_) => Set::new(),
        _ => Set::packed_new(),
    };
    if matches!(set, Set::Packed(_)) {
        pick_in_order(set.view(), count, rng, &mut |member, is_picked| {
            if is_picked {
                popped.take(member);
            } else {
                kept.add_item(member, limits);
            }
        });
        *set = kept;
    } else if is_made_anew {
        for _ in 0..left {
            pop(set, rng, &mut |member| {
                kept.add_item(member, limits);
            });
        }
        set.view().walk(&mut |member| {
            popped.take(member);
            true
        });
        *set = kept;
    } else {
        for _ in 0..count {
            pop(set, rng, &mut |member| popped.take(member));
        }
    }
}

/// Goes through all members in order and picks `count` of them, each with the same probability.
fn pick_in_order<'a>(
    set: SetRef<'a>,
    count: usize,
    rng: &mut Rng,
    visit: &mut dyn FnMut(Item<'a>, bool),
) {
    let (mut wanted, mut left) = (count as u64, set.len() as u64);
    set.walk(&mut |member| {
        let is_picked = rng.below(left) < wanted;
        wanted -= u64::from(is_picked);
        left -= 1;
        visit(member, is_picked);
        true
    });
}

fn srandmember(ctx: &mut Ctx) -> Result {
    match ctx.args.len() {
        2 => {
            let set = ctx.keys.read_value(ctx.arg(1), Entry::set)?;
            match set.and_then(|set| set.random(ctx.rng)) {
                Some(member) => say(ctx.reply, member),
                None => ctx.reply.nil(),
            }
            Ok(Outcome::Done)
        }
        3 => several(ctx),
        _ => Err(Error::SYNTAX),
    }
}

fn several(ctx: &mut Ctx) -> Result {
    let count = ctx.integer(2)?;
    if count == i64::MIN {
        return Err(Error::new(
            "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ));
    }
    let limits = ctx.keys.limits.clone();
    let set = ctx.keys.read_value(ctx.arg(1), Entry::set)?;
    let Some(set) = set.filter(|_| count != 0) else {
        ctx.reply.array(0);
        return Ok(Outcome::Done);
    };
    if count < 0 {
        if count.unsigned_abs() > MOST_REPEATED {
            return Err(Error::OOM);
        }
        let count = count.unsigned_abs() as usize;
        ctx.reply.array(count);
        for _ in 0..count {
            if let Some(member) = set.random(ctx.rng) {
                say(ctx.reply, member);
            }
        }
        return Ok(Outcome::Done);
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX).min(set.len());
    ctx.reply.array(count);
    if count == set.len() {
        say_all(ctx.reply, set);
    } else if matches!(set, SetRef::Packed(_)) || count.saturating_mul(PICK_RATIO) > set.len() {
        pick_in_order(set, count, ctx.rng, &mut |member, is_picked| {
            if is_picked {
                say(ctx.reply, member);
            }
        });
    } else {
        pick_few(set, count, ctx.rng, &limits, ctx.reply);
    }
    Ok(Outcome::Done)
}

/// Says random members, each once: few of many, so that hardly any is met twice.
fn pick_few(set: SetRef<'_>, count: usize, rng: &mut Rng, limits: &Limits, reply: &mut Reply) {
    let mut seen = Set::table(limits);
    let mut said = 0;
    while said < count {
        let Some(member) = set.random(rng) else {
            return;
        };
        if seen.add_item(member, limits) {
            say(reply, member);
            said += 1;
        }
    }
}
