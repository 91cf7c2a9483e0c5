//! Everything that scripts allocate, counted to the byte and collected by mark and sweep.
//!
//! ```text
//!   strings     [ text | text | .... ]   each with a link to the next of its bucket; equal texts are one string
//!   tables      [ table | table | .. ]   and so closures, natives, coroutines, userdata, upvalues
//!   free        places to be used again
//! ```
//!
//! - A handle is a place in one of these lists. A handle that is out of date refers to another value or to an empty one,
//!   never to foreign memory.
//! - `used_bytes` is charged before anything grows; above `limit_bytes` a collection is tried and then the allocation
//!   fails as a Lua error.

use std::rc::Rc;

use super::arena::{Arena, Mark};
use super::code::Proto;
use super::function::{Closure, Coroutine, Native, Upvalue, Userdata};
use super::recent::Recent;
use super::table::Table;
use super::value::{
    ClosureId, CoroutineId, NativeId, Packed, STRING_BITS, Str, TableId, UpvalueId, UserdataId,
    Value,
};
use crate::algorithms::hash::HashSeed;

/// A collection begins when this much more is in use than the last one left, at the least.
const LEAST_PACE_BYTES: usize = 256 * 1024;
/// Bookkeeping of the allocator, about, for every allocation.
const ALLOCATION_BYTES: usize = 8;

#[derive(Debug, Default)]
struct Text {
    /// None in a place that is free.
    bytes: Option<Rc<[u8]>>,
    /// The hash of all bytes, by which it is found among the others.
    hash: u32,
    /// The hash that decides on its place in tables.
    place: u32,
    /// The next string of the same bucket, plus one.
    next: u32,
}

impl Text {
    #[inline]
    fn bytes(&self) -> &[u8] {
        self.bytes.as_deref().unwrap_or(&[])
    }
}

/// What a collection starts from, besides what the heap itself holds on to.
#[derive(Debug, Default)]
pub struct Gray {
    tables: Vec<TableId>,
    closures: Vec<ClosureId>,
    coroutines: Vec<CoroutineId>,
    others: Vec<Value>,
    weak: Vec<TableId>,
}

/// The heap.
#[derive(Debug)]
pub struct Heap {
    strings: Arena<Text>,
    buckets: Vec<u32>,
    string_count: usize,
    recent: Recent,
    pub tables: Arena<Table>,
    pub closures: Arena<Closure>,
    pub natives: Arena<Native>,
    pub coroutines: Arena<Coroutine>,
    pub userdata: Arena<Userdata>,
    pub upvalues: Arena<Upvalue>,
    /// What a handle out of date finds.
    no_table: Table,
    seed: HashSeed,
    /// Bytes in use.
    pub used_bytes: usize,
    pub limit_bytes: usize,
    /// A collection is due above this.
    pub pace_bytes: usize,
    /// Bytes of strings that were made or looked for, and nobody has paid for yet.
    pub unpaid_bytes: usize,
    /// While above 0 nothing is collected.
    pub held: u32,
    gray: Gray,
    mode_name: Option<Str>,
}

