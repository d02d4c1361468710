//! Every bound on what is read, in one place. Documented for users in `docs/limits.md`.

/// Bytes of one input.
pub const INPUT_BYTES: usize = 64 << 20;
/// Levels of nesting in YAML.
pub const NESTING: usize = 128;
/// Findings of one input that are kept; the rest is counted.
pub const DIAGNOSTICS: usize = 1000;
/// Bytes of one CA bundle.
pub const CA_BUNDLE_BYTES: usize = 1 << 20;
/// Bytes of a file of variables (`--env-file`).
pub const ENV_FILE_BYTES: usize = 1 << 20;
