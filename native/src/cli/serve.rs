//! `vmcp serve`: from arguments and a configuration to a running server.
//!
//! It judges nothing itself and answers no request; see [`crate::server`].

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::BoolishValueParser;
use tracing::Level;
use vmcp_core::config::{Config, allowable, unenforced};
use vmcp_core::diagnostic::{Diagnostic, Scope, Severity};
use vmcp_core::discovery::Catalog;
use vmcp_core::report::Finding;
use vmcp_core::seal::{KeyFileError, Keys};
use vmcp_core::secret::Secret;
use zeroize::Zeroizing;

use super::input::Input;
use super::judge::{World, judge};
use super::{Global, Unjudged, Verdict};
use crate::logging::{self, Colour, Format};
use crate::materials::Source;
use crate::render::human::{self, Paint};
use crate::render::{Judged, json};
use crate::server::{self, Offer, Options, Scopes, Signals};

/// Serve the configured backends to MCP clients
///
/// Reads the configuration, says everything that is wrong with it, and listens. Backends that are rejected are named and
/// left out; the others are served.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = ENDINGS)]
pub(crate) struct ServeArgs {
    /// The configuration: as it is, or inside a Kubernetes `ConfigMap`; `-` reads standard input
    #[arg(short, long, value_name = "FILE", env = "VMCP_CONFIG")]
    pub(crate) config: PathBuf,
    /// Which one, where the input holds several ConfigMaps
    #[arg(long, value_name = "[NAMESPACE/]NAME", env = "VMCP_CONFIGMAP")]
    pub(crate) configmap: Option<String>,
    /// What to call standard input in findings
    #[arg(long, value_name = "PATH", env = "VMCP_STDIN_NAME", default_value = "<stdin>", hide_default_value = true)]
    pub(crate) stdin_name: String,

    // A Service named `vmcp` makes Kubernetes set VMCP_PORT to a URL: host and port have no variable.
    /// Name or address to listen on; `0.0.0.0` for every one of this machine
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1", help_heading = LISTENER)]
    pub(crate) host: String,
    /// Port to listen on; 0 lets the system choose
    #[arg(long, value_name = "PORT", default_value_t = 4483, help_heading = LISTENER)]
    pub(crate) port: u16,
    /// Origins of web pages that may call, such as `https://app.example`; loopback ones may on a loopback listener
    #[arg(long, value_name = "ORIGIN", env = "VMCP_ALLOWED_ORIGIN", value_delimiter = ',', help_heading = LISTENER)]
    pub(crate) allowed_origin: Vec<String>,
    /// Names under which clients reach the listener; checked on a loopback listener, or when one is given
    #[arg(long, value_name = "HOST", env = "VMCP_ALLOWED_HOST", value_delimiter = ',', help_heading = LISTENER)]
    pub(crate) allowed_host: Vec<String>,

    /// Keys that replicas share for what clients bring back: one in each line, 32 bytes as base64; the first seals, all
    /// open. Without, one is derived from the variable `VMCP_SESSION_HMAC_SECRET`, or made at start
    #[arg(long, value_name = "FILE", env = "VMCP_STATE_KEY_FILE", help_heading = LISTENER)]
    pub(crate) state_key_file: Option<PathBuf>,

    /// How long a session lives without being used
    #[arg(long, value_name = "TIME", env = "VMCP_SESSION_TTL", default_value = "30m", value_parser = time, help_heading = BOUNDS)]
    pub(crate) session_ttl: Duration,
    /// How many sessions may be open
    #[arg(long, value_name = "N", env = "VMCP_MAX_SESSIONS", default_value_t = 10_000, value_parser = count, help_heading = BOUNDS)]
    pub(crate) max_sessions: usize,
    /// How many calls to backends may run side by side
    #[arg(long, value_name = "N", env = "VMCP_MAX_BACKEND_CALLS", default_value_t = 512, value_parser = count, help_heading = BOUNDS)]
    pub(crate) max_backend_calls: usize,

