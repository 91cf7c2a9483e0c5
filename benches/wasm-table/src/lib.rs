//! The engine's table against a plain hash map, both inside one wasm instance; `run.mjs` drives and prints.
//!
//! Keys are `key:` and eight digits, values 16 bytes. Both sides hash with the engine's keyed hash, so that only the
//! data layout differs.

use std::cell::RefCell;
use std::hash::{BuildHasher, Hasher};

use hashbrown::HashMap;
use redstart::algorithms::hash::HashSeed;
use redstart::structures::table::{Content, Payload, Shape, Table};

const KEY_BYTES: usize = 12;
const VALUE: [u8; 1024] = [b'x'; 1024];
const FAR_MS: i64 = 1 << 45;

/// The key of a number, without formatting machinery.
fn key(number: u32) -> [u8; KEY_BYTES] {
    let mut key = *b"key:00000000";
    let mut rest = number;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

struct Random(u32);

impl Random {
    fn word(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }

    fn below(&mut self, limit: u32) -> u32 {
        ((u64::from(self.word()) * u64::from(limit)) >> 32) as u32
    }
}

#[derive(Clone, Copy)]
struct Build(&'static HashSeed);

struct Keyed(&'static HashSeed, u64);

impl Hasher for Keyed {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.1 = self.0.hash(bytes);
    }
    fn write_usize(&mut self, _: usize) {}
    fn write_u8(&mut self, _: u8) {}
    fn finish(&self) -> u64 {
        self.1
    }
}

impl BuildHasher for Build {
    type Hasher = Keyed;
    #[inline]
    fn build_hasher(&self) -> Keyed {
        Keyed(self.0, 0)
    }
}

trait Map {
    fn set(&mut self, key: &[u8], value: &[u8], expiry_ms: Option<i64>);
    fn get(&self, key: &[u8]) -> Option<&[u8]>;
    fn remove(&mut self, key: &[u8]) -> bool;
    /// What the map says it holds, in bytes; 0 if it cannot say.
    fn memory_bytes(&self) -> usize;
}

/// Entries as those of keys.
struct Whole;

impl Shape for Whole {
    const HAS_CLOCK: bool = true;
}

struct Own(Table<Whole>);

impl Map for Own {
    #[inline]
    fn set(&mut self, key: &[u8], value: &[u8], expiry_ms: Option<i64>) {
        self.0.insert(key, 1, Content::Inline(value), expiry_ms);
    }
    #[inline]
    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        match self.0.find(key)?.payload() {
            Payload::Inline(bytes) => Some(bytes),
            _ => None,
        }
    }
    fn remove(&mut self, key: &[u8]) -> bool {
        self.0.remove(key).is_some()
    }
    fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}

/// Values and expiries in two maps, as the obvious program has them.
struct Plain(
    HashMap<Box<[u8]>, Vec<u8>, Build>,
    HashMap<Box<[u8]>, i64, Build>,
);

impl Map for Plain {
    #[inline]
    fn set(&mut self, key: &[u8], value: &[u8], expiry_ms: Option<i64>) {
        if let Some(old) = self.0.get_mut(key) {
            old.clear();
            old.extend_from_slice(value);
        } else {
            self.0.insert(key.into(), value.to_vec());
        }
        if let Some(expiry_ms) = expiry_ms {
            self.1.insert(key.into(), expiry_ms);
        }
    }
    #[inline]
    fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.0.get(key).map(Vec::as_slice)
    }
    fn remove(&mut self, key: &[u8]) -> bool {
        self.1.remove(key);
        self.0.remove(key).is_some()
    }
    fn memory_bytes(&self) -> usize {
        0
    }
}

