//! Sorted sets: members that are found by name, by rank and by score; a file for each concern. Every file has its own
//! `ROWS`, all of them are listed in `GROUPS`.
//!
//! <https://redis.io/docs/latest/develop/data-types/sorted-sets/>

pub mod add;
mod bounds;
pub mod combine;
pub mod pop;
pub mod random;
pub mod range;
pub mod read;
pub mod remove;

use crate::keyspace::Class;
use crate::resp::Reply;
use crate::structures::ranked::Ranked;
use crate::table::Ctx;
use crate::values::SortedSet;
use crate::values::sorted_set::Walk;

/// Replies members, with their scores if so wanted: in RESP3 pairs, in RESP2 one after the other.
fn reply_members(reply: &mut Reply, members: Walk<'_>, with_scores: bool) {
    if with_scores && reply.is_resp3() {
        return reply_pairs(reply, members);
    }
    reply.array(members.len() * (1 + usize::from(with_scores)));
    for (member, score) in members {
        reply.bulk(&member.text());
        if with_scores {
            reply.double(score);
        }
    }
}

/// Replies members with their scores as pairs, whatever the protocol.
fn reply_pairs(reply: &mut Reply, members: Walk<'_>) {
    reply.array(members.len());
    for (member, score) in members {
        reply.array(2);
        reply.bulk(&member.text());
        reply.double(score);
    }
}

/// Makes `key` a sorted set of these members, as [`store_value`] does.
pub(super) fn store(ctx: &mut Ctx, key: &[u8], members: Ranked, event: &'static str) {
    let value = SortedSet::of_ranked(members, &ctx.keys.limits);
    store_value(ctx, key, value, event);
}

/// Puts a sorted set at `key` and replies how many members it has; an empty one deletes the key. `event` is what happened
/// to it.
fn store_value(ctx: &mut Ctx, key: &[u8], value: SortedSet, event: &'static str) {
    ctx.reply.count(value.view().len());
    if !value.is_empty() {
        ctx.keys.store_value(key, value);
        ctx.keys.notify(Class::SORTED_SET, event, key);
    } else if ctx.keys.discard(key) {
        ctx.keys.notify(Class::GENERIC, "del", key);
    }
}
