//! What AWS STS answers to AssumeRoleWithWebIdentity, in XML.
//!
//! It reads the few elements that are needed and no others; it is no XML parser, and refuses what it would have to guess.

use alloc::string::String;

use super::answer::trimmed;
use super::{AwsKeys, ErrorCode, Issued, IssuedCredentials, TokenAnswer, TokenError};
use crate::auth::TokenEndpoint;
use crate::secret::Secret;
use crate::trust::Rfc3339;

pub(super) fn read(endpoint: &TokenEndpoint, answer: &TokenAnswer<'_>) -> Result<Issued, TokenError> {
    let text = core::str::from_utf8(answer.body).unwrap_or_default();
    if !(200..300).contains(&answer.status) {
        let code =
            element(text, "Error").and_then(|error| element(error, "Code")).and_then(|code| ErrorCode::of(code.trim()));
        return Err(TokenError::Refused { endpoint: endpoint.url.clone(), status: answer.status, code });
    }
    let wrong = |problem| TokenError::malformed(endpoint, problem);
    let result = element(text, "AssumeRoleWithWebIdentityResult")
        .ok_or_else(|| wrong("is no `AssumeRoleWithWebIdentityResult`"))?;
    let keys = element(result, "Credentials").ok_or_else(|| wrong("has no `Credentials`"))?;
    let secret = |name| element(keys, name).and_then(unescaped).and_then(|text| trimmed(&text)).map(Secret::new);
    let id = secret("AccessKeyId").ok_or_else(|| wrong("has no `AccessKeyId`"))?;
    let key = secret("SecretAccessKey").ok_or_else(|| wrong("has no `SecretAccessKey`"))?;
    let session_token = secret("SessionToken").ok_or_else(|| wrong("has no `SessionToken`"))?;
    let fits = |secret: &Secret| secret.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if ![&id, &key, &session_token].into_iter().all(fits) {
        return Err(wrong("has keys that no header can hold"));
    }
    let expires = element(keys, "Expiration").and_then(|text| Rfc3339::parse(text.trim()));
    let expires = expires.ok_or_else(|| wrong("has no `Expiration` as RFC 3339 says"))?;
    Ok(Issued {
        credentials: IssuedCredentials::AwsKeys(AwsKeys { id, secret: key, session_token }),
        expires: Some(expires.0),
    })
}

/// What stands in the only element of this name; `None` if there is none or more than one.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut found = None;
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let tag = rest.get(at + 1..)?;
        rest = tag;
        let Some(after) = tag.strip_prefix(name) else { continue };
        // `<Name>` or `<Name attribute="…">`, not `<NameOfAnother>`.
        let end = after.find('>')?;
        let attributes = after.get(..end)?;
        if !(attributes.is_empty() || attributes.starts_with(|c: char| c.is_ascii_whitespace()))
            || attributes.ends_with('/')
        {
            continue;
        }
        let content = after.get(end + 1..)?;
        let close = content.match_indices("</").find(|(at, _)| {
            content
                .get(at + 2..)
                .and_then(|rest| rest.strip_prefix(name))
                .is_some_and(|rest| rest.trim_start().starts_with('>'))
        });
        let (length, _) = close?;
        if found.is_some() {
            return None;
        }
        found = content.get(..length);
        rest = content.get(length..)?;
    }
    found
}

/// The five entities of XML; anything else in a text that should hold a key is no key.
fn unescaped(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['&', '<']) {
        out.push_str(rest.get(..at)?);
        let (entity, after) = rest.get(at..)?.strip_prefix('&')?.split_once(';')?;
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            _ => return None,
        });
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}
