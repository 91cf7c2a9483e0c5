//! Streams against a plain list of entries.

use super::{Bound, Group, Id, Log, Pending, References, Stream, Trim};
use crate::algorithms::hash::HashSeed;
use crate::algorithms::rng::Rng;
use crate::values::Limits;
use std::collections::{BTreeMap, BTreeSet};

type Fields = Vec<Vec<u8>>;

/// What a stream is, without nodes.
#[derive(Default)]
struct Model {
    entries: BTreeMap<Id, Fields>,
    /// By group: pending entries with their owners.
    pending: [BTreeMap<Id, u32>; 2],
}

fn limits(rng: &mut Rng) -> Limits {
    let mut limits = Limits::new(HashSeed::new(1, 2));
    limits.stream_node_max_entries = [0, 1, 3, 100][rng.below(4) as usize];
    limits.stream_node_max_bytes = [0, 60, 200, 4096][rng.below(4) as usize];
    limits
}

fn fields(rng: &mut Rng) -> Fields {
    let names: &[&str] =
        [&["a"][..], &["a", "b"], &["b", "a"], &["x", "y", "z"]][rng.below(4) as usize];
    let mut fields = Vec::new();
    for name in names {
        fields.push(name.as_bytes().to_vec());
        fields.push(match rng.below(3) {
            0 => rng.below(100_000).to_string().into_bytes(),
            1 => Vec::new(),
            _ => vec![b'v'; rng.below(200) as usize],
        });
    }
    fields
}

fn read(log: &Log, from: Id, to: Id, is_reverse: bool) -> Vec<(Id, Fields)> {
    let entries = log.range(from, to, is_reverse);
    let read = entries.map(|entry| {
        let mut fields = Vec::new();
        entry.each(&mut |name, value| {
            fields.push(name.to_vec());
            fields.push(value.to_vec());
        });
        assert_eq!(fields.len(), entry.fields * 2);
        (entry.id, fields)
    });
    read.collect()
}

fn some_id(rng: &mut Rng, last: Id) -> Id {
    Id {
        ms: rng.below(last.ms + 2),
        seq: rng.below(3),
    }
}

fn trim(log: &mut Log, model: &mut Model, rng: &mut Rng) {
    let bound = match rng.below(2) {
        0 => Bound::Length(rng.below(model.entries.len() as u64 + 2)),
        _ => Bound::Id(some_id(rng, log.last_id)),
    };
    let trimmed = log.trim(&Trim {
        bound,
        is_approximate: false,
        limit: 0,
        references: References::Delete,
    });
    let mut count = 0;
    while let Some((&id, _)) = model.entries.first_key_value() {
        let is_enough = match bound {
            Bound::Length(length) => model.entries.len() as u64 <= length,
            Bound::Id(bound) => id >= bound,
        };
        if is_enough {
            break;
        }
        model.entries.remove(&id);
        for pending in &mut model.pending {
            pending.remove(&id);
        }
        count += 1;
    }
    assert_eq!(trimmed, count);
}

fn deliver(log: &mut Log, model: &mut Model, rng: &mut Rng, owners: &[u32]) {
    let at = rng.below(2) as usize;
    let owner = owners[rng.below(owners.len() as u64) as usize];
    let id = some_id(rng, log.last_id);
    let pending = Pending {
        id,
        delivered_ms: 5,
        count: 1,
        owner,
    };
    log.edit_group(at, |group| group.deliver(pending));
    model.pending[at].insert(id, owner);
}

fn compare(log: &Log, model: &Model, rng: &mut Rng) {
    let (from, to) = (some_id(rng, log.last_id), some_id(rng, log.last_id));
    let mut wanted: Vec<(Id, Fields)> = match from <= to {
        true => {
            let range = model.entries.range(from..=to);
            range.map(|(id, fields)| (*id, fields.clone())).collect()
        }
        false => Vec::new(),
    };
    assert_eq!(read(log, from, to, false), wanted);
    wanted.reverse();
    assert_eq!(read(log, from, to, true), wanted);
    assert_eq!(log.get(from).is_some(), model.entries.contains_key(&from));
    assert_eq!(log.len(), model.entries.len() as u64);
    for (group, pending) in log.groups().iter().zip(&model.pending) {
        let ours = group.all_pending().iter().map(|held| (held.id, held.owner));
        assert!(ours.eq(pending.iter().map(|(id, owner)| (*id, *owner))));
    }
}

