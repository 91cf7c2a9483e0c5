//! CLIENT LIST, INFO and KILL: connections seen from outside.

use crate::algorithms::bytes::{Append, Bytes};
use crate::algorithms::num;
use crate::algorithms::order::order;
use crate::resp::Error;
use crate::state::{Multi, Session};
use crate::table::{Ctx, Lookup, Outcome, Result};

/// What is shown as the address of a connection whose host told none.
const NO_ADDRESS: &[u8] = b"?:0";

pub(super) fn info(ctx: &mut Ctx) -> Result {
    let mut text = Vec::new();
    write_line(&mut text, ctx.session, &View::of_caller(ctx));
    ctx.reply.verbatim("txt", &text);
    Ok(Outcome::Done)
}

pub(super) fn list(ctx: &mut Ctx) -> Result {
    let text = match ctx.args.get(2..).unwrap_or(&[]) {
        [] => lines(ctx, |_| true),
        [word, class] if word.is_word(b"TYPE") => {
            let class = Class::parse(class)?;
            lines(ctx, |session| Class::of(session) == class)
        }
        [word, ids @ ..] if word.is_word(b"ID") && !ids.is_empty() => {
            let ids = ids.iter().map(|id| num::parse_i64(id));
            let ids: Option<Vec<i64>> = ids.collect();
            let ids = ids.ok_or(Error::new("ERR Invalid client ID"))?;
            // In the order asked for, as often as asked for.
            let mut text = Vec::new();
            for id in ids {
                text.extend(lines(ctx, |session| session.id as i64 == id));
            }
            text
        }
        _ => return Err(Error::SYNTAX),
    };
    ctx.reply.verbatim("txt", &text);
    Ok(Outcome::Done)
}

pub(super) fn kill(ctx: &mut Ctx) -> Result {
    if let [_, _, address] = ctx.args {
        let filter = Filter {
            address: Some(address),
            skips_caller: false,
            ..Filter::default()
        };
        if kill_all(ctx, &filter) == 0 {
            return Err(Error::new("ERR No such client"));
        }
        ctx.reply.ok();
        return Ok(Outcome::Done);
    }
    let filter = Filter::parse(ctx)?;
    let count = kill_all(ctx, &filter);
    ctx.reply.count(count);
    Ok(Outcome::Done)
}

fn kill_all(ctx: &mut Ctx, filter: &Filter) -> usize {
    let now_ms = ctx.now_ms;
    let mut killed: Vec<u32> = sessions(ctx)
        .filter(|session| !filter.skips_caller || session.id != ctx.session.id)
        .filter(|session| filter.describes(session, now_ms))
        .map(|session| session.handle)
        .collect();
    let count = killed.len();
    ctx.server.kills.append(&mut killed);
    count
}

/// What CLIENT KILL looks for; everything that is given has to fit.
struct Filter<'a> {
    id: Option<u64>,
    class: Option<Class>,
    user: Option<&'a [u8]>,
    address: Option<&'a [u8]>,
    local_address: Option<&'a [u8]>,
    min_age_s: Option<i64>,
    skips_caller: bool,
}

impl Default for Filter<'_> {
    fn default() -> Self {
        Filter {
            id: None,
            class: None,
            user: None,
            address: None,
            local_address: None,
            min_age_s: None,
            skips_caller: true,
        }
    }
}

impl<'a> Filter<'a> {
    fn parse(ctx: &Ctx<'a>) -> core::result::Result<Filter<'a>, Error> {
        let mut filter = Filter::default();
        let mut options = ctx.options(2);
        while let Some(word) = options.next() {
            let value = options.value()?;
            match word.to_ascii_uppercase().as_slice() {
                b"ID" => {
                    let id = num::parse_u64(value).filter(|id| *id > 0 && *id <= i64::MAX as u64);
                    let id = id.ok_or(Error::new("ERR client-id should be greater than 0"))?;
                    filter.id = Some(id);
                }
                b"TYPE" => filter.class = Some(Class::parse(value)?),
                b"USER" if ctx.server.users.get(value).is_some() => filter.user = Some(value),
                b"USER" => return Err(Error::concat(&[b"ERR No such user '", value, b"'"])),
                b"ADDR" => filter.address = Some(value),
                b"LADDR" => filter.local_address = Some(value),
                b"SKIPME" if value.is_word(b"YES") => filter.skips_caller = true,
                b"SKIPME" if value.is_word(b"NO") => filter.skips_caller = false,
                b"MAXAGE" => filter.min_age_s = Some(parse_age_s(value)?),
                _ => return Err(Error::SYNTAX),
            }
        }
        Ok(filter)
    }

    fn describes(&self, session: &Session, now_ms: i64) -> bool {
        self.id.is_none_or(|id| session.id == id)
            && self.class.is_none_or(|class| Class::of(session) == class)
            && self.user.is_none_or(|user| session.user == user)
            && self
                .address
                .is_none_or(|address| shown(&session.address) == address)
            && self
                .local_address
                .is_none_or(|address| shown(&session.local_address) == address)
            && self
                .min_age_s
                .is_none_or(|age_s| now_ms / 1000 - session.created_ms / 1000 >= age_s)
    }
}

fn parse_age_s(value: &[u8]) -> core::result::Result<i64, Error> {
    let age_s =
        num::parse_i64(value).ok_or(Error::new("ERR maxage is not an integer or out of range"))?;
    match age_s > 0 {
        true => Ok(age_s),
        false => Err(Error::new("ERR maxage should be greater than 0")),
    }
}

/// What a connection is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Normal,
    Primary,
    Replica,
    Pubsub,
}