    /// Do not start when a backend is rejected
    #[arg(long, env = "VMCP_STRICT", value_parser = BoolishValueParser::new(), help_heading = RULES)]
    pub(crate) strict: bool,
    /// Let in only callers whose tokens have every scope of `incomingAuth.oidc.scopes`; others are answered 403
    #[arg(long, env = "VMCP_ENFORCE_SCOPES", value_parser = BoolishValueParser::new(), help_heading = RULES)]
    pub(crate) enforce_scopes: bool,
    /// Keys to start with although nothing enforces them yet, such as `rateLimiting`
    #[arg(long, value_name = "KEY", env = "VMCP_ALLOW_UNENFORCED", value_delimiter = ',', help_heading = RULES)]
    pub(crate) allow_unenforced: Vec<String>,
    /// Record every request, as `audit` in the configuration does
    #[arg(long, env = "VMCP_ENABLE_AUDIT", value_parser = BoolishValueParser::new(), help_heading = RULES)]
    pub(crate) enable_audit: bool,

    /// Log more
    #[arg(long, env = "VMCP_DEBUG", value_parser = BoolishValueParser::new(), help_heading = LOGS)]
    pub(crate) debug: bool,
    /// How log lines look: `text` on a terminal, else `json`
    #[arg(long, value_name = "FORMAT", env = "VMCP_LOG_FORMAT", value_enum, help_heading = LOGS)]
    pub(crate) log_format: Option<Format>,
}

const LISTENER: &str = "Listener";
const BOUNDS: &str = "Bounds";
const RULES: &str = "What is served";
const LOGS: &str = "Logs";

const ENDINGS: &str = "\
Every option but --host and --port may be given as the variable that is shown with it.
Logs go to standard error. SIGTERM or SIGINT stops: calls in flight have 10 seconds to finish.

Exit codes:
  0  stopped as asked
  1  the configuration cannot be served, or the address cannot be listened on
  2  wrong usage, or a file that cannot be read";

pub(super) fn run(args: &ServeArgs, global: &Global) -> Result<Verdict, Unjudged> {
    let format = args.log_format.unwrap_or_else(Format::of_standard_error);
    let colour = if global.color.on(&std::io::stderr()) { Colour::On } else { Colour::Off };
    let level = match (args.debug, global.quiet) {
        (true, _) => Level::DEBUG,
        (false, true) => Level::WARN,
        (false, false) => Level::INFO,
    };
    logging::install(format, colour, level);

    let state_keys = state_keys(args.state_key_file.as_deref(), std::env::var_os(SESSION_SECRET))?;
    let world = World::new(Source::this_machine());
    let input = Input::read(&args.config, &args.stdin_name)?;
    let judgement = judge(input, Some(&world)).keep(args.configmap.as_deref())?;
    let (judged, document) = judgement.into_single();
    say(&judged, format, colour, global);
    let Some((config, catalog)) = document else {
        tracing::error!(file = judged.file, "not started: there is no configuration");
        return Ok(Verdict::Wrong);
    };
    let obstacles = obstacles(args, &judged, &config, &catalog);
    for obstacle in &obstacles {
        tracing::error!("not started: {obstacle}");
    }
    if !obstacles.is_empty() {
        return Ok(Verdict::Wrong);
    }
    for rejected in &catalog.rejected {
        let reasons: Vec<_> = rejected.reasons.iter().map(|reason| reason.message.as_str()).collect();
        tracing::warn!(backend = rejected.name, reason = reasons.join("; "), "backend rejected; it is not served");
    }
    for backend in &catalog.backends {
        tracing::info!(backend = backend.name, url = %backend.endpoint, "backend is served");
    }
    // Without, there is an obstacle.
    let Some(incoming) = catalog.incoming else { return Ok(Verdict::Wrong) };
    tracing::info!(kind = incoming.word(), "how callers are identified");
    let offer = Offer::new(&config.effective(), incoming, catalog.backends);
    match server::start(offer, &Options { state_keys, ..args.options() }) {
        Ok(server) => {
            server.run();
            Ok(Verdict::Fine)
        }
        Err(error) => {
            tracing::error!("not started: {}", logging::chain(&error));
            Ok(Verdict::Wrong)
        }
    }
}

/// What the operator mounts into every replica.
const SESSION_SECRET: &str = "VMCP_SESSION_HMAC_SECRET";

/// The keys for what clients bring back; `None` if the server is to make one.
fn state_keys(file: Option<&Path>, secret: Option<OsString>) -> Result<Option<Keys>, StateKeyError> {
    if let Some(path) = file {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map(Zeroizing::new);
        let text = text.map_err(|cause| StateKeyError::Unreadable { name: name.clone(), cause })?;
        return Keys::read(&text).map(Some).map_err(|cause| StateKeyError::Wrong { name, cause });
    }
    match secret.map(OsString::into_string) {
        None => Ok(None),
        Some(Err(_)) => Err(StateKeyError::NotText),
        Some(Ok(text)) if text.is_empty() => Ok(None),
        Some(Ok(text)) => Ok(Some(Keys::derived(&Secret::new(text)))),
    }
}

