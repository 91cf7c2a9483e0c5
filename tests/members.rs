//! The members of sets, hashes and sorted sets: SSCAN, HSCAN and ZSCAN miss nothing whatever happens meanwhile, random
//! members are fair, and what was popped at random is logged. `REDSTART_SEED` gives the seed.

#[allow(dead_code)] // The runner uses the rest.
#[path = "spec/value.rs"]
mod value;

use std::collections::{BTreeMap, BTreeSet};

use redstart::algorithms::rng::Rng;
use redstart::engine::{Engine, Kind, Options, SessionId};
use value::{Value, decode};

fn seed() -> u64 {
    let given = std::env::var("REDSTART_SEED").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(1)
}

struct Client {
    engine: Engine,
    id: SessionId,
}

impl Client {
    fn new(seed: u64) -> Client {
        let mut engine = Engine::new(Options {
            seed: [seed, 2],
            now_ms: 1_700_000_000_000,
            ..Options::default()
        });
        let id = engine.connect(Kind::Wire);
        Client { engine, id }
    }

    fn call(&mut self, args: &[&str]) -> Value {
        let mut request = format!("*{}\r\n", args.len());
        for arg in args {
            request += &format!("${}\r\n{arg}\r\n", arg.len());
        }
        self.engine.feed(self.id, request.as_bytes());
        let reply = self.engine.drain(self.id);
        let (value, length) = decode(&reply).unwrap().expect("a whole reply");
        assert_eq!(length, reply.len());
        value
    }

    /// The reply to a command with a list of members behind its first arguments.
    fn call_with(&mut self, args: &[&str], members: &[String]) -> Value {
        let members = members.iter().map(String::as_str);
        let args: Vec<&str> = args.iter().copied().chain(members).collect();
        self.call(&args)
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Leaf { text, .. } => String::from_utf8_lossy(text).into_owned(),
        other => panic!("no text: {other:?}"),
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Items { items, .. } => items.iter().map(text).collect(),
        other => vec![text(other)],
    }
}

/// A type with a SCAN of its own.
struct Scanned {
    name: &'static str,
    remove: &'static str,
    /// What a member is followed by in the reply.
    pair: usize,
}

const SCANNED: [Scanned; 3] = [
    Scanned {
        name: "SSCAN",
        remove: "SREM",
        pair: 1,
    },
    Scanned {
        name: "HSCAN",
        remove: "HDEL",
        pair: 2,
    },
    Scanned {
        name: "ZSCAN",
        remove: "ZREM",
        pair: 2,
    },
];

impl Scanned {
    fn add(&self, client: &mut Client, members: &[String]) {
        for member in members {
            match self.name {
                "SSCAN" => client.call(&["SADD", "k", member]),
                "HSCAN" => client.call(&["HSET", "k", member, "value"]),
                _ => client.call(&["ZADD", "k", "1.5", member]),
            };
        }
    }
}

fn members(prefix: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{prefix}{number}"))
        .collect()
}

/// One full scan while other members come (`grows`) or go. Those that were there all the time must have been seen.
fn scan_under_change(scanned: &Scanned, stable: usize, others: usize, grows: bool, seed: u64) {
    let mut rng = Rng::new([seed, 1]);
    let mut client = Client::new(seed);
    let (stable, mut others) = (members("stable", stable), members("other", others));
    scanned.add(&mut client, &stable);
    if !grows {
        scanned.add(&mut client, &others);
    }
    let (mut seen, mut cursor) = (BTreeSet::new(), "0".to_owned());
    loop {
        let count = (1 + rng.below(40)).to_string();
        let reply = client.call(&[scanned.name, "k", &cursor, "COUNT", &count]);
        let Value::Items { items, .. } = reply else {
            panic!("{reply:?}");
        };
        cursor = text(&items[0]);
        seen.extend(texts(&items[1]).into_iter().step_by(scanned.pair));
        if cursor == "0" {
            break;
        }
        let some = others.len() - others.len().min(rng.below(300) as usize);
        let some = others.split_off(some);
        if grows {
            scanned.add(&mut client, &some);
        } else if !some.is_empty() {
            client.call_with(&[scanned.remove, "k"], &some);
        }
    }
    let missed: Vec<&String> = stable.iter().filter(|name| !seen.contains(*name)).collect();
    assert!(
        missed.is_empty(),
        "{} of seed {seed} missed {missed:?}",
        scanned.name
    );
}

#[test]
fn a_scan_misses_nothing_whatever_comes_and_goes() {
    for seed in seed()..seed() + 3 {
        for scanned in &SCANNED {
            scan_under_change(scanned, 600, 3000, true, seed);
            scan_under_change(scanned, 600, 3000, false, seed);
            scan_under_change(scanned, 20, 900, false, seed);
            scan_under_change(scanned, 3, 600, true, seed);
        }
    }
}

