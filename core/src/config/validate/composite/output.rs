//! Rules for what a composite tool answers.
//!
//! Whether its templates give values of these types is known only when it runs.

use alloc::format;

use super::filled;
use crate::config::any::Any;
use crate::config::decode::shown;
use crate::config::findings::{Findings, Path};
use crate::config::limits;
use crate::config::model::{Described as _, OutputConfig, OutputProperty};
use crate::config::source::Map;
use crate::diagnostic::{Place, code};

pub(super) fn check(output: &OutputConfig, path: &Path<'_>, findings: &mut Findings<'_>) {
    if output.properties.is_empty() {
        findings.missing(output, "properties", "at least one member of the answer", path);
    }
    let required = path.key("required");
    if !output.is_unread("properties") {
        for (index, name) in output.required.iter().enumerate() {
            if output.properties.get(name).is_none() {
                findings.report(code::COMPOSITE_UNKNOWN_PROPERTY, name.span, &required.index(index), || {
                    format!("`{}` is none of `properties`; expected one of them", shown(name))
                });
            }
        }
    }
    check_properties(&output.properties, 0, &path.key("properties"), findings);
}

fn check_properties(properties: &Map<OutputProperty>, depth: usize, path: &Path<'_>, findings: &mut Findings<'_>) {
    if depth > limits::OUTPUT_NESTING {
        findings.report(code::COMPOSITE_LIMIT, properties.origin.key, path, || {
            format!("`properties` are nested {depth} levels deep; expected at most {}", limits::OUTPUT_NESTING)
        });
        return;
    }
    for (name, property) in properties.iter() {
        check_property(property, depth, &path.key(name), findings);
    }
}

fn check_property(property: &OutputProperty, depth: usize, path: &Path<'_>, findings: &mut Findings<'_>) {
    let kind = findings.required_choice(property, "type", &property.kind, path);
    findings.required_text(property, "description", &property.description, "what clients read about it", path);
    let value = filled(&property.value);
    if let Some(value) = value {
        if !property.properties.is_empty() {
            let draft = findings.draft(code::COMPOSITE_MISPLACED_KEY, value.span, &path.key("value"), || {
                "`value` stands beside `properties`; expected one of the two".into()
            });
            if let Some(draft) = draft {
                findings.push(draft.related(Place::input(property.properties.origin.key), "the other one"));
            }
        }
    } else if !property.is_unread("value") && !property.is_unread("properties") {
        match kind {
            Some("object") if property.properties.is_empty() => {
                findings.missing(property, "value", "it, or `properties`", path);
            }
            Some("object") | None => {}
            Some(kind) => findings.missing(property, "value", &format!("a template for `type: {kind}`"), path),
        }
    }
    if kind == Some("object") {
        check_properties(&property.properties, depth + 1, &path.key("properties"), findings);
    } else if kind.is_some() && !property.properties.is_empty() && value.is_none() {
        findings.report(code::COMPOSITE_MISPLACED_KEY, property.properties.origin.key, &path.key("properties"), || {
            "`properties` stands in a property that is no object; expected `type: object`".into()
        });
    }
    if let (Some(kind), Some(default)) = (kind, &property.default)
        && !default_fits(kind, default)
    {
        findings.report(code::COMPOSITE_BAD_DEFAULT, default.span, &path.key("default"), || {
            format!("`default` is {}; expected a value that can be of type `{kind}`", default.word())
        });
    }
}

/// What Go can convert: text becomes anything, whole numbers become booleans.
fn default_fits(kind: &str, default: &Any) -> bool {
    if default.is_empty() {
        return true;
    }
    matches!(
        (kind, default),
        (_, Any::Text(_))
            | ("string", _)
            | ("integer" | "number", Any::Int(_) | Any::Float(_))
            | ("boolean", Any::Bool(_) | Any::Int(_))
            | ("object", Any::Map(_))
            | ("array", Any::List(_))
    )
}

#[cfg(test)]
mod tests {
    use crate::config::testing::errors;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn an_output_says_what_each_member_is() {
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x}]
    output: {required: [x]}
"
            ),
            [
                "config/missing-key /compositeTools/0/output «output» `output` has no `properties`; expected at least one member of the answer",
                "composite/unknown-property /compositeTools/0/output/required/0 «x» `x` is none of `properties`; expected one of them",
            ]
        );
        assert_eq!(
            errors(
                "
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x}]
    output: {required: [r, s], properties: {r: {}, s: {type: text, description: d, value: v}}}
"
            ),
            [
                "config/missing-key /compositeTools/0/output/properties/r «r» an output property has no `description`; expected what clients read about it",
                "config/missing-key /compositeTools/0/output/properties/r «r» an output property has no `type`; expected `string`, `integer`, `number`, `boolean`, `object` or `array`",
                "config/bad-value /compositeTools/0/output/properties/s/type «text» `type` is `text`; expected `string`, `integer`, `number`, `boolean`, `object` or `array`",
            ]
        );
        assert_eq!(errors("
compositeTools:
  - name: t
    description: d
    steps: [{id: a, tool: x}]
    output: {properties: {r: {type: object, description: d}, s: {type: string, description: d}, t: {type: string, description: d, properties: {u: {}}}, v: {type: object, description: d, value: v, properties: {w: {type: string, description: d, value: v}}}, x: {type: integer, description: d, value: v, default: true}}}
"), [
            "config/missing-key /compositeTools/0/output/properties/r «r» an output property has no `value`; expected it, or `properties`",
            "config/missing-key /compositeTools/0/output/properties/s «s» an output property has no `value`; expected a template for `type: string`",
            "config/missing-key /compositeTools/0/output/properties/t «t» an output property has no `value`; expected a template for `type: string`",
            "composite/misplaced-key /compositeTools/0/output/properties/t/properties «properties» `properties` stands in a property that is no object; expected `type: object`",
            "composite/misplaced-key /compositeTools/0/output/properties/v/value «v» `value` stands beside `properties`; expected one of the two (the other one: «properties»)",
            "composite/bad-default /compositeTools/0/output/properties/x/default «true» `default` is a boolean; expected a value that can be of type `integer`",
        ]);
    }
}
