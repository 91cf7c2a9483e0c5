//! The table against a model, and its promises one by one. Seeds are fixed; a failure prints the step.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::*;

/// Sizes are cut under Miri, which is some hundred times slower.
const SCALE: usize = if cfg!(miri) { 100 } else { 1 };

struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.word() % limit as u64) as usize
    }
}

fn table<B: Shape>() -> Table<B> {
    Table::new(HashSeed::new(3, 5))
}

fn key(number: usize) -> Vec<u8> {
    format!("key:{number:08}").into_bytes()
}

fn filled(count: usize) -> Table<()> {
    let mut table = table();
    for number in 0..count {
        table.insert(&key(number), 1, Content::Inline(b"0123456789abcdef"), None);
    }
    table
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Bytes(Vec<u8>),
    Int(i64),
    Object(Rc<Vec<u8>>),
}

type Object = Rc<Vec<u8>>;

/// Entries with everything.
impl Shape for Object {
    const HAS_CLOCK: bool = true;
}

impl Value {
    fn any(random: &mut Random) -> Value {
        match random.below(8) {
            0 | 1 => Value::Int(random.word() as i64),
            2 => Value::Object(Rc::new(vec![7; random.below(40)])),
            3 => Value::Bytes(vec![random.word() as u8; random.below(1500)]),
            _ => Value::Bytes(vec![random.word() as u8; random.below(40)]),
        }
    }

