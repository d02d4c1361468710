//! What an editor tells about the key under the cursor, and offers in its place, from the model's tables.
//!
//! It reads lines by their indentation, so that it works while a text is being written and is no YAML yet: block style, and
//! flow style within one line. It judges nothing.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::Config;
use super::model::{Described as _, Key, Table, Type};
use crate::text::Span;

/// What is known of a key or of the value beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// The text it is about.
    pub span: Span,
    /// The key, as it is written.
    pub key: &'static str,
    /// What kind of value it takes: "a duration".
    pub kind: &'static str,
    /// The only texts that are accepted; empty if there is no such list.
    pub values: &'static [&'static str],
    /// What applies when it is not written.
    pub default: Option<&'static str>,
    /// What it means; empty in a module that is built without long texts.
    pub doc: String,
    /// The name of its long text.
    pub about: String,
}

/// What may be written at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offers {
    /// What is replaced.
    pub span: Span,
    /// In the order of the table.
    pub items: Vec<Offer>,
}

/// One thing that may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// What is shown, and written up to a colon.
    pub label: &'static str,
    /// Whether a colon follows, and what kind of value after it; `None` for a value.
    pub kind: Option<&'static str>,
    /// What it means; empty for a value, and in a module that is built without long texts.
    pub doc: String,
    /// The name of its long text; empty for a value.
    pub about: String,
}

/// What is known at byte `offset` of `text`.
#[must_use]
pub fn hover(text: &str, offset: usize) -> Option<Hover> {
    let place = Place::at(text, offset)?;
    let (table, key) = place.key()?;
    if place.word.is_empty() {
        return None;
    }
    Some(Hover {
        span: place.word,
        key: key.name,
        kind: kind_of((key.ty)()),
        values: key.values,
        default: key.default,
        doc: key.explanation(),
        about: about(table, key),
    })
}

/// What may be written at byte `offset` of `text`.
#[must_use]
pub fn offers(text: &str, offset: usize) -> Option<Offers> {
    let place = Place::at(text, offset)?;
    let value = |label: &'static str| Offer { label, kind: None, doc: String::new(), about: String::new() };
    let items: Vec<Offer> = if place.in_value {
        let (_, key) = place.key()?;
        match (key.ty)() {
            Type::Bool => ["true", "false"].map(value).into(),
            _ => key.values.iter().copied().map(value).collect(),
        }
    } else {
        let table = place.table()?;
        let offer = |key: &Key| Offer {
            label: key.name,
            kind: Some(kind_of((key.ty)())),
            doc: key.explanation(),
            about: about(table, key),
        };
        table.keys.iter().filter(|key| !place.siblings.iter().any(|one| one == key.name)).map(offer).collect()
    };
    (!items.is_empty()).then_some(Offers { span: place.word, items })
}

fn about(table: &Table, key: &Key) -> String {
    format!("{}.{}", table.name, key.name)
}

fn kind_of(ty: Type) -> &'static str {
    match ty {
        Type::Text => "text",
        Type::Secret => "a secret",
        Type::Bool => "true or false",
        Type::Integer { .. } => "a whole number",
        Type::Duration => "a duration",
        Type::Any => "any value",
        Type::AnyMap => "any mapping",
        Type::List(_) => "a list",
        Type::Map(_) => "a mapping from names",
        Type::Struct(_) => "a mapping",
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Key(String),
    Item,
}

/// Where the cursor is in a configuration.
#[derive(Debug)]
struct Place {
    /// From the top to the mapping that the word is in; for a value up to and with its key.
    steps: Vec<Step>,
    /// The word at the cursor.
    word: Span,
    word_text: String,
    in_value: bool,
    /// Keys that stand beside it already.
    siblings: Vec<String>,
}

