//! Every bound on what is read, in one place. Documented for users in `docs/limits.md`.

/// Bytes of one input.
pub const INPUT_BYTES: usize = 64 << 20;
/// Levels of nesting in YAML.
pub const NESTING: usize = 128;
/// Configurations in one input.
pub const CONFIGURATIONS: usize = 1000;
/// Values in one YAML document (an alias counts once). A backend of the operator's has some thirty.
pub const NODES: usize = 2_000_000;
/// Entries that all `<<` of one YAML document together may look at.
pub const MERGE_STEPS: usize = 1_000_000;
/// Parts (scalars, lists, mappings) of free-form values such as `parameters`, all together. Aliases count each time.
pub const FREE_FORM_PARTS: usize = 100_000;
/// Errors of one input that are kept, and as many warnings and notes; the rest is counted.
pub const DIAGNOSTICS: usize = 1000;
/// Bytes of one CA bundle.
pub const CA_BUNDLE_BYTES: usize = 1 << 20;
/// Bytes of a file of variables (`--env-file`).
pub const ENV_FILE_BYTES: usize = 1 << 20;
/// Steps of one composite tool, as in the Go program.
pub const WORKFLOW_STEPS: usize = 100;
/// Levels of `properties` in a composite tool's `output`, as in the Go program.
pub const OUTPUT_NESTING: usize = 10;
