//! Scripts that run long: they pause between slices, alone with the data; others wait, then read BUSY, and may kill.
#![cfg(feature = "scripting")]

use redstart::algorithms::rng::Rng;
use redstart::engine::{Called, Engine, Kind, Options, Request, ScriptLimits, SessionId};

const START_MS: i64 = 1_700_000_000_000;
const BUSY: &str =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n";
const ENDLESS: &str = "EVAL 'while true do end' 0";
const ENDLESS_SHA: &str = "694a5fe1ddb97a4c6a1bf299d9537c7d3d0f84e7";

/// An engine whose scripts pause after 100,000 steps, with a clock that its ticks move.
struct Host {
    engine: Engine,
    now_ms: i64,
}

impl Host {
    fn new() -> Host {
        let mut engine = Engine::new(Options {
            seed: [7, 8],
            now_ms: START_MS,
            ..Options::default()
        });
        let words: [&[u8]; 2] = [b"--enable-debug-command", b"yes"];
        engine.configure(b"", b"", &words).unwrap();
        engine.set_script_limits(ScriptLimits { slice: 1, most: 20 });
        let mut host = Host {
            engine,
            now_ms: START_MS,
        };
        let client = host.wire();
        assert_eq!(
            host.ask(client, "CONFIG SET busy-reply-threshold 100"),
            "+OK\r\n"
        );
        host
    }

    fn wire(&mut self) -> SessionId {
        self.engine.connect(Kind::Wire)
    }

    /// Sends an inline command; what came at once.
    fn ask(&mut self, client: SessionId, command: &str) -> String {
        self.engine
            .feed(client, format!("{command}\r\n").as_bytes());
        self.read(client)
    }

    fn read(&mut self, client: SessionId) -> String {
        String::from_utf8_lossy(&self.engine.drain(client)).into_owned()
    }

    /// Lets time pass, with a tick at its end.
    fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
        self.engine.set_now(self.now_ms);
        self.engine.tick();
    }

    /// Ticks until no script is paused.
    fn finish(&mut self) {
        for _ in 0..10_000 {
            if !self.engine.is_busy() {
                return;
            }
            self.pass(1);
        }
        panic!("the script does not end");
    }

    /// The same while the clock stands still.
    fn finish_at_once(&mut self) {
        for _ in 0..10_000 {
            if !self.engine.is_busy() {
                return;
            }
            self.pass(0);
        }
        panic!("the script does not end");
    }

    fn requests(&mut self) -> Vec<Request> {
        std::iter::from_fn(|| self.engine.next_request()).collect()
    }

    fn logged(&mut self) -> Vec<String> {
        let text = |part: &Vec<u8>| String::from_utf8_lossy(part).into_owned();
        let line = |request: Request| request.iter().map(text).collect::<Vec<_>>().join(" ");
        self.requests().into_iter().map(line).collect()
    }
}

#[test]
fn others_wait_then_read_busy_and_one_kills() {
    let mut host = Host::new();
    let (caller, other, third) = (host.wire(), host.wire(), host.wire());
    assert_eq!(host.ask(caller, ENDLESS), "");
    assert!(host.engine.is_busy() && host.engine.is_holding());
    assert_eq!(host.engine.next_deadline_ms(), Some(START_MS));
    // Before the threshold nothing is answered, not even what is wrong or could be allowed.
    assert_eq!(host.ask(other, "PING"), "");
    assert_eq!(host.ask(other, "NOSUCH"), "");
    assert_eq!(host.ask(third, "SCRIPT KILL"), "");
    host.pass(99);
    assert_eq!(host.read(other), "");
    host.pass(1);
    let unknown = "-ERR unknown command 'NOSUCH', with args beginning with: \r\n";
    assert_eq!(host.read(other), format!("{BUSY}{unknown}"));
    assert_eq!(host.read(third), "+OK\r\n");
    assert_eq!(
        host.read(caller),
        format!(
            "-ERR Script killed by user with SCRIPT KILL... script: {ENDLESS_SHA}, on @user_script:1.\r\n"
        )
    );
    assert!(!host.engine.is_busy());
    assert_eq!(host.ask(other, "PING"), "+PONG\r\n");
    assert_eq!(
        host.logged(),
        [
            format!(
                "log warning Slow script detected: still in execution after 100 milliseconds. You can try killing the script \
                 using the SCRIPT KILL command. Script name is: {ENDLESS_SHA}."
            ),
            "log notice Lua script killed by user with SCRIPT KILL.".to_owned()
        ]
    );
    assert_eq!(
        host.ask(other, "SCRIPT KILL"),
        "-NOTBUSY No scripts in execution right now.\r\n"
    );
    assert_eq!(host.ask(caller, "EVAL 'return 7' 0"), ":7\r\n");
}

