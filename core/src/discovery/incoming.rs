//! Makes of `incomingAuth` what the listener asks of callers.
//!
//! Nothing here falls back: an issuer that cannot be asked as it was meant gives no listener at all.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Materials;
use crate::config::{Config, Flag, OidcConfig, Text};
use crate::diagnostic::{Code, Diagnostic, code};
use crate::endpoint::{Endpoint, Scheme};
use crate::identity::{Addresses, Incoming, Oidc, PlainHttp};
use crate::secret::Secret;
use crate::text::Span;
use crate::trust::{CaBundle, Pool};

/// The variables in which the client secret is looked for, after the one that the configuration names: what the operator
/// sets, and what the Go program reads.
pub(super) const CLIENT_SECRETS: [&str; 2] = ["VMCP_OIDC_CLIENT_SECRET", "TOOLHIVE_OIDC_CLIENT_SECRET"];
/// With `true`, `http` is allowed everywhere, as in the Go program.
pub(super) const NO_URL_VALIDATION: &str = "INSECURE_DISABLE_URL_VALIDATION";

/// How callers are identified; `None`, with the reason among the findings or among those of the configuration itself, if
/// nobody may be let in.
pub(super) fn incoming(config: &Config, materials: &Materials) -> (Option<Incoming>, Vec<Diagnostic>) {
    let Some(written) = &config.incoming_auth else { return (None, Vec::new()) };
    match (written.kind.as_ref().map(|kind| kind.value.as_str()), &written.oidc) {
        (Some("anonymous"), _) => (Some(Incoming::Anonymous), Vec::new()),
        (Some("local"), _) => (Some(Incoming::Local), Vec::new()),
        (Some("oidc"), Some(oidc)) => {
            let mut candidate = Candidate { written: oidc, materials, findings: Vec::new() };
            let oidc = candidate.prove();
            (oidc.map(|oidc| Incoming::Oidc(oidc.into())), candidate.findings)
        }
        _ => (None, Vec::new()),
    }
}

struct Candidate<'c> {
    written: &'c OidcConfig,
    materials: &'c Materials,
    findings: Vec<Diagnostic>,
}

