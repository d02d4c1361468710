//! The core from outside: properties, transcripts and vectors, as values alone.
//!
//! Nothing here opens a socket or starts a program.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bearer;
mod closed;
mod go_yaml;
mod mcp;
mod simulation;
mod states;
mod transcripts;
