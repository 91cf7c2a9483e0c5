//! Scripts, where a transcript cannot ask: what monitors see, which scripts are kept, the parameter that opens what Redis
//! took away, replies that nest without end.
#![cfg(feature = "scripting")]

use redstart::engine::{Engine, Kind, Options, SessionId};

const START_MS: i64 = 1_700_000_000_000;

fn engine(words: &[&str]) -> Engine {
    let mut engine = Engine::new(Options {
        seed: [7, 8],
        now_ms: START_MS,
        ..Options::default()
    });
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    engine
        .configure(b"", b"", &words)
        .expect("a good configuration");
    engine
}

/// Sends a command; what came at once.
fn ask(engine: &mut Engine, client: SessionId, args: &[&str]) -> String {
    let mut bytes = format!("*{}\r\n", args.len());
    for arg in args {
        bytes += &format!("${}\r\n{arg}\r\n", arg.len());
    }
    engine.feed(client, bytes.as_bytes());
    String::from_utf8_lossy(&engine.drain(client)).into_owned()
}

/// What redis-server 8.2.3 shows, but for times and addresses.
#[test]
fn monitors_see_a_script_before_what_it_calls() {
    let mut engine = engine(&[]);
    let client = engine.connect(Kind::Wire);
    engine.set_addresses(client, b"here", b"there");
    let monitor = engine.connect(Kind::Wire);
    assert_eq!(ask(&mut engine, monitor, &["MONITOR"]), "+OK\r\n");
    let source = "redis.call('set','a','x') redis.pcall('nope') redis.call('select',3) redis.call('get','a')";
    ask(&mut engine, client, &["EVAL", source, "0"]);
    ask(&mut engine, client, &["EVAL", "x y", "0"]);
    ask(&mut engine, client, &["EVALSHA", "none", "0"]);
    ask(&mut engine, client, &["EVAL", "return 1"]);
    ask(&mut engine, client, &["MULTI"]);
    ask(
        &mut engine,
        client,
        &["EVAL", "return redis.call('incr','n')", "0"],
    );
    ask(&mut engine, client, &["EXEC"]);
    let seen = engine.drain(monitor);
    let seen = String::from_utf8_lossy(&seen).replace("+1700000000.000000 ", "");
    let lines: Vec<&str> = seen.split_terminator("\r\n").collect();
    let eval = format!("[0 here] \"EVAL\" \"{source}\" \"0\"");
    assert_eq!(
        lines,
        [
            eval.as_str(),
            "[0 lua] \"set\" \"a\" \"x\"",
            "[3 lua] \"select\" \"3\"",
            "[3 lua] \"get\" \"a\"",
            "[0 here] \"EVAL\" \"x y\" \"0\"",
            "[0 here] \"EVALSHA\" \"none\" \"0\"",
            "[0 here] \"MULTI\"",
            "[0 here] \"EVAL\" \"return redis.call('incr','n')\" \"0\"",
            "[0 lua] \"incr\" \"n\"",
            "[0 here] \"EXEC\"",
        ]
    );
}

fn field(engine: &mut Engine, client: SessionId, name: &str) -> u64 {
    let text = ask(engine, client, &["INFO", "memory", "stats"]);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|value| value.parse().ok()).expect(name)
}

#[test]
fn eval_keeps_the_last_five_hundred_scripts() {
    let mut engine = engine(&[]);
    let client = engine.connect(Kind::Wire);
    let mut digests = Vec::new();
    let sha = |engine: &mut Engine, source: &str| {
        let script = format!("return redis.sha1hex(\"{source}\")");
        let reply = ask(engine, client, &["EVAL", &script, "0"]);
        reply.lines().nth(1).expect("a digest").to_string()
    };
    let sources: Vec<String> = (0..520).map(|number| format!("return {number}")).collect();
    for at in [0, 1, 2, 19, 20, 21, 519] {
        digests.push(sha(&mut engine, &sources[at]));
    }
    ask(&mut engine, client, &["SCRIPT", "FLUSH"]);
    ask(&mut engine, client, &["CONFIG", "RESETSTAT"]);
    assert_eq!(
        ask(&mut engine, client, &["SCRIPT", "LOAD", &sources[0]]).len(),
        47
    );
    for (at, source) in sources.iter().enumerate() {
        assert_eq!(
            ask(&mut engine, client, &["EVAL", source, "0"]),
            format!(":{at}\r\n")
        );
        // Used again, the second is not the longest unused.
        ask(&mut engine, client, &["EVALSHA", &digests[1], "0"]);
    }
    let mut words = vec!["SCRIPT", "EXISTS"];
    words.extend(digests.iter().map(String::as_str));
    // The first was loaded, the second is used; of the others the last 499 are there.
    let exists = ask(&mut engine, client, &words);
    assert_eq!(exists, "*7\r\n:1\r\n:1\r\n:0\r\n:0\r\n:0\r\n:1\r\n:1\r\n");
    assert_eq!(field(&mut engine, client, "number_of_cached_scripts"), 501);
    assert_eq!(field(&mut engine, client, "evicted_scripts"), 19);
    ask(&mut engine, client, &["SCRIPT", "FLUSH"]);
    assert_eq!(field(&mut engine, client, "number_of_cached_scripts"), 0);
    ask(&mut engine, client, &["CONFIG", "RESETSTAT"]);
    assert_eq!(field(&mut engine, client, "evicted_scripts"), 0);
}

