//! Headers that repeat arguments of a call (2026-07-28, streamable-http, Custom Headers from Tool Parameters): whether
//! those of a client say what its body says, and those that the backend gets.
//!
//! It judges no annotation: a tool with a bad one is not advertised to it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::mcp::http::{self, header};
use crate::mcp::json;

const ANNOTATION: &str = "x-mcp-header";

/// Checks headers against the arguments, and makes them anew. Those that the schema does not name pass.
///
/// # Errors
/// What does not fit.
pub(super) fn checked(
    schema: &str,
    arguments: Option<&str>,
    headers: &[(String, String)],
) -> Result<Vec<(String, String)>, String> {
    let annotated = annotated(schema, arguments);
    for (name, value) in &annotated {
        let mut found = 0;
        for (_, said) in headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)) {
            found += 1;
            let said = http::decode_value(said)
                .ok_or_else(|| format!("the `{name}` header is neither plain ASCII nor valid `=?base64?…?=`"))?;
            match value {
                None => return Err(format!("there is a `{name}` header and no such argument")),
                Some(value) if !says(value, &said) => {
                    return Err(format!("the `{name}` header does not match the argument"));
                }
                Some(_) => {}
            }
        }
        if found == 0 && value.is_some() {
            return Err(format!("there is no `{name}` header"));
        }
    }
    let foreign = |(name, _): &&(String, String)| annotated.iter().all(|(known, _)| !known.eq_ignore_ascii_case(name));
    Ok(written(&annotated).chain(headers.iter().filter(foreign).cloned()).collect())
}

/// The headers for a call that came without any, as a session's does.
pub(super) fn made(schema: &str, arguments: Option<&str>) -> Vec<(String, String)> {
    written(&annotated(schema, arguments)).collect()
}

/// Those of a call whose backend has another schema now than its client was shown: made anew, and what that schema does
/// not name stays (2026-07-28, streamable-http, Server Validation: a mismatch is the sender's).
pub(super) fn made_anew(schema: &str, arguments: Option<&str>, before: &[(String, String)]) -> Vec<(String, String)> {
    let annotated = annotated(schema, arguments);
    let foreign = |(name, _): &&(String, String)| annotated.iter().all(|(known, _)| !known.eq_ignore_ascii_case(name));
    written(&annotated).chain(before.iter().filter(foreign).cloned()).collect()
}

fn written<'a>(annotated: &'a [(String, Option<&str>)]) -> impl Iterator<Item = (String, String)> + 'a {
    annotated.iter().filter_map(|(name, value)| {
        let value = (*value)?;
        let text = match (json::string(value), json::integer(value)) {
            (Some(text), _) => text.into_owned(),
            (None, Some(integer)) => integer.to_string(),
            (None, None) => value.to_string(),
        };
        Some((name.clone(), http::encode_value(&text)))
    })
}

/// The header of each annotated parameter, and what the arguments say there; a null says nothing (Schema Extension,
/// Server Behavior for Custom Headers).
fn annotated<'a>(schema: &str, arguments: Option<&'a str>) -> Vec<(String, Option<&'a str>)> {
    let mut found = Vec::new();
    let mut todo = Vec::from([(schema, arguments)]);
    while let Some((schema, arguments)) = todo.pop() {
        let properties = json::member(schema, "properties").and_then(json::members);
        for property in properties.into_iter().flatten() {
            let Some(name) = json::string(property.key) else { continue };
            let value = arguments.and_then(|all| json::member(all, &name)).filter(|value| *value != "null");
            if let Some(annotation) = json::member(property.value, ANNOTATION).and_then(json::string) {
                found.push((format!("{}{}", header::PARAM_PREFIX, annotation.to_ascii_lowercase()), value));
            }
            todo.push((property.value, value));
        }
    }
    found
}

/// Whether a value is what a header says: text as it is, a number whatever its spelling (Server Validation).
fn says(value: &str, said: &str) -> bool {
    match json::string(value) {
        Some(text) => text == said,
        None if value == said => true,
        None => match (json::integer(value), json::integer(said)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::vec;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const SCHEMA: &str = r#"{"type":"object","properties":{
        "region":{"type":"string","x-mcp-header":"Region"},
        "n":{"type":"integer","x-mcp-header":"N"},
        "on":{"type":"object","properties":{"dry":{"type":"boolean","x-mcp-header":"Dry"}}},
        "plain":{"type":"string"}}}"#;

    fn headers(given: &[(&str, &str)]) -> Vec<(String, String)> {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn headers_say_what_the_arguments_say() {
        let all = r#"{"region":"é","n":42,"on":{"dry":false},"plain":"x"}"#;
        let good = [("mcp-param-region", "=?base64?w6k=?="), ("mcp-param-n", "42.0"), ("Mcp-Param-Dry", "false")];
        let with = |name: &str, value: &str| {
            let mut all = headers(&good);
            all.retain(|(known, _)| known != name);
            all.push((name.to_owned(), value.to_owned()));
            all
        };
        let without = headers(&good[..2]);
        for (arguments, headers, expected) in [
            (all, headers(&good), Ok(())),
            (all, without, Err("there is no `mcp-param-dry` header")),
            (all, with("mcp-param-n", "43"), Err("the `mcp-param-n` header does not match the argument")),
            (all, with("mcp-param-n", "0x2a"), Err("the `mcp-param-n` header does not match the argument")),
            (all, with("mcp-param-region", "E"), Err("the `mcp-param-region` header does not match the argument")),
            (
                all,
                with("mcp-param-region", "=?base64?w6k?="),
                Err("the `mcp-param-region` header is neither plain ASCII nor valid `=?base64?…?=`"),
            ),
            (
                r#"{"region":null}"#,
                headers(&good[..1]),
                Err("there is a `mcp-param-region` header and no such argument"),
            ),
            (r#"{"region":null,"on":7}"#, headers(&[]), Ok(())),
            ("{}", headers(&[("mcp-param-other", "passes")]), Ok(())),
        ] {
            let came = checked(SCHEMA, Some(arguments), &headers).map(|_| ());
            assert_eq!(came, expected.map_err(ToOwned::to_owned), "{arguments} {headers:?}");
        }
    }

    #[test]
    fn a_header_that_comes_twice_is_right_twice() {
        let twice = headers(&[("mcp-param-region", "a"), ("Mcp-Param-Region", "b")]);
        let came = checked(SCHEMA, Some(r#"{"region":"a"}"#), &twice);
        assert_eq!(came, Err("the `mcp-param-region` header does not match the argument".to_owned()));
    }

    #[test]
    fn the_backend_gets_headers_made_anew_and_those_that_nobody_knows() {
        let given = headers(&[("mcp-param-n", "42.0"), ("mcp-param-other", "1")]);
        assert_eq!(
            checked(SCHEMA, Some(r#"{"n":42}"#), &given),
            Ok(headers(&[("mcp-param-n", "42"), ("mcp-param-other", "1")]))
        );
        let mut made = made(SCHEMA, Some(r#"{"region":" a","on":{"dry":true},"n":null}"#));
        made.sort();
        assert_eq!(made, headers(&[("mcp-param-dry", "true"), ("mcp-param-region", "=?base64?IGE=?=")]));
        assert_eq!(super::made("true", None), vec![]);
        let before = headers(&[("mcp-param-n", "1"), ("mcp-param-other", "1")]);
        let anew = made_anew(SCHEMA, Some(r#"{"n":2}"#), &before);
        assert_eq!(anew, headers(&[("mcp-param-n", "2"), ("mcp-param-other", "1")]));
    }
}
