//! Any bytes as an input: reading must end without a panic, and every finding and every configuration must stand in the
//! text.
//!
//! What the findings say is not judged here.

#![no_main]

use libfuzzer_sys::fuzz_target;
use vmcp_core::judge::judge;
use vmcp_core::text::Span;

fuzz_target!(|bytes: &[u8]| {
    let judgement = judge(bytes);
    let text = judgement.text.as_str();
    let inside = |span: Span| assert!(text.get(span.range()).is_some(), "{span:?} is no part of the text");
    let findings = judgement.documents.iter().flat_map(|document| &document.findings).chain(&judgement.diagnostics);
    for finding in findings {
        finding.place.iter().for_each(|place| inside(place.span));
        finding.help.iter().flat_map(|help| &help.edits).for_each(|edit| inside(edit.span));
        assert!(!finding.message.contains('\n'), "a message of several lines: {:?}", finding.message);
    }
    judgement.secrets.into_iter().for_each(inside);
});
