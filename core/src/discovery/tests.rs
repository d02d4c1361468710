//! Discovery from the static configuration, line by line of the users' story (RFC THV-0055).

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::auth::{Client, Strategy};
use crate::config::{self, Config};
use crate::yaml::{self, Positions};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const PARTNER_CA: &str = "/etc/toolhive/ca-bundles/partner/ca.crt";

fn config(backends: &str, outgoing: &str) -> (Config, Vec<Diagnostic>) {
    let text = alloc::format!(
        "name: demo\ngroupRef: demo-group\nbackends:\n{backends}incomingAuth: {{type: anonymous}}\noutgoingAuth:\n  source: inline\n{outgoing}aggregation: {{conflictResolution: prefix, conflictResolutionConfig: {{prefixFormat: '{{workload}}_'}}}}\n"
    );
    let parsed = yaml::parse(&text, &Positions::identity());
    let mut findings = parsed.diagnostics;
    let config = config::read(parsed.tree.root(), &mut findings);
    (config, findings)
}

fn materials(variables: &[(&str, &str)], files: &[(&str, Result<&str, FileProblem>)]) -> Materials {
    let system = include_str!("../../../tests/data/certificates/ca.pem").as_bytes();
    Materials {
        files: files
            .iter()
            .map(|(path, file)| ((*path).to_owned(), file.clone().map(|text| text.as_bytes().to_vec())))
            .collect(),
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), Some(Secret::new(*value)))).collect(),
        system_roots: Arc::new(SystemRoots::read([("/etc/ssl/certs/ca-certificates.crt", system)])),
        now: UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000)),
    }
}

fn discovered(backends: &str, outgoing: &str, materials: &Materials) -> Catalog {
    let (config, findings) = config(backends, outgoing);
    discover(&config, &findings, materials)
}

fn reasons(catalog: &Catalog) -> Vec<(String, Vec<String>)> {
    let line = |reason: &Diagnostic| alloc::format!("{}: {}", reason.code, reason.message);
    catalog.rejected.iter().map(|r| (r.name.clone(), r.reasons.iter().map(line).collect())).collect()
}

const ENTRY_AND_WORKLOAD: &str = "\
- name: wiki
  url: http://mcp-wiki.default.svc:8080
  transport: streamable-http
- name: partner
  url: https://mcp.partner.example/mcp
  transport: streamable-http
  type: entry
  caBundlePath: /etc/toolhive/ca-bundles/partner/ca.crt
  metadata: {workload_type: server_entry, group: demo-group}
";

fn ca(name: &str) -> &'static str {
    match name {
        "other" => include_str!("../../../tests/data/certificates/ca-p521.pem"),
        _ => include_str!("../../../tests/data/certificates/ca.pem"),
    }
}

#[test]
fn discover_from_static_config_gives_every_backend_its_type_and_metadata_and_carries_its_ca_bundle_path() {
    let catalog = discovered(ENTRY_AND_WORKLOAD, "", &materials(&[], &[(PARTNER_CA, Ok(ca("other")))]));
    assert_eq!(reasons(&catalog), []);
    let [partner, wiki] = catalog.backends.as_slice() else { panic!("two backends, sorted by name") };
    assert_eq!(
        (partner.name.as_str(), partner.kind, partner.transport),
        ("partner", BackendKind::Entry, Transport::StreamableHttp)
    );
    assert_eq!(partner.ca_bundle_path.as_deref(), Some(PARTNER_CA));
    assert_eq!(partner.metadata.get("workload_type").map(String::as_str), Some("server_entry"));
    assert_eq!(
        (wiki.name.as_str(), wiki.kind, wiki.transport),
        ("wiki", BackendKind::Workload, Transport::StreamableHttp)
    );
    assert_eq!(wiki.ca_bundle_path, None);
    assert_eq!(wiki.metadata.get("group").map(String::as_str), Some("demo-group"));
}

