//! The order of a [`Ranked`](super::Ranked): a B+tree that counts what is below each of its branches.
//!
//! ```text
//!   inner node, up to 32 branches                    leaf, up to 64 items
//!   +-----+----------+-----------+--------+----------+     +-----+----------+-----------+
//!   | len | scores   | members   | counts | branches |     | len | scores   | members   |
//!   |     | of each branch's     | of     |          |     |     | f64 x 64 | entry     |
//!   |     | first item           | items  |          |     |     |          | refs x 64 |
//!   +-----+----------+-----------+--------+----------+     +-----+----------+-----------+
//! ```
//!
//! - Items are in order of score, and where scores are equal (-0 equals 0) of the members' bytes. No score is NaN.
//! - Scores stand side by side, so that a search touches two or three cache lines; a member is looked at only to tell
//!   equal scores apart.
//! - All leaves are at the same depth. Every node but the root is at least an eighth full, and the root has two branches
//!   if it has any.
//! - On the way down to where something is added or removed, nodes that are full or nearly empty share with a neighbour
//!   first, or are split or merged. So each call changes a few nodes on one path and never goes back up.
//! - Every entry referred to is alive. The owner forgets an item here before it frees the entry.

use super::super::entry::{EntryRef, EntryView};
use core::cmp::Ordering;
use core::mem;

pub(super) const LEAF: usize = 64;
pub(super) const FAN: usize = 32;

/// A node below this part of its capacity takes from a neighbour before it loses more.
const LEAST: usize = 8;
/// A full node gives to a neighbour that is at most three quarters full, and two that fill so much become one.
const fn roomy(capacity: usize) -> usize {
    capacity * 3 / 4
}

/// A score and the entry of its member.
#[derive(Clone, Copy)]
pub(super) struct Item {
    pub score: f64,
    pub entry: EntryRef,
}

impl Item {
    /// The member's bytes.
    #[inline(always)]
    fn member(&self) -> &[u8] {
        // SAFETY: entries in a tree, and those its owner is about to add, are alive, and nothing is added, removed or
        // changed while the tree compares.
        unsafe { EntryView::<()>::new(self.entry) }.key()
    }

    fn order(self, other: Item) -> Ordering {
        match self.score.partial_cmp(&other.score) {
            Some(Ordering::Equal) | None => self.member().cmp(other.member()),
            Some(order) => order,
        }
    }
}

/// A place between items: behind all for which [`Edge::is_behind`] holds.
#[derive(Debug, Clone, Copy)]
pub enum Edge<'a> {
    /// Behind lower scores, and behind this score too if so said.
    Score(f64, bool),
    /// Behind lower members, and behind this member too if so said. For items of one score.
    Member(&'a [u8], bool),
}

impl Edge<'_> {
    #[inline]
    fn is_behind(&self, item: Item) -> bool {
        match *self {
            Edge::Score(score, false) => item.score < score,
            Edge::Score(score, true) => item.score <= score,
            Edge::Member(member, false) => item.member() < member,
            Edge::Member(member, true) => item.member() <= member,
        }
    }
}

/// How many of some items are before `item`, and whether it comes next.
fn find(scores: &[f64], entries: &[Option<EntryRef>], item: Item) -> (usize, bool) {
    let from = scores.partition_point(|score| *score < item.score);
    let equal = scores.get(from..).unwrap_or(&[]);
    let equal = equal.partition_point(|score| *score == item.score);
    let equal = entries.get(from..from + equal).unwrap_or(&[]);
    // The item itself is found without a look at any member, each of which is a line of memory elsewhere.
    if let Some(at) = equal.iter().position(|entry| *entry == Some(item.entry)) {
        return (from + at, true);
    }
    let before = equal.partition_point(|entry| {
        entry.is_some_and(|entry| Item { entry, ..item }.member() < item.member())
    });
    (from + before, false)
}

/// Items side by side.
struct Run<const N: usize> {
    len: usize,
    scores: [f64; N],
    entries: [Option<EntryRef>; N],
}

