//! What must hold for every input. A property panics when it does not; the fuzzers and `fuzz_bounded` call the same ones.

use redstart::engine::{Engine, Options, SessionId};
use redstart::state::Kind;

use super::streams::{Source, command, damaged_pipeline, encode};
use super::value::{Value, decode};

const START_MS: i64 = 1_700_000_000_000;
const MOST_COMMANDS: usize = 400;

fn engine() -> Engine {
    let mut engine = Engine::new(Options {
        seed: [7, 11],
        now_ms: START_MS,
        ..Options::default()
    });
    let words: [&[u8]; 2] = [b"--enable-debug-command", b"yes"];
    engine
        .configure(b"", b"", &words)
        .expect("a good configuration");
    engine
}

/// Bytes on a connection: no panic, well-formed replies, and the same ones however the bytes are cut into pieces.
pub fn resp(data: &[u8]) {
    let mut source = Source::new(data);
    let is_raw = source.chance(50);
    let bytes = if is_raw {
        source.rest().to_vec()
    } else {
        damaged_pipeline(&mut source)
    };
    let mut cuts = Source::new(data);
    let whole = exchange(&bytes, || usize::MAX);
    let pieces = exchange(&bytes, || 1 + cuts.below(17));
    if !tells_of_input(&bytes) {
        assert_eq!(whole, pieces, "the replies depend on how the input is cut");
    }
    decode_all(&whole.0);
}

/// Whether a command may be in the bytes whose reply rightly tells how much input or memory there was.
fn tells_of_input(bytes: &[u8]) -> bool {
    let lower = bytes.to_ascii_lowercase();
    let words: [&[u8]; 6] = [
        b"info", b"client", b"memory", b"debug", b"slowlog", b"monitor",
    ];
    words
        .iter()
        .any(|word| lower.windows(word.len()).any(|window| window == *word))
}

/// Feeds bytes in pieces; the output and whether the connection is to be closed.
fn exchange(bytes: &[u8], mut piece: impl FnMut() -> usize) -> (Vec<u8>, bool) {
    let mut engine = engine();
    let id = engine.connect(Kind::Wire);
    let mut rest = bytes;
    while !rest.is_empty() && !engine.is_closing(id) {
        let (now, later) = rest.split_at(piece().min(rest.len()));
        engine.feed(id, now);
        rest = later;
    }
    (engine.drain(id), engine.is_closing(id))
}

/// Random commands: no panic, well-formed replies; then the keyspace agrees with itself.
pub fn commands(data: &[u8]) {
    let mut source = Source::new(data);
    let mut engine = engine();
    let mut clients = [engine.connect(Kind::Wire), engine.connect(Kind::Wire)];
    for _ in 0..MOST_COMMANDS {
        if source.is_empty() {
            break;
        }
        let args = command(&mut source, engine.lookup());
        let at = source.below(clients.len());
        engine.feed(clients[at], &encode(&args));
        if source.chance(5) {
            engine.set_now(engine.now_ms() + [1, 100, 5000][source.below(3)]);
            engine.tick();
        }
        while engine.next_request().is_some() {}
        for client in &mut clients {
            decode_all(&engine.drain(*client));
            if engine.is_closing(*client) {
                engine.disconnect(*client);
                *client = engine.connect(Kind::Wire);
            }
        }
    }
    // Whatever the stream set up (a pause, a password, limits), the checks ask as a client that may see everything.
    check_keyspace(&mut engine);
}

/// Every complete reply in the bytes; panics on anything that is no reply or on a rest.
fn decode_all(bytes: &[u8]) -> Vec<Value> {
    let mut values = Vec::new();
    let mut rest = bytes;
    while let Some((value, length)) = decode(rest).expect("well-formed replies") {
        values.push(value);
        rest = &rest[length..];
    }
    assert!(rest.is_empty(), "a reply was cut short: {rest:?}");
    values
}

fn ask(engine: &mut Engine, id: SessionId, args: &[&[u8]]) -> Value {
    let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.to_vec()).collect();
    engine.feed(id, &encode(&args));
    let mut replies = decode_all(&engine.drain(id));
    assert_eq!(replies.len(), 1, "one reply to one command");
    replies.remove(0)
}

fn check_keyspace(engine: &mut Engine) {
    let sound = engine.keys().check();
    assert!(sound.is_ok(), "{}", sound.unwrap_err());
    // DBSIZE counts what has expired until the background removes it.
    for _ in 0..20 {
        engine.set_now(engine.now_ms() + 100);
        engine.tick();
    }
    let id = engine.connect(Kind::Wire);
    for database in 0..16 {
        let database = database.to_string();
        if ask(engine, id, &[b"SELECT", database.as_bytes()]) != ok() {
            return;
        }
        let Value::Items { items, .. } = ask(engine, id, &[b"KEYS", b"*"]) else {
            return;
        };
        let size = Value::Leaf {
            kind: ":",
            text: items.len().to_string().into_bytes(),
        };
        assert_eq!(
            ask(engine, id, &[b"DBSIZE"]),
            size,
            "KEYS and DBSIZE disagree"
        );
        for item in items {
            let Value::Leaf { text: key, .. } = item else {
                panic!("a key is a bulk string")
            };
            check_dump(engine, id, &key);
        }
    }
}

/// A value survives DUMP and RESTORE.
fn check_dump(engine: &mut Engine, id: SessionId, key: &[u8]) {
    const COPY: &[u8] = b"copy of a key";
    let Value::Leaf {
        kind: "$",
        text: payload,
    } = ask(engine, id, &[b"DUMP", key])
    else {
        return;
    };
    let restored = ask(engine, id, &[b"RESTORE", COPY, b"0", &payload, b"REPLACE"]);
    assert_eq!(restored, ok(), "a payload of one's own is refused");
    // Only what it holds counts: lives are no part of a payload.
    ask(engine, id, &[b"PERSIST", key]);
    let Value::Items { items, .. } = ask(engine, id, &[b"DEBUG", b"DIGEST-VALUE", key, COPY])
    else {
        panic!("DEBUG is allowed");
    };
    assert_eq!(items.first(), items.last(), "restored as another value");
    let Value::Leaf { text: again, .. } = ask(engine, id, &[b"DUMP", COPY]) else {
        panic!("a restored key is there");
    };
    if !comes_in_hash_order(&payload) && payload.first() == again.first() {
        assert_eq!(again, payload, "DUMP after RESTORE differs");
    }
    ask(engine, id, &[b"DEL", COPY]);
}

/// Whether a payload is of a set or hash that is a hash table.
fn comes_in_hash_order(payload: &[u8]) -> bool {
    const SET_TABLE: u8 = 2;
    const HASH_TABLE: u8 = 4;
    const HASH_TABLE_EX: u8 = 24;
    matches!(payload, [SET_TABLE | HASH_TABLE | HASH_TABLE_EX, ..])
}

fn ok() -> Value {
    Value::Leaf {
        kind: "+",
        text: b"OK".to_vec(),
    }
}
