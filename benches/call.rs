//! What one call costs inside the engine, natively: `cargo bench --bench call [rounds]`. For finding where time goes
//! (run it under a profiler); figures for users come from `npm run bench`.

use redstart::engine::{Engine, Kind, Options};
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let rounds: usize = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(2_000_000);
    let mut engine = Engine::new(Options {
        seed: [1, 2],
        now_ms: 1_700_000_000_000,
        ..Options::default()
    });
    let session = engine.connect(Kind::Native3);
    let value = [b'x'; 64];
    let keys: Vec<Vec<u8>> = (0..1000)
        .map(|number| format!("key:{number:06}").into_bytes())
        .collect();
    for key in &keys {
        engine.call(session, &[b"set", key, &value]);
    }
    let row = |engine: &Engine, name: &[u8]| engine.lookup().find(name);
    let (get, set, incr) = (
        row(&engine, b"get"),
        row(&engine, b"set"),
        row(&engine, b"incr"),
    );
    let mut time = |name: &str, call: &mut dyn FnMut(&mut Engine, &[u8])| {
        let start = Instant::now();
        for round in 0..rounds {
            call(&mut engine, &keys[round % keys.len()]);
        }
        println!(
            "{name:6} {:6.1} ns",
            start.elapsed().as_nanos() as f64 / rounds as f64
        );
    };
    time("get", &mut |engine, key| {
        black_box(engine.call_row(session, get, &[b"get", key]));
    });
    time("set", &mut |engine, key| {
        black_box(engine.call_row(session, set, &[b"set", key, &value]));
    });
    time("incr", &mut |engine, _| {
        black_box(engine.call_row(session, incr, &[b"incr", b"counter"]));
    });

    let (hset, hget) = (row(&engine, b"hset"), row(&engine, b"hget"));
    let fields: Vec<Vec<u8>> = (0..1_000_000)
        .map(|number| format!("field:{number:07}").into_bytes())
        .collect();
    for key in &keys {
        let hash = [b"hash:", key.as_slice()].concat();
        for field in &fields[..8] {
            engine.call(session, &[b"hset", &hash, field, &value[..16]]);
        }
    }
    let before = engine.keys().used_bytes();
    for field in &fields {
        engine.call(session, &[b"hset", b"big", field, &value[..16]]);
    }
    println!(
        "{} bytes of a million fields",
        engine.keys().used_bytes() - before
    );
    let hashes: Vec<Vec<u8>> = keys
        .iter()
        .map(|key| [b"hash:", key.as_slice()].concat())
        .collect();
    let mut time = |name: &str, call: &mut dyn FnMut(&mut Engine, usize)| {
        let start = Instant::now();
        for round in 0..rounds {
            call(&mut engine, round);
        }
        println!(
            "{name:10} {:6.1} ns",
            start.elapsed().as_nanos() as f64 / rounds as f64
        );
    };
    time("hget small", &mut |engine, round| {
        let (key, field) = (&hashes[round % hashes.len()], &fields[round % 8]);
        black_box(engine.call_row(session, hget, &[b"hget", key, field]));
    });
    time("hset small", &mut |engine, round| {
        let (key, field) = (&hashes[round % hashes.len()], &fields[round % 8]);
        black_box(engine.call_row(session, hset, &[b"hset", key, field, &value[..16]]));
    });
    let any = |round: usize| &fields[round.wrapping_mul(7919) % fields.len()];
    time("hget big", &mut |engine, round| {
        black_box(engine.call_row(session, hget, &[b"hget", b"big", any(round)]));
    });
    time("hset big", &mut |engine, round| {
        black_box(engine.call_row(session, hset, &[b"hset", b"big", any(round), &value[..16]]));
    });

    lists(&mut engine, session, rounds);
}

/// Calls on lists, and the longest of those that make one of a million elements.
fn lists(engine: &mut Engine, session: u32, rounds: usize) {
    let long = 1_000_000;
    let texts: Vec<Vec<u8>> = (0..long)
        .map(|number| format!("element:{number:08}").into_bytes())
        .collect();
    let row = |engine: &Engine, name: &str| engine.lookup().find(name.as_bytes());
    let before = engine.keys().used_bytes();
    let mut worst = 0;
    for text in &texts {
        let start = Instant::now();
        engine.call(session, &[b"rpush", b"long", text]);
        worst = worst.max(start.elapsed().as_nanos());
    }
    let bytes = engine.keys().used_bytes() - before;
    println!("{bytes} bytes of a million elements, longest RPUSH {worst} ns");
    let indexes: Vec<Vec<u8>> = (0..1000)
        .map(|round| (round * 7_919_317 % long).to_string().into_bytes())
        .collect();
    let mut time = |name: &str, words: &dyn Fn(usize) -> Vec<Vec<u8>>| {
        let calls: Vec<Vec<Vec<u8>>> = (0..1000).map(words).collect();
        let calls: Vec<Vec<&[u8]>> = calls
            .iter()
            .map(|call| call.iter().map(Vec::as_slice).collect())
            .collect();
        let number = row(engine, name);
        let (start, mut worst) = (Instant::now(), 0);
        for round in 0..rounds {
            let from = Instant::now();
            black_box(engine.call_row(session, number, &calls[round % calls.len()]));
            worst = worst.max(from.elapsed().as_nanos());
        }
        let mean = start.elapsed().as_nanos() as f64 / rounds as f64;
        println!("{name:10} {mean:6.1} ns, longest {worst} ns");
    };
    let words = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>();
    time("lindex", &|at| words(&[b"lindex", b"long", &indexes[at]]));
    time("lset", &|at| {
        words(&[b"lset", b"long", &indexes[at], b"another element"])
    });
    time("lpush", &|at| words(&[b"lpush", b"long", &texts[at]]));
    time("rpop", &|_| words(&[b"rpop", b"long"]));
    time("lpop", &|_| words(&[b"lpop", b"long"]));
    time("rpush", &|at| words(&[b"rpush", b"small", &texts[at]]));
    time("rpop", &|_| words(&[b"rpop", b"small"]));
    time("lmove", &|_| {
        words(&[b"lmove", b"long", b"long", b"left", b"right"])
    });
    time("lrange", &|_| words(&[b"lrange", b"long", b"0", b"99"]));
}
