//! Rules for `backends`: names, addresses, transports, types and CA bundles.
//!
//! Each error takes its own backend down and no other.

use alloc::format;
use alloc::vec::Vec;

use super::super::decode::shown;
use super::super::findings::{Findings, Path};
use super::super::model::{AuthStrategy, Config, StaticBackendConfig};
use super::{Names, replace};
use crate::diagnostic::{Place, code, nearest};
use crate::endpoint::{Endpoint, Scheme};
use crate::headers::environment_segment;
use crate::order;

pub(super) fn check(config: &Config, names: &Names<'_>, findings: &mut Findings<'_>) {
    let path = Path::TOP.key("backends");
    if config.backends.is_empty() && !super::Described::is_unread(config, "backends") {
        let origin = &config.backends.origin;
        let span = if origin.span.is_empty() { config.origin.key } else { origin.key };
        findings.report(code::BACKEND_NONE, span, &path, || {
            "there are no backends; expected a list of at least one under `backends`".into()
        });
    }
    for (index, backend) in config.backends.iter().enumerate() {
        check_backend(config, backend, &path.index(index), findings);
    }
    check_duplicates(config, names, &path, findings);
    check_owners(config, names, &path, findings);
}

fn check_backend(config: &Config, backend: &StaticBackendConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    findings.required_text(backend, "name", &backend.name, "a name of its own", path);
    let endpoint = check_url(backend, path, findings);
    check_transport(backend, path, findings);
    check_type(backend, path, findings);
    if let Some(bundle) = backend.ca_bundle_path.as_ref().filter(|bundle| !bundle.is_empty()) {
        findings.ca_path("caBundlePath", bundle, path);
        if endpoint.as_ref().is_some_and(|endpoint| endpoint.scheme() == Scheme::Http) {
            let draft = findings.draft(code::BACKEND_CA_BUNDLE_WITHOUT_TLS, bundle.span, &path.key("caBundlePath"), || {
                "`caBundlePath` stands beside an `http` URL, where no certificate is ever shown; expected an `https` URL"
                    .into()
            });
            if let (Some(draft), Some(url)) = (draft, &backend.url) {
                findings.push(draft.related(Place::input(url.span), "the URL"));
            }
        }
    }
    check_auth(config, backend, endpoint.as_ref(), path, findings);
}

fn check_url(backend: &StaticBackendConfig, path: &Path<'_>, findings: &mut Findings<'_>) -> Option<Endpoint> {
    let url = findings.required_text(backend, "url", &backend.url, "an `http` or `https` URL", path)?;
    match Endpoint::of_backend(url) {
        Ok(endpoint) => Some(endpoint),
        Err(error) => {
            // The URL itself is not repeated: it may carry a password.
            findings.report(code::BACKEND_BAD_URL, url.span, &path.key("url"), || {
                format!("`url` cannot be called: {error}")
            });
            None
        }
    }
}

fn check_transport(backend: &StaticBackendConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    let expected = "`streamable-http` or `sse`";
    let Some(transport) = findings.required_text(backend, "transport", &backend.transport, expected, path) else {
        return;
    };
    let meant = match transport.as_str() {
        "streamable-http" | "streamable" | "sse" => return,
        "http" | "https" | "streamable_http" | "streamableHttp" | "streamablehttp" => Some("streamable-http"),
        _ => None,
    };
    let draft = findings.draft(code::BACKEND_UNSUPPORTED_TRANSPORT, transport.span, &path.key("transport"), || {
        format!("`transport` is `{}`, which cannot be served; expected {expected}", shown(transport))
    });
    if let Some(draft) = draft {
        let meant = meant.or_else(|| nearest(transport, ["streamable-http", "sse"]));
        findings.push(match meant {
            Some(meant) => draft.fix(format!("did you mean `{meant}`?"), replace(transport.span, meant), false),
            None => draft,
        });
    }
}

