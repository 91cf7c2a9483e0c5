//! Publish and subscribe.
//!
//! <https://redis.io/docs/latest/develop/pubsub/>

use crate::algorithms::bytes::Bytes;
use crate::algorithms::glob;
use crate::resp::{Encoding, Error, Reply};
use crate::state::{PubSub, Published, ReplyMode, Scope, Session};
use crate::structures::ordered::OrderedSet;
use crate::table::{
    BASE, Command, Ctx, Flags, Group, KeyFlags, KeySpec, Outcome, Result, args, pattern, prose,
    string,
};

#[rustfmt::skip]
pub const ROWS: &[Command] = &[
    Command {
        name: "subscribe", arity: -2, group: Group::Pubsub, since: "2.0.0",
        flags: Flags::PUBSUB | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
        args: args![string("channel").multiple()],
        reply: "any",
        doc: prose!("Listens to channels.", "O(N), N the number of channels"),
        run: subscribe,
        ..BASE
    },
    Command {
        name: "unsubscribe", arity: -1, group: Group::Pubsub, since: "2.0.0",
        flags: Flags::PUBSUB | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
        args: args![string("channel").optional().multiple()],
        reply: "any",
        doc: prose!("Stops listening to channels; to all of them when none is named.", "O(N), N the number of channels"),
        run: unsubscribe,
        ..BASE
    },
    Command {
        name: "psubscribe", arity: -2, group: Group::Pubsub, since: "2.0.0",
        flags: Flags::PUBSUB | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
        args: args![pattern("pattern").multiple()],
        reply: "any",
        doc: prose!("Listens to every channel that matches a pattern.", "O(N), N the number of patterns"),
        run: psubscribe,
        ..BASE
    },
    Command {
        name: "punsubscribe", arity: -1, group: Group::Pubsub, since: "2.0.0",
        flags: Flags::PUBSUB | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
        args: args![pattern("pattern").optional().multiple()],
        reply: "any",
        doc: prose!("Stops listening to patterns; to all of them when none is named.", "O(N), N the number of patterns"),
        run: punsubscribe,
        ..BASE
    },
    Command {
        name: "ssubscribe", arity: -2, group: Group::Pubsub, since: "7.0.0",
        flags: Flags::PUBSUB | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
        keys: &[KeySpec::index(1).range(-1, 1, 0).flags(KeyFlags::NOT_KEY)],
        args: args![string("shardchannel").multiple()],
        reply: "any",
        doc: prose!("Listens to shard channels.", "O(N), N the number of shard channels"),
        run: ssubscribe,
        ..BASE
    },
    Command {
        name: "sunsubscribe", arity: -1, group: Group::Pubsub, since: "7.0.0",
        flags: Flags::PUBSUB | Flags::NOSCRIPT | Flags::LOADING | Flags::STALE,
        keys: &[KeySpec::index(1).range(-1, 1, 0).flags(KeyFlags::NOT_KEY)],
        args: args![string("shardchannel").optional().multiple()],
        reply: "any",
        doc: prose!("Stops listening to shard channels; to all of them when none is named.", "O(N), N the number of shard channels"),
        run: sunsubscribe,
        ..BASE
    },
    Command {
        name: "publish", arity: 3, group: Group::Pubsub, since: "2.0.0",
        flags: Flags::PUBSUB | Flags::LOADING | Flags::STALE | Flags::FAST | Flags::MAY_REPLICATE,
        args: args![string("channel"), string("message")],
        reply: "int",
        doc: prose!("Sends a message to a channel; replies how many clients it reached.", "O(N+M), N the number of subscribers and M the number of patterns"),
        run: publish,
        ..BASE
    },
    Command {
        name: "spublish", arity: 3, group: Group::Pubsub, since: "7.0.0",
        flags: Flags::PUBSUB | Flags::LOADING | Flags::STALE | Flags::FAST | Flags::MAY_REPLICATE,
        keys: &[KeySpec::index(1).range(0, 1, 0).flags(KeyFlags::NOT_KEY)],
        args: args![string("shardchannel"), string("message")],
        reply: "int",
        doc: prose!("Sends a message to a shard channel; replies how many clients it reached.", "O(N), N the number of subscribers"),
        run: spublish,
        ..BASE
    },
    Command {
        name: "pubsub", arity: -2, group: Group::Pubsub, since: "2.8.0",
        doc: prose!("Tells about subscriptions.", "Depends on the subcommand"),
        subs: &[
            Command {
                name: "channels", arity: -2, group: Group::Pubsub, since: "2.8.0",
                flags: Flags::PUBSUB | Flags::LOADING | Flags::STALE,
                args: args![pattern("pattern").optional()],
                reply: "[bulk]",
                doc: prose!("The channels somebody listens to.", "O(N), N the number of channels"),
                run: pubsub_channels,
                ..BASE
            },
            Command {
                name: "numsub", arity: -2, group: Group::Pubsub, since: "2.8.0",
                flags: Flags::PUBSUB | Flags::LOADING | Flags::STALE,
                args: args![string("channel").optional().multiple()],
                reply: "[any]",
                doc: prose!("How many clients listen to each of the channels.", "O(N), N the number of channels asked for"),
                run: pubsub_numsub,
                ..BASE
            },
            Command {
                name: "numpat", arity: 2, group: Group::Pubsub, since: "2.8.0",
                flags: Flags::PUBSUB | Flags::LOADING | Flags::STALE,
                reply: "int",
                doc: prose!("How many different patterns clients listen to.", "O(1)"),
                run: pubsub_numpat,
                ..BASE
            },
            Command {
                name: "shardchannels", arity: -2, group: Group::Pubsub, since: "7.0.0",
                flags: Flags::PUBSUB | Flags::LOADING | Flags::STALE,
                args: args![pattern("pattern").optional()],
                reply: "[bulk]",
                doc: prose!("The shard channels somebody listens to.", "O(N), N the number of shard channels"),
                run: pubsub_shardchannels,
                ..BASE
            },
            Command {
                name: "shardnumsub", arity: -2, group: Group::Pubsub, since: "7.0.0",
                flags: Flags::PUBSUB | Flags::LOADING | Flags::STALE,
                args: args![string("shardchannel").optional().multiple()],
                reply: "[any]",
                doc: prose!("How many clients listen to each of the shard channels.", "O(N), N the number of channels asked for"),
                run: pubsub_shardnumsub,
                ..BASE
            },
            Command {
                name: "help", arity: 2, group: Group::Pubsub, since: "6.2.0",
                flags: Flags::LOADING | Flags::STALE,
                reply: "[simple]",
                doc: prose!("Lists the subcommands.", "O(1)"),
                run: pubsub_help,
                ..BASE
            },
        ],
        ..BASE
    },
];

