//! Reading a transcript: cases of steps with their expectations (docs/testing.md explains the format).

use std::collections::BTreeMap;

use super::value::{Order, Value, read_values, repeated, unescape};

/// What each client receives after a step, by the client's number.
pub type Events = BTreeMap<u32, Vec<Value>>;

#[derive(Debug)]
pub struct Case {
    pub title: String,
    pub line: usize,
    /// The protocols to run it in: 2, 3 or both.
    pub protocols: Vec<u8>,
    /// The Redis that first behaves so, as `[8, 4]`; empty when every one does that the oracle may be.
    pub since: Vec<u32>,
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub enum Action {
    Send { client: u32, bytes: Vec<u8> },
    Wait { ms: u64 },
    Close { client: u32 },
}

#[derive(Debug)]
pub struct Step {
    pub action: Action,
    pub source: String,
    pub line: usize,
    pub order: Order,
    /// False when nothing stands below the command yet.
    pub recorded: bool,
    two: Events,
    three: Option<Events>,
}

impl Step {
    /// What is expected in a protocol.
    pub fn expected(&self, protocol: u8) -> &Events {
        match &self.three {
            Some(three) if protocol == 3 => three,
            _ => &self.two,
        }
    }

    /// The client whose replies need no heading; 0 when the step sends nothing.
    pub fn sender(&self) -> u32 {
        match self.action {
            Action::Send { client, .. } | Action::Close { client } => client,
            Action::Wait { .. } => 0,
        }
    }
}

/// Splits a command line into arguments: words, "quoted" words, 'literal' words, and <"text"*N> for N copies.
pub fn split_arguments(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut found = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (argument, length) = match rest.as_bytes()[0] {
            b'"' => {
                let end =
                    closing(&rest[1..], '"').ok_or_else(|| format!("unbalanced quotes: {line}"))?;
                (unescape(&rest[1..=end]), end + 2)
            }
            b'\'' => {
                let end = closing(&rest[1..], '\'')
                    .ok_or_else(|| format!("unbalanced quotes: {line}"))?;
                (rest[1..=end].replace("\\'", "'").into_bytes(), end + 2)
            }
            b'<' if rest.starts_with("<\"") => {
                let quoted =
                    closing(&rest[2..], '"').ok_or_else(|| format!("unbalanced quotes: {line}"))?;
                let end = rest[quoted + 2..]
                    .find('>')
                    .ok_or_else(|| format!("no end: {line}"))?
                    + quoted
                    + 2;
                let copies =
                    repeated(&rest[1..end]).ok_or_else(|| format!("not a repetition: {line}"))?;
                (copies, end + 1)
            }
            _ => {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                (rest.as_bytes()[..end].to_vec(), end)
            }
        };
        found.push(argument);
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

/// Where the quote ends, escapes skipped.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

/// A request as a RESP array of bulk strings.
pub fn encode_command(arguments: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend(format!("${}\r\n", argument.len()).bytes());
        bytes.extend(argument);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// Reads a file; an error names the line.
pub fn parse(source: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    let mut order = Order::default();
    let mut blocks: Vec<(usize, usize, Vec<&str>)> = Vec::new();
    let mut open = false;
    for (index, line) in source.lines().enumerate() {
        let number = index + 1;
        let fail = |why: &str| Err(format!("line {number}: {why}: {line}"));
        if let Some(title) = line.strip_prefix("## ") {
            let title = title.trim().to_string();
            cases.push(Case {
                title,
                line: number,
                protocols: vec![2, 3],
                since: Vec::new(),
                steps: Vec::new(),
            });
            open = false;
            continue;
        }
        if line.trim().is_empty() || line.starts_with("# ") {
            open = open && blocks.last().is_some_and(|(_, _, lines)| lines.is_empty());
            continue;
        }
        let at = cases.len();
        let Some(case) = cases.last_mut() else {
            return fail("nothing may stand before the first case");
        };
        let begun = match (
            send_step(line).map_err(|why| format!("line {number}: {why}"))?,
            line.starts_with('@'),
        ) {
            (Some(action), _) => Some(action),
            (None, true) => match directive(line, case, &mut order) {
                Ok(action) => {
                    open = false;
                    if action.is_none() {
                        continue;
                    }
                    action
                }
                Err(()) => return fail("unknown directive"),
            },
            (None, false) => None,
        };
        if let Some(action) = begun {
            let source = line.to_string();
            let (two, three) = (Events::new(), None);
            case.steps.push(Step {
                action,
                source,
                line: number,
                order,
                recorded: false,
                two,
                three,
            });
            blocks.push((at - 1, case.steps.len() - 1, Vec::new()));
            order = Order::default();
            open = true;
        } else if let (true, Some((_, _, lines))) = (open, blocks.last_mut()) {
            lines.push(line);
        } else {
            return fail("an expectation without a command");
        }
    }
    for (case, step, lines) in blocks {
        read_expectation(&mut cases[case].steps[step], &lines)?;
    }
    Ok(cases)
}

fn send_step(line: &str) -> Result<Option<Action>, String> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let (client, rest) = line.split_at(digits);
    let client = if client.is_empty() {
        1
    } else {
        client.parse().unwrap_or(1)
    };
    if let Some(raw) = rest.strip_prefix(">> ") {
        let bytes = split_arguments(raw)?.concat();
        return Ok(Some(Action::Send { client, bytes }));
    }
    let Some(command) = rest.strip_prefix("> ") else {
        return Ok(None);
    };
    let bytes = encode_command(&split_arguments(command)?);
    Ok(Some(Action::Send { client, bytes }))
}

fn directive(line: &str, case: &mut Case, order: &mut Order) -> Result<Option<Action>, ()> {
    let (name, argument) = line.split_once(' ').unwrap_or((line, ""));
    match (name, argument) {
        ("@resp", "2") => case.protocols = vec![2],
        ("@resp", "3") => case.protocols = vec![3],
        ("@since", _) => case.since = read_version(argument).ok_or(())?,
        ("@unordered", "pairs") => *order = Order::Pairs,
        ("@unordered", _) => *order = Order::Unordered,
        ("@wait", _) => {
            let ms = argument
                .strip_suffix("ms")
                .and_then(|ms| ms.parse().ok())
                .ok_or(())?;
            return Ok(Some(Action::Wait { ms }));
        }
        ("@close", _) => {
            let client = argument.parse().map_err(|_| ())?;
            return Ok(Some(Action::Close { client }));
        }
        _ => return Err(()),
    }
    Ok(None)
}

/// `8.4` or `8.2.3` as numbers, which compare as versions do.
pub fn read_version(text: &str) -> Option<Vec<u32>> {
    text.split('.').map(|part| part.parse().ok()).collect()
}

fn read_expectation(step: &mut Step, lines: &[&str]) -> Result<(), String> {
    let sender = step.sender();
    let place = |why| format!("line {}: {why}", step.line);
    let three: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("3| "))
        .collect();
    let two: Vec<&str> = lines
        .iter()
        .filter(|line| !line.starts_with("3| "))
        .copied()
        .collect();
    step.recorded = !lines.is_empty();
    step.two = read_events(&two, sender).map_err(place)?;
    if !three.is_empty() {
        step.three = Some(read_events(&three, sender).map_err(place)?);
    }
    Ok(())
}

fn read_events(lines: &[&str], sender: u32) -> Result<Events, String> {
    let mut blocks: BTreeMap<u32, Vec<&str>> = BTreeMap::new();
    let mut client = sender;
    for &line in lines {
        if let Some(number) = line
            .strip_prefix('<')
            .and_then(|number| number.parse().ok())
        {
            client = number;
        } else if line != "..." {
            blocks.entry(client).or_default().push(line);
        }
    }
    blocks
        .into_iter()
        .map(|(client, lines)| Ok((client, read_values(&lines)?)))
        .collect()
}
