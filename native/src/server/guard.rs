//! Which requests a browser may have been tricked into: the `Origin` and `Host` of a request against what is allowed.
//!
//! It authenticates nobody; a program that is no browser writes any header it likes.

use std::net::{IpAddr, SocketAddr};

use hyper::header::{HOST, HeaderValue, ORIGIN};
use hyper::{HeaderMap, StatusCode, Uri};

/// The rules of one listener.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    loopback: bool,
    origins: Vec<String>,
    hosts: Vec<String>,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// The page that sent it is not allowed (MCP, Streamable HTTP, Security Warning: Origin must be validated).
    #[error("origin `{0}` is not allowed; --allowed-origin lists those that are")]
    Origin(String),
    /// It was sent to a name that is not this listener's: DNS rebinding.
    #[error("host `{0}` is not served here; --allowed-host lists further names")]
    Host(String),
    /// It does not say where it was sent to.
    #[error("there is no `Host` header; expected one with the name that was called")]
    NoHost,
}

impl Refused {
    /// Under which status: HTTP itself wants a `Host` (RFC 9112 section 3.2), the rest is forbidden.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoHost => StatusCode::BAD_REQUEST,
            Self::Origin(_) | Self::Host(_) => StatusCode::FORBIDDEN,
        }
    }
}

impl Guard {
    /// The rules for a listener bound to `address`.
    pub(super) fn new(address: SocketAddr, origins: &[String], hosts: &[String]) -> Self {
        let lower = |list: &[String]| list.iter().map(|text| text.trim_end_matches('/').to_ascii_lowercase()).collect();
        Self { loopback: address.ip().is_loopback(), origins: lower(origins), hosts: lower(hosts) }
    }

    /// The origin of a page that may read answers: only those that are listed, which are the ones somebody meant.
    pub(super) fn shared_with(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        let lower = String::from_utf8_lossy(origin.as_bytes()).to_ascii_lowercase();
        self.origins.contains(&lower).then(|| origin.clone())
    }

    /// Whether answers differ by who asks, so that nobody else may be given them from a cache.
    pub(super) fn shares(&self) -> bool {
        !self.origins.is_empty()
    }

    /// Whether a request for this target with these headers may pass.
    ///
    /// A target that names a host takes the place of the header (RFC 9112 section 3.2.2). An absent `Origin` passes: no browser sent it, or not across origins. `Host` is checked on a loopback listener,
    /// which only local names reach honestly, and wherever names are listed.
    pub(super) fn check(&self, target: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
        let lower = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        if self.loopback || !self.hosts.is_empty() {
            let named = target.authority().map(|authority| authority.as_str().to_ascii_lowercase());
            let host = named.or_else(|| headers.get(HOST).map(lower)).ok_or(Refused::NoHost)?;
            let listed = self.hosts.iter().any(|known| *known == host || *known == without_port(&host));
            let local = self.loopback && is_loopback_name(without_port(&host));
            if !listed && !local {
                return Err(Refused::Host(host));
            }
        }
        for value in headers.get_all(ORIGIN) {
            let origin = lower(value);
            let local = self.loopback && is_loopback_origin(&origin);
            if !local && !self.origins.contains(&origin) {
                return Err(Refused::Origin(origin));
            }
        }
        Ok(())
    }
}

fn is_loopback_origin(origin: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    matches!(scheme, "http" | "https") && is_loopback_name(without_port(authority))
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`: the part before the port.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port))
            if port.bytes().all(|b| b.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']')) =>
        {
            host
        }
        _ => authority,
    }
}

fn is_loopback_name(name: &str) -> bool {
    let address = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    name == "localhost" || name.ends_with(".localhost") || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(guard: &Guard, host: &str, origin: Option<&str>) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        if !host.is_empty() {
            headers.insert(HOST, host.parse().unwrap());
        }
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        guard.check(&Uri::from_static("/mcp"), &headers).map_err(|refused| refused.to_string())
    }

    #[test]
    fn a_loopback_listener_takes_local_names_and_local_pages() {
        let guard = Guard::new("127.0.0.1:4483".parse().unwrap(), &[], &[]);
        for host in
            ["localhost", "localhost:4483", "127.0.0.1:4483", "127.9.9.9", "[::1]:4483", "LOCALHOST", "a.localhost"]
        {
            assert_eq!(verdict(&guard, host, None), Ok(()), "{host}");
        }
        for host in
            ["evil.example", "evil.example:4483", "", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"]
        {
            assert!(verdict(&guard, host, None).is_err(), "{host}");
        }
        for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080"] {
            assert_eq!(verdict(&guard, "localhost", Some(origin)), Ok(()), "{origin}");
        }
        for origin in
            ["null", "https://evil.example", "http://localhost.evil.example", "file://localhost", "", "http://"]
        {
            assert!(verdict(&guard, "localhost", Some(origin)).is_err(), "{origin}");
        }
    }

    #[test]
    fn a_target_that_names_a_host_takes_the_place_of_the_header() {
        let guard = Guard::new("127.0.0.1:4483".parse().unwrap(), &[], &[]);
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "localhost:4483".parse().unwrap());
        let evil = "http://evil.example/mcp".parse().unwrap();
        assert_eq!(guard.check(&evil, &headers), Err(Refused::Host("evil.example".into())));
        let local = "http://LOCALHOST:4483/mcp".parse().unwrap();
        assert_eq!(guard.check(&local, &HeaderMap::new()), Ok(()));
    }

    #[test]
    fn an_open_listener_takes_listed_pages_only_and_any_host_until_one_is_listed() {
        let any = "0.0.0.0:4483".parse().unwrap();
        let guard = Guard::new(any, &["https://App.example/".into()], &[]);
        assert_eq!(verdict(&guard, "10.1.2.3:4483", None), Ok(()));
        assert_eq!(verdict(&guard, "x", Some("https://app.example")), Ok(()));
        assert!(verdict(&guard, "x", Some("http://app.example")).is_err());
        assert!(verdict(&guard, "x", Some("http://localhost")).is_err());
        let guard = Guard::new(any, &[], &["mcp.example".into()]);
        assert_eq!(verdict(&guard, "mcp.example:8443", None), Ok(()));
        assert!(verdict(&guard, "localhost", None).is_err());
    }

    #[test]
    fn a_refusal_says_what_would_be_accepted() {
        let guard = Guard::new("127.0.0.1:1".parse().unwrap(), &[], &[]);
        assert_eq!(
            verdict(&guard, "evil.example", None).unwrap_err(),
            "host `evil.example` is not served here; --allowed-host lists further names"
        );
        assert_eq!(
            verdict(&guard, "", None).unwrap_err(),
            "there is no `Host` header; expected one with the name that was called"
        );
        assert_eq!(
            [Refused::NoHost, Refused::Host(String::new())].map(|refused| refused.status().as_u16()),
            [400, 403]
        );
        assert_eq!(
            verdict(&guard, "localhost", Some("https://evil.example")).unwrap_err(),
            "origin `https://evil.example` is not allowed; --allowed-origin lists those that are"
        );
    }
}