/// The measurements, the same for every map.
trait Run {
    /// Adds the keys `from..to`.
    fn fill(&mut self, from: u32, to: u32, value_bytes: usize, volatile: bool);
    /// Reads random keys; returns a checksum.
    fn get(&self, times: u32, keys: u32) -> u32;
    /// Overwrites random keys with values of the same size.
    fn set(&mut self, times: u32, keys: u32, value_bytes: usize);
    /// Removes random keys and adds them again with values of 8 to 8 + `spread` bytes.
    fn churn(&mut self, times: u32, keys: u32, spread: u32);
    /// Removes the keys `from..to`.
    fn drain(&mut self, from: u32, to: u32);
    fn held(&self) -> usize;
}

impl<M: Map> Run for M {
    fn fill(&mut self, from: u32, to: u32, value_bytes: usize, volatile: bool) {
        for number in from..to {
            let expiry_ms = volatile.then_some(FAR_MS + i64::from(number));
            Map::set(self, &key(number), &VALUE[..value_bytes], expiry_ms);
        }
    }

    fn get(&self, times: u32, keys: u32) -> u32 {
        let mut random = Random(12_345);
        let mut sum = 0;
        for _ in 0..times {
            if let Some(value) = Map::get(self, &key(random.below(keys))) {
                sum += value.last().copied().map_or(0, u32::from);
            }
        }
        sum
    }

    fn set(&mut self, times: u32, keys: u32, value_bytes: usize) {
        let mut random = Random(999);
        for _ in 0..times {
            Map::set(self, &key(random.below(keys)), &VALUE[..value_bytes], None);
        }
    }

    fn churn(&mut self, times: u32, keys: u32, spread: u32) {
        let mut random = Random(99);
        for _ in 0..times {
            let value_bytes = 8 + random.below(spread) as usize;
            let key = key(random.below(keys));
            self.remove(&key);
            Map::set(self, &key, &VALUE[..value_bytes], None);
        }
    }

    fn drain(&mut self, from: u32, to: u32) {
        for number in from..to {
            self.remove(&key(number));
        }
    }

    fn held(&self) -> usize {
        self.memory_bytes()
    }
}

thread_local! {
    static MAP: RefCell<Option<Box<dyn Run>>> = const { RefCell::new(None) };
}

fn with<R>(default: R, work: impl FnOnce(&mut dyn Run) -> R) -> R {
    MAP.with_borrow_mut(|map| match map {
        Some(map) => work(map.as_mut()),
        None => default,
    })
}

/// Starts with an empty map: 0 is the engine's table, 1 the plain hash map.
#[unsafe(no_mangle)]
pub extern "C" fn open(which: u32) {
    let seed = HashSeed::new(0x1234_5678_9abc_def0, 0x0fed_cba9_8765_4321);
    let map: Box<dyn Run> = if which == 0 {
        Box::new(Own(Table::new(seed)))
    } else {
        let build = Build(Box::leak(Box::new(seed)));
        Box::new(Plain(
            HashMap::with_hasher(build),
            HashMap::with_hasher(build),
        ))
    };
    MAP.set(Some(map));
}

#[unsafe(no_mangle)]
pub extern "C" fn fill(from: u32, to: u32, value_bytes: usize, volatile: u32) {
    with((), |map| map.fill(from, to, value_bytes, volatile != 0));
}

#[unsafe(no_mangle)]
pub extern "C" fn get(times: u32, keys: u32) -> u32 {
    with(0, |map| map.get(times, keys))
}

#[unsafe(no_mangle)]
pub extern "C" fn set(times: u32, keys: u32, value_bytes: usize) {
    with((), |map| map.set(times, keys, value_bytes));
}

#[unsafe(no_mangle)]
pub extern "C" fn churn(times: u32, keys: u32, spread: u32) {
    with((), |map| map.churn(times, keys, spread));
}

#[unsafe(no_mangle)]
pub extern "C" fn drain(from: u32, to: u32) {
    with((), |map| map.drain(from, to));
}

/// Bytes the map says it holds; 0 if it cannot say.
#[unsafe(no_mangle)]
pub extern "C" fn held() -> usize {
    with(0, |map| map.held())
}
