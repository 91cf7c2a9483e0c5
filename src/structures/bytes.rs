//! Moving and comparing few bytes.
//!
//! On wasm a copy of unknown length is `memory.copy`, which leaves compiled code and costs more than a short key or
//! value has bytes. Here such a copy is a handful of words.

use core::ptr;

/// From this length on the platform's copy wins.
const SHORT_BYTES: usize = 192;

/// Copies `length` bytes.
///
/// # Safety
/// `from` is readable and `to` writable for `length` bytes, and they do not overlap.
#[inline(always)]
pub(super) unsafe fn copy(from: *const u8, to: *mut u8, length: usize) {
    if cfg!(target_arch = "wasm32") && length <= SHORT_BYTES {
        // SAFETY: the caller's promise.
        unsafe { copy_words(from, to, length) }
    } else {
        // SAFETY: the caller's promise.
        unsafe { ptr::copy_nonoverlapping(from, to, length) }
    }
}

/// The last step overlaps the one before. Two words a round, because a loop of one word would be compiled to the very
/// instruction this is to avoid.
///
/// # Safety
/// As for [`copy`].
#[inline]
unsafe fn copy_words(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: no offset is above `length` less the size of what is moved there.
    unsafe {
        if length >= 16 {
            let mut at = 0;
            while at + 16 < length {
                move_pair(from.add(at), to.add(at));
                at += 16;
            }
            move_pair(from.add(length - 16), to.add(length - 16));
        } else if length >= 8 {
            move_word::<u64>(from, to);
            move_word::<u64>(from.add(length - 8), to.add(length - 8));
        } else if length >= 4 {
            move_word::<u32>(from, to);
            move_word::<u32>(from.add(length - 4), to.add(length - 4));
        } else if length >= 2 {
            move_word::<u16>(from, to);
            move_word::<u16>(from.add(length - 2), to.add(length - 2));
        } else if length == 1 {
            *to = *from;
        }
    }
}

/// # Safety
/// 16 bytes are readable and writable.
#[inline(always)]
unsafe fn move_pair(from: *const u8, to: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        move_word::<u64>(from, to);
        move_word::<u64>(from.add(8), to.add(8));
    }
}

/// # Safety
/// As many bytes as a `W` has are readable and writable.
#[inline(always)]
unsafe fn move_word<W>(from: *const u8, to: *mut u8) {
    // SAFETY: the caller's promise; the accesses are unaligned ones.
    unsafe {
        to.cast::<W>()
            .write_unaligned(from.cast::<W>().read_unaligned());
    }
}

/// `Vec::extend_from_slice`, quick for few bytes.
#[inline]
pub fn append(list: &mut Vec<u8>, bytes: &[u8]) {
    let length = list.len();
    if list.capacity() - length < bytes.len() {
        list.reserve(bytes.len());
    }
    // SAFETY: the room was reserved, a list's spare room overlaps no slice, and all bytes up to the new length are
    // written.
    unsafe {
        copy(bytes.as_ptr(), list.as_mut_ptr().add(length), bytes.len());
        list.set_len(length + bytes.len());
    }
}

/// From this length on a packed value grows by an eighth.
const FRUGAL_BYTES: usize = 512;

/// `Vec::reserve` for bytes that will be kept: a list that is not short gets no more than an eighth in reserve instead of
/// its whole length again.
#[inline]
pub fn make_room(list: &mut Vec<u8>, more: usize) {
    if list.capacity() - list.len() < more {
        grow(list, more);
    }
}

#[cold]
#[inline(never)]
fn grow(list: &mut Vec<u8>, more: usize) {
    if list.len() < FRUGAL_BYTES {
        list.reserve(more);
    } else {
        list.reserve_exact(more + list.len() / 8);
    }
}

/// Whether both are the same. Compares eight bytes at a time; the last step overlaps the one before.
#[inline(always)]
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    if let (Some(left_end), Some(right_end)) = (left.last_chunk::<8>(), right.last_chunk::<8>()) {
        let (left, right) = (left.as_chunks::<8>().0, right.as_chunks::<8>().0);
        return left_end == right_end && left.iter().zip(right).all(|(left, right)| left == right);
    }
    if let (Some(left_end), Some(right_end)) = (left.last_chunk::<4>(), right.last_chunk::<4>()) {
        return left_end == right_end && left.first_chunk::<4>() == right.first_chunk::<4>();
    }
    left.iter().zip(right).all(|(left, right)| left == right)
}

/// Whether all bytes are ASCII; eight at a time, the last step overlapping the one before.
#[inline]
pub fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let Some(last) = bytes.last_chunk::<8>() else {
        return bytes.iter().fold(0, |all, byte| all | byte) < 0x80;
    };
    let mut all = u64::from_le_bytes(*last);
    for chunk in bytes.as_chunks::<8>().0 {
        all |= u64::from_le_bytes(*chunk);
    }
    all & HIGH == 0
}

#[cfg(test)]
mod tests {
    use super::{append, copy_words, is_ascii, make_room};

    #[test]
    fn every_short_length_is_copied_whole_and_nothing_beside_it() {
        let from: Vec<u8> = (1..=200).collect();
        for length in 0..=200 {
            let mut to = vec![0; 210];
            // SAFETY: both are long enough, and two lists do not overlap.
            unsafe { copy_words(from.as_ptr(), to.as_mut_ptr(), length) };
            assert_eq!(to[..length], from[..length]);
            assert!(to[length..].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn appending_is_extending() {
        let mut list = b"ab".to_vec();
        append(&mut list, b"");
        append(&mut list, b"cdefg");
        append(&mut list, &[b'x'; 300]);
        assert_eq!(list[..7], *b"abcdefg");
        assert_eq!(list.len(), 307);
    }

    #[test]
    fn room_is_made_sparingly_for_long_lists() {
        let mut list = Vec::new();
        for length in 0..20_000 {
            make_room(&mut list, 1);
            list.push(0);
            assert!(list.capacity() <= (length + 1 + length / 8).max(1024));
        }
    }

    #[test]
    fn one_high_byte_anywhere_is_found() {
        for length in 0..40 {
            assert!(is_ascii(&vec![0x7f; length]));
            for at in 0..length {
                let mut bytes = vec![b'a'; length];
                bytes[at] = 0x80;
                assert!(!is_ascii(&bytes), "{at} of {length}");
            }
        }
    }
}
