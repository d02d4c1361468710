//! What was left out of the catalog, in words for the log.
//!
//! It decides nothing.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::Reason;
use crate::mcp::client::List;

/// Something that is not advertised.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// It cannot be asked for.
    #[error("{} {position} of backend `{backend}` is left out: {reason}", kind.noun())]
    Unusable {
        /// What it is.
        kind: List,
        /// Whose.
        backend: String,
        /// Which, from 1, in the backend's order.
        position: usize,
        /// Why.
        reason: Reason,
    },
    /// Another backend has the name.
    #[error("{} `{original}` of backend `{backend}` is left out: backend `{kept}` advertises `{advertised}` already", kind.noun())]
    Collision {
        /// What it is.
        kind: List,
        /// Whose.
        backend: String,
        /// The name that the backend knows.
        original: String,
        /// The name that both would have.
        advertised: String,
        /// The backend that has it.
        kept: String,
    },
    /// The backend lists it twice.
    #[error("{} `{original}` of backend `{backend}` is listed twice; the first is kept", kind.noun())]
    Repeated {
        /// What it is.
        kind: List,
        /// Whose.
        backend: String,
        /// The name that the backend knows.
        original: String,
    },
    /// An override gives it a name that another tool of its backend has.
    #[error(
        "tool `{original}` of backend `{backend}` is left out: `{kept}` of the same backend is named `{name}` already"
    )]
    Overridden {
        /// Whose.
        backend: String,
        /// The name that the backend knows.
        original: String,
        /// The name that both would have.
        name: String,
        /// The tool that has it, by the name that the backend knows.
        kept: String,
    },
    /// Several backends have it, and nothing says whose is meant.
    #[error("{} `{name}` is left out: backends {} have it, and the configuration does not say which is meant", kind.noun(), Several(backends))]
    Contested {
        /// What it is.
        kind: List,
        /// The name.
        name: String,
        /// Who has it.
        backends: Vec<String>,
    },
}

/// How much an operator should mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The configured order decided.
    Warning,
    /// Something that should be there is nobody's.
    Error,
}

impl Warning {
    /// How much an operator should mind.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self::Contested { .. } => Severity::Error,
            _ => Severity::Warning,
        }
    }
}

struct Several<'a>(&'a [String]);

impl fmt::Display for Several<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            let separator = match index {
                0 => "",
                _ if index + 1 == self.0.len() => " and ",
                _ => ", ",
            };
            write!(f, "{separator}`{name}`")?;
        }
        Ok(())
    }
}
