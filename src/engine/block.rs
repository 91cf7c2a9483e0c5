//! Clients that wait: for a key, for time, for a save.
//!
//! A blocked command is not suspended; it runs again, whole, when one of its keys may be ready, and blocks again when
//! it was not. Clients are served in the order in which they began to wait.

use super::{Called, Engine, SessionId};
use crate::algorithms::bytes::{Append, Bytes};
use crate::resp::{Encoding, Reply};
use crate::state::{Block, BlockOn, Kind, Session, TimeoutReply, Waiting};
use crate::structures::ordered::{OrderedMap, OrderedSet};
use crate::table::Resolved;

/// Clients that wait for one key, with their tickets: the order of arrival.
type Waiters = OrderedSet<(u64, SessionId)>;

/// Who waits.
#[derive(Debug, Default)]
pub(super) struct Blocked {
    last_ticket: u64,
    /// The ticket of the client whose command runs again.
    kept_ticket: Option<u64>,
    /// (deadline in ms, ticket) of every client with a deadline.
    deadlines: OrderedMap<(i64, u64), SessionId>,
    /// By (database, key).
    by_key: OrderedMap<(usize, Vec<u8>), Waiters>,
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
        block: Block,
        reply: &mut Reply,
    ) -> Called {
        if session.is_in_exec {
            write_timeout(reply, &block.timeout_reply);
            return Called::Replied;
        }
        let ticket = self.blocked.kept_ticket.take().unwrap_or_else(|| {
            self.blocked.last_ticket += 1;
            self.blocked.last_ticket
        });
        let db = self.keys.selected();
        if let Some(deadline_ms) = block.deadline_ms {
            self.blocked
                .deadlines
                .insert((deadline_ms, ticket), session.handle);
        }
        if let BlockOn::Keys(keys) = &block.on {
            for key in keys {
                self.keys.add_blocking(db, key);
                let waiters = self.blocked.by_key.or_default((db, key.clone()));
                waiters.insert((ticket, session.handle));
            }
        }
        let args = args.iter().map(|arg| arg.owned()).collect();
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
            for key in keys {
                self.keys.remove_blocking(waiting.db, key);
                let place = (waiting.db, key.clone());
                if let Some(waiters) = self.blocked.by_key.get_mut(&place) {
                    waiters.remove(&(waiting.ticket, session.handle));
                    if waiters.is_empty() {
                        self.blocked.by_key.remove(&place);
                    }
                }
            }
        }
        Some(waiting)
    }

    /// Runs the commands of clients whose keys were written, key by key, in order of arrival.
    pub(super) fn serve_ready_keys(&mut self) {
        for (db, key) in self.keys.take_ready() {
            let Some(waiters) = self.blocked.by_key.get(&(db, key)) else {
                continue;
            };
            let waiters: Vec<SessionId> = waiters.iter().map(|(_, id)| *id).collect();
            for id in waiters {
                self.retry(id);
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
        let Some(row) = self.lookup.row(waiting.number) else {
            return self.sessions.put(session);
        };
        let args: Vec<&[u8]> = waiting.args.iter().map(Vec::as_slice).collect();
        let mut reply = Reply::new(session.encoding(), session.resp3);
        // Should it have to wait again, it keeps its place in the queue.
        self.blocked.kept_ticket = Some(waiting.ticket);
        let db = std::mem::replace(&mut session.db, waiting.db);
        let called = self.run(&mut session, row, &args, &mut reply, true);
        session.db = db;
        self.blocked.kept_ticket = None;
        if called != Called::Blocked {
            finish(&mut session, reply);
        }
        self.sessions.put(session);
        if called != Called::Blocked {
            self.resume(id);
        }
    }

    /// Ends the waits whose time is up.
    pub(super) fn time_out(&mut self) {
        while let Some((&(deadline_ms, _), &id)) = self.blocked.deadlines.first() {
            if deadline_ms > self.now_ms {
                return;
            }
            self.unblock(id, |reply, block| {
                write_timeout(reply, &block.timeout_reply)
            });
        }
    }

    /// CLIENT UNBLOCK.
    pub(super) fn unblock_by_command(&mut self, id: SessionId, with_error: bool) {
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
            finish(&mut session, reply);
        }
        self.sessions.put(session);
        self.resume(id);
    }

    /// A client that waited goes on with the input that piled up meanwhile.
    fn resume(&mut self, id: SessionId) {
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

/// Hands a late reply over.
fn finish(session: &mut Session, late: Reply) {
    let (text, cells) = late.into_parts();
    match session.encoding() {
        Encoding::Wire => session.output.put(&text),
        Encoding::Cells => {
            session.messages.push_back(crate::state::Message {
                cells,
                text,
                is_reply: true,
            });
        }
    }
}

fn write_timeout(reply: &mut Reply, timeout_reply: &TimeoutReply) {
    match timeout_reply {
        TimeoutReply::Nil => reply.nil(),
        TimeoutReply::NilArray => reply.nil_array(),
        TimeoutReply::Ok => reply.ok(),
        TimeoutReply::Int(value) => reply.int(*value),
        TimeoutReply::Ints(values) => {
            reply.array(values.len());
            values.iter().for_each(|value| reply.int(*value));
        }
    }
}
