//! Every rule about values, each applied wherever it can be: all findings of one configuration in one run.
//!
//! It judges text only: no file, variable or server is looked at. Rules are those of the Go program's loader, validator
//! and start-up checks, and those that it lacks.

mod aggregation;
mod backends;
mod composite;
mod dead;
mod headers;
mod incoming;
mod operational;
mod outgoing;
mod services;
mod variables;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::decode::shown;
use super::duration::Duration;
use super::findings::{Findings, Path};
use super::model::{Config, Described, Table, Text};
use super::source::{Origin, Spanned};
use crate::diagnostic::{Code, Diagnostic, Edit, Place, code, nearest};
use crate::order;
use crate::text::Span;

/// With more backends than this, no name is guessed: comparing each with each would take long.
const NAMES_COMPARED: usize = 256;

/// Reports everything that is wrong with `config`, except what decoding it has reported.
pub fn validate(config: &Config, diagnostics: &mut Vec<Diagnostic>) {
    let mut findings = Findings::new(diagnostics);
    check(config, &mut findings);
    findings.finish();
}

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    let top = &Path::TOP;
    findings.required_text(config, "name", &config.name, "the name of this server", top);
    findings.required_text(config, "groupRef", &config.group_ref, "the name of the backends' group", top);
    let names = &Names::of(config);
    backends::check(config, names, findings);
    findings.required_block(
        config,
        "incomingAuth",
        config.incoming_auth.as_ref(),
        "how callers are identified, such as `{type: oidc, …}`",
        top,
    );
    if let Some(incoming) = &config.incoming_auth {
        incoming::check(incoming, &top.key("incomingAuth"), findings);
    }
    findings.required_block(
        config,
        "outgoingAuth",
        config.outgoing_auth.as_ref(),
        "what is sent to backends, at least `{source: inline}`",
        top,
    );
    if let Some(outgoing) = &config.outgoing_auth {
        outgoing::check(outgoing, names, &top.key("outgoingAuth"), findings);
    }
    findings.required_block(
        config,
        "aggregation",
        config.aggregation.as_ref(),
        "how names of tools are kept apart, such as `{conflictResolution: prefix, …}`",
        top,
    );
    if let Some(aggregation) = &config.aggregation {
        aggregation::check(aggregation, names, &top.key("aggregation"), findings);
    }
    if let Some(operational) = &config.operational {
        operational::check(operational, names, &top.key("operational"), findings);
    }
    composite::check(config, findings);
    headers::check_passthrough(&config.passthrough_headers, &top.key("passthroughHeaders"), findings);
    services::check(config, findings);
    dead::check(config, findings);
    for key in super::unenforced::unenforced(config) {
        findings.keep(key.diagnostic());
    }
}

