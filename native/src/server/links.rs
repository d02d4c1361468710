//! Which backend spoke of a resource that nobody lists: the last few thousand of them.
//!
//! It is a hint and no permission: whoever is asked first may not have it, and then the others are asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// How many are kept.
const KEPT: usize = 4096;
/// A longer URI is not.
const LONGEST: usize = 2048;

/// URIs, and the place of the backend that spoke of each last.
#[derive(Default)]
pub(super) struct Links(Mutex<State>);

#[derive(Default)]
struct State {
    places: HashMap<Box<str>, usize>,
    /// The first to be forgotten at the front.
    order: VecDeque<Box<str>>,
}

impl Links {
    /// The backend at this place spoke of these.
    pub(super) fn spoken_of(&self, place: usize, uris: Vec<String>) {
        if uris.is_empty() {
            return;
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for uri in uris.into_iter().filter(|uri| uri.len() <= LONGEST).map(String::into_boxed_str) {
            if state.places.insert(uri.clone(), place).is_none() {
                state.order.push_back(uri);
            }
            if state.order.len() > KEPT
                && let Some(oldest) = state.order.pop_front()
            {
                state.places.remove(&oldest);
            }
        }
    }

    /// The place of the backend that spoke of it.
    pub(super) fn place(&self, uri: &str) -> Option<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).places.get(uri).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_to_speak_of_it_is_kept_and_the_oldest_forgotten() {
        let links = Links::default();
        links.spoken_of(1, vec!["a:1".to_owned(), "x".repeat(LONGEST + 1)]);
        links.spoken_of(2, vec!["a:1".to_owned()]);
        assert_eq!((links.place("a:1"), links.place(&"x".repeat(LONGEST + 1))), (Some(2), None));
        links.spoken_of(3, (0..KEPT).map(|n| format!("b:{n}")).collect());
        assert_eq!((links.place("a:1"), links.place("b:0"), links.place("b:4095")), (None, Some(3), Some(3)));
        let state = links.0.lock().unwrap();
        assert_eq!((state.places.len(), state.order.len()), (KEPT, KEPT));
    }
}
