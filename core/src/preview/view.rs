//! What the previewer shows, as data: the answers of [`super::Preview`].
//!
//! Lines and columns count from 1, columns in UTF-16 code units, ends are exclusive. No value holds a literal secret, but for the
//! replacements of edits, which are text of the input.

use alloc::string::String;
use alloc::vec::Vec;

use crate::shape::shapes;

shapes! {
    /// Where something stands in the text.
    pub struct Region {
        /// Line of the first character.
        pub line: u32,
        /// Column of the first character.
        pub column: u32,
        /// Line of the end.
        pub end_line: u32,
        /// Column of the end.
        pub end_column: u32,
    }

    /// A replacement.
    pub struct TextEdit {
        /// What is replaced.
        pub at: Region,
        /// By what.
        pub insert: String,
    }

    /// How bad a finding is.
    pub enum Level {
        /// What it points at is refused.
        Error = "error",
        /// Served, but surely not meant.
        Warning = "warning",
        /// How something was understood.
        Note = "note",
    }

    /// Another place that explains a finding.
    pub struct Pointed {
        /// A few words.
        pub message: String,
        /// Where; nothing if it is in another file.
        pub at: Option<Region>,
    }

    /// One finding.
    pub struct Found {
        /// Its code, for ever.
        pub code: String,
        /// How bad it is.
        pub severity: Level,
        /// The fact, then what would have been accepted.
        pub message: String,
        /// How to mend it.
        pub help: Option<String>,
        /// JSON pointer into the configuration.
        pub path: Option<String>,
        /// The file that the place is in; nothing for the text itself.
        pub file: Option<String>,
        /// Where; nothing if it is about the whole.
        pub at: Option<Region>,
        /// Other places that explain it.
        pub related: Vec<Pointed>,
        /// What mends it; empty if a person has to decide.
        pub edits: Vec<TextEdit>,
        /// Whether the edits cannot change what the configuration means.
        pub safe: bool,
    }

    /// What becomes of a backend.
    pub enum Standing {
        /// It would be called.
        Served = "served",
        /// It would not.
        Rejected = "rejected",
    }

    /// Who vouches for a backend.
    pub enum Vouching {
        /// The certificates of its own CA bundle, and the system roots.
        Bundle = "bundle",
        /// The same, and the bundle pins certificates that vouch for themselves only.
        Pinned = "pinned",
        /// The system roots alone.
        System = "system",
        /// Nobody: there is no TLS.
        Nobody = "nobody",
    }

    /// One backend.
    pub struct BackendView {
        /// Its name; may be empty where it is missing.
        pub name: String,
        /// As written.
        pub url: String,
        /// How it is spoken to, as written.
        pub transport: String,
        /// `entry` or `workload`.
        pub kind: String,
        /// What becomes of it.
        pub standing: Standing,
        /// Why it is rejected.
        pub reason: Option<String>,
        /// Type of its auth strategy.
        pub auth: String,
        /// Where that is written: `inline`, `own`, `default` or `none`.
        pub auth_source: String,
        /// The header that carries the credential.
        pub header: Option<String>,
        /// The variables that secrets come from.
        pub variables: Vec<String>,
        /// Who vouches for it.
        pub trust: Vouching,
        /// The path of its CA bundle.
        pub ca_bundle: Option<String>,
        /// Where it is written.
        pub at: Region,
    }

    /// One file or variable that the pod needs.
    pub struct Need {
        /// Path or name.
        pub name: String,
        /// The backend that asks for it.
        pub backend: Option<String>,
        /// Whether something is rejected without it.
        pub required: bool,
        /// Whether it was given to the page.
        pub given: bool,
        /// The text that asks for it.
        pub at: Region,
    }

    /// One value of the effective configuration.
    pub struct Setting {
        /// Dotted.
        pub key: String,
        /// As JSON.
        pub value: String,
        /// Whether it was written; else it is a default.
        pub written: bool,
    }

    /// One certificate of a file.
    pub struct CertificateView {
        /// The file.
        pub file: String,
        /// Line of its beginning.
        pub line: u32,
        /// Whom it names.
        pub subject: String,
        /// Who signed it.
        pub issuer: String,
        /// `anchor` or `pin`.
        pub role: String,
        /// Its last moment, RFC 3339.
        pub not_after: String,
        /// Whole days until then; negative if it has passed.
        pub days_left: i64,
        /// SHA-256.
        pub sha256: String,
    }

    /// What becomes of one configuration of the text; the rest is in its [`DocumentView`].
    pub struct Headline {
        /// Its ConfigMap; nothing for a configuration on its own.
        pub config_map: Option<String>,
        /// What the server is called.
        pub name: String,
        /// One line: what will happen.
        pub verdict: String,
        /// Whether the server starts.
        pub starts: bool,
        /// How many backends are written.
        pub backends: u32,
        /// How many of them are rejected.
        pub rejected: u32,
    }

    /// What is in one configuration of the text.
    pub struct DocumentView {
        /// What the server is called.
        pub name: String,
        /// Type of the incoming auth.
        pub incoming: String,
        /// The issuer whose tokens are accepted.
        pub issuer: Option<String>,
        /// Where the incoming auth is written.
        pub incoming_at: Option<Region>,
        /// Each backend, in text order.
        pub backends: Vec<BackendView>,
        /// Files.
        pub files: Vec<Need>,
        /// Variables.
        pub variables: Vec<Need>,
    }

    /// What is said of a text at every keystroke.
    pub struct View {
        /// All findings, in the order in which they are shown.
        pub findings: Vec<Found>,
        /// The configurations in it.
        pub documents: Vec<Headline>,
        /// Certificates of the files that were given.
        pub certificates: Vec<CertificateView>,
        /// Matchers of role mappings: whether they are CEL, only the program can tell.
        pub matchers: Vec<Region>,
        /// How many literal secrets stand in the text.
        pub secrets: u32,
        /// What custom resources in the text become: ConfigMaps and the pods that they need, as YAML; `null` if there are none.
        pub made: Option<String>,
    }

    /// What is known of a key.
    pub struct KeyHover {
        /// The text it is about.
        pub at: Region,
        /// The key.
        pub key: String,
        /// What kind of value it takes.
        pub kind: String,
        /// The only texts that are accepted; empty if there is no such list.
        pub values: Vec<String>,
        /// What applies when it is not written.
        pub default: Option<String>,
        /// What it means.
        pub doc: String,
    }

    /// One thing that may be written.
    pub struct Choice {
        /// What is written.
        pub label: String,
        /// What kind of value follows a key; nothing for a value.
        pub kind: Option<String>,
        /// What it means.
        pub doc: String,
    }

    /// What may be written at a place.
    pub struct Choices {
        /// What is replaced.
        pub at: Region,
        /// In the order of the model.
        pub items: Vec<Choice>,
    }

    /// One difference to another configuration.
    pub struct ChangeView {
        /// `trust`, `auth`, `callers`, `backends` or `settings`.
        pub topic: String,
        /// `added`, `removed` or `changed`.
        pub kind: String,
        /// One line.
        pub text: String,
        /// Where it is in the newer text.
        pub at: Option<Region>,
    }

    /// What changes since another configuration.
    pub struct Comparison {
        /// Why they could not be compared.
        pub problem: Option<String>,
        /// Every difference.
        pub changes: Vec<ChangeView>,
    }

    /// One tool under each strategy; a name, or why clients do not see it.
    pub struct ToolNames {
        /// The backend.
        pub backend: String,
        /// The name that the backend knows.
        pub tool: String,
        /// Under `prefix`.
        pub prefix: ToolFate,
        /// Under `priority`.
        pub priority: ToolFate,
        /// Under `manual`.
        pub manual: ToolFate,
    }

    /// What becomes of a tool.
    pub struct ToolFate {
        /// The name that clients see.
        pub name: Option<String>,
        /// Why they do not.
        pub reason: Option<String>,
    }

    /// What tools would be called.
    pub struct Naming {
        /// Why the list could not be read.
        pub problem: Option<String>,
        /// The strategy that is configured.
        pub strategy: String,
        /// Each tool.
        pub tools: Vec<ToolNames>,
    }

    /// What a code means.
    pub struct Explanation {
        /// In a few words.
        pub summary: String,
        /// In some sentences.
        pub text: String,
    }
}
