//! Rules for `compositeTools` and `compositeToolRefs`: structure, references, cycles and limits.
//!
//! The template language is not read, and of JSON Schemas only the outline; one note says so.

mod output;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::any::{Any, AnyMap};
use super::super::decode::shown;
use super::super::duration::Duration;
use super::super::findings::{Findings, Path};
use super::super::limits;
use super::super::model::{
    CompositeToolConfig, Config, Described as _, ElicitationResponseConfig, Integer, StepErrorHandling, Text,
    WorkflowStepConfig,
};
use super::super::source::{List, Spanned};
use super::incoming::is_identifier;
use crate::diagnostic::{Place, code};

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    let path = Path::TOP.key("compositeTools");
    unique(
        config.composite_tools.iter().map(|tool| &tool.name),
        &path,
        "name",
        |name| format!("`{name}` is the name of a composite tool already; expected a name of its own for each"),
        findings,
    );
    for (index, tool) in config.composite_tools.iter().enumerate() {
        check_tool(tool, &path.index(index), findings);
    }
    if !config.composite_tools.is_empty() {
        findings.report(code::COMPOSITE_NOT_CHECKED, config.composite_tools.origin.key, &path, || {
            "templates in composite tools were not read, and of JSON Schemas only the outline; read as they are".into()
        });
    }
    let path = Path::TOP.key("compositeToolRefs");
    for (index, reference) in config.composite_tool_refs.iter().enumerate() {
        let expected = "the name of a composite tool definition";
        findings.required_text(reference, "name", &reference.name, expected, &path.index(index));
    }
    unique(
        config.composite_tool_refs.iter().map(|reference| &reference.name),
        &path,
        "name",
        |name| format!("`{name}` is referred to already; expected each composite tool once"),
        findings,
    );
}

fn check_tool(tool: &CompositeToolConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    findings.required_text(tool, "name", &tool.name, "a name of its own", path);
    findings.required_text(tool, "description", &tool.description, "what clients read about it", path);
    not_negative(&tool.timeout, "timeout", path, findings);
    check_parameters(&tool.parameters, &path.key("parameters"), findings);
    let steps = path.key("steps");
    match tool.steps.len() {
        0 => findings.missing(tool, "steps", "at least one step", path),
        count if count > limits::WORKFLOW_STEPS => {
            findings.report(code::COMPOSITE_LIMIT, tool.steps.origin.key, &steps, || {
                format!("a composite tool has {count} steps; expected at most {}", limits::WORKFLOW_STEPS)
            });
        }
        _ => {}
    }
    unique(
        tool.steps.iter().map(|step| &step.id),
        &steps,
        "id",
        |id| format!("`{id}` is the id of a step already; expected an id of its own for each"),
        findings,
    );
    let ids = step_ids(&tool.steps);
    for (index, step) in tool.steps.iter().enumerate() {
        check_step(step, ids.as_ref(), &steps.index(index), findings);
    }
    check_cycles(&tool.steps, &steps, findings);
    if let Some(output) = &tool.output {
        output::check(output, &path.key("output"), findings);
    }
}

/// Ids of all steps, unless one is missing or could not be read.
fn step_ids(steps: &List<WorkflowStepConfig>) -> Option<BTreeMap<&str, usize>> {
    let mut ids = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        ids.insert(step.id.as_ref()?.as_str(), index);
    }
    Some(ids)
}

/// Arguments are an object: JSON Schema with `type: object`.
fn check_parameters(parameters: &AnyMap, path: &Path<'_>, findings: &mut Findings<'_>) {
    let Some(schema) = parameters.0.as_ref().filter(|schema| !schema.is_empty()) else { return };
    match schema.get("type") {
        None => findings.report(code::COMPOSITE_BAD_SCHEMA, first_key(schema), path, || {
            "`parameters` has no `type`; expected `type: object`".into()
        }),
        Some(kind) if kind.value != Any::Text("object".into()) => {
            findings.report(code::COMPOSITE_BAD_SCHEMA, kind.span, &path.key("type"), || match &kind.value {
                Any::Text(text) => format!("`type` of `parameters` is `{}`; expected `object`", shown(text)),
                other => format!("`type` of `parameters` is {}; expected `object`", other.word()),
            });
        }
        Some(_) => {}
    }
    let mut member = |key: &'static str, expected: &str, fits: fn(&Any) -> bool| {
        if let Some(value) = schema.get(key).filter(|value| !fits(value)) {
            findings.report(code::COMPOSITE_BAD_SCHEMA, value.span, &path.key(key), || {
                format!("`{key}` of `parameters` is {}; expected {expected}", value.word())
            });
        }
    };
    member("properties", "a mapping", |any| matches!(any, Any::Map(_)));
    member("required", "a list of names", |any| matches!(any, Any::List(_)));
}

