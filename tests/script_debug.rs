//! SCRIPT DEBUG, byte for byte: the sessions of `tests/data/debug/*.txt` with what redis-server's debugger sent.
//! docs/testing.md explains the files.

#[allow(dead_code)] // Only the splitting of lines serves here.
#[path = "spec/file.rs"]
mod file;
#[allow(dead_code)]
#[path = "spec/value.rs"]
mod value;

use std::collections::BTreeMap;

use file::{encode_command, split_arguments};
use redstart::algorithms::rng::Rng;
use redstart::engine::{Engine, Kind, Options, SessionId};

struct Play {
    engine: Engine,
    clients: BTreeMap<String, SessionId>,
    script: String,
}

impl Play {
    fn new() -> Play {
        Play {
            engine: Engine::new(Options {
                seed: [1, 2],
                now_ms: 1_700_000_000_000,
                ..Options::default()
            }),
            clients: BTreeMap::new(),
            script: String::new(),
        }
    }

    fn send(&mut self, client: &str, is_raw: bool, text: &str) {
        let engine = &mut self.engine;
        let id = *self
            .clients
            .entry(client.to_owned())
            .or_insert_with(|| engine.connect(Kind::Wire));
        let mut words = split_arguments(text).unwrap_or_else(|why| panic!("{why}"));
        for word in &mut words {
            if word == b"SCRIPT!" {
                *word = self.script.clone().into_bytes();
            }
        }
        if !self.engine.is_closing(id) {
            let bytes = match is_raw {
                true => words.concat(),
                false => encode_command(&words),
            };
            self.engine.feed(id, &bytes);
        }
    }

    /// What all clients have received, as the files show it.
    fn received(&mut self, sender: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for (client, id) in self.clients.clone() {
            let mark = match client == sender {
                true => "  ".to_owned(),
                false => format!("  {client}: "),
            };
            let output = self.engine.drain(id);
            let output = output.strip_suffix(b"\r\n").unwrap_or(&output);
            if !output.is_empty() {
                let output: String = output.iter().map(|byte| char::from(*byte)).collect();
                lines.extend(
                    output
                        .split("\r\n")
                        .map(|line| mark.clone() + &escaped(line)),
                );
            }
            if self.engine.is_closing(id) {
                lines.push(mark + "<closed>");
            }
        }
        lines
    }
}

/// A line in printable characters; addresses are nobody's business.
fn escaped(line: &str) -> String {
    let mut out = String::new();
    let mut parts = line.split("@0x");
    out += parts.next().unwrap_or_default();
    for part in parts {
        out += "@0x...";
        out += part.trim_start_matches(|letter: char| letter.is_ascii_hexdigit());
    }
    let mut text = String::new();
    for letter in out.chars() {
        match letter {
            '\\' => text += "\\\\",
            ' '..='~' => text.push(letter),
            _ => text += &format!("\\x{:02x}", u32::from(letter)),
        }
    }
    text
}

#[test]
fn sessions_are_as_redis_has_them() {
    let source = include_str!("data/debug/sessions.txt");
    let lines: Vec<&str> = source.lines().collect();
    let mut play = Play::new();
    let (mut title, mut compared, mut differences) = ("", 0, Vec::new());
    for (at, line) in lines.iter().enumerate() {
        if let Some(name) = line.strip_prefix("# ") {
            title = name;
            play = Play::new();
        }
        if let Some(part) = line.strip_prefix('|') {
            if !play.script.is_empty() {
                play.script.push('\n');
            }
            play.script += part.get(1..).unwrap_or_default();
        }
        let mut sender = "1";
        if let Some(client) = line.strip_prefix("@close ") {
            let id = play.clients.remove(client).expect("a client");
            play.engine.disconnect(id);
        } else if !line.starts_with(['|', '#', ' '])
            && let Some((client, text)) = line.split_once('>')
        {
            sender = if client.is_empty() { "1" } else { client };
            let is_raw = text.starts_with('>');
            play.send(sender, is_raw, text.trim_start_matches('>').trim_start());
        } else {
            continue;
        }
        let wanted = lines[at + 1..].iter();
        let wanted: Vec<&str> = wanted
            .copied()
            .take_while(|line| line.starts_with("  "))
            .collect();
        let mut received = play.received(sender);
        if line.contains("> HELLO") {
            received.clear();
        }
        compared += 1;
        if received != wanted {
            differences.push(format!(
                "{title}, line {}: {line}\n  expected\n{}\n  got\n{}",
                at + 1,
                wanted.join("\n"),
                received.join("\n")
            ));
        }
    }
    let count = differences.len();
    differences.truncate(12);
    assert!(
        count == 0,
        "{count} of {compared} differ\n{}",
        differences.join("\n")
    );
    assert!(compared > 300, "only {compared} were compared");
}

