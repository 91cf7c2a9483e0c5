//! RDB files and payloads of DUMP against a redis-server: it loads what is saved here, and both make the same bytes of the
//! same commands. `npm run fuzz:rdb` starts a server for it; by hand:
//!
//! `cargo test --test rdb_differential -- --address 127.0.0.1:6379 [--seed N] [--values 3000]`. The server has to run on this
//! machine with `enable-debug-command yes`; it is emptied and configured at will.

#[allow(dead_code)] // Reading cases serves the transcripts.
#[path = "spec/file.rs"]
mod file;
#[allow(dead_code)]
#[path = "rdb/forms.rs"]
mod forms;
#[allow(dead_code)]
#[path = "rdb/listing.rs"]
mod listing;
#[allow(dead_code)] // Reading the printed form serves the transcripts.
#[path = "spec/value.rs"]
mod value;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{SystemTime, UNIX_EPOCH};

use listing::Client;
use redstart::algorithms::rng::Rng;
use redstart::engine::Modules;
use redstart::formats::dump;
use value::{Value, decode};

fn option(name: &str) -> Option<String> {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1).cloned()
}

fn number(name: &str, fallback: u64) -> u64 {
    option(name)
        .and_then(|text| text.parse().ok())
        .unwrap_or(fallback)
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("the clock is past 1970").as_millis() as i64
}

/// A connection to redis-server.
struct Oracle {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Oracle {
    fn send(&mut self, args: &[Vec<u8>]) -> Value {
        let bytes = file::encode_command(args);
        self.socket
            .write_all(&bytes)
            .expect("the server takes a command");
        loop {
            if let Some((value, length)) = decode(&self.buffer).expect("well-formed replies") {
                self.buffer.drain(..length);
                return value;
            }
            let mut chunk = vec![0; 1 << 16];
            let length = self.socket.read(&mut chunk).expect("the server answers");
            assert!(length > 0, "the server is gone after {args:?}");
            self.buffer.extend_from_slice(&chunk[..length]);
        }
    }

    fn ask(&mut self, args: &[&[u8]]) -> Value {
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.to_vec()).collect();
        self.send(&args)
    }

    fn setting(&mut self, name: &[u8]) -> Vec<u8> {
        match self.ask(&[b"CONFIG", b"GET", name]) {
            Value::Items { items, .. } => leaf(&items[1]).to_vec(),
            other => panic!("{other:?}"),
        }
    }
}

fn leaf(value: &Value) -> &[u8] {
    match value {
        Value::Leaf { text, .. } => text,
        other => panic!("no text: {other:?}"),
    }
}

fn is_error(value: &Value) -> bool {
    matches!(value, Value::Leaf { kind: "-", .. })
}

fn main() -> ExitCode {
    let Some(address) = option("--address") else {
        println!("no --address of a redis-server: nothing to compare with");
        return ExitCode::SUCCESS;
    };
    let socket = TcpStream::connect(&address).expect("a redis-server at --address");
    socket.set_nodelay(true).expect("a socket option");
    let mut oracle = Oracle {
        socket,
        buffer: Vec::new(),
    };
    let seed = number("--seed", 1);
    println!("seed {seed}");
    let files = compare_files(&mut oracle);
    let values = compare_values(&mut oracle, seed, number("--values", 3000));
    compare_options(&mut oracle);
    let told = compare_damage(&mut oracle, seed, number("--damaged", 3000));
    println!("{files} files, {values}, {told}");
    ExitCode::SUCCESS
}

// ---- files ----

/// What Redis 8.2 has no types for, here and there.
const NEWER: &str = "version 14";
const UNKNOWN_THERE: [&str; 5] = ["modules", "valkey", NEWER, "version 15", "to come"];

/// Files that were recorded, and those of forms that redis-server reads.
fn compare_files(oracle: &mut Oracle) -> usize {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/rdb");
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .expect("the files are there")
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let is_file = path.extension().is_some_and(|kind| kind == "rdb");
            let name = path.file_name()?.to_string_lossy().into_owned();
            is_file.then(|| (name, std::fs::read(&path).expect("a file")))
        })
        .collect();
    files.sort();
    for form in forms::all() {
        files.push((form.name.to_owned(), form.file));
    }
    let dir = PathBuf::from(String::from_utf8(oracle.setting(b"dir")).expect("a path"));
    let checker = checker(oracle, &dir);
    for (name, file) in &files {
        let mut client = Client::at(now_ms());
        client
            .load(file, usize::MAX, Modules::Skip)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let ours = client.ask(&[b"DEBUG", b"DIGEST"]);
        // A file that it does not know is the end of it.
        if !UNKNOWN_THERE.iter().any(|part| name.contains(part)) {
            let theirs = loaded_by(oracle, &dir, file);
            assert_eq!(ours, theirs, "{name}: as redis-server reads it");
        }
        if name == NEWER {
            continue;
        }
        let saved = client.save();
        let theirs = loaded_by(oracle, &dir, &saved);
        assert_eq!(ours, theirs, "{name}: as it is saved here");
        check(&checker, &dir, &saved);
    }
    files.len()
}

