//! What `vmcp demo` runs beside the gateway: private certificate authorities and small MCP servers behind them.
//!
//! None of it is used to serve anything real, and nothing here trusts or calls a backend; that is the gateway's part.

pub(crate) mod authority;
pub(crate) mod server;
mod tools;

pub(crate) use tools::{BUILDS, INVENTORY, Toolbox};
