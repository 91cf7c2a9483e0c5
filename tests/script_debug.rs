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
