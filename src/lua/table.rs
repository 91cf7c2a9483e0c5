//! Tables: an array part and a hash part, with the layout of PUC Lua 5.1, because the order in which `pairs` visits a
//! table follows from it and scripts print what they visit.
//!
//! ```text
//!   array   [ t[1] t[2] t[3] ... ]                 more than half of it in use when it was sized
//!   nodes   [ key value next | key value next ]    a power of two, or none
//!             ^main position of its key, or of a colliding one's chain
//! ```
//!
//! - A key stands at its main position, unless that is taken: then in the highest free node, linked from there. A node
//!   that is not at its own main position moves out of the way of one that is.
//! - When no node is free, everything is counted and both parts are sized anew.
//! - Removal leaves the key with a nil value, so that a traversal may clear what it visits.

use super::value::{Packed, Str, TableId, Value};

/// A pair of the hash part.
#[derive(Clone, Copy, Debug)]
struct Node {
    key: Packed,
    value: Packed,
    /// The distance to the next node of the chain; 0 at its end.
    next: i32,
}

const EMPTY: Node = Node {
    key: Packed::NIL,
    value: Packed::NIL,
    next: 0,
};

/// The array part is at most so long: 2^26.
const MAX_BITS: usize = 26;

/// Why a key cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKey {
    Nil,
    NaN,
    /// A new key needs more memory than there is.
    Memory,
}

#[derive(Clone, Debug, Default)]
pub struct Table {
    array: Vec<Packed>,
    nodes: Vec<Node>,
    /// Every node from here on is in use.
    last_free: u32,
    pub metatable: Option<TableId>,
    /// Writing is an error.
    pub is_readonly: bool,
    /// `__mode` of its metatable, as of the last collection.
    pub weak_keys: bool,
    pub weak_values: bool,
}

/// The index of a number in the array part, counted from 1.
#[inline(always)]
fn array_index(number: f64) -> Option<usize> {
    let index = number as i32;
    (f64::from(index) == number && index > 0).then_some(index as usize)
}

/// The smallest exponent of two that is not below `count`.
fn ceil_log2(count: usize) -> u32 {
    count.next_power_of_two().trailing_zeros()
}

impl Table {
    /// Room for so many elements of each part.
    pub fn with_sizes(array: usize, nodes: usize) -> Table {
        let mut table = Table {
            array: vec![Packed::NIL; array],
            ..Table::default()
        };
        table.set_nodes(nodes);
        table
    }

    fn set_nodes(&mut self, count: usize) {
        if count == 0 {
            self.nodes = Vec::new();
            self.last_free = 0;
            return;
        }
        let size = 1usize << ceil_log2(count);
        self.nodes = vec![EMPTY; size];
        self.last_free = size as u32;
    }

    /// Bytes held from the allocator.
    pub fn heap_bytes(&self) -> usize {
        self.array.capacity() * size_of::<Packed>() + self.nodes.capacity() * size_of::<Node>()
    }

    /// The main position of a key; there are nodes.
    fn main_position(&self, key: Packed) -> usize {
        let mask = self.nodes.len() - 1;
        if key.is_string() {
            return key.string_hash() as usize & mask;
        }
        if key.is_number() {
            return hash_number(key.float()) as usize % (mask | 1);
        }
        match key.value() {
            Value::Bool(bool) => usize::from(bool) & mask,
            Value::Table(TableId(id)) => id as usize % (mask | 1),
            Value::Closure(id) => id.0 as usize % (mask | 1),
            Value::Native(id) => id.0 as usize % (mask | 1),
            Value::Coroutine(id) => id.0 as usize % (mask | 1),
            Value::Userdata(id) => id.0 as usize % (mask | 1),
            _ => 0,
        }
    }

    /// The node of a key.
    fn find(&self, key: Packed) -> Option<usize> {
        // No key is nil, but that of an unused node is.
        if self.nodes.is_empty() || key.is_nil() {
            return None;
        }
        let mut at = self.main_position(key);
        loop {
            let node = self.nodes.get(at)?;
            if node.key.equals(key) {
                return Some(at);
            }
            if node.next == 0 {
                return None;
            }
            at = at.wrapping_add_signed(node.next as isize);
        }
    }

    /// The node of a string.
    #[inline(always)]
    fn find_string(&self, key: Packed) -> Option<usize> {
        // Without nodes the first look is at a place that is not there.
        let mut at = key.string_hash() as usize & self.nodes.len().wrapping_sub(1);
        loop {
            let node = self.nodes.get(at)?;
            if node.key == key {
                return Some(at);
            }
            if node.next == 0 {
                return None;
            }
            at = at.wrapping_add_signed(node.next as isize);
        }
    }

