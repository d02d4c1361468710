//! For whom backends are checked: the caller whose token was given, else nobody.
//!
//! The token is believed, not verified: whoever holds it shows it to the same endpoints as the server would.

use std::path::Path;
use std::time::Duration;

use tokio::runtime::Runtime;
use vmcp_core::auth::Credentials;
use vmcp_core::discovery::Backend;
use vmcp_core::identity::Principal;
use vmcp_core::mcp::base64::{self, Alphabet};
use vmcp_core::secret::Secret;

use super::super::Unjudged;
use super::super::input::Input;
use crate::credentials::Grant;
use crate::logging::chain;
use crate::tokens::{Sender, Tokens};
use crate::transport::TransportOptions;

/// A caller.
pub(super) struct Caller(Principal);

/// What a backend is checked with.
pub(crate) enum Granted {
    /// This.
    Grant(Grant),
    /// This, which is nobody's; what is refused to it may be given to a caller.
    NobodyS(Grant),
    /// There is nothing, and why.
    Nothing(String),
}

/// Makes credentials for backends that want them made.
pub(super) struct Granting(Option<(Runtime, Tokens)>);

impl Caller {
    /// Reads a token from a file.
    pub(super) fn read(path: &Path) -> Result<Self, Unjudged> {
        let input = Input::read(path, "")?;
        let text = String::from_utf8_lossy(&input.bytes).trim().to_owned();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let expected = "expected one token on one line";
            return Err(Unjudged::Usage(format!("`--token-file {}` holds no token; {expected}", path.display())));
        }
        let claims = text.split('.').nth(1).and_then(|part| base64::decode(Alphabet::Url, part));
        let claims = claims.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| "{}".to_owned());
        let read = serde_json::from_str::<serde_json::Value>(&claims).unwrap_or_default();
        let claim = |name: &str| read.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        Ok(Self(Principal {
            issuer: claim("iss"),
            subject: claim("sub"),
            scopes: Vec::new(),
            claims: Secret::new(claims),
            token: Secret::new(text),
            expires: None,
        }))
    }
}

impl Granting {
    /// Ready for these.
    pub(super) fn of(backends: &[Backend]) -> Self {
        let wanted = backends.iter().any(|backend| matches!(backend.credentials, Credentials::Made(_)));
        let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().ok();
        Self(wanted.then(runtime).flatten().map(|runtime| {
            let tokens = Tokens::new(Sender::new(&TransportOptions::default()), runtime.handle().clone());
            (runtime, tokens)
        }))
    }

    /// What one backend is checked with.
    pub(super) fn for_backend(&self, backend: &Backend, caller: Option<&Caller>, timeout: Duration) -> Granted {
        let Credentials::Made(strategy) = &backend.credentials else { return Granted::Grant(Grant::default()) };
        let Some((runtime, tokens)) = &self.0 else {
            return Granted::Nothing("the system gave no resources to ask a token endpoint".to_owned());
        };
        let asked = async {
            match caller {
                Some(Caller(who)) => tokens.of_caller(strategy, who).await.map(|(grant, _)| Granted::Grant(grant)),
                None => tokens.of_nobody(strategy).await.map(|(grant, _)| Granted::NobodyS(grant)),
            }
        };
        match runtime.block_on(async { tokio::time::timeout(timeout, asked).await }) {
            Ok(Ok(granted)) => granted,
            Ok(Err(error)) => Granted::Nothing(chain(&error)),
            Err(_) => Granted::Nothing(format!("the token endpoint has not answered within {timeout:?}")),
        }
    }
}