impl Place {
    fn at(text: &str, offset: usize) -> Option<Self> {
        let start = text.get(..offset)?.rfind('\n').map_or(0, |end| end + 1);
        let end = text.get(offset..)?.find('\n').map_or(text.len(), |length| offset + length);
        let line = Line::of(text.get(start..end)?);
        if line.comment.is_some_and(|comment| offset > start + comment) {
            return None;
        }
        // After the colon of a key its value, which may be flow style; else the key itself, or flow style in its place.
        let key = line.key.as_ref().filter(|key| offset > start + key.column + key.length);
        let from = start + if key.is_some() { line.rest } else { line.column() };
        let flow = Flow::read(text.get(from..offset.max(from))?);
        let in_value = if flow.opened { flow.in_value } else { key.is_some() };
        let word_from = if flow.opened || key.is_some() { from + flow.word } else { from.min(offset) };
        let column = match &line.key {
            Some(key) => key.column,
            None if line.rest == end - start => (offset - start).max(line.rest),
            None => line.rest,
        };
        let mut own: Vec<Step> = key.map(|key| Step::Key(key.name.clone())).into_iter().collect();
        own.extend(flow.steps);
        let mut steps = parents(text, start, &line, column)?;
        steps.extend(own);
        let word = word_at(text, word_from, offset, end);
        let siblings = if in_value || flow.opened { Vec::new() } else { siblings(text, start, end, &line, column) };
        let word_text = text.get(word.range()).unwrap_or_default().to_owned();
        Some(Self { steps, word, word_text, in_value, siblings })
    }

    /// The table of the mapping that the word is in.
    fn table(&self) -> Option<&'static Table> {
        match resolve(&self.steps)? {
            Type::Struct(table) => Some(table()),
            _ => None,
        }
    }

    /// The key at the cursor, or the one whose value is.
    fn key(&self) -> Option<(&'static Table, &'static Key)> {
        let (parents, name) = match (self.in_value, self.steps.split_last()) {
            // A value in a list: the key of the list.
            (true, Some((Step::Item, list))) => match list.split_last() {
                Some((Step::Key(name), parents)) => (parents, name.as_str()),
                _ => return None,
            },
            (true, Some((Step::Key(name), parents))) => (parents, name.as_str()),
            (true, None) => return None,
            (false, _) => (self.steps.as_slice(), self.word_text.trim_matches(['"', '\''])),
        };
        let Type::Struct(table) = resolve(parents)? else { return None };
        let table = table();
        Some((table, table.keys.iter().find(|key| key.name == name)?))
    }
}

/// The type at the end of a path.
fn resolve(steps: &[Step]) -> Option<Type> {
    let mut ty = Type::Struct(Config::table);
    for step in steps {
        ty = match (ty, step) {
            (Type::Struct(table), Step::Key(name)) => (table().keys.iter().find(|key| key.name == name)?.ty)(),
            (Type::Map(item), Step::Key(_)) | (Type::List(item), Step::Item) => item(),
            _ => return None,
        };
    }
    Some(ty)
}

/// The way from the top of the configuration to the mapping or list at `column` of the line that begins at `start`; `None`
/// in a Kubernetes object, outside of its configuration.
fn parents(text: &str, start: usize, line: &Line, column: usize) -> Option<Vec<Step>> {
    let mut steps: Vec<Step> = line.dashes.iter().map(|_| Step::Item).collect();
    let mut limit = line.dashes.first().copied().unwrap_or(column);
    // The items of a list may stand in the column of its key.
    let mut in_item = !line.dashes.is_empty();
    let above = text.get(..start)?;
    for raw in above.lines().rev().take_while(|raw| !raw.starts_with("---")) {
        let line = Line::of(raw);
        if let Some(key) = &line.key
            && (key.column < limit || in_item && key.column == limit)
        {
            if line.block && key.name.ends_with(".yaml") {
                steps.reverse();
                return Some(steps);
            }
            steps.push(Step::Key(key.name.clone()));
            (limit, in_item) = (key.column, false);
        }
        for &dash in line.dashes.iter().rev().filter(|_| line.key.is_some() || line.has_content) {
            if dash < limit {
                steps.push(Step::Item);
                (limit, in_item) = (dash, true);
            }
        }
        if limit == 0 && !in_item {
            break;
        }
    }
    let object = |raw: &str| raw.starts_with("kind:") || raw.starts_with("apiVersion:");
    if above.lines().rev().take_while(|raw| !raw.starts_with("---")).any(object) {
        return None;
    }
    steps.reverse();
    Some(steps)
}

/// The other keys of the mapping at `column`.
fn siblings(text: &str, start: usize, end: usize, line: &Line, column: usize) -> Vec<String> {
    let mut found = Vec::new();
    // Takes the key of a line, and says whether the mapping goes on.
    let mut take = |line: &Line, first: bool| {
        let Some(key) = line.key.as_ref().filter(|key| key.column == column) else {
            return !line.has_content || line.column() > column;
        };
        if first || line.dashes.is_empty() {
            found.push(key.name.clone());
        }
        line.dashes.is_empty()
    };
    if line.dashes.is_empty() {
        for raw in text.get(..start).unwrap_or_default().lines().rev() {
            if !take(&Line::of(raw), true) {
                break;
            }
        }
    }
    for raw in text.get(end..).unwrap_or_default().lines().skip(1) {
        if !take(&Line::of(raw), false) {
            break;
        }
    }
    found
}