/// The rules that many keys share.
impl Findings<'_> {
    /// The text of a key that must be there and not empty.
    fn required_text<'c>(
        &mut self,
        owner: &impl Described,
        key: &'static str,
        text: &'c Text,
        expected: &str,
        path: &Path<'_>,
    ) -> Option<&'c Spanned<String>> {
        match text {
            Some(text) if !text.is_empty() => return Some(text),
            Some(text) => self.empty(key, text.span, expected, path),
            None => self.missing(owner, key, expected, path),
        }
        None
    }

    fn empty(&mut self, key: &'static str, span: Span, expected: &str, path: &Path<'_>) {
        self.report(code::CONFIG_MISSING_KEY, span, &path.key(key), || {
            format!("`{key}` is empty; expected {expected}")
        });
    }

    /// A block that must be there.
    fn required_block<T>(
        &mut self,
        owner: &impl Described,
        key: &'static str,
        block: Option<&T>,
        expected: &str,
        path: &Path<'_>,
    ) {
        if block.is_none() {
            self.missing(owner, key, expected, path);
        }
    }

    /// A key that is not there, unless it is and could not be read.
    fn missing<S: Described>(&mut self, owner: &S, key: &'static str, expected: &str, path: &Path<'_>) {
        self.missing_from(S::table(), owner.origin(), key, expected, path);
    }

    fn missing_from(
        &mut self,
        table: &'static Table,
        origin: &Origin,
        key: &'static str,
        expected: &str,
        path: &Path<'_>,
    ) {
        if table.position(key).is_some_and(|position| origin.is_unread(position)) {
            return;
        }
        self.report(code::CONFIG_MISSING_KEY, origin.key, path, || {
            format!("{} has no `{key}`; expected {expected}", table.noun)
        });
    }

    /// A text that must be one of its key's values, if it is there and not empty.
    fn choice<S: Described>(&mut self, _: &S, key: &'static str, text: &Text, path: &Path<'_>) {
        let values = S::table().keys.iter().find(|known| known.name == key).map_or(&[][..], |known| known.values);
        if let Some(text) = text.as_ref().filter(|text| !text.is_empty() && !values.contains(&text.as_str())) {
            self.bad_choice(key, text, values, path);
        }
    }

    /// The same for a key that must be there; gives the text if it is one of the values.
    fn required_choice<'c, S: Described>(
        &mut self,
        owner: &S,
        key: &'static str,
        text: &'c Text,
        path: &Path<'_>,
    ) -> Option<&'c str> {
        let values = S::table().keys.iter().find(|known| known.name == key).map_or(&[][..], |known| known.values);
        let text = self.required_text(owner, key, text, &any_of(values), path)?;
        if values.contains(&text.as_str()) {
            return Some(text);
        }
        self.bad_choice(key, text, values, path);
        None
    }

    /// A text that is none of `values`.
    fn bad_choice(&mut self, key: &'static str, text: &Spanned<String>, values: &[&str], path: &Path<'_>) {
        let draft = self.draft(code::CONFIG_BAD_VALUE, text.span, &path.key(key), || {
            format!("`{key}` is `{}`; expected {}", shown(text), any_of(values))
        });
        if let Some(draft) = draft {
            self.push(match nearest(text, values.iter().copied()) {
                Some(meant) => draft.fix(format!("did you mean `{meant}`?"), replace(text.span, meant), false),
                None => draft,
            });
        }
    }

    /// A name that stands twice in a list where it may stand once.
    fn duplicate(&mut self, span: Span, first: Span, path: &Path<'_>, message: impl FnOnce() -> String) {
        if let Some(draft) = self.draft(code::CONFIG_DUPLICATE_NAME, span, path, message) {
            self.push(draft.related(Place::input(first), "first used here"));
        }
    }

    /// A path of a file with certificates: absolute, without `..` and NUL. Go refuses `..` anywhere, so `a..b` too.
    fn ca_path(&mut self, key: &'static str, text: &Spanned<String>, path: &Path<'_>) {
        let wrong = if text.contains('\0') {
            "contains a NUL character"
        } else if text.contains("..") {
            "contains `..`"
        } else if !text.starts_with('/') {
            "is not absolute"
        } else {
            return;
        };
        self.report(code::CONFIG_BAD_PATH, text.span, &path.key(key), || {
            format!("`{key}` is `{}`, which {wrong}; expected an absolute path without `..`", shown(text))
        });
    }

    /// A number that must lie in a range.
    fn range(&mut self, key: &'static str, number: &Spanned<i64>, min: i64, max: i64, path: &Path<'_>) {
        if (min..=max).contains(&number.value) {
            return;
        }
        self.report(code::CONFIG_OUT_OF_RANGE, number.span, &path.key(key), || match max {
            i64::MAX => format!("`{key}` is {}; expected at least {min}", number.value),
            max => format!("`{key}` is {}; expected {min} to {max}", number.value),
        });
    }

    /// A duration that is too short.
    fn at_least(&mut self, name: &str, span: Span, actual: Duration, expected: &str, path: &Path<'_>) {
        self.report(code::CONFIG_OUT_OF_RANGE, span, &path.key(name), || {
            format!("`{name}` is {actual}; expected {expected}")
        });
    }
}

/// `a`, `b` or `c`.
fn any_of(values: &[&str]) -> String {
    match values {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [most @ .., last] => {
            let most = most.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
            format!("{most} or `{last}`")
        }
    }
}

fn replace(span: Span, by: &str) -> Vec<Edit> {
    Vec::from([Edit { span, replacement: by.into() }])
}

/// The names of all backends, sorted once for all who ask.
struct Names<'c> {
    /// Each with its backend's index.
    sorted: Vec<(&'c str, usize)>,
    /// Whether some name is missing or could not be read: then nothing is said about names that stand elsewhere.
    incomplete: bool,
}

impl<'c> Names<'c> {
    fn of(config: &'c Config) -> Self {
        let named = |(index, backend): (usize, &'c super::model::StaticBackendConfig)| {
            backend.name.as_ref().filter(|name| !name.is_empty()).map(|name| (name.as_str(), index))
        };
        let mut sorted = config.backends.iter().enumerate().filter_map(named).collect::<Vec<_>>();
        order::sort(&mut sorted, Ord::cmp);
        let incomplete = sorted.len() < config.backends.len() || sorted.is_empty() || config.is_unread("backends");
        Self { sorted, incomplete }
    }

