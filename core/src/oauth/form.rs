//! Forms (`application/x-www-form-urlencoded`) as Go writes them: names sorted, so that a request is the same bytes.
//!
//! It reads none.

use alloc::string::String;
use alloc::vec::Vec;

use crate::secret::Secret;

/// Names and values.
pub(super) struct Form(Vec<(&'static str, Secret)>);

impl Form {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.push((name, Secret::new(value)));
        self
    }

    /// The same, unless there is nothing to say.
    pub(super) fn and(self, name: &'static str, value: &str) -> Self {
        if value.is_empty() { self } else { self.with(name, value) }
    }

    /// RFC 6749 section 3.3: separated by spaces.
    pub(super) fn scopes(self, scopes: &[String]) -> Self {
        self.and("scope", &scopes.join(" "))
    }

    pub(super) fn encode(mut self) -> Secret {
        self.0.sort_by_key(|(name, _)| *name);
        // At its final size, so that no copy is left behind.
        let size = self.0.iter().map(|(name, value)| name.len() + 3 * value.expose().len() + 2).sum();
        let mut out = String::with_capacity(size);
        for (name, value) in &self.0 {
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(name);
            out.push('=');
            encode(value.expose(), &mut out);
        }
        Secret::new(out)
    }
}

/// One value, as `url.QueryEscape` writes it.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(3 * text.len());
    encode(text, &mut out);
    out
}

fn encode(text: &str, out: &mut String) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.extend(['%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        }
    }
}