#[test]
fn does_what_a_map_of_entries_does() {
    let mut rng = Rng::new([31, 32]);
    let mut stream = Stream::new();
    let mut model = Model::default();
    let mut owners = Vec::new();
    for name in [b"g", b"h"] {
        let mut group = Group::new(name, Id::MIN, None);
        owners = [&b"ann"[..], b"bob", b"cid"]
            .iter()
            .filter_map(|consumer| group.add_consumer(consumer, 1))
            .collect();
        assert!(stream.add_group(group));
    }
    let mut bounds = limits(&mut rng);
    for step in 0..20_000 {
        match rng.below(20) {
            0..8 => {
                let last = stream.last_id;
                let id = match rng.below(3) {
                    0 => last.next().expect("there are more ids"),
                    _ => Id {
                        ms: last.ms + 1 + rng.below(2),
                        seq: rng.below(3),
                    },
                };
                let fields = fields(&mut rng);
                let pairs: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
                stream.append(id, &pairs, &bounds);
                model.entries.insert(id, fields);
            }
            8..12 => {
                let id = some_id(&mut rng, stream.last_id);
                assert_eq!(stream.delete(id), model.entries.remove(&id).is_some());
            }
            12 if step % 10 == 0 => trim(&mut stream, &mut model, &mut rng),
            13..16 => deliver(&mut stream, &mut model, &mut rng, &owners),
            16..18 => {
                let (at, id) = (rng.below(2) as usize, some_id(&mut rng, stream.last_id));
                let is_done = stream.edit_group(at, |group| group.acknowledge(id));
                assert_eq!(is_done, Some(model.pending[at].remove(&id).is_some()));
            }
            18 => bounds = limits(&mut rng),
            _ => compare(&stream, &model, &mut rng),
        }
        if step % 200 == 0 {
            stream.check();
            stream.clone().check();
            let first = model.entries.keys().next();
            assert_eq!(stream.first_id, first.copied().unwrap_or(Id::MIN));
        }
    }
}

#[test]
fn consumers_come_and_go() {
    let mut rng = Rng::new([33, 34]);
    let mut group = Group::new(b"g", Id::MIN, Some(0));
    let mut model: BTreeMap<Vec<u8>, BTreeSet<Id>> = BTreeMap::new();
    for _ in 0..5_000 {
        let name = format!("consumer-{}", rng.below(20)).into_bytes();
        let id = Id {
            ms: rng.below(50),
            seq: 0,
        };
        match rng.below(4) {
            0 => {
                let is_new = group.add_consumer(&name, 1).is_some();
                assert_eq!(is_new, !model.contains_key(&name));
                model.entry(name).or_default();
            }
            1 => {
                let removed = group.remove_consumer(&name);
                assert_eq!(removed, model.remove(&name).map(|pending| pending.len()));
            }
            2 => {
                if let Some(owner) = group.find(&name) {
                    group.deliver(Pending {
                        id,
                        delivered_ms: 1,
                        count: 1,
                        owner,
                    });
                    for (other, pending) in &mut model {
                        if *other == name {
                            pending.insert(id);
                        } else {
                            pending.remove(&id);
                        }
                    }
                }
            }
            _ => {
                let mut was_pending = false;
                for pending in model.values_mut() {
                    was_pending |= pending.remove(&id);
                }
                assert_eq!(group.acknowledge(id), was_pending);
            }
        }
        let names: Vec<&[u8]> = group.consumers().map(super::Consumer::name).collect();
        assert!(names.iter().copied().eq(model.keys().map(Vec::as_slice)));
        for (consumer, pending) in group.consumers().zip(model.values()) {
            assert!(consumer.pending().iter().eq(pending.iter()));
        }
    }
    group.check();
}

#[test]
fn many_entries_take_little_more_than_their_bytes() {
    let mut stream = Stream::new();
    let limits = Limits::new(HashSeed::new(1, 2));
    for ms in 1..=100_000 {
        stream.append(Id { ms, seq: 0 }, &[b"field", b"value"], &limits);
    }
    stream.check();
    let packed: usize = stream.nodes().map(|node| node.pack.as_bytes().len()).sum();
    assert!(stream.heap_bytes() < packed + packed / 10);
    assert_eq!(stream.node_count(), 1_000);
}
