//! The quicklist against a plain list.

use super::{Fill, NodeRef, Quicklist};
use crate::algorithms::rng::Rng;
use crate::structures::listpack::{Item, Listpack, Needle};

fn model_seed() -> u64 {
    let given = std::env::var("REDSTART_SEED").ok();
    let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or(5);
    println!("REDSTART_SEED={seed}");
    seed
}

fn all(list: &Quicklist) -> Vec<Vec<u8>> {
    list.walk(0, false).map(Item::to_vec).collect()
}

fn any_text(rng: &mut Rng, fill: Fill) -> Vec<u8> {
    match rng.below(20) {
        0 if fill.is_large(9000) => vec![b'L'; 9000],
        1 => vec![b'm'; rng.below(3000) as usize],
        2..=4 => (rng.next_u64() as i64 >> rng.below(64))
            .to_string()
            .into_bytes(),
        _ => (0..rng.below(3))
            .map(|_| b'a' + rng.below(3) as u8)
            .collect(),
    }
}

#[test]
fn behaves_as_a_list() {
    let mut rng = Rng::new([model_seed(), 1]);
    for round in 0..60 {
        let fill = [
            Fill::new(-2, 0),
            Fill::new(-1, 0),
            Fill::new(4, 0),
            Fill::new(0, 0),
            Fill::new(3, 2),
        ][round % 5];
        let (mut list, mut model) = (Quicklist::new(fill), Vec::<Vec<u8>>::new());
        for step in 0..400 {
            change(&mut rng, &mut list, &mut model, fill);
            if step % 16 == 0 {
                list.check().unwrap();
                assert_eq!(all(&list), model);
            }
            assert_eq!(list.len(), model.len());
        }
        read(&mut rng, &list, &model);
        let copy = list.clone();
        copy.check().unwrap();
        assert_eq!(all(&copy), model);
    }
}

fn change(rng: &mut Rng, list: &mut Quicklist, model: &mut Vec<Vec<u8>>, fill: Fill) {
    let text = any_text(rng, fill);
    let rank = rng.below(model.len() as u64 + 1) as usize;
    let flag = rng.below(2) == 0;
    match rng.below(16) {
        0..=5 => {
            list.push(&text, flag);
            let at = if flag { 0 } else { model.len() };
            model.insert(at, text);
        }
        6..=9 if rank < model.len() => {
            list.insert(rank, &text, flag);
            model.insert(rank + usize::from(flag), text);
        }
        10..=11 if rank < model.len() => {
            list.set(rank, &text);
            model[rank] = text;
        }
        12 => {
            let count = rng.below(12) as usize;
            list.remove(rank, count);
            model.drain(rank..(rank + count).min(model.len()));
        }
        13 => {
            let limit = rng.below(4) as usize;
            let removed = list.remove_equal(&Needle::new(&text), limit, flag);
            assert_eq!(removed, remove_equal(model, &text, limit, flag));
        }
        14 => {
            let count = rng.below(3) as usize;
            list.remove_end(flag, count);
            let count = count.min(model.len());
            let start = if flag { 0 } else { model.len() - count };
            model.drain(start..start + count);
        }
        _ => {
            assert_eq!(list.end(true).map(Item::to_vec), model.first().cloned());
            assert_eq!(list.end(false).map(Item::to_vec), model.last().cloned());
            assert_eq!(list.get(rank).map(Item::to_vec), model.get(rank).cloned());
        }
    }
}

fn remove_equal(model: &mut Vec<Vec<u8>>, text: &[u8], limit: usize, is_backwards: bool) -> usize {
    let equal = (0..model.len()).filter(|&rank| model[rank] == text);
    let mut ranks: Vec<usize> = equal.collect();
    if is_backwards {
        ranks.reverse();
    }
    ranks.truncate(limit);
    ranks.sort_unstable();
    for rank in ranks.iter().rev() {
        model.remove(*rank);
    }
    ranks.len()
}

fn read(rng: &mut Rng, list: &Quicklist, model: &[Vec<u8>]) {
    for _ in 0..50 {
        let rank = rng.below(model.len() as u64 + 2) as usize;
        let forwards: Vec<_> = list.walk(rank, false).map(Item::to_vec).collect();
        assert_eq!(forwards, model.get(rank..).unwrap_or(&[]));
        let mut backwards: Vec<_> = list.walk(rank, true).map(Item::to_vec).collect();
        backwards.reverse();
        let expected = model.get(..=rank).unwrap_or(&[]);
        assert_eq!(backwards, expected);
    }
}

#[test]
fn a_million_nodes_stay_in_reach() {
    let mut list = Quicklist::new(Fill::new(1, 0));
    for number in 0..100_000 {
        list.push(number.to_string().as_bytes(), number % 2 == 0);
    }
    list.check().unwrap();
    assert_eq!(list.node_count(), 100_000);
    for rank in [0, 1, 49_999, 50_000, 99_999] {
        let expected = match rank {
            0..50_000 => 99_998 - 2 * rank as i64,
            _ => 2 * (rank as i64 - 50_000) + 1,
        };
        assert_eq!(list.get(rank), Some(Item::Int(expected)));
    }
    for number in 0..2000 {
        list.insert(50_000, b"x", number % 2 == 0);
    }
    list.remove(1000, 98_000);
    list.check().unwrap();
    assert_eq!(list.len(), 4000);
    list.remove(0, 4000);
    list.check().unwrap();
    assert_eq!((list.node_count(), list.end(true)), (0, None));
}

/// Elements a node, 0 for a plain one.
fn shape(list: &Quicklist) -> Vec<usize> {
    list.nodes()
        .map(|node| match node {
            NodeRef::Packed(pack) => pack.len(),
            NodeRef::Plain(_) => 0,
        })
        .collect()
}

fn of(fill: i32, count: usize) -> Quicklist {
    let mut list = Quicklist::new(Fill::new(fill, 0));
    for number in 0..count {
        list.push(number.to_string().as_bytes(), false);
    }
    list
}

#[test]
fn nodes_are_split_and_merged_where_a_real_server_does_it() {
    let mut list = of(4, 12);
    assert_eq!(shape(&list), [4, 4, 4]);
    list.insert(5, b"x", true);
    assert_eq!(shape(&list), [4, 2, 3, 4]);
    list.insert(3, b"x", true);
    assert_eq!(shape(&list), [4, 3, 3, 4]);
    list.insert(0, b"x", false);
    assert_eq!(shape(&list), [1, 4, 3, 3, 4]);
    list.set(2, &[b'L'; 9000]);
    assert_eq!(shape(&list), [2, 0, 2, 3, 3, 4]);
    list.set(2, b"s");
    assert_eq!(shape(&list), [2, 3, 3, 3, 4]);
}

#[test]
fn a_listpack_becomes_a_node_and_comes_back() {
    let mut pack = Listpack::new();
    pack.push(b"a");
    let mut list = Quicklist::new(Fill::new(-2, 0));
    list.push_pack(pack.clone());
    assert!(list.only_pack().is_some());
    list.push_plain(vec![b'x'; 10_000]);
    assert!(list.only_pack().is_none() && list.take_pack().is_none());
    list.remove(1, 1);
    assert_eq!(list.take_pack(), Some(pack));
    assert!(list.is_empty());
    list.check().unwrap();
}
