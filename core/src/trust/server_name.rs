//! Whether a certificate's names cover the name or address that a client calls, by the rules of Go's `VerifyHostname`
//! (RFC 9525 section 6, and a little more).
//!
//! It looks at subject alternative names only; the common name of the subject counts for nothing.

use alloc::string::{String, ToString};
use core::net::IpAddr;

use rustls_pki_types::ServerName;

use super::certificate::SubjectName;

/// Whether one of `names` covers `server`. An address is covered by an equal address only, a DNS name by an equal DNS name
/// or by one whose first label is `*`, which stands for exactly one label. Case and a final dot of `server` do not count.
pub(super) fn covers(names: &[SubjectName], server: &ServerName<'_>) -> bool {
    match address(server) {
        Some(wanted) => names
            .iter()
            .any(|name| matches!(name, SubjectName::Ip(address) if address.to_canonical() == wanted.to_canonical())),
        None => {
            let wanted = text(server);
            names.iter().any(|name| matches!(name, SubjectName::Dns(pattern) if dns_covers(pattern, &wanted)))
        }
    }
}

/// The name or address as it was called.
pub(super) fn text(server: &ServerName<'_>) -> String {
    match (server, address(server)) {
        (_, Some(address)) => address.to_string(),
        (ServerName::DnsName(name), None) => name.as_ref().to_string(),
        _ => String::new(),
    }
}

fn address(server: &ServerName<'_>) -> Option<IpAddr> {
    match server {
        ServerName::IpAddress(rustls_pki_types::IpAddr::V4(address)) => Some(IpAddr::from(*address.as_ref())),
        ServerName::IpAddress(rustls_pki_types::IpAddr::V6(address)) => Some(IpAddr::from(*address.as_ref())),
        _ => None,
    }
}

fn dns_covers(pattern: &str, wanted: &str) -> bool {
    let both_are_names = is_host_name(wanted)
        && match pattern.split_once('.') {
            Some(("*", rest)) => is_host_name(rest),
            _ => is_host_name(pattern),
        };
    // What is no host name can still be the same text.
    let covered = match pattern.split_once('.') {
        Some(("*", rest)) if both_are_names => {
            wanted.split_once('.').is_some_and(|(_, wanted_rest)| rest.eq_ignore_ascii_case(wanted_rest))
        }
        _ => false,
    };
    covered || (!wanted.is_empty() && pattern.eq_ignore_ascii_case(wanted))
}

/// Labels of letters, digits, `_`, and `-` but not first, with dots between them.
fn is_host_name(text: &str) -> bool {
    text.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_name_covers_what_go_says_it_covers() {
        let covered = |pattern: &str, host: &'static str| {
            let name = pattern.parse().map_or_else(|_| SubjectName::Dns(pattern.into()), SubjectName::Ip);
            covers(&[name], &ServerName::try_from(host).unwrap())
        };
        for (pattern, host, expected) in [
            ("mcp.example", "mcp.example", true),
            ("MCP.example", "mcp.EXAMPLE", true),
            ("mcp.example", "mcp.example.", true),
            ("mcp.example.", "mcp.example", false),
            // Go takes this one; here the final dot of the called name is gone before it is compared.
            ("mcp.example.", "mcp.example.", false),
            ("*.example", "mcp.example", true),
            ("*.mcp.example", "a.mcp.example", true),
            ("*.example", "a.mcp.example", false),
            ("*.example", "example", false),
            ("*", "localhost", false),
            ("m*.example", "mcp.example", false),
            ("mcp.*", "mcp.example", false),
            ("*.*.example", "a.b.example", false),
            ("-a.example", "a.example", false),
            ("my_mcp.example", "my_mcp.example", true),
            ("other.example", "mcp.example", false),
            ("", "mcp.example", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.2", "127.0.0.1", false),
            ("::1", "::1", true),
            ("mcp.example", "127.0.0.1", false),
            ("127.0.0.1", "mcp.example", false),
        ] {
            assert_eq!(covered(pattern, host), expected, "{pattern:?} for {host:?}");
        }
    }

    #[test]
    fn an_address_written_as_a_dns_name_covers_nothing() {
        let written = [SubjectName::Dns("127.0.0.1".into())];
        assert!(!covers(&written, &ServerName::try_from("127.0.0.1").unwrap()));
    }
}
