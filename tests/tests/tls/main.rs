//! Trust on the wire: bundles of many shapes, handshakes, and the transport over them.
//!
//! What MCP makes of a connection is tried in `serve`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bundles;
mod faults;
mod handshake;
mod mint;
mod pem;
mod rows;
mod transport;