    /// The value of a string key: the way of fields, methods and globals.
    #[inline(always)]
    pub(super) fn fetch_string(&self, key: Packed) -> Packed {
        let mut at = key.string_hash() as usize & self.nodes.len().wrapping_sub(1);
        while let Some(node) = self.nodes.get(at) {
            if node.key == key {
                return node.value;
            }
            if node.next == 0 {
                break;
            }
            at = at.wrapping_add_signed(node.next as isize);
        }
        Packed::NIL
    }

    /// The value of a key; nil when there is none. O(1).
    #[inline(always)]
    pub(super) fn fetch(&self, key: Packed) -> Packed {
        if key.is_number()
            && let Some(index) = array_index(key.float())
            && let Some(value) = self.array.get(index - 1)
        {
            return *value;
        }
        self.fetch_hashed(key)
    }

    #[inline(never)]
    fn fetch_hashed(&self, key: Packed) -> Packed {
        if key.is_string() {
            return self.fetch_string(key);
        }
        self.find(key)
            .and_then(|at| self.nodes.get(at))
            .map_or(Packed::NIL, |node| node.value)
    }

    /// The value of a string key.
    pub fn get_str(&self, key: Str) -> Value {
        self.fetch_hashed(Packed::string(key)).value()
    }

    /// The value of a key; nil when there is none. O(1).
    pub fn get(&self, key: Value) -> Value {
        self.fetch(key.into()).value()
    }

    pub fn get_number(&self, number: f64) -> Value {
        self.fetch(Packed::number(number)).value()
    }

    /// The value at an index. O(1).
    pub fn get_index(&self, index: usize) -> Value {
        self.get_number(index as f64)
    }

    /// The place of the value of a key that is there, even if nil.
    #[inline(always)]
    pub(super) fn slot(&mut self, key: Packed) -> Option<&mut Packed> {
        if key.is_number()
            && let Some(index) = array_index(key.float())
            && index <= self.array.len()
        {
            return self.array.get_mut(index - 1);
        }
        self.slot_hashed(key)
    }

    #[inline(never)]
    fn slot_hashed(&mut self, key: Packed) -> Option<&mut Packed> {
        let at = match key.is_string() {
            true => self.find_string(key)?,
            false => self.find(key)?,
        };
        self.nodes.get_mut(at).map(|node| &mut node.value)
    }

    /// Stores a value under a key. Returns how many bytes the table has grown by. O(1) amortised.
    ///
    /// # Errors
    /// The key is nil or not a number, or the table would take more than `limit_bytes` more.
    pub fn set(&mut self, key: Value, value: Value, limit_bytes: usize) -> Result<isize, BadKey> {
        self.store(key.into(), value.into(), limit_bytes)
    }

    pub(super) fn store(
        &mut self,
        key: Packed,
        value: Packed,
        limit_bytes: usize,
    ) -> Result<isize, BadKey> {
        if let Some(slot) = self.slot(key) {
            *slot = value;
            return Ok(0);
        }
        self.store_new(key, value, limit_bytes)
    }

    /// Stores a value under a key that is not there.
    ///
    /// # Errors
    /// As of [`Table::set`].
    pub(super) fn store_new(
        &mut self,
        key: Packed,
        value: Packed,
        limit_bytes: usize,
    ) -> Result<isize, BadKey> {
        if key.is_nil() {
            return Err(BadKey::Nil);
        }
        if key.is_number() && key.float().is_nan() {
            return Err(BadKey::NaN);
        }
        // Even nil takes a node: the order of traversal shows it.
        self.insert(key, value, limit_bytes)
    }

    /// Adds a key that is not there.
    fn insert(&mut self, key: Packed, value: Packed, limit_bytes: usize) -> Result<isize, BadKey> {
        if self.nodes.is_empty() {
            return self.grow_and_set(key, value, limit_bytes);
        }
        let mut main = self.main_position(key);
        if !self.nodes[main].value.is_nil() {
            let Some(free) = self.take_free() else {
                return self.grow_and_set(key, value, limit_bytes);
            };
            let other = self.main_position(self.nodes[main].key);
            if other != main {
                // The one that stands here belongs elsewhere: it moves to the free node.
                let mut before = other;
                while before.wrapping_add_signed(self.nodes[before].next as isize) != main {
                    before = before.wrapping_add_signed(self.nodes[before].next as isize);
                }
                self.nodes[before].next = free as i32 - before as i32;
                let mut moved = self.nodes[main];
                if moved.next != 0 {
                    moved.next += main as i32 - free as i32;
                }
                self.nodes[free] = moved;
                self.nodes[main] = EMPTY;
            } else {
                let next = self.nodes[main].next;
                self.nodes[free].next = if next == 0 {
                    0
                } else {
                    main as i32 + next - free as i32
                };
                self.nodes[main].next = free as i32 - main as i32;
                main = free;
            }
        }
        let node = &mut self.nodes[main];
        node.key = key;
        node.value = value;
        Ok(0)
    }

