//! Random command streams on a real redis-server and on the engine: every reply, every keyspace event, then the whole
//! keyspace. `npm run fuzz:oracle` starts a server for it; by hand:
//!
//! `cargo test --test differential -- --address 127.0.0.1:6379 [--seconds 60] [--seed N] [--length 200] [--only hash,DEL]
//! [--finds FOLDER]`. The server is emptied and configured at will. A difference is shrunk and printed as a case for a
//! transcript; with `--finds` it goes into a file and the run goes on.

#[path = "differential/judge.rs"]
mod judge;
#[path = "differential/libraries.rs"]
mod libraries;
#[path = "differential/pair.rs"]
mod pair;
#[path = "differential/report.rs"]
mod report;
#[path = "differential/scripts.rs"]
mod scripts;
#[path = "differential/stream.rs"]
mod stream;
#[allow(dead_code)] // Reading the printed form serves the transcripts.
#[path = "spec/value.rs"]
mod value;
#[path = "differential/vocabulary.rs"]
mod vocabulary;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pair::{Difference, Pair};
use redstart::algorithms::rng::Rng;
use stream::{Args, Repertoire};
use value::Value;
use vocabulary::Vocabulary;

/// So many differences shown by the same command are told of, the rest only counted.
const MOST_OF_A_KIND: usize = 3;
/// Without a folder for them, a run ends at so many.
const MOST_PRINTED: usize = 5;

fn option(name: &str) -> Option<String> {
    let args: Vec<String> = std::env::args().collect();
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1).cloned()
}

fn number(name: &str, fallback: u64) -> u64 {
    option(name)
        .and_then(|text| text.parse().ok())
        .unwrap_or(fallback)
}

/// Payloads of every type, and damaged ones, as the oracle makes them.
fn payloads(pair: &mut Pair) -> Vec<Vec<u8>> {
    const VALUES: [&str; 14] = [
        "SET dump x",
        "SET dump -5000000000",
        "SET dump yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
        "RPUSH dump a b 1 2 hello",
        "SADD dump 1 2 70000",
        "SADD dump a b 1",
        "HSET dump f1 v f2 w",
        "HSETEX dump EXAT 33177117420 FIELDS 2 f1 v f2 w",
        "ZADD dump 1 a 2.5 b inf c",
        "XADD dump 1-1 f v f2 w",
        "XGROUP CREATE dump grp1 0 MKSTREAM",
        "PFADD dump a b c",
        "GEOADD dump 13.361389 38.115556 Palermo",
        "SADD dump aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b",
    ];
    let words = |text: &str| -> Args {
        text.split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect()
    };
    let mut found = Vec::new();
    for text in VALUES {
        let name = text.split(' ').next().unwrap_or_default();
        if pair.lookup().find(name.as_bytes()).is_none() {
            continue;
        }
        let replies = pair.ask_oracle(&[words("DEL dump"), words(text), words("DUMP dump")]);
        if let Some(Some(Value::Leaf { kind: "$", text })) = replies.into_iter().last() {
            found.push(text);
        }
    }
    let mut broken = found[0].clone();
    broken.pop();
    found.extend([broken, b"".to_vec(), b"\x00\x01x\x0b\x00".to_vec()]);
    found
}

/// Payloads of function libraries, and damaged ones.
fn library_payloads(pair: &mut Pair) -> Vec<Vec<u8>> {
    let words = |text: &str| -> Args {
        text.split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect()
    };
    let mut dice = vocabulary::Dice(Rng::new([5, 6]));
    let mut found = Vec::new();
    while found.len() < 30 {
        let mut commands = vec![words("FUNCTION FLUSH")];
        for _ in 0..dice.below(4) {
            let mut load = words("FUNCTION LOAD REPLACE");
            load.push(libraries::source(&mut dice));
            commands.push(load);
        }
        commands.push(words("FUNCTION DUMP"));
        if let Some(Some(Value::Leaf { kind: "$", text })) =
            pair.ask_oracle(&commands).into_iter().last()
        {
            found.push(text);
        }
    }
    let mut broken = found[found.len() - 1].clone();
    broken.pop();
    found.extend([broken, b"".to_vec(), b"\x00\x01x\x0b\x00".to_vec()]);
    found
}

