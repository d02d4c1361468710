//! AWS Signature Version 4 over requests to backends, by AWS's own crate.
//!
//! It gets no keys and sends nothing.

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use vmcp_core::oauth::AwsKeys;

use crate::credentials::Sign;

/// Bytes of a body that are signed, as in the Go program.
const BODY: usize = 10 << 20;

/// Signs with temporary keys, for one service in one region.
#[derive(Clone)]
pub struct Signer {
    keys: AwsKeys,
    region: String,
    service: String,
}

impl Signer {
    /// Signs nothing yet.
    #[must_use]
    pub fn new(keys: AwsKeys, region: &str, service: &str) -> Self {
        Self { keys, region: region.to_owned(), service: service.to_owned() }
    }

    /// As [`Sign::sign`], at a given time.
    fn sign_at(
        &self,
        now: SystemTime,
        method: &Method,
        uri: &Uri,
        headers: &mut HeaderMap,
        body: &[u8],
    ) -> Result<(), String> {
        if body.len() > BODY {
            return Err(format!("the request has {} bytes; at most {BODY} are signed", body.len()));
        }
        // The crate keeps copies of the keys and wipes them, as this program does.
        let session = Some(self.keys.session_token.expose()).filter(|token| !token.is_empty()).map(str::to_owned);
        let keys = Credentials::new(self.keys.id.expose(), self.keys.secret.expose(), session, None, "vmcp").into();
        let parameters = v4::SigningParams::builder()
            .identity(&keys)
            .region(&self.region)
            .name(&self.service)
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| format!("the request cannot be signed: {error}"))?;
        let signed = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value.as_bytes()).ok()?)));
        let signable = SignableRequest::new(method.as_str(), uri.to_string(), signed, SignableBody::Bytes(body))
            .map_err(|error| format!("the request cannot be signed: {error}"))?;
        let (instructions, _) = sign(signable, &parameters.into())
            .map_err(|error| format!("the request cannot be signed: {error}"))?
            .into_parts();
        let (made, _) = instructions.into_parts();
        for header in made {
            let mut value = HeaderValue::from_str(header.value())
                .map_err(|_| "the request cannot be signed: its signature is no header".to_owned())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(header.name()), value);
        }
        Ok(())
    }
}

impl Sign for Signer {
    fn sign(&self, method: &Method, uri: &Uri, headers: &mut HeaderMap, body: &[u8]) -> Result<(), String> {
        self.sign_at(SystemTime::now(), method, uri, headers, body)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("region", &self.region).field("service", &self.service).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vmcp_core::secret::Secret;

    use super::*;

    const SCOPE: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ";

    fn signer(session_token: &str) -> Signer {
        let keys = AwsKeys {
            id: Secret::new("AKIDEXAMPLE"),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: Secret::new(session_token),
        };
        Signer::new(keys, "us-east-1", "service")
    }

    /// 2015-08-30T12:36:00Z.
    fn then() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160)
    }

    fn signed(signer: &Signer, method: Method, path: &str, headers: &[(&'static str, &str)], body: &[u8]) -> HeaderMap {
        let uri: Uri = format!("https://example.amazonaws.com{path}").parse().unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        signer.sign_at(then(), &method, &uri, &mut map, body).unwrap();
        map
    }

    /// Facts of AWS's published Signature Version 4 test suite.
    #[test]
    fn requests_are_signed_as_the_published_vectors_are() {
        const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";
        for (method, path, headers, token, names, signature) in [
            (
                Method::GET,
                "/",
                &[][..],
                "",
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                Method::GET,
                "/?Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
                &[],
                "",
                "host;x-amz-date",
                "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
            ),
            (
                Method::POST,
                "/?Param1=value1",
                &[],
                "",
                "host;x-amz-date",
                "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
            ),
            (
                Method::POST,
                "/",
                &[("my-header1", "value1")],
                "",
                "host;my-header1;x-amz-date",
                "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
            ),
            (
                Method::GET,
                "/",
                &[("my-header1", " value1"), ("my-header2", "\"a   b   c\"")],
                "",
                "host;my-header1;my-header2;x-amz-date",
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
            (
                Method::POST,
                "/",
                &[],
                TOKEN,
                "host;x-amz-date;x-amz-security-token",
                "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
            ),
        ] {
            let headers = signed(&signer(token), method.clone(), path, headers, b"");
            assert_eq!(
                headers.get("authorization").unwrap(),
                &format!("{SCOPE}SignedHeaders={names}, Signature={signature}"),
                "{method} {path}"
            );
            assert_eq!(headers.get("x-amz-date").unwrap(), "20150830T123600Z");
            let sent = headers.get("x-amz-security-token").map(|value| value.to_str().unwrap());
            assert_eq!(sent, Some(token).filter(|token| !token.is_empty()));
        }
    }

    #[test]
    fn every_byte_of_a_request_counts() {
        let of = |path: &str, body: &[u8]| {
            let headers = signed(&signer("t"), Method::POST, path, &[("content-type", "application/json")], body);
            headers.get("authorization").unwrap().to_str().unwrap().to_owned()
        };
        let one = of("/mcp", b"{\"id\":1}");
        assert_eq!(one, of("/mcp", b"{\"id\":1}"));
        assert!(
            one != of("/mcp", b"{\"id\":2}") && one != of("/mcp?", b"{\"id\":1}x") && one != of("/mcq", b"{\"id\":1}")
        );
        assert!(one.contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "), "{one}");
    }

    #[test]
    fn what_was_forwarded_under_its_names_is_replaced() {
        let forwarded = [("authorization", "Bearer of somebody"), ("x-amz-date", "19700101T000000Z")];
        let headers = signed(&signer(""), Method::GET, "/", &forwarded, b"");
        assert_eq!(headers.get_all("authorization").iter().count(), 1);
        assert_eq!(headers.get("x-amz-date").unwrap(), "20150830T123600Z");
    }

    #[test]
    fn a_body_is_signed_up_to_ten_mebibytes() {
        let uri: Uri = "https://example.amazonaws.com/".parse().unwrap();
        let body = vec![b' '; BODY + 1];
        let mut headers = HeaderMap::new();
        assert_eq!(
            signer("").sign(&Method::POST, &uri, &mut headers, &body).unwrap_err(),
            "the request has 10485761 bytes; at most 10485760 are signed"
        );
        assert!(signer("").sign(&Method::POST, &uri, &mut headers, &body[1..]).is_ok());
        assert!(!format!("{:?}", signer("t0ken")).contains("t0ken"));
    }
}
