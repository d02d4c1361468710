//! skeleton
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod render;
