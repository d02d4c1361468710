//! Addresses of servers: an `http` or `https` URL, taken apart once and known to be usable.
//!
//! It does not resolve names or judge where an address leads; that is the transport's and the policy's.

mod public;

pub use public::is_public;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use fluent_uri::component::Host as UriHost;
use fluent_uri::{Uri, UriRef};

/// `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// As it is written in a URL.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The URL of one server (RFC 3986, RFC 9110 section 4.2): absolute, without user info and fragment.
///
/// `Display` and `Debug` leave the query out, because API keys are found there.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
    path: String,
    query: Option<String>,
}

/// Why a text is no [`Endpoint`]. The texts carry no part of a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an absolute URI.
    #[error("it is not an absolute URL; expected `http://host[:port]/path` or `https://…`")]
    NotAbsolute,
    /// A character that RFC 3986 does not allow at this byte.
    #[error("byte {offset} cannot stand in a URL; percent-encode it")]
    BadCharacter {
        /// From 0, in the text that was given.
        offset: usize,
    },
    /// Another scheme.
    #[error("its scheme is `{0}`; expected `http` or `https`")]
    Scheme(String),
    /// `https:///path`.
    #[error("it names no host")]
    NoHost,
    /// `https://user:password@host`.
    #[error("it carries user info before `@`; credentials belong in `outgoingAuth`")]
    UserInfo,
    /// `https://host:99999`, or port 0.
    #[error("its port is `{0}`; expected 1 to 65535")]
    Port(String),
    /// `https://host/path#fragment`.
    #[error("it has a fragment (`#…`), which is never sent to a server")]
    Fragment,
}

