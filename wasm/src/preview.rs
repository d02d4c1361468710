//! What the previewer asks: findings, hints, comparisons, as JSON.
//!
//! There is no logic here: what is found, and its shape, come from `vmcp-core`.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use core::time::Duration;

use vmcp_core::judge::judge;
use vmcp_core::preview::Preview;
use vmcp_core::report::Columns;
use vmcp_core::shape::Shape as _;
use vmcp_core::trust::UnixTime;
use wasm_bindgen::prelude::wasm_bindgen;

/// The answers' own types stand beside the module, made from the same declarations.
#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"import type { Choices, Comparison, DocumentView, Explanation, KeyHover, Naming, Report, Setting, View } from "./preview.d.ts";
export type * from "./preview.d.ts";

/** JSON text of a value of this type. */
export type Json<T> = string & { readonly json?: T };
"#;

/// Everything that is wrong with a configuration, or with Kubernetes objects that hold some.
///
/// `file` is what the findings call the input. The answer is what `vmcp validate --format json` prints for one input,
/// but for its columns: they count UTF-16 code units, as JavaScript's strings do.
#[wasm_bindgen(unchecked_return_type = "Json<Report>")]
#[must_use]
pub fn validate(text: &str, file: &str) -> String {
    judge(text.as_bytes()).report(file, Columns::Utf16, |report| report.to_json())
}

/// One text while it is written, with the files and variables that stand beside it. Answers are JSON; their types are in
/// `preview.d.ts`.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct Session(Preview);

#[wasm_bindgen]
impl Session {
    /// No text, no files, no variables.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file where a configuration names it.
    #[wasm_bindgen(js_name = giveFile)]
    pub fn give_file(&mut self, path: &str, bytes: &[u8]) {
        self.0.give_file(path, bytes);
    }

    /// Takes a file away.
    #[wasm_bindgen(js_name = takeFile)]
    pub fn take_file(&mut self, path: &str) {
        self.0.take_file(path);
    }

    /// Says which variables are set, one name a line.
    #[wasm_bindgen(js_name = giveVariables)]
    pub fn give_variables(&mut self, names: &str) {
        self.0.give_variables(names.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned));
    }

    /// Gives the long texts, which the module does not carry: what stands in `words.txt`.
    #[wasm_bindgen(js_name = giveWords)]
    pub fn give_words(&mut self, text: &str) {
        self.0.give_words(text);
    }

    /// What a code means: an `Explanation`, or `null`. Its texts are empty before `giveWords`.
    #[wasm_bindgen(unchecked_return_type = "Json<Explanation | null>")]
    #[must_use]
    pub fn explain(&self, code: &str) -> String {
        self.0.explain(code).to_json()
    }

    /// Judges a text, given as the bytes of a file are: a `View`. `now` is in seconds since 1970.
    #[wasm_bindgen(unchecked_return_type = "Json<View>")]
    pub fn check(&mut self, text: &[u8], now: f64) -> String {
        self.0.check(text, UnixTime::since_unix_epoch(Duration::try_from_secs_f64(now).unwrap_or_default())).to_json()
    }

    /// A `View` as `check` gives it, or `null` if it takes more than texts alone tell: custom resources, or files that were
    /// given. A page that is made of two parts asks this first, since the first part can answer it.
    #[wasm_bindgen(unchecked_return_type = "Json<View | null>")]
    pub fn glance(&mut self, text: &[u8]) -> String {
        self.0.glance(text).to_json()
    }

    /// The backends of a document of the text, and what it needs: a `DocumentView`, or `null` if there is none of this number.
    #[wasm_bindgen(unchecked_return_type = "Json<DocumentView | null>")]
    #[must_use]
    pub fn document(&self, document: usize) -> String {
        self.0.document(document).to_json()
    }

    /// The effective configuration of a document of the text: `Setting[]`.
    #[wasm_bindgen(unchecked_return_type = "Json<Setting[]>")]
    #[must_use]
    pub fn settings(&self, document: usize) -> String {
        self.0.settings(document).to_json()
    }

    /// What is known of the key at a place: a `KeyHover` or `null`.
    #[wasm_bindgen(unchecked_return_type = "Json<KeyHover | null>")]
    #[must_use]
    pub fn hover(&self, line: u32, column: u32) -> String {
        self.0.hover(line, column).to_json()
    }

    /// What may be written at a place of `text`: `Choices` or `null`.
    #[wasm_bindgen(unchecked_return_type = "Json<Choices | null>")]
    #[must_use]
    pub fn choices(&self, text: &str, line: u32, column: u32) -> String {
        self.0.choices(text, line, column).to_json()
    }

    /// What changes from `old` to a document of the text: a `Comparison`.
    #[wasm_bindgen(unchecked_return_type = "Json<Comparison>")]
    #[must_use]
    pub fn compare(&self, old: &str, document: usize) -> String {
        self.0.compare(old, document).to_json()
    }

    /// What tools would be called: a `Naming`. An empty `backend` means each.
    #[wasm_bindgen(unchecked_return_type = "Json<Naming>")]
    #[must_use]
    pub fn names(&self, document: usize, backend: &str, pasted: &str) -> String {
        self.0.names(document, Some(backend).filter(|name| !name.is_empty()), pasted).to_json()
    }
}
