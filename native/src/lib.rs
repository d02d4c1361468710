//! The half of vmcp that touches the world: files, environment, sockets and TLS.
//!
//! Without default features it is a small library for embedders: [`materials`] and the blocking transport, with no async
//! runtime in its tree. It decides nothing about configuration or trust; that is `vmcp_core`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking"))]

#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
mod demo;
#[cfg(feature = "server")]
pub mod logging;
pub mod materials;
pub mod pool;
#[cfg(feature = "server")]
pub mod render;
pub mod roots;
#[cfg(feature = "server")]
pub mod server;
pub mod transport;
pub mod verifier;
