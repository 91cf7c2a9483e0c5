//! Which keys go when memory is short, and what everybody hears of it.

use redstart::engine::{Called, Engine, Kind, Options, SessionId};

const START_MS: i64 = 1_700_000_000_000;

struct Server {
    engine: Engine,
    client: SessionId,
    now_ms: i64,
}

impl Server {
    fn new(policy: &str) -> Server {
        let mut engine = Engine::new(Options {
            seed: [7, 9],
            now_ms: START_MS,
            ..Options::default()
        });
        let client = engine.connect(Kind::Native3);
        let mut server = Server {
            engine,
            client,
            now_ms: START_MS,
        };
        server.ask(&format!("CONFIG SET maxmemory-policy {policy}"));
        server
    }

    fn ask(&mut self, line: &str) -> String {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let called = self.engine.call(self.client, &words);
        assert_eq!(called, Called::Replied, "{line}");
        let reply = self.engine.reply();
        let number = || reply.cells().get(1).map_or(0, |value| *value as i32);
        match reply.text() {
            b"" => number().to_string(),
            text => String::from_utf8_lossy(text).into_owned(),
        }
    }

    fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
        self.engine.set_now(self.now_ms);
        self.engine.tick();
    }

    fn used(&self) -> u64 {
        self.engine.keys().used_bytes()
    }

    /// From now on there is room for what there is, and for `bytes` more.
    fn leave_room(&mut self, bytes: u64) {
        let limit = self.used() + bytes;
        self.ask(&format!("CONFIG SET maxmemory {limit}"));
    }

    fn has(&mut self, key: &str) -> bool {
        self.ask(&format!("TYPE {key}")) != "none"
    }

    fn count(&mut self, names: impl Iterator<Item = String>) -> usize {
        names.filter(|name| self.has(name)).count()
    }

    fn evicted(&self) -> u64 {
        self.engine.keys().stats.evicted
    }
}

fn key(group: &str, at: usize) -> String {
    format!("{group}:{at}")
}

#[test]
fn without_a_policy_writes_are_refused_and_nothing_goes() {
    let mut server = Server::new("noeviction");
    for at in 0..100 {
        server.ask(&format!("SET {} {}", key("k", at), "x".repeat(100)));
    }
    server.leave_room(0);
    server.ask("CONFIG SET maxmemory 1000");
    let refused = server.ask("SET more x");
    assert_eq!(
        refused,
        "OOM command not allowed when used memory > 'maxmemory'."
    );
    assert_eq!(server.ask("DEL k:0"), "1");
    assert_eq!(
        (server.ask("DBSIZE"), server.evicted()),
        ("99".to_owned(), 0)
    );
}

#[test]
fn only_keys_that_expire_go_under_a_volatile_policy() {
    for policy in [
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ] {
        let mut server = Server::new(policy);
        for at in 0..500 {
            server.ask(&format!("SET {} {}", key("stay", at), "x".repeat(50)));
            server.ask(&format!(
                "SET {} {} EX {}",
                key("go", at),
                "x".repeat(50),
                1000 + at
            ));
        }
        server.leave_room(0);
        for at in 0..300 {
            assert_eq!(
                server.ask(&format!("SET {} {}", key("new", at), "x".repeat(50))),
                "OK",
                "{policy}"
            );
        }
        let stayed = server.count((0..500).map(|at| key("stay", at)));
        let left = server.count((0..500).map(|at| key("go", at)));
        assert_eq!(stayed, 500, "{policy}");
        assert_eq!(500 - left as u64, server.evicted(), "{policy}");
        assert!((100..400).contains(&left), "{policy}: {left}");
        if policy == "volatile-ttl" {
            let soon = server.count((0..250).map(|at| key("go", at)));
            assert!(
                soon < left / 4,
                "those that live long stay: {soon} of {left}"
            );
        }
        // When none is left that may go, writes are refused.
        let mut replies = (0..5000).map(|at| server.ask(&format!("SET {} x", key("more", at))));
        assert!(replies.any(|reply| reply.starts_with("OOM")), "{policy}");
        assert_eq!(
            server.count((0..500).map(|at| key("go", at))),
            0,
            "{policy}"
        );
    }
}

