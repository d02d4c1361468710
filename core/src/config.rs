//! skeleton
pub mod limits;
