//! The snapshot format against files a real server wrote, and against every kind of damage.

use redstart::algorithms::hash::HashSeed;
use redstart::algorithms::rng::Rng;
use redstart::formats::objects::Loaded as Value;
use redstart::formats::snapshot::{
    Attributes, Item, LoadError, Modules, Options, Problem, Reader, Usage, Writer,
};
use redstart::values::{Limits, Object};

/// Written by Redis 8.2.3 with SAVE, from keys set for this purpose.
const STRINGS: &[u8] = include_bytes!("data/strings-8.2.3.rdb");
/// The same with a hash.
const WITH_HASH: &[u8] = include_bytes!("data/hash-8.2.3.rdb");

type Row = (u64, Vec<u8>, Vec<u8>, Attributes);

#[derive(Debug, Default, PartialEq)]
struct Loaded {
    rows: Vec<Row>,
    aux: Vec<(Vec<u8>, Vec<u8>)>,
    sizes: Vec<(u64, u64, u64)>,
    functions: Vec<Vec<u8>>,
}

fn load(file: &[u8], piece_bytes: usize) -> Result<Loaded, LoadError> {
    let mut loaded = Loaded::default();
    let mut database = 0;
    let mut reader = Reader::new(limits(), Modules::Refuse);
    for piece in file.chunks(piece_bytes).chain([&[][..]]) {
        reader.feed(piece, |item| {
            match item {
                Item::Aux { name, value } => loaded.aux.push((name.to_vec(), value.to_vec())),
                Item::Database { index } => database = index,
                Item::Sizes { keys, expiring } => loaded.sizes.push((database, keys, expiring)),
                Item::Function { code } => loaded.functions.push(code.to_vec()),
                Item::Entry {
                    key,
                    value: Value::String(text),
                    attributes,
                } => {
                    loaded
                        .rows
                        .push((database, key.to_vec(), text.to_vec(), attributes));
                }
                Item::Entry { .. } => return Err("the value is no string"),
            }
            Ok(())
        })?;
    }
    reader.finish()?;
    Ok(loaded)
}

fn limits() -> Limits {
    Limits::new(HashSeed::new(1, 2))
}

fn problem(file: &[u8]) -> Problem {
    load(file, 1000).expect_err("the file is damaged").problem
}

fn sample(options: Options) -> (Vec<u8>, Vec<Row>) {
    let mut rng = Rng::new([11, 12]);
    let mut writer = Writer::new(options);
    let (mut file, mut rows) = (Vec::new(), Vec::new());
    writer.begin(&mut file);
    writer.aux(&mut file, b"redis-ver", b"8.2.3");
    writer.function(&mut file, b"#!lua name=lib\n");
    for database in [0, 5] {
        writer.database(&mut file, database, 20, 5);
        for i in 0..20u64 {
            let key = format!("key:{i}").into_bytes();
            let mut value = vec![b'v'; rng.below(60) as usize];
            if i % 3 == 0 {
                rng.fill(&mut value);
            }
            let attributes = Attributes {
                expire_ms: (i % 4 == 0).then_some(1_700_000_000_000 + i as i64),
                usage: match i % 5 {
                    0 => Some(Usage::IdleSeconds(i * 1000)),
                    1 => Some(Usage::Frequency(i as u8)),
                    _ => None,
                },
            };
            writer.string(&mut file, &key, &value, &attributes);
            rows.push((database, key, value, attributes));
        }
    }
    writer.end(&mut file);
    (file, rows)
}

#[test]
fn what_is_written_is_read_however_it_is_cut() {
    for compression in [true, false] {
        for checksum in [true, false] {
            let (file, rows) = sample(Options {
                compression,
                checksum,
                ..Options::default()
            });
            for piece_bytes in [1, 2, 3, 7, 64, 1000, file.len()] {
                let loaded = load(&file, piece_bytes).expect("a whole file");
                assert_eq!(loaded.rows, rows);
                assert_eq!(loaded.sizes, [(0, 20, 5), (5, 20, 5)]);
                assert_eq!(loaded.functions, [b"#!lua name=lib\n"]);
            }
        }
    }
}

#[test]
fn a_real_servers_file_is_read() {
    let mut loaded = load(STRINGS, 10).expect("a whole file");
    loaded
        .rows
        .sort_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
    let expire_ms = Some(4_102_444_800_123);
    let want: [(u64, &str, &str, Option<i64>); 8] = [
        (0, "", "empty", None),
        (0, "big", "12345678901234", None),
        (0, "expiring", "soon", expire_ms),
        (0, "int", "42", None),
        (0, "neg", "-70000", None),
        (0, "packed", &"a".repeat(77), None),
        (0, "text", "hello world", None),
        (9, "other", "db", None),
    ];
    let rows: Vec<_> = loaded
        .rows
        .iter()
        .map(|(database, key, value, attributes)| {
            let text = |bytes| std::str::from_utf8(bytes).expect("text");
            (*database, text(key), text(value), attributes.expire_ms)
        })
        .collect();
    assert_eq!(rows, want);
    assert_eq!(loaded.aux[0], (b"redis-ver".to_vec(), b"8.2.3".to_vec()));
    assert_eq!(loaded.sizes, [(0, 7, 1), (9, 1, 0)]);
    assert_eq!(loaded.functions.len(), 1);
}

