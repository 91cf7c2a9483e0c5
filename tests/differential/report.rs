//! From a stream that differs to a few commands that do, as a case for a transcript.

use std::time::{Duration, Instant};

use super::pair::{Difference, Pair};
use super::stream::{Args, LISTENER, Step, Stream};
use super::value::quote;

/// Leaves out runs of steps, then settings, as long as the same kind of difference remains.
pub fn shrink(
    pair: &mut Pair,
    stream: Stream,
    first: Box<Difference>,
    budget: Duration,
) -> (Stream, Box<Difference>) {
    let end = Instant::now() + budget;
    let (mut best, mut difference) = (stream, first);
    best.steps.truncate(difference.step + 1);
    let mut size = best.steps.len().div_ceil(2);
    while size >= 1 && Instant::now() < end {
        let mut at = 0;
        while at < best.steps.len() && Instant::now() < end {
            let mut steps = best.steps.clone();
            steps.drain(at..(at + size).min(best.steps.len()));
            let candidate = Stream {
                setup: best.setup.clone(),
                steps,
            };
            match pair.play(&candidate, true) {
                Err(other) if is_same_kind(&difference, &other) => {
                    (best, difference) = (candidate, other)
                }
                _ => at += size,
            }
        }
        if size == 1 {
            break;
        }
        size = size.div_ceil(2);
    }
    for at in (0..best.setup.settings.len()).rev() {
        let mut candidate = Stream {
            setup: best.setup.clone(),
            steps: best.steps.clone(),
        };
        candidate.setup.settings.remove(at);
        if let Err(other) = pair.play(&candidate, true)
            && is_same_kind(&difference, &other)
        {
            (best, difference) = (candidate, other);
        }
    }
    (best, difference)
}

/// Shown by the same command.
fn is_same_kind(one: &Difference, other: &Difference) -> bool {
    let name = |difference: &Difference| {
        difference
            .args
            .first()
            .map(|name| name.to_ascii_uppercase())
    };
    name(one) == name(other)
}

fn word(arg: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_:{}.*+-[](),$>=~#".contains(byte);
    let starts_like_markup = matches!(arg.first(), None | Some(b'<'));
    if !starts_like_markup && arg.iter().all(is_plain) {
        String::from_utf8_lossy(arg).into_owned()
    } else {
        quote(arg)
    }
}

pub fn line(args: &Args) -> String {
    let words: Vec<String> = args.iter().map(|arg| word(arg)).collect();
    words.join(" ")
}

fn prefix(client: usize) -> String {
    if client <= 1 {
        String::new()
    } else {
        client.to_string()
    }
}

/// The case: settings, steps, and where the two differ.
pub fn describe(stream: &Stream, difference: &Difference, seed: u64) -> String {
    let setup = &stream.setup;
    let mut lines = vec![
        format!("## seed {seed}"),
        format!("@resp {}", setup.protocol),
    ];
    for (name, value) in &setup.settings {
        lines.push(format!("> CONFIG SET {name} {}", word(value.as_bytes())));
    }
    for step in &stream.steps {
        lines.push(match step {
            Step::Send {
                client: LISTENER,
                args,
            } => format!("{LISTENER}> {}", line(args)),
            Step::Send { client, args } => format!("{}> {}", prefix(*client), line(args)),
            Step::Wait { ms } => format!("@wait {ms}ms"),
            Step::Unblock { target, is_error } => {
                format!(
                    "> CLIENT UNBLOCK <id of {target}> {}",
                    if *is_error { "ERROR" } else { "TIMEOUT" }
                )
            }
            Step::Close { client } => format!("@close {client}"),
        });
    }
    let shows = if difference.client == 0 || difference.args.is_empty() {
        "then "
    } else {
        ""
    };
    lines.push(format!(
        "# {shows}client {}: {}",
        difference.client,
        line(&difference.args)
    ));
    lines.push(format!(
        "  oracle\n{}\n  engine\n{}\n",
        difference.want, difference.got
    ));
    lines.join("\n")
}
