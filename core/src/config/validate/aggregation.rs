//! Rules for `aggregation`.
//!
//! Whether a tool of some name exists is known only when backends were asked.

use alloc::collections::BTreeMap;
use alloc::format;

use super::super::decode::shown;
use super::super::findings::{Findings, Path};
use super::super::model::{AggregationConfig, ConflictResolutionConfig, ToolOverride, WorkloadToolConfig};
use super::{Names, warn_unknown_backend};
use crate::diagnostic::code;
use crate::order;

pub(super) fn check(aggregation: &AggregationConfig, names: &Names<'_>, path: &Path<'_>, findings: &mut Findings<'_>) {
    let strategy = findings.required_choice(aggregation, "conflictResolution", &aggregation.conflict_resolution, path);
    let details = aggregation.conflict_resolution_config.as_ref();
    findings.required_block(
        aggregation,
        "conflictResolutionConfig",
        details,
        "the details of the strategy, such as `{prefixFormat: '{workload}_'}`",
        path,
    );
    if let (Some(strategy), Some(details)) = (strategy, details) {
        check_details(aggregation, strategy, details, names, path, findings);
    }
    findings.choice(aggregation, "defaultToolVisibility", &aggregation.default_tool_visibility, path);
    if let Some(details) = details {
        check_order(aggregation, strategy, details, names, &path.key("conflictResolutionConfig"), findings);
    }
    check_tools(aggregation, names, &path.key("tools"), findings);
}

fn check_details(
    aggregation: &AggregationConfig,
    strategy: &str,
    details: &ConflictResolutionConfig,
    names: &Names<'_>,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) {
    let inner = path.key("conflictResolutionConfig");
    match strategy {
        "prefix" => {
            let expected = "the prefix of tool names, such as `{workload}_`";
            findings.required_text(details, "prefixFormat", &details.prefix_format, expected, &inner);
            if let Some(format) = details.prefix_format.as_ref().filter(|format| !format.is_empty())
                && !format.contains("{workload}")
                && (names.sorted.len() > 1 || format.contains('{'))
            {
                findings.report(code::AGGREGATION_ONE_PREFIX, format.span, &inner.key("prefixFormat"), || {
                    format!("`prefixFormat` is `{}`; expected `{{workload}}` in it", shown(format))
                });
            }
        }
        "priority" if details.priority_order.is_empty() => {
            findings.missing(details, "priorityOrder", "the names of backends, the first wins", &inner);
        }
        "manual" if aggregation.tools.is_empty() => {
            findings.missing(aggregation, "tools", "overrides for `conflictResolution: manual`", path);
        }
        _ => {}
    }
}

fn check_order(
    aggregation: &AggregationConfig,
    strategy: Option<&str>,
    details: &ConflictResolutionConfig,
    names: &Names<'_>,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) {
    let denies = aggregation.default_tool_visibility.as_ref().is_some_and(|text| text.as_str() == "deny");
    let listed = aggregation.tools.iter().filter_map(|tool| tool.workload.as_ref());
    let listed = order::set(listed.map(|workload| workload.as_str()));
    let path = path.key("priorityOrder");
    for (index, name) in details.priority_order.iter().enumerate() {
        let path = path.index(index);
        warn_unknown_backend(code::AGGREGATION_UNKNOWN_BACKEND, name, names, &path, findings);
        if denies && strategy == Some("priority") && !listed.contains(name.as_str()) {
            findings.report(code::AGGREGATION_HIDDEN_WINNER, name.span, &path, || {
                format!(
                    "`{}` may win a name and is then hidden by `defaultToolVisibility: deny`; expected an entry of `tools` for it, or no place in `priorityOrder`",
                    shown(name)
                )
            });
        }
    }
}

