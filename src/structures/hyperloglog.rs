//! HyperLogLog registers: 16384 counters of six bits that estimate how many different elements were added (standard
//! error 0.81 %).
//!
//! The whole structure is one string of bytes, so that it can be read and written like any string:
//!
//! ```text
//! +------+---+-----+-----------+----------------+
//! | HYLL | E | N/U | Cardin.   | registers      |
//! +------+---+-----+-----------+----------------+
//!  4 bytes 1   3     8, LE       dense or sparse
//! ```
//!
//! `E` is 0 for dense, 1 for sparse. `Cardin.` is the last estimate; its highest bit says that it is out of date.
//!
//! Dense: six bits a register, the first in the lowest bits of the first byte: 12288 bytes.
//!
//! Sparse: runs over the registers in order, which together cover all 16384:
//! `00xxxxxx` 1-64 zeros; `01xxxxxx yyyyyyyy` 1-16384 zeros; `1vvvvvxx` 1-4 registers of the value 1-32.

use crate::algorithms::murmur::murmur64a;

/// Registers of every structure.
pub const REGISTERS: usize = 1 << INDEX_BITS;
/// Length of the part in front of the registers.
pub const HEADER_LEN: usize = 16;
/// Length of a dense structure.
pub const DENSE_LEN: usize = HEADER_LEN + REGISTERS * 6 / 8;

const INDEX_BITS: u32 = 14;
/// Bits of a hash that are counted in; 51 is the highest value of a register.
const COUNTED_BITS: usize = 64 - INDEX_BITS as usize;
const HASH_SEED: u64 = 0xadc8_3b19;
const ENCODING_AT: usize = 4;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const STALE_AT: usize = 15;
const STALE: u8 = 0x80;
const MAX_ZERO: usize = 64;
const MAX_VALUE: u8 = 32;
const MAX_VALUE_RUN: usize = 4;

/// The registers do not cover what they must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// How registers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Dense,
    Sparse,
}

/// The encoding, or `None` when the bytes are not a HyperLogLog at all. Sparse registers are not looked at. O(1).
pub fn encoding(bytes: &[u8]) -> Option<Encoding> {
    if bytes.len() < HEADER_LEN || !bytes.starts_with(b"HYLL") {
        return None;
    }
    match *bytes.get(ENCODING_AT)? {
        DENSE if bytes.len() == DENSE_LEN => Some(Encoding::Dense),
        SPARSE => Some(Encoding::Sparse),
        _ => None,
    }
}

/// A structure of zeros, sparse.
pub fn new() -> Vec<u8> {
    let mut bytes = header(SPARSE);
    write_zeros(&mut bytes, REGISTERS);
    bytes
}

fn header(encoding: u8) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    bytes[..4].copy_from_slice(b"HYLL");
    bytes[ENCODING_AT] = encoding;
    bytes
}

/// The remembered estimate, unless something was added since.
pub fn cached_count(bytes: &[u8]) -> Option<u64> {
    let cached = bytes.get(8..HEADER_LEN)?.as_array::<8>()?;
    (cached[7] & STALE == 0).then(|| u64::from_le_bytes(*cached))
}

/// Remembers an estimate.
pub fn set_cached_count(bytes: &mut [u8], count: u64) {
    if let Some(cached) = bytes.get_mut(8..HEADER_LEN) {
        cached.copy_from_slice(&count.to_le_bytes());
    }
}

/// Marks the remembered estimate as out of date.
pub fn invalidate(bytes: &mut [u8]) {
    if let Some(byte) = bytes.get_mut(STALE_AT) {
        *byte |= STALE;
    }
}

/// One element's place: which register, and the value it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub register: u16,
    pub value: u8,
}

impl Place {
    /// Hashes an element. O(length).
    pub fn of(element: &[u8]) -> Place {
        let hash = murmur64a(element, HASH_SEED);
        let register = (hash & (REGISTERS as u64 - 1)) as u16;
        let counted = hash >> INDEX_BITS | 1 << COUNTED_BITS;
        Place {
            register,
            value: counted.trailing_zeros() as u8 + 1,
        }
    }
}

