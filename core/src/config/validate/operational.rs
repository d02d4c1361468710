//! Rules for `operational`, applied to what is in force: an explicit zero is the default, as in Go.
//!
//! It does not fill defaults in; that is `effective`.

use alloc::format;

use super::super::duration::Duration;
use super::super::findings::{Findings, Path};
use super::super::model::{
    CircuitBreakerConfig, FailureHandlingConfig, Integer, OperationalConfig, Time, TimeoutConfig,
};
use super::{Names, warn_unknown_backend};
use crate::diagnostic::code;

const INTERVAL: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);
const ZERO: Duration = Duration::from_secs(0);

pub(super) fn check(operational: &OperationalConfig, names: &Names<'_>, path: &Path<'_>, findings: &mut Findings<'_>) {
    if let Some(timeouts) = &operational.timeouts {
        check_timeouts(timeouts, names, &path.key("timeouts"), findings);
    }
    if let Some(handling) = &operational.failure_handling {
        check_handling(handling, &path.key("failureHandling"), findings);
    }
}

fn check_timeouts(timeouts: &TimeoutConfig, names: &Names<'_>, path: &Path<'_>, findings: &mut Findings<'_>) {
    positive_or_default("default", &timeouts.default, "30s", path, findings);
    let path = path.key("perWorkload");
    for (name, timeout) in timeouts.per_workload.iter() {
        let own = path.key(name);
        if timeout.value <= ZERO {
            findings.at_least(name, timeout.span, timeout.value, "more than `0s`", &path);
        }
        warn_unknown_backend(code::OPERATIONAL_UNKNOWN_BACKEND, name, names, &own, findings);
    }
}

fn check_handling(handling: &FailureHandlingConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    positive_or_default("healthCheckInterval", &handling.health_check_interval, "30s", path, findings);
    positive_or_default("statusReportingInterval", &handling.status_reporting_interval, "30s", path, findings);
    count_or_default("unhealthyThreshold", &handling.unhealthy_threshold, "3", path, findings);
    check_check_timeout(handling, path, findings);
    findings.choice(handling, "partialFailureMode", &handling.partial_failure_mode, path);
    if let Some(breaker) = &handling.circuit_breaker
        && breaker.enabled.is_some_and(|enabled| enabled.value)
    {
        check_breaker(breaker, &path.key("circuitBreaker"), findings);
    }
}

fn check_check_timeout(handling: &FailureHandlingConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    let Some(timeout) = handling.health_check_timeout else { return };
    let written = handling.health_check_interval.map(|interval| interval.value);
    let interval = written.filter(|&interval| interval != ZERO).unwrap_or(INTERVAL);
    if timeout.value < ZERO {
        findings.at_least("healthCheckTimeout", timeout.span, timeout.value, "`0s` or more", path);
    } else if timeout.value > ZERO && timeout.value >= interval && interval > ZERO {
        let draft = findings.draft(
            code::OPERATIONAL_CHECK_OUTLASTS_INTERVAL,
            timeout.span,
            &path.key("healthCheckTimeout"),
            || {
                format!(
                    "`healthCheckTimeout` is {}; expected less than the `healthCheckInterval` of {interval}, or checks queue up",
                    timeout.value
                )
            },
        );
        if let Some(mut draft) = draft {
            if let Some(interval) = handling.health_check_interval {
                draft = draft.related(crate::diagnostic::Place::input(interval.span), "the interval");
            }
            findings.push(draft);
        }
    }
}

fn check_breaker(breaker: &CircuitBreakerConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    count_or_default("failureThreshold", &breaker.failure_threshold, "5", path, findings);
    match breaker.timeout {
        Some(timeout) if timeout.value != ZERO && timeout.value < SECOND => {
            findings.at_least("timeout", timeout.span, timeout.value, "`1s` or more, or the circuit flutters", path);
        }
        _ => positive_or_default("timeout", &breaker.timeout, "1m0s", path, findings),
    }
}

fn positive_or_default(
    key: &'static str,
    time: &Time,
    default: &'static str,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) {
    let Some(time) = time else { return };
    if time.value == ZERO {
        findings.report(code::OPERATIONAL_ZERO, time.span, &path.key(key), || {
            format!("`{key}` is 0s, which means the default; read as `{default}`")
        });
    } else if time.value < ZERO {
        findings.at_least(key, time.span, time.value, "more than `0s`", path);
    }
}