impl<const N: usize> Run<N> {
    const EMPTY: Run<N> = Run {
        len: 0,
        scores: [0.0; N],
        entries: [None; N],
    };

    #[inline]
    fn get(&self, at: usize) -> Option<Item> {
        let entry = (*self.entries.get(at)?)?;
        Some(Item {
            score: self.scores[at],
            entry,
        })
    }

    fn set(&mut self, at: usize, item: Item) {
        self.scores[at] = item.score;
        self.entries[at] = Some(item.entry);
    }

    /// How many items are before `item`, and whether it comes next.
    #[inline]
    fn find(&self, item: Item) -> (usize, bool) {
        find(&self.scores[..self.len], &self.entries[..self.len], item)
    }

    /// How many items are before an edge.
    fn before(&self, edge: &Edge<'_>) -> usize {
        let (mut from, mut to) = (0, self.len);
        while from < to {
            let middle = (from + to) / 2;
            match self.get(middle) {
                Some(item) if edge.is_behind(item) => from = middle + 1,
                _ => to = middle,
            }
        }
        from
    }

    fn insert(&mut self, at: usize, item: Item) {
        self.scores.copy_within(at..self.len, at + 1);
        self.entries.copy_within(at..self.len, at + 1);
        self.set(at, item);
        self.len += 1;
    }

    fn remove(&mut self, at: usize) {
        self.scores.copy_within(at + 1..self.len, at);
        self.entries.copy_within(at + 1..self.len, at);
        self.len -= 1;
        self.entries[self.len] = None;
    }

    /// Moves the last `count` items in front of those of `right`.
    fn give_right(&mut self, right: &mut Run<N>, count: usize) {
        let start = self.len - count;
        right.scores.copy_within(..right.len, count);
        right.entries.copy_within(..right.len, count);
        right.scores[..count].copy_from_slice(&self.scores[start..self.len]);
        right.entries[..count].copy_from_slice(&self.entries[start..self.len]);
        self.entries[start..self.len].fill(None);
        self.len = start;
        right.len += count;
    }

    /// Moves the first `count` items of `right` behind these.
    fn take_left(&mut self, right: &mut Run<N>, count: usize) {
        let end = self.len + count;
        self.scores[self.len..end].copy_from_slice(&right.scores[..count]);
        self.entries[self.len..end].copy_from_slice(&right.entries[..count]);
        right.scores.copy_within(count..right.len, 0);
        right.entries.copy_within(count..right.len, 0);
        right.len -= count;
        right.entries[right.len..right.len + count].fill(None);
        self.len = end;
    }
}

type Leaf = Run<LEAF>;

struct Inner {
    firsts: Run<FAN>,
    counts: [u32; FAN],
    nodes: [Option<Node>; FAN],
}

enum Node {
    Leaf(Box<Leaf>),
    Inner(Box<Inner>),
}

/// The tree.
pub(super) struct Tree {
    root: Node,
    len: usize,
    leaves: usize,
    inners: usize,
}

/// What a call did to the number of nodes.
#[derive(Default)]
struct Nodes {
    leaves: isize,
    inners: isize,
}

impl Nodes {
    fn note(&mut self, node: &Node, by: isize) {
        match node {
            Node::Leaf(_) => self.leaves += by,
            Node::Inner(_) => self.inners += by,
        }
    }
}

impl Node {
    fn new_leaf() -> Node {
        Node::Leaf(Box::new(Run::EMPTY))
    }

    fn new_inner() -> Box<Inner> {
        Box::new(Inner {
            firsts: Run::EMPTY,
            counts: [0; FAN],
            nodes: [const { None }; FAN],
        })
    }