#[test]
fn types_that_are_not_here_are_named() {
    let mut file = WITH_HASH.to_vec();
    let at = file.windows(3).position(|bytes| bytes == b"\x10\x01h");
    file[at.expect("a hash called h")] = 33;
    let error = load(&file, 100).expect_err("there is a limiter in it");
    assert_eq!(error.problem, Problem::Type(33));
    let message = String::from_utf8(error.message()).expect("ASCII");
    assert!(
        message.contains("unsupported type 33 (gcra), key \"h\""),
        "{message}"
    );
}

#[test]
fn a_hash_comes_from_a_real_server() {
    let mut found = Vec::new();
    let mut reader = Reader::new(limits(), Modules::Refuse);
    let fed = reader.feed(WITH_HASH, |item| {
        if let Item::Entry {
            key,
            value: Value::Object(Object::Hash(hash)),
            ..
        } = item
        {
            assert_eq!(&*key, b"h");
            hash.view().each(&mut |field, value, expiry_ms| {
                found.push((field.to_vec(), value.to_vec(), expiry_ms));
            });
        }
        Ok(())
    });
    fed.expect("the file is whole");
    assert_eq!(found, [(b"a".to_vec(), b"b".to_vec(), None)]);
}

#[test]
fn every_truncation_is_noticed() {
    let (file, _) = sample(Options::default());
    for length in 0..file.len() {
        assert_eq!(problem(&file[..length]), Problem::Truncated, "{length}");
    }
    let mut longer = file.clone();
    longer.push(0);
    assert_eq!(problem(&longer), Problem::Trailing);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let (file, _) = sample(Options::default());
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << bit;
            assert!(load(&damaged, 100).is_err(), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn garbage_never_panics() {
    let mut rng = Rng::new([13, 14]);
    let (file, _) = sample(Options {
        checksum: false,
        ..Options::default()
    });
    for _ in 0..20_000 {
        let mut damaged = file.clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(damaged.len() as u64) as usize;
            damaged[at] = rng.next_u32() as u8;
        }
        if let Err(error) = load(&damaged, 1 + rng.below(300) as usize) {
            assert!(error.message().is_ascii());
        }
    }
    assert_eq!(problem(b"<html>"), Problem::NotASnapshot);
    assert_eq!(problem(b"RED"), Problem::Truncated);
    assert_eq!(problem(b"REX"), Problem::NotASnapshot);
    assert_eq!(problem(b"REDIS0000"), Problem::Version(0));
    assert_eq!(problem(b"VALKEYX80"), Problem::Version(0));
    assert_eq!(problem(b"VAL"), Problem::Truncated);
    assert_eq!(problem(b"REDIS00x1"), Problem::Version(0));
    assert_eq!(
        problem(b"REDIS0012\x81"),
        Problem::Corrupt("an unknown opcode")
    );
    let mut reader = Reader::new(limits(), Modules::Refuse);
    let (file, _) = sample(Options::default());
    let stopped = reader.feed(&file, |_| Err("no room"));
    assert_eq!(
        stopped.map_err(|error| error.problem),
        Err(Problem::Refused("no room"))
    );
    assert!(
        reader.feed(&[], |_| Ok(())).is_err(),
        "a failed reader stays failed"
    );
    assert!(reader.finish().is_err());
}

/// A set of many members, and a key behind it.
fn long_file() -> Vec<u8> {
    let mut file = b"REDIS0012\x02\x01s\x80\x00\x01\x86\xa0".to_vec();
    for number in 0..100_000 {
        let member = format!("member:{number:06}");
        file.push(member.len() as u8);
        file.extend_from_slice(member.as_bytes());
    }
    file.extend_from_slice(b"\x00\x01k\x01v\xff");
    file.extend_from_slice(&[0; 8]);
    file
}

#[test]
fn a_long_item_waits_for_its_rest() {
    let file = long_file();
    for piece_bytes in [4096, 65_536, 100_000, file.len()] {
        let mut keys = Vec::new();
        let mut reader = Reader::new(limits(), Modules::Refuse);
        for piece in file.chunks(piece_bytes).chain([&[][..]]) {
            let fed = reader.feed(piece, |item| {
                if let Item::Entry { key, .. } = item {
                    keys.push(key.to_vec());
                }
                Ok(())
            });
            fed.expect("a good file");
        }
        reader.finish().expect("a whole file");
        assert_eq!(keys, [b"s", b"k"]);
    }
    for length in [70_000, file.len() - 1] {
        let mut reader = Reader::new(limits(), Modules::Refuse);
        for piece in file[..length].chunks(4096).chain([&[][..]]) {
            reader.feed(piece, |_| Ok(())).expect("a good beginning");
        }
        let error = reader.finish().expect_err("something is missing");
        assert_eq!(error.problem, Problem::Truncated);
    }
}
