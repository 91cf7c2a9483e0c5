//! One key with everything about it in a single allocation.
//!
//! ```text
//!   +-------+------+----------+---------+--------------+-----+------------------------------+
//!   | flags | kind | clock    | key len | expiry       | key | payload                      |
//!   | u8    | u8   | u24      | varint  | i64, if any  |     | Inline: varint length, bytes |
//!   +-------+------+----------+---------+--------------+-----+ Int:    i64                  |
//!           `- with a clock --'                              | Boxed:  *mut B               |
//!                                                            | Empty:  nothing              |
//!   flags: bit 0     an expiry is present                    +------------------------------+
//!          bits 1-2  form of the payload
//!          bits 3-7  epoch, a number that tells what a walk in slices has passed
//! ```
//!
//! - `kind` and `clock` mean nothing here; the layer above gives them a meaning. The members of one value
//!   have neither kind nor clock: [`Shape`] tells.
//! - An inline payload without bytes is written as Empty.
//! - Numbers are in the machine's order and unaligned; lengths are LEB128 varints.
//! - A 12-byte key with a 16-byte inline payload takes 35 bytes, with an expiry 43; as a member of one value, 31.
//! - An entry is owned by exactly one table slot. It moves when its [`footprint`] changes, so nothing may keep its
//!   address; a [`EntryView`] borrows the table and therefore ends before the next change.

use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use super::bytes::{copy, equal};
use super::slab::{Slab, footprint};

const FLAGS_AT: usize = 0;
const KIND_AT: usize = 1;
const CLOCK_AT: usize = 2;
const EXPIRY_BYTES: usize = size_of::<i64>();

const HAS_EXPIRY: u8 = 1;
const FORM_SHIFT: u32 = 1;
const FORM_MASK: u8 = 3 << FORM_SHIFT;
const EPOCH_SHIFT: u32 = 3;
const EPOCH_MASK: u8 = 0x1f << EPOCH_SHIFT;

/// Epochs are counted modulo this.
pub const EPOCHS: u8 = 32;

/// The clock is 24 bits wide.
pub const CLOCK_MAX: u32 = (1 << 24) - 1;

/// What a table's entries keep beside key, expiry and payload; chosen by the type of its boxed payloads.
pub trait Shape {
    /// Whether they have a kind and an access clock. Without, both read as 0 and setting them does nothing, and an entry
    /// is four bytes shorter.
    const HAS_CLOCK: bool;
    /// Where the length of the key begins.
    #[doc(hidden)]
    const KEY_LENGTH_AT: usize = if Self::HAS_CLOCK { 5 } else { 1 };
}

/// Members without a payload, or with short ones only.
impl Shape for () {
    const HAS_CLOCK: bool = false;
}

/// Members with payloads of any length.
impl Shape for Vec<u8> {
    const HAS_CLOCK: bool = false;
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Form {
    Inline = 0,
    Int = 1,
    Boxed = 2,
    Empty = 3,
}

/// A payload as it is read.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload<'a, B> {
    /// Bytes stored in the entry itself.
    Inline(&'a [u8]),
    /// An integer stored in eight bytes of the entry.
    Int(i64),
    /// An object of its own.
    Boxed(&'a B),
}

impl<B> Clone for Payload<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Payload<'_, B> {}

/// A payload to change in place. An integer is changed with `EntryMut::set_int`.
#[derive(Debug)]
pub enum PayloadMut<'a, B> {
    Inline(&'a mut [u8]),
    Int(i64),
    Boxed(&'a mut B),
}

/// A payload to be stored.
#[derive(Debug)]
pub enum Content<'a, B> {
    /// Copied into the entry.
    Inline(&'a [u8]),
    Int(i64),
    /// Moved into the table, which drops it with the entry.
    Boxed(Box<B>),
}

impl<B> Content<'_, B> {
    fn form(&self) -> Form {
        match self {
            Content::Inline([]) => Form::Empty,
            Content::Inline(_) => Form::Inline,
            Content::Int(_) => Form::Int,
            Content::Boxed(_) => Form::Boxed,
        }
    }

    #[inline(always)]
    fn bytes(&self) -> usize {
        match self {
            Content::Inline([]) => 0,
            Content::Inline(bytes) => varint_width(bytes.len()) + bytes.len(),
            Content::Int(_) => size_of::<i64>(),
            Content::Boxed(_) => size_of::<*mut B>(),
        }
    }
}

/// A payload taken out of a table.
#[derive(Debug, PartialEq, Eq)]
pub enum OwnedPayload<B> {
    Inline(Vec<u8>),
    Int(i64),
    Boxed(Box<B>),
}

impl<B> OwnedPayload<B> {
    /// The same payload, ready to be stored elsewhere.
    pub fn into_content<'a>(self, bytes: &'a mut Vec<u8>) -> Content<'a, B> {
        match self {
            OwnedPayload::Inline(inline) => {
                *bytes = inline;
                Content::Inline(bytes)
            }
            OwnedPayload::Int(number) => Content::Int(number),
            OwnedPayload::Boxed(object) => Content::Boxed(object),
        }
    }
}

