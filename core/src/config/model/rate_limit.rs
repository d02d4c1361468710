//! `rateLimiting`: how many calls are let through.
//!
//! It counts nothing.

use super::*;
use crate::config::refill::Refill;

model! {
    /// How many calls are let through: token buckets.
    pub struct RateLimitConfig, "`rateLimiting`" {
        /// One bucket for everybody.
        "shared" => shared: Option<RateLimitBucket>;
        /// One bucket for each user.
        "perUser" => per_user: Option<RateLimitBucket>;
        /// Buckets of single tools.
        "tools" => tools: List<ToolRateLimitConfig>;
    }

    /// A token bucket.
    pub struct RateLimitBucket, "a rate-limit bucket" {
        /// Calls that it holds, at least 1. Required.
        always "maxTokens" => max_tokens: Integer32;
        /// Time in which it fills from empty: `1m`, or `{duration: 1m0s}` as the operator writes it. Required.
        always "refillPeriod" => refill_period: Refill;
    }

    /// Buckets of one tool.
    pub struct ToolRateLimitConfig, "an entry of `rateLimiting.tools`" {
        /// Name of the tool. Required.
        always "name" => name: Text;
        /// One bucket for everybody.
        "shared" => shared: Option<RateLimitBucket>;
        /// One bucket for each user.
        "perUser" => per_user: Option<RateLimitBucket>;
    }
}
