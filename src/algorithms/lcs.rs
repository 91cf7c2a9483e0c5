//! The longest common subsequence of two byte strings: the bytes both have in the same order, gaps allowed.

/// A run of bytes that is in both strings; ends are included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub first: (usize, usize),
    pub second: (usize, usize),
}

impl Run {
    /// The run's length in bytes.
    pub fn length(&self) -> usize {
        self.first.1 - self.first.0 + 1
    }
}

/// A longest common subsequence and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub text: Vec<u8>,
    /// From the end of the strings to their beginning.
    pub runs: Vec<Run>,
}

/// The length of the longest common subsequence. O(n * m) time, O(m) memory.
pub fn length(first: &[u8], second: &[u8]) -> usize {
    let mut row = vec![0usize; second.len() + 1];
    for a in first {
        let mut diagonal = 0;
        let mut left = 0;
        for (cell, b) in row.iter_mut().skip(1).zip(second) {
            let above = *cell;
            *cell = if a == b {
                diagonal + 1
            } else {
                above.max(left)
            };
            (diagonal, left) = (above, *cell);
        }
    }
    row.last().copied().unwrap_or(0)
}

/// A longest common subsequence; None when there is no memory for the table of n * m lengths. Of several it is the one
/// that goes back in `second` first. O(n * m) time and memory.
pub fn find(first: &[u8], second: &[u8]) -> Option<Found> {
    let lengths = Lengths::compute(first, second)?;
    let mut found = Found {
        text: Vec::new(),
        runs: Vec::new(),
    };
    let mut open: Option<Run> = None;
    let (mut i, mut j) = (first.len(), second.len());
    while let (Some(a), Some(b)) = (before(first, i), before(second, j)) {
        if a == b {
            found.text.push(a);
            (i, j) = (i - 1, j - 1);
            let end = open.map_or((i, j), |run| (run.first.1, run.second.1));
            open = Some(Run {
                first: (i, end.0),
                second: (j, end.1),
            });
            continue;
        }
        found.runs.extend(open.take());
        if lengths.at(i - 1, j) > lengths.at(i, j - 1) {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    found.runs.extend(open);
    found.text.reverse();
    Some(found)
}

/// The byte before position `at`.
fn before(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at.checked_sub(1)?).copied()
}

/// The lengths for all beginnings of both strings.
struct Lengths {
    cells: Vec<u32>,
    width: usize,
}

impl Lengths {
    fn compute(first: &[u8], second: &[u8]) -> Option<Lengths> {
        let width = second.len() + 1;
        let count = width.checked_mul(first.len() + 1)?;
        let mut cells: Vec<u32> = Vec::new();
        cells.try_reserve_exact(count).ok()?;
        cells.resize(width, 0);
        for a in first {
            let start = cells.len() - width;
            cells.push(0);
            for (at, b) in second.iter().enumerate() {
                let (diagonal, above) = (cells[start + at], cells[start + at + 1]);
                let left = cells[start + width + at];
                let best = above.max(left);
                cells.push(if a == b { diagonal + 1 } else { best });
            }
        }
        Some(Lengths { cells, width })
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        let cell = self.cells.get(i * self.width + j);
        cell.copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::rng::Rng;

    #[test]
    fn two_words() {
        let found = find(b"ohmytext", b"mynewtext").unwrap();
        assert_eq!(found.text, b"mytext");
        let runs: Vec<_> = found
            .runs
            .iter()
            .map(|run| (run.first, run.second))
            .collect();
        assert_eq!(runs, [((4, 7), (5, 8)), ((2, 3), (0, 1))]);
        assert_eq!(found.runs[0].length(), 4);
        assert_eq!(length(b"ohmytext", b"mynewtext"), 6);
    }

    #[test]
    fn empty_strings_have_nothing_in_common() {
        for (first, second) in [(&b""[..], &b""[..]), (b"a", b""), (b"", b"a"), (b"a", b"b")] {
            assert_eq!(length(first, second), 0);
            assert_eq!(find(first, second).unwrap().runs, []);
        }
    }

    #[test]
    fn what_is_found_is_in_both_strings_and_as_long_as_said() {
        let mut rng = Rng::new([1, 2]);
        for _ in 0..200 {
            let mut word = || -> Vec<u8> {
                let length = rng.below(20);
                (0..length).map(|_| b'a' + rng.below(3) as u8).collect()
            };
            let (first, second) = (word(), word());
            let found = find(&first, &second).unwrap();
            assert_eq!(found.text.len(), length(&first, &second));
            let pick = |word: &[u8], place: fn(&Run) -> (usize, usize)| -> Vec<u8> {
                let runs = found.runs.iter().rev().map(place);
                runs.flat_map(|(start, end)| word[start..=end].to_vec())
                    .collect()
            };
            assert_eq!(pick(&first, |run| run.first), found.text);
            assert_eq!(pick(&second, |run| run.second), found.text);
        }
    }
}
