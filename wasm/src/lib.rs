//! The core's judgement for JavaScript, in a browser or in Node: text in, JSON out.
//!
//! There is no logic here: what is found, and its shape, come from `vmcp-core`.

use vmcp_core::judge::judge;
use vmcp_core::report::Columns;
use wasm_bindgen::prelude::wasm_bindgen;

/// Everything that is wrong with a configuration, or with Kubernetes objects that hold some.
///
/// `file` is what the findings call the input. The answer is what `vmcp validate --format json` prints for one input,
/// but for its columns: they count UTF-16 code units, as JavaScript's strings do.
#[wasm_bindgen]
#[must_use]
pub fn validate(text: &str, file: &str) -> String {
    // The report has string keys and no failing implementations, so there is no error to tell.
    judge(text.as_bytes()).report(file, Columns::Utf16, |report| serde_json::to_string(report).unwrap_or_default())
}
