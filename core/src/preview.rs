//! What a previewer asks while somebody writes a configuration: findings, backends, hints, comparison, as plain data.
//!
//! It draws nothing and judges nothing of its own: findings are those of [`crate::judge`]. Files and variables are those that it
//! is given; what it is not given counts as there, since only the pod can tell.

mod view;

pub use view::*;

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::auth::{Applied, AuthSource, Trust};
use crate::compare;
use crate::config::{self, AuthStrategy, BackendAuthStrategy, Config, StaticBackendConfig, Tree, hints, unenforced};
use crate::diagnostic::{self, Diagnostic, File, Scope, Severity};
use crate::discovery::{Needs, Presence};
use crate::endpoint::{Endpoint, Scheme};
use crate::judge::{Document, Judgement, judge, unread};
use crate::names::{Fate, Listed, forecast, listed};
use crate::order;
use crate::render;
use crate::report::Report;
use crate::secret::Secret;
use crate::shape::Shape as _;
use crate::text::{self, Span, Text};
use crate::trust::{CaBundle, Pool, Rfc3339, Role, SystemRoots, UnixTime};
use crate::words::Words;

/// One text while it is written, with what stands beside it.
#[derive(Debug, Default)]
pub struct Preview {
    files: BTreeMap<String, Vec<u8>>,
    variables: BTreeSet<String>,
    judgement: Judgement,
    /// What was read of the files when the text was judged.
    bundles: BTreeMap<String, Bundle>,
    words: Words,
}

/// A CA bundle that was given.
#[derive(Debug)]
struct Bundle {
    usable: bool,
    pins: bool,
    findings: Vec<Diagnostic>,
}

impl Preview {
    /// No text, no files, no variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file where a configuration names it.
    pub fn give_file(&mut self, path: &str, bytes: &[u8]) {
        self.files.insert(path.to_owned(), bytes.to_vec());
    }

    /// Takes a file away.
    pub fn take_file(&mut self, path: &str) {
        self.files.remove(path);
    }

    /// Says which variables are set; of their values nothing is known.
    pub fn give_variables(&mut self, names: impl IntoIterator<Item = String>) {
        self.variables = order::set(names);
    }

    /// Gives a module that is built without long texts what [`words::all`](crate::words::all) made.
    pub fn give_words(&mut self, text: &str) {
        self.words = Words::given(text.to_owned());
    }

    /// Judges a text, and remembers it for the other questions.
    pub fn check(&mut self, text: &[u8], now: UnixTime) -> View {
        self.judgement = judge(text);
        let mut made = None;
        if cfg!(feature = "render") && self.judgement.resources {
            let rendered = render::render([text], &render::Options::default());
            made = Some(rendered.yaml());
            self.judgement = Judgement::from(rendered);
        }
        self.bundles.clear();
        let mut certificates = Vec::new();
        for (path, bytes) in &self.files {
            let (bundle, findings) = CaBundle::read(path, bytes, now);
            let trusted = bundle.as_ref().map(CaBundle::trusted).unwrap_or_default();
            let seconds = |time: UnixTime| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            certificates.extend(trusted.iter().map(|one| CertificateView {
                file: path.clone(),
                line: one.origin.line,
                subject: one.certificate.subject.to_string(),
                issuer: one.certificate.issuer.to_string(),
                role: one.role.word().to_owned(),
                not_after: Rfc3339(one.certificate.not_after).to_string(),
                days_left: (seconds(one.certificate.not_after) - seconds(now)).div_euclid(86_400),
                sha256: one.fingerprint.to_string(),
            }));
            let pins = trusted.iter().any(|one| matches!(one.role, Role::Pin(_)));
            self.bundles.insert(path.clone(), Bundle { usable: bundle.is_some(), pins, findings });
        }
        self.view(certificates, made)
    }

    /// As [`check`](Self::check), where that takes neither rendering nor reading of certificates, which a page can load later:
    /// nothing for custom resources, and nothing while there are files.
    pub fn glance(&mut self, text: &[u8]) -> Option<View> {
        if !self.files.is_empty() {
            return None;
        }
        self.bundles.clear();
        self.judgement = judge(text);
        (!self.judgement.resources).then(|| self.view(Vec::new(), None))
    }

