//! From the parser's events to trees: anchors, merges, limits, and what is left after a syntax error.
//!
//! It decodes nothing. This is the one file, with its list of messages in `syntax.rs`, that names the parser.

use alloc::borrow::Cow;
use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use granit_parser::{Event, Parser, ScalarStyle, StrInput, StructureStyle, Tag};

use super::{Data, Kind, NodeId, Positions, Style, Tree, characters, syntax};
use crate::config::limits;
use crate::diagnostic::{Code, Diagnostic, code};
use crate::text::Span;

/// One document of a text, with everything that is wrong with it as YAML.
#[derive(Clone, Debug, Default)]
pub struct Parsed<'t> {
    /// What could be read. Without a root there was no document at all: an empty text, or comments alone.
    pub tree: Tree<'t>,
    /// In the order in which they were found.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the first document of `text`, as Go does: what follows it is not looked at, even if it is broken.
///
/// Never fails: after a syntax error the tree holds what stands before it (see
/// [`Node::is_truncated`](super::Node::is_truncated)). All places are mapped through `positions`.
#[must_use]
pub fn parse<'t>(text: &'t str, positions: &Positions) -> Parsed<'t> {
    documents(text, positions).next().unwrap_or_default()
}

/// Reads every document of `text`, one at a time. After a syntax error it goes on with the next `---`.
///
/// Yields at least one item, which has no root if the text holds no document.
#[must_use]
pub fn documents<'t, 'p>(text: &'t str, positions: &'p Positions) -> Documents<'t, 'p> {
    within(Budget { nodes: limits::NODES, merge_steps: limits::MERGE_STEPS }, text, positions)
}

/// What one document may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    nodes: usize,
    pub(super) merge_steps: usize,
}

fn within<'t, 'p>(budget: Budget, text: &'t str, positions: &'p Positions) -> Documents<'t, 'p> {
    let forbidden = characters::first_forbidden(text);
    let readable = forbidden.and_then(|(at, _)| text.get(..at)).unwrap_or(text);
    let options = granit_parser::options! {
        bom_inside_document_as_content: true,
        block_scalar_eof_without_line_feed: true,
        emit_unresolved_aliases: true,
        emit_comments: false,
        // A block may hold a flow collection of its own depth; the sum is checked again below.
        flow_nesting_limit: limits::NESTING,
        block_nesting_limit: limits::NESTING,
    };
    Documents {
        text: readable,
        parser: Parser::new_from_str_with_options(readable, options),
        positions,
        budget,
        forbidden,
        read: 0,
        state: State::Reading,
    }
}

/// The documents of a text; see [`documents`].
pub struct Documents<'t, 'p> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    positions: &'p Positions,
    budget: Budget,
    /// The text ends for us at the first character that YAML does not allow.
    forbidden: Option<(usize, char)>,
    read: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Reading,
    /// A syntax error stopped the parser; the next document, if any, has to be looked for.
    Stopped,
    Ended,
}

impl fmt::Debug for Documents<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Documents").field("read", &self.read).field("state", &self.state).finish_non_exhaustive()
    }
}

impl<'t> Iterator for Documents<'t, '_> {
    type Item = Parsed<'t>;

    fn next(&mut self) -> Option<Parsed<'t>> {
        match self.state {
            State::Ended => return None,
            State::Stopped => {
                if !matches!(self.parser.proceed_next_document(), Ok(true)) {
                    self.state = State::Ended;
                    return None;
                }
                self.state = State::Reading;
            }
            State::Reading => {}
        }
        let mut builder = Builder::new(self.text, self.positions, self.budget, self.forbidden);
        let outcome = builder.document(&mut self.parser);
        self.forbidden = builder.forbidden;
        match outcome {
            Outcome::Read => {}
            Outcome::Stopped => self.state = State::Stopped,
            Outcome::Nothing => {
                self.state = State::Ended;
                // A text without any document is still one answer; the end after the last document is none.
                if self.read > 0 && builder.diagnostics.is_empty() {
                    return None;
                }
            }
        }
        self.read += 1;
        Some(builder.finish())
    }
}

