//! The pure half of vmcp: text in, values out.
//!
//! It reads the operator's configuration, says everything that is wrong with it, decides what each backend may be
//! called with, and speaks MCP as state machines. It has no files, sockets, clock, environment, threads or logging:
//! `#![no_std]` means they cannot be named. Where the world is needed, a function returns a description of what it
//! wants and takes the answer back by value.
//!
//! Modules in the order in which they may use each other; each uses only what stands before it:
//!
//! ```text
//! decimal, json, order, shape, text → diagnostic → report, secret, endpoint, headers → yaml → config → trust → identity →
//! auth → discovery → mcp → oauth, bearer → seal → aggregate → gateway
//! ```
//!
//! Beside the last four, on top of `discovery`: `judge`, `compare`, `names` and `preview`, which commands and page share.

#![no_std]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking"))]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod aggregate;
pub mod auth;
pub mod bearer;
pub mod compare;
pub mod config;
pub mod converters;
pub mod crd;
pub mod decimal;
pub mod diagnostic;
pub mod discovery;
pub mod endpoint;
pub mod gateway;
pub mod headers;
pub mod identity;
pub mod json;
pub mod judge;
pub mod mcp;
pub mod names;
pub mod oauth;
pub mod order;
pub mod preview;
pub mod render;
pub mod report;
pub mod seal;
pub mod secret;
pub mod shape;
pub mod text;
pub mod trust;
pub mod words;
pub mod yaml;