    /// What there is to see of the text that was judged last.
    fn view(&mut self, certificates: Vec<CertificateView>, made: Option<String>) -> View {
        let mut diagnostics = self.judgement.diagnostics.clone();
        diagnostics.extend(self.judgement.documents.iter().flat_map(|document| document.findings.iter().cloned()));
        diagnostic::sort(&mut diagnostics);
        let mut findings: Vec<Found> = diagnostics.iter().map(|one| self.found(one)).collect();
        findings.extend(self.bundles.values().flat_map(|bundle| &bundle.findings).map(|one| self.found(one)));
        let documents = self.judgement.documents.iter().map(|document| self.headline(document)).collect();
        let configs = self.judgement.documents.iter().map(|document| &document.config);
        let matchers = configs.flat_map(matchers).map(|span| self.region(span)).collect();
        let secrets = u32::try_from(self.judgement.secrets.len()).unwrap_or(u32::MAX);
        View { findings, documents, certificates, matchers, secrets, made }
    }

    /// The effective configuration of a document but for its backends.
    #[must_use]
    pub fn settings(&self, document: usize) -> Vec<Setting> {
        // Read once more, so that defaults can be filled in without a copy of everything there is.
        let mut again = judge(self.judgement.text.as_str().as_bytes()).documents;
        if document >= again.len() {
            return Vec::new();
        }
        let config = again.swap_remove(document).config;
        let rest = |tree: Tree| tree.without(&["backends"]);
        let dotted = |at: &str| at.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~");
        let written = rest(config.tree());
        // Required keys are there also where they were left out: as empty ones, which mean the same.
        let there = written.leaves().into_iter().filter(|(_, leaf)| **leaf != Tree::Text(String::new()));
        let written = order::set(there.map(|(at, _)| at));
        let effective = rest(config.into_effective().tree());
        let setting = |(at, value): (String, &Tree)| Setting {
            written: written.contains(&at),
            key: dotted(&at),
            value: value.to_string(),
        };
        effective.leaves().into_iter().map(setting).collect()
    }

    /// What is known of the key at a place.
    #[must_use]
    pub fn hover(&self, line: u32, column: u32) -> Option<KeyHover> {
        let hover = hints::hover(self.text().as_str(), self.text().offset_utf16(line, column))?;
        Some(KeyHover {
            at: self.region(hover.span),
            key: hover.key.to_owned(),
            kind: hover.kind.to_owned(),
            values: hover.values.iter().map(ToString::to_string).collect(),
            default: hover.default.map(ToOwned::to_owned),
            doc: self.documentation(hover.doc, &hover.about),
        })
    }

    /// What may be written at a place of a text that need not be the one that was checked.
    #[must_use]
    pub fn choices(&self, text: &str, line: u32, column: u32) -> Option<Choices> {
        let written = Text::new(text);
        let offers = hints::offers(text, written.offset_utf16(line, column))?;
        let choice = |offer: hints::Offer| Choice {
            label: offer.label.to_owned(),
            kind: offer.kind.map(ToOwned::to_owned),
            doc: self.documentation(offer.doc, &offer.about),
        };
        Some(Choices { at: region(&written, offers.span), items: offers.items.into_iter().map(choice).collect() })
    }

    /// What a code means.
    #[must_use]
    pub fn explain(&self, id: &str) -> Option<Explanation> {
        let code = diagnostic::find(id)?;
        let (summary, text) = match code.explanation() {
            "" => self.words.of(id).unwrap_or_default(),
            text => (code.summary(), text),
        };
        Some(Explanation { summary: summary.to_owned(), text: text.to_owned() })
    }

    fn documentation(&self, own: String, about: &str) -> String {
        if own.is_empty() { self.words.of(about).unwrap_or_default().0.to_owned() } else { own }
    }

