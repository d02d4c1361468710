//! The names that tools would get under each conflict strategy, before anything is served.
//!
//! It is a forecast from lists that a person pasted. What is served is merged by `aggregate`.

use alloc::borrow::{Cow, ToOwned};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{AggregationConfig, Config, Text, WorkloadToolConfig};
use crate::json;
use crate::order;

/// The tools of one backend, by the names that it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The backend.
    pub backend: String,
    /// Its tools.
    pub tools: Vec<String>,
}

/// What becomes of one tool under one strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Clients see it under this name.
    Named(String),
    /// Clients do not see it, and why.
    Hidden(String),
}

/// One tool under each strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The backend.
    pub backend: String,
    /// The name that the backend knows.
    pub tool: String,
    /// Under `prefix`.
    pub prefix: Fate,
    /// Under `priority`.
    pub priority: Fate,
    /// Under `manual`.
    pub manual: Fate,
}

/// Why a text is no list of tools.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAList {
    /// Not JSON.
    #[error("the text is not JSON; expected the answer to `tools/list`")]
    NotJson,
    /// JSON of another shape.
    #[error("there is no `tools` array in it; expected the answer to `tools/list`")]
    NoTools,
    /// A tool without a name.
    #[error("tool {0} has no `name`; expected a text")]
    NoName(usize),
}

/// The names in a pasted answer to `tools/list`: the whole message, its result, the array alone, or an event that carries one.
///
/// # Errors
/// It is none of these.
pub fn listed(pasted: &str) -> Result<Vec<String>, NotAList> {
    let event: String =
        pasted.lines().filter_map(|line| line.strip_prefix("data:")).fold(String::new(), |all, line| all + line + "\n");
    let text = if event.is_empty() { pasted } else { &event };
    let text = text.trim();
    json::check(text).map_err(|_| NotAList::NotJson)?;
    let in_result = json::member(text, "result").and_then(|result| json::member(result, "tools"));
    let tools = [in_result, json::member(text, "tools"), Some(text)];
    let tools = tools.into_iter().flatten().find_map(json::elements).ok_or(NotAList::NoTools)?;
    let name = |(index, tool): (usize, &str)| {
        let name = json::member(tool, "name").and_then(json::string);
        name.map(Cow::into_owned).ok_or(NotAList::NoName(index + 1))
    };
    tools.enumerate().map(name).collect()
}

/// The names under each strategy, sorted by backend, in the order in which its tools are listed.
///
/// `aggregation` may be any: where it says nothing for a strategy, its default is taken (`{workload}_`, an empty order).
#[must_use]
pub fn forecast(config: &Config, lists: &[Listed]) -> Vec<Forecast> {
    let empty = AggregationConfig::default();
    let rules = Rules { aggregation: config.aggregation.as_ref().unwrap_or(&empty) };
    let mut tools: Vec<Tool<'_>> = Vec::new();
    let mut lists: Vec<&Listed> = lists.iter().collect();
    order::sort(&mut lists, |a, b| a.backend.cmp(&b.backend));
    for list in lists {
        for original in &list.tools {
            let renamed = rules.renamed(&list.backend, original);
            let name = renamed.unwrap_or(original);
            tools.push(Tool { backend: &list.backend, original, name, renamed: renamed.is_some() });
        }
    }
    let mut bearers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for tool in &tools {
        bearers.entry(tool.name).or_default().insert(tool.backend);
    }
    let [prefix, priority, manual] = [
        rules.fates(&tools, |tool| Ok(rules.prefixed(tool))),
        rules.fates(&tools, |tool| rules.by_priority(tool, &bearers)),
        rules.fates(&tools, |tool| manual(tool, &tools, &bearers)),
    ];
    let fates = prefix.into_iter().zip(priority).zip(manual);
    tools
        .iter()
        .zip(fates)
        .map(|(tool, ((prefix, priority), manual))| Forecast {
            backend: tool.backend.to_owned(),
            tool: tool.original.to_owned(),
            prefix,
            priority,
            manual,
        })
        .collect()
}

#[derive(Clone, Copy)]
struct Tool<'a> {
    backend: &'a str,
    original: &'a str,
    /// After overrides.
    name: &'a str,
    renamed: bool,
}