    /// A node that was never used.
    fn take_free(&mut self) -> Option<usize> {
        while self.last_free > 0 {
            self.last_free -= 1;
            let at = self.last_free as usize;
            if self.nodes[at].key.is_nil() {
                return Some(at);
            }
        }
        None
    }

    /// Sizes both parts for what is there and one more key, and stores that.
    #[inline(never)]
    fn grow_and_set(
        &mut self,
        key: Packed,
        value: Packed,
        limit_bytes: usize,
    ) -> Result<isize, BadKey> {
        let before = self.heap_bytes();
        let mut counts = [0usize; MAX_BITS + 1];
        let mut in_array = self.count_array(&mut counts);
        let mut total = in_array;
        for node in &self.nodes {
            if !node.value.is_nil() {
                in_array += usize::from(count_key(node.key, &mut counts));
                total += 1;
            }
        }
        in_array += usize::from(count_key(key, &mut counts));
        total += 1;
        let (array_size, in_array) = best_array(&counts, in_array);
        let node_count = total - in_array;
        let needed = array_size * size_of::<Packed>()
            + node_count.next_power_of_two() * size_of::<Node>() * usize::from(node_count > 0);
        if needed > before && needed - before > limit_bytes {
            return Err(BadKey::Memory);
        }
        self.resize(array_size, node_count);
        match self.slot(key) {
            Some(slot) => *slot = value,
            None => {
                self.insert(key, value, limit_bytes)?;
            }
        }
        Ok(self.heap_bytes() as isize - before as isize)
    }

    fn count_array(&self, counts: &mut [usize; MAX_BITS + 1]) -> usize {
        let mut all = 0;
        let mut from = 0;
        for (bits, count) in counts.iter_mut().enumerate() {
            let to = (1usize << bits).min(self.array.len());
            let slice = self.array.get(from..to).unwrap_or(&[]);
            let used = slice.iter().filter(|value| !value.is_nil()).count();
            *count += used;
            all += used;
            from = to;
            if to == self.array.len() {
                break;
            }
        }
        all
    }