/// An entry that lives in a table, borrowed from it. Copying a view is free.
///
/// Clock and epoch can be written through a view as through a `Cell`; no reference ever covers those bytes.
pub struct EntryView<'a, B> {
    start: NonNull<u8>,
    owner: PhantomData<&'a B>,
}

impl<B> Clone for EntryView<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for EntryView<'_, B> {}

impl<'a, B: Shape> EntryView<'a, B> {
    /// # Safety
    /// `entry` is live, was made for a `B`, and is neither freed nor changed (other than through views) during `'a`.
    #[inline]
    pub(super) unsafe fn new(entry: EntryRef) -> EntryView<'a, B> {
        EntryView {
            start: entry.0,
            owner: PhantomData,
        }
    }

    /// The entry itself, for structures that refer to it while it lives.
    #[inline]
    pub(super) fn entry(&self) -> EntryRef {
        EntryRef(self.start)
    }

    #[inline]
    fn at(&self, offset: usize) -> *mut u8 {
        // SAFETY: every caller passes an offset inside the entry, as `Shape` laid it out.
        unsafe { self.start.as_ptr().add(offset) }
    }

    #[inline]
    fn byte(&self, offset: usize) -> u8 {
        // SAFETY: `offset` is in the header, which is always initialised.
        unsafe { *self.at(offset) }
    }

    /// What the layer above says this payload is.
    #[inline]
    pub fn kind(&self) -> u8 {
        if B::HAS_CLOCK { self.byte(KIND_AT) } else { 0 }
    }

    #[inline]
    fn flags(&self) -> u8 {
        self.byte(FLAGS_AT)
    }

    #[inline]
    fn set_flags(&self, flags: u8) {
        // SAFETY: the flags byte is in the header and no reference covers it.
        unsafe { *self.at(FLAGS_AT) = flags }
    }

    #[inline]
    fn form(&self) -> Form {
        match (self.flags() & FORM_MASK) >> FORM_SHIFT {
            0 => Form::Inline,
            1 => Form::Int,
            2 => Form::Boxed,
            _ => Form::Empty,
        }
    }

    /// The access clock: 24 bits, 0 in a new entry.
    #[inline]
    pub fn clock(&self) -> u32 {
        if !B::HAS_CLOCK {
            return 0;
        }
        u32::from_le_bytes([
            self.byte(CLOCK_AT),
            self.byte(CLOCK_AT + 1),
            self.byte(CLOCK_AT + 2),
            0,
        ])
    }

    /// Sets the access clock to the low 24 bits of `clock`.
    #[inline]
    pub fn set_clock(&self, clock: u32) {
        if !B::HAS_CLOCK {
            return;
        }
        let bytes = clock.to_le_bytes();
        // SAFETY: the clock's three bytes are in the header and no reference covers them.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.at(CLOCK_AT), 3) }
    }

    /// The epoch, below [`EPOCHS`]; a new entry has the table's.
    #[inline]
    pub fn epoch(&self) -> u8 {
        self.flags() >> EPOCH_SHIFT
    }

    #[inline]
    pub fn set_epoch(&self, epoch: u8) {
        self.set_flags((self.flags() & !EPOCH_MASK) | (epoch << EPOCH_SHIFT));
    }

    /// The moment in milliseconds at which this entry expires, if it does.
    #[inline]
    pub fn expiry_ms(&self) -> Option<i64> {
        if !self.has_expiry() {
            return None;
        }
        let (_, width) = self.key_length();
        // SAFETY: the flag says that the eight bytes after the key length are an expiry.
        Some(unsafe {
            self.at(B::KEY_LENGTH_AT + width)
                .cast::<i64>()
                .read_unaligned()
        })
    }

    #[inline]
    pub(super) fn has_expiry(&self) -> bool {
        self.flags() & HAS_EXPIRY != 0
    }

    /// The key's length and how many bytes that takes.
    #[inline]
    fn key_length(&self) -> (usize, usize) {
        // SAFETY: the key length is at this offset.
        unsafe { read_varint(self.at(B::KEY_LENGTH_AT)) }
    }

    /// Offset and length of the key.
    #[inline]
    fn key_span(&self) -> (usize, usize) {
        let (length, width) = self.key_length();
        (key_at::<B>(width, self.has_expiry()), length)
    }

    /// The key. O(1).
    #[inline]
    pub fn key(&self) -> &'a [u8] {
        let (at, length) = self.key_span();
        // SAFETY: the key's bytes are initialised and unchanged during `'a`.
        unsafe { core::slice::from_raw_parts(self.at(at), length) }
    }

    /// Whether this is the key. Faster than comparing slices, which is a byte by byte loop on wasm.
    #[inline]
    pub(super) fn has_key(&self, key: &[u8]) -> bool {
        equal(self.key(), key)
    }

    /// Offset of the payload, and of the inline bytes with their length if it is inline or empty.
    #[inline(always)]
    fn inline_span(&self) -> (usize, usize, usize) {
        let (key_at, key_length) = self.key_span();
        let at = key_at + key_length;
        if self.form() == Form::Empty {
            return (at, at, 0);
        }
        // SAFETY: an inline payload starts with its length.
        let (length, width) = unsafe { read_varint(self.at(at)) };
        (at, at + width, length)
    }

    #[inline]
    fn payload_at(&self) -> usize {
        let (key_at, key_length) = self.key_span();
        key_at + key_length
    }

    #[inline]
    fn boxed(&self) -> *mut B {
        // SAFETY: only called for the boxed form, the payload of which is this pointer.
        unsafe { self.at(self.payload_at()).cast::<*mut B>().read_unaligned() }
    }

    /// The payload. O(1).
    #[inline]
    pub fn payload(&self) -> Payload<'a, B> {
        match self.form() {
            Form::Inline => {
                let (_, at, length) = self.inline_span();
                // SAFETY: the payload's bytes are initialised and unchanged during `'a`.
                Payload::Inline(unsafe { core::slice::from_raw_parts(self.at(at), length) })
            }
            // SAFETY: the payload of this form is eight bytes of integer.
            Form::Int => {
                Payload::Int(unsafe { self.at(self.payload_at()).cast::<i64>().read_unaligned() })
            }
            // SAFETY: the pointer came from `Box::into_raw` and the entry owns it; nobody changes it during `'a`.
            Form::Boxed => Payload::Boxed(unsafe { &*self.boxed() }),
            Form::Empty => Payload::Inline(&[]),
        }
    }

    /// Bytes written, before rounding to a footprint.
    #[inline]
    fn size(&self) -> usize {
        match self.form() {
            Form::Inline => {
                let (_, at, length) = self.inline_span();
                at + length
            }
            Form::Int => self.payload_at() + size_of::<i64>(),
            Form::Boxed => self.payload_at() + size_of::<*mut B>(),
            Form::Empty => self.payload_at(),
        }
    }

    /// Bytes this entry takes in the slab. A boxed object's own memory is not included.
    #[inline]
    pub fn memory_bytes(&self) -> usize {
        footprint(self.size())
    }
}

