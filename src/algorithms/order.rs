//! Sorting without a copy of the code for each type: what is sorted are places.

use core::cmp::Ordering;
use core::ops::Range;

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

/// The numbers below `count` so that at the places `wanted` stand those that `compare` puts there; the others stand on
/// their side of them, in no order. Quicksort (Bentley and McIlroy, "Engineering a Sort Function") that leaves a part
/// alone when it lies outside: O(n + m log m). Those that `compare` calls equal come as its swaps leave them, and Redis
/// makes the same ones.
pub fn part(
    count: usize,
    wanted: Range<usize>,
    compare: &mut dyn FnMut(usize, usize) -> Ordering,
) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    let mut parts = vec![(0, count)];
    while let Some((start, end)) = parts.pop() {
        let is_wanted = start < wanted.end && wanted.start < end;
        if let Some(part) = places.get_mut(start..end)
            && is_wanted
            && let Some((below, above)) = partition(part, compare)
        {
            parts.extend([(end - above, end), (start, start + below)]);
        }
    }
    places
}

/// Sorts a short part and answers None; or moves what is smaller than some element to the front and
/// what is greater to the back, and tells how many either are.
fn partition(
    part: &mut [usize],
    compare: &mut dyn FnMut(usize, usize) -> Ordering,
) -> Option<(usize, usize)> {
    let count = part.len();
    if count < 7 {
        insertion_sort(part, compare);
        return None;
    }
    part.swap(0, middle(part, compare));
    let (mut low_equal, mut low) = (1, 1);
    let (mut high, mut high_equal) = (count - 1, count - 1);
    loop {
        while low <= high {
            let order = compare(part[low], part[0]);
            if order.is_gt() {
                break;
            }
            if order.is_eq() {
                part.swap(low_equal, low);
                low_equal += 1;
            }
            low += 1;
        }
        while low <= high {
            let order = compare(part[high], part[0]);
            if order.is_lt() {
                break;
            }
            if order.is_eq() {
                part.swap(high, high_equal);
                high_equal -= 1;
            }
            high -= 1;
        }
        if low > high {
            break;
        }
        part.swap(low, high);
        low += 1;
        high -= 1;
    }
    // Those equal to the pivot stand at both ends; they go between.
    let (below, above) = (low - low_equal, high_equal - high);
    let width = low_equal.min(below);
    for at in 0..width {
        part.swap(at, low - width + at);
    }
    let width = above.min(count - 1 - high_equal);
    for at in 0..width {
        part.swap(low + at, count - width + at);
    }
    Some((below, above))
}

fn insertion_sort(part: &mut [usize], compare: &mut dyn FnMut(usize, usize) -> Ordering) {
    for end in 1..part.len() {
        let mut at = end;
        while at > 0 && compare(part[at - 1], part[at]).is_gt() {
            part.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// Where an element of middling size stands: the median of three, or of three such medians.
fn middle(part: &[usize], compare: &mut dyn FnMut(usize, usize) -> Ordering) -> usize {
    let count = part.len();
    let mut median = |a: usize, b: usize, c: usize| {
        let mut is_below = |one: usize, other: usize| compare(part[one], part[other]).is_lt();
        if is_below(a, b) {
            match (is_below(b, c), is_below(a, c)) {
                (true, _) => b,
                (false, true) => c,
                (false, false) => a,
            }
        } else if compare(part[b], part[c]).is_gt() {
            b
        } else if compare(part[a], part[c]).is_lt() {
            a
        } else {
            c
        }
    };
    let (mut low, mut middle, mut high) = (0, count / 2, count - 1);
    if count > 7 {
        if count > 40 {
            let step = count / 8;
            low = median(low, low + step, low + 2 * step);
            middle = median(middle - step, middle, middle + step);
            high = median(high - 2 * step, high - step, high);
        }
        middle = median(low, middle, high);
    }
    middle
}

#[cfg(test)]
mod tests {
    use super::{order, part};
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

    #[test]
    fn a_part_is_that_of_the_whole_order() {
        let mut rng = Rng::new([13, 14]);
        for count in 0..300 {
            let range = [3, 50, 1 << 40][count as usize % 3];
            let values: Vec<u64> = (0..count).map(|_| rng.below(range)).collect();
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let end = rng.below(count + 1);
            let wanted = rng.below(end + 1) as usize..end as usize;
            let mut found = part(values.len(), wanted.clone(), &mut |one, other| {
                values[one].cmp(&values[other])
            });
            let parts = found[wanted.clone()].iter().map(|at| values[*at]);
            assert!(parts.eq(sorted[wanted].iter().copied()));
            found.sort_unstable();
            assert!(found.into_iter().eq(0..values.len()));
        }
    }
}
