//! One catalog out of many: tools, resources, resource templates and prompts, their names, and where each leads.
//!
//! It asks no backend and caches nothing. An entry stays the text its backend sent, except for its name, for what the
//! configuration changes and for what a client's revision cannot read. The result depends on its arguments only, never on
//! their order.

mod entry;
mod headers;
mod policy;
mod template;
mod tools;
mod warning;

use alloc::borrow::ToOwned;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use entry::{Entry, Reason, Runs};
pub use headers::Fault;
pub use policy::{BackendPolicy, Override, Policy, Shows, Strategy, Visible};
pub use tools::{Hidden, Why};
pub use warning::{Severity, Warning};

use crate::mcp::client::{List, Listed};
use crate::mcp::json;
use entry::Raw;
use policy::prefix_of;
use template::Template;

/// What one backend offers; what it was not asked for is not there.
#[derive(Clone, Copy, Debug)]
pub struct Offered<'a> {
    /// Its name.
    pub backend: &'a str,
    /// Its tools.
    pub tools: Option<&'a Listed>,
    /// Its resources.
    pub resources: Option<&'a Listed>,
    /// Its resource templates.
    pub templates: Option<&'a Listed>,
    /// Its prompts.
    pub prompts: Option<&'a Listed>,
}

impl<'a> Offered<'a> {
    /// A backend of which nothing is known.
    #[must_use]
    pub fn nothing(backend: &'a str) -> Self {
        Self { backend, tools: None, resources: None, templates: None, prompts: None }
    }

    /// A backend that has tools.
    #[must_use]
    pub fn tools(backend: &'a str, tools: &'a Listed) -> Self {
        Self { tools: Some(tools), ..Self::nothing(backend) }
    }

    fn list(&self, kind: List) -> Option<&'a Listed> {
        match kind {
            List::Tools => self.tools,
            List::Resources => self.resources,
            List::ResourceTemplates => self.templates,
            List::Prompts => self.prompts,
        }
    }
}

/// What clients see, and where it leads. Each list is sorted by what clients see, by bytes, and has each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    tools: Vec<Entry>,
    resources: Vec<Entry>,
    templates: Vec<Entry>,
    /// Of `templates`, in their order.
    patterns: Vec<Option<Template>>,
    prompts: Vec<Entry>,
    /// Tools that have a name and are not shown.
    pub hidden: Vec<Hidden>,
    /// Resources that tools are shown with, by the URI that clients see.
    shown_with: BTreeMap<String, Owner>,
    /// Who is asked for a tool or a prompt that nobody lists.
    unlisted: Option<Unlisted>,
    /// All backends, in the order in which a resource that nobody lists is asked for.
    order: Vec<Arc<str>>,
    /// What was left out, and why.
    pub warnings: Vec<Warning>,
}

/// Who answers for something, and under which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The backend.
    pub backend: Arc<str>,
    /// What the backend calls it.
    pub original: String,
}

/// The backend that alone is configured, and what stands before its names; nothing where a name may be hidden or another's.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Unlisted {
    backend: Arc<str>,
    tools: Option<String>,
    prompts: Option<String>,
}

impl Owner {
    fn of(entry: &Entry) -> Self {
        Self { backend: Arc::clone(&entry.backend), original: entry.original.clone() }
    }
}

/// The entries of one backend, in its order, each name once.
pub(crate) struct Own<'a> {
    backend: Arc<str>,
    entries: Vec<(Raw<'a>, String)>,
}

