//! Blocked clients in numbers: who is served, and what that costs.

use redstart::engine::{Called, Engine, Kind, Options, SessionId};

fn engine() -> Engine {
    Engine::new(Options {
        seed: [5, 6],
        now_ms: 1_700_000_000_000,
        ..Options::default()
    })
}

fn words(text: &str) -> Vec<&[u8]> {
    text.split(' ').map(str::as_bytes).collect()
}

fn call(engine: &mut Engine, session: SessionId, text: &str) -> Called {
    engine.call(session, &words(text))
}

/// What a session was told since the last look.
fn told(engine: &mut Engine, session: SessionId) -> String {
    let messages = std::iter::from_fn(|| engine.next_message(session));
    let texts = messages.map(|message| String::from_utf8(message.text).unwrap());
    texts.collect::<Vec<_>>().join(" ")
}

fn info(engine: &mut Engine, session: SessionId, line: &str) -> String {
    call(engine, session, "INFO clients commandstats errorstats");
    let text = String::from_utf8_lossy(engine.reply().text()).into_owned();
    let found = text.lines().find(|text| text.starts_with(line));
    found.unwrap_or_default().to_owned()
}

#[test]
fn thousands_wait_and_each_push_serves_one() {
    const CLIENTS: usize = 20_000;
    let mut engine = engine();
    let pusher = engine.connect(Kind::Native3);
    let waiting: Vec<SessionId> = (0..CLIENTS)
        .map(|_| {
            let session = engine.connect(Kind::Native3);
            let called = call(&mut engine, session, "BLPOP l 0");
            assert_eq!(called, Called::Blocked);
            session
        })
        .collect();
    assert_eq!(
        info(&mut engine, pusher, "blocked_clients"),
        format!("blocked_clients:{CLIENTS}")
    );
    // If each push tried all of them again, this would be two hundred million tries.
    for (number, session) in waiting.iter().enumerate() {
        call(&mut engine, pusher, &format!("RPUSH l {number}"));
        assert_eq!(told(&mut engine, *session), format!("l{number}"));
    }
    assert_eq!(
        info(&mut engine, pusher, "blocked_clients"),
        "blocked_clients:0"
    );
    assert_eq!(
        info(&mut engine, pusher, "total_blocking_keys:"),
        "total_blocking_keys:0"
    );
    let calls = info(&mut engine, pusher, "cmdstat_blpop");
    assert!(calls.contains(&format!("calls={CLIENTS},")), "{calls}");
}

#[test]
fn a_transaction_that_touches_thousands_of_keys_wakes_each_once() {
    let mut engine = engine();
    let pusher = engine.connect(Kind::Native3);
    let waiting: Vec<SessionId> = (0..5000)
        .map(|number| {
            let session = engine.connect(Kind::Native3);
            call(&mut engine, session, &format!("BRPOP k{number} x 0"));
            session
        })
        .collect();
    call(&mut engine, pusher, "MULTI");
    for number in 0..5000 {
        call(&mut engine, pusher, &format!("RPUSH k{number} a b"));
    }
    call(&mut engine, pusher, "EXEC");
    for (number, session) in waiting.iter().enumerate() {
        assert_eq!(told(&mut engine, *session), format!("k{number}b"));
    }
}

#[test]
fn a_ring_of_moves_goes_round_once() {
    let mut engine = engine();
    let pusher = engine.connect(Kind::Native3);
    let ring: Vec<SessionId> = (0..1000)
        .map(|number| {
            let session = engine.connect(Kind::Wire);
            let next = (number + 1) % 1000;
            let text = format!("BLMOVE {number} {next} LEFT RIGHT 0\r\nPING\r\n");
            engine.feed(session, text.as_bytes());
            session
        })
        .collect();
    call(&mut engine, pusher, "RPUSH 0 x");
    for session in ring {
        assert_eq!(engine.drain(session), b"$1\r\nx\r\n+PONG\r\n");
    }
    call(&mut engine, pusher, "LRANGE 0 0 -1");
    assert_eq!(engine.reply().text(), b"x");
}

#[test]
fn a_wait_is_counted_when_it_ends() {
    let mut engine = engine();
    let (one, other) = (engine.connect(Kind::Native3), engine.connect(Kind::Native3));
    call(&mut engine, one, "BLPOP l 1");
    assert_eq!(info(&mut engine, other, "cmdstat_blpop"), "");
    engine.set_now(1_700_000_001_000);
    engine.tick();
    let calls = info(&mut engine, other, "cmdstat_blpop");
    assert!(calls.contains("calls=1,"), "{calls}");
    call(&mut engine, one, "BLPOP l 0");
    call(&mut engine, other, "CLIENT UNBLOCK 1 ERROR");
    let calls = info(&mut engine, other, "cmdstat_blpop");
    assert!(calls.contains("calls=2,"), "{calls}");
    assert!(calls.ends_with("failed_calls=1"), "{calls}");
    assert_eq!(
        info(&mut engine, other, "errorstat_UNBLOCKED"),
        "errorstat_UNBLOCKED:count=1"
    );
}

#[test]
fn input_behind_a_wait_runs_after_everybody_is_served() {
    let mut engine = engine();
    let pusher = engine.connect(Kind::Wire);
    let (greedy, patient) = (engine.connect(Kind::Wire), engine.connect(Kind::Wire));
    engine.feed(greedy, b"BLPOP l 0\r\nLPOP l\r\n");
    engine.feed(patient, b"BLPOP l 0\r\n");
    engine.feed(pusher, b"RPUSH l a b\r\nRPUSH l c\r\nLLEN l\r\n");
    assert_eq!(engine.drain(pusher), b":2\r\n:1\r\n:1\r\n");
    assert_eq!(
        engine.drain(greedy),
        b"*2\r\n$1\r\nl\r\n$1\r\na\r\n$1\r\nc\r\n"
    );
    assert_eq!(engine.drain(patient), b"*2\r\n$1\r\nl\r\n$1\r\nb\r\n");
}

#[test]
fn a_client_that_leaves_wakes_nobody_and_is_forgotten() {
    let mut engine = engine();
    let pusher = engine.connect(Kind::Native3);
    let (gone, stays) = (engine.connect(Kind::Native3), engine.connect(Kind::Native3));
    call(&mut engine, gone, "BLPOP a b c 0");
    call(&mut engine, stays, "BLPOP c 0");
    engine.disconnect(gone);
    assert_eq!(
        info(&mut engine, pusher, "total_blocking_keys:"),
        "total_blocking_keys:1"
    );
    call(&mut engine, pusher, "RPUSH c x y");
    assert_eq!(told(&mut engine, stays), "cx");
    call(&mut engine, pusher, "LLEN c");
    assert_eq!(
        info(&mut engine, pusher, "total_blocking_keys:"),
        "total_blocking_keys:0"
    );
}
