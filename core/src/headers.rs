//! Which HTTP header names and values may be configured, and the names the operator derives from them.
//!
//! It holds no header of any request. Rules: RFC 9110 section 5, and ToolHive's `header_forward.go`.

use alloc::string::String;

/// Bytes of a header name.
pub const NAME_BYTES: usize = 256;
/// Bytes of a header value.
pub const VALUE_BYTES: usize = 8192;

/// Headers that belong to a connection or say who is asking; nobody may configure them.
const RESTRICTED: [&str; 17] = [
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "proxy-authorization",
    "proxy-authenticate",
    "proxy-connection",
    "transfer-encoding",
    "content-length",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Why a header name or value is refused. Displays as a predicate: "is restricted; …". No text carries a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderProblem {
    /// Nothing.
    #[error("has no name")]
    EmptyName,
    /// Longer than [`NAME_BYTES`].
    #[error("has a name of {0} bytes; at most 256 are sent")]
    LongName(usize),
    /// Not a token (RFC 9110 section 5.6.2).
    #[error("is not a token; letters, digits and !#$%&'*+-.^_`|~ are accepted")]
    NotAToken,
    /// In the restricted set.
    #[error("is restricted; it is made by the connection itself")]
    Restricted,
    /// `Authorization` or `Cookie` in `passthroughHeaders`.
    #[error("carries a client's credentials, which are never passed on")]
    ClientCredentials,
    /// An empty value.
    #[error("has an empty value")]
    EmptyValue,
    /// Longer than [`VALUE_BYTES`].
    #[error("has a value of {0} bytes; at most 8192 are sent")]
    LongValue(usize),
    /// CR, LF, NUL or another control character in the value.
    #[error("has a value with a control character; only tab is accepted")]
    ControlCharacter,
}

/// What keeps `name` from being the name of any header.
#[must_use]
pub fn name_problem(name: &str) -> Option<HeaderProblem> {
    match name.len() {
        0 => return Some(HeaderProblem::EmptyName),
        n if n > NAME_BYTES => return Some(HeaderProblem::LongName(n)),
        _ => {}
    }
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    (!name.bytes().all(token)).then_some(HeaderProblem::NotAToken)
}

/// What keeps `name` from being added to a backend's requests by configuration. `Authorization` may be.
#[must_use]
pub fn forwarded_name_problem(name: &str) -> Option<HeaderProblem> {
    name_problem(name).or_else(|| is_restricted(name).then_some(HeaderProblem::Restricted))
}

/// What keeps `name` from being copied from a client's request.
#[must_use]
pub fn passthrough_name_problem(name: &str) -> Option<HeaderProblem> {
    let credentials = || name.eq_ignore_ascii_case("authorization") || name.eq_ignore_ascii_case("cookie");
    forwarded_name_problem(name).or_else(|| credentials().then_some(HeaderProblem::ClientCredentials))
}

/// What keeps `value` from being sent.
#[must_use]
pub fn value_problem(value: &str) -> Option<HeaderProblem> {
    match value.len() {
        0 => return Some(HeaderProblem::EmptyValue),
        n if n > VALUE_BYTES => return Some(HeaderProblem::LongValue(n)),
        _ => {}
    }
    let control = |b: u8| (b < 0x20 && b != b'\t') || b == 0x7f;
    value.bytes().any(control).then_some(HeaderProblem::ControlCharacter)
}

/// Whether it is in the restricted set, in any case.
#[must_use]
pub fn is_restricted(name: &str) -> bool {
    RESTRICTED.iter().any(|restricted| restricted.eq_ignore_ascii_case(name))
}

/// `name` as the operator writes it into the names of environment variables: upper case, everything outside
/// `[A-Z0-9_]` becomes `_`. Different names can become the same.
#[must_use]
pub fn environment_segment(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_name_is_a_token_that_belongs_to_nobody_else() {
        assert_eq!(forwarded_name_problem("X-Api-Key"), None);
        assert_eq!(forwarded_name_problem("Authorization"), None);
        let why = |name| forwarded_name_problem(name).unwrap().to_string();
        assert_eq!(why(""), "has no name");
        assert_eq!(why("X Key"), "is not a token; letters, digits and !#$%&'*+-.^_`|~ are accepted");
        assert_eq!(why("x-real-IP"), "is restricted; it is made by the connection itself");
        assert_eq!(why(&"x".repeat(257)), "has a name of 257 bytes; at most 256 are sent");
        let why = |name| passthrough_name_problem(name).unwrap().to_string();
        assert_eq!(why("COOKIE"), "carries a client's credentials, which are never passed on");
    }

    #[test]
    fn a_value_cannot_end_the_header() {
        assert_eq!(value_problem("a\tb é"), None);
        let why = |value| value_problem(value).unwrap().to_string();
        assert_eq!(why("a\r\nX: y"), "has a value with a control character; only tab is accepted");
        assert_eq!(why("a\0"), "has a value with a control character; only tab is accepted");
        assert_eq!(why(""), "has an empty value");
        assert_eq!(why(&"v".repeat(8193)), "has a value of 8193 bytes; at most 8192 are sent");
    }

    #[test]
    fn different_names_can_share_an_environment_segment() {
        assert_eq!(environment_segment("a.b"), "A_B");
        assert_eq!(environment_segment("a-b"), "A_B");
        assert_eq!(environment_segment("proxy.name@123"), "PROXY_NAME_123");
        assert_eq!(environment_segment("straße"), "STRA_E", "one character, one underscore");
    }
}
