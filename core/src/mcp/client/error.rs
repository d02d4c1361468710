//! Why an exchange brought no answer, and whether it may be tried again.
//!
//! The texts quote no body and no credentials. The backend's name is put before them by whoever knows it.

use alloc::string::String;
use core::fmt;

use crate::mcp::Revision;
use crate::mcp::http::{Failure, Sent, Stage};
use crate::mcp::jsonrpc::Fault;

/// An exchange that brought no answer. A JSON-RPC error of the backend to a call is an answer, not this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The request that was not answered: the one that was wanted, or one that had to come before it.
    pub method: String,
    /// What went wrong.
    pub problem: Problem,
    /// Whether the wanted request can have been carried out.
    pub ran: Ran,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.method, self.problem)
    }
}

impl core::error::Error for CallError {
    /// The problem's words are in the text already: the cause is the problem's.
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        core::error::Error::source(&self.problem)
    }
}

/// Whether a request can have been carried out: one that cannot have may be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ran {
    /// Certainly not.
    No,
    /// Perhaps.
    Maybe,
}

/// What an operator does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The backend could not be reached or did not answer to the end.
    Unreachable,
    /// It wants other credentials.
    Credentials,
    /// It has too much to do, or an error of its own.
    Busy,
    /// It does not speak MCP as it should, or is no MCP server.
    Protocol,
    /// Our caller gave up.
    Cancelled,
}

/// What went wrong with one request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The transport gave up.
    #[error("{}", Ended(failure.stage))]
    NoAnswer {
        /// Why.
        #[source]
        failure: Failure,
    },
    /// There was nothing to prove with who is asking, so the backend was not asked.
    #[error("the backend was not called: {message}")]
    NoCredentials {
        /// Why.
        message: String,
        /// What the transport to a token endpoint said, if it gave up.
        #[source]
        failure: Option<Failure>,
    },
    /// A status that carries no answer.
    #[error("status is {}; expected 200", Reason(*.0))]
    Status(u16),
    /// A status that does not take a notification (2025-11-25, basic/transports, Sending Messages 4).
    #[error("status is {}; expected 202", Reason(*.0))]
    NotAccepted(u16),
    /// A body of another type: an HTML page, mostly.
    #[error("content type is \"{0}\"; expected application/json or text/event-stream")]
    ContentType(String),
    /// A body of no type.
    #[error("there is no content type; expected application/json or text/event-stream")]
    NoContentType,
    /// Nothing.
    #[error("the answer is empty; expected a JSON-RPC response")]
    Empty,
    /// More than the limit.
    #[error("the answer has more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// No JSON-RPC.
    #[error("the answer is no JSON-RPC message")]
    Malformed {
        /// Why not.
        #[source]
        fault: Fault,
    },
    /// Something else than a response, or one to another request.
    #[error("the answer is {found}; expected the response to request {id}")]
    NotTheResponse {
        /// What it is.
        found: &'static str,
        /// The request.
        id: u64,
    },
    /// A result was passed on that turns out to be none to pass on (2026-07-28, basic/index, ResultType).
    #[error("the result has content, and behind it a type other than `complete`; expected one of the two")]
    LateType,
    /// An event was passed on that turns out to carry no message.
    #[error("the event that holds the response says behind its data that it is of another kind than `message`")]
    NotAMessage,
    /// The stream ended early.
    #[error("the stream ended before the response to request {id}")]
    Truncated {
        /// The request.
        id: u64,
    },
    /// A request that had to succeed got an error. The message is left out: it is the backend's and may hold anything.
    #[error("the answer is JSON-RPC error {code}; expected a result")]
    Rpc {
        /// Its code.
        code: i64,
    },
    /// A result without what it must have.
    #[error("the result has no {0}")]
    BadResult(&'static str),
    /// A revision that is not spoken here.
    #[error("protocol version is \"{}\"; expected one of {}", .0, Legacies)]
    Version(String),
    /// A session id with characters that it must not have (2025-11-25, basic/transports, Session Management 1).
    #[error("the session id has characters other than visible ASCII")]
    SessionId,
    /// A list that would never end.
    #[error("page {page} ends with the cursor of an earlier page; the list would never end")]
    RepeatedCursor {
        /// Which page, from 1.
        page: usize,
    },
    /// A list that does not end.
    #[error("the list has more than {limit} pages")]
    TooManyPages {
        /// The most that are read.
        limit: usize,
    },
}

impl CallError {
    /// Whether sending the same again cannot make it run twice.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        self.ran == Ran::No
    }

    /// What an operator does about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match &self.problem {
            Problem::NoAnswer { failure } if failure.stage == Stage::Cancelled => Class::Cancelled,
            Problem::NoAnswer { .. } | Problem::Truncated { .. } => Class::Unreachable,
            Problem::Status(401 | 403 | 407)
            | Problem::NotAccepted(401 | 403 | 407)
            | Problem::NoCredentials { .. } => Class::Credentials,
            Problem::Status(408 | 429 | 500..=599) | Problem::NotAccepted(408 | 429 | 500..=599) => Class::Busy,
            _ => Class::Protocol,
        }
    }
}

impl Problem {
    /// Whether the request that met it can have been carried out.
    #[must_use]
    pub(super) fn ran(&self) -> Ran {
        match self {
            Self::NoAnswer { failure } if failure.sent == Sent::Nothing => Ran::No,
            Self::NoCredentials { .. } => Ran::No,
            // Refused before anything was looked at; a server error or 408 may come late.
            Self::Status(400 | 401 | 403 | 404 | 405 | 406 | 407 | 411 | 413 | 415 | 421 | 426 | 429 | 431) => Ran::No,
            _ => Ran::Maybe,
        }
    }
}

