//! Differences that are meant, each with its reason.
//!
//! A line of `tests/peers/fixtures/expected.txt` is `FIXTURE REVISION SCENARIO:CHECK REASON…`; `*` stands for every
//! fixture that is compared with itself, or for any check of a scenario; `client` is the half of the suite that is the
//! backend. Empty lines and lines that begin with `#` say nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use super::processes::peers;
use super::suite::{Key, Revision};

pub(crate) struct Expected(Vec<Line>);

struct Line {
    fixture: String,
    revision: String,
    scenario: String,
    check: String,
}

impl Expected {
    pub(crate) fn read() -> Self {
        let text = fs::read_to_string(peers().join("fixtures/expected.txt")).unwrap();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self(lines.map(|line| Line::read(line).unwrap_or_else(|| panic!("expected.txt: {line}"))).collect())
    }

    /// Losses that no line expects, and lines that expect what did not happen.
    pub(crate) fn faults(&self, fixture: &str, revision: Revision, losses: &BTreeMap<Key, String>) -> String {
        let mut text = String::new();
        let concerned: Vec<_> = self.0.iter().filter(|line| line.concerns(fixture, revision)).collect();
        for ((scenario, check), reason) in losses {
            if !concerned.iter().any(|line| line.expects(scenario, check)) {
                writeln!(text, "  lost: {revision} {scenario}:{check} {reason}").unwrap();
            }
        }
        for line in concerned {
            if !losses.keys().any(|(scenario, check)| line.expects(scenario, check)) {
                writeln!(text, "  expected, yet not lost: {revision} {}:{}", line.scenario, line.check).unwrap();
            }
        }
        text
    }
}

impl Line {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().map(str::to_owned);
        let (fixture, revision, name) = (words.next()?, words.next()?, words.next()?);
        // Without a reason nothing is expected.
        words.next()?;
        let (scenario, check) = name.split_once(':')?;
        Some(Self { fixture, revision, scenario: scenario.to_owned(), check: check.to_owned() })
    }

    fn concerns(&self, fixture: &str, revision: Revision) -> bool {
        let by_all = self.fixture == "*" && ["python", "typescript", "rmcp"].contains(&fixture);
        (by_all || self.fixture == fixture) && self.revision == revision.text()
    }

    fn expects(&self, scenario: &str, check: &str) -> bool {
        self.scenario == scenario && (self.check == "*" || self.check == check)
    }
}
