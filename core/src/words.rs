//! The long texts: what each code means, and what each key is for.
//!
//! They are a third of what a page would have to load before it can judge anything, so a module may be built without them (no
//! feature `words`) and be given them later, as the one text that [`all`] makes. It does not touch messages and advice: those are
//! always there.

use alloc::string::String;

/// The long texts that were given to a module that has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(String);

impl Words {
    /// Takes what [`all`] made.
    #[must_use]
    pub fn given(text: String) -> Self {
        Self(text)
    }

    /// The texts under a name, such as `yaml/syntax` or `Config.name`.
    pub(crate) fn of(&self, name: &str) -> Option<(&str, &str)> {
        let mut lines = self.0.lines().map(|line| line.split('\t'));
        let mut line = lines.find(|line| line.clone().next() == Some(name))?;
        line.next();
        Some((line.next()?, line.next().unwrap_or_default()))
    }
}

/// The text, or nothing in a module that is built without long texts.
pub(crate) const fn kept(text: &'static str) -> &'static str {
    if cfg!(feature = "words") { text } else { "" }
}

/// Whether a key's documentation says that it must be written: it ends with the word.
pub(crate) const fn says_required(doc: &str) -> bool {
    const WORD: &[u8] = b"equired.\n";
    let doc = doc.as_bytes();
    if doc.len() <= WORD.len() {
        return false;
    }
    let mut at = 0;
    while at < WORD.len() {
        if doc[doc.len() - WORD.len() + at] != WORD[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// All long texts, one name a line: of a code its summary and explanation, of a key its documentation, between tabs.
#[cfg(feature = "words")]
#[must_use]
pub fn all() -> String {
    use crate::config::{Described as _, Table};
    use alloc::collections::BTreeSet;
    use alloc::format;

    fn add(table: &'static Table, seen: &mut BTreeSet<&'static str>, out: &mut String) {
        if !seen.insert(table.name) {
            return;
        }
        for key in table.keys {
            out.push_str(&format!("{}.{}\t{}\n", table.name, key.name, key.explanation()));
            if let Some(inner) = (key.ty)().structure() {
                add(inner, seen, out);
            }
        }
    }

    let mut out = String::new();
    for code in crate::diagnostic::ALL {
        out.push_str(&format!("{}\t{}\t{}\n", code.id(), code.summary(), code.explanation()));
    }
    add(crate::config::Config::table(), &mut BTreeSet::new(), &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, hints};
    use alloc::format;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn every_text_is_found_again_word_for_word() {
        let words = Words::given(all());
        for code in crate::diagnostic::ALL {
            assert_eq!(words.of(code.id()), Some((code.summary(), code.explanation())));
        }
        for key in config::keys().keys {
            let (doc, _) = words.of(&format!("Config.{}", key.name)).unwrap();
            assert_eq!(doc, key.explanation());
            assert_eq!(hints::hover(&format!("{}: x", key.name), 1).unwrap().doc, doc);
        }
        assert_eq!(words.of("Config"), None);
        assert_eq!(words.of(""), None);
    }

    #[test]
    fn what_is_required_is_told_by_the_last_word() {
        assert!(says_required(" The time. Required.\n") && says_required(" Some; required.\n"));
        assert!(!says_required(" Required where it is so.\n") && !says_required("") && !says_required(" Required."));
    }
}
