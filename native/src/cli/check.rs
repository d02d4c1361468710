//! `vmcp check`: reaches every backend side by side and says how far each came.
//!
//! It calls no tool. What a backend lists is counted, not shown.

pub(super) mod caller;
pub(super) mod probe;
mod report;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use vmcp_core::diagnostic::nearest;
use vmcp_core::discovery::{Backend, Rejected};
use vmcp_core::trust::UnixTime;

use super::input::{Input, InputArgs};
use super::judge::{PlaceArgs, World, judge};
use super::{Global, Unjudged, Verdict, note, print};
use crate::render::human::Paint;
use crate::render::{counted, json};
use caller::{Caller, Granting};
use probe::{Probed, probe};
use report::Report;

/// How many backends are reached at the same time.
const SIDE_BY_SIDE: usize = 64;

/// Reach every backend, and say how far each came
///
/// For each backend: name resolution, connection, TLS (which certificate vouched for it, and for how long yet), auth, MCP
/// revision, and what it offers, each with its time. One broken backend does not hide the others.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vmcp check -c /etc/vmcp-config/config.yaml
  vmcp check -c configmap.yaml --root rootfs --env-file dev.env --backend billing
  vmcp check -c configmap.yaml --format json | jq '.backends[] | select(.ok | not)'

Exit codes:
  0  every backend answered
  1  a backend failed, or is rejected
  2  could not judge: wrong usage, a file that cannot be read, or several configurations in the input

Environment: HTTPS_PROXY, HTTP_PROXY, NO_PROXY are honoured, as `vmcp serve` does.")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    place: PlaceArgs,
    /// Only this backend
    #[arg(long, value_name = "NAME")]
    backend: Option<String>,
    /// How to print it
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    format: Format,
    /// How long one backend may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = super::serve::time)]
    timeout: Duration,
    /// Warn of certificates that expire within so many days
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    warn_days: i64,
    /// A caller's token, for strategies that exchange one; without it their auth is skipped
    #[arg(long, value_name = "FILE")]
    token_file: Option<std::path::PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One object: ok, backends, rejected
    Json,
}

pub(super) fn run(args: &CheckArgs, global: &Global) -> Result<Verdict, Unjudged> {
    let world = World::new(args.place.source()?);
    let caller = args.token_file.as_deref().map(Caller::read).transpose()?;
    let input = Input::read(&args.input.config, &args.input.stdin.stdin_name)?;
    let (judged, document) = judge(input, Some(&world)).keep(args.input.configmap.as_deref())?.into_single();
    let Some((_, mut catalog)) = document else {
        return Err(Unjudged::Usage(format!("{} holds no configuration; `vmcp validate` says why", judged.file)));
    };
    if let Some(wanted) = &args.backend {
        only(wanted, &mut catalog.backends, &mut catalog.rejected)?;
    }
    note(global, &format!("checking {} …", counted(catalog.backends.len(), "backend")));
    let now = UnixTime::now();
    let probed = side_by_side(&catalog.backends, caller.as_ref(), args.timeout, now);
    let report = Report::new(&probed, &catalog.rejected, &judged, args.warn_days, now);
    print(&match args.format {
        Format::Table => report.table(Paint::new(global.color.on(&std::io::stdout())), global),
        Format::Json => json::pretty(&report),
    })?;
    Ok(if report.ok { Verdict::Fine } else { Verdict::Wrong })
}

/// Leaves one backend.
fn only(wanted: &str, backends: &mut Vec<Backend>, rejected: &mut Vec<Rejected>) -> Result<(), Unjudged> {
    let names: Vec<String> =
        backends.iter().map(|one| &one.name).chain(rejected.iter().map(|one| &one.name)).cloned().collect();
    if !names.iter().any(|name| name == wanted) {
        let hint = match nearest(wanted, names.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "`vmcp inspect` lists them".to_owned(),
        };
        return Err(Unjudged::Usage(format!("there is no backend `{wanted}`; {hint}")));
    }
    backends.retain(|backend| backend.name == wanted);
    rejected.retain(|backend| backend.name == wanted);
    Ok(())
}

/// Probes all backends, on threads of their own, and returns what became of each in their order.
fn side_by_side(backends: &[Backend], caller: Option<&Caller>, timeout: Duration, now: UnixTime) -> Vec<Probed> {
    let granting = Granting::of(backends);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(backends.len()));
    std::thread::scope(|scope| {
        for _ in 0..backends.len().min(SIDE_BY_SIDE) {
            scope.spawn(|| {
                while let Some((index, backend)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    backends.get(index).map(|backend| (index, backend))
                } {
                    let granted = granting.for_backend(backend, caller, timeout);
                    let probed = probe(backend, granted, timeout, now);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((index, probed));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, probed)| probed).collect()
}
