//! Names of tools: overrides, then conflicts, then what is shown, in this order.
//!
//! It changes nothing in a tool itself; that is the entry's.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::entry::Raw;
use super::policy::{DEFAULT_PREFIX, prefix_of};
use super::{Entry, Merged, Names, Override, Own, Policy, Shows, Strategy, Visible, Warning};
use crate::mcp::client::List;

/// A tool that clients do not see and cannot call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// It, under the name that it would have.
    pub entry: Entry,
    /// Why.
    pub why: Why,
}

/// Why a tool is hidden. Displays as the key that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// All are.
    ExcludeAllTools,
    /// Nothing is said of its backend.
    DefaultToolVisibility,
    /// All of its backend are.
    ExcludeAll,
    /// It is not in its backend's list.
    Filter,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExcludeAllTools => "excludeAllTools",
            Self::DefaultToolVisibility => "defaultToolVisibility",
            Self::ExcludeAll => "excludeAll",
            Self::Filter => "filter",
        })
    }
}

/// A tool on its way to a name.
struct Candidate<'a> {
    backend: &'a Arc<str>,
    raw: &'a Raw<'a>,
    original: &'a str,
    change: Option<&'a Override>,
    /// After overrides, before prefixes.
    name: &'a str,
}

impl Merged {
    pub(super) fn tools(&mut self, policy: &Policy, all: &[Own<'_>], names: &Names) {
        let candidates = all.iter().flat_map(|own| overridden(policy, own, &mut self.warnings)).collect::<Vec<_>>();
        let named = self.resolved(policy, candidates);
        for (advertised, tool) in named {
            let ui = tool.raw.ui().and_then(crate::mcp::json::string);
            let ui = ui.and_then(|ui| names.advertised(tool.backend, &ui));
            let entry = tool.raw.entry(tool.backend, tool.original, advertised, tool.change, ui.map(String::as_str));
            match hidden(policy, tool.backend, tool.name) {
                Some(why) => self.hidden.push(Hidden { entry, why }),
                None => self.tools.push(entry),
            }
        }
    }

    /// Each tool that gets a name, sorted by it.
    fn resolved<'a>(&mut self, policy: &Policy, candidates: Vec<Candidate<'a>>) -> BTreeMap<String, Candidate<'a>> {
        let mut named = BTreeMap::new();
        let collision = |advertised: &str, tool: &Candidate<'_>, kept: &Candidate<'_>| Warning::Collision {
            kind: List::Tools,
            backend: tool.backend.to_string(),
            original: tool.original.to_string(),
            advertised: advertised.to_string(),
            kept: kept.backend.to_string(),
        };
        if policy.strategy == Strategy::Prefix {
            let prefixed = |tool: &Candidate<'_>| [&prefix_of(&policy.prefix_format, tool.backend), tool.name].concat();
            for tool in candidates {
                let advertised = prefixed(&tool);
                match named.get(&advertised) {
                    Some(kept) => self.warnings.push(collision(&advertised, &tool, kept)),
                    None => drop(named.insert(advertised, tool)),
                }
            }
            return named;
        }
        let mut rivals: BTreeMap<&str, Vec<Candidate<'a>>> = BTreeMap::new();
        for tool in candidates {
            rivals.entry(tool.name).or_default().push(tool);
        }
        // Bare names first: what none of the backends in the order has gets a prefix, and no prefix takes a bare name.
        let mut without = Vec::new();
        for (name, mut tools) in rivals {
            let best = tools.iter().enumerate().filter_map(|(at, tool)| Some((policy.rank(tool.backend)?, at))).min();
            match (policy.strategy, best) {
                _ if tools.len() == 1 => named.extend(tools.pop().map(|tool| (name.to_string(), tool))),
                (Strategy::Priority, Some((_, best))) => {
                    let kept = tools.remove(best);
                    self.warnings.extend(tools.iter().map(|tool| collision(name, tool, &kept)));
                    named.insert(name.to_string(), kept);
                }
                (Strategy::Priority, None) => without.extend(tools),
                _ => {
                    let backends = tools.iter().map(|tool| tool.backend.to_string()).collect();
                    self.warnings.push(Warning::Contested { kind: List::Tools, name: name.to_string(), backends });
                }
            }
        }
        without.sort_by_key(|tool| tool.backend);
        for tool in without {
            let advertised = [&prefix_of(DEFAULT_PREFIX, tool.backend), tool.name].concat();
            match named.get(&advertised) {
                Some(kept) => self.warnings.push(collision(&advertised, &tool, kept)),
                None => drop(named.insert(advertised, tool)),
            }
        }
        named
    }
}

/// One backend's tools under the names that overrides give. A tool that has a name by itself keeps it.
fn overridden<'a>(policy: &'a Policy, own: &'a Own<'a>, warnings: &mut Vec<Warning>) -> Vec<Candidate<'a>> {
    let overrides = policy.backends.get(own.backend.as_ref()).map(|backend| &backend.overrides);
    let candidates = own.entries.iter().map(|(raw, original)| {
        let change = overrides.and_then(|overrides| overrides.get(original));
        let name = change.and_then(|change| change.name.as_deref()).unwrap_or(original);
        Candidate { backend: &own.backend, raw, original, change, name }
    });
    let mut kept: BTreeMap<&str, &str> = own
        .entries
        .iter()
        .zip(candidates.clone())
        .filter(|((_, original), tool)| original == tool.name)
        .map(|(_, tool)| (tool.name, tool.original))
        .collect();
    candidates
        .filter(|tool| {
            let holder = *kept.entry(tool.name).or_insert(tool.original);
            if holder != tool.original {
                warnings.push(Warning::Overridden {
                    backend: tool.backend.to_string(),
                    original: tool.original.to_string(),
                    name: tool.name.to_string(),
                    kept: holder.to_string(),
                });
            }
            holder == tool.original
        })
        .collect()
}

fn hidden(policy: &Policy, backend: &str, name: &str) -> Option<Why> {
    match (policy.shows, policy.backends.get(backend).map(|backend| &backend.visible)) {
        (Shows::Nothing, _) => Some(Why::ExcludeAllTools),
        (Shows::Listed, None) => Some(Why::DefaultToolVisibility),
        (_, Some(Visible::Nothing)) => Some(Why::ExcludeAll),
        (_, Some(Visible::Only(names))) if !names.contains(name) => Some(Why::Filter),
        _ => None,
    }
}
