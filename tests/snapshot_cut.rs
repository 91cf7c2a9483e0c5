//! A snapshot is the data set as it was when it began, whatever commands run between its pieces.
//!
//! Random commands of every kind fill an engine and go on between the pieces of a snapshot; what is loaded from them is
//! compared with the data as it stood at the cut (looked at directly), and with what a snapshot in one piece, taken at the
//! same moment, gives. `CUT_SEED` and `CUT_ROUNDS` in the environment choose other rounds.

#[path = "differential/libraries.rs"]
#[allow(dead_code)]
mod libraries;
#[path = "differential/scripts.rs"]
mod scripts;
#[path = "differential/stream.rs"]
#[allow(dead_code)]
mod stream;
#[path = "differential/vocabulary.rs"]
#[allow(dead_code)]
mod vocabulary;

use redstart::algorithms::rng::Rng;
use redstart::engine::{Engine, Kind, Modules, Options, Purpose, SessionId};
use redstart::formats::{dump, objects};
use redstart::values::{Entry, Type};
use stream::{Args, CLIENTS, Repertoire, Step};
use vocabulary::{Dice, Vocabulary};

const START_MS: i64 = 1_700_000_000_000;
/// Earlier than any time to live: nothing is left out when a file is loaded then.
const LONG_AGO_MS: i64 = 1;

fn engine(now_ms: i64, settings: &[(String, String)]) -> Engine {
    let mut engine = Engine::new(Options {
        seed: [7, 11],
        now_ms,
        ..Options::default()
    });
    let mut words = vec![b"--enable-debug-command".to_vec(), b"yes".to_vec()];
    for (name, value) in settings {
        words.push(["--", name].concat().into_bytes());
        words.push(value.clone().into_bytes());
    }
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    engine
        .configure(b"", b"", &words)
        .expect("a good configuration");
    engine
}