/// The digest of a data set that redis-server loads.
fn loaded_by(oracle: &mut Oracle, dir: &Path, file: &[u8]) -> Value {
    std::fs::write(dir.join("dump.rdb"), file).expect("the folder of the server");
    let reloaded = oracle.ask(&[b"DEBUG", b"RELOAD", b"NOSAVE"]);
    assert!(!is_error(&reloaded), "{reloaded:?}");
    oracle.ask(&[b"DEBUG", b"DIGEST"])
}

/// redis-check-rdb: the server's program under another name.
fn checker(oracle: &mut Oracle, dir: &Path) -> PathBuf {
    let info = oracle.ask(&[b"INFO", b"server"]);
    let text = String::from_utf8_lossy(leaf(&info)).into_owned();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("executable:"));
    let path = dir.join("redis-check-rdb");
    let _ = std::fs::remove_file(&path);
    let program = line.expect("its program");
    if std::fs::hard_link(program, &path).is_err() {
        std::fs::copy(program, &path).expect("a copy of the program");
    }
    path
}

fn check(checker: &Path, dir: &Path, file: &[u8]) {
    let path = dir.join("checked.rdb");
    std::fs::write(&path, file).expect("the folder of the server");
    let output = Command::new(checker)
        .arg(&path)
        .output()
        .expect("redis-check-rdb runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("RDB looks OK"), "{told}");
}

// ---- values ----

/// What a value is made of.
struct Dice(Rng);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0.below(limit)
    }

    fn text(&mut self) -> Vec<u8> {
        let number = self.0.next_u32();
        match self.below(12) {
            0 => Vec::new(),
            1 => format!("{}", number % 200).into_bytes(),
            2 => format!("-{number}").into_bytes(),
            3 => format!("{}", u64::from(number) << self.below(33)).into_bytes(),
            4 => format!("{}", i64::from(number) - (1 << 31)).into_bytes(),
            5 => vec![b'x'; self.below(200) as usize],
            6 => b"ab".repeat(self.below(40) as usize),
            7 => (0..self.below(100))
                .map(|_| self.0.next_u32() as u8)
                .collect(),
            8 => [
                b"9223372036854775807".to_vec(),
                b"-9223372036854775808".to_vec(),
                b"007".to_vec(),
                b"1.5".to_vec(),
            ][self.below(4) as usize]
                .clone(),
            _ => format!("text {}", number % 1000).into_bytes(),
        }
    }

    fn score(&mut self) -> Vec<u8> {
        let number = i64::from(self.0.next_u32() as i32);
        match self.below(8) {
            0 => b"inf".to_vec(),
            1 => b"-inf".to_vec(),
            2 => format!("{}", number as f64 / 8.0).into_bytes(),
            3 => format!("{}", number as f64 / 7.0).into_bytes(),
            4 => format!("{}e{}", number, self.below(40)).into_bytes(),
            _ => format!("{}", number % 10).into_bytes(),
        }
    }
}

fn words(text: &str) -> Vec<Vec<u8>> {
    text.split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect()
}

/// The commands that make one value of the key `k`.
fn making(dice: &mut Dice) -> Vec<Vec<Vec<u8>>> {
    let size = [1, 2, 5, 20, 130, 600][dice.below(6) as usize];
    let mut commands = Vec::new();
    let kind = dice.below(8);
    let head = [
        "SET k", "RPUSH k", "SADD k", "SADD k", "HSET k", "ZADD k", "XADD k", "HSET k",
    ][kind as usize];
    let mut args = words(head);
    match kind {
        0 => args.push(dice.text()),
        3 => (0..size).for_each(|_| {
            args.push(format!("{}", dice.0.next_u32() as i32 >> dice.below(20)).into_bytes())
        }),
        4 | 7 => (0..size).for_each(|_| args.extend([dice.text(), dice.text()])),
        5 => (0..size).for_each(|_| args.extend([dice.score(), dice.text()])),
        6 => return stream(dice, size),
        _ => (0..size).for_each(|_| args.push(dice.text())),
    }
    let field = args.get(2).cloned().unwrap_or_default();
    commands.push(args);
    if kind == 7 {
        let mut expire = words("HPEXPIREAT k 4102444800123 FIELDS 1");
        expire.push(field);
        commands.push(expire);
    }
    if kind == 1 && dice.below(3) == 0 {
        commands.push(words("LPOP k"));
        commands.push([words("LINSERT k BEFORE"), vec![dice.text(), dice.text()]].concat());
        commands.push([words("LPUSH k"), vec![vec![b'y'; 9000]]].concat());
    }
    commands
}

