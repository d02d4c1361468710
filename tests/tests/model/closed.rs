//! The property that the project stands on: an edit that adds an error never adds a backend, an anchor or a credential.
//!
//! Here configurations are broken by single edits; certificates are broken in `trust_properties.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use vmcp_core::config;
use vmcp_core::diagnostic::{Diagnostic, File, Severity};
use vmcp_core::discovery::{Catalog, Materials, discover};
use vmcp_core::secret::Secret;
use vmcp_core::trust::{SystemRoots, UnixTime};
use vmcp_core::yaml::{self, Positions};
use vmcp_tests::edits::{Edit, all, apply};

const CONFIG: &str = "\
name: demo
groupRef: demo-group
backends:
  - name: partner
    url: https://mcp.partner.example/mcp
    transport: streamable-http
    type: entry
    caBundlePath: /etc/toolhive/ca-bundles/partner/ca.crt
    metadata:
      group: demo-group
      workload_type: server_entry
  - name: billing
    url: https://billing.example/mcp
    transport: streamable-http
  - name: wiki
    url: http://wiki.default.svc:8080
    transport: streamable-http
incomingAuth:
  type: anonymous
outgoingAuth:
  source: inline
  default:
    type: unauthenticated
  backends:
    partner:
      type: header_injection
      headerInjection:
        headerName: X-Api-Key
        headerValueEnv: PARTNER_KEY
    billing:
      type: header_injection
      headerInjection:
        headerName: Authorization
        headerValueEnv: BILLING_KEY
aggregation:
  conflictResolution: prefix
  conflictResolutionConfig:
    prefixFormat: '{workload}_'
";

fn edit() -> impl Strategy<Value = Edit> {
    let text = prop_oneof![
        Just("nonsense".to_owned()),
        Just("~".to_owned()),
        Just("[]".to_owned()),
        Just("{}".to_owned()),
        Just("entry".to_owned()),
        Just("header_injection".to_owned()),
        Just("unauthenticated".to_owned()),
        Just("http://elsewhere.example/".to_owned()),
        Just("/etc/toolhive/ca-bundles/../x".to_owned()),
        Just("&a *a".to_owned()),
        "[ -~]{0,6}",
    ];
    prop_oneof![
        Just(Edit::Delete),
        Just(Edit::Double),
        text.clone().prop_map(|text| Edit::Insert(format!("    {text}: x"))),
        text.clone().prop_map(Edit::Value),
        (0..60usize, text).prop_map(|(at, text)| Edit::At(at, text)),
        (0..60usize).prop_map(Edit::Drop),
        Just(Edit::Indent),
        Just(Edit::Outdent),
    ]
}

fn judged(text: &str) -> (Vec<Diagnostic>, Catalog) {
    let parsed = yaml::parse(text, &Positions::identity());
    let mut findings = parsed.diagnostics;
    let config = config::read(parsed.tree.root(), &mut findings);
    let file = include_bytes!("../../data/certificates/ca.pem");
    let bundle = include_bytes!("../../data/certificates/ca-p521.pem");
    let materials = Materials {
        files: BTreeMap::from([("/etc/toolhive/ca-bundles/partner/ca.crt".to_owned(), Ok(bundle.to_vec()))]),
        variables: ["PARTNER_KEY", "BILLING_KEY"]
            .map(|name| (name.to_owned(), Some(Secret::new(format!("value of {name}")))))
            .into(),
        system_roots: Arc::new(SystemRoots::read([("/etc/ssl/cert.pem", file.as_slice())])),
        now: UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000)),
    };
    let catalog = discover(&config, &findings, &materials);
    (findings, catalog)
}

/// What a backend may be called with, as one comparable value: name, place, credentials, headers, anchors.
fn powers(catalog: &Catalog) -> Vec<(String, String)> {
    let of = |backend: &vmcp_core::discovery::Backend| {
        let credentials = match &backend.credentials {
            vmcp_core::auth::Credentials::Unauthenticated => String::new(),
            vmcp_core::auth::Credentials::Header { name, value } => format!("{name}: {}", value.expose()),
            vmcp_core::auth::Credentials::Made(strategy) => format!("{:?}", strategy.digest()),
        };
        let anchors: Vec<_> = backend.pool.trusted().map(|trusted| format!("{:?}", trusted.fingerprint)).collect();
        let headers: Vec<_> =
            backend.forwarded_headers.iter().map(|(name, value)| format!("{name}: {}", value.expose())).collect();
        format!("{} {credentials} {headers:?} {anchors:?}", backend.endpoint.to_url())
    };
    catalog.backends.iter().map(|backend| (backend.name.clone(), of(backend))).collect()
}

fn errors(findings: &[Diagnostic], catalog: &Catalog) -> usize {
    findings.iter().chain(&catalog.diagnostics).filter(|finding| finding.severity() == Severity::Error).count()
}

#[test]
fn the_unbroken_configuration_serves_all() {
    let (findings, catalog) = judged(CONFIG);
    assert_eq!(errors(&findings, &catalog), 0, "{findings:#?} {:#?}", catalog.diagnostics);
    assert_eq!(powers(&catalog).len(), 3);
}

/// What must hold of every broken text.
fn holds(text: &str) -> Result<(), String> {
    let (findings, catalog) = judged(text);
    for rejected in &catalog.rejected {
        if rejected.reasons.is_empty() {
            return Err(format!("`{}` is rejected without a reason:\n{text}", rejected.name));
        }
    }
    for finding in findings.iter().chain(&catalog.diagnostics) {
        let in_the_input = finding.place.as_ref().filter(|place| place.file == File::Input);
        if in_the_input.is_some_and(|place| text.get(place.span.range()).is_none()) {
            return Err(format!("{finding:?} points outside of:\n{text}"));
        }
    }
    if errors(&findings, &catalog) == 0 || !catalog.fatal.is_empty() {
        return Ok(());
    }
    let before = powers(&judged(CONFIG).1);
    match powers(&catalog).into_iter().find(|backend| !before.contains(backend)) {
        None => Ok(()),
        Some((name, _)) => Err(format!("`{name}` is served otherwise than before:\n{text}")),
    }
}

#[test]
fn an_edit_that_adds_an_error_adds_no_backend_no_anchor_and_no_credential() {
    let broken: Vec<_> = all(CONFIG).filter_map(|(line, edit)| holds(&apply(CONFIG, line, &edit)).err()).collect();
    assert!(broken.is_empty(), "{} edits: {}", broken.len(), broken[0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn neither_does_any_other_edit_of_a_line(line in 0..64usize, edit in edit()) {
        prop_assert_eq!(holds(&apply(CONFIG, line, &edit)), Ok(()));
    }
}