/// Whether adding an element at this place would change a register. O(1) dense, O(length) sparse.
pub fn raises(bytes: &[u8], place: Place) -> Result<bool, Corrupt> {
    match encoding(bytes).ok_or(Corrupt)? {
        Encoding::Dense => Ok(dense_get(bytes, place.register as usize) < place.value),
        Encoding::Sparse => {
            let (_, run, _) = sparse_find(bytes, place.register as usize).ok_or(Corrupt)?;
            Ok(run.value < place.value)
        }
    }
}

/// Raises one register, turning sparse registers into dense ones when the value is too high for them or they would take
/// more than `sparse_limit_bytes` with the header. The remembered estimate is marked as out of date when a sparse
/// register changes; after a dense change the caller does that. O(1) dense, O(length) sparse.
pub fn raise(
    bytes: &mut Vec<u8>,
    place: Place,
    sparse_limit_bytes: usize,
) -> Result<bool, Corrupt> {
    match encoding(bytes).ok_or(Corrupt)? {
        Encoding::Dense => Ok(raise_dense(bytes, place)),
        Encoding::Sparse => raise_sparse(bytes, place, sparse_limit_bytes),
    }
}

/// [`raise`] for bytes known to be dense, in place.
pub fn raise_dense(bytes: &mut [u8], place: Place) -> bool {
    let register = place.register as usize;
    let raised = dense_get(bytes, register) < place.value;
    if raised {
        dense_set(bytes, register, place.value);
    }
    raised
}

fn dense_get(bytes: &[u8], register: usize) -> u8 {
    let (at, shift) = (HEADER_LEN + register * 6 / 8, register * 6 % 8);
    let low = bytes.get(at).copied().unwrap_or(0) as u16;
    let high = bytes.get(at + 1).copied().unwrap_or(0) as u16;
    ((low | high << 8) >> shift) as u8 & 0x3f
}

fn dense_set(bytes: &mut [u8], register: usize, value: u8) {
    let (at, shift) = (HEADER_LEN + register * 6 / 8, register * 6 % 8);
    let mask = !(0x3fu16 << shift);
    let bits = (value as u16) << shift;
    for (i, slot) in bytes.iter_mut().skip(at).take(2).enumerate() {
        *slot = *slot & (mask >> (8 * i)) as u8 | (bits >> (8 * i)) as u8;
    }
}

/// A run of equal registers in sparse form.
#[derive(Clone, Copy)]
struct Run {
    value: u8,
    registers: usize,
    /// Bytes it takes.
    len: usize,
}

fn read_run(bytes: &[u8], at: usize) -> Option<Run> {
    let first = *bytes.get(at)?;
    Some(match first >> 6 {
        0 => Run {
            value: 0,
            registers: (first & 0x3f) as usize + 1,
            len: 1,
        },
        1 => {
            // A string ends with a zero byte in Redis, so that is what a cut-off run reads.
            let low = bytes.get(at + 1).copied().unwrap_or(0);
            let registers = ((first & 0x3f) as usize) << 8 | low as usize;
            Run {
                value: 0,
                registers: registers + 1,
                len: 2,
            }
        }
        _ => Run {
            value: (first >> 2 & 0x1f) + 1,
            registers: (first & 3) as usize + 1,
            len: 1,
        },
    })
}

fn write_zeros(out: &mut Vec<u8>, registers: usize) {
    if registers == 0 {
        return;
    }
    let coded = registers - 1;
    if registers > MAX_ZERO {
        out.extend_from_slice(&[0x40 | (coded >> 8) as u8, coded as u8]);
    } else {
        out.push(coded as u8);
    }
}

fn write_values(out: &mut Vec<u8>, value: u8, registers: usize) {
    if registers > 0 {
        out.push(0x80 | (value - 1) << 2 | (registers - 1) as u8);
    }
}

/// Where a register's run starts, the run, and its first register; with it where the run before it starts.
fn sparse_find(bytes: &[u8], register: usize) -> Option<((usize, usize), Run, usize)> {
    let (mut before, mut at, mut first) = (HEADER_LEN, HEADER_LEN, 0);
    while let Some(run) = read_run(bytes, at) {
        if register < first + run.registers {
            return Some(((before, at), run, first));
        }
        (before, at) = (at, at + run.len);
        first += run.registers;
    }
    None
}

