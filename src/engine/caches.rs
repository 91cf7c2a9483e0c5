//! Client-side caches: changes are noted after every command, and told to whom it concerns once it is over.

use super::{Engine, Session, SessionId};
use crate::resp::Reply;
use crate::state::Invalidation;
use crate::table::{Flags, Resolved};

/// Where redirected messages seem to be published.
const CHANNEL: &[u8] = b"__redis__:invalidate";

impl Engine {
    /// Notes what a command changed, then what it read.
    #[cold]
    pub(super) fn track(&mut self, session: &Session, row: Resolved, args: &[&[u8]]) {
        self.note_changes_for_caches(session.id);
        let remembers = session
            .tracking
            .as_ref()
            .is_some_and(|tracking| tracking.remembers());
        // Of scripts, what they read themselves counts: they are the ones that MONITOR is told of elsewhere.
        let is_else = row.row.is(Flags::PUBSUB | Flags::SKIP_MONITOR);
        if remembers && row.row.is(Flags::READONLY) && !is_else {
            let limit = self.server.config.number("tracking-table-max-keys");
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            for key in row.row.find_keys(args) {
                if let Some(name) = args.get(key.at) {
                    self.server.tracking.remember(session.id, name, limit);
                }
            }
        }
    }

    /// Passes the keys changed since the last call on; `writer` is the client that changed them, 0 for none.
    pub(super) fn note_changes_for_caches(&mut self, writer: u64) {
        if !self.keys.has_modified() {
            return;
        }
        let (modified, is_flushed) = self.keys.take_modified();
        for key in modified {
            self.server.tracking.changed(writer, &key);
        }
        if is_flushed {
            self.server.tracking.flushed();
        }
    }

    /// The end of an input: what changed below prefixes is told, joined.
    #[inline]
    pub(super) fn broadcast_changes(&mut self) {
        if self.server.tracking.has_broadcast() {
            self.server.tracking.broadcast();
            self.settle();
        }
    }

    pub(super) fn deliver_invalidations(&mut self) {
        for told in std::mem::take(&mut self.server.tracking.told) {
            self.invalidate(&told);
        }
    }

    fn invalidate(&mut self, told: &Invalidation) {
        let Some(id) = self.sessions.handle_of(told.client) else {
            return;
        };
        let Some(tracking) = self
            .sessions
            .get(id)
            .and_then(|session| session.tracking.as_ref())
        else {
            return;
        };
        match tracking.redirect {
            0 => self.tell(id, told, false),
            redirect => match self.sessions.handle_of(redirect) {
                Some(target) => self.tell(target, told, true),
                None => self.tell_broken(id, redirect),
            },
        }
    }

    /// In RESP3 a message of its own kind; in RESP2 only by redirection, to a subscriber.
    fn tell(&mut self, id: SessionId, told: &Invalidation, is_redirected: bool) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if session.resp3 {
            session.send(false, |reply| {
                reply.push(2);
                reply.bulk_str("invalidate");
                write_keys(reply, told);
            });
        } else if is_redirected && session.is_subscriber() {
            session.send(false, |reply| {
                reply.push(3);
                reply.bulk_str("message");
                reply.bulk(CHANNEL);
                write_keys(reply, told);
            });
        }
        self.sessions.mark_ready(id);
    }

    /// The session that should hear is gone: the one that tracks learns it.
    fn tell_broken(&mut self, id: SessionId, redirect: u64) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if let Some(tracking) = &mut session.tracking {
            tracking.is_redirect_broken = true;
        }
        if session.resp3 {
            session.send(false, |reply| {
                reply.push(2);
                reply.bulk_str("tracking-redir-broken");
                reply.int(redirect as i64);
            });
            self.sessions.mark_ready(id);
        }
    }
}

fn write_keys(reply: &mut Reply, told: &Invalidation) {
    match &told.keys {
        Some(keys) => {
            reply.array(keys.len());
            keys.iter().for_each(|key| reply.bulk(key));
        }
        None => reply.nil(),
    }
}
