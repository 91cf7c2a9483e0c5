//! CLIENT TRACKING: how a connection hears of changes to keys it holds in a cache of its own.

use crate::algorithms::bytes::Bytes;
use crate::keyspace::Keyspace;
use crate::resp::Error;
use crate::state::{Server, Session, Tracking};
use crate::structures::ordered::OrderedSet;
use crate::table::{Ctx, Outcome, Result};

pub(super) fn caching(ctx: &mut Ctx) -> Result {
    let Some(tracking) = &mut ctx.session.tracking else {
        return Err(Error::new(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    };
    let word = ctx.args.get(2).copied().unwrap_or(&[]);
    if word.is_word(b"YES") {
        if !tracking.is_opt_in {
            return Err(Error::new(
                "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
            ));
        }
    } else if word.is_word(b"NO") {
        if !tracking.is_opt_out {
            return Err(Error::new(
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ));
        }
    } else {
        return Err(Error::SYNTAX);
    }
    tracking.is_caching_said = true;
    ctx.reply.ok();
    Ok(Outcome::Done)
}

pub(super) fn getredir(ctx: &mut Ctx) -> Result {
    let tracking = ctx.session.tracking.as_ref();
    ctx.reply
        .int(tracking.map_or(-1, |tracking| tracking.redirect as i64));
    Ok(Outcome::Done)
}

pub(super) fn tracking(ctx: &mut Ctx) -> Result {
    let wanted = parse(ctx)?;
    let word = ctx.arg(2);
    if word.is_word(b"ON") {
        start(ctx, wanted)?;
    } else if word.is_word(b"OFF") {
        stop(ctx.server, ctx.keys, ctx.session);
    } else {
        return Err(Error::SYNTAX);
    }
    ctx.reply.ok();
    Ok(Outcome::Done)
}

/// The options of CLIENT TRACKING, with the prefixes in the order they came.
struct Wanted {
    tracking: Tracking,
    prefixes: Vec<Vec<u8>>,
}

fn parse(ctx: &Ctx) -> core::result::Result<Wanted, Error> {
    let mut tracking = Tracking::default();
    let mut prefixes = Vec::new();
    let mut options = ctx.options(3);
    while let Some(word) = options.next() {
        match word.to_ascii_uppercase().as_slice() {
            b"REDIRECT" if !options.is_done() => {
                if tracking.redirect != 0 {
                    return Err(Error::new(
                        "ERR A client can only redirect to a single other client",
                    ));
                }
                tracking.redirect = find_target(ctx, options.integer()?)?;
            }
            b"PREFIX" if !options.is_done() => prefixes.push(options.value()?.owned()),
            b"BCAST" => tracking.is_broadcast = true,
            b"OPTIN" => tracking.is_opt_in = true,
            b"OPTOUT" => tracking.is_opt_out = true,
            b"NOLOOP" => tracking.no_loop = true,
            _ => return Err(Error::SYNTAX),
        }
    }
    Ok(Wanted { tracking, prefixes })
}

fn find_target(ctx: &Ctx, id: i64) -> core::result::Result<u64, Error> {
    let id = u64::try_from(id).unwrap_or(0);
    match ctx.others.handle_of(id) {
        Some(_) => Ok(id),
        None => Err(Error::new(
            "ERR The client ID you want redirect to does not exist",
        )),
    }
}

fn start(ctx: &mut Ctx, wanted: Wanted) -> core::result::Result<(), Error> {
    let Wanted {
        mut tracking,
        prefixes,
    } = wanted;
    check(ctx.session.tracking.as_deref(), &tracking, &prefixes)?;
    let old = ctx.session.tracking.take();
    if tracking.is_broadcast {
        tracking.prefixes = old.map_or_else(OrderedSet::new, |old| old.prefixes);
        match prefixes.is_empty() {
            true => {
                tracking.prefixes.insert(Vec::new());
            }
            false => prefixes.into_iter().for_each(|prefix| {
                tracking.prefixes.insert(prefix);
            }),
        }
    }
    ctx.server.tracking.start(ctx.session.id, &tracking);
    ctx.keys.set_tracking(true);
    ctx.session.tracking = Some(Box::new(tracking));
    Ok(())
}

/// Whether the options agree with each other and with what is on already.
fn check(
    old: Option<&Tracking>,
    new: &Tracking,
    prefixes: &[Vec<u8>],
) -> core::result::Result<(), Error> {
    if !new.is_broadcast && !prefixes.is_empty() {
        return Err(Error::new(
            "ERR PREFIX option requires BCAST mode to be enabled",
        ));
    }
    if old.is_some_and(|old| old.is_broadcast != new.is_broadcast) {
        return Err(Error::new(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it \
             with a different mode.",
        ));
    }
    if new.is_broadcast && (new.is_opt_in || new.is_opt_out) {
        return Err(Error::new(
            "ERR OPTIN and OPTOUT are not compatible with BCAST",
        ));
    }
    if new.is_opt_in && new.is_opt_out {
        return Err(Error::new(
            "ERR You can't specify both OPTIN mode and OPTOUT mode",
        ));
    }
    let switches =
        |old: &Tracking| (new.is_opt_in && old.is_opt_out) || (new.is_opt_out && old.is_opt_in);
    if old.is_some_and(switches) {
        return Err(Error::new(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it \
             with a different mode.",
        ));
    }
    check_prefixes(old, prefixes)
}

/// Prefixes of one client must not overlap: a key would be told of twice.
fn check_prefixes(old: Option<&Tracking>, prefixes: &[Vec<u8>]) -> core::result::Result<(), Error> {
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    for (at, prefix) in prefixes.iter().enumerate() {
        let mut existing = old.iter().flat_map(|old| &old.prefixes);
        let (other, whose) = match existing.find(|other| overlap(prefix, other)) {
            Some(other) => (Some(other), &b"' overlaps with an existing prefix '"[..]),
            None => (
                prefixes
                    .iter()
                    .skip(at + 1)
                    .find(|other| overlap(prefix, other)),
                &b"' overlaps with another provided prefix '"[..],
            ),
        };
        if let Some(other) = other {
            return Err(Error::concat(&[
                b"ERR Prefix '",
                prefix,
                whose,
                other,
                b"'. Prefixes for a single client must not overlap.",
            ]));
        }
    }
    Ok(())
}

/// Ends the tracking of a session, if it is on.
pub fn stop(server: &mut Server, keys: &mut Keyspace, session: &mut Session) {
    if let Some(tracking) = session.tracking.take() {
        server.tracking.stop(session.id, &tracking);
        keys.set_tracking(server.tracking.is_active());
    }
}

pub(super) fn trackinginfo(ctx: &mut Ctx) -> Result {
    let tracking = ctx.session.tracking.as_deref();
    let flags: Vec<&str> = match tracking {
        None => vec!["off"],
        Some(tracking) => {
            let said = tracking.is_caching_said;
            let flags = [
                (true, "on"),
                (tracking.is_broadcast, "bcast"),
                (tracking.is_opt_in, "optin"),
                (tracking.is_opt_in && said, "caching-yes"),
                (tracking.is_opt_out, "optout"),
                (tracking.is_opt_out && said, "caching-no"),
                (tracking.no_loop, "noloop"),
                (tracking.is_redirect_broken, "broken_redirect"),
            ];
            let set = flags.iter().filter(|(is_set, _)| *is_set);
            set.map(|(_, name)| *name).collect()
        }
    };
    ctx.reply.map(3);
    ctx.reply.bulk_str("flags");
    ctx.reply.set(flags.len());
    flags.iter().for_each(|flag| ctx.reply.bulk_str(flag));
    ctx.reply.bulk_str("redirect");
    ctx.reply
        .int(tracking.map_or(-1, |tracking| tracking.redirect as i64));
    ctx.reply.bulk_str("prefixes");
    let prefixes = tracking.map(|tracking| &tracking.prefixes);
    ctx.reply.array(prefixes.map_or(0, OrderedSet::len));
    for prefix in prefixes.into_iter().flatten() {
        ctx.reply.bulk(prefix);
    }
    Ok(Outcome::Done)
}
