//! Keys that are read but that no part of the runtime acts on yet: one table, from which a row is deleted when its
//! capability arrives.
//!
//! Keys that never act on anything are in `validate/dead`; auth strategies that are not built are discovery's to reject.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::model::{Config, RateLimitConfig};
use crate::diagnostic::{Diagnostic, code};
use crate::text::Span;

/// What follows from ignoring a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consequence {
    /// Something does not happen, and nothing is more open for it.
    Missing,
    /// A restriction is lifted.
    LessRestricted,
    /// A record is lost.
    NoRecord,
}

/// A key that stands in a configuration and is not acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unenforced {
    /// Dotted, without indexes: `incomingAuth.authz`.
    pub key: &'static str,
    /// What does not happen.
    pub meaning: &'static str,
    /// What follows from that.
    pub consequence: Consequence,
    /// JSON pointer of the first place where it stands.
    pub pointer: String,
    /// That place.
    pub span: Span,
}

impl Unenforced {
    /// Whether a server may only start when somebody has named the key.
    #[must_use]
    pub fn must_be_allowed(&self) -> bool {
        self.consequence != Consequence::Missing
    }

    /// Whether `name` names it: the whole key, or its last part.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.key == name || self.key.rsplit('.').next() == Some(name)
    }

    /// The warning about it.
    #[must_use]
    pub fn diagnostic(&self) -> Diagnostic {
        let Self { key, meaning, .. } = self;
        let diagnostic = match self.consequence {
            Consequence::Missing => {
                Diagnostic::new(code::RUNTIME_NOT_ACTED_ON, format!("`{key}` is not acted on yet: {meaning}"))
            }
            Consequence::LessRestricted | Consequence::NoRecord => {
                Diagnostic::new(code::RUNTIME_UNENFORCED, format!("`{key}` is not enforced yet: {meaning}"))
                    .help(format!("`serve` refuses to start unless `--allow-unenforced={key}` is given"))
            }
        };
        diagnostic.at(self.span).path(self.pointer.clone())
    }
}

/// The keys of `config` that no part of the runtime acts on, in the order of the table.
#[must_use]
pub fn unenforced(config: &Config) -> Vec<Unenforced> {
    let found = |row: &Row| {
        let (span, pointer) = (row.find)(config)?;
        let Row { key, meaning, consequence, .. } = *row;
        Some(Unenforced { key, meaning, consequence, pointer, span })
    };
    TABLE.iter().filter_map(found).collect()
}

/// All keys that a server may have to be allowed to ignore.
pub fn allowable() -> impl Iterator<Item = &'static str> {
    TABLE.iter().filter(|row| row.consequence != Consequence::Missing).map(|row| row.key)
}

/// All keys that nothing acts on, wherever they stand: the key, what does not happen, and what follows.
pub fn not_acted_on() -> impl Iterator<Item = (&'static str, &'static str, Consequence)> {
    TABLE.iter().map(|row| (row.key, row.meaning, row.consequence))
}

struct Row {
    key: &'static str,
    consequence: Consequence,
    meaning: &'static str,
    /// The first place where the key asks for something.
    find: fn(&Config) -> Option<(Span, String)>,
}