    /// Items of a leaf, branches of an inner node.
    #[inline]
    fn len(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len,
            Node::Inner(inner) => inner.firsts.len,
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Node::Leaf(_) => LEAF,
            Node::Inner(_) => FAN,
        }
    }

    fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// The first item.
    #[inline]
    fn first(&self) -> Option<Item> {
        match self {
            Node::Leaf(leaf) => leaf.get(0),
            Node::Inner(inner) => inner.firsts.get(0),
        }
    }

    /// How many of the node's own items or branches begin before `item`.
    fn place(&self, item: Item) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.find(item).0,
            Node::Inner(inner) => inner.firsts.find(item).0,
        }
    }

    /// A node of the same height.
    fn new_beside(&self) -> Node {
        match self {
            Node::Leaf(_) => Node::new_leaf(),
            Node::Inner(_) => Node::Inner(Node::new_inner()),
        }
    }

    /// Moves the last `count` items or branches to the front of the node to the right; says how many items those are.
    fn give_right(&mut self, right: &mut Node, count: usize) -> u32 {
        match (self, right) {
            (Node::Leaf(leaf), Node::Leaf(right)) => {
                leaf.give_right(right, count);
                count as u32
            }
            (Node::Inner(inner), Node::Inner(right)) => inner.give_right(right, count),
            _ => 0,
        }
    }

    /// Moves the first `count` items or branches of the node to the right to the end; says how many items those are.
    fn take_left(&mut self, right: &mut Node, count: usize) -> u32 {
        match (self, right) {
            (Node::Leaf(leaf), Node::Leaf(right)) => {
                leaf.take_left(right, count);
                count as u32
            }
            (Node::Inner(inner), Node::Inner(right)) => inner.take_left(right, count),
            _ => 0,
        }
    }
}

impl Inner {
    /// The branch that holds `item`, or would.
    #[inline]
    fn branch(&self, item: Item) -> usize {
        let (before, is_first) = self.firsts.find(item);
        if is_first {
            before
        } else {
            before.saturating_sub(1)
        }
    }

    fn give_right(&mut self, right: &mut Inner, count: usize) -> u32 {
        let (len, right_len) = (self.firsts.len, right.firsts.len);
        self.firsts.give_right(&mut right.firsts, count);
        right.counts.copy_within(..right_len, count);
        right.counts[..count].copy_from_slice(&self.counts[len - count..len]);
        right.nodes[..right_len + count].rotate_right(count);
        for (to, from) in right
            .nodes
            .iter_mut()
            .zip(&mut self.nodes[len - count..len])
        {
            mem::swap(to, from);
        }
        right.counts[..count].iter().sum()
    }

    fn take_left(&mut self, right: &mut Inner, count: usize) -> u32 {
        let (len, right_len) = (self.firsts.len, right.firsts.len);
        self.firsts.take_left(&mut right.firsts, count);
        self.counts[len..len + count].copy_from_slice(&right.counts[..count]);
        right.counts.copy_within(count..right_len, 0);
        for (to, from) in self.nodes[len..].iter_mut().zip(&mut right.nodes[..count]) {
            mem::swap(to, from);
        }
        right.nodes[..right_len].rotate_left(count);
        self.counts[len..len + count].iter().sum()
    }

    /// Both nodes at `at` and behind it.
    #[inline(always)]
    fn pair(&mut self, at: usize) -> Option<(&mut Node, &mut Node)> {
        match self.nodes.get_mut(at..at + 2)? {
            [Some(left), Some(right)] => Some((left, right)),
            _ => None,
        }
    }

    #[inline(always)]
    fn len_at(&self, at: usize) -> Option<usize> {
        Some(self.nodes.get(at)?.as_ref()?.len())
    }

    fn refresh_first(&mut self, at: usize) {
        if let Some(first) = self.nodes[at].as_ref().and_then(Node::first) {
            self.firsts.set(at, first);
        }
    }

    /// Moves `count` items or branches from the node at `at` to the one behind it.
    fn shift_right(&mut self, at: usize, count: usize) {
        if let Some((left, right)) = self.pair(at) {
            let moved = left.give_right(right, count);
            self.counts[at] -= moved;
            self.counts[at + 1] += moved;
            self.refresh_first(at + 1);
        }
    }

