//! `audit`: the record of who did what.
//!
//! It records nothing.

use super::*;

model! {
    /// The record of who did what. The block turns it on, whatever `enabled` says.
    pub struct AuditConfig, "`audit`" {
        /// Nothing acts on it: the block turns the record on.
        "enabled" => enabled: Flag;
        /// Name of the component in it.
        "component" => component: Text;
        /// Kinds of event that are recorded; empty means all.
        "eventTypes" => event_types: Texts;
        /// Kinds of event that are not recorded, also if `eventTypes` names them.
        "excludeEventTypes" => exclude_event_types: Texts;
        /// Whether requests are recorded with their contents.
        "includeRequestData" => include_request_data: Flag = "false";
        /// Whether responses are recorded with their contents.
        "includeResponseData" => include_response_data: Flag = "false";
        /// Whether an answer that carries an error is recorded as a failure.
        "detectApplicationErrors" => detect_application_errors: Present<bool> = "true";
        /// Bytes of contents that are recorded of each.
        "maxDataSize" => max_data_size: Integer = "1024";
        /// Links of a delegation that are recorded, at least 1.
        "maxDelegationDepth" => max_delegation_depth: Present<i64> = "10";
        /// File that it is appended to; standard output if empty.
        "logFile" => log_file: Text;
    }
}
