//! Clients that wait: for a key, for time, for a save.
//!
//! A blocked command is not suspended; it runs again, whole, when one of its keys may be ready, and blocks again when
//! it was not. Clients are served in the order in which they began to wait.

use super::{Called, Engine, SessionId};
use crate::algorithms::bytes::{Append, Bytes};
use crate::resp::{Encoding, Reply};
use crate::state::acl::Where;
use crate::state::{Block, BlockOn, Kind, Session, TimeoutReply, Waiting};
use crate::structures::ordered::OrderedMap;
use crate::table::{Group, Resolved};
use crate::values::Type;
use std::collections::VecDeque;

/// A client that waits for a key.
#[derive(Debug)]
struct Waiter {
    session: SessionId,
    /// What the key must hold for the client's command to run again.
    wanted: Type,
    wakes_on_deletion: bool,
}

/// Who waits.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    last_ticket: u64,
    /// The deadline of the client whose command runs again: that stays.
    kept_deadline_ms: Option<Option<i64>>,
    /// (deadline in ms, ticket) of every client with a deadline.
    deadlines: OrderedMap<(i64, u64), SessionId>,
    /// By database and key, those who wait for it by their tickets: the order of arrival.
    by_key: OrderedMap<(usize, Vec<u8>), OrderedMap<u64, Waiter>>,
    /// Clients that wait no more; the input that piled up meanwhile is taken up when the present one is done.
    pub(super) resumed: VecDeque<SessionId>,
}

impl Blocked {
    pub(super) fn next_deadline_ms(&self) -> Option<i64> {
        self.deadlines
            .keys()
            .next()
            .map(|(deadline_ms, _)| *deadline_ms)
    }
}

impl Engine {
    /// Makes a client wait; inside a transaction its time is up at once instead.
    pub(super) fn wait(
        &mut self,
        session: &mut Session,
        row: Resolved,
        args: &[&[u8]],
        mut block: Block,
        reply: &mut Reply,
    ) -> Called {
        if session.is_in_exec {
            write_timeout(reply, &block.timeout_reply);
            return Called::Replied;
        }
        if let Some(deadline_ms) = self.blocked.kept_deadline_ms.take() {
            block.deadline_ms = deadline_ms;
        }
        self.blocked.last_ticket += 1;
        let ticket = self.blocked.last_ticket;
        let db = self.keys.selected();
        if let Some(deadline_ms) = block.deadline_ms {
            self.blocked
                .deadlines
                .insert((deadline_ms, ticket), session.handle);
        }
        if let BlockOn::Keys(keys) = &block.on {
            for key in keys {
                let waiter = Waiter {
                    session: session.handle,
                    wanted: type_of(row.row.group),
                    wakes_on_deletion: block.wakes_on_deletion,
                };
                let waiters = self.blocked.by_key.or_default((db, key.owned()));
                if waiters.insert(ticket, waiter).is_none() {
                    self.keys.add_blocking(db, key, block.wakes_on_deletion);
                }
            }
        }
        let kept = block.args.take();
        let args = kept.unwrap_or_else(|| args.iter().map(|arg| arg.owned()).collect());
        session.waiting = Some(Box::new(Waiting {
            block,
            number: row.number,
            args,
            ticket,
            db,
        }));
        Called::Blocked
    }

    /// Takes a client off every list it waits on.
    pub(super) fn stop_waiting(&mut self, session: &mut Session) -> Option<Box<Waiting>> {
        let waiting = session.waiting.take()?;
        if let Some(deadline_ms) = waiting.block.deadline_ms {
            self.blocked
                .deadlines
                .remove(&(deadline_ms, waiting.ticket));
        }
        if let BlockOn::Keys(keys) = &waiting.block.on {
            let db = waiting.db;
            for key in keys {
                let place = (db, key.owned());
                if let Some(waiters) = self.blocked.by_key.get_mut(&place)
                    && waiters.remove(&waiting.ticket).is_some()
                {
                    if waiters.is_empty() {
                        self.blocked.by_key.remove(&place);
                    }
                    self.keys
                        .remove_blocking(db, key, waiting.block.wakes_on_deletion);
                }
            }
        }
        Some(waiting)
    }

    /// Runs the commands of clients whose keys became ready, key by key, in order of arrival.
    pub(super) fn serve_ready_keys(&mut self) {
        while let Some(place) = self.keys.next_ready() {
            self.serve(&place);
        }
    }

    /// Goes once through those who wait for a key; stops as soon as there is nothing left for them. Those who wait
    /// again come to stand behind all others.
    fn serve(&mut self, place: &(usize, Vec<u8>)) {
        let (db, key) = place;
        let last_ticket = self.blocked.last_ticket;
        let mut from_ticket = 0;
        loop {
            let found = self.keys.peek_in(*db, key).map(|entry| entry.value_type());
            if found.is_none() && !self.keys.is_end_awaited(*db, key) {
                return;
            }
            let waiters = self.blocked.by_key.get(place);
            let Some((&ticket, waiter)) =
                waiters.and_then(|waiters| waiters.at_or_after(&from_ticket))
            else {
                return;
            };
            if ticket > last_ticket {
                return;
            }
            from_ticket = ticket + 1;
            if found == Some(waiter.wanted) || waiter.wakes_on_deletion {
                self.retry(waiter.session);
            }
        }
    }