/// The address of a live entry. Private to the table: the safe face is [`EntryView`] and the table's `EntryMut`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryRef(NonNull<u8>);

/// What a new entry starts with.
pub(super) struct Header {
    pub kind: u8,
    pub epoch: u8,
    pub expiry_ms: Option<i64>,
}

impl EntryRef {
    /// Allocates an entry.
    pub(super) fn create<B: Shape>(
        slab: &mut Slab,
        key: &[u8],
        header: Header,
        content: Content<'_, B>,
    ) -> EntryRef {
        let width = varint_width(key.len());
        let key_at = key_at::<B>(width, header.expiry_ms.is_some());
        let start = slab.alloc(total(key_at, key.len(), content.bytes()));
        let flags = header.epoch << EPOCH_SHIFT;
        // SAFETY: the allocation has room for each part at the offsets used by `EntryView`, summed up above.
        unsafe {
            let at = start.as_ptr();
            if B::HAS_CLOCK {
                at.add(CLOCK_AT).write_bytes(0, 3);
            }
            write_varint(at.add(B::KEY_LENGTH_AT), key.len());
            copy(key.as_ptr(), at.add(key_at), key.len());
            write_rest(
                at,
                header.kind,
                flags,
                width,
                key.len(),
                header.expiry_ms,
                content,
            );
        }
        EntryRef(start)
    }