    /// What changes from the first configuration of `old` to a document of the text.
    #[must_use]
    pub fn compare(&self, old: &str, document: usize) -> Comparison {
        let problem = |text: &str| Comparison { problem: Some(text.to_owned()), changes: Vec::new() };
        let Some(new) = self.judgement.documents.get(document) else {
            return problem("there is no configuration to compare");
        };
        if let Some(finding) = unread(&new.findings) {
            return problem(&format!("this text cannot be compared: {}", finding.message));
        }
        let mut before = judge(old.as_bytes()).documents;
        let same = before.iter().position(|one| one.name.is_some() && one.name == new.name);
        if before.is_empty() {
            return problem("the text to compare with holds no configuration");
        }
        let before = before.swap_remove(same.unwrap_or(0));
        if let Some(finding) = unread(&before.findings) {
            return problem(&format!("the text to compare with cannot be read: {}", finding.message));
        }
        // Read once more, since comparing uses both up.
        let mut after = judge(self.judgement.text.as_str().as_bytes()).documents;
        let after = after.swap_remove(document);
        let change = |one: compare::Change| ChangeView {
            topic: one.topic.word().to_owned(),
            kind: one.kind.word().to_owned(),
            at: match one.kind {
                compare::Kind::Removed => None,
                _ => compare::place(&new.config, &one).map(|span| self.region(span)),
            },
            text: one.text,
        };
        Comparison { problem: None, changes: compare::compare(before, after).into_iter().map(change).collect() }
    }

    /// What the tools of `backend` would be called if it answered `tools/list` with `pasted`; without a backend, if each did.
    #[must_use]
    pub fn names(&self, document: usize, backend: Option<&str>, pasted: &str) -> Naming {
        let Some(document) = self.judgement.documents.get(document) else {
            let problem = Some("there is no configuration".to_owned());
            return Naming { problem, strategy: String::new(), tools: Vec::new() };
        };
        let config = &document.config;
        let written = config.aggregation.as_ref().map(|aggregation| string(&aggregation.conflict_resolution));
        let strategy = written.unwrap_or_default();
        let tools = match listed(pasted) {
            Ok(tools) => tools,
            Err(why) => return Naming { problem: Some(why.to_string()), strategy, tools: Vec::new() },
        };
        let all = order::set(config.backends.iter().map(|one| string(&one.name)));
        let asked = all.into_iter().filter(|name| !name.is_empty() && backend.is_none_or(|one| one == name));
        let lists: Vec<Listed> = asked.map(|backend| Listed { backend, tools: tools.clone() }).collect();
        let fate = |fate| match fate {
            Fate::Named(name) => ToolFate { name: Some(name), reason: None },
            Fate::Hidden(reason) => ToolFate { name: None, reason: Some(reason) },
        };
        let tools = forecast(config, &lists).into_iter().map(|one| ToolNames {
            backend: one.backend,
            tool: one.tool,
            prefix: fate(one.prefix),
            priority: fate(one.priority),
            manual: fate(one.manual),
        });
        Naming { problem: None, strategy, tools: tools.collect() }
    }

    /// The text that was judged last.
    fn text(&self) -> &Text {
        &self.judgement.text
    }

    fn region(&self, span: Span) -> Region {
        region(self.text(), span)
    }

    fn found(&self, diagnostic: &Diagnostic) -> Found {
        let place = diagnostic.place.as_ref();
        let file = place.and_then(|place| match &place.file {
            File::Input => None,
            File::Named(path) => Some(path.to_string()),
        });
        let at = place.map(|place| match &place.file {
            File::Input => self.region(place.span),
            File::Named(path) => {
                let bytes = self.files.get(&**path).map(Vec::as_slice).unwrap_or_default();
                region(&Text::new(String::from_utf8_lossy(bytes)), place.span)
            }
        });
        let help = diagnostic.help.as_ref();
        let edits = help.map(|help| help.edits.as_slice()).unwrap_or_default();
        let pointed = |related: &diagnostic::Related| Pointed {
            message: related.message.clone(),
            at: (related.place.file == File::Input).then(|| self.region(related.place.span)),
        };
        Found {
            code: diagnostic.code.id().to_owned(),
            severity: match diagnostic.severity() {
                Severity::Error => Level::Error,
                Severity::Warning => Level::Warning,
                Severity::Note => Level::Note,
            },
            message: diagnostic.message.clone(),
            help: help.map(|help| help.text.clone()),
            path: diagnostic.path.clone(),
            file,
            at,
            related: diagnostic.related.iter().map(pointed).collect(),
            edits: edits.iter().map(|edit| self.edit(edit)).collect(),
            safe: help.is_some_and(|help| help.safe && !help.edits.is_empty()),
        }
    }

    fn edit(&self, edit: &diagnostic::Edit) -> TextEdit {
        TextEdit { at: self.region(edit.span), insert: edit.replacement.clone() }
    }

