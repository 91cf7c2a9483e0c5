//! Damaged files and payloads: a clear error or the same data; never a panic, never a hang, never more memory than the file
//! is worth.
#![cfg(not(target_arch = "wasm32"))] // The module has an allocator of its own there.

#[allow(dead_code)] // Reading cases serves the transcripts.
#[path = "spec/file.rs"]
mod file;
#[allow(dead_code)] // What they hold is asked in tests/rdb.rs.
#[path = "rdb/forms.rs"]
mod forms;
#[allow(dead_code)]
#[path = "rdb/listing.rs"]
mod listing;
#[allow(dead_code)] // Printing and matching serve the transcripts.
#[path = "spec/value.rs"]
mod value;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use listing::Client;
use redstart::algorithms::crc64::crc64;
use redstart::algorithms::rng::Rng;
use redstart::engine::Modules;
use redstart::formats::dump;
use value::Value;

/// The system's allocator; it knows how much was out at most.
struct Counting;

thread_local! {
    static HELD_BYTES: Cell<usize> = const { Cell::new(0) };
    static MOST_BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD_BYTES.get() + layout.size();
        HELD_BYTES.set(held);
        MOST_BYTES.set(MOST_BYTES.get().max(held));
        // SAFETY: the caller's promises are the system allocator's conditions.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        HELD_BYTES.set(HELD_BYTES.get().saturating_sub(layout.size()));
        // SAFETY: the block came from `alloc` above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a load of so many bytes may take at most: an engine, and what a compressed file can grow to.
fn bound(file_bytes: usize) -> usize {
    (8 << 20) + file_bytes * 1000
}

const CHECKSUM_BYTES: usize = 8;

/// A file that is small, and whether a checksum guards it.
struct Small {
    name: String,
    file: Vec<u8>,
    is_guarded: bool,
}

/// Files of every form, and one of the engine for each group of types.
fn small_files() -> Vec<Small> {
    let forms = forms::all().into_iter();
    let mut found: Vec<Small> = forms
        .map(|form| Small {
            name: form.name.to_owned(),
            is_guarded: form.file[5..9] >= b"0005"[..],
            file: form.file,
        })
        .collect();
    let groups: [(&str, &[&str]); 6] = [
        (
            "strings",
            &[
                "SET a 12345",
                "SET b text",
                "SETEX c 100 yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
            ],
        ),
        (
            "lists",
            &[
                "RPUSH a 1 b 300 text",
                "CONFIG SET list-max-listpack-size 2",
                "RPUSH b 1 2 3 x y",
            ],
        ),
        (
            "sets",
            &[
                "SADD a 1 2 70000",
                "SADD b x y 5",
                "CONFIG SET set-max-listpack-entries 1",
                "SADD c x y z",
            ],
        ),
        (
            "hashes",
            &[
                "HSET a f v g 7",
                "HSETEX b EX 100 FIELDS 1 f v",
                "CONFIG SET hash-max-listpack-entries 1",
                "HSET c f v g w",
                "HSETEX d EX 100 FIELDS 2 f v g w",
            ],
        ),
        (
            "sorted sets",
            &[
                "ZADD a 1 x 2.5 y inf z",
                "CONFIG SET zset-max-listpack-entries 1",
                "ZADD b 1 x 2.5 y -inf z",
            ],
        ),
        (
            "streams",
            &[
                "XADD a 1-1 f v g w",
                "XADD a 2-1 f v g w",
                "XADD a 3-1 h x",
                "XDEL a 2-1",
                "XGROUP CREATE a g 0",
                "XREADGROUP GROUP g c COUNT 1 STREAMS a >",
            ],
        ),
    ];
    for (name, commands) in groups {
        let mut client = Client::new();
        for command in commands {
            let args = file::split_arguments(command).expect("a command");
            let reply = client.send(&args);
            assert!(!is_error(&reply), "{command}: {reply:?}");
        }
        found.push(Small {
            name: name.to_owned(),
            file: client.save(),
            is_guarded: true,
        });
    }
    found
}

fn is_error(value: &Value) -> bool {
    matches!(value, Value::Leaf { kind: "-", .. })
}

/// What is in a data set: a payload of DUMP for each key.
fn contents(client: &mut Client) -> BTreeMap<Vec<u8>, Value> {
    let Value::Items { items, .. } = client.ask(&[b"KEYS", b"*"]) else {
        panic!("KEYS answers")
    };
    let keys = items.into_iter().filter_map(|item| match item {
        Value::Leaf { text, .. } => Some(text),
        _ => None,
    });
    keys.map(|key| {
        let payload = client.ask(&[b"DUMP", &key]);
        (key, payload)
    })
    .collect()
}

/// Loads a file, all of it at once or in pieces; what is refused changes nothing, what is taken is sound.
fn load(client: &mut Client, file: &[u8], piece: usize) -> Result<(), String> {
    client.ask(&[b"SET", b"there before", b"x"]);
    let before = HELD_BYTES.get();
    MOST_BYTES.set(before);
    let loaded = client.load(file, piece, Modules::Skip);
    let taken = MOST_BYTES.get() - before;
    assert!(
        taken < bound(file.len()),
        "{taken} bytes for {} of a file",
        file.len()
    );
    client.check();
    if let Err(message) = &loaded {
        let there = client.ask(&[b"GET", b"there before"]);
        assert!(matches!(there, Value::Leaf { kind: "$", .. }), "{message}");
    }
    loaded
}

/// The checksum at the end made right again.
fn reseal(file: &mut Vec<u8>) {
    let Some(end) = file.len().checked_sub(CHECKSUM_BYTES) else {
        return;
    };
    let checksum = crc64(0, &file[..end]).to_le_bytes();
    file.truncate(end);
    file.extend(checksum);
}

/// Everything that is done to one byte.
fn spoilt(byte: u8) -> impl Iterator<Item = u8> {
    let bits = (0..8).map(move |bit| byte ^ 1 << bit);
    bits.chain([!byte, 0, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xfe])
        .filter(move |other| *other != byte)
}

#[test]
fn a_changed_byte_is_noticed_or_changes_nothing() {
    for Small {
        name,
        file,
        is_guarded,
    } in small_files()
    {
        let client = &mut Client::new();
        load(client, &file, usize::MAX).expect("a whole file");
        let whole = contents(client);
        for at in 0..file.len() {
            for byte in [file[at] ^ 1, !file[at]] {
                let mut damaged = file.clone();
                damaged[at] = byte;
                match load(client, &damaged, 1 + at % 50) {
                    Err(message) => assert!(message.starts_with("ERR "), "{message}"),
                    Ok(()) if is_guarded => {
                        assert_eq!(contents(client), whole, "{name}: byte {at} is {byte}");
                    }
                    Ok(()) => {}
                }
            }
        }
    }
}

#[test]
fn a_changed_byte_under_a_right_checksum_harms_nobody() {
    for Small {
        file, is_guarded, ..
    } in small_files()
    {
        let client = &mut Client::new();
        let end = file.len() - if is_guarded { CHECKSUM_BYTES } else { 0 };
        for at in 0..end {
            for byte in spoilt(file[at]) {
                let mut damaged = file.clone();
                damaged[at] = byte;
                if is_guarded {
                    reseal(&mut damaged);
                }
                if load(client, &damaged, usize::MAX).is_ok() {
                    let saved = client.save();
                    let again = load(client, &saved, usize::MAX);
                    assert_eq!(again, Ok(()), "an own file is refused");
                }
            }
        }
    }
}

#[test]
fn inserted_and_lost_bytes_harm_nobody() {
    for Small {
        file, is_guarded, ..
    } in small_files()
    {
        let client = &mut Client::new();
        for at in 0..file.len() {
            for bytes in [
                &b""[..],
                b"\0",
                b"\xff",
                b"\x81\xff\xff\xff\xff\xff\xff\xff\xff",
                b"\x80\xff\xff\xff\xff",
            ] {
                let lost = usize::from(bytes.is_empty());
                let mut damaged = [&file[..at], bytes, &file[at + lost..]].concat();
                if is_guarded {
                    assert!(
                        load(client, &damaged, usize::MAX).is_err(),
                        "a file of another length"
                    );
                    reseal(&mut damaged);
                }
                let _ = load(client, &damaged, 1 + at % 50);
            }
        }
    }
}

#[test]
fn a_shorter_file_is_truncated() {
    for Small { name, file, .. } in small_files() {
        let client = &mut Client::new();
        for length in 0..file.len() {
            let message = load(client, &file[..length], 1 + length % 50).err();
            let message = message.unwrap_or_else(|| panic!("{name}: {length} bytes are enough"));
            assert!(message.contains("is truncated"), "{name}: {message}");
        }
        let mut longer = file;
        longer.push(0xff);
        let message = load(client, &longer, usize::MAX).expect_err("something behind the end");
        assert!(message.contains("behind the end"), "{message}");
    }
}

/// Lengths that are far from the truth, before everything that has one.
#[test]
fn no_length_is_believed() {
    let far = [
        &b"\x80\xff\xff\xff\xff"[..],
        b"\x80\x7f\xff\xff\xff",
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x81\x00\x00\x00\x01\x00\x00\x00\x00",
        b"\x81\x80\x00\x00\x00\x00\x00\x00\x00",
    ];
    let client = &mut Client::new();
    let kinds = (0..=34).chain([208, 222]);
    for kind in kinds {
        for length in far {
            for before in [
                &b""[..],
                b"\x01",
                b"\x02\x01a",
                b"\xc3\x05",
                b"\xc3",
                b"\0\0\0\0\0\0\0\0",
            ] {
                let body = [&[kind][..], b"\x01k", before, length, &[b'a'; 40]].concat();
                let _ = load(
                    client,
                    &forms::file(&[b"\xfe\0", &body[..]].concat()),
                    usize::MAX,
                );
                let mut payload = [&[kind][..], before, length, &[b'a'; 40]].concat();
                dump::write_footer(&mut payload, 0);
                restore(client, &payload);
            }
        }
    }
    for opcode in 240..=255u8 {
        for length in far {
            let _ = load(
                client,
                &forms::file(&[&[opcode], length, &[1; 40]].concat()),
                usize::MAX,
            );
        }
    }
}

/// RESTORE of anything: refused, or a sound value.
fn restore(client: &mut Client, payload: &[u8]) {
    let before = HELD_BYTES.get();
    MOST_BYTES.set(before);
    client.ask(&[b"RESTORE", b"k", b"0", payload, b"REPLACE"]);
    let taken = MOST_BYTES.get() - before;
    assert!(
        taken < bound(payload.len()),
        "{taken} bytes for a payload of {}",
        payload.len()
    );
    client.check();
}

/// `REDSTART_SEED` gives the seed, `REDSTART_RUNS` how many inputs of each file.
#[test]
fn files_of_real_servers_with_random_damage_harm_nobody() {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let seed = number("REDSTART_SEED").unwrap_or(1);
    let runs = number("REDSTART_RUNS").unwrap_or(25);
    println!("REDSTART_SEED={seed}");
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rdb");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .expect("the files are there")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|kind| kind == "rdb"))
        .collect();
    names.sort();
    for path in names {
        let file = std::fs::read(&path).expect("a file");
        let mut rng = Rng::new([seed, 7]);
        let client = &mut Client::new();
        for _ in 0..runs {
            let mut damaged = file.clone();
            for _ in 0..1 + rng.below(3) {
                let at = rng.below(damaged.len() as u64) as usize;
                match rng.below(4) {
                    0 => damaged.insert(at, rng.next_u32() as u8),
                    1 => drop(damaged.remove(at)),
                    2 => damaged[at] ^= 1 << rng.below(8),
                    _ => damaged[at] = rng.next_u32() as u8,
                }
            }
            assert!(load(client, &damaged, 4000).is_err() || damaged.ends_with(&[0; 8]));
            reseal(&mut damaged);
            let _ = load(client, &damaged, 4000);
        }
    }
}
