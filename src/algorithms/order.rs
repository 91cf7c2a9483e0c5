//! Sorting without a copy of the code for each type: what is sorted are places.

use core::cmp::Ordering;

/// The numbers below `count` in the order that `compare` gives them; those it calls equal stay as they were.
/// O(n log n) comparisons, by merging from below.
pub fn order(count: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut sorted: Vec<usize> = (0..count).collect();
    let mut merged = Vec::with_capacity(count);
    let mut run = 1;
    while run < count {
        merged.clear();
        for pair in sorted.chunks(2 * run) {
            let (mut left, mut right) = pair.split_at(run.min(pair.len()));
            while let ([first, left_rest @ ..], [second, right_rest @ ..]) = (left, right) {
                if compare(*first, *second).is_le() {
                    merged.push(*first);
                    left = left_rest;
                } else {
                    merged.push(*second);
                    right = right_rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        core::mem::swap(&mut sorted, &mut merged);
        run *= 2;
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::order;
    use crate::algorithms::rng::Rng;

    #[test]
    fn agrees_with_a_stable_sort() {
        let mut rng = Rng::new([11, 12]);
        for count in 0..200 {
            let values: Vec<u64> = (0..count).map(|_| rng.below(50)).collect();
            let mut wanted: Vec<usize> = (0..values.len()).collect();
            wanted.sort_by_key(|at| values[*at]);
            let found = order(values.len(), &mut |one, other| {
                values[one].cmp(&values[other])
            });
            assert_eq!(found, wanted);
        }
    }
}
