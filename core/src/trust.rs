//! skeleton: CA bundles, system roots, pools, and the verification of a server.
use alloc::sync::Arc;
pub use rustls_pki_types::UnixTime;
/// skeleton
#[derive(Debug)]
pub struct SystemRoots;
/// skeleton
#[derive(Debug)]
pub struct CaBundle;
/// skeleton
#[derive(Debug)]
pub struct Pool {
    /// s
    pub system: Arc<SystemRoots>,
    /// b
    pub bundle: Option<Arc<CaBundle>>,
}
