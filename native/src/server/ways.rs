//! The way to a backend for one caller: with the credentials that the backend's strategy makes for that caller, and for
//! the gateway itself with those that are nobody's.
//!
//! Nobody ever goes with what was made for somebody else: where there is nothing for a caller, there is no way.

use std::sync::Arc;

use vmcp_core::identity::Principal;
use vmcp_core::mcp::client::{CallError, Goal, Problem, Ran};
use vmcp_core::mcp::http::{Failure, Sent, Stage};
use vmcp_core::oauth::TokenError;

use super::served::Served;
use crate::credentials::{Grant, Passed};
use crate::tokens::Given;
use crate::transport::asynchronous::AsyncTransport;

/// For whom a backend is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// A client wants it.
    Client,
    /// Nobody but the gateway does: a list, a probe, the end of a session.
    Gateway,
}

/// The way to a backend with what was granted for it.
pub(super) struct Granted {
    pub(super) transport: AsyncTransport,
    /// What was given for it, if it was made for it.
    given: Option<Given>,
}

impl Served {
    /// The way for `who`; if that is nobody, for a client without a name, or for the gateway itself. `passed` are the
    /// headers of the client's request that are passed on; without, those of all who share this view.
    pub(super) async fn granted(
        &self,
        who: Option<&Arc<Principal>>,
        passed: Option<&Passed>,
        asker: Asker,
    ) -> Result<Granted, TokenError> {
        let passed = passed.unwrap_or(&self.passed);
        let (grant, given) = match (&self.strategy, who, asker) {
            (None, _, _) if passed.is_empty() => {
                return Ok(Granted { transport: self.transport.clone(), given: None });
            }
            (None, _, _) => (Grant::default(), None),
            (Some(strategy), Some(who), _) => {
                let (grant, given) = self.tokens.of_caller(strategy, who).await?;
                (grant, Some(given))
            }
            (Some(strategy), None, Asker::Gateway) => self.tokens.of_nobody(strategy).await?,
            (Some(strategy), None, Asker::Client) => return Err(TokenError::NoToken { strategy: strategy.word() }),
        };
        let grant = Grant { passed: Arc::clone(passed), ..grant };
        Ok(Granted { transport: self.transport.with_grant(grant), given })
    }

    /// Whether an exchange is to be made once more with new credentials: the backend did not take these.
    pub(super) fn is_refused(&self, way: &Granted, error: &CallError) -> bool {
        match (&way.given, error) {
            // RFC 6750 section 3.1. Nothing was done: the request was refused before it was looked at.
            (
                Some(given),
                CallError { problem: Problem::Status(401) | Problem::NotAccepted(401), ran: Ran::No, .. },
            ) => {
                self.tokens.forget(given);
                true
            }
            _ => false,
        }
    }
}

/// That there is no way, as the error of the exchange that would have gone it.
pub(super) fn no_way(goal: &Goal, error: TokenError) -> CallError {
    let message = error.to_string();
    let failure = match error {
        TokenError::NoAnswer { failure, .. } => Some(failure),
        _ => None,
    };
    CallError { method: method(goal), problem: Problem::NoCredentials { message, failure }, ran: Ran::No }
}

/// That whoever wanted the exchange gave it up before there was a way.
pub(super) fn given_up(goal: &Goal) -> CallError {
    let failure = Failure { stage: Stage::Cancelled, sent: Sent::Nothing, message: String::new() };
    CallError { method: method(goal), problem: Problem::NoAnswer { failure }, ran: Ran::No }
}

fn method(goal: &Goal) -> String {
    match goal {
        Goal::Call(call) => call.method.clone(),
        Goal::List(list) => list.method().to_owned(),
        Goal::Open | Goal::End => "initialize".to_owned(),
    }
}
