//! The half of vmcp that touches the world: files, environment, sockets and TLS.
//!
//! Without default features it is a small library for embedders: [`materials`], [`roots`], the blocking [`transport`],
//! with no async runtime in its tree. It decides nothing about configuration or trust;
//! that is `vmcp_core`.
//!
//! From a configuration to the answer of a tool:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use vmcp_core::config::input;
//! use vmcp_core::discovery::{discover, needs};
//! use vmcp_core::mcp::client::{Answer, Call, Declared, Exchange, Goal, Limits, Settings, Start};
//! use vmcp_core::trust::UnixTime;
//! use vmcp_native::materials::{Source, gather};
//! use vmcp_native::roots::system_roots;
//! use vmcp_native::transport::{BackendTransport, Cancel, Patience, Said, TransportOptions};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // What was written, and everything that is wrong with it.
//!     let input = input::read(&std::fs::read("/etc/vmcp-config/config.yaml")?);
//!     let document = input.configs.first().ok_or("there is no configuration")?;
//!
//!     // What it needs of this machine, and what may be called.
//!     let source = Source::this_machine();
//!     let (roots, _) = system_roots(&source);
//!     let ask = |known: &_| needs(&document.config, known);
//!     let materials = gather(|known| ask(&known.variables), &source, Arc::new(roots), UnixTime::now());
//!     let catalog = discover(&document.config, &document.diagnostics, &materials);
//!     for rejected in &catalog.rejected {
//!         eprintln!("{} is not called: {}", rejected.name, rejected.reasons[0].message);
//!     }
//!     let backend = catalog.backends.first().ok_or("no backend can be called")?;
//!
//!     // One call. What was learned begins the next exchange, so that a session is opened once.
//!     let transport = BackendTransport::new(backend, &TransportOptions::default())?;
//!     let settings = Arc::new(Settings { declared: Declared::new("example", "1.0"), limits: Limits::default() });
//!     let call = Call::new("tools/call", Some(r#"{"name":"search","arguments":{"query":"bolts"}}"#.to_owned()));
//!     let mut exchange = Exchange::new(Goal::Call(call), Start::Unknown, 0, settings);
//!     let mut next = Start::Unknown;
//!     let answer = transport.run(&mut exchange, &Patience::default(), &Cancel::new(), |_, said| {
//!         if let Said::Learned(standing) = said {
//!             next = Start::Standing(standing);
//!         }
//!     })?;
//!     if let Answer::Reply(reply) = answer {
//!         println!("{}", reply.result().unwrap_or("the backend answered by an error"));
//!     }
//!     Ok(())
//! }
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking"))]

#[cfg(feature = "server")]
pub mod cli;
pub mod credentials;
#[cfg(feature = "server")]
mod demo;
#[cfg(feature = "server")]
pub mod logging;
pub mod materials;
#[cfg(feature = "server")]
pub mod render;
#[cfg(feature = "server")]
pub mod roles;
pub mod roots;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod signing;
#[cfg(feature = "server")]
pub mod tokens;
pub mod transport;
pub mod verifier;