    fn contains(&self, name: &str) -> bool {
        self.sorted.binary_search_by(|(found, _)| (*found).cmp(name)).is_ok()
    }
}

/// Reports a name that should be a backend's and is none. `path` is the name's.
fn warn_unknown_backend(
    code: Code,
    name: &Spanned<String>,
    names: &Names<'_>,
    path: &Path<'_>,
    findings: &mut Findings<'_>,
) {
    if names.incomplete || names.contains(name) {
        return;
    }
    let Some(draft) = findings.draft(code, name.span, path, || {
        format!("`{}` is the name of no backend; expected one of `backends`", shown(name))
    }) else {
        return;
    };
    let few = names.sorted.len() <= NAMES_COMPARED;
    let meant = if few { nearest(name, names.sorted.iter().map(|&(name, _)| name)) } else { None };
    findings.push(match meant {
        Some(meant) => draft.fix(format!("did you mean `{meant}`?"), replace(name.span, meant), false),
        None => draft,
    });
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{findings, findings_of_all};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_sound_configuration_has_no_findings() {
        assert_eq!(findings(""), [""; 0]);
    }

    #[test]
    fn everything_that_is_missing_is_reported_at_once() {
        assert_eq!(
            findings_of_all("metadata: {}\n"),
            [
                "backend/none /backends «» there are no backends; expected a list of at least one under `backends`",
                "config/missing-key  «» the configuration has no `aggregation`; expected how names of tools are kept apart, such as `{conflictResolution: prefix, …}`",
                "config/missing-key  «» the configuration has no `groupRef`; expected the name of the backends' group",
                "config/missing-key  «» the configuration has no `incomingAuth`; expected how callers are identified, such as `{type: oidc, …}`",
                "config/missing-key  «» the configuration has no `name`; expected the name of this server",
                "config/missing-key  «» the configuration has no `outgoingAuth`; expected what is sent to backends, at least `{source: inline}`",
            ]
        );
        assert_eq!(
            findings_of_all(
                "name: ''\ngroupRef: ''\nbackends: []\nincomingAuth:\noutgoingAuth: ~\naggregation: null\n"
            ),
            [
                "config/missing-key  «» the configuration has no `aggregation`; expected how names of tools are kept apart, such as `{conflictResolution: prefix, …}`",
                "config/missing-key  «» the configuration has no `incomingAuth`; expected how callers are identified, such as `{type: oidc, …}`",
                "config/missing-key  «» the configuration has no `outgoingAuth`; expected what is sent to backends, at least `{source: inline}`",
                "config/missing-key /name «''» `name` is empty; expected the name of this server",
                "config/missing-key /groupRef «''» `groupRef` is empty; expected the name of the backends' group",
                "backend/none /backends «backends» there are no backends; expected a list of at least one under `backends`",
            ]
        );
    }

    #[test]
    fn a_value_that_could_not_be_read_is_not_missing_as_well() {
        assert_eq!(
            findings_of_all(
                "name: [x]\ngroupRef: {}\nbackends: x\nincomingAuth: 1\noutgoingAuth: []\naggregation: yes\n"
            ),
            [
                "config/wrong-type /name «name» `name` is a list; expected text",
                "config/wrong-type /groupRef «groupRef» `groupRef` is a mapping; expected text",
                "config/wrong-type /backends «x» `backends` is text; expected a list",
                "config/wrong-type /incomingAuth «1» `incomingAuth` is the number 1; expected a mapping",
                "config/wrong-type /outgoingAuth «outgoingAuth» `outgoingAuth` is a list; expected a mapping",
                "config/wrong-type /aggregation «yes» `aggregation` is text; expected a mapping",
            ]
        );
    }

    #[test]
    fn a_configuration_must_be_a_mapping() {
        assert_eq!(
            findings_of_all(""),
            [
                "config/empty  «» the configuration is empty; expected a mapping with `name`, `groupRef`, `backends` and more",
            ]
        );
        assert_eq!(
            findings_of_all("~\n"),
            [
                "config/empty  «~» the configuration is empty; expected a mapping with `name`, `groupRef`, `backends` and more",
            ]
        );
        assert_eq!(
            findings_of_all("- a\n"),
            ["config/wrong-type  «» the configuration is a list; expected a mapping",]
        );
        assert_eq!(
            findings_of_all("text\n"),
            ["config/wrong-type  «text» the configuration is text; expected a mapping",]
        );
    }
}
