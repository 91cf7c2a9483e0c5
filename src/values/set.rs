//! Sets: members, each once.
//!
//! <https://redis.io/docs/latest/develop/data-types/sets/>

use super::{Aggregate, Entry, Kind, Limits, Object, Type};
use crate::algorithms::rng::Rng;
use crate::structures::intset::{Intset, IntsetRef};
use crate::structures::item::{Item, Needle, integer_of};
use crate::structures::listpack::{HEADER_BYTES, Listpack, ListpackRef};
use crate::structures::table::{Content, Lookup, Payload, Table};

/// An intset is never longer, whatever the configuration says.
const MOST_INTS: usize = 1 << 30;
/// A table of so few members is kept as a listpack: members are compared quicker than a table is set up.
const FEW: usize = 24;
/// And if it is no longer than this, since a change moves what is behind it.
const FEW_BYTES: usize = 4096;

/// Sets: members, each once. Encodings only ever change from the first to the last, but for what
/// [`Set::pack_ints`] does.
#[derive(Debug, Clone)]
pub enum Set {
    /// Integers only.
    Ints(Intset),
    Packed(Listpack),
    /// What is a hash table for Redis, because some member is long, but has few members.
    Few(Listpack),
    Table(Box<Table<()>>),
}

/// The same, to be read.
#[derive(Debug, Clone, Copy)]
pub enum SetRef<'a> {
    Ints(IntsetRef<'a>),
    Packed(ListpackRef<'a>),
    Few(ListpackRef<'a>),
    Table(&'a Table<()>),
}

impl<'a> SetRef<'a> {
    /// Members. O(1).
    #[inline]
    pub fn len(self) -> usize {
        match self {
            SetRef::Ints(ints) => ints.len(),
            SetRef::Packed(list) | SetRef::Few(list) => list.len(),
            SetRef::Table(table) => table.len(),
        }
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether there is this member. O(1) in a table, O(log n) among integers, O(n) in a listpack.
    #[inline]
    pub fn contains(self, member: &[u8]) -> bool {
        match self {
            SetRef::Ints(ints) => integer_of(member).is_some_and(|number| ints.contains(number)),
            SetRef::Packed(list) | SetRef::Few(list) => list.find(member, 1).is_some(),
            SetRef::Table(table) => table.contains(member),
        }
    }

    /// The same for a member of another set.
    #[inline]
    pub fn contains_item(self, member: Item<'_>) -> bool {
        match (self, member) {
            (SetRef::Ints(ints), Item::Int(number)) => ints.contains(number),
            (_, member) => self.contains(&member.text()),
        }
    }

    /// Whether both are one and the same.
    pub fn is_same(self, other: SetRef<'_>) -> bool {
        match (self, other) {
            (SetRef::Table(one), SetRef::Table(other)) => core::ptr::eq(one, other),
            _ => self
                .packed()
                .zip(other.packed())
                .is_some_and(|(one, other)| core::ptr::eq(one, other)),
        }
    }

    /// Visits the members until `visit` says false: integers in ascending order, those of a listpack as they were added,
    /// those of a table in its order. O(n).
    pub fn walk(self, visit: &mut dyn FnMut(Item<'a>) -> bool) {
        match self {
            SetRef::Ints(ints) => {
                ints.iter().all(|number| visit(Item::Int(number)));
            }
            SetRef::Packed(list) | SetRef::Few(list) => {
                list.iter().all(|(_, item)| visit(item));
            }
            SetRef::Table(table) => {
                table.iter().all(|view| visit(Item::Bytes(view.key())));
            }
        }
    }

    /// A random member, each as likely; None of an empty set. O(1), in a listpack O(n).
    pub fn random(self, rng: &mut Rng) -> Option<Item<'a>> {
        match self {
            SetRef::Ints(ints) => ints
                .get(rng.below(ints.len() as u64) as usize)
                .map(Item::Int),
            SetRef::Packed(list) | SetRef::Few(list) => {
                list.get(rng.below(list.len() as u64) as i64)
            }
            SetRef::Table(table) => {
                let view = table.random(|| rng.next_u64())?;
                Some(Item::Bytes(view.key()))
            }
        }
    }

    /// Visits about `count` members from a cursor on and returns the next cursor, 0 at the end; see [`Table::scan`]. All
    /// members at once of a set that is no table.
    pub fn scan(self, cursor: u64, count: usize, visit: &mut dyn FnMut(Item<'a>)) -> u64 {
        if let SetRef::Table(table) = self {
            return table.scan(cursor, count, |view| visit(Item::Bytes(view.key())));
        }
        self.walk(&mut |item| {
            visit(item);
            true
        });
        0
    }

    /// The bytes of the packed form, if this is one.
    pub fn packed(self) -> Option<&'a [u8]> {
        match self {
            SetRef::Ints(ints) => Some(ints.as_bytes()),
            SetRef::Packed(list) | SetRef::Few(list) => Some(list.as_bytes()),
            SetRef::Table(_) => None,
        }
    }
}

impl Set {
    /// An empty one, to which integers can be added as such.
    pub fn new() -> Set {
        Set::Ints(Intset::new())
    }

    /// An empty listpack.
    pub fn packed_new() -> Set {
        Set::Packed(Listpack::new())
    }

    /// An empty table.
    pub fn table(limits: &Limits) -> Set {
        Set::Table(Box::new(Table::new(limits.seed.clone())))
    }

    /// An empty set for so many members, the first of which is known.
    pub fn for_members(first: &[u8], count: usize, limits: &Limits) -> Set {
        if count <= limits.set_max_intset_entries && integer_of(first).is_some() {
            Set::new()
        } else if count <= limits.set_max_listpack_entries {
            Set::packed_new()
        } else {
            Set::for_table(count, limits)
        }
    }

    /// An empty table for so many members.
    fn for_table(count: usize, limits: &Limits) -> Set {
        if count <= FEW {
            Set::Few(Listpack::new())
        } else {
            Set::table(limits)
        }
    }

    /// Prepares for so many members to be added: too many make a table at once, whether or not they are new.
    pub fn prepare(&mut self, count: usize, limits: &Limits) {
        let is_too_small = match self {
            Set::Ints(_) => count > limits.set_max_intset_entries,
            Set::Packed(_) => count > limits.set_max_listpack_entries,
            Set::Few(_) | Set::Table(_) => false,
        };
        if is_too_small {
            self.make_table(limits);
        }
    }

    /// Adds a member; false if it was there. O(1) in a table, O(n) in what is small.
    #[inline]
    pub fn add(&mut self, member: &[u8], limits: &Limits) -> bool {
        match self {
            Set::Table(table) => put(table, member),
            _ => self.add_to_small(Needle::new(member), limits),
        }
    }

    /// The same for a member of another set.
    pub fn add_item(&mut self, member: Item<'_>, limits: &Limits) -> bool {
        match (self, member) {
            (Set::Ints(ints), Item::Int(number)) if !is_full(ints, limits) => ints.insert(number),
            (set, member) => set.add(&member.text(), limits),
        }
    }

    #[inline(never)]
    fn add_to_small(&mut self, member: Needle<'_>, limits: &Limits) -> bool {
        let fits = member.text.len() <= limits.set_max_listpack_value_bytes;
        match (&mut *self, member.int) {
            (Set::Ints(ints), Some(number)) => {
                let is_new = ints.insert(number);
                if is_new && ints.view().len() > limits.set_max_intset_entries.min(MOST_INTS) {
                    self.make_table(limits);
                }
                return is_new;
            }
            (Set::Ints(ints), None) => {
                if fits
                    && ints.view().len() < limits.set_max_listpack_entries
                    && longest(ints.view()) <= limits.set_max_listpack_value_bytes
                {
                    let mut list = Listpack::new();
                    ints.view().iter().for_each(|number| list.push_int(number));
                    list.push(member.text);
                    *self = Set::Packed(list);
                    return true;
                }
            }
            (Set::Packed(list), int) => {
                if list.view().find_from(HEADER_BYTES, &member, 1).is_some() {
                    return false;
                }
                if fits && list.len() < limits.set_max_listpack_entries {
                    match int {
                        Some(number) => list.push_int(number),
                        None => list.push(member.text),
                    }
                    return true;
                }
            }
            (Set::Few(list), _) => {
                if list.view().find_from(HEADER_BYTES, &member, 1).is_some() {
                    return false;
                }
                if list.len() < FEW && list.as_bytes().len() + member.text.len() <= FEW_BYTES {
                    list.push(member.text);
                    return true;
                }
            }
            (Set::Table(_), _) => {}
        }
        self.make_table(limits);
        self.add(member.text, limits)
    }

    /// Makes it a table, or a real one if it seems to be one. O(n).
    #[inline(never)]
    fn make_table(&mut self, limits: &Limits) {
        let was_few = matches!(self, Set::Few(_));
        let count = if was_few {
            usize::MAX
        } else {
            self.view().len() + 1
        };
        let mut table = Set::for_table(count, limits);
        self.view().walk(&mut |item| {
            table.put(&item.text(), limits);
            true
        });
        *self = table;
    }

    /// Adds a new member to a table.
    fn put(&mut self, member: &[u8], limits: &Limits) {
        match self {
            Set::Few(list) => list.push(member),
            set => {
                set.add(member, limits);
            }
        }
    }

    /// Makes it an intset, if all members are integers and few enough. O(n).
    pub fn pack_ints(&mut self, limits: &Limits) {
        if matches!(self, Set::Ints(_))
            || self.view().len() > limits.set_max_intset_entries.min(MOST_INTS)
        {
            return;
        }
        let mut ints = Intset::new();
        let mut are_ints = true;
        self.view().walk(&mut |item| {
            let number = match item {
                Item::Int(number) => Some(number),
                Item::Bytes(text) => integer_of(text),
            };
            number.map(|number| ints.insert(number));
            are_ints = number.is_some();
            are_ints
        });
        if are_ints {
            *self = Set::Ints(ints);
        }
    }

    /// Removes a member; false if there was none. O(1) in a table, O(n) in what is small.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Table(table) => table.remove(member).is_some(),
            Set::Ints(ints) => integer_of(member).is_some_and(|number| ints.remove(number)),
            Set::Packed(list) | Set::Few(list) => match list.view().find(member, 1) {
                Some(position) => {
                    list.remove(position, 1);
                    true
                }
                None => false,
            },
        }
    }

    /// The same for a member of another set.
    pub fn remove_item(&mut self, member: Item<'_>) -> bool {
        match (self, member) {
            (Set::Ints(ints), Item::Int(number)) => ints.remove(number),
            (set, member) => set.remove(&member.text()),
        }
    }

    /// Gives spare room back.
    pub fn shrink(&mut self) {
        match self {
            Set::Ints(ints) => ints.shrink(),
            Set::Packed(list) | Set::Few(list) => list.shrink(),
            Set::Table(_) => {}
        }
    }

    /// The packed form of that kind.
    pub fn unpack(kind: Kind, bytes: Vec<u8>) -> Set {
        match kind {
            Kind::SetInts => Set::Ints(Intset::from_bytes(bytes)),
            Kind::SetTable => Set::Few(Listpack::from_bytes(bytes)),
            _ => Set::Packed(Listpack::from_bytes(bytes)),
        }
    }

    /// The bytes of the packed form, if this is one.
    pub fn packed(&self) -> Option<&[u8]> {
        self.view().packed()
    }

    /// The memory of the packed form; empty if this is none.
    pub fn into_packed(self) -> Vec<u8> {
        match self {
            Set::Ints(ints) => ints.into_bytes(),
            Set::Packed(list) | Set::Few(list) => list.into_bytes(),
            Set::Table(_) => Vec::new(),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Set::Ints(_) => Kind::SetInts,
            Set::Packed(_) => Kind::SetPacked,
            Set::Few(_) | Set::Table(_) => Kind::SetTable,
        }
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }

    /// Bytes held from the allocator. O(1).
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Set::Ints(ints) => ints.heap_bytes(),
            Set::Packed(list) | Set::Few(list) => list.heap_bytes(),
            Set::Table(table) => size_of::<Table<()>>() + table.memory_bytes(),
        }
    }

    /// Verifies the invariants. O(n^2) for a listpack; for tests and debugging.
    ///
    /// # Errors
    /// A sentence about the first violation found.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Set::Ints(ints) => ints.check(),
            Set::Table(table) => table.check(),
            Set::Packed(pack) | Set::Few(pack) => {
                pack.check()?;
                let view = pack.view();
                let is_first = |(at, member): (usize, Item<'_>)| {
                    view.find(&member.text(), 1).is_none_or(|first| first == at)
                };
                match view.iter().all(is_first) {
                    true => Ok(()),
                    false => Err("a member twice".to_owned()),
                }
            }
        }
    }

    #[inline]
    pub fn view(&self) -> SetRef<'_> {
        match self {
            Set::Ints(ints) => SetRef::Ints(ints.view()),
            Set::Packed(list) => SetRef::Packed(list.view()),
            Set::Few(list) => SetRef::Few(list.view()),
            Set::Table(table) => SetRef::Table(table),
        }
    }
}

