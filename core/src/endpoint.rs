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
    /// A character that RFC 3986 does not allow.
    #[error("{} cannot stand in a URL; percent-encode it", Visible(*.0))]
    BadCharacter(char),
    /// The same before the path, where there is no such escape.
    #[error("{} cannot stand in a host or port; expected letters, digits, `-` and `.`, other alphabets as `xn--…`", Visible(*.0))]
    BadHost(char),
    /// `https://${HOST}/mcp`, `https://{{ .Values.host }}/mcp`.
    #[error("it holds a placeholder, `{0}`, which nothing fills in here; write what it stands for")]
    Placeholder(&'static str),
    /// `https://10.0.0.256/`: no name ends in a number (RFC 1123 section 2.1).
    #[error("its host `{0}` ends in a number and is no IPv4 address")]
    NoAddress(String),
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
        if let Some(placeholder) = placeholder(text) {
            return Err(EndpointError::Placeholder(placeholder));
        }
        let uri = Uri::parse(text).map_err(|error| match text.split_once("://") {
            None => EndpointError::NotAbsolute,
            Some((scheme, rest)) => {
                let path = scheme.len() + 3 + rest.find(['/', '?', '#']).unwrap_or(rest.len());
                let (index, before_path) = (error.index(), error.index() < path);
                match text.get(index..).and_then(|rest| rest.chars().next()) {
                    Some(found) if before_path => EndpointError::BadHost(found),
                    Some(found) => EndpointError::BadCharacter(found),
                    None => EndpointError::NotAbsolute,
                }
            }
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
            return Err(EndpointError::BadHost('%'));
        }
        let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        if last.bytes().all(|byte| byte.is_ascii_digit()) && host.parse::<core::net::Ipv4Addr>().is_err() {
            return Err(EndpointError::NoAddress(host));
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
        let bad = |text: &str, at: usize| match text.get(at..).and_then(|rest| rest.chars().next()) {
            Some(found) => EndpointError::BadCharacter(found),
            None => EndpointError::NotAbsolute,
        };
        let reference = UriRef::parse(location).map_err(|error| bad(location, error.index()))?;
        let base = self.to_url();
        let base = Uri::parse(base.as_str()).map_err(|error| bad(&base, error.index()))?;
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

/// The form of what other programs would fill in. What stands in it may be a secret.
fn placeholder(text: &str) -> Option<&'static str> {
    [("${", "}", "${…}"), ("{{", "}}", "{{…}}")]
        .into_iter()
        .find_map(|(open, close, form)| text.split_once(open)?.1.contains(close).then_some(form))
}

/// A character as a message can show it.
struct Visible(char);

impl fmt::Display for Visible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ' ' => f.write_str("a space"),
            c if c.is_alphanumeric() || c.is_ascii_punctuation() => write!(f, "`{c}`"),
            c => write!(f, "U+{:04X}", u32::from(c)),
        }
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
        assert_eq!(why("https://a/b c"), "a space cannot stand in a URL; percent-encode it");
        assert_eq!(why("https://a/b\u{200b}"), "U+200B cannot stand in a URL; percent-encode it");
        assert_eq!(why("https://a/ü"), "`ü` cannot stand in a URL; percent-encode it");
        let in_host =
            "cannot stand in a host or port; expected letters, digits, `-` and `.`, other alphabets as `xn--…`";
        assert_eq!(why("https://a b/"), format!("a space {in_host}"));
        assert_eq!(why("https://bücher.example?x"), format!("`ü` {in_host}"));
        assert_eq!(why("https://a:80x/"), format!("`x` {in_host}"));
        assert_eq!(why("https://a%62/"), format!("`%` {in_host}"));
        let unfilled =
            |form| format!("it holds a placeholder, `{form}`, which nothing fills in here; write what it stands for");
        assert_eq!(why("${URL}"), unfilled("${…}"));
        assert_eq!(why("https://a:${PORT:-80}/mcp"), unfilled("${…}"));
        assert_eq!(why("https://{{ .Values.host }}/mcp"), unfilled("{{…}}"));
        assert_eq!(why("https://10.0.0.256/"), "its host `10.0.0.256` ends in a number and is no IPv4 address");
        assert_eq!(why("https://7/"), "its host `7` ends in a number and is no IPv4 address");
        assert!(Endpoint::parse("https://10.0.0.25/").is_ok() && Endpoint::parse("https://1.2.example.").is_ok());
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
        assert_eq!(to("/a b").unwrap_err(), "a space cannot stand in a URL; percent-encode it");
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
