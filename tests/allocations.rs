//! The commands that everything waits for ask the allocator for nothing once the engine is warm.
#![cfg(not(target_arch = "wasm32"))] // The module has an allocator of its own there.

#[allow(dead_code)] // Only what makes payloads serves here.
#[path = "fuzz/payloads.rs"]
mod payloads;
#[allow(dead_code)]
#[path = "fuzz/streams.rs"]
mod streams;
#[allow(dead_code)]
#[path = "spec/value.rs"]
mod value;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use redstart::algorithms::hash::HashSeed;
use redstart::algorithms::rng::Rng;
use redstart::engine::{Engine, Kind, Options};
use redstart::formats::dump;
use redstart::values::Limits;

/// The system's allocator, counting.
struct Counting;

thread_local! {
    /// Of this thread: tests run side by side.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static ALLOCATED_BYTES: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        ALLOCATED_BYTES.set(ALLOCATED_BYTES.get() + layout.size() as u64);
        // SAFETY: the caller's promises are the system allocator's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block came from `alloc` above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

const KEYS: usize = 2000;
const ROUNDS: usize = 3;

/// Allocations of `ROUNDS` rounds of these commands over all keys, after one round to warm up.
fn allocations(commands: &[&[&str]]) -> u64 {
    let mut engine = Engine::new(Options {
        seed: [1, 2],
        now_ms: 1_700_000_000_000,
        ..Options::default()
    });
    let client = engine.connect(Kind::Native3);
    let keys: Vec<String> = (0..KEYS).map(|number| format!("key:{number}")).collect();
    let mut round = || {
        for key in &keys {
            for command in commands {
                let mut args: [&[u8]; 6] = [&[]; 6];
                for (arg, word) in args.iter_mut().zip(*command) {
                    *arg = if *word == "KEY" {
                        key.as_bytes()
                    } else {
                        word.as_bytes()
                    };
                }
                engine.call(client, &args[..command.len()]);
            }
        }
    };
    round();
    let before = ALLOCATIONS.get();
    (0..ROUNDS).for_each(|_| round());
    ALLOCATIONS.get() - before
}

#[test]
fn hot_commands_allocate_nothing() {
    let value = "x".repeat(64);
    let cases: [&[&[&str]]; 14] = [
        &[
            &["SADD", "KEY", "member", "12"],
            &["SADD", "KEY", "other"],
            &["SISMEMBER", "KEY", "12"],
            &["SMEMBERS", "KEY"],
            &["SRANDMEMBER", "KEY"],
            &["SREM", "KEY", "member", "12"],
        ],
        &[&["SADD", "KEY", "7", "70000"], &["SPOP", "KEY"]],
        &[
            &["HSET", "KEY", "field", &value],
            &["HSET", "KEY", "other", "12"],
            &["HGET", "KEY", "field"],
            &["HMGET", "KEY", "field", "other", "none"],
            &["HINCRBY", "KEY", "other", "1"],
            &["HEXISTS", "KEY", "other"],
            &["HSETNX", "KEY", "other", "1"],
            &["HLEN", "KEY"],
            &["HGETALL", "KEY"],
            &["HDEL", "KEY", "field"],
        ],
        &[&["SET", "KEY", &value], &["GET", "KEY"]],
        &[
            &["SET", "KEY", "12345"],
            &["GET", "KEY"],
            &["STRLEN", "KEY"],
        ],
        &[
            &["GET", "KEY"],
            &["EXISTS", "KEY"],
            &["TTL", "KEY"],
            &["TYPE", "KEY"],
        ],
        &[&["INCR", "KEY"], &["DECR", "KEY"], &["INCRBY", "KEY", "7"]],
        &[&["SETNX", "KEY", "v"], &["SETNX", "KEY", "v"]],
        &[
            &["SET", "KEY", "v"],
            &["EXPIRE", "KEY", "100"],
            &["TTL", "KEY"],
            &["PERSIST", "KEY"],
        ],
        &[
            &["SETEX", "KEY", "100", &value],
            &["GET", "KEY"],
            &["EXISTS", "KEY"],
        ],
        &[
            &["SET", "KEY", &value],
            &["GETRANGE", "KEY", "3", "9"],
            &["GETDEL", "KEY"],
        ],
        &[
            &["SET", "KEY", &value, "XX", "EX", "100"],
            &["SET", "KEY", &value, "KEEPTTL"],
            &["GETEX", "KEY", "PX", "5000"],
        ],
        &[
            &["SET", "KEY", "v"],
            &["APPEND", "KEY", &value],
            &["SETRANGE", "KEY", "5", "inside"],
            &["SETRANGE", "KEY", "100", "at the end"],
        ],
        &[&["MSET", "KEY", "v"], &["MGET", "KEY"], &["TOUCH", "KEY"]],
    ];
    for commands in cases {
        assert_eq!(allocations(commands), 0, "{commands:?}");
    }
}

#[test]
fn hot_commands_of_lists_allocate_nothing() {
    let commands: [&[&str]; 9] = [
        &["RPUSH", "KEY", "a", "12"],
        &["LPUSH", "KEY", "b"],
        &["LINDEX", "KEY", "-1"],
        &["LRANGE", "KEY", "0", "-1"],
        &["LSET", "KEY", "0", "c"],
        &["LINSERT", "KEY", "AFTER", "a", "d"],
        &["LREM", "KEY", "0", "d"],
        &["LPOP", "KEY"],
        &["RPOP", "KEY", "2"],
    ];
    assert_eq!(allocations(&commands), 0);
}

#[test]
fn hot_commands_of_sorted_sets_allocate_nothing() {
    let commands: [&[&str]; 6] = [
        &["ZADD", "KEY", "1", "member"],
        &["ZADD", "KEY", "2", "other"],
        &["ZINCRBY", "KEY", "5", "member"],
        &["ZSCORE", "KEY", "member"],
        &["ZRANK", "KEY", "other"],
        &["ZRANGE", "KEY", "0", "-1", "WITHSCORES"],
    ];
    assert_eq!(allocations(&commands), 0);
}

#[test]
fn deleting_and_setting_again_allocates_next_to_nothing() {
    // Segments of the table that empty are merged and split again.
    let cases: [&[&[&str]]; 2] = [
        &[&["SET", "KEY", "value"], &["DEL", "KEY"]],
        &[&["HSET", "KEY", "f", "value"], &["HDEL", "KEY", "f"]],
    ];
    for commands in cases {
        let count = allocations(commands);
        assert!(
            count <= (KEYS * ROUNDS / 100) as u64,
            "{count} allocations, {commands:?}"
        );
    }
}

#[test]
fn a_payload_allocates_in_proportion_to_its_length() {
    // Compressed text grows by 88 at most; everything is copied once or twice on its way into a structure.
    const FACTOR: u64 = 500;
    const FREE_BYTES: u64 = 100_000;
    let limits = Limits::new(HashSeed::new(1, 2));
    let mut most = 0;
    for seed in 0..3000 {
        let mut rng = Rng::new([seed, 0]);
        let mut data = vec![0; 300];
        rng.fill(&mut data);
        let mut source = streams::Source::new(&data);
        let object = payloads::object(&mut source);
        let payload = payloads::damaged(&mut source, object);
        let before = ALLOCATED_BYTES.get();
        let loaded = dump::read(&payload, &limits);
        let bytes = ALLOCATED_BYTES.get() - before;
        drop(loaded);
        most = most.max(bytes);
        let limit = FREE_BYTES + FACTOR * payload.len() as u64;
        assert!(
            bytes <= limit,
            "{bytes} bytes for a payload of {}: {}",
            payload.len(),
            value::quote(&payload)
        );
    }
    assert!(most > 0, "nothing was read");
}
