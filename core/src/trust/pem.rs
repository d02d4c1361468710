//! Finds PEM blocks (RFC 7468) in a file exactly where Go's `encoding/pem` finds them, and says where each stands and
//! what stands there that Go passes over in silence.
//!
//! It does not look into blocks. Texts that it returns never hold the content of a block.

use alloc::string::String;
use alloc::vec::Vec;

use crate::order;
use crate::text::Span;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"\n-----END ";
const DASHES: &[u8] = b"-----";

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Blocks and broken blocks in the order of the file.
    pub items: Vec<Item>,
    /// Byte at which each line starts; lines end with LF, CRLF or a lone CR.
    lines: Vec<u32>,
}

/// A block, or what looks like a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Between `BEGIN ` and the dashes; unprintable bytes replaced. May be empty.
    pub label: String,
    /// From the first dash of the `BEGIN` line to the last of the `END` line; one line if the other is missing.
    pub span: Span,
    /// The `BEGIN` line, or the `END` line where there is no other.
    pub marker: Span,
    /// What the block holds, or why there is none.
    pub content: Result<Content, Broken>,
}

/// The decoded content of a block.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    /// Base64 decoded.
    pub bytes: Vec<u8>,
    /// The header lines (RFC 1421 style) that stand before the base64, if any. Go takes no certificate with headers.
    pub headers: Option<Span>,
}

impl core::fmt::Debug for Content {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Content").field("bytes", &self.bytes.len()).field("headers", &self.headers).finish()
    }
}

/// Why a text that looks like a block is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Text, white space or a byte order mark stands before `-----BEGIN` on its line.
    NotAtLineStart(Before),
    /// The `BEGIN` line does not end with five dashes.
    BeginLine,
    /// No `END` line before the next `BEGIN` or the end of the file.
    NoEnd,
    /// An `END` line without a `BEGIN`.
    NoBegin,
    /// The `END` line bears another label, lacks dashes, or has text after them.
    EndLine(Span),
    /// The `END` line goes on with the `BEGIN` of another block, so both are lost.
    Joined(Span),
    /// The content is not base64: the first byte that does not fit.
    Base64(Span),
    /// Header lines run into the `END` line.
    Headers,
}

/// What stands before `-----BEGIN` on its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Spaces or tabs.
    Indentation,
    /// U+FEFF at the start of the file.
    ByteOrderMark,
    /// Anything else.
    Text,
}

impl Scan {
    /// Looks through a file once.
    #[must_use]
    pub fn new(file: &[u8]) -> Self {
        let mut items = Vec::new();
        let mut at = 0;
        while let Some(attempt) = next_block(file, &mut at) {
            items.push(attempt);
        }
        add_stray_markers(file, &mut items);
        order::sort(&mut items, |a, b| (a.span, a.marker).cmp(&(b.span, b.marker)));
        Self { items, lines: line_starts(file) }
    }

    /// The line, from 1, in which a byte stands.
    #[must_use]
    pub fn line(&self, offset: u32) -> u32 {
        u32::try_from(self.lines.partition_point(|&start| start <= offset)).unwrap_or(u32::MAX).max(1)
    }
}

/// The next block at or after `at`, complete or broken; `None` when Go's decoder would give up.
///
/// Go 1.25.2 and later: find the next `END` line, then the last `BEGIN` before it. So a truncated block does not hide the
/// one after it.
fn next_block(file: &[u8], at: &mut usize) -> Option<Item> {
    loop {
        let from = *at;
        let end = from + find(file.get(from..)?, END)?;
        let trailer = end + END.len();
        *at = trailer;
        let Some(begin) = rfind(file.get(from..end)?, BEGIN).map(|found| from + found) else { continue };
        if begin > from && file.get(begin - 1) != Some(&b'\n') {
            continue;
        }
        let label_start = begin + BEGIN.len();
        let (line, body) = line_at(file, label_start);
        let end_line = Span::new(end + 1, line_at(file, end + 1).0.end);
        let marker = Span::new(begin, line.end);
        let label_end = line
            .end
            .checked_sub(DASHES.len())
            .filter(|&cut| cut >= label_start && file.get(cut..line.end) == Some(DASHES));
        let label_bytes = file.get(label_start..label_end.unwrap_or(line.end)).unwrap_or_default();
        let item = |content| Some(Item { label: printable(label_bytes), span: marker.to(end_line), marker, content });
        if label_end.is_none() {
            return item(Err(Broken::BeginLine));
        }

        // Lines with a colon are headers; Go stops altogether when they run past the end of the file.
        let mut content_start = body;
        loop {
            if content_start >= file.len() {
                *at = file.len();
                return item(Err(Broken::Headers));
            }
            let (line, next) = line_at(file, content_start);
            if !file.get(line)?.contains(&b':') {
                break;
            }
            content_start = next;
        }
        let has_headers = content_start > body;
        if has_headers && content_start > end {
            if content_start > trailer {
                *at = file.len();
            }
            return item(Err(Broken::Headers));
        }
        let headers = has_headers.then(|| Span::new(body, content_start));

        let after_label = file.get(trailer..)?.strip_prefix(label_bytes).and_then(|rest| rest.strip_prefix(DASHES));
        let closed = after_label.is_some_and(|rest| line_at(rest, 0).0.is_empty());
        if !closed {
            if after_label.is_some_and(|rest| rest.starts_with(BEGIN)) {
                // The second block is lost with the first: its `END` is no finding of its own.
                let second_end = find(file.get(trailer..)?, END).map_or(file.len(), |found| trailer + found + 1);
                let span = marker.to(Span::new(begin, line_at(file, second_end).0.end));
                return Some(Item {
                    label: printable(label_bytes),
                    span,
                    marker,
                    content: Err(Broken::Joined(end_line)),
                });
            }
            return item(Err(Broken::EndLine(end_line)));
        }
        let base64 = file.get(content_start..end).unwrap_or_default();
        return match decode_base64(base64) {
            Ok(bytes) => {
                *at = line_at(file, end + END.len() - 1).1;
                item(Ok(Content { bytes, headers }))
            }
            Err(offset) => item(Err(Broken::Base64(Span::new(content_start + offset, content_start + offset + 1)))),
        };
    }
}

