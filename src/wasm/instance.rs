//! The one engine of a wasm instance, and the control block that both sides read and write.

use crate::engine::{Called, Engine};
use crate::resp::{Cell, Encoding, Reply};
use crate::state::Message;
use crate::structures::bytes::is_ascii;
use std::cell::UnsafeCell;

/// Words of the control block, by index.
pub mod word {
    pub const MAGIC: usize = 0;
    pub const REQUEST_PTR: usize = 1;
    pub const REQUEST_CAPACITY: usize = 2;
    pub const TEXT_PTR: usize = 3;
    pub const TEXT_LEN: usize = 4;
    pub const CELLS_PTR: usize = 5;
    pub const CELLS_LEN: usize = 6;
    pub const FLAGS: usize = 7;
    pub const READY: usize = 8;
    pub const REQUESTS: usize = 9;
    /// Two words: the bits of an `f64` or `i64`.
    pub const NUMBER: usize = 10;
    /// Two words, an `f64`: the host's clock.
    pub const NOW_MS: usize = 12;
    /// Two words, an `f64`.
    pub const DEADLINE_MS: usize = 14;
    pub const VOLATILE: usize = 16;
    pub const WRITE_VERSION: usize = 17;
    pub const DIRTY: usize = 18;
    /// Scripts: 0 none is paused; 1 others wait for one; 2 others are told BUSY.
    pub const SCRIPT: usize = 19;
    /// Not 0 while there is something to take for the append-only file.
    pub const AOF: usize = 20;
    pub const COUNT: usize = 24;
}

const MAGIC: u32 = 0x5254_5352;

/// In [`word::FLAGS`]: all text is ASCII.
const FLAG_ASCII: u32 = 1;
/// In [`word::FLAGS`]: the message is the reply of a call that was blocked.
const FLAG_LATE_REPLY: u32 = 2;

/// The tags of a returned `i32`, in its low three bits.
mod tag {
    pub const INT: i32 = 0;
    pub const NIL: i32 = 1;
    pub const BULK: i32 = 2;
    pub const STATUS: i32 = 3;
    pub const WIDE: i32 = 4;
    pub const AGGREGATE: i32 = 5;
    pub const ERROR: i32 = 6;
    pub const NONE: i32 = 7;
}

/// The payloads of tag NONE.
const NONE_BLOCKED: i32 = 0;
const NONE_SILENT: i32 = 1;
pub const NONE_NOTHING: i32 = 2;

/// With tag NONE: what came of a call, or that there is nothing.
pub const fn none(payload: i32) -> i32 {
    tag::NONE | payload << 3
}

/// Words that change seldom are refreshed after so many changes of the data set.
const REFRESH_EVERY: u64 = 64;

#[repr(C, align(8))]
struct Control(UnsafeCell<[u32; word::COUNT]>);

struct Slot(UnsafeCell<Option<Instance>>);

// SAFETY: a wasm instance without shared memory has one thread.
unsafe impl Sync for Control {}
// SAFETY: as above.
unsafe impl Sync for Slot {}

static CONTROL: Control = Control(UnsafeCell::new([0; word::COUNT]));
static SLOT: Slot = Slot(UnsafeCell::new(None));

/// Everything a wasm instance owns.
pub struct Instance {
    pub engine: Engine,
    /// Where JavaScript writes arguments.
    pub request: Vec<u8>,
    /// Bytes that outlive a call until the next: drained output, snapshot chunks, error texts.
    pub side: Vec<u8>,
    /// A message or host request being read.
    pub message: Option<Message>,
    refreshed_at: u64,
    /// What the control block's words on changes were made of.
    published_dirty: u64,
    published_saved: u64,
}

/// The address of the control block.
pub fn control_ptr() -> *mut u32 {
    CONTROL.0.get().cast()
}

fn read_word(index: usize) -> u32 {
    // SAFETY: one thread; the reference ends here. JavaScript writes only between calls.
    unsafe { (&(*CONTROL.0.get())).get(index).copied().unwrap_or(0) }
}

fn write_word(index: usize, value: u32) {
    // SAFETY: as for `read_word`.
    if let Some(word) = unsafe { (&mut (*CONTROL.0.get())).get_mut(index) } {
        *word = value;
    }
}

