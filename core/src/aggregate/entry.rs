//! One advertised capability of any kind: the text its backend sent, less and more than which nobody gets.
//!
//! It knows no other entries.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::headers;
use super::policy::Override;
use crate::mcp::client::List;
use crate::mcp::{Era, json};

/// One advertised capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, URI or URI template that clients see.
    pub advertised: String,
    /// The backend that it belongs to.
    pub backend: Arc<str>,
    /// The name, URI or URI template that the backend knows.
    pub original: String,
    text: String,
    for_legacy: Option<String>,
    for_modern: Option<String>,
    header_schema: Option<String>,
    runs: Runs,
}

/// How a tool can be called (2025-11-25, schema, ToolExecution).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Like any other.
    AtOnce,
    /// As a task alone.
    AsTask,
}

/// Why an entry of a list cannot be advertised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// A string, an array…
    #[error("it is {0}; expected an object")]
    NotAnObject(&'static str),
    /// Nobody could ask for it.
    #[error("it has no `{0}`")]
    NoName(&'static str),
    /// Not a string.
    #[error("its `{0}` is {1}; expected a string")]
    BadName(&'static str, &'static str),
    /// Two readers could each take another one.
    #[error("its `{0}` stands there twice")]
    TwoNames(&'static str),
    /// A modern client must exclude it (2026-07-28, streamable-http, Schema Extension).
    #[error("its `x-mcp-header` {0}")]
    Header(headers::Fault),
}

/// An entry as it was sent, before it has a place among others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw<'a> {
    text: &'a str,
    /// Of the name, as written.
    key: &'a str,
    kind: List,
    era: Era,
}

/// The member that names an entry.
fn key(kind: List) -> &'static str {
    match kind {
        List::Tools | List::Prompts => "name",
        List::Resources => "uri",
        List::ResourceTemplates => "uriTemplate",
    }
}

impl<'a> Raw<'a> {
    pub(super) fn read(kind: List, era: Era, text: &'a str) -> Result<(Self, Cow<'a, str>), Reason> {
        let name = key(kind);
        let [key] = json::pick(text, [name]).map_err(|error| match error {
            json::PickError::NotAnObject(kind) => Reason::NotAnObject(kind),
            json::PickError::Duplicate(name) => Reason::TwoNames(name),
        })?;
        let key = key.ok_or(Reason::NoName(name))?;
        let original = json::string(key).ok_or(Reason::BadName(name, json::kind(key)))?;
        if (kind, era) == (List::Tools, Era::Modern)
            && let Some(schema) = json::member(text, "inputSchema")
        {
            headers::check(schema).map_err(Reason::Header)?;
        }
        Ok((Self { text, key, kind, era }, original))
    }

    /// Any other member of `_meta.ui` than `resourceUri` is the client's business.
    pub(super) fn ui(&self) -> Option<&'a str> {
        let meta = json::member(self.text, "_meta")?;
        // What MCP Apps say, and what they said before they were an official extension.
        json::member(meta, "ui")
            .and_then(|ui| json::member(ui, "resourceUri"))
            .or_else(|| json::member(meta, "ui/resourceUri"))
    }

    /// The entry, under the name that it is to have. `ui` replaces the resource that a tool is shown with.
    pub(super) fn entry(
        &self,
        backend: &Arc<str>,
        original: &str,
        advertised: String,
        change: Option<&Override>,
        ui: Option<&str>,
    ) -> Entry {
        let mut splice = json::Splice::new(self.text).replace(self.key, json::quote(&advertised));
        if let (Some(old), Some(new)) = (self.ui(), ui) {
            splice = splice.replace(old, json::quote(new));
        }
        let mut text = splice.finish();
        if let Some(change) = change {
            text = changed(text, change);
        }
        let rewritten = |goes: &dyn Fn(&json::Member<'_>) -> bool| {
            json::members(&text)
                .is_some_and(|mut members| members.any(|member| goes(&member)))
                .then(|| json::rewrite(&text, goes, &[]))
        };
        // One such schema makes the TypeScript SDK 1.x refuse the whole list (2025-11-25, schema, Tool: its root is
        // `type: "object"`; 2026-07-28 allows any schema).
        let unreadable = |member: &json::Member<'_>| member.is("outputSchema") && !is_object_schema(member.value);
        let for_legacy = (self.kind == List::Tools).then(|| rewritten(&unreadable)).flatten();
        // Whether it can be run as a task is said otherwise since (2026-07-28, schema, Tool).
        let legacy_tool = (self.kind, self.era) == (List::Tools, Era::Legacy);
        let for_modern = legacy_tool.then(|| rewritten(&|member| member.is("execution"))).flatten();
        let support = legacy_tool.then(|| json::member(&text, "execution")).flatten();
        let support = support.and_then(|execution| json::member(execution, "taskSupport"));
        let runs = if support.is_some_and(|it| json::says(it, "required")) { Runs::AsTask } else { Runs::AtOnce };
        let schema = (self.kind == List::Tools).then(|| json::member(&text, "inputSchema")).flatten();
        let header_schema = schema.filter(|schema| headers::may_annotate(schema)).map(ToOwned::to_owned);
        Entry {
            advertised,
            backend: Arc::clone(backend),
            original: original.to_owned(),
            text,
            for_legacy,
            for_modern,
            header_schema,
            runs,
        }
    }
}

impl Entry {
    /// Its definition as clients of this era get it.
    #[must_use]
    pub fn text(&self, era: Era) -> &str {
        let own = match era {
            Era::Legacy => &self.for_legacy,
            Era::Modern => &self.for_modern,
        };
        own.as_deref().unwrap_or(&self.text)
    }

    /// How it can be called.
    #[must_use]
    pub fn runs(&self) -> Runs {
        self.runs
    }

    /// The schema of a tool's arguments, if headers may repeat some of them.
    #[must_use]
    pub fn header_schema(&self) -> Option<&str> {
        self.header_schema.as_deref()
    }
}

fn changed(text: String, change: &Override) -> String {
    let description = change.description.as_deref().map(json::quote);
    let own = json::member(&text, "annotations").filter(|own| own.starts_with('{'));
    let annotations = (!change.annotations.is_empty()).then(|| {
        let with: Vec<_> =
            change.annotations.iter().filter_map(|(key, value)| Some((*key, value.as_deref()?))).collect();
        let goes = |member: &json::Member<'_>| change.annotations.iter().any(|(key, _)| member.is(key));
        json::rewrite(own.unwrap_or("{}"), goes, &with)
    });
    // To take something away from a tool that has none adds nothing.
    let annotations = annotations.filter(|new| own.is_some() || new != "{}");
    let with: Vec<_> = [("description", &description), ("annotations", &annotations)]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.as_deref()?)))
        .collect();
    if with.is_empty() {
        return text;
    }
    json::rewrite(&text, |member| with.iter().any(|(key, _)| member.is(key)), &with)
}

fn is_object_schema(schema: &str) -> bool {
    json::member(schema, "type").is_some_and(|kind| json::says(kind, "object"))
}