/// Everything that looks like a `BEGIN` or `END` line and belongs to no block.
///
/// A block starts at the last `BEGIN` before its `END`, so an earlier `BEGIN` without an `END` is found here.
fn add_stray_markers(file: &[u8], items: &mut Vec<Item>) {
    let blocks: Vec<Span> = items.iter().map(|item| item.span).collect();
    let taken = |offset: usize| {
        let next = blocks.partition_point(|span| span.start as usize <= offset);
        next.checked_sub(1).and_then(|i| blocks.get(i)).is_some_and(|span| offset < span.end as usize)
    };
    let block_between = |from: u32, to: usize| {
        let next = blocks.partition_point(|span| span.start <= from);
        blocks.get(next).is_some_and(|span| (span.start as usize) < to)
    };
    let stray = |begin: usize, label_start: usize, line_end: usize, broken: Broken| {
        let marker = Span::new(begin, line_end.max(label_start));
        let rest = file.get(label_start..marker.end as usize).unwrap_or_default();
        let label = printable(rest.split(|&byte| byte == b'-').next().unwrap_or_default().trim_ascii());
        Item { label, span: marker, marker, content: Err(broken) }
    };
    // The `BEGIN` whose `END` is still to come.
    let mut open: Option<Item> = None;
    let mut line_start = 0;
    while line_start < file.len() {
        let (line, next) = line_at(file, line_start);
        if file.get(line.clone()).is_some_and(|text| text.starts_with(&END[1..])) && !taken(line_start) {
            let end = stray(line_start, line_start + END.len() - 1, line.end, Broken::NoBegin);
            match open.take() {
                // One block, one finding.
                Some(begin) if begin.label == end.label && !block_between(begin.span.start, line_start) => {
                    items.push(Item { span: begin.span.to(end.span), ..begin });
                }
                other => items.extend(other.into_iter().chain([end])),
            }
        }
        let mut from = line_start;
        while let Some(found) = file.get(from..next).and_then(|rest| find(rest, BEGIN)) {
            let begin = from + found;
            from = begin + BEGIN.len();
            let broken = before(file.get(line_start..begin).unwrap_or_default());
            let item = stray(begin, from, line.end, broken);
            if !taken(begin) {
                items.extend(open.replace(item));
            } else if item.label.contains("PRIVATE KEY") && !blocks.iter().any(|span| span.start as usize == begin) {
                // It was lost with a broken block, but a key must be seen wherever it stands.
                items.push(item);
            }
        }
        line_start = next;
    }
    items.extend(open);
}

/// Why a `BEGIN` that starts no block starts none, by what stands before it on its line.
fn before(text: &[u8]) -> Broken {
    match text {
        [] => Broken::NoEnd,
        [0xef, 0xbb, 0xbf] => Broken::NotAtLineStart(Before::ByteOrderMark),
        text if text.trim_ascii().is_empty() => Broken::NotAtLineStart(Before::Indentation),
        _ => Broken::NotAtLineStart(Before::Text),
    }
}

/// The line that starts at `start` without its end and without trailing spaces and tabs, and where the next one starts.
/// As in Go, only LF and CRLF end a line.
fn line_at(file: &[u8], start: usize) -> (core::ops::Range<usize>, usize) {
    let rest = file.get(start..).unwrap_or_default();
    let (mut length, next) = match rest.iter().position(|&byte| byte == b'\n') {
        Some(newline) => (newline, start + newline + 1),
        None => (rest.len(), file.len()),
    };
    if length < rest.len() && length > 0 && rest.get(length - 1) == Some(&b'\r') {
        length -= 1;
    }
    while length > 0 && matches!(rest.get(length - 1), Some(b' ' | b'\t')) {
        length -= 1;
    }
    (start..start + length, next)
}