    /// Moves `count` items or branches from the node behind `at` to the one at `at`.
    fn shift_left(&mut self, at: usize, count: usize) {
        if let Some((left, right)) = self.pair(at) {
            let moved = left.take_left(right, count);
            self.counts[at] += moved;
            self.counts[at + 1] -= moved;
            self.refresh_first(at + 1);
        }
    }

    /// Makes room in the full node at `at`, for `item`: shares with a neighbour or splits it. There is room for one more
    /// branch here.
    #[inline(never)]
    fn make_room(&mut self, at: usize, item: Item, nodes: &mut Nodes) {
        let Some(node) = &self.nodes[at] else { return };
        let capacity = node.capacity();
        let room = |len: Option<usize>| len.filter(|len| *len <= roomy(capacity));
        if let Some(len) = room(self.len_at(at + 1)) {
            return self.shift_right(at, (capacity - len) / 2);
        }
        if at > 0
            && let Some(len) = room(self.len_at(at - 1))
        {
            return self.shift_left(at - 1, (capacity - len) / 2);
        }
        // Where items come in order, the fuller half is the one that is finished.
        let kept = match node.place(item) {
            0 => capacity / LEAST,
            place if place == capacity => capacity - capacity / LEAST,
            _ => capacity / 2,
        };
        let right = node.new_beside();
        nodes.note(&right, 1);
        let len = self.firsts.len;
        self.nodes[at + 1..=len].rotate_right(1);
        self.nodes[at + 1] = Some(right);
        self.counts.copy_within(at + 1..len, at + 2);
        self.counts[at + 1] = 0;
        // A first item for the new branch, until `shift_right` gives it its own.
        self.firsts.insert(at + 1, item);
        self.shift_right(at, capacity - kept);
    }

    /// Fills up the node at `at`, from which something is to be removed: takes from a neighbour or merges with it.
    #[inline(never)]
    fn refill(&mut self, at: usize, nodes: &mut Nodes) {
        let left = match at {
            0 => 0,
            at if at + 1 == self.firsts.len => at - 1,
            // The fuller neighbour gives.
            at if self.len_at(at - 1) > self.len_at(at + 1) => at - 1,
            at => at,
        };
        let Some((node, right)) = self.pair(left) else {
            return;
        };
        let (len, right_len, capacity) = (node.len(), right.len(), node.capacity());
        if len + right_len > roomy(capacity) {
            return match len < right_len {
                true => self.shift_left(left, (right_len - len) / 2),
                false => self.shift_right(left, (len - right_len) / 2),
            };
        }
        self.shift_left(left, right_len);
        let count = self.firsts.len;
        if let Some(empty) = self.nodes[left + 1].take() {
            nodes.note(&empty, -1);
        }
        self.nodes[left + 1..count].rotate_left(1);
        self.counts.copy_within(left + 2..count, left + 1);
        self.firsts.remove(left + 1);
    }
}

impl Tree {
    pub fn new() -> Tree {
        Tree {
            root: Node::new_leaf(),
            len: 0,
            leaves: 1,
            inners: 0,
        }
    }

    /// Items. O(1).
    pub fn len(&self) -> usize {
        self.len
    }

    /// Bytes of all nodes. O(1).
    pub fn memory_bytes(&self) -> usize {
        self.leaves * size_of::<Leaf>() + self.inners * size_of::<Inner>()
    }

    #[inline(always)]
    fn count(&mut self, nodes: &Nodes) {
        self.leaves = self.leaves.saturating_add_signed(nodes.leaves);
        self.inners = self.inners.saturating_add_signed(nodes.inners);
    }

