//! Values that remember where they were written: scalars, lists and maps of the model.
//!
//! It does not read them; that is the decoder's.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Deref;

use crate::order;
use crate::text::Span;

/// A value and its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it is written; empty for a default.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value that nobody wrote: a default.
    pub fn unwritten(value: T) -> Self {
        Self { value, span: Span::default() }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Where a struct, list or map is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Its key; for an item of a list its own first key. A key that is missing from it is reported here.
    pub key: Span,
    /// The whole of it.
    pub span: Span,
    /// One bit for each key of the struct whose value stands in the text but could not be read. It was reported.
    unread: u32,
}

impl Origin {
    /// A value under `key`.
    #[must_use]
    pub fn new(key: Span, span: Span) -> Self {
        Self { key, span, unread: 0 }
    }

    /// The same for a struct of which nothing could be read.
    pub(crate) fn blank(key: Span, span: Span) -> Self {
        Self { key, span, unread: u32::MAX }
    }

    pub(crate) fn mark_unread(&mut self, position: usize) {
        self.unread |= bit(position);
    }

    pub(crate) fn is_unread(&self, position: usize) -> bool {
        self.unread & bit(position) != 0
    }
}

/// A struct has fewer than 32 keys (pinned by a test of the model).
fn bit(position: usize) -> u32 {
    1 << (position % 32)
}

/// A list. Absent, null and empty are the same, as in Go; `origin` tells them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T> {
    /// In text order.
    pub items: Vec<T>,
    /// Where it is written; all zero when it is not.
    pub origin: Origin,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), origin: Origin::default() }
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

/// A map from names to values, in text order, with a quick look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map<T> {
    entries: Vec<(Spanned<String>, T)>,
    /// Positions in `entries`, sorted by key; empty if `entries` are.
    sorted: Vec<usize>,
    /// Where it is written; all zero when it is not.
    pub origin: Origin,
}

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), sorted: Vec::new(), origin: Origin::default() }
    }
}

impl<T> Map<T> {
    /// Takes entries in text order. Of a key that stands twice, one is found.
    pub(crate) fn new(entries: Vec<(Spanned<String>, T)>, origin: Origin) -> Self {
        let mut sorted = Vec::new();
        if !entries.is_sorted_by(|(a, _), (b, _)| a.value <= b.value) {
            let key = |position: usize| entries.get(position).map(|(key, _)| key.value.as_str());
            sorted = order::positions(entries.len(), &|a, b| key(a).cmp(&key(b)));
        }
        Self { entries, sorted, origin }
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&T> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Key and value under `key`.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<(&Spanned<String>, &T)> {
        let found = if self.sorted.is_empty() {
            self.entries.binary_search_by(|(found, _)| found.value.as_str().cmp(key)).ok()?
        } else {
            let key_at = |position: usize| self.entries.get(position).map_or("", |(key, _)| key.value.as_str());
            *self.sorted.get(self.sorted.binary_search_by(|&position| key_at(position).cmp(key)).ok()?)?
        };
        let (key, value) = self.entries.get(found)?;
        Some((key, value))
    }

    /// In text order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Spanned<String>, &T)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// Sorted by key, as Go writes maps.
    pub fn iter_sorted(&self) -> impl Iterator<Item = (&Spanned<String>, &T)> {
        let position = |rank: usize| self.sorted.get(rank).copied().unwrap_or(rank);
        (0..self.entries.len())
            .filter_map(move |rank| self.entries.get(position(rank)))
            .map(|(key, value)| (key, value))
    }

    /// How many entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// A value behind a pointer in Go: absent and empty differ, and an empty one is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Present<T>(pub Option<Spanned<T>>);

impl<T> Default for Present<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Deref for Present<T> {
    type Target = Option<Spanned<T>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_map_finds_keys_and_keeps_both_orders() {
        let entry = |key: &str, value| (Spanned::unwritten(String::from(key)), value);
        let map = Map::new(Vec::from([entry("b", 1), entry("a", 2), entry("c", 3)]), Origin::default());
        assert_eq!((map.get("a"), map.get("b"), map.get("d")), (Some(&2), Some(&1), None));
        assert!(map.iter().map(|(key, _)| key.as_str()).eq(["b", "a", "c"]));
        assert!(map.iter_sorted().map(|(key, _)| key.as_str()).eq(["a", "b", "c"]));
        assert_eq!(Map::<i32>::default().get(""), None);
        let map = Map::new(Vec::from([entry("a", 1), entry("b", 2)]), Origin::default());
        assert_eq!((map.get("a"), map.get("b"), map.get("c")), (Some(&1), Some(&2), None));
        assert!(map.iter_sorted().map(|(key, _)| key.as_str()).eq(["a", "b"]));
    }
}