const TABLE: &[Row] = &[
    Row {
        key: "incomingAuth.authz",
        consequence: Consequence::LessRestricted,
        meaning: "callers may do everything",
        find: |config| {
            let authz = config.incoming_auth.as_ref()?.authz.as_ref()?;
            let cedar = authz.kind.as_ref().is_some_and(|kind| kind.as_str() == "cedar");
            cedar.then(|| (authz.origin.key, "/incomingAuth/authz".into()))
        },
    },
    Row {
        key: "rateLimiting",
        consequence: Consequence::LessRestricted,
        meaning: "calls are not counted",
        find: |config| {
            let limits = config.rate_limiting.as_ref()?;
            let RateLimitConfig { shared, per_user, tools, .. } = limits;
            let limits_something = shared.is_some() || per_user.is_some() || !tools.is_empty();
            limits_something.then(|| (limits.origin.key, "/rateLimiting".into()))
        },
    },
    Row {
        key: "audit",
        consequence: Consequence::NoRecord,
        meaning: "nothing is recorded",
        find: |config| Some((config.audit.as_ref()?.origin.key, "/audit".into())),
    },
    Row {
        key: "compositeTools",
        consequence: Consequence::Missing,
        meaning: "composite tools are not served",
        find: |config| {
            let tools = &config.composite_tools;
            (!tools.is_empty()).then(|| (tools.origin.key, "/compositeTools".into()))
        },
    },
    Row {
        key: "operational.failureHandling",
        consequence: Consequence::Missing,
        meaning: "backends are not probed, and a list goes on without one that fails",
        find: |config| {
            let handling = config.operational.as_ref()?.failure_handling.as_ref()?;
            Some((handling.origin.key, "/operational/failureHandling".into()))
        },
    },
    Row {
        key: "telemetry",
        consequence: Consequence::Missing,
        meaning: "no traces and metrics are sent or served",
        find: |config| Some((config.telemetry.as_ref()?.origin.key, "/telemetry".into())),
    },
    Row {
        key: "optimizer",
        consequence: Consequence::Missing,
        meaning: "all tools are listed",
        find: |config| Some((config.optimizer.as_ref()?.origin.key, "/optimizer".into())),
    },
    Row {
        key: "codeMode",
        consequence: Consequence::Missing,
        meaning: "there is no tool that runs scripts",
        find: |config| {
            let mode = config.code_mode.as_ref()?;
            let enabled = mode.enabled.is_some_and(|enabled| enabled.value);
            enabled.then(|| (mode.origin.key, "/codeMode".into()))
        },
    },
    Row {
        key: "sessionStorage",
        consequence: Consequence::Missing,
        meaning: "sessions are kept in memory",
        find: |config| {
            let storage = config.session_storage.as_ref()?;
            let redis = storage.provider.as_ref().is_some_and(|provider| provider.as_str() == "redis");
            redis.then(|| (storage.origin.key, "/sessionStorage".into()))
        },
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::not_acted_on;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn what_is_not_acted_on_is_told() {
        assert_eq!(
            not_acted_on(
                "
incomingAuth: {type: oidc, oidc: {issuer: 'https://i', audience: a, resource: r}, authz: {type: cedar, policies: [p]}}
sessionStorage: {provider: redis, address: 'r:1'}
rateLimiting: {shared: {maxTokens: 1, refillPeriod: 1m}}
audit: {}
aggregation:
  conflictResolution: prefix
  conflictResolutionConfig: {prefixFormat: '{workload}_'}
  excludeAllTools: true
  defaultToolVisibility: deny
  tools: [{workload: a, filter: [x], excludeAll: true, overrides: {x: {name: y}}}]
codeMode: {enabled: true}
telemetry: {}
passthroughHeaders: [X-Trace]
operational: {failureHandling: {}}
"
            ),
            [
                "runtime/unenforced /incomingAuth/authz «authz» `incomingAuth.authz` is not enforced yet: callers may do everything {`serve` refuses to start unless `--allow-unenforced=incomingAuth.authz` is given}",
                "runtime/not-acted-on /sessionStorage «sessionStorage» `sessionStorage` is not acted on yet: sessions are kept in memory",
                "runtime/unenforced /rateLimiting «rateLimiting» `rateLimiting` is not enforced yet: calls are not counted {`serve` refuses to start unless `--allow-unenforced=rateLimiting` is given}",
                "runtime/unenforced /audit «audit» `audit` is not enforced yet: nothing is recorded {`serve` refuses to start unless `--allow-unenforced=audit` is given}",
                "runtime/not-acted-on /codeMode «codeMode» `codeMode` is not acted on yet: there is no tool that runs scripts",
                "runtime/not-acted-on /telemetry «telemetry» `telemetry` is not acted on yet: no traces and metrics are sent or served",
                "runtime/not-acted-on /operational/failureHandling «failureHandling» `operational.failureHandling` is not acted on yet: backends are not probed, and a list goes on without one that fails",
            ]
        );
        assert_eq!(
            not_acted_on(
                "
incomingAuth: {type: local, authz: {type: none}}
aggregation: {conflictResolution: manual, conflictResolutionConfig: {}, tools: [{workload: a}]}
codeMode: {enabled: false}
optimizer: {}
rateLimiting: {}
sessionStorage: {provider: memory}
"
            ),
            ["runtime/not-acted-on /optimizer «optimizer» `optimizer` is not acted on yet: all tools are listed",]
        );
    }

    #[test]
    fn a_key_is_named_in_full_or_by_its_last_part() {
        assert!(allowable().eq(["incomingAuth.authz", "rateLimiting", "audit"]));
        let (config, _) = crate::config::testing::read("incomingAuth: {authz: {type: cedar}}\ntelemetry: {}\n");
        let keys = unenforced(&config);
        assert_eq!(
            keys.iter().map(|key| (key.key, key.must_be_allowed())).collect::<Vec<_>>(),
            [("incomingAuth.authz", true), ("telemetry", false)]
        );
        assert!(
            keys[0].is_named("authz") && keys[0].is_named("incomingAuth.authz") && !keys[0].is_named("incomingAuth")
        );
    }
}