    /// What is in a document of the text: its backends, and what it needs.
    #[must_use]
    pub fn document(&self, document: usize) -> Option<DocumentView> {
        let document = self.judgement.documents.get(document)?;
        let config = &document.config;
        let errors = self.errors(document);
        let incoming = config.incoming_auth.as_ref();
        let oidc = incoming.and_then(|incoming| incoming.oidc.as_ref());
        let files = document.needs.files.iter();
        let variables = document.needs.variables.iter();
        Some(DocumentView {
            name: string(&config.name),
            incoming: incoming.map(|incoming| string(&incoming.kind)).unwrap_or_default(),
            issuer: oidc.map(|oidc| string(&oidc.issuer)).filter(|issuer| !issuer.is_empty()),
            incoming_at: incoming.map(|incoming| self.region(incoming.origin.key)),
            backends: (0..)
                .zip(&config.backends)
                .map(|(index, one)| self.backend(config, index, one, &errors))
                .collect(),
            files: files.map(|need| self.need(&need.path, need.backend.clone(), true, need.span)).collect(),
            variables: variables
                .map(|need| self.need(&need.name, None, need.presence == Presence::Required, need.span))
                .collect(),
        })
    }

    fn headline(&self, document: &Document) -> Headline {
        let config = &document.config;
        let errors = self.errors(document);
        let fates: Vec<Outlook> = (0..)
            .zip(&config.backends)
            .map(|(index, written)| {
                let reasons = self.reasons(&Applied::of(config, index, written), index, written, &errors);
                Outlook { name: string(&written.name), reason: joined(&reasons) }
            })
            .collect();
        let obstacle = obstacle(config, &errors, &fates);
        Headline {
            config_map: document.name.as_ref().map(ToString::to_string),
            name: string(&config.name),
            verdict: verdict(obstacle.as_deref(), &fates, &document.needs),
            starts: obstacle.is_none(),
            backends: u32::try_from(fates.len()).unwrap_or(u32::MAX),
            rejected: u32::try_from(fates.iter().filter(|one| one.reason.is_some()).count()).unwrap_or(u32::MAX),
        }
    }

    /// What keeps a document, or backends of it, from being served.
    fn errors<'d>(&'d self, document: &'d Document) -> Errors<'d> {
        // Of several documents nobody tells which one a finding about a pod is about.
        let about_input = self.judgement.diagnostics.iter();
        let single = self.judgement.documents.len() == 1;
        let about_input = about_input.filter(|finding| single || finding.scope == Scope::Config);
        // What is wrong with custom resources was left out of what they became.
        let about_input = about_input.filter(|_| !self.judgement.resources);
        Errors::of(document.findings.iter().chain(about_input))
    }

    fn need(&self, name: &str, backend: Option<String>, required: bool, span: Span) -> Need {
        let given = self.files.contains_key(name) || self.variables.contains(name);
        Need { name: name.to_owned(), backend, required, given, at: self.region(span) }
    }

    /// Why a backend is rejected; nothing if it is served.
    fn reasons(
        &self,
        auth: &Applied<'_>,
        index: usize,
        written: &StaticBackendConfig,
        errors: &Errors<'_>,
    ) -> Vec<String> {
        let mut reasons: Vec<String> = errors.about(auth, index).map(|finding| finding.message.clone()).collect();
        if reasons.is_empty() {
            // The values are not known, so any will do; a strategy that is not built is refused with each.
            let variables = auth.variables().into_iter();
            let any = order::map(variables.map(|one| (one.name, Some(Secret::new("x".to_owned())))));
            // Nobody is called from here, so any pool will do.
            let mut pool = |_: &Trust<'_>| Some(Arc::new(Pool::new(Arc::new(SystemRoots::default()), None)));
            if let Err(refused) = auth.credentials(&any, &mut pool) {
                reasons.extend(refused.into_iter().map(|finding| finding.message));
            }
        }
        let path = written.ca_bundle_path();
        let bundle = path.and_then(|path| self.bundles.get(path));
        if let (Some(path), Some(Bundle { usable: false, findings, .. })) = (path, bundle) {
            let why = findings.iter().find(|finding| finding.severity() == Severity::Error);
            let why = why.map_or("nothing in it can be used", |finding| finding.message.as_str());
            reasons.push(format!("CA bundle `{path}`: {why}"));
        }
        reasons
    }

