//! The core for JavaScript, in a browser or in Node: text in, JSON out.
//!
//! There is no logic here. Each feature is a build of its own: `preview` for the page, `exchange` for hosts that call servers.

#[cfg(feature = "exchange")]
pub mod exchange;
#[cfg(feature = "preview")]
pub mod preview;