/// The sessions of one client each: the script, and what the client sends from EVAL on.
fn sessions() -> Vec<(String, Vec<String>)> {
    let mut sessions = Vec::new();
    for part in include_str!("data/debug/sessions.txt").split("\n# ") {
        let (mut script, mut sent) = (Vec::new(), Vec::new());
        let mut is_alone = part.contains("> SCRIPT DEBUG SYNC\n");
        for line in part.lines() {
            if let Some(line) = line.strip_prefix('|') {
                script.push(line.get(1..).unwrap_or_default());
            } else if let Some(words) = line.strip_prefix("> ") {
                sent.push(words.to_owned());
            } else if !line.starts_with(' ') && (line.contains('>') || line.starts_with('@')) {
                is_alone = false;
            }
        }
        let begins = sent
            .iter()
            .position(|words| words.starts_with("EVAL SCRIPT!"));
        if let (true, Some(begins)) = (is_alone, begins) {
            sessions.push((script.join("\n"), sent.split_off(begins)));
        }
    }
    sessions
}

/// What the client of a script receives; what it sends goes out word by word, or all at once.
fn output(script: &str, sent: &[Vec<Vec<u8>>], is_at_once: bool) -> String {
    let mut play = Play::new();
    play.send("1", false, "SCRIPT DEBUG SYNC");
    let id = play.clients["1"];
    play.engine.drain(id);
    let (mut output, mut bytes) = (Vec::new(), Vec::new());
    for words in sent {
        let mut words = words.clone();
        if words.get(1).is_some_and(|word| word == b"SCRIPT!") {
            words[1] = script.as_bytes().to_vec();
        }
        bytes.extend(encode_command(&words));
        if !is_at_once && !play.engine.is_closing(id) {
            play.engine.feed(id, &std::mem::take(&mut bytes));
            output.extend(play.engine.drain(id));
        }
    }
    if is_at_once {
        play.engine.feed(id, &bytes);
        output.extend(play.engine.drain(id));
    }
    play.engine.disconnect(id);
    let other = play.engine.connect(Kind::Wire);
    play.engine.feed(other, b"PING\r\n");
    assert_eq!(play.engine.drain(other), b"+PONG\r\n", "{script}");
    output.escape_ascii().to_string()
}

#[test]
fn it_is_the_same_how_often_the_client_is_waited_for() {
    let sessions = sessions();
    assert!(sessions.len() > 15, "only {} sessions", sessions.len());
    for (script, sent) in &sessions {
        let sent: Vec<_> = sent
            .iter()
            .map(|line| split_arguments(line).expect("words"))
            .collect();
        assert_eq!(
            output(script, &sent, false),
            output(script, &sent, true),
            "{script}"
        );
    }
}

/// The same for random orders.
#[test]
fn random_orders_do_the_same_again() {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    let seed = number("REDSTART_SEED").unwrap_or(1);
    let runs = number("REDSTART_RUNS").unwrap_or(200);
    let sessions = sessions();
    let orders: Vec<&String> = sessions.iter().flat_map(|(_, sent)| &sent[1..]).collect();
    for seed in seed..seed + runs {
        let mut rng = Rng::new([seed, 0]);
        let (script, sent) = &sessions[rng.below(sessions.len() as u64) as usize];
        let mut sent = vec![split_arguments(&sent[0]).expect("words")];
        for _ in 0..rng.below(20) {
            let order = match rng.below(3) {
                0 => "s",
                _ => orders[rng.below(orders.len() as u64) as usize],
            };
            sent.push(split_arguments(order).expect("words"));
        }
        let outcome = std::panic::catch_unwind(|| {
            assert_eq!(output(script, &sent, false), output(script, &sent, true));
        });
        assert!(
            outcome.is_ok(),
            "repeat with REDSTART_SEED={seed} REDSTART_RUNS=1"
        );
    }
}

