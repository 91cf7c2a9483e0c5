//! Who listens to what.

use crate::algorithms::bytes::Bytes;
use crate::algorithms::glob;
use crate::structures::ordered::OrderedMap;

/// The three kinds of subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Channel,
    Pattern,
    Shard,
}

/// Subscribers by name, each list in the order of subscription.
/// (Ordered maps: no hash to flood, the same order in every run.)
type Listeners = OrderedMap<Vec<u8>, Vec<u32>>;

/// The subscription maps.
#[derive(Debug, Default)]
pub struct PubSub {
    channels: Listeners,
    patterns: Listeners,
    shards: Listeners,
    /// Patterns in the order they first appeared: messages reach their subscribers in this order.
    pattern_order: Vec<Vec<u8>>,
}

impl PubSub {
    fn map(&mut self, scope: Scope) -> &mut Listeners {
        match scope {
            Scope::Channel => &mut self.channels,
            Scope::Pattern => &mut self.patterns,
            Scope::Shard => &mut self.shards,
        }
    }

    /// Adds `handle`; the caller has checked that it was not there.
    pub fn add(&mut self, scope: Scope, name: &[u8], handle: u32) {
        if let Some(listeners) = self.map(scope).get_mut(name) {
            return listeners.push(handle);
        }
        self.map(scope).insert(name.owned(), vec![handle]);
        if scope == Scope::Pattern {
            self.pattern_order.push(name.owned());
        }
    }

    /// Removes `handle`, and the name with its last subscriber.
    pub fn remove(&mut self, scope: Scope, name: &[u8], handle: u32) {
        let map = self.map(scope);
        let Some(listeners) = map.get_mut(name) else {
            return;
        };
        listeners.retain(|other| *other != handle);
        if listeners.is_empty() {
            map.remove(name);
            if scope == Scope::Pattern {
                self.pattern_order.retain(|other| other != name);
            }
        }
    }

    /// The subscribers of exactly this channel.
    pub fn listeners(&self, scope: Scope, name: &[u8]) -> &[u32] {
        let map = match scope {
            Scope::Channel => &self.channels,
            Scope::Pattern => &self.patterns,
            Scope::Shard => &self.shards,
        };
        map.get(name).map_or(&[], Vec::as_slice)
    }

    /// The patterns that match `channel`, with their subscribers.
    pub fn matching<'a>(
        &'a self,
        channel: &'a [u8],
    ) -> impl Iterator<Item = (&'a [u8], &'a [u32])> {
        self.pattern_order
            .iter()
            .filter(|pattern| glob::matches(pattern, channel))
            .map(|pattern| {
                let listeners = self
                    .patterns
                    .get(pattern.as_slice())
                    .map_or(&[][..], Vec::as_slice);
                (pattern.as_slice(), listeners)
            })
    }

    /// How many clients a message on `channel` reaches, counted once for each subscription as Redis does.
    pub fn receivers(&self, channel: &[u8]) -> usize {
        let direct = self.listeners(Scope::Channel, channel).len();
        direct
            + self
                .matching(channel)
                .map(|(_, listeners)| listeners.len())
                .sum::<usize>()
    }

    /// Whether nobody listens to anything but shard channels: the quick answer for events.
    pub fn is_quiet(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty()
    }

    /// The number of different patterns.
    pub fn pattern_count(&self) -> usize {
        self.patterns.len()
    }

    /// The number of channels (or patterns, shard channels) with a subscriber.
    pub fn count(&self, scope: Scope) -> usize {
        match scope {
            Scope::Channel => self.channels.len(),
            Scope::Pattern => self.patterns.len(),
            Scope::Shard => self.shards.len(),
        }
    }

    /// Names with a subscriber, in no order.
    pub fn names(&self, scope: Scope) -> impl Iterator<Item = &[u8]> {
        let map = match scope {
            Scope::Channel => &self.channels,
            Scope::Pattern => &self.patterns,
            Scope::Shard => &self.shards,
        };
        map.keys().map(Vec::as_slice)
    }
}
