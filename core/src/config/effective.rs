//! The configuration with every default filled in, as the Go program's loader leaves it.
//!
//! It fills in what the loader fills in; defaults that a part of the runtime applies to itself are in the model's table. What
//! was not written has an empty span.

use core::ops::Deref;

use super::duration::Duration;
use super::emit::Tree;
use super::model::{
    CircuitBreakerConfig, Config, FailureHandlingConfig, Integer, OperationalConfig, Text, Time, TimeoutConfig,
};
use super::source::Spanned;

/// A configuration with every default filled in. Serialises under the same keys, in Go's order, with literal secrets as
/// `[secret]`.
#[derive(Clone, Debug, PartialEq)]
pub struct EffectiveConfig(Config);

impl Deref for EffectiveConfig {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

impl EffectiveConfig {
    /// Everything in it as it would be written.
    #[must_use]
    pub fn tree(&self) -> Tree {
        self.0.tree()
    }
}

impl serde::Serialize for EffectiveConfig {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Config {
    /// A copy with every default filled in; see [`Config::into_effective`].
    #[must_use]
    pub fn effective(&self) -> EffectiveConfig {
        self.clone().into_effective()
    }

    /// Fills in every default. An explicit zero is filled in too, since Go cannot tell it from nothing.
    #[must_use]
    pub fn into_effective(self) -> EffectiveConfig {
        let mut config = self;
        fill_operational(config.operational.get_or_insert_default());
        let steps = config.composite_tools.items.iter_mut().flat_map(|tool| &mut tool.steps.items);
        for step in steps {
            let kind = step.kind.as_ref().map_or("", |kind| kind.as_str());
            let calls = step.tool.as_ref().is_some_and(|tool| !tool.is_empty());
            if kind == "elicitation" {
                fill_time(&mut step.timeout, Duration::from_secs(300));
            } else if kind.is_empty() && calls {
                step.kind = Some(Spanned::unwritten("tool".into()));
            }
        }
        EffectiveConfig(config)
    }
}

fn fill_operational(operational: &mut OperationalConfig) {
    let TimeoutConfig { default, .. } = operational.timeouts.get_or_insert_default();
    fill_time(default, Duration::from_secs(30));
    let FailureHandlingConfig {
        health_check_interval,
        unhealthy_threshold,
        status_reporting_interval,
        partial_failure_mode,
        circuit_breaker,
        ..
    } = operational.failure_handling.get_or_insert_default();
    fill_time(health_check_interval, Duration::from_secs(30));
    fill_count(unhealthy_threshold, 3);
    fill_time(status_reporting_interval, Duration::from_secs(30));
    fill_text(partial_failure_mode, "fail");
    let CircuitBreakerConfig { failure_threshold, timeout, .. } = circuit_breaker.get_or_insert_default();
    fill_count(failure_threshold, 5);
    fill_time(timeout, Duration::from_secs(60));
}

fn fill_time(slot: &mut Time, default: Duration) {
    if slot.is_none_or(|time| time.value == Duration::default()) {
        *slot = Some(Spanned::unwritten(default));
    }
}

fn fill_count(slot: &mut Integer, default: i64) {
    if slot.is_none_or(|count| count.value == 0) {
        *slot = Some(Spanned::unwritten(default));
    }
}

fn fill_text(slot: &mut Text, default: &str) {
    if slot.as_ref().is_none_or(|text| text.is_empty()) {
        *slot = Some(Spanned::unwritten(default.into()));
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{read, with};
    use alloc::string::String;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn operational(text: &str) -> String {
        let (config, _) = read(&with(text));
        serde_json::to_string(&config.effective().operational.as_ref().map(|o| serde_json::to_value(o).unwrap()))
            .unwrap()
    }

    #[test]
    fn every_default_is_filled_in_and_an_explicit_zero_is_one() {
        let all = operational("");
        assert_eq!(
            all,
            r#"{"failureHandling":{"circuitBreaker":{"failureThreshold":5,"timeout":"1m0s"},"healthCheckInterval":"30s","partialFailureMode":"fail","statusReportingInterval":"30s","unhealthyThreshold":3},"timeouts":{"default":"30s"}}"#
        );
        assert_eq!(operational("operational: {}\n"), all);
        assert_eq!(
            operational(
                "operational: {timeouts: {default: 0s}, failureHandling: {partialFailureMode: '', circuitBreaker: {enabled: no, failureThreshold: 0}}}\n"
            ),
            all
        );
    }

    #[test]
    fn what_is_written_stays() {
        assert_eq!(
            operational(
                "operational: {logLevel: debug, timeouts: {default: 5s, perWorkload: {a: 90s}}, failureHandling: {healthCheckTimeout: 2s, circuitBreaker: {enabled: true, timeout: 2s}}}\n"
            ),
            r#"{"failureHandling":{"circuitBreaker":{"enabled":true,"failureThreshold":5,"timeout":"2s"},"healthCheckInterval":"30s","healthCheckTimeout":"2s","partialFailureMode":"fail","statusReportingInterval":"30s","unhealthyThreshold":3},"logLevel":"debug","timeouts":{"default":"5s","perWorkload":{"a":"1m30s"}}}"#
        );
    }

    #[test]
    fn steps_get_their_type_and_questions_their_time() {
        let (config, _) = read(&with(
            "compositeTools: [{name: t, description: d, steps: [{id: a, tool: x}, {id: b, type: elicitation, message: m, schema: {type: object}}]}]\n",
        ));
        let written = serde_json::to_string(&config.effective().composite_tools[0]).unwrap();
        assert_eq!(
            written,
            r#"{"name":"t","description":"d","steps":[{"id":"a","type":"tool","tool":"x"},{"id":"b","type":"elicitation","message":"m","schema":{"type":"object"},"timeout":"5m0s"}]}"#
        );
    }
}
