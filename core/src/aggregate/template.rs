//! URI templates (RFC 6570) the other way round: whether a URI can have come of one.
//!
//! It extracts no variables, and takes the widest view where an expansion is ambiguous: the backend has the last word.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// A template that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// A simple or reserved expansion: at least one character, as servers on both official SDKs want it.
    Value(Run),
    /// An expansion with a mark before it (`/`, `?`…), or nothing if its variables are undefined.
    Marked(u8, Run),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    /// Up to the next slash.
    Segment,
    /// To the end, if need be.
    Rest,
}

/// More expressions are not read: matching takes their number times the length of the URI.
const EXPRESSIONS: usize = 64;

impl Template {
    /// Reads a template; `None` if its braces are not balanced, or it has an operator that is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((literal, behind)) = rest.split_once('{') {
            let (expression, behind) = behind.split_once('}')?;
            push_literal(&mut parts, literal)?;
            parts.push(Part::read(expression)?);
            rest = behind;
        }
        push_literal(&mut parts, rest)?;
        (parts.len() <= 2 * EXPRESSIONS + 1).then_some(Self(parts))
    }

    /// Whether the URI can be an expansion of this template.
    pub(super) fn matches(&self, uri: &str) -> bool {
        let uri = uri.as_bytes();
        // Which prefixes of the URI the parts so far can have given.
        let mut ends = vec![false; uri.len() + 1];
        if let Some(start) = ends.first_mut() {
            *start = true;
        }
        for part in &self.0 {
            ends = part.extend(&ends, uri);
        }
        ends.last() == Some(&true)
    }
}

fn push_literal(parts: &mut Vec<Part>, literal: &str) -> Option<()> {
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.to_owned()));
    }
    (!literal.contains('}')).then_some(())
}

impl Part {
    fn read(expression: &str) -> Option<Self> {
        let explodes = expression.contains('*');
        let several = if explodes { Run::Rest } else { Run::Segment };
        // RFC 6570 section 2.2; the operators that it reserves are no templates yet.
        match expression.bytes().next()? {
            b'+' => Some(Self::Value(Run::Rest)),
            b'#' => Some(Self::Marked(b'#', Run::Rest)),
            mark @ (b'?' | b'&') => Some(Self::Marked(mark, Run::Rest)),
            // `{/a,b}` has a slash before each.
            b'/' if expression.contains(',') => Some(Self::Marked(b'/', Run::Rest)),
            mark @ (b'/' | b'.' | b';') => Some(Self::Marked(mark, several)),
            b'=' | b',' | b'!' | b'@' | b'|' => None,
            _ => Some(Self::Value(Run::Segment)),
        }
    }

    fn extend(&self, starts: &[bool], uri: &[u8]) -> Vec<bool> {
        match self {
            Self::Literal(literal) => {
                let literal = literal.as_bytes();
                let mut ends = vec![false; starts.len()];
                for (at, _) in starts.iter().enumerate().filter(|(_, start)| **start) {
                    if uri.get(at..).is_some_and(|rest| rest.starts_with(literal))
                        && let Some(end) = ends.get_mut(at + literal.len())
                    {
                        *end = true;
                    }
                }
                ends
            }
            Self::Value(run) => run.extend(starts, uri),
            Self::Marked(mark, run) => {
                let mut behind = vec![false; starts.len()];
                for ((slot, start), byte) in behind.iter_mut().skip(1).zip(starts).zip(uri) {
                    *slot = *start && byte == mark;
                }
                let mut ends = run.extend(&behind, uri);
                for ((end, start), mark) in ends.iter_mut().zip(starts).zip(&behind) {
                    *end = *end || *start || *mark;
                }
                ends
            }
        }
    }
}

impl Run {
    /// From every start, one character or more.
    fn extend(self, starts: &[bool], uri: &[u8]) -> Vec<bool> {
        let mut ends = vec![false; starts.len()];
        let mut open = false;
        for ((end, start), byte) in ends.iter_mut().skip(1).zip(starts).zip(uri) {
            open = (open || *start) && (self == Self::Rest || *byte != b'/');
            *end = open;
        }
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_uri_is_matched_as_it_can_have_been_expanded() {
        for (template, uri, expected) in [
            ("file:///{path}", "file:///a", true),
            ("file:///{path}", "file:///a%20b-c.txt", true),
            ("file:///{path}", "file:///", false),
            ("file:///{path}", "file:///a/b", false),
            ("file:///{+path}", "file:///a/b", true),
            ("db://{table}/{id}", "db://t/1", true),
            ("db://{table}/{id}", "db://t/1/2", false),
            ("db://{table}/{id}/end", "db://t/1/end", true),
            ("db://{table}-{id}", "db://a-b-c", true),
            ("x://{a,b}", "x://1,2", true),
            ("x://y{/a}", "x://y", true),
            ("x://y{/a}", "x://y/z", true),
            ("x://y{/a}", "x://y/z/z", false),
            ("x://y{/a*}", "x://y/z/z", true),
            ("x://y{/a,b}", "x://y/z/z", true),
            ("x://y{?q,r}", "x://y?q=1&r=a/b", true),
            ("x://y{?q}", "x://y", true),
            ("x://y{?q}", "x://yq", false),
            ("x://y?a=1{&q}", "x://y?a=1&q=2", true),
            ("x://y{.ext}", "x://y.txt", true),
            ("x://y{;p}", "x://y;p=1", true),
            ("x://y{#frag}", "x://y#a/b", true),
            ("x://{v:3}", "x://abc", true),
            ("x://plain", "x://plain", true),
            ("x://plain", "x://plainer", false),
            ("{u}", "", false),
            ("é://{u}", "é://ü", true),
        ] {
            assert_eq!(Template::read(template).unwrap().matches(uri), expected, "{template} {uri}");
        }
    }

    #[test]
    fn what_is_no_template_matches_nothing() {
        for text in ["x://{", "x://}", "x://{a", "x://a}b", "x://{}", "x://{!a}", "x://{a}}"] {
            assert_eq!(Template::read(text), None, "{text}");
        }
        assert_eq!(Template::read(&"{a}".repeat(200)), None);
        // As slow as it can be, and quick all the same.
        let slow = Template::read(&"{+a}".repeat(EXPRESSIONS)).unwrap();
        assert!(slow.matches(&"a".repeat(10_000)) && !slow.matches("a"));
    }
}
