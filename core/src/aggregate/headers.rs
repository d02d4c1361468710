//! `x-mcp-header` in the schema of a tool's arguments (2026-07-28, streamable-http, Schema Extension): where it may
//! stand, and what it may say.
//!
//! It makes no headers.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::mcp::json;

/// Why a tool with this annotation must be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not a string of token characters.
    #[error("is no name of a header (RFC 9110 section 5.1)")]
    NotAToken,
    /// Headers have no case.
    #[error("stands there twice with the same name")]
    Twice,
    /// Objects, arrays and fractions have no one spelling.
    #[error("stands at a parameter that is no string, integer or boolean")]
    NotPrimitive,
    /// Its value could not be found.
    #[error("stands where a chain of `properties` does not lead")]
    NotReachable,
}

const KEY: &str = "x-mcp-header";

/// Judges all annotations of a schema.
pub(super) fn check(schema: &str) -> Result<(), Fault> {
    if !may_annotate(schema) {
        return Ok(());
    }
    let mut seen = BTreeSet::new();
    let mut todo: Vec<(&str, Place)> = alloc::vec![(schema, Place::Root)];
    while let Some((value, place)) = todo.pop() {
        if let Some(elements) = json::elements(value) {
            todo.extend(elements.map(|element| (element, Place::Elsewhere)));
            continue;
        }
        for member in json::members(value).into_iter().flatten() {
            match place {
                // Its keys are names of parameters, whatever they say.
                Place::Properties => todo.push((member.value, Place::Parameter)),
                Place::Root | Place::Parameter if member.is("properties") => {
                    todo.push((member.value, Place::Properties));
                }
                Place::Elsewhere if member.is("properties") => todo.push((member.value, Place::Names)),
                Place::Names => todo.push((member.value, Place::Elsewhere)),
                // What is data is no schema.
                _ if ["default", "const", "enum", "examples"].iter().any(|data| member.is(data)) => {}
                Place::Parameter if member.is(KEY) => {
                    let name = json::string(member.value).filter(|name| is_token(name)).ok_or(Fault::NotAToken)?;
                    let kind = json::member(value, "type").and_then(json::string);
                    if !kind.is_some_and(|kind| matches!(kind.as_ref(), "string" | "integer" | "boolean")) {
                        return Err(Fault::NotPrimitive);
                    }
                    if !seen.insert(name.to_ascii_lowercase()) {
                        return Err(Fault::Twice);
                    }
                }
                _ if member.is(KEY) => return Err(Fault::NotReachable),
                _ => todo.push((member.value, Place::Elsewhere)),
            }
        }
    }
    Ok(())
}

/// Whether it may have an annotation: nearly no tool has any.
pub(super) fn may_annotate(schema: &str) -> bool {
    schema.contains(KEY) || schema.contains('\\')
}

#[derive(Clone, Copy)]
enum Place {
    /// The schema of all arguments.
    Root,
    /// The value of `properties` on the way.
    Properties,
    /// A schema to which `properties` alone lead.
    Parameter,
    Elsewhere,
    /// The value of `properties` there.
    Names,
}

/// RFC 9110 section 5.6.2.
fn is_token(name: &str) -> bool {
    let special = "!#$%&'*+-.^_`|~";
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || special.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn annotations_stand_where_a_chain_of_properties_leads() {
        for (schema, expected) in [
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}"#, Ok(())),
            (
                r#"{"properties":{"o":{"type":"object","properties":{"a":{"type":"integer","x-mcp-header":"A"}}}}}"#,
                Ok(()),
            ),
            (r#"{"properties":{"x-mcp-header":{"type":"string"}}}"#, Ok(())),
            (r#"{"properties":{"a":{"type":"string","default":{"x-mcp-header":1}}}}"#, Ok(())),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":""}}}"#, Err(Fault::NotAToken)),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":"a b"}}}"#, Err(Fault::NotAToken)),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":7}}}"#, Err(Fault::NotAToken)),
            (r#"{"properties":{"a":{"type":"string","x-mcp-header":"A\r\n"}}}"#, Err(Fault::NotAToken)),
            (r#"{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}"#, Err(Fault::NotPrimitive)),
            (r#"{"properties":{"a":{"x-mcp-header":"A"}}}"#, Err(Fault::NotPrimitive)),
            (
                r#"{"properties":{"a":{"type":"string","x-mcp-header":"A"},"b":{"type":"boolean","x-mcp-header":"a"}}}"#,
                Err(Fault::Twice),
            ),
            (r#"{"x-mcp-header":"A"}"#, Err(Fault::NotReachable)),
            (r#"{"properties":{"a":{"items":{"type":"string","x-mcp-header":"A"}}}}"#, Err(Fault::NotReachable)),
            (r#"{"anyOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}"#, Err(Fault::NotReachable)),
            (r#"{"$defs":{"d":{"type":"string","x-mcp\u002dheader":"A"}}}"#, Err(Fault::NotReachable)),
            (r#"{"anyOf":[{"properties":{"x-mcp-header":{"type":"string"}}}]}"#, Ok(())),
            ("true", Ok(())),
        ] {
            assert_eq!(check(schema), expected, "{schema}");
        }
    }
}