/// Where something is missing from a free-form mapping.
fn first_key(any: &Spanned<Any>) -> crate::text::Span {
    match &any.value {
        Any::Map(entries) => entries.first().map_or(any.span, |(key, _)| key.span),
        _ => any.span,
    }
}

fn check_step(
    step: &WorkflowStepConfig,
    ids: Option<&BTreeMap<&str, usize>>,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) {
    findings.required_text(step, "id", &step.id, "an id of its own", path);
    let kind = check_step_type(step, path, findings);
    if let Some(ids) = ids {
        let dependencies = path.key("dependsOn");
        for (index, id) in step.depends_on.iter().enumerate().filter(|(_, id)| !ids.contains_key(id.as_str())) {
            findings.report(code::COMPOSITE_UNKNOWN_STEP, id.span, &dependencies.index(index), || {
                format!("`{}` is the id of no step; expected a step of the same tool", shown(id))
            });
        }
    }
    if let Some(handling) = &step.on_error {
        check_error_handling(handling, &path.key("onError"), findings);
    }
    if kind == Some("elicitation") {
        for (key, handler) in [("onDecline", &step.on_decline), ("onCancel", &step.on_cancel)] {
            if let Some(handler) = handler {
                check_handler(handler, &path.key(key), findings);
            }
        }
    }
}

/// Gives the type if it is known.
fn check_step_type<'s>(step: &'s WorkflowStepConfig, path: &Path<'_>, findings: &mut Findings<'_>) -> Option<&'s str> {
    if step.is_unread("type") {
        return None;
    }
    let kind = step.kind.as_ref().map_or("", |kind| kind.as_str());
    if let ("", Some(tool), Some(message)) = (kind, filled(&step.tool), filled(&step.message)) {
        let draft = findings.draft(code::COMPOSITE_AMBIGUOUS_STEP, message.span, &path.key("message"), || {
            "`message` stands beside `tool` in a step without `type`; expected `type: tool` or `type: elicitation`"
                .into()
        });
        if let Some(draft) = draft {
            findings.push(draft.related(Place::input(tool.span), "the tool"));
        }
        return None;
    }
    findings.choice(step, "type", &step.kind, path);
    match kind {
        "" | "tool" => check_tool_name(step, path, findings),
        "elicitation" => {
            findings.required_text(step, "message", &step.message, "the question for `type: elicitation`", path);
            if step.schema.is_empty() {
                findings.missing(step, "schema", "the JSON Schema of the answer for `type: elicitation`", path);
            }
        }
        "forEach" => check_for_each(step, path, findings),
        _ => return None,
    }
    Some(kind)
}

fn check_tool_name(step: &WorkflowStepConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    let Some(tool) = findings.required_text(step, "tool", &step.tool, "the name of a tool for `type: tool`", path)
    else {
        return;
    };
    let first = tool.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    if !first || !tool.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
        findings.report(code::COMPOSITE_BAD_TOOL_NAME, tool.span, &path.key("tool"), || {
            format!("`tool` is `{}`; expected a letter or digit, then letters, digits, `.`, `_` and `-`", shown(tool))
        });
    }
}

