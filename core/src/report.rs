//! Findings as the one shape that scripts, the page and the terminal's `--format json` share.
//!
//! It judges nothing and writes no JSON: a host gives it findings and serialises what it gets.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::shape::{Shape, shapes};
use crate::text::{Span, Text};

shapes! {
    /// What was found in one input.
    pub struct Report<'a> {
        /// What the input is called.
        pub file: &'a str,
        /// Whether there is no error.
        pub valid: bool,
        /// In the order in which they are shown.
        pub diagnostics: Vec<Finding<'a>>,
        /// What the place where the configuration runs must have.
        pub needs: Names<'a>,
    }

    /// Names of what a configuration needs, sorted.
    pub struct Names<'a> {
        /// Files, as configured.
        pub files: Vec<&'a str>,
        /// Environment variables.
        pub variables: Vec<&'a str>,
    }

    /// One finding. Lines and columns count from 1, ends are exclusive, what is unknown is null.
    pub struct Finding<'a> {
        /// Its name for ever.
        pub code: Code,
        /// How bad it is.
        pub severity: Severity,
        /// The fact, then what would have been accepted.
        pub message: &'a str,
        /// How to mend it.
        pub help: Option<&'a str>,
        /// JSON pointer into the configuration.
        pub path: Option<&'a str>,
        /// The file that the place is in, or the input if it has no place.
        pub file: &'a str,
        /// The line of the first character.
        pub line: Option<u32>,
        /// The column of the first character.
        pub column: Option<u32>,
        /// The line of the end.
        pub end_line: Option<u32>,
        /// The column of the end.
        pub end_column: Option<u32>,
    }
}

impl Shape for Code {
    fn write(&self, out: &mut String) {
        self.id().write(out);
    }

    fn typescript() -> String {
        "string".to_owned()
    }
}

impl Shape for Severity {
    fn write(&self, out: &mut String) {
        self.word().write(out);
    }

    fn typescript() -> String {
        "string".to_owned()
    }
}

/// What a column counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Unicode scalars, as people and terminals count.
    Scalars,
    /// UTF-16 code units, as JavaScript and editors count.
    Utf16,
}

impl<'a> Finding<'a> {
    /// The finding `diagnostic` about the file called `file`, whose text is `text` if it was kept.
    #[must_use]
    pub fn new(diagnostic: &'a Diagnostic, file: &'a str, text: Option<&Text>, columns: Columns) -> Self {
        let region = |span: Span| match columns {
            Columns::Scalars => text.map(|text| text.region(span)),
            Columns::Utf16 => text.map(|text| text.region_utf16(span)),
        };
        let region = diagnostic.place.as_ref().and_then(|place| region(place.span));
        Self {
            code: diagnostic.code,
            severity: diagnostic.severity(),
            message: &diagnostic.message,
            help: diagnostic.help.as_ref().map(|help| help.text.as_str()),
            path: diagnostic.path.as_deref(),
            file,
            line: region.map(|region| region.start.line),
            column: region.map(|region| region.start.column),
            end_line: region.map(|region| region.end.line),
            end_column: region.map(|region| region.end.column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use crate::diagnostic::code;
    use alloc::format;

    #[test]
    fn the_shape_is_what_scripts_were_promised() {
        let text = Text::new("a: 1\nb: 😀é\n");
        let span = Span::new(12, 14);
        let placed = Diagnostic::new(code::CONFIG_EMPTY, "fact; expected").at(span).path("/b").help("write it");
        let json = |columns| {
            let finding = Finding::new(&placed, "x.yaml", Some(&text), columns);
            assert_eq!(finding.to_json(), serde_json::to_string(&finding).unwrap());
            finding.to_json()
        };
        let expected = |column| {
            format!(
                r#"{{"code":"config/empty","severity":"error","message":"fact; expected","help":"write it","path":"/b","file":"x.yaml","line":2,"column":{column},"endLine":2,"endColumn":{}}}"#,
                column + 1
            )
        };
        assert_eq!(json(Columns::Scalars), expected(5));
        assert_eq!(json(Columns::Utf16), expected(6));
    }

    #[test]
    fn what_is_unknown_is_null() {
        let whole = Diagnostic::new(code::CONFIG_EMPTY, "fact");
        let report = Report {
            file: "-",
            valid: false,
            diagnostics: Vec::from([Finding::new(&whole, "-", None, Columns::Scalars)]),
            needs: Names { files: Vec::new(), variables: Vec::from(["A"]) },
        };
        assert_eq!(
            report.to_json(),
            r#"{"file":"-","valid":false,"diagnostics":[{"code":"config/empty","severity":"error","message":"fact","help":null,"path":null,"file":"-","line":null,"column":null,"endLine":null,"endColumn":null}],"needs":{"files":[],"variables":["A"]}}"#
        );
    }
}
