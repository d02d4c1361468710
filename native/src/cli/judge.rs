//! One input from bytes to findings: what `validate`, `inspect`, `check` and `serve` begin with.
//!
//! It prints nothing, and reads no more of the world than it is told to.

use std::path::PathBuf;

use vmcp_core::{config, diagnostic, yaml};

use super::Unjudged;
use super::input::Input;
use crate::materials::{Source, read_env_file};
use crate::render::{Judged, Text};

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
pub(crate) struct Judgement {
    /// What was found.
    pub(crate) judged: Judged,
}

/// Judges one input. With a `source`, what the configuration names is looked at too.
pub(crate) fn judge(input: Input, _source: Option<&Source>) -> Judgement {
    let text = String::from_utf8_lossy(&input.bytes).into_owned();
    let mut diagnostics;
    let mut secrets = config::secrets_in_text(&text);
    {
        let parsed = yaml::parse(&text, &yaml::Positions::identity());
        diagnostics = parsed.diagnostics;
        if let Some(root) = parsed.tree.root() {
            secrets.extend(config::secrets(root));
        }
        config::decode(parsed.tree.root(), &mut diagnostics);
    }
    diagnostic::sort(&mut diagnostics);
    Judgement {
        judged: Judged {
            file: input.name,
            text: Text::new(text),
            diagnostics,
            secrets: config::apart(secrets),
            ..Judged::default()
        },
    }
}