fn count_or_default(
    key: &'static str,
    count: &Integer,
    default: &'static str,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) {
    let Some(count) = count else { return };
    if count.value == 0 {
        findings.report(code::OPERATIONAL_ZERO, count.span, &path.key(key), || {
            format!("`{key}` is 0, which means the default; read as `{default}`")
        });
    } else {
        findings.range(key, count, 1, i64::MAX, path);
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::findings;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn timeouts_are_positive_or_the_default() {
        assert_eq!(
            findings(
                "
operational:
  timeouts: {default: -1s, perWorkload: {a: 0s, b: ~, c: 1s}}
"
            ),
            [
                "config/out-of-range /operational/timeouts/default «-1s» `default` is -1s; expected more than `0s`",
                "config/out-of-range /operational/timeouts/perWorkload/a «0s» `a` is 0s; expected more than `0s`",
                "operational/unknown-backend /operational/timeouts/perWorkload/b «b» `b` is the name of no backend; expected one of `backends`",
                "config/out-of-range /operational/timeouts/perWorkload/b «~» `b` is 0s; expected more than `0s`",
                "operational/unknown-backend /operational/timeouts/perWorkload/c «c» `c` is the name of no backend; expected one of `backends`",
            ]
        );
        assert_eq!(
            findings(
                "
operational:
  timeouts: {default: 0s}
"
            ),
            [
                "operational/zero /operational/timeouts/default «0s» `default` is 0s, which means the default; read as `30s`",
            ]
        );
    }

    #[test]
    fn failure_handling_makes_sense() {
        assert_eq!(findings("
operational:
  failureHandling: {healthCheckInterval: -1s, unhealthyThreshold: -1, healthCheckTimeout: -1ms, statusReportingInterval: -1s, partialFailureMode: bestEffort}
"), [
            "config/out-of-range /operational/failureHandling/healthCheckInterval «-1s» `healthCheckInterval` is -1s; expected more than `0s`",
            "config/out-of-range /operational/failureHandling/unhealthyThreshold «-1» `unhealthyThreshold` is -1; expected at least 1",
            "config/out-of-range /operational/failureHandling/healthCheckTimeout «-1ms» `healthCheckTimeout` is -1ms; expected `0s` or more",
            "config/out-of-range /operational/failureHandling/statusReportingInterval «-1s» `statusReportingInterval` is -1s; expected more than `0s`",
            "config/bad-value /operational/failureHandling/partialFailureMode «bestEffort» `partialFailureMode` is `bestEffort`; expected `fail` or `best_effort` {did you mean `best_effort`?}",
        ]);
        assert_eq!(
            findings(
                "
operational:
  failureHandling: {healthCheckInterval: 0s, unhealthyThreshold: 0}
"
            ),
            [
                "operational/zero /operational/failureHandling/healthCheckInterval «0s» `healthCheckInterval` is 0s, which means the default; read as `30s`",
                "operational/zero /operational/failureHandling/unhealthyThreshold «0» `unhealthyThreshold` is 0, which means the default; read as `3`",
            ]
        );
        assert_eq!(
            findings(
                "
operational:
  failureHandling: {healthCheckTimeout: 30s}
"
            ),
            [
                "operational/check-outlasts-interval /operational/failureHandling/healthCheckTimeout «30s» `healthCheckTimeout` is 30s; expected less than the `healthCheckInterval` of 30s, or checks queue up",
            ]
        );
        assert_eq!(
            findings(
                "
operational:
  failureHandling: {healthCheckInterval: 5s, healthCheckTimeout: 10s}
"
            ),
            [
                "operational/check-outlasts-interval /operational/failureHandling/healthCheckTimeout «10s» `healthCheckTimeout` is 10s; expected less than the `healthCheckInterval` of 5s, or checks queue up (the interval: «5s»)",
            ]
        );
        assert_eq!(
            findings(
                "
operational:
  failureHandling: {circuitBreaker: {enabled: true, failureThreshold: -1, timeout: 500ms}}
"
            ),
            [
                "config/out-of-range /operational/failureHandling/circuitBreaker/failureThreshold «-1» `failureThreshold` is -1; expected at least 1",
                "config/out-of-range /operational/failureHandling/circuitBreaker/timeout «500ms» `timeout` is 500ms; expected `1s` or more, or the circuit flutters",
            ]
        );
        assert_eq!(
            findings(
                "
operational:
  failureHandling: {circuitBreaker: {enabled: true, timeout: -1s}}
"
            ),
            [
                "config/out-of-range /operational/failureHandling/circuitBreaker/timeout «-1s» `timeout` is -1s; expected `1s` or more, or the circuit flutters",
            ]
        );
        assert_eq!(
            findings(
                "
operational:
  failureHandling: {circuitBreaker: {enabled: false, failureThreshold: -1, timeout: 500ms}}
"
            ),
            [""; 0]
        );
    }
}
