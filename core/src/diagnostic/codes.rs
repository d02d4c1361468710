//! The table of codes: one line a code holds its name, severity, summary and explanation. A code is for ever.
//!
//! It says nothing about where a finding is; that is [`super::Diagnostic`].

use super::Severity;

/// The name of a kind of finding, `area/what`, with everything that is fixed about it.
#[derive(Clone, Copy)]
pub struct Code(&'static Entry);

struct Entry {
    id: &'static str,
    severity: Severity,
    summary: &'static str,
    explanation: &'static str,
}

impl Code {
    /// `area/what`, stable for ever.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.0.id
    }

    /// How bad every finding of this code is.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.0.severity
    }

    /// One line: what is wrong.
    #[must_use]
    pub fn summary(self) -> &'static str {
        self.0.summary
    }

    /// A paragraph for `vmcp explain`: why it matters and what to do.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        self.0.explanation
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}
impl Eq for Code {}
impl core::fmt::Debug for Code {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.id())
    }
}
impl core::fmt::Display for Code {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.id())
    }
}
impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// The code of this name.
#[must_use]
pub fn find(id: &str) -> Option<Code> {
    ALL.iter().copied().find(|code| code.id() == id)
}

macro_rules! codes {
    ($($constant:ident = $id:literal, $severity:ident, $summary:literal, $explanation:literal;)*) => {
        /// Every code, in the order of the table.
        pub const ALL: &[Code] = &[$(constants::$constant),*];

        pub(super) mod constants {
            use super::{Code, Entry, Severity};
            $(
                #[doc = $summary]
                pub const $constant: Code = Code(&Entry {
                    id: $id,
                    severity: Severity::$severity,
                    summary: $summary,
                    explanation: $explanation,
                });
            )*
        }
    };
}

codes! {
    // ---- yaml: the text is not what a YAML 1.1 reader takes ----
    SYNTAX = "yaml/syntax", Error, "the text is not YAML",
        "The text could not be read as YAML from this point on. Everything before it was still judged, so mend this and run again.";
    TAB = "yaml/tab", Error, "a tab stands where YAML allows only spaces",
        "YAML measures nesting in spaces, so a tab can neither indent a line nor follow the dash of a list entry. Replace it by spaces; most editors can do that for a whole file.";
    CONTROL_CHARACTER = "yaml/control-character", Error, "the text holds a character that YAML does not allow",
        "YAML texts hold printable characters, tabs and line breaks. A NUL or another control character usually means that the file is damaged, or is no text. What follows it was not read. In double quotes it can be written as an escape.";
    DIRECTIVE = "yaml/directive", Error, "a directive is not understood",
        "Lines that begin with `%` before a document are directives. Only `%YAML 1.1` and `%TAG` are taken, as by the Go program; a configuration needs none of them.";
    DUPLICATE_KEY = "yaml/duplicate-key", Error, "a key stands twice in one map",
        "Only one of the two values can be meant, and nobody can know which. The first one was judged here; the Go program refuses the whole map. Remove one of them.";
    UNDEFINED_ALIAS = "yaml/undefined-alias", Error, "an alias refers to nothing",
        "`*name` stands for the value that was marked `&name` earlier in the same document. Nothing was. A text that begins with `*` needs quotes.";
    RECURSIVE_ALIAS = "yaml/recursive-alias", Error, "an alias stands inside of what it refers to",
        "`*name` inside of the value marked `&name` would make a value that contains itself. No such value can be written down, so none is accepted.";
    EXCESSIVE_ALIASING = "yaml/excessive-aliasing", Error, "aliases repeat too much",
        "A few lines of aliases of aliases can stand for billions of values. As in the Go program, aliases may cause up to 99 % of the values of a small document and 10 % of those of a very large one. Nothing of the document was judged.";
    EXCESSIVE_MERGING = "yaml/excessive-merging", Error, "merge keys take over too much",
        "Each `<<` copies the entries of other maps, and copies of copies grow without bound, so there is a limit for all of them together. Nothing of the document was judged.";
    MERGE_VALUE = "yaml/merge-value", Error, "a merge key is given something that is no map",
        "`<<` takes over the entries of a map or, if it is given a list of maps, of each of them. Anything else has no entries to take over. If a key of this name is meant, put it in quotes.";
    TOO_DEEP = "yaml/too-deep", Error, "values are nested too deeply",
        "No configuration nests more than a few dozen levels; a text that nests hundreds is an accident or an attack. The document was read up to that place.";
    TOO_MANY_NODES = "yaml/too-many-values", Error, "the document has too many values",
        "There is a limit to how many keys, list entries and other values one document may hold, so that memory stays bounded. Nothing of the document was judged.";

    // ---- input: which document holds the configuration ----

    // ---- config: keys and values ----

    // ---- backend: entries of `backends` ----

    // ---- auth: incomingAuth and outgoingAuth ----

    // ---- aggregation ----

    // ---- operational: operational, telemetry, audit, rateLimiting, sessionStorage, optimizer, codeMode ----

    // ---- composite: compositeTools and compositeToolRefs ----

    // ---- trust: CA bundles and system roots ----

    // ---- material: files and variables that the configuration needs ----

    // ---- pod: what a Deployment or Pod in the same input has or lacks ----

    // ---- runtime: keys that are read but not yet acted on ----
}
