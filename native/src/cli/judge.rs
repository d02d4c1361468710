//! One input from bytes to findings: what `validate`, `inspect`, `check` and `serve` begin with.
//!
//! It prints nothing, and reads no more of the world than it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use vmcp_core::config::Config;
use vmcp_core::config::input::ConfigMapName;
use vmcp_core::diagnostic::{self, Diagnostic, code};
use vmcp_core::discovery::{Catalog, Materials, Needs, Presence, discover, needs};
use vmcp_core::text::{Span, Text};
use vmcp_core::trust::{SystemRoots, UnixTime};

use super::Unjudged;
use super::input::Input;
use crate::materials::{Source, gather, read_env_file};
use crate::render::Judged;
use crate::roles;
use crate::roots::system_roots;

/// Where the files and variables of the pod are, off the pod.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PlaceArgs {
    /// A folder that stands for `/` when configured paths are read
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// A file of NAME=value lines that stands for the environment
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

impl PlaceArgs {
    /// Whether anything was said.
    pub(crate) fn is_given(&self) -> bool {
        self.root.is_some() || self.env_file.is_some()
    }

    /// Where to read from.
    pub(crate) fn source(&self) -> Result<Source, Unjudged> {
        let mut source = Source::this_machine();
        if let Some(root) = &self.root {
            if !root.is_dir() {
                return Err(Unjudged::Usage(format!("`--root {}` is no folder", root.display())));
            }
            source = source.with_root(root);
        }
        if let Some(path) = &self.env_file {
            source = source.with_variables(read_env_file(path).map_err(Unjudged::EnvFile)?);
        }
        Ok(source)
    }
}

/// An input that was judged.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// What the input is called.
    pub(crate) name: String,
    /// Its text, to which all spans refer.
    pub(crate) text: Text,
    /// The configurations in it, in text order.
    pub(crate) documents: Vec<Document>,
    /// What was found about the input itself.
    diagnostics: Vec<Diagnostic>,
    /// Where credentials stand in the text.
    secrets: Vec<Span>,
    /// Other texts that findings point into.
    others: BTreeMap<String, Text>,
}

/// One configuration of an input.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its ConfigMap; `None` for an input that is a configuration itself.
    pub(crate) name: Option<ConfigMapName>,
    /// What could be read of it.
    pub(crate) config: Config,
    /// What is wrong with it as text.
    pub(crate) findings: Vec<Diagnostic>,
    /// What it needs from where it runs.
    pub(crate) needs: Needs,
    /// What may be called, if the materials were looked at.
    pub(crate) catalog: Option<Catalog>,
}

/// The world that materials are taken from, asked once for all configurations.
pub(crate) struct World {
    source: Source,
    roots: Arc<SystemRoots>,
    /// What was found about the system roots.
    findings: Vec<Diagnostic>,
    now: UnixTime,
}

impl World {
    /// Configured files and variables come from `source`, the system roots always from this machine.
    pub(crate) fn new(source: Source) -> Self {
        let (roots, findings) = system_roots(&Source::this_machine());
        Self { source, roots: Arc::new(roots), findings, now: UnixTime::now() }
    }

    /// What a configuration names, looked for.
    pub(crate) fn materials(&self, config: &Config) -> Materials {
        gather(|known| needs(config, &known.variables), &self.source, self.roots.clone(), self.now)
    }
}

/// Judges one input. With a `world`, what the configurations name is looked at too.
pub(crate) fn judge(input: Input, world: Option<&World>) -> Judgement {
    let text = vmcp_core::judge::judge(&input.bytes);
    let mut judgement = Judgement {
        name: input.name,
        text: text.text,
        documents: text.documents.into_iter().map(Document::from).collect(),
        diagnostics: text.diagnostics,
        secrets: text.secrets,
        others: BTreeMap::new(),
    };
    for document in &mut judgement.documents {
        document.findings.extend(roles::findings(&document.config));
        diagnostic::sort(&mut document.findings);
    }
    if let Some(world) = world.filter(|_| !judgement.documents.is_empty()) {
        judgement.diagnostics.extend(world.findings.iter().cloned());
        for document in &mut judgement.documents {
            let materials = world.materials(&document.config);
            document.catalog = Some(discover(&document.config, &document.findings, &materials));
            for (path, bytes) in materials.files {
                if let Ok(bytes) = bytes {
                    judgement.others.entry(path).or_insert_with(|| Text::new(same_length_text(&bytes)));
                }
            }
        }
    }
    judgement
}

