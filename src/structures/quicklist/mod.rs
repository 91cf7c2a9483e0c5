//! The quicklist: a long list as a sequence of nodes, each a listpack of some kilobytes or one long element.
//!
//! ```text
//!   chunks   [ 3 nodes, 900 elements | 128 nodes, 41003 | 77 nodes, 20117 ]      a deque
//!                |
//!   nodes    [ listpack of 431 | plain | listpack of 468 ]                       up to 128 a chunk
//! ```
//!
//! Which elements share a node is Redis' business to the last detail, because DUMP shows it: see [`Fill`], and the rules
//! at [`Quicklist::insert`] and [`Quicklist::set`]. How the nodes are found is ours. Chunks know how many elements they
//! have, so an element is found by its rank in a walk over chunks, then over one chunk's nodes, then over half a
//! listpack. A node put in moves the other nodes of one chunk at most, and now and then the chunks on one side of the
//! deque: no operation at an end or in the middle moves much, however long the list.
//!
//! Nodes are never compressed in memory; what Redis does to inner nodes with `list-compress-depth` shows in DUMP only.
//!
//! Invariants ([`Quicklist::check`]): no chunk and no node is empty; the counts of nodes, chunks and list, and the bytes
//! they hold, are right; every packed node is a valid listpack.

mod chunks;
mod fill;
mod walk;
#[cfg(test)]
mod tests;

use super::listpack::{HEADER_BYTES, Item, Listpack, ListpackRef, Needle};
use chunks::{Chunks, Place};
pub use fill::Fill;
pub use walk::Walk;

/// A few elements in a row.
#[derive(Debug, Clone)]
enum Body {
    Packed(Listpack),
    /// One element too long for a listpack.
    Plain(Vec<u8>),
}

#[derive(Debug, Clone)]
struct Node {
    body: Body,
    len: u32,
}

/// A node, to be read.
#[derive(Debug, Clone, Copy)]
pub enum NodeRef<'a> {
    Packed(ListpackRef<'a>),
    Plain(&'a [u8]),
}

impl Node {
    fn packed(pack: Listpack) -> Node {
        let len = pack.len() as u32;
        Node {
            body: Body::Packed(pack),
            len,
        }
    }

    fn plain(text: &[u8]) -> Node {
        Node {
            body: Body::Plain(text.to_vec()),
            len: 1,
        }
    }

    /// A node with one element.
    fn single(text: &[u8], fill: Fill) -> Node {
        if fill.is_large(text.len()) {
            return Node::plain(text);
        }
        let mut pack = Listpack::new();
        pack.push(text);
        Node::packed(pack)
    }

    fn view(&self) -> NodeRef<'_> {
        match &self.body {
            Body::Packed(pack) => NodeRef::Packed(pack.view()),
            Body::Plain(text) => NodeRef::Plain(text),
        }
    }

    fn pack(&self) -> Option<&Listpack> {
        match &self.body {
            Body::Packed(pack) => Some(pack),
            Body::Plain(_) => None,
        }
    }

    /// What the body holds from the allocator.
    #[inline]
    fn heap_bytes(&self) -> usize {
        match &self.body {
            Body::Packed(pack) => pack.heap_bytes(),
            Body::Plain(text) => text.capacity(),
        }
    }

    fn get(&self, offset: usize) -> Option<Item<'_>> {
        match &self.body {
            Body::Packed(pack) => pack.view().get(offset as i64),
            Body::Plain(text) => (offset == 0).then_some(Item::Bytes(text)),
        }
    }

    /// Whether one more element of `length` bytes may stand here. The eight bytes are Redis' guess of what it costs
    /// beside its text.
    #[inline(always)]
    fn has_room(&self, length: usize, fill: Fill) -> bool {
        match &self.body {
            Body::Packed(pack) if !fill.is_large(length) => {
                let bytes = pack.as_bytes().len() + length + 8;
                !fill.is_exceeded(bytes, self.len as usize + 1)
            }
            _ => false,
        }
    }

    /// Whether two neighbours may become one.
    fn may_merge(&self, other: &Node, fill: Fill) -> bool {
        let (Some(one), Some(two)) = (self.pack(), other.pack()) else {
            return false;
        };
        let bytes = one.as_bytes().len() + two.as_bytes().len() - HEADER_BYTES - 1;
        !fill.is_exceeded(bytes, (self.len + other.len) as usize)
    }
}

/// A long list.
#[derive(Debug, Clone)]
pub struct Quicklist {
    chunks: Chunks,
    fill: Fill,
}

