//! `compositeTools`: tools made of several calls.
//!
//! It runs none of them and does not read their templates.

use alloc::boxed::Box;

use super::*;
use crate::config::any::{AnyMap, AnyValue};

model! {
    /// A tool made of several calls.
    pub struct CompositeToolConfig, "a composite tool" {
        /// Its name, unique among composite tools. Required.
        always "name" => name: Text;
        /// What clients read about it. Required.
        "description" => description: Text;
        /// JSON Schema of its arguments, of type `object`.
        "parameters" => parameters: AnyMap;
        /// How long all of it may take.
        "timeout" => timeout: Time = "30m0s";
        /// Its steps; at least one, at most 100.
        always "steps" => steps: List<WorkflowStepConfig>;
        /// What it answers; absent means: the output of the last step.
        "output" => output: Option<OutputConfig>;
        /// Annotations that clients see.
        "annotations" => annotations: Option<ToolAnnotationsOverride>;
    }

    /// A composite tool by reference.
    pub struct CompositeToolRef, "an entry of `compositeToolRefs`" {
        /// Name of the `VirtualMCPCompositeToolDefinition`, once only. Required.
        always "name" => name: Text;
    }

    /// One step of a composite tool.
    pub struct WorkflowStepConfig, "a step" {
        /// Its name, unique in the tool. Required.
        always "id" => id: Text;
        /// Calls a tool, asks the user, or repeats a step for each item of a list.
        "type" => kind: Text = "tool" ["tool", "elicitation", "forEach"];
        /// The tool that is called; required for `tool`.
        "tool" => tool: Text;
        /// Its arguments; texts are templates.
        "arguments" => arguments: AnyMap;
        /// Template; the step is skipped unless it gives `true`.
        "condition" => condition: Text;
        /// Names of steps that must be done before.
        "dependsOn" => depends_on: Texts;
        /// What happens when it fails.
        "onError" => on_error: Option<StepErrorHandling>;
        /// Template of the question; required for `elicitation`.
        "message" => message: Text;
        /// JSON Schema of the answer; required for `elicitation`.
        "schema" => schema: AnyMap;
        /// How long it may take.
        "timeout" => timeout: Time = "5m0s";
        /// What happens when the user declines.
        "onDecline" => on_decline: Option<ElicitationResponseConfig>;
        /// What happens when the user cancels.
        "onCancel" => on_cancel: Option<ElicitationResponseConfig>;
        /// Output of the step when it is skipped or fails.
        "defaultResults" => default_results: AnyMap;
        /// Template that gives the list; required for `forEach`.
        "collection" => collection: Text;
        /// Name of the item in templates of the inner step.
        "itemVar" => item_var: Text = "item";
        /// Items at a time, up to 50.
        "maxParallel" => max_parallel: Integer = "10";
        /// Items at most, up to 1000.
        "maxIterations" => max_iterations: Integer = "100";
        /// What is repeated, of type `tool`; required for `forEach`.
        "step" => step: Option<Box<WorkflowStepConfig>>;
    }

    /// What happens when a step fails.
    pub struct StepErrorHandling, "`onError`" {
        /// Ends the tool, goes on, or tries again.
        "action" => action: Text = "abort" ["abort", "continue", "retry"];
        /// How often it is tried again, at least 1 for `retry`.
        "retryCount" => retry_count: Integer;
        /// Time before the next try.
        "retryDelay" => retry_delay: Time;
    }

    /// What happens when the user does not answer.
    pub struct ElicitationResponseConfig, "an answer handler" {
        /// Skips what follows, ends the tool, or goes on. Required.
        "action" => action: Text ["skip_remaining", "abort", "continue"];
    }

    /// What a composite tool answers.
    pub struct OutputConfig, "`output`" {
        /// Its members by name; at least one.
        always "properties" => properties: Map<OutputProperty>;
        /// Members that are always there.
        "required" => required: Texts;
    }

    /// One member of the answer.
    pub struct OutputProperty, "an output property" {
        /// JSON type. Required.
        always "type" => kind: Text ["string", "integer", "number", "boolean", "object", "array"];
        /// What clients read about it. Required.
        always "description" => description: Text;
        /// Template of its value. Either this or `properties`.
        "value" => value: Text;
        /// Members of an object. Either this or `value`.
        "properties" => properties: Map<OutputProperty>;
        /// Its value when the template gives none.
        "default" => default: AnyValue;
    }
}
