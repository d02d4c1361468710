//! What `vmcp check` found, for people and for scripts.
//!
//! It reaches nothing.

use std::time::Duration;

use serde::Serialize;
use vmcp_core::discovery::Rejected;
use vmcp_core::report::Finding;
use vmcp_core::trust::{TrustedBy, UnixTime};

use super::super::Global;
use super::probe::{CheckStage, Outcome, Probed, Step};
use crate::render::human::{Paint, shown};
use crate::render::table::{Table, columns};
use crate::render::{Judged, counted, json};

/// Everything that is shown.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    /// Whether every backend answered.
    pub(super) ok: bool,
    backends: Vec<Reached<'a>>,
    rejected: Vec<Refused<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reached<'a> {
    name: &'a str,
    url: &'a str,
    ok: bool,
    stages: Vec<StageShown<'a>>,
    address: Option<&'a str>,
    tls: Option<Tls<'a>>,
    revision: Option<&'a str>,
    server: Option<&'a str>,
    capabilities: &'a [String],
    /// How many it lists, by kind.
    counts: serde_json::Map<String, serde_json::Value>,
    warnings: Vec<String>,
    milliseconds: f64,
}

#[derive(Serialize)]
struct StageShown<'a> {
    stage: CheckStage,
    status: &'static str,
    /// Why, if it is not `ok`.
    reason: Option<&'a str>,
    milliseconds: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tls<'a> {
    version: &'static str,
    trusted_by: Option<&'a TrustedBy>,
    /// Whole days until the certificate of the server expires, or the one that vouches for it.
    days_left: Option<i64>,
}

#[derive(Serialize)]
struct Refused<'a> {
    name: &'a str,
    reasons: Vec<Finding<'a>>,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        probed: &'a [Probed],
        rejected: &'a [Rejected],
        judged: &'a Judged,
        warn_days: i64,
        now: UnixTime,
    ) -> Self {
        Self {
            ok: rejected.is_empty() && probed.iter().all(Probed::is_ok),
            backends: probed.iter().map(|one| reached(one, warn_days, now)).collect(),
            rejected: rejected
                .iter()
                .map(|one| Refused {
                    name: &one.name,
                    reasons: one.reasons.iter().map(|reason| json::finding(judged, reason)).collect(),
                })
                .collect(),
        }
    }

    /// One line for each backend, then what is worth reading about it.
    pub(super) fn table(&self, paint: Paint, global: &Global) -> String {
        let mut table =
            Table::new(columns!["NAME", "RESULT", "RESOLVE", "CONNECT", "TLS", "MCP", "REVISION", "OFFERS"]);
        for one in &self.backends {
            let failed = one.stages.iter().find(|stage| stage.status == "failed");
            table.row([
                shown(one.name),
                failed.map_or_else(|| "ok".to_owned(), |stage| format!("no {}", noun(stage.stage))),
                one.time_of(CheckStage::Resolve),
                one.time_of(CheckStage::Connect),
                one.time_of(CheckStage::Tls),
                one.time_of(CheckStage::Revision),
                one.revision.unwrap_or("-").to_owned(),
                one.offers(),
            ]);
        }
        for one in &self.rejected {
            let mut row = [const { String::new() }; 8];
            row[0] = shown(one.name);
            row[1] = "rejected".to_owned();
            table.row(row);
        }
        let mut out = table.draw(paint);
        for one in &self.backends {
            out.push_str(&one.particulars(paint));
        }
        for one in &self.rejected {
            out.push_str(&format!("\n{} {}\n", paint.strong(&shown(one.name)), paint.bad("is rejected")));
            for reason in &one.reasons {
                out.push_str(&format!("  {} [{}]\n", shown(reason.message), reason.code));
            }
        }
        if !global.quiet {
            let good = self.backends.iter().filter(|one| one.ok).count();
            let all = self.backends.len() + self.rejected.len();
            out.push_str(&format!("\n{good} of {} answered\n", counted(all, "backend")));
        }
        out
    }
}