/// There is not enough memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl Heap {
    pub fn new(seed: HashSeed, limit_bytes: usize) -> Heap {
        Heap {
            strings: Arena::new(),
            buckets: vec![0; 256],
            string_count: 0,
            recent: Recent::new(),
            tables: Arena::new(),
            closures: Arena::new(),
            natives: Arena::new(),
            coroutines: Arena::new(),
            userdata: Arena::new(),
            upvalues: Arena::new(),
            no_table: Table::default(),
            seed,
            used_bytes: 0,
            limit_bytes,
            pace_bytes: LEAST_PACE_BYTES,
            unpaid_bytes: 0,
            held: 0,
            gray: Gray::default(),
            mode_name: None,
        }
    }

    /// Whether a collection should run before much more is allocated.
    #[inline]
    pub fn is_due(&self) -> bool {
        self.used_bytes > self.pace_bytes && self.held == 0
    }

    /// Bytes that may still be allocated.
    #[inline]
    pub fn left_bytes(&self) -> usize {
        self.limit_bytes.saturating_sub(self.used_bytes)
    }

    /// Accounts for `bytes` more.
    ///
    /// # Errors
    /// When that is more than there may be; nothing is accounted for then.
    #[inline]
    pub fn charge(&mut self, bytes: usize) -> Result<(), OutOfMemory> {
        if bytes > self.left_bytes() {
            return Err(OutOfMemory);
        }
        self.used_bytes += bytes;
        Ok(())
    }

    /// Accounts for what a table has grown by, or shrunk.
    #[inline]
    pub fn account(&mut self, bytes: isize) {
        self.used_bytes = self.used_bytes.saturating_add_signed(bytes);
    }

    #[inline]
    fn uncharge(&mut self, bytes: usize) {
        self.used_bytes = self.used_bytes.saturating_sub(bytes);
    }

    // ---- strings ----

    /// The string of these bytes. O(length).
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn string(&mut self, bytes: &[u8]) -> Result<Str, OutOfMemory> {
        self.unpaid_bytes += bytes.len();
        let Some(key) = Recent::key(bytes) else {
            return self.interned(bytes);
        };
        if let Some(found) = self.recent.get(key) {
            return Ok(found);
        }
        let text = self.interned(bytes)?;
        self.recent.put(key, text);
        Ok(text)
    }

    fn interned(&mut self, bytes: &[u8]) -> Result<Str, OutOfMemory> {
        let hash = self.seed.hash(bytes) as u32;
        if let Some(found) = self.find_string(bytes, hash) {
            return Ok(found);
        }
        self.charge_string(bytes.len())?;
        Ok(self.add_string(bytes.into(), hash))
    }

    /// The same for bytes that need not be copied.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn string_owned(&mut self, bytes: Vec<u8>) -> Result<Str, OutOfMemory> {
        self.unpaid_bytes += bytes.len();
        let hash = self.seed.hash(&bytes) as u32;
        if let Some(found) = self.find_string(&bytes, hash) {
            return Ok(found);
        }
        self.charge_string(bytes.len())?;
        Ok(self.add_string(bytes.into(), hash))
    }

    fn charge_string(&mut self, length: usize) -> Result<(), OutOfMemory> {
        // More have no place in a value.
        if self.string_count >= (1 << STRING_BITS) - 1 {
            return Err(OutOfMemory);
        }
        self.charge(text_bytes(length))
    }

    /// A string of the program itself: short, and not counted against the limit.
    pub fn name(&mut self, text: &str) -> Str {
        let hash = self.seed.hash(text.as_bytes()) as u32;
        match self.find_string(text.as_bytes(), hash) {
            Some(found) => found,
            None => {
                self.used_bytes += text_bytes(text.len());
                self.add_string(text.as_bytes().into(), hash)
            }
        }
    }

    /// The string of these bytes, if there is one. O(length).
    pub fn known(&self, bytes: &[u8]) -> Option<Str> {
        self.find_string(bytes, self.seed.hash(bytes) as u32)
    }

    fn find_string(&self, bytes: &[u8], hash: u32) -> Option<Str> {
        let mut link = *self.buckets.get(hash as usize & (self.buckets.len() - 1))?;
        while link > 0 {
            let text = self.strings.get(link - 1)?;
            if text.hash == hash && text.bytes() == bytes {
                return Some(Str {
                    id: link - 1,
                    hash: text.place,
                });
            }
            link = text.next;
        }
        None
    }

    fn add_string(&mut self, bytes: Rc<[u8]>, hash: u32) -> Str {
        if self.string_count >= self.buckets.len() {
            self.grow_buckets();
        }
        let place = place_hash(&bytes);
        let at = hash as usize & (self.buckets.len() - 1);
        let next = self.buckets[at];
        let id = self.strings.add(Text {
            bytes: Some(bytes),
            hash,
            place,
            next,
        });
        self.buckets[at] = id + 1;
        self.string_count += 1;
        Str { id, hash: place }
    }

    fn grow_buckets(&mut self) {
        let count = self.buckets.len() * 2;
        self.buckets.clear();
        self.buckets.resize(count, 0);
        for (id, text) in self.strings.items.iter_mut().enumerate() {
            if self.strings.marks.get(id) != Some(&Mark::Free) {
                let at = text.hash as usize & (count - 1);
                text.next = std::mem::replace(&mut self.buckets[at], id as u32 + 1);
            }
        }
    }

    /// The bytes of a string, to be kept while the heap changes. O(1).
    pub fn shared(&self, text: Str) -> Rc<[u8]> {
        self.strings
            .get(text.id)
            .and_then(|text| text.bytes.clone())
            .unwrap_or_default()
    }

    /// The bytes of a string. O(1).
    #[inline]
    pub fn bytes(&self, text: Str) -> &[u8] {
        self.strings.get(text.id).map_or(&[], Text::bytes)
    }

    // ---- objects ----

    /// A new table with room for so many elements.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn table(&mut self, array: usize, nodes: usize) -> Result<TableId, OutOfMemory> {
        let room = array
            .saturating_mul(size_of::<Packed>())
            .saturating_add(nodes.saturating_mul(6 * size_of::<Packed>()));
        if room > self.left_bytes() {
            return Err(OutOfMemory);
        }
        let table = Table::with_sizes(array, nodes);
        self.charge(size_of::<Table>() + table.heap_bytes())?;
        Ok(TableId(self.tables.add(table)))
    }

    #[inline(always)]
    pub fn table_of(&self, id: TableId) -> &Table {
        self.tables.get(id.0).unwrap_or(&self.no_table)
    }

    #[inline(always)]
    pub fn table_mut(&mut self, id: TableId) -> &mut Table {
        match self.tables.get_mut(id.0) {
            Some(table) => table,
            None => &mut self.no_table,
        }
    }

    /// Stores a value in a table, without metamethods. Keys that are none are ignored.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn set(&mut self, id: TableId, key: Value, value: Value) -> Result<(), OutOfMemory> {
        let left = self.left_bytes();
        match self.table_mut(id).set(key, value, left) {
            Ok(grown) => {
                self.account(grown);
                Ok(())
            }
            Err(super::table::BadKey::Memory) => Err(OutOfMemory),
            Err(_) => Ok(()),
        }
    }

    /// Stores an element, without metamethods.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn set_index(&mut self, id: TableId, index: u32, value: Packed) -> Result<(), OutOfMemory> {
        let key = Packed::calculated(f64::from(index));
        match self.set_quickly(id, key, value) {
            true => Ok(()),
            false => Err(OutOfMemory),
        }
    }

    /// Stores a value where nothing but the table itself has a say; false when more than that is needed.
    #[inline(always)]
    pub(super) fn set_quickly(&mut self, id: TableId, key: Packed, value: Packed) -> bool {
        let table = self.table_mut(id);
        if table.is_readonly {
            return false;
        }
        let is_plain = table.metatable.is_none();
        if let Some(slot) = table.slot(key)
            && (is_plain || !slot.is_nil())
        {
            *slot = value;
            return true;
        }
        if !is_plain {
            return false;
        }
        self.store_new(id, key, value)
    }

    #[inline(never)]
    fn store_new(&mut self, id: TableId, key: Packed, value: Packed) -> bool {
        let left = self.left_bytes();
        match self.table_mut(id).store(key, value, left) {
            Ok(grown) => {
                self.account(grown);
                true
            }
            Err(_) => false,
        }
    }

    /// Makes room for elements up to `count`.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn reserve_array(&mut self, id: TableId, count: usize) -> Result<(), OutOfMemory> {
        let have = self.table_of(id).array_size();
        if count <= have {
            return Ok(());
        }
        if (count - have).saturating_mul(size_of::<Packed>()) > self.left_bytes() {
            return Err(OutOfMemory);
        }
        let grown = self.table_mut(id).grow_array(count);
        self.account(grown);
        Ok(())
    }

    /// A new function written in Lua.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn closure(&mut self, closure: Closure) -> Result<ClosureId, OutOfMemory> {
        self.charge(closure.bytes())?;
        Ok(ClosureId(self.closures.add(closure)))
    }

    /// A new function of the host.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn native(&mut self, native: Native) -> Result<NativeId, OutOfMemory> {
        self.charge(native.bytes())?;
        Ok(NativeId(self.natives.add(native)))
    }

    /// A new coroutine.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn coroutine(&mut self, coroutine: Coroutine) -> Result<CoroutineId, OutOfMemory> {
        self.charge(size_of::<Coroutine>())?;
        Ok(CoroutineId(self.coroutines.add(coroutine)))
    }

    /// A new userdata.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn userdata(&mut self, userdata: Userdata) -> Result<UserdataId, OutOfMemory> {
        self.charge(size_of::<Userdata>())?;
        Ok(UserdataId(self.userdata.add(userdata)))
    }

    /// A new variable shared by closures.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn upvalue(&mut self, upvalue: Upvalue) -> Result<UpvalueId, OutOfMemory> {
        self.charge(size_of::<Upvalue>())?;
        Ok(UpvalueId(self.upvalues.add(upvalue)))
    }

    // ---- collection ----

    /// Marks a value as in use.
    pub fn mark(&mut self, value: Value) {
        match value {
            Value::Nil | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => drop(self.strings.mark(text.id)),
            Value::Table(id) => {
                if self.tables.mark(id.0) {
                    self.gray.tables.push(id);
                }
            }
            Value::Closure(id) => {
                if self.closures.mark(id.0) {
                    self.gray.closures.push(id);
                }
            }
            Value::Native(id) => {
                if self.natives.mark(id.0) {
                    self.gray.others.push(value);
                }
            }
            Value::Coroutine(id) => {
                if self.coroutines.mark(id.0) {
                    self.gray.coroutines.push(id);
                }
            }
            Value::Userdata(id) => {
                if self.userdata.mark(id.0) {
                    self.gray.others.push(value);
                }
            }
        }
    }

    /// The same.
    #[inline]
    pub fn mark_packed(&mut self, value: Packed) {
        if !value.is_number() && !value.is_nil() {
            self.mark(value.value());
        }
    }

    /// Marks everything that what is marked refers to, then frees the rest. O(everything).
    pub fn collect(&mut self) {
        let mode = self.name("__mode");
        self.mode_name = Some(mode);
        self.mark(Value::String(mode));
        self.propagate();
        self.clear_weak();
        self.sweep();
        // Near the limit sooner: what is garbage by then must not be what fails an allocation.
        let pace = self.used_bytes.max(LEAST_PACE_BYTES);
        let near = (self.left_bytes() / 2).max(LEAST_PACE_BYTES / 4);
        self.pace_bytes = self.used_bytes + pace.min(near);
    }

    fn propagate(&mut self) {
        loop {
            if let Some(id) = self.gray.tables.pop() {
                self.mark_table(id);
            } else if let Some(id) = self.gray.closures.pop() {
                self.mark_closure(id);
            } else if let Some(id) = self.gray.coroutines.pop() {
                self.mark_coroutine(id);
            } else if let Some(value) = self.gray.others.pop() {
                self.mark_other(value);
            } else {
                return;
            }
        }
    }

    fn mark_table(&mut self, id: TableId) {
        let Some(table) = self.tables.get_mut(id.0) else {
            return;
        };
        let mut table = std::mem::take(table);
        if let Some(metatable) = table.metatable {
            self.mark(Value::Table(metatable));
            let mode = self
                .mode_name
                .map_or(Value::Nil, |name| self.table_of(metatable).get_str(name));
            (table.weak_keys, table.weak_values) = match mode {
                Value::String(text) => {
                    let letters = self.bytes(text);
                    (letters.contains(&b'k'), letters.contains(&b'v'))
                }
                _ => (false, false),
            };
        } else {
            (table.weak_keys, table.weak_values) = (false, false);
        }
        if table.weak_keys || table.weak_values {
            self.gray.weak.push(id);
        }
        let (marks_keys, marks_values) = (!table.weak_keys, !table.weak_values);
        table.for_each_packed(|key, value| {
            // Strings are values, not objects: never removed from weak tables.
            if marks_keys || key.is_string() {
                self.mark_packed(key);
            }
            if marks_values || value.is_string() {
                self.mark_packed(value);
            }
        });
        if let Some(place) = self.tables.get_mut(id.0) {
            *place = table;
        }
    }

    fn mark_closure(&mut self, id: ClosureId) {
        let Some(closure) = self.closures.get(id.0) else {
            return;
        };
        let (proto, environment) = (closure.proto.clone(), closure.environment);
        for place in 0..closure.upvalues.len() {
            if let Some(id) = self.upvalue_of(id, place) {
                self.mark_upvalue(id);
            }
        }
        self.mark(Value::Table(environment));
        if let Some(proto) = proto {
            proto.for_each_constant(&mut |value| self.mark(value));
        }
    }

    /// Which variable an upvalue of a function is.
    #[inline(always)]
    pub(super) fn upvalue_of(&self, closure: ClosureId, place: usize) -> Option<UpvalueId> {
        self.closures.get(closure.0)?.upvalues.get(place).copied()
    }

    /// The globals of a function.
    #[inline(always)]
    pub(super) fn environment_of(&self, closure: ClosureId) -> TableId {
        let closure = self.closures.get(closure.0);
        closure.map_or(TableId(u32::MAX), |closure| closure.environment)
    }

    /// An open upvalue's variable is marked with its stack.
    pub fn mark_upvalue(&mut self, id: UpvalueId) {
        if self.upvalues.mark(id.0)
            && let Some(Upvalue::Closed(value)) = self.upvalues.get(id.0)
        {
            let value = *value;
            self.mark_packed(value);
        }
    }

    fn mark_coroutine(&mut self, id: CoroutineId) {
        let Some(coroutine) = self.coroutines.get_mut(id.0) else {
            return;
        };
        let thread = coroutine.thread.take();
        if let Some(thread) = &thread {
            thread.mark(self);
        }
        if let Some(coroutine) = self.coroutines.get_mut(id.0) {
            coroutine.thread = thread;
        }
    }

    fn mark_other(&mut self, value: Value) {
        match value {
            Value::Native(id) => {
                let upvalues = self
                    .natives
                    .get_mut(id.0)
                    .map(|native| (native.environment, std::mem::take(&mut native.upvalues)));
                let Some((environment, upvalues)) = upvalues else {
                    return;
                };
                if let Some(environment) = environment {
                    self.mark(Value::Table(environment));
                }
                for value in &upvalues {
                    self.mark(*value);
                }
                if let Some(native) = self.natives.get_mut(id.0) {
                    native.upvalues = upvalues;
                }
            }
            Value::Userdata(id) => {
                if let Some(userdata) = self.userdata.get(id.0) {
                    let (metatable, environment) = (userdata.metatable, userdata.environment);
                    for table in [metatable, environment].into_iter().flatten() {
                        self.mark(Value::Table(table));
                    }
                }
            }
            _ => {}
        }
    }

    fn is_dead(&self, value: Value) -> bool {
        match value {
            Value::Nil | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
            Value::Table(id) => self.tables.is_white(id.0),
            Value::Closure(id) => self.closures.is_white(id.0),
            Value::Native(id) => self.natives.is_white(id.0),
            Value::Coroutine(id) => self.coroutines.is_white(id.0),
            Value::Userdata(id) => self.userdata.is_white(id.0),
        }
    }

    fn clear_weak(&mut self) {
        for id in std::mem::take(&mut self.gray.weak) {
            let mut table = std::mem::take(self.table_mut(id));
            let (keys, values) = (table.weak_keys, table.weak_values);
            table.clear_dead(|key, value| {
                (keys && self.is_dead(key.value())) || (values && self.is_dead(value.value()))
            });
            *self.table_mut(id) = table;
        }
    }

    fn sweep(&mut self) {
        self.recent.clear();
        self.bury_keys();
        let mut freed = 0;
        self.tables
            .sweep(|table| freed += size_of::<Table>() + table.heap_bytes());
        self.closures.sweep(|closure| {
            let proto = closure.proto.as_ref();
            freed += closure.bytes() + proto.map_or(0, Proto::released_bytes);
        });
        self.natives.sweep(|native| freed += native.bytes());
        self.coroutines.sweep(|coroutine| {
            freed += size_of::<Coroutine>() + coroutine.thread.map_or(0, |thread| thread.bytes());
        });
        self.userdata.sweep(|_| freed += size_of::<Userdata>());
        self.upvalues.sweep(|_| freed += size_of::<Upvalue>());
        freed += self.sweep_strings();
        self.uncharge(freed);
    }

    /// Keys without a value stay in their tables; those that refer to what is about to go are made to refer to nothing.
    fn bury_keys(&mut self) {
        for id in 0..self.tables.items.len() {
            if self.tables.marks.get(id) != Some(&Mark::Black) {
                continue;
            }
            let mut table = std::mem::take(self.table_mut(TableId(id as u32)));
            table.bury_dead_keys(|key| match key.value() {
                Value::String(text) => self.strings.is_white(text.id),
                key => self.is_dead(key),
            });
            *self.table_mut(TableId(id as u32)) = table;
        }
    }

    fn sweep_strings(&mut self) -> usize {
        let mut freed = 0;
        let (strings, buckets) = (&mut self.strings, &mut self.buckets);
        for bucket in buckets.iter_mut() {
            // The links of a bucket without those that are not marked.
            let (mut link, mut kept) = (*bucket, 0);
            *bucket = 0;
            while link > 0 {
                let id = link - 1;
                let is_kept = !strings.is_white(id);
                let Some(text) = strings.get_mut(id) else {
                    break;
                };
                link = text.next;
                if !is_kept {
                    continue;
                }
                text.next = 0;
                if kept == 0 {
                    *bucket = id + 1;
                } else if let Some(last) = strings.get_mut(kept - 1) {
                    last.next = id + 1;
                }
                kept = id + 1;
            }
        }
        let mut gone = 0;
        self.strings.sweep(|text| {
            freed += text_bytes(text.bytes().len());
            gone += 1;
        });
        self.string_count -= gone;
        freed
    }
}

fn text_bytes(length: usize) -> usize {
    size_of::<Text>() + length + ALLOCATION_BYTES
}

/// The hash by which Redis' Lua places a string in a table: PUC's, but over all bytes.
fn place_hash(bytes: &[u8]) -> u32 {
    let mut hash = bytes.len() as u32;
    for byte in bytes.iter().rev() {
        let mixed = (hash << 5).wrapping_add(hash >> 2);
        hash ^= mixed.wrapping_add(u32::from(*byte));
    }
    hash
}

#[cfg(test)]
mod tests;
