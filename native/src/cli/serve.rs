//! `vmcp serve`: from arguments and a configuration to a running server.
//!
//! It judges nothing itself and answers no request; see [`crate::server`].

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;

use crate::logging;

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
    pub(crate) log_format: Option<logging::Format>,
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
