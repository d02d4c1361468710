//! What a backend is called with: its strategy as configured, turned into credentials with the secret in hand.
//!
//! It makes no request and reads no environment. A strategy that cannot be carried out gives no credentials at all, so
//! that a backend is never called without what was asked for.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{
    AuthStrategy, BackendAuthStrategy, Config, Configured, HeaderInjectionConfig, StaticBackendConfig,
};
use crate::diagnostic::{Diagnostic, Scope, code, pointer};
use crate::headers;
use crate::secret::Secret;
use crate::text::Span;

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
}

impl Credentials {
    /// Whether they are other ones for each caller: then nothing that was seen with those of one is shown to another.
    #[must_use]
    pub fn depend_on_caller(&self) -> bool {
        match self {
            Self::Unauthenticated | Self::Header { .. } => false,
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
        let mut add = |block: &str, key: &str, text: &crate::config::Text| {
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

    /// Puts the secrets in.
    ///
    /// # Errors
    /// Why the strategy gives no credentials: it is not built, or a variable is missing or holds no header value. Empty
    /// if it is already among the configuration's own findings.
    pub fn credentials(&self, variables: &BTreeMap<String, Option<Secret>>) -> Result<Credentials, Vec<Diagnostic>> {
        let Some(written) = self.written else { return Ok(Credentials::Unauthenticated) };
        let Some(strategy) = written.strategy() else { return Err(Vec::new()) };
        let kind = match strategy {
            AuthStrategy::Unauthenticated => return Ok(Credentials::Unauthenticated),
            AuthStrategy::HeaderInjection(block) => return self.header(block, variables),
            AuthStrategy::TokenExchange(_) => "token_exchange",
            AuthStrategy::UpstreamInject(_) => "upstream_inject",
            AuthStrategy::AwsSts(_) => "aws_sts",
            AuthStrategy::Obo(_) => "obo",
            AuthStrategy::Xaa(_) => "xaa",
        };
        let span = written.kind.as_ref().map_or(Span::default(), |kind| kind.span);
        let message = format!("strategy `{kind}` is not built into this version; a backend is never called without it");
        Err(alloc::vec![
            Diagnostic::new(code::STRATEGY_NOT_BUILT, message)
                .at(span)
                .path(format!("{}/type", self.pointer))
                .scope(self.scope.clone())
                .help("strategies that can be used: `unauthenticated`, `header_injection`")
        ])
    }

    fn header(
        &self,
        block: &HeaderInjectionConfig,
        variables: &BTreeMap<String, Option<Secret>>,
    ) -> Result<Credentials, Vec<Diagnostic>> {
        let Some(name) = block.header_name.as_ref().map(|name| name.value.clone()).filter(|name| !name.is_empty())
        else {
            return Err(Vec::new());
        };
        if let Some(literal) = block.header_value.as_ref().filter(|value| !value.value.is_empty()) {
            return Ok(Credentials::Header { name, value: literal.value.clone() });
        }
        let Some(variable) = self.variables().into_iter().next() else { return Err(Vec::new()) };
        let found = variables.get(&variable.name).and_then(Option::as_ref).filter(|value| !value.is_empty());
        let refusal = |message: String, code| {
            Err(alloc::vec![
                Diagnostic::new(code, message)
                    .at(variable.span)
                    .path(variable.pointer.clone())
                    .scope(self.scope.clone())
            ])
        };
        match found {
            None => refusal(
                format!(
                    "environment variable `{}` is not set or is empty; it holds the value of header `{name}`",
                    variable.name
                ),
                code::VARIABLE_MISSING,
            ),
            Some(value) => match headers::value_problem(value.expose()) {
                None => Ok(Credentials::Header { name, value: value.clone() }),
                Some(problem) => refusal(
                    format!(
                        "environment variable `{}` holds no header value: header `{name}` {problem}",
                        variable.name
                    ),
                    code::VARIABLE_NOT_A_HEADER,
                ),
            },
        }
    }
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
