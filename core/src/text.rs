//! Places in text: byte spans, and the lines and columns that a person counts.
//!
//! It does not read or decode anything; spans are always bytes of the text that was given, never of a part of it.

use alloc::string::String;
use alloc::vec::Vec;

/// A half-open range of bytes in the text that was given.
///
/// `u32` is enough: input is capped far below 4 GiB (see [`crate::config::limits`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte; never less than `start`.
    pub end: u32,
}

impl Span {
    /// The bytes from `start` up to, but not including, `end`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let start = clamp(start);
        Self { start, end: clamp(end).max(start) }
    }

    /// The empty span before byte `offset`.
    #[must_use]
    pub fn at(offset: usize) -> Self {
        Self::new(offset, offset)
    }

    /// The smallest span that covers both.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The bytes as a range, for slicing.
    #[must_use]
    pub fn range(self) -> core::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// How many bytes it covers.
    #[must_use]
    pub fn len(self) -> usize {
        self.range().len()
    }

    /// Whether it covers nothing.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A position as a person counts it; both start at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct Location {
    /// Line, from 1. Lines end with LF, CRLF or a lone CR.
    pub line: u32,
    /// Column, from 1, in the unit of the method that made it.
    pub column: u32,
}

/// Finds lines in one text quickly.
#[derive(Clone, Debug)]
pub struct LineIndex {
    /// Byte at which each line starts; the first is 0.
    starts: Vec<u32>,
    /// Places inside of long lines, so that none is counted from its start for each finding in it.
    marks: Vec<Mark>,
}

/// Bytes of a line between two marks, more or less.
const MARK_EVERY: usize = 1 << 9;

/// A place in a line, and what stands before it there.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// Byte in the whole text.
    offset: u32,
    /// Unicode scalars.
    scalars: u32,
    /// UTF-16 code units.
    units: u32,
}

impl LineIndex {
    /// Looks through `text` once.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = Vec::from([0]);
        let mut marks = Vec::new();
        let mut start = 0;
        for (i, &byte) in bytes.iter().enumerate() {
            if byte > b'\r' {
                continue;
            }
            if byte == b'\n' || byte == b'\r' && bytes.get(i + 1) != Some(&b'\n') {
                mark_line(text, start, i, &mut marks);
                start = i + 1;
                starts.push(offset(start));
            }
        }
        mark_line(text, start, bytes.len(), &mut marks);
        Self { starts, marks }
    }

    /// How many lines the text has; at least one.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.starts.len()
    }

    /// Where byte `offset` of `text` is, columns in Unicode scalars. `text` must be the text of [`LineIndex::new`].
    #[must_use]
    pub fn location(&self, text: &str, offset: u32) -> Location {
        let (line, mark) = self.mark(text, offset);
        Location { line, column: mark.scalars.saturating_add(1) }
    }

    /// The same with columns in UTF-16 code units, which is what editors in a browser count.
    #[must_use]
    pub fn location_utf16(&self, text: &str, offset: u32) -> Location {
        let (line, mark) = self.mark(text, offset);
        Location { line, column: mark.units.saturating_add(1) }
    }

    /// The bytes of line `line` (from 1) without its line end; empty past the last line.
    #[must_use]
    pub fn line_span(&self, text: &str, line: u32) -> Span {
        let index = (line as usize).saturating_sub(1);
        let Some(&start) = self.starts.get(index) else { return Span::at(text.len()) };
        let end = self.starts.get(index + 1).map_or(text.len(), |&next| next as usize);
        let content = text.get(start as usize..end).unwrap_or_default().trim_end_matches(['\r', '\n']);
        Span::new(start as usize, start as usize + content.len())
    }

    /// The line of byte `offset` (from 1), and what stands before that byte in it.
    fn mark(&self, text: &str, offset: u32) -> (u32, Mark) {
        let index = self.starts.partition_point(|&start| start <= offset).saturating_sub(1);
        let start = Mark { offset: self.starts.get(index).copied().unwrap_or(0), ..Mark::default() };
        let passed = self.marks.partition_point(|mark| mark.offset <= offset);
        let near =
            passed.checked_sub(1).and_then(|last| self.marks.get(last)).filter(|mark| mark.offset >= start.offset);
        let end = text.floor_char_boundary(offset as usize);
        (u32::try_from(index + 1).unwrap_or(u32::MAX), near.copied().unwrap_or(start).moved(text, end))
    }
}

/// Marks the line from `start` to `end`, if it is a long one.
fn mark_line(text: &str, start: usize, end: usize, marks: &mut Vec<Mark>) {
    let mut mark = Mark { offset: offset(start), ..Mark::default() };
    for at in (start..end).step_by(MARK_EVERY).skip(1) {
        mark = mark.moved(text, text.floor_char_boundary(at));
        marks.push(mark);
    }
}