/// The two words and the kind of name of a subscription scope.
struct Words {
    scope: Scope,
    subscribe: &'static str,
    unsubscribe: &'static str,
}

const CHANNEL: Words = Words {
    scope: Scope::Channel,
    subscribe: "subscribe",
    unsubscribe: "unsubscribe",
};
const PATTERN: Words = Words {
    scope: Scope::Pattern,
    subscribe: "psubscribe",
    unsubscribe: "punsubscribe",
};
const SHARD: Words = Words {
    scope: Scope::Shard,
    subscribe: "ssubscribe",
    unsubscribe: "sunsubscribe",
};

fn subscribe(ctx: &mut Ctx) -> Result {
    add(ctx, &CHANNEL)
}

fn unsubscribe(ctx: &mut Ctx) -> Result {
    remove(ctx, &CHANNEL)
}

fn psubscribe(ctx: &mut Ctx) -> Result {
    add(ctx, &PATTERN)
}

fn punsubscribe(ctx: &mut Ctx) -> Result {
    remove(ctx, &PATTERN)
}

fn ssubscribe(ctx: &mut Ctx) -> Result {
    // Of the three it alone is refused by a transaction.
    if ctx.session.exec_length.is_some() {
        return Err(Error::new(
            "ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client",
        ));
    }
    add(ctx, &SHARD)
}

fn sunsubscribe(ctx: &mut Ctx) -> Result {
    remove(ctx, &SHARD)
}

/// The session's own list of a scope.
fn names(session: &mut Session, scope: Scope) -> &mut OrderedSet<Vec<u8>> {
    match scope {
        Scope::Channel => &mut session.channels,
        Scope::Pattern => &mut session.patterns,
        Scope::Shard => &mut session.shard_channels,
    }
}

/// What subscription replies count: channels and patterns together, shard channels for themselves.
fn count(session: &Session, scope: Scope) -> usize {
    match scope {
        Scope::Shard => session.shard_channels.len(),
        Scope::Channel | Scope::Pattern => session.subscription_count(),
    }
}

fn add(ctx: &mut Ctx, words: &Words) -> Result {
    for name in ctx.args.iter().skip(1) {
        if names(ctx.session, words.scope).insert(name.owned()) {
            ctx.server.pubsub.add(words.scope, name, ctx.session.handle);
        }
        tell(ctx, words.subscribe, Some(name), words.scope);
    }
    Ok(Outcome::Done)
}

fn remove(ctx: &mut Ctx, words: &Words) -> Result {
    let named: Vec<Vec<u8>> = match ctx.args.len() {
        1 => names(ctx.session, words.scope).iter().cloned().collect(),
        _ => ctx.args.iter().skip(1).map(|name| name.owned()).collect(),
    };
    if named.is_empty() {
        tell(ctx, words.unsubscribe, None, words.scope);
    }
    for name in &named {
        if names(ctx.session, words.scope).remove(name) {
            ctx.server
                .pubsub
                .remove(words.scope, name, ctx.session.handle);
        }
        tell(ctx, words.unsubscribe, Some(name), words.scope);
    }
    Ok(Outcome::Done)
}