fn check_for_each(step: &WorkflowStepConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    for (key, text) in [("tool", &step.tool), ("message", &step.message)] {
        if let Some(text) = filled(text) {
            findings.report(code::COMPOSITE_MISPLACED_KEY, text.span, &path.key(key), || {
                format!("`{key}` stands in a step of `type: forEach`; expected it in its inner `step`")
            });
        }
    }
    findings.required_text(step, "collection", &step.collection, "a template that gives the list", path);
    match &step.step {
        None => findings.missing(step, "step", "what is repeated", path),
        Some(inner) => check_inner(inner, &path.key("step"), findings),
    }
    if let Some(item) = filled(&step.item_var) {
        let wrong = match item.as_str() {
            "index" => Some("reserved"),
            name if !is_identifier(name) => Some("no identifier"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            findings.report(code::CONFIG_BAD_VALUE, item.span, &path.key("itemVar"), || {
                format!("`itemVar` is `{}`, which is {wrong}; expected letters, digits and `_`", shown(item))
            });
        }
    }
    let mut limit = |key: &'static str, number: &Integer, max: i64| {
        if let Some(number) = number {
            findings.range(key, number, 0, max, path);
        }
    };
    limit("maxParallel", &step.max_parallel, 50);
    limit("maxIterations", &step.max_iterations, 1000);
}

fn check_inner(inner: &WorkflowStepConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    match inner.kind.as_ref().filter(|kind| !kind.is_empty() && kind.as_str() != "tool") {
        Some(kind) => findings.report(code::CONFIG_BAD_VALUE, kind.span, &path.key("type"), || {
            format!("`type` of an inner step is `{}`; expected `tool`", shown(kind))
        }),
        None if inner.is_unread("type") => {}
        None => check_tool_name(inner, path, findings),
    }
    // Go wants an id for inner steps when the server starts, and checks nothing else of them.
    findings.required_text(inner, "id", &inner.id, "an id of its own", path);
}

fn check_error_handling(handling: &StepErrorHandling, path: &Path<'_>, findings: &mut Findings<'_>) {
    findings.choice(handling, "action", &handling.action, path);
    let retries = filled(&handling.action).is_some_and(|action| action.as_str() == "retry");
    if retries {
        match &handling.retry_count {
            Some(count) => findings.range("retryCount", count, 1, i64::MAX, path),
            None => findings.missing(handling, "retryCount", "at least 1 for `action: retry`", path),
        }
    }
}

fn check_handler(handler: &ElicitationResponseConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    findings.required_choice(handler, "action", &handler.action, path);
}

/// Steps that wait for each other for ever. Each cycle is reported once, at a dependency that closes it. Without
/// recursion: a chain of steps may be long.
fn check_cycles(steps: &List<WorkflowStepConfig>, path: &Path<'_>, findings: &mut Findings<'_>) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut ids = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        if let Some(id) = &step.id {
            ids.entry(id.as_str()).or_insert(index);
        }
    }
    let mut marks = Vec::from_iter(steps.iter().map(|_| Mark::New));
    for start in 0..steps.len() {
        let mut way = Vec::from([(start, 0)]);
        while let Some((at, next)) = way.last_mut() {
            let (at, dependency) = (*at, *next);
            *next += 1;
            let (Some(step), Some(mark)) = (steps.get(at), marks.get_mut(at)) else { break };
            if *mark == Mark::Done {
                way.pop();
                continue;
            }
            *mark = Mark::Open;
            let Some(id) = step.depends_on.get(dependency) else {
                *mark = Mark::Done;
                way.pop();
                continue;
            };
            let Some(&target) = ids.get(id.as_str()) else { continue };
            match marks.get(target) {
                Some(Mark::New) => way.push((target, 0)),
                Some(Mark::Open) => {
                    let step_path = path.index(at);
                    let dependencies = step_path.key("dependsOn");
                    findings.report(code::COMPOSITE_CYCLE, id.span, &dependencies.index(dependency), || {
                        format!(
                            "`{}` waits for this step itself; expected steps that do not wait in a circle",
                            shown(id)
                        )
                    });
                }
                Some(Mark::Done) | None => {}
            }
        }
    }
}

fn not_negative(time: &Option<Spanned<Duration>>, key: &'static str, path: &Path<'_>, findings: &mut Findings<'_>) {
    if let Some(time) = time.filter(|time| time.value < Duration::default()) {
        findings.at_least(key, time.span, time.value, "`0s` or more", path);
    }
}

/// Reports names that stand twice.
fn unique<'c>(
    names: impl Iterator<Item = &'c Text>,
    path: &Path<'_>,
    key: &str,
    message: impl Fn(String) -> String,
    findings: &mut Findings<'_>,
) {
    let mut seen = BTreeMap::new();
    for (index, name) in names.enumerate() {
        let Some(name) = filled(name) else { continue };
        match seen.get(name.as_str()) {
            None => {
                seen.insert(name.as_str(), name.span);
            }
            Some(&first) => {
                findings.duplicate(name.span, first, &path.index(index).key(key), || message(shown(name)));
            }
        }
    }
}

