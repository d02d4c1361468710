//! Findings about what people wrote: one vocabulary of codes, and where each finding points.
//!
//! It draws nothing and prints nothing: hosts render a [`Diagnostic`] for a terminal, a log or a page.

mod codes;

pub use codes::{ALL, Code, find};
/// Every code by its constant.
pub mod code {
    pub use super::codes::constants::*;
}

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::order;
use crate::text::Span;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// What it points at is refused.
    Error,
    /// Served, but surely not meant.
    Warning,
    /// How something was understood.
    Note,
}

impl Severity {
    /// The word as every output spells it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Which text a span is in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum File {
    /// The input that was judged.
    Input,
    /// Another file that was read for it, by the path that the configuration names (a CA bundle).
    Named(Arc<str>),
}

/// A span in a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The text.
    pub file: File,
    /// Bytes of that text as it was given, also when the configuration sits inside another document.
    pub span: Span,
}

impl Place {
    /// A place in the input that was judged.
    #[must_use]
    pub fn input(span: Span) -> Self {
        Self { file: File::Input, span }
    }
}

/// What an error takes down with it. Warnings and notes take nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The whole configuration: `serve` does not start.
    Config,
    /// The backend written at this index of `backends`.
    Entry(usize),
    /// Every backend that resolves to this strategy: a name under `outgoingAuth.backends`, or `None` for
    /// `outgoingAuth.default`.
    Strategy(Option<String>),
}

/// An edit that mends a finding, or advice in words where no edit can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Help {
    /// One line, an instruction: ``write `https://…` ``.
    pub text: String,
    /// Edits of the input that carry it out; empty if a person has to decide.
    pub edits: Vec<Edit>,
    /// Whether the edits cannot change what the configuration means (a deprecated spelling, a dead key), so that a
    /// tool may apply them unasked.
    pub safe: bool,
}

/// Replaces the bytes of `span` in the input by `replacement`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

/// Another place that explains a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Related {
    /// Where.
    pub place: Place,
    /// What is there, a few words: "first defined here".
    pub message: String,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its name for ever, with severity and explanation.
    pub code: Code,
    /// The fact, then what would have been accepted; lower case, no full stop, one line.
    pub message: String,
    /// The smallest wrong text; `None` when it is about the input as a whole.
    pub place: Option<Place>,
    /// JSON pointer (RFC 6901) into the configuration; `None` when it is outside any.
    pub path: Option<String>,
    /// What an error takes down.
    pub scope: Scope,
    /// How to mend it.
    pub help: Option<Help>,
    /// Other places that explain it.
    pub related: Vec<Related>,
}

impl Diagnostic {
    /// A finding about the input as a whole, of scope [`Scope::Config`].
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            place: None,
            path: None,
            scope: Scope::Config,
            help: None,
            related: Vec::new(),
        }
    }

    /// How bad it is; fixed by the code.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }

    /// Points at bytes of the input.
    #[must_use]
    pub fn at(self, span: Span) -> Self {
        self.at_place(Place::input(span))
    }

    /// Points at a place.
    #[must_use]
    pub fn at_place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Names the value in the configuration by its JSON pointer.
    #[must_use]
    pub fn path(mut self, pointer: impl Into<String>) -> Self {
        self.path = Some(pointer.into());
        self
    }

    /// Says what it takes down.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Adds advice that a person has to carry out.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(Help { text: text.into(), edits: Vec::new(), safe: false });
        self
    }

    /// Adds an edit that mends it; see [`Help::safe`].
    #[must_use]
    pub fn fix(mut self, text: impl Into<String>, edits: Vec<Edit>, safe: bool) -> Self {
        self.help = Some(Help { text: text.into(), edits, safe });
        self
    }

    /// Adds another place that explains it.
    #[must_use]
    pub fn related(mut self, place: Place, message: impl Into<String>) -> Self {
        self.related.push(Related { place, message: message.into() });
        self
    }
}

/// The order in which findings are shown: by place in the input, then in other files, then those of no place; worse
/// first at one place. Same input, same order. Exact repetitions are dropped.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    order::sort(diagnostics, |a, b| {
        let places = a.place.is_none().cmp(&b.place.is_none()).then_with(|| a.place.cmp(&b.place));
        let worse = places.then_with(|| a.severity().cmp(&b.severity()));
        worse.then_with(|| a.code.id().cmp(b.code.id())).then_with(|| a.message.cmp(&b.message))
    });
    diagnostics.dedup();
}

/// Builds an RFC 6901 pointer one step longer: `~` and `/` in `step` are escaped.
#[must_use]
pub fn pointer(parent: &str, step: &str) -> String {
    let mut out = parent.to_owned();
    out.push('/');
    for c in step.chars() {
        match c {
            '~' => out.push_str("~0"),
            '/' => out.push_str("~1"),
            c => out.push(c),
        }
    }
    out
}

/// The candidate nearest to `word`, if it is near enough to be what was meant (at most a third of its letters differ,
/// case counts little).
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Keys and words are ASCII; tables of all scripts would be a tenth of the module.
    let lower = |s: &str| s.chars().map(|c| c.to_ascii_lowercase()).collect::<Vec<_>>();
    let wanted = lower(word);
    let limit = (wanted.len() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(&wanted, &lower(candidate)), candidate))
        .filter(|&(distance, _)| distance <= limit && distance < wanted.len())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost 1 each.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut rows = [Vec::new(), (0..=b.len()).collect::<Vec<_>>(), Vec::new()];
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let mut best = (rows[1][j] + usize::from(x != y)).min(rows[1][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(rows[0][j - 1] + 1);
            }
            row.push(best);
        }
        rows[2] = row;
        rows.rotate_left(1);
    }
    rows[1].last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_nearest_key_is_offered_only_when_it_is_near() {
        let keys = ["caBundlePath", "transport", "url"];
        assert_eq!(nearest("caBundelPath", keys), Some("caBundlePath"));
        assert_eq!(nearest("cabundlepath", keys), Some("caBundlePath"));
        assert_eq!(nearest("ulr", keys), Some("url"));
        assert_eq!(nearest("banana", keys), None);
        assert_eq!(nearest("b", ["a"]), None);
    }

    #[test]
    fn pointers_escape_what_rfc_6901_says() {
        assert_eq!(pointer("/outgoingAuth/backends", "a/b~c"), "/outgoingAuth/backends/a~1b~0c");
    }

    #[test]
    fn codes_are_unique_sorted_into_areas_and_explained() {
        let mut seen = alloc::collections::BTreeSet::new();
        for code in ALL {
            assert!(seen.insert(code.id()), "{} stands twice in the table", code.id());
            let (area, name) = code.id().split_once('/').unwrap();
            let word =
                |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            assert!(word(area) && word(name), "{}", code.id());
            assert!(code.explanation().len() > 40, "{} has no explanation", code.id());
            assert_eq!(find(code.id()), Some(*code));
        }
        assert_eq!(find("no/such-code"), None);
    }
}
