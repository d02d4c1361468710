//! Makes the catalog: every backend either proven or rejected with its reasons.
//!
//! Nothing here falls back: a backend whose strategy, CA bundle or header manifest has an error is not called at all.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::header_forward::{Manifest, Unresolved, manifest_variable, resolve};
use super::incoming::incoming;
use super::{Backend, Catalog, Materials, Rejected, Transport};
use crate::auth::{Applied, Credentials, Trust};
use crate::config::{Config, StaticBackendConfig};
use crate::diagnostic::{self, Diagnostic, Scope, Severity, code, pointer};
use crate::endpoint::{Endpoint, Scheme};
use crate::headers::environment_segment;
use crate::secret::Secret;
use crate::text::Span;
use crate::trust::{CaBundle, Pool};

/// Decides what may be called.
///
/// `findings` are the configuration's own, from reading it: an error among them rejects the backends it is about (its
/// [`Scope`]). One that is about no backend is in [`Catalog::fatal`]: nobody can tell whom it was meant for.
#[must_use]
pub fn discover(config: &Config, findings: &[Diagnostic], materials: &Materials) -> Catalog {
    let errors = Errors::of(findings);
    let mut pools = Pools::new(materials);
    let owners = Owners::of(config);
    let (incoming, mut found) = incoming(config, materials);
    let refused: Vec<_> = found.iter().filter(|finding| finding.severity() == Severity::Error).cloned().collect();
    let mut backends = Vec::new();
    let mut rejected = Vec::new();
    let mut used = BTreeSet::new();
    for (index, written) in config.backends.iter().enumerate() {
        let auth = Applied::of(config, index, written);
        let mut candidate = Candidate { config, index, written, materials, findings: Vec::new() };
        // A name is proof of nothing if two bear it, whatever the findings say.
        let unique = owners.bearers(name_of(written)) == 1;
        let backend = candidate.prove(&auth, &errors, &owners, &mut pools).filter(|_| unique);
        let own = candidate.findings;
        match backend {
            Some(backend) => backends.push(backend),
            None => {
                let earlier = errors.about(&auth, index);
                let later = own.iter().filter(|finding| finding.severity() == Severity::Error);
                let mut reasons: Vec<_> = earlier.into_iter().chain(later).cloned().collect();
                diagnostic::sort(&mut reasons);
                rejected.push(Rejected { name: name_of(written).to_owned(), index, reasons });
            }
        }
        found.extend(own);
        used.insert(auth.scope);
    }
    backends.sort_by(|a, b| a.name.cmp(&b.name));
    diagnostic::sort(&mut found);
    let mut fatal: Vec<_> = findings
        .iter()
        .filter(|finding| finding.severity() == Severity::Error)
        .filter(|finding| match &finding.scope {
            Scope::Config => true,
            Scope::Entry(index) => *index >= config.backends.len(),
            strategy @ Scope::Strategy(_) => !used.contains(strategy),
        })
        .cloned()
        .collect();
    // What a text that breaks off, or an alias of nothing, would have said of a backend nobody knows: that is its reason.
    for rejected in rejected.iter_mut().filter(|rejected| rejected.reasons.is_empty()) {
        rejected.reasons.extend(fatal.first().cloned());
    }
    fatal.extend(refused);
    Catalog { incoming, backends, rejected, fatal, diagnostics: found }
}

fn name_of(backend: &StaticBackendConfig) -> &str {
    backend.name.as_ref().map(|name| name.value.as_str()).unwrap_or_default()
}

/// Who bears which name, and which names lead to one manifest.
struct Owners<'c> {
    bearers: BTreeMap<&'c str, usize>,
    segments: BTreeMap<String, [Option<&'c str>; 2]>,
}

impl<'c> Owners<'c> {
    fn of(config: &'c Config) -> Self {
        let mut owners = Self { bearers: BTreeMap::new(), segments: BTreeMap::new() };
        for name in config.backends.iter().map(name_of) {
            let bearers = owners.bearers.entry(name).or_default();
            *bearers += 1;
            if *bearers == 1 {
                let [first, second] = owners.segments.entry(environment_segment(name)).or_default();
                let free = if first.is_none() { first } else { second };
                free.get_or_insert(name);
            }
        }
        owners
    }