    /// Frees the entry and hands over its boxed object.
    ///
    /// # Safety
    /// The entry is live, belongs to `slab`, was made for a `B`, and is not used afterwards.
    pub(super) unsafe fn destroy<B: Shape>(self, slab: &mut Slab) -> Option<Box<B>> {
        // SAFETY: live, and the view ends before the entry does.
        let view = unsafe { EntryView::<B>::new(self) };
        let size = view.size();
        let object = self.boxed_object();
        // SAFETY: allocated by this slab with a size of this footprint.
        unsafe { slab.free(self.0, size) };
        object
    }

    /// The boxed object, if that is the form. The entry must then be destroyed or its payload overwritten.
    fn boxed_object<B: Shape>(self) -> Option<Box<B>> {
        // SAFETY: private; both callers hold a live entry exclusively.
        let view = unsafe { EntryView::<B>::new(self) };
        // SAFETY: the pointer came from `Box::into_raw`, and the callers forget the entry's copy of it.
        (view.form() == Form::Boxed).then(|| unsafe { Box::from_raw(view.boxed()) })
    }

    /// Replaces kind, payload and expiry; keeps key, clock and epoch. In place if the footprint stays the same.
    /// Returns where the entry is now, and the boxed object it held.
    ///
    /// # Safety
    /// As for [`EntryRef::destroy`], but for the returned entry, which takes this one's place.
    pub(super) unsafe fn rewrite<B: Shape>(
        self,
        slab: &mut Slab,
        kind: u8,
        expiry_ms: Option<i64>,
        content: Content<'_, B>,
    ) -> (EntryRef, Option<Box<B>>) {
        // SAFETY: live by contract, and this view is not used after the writes below.
        let view = unsafe { EntryView::<B>::new(self) };
        let old_size = view.size();
        let flags = view.flags() & EPOCH_MASK;
        let (key_length, width) = view.key_length();
        let old_key_at = key_at::<B>(width, view.has_expiry());
        let object = self.boxed_object();
        let key_at = key_at::<B>(width, expiry_ms.is_some());
        let size = total(key_at, key_length, content.bytes());
        let new = self.moved(slab, old_size, size);
        // SAFETY: `new` has room for `size` bytes; the key is moved before anything can overwrite it.
        unsafe {
            let (old, at) = (self.0.as_ptr(), new.as_ptr());
            if new != self.0 || old_key_at != key_at {
                ptr::copy(old.add(old_key_at), at.add(key_at), key_length);
            }
            if new != self.0 {
                ptr::copy_nonoverlapping(old, at, B::KEY_LENGTH_AT + width);
                slab.free(self.0, old_size);
            }
            write_rest(at, kind, flags, width, key_length, expiry_ms, content);
        }
        (EntryRef(new), object)
    }

