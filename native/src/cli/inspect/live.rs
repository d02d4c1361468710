//! The catalog that clients would see: what every backend lists now, merged as the configuration says, with what was renamed,
//! hidden and left out, and why.
//!
//! It calls no tool and asks for nothing but lists, as a client that declares nothing.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use vmcp_core::aggregate::{Merged, Offered, Policy, merge};
use vmcp_core::config::Config;
use vmcp_core::discovery::Backend;
use vmcp_core::mcp::client::{Answer, Declared, Exchange, Goal, Limits, List, Listed, Settings, Start};

use crate::logging::chain;
use crate::transport::{BackendTransport, Cancel, Patience, Said, TransportOptions};

/// How long a backend may take for each list.
const DEADLINE: Duration = Duration::from_secs(10);

/// What clients would see.
#[derive(Serialize)]
pub(super) struct Catalog {
    pub(super) entries: Vec<Entry>,
    /// What has no name of its own, or cannot be advertised, and why.
    pub(super) dropped: Vec<String>,
    pub(super) silent: Vec<Silent>,
}

/// One tool, resource, resource template or prompt.
#[derive(Serialize)]
pub(super) struct Entry {
    pub(super) kind: &'static str,
    /// The name or URI that clients see.
    pub(super) advertised: String,
    pub(super) backend: String,
    /// What the backend calls it.
    pub(super) original: String,
    pub(super) shown: bool,
    /// The key that hides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hidden: Option<String>,
}

/// A backend that did not answer for all its lists.
#[derive(Serialize)]
pub(super) struct Silent {
    pub(super) backend: String,
    pub(super) error: String,
}

/// Asks all backends, side by side.
pub(super) fn ask(config: &Config, backends: &[Backend]) -> Catalog {
    let asked: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = backends.iter().map(|backend| scope.spawn(|| lists(backend))).collect();
        asking.into_iter().map(|asking| asking.join().unwrap_or_else(|_| Lists::broken())).collect()
    });
    let offers: Vec<_> = backends
        .iter()
        .zip(&asked)
        .map(|(backend, Lists { lists: [tools, resources, templates, prompts], .. })| Offered {
            backend: &backend.name,
            tools: tools.as_ref(),
            resources: resources.as_ref(),
            templates: templates.as_ref(),
            prompts: prompts.as_ref(),
        })
        .collect();
    let policy = config.effective().aggregation.as_ref().map(Policy::of).unwrap_or_default();
    let merged = merge(&policy, &offers);
    let silent = backends
        .iter()
        .zip(&asked)
        .filter_map(|(backend, lists)| Some(Silent { backend: backend.name.clone(), error: lists.error.clone()? }));
    Catalog {
        entries: entries(&merged),
        dropped: merged.warnings.iter().map(ToString::to_string).collect(),
        silent: silent.collect(),
    }
}

fn entries(merged: &Merged) -> Vec<Entry> {
    let shown = List::ALL.into_iter().flat_map(|kind| merged.list(kind).iter().map(move |entry| (kind, entry, None)));
    let hidden = merged.hidden.iter().map(|hidden| (List::Tools, &hidden.entry, Some(hidden.why.to_string())));
    let mut all: Vec<_> = shown
        .chain(hidden)
        .map(|(kind, entry, hidden)| Entry {
            kind: kind.noun(),
            advertised: entry.advertised.clone(),
            backend: entry.backend.to_string(),
            original: entry.original.clone(),
            shown: hidden.is_none(),
            hidden,
        })
        .collect();
    let place = |kind: &str| List::ALL.iter().position(|known| known.noun() == kind);
    all.sort_by(|a, b| (place(a.kind), &a.advertised, &a.backend).cmp(&(place(b.kind), &b.advertised, &b.backend)));
    all
}

/// What one backend lists, in the order of [`List::ALL`].
struct Lists {
    lists: [Option<Listed>; 4],
    error: Option<String>,
}

impl Lists {
    fn broken() -> Self {
        Self { lists: Default::default(), error: Some("asking it broke off".to_owned()) }
    }
}

fn lists(backend: &Backend) -> Lists {
    let mut found = Lists { lists: Default::default(), error: None };
    let transport = match BackendTransport::new(backend, &TransportOptions::default()) {
        Ok(transport) => transport,
        Err(error) => return Lists { error: Some(chain(&error)), ..found },
    };
    let declared = Declared::new("vmcp", env!("CARGO_PKG_VERSION"));
    let settings = Arc::new(Settings { declared, limits: Limits::default() });
    let (mut start, patience, cancel) = (Start::Unknown, Patience::of(DEADLINE), Cancel::new());
    let run = |goal, number, start: &mut Start| {
        let mut exchange = Exchange::new(goal, start.clone(), number, Arc::clone(&settings));
        transport.run(&mut exchange, &patience, &cancel, |_, said| {
            if let Said::Learned(standing) = said {
                *start = Start::Standing(standing);
            }
        })
    };
    for (number, (kind, list)) in List::ALL.into_iter().zip(&mut found.lists).enumerate() {
        match run(Goal::List(kind), number as u64, &mut start) {
            Ok(Answer::Listed(listed)) => *list = Some(listed),
            Ok(_) => {}
            Err(error) => {
                found.error.get_or_insert(chain(&error));
                // What cannot be opened for one list cannot be for the next.
                if !matches!(start, Start::Standing(_)) {
                    break;
                }
            }
        }
    }
    // A courtesy: a backend that does not hear it forgets by itself.
    drop(run(Goal::End, List::ALL.len() as u64, &mut start));
    found
}
