//! Rules for `sessionStorage`, `rateLimiting`, `telemetry`, `audit`, `optimizer`: those that the Go program applies only when it
//! starts.
//!
//! No service is called.

use alloc::format;

use super::super::decode::shown;
use super::super::duration::Duration;
use super::super::findings::{Findings, Path};
use super::super::model::{
    AuditConfig, Config, Described as _, OptimizerConfig, RateLimitBucket, RateLimitConfig, SessionStorageConfig,
    TelemetryConfig, Text, Texts,
};
use super::{headers, variables};
use crate::decimal;
use crate::diagnostic::{Place, code};

/// Kinds of audit event that can be chosen.
const EVENTS: &[&str] = &[
    "mcp_initialize",
    "mcp_tool_call",
    "mcp_tools_list",
    "mcp_resource_read",
    "mcp_resources_list",
    "mcp_prompt_get",
    "mcp_prompts_list",
    "mcp_notification",
    "mcp_ping",
    "mcp_logging",
    "mcp_completion",
    "mcp_roots_list_changed",
    "mcp_request",
    "http_request",
    "vmcp_workflow_started",
    "vmcp_workflow_completed",
    "vmcp_workflow_failed",
    "vmcp_workflow_timed_out",
    "vmcp_workflow_step_started",
    "vmcp_workflow_step_completed",
    "vmcp_workflow_step_failed",
    "vmcp_workflow_step_skipped",
];

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    let top = &Path::TOP;
    if let Some(storage) = &config.session_storage {
        check_storage(storage, &top.key("sessionStorage"), findings);
    }
    if let Some(limits) = &config.rate_limiting {
        check_limits(limits, config, &top.key("rateLimiting"), findings);
    }
    if let Some(telemetry) = &config.telemetry {
        check_telemetry(telemetry, &top.key("telemetry"), findings);
    }
    if let Some(audit) = &config.audit {
        check_audit(audit, &top.key("audit"), findings);
    }
    if let Some(optimizer) = &config.optimizer {
        check_optimizer(optimizer, config, &top.key("optimizer"), findings);
    }
}

fn check_storage(storage: &SessionStorageConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    if let Some(provider) = storage.provider.as_ref().filter(|provider| !provider.is_empty())
        && !provider.eq_ignore_ascii_case("memory")
        && provider.as_str() != "redis"
    {
        findings.bad_choice("provider", provider, &["memory", "redis"], path);
    }
    if is_redis(storage) {
        findings.required_text(storage, "address", &storage.address, "`host:port` of Redis", path);
        if let Some(prefix) = storage.key_prefix.as_ref().filter(|p| !p.is_empty() && !p.ends_with(':')) {
            findings.report(code::CONFIG_BAD_VALUE, prefix.span, &path.key("keyPrefix"), || {
                format!("`keyPrefix` is `{}`; expected it to end with `:`", shown(prefix))
            });
        }
    }
    if let Some(db) = storage.db.filter(|db| db.value < 0) {
        findings.report(code::CONFIG_OUT_OF_RANGE, db.span, &path.key("db"), || {
            format!("`db` is {}; expected at least 0", db.value)
        });
    }
}

fn is_redis(storage: &SessionStorageConfig) -> bool {
    storage.provider.as_ref().is_some_and(|provider| provider.as_str() == "redis")
}

fn check_limits(limits: &RateLimitConfig, config: &Config, path: &Path<'_>, findings: &mut Findings<'_>) {
    let unread = config.is_unread("sessionStorage")
        || config.session_storage.as_ref().is_some_and(|storage| storage.is_unread("provider"));
    if !unread && !config.session_storage.as_ref().is_some_and(is_redis) {
        findings.report(code::OPERATIONAL_RATE_LIMIT_WITHOUT_REDIS, limits.origin.key, path, || {
            "`rateLimiting` needs `sessionStorage` with `provider: redis`, where calls are counted; expected one".into()
        });
    }
    let buckets = [("shared", &limits.shared), ("perUser", &limits.per_user)];
    check_buckets(buckets, path, findings);
    let tools = path.key("tools");
    for (index, tool) in limits.tools.iter().enumerate() {
        let path = tools.index(index);
        findings.required_text(tool, "name", &tool.name, "the name of a tool", &path);
        check_buckets([("shared", &tool.shared), ("perUser", &tool.per_user)], &path, findings);
        let nothing = tool.shared.is_none() && tool.per_user.is_none();
        if nothing && !tool.is_unread("shared") && !tool.is_unread("perUser") {
            empty_limit(tool.origin.key, &path, findings);
        }
    }
    let nothing = limits.shared.is_none() && limits.per_user.is_none() && limits.tools.is_empty();
    if nothing && !["shared", "perUser", "tools"].iter().any(|key| limits.is_unread(key)) {
        empty_limit(limits.origin.key, path, findings);
    }
}

