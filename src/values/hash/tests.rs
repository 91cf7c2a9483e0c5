use super::{Hash, Life};
use crate::algorithms::hash::HashSeed;
use crate::algorithms::rng::Rng;
use crate::values::{Kind, Limits, Object};
use std::collections::BTreeMap;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn limits(entries: usize) -> Limits {
    Limits {
        hash_max_listpack_entries: entries,
        hash_max_listpack_value_bytes: 20,
        ..Limits::new(HashSeed::new(3, 4))
    }
}

fn text(rng: &mut Rng) -> Vec<u8> {
    match rng.below(8) {
        0 => Vec::new(),
        1..4 => rng.below(30).to_string().into_bytes(),
        4..7 => format!("field{}", rng.below(20)).into_bytes(),
        _ => vec![b'x'; rng.below(30) as usize],
    }
}

fn compare(hash: &Hash, model: &Model) {
    hash.check().unwrap();
    let view = hash.view();
    assert_eq!(view.len(), model.len());
    let mut seen = Model::new();
    view.each(&mut |field, value, expiry_ms| {
        seen.insert(field.to_vec(), (value.to_vec(), expiry_ms));
    });
    assert_eq!(&seen, model);
    let mut scanned = Model::new();
    let mut cursor = 0;
    loop {
        cursor = view.scan(cursor, 3, &mut |field, value, expiry_ms| {
            scanned.insert(field.to_vec(), (value.to_vec(), expiry_ms));
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(&scanned, model);
    for (field, (value, expiry_ms)) in model {
        let found = view.find(field).unwrap();
        assert_eq!(
            (found.value.to_vec(), found.expiry_ms),
            (value.clone(), *expiry_ms)
        );
    }
    let earliest = model.values().filter_map(|(_, expiry_ms)| *expiry_ms).min();
    match hash.kind() {
        Kind::HashTable => {
            assert_eq!(view.is_volatile(), earliest.is_some());
            assert!(view.earliest_ms() <= earliest.or(Some(i64::MAX)));
        }
        _ => assert_eq!(view.earliest_ms(), earliest),
    }
}

fn step(hash: &mut Hash, model: &mut Model, rng: &mut Rng, limits: &Limits) {
    let field = text(rng);
    match rng.below(10) {
        0..5 => {
            let value = text(rng);
            let old = model.get(&field).and_then(|(_, expiry_ms)| *expiry_ms);
            let (life, expiry_ms) = match rng.below(6) {
                0 => (Life::Keep, old),
                1 => {
                    let at_ms = 1000 + rng.below(50) as i64;
                    (Life::Until(at_ms), Some(at_ms))
                }
                _ => (Life::Clear, None),
            };
            let before_ms = hash.view().deadline_ms();
            let is_new = hash.set(&field, &value, life, limits);
            hash.move_deadline(before_ms, old.into_iter().chain(expiry_ms).min());
            assert_eq!(is_new, model.insert(field, (value, expiry_ms)).is_none());
        }
        5..7 => {
            assert_eq!(hash.remove(&field), model.remove(&field).is_some());
            hash.drop_deadline();
        }
        7 => {
            let at_ms = 1000 + rng.below(50) as i64;
            let before_ms = hash.view().deadline_ms();
            assert_eq!(
                hash.set_expiry(&field, Some(at_ms), limits),
                model.contains_key(&field)
            );
            if let Some((_, expiry_ms)) = model.get_mut(&field) {
                let set_ms = expiry_ms.unwrap_or(at_ms).min(at_ms);
                *expiry_ms = Some(at_ms);
                hash.move_deadline(before_ms, Some(set_ms));
            }
        }
        8 => {
            assert_eq!(
                hash.set_expiry(&field, None, limits),
                model.contains_key(&field)
            );
            if let Some((_, expiry_ms)) = model.get_mut(&field) {
                *expiry_ms = None;
            }
        }
        _ if rng.below(5) == 0 => {
            let now_ms = 1000 + rng.below(50) as i64;
            let mut gone = 0;
            let is_complete = hash.expire(now_ms, usize::MAX, &mut |field| {
                let (_, expiry_ms) = model.remove(field).unwrap();
                assert!(expiry_ms.unwrap() <= now_ms);
                gone += 1;
            });
            assert!(is_complete);
            assert!(
                model
                    .values()
                    .all(|(_, at_ms)| at_ms.is_none_or(|at_ms| at_ms > now_ms))
            );
            hash.renew_deadline();
        }
        _ => {}
    }
}

#[test]
fn every_encoding_does_what_a_map_does() {
    let seed = std::env::var("REDSTART_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(7);
    println!("REDSTART_SEED={seed}");
    let mut rng = Rng::new([seed, 1]);
    for round in 0..60 {
        let limits = limits([0, 4, 512][round % 3]);
        let (mut hash, mut model) = (Hash::new(), Model::new());
        for _ in 0..200 {
            step(&mut hash, &mut model, &mut rng, &limits);
            compare(&hash, &model);
        }
        compare(&hash.clone(), &model);
        if hash.packed().is_some() {
            let kind = hash.kind();
            assert!(model.len() <= limits.hash_max_listpack_entries);
            let Object::Hash(again) = Object::unpack(kind, hash.into_packed()) else {
                panic!("a hash is unpacked as another type");
            };
            compare(&again, &model);
        }
    }
}

#[test]
fn long_values_are_counted() {
    let limits = limits(4);
    let mut hash = Hash::new();
    hash.set(b"a", &[b'x'; 5000], Life::Clear, &limits);
    assert!(hash.heap_bytes() > 5000);
    hash.set(b"a", &[b'y'; 2000], Life::Until(5), &limits);
    hash.renew_deadline();
    hash.check().unwrap();
    hash.set(b"b", b"short", Life::Clear, &limits);
    hash.expire(5, usize::MAX, &mut |field| assert_eq!(field, b"a"));
    hash.check().unwrap();
    assert!(hash.remove(b"b") && hash.is_empty());
}

#[test]
fn a_budget_is_kept_in_a_listpack() {
    let mut hash = Hash::new();
    for field in 0..10 {
        let field = field.to_string();
        hash.set(field.as_bytes(), b"v", Life::Until(1), &limits(512));
    }
    let mut gone = Vec::new();
    assert!(!hash.expire(1, 4, &mut |field| gone.push(field.to_vec())));
    assert_eq!((gone.len(), hash.view().len()), (4, 6));
    assert!(hash.expire(1, 6, &mut |_| {}) && hash.is_empty());
}

#[test]
fn every_field_is_as_likely() {
    let mut rng = Rng::new([1, 2]);
    for entries in [0, 512] {
        let limits = limits(entries);
        let mut hash = Hash::new();
        for field in 0..40 {
            hash.set(field.to_string().as_bytes(), b"v", Life::Clear, &limits);
        }
        let mut counts = BTreeMap::new();
        for _ in 0..40_000 {
            let (field, _) = hash.view().random(&mut || rng.next_u64()).unwrap();
            *counts.entry(field.to_vec()).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 40);
        assert!(
            counts.values().all(|count| (800..1200).contains(count)),
            "{counts:?}"
        );
    }
}

#[test]
fn a_table_of_few_fields_is_packed_until_one_expires() {
    let limits = limits(512);
    let long = [b'x'; 30];
    let mut hash = Hash::new();
    hash.set(b"a", b"1", Life::Clear, &limits);
    hash.set(b"b", &long, Life::Clear, &limits);
    assert_eq!(hash.kind(), Kind::HashTable);
    let again = Hash::unpack(hash.kind(), hash.packed().unwrap().to_vec());
    again.check().unwrap();
    assert_eq!((again.kind(), again.view().len()), (Kind::HashTable, 2));
    let mut volatile = hash.clone();
    assert!(volatile.set_expiry(b"a", Some(5), &limits));
    volatile.set_deadline(Some(5));
    volatile.check().unwrap();
    assert!(volatile.packed().is_none() && volatile.view().is_volatile());
    for field in 0..40 {
        assert!(hash.set(format!("f{field}").as_bytes(), b"", Life::Clear, &limits));
        hash.check().unwrap();
    }
    assert!(hash.packed().is_none());
    assert_eq!(hash.view().len(), 42);
    // Long values are not moved with every change.
    let mut long = Hash::new();
    long.set(b"a", &[b'y'; 5000], Life::Clear, &limits);
    assert!(long.packed().is_none());
}
