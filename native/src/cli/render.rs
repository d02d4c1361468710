//! `vmcp render`: from custom resources in files to the ConfigMap and the pod that the operator would make of them.
//!
//! It asks no cluster and applies nothing; what is made goes to standard output or a folder.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vmcp_core::diagnostic::{Diagnostic, File, Place, Severity, code};
use vmcp_core::render::{Object, Options, Rendered, Workload, render};
use vmcp_core::text::{Span, Text};

use super::input::{self, Input, StdinArgs};
use super::{Global, Unjudged, Verdict, note, print};
use crate::render::{Judged, counted, human};

/// Make the ConfigMap and the pod of ToolHive's custom resources
///
/// Reads VirtualMCPServers and what they refer to (MCPServers, MCPServerEntries, MCPExternalAuthConfigs and so on) from
/// files, and prints for each one the ConfigMap that the operator would write, with the group's servers in it, and a
/// PodTemplate with the volumes and variables that the pod must have. No cluster is asked. What is printed is the same
/// each time, is good input for `vmcp validate -`, and can be applied or compared.
///
/// Findings go to standard error. A server whose credentials cannot be told is left out, so that it is never called with
/// those of another; a VirtualMCPServer that an error is about is not made.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vmcp render -f tools.yaml                             ConfigMap and PodTemplate on standard output
  vmcp render -f base/ -f prod/ --output-dir rendered/  a file for each object, to keep in Git
  kustomize build . | vmcp render -f - | vmcp validate -
  vmcp render -f deploy/ --workload deployment --image registry.example/vmcp:0.1.0 | kubectl apply -f -
  kubectl get configmap tools-vmcp-config -o yaml >now.yaml && vmcp render -f deploy/ | vmcp diff now.yaml -

Exit codes:
  0  everything was made
  1  an error; what it is about was left out
  2  could not judge: wrong usage, or a file that cannot be read or written")]