fn empty_limit(span: crate::text::Span, path: &Path<'_>, findings: &mut Findings<'_>) {
    findings.report(code::OPERATIONAL_EMPTY_RATE_LIMIT, span, path, || {
        format!("{} limits nothing; expected `shared` or `perUser` in it", path.last())
    });
}

fn check_buckets(buckets: [(&'static str, &Option<RateLimitBucket>); 2], path: &Path<'_>, findings: &mut Findings<'_>) {
    for (key, bucket) in buckets {
        let Some(bucket) = bucket else { continue };
        let path = path.key(key);
        match bucket.max_tokens {
            Some(tokens) if tokens.value < 1 => {
                findings.report(code::CONFIG_OUT_OF_RANGE, tokens.span, &path.key("maxTokens"), || {
                    format!("`maxTokens` is {}; expected at least 1", tokens.value)
                });
            }
            Some(_) => {}
            None => findings.missing(bucket, "maxTokens", "how many calls the bucket holds", &path),
        }
        match bucket.refill_period.0 {
            Some(period) if period.value <= Duration::default() => {
                findings.at_least("refillPeriod", period.span, period.value, "more than `0s`", &path);
            }
            Some(_) => {}
            None => findings.missing(bucket, "refillPeriod", "the time in which it fills, such as `1m`", &path),
        }
    }
}

fn check_telemetry(telemetry: &TelemetryConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    let on = |flag: &super::super::model::Flag| flag.is_some_and(|flag| flag.value);
    let unread = telemetry.is_unread("tracingEnabled") || telemetry.is_unread("metricsEnabled");
    if let Some(endpoint) = telemetry.endpoint.as_ref().filter(|endpoint| !endpoint.is_empty())
        && !unread
        && !on(&telemetry.tracing_enabled)
        && !on(&telemetry.metrics_enabled)
    {
        findings.report(code::OPERATIONAL_TELEMETRY_OFF, endpoint.span, &path.key("endpoint"), || {
            "`endpoint` is given, but nothing is sent to it; expected `tracingEnabled: true` or `metricsEnabled: true`, or no endpoint"
                .into()
        });
    }
    let variables = path.key("environmentVariables");
    for (index, name) in telemetry.environment_variables.iter().enumerate() {
        variables::check_used(name, &variables.index(index), findings);
    }
    if let Some(rate) = telemetry.sampling_rate.as_ref().filter(|rate| !rate.is_empty())
        && !number_within(rate, 0.0, 1.0)
    {
        findings.report(code::OPERATIONAL_BAD_SAMPLING_RATE, rate.span, &path.key("samplingRate"), || {
            format!("`samplingRate` is `{}`; expected 0 to 1, and Go takes what is no number as 0", shown(rate))
        });
    }
}

fn check_audit(audit: &AuditConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    if let Some(size) = &audit.max_data_size {
        findings.range("maxDataSize", size, 0, i64::MAX, path);
    }
    if let Some(depth) = &audit.max_delegation_depth.0 {
        findings.range("maxDelegationDepth", depth, 1, i64::MAX, path);
    }
    let mut check_events = |key: &'static str, events: &Texts| {
        let path = path.key(key);
        for (index, event) in events.iter().enumerate().filter(|(_, event)| !EVENTS.contains(&event.as_str())) {
            let draft = findings.draft(code::OPERATIONAL_UNKNOWN_EVENT, event.span, &path.index(index), || {
                format!("`{}` is no audit event; expected one such as `mcp_tool_call`", shown(event))
            });
            if let Some(draft) = draft {
                findings.push(match crate::diagnostic::nearest(event, EVENTS.iter().copied()) {
                    Some(meant) => {
                        draft.fix(format!("did you mean `{meant}`?"), super::replace(event.span, meant), false)
                    }
                    None => draft,
                });
            }
        }
    };
    check_events("eventTypes", &audit.event_types);
    check_events("excludeEventTypes", &audit.exclude_event_types);
}

fn check_optimizer(optimizer: &OptimizerConfig, config: &Config, path: &Path<'_>, findings: &mut Findings<'_>) {
    let authz = config.incoming_auth.as_ref().and_then(|incoming| incoming.authz.as_ref());
    let cedar = authz.filter(|authz| authz.kind.as_ref().is_some_and(|kind| kind.as_str() == "cedar"));
    if let Some(authz) = cedar.filter(|authz| !authz.policies.is_empty()) {
        let draft = findings.draft(code::OPERATIONAL_OPTIMIZER_WITH_AUTHZ, optimizer.origin.key, path, || {
            "`optimizer` stands beside Cedar policies, which it would go around; expected one of the two".into()
        });
        if let Some(draft) = draft {
            findings.push(draft.related(Place::input(authz.origin.key), "the policies"));
        }
    }
    findings.choice(optimizer, "embeddingProvider", &optimizer.embedding_provider, path);
    let openai = optimizer.embedding_provider.as_ref().is_some_and(|provider| provider.as_str() == "openai");
    if openai {
        let service = "the URL of the service for `openai`";
        findings.required_text(optimizer, "embeddingService", &optimizer.embedding_service, service, path);
        let model = "the model for `openai`";
        findings.required_text(optimizer, "embeddingModel", &optimizer.embedding_model, model, path);
        check_embedding_headers(optimizer, &path.key("embeddingHeaders"), findings);
    } else if !optimizer.embedding_headers.is_empty() {
        let span = optimizer.embedding_headers.origin.key;
        findings.report(code::CONFIG_BAD_VALUE, span, &path.key("embeddingHeaders"), || {
            "`embeddingHeaders` is only sent to `openai`; expected `embeddingProvider: openai` or no headers".into()
        });
    }
    if let Some(count) = optimizer.max_tools_to_return.as_ref().filter(|count| count.value != 0) {
        findings.range("maxToolsToReturn", count, 1, 50, path);
    }
    number("hybridSearchSemanticRatio", &optimizer.hybrid_search_semantic_ratio, 1, path, findings);
    number("semanticDistanceThreshold", &optimizer.semantic_distance_threshold, 2, path, findings);
}

fn check_embedding_headers(optimizer: &OptimizerConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    for (name, value) in optimizer.embedding_headers.iter() {
        let path = path.key(name);
        let own = ["authorization", "content-type"].iter().any(|own| name.eq_ignore_ascii_case(own));
        if own {
            findings.report(code::CONFIG_RESTRICTED_HEADER, name.span, &path, || {
                format!(
                    "`{}` is set for each request; the key is in `OPENAI_API_KEY`, expected another header",
                    shown(name)
                )
            });
        } else {
            headers::check_name(name, &path, findings);
            headers::check_value(value, &path, findings);
        }
    }
}

fn number(key: &'static str, text: &Text, max: u8, path: &Path<'_>, findings: &mut Findings<'_>) {
    if let Some(text) = text.as_ref().filter(|text| !text.is_empty())
        && !number_within(text, 0.0, f64::from(max))
    {
        findings.report(code::CONFIG_OUT_OF_RANGE, text.span, &path.key(key), || {
            format!("`{key}` is `{}`; expected 0 to {max}", shown(text))
        });
    }
}

fn number_within(text: &str, min: f64, max: f64) -> bool {
    decimal::parse(text).is_some_and(|number| (min..=max).contains(&number))
}

#[cfg(test)]
mod tests {
    use crate::config::testing::findings;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn sessions_are_kept_where_it_is_known() {
        assert_eq!(findings("sessionStorage: {provider: MEMORY}"), [""; 0]);
        assert_eq!(
            findings("sessionStorage: {provider: Redis}"),
            [
                "config/bad-value /sessionStorage/provider «Redis» `provider` is `Redis`; expected `memory` or `redis` {did you mean `redis`?}",
            ]
        );
        assert_eq!(
            findings("sessionStorage: {provider: redis, db: -1, keyPrefix: abc}"),
            [
                "config/missing-key /sessionStorage «sessionStorage» `sessionStorage` has no `address`; expected `host:port` of Redis",
                "config/out-of-range /sessionStorage/db «-1» `db` is -1; expected at least 0",
                "config/bad-value /sessionStorage/keyPrefix «abc» `keyPrefix` is `abc`; expected it to end with `:`",
            ]
        );
    }

    #[test]
    fn rate_limits_limit_something_and_are_counted_somewhere() {
        assert_eq!(
            findings("rateLimiting: {shared: {maxTokens: 1, refillPeriod: 1m}}"),
            [
                "operational/rate-limit-without-redis /rateLimiting «rateLimiting» `rateLimiting` needs `sessionStorage` with `provider: redis`, where calls are counted; expected one",
            ]
        );
        assert_eq!(findings("
sessionStorage: {provider: redis, address: 'r:1'}
rateLimiting: {shared: {}, perUser: {maxTokens: 0, refillPeriod: {duration: 0s}}, tools: [{}, {name: t, shared: {maxTokens: 2, refillPeriod: {duration: 1m0s}}}]}
"), [
            "config/missing-key /rateLimiting/shared «shared» a rate-limit bucket has no `maxTokens`; expected how many calls the bucket holds",
            "config/missing-key /rateLimiting/shared «shared» a rate-limit bucket has no `refillPeriod`; expected the time in which it fills, such as `1m`",
            "config/out-of-range /rateLimiting/perUser/maxTokens «0» `maxTokens` is 0; expected at least 1",
            "config/out-of-range /rateLimiting/perUser/refillPeriod «0s» `refillPeriod` is 0s; expected more than `0s`",
            "config/missing-key /rateLimiting/tools/0 «{}» an entry of `rateLimiting.tools` has no `name`; expected the name of a tool",
            "operational/empty-rate-limit /rateLimiting/tools/0 «{}» `tools[0]` limits nothing; expected `shared` or `perUser` in it",
        ]);
        assert_eq!(
            findings(
                "
sessionStorage: {provider: redis, address: 'r:1'}
rateLimiting: {}
"
            ),
            [
                "operational/empty-rate-limit /rateLimiting «rateLimiting» `rateLimiting` limits nothing; expected `shared` or `perUser` in it",
            ]
        );
    }

    #[test]
    fn telemetry_goes_somewhere() {
        assert_eq!(
            findings("telemetry: {endpoint: 'otel:4318', samplingRate: often}"),
            [
                "operational/telemetry-off /telemetry/endpoint «'otel:4318'» `endpoint` is given, but nothing is sent to it; expected `tracingEnabled: true` or `metricsEnabled: true`, or no endpoint",
                "operational/bad-sampling-rate /telemetry/samplingRate «often» `samplingRate` is `often`; expected 0 to 1, and Go takes what is no number as 0",
            ]
        );
        assert_eq!(findings("telemetry: {endpoint: 'otel:4318', tracingEnabled: true, samplingRate: '0.5'}"), [""; 0]);
    }

    #[test]
    fn audit_events_are_known() {
        assert_eq!(
            findings(
                "audit: {maxDataSize: -1, maxDelegationDepth: 0, eventTypes: [mcp_tool_cal, mcp_ping], excludeEventTypes: [sse]}"
            ),
            [
                "config/out-of-range /audit/maxDataSize «-1» `maxDataSize` is -1; expected at least 0",
                "config/out-of-range /audit/maxDelegationDepth «0» `maxDelegationDepth` is 0; expected at least 1",
                "operational/unknown-event /audit/eventTypes/0 «mcp_tool_cal» `mcp_tool_cal` is no audit event; expected one such as `mcp_tool_call` {did you mean `mcp_tool_call`?}",
                "operational/unknown-event /audit/excludeEventTypes/0 «sse» `sse` is no audit event; expected one such as `mcp_tool_call`",
            ]
        );
    }

    #[test]
    fn the_optimizer_has_what_its_provider_needs() {
        assert_eq!(
            findings("optimizer: {embeddingProvider: cohere}"),
            [
                "config/bad-value /optimizer/embeddingProvider «cohere» `embeddingProvider` is `cohere`; expected `tei` or `openai`",
            ]
        );
        assert_eq!(
            findings(
                r#"optimizer: {embeddingProvider: openai, embeddingHeaders: {Authorization: s, X Y: s, ok: "a\nb"}}"#
            ),
            [
                "config/missing-key /optimizer «optimizer» `optimizer` has no `embeddingModel`; expected the model for `openai`",
                "config/missing-key /optimizer «optimizer» `optimizer` has no `embeddingService`; expected the URL of the service for `openai`",
                "config/restricted-header /optimizer/embeddingHeaders/Authorization «Authorization» `Authorization` is set for each request; the key is in `OPENAI_API_KEY`, expected another header",
                "config/bad-header /optimizer/embeddingHeaders/X Y «X Y» header `X Y` is not a token; letters, digits and !#$%&'*+-.^_`|~ are accepted",
                r#"config/bad-header /optimizer/embeddingHeaders/ok «"a\nb"» `ok` has a value with a control character; only tab is accepted"#,
            ]
        );
        assert_eq!(
            findings(
                "optimizer: {embeddingHeaders: {X: y}, maxToolsToReturn: 51, hybridSearchSemanticRatio: '1.5', semanticDistanceThreshold: far}"
            ),
            [
                "config/bad-value /optimizer/embeddingHeaders «embeddingHeaders» `embeddingHeaders` is only sent to `openai`; expected `embeddingProvider: openai` or no headers",
                "config/out-of-range /optimizer/maxToolsToReturn «51» `maxToolsToReturn` is 51; expected 1 to 50",
                "config/out-of-range /optimizer/hybridSearchSemanticRatio «'1.5'» `hybridSearchSemanticRatio` is `1.5`; expected 0 to 1",
                "config/out-of-range /optimizer/semanticDistanceThreshold «far» `semanticDistanceThreshold` is `far`; expected 0 to 2",
            ]
        );
        assert_eq!(
            findings(
                "
optimizer: {}
incomingAuth: {type: anonymous, authz: {type: cedar, policies: [p]}}
"
            ),
            [
                "operational/optimizer-with-authz /optimizer «optimizer» `optimizer` stands beside Cedar policies, which it would go around; expected one of the two (the policies: «authz»)",
            ]
        );
    }
}
