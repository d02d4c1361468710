//! Go's strict YAML decoder and ours side by side: 267 texts and what yaml.v3 v3.0.1 made of each (`data/go-yaml`).
//!
//! Both read into the same small struct. It does not test the configuration's own decoder.

use std::collections::{BTreeMap, BTreeSet};

use vmcp_core::yaml::{self, Node, Positions, Scalar, Shape, Value};

/// Where we differ, and why. Each line is also a line of `docs/compatibility.md`.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("enc:nel", "U+0085 ends a line only in YAML 1.1; to us, as in YAML 1.2, it is a character"),
    ("enc:ls", "so is U+2028"),
    ("enc:surrogate-esc", r"JSON's surrogate pairs are read: `kubectl -o json` is an input"),
    ("syn:slash-escape", r"JSON's `\/` is read: `kubectl -o json` is an input"),
    ("syn:hash-nospace", "`#` directly after a quote is an error, as in YAML 1.2; Go takes it for a comment"),
    ("ws:tab-blank", "a line of nothing but a tab is blank, as in YAML 1.2; Go takes the tab for indentation"),
    ("ws:tab-comment", "a tab may stand before a comment, as in YAML 1.2; Go takes it for indentation"),
    ("ws:tab-dash", "a tab may follow the dash of a scalar entry, as in YAML 1.2; Go wants a space"),
    ("ws:tab-in-flow", "a tab alone does not indent a line of a flow collection in a block; Go takes it there"),
];