fn check_type(backend: &StaticBackendConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    let kind = backend.kind.as_ref().filter(|kind| !kind.is_empty());
    let bundle = backend.ca_bundle_path.as_ref().filter(|bundle| !bundle.is_empty());
    match kind.map(|kind| (kind, kind.as_str())) {
        Some((_, "entry")) => {}
        Some((kind, "container")) => {
            findings.report(code::BACKEND_CONTAINER, kind.span, &path.key("type"), || {
                "`type` is `container`, the word of RFC THV-0055; read as empty, a workload".into()
            });
            if let Some(bundle) = bundle {
                let path = path.key("caBundlePath");
                let draft = findings.draft(code::BACKEND_CA_BUNDLE_OF_WORKLOAD, bundle.span, &path, || {
                    "`caBundlePath` stands beside `type: container`; expected it on an entry only (`type: entry`)"
                        .into()
                });
                if let Some(draft) = draft {
                    findings.push(draft.related(Place::input(kind.span), "the type"));
                }
            }
        }
        Some((kind, _)) => {
            let draft = findings.draft(code::CONFIG_BAD_VALUE, kind.span, &path.key("type"), || {
                format!("`type` is `{}`; expected `entry`, or none for a workload", shown(kind))
            });
            if let Some(draft) = draft {
                findings.push(match nearest(kind, ["entry"]) {
                    Some(meant) => draft.fix(format!("did you mean `{meant}`?"), replace(kind.span, meant), false),
                    None => draft,
                });
            }
        }
        None if super::Described::is_unread(backend, "type") => {}
        None => {
            if let Some(bundle) = bundle {
                let path = path.key("caBundlePath");
                findings.report(code::BACKEND_INFERRED_ENTRY, bundle.span, &path, || {
                    "`caBundlePath` stands beside an empty `type`; read as `type: entry`".into()
                });
            } else if let Some((_, label)) = backend.metadata.entry("workload_type")
                && label.as_str() == "server_entry"
            {
                let metadata = path.key("metadata");
                findings.report(code::BACKEND_INFERRED_ENTRY, label.span, &metadata.key("workload_type"), || {
                    "`workload_type` is `server_entry` and `type` is empty; read as `type: entry`".into()
                });
            }
        }
    }
}

fn check_auth(
    config: &Config,
    backend: &StaticBackendConfig,
    endpoint: Option<&Endpoint>,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) {
    if let Some(auth) = &backend.auth {
        let own = config.outgoing_auth.as_ref().zip(backend.name.as_ref());
        let own = own.and_then(|(outgoing, name)| outgoing.backends.entry(name));
        if let Some((key, _)) = own {
            let draft = findings.draft(code::BACKEND_AUTH_TWICE, auth.origin.key, &path.key("auth"), || {
                "`auth` stands beside an entry of `outgoingAuth.backends` for the same backend; expected one of the two"
                    .into()
            });
            if let Some(draft) = draft {
                findings.push(draft.related(Place::input(key.span), "the other one"));
            }
        } else {
            findings.report(code::BACKEND_INLINE_AUTH, auth.origin.key, &path.key("auth"), || {
                "`auth` is read as the entry of `outgoingAuth.backends` for this backend; Go refuses the key".into()
            });
        }
        super::outgoing::check_strategy(auth, &path.key("auth"), findings);
    }
    if !endpoint.is_some_and(|endpoint| endpoint.scheme() == Scheme::Http && !endpoint.is_loopback()) {
        return;
    }
    let strategy = config.auth_of(backend).written().and_then(|written| written.strategy());
    let sends = strategy.is_some_and(|strategy| strategy != AuthStrategy::Unauthenticated);
    if let (true, Some(url)) = (sends, &backend.url) {
        findings.report(code::BACKEND_PLAINTEXT_CREDENTIALS, url.span, &path.key("url"), || {
            "`url` is `http`, so this backend's credentials can be read on the way; expected `https`".into()
        });
    }
}