impl Quicklist {
    /// An empty one, whose nodes are filled so.
    pub fn new(fill: Fill) -> Quicklist {
        Quicklist {
            chunks: Chunks::default(),
            fill,
        }
    }

    /// How many elements there are. O(1).
    #[inline]
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held from the allocator. O(1).
    pub fn heap_bytes(&self) -> usize {
        self.chunks.heap_bytes()
    }

    pub fn node_count(&self) -> usize {
        self.chunks.node_count()
    }

    pub fn fill(&self) -> Fill {
        self.fill
    }

    /// The nodes in order.
    pub fn nodes(&self) -> impl Iterator<Item = NodeRef<'_>> {
        self.chunks.iter().map(Node::view)
    }

    /// The nodes from the one on before which so many others stand. O(chunks) to the first.
    pub fn nodes_from(&self, ordinal: usize) -> impl Iterator<Item = NodeRef<'_>> {
        let mut next = self.chunks.place_of(ordinal);
        core::iter::from_fn(move || {
            let place = next?;
            next = self.chunks.beside(place, true);
            self.chunks.get(place).map(Node::view)
        })
    }

    /// The listpack, if there is one node, and that is one.
    pub fn only_pack(&self) -> Option<&Listpack> {
        match self.node_count() {
            1 => self.chunks.get(Place::FIRST)?.pack(),
            _ => None,
        }
    }

    /// Adds a node behind the last: a listpack that is not empty.
    pub fn push_pack(&mut self, mut pack: Listpack) {
        pack.shrink();
        self.push_node(Node::packed(pack));
    }

    /// Adds a node behind the last: one element too long for a listpack, or that came so.
    pub fn push_plain(&mut self, text: Vec<u8>) {
        self.push_node(Node {
            body: Body::Plain(text),
            len: 1,
        });
    }

    fn push_node(&mut self, node: Node) {
        let last = self.chunks.end(false);
        self.chunks.insert(last, true, node);
    }

    /// Takes the only node's listpack out, which leaves nothing.
    pub fn take_pack(&mut self) -> Option<Listpack> {
        self.only_pack()?;
        match self.chunks.remove(Place::FIRST)?.body {
            Body::Packed(pack) => Some(pack),
            Body::Plain(_) => None,
        }
    }

    /// Adds an element at an end. O(1), and the size of the node at the front.
    pub fn push(&mut self, text: &[u8], at_front: bool) {
        let fill = self.fill;
        let end = self.chunks.end(at_front);
        if let Some(place) = end
            && self
                .chunks
                .get(place)
                .is_some_and(|node| node.has_room(text.len(), fill))
        {
            self.chunks
                .change(place, &mut |node| add(node, text, at_front));
            return;
        }
        if let Some(place) = end {
            // It is full: what room it had for growing is not needed any more.
            self.chunks.change(place, &mut |node| {
                if let Body::Packed(pack) = &mut node.body {
                    pack.shrink();
                }
            });
        }
        self.chunks.insert(end, !at_front, Node::single(text, fill));
    }

    /// The element at an end. O(1).
    pub fn end(&self, at_front: bool) -> Option<Item<'_>> {
        match self.chunks.get(self.chunks.end(at_front)?)?.view() {
            NodeRef::Plain(text) => Some(Item::Bytes(text)),
            NodeRef::Packed(pack) if at_front => pack.at(HEADER_BYTES),
            NodeRef::Packed(pack) => pack.at(pack.last()?),
        }
    }

    /// Removes `count` elements at an end. O(nodes removed), and the size of one node.
    pub fn remove_end(&mut self, at_front: bool, count: usize) {
        let count = count.min(self.len());
        let start = if at_front { 0 } else { self.len() - count };
        self.remove(start, count);
    }

    /// The element with a rank. O(chunks + nodes of one + elements of one).
    pub fn get(&self, rank: usize) -> Option<Item<'_>> {
        let (place, offset) = self.chunks.seek(rank)?;
        self.chunks.get(place)?.get(offset)
    }

    /// The elements from a rank on, forwards or backwards.
    pub fn walk(&self, rank: usize, is_backwards: bool) -> Walk<'_> {
        Walk::of_list(self, rank, is_backwards)
    }

    /// Adds an element beside the one with a rank: before it or behind it. As [`Quicklist::get`], and the size of a node.
    ///
    /// It goes into the node of its neighbour. If that is full, and the place is at the node's edge, it goes into the node
    /// next to it, or into a node of its own between the two. In the middle of a full node the node is split there, and
    /// then neighbours are merged that fit into one.
    pub fn insert(&mut self, rank: usize, text: &[u8], is_after: bool) {
        let fill = self.fill;
        let Some((place, offset)) = self.chunks.seek(rank) else {
            return self.push(text, false);
        };
        let Some(node) = self.chunks.get(place) else {
            return;
        };
        if node.has_room(text.len(), fill) {
            return self.chunks.change(place, &mut |node| {
                insert_within(node, offset, text, is_after);
            });
        }
        let edge = if is_after { node.len as usize - 1 } else { 0 };
        if offset == edge {
            let beside = self.chunks.beside(place, is_after);
            let has_room = |place| {
                let node = self.chunks.get(place);
                node.is_some_and(|node| node.has_room(text.len(), fill))
            };
            match beside {
                Some(beside) if has_room(beside) => {
                    self.chunks
                        .change(beside, &mut |node| add(node, text, is_after));
                }
                _ => {
                    let node = Node::single(text, fill);
                    self.chunks.insert(Some(place), is_after, node);
                }
            }
            return;
        }
        let Some(mut part) = self.split(place, offset, is_after) else {
            return;
        };
        let at = self.chunks.ordinal(place);
        if fill.is_large(text.len()) {
            let node = Node::plain(text);
            let place = self.chunks.insert(Some(place), is_after, node);
            self.chunks.insert(Some(place), is_after, part);
        } else {
            add(&mut part, text, is_after);
            self.chunks.insert(Some(place), is_after, part);
            self.merge_around(if is_after { at } else { at + 1 });
        }
    }

    /// Puts another element in the place of the one with a rank. As [`Quicklist::insert`].
    ///
    /// In a listpack that does not split the node, however long it gets. An element too long for a listpack gets a node
    /// of its own, the node of the old one being split; where a plain node gets a short element, that goes to the next
    /// node if there is room.
    pub fn set(&mut self, rank: usize, text: &[u8]) {
        let Some((place, offset)) = self.chunks.seek(rank) else {
            return;
        };
        let Some(node) = self.chunks.get(place) else {
            return;
        };
        let is_large = self.fill.is_large(text.len());
        let len = node.len as usize;
        match (&node.body, is_large) {
            (Body::Packed(_), false) => self.chunks.change(place, &mut |node| {
                if let Body::Packed(pack) = &mut node.body
                    && let Some(position) = pack.view().seek(offset as i64)
                {
                    pack.replace(position, text);
                }
            }),
            (Body::Plain(_), true) => self.chunks.change(place, &mut |node| {
                node.body = Body::Plain(text.to_vec());
            }),
            (Body::Plain(_), false) => {
                self.insert(rank, text, true);
                self.remove(rank, 1);
            }
            (Body::Packed(_), true) => {
                let part = match offset + 1 < len {
                    true => self.split(place, offset, true),
                    false => None,
                };
                let own = self.chunks.insert(Some(place), true, Node::plain(text));
                if let Some(part) = part {
                    self.chunks.insert(Some(own), true, part);
                }
                let is_alone = offset == 0;
                self.remove(rank, 1);
                if !is_alone && let Some((place, _)) = self.chunks.seek(rank) {
                    self.merge_around(self.chunks.ordinal(place));
                }
            }
        }
    }

    /// Removes up to `count` elements from a rank on. O(nodes removed), and the size of two.
    pub fn remove(&mut self, rank: usize, count: usize) {
        let mut left = count.min(self.len().saturating_sub(rank));
        while left > 0 {
            let Some((place, offset)) = self.chunks.seek(rank) else {
                return;
            };
            let len = self.chunks.get(place).map_or(0, |node| node.len as usize);
            let here = left.min(len - offset);
            if here == len {
                self.chunks.remove(place);
            } else {
                self.chunks
                    .change(place, &mut |node| remove_within(node, offset, here));
            }
            left -= here.max(1);
        }
    }

    /// Removes the first `limit` elements that are `needle`, or the last ones. How many there were. O(bytes).
    pub fn remove_equal(&mut self, needle: &Needle<'_>, limit: usize, is_backwards: bool) -> usize {
        let mut removed = 0;
        let mut next = self.chunks.end(!is_backwards);
        // By ordinal: places do not survive the removal of a node.
        let mut at = next.map_or(0, |place| self.chunks.ordinal(place));
        while removed < limit
            && let Some(place) = next
        {
            let mut is_empty = false;
            self.chunks.change(place, &mut |node| {
                removed += remove_equal_within(node, needle, limit - removed, is_backwards);
                is_empty = node.len == 0;
            });
            if is_empty {
                self.chunks.remove(place);
            }
            at = match (is_backwards, is_empty) {
                (false, true) => at,
                (false, false) => at + 1,
                (true, _) if at == 0 => return removed,
                (true, _) => at - 1,
            };
            next = self.chunks.place_of(at);
        }
        removed
    }

    /// Cuts a node in two: behind the element at `offset`, the later part being taken out, or before it, the earlier
    /// one.
    fn split(&mut self, place: Place, offset: usize, is_after: bool) -> Option<Node> {
        let mut part = None;
        self.chunks.change(place, &mut |node| {
            let Body::Packed(pack) = &mut node.body else {
                return;
            };
            let first_len = offset + usize::from(is_after);
            let second_len = node.len as usize - first_len;
            let Some(position) = pack.view().seek(first_len as i64) else {
                return;
            };
            let mut second = pack.split_off(position, second_len);
            let mut lens = (first_len, second_len);
            pack.shrink();
            if !is_after {
                std::mem::swap(pack, &mut second);
                lens = (second_len, first_len);
            }
            node.len = lens.0 as u32;
            part = Some(Node {
                body: Body::Packed(second),
                len: lens.1 as u32,
            });
        });
        part
    }

    /// Merges neighbours around a node as far as they fit: the two before it, the two behind it, the one before with it,
    /// and the one behind.
    fn merge_around(&mut self, center: usize) {
        let mut center = center;
        if center >= 2 && self.merge(center - 2) {
            center -= 1;
        }
        self.merge(center + 1);
        if center >= 1 && self.merge(center - 1) {
            center -= 1;
        }
        self.merge(center);
    }

    /// Merges the node at that ordinal with the one behind it, if both are there and fit into one.
    fn merge(&mut self, at: usize) -> bool {
        let places = (self.chunks.place_of(at), self.chunks.place_of(at + 1));
        let (Some(one), Some(two)) = places else {
            return false;
        };
        let may_merge = match (self.chunks.get(one), self.chunks.get(two)) {
            (Some(first), Some(second)) => first.may_merge(second, self.fill),
            _ => false,
        };
        if !may_merge {
            return false;
        }
        if let Some(second) = self.chunks.remove(two)
            && let Some(one) = self.chunks.place_of(at)
            && let Body::Packed(second_pack) = &second.body
        {
            self.chunks.change(one, &mut |node| {
                if let Body::Packed(pack) = &mut node.body {
                    pack.append(second_pack.view());
                    node.len += second.len;
                }
            });
        }
        true
    }

    /// Verifies the invariants.
    ///
    /// # Errors
    /// A sentence about the first violation found.
    pub fn check(&self) -> Result<(), String> {
        self.chunks.check()
    }
}

