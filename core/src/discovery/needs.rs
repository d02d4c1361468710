//! What the configuration wants from the world, asked until the answers bring up nothing new.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};

use super::header_forward::{Manifest, manifest_variable};
use super::incoming::{CLIENT_SECRETS, NO_URL_VALIDATION};
use super::{FileNeed, Needs, Presence, VariableNeed};
use crate::auth::Applied;
use crate::config::{Config, StaticBackendConfig, Text};
use crate::secret::Secret;
use crate::text::Span;

/// The files and variables that `config` needs, given the variables that are known already: a header-forward manifest
/// names further ones. Start with none, and ask again with the answers until nothing new is needed; twice is enough.
///
/// Each file and variable stands in it once, at the first text that asks for it.
#[must_use]
pub fn needs(config: &Config, variables: &BTreeMap<String, Option<Secret>>) -> Needs {
    let mut asked = Asked::default();
    for (index, backend) in config.backends.iter().enumerate() {
        asked.backend(config, index, backend, variables);
    }
    asked.others(config);
    Needs { files: asked.files.into_values().collect(), variables: asked.variables.into_values().collect() }
}

#[derive(Default)]
struct Asked {
    files: BTreeMap<String, FileNeed>,
    variables: BTreeMap<String, VariableNeed>,
}

impl Asked {
    fn file(&mut self, text: &Text, backend: Option<&str>, pointer: impl FnOnce() -> String) {
        let Some(path) = text.as_ref().filter(|path| !path.value.is_empty()) else { return };
        self.files.entry(path.value.clone()).or_insert_with(|| FileNeed {
            path: path.value.clone(),
            backend: backend.map(ToString::to_string),
            span: path.span,
            pointer: pointer(),
        });
    }

    /// Required wins over optional, the first text over later ones.
    fn variable(&mut self, name: String, presence: Presence, span: Span, pointer: String) {
        let need = self.variables.entry(name.clone()).or_insert(VariableNeed { name, presence, span, pointer });
        if presence == Presence::Required {
            need.presence = Presence::Required;
        }
    }

    fn backend(
        &mut self,
        config: &Config,
        index: usize,
        backend: &StaticBackendConfig,
        variables: &BTreeMap<String, Option<Secret>>,
    ) {
        let name = backend.name.as_ref().map(|name| name.value.as_str()).unwrap_or_default();
        self.file(&backend.ca_bundle_path, Some(name), || format!("/backends/{index}/caBundlePath"));
        let auth = Applied::of(config, index, backend);
        for secret in auth.variables() {
            self.variable(secret.name, Presence::Required, secret.span, secret.pointer);
        }
        for optional in auth.optional_variables() {
            self.variable(optional.name, Presence::Optional, optional.span, optional.pointer);
        }
        for bundle in auth.bundles() {
            self.file(bundle.text, None, || bundle.pointer.clone());
        }
        if name.is_empty() {
            return;
        }
        let span = backend.name.as_ref().map_or(Span::default(), |name| name.span);
        let pointer = format!("/backends/{index}/name");
        let manifest = manifest_variable(name);
        if let Some(Some(text)) = variables.get(&manifest)
            && let Ok(manifest) = Manifest::parse(text)
        {
            for secret in manifest.variables() {
                self.variable(secret.to_string(), Presence::Required, span, pointer.clone());
            }
        }
        self.variable(manifest, Presence::Optional, span, pointer);
    }

    fn others(&mut self, config: &Config) {
        if let Some(oidc) = config.incoming_auth.as_ref().and_then(|incoming| incoming.oidc.as_ref()) {
            self.file(&oidc.ca_bundle_path, None, || "/incomingAuth/oidc/caBundlePath".to_string());
            if let Some(name) = oidc.client_secret_env.as_ref().filter(|name| !name.value.is_empty()) {
                let pointer = "/incomingAuth/oidc/clientSecretEnv".to_string();
                self.variable(name.value.clone(), Presence::Optional, name.span, pointer);
            }
            for name in CLIENT_SECRETS.into_iter().chain([NO_URL_VALIDATION]) {
                self.variable(name.to_string(), Presence::Optional, oidc.origin.key, "/incomingAuth/oidc".to_string());
            }
        }
        if let Some(telemetry) = &config.telemetry {
            self.file(&telemetry.ca_cert_path, None, || "/telemetry/caCertPath".to_string());
        }
    }
}
