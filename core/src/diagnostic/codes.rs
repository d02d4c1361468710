//! The table of codes: one line a code holds its name, severity, summary and explanation. A code is for ever.
//!
//! It says nothing about where a finding is; that is [`super::Diagnostic`].

use super::Severity;

/// The name of a kind of finding, `area/what`, with everything that is fixed about it.
#[derive(Clone, Copy)]
pub struct Code(&'static Entry);

struct Entry {
    id: &'static str,
    severity: Severity,
    summary: &'static str,
    explanation: &'static str,
}

impl Code {
    /// `area/what`, stable for ever.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.0.id
    }

    /// How bad every finding of this code is.
    #[must_use]
    pub fn severity(self) -> Severity {
        self.0.severity
    }

    /// One line: what is wrong.
    #[must_use]
    pub fn summary(self) -> &'static str {
        self.0.summary
    }

    /// A paragraph for `vmcp explain`: why it matters and what to do.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        self.0.explanation
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}
impl Eq for Code {}
impl core::fmt::Debug for Code {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.id())
    }
}
impl core::fmt::Display for Code {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.id())
    }
}
impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// The code of this name.
#[must_use]
pub fn find(id: &str) -> Option<Code> {
    ALL.iter().copied().find(|code| code.id() == id)
}

macro_rules! codes {
    ($($constant:ident = $id:literal, $severity:ident, $summary:literal, $explanation:literal;)*) => {
        /// Every code, in the order of the table.
        pub const ALL: &[Code] = &[$(constants::$constant),*];

        pub(super) mod constants {
            use super::{Code, Entry, Severity};
            use crate::words::kept;
            $(
                #[doc = $summary]
                pub const $constant: Code = Code(&Entry {
                    id: $id,
                    severity: Severity::$severity,
                    summary: kept($summary),
                    explanation: kept($explanation),
                });
            )*
        }
    };
}

