//! Every bound on what is read, in one place. Documented for users in `docs/limits.md`.

/// Bytes of one input.
pub const INPUT_BYTES: usize = 64 << 20;
/// Levels of nesting in YAML.
pub const NESTING: usize = 128;
/// Values in one YAML document (an alias counts once). A backend of the operator's has some thirty.
pub const NODES: usize = 5_000_000;
/// Entries that all `<<` of one YAML document together may look at.
pub const MERGE_STEPS: usize = 1_000_000;
/// Findings of one input that are kept; the rest is counted.
pub const DIAGNOSTICS: usize = 1000;
/// Bytes of one CA bundle.
pub const CA_BUNDLE_BYTES: usize = 1 << 20;
