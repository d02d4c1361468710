//! The operator's header-forward manifests: which static headers a backend gets, and which secrets they come from.
//!
//! It reads no environment: the manifest's text and the secrets are given. Source: ToolHive's
//! `pkg/vmcp/headerforward`.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::headers::{self, HeaderProblem};
use crate::json::{self, Stop};
use crate::order;
use crate::secret::Secret;

/// The variable in which the operator writes the manifest of the backend `name`.
#[must_use]
pub fn manifest_variable(name: &str) -> String {
    format!("TOOLHIVE_HEADER_FORWARD_{}", headers::environment_segment(name))
}

/// The variable that holds the secret called `identifier` in a manifest.
#[must_use]
pub fn secret_variable(identifier: &str) -> String {
    format!("TOOLHIVE_SECRET_{identifier}")
}

/// One backend's manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// By name as written, sorted; names differ in more than case.
    pub headers: Vec<(String, Source)>,
}

/// Where a header's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It stands in the manifest.
    Literal(Secret),
    /// The environment variable of this name holds it.
    Variable(String),
}

/// Why a manifest is refused. No text carries a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON, or not of the operator's shape.
    #[error(
        "it is not the JSON that the operator writes (line {line}, column {column}); expected \
         `{{\"addPlaintextHeaders\":{{…}},\"addHeadersFromSecret\":{{…}}}}`"
    )]
    NotAManifest {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// A header that must not be set.
    #[error("header `{name}` {problem}")]
    Header {
        /// As written.
        name: String,
        /// What is wrong with it.
        problem: HeaderProblem,
    },
    /// Two names that are one header.
    #[error("header `{0}` stands in it twice")]
    Repeated(String),
    /// A secret's identifier that names no variable.
    #[error("header `{0}` names no secret")]
    NoIdentifier(String),
}

impl Manifest {
    /// Reads one manifest.
    ///
    /// # Errors
    /// The first reason why it cannot be applied as a whole; a part of it is never applied.
    pub fn parse(json: &Secret) -> Result<Self, ManifestError> {
        let text = json.expose();
        let stopped = |Stop { line, column }| ManifestError::NotAManifest { line, column };
        let wrong = |part| stopped(Stop::at(text, json::range_in(text, part).map_or(0, |range| range.start)));
        json::check(text).map_err(stopped)?;
        if text.trim() == "null" {
            return Ok(Self::default());
        }
        let written = json::pick(text, ["addPlaintextHeaders", "addHeadersFromSecret"]);
        let [literal, secret] = written.map_err(|_| wrong(text))?.map(|block| texts(block.unwrap_or("null")));
        let (literal, secret) = (literal.map_err(wrong)?.into_iter(), secret.map_err(wrong)?.into_iter());
        let mut seen = BTreeSet::new();
        let mut entries = Vec::new();
        for (name, source) in literal
            .map(|(name, value)| (name, Source::Literal(Secret::new(value))))
            .chain(secret.map(|(name, identifier)| (name, Source::Variable(identifier))))
        {
            if let Some(problem) = headers::forwarded_name_problem(&name) {
                return Err(ManifestError::Header { name, problem });
            }
            if !seen.insert(name.to_ascii_lowercase()) {
                return Err(ManifestError::Repeated(name));
            }
            let source = match source {
                Source::Literal(value) => match headers::value_problem(value.expose()) {
                    Some(problem) => return Err(ManifestError::Header { name, problem }),
                    None => Source::Literal(value),
                },
                Source::Variable(identifier) if identifier.is_empty() => {
                    return Err(ManifestError::NoIdentifier(name));
                }
                Source::Variable(identifier) => Source::Variable(secret_variable(&identifier)),
            };
            entries.push((name, source));
        }
        order::sort(&mut entries, |(a, _), (b, _)| a.cmp(b));
        Ok(Self { headers: entries })
    }

    /// The variables that must be there.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().filter_map(|(_, source)| match source {
            Source::Variable(name) => Some(name.as_str()),
            Source::Literal(_) => None,
        })
    }
}

/// What keeps one header from being sent: the variable that is missing or that holds no header value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unresolved {
    Missing { header: String, variable: String },
    BadValue { header: String, variable: String, problem: HeaderProblem },
}