fn stream(dice: &mut Dice, size: u64) -> Vec<Vec<Vec<u8>>> {
    let mut commands = Vec::new();
    for number in 1..=size {
        let mut add = words(&format!("XADD k {}-{}", number * 10, dice.below(3)));
        for at in 0..1 + dice.below(3) {
            add.extend([format!("field {at}").into_bytes(), dice.text()]);
        }
        commands.push(add);
    }
    for _ in 0..dice.below(3) {
        let gone = 1 + dice.below(size);
        commands.push(words(&format!("XDEL k {}-{}", gone * 10, dice.below(3))));
    }
    for group in 0..dice.below(3) {
        commands.push(words(&format!(
            "XGROUP CREATE k group{group} {}",
            dice.below(size * 10)
        )));
        commands.push(words(&format!("XGROUP CREATECONSUMER k group{group} idle")));
    }
    if dice.below(3) == 0 {
        commands.push(words(&format!("XTRIM k MAXLEN {}", dice.below(size))));
        commands.push(words("XSETID k 99999-9 ENTRIESADDED 5000 MAXDELETEDID 5-5"));
    }
    commands
}

/// Whether elements stand in the order of a hash table, which is each server's own; consumers carry the time.
fn has_own_order(payload: &[u8]) -> bool {
    matches!(payload, [2 | 4 | 24, ..])
}

/// Times at which consumers were seen differ.
fn has_consumers(payload: &[u8]) -> bool {
    payload.windows(4).any(|bytes| bytes == b"idle")
}

fn compare_values(oracle: &mut Oracle, seed: u64, values: u64) -> String {
    let mut dice = Dice(Rng::new([seed, 11]));
    let (mut equal, mut own_order, mut timed) = (0, 0, 0);
    let mut kinds = BTreeMap::new();
    let digest: [&[u8]; 3] = [b"DEBUG", b"DIGEST-VALUE", b"k"];
    for _ in 0..values {
        let mut client = Client::at(now_ms());
        oracle.ask(&[b"DEL", b"k"]);
        let commands = making(&mut dice);
        for command in &commands {
            let (ours, theirs) = (client.send(command), oracle.send(command));
            assert_eq!(ours, theirs, "{command:?}");
        }
        let (ours, theirs) = (client.ask(&[b"DUMP", b"k"]), oracle.ask(&[b"DUMP", b"k"]));
        let (ours, theirs) = (leaf(&ours).to_vec(), leaf(&theirs).to_vec());
        *kinds.entry(theirs[0]).or_insert(0) += 1;
        assert_eq!(ours[0], theirs[0], "another encoding: {commands:?}");
        if has_own_order(&theirs) {
            own_order += 1;
        } else if theirs[0] == 21 && has_consumers(&theirs) {
            timed += 1;
        } else {
            assert_eq!(ours, theirs, "{commands:?}");
            equal += 1;
        }
        let before = oracle.ask(&digest);
        let crossed = client.ask(&[b"RESTORE", b"k", b"0", &theirs, b"REPLACE"]);
        assert!(!is_error(&crossed), "theirs here: {crossed:?} {commands:?}");
        let back = oracle.ask(&[b"RESTORE", b"k", b"0", &ours, b"REPLACE"]);
        assert!(!is_error(&back), "ours there: {back:?} {commands:?}");
        assert_eq!(client.ask(&digest), before, "theirs here: {commands:?}");
        assert_eq!(oracle.ask(&digest), before, "ours there: {commands:?}");
        if !has_own_order(&theirs) {
            assert_eq!(leaf(&client.ask(&[b"DUMP", b"k"])), theirs);
            assert_eq!(leaf(&oracle.ask(&[b"DUMP", b"k"])), ours);
        }
    }
    format!(
        "{values} values ({equal} payloads equal, {own_order} in an order of their own, {timed} with times of consumers; \
         by type {kinds:?})"
    )
}

/// What stands behind a key in RESTORE, but for the payload.
const TAILS: [&str; 17] = [
    "0",
    "100000",
    "-1",
    "x",
    "0 REPLACE",
    "4102444800123 ABSTTL",
    "4102444800123 REPLACE ABSTTL",
    "1 ABSTTL REPLACE",
    "0 IDLETIME 1000",
    "0 REPLACE IDLETIME 1000",
    "0 REPLACE IDLETIME -1",
    "0 REPLACE FREQ 255",
    "0 REPLACE FREQ 256",
    "0 REPLACE FREQ -1",
    "0 REPLACE FREQ 5 IDLETIME 5",
    "0 REPLACE IDLETIME",
    "0 NOPE",
];

