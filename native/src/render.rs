//! Findings for a person, a script, a pull request and a code scanner: one judgement, four renderings.
//!
//! It decides nothing about a finding and prints nothing: every renderer turns a [`Judged`] into text.

pub mod github;
pub mod human;
pub mod json;
pub mod sarif;
pub(crate) mod yaml;

mod excerpt;
pub(crate) mod table;
pub(crate) mod tree;

use std::collections::{BTreeMap, BTreeSet};

use vmcp_core::diagnostic::{Diagnostic, File, Place, Severity};
use vmcp_core::text::Span;
pub use vmcp_core::text::{Region, Text};

/// One input and everything that was found in it.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// What the input is called: a path as it was given, or what `--stdin-name` says.
    pub file: String,
    /// The input and its lines.
    pub text: Text,
    /// In the order of [`vmcp_core::diagnostic::sort`].
    pub diagnostics: Vec<Diagnostic>,
    /// Files that the configuration needs, as configured.
    pub files: BTreeSet<String>,
    /// Environment variables that it needs.
    pub variables: BTreeSet<String>,
    /// Texts of other files that findings point into, by the path that the configuration names.
    pub others: BTreeMap<String, Text>,
    /// Bytes of the input that hold a credential: they are never shown, also where a finding underlines their line.
    pub secrets: Vec<Span>,
}

impl Judged {
    /// Whether there is no error.
    #[must_use]
    pub fn valid(&self) -> bool {
        self.count(Severity::Error) == 0
    }

    /// How many findings of this severity there are.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity() == severity).count()
    }

    /// The name of the file that a place is in.
    fn file_of<'a>(&'a self, place: &'a Place) -> &'a str {
        match &place.file {
            File::Input => &self.file,
            File::Named(path) => path,
        }
    }

    /// The text that a place is in, if it was kept.
    fn text_of(&self, place: &Place) -> Option<&Text> {
        match &place.file {
            File::Input => Some(&self.text),
            File::Named(path) => self.others.get(&**path),
        }
    }

    /// Lines and columns of a place, if its text was kept.
    fn region_of(&self, place: &Place) -> Option<Region> {
        self.text_of(place).map(|text| text.region(place.span))
    }
}

/// `1 error`, `2 errors`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
