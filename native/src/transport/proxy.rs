//! Which proxy a request goes through: `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, read as Go reads them
//! (golang.org/x/net/http/httpproxy).
//!
//! It connects to nothing. One difference is deliberate: a proxy that cannot be used is an error for every request that
//! would need it; Go goes around it in silence.

use std::net::IpAddr;

use vmcp_core::endpoint::{Endpoint, Scheme};
use vmcp_core::secret::Secret;

use super::call::host_and_port;

/// The proxies of an environment.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    http: Option<Result<Proxy, ProxyError>>,
    https: Option<Result<Proxy, ProxyError>>,
    direct: Vec<Exception>,
}

/// One proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proxy {
    /// How the proxy itself is spoken to.
    pub(super) scheme: Scheme,
    pub(super) host: String,
    pub(super) port: u16,
    /// The value of `Proxy-Authorization`.
    pub(super) authorization: Option<Secret>,
}

/// Why a proxy variable cannot be used. The texts carry no part of the value but its scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Not a URL.
    #[error("{variable} is not the URL of a proxy; expected `http://host:port` or `https://host:port`")]
    NotAUrl {
        /// The variable.
        variable: &'static str,
    },
    /// `socks5`, for instance.
    #[error("{variable} has the scheme `{scheme}`; expected `http` or `https`")]
    Scheme {
        /// The variable.
        variable: &'static str,
        /// Its scheme.
        scheme: String,
    },
    /// RFC 3875: a client could set it by a request header (CVE-2016-5386).
    #[error("HTTP_PROXY is not used where REQUEST_METHOD is set, a client may have set it")]
    Cgi,
}

/// An entry of `NO_PROXY`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    /// `*`
    All,
    /// An address block, as address and prefix length.
    Block(IpAddr, u8),
    /// An address, on one port or all.
    Address(IpAddr, Option<u16>),
    /// A domain (with its leading dot), on one port or all; the name itself too, or only what is below it.
    Domain { dotted: String, port: Option<u16>, itself: Itself },
}

/// Whether a domain stands for its own name too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Itself {
    /// `example.com`
    Included,
    /// `.example.com` and `*.example.com`
    Excluded,
}

impl Proxies {
    /// None: every connection is made directly.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Those of this process's environment.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// Those of the variables that `value` knows. The name in capitals goes before the other.
    #[must_use]
    pub fn from_variables(value: impl Fn(&str) -> Option<String>) -> Self {
        let first = |upper, lower| [upper, lower].into_iter().find_map(|n| value(n).filter(|v| !v.is_empty()));
        let proxy = |variable, lower| first(variable, lower).map(|text| Proxy::parse(&text, variable));
        let cgi = value("REQUEST_METHOD").is_some_and(|method| !method.is_empty());
        Self {
            http: proxy("HTTP_PROXY", "http_proxy").map(|proxy| if cgi { Err(ProxyError::Cgi) } else { proxy }),
            https: proxy("HTTPS_PROXY", "https_proxy"),
            direct: first("NO_PROXY", "no_proxy").map(|text| exceptions(&text)).unwrap_or_default(),
        }
    }

    /// The proxy on the way to `endpoint`. Loopback is always reached directly.
    ///
    /// # Errors
    /// The variable that would apply cannot be used.
    pub(super) fn for_endpoint(&self, endpoint: &Endpoint) -> Result<Option<&Proxy>, ProxyError> {
        let proxy = match endpoint.scheme() {
            Scheme::Http => &self.http,
            Scheme::Https => &self.https,
        };
        match proxy {
            Some(proxy) if !self.is_direct(endpoint.host(), endpoint.port()) => {
                proxy.as_ref().map(Some).map_err(Clone::clone)
            }
            _ => Ok(None),
        }
    }

    fn is_direct(&self, host: &str, port: u16) -> bool {
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
            return true;
        }
        let this_port = |wanted: &Option<u16>| wanted.is_none_or(|wanted| wanted == port);
        self.direct.iter().any(|exception| match (exception, address) {
            (Exception::All, _) => true,
            (Exception::Block(block, bits), Some(address)) => in_block(address, *block, *bits),
            (Exception::Address(wanted, wanted_port), Some(address)) => *wanted == address && this_port(wanted_port),
            (Exception::Domain { dotted, port, itself }, None) => {
                this_port(port)
                    && (host.ends_with(dotted.as_str()) || (*itself == Itself::Included && host == &dotted[1..]))
            }
            _ => false,
        })
    }
}