    fn backend(
        &self,
        config: &Config,
        index: usize,
        written: &StaticBackendConfig,
        errors: &Errors<'_>,
    ) -> BackendView {
        let auth = Applied::of(config, index, written);
        let reasons = self.reasons(&auth, index, written, errors);
        let path = written.ca_bundle_path();
        let bundle = path.and_then(|path| self.bundles.get(path));
        let url = string(&written.url);
        let https = Endpoint::of_backend(&url).is_ok_and(|endpoint| endpoint.scheme() == Scheme::Https);
        let block = auth.written.and_then(|written| written.header_injection.as_deref());
        BackendView {
            name: string(&written.name),
            url,
            transport: string(&written.transport),
            kind: written.backend_kind().word().to_owned(),
            standing: if reasons.is_empty() { Standing::Served } else { Standing::Rejected },
            reason: joined(&reasons),
            auth: auth.written.map_or("unauthenticated".to_owned(), |BackendAuthStrategy { kind, .. }| string(kind)),
            auth_source: match auth.source {
                AuthSource::Inline => "inline",
                AuthSource::Own => "own",
                AuthSource::Default => "default",
                AuthSource::None => "none",
            }
            .to_owned(),
            header: block.map(|block| string(&block.header_name)).filter(|name| !name.is_empty()),
            variables: auth.variables().into_iter().map(|variable| variable.name).collect(),
            trust: match (https, path, bundle) {
                (false, _, _) => Vouching::Nobody,
                (true, None, _) => Vouching::System,
                (true, Some(_), Some(Bundle { pins: true, .. })) => Vouching::Pinned,
                (true, Some(_), _) => Vouching::Bundle,
            },
            ca_bundle: path.map(ToOwned::to_owned),
            at: self.region(written.name.as_ref().map_or(written.origin.key, |name| name.span)),
        }
    }
}

/// What becomes of a backend, in a few words.
struct Outlook {
    name: String,
    /// Why it is rejected.
    reason: Option<String>,
}

fn region(text: &Text, span: Span) -> Region {
    let text::Region { start, end } = text.region_utf16(span);
    Region { line: start.line, column: start.column, end_line: end.line, end_column: end.column }
}

fn joined(reasons: &[String]) -> Option<String> {
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Errors by what they take down.
struct Errors<'d> {
    fatal: Vec<&'d Diagnostic>,
    others: BTreeMap<&'d Scope, Vec<&'d Diagnostic>>,
}

impl<'d> Errors<'d> {
    fn of(findings: impl Iterator<Item = &'d Diagnostic>) -> Self {
        let mut errors = Self { fatal: Vec::new(), others: BTreeMap::new() };
        for finding in findings.filter(|finding| finding.severity() == Severity::Error) {
            match &finding.scope {
                Scope::Config => errors.fatal.push(finding),
                scope => errors.others.entry(scope).or_default().push(finding),
            }
        }
        errors
    }