impl Class {
    fn parse(word: &[u8]) -> core::result::Result<Class, Error> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Class::Normal),
            b"master" => Ok(Class::Primary),
            b"replica" | b"slave" => Ok(Class::Replica),
            b"pubsub" => Ok(Class::Pubsub),
            _ => Err(Error::concat(&[b"ERR Unknown client type '", word, b"'"])),
        }
    }

    fn of(session: &Session) -> Class {
        match has_subscriptions(session) {
            true => Class::Pubsub,
            false => Class::Normal,
        }
    }
}

fn has_subscriptions(session: &Session) -> bool {
    session.subscription_count() + session.shard_channels.len() > 0
}

/// Every connection, the caller's among them, those about to be closed not.
fn sessions<'c>(ctx: &'c Ctx) -> impl Iterator<Item = &'c Session> {
    let others = ctx.others.iter();
    others
        .chain([&*ctx.session])
        .filter(|session| !session.is_closing)
}

/// The lines of the connections that `is_wanted` lets through, the oldest connection first.
fn lines(ctx: &Ctx, is_wanted: impl Fn(&Session) -> bool) -> Vec<u8> {
    let wanted: Vec<&Session> = sessions(ctx).filter(|session| is_wanted(session)).collect();
    let id = |place: usize| wanted.get(place).map(|session| session.id);
    let sorted = order(wanted.len(), &mut |one, other| id(one).cmp(&id(other)));
    let mut text = Vec::new();
    for session in sorted.into_iter().filter_map(|place| wanted.get(place)) {
        let view = match session.id == ctx.session.id {
            true => View::of_caller(ctx),
            false => View::of_other(ctx),
        };
        write_line(&mut text, session, &view);
    }
    text
}

/// The line of a client that runs a command with these arguments.
pub fn client_line(session: &Session, lookup: &Lookup, args: &[&[u8]], now_ms: i64) -> Vec<u8> {
    let mut line = Vec::new();
    let view = View {
        lookup,
        now_ms,
        argument_bytes: args.iter().map(|arg| arg.len()).sum(),
    };
    write_line(&mut line, session, &view);
    line.pop();
    line
}

/// What a line shows besides the session itself.
struct View<'a> {
    lookup: &'a Lookup,
    now_ms: i64,
    /// Bytes of the arguments of the running command.
    argument_bytes: usize,
}

