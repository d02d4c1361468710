//! From the bytes of a file to the configurations in it: on its own, or inside of Kubernetes objects.
//!
//! It reads no files and judges no configuration; places are always those of the text that was given.

mod objects;

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::pod::Pod;
use super::{Config, limits};
use crate::crd;
use crate::diagnostic::{Diagnostic, Help, Place, code};
use crate::text::Span;
use crate::yaml::{self, Node, Positions, Shape};

/// Everything found in one input.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// The text that all spans refer to: decoded (see [`yaml::decode`]), without byte-order mark.
    pub text: String,
    /// In text order. More than one only from Kubernetes objects.
    pub configs: Vec<ConfigDocument>,
    /// What the workloads in the input give their vMCP containers, in text order.
    pub pods: Vec<Pod>,
    /// What was passed over.
    pub skipped: Skipped,
    /// Findings about the input itself, in text order; those of a configuration are with it.
    pub diagnostics: Vec<Diagnostic>,
}

/// One configuration.
#[derive(Clone, Debug)]
pub struct ConfigDocument {
    /// The ConfigMap that holds it; `None` for an input that is a configuration itself.
    pub name: Option<ConfigMapName>,
    /// What could be read of it.
    pub config: Config,
    /// Everything that is wrong with it as text, in text order.
    pub diagnostics: Vec<Diagnostic>,
    /// Its bytes in [`Input::text`].
    pub span: Span,
    /// What else stands in the ConfigMap's `data`, and is mounted beside it.
    pub other_files: Vec<String>,
    /// Its bytes that hold a credential: whoever shows the text leaves them out.
    pub secrets: Vec<Span>,
}

impl Input {
    /// The workloads that run a configuration of [`Input::configs`]: those that mount its ConfigMap, or the only one if
    /// there is one of each.
    pub fn pods_of<'i>(&'i self, document: &'i ConfigDocument) -> impl Iterator<Item = &'i Pod> {
        let single = self.configs.len() == 1 && self.pods.len() == 1;
        self.pods.iter().filter(move |pod| single || document.name.as_ref().is_some_and(|name| pod.mounts(name)))
    }
}

/// Which ConfigMap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigMapName {
    /// If it is written.
    pub namespace: Option<String>,
    /// Empty if it is not written.
    pub name: String,
}

impl fmt::Display for ConfigMapName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// What was passed over in silence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// ConfigMaps without `config.yaml`.
    pub config_maps: usize,
    /// Objects of other kinds, by kind.
    pub objects: BTreeMap<String, usize>,
}

/// Reads an input: a configuration, or Kubernetes objects that hold some.
///
/// Never fails; whatever is wrong is among the diagnostics.
#[must_use]
pub fn read(bytes: &[u8]) -> Input {
    let mut input = Input::default();
    if bytes.len() > limits::INPUT_BYTES {
        let message = format!("the input has {} bytes; at most {} are read", bytes.len(), limits::INPUT_BYTES);
        input.diagnostics.push(Diagnostic::new(code::TOO_LARGE, message));
        return input;
    }
    let decoded = yaml::decode(bytes);
    input.diagnostics.extend(decoded.diagnostic);
    let text = decoded.text.into_owned();
    Reader { text: &text, input: &mut input, unjudged: 0, dropped: 0 }.documents();
    advise(&text, &mut input.diagnostics);
    input.text = text;
    input
}

struct Reader<'i> {
    text: &'i str,
    input: &'i mut Input,
    /// Configurations beyond the limit.
    unjudged: usize,
    /// Findings about the input beyond the limit.
    dropped: usize,
}