    /// Memory for a new size: the same if the footprint is, else a fresh allocation.
    #[inline]
    fn moved(self, slab: &mut Slab, old_size: usize, size: usize) -> NonNull<u8> {
        if footprint(size) == footprint(old_size) {
            self.0
        } else {
            slab.alloc(size)
        }
    }

    /// Moves the entry as it is to memory of another slab.
    ///
    /// # Safety
    /// As for [`EntryRef::destroy`], but for the returned entry, which takes this one's place.
    pub(super) unsafe fn relocate<B: Shape>(self, from: &mut Slab, to: &mut Slab) -> EntryRef {
        // SAFETY: live by contract, and this view is not used after the entry is freed.
        let size = unsafe { EntryView::<B>::new(self) }.size();
        let new = to.alloc(size);
        // SAFETY: both places are `size` bytes long, and `from` handed out this one for such a size.
        unsafe {
            ptr::copy_nonoverlapping(self.0.as_ptr(), new.as_ptr(), size);
            from.free(self.0, size);
        }
        EntryRef(new)
    }

    /// A copy of the entry, with a clone of its object, in memory of another slab.
    ///
    /// # Safety
    /// The entry is live and was made for a `B`.
    pub(super) unsafe fn duplicate<B: Shape + Clone>(self, to: &mut Slab) -> EntryRef {
        // SAFETY: live by contract.
        let view = unsafe { EntryView::<B>::new(self) };
        let size = view.size();
        let new = to.alloc(size);
        // SAFETY: both are `size` bytes long; the copy of a pointer is overwritten with one of its own.
        unsafe {
            ptr::copy_nonoverlapping(self.0.as_ptr(), new.as_ptr(), size);
            if let Payload::Boxed(object) = view.payload() {
                let object = Box::into_raw(Box::new(object.clone()));
                let at = new.as_ptr().add(view.payload_at());
                at.cast::<*mut B>().write_unaligned(object);
            }
        }
        EntryRef(new)
    }

    /// Sets or clears the expiry and keeps everything else.
    ///
    /// # Safety
    /// As for [`EntryRef::rewrite`].
    pub(super) unsafe fn with_expiry<B: Shape>(
        self,
        slab: &mut Slab,
        expiry_ms: Option<i64>,
    ) -> EntryRef {
        // SAFETY: live by contract, and this view is not used after the writes below.
        let view = unsafe { EntryView::<B>::new(self) };
        let flags = view.flags();
        let old_size = view.size();
        let (_, width) = view.key_length();
        let old_tail_at = key_at::<B>(width, view.has_expiry());
        let tail_at = key_at::<B>(width, expiry_ms.is_some());
        let tail = old_size - old_tail_at;
        let new = self.moved(slab, old_size, tail_at + tail);
        // SAFETY: `new` has room for both parts; the tail is moved before the expiry can overwrite it.
        unsafe {
            let (old, at) = (self.0.as_ptr(), new.as_ptr());
            if new != self.0 || old_tail_at != tail_at {
                ptr::copy(old.add(old_tail_at), at.add(tail_at), tail);
            }
            if new != self.0 {
                ptr::copy_nonoverlapping(old, at, B::KEY_LENGTH_AT + width);
                slab.free(self.0, old_size);
            }
            *at.add(FLAGS_AT) = flags & !HAS_EXPIRY;
            write_expiry::<B>(at, width, expiry_ms);
        }
        EntryRef(new)
    }

