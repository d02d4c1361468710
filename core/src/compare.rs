//! What changes between two configurations, in words: trust and credentials first, then callers, backends and the rest.
//!
//! It compares what configurations mean, so spelling, order, defaults written out and comments make no difference. It shows no
//! literal secret, and looks at no file: a CA bundle that has the same path counts as the same.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::auth::Applied;
use crate::config::{AuthStrategy, BackendAuthStrategy, Config, Hidden, StaticBackendConfig, Text, Tree};
use crate::diagnostic::{Diagnostic, Scope, Severity};
use crate::endpoint::{Endpoint, Scheme};
use crate::judge::Document;
use crate::order;
use crate::secret::Secret;
use crate::text::Span;
use serde::Serialize;

/// What a change is about, in the order in which changes are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// To whom a backend's calls go, and who vouches for it.
    Trust,
    /// What is sent to a backend so that it accepts a call.
    Auth,
    /// Who may call this server.
    Callers,
    /// Which backends there are, and whether they are served.
    Backends,
    /// Everything else.
    Settings,
}

impl Topic {
    /// As a heading.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Trust => "trust",
            Self::Auth => "auth",
            Self::Callers => "callers",
            Self::Backends => "backends",
            Self::Settings => "settings",
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
}

impl Kind {
    /// As it is printed.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// What it is about.
    pub topic: Topic,
    /// The backend it is about; `None` for one that is about none or all.
    pub backend: Option<String>,
    /// What happened.
    pub kind: Kind,
    /// One line: what is, then what was.
    pub text: String,
    /// JSON pointer of what it is about in the newer configuration, or in the older for what is gone.
    pub path: String,
}

/// Every difference, in the order in which they are told. Empty if both mean the same.
#[must_use]
pub fn compare(old: Document, new: Document) -> Vec<Change> {
    let mut changes = Vec::new();
    compare_backends(&old, &new, &mut changes);
    compare_settings(old.config, new.config, &mut changes);
    order::sort(&mut changes, Ord::cmp);
    changes
}

fn compare_backends(old: &Document, new: &Document, changes: &mut Vec<Change>) {
    let (before, after) = (backends(old), backends(new));
    for (name, backend) in &after {
        match before.get(name) {
            Some(earlier) => backend.changes_since(earlier, changes),
            None => changes.push(Change {
                topic: Topic::Backends,
                backend: Some((*name).to_owned()),
                kind: Kind::Added,
                text: format!("`{name}` is added: {}", backend.described()),
                path: backend.path(),
            }),
        }
    }
    for (name, backend) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
        changes.push(Change {
            topic: Topic::Backends,
            backend: Some((*name).to_owned()),
            kind: Kind::Removed,
            text: format!("`{name}` is removed: it was at {}", backend.url()),
            path: backend.path(),
        });
    }
}

/// The backends by name; of several that share one, which are all rejected, the first.
fn backends(document: &Document) -> BTreeMap<&str, Backend<'_>> {
    let mut found = BTreeMap::new();
    for (index, written) in document.config.backends.iter().enumerate() {
        let auth = Applied::of(&document.config, index, written);
        let refused = document
            .findings
            .iter()
            .filter(|finding| finding.severity() == Severity::Error)
            .find(|finding| finding.scope == Scope::Entry(index) || auth.falls_with(&finding.scope));
        let name = text(&written.name);
        found.entry(name).or_insert(Backend { index, written, auth, refused });
    }
    found
}

struct Backend<'c> {
    index: usize,
    written: &'c StaticBackendConfig,
    auth: Applied<'c>,
    refused: Option<&'c Diagnostic>,
}

