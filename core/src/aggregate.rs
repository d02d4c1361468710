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

pub use entry::{Entry, Reason};
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
            let prefix = if rank.is_some() { String::new() } else { prefix_of(&policy.prefix_format, &own.backend) };
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
