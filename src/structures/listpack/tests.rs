//! The listpack against a plain list, and against bytes that are none.

use super::{HEADER_BYTES, Item, Listpack, ListpackRef, Needle, is_valid};
use crate::algorithms::rng::Rng;

fn model_seed() -> u64 {
    let given = std::env::var("REDSTART_SEED").ok();
    let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or(3);
    println!("REDSTART_SEED={seed}");
    seed
}

fn any_text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(12) {
        0 => Vec::new(),
        1 => (rng.next_u64() as i64 >> rng.below(64))
            .to_string()
            .into_bytes(),
        2 => (rng.below(300) as i64 - 150).to_string().into_bytes(),
        3 => {
            let edges = [
                127, 128, 4095, 4096, -4096, -4097, 32767, 32768, -32768, -32769,
            ];
            let edge: i64 = edges[rng.below(10) as usize];
            edge.to_string().into_bytes()
        }
        4 => vec![b'x'; rng.below(200) as usize],
        5 => {
            let edges = [63, 64, 126, 127, 4095, 4096, 16_380, 16_381, 16_382, 16_390];
            vec![b'y'; edges[rng.below(10) as usize]]
        }
        6 => b"007".to_vec(),
        _ => (0..rng.below(6))
            .map(|_| b'a' + rng.below(4) as u8)
            .collect(),
    }
}

fn texts(pack: ListpackRef<'_>) -> Vec<Vec<u8>> {
    pack.iter().map(|(_, item)| item.to_vec()).collect()
}

#[test]
fn the_bytes_are_those_of_a_real_server() {
    // DEBUG LISTPACK and DUMP of `RPUSH l a 1 -1 5000 <64 x> 99999999999`.
    let mut pack = Listpack::new();
    let long = [b'x'; 64];
    let all: [&[u8]; 6] = [b"a", b"1", b"-1", b"5000", &long, b"99999999999"];
    for text in all {
        pack.push(text);
    }
    let mut expected = vec![96, 0, 0, 0, 6, 0, 0x81, b'a', 2, 1, 1, 0xdf, 0xff, 2];
    expected.extend([0xf1, 0x88, 0x13, 3, 0xe0, 64]);
    expected.extend([b'x'; 64]);
    expected.extend([66, 0xf4, 0xff, 0xe7, 0x76, 0x48, 0x17, 0, 0, 0, 9, 0xff]);
    assert_eq!(pack.as_bytes(), expected);
}

#[test]
fn integers_take_the_shortest_form_and_come_back() {
    let sizes = [
        (0, 2),
        (127, 2),
        (128, 3),
        (-1, 3),
        (4095, 3),
        (-4096, 3),
        (4096, 4),
        (-4097, 4),
        (32767, 4),
        (-32768, 4),
        (32768, 5),
        (-32769, 5),
        (8_388_607, 5),
        (-8_388_608, 5),
        (8_388_608, 6),
        (i64::from(i32::MAX), 6),
        (i64::from(i32::MIN), 6),
        (1 << 31, 10),
        (i64::MAX, 10),
        (i64::MIN, 10),
    ];
    for (number, size) in sizes {
        let mut pack = Listpack::new();
        pack.push(number.to_string().as_bytes());
        assert_eq!(pack.as_bytes().len(), 7 + size, "{number}");
        assert_eq!(pack.view().get(0), Some(Item::Int(number)));
        let mut same = Listpack::new();
        same.push_front_int(number);
        assert_eq!(same, pack);
    }
    let mut pack = Listpack::new();
    pack.push(b"-0");
    assert_eq!(pack.view().get(0), Some(Item::Bytes(b"-0")));
}

#[test]
fn behaves_as_a_list() {
    let mut rng = Rng::new([model_seed(), 1]);
    for _ in 0..200 {
        let (mut pack, mut model) = (Listpack::new(), Vec::<Vec<u8>>::new());
        for _ in 0..rng.below(60) {
            step(&mut rng, &mut pack, &mut model);
            pack.check().unwrap();
            assert_eq!(texts(pack.view()), model);
        }
        let mut backwards: Vec<_> = pack
            .view()
            .iter()
            .rev()
            .map(|(_, item)| item.to_vec())
            .collect();
        backwards.reverse();
        assert_eq!(backwards, model);
    }
}

