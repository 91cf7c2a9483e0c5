//! Lists: elements in the order in which they were pushed.
//!
//! A short list is one listpack, inside its entry as long as that is small; a longer one is a quicklist. The list grows
//! into the one and shrinks back into the other at Redis' thresholds, which lie apart: what is about to be added counts
//! before it is there, and a list shrinks only when it is half as long as it may be.
//!
//! <https://redis.io/docs/latest/develop/data-types/lists/>

use super::{Aggregate, Entry, Kind, Limits, Object, Type};
use crate::structures::item::{Item, Needle};
use crate::structures::listpack::{HEADER_BYTES, Listpack, ListpackRef};
use crate::structures::quicklist::{Fill, Quicklist, Walk, remove_equal_in};
use crate::structures::table::Payload;

/// A list.
#[derive(Debug, Clone)]
pub enum List {
    Packed(Listpack),
    Linked(Box<Quicklist>),
}

/// The same, to be read.
#[derive(Debug, Clone, Copy)]
pub enum ListRef<'a> {
    Packed(ListpackRef<'a>),
    Linked(&'a Quicklist),
}

/// An end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The head.
    Left,
    /// The tail.
    Right,
}

impl End {
    pub fn is_left(self) -> bool {
        self == End::Left
    }

    /// As commands say it.
    pub fn word(self) -> &'static str {
        match self {
            End::Left => "LEFT",
            End::Right => "RIGHT",
        }
    }
}

impl Limits {
    /// How full the nodes of a list may be.
    #[inline]
    pub fn list_fill(&self) -> Fill {
        Fill::new(
            self.list_max_listpack_size,
            self.list_packed_threshold_bytes,
        )
        .with_depth(self.list_compress_depth)
    }
}

impl List {
    /// An empty one.
    pub fn new() -> List {
        List::Packed(Listpack::new())
    }

    /// The packed form of that kind.
    pub fn unpack(_kind: Kind, bytes: Vec<u8>) -> List {
        List::Packed(Listpack::from_bytes(bytes))
    }

    /// The bytes of the packed form, if this is one.
    pub fn packed(&self) -> Option<&[u8]> {
        match self {
            List::Packed(pack) => Some(pack.as_bytes()),
            List::Linked(_) => None,
        }
    }

    /// The memory of the packed form; empty if this is none.
    pub fn into_packed(self) -> Vec<u8> {
        match self {
            List::Packed(pack) => pack.into_bytes(),
            List::Linked(_) => Vec::new(),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            List::Packed(_) => Kind::List,
            List::Linked(_) => Kind::ListLinked,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        match self {
            List::Packed(pack) => pack.heap_bytes(),
            List::Linked(list) => size_of::<Quicklist>() + list.heap_bytes(),
        }
    }

    #[inline]
    pub fn view(&self) -> ListRef<'_> {
        match self {
            List::Packed(pack) => ListRef::Packed(pack.view()),
            List::Linked(list) => ListRef::Linked(list),
        }
    }

    /// Prepares for so many more elements with so many bytes in all: a listpack that would get too long becomes a
    /// quicklist. O(1).
    #[inline]
    pub fn grow(&mut self, bytes: usize, count: usize, limits: &Limits) {
        if let List::Packed(pack) = self
            && limits
                .list_fill()
                .is_exceeded(pack.as_bytes().len() + bytes, pack.len() + count)
        {
            self.link(limits);
        }
    }

    /// The same for these elements.
    pub fn grow_by(&mut self, elements: &[&[u8]], limits: &Limits) {
        let bytes = elements.iter().map(|element| element.len()).sum();
        self.grow(bytes, elements.len(), limits);
    }

    #[cold]
    fn link(&mut self, limits: &Limits) {
        let mut list = Quicklist::new(limits.list_fill().kept());
        if let List::Packed(pack) = self
            && !pack.is_empty()
        {
            list.push_pack(std::mem::take(pack));
        }
        *self = List::Linked(Box::new(list));
    }

    /// After a removal: a quicklist of one node, half full at most, becomes a listpack. O(1).
    #[inline]
    pub fn shrink(&mut self, limits: &Limits) {
        if let List::Linked(list) = self
            && list.node_count() == 1
        {
            self.unlink(limits, 2);
        }
    }

    /// A list that was put together as a quicklist becomes what it should be.
    pub fn settle(&mut self, limits: &Limits) {
        match self {
            List::Packed(_) => self.grow(0, 0, limits),
            List::Linked(_) => self.unlink(limits, 1),
        }
    }

    /// A quicklist of one node becomes a listpack if that is no longer than the limit over `divisor`.
    fn unlink(&mut self, limits: &Limits, divisor: usize) {
        let (bytes, count) = limits.list_fill().limits();
        if let List::Linked(list) = self
            && let Some(pack) = list.only_pack()
            && pack.as_bytes().len() <= bytes / divisor
            && list.len() <= count / divisor
            && let Some(pack) = list.take_pack()
        {
            *self = List::Packed(pack);
        }
    }

