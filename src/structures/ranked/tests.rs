//! The structure against a sorted list. Seeds are fixed; a failure prints the step.

use super::*;
use crate::algorithms::rng::Rng;

/// Sizes are cut under Miri, which is some hundred times slower.
const SCALE: usize = if cfg!(miri) { 50 } else { 1 };

fn seed() -> HashSeed {
    HashSeed::new(3, 5)
}

type Pairs = Vec<(f64, Vec<u8>)>;

fn place(model: &Pairs, score: f64, member: &[u8]) -> Result<usize, usize> {
    model.binary_search_by(|(other, name)| {
        other
            .partial_cmp(&score)
            .expect("no NaN")
            .then_with(|| name.as_slice().cmp(member))
    })
}

fn remove(model: &mut Pairs, member: &[u8]) -> Option<f64> {
    let at = model.iter().position(|(_, name)| name == member)?;
    Some(model.remove(at).0)
}

fn any_score(rng: &mut Rng, spread: u64) -> f64 {
    match rng.below(12) {
        0 => f64::INFINITY,
        1 => f64::NEG_INFINITY,
        2 => -0.0,
        3 => 0.0,
        4 => 5e-324,
        5 => -1.5,
        _ => rng.below(spread) as f64 - spread as f64 / 2.0,
    }
}

fn any_member(rng: &mut Rng, count: u64) -> Vec<u8> {
    let number = rng.below(count);
    let mut member = format!("m{number}").into_bytes();
    if number.is_multiple_of(17) {
        member.resize(3000, b'x');
    }
    if number == 1 {
        member.clear();
    }
    member
}

fn compare(ranked: &Ranked, model: &Pairs) {
    ranked.check().unwrap();
    let ours: Vec<(u64, &[u8])> = ranked
        .iter()
        .map(|(member, score)| (score.to_bits(), member))
        .collect();
    let theirs: Vec<(u64, &[u8])> = model
        .iter()
        .map(|(score, member)| (score.to_bits(), member.as_slice()))
        .collect();
    assert_eq!(ours, theirs);
    let mut backwards: Vec<&[u8]> = ranked.iter().rev().map(|(member, _)| member).collect();
    backwards.reverse();
    assert!(backwards.iter().eq(theirs.iter().map(|(_, member)| member)));
}

fn step(ranked: &mut Ranked, model: &mut Pairs, rng: &mut Rng, members: u64, spread: u64) {
    let member = any_member(rng, members);
    let score = any_score(rng, spread);
    match rng.below(16) {
        0..8 => {
            ranked.insert(&member, score);
            remove(model, &member);
            let at = place(model, score, &member).unwrap_err();
            model.insert(at, (score, member));
        }
        8..10 => {
            let ours = ranked.remove(&member).map(f64::to_bits);
            assert_eq!(ours, remove(model, &member).map(f64::to_bits));
        }
        10 => {
            let from = rng.below(model.len() as u64 + 2) as usize;
            let count = rng.below(6) as usize;
            let end = (from + count).min(model.len());
            let removed = ranked.remove_ranks(from..from + count);
            assert_eq!(removed, model.drain(from.min(end)..end).count());
        }
        11 => {
            let mut seen = None;
            ranked.change(&member, &mut |old| {
                seen = old;
                None
            });
            let known = model.iter().find(|(_, name)| *name == member);
            assert_eq!(seen, known.map(|(score, _)| *score));
        }
        12 => {
            let (from, count) = (rng.below(members) as usize, rng.below(200) as usize);
            let ours: Vec<_> = ranked.range(from..from + count).collect();
            let end = (from + count).min(model.len());
            let theirs = &model[from.min(end)..end];
            assert!(
                ours.iter()
                    .copied()
                    .eq(theirs.iter().map(|(score, name)| (name.as_slice(), *score)))
            );
        }
        13 => {
            let is_through = rng.below(2) == 0;
            let wanted = model
                .partition_point(|(other, _)| *other < score || (is_through && *other == score));
            assert_eq!(ranked.before(Edge::Score(score, is_through)), wanted);
        }
        _ => {
            let rank = model.iter().position(|(_, name)| *name == member);
            assert_eq!(ranked.rank(&member).map(|(rank, _)| rank), rank);
            if let Some(rank) = rank {
                assert_eq!(ranked.at(rank).map(|(name, _)| name), Some(&*member));
                assert_eq!(ranked.score(&member), Some(model[rank].0));
            }
            assert_eq!(ranked.at(model.len()), None);
        }
    }
    assert_eq!(ranked.len(), model.len());
}