    /// Adds an item that is not there. O(log n).
    pub fn insert(&mut self, item: Item) {
        let mut nodes = Nodes::default();
        if self.root.is_full() {
            self.grow(item);
        }
        let mut node = &mut self.root;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    leaf.insert(leaf.find(item).0, item);
                    break;
                }
                Node::Inner(inner) => {
                    let mut at = inner.branch(item);
                    if inner.nodes[at].as_ref().is_some_and(Node::is_full) {
                        inner.make_room(at, item, &mut nodes);
                        at = inner.branch(item);
                    }
                    inner.counts[at] += 1;
                    if at == 0
                        && let Some(first) = inner.firsts.get(0)
                        && item.order(first).is_lt()
                    {
                        inner.firsts.set(0, item);
                    }
                    let Some(next) = &mut inner.nodes[at] else {
                        break;
                    };
                    node = next;
                }
            }
        }
        self.len += 1;
        self.count(&nodes);
    }

    /// Puts a new root above a full one.
    #[cold]
    fn grow(&mut self, item: Item) {
        let Some(first) = self.root.first() else {
            return;
        };
        let mut inner = Node::new_inner();
        inner.firsts.insert(0, first);
        inner.counts[0] = self.len as u32;
        let old = mem::replace(&mut self.root, Node::new_leaf());
        inner.nodes[0] = Some(old);
        let mut nodes = Nodes {
            leaves: 0,
            inners: 1,
        };
        inner.make_room(0, item, &mut nodes);
        self.root = Node::Inner(inner);
        self.count(&nodes);
    }

    /// Removes an item; false when it is not there. O(log n).
    pub fn remove(&mut self, item: Item) -> bool {
        let mut nodes = Nodes::default();
        let is_removed = remove_below(&mut self.root, item, &mut nodes);
        self.len -= usize::from(is_removed);
        if let Node::Inner(inner) = &mut self.root
            && inner.firsts.len == 1
            && let Some(only) = inner.nodes[0].take()
        {
            self.root = only;
            nodes.inners -= 1;
        }
        self.count(&nodes);
        is_removed
    }

    /// Gives an item another score. O(log n); in place when that does not change the order within its leaf.
    pub fn update(&mut self, item: Item, score: f64) {
        let new = Item { score, ..item };
        if !self.update_in_place(item, new) && self.remove(item) {
            self.insert(new);
        }
    }

    fn update_in_place(&mut self, item: Item, new: Item) -> bool {
        let mut node = &mut self.root;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let (at, is_found) = leaf.find(item);
                    // The first of a leaf is known further up.
                    let (Some(before), true) = (at.checked_sub(1), is_found) else {
                        return false;
                    };
                    let fits = leaf
                        .get(before)
                        .is_some_and(|other| other.order(new).is_lt())
                        && leaf
                            .get(at + 1)
                            .is_some_and(|other| new.order(other).is_lt());
                    if fits {
                        leaf.set(at, new);
                    }
                    return fits;
                }
                Node::Inner(inner) => {
                    let at = inner.branch(item);
                    let Some(next) = &mut inner.nodes[at] else {
                        return false;
                    };
                    node = next;
                }
            }
        }
    }

    /// How many items are before this one. O(log n).
    pub fn rank(&self, item: Item) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return rank + leaf.find(item).0,
                Node::Inner(inner) => {
                    let at = inner.branch(item);
                    rank += inner.items_before(at);
                    let Some(next) = &inner.nodes[at] else {
                        return rank;
                    };
                    node = next;
                }
            }
        }
    }

    /// How many items are before an edge. O(log n).
    pub fn before(&self, edge: &Edge<'_>) -> usize {
        let (mut node, mut rank) = (&self.root, 0);
        loop {
            match node {
                Node::Leaf(leaf) => return rank + leaf.before(edge),
                Node::Inner(inner) => {
                    let at = inner.firsts.before(edge).saturating_sub(1);
                    rank += inner.items_before(at);
                    let Some(next) = &inner.nodes[at] else {
                        return rank;
                    };
                    node = next;
                }
            }
        }
    }

    /// The leaf with the item of this rank, and the item's place in it; None behind the last one. O(log n).
    pub fn locate(&self, rank: usize) -> Option<(Place<'_>, usize)> {
        if rank >= self.len {
            return None;
        }
        let (mut node, mut rest) = (&self.root, rank);
        loop {
            match node {
                Node::Leaf(leaf) => return Some((Place(leaf), rest)),
                Node::Inner(inner) => {
                    let mut at = 0;
                    while at + 1 < inner.firsts.len && rest >= inner.counts[at] as usize {
                        rest -= inner.counts[at] as usize;
                        at += 1;
                    }
                    node = inner.nodes[at].as_ref()?;
                }
            }
        }
    }

    /// Verifies the order, the counts and how full the nodes are. O(n).
    ///
    /// # Errors
    /// A sentence about the first violation found.
    pub fn check(&self) -> Result<(), String> {
        let mut seen = Seen::default();
        let count = check_below(&self.root, true, 0, &mut seen)?;
        let counted = (count, seen.leaves, seen.inners);
        let kept = (self.len, self.leaves, self.inners);
        if counted != kept {
            return Err(format!("counters {kept:?}, counted {counted:?}"));
        }
        Ok(())
    }
}