fn write_wide(index: usize, bits: u64) {
    write_word(index, bits as u32);
    write_word(index + 1, (bits >> 32) as u32);
}

/// The host's clock, in ms since the epoch.
pub fn host_now_ms() -> i64 {
    f64::from_bits(
        u64::from(read_word(word::NOW_MS)) | u64::from(read_word(word::NOW_MS + 1)) << 32,
    ) as i64
}

/// Starts the engine.
pub fn start(engine: Engine) {
    write_word(word::MAGIC, MAGIC);
    let instance = Instance {
        engine,
        request: Vec::new(),
        side: Vec::new(),
        message: None,
        refreshed_at: 0,
        published_dirty: 0,
        published_saved: 0,
    };
    // SAFETY: one thread, and no call is under way: JavaScript calls this once, first.
    unsafe { *SLOT.0.get() = Some(instance) };
    with(|instance| instance.publish_all());
}

/// Runs `action` on the instance, with the host's time set. Nothing when the engine was not started.
#[inline]
pub fn with<R>(action: impl FnOnce(&mut Instance) -> R) -> Option<R> {
    // SAFETY: one thread; exports never call each other, and nothing they call comes back in here.
    let instance = unsafe { (&mut *SLOT.0.get()).as_mut() }?;
    instance.engine.set_now(host_now_ms());
    Some(action(instance))
}

impl Instance {
    /// Makes room for `length` bytes of request.
    pub fn reserve(&mut self, length: usize) {
        if self.request.len() < length {
            self.request.resize(length, 0);
        }
        write_word(word::REQUEST_PTR, self.request.as_ptr() as u32);
        write_word(word::REQUEST_CAPACITY, self.request.len() as u32);
    }

    /// Gives the memory of an unusually large request back.
    pub fn trim_request(&mut self, keep: usize) {
        if self.request.len() > keep {
            self.request.truncate(keep);
            self.request.shrink_to_fit();
            self.reserve(keep);
        }
    }

    /// What to return for a call whose reply is in the engine.
    #[inline]
    pub fn finish(&mut self, called: Called) -> i32 {
        self.publish();
        if read_word(word::SCRIPT) != 0 {
            // It may have been killed.
            self.publish_all();
        }
        match called {
            Called::Replied => encode(self.engine.reply()),
            Called::Blocked => {
                // When it ends is news.
                self.publish_all();
                none(NONE_BLOCKED)
            }
            Called::Silent => none(NONE_SILENT),
        }
    }

    /// What to return for several replies: the cells of all of them.
    pub fn finish_batch(&mut self) -> i32 {
        self.publish_all();
        let reply = self.engine.reply();
        point(reply.text(), reply.cells());
        tag::AGGREGATE
    }