fn raise_sparse(bytes: &mut Vec<u8>, place: Place, limit_bytes: usize) -> Result<bool, Corrupt> {
    if place.value > MAX_VALUE {
        return promote_and_raise(bytes, place);
    }
    let register = place.register as usize;
    let ((before, at), run, first) = sparse_find(bytes, register).ok_or(Corrupt)?;
    if run.value >= place.value {
        return Ok(false);
    }
    let mut runs = Vec::with_capacity(5);
    let right = first + run.registers - 1 - register;
    if run.value == 0 {
        write_zeros(&mut runs, register - first);
        write_values(&mut runs, place.value, 1);
        write_zeros(&mut runs, right);
    } else {
        write_values(&mut runs, run.value, register - first);
        write_values(&mut runs, place.value, 1);
        write_values(&mut runs, run.value, right);
    }
    if runs.len() > run.len && bytes.len() + runs.len() - run.len > limit_bytes {
        return promote_and_raise(bytes, place);
    }
    // A run that the end cuts off counts in full: the length is that of the whole one replaced.
    let length = bytes.len() + runs.len() - run.len;
    let end = (at + run.len).min(bytes.len());
    bytes.splice(at..end, runs);
    bytes.truncate(length);
    merge_values(bytes, before);
    invalidate(bytes);
    Ok(true)
}

/// Joins neighbouring runs of the same value in the five runs from `at` on.
fn merge_values(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..5 {
        let Some(run) = read_run(bytes, at) else {
            return;
        };
        let next = read_run(bytes, at + run.len);
        match next {
            Some(next)
                if run.value != 0
                    && run.value == next.value
                    && run.registers + next.registers <= MAX_VALUE_RUN =>
            {
                let mut joined = Vec::with_capacity(1);
                write_values(&mut joined, run.value, run.registers + next.registers);
                bytes.splice(at..at + 2, joined);
            }
            _ => at += run.len,
        }
    }
}

fn promote_and_raise(bytes: &mut Vec<u8>, place: Place) -> Result<bool, Corrupt> {
    to_dense(bytes)?;
    Ok(raise_dense(bytes, place))
}

/// Turns sparse registers into dense ones; says whether there was something to do. O(registers).
pub fn to_dense(bytes: &mut Vec<u8>) -> Result<bool, Corrupt> {
    if encoding(bytes).ok_or(Corrupt)? == Encoding::Dense {
        return Ok(false);
    }
    let mut dense = vec![0; DENSE_LEN];
    dense[..HEADER_LEN].copy_from_slice(bytes.get(..HEADER_LEN).ok_or(Corrupt)?);
    dense[ENCODING_AT] = DENSE;
    each_sparse(bytes, |registers, value| {
        if value > 0 {
            registers.for_each(|register| dense_set(&mut dense, register, value));
        }
    })?;
    *bytes = dense;
    Ok(true)
}

/// Calls `visit` with every run of sparse registers; an error when they do not add up.
fn each_sparse(
    bytes: &[u8],
    mut visit: impl FnMut(core::ops::Range<usize>, u8),
) -> Result<(), Corrupt> {
    let (mut at, mut register) = (HEADER_LEN, 0);
    while let Some(run) = read_run(bytes, at) {
        let end = register + run.registers;
        if end > REGISTERS {
            return Err(Corrupt);
        }
        visit(register..end, run.value);
        (at, register) = (at + run.len, end);
    }
    if register == REGISTERS {
        Ok(())
    } else {
        Err(Corrupt)
    }
}

/// Four registers at a time: the first bits of three bytes.
fn dense_groups(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> + '_ {
    let registers = bytes.get(HEADER_LEN..).unwrap_or_default();
    registers.as_chunks::<3>().0.iter().map(|[a, b, c]| {
        let bits = *a as u32 | (*b as u32) << 8 | (*c as u32) << 16;
        [0, 6, 12, 18].map(|shift| (bits >> shift) as u8 & 0x3f)
    })
}

/// How often each value occurs.
type Histogram = [u32; 64];

/// The estimate of the number of different elements, whatever is remembered. O(registers).
pub fn count(bytes: &[u8]) -> Result<u64, Corrupt> {
    let mut histogram: Histogram = [0; 64];
    match encoding(bytes).ok_or(Corrupt)? {
        Encoding::Dense => dense_groups(bytes).for_each(|group| tally(&mut histogram, group)),
        Encoding::Sparse => each_sparse(bytes, |registers, value| {
            histogram[value as usize & 63] += registers.len() as u32;
        })?,
    }
    Ok(estimate(&histogram))
}

fn tally(histogram: &mut Histogram, group: [u8; 4]) {
    for value in group {
        histogram[value as usize & 63] += 1;
    }
}

