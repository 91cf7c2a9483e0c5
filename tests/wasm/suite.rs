//! What holds of the engine inside a browser: its transcripts, its independence of clock and chance, its memory.

#[path = "../spec/engine.rs"]
mod in_process;
#[allow(dead_code)]
#[path = "../spec/file.rs"]
mod file;
#[path = "../spec/play.rs"]
mod play;
#[allow(dead_code)] // Only some of its forms come up here.
#[path = "../spec/value.rs"]
mod value;

use redstart::engine::{Engine, Options};
use redstart::state::Kind;
use wasm_bindgen_test::wasm_bindgen_test;

fn run_transcript(name: &str, source: &str) {
    let cases = file::parse(source).expect("a transcript");
    let mut host = in_process::InProcess::new();
    assert!(!cases.is_empty());
    for case in &cases {
        for &protocol in &case.protocols {
            if let Err(why) = play::play(&mut host, case, protocol, name) {
                panic!("{} (RESP{protocol}): {why}", case.title);
            }
        }
    }
}

#[wasm_bindgen_test]
fn transactions_answer_as_redis_does() {
    run_transcript("transactions", include_str!("../spec/transactions.resp"));
}

fn replies(engine: &mut Engine, input: &[u8]) -> Vec<u8> {
    let id = engine.connect(Kind::Wire);
    engine.feed(id, input);
    engine.drain(id)
}

#[wasm_bindgen_test]
fn a_value_of_a_megabyte_comes_back() {
    let value = vec![b'v'; 1 << 20];
    let mut input = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", value.len()).into_bytes();
    input.extend(&value);
    input.extend(b"\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    let output = replies(&mut Engine::new(Options::default()), &input);
    assert!(output.starts_with(b"+OK\r\n$1048576\r\nvvvv"));
    assert_eq!(output.len(), 5 + 10 + value.len() + 2);
}

#[wasm_bindgen_test]
fn time_comes_from_the_host() {
    let mut engine = Engine::new(Options {
        now_ms: 1_000,
        ..Options::default()
    });
    let set = b"*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n$2\r\nPX\r\n$3\r\n100\r\n";
    assert_eq!(replies(&mut engine, set), b"+OK\r\n");
    engine.set_now(1_099);
    assert_eq!(replies(&mut engine, b"GET k\r\n"), b"$1\r\nv\r\n");
    engine.set_now(1_100);
    assert_eq!(replies(&mut engine, b"GET k\r\n"), b"$-1\r\n");
}

#[wasm_bindgen_test]
fn one_seed_gives_one_run() {
    let run = |seed| {
        let mut engine = Engine::new(Options {
            seed: [seed, 0],
            ..Options::default()
        });
        let mut input: Vec<u8> = (0..200)
            .flat_map(|i| format!("SET key:{i} {i}\r\n").into_bytes())
            .collect();
        input.extend(b"RANDOMKEY\r\nRANDOMKEY\r\nRANDOMKEY\r\nKEYS *\r\n".iter());
        replies(&mut engine, &input)
    };
    assert!(
        run(1) == run(1),
        "the same seed and input give the same replies"
    );
    assert!(
        run(1) != run(2),
        "the seed reaches the tables and the random commands"
    );
}
