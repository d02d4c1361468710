//! The tools of the two demonstration servers: a parts store that answers at once, and a build farm that reports as it
//! works.
//!
//! They know nothing of MCP's messages; the server wraps what they return.

use serde_json::{Value, json};

/// What one server offers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Toolbox {
    /// The server's name.
    pub(crate) name: &'static str,
    /// What `initialize` says about using it.
    pub(crate) instructions: &'static str,
    /// Its tools, in the order of `tools/list`.
    pub(crate) tools: &'static [Tool],
}

/// One tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) description: &'static str,
    /// JSON Schemas of what it takes and what it returns.
    pub(crate) schemas: fn() -> (Value, Value),
    /// What it reports on the way; none: it answers at once.
    pub(crate) steps: &'static [&'static str],
    /// Its answer: a line for people and the same as data; or what is wrong with the arguments.
    pub(crate) answer: fn(&Value) -> Result<(String, Value), String>,
}

/// A parts store.
pub(crate) const INVENTORY: Toolbox = Toolbox {
    name: "inventory",
    instructions: "Look parts up before you promise them.",
    tools: &[
        Tool {
            name: "find_part",
            description: "Find parts whose name contains a word",
            schemas: || {
                (one_string("query", "Part of a name, such as `bolt`"), object("parts", &json!({"type": "array"})))
            },
            steps: &[],
            answer: find_part,
        },
        Tool {
            name: "stock",
            description: "Say how many of a part are in store",
            schemas: || (one_string("part", "A part's name"), object("count", &json!({"type": "integer"}))),
            steps: &[],
            answer: stock,
        },
    ],
};

/// A build farm.
pub(crate) const BUILDS: Toolbox = Toolbox {
    name: "builds",
    instructions: "A build reports its progress while it runs.",
    tools: &[Tool {
        name: "run_build",
        description: "Build a project, reporting each step as it is done",
        schemas: || (one_string("project", "What to build"), object("artifact", &json!({"type": "string"}))),
        steps: &["fetched the sources", "compiled", "tested", "packed"],
        answer: run_build,
    }],
};

const PARTS: &[(&str, u32)] = &[("hex bolt M8", 240), ("hex bolt M10", 75), ("washer M8", 1200), ("bearing 6204", 18)];

fn find_part(arguments: &Value) -> Result<(String, Value), String> {
    let query = string(arguments, "query")?.to_lowercase();
    let parts: Vec<&str> =
        PARTS.iter().map(|&(name, _)| name).filter(|name| name.to_lowercase().contains(&query)).collect();
    let text = if parts.is_empty() { format!("no part is named like {query:?}") } else { parts.join(", ") };
    Ok((text, json!({ "parts": parts })))
}

fn stock(arguments: &Value) -> Result<(String, Value), String> {
    let part = string(arguments, "part")?;
    let (_, count) = PARTS.iter().find(|(name, _)| *name == part).ok_or(format!("there is no part {part:?}"))?;
    Ok((format!("{count} × {part}"), json!({ "count": count })))
}

fn run_build(arguments: &Value) -> Result<(String, Value), String> {
    let project = string(arguments, "project")?;
    let artifact = format!("{project}-1.0.tar.gz");
    Ok((format!("built {artifact}"), json!({ "artifact": artifact })))
}

fn string<'a>(arguments: &'a Value, name: &str) -> Result<&'a str, String> {
    match arguments.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("argument `{name}` is not a string")),
        None => Err(format!("argument `{name}` is missing")),
    }
}

fn one_string(name: &str, description: &str) -> Value {
    object(name, &json!({ "type": "string", "description": description }))
}

fn object(name: &str, member: &Value) -> Value {
    json!({ "type": "object", "properties": { name: member }, "required": [name] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_answer_in_words_and_in_data() {
        let (text, data) = find_part(&json!({ "query": "BOLT" })).unwrap();
        assert_eq!(
            (text.as_str(), data),
            ("hex bolt M8, hex bolt M10", json!({"parts": ["hex bolt M8", "hex bolt M10"]}))
        );
        let (text, data) = stock(&json!({ "part": "washer M8" })).unwrap();
        assert_eq!((text.as_str(), data), ("1200 × washer M8", json!({ "count": 1200 })));
        assert_eq!(stock(&json!({ "part": "x" })).unwrap_err(), "there is no part \"x\"");
        assert_eq!(stock(&json!({})).unwrap_err(), "argument `part` is missing");
        assert_eq!(run_build(&json!({ "project": 1 })).unwrap_err(), "argument `project` is not a string");
    }
}