impl Proxy {
    /// Host and port, for people.
    pub(super) fn name(&self) -> String {
        host_and_port(&self.host, self.port)
    }

    fn parse(text: &str, variable: &'static str) -> Result<Self, ProxyError> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
            None => ("http".to_owned(), text),
        };
        if scheme != "http" && scheme != "https" {
            return Err(ProxyError::Scheme { variable, scheme });
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let endpoint = Endpoint::parse(&format!("{scheme}://{place}")).map_err(|_| ProxyError::NotAUrl { variable })?;
        let authorization = match user {
            None => None,
            Some(user) => {
                let (name, password) = user.split_once(':').unwrap_or((user, ""));
                let decoded = percent_decoded(name).zip(percent_decoded(password));
                let (mut pair, password) = decoded.ok_or(ProxyError::NotAUrl { variable })?;
                pair.push(b':');
                pair.extend(password);
                Some(Secret::new(format!("Basic {}", base64(&pair))))
            }
        };
        Ok(Self { scheme: endpoint.scheme(), host: endpoint.host().to_owned(), port: endpoint.port(), authorization })
    }
}

fn exceptions(text: &str) -> Vec<Exception> {
    let mut exceptions = Vec::new();
    for entry in text.split(',').map(|entry| entry.trim().to_ascii_lowercase()) {
        if entry.is_empty() {
            continue;
        }
        if entry == "*" {
            return vec![Exception::All];
        }
        if let Some((block, bits)) = entry.split_once('/')
            && let (Ok(block), Ok(bits)) = (block.parse::<IpAddr>(), bits.parse::<u8>())
            && bits <= if block.is_ipv4() { 32 } else { 128 }
        {
            exceptions.push(Exception::Block(block, bits));
            continue;
        }
        let (host, port) = split_port(&entry);
        if let Ok(address) = host.parse::<IpAddr>() {
            exceptions.push(Exception::Address(address.to_canonical(), port));
            continue;
        }
        let host = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        if !host.is_empty() {
            let (dotted, itself) = match host.strip_prefix('.') {
                Some(_) => (host.to_owned(), Itself::Excluded),
                None => (format!(".{host}"), Itself::Included),
            };
            exceptions.push(Exception::Domain { dotted, port, itself });
        }
    }
    exceptions
}

/// An entry's host without brackets, and its port if it has one.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    if let Some(rest) = entry.strip_prefix('[')
        && let Some((host, port)) = rest.split_once(']')
    {
        return (host, port.strip_prefix(':').and_then(|port| port.parse().ok()));
    }
    match entry.split_once(':') {
        Some((host, port)) if !port.contains(':') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (entry, None),
        },
        _ => (entry, None),
    }
}

fn in_block(address: IpAddr, block: IpAddr, bits: u8) -> bool {
    let same = |a: u128, b: u128, width: u32| {
        let shift = width - u32::from(bits);
        shift == width || (a >> shift) == (b >> shift)
    };
    match (address, block) {
        (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = [char::from(bytes.next()?), char::from(bytes.next()?)];
                u8::try_from(digits[0].to_digit(16)? << 4 | digits[1].to_digit(16)?).ok()?
            }
            byte => byte,
        });
    }
    Some(decoded)
}