    fn about(&self, auth: &Applied<'_>, index: usize) -> impl Iterator<Item = &'d Diagnostic> {
        let own = self.others.get(&Scope::Entry(index));
        let strategy = self.others.get(&auth.scope).filter(|_| auth.falls_with(&auth.scope));
        let strategy = strategy.filter(|_| auth.scope != Scope::Entry(index));
        own.into_iter().chain(strategy).flatten().copied()
    }
}

/// Where expressions stand that choose a role.
fn matchers(config: &Config) -> Vec<Span> {
    let outgoing = config.outgoing_auth.as_ref();
    let shared = outgoing
        .into_iter()
        .flat_map(|outgoing| outgoing.default.iter().chain(outgoing.backends.iter().map(|(_, strategy)| strategy)));
    let own = config.backends.iter().filter_map(|backend| backend.auth.as_deref());
    let mut found = Vec::new();
    for strategy in shared.chain(own) {
        if let Some(AuthStrategy::AwsSts(sts)) = strategy.strategy() {
            let matchers = sts.role_mappings.iter().filter_map(|mapping| mapping.matcher.as_ref());
            found.extend(matchers.filter(|matcher| !matcher.is_empty()).map(|matcher| matcher.span));
        }
    }
    found
}

/// What keeps the server from starting.
fn obstacle(config: &Config, errors: &Errors<'_>, backends: &[Outlook]) -> Option<String> {
    if let Some(first) = errors.fatal.first() {
        return Some(match errors.fatal.len() {
            1 => first.message.clone(),
            2 => format!("{} (and 1 more error)", first.message),
            count => format!("{} (and {} more errors)", first.message, count - 1),
        });
    }
    if let Some(key) = unenforced(config).iter().find(|key| key.must_be_allowed()) {
        return Some(format!("`{0}` is not enforced yet; it starts with `--allow-unenforced={0}`", key.key));
    }
    let served = backends.iter().any(|backend| backend.reason.is_none());
    (!served).then(|| match backends {
        [] => "there is no backend to serve".to_owned(),
        [one] => format!("`{}` is rejected: {}", one.name, one.reason.as_deref().unwrap_or_default()),
        [one, ..] => {
            format!("every backend is rejected, `{}`: {}", one.name, one.reason.as_deref().unwrap_or_default())
        }
    })
}

/// ``starts; 11 of 12 served; `billing` rejected: …; the pod needs 3 variables and 2 files``
fn verdict(obstacle: Option<&str>, backends: &[Outlook], needs: &Needs) -> String {
    let mut parts = Vec::new();
    match obstacle {
        Some(why) => parts.push(format!("does not start: {why}")),
        None => {
            let rejected: Vec<_> = backends.iter().filter(|one| one.reason.is_some()).collect();
            parts.push("starts".to_owned());
            parts.push(format!("{} of {} served", backends.len() - rejected.len(), backends.len()));
            let reason =
                |one: &Outlook| format!("`{}` rejected: {}", one.name, one.reason.as_deref().unwrap_or_default());
            match rejected.as_slice() {
                [] => {}
                [one] => parts.push(reason(one)),
                [one, others @ ..] => parts.push(format!("{} (and {} more)", reason(one), others.len())),
            }
        }
    }
    let count = |count: usize, noun: &str| match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        count => Some(format!("{count} {noun}s")),
    };
    let required = needs.variables.iter().filter(|need| need.presence == Presence::Required).count();
    let needed = [count(required, "variable"), count(needs.files.len(), "file")];
    let needed: Vec<String> = needed.into_iter().flatten().collect();
    if !needed.is_empty() {
        parts.push(format!("the pod needs {}", needed.join(" and ")));
    }
    parts.join("; ")
}

/// The TypeScript of all answers.
#[must_use]
pub fn typescript() -> String {
    let mut all = BTreeMap::new();
    Report::declare(&mut all);
    View::declare(&mut all);
    DocumentView::declare(&mut all);
    Setting::declare(&mut all);
    KeyHover::declare(&mut all);
    Choices::declare(&mut all);
    Comparison::declare(&mut all);
    Naming::declare(&mut all);
    Explanation::declare(&mut all);
    all.into_values().collect::<Vec<_>>().join("\n")
}

