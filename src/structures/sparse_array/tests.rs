use super::{SparseArray, Thresholds};
use crate::algorithms::num::format_i64;
use crate::algorithms::rng::Rng;
use crate::structures::item::Item;
use std::collections::BTreeMap;

const USUAL: Thresholds = Thresholds {
    sparse_max: 10,
    sparse_min: 5,
};

fn text(element: Item<'_>) -> Vec<u8> {
    element.text().to_vec()
}

fn visited(array: &SparseArray, from: u64, to: u64, limit: usize) -> Vec<(u64, Vec<u8>)> {
    let mut seen = Vec::new();
    array.visit(from, to, &mut |index, element| {
        seen.push((index, text(element)));
        seen.len() < limit
    });
    seen
}

fn filled(values: impl Iterator<Item = u64>) -> SparseArray {
    let mut array = SparseArray::new(4096);
    for index in values {
        array.set(index, b"v", USUAL);
    }
    array
}

#[test]
fn does_what_an_ordered_map_does() {
    for seed in 0..12 {
        run_model(seed);
    }
}

/// Indices that meet: a dense region, its edges, far regions, the very end.
fn random_index(rng: &mut Rng, slice_size: u64) -> u64 {
    match rng.below(8) {
        0..3 => rng.below(slice_size / 4 + 1),
        3 => slice_size.saturating_sub(4) + rng.below(8),
        4 => rng.below(slice_size * 8),
        5 => 8_388_608 + rng.below(slice_size * 2),
        6 => rng.below(1 << 40),
        _ => u64::MAX - 1 - rng.below(20),
    }
}

fn random_text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(5) {
        0 => Vec::new(),
        1 => format_i64(rng.below(1 << 60) as i64 - (1 << 59))
            .as_bytes()
            .to_vec(),
        2 => vec![b'a' + rng.below(26) as u8; rng.below(9) as usize],
        3 => format_i64(rng.below(1000) as i64 - 500).as_bytes().to_vec(),
        _ => vec![rng.below(256) as u8; rng.below(40) as usize],
    }
}

fn run_model(seed: u64) {
    let mut rng = Rng::new([seed, 17]);
    let slice_size = [4096, 64, 8, 1][(seed % 4) as usize];
    let thresholds = [
        USUAL,
        Thresholds {
            sparse_max: 0,
            sparse_min: 0,
        },
    ][(seed % 2) as usize];
    let mut ours = SparseArray::new(slice_size as usize);
    let mut model: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for step in 0..6000 {
        let index = random_index(&mut rng, slice_size);
        match rng.below(20) {
            0..12 => {
                let text = random_text(&mut rng);
                let is_new = ours.set(index, &text, thresholds);
                assert_eq!(is_new, model.insert(index, text).is_none(), "step {step}");
            }
            12..18 => {
                let removed = ours.remove(index, thresholds);
                assert_eq!(removed, model.remove(&index).is_some(), "step {step}");
            }
            18 => {
                let other = random_index(&mut rng, slice_size);
                let (low, high) = (
                    index.min(other),
                    index.max(other).min(index.min(other).saturating_add(5000)),
                );
                let before = model.len();
                model.retain(|index, _| !(low..=high).contains(index));
                let removed = ours.remove_range(low, high, thresholds);
                assert_eq!(removed as usize, before - model.len(), "step {step}");
            }
            _ => {
                let other = random_index(&mut rng, slice_size);
                let limit = 1 + rng.below(50) as usize;
                let (low, high) = (index.min(other), index.max(other));
                let range = model.range(low..=high);
                let owned = |(index, text): (&u64, &Vec<u8>)| (*index, text.clone());
                let wanted: Vec<_> = if index <= other {
                    range.map(owned).take(limit).collect()
                } else {
                    range.rev().map(owned).take(limit).collect()
                };
                assert_eq!(visited(&ours, index, other, limit), wanted, "step {step}");
            }
        }
        assert_eq!(ours.get(index).map(text).as_ref(), model.get(&index));
        assert_eq!(ours.last_index(), model.keys().last().copied());
        if step % 100 == 0 {
            ours.check();
        }
    }
    ours.check();
    ours.clone().check();
    assert_eq!(ours.count() as usize, model.len());
    assert!(
        visited(&ours, 0, u64::MAX, usize::MAX)
            .into_iter()
            .eq(model)
    );
    ours.remove_range(0, u64::MAX, thresholds);
    ours.check();
    assert!(ours.is_empty() && ours.last_index().is_none());
}

