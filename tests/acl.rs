//! What users may do, and what ACL SETUSER makes of modifiers, against what redis-server said: `tests/data/acl.txt`.
//! docs/testing.md explains the file.

#[allow(dead_code)] // Only the splitting of lines serves here.
#[path = "spec/file.rs"]
mod file;
#[allow(dead_code)]
#[path = "spec/value.rs"]
mod value;

use file::split_arguments;
use redstart::engine::{Engine, Kind, Options, SessionId};

struct Server {
    engine: Engine,
    client: SessionId,
}

impl Server {
    fn new() -> Server {
        let mut engine = Engine::new(Options {
            seed: [1, 2],
            now_ms: 1_700_000_000_000,
            ..Options::default()
        });
        let client = engine.connect(Kind::Wire);
        Server { engine, client }
    }

    /// A reply that is one line or one bulk string, or the bulk strings of an array.
    fn ask(&mut self, words: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.engine.feed(self.client, &request);
        read(&self.engine.drain(self.client))
    }
}

/// The texts of a reply.
fn read(reply: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = reply;
    let mut texts = Vec::new();
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let (line, after) = rest.split_at(end);
        rest = &after[2..];
        match line.split_first() {
            Some((b'+' | b'-' | b':', text)) => texts.push(text.to_vec()),
            Some((b'$', length)) => {
                let length: usize = String::from_utf8_lossy(length).parse().expect("a length");
                texts.push(rest[..length].to_vec());
                rest = &rest[length + 2..];
            }
            _ => {}
        }
    }
    texts
}

fn words(line: &str) -> Vec<Vec<u8>> {
    split_arguments(line).unwrap_or_else(|why| panic!("{line}: {why}"))
}

fn of(parts: &[&str]) -> Vec<Vec<u8>> {
    parts.iter().map(|part| part.as_bytes().to_vec()).collect()
}

/// What a refusal is about, as the file has it: `command`, or `key` or `channel` and its name.
fn short(text: &[u8]) -> (String, Vec<u8>) {
    let (kind, name) = [("key", &b"' key"[..]), ("channel", b"' channel")]
        .into_iter()
        .find_map(|(kind, end)| {
            let text = text.strip_suffix(end)?;
            let mark = b"access the '";
            let at = text.windows(mark.len()).position(|part| part == mark)?;
            Some((kind, text[at + mark.len()..].to_vec()))
        })
        .unwrap_or_else(|| match text.ends_with(b" command") {
            true => ("command", Vec::new()),
            false => ("", text.to_vec()),
        });
    (kind.to_owned(), name)
}

fn recorded() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/acl.txt");
    std::fs::read_to_string(path).expect("tests/data/acl.txt")
}

#[test]
fn calls_are_allowed_and_refused_as_by_redis() {
    let text = recorded();
    let mut server = Server::new();
    let mut users: Vec<String> = Vec::new();
    let mut lines = text.lines().peekable();
    let mut compared = 0;
    while let Some(line) = lines.next() {
        if let Some(rules) = line.strip_prefix("user ") {
            let rules = words(rules);
            users.push(String::from_utf8_lossy(&rules[0]).into_owned());
            let reply = server.ask(&[of(&["ACL", "SETUSER"]), rules].concat());
            assert_eq!(reply, of(&["OK"]));
        } else if let Some(call) = line.strip_prefix("call ") {
            let mut refused = vec![None; users.len()];
            while let Some(reason) =
                lines.next_if(|line| line.starts_with(|c: char| c.is_ascii_digit()))
            {
                let (at, reason) = reason.split_once(' ').expect("a user and a reason");
                let (kind, name) = reason.split_once(' ').unwrap_or((reason, ""));
                let name = words(name).pop().unwrap_or_default();
                refused[at.parse::<usize>().expect("a number")] = Some((kind.to_owned(), name));
            }
            for (user, expected) in users.iter().zip(refused) {
                let request = [of(&["ACL", "DRYRUN", user]), words(call)].concat();
                let reply = server.ask(&request).pop().expect("a reply");
                let got = (reply != b"OK").then(|| short(&reply));
                assert_eq!(got, expected, "{user}: {call}");
                compared += 1;
            }
        }
    }
    assert!(compared > 4000, "only {compared}");
}

#[test]
fn categories_have_the_commands_they_have_in_redis() {
    let text = recorded();
    let mut server = Server::new();
    let mut count = 0;
    for line in text
        .lines()
        .filter_map(|line| line.strip_prefix("category "))
    {
        let (category, names) = line.split_once(' ').expect("a category and names");
        let ours = server.ask(&of(&["ACL", "CAT", category]));
        let names: Vec<&str> = names.split(' ').collect();
        for name in ours.iter().map(|name| String::from_utf8_lossy(name)) {
            // Those of later versions are not in the file.
            let is_known =
                text.contains(&format!(" {name} ")) || text.contains(&format!(" {name}\n"));
            assert!(
                names.contains(&name.as_ref()) || !is_known,
                "{name} is not in {category}"
            );
        }
        count += 1;
        let mut all = server.ask(&of(&["COMMAND", "LIST"]));
        all.retain(|name| names.contains(&String::from_utf8_lossy(name).as_ref()));
        for name in all {
            assert!(
                ours.contains(&name),
                "{} is in {category}",
                name.escape_ascii()
            );
        }
    }
    assert_eq!(count, 21);
}

#[test]
fn modifiers_make_the_users_they_make_in_redis() {
    let text = recorded();
    let mut server = Server::new();
    let mut lines = text.lines();
    let mut compared = 0;
    while let Some(line) = lines.next() {
        if line == "new" {
            server.ask(&of(&["ACL", "DELUSER", "u"]));
        }
        let Some(modifiers) = line.strip_prefix("set ") else {
            continue;
        };
        let mut expected = || {
            lines
                .next()
                .and_then(|line| line.strip_prefix("= "))
                .expect("a reply")
                .to_owned()
        };
        let (reply, user) = (expected(), expected());
        let ours = server.ask(&[of(&["ACL", "SETUSER", "u"]), words(modifiers)].concat());
        assert_eq!(String::from_utf8_lossy(&ours[0]), reply, "{modifiers}");
        let list = server.ask(&of(&["ACL", "LIST"]));
        let ours = list
            .iter()
            .find(|line| line.starts_with(b"user u "))
            .cloned()
            .unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&ours), user, "{modifiers}");
        compared += 1;
    }
    assert_eq!(compared, 400);
}