fn string(text: &config::Text) -> String {
    text.as_ref().map(|text| text.value.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SOUND: &str = "\
name: team
groupRef: team
incomingAuth: {type: anonymous}
outgoingAuth:
  source: inline
  backends:
    a: {type: header_injection, headerInjection: {headerName: X-Key, headerValueEnv: A_KEY}}
    é: {type: upstream_inject, upstreamInject: {providerName: p}}
aggregation: {conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: '{workload}_'}}
backends:
- {name: a, url: 'https://a.example/mcp', transport: streamable-http, type: entry, caBundlePath: /ca/a.crt}
- {name: é, url: 'https://b.example/mcp', transport: streamable-http}
- {name: c, url: 'http://c:8080/mcp', transport: stdio}
- {name: d, url: 'http://d:8080/mcp', transport: sse}
";

    fn now() -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))
    }

    fn verdict(text: &str) -> String {
        Preview::new().check(text.as_bytes(), now()).documents[0].verdict.clone()
    }

    #[test]
    fn the_verdict_is_one_line() {
        assert_eq!(
            verdict(SOUND),
            "starts; 2 of 4 served; `é` rejected: strategy `upstream_inject` needs the embedded authorization server, which is not built into this version; a backend is never called without it (and 1 more); the pod needs 1 variable and 1 file"
        );
        assert_eq!(
            verdict("name: x\n"),
            "does not start: there are no backends; expected a list of at least one under `backends` (and 4 more errors)"
        );
        assert_eq!(
            verdict(&SOUND.replace("type: anonymous", "type: local, authz: {type: cedar, policies: [x]}")),
            "does not start: `incomingAuth.authz` is not enforced yet; it starts with `--allow-unenforced=incomingAuth.authz`; the pod needs 1 variable and 1 file"
        );
    }

    #[test]
    fn each_backend_says_how_it_is_trusted_and_authenticated() {
        let mut preview = Preview::new();
        let seen = |preview: &mut Preview, text: &str| {
            let view = preview.check(text.as_bytes(), now());
            (view, preview.document(0).unwrap())
        };
        let (view, document) = seen(&mut preview, SOUND);
        assert_eq!((view.documents[0].backends, view.documents[0].rejected), (4, 2));
        let told = |document: &DocumentView| {
            let backends = document.backends.iter();
            backends.map(|one| (one.name.clone(), one.standing, one.trust, one.auth.clone())).collect::<Vec<_>>()
        };
        let row = |name: &str, standing, trust, auth: &str| (name.to_owned(), standing, trust, auth.to_owned());
        assert_eq!(
            told(&document),
            [
                row("a", Standing::Served, Vouching::Bundle, "header_injection"),
                row("é", Standing::Rejected, Vouching::System, "upstream_inject"),
                row("c", Standing::Rejected, Vouching::Nobody, "unauthenticated"),
                row("d", Standing::Served, Vouching::Nobody, "unauthenticated"),
            ]
        );
        let at = document.backends[1].at.clone();
        assert_eq!(at, Region { line: 12, column: 10, end_line: 12, end_column: 11 });
        preview.give_file("/ca/a.crt", b"nothing");
        let (view, document) = seen(&mut preview, SOUND);
        let first = &document.backends[0];
        assert_eq!(first.standing, Standing::Rejected);
        assert!(first.reason.as_ref().unwrap().starts_with("CA bundle `/ca/a.crt`: "), "{:?}", first.reason);
        assert!(view.findings.iter().any(|finding| finding.file.as_deref() == Some("/ca/a.crt")));
        assert!(document.files[0].given);
        assert_eq!(view.documents[0].rejected, 3);
        preview.take_file("/ca/a.crt");
        assert_eq!(seen(&mut preview, SOUND).1.backends[0].standing, Standing::Served);
        assert_eq!(preview.document(1), None);
    }

    #[test]
    fn questions_are_answered_about_the_text_that_was_checked() {
        let mut preview = Preview::new();
        preview.check(SOUND.as_bytes(), now());
        assert_eq!(preview.hover(2, 3).unwrap().key, "groupRef");
        let choices = preview.choices("incomingAuth:\n  ", 2, 3).unwrap();
        assert_eq!(choices.items[0].label, "type");
        assert_eq!(preview.compare(SOUND, 0).changes, []);
        let old = SOUND.replace("d:8080", "e:8080");
        assert_eq!(preview.compare(&old, 0).changes[0].topic, "trust");
        assert_eq!(
            preview.compare("kind: Secret\n", 0).problem.as_deref(),
            Some("the text to compare with holds no configuration")
        );
        let broken = preview.compare("name: {", 0);
        assert!(broken.problem.unwrap().starts_with("the text to compare with cannot be read: "));
        assert_eq!(broken.changes, []);
        let names = preview.names(0, Some("a"), r#"{"tools":[{"name":"x"}]}"#);
        assert_eq!(names.tools[0].prefix.name.as_deref(), Some("a_x"));
        assert_eq!(preview.names(0, None, "[]").tools, []);
        let settings = preview.settings(0);
        let of = |key: &str| settings.iter().find(|setting| setting.key == key).unwrap();
        assert!(of("name").written && !of("operational.timeouts.default").written);
        preview.check(b"name: x\nincomingAuth: {}\n", now());
        let settings = preview.settings(0);
        let written = settings.iter().filter(|setting| setting.written).map(|setting| setting.key.as_str());
        assert_eq!(written.collect::<Vec<_>>(), ["name"], "{settings:?}");
        preview.check(SOUND.as_bytes(), now());
        assert_eq!(preview.explain("yaml/syntax").unwrap().summary, "the text is not YAML");
    }

    #[test]
    fn custom_resources_are_shown_as_what_they_become_at_their_own_places() {
        let text = "\
apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPServerEntry
metadata: {name: docs}
spec:
  remoteUrl: https://docs.example/mcp
  transport: sse
  groupRef: {name: g}
  externalAuthConfigRef: {name: gone}
---
apiVersion: toolhive.stacklok.dev/v1beta1
kind: MCPServerEntry
metadata: {name: wiki}
spec: {remoteUrl: 'https://wiki.example/mcp', transport: sse, groupRef: {name: g}}
---
apiVersion: toolhive.stacklok.dev/v1beta1
kind: VirtualMCPServer
metadata: {name: tools}
spec: {groupRef: {name: g}, incomingAuth: {type: anonymous}, outgoingAuth: {source: inline}}
";
        let mut preview = Preview::new();
        let view = preview.check(text.as_bytes(), now());
        let errors: Vec<_> = view.findings.iter().filter(|finding| finding.severity == Level::Error).collect();
        assert_eq!((errors.len(), errors[0].code.as_str()), (1, "render/dangling-reference"));
        let at = errors[0].at.as_ref().unwrap();
        assert_eq!((at.line, at.column, at.end_column), (8, 33, 37));
        let headline = &view.documents[0];
        assert_eq!(headline.config_map.as_deref(), Some("tools-vmcp-config"));
        assert_eq!(headline.verdict, "starts; 1 of 1 served");
        let document = preview.document(0).unwrap();
        assert_eq!((document.backends[0].name.as_str(), document.backends[0].at.line), ("wiki", 12));
        let made = view.made.unwrap();
        assert!(made.starts_with("apiVersion: v1\ndata:\n    config.yaml: |\n        name: tools\n"), "{made}");
        assert_eq!(preview.check(SOUND.as_bytes(), now()).made, None);
    }

    #[test]
    fn a_glance_sees_all_that_takes_neither_files_nor_rendering() {
        let mut preview = Preview::new();
        let seen = (Some(preview.check(SOUND.as_bytes(), now())), preview.document(0));
        assert_eq!((preview.glance(SOUND.as_bytes()), preview.document(0)), seen);
        assert_eq!(preview.glance(b"apiVersion: toolhive.stacklok.dev/v1beta1\nkind: VirtualMCPServer\n"), None);
        preview.give_file("/ca/a.crt", b"nothing");
        assert_eq!(preview.glance(SOUND.as_bytes()), None);
        preview.take_file("/ca/a.crt");
        assert!(preview.glance(SOUND.as_bytes()).is_some());
    }

    #[test]
    fn fixes_come_with_their_edits() {
        let view = Preview::new().check(SOUND.replace("groupRef", "gruopRef").as_bytes(), now());
        let finding = view.findings.iter().find(|finding| !finding.edits.is_empty()).unwrap();
        assert_eq!((finding.safe, finding.edits[0].insert.as_str()), (false, "groupRef"));
        assert_eq!(finding.edits[0].at, Region { line: 2, column: 1, end_line: 2, end_column: 9 });
    }

    #[test]
    fn matchers_that_only_the_program_can_judge_are_pointed_at() {
        let strategy = "a: {type: aws_sts, awsSts: {region: eu-central-1, roleMappings: [{matcher: 'x y', roleArn: r}, {claim: c, roleArn: r}]}}";
        let view =
            Preview::new().check(SOUND.replace("a: {type", &format!("{strategy}\n    b: {{type")).as_bytes(), now());
        assert_eq!(view.matchers, [Region { line: 7, column: 80, end_line: 7, end_column: 85 }]);
        assert_eq!(Preview::new().check(SOUND.as_bytes(), now()).matchers, []);
    }

    #[test]
    fn types_are_written_from_the_same_declarations() {
        let types = typescript();
        assert!(types.contains("export interface Region {\n  /** Line of the first character. */\n  line: number;\n"));
        assert!(types.contains("  endColumn: number;\n") && types.contains("  at: Region | null;\n"));
        assert!(types.contains("export type Level = \"error\" | \"warning\" | \"note\";\n"));
        let mut preview = Preview::new();
        preview.check(SOUND.as_bytes(), now());
        let json = serde_json::to_value(preview.document(0)).unwrap();
        for key in json["backends"][0].as_object().unwrap().keys() {
            assert!(types.contains(&format!("  {key}: ")), "{key}");
        }
    }
}
