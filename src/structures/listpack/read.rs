//! Reading a listpack.

use super::UNKNOWN_COUNT;
use super::coding::{END, HEADER_BYTES, Head, int, read_trailer, trailer_len, value};
use crate::structures::bytes::equal;
use crate::structures::item::{Item, Needle};

/// A listpack, borrowed. The bytes are trusted to be one; of others it reads nonsense, but never beyond them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListpackRef<'a> {
    bytes: &'a [u8],
}

impl<'a> ListpackRef<'a> {
    /// Views bytes that [`is_valid`] accepts.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> ListpackRef<'a> {
        ListpackRef { bytes }
    }

    #[inline]
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// How many elements there are. O(1) below 65535 of them, else O(n).
    #[inline(always)]
    pub fn len(self) -> usize {
        match self.counted() {
            UNKNOWN_COUNT => self.iter().count(),
            count => usize::from(count),
        }
    }

    /// The count in the header.
    #[inline]
    pub(super) fn counted(self) -> u16 {
        match self.bytes {
            [_, _, _, _, low, high, ..] => u16::from_le_bytes([*low, *high]),
            _ => 0,
        }
    }

    #[inline]
    pub fn is_empty(self) -> bool {
        self.bytes.len() <= HEADER_BYTES + 1
    }

    /// The position behind the last element.
    #[inline]
    pub fn end(self) -> usize {
        self.bytes.len().saturating_sub(1)
    }

    /// The position of the first element.
    #[inline]
    pub fn first(self) -> Option<usize> {
        (!self.is_empty()).then_some(HEADER_BYTES)
    }

    /// The position of the last element.
    #[inline]
    pub fn last(self) -> Option<usize> {
        self.prev(self.end())
    }

    #[inline(always)]
    fn head(self, position: usize) -> Option<(&'a [u8], Head)> {
        let rest = self.bytes.get(position..)?;
        Some((rest, Head::read(rest)?))
    }

    /// The element at a position.
    #[inline]
    pub fn at(self, position: usize) -> Option<Item<'a>> {
        let (rest, head) = self.head(position)?;
        value(rest, &head)
    }

    /// The bytes of the element at a position, head and trailer included.
    #[inline]
    pub fn size_at(self, position: usize) -> usize {
        self.head(position).map_or(0, |(_, head)| head.total())
    }

    /// The position behind the element at `position`, which may be the end.
    #[inline(always)]
    pub(super) fn after(self, position: usize) -> usize {
        // Nearly all elements are small integers or short texts.
        match self.bytes.get(position) {
            Some(0x00..=0x7f) => position + 2,
            Some(head @ 0x80..=0xbf) => position + 2 + usize::from(head & 0x3f),
            _ => position + self.size_at(position),
        }
    }

    /// The position of the element behind the one at `position`; None behind the last.
    #[inline]
    pub fn next(self, position: usize) -> Option<usize> {
        let next = self.after(position);
        (next < self.end()).then_some(next)
    }

    /// The position of the element before `position`, which may be the end; None before the first.
    #[inline]
    pub fn prev(self, position: usize) -> Option<usize> {
        let size = read_trailer(self.bytes.get(HEADER_BYTES..position)?)?;
        position
            .checked_sub(size + trailer_len(size))
            .filter(|&before| before >= HEADER_BYTES)
    }

    /// The position of the element with a rank; negative ranks count from the end, -1 being the last. O(distance from
    /// the nearer end).
    pub fn seek(self, index: i64) -> Option<usize> {
        let len = self.len() as i64;
        let rank = if index < 0 { index + len } else { index };
        if rank < 0 || rank >= len {
            return None;
        }
        if rank < len / 2 {
            let mut position = self.first()?;
            for _ in 0..rank {
                position = self.next(position)?;
            }
            return Some(position);
        }
        let mut position = self.end();
        for _ in rank..len {
            position = self.prev(position)?;
        }
        Some(position)
    }

    /// The element with a rank; see [`ListpackRef::seek`].
    pub fn get(self, index: i64) -> Option<Item<'a>> {
        self.at(self.seek(index)?)
    }

    /// Whether of every `step` elements the first is one of a kind; None when they are too many to compare each with each.
    pub fn are_few_distinct(self, step: usize) -> Option<bool> {
        const FEW: usize = 16;
        let mut seen = [Item::Int(0); FEW];
        for (count, (_, item)) in self.iter().step_by(step).enumerate() {
            let item = item.integer().map_or(item, Item::Int);
            if seen.get(..count)?.contains(&item) {
                return Some(false);
            }
            *seen.get_mut(count)? = item;
        }
        Some(true)
    }

    /// The elements with their positions, from both ends.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        Iter {
            pack: self,
            front: HEADER_BYTES,
            back: self.end(),
        }
    }

    /// The same without those before a position.
    #[inline]
    pub fn iter_from(self, position: usize) -> Iter<'a> {
        Iter {
            front: position,
            ..self.iter()
        }
    }

    /// The same without those from a position on.
    #[inline]
    pub fn iter_before(self, position: usize) -> Iter<'a> {
        Iter {
            back: position,
            ..self.iter()
        }
    }

    /// The position of the first element equal to `text`, of every `step`-th one.
    #[inline]
    pub fn find(self, text: &[u8], step: usize) -> Option<usize> {
        self.find_from(HEADER_BYTES, &Needle::new(text), step)
    }

    /// The same from a position on. O(n); no element is decoded that has another length.
    pub fn find_from(self, position: usize, needle: &Needle<'_>, step: usize) -> Option<usize> {
        let text = needle.text;
        let mut at = position;
        loop {
            let is_found = match *self.bytes.get(at)? {
                small @ 0x00..=0x7f => needle.int == Some(i64::from(small)),
                // A short text, with its length in the head.
                head @ 0x80..=0xbf => {
                    usize::from(head & 0x3f) == text.len()
                        && equal(self.bytes.get(at + 1..at + 1 + text.len())?, text)
                }
                _ => {
                    let (rest, head) = self.head(at)?;
                    match head.is_text {
                        true => rest.get(head.text..head.size)? == text,
                        false => needle.int.is_some() && int(rest) == needle.int,
                    }
                }
            };
            if is_found {
                return Some(at);
            }
            for _ in 0..step {
                at = self.after(at);
            }
        }
    }
}