#[test]
fn while_busy_the_allowed_commands_run_and_no_others() {
    let mut host = Host::new();
    let (caller, other) = (host.wire(), host.wire());
    let (queueing, watching, listening) = (host.wire(), host.wire(), host.wire());
    host.ask(queueing, "MULTI");
    host.ask(queueing, "SET x 1");
    host.ask(watching, "WATCH k");
    host.ask(listening, "SUBSCRIBE ch");
    host.ask(caller, ENDLESS);
    host.pass(100);
    for refused in [
        "PING",
        "GET k",
        "FLUSHALL",
        "SCRIPT FLUSH",
        "SCRIPT EXISTS x",
        "EVAL 'return 1' 0",
        "SHUTDOWN",
        "SHUTDOWN SAVE",
        "CLIENT LIST",
        "SAVE",
    ] {
        assert_eq!(host.ask(other, refused), BUSY, "{refused}");
    }
    let abort = format!(
        "-EXECABORT Transaction discarded because of: {}",
        &BUSY[1..]
    );
    for (command, reply) in [
        (
            "GET",
            "-ERR wrong number of arguments for 'get' command\r\n",
        ),
        ("MULTI", "+OK\r\n"),
        ("SET x 1", BUSY),
        ("EXEC", &abort),
        ("MULTI", "+OK\r\n"),
        ("EXEC", &abort),
        ("DISCARD", "-ERR DISCARD without MULTI\r\n"),
        ("WATCH k", "+OK\r\n"),
        ("UNWATCH", "+OK\r\n"),
        ("RESET", "+RESET\r\n"),
        ("SHUTDOWN NOSAVE foo", "-ERR syntax error\r\n"),
        ("SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n"),
    ] {
        assert_eq!(host.ask(other, command), reply, "{command}");
    }
    assert_eq!(host.ask(queueing, "SET y 1"), BUSY);
    assert_eq!(host.ask(queueing, "EXEC"), abort);
    assert_eq!(host.ask(listening, "PING"), BUSY);
    assert_eq!(host.ask(other, "QUIT"), "+OK\r\n");
    host.requests();
    assert_eq!(host.ask(watching, "SHUTDOWN NOSAVE"), "");
    assert_eq!(host.logged(), ["shutdown nosave"]);
}

#[test]
fn a_script_that_has_written_cannot_be_killed() {
    let mut host = Host::new();
    let (caller, other) = (host.wire(), host.wire());
    let script = "EVAL \"redis.call('set', 'k', '1') for i = 1, 500000 do end redis.call('set', 'k', '2') return 'done'\" 0";
    assert_eq!(host.ask(caller, script), "");
    host.pass(100);
    let unkillable = "-UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait \
                      the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.\r\n";
    assert_eq!(host.ask(other, "SCRIPT KILL"), unkillable);
    host.finish();
    assert_eq!(host.read(caller), "$4\r\ndone\r\n");
    assert_eq!(host.ask(other, "GET k"), "$1\r\n2\r\n");
}

#[test]
fn what_comes_meanwhile_runs_afterwards_in_its_order() {
    let mut host = Host::new();
    let (caller, other) = (host.wire(), host.wire());
    let script = "EVAL \"local v = redis.call('incr', 'n') for i = 1, 300000 do end return {v, redis.call('incr', 'n')}\" 0";
    // The caller's own pipeline waits for its script.
    assert_eq!(host.ask(caller, &format!("{script}\r\nINCR n\r\nPING")), "");
    assert_eq!(host.ask(other, "INCR n"), "");
    host.finish();
    assert_eq!(host.read(caller), "*2\r\n:1\r\n:2\r\n:3\r\n+PONG\r\n");
    assert_eq!(host.read(other), ":4\r\n");
}

