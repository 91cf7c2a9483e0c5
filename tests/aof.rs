//! The append-only file as the engine writes and runs it. What is expected of running one was asked of redis-server
//! 8.2.3: files like these, and what it had in memory, or in its log, afterwards.

#[allow(dead_code)] // Only the splitting of lines serves here.
#[path = "spec/file.rs"]
mod file;
#[allow(dead_code)]
#[path = "spec/value.rs"]
mod value;

use redstart::engine::{Engine, Kind, LogRecord, Options, SessionId};

const NOW_MS: i64 = 1_700_000_000_000;

struct Client {
    engine: Engine,
    id: SessionId,
}

impl Client {
    fn new() -> Client {
        let mut engine = Engine::new(Options {
            seed: [3, 4],
            now_ms: NOW_MS,
            ..Options::default()
        });
        let words: [&[u8]; 2] = [b"--enable-debug-command", b"yes"];
        engine
            .configure(b"", b"", &words)
            .expect("a good configuration");
        let id = engine.connect(Kind::Wire);
        Client { engine, id }
    }

    /// The reply as bytes of the protocol.
    fn call(&mut self, line: &str) -> String {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.engine.feed(self.id, &command(&words));
        String::from_utf8_lossy(&self.engine.drain(self.id)).into_owned()
    }

    /// Runs a file in pieces of so many bytes; how many were good.
    fn replay(&mut self, file: &[u8], piece: usize) -> Result<u64, String> {
        let text =
            |error: redstart::resp::Error| String::from_utf8_lossy(error.text()).into_owned();
        self.engine.begin_replay(b"a.aof", file.len() as u64);
        for piece in file.chunks(piece) {
            self.engine.replay_chunk(piece).map_err(text)?;
        }
        self.engine.end_replay(true).map_err(text)
    }

    fn digest(&mut self) -> String {
        self.call("DEBUG DIGEST")
    }

    fn info(&mut self, field: &str) -> String {
        let info = self.call("INFO everything");
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("INFO has {field}"))
            .to_string()
    }

    fn take(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.engine.take_aof(&mut bytes);
        bytes
    }
}

fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend(format!("${}\r\n", word.len()).bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Commands, a line each, their words between blanks; what begins with `|` stands in the file as it is.
fn file_of(lines: &[&str]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines {
        match line.strip_prefix('|') {
            Some(raw) => out.extend_from_slice(raw.as_bytes()),
            None => out.extend(command(
                &line.split(' ').map(str::as_bytes).collect::<Vec<_>>(),
            )),
        }
    }
    out
}

/// What is left of a file, in pieces of every size that may matter: good bytes, or the error.
fn replayed(file: &[u8]) -> (Result<u64, String>, Client) {
    let mut client = Client::new();
    let result = client.replay(file, usize::MAX);
    for piece in [1, 2, 3, 7, 64] {
        let mut other = Client::new();
        assert_eq!(
            other.replay(file, piece),
            result,
            "in pieces of {piece} bytes"
        );
        assert_eq!(other.digest(), client.digest());
    }
    (result, client)
}

#[test]
fn commands_run() {
    let whole = file_of(&[
        "SELECT 3",
        "SET k v",
        "|#TS:1700000000\r\n",
        "|# anything\r\n",
        "MULTI",
        "RPUSH l a b",
        "|#TS:1700000001\r\n",
        "SELECT 0",
        "HSET h f v",
        "EXEC",
        "XADD s 5-1 a b",
    ]);
    let (result, mut client) = replayed(&whole);
    assert_eq!(result, Ok(whole.len() as u64));
    assert_eq!(client.call("DBSIZE"), ":2\r\n");
    assert_eq!(client.call("SELECT 3"), "+OK\r\n");
    assert_eq!(client.call("LRANGE l 0 -1"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
}

#[test]
fn the_end_may_be_missing() {
    let start = file_of(&["SET a 1"]);
    let length = start.len() as u64;
    for rest in [
        &b"*"[..],
        b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1",
        b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1\r\n",
        b"*1\r\n$5\r\nMULTI\r\n#TS:12\r\n",
        b"#TS:12",
    ] {
        let (result, mut client) = replayed(&[&start, rest].concat());
        assert_eq!(result, Ok(length), "{}", rest.escape_ascii());
        assert_eq!(client.call("DBSIZE"), ":1\r\n");
    }
}

#[test]
fn what_is_no_log_is_refused() {
    const FORMAT: &str = "ERR Bad file format reading the append only file a.aof: make a backup of your AOF file, then \
                          use ./redis-check-aof --fix <filename.manifest>";
    const UNKNOWN: &str = "ERR Unknown command 'FOO' reading the append only file a.aof";
    for (rest, error) in [
        ("|hello\r\n", FORMAT),
        ("|SET b 1\r\n", FORMAT),
        ("|\r\n", FORMAT),
        ("|\0\0\0\0", FORMAT),
        ("|*0\r\n", FORMAT),
        ("|*1\r\n:1\r\n", FORMAT),
        ("|*1\r\n$-1\r\n", FORMAT),
        ("|*1\r\n$99999999999\r\n", FORMAT),
        ("FOO bar", UNKNOWN),
        (
            "",
            "ERR Unknown command '' reading the append only file a.aof",
        ),
        (
            "XGROUP FOO x",
            "ERR Unknown command 'XGROUP' reading the append only file a.aof",
        ),
        (
            "GET",
            "ERR Wrong number of arguments of command 'GET' reading the append only file a.aof",
        ),
    ] {
        let (result, mut client) = replayed(&file_of(&["SET a 1", rest]));
        assert_eq!(result, Err(error.to_string()), "{rest}");
        // Clients are let in; what came before is there.
        assert_eq!(client.call("DBSIZE"), ":1\r\n");
    }
    let (result, _) = replayed(&file_of(&["MULTI", "SET a 1", "FOO", "EXEC"]));
    assert_eq!(result, Err(UNKNOWN.to_string()));
}

#[test]
fn nothing_expires_before_the_end() {
    let whole = file_of(&[
        "SET a 1 PXAT 1000",
        "INCR a",
        "SET b 1",
        "PEXPIREAT b 1000",
        "APPEND b x",
        "HSET h f 1",
        "HPEXPIREAT h 1000 FIELDS 1 f",
        "HINCRBY h f 1",
        "SET p v PXAT 1000",
        "PERSIST p",
        "GETEX b PXAT 5",
        "EVAL redis.call('expire','p',100) 0",
    ]);
    let mut client = Client::new();
    client.engine.begin_replay(b"", 0);
    client
        .engine
        .replay_chunk(&whole)
        .expect("a file of commands");
    assert_eq!(
        client.engine.end_replay(false).expect("it was begun"),
        whole.len() as u64
    );
    client.engine.tick();
    assert!(client.call("GET a").starts_with("-LOADING"));
    assert_eq!(client.info("loading_loaded_bytes"), whole.len().to_string());
    client.replay(&file_of(&["PERSIST a"]), 10).expect("a file");
    assert_eq!(client.call("DBSIZE"), ":4\r\n");
    assert_eq!(client.call("GET a"), "$1\r\n2\r\n");
    assert_eq!(client.call("GET b"), "$-1\r\n");
    assert_eq!(client.call("HGETALL h"), "*0\r\n");
    let expected = if cfg!(feature = "scripting") {
        ":100\r\n"
    } else {
        ":-1\r\n"
    };
    assert_eq!(client.call("TTL p"), expected);
}

#[test]
fn nobody_waits_and_nothing_is_counted() {
    let whole = file_of(&[
        "BLPOP l 0",
        "WAIT 1 0",
        "RPUSH l x",
        "LPUSH l",
        "SUBSCRIBE c",
        "QUIT",
        "SET a 1",
    ]);
    let mut client = Client::new();
    client.engine.start_aof();
    let file_without_arity = file_of(&["BLPOP l 0", "WAIT 1 0", "RPUSH l x", "QUIT", "SET a 1"]);
    assert!(client.replay(&whole, 100).is_err());
    client.call("FLUSHALL");
    client.take();
    let dirty = client.info("rdb_changes_since_last_save");
    client.replay(&file_without_arity, 100).expect("commands");
    assert_eq!(client.call("DBSIZE"), ":2\r\n");
    assert_eq!(client.take(), b"");
    let changes = |text: &str| text.parse::<u64>().expect("a number");
    assert_eq!(
        changes(&client.info("rdb_changes_since_last_save")),
        changes(&dirty) + 2
    );
    let stats = client.call("INFO commandstats");
    assert!(!stats.contains("cmdstat_blpop") && !stats.contains("cmdstat_set"));
}

#[test]
fn a_base_may_be_rdb() {
    let mut client = Client::new();
    for line in [
        "SET a 1",
        "HSET h f v",
        "SET gone 1 PX 50",
        "SELECT 2",
        "SADD s x",
    ] {
        client.call(line);
    }
    let mut rdb = Vec::new();
    client
        .engine
        .begin_snapshot(redstart::engine::Purpose::Rewrite);
    let mut is_more = true;
    while is_more {
        let mut chunk = Vec::new();
        is_more = client.engine.next_chunk(100, &mut chunk);
        rdb.extend(chunk);
    }
    client.engine.end_snapshot(true);
    client.engine.set_now(NOW_MS + 100);
    let rest = file_of(&["SELECT 2", "SREM s x", "SELECT 0", "PERSIST gone", "DEL a"]);
    let whole = [rdb.as_slice(), &rest].concat();
    for piece in [1, 5, 100, usize::MAX] {
        let mut other = Client::new();
        other.engine.set_now(NOW_MS + 100);
        assert_eq!(other.replay(&whole, piece), Ok(whole.len() as u64));
        assert_eq!(other.call("GET gone"), "$1\r\n1\r\n");
        assert_eq!(other.call("DBSIZE"), ":2\r\n");
    }
    let mut other = Client::new();
    let error = other
        .replay(&rdb[..rdb.len() - 3], 50)
        .expect_err("half an RDB file");
    assert!(
        error.starts_with("ERR Error reading the RDB preamble of the AOF file a.aof"),
        "{error}"
    );
    assert_eq!(other.call("DBSIZE"), ":0\r\n");
}

#[test]
fn bytes_stand_as_redis_writes_them() {
    let mut client = Client::new();
    client.engine.start_aof();
    client.call("CONFIG SET aof-timestamp-enabled yes");
    client.engine.set_now(NOW_MS + 1234);
    for line in [
        "SET a 1", "SELECT 3", "SET b 1", "MULTI", "SELECT 4", "SET c 1", "SET d 1", "EXEC",
        "GET d", "MULTI", "SET e 1", "EXEC",
    ] {
        client.call(line);
    }
    client.engine.set_now(NOW_MS + 2345);
    for line in ["MULTI", "SET f 1", "SET g 1", "EXEC", "SET h 1"] {
        client.call(line);
    }
    let expected = file_of(&[
        "|#TS:1700000001\r\n",
        "SELECT 0",
        "SET a 1",
        "SELECT 3",
        "SET b 1",
        "MULTI",
        "SELECT 4",
        "SET c 1",
        "SET d 1",
        "EXEC",
        "SET e 1",
        "|#TS:1700000002\r\n",
        "MULTI",
        "SET f 1",
        "SET g 1",
        "EXEC",
        "SET h 1",
    ]);
    let written = client.take();
    assert_eq!(
        written.escape_ascii().to_string(),
        expected.escape_ascii().to_string()
    );
    let (result, mut other) = replayed(&written);
    assert_eq!(result, Ok(written.len() as u64));
    assert_eq!(other.digest(), client.digest());
    client
        .engine
        .begin_snapshot(redstart::engine::Purpose::Rewrite);
    client.call("SET i 1");
    assert_eq!(client.take(), file_of(&["SELECT 4", "SET i 1"]));
}

#[test]
fn records_are_read_back() {
    let mut client = Client::new();
    client.engine.set_logging(true);
    for line in ["SELECT 2", "MULTI", "SET a 1", "SET b 2", "EXEC"] {
        client.call(line);
    }
    let record = |words: &[&[u8]]| LogRecord {
        db: 2,
        command: words.iter().map(|word| word.to_vec()).collect(),
    };
    let expected = [
        record(&[b"MULTI"]),
        record(&[b"SET", b"a", b"1"]),
        record(&[b"SET", b"b", b"2"]),
        record(&[b"EXEC"]),
    ];
    assert_eq!(client.engine.take_log(), expected);
    client.call("DEL a");
    assert_eq!(client.engine.take_log(), [record(&[b"DEL", b"a"])]);
}

/// The requests the engine has for its host, each as a line.
fn requests(client: &mut Client) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(request) = client.engine.next_request() {
        let words: Vec<String> = request
            .iter()
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        found.push(words.join(" "));
    }
    found
}

/// A client of an engine whose host keeps an append-only file, which is on.
fn client_with_file() -> Client {
    let mut client = Client::new();
    client.engine.set_storage(redstart::state::Storage::Aof);
    client.call("CONFIG SET save  appendonly yes");
    assert_eq!(requests(&mut client), ["appendonly yes"]);
    client.engine.start_aof();
    snapshot(&mut client, redstart::engine::Purpose::Rewrite, true);
    client
}

/// Makes a snapshot; how long it was.
fn snapshot(client: &mut Client, purpose: redstart::engine::Purpose, is_stored: bool) -> u64 {
    client.engine.begin_snapshot(purpose);
    let mut bytes = Vec::new();
    while client.engine.next_chunk(usize::MAX, &mut bytes) {}
    client.engine.end_snapshot(is_stored);
    bytes.len() as u64
}

#[test]
fn a_file_that_has_grown_is_rewritten() {
    let mut client = client_with_file();
    client.call("CONFIG SET auto-aof-rewrite-min-size 1000 auto-aof-rewrite-percentage 50");
    let base: u64 = client.info("aof_base_size").parse().expect("a number");
    assert!(base > 50);
    let mut taken = 0;
    while taken + base <= 1000 {
        assert_eq!(requests(&mut client), [""; 0]);
        client.call("SET key value");
        taken += client.take().len() as u64;
        client.engine.aof_stored(taken, taken);
    }
    let size = base + taken;
    assert_eq!(client.info("aof_current_size"), size.to_string());
    let growth = size * 100 / base - 100;
    assert_eq!(
        requests(&mut client),
        [
            format!("log notice Starting automatic rewriting of AOF on {growth}% growth"),
            "rewrite".to_string()
        ]
    );
    assert_eq!(client.info("aof_rewrite_in_progress"), "1");
    client.engine.set_now(NOW_MS + 2000);
    assert_eq!(client.info("aof_current_rewrite_time_sec"), "2");
    let base = snapshot(&mut client, redstart::engine::Purpose::Rewrite, true);
    assert_eq!(client.info("aof_current_size"), base.to_string());
    assert_eq!(client.info("aof_base_size"), base.to_string());
    assert_eq!(client.info("aof_last_rewrite_time_sec"), "2");
    assert_eq!(client.info("aof_rewrites"), "2");
    assert_eq!(requests(&mut client), [""; 0]);
}

#[test]
fn rewrites_that_fail_are_tried_again_less_and_less_often() {
    let mut client = client_with_file();
    client.call("CONFIG SET auto-aof-rewrite-min-size 100 auto-aof-rewrite-percentage 1");
    client.call("SET key value");
    let taken = client.take().len() as u64;
    for failures in 1..=3 {
        client.engine.aof_stored(taken, taken);
        assert_eq!(requests(&mut client).last().expect("a request"), "rewrite");
        // Another one follows at once; it is let be.
        client
            .engine
            .begin_snapshot(redstart::engine::Purpose::Rewrite);
        client.call("CONFIG SET auto-aof-rewrite-percentage 0");
        client.engine.end_snapshot(false);
        client.call("CONFIG SET auto-aof-rewrite-percentage 1");
        assert_eq!(
            client.info("aof_rewrites_consecutive_failures"),
            failures.to_string()
        );
        assert_eq!(client.info("aof_last_bgrewrite_status"), "err");
    }
    client.engine.aof_stored(taken, taken);
    let told = "log warning Background AOF rewrite has repeatedly failed and triggered the limit, will retry in 1 minutes";
    assert_eq!(requests(&mut client), [told]);
    client.engine.set_now(NOW_MS + 59_000);
    client.engine.tick();
    assert_eq!(requests(&mut client), [""; 0]);
    let next_ms = client.engine.next_deadline_ms().expect("something waits");
    assert!(next_ms <= NOW_MS + 60_000);
    client.engine.set_now(NOW_MS + 60_000);
    client.engine.tick();
    assert_eq!(requests(&mut client).last().expect("a request"), "rewrite");
}

#[test]
fn one_thing_is_stored_at_a_time() {
    use redstart::engine::Purpose;
    let mut client = client_with_file();
    assert_eq!(
        client.call("BGREWRITEAOF"),
        "+Background append only file rewriting started\r\n"
    );
    assert_eq!(requests(&mut client), ["rewrite"]);
    client.engine.begin_snapshot(Purpose::Rewrite);
    // SAVE waits for the rewrite.
    assert_eq!(client.call("SAVE"), "");
    assert_eq!(requests(&mut client), [""; 0]);
    let mut bytes = Vec::new();
    while client.engine.next_chunk(usize::MAX, &mut bytes) {}
    client.engine.end_snapshot(true);
    assert_eq!(requests(&mut client), ["save sync"]);
    snapshot(&mut client, Purpose::Save, true);
    assert_eq!(
        String::from_utf8_lossy(&client.engine.drain(client.id)),
        "+OK\r\n"
    );
    client.call("BGSAVE");
    client.call("BGREWRITEAOF");
    assert_eq!(requests(&mut client), ["save bg"]);
    assert_eq!(client.info("aof_rewrite_scheduled"), "1");
    assert_eq!(client.info("rdb_bgsave_in_progress"), "1");
    snapshot(&mut client, Purpose::Save, true);
    assert_eq!(requests(&mut client), ["rewrite"]);
    // A host that cannot even begin.
    client.engine.end_snapshot(false);
    assert_eq!(client.info("aof_rewrite_in_progress"), "0");
    assert_eq!(client.info("aof_last_bgrewrite_status"), "err");
    assert_eq!(client.info("rdb_last_bgsave_status"), "ok");
}

#[test]
fn waitaof_waits_for_what_its_client_wrote() {
    let mut client = client_with_file();
    let other = client.engine.connect(Kind::Wire);
    client.call("SET a 1");
    let taken = client.take().len() as u64;
    assert_eq!(client.call("WAITAOF 1 0 0"), "");
    client
        .engine
        .feed(other, &command(&[b"WAITAOF", b"1", b"0", b"0"]));
    assert_eq!(client.engine.drain(other), b"*2\r\n:1\r\n:0\r\n");
    client.engine.aof_stored(taken, taken - 1);
    assert_eq!(client.engine.drain(client.id), b"");
    client.engine.aof_stored(taken, taken);
    assert_eq!(client.engine.drain(client.id), b"*2\r\n:1\r\n:0\r\n");
    // Replicas never come; what the file has is told all the same.
    client.call("SET a 2");
    let taken = taken + client.take().len() as u64;
    assert_eq!(client.call("WAITAOF 1 1 1000"), "");
    client.engine.aof_stored(taken, taken);
    assert_eq!(client.engine.drain(client.id), b"");
    client.engine.set_now(NOW_MS + 1000);
    client.engine.tick();
    assert_eq!(client.engine.drain(client.id), b"*2\r\n:1\r\n:0\r\n");
    // Turned off and on again, the host counts from nothing.
    client.engine.stop_aof();
    client.engine.start_aof();
    assert_eq!(client.call("WAITAOF 1 0 0"), "*2\r\n:1\r\n:0\r\n");
    client.call("SET a 3");
    let taken = client.take().len() as u64;
    assert_eq!(client.call("WAITAOF 1 0 0"), "");
    client.engine.aof_stored(taken, taken);
    assert_eq!(client.engine.drain(client.id), b"*2\r\n:1\r\n:0\r\n");
}

#[test]
fn a_full_disk_refuses_writes() {
    let mut client = client_with_file();
    client.call("SET a 1");
    let taken = client.take().len() as u64;
    client.engine.aof_failed(b"No space left on device");
    let error = "-MISCONF Errors writing to the AOF file: No space left on device\r\n";
    assert_eq!(client.call("SET a 2"), error);
    assert_eq!(client.call("PING"), error);
    assert_eq!(client.call("GET a"), "$1\r\n1\r\n");
    assert_eq!(client.info("aof_last_write_status"), "err");
    client.engine.aof_stored(taken, taken);
    assert_eq!(client.call("SET a 2"), "+OK\r\n");
    assert_eq!(client.info("aof_last_write_status"), "ok");
}

#[test]
fn a_host_without_a_file_says_so() {
    let mut client = Client::new();
    client
        .engine
        .set_storage(redstart::state::Storage::Snapshots);
    assert_eq!(
        client.call("CONFIG SET hz 50 appendonly yes"),
        "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable to turn on AOF. Check server \
         logs.\r\n"
    );
    assert!(client.call("CONFIG GET hz").contains("10"));
    assert_eq!(
        client.call("BGREWRITEAOF"),
        "-ERR Can't execute an AOF background rewriting. Please check the server logs for more information.\r\n"
    );
    assert_eq!(client.info("aof_enabled"), "0");
}

#[test]
fn a_base_that_is_loaded_counts_and_keeps_what_its_segments_prolong() {
    let mut client = Client::new();
    client.call("SET gone 1 PX 50");
    client
        .engine
        .begin_snapshot(redstart::engine::Purpose::Rewrite);
    let mut base = Vec::new();
    while client.engine.next_chunk(usize::MAX, &mut base) {}
    client.engine.end_snapshot(true);
    let segment = file_of(&["SELECT 0", "PERSIST gone"]);
    let mut other = Client::new();
    other.engine.set_storage(redstart::state::Storage::Aof);
    other.engine.set_now(NOW_MS + 100);
    // As a host does that reads its files from a storage of objects: nothing expires until the last call.
    for _ in 0..2 {
        other.engine.begin_replay(b"", 0);
        assert_eq!(other.engine.end_replay(false).ok(), Some(0));
        other
            .engine
            .begin_load(redstart::formats::snapshot::Modules::Refuse);
        other.engine.load_chunk(&base).expect("a snapshot");
        other.engine.end_load().expect("a snapshot");
        other.engine.begin_replay(b"", 0);
        other.engine.replay_chunk(&segment).expect("commands");
        assert_eq!(
            other.engine.end_replay(false).ok(),
            Some(segment.len() as u64)
        );
        assert_eq!(other.replay(b"", 1), Ok(0));
    }
    assert_eq!(other.call("GET gone"), "$1\r\n1\r\n");
    other.engine.start_aof();
    other.call("CONFIG SET save ");
    let total = base.len() + segment.len();
    let aof = &other.engine.server().aof;
    assert_eq!(
        (aof.size_bytes(), aof.base_bytes),
        (total as u64, base.len() as u64)
    );
}

#[cfg(feature = "scripting")]
fn recorded(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/aof");
    std::fs::read(folder.join(name)).expect("a recorded file")
}

/// What redis-server wrote runs to the data it had, and what we write for the same commands are the same bytes.
#[cfg(feature = "scripting")]
#[test]
fn a_whole_file_is_what_redis_writes() {
    let commands = String::from_utf8(recorded("commands.txt")).expect("a text");
    let expected = recorded("redis.aof");
    let digest = String::from_utf8(recorded("digest.txt")).expect("a text");
    let digest = format!("+{}\r\n", digest.trim());
    let mut client = client_with_file();
    let second = client.engine.connect(Kind::Wire);
    let mut written = Vec::new();
    for line in commands.lines() {
        let Some((number, words)) = line.split_once("> ").filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let words = file::split_arguments(words).unwrap_or_else(|why| panic!("{line}: {why}"));
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let id = if number == "2" { second } else { client.id };
        client.engine.feed(id, &command(&words));
        let bytes = client.take();
        written.extend_from_slice(&bytes);
        assert!(
            expected.starts_with(&written),
            "{line}: {}",
            bytes.escape_ascii()
        );
    }
    assert_eq!(written.len(), expected.len());
    client.engine.drain(client.id);
    assert_eq!(client.digest(), digest);
    let (result, mut other) = replayed(&expected);
    assert_eq!(result, Ok(expected.len() as u64));
    assert_eq!(other.digest(), digest);
    // Cut anywhere it loads as far as whole commands and transactions go.
    let mut good = 0;
    for length in (0..expected.len()).step_by(61) {
        let mut other = Client::new();
        let found = other
            .replay(&expected[..length], usize::MAX)
            .unwrap_or_else(|why| panic!("{length} bytes: {why}"));
        assert!(found >= good && found <= length as u64);
        good = found;
    }
}

#[test]
fn large_commands_cross_pieces() {
    let mut whole = file_of(&["SELECT 0", "SET first 1"]);
    for i in 0..4 {
        let value = vec![b'a' + i; 40_000 * usize::from(i)];
        let key = format!("big{i}");
        whole.extend(command(&[b"SET", key.as_bytes(), &value]));
        whole.extend(command(&[b"RPUSH", b"l", &value, b"x", &value]));
    }
    let mut client = Client::new();
    assert_eq!(client.replay(&whole, usize::MAX), Ok(whole.len() as u64));
    for piece in [1000, 65_536, 70_000, 200_000] {
        let mut other = Client::new();
        assert_eq!(other.replay(&whole, piece), Ok(whole.len() as u64));
        assert_eq!(other.digest(), client.digest());
    }
}

#[test]
fn a_host_that_cannot_begin_a_file_is_asked_again_later() {
    let mut client = Client::new();
    client.engine.set_storage(redstart::state::Storage::Aof);
    client.call("CONFIG SET save  appendonly yes");
    for _ in 0..3 {
        assert_eq!(requests(&mut client), ["appendonly yes"]);
        client.engine.end_snapshot(false);
    }
    let told = "log warning Background AOF rewrite has repeatedly failed and triggered the limit, will retry in 1 minutes";
    assert_eq!(requests(&mut client), [told]);
    // Meanwhile nothing else has to wait.
    assert_eq!(client.call("SAVE"), "");
    assert_eq!(requests(&mut client), ["save sync"]);
    snapshot(&mut client, redstart::engine::Purpose::Save, true);
    assert_eq!(client.engine.drain(client.id), b"+OK\r\n");
    client.engine.set_now(NOW_MS + 61_000);
    client.engine.tick();
    assert_eq!(requests(&mut client), ["appendonly yes"]);
    client.engine.start_aof();
    snapshot(&mut client, redstart::engine::Purpose::Rewrite, true);
    assert_eq!(client.info("aof_last_bgrewrite_status"), "ok");
}
