//! Keys that are accepted and never act on anything, here or in the Go program.
//!
//! Keys that will act one day are in `unenforced`.

use super::super::findings::{Findings, Path};
use super::super::model::Config;
use crate::diagnostic::code;
use crate::text::Span;

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    let top = &Path::TOP;
    let mut dead = |span: Span, path: &Path<'_>, message: &'static str| {
        findings.report(code::CONFIG_DEAD_KEY, span, path, || message.into());
    };
    if !config.composite_tool_refs.is_empty() {
        let message = "`compositeToolRefs` has no effect, since the operator resolves it; expected `compositeTools`";
        dead(config.composite_tool_refs.origin.key, &top.key("compositeToolRefs"), message);
    }
    if let Some(operational) = &config.operational
        && let Some(level) = operational.log_level.as_ref().filter(|level| !level.is_empty())
    {
        let message = "`logLevel` has no effect, since the operator turns it into `--debug`; expected that option";
        dead(level.span, &top.key("operational").key("logLevel"), message);
    }
    if let Some(aggregation) = &config.aggregation {
        let (aggregation_path, tools) = (top.key("aggregation"), &aggregation.tools);
        let tools_path = aggregation_path.key("tools");
        for (index, tool) in tools.iter().enumerate() {
            if let Some(reference) = &tool.tool_config_ref {
                let message =
                    "`toolConfigRef` has no effect, since the operator resolves it; expected `filter` and `overrides`";
                dead(reference.origin.key, &tools_path.index(index).key("toolConfigRef"), message);
            }
        }
    }
    if let Some(audit) = &config.audit
        && let Some(enabled) = &audit.enabled
    {
        let message = match enabled.value {
            true => "`enabled` has no effect, since `audit` itself turns the record on; expected no such key",
            false => {
                "`enabled: false` has no effect, since `audit` itself turns the record on; expected no `audit` at all"
            }
        };
        dead(enabled.span, &top.key("audit").key("enabled"), message);
    }
    if let Some(telemetry) = &config.telemetry {
        let path = top.key("telemetry");
        if let Some(port) = telemetry.prometheus_port.filter(|port| port.value != 0) {
            let message = "`prometheusPort` has no effect, since `/metrics` is on the main port; expected no such key";
            dead(port.span, &path.key("prometheusPort"), message);
        }
        if let Some(flag) = &telemetry.metrics_on_transport_port.0 {
            let message =
                "`metricsOnTransportPort` has no effect, since `/metrics` is on the main port; expected no such key";
            dead(flag.span, &path.key("metricsOnTransportPort"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::findings;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn keys_that_never_act_are_told() {
        assert_eq!(
            findings(
                "
compositeToolRefs: [{name: x}]
operational: {logLevel: debug}
aggregation:
  conflictResolution: prefix
  conflictResolutionConfig: {prefixFormat: '{workload}_'}
  tools: [{workload: a, toolConfigRef: {name: x}}]
audit: {enabled: false}
telemetry: {prometheusPort: 9090, metricsOnTransportPort: true}
"
            ),
            [
                "config/dead-key /compositeToolRefs «compositeToolRefs» `compositeToolRefs` has no effect, since the operator resolves it; expected `compositeTools`",
                "config/dead-key /operational/logLevel «debug» `logLevel` has no effect, since the operator turns it into `--debug`; expected that option",
                "config/dead-key /aggregation/tools/0/toolConfigRef «toolConfigRef» `toolConfigRef` has no effect, since the operator resolves it; expected `filter` and `overrides`",
                "config/dead-key /audit/enabled «false» `enabled: false` has no effect, since `audit` itself turns the record on; expected no `audit` at all",
                "config/dead-key /telemetry/prometheusPort «9090» `prometheusPort` has no effect, since `/metrics` is on the main port; expected no such key",
                "config/dead-key /telemetry/metricsOnTransportPort «true» `metricsOnTransportPort` has no effect, since `/metrics` is on the main port; expected no such key",
            ]
        );
        assert_eq!(
            findings("audit: {enabled: true}"),
            [
                "config/dead-key /audit/enabled «true» `enabled` has no effect, since `audit` itself turns the record on; expected no such key",
            ]
        );
    }
}