/// Puts the secrets in.
pub(super) fn resolve(
    manifest: &Manifest,
    variables: &BTreeMap<String, Option<Secret>>,
) -> Result<Vec<(String, Secret)>, Vec<Unresolved>> {
    let mut headers_out = Vec::new();
    let mut unresolved = Vec::new();
    for (header, source) in &manifest.headers {
        match source {
            Source::Literal(value) => headers_out.push((header.to_owned(), value.clone())),
            Source::Variable(variable) => match variables.get(variable).and_then(Option::as_ref) {
                Some(value) if !value.is_empty() => match headers::value_problem(value.expose()) {
                    None => headers_out.push((header.to_owned(), value.clone())),
                    Some(problem) => unresolved.push(Unresolved::BadValue {
                        header: header.to_owned(),
                        variable: variable.to_string(),
                        problem,
                    }),
                },
                _ => unresolved.push(Unresolved::Missing { header: header.to_owned(), variable: variable.to_string() }),
            },
        }
    }
    if unresolved.is_empty() { Ok(headers_out) } else { Err(unresolved) }
}

/// The texts of an object by name, or nothing of null; else the part that is none.
fn texts(block: &str) -> Result<BTreeMap<String, String>, &str> {
    if block == "null" {
        return Ok(BTreeMap::new());
    }
    let mut found = BTreeMap::new();
    for member in json::members(block).ok_or(block)? {
        let name = json::string(member.key).ok_or(member.key)?;
        let value = json::string(member.value).ok_or(member.value)?;
        found.insert(name.into_owned(), value.into_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn parse(json: &str) -> Result<Manifest, ManifestError> {
        Manifest::parse(&Secret::new(json))
    }

    #[test]
    fn a_manifest_names_literal_headers_and_secrets() {
        let manifest = parse(
            r#"{"addPlaintextHeaders":{"X-MCP-Toolsets":"issues"},"addHeadersFromSecret":{"Authorization":"HEADER_FORWARD_AUTHORIZATION_GITHUB"},"later":1}"#,
        )
        .unwrap();
        assert_eq!(manifest.variables().collect::<Vec<_>>(), ["TOOLHIVE_SECRET_HEADER_FORWARD_AUTHORIZATION_GITHUB"]);
        assert_eq!(manifest.headers.len(), 2);
        assert_eq!(manifest_variable("github-copilot"), "TOOLHIVE_HEADER_FORWARD_GITHUB_COPILOT");
        assert_eq!(parse("null").unwrap(), Manifest::default());
    }

    #[test]
    fn a_manifest_is_applied_whole_or_not_at_all() {
        let why = |json| parse(json).unwrap_err().to_string();
        assert_eq!(
            why("{\"addPlaintextHeaders\":"),
            "it is not the JSON that the operator writes (line 1, column 24); expected `{\"addPlaintextHeaders\":{…},\"addHeadersFromSecret\":{…}}`"
        );
        assert_eq!(
            why(r#"{"addPlaintextHeaders":{"X-Forwarded-For":"1"}}"#),
            "header `X-Forwarded-For` is restricted; it is made by the connection itself"
        );
        assert_eq!(
            why(r#"{"addPlaintextHeaders":{"x-key":"1"},"addHeadersFromSecret":{"X-Key":"A"}}"#),
            "header `X-Key` stands in it twice"
        );
        assert_eq!(why(r#"{"addHeadersFromSecret":{"X-Key":""}}"#), "header `X-Key` names no secret");
    }

    #[test]
    fn a_secret_that_is_missing_is_named_by_header_and_variable() {
        let manifest = parse(r#"{"addHeadersFromSecret":{"X-Key":"HEADER_FORWARD_X_KEY_A"}}"#).unwrap();
        let variable = "TOOLHIVE_SECRET_HEADER_FORWARD_X_KEY_A".to_string();
        let missing = Unresolved::Missing { header: "X-Key".into(), variable: variable.clone() };
        assert_eq!(resolve(&manifest, &BTreeMap::new()), Err(alloc::vec![missing.clone()]));
        assert_eq!(
            resolve(&manifest, &BTreeMap::from([(variable.clone(), Some(Secret::new("")))])),
            Err(alloc::vec![missing])
        );
        let got = resolve(&manifest, &BTreeMap::from([(variable, Some(Secret::new("v")))])).unwrap();
        assert_eq!(got, [("X-Key".to_string(), Secret::new("v"))]);
    }
}