impl Inner {
    #[inline(always)]
    fn items_before(&self, at: usize) -> usize {
        let mut items = 0;
        for count in &self.counts[..at] {
            items += *count as usize;
        }
        items
    }
}

fn remove_below(node: &mut Node, item: Item, nodes: &mut Nodes) -> bool {
    match node {
        Node::Leaf(leaf) => {
            let (at, is_found) = leaf.find(item);
            if is_found {
                leaf.remove(at);
            }
            is_found
        }
        Node::Inner(inner) => {
            let mut at = inner.branch(item);
            if let Some(next) = &inner.nodes[at]
                && next.len() <= next.capacity() / LEAST
            {
                inner.refill(at, nodes);
                at = inner.branch(item);
            }
            let Some(next) = &mut inner.nodes[at] else {
                return false;
            };
            let is_removed = remove_below(next, item, nodes);
            if is_removed {
                inner.counts[at] -= 1;
                inner.refresh_first(at);
            }
            is_removed
        }
    }
}

/// A leaf, as an iterator holds it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a>(&'a Leaf);

impl Place<'_> {
    #[inline]
    pub fn get(&self, at: usize) -> Option<Item> {
        self.0.get(at)
    }
}

#[derive(Default)]
struct Seen {
    leaves: usize,
    inners: usize,
    leaf_depth: Option<usize>,
    last: Option<Item>,
}

fn check_below(node: &Node, is_root: bool, depth: usize, seen: &mut Seen) -> Result<usize, String> {
    let least = match node {
        Node::Inner(_) if is_root => 2,
        _ if is_root => 0,
        node => node.capacity() / LEAST,
    };
    if node.len() < least || node.len() > node.capacity() {
        return Err(format!("a node at depth {depth} has length {}", node.len()));
    }
    match node {
        Node::Leaf(leaf) => {
            seen.leaves += 1;
            if *seen.leaf_depth.get_or_insert(depth) != depth {
                return Err("leaves at two depths".to_owned());
            }
            for at in 0..LEAF {
                let item = leaf.get(at);
                if item.is_some() != (at < leaf.len) {
                    return Err("a leaf's length is wrong".to_owned());
                }
                if let (Some(last), Some(item)) = (seen.last, item)
                    && last.order(item).is_ge()
                {
                    return Err("items are out of order".to_owned());
                }
                seen.last = item.or(seen.last);
            }
            Ok(leaf.len)
        }
        Node::Inner(inner) => {
            seen.inners += 1;
            let mut sum = 0;
            for at in 0..FAN {
                let Some(below) = &inner.nodes[at] else {
                    if at < inner.firsts.len {
                        return Err("a branch is missing".to_owned());
                    }
                    continue;
                };
                if below
                    .first()
                    .map(|first| (first.score.to_bits(), first.entry))
                    != inner
                        .firsts
                        .get(at)
                        .map(|first| (first.score.to_bits(), first.entry))
                {
                    return Err(format!("the first item of branch {at} is not {at}'s"));
                }
                let count = check_below(below, false, depth + 1, seen)?;
                if count != inner.counts[at] as usize {
                    return Err(format!("a branch of {count} is counted wrong"));
                }
                sum += count;
            }
            Ok(sum)
        }
    }
}
