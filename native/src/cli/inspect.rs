//! `vmcp inspect`: the configuration with its defaults, and what each backend resolves to on this machine.
//!
//! It opens no connection unless it is told to, and shows the names of credentials, never their values.

mod live;
mod table;

use std::collections::BTreeMap;

use serde::Serialize;
use vmcp_core::auth::{Applied, AuthSource};
use vmcp_core::config::Config;
use vmcp_core::discovery::{Backend, BackendKind, Rejected, Transport};
use vmcp_core::report::Finding;
use vmcp_core::trust::{Pool, Trusted, UnixTime};

use super::input::{Input, InputArgs};
use super::judge::{PlaceArgs, World, judge};
use super::{Global, Unjudged, Verdict, print};
use crate::render::human::Paint;
use crate::render::tree::Tree;
use crate::render::{Judged, json};

/// Show the effective configuration, and what each backend resolves to
///
/// Reads the CA bundles and variables that the configuration names, opens no connection without `--live`, and shows URL, transport, type, group,
/// auth (kind and names, never values), header names and trust anchors of each backend, and why others are rejected.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vmcp inspect -c /etc/vmcp-config/config.yaml
  vmcp inspect -c configmap.yaml --root rootfs --env-file dev.env
  vmcp inspect -c config.yaml --live
  vmcp inspect -c configmap.yaml --format json | jq '.backends[].pool.bundle[] | {subject, daysLeft}'

Exit codes:
  0  every backend can be called
  1  a backend is rejected or (--live) does not answer, or the configuration has an error; what there is is shown all the
     same
  2  could not judge: wrong usage, a file that cannot be read, or several configurations in the input")]
pub(super) struct InspectArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Ask the backends for their lists too, and show every name that clients would see: where it comes from, and what is
    /// renamed, hidden or left out, and why
    #[arg(long)]
    live: bool,
    /// How to print it
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One object: config, backends, rejected, diagnostics
    Json,
    /// The same in YAML
    Yaml,
}

/// Everything that is shown.
#[derive(Serialize)]
struct Inspection<'a> {
    config: Tree,
    backends: Vec<Shown<'a>>,
    rejected: Vec<Refusal<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    catalog: Option<live::Catalog>,
    diagnostics: Vec<Finding<'a>>,
}

/// One backend that may be called.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    name: &'a str,
    url: String,
    transport: Transport,
    #[serde(rename = "type")]
    kind: BackendKind,
    group: Option<&'a str>,
    auth: Auth<'a>,
    /// Names of the headers that the operator's manifest adds.
    headers: Vec<&'a str>,
    pool: Trust<'a>,
    metadata: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Auth<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    source: AuthSource,
    /// The header that carries the credential.
    header: Option<&'a str>,
    /// The variables that secrets come from.
    variables: Vec<String>,
}

/// Whom the backend is verified against; null where it is spoken to without TLS.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trust<'a> {
    ca_bundle_path: Option<&'a str>,
    bundle: Vec<Anchor<'a>>,
    system_roots: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Anchor<'a> {
    #[serde(flatten)]
    trusted: &'a Trusted,
    days_left: i64,
}

/// One backend that is not called.
#[derive(Serialize)]
struct Refusal<'a> {
    name: &'a str,
    index: usize,
    reasons: Vec<Finding<'a>>,
}

pub(super) fn run(args: &InspectArgs, global: &Global) -> Result<Verdict, Unjudged> {
    let world = World::new(args.place.source()?);
    let input = Input::read(&args.input.config, &args.input.stdin.stdin_name)?;
    let judgement = judge(input, Some(&world)).keep(args.input.configmap.as_deref())?;
    let (judged, document) = judgement.into_single();
    let Some((config, catalog)) = document else {
        // There is no configuration, and the findings say why.
        print(&match args.format {
            Format::Table => table::findings(&judged, Paint::new(global.color.on(&std::io::stdout()))),
            Format::Json => json::report(std::slice::from_ref(&judged), json::Shape::Single),
            Format::Yaml => json::report(std::slice::from_ref(&judged), json::Shape::Single),
        })?;
        return Ok(Verdict::Wrong);
    };
    let now = UnixTime::now();
    let inspection = Inspection {
        config: Tree::of(&config.effective()).without_credentials(),
        backends: catalog.backends.iter().map(|backend| shown(backend, &config, now)).collect(),
        rejected: catalog.rejected.iter().map(|rejected| refusal(rejected, &judged)).collect(),
        catalog: args.live.then(|| live::ask(&config, &catalog.backends)),
        diagnostics: json::findings(&judged),
    };
    let all_answer = inspection.catalog.as_ref().is_none_or(|catalog| catalog.silent.is_empty());
    print(&match args.format {
        Format::Table => table::draw(&inspection, &judged, Paint::new(global.color.on(&std::io::stdout())), global),
        Format::Json => json::pretty(&inspection),
        Format::Yaml => crate::render::yaml::document(&inspection),
    })?;
    Ok(if judged.valid() && catalog.rejected.is_empty() && all_answer { Verdict::Fine } else { Verdict::Wrong })
}

fn shown<'a>(backend: &'a Backend, config: &Config, now: UnixTime) -> Shown<'a> {
    let written = config
        .backends
        .iter()
        .enumerate()
        .find(|(_, written)| written.name.as_ref().is_some_and(|name| name.value == backend.name));
    let variables = written.map_or(Vec::new(), |(index, written)| Applied::of(config, index, written).variables());
    Shown {
        name: &backend.name,
        url: backend.endpoint.to_string(),
        transport: backend.transport,
        kind: backend.kind,
        group: backend.metadata.get("group").map(String::as_str),
        auth: Auth {
            kind: backend.auth_type,
            source: backend.auth_source,
            header: backend.credentials.header(),
            variables: variables.into_iter().map(|variable| variable.name).collect(),
        },
        headers: backend.forwarded_headers.iter().map(|(name, _)| name.as_str()).collect(),
        pool: trust(&backend.pool, backend.ca_bundle_path.as_deref(), now),
        metadata: &backend.metadata,
    }
}

fn trust<'a>(pool: &'a Pool, ca_bundle_path: Option<&'a str>, now: UnixTime) -> Trust<'a> {
    let own = pool.bundle.as_deref().map(|bundle| bundle.trusted()).unwrap_or_default();
    Trust {
        ca_bundle_path,
        bundle: own.iter().map(|trusted| Anchor { trusted, days_left: days_left(trusted, now) }).collect(),
        system_roots: pool.system.trusted().len(),
    }
}

/// Whole days until a certificate expires; negative if it has.
fn days_left(trusted: &Trusted, now: UnixTime) -> i64 {
    let seconds = |time: UnixTime| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    (seconds(trusted.certificate.not_after) - seconds(now)).div_euclid(86_400)
}

fn refusal<'a>(rejected: &'a Rejected, judged: &'a Judged) -> Refusal<'a> {
    Refusal {
        name: &rejected.name,
        index: rejected.index,
        reasons: rejected.reasons.iter().map(|reason| json::finding(judged, reason)).collect(),
    }
}