    fn bearers(&self, name: &str) -> usize {
        self.bearers.get(name).copied().unwrap_or(0)
    }

    /// Another name that leads to the same manifest.
    fn other(&self, name: &str) -> Option<&'c str> {
        self.segments.get(&environment_segment(name))?.iter().flatten().copied().find(|&other| other != name)
    }
}

/// The configuration's errors by what they take down.
struct Errors<'d> {
    entries: BTreeMap<usize, Vec<&'d Diagnostic>>,
    strategies: BTreeMap<Option<&'d str>, Vec<&'d Diagnostic>>,
}

impl<'d> Errors<'d> {
    fn of(findings: &'d [Diagnostic]) -> Self {
        let mut errors = Self { entries: BTreeMap::new(), strategies: BTreeMap::new() };
        for finding in findings.iter().filter(|finding| finding.severity() == Severity::Error) {
            match &finding.scope {
                Scope::Config => {}
                Scope::Entry(index) => errors.entries.entry(*index).or_default().push(finding),
                Scope::Strategy(name) => errors.strategies.entry(name.as_deref()).or_default().push(finding),
            }
        }
        errors
    }

    fn about(&self, auth: &Applied<'_>, index: usize) -> Vec<&'d Diagnostic> {
        let strategy = match &auth.scope {
            Scope::Strategy(name) => self.strategies.get(&name.as_deref()),
            Scope::Config | Scope::Entry(_) => None,
        };
        self.entries.get(&index).into_iter().chain(strategy).flatten().copied().collect()
    }
}

/// Pools that were made already, by path of the CA bundle: several backends may share one, most share the plain one.
struct Pools<'m> {
    materials: &'m Materials,
    plain: Arc<Pool>,
    by_path: BTreeMap<String, (Option<Arc<Pool>>, Vec<Diagnostic>)>,
}

impl<'m> Pools<'m> {
    fn new(materials: &'m Materials) -> Self {
        let plain = Arc::new(Pool::new(materials.system_roots.clone(), None));
        Self { materials, plain, by_path: BTreeMap::new() }
    }

    /// The pool with the bundle at `path`, and what was found in it; no pool if the bundle cannot be used.
    fn with_bundle(&mut self, path: &str, bytes: &[u8]) -> (Option<Arc<Pool>>, Vec<Diagnostic>) {
        let made = self.by_path.entry(path.to_owned()).or_insert_with(|| {
            let (bundle, findings) = CaBundle::read(path, bytes, self.materials.now);
            let system = self.materials.system_roots.clone();
            (bundle.map(|bundle| Arc::new(Pool::new(system, Some(Arc::new(bundle))))), findings)
        });
        made.clone()
    }

    /// The pool of a token endpoint: the system roots, and the bundle of its strategy.
    fn of_endpoint(&mut self, trust: &Trust<'_>, found: &mut Vec<Diagnostic>) -> Option<Arc<Pool>> {
        let report =
            |finding: Diagnostic| finding.at(trust.span).path(trust.pointer.clone()).scope(trust.scope.clone());
        let Some(path) = trust.bundle else {
            if self.materials.system_roots.is_empty() && trust.url.scheme() == Scheme::Https {
                let message = format!(
                    "no system roots were found and the token endpoint {} has no CA bundle; nobody can vouch for it",
                    trust.url
                );
                found.push(report(Diagnostic::new(code::NO_ANCHORS, message)).help(
                    "install the system's CA certificates, set SSL_CERT_FILE, or give the strategy a `caBundlePath`",
                ));
                return None;
            }
            return Some(self.plain.clone());
        };
        let unreadable = match self.materials.files.get(path) {
            Some(Ok(bytes)) => {
                let (pool, findings) = self.with_bundle(path, bytes);
                found.extend(findings.into_iter().map(|finding| finding.scope(trust.scope.clone())));
                return pool;
            }
            Some(Err(problem)) => format!("CA bundle `{path}`: {problem}"),
            None => format!("CA bundle `{path}` was not looked for"),
        };
        found.push(report(Diagnostic::new(code::CA_BUNDLE_UNREADABLE, unreadable)));
        None
    }
}