    /// Changes the length of an inline payload, keeping its beginning and filling with zeros. Other forms stay as
    /// they are.
    ///
    /// # Safety
    /// As for [`EntryRef::rewrite`].
    pub(super) unsafe fn resize_inline<B: Shape>(self, slab: &mut Slab, length: usize) -> EntryRef {
        // SAFETY: live by contract, and this view is not used after the writes below.
        let view = unsafe { EntryView::<B>::new(self) };
        if !matches!(view.form(), Form::Inline | Form::Empty) {
            return self;
        }
        let (payload_at, old_bytes_at, old_length) = view.inline_span();
        let form = if length == 0 {
            Form::Empty
        } else {
            Form::Inline
        };
        let width = if length == 0 { 0 } else { varint_width(length) };
        let bytes_at = payload_at + width;
        let flags = view.flags() & !FORM_MASK | (form as u8) << FORM_SHIFT;
        let size = total(bytes_at, length, 0);
        let old_size = old_bytes_at + old_length;
        let kept = length.min(old_length);
        let new = self.moved(slab, old_size, size);
        // SAFETY: `new` has room for `size` bytes; the kept bytes are moved before the length can overwrite them.
        unsafe {
            let (old, at) = (self.0.as_ptr(), new.as_ptr());
            if new != self.0 || bytes_at != old_bytes_at {
                ptr::copy(old.add(old_bytes_at), at.add(bytes_at), kept);
            }
            if new != self.0 {
                ptr::copy_nonoverlapping(old, at, payload_at);
                slab.free(self.0, old_size);
            }
            *at.add(FLAGS_AT) = flags;
            if length > 0 {
                write_varint(at.add(payload_at), length);
            }
            at.add(bytes_at + kept).write_bytes(0, length - kept);
        }
        EntryRef(new)
    }

    /// The payload, to change in place.
    ///
    /// # Safety
    /// The entry is live, was made for a `B`, and nothing else reads or writes it during `'a`.
    pub(super) unsafe fn payload_mut<'a, B: Shape>(self) -> PayloadMut<'a, B> {
        // SAFETY: live by contract.
        let view = unsafe { EntryView::<B>::new(self) };
        match view.form() {
            Form::Inline | Form::Empty => {
                let (_, at, length) = view.inline_span();
                // SAFETY: the payload's bytes are initialised and exclusively ours during `'a`.
                PayloadMut::Inline(unsafe { core::slice::from_raw_parts_mut(view.at(at), length) })
            }
            // SAFETY: the payload of this form is eight bytes of integer.
            Form::Int => PayloadMut::Int(unsafe {
                view.at(view.payload_at()).cast::<i64>().read_unaligned()
            }),
            // SAFETY: the entry owns the object, and is exclusively ours during `'a`.
            Form::Boxed => PayloadMut::Boxed(unsafe { &mut *view.boxed() }),
        }
    }

    /// Overwrites an integer payload; false if the payload is not an integer.
    ///
    /// # Safety
    /// As for [`EntryRef::payload_mut`].
    pub(super) unsafe fn set_int<B: Shape>(self, number: i64) -> bool {
        // SAFETY: live by contract.
        let view = unsafe { EntryView::<B>::new(self) };
        let is_int = view.form() == Form::Int;
        if is_int {
            // SAFETY: the payload of this form is eight bytes of integer, exclusively ours.
            unsafe {
                view.at(view.payload_at())
                    .cast::<i64>()
                    .write_unaligned(number)
            };
        }
        is_int
    }

    /// # Safety
    /// As for [`EntryRef::payload_mut`].
    pub(super) unsafe fn set_kind<B: Shape>(self, kind: u8) {
        if B::HAS_CLOCK {
            // SAFETY: the kind byte is in the header.
            unsafe { *self.0.as_ptr().add(KIND_AT) = kind };
        }
    }
}

