//! What a data set holds, as `tests/data/rdb/make.mjs` records it: a command, ` => `, and the words of its reply.

use redstart::algorithms::sha1::sha1;
use redstart::engine::{Engine, Kind, Modules, Options, Purpose, SessionId};

use super::file::{encode_command, split_arguments};
use super::value::{Value, decode, quote};

/// 2033: behind the first time to live in the files, before the others.
pub const NOW_MS: i64 = 2_000_000_000_000;
/// Longer texts are recorded by their digest.
const SHOWN: usize = 60;

/// An engine and a client of it.
pub struct Client {
    pub engine: Engine,
    pub id: SessionId,
}

impl Client {
    pub fn new() -> Client {
        Client::at(NOW_MS)
    }

    /// At another time.
    pub fn at(now_ms: i64) -> Client {
        let mut engine = Engine::new(Options {
            seed: [23, 29],
            now_ms,
            ..Options::default()
        });
        let words: [&[u8]; 2] = [b"--enable-debug-command", b"yes"];
        let configured = engine.configure(b"", b"", &words);
        assert!(configured.is_ok(), "a good configuration");
        let id = engine.connect(Kind::Wire);
        Client { engine, id }
    }

    /// Loads a file; its error.
    pub fn load(&mut self, file: &[u8], piece: usize, modules: Modules) -> Result<(), String> {
        self.engine.begin_load(modules);
        let pieces = file.chunks(piece.max(1));
        let mut fed = pieces.map(|piece| self.engine.load_chunk(piece));
        let done = fed.find(Result::is_err).unwrap_or(Ok(()));
        let done = done.and_then(|()| self.engine.end_load());
        done.map_err(|error| String::from_utf8(error.text().to_vec()).expect("errors are ASCII"))
    }

    pub fn save(&mut self) -> Vec<u8> {
        let mut file = Vec::new();
        self.engine.begin_snapshot(Purpose::Save);
        while self.engine.next_chunk(file.len() + 4096, &mut file) {}
        self.engine.end_snapshot(true);
        file
    }

    pub fn ask(&mut self, args: &[&[u8]]) -> Value {
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.to_vec()).collect();
        self.send(&args)
    }

    pub fn send(&mut self, args: &[Vec<u8>]) -> Value {
        self.engine.feed(self.id, &encode_command(args));
        let output = self.engine.drain(self.id);
        let reply = decode(&output).expect("well-formed replies");
        reply.map_or(Value::Closed, |(value, _)| value)
    }

    pub fn check(&self) {
        let sound = self.engine.keys().check();
        assert!(sound.is_ok(), "{}", sound.unwrap_err());
    }

    /// Compares with what was recorded.
    pub fn compare(&mut self, listing: &str) {
        for line in listing.lines() {
            let (command, expected) = line.split_once(" => ").expect("a reply is recorded");
            let args = split_arguments(command).expect("a command is recorded");
            assert_eq!(self.answer(&args, expected), expected, "{command}");
        }
    }

    fn answer(&mut self, args: &[Vec<u8>], expected: &str) -> String {
        let words = match (args[0].as_slice(), args.get(1).map(Vec::as_slice)) {
            (b"XINFO", Some(b"STREAM")) => {
                let reply = self.send(&args[..3]);
                let fields = flat(&reply);
                let name = quote(&args[3]);
                let at = fields.iter().position(|word| *word == name);
                vec![fields[at.expect("a field of XINFO STREAM") + 1].clone()]
            }
            (b"XINFO", Some(b"GROUPS")) => {
                // Older servers tell the first few fields of each group.
                let width = if expected.contains("entries-read") {
                    12
                } else {
                    8
                };
                let Value::Items { mut items, kind } = self.send(args) else {
                    return "no groups".to_owned();
                };
                for group in &mut items {
                    if let Value::Items { items, .. } = group {
                        items.truncate(width);
                    }
                }
                flat(&Value::Items { items, kind })
            }
            (b"SMEMBERS", _) => {
                let mut words = elements(&self.send(args));
                words.sort();
                words
            }
            (b"HGETALL", _) => {
                let words = elements(&self.send(args));
                let mut pairs: Vec<String> = words.chunks(2).map(|pair| pair.join(" ")).collect();
                pairs.sort();
                pairs
            }
            _ => flat(&self.send(args)),
        };
        words.join(" ")
    }
}

fn elements(value: &Value) -> Vec<String> {
    match value {
        Value::Items { items, .. } => items.iter().flat_map(flat).collect(),
        other => flat(other),
    }
}

fn flat(value: &Value) -> Vec<String> {
    match value {
        Value::Items { items, .. } => {
            let mut words = vec!["(".to_owned()];
            words.extend(items.iter().flat_map(flat));
            words.push(")".to_owned());
            words
        }
        Value::Leaf { kind, text } => vec![match *kind {
            "$-1" | "*-1" => "nil".to_owned(),
            ":" => format!(":{}", String::from_utf8_lossy(text)),
            "+" => String::from_utf8_lossy(text).into_owned(),
            "-" => format!("error {}", String::from_utf8_lossy(text)),
            _ if text.len() <= SHOWN => quote(text),
            _ => format!("~{}:{}", text.len(), digest(text)),
        }],
        other => vec![format!("{other:?}")],
    }
}

fn digest(text: &[u8]) -> String {
    sha1(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