/// One backend while it is judged.
struct Candidate<'c> {
    config: &'c Config,
    index: usize,
    written: &'c StaticBackendConfig,
    materials: &'c Materials,
    findings: Vec<Diagnostic>,
}

impl<'c> Candidate<'c> {
    /// Judges every part, so that all reasons are known at once, and gives the backend only if each part is good.
    fn prove(
        &mut self,
        auth: &Applied<'_>,
        errors: &Errors<'_>,
        owners: &Owners<'_>,
        pools: &mut Pools<'_>,
    ) -> Option<Backend> {
        let clean = errors.about(auth, self.index).is_empty();
        let endpoint = self.written.url.as_ref().and_then(|url| Endpoint::of_backend(&url.value).ok());
        let transport = self.transport();
        let credentials = self.credentials(auth, pools);
        let pool = self.pool(endpoint.as_ref(), pools);
        let headers = self.forwarded_headers(owners);
        let metadata = self.metadata();
        if !clean || name_of(self.written).is_empty() {
            return None;
        }
        let (credentials, mut forwarded_headers) = (credentials?, headers?);
        if let Some(name) = credentials.header() {
            forwarded_headers.retain(|(forwarded, _)| !forwarded.eq_ignore_ascii_case(name));
        }
        Some(Backend {
            name: name_of(self.written).to_owned(),
            endpoint: endpoint?,
            transport: transport?,
            kind: self.written.backend_kind(),
            metadata,
            auth_source: auth.source,
            auth_type: credentials.word(),
            credentials,
            forwarded_headers,
            pool: pool?,
            ca_bundle_path: self.written.ca_bundle_path().map(ToOwned::to_owned),
        })
    }

    /// The transport.
    fn transport(&self) -> Option<Transport> {
        Transport::parse(&self.written.transport.as_ref()?.value)
    }

    fn credentials(&mut self, auth: &Applied<'_>, pools: &mut Pools<'_>) -> Option<Credentials> {
        let mut found = Vec::new();
        let credentials =
            auth.credentials(&self.materials.variables, &mut |trust| pools.of_endpoint(trust, &mut found));
        self.findings.extend(found);
        credentials.map_err(|findings| self.findings.extend(findings)).ok()
    }

    /// The pool: system roots plus the bundle that is named. A bundle that cannot be used gives no pool at all.
    fn pool(&mut self, endpoint: Option<&Endpoint>, pools: &mut Pools<'_>) -> Option<Arc<Pool>> {
        let Some(path) = self.written.ca_bundle_path() else {
            if self.materials.system_roots.is_empty()
                && endpoint.is_some_and(|endpoint| endpoint.scheme() == Scheme::Https)
            {
                let span = self.written.url.as_ref().map_or(Span::default(), |url| url.span);
                self.report(
                    Diagnostic::new(
                        code::NO_ANCHORS,
                        format!(
                            "no system roots were found and backend `{}` has no CA bundle; nobody can vouch for it",
                            name_of(self.written)
                        ),
                    )
                    .at(span)
                    .path(format!("/backends/{}/url", self.index))
                    .help(
                        "install the system's CA certificates, set SSL_CERT_FILE, or give the backend a `caBundlePath`",
                    ),
                );
                return None;
            }
            return Some(pools.plain.clone());
        };
        let span = self.written.ca_bundle_path.as_ref().map_or(Span::default(), |path| path.span);
        let at = |finding: Diagnostic, index: usize| finding.at(span).path(format!("/backends/{index}/caBundlePath"));
        match self.materials.files.get(path) {
            Some(Ok(bytes)) => {
                let (pool, findings) = pools.with_bundle(path, bytes);
                self.findings.extend(findings.into_iter().map(|finding| finding.scope(Scope::Entry(self.index))));
                pool
            }
            Some(Err(problem)) => {
                let finding = Diagnostic::new(code::CA_BUNDLE_UNREADABLE, format!("CA bundle `{path}`: {problem}"));
                self.report(at(finding, self.index));
                None
            }
            None => {
                let finding =
                    Diagnostic::new(code::CA_BUNDLE_UNREADABLE, format!("CA bundle `{path}` was not looked for"));
                self.report(at(finding, self.index));
                None
            }
        }
    }

