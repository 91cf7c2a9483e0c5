//! The listpack of fields, values and times to live.

use super::{Found, Life, Visit};
use crate::structures::item::Item;
use crate::structures::listpack::{Listpack, ListpackRef, is_valid};

/// Elements that a field takes.
const STEP: usize = 3;
/// Behind the listpack stands the deadline: i64, little-endian, 0 for none.
const DEADLINE_BYTES: usize = size_of::<i64>();

/// The listpack and, behind it in the same memory, the deadline.
#[derive(Debug, Clone)]
pub struct PackedEx {
    bytes: Vec<u8>,
}

/// The same, to be read.
#[derive(Debug, Clone, Copy)]
pub struct PackedExRef<'a> {
    bytes: &'a [u8],
}

impl PackedEx {
    /// Takes bytes of our own making.
    pub(super) fn from_bytes(bytes: Vec<u8>) -> PackedEx {
        PackedEx { bytes }
    }

    /// Takes a listpack that [`is_triplets`] accepts.
    pub fn from_pack(pack: Vec<u8>) -> PackedEx {
        let mut packed = PackedEx { bytes: pack };
        packed.bytes.extend_from_slice(&[0; DEADLINE_BYTES]);
        let earliest_ms = packed.view().earliest_ms();
        packed.set_deadline(earliest_ms);
        packed
    }

    /// The fields and values of a listpack, none with a time to live. O(n).
    pub(super) fn from_pairs(pairs: ListpackRef<'_>) -> PackedEx {
        let room = pairs.as_bytes().len() + pairs.len() + DEADLINE_BYTES;
        let mut pack = Listpack::with_capacity(room);
        for (rank, (_, item)) in pairs.iter().enumerate() {
            match item {
                Item::Int(number) => pack.push_int(number),
                Item::Bytes(bytes) => pack.push(bytes),
            }
            if rank % 2 == 1 {
                pack.push_int(0);
            }
        }
        PackedEx::from_pack(pack.into_bytes())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    #[inline]
    pub fn view(&self) -> PackedExRef<'_> {
        PackedExRef::new(&self.bytes)
    }

    pub(super) fn set_deadline(&mut self, deadline_ms: Option<i64>) {
        if let Some(place) = self.bytes.last_chunk_mut() {
            *place = deadline_ms.unwrap_or(0).to_le_bytes();
        }
    }

    /// Changes the listpack in the memory it stands in.
    fn edit<R>(&mut self, change: impl FnOnce(&mut Listpack) -> R) -> R {
        let mut bytes = core::mem::take(&mut self.bytes);
        let deadline = bytes
            .last_chunk::<DEADLINE_BYTES>()
            .copied()
            .unwrap_or_default();
        bytes.truncate(bytes.len().saturating_sub(DEADLINE_BYTES));
        let mut pack = Listpack::from_bytes(bytes);
        let result = change(&mut pack);
        self.bytes = pack.into_bytes();
        self.bytes.extend_from_slice(&deadline);
        result
    }

    /// The position of a field, and when it expires.
    fn place(&self, field: &[u8]) -> Option<(usize, Option<i64>)> {
        let (at, found) = self.view().locate(field)?;
        Some((at, found.expiry_ms))
    }

    /// Sets a field; true when it is new.
    pub(super) fn set(&mut self, field: &[u8], value: &[u8], life: Life) -> bool {
        let found = self.place(field);
        let old_ms = found.and_then(|(_, expiry_ms)| expiry_ms);
        let expiry_ms = match life {
            Life::Clear => None,
            Life::Keep => old_ms,
            Life::Until(at_ms) => Some(at_ms),
        };
        self.edit(|pack| match found {
            Some((at, _)) if life == Life::Keep || expiry_ms.is_none() && old_ms.is_none() => {
                if let Some(at) = pack.view().next(at) {
                    pack.replace(at, value);
                }
            }
            found => {
                if let Some((at, _)) = found {
                    pack.remove(at, STEP);
                }
                insert(pack, field, value, expiry_ms);
            }
        });
        found.is_none()
    }

    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        let found = self.place(field);
        if let Some((at, _)) = found {
            self.edit(|pack| pack.remove(at, STEP));
        }
        found.is_some()
    }

    pub(super) fn set_expiry(&mut self, field: &[u8], expiry_ms: Option<i64>) -> bool {
        let Some((at, found)) = self.view().locate(field) else {
            return false;
        };
        if found.expiry_ms.is_none() && expiry_ms.is_none() {
            return true;
        }
        let value = found.value.to_vec();
        self.edit(|pack| {
            pack.remove(at, STEP);
            insert(pack, field, &value, expiry_ms);
        });
        true
    }

    pub(super) fn expire(
        &mut self,
        now_ms: i64,
        budget: usize,
        gone: &mut dyn FnMut(&[u8]),
    ) -> bool {
        let (mut count, mut is_complete) = (0, true);
        let view = self.view();
        let due = |at_ms: Option<i64>| at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        view.triplets(&mut |_, field, _, expiry_ms| {
            let goes_on = due(expiry_ms) && count < budget;
            if goes_on {
                gone(&field.text());
                count += 1;
            } else {
                is_complete = !due(expiry_ms);
            }
            goes_on
        });
        if let Some(first) = view.pack().first().filter(|_| count > 0) {
            self.edit(|pack| pack.remove(first, count * STEP));
        }
        is_complete
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let bytes = self.view().pack().as_bytes();
        match is_valid(bytes) && is_triplets(ListpackRef::new(bytes)) {
            true => Ok(()),
            false => Err("not fields with values and times to live in order".to_owned()),
        }
    }
}

