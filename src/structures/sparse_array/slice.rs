//! A slice of a sparse array: the values of a few thousand neighbouring indices.

use super::SliceShape;
use crate::algorithms::num::parse_i64;
use crate::structures::item::Item;

/// The smallest window of a dense slice.
const MIN_WINDOW: usize = 8;
/// Bytes of text a word has room for.
const WORD_TEXT: usize = 7;
/// Longer text is not tried as an integer: 56 bits have 17 digits.
const MAX_DIGITS: usize = 18;

/// A place for a value. Byte 0 says what the others are: 0 nothing, 1 + n a text of n bytes, 9 an integer, 10 the number
/// of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word([u8; 8]);

const NOTHING: u8 = 0;
const TEXT: u8 = 1;
const INT: u8 = 9;
const LONG: u8 = 10;

impl Word {
    const EMPTY: Word = Word([NOTHING; 8]);

    /// The word that holds `text` itself, if one can.
    fn of(text: &[u8]) -> Option<Word> {
        let mut word = Word([TEXT + text.len().min(WORD_TEXT) as u8, 0, 0, 0, 0, 0, 0, 0]);
        if let Some(room) = word.0.get_mut(1..=text.len()) {
            room.copy_from_slice(text);
            return Some(word);
        }
        if text.len() > MAX_DIGITS {
            return None;
        }
        let number = parse_i64(text)?;
        // The highest byte must only repeat the sign.
        (number << 8 >> 8 == number)
            .then(|| Word(((number as u64) << 8 | u64::from(INT)).to_le_bytes()))
    }

    /// The word that stands for text `number`.
    fn long(number: usize) -> Word {
        Word(((number as u64) << 8 | u64::from(LONG)).to_le_bytes())
    }

    fn is_empty(self) -> bool {
        self.0[0] == NOTHING
    }

    /// The number of the text it stands for.
    fn text_number(self) -> Option<usize> {
        (self.0[0] == LONG).then(|| (u64::from_le_bytes(self.0) >> 8) as usize)
    }
}

/// Texts that do not fit into a word, at numbers that stay.
#[derive(Debug, Clone, Default)]
struct Texts {
    places: Vec<Box<[u8]>>,
    /// Numbers to be used again.
    free: Vec<u32>,
    /// Bytes of all texts.
    bytes: usize,
}

impl Texts {
    fn put(&mut self, text: &[u8]) -> usize {
        self.bytes += text.len();
        if let Some(number) = self.free.pop() {
            if let Some(place) = self.places.get_mut(number as usize) {
                *place = text.into();
            }
            return number as usize;
        }
        self.places.push(text.into());
        self.places.len() - 1
    }

    fn remove(&mut self, number: usize) {
        if let Some(place) = self.places.get_mut(number) {
            self.bytes -= place.len();
            *place = Box::default();
            self.free.push(number as u32);
        }
    }
}

/// The values of one slice.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    /// Dense: the window. Sparse: the values, in the order of their offsets.
    words: Vec<Word>,
    /// Sparse: where the values are.
    offsets: Vec<u16>,
    texts: Option<Box<Texts>>,
    /// Dense: the offset of the first word.
    base: u32,
    /// How many values there are.
    used: u32,
    is_dense: bool,
}

impl Slice {
    pub(super) fn new(is_dense: bool) -> Slice {
        Slice {
            words: Vec::new(),
            offsets: Vec::new(),
            texts: None,
            base: 0,
            used: 0,
            is_dense,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Bytes held from the allocator. O(1).
    pub(super) fn heap_bytes(&self) -> usize {
        let texts = self.texts.as_ref().map_or(0, |texts| {
            size_of::<Texts>()
                + texts.places.capacity() * size_of::<Box<[u8]>>()
                + texts.free.capacity() * size_of::<u32>()
                + texts.bytes
        });
        self.words.capacity() * size_of::<Word>()
            + self.offsets.capacity() * size_of::<u16>()
            + texts
    }

    /// Where the word of an offset is, or would be in a sparse slice.
    #[inline]
    fn find(&self, offset: usize) -> Result<usize, usize> {
        if self.is_dense {
            let at = offset.wrapping_sub(self.base as usize);
            return if at < self.words.len() {
                Ok(at)
            } else {
                Err(at)
            };
        }
        self.offsets.binary_search(&(offset as u16))
    }

    #[inline]
    fn element_at(&self, at: usize) -> Option<Item<'_>> {
        let word = self.words.get(at)?;
        match word.0[0] {
            length @ TEXT..INT => {
                let text = word.0.get(1..=usize::from(length - TEXT))?;
                Some(Item::Bytes(text))
            }
            INT => Some(Item::Int(i64::from_le_bytes(word.0) >> 8)),
            _ => {
                let text = self.texts.as_ref()?.places.get(word.text_number()?)?;
                Some(Item::Bytes(text))
            }
        }
    }

    #[inline]
    pub(super) fn get(&self, offset: usize) -> Option<Item<'_>> {
        self.element_at(self.find(offset).ok()?)
    }

