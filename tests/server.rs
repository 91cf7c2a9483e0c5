//! What transcripts cannot show: commands whose reply comes later, requests to the host, configuration at the start.

use redstart::engine::{Engine, Kind, Options, Purpose, SessionId};

const START_MS: i64 = 1_700_000_000_000;

fn engine(words: &[&str]) -> Engine {
    let mut engine = Engine::new(Options {
        now_ms: START_MS,
        ..Options::default()
    });
    let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
    engine
        .configure(b"", b"", &words)
        .expect("a good command line");
    engine
}

fn ask(engine: &mut Engine, client: SessionId, line: &str) -> String {
    engine.feed(client, format!("{line}\r\n").as_bytes());
    String::from_utf8_lossy(&engine.drain(client)).into_owned()
}

fn advance(engine: &mut Engine, now_ms: i64) {
    engine.set_now(now_ms);
    engine.tick();
}

/// Host requests, as text.
fn requests(engine: &mut Engine) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(request) = engine.next_request() {
        all.push(String::from_utf8_lossy(&request.join(&b' ')).into_owned());
    }
    all
}

#[test]
fn debug_sleep_holds_everybody_up() {
    let mut engine = engine(&["--enable-debug-command", "yes"]);
    let (sleeper, other) = (engine.connect(Kind::Wire), engine.connect(Kind::Wire));
    assert_eq!(ask(&mut engine, sleeper, "DEBUG SLEEP 0.5"), "");
    assert_eq!(ask(&mut engine, other, "PING"), "");
    advance(&mut engine, START_MS + 499);
    assert_eq!(engine.drain(sleeper), b"");
    assert_eq!(engine.drain(other), b"");
    advance(&mut engine, START_MS + 500);
    assert_eq!(engine.drain(sleeper), b"+OK\r\n");
    assert_eq!(engine.drain(other), b"+PONG\r\n");
}

#[test]
fn debug_is_for_those_it_is_opened_to() {
    let refused = "-ERR DEBUG command not allowed.";
    let mut closed = engine(&[]);
    let client = closed.connect(Kind::Wire);
    assert!(ask(&mut closed, client, "DEBUG DIGEST").starts_with(refused));

    let mut local = engine(&["--enable-debug-command", "local"]);
    let (near, far) = (local.connect(Kind::Wire), local.connect(Kind::Wire));
    local.set_addresses(near, b"127.0.0.1:5", b"127.0.0.1:6379");
    local.set_addresses(far, b"10.1.2.3:5", b"10.1.2.4:6379");
    assert!(ask(&mut local, near, "DEBUG DIGEST").starts_with("+0000"));
    assert!(ask(&mut local, far, "DEBUG DIGEST").starts_with(refused));
}

#[test]
fn save_replies_when_the_host_has_stored_it() {
    let mut engine = engine(&["--save", ""]);
    let (client, other) = (engine.connect(Kind::Wire), engine.connect(Kind::Wire));
    let in_progress = "-ERR Background save already in progress\r\n";
    assert_eq!(ask(&mut engine, client, "SET k v"), "+OK\r\n");
    assert_eq!(ask(&mut engine, client, "SAVE"), "");
    assert_eq!(requests(&mut engine), ["save sync"]);
    for line in ["SAVE", "BGSAVE", "BGSAVE SCHEDULE"] {
        assert_eq!(ask(&mut engine, other, line), in_progress);
    }
    engine.set_now(START_MS + 7000);
    let mut bytes = Vec::new();
    engine.begin_snapshot(Purpose::Save);
    while engine.next_chunk(1 << 16, &mut bytes) {}
    engine.end_snapshot(true);
    assert_eq!(engine.drain(client), b"+OK\r\n");
    assert_eq!(
        ask(&mut engine, other, "LASTSAVE"),
        format!(":{}\r\n", START_MS / 1000 + 7)
    );
    assert_eq!(
        ask(&mut engine, other, "BGSAVE"),
        "+Background saving started\r\n"
    );
    assert_eq!(requests(&mut engine), ["save bg"]);
}