codes! {
    // ---- yaml: the text is not what a YAML 1.1 reader takes ----
    SYNTAX = "yaml/syntax", Error, "the text is not YAML",
        "The text could not be read as YAML from this point on. Everything before it was still judged, so mend this and run again.";
    TAB = "yaml/tab", Error, "a tab stands where YAML allows only spaces",
        "YAML measures nesting in spaces, so a tab can neither indent a line nor follow the dash of a list entry. Replace it by spaces; most editors can do that for a whole file.";
    CONTROL_CHARACTER = "yaml/control-character", Error, "the text holds a character that YAML does not allow",
        "YAML texts hold printable characters, tabs and line breaks. A NUL or another control character usually means that the file is damaged, or is no text. What follows it was not read. In double quotes it can be written as an escape.";
    DIRECTIVE = "yaml/directive", Error, "a directive is not understood",
        "Lines that begin with `%` before a document are directives. Only `%YAML 1.1` and `%TAG` are taken, as by the Go program; a configuration needs none of them.";
    DUPLICATE_KEY = "yaml/duplicate-key", Error, "a key stands twice in one map",
        "Only one of the two values can be meant, and nobody can know which. The first one was judged here; the Go program refuses the whole map. Remove one of them.";
    UNDEFINED_ALIAS = "yaml/undefined-alias", Error, "an alias refers to nothing",
        "`*name` stands for the value that was marked `&name` earlier in the same document. Nothing was. A text that begins with `*` needs quotes.";
    RECURSIVE_ALIAS = "yaml/recursive-alias", Error, "an alias stands inside of what it refers to",
        "`*name` inside of the value marked `&name` would make a value that contains itself. No such value can be written down, so none is accepted.";
    EXCESSIVE_ALIASING = "yaml/excessive-aliasing", Error, "aliases repeat too much",
        "A few lines of aliases of aliases can stand for billions of values. As in the Go program, aliases may cause up to 99 % of the values of a small document and 10 % of those of a very large one. Nothing of the document was judged.";
    EXCESSIVE_MERGING = "yaml/excessive-merging", Error, "merge keys take over too much",
        "Each `<<` copies the entries of other maps, and copies of copies grow without bound, so there is a limit for all of them together. Nothing of the document was judged.";
    MERGE_VALUE = "yaml/merge-value", Error, "a merge key is given something that is no map",
        "`<<` takes over the entries of a map or, if it is given a list of maps, of each of them. Anything else has no entries to take over. If a key of this name is meant, put it in quotes.";
    TOO_DEEP = "yaml/too-deep", Error, "values are nested too deeply",
        "No configuration nests more than a few dozen levels; a text that nests hundreds is an accident or an attack. The document was read up to that place.";
    TOO_MANY_NODES = "yaml/too-many-values", Error, "the document has too many values",
        "There is a limit to how many keys, list entries and other values one document may hold, so that memory stays bounded. Nothing of the document was judged.";

    // ---- input: which document holds the configuration ----
    TOO_LARGE = "input/too-large", Error, "the input is too large to be a configuration",
        "A ConfigMap holds at most 1 MiB, and even the largest generated configuration stays far below the limit of what is read. Nothing of the input was judged.";
    TOO_MANY_CONFIGURATIONS = "input/too-many-configurations", Error, "the input holds too many configurations",
        "Each configuration of an input is judged and remembered with all of its findings, so their number is bounded. Judge fewer objects at a time.";
    NO_CONFIGURATION = "input/no-configuration", Error, "the input holds no configuration",
        "An input is a vMCP configuration itself, or Kubernetes objects among which a ConfigMap holds one under `data[\"config.yaml\"]`, as the operator writes it: one object, a `List`, several YAML documents, or JSON from `kubectl get -o json`.";
    NOT_TEXT = "input/not-text", Error, "`config.yaml` of a ConfigMap is not a text",
        "The values of a ConfigMap are texts. A configuration is put into one with `config.yaml: |` and every line of it indented below; without the `|` it would be part of the ConfigMap itself, which Kubernetes refuses.";
    BINARY_DATA = "input/binary-data", Error, "`config.yaml` stands under `binaryData`",
        "Kubernetes would mount it all the same, but neither people nor this program can read it in place. `kubectl create configmap` writes `binaryData` when a file is not UTF-8: save it as UTF-8 and create the ConfigMap again.";
    MORE_DOCUMENTS = "input/more-documents", Note, "only the first YAML document is read",
        "A configuration is one YAML document. As in the Go program, what follows the next `---` is ignored, even if it is broken.";
    NO_KIND = "input/no-kind", Warning, "a document among Kubernetes objects has no kind",
        "The input begins with a Kubernetes object, so every document of it is taken for one, and this one has neither `apiVersion` nor `kind`. It was ignored. A configuration of its own has to be a file of its own.";
    ENCODING = "input/encoding", Error, "the input is not text",
        "An input is UTF-8, with or without a byte-order mark, or UTF-16 that begins with one. Bytes that are neither were read as U+FFFD so that the rest could be judged. Save the file as UTF-8.";

    // ---- config: keys and values ----
    CONFIG_EMPTY = "config/empty", Error, "there is no configuration in the text",
        "The text is empty, or holds comments only. A configuration needs at least `name`, `groupRef`, `backends`, `incomingAuth`, `outgoingAuth` and `aggregation`.";
    CONFIG_UNKNOWN_KEY = "config/unknown-key", Error, "a key that does not exist at this place",
        "Keys are matched exactly, upper and lower case included. A key that is not known is refused, because a mistyped restriction would otherwise be none at all.";
    CONFIG_WRONG_TYPE = "config/wrong-type", Error, "a value of another type than its key takes",
        "Any scalar is accepted where text is expected, by its literal text; numbers with a fraction are accepted where whole numbers are, and cut off; `yes`, `no`, `on`, `off` are accepted as booleans. Everything else must be of the type that the key takes.";
    CONFIG_OUT_OF_RANGE = "config/out-of-range", Error, "a number outside the range that its key takes",
        "The number is too small or too large to be held or to be sensible. The message says which numbers are accepted.";
    CONFIG_BAD_DURATION = "config/bad-duration", Error, "a text that is no duration",
        "A duration is one or more numbers, each with its unit: `ns`, `us`, `ms`, `s`, `m` or `h`, as in `30s` or `1m30s`. A number alone has no unit, and there is none for days: write `24h`.";
    CONFIG_NULL_ENTRY = "config/null-entry", Error, "an entry with nothing in it",
        "The entry is written, but there is nothing after its key or dash. The Go program crashes on some of these and drops others in silence. Write the entry's keys, or remove it.";
    CONFIG_MISSING_KEY = "config/missing-key", Error, "a key that is required is missing or empty",
        "The place that is pointed at lacks a key without which it means nothing. An empty text counts as missing.";
    CONFIG_BAD_VALUE = "config/bad-value", Error, "a value that is none of those its key takes",
        "The key takes only the values that the message lists, spelled exactly so.";
    CONFIG_DUPLICATE_NAME = "config/duplicate-name", Error, "a name that may be used once stands twice",
        "Two items of one list have the same name, or refer to the same thing, so that nobody can say which one is meant. Rename or remove one.";
    CONFIG_BAD_PATH = "config/bad-path", Error, "a path of a CA bundle that is not accepted",
        "The path of a CA bundle must be absolute, and must hold neither `..` nor a NUL character, so that it means the same wherever the program is started. As in the Go program, two points in a row are refused anywhere in it.";
    CONFIG_BAD_HEADER = "config/bad-header", Error, "a name or value that no HTTP header can have",
        "Header names are 1 to 256 letters, digits and some signs (RFC 9110); values are 1 to 8192 bytes on one line. Anything else cannot be sent, or would be read as another header.";
    CONFIG_RESTRICTED_HEADER = "config/restricted-header", Error, "a header that must not be set or passed on",
        "Some headers belong to one connection, say where a request came from, or identify a client to this server alone. Passing them on or setting them would break requests or hand one side's credentials to another.";
    CONFIG_VARIABLE_NAME = "config/variable-name", Warning, "a name that an environment variable hardly has",
        "The key takes the name of an environment variable alone: `NAME`, and neither `$NAME` nor `${NAME}`, which nothing expands, here or in the Go program. The name is looked for as it stands, so the variable will most likely not be found.";
    CONFIG_DEAD_KEY = "config/dead-key", Warning, "a key that never has an effect",
        "The key is accepted, because the Go program accepts it, but nothing acts on it, there or here. Remove it, or use what the message names.";
    CONFIG_TOO_LARGE = "config/too-large", Error, "free-form values are too large",
        "Values such as `parameters` and `arguments` are kept as they are, so their size is bounded; aliases count each time they are used. See docs/limits.md.";
    CONFIG_TOO_MANY_ERRORS = "config/too-many-errors", Error, "more errors than are kept",
        "Only the first errors of an input are shown. Since it is no longer known what the others are about, the configuration as a whole is refused. Mend those that are shown, and run again.";
    CONFIG_TOO_MANY_WARNINGS = "config/too-many-warnings", Warning, "more warnings and notes than are kept",
        "Only the first warnings and notes of an input are shown; the others were counted. Mend those that are shown, and run again.";

    // ---- backend: entries of `backends` ----
    BACKEND_NONE = "backend/none", Error, "there are no backends",
        "In static mode the configuration lists its backends. The Go program would look for them in its container runtime or cluster instead, which this program does not do.";
    BACKEND_DUPLICATE_NAME = "backend/duplicate-name", Error, "two backends have one name",
        "A name decides which tools, credentials and headers belong to which backend. If two have one name, calls and credentials meant for one may reach the other, so all of them are rejected. The Go program lets the last one win.";
    BACKEND_BAD_URL = "backend/bad-url", Error, "a backend's URL cannot be called",
        "The URL must be absolute, `http` or `https`, name a host, and hold neither user info nor a fragment. Credentials belong in `outgoingAuth`, where they are not logged.";
    BACKEND_UNSUPPORTED_TRANSPORT = "backend/unsupported-transport", Error, "a transport that cannot be served",
        "Backends are reached by `streamable-http` or `sse`. Other transports, such as `stdio`, need a process beside this one. The Go program accepts them here and fails at the first call.";
    BACKEND_CA_BUNDLE_WITHOUT_TLS = "backend/ca-bundle-without-tls", Error, "a CA bundle for a backend without TLS",
        "Over `http` no certificate is shown, so a CA bundle protects nothing. Whoever configured it expects TLS. Use an `https` URL, or remove `caBundlePath`.";
    BACKEND_CA_BUNDLE_OF_WORKLOAD = "backend/ca-bundle-of-workload", Error, "a CA bundle for a workload",
        "Only an entry, a remote server, has a CA bundle. The backend says that it is a workload (`type: container`) and has one nevertheless. One of the two is not meant.";
    BACKEND_INFERRED_ENTRY = "backend/inferred-entry", Note, "a backend without `type` is read as an entry",
        "The operator writes `caBundlePath` and the label `workload_type: server_entry` for entries, but never `type: entry`, and the Go program then refuses its own operator's configuration. Here such a backend is an entry.";
    BACKEND_CONTAINER = "backend/container", Note, "`type: container` is read as a workload",
        "RFC THV-0055 calls workloads `container`; the configuration writes an empty `type` for them. The Go program refuses the word.";
    BACKEND_INLINE_AUTH = "backend/inline-auth", Note, "a backend's own `auth` is accepted",
        "RFC THV-0055 puts a strategy under each backend, in the same shape as under `outgoingAuth.backends`. The Go program refuses the key; here it means the same as an entry there.";
    BACKEND_AUTH_TWICE = "backend/auth-twice", Error, "a backend has two auth strategies",
        "Both the backend's `auth` and an entry of `outgoingAuth.backends` say how to authenticate to it. Since nobody can say which is meant, the backend is rejected. Remove one of them.";
    BACKEND_PLAINTEXT_CREDENTIALS = "backend/plaintext-credentials", Warning, "credentials are sent over plain `http`",
        "Everybody on the way can read and reuse the credentials. The operator writes in-cluster addresses with `http`; whether that is good enough is for you to decide. Use `https` wherever the server has it.";
    BACKEND_FORWARD_COLLISION = "backend/forward-collision", Warning, "two names are one in header-forward variables",
        "The operator puts headers for a backend into variables named after it, in upper case and with `_` for other characters. Two backends share such a variable, so headers of one would reach the other. If the variable exists, both are rejected.";
    BACKEND_PASSTHROUGH_COLLISION = "backend/passthrough-collision", Error, "a header is both passed on and set by the operator",
        "A header of `passthroughHeaders` is also in the backend's header-forward manifest. One comes from clients and one from the operator, and nobody can say which of them the backend is to believe, so the backend is rejected. The Go program refuses each call to it.";
    GROUP_DIFFERS = "backend/group-differs", Warning, "a backend's metadata names another group than the configuration",
        "All backends of a configuration are in the group that `groupRef` names, whatever their own metadata says. The Go program does the same.";

    // ---- auth: incomingAuth and outgoingAuth ----
    STRATEGY_NOT_BUILT = "auth/strategy-not-built", Error, "an auth strategy that needs an embedded authorization server",
        "`upstream_inject`, and every `subjectProviderName`, take tokens that an embedded authorization server keeps; there is none in this program. The backends that use them are rejected, and never called without them or with the credentials of another.";
    AUTH_PLAINTEXT_ENDPOINT = "auth/plaintext-endpoint", Error, "a token endpoint over plain `http`",
        "A token endpoint is sent callers' tokens and the client secret; over `http` everybody on the way could take them. `http` is accepted to loopback addresses, for `targetTokenUrl` beside `insecureTargetTokenUrl: true`, and with `INSECURE_DISABLE_URL_VALIDATION=true` in the environment, as in the Go program.";
    AUTH_BAD_MATCHER = "auth/bad-matcher", Error, "a matcher that is no CEL expression",
        "`roleMappings[].matcher` is a CEL expression over `claims` that is true for the callers who get the role. One that cannot be read decides nothing, so the backend is rejected.";
    AUTH_CONFLICTING_KEYS = "auth/conflicting-keys", Error, "two keys give the same thing",
        "Only one of the two can be in force, and nobody can say which is meant. Remove one of them.";
    AUTH_BAD_URL = "auth/bad-url", Error, "a token endpoint cannot be called",
        "The URL must be absolute, `http` or `https`, name a host, and hold neither user info nor a fragment.";
    AUTH_BAD_ENTITIES = "auth/bad-entities", Error, "Cedar entities are no JSON list",
        "`entitiesJson` is a text that holds a JSON list of Cedar entities. Authorization cannot be decided without them.";
    INCOMING_BAD_URL = "incoming/bad-url", Error, "a URL of the issuer cannot be called",
        "Keys are fetched from the issuer or from `jwksUrl`, opaque tokens are asked about at `introspectionUrl`: each is an absolute `https://` URL. Nobody could come in, so nothing is served.";
    INCOMING_PLAIN_HTTP = "incoming/plain-http", Error, "the issuer would be asked without TLS",
        "Whoever can change what an issuer answers can make keys, and with them callers. `http` is taken for this machine only; `insecureAllowHttp: true`, or the variable `INSECURE_DISABLE_URL_VALIDATION=true`, takes it everywhere, for development.";
    INCOMING_NO_RESOURCE = "incoming/no-resource", Warning, "clients are not told where to get a token",
        "With `resource`, the URL of this server as clients know it, the server answers `/.well-known/oauth-protected-resource` (RFC 9728) and names that in `WWW-Authenticate`. Without it, clients must know the issuer from elsewhere.";
    INCOMING_NO_CLIENT_SECRET = "incoming/no-client-secret", Warning, "the issuer is asked about tokens without credentials",
        "Introspection (RFC 7662) is for known clients. The secret is looked for in the variable that `clientSecretEnv` names, then in `VMCP_OIDC_CLIENT_SECRET`, which the operator sets, then in `TOOLHIVE_OIDC_CLIENT_SECRET`, which the Go program reads.";
    AUTH_UNUSED_BLOCK = "auth/unused-block", Warning, "a block that belongs to another type",
        "The block is read and checked as far as its types go, but the `type` beside it uses another one or none. If the block is meant, the type is wrong, and what is in force is something else.";
    AUTH_DISCOVERED_STRATEGY = "auth/discovered-strategy", Warning, "`discovered` is no strategy",
        "The operator writes this type where a backend's strategy could not be told. It is read as `unauthenticated`: nothing is sent, and in particular not the default strategy's credentials. The Go program refuses to start.";
    AUTH_SOURCE_DISCOVERED = "auth/source-discovered", Note, "`source: discovered` is read as `inline`",
        "In static mode backends are listed in the configuration, so strategies are taken from it, too. The Go program does the same, but also starts to watch the cluster, and fails outside of one.";
    AUTH_UNKNOWN_BACKEND = "auth/unknown-backend", Warning, "a strategy for a backend that does not exist",
        "No backend has this name, so the strategy is never used. If the name is mistyped, the backend that is meant gets the default strategy instead. The operator also writes such entries.";

    // ---- aggregation ----
    AGGREGATION_UNKNOWN_BACKEND = "aggregation/unknown-backend", Warning, "a name of a backend that does not exist",
        "No backend has this name, so what is said about it has no effect. If the name is mistyped, the backend that is meant is not filtered or preferred. The operator also writes such entries.";
    AGGREGATION_HIDDEN_WINNER = "aggregation/hidden-winner", Error, "a backend may win a name and then be hidden",
        "With `defaultToolVisibility: deny`, backends without an entry of `tools` are hidden, but only after they won names by `priorityOrder`. A tool that another backend has under the same name would be gone without a trace.";
    AGGREGATION_EMPTY_OVERRIDE = "aggregation/empty-override", Error, "an override that changes nothing",
        "An override needs at least one of `name`, `description` and `annotations`; with none of them it is surely a mistake.";
    AGGREGATION_ONE_PREFIX = "aggregation/one-prefix", Warning, "every backend gets the same prefix",
        "`{workload}` in `prefixFormat` stands for the backend's name; it is written exactly so. Without it tools of one name at two backends still have one name, and only the first backend's is served.";
    AGGREGATION_ANNOTATIONS_ONLY = "aggregation/annotations-only", Note, "an override of annotations only is accepted",
        "The operator accepts and writes such overrides, and the Go program then refuses to start. Here the annotations are changed and the rest stays.";

    // ---- operational: operational, telemetry, audit, rateLimiting, sessionStorage, optimizer, codeMode ----
    OPERATIONAL_ZERO = "operational/zero", Note, "zero means the default",
        "The Go program cannot tell an explicit zero from a key that is not written, and fills in the default for both. The same is done here.";
    OPERATIONAL_CHECK_OUTLASTS_INTERVAL = "operational/check-outlasts-interval", Error, "a health check may take longer than its interval",
        "If one check may last until the next is due, checks of a slow backend queue up. Make the timeout shorter or the interval longer.";
    OPERATIONAL_UNKNOWN_BACKEND = "operational/unknown-backend", Warning, "a timeout for a backend that does not exist",
        "No backend has this name, so the timeout is never used, and the backend that is meant has the default.";
    OPERATIONAL_RATE_LIMIT_WITHOUT_REDIS = "operational/rate-limit-without-redis", Error, "rate limits without Redis",
        "Calls are counted in Redis, so that all replicas share the count. Without `sessionStorage.provider: redis` there is nothing to count in, and the Go program refuses to start.";
    OPERATIONAL_EMPTY_RATE_LIMIT = "operational/empty-rate-limit", Warning, "a rate limit that limits nothing",
        "Neither `shared` nor `perUser` is given, so every call is let through. Whoever wrote the block expects a limit.";
    OPERATIONAL_TELEMETRY_OFF = "operational/telemetry-off", Error, "an endpoint to which nothing is sent",
        "`tracingEnabled` and `metricsEnabled` are both off, so nothing would ever be sent to the endpoint. The Go program refuses to start.";
    OPERATIONAL_BAD_SAMPLING_RATE = "operational/bad-sampling-rate", Warning, "a sampling rate that is no share",
        "The rate is a number from 0 (no call is traced) to 1 (every call is). The Go program takes a text that is no number as 0, in silence.";
    OPERATIONAL_UNKNOWN_EVENT = "operational/unknown-event", Error, "a kind of audit event that does not exist",
        "Kinds of event are spelled exactly as in the audit log, such as `mcp_tool_call` or `vmcp_workflow_started`. A mistyped one would leave what was meant out of the record, or in it.";
    OPERATIONAL_OPTIMIZER_WITH_AUTHZ = "operational/optimizer-with-authz", Error, "the optimizer beside Cedar policies",
        "The optimizer calls tools on behalf of the client by one tool of its own, which policies about single tools cannot see. The Go program refuses the two together.";

    // ---- composite: compositeTools and compositeToolRefs ----
    COMPOSITE_BAD_SCHEMA = "composite/bad-schema", Error, "parameters are no JSON Schema of an object",
        "Arguments of a tool are a JSON object, so `parameters` must be a JSON Schema with `type: object`, `properties` a mapping and `required` a list.";
    COMPOSITE_BAD_TOOL_NAME = "composite/bad-tool-name", Error, "a step calls a tool by an impossible name",
        "Names of tools begin with a letter or digit and go on with letters, digits, `.`, `_` and `-`. Use the name that clients see, with its prefix.";
    COMPOSITE_AMBIGUOUS_STEP = "composite/ambiguous-step", Error, "a step may be a call or a question",
        "Without `type`, a step with both `tool` and `message` could be either. Write the type.";
    COMPOSITE_MISPLACED_KEY = "composite/misplaced-key", Error, "a key does not belong to this kind of step or property",
        "The key has a meaning only in another kind of step or property, so what it asks for would not happen.";
    COMPOSITE_UNKNOWN_STEP = "composite/unknown-step", Error, "a step waits for one that does not exist",
        "`dependsOn` lists ids of steps of the same tool. A step that waits for an unknown one could never run.";
    COMPOSITE_CYCLE = "composite/cycle", Error, "steps wait for each other in a circle",
        "None of these steps could ever start. Remove one of the dependencies.";
    COMPOSITE_UNKNOWN_PROPERTY = "composite/unknown-property", Error, "a required member that does not exist",
        "`required` lists members of `properties` of the same output. One that is not there could never be given.";
    COMPOSITE_BAD_DEFAULT = "composite/bad-default", Error, "a default of another type than its property",
        "The default stands in for a value of the property's type. Text is always accepted, since it can be converted.";
    COMPOSITE_LIMIT = "composite/limit", Error, "a composite tool is too large",
        "A composite tool has at most 100 steps, and its output at most 10 levels of properties, as in the Go program.";
    COMPOSITE_NOT_CHECKED = "composite/not-checked", Note, "parts of composite tools were not checked",
        "Templates (`{{…}}`), the defaults that they need when steps are skipped, and the inner parts of JSON Schemas are not judged yet. The Go program may still refuse them.";

    // ---- trust: CA bundles and system roots ----
    NO_ANCHORS = "trust/no-anchors", Error, "a backend is reached over TLS and there is nobody to vouch for it",
        "There are no system roots, and the backend has no CA bundle of its own, so every handshake would be refused. Container images made from scratch often lack the file; install `ca-certificates`, or set `SSL_CERT_FILE`.";
    PRIVATE_KEY = "trust/private-key", Error, "a CA bundle holds a private key",
        "A CA bundle is public: it is kept in a ConfigMap that many can read. A private key in it must be treated as known to all of them. The bundle is refused, and with it the backend, until the block is removed; replace the key as well.";
    EMPTY_BUNDLE = "trust/empty-bundle", Error, "a CA bundle holds no certificate that can be used",
        "The file was read, but no `CERTIFICATE` block in it could be used. Verifying the backend against the system roots alone would be something else than what was written, so the backend is refused.";
    BROKEN_BLOCK = "trust/broken-block", Warning, "text in a CA bundle looks like a block but is none",
        "PEM blocks begin and end on lines of their own, at the start of the line, with the same label in both. What looks like a block and is not is passed over, as Go does in silence; the certificate in it is then missing.";
    BLOCK_HEADERS = "trust/block-headers", Warning, "a certificate block has header lines",
        "Header lines such as `Proc-Type:` belong to encrypted keys. Go takes no certificate with headers, and neither does this program. Text before `BEGIN` is fine.";
    OTHER_BLOCK = "trust/other-block", Warning, "a block in a CA bundle is no `CERTIFICATE`",
        "Only blocks labelled `CERTIFICATE` are read. Certificate requests, parameters and revocation lists mean nothing here; `X509 CERTIFICATE` and `TRUSTED CERTIFICATE` are other formats that Go does not read either.";
    UNREADABLE_CERTIFICATE = "trust/unreadable-certificate", Warning, "a block holds no readable certificate",
        "The block is well formed, but what it holds is not an X.509 certificate as RFC 5280 defines it. It is passed over, as Go does in silence; the other certificates of the file count.";
    DUPLICATE_CERTIFICATE = "trust/duplicate-certificate", Note, "a certificate stands in a CA bundle more than once",
        "The very same certificate stands in the file earlier. It counts once; the second changes nothing and can be removed.";
    PINNED_CERTIFICATE = "trust/pinned-certificate", Note, "a certificate in a CA bundle is no CA",
        "A certificate that is no CA vouches for a server that presents exactly it (name, validity and purpose are still checked), and for nothing else. That is what is meant when a server's own certificate is put in the bundle; if its issuer was meant, put the issuer's certificate there.";
    USELESS_CERTIFICATE = "trust/useless-certificate", Warning, "a certificate in a CA bundle vouches for nothing",
        "It is no CA, so it vouches for no other certificate; and it has no subject alternative name, so no server that presents it can be verified either. Common names are not looked at.";
    NO_CERT_SIGN = "trust/no-cert-sign", Warning, "a CA's key usage does not allow signing certificates",
        "The certificate says that it is a CA, but its key usage extension lacks `keyCertSign` (RFC 5280 section 4.2.1.3). Go does not let it vouch for others, and neither does this program.";
    WRONG_PURPOSE = "trust/wrong-purpose", Warning, "a certificate in a CA bundle does not allow TLS servers",
        "Its extended key usage extension lists purposes, and serving TLS (`serverAuth`) is not among them. A CA's list binds everything below it, so no server can be verified with it.";
    UNKNOWN_CRITICAL_EXTENSION = "trust/unknown-critical-extension", Warning, "a certificate in a CA bundle has a critical extension that is not understood",
        "A critical extension must be understood or the certificate refused (RFC 5280 section 4.2). The certificate counts for nothing here, as in Go.";
    WEAK_KEY = "trust/weak-key", Warning, "a certificate in a CA bundle has a key that is not accepted",
        "Signatures of RSA keys under 2048 or over 8192 bits, of DSA, P-224 and unknown keys are not verified, so nothing that this certificate signed is trusted. Go still takes RSA of 1024 bits.";
    EXPIRED_CERTIFICATE = "trust/expired", Warning, "a certificate in a CA bundle has expired",
        "It vouches for nothing any more. Certificates are judged by the clock again at each handshake; a bundle may hold the old and the new CA side by side.";
    NOT_YET_VALID = "trust/not-yet-valid", Warning, "a certificate in a CA bundle is not valid yet",
        "It vouches for nothing until its time comes. Certificates are judged by the clock again at each handshake, so nothing has to be restarted then. If it should be valid now, look at the clock.";
    BUNDLE_FINDINGS_DROPPED = "trust/findings-dropped", Warning, "a CA bundle has more findings than are shown",
        "The number of findings that are kept of one file is limited. Mend the first ones and look again; a file like this is probably not a CA bundle.";
    NO_SYSTEM_ROOTS = "trust/no-system-roots", Warning, "no system roots were found",
        "Neither SSL_CERT_FILE and SSL_CERT_DIR nor the usual files and directories hold a certificate. Backends without a CA bundle of their own cannot be verified; the others are verified against their bundle alone. Install the package ca-certificates, or mount the roots.";
    SYSTEM_ROOTS_UNREADABLE = "trust/system-roots-unreadable", Warning, "a file of system roots could not be read",
        "A file or directory that should hold the system roots is there but could not be read. The other places were still looked at, as Go does in silence.";

    // ---- material: files and variables that the configuration needs ----
    CA_BUNDLE_UNREADABLE = "material/ca-bundle-unreadable", Error, "a CA bundle that is configured cannot be read",
        "The backend is rejected, because falling back to the system roots would trust other authorities than were meant. In a pod the operator mounts the bundle at `/etc/toolhive/ca-bundles/<entry>/<key>`; check that the ConfigMap named by the entry's `caBundleRef` exists and has that key.";
    VARIABLE_MISSING = "material/variable-missing", Error, "an environment variable that holds a secret is missing or empty",
        "The backends that need it are rejected, and never called without it. The operator sets such variables from the secrets of an `MCPExternalAuthConfig` or an entry's `headerForward`; it leaves some out for strategies that are only discovered, and then the variable has to be added in `podTemplateSpec`.";
    VARIABLE_NOT_A_HEADER = "material/variable-not-a-header", Error, "an environment variable holds a text that cannot be sent as a header",
        "The value is longer than 8192 bytes or has a control character in it. A line end at the end of a secret is the usual reason: create the secret from a file without one. The value is not shown.";
    MANIFEST_REFUSED = "material/manifest-refused", Error, "a header-forward manifest cannot be applied",
        "The operator describes an entry's static headers in `TOOLHIVE_HEADER_FORWARD_<NAME>`. A manifest is applied whole or not at all, so the backend is rejected rather than called without a header that it needs. The values are not shown.";
    MANIFEST_SHARED = "material/manifest-shared", Error, "two backends have the same header-forward manifest",
        "Names are written into the names of environment variables in upper case with everything but letters and digits as `_`, so `a.b` and `a-b` share one. Nobody can tell whose headers these are, so neither backend is called.";

    // ---- pod: what a Deployment or Pod in the same input has or lacks ----
    POD_FILE_MISSING = "pod/missing-file", Error, "the pod does not have a file that the configuration needs",
        "The configuration names a file, and no volume of the workload in the same input is mounted where it would be. The container would start and then reject the backend. Mount the ConfigMap or Secret there.";
    POD_FILE_ELSEWHERE = "pod/file-elsewhere", Error, "the pod has a file that the configuration needs in another place",
        "The workload in the same input mounts a file of this name, but not at the path that the configuration names. Make the two paths one.";
    POD_VARIABLE_MISSING = "pod/missing-variable", Error, "the pod does not have a variable that the configuration needs",
        "The configuration reads a secret from an environment variable which the workload in the same input does not set, or sets to nothing. Add it to the container's `env`, best with `valueFrom.secretKeyRef`. Where the container has `envFrom`, variables that are not written out are not missed.";

    // ---- render: custom resources that become a configuration ----
    RENDER_NO_SERVER = "render/no-server", Error, "there is no VirtualMCPServer",
        "Each VirtualMCPServer becomes one configuration: it names the group whose servers it serves, and who may call. The other resources are what it refers to. Give its file too, or the folder that holds all of them.";
    RENDER_NO_NAME = "render/no-name", Error, "an object has no name",
        "Objects refer to each other by name, and the name of a server is that of its backend. `generateName` makes a name only in a cluster, so it cannot be used here.";
    RENDER_BAD_NAME = "render/bad-name", Error, "a name that no object can have",
        "The API server takes lower-case letters, digits, hyphens and dots, beginning and ending with a letter or digit. Files and variables are named after objects, so another name is not used for any.";
    RENDER_DUPLICATE_OBJECT = "render/duplicate-object", Error, "two objects have one kind, namespace and name",
        "In a cluster the second would replace the first; which one is meant cannot be told from files. Often a folder holds a file and a copy of it, or an overlay beside its base: render what `kustomize build` or `helm template` prints instead.";
    RENDER_UNKNOWN_KIND = "render/unknown-kind", Note, "an object has no part in a vMCP",
        "Namespaces, Deployments, registries and the like stand in the same files and are passed over. They are not lost: apply them as they are.";
    RENDER_OTHER_GROUP = "render/other-group", Warning, "an object has a known kind in another API group",
        "Several projects have an `MCPServer` or the like. Only those of `toolhive.stacklok.dev` are rendered, and ConfigMaps and Secrets of `v1`. If it is meant to be one, its `apiVersion` is misspelt.";
    RENDER_UNKNOWN_VERSION = "render/unknown-version", Warning, "a version of the custom resources that is not known",
        "Known are `v1alpha1` and `v1beta1`, which have the same keys. Another version is read as if it were `v1beta1`; what it calls by other names is not understood.";
    RENDER_UNKNOWN_KEY = "render/unknown-key", Warning, "a key of a custom resource that is not known",
        "A later version of ToolHive may have it, so it is passed over; what it says is not rendered. A key that looks like a known one is an error instead (`config/unknown-key`).";
    RENDER_DANGLING_REFERENCE = "render/dangling-reference", Error, "a reference to an object that is not there",
        "What the object says is needed to write the configuration. References stay inside a namespace. A workload whose reference leads nowhere is left out, since it would be called with other credentials or none; a VirtualMCPServer is not rendered.";
    RENDER_ABSENT_OBJECT = "render/absent-object", Note, "an object that must be in the cluster is not in the input",
        "A ConfigMap with a CA bundle, a group: the configuration can be written without it, but the pod or the operator will want it. That is fine if something else creates it. Secrets are never wanted here.";
    RENDER_MISSING_ENTRY = "render/missing-entry", Error, "a ConfigMap or Secret lacks the key that is named",
        "The object is in the input, and it does not have the key that a reference names. A pod that mounts it would not start, or would not have the file.";
    RENDER_UNSUPPORTED_AUTH = "render/unsupported-auth", Error, "a type of external authentication that has no strategy",
        "Tokens of `bearerToken` and the server of `embeddedAuthServer` are used by ToolHive's own proxies, in front of the server; a vMCP has no strategy for them. The backend is left out, so that it is not called with other credentials or none. `headerInjection` sends a fixed header.";
    RENDER_NOT_SUPPORTED = "render/not-supported", Error, "something that a static configuration cannot say",
        "Part of the resource needs what is not rendered: the embedded authorization server, or an authorizer other than Cedar. A configuration without it would let callers in on other terms than written, so none is made.";
    RENDER_SOURCE_DISCOVERED = "render/source-discovered", Note, "`source: discovered` is rendered as `inline`",
        "With `discovered` the operator lists no backends, and the vMCP asks the cluster for them as they come and go. What is rendered lists those of the group that are in the input; render again when one is added.";
    RENDER_NOT_READY = "render/not-ready", Warning, "a server that the operator would leave out",
        "Its status says that it is not valid, and the operator writes only valid entries. Without a status, as in files that were never applied, it is taken.";
    RENDER_COLLISION = "render/collision", Error, "two different things of the pod have one name",
        "Names of variables are made of names of objects: upper case, everything but letters and digits becomes `_`. So `a-b` and `a.b` get one variable, and one backend the other's secret. Rename one of them.";
    RENDER_TOO_LARGE = "render/too-large", Error, "what is rendered is too large",
        "A ConfigMap holds at most 1 MiB, and all that is rendered at once 64 MiB, and there is a limit to how many servers look at how many objects. Divide the group, or render fewer VirtualMCPServers at a time.";
    RENDER_REPLACED = "render/replaced", Warning, "a key that the operator replaces",
        "Under `spec.config` it has no effect: the operator makes the value of other parts of the resource, or leaves it out. So does rendering.";

    // ---- runtime: keys that are read but not yet acted on ----
    RUNTIME_NOT_ACTED_ON = "runtime/not-acted-on", Warning, "a key that nothing acts on yet",
        "The key is read and checked, but this version does not do what it asks for. Nothing is more open because of that. The message says what happens instead.";
    RUNTIME_UNENFORCED = "runtime/unenforced", Warning, "a restriction or record that is not enforced yet",
        "The key restricts callers or keeps a record, and this version does neither yet. So that nothing is served more openly than it was written, `vmcp serve` refuses to start until `--allow-unenforced` names the key.";
}