#[test]
fn what_is_done_to_a_copy_is_nobodys_business() {
    let mut play = Play::new();
    play.engine.set_logging(true);
    play.script = "redis.call('set', 'k', 'new')\nredis.call('publish', 'channel', 'text')\nredis.log(redis.LOG_WARNING, 'said')\nreturn redis.call('incr', 'n')".into();
    for setup in [
        "CONFIG SET notify-keyspace-events KEA",
        "SET k old",
        "EVAL \"return redis.call('get', 'k')\" 0",
    ] {
        play.send("2", false, setup);
    }
    play.send("3", false, "PSUBSCRIBE *");
    play.send("2", false, "WATCH k");
    play.send("4", false, "HELLO 3");
    play.send("4", false, "CLIENT TRACKING ON BCAST");
    play.received("");
    play.engine.take_log();
    let dirty = play.engine.keys().dirty;
    let mut requests = 0;
    for words in ["SCRIPT DEBUG YES", "EVAL SCRIPT! 0", "s", "s", "s", "s"] {
        play.send("1", false, words);
        while play.engine.next_request().is_some() {
            requests += 1;
        }
    }
    let received = play.received("1");
    assert_eq!(received.last().map(String::as_str), Some("  <closed>"));
    assert!(received.contains(&"  :1".to_owned()), "{received:?}");
    assert!(
        received.iter().all(|line| line.get(2..4) != Some("3:")),
        "{received:?}"
    );
    assert!(
        received.iter().all(|line| line.get(2..4) != Some("4:")),
        "{received:?}"
    );
    assert_eq!(requests, 1, "the script wrote to the log once");
    assert_eq!(play.engine.keys().dirty, dirty);
    assert_eq!(play.engine.take_log(), []);
    for words in ["MULTI", "GET k", "EXISTS n", "EXEC"] {
        play.send("2", false, words);
    }
    let received = play.received("2");
    let exec = received.iter().skip_while(|line| *line != "  *2");
    assert_eq!(exec.collect::<Vec<_>>(), ["  *2", "  $3", "  old", "  :0"]);
}

#[test]
fn others_see_nothing_of_a_script_before_it_is_over() {
    let mut play = Play::new();
    play.script = "redis.call('rpush', 'l', 'x')\nlocal t = redis.call('time')\nreturn t[1]".into();
    play.send("2", false, "BLPOP l 0");
    play.send("3", false, "WATCH l");
    for words in ["SCRIPT DEBUG SYNC", "EVAL SCRIPT! 0", "s", "s"] {
        play.send("1", false, words);
        play.engine.set_now(play.engine.now_ms() + 100_000);
        play.engine.tick();
    }
    play.send("3", false, "LLEN l");
    // The host need not call again at once.
    let now_ms = play.engine.now_ms();
    assert!(play.engine.tick().is_none_or(|at_ms| at_ms > now_ms));
    let is_others = |line: &&String| line.get(..5) != Some("  1: ");
    let received = play.received("2");
    assert_eq!(
        received.iter().filter(is_others).collect::<Vec<_>>(),
        ["  3: +OK"]
    );
    play.send("1", false, "s");
    let received = play.received("1");
    let started = [
        "  *1",
        "  +<endsession>",
        "  $10",
        "  1700000100",
        "  <closed>",
    ];
    assert_eq!(received[..5], started);
    let others = [
        "  2: *2", "  2: $1", "  2: l", "  2: $1", "  2: x", "  3: :0",
    ];
    assert_eq!(received[5..], others);
}