/// Why there are no keys for what clients bring back. It shows none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateKeyError {
    /// The file cannot be read.
    #[error("{name} cannot be read")]
    Unreadable {
        /// Which.
        name: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A line is no key.
    #[error("{name} is no file of keys")]
    Wrong {
        /// Which.
        name: String,
        /// Where and why.
        #[source]
        cause: KeyFileError,
    },
    /// The variable cannot be used.
    #[error("VMCP_SESSION_HMAC_SECRET is not UTF-8")]
    NotText,
}

/// What keeps the configuration from being served, each as one line.
fn obstacles(args: &ServeArgs, judged: &Judged, config: &Config, catalog: &Catalog) -> Vec<String> {
    let mut obstacles = Vec::new();
    let stops = |finding: &&Diagnostic| finding.severity() == Severity::Error && finding.scope == Scope::Config;
    match judged.diagnostics.iter().filter(stops).count() {
        0 => {}
        count => obstacles.push(format!("{} has {count} errors that concern no single backend", judged.file)),
    }
    let allowed = |key: &dyn Fn(&str) -> bool| args.allow_unenforced.iter().any(|name| key(name));
    for key in unenforced(config).iter().filter(|key| key.must_be_allowed()) {
        if !allowed(&|name| key.is_named(name)) {
            obstacles.push(format!(
                "`{}` is not enforced yet: {}; `--allow-unenforced={}` starts all the same",
                key.key, key.meaning, key.key
            ));
        }
    }
    if args.enable_audit && config.audit.is_none() && !allowed(&|name| name == "audit") {
        obstacles.push(
            "`--enable-audit` is not enforced yet: nothing is recorded; `--allow-unenforced=audit` starts all the same"
                .to_owned(),
        );
    }
    for name in args.allow_unenforced.iter().filter(|name| !is_allowable(name)) {
        tracing::warn!(key = name, "`--allow-unenforced` names a key that needs no permission");
    }
    if catalog.incoming.is_none() && obstacles.is_empty() {
        obstacles.push("nobody can tell who may come in: `incomingAuth` is not sound".to_owned());
    }
    let names = |of: &Catalog| of.rejected.iter().map(|one| format!("`{}`", one.name)).collect::<Vec<_>>().join(", ");
    if catalog.backends.is_empty() {
        obstacles.push(match catalog.rejected.len() {
            0 => "there is no backend to serve".to_owned(),
            _ => format!("every backend is rejected: {}", names(catalog)),
        });
    } else if args.strict && !catalog.rejected.is_empty() {
        obstacles.push(format!("`--strict` is given and a backend is rejected: {}", names(catalog)));
    }
    obstacles
}

fn is_allowable(name: &str) -> bool {
    allowable().any(|key| key == name || key.rsplit('.').next() == Some(name))
}

/// Shows every finding: drawn where people read the log, else as log lines.
fn say(judged: &Judged, format: Format, colour: Colour, global: &Global) {
    if format == Format::Text {
        let shown = if global.quiet && judged.valid() {
            String::new()
        } else {
            human::findings(judged, Paint::new(colour == Colour::On))
        };
        // Where standard error is gone, there is nobody left to tell.
        drop(std::io::stderr().lock().write_all(shown.as_bytes()));
        return;
    }
    for Finding { code, severity, message, help, path, file, line, column, .. } in json::findings(judged) {
        let (code, line, column) = (code.id(), line.map(u64::from), column.map(u64::from));
        match severity {
            Severity::Error => tracing::error!(code, file, line, column, path, help, "{message}"),
            Severity::Warning => tracing::warn!(code, file, line, column, path, help, "{message}"),
            Severity::Note => tracing::info!(code, file, line, column, path, help, "{message}"),
        }
    }
}

impl ServeArgs {
    fn options(&self) -> Options {
        Options {
            host: self.host.clone(),
            port: self.port,
            session_ttl: self.session_ttl,
            max_sessions: self.max_sessions,
            max_backend_calls: self.max_backend_calls,
            allowed_origins: self.allowed_origin.clone(),
            allowed_hosts: self.allowed_host.clone(),
            scopes: if self.enforce_scopes { Scopes::Enforced } else { Scopes::Advertised },
            signals: Signals::Stop,
            ..Options::default()
        }
    }
}