/// RFC 4648 section 4, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) & 63;
            text.push(if digit <= group.len() { char::from(DIGITS[index as usize]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::from_variables(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    fn way(proxies: &Proxies, url: &str) -> String {
        match proxies.for_endpoint(&Endpoint::parse(url).unwrap()) {
            Ok(None) => "direct".to_owned(),
            Ok(Some(proxy)) => format!("{}://{}", proxy.scheme.word(), proxy.name()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_scheme_has_its_proxy() {
        let p = proxies(&[("HTTP_PROXY", "http://plain:3128"), ("https_proxy", "https://secure")]);
        assert_eq!(way(&p, "http://a.example/"), "http://plain:3128");
        assert_eq!(way(&p, "https://a.example/"), "https://secure:443");
        assert_eq!(way(&proxies(&[("ALL_PROXY", "http://p:1")]), "https://a.example/"), "direct");
        let p = proxies(&[("HTTPS_PROXY", "upper:1"), ("https_proxy", "lower:1")]);
        assert_eq!(way(&p, "https://a.example/"), "http://upper:1");
        let p = proxies(&[("HTTPS_PROXY", ""), ("https_proxy", "[::1]:1/")]);
        assert_eq!(way(&p, "https://a.example/"), "http://[::1]:1");
    }

    #[test]
    fn loopback_is_always_direct() {
        let p = proxies(&[("HTTPS_PROXY", "http://p:1"), ("HTTP_PROXY", "http://p:1")]);
        for url in ["http://localhost:1/", "https://127.0.0.2/", "https://[::1]/", "https://[::ffff:127.0.0.1]/"] {
            assert_eq!(way(&p, url), "direct", "{url}");
        }
    }

    #[test]
    fn exceptions_are_read_as_go_reads_them() {
        let check = |no_proxy: &str, url: &str| {
            way(&proxies(&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", no_proxy)]), url) == "direct"
        };
        for (no_proxy, url, direct) in [
            ("*", "https://a.example/", true),
            ("b.example, A.example ", "https://a.example/", true),
            ("a.example", "https://sub.a.example/", true),
            ("a.example", "https://nota.example/", false),
            (".a.example", "https://a.example/", false),
            (".a.example", "https://sub.a.example/", true),
            ("*.a.example", "https://sub.a.example/", true),
            ("*.a.example", "https://a.example/", false),
            ("a.example:8443", "https://a.example:8443/", true),
            ("a.example:8443", "https://a.example/", false),
            ("10.0.0.0/8", "https://10.1.2.3/", true),
            ("10.0.0.0/8", "https://11.1.2.3/", false),
            ("0.0.0.0/0", "https://11.1.2.3/", true),
            ("10.0.0.0/8", "https://10.example/", false),
            ("fd00::/8", "https://[fd12::1]/", true),
            ("fd00::/8", "https://10.0.0.1/", false),
            ("192.0.2.1", "https://192.0.2.1/", true),
            ("192.0.2.1:443", "https://192.0.2.1/", true),
            ("192.0.2.1:80", "https://192.0.2.1/", false),
            ("[2001:db8::1]:443", "https://[2001:db8::1]/", true),
            ("2001:db8::1", "https://[2001:db8::1]/", true),
            (",, ,", "https://a.example/", false),
        ] {
            assert_eq!(check(no_proxy, url), direct, "{no_proxy} {url}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_said_and_not_gone_around() {
        let said = |variables: &[(&str, &str)], url| way(&proxies(variables), url);
        assert_eq!(
            said(&[("HTTPS_PROXY", "socks5://p:1080")], "https://a.example/"),
            "HTTPS_PROXY has the scheme `socks5`; expected `http` or `https`"
        );
        assert_eq!(
            said(&[("HTTPS_PROXY", "http://user:s3cr3t@")], "https://a.example/"),
            "HTTPS_PROXY is not the URL of a proxy; expected `http://host:port` or `https://host:port`"
        );
        assert_eq!(
            said(&[("HTTP_PROXY", "http://p:1"), ("REQUEST_METHOD", "GET")], "http://a.example/"),
            "HTTP_PROXY is not used where REQUEST_METHOD is set, a client may have set it"
        );
        assert_eq!(said(&[("HTTPS_PROXY", "socks5://p:1080"), ("NO_PROXY", "*")], "https://a.example/"), "direct");
    }

    #[test]
    fn its_credentials_are_basic_and_hidden() {
        let basic = |url: &str| Proxy::parse(url, "HTTPS_PROXY").unwrap().authorization.unwrap();
        assert_eq!(basic("http://user:pass@p:1").expose(), "Basic dXNlcjpwYXNz");
        assert_eq!(basic("http://us%40r:p%3ass@p:1").expose(), "Basic dXNAcjpwOnNz");
        assert_eq!(basic("http://user@p:1").expose(), "Basic dXNlcjo=");
        assert_eq!(basic("http://u:pq@p:1").expose(), "Basic dTpwcQ==");
        assert!(!format!("{:?}", proxies(&[("HTTPS_PROXY", "http://user:s3cr3t@p:1")])).contains("s3cr3t"));
    }
}