    /// An error or OK of something that is no command.
    pub fn finish_result(&mut self, result: Result<(), crate::resp::Error>) -> i32 {
        self.publish_all();
        let mut reply = Reply::new(Encoding::Cells, true);
        match result {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error.text()),
        }
        self.show(reply, false)
    }

    /// Hands out a reply that is not the engine's; it stays valid until the next one.
    pub fn show(&mut self, reply: Reply, is_reply: bool) -> i32 {
        let (text, cells) = reply.into_parts();
        self.show_message(Message {
            cells,
            text,
            is_reply,
        })
    }

    pub fn show_message(&mut self, message: Message) -> i32 {
        let message = self.message.insert(message);
        let result = encode_parts(&message.text, &message.cells);
        if message.is_reply {
            write_word(word::FLAGS, read_word(word::FLAGS) | FLAG_LATE_REPLY);
        }
        result
    }

    /// Shows `side` as the bytes of the result; how many they are.
    pub fn show_side(&mut self) -> i32 {
        write_word(word::TEXT_PTR, self.side.as_ptr() as u32);
        write_word(word::TEXT_LEN, self.side.len() as u32);
        self.side.len() as i32
    }

    /// Refreshes what JavaScript may look at after a call. What seldom changes is refreshed seldom, unless keys with a
    /// deadline make it matter.
    #[inline]
    pub fn publish(&mut self) {
        write_word(word::READY, self.engine.ready_count() as u32);
        write_word(word::REQUESTS, self.engine.request_count() as u32);
        write_word(word::AOF, self.engine.aof_pending() as u32);
        let keys = self.engine.keys();
        let dirty = keys.dirty;
        if dirty == self.published_dirty && keys.dirty_saved == self.published_saved {
            return;
        }
        (self.published_dirty, self.published_saved) = (dirty, keys.dirty_saved);
        write_word(word::WRITE_VERSION, dirty as u32);
        let changes = dirty - keys.dirty_saved;
        write_word(word::DIRTY, changes as u32);
        let is_volatile = keys.selected_volatile_len() > 0 || read_word(word::VOLATILE) > 0;
        let is_first = changes == 1 && dirty != self.refreshed_at;
        if is_first
            || dirty - self.refreshed_at >= REFRESH_EVERY
            || (is_volatile && dirty != self.refreshed_at)
        {
            self.publish_all();
        }
    }

    /// Refreshes everything.
    #[inline(never)]
    pub fn publish_all(&mut self) {
        let keys = self.engine.keys();
        self.refreshed_at = keys.dirty;
        write_word(word::READY, self.engine.ready_count() as u32);
        write_word(word::REQUESTS, self.engine.request_count() as u32);
        write_word(word::AOF, self.engine.aof_pending() as u32);
        write_word(word::WRITE_VERSION, keys.dirty as u32);
        write_word(word::DIRTY, (keys.dirty - keys.dirty_saved) as u32);
        write_word(word::VOLATILE, keys.volatile_len() as u32);
        let deadline_ms = self
            .engine
            .next_deadline_ms()
            .map_or(f64::INFINITY, |at_ms| at_ms as f64);
        write_wide(word::DEADLINE_MS, deadline_ms.to_bits());
        let is_busy = u32::from(self.engine.is_busy());
        let is_told = u32::from(!self.engine.is_holding());
        write_word(word::SCRIPT, is_busy + (is_busy & is_told));
    }
}

fn point(text: &[u8], cells: &[u32]) {
    write_word(word::TEXT_PTR, text.as_ptr() as u32);
    write_word(word::TEXT_LEN, text.len() as u32);
    write_word(word::CELLS_PTR, cells.as_ptr() as u32);
    write_word(word::CELLS_LEN, cells.len() as u32);
    write_word(word::FLAGS, if is_ascii(text) { FLAG_ASCII } else { 0 });
}

#[inline]
fn encode(reply: &Reply) -> i32 {
    encode_parts(reply.text(), reply.cells())
}

/// A reply as the returned number: simple ones whole, others by reference through the control block.
#[inline]
fn encode_parts(text: &[u8], cells: &[u32]) -> i32 {
    match *cells {
        [kind, value] if kind == Cell::Bulk as u32 => {
            write_word(word::TEXT_PTR, text.as_ptr() as u32);
            write_word(word::FLAGS, if is_ascii(text) { FLAG_ASCII } else { 0 });
            tag::BULK | (value as i32) << 3
        }
        [kind, value] if kind == Cell::Int as u32 => encode_int(value as i32),
        [kind, _] if kind == Cell::Nil as u32 || kind == Cell::NilArray as u32 => tag::NIL,
        [kind, _] if kind == Cell::Status as u32 => encode_status(text),
        [kind, value] if kind == Cell::Bool as u32 => tag::WIDE | (2 + value as i32) << 3,
        [kind, value] if kind == Cell::Error as u32 => {
            point(text, cells);
            tag::ERROR | (value as i32) << 3
        }
        [kind, _, low, high] if kind == Cell::Int64 as u32 || kind == Cell::Double as u32 => {
            write_word(word::NUMBER, low);
            write_word(word::NUMBER + 1, high);
            tag::WIDE | i32::from(kind == Cell::Double as u32) << 3
        }
        _ => {
            point(text, cells);
            tag::AGGREGATE
        }
    }
}

/// An integer in the payload's 29 bits, or as a wide one.
#[inline]
fn encode_int(value: i32) -> i32 {
    if (value << 3) >> 3 == value {
        return tag::INT | value << 3;
    }
    write_wide(word::NUMBER, i64::from(value) as u64);
    tag::WIDE
}

fn encode_status(text: &[u8]) -> i32 {
    let code = match text {
        b"OK" => 0,
        b"QUEUED" => 1,
        b"PONG" => 2,
        _ => {
            point(text, &[]);
            3
        }
    };
    tag::STATUS | code << 3
}
