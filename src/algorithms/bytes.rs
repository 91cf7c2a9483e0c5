//! What is done to bytes in hundreds of places, as calls: the standard library's own are copied into each of them.

/// Bytes, compared and copied.
pub trait Bytes {
    /// Whether both are the same, small and capital ASCII letters being equal.
    fn is_word(&self, other: &[u8]) -> bool;

    /// A copy.
    fn owned(&self) -> Vec<u8>;
}

impl Bytes for [u8] {
    #[inline(never)]
    fn is_word(&self, other: &[u8]) -> bool {
        self.eq_ignore_ascii_case(other)
    }

    #[inline(never)]
    fn owned(&self) -> Vec<u8> {
        self.to_vec()
    }
}

/// Bytes that grow.
pub trait Append {
    /// Puts bytes behind those there are.
    fn put(&mut self, bytes: &[u8]);
}

impl Append for Vec<u8> {
    #[inline(never)]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::{Append, Bytes};

    #[test]
    fn compares_copies_and_appends() {
        assert!(b"Get".is_word(b"gET") && !b"get".is_word(b"ge") && !b"@".is_word(b"`"));
        let mut text = b"a".owned();
        text.put(b"bc");
        assert_eq!(text, b"abc");
    }
}
