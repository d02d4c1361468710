//! `operational`: timeouts, health checks and what happens when backends fail.
//!
//! It checks no health.

use super::*;

model! {
    /// Timeouts, health checks and what happens when backends fail.
    pub struct OperationalConfig, "`operational`" {
        /// `debug` makes the operator start the program with `--debug`; nothing acts on it here.
        "logLevel" => log_level: Text ["debug"];
        /// How long a call to a backend may take.
        "timeouts" => timeouts: Option<TimeoutConfig>;
        /// Health checks, and what happens when backends fail.
        "failureHandling" => failure_handling: Option<FailureHandlingConfig>;
    }

    /// How long a call to a backend may take.
    pub struct TimeoutConfig, "`operational.timeouts`" {
        /// For every backend without one of its own.
        "default" => default: Time = "30s";
        /// By name of the backend.
        "perWorkload" => per_workload: Map<Spanned<Duration>>;
    }

    /// Health checks, and what happens when backends fail.
    pub struct FailureHandlingConfig, "`operational.failureHandling`" {
        /// Time between two health checks of a backend.
        "healthCheckInterval" => health_check_interval: Time = "30s";
        /// Failed checks in a row after which a backend is unhealthy.
        "unhealthyThreshold" => unhealthy_threshold: Integer = "3";
        /// How long one check may take, less than the interval.
        "healthCheckTimeout" => health_check_timeout: Time = "10s";
        /// Time between two reports of the status.
        "statusReportingInterval" => status_reporting_interval: Time = "30s";
        /// Whether a list fails with one backend, or goes on with the others.
        "partialFailureMode" => partial_failure_mode: Text = "fail" ["fail", "best_effort"];
        /// Stops calling a backend that keeps failing.
        "circuitBreaker" => circuit_breaker: Option<CircuitBreakerConfig>;
    }

    /// Stops calling a backend that keeps failing.
    pub struct CircuitBreakerConfig, "`circuitBreaker`" {
        /// Whether there is one.
        "enabled" => enabled: Flag = "false";
        /// Failures in a row that open it, at least 1.
        "failureThreshold" => failure_threshold: Integer = "5";
        /// How long it stays open before one call is tried, at least `1s`.
        "timeout" => timeout: Time = "1m0s";
    }
}
