//! The program under test with one backend, whose names are advertised as they are.
//!
//! It is only started, stopped and listened to.

use vmcp_tests::Scratch;

use super::processes::Process;

/// A running `vmcp serve`.
pub(crate) struct Gateway {
    process: Process,
    address: String,
}

impl Gateway {
    pub(crate) fn start(scratch: &Scratch, backend: &str) -> Self {
        Self::with(scratch, backend, &[])
    }

    /// One of several that share the keys of what clients bring back.
    pub(crate) fn replica(scratch: &Scratch, backend: &str) -> Self {
        scratch.write("state-keys", "dGhpcnR5LXR3byBieXRlcyBmb3IgdGVzdHMgb25seSE=\n");
        let keys = scratch.path().join("state-keys");
        Self::with(scratch, backend, &["--state-key-file", keys.to_str().unwrap()])
    }

    fn with(scratch: &Scratch, backend: &str, arguments: &[&str]) -> Self {
        scratch.write(
            "config.yaml",
            &format!(
                "groupRef: team\n\
                 name: team\n\
                 incomingAuth: {{type: anonymous}}\n\
                 outgoingAuth: {{source: inline}}\n\
                 aggregation:\n\
                 \x20 conflictResolution: priority\n\
                 \x20 conflictResolutionConfig: {{priorityOrder: [fixture]}}\n\
                 backends:\n\
                 - {{name: fixture, url: \"{backend}\", transport: streamable-http, type: entry}}\n"
            ),
        );
        let (process, address) = Process::serve(&scratch.path().join("config.yaml"), arguments, &[]);
        Self { process, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Stops it as a pod is stopped, and gives what it said.
    pub(crate) fn stop(self) -> String {
        self.process.stop()
    }
}
