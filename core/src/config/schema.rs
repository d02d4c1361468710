//! A JSON Schema (draft 2020-12) of the configuration, made from the model's tables.
//!
//! It says what keys there are, of which type, and what they mean. It cannot say all that `validate` does: that a URL can be
//! called, or that a name stands once.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value, json};

use super::Config;
use super::model::{Described as _, Key, Table, Type};

/// The schema as a value with sorted keys: the same for ever from the same model.
#[must_use]
pub fn schema() -> Value {
    let mut defs = Map::new();
    define(Config::table(), &mut defs);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "vMCP configuration",
        "description": "What stands in `config.yaml` of the ConfigMap of a virtual MCP server.",
        "$ref": "#/$defs/Config",
        "$defs": defs,
    })
}

fn define(table: &'static Table, defs: &mut Map<String, Value>) {
    if defs.contains_key(table.name) {
        return;
    }
    // Taken before its keys are looked at, so that a struct inside of itself ends.
    defs.insert(table.name.to_owned(), Value::Null);
    let mut properties = Map::new();
    for key in table.keys {
        properties.insert(key.name.to_owned(), property(table, key, defs));
    }
    let mut definition = json!({
        "description": plain(table.doc),
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": false,
    });
    let required: Vec<&str> = table.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    if !required.is_empty()
        && let Some(definition) = definition.as_object_mut()
    {
        definition.insert("required".into(), json!(required));
        // Nothing in place of it would leave out what is required.
        definition.insert("type".into(), json!("object"));
    }
    defs.insert(table.name.to_owned(), definition);
}

fn property(table: &Table, key: &Key, defs: &mut Map<String, Value>) -> Value {
    let mut shape = match key.values {
        [] => of((key.ty)(), defs),
        values => {
            let mut accepted: Vec<Value> = values.iter().chain(also_accepted(table, key)).map(|&v| json!(v)).collect();
            if !key.required {
                accepted.extend([json!(""), Value::Null]);
            }
            Map::from_iter([("enum".to_owned(), json!(accepted))])
        }
    };
    shape.insert("description".into(), json!(plain(key.doc)));
    if let Some(default) = key.default {
        shape.insert("default".into(), default_value((key.ty)(), default));
    }
    Value::Object(shape)
}

/// Other spellings that are read, beside the values of the table.
fn also_accepted(table: &Table, key: &Key) -> &'static [&'static str] {
    match (table.name, key.name) {
        ("StaticBackendConfig", "transport") => &["streamable"],
        ("StaticBackendConfig", "type") => &["container"],
        ("BackendAuthStrategy", "type") => &["discovered"],
        _ => &[],
    }
}

fn of(ty: Type, defs: &mut Map<String, Value>) -> Map<String, Value> {
    let shape = match ty {
        // Any scalar is accepted, by its literal text.
        Type::Text => json!({ "type": ["string", "number", "boolean", "null"] }),
        Type::Secret => json!({ "type": ["string", "number", "boolean", "null"], "writeOnly": true }),
        // `yes`, `no`, `on` and `off` are texts to a JSON Schema.
        Type::Bool => json!({ "enum": [true, false, "yes", "no", "on", "off", null] }),
        Type::Integer { min, max } => json!({ "type": ["number", "null"], "minimum": min, "maximum": max }),
        Type::Duration => json!({
            "type": ["string", "number", "null"],
            "examples": ["30s", "1m30s"],
        }),
        Type::Any => json!({}),
        Type::AnyMap => json!({ "type": ["object", "null"] }),
        Type::List(item) => json!({ "type": ["array", "null"], "items": of(item(), defs) }),
        Type::Map(item) => json!({ "type": ["object", "null"], "additionalProperties": of(item(), defs) }),
        Type::Struct(table) => {
            define(table(), defs);
            json!({ "$ref": format!("#/$defs/{}", table().name) })
        }
    };
    match shape {
        Value::Object(shape) => shape,
        _ => Map::new(),
    }
}

fn default_value(ty: Type, written: &str) -> Value {
    match ty {
        Type::Bool | Type::Integer { .. } => serde_json::from_str(written).unwrap_or_else(|_| json!(written)),
        _ => json!(written),
    }
}

/// A documentation comment as one paragraph.
fn plain(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Key {
    /// What it means, as one paragraph.
    #[must_use]
    pub fn explanation(&self) -> String {
        plain(self.doc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{findings, read, with};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// As much of a validator as the schema needs.
    fn accepts(schema: &Value, root: &Value, value: &Value) -> bool {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            return accepts(&root["$defs"][name.rsplit('/').next().unwrap()], root, value);
        }
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let typed = match &schema["type"] {
            Value::Null => true,
            Value::Array(kinds) => kinds.iter().any(|one| one == kind),
            one => one == kind,
        };
        let listed = schema["enum"].as_array().is_none_or(|values| values.contains(value));
        let inside = match value {
            Value::Array(items) => items.iter().all(|item| accepts(&schema["items"], root, item)),
            Value::Object(entries) => {
                let required = schema["required"].as_array().into_iter().flatten();
                required.into_iter().all(|key| entries.contains_key(key.as_str().unwrap()))
                    && entries.iter().all(|(key, value)| match schema["properties"].get(key) {
                        Some(property) => accepts(property, root, value),
                        None if schema["additionalProperties"] == json!(false) => false,
                        None => accepts(&schema["additionalProperties"], root, value),
                    })
            }
            _ => true,
        };
        typed && listed && inside
    }

    #[test]
    fn the_effective_form_of_a_sound_configuration_fits_and_a_mistyped_one_does_not() {
        let schema = schema();
        let (config, _) = read(&with(
            "outgoingAuth: {source: inline, default: {type: header_injection, headerInjection: {headerName: A, headerValueEnv: B}}}\nrateLimiting:\n",
        ));
        let mut sound = serde_json::to_value(config.effective()).unwrap();
        assert!(accepts(&schema, &schema, &sound), "{sound}");
        sound["backends"][0]["transport"] = json!("stdio");
        assert!(!accepts(&schema, &schema, &sound));
        sound["backends"][0]["transport"] = json!("streamable");
        assert!(accepts(&schema, &schema, &sound));
        sound["nmae"] = json!("x");
        assert!(!accepts(&schema, &schema, &sound));
    }

    #[test]
    fn every_struct_is_defined_once_and_every_key_is_explained() {
        let schema = schema();
        let defs = schema["$defs"].as_object().unwrap();
        assert_eq!(defs.len(), 39);
        for (name, definition) in defs {
            assert!(!definition["description"].as_str().unwrap().is_empty(), "{name}");
            for (key, property) in definition["properties"].as_object().unwrap() {
                assert!(property["description"].as_str().unwrap().ends_with('.'), "{name}.{key}");
            }
        }
        assert_eq!(defs["FailureHandlingConfig"]["properties"]["unhealthyThreshold"]["default"], json!(3));
        assert_eq!(defs["CircuitBreakerConfig"]["properties"]["enabled"]["default"], json!(false));
    }

    #[test]
    fn what_is_required_is_missed_by_validation_too() {
        for key in Config::table().keys.iter().filter(|key| key.required) {
            let said = findings(&format!("{}:\n", key.name));
            assert!(
                said.iter().any(|one| one.starts_with("config/missing-key") || one.starts_with("backend/none")),
                "{}: {said:?}",
                key.name
            );
        }
        let required = schema()["$defs"]["StaticBackendConfig"]["required"].clone();
        assert_eq!(required, json!(["name", "url", "transport"]));
    }
}
