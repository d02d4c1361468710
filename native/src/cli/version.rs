//! `vmcp version`: what this program is.
//!
//! It reads nothing but what was compiled in.

use serde::Serialize;

use super::{Unjudged, Verdict, print};

/// Print the version
#[derive(Debug, clap::Args)]
pub(super) struct VersionArgs {
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// One line
    Human,
    /// One object
    Json,
}

#[derive(Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
    platform: String,
}

pub(super) fn run(args: &VersionArgs) -> Result<Verdict, Unjudged> {
    let version = Version {
        name: "vmcp",
        version: env!("CARGO_PKG_VERSION"),
        platform: format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    };
    print(&match args.format {
        Format::Human => format!("{} {} ({})\n", version.name, version.version, version.platform),
        Format::Json => crate::render::json::pretty(&version),
    })?;
    Ok(Verdict::Fine)
}