impl Reader<'_> {
    fn documents(&mut self) {
        let identity = Positions::identity();
        let mut documents = yaml::documents(self.text, &identity);
        let Some(first) = documents.next() else { return };
        if !first.tree.root().is_some_and(is_object) {
            let second = documents.next();
            // Manifests are often glued together with a `---` too many.
            let leading_blank = first.tree.root().is_none_or(Node::is_null) && first.diagnostics.is_empty();
            let objects = leading_blank && second.as_ref().is_some_and(|next| next.tree.root().is_some_and(is_object));
            if !objects {
                self.configuration(first, second.as_ref());
                return;
            }
            self.object(second.unwrap_or_default());
        } else {
            self.object(first);
        }
        for document in documents {
            self.object(document);
        }
        if self.unjudged > 0 {
            let message = format!(
                "{} more configurations are not judged; at most {} of one input are",
                self.unjudged,
                limits::CONFIGURATIONS
            );
            self.input.diagnostics.push(Diagnostic::new(code::TOO_MANY_CONFIGURATIONS, message));
        }
        if self.dropped > 0 {
            let message = format!("{} more errors are not shown; at most {} are", self.dropped, limits::DIAGNOSTICS);
            self.input.diagnostics.push(Diagnostic::new(code::CONFIG_TOO_MANY_ERRORS, message));
        }
        if self.input.configs.is_empty() && !self.input.diagnostics.iter().any(explains_absence) {
            let message = format!(
                "the input holds {}; expected a ConfigMap with `config.yaml`, or a configuration itself",
                self.input.skipped.described(self.input.pods.len())
            );
            let mut finding = Diagnostic::new(code::NO_CONFIGURATION, message);
            if self.input.skipped.objects.keys().any(|kind| crd::is_custom(kind)) {
                finding = finding.help("`vmcp render -f FILE` makes the ConfigMap of custom resources");
            }
            self.input.diagnostics.push(finding);
        }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.input.diagnostics.len() < limits::DIAGNOSTICS {
            self.input.diagnostics.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// The input is a configuration: its first document, as Go reads it.
    fn configuration(&mut self, document: yaml::Parsed<'_>, next: Option<&yaml::Parsed<'_>>) {
        if let Some(root) = next.and_then(|next| next.tree.root()) {
            let finding = Diagnostic::new(
                code::MORE_DOCUMENTS,
                "the configuration ends before this document; what follows is ignored",
            );
            let start = root.span().start as usize;
            let line = self.text.get(start..).and_then(|rest| rest.lines().next()).map_or(0, str::len);
            self.input.diagnostics.push(finding.at(Span::new(start, start + line)));
        }
        let span = Span::new(0, self.text.len());
        self.config(None, document, span, Vec::new());
    }

    fn config(
        &mut self,
        name: Option<ConfigMapName>,
        document: yaml::Parsed<'_>,
        span: Span,
        other_files: Vec<String>,
    ) {
        let mut diagnostics = document.diagnostics;
        let secrets = document.tree.root().map(super::secrets).unwrap_or_default();
        let config = super::read(document.tree.root(), &mut diagnostics);
        if document.tree.root().is_none() {
            // A configuration that is not there has no place of its own; the text that should hold it has.
            for diagnostic in &mut diagnostics {
                diagnostic.place = Some(Place::input(Span::at(span.start as usize)));
            }
        }
        advise(self.text, &mut diagnostics);
        for edit in diagnostics.iter_mut().filter_map(|found| found.help.as_mut()).flat_map(|help| &mut help.edits) {
            edit.replacement = as_quoted(self.text, edit.span, core::mem::take(&mut edit.replacement));
        }
        crate::diagnostic::sort(&mut diagnostics);
        self.input.configs.push(ConfigDocument { name, config, diagnostics, span, other_files, secrets });
    }
}

/// How many characters are looked at for a template's braces.
const LOOKED_AT: usize = 200;

/// Tells those who gave a chart's template instead of what it makes, and shows what looks like a space and is none.
fn advise(text: &str, diagnostics: &mut [Diagnostic]) {
    for diagnostic in diagnostics.iter_mut().filter(|found| found.help.is_none()) {
        let Some(place) =
            diagnostic.place.as_ref().filter(|_| [code::SYNTAX, code::CONFIG_WRONG_TYPE].contains(&diagnostic.code))
        else {
            continue;
        };
        let (before, rest) = text.split_at_checked(place.span.start as usize).unwrap_or((text, ""));
        // As much of the line as says it.
        let on_the_line = |c: &char| *c != '\n';
        let before = before.chars().rev().take(LOOKED_AT).take_while(on_the_line).filter(|c| *c == '{').count();
        let rest: String = rest.chars().take(LOOKED_AT).take_while(on_the_line).collect();
        if let Some(space) = rest.chars().find(|c| c.is_whitespace() && !c.is_ascii()) {
            diagnostic.help = Some(Help {
                text: format!(
                    "the line holds U+{:04X}, which is no space to YAML; write a plain space",
                    u32::from(space)
                ),
                edits: Vec::new(),
                safe: false,
            });
        } else if (before > 1 || rest.contains("{{")) && rest.contains("}}") {
            diagnostic.help = Some(Help {
                text: "`{{…}}` looks like a template; `helm template … | vmcp validate -` judges what it makes"
                    .to_owned(),
                edits: Vec::new(),
                safe: false,
            });
        }
    }
}

/// A replacement in the quotes that its place has, so that JSON stays JSON: those of what it replaces, or those of the
/// key before it. Inside of a JSON string they are escaped.
fn as_quoted(text: &str, span: Span, replacement: String) -> String {
    let written = text.get(span.range()).unwrap_or_default();
    let around =
        |quote: &str| written.len() >= 2 * quote.len() && written.starts_with(quote) && written.ends_with(quote);
    let before = text.get(..span.start as usize).unwrap_or_default().trim_end_matches([' ', '\t', '\n', '\r']);
    let quote = match before.strip_suffix(':').map(str::trim_end) {
        _ if around("\\\"") => "\\\"",
        _ if around("\"") => "\"",
        _ if around("'") => "'",
        Some(key) if key.ends_with("\\\"") => "\\\"",
        Some(key) if key.ends_with('"') => "\"",
        _ => return replacement,
    };
    [quote, &replacement, quote].concat()
}

impl Skipped {
    /// "2 Secrets"
    fn described(&self, pods: usize) -> String {
        let mut parts = Vec::new();
        if self.config_maps > 0 {
            parts.push(format!("{} ConfigMap without `config.yaml`", self.config_maps));
        }
        if pods > 0 {
            parts.push(format!("{pods} workload"));
        }
        parts.extend(self.objects.iter().map(|(kind, count)| format!("{count} {kind}")));
        if parts.is_empty() { String::from("no Kubernetes objects") } else { parts.join(", ") }
    }
}

/// Whether a document says that it is a Kubernetes object.
fn is_object(root: Node<'_, '_>) -> bool {
    matches!(root.shape(), Shape::Mapping(entries) if entries.get("kind").is_some() || entries.get("apiVersion").is_some())
}

/// Whether a finding already says why no configuration was found.
fn explains_absence(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity() == crate::diagnostic::Severity::Error
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn findings(input: &Input) -> Vec<String> {
        let line = |d: &Diagnostic| {
            let text = d.place.as_ref().and_then(|place| input.text.get(place.span.range())).unwrap_or("-");
            format!("{} [{}] {}", d.code, text.escape_debug(), d.message)
        };
        input.diagnostics.iter().map(line).collect()
    }

    fn names(input: &Input) -> Vec<(String, Option<String>)> {
        let name = |document: &ConfigDocument| document.name.as_ref().map_or("-".to_owned(), ToString::to_string);
        input
            .configs
            .iter()
            .map(|document| (name(document), document.config.name.as_ref().map(|n| n.value.clone())))
            .collect()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, Option<String>)> {
        pairs.iter().map(|&(a, b)| (a.to_owned(), Some(b.to_owned()))).collect()
    }

    #[test]
    fn an_input_is_a_configuration_itself() {
        let input = read(b"name: a\n");
        assert_eq!(names(&input), owned(&[("-", "a")]));
        assert_eq!(findings(&input), [""; 0]);
        let input = read(b"\xff\xfen\0a\0m\0e\0:\0 \0b\0");
        assert_eq!(names(&input), owned(&[("-", "b")]));
    }

    #[test]
    fn of_several_documents_of_a_configuration_the_first_one_is_read() {
        let input = read(b"name: a\n---\nname: b\nx: y\n");
        assert_eq!(names(&input), owned(&[("-", "a")]));
        assert_eq!(
            findings(&input),
            ["input/more-documents [name: b] the configuration ends before this document; what follows is ignored"]
        );
        assert_eq!(
            findings(&read(b"name: a\n---\n")),
            ["input/more-documents [] the configuration ends before this document; what follows is ignored"]
        );
    }

    #[test]
    fn configmaps_are_found_in_documents_lists_and_json() {
        let one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m, namespace: n}\ndata:\n  config.yaml: |\n    name: a\n  more: x\n";
        let input = read(one.as_bytes());
        assert_eq!(names(&input), owned(&[("n/m", "a")]));
        assert_eq!(input.configs[0].other_files, ["more"]);
        let many = format!(
            "---\n# nothing\n---\n{one}---\napiVersion: v1\nkind: List\nitems:\n- kind: ConfigMap\n  metadata: {{name: o}}\n  data: {{config.yaml: 'name: b'}}\n- kind: ConfigMap\n- kind: Secret\n"
        );
        let input = read(many.as_bytes());
        assert_eq!(names(&input), owned(&[("n/m", "a"), ("o", "b")]));
        assert_eq!(input.skipped.config_maps, 1);
        assert_eq!(input.skipped.objects, BTreeMap::from([("Secret".to_owned(), 1)]));
        let json = br#"{"apiVersion":"v1","kind":"ConfigMapList","items":[{"metadata":{"name":"p"},"data":{"config.yaml":"name: \"c\"\n"}}]}"#;
        assert_eq!(names(&read(json)), owned(&[("p", "c")]));
    }

    #[test]
    fn an_input_without_configuration_says_what_it_holds() {
        assert_eq!(
            findings(&read(b"kind: Secret\n---\nkind: ConfigMap\n")),
            [
                "input/no-configuration [-] the input holds 1 ConfigMap without `config.yaml`, 1 Secret; expected a ConfigMap with `config.yaml`, or a configuration itself"
            ]
        );
        let input = read(b"apiVersion: toolhive.stacklok.dev/v1beta1\nkind: VirtualMCPServer\n");
        let finding = input.diagnostics.first().unwrap();
        assert_eq!(
            (finding.message.as_str(), finding.help.as_ref().map(|help| help.text.as_str())),
            (
                "the input holds 1 VirtualMCPServer; expected a ConfigMap with `config.yaml`, or a configuration itself",
                Some("`vmcp render -f FILE` makes the ConfigMap of custom resources")
            )
        );
        assert_eq!(
            findings(&read(b"kind: List\nitems: []\n")),
            [
                "input/no-configuration [-] the input holds no Kubernetes objects; expected a ConfigMap with `config.yaml`, or a configuration itself"
            ]
        );
        assert_eq!(
            findings(&read(b"kind: Secret\n---\nname: x\n")),
            [
                "input/no-kind [name: x] this document has neither `apiVersion` nor `kind`; expected a Kubernetes object, as before it",
                "input/no-configuration [-] the input holds 1 Secret; expected a ConfigMap with `config.yaml`, or a configuration itself"
            ]
        );
    }

    #[test]
    fn a_template_is_told_from_what_it_makes() {
        let helps = |text: &str| {
            let input = read(text.as_bytes());
            let all = input.diagnostics.iter().chain(input.configs.iter().flat_map(|config| &config.diagnostics));
            all.filter_map(|found| found.help.as_ref()).map(|help| help.text.clone()).collect::<Vec<_>>()
        };
        let help = "`{{…}}` looks like a template; `helm template … | vmcp validate -` judges what it makes";
        assert_eq!(helps("{{- if .Values.on }}\nname: a\n"), [help]);
        assert_eq!(helps("groupRef: b\nname: {{ .Values.name }}\n"), [help]);
        assert_eq!(helps("kind: ConfigMap\n{{- with .x }}\ndata: {}\n"), [help]);
        assert_eq!(helps("name: {a: b}\n"), [""; 0]);
        let space = "the line holds U+00A0, which is no space to YAML; write a plain space";
        assert_eq!(helps("name: a\ngroupRef:\u{a0}b\n"), [space]);
    }

    #[test]
    fn what_mends_json_leaves_it_json() {
        let mended = |text: &str| {
            let input = read(text.as_bytes());
            let edits = input.configs.iter().flat_map(|config| &config.diagnostics);
            let mut edits: Vec<_> =
                edits.filter_map(|found| found.help.as_ref()).flat_map(|help| &help.edits).collect();
            edits.sort_by_key(|edit| edit.span.start);
            let mut text = text.to_owned();
            for edit in edits.iter().rev() {
                text.replace_range(edit.span.range(), &edit.replacement);
            }
            text
        };
        assert_eq!(
            mended(
                r#"{"nam": "a", "incomingAuth": {"type": "anonymos"}, "operational": {"timeouts": {"default" : 30}}}"#
            ),
            r#"{"name": "a", "incomingAuth": {"type": "anonymous"}, "operational": {"timeouts": {"default" : "30s"}}}"#
        );
        assert_eq!(
            mended(
                r#"{"kind":"ConfigMap","data":{"config.yaml":"{\"incomingAuth\":{\"type\":\"anonymos\"},\"operational\":{\"timeouts\":{\"default\":30}}}"}}"#
            ),
            r#"{"kind":"ConfigMap","data":{"config.yaml":"{\"incomingAuth\":{\"type\":\"anonymous\"},\"operational\":{\"timeouts\":{\"default\":\"30s\"}}}"}}"#
        );
        assert_eq!(
            mended("incomingAuth: {type: 'anonymos'}\nnam: a\n"),
            "incomingAuth: {type: 'anonymous'}\nname: a\n"
        );
    }

    #[test]
    fn a_config_file_that_is_no_text_is_an_error_of_its_own() {
        assert_eq!(
            findings(&read(b"kind: ConfigMap\ndata:\n  config.yaml:\n    name: a\n")),
            [
                "input/not-text [name: a] `config.yaml` is a map; expected text: `config.yaml: |` and the configuration indented below"
            ]
        );
        assert_eq!(
            findings(&read(b"kind: ConfigMap\nbinaryData: {config.yaml: bmFtZTogYQo=}\n")),
            [
                "input/binary-data [bmFtZTogYQo=] `config.yaml` stands under `binaryData`; expected it under `data`, as text"
            ]
        );
    }

    #[test]
    fn an_empty_or_oversized_input_is_said_to_be_one() {
        let input = read(b"# nothing\n");
        assert_eq!(input.configs.len(), 1);
        assert_eq!(input.configs[0].diagnostics[0].code, code::CONFIG_EMPTY);
        let input = read(b"kind: ConfigMap\ndata:\n  config.yaml: ''\n");
        let place = input.configs[0].diagnostics[0].place.clone();
        assert_eq!(place, Some(Place::input(Span::at(37))));
        let input = read(&alloc::vec![b' '; limits::INPUT_BYTES + 1]);
        assert_eq!(findings(&input), ["input/too-large [-] the input has 67108865 bytes; at most 67108864 are read"]);
        assert!(input.configs.is_empty());
    }

    #[test]
    fn a_broken_document_does_not_hide_the_next() {
        let input =
            read(b"kind: ConfigMap\nx: [\n---\nkind: ConfigMap\nmetadata: {name: m}\ndata: {config.yaml: 'name: a'}\n");
        assert_eq!(names(&input), owned(&[("m", "a")]));
        assert_eq!(findings(&input), ["yaml/syntax [[] `[` is never closed; expected `]` before the end"]);
    }

    #[test]
    fn what_one_input_may_cost_is_bounded() {
        let many = "kind: ConfigMap\ndata: {config.yaml: x}\n---\n".repeat(limits::CONFIGURATIONS + 2);
        let input = read(many.as_bytes());
        assert_eq!(input.configs.len(), limits::CONFIGURATIONS);
        assert_eq!(
            findings(&input),
            ["input/too-many-configurations [-] 2 more configurations are not judged; at most 1000 of one input are"]
        );
        let input = read("kind: [\n---\n".repeat(limits::DIAGNOSTICS + 3).as_bytes());
        assert!(input.diagnostics.len() <= limits::DIAGNOSTICS + 1);
    }

    /// The same configuration, embedded in every style that can hold it: each token is found where it stands.
    #[test]
    fn places_survive_every_way_to_embed_a_text() {
        let token_lists: [&[&str]; 6] = [
            &["name", "gateway", "groupRef", "team"],
            &["name", "g\u{e9}teway\u{1f600}", "groupRef", "te am"],
            &["# remark", "name", "a b  c", "metadata", "k", "v"],
            &["name", "x"],
            &["name", "it's", "a'b'"],
            &["name:x", "b", "c"],
        ];
        let configs = [
            "name: gateway\ngroupRef: team\n",
            "name: g\u{e9}teway\u{1f600}\n\n\ngroupRef: te am\n",
            "# remark\n\nname: a b  c\n\nmetadata:\n  k: v\n\n",
            "name: x",
            "name: it's\n\ngroupRef: a'b'\n",
            "name:x\nb\n\nc\n",
        ];
        let mut tried = 0;
        for (config, tokens) in configs.iter().zip(token_lists) {
            for (style, outer) in embedded(config) {
                let identity = Positions::identity();
                let parsed = yaml::parse(&outer, &identity);
                let value = parsed.tree.root().unwrap().get("data").unwrap().get("config.yaml").unwrap();
                let inner = value.text().unwrap();
                assert_eq!(inner.trim_end(), config.trim_end(), "{style} holds something else:\n{outer}");
                let positions = value.positions(&outer).unwrap();
                for token in tokens {
                    let start = inner.find(token).unwrap();
                    for width in [token.len(), token.chars().next().unwrap().len_utf8()] {
                        let span = positions.map(Span::new(start, start + width));
                        let found = unescaped(outer.get(span.range()).unwrap());
                        assert_eq!(Some(&*found), token.get(..width), "{style}:\n{outer}");
                    }
                    tried += 1;
                }
            }
        }
        assert!(tried > 100, "{tried}");
    }

    /// What JSON's and YAML's escapes stand for, as far as `embedded` writes them.
    fn unescaped(text: &str) -> String {
        text.replace("''", "'")
            .replace("\\u00e9", "\u{e9}")
            .replace("\\ud83d\\ude00", "\u{1f600}")
            .replace("\\x67", "g")
            .replace("\\U0001F600", "\u{1f600}")
    }

    /// ConfigMaps that hold `config`, and the name of the way they do it.
    fn embedded(config: &str) -> Vec<(String, String)> {
        let head = "kind: ConfigMap\ndata:\n  before: &a {x: y}\n";
        let tail = "  after: z\n";
        let mut out = Vec::new();
        let indented = |by: &str, text: &str| {
            text.split_inclusive('\n')
                .map(|line| if line.trim().is_empty() { line.to_owned() } else { format!("{by}{line}") })
                .collect::<String>()
        };
        for by in ["   ", "      "] {
            for header in ["|", "|-", "|+", "| # remark"] {
                let end = if config.ends_with('\n') { "" } else { "\n" };
                let text = format!("{head}  config.yaml: {header}\n{}{end}{tail}", indented(by, config));
                out.push((format!("literal {header} crlf"), text.replace('\n', "\r\n")));
                out.push((format!("literal {header}"), text));
            }
            let explicit = by.len() - 2;
            let end = if config.ends_with('\n') { "" } else { "\n" };
            out.push((
                format!("literal with indentation {explicit}"),
                format!("{head}  config.yaml: |{explicit}\n{}{end}{tail}", indented(by, config)),
            ));
            out.push((
                format!("literal with blanks before it and indentation {explicit}"),
                format!("{head}  config.yaml: |{explicit}-\n{}{end}{tail}", indented(by, config)),
            ));
            // Folding makes one break of two, and leaves those beside lines that are indented further.
            let mut folded = String::new();
            let lines: Vec<&str> = config.lines().collect();
            for (i, line) in lines.iter().enumerate() {
                folded.push_str(&indented(by, line));
                folded.push('\n');
                let next = lines.get(i + 1).copied().unwrap_or_default();
                let further = line.starts_with(' ') || next.starts_with(' ');
                let ends_text = !line.is_empty() && !further && i + 1 < lines.len();
                if ends_text {
                    folded.push('\n');
                }
            }
            out.push(("folded".to_owned(), format!("{head}  config.yaml: >\n{folded}{tail}")));
        }
        let json = |text: &str| serde_json::to_string(text).unwrap();
        out.push(("double quoted".to_owned(), format!("{head}  config.yaml: {}\n{tail}", json(config))));
        out.push((
            "in a flow map".to_owned(),
            format!("{{kind: ConfigMap, data: {{config.yaml: {}, b: c}}}}", json(config)),
        ));
        let escaped = json(config).replace('\u{e9}', "\\u00e9").replace('\u{1f600}', "\\ud83d\\ude00");
        out.push(("JSON".to_owned(), format!("{{\"kind\":\"ConfigMap\",\"data\":{{\"config.yaml\":{escaped}}}}}")));
        let escaped = json(config).replace('g', "\\x67").replace('\u{1f600}', "\\U0001F600");
        out.push(("double quoted with escapes".to_owned(), format!("{head}  config.yaml: {escaped}\n{tail}")));
        let wrapped = json(config).replace("\\n", "\\n\\\n      ").replace("        k", "      \\  k");
        out.push(("double quoted over lines".to_owned(), format!("{head}  config.yaml: {wrapped}\n{tail}")));
        // In quotes and plain, one break more than there are, and no line keeps an indentation.
        if !config.contains("\n  ") && !config.contains('#') {
            let mut folded = String::new();
            let mut lines = config.trim_end().split('\n').peekable();
            while let Some(line) = lines.next() {
                let last_of_run = lines.peek().is_some_and(|next| !next.is_empty());
                folded.push_str(line);
                folded.push_str(if last_of_run { "\n\n     " } else { "\n" });
            }
            let folded = folded.trim_end();
            let quoted = folded.replace('\'', "''");
            out.push(("single quoted".to_owned(), format!("{head}  config.yaml: '{quoted}'\n{tail}")));
            let quoted = folded.replace('"', "\\\"");
            out.push(("double quoted and folded".to_owned(), format!("{head}  config.yaml: \"{quoted}\"\n{tail}")));
            if !config.contains(": ") {
                out.push(("plain".to_owned(), format!("{head}  config.yaml: {folded}\n{tail}")));
            }
        }
        out
    }
}