/// Each bearer of a name that is not its own is rejected: nobody can say which of them was meant.
fn check_duplicates(config: &Config, names: &Names<'_>, path: &Path<'_>, findings: &mut Findings<'_>) {
    for bearers in names.sorted.chunk_by(|(a, _), (b, _)| a == b) {
        let &[(name, first), (_, second), ..] = bearers else { continue };
        for &(_, index) in bearers {
            let other = if index == first { second } else { first };
            let (Some(own), Some(other)) = (name_span(config, index), name_span(config, other)) else { continue };
            let path = path.index(index);
            let draft = findings.draft(code::BACKEND_DUPLICATE_NAME, own, &path.key("name"), || {
                let count = bearers.len();
                format!("`{}` is the name of {count} backends; expected a name of its own for each", shown(name))
            });
            if let Some(draft) = draft {
                findings.push(draft.related(Place::input(other), "also used here"));
            }
        }
    }
}

/// Names that are the same in the operator's header-forward variables.
fn check_owners(config: &Config, names: &Names<'_>, path: &Path<'_>, findings: &mut Findings<'_>) {
    let first_bearers = names.sorted.chunk_by(|(a, _), (b, _)| a == b).filter_map(|bearers| bearers.first());
    let mut owners = first_bearers.map(|&(name, index)| (environment_segment(name), index, name)).collect::<Vec<_>>();
    order::sort(&mut owners, Ord::cmp);
    for sharers in owners.chunk_by(|(a, ..), (b, ..)| a == b) {
        let [(owner, first, first_name), (_, second, second_name), ..] = sharers else { continue };
        for (_, index, name) in sharers {
            let (other, other_name) = if index == first { (second, second_name) } else { (first, first_name) };
            let (Some(own), Some(place)) = (name_span(config, *index), name_span(config, *other)) else { continue };
            let path = path.index(*index);
            let draft = findings.draft(code::BACKEND_FORWARD_COLLISION, own, &path.key("name"), || {
                format!(
                    "`{}` and `{}` share the variable `TOOLHIVE_HEADER_FORWARD_{owner}`; expected names that differ in more than punctuation and case",
                    shown(name),
                    shown(other_name)
                )
            });
            if let Some(draft) = draft {
                findings.push(draft.related(Place::input(place), "the other name"));
            }
        }
    }
}

fn name_span(config: &Config, index: usize) -> Option<crate::text::Span> {
    config.backends.get(index)?.name.as_ref().map(|name| name.span)
}

#[cfg(test)]
mod tests {
    use crate::config::testing::findings;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn each_key_of_a_backend_has_its_rules() {
        assert_eq!(
            findings(
                "
backends:
  - {}
"
            ),
            [
                "config/missing-key /backends/0 «{}» a backend has no `name`; expected a name of its own [backend 0]",
                "config/missing-key /backends/0 «{}» a backend has no `transport`; expected `streamable-http` or `sse` [backend 0]",
                "config/missing-key /backends/0 «{}» a backend has no `url`; expected an `http` or `https` URL [backend 0]",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: '', url: '', transport: ''}
"
            ),
            [
                "config/missing-key /backends/0/name «''» `name` is empty; expected a name of its own [backend 0]",
                "config/missing-key /backends/0/url «''» `url` is empty; expected an `http` or `https` URL [backend 0]",
                "config/missing-key /backends/0/transport «''» `transport` is empty; expected `streamable-http` or `sse` [backend 0]",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'a.example/mcp', transport: sse}
"
            ),
            [
                "backend/bad-url /backends/0/url «'a.example/mcp'» `url` cannot be called: it is not an absolute URL; expected `http://host[:port]/path` or `https://…` [backend 0]",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://user:pw@a.example/mcp', transport: streamable}
"
            ),
            [
                "backend/bad-url /backends/0/url «'https://user:pw@a.example/mcp'» `url` cannot be called: it carries user info before `@`; credentials belong in `outgoingAuth` [backend 0]",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/', transport: stdio}
"
            ),
            [
                "backend/unsupported-transport /backends/0/transport «stdio» `transport` is `stdio`, which cannot be served; expected `streamable-http` or `sse` [backend 0]",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/', transport: http}
"
            ),
            [
                "backend/unsupported-transport /backends/0/transport «http» `transport` is `http`, which cannot be served; expected `streamable-http` or `sse` [backend 0] {did you mean `streamable-http`?}",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/', transport: streamable-htp}
"
            ),
            [
                "backend/unsupported-transport /backends/0/transport «streamable-htp» `transport` is `streamable-htp`, which cannot be served; expected `streamable-http` or `sse` [backend 0] {did you mean `streamable-http`?}",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/', transport: [sse]}
"
            ),
            ["config/wrong-type /backends/0/transport «transport» `transport` is a list; expected text [backend 0]",]
        );
        assert_eq!(
            findings(
                "
backends:
  - ~
"
            ),
            ["config/null-entry /backends/0 «~» `backends[0]` has nothing in it; expected a mapping [backend 0]",]
        );
        assert_eq!(
            findings(
                "
backends:
  - text
"
            ),
            ["config/wrong-type /backends/0 «text» `backends[0]` is text; expected a mapping [backend 0]",]
        );
    }

    #[test]
    fn a_type_is_entry_or_empty_or_told_by_something_else() {
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, type: entry, caBundlePath: /ca.crt}
"
            ),
            [""; 0]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, type: ''}
