//! Every request byte for byte, and every answer that is refused with its words.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::auth::{RoleMapping, RoleRule};
use crate::endpoint::Endpoint;
use crate::mcp::http::{Sent, Stage};
use crate::text::Span;
use crate::trust::{Pool, Rfc3339, SystemRoots};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NOW: u64 = 1_800_000_000;

fn endpoint(url: &str) -> TokenEndpoint {
    TokenEndpoint {
        url: Endpoint::parse(url).unwrap(),
        pool: Arc::new(Pool::new(Arc::new(SystemRoots::default()), None)),
    }
}

fn client(id: &str, secret: &str) -> Client {
    Client { id: id.to_owned(), secret: Secret::new(secret) }
}

fn exchange(client: Option<Client>, audience: &str, scopes: &[&str]) -> Arc<Strategy> {
    Arc::new(Strategy::TokenExchange(TokenExchange {
        endpoint: endpoint("https://idp.example/token"),
        client,
        audience: audience.to_owned(),
        scopes: scopes.iter().map(ToString::to_string).collect(),
        subject_token_type: format!("{TOKEN_TYPE}access_token"),
    }))
}

fn xaa() -> Arc<Strategy> {
    Arc::new(Strategy::Xaa(Xaa {
        idp: endpoint("https://idp.example/token"),
        idp_client: Some(client("gateway", "idp s3cr3t")),
        target: endpoint("https://as.partner.example/token"),
        target_client: Some(client("partner", "target s3cr3t")),
        audience: "https://as.partner.example".to_owned(),
        resource: "https://mcp.partner.example".to_owned(),
        scopes: vec!["read".to_owned(), "write".to_owned()],
    }))
}

fn aws(mappings: Vec<RoleMapping>, fallback: Option<&str>) -> AwsSts {
    AwsSts {
        endpoint: endpoint("https://sts.eu-central-1.amazonaws.com/"),
        region: "eu-central-1".to_owned(),
        service: "aws-mcp".to_owned(),
        fallback_role: fallback.map(str::to_owned),
        mappings,
        role_claim: "groups".to_owned(),
        duration: 900,
        session_name_claim: "sub".to_owned(),
    }
}

