//! The top of the configuration and its backends.
//!
//! What stands under the other keys is in the files beside this one.

use alloc::boxed::Box;

use super::*;

model! {
    /// The whole configuration of one virtual MCP server.
    pub struct Config, "the configuration" {
        /// Name of this server: what clients see as `serverInfo.name`; also the Cedar `MCP` entity, the telemetry
        /// label and part of rate-limit keys. Required.
        "name" => name: Text;
        /// Group that the backends belong to; every backend's `group` metadata is forced to it. Required.
        "groupRef" => group_ref: Text;
        /// The backends that are served. Static mode is having some; required.
        "backends" => backends: List<StaticBackendConfig>;
        /// How callers are identified and what they may do. Required.
        "incomingAuth" => incoming_auth: Option<IncomingAuthConfig>;
        /// What is sent to backends so that they accept a call. Required.
        "outgoingAuth" => outgoing_auth: Option<OutgoingAuthConfig>;
        /// How the capabilities of all backends become one list. Required.
        "aggregation" => aggregation: Option<AggregationConfig>;
        /// Tools made of several calls.
        "compositeTools" => composite_tools: List<CompositeToolConfig>;
        /// Composite tools by reference. The operator resolves them; here only their names are checked.
        "compositeToolRefs" => composite_tool_refs: List<CompositeToolRef>;
        /// Timeouts, health checks and what happens when backends fail. Every default is filled in.
        "operational" => operational: Option<OperationalConfig>;
        /// Free labels; nothing acts on them.
        "metadata" => metadata: TextMap;
        /// Traces and metrics; absent means off.
        "telemetry" => telemetry: Option<TelemetryConfig>;
        /// The audit log; absent means off, present means on.
        "audit" => audit: Option<AuditConfig>;
        /// Serves two tools, find and call, in place of all; absent means off, present (even empty) means on.
        "optimizer" => optimizer: Option<OptimizerConfig>;
        /// A tool that runs short scripts of tool calls; absent means off.
        "codeMode" => code_mode: Option<CodeModeConfig>;
        /// Where sessions are kept; absent means in memory.
        "sessionStorage" => session_storage: Option<SessionStorageConfig>;
        /// How many calls are let through; absent means all. Needs Redis in `sessionStorage`.
        "rateLimiting" => rate_limiting: Option<RateLimitConfig>;
        /// Names of headers of a client's request that are copied to every backend. Not `Authorization`, `Cookie` or those
        /// that belong to a connection.
        "passthroughHeaders" => passthrough_headers: Texts;
    }

    /// One backend, as it was written. What may be called is made of it by discovery.
    pub struct StaticBackendConfig, "a backend" {
        /// Its name, unique: prefix of its tools, key of its strategy, owner of its forwarded headers. Required.
        always "name" => name: Text;
        /// Where it is: an absolute `http` or `https` URL without user info. Required.
        always "url" => url: Text;
        /// How it is spoken to. `streamable` is accepted for `streamable-http`. Required.
        always "transport" => transport: Text ["streamable-http", "sse"];
        /// Empty for a workload in the cluster, `entry` for a remote server (`MCPServerEntry`). Empty is also read as `entry` where
        /// `caBundlePath` or `metadata.workload_type: server_entry` says so, since the operator leaves it empty;
        /// `container` is read as empty.
        "type" => kind: Text ["entry"];
        /// Absolute path of a PEM file whose certificates are trusted for this backend in addition to the system roots. Only for
        /// an entry with an `https` URL.
        "caBundlePath" => ca_bundle_path: Text;
        /// Free labels; the operator writes `tool_type`, `workload_type`, `namespace` and more.
        "metadata" => metadata: TextMap;
        /// How to authenticate to this backend, in the shape of RFC THV-0055; the same as an entry of
        /// `outgoingAuth.backends` under its name, and an error beside one. Go knows no such key.
        "auth" => auth: Option<Box<BackendAuthStrategy>>;
    }
}
