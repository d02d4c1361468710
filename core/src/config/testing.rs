//! What tests of the configuration share: a sound one to change, and findings as short texts.
//!
//! It tests nothing itself.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Config;
use crate::diagnostic::{self, Diagnostic, File, Scope, Severity};
use crate::yaml::{self, Positions};

/// A sound configuration, key by key.
const SOUND: [(&str, &str); 6] = [
    ("name", "name: demo"),
    ("groupRef", "groupRef: demo-group"),
    ("backends", "backends: [{name: a, url: 'https://a.example/mcp', transport: streamable-http}]"),
    ("incomingAuth", "incomingAuth: {type: anonymous}"),
    ("outgoingAuth", "outgoingAuth: {source: inline}"),
    (
        "aggregation",
        "aggregation: {conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: '{workload}_'}}",
    ),
];

/// A sound configuration, in which the top-level keys of `text` stand in place of its own.
pub(super) fn with(text: &str) -> String {
    let mut whole = String::from(text.trim_start_matches('\n'));
    if !whole.is_empty() && !whole.ends_with('\n') {
        whole.push('\n');
    }
    for (key, line) in SOUND {
        if !text.lines().any(|line| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'))) {
            whole.push_str(line);
            whole.push('\n');
        }
    }
    whole
}

/// Reads a whole text.
pub(crate) fn read(text: &str) -> (Config, Vec<Diagnostic>) {
    let parsed = yaml::parse(text, &Positions::identity());
    let mut diagnostics = parsed.diagnostics;
    let config = super::read(parsed.tree.root(), &mut diagnostics);
    diagnostic::sort(&mut diagnostics);
    (config, diagnostics)
}

/// The findings in a sound configuration that is changed by `text`, without those about what is not acted on yet. Each is
/// `code /pointer «text pointed at» message [what falls] {help} (related: «text»)`.
pub(super) fn findings(text: &str) -> Vec<String> {
    those(&with(text), |finding| !finding.code.id().starts_with("runtime/"))
}

/// Those that are errors.
pub(super) fn errors(text: &str) -> Vec<String> {
    those(&with(text), |finding| finding.severity() == Severity::Error)
}

/// Those about what is not acted on yet.
pub(super) fn not_acted_on(text: &str) -> Vec<String> {
    those(&with(text), |finding| finding.code.id().starts_with("runtime/"))
}

/// All findings in a whole text.
pub(super) fn findings_of_all(text: &str) -> Vec<String> {
    those(text, |_| true)
}

fn those(text: &str, wanted: impl Fn(&Diagnostic) -> bool) -> Vec<String> {
    read(text).1.iter().filter(|finding| wanted(finding)).map(|finding| short(finding, text)).collect()
}

fn short(finding: &Diagnostic, text: &str) -> String {
    let at = |place: &diagnostic::Place| match place.file {
        File::Input => text.get(place.span.range()).unwrap_or("?").lines().next().unwrap_or_default().into(),
        File::Named(_) => String::from("?"),
    };
    let place = finding.place.as_ref().map(at).unwrap_or_default();
    let path = finding.path.as_deref().unwrap_or_default();
    let mut out = format!("{} {path} «{place}» {}", finding.code, finding.message);
    match &finding.scope {
        Scope::Config => {}
        Scope::Entry(index) => out.push_str(&format!(" [backend {index}]")),
        Scope::Strategy(None) => out.push_str(" [default]"),
        Scope::Strategy(Some(name)) => out.push_str(&format!(" [strategy of {name}]")),
    }
    if let Some(help) = &finding.help {
        let safe = if help.safe { ", safe" } else { "" };
        out.push_str(&format!(" {{{}{safe}}}", help.text));
    }
    for related in &finding.related {
        out.push_str(&format!(" ({}: «{}»)", related.message, at(&related.place)));
    }
    out
}