impl Candidate<'_> {
    fn prove(&mut self) -> Option<Oidc> {
        let written = self.written;
        let plain_http = if is_set(&written.insecure_allow_http) || self.variable_is_true(NO_URL_VALIDATION) {
            PlainHttp::Anywhere
        } else {
            PlainHttp::Loopback
        };
        let private = is_set(&written.jwks_allow_private_ip) || is_set(&written.protected_resource_allow_private_ip);
        let jwks = self.endpoint("jwksUrl", &written.jwks_url, plain_http);
        let introspection = self.endpoint("introspectionUrl", &written.introspection_url, plain_http);
        // Without it, the issuer itself is asked where its keys are.
        let asked = match &jwks {
            Ok(Some(_)) => Ok(None),
            _ => self.endpoint("issuer", &written.issuer, plain_http),
        };
        let pool =
            self.pool([&jwks, &introspection, &asked].into_iter().any(|url| {
                url.as_ref().is_ok_and(|url| url.as_ref().is_some_and(|url| url.scheme() == Scheme::Https))
            }));
        let client_id = text(&written.client_id);
        let client_secret = self.client_secret();
        if let (Ok(Some(_)), Some(_), None) = (&introspection, &client_id, &client_secret) {
            self.no_client_secret();
        }
        let (jwks, introspection, _) = (jwks.ok()?, introspection.ok()?, asked.ok()?);
        Some(Oidc {
            issuer: text(&written.issuer)?.trim().to_owned(),
            audience: text(&written.audience)?,
            client_id,
            client_secret,
            resource: text(&written.resource),
            jwks,
            introspection,
            scopes: written.scopes.iter().map(|scope| scope.value.clone()).collect(),
            addresses: if private { Addresses::Any } else { Addresses::Public },
            plain_http,
            pool: pool?,
        })
    }

    /// A URL that is asked; none if none is written. What is no URL is among the configuration's own findings.
    fn endpoint(&mut self, key: &'static str, written: &Text, plain_http: PlainHttp) -> Result<Option<Endpoint>, ()> {
        let Some(url) = written.as_ref().filter(|url| !url.value.is_empty()) else { return Ok(None) };
        let endpoint = Endpoint::parse(url.value.trim()).map_err(drop)?;
        if endpoint.scheme() == Scheme::Http && plain_http == PlainHttp::Loopback && !endpoint.is_loopback() {
            let message = format!(
                "`{key}` is {endpoint}, so whoever is on the way could make keys and callers; expected `https`"
            );
            self.report(code::INCOMING_PLAIN_HTTP, url.span, key, message);
            return Err(());
        }
        Ok(Some(endpoint))
    }

    /// System roots plus the bundle that is named. A bundle that cannot be used gives no pool at all.
    fn pool(&mut self, is_verified: bool) -> Option<Arc<Pool>> {
        let system = self.materials.system_roots.clone();
        let Some(path) = self.written.ca_bundle_path.as_ref().filter(|path| !path.value.is_empty()) else {
            if system.is_empty() && is_verified {
                let span = self.written.issuer.as_ref().map_or(Span::default(), |issuer| issuer.span);
                let message = "no system roots were found and `incomingAuth.oidc` has no CA bundle; nobody can vouch for the issuer";
                self.report(code::NO_ANCHORS, span, "issuer", message.to_owned());
                return None;
            }
            return Some(Arc::new(Pool::new(system, None)));
        };
        let problem = match self.materials.files.get(&path.value) {
            Some(Ok(bytes)) => {
                let (bundle, findings) = CaBundle::read(&path.value, bytes, self.materials.now);
                self.findings.extend(findings);
                return Some(Arc::new(Pool::new(system, Some(Arc::new(bundle?)))));
            }
            Some(Err(problem)) => format!("CA bundle `{}`: {problem}", path.value),
            None => format!("CA bundle `{}` was not looked for", path.value),
        };
        self.report(code::CA_BUNDLE_UNREADABLE, path.span, "caBundlePath", problem);
        None
    }

    /// The first that is set: the variable that the configuration names, the operator's, the Go program's.
    fn client_secret(&self) -> Option<Secret> {
        let named = text(&self.written.client_secret_env);
        let names = named.iter().map(String::as_str).chain(CLIENT_SECRETS);
        let value = |name: &str| self.materials.variables.get(name)?.clone().filter(|value| !value.is_empty());
        names.filter_map(value).next()
    }

    fn no_client_secret(&mut self) {
        let named = self.written.client_secret_env.as_ref().filter(|name| !name.value.is_empty());
        let mut names: Vec<_> = named.iter().map(|name| name.value.as_str()).collect();
        for name in CLIENT_SECRETS {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let (span, key) = match named {
            Some(name) => (name.span, "clientSecretEnv"),
            None => {
                (self.written.introspection_url.as_ref().map_or(Span::default(), |url| url.span), "introspectionUrl")
            }
        };
        let message = format!(
            "none of {} is set, so `introspectionUrl` is asked without credentials; most issuers refuse that",
            names.join(", ")
        );
        self.report(code::INCOMING_NO_CLIENT_SECRET, span, key, message);
    }

    fn variable_is_true(&self, name: &str) -> bool {
        let value = self.materials.variables.get(name).and_then(Option::as_ref);
        value.is_some_and(|value| value.expose().eq_ignore_ascii_case("true"))
    }

    fn report(&mut self, code: Code, span: Span, key: &str, message: String) {
        self.findings.push(Diagnostic::new(code, message).at(span).path(format!("/incomingAuth/oidc/{key}")));
    }
}

fn text(text: &Text) -> Option<String> {
    text.as_ref().map(|text| text.value.to_string()).filter(|text| !text.is_empty())
}

