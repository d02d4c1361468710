//! `sessionStorage`: where sessions are kept.
//!
//! It stores nothing. The Redis password is in `THV_SESSION_REDIS_PASSWORD`, never here.

use super::*;

model! {
    /// Where sessions are kept.
    pub struct SessionStorageConfig, "`sessionStorage`" {
        /// In this process, or in Redis. Empty means `memory`.
        always "provider" => provider: Text ["memory", "redis"];
        /// `host:port` of Redis.
        "address" => address: Text;
        /// Number of the Redis database.
        "db" => db: Integer32 = "0";
        /// What keys begin with; it ends with `:`.
        "keyPrefix" => key_prefix: Text = "thv:vmcp:session:";
    }
}