/// Merges what backends offer.
#[must_use]
pub fn merge(policy: &Policy, offers: &[Offered<'_>]) -> Merged {
    let mut offers = offers.iter().collect::<Vec<_>>();
    offers.sort_by_key(|offer| offer.backend);
    let mut merged = Merged::default();
    let mut own = |kind| offers.iter().map(|offer| read(offer, kind, &mut merged.warnings)).collect::<Vec<_>>();
    let (tools, resources, templates, prompts) =
        (own(List::Tools), own(List::Resources), own(List::ResourceTemplates), own(List::Prompts));
    let names = Names::of(&tools, &resources);
    merged.tools(policy, &tools, &names);
    merged.resources = first_wins(List::Resources, &resources, &names, &mut merged.warnings);
    merged.templates = first_wins(List::ResourceTemplates, &templates, &names, &mut merged.warnings);
    merged.patterns = merged.templates.iter().map(|template| Template::read(&template.original)).collect();
    merged.prompts(policy, &prompts);
    merged.shown_with = names.shown_with;
    merged.unlisted = policy.sole.as_deref().map(|backend| merged.unlisted_of(policy, backend));
    merged.order = offers.iter().map(|offer| Arc::from(offer.backend)).collect();
    merged.order.sort_by_key(|backend| policy.rank(backend).unwrap_or(usize::MAX));
    merged
}

/// The entries of one backend that can be advertised.
fn read<'a>(offer: &Offered<'a>, kind: List, warnings: &mut Vec<Warning>) -> Own<'a> {
    let backend: Arc<str> = Arc::from(offer.backend);
    let mut own = Own { backend: Arc::clone(&backend), entries: Vec::new() };
    let Some(list) = offer.list(kind) else { return own };
    let mut seen = BTreeSet::new();
    for (index, text) in list.items.iter().enumerate() {
        match Raw::read(kind, list.era, text) {
            Ok((raw, name)) if seen.insert(name.clone()) => own.entries.push((raw, name.into_owned())),
            Ok((_, name)) => warnings.push(Warning::Repeated {
                kind,
                backend: offer.backend.to_owned(),
                original: name.into_owned(),
            }),
            Err(reason) => {
                let (backend, position) = (offer.backend.to_owned(), index + 1);
                warnings.push(Warning::Unusable { kind, backend, position, reason });
            }
        }
    }
    own
}