impl Backend<'_> {
    fn changes_since(&self, old: &Self, changes: &mut Vec<Change>) {
        let name = text(&self.written.name);
        let mut tell = |topic, key: &str, text: String| {
            let path = format!("{}{key}", self.path());
            changes.push(Change { topic, backend: Some(name.to_owned()), kind: Kind::Changed, text, path });
        };
        if self.url() != old.url() {
            let topic = if self.origin() == old.origin() { Topic::Backends } else { Topic::Trust };
            tell(topic, "/url", format!("`{name}` is called at {}; before at {}", self.url(), old.url()));
        }
        if self.tls() != old.tls() {
            let (now, before) = (self.tls().words(), old.tls().words());
            tell(Topic::Trust, "/url", format!("`{name}` is called {now}; before {before}"));
        } else if self.vouched() != old.vouched() {
            let (now, before) = (self.vouched(), old.vouched());
            tell(Topic::Trust, "/caBundlePath", format!("`{name}` is verified against {now}; before against {before}"));
        }
        let (now, before) = (self.credentials(), old.credentials());
        if now != before {
            tell(Topic::Auth, "/name", format!("`{name}` {now}; before it {before}"));
        } else {
            if self.secrets() != old.secrets() {
                tell(Topic::Auth, "/name", format!("`{name}` {now}, with another literal value than before"));
            }
            for (key, now, before) in differences(&old.strategy(), &self.strategy()) {
                tell(Topic::Auth, "/name", format!("`{name}`: {}", sentence(&key, now.as_deref(), before.as_deref())));
            }
        }
        match (self.refused, old.refused) {
            (Some(why), None) => {
                tell(Topic::Backends, "", format!("`{name}` is rejected now, and was served: {}", why.message));
            }
            (None, Some(why)) => {
                tell(Topic::Backends, "", format!("`{name}` is served now, and was rejected: {}", why.message));
            }
            _ => {}
        }
        let transport = |one: &Self| match text(&one.written.transport) {
            "streamable" => "streamable-http".to_owned(),
            other => other.to_owned(),
        };
        if transport(self) != transport(old) {
            let (now, before) = (transport(self), transport(old));
            tell(Topic::Backends, "/transport", format!("`{name}` is spoken to by {now}; before by {before}"));
        }
        let (kind, earlier) = (self.written.backend_kind().word(), old.written.backend_kind().word());
        if kind != earlier {
            tell(Topic::Backends, "/type", format!("`{name}` is read as {kind}; before as {earlier}"));
        }
        for (key, now, before) in differences(&labels(old.written), &labels(self.written)) {
            let line = sentence(&format!("label{}", key.replacen('/', " ", 1)), now.as_deref(), before.as_deref());
            tell(Topic::Backends, "/metadata", format!("`{name}`: {line}"));
        }
    }

    fn path(&self) -> String {
        format!("/backends/{}", self.index)
    }

    fn url(&self) -> &str {
        text(&self.written.url)
    }

    fn endpoint(&self) -> Option<Endpoint> {
        Endpoint::of_backend(self.url()).ok()
    }

    /// Scheme and authority: whom it is.
    fn origin(&self) -> Option<String> {
        let (scheme, rest) = self.url().split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        Some(format!("{}://{}", scheme.to_ascii_lowercase(), authority.to_ascii_lowercase()))
    }

    fn tls(&self) -> Tls {
        match self.endpoint().map(|endpoint| endpoint.scheme()) {
            Some(Scheme::Https) => Tls::Verified,
            Some(Scheme::Http) => Tls::Absent,
            None => Tls::Unknown,
        }
    }

    fn vouched(&self) -> String {
        match self.written.ca_bundle_path() {
            Some(path) => format!("{path} and the system roots"),
            None => "the system roots alone".to_owned(),
        }
    }

    /// "sends header `X` from variable `Y`": what follows the backend's name.
    fn credentials(&self) -> String {
        let strategy = self.auth.written.and_then(BackendAuthStrategy::strategy);
        match (self.auth.written, strategy) {
            (None, _) | (_, Some(AuthStrategy::Unauthenticated)) => "is sent no credentials".to_owned(),
            (Some(written), None) => format!("has auth `{}`, which cannot be read", text(&written.kind)),
            (_, Some(AuthStrategy::HeaderInjection(block))) => {
                let header = text(&block.header_name);
                match text(&block.header_value_env) {
                    "" => format!("is sent header `{header}` with a literal value"),
                    variable => format!("is sent header `{header}` from variable `{variable}`"),
                }
            }
            (Some(written), Some(_)) => format!("has auth `{}`", text(&written.kind)),
        }
    }

    /// Its keys; none where nothing is sent, however that is spelled.
    fn strategy(&self) -> Tree {
        let sent = |written: &&BackendAuthStrategy| written.strategy() != Some(AuthStrategy::Unauthenticated);
        self.auth.written.filter(sent).map(BackendAuthStrategy::tree).unwrap_or_default()
    }

    fn secrets(&self) -> Vec<&Secret> {
        let hidden: Vec<&Hidden> = match self.auth.written.and_then(BackendAuthStrategy::strategy) {
            Some(AuthStrategy::HeaderInjection(block)) => Vec::from([&block.header_value]),
            Some(AuthStrategy::TokenExchange(block)) => Vec::from([&block.client_secret]),
            Some(AuthStrategy::Obo(block)) => Vec::from([&block.client_secret]),
            Some(AuthStrategy::Xaa(block)) => Vec::from([&block.idp_client_secret, &block.target_client_secret]),
            _ => Vec::new(),
        };
        hidden.into_iter().flatten().map(|secret| &secret.value).filter(|secret| !secret.is_empty()).collect()
    }

    fn described(&self) -> String {
        let trust = match self.tls() {
            Tls::Verified => format!("verified against {}", self.vouched()),
            other => other.words().to_owned(),
        };
        format!("at {}, {trust}; it {}", self.url(), self.credentials())
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Tls {
    Verified,
    Absent,
    Unknown,
}

impl Tls {
    fn words(self) -> &'static str {
        match self {
            Self::Verified => "over https, and verified",
            Self::Absent => "over http, without TLS",
            Self::Unknown => "at no URL that can be read",
        }
    }
}