/// Standard base64 with padding; white space is skipped, as Go does within a block. The error is the offset of the first
/// byte that does not fit.
fn decode_base64(text: &[u8]) -> Result<Vec<u8>, usize> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut quantum, mut digits, mut padding) = (0_u32, 0_u32, 0_u32);
    for (offset, &byte) in text.iter().enumerate() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'\r' | b'\n' | b' ' | b'\t' => continue,
            b'=' if digits >= 2 && digits + padding < 4 => {
                padding += 1;
                continue;
            }
            _ => return Err(offset),
        };
        if padding > 0 {
            return Err(offset);
        }
        quantum = (quantum << 6) | u32::from(value);
        digits += 1;
        if digits == 4 {
            out.extend_from_slice(&quantum.to_be_bytes()[1..]);
            (quantum, digits) = (0, 0);
        }
    }
    match (digits, padding) {
        (0, 0) => {}
        (2, 2) => out.extend_from_slice(&(quantum << 12).to_be_bytes()[1..2]),
        (3, 1) => out.extend_from_slice(&(quantum << 6).to_be_bytes()[1..3]),
        _ => return Err(text.len().saturating_sub(1)),
    }
    Ok(out)
}

fn printable(label: &[u8]) -> String {
    const LONGEST: usize = 64;
    label
        .iter()
        .take(LONGEST)
        .map(|&byte| if (b' '..0x7f).contains(&byte) { byte as char } else { '\u{fffd}' })
        .collect()
}

