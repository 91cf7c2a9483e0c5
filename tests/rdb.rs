//! Files and payloads that real servers of all ages wrote (`tests/data/rdb`), and forms that none of them writes any more.

#[allow(dead_code)] // Reading cases serves the transcripts.
#[path = "spec/file.rs"]
mod file;
#[path = "rdb/forms.rs"]
mod forms;
#[path = "rdb/listing.rs"]
mod listing;
#[allow(dead_code)] // Printing and matching serve the transcripts.
#[path = "spec/value.rs"]
mod value;

use std::fs;
use std::path::PathBuf;

use listing::Client;
use redstart::engine::Modules;
use redstart::formats::snapshot::{Item, Reader, Usage};
use value::Value;

/// The files of one server.
struct Recorded {
    name: String,
    file: Vec<u8>,
    listing: String,
    dumps: Vec<(Vec<u8>, Vec<u8>)>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/rdb")
}

/// All of them, by name; those with data of modules apart.
fn recorded(has_modules: bool) -> Vec<Recorded> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("the files are there")
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            Some(name.strip_suffix(".rdb")?.to_owned())
        })
        .filter(|name| name.ends_with("-modules") == has_modules)
        .collect();
    names.sort();
    let read = |name: &str, kind: &str| fs::read(folder().join(format!("{name}.{kind}")));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("records are text");
    names
        .into_iter()
        .map(|name| Recorded {
            file: read(&name, "rdb").expect("a file"),
            listing: text(read(&name, "txt").expect("what it holds")),
            dumps: dumps(&text(read(&name, "dump").unwrap_or_default())),
            name,
        })
        .collect()
}

fn dumps(text: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    text.lines()
        .map(|line| {
            let (key, payload) = line.rsplit_once(' ').expect("a key and a payload");
            let key = file::split_arguments(key).expect("a key").remove(0);
            (key, base64(payload))
        })
        .collect()
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => u32::from(byte - b'A'),
        b'a'..=b'z' => u32::from(byte - b'a') + 26,
        b'0'..=b'9' => u32::from(byte - b'0') + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'=').collect();
    digits
        .chunks(4)
        .flat_map(|four| {
            let bits = four.iter().fold(0, |bits, byte| bits << 6 | digit(*byte));
            let bits = bits << (6 * (4 - four.len()));
            bits.to_be_bytes()[1..four.len()].to_vec()
        })
        .collect()
}

fn ok() -> Value {
    Value::Leaf {
        kind: "+",
        text: b"OK".to_vec(),
    }
}

#[test]
fn files_of_every_age_hold_what_their_servers_said() {
    let all = recorded(false);
    assert!(all.len() >= 10);
    for recorded in all {
        println!("{}", recorded.name);
        for piece in [97, usize::MAX] {
            let mut client = Client::new();
            client
                .load(&recorded.file, piece, Modules::Refuse)
                .expect("a whole file");
            client.check();
            let done = client.engine.last_load();
            assert_eq!((done.expired, done.skipped), (1, 0));
            let listing = after_expiry(&recorded.listing);
            client.compare(&listing);
            // Saved and loaded again.
            let saved = client.save();
            let mut other = Client::new();
            other
                .load(&saved, usize::MAX, Modules::Refuse)
                .expect("an own file loads");
            other.check();
            other.compare(&listing);
            let digest: [&[u8]; 2] = [b"DEBUG", b"DIGEST"];
            assert_eq!(client.ask(&digest), other.ask(&digest));
        }
    }
}