/// RESTORE with options, good and bad ones: the same replies, and what can be asked about the key afterwards.
fn compare_options(oracle: &mut Oracle) {
    let mut client = Client::at(now_ms());
    oracle.ask(&[b"DEL", b"k"]);
    oracle.ask(&[b"SET", b"k", b"value"]);
    client.ask(&[b"SET", b"k", b"value"]);
    let payload = leaf(&oracle.ask(&[b"DUMP", b"k"])).to_vec();
    let with_version = |version: u16| {
        let mut payload = payload[..payload.len() - 10].to_vec();
        payload.extend(version.to_le_bytes());
        let checksum = redstart::algorithms::crc64::crc64(0, &payload);
        payload.extend(checksum.to_le_bytes());
        payload
    };
    let mut flipped = payload.clone();
    flipped[2] ^= 1;
    let payloads: [Vec<u8>; 8] = [
        payload.clone(),
        with_version(11),
        with_version(1),
        with_version(0),
        with_version(16),
        flipped,
        payload[..9].to_vec(),
        Vec::new(),
    ];
    for policy in ["noeviction", "allkeys-lru", "allkeys-lfu"] {
        let configure = words(&format!("CONFIG SET maxmemory-policy {policy}"));
        assert_eq!(client.send(&configure), oracle.send(&configure));
        for payload in &payloads {
            for tail in TAILS {
                for key in ["k", "new"] {
                    client.engine.set_now(now_ms());
                    let mut args = words(&format!("RESTORE {key} {tail}"));
                    args.insert(3, payload.clone());
                    assert_eq!(client.send(&args), oracle.send(&args), "{args:?}");
                    for question in [
                        "EXISTS",
                        "PEXPIRETIME",
                        "OBJECT FREQ",
                        "OBJECT IDLETIME",
                        "GET",
                    ] {
                        let ask = words(&format!("{question} {key}"));
                        let (ours, theirs) = (client.send(&ask), oracle.send(&ask));
                        let about = |value: &Value| match value {
                            Value::Leaf { kind: ":", text } => {
                                String::from_utf8_lossy(text).parse::<i64>().ok()
                            }
                            _ => None,
                        };
                        let is_near = about(&ours)
                            .zip(about(&theirs))
                            .is_some_and(|(one, other)| (one - other).abs() < 1000);
                        assert!(
                            ours == theirs || is_near,
                            "{args:?}, {ask:?}: {ours:?} {theirs:?}"
                        );
                    }
                    oracle.ask(&[b"DEL", b"new"]);
                    client.ask(&[b"DEL", b"new"]);
                }
            }
        }
    }
    oracle.send(&words("CONFIG SET maxmemory-policy noeviction"));
}

/// Damaged payloads with a right checksum, where redis-server looks closely too (`sanitize-dump-payload yes`): whatever it
/// refuses is refused here.
fn compare_damage(oracle: &mut Oracle, seed: u64, count: u64) -> String {
    oracle.send(&words("CONFIG SET sanitize-dump-payload yes"));
    let mut dice = Dice(Rng::new([seed, 13]));
    let mut client = Client::at(now_ms());
    let (mut both, mut taken, mut only_here) = (0, 0, 0);
    for _ in 0..count {
        oracle.ask(&[b"DEL", b"k"]);
        let commands = making(&mut dice);
        for command in &commands {
            oracle.send(command);
        }
        let payload = leaf(&oracle.ask(&[b"DUMP", b"k"])).to_vec();
        let mut object = payload[..payload.len() - dump::FOOTER_BYTES].to_vec();
        for _ in 0..1 + dice.below(2) {
            let at = dice.below(object.len() as u64) as usize;
            match dice.below(4) {
                0 => object.insert(at, dice.0.next_u32() as u8),
                1 if object.len() > 1 => drop(object.remove(at)),
                2 => object[at] ^= 1 << dice.below(8),
                _ => object[at] = dice.0.next_u32() as u8,
            }
        }
        dump::write_footer(&mut object, 0);
        let restore: [&[u8]; 5] = [b"RESTORE", b"k", b"0", &object, b"REPLACE"];
        let (ours, theirs) = (client.ask(&restore), oracle.ask(&restore));
        match (is_error(&ours), is_error(&theirs)) {
            (true, true) => {
                assert_eq!(ours, theirs);
                both += 1;
            }
            (false, false) => {
                let digest: [&[u8]; 3] = [b"DEBUG", b"DIGEST-VALUE", b"k"];
                assert_eq!(client.ask(&digest), oracle.ask(&digest), "{object:?}");
                taken += 1;
            }
            (true, false) => only_here += 1,
            (false, true) => panic!("taken here, refused there: {object:?}"),
        }
    }
    oracle.send(&words("CONFIG SET sanitize-dump-payload no"));
    format!(
        "{count} damaged payloads ({both} refused by both, {only_here} only here, {taken} taken by both)"
    )
}