/// The word from `from` to where it ends after the cursor.
fn word_at(text: &str, from: usize, offset: usize, end: usize) -> Span {
    let stops = [',', '{', '}', '[', ']', ':', '#'];
    let rest = text.get(offset..end).unwrap_or_default();
    let length = rest.find(|c: char| stops.contains(&c) || c.is_whitespace()).unwrap_or(rest.len());
    Span::new(from.min(offset), offset + length)
}

/// One line of block style; columns are bytes.
struct Line {
    /// Columns of its dashes.
    dashes: Vec<usize>,
    key: Option<LineKey>,
    /// Where begins what is after the dashes and the key.
    rest: usize,
    /// Whether there is anything but blanks and a comment.
    has_content: bool,
    /// Whether a block scalar begins on it.
    block: bool,
    comment: Option<usize>,
}

struct LineKey {
    name: String,
    column: usize,
    /// As it is written.
    length: usize,
}

impl Line {
    fn of(line: &str) -> Self {
        let line = line.trim_end_matches('\r');
        let mut column = line.len() - line.trim_start_matches(' ').len();
        let mut dashes = Vec::new();
        let mut content = line.get(column..).unwrap_or_default();
        while content == "-" || content.starts_with("- ") {
            dashes.push(column);
            let after = content.get(1..).unwrap_or_default();
            column += 1 + (after.len() - after.trim_start_matches(' ').len());
            content = line.get(column..).unwrap_or_default();
        }
        let plain = !line.contains(['"', '\'']);
        let comment = match content.starts_with('#') {
            true => Some(column),
            false => line.find(" #").filter(|_| plain),
        };
        let has_content = !dashes.is_empty() || !content.is_empty() && !content.starts_with('#');
        let mut made = Self { dashes, key: None, rest: column, has_content, block: false, comment };
        if content.starts_with(['#', '{', '[', '&', '*', '|', '>', '%']) {
            return made;
        }
        let ends_key = |at: &usize| content.get(at + 1..).is_none_or(|rest| rest.is_empty() || rest.starts_with(' '));
        if let Some(colon) = content.match_indices(':').map(|(at, _)| at).find(ends_key) {
            let written = content.get(..colon).unwrap_or_default().trim_end();
            let name = written.trim_matches(['"', '\'']).to_owned();
            made.key = Some(LineKey { name, column, length: written.len() });
            let value = content.get(colon + 1..).unwrap_or_default();
            made.rest = column + colon + 1 + (value.len() - value.trim_start_matches(' ').len());
            made.block = value.trim_start().starts_with(['|', '>']);
        }
        made
    }

    /// Of its first content after the dashes.
    fn column(&self) -> usize {
        self.key.as_ref().map_or(self.rest, |key| key.column)
    }
}

/// Flow style up to the cursor.
struct Flow {
    steps: Vec<Step>,
    /// Where the word at the cursor begins.
    word: usize,
    in_value: bool,
    /// Whether the cursor is inside of braces or brackets.
    opened: bool,
}