#[test]
fn a_parameter_opens_what_redis_took_away() {
    let source = "setfenv(1, {t = type(newproxy(true))}) return t";
    let mut closed = engine(&[]);
    let client = closed.connect(Kind::Wire);
    let reply = ask(&mut closed, client, &["EVAL", source, "0"]);
    assert!(
        reply.contains("nonexistent global variable 'setfenv'"),
        "{reply}"
    );
    let mut open = engine(&["--lua-enable-deprecated-api", "yes"]);
    let client = open.connect(Kind::Wire);
    assert_eq!(
        ask(&mut open, client, &["EVAL", source, "0"]),
        "$8\r\nuserdata\r\n"
    );
    let reply = ask(&mut open, client, &["EVAL", "return print", "0"]);
    assert!(
        reply.contains("nonexistent global variable 'print'"),
        "{reply}"
    );
}

/// Redis gives up where its machine's stack of 8,000 places ends.
#[test]
fn tables_within_themselves_end_at_the_limit() {
    let mut engine = engine(&[]);
    let client = engine.connect(Kind::Wire);
    for (source, header, levels, errors) in [
        ("local t = {} t[1] = t return t", "*1\r\n", 7995, 1),
        ("local t = {} t.map = {a = t} return t", "*2\r\n", 2665, 2),
        (
            "local t = {} t.set = {[t] = true} return t",
            "*1\r\n",
            2665,
            1,
        ),
    ] {
        let reply = ask(&mut engine, client, &["EVAL", source, "0"]);
        let found =
            [header, "-ERR reached lua stack limit\r\n"].map(|text| reply.matches(text).count());
        assert_eq!(found, [levels, errors], "{source}");
    }
}

/// Redis would write until its memory is full.
#[test]
fn a_reply_without_end_is_refused() {
    let mut engine = engine(&[]);
    let client = engine.connect(Kind::Wire);
    let source = "local t = string.rep('x', 1e6) for i = 1, 60 do t = {t, t} end return t";
    let reply = ask(&mut engine, client, &["EVAL", source, "0"]);
    assert_eq!(reply, "-ERR the reply of the script is too large\r\n");
    assert_eq!(ask(&mut engine, client, &["PING"]), "+PONG\r\n");
}

/// What redis-server 8.2.3 replies after a save that failed.
#[test]
fn scripts_do_not_write_what_cannot_be_saved() {
    let mut engine = engine(&[]);
    let client = engine.connect(Kind::Wire);
    ask(&mut engine, client, &["SET", "x", "y"]);
    engine.server_mut().is_last_save_ok = false;
    let set = "return redis.call('set', 'x', 'q')";
    for (command, source, start) in [
        ("EVAL", "return 1", ":1\r\n"),
        ("EVAL", "return redis.call('get', 'x')", "$1\r\ny\r\n"),
        ("EVAL", set, "-MISCONF "),
        (
            "EVAL_RO",
            set,
            "-ERR Write commands are not allowed from read-only scripts. script: ",
        ),
        ("EVAL", "return redis.pcall('set', 'x', 'q')", "-MISCONF "),
        ("EVAL", "return redis.call('publish', 'a', 'b')", ":0\r\n"),
        ("EVAL", "#!lua\nreturn 1", "-MISCONF "),
        ("EVAL_RO", "#!lua\nreturn 1", "-MISCONF "),
        ("EVAL", "#!lua flags=allow-oom\nreturn 1", "-MISCONF "),
        ("EVAL", "#!lua flags=no-writes\nreturn 1", ":1\r\n"),
        ("EVAL_RO", "#!lua flags=no-writes\nreturn 1", ":1\r\n"),
    ] {
        let reply = ask(&mut engine, client, &[command, source, "0"]);
        assert!(reply.starts_with(start), "{command} {source}: {reply}");
    }
    let reply = ask(&mut engine, client, &["EVAL", set, "0"]);
    assert!(reply.contains(" about the RDB error. script: "), "{reply}");
}