#[test]
fn a_script_is_alone_with_the_data_and_time_stands_still() {
    let mut host = Host::new();
    let (caller, blocked, timed) = (host.wire(), host.wire(), host.wire());
    let (watching, listening) = (host.wire(), host.wire());
    host.ask(blocked, "BLPOP l 0");
    host.ask(timed, "BLPOP nothing 0.02");
    host.ask(watching, "WATCH k");
    host.ask(listening, "SUBSCRIBE ch");
    host.read(listening);
    host.ask(caller, "SET e 1 PX 30");
    let script = "EVAL \"redis.call('set', 'k', '1') redis.call('rpush', 'l', 'x') redis.call('publish', 'ch', 'm') \
                  local from = redis.call('time')[1] for i = 1, 500000 do end \
                  return {redis.call('get', 'e'), redis.call('llen', 'l'), redis.call('time')[1] - from}\" 0";
    assert_eq!(host.ask(caller, script), "");
    host.pass(50);
    assert_eq!(host.read(blocked), "");
    assert_eq!(host.read(timed), "");
    // Messages go out, as from redis-server's loop.
    assert_eq!(
        host.read(listening),
        "*3\r\n$7\r\nmessage\r\n$2\r\nch\r\n$1\r\nm\r\n"
    );
    host.finish();
    assert_eq!(host.read(caller), "*3\r\n$1\r\n1\r\n:1\r\n:0\r\n");
    assert_eq!(host.read(blocked), "*2\r\n$1\r\nl\r\n$1\r\nx\r\n");
    assert_eq!(host.read(timed), "*-1\r\n");
    assert_eq!(host.ask(caller, "GET e"), "$-1\r\n");
    host.ask(watching, "MULTI");
    assert_eq!(host.ask(watching, "EXEC"), "*-1\r\n");
}

#[test]
fn effects_are_logged_together_when_the_script_is_over() {
    let mut host = Host::new();
    host.engine.set_logging(true);
    let caller = host.wire();
    host.ask(
        caller,
        "EVAL \"redis.call('set', 'a', '1') for i = 1, 300000 do end redis.call('set', 'b', '2')\" 0",
    );
    host.pass(1);
    assert!(host.engine.is_busy());
    assert_eq!(host.engine.take_log(), []);
    host.finish();
    let words = |record: redstart::engine::LogRecord| record.command.concat();
    let log: Vec<_> = host.engine.take_log().into_iter().map(words).collect();
    assert_eq!(log, [&b"MULTI"[..], b"seta1", b"setb2", b"EXEC"]);
}

#[test]
fn a_caller_that_goes_away_leaves_its_script_running() {
    let mut host = Host::new();
    let (caller, other) = (host.wire(), host.wire());
    let sessions = host.engine.session_count();
    host.ask(
        caller,
        "EVAL \"for i = 1, 300000 do end redis.call('set', 'gone', '1')\" 0",
    );
    host.engine.disconnect(caller);
    // Its number is not given to anybody yet.
    let later = host.wire();
    assert_ne!(later, caller);
    host.finish();
    assert_eq!(host.ask(other, "GET gone"), "$1\r\n1\r\n");
    assert_eq!(host.engine.session_count(), sessions);
    assert_eq!(host.read(later), "");
}