enum Outcome {
    /// A document, to its end.
    Read,
    /// A document, up to an error.
    Stopped,
    /// The end of the text.
    Nothing,
}

/// A container whose end has not come yet.
struct Open {
    id: NodeId,
    /// Where its children start in `Builder::waiting`.
    first: usize,
    /// [`Builder::visits`] before it.
    visits: u64,
    anchor: usize,
    /// How many levels stand below it.
    height: usize,
    /// The end of what it holds so far, in the text parsed.
    end: usize,
}

#[derive(Clone, Copy)]
enum Anchor {
    Open,
    Complete { id: NodeId, visits: u64, height: usize },
}

pub(super) struct Builder<'t, 'p> {
    text: &'t str,
    positions: &'p Positions,
    /// Where [`Positions::seek`] looked last.
    hint: usize,
    pub(super) budget: Budget,
    forbidden: Option<(usize, char)>,
    tree: Tree<'t>,
    diagnostics: Vec<Diagnostic>,
    /// How many more there would be.
    dropped: usize,
    open: Vec<Open>,
    /// Children of the open containers.
    waiting: Vec<NodeId>,
    anchors: BTreeMap<usize, Anchor>,
    /// How many nodes a decoder will visit, aliases expanded; and how many of them inside of aliases.
    visits: u64,
    alias_visits: u64,
    pub(super) merge_steps: usize,
    /// Nothing of this document may be decoded: reading it would take unbounded time.
    refused: bool,
}

impl<'t, 'p> Builder<'t, 'p> {
    fn new(text: &'t str, positions: &'p Positions, budget: Budget, forbidden: Option<(usize, char)>) -> Self {
        Self {
            text,
            positions,
            budget,
            hint: 0,
            forbidden,
            tree: Tree::default(),
            diagnostics: Vec::new(),
            dropped: 0,
            open: Vec::new(),
            waiting: Vec::new(),
            anchors: BTreeMap::new(),
            visits: 0,
            alias_visits: 0,
            merge_steps: 0,
            refused: false,
        }
    }