"
            ),
            [""; 0]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, type: container}
"
            ),
            [
                "backend/container /backends/0/type «container» `type` is `container`, the word of RFC THV-0055; read as empty, a workload",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, caBundlePath: /ca.crt}
"
            ),
            [
                "backend/inferred-entry /backends/0/caBundlePath «/ca.crt» `caBundlePath` stands beside an empty `type`; read as `type: entry`",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, metadata: {workload_type: server_entry}}
"
            ),
            [
                "backend/inferred-entry /backends/0/metadata/workload_type «server_entry» `workload_type` is `server_entry` and `type` is empty; read as `type: entry`",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, metadata: {workload_type: mcp_server}}
"
            ),
            [""; 0]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, type: Entry}
"
            ),
            [
                "config/bad-value /backends/0/type «Entry» `type` is `Entry`; expected `entry`, or none for a workload [backend 0] {did you mean `entry`?}",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, type: workload, caBundlePath: /ca.crt}
"
            ),
            [
                "config/bad-value /backends/0/type «workload» `type` is `workload`; expected `entry`, or none for a workload [backend 0]",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, type: container, caBundlePath: /ca.crt}
"
            ),
            [
                "backend/container /backends/0/type «container» `type` is `container`, the word of RFC THV-0055; read as empty, a workload",
                "backend/ca-bundle-of-workload /backends/0/caBundlePath «/ca.crt» `caBundlePath` stands beside `type: container`; expected it on an entry only (`type: entry`) [backend 0] (the type: «container»)",
            ]
        );
    }

    #[test]
    fn a_ca_bundle_path_is_absolute_and_stands_beside_https() {
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, type: entry, caBundlePath: ca.crt}
"
            ),
            [
                "config/bad-path /backends/0/caBundlePath «ca.crt» `caBundlePath` is `ca.crt`, which is not absolute; expected an absolute path without `..` [backend 0]",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, type: entry, caBundlePath: /etc/../ca.crt}
"
            ),
            [
                "config/bad-path /backends/0/caBundlePath «/etc/../ca.crt» `caBundlePath` is `/etc/../ca.crt`, which contains `..`; expected an absolute path without `..` [backend 0]",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, type: entry, caBundlePath: '/a..b'}