/// The labels of a backend. The group is no matter: every backend is in `groupRef`.
fn labels(backend: &StaticBackendConfig) -> Tree {
    let labels = backend.metadata.iter_sorted().filter(|(key, _)| key.value != "group");
    Tree::Map(labels.map(|(key, value)| (key.value.clone().into(), Tree::Text(value.value.clone()))).collect())
}

/// Everything but the backends and their strategies, key by key.
fn compare_settings(old: Config, new: Config, changes: &mut Vec<Change>) {
    // Each backend's own strategy was compared already; `source` means the same either way.
    let rest = |config: Config| config.into_effective().tree().without(&["backends", "outgoingAuth"]);
    for (path, now, before) in differences(&rest(old), &rest(new)) {
        let topic = if path.starts_with("/incomingAuth") { Topic::Callers } else { Topic::Settings };
        let kind = match (&now, &before) {
            (Some(_), None) => Kind::Added,
            (None, _) => Kind::Removed,
            _ => Kind::Changed,
        };
        let text = sentence(&path, now.as_deref(), before.as_deref());
        changes.push(Change { topic, backend: None, kind, text, path });
    }
}

/// ``"`a.b` is 1; before 2"``
fn sentence(path: &str, now: Option<&str>, before: Option<&str>) -> String {
    let key = path.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~");
    match (now, before) {
        (Some(now), Some(before)) => format!("`{key}` is {now}; before {before}"),
        (Some(now), None) => format!("`{key}` is {now}; it was not written before"),
        (None, Some(before)) => format!("`{key}` is gone; it was {before}"),
        (None, None) => String::new(),
    }
}

/// The leaves that differ: pointer, new and old value as JSON.
fn differences(old: &Tree, new: &Tree) -> Vec<(String, Option<String>, Option<String>)> {
    let leaves = |tree| order::map(Tree::leaves(tree).into_iter().filter(|(_, value)| **value != Tree::Null));
    let (before, after): (BTreeMap<String, &Tree>, BTreeMap<String, &Tree>) = (leaves(old), leaves(new));
    let paths = order::set(before.keys().chain(after.keys()));
    let shown = |values: &BTreeMap<String, &Tree>, path| values.get(path).map(ToString::to_string);
    // What was empty and is filled, or the reverse, is told by what it is filled with.
    let filled = |here: &BTreeMap<String, &Tree>, there: &BTreeMap<String, &Tree>, path: &str| {
        let inside = format!("{path}/");
        matches!(here.get(path), Some(Tree::Map(_) | Tree::List(_)))
            && there.range(inside.clone()..).next().is_some_and(|(path, _)| path.starts_with(&inside))
    };
    paths
        .into_iter()
        .filter(|path| before.get(*path) != after.get(*path))
        .filter(|path| !filled(&before, &after, path) && !filled(&after, &before, path))
        .map(|path| (path.clone(), shown(&after, path), shown(&before, path)))
        .collect()
}

fn text(text: &Text) -> &str {
    text.as_ref().map(|text| text.value.as_str()).unwrap_or_default()
}