impl From<vmcp_core::judge::Document> for Document {
    fn from(document: vmcp_core::judge::Document) -> Self {
        let vmcp_core::judge::Document { name, config, findings, needs } = document;
        Self { name, config, findings, needs, catalog: None }
    }
}

impl Judgement {
    /// Everything that was found, ready to be shown.
    pub(crate) fn into_judged(self) -> Judged {
        let mut judged = Judged {
            file: self.name,
            text: self.text,
            diagnostics: self.diagnostics,
            files: BTreeSet::new(),
            variables: BTreeSet::new(),
            others: self.others,
            secrets: self.secrets,
        };
        for document in self.documents {
            judged.diagnostics.extend(document.findings);
            judged.diagnostics.extend(document.catalog.map(|catalog| catalog.diagnostics).unwrap_or_default());
            judged.files.extend(document.needs.files.into_iter().map(|file| file.path));
            let required = document.needs.variables.into_iter().filter(|need| need.presence == Presence::Required);
            judged.variables.extend(required.map(|variable| variable.name));
        }
        diagnostic::sort(&mut judged.diagnostics);
        judged
    }

    /// Whether the input is sound, but about other things.
    pub(crate) fn has_no_configuration(&self) -> bool {
        let other = |finding: &Diagnostic| finding.code == code::NO_CONFIGURATION;
        self.documents.is_empty() && !self.diagnostics.is_empty() && self.diagnostics.iter().all(other)
    }

    /// What was found, and the only configuration with its catalog.
    pub(crate) fn into_single(mut self) -> (Judged, Option<(Config, Catalog)>) {
        let document = self.documents.first_mut();
        let single = document.and_then(|one| Some((one.config.clone(), one.catalog.clone()?)));
        (self.into_judged(), single)
    }

    /// Keeps one configuration: the only one, or that of the ConfigMap `wanted` (`NAME` or `NAMESPACE/NAME`).
    pub(crate) fn keep(mut self, wanted: Option<&str>) -> Result<Self, Unjudged> {
        if let Some(wanted) = wanted {
            self.documents.retain(|document| document.name.as_ref().is_some_and(|name| names(wanted, name)));
            if self.documents.is_empty() {
                return Err(Unjudged::Usage(format!(
                    "{} holds no ConfigMap `{wanted}` with a configuration",
                    self.name
                )));
            }
        }
        if self.documents.len() > 1 {
            let names: Vec<String> =
                self.documents.iter().filter_map(|one| one.name.as_ref()).map(ToString::to_string).collect();
            return Err(Unjudged::Usage(format!(
                "{} holds {} configurations; choose one with `--configmap`:\n  {}",
                self.name,
                names.len(),
                names.join("\n  ")
            )));
        }
        Ok(self)
    }
}

/// Whether a person who writes `wanted` means this ConfigMap.
fn names(wanted: &str, name: &ConfigMapName) -> bool {
    match wanted.split_once('/') {
        Some((namespace, wanted)) => name.name == wanted && name.namespace.as_deref() == Some(namespace),
        None => name.name == wanted,
    }
}

/// Text in which every byte stands where it stood: of what is not UTF-8 each byte is a question mark.
fn same_length_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_not_utf_8_keeps_its_places() {
        assert_eq!(same_length_text(b"a\xff\xe2\x82b\xc3\xa9"), "a???b\u{e9}");
    }

    #[test]
    fn a_config_map_is_named_with_or_without_its_namespace() {
        let name =
            |namespace: Option<&str>| ConfigMapName { namespace: namespace.map(str::to_owned), name: "a".into() };
        assert!(names("a", &name(Some("n"))) && names("n/a", &name(Some("n"))) && names("a", &name(None)));
        assert!(!names("m/a", &name(Some("n"))) && !names("n/a", &name(None)) && !names("b", &name(None)));
    }
}