    fn forwarded_headers(&mut self, owners: &Owners<'_>) -> Option<Vec<(String, Secret)>> {
        let name = name_of(self.written);
        let variable = manifest_variable(name);
        let Some(Some(text)) = self.materials.variables.get(&variable) else { return Some(Vec::new()) };
        if name.is_empty() || self.shares_its_manifest(&variable, owners) {
            return None;
        }
        let manifest = match Manifest::parse(text) {
            Ok(manifest) => manifest,
            Err(problem) => {
                let message = format!("header-forward manifest `{variable}`: {problem}");
                self.report_at_name(Diagnostic::new(code::MANIFEST_REFUSED, message));
                return None;
            }
        };
        let passed =
            |name: &str| self.config.passthrough_headers.iter().find(|passed| passed.value.eq_ignore_ascii_case(name));
        if let Some((name, _)) = manifest.headers.iter().find(|(name, _)| passed(name).is_some()) {
            let message = format!(
                "header `{name}` is in `passthroughHeaders` and in header-forward manifest `{variable}`; expected it in one \
                 of the two"
            );
            self.report_at_name(Diagnostic::new(code::BACKEND_PASSTHROUGH_COLLISION, message));
            return None;
        }
        match resolve(&manifest, &self.materials.variables) {
            Ok(headers) => Some(headers),
            Err(problems) => {
                for problem in problems {
                    let finding = match problem {
                        Unresolved::Missing { header, variable } => Diagnostic::new(
                            code::VARIABLE_MISSING,
                            format!(
                                "environment variable `{variable}` is not set or is empty; it holds the value of forwarded header `{header}`"
                            ),
                        ),
                        Unresolved::BadValue { header, variable, problem } => Diagnostic::new(
                            code::VARIABLE_NOT_A_HEADER,
                            format!(
                                "environment variable `{variable}` holds no header value: header `{header}` {problem}"
                            ),
                        ),
                    };
                    self.report_at_name(finding);
                }
                None
            }
        }
    }

    /// Two names can lead to one manifest; nobody can tell whose it is, so neither gets it and both are rejected.
    fn shares_its_manifest(&mut self, variable: &str, owners: &Owners<'_>) -> bool {
        let own = name_of(self.written);
        let Some(other) = owners.other(own) else { return false };
        self.report_at_name(
            Diagnostic::new(
                code::MANIFEST_SHARED,
                format!(
                    "header-forward manifest `{variable}` is set, and it is that of `{own}` as well as of `{other}`"
                ),
            )
            .help("rename one of the two so that their names differ in letters or digits"),
        );
        true
    }

    fn metadata(&mut self) -> BTreeMap<String, String> {
        let mut metadata: BTreeMap<_, _> =
            self.written.metadata.iter().map(|(key, value)| (key.value.clone(), value.value.clone())).collect();
        let Some(group) = self.config.group_ref.as_ref().map(|group| group.value.clone()) else { return metadata };
        if let Some(written) = self.written.metadata.get("group").filter(|written| written.value != group) {
            let message = format!(
                "metadata says group `{}`; the backend is served in `{group}`, the configuration's `groupRef`",
                written.value
            );
            let path = pointer(&format!("/backends/{}/metadata", self.index), "group");
            self.report(Diagnostic::new(code::GROUP_DIFFERS, message).at(written.span).path(path));
        }
        metadata.insert("group".to_string(), group);
        metadata
    }

    fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding.scope(Scope::Entry(self.index)));
    }

    fn report_at_name(&mut self, finding: Diagnostic) {
        let span = self.written.name.as_ref().map_or(Span::default(), |name| name.span);
        self.report(finding.at(span).path(format!("/backends/{}/name", self.index)));
    }
}
