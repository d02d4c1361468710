//! Sorting and collecting by one function for all types, since each that the library makes anew for a type weighs kilobytes.
//!
//! It is for what is sorted once, by text; nothing here is meant for hot loops.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Ordering;

/// The positions `0..count` in the order of what stands at them; equal ones stay as they are.
#[must_use]
pub fn positions(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut sorted: Vec<usize> = (0..count).collect();
    let mut merged = Vec::with_capacity(count);
    let mut width = 1;
    while width < count {
        merged.clear();
        for pair in sorted.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let (Some(&a), Some(&b)) = (left.first(), right.first()) {
                let side = if compare(a, b) == Ordering::Greater { &mut right } else { &mut left };
                merged.extend(side.first());
                *side = side.get(1..).unwrap_or_default();
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        core::mem::swap(&mut sorted, &mut merged);
        width *= 2;
    }
    sorted
}

/// Sorts `items`; equal ones stay as they are.
pub fn sort<T>(items: &mut Vec<T>, compare: impl Fn(&T, &T) -> Ordering) {
    let sorted = positions(items.len(), &|a, b| match (items.get(a), items.get(b)) {
        (Some(a), Some(b)) => compare(a, b),
        _ => Ordering::Equal,
    });
    let mut taken: Vec<Option<T>> = core::mem::take(items).into_iter().map(Some).collect();
    items.extend(sorted.into_iter().filter_map(|at| taken.get_mut(at).and_then(Option::take)));
}

/// Collects into a map; of a key that comes twice, the last stays.
pub fn map<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    for (key, value) in entries {
        map.insert(key, value);
    }
    map
}

/// Collects into a set.
pub fn set<K: Ord>(items: impl IntoIterator<Item = K>) -> BTreeSet<K> {
    let mut set = BTreeSet::new();
    for item in items {
        set.insert(item);
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn every_order_becomes_the_one_order_and_equal_ones_keep_theirs() {
        for count in 0..40_usize {
            for step in [1, 7, 11, 13] {
                let mut items: Vec<(usize, usize)> = (0..count).map(|at| ((at * step) % (count / 2 + 1), at)).collect();
                let mut expected = items.clone();
                expected.sort_by_key(|item| item.0);
                sort(&mut items, |a, b| a.0.cmp(&b.0));
                assert_eq!(items, expected);
            }
        }
    }

    #[test]
    fn the_last_of_a_key_stays() {
        assert_eq!(map([(1, "a"), (0, "b"), (1, "c")]), BTreeMap::from([(0, "b"), (1, "c")]));
        assert_eq!(set([2, 1, 2]), BTreeSet::from([1, 2]));
    }
}