fn step(rng: &mut Rng, pack: &mut Listpack, model: &mut Vec<Vec<u8>>) {
    let text = any_text(rng);
    let rank = rng.below(model.len() as u64 + 1) as usize;
    let position = pack.view().seek(rank as i64).unwrap_or(pack.view().end());
    match rng.below(9) {
        0..=2 => {
            pack.push(&text);
            model.push(text);
        }
        3 => {
            pack.push_front(&text);
            model.insert(0, text);
        }
        4 => {
            pack.insert(position, &text);
            model.insert(rank, text);
        }
        5 if rank < model.len() => {
            pack.replace(position, &text);
            model[rank] = text;
        }
        6 => {
            let count = rng.below(4) as usize;
            let removed = pack.remove(position, count);
            assert_eq!(
                model.drain(rank..(rank + count).min(model.len())).count(),
                removed
            );
        }
        7 => {
            let tail = pack.split_off(position, model.len() - rank);
            tail.check().unwrap();
            pack.check().unwrap();
            assert_eq!((pack.len(), tail.len()), (rank, model.len() - rank));
            pack.append(tail.view());
        }
        _ => look(rng, pack.view(), model, &text),
    }
}

fn look(rng: &mut Rng, pack: ListpackRef<'_>, model: &[Vec<u8>], text: &[u8]) {
    let index = rng.below(20) as i64 - 10;
    let place = if index < 0 {
        index + model.len() as i64
    } else {
        index
    };
    let expected = usize::try_from(place)
        .ok()
        .and_then(|place| model.get(place))
        .cloned();
    assert_eq!(pack.get(index).map(Item::to_vec), expected);
    for step in 1..4 {
        let expected = (0..model.len())
            .step_by(step)
            .find(|&rank| model[rank] == text);
        let found = pack.find(text, step);
        assert_eq!(found, expected.and_then(|rank| pack.seek(rank as i64)));
    }
    assert_eq!(pack.len(), model.len());
    assert_eq!(pack.is_empty(), model.is_empty());
}

#[test]
fn more_elements_than_the_header_can_count() {
    let mut pack = Listpack::new();
    for _ in 0..65_534 {
        pack.push(b"1");
    }
    assert_eq!(pack.as_bytes()[4..6], [0xfe, 0xff]);
    pack.push(b"2");
    pack.push(b"3");
    assert_eq!(pack.as_bytes()[4..6], [0xff, 0xff]);
    assert_eq!(pack.len(), 65_536);
    assert_eq!(pack.view().get(-1), Some(Item::Int(3)));
    pack.remove(HEADER_BYTES, 10);
    assert_eq!(pack.len(), 65_526);
    pack.check().unwrap();
}

#[test]
fn texts_that_could_be_integers_are_found_all_the_same() {
    // As another program may have written it: the text "12".
    let bytes = vec![11, 0, 0, 0, 1, 0, 0x82, b'1', b'2', 3, 0xff];
    assert!(is_valid(&bytes));
    let pack = Listpack::from_bytes(bytes);
    assert_eq!(pack.view().find(b"12", 1), Some(HEADER_BYTES));
    assert!(Needle::new(b"12").is(pack.view().get(0).unwrap()));
}

#[test]
fn damaged_bytes_are_refused_or_read_without_harm() {
    let mut rng = Rng::new([model_seed(), 2]);
    let mut accepted = 0;
    for _ in 0..3000 {
        let mut pack = Listpack::new();
        for _ in 0..rng.below(8) {
            pack.push(&any_text(&mut rng));
        }
        let mut bytes = pack.into_bytes();
        assert!(is_valid(&bytes));
        for _ in 0..=rng.below(3) {
            let at = rng.below(bytes.len() as u64) as usize;
            match rng.below(3) {
                0 => bytes[at] ^= 1 << rng.below(8),
                1 => bytes[at] = rng.next_u64() as u8,
                _ => bytes.truncate(at.max(1)),
            }
        }
        let view = ListpackRef::new(&bytes);
        if is_valid(&bytes) {
            accepted += 1;
            assert_eq!(view.iter().count(), view.iter().rev().count());
            assert_eq!(view.iter().count(), view.len());
        }
        // Even what is no listpack is only misread.
        let _ = (
            view.iter().count(),
            view.iter().rev().count(),
            view.find(b"ab", 2),
            view.get(-2),
        );
        let mut damaged = Listpack::from_bytes(bytes);
        damaged.push(b"x");
        damaged.remove(HEADER_BYTES, 2);
    }
    assert!(
        accepted > 100,
        "{accepted} of 3000: flipped letters do no harm"
    );
    for short in [
        &b""[..],
        b"\xff",
        b"\x06\0\0\0\0\0",
        b"\x07\0\0\0\0\0\xfe",
        b"\x07\0\0\0\x01\0\xff",
    ] {
        assert!(!is_valid(short));
    }
    assert!(is_valid(b"\x07\0\0\0\0\0\xff"));
}
