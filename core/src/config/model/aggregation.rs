//! `aggregation`: how the capabilities of all backends become one list.
//!
//! It lists nothing and renames nothing itself.

use super::*;

model! {
    /// How the capabilities of all backends become one list.
    pub struct AggregationConfig, "`aggregation`" {
        /// What happens when two backends have tools of one name: `prefix` renames all tools, `priority` lets the first backend
        /// win, `manual` leaves out what the overrides do not tell apart. Required.
        always "conflictResolution" => conflict_resolution: Text ["prefix", "priority", "manual"];
        /// Details of the strategy. Required.
        "conflictResolutionConfig" => conflict_resolution_config: Option<ConflictResolutionConfig>;
        /// Filters and overrides by backend; at least one for `manual`.
        "tools" => tools: List<WorkloadToolConfig>;
        /// Hides all backend tools; composite tools remain.
        "excludeAllTools" => exclude_all_tools: Flag = "false";
        /// Whether tools of backends without an entry in `tools` are shown.
        "defaultToolVisibility" => default_tool_visibility: Text = "allow" ["allow", "deny"];
    }

    /// Details of the conflict resolution strategy.
    pub struct ConflictResolutionConfig, "`conflictResolutionConfig`" {
        /// Prefix of every tool, `{workload}` standing for the backend's name; required for `prefix`. Prompts have it whatever the
        /// strategy is, except those of backends in `priorityOrder`.
        "prefixFormat" => prefix_format: Text;
        /// Names of backends, the first wins; required for `priority`. Their prompts have no prefix, and they are asked first for a
        /// resource that nobody lists.
        "priorityOrder" => priority_order: Texts;
    }

    /// Filters and overrides for one backend.
    pub struct WorkloadToolConfig, "an entry of `aggregation.tools`" {
        /// Name of the backend, once only. Required.
        always "workload" => workload: Text;
        /// A reference that the operator resolves; nothing acts on it here.
        "toolConfigRef" => tool_config_ref: Option<ToolConfigRef>;
        /// The only tools that are shown, by their names after `overrides` and before any prefix; empty means all.
        "filter" => filter: Texts;
        /// Other names, descriptions and annotations, by the tools' original names.
        "overrides" => overrides: Map<ToolOverride>;
        /// Hides all tools of this backend.
        "excludeAll" => exclude_all: Flag = "false";
    }

    /// A reference that the operator resolves.
    pub struct ToolConfigRef, "`toolConfigRef`" {
        /// Name of the `MCPToolConfig`.
        always "name" => name: Text;
    }

    /// What is changed about one tool. At least one key; Go refuses one with annotations only.
    pub struct ToolOverride, "a tool override" {
        /// Other name.
        "name" => name: Text;
        /// Other description.
        "description" => description: Text;
        /// Other annotations.
        "annotations" => annotations: Option<ToolAnnotationsOverride>;
    }

    /// Annotations that replace a tool's own; those not written are left as they are.
    pub struct ToolAnnotationsOverride, "`annotations`" {
        /// Title for people; empty removes it.
        "title" => title: Present<String>;
        /// The tool changes nothing.
        "readOnlyHint" => read_only_hint: Present<bool>;
        /// The tool may destroy something.
        "destructiveHint" => destructive_hint: Present<bool>;
        /// Calling it twice is as calling it once.
        "idempotentHint" => idempotent_hint: Present<bool>;
        /// The tool reaches the outside world.
        "openWorldHint" => open_world_hint: Present<bool>;
    }
}