#[test]
fn shutdown_is_the_hosts_business() {
    let mut engine = engine(&[]);
    for (line, request) in [
        ("SHUTDOWN", "shutdown default"),
        ("SHUTDOWN NOSAVE", "shutdown nosave"),
        ("SHUTDOWN save NOW FORCE", "shutdown save now force"),
    ] {
        let client = engine.connect(Kind::Wire);
        assert_eq!(ask(&mut engine, client, line), "");
        assert_eq!(requests(&mut engine), [request]);
    }
}

#[test]
fn save_rules_are_obeyed_as_configured() {
    let mut engine = engine(&["--save", "10 2"]);
    let client = engine.connect(Kind::Wire);
    ask(&mut engine, client, "SET k v");
    advance(&mut engine, START_MS + 20_000);
    assert!(requests(&mut engine).is_empty());
    ask(&mut engine, client, "SET k w");
    advance(&mut engine, START_MS + 20_001);
    assert_eq!(requests(&mut engine), ["save bg"]);
}

#[test]
fn a_configuration_arrives_whole_or_not_at_all() {
    let mut engine = engine(&[]);
    let client = engine.connect(Kind::Wire);
    let file = b"databases 3\nport 0\nrequirepass a\n";
    let error = engine.configure(b"/etc/redis.conf", file, &[b"--hz", b"x"]);
    let message = String::from_utf8(error.expect_err("a bad value").message()).expect("ASCII");
    assert!(
        message.ends_with("at line 5\n>>> 'hz \"x\"'\nargument couldn't be parsed into an integer")
    );
    assert_eq!(ask(&mut engine, client, "SELECT 5"), "+OK\r\n");

    engine
        .configure(b"/etc/redis.conf", file, &[b"--hz", b"20"])
        .expect("a good one");
    assert_eq!(
        ask(&mut engine, client, "SELECT 3"),
        "-ERR DB index is out of range\r\n"
    );
    let newcomer = engine.connect(Kind::Wire);
    assert!(ask(&mut engine, newcomer, "PING").starts_with("-NOAUTH"));
    assert_eq!(ask(&mut engine, client, "CONFIG REWRITE"), "+OK\r\n");
    let expected = "config-rewrite databases 3\nport 0\nrequirepass \"a\"\n# Generated by CONFIG REWRITE\nhz 20\nuser default on \
         sanitize-payload #ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb ~* &* +@all\n";
    assert_eq!(requests(&mut engine), [expected]);
}

/// Configures an engine with a file; what is wrong with it.
fn configured(file: &[u8]) -> (Engine, Result<(), String>) {
    let mut engine = engine(&[]);
    let result = engine.configure(b"/etc/redis.conf", file, &[]);
    let result = result.map_err(|error| String::from_utf8_lossy(&error.message()).into_owned());
    (engine, result)
}

#[test]
fn a_configuration_declares_users() {
    let file = b"user u on nopass ~k* +get (+set ~s)\nuser default off\nrequirepass x\n";
    let (mut engine, result) = configured(file);
    assert_eq!(result, Ok(()));
    let client = engine.connect(Kind::Wire);
    assert!(ask(&mut engine, client, "PING").starts_with("-NOAUTH"));
    assert_eq!(ask(&mut engine, client, "AUTH u any"), "+OK\r\n");
    assert_eq!(ask(&mut engine, client, "GET k1"), "$-1\r\n");
    assert_eq!(ask(&mut engine, client, "SET s 1"), "+OK\r\n");
    assert!(ask(&mut engine, client, "SET k1 1").starts_with("-NOPERM"));
    let trusted = engine.connect(Kind::Wire);
    engine.trust(trusted);
    assert!(ask(&mut engine, trusted, "PING").starts_with("-NOAUTH"));
    for (file, reason) in [
        (
            "user u on\nuser u off\n",
            "at line 2\n>>> 'user u off'\nError in user declaration 'u': Duplicate user found. A user can only be defined once in config files",
        ),
        (
            "user u nope\n",
            "at line 1\n>>> 'user u nope'\nError in user declaration 'user': Syntax error",
        ),
        (
            "user\n",
            "at line 1\n>>> 'user'\nBad directive or wrong number of arguments",
        ),
    ] {
        let (_, result) = configured(file.as_bytes());
        assert!(
            result.as_ref().is_err_and(|text| text.ends_with(reason)),
            "{result:?}"
        );
    }
}

