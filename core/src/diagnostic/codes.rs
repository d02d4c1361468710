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
