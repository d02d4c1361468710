//! `vmcp schema`: the JSON Schema of the configuration, for editors.
//!
//! It reads nothing.

use vmcp_core::config::schema::schema;

use super::{Unjudged, Verdict, print};
use crate::render::json;

/// Print the JSON Schema of the configuration
///
/// Draft 2020-12, with the documentation of each key, from the same tables that read a configuration. It knows keys, types
/// and values; `vmcp validate` knows the rest.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  vmcp schema >vmcp.schema.json
  # then, as the first line of a configuration, for editors with the YAML language server:
  #   # yaml-language-server: $schema=vmcp.schema.json")]
pub(super) struct SchemaArgs {}

pub(super) fn run(_: &SchemaArgs) -> Result<Verdict, Unjudged> {
    print(&json::pretty(&schema()))?;
    Ok(Verdict::Fine)
}
