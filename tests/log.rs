//! What commands leave in the log for AOF and replicas, against what redis-server wrote into its append-only file:
//! `tests/data/log/*.txt`. docs/testing.md explains the files.

#[allow(dead_code)] // Only the splitting of lines serves here.
#[path = "spec/file.rs"]
mod file;
#[allow(dead_code)]
#[path = "spec/value.rs"]
mod value;

use std::collections::BTreeMap;
use std::path::Path;

use file::split_arguments;
use redstart::engine::{Engine, Kind, Options, SessionId};

const START_MS: i64 = 1_700_000_000_000;

type Command = Vec<Vec<u8>>;

fn words(line: &str) -> Command {
    split_arguments(line).unwrap_or_else(|why| panic!("{why}"))
}

fn show(command: &[Vec<u8>]) -> String {
    let words = command.iter().map(|word| word.escape_ascii().to_string());
    words.collect::<Vec<_>>().join(" ")
}

/// `NOW+100` in an expected record becomes the number it stands for, `NOW+0-1` the id of a stream's element.
fn expected(line: &str, now_ms: i64) -> Command {
    let mut command = words(line);
    for word in &mut command {
        let Some(offset) = word.strip_prefix(b"NOW+") else {
            continue;
        };
        let offset = String::from_utf8_lossy(offset).into_owned();
        let (number, rest) = match offset.split_once('-') {
            Some((number, rest)) => (number, format!("-{rest}")),
            None => (offset.as_str(), String::new()),
        };
        let number: i64 = number.parse().expect("a number of milliseconds");
        *word = format!("{}{rest}", now_ms + number).into_bytes();
    }
    command
}

/// The client and the command of a line that sends one: `> SET k v`, `2> BLPOP k 0`.
fn sent(line: &str) -> Option<(u32, Command)> {
    let (client, command) = line.split_once("> ")?;
    let client = if client.is_empty() {
        Some(1)
    } else {
        client.parse().ok()
    };
    Some((client?, words(command)))
}

struct Run {
    engine: Engine,
    clients: BTreeMap<u32, SessionId>,
    now_ms: i64,
}

impl Run {
    fn new() -> Self {
        let mut engine = Engine::new(Options {
            seed: [1, 2],
            now_ms: START_MS,
            ..Options::default()
        });
        engine.set_logging(true);
        Run {
            engine,
            clients: BTreeMap::new(),
            now_ms: START_MS,
        }
    }

    /// The records a command adds.
    fn log_of(&mut self, client: u32, command: &Command) -> Vec<Command> {
        let engine = &mut self.engine;
        let id = *self
            .clients
            .entry(client)
            .or_insert_with(|| engine.connect(Kind::Native3));
        let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        engine.call(id, &args);
        let records = engine.take_log().into_iter();
        records.map(|record| record.command).collect()
    }

    /// Lets time pass without a tick: what has expired is still there for commands to find.
    fn wait(&mut self, wait: &str) {
        self.now_ms += wait
            .trim_end_matches("ms")
            .parse::<i64>()
            .expect("a number of milliseconds");
        self.engine.set_now(self.now_ms);
    }
}

/// Plays one file; returns how many commands were compared, and a text per difference.
fn play(source: &str, name: &str) -> (usize, Vec<String>) {
    let lines: Vec<&str> = source.lines().collect();
    let (mut compared, mut differences) = (0, Vec::new());
    let mut run = Run::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        if let Some(wait) = line.strip_prefix("@wait ") {
            run.wait(wait);
        }
        if line.starts_with("# ") {
            run = Run::new();
        }
        let Some((client, command)) = sent(line) else {
            continue;
        };
        let logged = run.log_of(client, &command);
        let begins = |line: &str| line.is_empty() || line.starts_with(['@', '#']);
        let records = lines[at..]
            .iter()
            .take_while(|line| !begins(line) && sent(line).is_none());
        let wanted: Vec<Command> = records.map(|line| expected(line, run.now_ms)).collect();
        if logged != wanted {
            let list = |records: &[Command]| -> String {
                let lines = records
                    .iter()
                    .map(|record| format!("    {}\n", show(record)));
                lines.collect()
            };
            differences.push(format!(
                "{name}:{at}: {line}\n  expected\n{}  got\n{}",
                list(&wanted),
                list(&logged)
            ));
        }
        compared += 1;
    }
    (compared, differences)
}

#[test]
fn writes_are_logged_as_redis_logs_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/log");
    let (mut compared, mut differences) = (0, Vec::new());
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let source = std::fs::read_to_string(entry.path()).expect("a text file");
        let name = format!("tests/data/log/{}", entry.file_name().to_string_lossy());
        let result = play(&source, &name);
        compared += result.0;
        differences.extend(result.1);
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
    assert!(compared > 100, "only {compared} commands were compared");
}