fn check_tools(aggregation: &AggregationConfig, names: &Names<'_>, path: &Path<'_>, findings: &mut Findings<'_>) {
    let mut seen = BTreeMap::new();
    for (index, tool) in aggregation.tools.iter().enumerate() {
        let path = path.index(index);
        let workload = findings.required_text(tool, "workload", &tool.workload, "the name of a backend", &path);
        if let Some(workload) = workload {
            let path = path.key("workload");
            warn_unknown_backend(code::AGGREGATION_UNKNOWN_BACKEND, workload, names, &path, findings);
            match seen.get(workload.as_str()) {
                Some(&first) => findings.duplicate(workload.span, first, &path, || {
                    format!("`{}` has an entry of `tools` already; expected one for each backend", shown(workload))
                }),
                None => {
                    seen.insert(workload.as_str(), workload.span);
                }
            }
        }
        check_overrides(tool, &path.key("overrides"), findings);
    }
}

fn check_overrides(tool: &WorkloadToolConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    let mut renamed = BTreeMap::new();
    for (name, change) in tool.overrides.iter() {
        let path = path.key(name);
        check_override(change, &path, findings);
        let Some(new) = change.name.as_ref().filter(|new| !new.is_empty()) else { continue };
        match renamed.get(new.as_str()) {
            Some(&first) => findings.duplicate(new.span, first, &path.key("name"), || {
                format!("two tools of one backend are named `{}`; expected a name of its own for each", shown(new))
            }),
            None => {
                renamed.insert(new.as_str(), new.span);
            }
        }
    }
}

