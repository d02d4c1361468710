//! Custom resources → the ConfigMap that static mode reads, and the pod that it needs: what ToolHive's operator makes of
//! them in a cluster, made of their text.
//!
//! It reads no files and asks no cluster. A reference that leads nowhere, or what cannot be said in a static
//! configuration, is a finding, and what depends on it is left out, never guessed. Source: ToolHive's
//! `cmd/thv-operator`; differences are in `docs/compatibility.md`.

mod backends;
mod canonical;
mod incoming;
mod objects;
mod pod;
mod server;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::findings::Findings;
use crate::config::input::ConfigMapName;
use crate::config::{Config, limits};
use crate::crd::Kind;
use crate::diagnostic::{self, Diagnostic, code};
use crate::order;
use crate::text::Span;
use crate::yaml::{self, Draft, Parsed, Positions, Tree};
use objects::Objects;

pub use pod::Workload;

/// Each server looks at each object; this many looks are taken, so that time stays bounded.
const LOOKS: usize = 4_000_000;

/// How to render.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The namespace of objects that name none.
    pub namespace: &'a str,
    /// The image of the vMCP container; without one, that of the resource's `podTemplateSpec`, else the operator's.
    pub image: Option<&'a str>,
    /// What holds the pod.
    pub workload: Workload,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { namespace: "default", image: None, workload: Workload::PodTemplate }
    }
}

/// What was made, and what was found.
#[derive(Clone, Debug, Default)]
pub struct Rendered {
    /// The texts of all inputs, decoded, one after the other: all spans refer to it.
    pub text: String,
    /// Where each input stands in it, in their order.
    pub inputs: Vec<Span>,
    /// What was made, by namespace and name of the VirtualMCPServer; the ConfigMap before the pod.
    pub objects: Vec<Object>,
    /// The configurations of those objects, in their order.
    pub configurations: Vec<Configuration>,
    /// Everything that was found, in the order of [`diagnostic::sort`].
    pub diagnostics: Vec<Diagnostic>,
    /// Bytes that hold a credential: whoever shows the text leaves them out.
    pub secrets: Vec<Span>,
}

/// A configuration that was made, as it is read; its places are those of what it was made of.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The ConfigMap that holds it.
    pub name: ConfigMapName,
    /// With backends that have an error, which the ConfigMap does not hold.
    pub config: Config,
    /// What was found in it, also among [`Rendered::diagnostics`].
    pub findings: Vec<Diagnostic>,
}

/// An object that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its kind.
    pub kind: &'static str,
    /// The namespace that its VirtualMCPServer names; `None` if it names none.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Itself, as one YAML document.
    pub yaml: String,
}

impl Rendered {
    /// All objects as one stream of YAML documents.
    #[must_use]
    pub fn yaml(&self) -> String {
        self.objects.iter().map(|object| object.yaml.as_str()).collect::<Vec<_>>().join("---\n")
    }
}

/// Renders every `VirtualMCPServer` of the inputs. Never fails: what is wrong is among the diagnostics, and what an error
/// is about is not made.
#[must_use]
pub fn render<'a>(inputs: impl IntoIterator<Item = &'a [u8]>, options: &Options<'_>) -> Rendered {
    let mut rendered = Rendered::default();
    let mut diagnostics = Vec::new();
    for bytes in inputs {
        let start = rendered.text.len();
        if bytes.len() > limits::INPUT_BYTES.saturating_sub(start) {
            let message = format!("the inputs have more than {} bytes together; no more are read", limits::INPUT_BYTES);
            diagnostics.push(Diagnostic::new(code::TOO_LARGE, message));
            rendered.inputs.push(Span::at(start));
            continue;
        }
        let decoded = yaml::decode(bytes);
        diagnostics.extend(decoded.diagnostic.map(|finding| moved(finding, start)));
        rendered.text.push_str(&decoded.text);
        rendered.inputs.push(Span::new(start, rendered.text.len()));
    }
    let mut trees: Vec<Parsed<'_>> = Vec::new();
    for input in &rendered.inputs {
        let text = rendered.text.get(input.range()).unwrap_or_default();
        trees.extend(yaml::documents(text, &Positions::shifted(input.start as usize)));
    }
    let mut findings = Findings::new(&mut diagnostics);
    let objects = Objects::of(&trees, options.namespace, &mut findings);
    let mut secrets = objects.secrets();
    let mut servers: Vec<_> = objects.of_kind(Kind::VirtualMCPServer).collect();
    if servers.is_empty() && findings.errors() == 0 {
        let message = "there is no VirtualMCPServer among the objects; expected one, which says what is served";
        findings.keep(Diagnostic::new(code::RENDER_NO_SERVER, message));
    }
    if servers.len().saturating_mul(objects.all.len()) > LOOKS {
        let message = format!(
            "{} VirtualMCPServers among {} objects are too many to render at once; expected fewer of them at a time",
            servers.len(),
            objects.all.len()
        );
        findings.keep(Diagnostic::new(code::RENDER_TOO_LARGE, message));
        servers.clear();
    }
    order::sort(&mut servers, |a, b| (a.namespace, a.name).cmp(&(b.namespace, b.name)));
    let mut made = Vec::new();
    let mut configurations = Vec::new();
    let mut size = 0;
    for server in servers.into_iter().filter(|server| server.is_sound()) {
        let Some((output, configuration)) =
            server::Making::new(&objects, server, &rendered.text, options, &mut findings).make()
        else {
            continue;
        };
        size += output.iter().map(|object| object.yaml.len()).sum::<usize>();
        if size > limits::INPUT_BYTES {
            let message = format!("what is rendered has more than {} bytes; the rest is left out", limits::INPUT_BYTES);
            findings.keep(Diagnostic::new(code::RENDER_TOO_LARGE, message).at(server.at));
            break;
        }
        made.extend(output);
        configurations.push(configuration);
    }
    findings.finish();
    drop(objects);
    drop(trees);
    secrets.extend(crate::config::secrets_in_text(&rendered.text));
    rendered.secrets = crate::config::apart(secrets);
    rendered.objects = made;
    rendered.configurations = configurations;
    diagnostic::sort(&mut diagnostics);
    rendered.diagnostics = diagnostics;
    rendered
}

/// A draft as a YAML document. What is made here has scalars for keys, so that nothing can go wrong; if it did, nothing
/// would be written.
fn document(draft: &Draft<'_, '_>) -> String {
    let tree = Tree::of(draft);
    tree.root().and_then(|root| yaml::emit_node(root).ok()).unwrap_or_default()
}

/// A finding of a text that stands `by` bytes later.
fn moved(mut finding: Diagnostic, by: usize) -> Diagnostic {
    if let Some(place) = &mut finding.place {
        place.span = Positions::shifted(by).map(place.span);
    }
    finding
}