/// One confirmation: a push of its own for every name. In a native session it is a message, since a call has one reply.
fn tell(ctx: &mut Ctx, word: &str, name: Option<&[u8]>, scope: Scope) {
    let subscriptions = count(ctx.session, scope);
    let write = |reply: &mut Reply| {
        reply.push(3);
        reply.bulk_str(word);
        match name {
            Some(name) => reply.bulk(name),
            None => reply.nil(),
        }
        reply.count(subscriptions);
    };
    match (ctx.session.encoding(), ctx.session.reply_mode) {
        (Encoding::Wire, ReplyMode::On) => write(ctx.reply),
        // CLIENT REPLY OFF silences replies, not messages.
        _ => ctx.session.send(false, write),
    }
}

/// Ends every subscription of a session, silently.
pub fn forget(pubsub: &mut PubSub, session: &mut Session) {
    for scope in [Scope::Channel, Scope::Pattern, Scope::Shard] {
        for name in std::mem::take(names(session, scope)) {
            pubsub.remove(scope, &name, session.handle);
        }
    }
}

fn publish(ctx: &mut Ctx) -> Result {
    let receivers = ctx.server.pubsub.receivers(ctx.arg(1));
    send(ctx, false, "publish", receivers)
}

fn spublish(ctx: &mut Ctx) -> Result {
    let receivers = ctx.server.pubsub.listeners(Scope::Shard, ctx.arg(1)).len();
    send(ctx, true, "spublish", receivers)
}

fn send(ctx: &mut Ctx, is_sharded: bool, word: &str, receivers: usize) -> Result {
    let (channel, payload) = (ctx.arg(1), ctx.arg(2));
    if receivers > 0 {
        let message = Published {
            events_before: ctx.keys.event_count(),
            is_sharded,
            channel: channel.owned(),
            payload: payload.owned(),
        };
        ctx.server.published.push(message);
    }
    if ctx.server.is_bridged {
        ctx.server.request(&[word.as_bytes(), channel, payload]);
    }
    ctx.reply.count(receivers);
    Ok(Outcome::Done)
}

fn pubsub_channels(ctx: &mut Ctx) -> Result {
    list(ctx, Scope::Channel)
}

fn pubsub_numsub(ctx: &mut Ctx) -> Result {
    count_listeners(ctx, Scope::Channel)
}

fn pubsub_numpat(ctx: &mut Ctx) -> Result {
    ctx.reply.count(ctx.server.pubsub.pattern_count());
    Ok(Outcome::Done)
}

fn pubsub_shardchannels(ctx: &mut Ctx) -> Result {
    list(ctx, Scope::Shard)
}

fn pubsub_shardnumsub(ctx: &mut Ctx) -> Result {
    count_listeners(ctx, Scope::Shard)
}

fn pubsub_help(ctx: &mut Ctx) -> Result {
    ctx.help(
        "pubsub",
        &[
            "CHANNELS [<pattern>]",
            "    Return the currently active channels matching a <pattern> (default: '*').",
            "NUMPAT",
            "    Return number of subscriptions to patterns.",
            "NUMSUB [<channel> ...]",
            "    Return the number of subscribers for the specified channels, excluding",
            "    pattern subscriptions(default: no channels).",
            "SHARDCHANNELS [<pattern>]",
            "    Return the currently active shard level channels matching a <pattern> (default: '*').",
            "SHARDNUMSUB [<shardchannel> ...]",
            "    Return the number of subscribers for the specified shard level channel(s)",
        ],
    )
}

fn list(ctx: &mut Ctx, scope: Scope) -> Result {
    if ctx.args.len() > 3 {
        return Err(ctx.unknown_subcommand("PUBSUB"));
    }
    let filter = ctx.args.get(2).copied();
    let names = ctx
        .server
        .pubsub
        .names(scope)
        .filter(|name| filter.is_none_or(|pattern| glob::matches(pattern, name)));
    let names: Vec<&[u8]> = names.collect();
    ctx.reply.array(names.len());
    for name in names {
        ctx.reply.bulk(name);
    }
    Ok(Outcome::Done)
}

fn count_listeners(ctx: &mut Ctx, scope: Scope) -> Result {
    let channels = ctx.args.get(2..).unwrap_or(&[]);
    ctx.reply.array(channels.len() * 2);
    for channel in channels {
        ctx.reply.bulk(channel);
        ctx.reply
            .count(ctx.server.pubsub.listeners(scope, channel).len());
    }
    Ok(Outcome::Done)
}