    /// Stores a value; whether there was none.
    pub(super) fn set(
        &mut self,
        offset: usize,
        text: &[u8],
        slice_size: usize,
        sparse_max: usize,
    ) -> bool {
        let at = match self.find(offset) {
            Ok(at) => at,
            Err(at) => self.make_room(at, offset, slice_size, sparse_max),
        };
        let Some(old) = self.words.get(at).copied() else {
            return false;
        };
        if let Some(number) = old.text_number() {
            self.drop_text(number);
        }
        let word = Word::of(text)
            .unwrap_or_else(|| Word::long(self.texts.get_or_insert_default().put(text)));
        if let Some(place) = self.words.get_mut(at) {
            *place = word;
        }
        self.used += u32::from(old.is_empty());
        old.is_empty()
    }

    #[inline(never)]
    fn drop_text(&mut self, number: usize) {
        if let Some(texts) = &mut self.texts {
            texts.remove(number);
            if texts.free.len() == texts.places.len() {
                self.texts = None;
            }
        }
    }

    /// Makes an empty word for an offset that has none; where it is. `at` is where it would be in a sparse slice.
    #[inline(never)]
    fn make_room(
        &mut self,
        at: usize,
        offset: usize,
        slice_size: usize,
        sparse_max: usize,
    ) -> usize {
        if !self.is_dense {
            let len = self.offsets.len();
            if len < sparse_max {
                // Many slices of one value are the reason for this form: they get room for one.
                if len == self.offsets.capacity() {
                    self.offsets.reserve_exact(len.max(1));
                    self.words.reserve_exact(len.max(1));
                }
                self.offsets.insert(at, offset as u16);
                self.words.insert(at, Word::EMPTY);
                return at;
            }
            self.spread(slice_size);
        }
        if let Ok(at) = self.find(offset) {
            return at;
        }
        self.widen(offset, slice_size);
        self.find(offset).unwrap_or(0)
    }

