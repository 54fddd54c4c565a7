//! API tokens that were looked up a moment ago: a program that asks often does not wait for the database each time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::user::User;

use super::Grant;
use crate::now_ms;

/// What another server on the same database revoked counts for so long.
const RECENT: Duration = Duration::from_secs(1);
const MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Recent {
    tokens: Mutex<Tokens>,
}

#[derive(Default)]
struct Tokens {
    /// Grows when any was revoked: what was looked up before that is not kept.
    revocation: u64,
    by_hash: HashMap<String, (User, Grant, Instant)>,
}

impl Recent {
    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, hash: &str) -> Option<(User, Grant)> {
        let tokens = self.tokens();
        let (user, grant, at) = tokens.by_hash.get(hash)?;
        let stands = at.elapsed() < RECENT && grant.expires_at.is_none_or(|end| end > now_ms());
        stands.then(|| (user.clone(), grant.clone()))
    }

    /// What [`Self::keep`] wants to hear, from before the token is looked up.
    pub(super) fn revocation(&self) -> u64 {
        self.tokens().revocation
    }

    pub(super) fn keep(&self, revocation: u64, user: &User, grant: &Grant) {
        let mut tokens = self.tokens();
        if tokens.by_hash.len() >= MAX {
            tokens.by_hash.retain(|_, (_, _, at)| at.elapsed() < RECENT);
        }
        if tokens.revocation == revocation && tokens.by_hash.len() < MAX {
            tokens.by_hash.insert(grant.hash.clone(), (user.clone(), grant.clone(), Instant::now()));
        }
    }

    pub(super) fn forget_all(&self) {
        let mut tokens = self.tokens();
        tokens.revocation += 1;
        tokens.by_hash.clear();
    }
}