#[test]
fn a_rewritten_configuration_has_todays_users() {
    let file = b"user u on +get\nport 7892\n# x\nuser default on >p +@all\n";
    let (mut engine, result) = configured(file);
    assert_eq!(result, Ok(()));
    let client = engine.connect(Kind::Native3);
    engine.trust(client);
    let call = |engine: &mut Engine, words: &[&[u8]]| {
        engine.call(client, words);
        requests(engine)
    };
    call(&mut engine, &[b"ACL", b"SETUSER", b"z"]);
    let written = call(&mut engine, &[b"CONFIG", b"REWRITE"]);
    let hash = "148de9c5a7a44d19e56cd9ae1a554bf67847afb0c58f6e12fa29ac7ddfca9940";
    let default = format!("user default on sanitize-payload #{hash} resetchannels +@all");
    let u = "user u on sanitize-payload resetchannels -@all +get";
    let z = "user z off sanitize-payload resetchannels -@all";
    let mark = "# Generated by CONFIG REWRITE";
    assert_eq!(
        written,
        [format!(
            "config-rewrite {default}\nport 7892\n# x\n{u}\n{mark}\n{z}\n"
        )]
    );
    call(&mut engine, &[b"ACL", b"DELUSER", b"u"]);
    let written = call(&mut engine, &[b"CONFIG", b"REWRITE"]);
    assert_eq!(
        written,
        [format!(
            "config-rewrite {default}\nport 7892\n# x\n{z}\n{mark}\n"
        )]
    );
}

#[test]
fn an_acl_file_is_read_and_written_by_the_host() {
    let (mut engine, result) = configured(b"aclfile /etc/users.acl\n");
    assert_eq!(result, Ok(()));
    let path = b"/etc/users.acl";
    assert_eq!(
        engine.load_users(path, b"user a on nopass +@all ~*\n\nuser b on >x -@all\n"),
        Ok(())
    );
    let client = engine.connect(Kind::Wire);
    let other = engine.connect(Kind::Wire);
    assert_eq!(ask(&mut engine, other, "AUTH b x"), "+OK\r\n");
    assert_eq!(ask(&mut engine, client, "ACL SAVE"), "");
    let hash = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let lines = [
        "user a on nopass sanitize-payload ~* resetchannels +@all",
        &format!("user b on sanitize-payload #{hash} resetchannels -@all"),
        "user default on nopass sanitize-payload ~* &* +@all",
    ];
    assert_eq!(
        requests(&mut engine),
        [format!("acl-save {}\n", lines.join("\n"))]
    );
    engine.end_acl_wait(&Ok(()));
    assert_eq!(String::from_utf8_lossy(&engine.drain(client)), "+OK\r\n");

    assert_eq!(ask(&mut engine, client, "ACL LOAD"), "");
    assert_eq!(requests(&mut engine), ["acl-load"]);
    let bad = b"user a on nopass +@all ~*\n\n  \nfoo b\nuser a on\nuser c d e nope\nuser \"d e\"\nuser f (+get\nuser \"g\n";
    assert!(engine.load_users(path, bad).is_err());
    let told = "-ERR /etc/users.acl:4 should start with user keyword followed by the username. WARNING: Duplicate user 'a' \
                found on line 5. /etc/users.acl:6: Syntax error. ";
    let reply = String::from_utf8_lossy(&engine.drain(client)).into_owned();
    assert!(reply.starts_with(told), "{reply}");
    assert!(reply.ends_with("WARNING: ACL errors detected, no change to the previously active ACL rules was performed\r\n"));

    assert_eq!(ask(&mut engine, client, "ACL LOAD"), "");
    assert_eq!(
        engine.load_users(path, b"user default off\nuser a on nopass +@all ~*\n"),
        Ok(())
    );
    assert_eq!(String::from_utf8_lossy(&engine.drain(client)), "+OK\r\n");
    assert!(engine.is_closing(other), "its user is gone");
    let late = engine.connect(Kind::Wire);
    assert!(ask(&mut engine, late, "PING").starts_with("-NOAUTH"));
}

#[test]
fn the_host_hears_of_what_it_must_obey() {
    let mut engine = engine(&[]);
    let client = engine.connect(Kind::Wire);
    assert_eq!(
        ask(
            &mut engine,
            client,
            "CONFIG SET hz 20 timeout 5 loglevel DEBUG"
        ),
        "+OK\r\n"
    );
    assert_eq!(
        requests(&mut engine),
        ["config timeout 5", "config loglevel debug"]
    );
}