#[test]
fn what_was_not_used_goes_first() {
    for (policy, touch) in [("allkeys-lru", "GET"), ("allkeys-lfu", "GET")] {
        let mut server = Server::new(policy);
        for at in 0..1000 {
            server.ask(&format!("SET {} {}", key("k", at), "x".repeat(50)));
        }
        server.leave_room(0);
        for _ in 0..20 {
            server.pass(10_000);
            for at in 0..500 {
                server.ask(&format!("{touch} {}", key("k", at)));
            }
        }
        for at in 0..400 {
            assert_eq!(
                server.ask(&format!("SET {} {}", key("new", at), "x".repeat(50))),
                "OK"
            );
            server.pass(100);
        }
        let used = server.count((0..500).map(|at| key("k", at)));
        let unused = server.count((500..1000).map(|at| key("k", at)));
        assert!(used > 450 && unused < 200, "{policy}: {used} and {unused}");
    }
}

#[test]
fn under_an_lrm_policy_reads_do_not_count() {
    let mut server = Server::new("allkeys-lrm");
    for at in 0..1000 {
        server.ask(&format!("SET {} {}", key("k", at), "x".repeat(50)));
    }
    server.leave_room(0);
    server.pass(100_000);
    for at in 0..500 {
        server.ask(&format!("APPEND {} y", key("k", at)));
    }
    server.pass(100_000);
    for at in 500..1000 {
        server.ask(&format!("GET {}", key("k", at)));
    }
    for at in 0..300 {
        server.ask(&format!("SET {} {}", key("new", at), "x".repeat(50)));
    }
    let changed = server.count((0..500).map(|at| key("k", at)));
    assert!(changed > 490, "{changed}");
}

#[test]
fn everybody_hears_of_what_goes() {
    let mut server = Server::new("allkeys-random");
    server.ask("CONFIG SET notify-keyspace-events Ee");
    let other = server.engine.connect(Kind::Wire);
    server
        .engine
        .feed(other, b"SUBSCRIBE __keyevent@0__:evicted\r\n");
    server.engine.drain(other);
    server.engine.set_logging(true);
    for at in 0..50 {
        server.ask(&format!("SET {} {}", key("k", at), "x".repeat(50)));
    }
    let watcher = server.engine.connect(Kind::Wire);
    let watch: String = (0..50)
        .map(|at| format!("WATCH {}\r\n", key("k", at)))
        .collect();
    server.engine.feed(watcher, watch.as_bytes());
    server.engine.feed(watcher, b"MULTI\r\nPING\r\n");
    server.engine.drain(watcher);
    server.engine.take_log();
    server.leave_room(0);
    server.ask(&format!("SET more {}", "x".repeat(200)));
    // The next command finds that it is too much.
    server.ask("GET nothing");
    assert!(server.evicted() > 0);
    let heard = String::from_utf8_lossy(&server.engine.drain(other)).into_owned();
    let log = server.engine.take_log();
    let deleted: Vec<String> = log
        .iter()
        .filter(|record| record.command[0] == b"DEL")
        .map(|record| String::from_utf8_lossy(&record.command[1]).into_owned())
        .collect();
    assert_eq!(deleted.len() as u64, server.evicted());
    for name in &deleted {
        assert!(heard.contains(name.as_str()), "{name}");
    }
    server.engine.feed(watcher, b"EXEC\r\n");
    let exec = String::from_utf8_lossy(&server.engine.drain(watcher)).into_owned();
    let is_touched = deleted.iter().any(|name| name.starts_with("k:"));
    assert_eq!(exec == "*-1\r\n", is_touched);
}

#[test]
fn a_limit_that_falls_far_is_reached_in_steps() {
    let mut server = Server::new("allkeys-lru");
    for at in 0..20_000 {
        server.ask(&format!("SET {} {}", key("k", at), "x".repeat(20)));
    }
    let half = server.used() / 2;
    server.ask(&format!("CONFIG SET maxmemory {half}"));
    let mut ticks = 0;
    while server
        .engine
        .next_deadline_ms()
        .is_some_and(|at| at <= server.now_ms)
    {
        let before = server.evicted();
        server.engine.tick();
        assert!(server.evicted() - before <= 500, "no tick takes long");
        ticks += 1;
    }
    assert!(ticks > 10, "{ticks}");
    assert!(server.used() <= half);
    assert_eq!(server.ask("SET one more"), "OK");
}