fn filled(text: &Text) -> Option<&Spanned<String>> {
    text.as_ref().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{errors, findings};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_composite_tool_has_a_name_and_steps() {
        assert_eq!(
            errors("compositeTools: [{}]"),
            [
                "config/missing-key /compositeTools/0 «{}» a composite tool has no `description`; expected what clients read about it",
                "config/missing-key /compositeTools/0 «{}» a composite tool has no `name`; expected a name of its own",
                "config/missing-key /compositeTools/0 «{}» a composite tool has no `steps`; expected at least one step",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    timeout: -1s
    steps: [{id: a, tool: x}]
  - {name: t, description: d, steps: [{id: a, tool: y}]}
"
            ),
            [
                "config/out-of-range /compositeTools/0/timeout «-1s» `timeout` is -1s; expected `0s` or more",
                "config/duplicate-name /compositeTools/1/name «t» `t` is the name of a composite tool already; expected a name of its own for each (first used here: «t»)",
            ]
        );
        assert_eq!(
            errors("compositeToolRefs: [{}, {name: x}, {name: x}]"),
            [
                "config/missing-key /compositeToolRefs/0 «{}» an entry of `compositeToolRefs` has no `name`; expected the name of a composite tool definition",
                "config/duplicate-name /compositeToolRefs/2/name «x» `x` is referred to already; expected each composite tool once (first used here: «x»)",
            ]
        );
        assert_eq!(
            errors("compositeTools: [~]"),
            ["config/null-entry /compositeTools/0 «~» `compositeTools[0]` has nothing in it; expected a mapping",]
        );
    }

    #[test]
    fn what_is_not_checked_is_told_once() {
        assert_eq!(
            findings(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x}]
"
            ),
            [
                "composite/not-checked /compositeTools «compositeTools» templates in composite tools were not read, and of JSON Schemas only the outline; read as they are",
            ]
        );
    }

    #[test]
    fn parameters_are_the_schema_of_an_object() {
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x}]
    parameters: {properties: []}
"
            ),
            [
                "composite/bad-schema /compositeTools/0/parameters «properties» `parameters` has no `type`; expected `type: object`",
                "composite/bad-schema /compositeTools/0/parameters/properties «[]» `properties` of `parameters` is a list; expected a mapping",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x}]
    parameters: {type: string, required: x}
"
            ),
            [
                "composite/bad-schema /compositeTools/0/parameters/type «string» `type` of `parameters` is `string`; expected `object`",
                "composite/bad-schema /compositeTools/0/parameters/required «x» `required` of `parameters` is text; expected a list of names",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x}]
    parameters: {type: [object]}
"
            ),
            [
                "composite/bad-schema /compositeTools/0/parameters/type «[object]» `type` of `parameters` is a list; expected `object`",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x}]
    parameters: []
"
            ),
            ["config/wrong-type /compositeTools/0/parameters «parameters» `parameters` is a list; expected a mapping",]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x}]
    parameters: {}
"
            ),
            [""; 0]
        );
    }

    #[test]
    fn each_kind_of_step_has_its_rules() {
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{}]
"
            ),
            [
                "config/missing-key /compositeTools/0/steps/0 «{}» a step has no `id`; expected an id of its own",
                "config/missing-key /compositeTools/0/steps/0 «{}» a step has no `tool`; expected the name of a tool for `type: tool`",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x, message: m}]
"
            ),
            [
                "composite/ambiguous-step /compositeTools/0/steps/0/message «m» `message` stands beside `tool` in a step without `type`; expected `type: tool` or `type: elicitation` (the tool: «x»)",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, type: Tool, tool: x}]
"
            ),
            [
                "config/bad-value /compositeTools/0/steps/0/type «Tool» `type` is `Tool`; expected `tool`, `elicitation` or `forEach` {did you mean `tool`?}",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, type: tool, tool: '.x'}]
"
            ),
            [
                "composite/bad-tool-name /compositeTools/0/steps/0/tool «'.x'» `tool` is `.x`; expected a letter or digit, then letters, digits, `.`, `_` and `-`",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, type: elicitation, onDecline: {}, onCancel: {action: retry}}]
