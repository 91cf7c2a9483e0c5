//! Plays cases against a host and says where the replies differ.

use std::collections::BTreeMap;

use super::file::{Action, Case, Events, Step, encode_command};
use super::value::{Value, decode, matches, print};

/// Anything that takes a client's bytes and gives bytes back.
pub trait Host {
    /// The version of a server that cannot do what came later; `None` when everything is to run.
    fn version(&mut self) -> Option<Vec<u32>> {
        None
    }
    /// An empty keyspace, default settings, no clients.
    fn reset(&mut self);
    fn connect(&mut self, client: u32);
    fn send(&mut self, client: u32, bytes: &[u8]);
    /// Everything received since the last call: client, bytes, and whether the connection was closed.
    fn settle(&mut self) -> Vec<(u32, Vec<u8>, bool)>;
    fn wait(&mut self, ms: u64);
    fn close(&mut self, client: u32);
}

/// Whether a case is about a Redis newer than the host is.
pub fn is_beyond(host: &mut dyn Host, case: &Case) -> bool {
    !case.since.is_empty() && host.version().is_some_and(|version| version < case.since)
}

/// Plays one case; `Err` tells the first step that differs, in the transcript's own notation.
pub fn play(host: &mut dyn Host, case: &Case, protocol: u8, file: &str) -> Result<(), String> {
    host.reset();
    let mut clients: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for step in &case.steps {
        match &step.action {
            Action::Send { client, bytes } => {
                if !clients.contains_key(client) {
                    clients.insert(*client, Vec::new());
                    host.connect(*client);
                    if protocol == 3 {
                        host.send(
                            *client,
                            &encode_command(&[b"HELLO".to_vec(), b"3".to_vec()]),
                        );
                        collect(host, &mut clients)?;
                    }
                }
                host.send(*client, bytes);
            }
            Action::Wait { ms } => host.wait(*ms),
            Action::Close { client } => {
                host.close(*client);
                clients.remove(client);
            }
        }
        let events = collect(host, &mut clients)?;
        if matches!(step.action, Action::Send { .. }) && !step.recorded {
            return Err(format!("{file}:{}: no expectation recorded", step.line));
        }
        if !agrees(step, protocol, &events) {
            let (want, got) = (show(step.expected(protocol), step), show(&events, step));
            return Err(format!(
                "{file}:{}: {}\n  expected\n{want}  got\n{got}",
                step.line, step.source
            ));
        }
    }
    Ok(())
}

fn collect(host: &mut dyn Host, clients: &mut BTreeMap<u32, Vec<u8>>) -> Result<Events, String> {
    let mut events = Events::new();
    for (client, bytes, closed) in host.settle() {
        let buffer = clients.entry(client).or_default();
        buffer.extend(bytes);
        let mut values = Vec::new();
        while let Some((value, length)) = decode(buffer)? {
            values.push(value);
            buffer.drain(..length);
        }
        if closed {
            values.push(Value::Closed);
            clients.remove(&client);
        }
        if !values.is_empty() {
            events.insert(client, values);
        }
    }
    Ok(events)
}

fn agrees(step: &Step, protocol: u8, actual: &Events) -> bool {
    let expected = step.expected(protocol);
    // Several messages to one client come in the order of a hash table too.
    let list = |values: &Vec<Value>| Value::Items {
        kind: b'~',
        items: values.clone(),
    };
    expected.len() == actual.len()
        && expected.iter().all(|(client, want)| {
            let got = actual.get(client);
            got.is_some_and(|got| matches(&list(want), &list(got), step.order))
        })
}

/// Events as they stand in a transcript, indented for a message.
fn show(events: &Events, step: &Step) -> String {
    let mut lines = Vec::new();
    for value in events.get(&step.sender()).into_iter().flatten() {
        print(value, "    ", &mut lines);
    }
    if lines.is_empty() {
        lines.push("    ...".to_string());
    }
    for (client, values) in events
        .iter()
        .filter(|(client, _)| **client != step.sender())
    {
        lines.push(format!("    <{client}"));
        values
            .iter()
            .for_each(|value| print(value, "    ", &mut lines));
    }
    lines.join("\n") + "\n"
}
