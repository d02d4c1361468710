//! What a backend is called with: its strategy as configured, turned into credentials with the secret in hand.
//!
//! It makes no request and reads no environment. A strategy that cannot be carried out gives no credentials at all, so
//! that a backend is never called without what was asked for.

mod resolve;
mod strategy;

pub use resolve::{ANY_URL, STS_URL};
pub use strategy::{
    AwsSts, Client, Obo, RoleMapping, RoleRule, Strategy, TOKEN_TYPE, TokenEndpoint, TokenExchange, Xaa,
};

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::{AuthStrategy, BackendAuthStrategy, Config, Configured, StaticBackendConfig, Text};
use crate::diagnostic::{Diagnostic, Scope, pointer};
use crate::endpoint::{Endpoint, Scheme};
use crate::secret::Secret;
use crate::text::Span;
use crate::trust::Pool;
use resolve::Resolve;

/// Credentials with the secret in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// None are sent.
    Unauthenticated,
    /// One fixed header.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: Secret,
    },
    /// Made for each caller from the caller's own token.
    Made(Arc<Strategy>),
}

impl Credentials {
    /// The strategy's type, as configured.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::Header { .. } => "header_injection",
            Self::Made(strategy) => strategy.word(),
        }
    }

    /// The header that they are sent in.
    #[must_use]
    pub fn header(&self) -> Option<&str> {
        match self {
            Self::Unauthenticated => None,
            Self::Header { name, .. } => Some(name),
            Self::Made(strategy) => Some(strategy.header()),
        }
    }
}

impl Credentials {
    /// Whether they are other ones for each caller: then nothing that was seen with those of one is shown to another.
    #[must_use]
    pub fn depend_on_caller(&self) -> bool {
        match self {
            Self::Unauthenticated | Self::Header { .. } => false,
            Self::Made(_) => true,
        }
    }
}

/// Where a backend's strategy is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthSource {
    /// Under the backend itself (`auth`).
    Inline,
    /// `outgoingAuth.backends`, under its name.
    Own,
    /// `outgoingAuth.default`.
    Default,
    /// Nowhere: unauthenticated.
    None,
}

/// A strategy as it applies to one backend: what is written, where, and what falls with it.
#[derive(Clone, Debug)]
pub struct Applied<'c> {
    /// Where it comes from.
    pub source: AuthSource,
    /// What is written; `None` if nothing is.
    pub written: Option<&'c BackendAuthStrategy>,
    /// JSON pointer of it.
    pub pointer: String,
    /// What an error in it takes down.
    pub scope: Scope,
}

impl<'c> Applied<'c> {
    /// The strategy of `backends[index]`.
    #[must_use]
    pub fn of(config: &'c Config, index: usize, backend: &'c StaticBackendConfig) -> Self {
        let name = backend.name.as_ref().map(|name| name.value.as_str()).unwrap_or_default();
        let configured = config.auth_of(backend);
        let (source, pointer, scope) = match configured {
            Configured::Inline(_) => (AuthSource::Inline, format!("/backends/{index}/auth"), Scope::Entry(index)),
            Configured::Own(_) => {
                (AuthSource::Own, pointer("/outgoingAuth/backends", name), Scope::Strategy(Some(name.to_owned())))
            }
            Configured::Default(_) => (AuthSource::Default, "/outgoingAuth/default".to_owned(), Scope::Strategy(None)),
            Configured::Nothing => (AuthSource::None, String::new(), Scope::Config),
        };
        Self { source, written: configured.written(), pointer, scope }
    }

    /// Whether an error of `scope` takes it down.
    #[must_use]
    pub fn falls_with(&self, scope: &Scope) -> bool {
        self.written.is_some() && *scope == self.scope
    }

    /// The names of the variables that its secrets are in, each with where it is named.
    #[must_use]
    pub fn variables(&self) -> Vec<SecretVariable> {
        let Some(strategy) = self.written.and_then(BackendAuthStrategy::strategy) else { return Vec::new() };
        let mut variables = Vec::new();
        let mut add = |block: &str, key: &str, text: &Text| {
            if let Some(name) = text.as_ref().filter(|name| !name.value.is_empty()) {
                let pointer = format!("{}/{block}/{key}", self.pointer);
                variables.push(SecretVariable { name: name.value.clone(), span: name.span, pointer });
            }
        };
        match strategy {
            AuthStrategy::Unauthenticated | AuthStrategy::UpstreamInject(_) | AuthStrategy::AwsSts(_) => {}
            AuthStrategy::HeaderInjection(block) => add("headerInjection", "headerValueEnv", &block.header_value_env),
            AuthStrategy::TokenExchange(block) => add("tokenExchange", "clientSecretEnv", &block.client_secret_env),
            AuthStrategy::Obo(block) => add("obo", "clientSecretEnv", &block.client_secret_env),
            AuthStrategy::Xaa(block) => {
                add("xaa", "idpClientSecretEnv", &block.idp_client_secret_env);
                add("xaa", "targetClientSecretEnv", &block.target_client_secret_env);
            }
        }
        variables
    }

