//! Rules for names and values of HTTP headers, in the words of [`crate::headers`].
//!
//! It does not decide which headers are sent where.

use alloc::format;
use alloc::string::String;

use super::super::decode::shown;
use super::super::findings::{Findings, Path};
use super::super::model::Texts;
use super::super::source::Spanned;
use crate::diagnostic::code;
use crate::headers::{self, HeaderProblem};
use crate::secret::Secret;

/// What MCP and its transport set on each request to a backend.
const PROTOCOL: [&str; 7] =
    ["Accept", "Content-Type", "Last-Event-ID", "Mcp-Session-Id", "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"];

pub(super) fn check_passthrough(names: &Texts, path: &Path<'_>, findings: &mut Findings<'_>) {
    for (index, name) in names.iter().enumerate() {
        let path = path.index(index);
        if name.is_empty() {
            findings.report(code::CONFIG_MISSING_KEY, name.span, &path, || {
                format!("{} is empty; expected the name of a header", path.last())
            });
        } else {
            report(headers::passthrough_name_problem(name), name, &path, findings);
        }
    }
}

/// A header that carries a backend's credentials.
pub(super) fn check_injected_name(name: &Spanned<String>, path: &Path<'_>, findings: &mut Findings<'_>) {
    if PROTOCOL.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        findings.report(code::CONFIG_RESTRICTED_HEADER, name.span, path, || {
            format!("header `{}` is set by MCP itself; expected one that carries credentials", shown(name))
        });
    } else {
        report(headers::forwarded_name_problem(name), name, path, findings);
    }
}

/// Any header but those of an HTTP connection.
pub(super) fn check_name(name: &Spanned<String>, path: &Path<'_>, findings: &mut Findings<'_>) {
    report(headers::name_problem(name), name, path, findings);
}

fn report(problem: Option<HeaderProblem>, name: &Spanned<String>, path: &Path<'_>, findings: &mut Findings<'_>) {
    let Some(problem) = problem else { return };
    let code = match problem {
        HeaderProblem::Restricted | HeaderProblem::ClientCredentials => code::CONFIG_RESTRICTED_HEADER,
        _ => code::CONFIG_BAD_HEADER,
    };
    findings.report(code, name.span, path, || format!("header `{}` {problem}", shown(name)));
}

/// A literal value, which is not shown. An empty one is no value; that is another rule's.
pub(super) fn check_value(value: &Spanned<Secret>, path: &Path<'_>, findings: &mut Findings<'_>) {
    let problem = headers::value_problem(value.expose()).filter(|problem| *problem != HeaderProblem::EmptyValue);
    if let Some(problem) = problem {
        findings.report(code::CONFIG_BAD_HEADER, value.span, path, || format!("{} {problem}", path.last()));
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::findings;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn a_passed_on_header_belongs_to_no_connection_and_no_caller() {
        assert_eq!(
            findings("passthroughHeaders: ['', authorization, Cookie, X-Forwarded-For, 'X Y', X-Trace]"),
            [
                "config/missing-key /passthroughHeaders/0 «''» `passthroughHeaders[0]` is empty; expected the name of a header",
                "config/restricted-header /passthroughHeaders/1 «authorization» header `authorization` carries a client's credentials, which are never passed on",
                "config/restricted-header /passthroughHeaders/2 «Cookie» header `Cookie` carries a client's credentials, which are never passed on",
                "config/restricted-header /passthroughHeaders/3 «X-Forwarded-For» header `X-Forwarded-For` is restricted; it is made by the connection itself",
                "config/bad-header /passthroughHeaders/4 «'X Y'» header `X Y` is not a token; letters, digits and !#$%&'*+-.^_`|~ are accepted",
            ]
        );
    }
}
