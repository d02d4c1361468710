//! What one caller's requests to a backend carry beside what everybody's do: headers that the caller sent and that are
//! passed on, and the credentials that were made for the caller.
//!
//! It makes no credentials; it puts them into requests.

use std::fmt;
use std::sync::Arc;

use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use vmcp_core::headers;
use vmcp_core::secret::Secret;

/// Headers of a client's request that are passed on, by name in lower case.
pub type Passed = Arc<[(String, Secret)]>;

/// What the requests of one caller carry. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Grant {
    /// The caller's own headers. They give way to what a request has already.
    pub passed: Passed,
    /// What proves to the backend who is asking.
    pub proof: Proof,
}

/// What proves who is asking. It overrides every header of the same name.
#[derive(Clone, Default)]
pub enum Proof {
    /// Nothing but what the backend's configuration has for everybody.
    #[default]
    None,
    /// The whole value of `Authorization`.
    Authorization(Secret),
    /// Whoever signs the finished request.
    Signature(Arc<dyn Sign>),
}

/// Signs requests.
pub trait Sign: Send + Sync {
    /// Adds to `headers` what signs the request. They are what will be sent, but for `Host` and the framing.
    ///
    /// # Errors
    /// Why it cannot be signed.
    fn sign(&self, method: &Method, uri: &Uri, headers: &mut HeaderMap, body: &[u8]) -> Result<(), String>;
}

impl Grant {
    /// With this proof, and nothing passed on.
    #[must_use]
    pub fn proving(proof: Proof) -> Self {
        Self { proof, ..Self::default() }
    }

    /// Completes the headers of a request: this is the last that is done to them.
    pub(crate) fn complete(&self, request: &mut ureq::http::Request<()>, body: &[u8]) -> Result<(), String> {
        for (name, value) in &*self.passed {
            let (name, value) = header(name, value)?;
            if !request.headers().contains_key(&name) {
                request.headers_mut().append(name, value);
            }
        }
        match &self.proof {
            Proof::None => Ok(()),
            Proof::Authorization(value) => {
                let (_, value) = header(header::AUTHORIZATION.as_str(), value)?;
                request.headers_mut().insert(header::AUTHORIZATION, value);
                Ok(())
            }
            Proof::Signature(signer) => {
                let (method, uri) = (request.method().clone(), request.uri().clone());
                signer.sign(&method, &uri, request.headers_mut(), body)
            }
        }
    }
}

/// A header whose value no log shows.
fn header(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), String> {
    let bad = |problem: &dyn fmt::Display| format!("header `{name}` {problem}");
    if let Some(problem) = headers::forwarded_name_problem(name) {
        return Err(bad(&problem));
    }
    let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(&headers::HeaderProblem::NotAToken))?;
    let mut value =
        HeaderValue::from_str(value.expose()).map_err(|_| bad(&headers::HeaderProblem::ControlCharacter))?;
    value.set_sensitive(true);
    Ok((parsed, value))
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Authorization(_) => "Authorization([secret])",
            Self::Signature(_) => "Signature",
        })
    }
}
