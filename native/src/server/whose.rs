//! Whose token is shown to backends by what lasts longer than a token: the one that came last of a principal.
//!
//! It judges no token, and makes no credentials of one.

use std::sync::{Arc, Mutex, PoisonError};

use vmcp_core::identity::Principal;

/// Nobody, or a principal with what its tokens allow. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Whose(Option<Arc<Mutex<Arc<Principal>>>>);

impl Whose {
    /// Of this principal; of nobody, where callers are not known by name.
    pub(super) fn of(who: Option<&Arc<Principal>>) -> Self {
        Self(who.map(|who| Arc::new(Mutex::new(Arc::clone(who)))))
    }

    /// The principal with the token that came last.
    pub(super) fn now(&self) -> Option<Arc<Principal>> {
        let who = self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&who))
    }

    /// Whether it is of this caller. If so, its token is the one that counts from now on.
    pub(super) fn is_of(&self, caller: Option<&Arc<Principal>>) -> bool {
        match (&self.0, caller) {
            (None, None) => true,
            (Some(known), Some(caller)) => {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                let is_it = known.is_same_as(caller);
                if is_it && !Arc::ptr_eq(&known, caller) {
                    *known = Arc::clone(caller);
                }
                is_it
            }
            _ => false,
        }
    }

    /// The same, if the caller's token allows the same too: what was seen with one that allows more is not for it.
    pub(super) fn is_of_one_with_the_rights_of(&self, caller: Option<&Arc<Principal>>) -> bool {
        let allows_the_same = match (self.now(), caller) {
            (Some(known), Some(caller)) => {
                known.scopes.len() == caller.scopes.len() && known.scopes.iter().all(|one| caller.scopes.contains(one))
            }
            _ => true,
        };
        allows_the_same && self.is_of(caller)
    }
}

#[cfg(test)]
mod tests {
    use vmcp_core::secret::Secret;

    use super::*;

    fn who(subject: &str, token: &str, scopes: &[&str]) -> Arc<Principal> {
        Arc::new(Principal {
            issuer: "https://i".to_owned(),
            subject: subject.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            claims: Secret::new("{}"),
            token: Secret::new(token),
            expires: None,
        })
    }

    #[test]
    fn the_last_token_of_the_same_principal_counts() {
        let whose = Whose::of(Some(&who("ann", "1", &[])));
        let same = whose.clone();
        assert!(whose.is_of(Some(&who("ann", "2", &["x"]))));
        assert_eq!(same.now().unwrap().token.expose(), "2");
        assert!(!whose.is_of(Some(&who("bob", "3", &[]))) && !whose.is_of(None));
        assert_eq!(whose.now().unwrap().token.expose(), "2");
        let nobodys = Whose::default();
        assert!(nobodys.is_of(None) && !nobodys.is_of(Some(&who("ann", "1", &[]))) && nobodys.now().is_none());
    }

    #[test]
    fn a_token_that_allows_something_else_is_another_ones() {
        let whose = Whose::of(Some(&who("ann", "1", &["a", "b"])));
        assert!(whose.is_of_one_with_the_rights_of(Some(&who("ann", "2", &["b", "a"]))));
        for scopes in [&["a"][..], &["a", "c"], &["a", "b", "c"]] {
            assert!(!whose.is_of_one_with_the_rights_of(Some(&who("ann", "3", scopes))), "{scopes:?}");
        }
        assert_eq!(whose.now().unwrap().token.expose(), "2");
        assert!(Whose::default().is_of_one_with_the_rights_of(None));
    }
}