fn ann() -> Principal {
    Principal {
        issuer: "https://idp.example".to_owned(),
        subject: "ann".to_owned(),
        scopes: Vec::new(),
        claims: Secret::new(r#"{"sub":"ann@example.com","groups":["devs","ops"]}"#),
        token: Secret::new("header.claims+/=.signature"),
        expires: None,
    }
}

fn begun(strategy: &Arc<Strategy>) -> Flow {
    Flow::of_caller(strategy, Some(&ann()), |_| false).unwrap()
}

fn sends(flow: &mut Flow) -> TokenRequest {
    match flow.poll() {
        Some(Output::Send(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn ends(flow: &mut Flow) -> Result<Issued, TokenError> {
    match flow.poll() {
        Some(Output::Done(result)) => result,
        other => panic!("{other:?}"),
    }
}

fn told(flow: &mut Flow, status: u16, body: &str) {
    flow.handle(&TokenAnswer {
        status,
        body: body.as_bytes(),
        now: UnixTime::since_unix_epoch(core::time::Duration::from_secs(NOW)),
    });
}

/// What comes of one answer to the first request.
fn answered(strategy: &Arc<Strategy>, status: u16, body: &str) -> Result<Issued, TokenError> {
    let mut flow = begun(strategy);
    sends(&mut flow);
    told(&mut flow, status, body);
    ends(&mut flow)
}

fn bearer(issued: &Issued) -> &str {
    match &issued.credentials {
        IssuedCredentials::Bearer(token) => token.expose(),
        IssuedCredentials::AwsKeys(_) => panic!("keys"),
    }
}

#[test]
fn a_token_exchange_is_these_bytes() {
    let strategy = exchange(Some(client("the client", "s3cr3t+/:é")), "backend one", &["read", "write:all"]);
    let request = sends(&mut begun(&strategy));
    assert_eq!(request.endpoint.url.to_url(), "https://idp.example/token");
    assert_eq!(
        request.authorization.unwrap().expose(),
        // the+client:s3cr3t%2B%2F%3A%C3%A9
        "Basic dGhlK2NsaWVudDpzM2NyM3QlMkIlMkYlM0ElQzMlQTk="
    );
    assert_eq!(request.accept, "application/json");
    assert_eq!(
        request.body.expose(),
        "audience=backend+one\
         &grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
         &requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
         &scope=read+write%3Aall\
         &subject_token=header.claims%2B%2F%3D.signature\
         &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
    );
}

#[test]
fn what_is_not_configured_is_not_sent() {
    let request = sends(&mut begun(&exchange(None, "", &[])));
    assert!(request.authorization.is_none());
    assert_eq!(
        request.body.expose(),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
         &requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
         &subject_token=header.claims%2B%2F%3D.signature\
         &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"
    );
}

#[test]
fn the_gateway_itself_asks_for_client_credentials_and_proves_itself_in_the_header_first() {
    let strategy = exchange(Some(client("gateway", "s3cr3t")), "backend", &["read"]);
    let mut flow = Flow::of_nobody(&strategy).unwrap();
    let request = sends(&mut flow);
    assert_eq!(request.authorization.unwrap().expose(), "Basic Z2F0ZXdheTpzM2NyM3Q=");
    assert_eq!(request.body.expose(), "audience=backend&grant_type=client_credentials&scope=read");
    told(&mut flow, 401, r#"{"error":"invalid_client"}"#);
    let request = sends(&mut flow);
    assert!(request.authorization.is_none());
    assert_eq!(
        request.body.expose(),
        "audience=backend&client_id=gateway&client_secret=s3cr3t&grant_type=client_credentials&scope=read"
    );
    told(&mut flow, 200, r#"{"access_token":"t","token_type":"Bearer"}"#);
    assert_eq!(bearer(&ends(&mut flow).unwrap()), "t", "no `issued_token_type` where nothing was exchanged");

    assert!(Flow::of_nobody(&exchange(None, "", &[])).is_none());
    assert!(Flow::of_nobody(&Arc::new(Strategy::AwsSts(aws(vec![], Some("r"))))).is_none());
    let mut flow = Flow::of_nobody(&xaa()).unwrap();
    let request = sends(&mut flow);
    assert_eq!(request.endpoint.url.to_url(), "https://as.partner.example/token");
    assert_eq!(
        request.body.expose(),
        "audience=https%3A%2F%2Fas.partner.example&grant_type=client_credentials&scope=read+write"
    );
}

#[test]
fn a_caller_without_a_token_gets_no_credentials() {
    let mut nobody = ann();
    nobody.token = Secret::default();
    for (strategy, word) in [
        (exchange(None, "", &[]), "token_exchange"),
        (xaa(), "xaa"),
        (Arc::new(Strategy::AwsSts(aws(vec![], Some("r")))), "aws_sts"),
    ] {
        for caller in [None, Some(&nobody)] {
            assert_eq!(
                Flow::of_caller(&strategy, caller, |_| true).unwrap_err().to_string(),
                format!("strategy `{word}` needs the caller's own token, and the caller has none")
            );
        }
    }
}

#[test]
fn an_answer_gives_a_token_until_it_ends() {
    let strategy = exchange(None, "", &[]);
    let issued = |expires: &str, kind: &str| {
        let kind = format!(r#""issued_token_type":"{TOKEN_TYPE}{kind}""#);
        answered(&strategy, 200, &format!(r#"{{"access_token":"issued!","token_type":"N_A",{kind}{expires}}}"#))
    };
    for (expires, seconds) in [
        (r#","expires_in":300"#, Some(300)),
        (r#","expires_in":"300""#, Some(300)),
        (r#","expires_in":300.9"#, Some(300)),
        (r#","expires_in":0"#, Some(0)),
        (r#","expires_in":-1"#, None),
        (r#","expires_in":"soon""#, None),
        (r#","expires_in":99999999999999"#, None),
        ("", None),
    ] {
        let issued = issued(expires, "access_token").unwrap();
        assert_eq!(bearer(&issued), "issued!");
        assert_eq!(issued.expires.map(|at| at.as_secs() - NOW), seconds, "{expires}");
    }
    assert!(issued("", "jwt").is_ok());
    for kind in ["saml2", "saml1", "refresh_token", "id_token", "id-jag"] {
        assert_eq!(
            issued("", kind).unwrap_err().to_string(),
            format!(
                "token endpoint https://idp.example/token issued a `{TOKEN_TYPE}{kind}`; expected an access token \
                 (`urn:ietf:params:oauth:token-type:access_token` or `…:jwt`)"
            )
        );
    }
}

#[test]
fn an_answer_that_is_none_is_told_without_its_words() {
    let strategy = exchange(Some(client("gateway", "word_of_the_client")), "", &[]);
    let why = |status, body: &str| answered(&strategy, status, body).unwrap_err().to_string();
    let refused = "token endpoint https://idp.example/token refused with status";
    assert_eq!(
        why(400, r#"{"error":"invalid_grant","error_description":"the token header.claims is bad"}"#),
        format!("{refused} 400 and error `invalid_grant`")
    );
    // As some servers do.
    assert_eq!(why(200, r#"{"error":"invalid_grant"}"#), format!("{refused} 200 and error `invalid_grant`"));
    assert_eq!(why(500, "<html>s3cr3t</html>"), format!("{refused} 500"));
    assert_eq!(why(302, ""), format!("{refused} 302"));
    // However short a part of a secret is, it is no registered word.
    for hidden in
        ["header.claims", "word_of_the_client", "word_of", "wor", "w", "two words", "line\\nfeed", "Invalid_grant"]
    {
        let body = format!(r#"{{"error":"{hidden}"}}"#);
        assert_eq!(why(400, &body), format!("{refused} 400 and an error that is not registered"), "{hidden}");
    }
    for none in [r#"{"error":{"token":"s3cr3t"}}"#, r#"{"error":""}"#] {
        assert_eq!(why(400, none), format!("{refused} 400"), "{none}");
    }
    let answer = "the answer of token endpoint https://idp.example/token";
    for (body, problem) in [
        ("", "is no JSON object of tokens"),
        ("[]", "is no JSON object of tokens"),
        (r#"{"token_type":"Bearer"}"#, "has no `access_token`"),
        (r#"{"access_token":"","token_type":"Bearer"}"#, "has no `access_token`"),
        (r#"{"access_token":"t"}"#, "has no `token_type`"),
        (r#"{"access_token":"t","token_type":"Bearer"}"#, "has no `issued_token_type`"),
        (
            r#"{"access_token":"t\r\nx: y","token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:jwt"}"#,
            "has a token that no header can hold",
        ),
    ] {
        assert_eq!(why(200, body), format!("{answer} {problem}"), "{body}");
    }
    let mut flow = begun(&strategy);
    sends(&mut flow);
    flow.failed(Failure { stage: Stage::Connect, sent: Sent::Nothing, message: "refused".to_owned() });
    let error = ends(&mut flow).unwrap_err();
    assert_eq!(error.to_string(), "no answer from token endpoint https://idp.example/token");
    assert_eq!(core::error::Error::source(&error).unwrap().to_string(), "refused");
}

fn jwt(claims: &str) -> String {
    let part = |text: &str| base64::encode(Alphabet::Url, text.as_bytes());
    format!("{}.{}.c2ln", part(r#"{"typ":"oauth-id-jag+jwt","alg":"RS256"}"#), part(claims))
}

#[test]
fn a_grant_of_the_identity_provider_is_redeemed_at_the_target() {
    let mut flow = begun(&xaa());
    let request = sends(&mut flow);
    assert_eq!(request.endpoint.url.to_url(), "https://idp.example/token");
    assert_eq!(request.authorization.unwrap().expose(), "Basic Z2F0ZXdheTppZHArczNjcjN0");
    assert_eq!(
        request.body.expose(),
        "audience=https%3A%2F%2Fas.partner.example\
         &grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
         &requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid-jag\
         &resource=https%3A%2F%2Fmcp.partner.example\
         &scope=read+write\
         &subject_token=header.claims%2B%2F%3D.signature\
         &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid_token"
    );
    let grant = jwt(r#"{"aud":["https://as.partner.example"],"resource":["https://mcp.partner.example","x"]}"#);
    let kind = r#""issued_token_type":"urn:ietf:params:oauth:token-type:id-jag","token_type":"n_a""#;
    told(&mut flow, 200, &format!(r#"{{"access_token":"{grant}",{kind}}}"#));
    let request = sends(&mut flow);
    assert_eq!(request.endpoint.url.to_url(), "https://as.partner.example/token");
    assert_eq!(request.authorization.unwrap().expose(), "Basic cGFydG5lcjp0YXJnZXQrczNjcjN0");
    assert_eq!(
        request.body.expose(),
        format!("assertion={grant}&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&scope=read+write")
    );
    told(&mut flow, 200, r#"{"access_token":"t","token_type":"Bearer","expires_in":60}"#);
    let issued = ends(&mut flow).unwrap();
    assert_eq!((bearer(&issued), issued.expires.unwrap().as_secs()), ("t", NOW + 60));
}

#[test]
fn a_grant_for_somebody_else_is_not_passed_on() {
    let resource = r#""resource":"https://mcp.partner.example""#;
    let why = |token: &str, kind: &str, word: &str| {
        let kind = format!(r#""issued_token_type":"{TOKEN_TYPE}{kind}","token_type":"{word}""#);
        let error = answered(&xaa(), 200, &format!(r#"{{"access_token":"{token}",{kind}}}"#)).unwrap_err().to_string();
        error.strip_prefix("the answer of token endpoint https://idp.example/token ").unwrap().to_owned()
    };
    let good = jwt(&format!(r#"{{"aud":"https://as.partner.example",{resource}}}"#));
    assert_eq!(why(&good, "access_token", "N_A"), "is no ID-JAG: its `issued_token_type` says otherwise");
    assert_eq!(why(&good, "id-jag", "Bearer"), "is no ID-JAG: its `token_type` is not `N_A`");
    assert_eq!(why("opaque", "id-jag", "N_A"), "holds an ID-JAG that is no JWT");
    assert_eq!(why("a.b.c", "id-jag", "N_A"), "holds an ID-JAG that is no JWT");
    for aud in [r#""https://other.example""#, r#"["https://as.partner.example","https://other.example"]"#, "[]", "7"] {
        let token = jwt(&format!(r#"{{"aud":{aud},{resource}}}"#));
        let expected = "holds an ID-JAG whose `aud` is not exactly the configured `targetAudience`";
        assert_eq!(why(&token, "id-jag", "N_A"), expected, "{aud}");
    }
    for resource in ["", r#","resource":"https://other.example""#, r#","resource":[]"#] {
        let token = jwt(&format!(r#"{{"aud":"https://as.partner.example"{resource}}}"#));
        let expected = "holds an ID-JAG whose `resource` does not have the configured `targetResource`";
        assert_eq!(why(&token, "id-jag", "N_A"), expected, "{resource}");
    }
}

#[test]
fn on_behalf_of_is_these_bytes() {
    let strategy = Arc::new(Strategy::Obo(Obo {
        endpoint: endpoint("https://login.microsoftonline.com/tenant/oauth2/v2.0/token"),
        client: client("11111111-2222", "s3cr3t~x"),
        scope: "api://backend/.default".to_owned(),
        skew: None,
    }));
    let request = sends(&mut begun(&strategy));
    assert!(request.authorization.is_none());
    assert_eq!(
        request.body.expose(),
        "assertion=header.claims%2B%2F%3D.signature\
         &client_id=11111111-2222\
         &client_secret=s3cr3t~x\
         &grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer\
         &requested_token_use=on_behalf_of\
         &scope=api%3A%2F%2Fbackend%2F.default"
    );
    let issued =
        answered(&strategy, 200, r#"{"token_type":"Bearer","scope":"x","expires_in":3269,"access_token":"e.y.J"}"#);
    assert_eq!(bearer(&issued.unwrap()), "e.y.J");
    assert_eq!(
        answered(
            &strategy,
            400,
            r#"{"error":"interaction_required","error_description":"AADSTS50079: …","claims":"{}"}"#
        )
        .unwrap_err()
        .to_string(),
        "token endpoint https://login.microsoftonline.com/tenant/oauth2/v2.0/token refused with status 400 and error \
         `interaction_required`"
    );
}

const STS: &str = r#"<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>ann</SubjectFromWebIdentityToken>
    <AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser>
    <Credentials>
      <SessionToken>tok/en+==</SessionToken>
      <SecretAccessKey>se&amp;cret</SecretAccessKey>
      <Expiration>2027-01-15T08:15:00Z</Expiration>
      <AccessKeyId>ASIAEXAMPLE</AccessKeyId>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>"#;

#[test]
fn sts_is_asked_for_keys() {
    let strategy = Arc::new(Strategy::AwsSts(aws(vec![], Some("arn:aws:iam::123456789012:role/r"))));
    let request = sends(&mut begun(&strategy));
    assert_eq!(request.endpoint.url.to_url(), "https://sts.eu-central-1.amazonaws.com/");
    assert!(request.authorization.is_none());
    assert_eq!(
        request.body.expose(),
        "Action=AssumeRoleWithWebIdentity&DurationSeconds=900\
         &RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fr&RoleSessionName=ann%40example.com&Version=2011-06-15\
         &WebIdentityToken=header.claims%2B%2F%3D.signature"
    );
    let issued = answered(&strategy, 200, STS).unwrap();
    let IssuedCredentials::AwsKeys(keys) = &issued.credentials else { panic!("{issued:?}") };
    assert_eq!(
        [&keys.id, &keys.secret, &keys.session_token].map(Secret::expose),
        ["ASIAEXAMPLE", "se&cret", "tok/en+=="]
    );
    assert_eq!(Rfc3339(issued.expires.unwrap()).to_string(), "2027-01-15T08:15:00Z");

    let why = |status, body: &str| answered(&strategy, status, body).unwrap_err().to_string();
    let name = "https://sts.eu-central-1.amazonaws.com/";
    let error = r#"<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>header.claims</Message></Error></ErrorResponse>"#;
    assert_eq!(
        why(400, error),
        format!("token endpoint {name} refused with status 400 and error `ExpiredTokenException`")
    );
    assert_eq!(why(503, "no"), format!("token endpoint {name} refused with status 503"));
    for (body, problem) in [
        (String::new(), "is no `AssumeRoleWithWebIdentityResult`"),
        (STS.replace("Credentials>", "Credentialz>"), "has no `Credentials`"),
        (STS.replace("AccessKeyId>", "X>"), "has no `AccessKeyId`"),
        (STS.replace("se&amp;cret", "se&#x41;cret"), "has no `SecretAccessKey`"),
        (STS.replace("tok/en+==", " "), "has no `SessionToken`"),
        (STS.replace("tok/en+==", "tok en"), "has keys that no header can hold"),
        (STS.replace("08:15:00Z", "08:15"), "has no `Expiration` as RFC 3339 says"),
        // Two of them: nobody can say which.
        (STS.replace("<AccessKeyId>", "<AccessKeyId>A</AccessKeyId><AccessKeyId>"), "has no `AccessKeyId`"),
    ] {
        assert_eq!(why(200, &body), format!("the answer of token endpoint {name} {problem}"), "{body}");
    }
    for cut in 0..STS.find("</AssumeRoleWithWebIdentityResult>").unwrap() {
        assert!(answered(&strategy, 200, &STS[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn the_mapping_with_the_least_priority_decides_and_the_first_of_equals() {
    let mapping = |rule, role: &str, priority| RoleMapping { rule, role: role.to_owned(), priority };
    let claim = |value: &str| RoleRule::Claim(value.to_owned());
    let matcher = |expression: &str| RoleRule::Matcher {
        expression: expression.to_owned(),
        span: Span::default(),
        pointer: String::new(),
    };
    let claims = Secret::new(r#"{"groups":["devs","ops"],"dotted":{"admins":1},"text":"devs"}"#);
    let select = |sts: &AwsSts| roles::select(sts, &claims, |expression| expression == "true").map(str::to_owned);
    let sts = aws(
        vec![
            mapping(claim("nobody"), "nobody", Some(0)),
            mapping(claim("devs"), "devs", None),
            mapping(claim("ops"), "ops", Some(7)),
            mapping(matcher("true"), "matched", Some(7)),
            mapping(matcher("false"), "not", Some(1)),
        ],
        Some("fallback"),
    );
    assert_eq!(select(&sts).as_deref(), Some("ops"));
    let only = |rule, claim: &str, fallback| {
        let mut sts = aws(vec![mapping(rule, "role", None)], fallback);
        sts.role_claim = claim.to_owned();
        sts
    };
    assert_eq!(select(&only(matcher("true"), "groups", None)).as_deref(), Some("role"));
    assert_eq!(select(&only(claim("admins"), "dotted", None)).as_deref(), Some("role"));
    assert_eq!(
        select(&only(claim("devs"), "text", Some("fallback"))).as_deref(),
        Some("fallback"),
        "a text is no list"
    );
    assert_eq!(select(&only(claim("devs"), "missing", None)), None);

    let strategy = Arc::new(Strategy::AwsSts(only(claim("others"), "groups", None)));
    assert_eq!(
        Flow::of_caller(&strategy, Some(&ann()), |_| false).unwrap_err().to_string(),
        "strategy `aws_sts`: no role mapping matches the caller's claims, and there is no `fallbackRoleArn`"
    );
    for sub in ["a", "with space", &"x".repeat(65), "é!"] {
        let mut caller = ann();
        caller.claims = Secret::new(format!(r#"{{"sub":"{sub}"}}"#));
        let strategy = Arc::new(Strategy::AwsSts(aws(vec![], Some("r"))));
        assert_eq!(
            Flow::of_caller(&strategy, Some(&caller), |_| false).unwrap_err().to_string(),
            "strategy `aws_sts`: claim `sub` of the caller names no session; expected 2 to 64 letters, digits and \
             `_+=,.@-`"
        );
    }
}

#[test]
fn nothing_secret_is_shown() {
    for strategy in [exchange(Some(client("c", "s3cr3t")), "a", &[]), xaa()] {
        let mut flow = begun(&strategy);
        let request = sends(&mut flow);
        let shown = format!("{strategy:?} {flow:?} {request:?}");
        assert!(!shown.contains("s3cr3t") && !shown.contains("claims+"), "{shown}");
        told(&mut flow, 200, r#"{"access_token":"s3cr3t","token_type":"Bearer","issued_token_type":"x"}"#);
        let shown = format!("{:?}", flow.poll());
        assert!(!shown.contains("s3cr3t"), "{shown}");
    }
}

#[test]
fn no_error_repeats_what_was_sent_not_even_a_part_of_it() {
    // `c:long-s3cr3t` in base64 is `Yzpsb25nLXMzY3IzdA==`.
    for (code, shown) in [
        ("invalid_client", true),
        ("long-s3cr3t", false),
        ("no_long-s3cr", false),
        ("Yzpsb25nLXMzY3IzdA", false),
        ("5nLXMzY3", false),
        ("s3cr3t", false),
    ] {
        let mut flow = begun(&exchange(Some(client("c", "long-s3cr3t")), "a", &[]));
        sends(&mut flow);
        told(&mut flow, 400, &format!("{{\"error\":\"{code}\"}}"));
        assert_eq!(format!("{:?}", flow.poll()).contains(code), shown, "{code}");
        let mut flow = begun(&exchange(Some(client("c", "long-s3cr3t")), "a", &[]));
        sends(&mut flow);
        let kind = format!("urn:x:{code}");
        told(
            &mut flow,
            200,
            &format!("{{\"access_token\":\"issued!\",\"token_type\":\"Bearer\",\"issued_token_type\":\"{kind}\"}}"),
        );
        assert!(!format!("{:?}", flow.poll()).contains(code), "{kind}");
    }
}

#[test]
fn strategies_that_differ_in_anything_have_another_digest() {
    let digest = |strategy: Arc<Strategy>| strategy.digest();
    let all = [
        digest(exchange(None, "", &[])),
        digest(exchange(None, "a", &[])),
        digest(exchange(None, "", &["a"])),
        digest(exchange(None, "", &["a", "b"])),
        digest(exchange(None, "", &["ab"])),
        digest(exchange(Some(client("a", "b")), "", &[])),
        digest(exchange(Some(client("a", "c")), "", &[])),
        digest(exchange(Some(client("", "ab")), "", &[])),
        digest(xaa()),
        digest(Arc::new(Strategy::AwsSts(aws(vec![], None)))),
        digest(Arc::new(Strategy::AwsSts(aws(vec![], Some("r"))))),
    ];
    for (index, one) in all.iter().enumerate() {
        assert!(!all[..index].contains(one), "{index}");
    }
    assert_eq!(digest(xaa()), digest(xaa()));
}