impl Flow {
    fn read(text: &str) -> Self {
        let mut stack: Vec<(char, Option<String>)> = Vec::new();
        let mut word = 0;
        let mut quote = None;
        for (at, c) in text.char_indices() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') => quote = Some(c),
                (None, '{' | '[') => {
                    stack.push((c, None));
                    word = at + 1;
                }
                (None, '}' | ']') => {
                    stack.pop();
                    word = at + 1;
                }
                (None, ',') => {
                    if let Some((_, key)) = stack.last_mut() {
                        *key = None;
                        word = at + 1;
                    }
                }
                (None, ':') => {
                    if let Some(('{', key @ None)) = stack.last_mut() {
                        let name = text.get(word..at).unwrap_or_default().trim().trim_matches(['"', '\'']);
                        *key = Some(name.to_owned());
                        word = at + 1;
                    }
                }
                _ => {}
            }
        }
        let blank = text.get(word..).unwrap_or_default();
        word += blank.len() - blank.trim_start().len();
        let steps = stack.iter().filter_map(|(open, key)| match (open, key) {
            ('[', _) => Some(Step::Item),
            (_, key) => key.clone().map(Step::Key),
        });
        let in_value = stack.last().is_some_and(|(open, key)| *open == '[' || key.is_some());
        Self { steps: steps.collect(), word, in_value, opened: !stack.is_empty() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    /// Splits at the cursor, `^`.
    fn cursor(text: &str) -> (String, usize) {
        (text.replace('^', ""), text.find('^').unwrap())
    }

    fn hovered(text: &str) -> Option<String> {
        let (text, offset) = cursor(text);
        let hover = hover(&text, offset)?;
        Some(format!("{}: {} [{}]", hover.key, hover.kind, &text[hover.span.range()]))
    }

    fn offered(text: &str) -> Vec<&'static str> {
        let (text, offset) = cursor(text);
        offers(&text, offset).map_or(Vec::new(), |offers| offers.items.into_iter().map(|item| item.label).collect())
    }

    #[test]
    fn keys_are_known_in_block_and_flow_style_and_inside_a_config_map() {
        let known = |text| hovered(text).unwrap();
        assert_eq!(known("na^me: x\n"), "name: text [name]");
        assert_eq!(known("backends:\n- name: a\n  ur^l: b\n"), "url: text [url]");
        assert_eq!(known("backends:\n  - na^me: a\n"), "name: text [name]");
        assert_eq!(known("backends: [{name: a, ur^l: b}]\n"), "url: text [url]");
        assert_eq!(known("backends:\n- {name: a, transp^ort: sse}\n"), "transport: text [transport]");
        assert_eq!(known("backends:\n- transport: s^se\n"), "transport: text [sse]");
        let nested = "outgoingAuth:\n  backends:\n    any-name:\n      headerInjection:\n        headerVal^ue: x\n";
        assert_eq!(known(nested), "headerValue: a secret [headerValue]");
        let inside = "kind: ConfigMap\ndata:\n  config.yaml: |\n    name: a\n    operational:\n      timeouts:\n        def^ault: 30s\n";
        assert_eq!(known(inside), "default: a duration [default]");
        for nothing in [
            "kind: Con^figMap\ndata: {}\n",
            "kind: ConfigMap\nmetadata:\n  na^me: x\n",
            "# na^me\n",
            "nonsense: ^\n",
            "^\n",
        ] {
            assert_eq!(hovered(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn keys_that_are_not_there_yet_are_offered() {
        assert_eq!(
            offered("backends:\n- name: a\n  ^\n  url: b\n"),
            ["transport", "type", "caBundlePath", "metadata", "auth"]
        );
        assert_eq!(
            offered("backends:\n- name: a\n  tr^\n"),
            ["url", "transport", "type", "caBundlePath", "metadata", "auth"]
        );
        assert_eq!(offered("incomingAuth:\n  ^"), ["type", "oidc", "authz"]);
        assert_eq!(offered("incomingAuth: {^}"), ["type", "oidc", "authz"]);
        assert!(offered("^").contains(&"groupRef"));
        assert!(!offered("name: a\n^\ngroupRef: b\n").iter().any(|key| ["name", "groupRef"].contains(key)));
        assert_eq!(offered("kind: ConfigMap\n^"), [""; 0]);
    }

    #[test]
    fn values_are_offered_where_there_is_a_list_of_them() {
        assert_eq!(offered("aggregation:\n  conflictResolution: ^\n"), ["prefix", "priority", "manual"]);
        assert_eq!(offered("aggregation: {conflictResolution: pr^}\n"), ["prefix", "priority", "manual"]);
        assert_eq!(offered("aggregation:\n  excludeAllTools: ^\n"), ["true", "false"]);
        assert_eq!(offered("name: ^\n"), [""; 0]);
    }

    #[test]
    fn no_text_and_no_cursor_is_too_strange() {
        let text = "a: [{\"b\": '-\n- - é: |\r\n\t# x\n{,:}]\n  - config.yaml: |\n---\n";
        for offset in 0..text.len() + 2 {
            let _ = (hover(text, offset), offers(text, offset));
        }
        let word = "backends:\n- transport: ss".to_string();
        assert_eq!(offers(&word, word.len()).unwrap().span, Span::new(word.len() - 2, word.len()));
    }
}
