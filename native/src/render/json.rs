//! Findings as JSON, for scripts: the shape that `vmcp validate --format json` promises.
//!
//! It adds nothing to a finding: what is unknown is null.

use serde::Serialize;
use vmcp_core::diagnostic::Diagnostic;
use vmcp_core::report::{Columns, Finding, Names, Report};

use super::Judged;

/// One object for one input, and an array where several could have been given.
#[must_use]
pub fn report(judged: &[Judged], shape: Shape) -> String {
    let reports: Vec<Report<'_>> = judged.iter().map(one).collect();
    match (shape, reports.as_slice()) {
        (Shape::Single, [report]) => pretty(report),
        _ => pretty(&reports),
    }
}

/// Whether the inputs were named one by one or found in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One file, or standard input.
    Single,
    /// Several, or a folder, however many files it holds.
    Several,
}

/// A value as JSON, two spaces deep, closed by a line end.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    // The types of this crate have string keys and no failing implementations, so there is no error to report.
    let mut out = serde_json::to_string_pretty(value).unwrap_or_default();
    out.push('\n');
    out
}

/// The findings of an input as `diagnostics` lists them.
pub(crate) fn findings(judged: &Judged) -> Vec<Finding<'_>> {
    judged.diagnostics.iter().map(|diagnostic| finding(judged, diagnostic)).collect()
}

fn one(judged: &Judged) -> Report<'_> {
    Report {
        file: &judged.file,
        valid: judged.valid(),
        diagnostics: findings(judged),
        needs: Names {
            files: judged.files.iter().map(String::as_str).collect(),
            variables: judged.variables.iter().map(String::as_str).collect(),
        },
    }
}

pub(crate) fn finding<'a>(judged: &'a Judged, diagnostic: &'a Diagnostic) -> Finding<'a> {
    let place = diagnostic.place.as_ref();
    let file = place.map_or(judged.file.as_str(), |place| judged.file_of(place));
    Finding::new(diagnostic, file, place.and_then(|place| judged.text_of(place)), Columns::Scalars)
}
