//! What happens after a request, once its session is back among the others: watchers are told, messages and events are
//! delivered, kills and wake-ups that the command asked for are carried out.

use super::{Engine, Kind, SessionId};

impl Engine {
    /// Whether anything waits for [`Engine::after_request`].
    #[inline(always)]
    pub(super) fn has_aftermath(&self) -> bool {
        self.keys.has_aftermath()
            || !self.server.published.is_empty()
            || !self.server.monitored.is_empty()
            || !self.server.kills.is_empty()
            || !self.server.unblocks.is_empty()
            || !self.server.tracking.told.is_empty()
            || (!self.paused.is_empty() && !self.is_paused_now())
    }

    /// Carries out what the request left to do; `has_messages` is true when the session has some for the host.
    #[inline(always)]
    pub(super) fn after_request(&mut self, id: SessionId, has_messages: bool) {
        if self.has_aftermath() {
            self.settle();
            self.announce(id);
        } else if has_messages {
            self.announce(id);
        }
    }

    /// Tells the host of the messages of a session.
    #[cold]
    fn announce(&mut self, id: SessionId) {
        if self
            .sessions
            .get(id)
            .is_some_and(|session| !session.messages.is_empty())
        {
            self.sessions.mark_ready(id);
        }
    }

    /// Repeats until nothing is left: a woken client's command may itself leave things to do.
    #[cold]
    pub(super) fn settle(&mut self) {
        #[cfg(feature = "debugger")]
        let is_amid_script = self.is_busy() || self.is_debugging();
        #[cfg(not(feature = "debugger"))]
        let is_amid_script = self.is_busy();
        if is_amid_script {
            // Nobody else touches the data: only what was said goes out.
            self.deliver_published();
            self.deliver_monitored();
            return;
        }
        while self.has_aftermath() {
            for touched in self.keys.take_touched() {
                if let Some(session) = self.sessions.get_mut(touched) {
                    session.is_touched = true;
                }
            }
            self.note_changes_for_caches(0);
            self.deliver_invalidations();
            self.deliver_published();
            self.deliver_monitored();
            for id in std::mem::take(&mut self.server.kills) {
                self.kill(id);
            }
            for (id, with_error) in std::mem::take(&mut self.server.unblocks) {
                self.unblock_by_command(id, with_error);
            }
            self.serve_ready_keys();
            self.end_pause();
        }
    }

    /// Ends a session from our side: from now on nothing reaches it but what it was told before.
    fn kill(&mut self, id: SessionId) {
        let Some(mut session) = self.sessions.take(id) else {
            return;
        };
        self.forget(&mut session);
        session.is_closing = true;
        let is_native = session.kind != Kind::Wire;
        self.sessions.put(session);
        if is_native {
            self.server
                .request(&[b"disconnect", id.to_string().as_bytes()]);
        }
        self.sessions.mark_ready(id);
    }
}
