//! An input from bytes to findings, as far as text alone tells: what every command and the page begin with.
//!
//! It looks at no file or variable that a configuration names (`discovery` does, with materials) and draws nothing.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::config::input::{self, ConfigMapName};
use crate::config::{self, Config, pod};
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::discovery::{Needs, Presence, needs};
use crate::order;
use crate::render::{Configuration, Rendered};
use crate::report::{Columns, Finding, Names, Report};
use crate::text::{Span, Text};

/// An input that was judged.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Its text, to which all spans refer.
    pub text: Text,
    /// The configurations in it, in text order.
    pub documents: Vec<Document>,
    /// What was found about the input itself, and about what its pods give to its configurations.
    pub diagnostics: Vec<Diagnostic>,
    /// Where credentials stand in the text: they are never shown, also where a finding is about their line.
    pub secrets: Vec<Span>,
    /// Whether there are ToolHive's custom resources and no configuration, so that rendering has something to say.
    pub resources: bool,
}

/// One configuration of an input.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its ConfigMap; `None` for an input that is a configuration itself.
    pub name: Option<ConfigMapName>,
    /// What could be read of it.
    pub config: Config,
    /// What is wrong with it.
    pub findings: Vec<Diagnostic>,
    /// What it needs from where it runs.
    pub needs: Needs,
}

/// Judges one input. Never fails: whatever is wrong is among the findings.
#[must_use]
pub fn judge(bytes: &[u8]) -> Judgement {
    let mut input = input::read(bytes);
    let mut diagnostics = core::mem::take(&mut input.diagnostics);
    let mut secrets = Vec::new();
    let resources = input.configs.is_empty() && input.skipped.objects.keys().any(|kind| crate::crd::is_custom(kind));
    let wanted: Vec<Needs> = input.configs.iter().map(|document| needs(&document.config, &BTreeMap::new())).collect();
    for (document, needs) in input.configs.iter().zip(&wanted) {
        diagnostics.extend(input.pods_of(document).flat_map(|pod| pod::compare(needs, pod)));
    }
    let mut documents = Vec::with_capacity(wanted.len());
    for (document, needs) in input.configs.into_iter().zip(wanted) {
        secrets.extend(document.secrets);
        let (name, config, findings) = (document.name, document.config, document.diagnostics);
        documents.push(Document { name, config, findings, needs });
    }
    // The document knows better than the text where a credential ends; the text speaks where the document breaks off.
    let known = order::set(secrets.iter().map(|secret| secret.start));
    secrets.extend(config::secrets_in_text(&input.text).into_iter().filter(|guess| !known.contains(&guess.start)));
    Judgement { text: Text::new(input.text), documents, diagnostics, secrets: config::apart(secrets), resources }
}

/// Why a configuration cannot be compared with another one: what a syntax error cut off might have been the change.
#[must_use]
pub fn unread(findings: &[Diagnostic]) -> Option<&Diagnostic> {
    findings.iter().find(|finding| {
        let id = finding.code.id();
        finding.severity() == Severity::Error
            && (id.starts_with("yaml/") || id == "config/empty" || id == "config/too-many-errors")
    })
}

/// What rendering finds in custom resources, and the configurations that they become, at their own places.
impl From<Rendered> for Judgement {
    fn from(rendered: Rendered) -> Self {
        let document = |one: Configuration| {
            let needs = needs(&one.config, &BTreeMap::new());
            Document { name: Some(one.name), config: one.config, findings: one.findings, needs }
        };
        Self {
            text: Text::new(rendered.text),
            documents: rendered.configurations.into_iter().map(document).collect(),
            diagnostics: rendered.diagnostics,
            secrets: rendered.secrets,
            resources: true,
        }
    }
}

impl Judgement {
    /// Everything that was found, as it is shown, about an input that is called `file`.
    pub fn report<R>(&self, file: &str, columns: Columns, show: impl FnOnce(&Report<'_>) -> R) -> R {
        let mut diagnostics = self.diagnostics.clone();
        diagnostics.extend(self.documents.iter().flat_map(|document| document.findings.iter().cloned()));
        diagnostic::sort(&mut diagnostics);
        let needs = || self.documents.iter().map(|document| &document.needs);
        let files = order::set(needs().flat_map(|needs| &needs.files).map(|need| need.path.as_str()));
        let required = needs().flat_map(|needs| &needs.variables).filter(|need| need.presence == Presence::Required);
        let variables = order::set(required.map(|need| need.name.as_str()));
        show(&Report {
            file,
            valid: !diagnostics.iter().any(|diagnostic| diagnostic.severity() == Severity::Error),
            diagnostics: diagnostics.iter().map(|one| Finding::new(one, file, Some(&self.text), columns)).collect(),
            needs: Names { files: files.into_iter().collect(), variables: variables.into_iter().collect() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const LIST: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: team-vmcp-config}
data:
  config.yaml: |
    name: team
    groupRef: team
    nmae: x
    incomingAuth: {type: anonymous}
    outgoingAuth: {source: inline}
    aggregation: {conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: \"{workload}_\"}}
    backends:
    - {name: tickets, url: \"https://tickets.example/mcp\", transport: streamable-http, type: entry, caBundlePath: /ca/ca.crt}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: team}
spec:
  template:
    spec:
      containers:
      - name: vmcp
        image: vmcp
        volumeMounts: [{name: config, mountPath: /etc/vmcp-config}]
      volumes: [{name: config, configMap: {name: team-vmcp-config}}]
";

    #[test]
    fn findings_of_the_text_and_of_its_pod_are_shown_together_in_text_order() {
        let judgement = judge(LIST.as_bytes());
        let shown = judgement.report("x.yaml", Columns::Scalars, |report| {
            assert!(!report.valid);
            assert_eq!(report.needs.files, ["/ca/ca.crt"]);
            report.diagnostics.iter().map(|one| (one.code.id(), one.line, one.column)).collect::<Vec<_>>()
        });
        let expected = [("config/unknown-key", Some(8), Some(5)), ("pod/missing-file", Some(13), Some(114))];
        assert_eq!(shown, expected);
    }

    #[test]
    fn nothing_at_all_is_an_error_and_needs_nothing() {
        judge(b"").report("-", Columns::Utf16, |report| {
            assert!(!report.valid && report.needs.files.is_empty() && report.needs.variables.is_empty());
            assert_eq!(report.diagnostics.iter().map(|one| one.code.id()).collect::<Vec<_>>(), ["config/empty"]);
        });
    }
}
