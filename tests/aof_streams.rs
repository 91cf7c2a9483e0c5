//! What random streams of commands record, run again, is the data they left. `REDSTART_SEED` gives the first stream,
//! `REDSTART_RUNS` how many; with `REDSTART_KEEP` the files are kept in that folder, each with its DEBUG DIGEST behind its
//! name, for `npm run record:aof -- FILE` to ask a redis-server.

#[path = "differential/libraries.rs"]
mod libraries;
#[path = "differential/scripts.rs"]
mod scripts;
#[allow(dead_code)] // How replies are compared serves those who compare them.
#[path = "differential/stream.rs"]
mod stream;
#[allow(dead_code)]
#[path = "differential/vocabulary.rs"]
mod vocabulary;

use redstart::engine::{Engine, Options, SessionId};
use redstart::state::Kind;
use stream::{CLIENTS, Repertoire, Step};
use vocabulary::Vocabulary;

const START_MS: i64 = 1_700_000_000_000;
const LENGTH: usize = 250;

fn new_engine() -> Engine {
    let mut engine = Engine::new(Options {
        seed: [21, 22],
        now_ms: START_MS,
        ..Options::default()
    });
    let words: [&[u8]; 2] = [b"--enable-debug-command", b"yes"];
    engine
        .configure(b"", b"", &words)
        .expect("a good configuration");
    engine
}

