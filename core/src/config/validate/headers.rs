//! Rules for names and values of HTTP headers (RFC 9110 section 5).
//!
//! It does not decide which headers are sent where.

use alloc::format;
use alloc::string::String;

use super::super::decode::shown;
use super::super::findings::{Findings, Path};
use super::super::model::Texts;
use super::super::source::Spanned;
use crate::diagnostic::code;
use crate::secret::Secret;

/// What a proxy must not copy from one connection to another, and what says where a request came from.
const RESTRICTED: &[&str] = &[
    "Host",
    "Connection",
    "Keep-Alive",
    "Te",
    "Trailer",
    "Upgrade",
    "Http2-Settings",
    "Proxy-Authorization",
    "Proxy-Authenticate",
    "Proxy-Connection",
    "Transfer-Encoding",
    "Content-Length",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-Ip",
];
/// What identifies a client to this server, and is nobody else's.
const CREDENTIALS: &[&str] = &["Authorization", "Cookie"];
/// What the transport or MCP itself sets on each request to a backend.
const OWN: &[&str] = &[
    "Host",
    "Connection",
    "Keep-Alive",
    "Te",
    "Trailer",
    "Upgrade",
    "Http2-Settings",
    "Proxy-Authorization",
    "Proxy-Authenticate",
    "Proxy-Connection",
    "Transfer-Encoding",
    "Content-Length",
    "Content-Type",
    "Accept",
    "Last-Event-Id",
    "Mcp-Session-Id",
    "Mcp-Protocol-Version",
    "Mcp-Method",
    "Mcp-Name",
];
const NAME_BYTES: usize = 256;
const VALUE_BYTES: usize = 8192;

pub(super) fn check_passthrough(names: &Texts, path: &Path<'_>, findings: &mut Findings<'_>) {
    for (index, name) in names.iter().enumerate() {
        let path = path.index(index);
        if name.is_empty() {
            findings.report(code::CONFIG_MISSING_KEY, name.span, &path, || {
                format!("{} is empty; expected the name of a header", path.last())
            });
        } else if is_one_of(name, RESTRICTED) || is_one_of(name, CREDENTIALS) {
            findings.report(code::CONFIG_RESTRICTED_HEADER, name.span, &path, || {
                format!(
                    "`{}` cannot be passed on; expected a header that belongs to no connection and no caller",
                    shown(name)
                )
            });
        } else {
            check_name(name, &path, findings);
        }
    }
}

/// A header that carries a backend's credentials.
pub(super) fn check_injected_name(name: &Spanned<String>, path: &Path<'_>, findings: &mut Findings<'_>) {
    if is_one_of(name, OWN) {
        findings.report(code::CONFIG_RESTRICTED_HEADER, name.span, path, || {
            format!("`{}` is set by the transport itself; expected a header for credentials", shown(name))
        });
    } else {
        check_name(name, path, findings);
    }
}

/// 1 to 256 bytes of an RFC 9110 token.
pub(super) fn check_name(name: &Spanned<String>, path: &Path<'_>, findings: &mut Findings<'_>) {
    if let Some(wrong) = wrong_name(name) {
        findings.report(code::CONFIG_BAD_HEADER, name.span, path, || {
            format!("`{}` is no header name: {wrong}", shown(name))
        });
    }
}

fn wrong_name(name: &str) -> Option<String> {
    if name.len() > NAME_BYTES {
        return Some(format!("it has {} bytes; expected at most {NAME_BYTES}", name.len()));
    }
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let bad = name.chars().find(|&c| !token(c))?;
    Some(format!("it contains {bad:?}; expected letters, digits and any of !#$%&'*+-.^_`|~"))
}

/// 1 to 8192 bytes without control characters but tab. The value is not shown.
pub(super) fn check_value(value: &Spanned<Secret>, path: &Path<'_>, findings: &mut Findings<'_>) {
    let text = value.expose();
    if text.len() > VALUE_BYTES {
        findings.report(code::CONFIG_BAD_HEADER, value.span, path, || {
            format!("{} has {} bytes; expected at most {VALUE_BYTES}", path.last(), text.len())
        });
    } else if text.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7f) {
        findings.report(code::CONFIG_BAD_HEADER, value.span, path, || {
            format!("{} contains a line break or another control character; expected one line of text", path.last())
        });
    }
}

fn is_one_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|restricted| restricted.eq_ignore_ascii_case(name))
}
