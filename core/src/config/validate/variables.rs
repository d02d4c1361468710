//! Rules for names of environment variables, wherever a key takes one.
//!
//! Whether such a variable is set is looked at where the environment is known.

use alloc::format;
use alloc::string::{String, ToString as _};

use super::super::findings::{Findings, Path};
use super::super::model::Text;
use super::super::source::Spanned;
use super::{incoming, replace};
use crate::diagnostic::code;

/// A key of a strategy. A variable that cannot be set is one without which the Go program does not start either.
pub(super) fn check(key: &'static str, name: &Text, path: &Path<'_>, findings: &mut Findings<'_>) {
    let Some(name) = name else { return };
    match name.chars().find(|&c| c == '=' || c == '\0') {
        // Both end the name in the environment of a process (POSIX.1-2017, section 8.1).
        Some(end) => findings.report(code::CONFIG_BAD_VALUE, name.span, &path.key(key), || {
            format!("`{key}` holds {}, which no environment variable has in its name; expected such a name", sign(end))
        }),
        None => check_used(name, &path.key(key), findings),
    }
}

/// The same where the Go program goes on without the variable.
pub(super) fn check_used(name: &Spanned<String>, path: &Path<'_>, findings: &mut Findings<'_>) {
    let Some(unusual) = name.chars().find(|&c| !is_usual(c)) else { return };
    let draft = findings.draft(code::CONFIG_VARIABLE_NAME, name.span, path, || {
        format!("{} holds {}; expected the name of an environment variable alone", path.last(), sign(unusual))
    });
    if let Some(draft) = draft {
        findings.push(match alone(name) {
            Some(alone) => draft.fix("write the name alone", replace(name.span, alone), false),
            None => draft,
        });
    }
}

/// The name in `$NAME`, `${NAME}`, `$(NAME)`, `%NAME%`, or between spaces.
fn alone(written: &str) -> Option<&str> {
    fn within<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
        text.strip_prefix(open)?.strip_suffix(close)
    }
    let written = written.trim();
    let name = within(written, "${", "}")
        .or_else(|| within(written, "$(", ")"))
        .or_else(|| within(written, "%", "%"))
        .or_else(|| written.strip_prefix('$'))
        .unwrap_or(written);
    // What would be read as something else needs quotes, and is no such name.
    (incoming::is_identifier(name) && !["true", "false", "null"].iter().any(|word| name.eq_ignore_ascii_case(word)))
        .then_some(name)
}

/// What Kubernetes has always taken; newer ones take more, and so does a process.
fn is_usual(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn sign(c: char) -> String {
    match c {
        ' ' => "a space".to_string(),
        _ if c.is_ascii_graphic() => format!("`{c}`"),
        _ => format!("U+{:04X}", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use crate::config::testing::{errors, findings};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    fn named(name: &str) -> Vec<String> {
        findings(&format!(
            "outgoingAuth: {{source: inline, default: {{type: header_injection, headerInjection: {{headerName: X-A, headerValueEnv: {name}}}}}}}"
        ))
    }

    #[test]
    fn a_name_stands_alone() {
        for usual in ["NAME", "'a.b-c_1'"] {
            assert_eq!(named(usual), [""; 0]);
        }
        let at = "config/variable-name /outgoingAuth/default/headerInjection/headerValueEnv";
        let expected = "expected the name of an environment variable alone";
        for (name, sign, alone) in [
            ("$NAME", "`$`", true),
            ("'${NAME}'", "`$`", true),
            ("$(NAME)", "`$`", true),
            ("'%NAME%'", "`%`", true),
            ("' NAME'", "a space", true),
            ("'${A:-b}'", "`$`", false),
            ("'$true'", "`$`", false),
            ("'two words'", "a space", false),
            ("'ä'", "U+00E4", false),
        ] {
            let help = if alone { " {write the name alone}" } else { "" };
            assert_eq!(named(name), [format!("{at} «{name}» `headerValueEnv` holds {sign}; {expected}{help}")]);
        }
    }

    #[test]
    fn a_name_that_no_variable_has_is_refused_where_the_go_program_does_not_start() {
        let at = "config/bad-value /outgoingAuth/default/headerInjection/headerValueEnv";
        for (name, sign) in [("'A=b'", "`=`"), ("\"A\\0\"", "U+0000")] {
            let expected = "which no environment variable has in its name; expected such a name";
            assert_eq!(named(name), [format!("{at} «{name}» `headerValueEnv` holds {sign}, {expected} [default]")]);
        }
        assert_eq!(named("''").len(), 1, "it is none");
        let oidc = "incomingAuth: {type: oidc, oidc: {issuer: 'https://i', audience: a, clientSecretEnv: 'A=b'}}";
        assert_eq!(errors(oidc), [""; 0]);
    }
}
