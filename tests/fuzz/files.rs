//! What must hold for every file that is loaded, every payload that is restored and every append-only file that is run, and
//! good ones to begin with. A fuzzer changes the bytes themselves; the bounded runs change seeds by chance.

use redstart::algorithms::crc64::crc64;
use redstart::engine::{Engine, Kind, Modules, Options, Purpose, SessionId};
use redstart::formats::dump;

use super::forms;
use super::streams::{Source, encode};
use super::value::{Value, decode};

const NOW_MS: i64 = 2_000_000_000_000;
const CHECKSUM_BYTES: usize = 8;
/// A file of a real server that is small.
const REAL: &[u8] = include_bytes!("../data/rdb/redis-8.2.3-modules.rdb");
/// Everything that a value is made from, and what writes leave in an append-only file.
const COMMANDS: [&str; 24] = [
    "SELECT 0",
    "SET a 12345",
    "SET b yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy PXAT 4102444800123",
    "RPUSH list 1 b 300 text",
    "SADD ints 1 2 70000",
    "SADD words x y 5",
    "HSET hash f v g 7",
    "HPEXPIREAT hash 4102444800123 FIELDS 1 f",
    "ZADD zset 1 x 2.5 y inf z",
    "MULTI",
    "XADD stream 1-1 f v g w",
    "XADD stream 2-1 f v h w",
    "XGROUP CREATE stream g 0",
    "EXEC",
    "XDEL stream 1-1",
    "XGROUP CREATECONSUMER stream g c",
    "XCLAIM stream g c 0 2-1 TIME 5 RETRYCOUNT 1 FORCE JUSTID LASTID 2-1",
    "SELECT 3",
    "ARSET array 5 x 3",
    "PFADD hll a b c",
    "RPOPLPUSH list list",
    "LPOP list",
    "DEL a",
    "FUNCTION LOAD #!lua",
];

struct Host {
    engine: Engine,
    id: SessionId,
}

impl Host {
    fn new() -> Host {
        let mut engine = Engine::new(Options {
            seed: [31, 37],
            now_ms: NOW_MS,
            ..Options::default()
        });
        let words: [&[u8]; 4] = [
            b"--enable-debug-command",
            b"yes",
            b"--proto-max-bulk-len",
            b"1mb",
        ];
        let configured = engine.configure(b"", b"", &words);
        assert!(configured.is_ok(), "a good configuration");
        let id = engine.connect(Kind::Wire);
        Host { engine, id }
    }

    fn ask(&mut self, args: &[&[u8]]) -> Value {
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.to_vec()).collect();
        self.engine.feed(self.id, &encode(&args));
        let output = self.engine.drain(self.id);
        let reply = decode(&output).expect("well-formed replies");
        reply.map_or(Value::Closed, |(value, _)| value)
    }

    fn check(&self) {
        let sound = self.engine.keys().check();
        assert!(sound.is_ok(), "{}", sound.unwrap_err());
    }

    fn digest(&mut self) -> Value {
        self.ask(&[b"DEBUG", b"DIGEST"])
    }

    fn load(&mut self, file: &[u8], piece: usize) -> Result<(), Vec<u8>> {
        self.engine.begin_load(Modules::Skip);
        for piece in file.chunks(piece.max(1)) {
            let fed = self.engine.load_chunk(piece);
            fed.map_err(|error| error.text().to_vec())?;
        }
        let done = self.engine.end_load();
        done.map_err(|error| error.text().to_vec())
    }

    fn save(&mut self) -> Vec<u8> {
        let mut file = Vec::new();
        self.engine.begin_snapshot(Purpose::Save);
        while self.engine.next_chunk(file.len() + 100, &mut file) {}
        self.engine.end_snapshot(true);
        file
    }

    /// Runs an append-only file; how many of its bytes were good.
    fn replay(&mut self, file: &[u8], piece: usize) -> Result<u64, Vec<u8>> {
        self.engine.begin_replay(b"file", file.len() as u64);
        for piece in file.chunks(piece.max(1)) {
            let run = self.engine.replay_chunk(piece);
            run.map_err(|error| error.text().to_vec())?;
        }
        let done = self.engine.end_replay(true);
        done.map_err(|error| error.text().to_vec())
    }
}

// ---- seeds ----

/// Whole RDB files.
pub fn files() -> Vec<Vec<u8>> {
    let mut found: Vec<Vec<u8>> = forms::all().into_iter().map(|form| form.file).collect();
    found.push(REAL.to_vec());
    let mut host = Host::new();
    found.push(host.save());
    for command in COMMANDS {
        let args: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        host.ask(&args);
    }
    found.push(host.save());
    for setting in ["list", "hash", "set", "zset"] {
        let name = match setting {
            "list" => "list-max-listpack-size".to_owned(),
            _ => format!("{setting}-max-listpack-entries"),
        };
        host.ask(&[b"CONFIG", b"SET", name.as_bytes(), b"1"]);
    }
    host.ask(&[b"FLUSHALL"]);
    for command in COMMANDS {
        let args: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        host.ask(&args);
    }
    found.push(host.save());
    found
}