impl Endpoint {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// The first reason why it cannot be called.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let uri = Uri::parse(text).map_err(|error| match text.split_once("://") {
            None => EndpointError::NotAbsolute,
            Some(_) => EndpointError::BadCharacter { offset: error.index() },
        })?;
        let scheme = match uri.scheme().as_str() {
            s if s.eq_ignore_ascii_case("http") => Scheme::Http,
            s if s.eq_ignore_ascii_case("https") => Scheme::Https,
            other => return Err(EndpointError::Scheme(other.to_owned())),
        };
        let authority = uri.authority().ok_or(EndpointError::NoHost)?;
        if authority.has_userinfo() {
            return Err(EndpointError::UserInfo);
        }
        if uri.has_fragment() {
            return Err(EndpointError::Fragment);
        }
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() || host == "[]" {
            return Err(EndpointError::NoHost);
        }
        if let UriHost::RegName(name) = authority.host_parsed()
            && name.as_str().contains('%')
        {
            return Err(EndpointError::NoHost);
        }
        let port = match authority.port().map(|p| p.as_str()) {
            None | Some("") => match scheme {
                Scheme::Http => 80,
                Scheme::Https => 443,
            },
            Some(text) => {
                text.parse().ok().filter(|&port: &u16| port != 0).ok_or_else(|| EndpointError::Port(text.to_owned()))?
            }
        };
        let path = match uri.path().as_str() {
            "" => "/",
            path => path,
        };
        Ok(Self { scheme, host, port, path: path.to_owned(), query: uri.query().map(|q| q.as_str().to_owned()) })
    }

    /// The same for the URL of a backend, whose fragment is left out: ToolHive's operator ends the URLs of its `sse` proxies
    /// with `#` and the server's name.
    ///
    /// # Errors
    /// As [`Endpoint::parse`].
    pub fn of_backend(text: &str) -> Result<Self, EndpointError> {
        Self::parse(text.split_once('#').map_or(text, |(url, _)| url))
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Name or address in lower case; an IPv6 address without its brackets. This is what a certificate must name.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(&self.host)
    }

    /// The port, the scheme's own if none was written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a request to it puts in `Host`: the port only if it is not the scheme's.
    #[must_use]
    pub fn authority(&self) -> String {
        match (self.scheme, self.port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }

    /// Path and query, as the request line carries them. The query may hold a key: not for logs.
    #[must_use]
    pub fn path_and_query(&self) -> String {
        match &self.query {
            None => self.path.clone(),
            Some(query) => format!("{}?{query}", self.path),
        }
    }

    /// The whole URL, query included. Not for logs; `Display` is.
    #[must_use]
    pub fn to_url(&self) -> String {
        format!("{}://{}{}", self.scheme.word(), self.authority(), self.path_and_query())
    }

    /// Whether the host is `localhost` (RFC 6761) or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost"
            || host.ends_with(".localhost")
            || host.parse::<core::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Where a `Location` of an answer from here leads (RFC 9110 section 10.2.2): a URL, or a reference that is relative to
    /// this one (RFC 3986 section 5). Its fragment is for browsers and left out.
    ///
    /// # Errors
    /// As [`Endpoint::parse`].
    pub fn join(&self, location: &str) -> Result<Self, EndpointError> {
        let location = location.split('#').next().unwrap_or_default();
        let bad = |offset| EndpointError::BadCharacter { offset };
        let reference = UriRef::parse(location).map_err(|error| bad(error.index()))?;
        let base = self.to_url();
        let base = Uri::parse(base.as_str()).map_err(|error| bad(error.index()))?;
        Self::parse(reference.resolve_against(&base).map_err(|_| EndpointError::NotAbsolute)?.as_str())
    }

    /// Whether a request may be redirected from here to `other`: same host and port, and never down to `http`.
    #[must_use]
    pub fn may_redirect_to(&self, other: &Self) -> bool {
        self.host == other.host
            && self.port == other.port
            && (self.scheme, other.scheme) != (Scheme::Https, Scheme::Http)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.word(), self.authority(), self.path)?;
        if self.query.is_some() { f.write_str("?…") } else { Ok(()) }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_url_is_taken_apart() {
        let e = Endpoint::parse("HTTPS://MCP.Example:8443/a%20b?key=k").unwrap();
        assert_eq!((e.scheme(), e.host(), e.port()), (Scheme::Https, "mcp.example", 8443));
        assert_eq!(e.authority(), "mcp.example:8443");
        assert_eq!(e.path_and_query(), "/a%20b?key=k");
        assert_eq!(e.to_string(), "https://mcp.example:8443/a%20b?…");
        let e = Endpoint::parse("http://[::1]").unwrap();
        assert_eq!(
            (e.host(), e.port(), e.authority().as_str(), e.to_url().as_str()),
            ("::1", 80, "[::1]", "http://[::1]/")
        );
        assert!(e.is_loopback());
    }

    #[test]
    fn what_cannot_be_called_says_why() {
        let why = |text| Endpoint::parse(text).unwrap_err().to_string();
        assert_eq!(
            why("mcp.example/mcp"),
            "it is not an absolute URL; expected `http://host[:port]/path` or `https://…`"
        );
        assert_eq!(why("https://a b/"), "byte 9 cannot stand in a URL; percent-encode it");
        assert_eq!(why("ftp://a/"), "its scheme is `ftp`; expected `http` or `https`");
        assert_eq!(why("https:///mcp"), "it names no host");
        assert_eq!(why("https://u:p@a/"), "it carries user info before `@`; credentials belong in `outgoingAuth`");
        assert_eq!(why("https://a:70000/"), "its port is `70000`; expected 1 to 65535");
        assert_eq!(why("https://a/#x"), "it has a fragment (`#…`), which is never sent to a server");
        assert_eq!(Endpoint::of_backend("http://a:8080/sse#a b").unwrap().to_string(), "http://a:8080/sse");
    }

    #[test]
    fn a_location_is_followed_from_where_it_stands() {
        let from = Endpoint::parse("https://a:8443/mcp/v1?key=k").unwrap();
        let to = |location| from.join(location).map(|e| e.to_url()).map_err(|e| e.to_string());
        assert_eq!(to("/other").unwrap(), "https://a:8443/other");
        assert_eq!(to("v2#top").unwrap(), "https://a:8443/mcp/v2");
        assert_eq!(to("../x?y").unwrap(), "https://a:8443/x?y");
        assert_eq!(to("").unwrap(), "https://a:8443/mcp/v1?key=k");
        assert_eq!(to("//b/x").unwrap(), "https://b/x");
        assert_eq!(to("http://b/").unwrap(), "http://b/");
        assert_eq!(to("ftp://b/").unwrap_err(), "its scheme is `ftp`; expected `http` or `https`");
        assert_eq!(to("/a b").unwrap_err(), "byte 2 cannot stand in a URL; percent-encode it");
        assert_eq!(to("https://u:p@a:8443/").unwrap_err(), EndpointError::UserInfo.to_string());
    }

    #[test]
    fn redirects_stay_on_the_host_and_never_lose_tls() {
        let parse = |text| Endpoint::parse(text).unwrap();
        let from = parse("https://a:8443/mcp");
        assert!(from.may_redirect_to(&parse("https://a:8443/other")));
        assert!(!from.may_redirect_to(&parse("http://a:8443/mcp")));
        assert!(!from.may_redirect_to(&parse("https://a/mcp")));
        assert!(!from.may_redirect_to(&parse("https://b:8443/mcp")));
    }
}