#[test]
fn a_ca_bundle_is_added_to_the_system_roots_for_its_backend_alone() {
    let catalog = discovered(ENTRY_AND_WORKLOAD, "", &materials(&[], &[(PARTNER_CA, Ok(ca("other")))]));
    let [partner, wiki] = catalog.backends.as_slice() else { panic!("two backends") };
    assert_eq!(partner.pool.trusted().count(), 2, "the system's root and the bundle's");
    assert_eq!(wiki.pool.trusted().count(), 1, "the system's root alone");
}

#[test]
fn an_entry_is_inferred_where_the_operator_left_the_type_out() {
    let backends = "\
- {name: by-bundle, url: 'https://a.example/', transport: streamable-http, caBundlePath: /etc/toolhive/ca-bundles/partner/ca.crt}
- {name: by-metadata, url: 'https://b.example/', transport: streamable-http, metadata: {workload_type: server_entry}}
- {name: rfc-container, url: 'https://c.example/', transport: streamable-http, type: container}
";
    let catalog = discovered(backends, "", &materials(&[], &[(PARTNER_CA, Ok(ca("other")))]));
    let kinds: Vec<_> = catalog.backends.iter().map(|b| (b.name.as_str(), b.kind)).collect();
    assert_eq!(
        kinds,
        [
            ("by-bundle", BackendKind::Entry),
            ("by-metadata", BackendKind::Entry),
            ("rfc-container", BackendKind::Workload)
        ]
    );
}

#[test]
fn a_ca_bundle_that_cannot_be_used_rejects_its_backend_and_no_other() {
    let problems = [
        (Err(FileProblem::Missing), "no such file"),
        (Err(FileProblem::Directory), "it is a directory; expected a file"),
        (Err(FileProblem::PermissionDenied), "permission denied"),
        (
            Err(FileProblem::DanglingLink { target: "..data/ca.crt".into() }),
            "it is a symbolic link to `..data/ca.crt`, which does not exist",
        ),
        (Err(FileProblem::TooLarge { limit: 1, actual: 2 }), "it has 2 bytes; at most 1 are read"),
    ];
    for (file, why) in problems {
        let catalog = discovered(ENTRY_AND_WORKLOAD, "", &materials(&[], &[(PARTNER_CA, file)]));
        let expected = alloc::format!("material/ca-bundle-unreadable: CA bundle `{PARTNER_CA}`: {why}");
        assert_eq!(reasons(&catalog), [("partner".to_string(), alloc::vec![expected])]);
        assert_eq!(catalog.backends.len(), 1);
    }
    let catalog = discovered(ENTRY_AND_WORKLOAD, "", &materials(&[], &[(PARTNER_CA, Ok("no certificate here"))]));
    assert_eq!(catalog.rejected.len(), 1, "an empty bundle is no permission to use the system roots alone");
    let catalog = discovered(ENTRY_AND_WORKLOAD, "", &materials(&[], &[]));
    assert_eq!(
        reasons(&catalog)[0].1,
        [alloc::format!("material/ca-bundle-unreadable: CA bundle `{PARTNER_CA}` was not looked for")]
    );
}

const KEYED: &str = "- {name: a, url: 'https://a.example/', transport: streamable-http}\n- {name: b, url: 'https://b.example/', transport: streamable-http}\n";

#[test]
fn entries_resolve_outgoing_auth_as_all_others_own_then_default_then_none() {
    let outgoing = "  default: {type: header_injection, headerInjection: {headerName: X-D, headerValueEnv: D}}\n  backends:\n    a: {type: header_injection, headerInjection: {headerName: X-A, headerValueEnv: A}}\n";
    let catalog = discovered(KEYED, outgoing, &materials(&[("A", "va"), ("D", "vd")], &[]));
    let of = |name: &str, value: &str| Credentials::Header { name: name.into(), value: Secret::new(value) };
    let got: Vec<_> = catalog.backends.iter().map(|b| (b.auth_source, b.credentials.clone())).collect();
    assert_eq!(got, [(AuthSource::Own, of("X-A", "va")), (AuthSource::Default, of("X-D", "vd"))]);
    let catalog = discovered(KEYED, "", &materials(&[], &[]));
    assert!(
        catalog
            .backends
            .iter()
            .all(|b| b.auth_source == AuthSource::None && b.credentials == Credentials::Unauthenticated)
    );
}

