//! One HTTP request and what comes back, as the seam between exchanges (core) and the transport (a host).
//!
//! It holds no URL and no credentials: the transport knows the backend and adds them.

use alloc::string::String;
use alloc::vec::Vec;

/// The methods that MCP uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Opens an event stream.
    Get,
    /// Sends a message.
    Post,
    /// Ends a session.
    Delete,
}

/// A request to one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Protocol headers, names in lower case; never credentials.
    pub headers: Vec<(String, String)>,
    /// The body, empty for GET and DELETE.
    pub body: Vec<u8>,
}

/// Status and headers of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// All headers, names in lower case, values that are not UTF-8 left out.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first header of this name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The media type of the body, in lower case, without parameters.
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }
}

/// What the transport tells an exchange.
#[derive(Debug)]
pub enum Input<'a> {
    /// The response has begun.
    Head(Head),
    /// Bytes of its body, in any portions.
    Body(&'a [u8]),
    /// Its body is complete.
    End,
    /// There is no response, or no more of it.
    Failed(Failure),
}

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Which part failed.
    pub stage: Stage,
    /// Whether the backend can have seen the request.
    pub sent: Sent,
    /// The reason in words, with the address or the certificate it is about; no credentials.
    pub message: String,
}

/// The stages of a request, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Looking up the name.
    Resolve,
    /// Opening the connection.
    Connect,
    /// The TLS handshake and the server's certificate.
    Tls,
    /// Writing the request.
    Send,
    /// Waiting for the first byte of the answer.
    FirstByte,
    /// Reading the answer.
    Body,
    /// Stopped by the caller.
    Cancelled,
}

/// Whether a backend can have seen a request: one that it cannot have seen may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sent {
    /// Not a byte left.
    Nothing,
    /// Some bytes left.
    Maybe,
}