struct Rules<'c> {
    aggregation: &'c AggregationConfig,
}

impl<'c> Rules<'c> {
    fn entry(&self, backend: &str) -> Option<&'c WorkloadToolConfig> {
        self.aggregation.tools.iter().find(|entry| text(&entry.workload) == backend)
    }

    fn renamed(&self, backend: &str, original: &str) -> Option<&'c str> {
        Some(text(&self.entry(backend)?.overrides.get(original)?.name)).filter(|name| !name.is_empty())
    }

    fn prefixed(&self, tool: &Tool<'_>) -> String {
        let details = self.aggregation.conflict_resolution_config.as_ref();
        let format = details.map(|details| text(&details.prefix_format)).filter(|format| !format.is_empty());
        format!("{}{}", format.unwrap_or("{workload}_").replace("{workload}", tool.backend), tool.name)
    }

    fn by_priority(&self, tool: &Tool<'_>, bearers: &BTreeMap<&str, BTreeSet<&str>>) -> Result<String, String> {
        let Some(bearers) = bearers.get(tool.name).filter(|bearers| bearers.len() > 1) else {
            return Ok(tool.name.to_owned());
        };
        let order = self.aggregation.conflict_resolution_config.as_ref().map(|details| &details.priority_order);
        let winner = order.and_then(|order| order.iter().find(|name| bearers.contains(name.as_str())));
        match winner {
            Some(winner) if winner.as_str() == tool.backend => Ok(tool.name.to_owned()),
            Some(winner) => Err(format!("`{}` has the name and comes first in `priorityOrder`", winner.as_str())),
            // As in the Go program, whatever `prefixFormat` says.
            None => Ok(format!("{}_{}", tool.backend, tool.name)),
        }
    }

    /// Why clients do not see a tool, whatever the strategy. Filters go by the name after overrides.
    fn hidden(&self, tool: &Tool<'_>) -> Option<&'static str> {
        let on = |flag: &crate::config::Flag| flag.as_ref().is_some_and(|flag| flag.value);
        if on(&self.aggregation.exclude_all_tools) {
            return Some("`excludeAllTools` hides all tools");
        }
        let Some(entry) = self.entry(tool.backend) else {
            let denied = text(&self.aggregation.default_tool_visibility) == "deny";
            return denied.then_some("`defaultToolVisibility` is `deny`, and its backend has no entry in `tools`");
        };
        if on(&entry.exclude_all) {
            return Some("`excludeAll` hides the tools of its backend");
        }
        let kept = entry.filter.is_empty() || entry.filter.iter().any(|name| name.as_str() == tool.name);
        (!kept).then_some("it is not in the `filter` of its backend")
    }

    /// Of several that would have one name the first keeps it.
    fn fates<'t>(&self, tools: &[Tool<'t>], name: impl Fn(&Tool<'t>) -> Result<String, String>) -> Vec<Fate> {
        let mut taken: BTreeMap<String, &'t str> = BTreeMap::new();
        let fate = |tool: &Tool<'t>| {
            let name = match (name(tool), self.hidden(tool)) {
                (_, Some(why)) => return Fate::Hidden(why.to_owned()),
                (Err(why), None) => return Fate::Hidden(why),
                (Ok(name), None) => name,
            };
            if let Some(other) = taken.get(&name) {
                return Fate::Hidden(format!("`{other}` has the name `{name}` already"));
            }
            taken.insert(name.clone(), tool.backend);
            Fate::Named(name)
        };
        tools.iter().map(fate).collect()
    }
}

/// A name that several backends have must be changed for each of them, or nothing at all is served.
fn manual(tool: &Tool<'_>, tools: &[Tool<'_>], bearers: &BTreeMap<&str, BTreeSet<&str>>) -> Result<String, String> {
    let shared = |other: &&Tool<'_>| !other.renamed && bearers.get(other.name).is_some_and(|all| all.len() > 1);
    match tools.iter().find(shared) {
        Some(other) if other.name == tool.name => {
            let all = bearers.get(other.name).into_iter().flatten().map(|name| format!("`{name}`")).collect::<Vec<_>>();
            Err(format!("{} share the name, and not each has an override; no tool is served", all.join(", ")))
        }
        Some(other) => Err(format!("`{}` is in conflict, so no tool is served", other.name)),
        None => Ok(tool.name.to_owned()),
    }
}