#[test]
fn a_backend_whose_secret_is_missing_is_never_called_with_the_default_credentials() {
    let outgoing = "  default: {type: header_injection, headerInjection: {headerName: X-D, headerValueEnv: D}}\n  backends:\n    a: {type: header_injection, headerInjection: {headerName: X-A, headerValueEnv: A}}\n";
    for variables in [&[("D", "vd")][..], &[("D", "vd"), ("A", "")][..]] {
        let catalog = discovered(KEYED, outgoing, &materials(variables, &[]));
        assert_eq!(
            reasons(&catalog),
            [(
                "a".to_string(),
                alloc::vec!["material/variable-missing: environment variable `A` is not set or is empty; it holds the value of header `X-A`".to_string()]
            )]
        );
        assert_eq!(catalog.backends.len(), 1);
    }
    let catalog = discovered(KEYED, outgoing, &materials(&[("D", "vd"), ("A", "v\n")], &[]));
    assert_eq!(
        reasons(&catalog)[0].1,
        [
            "material/variable-not-a-header: environment variable `A` holds no header value: header `X-A` has a value with a control character; only tab is accepted"
        ]
    );
}

#[test]
fn a_strategy_that_is_not_built_rejects_by_name_and_reason() {
    let of = |strategy: &str| {
        let outgoing = alloc::format!("  default: {strategy}\n  backends:\n    b: {{type: unauthenticated}}\n");
        let catalog = discovered(KEYED, &outgoing, &materials(&[], &[]));
        assert_eq!(catalog.backends.len(), 1);
        let mut reasons = reasons(&catalog);
        assert_eq!(reasons.len(), 1);
        let (name, of_it) = reasons.remove(0);
        assert_eq!((name.as_str(), of_it.len()), ("a", 1));
        let why = " needs the embedded authorization server, which is not built into this version; a backend is never called without it";
        let what = of_it[0].strip_prefix("auth/strategy-not-built: ").and_then(|text| text.strip_suffix(why));
        what.unwrap_or(&of_it[0]).to_string()
    };
    assert_eq!(of("{type: upstream_inject, upstreamInject: {providerName: p}}"), "strategy `upstream_inject`");
    assert_eq!(
        of("{type: token_exchange, tokenExchange: {tokenUrl: 'https://i.example/', subjectProviderName: p}}"),
        "`subjectProviderName`"
    );
    assert_eq!(
        of(
            "{type: obo, obo: {tokenUrl: 'https://i.example/', clientId: c, clientSecret: s, audience: a, subjectTokenProviderName: p}}"
        ),
        "`subjectTokenProviderName`"
    );
    assert_eq!(
        of(
            "{type: xaa, xaa: {idpTokenUrl: 'https://i.example/', targetTokenUrl: 'https://t.example/', targetAudience: a, subjectProviderName: p}}"
        ),
        "`subjectProviderName`"
    );
    assert_eq!(
        of(
            "{type: aws_sts, awsSts: {region: eu-central-1, fallbackRoleArn: 'arn:aws:iam::123456789012:role/r', subjectProviderName: p}}"
        ),
        "`subjectProviderName`"
    );
}

const ONE: &str = "- {name: a, url: 'https://a.example/', transport: sse}\n";

/// The strategy of the only backend, with these variables and files.
fn strategy(written: &str, variables: &[(&str, &str)], files: &[(&str, Result<&str, FileProblem>)]) -> Strategy {
    let outgoing = alloc::format!("  default: {written}\n");
    let catalog = discovered(ONE, &outgoing, &materials(variables, files));
    assert_eq!(reasons(&catalog), []);
    match &catalog.backends[0].credentials {
        Credentials::Made(strategy) => (**strategy).clone(),
        other => panic!("{other:?}"),
    }
}