    fn content(&self) -> Content<'_, Object> {
        match self {
            Value::Bytes(bytes) => Content::Inline(bytes),
            Value::Int(number) => Content::Int(*number),
            Value::Object(object) => Content::Boxed(Box::new(object.clone())),
        }
    }

    fn of(payload: Payload<'_, Object>) -> Value {
        match payload {
            Payload::Inline(bytes) => Value::Bytes(bytes.to_vec()),
            Payload::Int(number) => Value::Int(number),
            Payload::Boxed(object) => Value::Object(object.clone()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Model {
    kind: u8,
    clock: u32,
    expiry_ms: Option<i64>,
    value: Value,
}

impl Model {
    fn of(view: EntryView<'_, Object>) -> Model {
        Model {
            kind: view.kind(),
            clock: view.clock(),
            expiry_ms: view.expiry_ms(),
            value: Value::of(view.payload()),
        }
    }
}

fn compare(table: &Table<Object>, model: &BTreeMap<Vec<u8>, Model>) {
    table.check().unwrap();
    assert_eq!(table.len(), model.len());
    assert_eq!(
        table.volatile_len(),
        model
            .values()
            .filter(|entry| entry.expiry_ms.is_some())
            .count()
    );
    let seen: BTreeMap<Vec<u8>, Model> = table
        .iter()
        .map(|view| (view.key().to_vec(), Model::of(view)))
        .collect();
    assert_eq!(&seen, model);
}

/// One random change, made to both.
fn step(
    table: &mut Table<Object>,
    model: &mut BTreeMap<Vec<u8>, Model>,
    random: &mut Random,
    keys: usize,
) {
    let number = random.below(keys);
    // Some keys are empty or long, so that lengths of two bytes and objects outside of the slab occur.
    let key = match number % 50 {
        0 => Vec::new(),
        1 => vec![b'k'; 100 + number % 2000],
        _ => key(number),
    };
    let expiry_ms = (random.below(3) == 0).then(|| random.below(1000) as i64);
    match random.below(12) {
        0..4 => {
            let value = Value::any(random);
            table.insert(&key, 3, value.content(), expiry_ms);
            let clock = model.get(&key).map_or(0, |entry| entry.clock);
            model.insert(
                key,
                Model {
                    kind: 3,
                    clock,
                    expiry_ms,
                    value,
                },
            );
        }
        4 => {
            let removed = table.remove(&key);
            assert_eq!(
                removed.map(|entry| entry.expiry_ms),
                model.remove(&key).map(|entry| entry.expiry_ms)
            );
        }
        5 => {
            if let Some(mut entry) = table.find_mut(&key) {
                entry.set_expiry(expiry_ms);
            }
            if let Some(entry) = model.get_mut(&key) {
                entry.expiry_ms = expiry_ms;
            }
        }
        6 => {
            let value = Value::any(random);
            if let Some(mut entry) = table.find_mut(&key) {
                entry.set_payload(9, value.content());
            }
            if let Some(entry) = model.get_mut(&key) {
                entry.kind = 9;
                entry.value = value;
            }
        }
        7 => {
            let length = random.below(300);
            if let Some(mut entry) = table.find_mut(&key) {
                entry.resize_inline(length);
            }
            if let Some(Value::Bytes(bytes)) = model.get_mut(&key).map(|entry| &mut entry.value) {
                bytes.resize(length, 0);
            }
        }
        8 => {
            let to = self::key(random.below(keys));
            let renamed = table.rename(&key, &to);
            assert_eq!(renamed, model.contains_key(&key));
            if let Some(entry) = model.remove(&key) {
                model.insert(to, entry);
            }
        }
        9 => {
            let clock = random.word() as u32 & CLOCK_MAX;
            if let Some(view) = table.find(&key) {
                view.set_clock(clock);
            }
            if let Some(entry) = model.get_mut(&key) {
                entry.clock = clock;
            }
        }
        10 => {
            let number = random.word() as i64;
            let changed = table
                .find_mut(&key)
                .is_some_and(|mut entry| entry.set_int(number));
            let entry = model.get_mut(&key).map(|entry| &mut entry.value);
            assert_eq!(changed, matches!(entry, Some(Value::Int(_))));
            if let Some(Value::Int(old)) = entry {
                *old = number;
            }
        }
        _ => {
            let found = table.find(&key).map(Model::of);
            assert_eq!(found.as_ref(), model.get(&key));
        }
    }
}

#[test]
fn every_operation_agrees_with_a_model() {
    for (seed, keys) in [(1, 20), (2, 400), (3, 5000)] {
        let mut random = Random(seed);
        let mut table = table();
        let mut model = BTreeMap::new();
        let steps = 20_000 / SCALE;
        for round in 0..steps {
            step(&mut table, &mut model, &mut random, keys);
            if round % (steps / 10) == 0 {
                compare(&table, &model);
            }
        }
        compare(&table, &model);
        let objects: Vec<Object> = table
            .iter()
            .filter_map(|view| match view.payload() {
                Payload::Boxed(object) => Some(object.clone()),
                _ => None,
            })
            .collect();
        table.clear();
        assert!(table.is_empty() && table.memory_bytes() == 0);
        table.check().unwrap();
        drop(model);
        // Boxed payloads were dropped: only this test holds the objects.
        assert!(objects.iter().all(|object| Rc::strong_count(object) == 1));
    }
}

#[test]
fn a_small_table_is_small_and_an_empty_one_costs_nothing() {
    assert_eq!(table::<()>().memory_bytes(), 0);
    let table = filled(10);
    table.check().unwrap();
    assert!(
        table.memory_bytes() <= 3072,
        "{} bytes",
        table.memory_bytes()
    );
    assert_eq!(table.slot_count(), 12);
}

#[test]
fn growing_and_emptying_gives_the_memory_back() {
    let count = 40_000 / SCALE;
    let mut table = filled(count);
    table.check().unwrap();
    let full = table.index_bytes();
    for number in 0..count {
        if number == count * 9 / 10 {
            table.check().unwrap();
            assert!(cfg!(miri) || table.index_bytes() < full / 3);
        }
        assert!(table.remove(&key(number)).is_some());
    }
    table.check().unwrap();
    assert!(
        cfg!(miri) || table.memory_bytes() < 20 * 1024,
        "{} bytes",
        table.memory_bytes()
    );
    table.insert(b"again", 1, Content::Int(1), None);
    table.check().unwrap();
}

#[test]
fn drop_releases_boxed_payloads() {
    let object = Rc::new(vec![1u8]);
    let mut table: Table<Object> = table();
    for number in 0..100 {
        table.insert(
            &key(number),
            1,
            Content::Boxed(Box::new(object.clone())),
            None,
        );
    }
    assert_eq!(Rc::strong_count(&object), 101);
    let replaced = table.insert(&key(1), 1, Content::Int(1), None);
    assert!(replaced.is_some());
    drop(replaced);
    drop(table.remove(&key(2)));
    assert_eq!(Rc::strong_count(&object), 99);
    match table.find_mut(&key(3)).map(EntryMut::into_payload_mut) {
        Some(PayloadMut::Boxed(held)) => *held = Rc::new(vec![2]),
        other => panic!("{other:?}"),
    }
    assert_eq!(Rc::strong_count(&object), 98);
    drop(table);
    assert_eq!(Rc::strong_count(&object), 1);
}

#[test]
fn an_entry_of_a_small_string_takes_36_bytes() {
    let mut table: Table<Object> = table();
    table.insert(
        b"key:00000001",
        1,
        Content::Inline(b"0123456789abcdef"),
        None,
    );
    assert_eq!(table.entry_bytes(), 36);
    table
        .find_mut(b"key:00000001")
        .unwrap()
        .set_expiry(Some(i64::MAX));
    assert_eq!(table.entry_bytes(), 44);
    assert_eq!(
        table.find(b"key:00000001").unwrap().expiry_ms(),
        Some(i64::MAX)
    );
}

#[test]
fn a_member_without_payload_takes_two_bytes_more_than_its_name() {
    let mut table: Table<()> = table();
    table.insert(b"member:001", 9, Content::Inline(b""), None);
    assert_eq!(table.entry_bytes(), 12);
    let view = table.find(b"member:001").unwrap();
    view.set_clock(7);
    assert_eq!((view.kind(), view.clock()), (0, 0));
    assert_eq!(view.payload(), Payload::Inline(b""));
    let mut entry = table.find_mut(b"member:001").unwrap();
    entry.resize_inline(1);
    assert_eq!(entry.view().payload(), Payload::Inline(b"\0"));
    entry.resize_inline(0);
    assert_eq!(table.entry_bytes(), 12);
}

#[test]
fn what_some_members_of_one_value_take() {
    // Measured once with 64-bit pointers, in which a bucket has 120 bytes instead of 64.
    for (count, limit) in [(1, 300), (5, 400), (200, 8_400), (2000, 72_000)] {
        let mut table: Table<()> = table();
        for number in 0..count {
            table.insert(&key(number)[4..], 0, Content::Inline(b""), None);
        }
        assert!(
            table.memory_bytes() <= limit,
            "{count}: {} bytes",
            table.memory_bytes()
        );
        assert!(table.used_bytes() <= table.memory_bytes());
        for number in 1..count {
            table.remove(&key(number)[4..]);
        }
        table.check().unwrap();
        assert!(
            table.memory_bytes() <= 300,
            "{} bytes are left",
            table.memory_bytes()
        );
    }
}

#[test]
fn a_clone_is_equal_and_independent() {
    let mut random = Random(6);
    for keys in [1, 10, 15, 300, 4000] {
        let (mut table, mut model) = (table(), BTreeMap::new());
        for _ in 0..2 * keys / SCALE.min(keys) {
            step(&mut table, &mut model, &mut random, keys);
        }
        let mut copy = table.clone();
        compare(&copy, &model);
        let before = model.clone();
        for _ in 0..keys {
            step(&mut copy, &mut model, &mut random, keys);
        }
        compare(&copy, &model);
        compare(&table, &before);
        drop(table);
        compare(&copy, &model);
    }
}

#[test]
fn a_full_scan_visits_everything_once_while_nothing_changes() {
    for count in [0, 1, 11, 13, 500, 700, 20_000 / SCALE] {
        let table = filled(count);
        let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
        let mut cursor = 0;
        let mut calls = 0;
        loop {
            let mut found = 0;
            cursor = table.scan(cursor, 10, |view| {
                found += 1;
                *seen.entry(view.key().to_vec()).or_default() += 1;
            });
            calls += 1;
            assert!(found < 10 + 30, "{found} entries in one call");
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen.len(), count);
        assert!(seen.values().all(|&times| times == 1));
        assert!(calls <= count / 10 + 1, "{calls} calls for {count}");
    }
}

/// Keys below `stable` stay; the others come and go between the calls of one full scan.
fn scan_under_change(stable: usize, others: usize, start_full: bool, seed: u64) {
    let mut random = Random(seed);
    let mut table = filled(if start_full { stable + others } else { stable });
    let mut seen = BTreeSet::new();
    let mut cursor = 0;
    let mut next = if start_full { 0 } else { others };
    loop {
        cursor = table.scan(cursor, 1 + random.below(30), |view| {
            seen.insert(view.key().to_vec());
        });
        if cursor == 0 {
            break;
        }
        for _ in 0..random.below(400) {
            if start_full {
                table.remove(&key(stable + next));
                next += 1;
            } else if next > 0 {
                next -= 1;
                table.insert(&key(stable + next), 1, Content::Int(0), None);
            }
        }
    }
    for number in 0..stable {
        assert!(
            seen.contains(&key(number)),
            "key {number} was not visited (seed {seed})"
        );
    }
    table.check().unwrap();
}

#[test]
fn a_scan_misses_nothing_while_the_table_grows_or_shrinks() {
    for seed in 0..4 {
        scan_under_change(300 / SCALE, 6000 / SCALE, false, seed);
        scan_under_change(300 / SCALE, 6000 / SCALE, true, seed);
        scan_under_change(5, 2000 / SCALE, true, seed);
        scan_under_change(2000 / SCALE, 3000 / SCALE, false, seed);
    }
}

#[test]
fn any_cursor_is_accepted() {
    let mut random = Random(9);
    let table = filled(3000 / SCALE);
    for _ in 0..1000 / SCALE {
        let next = table.scan(random.word(), 5, |_| {});
        table.scan(next, 5, |_| {});
    }
    assert_eq!(
        Table::<()>::new(HashSeed::new(1, 1)).scan(77, 10, |_| {}),
        0
    );
}

#[test]
fn scan_order_is_hash_order() {
    let table = filled(5000 / SCALE);
    let mut hashes = Vec::new();
    let mut cursor = 0;
    loop {
        // Within one home bucket the order is free, so a bucket is represented by its lowest hash.
        let mut lowest = u64::MAX;
        cursor = table.scan(cursor, 1, |view| {
            lowest = lowest.min(table.hash(view.key()))
        });
        if lowest != u64::MAX {
            hashes.push(lowest);
        }
        if cursor == 0 {
            break;
        }
    }
    assert!(hashes.is_sorted());
}

#[test]
fn random_entries_are_fair() {
    // 700 entries make two segments; 1300 make three or four of different depths or fills.
    for count in [1, 5, 100, 700, 1300] {
        let table = filled(count);
        let mut random = Random(count as u64);
        let mut hits: HashMap<Vec<u8>, u32> = HashMap::new();
        let mean = 200 / SCALE.min(10);
        for _ in 0..count * mean / SCALE {
            let view = table.random(|| random.word()).unwrap();
            *hits.entry(view.key().to_vec()).or_default() += 1;
        }
        if cfg!(miri) {
            continue;
        }
        assert_eq!(hits.len(), count);
        // Mean 200, standard deviation 14: six of them are allowed.
        for (key, &times) in &hits {
            assert!(
                (115..=285).contains(&times) || count == 1,
                "{key:?} came {times} times"
            );
        }
    }
    assert!(table::<()>().random(|| 1).is_none());
}

#[test]
fn random_finds_the_last_entry_of_a_thinned_table() {
    let mut table = filled(2000 / SCALE);
    for number in 1..2000 / SCALE {
        table.remove(&key(number));
    }
    let mut random = Random(1);
    assert_eq!(table.random(|| random.word()).unwrap().key(), key(0));
    // Even a generator that always points at the same slot.
    assert_eq!(table.random(|| 0).unwrap().key(), key(0));
}

#[test]
fn expiry_finds_every_due_entry_and_nothing_else() {
    let mut random = Random(4);
    let mut table: Table<()> = table();
    let mut model: BTreeMap<Vec<u8>, i64> = BTreeMap::new();
    let mut next = 0;
    for now_ms in 0..(2000 / SCALE) as i64 {
        for _ in 0..random.below(20) {
            let expiry_ms = now_ms + 1 + random.below(500) as i64;
            let key = key(next);
            next += 1;
            table.insert(
                &key,
                1,
                Content::Int(0),
                (next % 3 != 0).then_some(expiry_ms),
            );
            if next % 3 != 0 {
                model.insert(key, expiry_ms);
            }
        }
        let earliest = model.values().min().copied();
        match (table.next_deadline(), earliest) {
            (Some(bound), Some(earliest)) => assert!(bound <= earliest, "step {now_ms}"),
            (bound, earliest) => assert_eq!(bound, earliest),
        }
        let mut found = BTreeSet::new();
        let due = table.expire(now_ms, usize::MAX, |view| found.insert(view.key().to_vec()));
        assert!(!due.more);
        let expected: BTreeSet<Vec<u8>> = model
            .iter()
            .filter(|entry| *entry.1 <= now_ms)
            .map(|entry| entry.0.clone())
            .collect();
        assert_eq!(found, expected, "step {now_ms}");
        assert_eq!((due.found, due.removed), (found.len(), found.len()));
        model.retain(|_, expiry_ms| *expiry_ms > now_ms);
        assert_eq!(table.volatile_len(), model.len());
        if now_ms % 100 == 0 {
            table.check().unwrap();
        }
    }
    // After a round that had work to do the bound is exact.
    let last = model.values().max().copied().unwrap();
    table.insert(b"late", 1, Content::Int(0), Some(last + 10));
    table.expire(last, usize::MAX, |_| true);
    assert_eq!(table.next_deadline(), Some(last + 10));
    table.check().unwrap();
}

#[test]
fn expiry_in_slices_misses_nothing_while_the_table_changes() {
    let mut random = Random(8);
    let mut table: Table<()> = table();
    let count = 6000 / SCALE;
    for number in 0..count {
        table.insert(&key(number), 1, Content::Int(0), Some((number % 2) as i64));
    }
    let mut calls = 0;
    loop {
        let due = table.expire(0, 10, |_| true);
        calls += 1;
        table.check().unwrap();
        if !due.more {
            break;
        }
        for _ in 0..200 {
            let number = random.below(count);
            if number % 2 == 1 {
                table.remove(&key(number));
            } else {
                table.insert(&key(count + number), 1, Content::Int(0), None);
            }
        }
    }
    assert!(cfg!(miri) || calls > 5, "{calls} calls");
    assert!(table.iter().all(|view| view.expiry_ms() != Some(0)));
}

#[test]
fn an_entry_that_may_not_be_removed_stays_due() {
    let mut table = filled(10);
    table.insert(b"due", 1, Content::Int(0), Some(5));
    let due = table.expire(5, usize::MAX, |_| false);
    assert_eq!(
        due,
        Due {
            found: 1,
            removed: 0,
            more: false
        }
    );
    assert_eq!(table.next_deadline(), Some(5));
    assert_eq!(table.expire(5, usize::MAX, |_| true).removed, 1);
    assert_eq!(table.next_deadline(), None);
    table.check().unwrap();
}

#[test]
fn epoch_marks_new_entries_and_survives_moves() {
    let mut table: Table<()> = table();
    table.insert(b"old", 1, Content::Inline(b"x"), None);
    table.begin_epoch();
    table.insert(b"new", 1, Content::Inline(b"x"), None);
    let epoch_of = |table: &Table<()>, key: &[u8]| table.find(key).unwrap().epoch();
    assert_eq!((epoch_of(&table, b"old"), epoch_of(&table, b"new")), (0, 1));
    table.find_mut(b"new").unwrap().resize_inline(500);
    assert_eq!(epoch_of(&table, b"new"), 1);
    assert!(!table.find_mut(b"old").unwrap().is_current());
    assert!(table.rename(b"old", b"moved"));
    assert!(table.find_mut(b"moved").unwrap().is_current());
    let view = table.find(b"moved").unwrap();
    view.set_epoch(EPOCHS - 1);
    assert_eq!((view.epoch(), view.kind(), view.clock()), (31, 0, 0));
    table.find_mut(b"moved").unwrap().make_current();
    (1..EPOCHS).for_each(|_| table.begin_epoch());
    assert_eq!((table.epoch(), epoch_of(&table, b"moved")), (0, 1));
}

#[test]
fn keys_with_a_common_hash_prefix_are_no_special_case() {
    // Only keys whose hashes share seven bits: the directory gets deep at one place and stays shallow elsewhere.
    let mut table: Table<()> = table();
    let mut found = 0;
    for number in 0..400_000 / SCALE {
        let key = key(number);
        if table.hash(&key) >> 57 == 0 {
            table.insert(&key, 1, Content::Int(0), None);
            found += 1;
        }
    }
    assert_eq!(table.len(), found);
    table.check().unwrap();
    let mut seen = 0;
    let mut cursor = 0;
    loop {
        cursor = table.scan(cursor, 100, |_| seen += 1);
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(seen, found);
    let mut random = Random(1);
    assert!(table.random(|| random.word()).is_some());
}

#[test]
fn a_table_made_for_a_number_is_like_one_that_grew() {
    for len in [0, 1, 12, 13, 100, 500, 541, 2000, 30_000 / SCALE] {
        for real in [0, len / 2, len, len * 2 + 20] {
            let mut table: Table<()> = table();
            table.reserve(len);
            table.check().unwrap();
            for number in 0..real {
                table.insert(&key(number as _), 1, Content::Int(0), None);
            }
            table.check().unwrap();
            let mut seen = 0;
            let mut cursor = 0;
            loop {
                cursor = table.scan(cursor, 100, |_| seen += 1);
                if cursor == 0 {
                    break;
                }
            }
            assert_eq!(seen, real);
            for number in 0..real {
                assert!(table.remove(&key(number as _)).is_some());
            }
            table.check().unwrap();
        }
    }
}