struct Ended(Stage);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Stage::Resolve => "the name of the backend was not resolved",
            Stage::Connect => "no connection to the backend",
            Stage::Tls => "no TLS connection to the backend",
            Stage::Send => "the request was not sent to its end",
            Stage::FirstByte => "no answer came",
            Stage::Body | Stage::Lost => "the answer broke off",
            Stage::Cancelled => "the caller gave up",
        })
    }
}

struct Reason(u16);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.0 {
            202 => " (accepted, without an answer)",
            204 => " (no content)",
            300..=399 => " (a redirect that is not followed)",
            400 => " (bad request)",
            401 => " (the backend wants other credentials)",
            403 => " (the backend forbids it to these credentials)",
            404 => " (not found)",
            405 => " (the method is not allowed there)",
            406 => " (not acceptable)",
            407 => " (a proxy wants credentials)",
            408 => " (the backend gave up waiting)",
            413 => " (the request is too large)",
            415 => " (unsupported media type)",
            429 => " (too many requests)",
            500 => " (the backend failed)",
            502..=504 => " (the backend or something before it is not available)",
            _ => "",
        };
        write!(f, "{}{words}", self.0)
    }
}

struct Legacies;

impl fmt::Display for Legacies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, revision) in Revision::LEGACY.into_iter().enumerate() {
            write!(f, "{}{revision}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A text of the backend's, made fit for a message: short, printable ASCII.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_ascii_graphic() && c != '"' || c == ' ' { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn the_texts() {
        let text = |problem: Problem| problem.to_string();
        let failure = |stage| Problem::NoAnswer {
            failure: Failure { stage, sent: Sent::Maybe, message: "the cause, which is the source".into() },
        };
        for (stage, expected) in [
            (Stage::Resolve, "the name of the backend was not resolved"),
            (Stage::Connect, "no connection to the backend"),
            (Stage::Tls, "no TLS connection to the backend"),
            (Stage::Send, "the request was not sent to its end"),
            (Stage::FirstByte, "no answer came"),
            (Stage::Body, "the answer broke off"),
            (Stage::Lost, "the answer broke off"),
            (Stage::Cancelled, "the caller gave up"),
        ] {
            assert_eq!(text(failure(stage)), expected);
        }
        for (status, expected) in [
            (202, "status is 202 (accepted, without an answer); expected 200"),
            (204, "status is 204 (no content); expected 200"),
            (302, "status is 302 (a redirect that is not followed); expected 200"),
            (400, "status is 400 (bad request); expected 200"),
            (401, "status is 401 (the backend wants other credentials); expected 200"),
            (403, "status is 403 (the backend forbids it to these credentials); expected 200"),
            (404, "status is 404 (not found); expected 200"),
            (405, "status is 405 (the method is not allowed there); expected 200"),
            (406, "status is 406 (not acceptable); expected 200"),
            (407, "status is 407 (a proxy wants credentials); expected 200"),
            (408, "status is 408 (the backend gave up waiting); expected 200"),
            (413, "status is 413 (the request is too large); expected 200"),
            (415, "status is 415 (unsupported media type); expected 200"),
            (418, "status is 418; expected 200"),
            (429, "status is 429 (too many requests); expected 200"),
            (500, "status is 500 (the backend failed); expected 200"),
            (503, "status is 503 (the backend or something before it is not available); expected 200"),
        ] {
            assert_eq!(text(Problem::Status(status)), expected);
            assert_eq!(text(Problem::NotAccepted(status)), expected.replace("expected 200", "expected 202"));
        }
        for (problem, expected) in [
            (
                Problem::ContentType("text/html".into()),
                "content type is \"text/html\"; expected application/json or text/event-stream",
            ),
            (
                Problem::NoCredentials { message: "no token".into(), failure: None },
                "the backend was not called: no token",
            ),
            (Problem::NoContentType, "there is no content type; expected application/json or text/event-stream"),
            (Problem::Empty, "the answer is empty; expected a JSON-RPC response"),
            (Problem::TooLarge { limit: 10 }, "the answer has more than 10 bytes"),
            (Problem::Malformed { fault: Fault::Empty }, "the answer is no JSON-RPC message"),
            (
                Problem::NotTheResponse { found: "a notification", id: 7 },
                "the answer is a notification; expected the response to request 7",
            ),
            (Problem::Truncated { id: 7 }, "the stream ended before the response to request 7"),
            (Problem::Rpc { code: -32603 }, "the answer is JSON-RPC error -32603; expected a result"),
            (Problem::BadResult("`tools` array"), "the result has no `tools` array"),
            (
                Problem::Version("2099-01-01".into()),
                "protocol version is \"2099-01-01\"; expected one of 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05",
            ),
            (Problem::SessionId, "the session id has characters other than visible ASCII"),
            (
                Problem::RepeatedCursor { page: 3 },
                "page 3 ends with the cursor of an earlier page; the list would never end",
            ),
            (Problem::TooManyPages { limit: 10 }, "the list has more than 10 pages"),
        ] {
            assert_eq!(text(problem), expected);
        }
        let error = CallError { method: "tools/call".into(), problem: Problem::Empty, ran: Ran::Maybe };
        assert_eq!(error.to_string(), "tools/call: the answer is empty; expected a JSON-RPC response");
    }

    #[test]
    fn what_comes_from_the_backend_is_cut_and_cleaned() {
        assert_eq!(excerpt("text/\u{1b}[31m\"é\n"), "text/?[31m???");
        assert_eq!(excerpt(&"x".repeat(1000)).len(), 60);
    }
}
