//! What must hold for every payload that RESTORE gets: it is refused, or what it makes is a value like any other.

use redstart::engine::{Engine, Options, SessionId};
use redstart::formats::dump;
use redstart::state::Kind;
use redstart::table::{Flags, Lookup};

use super::streams::{Source, arguments_for, encode, filling};
use super::value::{Value, decode};

const START_MS: i64 = 1_700_000_000_000;
/// Behind the object: its format and a checksum.
const FOOTER_BYTES: usize = 10;
const KEY: &[u8] = b"k";

struct Client {
    engine: Engine,
    id: SessionId,
}

impl Client {
    fn new() -> Self {
        let mut engine = Engine::new(Options {
            seed: [13, 17],
            now_ms: START_MS,
            ..Options::default()
        });
        let id = engine.connect(Kind::Wire);
        Client { engine, id }
    }

    fn ask(&mut self, args: &[&[u8]]) -> Value {
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.to_vec()).collect();
        self.send(&args)
    }

    /// The first reply; a command that waits gets none.
    fn send(&mut self, args: &[Vec<u8>]) -> Value {
        self.engine.feed(self.id, &encode(args));
        let output = self.engine.drain(self.id);
        let reply = decode(&output).expect("well-formed replies");
        if reply.is_none() || self.engine.is_closing(self.id) {
            self.engine.disconnect(self.id);
            self.id = self.engine.connect(Kind::Wire);
        }
        reply.map_or(Value::Closed, |(value, _)| value)
    }

    fn check(&self) {
        let sound = self.engine.keys().check();
        assert!(sound.is_ok(), "{}", sound.unwrap_err());
    }
}

/// A value of some type, built by commands, as its payload without the footer.
pub fn object(source: &mut Source) -> Vec<u8> {
    let mut client = Client::new();
    for _ in 0..1 + source.below(6) {
        let args = filling(source, KEY);
        client.send(&args);
    }
    match client.ask(&[b"DUMP", KEY]) {
        Value::Leaf { kind: "$", text } => text[..text.len() - FOOTER_BYTES].to_vec(),
        _ => Vec::new(),
    }
}

/// Bytes changed, lost, doubled, added; then sealed again.
pub fn damaged(source: &mut Source, mut object: Vec<u8>) -> Vec<u8> {
    for _ in 0..source.below(5) {
        if object.is_empty() {
            break;
        }
        let at = source.below(object.len());
        match source.below(6) {
            0 => object.truncate(at),
            1 => object.insert(at, source.byte()),
            2 => drop(object.remove(at)),
            3 => object[at] ^= 1 << source.below(8),
            4 => object[at] = source.pick(&[0, 1, 0x7f, 0x80, 0xc0, 0xf0, 0xf4, 0xff]),
            _ => object[at] = source.byte(),
        }
    }
    dump::write_footer(&mut object, 0);
    object
}

/// A damaged payload of any type: an error, or a value that is sound, answers every reading command, can be changed and
/// comes back from its own payload.
pub fn damaged_payload(data: &[u8]) {
    let mut source = Source::new(data);
    let object = object(&mut source);
    let payload = damaged(&mut source, object);
    let mut client = Client::new();
    let restored = client.ask(&[b"RESTORE", KEY, b"0", &payload]);
    client.check();
    if is_error(&restored) {
        let there = client.ask(&[b"EXISTS", KEY]);
        assert_eq!(there, int(0), "refused, but there");
        return;
    }
    for args in readings(&mut source, client.engine.lookup()) {
        client.send(&args);
    }
    client.check();
    if let Value::Leaf { kind: "$", text } = client.ask(&[b"DUMP", KEY]) {
        let again = client.ask(&[b"RESTORE", b"again", b"0", &text]);
        assert!(!is_error(&again), "a payload of one's own is refused");
    }
    for _ in 0..source.below(20) {
        let row = source.pick(client.engine.lookup().rows());
        let args = arguments_for(&mut source, row, Some(KEY));
        client.send(&args);
    }
    client.check();
}

fn is_error(value: &Value) -> bool {
    matches!(value, Value::Leaf { kind: "-", .. })
}

fn int(number: i64) -> Value {
    Value::Leaf {
        kind: ":",
        text: number.to_string().into_bytes(),
    }
}

/// Every command that reads, on the key.
fn readings(source: &mut Source, lookup: &Lookup) -> Vec<Vec<Vec<u8>>> {
    let rows = lookup.rows().iter();
    let reading = rows.filter(|row| row.row.is(Flags::READONLY) && !row.row.keys.is_empty());
    reading
        .map(|row| arguments_for(source, *row, Some(KEY)))
        .collect()
}