fn refusal(written: &str, variables: &[(&str, &str)], files: &[(&str, Result<&str, FileProblem>)]) -> Vec<String> {
    let outgoing = alloc::format!("  default: {written}\n");
    let catalog = discovered(ONE, &outgoing, &materials(variables, files));
    assert!(catalog.backends.is_empty());
    reasons(&catalog).remove(0).1
}

#[test]
fn strategies_have_their_secrets_in_hand() {
    let Strategy::TokenExchange(exchange) = strategy(
        "{type: token_exchange, tokenExchange: {tokenUrl: 'https://idp.example/token', clientId: c, clientSecretEnv: S, audience: a, scopes: [x, y], subjectTokenType: jwt}}",
        &[("S", "s3cr3t")],
        &[],
    ) else {
        panic!()
    };
    assert_eq!(exchange.client, Some(Client { id: "c".into(), secret: Secret::new("s3cr3t") }));
    assert_eq!((exchange.audience.as_str(), exchange.scopes.len()), ("a", 2));
    assert_eq!(exchange.subject_token_type, "urn:ietf:params:oauth:token-type:jwt");
    assert!(exchange.endpoint.pool.bundle.is_none());
    let plain = "{type: token_exchange, tokenExchange: {tokenUrl: 'https://idp.example/token', clientId: c}}";
    let Strategy::TokenExchange(exchange) = strategy(plain, &[], &[]) else { panic!() };
    assert_eq!(exchange.client, None, "a client without a secret is not named");
    assert_eq!(exchange.subject_token_type, "urn:ietf:params:oauth:token-type:access_token");

    let obo = |keys: &str| {
        let written = alloc::format!(
            "{{type: obo, obo: {{tokenUrl: 'https://idp.example/token', clientId: c, clientSecret: s, {keys}}}}}"
        );
        match strategy(&written, &[], &[]) {
            Strategy::Obo(obo) => (obo.scope, obo.skew),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(obo("audience: 'api://b'"), ("api://b/.default".to_string(), None));
    assert_eq!(obo("audience: 'api://b', scopes: [x, y], cacheSkewSeconds: 60"), ("x y".to_string(), Some(60)));

    let aws = "{type: aws_sts, awsSts: {region: eu-central-1, fallbackRoleArn: 'arn:aws:iam::123456789012:role/r', roleMappings: [{claim: g, roleArn: 'arn:aws:iam::123456789012:role/g', priority: 3}, {matcher: 'true', roleArn: 'arn:aws-cn:iam::123456789012:role/path/m'}]}}";
    let Strategy::AwsSts(sts) = strategy(aws, &[], &[]) else { panic!() };
    assert_eq!(sts.endpoint.url.to_url(), "https://sts.eu-central-1.amazonaws.com/");
    assert_eq!((sts.service.as_str(), sts.role_claim.as_str(), sts.duration), ("aws-mcp", "groups", 3600));
    assert_eq!((sts.session_name_claim.as_str(), sts.mappings.len()), ("sub", 2));
    assert_eq!(sts.mappings[0].priority, Some(3));
    let Strategy::AwsSts(sts) = strategy(aws, &[("AWS_ENDPOINT_URL_STS", "https://sts.inside.example/x")], &[]) else {
        panic!()
    };
    assert_eq!(sts.endpoint.url.to_url(), "https://sts.inside.example/x");
    let Strategy::AwsSts(sts) = strategy(&aws.replace("eu-central-1", "cn-north-1"), &[], &[]) else { panic!() };
    assert_eq!(sts.endpoint.url.to_url(), "https://sts.cn-north-1.amazonaws.com.cn/");
    assert_eq!(
        refusal(aws, &[("AWS_ENDPOINT_URL_STS", "sts")], &[]),
        [
            "auth/bad-url: `AWS_ENDPOINT_URL_STS` gives no URL of AWS STS: it is not an absolute URL; expected `http://host[:port]/path` or `https://…`"
        ]
    );
}

#[test]
fn a_client_secret_that_is_missing_rejects() {
    let missing = |variable: &str| {
        alloc::format!(
            "material/variable-missing: environment variable `{variable}` is not set or is empty; it holds a client secret"
        )
    };
    let exchange = "{type: token_exchange, tokenExchange: {tokenUrl: 'https://idp.example/token', clientId: c, clientSecretEnv: S}}";
    assert_eq!(refusal(exchange, &[], &[]), [missing("S")]);
    assert_eq!(refusal(exchange, &[("S", "")], &[]), [missing("S")]);
    let xaa = "{type: xaa, xaa: {idpTokenUrl: 'https://i.example/', idpClientId: i, idpClientSecretEnv: I, targetTokenUrl: 'https://t.example/', targetClientId: t, targetClientSecretEnv: T, targetAudience: a}}";
    assert_eq!(refusal(xaa, &[], &[]), [missing("I"), missing("T")]);
    assert_eq!(
        refusal(
            "{type: token_exchange, tokenExchange: {tokenUrl: 'https://idp.example/token', clientSecret: s}}",
            &[],
            &[]
        ),
        [
            "config/missing-key: `clientSecret` stands there without `clientId`; expected the id of the client whose secret it is"
        ]
    );
}

#[test]
fn tokens_travel_encrypted_or_not_far() {
    let of = |url: &str| alloc::format!("{{type: token_exchange, tokenExchange: {{tokenUrl: '{url}'}}}}");
    for url in ["http://localhost:8080/t", "http://127.0.0.1/t", "http://[::1]:9/t"] {
        strategy(&of(url), &[], &[]);
    }
    let why = "auth/plaintext-endpoint: `tokenUrl` is `http` at `idp.example`, so callers' tokens would travel unencrypted; expected `https`, or `http` to a loopback address";
    assert_eq!(refusal(&of("http://idp.example/t"), &[], &[]), [why]);
    assert_eq!(refusal(&of("http://idp.example/t"), &[("INSECURE_DISABLE_URL_VALIDATION", "1")], &[]), [why]);
    strategy(&of("http://idp.example/t"), &[("INSECURE_DISABLE_URL_VALIDATION", "true")], &[]);
    let xaa = |idp: &str, target: &str| {
        alloc::format!(
            "{{type: xaa, xaa: {{idpTokenUrl: '{idp}', targetTokenUrl: '{target}', targetAudience: a, insecureTargetTokenUrl: true}}}}"
        )
    };
    strategy(&xaa("https://idp.example/t", "http://as.example/t"), &[], &[]);
    assert_eq!(
        refusal(&xaa("http://idp.example/t", "http://as.example/t"), &[], &[]),
        [why.replace("tokenUrl", "idpTokenUrl")]
    );
}

#[test]
fn a_token_endpoint_is_trusted_by_its_strategy_s_bundle_and_a_backend_by_its_own() {
    let own = include_str!("../../../tests/data/certificates/ca.pem");
    let xaa = "{type: xaa, xaa: {idpTokenUrl: 'https://i.example/', targetTokenUrl: 'https://t.example/', targetAudience: a, targetCaBundlePath: /ca/target.pem}}";
    let backends =
        "- {name: a, url: 'https://a.example/', transport: sse, type: entry, caBundlePath: /ca/backend.pem}\n";
    let outgoing = alloc::format!("  default: {xaa}\n");
    let files = [("/ca/backend.pem", Ok(own)), ("/ca/target.pem", Ok(own))];
    let catalog = discovered(backends, &outgoing, &materials(&[], &files));
    assert_eq!(reasons(&catalog), []);
    let Credentials::Made(strategy) = &catalog.backends[0].credentials else { panic!() };
    let Strategy::Xaa(made) = &**strategy else { panic!() };
    let path = |pool: &Pool| pool.bundle.as_ref().map(|bundle| bundle.trusted()[0].origin.file.to_string());
    assert_eq!(path(&made.idp.pool), None, "neither the target's nor the backend's");
    assert_eq!(path(&made.target.pool).as_deref(), Some("/ca/target.pem"));
    assert_eq!(path(&catalog.backends[0].pool).as_deref(), Some("/ca/backend.pem"));

    let (config, _) = config(backends, &outgoing);
    let needs = needs(&config, &BTreeMap::new());
    let files: Vec<_> = needs.files.iter().map(|need| (need.path.as_str(), need.backend.as_deref())).collect();
    assert_eq!(files, [("/ca/backend.pem", Some("a")), ("/ca/target.pem", None)]);
    assert_eq!(needs.files[1].pointer, "/outgoingAuth/default/xaa/targetCaBundlePath");

    let exchange = "{type: token_exchange, tokenExchange: {tokenUrl: 'https://i.example/', caBundlePath: /ca/idp.pem}}";
    assert_eq!(
        refusal(exchange, &[], &[("/ca/idp.pem", Err(FileProblem::Missing))]),
        ["material/ca-bundle-unreadable: CA bundle `/ca/idp.pem`: no such file"]
    );
    assert_eq!(
        refusal(exchange, &[], &[]),
        ["material/ca-bundle-unreadable: CA bundle `/ca/idp.pem` was not looked for"]
    );
    assert!(!refusal(exchange, &[], &[("/ca/idp.pem", Ok("nothing"))]).is_empty());
}

#[test]
fn variables_are_asked_for_where_they_matter() {
    let asked = |written: &str| {
        let (config, _) = config(ONE, &alloc::format!("  default: {written}\n"));
        let needs = needs(&config, &BTreeMap::new());
        let names = needs.variables.into_iter().filter(|need| !need.name.starts_with("TOOLHIVE_HEADER_FORWARD_"));
        names.map(|need| (need.name, need.presence == Presence::Required)).collect::<Vec<_>>()
    };
    let exchange = |url: &str| {
        asked(&alloc::format!(
            "{{type: token_exchange, tokenExchange: {{tokenUrl: '{url}', clientId: c, clientSecretEnv: S}}}}"
        ))
    };
    assert_eq!(exchange("https://idp.example/t"), [("S".to_string(), true)]);
    assert_eq!(exchange("http://localhost/t"), [("S".to_string(), true)]);
    assert_eq!(
        exchange("http://idp.example/t"),
        [("INSECURE_DISABLE_URL_VALIDATION".to_string(), false), ("S".to_string(), true)]
    );
    assert_eq!(asked("{type: aws_sts, awsSts: {region: r}}"), [("AWS_ENDPOINT_URL_STS".to_string(), false)]);
}

#[test]
fn a_forwarded_authorization_never_stands_in_for_a_caller_s() {
    let variables = [(
        "TOOLHIVE_HEADER_FORWARD_A",
        r#"{"addPlaintextHeaders":{"authorization":"Bearer of the operator","X-B":"b"}}"#,
    )];
    let outgoing = "  default: {type: token_exchange, tokenExchange: {tokenUrl: 'https://idp.example/token'}}\n";
    let catalog = discovered(ONE, outgoing, &materials(&variables, &[]));
    let names: Vec<_> = catalog.backends[0].forwarded_headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["X-B"]);
    assert_eq!(catalog.backends[0].auth_type, "token_exchange");
}

#[test]
fn backends_are_spoken_to_as_they_are_written() {
    let backends = "- {name: a, url: 'https://a.example/sse', transport: sse}
- {name: b, url: 'https://b.example/', transport: streamable}
";
    let catalog = discovered(backends, "", &materials(&[], &[]));
    assert!(catalog.rejected.is_empty());
    let transports: Vec<_> = catalog.backends.iter().map(|backend| backend.transport).collect();
    assert_eq!(transports, [Transport::Sse, Transport::StreamableHttp]);
}

#[test]
fn an_error_in_a_strategy_rejects_those_that_use_it() {
    let outgoing = "  default: {type: header_injection, headerInjection: {headerName: X-D}}\n  backends:\n    b: {type: unauthenticated}\n";
    let catalog = discovered(KEYED, outgoing, &materials(&[], &[]));
    assert_eq!(catalog.rejected.iter().map(|r| r.name.as_str()).collect::<Vec<_>>(), ["a"]);
    assert!(!catalog.rejected[0].reasons.is_empty());
}

#[test]
fn header_forward_manifests_are_the_backends_own() {
    let variables = [
        (
            "TOOLHIVE_HEADER_FORWARD_A",
            r#"{"addPlaintextHeaders":{"X-Set":"1"},"addHeadersFromSecret":{"X-Key":"HEADER_FORWARD_X_KEY_A"}}"#,
        ),
        ("TOOLHIVE_SECRET_HEADER_FORWARD_X_KEY_A", "k"),
    ];
    let catalog = discovered(KEYED, "", &materials(&variables, &[]));
    let [a, b] = catalog.backends.as_slice() else { panic!("two backends") };
    assert_eq!(a.forwarded_headers, [("X-Key".to_string(), Secret::new("k")), ("X-Set".to_string(), Secret::new("1"))]);
    assert_eq!(b.forwarded_headers, []);
    let catalog = discovered(KEYED, "", &materials(&variables[..1], &[]));
    assert_eq!(
        reasons(&catalog),
        [(
            "a".to_string(),
            alloc::vec!["material/variable-missing: environment variable `TOOLHIVE_SECRET_HEADER_FORWARD_X_KEY_A` is not set or is empty; it holds the value of forwarded header `X-Key`".to_string()]
        )]
    );
    let catalog = discovered(KEYED, "", &materials(&[("TOOLHIVE_HEADER_FORWARD_A", "{")], &[]));
    assert_eq!(
        reasons(&catalog)[0].1,
        [
            "material/manifest-refused: header-forward manifest `TOOLHIVE_HEADER_FORWARD_A`: it is not the JSON that the operator writes (line 1, column 2); expected `{\"addPlaintextHeaders\":{…},\"addHeadersFromSecret\":{…}}`"
        ]
    );
}

#[test]
fn a_manifest_that_two_names_lead_to_is_nobodys() {
    let backends = "- {name: a.b, url: 'https://a.example/', transport: streamable-http}\n- {name: a-b, url: 'https://b.example/', transport: streamable-http}\n";
    let manifest = [("TOOLHIVE_HEADER_FORWARD_A_B", r#"{"addPlaintextHeaders":{"X-Set":"1"}}"#)];
    let catalog = discovered(backends, "", &materials(&manifest, &[]));
    assert_eq!(
        reasons(&catalog),
        [
            (
                "a.b".to_string(),
                alloc::vec!["material/manifest-shared: header-forward manifest `TOOLHIVE_HEADER_FORWARD_A_B` is set, and it is that of `a.b` as well as of `a-b`".to_string()]
            ),
            (
                "a-b".to_string(),
                alloc::vec!["material/manifest-shared: header-forward manifest `TOOLHIVE_HEADER_FORWARD_A_B` is set, and it is that of `a-b` as well as of `a.b`".to_string()]
            )
        ]
    );
    assert_eq!(
        discovered(backends, "", &materials(&[], &[])).backends.len(),
        2,
        "without a manifest nothing is at stake"
    );
}

#[test]
fn auth_overrides_a_forwarded_header_of_the_same_name() {
    let outgoing =
        "  backends:\n    a: {type: header_injection, headerInjection: {headerName: x-key, headerValueEnv: A}}\n";
    let variables = [("A", "va"), ("TOOLHIVE_HEADER_FORWARD_A", r#"{"addPlaintextHeaders":{"X-Key":"1"}}"#)];
    let catalog = discovered(KEYED, outgoing, &materials(&variables, &[]));
    assert_eq!(catalog.backends[0].forwarded_headers, []);
}

#[test]
fn every_bearer_of_a_name_is_rejected() {
    let backends = "- {name: a, url: 'https://a.example/', transport: streamable-http}\n- {name: a, url: 'https://b.example/', transport: streamable-http}\n- {name: c, url: 'https://c.example/', transport: streamable-http}\n";
    let catalog = discovered(backends, "", &materials(&[], &[]));
    assert_eq!(catalog.rejected.iter().map(|r| r.index).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(catalog.backends.iter().map(|b| b.name.as_str()).collect::<Vec<_>>(), ["c"]);
}

#[test]
fn group_metadata_is_forced_and_a_difference_is_said() {
    let backends = "- {name: a, url: 'https://a.example/', transport: streamable-http, metadata: {group: elsewhere}}\n";
    let catalog = discovered(backends, "", &materials(&[], &[]));
    assert_eq!(catalog.backends[0].metadata.get("group").map(String::as_str), Some("demo-group"));
    let said: Vec<_> = catalog.diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(
        said,
        ["metadata says group `elsewhere`; the backend is served in `demo-group`, the configuration's `groupRef`"]
    );
}

#[test]
fn without_any_root_a_backend_over_tls_is_rejected_rather_than_tried() {
    let mut nothing = materials(&[], &[]);
    nothing.system_roots = Arc::new(SystemRoots::read([]));
    let backends = "- {name: a, url: 'https://a.example/', transport: streamable-http}\n- {name: b, url: 'http://b.example/', transport: streamable-http}\n";
    let catalog = discovered(backends, "", &nothing);
    assert_eq!(
        reasons(&catalog),
        [(
            "a".to_string(),
            alloc::vec!["trust/no-anchors: no system roots were found and backend `a` has no CA bundle; nobody can vouch for it".to_string()]
        )]
    );
}

#[test]
fn needs_grow_with_what_a_manifest_names() {
    let outgoing = "  default: {type: header_injection, headerInjection: {headerName: X-D, headerValueEnv: D}}\n  backends:\n    nobody: {type: header_injection, headerInjection: {headerName: X-N, headerValueEnv: N}}\n";
    let (config, _) = config(ENTRY_AND_WORKLOAD, outgoing);
    let names = |needs: &Needs| needs.variables.iter().map(|v| (v.name.clone(), v.presence)).collect::<Vec<_>>();
    let first = needs(&config, &BTreeMap::new());
    assert_eq!(
        first.files.iter().map(|f| (f.path.as_str(), f.backend.as_deref())).collect::<Vec<_>>(),
        [(PARTNER_CA, Some("partner"))]
    );
    assert_eq!(
        names(&first),
        [
            ("D".to_string(), Presence::Required),
            ("TOOLHIVE_HEADER_FORWARD_PARTNER".to_string(), Presence::Optional),
            ("TOOLHIVE_HEADER_FORWARD_WIKI".to_string(), Presence::Optional)
        ]
    );
    let manifest = Secret::new(r#"{"addHeadersFromSecret":{"X-Key":"HEADER_FORWARD_X_KEY_WIKI"}}"#);
    let known = BTreeMap::from([("TOOLHIVE_HEADER_FORWARD_WIKI".to_string(), Some(manifest))]);
    assert!(
        names(&needs(&config, &known))
            .contains(&("TOOLHIVE_SECRET_HEADER_FORWARD_X_KEY_WIKI".to_string(), Presence::Required))
    );
}

#[test]
fn an_error_that_is_about_no_known_backend_is_fatal() {
    let outgoing = "  backends:\n    nobody: {type: nothing}\n";
    let catalog = discovered(KEYED, outgoing, &materials(&[], &[]));
    assert_eq!((catalog.backends.len(), catalog.rejected.len()), (2, 0));
    assert_eq!(
        catalog.fatal.iter().map(|d| d.path.as_deref()).collect::<Vec<_>>(),
        [Some("/outgoingAuth/backends/nobody/type")]
    );
    let outgoing = "  backends:\n    a: {type: nothing}\n";
    let catalog = discovered(KEYED, outgoing, &materials(&[], &[]));
    assert_eq!((catalog.backends.len(), catalog.rejected.len(), catalog.fatal.len()), (1, 1, 0));
}