fn text(text: &Text) -> &str {
    text.as_ref().map(|text| text.value.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::judge;
    use alloc::string::ToString;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn list(backend: &str, tools: &[&str]) -> Listed {
        Listed { backend: backend.to_owned(), tools: tools.iter().map(ToString::to_string).collect() }
    }

    fn shown(aggregation: &str, lists: &[Listed]) -> Vec<String> {
        let judged = judge(format!("aggregation: {aggregation}\n").as_bytes());
        let word = |fate: Fate| match fate {
            Fate::Named(name) => name,
            Fate::Hidden(why) => format!("- {why}"),
        };
        let line = |one: Forecast| {
            let fates = [one.prefix, one.priority, one.manual].map(word).join(" | ");
            format!("{}:{} => {fates}", one.backend, one.tool)
        };
        forecast(&judged.documents[0].config, lists).into_iter().map(line).collect()
    }

    #[test]
    fn one_tool_has_a_name_under_each_strategy() {
        assert_eq!(
            shown("{}", &[list("b", &["add"]), list("a", &["list"])]),
            ["a:list => a_list | list | list", "b:add => b_add | add | add"]
        );
        assert_eq!(
            shown("{conflictResolutionConfig: {prefixFormat: '{workload}.'}}", &[list("b", &["add"])]),
            ["b:add => b.add | add | add"]
        );
    }

    #[test]
    fn conflicts_end_as_each_strategy_says() {
        let lists = [list("a", &["add", "other"]), list("b", &["add"])];
        assert_eq!(
            shown("{conflictResolutionConfig: {priorityOrder: [b]}}", &lists),
            [
                "a:add => a_add | - `b` has the name and comes first in `priorityOrder` | - `a`, `b` share the name, and not each has an override; no tool is served",
                "a:other => a_other | other | - `add` is in conflict, so no tool is served",
                "b:add => b_add | add | - `a`, `b` share the name, and not each has an override; no tool is served",
            ]
        );
        assert_eq!(
            shown("{tools: [{workload: a, overrides: {add: {name: sum}}}]}", &lists),
            ["a:add => a_sum | sum | sum", "a:other => a_other | other | other", "b:add => b_add | add | add"]
        );
        assert_eq!(shown("{}", &lists)[0].split(" | ").nth(1), Some("a_add"));
        let same = [list("a", &["b_c"]), list("a_b", &["c"])];
        assert_eq!(shown("{}", &same)[1].split(" | ").next(), Some("a_b:c => - `a` has the name `a_b_c` already"));
    }

    #[test]
    fn filters_and_visibility_hide_whatever_the_strategy() {
        let lists = [list("a", &["add", "sub"]), list("b", &["mul"])];
        let said = shown("{defaultToolVisibility: deny, tools: [{workload: a, filter: [sub]}]}", &lists);
        let hidden = "it is not in the `filter` of its backend";
        assert_eq!(said[0], format!("a:add => - {hidden} | - {hidden} | - {hidden}"));
        assert_eq!(said[1], "a:sub => a_sub | sub | sub");
        assert!(said[2].starts_with("b:mul => - `defaultToolVisibility` is `deny`"), "{}", said[2]);
    }

    #[test]
    fn an_answer_is_read_in_each_form_in_which_it_is_pasted() {
        let expected = Ok(Vec::from(["x".to_owned()]));
        for text in [
            r#"[{"name":"x"}]"#,
            r#"{"tools":[{"name":"x"}]}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"x"}]}}"#,
            "event: message\ndata: {\"result\":{\"tools\":[{\"name\":\"x\"}]}}\n\n",
        ] {
            assert_eq!(listed(text), expected, "{text}");
        }
        let why = |text| listed(text).unwrap_err().to_string();
        assert_eq!(why("x"), "the text is not JSON; expected the answer to `tools/list`");
        assert_eq!(why("{}"), "there is no `tools` array in it; expected the answer to `tools/list`");
        assert_eq!(why(r#"[{"name":1}]"#), "tool 1 has no `name`; expected a text");
    }
}
