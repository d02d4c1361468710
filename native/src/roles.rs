//! Matchers of AWS roles: CEL expressions over a caller's claims.
//!
//! It decides which are true and nothing else; what follows is the core's.

use std::collections::BTreeSet;

use cel::{Context, Program, Value};
use vmcp_core::auth::Applied;
use vmcp_core::config::{AuthStrategy, BackendAuthStrategy, Config};
use vmcp_core::diagnostic::{Diagnostic, code};
use vmcp_core::secret::Secret;

/// The claims of one caller, ready to be asked about.
pub struct Matchers(Option<serde_json::Value>);

/// What is wrong with an expression, if anything.
///
/// # Errors
/// Why it is no CEL expression.
pub fn check(expression: &str) -> Result<(), String> {
    match Program::compile(expression) {
        Ok(_) => Ok(()),
        // The parser says where, over several lines; the first is enough.
        Err(error) => Err(error.to_string().lines().next().unwrap_or_default().trim().to_owned()),
    }
}

/// Every matcher of a configuration that is no CEL expression. The backends that it is for are rejected by it.
#[must_use]
pub fn findings(config: &Config) -> Vec<Diagnostic> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (index, backend) in config.backends.iter().enumerate() {
        let applied = Applied::of(config, index, backend);
        let Some(AuthStrategy::AwsSts(sts)) = applied.written.and_then(BackendAuthStrategy::strategy) else { continue };
        if !seen.insert(applied.pointer.clone()) {
            continue;
        }
        for (number, mapping) in sts.role_mappings.iter().enumerate() {
            let Some(matcher) = mapping.matcher.as_ref().filter(|matcher| !matcher.value.is_empty()) else { continue };
            let Err(problem) = check(&matcher.value) else { continue };
            let finding = Diagnostic::new(code::AUTH_BAD_MATCHER, format!("`matcher` is no CEL expression: {problem}"));
            let pointer = format!("{}/awsSts/roleMappings/{number}/matcher", applied.pointer);
            found.push(finding.at(matcher.span).path(pointer).scope(applied.scope.clone()));
        }
    }
    found
}

impl Matchers {
    /// Of these claims.
    #[must_use]
    pub fn new(claims: &Secret) -> Self {
        Self(serde_json::from_str(claims.expose()).ok())
    }

    /// Whether the expression is true. One that fails, or says anything but a boolean, is no match.
    #[must_use]
    pub fn matches(&self, expression: &str) -> bool {
        let Some(claims) = &self.0 else { return false };
        let Ok(program) = Program::compile(expression) else { return false };
        let mut context = Context::default();
        if context.add_variable("claims", claims).is_err() {
            return false;
        }
        matches!(program.execute(&context), Ok(Value::Bool(true)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_asked_about_claims() {
        let claims = Secret::new(
            r#"{"sub":"ann","groups":["devs","ops"],"level":3,"email":"ann@example.com","nested":{"a.b":true},"exp":1900000000}"#,
        );
        let matchers = Matchers::new(&claims);
        for (expression, expected) in [
            ("'devs' in claims.groups", true),
            ("'devs' in claims[\"groups\"] && claims.level >= 3", true),
            ("claims.email.endsWith('@example.com')", true),
            ("claims.groups.exists(g, g.startsWith('op'))", true),
            ("has(claims.tenant)", false),
            ("claims.nested['a.b']", true),
            ("claims.exp > 1800000000", true),
            // An error, another type, another variable: no match.
            ("claims.tenant == 'x'", false),
            ("claims.sub", false),
            ("claims.level", false),
            ("token == 'x'", false),
            ("claims.sub == ", false),
        ] {
            assert_eq!(matchers.matches(expression), expected, "{expression}");
        }
        assert!(!Matchers::new(&Secret::new("no JSON")).matches("true"));
    }

    #[test]
    fn an_expression_that_cannot_be_read_is_told() {
        assert_eq!(check("'devs' in claims.groups"), Ok(()));
        assert!(check("claims.sub ==").is_err() && check("").is_err());
    }
}