#[test]
fn every_operation_agrees_with_a_sorted_list() {
    // Few scores make many equal ones.
    for (members, spread) in [(40, 1000), (900, 1_000_000), (900, 4), (3000, 300)] {
        let mut rng = Rng::new([members, spread]);
        let mut ranked = Ranked::new(seed());
        let mut model = Pairs::new();
        let steps = 12_000 / SCALE;
        for round in 0..steps {
            step(&mut ranked, &mut model, &mut rng, members, spread);
            if round % (steps / 8) == 0 {
                compare(&ranked, &model);
            }
        }
        compare(&ranked, &model);
        let copy = ranked.clone();
        compare(&copy, &model);
        while !model.is_empty() {
            let from = rng.below(model.len() as u64) as usize;
            let end = (from + 40).min(model.len());
            model.drain(from..end);
            assert_eq!(ranked.remove_ranks(from..end), end - from);
            if model.len().is_multiple_of(7) {
                compare(&ranked, &model);
            }
        }
        compare(&ranked, &model);
        drop(ranked);
        assert!(copy.check().is_ok());
    }
}

#[test]
fn edges_between_members_of_one_score() {
    let mut ranked = Ranked::new(seed());
    let mut model = Pairs::new();
    let mut rng = Rng::new([1, 1]);
    for _ in 0..2000 / SCALE {
        let member = any_member(&mut rng, 5000);
        if let Err(at) = place(&model, 0.0, &member) {
            model.insert(at, (0.0, member.clone()));
        }
        ranked.insert(&member, 0.0);
    }
    compare(&ranked, &model);
    for _ in 0..500 / SCALE {
        let name = any_member(&mut rng, 6000);
        for is_through in [false, true] {
            let wanted =
                model.partition_point(|(_, other)| *other < name || (is_through && *other == name));
            assert_eq!(ranked.before(Edge::Member(&name, is_through)), wanted);
        }
    }
}

#[test]
fn items_in_order_fill_the_nodes() {
    let count = 20_000 / SCALE;
    for descending in [false, true] {
        let mut ranked = Ranked::new(seed());
        for number in 0..count {
            let score = if descending { count - number } else { number };
            ranked.insert(format!("member:{number}").as_bytes(), score as f64);
        }
        ranked.check().unwrap();
        let filled = count * size_of::<Item>();
        let bytes = ranked.tree.memory_bytes();
        assert!(cfg!(miri) || bytes < filled * 5 / 4, "{bytes} for {filled}");
        for _ in 0..count {
            ranked.remove_ranks(0..1);
        }
        ranked.check().unwrap();
        assert_eq!(ranked.len(), 0);
        assert!(ranked.memory_bytes() < 60_000, "{}", ranked.memory_bytes());
    }
}

#[test]
fn a_scan_sees_every_member_with_its_score() {
    let mut ranked = Ranked::new(seed());
    for number in 0..1000 / SCALE {
        ranked.insert(format!("m{number}").as_bytes(), number as f64);
    }
    let (mut seen, mut cursor) = (Vec::new(), 0);
    loop {
        cursor = ranked.scan(cursor, 10, &mut |member, score| {
            assert_eq!(member, format!("m{score}").as_bytes());
            seen.push(score as usize);
        });
        if cursor == 0 {
            break;
        }
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..1000 / SCALE));
}