#[test]
fn every_text_is_read_as_go_reads_it_or_the_difference_has_its_reason() {
    let vectors: Vec<BTreeMap<String, String>> =
        serde_json::from_str(include_str!("../../data/go-yaml/vectors.json")).unwrap();
    let go: BTreeMap<String, String> = serde_json::from_str(include_str!("../../data/go-yaml/go.json")).unwrap();
    let exceptions: BTreeMap<_, _> = EXCEPTIONS.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut differing = BTreeSet::new();
    for vector in &vectors {
        let (name, bytes) = (&vector["n"], base64(&vector["b"]));
        let ours = decode(&bytes);
        let theirs = verdict(&go[name]);
        if ours.as_ref().ok() == theirs.as_ref() {
            continue;
        }
        differing.insert(name.as_str());
        if !exceptions.contains_key(name.as_str()) {
            wrong.push(format!("{name}: Go {theirs:?}, we {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
    let told = include_str!("../../../docs/compatibility.md").to_lowercase();
    for (name, reason) in EXCEPTIONS {
        assert!(told.contains(&reason.to_lowercase()), "docs/compatibility.md does not tell of {name}: {reason}");
    }
    let excused: BTreeSet<_> = exceptions.keys().copied().collect();
    assert_eq!(differing, excused, "an exception whose difference is gone has to go as well");
}

/// What Go made of it: the fields, or none if it failed. An instant is compared as being one, not in its notation.
fn verdict(recorded: &str) -> Option<String> {
    let fields = recorded.strip_prefix("OK")?.trim_start();
    Some(match fields.split_once("time(") {
        Some((before, after)) => format!("{before}time{}", after.split_once(')').map_or("", |(_, rest)| rest)),
        None => fields.to_owned(),
    })
}

/// Reads the struct of `data/go-yaml`, with every finding; its fields in Go's notation.
fn decode(bytes: &[u8]) -> Result<String, Vec<String>> {
    let decoded = yaml::decode(bytes);
    let parsed = yaml::parse(&decoded.text, &Positions::identity());
    let mut findings: Vec<String> =
        decoded.diagnostic.into_iter().chain(parsed.diagnostics).map(|d| format!("{} {}", d.code, d.message)).collect();
    let mut fields = BTreeMap::new();
    match parsed.tree.root() {
        None => findings.push("nothing".to_owned()),
        Some(root) if root.is_null() => {}
        Some(root) => match root.shape() {
            Shape::Mapping(entries) => {
                for (key, value) in entries.iter() {
                    let Shape::Scalar(key) = key.shape() else {
                        findings.push("a key is no scalar".to_owned());
                        continue;
                    };
                    match field(key.text, value, &mut findings) {
                        Ok(Some(text)) => drop(fields.insert(key.text, text)),
                        Ok(None) => {}
                        Err(()) => findings.push(format!("{} cannot be read", key.text)),
                    }
                }
            }
            _ => findings.push("no map".to_owned()),
        },
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let in_order = ["b", "i", "f", "s", "a", "m", "l"];
    Ok(in_order.iter().filter_map(|name| Some(format!("{name}={}", fields.get(name)?))).collect::<Vec<_>>().join(" "))
}

fn field(name: &str, node: Node<'_, '_>, findings: &mut Vec<String>) -> Result<Option<String>, ()> {
    if node.is_null() && ["b", "i", "f", "s", "a", "m", "l"].contains(&name) {
        return Ok(None);
    }
    let scalar = match node.shape() {
        Shape::Scalar(scalar) => Some(scalar),
        _ => None,
    };
    Ok(Some(match (name, scalar) {
        ("b", Some(Scalar { value: Value::Bool(value), .. })) => value.to_string(),
        ("b", Some(Scalar { text: "y" | "yes" | "Yes" | "on", value: Value::Text, .. })) => "true".to_owned(),
        ("b", Some(Scalar { text: "n" | "no" | "off", value: Value::Text, .. })) => "false".to_owned(),
        ("i", Some(Scalar { value: Value::Int(value), .. })) => i64::try_from(value).map_err(drop)?.to_string(),
        ("i", Some(Scalar { value: Value::Float(value), .. })) => (value as i64).to_string(),
        ("f", Some(Scalar { value: Value::Int(value), .. })) => float(value as f64),
        ("f", Some(Scalar { value: Value::Float(value), .. })) => float(value),
        ("s", Some(_)) => quoted(&text(node)?),
        ("a", _) => any(node)?,
        ("m", None) => {
            let Shape::Mapping(entries) = node.shape() else { return Err(()) };
            let mut map = BTreeMap::new();
            for (key, value) in entries.iter().filter(|(key, _)| !key.is_null()) {
                let Ok(key) = text(key) else {
                    findings.push("a key is no scalar".to_owned());
                    continue;
                };
                map.insert(quoted(&key), if value.is_null() { quoted("") } else { quoted(&text(value)?) });
            }
            format!("{{{}}}", map.iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(","))
        }
        ("l", None) => {
            let Shape::Sequence(items) = node.shape() else { return Err(()) };
            let items: Result<Vec<_>, _> =
                items.iter().filter(|item| !item.is_null()).map(|item| text(item).map(|text| quoted(&text))).collect();
            format!("[{}]", items?.join(","))
        }
        _ => return Err(()),
    }))
}

fn text(node: Node<'_, '_>) -> Result<String, ()> {
    match node.shape() {
        Shape::Scalar(Scalar { value: Value::Misfit(_), .. }) => Err(()),
        Shape::Scalar(scalar) => Ok(scalar.text.to_owned()),
        _ => Err(()),
    }
}

fn any(node: Node<'_, '_>) -> Result<String, ()> {
    Ok(match node.shape() {
        Shape::Scalar(scalar) => match scalar.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => format!("bool({value})"),
            Value::Int(value) => format!("int({value})"),
            Value::Float(value) => float(value),
            Value::Timestamp => "time".to_owned(),
            Value::Text => format!("str({})", quoted(scalar.text)),
            Value::Misfit(_) => return Err(()),
        },
        Shape::Sequence(items) => {
            format!("[{}]", items.iter().map(any).collect::<Result<Vec<_>, _>>()?.join(","))
        }
        Shape::Mapping(entries) => {
            // In Go the later of two keys that mean the same, `1` and `0x1`, replaces the earlier.
            let mut map = BTreeMap::new();
            for (key, value) in entries.iter() {
                map.insert(any(key)?, any(value)?);
            }
            format!("{{{}}}", map.iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(","))
        }
        Shape::Bad => return Err(()),
    })
}

/// Go's `%v`.
fn float(value: f64) -> String {
    if value.is_nan() {
        "float(nan)".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "float(inf)" } else { "float(-inf)" }.to_owned()
    } else if value.abs() >= 1e19 {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap();
        format!("float({digits}e+{exponent})")
    } else {
        format!("float({value})")
    }
}

/// Go's `%q`, as far as the vectors need it.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\u{feff}' | '\u{85}' | '\u{2028}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn base64(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes().filter(|&byte| byte != b'=') {
        let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".iter().position(|&b| b == byte);
        bits = bits << 6 | u32::try_from(value.unwrap()).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    out
}
