//! Base64 (RFC 4648 sections 4 and 5) for header values and cursors.
//!
//! It does not wrap lines and accepts one spelling only: no white space, no missing or needless padding.

use alloc::string::String;
use alloc::vec::Vec;

/// Which of the two alphabets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// `+` and `/`, padded.
    Standard,
    /// `-` and `_`, not padded.
    Url,
}

impl Alphabet {
    fn symbol(self, value: u32) -> char {
        let value = (value & 63) as u8;
        char::from(match value {
            0..26 => b'A' + value,
            26..52 => b'a' + (value - 26),
            52..62 => b'0' + (value - 52),
            62 => [b'+', b'-'][usize::from(self == Self::Url)],
            _ => [b'/', b'_'][usize::from(self == Self::Url)],
        })
    }

    fn value(self, symbol: u8) -> Option<u32> {
        Some(u32::from(match (symbol, self) {
            (b'A'..=b'Z', _) => symbol - b'A',
            (b'a'..=b'z', _) => symbol - b'a' + 26,
            (b'0'..=b'9', _) => symbol - b'0' + 52,
            (b'+', Self::Standard) | (b'-', Self::Url) => 62,
            (b'/', Self::Standard) | (b'_', Self::Url) => 63,
            _ => return None,
        }))
    }
}

/// Writes bytes as text.
#[must_use]
pub fn encode(alphabet: Alphabet, bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            text.push(alphabet.symbol(bits >> (18 - 6 * place)));
        }
        if alphabet == Alphabet::Standard {
            text.extend(core::iter::repeat_n('=', 3 - group.len()));
        }
    }
    text
}

/// Reads text back; `None` unless [`encode`] would write exactly this text.
#[must_use]
pub fn decode(alphabet: Alphabet, text: &str) -> Option<Vec<u8>> {
    let symbols = match alphabet {
        Alphabet::Url => text,
        Alphabet::Standard if !text.len().is_multiple_of(4) => return None,
        Alphabet::Standard => {
            text.strip_suffix("==").filter(|t| t.len() % 4 == 2).or_else(|| text.strip_suffix('=')).unwrap_or(text)
        }
    };
    let mut bytes = Vec::with_capacity(symbols.len() * 3 / 4);
    for group in symbols.as_bytes().chunks(4) {
        let mut bits = 0;
        for &symbol in group {
            bits = bits << 6 | alphabet.value(symbol)?;
        }
        bits <<= 6 * (4 - group.len());
        let whole = bits.to_be_bytes();
        let length = group.len().checked_sub(1).filter(|&length| length > 0)?;
        if whole.get(1 + length..)?.iter().any(|&spare| spare != 0) {
            return None;
        }
        bytes.extend_from_slice(whole.get(1..1 + length)?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_vectors_of_rfc_4648() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(Alphabet::Standard, plain.as_bytes()), text);
            assert_eq!(decode(Alphabet::Standard, text).unwrap(), plain.as_bytes());
            let bare = text.trim_end_matches('=');
            assert_eq!(encode(Alphabet::Url, plain.as_bytes()), bare);
            assert_eq!(decode(Alphabet::Url, bare).unwrap(), plain.as_bytes());
        }
        assert_eq!(encode(Alphabet::Url, &[0xfb, 0xff]), "-_8");
        assert_eq!(encode(Alphabet::Standard, &[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["Zg", "Zg=", "Zh==", "Zm9=", "Z g=", "====", "=", "Zm9v====", "Zm8=Zm8="] {
            assert_eq!(decode(Alphabet::Standard, text), None, "{text}");
        }
        for text in ["Zg==", "Z", "Zh", "+/8", "Zé"] {
            assert_eq!(decode(Alphabet::Url, text), None, "{text}");
        }
    }
}