#[test]
fn native_callers_wait_only_if_they_can() {
    let mut host = Host::new();
    let (native, patient) = (
        host.engine.connect(Kind::Native3),
        host.engine.connect(Kind::Native3),
    );
    host.engine.set_may_pause(patient, true);
    // One that cannot wait gets its reply at once, however long that takes, ...
    let long = b"for i = 1, 500000 do end return 5";
    assert_eq!(
        host.engine.call(native, &[b"EVAL", long, b"0"]),
        Called::Replied
    );
    assert_eq!(host.engine.reply().cells(), [0, 5]);
    // ... up to a limit, in pcall or not.
    for script in [
        &b"while true do end"[..],
        b"while true do pcall(function() while true do end end) end",
    ] {
        host.engine.call(native, &[b"EVAL", script, b"0"]);
        let text = String::from_utf8_lossy(host.engine.reply().text()).into_owned();
        let start = "ERR Script killed: it took too long where it cannot be paused. script: ";
        assert!(text.starts_with(start), "{text}");
        assert!(text.ends_with(", on @user_script:1."), "{text}");
    }
    let called = host.engine.call(patient, &[b"EVAL", long, b"0"]);
    assert_eq!(called, Called::Blocked);
    // The program may ask for its settings; else others are told at once.
    let setting: [&[u8]; 3] = [b"CONFIG", b"GET", b"maxclients"];
    host.engine.call(native, &setting);
    assert_eq!(host.engine.reply().text(), b"maxclients10000");
    host.engine.call(native, &[b"GET", b"k"]);
    let text = String::from_utf8_lossy(host.engine.reply().text()).into_owned();
    assert_eq!(format!("-{text}\r\n"), BUSY);
    host.finish();
    let message = host.engine.next_message(patient).expect("a late reply");
    assert!(message.is_reply);
    assert_eq!(message.cells, [0, 5]);
    // Killed by a call.
    host.engine
        .call(patient, &[b"EVAL", b"while true do end", b"0"]);
    host.engine.call(native, &[b"SCRIPT", b"KILL"]);
    host.pass(0);
    let message = host.engine.next_message(patient).expect("a late reply");
    let text = String::from_utf8_lossy(&message.text).into_owned();
    assert!(text.starts_with("ERR Script killed by user with SCRIPT KILL... script: "));
}

#[test]
fn pcall_neither_catches_a_kill_nor_keeps_a_script_from_pausing() {
    let mut host = Host::new();
    let (caller, other) = (host.wire(), host.wire());
    for script in [
        "while true do pcall(function() while true do end end) end",
        "return pcall(function() while true do end end)",
    ] {
        host.ask(caller, &format!("EVAL '{script}' 0"));
        host.pass(100);
        assert_eq!(host.ask(other, "SCRIPT KILL"), "+OK\r\n", "{script}");
        host.pass(1);
        let killed = "-ERR Script killed by user with SCRIPT KILL... script: ";
        assert!(host.read(caller).starts_with(killed), "{script}");
    }
}

#[test]
fn a_transaction_pauses_with_its_scripts() {
    let mut host = Host::new();
    host.engine.set_logging(true);
    let (caller, other) = (host.wire(), host.wire());
    host.ask(other, "SET e 1 PX 30");
    host.engine.take_log();
    let long =
        "EVAL \"redis.call('INCR', 'n') for i = 1, 300000 do end return redis.call('GET', 'e')\" 0";
    host.ask(
        caller,
        &format!("MULTI\r\nINCR n\r\n{long}\r\nGET n\r\n{long}\r\nGET e"),
    );
    host.read(caller);
    assert_eq!(host.ask(caller, "EXEC\r\nGET e"), "");
    assert_eq!(host.ask(other, "INCR n"), "");
    host.pass(50);
    assert_eq!(host.read(other), "");
    assert_eq!(host.engine.take_log(), []);
    host.finish();
    assert_eq!(
        host.read(caller),
        "*5\r\n:1\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n1\r\n$1\r\n1\r\n$-1\r\n"
    );
    assert_eq!(host.read(other), ":4\r\n");
    let words = |record: redstart::engine::LogRecord| record.command.concat();
    let log: Vec<_> = host.engine.take_log().into_iter().map(words).collect();
    let effects = [&b"MULTI"[..], b"INCRn", b"INCRn", b"INCRn", b"EXEC"];
    assert_eq!(log[..5], effects);
    let stats = host.ask(other, "INFO commandstats");
    for line in ["cmdstat_exec:calls=1,", "cmdstat_eval:calls=2,"] {
        assert!(stats.contains(line), "{stats}");
    }
}

