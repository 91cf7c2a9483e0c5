//! How recently or how often keys were used: the 24 bits of every entry that OBJECT IDLETIME and OBJECT FREQ read.
//!
//! By default the bits are seconds (LRU). Under an LFU policy the low 8 bits are a logarithmic counter of accesses and
//! the high 16 the minute it was last looked at. A change of policy leaves the bits as they are, as in Redis.

use crate::structures::table::{CLOCK_MAX, EntryView};
use crate::values::Object;

/// The counter of a key that was just created: it must not look unused before anybody could use it.
const NEW_COUNTER: u8 = 5;

/// `lfu-log-factor` and `lfu-decay-time`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lfu {
    pub log_factor: u32,
    /// Minutes after which an unused counter loses one; 0 for never.
    pub decay_minutes: u32,
}

/// The clock of the running command.
#[derive(Debug, Default)]
pub struct AccessClock {
    now_ms: i64,
    now_s: u32,
    /// CLIENT NO-TOUCH: reads leave the bits alone.
    no_touch: bool,
    lfu: Option<Lfu>,
    /// Only changes are accesses (an LRM policy).
    is_lrm: bool,
    /// The state of the dice that decide whether an access raises a counter.
    dice: u64,
}

impl AccessClock {
    #[inline]
    pub(super) fn begin(&mut self, now_ms: i64, no_touch: bool) {
        // Many commands run in the same millisecond, and a division costs as much as a hash.
        if self.now_ms != now_ms {
            self.now_ms = now_ms;
            self.now_s = (now_ms / 1000) as u32;
        }
        self.no_touch = no_touch;
    }

    pub(super) fn set_lfu(&mut self, lfu: Option<Lfu>) {
        self.lfu = lfu;
    }

    pub(super) fn set_lrm(&mut self, is_lrm: bool) {
        self.is_lrm = is_lrm;
    }

    pub(super) fn is_lfu(&self) -> bool {
        self.lfu.is_some()
    }

    /// An access, unless the client leaves no trace.
    #[inline]
    pub(super) fn touch(&mut self, view: &EntryView<'_, Object>) {
        if !self.no_touch {
            self.touch_always(view);
        }
    }

    /// An access that changes nothing.
    #[inline]
    pub(super) fn touch_read(&mut self, view: &EntryView<'_, Object>) {
        if !self.no_touch && !self.is_lrm {
            self.touch_always(view);
        }
    }

    /// An access (TOUCH works for clients without a trace too).
    #[inline]
    pub(super) fn touch_always(&mut self, view: &EntryView<'_, Object>) {
        match self.lfu {
            None => view.set_clock(self.now_s),
            Some(lfu) => self.count(view, lfu),
        }
    }

    /// The bits of a new key.
    #[inline]
    pub(super) fn start(&self, view: &EntryView<'_, Object>) {
        match self.lfu {
            None => view.set_clock(self.now_s),
            Some(_) => self.set_counter(view, NEW_COUNTER),
        }
    }

    #[cold]
    fn count(&mut self, view: &EntryView<'_, Object>, lfu: Lfu) {
        let counter = self.decayed(view, lfu);
        // splitmix64: the dice need be even, not secret.
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        let above = f64::from(counter.saturating_sub(NEW_COUNTER));
        let raises = unit < 1.0 / (above * f64::from(lfu.log_factor) + 1.0);
        self.set_counter(view, counter.saturating_add(u8::from(raises)));
    }

    fn set_counter(&self, view: &EntryView<'_, Object>, counter: u8) {
        view.set_clock(self.minute() << 8 | u32::from(counter));
    }

    fn minute(&self) -> u32 {
        (self.now_s / 60) & 0xffff
    }

    fn decayed(&self, view: &EntryView<'_, Object>, lfu: Lfu) -> u8 {
        let clock = view.clock();
        let elapsed = self.minute().wrapping_sub(clock >> 8) & 0xffff;
        let periods = elapsed.checked_div(lfu.decay_minutes).unwrap_or(0);
        (clock as u8).saturating_sub(periods.min(255) as u8)
    }

    /// The access counter; None when counters are not kept.
    pub fn frequency(&self, view: &EntryView<'_, Object>) -> Option<u8> {
        self.lfu.map(|lfu| self.decayed(view, lfu))
    }

    /// Seconds since the last access; None when counters are kept instead.
    pub fn idle_s(&self, view: &EntryView<'_, Object>) -> Option<u32> {
        let idle = self.now_s.wrapping_sub(view.clock()) & CLOCK_MAX;
        self.lfu.is_none().then_some(idle)
    }

    /// Makes a key look as used as RESTORE says; what the policy does not keep is ignored.
    pub(super) fn set_usage(
        &self,
        view: &EntryView<'_, Object>,
        idle_s: Option<i64>,
        frequency: Option<u8>,
    ) {
        match (self.lfu, idle_s, frequency) {
            (Some(_), _, Some(counter)) => self.set_counter(view, counter),
            (None, Some(idle_s), _) => {
                let now_s = i64::from(self.now_s & CLOCK_MAX);
                let at_s = match now_s - idle_s {
                    // Longer than the clock runs: as far back as it can tell.
                    before if before < 0 => {
                        (now_s + i64::from(CLOCK_MAX / 2)) % i64::from(CLOCK_MAX)
                    }
                    at_s => at_s,
                };
                view.set_clock(at_s as u32);
            }
            _ => {}
        }
    }
}