/// Resources and templates keep their names: of several backends that have one, the first by name answers for it.
fn first_wins(kind: List, all: &[Own<'_>], names: &Names, warnings: &mut Vec<Warning>) -> Vec<Entry> {
    let mut found: BTreeMap<String, Entry> = BTreeMap::new();
    for own in all {
        for (raw, original) in &own.entries {
            let advertised = names.advertised(&own.backend, original).unwrap_or(original).to_owned();
            match found.get(&advertised) {
                Some(kept) => warnings.push(Warning::Collision {
                    kind,
                    backend: own.backend.to_string(),
                    original: original.clone(),
                    advertised,
                    kept: kept.backend.to_string(),
                }),
                None => {
                    let entry = raw.entry(&own.backend, original, advertised.clone(), None, None);
                    found.insert(advertised, entry);
                }
            }
        }
    }
    found.into_values().collect()
}

/// What URIs of MCP Apps (`ui://`) are called. A tool is shown with a resource of its own backend; where two backends
/// have one of the same URI, all but the first get another, so that neither tool is shown with the other's.
#[derive(Default)]
struct Names {
    renamed: BTreeMap<(Arc<str>, String), String>,
    shown_with: BTreeMap<String, Owner>,
}

const UI: &str = "ui://";

impl Names {
    fn of(tools: &[Own<'_>], resources: &[Own<'_>]) -> Self {
        let mut names = Self::default();
        let mut taken: BTreeMap<String, Arc<str>> = BTreeMap::new();
        for own in resources {
            for (_, uri) in own.entries.iter().filter(|(_, uri)| uri.starts_with(UI)) {
                taken.entry(uri.clone()).or_insert_with(|| Arc::clone(&own.backend));
            }
        }
        let mut claims = Vec::new();
        for (tools, resources) in tools.iter().zip(resources) {
            let backend = &tools.backend;
            let listed = resources.entries.iter().map(|(_, uri)| uri.clone()).filter(|uri| uri.starts_with(UI));
            let shown = tools.entries.iter().filter_map(|(raw, _)| Some(json::string(raw.ui()?)?.into_owned()));
            let (listed, shown) = (listed.collect::<BTreeSet<_>>(), shown.collect::<BTreeSet<_>>());
            claims.extend(listed.union(&shown).map(|uri| (Arc::clone(backend), uri.clone(), shown.contains(uri))));
        }
        for (backend, uri, shown) in claims {
            let owner = taken.entry(uri.clone()).or_insert_with(|| Arc::clone(&backend));
            let mut advertised = uri.clone();
            if *owner != backend {
                let behind = uri.strip_prefix(UI).unwrap_or(&uri);
                advertised = format!("{UI}{backend}/{behind}");
                while taken.contains_key(&advertised) {
                    advertised.insert_str(UI.len(), "vmcp-");
                }
                taken.insert(advertised.clone(), Arc::clone(&backend));
                names.renamed.insert((Arc::clone(&backend), uri.clone()), advertised.clone());
            }
            if shown {
                names.shown_with.insert(advertised, Owner { backend, original: uri });
            }
        }
        names
    }

    /// The other URI that a backend's own has for clients.
    fn advertised(&self, backend: &Arc<str>, original: &str) -> Option<&String> {
        if !original.starts_with(UI) {
            return None;
        }
        self.renamed.get(&(Arc::clone(backend), original.to_owned()))
    }
}

impl Merged {
    /// Prompts have bare names where their backend is in the order, else a prefix. Where a name is contested by one that is
    /// not in the order, nobody has it.
    fn prompts(&mut self, policy: &Policy, all: &[Own<'_>]) {
        let mut claims: BTreeMap<String, Vec<(Option<usize>, Entry)>> = BTreeMap::new();
        for own in all {
            let rank = policy.rank(&own.backend);
            let prefix = policy.prefix_of_prompts(&own.backend);
            for (raw, original) in &own.entries {
                let advertised = [&prefix, original.as_str()].concat();
                let entry = raw.entry(&own.backend, original, advertised.clone(), None, None);
                claims.entry(advertised).or_default().push((rank, entry));
            }
        }
        for (advertised, mut rivals) in claims {
            if rivals.len() > 1 && rivals.iter().any(|(rank, _)| rank.is_none()) {
                let backends = rivals.iter().map(|(_, entry)| entry.backend.to_string()).collect();
                self.warnings.push(Warning::Contested { kind: List::Prompts, name: advertised, backends });
                continue;
            }
            rivals.sort_by_key(|(rank, _)| *rank);
            let mut rivals = rivals.into_iter().map(|(_, entry)| entry);
            let Some(kept) = rivals.next() else { continue };
            self.warnings.extend(rivals.map(|entry| Warning::Collision {
                kind: List::Prompts,
                backend: entry.backend.to_string(),
                original: entry.original,
                advertised: advertised.clone(),
                kept: kept.backend.to_string(),
            }));
            self.prompts.push(kept);
        }
    }

    fn unlisted_of(&self, policy: &Policy, backend: &str) -> Unlisted {
        let all_usable = |of: List| {
            let mut warnings = self.warnings.iter();
            !warnings.any(|warning| matches!(warning, Warning::Unusable { kind, .. } if *kind == of))
        };
        let tools = match policy.strategy {
            Strategy::Prefix => prefix_of(&policy.prefix_format, backend),
            Strategy::Priority | Strategy::Manual => String::new(),
        };
        Unlisted {
            backend: Arc::from(backend),
            tools: (policy.leaves_alone(backend) && all_usable(List::Tools)).then_some(tools),
            prompts: all_usable(List::Prompts).then(|| policy.prefix_of_prompts(backend)),
        }
    }

    /// All entries of a kind.
    #[must_use]
    pub fn list(&self, kind: List) -> &[Entry] {
        match kind {
            List::Tools => &self.tools,
            List::Resources => &self.resources,
            List::ResourceTemplates => &self.templates,
            List::Prompts => &self.prompts,
        }
    }

    /// The entry that clients see under this name.
    #[must_use]
    pub fn find(&self, kind: List, advertised: &str) -> Option<&Entry> {
        let list = self.list(kind);
        let place = list.binary_search_by(|entry| entry.advertised.as_str().cmp(advertised)).ok()?;
        list.get(place)
    }

    /// Who answers for a tool or a prompt.
    #[must_use]
    pub fn owner(&self, kind: List, advertised: &str) -> Option<Owner> {
        self.find(kind, advertised).map(Owner::of)
    }

    /// Who is asked for a tool or a prompt that nobody lists: a backend that alone is configured, and of which nothing is
    /// hidden or renamed. It may have more than it lists, or something new, and says best what it has not.
    #[must_use]
    pub fn unlisted(&self, kind: List, advertised: &str) -> Option<Owner> {
        let unlisted = self.unlisted.as_ref()?;
        let prefix = match kind {
            List::Tools => unlisted.tools.as_deref()?,
            List::Prompts => unlisted.prompts.as_deref()?,
            List::Resources | List::ResourceTemplates => return None,
        };
        let original = advertised.strip_prefix(prefix).filter(|original| !original.is_empty())?;
        Some(Owner { backend: Arc::clone(&unlisted.backend), original: original.to_owned() })
    }

    /// Who answers for a resource: whoever lists it, else whoever has a tool that is shown with it, else the first whose
    /// template it fits.
    #[must_use]
    pub fn resource(&self, uri: &str) -> Option<Owner> {
        self.owner(List::Resources, uri)
            .or_else(|| self.shown_with.get(uri).cloned())
            .or_else(|| self.owner(List::ResourceTemplates, uri))
            .or_else(|| {
                let mut patterns = self.patterns.iter().zip(&self.templates);
                let fits = |pattern: &Option<Template>| pattern.as_ref().is_some_and(|pattern| pattern.matches(uri));
                let (_, template) = patterns.find(|(pattern, _)| fits(pattern))?;
                Some(Owner { backend: Arc::clone(&template.backend), original: uri.to_owned() })
            })
    }

    /// All backends, in the order in which they are asked for a resource for which nobody answers: those in
    /// `priorityOrder`, then the others by name.
    #[must_use]
    pub fn order(&self) -> &[Arc<str>] {
        &self.order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::Era;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn list(items: &[&str]) -> Listed {
        Listed::new(items.iter().map(ToString::to_string).collect(), Era::Legacy)
    }

    /// Tools of these names.
    fn named(names: &[&str]) -> Listed {
        Listed::new(names.iter().map(|name| format!(r#"{{"name":"{name}"}}"#)).collect(), Era::Legacy)
    }

    fn warnings(merged: &Merged) -> Vec<String> {
        merged.warnings.iter().map(ToString::to_string).collect()
    }

    /// What clients see, and where it leads.
    fn shown(merged: &Merged, kind: List) -> Vec<String> {
        let line = |entry: &Entry| format!("{} = {}:{}", entry.advertised, entry.backend, entry.original);
        merged.list(kind).iter().map(line).collect()
    }

    fn strategy(strategy: Strategy, order: &[&str]) -> Policy {
        let priority_order = order.iter().map(ToString::to_string).collect();
        Policy { strategy, priority_order, ..Policy::default() }
    }

    fn with(mut policy: Policy, backend: &str, own: BackendPolicy) -> Policy {
        policy.backends.insert(backend.to_owned(), own);
        policy
    }

    fn renames(changes: &[(&str, &str)]) -> BackendPolicy {
        let change = |name: &str| Override { name: Some(name.to_owned()), ..Override::default() };
        BackendPolicy {
            visible: Visible::All,
            overrides: changes.iter().map(|(from, to)| (from.to_string(), change(to))).collect(),
        }
    }

    #[test]
    fn what_nobody_lists_is_asked_for_where_only_one_could_have_it() {
        let listed = named(&["add"]);
        let owner = |policy: &Policy, kind, name: &str| {
            let merged = merge(policy, &[Offered::tools("calc", &listed)]);
            merged.unlisted(kind, name).map(|owner| owner.original)
        };
        let alone = |policy: Policy| policy.among(["calc"].into_iter());
        let prefix = alone(Policy::default());
        assert_eq!(owner(&prefix, List::Tools, "calc_sub").as_deref(), Some("sub"));
        assert_eq!(owner(&prefix, List::Prompts, "calc_p").as_deref(), Some("p"));
        for name in ["sub", "calc_"] {
            assert_eq!(owner(&prefix, List::Tools, name), None, "{name}");
        }
        assert_eq!(owner(&prefix, List::Resources, "calc_sub"), None);
        for strategy in [Strategy::Priority, Strategy::Manual] {
            let bare = alone(self::strategy(strategy, &["calc"]));
            assert_eq!(owner(&bare, List::Tools, "sub").as_deref(), Some("sub"));
            assert_eq!(owner(&bare, List::Prompts, "p").as_deref(), Some("p"));
        }
        // Where something is hidden or renamed, what is not seen may be that; where there are two, it may be the other's.
        let renamed = with(prefix.clone(), "calc", renames(&[("add", "plus")]));
        let hidden = Policy { shows: Shows::Nothing, ..prefix.clone() };
        let among_two = Policy::default().among(["calc", "rejected"].into_iter());
        for policy in [renamed, hidden, among_two] {
            assert_eq!(owner(&policy, List::Tools, "calc_sub"), None, "{policy:?}");
        }
        let unusable = Listed::new(alloc::vec![r#"{"name":7}"#.to_owned()], Era::Modern);
        let merged = merge(&prefix, &[Offered::tools("calc", &unusable)]);
        assert_eq!(merged.unlisted(List::Tools, "calc_sub"), None, "what is left out is not called");
    }

    #[test]
    fn names_get_a_prefix_and_nothing_else_changes() {
        let tools = list(&[r#"{ "title":"é\u00e9" , "name" : "add","x":1.50}"#, r#"{"name":"a\"b"}"#]);
        let offers = [Offered::tools("calc", &tools)];
        let merged = merge(&Policy::default(), &offers);
        let texts: Vec<_> = merged.list(List::Tools).iter().map(|tool| tool.text(Era::Legacy)).collect();
        assert_eq!(texts, [r#"{"name":"calc_a\"b"}"#, r#"{ "title":"é\u00e9" , "name" : "calc_add","x":1.50}"#]);
        let owner = merged.owner(List::Tools, "calc_add").unwrap();
        assert_eq!((owner.backend.as_ref(), owner.original.as_str()), ("calc", "add"));
        assert_eq!(merged.owner(List::Tools, "add"), None);
        assert!(merged.warnings.is_empty());
        let merged = merge(&Policy::prefix("{workload}.{workload}/"), &offers);
        assert_eq!(merged.list(List::Tools)[0].advertised, "calc.calc/a\"b");
    }

    #[test]
    fn the_first_backend_by_name_keeps_a_name_whatever_the_order() {
        let (one, two) = (named(&["b_c", "b_c"]), named(&["c"]));
        let offers = [Offered::tools("a_b", &two), Offered::tools("a", &one)];
        let merged = merge(&Policy::default(), &offers);
        let mut turned = offers;
        turned.reverse();
        assert_eq!(merge(&Policy::default(), &turned), merged);
        assert_eq!(shown(&merged, List::Tools), ["a_b_c = a:b_c"]);
        assert_eq!(
            warnings(&merged),
            [
                "tool `b_c` of backend `a` is listed twice; the first is kept",
                "tool `c` of backend `a_b` is left out: backend `a` advertises `a_b_c` already",
            ]
        );
        assert!(merged.warnings.iter().all(|warning| warning.severity() == Severity::Warning));
    }

    #[test]
    fn one_bad_entry_does_not_cost_the_others() {
        let tools = list(&["[1]", "{}", r#"{"name":7}"#, r#"{"name":"x","name":"y"}"#, r#"{"name":"good"}"#]);
        let resources = list(&[r#"{"name":"x"}"#, r#"{"uri":"x://a"}"#]);
        let mut bad = list(&[
            r#"{"name":"bad","inputSchema":{"x-mcp-header":"A"}}"#,
            r#"{"name":"good","inputSchema":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}"#,
        ]);
        bad.era = Era::Modern;
        let offers =
            [Offered { resources: Some(&resources), ..Offered::tools("b", &tools) }, Offered::tools("c", &bad)];
        let merged = merge(&Policy::default(), &offers);
        assert_eq!(shown(&merged, List::Tools), ["b_good = b:good", "c_good = c:good"]);
        assert_eq!(shown(&merged, List::Resources), ["x://a = b:x://a"]);
        assert_eq!(
            warnings(&merged),
            [
                "tool 1 of backend `b` is left out: it is an array; expected an object",
                "tool 2 of backend `b` is left out: it has no `name`",
                "tool 3 of backend `b` is left out: its `name` is a number; expected a string",
                "tool 4 of backend `b` is left out: its `name` stands there twice",
                "tool 1 of backend `c` is left out: its `x-mcp-header` stands where a chain of `properties` does not lead",
                "resource 1 of backend `b` is left out: it has no `uri`",
            ]
        );
    }

    #[test]
    fn what_a_revision_does_not_know_is_left_out() {
        let mut tools = list(&[
            r#"{"name":"a","outputSchema":{"type":"array"},"z":1}"#,
            r#"{"name":"b","outputSchema":{"type":"object"},"execution":{}}"#,
            r#"{"name":"c","outputSchema":{"anyOf":[]}}"#,
        ]);
        let texts = |tools: &Listed, era| {
            let merged = merge(&Policy::prefix(""), &[Offered::tools("x", tools)]);
            merged.list(List::Tools).iter().map(|tool| tool.text(era).to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(texts(&tools, Era::Legacy), [r#"{"name":"a","z":1}"#, &tools.items[1], r#"{"name":"c"}"#]);
        let without = r#"{"name":"b","outputSchema":{"type":"object"}}"#;
        assert_eq!(texts(&tools, Era::Modern), [&tools.items[0], without, &tools.items[2]]);
        tools.era = Era::Modern;
        assert_eq!(texts(&tools, Era::Modern), tools.items);
    }

    #[test]
    fn priority_gives_a_name_to_the_first_in_the_order() {
        let (a, b, c) = (named(&["one", "two", "solo"]), named(&["one", "two"]), named(&["two", "b_two", "other"]));
        let offers = [Offered::tools("a", &a), Offered::tools("b", &b), Offered::tools("c", &c)];
        let merged = merge(&strategy(Strategy::Priority, &["nobody", "b", "a"]), &offers);
        assert_eq!(
            shown(&merged, List::Tools),
            ["b_two = c:b_two", "one = b:one", "other = c:other", "solo = a:solo", "two = b:two"]
        );
        assert_eq!(
            warnings(&merged),
            [
                "tool `one` of backend `a` is left out: backend `b` advertises `one` already",
                "tool `two` of backend `a` is left out: backend `b` advertises `two` already",
                "tool `two` of backend `c` is left out: backend `b` advertises `two` already",
            ]
        );
        // Where nobody is in the order, each gets a prefix, which takes nobody's bare name.
        let merged = merge(&strategy(Strategy::Priority, &["nobody"]), &offers);
        assert_eq!(
            shown(&merged, List::Tools),
            [
                "a_one = a:one",
                "a_two = a:two",
                "b_one = b:one",
                "b_two = c:b_two",
                "c_two = c:two",
                "other = c:other",
                "solo = a:solo"
            ]
        );
        assert_eq!(
            warnings(&merged),
            ["tool `two` of backend `b` is left out: backend `c` advertises `b_two` already"]
        );
    }

    #[test]
    fn manual_takes_the_overrides_and_leaves_out_what_they_leave_alike() {
        let (a, b) = (named(&["x", "y", "solo"]), named(&["x", "y"]));
        let offers = [Offered::tools("a", &a), Offered::tools("b", &b)];
        let policy = with(strategy(Strategy::Manual, &[]), "a", renames(&[("x", "ax"), ("none", "z")]));
        let merged = merge(&policy, &offers);
        assert_eq!(shown(&merged, List::Tools), ["ax = a:x", "solo = a:solo", "x = b:x"]);
        assert_eq!(
            warnings(&merged),
            ["tool `y` is left out: backends `a` and `b` have it, and the configuration does not say which is meant"]
        );
        assert_eq!(merged.warnings[0].severity(), Severity::Error);
    }

    #[test]
    fn an_override_takes_no_name_from_a_tool_that_has_it_by_itself() {
        let tools = named(&["x", "y", "z"]);
        let policy = with(Policy::prefix(""), "a", renames(&[("x", "y"), ("z", "w"), ("y", "y")]));
        let merged = merge(&policy, &[Offered::tools("a", &tools)]);
        assert_eq!(shown(&merged, List::Tools), ["w = a:z", "y = a:y"]);
        assert_eq!(
            warnings(&merged),
            ["tool `x` of backend `a` is left out: `y` of the same backend is named `y` already"]
        );
        // Names may be swapped.
        let policy = with(Policy::prefix(""), "a", renames(&[("x", "y"), ("y", "x")]));
        let merged = merge(&policy, &[Offered::tools("a", &tools)]);
        assert_eq!(shown(&merged, List::Tools), ["x = a:y", "y = a:x", "z = a:z"]);
    }

    #[test]
    fn an_override_changes_what_it_says_and_nothing_else() {
        let tools = list(&[
            r#"{ "x" : 1.0,"name":"n","description":"old","annotations":{ "title":"T" , "readOnlyHint":true,"k":1e2},"description":"twice" }"#,
            r#"{"name":"m" , "x":1.0}"#,
        ]);
        let change = Override {
            name: Some("new".to_owned()),
            description: Some("a \"b\"".to_owned()),
            annotations: alloc::vec![("title", None), ("readOnlyHint", Some("false".to_owned()))],
        };
        let empty = Override { annotations: alloc::vec![("title", None)], ..Override::default() };
        let own = BackendPolicy {
            visible: Visible::All,
            overrides: [("n".to_owned(), change), ("m".to_owned(), empty)].into(),
        };
        let merged = merge(&with(Policy::default(), "b", own), &[Offered::tools("b", &tools)]);
        let texts: Vec<_> = merged.list(List::Tools).iter().map(|tool| tool.text(Era::Legacy)).collect();
        assert_eq!(
            texts,
            [
                r#"{"name":"b_m" , "x":1.0}"#,
                r#"{"x" : 1.0,"name":"b_new","description":"a \"b\"","annotations":{"k":1e2,"readOnlyHint":false}}"#,
            ]
        );
    }

    #[test]
    fn hidden_tools_have_a_reason_and_no_way_to_them() {
        let tools = named(&["x", "y"]);
        let offers = [Offered::tools("a", &tools), Offered::tools("b", &tools)];
        let hidden = |policy: &Policy| {
            let merged = merge(policy, &offers);
            assert!(merged.hidden.iter().all(|h| merged.find(List::Tools, &h.entry.advertised).is_none()));
            let lines: Vec<_> = merged.hidden.iter().map(|h| format!("{} {}", h.entry.advertised, h.why)).collect();
            (shown(&merged, List::Tools), lines)
        };
        let visible = |visible| BackendPolicy { visible, ..renames(&[("x", "z")]) };
        // A filter goes by the names after overrides and before prefixes.
        let only = visible(Visible::Only(["z".to_owned()].into()));
        let policy = with(Policy::default(), "a", only.clone());
        let all = ["a_z = a:x", "b_x = b:x", "b_y = b:y"].map(str::to_owned).to_vec();
        assert_eq!(hidden(&policy), (all, alloc::vec!["a_y filter".to_owned()]));
        let policy = Policy { shows: Shows::Listed, ..policy };
        let lines =
            ["a_y filter", "b_x defaultToolVisibility", "b_y defaultToolVisibility"].map(str::to_owned).to_vec();
        assert_eq!(hidden(&policy), (alloc::vec!["a_z = a:x".to_owned()], lines));
        let policy = with(Policy::default(), "a", visible(Visible::Nothing));
        assert_eq!(hidden(&policy).1, ["a_y excludeAll", "a_z excludeAll"]);
        let policy = Policy { shows: Shows::Nothing, ..Policy::default() };
        assert_eq!(hidden(&policy).1.len(), 4);
        assert_eq!(hidden(&policy).1[0], "a_x excludeAllTools");
        // Who wins a name and is hidden has won it all the same.
        let policy = with(strategy(Strategy::Priority, &["a"]), "a", visible(Visible::Nothing));
        assert_eq!(
            hidden(&policy),
            (alloc::vec!["x = b:x".to_owned()], ["y excludeAll", "z excludeAll"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn prompts_are_bare_for_backends_in_the_order_and_have_a_prefix_else() {
        let (a, b, c) = (named(&["p", "c_q"]), named(&["p", "r", "r"]), named(&["q", "r"]));
        let prompts = |backend, prompts| Offered { prompts: Some(prompts), ..Offered::nothing(backend) };
        let offers = [prompts("a", &a), prompts("b", &b), prompts("c", &c)];
        // Whatever the strategy is.
        let policy = strategy(Strategy::Manual, &["b", "a"]);
        let merged = merge(&policy, &offers);
        assert_eq!(shown(&merged, List::Prompts), ["c_r = c:r", "p = b:p", "r = b:r"]);
        assert_eq!(
            warnings(&merged),
            [
                "prompt `r` of backend `b` is listed twice; the first is kept",
                "prompt `c_q` is left out: backends `a` and `c` have it, and the configuration does not say which is meant",
                "prompt `p` of backend `a` is left out: backend `b` advertises `p` already",
            ]
        );
        let merged = merge(&Policy::prefix("{workload}/"), &offers);
        assert_eq!(merged.list(List::Prompts).len(), 6);
        assert_eq!(merged.owner(List::Prompts, "a/p").unwrap().original, "p");
    }

    #[test]
    fn a_resource_is_of_whoever_lists_it_or_is_shown_with_it_or_has_a_template_for_it() {
        let a = list(&[r#"{"uri":"x://1","name":"a"}"#]);
        let b = list(&[r#"{"uri":"x://1","name":"b"}"#, r#"{"uri":"x://2","name":"b"}"#]);
        let templates = list(&[r#"{"uriTemplate":"x://{n}"}"#]);
        let tools = list(&[r#"{"name":"t","_meta":{"ui":{"resourceUri":"ui://w"}}}"#]);
        let offers = [
            Offered { resources: Some(&b), ..Offered::nothing("b") },
            Offered { resources: Some(&a), templates: Some(&templates), ..Offered::nothing("a") },
            Offered::tools("c", &tools),
        ];
        let merged = merge(&strategy(Strategy::Prefix, &["c"]), &offers);
        assert_eq!(shown(&merged, List::Resources), ["x://1 = a:x://1", "x://2 = b:x://2"]);
        assert_eq!(
            warnings(&merged),
            ["resource `x://1` of backend `b` is left out: backend `a` advertises `x://1` already"]
        );
        let owner = |uri: &str| merged.resource(uri).map(|owner| format!("{}:{}", owner.backend, owner.original));
        assert_eq!(owner("x://2").as_deref(), Some("b:x://2"));
        assert_eq!(owner("x://{n}").as_deref(), Some("a:x://{n}"));
        assert_eq!(owner("x://3").as_deref(), Some("a:x://3"));
        assert_eq!(owner("ui://w").as_deref(), Some("c:ui://w"));
        assert_eq!(owner("z://"), None);
        assert_eq!(merged.order().iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["c", "a", "b"]);
    }

    #[test]
    fn a_tool_is_shown_with_the_resource_of_its_own_backend() {
        let tools = list(&[r#"{"name":"t","_meta":{"ui":{"resourceUri":"ui://w","k":1.0}}}"#]);
        let listed = list(&[r#"{"uri":"ui://w","name":"w"}"#]);
        let (a, b) = (Offered::tools("a", &tools), Offered { resources: Some(&listed), ..Offered::tools("b", &tools) });
        let c = Offered { resources: Some(&listed), ..Offered::tools("c", &tools) };
        let merged = merge(&Policy::default(), &[a, b, c]);
        let texts: Vec<_> = merged.list(List::Tools).iter().map(|tool| tool.text(Era::Modern)).collect();
        assert_eq!(
            texts,
            [
                r#"{"name":"a_t","_meta":{"ui":{"resourceUri":"ui://a/w","k":1.0}}}"#,
                r#"{"name":"b_t","_meta":{"ui":{"resourceUri":"ui://w","k":1.0}}}"#,
                r#"{"name":"c_t","_meta":{"ui":{"resourceUri":"ui://c/w","k":1.0}}}"#,
            ]
        );
        assert_eq!(shown(&merged, List::Resources), ["ui://c/w = c:ui://w", "ui://w = b:ui://w"]);
        assert!(merged.warnings.is_empty());
        let owner = |uri: &str| merged.resource(uri).map(|owner| format!("{}:{}", owner.backend, owner.original));
        assert_eq!(owner("ui://a/w").as_deref(), Some("a:ui://w"));
        assert_eq!(owner("ui://w").as_deref(), Some("b:ui://w"));
    }
}
