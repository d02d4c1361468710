//! `telemetry`: traces and metrics.
//!
//! It sends nothing.

use super::*;

model! {
    /// Traces and metrics.
    pub struct TelemetryConfig, "`telemetry`" {
        /// Where they are sent (OTLP over HTTP), `host:port` or URL.
        "endpoint" => endpoint: Text;
        /// Name of the service in them.
        "serviceName" => service_name: Text;
        /// Version of the service in them.
        "serviceVersion" => service_version: Text;
        /// Whether traces are sent.
        always "tracingEnabled" => tracing_enabled: Flag = "false";
        /// Whether metrics are sent.
        always "metricsEnabled" => metrics_enabled: Flag = "false";
        /// Share of calls that are traced, 0 to 1.
        "samplingRate" => sampling_rate: Text = "0.05";
        /// Headers sent with them.
        "headers" => headers: Map<Spanned<Secret>>;
        /// Sends them without TLS.
        "insecure" => insecure: Flag = "false";
        /// Serves Prometheus metrics at `/metrics`.
        "enablePrometheusMetricsPath" => enable_prometheus_metrics_path: Flag = "false";
        /// Nothing acts on it: `/metrics` is on the main port.
        "prometheusPort" => prometheus_port: Integer;
        /// Nothing acts on it: `/metrics` is on the main port.
        "metricsOnTransportPort" => metrics_on_transport_port: Present<bool> = "true";
        /// Environment variables whose values are added to traces.
        "environmentVariables" => environment_variables: Texts;
        /// Attributes added to everything.
        "customAttributes" => custom_attributes: TextMap;
        /// Also sends attributes under their old names.
        always "useLegacyAttributes" => use_legacy_attributes: Flag = "false";
        /// Absolute path of a PEM file whose certificates are trusted for the endpoint.
        "caCertPath" => ca_cert_path: Text;
    }
}