    fn document(&mut self, parser: &mut Parser<'t, StrInput<'t>>) -> Outcome {
        loop {
            let (event, span) = match parser.next_event() {
                None => return self.end_of_text(),
                Some(Err(error)) => {
                    let marked = error.marker().byte_offset().unwrap_or(self.text.len());
                    let at = syntax::culprit(error.kind(), self.text, marked);
                    let (code, message) = syntax::describe(error.kind(), self.text.get(at..).unwrap_or_default());
                    self.stop(at, code, message);
                    return Outcome::Stopped;
                }
                Some(Ok((event, span))) => (event, span.byte_range().unwrap_or_default()),
            };
            let (start, end) = (span.start, span.end);
            match event {
                Event::DocumentStart(..) => self.directives(start),
                Event::DocumentEnd => {
                    if self.is_rest_blank(end) {
                        self.report_forbidden();
                    }
                    return Outcome::Read;
                }
                Event::StreamEnd => return self.end_of_text(),
                Event::Scalar(text, style, anchor, tag) => {
                    // An absent value comes as `~` of no bytes.
                    let text = if start == end && style == ScalarStyle::Plain { Cow::Borrowed("") } else { text };
                    let id = self.scalar(start, end, text, style, tag.as_deref());
                    self.define(anchor, id, 1, 0);
                    self.place(id, end);
                }
                Event::SequenceStart(style, anchor, tag) => {
                    self.begin(Kind::Sequence(Span::default()), start, end, style, anchor, tag.as_deref());
                }
                Event::MappingStart(style, anchor, tag) => {
                    self.begin(Kind::Mapping(Span::default()), start, end, style, anchor, tag.as_deref());
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(start, end),
                Event::Alias(anchor) => self.alias(start, end, anchor),
                Event::UnresolvedAlias(name) => {
                    let message = format!("`*{name}` refers to nothing; expected `&{name}` before it");
                    let id = self.bad(start, end, code::UNDEFINED_ALIAS, message);
                    self.place(id, end);
                }
                _ => {}
            }
            if self.open.len() > limits::NESTING {
                self.stop(start, code::TOO_DEEP, syntax::too_deep());
                return Outcome::Stopped;
            }
            if self.tree.nodes.len() > self.budget.nodes {
                let message = format!("the document has more than {} values", self.budget.nodes);
                self.stop(start, code::TOO_MANY_NODES, message);
                self.refused = true;
                return Outcome::Stopped;
            }
        }
    }

    fn end_of_text(&mut self) -> Outcome {
        self.report_forbidden();
        Outcome::Nothing
    }

    fn is_rest_blank(&self, at: usize) -> bool {
        self.text.get(at..).is_none_or(|rest| rest.trim_start().is_empty())
    }

    /// The directives before the document that starts at `start`, those of yaml.v3: `%YAML 1.1` and `%TAG`.
    fn directives(&mut self, start: usize) {
        let before = self.text.get(..start).unwrap_or_default();
        if !before.ends_with('\n') && !before.ends_with('\r') {
            return;
        }
        let mut end = before.len();
        for line in before.split_inclusive(['\n', '\r']).rev() {
            let line_start = end - line.len();
            end = line_start;
            let line = line.trim_end();
            if let Some(directive) = line.strip_prefix('%') {
                let mut words = directive.split_ascii_whitespace();
                let known = match words.next() {
                    Some("TAG") => true,
                    Some("YAML") => words.next() == Some("1.1"),
                    _ => false,
                };
                if !known {
                    let span = self.span(line_start, line_start + line.len());
                    self.report(Diagnostic::new(code::DIRECTIVE, syntax::directive()).at(span));
                }
            } else if !line.is_empty() && !line.starts_with('#') {
                return;
            }
        }
    }

    fn scalar(
        &mut self,
        start: usize,
        end: usize,
        text: Cow<'t, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
    ) -> NodeId {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        let tag = tag.map(short_tag);
        // yaml.v3 hands decoders the bytes; from here on they are a string like any other.
        if tag.as_deref() == Some("!!binary")
            && let Some(decoded) = base64(&text).and_then(|bytes| String::from_utf8(bytes).ok())
        {
            let tag = self.intern(Some("!!str".to_owned()));
            return self.add(start, end, tag, Kind::Scalar { text: Cow::Owned(decoded), style });
        }
        let tag = self.intern(tag);
        self.add(start, end, tag, Kind::Scalar { text, style })
    }

    fn begin(
        &mut self,
        kind: Kind<'t>,
        start: usize,
        end: usize,
        style: StructureStyle,
        anchor: usize,
        tag: Option<&Tag>,
    ) {
        let tag = self.intern(tag.map(short_tag));
        let visits = self.visits;
        // A block collection's event stands at its first key or dash and covers nothing.
        let end = if style == StructureStyle::Flow { end } else { start };
        let id = self.add(start, end, tag, kind);
        if anchor > 0 {
            self.anchors.insert(anchor, Anchor::Open);
        }
        self.open.push(Open { id, first: self.waiting.len(), visits, anchor, height: 0, end });
    }

    fn end(&mut self, start: usize, end: usize) {
        let Some(container) = self.open.pop() else { return };
        if self.forbidden.is_some() && self.is_rest_blank(end) {
            self.tree.truncated.push(container.id);
        }
        // The end of a flow collection is its bracket; that of a block stands wherever the next token does.
        let end = if end > start { end } else { container.end };
        self.close(container, end);
    }

    fn close(&mut self, container: Open, end: usize) {
        let children = self.waiting.split_off(container.first);
        let kind = if matches!(self.data(container.id).kind, Kind::Mapping(_)) {
            let entries = self.entries(&children);
            let first = self.tree.entries.len();
            self.tree.entries.extend(entries);
            Kind::Mapping(Span::new(first, self.tree.entries.len()))
        } else {
            let first = self.tree.items.len();
            self.tree.items.extend(children);
            Kind::Sequence(Span::new(first, self.tree.items.len()))
        };
        let outer_end = self.span(end, end).end;
        if let Some(data) = self.tree.nodes.get_mut(container.id.0 as usize) {
            data.kind = kind;
            data.span.end = outer_end.max(data.span.end);
        }
        self.define(container.anchor, container.id, self.visits - container.visits, container.height + 1);
        if let Some(parent) = self.open.last_mut() {
            parent.height = parent.height.max(container.height + 1);
        }
        self.place(container.id, end);
    }

    fn define(&mut self, anchor: usize, id: NodeId, visits: u64, height: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, Anchor::Complete { id, visits, height });
        }
    }

    fn alias(&mut self, start: usize, end: usize, anchor: usize) {
        let name = self.text.get(start..end).unwrap_or_default().to_owned();
        let id = match self.anchors.get(&anchor).copied() {
            Some(Anchor::Complete { id, visits, height }) => {
                if self.open.len() + height > limits::NESTING {
                    self.bad(start, end, code::TOO_DEEP, syntax::too_deep())
                } else {
                    self.count_alias(start, end, visits);
                    if let Some(parent) = self.open.last_mut() {
                        parent.height = parent.height.max(height);
                    }
                    id
                }
            }
            Some(Anchor::Open) => {
                let message = format!("`{name}` stands inside of what it refers to");
                self.bad(start, end, code::RECURSIVE_ALIAS, message)
            }
            None => {
                let message = format!("`{name}` refers to nothing");
                self.bad(start, end, code::UNDEFINED_ALIAS, message)
            }
        };
        self.place(id, end);
    }

    /// yaml.v3's guard against aliases that expand without bound, which counts while it decodes: the share of visits
    /// that aliases cause may be 99 % in a small document, falling to 10 % in a large one. Inside of one alias the
    /// share only grows and the allowance only falls, so looking at the end of each is the same as looking always.
    fn count_alias(&mut self, start: usize, end: usize, visits: u64) {
        const SMALL: u64 = 400_000;
        const LARGE: u64 = 4_000_000;
        self.visits = self.visits.saturating_add(1).saturating_add(visits);
        self.alias_visits = self.alias_visits.saturating_add(visits);
        if self.refused || self.alias_visits <= 100 || self.visits <= 1000 {
            return;
        }
        // In hundredths of a per cent.
        let allowed = if self.visits <= SMALL {
            9900
        } else if self.visits >= LARGE {
            1000
        } else {
            9900 - 8900 * (self.visits - SMALL) / (LARGE - SMALL)
        };
        if u128::from(self.alias_visits) * 10_000 > u128::from(self.visits) * u128::from(allowed) {
            let message = "aliases repeat too much of this document; write out what they stand for, or use fewer";
            let span = self.span(start, end);
            self.refuse(Diagnostic::new(code::EXCESSIVE_ALIASING, message).at(span));
        }
    }

    /// Hands a complete node to the container that it stands in.
    fn place(&mut self, id: NodeId, end: usize) {
        match self.open.last_mut() {
            Some(parent) => {
                parent.end = parent.end.max(end);
                self.waiting.push(id);
            }
            None => self.tree.root = Some(id),
        }
    }

    fn bad(&mut self, start: usize, end: usize, code: Code, message: String) -> NodeId {
        let span = self.span(start, end);
        self.report(Diagnostic::new(code, message).at(span));
        self.add(start, end, 0, Kind::Bad)
    }

    /// Ends the document at an error at byte `at`: what is open is closed, and a key without its value gets a silent
    /// one.
    fn stop(&mut self, at: usize, code: Code, message: String) {
        if self.forbidden.is_some() {
            // The text was cut at a forbidden character, which is the better explanation.
            self.report_forbidden();
        } else {
            let end = at
                + self.text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, |c| match c {
                    '\n' | '\r' => 0,
                    c => c.len_utf8(),
                });
            let span = self.span(at, end);
            self.report(Diagnostic::new(code, message).at(span));
        }
        while let Some(container) = self.open.pop() {
            let children = self.waiting.len() - container.first;
            if matches!(self.data(container.id).kind, Kind::Mapping(_)) && children % 2 == 1 {
                let id = self.add(at, at, 0, Kind::Bad);
                self.waiting.push(id);
            }
            self.tree.truncated.push(container.id);
            let end = container.end;
            self.close(container, end);
        }
        // There is a document, even if nothing of it could be read.
        if self.tree.root.is_none() {
            let id = self.add(at, at, 0, Kind::Bad);
            self.tree.root = Some(id);
        }
    }

    fn report_forbidden(&mut self) {
        let Some((at, found)) = self.forbidden.take() else { return };
        let message = format!(
            "the text holds the character U+{:04X}, which YAML does not allow; write `\\u{:04x}` in double quotes",
            u32::from(found),
            u32::from(found)
        );
        let span = self.positions.seek(Span::new(at, at + found.len_utf8()), &mut self.hint);
        self.report(Diagnostic::new(code::CONTROL_CHARACTER, message).at(span));
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < limits::DIAGNOSTICS {
            self.diagnostics.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// Reports what makes the whole document unreadable.
    pub(super) fn refuse(&mut self, diagnostic: Diagnostic) {
        if !self.refused {
            self.report(diagnostic);
        }
        self.refused = true;
    }

    fn add(&mut self, start: usize, end: usize, tag: u32, kind: Kind<'t>) -> NodeId {
        self.visits = self.visits.saturating_add(1);
        let span = self.span(start, end);
        let id = NodeId(u32::try_from(self.tree.nodes.len()).unwrap_or(u32::MAX));
        self.tree.nodes.push(Data { span, tag, kind });
        id
    }

    fn span(&mut self, start: usize, end: usize) -> Span {
        self.positions.seek(Span::new(start, end), &mut self.hint)
    }

    pub(super) fn data(&self, id: NodeId) -> &Data<'t> {
        &self.tree.nodes[id.0 as usize]
    }

    pub(super) fn tag(&self, tag: u32) -> Option<&str> {
        self.tree.tags.get((tag as usize).checked_sub(1)?).map(|tag| &**tag)
    }

    pub(super) fn items(&self, range: Span) -> &[NodeId] {
        self.tree.items.get(range.range()).unwrap_or_default()
    }

    pub(super) fn entries_of(&self, range: Span) -> &[(NodeId, NodeId)] {
        self.tree.entries.get(range.range()).unwrap_or_default()
    }

    fn intern(&mut self, tag: Option<String>) -> u32 {
        let Some(tag) = tag else { return 0 };
        // Documents repeat a tag or have few; the last one is where to look.
        if self.tree.tags.last().is_none_or(|last| **last != *tag) {
            self.tree.tags.push(tag.into_boxed_str());
        }
        u32::try_from(self.tree.tags.len()).unwrap_or(0)
    }

    fn finish(mut self) -> Parsed<'t> {
        if let Some(root) = self.tree.root.filter(|_| self.refused) {
            let span = self.data(root).span;
            self.tree = Tree::default();
            self.tree.nodes.push(Data { span, tag: 0, kind: Kind::Bad });
            self.tree.root = Some(NodeId(0));
        }
        if self.dropped > 0 {
            let message = format!("{} more errors are not shown; at most {} are", self.dropped, limits::DIAGNOSTICS);
            self.diagnostics.push(Diagnostic::new(code::CONFIG_TOO_MANY_ERRORS, message));
        }
        Parsed { tree: self.tree, diagnostics: self.diagnostics }
    }
}

/// A tag as yaml.v3 compares it: those of `tag:yaml.org,2002:` as `!!name`, others whole.
fn short_tag(tag: &Tag) -> String {
    match tag.suffix_in_namespace("tag:yaml.org,2002:") {
        Some(name) => format!("!!{name}"),
        None => tag.to_string(),
    }
}

/// Standard alphabet with padding; line breaks are skipped, as in Go.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
    if !digits.len().is_multiple_of(4) {
        return None;
    }
    let unpadded = digits.strip_suffix(b"==").or_else(|| digits.strip_suffix(b"=")).unwrap_or(&digits);
    let mut bytes = Vec::with_capacity(unpadded.len() / 4 * 3 + 2);
    for group in unpadded.chunks(4) {
        let mut bits = 0_u32;
        for byte in group {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bits <<= 6 * (4 - group.len());
        let [_, decoded @ ..] = bits.to_be_bytes();
        bytes.extend_from_slice(decoded.get(..group.len() - 1)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