/// What was recorded, as it is once the key `soon` has expired.
fn after_expiry(listing: &str) -> String {
    let mut lines = Vec::new();
    let mut is_first = true;
    for line in listing.lines() {
        match line.strip_prefix("DBSIZE => :") {
            Some(count) if is_first => {
                is_first = false;
                let count: u64 = count.parse().expect("a number of keys");
                lines.push(format!("DBSIZE => :{}", count - 1));
            }
            _ if line.starts_with("TYPE soon ") => lines.push("TYPE soon => none".to_owned()),
            _ if line.starts_with("PEXPIRETIME \"soon\"") => {}
            _ if line.starts_with("GET soon ") => lines.push("GET soon => nil".to_owned()),
            _ => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

#[test]
fn payloads_of_every_age_are_restored() {
    for recorded in recorded(false) {
        println!("{}", recorded.name);
        let mut client = Client::new();
        client
            .load(&recorded.file, usize::MAX, Modules::Refuse)
            .expect("a whole file");
        for (key, payload) in &recorded.dumps {
            // The same key may be in several databases; the last one is what counts.
            let restored = client.ask(&[b"RESTORE", b"restored", b"0", payload, b"REPLACE"]);
            assert_eq!(restored, ok(), "{}", String::from_utf8_lossy(key));
            client.check();
            if key == b"k" || key == b"l" || key == b"soon" {
                continue;
            }
            client.ask(&[b"PERSIST", key]);
            let digests = client.ask(&[b"DEBUG", b"DIGEST-VALUE", key, b"restored"]);
            let Value::Items { items, .. } = digests else {
                panic!("DEBUG is allowed")
            };
            assert_eq!(items[0], items[1], "{}", String::from_utf8_lossy(key));
        }
    }
}

#[test]
fn how_keys_were_used_is_read() {
    let mut found = Vec::new();
    for recorded in recorded(false) {
        let mut client = Client::new();
        let limits = client.engine.keys().limits.clone();
        let mut reader = Reader::new(limits, Modules::Refuse);
        let fed = reader.feed(&recorded.file, |item| {
            if let Item::Entry {
                key, attributes, ..
            } = item
                && *key == *b"used"
            {
                found.push((recorded.name.clone(), attributes.usage));
            }
            Ok(())
        });
        fed.expect("a whole file");
        let is_counted = matches!(found.last(), Some((_, Some(Usage::Frequency(_)))));
        client.ask(&[
            b"CONFIG",
            b"SET",
            b"maxmemory-policy",
            if is_counted {
                b"allkeys-lfu"
            } else {
                b"allkeys-lru"
            },
        ]);
        client
            .load(&recorded.file, usize::MAX, Modules::Refuse)
            .expect("a whole file");
        let (question, least, most): (&[u8], i64, i64) = match found.last() {
            Some((_, Some(Usage::Frequency(_)))) => (b"FREQ", 190, 200),
            Some((_, Some(Usage::IdleSeconds(_)))) => (b"IDLETIME", 1000, 1010),
            _ => continue,
        };
        let Value::Leaf { kind: ":", text } = client.ask(&[b"OBJECT", question, b"used"]) else {
            panic!("it is told how a key was used")
        };
        let told: i64 = String::from_utf8_lossy(&text).parse().expect("a number");
        assert!((least..=most).contains(&told), "{} {told}", recorded.name);
    }
    let counted = |usage: &Option<Usage>| matches!(usage, Some(Usage::Frequency(190..=200)));
    let idle = |usage: &Option<Usage>| matches!(usage, Some(Usage::IdleSeconds(1000..=1010)));
    assert!(found.iter().any(|(_, usage)| counted(usage)));
    assert!(found.iter().any(|(_, usage)| idle(usage)));
    assert!(found.iter().all(|(_, usage)| counted(usage) || idle(usage)));
}

#[test]
fn data_of_modules_is_named_or_skipped() {
    let all = recorded(true);
    assert!(!all.is_empty());
    for recorded in all {
        let mut client = Client::new();
        client.ask(&[b"SET", b"before", b"x"]);
        let refused = client.load(&recorded.file, 100, Modules::Refuse);
        let message = refused.expect_err("there are modules in it");
        assert!(
            message.contains("data of the module with the type "),
            "{message}"
        );
        assert_eq!(client.ask(&[b"EXISTS", b"before"]), int(1));
        for piece in [1, 100] {
            client
                .load(&recorded.file, piece, Modules::Skip)
                .expect("the rest is whole");
            client.compare(&recorded.listing);
            let done = client.engine.last_load();
            assert!(done.skipped > 4, "{done:?}");
            assert_eq!((done.keys, done.expired), (2, 0));
        }
    }
}

fn int(number: i64) -> Value {
    Value::Leaf {
        kind: ":",
        text: number.to_string().into_bytes(),
    }
}

#[test]
fn forms_that_no_server_at_hand_writes_are_read() {
    for form in forms::all() {
        println!("{}", form.name);
        for piece in [1, usize::MAX] {
            let mut client = Client::new();
            client
                .load(&form.file, piece, Modules::Refuse)
                .expect("a whole file");
            client.check();
            client.compare(&form.listing);
            let saved = client.save();
            let mut other = Client::new();
            other
                .load(&saved, usize::MAX, Modules::Refuse)
                .expect("an own file loads");
            other.check();
            other.compare(&form.listing);
        }
    }
}

#[test]
fn what_cannot_be_loaded_is_named() {
    let json = b"\x81\x46\x10\x57\x5a\x9c\x14\xbe\x57"; // no module's id
    let module = |kind: u8| [&[0xfe, 0, kind, 3], &b"k\"\xff"[..], json, b"\0"].concat();
    let aux = [b"\xf7", &json[..], b"\x02\x02\x05\x01x\0"].concat();
    let cases: [(&[u8], &str); 12] = [
        (&module(6), "a value of the module type "),
        (
            &module(7),
            "which cannot be loaded, key \"k\\\"\\xff\", at byte 11",
        ),
        (&aux, "data of the module with the type "),
        (
            b"\xf3\x01abcd\0\xfe\0\0\x01k\x01v",
            "what modules note about keys",
        ),
        (
            b"\xf6\x01x",
            "a function library in a form that was never released",
        ),
        (b"\xf1", "an unknown opcode"),
        (
            b"\xfe\0\x21\x01k\x01",
            "unsupported type 33 (gcra), key \"k\", at byte 11",
        ),
        (b"\xfe\x10", "more databases than `databases` allows"),
        (b"\xfe\0\0\x01k\x01v\0\x01k\x01v", "a key is there twice"),
        (
            b"\xfe\0\x20\x01k\x05",
            "a hash does not fit its template, key \"k\"",
        ),
        (
            b"\xf2\x01\x01\x01f\xf2\x01\x01\x01f",
            "a template of hashes is empty or known",
        ),
        (
            b"\xfe\0\x01\x01k\0",
            "a list is not made of elements, key \"k\", at byte 11",
        ),
    ];
    for (bytes, expected) in cases {
        let mut client = Client::new();
        let refused = client.load(&forms::file(bytes), 7, Modules::Refuse);
        let message = refused.expect_err(expected);
        assert!(message.contains(expected), "{message}");
    }
    for (bytes, skipped) in [(&module(7)[..], 1), (&aux, 1), (cases[3].0, 1)] {
        let mut client = Client::new();
        let loaded = client.load(&forms::file(bytes), 1, Modules::Skip);
        assert_eq!(loaded, Ok(()));
        assert_eq!(client.engine.last_load().skipped, skipped);
    }
    let mut client = Client::new();
    let old = client.load(&forms::file(&module(6)), 1, Modules::Skip);
    assert!(old.is_err(), "such a value does not tell where it ends");
}

#[test]
fn what_was_loaded_is_dumped_as_its_server_did() {
    let all = recorded(false);
    let ours = all.iter().find(|recorded| recorded.name == "redis-8.2.3");
    let recorded = ours.expect("the version that is written here");
    let mut client = Client::new();
    client
        .load(&recorded.file, usize::MAX, Modules::Refuse)
        .expect("a whole file");
    let mut equal = 0;
    for (key, payload) in &recorded.dumps {
        // Tables have an order of their own; two keys are in several databases, one has expired.
        let is_table = matches!(payload[..], [2 | 4 | 24, ..]);
        if is_table || matches!(key.as_slice(), b"k" | b"l" | b"soon") {
            continue;
        }
        let dumped = client.ask(&[b"DUMP", key]);
        let theirs = Value::Leaf {
            kind: "$",
            text: payload.clone(),
        };
        assert_eq!(dumped, theirs, "{}", String::from_utf8_lossy(key));
        equal += 1;
    }
    assert!(equal > 40, "{equal}");
}