/// Counts how often each of `count` members came in all replies, and compares with an even spread.
fn assert_fair(what: &str, count: usize, hits: &BTreeMap<String, u64>, seed: u64) {
    let draws: u64 = hits.values().sum();
    let mean = draws as f64 / count as f64;
    let sum: f64 = hits
        .values()
        .map(|hits| (*hits as f64 - mean).powi(2) / mean)
        .sum();
    let missing = (count - hits.len()) as f64;
    let chi_square = sum + missing * mean;
    // The mean of the statistic is the degrees of freedom, its variance twice that; six deviations are one in a
    // billion, and some more for its long tail.
    let freedom = count as f64 - 1.0;
    let limit = freedom + 6.0 * (2.0 * freedom).sqrt() + 15.0;
    assert!(
        chi_square < limit,
        "{what} of {count} is not fair: {chi_square:.1} of at most {limit:.1} (seed {seed})"
    );
}

/// A set in each encoding.
fn sets() -> Vec<(&'static str, Vec<String>)> {
    let numbers = |count: usize| members("", count);
    vec![
        ("intset", numbers(9)),
        ("intset", numbers(300)),
        ("listpack", members("m", 10)),
        ("listpack", members("m", 100)),
        ("hashtable", members("m", 150)),
        ("hashtable", members("m", 700)),
    ]
}

#[test]
fn random_members_are_fair() {
    let seed = seed();
    for (encoding, all) in sets() {
        let mut client = Client::new(seed);
        client.call_with(&["SADD", "k"], &all);
        assert_eq!(text(&client.call(&["OBJECT", "ENCODING", "k"])), encoding);
        let size = all.len();
        // Once, repeated, few of many, most of them: each is found in its own way.
        for count in [
            "",
            "-50",
            "2",
            &(size / 2).to_string(),
            &(size - 1).to_string(),
        ] {
            let mut hits = BTreeMap::new();
            let per_call = count.trim_start_matches('-').parse().unwrap_or(1);
            for _ in 0..(15 * size).div_ceil(per_call) {
                let args: &[&str] = &["SRANDMEMBER", "k", count];
                let reply = client.call(&args[..if count.is_empty() { 2 } else { 3 }]);
                let found = texts(&reply);
                assert_eq!(found.len(), per_call);
                if !count.starts_with('-') {
                    let distinct: BTreeSet<&String> = found.iter().collect();
                    assert_eq!(distinct.len(), found.len());
                }
                for member in found {
                    assert!(all.contains(&member));
                    *hits.entry(member).or_insert(0) += 1;
                }
            }
            assert_fair(
                &format!("SRANDMEMBER {count} in a {encoding}"),
                size,
                &hits,
                seed,
            );
        }
    }
}

#[test]
fn popped_members_are_fair_and_gone() {
    let seed = seed();
    for (encoding, all) in sets() {
        let size = all.len();
        for count in [0, 2, size / 3, size - size / 8] {
            let mut client = Client::new(seed);
            let mut hits = BTreeMap::new();
            for _ in 0..(15 * size).div_ceil(count.max(1)).min(150) {
                client.call_with(&["SADD", "k"], &all);
                let popped = match count {
                    0 => client.call(&["SPOP", "k"]),
                    count => client.call(&["SPOP", "k", &count.to_string()]),
                };
                let popped = texts(&popped);
                let left = texts(&client.call(&["SMEMBERS", "k"]));
                let whole: BTreeSet<&String> = popped.iter().chain(&left).collect();
                assert_eq!((whole.len(), popped.len()), (size, count.max(1)));
                assert_eq!(popped.len() + left.len(), size);
                for member in popped {
                    *hits.entry(member).or_insert(0) += 1;
                }
                client.call(&["DEL", "k"]);
            }
            assert_fair(&format!("SPOP {count} of a {encoding}"), size, &hits, seed);
        }
    }
}

#[test]
fn what_was_popped_is_logged_in_portions() {
    for (size, count) in [(3000, 2500), (3000, 1500), (100, 40)] {
        let mut client = Client::new(seed());
        client.call_with(&["SADD", "k"], &members("m", size));
        client.engine.set_logging(true);
        let popped = texts(&client.call(&["SPOP", "k", &count.to_string()]));
        let mut logged = Vec::new();
        for record in client.engine.take_log() {
            let words: Vec<String> = record
                .command
                .iter()
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect();
            if words[0] == "SREM" {
                assert!(words[1] == "k" && words.len() <= 2 + 1024);
                logged.extend_from_slice(&words[2..]);
            }
        }
        assert_eq!(logged, popped);
    }
}
