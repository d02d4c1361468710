//! What becomes of a response that comes in parts: they flow to the client, or are collected where they cannot be given so.
//!
//! It makes no part and changes none.

use std::sync::Arc;

use vmcp_core::mcp::Era;
use vmcp_core::mcp::client::{Answer, CallError, Problem, Ran, Reply};
use vmcp_core::mcp::http::{Failure, Sent, Stage};

use super::flow::{Gone, Pour};
use super::outlet::Outlet;
use crate::transport::Cancel;

/// What has become of a response that may come in parts.
pub(super) enum Course {
    /// None has come, and perhaps none will.
    Unbegun,
    /// They are on their way to the client.
    Flows(Pour),
    /// They are collected: a response of a backend of this era.
    Collected(Vec<u8>, Era),
}

impl Course {
    /// A part; the first one decides by where the answer goes, which is nowhere while its client is away. Waits for a client
    /// that reads slowly.
    ///
    /// # Errors
    /// The client is gone.
    pub(super) async fn take(
        &mut self,
        part: Vec<u8>,
        era: Era,
        outlet: impl FnOnce() -> Option<Arc<Outlet>>,
        cancel: &Cancel,
    ) -> Result<(), Gone> {
        if let Self::Unbegun = self {
            *self = match outlet().and_then(|outlet| outlet.pour().ok()) {
                Some(pour) => Self::Flows(pour),
                None => Self::Collected(Vec::new(), era),
            };
        }
        match self {
            Self::Unbegun => Ok(()),
            Self::Flows(pour) => pour.pour(part, cancel).await,
            Self::Collected(all, _) => {
                all.extend_from_slice(&part);
                Ok(())
            }
        }
    }

    /// Whether a part has come.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self, Self::Unbegun)
    }

    /// What is left to be told at the end of the call. What flows and did not come to its end is broken off.
    pub(super) fn over(self, result: Result<Answer, CallError>) -> Option<Result<Answer, CallError>> {
        match (self, result) {
            (Self::Flows(pour), Ok(_)) => {
                pour.end();
                None
            }
            (Self::Flows(_), Err(_)) => None,
            (Self::Collected(all, era), Ok(Answer::Passed)) => {
                let reply = String::from_utf8(all).ok().and_then(|text| Reply::read(text, era));
                // It was read once, so it is one.
                Some(reply.map(Answer::Reply).ok_or_else(|| error("", Problem::Empty)))
            }
            (Self::Unbegun | Self::Collected(..), result) => Some(result),
        }
    }
}

impl Gone {
    /// The same as the end of a call whose answer was being given.
    pub(super) fn while_answered(self, method: &str) -> CallError {
        let failure = Failure { stage: Stage::Cancelled, sent: Sent::Maybe, message: String::new() };
        error(method, Problem::NoAnswer { failure })
    }
}

fn error(method: &str, problem: Problem) -> CallError {
    CallError { method: method.to_owned(), problem, ran: Ran::Maybe }
}