fn encode(args: &[Vec<u8>]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend(format!("${}\r\n", arg.len()).bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A command of a client of its own, its words between blanks; the reply's bytes.
fn ask(engine: &mut Engine, line: &str) -> Vec<u8> {
    let id = engine.connect(Kind::Wire);
    let words: Vec<Vec<u8>> = line
        .split(' ')
        .map(|word| word.as_bytes().to_vec())
        .collect();
    engine.feed(id, &encode(&words));
    let reply = engine.drain(id);
    engine.disconnect(id);
    reply
}

/// A bulk string.
fn bulk(reply: &[u8]) -> Vec<u8> {
    let end = reply.windows(2).position(|pair| pair == b"\r\n");
    let start = end.map_or(0, |end| end + 2);
    reply[start..reply.len() - 2].to_vec()
}

fn vocabulary() -> Vocabulary {
    let mut engine = new_engine();
    let mut payloads = Vec::new();
    for line in [
        "SET k x",
        "RPUSH l a b",
        "SADD s a 1",
        "HSET h f v",
        "ZADD z 1 a",
        "XADD x 1-1 f v",
    ] {
        ask(&mut engine, line);
        let key = line.split(' ').nth(1).unwrap_or("");
        payloads.push(bulk(&ask(&mut engine, &format!("DUMP {key}"))));
    }
    Vocabulary {
        payloads,
        library_payloads: vec![bulk(&ask(&mut engine, "FUNCTION DUMP"))],
    }
}

/// Everything of a data set that a log has to bring back.
fn contents(engine: &mut Engine) -> Vec<String> {
    let mut lines = vec![String::from_utf8_lossy(&ask(engine, "DEBUG DIGEST")).into_owned()];
    lines.push(ask(engine, "FUNCTION LIST").escape_ascii().to_string());
    for db in 0..engine.keys().db_count() {
        let Some(table) = engine.keys().db(db) else {
            continue;
        };
        let keys: Vec<(Vec<u8>, Option<i64>)> = table
            .iter()
            .map(|view| (view.key().to_vec(), view.expiry_ms()))
            .collect();
        let id = engine.connect(Kind::Wire);
        let select = [b"SELECT".to_vec(), db.to_string().into_bytes()];
        engine.feed(id, &encode(&select));
        let mut digest = |key: &[u8]| {
            engine.drain(id);
            let words = [b"DEBUG".to_vec(), b"DIGEST-VALUE".to_vec(), key.to_vec()];
            engine.feed(id, &encode(&words));
            engine.drain(id).escape_ascii().to_string()
        };
        let mut found: Vec<String> = keys
            .iter()
            .map(|(key, expiry_ms)| {
                let digest = digest(key);
                format!("{db} {} {expiry_ms:?} {digest}", key.escape_ascii())
            })
            .collect();
        found.sort();
        lines.append(&mut found);
    }
    lines
}

/// The thresholds of encodings: a packed sorted set has no -0.
fn configure(engine: &mut Engine, stream: &stream::Stream) {
    for (name, value) in &stream.setup.settings {
        let words = ["CONFIG", "SET", name.as_str(), value.as_str()];
        let words: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let id = engine.connect(Kind::Wire);
        engine.feed(id, &encode(&words));
        engine.disconnect(id);
    }
}

/// Runs a stream; what it recorded, and what it left.
fn play(stream: &stream::Stream) -> (Vec<u8>, Engine) {
    let mut engine = new_engine();
    engine.start_aof();
    configure(&mut engine, stream);
    let mut clients: Vec<Option<SessionId>> = vec![None; CLIENTS + 2];
    let mut log = Vec::new();
    let mut bytes = Vec::new();
    for step in &stream.steps {
        match step {
            Step::Send { client, args } => {
                let id = *clients[*client].get_or_insert_with(|| engine.connect(Kind::Wire));
                engine.feed(id, &encode(args));
                engine.drain(id);
                // Scripts may pause.
                while engine.is_busy() {
                    engine.tick();
                }
            }
            Step::Wait { ms } => {
                engine.set_now(engine.now_ms() + *ms as i64);
                engine.tick();
            }
            Step::Unblock { target, .. } | Step::Close { client: target } => {
                if let Some(id) = clients[*target].take() {
                    engine.disconnect(id);
                }
            }
        }
        engine.take_aof(&mut bytes);
        log.extend_from_slice(&bytes);
    }
    // What is over by now is gone, whoever has met it.
    engine.set_now(engine.now_ms() + 1);
    for _ in 0..20 {
        engine.tick();
    }
    engine.take_aof(&mut bytes);
    log.extend_from_slice(&bytes);
    (log, engine)
}

#[test]
fn streams_are_brought_back_by_their_logs() {
    let number = |name: &str, fallback: u64| {
        let text = std::env::var(name).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or(fallback)
    };
    let (seed, runs) = (number("REDSTART_SEED", 1), number("REDSTART_RUNS", 30));
    let lookup = new_engine();
    let repertoire = Repertoire::new(lookup.lookup(), &[]);
    let vocabulary = vocabulary();
    let mut bytes = 0;
    for seed in seed..seed + runs {
        let stream = stream::stream(lookup.lookup(), &repertoire, &vocabulary, seed, LENGTH);
        let (log, mut engine) = play(&stream);
        bytes += log.len();
        let expected = contents(&mut engine);
        if let Ok(folder) = std::env::var("REDSTART_KEEP") {
            let digest = expected[0].trim_start_matches('+').trim();
            let path = std::path::Path::new(&folder).join(format!("{seed}.{digest}.aof"));
            std::fs::write(path, &log).expect("a folder");
        }
        let mut other = new_engine();
        configure(&mut other, &stream);
        other.set_now(engine.now_ms());
        other.begin_replay(b"", 0);
        for piece in log.chunks(1 + seed as usize * 97 % 5000) {
            other
                .replay_chunk(piece)
                .unwrap_or_else(|why| panic!("REDSTART_SEED={seed}: {why:?}"));
        }
        assert_eq!(other.end_replay(true).ok(), Some(log.len() as u64));
        for _ in 0..20 {
            other.tick();
        }
        let found = contents(&mut other);
        for (expected, found) in expected.iter().zip(&found).skip(1) {
            assert_eq!(
                expected, found,
                "repeat with REDSTART_SEED={seed} REDSTART_RUNS=1"
            );
        }
        assert_eq!(
            expected, found,
            "repeat with REDSTART_SEED={seed} REDSTART_RUNS=1"
        );
    }
    assert!(bytes > 1000 * runs as usize, "the streams write");
}
