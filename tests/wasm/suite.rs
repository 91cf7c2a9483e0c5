//! What holds of the engine inside a browser: its transcripts, its independence of clock and chance, its memory.

#[path = "../spec/engine.rs"]
mod in_process;
#[allow(dead_code)]
#[path = "../spec/file.rs"]
mod file;
// Nothing here is older than its transcripts: what asks a server for its version is not needed.
#[allow(dead_code)]
#[path = "../spec/play.rs"]
mod play;
#[allow(dead_code)] // Only some of its forms come up here.
#[path = "../spec/value.rs"]
mod value;

use redstart::engine::{Engine, Options};
use redstart::state::Kind;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
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

/// A listener of a channel, kept alive as long as the channel.
type Listener = Closure<dyn FnMut(web_sys::MessageEvent)>;

/// Hands what comes on `channel` to `engine`; `heard` counts.
fn listen(
    channel: &web_sys::BroadcastChannel,
    engine: &Rc<RefCell<Engine>>,
    heard: &Rc<Cell<u32>>,
) -> Listener {
    let (engine, heard) = (Rc::clone(engine), Rc::clone(heard));
    let listener = Closure::<dyn FnMut(_)>::new(move |event: web_sys::MessageEvent| {
        let parts = js_sys::Array::from(&event.data());
        let bytes = |at| js_sys::Uint8Array::new(&parts.get(at)).to_vec();
        engine
            .borrow_mut()
            .remote_publish(false, &bytes(0), &bytes(1));
        heard.set(heard.get() + 1);
    });
    channel.set_onmessage(Some(listener.as_ref().unchecked_ref()));
    listener
}

/// Gives the browser time until `is_done` or two seconds are over.
async fn wait_until(is_done: impl Fn() -> bool) {
    let global: js_sys::Object = js_sys::global();
    let set_timeout =
        js_sys::Reflect::get(&global, &"setTimeout".into()).expect("every host has it");
    let set_timeout: js_sys::Function = set_timeout.unchecked_into();
    for _ in 0..100 {
        if is_done() {
            return;
        }
        let pause = js_sys::Promise::new(&mut |resolve, _| {
            set_timeout
                .call2(&global, &resolve, &20.into())
                .expect("a timer can be set");
        });
        wasm_bindgen_futures::JsFuture::from(pause)
            .await
            .expect("timers do not fail");
    }
}

#[wasm_bindgen_test]
async fn a_message_reaches_another_engine_over_a_broadcast_channel_and_no_further() {
    let engines = [1, 2].map(|seed| {
        let options = Options {
            seed: [seed, seed],
            now_ms: 1_700_000_000_000,
            ..Options::default()
        };
        let mut engine = Engine::new(options);
        engine.set_bridged(true);
        Rc::new(RefCell::new(engine))
    });
    let channels =
        [0, 1].map(|_| web_sys::BroadcastChannel::new("redstart-test").expect("a browser"));
    let heard = [0, 1].map(|_| Rc::new(Cell::new(0)));
    let _listeners = [0, 1].map(|at| listen(&channels[at], &engines[at], &heard[at]));
    let subscriber = engines[1].borrow_mut().connect(Kind::Wire);
    replies_of(
        &engines[1],
        subscriber,
        b"SUBSCRIBE news\r\nPSUBSCRIBE n*\r\n",
    );

    let publisher = engines[0].borrow_mut().connect(Kind::Wire);
    let reply = replies_of(
        &engines[0],
        publisher,
        b"*3\r\n$7\r\nPUBLISH\r\n$4\r\nnews\r\n$3\r\n\x00\xff\n\r\n",
    );
    assert_eq!(
        reply, b":0\r\n",
        "receivers of the publisher's own engine are counted"
    );
    let request = engines[0]
        .borrow_mut()
        .next_request()
        .expect("the host is to pass it on");
    assert_eq!(request[0], b"publish");
    let parts = request[1..]
        .iter()
        .map(|part| js_sys::Uint8Array::from(part.as_slice()));
    channels[0]
        .post_message(&parts.collect::<js_sys::Array>())
        .expect("bytes can be posted");

    wait_until(|| heard[1].get() > 0).await;
    let message = engines[1].borrow_mut().drain(subscriber);
    let expected = b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\n\x00\xff\n\r\n\
        *4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$3\r\n\x00\xff\n\r\n";
    assert_eq!(message, expected);
    assert_eq!(
        engines[1].borrow_mut().next_request(),
        None,
        "a heard message is not passed on"
    );
    assert_eq!(heard[0].get(), 0, "nothing comes back");
    channels.iter().for_each(web_sys::BroadcastChannel::close);
}

fn replies_of(engine: &Rc<RefCell<Engine>>, session: u32, input: &[u8]) -> Vec<u8> {
    let mut engine = engine.borrow_mut();
    engine.feed(session, input);
    engine.drain(session)
}