/// Offset of the key, the length of which takes `width` bytes.
#[inline]
fn key_at<B: Shape>(width: usize, has_expiry: bool) -> usize {
    B::KEY_LENGTH_AT + width + if has_expiry { EXPIRY_BYTES } else { 0 }
}

/// A sum of sizes; too large a sum becomes a size that no allocation has.
#[inline]
fn total(first: usize, second: usize, third: usize) -> usize {
    first.saturating_add(second).saturating_add(third)
}

/// Writes an expiry, if there is one, and its flag; the flag must not be set before.
///
/// # Safety
/// `at` is an entry with flags and a key length of `width` bytes, and with room for the expiry.
#[inline]
unsafe fn write_expiry<B: Shape>(at: *mut u8, width: usize, expiry_ms: Option<i64>) {
    if let Some(expiry_ms) = expiry_ms {
        // SAFETY: the caller has made room.
        unsafe {
            *at.add(FLAGS_AT) |= HAS_EXPIRY;
            at.add(B::KEY_LENGTH_AT + width)
                .cast::<i64>()
                .write_unaligned(expiry_ms);
        }
    }
}

/// Writes everything but clock and key, whose length takes `width` bytes. `flags` holds the epoch.
///
/// # Safety
/// `at` has room for all parts.
#[inline]
unsafe fn write_rest<B: Shape>(
    at: *mut u8,
    kind: u8,
    flags: u8,
    width: usize,
    key_length: usize,
    expiry_ms: Option<i64>,
    content: Content<'_, B>,
) {
    // SAFETY: the caller has made room.
    unsafe {
        if B::HAS_CLOCK {
            *at.add(KIND_AT) = kind;
        }
        *at.add(FLAGS_AT) = flags | (content.form() as u8) << FORM_SHIFT;
        write_expiry::<B>(at, width, expiry_ms);
        write_content(
            at.add(key_at::<B>(width, expiry_ms.is_some()) + key_length),
            content,
        );
    }
}

/// # Safety
/// `at` has room for the content's bytes.
#[inline]
unsafe fn write_content<B>(at: *mut u8, content: Content<'_, B>) {
    // SAFETY: room for exactly `Content::bytes` is the caller's promise.
    unsafe {
        match content {
            Content::Inline([]) => {}
            Content::Inline(bytes) => {
                write_varint(at, bytes.len());
                copy(
                    bytes.as_ptr(),
                    at.add(varint_width(bytes.len())),
                    bytes.len(),
                );
            }
            Content::Int(number) => at.cast::<i64>().write_unaligned(number),
            Content::Boxed(object) => at.cast::<*mut B>().write_unaligned(Box::into_raw(object)),
        }
    }
}

#[inline]
fn varint_width(mut number: usize) -> usize {
    let mut width = 1;
    while number >= 0x80 {
        number >>= 7;
        width += 1;
    }
    width
}

/// # Safety
/// `at` has room for `varint_width(number)` bytes.
#[inline]
unsafe fn write_varint(mut at: *mut u8, mut number: usize) {
    // SAFETY: as many bytes are written as `varint_width` counts.
    unsafe {
        while number >= 0x80 {
            *at = number as u8 | 0x80;
            at = at.add(1);
            number >>= 7;
        }
        *at = number as u8;
    }
}

/// A number and how many bytes it took.
///
/// # Safety
/// `at` points to something written by `write_varint`.
#[inline]
unsafe fn read_varint(at: *const u8) -> (usize, usize) {
    // SAFETY: a varint ends with its first byte below 0x80.
    unsafe {
        let first = *at;
        if first < 0x80 {
            return (first as usize, 1);
        }
        let mut number = (first & 0x7f) as usize;
        let mut width = 1;
        loop {
            let byte = *at.add(width);
            number |= ((byte & 0x7f) as usize) << (7 * width);
            width += 1;
            if byte < 0x80 {
                return (number, width);
            }
        }
    }
}