#[test]
fn every_text_comes_back() {
    let mut array = SparseArray::new(4096);
    let texts: [&[u8]; 16] = [
        b"",
        b"a",
        b"1234567",
        b"-1",
        b"12345678",
        b"-12345678",
        b"012345678",
        b"+12345678",
        b"36028797018963967",
        b"-36028797018963968",
        b"36028797018963968",
        b"-36028797018963969",
        b"9223372036854775807",
        b"1.0",
        b"\0\0\0\0\0\0\0\0",
        b"eight by",
    ];
    for round in 0..2 {
        for (index, text) in texts.iter().enumerate() {
            let other = texts[(index + round) % texts.len()];
            array.set(index as u64, other, USUAL);
            assert!(
                array
                    .get(index as u64)
                    .is_some_and(|element| &*element.text() == other),
                "{text:?}"
            );
        }
    }
    array.check();
}

#[test]
fn slices_turn_dense_and_sparse_again() {
    let mut array = filled((0..10).map(|index| index * 100));
    let shape = |array: &SparseArray| (array.slice_shape().dense, array.slice_shape().sparse);
    assert_eq!(shape(&array), (0, 1));
    array.set(1000, b"v", USUAL);
    assert_eq!(shape(&array), (1, 0));
    assert_eq!(array.slice_shape().dense_words, 1024);
    array.remove_range(500, 1000, USUAL);
    assert_eq!(shape(&array), (1, 0));
    array.remove(400, USUAL);
    assert_eq!((shape(&array), array.count()), ((0, 1), 4));
    array.check();
}

#[test]
fn windows_grow_to_both_sides_within_the_slice() {
    for (indices, words) in [
        ((0..100).collect::<Vec<u64>>(), 128),
        ((400..=500).rev().collect(), 128),
        ((2100..2200).chain((2200..3500).step_by(10)).collect(), 2048),
        ((4000..4096).collect(), 128),
    ] {
        let array = filled(indices.iter().copied());
        array.check();
        assert_eq!(array.slice_shape().dense_words, words);
        assert!(indices.iter().all(|index| array.get(*index).is_some()));
    }
}

#[test]
fn the_directory_splits_its_blocks_and_drops_empty_ones() {
    let mut array = filled((0..2000).rev().map(|slice| slice * 4096));
    array.check();
    let shape = array.shape();
    assert_eq!(shape.slices, 2000);
    assert!(shape.super_entries >= 8 && shape.directory_size == shape.super_entries);
    assert_eq!(array.remove_range(4096, 1998 * 4096 + 1, USUAL), 1998);
    array.check();
    assert_eq!((array.shape().slices, array.count()), (2, 2));
    assert_eq!(visited(&array, u64::MAX, 0, 9).len(), 2);
    let forwards = filled((0..1024).map(|slice| slice * 4096));
    assert_eq!(
        forwards.shape().super_entries,
        4,
        "appended blocks are full"
    );
    forwards.check();
}

#[test]
fn one_value_takes_little_memory() {
    let array = filled([1 << 40].into_iter());
    assert!(array.heap_bytes() < 400, "{}", array.heap_bytes());
    assert_eq!(array.shape().directory_size, 1);
    let dense = filled(0..65_536);
    assert!(dense.heap_bytes() < 65_536 * 9, "{}", dense.heap_bytes());
}