fn check_override(change: &ToolOverride, path: &Path<'_>, findings: &mut Findings<'_>) {
    use super::Described as _;
    let named = change.name.as_ref().is_some_and(|name| !name.is_empty());
    let described = change.description.as_ref().is_some_and(|description| !description.is_empty());
    if named || described || ["name", "description", "annotations"].iter().any(|key| change.is_unread(key)) {
        return;
    }
    match &change.annotations {
        Some(annotations) => {
            findings.report(
                code::AGGREGATION_ANNOTATIONS_ONLY,
                annotations.origin.key,
                &path.key("annotations"),
                || format!("the override of {} changes annotations only; read so, though Go refuses it", path.last()),
            );
        }
        None => findings.report(code::AGGREGATION_EMPTY_OVERRIDE, change.origin.key, path, || {
            format!("the override of {} changes nothing; expected `name`, `description` or `annotations`", path.last())
        }),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::findings;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_conflict_strategy_has_its_details() {
        assert_eq!(
            findings("aggregation: {}"),
            [
                "config/missing-key /aggregation «aggregation» `aggregation` has no `conflictResolutionConfig`; expected the details of the strategy, such as `{prefixFormat: '{workload}_'}`",
                "config/missing-key /aggregation «aggregation» `aggregation` has no `conflictResolution`; expected `prefix`, `priority` or `manual`",
            ]
        );
        assert_eq!(
            findings("aggregation: {conflictResolution: prefixes, conflictResolutionConfig: {}}"),
            [
                "config/bad-value /aggregation/conflictResolution «prefixes» `conflictResolution` is `prefixes`; expected `prefix`, `priority` or `manual` {did you mean `prefix`?}",
            ]
        );
        assert_eq!(
            findings("aggregation: {conflictResolution: prefix, conflictResolutionConfig: {}}"),
            [
                "config/missing-key /aggregation/conflictResolutionConfig «conflictResolutionConfig» `conflictResolutionConfig` has no `prefixFormat`; expected the prefix of tool names, such as `{workload}_`",
            ]
        );
        for odd in ["{Workload}_", "{workload", "{ workload }_"] {
            assert_eq!(
                findings(&alloc::format!(
                    "aggregation: {{conflictResolution: prefix, conflictResolutionConfig: {{prefixFormat: '{odd}'}}}}"
                )),
                [alloc::format!(
                    "aggregation/one-prefix /aggregation/conflictResolutionConfig/prefixFormat «'{odd}'» `prefixFormat` is `{odd}`; expected `{{workload}}` in it"
                )]
            );
        }
        // The only backend's prefix may be anything.
        assert_eq!(
            findings("aggregation: {conflictResolution: prefix, conflictResolutionConfig: {prefixFormat: x_}}"),
            [""; 0]
        );
        assert_eq!(
            findings("aggregation: {conflictResolution: priority, conflictResolutionConfig: {}}"),
            [
                "config/missing-key /aggregation/conflictResolutionConfig «conflictResolutionConfig» `conflictResolutionConfig` has no `priorityOrder`; expected the names of backends, the first wins",
            ]
        );
        assert_eq!(
            findings("aggregation: {conflictResolution: manual, conflictResolutionConfig: {}}"),
            [
                "config/missing-key /aggregation «aggregation» `aggregation` has no `tools`; expected overrides for `conflictResolution: manual`",
            ]
        );
    }

    #[test]
    fn tools_are_hidden_by_one_word_and_not_by_accident() {
        assert_eq!(
            findings(
                "
aggregation:
  conflictResolution: prefix
  conflictResolutionConfig: {prefixFormat: '{workload}_'}
  defaultToolVisibility: hidden
"
            ),
            [
                "config/bad-value /aggregation/defaultToolVisibility «hidden» `defaultToolVisibility` is `hidden`; expected `allow` or `deny`",
            ]
        );
        assert_eq!(
            findings(
                "aggregation: {conflictResolution: priority, conflictResolutionConfig: {priorityOrder: [a, b]}, defaultToolVisibility: deny, tools: [{workload: a}]}"
            ),
            [
                "aggregation/hidden-winner /aggregation/conflictResolutionConfig/priorityOrder/1 «b» `b` may win a name and is then hidden by `defaultToolVisibility: deny`; expected an entry of `tools` for it, or no place in `priorityOrder`",
                "aggregation/unknown-backend /aggregation/conflictResolutionConfig/priorityOrder/1 «b» `b` is the name of no backend; expected one of `backends`",
            ]
        );
    }

    #[test]
    fn entries_of_tools_name_a_backend_once() {
        assert_eq!(
            findings(
                "
aggregation:
  conflictResolution: prefix
  conflictResolutionConfig: {prefixFormat: '{workload}_'}
  tools: [{}, {workload: a}, {workload: a}, {workload: bb}, ~]
"
            ),
            [
                "config/missing-key /aggregation/tools/0 «{}» an entry of `aggregation.tools` has no `workload`; expected the name of a backend",
                "config/duplicate-name /aggregation/tools/2/workload «a» `a` has an entry of `tools` already; expected one for each backend (first used here: «a»)",
                "aggregation/unknown-backend /aggregation/tools/3/workload «bb» `bb` is the name of no backend; expected one of `backends`",
                "config/null-entry /aggregation/tools/4 «~» `tools[4]` has nothing in it; expected a mapping",
            ]
        );
    }

    #[test]
    fn an_override_changes_something() {
        assert_eq!(findings("
aggregation:
  conflictResolution: prefix
  conflictResolutionConfig: {prefixFormat: '{workload}_'}
  tools: [{workload: a, overrides: {x: {}, y: {annotations: {title: ''}}, z: ~, u: {name: n}, v: {name: n}, w: {name: [n]}}}]
"), [
            "aggregation/empty-override /aggregation/tools/0/overrides/x «x» the override of `x` changes nothing; expected `name`, `description` or `annotations`",
            "aggregation/annotations-only /aggregation/tools/0/overrides/y/annotations «annotations» the override of `y` changes annotations only; read so, though Go refuses it",
            "config/null-entry /aggregation/tools/0/overrides/z «z» `z` has nothing in it; expected a mapping",
            "config/duplicate-name /aggregation/tools/0/overrides/v/name «n» two tools of one backend are named `n`; expected a name of its own for each (first used here: «n»)",
            "config/wrong-type /aggregation/tools/0/overrides/w/name «name» `name` is a list; expected text",
        ]);
    }
}