    /// Turns a sparse slice into a dense one.
    fn spread(&mut self, slice_size: usize) {
        let words = std::mem::take(&mut self.words);
        let offsets = std::mem::take(&mut self.offsets);
        self.is_dense = true;
        let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
            return;
        };
        let span = usize::from(last - first) + 1;
        let len = span.next_power_of_two().max(MIN_WINDOW).min(slice_size);
        let base = usize::from(*first).min(slice_size - len);
        self.base = base as u32;
        self.words = vec![Word::EMPTY; len];
        for (offset, word) in offsets.iter().zip(words) {
            if let Some(place) = self.words.get_mut(usize::from(*offset) - base) {
                *place = word;
            }
        }
    }

    /// Widens the window of a dense slice until `offset` is in it: twice as far at least, within the slice.
    fn widen(&mut self, offset: usize, slice_size: usize) {
        let (old_base, old_len) = (self.base as usize, self.words.len());
        let end = old_base + old_len;
        let (first, last) = match old_len {
            0 => (offset, offset + 1),
            _ => (old_base.min(offset), end.max(offset + 1)),
        };
        let len = (last - first)
            .next_power_of_two()
            .max(MIN_WINDOW)
            .min(slice_size);
        let base = if old_len > 0 && offset < old_base {
            end.saturating_sub(len)
        } else {
            first.min(slice_size - len)
        };
        let mut words = vec![Word::EMPTY; len];
        if old_len > 0
            && let Some(room) = words.get_mut(old_base - base..end - base)
        {
            room.copy_from_slice(&self.words);
        }
        self.words = words;
        self.base = base as u32;
    }

    /// Turns a dense slice into a sparse one.
    fn gather(&mut self) {
        let words = std::mem::take(&mut self.words);
        self.is_dense = false;
        self.words.reserve_exact(self.used as usize);
        self.offsets.reserve_exact(self.used as usize);
        for (at, word) in words
            .iter()
            .enumerate()
            .filter(|(_, word)| !word.is_empty())
        {
            self.words.push(*word);
            self.offsets.push((self.base as usize + at) as u16);
        }
    }

    /// The places of the words from offset `from` to `to`, both included.
    fn places(&self, from: usize, to: usize) -> (usize, usize) {
        let (start, end) = if self.is_dense {
            let base = self.base as usize;
            (from.saturating_sub(base), (to + 1).saturating_sub(base))
        } else {
            let below = |bound: usize| {
                self.offsets
                    .partition_point(|offset| usize::from(*offset) < bound)
            };
            (below(from), below(to + 1))
        };
        let end = end.min(self.words.len());
        (start.min(end), end)
    }

    /// Removes the values from offset `from` to `to`, both included; how many there were.
    pub(super) fn remove_range(&mut self, from: usize, to: usize, sparse_min: usize) -> usize {
        let (start, end) = self.places(from, to);
        let mut removed = 0;
        for at in start..end {
            let Some(word) = self.words.get_mut(at) else {
                break;
            };
            let word = std::mem::replace(word, Word::EMPTY);
            removed += usize::from(!word.is_empty());
            if let Some(number) = word.text_number() {
                self.drop_text(number);
            }
        }
        self.used -= removed as u32;
        if removed == 0 {
            return 0;
        }
        if !self.is_dense {
            self.words.drain(start..end);
            self.offsets.drain(start..end);
        } else if self.used > 0 && (self.used as usize) < sparse_min && self.would_save() {
            self.gather();
        }
        removed
    }

    /// Whether a dense slice would take less memory as a sparse one.
    fn would_save(&self) -> bool {
        let sparse = self.used as usize * (size_of::<Word>() + size_of::<u16>());
        sparse < self.words.len() * size_of::<Word>()
    }

    /// Shows the values between two offsets, both included, upwards or downwards, while `each` returns true; whether it
    /// always did.
    pub(super) fn visit(
        &self,
        from: usize,
        to: usize,
        is_reverse: bool,
        each: &mut dyn FnMut(usize, Item<'_>) -> bool,
    ) -> bool {
        let (start, end) = self.places(from.min(to), from.max(to));
        for step in 0..end - start {
            let at = if is_reverse {
                end - 1 - step
            } else {
                start + step
            };
            if let Some(element) = self.element_at(at)
                && !each(self.offset_at(at), element)
            {
                return false;
            }
        }
        true
    }

    /// The offset of the word at `at`.
    fn offset_at(&self, at: usize) -> usize {
        if self.is_dense {
            return self.base as usize + at;
        }
        self.offsets
            .get(at)
            .map_or(0, |offset| usize::from(*offset))
    }

    /// The highest offset with a value.
    pub(super) fn last_offset(&self) -> Option<usize> {
        let at = self.words.iter().rposition(|word| !word.is_empty())?;
        Some(self.offset_at(at))
    }

    /// Adds what it looks like.
    pub(super) fn measure(&self, shape: &mut SliceShape) {
        if self.is_dense {
            shape.dense += 1;
            shape.dense_words += self.words.len();
            shape.dense_fill += f64::from(self.used) / self.words.len() as f64;
        } else {
            shape.sparse += 1;
            shape.sparse_words += self.words.capacity();
        }
    }

    /// Panics when an invariant does not hold; how many values there are.
    pub(super) fn check(&self, slice_size: usize) -> usize {
        let used = self.words.iter().filter(|word| !word.is_empty()).count();
        assert_eq!(used, self.used as usize);
        assert!(used > 0);
        if self.is_dense {
            assert!(self.offsets.is_empty() && self.words.len().is_power_of_two());
            assert!(self.base as usize + self.words.len() <= slice_size);
        } else {
            assert_eq!(
                (used, self.offsets.len()),
                (self.words.len(), self.words.len())
            );
            assert!(self.offsets.is_sorted_by(|a, b| a < b));
            assert!(
                self.offsets
                    .last()
                    .is_none_or(|last| usize::from(*last) < slice_size)
            );
        }
        let mut numbers: Vec<_> = self
            .words
            .iter()
            .filter_map(|word| word.text_number())
            .collect();
        let free = self.texts.iter().flat_map(|texts| &texts.free);
        numbers.extend(free.map(|number| *number as usize));
        numbers.sort_unstable();
        let places = self.texts.as_ref().map_or(0, |texts| texts.places.len());
        assert!(
            numbers.into_iter().eq(0..places),
            "a text without a word, or with two"
        );
        let bytes: usize = self
            .texts
            .iter()
            .flat_map(|texts| &texts.places)
            .map(|text| text.len())
            .sum();
        assert_eq!(bytes, self.texts.as_ref().map_or(0, |texts| texts.bytes));
        used
    }
}