    /// The CA bundles of its token endpoints.
    #[must_use]
    pub fn bundles(&self) -> Vec<BundlePath<'c>> {
        let Some(strategy) = self.written.and_then(BackendAuthStrategy::strategy) else { return Vec::new() };
        let keys: &[(&str, &str, &'c Text)] = match strategy {
            AuthStrategy::TokenExchange(block) => &[("tokenExchange", "caBundlePath", &block.ca_bundle_path)],
            AuthStrategy::Obo(block) => &[("obo", "caBundlePath", &block.ca_bundle_path)],
            AuthStrategy::AwsSts(block) => &[("awsSts", "caBundlePath", &block.ca_bundle_path)],
            AuthStrategy::Xaa(block) => &[
                ("xaa", "caBundlePath", &block.ca_bundle_path),
                ("xaa", "targetCaBundlePath", &block.target_ca_bundle_path),
            ],
            AuthStrategy::Unauthenticated | AuthStrategy::HeaderInjection(_) | AuthStrategy::UpstreamInject(_) => &[],
        };
        keys.iter()
            .map(|(block, key, text)| BundlePath { text, pointer: format!("{}/{block}/{key}", self.pointer) })
            .collect()
    }

    /// The variables that it looks at if they are there, each with the text on account of which.
    #[must_use]
    pub fn optional_variables(&self) -> Vec<SecretVariable> {
        let Some(strategy) = self.written.and_then(BackendAuthStrategy::strategy) else { return Vec::new() };
        let urls: &[(&str, &str, &Text)] = match strategy {
            AuthStrategy::TokenExchange(block) => &[("tokenExchange/tokenUrl", ANY_URL, &block.token_url)],
            AuthStrategy::Obo(block) => &[("obo/tokenUrl", ANY_URL, &block.token_url)],
            AuthStrategy::Xaa(block) => &[
                ("xaa/idpTokenUrl", ANY_URL, &block.idp_token_url),
                ("xaa/targetTokenUrl", ANY_URL, &block.target_token_url),
            ],
            AuthStrategy::AwsSts(block) => &[("awsSts/region", STS_URL, &block.region)],
            AuthStrategy::Unauthenticated | AuthStrategy::HeaderInjection(_) | AuthStrategy::UpstreamInject(_) => &[],
        };
        let plain =
            |text: &str| Endpoint::parse(text).is_ok_and(|url| url.scheme() == Scheme::Http && !url.is_loopback());
        let mut variables: Vec<SecretVariable> = Vec::new();
        for (key, name, text) in urls {
            let Some(text) = text else { continue };
            if (*name == STS_URL || plain(&text.value)) && variables.iter().all(|known| known.name != *name) {
                let pointer = format!("{}/{key}", self.pointer);
                variables.push(SecretVariable { name: (*name).to_owned(), span: text.span, pointer });
            }
        }
        variables
    }

    /// Puts the secrets in. `pool` is asked whom a token endpoint is verified against; where it gives none, it has
    /// reported why.
    ///
    /// # Errors
    /// Why the strategy gives no credentials: it is not built, a variable is missing or holds no header value, a token
    /// endpoint may not be called. Empty if it is already among the configuration's own findings, or those of `pool`.
    pub fn credentials(
        &self,
        variables: &BTreeMap<String, Option<Secret>>,
        pool: &mut dyn FnMut(&Trust<'_>) -> Option<Arc<Pool>>,
    ) -> Result<Credentials, Vec<Diagnostic>> {
        let mut resolve = Resolve { applied: self, variables, pool, reasons: Vec::new() };
        resolve.credentials().ok_or(resolve.reasons)
    }
}

/// A CA bundle of a token endpoint, as configured.
#[derive(Clone, Debug)]
pub struct BundlePath<'c> {
    /// The path.
    pub text: &'c Text,
    /// JSON pointer of it.
    pub pointer: String,
}

/// Which pool is wanted for a token endpoint: the system roots, with this bundle if there is one.
#[derive(Clone, Debug)]
pub struct Trust<'a> {
    /// The path of the bundle.
    pub bundle: Option<&'a str>,
    /// What is wrong if there is none: the path, else the URL.
    pub span: Span,
    /// JSON pointer of that.
    pub pointer: String,
    /// What falls if there is none.
    pub scope: Scope,
    /// The endpoint.
    pub url: &'a Endpoint,
}

/// A variable that holds a secret, and where the configuration names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretVariable {
    /// Its name.
    pub name: String,
    /// The text that names it.
    pub span: Span,
    /// JSON pointer of that text.
    pub pointer: String,
}
