//! Which characters a YAML text may hold.
//!
//! It looks at characters alone; whether a tab stands where only spaces may is the scanner's question.

/// The first character that yaml.v3's reader refuses, with its byte offset.
///
/// It takes tab, line feed, carriage return, U+0020 to U+007E, U+0085, U+00A0 to U+D7FF, U+E000 to U+FFFD and all
/// beyond U+FFFF (YAML 1.1, section 5.1), and so a byte-order mark anywhere.
pub(super) fn first_forbidden(text: &str) -> Option<(usize, char)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        // Nearly every byte of nearly every text passes here.
        while matches!(bytes.get(at), Some(b' '..=b'~' | b'\n' | b'\t' | b'\r')) {
            at += 1;
        }
        let found = text.get(at..)?.chars().next()?;
        if !allowed(found) {
            return Some((at, found));
        }
        at += found.len_utf8();
    }
}

fn allowed(c: char) -> bool {
    matches!(c,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn control_characters_and_non_characters_are_found_where_they_stand() {
        assert_eq!(first_forbidden("a: é\u{85}😀\u{feff}\t\r\n~"), None);
        assert_eq!(first_forbidden(""), None);
        for c in ['\0', '\u{1}', '\u{1b}', '\u{7f}', '\u{80}', '\u{9f}', '\u{fffe}', '\u{ffff}'] {
            let text = alloc::format!("é: {c}");
            assert_eq!(first_forbidden(&text), Some((4, c)));
        }
    }
}
