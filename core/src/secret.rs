//! Values that must never be shown: wiped when dropped, redacted in `Debug`, compared in constant time.
//!
//! It does not encrypt or store anything. The value is exposed in one place only, where the transport writes headers.

use alloc::string::String;
use zeroize::Zeroizing;

/// A secret text. The default is an empty one.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over a value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself. Callers write it to a connection and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("[secret]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (x, y)| differs | (x ^ y)) == 0
    }
}
impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("s3cr3t");
        assert_eq!(alloc::format!("{secret:?}"), "[secret]");
        assert_eq!(secret.expose(), "s3cr3t");
        assert_eq!(secret, Secret::new("s3cr3t"));
        assert_ne!(secret, Secret::new("s3cr3T"));
    }
}
