//! The program `vmcp` as a person or a script meets it: its commands, its words, the documents that quote them, and
//! the rules of the house that hold this tree.
//!
//! `vmcp serve` has tests of its own in `serve`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod bridge;
mod cases;
mod cli;
mod commands;
mod demo;
mod diff;
mod docs;
mod docs_commands;
mod house;
mod inspect;
mod limits;
mod render;
