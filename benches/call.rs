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
}