#[test]
fn a_script_in_a_transaction_is_killed_alone() {
    let mut host = Host::new();
    let (caller, other) = (host.wire(), host.wire());
    host.ask(caller, &format!("MULTI\r\nSET q 1\r\n{ENDLESS}\r\nSET q 2"));
    host.read(caller);
    assert_eq!(host.ask(caller, "EXEC"), "");
    host.pass(100);
    assert_eq!(host.ask(other, "PING"), BUSY);
    assert_eq!(
        host.ask(other, "SCRIPT KILL\r\nGET q"),
        "+OK\r\n$1\r\n2\r\n"
    );
    let killed = format!(
        "*3\r\n+OK\r\n-ERR Script killed by user with SCRIPT KILL... script: {ENDLESS_SHA}, on @user_script:1.\r\n+OK\r\n"
    );
    assert_eq!(host.read(caller), killed);
    // In a batch of a program nothing waits.
    let native = host.engine.connect(Kind::Native3);
    host.engine.set_may_pause(native, true);
    host.engine.set_may_block(native, false);
    host.engine.call(native, &[b"MULTI"]);
    host.engine.call(
        native,
        &[b"EVAL", b"for i = 1, 300000 do end return 1", b"0"],
    );
    assert_eq!(host.engine.call(native, &[b"EXEC"]), Called::Replied);
}

#[test]
fn without_a_threshold_everybody_waits() {
    let mut host = Host::new();
    let (caller, other) = (host.wire(), host.wire());
    host.ask(other, "CONFIG SET lua-time-limit 0");
    host.ask(caller, "EVAL 'for i = 1, 500000 do end return 1' 0");
    assert_eq!(host.ask(other, "PING"), "");
    host.now_ms += 100_000;
    host.finish();
    assert_eq!(host.read(other), "+PONG\r\n");
    assert_eq!(host.read(caller), ":1\r\n");
}

#[test]
fn client_reply_skip_is_for_the_late_reply_too() {
    let mut host = Host::new();
    let caller = host.wire();
    host.ask(
        caller,
        "CLIENT REPLY SKIP\r\nEVAL 'for i = 1, 300000 do end return 1' 0\r\nECHO x",
    );
    host.finish();
    assert_eq!(host.read(caller), "$1\r\nx\r\n");
}

#[test]
fn the_slow_log_and_the_counters_know_the_whole_script() {
    let mut host = Host::new();
    let caller = host.wire();
    host.ask(caller, "EVAL 'for i = 1, 300000 do end return 1' 0");
    host.pass(70);
    host.finish();
    host.read(caller);
    assert_eq!(host.ask(caller, "SLOWLOG LEN"), ":1\r\n");
    let stats = host.ask(caller, "INFO commandstats");
    assert!(stats.contains("cmdstat_eval:calls=1,"), "{stats}");
    // A script's commands are in the slow log, too.
    host.ask(caller, "CONFIG SET slowlog-log-slower-than 0");
    host.ask(caller, "SLOWLOG RESET");
    host.ask(caller, "EVAL 'redis.call(\"PING\") return 1' 0");
    assert_eq!(host.ask(caller, "SLOWLOG LEN"), ":3\r\n");
}

#[test]
fn monitors_see_a_script_before_its_commands() {
    let mut host = Host::new();
    let (caller, monitor, other) = (host.wire(), host.wire(), host.wire());
    host.ask(monitor, "MONITOR");
    host.engine.set_addresses(caller, b"there:1", b"here:2");
    let script = "EVAL \"redis.call('SELECT', 3) redis.call('GET', 'k') for i = 1, 300000 do end redis.call('PING')\" 0";
    host.ask(caller, script);
    // It goes out while the script runs.
    let lines = |text: String| -> Vec<String> {
        let line = |line: &str| line.split_once(' ').map(|(_, rest)| rest.to_owned());
        text.lines().filter_map(line).collect()
    };
    let first = lines(host.read(monitor));
    host.finish();
    host.ask(other, "SCRIPT EXISTS x");
    let last = lines(host.read(monitor));
    let source = script
        .trim_start_matches("EVAL \"")
        .trim_end_matches("\" 0");
    assert_eq!(
        first,
        [
            &format!("[0 there:1] \"EVAL\" \"{source}\" \"0\""),
            "[3 lua] \"SELECT\" \"3\"",
            "[3 lua] \"GET\" \"k\"",
        ]
    );
    assert_eq!(
        last,
        ["[3 lua] \"PING\"", "[0 ] \"SCRIPT\" \"EXISTS\" \"x\""]
    );
}

#[test]
fn a_slice_costs_what_its_commands_cost() {
    let mut host = Host::new();
    let caller = host.wire();
    // 3,000 commands are more than 100,000 steps; empty turns would not be.
    host.ask(
        caller,
        "EVAL 'for i = 1, 3000 do redis.call(\"ping\") end return 1' 0",
    );
    assert!(host.engine.is_busy());
    host.finish();
    assert_eq!(host.read(caller), ":1\r\n");
    assert_eq!(
        host.ask(caller, "EVAL 'for i = 1, 3000 do end return 1' 0"),
        ":1\r\n"
    );
}

