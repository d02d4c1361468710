//! Tokens, key sets and answers of issuers as bytes from the net: whatever they are, they are judged and nothing panics, and
//! nothing that is said of a token carries a part of it.
//!
//! Signatures are not verified here.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use vmcp_core::bearer::{self, Expected, KeySet, Metadata, Question};
use vmcp_core::mcp::base64::{self, Alphabet};
use vmcp_core::secret::Secret;
use vmcp_core::trust::UnixTime;

/// Pieces of which the texts of issuers are made, so that more than their first byte is read.
fn json() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"alg\"",
        "\"ES256\"",
        "\"none\"",
        "\"kid\"",
        "\"typ\"",
        "\"JWT\"",
        "\"crit\"",
        "\"keys\"",
        "\"kty\"",
        "\"EC\"",
        "\"RSA\"",
        "\"n\"",
        "\"e\"",
        "\"x\"",
        "\"y\"",
        "\"crv\"",
        "\"P-256\"",
        "\"iss\"",
        "\"sub\"",
        "\"aud\"",
        "\"exp\"",
        "\"nbf\"",
        "\"scope\"",
        "\"active\"",
        "true",
        "false",
        "null",
        "1e400",
        "-1",
        "18446744073709551616",
        "\"\u{e9}\"",
        "\"AQAB\"",
        "\"i\"",
        "\"a\"",
        " ",
        "\"issuer\"",
        "\"jwks_uri\"",
    ]);
    vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_that_an_issuer_or_a_caller_sends_makes_the_reader_panic(
        header in json(), claims in json(), raw in vec(any::<u8>(), 0..64), text in "\\PC{0,64}", now in any::<u64>(),
    ) {
        let part = |bytes: &[u8]| base64::encode(Alphabet::Url, bytes);
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let expected = Expected { issuer: "i", audience: "a" };
        for token in [
            format!("{}.{}.{}", part(header.as_bytes()), part(claims.as_bytes()), part(&raw)),
            format!("{}.{}.", part(&raw), part(&raw)),
            text.clone(),
        ] {
            if let Ok(Some(jws)) = bearer::read(&token) {
                prop_assert!(bearer::principal(jws.claims(), expected, now, &token).is_err() || !claims.is_empty());
            }
            let _ = Question::new(&token, Some(&text), Some(&Secret::new(text.as_str())));
        }
        for bytes in [header.as_bytes(), claims.as_bytes(), &raw, text.as_bytes()] {
            let _ = KeySet::read(bytes);
            let _ = Metadata::read(bytes, &text);
            let _ = bearer::answered(bytes, expected, now, "t");
            let _ = bearer::principal(bytes, expected, now, "t");
        }
        let _ = (bearer::token(&text), bearer::is_in_query(&text), bearer::places(&text));
    }

    #[test]
    fn no_reason_shows_a_part_of_a_token(secret in "[A-Za-z0-9]{24,40}") {
        let part = |text: String| base64::encode(Alphabet::Url, text.as_bytes());
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_000_000));
        let expected = Expected { issuer: "https://i", audience: "a" };
        let claims = |more: &str| format!(r#"{{"sub":"{secret}","jti":"{secret}"{more}}}"#);
        let mut said = String::new();
        for header in [
            format!(r#"{{"alg":"{secret}"}}"#), format!(r#"{{"alg":"none","kid":"{secret}"}}"#),
            format!(r#"{{"alg":"ES256","typ":"{secret}"}}"#), format!(r#"{{"alg":"ES256","kid":"{secret}","crit":["{secret}"]}}"#),
        ] {
            let token = format!("{}.{}.{}", part(header), part(claims("")), part(secret.clone()));
            said.push_str(&format!("{0:?} {0:?}", bearer::read(&token).map(|jws| jws.is_some())));
        }
        for more in ["", r#","iss":"https://i""#, r#","iss":"https://i","aud":"a""#, r#","iss":"https://i","aud":"a","exp":9"#, ",,"] {
            let refused = bearer::principal(claims(more).as_bytes(), expected, now, &secret).unwrap_err();
            said.push_str(&format!("{refused} {refused:?}"));
        }
        let who = bearer::principal(
            claims(r#","iss":"https://i","aud":"a","exp":2000000"#).replace(&format!("\"sub\":\"{secret}\""), "\"sub\":\"ann\"").as_bytes(),
            expected, now, &secret,
        ).unwrap();
        said.push_str(&format!("{who:?} {:?}", Question::new(&secret, Some("c"), Some(&Secret::new(secret.as_str())))));
        prop_assert!(!said.contains(&secret) && !said.contains(&part(secret.clone())[..20]), "{said}");
    }
}
