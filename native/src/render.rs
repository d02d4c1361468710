//! Findings for a person, a script, a pull request and a code scanner: one judgement, four renderings.
//!
//! It decides nothing about a finding and prints nothing: every renderer turns a [`Judged`] into text.

pub mod github;
pub mod human;
pub mod json;
pub mod sarif;

mod excerpt;

use std::collections::{BTreeMap, BTreeSet};

use vmcp_core::diagnostic::{Diagnostic, File, Place, Severity};
use vmcp_core::text::{LineIndex, Location, Span};

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

/// A text and where its lines are.
#[derive(Clone, Debug)]
pub struct Text {
    text: String,
    lines: LineIndex,
}

/// A place as a person counts it; `end` is exclusive. Columns are Unicode scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first character.
    pub start: Location,
    /// One past the last.
    pub end: Location,
}

impl Text {
    /// Finds the lines of `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let lines = LineIndex::new(&text);
        Self { text, lines }
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Lines and columns of a span.
    #[must_use]
    pub fn region(&self, span: Span) -> Region {
        Region { start: self.lines.location(&self.text, span.start), end: self.lines.location(&self.text, span.end) }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new("")
    }
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