/// What several clients read, what is logged and what is left, of random commands among scripts of random length.
/// Scripts that pause must not show in any of it.
struct Run {
    read: Vec<String>,
    log: Vec<redstart::engine::LogRecord>,
    digest: String,
    pauses: u32,
}

fn random_run(seed: u64, slice: u32) -> Run {
    const CLIENTS: u64 = 4;
    let mut rng = Rng::new([seed, 17]);
    let mut host = Host::new();
    let limits = ScriptLimits { slice, most: 1000 };
    host.engine.set_script_limits(limits);
    host.engine.set_logging(true);
    let clients: Vec<SessionId> = (0..CLIENTS).map(|_| host.wire()).collect();
    let mut read = vec![String::new(); clients.len()];
    let mut has_sent = vec![false; clients.len()];
    let mut pauses = 0;
    for _ in 0..40 {
        let number = rng.below(CLIENTS) as usize;
        let command = random_command(&mut rng);
        // With more than one command held back, a client's second would come before another's first.
        if host.engine.is_busy() && has_sent[number] {
            host.finish_at_once();
        }
        if !host.engine.is_busy() {
            has_sent.fill(false);
        }
        has_sent[number] = true;
        host.engine
            .feed(clients[number], format!("{command}\r\n").as_bytes());
        pauses += u32::from(host.engine.is_busy());
        let ticks = rng.below(3);
        for _ in 0..ticks {
            host.pass(0);
        }
    }
    host.finish_at_once();
    for (text, client) in read.iter_mut().zip(&clients) {
        text.push_str(&host.read(*client));
    }
    let judge = host.wire();
    let digest = host.ask(judge, "DEBUG DIGEST");
    Run {
        read,
        log: host.engine.take_log(),
        digest,
        pauses,
    }
}

fn random_command(rng: &mut Rng) -> String {
    let key = ["a", "b", "l"][rng.below(3) as usize];
    let turns = [0, 10, 60_000, 130_000][rng.below(4) as usize];
    match rng.below(12) {
        0 => format!("INCR {key}"),
        1 => "RPUSH l x y".to_owned(),
        2 => "BLPOP l 0".to_owned(),
        3 => "MULTI".to_owned(),
        4 => "EXEC".to_owned(),
        5 => format!("WATCH {key}"),
        6 => format!("PEXPIRE {key} 100000"),
        7 => "LLEN l".to_owned(),
        8 => {
            format!("EVAL \"for i = 1, {turns} do end return redis.call('INCR', KEYS[1])\" 1 {key}")
        }
        9 => format!(
            "EVAL \"redis.call('SET', 'a', 1) for i = 1, {turns} do end redis.call('DEL', 'l') error('no')\" 0"
        ),
        10 => format!(
            "EVAL \"redis.call('RPUSH', 'l', 'z') for i = 1, {turns} do pcall(tostring, i) end redis.call('SELECT', 1) return \
             {{redis.call('GET', 'a'), redis.pcall('INCR', 'l')}}\" 0"
        ),
        _ => format!(
            "EVAL_RO \"for i = 1, {turns} do end return redis.call('EXISTS', KEYS[1])\" 1 {key}"
        ),
    }
}

#[test]
fn pausing_changes_nothing_that_anybody_sees() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seed: u64 = number("REDSTART_SEED").unwrap_or(1);
    let runs: u64 = number("REDSTART_RUNS").unwrap_or(4);
    let mut pauses = 0;
    for seed in seed..seed + runs {
        let (whole, sliced) = (random_run(seed, 0), random_run(seed, 1));
        assert_eq!(whole.pauses, 0);
        pauses += sliced.pauses;
        let repeat = format!("repeat with REDSTART_SEED={seed} REDSTART_RUNS=1");
        assert_eq!(whole.read, sliced.read, "{repeat}");
        assert_eq!(whole.log, sliced.log, "{repeat}");
        assert_eq!(whole.digest, sliced.digest, "{repeat}");
    }
    assert!(pauses > 0);
}