/// Adds a member to a table; false if it was there.
#[inline]
fn put(table: &mut Table<()>, member: &[u8]) -> bool {
    match table.lookup(member) {
        Lookup::Occupied(_) => false,
        Lookup::Vacant(place) => {
            place.insert(0, Content::Inline(&[]), None);
            true
        }
    }
}

/// Whether one more integer could make it a table.
fn is_full(ints: &Intset, limits: &Limits) -> bool {
    ints.view().len() >= limits.set_max_intset_entries.min(MOST_INTS)
}

/// The length of the longest text among integers in ascending order.
fn longest(ints: IntsetRef<'_>) -> usize {
    let ends = ints.first().into_iter().chain(ints.last());
    ends.map(|number| Item::Int(number).len())
        .max()
        .unwrap_or(0)
}

impl Default for Set {
    fn default() -> Self {
        Set::new()
    }
}

impl Aggregate for Set {
    const TYPE: Type = Type::Set;

    fn of(object: &mut Object) -> Option<&mut Set> {
        match object {
            Object::Set(value) => Some(value),
            _ => None,
        }
    }

    fn into_object(self) -> Object {
        Object::Set(self)
    }
}

impl<'a> Entry<'a> {
    /// The value, if it is a set.
    #[inline]
    pub fn set(&self) -> Option<SetRef<'a>> {
        Some(match (self.kind(), self.view().payload()) {
            (Kind::SetPacked, Payload::Inline(bytes)) => SetRef::Packed(ListpackRef::new(bytes)),
            (Kind::SetTable, Payload::Inline(bytes)) => SetRef::Few(ListpackRef::new(bytes)),
            (Kind::SetInts, Payload::Inline(bytes)) => SetRef::Ints(IntsetRef::new(bytes)),
            (_, Payload::Boxed(Object::Set(value))) => value.view(),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, Item, Limits, Set};
    use crate::algorithms::hash::HashSeed;
    use crate::algorithms::rng::Rng;
    use crate::values::Kind;
    use std::collections::BTreeSet;

    fn limits(ints: usize, entries: usize, value_bytes: usize) -> Limits {
        Limits {
            set_max_intset_entries: ints,
            set_max_listpack_entries: entries,
            set_max_listpack_value_bytes: value_bytes,
            ..Limits::new(HashSeed::new(1, 2))
        }
    }

    fn text(rng: &mut Rng) -> Vec<u8> {
        match rng.below(4) {
            0 => vec![b'x'; rng.below(200) as usize],
            1 => format!("member:{}", rng.below(300)).into_bytes(),
            _ => (rng.below(300) as i64 - 100).to_string().into_bytes(),
        }
    }

    fn compare(set: &Set, model: &BTreeSet<Vec<u8>>, seed: u64) {
        set.check().unwrap();
        let mut seen = BTreeSet::new();
        set.view().walk(&mut |member| seen.insert(member.to_vec()));
        assert_eq!(
            (&seen, set.view().len()),
            (model, model.len()),
            "seed {seed}"
        );
        seen.clear();
        let mut cursor = 0;
        loop {
            cursor = set.view().scan(cursor, 10, &mut |member| {
                seen.insert(member.to_vec());
            });
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(&seen, model, "seed {seed}");
    }

    #[test]
    fn every_encoding_agrees_with_a_model() {
        for seed in 0..40 {
            let mut rng = Rng::new([seed, 9]);
            let limits = limits(rng.below(40) as usize, rng.below(60) as usize, 9);
            let (mut set, mut model) = (Set::new(), BTreeSet::new());
            for step in 0..400 {
                let member = text(&mut rng);
                if rng.below(4) == 0 {
                    assert_eq!(set.remove(&member), model.remove(&member));
                } else {
                    assert_eq!(set.add(&member, &limits), model.insert(member.clone()));
                }
                assert_eq!(set.view().contains(&member), model.contains(&member));
                if step % 40 == 0 {
                    compare(&set, &model, seed);
                }
            }
            // A packed form is the whole of a set.
            if let Some(bytes) = set.packed() {
                let again = Set::unpack(set.kind(), bytes.to_vec());
                compare(&again, &model, seed);
                assert_eq!(again.kind(), set.kind());
            }
            let mut copy = set.clone();
            while let Some(member) = copy.view().random(&mut rng).map(Item::to_vec) {
                assert!(copy.remove(&member) && model.remove(&member));
            }
            assert!(copy.is_empty() && model.is_empty());
        }
    }

    #[test]
    fn a_table_of_few_members_is_packed() {
        let limits = limits(512, 128, 64);
        let mut set = Set::new();
        let member = |number: usize| [&[b'x'; 70], number.to_string().as_bytes()].concat();
        for number in 0..FEW {
            assert!(set.add(&member(number), &limits));
            assert_eq!(set.kind(), Kind::SetTable);
            assert!(set.packed().is_some());
        }
        assert!(!set.add(&member(0), &limits) && set.add(b"7", &limits));
        assert!(set.packed().is_none());
        assert_eq!(set.view().len(), FEW + 1);
        // Long members are not moved with every change.
        let mut long = Set::new();
        long.add(&[b'y'; 5000], &limits);
        assert!(long.add(b"z", &limits) && long.packed().is_none());
    }
}