fn is_set(flag: &Flag) -> bool {
    flag.as_ref().is_some_and(|flag| flag.value)
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;
    use crate::config::testing::read;
    use crate::discovery::{FileProblem, Presence, needs};
    use crate::trust::UnixTime;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn materials(variables: &[(&str, &str)]) -> Materials {
        let variables = variables.iter().map(|(name, value)| ((*name).into(), Some(Secret::new(*value)))).collect();
        Materials {
            files: BTreeMap::from([("/missing".into(), Err(FileProblem::Missing))]),
            variables,
            system_roots: Arc::default(),
            now: UnixTime::since_unix_epoch(core::time::Duration::ZERO),
        }
    }

    /// What comes of `oidc` with these further keys and variables; `Err` is the findings.
    fn proved(more: &str, variables: &[(&str, &str)]) -> Result<Oidc, Vec<String>> {
        let text = format!("incomingAuth: {{type: oidc, oidc: {{audience: me, {more}}}}}");
        let (config, _) = read(&text);
        let (incoming, findings) = incoming(&config, &materials(variables));
        match incoming {
            Some(Incoming::Oidc(oidc)) => Ok(*oidc),
            _ => Err(findings
                .iter()
                .map(|finding| format!("{} {}", finding.path.as_deref().unwrap_or_default(), finding.message))
                .collect()),
        }
    }

    const LOCAL: &str = "issuer: 'http://127.0.0.1:9'";

    #[test]
    fn who_is_let_in_how_is_what_is_written() {
        let of = |text: &str| incoming(&read(text).0, &materials(&[])).0.map(|incoming| incoming.word());
        assert_eq!(of("incomingAuth: {type: anonymous}"), Some("anonymous"));
        assert_eq!(of("incomingAuth: {type: local}"), Some("local"));
        for text in ["incomingAuth: {type: oidc}", "incomingAuth: {}", "incomingAuth: {type: Local}", "name: a"] {
            assert_eq!(of(text), None, "{text}");
        }
        let oidc = proved(&format!("{LOCAL}, scopes: [a, b], resource: r"), &[]).unwrap();
        assert_eq!((&*oidc.issuer, &*oidc.audience, oidc.resource.as_deref()), ("http://127.0.0.1:9", "me", Some("r")));
        assert_eq!((oidc.scopes.len(), oidc.addresses, oidc.plain_http), (2, Addresses::Public, PlainHttp::Loopback));
        for key in ["jwksAllowPrivateIp", "protectedResourceAllowPrivateIp"] {
            assert_eq!(proved(&format!("{LOCAL}, {key}: true"), &[]).unwrap().addresses, Addresses::Any, "{key}");
        }
    }

    #[test]
    fn without_tls_only_with_the_switch_or_the_variable() {
        let far = "issuer: 'http://idp.example'";
        assert_eq!(
            proved(far, &[]).unwrap_err(),
            [
                "/incomingAuth/oidc/issuer `issuer` is http://idp.example/, so whoever is on the way could make keys and callers; expected `https`"
            ]
        );
        assert!(proved(&format!("{far}, insecureAllowHttp: true"), &[]).is_ok());
        assert!(proved(far, &[(NO_URL_VALIDATION, "True")]).is_ok());
        assert!(proved(far, &[(NO_URL_VALIDATION, "1")]).is_err());
        // Where the keys are is said, so the issuer is a name and nothing that is asked.
        assert!(proved("issuer: name, jwksUrl: 'http://localhost/k'", &[]).is_ok());
        assert!(proved("issuer: name, jwksUrl: 'http://far/k'", &[]).is_err());
        assert!(proved("issuer: name", &[]).is_err());
        assert!(proved(&format!("{LOCAL}, introspectionUrl: 'http://far/i'"), &[]).is_err());
    }

    #[test]
    fn the_client_secret_is_the_first_that_is_set() {
        let more = format!("{LOCAL}, clientId: c, clientSecretEnv: OWN, introspectionUrl: 'http://localhost/i'");
        let of = |variables: &[(&str, &str)]| proved(&more, variables).unwrap().client_secret;
        let all = [("OWN", "1"), ("VMCP_OIDC_CLIENT_SECRET", "2"), ("TOOLHIVE_OIDC_CLIENT_SECRET", "3")];
        assert_eq!(of(&all), Some(Secret::new("1")));
        assert_eq!(of(&all[1..]), Some(Secret::new("2")));
        assert_eq!(of(&[("OWN", ""), all[2]]), Some(Secret::new("3")));
        assert_eq!(of(&[]), None);
        let (config, _) = read(&format!("incomingAuth: {{type: oidc, oidc: {{audience: me, {more}}}}}"));
        let found = incoming(&config, &materials(&[])).1;
        assert_eq!(
            found[0].message,
            "none of `OWN`, `VMCP_OIDC_CLIENT_SECRET`, `TOOLHIVE_OIDC_CLIENT_SECRET` is set, so `introspectionUrl` is asked without credentials; most issuers refuse that"
        );
        let needed = needs(&config, &BTreeMap::new()).variables;
        for name in ["OWN", "VMCP_OIDC_CLIENT_SECRET", "TOOLHIVE_OIDC_CLIENT_SECRET", NO_URL_VALIDATION] {
            let need = needed.iter().find(|need| need.name == name).unwrap();
            assert_eq!(need.presence, Presence::Optional, "{name}");
        }
    }

    #[test]
    fn an_issuer_that_nobody_vouches_for_is_not_asked() {
        assert_eq!(
            proved("issuer: 'https://idp.example'", &[]).unwrap_err(),
            [
                "/incomingAuth/oidc/issuer no system roots were found and `incomingAuth.oidc` has no CA bundle; nobody can vouch for the issuer"
            ]
        );
        for (path, why) in [("/missing", "no such file"), ("/other", "was not looked for")] {
            let found = proved(&format!("issuer: 'https://idp.example', caBundlePath: {path}"), &[]).unwrap_err();
            assert!(
                found[0].starts_with("/incomingAuth/oidc/caBundlePath CA bundle `") && found[0].ends_with(why),
                "{found:?}"
            );
        }
    }
}
