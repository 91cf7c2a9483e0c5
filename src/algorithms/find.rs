//! Text in text, in linear time whatever the texts are (Knuth, Morris and Pratt).

/// A text to look for.
#[derive(Debug, Clone)]
pub struct Needle {
    text: Vec<u8>,
    /// For each length of a found start of the text: how much of it is still found when the next byte differs.
    shorter: Vec<u32>,
    nocase: bool,
}

fn fold(byte: u8, nocase: bool) -> u8 {
    if nocase {
        byte.to_ascii_lowercase()
    } else {
        byte
    }
}

impl Needle {
    /// Prepares the search; `nocase` makes ASCII letters of both cases equal. O(length).
    pub fn new(text: &[u8], nocase: bool) -> Needle {
        let mut needle = Needle {
            text: text.iter().map(|byte| fold(*byte, nocase)).collect(),
            shorter: vec![0; text.len()],
            nocase,
        };
        let mut found = 0;
        for at in 1..text.len() {
            let Some(&byte) = needle.text.get(at) else {
                break;
            };
            found = needle.step(found, byte);
            if let Some(place) = needle.shorter.get_mut(at) {
                *place = found as u32;
            }
        }
        needle
    }

    /// How much of the text is found when `byte` comes behind the first `found` bytes of it.
    fn step(&self, mut found: usize, byte: u8) -> usize {
        loop {
            if self.text.get(found) == Some(&byte) {
                return found + 1;
            }
            let Some(before) = found.checked_sub(1) else {
                return 0;
            };
            found = self.shorter.get(before).map_or(0, |found| *found as usize);
        }
    }

    /// Whether `text` contains it. O(length).
    pub fn is_in(&self, text: &[u8]) -> bool {
        let mut found = 0;
        for byte in text {
            if found == self.text.len() {
                return true;
            }
            found = self.step(found, fold(*byte, self.nocase));
        }
        found == self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::Needle;
    use crate::algorithms::rng::Rng;

    #[test]
    fn finds_what_windows_find() {
        let mut rng = Rng::new([5, 6]);
        let mut random = |length: u64| -> Vec<u8> {
            let length = rng.below(length);
            (0..length).map(|_| b"aAb"[rng.below(3) as usize]).collect()
        };
        let mut found = 0;
        for _ in 0..20_000 {
            let (needle, text) = (random(6), random(30));
            let wanted = needle.is_empty() || text.windows(needle.len()).any(|part| part == needle);
            assert_eq!(
                Needle::new(&needle, false).is_in(&text),
                wanted,
                "{needle:?} {text:?}"
            );
            let lower = text.to_ascii_lowercase();
            let folded = needle.to_ascii_lowercase();
            let wanted =
                needle.is_empty() || lower.windows(folded.len()).any(|part| part == folded);
            assert_eq!(Needle::new(&needle, true).is_in(&text), wanted);
            found += usize::from(wanted);
        }
        assert!((1000..19_000).contains(&found));
    }

    #[test]
    fn hostile_texts_take_linear_time() {
        let text = vec![b'a'; 2_000_000];
        let mut needle = vec![b'a'; 1_000_000];
        needle.push(b'b');
        assert!(!Needle::new(&needle, false).is_in(&text));
    }
}
