//! Credentials that token endpoints issue for callers, kept for as long as they are good.
//!
//! One exchange is in flight for one key, whoever waits for it, and nobody waits for another key's. It decides nothing
//! about what a credential is for: the key is everything that the answer depends on.

mod kept;
mod send;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use tokio::sync::watch;
use vmcp_core::auth::Strategy;
use vmcp_core::identity::Principal;
use vmcp_core::oauth::{Flow, Issued, IssuedCredentials, Output, TokenAnswer, TokenError};
use vmcp_core::secret::Secret;
use vmcp_core::trust::UnixTime;

use crate::credentials::{Grant, Proof};
use crate::roles::Matchers;
use crate::signing::Signer;
use kept::{Found, Kept, Key};
pub use send::Sender;

/// The credentials that are kept, and the exchanges that are under way. Clones are the same.
#[derive(Clone)]
pub struct Tokens(Arc<Shared>);

struct Shared {
    kept: Mutex<Kept>,
    sender: Sender,
    runtime: Handle,
}

/// Credentials that were given, so that they can be forgotten when a backend does not take them.
#[derive(Clone)]
pub struct Given {
    key: Key,
    issued: Arc<Issued>,
}

/// What came of an exchange; nothing yet.
type Outcome = Option<Result<Arc<Issued>, TokenError>>;

impl Tokens {
    /// Keeps nothing yet. Exchanges run on this runtime, whoever waits for them.
    #[must_use]
    pub fn new(sender: Sender, runtime: Handle) -> Self {
        Self(Arc::new(Shared { kept: Mutex::default(), sender, runtime }))
    }

    /// What `who` may send to a backend of this strategy: `None` is the gateway itself, which never gets what was made
    /// for a caller.
    ///
    /// # Errors
    /// There are no credentials for this caller, and why.
    pub async fn of_caller(&self, strategy: &Arc<Strategy>, who: &Principal) -> Result<(Grant, Given), TokenError> {
        let key = Key::of(strategy, Some(who));
        let begin = || {
            let matchers = Matchers::new(&who.claims);
            Flow::of_caller(strategy, Some(who), |expression| matchers.matches(expression))
        };
        let issued = self.issued(key, strategy, who.expires, begin).await?;
        Ok((grant(strategy, &issued), Given { key, issued }))
    }

    /// What the gateway itself sends with probes and lists; nothing, for most strategies.
    ///
    /// # Errors
    /// There are no credentials for the gateway, and why.
    pub async fn of_nobody(&self, strategy: &Arc<Strategy>) -> Result<(Grant, Option<Given>), TokenError> {
        let Some(flow) = Flow::of_nobody(strategy) else { return Ok((Grant::default(), None)) };
        let key = Key::of(strategy, None);
        let issued = self.issued(key, strategy, None, || Ok(flow)).await?;
        Ok((grant(strategy, &issued), Some(Given { key, issued })))
    }

    /// A backend did not take them: nobody is given them again.
    pub fn forget(&self, given: &Given) {
        self.kept().forget(&given.key, &given.issued);
    }

    /// How many are kept, those under way included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.kept().count()
    }

    async fn issued(
        &self,
        key: Key,
        strategy: &Arc<Strategy>,
        ends: Option<UnixTime>,
        begin: impl FnOnce() -> Result<Flow, TokenError>,
    ) -> Result<Arc<Issued>, TokenError> {
        let mut outcome = {
            let mut kept = self.kept();
            match kept.find(&key, UnixTime::now()) {
                Some(Found::Ready(issued)) => return Ok(issued),
                Some(Found::UnderWay(outcome)) => outcome,
                None => {
                    let flow = begin()?;
                    let (say, outcome) = watch::channel(None);
                    kept.begin(key, outcome.clone()).map_err(|_| TokenError::Crowded)?;
                    let end = End {
                        tokens: self.clone(),
                        key,
                        say,
                        kept_for: kept::Lifetime::of(strategy, ends),
                        result: None,
                    };
                    self.0.runtime.spawn(exchange(flow, end));
                    outcome
                }
            }
        };
        // Whoever gives up waiting does not stop the exchange: others may wait, and the next call wants it.
        match outcome.wait_for(Option::is_some).await {
            Ok(result) => result.clone().unwrap_or(Err(TokenError::BrokeOff)),
            Err(_) => Err(TokenError::BrokeOff),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of an exchange, however it comes.
struct End {
    tokens: Tokens,
    key: Key,
    say: watch::Sender<Outcome>,
    kept_for: kept::Lifetime,
    /// What came of it; nothing if it broke off.
    result: Outcome,
}

impl End {
    fn with(mut self, result: Result<Issued, TokenError>) {
        let result = result.map(Arc::new);
        if let Ok(issued) = &result {
            let now = UnixTime::now();
            self.tokens.kept().keep(self.key, issued, self.kept_for.until(issued, now), now);
        }
        self.result = Some(result);
    }
}

impl Drop for End {
    /// What is not kept is not under way either, before anybody hears of it: who asks again then asks anew.
    fn drop(&mut self) {
        self.tokens.kept().over(&self.key);
        self.say.send_replace(self.result.take());
    }
}

async fn exchange(mut flow: Flow, end: End) {
    loop {
        match flow.poll() {
            Some(Output::Send(request)) => match end.tokens.0.sender.send(request).await {
                Ok((status, body)) => {
                    flow.handle(&TokenAnswer { status, body: body.expose().as_bytes(), now: UnixTime::now() });
                }
                Err(failure) => flow.failed(failure),
            },
            Some(Output::Done(result)) => return end.with(result),
            // A flow that waits for nothing is over; who waits for it hears that.
            None => return,
        }
    }
}

fn grant(strategy: &Arc<Strategy>, issued: &Issued) -> Grant {
    Grant::proving(match (&issued.credentials, &**strategy) {
        (IssuedCredentials::Bearer(token), _) => {
            Proof::Authorization(Secret::new(format!("Bearer {}", token.expose())))
        }
        (IssuedCredentials::AwsKeys(keys), Strategy::AwsSts(sts)) => {
            Proof::Signature(Arc::new(Signer::new(keys.clone(), &sts.region, &sts.service)))
        }
        // Keys come from STS alone.
        (IssuedCredentials::AwsKeys(_), _) => Proof::None,
    })
}

impl Key {
    fn of(strategy: &Strategy, who: Option<&Principal>) -> Self {
        let mut digest = Sha256::new();
        digest.update(strategy.digest());
        if let Some(who) = who {
            // Each part has its length, or a length of its own: no two callers give the same bytes.
            digest.update((who.issuer.len() as u64).to_be_bytes());
            digest.update(who.issuer.as_bytes());
            digest.update(Sha256::digest(who.token.expose().as_bytes()));
        }
        Self(digest.finalize().into())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given")
    }
}

#[cfg(test)]
mod tests;