/// A positive duration as the configuration writes them: `30m`, `1h30m`, `500ms`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let duration = vmcp_core::config::Duration::parse(text).map_err(|error| error.to_string())?;
    match duration.to_std() {
        Some(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("it is not longer than nothing; expected something like `30m`".to_owned()),
    }
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse::<u32>() {
        Ok(0) | Err(_) => Err(format!("expected a number from 1 to {}", u32::MAX)),
        Ok(number) => usize::try_from(number).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn parse(arguments: &[&str]) -> Result<ServeArgs, String> {
        let arguments = ["serve"].iter().chain(arguments);
        Program::try_parse_from(arguments).map(|program| program.serve).map_err(|error| error.to_string())
    }

    #[test]
    fn the_arguments_of_the_operator_are_taken() {
        let args =
            parse(&["--config=/etc/vmcp-config/config.yaml", "--host=0.0.0.0", "--port=4483", "--debug"]).unwrap();
        assert_eq!(args.config, PathBuf::from("/etc/vmcp-config/config.yaml"));
        assert_eq!((args.host.as_str(), args.port, args.debug, args.strict), ("0.0.0.0", 4483, true, false));
        assert_eq!(args.session_ttl, Duration::from_secs(1800));
    }

    #[test]
    fn keys_come_from_a_file_or_else_from_the_secret_or_else_from_nowhere() {
        let folder = std::env::temp_dir().join(format!("vmcp-state-keys-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (good, bad, none) = (folder.join("good"), folder.join("bad"), folder.join("none"));
        std::fs::write(&good, "# today's\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n").unwrap();
        std::fs::write(&bad, "s3cr3t\n").unwrap();
        let secret = || Some(OsString::from("an operator's secret"));
        assert_eq!(state_keys(Some(&good), secret()).unwrap().map(|keys| keys.len()), Some(1));
        assert!(state_keys(None, secret()).unwrap().is_some());
        assert!(
            state_keys(None, None).unwrap().is_none() && state_keys(None, Some(OsString::new())).unwrap().is_none()
        );
        let chain = |path: &Path| logging::chain(&state_keys(Some(path), secret()).unwrap_err());
        let expected = "line 1 is no standard base64; expected 32 bytes as 44 characters";
        assert_eq!(chain(&bad), format!("{} is no file of keys: {expected}", bad.display()));
        assert!(chain(&none).starts_with(&format!("{} cannot be read: ", none.display())));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn lists_are_taken_with_commas_and_one_by_one() {
        let args = parse(&["-c", "-", "--allow-unenforced=oidc,audit", "--allow-unenforced", "authz"]).unwrap();
        assert_eq!(args.allow_unenforced, ["oidc", "audit", "authz"]);
    }

    #[test]
    fn bounds_are_positive() {
        for (arguments, reason) in [
            (["-c", "-", "--session-ttl=0s"], "it is not longer than nothing; expected something like `30m`"),
            (["-c", "-", "--session-ttl=30"], "its unit is missing"),
            (["-c", "-", "--max-sessions=0"], "expected a number from 1 to 4294967295"),
            (["-c", "-", "--max-backend-calls=-1"], "expected a number from 1 to 4294967295"),
        ] {
            let error = parse(&arguments).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    /// The operator uses these names for other things, and Kubernetes makes `VMCP_PORT…` of a Service named `vmcp`.
    #[test]
    fn every_option_has_a_variable_of_its_own_and_none_that_is_taken() {
        let command = <Program as clap::CommandFactory>::command();
        for option in command.get_arguments().filter(|option| option.get_id() != "help") {
            let name = option.get_id().as_str();
            let variable = option.get_env().map(|variable| variable.to_string_lossy().into_owned());
            let expected = format!("VMCP_{}", name.to_ascii_uppercase());
            assert_eq!(variable, (!["host", "port"].contains(&name)).then_some(expected), "{name}");
        }
        for taken in ["VMCP_NAME", "VMCP_NAMESPACE", "VMCP_SESSION_HMAC_SECRET", "VMCP_OIDC_CLIENT_SECRET"] {
            assert!(command.get_arguments().all(|option| option.get_env() != Some(taken.as_ref())), "{taken}");
        }
    }
}
