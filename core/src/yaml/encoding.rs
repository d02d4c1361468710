//! Bytes to text as yaml.v3's reader does it: UTF-8, or UTF-16 that says so with a byte-order mark.
//!
//! It does not judge characters; the parse does.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

use crate::diagnostic::{Diagnostic, code};
use crate::text::Span;

/// A text and what was wrong with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded<'b> {
    /// Without byte-order mark; what could not be decoded is U+FFFD.
    pub text: Cow<'b, str>,
    /// The first byte sequence that is no text.
    pub diagnostic: Option<Diagnostic>,
}

/// Decodes a whole input. Places are those of the decoded text.
#[must_use]
pub fn decode(bytes: &[u8]) -> Decoded<'_> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest, 3),
        rest => utf8(rest, 0),
    }
}

fn utf8(bytes: &[u8], skipped: usize) -> Decoded<'_> {
    match core::str::from_utf8(bytes) {
        Ok(text) => Decoded { text: Cow::Borrowed(text), diagnostic: None },
        Err(error) => {
            let at = error.valid_up_to();
            let byte = bytes.get(at).copied().unwrap_or_default();
            let message =
                format!("byte {} of the input, 0x{byte:02X}, is not UTF-8; save the file as UTF-8", skipped + at);
            // Before the first replacement the decoded text is as long as the bytes.
            let span = Span::new(at, at + char::REPLACEMENT_CHARACTER.len_utf8());
            Decoded {
                text: Cow::Owned(String::from_utf8_lossy(bytes).into_owned()),
                diagnostic: Some(Diagnostic::new(code::ENCODING, message).at(span)),
            }
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Decoded<'static> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    let mut broken = None;
    for c in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        if c.is_err() && broken.is_none() {
            broken = Some(text.len());
        }
        text.push(c.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    if !odd.is_empty() {
        broken.get_or_insert(text.len());
        text.push(char::REPLACEMENT_CHARACTER);
    }
    let diagnostic = broken.map(|at| {
        let message = "the input begins as UTF-16, but this is not UTF-16; save the file as UTF-8";
        Diagnostic::new(code::ENCODING, message).at(Span::new(at, at + char::REPLACEMENT_CHARACTER.len_utf8()))
    });
    Decoded { text: Cow::Owned(text), diagnostic }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn finding(bytes: &[u8]) -> (String, Option<(Span, String)>) {
        let decoded = decode(bytes);
        (decoded.text.into_owned(), decoded.diagnostic.map(|d| (d.place.unwrap().span, d.message)))
    }

    #[test]
    fn marks_are_taken_off_and_utf_16_is_decoded() {
        assert_eq!(finding(b"\xef\xbb\xbfa: b"), ("a: b".to_owned(), None));
        assert_eq!(finding(b"\xff\xfea\0:\0 \0\x3d\xd8\0\xde"), ("a: 😀".to_owned(), None));
        assert_eq!(finding(b"\xfe\xff\0a"), ("a".to_owned(), None));
    }

    #[test]
    fn what_is_no_text_is_reported_once_and_the_rest_is_kept() {
        assert_eq!(
            finding(b"\xef\xbb\xbfs: \xe9\nt: \xe9"),
            (
                "s: \u{fffd}\nt: \u{fffd}".to_owned(),
                Some((Span::new(3, 6), "byte 6 of the input, 0xE9, is not UTF-8; save the file as UTF-8".to_owned()))
            )
        );
        assert_eq!(
            finding(b"\xff\xfea\0\x3d\xd8b\0c"),
            (
                "a\u{fffd}b\u{fffd}".to_owned(),
                Some((
                    Span::new(1, 4),
                    "the input begins as UTF-16, but this is not UTF-16; save the file as UTF-8".to_owned()
                ))
            )
        );
    }
}