/// Where the JSON pointer of a change about a backend stands in the text.
#[must_use]
pub fn place(config: &Config, change: &Change) -> Option<Span> {
    let index = change.path.strip_prefix("/backends/")?.split('/').next()?.parse::<usize>().ok()?;
    let backend = config.backends.get(index)?;
    let span = match change.path.rsplit('/').next() {
        Some("url") => backend.url.as_ref().map(|url| url.span),
        Some("caBundlePath") => backend.ca_bundle_path.as_ref().map(|path| path.span),
        Some("transport") => backend.transport.as_ref().map(|transport| transport.span),
        _ => None,
    };
    span.or_else(|| backend.name.as_ref().map(|name| name.span))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::judge;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const OLD: &str = "\
name: team
groupRef: team
incomingAuth: {type: anonymous}
outgoingAuth:
  source: inline
  backends:
    a: {type: header_injection, headerInjection: {headerName: X-Key, headerValueEnv: A_KEY}}
    b: {type: header_injection, headerInjection: {headerName: X-Key, headerValue: first-secret}}
aggregation: {conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: '{workload}_'}}
backends:
- {name: a, url: 'https://a.example/mcp', transport: streamable-http, type: entry, caBundlePath: /ca/a.crt, metadata: {tier: one}}
- {name: b, url: 'https://b.example/mcp', transport: streamable-http}
- {name: c, url: 'http://c:8080/mcp', transport: sse}
";

    fn told(old: &str, new: &str) -> Vec<String> {
        let (old, new) = (judge(old.as_bytes()), judge(new.as_bytes()));
        let changes = compare(old.documents[0].clone(), new.documents[0].clone());
        changes.iter().map(|one| format!("{} {}: {}", one.topic.word(), one.kind.word(), one.text)).collect()
    }

    #[test]
    fn spelling_order_and_defaults_make_no_difference() {
        let turned = OLD.replace("transport: streamable-http", "transport: streamable")
            + "operational: {timeouts: {default: 30s}}\n# a comment\n";
        assert_eq!(told(OLD, &turned), [""; 0]);
        assert_eq!(told(OLD, &OLD.replace("default: 30s", "default: 0.5m")), [""; 0]);
    }

    #[test]
    fn trust_comes_first_then_credentials_callers_backends_and_settings() {
        let new = OLD
            .replace(", caBundlePath: /ca/a.crt", "")
            .replace("https://b.example/mcp", "https://elsewhere.example/mcp")
            .replace("headerValueEnv: A_KEY", "headerValueEnv: OTHER_KEY")
            .replace("first-secret", "second-secret")
            .replace("type: anonymous", "type: local")
            .replace("tier: one", "tier: two")
            .replace(
                "- {name: c, url: 'http://c:8080/mcp', transport: sse}\n",
                "- {name: d, url: 'https://d.example/mcp', transport: sse}\n",
            )
            + "operational: {timeouts: {default: 10s}}\n";
        assert_eq!(
            told(OLD, &new),
            [
                "trust changed: `a` is verified against the system roots alone; before against /ca/a.crt and the system roots",
                "trust changed: `b` is called at https://elsewhere.example/mcp; before at https://b.example/mcp",
                "auth changed: `a` is sent header `X-Key` from variable `OTHER_KEY`; before it is sent header `X-Key` from variable `A_KEY`",
                "auth changed: `b` is sent header `X-Key` with a literal value, with another literal value than before",
                "callers changed: `incomingAuth.type` is \"local\"; before \"anonymous\"",
                "backends changed: `a`: `label tier` is \"two\"; before \"one\"",
                "backends removed: `c` is removed: it was at http://c:8080/mcp",
                "backends added: `d` is added: at https://d.example/mcp, verified against the system roots alone; it is sent no credentials",
                "settings changed: `operational.timeouts.default` is \"10s\"; before \"30s\"",
            ]
        );
        assert!(told(OLD, &new).iter().all(|line| !line.contains("-secret")));
    }

    #[test]
    fn tls_that_goes_and_a_backend_that_is_rejected_are_told() {
        let new =
            OLD.replace("https://b.example/mcp", "http://b.example/mcp").replace("transport: sse", "transport: stdio");
        assert_eq!(
            told(OLD, &new),
            [
                "trust changed: `b` is called at http://b.example/mcp; before at https://b.example/mcp",
                "trust changed: `b` is called over http, without TLS; before over https, and verified",
                "backends changed: `c` is rejected now, and was served: `transport` is `stdio`, which cannot be served; expected `streamable-http` or `sse`",
                "backends changed: `c` is spoken to by stdio; before by sse",
            ]
        );
    }

    #[test]
    fn what_is_filled_is_not_said_to_be_gone() {
        let filled = OLD.replace("url: 'https://b.example/mcp'", "url: 'https://b.example/mcp', metadata: {tier: two}");
        assert_eq!(told(OLD, &filled), ["backends changed: `b`: `label tier` is \"two\"; it was not written before"]);
        assert_eq!(told(&filled, OLD), ["backends changed: `b`: `label tier` is gone; it was \"two\""]);
        let (empty, some) = (format!("{OLD}audit: {{}}\n"), format!("{OLD}audit: {{component: x}}\n"));
        assert_eq!(told(&empty, &some), ["settings added: `audit.component` is \"x\"; it was not written before"]);
    }

    #[test]
    fn a_change_about_a_backend_has_a_place() {
        let new = OLD.replace("/ca/a.crt", "/ca/b.crt");
        let (old, judged) = (judge(OLD.as_bytes()), judge(new.as_bytes()));
        let changes = compare(old.documents[0].clone(), judged.documents[0].clone());
        let span = place(&judged.documents[0].config, &changes[0]).unwrap();
        assert_eq!(&judged.text.as_str()[span.range()], "/ca/b.crt");
    }
}
