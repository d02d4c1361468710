//! Places between bytes and what an editor in a browser counts: lines, and UTF-16 code units in them.
//!
//! It differs from [`crate::text`] in speed alone: also in a text of one long line every place is found at once.

use alloc::string::String;
use alloc::vec::Vec;

use super::view::Region;
use crate::text::Span;

/// Bytes between two places whose count is known.
const STEP: usize = 512;

/// A text whose places are counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Units {
    text: String,
    /// Byte at which each line starts.
    lines: Vec<u32>,
    /// Code units before each `STEP`th byte (or the beginning of the character that it is in); empty for ASCII.
    counts: Vec<u32>,
}

impl Units {
    pub(super) fn new(text: String) -> Self {
        let bytes = text.as_bytes();
        let mut lines = Vec::from([0]);
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'\n' || *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n') {
                lines.push(number(at + 1));
            }
        }
        let mut counts = Vec::new();
        if !text.is_ascii() {
            let (mut units, mut from) = (0, 0);
            for step in 0..=text.len() / STEP {
                let to = boundary(&text, step * STEP);
                units += text.get(from..to).unwrap_or_default().encode_utf16().count();
                counts.push(number(units));
                from = to;
            }
        }
        Self { text, lines, counts }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn region(&self, span: Span) -> Region {
        let ((line, column), (end_line, end_column)) = (self.place(span.start), self.place(span.end));
        Region { line, column, end_line, end_column }
    }

    /// The byte of a place, both counted from 1; past a line its end.
    pub(super) fn offset(&self, line: u32, column: u32) -> usize {
        let index = (line as usize).saturating_sub(1);
        let Some(&start) = self.lines.get(index) else { return self.text.len() };
        let end = self.lines.get(index + 1).map_or(self.text.len(), |&next| next as usize);
        let content = self.text.get(start as usize..end).unwrap_or_default().trim_end_matches(['\r', '\n']);
        let mut left = (column as usize).saturating_sub(1);
        let mut at = start as usize;
        for c in content.chars() {
            if left < c.len_utf16() {
                break;
            }
            left -= c.len_utf16();
            at += c.len_utf8();
        }
        at
    }

    fn place(&self, offset: u32) -> (u32, u32) {
        let index = self.lines.partition_point(|&start| start <= offset).saturating_sub(1);
        let start = self.lines.get(index).copied().unwrap_or(0);
        let units = self.before(offset as usize) - self.before(start as usize);
        (number(index + 1), number(units + 1))
    }

    fn before(&self, offset: usize) -> usize {
        let offset = boundary(&self.text, offset.min(self.text.len()));
        let Some(&counted) = self.counts.get(offset / STEP) else { return offset };
        let from = boundary(&self.text, offset / STEP * STEP);
        counted as usize + self.text.get(from..offset).unwrap_or_default().encode_utf16().count()
    }
}

fn boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn number(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn places_are_those_of_the_plain_index_and_lead_back() {
        let line = "aé😀\u{2028}z".repeat(200);
        for text in [String::new(), "a\r\nb\rc\nd".into(), line.clone(), alloc::format!("x\r\n{line}\n{line}\r{line}")]
        {
            let (units, plain) = (Units::new(text.clone()), Text::new(text.clone()));
            for at in 0..=text.len() {
                let span = Span::at(at);
                let expected = plain.region_utf16(span).start;
                let found = units.region(span);
                assert_eq!((found.line, found.column), (expected.line, expected.column), "{at}");
                let inside = text.is_char_boundary(at) && !text[..at].ends_with('\r');
                if inside {
                    assert_eq!(units.offset(found.line, found.column), at);
                }
            }
        }
    }
}