impl<'a> View<'a> {
    fn of_other(ctx: &Ctx<'a>) -> View<'a> {
        View {
            lookup: ctx.lookup,
            now_ms: ctx.now_ms,
            argument_bytes: 0,
        }
    }

    fn of_caller(ctx: &Ctx<'a>) -> View<'a> {
        View {
            argument_bytes: ctx.args.iter().map(|arg| arg.len()).sum(),
            ..View::of_other(ctx)
        }
    }
}

fn shown(address: &[u8]) -> &[u8] {
    match address.is_empty() {
        true => NO_ADDRESS,
        false => address,
    }
}

fn write_line(out: &mut Vec<u8>, session: &Session, view: &View) {
    let age_s = |since_ms: i64| (view.now_ms / 1000 - since_ms / 1000).max(0);
    let mut line = Line { out };
    line.int("id", session.id as i64);
    line.text(" addr", shown(&session.address));
    line.text(" laddr", shown(&session.local_address));
    // Sockets are the host's; the engine has no file descriptors.
    line.int(" fd", -1);
    line.text(" name", &session.name);
    line.int(" age", age_s(session.created_ms));
    line.int(" idle", age_s(session.active_ms));
    line.text(" flags", &flags(session));
    line.size(" db", session.db);
    line.size(" sub", session.channels.len());
    line.size(" psub", session.patterns.len());
    line.size(" ssub", session.shard_channels.len());
    line.int(" multi", queued(session).map_or(-1, |count| count as i64));
    line.size(" watch", session.watched.len());
    write_memory(&mut line, session, view);
    let has_output = session.pending_output_bytes() > 0;
    line.text(" events", if has_output { b"rw" } else { b"r" });
    let command = session
        .last_command
        .and_then(|number| view.lookup.row(number));
    let command = command.map_or_else(|| b"NULL".owned(), |row| row.full_name());
    line.text(" cmd", &command);
    line.text(" user", &session.user);
    let redirect = session.tracking.as_ref();
    line.int(
        " redir",
        redirect.map_or(-1, |tracking| tracking.redirect as i64),
    );
    line.int(" resp", if session.resp3 { 3 } else { 2 });
    line.text(" lib-name", &session.lib_name);
    line.text(" lib-ver", &session.lib_version);
    line.int(" io-thread", 0);
    line.int(" tot-net-in", session.input_bytes as i64);
    line.int(" tot-net-out", session.output_bytes as i64);
    line.int(" tot-cmds", session.commands as i64);
    line.out.push(b'\n');
}

/// The length of the transaction that is open or runs.
fn queued(session: &Session) -> Option<usize> {
    let open = session.multi.as_ref().map(|multi| multi.queue.len());
    open.or(session.exec_length)
}

/// The fields that tell where a session's memory goes.
fn write_memory(line: &mut Line, session: &Session, view: &View) {
    let input = session.parser.pending_bytes();
    let input_capacity = session.parser.capacity_bytes();
    let multi = session.multi.as_deref().map_or(0, multi_bytes);
    let messages = session.pending_output_bytes() - session.output.len();
    line.size(" qbuf", input);
    line.size(" qbuf-free", input_capacity.saturating_sub(input));
    line.size(" argv-mem", view.argument_bytes);
    line.size(" multi-mem", multi);
    line.size(" rbs", session.output.capacity());
    line.size(" rbp", session.output_peak_bytes.max(session.output.len()));
    line.size(" obl", session.output.len());
    line.size(" oll", session.messages.len());
    line.size(" omem", messages);
    let names = session.name.len() + session.lib_name.len() + session.lib_version.len();
    let total = size_of::<Session>()
        + names
        + input_capacity
        + view.argument_bytes
        + multi
        + session.output.capacity()
        + messages;
    line.size(" tot-mem", total);
}

fn multi_bytes(multi: &Multi) -> usize {
    let queue = multi.queue.iter();
    let arguments: usize = queue
        .map(|queued| queued.args.iter().map(Vec::len).sum::<usize>())
        .sum();
    arguments + multi.queue.len() * size_of::<crate::state::Queued>()
}

/// One letter for each thing that is special about the session.
fn flags(session: &Session) -> Vec<u8> {
    let tracking = session.tracking.as_ref();
    let letters = [
        (b'O', session.is_monitor),
        (b'P', has_subscriptions(session)),
        (b'x', queued(session).is_some()),
        (b'b', session.waiting.is_some() || session.is_paused),
        (b't', tracking.is_some()),
        (
            b'R',
            tracking.is_some_and(|tracking| tracking.is_redirect_broken),
        ),
        (b'B', tracking.is_some_and(|tracking| tracking.is_broadcast)),
        (b'd', session.is_touched),
        (b'c', session.is_closing),
        (b'e', session.no_evict),
        (b'T', session.no_touch),
    ];
    let letters = letters.iter().filter(|(_, is_set)| *is_set);
    let letters: Vec<u8> = letters.map(|(letter, _)| *letter).collect();
    match letters.is_empty() {
        true => b"N".owned(),
        false => letters,
    }
}

/// `name=value` after `name=value`.
struct Line<'a> {
    out: &'a mut Vec<u8>,
}

impl Line<'_> {
    fn text(&mut self, name: &str, value: &[u8]) {
        self.out.put(name.as_bytes());
        self.out.push(b'=');
        self.out.put(value);
    }

    fn int(&mut self, name: &str, value: i64) {
        self.text(name, num::format_i64(value).as_bytes());
    }

    fn size(&mut self, name: &str, value: usize) {
        self.int(name, value as i64);
    }
}