/// The registers one byte each, to join several structures.
pub struct Registers {
    values: Box<[u8]>,
}

impl Default for Registers {
    fn default() -> Self {
        Self::new()
    }
}

impl Registers {
    /// All zeros.
    pub fn new() -> Registers {
        Registers {
            values: vec![0; REGISTERS].into_boxed_slice(),
        }
    }

    /// Takes over every register of `bytes` that is higher. O(registers).
    pub fn merge(&mut self, bytes: &[u8]) -> Result<(), Corrupt> {
        match encoding(bytes).ok_or(Corrupt)? {
            Encoding::Dense => {
                let own = self.values.as_chunks_mut::<4>().0;
                for (own, group) in own.iter_mut().zip(dense_groups(bytes)) {
                    for (slot, value) in own.iter_mut().zip(group) {
                        *slot = value.max(*slot);
                    }
                }
            }
            Encoding::Sparse => each_sparse(bytes, |registers, value| {
                if value > 0 {
                    registers.for_each(|register| self.raise(register, value));
                }
            })?,
        }
        Ok(())
    }

    fn raise(&mut self, register: usize, value: u8) {
        if let Some(slot) = self.values.get_mut(register) {
            *slot = value.max(*slot);
        }
    }

    /// The estimate for all elements together. O(registers).
    pub fn count(&self) -> u64 {
        let mut histogram: Histogram = [0; 64];
        self.values
            .as_chunks::<4>()
            .0
            .iter()
            .for_each(|group| tally(&mut histogram, *group));
        estimate(&histogram)
    }

    /// The values in order.
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// Raises the registers of `bytes` to these. The remembered estimate becomes out of date. O(registers) dense; sparse
    /// registers take O(length) for each that is raised.
    pub fn write_to(&self, bytes: &mut Vec<u8>, sparse_limit_bytes: usize) -> Result<(), Corrupt> {
        let values = self
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| **value > 0);
        for (register, value) in values {
            let place = Place {
                register: register as u16,
                value: *value,
            };
            raise(bytes, place, sparse_limit_bytes)?;
        }
        invalidate(bytes);
        Ok(())
    }
}

/// Ertl's estimator ("New cardinality estimation algorithms for HyperLogLog sketches", 2017).
fn estimate(histogram: &Histogram) -> u64 {
    /// 1 / (2 ln 2)
    const ALPHA: f64 = 0.721_347_520_444_481_7;
    let registers = REGISTERS as f64;
    let full = histogram.get(COUNTED_BITS + 1).copied().unwrap_or(0) as f64;
    let mut z = registers * tau((registers - full) / registers);
    for occurrences in histogram.iter().take(COUNTED_BITS + 1).skip(1).rev() {
        z += *occurrences as f64;
        z *= 0.5;
    }
    z += registers * sigma(histogram[0] as f64 / registers);
    (ALPHA * registers * registers / z).round() as u64
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

/// One run of sparse registers as PFDEBUG DECODE names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparseRun {
    pub value: u8,
    pub registers: usize,
    /// Zeros in the two-byte form.
    pub long: bool,
}

/// The runs of sparse registers as they are stored, whether they add up or not.
pub fn sparse_runs(bytes: &[u8]) -> impl Iterator<Item = SparseRun> + '_ {
    let mut at = HEADER_LEN;
    core::iter::from_fn(move || {
        let run = read_run(bytes, at)?;
        at += run.len;
        Some(SparseRun {
            value: run.value,
            registers: run.registers,
            long: run.len == 2,
        })
    })
}

