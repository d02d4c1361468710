//! The program under test with one backend, whose names are advertised as they are.
//!
//! It is only started, stopped and listened to.

use std::process::Command;

use serde_json::Value;
use vmcp_tests::{Scratch, program};

use super::processes::Process;

/// A running `vmcp serve`.
pub(crate) struct Gateway {
    process: Process,
    address: String,
}

impl Gateway {
    pub(crate) fn start(scratch: &Scratch, backend: &str) -> Self {
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
        let mut command = Command::new(program());
        command.args(["serve", "--host", "127.0.0.1", "--port", "0", "--log-format", "json", "--config"]);
        command.arg(scratch.path().join("config.yaml")).env_clear();
        let process = Process::start("vmcp", &mut command);
        let address = process.wait_for("where it listens", |line| {
            let said: Value = serde_json::from_str(line).ok()?;
            (said["msg"] == "listening").then(|| said["address"].as_str().map(str::to_owned))?
        });
        Self { process, address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Stops it as a pod is stopped, and gives what it said.
    pub(crate) fn stop(self) -> String {
        self.process.stop()
    }
}
