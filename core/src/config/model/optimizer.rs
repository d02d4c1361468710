//! `optimizer` and `codeMode`: fewer tools for models with little room.
//!
//! It searches nothing and runs nothing.

use super::*;

model! {
    /// Serves two tools, find and call, in place of all.
    pub struct OptimizerConfig, "`optimizer`" {
        /// URL of the service that embeds texts; empty means: keywords only.
        "embeddingService" => embedding_service: Text;
        /// How long it may take.
        "embeddingServiceTimeout" => embedding_service_timeout: Time = "30s";
        /// What kind of service it is.
        "embeddingProvider" => embedding_provider: Text = "tei" ["tei", "openai"];
        /// Its model; required for `openai`.
        "embeddingModel" => embedding_model: Text;
        /// Headers sent to it; only for `openai`.
        "embeddingHeaders" => embedding_headers: Map<Spanned<Secret>>;
        /// Tools that one search gives, 1 to 50.
        "maxToolsToReturn" => max_tools_to_return: Integer = "8";
        /// How much meaning counts against keywords, 0 to 1.
        "hybridSearchSemanticRatio" => hybrid_search_semantic_ratio: Text = "0.5";
        /// How far a tool's meaning may be from the search, 0 to 2.
        "semanticDistanceThreshold" => semantic_distance_threshold: Text = "1.0";
    }

    /// A tool that runs short scripts of tool calls.
    pub struct CodeModeConfig, "`codeMode`" {
        /// Whether there is one.
        "enabled" => enabled: Flag = "false";
        /// Steps that a script may take.
        "stepLimit" => step_limit: Integer = "100000";
        /// Calls at a time.
        "parallelMaxConcurrency" => parallel_max_concurrency: Integer = "10";
        /// How long one call may take.
        "toolCallTimeout" => tool_call_timeout: Time = "30s";
    }
}
