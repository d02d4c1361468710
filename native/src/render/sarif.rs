//! Findings as SARIF 2.1.0 (OASIS, 27 March 2020), for code scanners: one run, one rule for every code that was found.
//!
//! It names no commit and no time: the same input gives the same bytes.

use std::path::Path;

use serde::Serialize;
use vmcp_core::diagnostic::{ALL, Code, Diagnostic, Edit, Place, Severity};

use super::{Judged, Region};

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    column_kind: &'static str,
    results: Vec<Outcome<'a>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Message<'static>,
    full_description: Message<'static>,
    help: Message<'static>,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message<'a>,
    locations: [Location<'a>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Fix<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    physical_location: PhysicalLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    logical_locations: Option<[LogicalLocation<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<LineRegion>,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LineRegion {
    start_line: u32,
    start_column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation<'a> {
    fully_qualified_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Fix<'a> {
    description: Message<'a>,
    artifact_changes: [ArtifactChange<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactChange<'a> {
    artifact_location: ArtifactLocation,
    replacements: Vec<Replacement<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement<'a> {
    deleted_region: LineRegion,
    inserted_content: Message<'a>,
}

/// One log for all inputs.
#[must_use]
pub fn log(judged: &[Judged]) -> String {
    // In the order of the table, which is the same for every input.
    let found: Vec<Code> = ALL
        .iter()
        .copied()
        .filter(|code| judged.iter().any(|one| one.diagnostics.iter().any(|diagnostic| diagnostic.code == *code)))
        .collect();
    let index = |code: Code| found.iter().position(|known| *known == code).unwrap_or_default();
    let results = judged
        .iter()
        .flat_map(|one| one.diagnostics.iter().map(move |diagnostic| (one, diagnostic)))
        .map(|(one, diagnostic)| outcome(one, diagnostic, index(diagnostic.code)))
        .collect();
    super::json::pretty(&Log {
        schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "vmcp",
                    semantic_version: env!("CARGO_PKG_VERSION"),
                    rules: found.iter().copied().map(rule).collect(),
                },
            },
            column_kind: "unicodeCodePoints",
            results,
        }],
    })
}

fn rule(code: Code) -> Rule {
    Rule {
        id: code.id(),
        short_description: Message { text: code.summary() },
        full_description: Message { text: code.explanation() },
        help: Message { text: code.explanation() },
        default_configuration: Configuration { level: level(code.severity()) },
    }
}

fn level(severity: Severity) -> &'static str {
    severity.word()
}

fn outcome<'a>(judged: &'a Judged, diagnostic: &'a Diagnostic, rule_index: usize) -> Outcome<'a> {
    let logical = diagnostic.path.as_deref().filter(|path| !path.is_empty());
    Outcome {
        rule_id: diagnostic.code.id(),
        rule_index,
        level: level(diagnostic.severity()),
        message: Message { text: &diagnostic.message },
        locations: [Location {
            physical_location: match &diagnostic.place {
                Some(place) => physical(judged, place),
                None => PhysicalLocation { artifact_location: artifact(&judged.file), region: None },
            },
            logical_locations: logical.map(|path| [LogicalLocation { fully_qualified_name: path }]),
            message: None,
        }],
        related_locations: diagnostic
            .related
            .iter()
            .map(|related| Location {
                physical_location: physical(judged, &related.place),
                logical_locations: None,
                message: Some(Message { text: &related.message }),
            })
            .collect(),
        fixes: match &diagnostic.help {
            Some(help) if !help.edits.is_empty() => vec![fix(judged, &help.text, &help.edits)],
            _ => Vec::new(),
        },
    }
}

fn physical(judged: &Judged, place: &Place) -> PhysicalLocation {
    PhysicalLocation { artifact_location: artifact(judged.file_of(place)), region: judged.region_of(place).map(lines) }
}

fn fix<'a>(judged: &'a Judged, text: &'a str, edits: &'a [Edit]) -> Fix<'a> {
    Fix {
        description: Message { text },
        artifact_changes: [ArtifactChange {
            artifact_location: artifact(&judged.file),
            replacements: edits
                .iter()
                .map(|edit| Replacement {
                    deleted_region: lines(judged.text.region(edit.span)),
                    inserted_content: Message { text: &edit.replacement },
                })
                .collect(),
        }],
    }
}

fn lines(Region { start, end }: Region) -> LineRegion {
    LineRegion { start_line: start.line, start_column: start.column, end_line: end.line, end_column: end.column }
}

/// A file as a URI reference (RFC 3986): relative paths stay relative to where the scanner runs.
fn artifact(file: &str) -> ArtifactLocation {
    let mut uri = String::new();
    if Path::new(file).is_absolute() {
        uri.push_str("file://");
    }
    for byte in file.bytes() {
        let unreserved = byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        // A colon in the first segment of a relative reference would read as a scheme, so it is always escaped.
        if unreserved {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    ArtifactLocation { uri }
}
