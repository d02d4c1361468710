//! What the configuration says about names: how conflicts are resolved, what is shown, what is changed.
//!
//! It judges no configuration; validation has done that.

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::config::{AggregationConfig, ToolAnnotationsOverride, ToolOverride, WorkloadToolConfig};
use crate::mcp::json;

/// How the capabilities of all backends become one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What happens when two backends have tools of one name.
    pub strategy: Strategy,
    /// Every `{workload}` in it stands for the backend's name.
    pub prefix_format: String,
    /// Backends, the first wins.
    pub priority_order: Vec<String>,
    /// Which tools are shown at all.
    pub shows: Shows,
    /// What is said of single backends' tools.
    pub backends: BTreeMap<String, BackendPolicy>,
    /// The backend that alone is configured, if only one is.
    pub sole: Option<String>,
}

/// What happens when two backends have tools of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Every tool gets a prefix, needed or not.
    Prefix,
    /// The first backend in the order has it; where none is in the order, each gets a prefix.
    Priority,
    /// Overrides tell the tools apart; what they leave alike, nobody has.
    Manual,
}

/// Which tools are shown at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// All.
    All,
    /// Those of backends of which something is said (`defaultToolVisibility: deny`).
    Listed,
    /// None (`excludeAllTools`).
    Nothing,
}

/// What is said of one backend's tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackendPolicy {
    /// Which of them are shown.
    pub visible: Visible,
    /// Changes by the tools' own names.
    pub overrides: BTreeMap<String, Override>,
}

/// Which tools of a backend are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Visible {
    /// All.
    #[default]
    All,
    /// Those with these names, after overrides and before prefixes.
    Only(BTreeSet<String>),
    /// None (`excludeAll`).
    Nothing,
}

/// What is changed about one tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// Another name.
    pub name: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Annotations by their keys, as JSON; `None` removes one.
    pub annotations: Vec<(&'static str, Option<String>)>,
}

impl Default for Policy {
    /// The Go program's default: `{workload}_` before every name, and everything is shown.
    fn default() -> Self {
        Self {
            strategy: Strategy::Prefix,
            prefix_format: DEFAULT_PREFIX.to_owned(),
            priority_order: Vec::new(),
            shows: Shows::All,
            backends: BTreeMap::new(),
            sole: None,
        }
    }
}

/// What stands before a name where nothing else is configured.
pub(super) const DEFAULT_PREFIX: &str = "{workload}_";

impl Policy {
    /// Another prefix before every name.
    #[must_use]
    pub fn prefix(format: &str) -> Self {
        Self { prefix_format: format.to_owned(), ..Self::default() }
    }

    /// What the configuration says.
    #[must_use]
    pub fn of(config: &AggregationConfig) -> Self {
        let strategy = match config.conflict_resolution.as_ref().map(|strategy| strategy.as_str()) {
            Some("priority") => Strategy::Priority,
            Some("manual") => Strategy::Manual,
            _ => Strategy::Prefix,
        };
        let details = config.conflict_resolution_config.as_ref();
        // To Go, an empty text is an absent one.
        let format = details.and_then(|details| details.prefix_format.as_ref()).filter(|format| !format.is_empty());
        let denies = config.default_tool_visibility.as_ref().is_some_and(|visibility| visibility.as_str() == "deny");
        let shows = match config.exclude_all_tools.is_some_and(|flag| flag.value) {
            true => Shows::Nothing,
            false if denies => Shows::Listed,
            false => Shows::All,
        };
        let order = details.into_iter().flat_map(|details| &details.priority_order);
        let mut backends = BTreeMap::new();
        for tools in &config.tools {
            let Some(workload) = &tools.workload else { continue };
            backends.entry(workload.value.clone()).or_insert_with(|| BackendPolicy::of(tools));
        }
        Self {
            strategy,
            prefix_format: format.map_or_else(|| DEFAULT_PREFIX.to_owned(), |format| format.value.clone()),
            priority_order: order.map(|name| name.value.clone()).collect(),
            shows,
            backends,
            sole: None,
        }
    }