struct Campaign {
    pair: Pair,
    finds: Option<String>,
    seen: BTreeMap<String, usize>,
}

impl Campaign {
    /// Shrinks a difference and tells of it, unless its kind is known well enough.
    fn report(&mut self, stream: stream::Stream, first: Box<Difference>, seed: u64) {
        let seen_raw = self.seen.entry(name_of(&first)).or_default();
        *seen_raw += 1;
        if *seen_raw > MOST_OF_A_KIND * 20 {
            return;
        }
        let (small, difference) = match self.pair.play(&stream, true) {
            Err(difference) => {
                report::shrink(&mut self.pair, stream, difference, Duration::from_secs(20))
            }
            Ok(()) => (stream, first),
        };
        // What an event or the keyspace shows is told apart by the command before.
        let kind = format!("{}-{}", name_of(&difference), last_name(&small));
        let count = self.seen.entry(kind.clone()).or_default();
        *count += 1;
        if *count > MOST_OF_A_KIND {
            return;
        }
        let text = report::describe(&small, &difference, seed);
        println!("{text}");
        if let Some(folder) = &self.finds {
            let _ = std::fs::create_dir_all(folder);
            let path = format!("{folder}/{kind}-{seed}.txt");
            std::fs::write(&path, text)
                .unwrap_or_else(|error| println!("cannot write {path}: {error}"));
        }
    }
}

/// The command that shows a difference, in letters only.
fn name_of(difference: &Difference) -> String {
    letters(difference.args.first()).unwrap_or("event".to_string())
}

/// The last command of a stream.
fn last_name(stream: &stream::Stream) -> String {
    let mut commands = stream.steps.iter().rev().filter_map(|step| match step {
        stream::Step::Send { args, .. } => letters(args.first()),
        _ => None,
    });
    commands.next().unwrap_or_default()
}

fn letters(word: Option<&Vec<u8>>) -> Option<String> {
    let word = String::from_utf8_lossy(word?).to_lowercase();
    Some(
        word.chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect(),
    )
}

fn main() -> ExitCode {
    let Some(address) = option("--address").or_else(|| std::env::var("REDSTART_ORACLE").ok())
    else {
        println!(
            "skipped: no redis-server to compare with is named\n\ntest result: ok. 0 passed; 0 failed; 1 ignored"
        );
        return ExitCode::SUCCESS;
    };
    let seed = option("--seed").or_else(|| std::env::var("REDSTART_SEED").ok());
    let clock = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(1, |since| since.as_secs());
    let first_seed = seed.and_then(|text| text.parse().ok()).unwrap_or(clock);
    let only: Vec<String> = option("--only").map_or(Vec::new(), |text| {
        text.split(',').map(str::to_lowercase).collect()
    });
    // A panic is a find like another; pair.rs catches it and tells what was said.
    std::panic::set_hook(Box::new(pair::remember_panic));
    let (seconds, length) = (number("--seconds", 20), number("--length", 200) as usize);
    let pair = Pair::new(&address);
    let repertoire = Repertoire::new(pair.lookup(), &only);
    println!("{} commands, first seed {first_seed}", repertoire.len());
    let mut campaign = Campaign {
        pair,
        finds: option("--finds"),
        seen: BTreeMap::new(),
    };
    let vocabulary = Vocabulary {
        payloads: payloads(&mut campaign.pair),
        library_payloads: library_payloads(&mut campaign.pair),
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut passed, mut failed, mut steps, mut seed) = (0, 0, 0, first_seed);
    while Instant::now() < end && (campaign.finds.is_some() || failed < MOST_PRINTED) {
        let stream = stream::stream(
            campaign.pair.lookup(),
            &repertoire,
            &vocabulary,
            seed,
            length,
        );
        steps += stream.steps.len();
        match campaign.pair.play(&stream, false) {
            Ok(()) => passed += 1,
            Err(difference) => {
                failed += 1;
                campaign.report(stream, difference, seed);
            }
        }
        seed += 1;
    }
    println!("{steps} steps; differences by command: {:?}", campaign.seen);
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {passed} passed; {failed} failed; 0 ignored");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