    /// Whether there is room for keys that are no places of the array part.
    pub fn has_nodes(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// Places of the array part.
    pub fn array_size(&self) -> usize {
        self.array.len()
    }

    /// Puts a value into a place of the array part; false when there is no such place.
    #[inline]
    pub fn put_place(&mut self, index: u32, value: Packed) -> bool {
        match self.array.get_mut((index as usize).wrapping_sub(1)) {
            Some(place) => {
                *place = value;
                true
            }
            None => false,
        }
    }

    /// Gives the array part at least `size` places; the bytes it has grown by.
    pub fn grow_array(&mut self, size: usize) -> isize {
        let before = self.heap_bytes();
        if size > self.array.len() {
            self.resize(size, self.nodes.len());
        }
        self.heap_bytes() as isize - before as isize
    }

    /// Gives both parts new sizes; nothing is lost.
    pub fn resize(&mut self, array_size: usize, node_count: usize) {
        let nodes = std::mem::take(&mut self.nodes);
        let cut = match array_size < self.array.len() {
            true => self.array.split_off(array_size),
            false => Vec::new(),
        };
        if array_size > self.array.len() {
            self.array.reserve_exact(array_size - self.array.len());
            self.array.resize(array_size, Packed::NIL);
        } else {
            self.array.shrink_to_fit();
        }
        self.set_nodes(node_count);
        for (offset, value) in cut.into_iter().enumerate() {
            if !value.is_nil() {
                self.put_back(Packed::number((array_size + offset + 1) as f64), value);
            }
        }
        for node in nodes.iter().rev() {
            if !node.value.is_nil() {
                self.put_back(node.key, node.value);
            }
        }
    }

    fn put_back(&mut self, key: Packed, value: Packed) {
        match self.slot(key) {
            Some(slot) => *slot = value,
            // There is room: it was counted.
            None => drop(self.insert(key, value, usize::MAX)),
        }
    }

    /// The border that `#` answers: some n with t[n] non-nil and t[n + 1] nil, or 0. O(log n).
    pub fn length(&self) -> usize {
        let size = self.array.len();
        if size > 0 && self.array[size - 1].is_nil() {
            // There is a border in the array part.
            let (mut low, mut high) = (0, size);
            while high - low > 1 {
                let middle = (low + high) / 2;
                if self.array[middle - 1].is_nil() {
                    high = middle;
                } else {
                    low = middle;
                }
            }
            return low;
        }
        if self.nodes.is_empty() {
            return size;
        }
        let (mut low, mut high) = (size, size + 1);
        while !self.get_index(high).is_nil() {
            low = high;
            high *= 2;
            if high > i32::MAX as usize {
                // Built to defeat the search: count one by one.
                let mut at = 1;
                while !self.get_index(at).is_nil() {
                    at += 1;
                }
                return at - 1;
            }
        }
        while high - low > 1 {
            let middle = (low + high) / 2;
            if self.get_index(middle).is_nil() {
                high = middle;
            } else {
                low = middle;
            }
        }
        low
    }

    /// The pair after `key` in traversal order (nil: the first); None at the end. Err when there is no such key.
    pub fn next(&self, key: Value) -> Result<Option<(Value, Value)>, ()> {
        let (key, value) = self.next_pair(key.into())?;
        Ok((!key.is_nil()).then(|| (key.value(), value.value())))
    }

    /// The same; two nils at the end.
    pub(super) fn next_pair(&self, key: Packed) -> Result<(Packed, Packed), ()> {
        let index = array_index(key.float()).filter(|index| *index <= self.array.len());
        let start = match index {
            Some(index) => index,
            None if key.is_nil() => 0,
            None if key.is_string() => self.array.len() + self.find_string(key).ok_or(())? + 1,
            None => self.array.len() + self.find(key).ok_or(())? + 1,
        };
        for at in start..self.array.len() {
            let value = self.array[at];
            if !value.is_nil() {
                return Ok((Packed::calculated((at + 1) as f64), value));
            }
        }
        let from = start.saturating_sub(self.array.len());
        let rest = self.nodes.get(from..).unwrap_or(&[]);
        let node = rest.iter().find(|node| !node.value.is_nil());
        Ok(node.map_or((Packed::NIL, Packed::NIL), |node| (node.key, node.value)))
    }

    /// Every value, and every key of the hash part.
    pub fn for_each(&self, mut visit: impl FnMut(Value, Value)) {
        self.for_each_packed(|key, value| visit(key.value(), value.value()));
    }

    /// The same: what a collector has to look at.
    pub(super) fn for_each_packed(&self, mut visit: impl FnMut(Packed, Packed)) {
        for value in &self.array {
            visit(Packed::NIL, *value);
        }
        for node in &self.nodes {
            if !node.value.is_nil() {
                visit(node.key, node.value);
            }
        }
    }

    /// Removes the pairs that `is_dead` points at, for weak tables.
    pub fn clear_dead(&mut self, is_dead: impl Fn(Packed, Packed) -> bool) {
        for value in &mut self.array {
            if is_dead(Packed::NIL, *value) {
                *value = Packed::NIL;
            }
        }
        for node in &mut self.nodes {
            if !node.value.is_nil() && is_dead(node.key, node.value) {
                node.value = Packed::NIL;
            }
        }
    }

    /// Replaces keys that no longer have a value and refer to something that is gone, so that no dead handle stays.
    pub fn bury_dead_keys(&mut self, is_dead: impl Fn(Packed) -> bool) {
        for node in &mut self.nodes {
            if node.value.is_nil() && is_dead(node.key) {
                // In use, equal to nothing.
                node.key = Packed::DEAD;
            }
        }
    }
}

/// PUC's hash of a number: the sum of its words; both zeros are one key.
fn hash_number(number: f64) -> u32 {
    if number == 0.0 {
        return 0;
    }
    let bits = number.to_bits();
    (bits as u32).wrapping_add((bits >> 32) as u32)
}

/// Counts a key that may stand in the array part; whether it may.
fn count_key(key: Packed, counts: &mut [usize; MAX_BITS + 1]) -> bool {
    // What is no number is no index either.
    let Some(index) = array_index(key.float()).filter(|index| *index <= 1 << MAX_BITS) else {
        return false;
    };
    counts[ceil_log2(index) as usize] += 1;
    true
}

/// The largest size of which more than half would be in use, and how many would.
fn best_array(counts: &[usize; MAX_BITS + 1], candidates: usize) -> (usize, usize) {
    let (mut below, mut size, mut used) = (0, 0, 0);
    for (bits, count) in counts.iter().enumerate() {
        let limit = 1usize << bits;
        if limit / 2 >= candidates {
            break;
        }
        if *count > 0 {
            below += count;
            if below > limit / 2 {
                size = limit;
                used = below;
            }
        }
        if below == candidates {
            break;
        }
    }
    (size, used)
}
