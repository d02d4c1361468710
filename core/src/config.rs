//! The configuration: its model, how it is read from a YAML tree, and everything that can be wrong with it.
//!
//! It does not find the text (`input`), read files or variables, or decide what may be called (`discovery`).

mod any;
pub(crate) mod decode;
mod duration;
mod effective;
mod emit;
pub(crate) mod findings;
pub mod hints;
pub mod input;
pub mod limits;
mod model;
pub mod pod;
mod refill;
pub mod schema;
mod secrets;
mod source;
#[cfg(test)]
pub(crate) mod testing;
mod unenforced;
mod validate;

pub use any::{Any, AnyMap, AnyValue};
pub use duration::{Duration, DurationError};
pub use effective::EffectiveConfig;
pub use emit::Tree;
pub use model::*;
pub use refill::Refill;
pub use secrets::{apart, secrets, secrets_in_text};
pub use source::{List, Map, Origin, Present, Spanned};
pub use unenforced::{Consequence, Unenforced, allowable, not_acted_on, unenforced};
pub use validate::validate;

use alloc::vec::Vec;

use crate::diagnostic::{Diagnostic, code};
use crate::text::Span;
use crate::yaml::Node;
use decode::{Field as _, Given};
use findings::{Findings, Path};

/// Reads and judges a configuration: [`decode`], [`validate`] and [`unenforced`] in one, with one limit for all findings.
pub fn read(root: Option<Node<'_, '_>>, diagnostics: &mut Vec<Diagnostic>) -> Config {
    let mut findings = Findings::new(diagnostics);
    let config = decode_into(root, &mut findings);
    validate::check(&config, &mut findings);
    findings.finish();
    config
}

/// Every key as data: the table of the whole configuration, from which the tables of all its parts hang.
#[must_use]
pub fn keys() -> &'static Table {
    Config::table()
}

/// Reads a configuration. Whatever can be read is; every mistake is among the findings.
///
/// `root` is the top of the document, `None` if there is nothing in it.
pub fn decode(root: Option<Node<'_, '_>>, diagnostics: &mut Vec<Diagnostic>) -> Config {
    let mut findings = Findings::new(diagnostics);
    let config = decode_into(root, &mut findings);
    findings.finish();
    config
}

fn decode_into(root: Option<Node<'_, '_>>, findings: &mut Findings<'_>) -> Config {
    let given =
        root.map(|node| Given::new(Span::at(node.span().start as usize), node)).filter(|given| !given.is_null());
    match given {
        None => {
            let span = root.map_or(Span::default(), Node::span);
            findings.report(code::CONFIG_EMPTY, span, &Path::TOP, || {
                "the configuration is empty; expected a mapping with `name`, `groupRef`, `backends` and more".into()
            });
            Config { origin: Origin::blank(span, span), ..Config::default() }
        }
        Some(given) => {
            let mut config = Config::default();
            // What could not be read of it is among the findings.
            let _ = config.read(&given, &Path::TOP, findings);
            config
        }
    }
}