"
            ),
            [
                "config/bad-path /backends/0/caBundlePath «'/a..b'» `caBundlePath` is `/a..b`, which contains `..`; expected an absolute path without `..` [backend 0]",
            ]
        );
        assert_eq!(
            findings(
                r#"
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, type: entry, caBundlePath: "/a\0b"}
"#
            ),
            [
                r#"config/bad-path /backends/0/caBundlePath «"/a\0b"» `caBundlePath` is `/a\u{0}b`, which contains a NUL character; expected an absolute path without `..` [backend 0]"#,
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'http://a.example/', transport: sse, type: entry, caBundlePath: /ca.crt}
"
            ),
            [
                "backend/ca-bundle-without-tls /backends/0/caBundlePath «/ca.crt» `caBundlePath` stands beside an `http` URL, where no certificate is ever shown; expected an `https` URL [backend 0] (the URL: «'http://a.example/'»)",
            ]
        );
    }

    #[test]
    fn all_bearers_of_one_name_are_rejected() {
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/', transport: sse}
  - {name: b, url: 'https://b.example/', transport: sse}
  - {name: a, url: 'https://c.example/', transport: sse}
  - {name: 'a', url: 'https://d.example/', transport: sse}
"
            ),
            [
                "backend/duplicate-name /backends/0/name «a» `a` is the name of 3 backends; expected a name of its own for each [backend 0] (also used here: «a»)",
                "backend/duplicate-name /backends/2/name «a» `a` is the name of 3 backends; expected a name of its own for each [backend 2] (also used here: «a»)",
                "backend/duplicate-name /backends/3/name «'a'» `a` is the name of 3 backends; expected a name of its own for each [backend 3] (also used here: «a»)",
            ]
        );
    }

    #[test]
    fn names_that_share_a_header_forward_variable_are_told() {
        assert_eq!(
            findings(
                "
backends:
  - {name: a.b, url: 'https://a.example/', transport: sse}
  - {name: a-b, url: 'https://b.example/', transport: sse}
  - {name: c, url: 'https://c.example/', transport: sse}
"
            ),
            [
                "backend/forward-collision /backends/0/name «a.b» `a.b` and `a-b` share the variable `TOOLHIVE_HEADER_FORWARD_A_B`; expected names that differ in more than punctuation and case (the other name: «a-b»)",
                "backend/forward-collision /backends/1/name «a-b» `a-b` and `a.b` share the variable `TOOLHIVE_HEADER_FORWARD_A_B`; expected names that differ in more than punctuation and case (the other name: «a.b»)",
            ]
        );
    }

    #[test]
    fn an_auth_block_under_a_backend_is_its_strategy() {
        assert_eq!(findings("
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, auth: {type: header_injection, headerInjection: {headerName: X-Key, headerValueEnv: KEY}}}
"), [
            "backend/inline-auth /backends/0/auth «auth» `auth` is read as the entry of `outgoingAuth.backends` for this backend; Go refuses the key",
        ]);
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, auth: {type: header_injection}}
"
            ),
            [
                "config/missing-key /backends/0/auth «auth» an auth strategy has no `headerInjection`; expected the block for `type: header_injection` [backend 0]",
                "backend/inline-auth /backends/0/auth «auth» `auth` is read as the entry of `outgoingAuth.backends` for this backend; Go refuses the key",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, auth: text}
"
            ),
            [
                "backend/inline-auth /backends/0/auth «auth» `auth` is read as the entry of `outgoingAuth.backends` for this backend; Go refuses the key",
                "config/wrong-type /backends/0/auth «text» `auth` is text; expected a mapping [backend 0]",
            ]
        );
        assert_eq!(
            findings(
                "
backends:
  - {name: a, url: 'https://a.example/mcp', transport: streamable-http, auth: {type: unauthenticated}}
outgoingAuth: {source: inline, backends: {a: {type: unauthenticated}}}
"
            ),
            [
                "backend/auth-twice /backends/0/auth «auth» `auth` stands beside an entry of `outgoingAuth.backends` for the same backend; expected one of the two [backend 0] (the other one: «a»)",
            ]
        );
    }

    #[test]
    fn credentials_over_plain_http_are_told() {
        assert_eq!(findings("
backends:
  - {name: a, url: 'http://a.svc:8080', transport: sse}
  - {name: b, url: 'http://127.0.0.1:8080', transport: sse}
outgoingAuth: {source: inline, default: {type: header_injection, headerInjection: {headerName: X-Key, headerValueEnv: KEY}}}
"), [
            "backend/plaintext-credentials /backends/0/url «'http://a.svc:8080'» `url` is `http`, so this backend's credentials can be read on the way; expected `https`",
        ]);
        assert_eq!(findings("
backends:
  - {name: a, url: 'http://a.svc:8080', transport: sse}
outgoingAuth: {source: inline, backends: {a: {type: discovered}}, default: {type: header_injection, headerInjection: {headerName: X-Key, headerValueEnv: KEY}}}
"), [
            "auth/discovered-strategy /outgoingAuth/backends/a/type «discovered» `type` is `discovered`, which is no strategy; read as `unauthenticated`, so that nothing is sent {write `unauthenticated`, safe}",
        ]);
    }
}