fn encode(args: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend(format!("${}\r\n", arg.len()).into_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Everything about an entry that a file keeps, whatever the order of elements in tables: database, key, time to live,
/// type, content.
type Row = (usize, Vec<u8>, Option<i64>, &'static str, Vec<Vec<u8>>);

fn content(entry: &Entry<'_>) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    if let Some(text) = entry.string() {
        parts.push(text.text().to_vec());
    } else if let Some(list) = entry.list() {
        let length = list.len();
        parts.push(length.to_string().into_bytes());
        let mut bytes = Vec::new();
        objects::write(&mut bytes, entry, None);
        parts.push(bytes);
    } else if let Some(set) = entry.set() {
        set.walk(&mut |member| {
            parts.push(member.text().to_vec());
            true
        });
        parts.sort();
    } else if let Some(hash) = entry.hash() {
        hash.each(&mut |field, value, expiry_ms| {
            let (field, value) = (field.text().to_vec(), value.text().to_vec());
            parts.push(format!("{field:?} {value:?} {expiry_ms:?}").into_bytes());
        });
        parts.sort();
    } else if let Some(sorted_set) = entry.sorted_set() {
        for (member, score) in sorted_set.walk(0..sorted_set.len(), false) {
            parts.push(format!("{:?} {}", member.to_vec(), score.to_bits()).into_bytes());
        }
    } else {
        let mut bytes = Vec::new();
        dump::write(&mut bytes, entry, None);
        parts.push(bytes);
    }
    parts
}

/// All entries in order, those that have expired and are not deleted yet included, and the libraries.
fn portrait(engine: &Engine) -> (Vec<Row>, Vec<Vec<u8>>) {
    let mut rows = Vec::new();
    for db in 0..engine.keys().db_count() {
        for entry in engine.keys().db(db).unwrap().iter().map(Entry::new) {
            let kind = entry.value_type().name();
            rows.push((
                db,
                entry.key().to_vec(),
                entry.expiry_ms(),
                kind,
                content(&entry),
            ));
        }
    }
    rows.sort();
    let libraries = engine.server().functions.sources();
    let mut libraries: Vec<Vec<u8>> = libraries.map(<[u8]>::to_vec).collect();
    libraries.sort();
    (rows, libraries)
}

/// Database, key and encoding of every entry but strings, whose encoding is found anew by a load.
fn encodings(engine: &Engine) -> Vec<(usize, Vec<u8>, &'static str)> {
    let mut rows = Vec::new();
    for db in 0..engine.keys().db_count() {
        for entry in engine.keys().db(db).unwrap().iter().map(Entry::new) {
            if entry.value_type() != Type::String {
                rows.push((db, entry.key().to_vec(), entry.encoding()));
            }
        }
    }
    rows.sort();
    rows
}

fn loaded(file: &[u8], settings: &[(String, String)], piece_bytes: usize) -> Engine {
    let mut engine = engine(LONG_AGO_MS, settings);
    engine.begin_load(Modules::Refuse);
    for piece in file.chunks(piece_bytes) {
        engine.load_chunk(piece).expect("a good file");
    }
    engine.end_load().expect("a whole file");
    engine.keys().check().unwrap();
    engine
}

/// An engine with clients, and what they do to it.
struct World {
    engine: Engine,
    clients: Vec<SessionId>,
    dice: Dice,
    steps: std::vec::IntoIter<Step>,
    /// A snapshot of earlier data.
    file: Vec<u8>,
}

impl World {
    fn send(&mut self, client: usize, args: &[Vec<u8>]) {
        let id = self.clients[client % self.clients.len()];
        self.engine.feed(id, &encode(args));
        self.engine.drain(id);
        if self.engine.is_closing(id) {
            self.engine.disconnect(id);
            let id = self.engine.connect(Kind::Wire);
            let at = client % self.clients.len();
            self.clients[at] = id;
        }
        while self.engine.next_request().is_some() {}
    }

    fn say(&mut self, line: &str) {
        let args: Args = line
            .split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect();
        let client = self.dice.below(self.clients.len());
        self.send(client, &args);
    }

    fn key(&mut self) -> String {
        let letter = self
            .dice
            .pick(&["s", "l", "e", "z", "h", "x", "g", "p", "r"]);
        let number = 1 + self.dice.below(3);
        [letter, &number.to_string()].concat()
    }

    /// One random step: mostly of the stream, else of what that leaves out.
    fn step(&mut self) {
        match self.dice.below(100) {
            0..4 => {
                let db = self.dice.below(16);
                self.say(&format!("SELECT {db}"));
            }
            4 | 5 => {
                let (one, other) = (self.dice.below(16), self.dice.below(16));
                self.say(&format!("SWAPDB {one} {other}"));
            }
            6 => self.sweep(),
            7..11 => {
                let (key, ms) = (self.key(), 1 + self.dice.below(3000));
                self.say(&format!("PEXPIRE {key} {ms}"));
            }
            11..15 => {
                let (number, ms) = (1 + self.dice.below(3), 1 + self.dice.below(3000));
                let field = 1 + self.dice.below(5);
                self.say(&format!(
                    "HPEXPIRE h{number} {ms} FIELDS 2 f{field} big{field}"
                ));
            }
            15..18 => {
                let ms = [1, 20, 300, 2000][self.dice.below(4)];
                self.engine.set_now(self.engine.now_ms() + ms);
                self.engine.tick();
            }
            18..21 => {
                let (from, to, db) = (self.key(), self.key(), self.dice.below(16));
                let line = match self.dice.below(3) {
                    0 => format!("RENAME {from} {to}"),
                    1 => format!("MOVE {from} {db}"),
                    _ => format!("COPY {from} {to} DB {db} REPLACE"),
                };
                self.say(&line);
            }
            21..24 => self.grow(),
            24 => {
                let key = self.key();
                self.say(&format!("DEL {key} big:{key}"));
            }
            _ => self.next_of_stream(),
        }
    }

    fn sweep(&mut self) {
        match self.dice.below(8) {
            0..6 => self.say("FLUSHDB"),
            6 if self.file.is_empty() => self.say("FLUSHALL"),
            6 => self.import(),
            _ => self.say("DEBUG RELOAD"),
        }
    }

    /// A file takes the place of everything, a snapshot under way or not.
    fn import(&mut self) {
        self.engine.begin_load(Modules::Refuse);
        self.engine.load_chunk(&self.file).expect("a good file");
        self.engine.end_import().expect("a whole file");
    }

    /// Makes a value of a size that is written in several parts, or changes one.
    fn grow(&mut self) {
        let count = [30, 300, 2000][self.dice.below(3)];
        let from = self.dice.below(1000);
        let mut args: Args = match self.dice.below(8) {
            0 => vec![b"RPUSH".to_vec(), b"big:l1".to_vec()],
            1 => vec![b"SADD".to_vec(), b"big:e1".to_vec()],
            2 => vec![b"ZADD".to_vec(), b"big:z1".to_vec()],
            3 => vec![b"HSET".to_vec(), b"h1".to_vec()],
            4 => vec![b"ARSET".to_vec(), b"big:r1".to_vec(), b"0".to_vec()],
            5 => return self.say(&format!("SETRANGE big:s1 {} {from}", count * 100)),
            6 => {
                for at in 0..count / 10 {
                    self.say(&format!("XADD big:x1 * f{at} {}", "v".repeat(from % 50)));
                }
                return self.say("XREADGROUP GROUP grp1 c1 COUNT 100 STREAMS big:x1 >");
            }
            _ => return self.say("XGROUP CREATE big:x1 grp1 0 MKSTREAM"),
        };
        for number in from..from + count {
            match args[0].as_slice() {
                b"ZADD" => args.push((number % 97).to_string().into_bytes()),
                b"HSET" => args.push(format!("big{}", number % 500).into_bytes()),
                _ => {}
            }
            args.push(format!("element:{number}").into_bytes());
        }
        let client = self.dice.below(CLIENTS);
        self.send(client, &args);
    }

    fn next_of_stream(&mut self) {
        match self.steps.next() {
            Some(Step::Send { client, args }) => self.send(client, &args),
            Some(Step::Wait { ms }) => {
                self.engine.set_now(self.engine.now_ms() + ms as i64);
                self.engine.tick();
            }
            Some(Step::Close { client }) => {
                let at = client % self.clients.len();
                self.engine.disconnect(self.clients[at]);
                self.clients[at] = self.engine.connect(Kind::Wire);
            }
            Some(Step::Unblock { .. }) => self.say("RPUSH l1 woken"),
            None => {}
        }
    }

    /// All pieces of a snapshot, with commands between them.
    fn snapshot(&mut self) -> Vec<u8> {
        let limits = [1, 1, 7, 100, 1000, 4096, 65_536, 262_144];
        let limit = limits[self.dice.below(limits.len())];
        let most = [1, 5, 40][self.dice.below(3)];
        self.engine.begin_snapshot(Purpose::Save);
        let (mut file, mut pieces) = (Vec::new(), 0);
        loop {
            let before = file.len();
            if !self.engine.next_chunk(limit, &mut file) {
                return file;
            }
            assert!(file.len() - before <= limit, "a piece is too long");
            pieces += 1;
            assert!(pieces < 2_000_000, "it does not come to an end");
            // With tiny pieces the commands come to an end before the data do.
            if pieces % (1 + 4000 / (limit * 40)) == 0 && pieces < 20_000 {
                for _ in 0..self.dice.below(most) {
                    self.step();
                }
            }
        }
    }
}

fn round(seed: u64) {
    let mut dice = Dice(Rng::new([seed, 0xc07]));
    let probe = engine(START_MS, &[]);
    let repertoire = Repertoire::new(probe.lookup(), &[]);
    let vocabulary = Vocabulary {
        payloads: Vec::new(),
        library_payloads: vec![Vec::new()],
    };
    let stream = stream::stream(probe.lookup(), &repertoire, &vocabulary, seed, 400);
    let mut settings = stream.setup.settings;
    settings.retain(|(name, _)| !name.starts_with("notify"));
    for name in ["rdbcompression", "rdbchecksum"] {
        let value = dice.word("yes|yes|no");
        settings.push((name.to_owned(), String::from_utf8(value).unwrap()));
    }
    let mut engine = engine(START_MS, &settings);
    let clients = (0..=CLIENTS).map(|_| engine.connect(Kind::Wire)).collect();
    let mut world = World {
        engine,
        clients,
        dice,
        steps: stream.steps.into_iter(),
        file: Vec::new(),
    };
    for _ in 0..world.dice.below(250) {
        world.step();
    }
    for attempt in 0..3 {
        world.engine.begin_snapshot(Purpose::Copy);
        let mut whole = Vec::new();
        while world.engine.next_chunk(usize::MAX, &mut whole) {}
        world.engine.end_copy();
        let at_cut = portrait(&world.engine);
        let file = world.snapshot();
        world.engine.end_snapshot(true);
        world.engine.keys().check().unwrap();
        world.file.clone_from(&file);
        let from_file = loaded(&file, &settings, [1000, 65_536][attempt % 2]);
        let seen = portrait(&from_file);
        assert_eq!(seen.1, at_cut.1, "libraries, seed {seed}");
        compare(&seen.0, &at_cut.0, seed);
        let reference = loaded(&whole, &settings, usize::MAX);
        assert_eq!(encodings(&from_file), encodings(&reference), "seed {seed}");
        // One that is given up in the middle leaves no trace in the next one.
        if world.dice.chance(50) {
            world.engine.begin_snapshot(Purpose::Save);
            for _ in 0..world.dice.below(20) {
                world.engine.next_chunk(100, &mut Vec::new());
                world.step();
            }
            world.engine.end_snapshot(false);
        }
    }
}

fn compare(seen: &[Row], wanted: &[Row], seed: u64) {
    for pair in seen.windows(2) {
        let is_twice = (pair[0].0, &pair[0].1) == (pair[1].0, &pair[1].1);
        assert!(!is_twice, "seed {seed}: a key twice: {:?}", pair[0]);
    }
    let is_wanted = |row: &Row| wanted.binary_search(row).is_ok();
    if let Some(row) = seen.iter().find(|row| !is_wanted(row)) {
        panic!("seed {seed}: not at the cut {row:.200?}");
    }
    let is_seen = |row: &Row| seen.binary_search(row).is_ok();
    if let Some(row) = wanted.iter().find(|row| !is_seen(row)) {
        panic!("seed {seed}: missing {row:.200?}");
    }
}

/// Requests of the host to save, after the time was told.
fn asks_for_save(engine: &mut Engine) -> bool {
    engine.tick();
    let mut asks = false;
    while let Some(request) = engine.next_request() {
        asks |= request[0] == b"save";
    }
    asks
}

#[test]
fn flushall_is_saved_at_once_where_there_are_rules() {
    for (rules, is_saved) in [("3600 1", true), ("", false)] {
        let mut engine = engine(START_MS, &[("save".to_owned(), rules.to_owned())]);
        let id = engine.connect(Kind::Wire);
        engine.feed(id, b"SET k v\r\n");
        assert!(!asks_for_save(&mut engine));
        engine.begin_snapshot(Purpose::Save);
        engine.feed(id, b"FLUSHALL\r\n");
        assert!(!asks_for_save(&mut engine), "one at a time");
        let mut file = Vec::new();
        while engine.next_chunk(1, &mut file) {}
        engine.end_snapshot(true);
        assert_eq!(portrait(&loaded(&file, &[], 100)).0.len(), 1);
        assert_eq!(asks_for_save(&mut engine), is_saved);
        engine.begin_snapshot(Purpose::Save);
        engine.end_snapshot(true);
        assert!(!asks_for_save(&mut engine), "once is enough");
    }
}

fn number(name: &str, fallback: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(fallback)
}

#[test]
fn a_snapshot_is_the_data_at_its_cut() {
    let (first, rounds) = (number("CUT_SEED", 1), number("CUT_ROUNDS", 100));
    for seed in first..first + rounds {
        let result = std::panic::catch_unwind(|| round(seed));
        if let Err(panic) = result {
            eprintln!("CUT_SEED={seed} CUT_ROUNDS=1 shows it again");
            std::panic::resume_unwind(panic);
        }
    }
}