    /// The same where these are all backends that are configured, whether they are served or not.
    #[must_use]
    pub fn among<'a>(self, mut backends: impl Iterator<Item = &'a str>) -> Self {
        let (first, second) = (backends.next(), backends.next());
        Self { sole: first.filter(|_| second.is_none()).map(ToOwned::to_owned), ..self }
    }

    /// Whether a backend's tools are shown as it names them, all of them.
    pub(super) fn leaves_alone(&self, backend: &str) -> bool {
        self.shows == Shows::All && !self.backends.contains_key(backend)
    }

    /// What stands before the names of a backend's prompts.
    pub(super) fn prefix_of_prompts(&self, backend: &str) -> String {
        if self.rank(backend).is_some() { String::new() } else { prefix_of(&self.prefix_format, backend) }
    }

    /// How far in front a backend stands; `None` if it is not in the order.
    #[must_use]
    pub fn rank(&self, backend: &str) -> Option<usize> {
        self.priority_order.iter().position(|name| name == backend)
    }
}

/// A prefix format for one backend.
pub(super) fn prefix_of(format: &str, backend: &str) -> String {
    format.replace("{workload}", backend)
}

impl BackendPolicy {
    fn of(config: &WorkloadToolConfig) -> Self {
        let filter: BTreeSet<_> = config.filter.iter().map(|name| name.value.clone()).collect();
        let visible = match config.exclude_all.is_some_and(|flag| flag.value) {
            true => Visible::Nothing,
            false if filter.is_empty() => Visible::All,
            false => Visible::Only(filter),
        };
        let overrides = config.overrides.iter().map(|(name, change)| (name.value.clone(), Override::of(change)));
        Self { visible, overrides: overrides.collect() }
    }
}

impl Override {
    fn of(config: &ToolOverride) -> Self {
        let filled =
            |text: &crate::config::Text| text.as_ref().filter(|text| !text.is_empty()).map(|t| t.value.clone());
        Self {
            name: filled(&config.name),
            description: filled(&config.description),
            annotations: config.annotations.as_ref().map(annotations).unwrap_or_default(),
        }
    }
}

fn annotations(config: &ToolAnnotationsOverride) -> Vec<(&'static str, Option<String>)> {
    let mut changed = Vec::new();
    if let Some(title) = config.title.as_ref() {
        changed.push(("title", (!title.is_empty()).then(|| json::quote(title))));
    }
    for (key, hint) in [
        ("readOnlyHint", &config.read_only_hint),
        ("destructiveHint", &config.destructive_hint),
        ("idempotentHint", &config.idempotent_hint),
        ("openWorldHint", &config.open_world_hint),
    ] {
        changed.extend(hint.as_ref().map(|hint| (key, Some(hint.value.to_string()))));
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn of(aggregation: &str) -> Policy {
        let (config, _) = crate::config::testing::read(&alloc::format!("aggregation: {aggregation}\n"));
        Policy::of(config.aggregation.as_ref().unwrap())
    }

    #[test]
    fn a_configuration_is_read_as_it_means() {
        let policy = of("{conflictResolution: priority, conflictResolutionConfig: {priorityOrder: [b, a]}, \
             defaultToolVisibility: deny, tools: [{workload: a, filter: [x], overrides: {y: {name: x, description: '', \
             annotations: {title: '', readOnlyHint: false}}}}, {workload: a, excludeAll: true}, {workload: b, excludeAll: true}]}");
        let change = Override {
            name: Some("x".into()),
            description: None,
            annotations: alloc::vec![("title", None), ("readOnlyHint", Some("false".into()))],
        };
        let a = BackendPolicy {
            visible: Visible::Only(["x".to_owned()].into()),
            overrides: [("y".to_owned(), change)].into(),
        };
        let b = BackendPolicy { visible: Visible::Nothing, overrides: BTreeMap::new() };
        let expected = Policy {
            strategy: Strategy::Priority,
            prefix_format: "{workload}_".into(),
            priority_order: alloc::vec!["b".into(), "a".into()],
            shows: Shows::Listed,
            backends: [("a".to_owned(), a), ("b".to_owned(), b)].into(),
            sole: None,
        };
        assert_eq!(policy, expected);
        assert_eq!((policy.rank("a"), policy.rank("c")), (Some(1), None));
    }

    #[test]
    fn one_backend_is_alone_and_two_are_not() {
        let sole = |names: &[&str]| Policy::default().among(names.iter().copied()).sole;
        assert_eq!((sole(&["a"]).as_deref(), sole(&["a", "b"]), sole(&[])), (Some("a"), None, None));
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        assert_eq!(
            of("{conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: '{workload}_'}}"),
            Policy::default()
        );
        assert_eq!(of("{conflictResolution: manual}").strategy, Strategy::Manual);
        let policy =
            of("{conflictResolutionConfig: {prefixFormat: ''}, excludeAllTools: true, defaultToolVisibility: deny}");
        assert_eq!((policy.prefix_format.as_str(), policy.shows), ("{workload}_", Shows::Nothing));
    }
}