impl Mark {
    /// The same line, further on.
    fn moved(self, text: &str, end: usize) -> Self {
        let between = text.get(self.offset as usize..end).unwrap_or_default();
        let (scalars, units) = between.chars().fold((self.scalars, self.units), |(scalars, units), c| {
            (scalars.saturating_add(1), units.saturating_add(if u32::from(c) > 0xffff { 2 } else { 1 }))
        });
        Self { offset: offset(end), scalars, units }
    }
}

fn offset(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// A text that knows where its lines are.
#[derive(Clone, Debug)]
pub struct Text {
    text: String,
    lines: LineIndex,
}

impl Text {
    /// Finds the lines of `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let lines = LineIndex::new(&text);
        Self { text, lines }
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Where `span` begins and ends, columns in Unicode scalars.
    #[must_use]
    pub fn region(&self, span: Span) -> Region {
        Region { start: self.lines.location(&self.text, span.start), end: self.lines.location(&self.text, span.end) }
    }

    /// The same with columns in UTF-16 code units.
    #[must_use]
    pub fn region_utf16(&self, span: Span) -> Region {
        let at = |offset| self.lines.location_utf16(&self.text, offset);
        Region { start: at(span.start), end: at(span.end) }
    }

    /// The byte of a place, both counted from 1, the column in UTF-16 code units; past a line its end.
    #[must_use]
    pub fn offset_utf16(&self, line: u32, column: u32) -> usize {
        let span = self.line_span(line);
        let mut left = (column as usize).saturating_sub(1);
        let mut at = span.start as usize;
        for c in self.text.get(span.range()).unwrap_or_default().chars() {
            if left < c.len_utf16() {
                break;
            }
            left -= c.len_utf16();
            at += c.len_utf8();
        }
        at
    }

    /// The bytes of line `line` (from 1) without its line end; empty past the last line.
    #[must_use]
    pub fn line_span(&self, line: u32) -> Span {
        self.lines.line_span(&self.text, line)
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new("")
    }
}

/// A span as a person counts it; `end` is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// The first character.
    pub start: Location,
    /// One past the last.
    pub end: Location,
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn lines_end_with_lf_crlf_or_a_lone_cr() {
        let text = "a\r\nb\rc\nd";
        let index = LineIndex::new(text);
        assert_eq!(index.lines(), 4);
        let line = |n| text.get(index.line_span(text, n).range());
        assert_eq!([line(1), line(2), line(3), line(4)], [Some("a"), Some("b"), Some("c"), Some("d")]);
        assert_eq!(line(5), Some(""));
    }

    #[test]
    fn columns_count_scalars_or_utf16_units() {
        let text = "x\né😀z";
        let index = LineIndex::new(text);
        let z = u32::try_from(text.len() - 1).unwrap();
        assert_eq!(index.location(text, z), Location { line: 2, column: 3 });
        assert_eq!(index.location_utf16(text, z), Location { line: 2, column: 4 });
    }

    #[test]
    fn columns_of_a_long_line_are_the_same_as_counted_from_its_start() {
        let line = "aé😀\u{301}".repeat(3_000);
        let text = alloc::format!("{line}\r\n{line}\rb");
        let index = LineIndex::new(&text);
        let (mut start, mut number) = (0, 1);
        for (at, c) in text.char_indices() {
            let place = u32::try_from(at).unwrap();
            let before = text.get(start..at).unwrap();
            let column = |count: usize| Location { line: number, column: u32::try_from(count).unwrap() + 1 };
            if at % 97 == 0 || at - start < 8 {
                assert_eq!(index.location(&text, place), column(before.chars().count()), "{at}");
                assert_eq!(index.location_utf16(&text, place), column(before.encode_utf16().count()), "{at}");
            }
            if c == '\n' || (c == '\r' && !text.get(at + 1..).unwrap().starts_with('\n')) {
                (start, number) = (at + 1, number + 1);
            }
        }
        assert_eq!(number, 3);
    }

    #[test]
    fn places_in_code_units_lead_back() {
        let line = "aé😀\u{2028}z".repeat(200);
        for text in [String::new(), "a\r\nb\rc\nd".into(), line.clone(), alloc::format!("x\r\n{line}\n{line}\r{line}")]
        {
            let indexed = Text::new(text.clone());
            for (at, _) in text.char_indices().filter(|(at, _)| !text[..*at].ends_with('\r')) {
                let Location { line, column } = indexed.region_utf16(Span::at(at)).start;
                assert_eq!(indexed.offset_utf16(line, column), at);
            }
            assert_eq!(indexed.offset_utf16(1, u32::MAX), indexed.line_span(1).end as usize);
            assert_eq!(indexed.offset_utf16(9, 1), text.len());
        }
    }

    #[test]
    fn an_offset_inside_a_character_or_past_the_end_is_still_a_place() {
        let text = "é";
        let index = LineIndex::new(text);
        assert_eq!(index.location(text, 1), Location { line: 1, column: 1 });
        assert_eq!(index.location(text, 99), Location { line: 1, column: 2 });
    }
}