#[test]
fn others_go_on_when_the_client_leaves() {
    let mut play = Play::new();
    play.script = "redis.call('set', 'k', 1)\nredis.call('set', 'k', 2)".into();
    for words in ["SCRIPT DEBUG SYNC", "EVAL SCRIPT! 0", "s"] {
        play.send("1", false, words);
    }
    play.send("2", false, "GET k");
    let id = play.clients.remove("1").expect("a client");
    assert_eq!(play.received("2"), [] as [&str; 0]);
    play.engine.disconnect(id);
    assert_eq!(play.received("2"), ["  $1", "  2"]);
}

#[test]
fn effects_are_logged_when_the_script_is_over() {
    let mut play = Play::new();
    play.engine.set_logging(true);
    play.script = "redis.call('set', 'k', 1)\nredis.call('incr', 'k')\nreturn 1".into();
    for words in ["SCRIPT DEBUG SYNC", "EVAL SCRIPT! 0", "s", "s"] {
        play.send("1", false, words);
    }
    assert_eq!(play.engine.take_log(), []);
    play.send("1", false, "s");
    let names = play.engine.take_log().into_iter();
    let names: Vec<Vec<u8>> = names.map(|mut record| record.command.remove(0)).collect();
    assert_eq!(names, [b"MULTI".as_slice(), b"set", b"incr", b"EXEC"]);
}

#[test]
fn a_loop_without_an_end_stops_by_itself() {
    let mut play = Play::new();
    play.script = "local i = 0\nwhile true do\n  i = i + 1\nend".into();
    play.send("1", false, "CONFIG SET busy-reply-threshold 4");
    for words in ["SCRIPT DEBUG SYNC", "EVAL SCRIPT! 0", "c"] {
        play.received("1");
        play.send("1", false, words);
    }
    let stop = "  +* Stopped at 3, stop reason = timeout reached, infinite loop?";
    assert_eq!(play.received("1"), ["  *2", stop, "  +-> 3     i = i + 1"]);
    play.send("1", false, "c");
    assert_eq!(play.received("1"), ["  *2", stop, "  +-> 3     i = i + 1"]);
    play.send("1", false, "abort");
    assert_eq!(play.received("1").len(), 4);
}

/// What EVAL of a program replies, at once or through the debugger.
fn reply_to(program: &str, is_debugged: bool) -> String {
    let mut play = Play::new();
    play.script = program.to_owned();
    if is_debugged {
        play.send("1", false, "SCRIPT DEBUG SYNC");
        play.received("1");
    }
    play.send("1", false, "EVAL SCRIPT! 1 key arg");
    if is_debugged {
        play.send("1", false, "c");
    }
    let lines = play.received("1");
    let end = lines.iter().position(|line| line == "  +<endsession>");
    let reply = lines.get(end.map_or(0, |end| end + 1)..);
    let reply = reply.unwrap_or_default().iter();
    let reply = reply.filter(|line| *line != "  <closed>");
    reply.cloned().collect::<Vec<_>>().join("\n")
}

#[test]
fn programs_reply_the_same_when_they_are_debugged() {
    // Without optimisation a call takes ten times the stack that it takes with it.
    let thread = std::thread::Builder::new().stack_size(32 << 20);
    let thread = thread.spawn(|| {
        let (mut compared, mut differences) = (0, Vec::new());
        let programs = include_str!("data/lua/programs.txt").split("\n===\n");
        let programs = programs.filter_map(|pair| Some(pair.split_once("\n---\n")?.0));
        for program in programs.step_by(3) {
            // A machine that is told of lines does more steps in the same program.
            if program.contains("clock") {
                continue;
            }
            let (plain, debugged) = (reply_to(program, false), reply_to(program, true));
            compared += 1;
            if plain != debugged {
                differences.push(format!(
                    "{program}\n  plain\n{plain}\n  debugged\n{debugged}"
                ));
            }
        }
        assert!(
            differences.is_empty(),
            "{} of {compared} differ\n{}",
            differences.len(),
            differences.join("\n")
        );
        assert!(compared > 200, "only {compared} were compared");
    });
    let result = thread.expect("a thread").join();
    assert!(result.is_ok());
}