fn line_starts(file: &[u8]) -> Vec<u32> {
    let mut starts = Vec::from([0]);
    for (i, &byte) in file.iter().enumerate() {
        if byte == b'\n' || (byte == b'\r' && file.get(i + 1) != Some(&b'\n')) {
            starts.push(u32::try_from(i + 1).unwrap_or(u32::MAX));
        }
    }
    starts
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

fn rfind(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).rposition(|window| window == word)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    const BLOCK: &str = "-----BEGIN A-----\nYWJj\n-----END A-----\n";

    /// Label, line, and content or what is broken.
    fn read(file: &str) -> Vec<(String, u32, Result<Vec<u8>, Broken>)> {
        let scan = Scan::new(file.as_bytes());
        let line = |item: &Item| scan.line(item.span.start);
        scan.items
            .iter()
            .map(|item| (item.label.clone(), line(item), item.content.clone().map(|content| content.bytes)))
            .collect()
    }

    fn good(line: u32) -> (String, u32, Result<Vec<u8>, Broken>) {
        ("A".into(), line, Ok(b"abc".to_vec()))
    }

    fn broken(line: u32, broken: Broken) -> (String, u32, Result<Vec<u8>, Broken>) {
        ("A".into(), line, Err(broken))
    }

    #[test]
    fn blocks_are_found_between_any_text() {
        assert_eq!(read(BLOCK), [good(1)]);
        assert_eq!(read(&format!("text: with a colon\n# comment\n{BLOCK}\nmore\n{BLOCK}")), [good(3), good(8)]);
        assert_eq!(read(&BLOCK.replace('\n', "\r\n")), [good(1)]);
        assert_eq!(read(BLOCK.trim_end()), [good(1)]);
        assert_eq!(read(&BLOCK.replace("-----\n", "----- \t\n")), [good(1)]);
        assert_eq!(read("-----BEGIN A-----\nY W\tJ\nj\n-----END A-----"), [good(1)]);
        assert_eq!(read("-----BEGIN A-----\n-----END A-----"), [("A".into(), 1, Ok(vec![]))]);
        assert_eq!(read(""), []);
    }

    #[test]
    fn a_span_covers_the_block_and_a_line_counts_from_one() {
        let file = format!("x\r\ny\rz\n{BLOCK}");
        let scan = Scan::new(file.as_bytes());
        let item = &scan.items[0];
        assert_eq!(&file[item.span.range()], BLOCK.trim_end());
        assert_eq!(&file[item.marker.range()], "-----BEGIN A-----");
        assert_eq!(scan.line(item.span.start), 4);
    }

    #[test]
    fn what_go_passes_over_is_said() {
        let indented = BLOCK.replace('-', " -").replace(" - - - - -", "  -----");
        let first = |file: &str| read(file).into_iter().next().unwrap();
        assert_eq!(first(&indented), broken(1, Broken::NotAtLineStart(Before::Indentation)));
        assert_eq!(first(&format!("\u{feff}{BLOCK}")), broken(1, Broken::NotAtLineStart(Before::ByteOrderMark)));
        assert_eq!(first(&format!("x {BLOCK}")), broken(1, Broken::NotAtLineStart(Before::Text)));
        assert_eq!(first("-----BEGIN A-----\nYWJj\n"), broken(1, Broken::NoEnd));
        assert_eq!(first("x\n-----END A-----\n"), broken(2, Broken::NoBegin));
        assert_eq!(first("-----BEGIN A----\nYWJj\n-----END A-----\n"), broken(1, Broken::BeginLine).label("A----"));
        assert_eq!(first("-----BEGIN A-----\nYWJj\n-----END B-----\n"), broken(1, Broken::EndLine(Span::new(23, 38))));
        assert_eq!(first("-----BEGIN A-----\nYWJj\n-----END A-----x\n"), broken(1, Broken::EndLine(Span::new(23, 39))));
        assert_eq!(first("-----BEGIN A-----\nYW!j\n-----END A-----\n"), broken(1, Broken::Base64(Span::new(20, 21))));
        assert_eq!(first("-----BEGIN A-----\nYWJ\n-----END A-----\n"), broken(1, Broken::Base64(Span::new(20, 21))));
        assert_eq!(first("-----BEGIN A-----\na: b\n-----END A-----"), broken(1, Broken::Headers));
        assert_eq!(first("-----BEGIN A-----\na: b\n-----END A: -----\nx"), broken(1, Broken::Headers));
    }

    trait Labelled {
        fn label(self, label: &str) -> Self;
    }
    impl Labelled for (String, u32, Result<Vec<u8>, Broken>) {
        fn label(mut self, label: &str) -> Self {
            self.0 = label.to_string();
            self
        }
    }

    #[test]
    fn a_broken_block_does_not_hide_the_next() {
        let cut = "-----BEGIN A-----\nYWJj\n";
        assert_eq!(read(&format!("{cut}{BLOCK}")), [broken(1, Broken::NoEnd), good(3)]);
        let bad = BLOCK.replace("YWJj", "!!!!");
        assert_eq!(read(&format!("{bad}{BLOCK}")), [broken(1, Broken::Base64(Span::new(18, 19))), good(4)]);
        let other = BLOCK.replace("END A", "END B");
        assert_eq!(read(&format!("{other}{BLOCK}")), [broken(1, Broken::EndLine(Span::new(23, 38))), good(4)]);
    }

    #[test]
    fn joined_blocks_are_both_lost_and_said_once() {
        let joined = broken(1, Broken::Joined(Span::new(23, 55)));
        assert_eq!(read(&format!("{}{BLOCK}{BLOCK}", BLOCK.trim_end())), [joined, good(6)]);
    }

    #[test]
    fn a_private_key_is_seen_inside_what_is_lost() {
        let key = BLOCK.replace(" A-", " EC PRIVATE KEY-");
        let cut = "-----BEGIN A-----\nYWJj\n";
        for file in [
            format!("{BLOCK}{}{key}", BLOCK.trim_end()),
            format!("{BLOCK}{}{cut}{key}", BLOCK.trim_end()),
            format!("{}{cut}-----BEGIN EC PRIVATE KEY-----\nYWJj\n", BLOCK.trim_end()),
            format!("{}x{key}", BLOCK.trim_end()),
            format!("{}{key}", BLOCK.replace("END A-----\n", "END B-----")),
        ] {
            assert!(read(&file).iter().any(|(label, ..)| label == "EC PRIVATE KEY"), "{file}");
        }
    }

    #[test]
    fn headers_are_kept_apart() {
        let scan = Scan::new(b"-----BEGIN A-----\nProc-Type: 4\n\nYWJj\n-----END A-----\n");
        let content = scan.items[0].content.as_ref().unwrap();
        assert_eq!((content.bytes.as_slice(), content.headers), (&b"abc"[..], Some(Span::new(18, 31))));
    }

    #[test]
    fn base64_is_strict_where_go_is() {
        let decode = |text: &str| decode_base64(text.as_bytes());
        assert_eq!(decode("YQ=="), Ok(b"a".to_vec()));
        assert_eq!(decode("YWI="), Ok(b"ab".to_vec()));
        assert_eq!(decode("YWI=\r\n"), Ok(b"ab".to_vec()));
        // Bits beyond the last byte are not looked at.
        assert_eq!(decode("YWJ="), Ok(b"ab".to_vec()));
        assert_eq!(decode("YWJj").as_deref(), Ok(&b"abc"[..]));
        assert_eq!(decode(""), Ok(vec![]));
        for bad in ["Y", "YQ", "YQ=", "YQ===", "YWI==", "=", "YQ==YQ==", "Y-_j", "YW\u{0}j"] {
            assert!(decode(bad).is_err(), "{bad:?}");
        }
    }
}
