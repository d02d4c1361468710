//! `vmcp validate`: everything that is wrong with configurations, as text says it.
//!
//! It needs nothing that the configuration names: what is missing here may be there where it runs. `--materials` looks.

use std::path::{Path, PathBuf};

use vmcp_core::diagnostic::Severity;

use super::input::{self, Input, InputError, StdinArgs};
use super::judge::{Judgement, PlaceArgs, World, judge};
use super::{Global, Unjudged, Verdict, print};
use crate::render::json::Shape;
use crate::render::{Judged, counted, github, human, json, sarif};

/// Find everything that is wrong with a configuration
///
/// Judges text: files and variables that are not there are listed as what the pod will need, and are no errors. Input is a
/// configuration as it is, or Kubernetes ConfigMaps that hold `config.yaml`; a Deployment or Pod beside them says what the
/// pod has, and what the configuration needs is compared with it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vmcp validate vmcp.yaml
  vmcp validate deploy/                                 every .yaml, .yml and .json file below
  kubectl get configmap,deployment -o yaml | vmcp validate -
  helm template . | vmcp validate - --stdin-name chart  what findings call the input
  vmcp validate vmcp.yaml --materials --root rootfs --env-file dev.env
  vmcp validate deploy/ --format sarif >vmcp.sarif      for code scanning

Exit codes:
  0  no error (and, with --deny-warnings, no warning)
  1  a finding that is refused
  2  could not judge: wrong usage, or a file that cannot be read")]
pub(super) struct ValidateArgs {
    /// Files or folders; `-` reads standard input
    #[arg(value_name = "FILE|DIR|-", required_unless_present = "config")]
    inputs: Vec<PathBuf>,
    /// The same, as the other commands spell it
    #[arg(short, long, value_name = "FILE|DIR|-")]
    config: Vec<PathBuf>,
    #[command(flatten)]
    stdin: StdinArgs,
    /// How to print the findings
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Human)]
    format: Format,
    /// Exit 1 for warnings too; what is valid stays valid
    #[arg(long)]
    deny_warnings: bool,
    /// Look at the files and variables that the configuration names, too
    #[arg(long)]
    materials: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Source lines with what is wrong underlined
    Human,
    /// One object for one input, an array for several
    Json,
    /// GitHub workflow commands: annotations on a pull request
    Github,
    /// SARIF 2.1.0 for code scanners
    Sarif,
}

pub(super) fn run(args: &ValidateArgs, global: &Global) -> Result<Verdict, Unjudged> {
    if !args.materials && args.place.is_given() {
        return Err(Unjudged::Usage("`--root` and `--env-file` say where to look; they need `--materials`".to_owned()));
    }
    let world = if args.materials { Some(World::new(args.place.source()?)) } else { None };
    let asked: Vec<&Path> = args.config.iter().chain(&args.inputs).map(PathBuf::as_path).collect();
    if asked.iter().filter(|path| **path == Path::new("-")).count() > 1 {
        return Err(Unjudged::Usage("standard input (`-`) can be read once".to_owned()));
    }
    let mut shape = if asked.len() == 1 { Shape::Single } else { Shape::Several };
    let mut judged = Vec::new();
    let mut unread = Vec::new();
    for path in asked {
        let one = |path: &Path| Input::read(path, &args.stdin.stdin_name).map(|input| judge(input, world.as_ref()));
        if path.is_dir() {
            shape = Shape::Several;
            let before = judged.len();
            for found in input::below(path).map_err(Unjudged::Input)? {
                match one(&found) {
                    Ok(judgement) if is_something_else(&judgement) => {}
                    Ok(judgement) => judged.push(judgement.into_judged()),
                    Err(why) => unread.push(why),
                }
            }
            if judged.len() == before && unread.is_empty() {
                return Err(Unjudged::Usage(format!("no file below {} holds a configuration", path.display())));
            }
        } else {
            match one(path) {
                Ok(judgement) => judged.push(judgement.into_judged()),
                Err(why) => unread.push(why),
            }
        }
    }
    // Where nothing could be read there is no result, not an empty one.
    if !judged.is_empty() {
        print(&render(args.format, &judged, shape, global))?;
    }
    if !unread.is_empty() {
        return Err(Unjudged::Unread(unread));
    }
    let refused = |one: &Judged| !one.valid() || args.deny_warnings && one.count(Severity::Warning) > 0;
    Ok(if judged.iter().any(refused) { Verdict::Wrong } else { Verdict::Fine })
}

/// Whether a file in a folder is about other things: Kubernetes objects without a configuration, or a file of another
/// program. What cannot be read as YAML may be anything, so it is judged.
fn is_something_else(judgement: &Judgement) -> bool {
    let other_objects = judgement.has_no_configuration();
    let other_file = judgement.documents.iter().all(|document| {
        let config = &document.config;
        document.name.is_none()
            && !document.findings.iter().any(|finding| finding.code.id().starts_with("yaml/"))
            && config.group_ref.is_none()
            && config.backends.is_empty()
            && config.incoming_auth.is_none()
            && config.outgoing_auth.is_none()
            && config.aggregation.is_none()
    });
    other_objects || !judgement.documents.is_empty() && other_file
}

fn render(format: Format, judged: &[Judged], shape: Shape, global: &Global) -> String {
    match format {
        Format::Human => text(judged, global),
        Format::Json => json::report(judged, shape),
        Format::Github => judged.iter().map(github::commands).collect(),
        Format::Sarif => sarif::log(judged),
    }
}

fn text(judged: &[Judged], global: &Global) -> String {
    let paint = human::Paint::new(global.color.on(&std::io::stdout()));
    let mut out = String::new();
    for one in judged {
        out.push_str(&human::findings(one, paint));
        if !global.quiet {
            out.push_str(&human::summary(one, paint));
            out.push_str(&human::needs(one, paint));
        }
    }
    let invalid = judged.iter().filter(|one| !one.valid()).count();
    if !global.quiet && judged.len() > 1 {
        out.push_str(&format!("{} judged, {invalid} not valid\n", counted(judged.len(), "input")));
    }
    let first =
        judged.iter().flat_map(|one| &one.diagnostics).find(|diagnostic| diagnostic.severity() == Severity::Error);
    if let (Some(first), false) = (first, global.quiet) {
        out.push_str(&paint.faint(&format!("`vmcp explain {}` tells more about a finding\n", first.code)));
    }
    out
}

/// What could not be read, one a line.
pub(super) fn unread(inputs: &[InputError]) -> String {
    let why = |error: &InputError| match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    inputs.iter().map(why).collect::<Vec<_>>().join("\nerror: ")
}
