//! What commands leave in the log for AOF and replicas, against what redis-server wrote into its append-only file.

use redstart::engine::{Engine, Kind, Options};

const START_MS: i64 = 1_700_000_000_000;

/// The arguments of a line: words, or quoted text with `\xHH` escapes.
fn words(line: &str) -> Vec<Vec<u8>> {
    line.split(' ').map(word).collect()
}

fn word(word: &str) -> Vec<u8> {
    let Some(quoted) = word
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        return word.as_bytes().to_vec();
    };
    let mut parts = quoted.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("two hexadecimal digits"));
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    bytes
}

fn show(command: &[Vec<u8>]) -> String {
    let words: Vec<String> = command
        .iter()
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    words.join(" ")
}

/// `NOW+100` in an expected record becomes the number it stands for.
fn expected(line: &str, now_ms: i64) -> Vec<Vec<u8>> {
    let mut command = words(line);
    for word in &mut command {
        let offset = word.strip_prefix(b"NOW+").map(<[u8]>::to_vec);
        if let Some(offset) = offset {
            let offset: i64 = String::from_utf8(offset).unwrap().parse().unwrap();
            *word = (now_ms + offset).to_string().into_bytes();
        }
    }
    command
}

#[test]
fn writes_are_logged_as_redis_logs_them() {
    let mut now_ms = START_MS;
    let mut engine = Engine::new(Options {
        seed: [1, 2],
        now_ms,
        ..Options::default()
    });
    engine.set_logging(true);
    let client = engine.connect(Kind::Native3);
    let lines = include_str!("data/log.txt").lines();
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let mut compared = 0;
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        if let Some(wait) = line.strip_prefix("@wait ") {
            now_ms += wait.trim_end_matches("ms").parse::<i64>().unwrap();
            // No tick: what has expired is still there for commands to find.
            engine.set_now(now_ms);
        }
        let Some(command) = line.strip_prefix("> ") else {
            continue;
        };
        let command = words(command);
        let args: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        engine.call(client, &args);
        let mut wanted = Vec::new();
        while let Some(record) = lines
            .get(at)
            .filter(|line| !line.starts_with(['>', '@', '#']))
        {
            wanted.push(expected(record, now_ms));
            at += 1;
        }
        let logged: Vec<Vec<Vec<u8>>> = engine
            .take_log()
            .into_iter()
            .map(|record| record.command)
            .collect();
        let lines = |records: &[Vec<Vec<u8>>]| -> Vec<String> {
            records.iter().map(|record| show(record)).collect()
        };
        assert_eq!(lines(&logged), lines(&wanted), "after {}", show(&command));
        assert_eq!(logged, wanted, "after {}", show(&command));
        compared += 1;
    }
    assert!(compared > 100, "only {compared} commands were compared");
}