    fn retry(&mut self, id: SessionId) {
        let Some(mut session) = self.sessions.take(id) else {
            return;
        };
        let Some(waiting) = self.stop_waiting(&mut session) else {
            return self.sessions.put(session);
        };
        let args: Vec<&[u8]> = waiting.args.iter().map(Vec::as_slice).collect();
        let mut reply = Reply::new(session.encoding(), session.resp3);
        self.blocked.kept_deadline_ms = Some(waiting.block.deadline_ms);
        let db = std::mem::replace(&mut session.db, waiting.db);
        let name = args.first().copied().unwrap_or(&[]);
        let called = match self.admit(&session, self.lookup.row(waiting.number), name, &args) {
            Ok(row) => self.run(&mut session, row, &args, &mut reply, true),
            Err((error, row)) => {
                if let Some(row) = row.filter(|_| error.code() == b"NOPERM") {
                    self.note_denial(&session, row, &args, Where::Toplevel);
                }
                self.server.count_error(error.code());
                reply.error(error.text());
                Called::Replied
            }
        };
        session.db = db;
        self.blocked.kept_deadline_ms = None;
        if called != Called::Blocked {
            self.finish(&mut session, reply);
        }
        self.sessions.put(session);
    }

    /// Ends the waits whose time is up.
    pub(super) fn time_out(&mut self) {
        while let Some((&(deadline_ms, _), &id)) = self.blocked.deadlines.first() {
            if deadline_ms > self.now_ms {
                return;
            }
            self.time_out_now(id);
        }
    }

    /// Ends one wait as if its time were up.
    pub(super) fn time_out_now(&mut self, id: SessionId) {
        self.unblock(id, |reply, block| {
            write_timeout(reply, &block.timeout_reply)
        });
    }

    /// CLIENT UNBLOCK.
    pub(super) fn unblock_by_command(&mut self, id: SessionId, with_error: bool) {
        if with_error {
            self.server.count_error(b"UNBLOCKED");
            if let Some(waiting) = self.sessions.get(id).and_then(|one| one.waiting.as_ref()) {
                self.server.count_failure(waiting.number);
            }
        }
        self.unblock(id, |reply, block| match with_error {
            true => reply.error(b"UNBLOCKED client unblocked via CLIENT UNBLOCK"),
            false => write_timeout(reply, &block.timeout_reply),
        });
    }

    /// Ends one wait with the reply that `write` writes.
    pub(super) fn unblock(&mut self, id: SessionId, write: impl FnOnce(&mut Reply, &Block)) {
        let Some(mut session) = self.sessions.take(id) else {
            return;
        };
        if let Some(waiting) = self.stop_waiting(&mut session) {
            let mut reply = Reply::new(session.encoding(), session.resp3);
            write(&mut reply, &waiting.block);
            self.count_call(&mut session, waiting.number);
            self.finish(&mut session, reply);
        }
        self.sessions.put(session);
    }

    /// Hands a late reply over; the client goes on with the input that piled up meanwhile once that may run.
    pub(super) fn finish(&mut self, session: &mut Session, late: Reply) {
        let (text, cells) = late.into_parts();
        match session.encoding() {
            _ if std::mem::take(&mut session.is_late_reply_dropped) => {}
            Encoding::Wire => session.output.put(&text),
            Encoding::Cells => {
                session.messages.push_back(crate::state::Message {
                    cells,
                    text,
                    is_reply: true,
                });
            }
        }
        self.blocked.resumed.push_back(session.handle);
    }

    /// Lets clients that waited, or were paused, go on, now that the input that ended it is done with.
    #[inline]
    pub(super) fn resume_all(&mut self) {
        if !self.blocked.resumed.is_empty() {
            self.resume_some();
        }
    }

    #[cold]
    fn resume_some(&mut self) {
        while let Some(id) = self.blocked.resumed.pop_front() {
            self.sessions.mark_ready(id);
            if self
                .sessions
                .get(id)
                .is_some_and(|session| session.kind == Kind::Wire)
            {
                self.process(id);
            }
        }
    }
}

/// The type that commands of a group wait for.
fn type_of(group: Group) -> Type {
    match group {
        Group::SortedSet => Type::SortedSet,
        Group::Stream => Type::Stream,
        _ => Type::List,
    }
}

fn write_timeout(reply: &mut Reply, timeout_reply: &TimeoutReply) {
    match timeout_reply {
        TimeoutReply::NilArray => reply.nil_array(),
        TimeoutReply::Ok => reply.ok(),
        TimeoutReply::Int(value) => reply.int(*value),
        TimeoutReply::Ints(values) => {
            reply.array(values.len());
            values.iter().for_each(|value| reply.int(*value));
        }
    }
}