pub(super) struct RenderArgs {
    /// Custom resources: a file, every .yaml, .yml and .json file below a folder, or `-` for standard input; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "FILE|DIR|-", required = true)]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    stdin: StdinArgs,
    /// The namespace of objects that name none
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,
    /// The image of the vMCP container, instead of that of `podTemplateSpec` or the operator's
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// What holds the pod: `pod-template` (its `template` is what `podTemplateSpec` takes) or `deployment` (with a Service)
    #[arg(long, value_enum, value_name = "WORKLOAD", default_value_t = Holder::PodTemplate, hide_possible_values = true)]
    workload: Holder,
    /// Write a file for each object below this folder, by namespace, instead of printing them
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Holder {
    PodTemplate,
    Deployment,
}

/// An input and how it was asked for.
struct Source {
    input: Input,
    asked: Asked,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    ByName,
    InFolder,
}

pub(super) fn run(args: &RenderArgs, global: &Global) -> Result<Verdict, Unjudged> {
    let sources = sources(args)?;
    let options = Options {
        namespace: &args.namespace,
        image: args.image.as_deref(),
        workload: match args.workload {
            Holder::PodTemplate => Workload::PodTemplate,
            Holder::Deployment => Workload::Deployment,
        },
    };
    let rendered = render(sources.iter().map(|source| source.input.bytes.as_slice()), &options);
    let judged = judged(&rendered, &sources);
    let stderr = io::stderr();
    let paint = human::Paint::new(global.color.on(&stderr));
    let findings: String = judged.iter().map(|one| human::findings(one, paint)).collect();
    // Where standard error is gone, nobody wants to know.
    drop(stderr.lock().write_all(findings.as_bytes()));
    match &args.output_dir {
        None => print(&rendered.yaml())?,
        Some(folder) => {
            for object in &rendered.objects {
                write(folder, object)?;
            }
            note(global, &format!("{} written below {}", counted(rendered.objects.len(), "object"), folder.display()));
        }
    }
    let errors = judged.iter().map(|one| one.count(Severity::Error)).sum();
    if errors == 0 {
        return Ok(Verdict::Fine);
    }
    note(global, &format!("{}; what they are about is left out", counted(errors, "error")));
    Ok(Verdict::Wrong)
}

fn sources(args: &RenderArgs) -> Result<Vec<Source>, Unjudged> {
    if args.inputs.iter().filter(|path| path.as_path() == Path::new("-")).count() > 1 {
        return Err(Unjudged::Usage("standard input (`-`) can be read once".to_owned()));
    }
    let mut sources = Vec::new();
    for path in &args.inputs {
        let (paths, asked) = match path.is_dir() {
            true => (input::below(path)?, Asked::InFolder),
            false => (vec![path.clone()], Asked::ByName),
        };
        for path in paths {
            sources.push(Source { input: Input::read(&path, &args.stdin.stdin_name)?, asked });
        }
    }
    Ok(sources)
}

/// What was found, by the input that it is about; what is about none is told with the first.
fn judged(rendered: &Rendered, sources: &[Source]) -> Vec<Judged> {
    let text = |span: Span| Text::new(rendered.text.get(span.range()).unwrap_or_default().to_owned());
    let mut judged: Vec<Judged> = sources
        .iter()
        .zip(&rendered.inputs)
        .map(|(source, &span)| Judged { file: source.input.name.clone(), text: text(span), ..Judged::default() })
        .collect();
    // An input ends where the next begins, and a finding at the end of one is its own.
    let of = |span: Span| rendered.inputs.iter().rposition(|input| input.start <= span.start).unwrap_or(0);
    let within = |index: usize, span: Span| {
        let start = rendered.inputs.get(index).map_or(0, |input| input.start);
        Span { start: span.start.saturating_sub(start), end: span.end.saturating_sub(start) }
    };
    for secret in &rendered.secrets {
        let index = of(*secret);
        if let Some(one) = judged.get_mut(index) {
            one.secrets.push(within(index, *secret));
        }
    }
    for finding in &rendered.diagnostics {
        let home = finding.place.as_ref().map_or(0, |place| of(place.span));
        // A folder holds many a file that is nothing of ours.
        if finding.code == code::NO_KIND && sources.get(home).is_some_and(|source| source.asked == Asked::InFolder) {
            continue;
        }
        let mut finding: Diagnostic = finding.clone();
        let mut others = Vec::new();
        let mut moved = |place: &mut Place| {
            let index = of(place.span);
            place.span = within(index, place.span);
            if let (true, Some(source)) = (index != home, sources.get(index)) {
                place.file = File::Named(Arc::from(source.input.name.as_str()));
                others.push(index);
            }
        };
        finding.place.iter_mut().for_each(&mut moved);
        finding.related.iter_mut().for_each(|related| moved(&mut related.place));
        for edit in finding.help.iter_mut().flat_map(|help| &mut help.edits) {
            edit.span = within(home, edit.span);
        }
        let others: Vec<_> = others
            .into_iter()
            .filter_map(|index| Some((sources.get(index)?.input.name.clone(), text(*rendered.inputs.get(index)?))))
            .collect();
        if let Some(one) = judged.get_mut(home) {
            one.others.extend(others);
            one.diagnostics.push(finding);
        }
    }
    judged
}

/// `<namespace>/<kind>-<name>.yaml`; names of objects are checked by the core, and hold no slash.
fn write(folder: &Path, object: &Object) -> Result<(), Unjudged> {
    let folder = object.namespace.as_ref().map_or_else(|| folder.to_owned(), |namespace| folder.join(namespace));
    let unwritable = |path: &Path, cause| Unjudged::Unwritable { name: path.display().to_string(), cause };
    fs::create_dir_all(&folder).map_err(|cause| unwritable(&folder, cause))?;
    let path = folder.join(format!("{}-{}.yaml", object.kind.to_lowercase(), object.name));
    fs::write(&path, &object.yaml).map_err(|cause| unwritable(&path, cause))
}