/// Objects as in payloads of DUMP, without version and checksum.
pub fn objects() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for file in files() {
        let mut host = Host::new();
        if host.load(&file, usize::MAX).is_err() {
            continue;
        }
        let Value::Items { items, .. } = host.ask(&[b"KEYS", b"*"]) else {
            continue;
        };
        for key in items {
            let Value::Leaf { text: key, .. } = key else {
                continue;
            };
            if let Value::Leaf { kind: "$", text } = host.ask(&[b"DUMP", &key]) {
                found.push(text[..text.len() - dump::FOOTER_BYTES].to_vec());
            }
        }
    }
    found
}

/// Append-only files: commands, and behind an RDB part.
pub fn logs() -> Vec<Vec<u8>> {
    let mut commands = b"#TS:1700000000\r\n".to_vec();
    for command in COMMANDS {
        let args: Vec<Vec<u8>> = command
            .split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect();
        commands.extend(encode(&args));
    }
    let mut found = vec![commands.clone()];
    found.extend(
        files()
            .into_iter()
            .map(|file| [file, commands.clone()].concat()),
    );
    found
}

/// Some bytes of a seed changed, lost, doubled, added.
fn changed(source: &mut Source, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[source.below(seeds.len())].clone();
    for _ in 0..source.below(6) {
        if bytes.is_empty() {
            break;
        }
        let at = source.below(bytes.len());
        match source.below(7) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, source.byte()),
            2 => drop(bytes.remove(at)),
            3 => bytes[at] ^= 1 << source.below(8),
            4 => bytes[at] = source.pick(&[0, 1, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xf0, 0xf4, 0xff]),
            5 => {
                let end = (at + source.below(40)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = source.below(bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => bytes[at] = source.byte(),
        }
    }
    bytes
}

pub fn changed_file(data: &[u8]) {
    let mut source = Source::new(data);
    file(&changed(&mut source, &files()));
}

pub fn changed_object(data: &[u8]) {
    let mut source = Source::new(data);
    object(&changed(&mut source, &objects()));
}

pub fn changed_log(data: &[u8]) {
    let mut source = Source::new(data);
    log(&changed(&mut source, &logs()));
}

// ---- properties ----

/// Any bytes as an RDB file, its checksum made right: refused with a text, or a sound data set that is saved and loaded
/// again without a difference.
pub fn file(data: &[u8]) {
    let mut file = match data.starts_with(b"REDIS") || data.starts_with(b"VALKEY") {
        true => data.to_vec(),
        false => [b"REDIS0015", data].concat(),
    };
    if file.len() > 9 + CHECKSUM_BYTES {
        let end = file.len() - CHECKSUM_BYTES;
        let checksum = crc64(0, &file[..end]).to_le_bytes();
        file.truncate(end);
        file.extend(checksum);
    }
    let mut host = Host::new();
    let whole = host.load(&file, usize::MAX);
    host.check();
    let digest = host.digest();
    let mut other = Host::new();
    let in_pieces = other.load(&file, 1 + data.len() % 97);
    assert_eq!(whole, in_pieces, "it depends on how the file is cut");
    assert_eq!(digest, other.digest());
    match whole {
        Err(text) => assert!(text.is_ascii(), "a message is text: {text:?}"),
        Ok(()) => {
            let saved = host.save();
            assert_eq!(other.load(&saved, usize::MAX), Ok(()), "an own file loads");
            other.check();
            assert_eq!(other.digest(), digest, "saved and loaded again");
        }
    }
}

/// Any bytes as a payload of DUMP, version and checksum added.
pub fn object(data: &[u8]) {
    let mut payload = data.to_vec();
    dump::write_footer(&mut payload, 0);
    let mut host = Host::new();
    let restored = host.ask(&[b"RESTORE", b"k", b"0", &payload]);
    host.check();
    if matches!(restored, Value::Leaf { kind: "-", .. }) {
        return;
    }
    let Value::Leaf { kind: "$", text } = host.ask(&[b"DUMP", b"k"]) else {
        panic!("what is restored is there")
    };
    host.ask(&[b"RESTORE", b"again", b"0", &text]);
    host.check();
    let Value::Items { items, .. } = host.ask(&[b"DEBUG", b"DIGEST-VALUE", b"k", b"again"]) else {
        panic!("DEBUG is allowed")
    };
    assert_eq!(items[0], items[1], "dumped and restored again");
}

/// Any bytes as an append-only file: what was good of it can be run again, alone, to the same end.
pub fn log(data: &[u8]) {
    let mut host = Host::new();
    let whole = host.replay(data, usize::MAX);
    host.check();
    let digest = host.digest();
    let mut other = Host::new();
    let in_pieces = other.replay(data, 1 + data.len() % 97);
    assert_eq!(whole, in_pieces, "it depends on how the file is cut");
    assert_eq!(digest, other.digest());
    match whole {
        // It may have the name of a command, as it is.
        Err(text) => assert!(text.starts_with(b"ERR ")),
        Ok(good_bytes) => {
            let good = &data[..good_bytes as usize];
            let mut third = Host::new();
            assert_eq!(third.replay(good, usize::MAX), Ok(good_bytes));
            assert_eq!(third.digest(), digest);
        }
    }
}