/// Adds an element at the node's front or end.
fn add(node: &mut Node, text: &[u8], at_front: bool) {
    if let Body::Packed(pack) = &mut node.body {
        match at_front {
            true => pack.push_front(text),
            false => pack.push(text),
        }
        node.len += 1;
    }
}

/// Adds an element beside the one at `offset`.
fn insert_within(node: &mut Node, offset: usize, text: &[u8], is_after: bool) {
    if let Body::Packed(pack) = &mut node.body {
        let view = pack.view();
        let offset = offset + usize::from(is_after);
        let position = view.seek(offset as i64).unwrap_or(view.end());
        pack.insert(position, text);
        node.len += 1;
    }
}

fn remove_within(node: &mut Node, offset: usize, count: usize) {
    if let Body::Packed(pack) = &mut node.body
        && let Some(position) = pack.view().seek(offset as i64)
    {
        node.len -= pack.remove(position, count) as u32;
    }
}

/// Removes the elements of a listpack that are `needle`, from the front or from the end, `limit` of them. How many there
/// were. O(bytes) for each of them.
pub fn remove_equal_in(
    pack: &mut Listpack,
    needle: &Needle<'_>,
    limit: usize,
    is_backwards: bool,
) -> usize {
    let mut removed = 0;
    let mut position = if is_backwards {
        pack.view().end()
    } else {
        HEADER_BYTES
    };
    while removed < limit {
        let view = pack.view();
        let found = match is_backwards {
            false => view.find_from(position, needle, 1),
            true => view
                .iter_before(position)
                .rfind(|(_, item)| needle.is(*item))
                .map(|(at, _)| at),
        };
        let Some(at) = found else {
            break;
        };
        removed += pack.remove(at, 1);
        position = at;
    }
    removed
}

fn remove_equal_within(
    node: &mut Node,
    needle: &Needle<'_>,
    limit: usize,
    is_backwards: bool,
) -> usize {
    let removed = match &mut node.body {
        Body::Plain(text) => usize::from(text == needle.text),
        Body::Packed(pack) => remove_equal_in(pack, needle, limit, is_backwards),
    };
    node.len -= removed as u32;
    removed
}