#[test]
fn monitors_see_what_runs() {
    let mut engine = engine(&["--requirepass", "x"]);
    let (monitor, client) = (engine.connect(Kind::Wire), engine.connect(Kind::Wire));
    engine.set_addresses(client, b"127.0.0.1:5", b"127.0.0.1:6379");
    assert_eq!(ask(&mut engine, monitor, "AUTH x"), "+OK\r\n");
    assert_eq!(ask(&mut engine, monitor, "MONITOR"), "+OK\r\n");
    assert_eq!(ask(&mut engine, monitor, "MONITOR"), "");
    engine.set_now(START_MS + 42);
    for line in [
        "AUTH x",
        r#"SET k "a\"b\n\x01""#,
        "GET",
        "NOSUCH",
        "CONFIG GET hz",
        "SELECT 3",
        "MULTI",
        "INCR n",
        "EXEC",
    ] {
        ask(&mut engine, client, line);
    }
    let seen = String::from_utf8(engine.drain(monitor)).expect("ASCII");
    let expected = [
        r#"0 127.0.0.1:5] "AUTH" "(redacted)""#,
        r#"0 127.0.0.1:5] "SET" "k" "a\"b\n\x01""#,
        r#"3 127.0.0.1:5] "SELECT" "3""#,
        r#"3 127.0.0.1:5] "MULTI""#,
        r#"3 127.0.0.1:5] "INCR" "n""#,
        r#"3 127.0.0.1:5] "EXEC""#,
    ];
    let expected = expected.map(|line| format!("+1700000000.042000 [{line}\r\n"));
    assert_eq!(seen, expected.concat());
    let refused = "-ERR Replica can't interact with the keyspace\r\n";
    assert_eq!(ask(&mut engine, monitor, "GET k"), refused);
    let own = ask(&mut engine, monitor, "PING");
    assert!(own.starts_with("+PONG\r\n+1700000000.042000 [0 ") && own.ends_with("\"PING\"\r\n"));
    assert_eq!(ask(&mut engine, monitor, "RESET"), "+RESET\r\n");
    ask(&mut engine, client, "PING");
    assert_eq!(engine.drain(monitor), b"");
}

#[test]
fn the_slow_log_keeps_commands_short() {
    let mut engine = engine(&[
        "--slowlog-log-slower-than",
        "0",
        "--enable-debug-command",
        "yes",
    ]);
    let client = engine.connect(Kind::Wire);
    engine.set_addresses(client, b"127.0.0.1:5", b"127.0.0.1:6379");
    ask(&mut engine, client, "CONFIG SET requirepass secret hz 20");
    ask(&mut engine, client, &format!("SET k {}", "y".repeat(129)));
    ask(&mut engine, client, &format!("DEL {}", "k ".repeat(39)));
    let reply = ask(&mut engine, client, "SLOWLOG GET 3");
    for part in [
        "*3\r\n*6\r\n:2\r\n:1700000000\r\n:0\r\n*32\r\n$3\r\nDEL\r\n$1\r\nk\r\n",
        "$1\r\nk\r\n$22\r\n... (9 more arguments)\r\n$11\r\n127.0.0.1:5\r\n$0\r\n\r\n*6\r\n:1\r\n",
        "yyyy... (1 more bytes)\r\n",
        "$11\r\nrequirepass\r\n$10\r\n(redacted)\r\n$2\r\nhz\r\n$2\r\n20\r\n",
    ] {
        assert!(reply.contains(part), "{part:?} in {reply:?}");
    }
    ask(
        &mut engine,
        client,
        "CONFIG SET slowlog-log-slower-than 10000",
    );
    ask(&mut engine, client, "SLOWLOG RESET");
    ask(&mut engine, client, "DEBUG SLEEP 0.02");
    advance(&mut engine, START_MS + 20);
    engine.drain(client);
    let reply = ask(&mut engine, client, "SLOWLOG GET");
    assert!(
        reply.contains(":20000\r\n*3\r\n$5\r\nDEBUG\r\n"),
        "{reply:?}"
    );
}