impl<'a> IntoIterator for ListpackRef<'a> {
    type Item = (usize, Item<'a>);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The elements of a listpack with their positions.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    pack: ListpackRef<'a>,
    front: usize,
    back: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (usize, Item<'a>);

    #[inline]
    fn next(&mut self) -> Option<(usize, Item<'a>)> {
        if self.front >= self.back {
            return None;
        }
        let at = self.front;
        let (rest, head) = self.pack.head(at)?;
        self.front = at + head.total();
        Some((at, value(rest, &head)?))
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        self.back = self.pack.prev(self.back)?;
        Some((self.back, self.pack.at(self.back)?))
    }
}

/// Whether bytes from outside are a listpack: header, every element, every trailer, the count and the end are looked
/// at. What this accepts, every operation reads as meant. O(bytes).
pub fn is_valid(bytes: &[u8]) -> bool {
    let Some((header, [.., END])) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return false;
    };
    let [a, b, c, d, low, high] = *header;
    if u32::from_le_bytes([a, b, c, d]) as usize != bytes.len() {
        return false;
    }
    let end = bytes.len() - 1;
    let (mut at, mut count) = (HEADER_BYTES, 0);
    while at < end {
        let rest = bytes.get(at..end).unwrap_or(&[]);
        let Some(head) = Head::read(rest) else {
            return false;
        };
        let trailer = rest.get(head.size..head.total());
        if trailer.and_then(read_trailer) != Some(head.size) {
            return false;
        }
        at += head.total();
        count += 1;
    }
    let counted = u16::from_le_bytes([low, high]);
    counted == UNKNOWN_COUNT || usize::from(counted) == count
}
