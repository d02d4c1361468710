//! Any text as a configuration: reading must end without a panic, and every finding must point into the text.
//!
//! What the findings say is not judged here.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vmcp_core::config::decode;
use vmcp_core::yaml::{Positions, documents};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let positions = Positions::default();
    for document in documents(text, &positions) {
        let mut findings = document.diagnostics;
        decode(document.tree.root(), &mut findings);
        for place in findings.iter().filter_map(|finding| finding.place.as_ref()) {
            assert!(text.get(place.span.range()).is_some(), "{:?} is no part of the text", place.span);
        }
    }
});