/// Whether every register holds every value, and sparse and dense registers give the same, good estimate. Takes a few
/// milliseconds.
pub fn self_test() -> bool {
    const ELEMENTS: u64 = 20_000;
    let mut dense = header(DENSE);
    dense.resize(DENSE_LEN, 0);
    for value in 0..64u8 {
        for register in 0..REGISTERS {
            dense_set(
                &mut dense,
                register,
                value.wrapping_add(register as u8) & 0x3f,
            );
        }
        let holds =
            |register| dense_get(&dense, register) == value.wrapping_add(register as u8) & 0x3f;
        if !(0..REGISTERS).all(holds) {
            return false;
        }
    }
    dense[HEADER_LEN..].fill(0);
    let mut sparse = new();
    for element in 0..ELEMENTS {
        let place = Place::of(&element.to_le_bytes());
        // Sparse registers take long to find, so there are fewer of them.
        let is_wrong = element < ELEMENTS / 10 && raise(&mut sparse, place, usize::MAX).is_err();
        if is_wrong {
            return false;
        }
        raise_dense(&mut dense, place);
        if element + 1 == ELEMENTS / 10 && count(&sparse) != count(&dense) {
            return false;
        }
    }
    count(&dense).is_ok_and(|count| count.abs_diff(ELEMENTS) < ELEMENTS / 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 3000;

    fn of(elements: core::ops::RangeInclusive<u32>) -> Vec<u8> {
        let mut bytes = new();
        for element in elements {
            let place = Place::of(element.to_string().as_bytes());
            let expected = raises(&bytes, place);
            assert_eq!(raise(&mut bytes, place, LIMIT), expected);
        }
        bytes
    }

    #[test]
    fn bytes_are_those_of_a_real_server() {
        let mut bytes = new();
        for element in [b"a", b"b", b"c"] {
            assert_eq!(raise(&mut bytes, Place::of(element), LIMIT), Ok(true));
            assert_eq!(raise(&mut bytes, Place::of(element), LIMIT), Ok(false));
        }
        assert_eq!(cached_count(&bytes), None);
        assert_eq!(count(&bytes), Ok(3));
        set_cached_count(&mut bytes, 3);
        assert_eq!(cached_count(&bytes), Some(3));
        let want = b"HYLL\x01\0\0\0\x03\0\0\0\0\0\0\0\x60\xf3\x80\x50\xb1\x84\x4b\xfb\x80\x42\x5a";
        assert_eq!(bytes, want);
        let runs: Vec<_> = sparse_runs(&bytes)
            .map(|run| (run.value, run.registers))
            .collect();
        assert_eq!(
            runs,
            [
                (0, 8436),
                (1, 1),
                (0, 4274),
                (2, 1),
                (0, 3068),
                (1, 1),
                (0, 603)
            ]
        );
    }

    #[test]
    fn counts_are_those_of_a_real_server() {
        for (elements, want, encoded, length) in [
            (1000, 1001, Encoding::Sparse, 1922),
            (2000, 2006, Encoding::Dense, DENSE_LEN),
            (100_000, 99_562, Encoding::Dense, DENSE_LEN),
        ] {
            let bytes = of(1..=elements);
            assert_eq!((count(&bytes), encoding(&bytes)), (Ok(want), Some(encoded)));
            assert_eq!(bytes.len(), length);
        }
    }

    #[test]
    fn joined_structures_count_the_union() {
        let (left, right) = (of(1..=3000), of(2001..=2500));
        let mut joined = Registers::new();
        joined.merge(&left).expect("valid");
        joined.merge(&right).expect("valid");
        assert_eq!(Ok(joined.count()), count(&left));
        let mut sparse = new();
        joined.write_to(&mut sparse, usize::MAX).expect("valid");
        assert_eq!(count(&sparse), count(&left));
        assert_eq!(cached_count(&sparse), None);
        let mut dense = sparse.clone();
        assert_eq!(to_dense(&mut dense), Ok(true));
        assert_eq!(to_dense(&mut dense), Ok(false));
        assert_eq!(count(&dense), count(&left));
        let mut again = Registers::new();
        again.merge(&dense).expect("valid");
        assert_eq!(again.values(), joined.values());
    }

    #[test]
    fn the_self_test_passes() {
        assert!(self_test());
    }

    #[test]
    fn damage_is_found() {
        assert_eq!(encoding(b""), None);
        assert_eq!(encoding(b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(encoding(b"HYLL\0\0\0\0\0\0\0\0\0\0\0\0"), None);
        let empty = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0";
        assert_eq!(encoding(empty), Some(Encoding::Sparse));
        assert_eq!(count(empty), Err(Corrupt));
        let place = Place {
            register: 16_383,
            value: 1,
        };
        let mut long = new();
        long.push(0);
        assert_eq!(count(&long), Err(Corrupt));
        assert_eq!(to_dense(&mut long), Err(Corrupt));
        assert_eq!(Registers::new().merge(&long), Err(Corrupt));
        let mut short = of(1..=10);
        short.pop();
        assert_eq!(raise(&mut short, place, LIMIT), Err(Corrupt));
    }
}