"
            ),
            [
                "config/missing-key /compositeTools/0/steps/0 «id» a step has no `message`; expected the question for `type: elicitation`",
                "config/missing-key /compositeTools/0/steps/0 «id» a step has no `schema`; expected the JSON Schema of the answer for `type: elicitation`",
                "config/missing-key /compositeTools/0/steps/0/onDecline «onDecline» an answer handler has no `action`; expected `skip_remaining`, `abort` or `continue`",
                "config/bad-value /compositeTools/0/steps/0/onCancel/action «retry» `action` is `retry`; expected `skip_remaining`, `abort` or `continue`",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, type: forEach, tool: x, message: m, itemVar: index, maxParallel: 51, maxIterations: -1}]
"
            ),
            [
                "config/missing-key /compositeTools/0/steps/0 «id» a step has no `collection`; expected a template that gives the list",
                "config/missing-key /compositeTools/0/steps/0 «id» a step has no `step`; expected what is repeated",
                "composite/misplaced-key /compositeTools/0/steps/0/tool «x» `tool` stands in a step of `type: forEach`; expected it in its inner `step`",
                "composite/misplaced-key /compositeTools/0/steps/0/message «m» `message` stands in a step of `type: forEach`; expected it in its inner `step`",
                "config/bad-value /compositeTools/0/steps/0/itemVar «index» `itemVar` is `index`, which is reserved; expected letters, digits and `_`",
                "config/out-of-range /compositeTools/0/steps/0/maxParallel «51» `maxParallel` is 51; expected 0 to 50",
                "config/out-of-range /compositeTools/0/steps/0/maxIterations «-1» `maxIterations` is -1; expected 0 to 1000",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, type: forEach, collection: c, itemVar: 1x, step: {type: elicitation}}]
"
            ),
            [
                "config/bad-value /compositeTools/0/steps/0/itemVar «1x» `itemVar` is `1x`, which is no identifier; expected letters, digits and `_`",
                "config/missing-key /compositeTools/0/steps/0/step «step» a step has no `id`; expected an id of its own",
                "config/bad-value /compositeTools/0/steps/0/step/type «elicitation» `type` of an inner step is `elicitation`; expected `tool`",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, type: forEach, collection: c, step: {id: b}}]
"
            ),
            [
                "config/missing-key /compositeTools/0/steps/0/step «step» a step has no `tool`; expected the name of a tool for `type: tool`",
            ]
        );
        assert_eq!(errors("
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x, onError: {action: stop}}, {id: b, tool: x, onError: {action: retry}}, {id: c, tool: x, onError: {action: retry, retryCount: 0}}]
"), [
            "config/bad-value /compositeTools/0/steps/0/onError/action «stop» `action` is `stop`; expected `abort`, `continue` or `retry`",
            "config/missing-key /compositeTools/0/steps/1/onError «onError» `onError` has no `retryCount`; expected at least 1 for `action: retry`",
            "config/out-of-range /compositeTools/0/steps/2/onError/retryCount «0» `retryCount` is 0; expected at least 1",
        ]);
    }

    #[test]
    fn steps_refer_to_steps_and_never_in_a_circle() {
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x}, {id: a, tool: x}]
"
            ),
            [
                "config/duplicate-name /compositeTools/0/steps/1/id «a» `a` is the id of a step already; expected an id of its own for each (first used here: «a»)",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x, dependsOn: [b]}]
"
            ),
            [
                "composite/unknown-step /compositeTools/0/steps/0/dependsOn/0 «b» `b` is the id of no step; expected a step of the same tool",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x, dependsOn: [a]}]
"
            ),
            [
                "composite/cycle /compositeTools/0/steps/0/dependsOn/0 «a» `a` waits for this step itself; expected steps that do not wait in a circle",
            ]
        );
        assert_eq!(errors("
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x, dependsOn: [b]}, {id: b, tool: x, dependsOn: [c]}, {id: c, tool: x, dependsOn: [a]}, {id: d, tool: x, dependsOn: [a, b, c]}]
"), [
            "composite/cycle /compositeTools/0/steps/2/dependsOn/0 «a» `a` waits for this step itself; expected steps that do not wait in a circle",
        ]);
    }
}