/// Puts a field in its place: before the first one that does not expire earlier.
fn insert(pack: &mut Listpack, field: &[u8], value: &[u8], expiry_ms: Option<i64>) {
    let Some(expiry_ms) = expiry_ms else {
        pack.push(field);
        pack.push(value);
        return pack.push_int(0);
    };
    let mut place = pack.view().end();
    view_triplets(pack.view(), &mut |at, _, _, other_ms| {
        let is_before = other_ms.is_some_and(|other_ms| other_ms < expiry_ms);
        if !is_before {
            place = at;
        }
        is_before
    });
    // Backwards, so that each goes in front of the one before.
    pack.insert_int(place, expiry_ms);
    pack.insert(place, value);
    pack.insert(place, field);
}

/// Who visits triplets: position, field, value, time to live. Says whether to go on.
type VisitTriplet<'v, 'a> = dyn FnMut(usize, Item<'a>, Item<'a>, Option<i64>) -> bool + 'v;

fn view_triplets<'a>(pack: ListpackRef<'a>, visit: &mut VisitTriplet<'_, 'a>) {
    let mut items = pack.iter();
    while let (Some((at, field)), Some((_, value)), Some((_, ttl))) =
        (items.next(), items.next(), items.next())
    {
        if !visit(at, field, value, expiry_of(ttl)) {
            break;
        }
    }
}

/// What the third element of a field says.
fn expiry_of(item: Item<'_>) -> Option<i64> {
    item.integer().filter(|at_ms| *at_ms != 0)
}

impl<'a> PackedExRef<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> PackedExRef<'a> {
        PackedExRef { bytes }
    }

    /// The listpack.
    #[inline]
    pub fn pack(self) -> ListpackRef<'a> {
        let length = self.bytes.len().saturating_sub(DEADLINE_BYTES);
        ListpackRef::new(self.bytes.get(..length).unwrap_or(&[]))
    }

    #[inline]
    pub(super) fn len(self) -> usize {
        self.pack().len() / STEP
    }

    #[inline]
    pub(super) fn deadline_ms(self) -> Option<i64> {
        let deadline_ms = i64::from_le_bytes(*self.bytes.last_chunk()?);
        (deadline_ms != 0).then_some(deadline_ms)
    }

    /// The first field's time to live, which is the earliest.
    pub(super) fn earliest_ms(self) -> Option<i64> {
        let pack = self.pack();
        let value = pack.next(pack.first()?)?;
        pack.at(pack.next(value)?).and_then(expiry_of)
    }

    /// The position of a field, and what it holds.
    fn locate(self, field: &[u8]) -> Option<(usize, Found<'a>)> {
        let pack = self.pack();
        let at = pack.find(field, STEP)?;
        let value = pack.next(at)?;
        let expiry = pack.at(pack.next(value)?)?;
        let found = Found {
            value: pack.at(value)?,
            expiry_ms: expiry_of(expiry),
        };
        Some((at, found))
    }

    pub(super) fn find(self, field: &[u8]) -> Option<Found<'a>> {
        self.locate(field).map(|(_, found)| found)
    }

    fn triplets(self, visit: &mut VisitTriplet<'_, 'a>) {
        view_triplets(self.pack(), visit);
    }

    pub(super) fn each(self, visit: &mut Visit<'_, 'a>) {
        self.triplets(&mut |_, field, value, expiry_ms| {
            visit(field, value, expiry_ms);
            true
        });
    }
}

/// The latest time to live a field can have.
pub const MAX_EXPIRY_MS: i64 = (1 << 48) - 1;

/// Whether a listpack is fields with values and times to live in order, no field twice. O(n).
pub fn is_triplets(pack: ListpackRef<'_>) -> bool {
    let (mut last_ms, mut is_ordered) = (0, true);
    let mut items = pack.iter();
    while let (Some(_), Some(_), Some((_, ttl))) = (items.next(), items.next(), items.next()) {
        let at_ms = match ttl {
            Item::Int(0) => i64::MAX,
            Item::Int(at_ms) if at_ms <= MAX_EXPIRY_MS => at_ms,
            _ => -1,
        };
        is_ordered &= at_ms >= last_ms;
        last_ms = at_ms;
    }
    is_ordered && pack.len().is_multiple_of(STEP) && are_unique(pack, STEP)
}

/// Whether of every `step` elements the first is one of a kind. O(n log n).
pub(super) fn are_unique(pack: ListpackRef<'_>, step: usize) -> bool {
    if let Some(are_distinct) = pack.are_few_distinct(step) {
        return are_distinct;
    }
    let mut fields = crate::structures::ordered::OrderedSet::new();
    pack.iter()
        .step_by(step)
        .all(|(_, field)| fields.insert(field.to_vec()))
}