    /// Adds an element at an end; [`List::grow`] has been called for it. Amortised O(1), and the size of a node at the
    /// left.
    #[inline]
    pub fn push(&mut self, text: &[u8], end: End) {
        match (self, end) {
            (List::Packed(pack), End::Left) => pack.push_front(text),
            (List::Packed(pack), End::Right) => pack.push(text),
            (List::Linked(list), end) => list.push(text, end.is_left()),
        }
    }

    /// Removes `count` elements at an end.
    #[inline]
    pub fn remove_end(&mut self, end: End, count: usize) {
        match self {
            List::Packed(pack) if end.is_left() => {
                pack.remove(HEADER_BYTES, count);
            }
            List::Packed(pack) if count == 1 => {
                if let Some(last) = pack.view().last() {
                    pack.remove(last, 1);
                }
            }
            List::Packed(_) => {
                let len = self.view().len();
                self.remove(len - count.min(len), count);
            }
            List::Linked(list) => list.remove_end(end.is_left(), count),
        }
    }

    /// Removes up to `count` elements from a rank on.
    pub fn remove(&mut self, rank: usize, count: usize) {
        match self {
            List::Packed(pack) => {
                if let Some(position) = pack.view().seek(rank as i64) {
                    pack.remove(position, count);
                }
            }
            List::Linked(list) => list.remove(rank, count),
        }
    }

    /// Puts another element in the place of the one with a rank.
    pub fn set(&mut self, rank: usize, text: &[u8]) {
        match self {
            List::Packed(pack) => {
                if let Some(position) = pack.view().seek(rank as i64) {
                    pack.replace(position, text);
                }
            }
            List::Linked(list) => list.set(rank, text),
        }
    }

    /// Adds an element before or behind the one with a rank.
    pub fn insert(&mut self, rank: usize, text: &[u8], is_after: bool) {
        match self {
            List::Packed(pack) => {
                let view = pack.view();
                let position = view.seek(rank as i64 + i64::from(is_after));
                let position = position.unwrap_or(view.end());
                pack.insert(position, text);
            }
            List::Linked(list) => list.insert(rank, text, is_after),
        }
    }

    /// Removes the first `limit` elements that are `text`, counted from an end. How many there were. O(bytes).
    pub fn remove_equal(&mut self, text: &[u8], limit: usize, from: End) -> usize {
        let needle = Needle::new(text);
        let is_backwards = !from.is_left();
        match self {
            List::Packed(pack) => remove_equal_in(pack, &needle, limit, is_backwards),
            List::Linked(list) => list.remove_equal(&needle, limit, is_backwards),
        }
    }
}

impl<'a> ListRef<'a> {
    #[inline]
    pub fn len(self) -> usize {
        match self {
            ListRef::Packed(pack) => pack.len(),
            ListRef::Linked(list) => list.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        match self {
            ListRef::Packed(pack) => pack.is_empty(),
            ListRef::Linked(list) => list.is_empty(),
        }
    }

    /// The element with a rank.
    pub fn get(self, rank: usize) -> Option<Item<'a>> {
        match self {
            ListRef::Packed(pack) => pack.get(i64::try_from(rank).ok()?),
            ListRef::Linked(list) => list.get(rank),
        }
    }

    /// The rank that a command's index stands for: from 0, or from -1 at the tail backwards.
    pub fn rank(self, index: i64) -> Option<usize> {
        let len = self.len();
        let rank = match index {
            ..0 => len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?,
            _ => usize::try_from(index).ok()?,
        };
        (rank < len).then_some(rank)
    }

    /// The element at an end.
    #[inline]
    pub fn end(self, end: End) -> Option<Item<'a>> {
        match self {
            ListRef::Packed(pack) if end.is_left() => pack.at(HEADER_BYTES),
            ListRef::Packed(pack) => pack.at(pack.last()?),
            ListRef::Linked(list) => list.end(end.is_left()),
        }
    }

    /// The elements from a rank on, away from that end.
    pub fn walk(self, rank: usize, from: End) -> Walk<'a> {
        let is_backwards = !from.is_left();
        match self {
            ListRef::Packed(pack) => Walk::of_pack(pack, rank, is_backwards),
            ListRef::Linked(list) => list.walk(rank, is_backwards),
        }
    }

    /// The elements in order.
    pub fn iter(self) -> Walk<'a> {
        self.walk(0, End::Left)
    }
}

impl Default for List {
    fn default() -> Self {
        List::new()
    }
}

impl Aggregate for List {
    const TYPE: Type = Type::List;

    fn of(object: &mut Object) -> Option<&mut List> {
        match object {
            Object::List(value) => Some(value),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::List(self)
    }
}

impl<'a> Entry<'a> {
    /// The value, if it is a list.
    #[inline]
    pub fn list(&self) -> Option<ListRef<'a>> {
        Some(match (self.kind(), self.view().payload()) {
            (Kind::List, Payload::Inline(bytes)) => ListRef::Packed(ListpackRef::new(bytes)),
            (_, Payload::Boxed(Object::List(value))) => value.view(),
            _ => return None,
        })
    }
}
