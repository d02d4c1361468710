//! Findings as GitHub workflow commands: annotations on the lines of a pull request.
//!
//! It says nothing where there is nothing to say: an input without findings gives no line.

use vmcp_core::diagnostic::{Diagnostic, Severity};

use super::Judged;

/// One command a line, escaped as the runner's toolkit escapes them
/// (`%`, CR and LF everywhere; `:` and `,` in properties too).
#[must_use]
pub fn commands(judged: &Judged) -> String {
    judged.diagnostics.iter().map(|diagnostic| command(judged, diagnostic)).collect()
}

fn command(judged: &Judged, diagnostic: &Diagnostic) -> String {
    let word = match diagnostic.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let place = diagnostic.place.as_ref();
    let file = place.map_or(judged.file.as_str(), |place| judged.file_of(place));
    let mut properties = vec![format!("file={}", property(file))];
    if let Some(region) = place.and_then(|place| judged.region_of(place)) {
        properties.push(format!("line={}", region.start.line));
        // An annotation over several lines may name no columns.
        if region.end.line == region.start.line {
            properties.push(format!("col={}", region.start.column));
            properties.push(format!("endLine={}", region.end.line));
            properties.push(format!("endColumn={}", region.end.column));
        } else {
            properties.push(format!("endLine={}", region.end.line));
        }
    }
    properties.push(format!("title={}", property(diagnostic.code.id())));
    let mut message = diagnostic.message.clone();
    if let Some(help) = &diagnostic.help {
        message.push_str("\nhelp: ");
        message.push_str(&help.text);
    }
    format!("::{word} {}::{}\n", properties.join(","), data(&message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
