//! Messages from publishers, the keyspace and other tabs to subscribers.

use super::{Engine, SessionId};
use crate::keyspace::Event;
use crate::state::Scope;

impl Engine {
    /// Publishes the keyspace events of the request and its messages, in the order in which they came.
    pub(super) fn deliver_published(&mut self) {
        let mut published = std::mem::take(&mut self.server.published).into_iter();
        let mut message = published.next();
        for (at, event) in self.keys.take_events().into_iter().enumerate() {
            while let Some(next) = message.take_if(|next| next.events_before <= at) {
                self.deliver(next.is_sharded, &next.channel, &next.payload);
                message = published.next();
            }
            self.deliver_event(&event);
        }
        for next in message.into_iter().chain(published) {
            self.deliver(next.is_sharded, &next.channel, &next.payload);
        }
    }

    /// `__keyspace@<db>__:<key>` and `__keyevent@<db>__:<event>`.
    fn deliver_event(&mut self, event: &Event) {
        let db = event.db.to_string();
        if event.to_key_channel {
            let channel = [b"__keyspace@", db.as_bytes(), b"__:", &event.key].concat();
            self.deliver(false, &channel, event.name.as_bytes());
        }
        if event.to_event_channel {
            let channel = [b"__keyevent@", db.as_bytes(), b"__:", event.name.as_bytes()].concat();
            self.deliver(false, &channel, &event.key);
        }
    }

    /// A message published in another tab or process: local subscribers hear it, nobody is asked to pass it on.
    pub fn remote_publish(&mut self, is_sharded: bool, channel: &[u8], payload: &[u8]) {
        self.deliver(is_sharded, channel, payload);
    }

    fn deliver(&mut self, is_sharded: bool, channel: &[u8], payload: &[u8]) {
        let pubsub = &self.server.pubsub;
        let (scope, word) = if is_sharded {
            (Scope::Shard, "smessage")
        } else {
            (Scope::Channel, "message")
        };
        let direct: Vec<SessionId> = pubsub.listeners(scope, channel).to_vec();
        let by_pattern: Vec<(Vec<u8>, Vec<SessionId>)> = match is_sharded {
            true => Vec::new(),
            false => pubsub
                .matching(channel)
                .map(|(pattern, ids)| (pattern.to_vec(), ids.to_vec()))
                .collect(),
        };
        for id in direct {
            self.send(id, &[word.as_bytes(), channel, payload]);
        }
        for (pattern, ids) in by_pattern {
            for id in ids {
                self.send(id, &[b"pmessage", &pattern, channel, payload]);
            }
        }
    }

    fn send(&mut self, id: SessionId, parts: &[&[u8]]) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        session.send(false, |reply| {
            reply.push(parts.len());
            for part in parts {
                reply.bulk(part);
            }
        });
        self.sessions.mark_ready(id);
    }
}