impl Reached<'_> {
    fn time_of(&self, stage: CheckStage) -> String {
        let Some(shown) = self.stages.iter().find(|shown| shown.stage == stage) else { return "-".to_owned() };
        match (shown.status, shown.milliseconds) {
            ("ok", Some(milliseconds)) => format!("{milliseconds:.1} ms"),
            _ => "-".to_owned(),
        }
    }

    fn offers(&self) -> String {
        let count = |(noun, count): (&String, &serde_json::Value)| {
            let count = count.as_u64().unwrap_or_default();
            counted(usize::try_from(count).unwrap_or(usize::MAX), noun.trim_end_matches('s'))
        };
        let all: Vec<String> = self.counts.iter().map(count).collect();
        if all.is_empty() { "-".to_owned() } else { all.join(", ") }
    }

    fn particulars(&self, paint: Paint) -> String {
        let mut out = format!("\n{}  {}\n", paint.strong(&shown(self.name)), paint.faint(&shown(self.url)));
        let server = self.server.map(|server| format!("server    {}", shown(server)));
        let address = self.address.map(|address| format!("address   {address}"));
        let tls = self.tls.as_ref().map(|tls| match tls.trusted_by {
            Some(by) => {
                let left = tls.days_left.map(|days| format!(", {days} days left")).unwrap_or_default();
                format!(
                    "trust     {}, {} {} of {}:{}{left}",
                    tls.version,
                    by.role,
                    shown(&by.subject),
                    shown(&by.file),
                    by.line
                )
            }
            None => format!("trust     {}", tls.version),
        });
        for line in [server, address, tls].into_iter().flatten() {
            out.push_str(&format!("  {line}\n"));
        }
        for warning in &self.warnings {
            out.push_str(&format!(
                "  {} {}\n",
                paint.severity(vmcp_core::diagnostic::Severity::Warning, "warning"),
                shown(warning)
            ));
        }
        for stage in self.stages.iter().filter(|stage| stage.status == "failed") {
            out.push_str(&format!("  {}    {}\n", paint.bad("failed"), shown(stage.reason.unwrap_or_default())));
        }
        out
    }
}

fn reached(probed: &Probed, warn_days: i64, now: UnixTime) -> Reached<'_> {
    let by = probed.trusted_by.as_ref();
    let seconds = |time: UnixTime| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let days = |time| (seconds(time) - seconds(now)).div_euclid(86_400);
    let server = by.map(|by| days(by.presented.not_after));
    let anchor = by.map(|by| days(by.not_after));
    let mut warnings = Vec::new();
    for (what, left) in [("the server's certificate", server), ("the certificate that vouches for it", anchor)] {
        if let Some(left) = left.filter(|left| *left < warn_days) {
            warnings.push(format!("{what} expires in {left} days"));
        }
    }
    Reached {
        name: &probed.name,
        url: &probed.url,
        ok: probed.is_ok(),
        stages: probed.steps.iter().map(stage).collect(),
        address: probed.address.as_deref(),
        tls: probed.tls.map(|version| Tls { version, trusted_by: by, days_left: server.min(anchor) }),
        revision: probed.revision.as_deref(),
        server: probed.server.as_deref(),
        capabilities: &probed.capabilities,
        counts: probed.counts.iter().map(|&(noun, count)| (noun.to_owned(), count.into())).collect(),
        warnings,
        milliseconds: milliseconds(probed.took),
    }
}

fn stage(step: &Step) -> StageShown<'_> {
    let (status, reason) = match &step.outcome {
        Outcome::Ok => ("ok", None),
        Outcome::Failed(why) => ("failed", Some(why.as_str())),
        Outcome::Skipped(why) => ("skipped", Some(*why)),
    };
    StageShown { stage: step.stage, status, reason, milliseconds: step.took.map(milliseconds) }
}

fn noun(stage: CheckStage) -> &'static str {
    match stage {
        CheckStage::Resolve => "address",
        CheckStage::Connect => "connection",
        CheckStage::Tls => "TLS",
        CheckStage::Auth => "access",
        CheckStage::Revision => "MCP",
        CheckStage::Capabilities => "list",
    }
}

/// With three decimals.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}
