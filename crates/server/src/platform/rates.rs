//! How often a person may do what costs the machines or another service something, by the hour.
//!
//! Windows begin with the first use and are kept in memory: a server that is started anew counts from nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::user::User;
use ids::UserId;

use crate::config::RateLimits;
use crate::error::{Error, Result};

const WINDOW: Duration = Duration::from_secs(3600);

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rated {
    WorkspaceCreate,
    TerminalToken,
    CredentialUpdate,
}

impl Rated {
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::WorkspaceCreate => ("workspaces may be created", "limits.rate_workspace_create"),
            Self::TerminalToken => ("tokens for terminals may be asked for", "limits.rate_terminal_token"),
            Self::CredentialUpdate => ("git credentials may be changed", "limits.rate_credential_update"),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Window {
    ends: Instant,
    used: u32,
}

#[derive(Clone)]
pub(crate) struct Rates {
    limits: RateLimits,
    /// Those that have not ended, but for some since the last one began: as many as people used something of late.
    windows: Arc<Mutex<HashMap<(UserId, Rated), Window>>>,
}

impl Rates {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self { limits, windows: Arc::default() }
    }

    /// Does what counts. What is refused or fails is not counted; what is under way is.
    pub(crate) async fn count<T>(&self, user: &User, what: Rated, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.take(&user.id, what, Instant::now())?;
        let done = work.await;
        if done.is_err() {
            self.give_back(&user.id, what);
        }
        done
    }

    fn limit(&self, what: Rated) -> u32 {
        match what {
            Rated::WorkspaceCreate => self.limits.workspace_create,
            Rated::TerminalToken => self.limits.terminal_token,
            Rated::CredentialUpdate => self.limits.credential_update,
        }
    }

    fn take(&self, user: &UserId, what: Rated, now: Instant) -> Result<()> {
        let limit = self.limit(what);
        if limit == 0 {
            return Ok(());
        }
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (user.clone(), what);
        match windows.get_mut(&key).filter(|window| window.ends > now) {
            Some(window) if window.used >= limit => {
                let left = window.ends.duration_since(now).as_millis().div_ceil(1000);
                let left = u32::try_from(left).unwrap_or(u32::MAX);
                let (words, setting) = what.words();
                Err(Error::rate_limited(&format!("{limit} {words} in an hour ({setting})"), limit, left))
            }
            Some(window) => {
                window.used += 1;
                Ok(())
            }
            None => {
                windows.retain(|_, window| window.ends > now);
                windows.insert(key, Window { ends: now + WINDOW, used: 1 });
                Ok(())
            }
        }
    }

    fn give_back(&self, user: &UserId, what: Rated) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.get_mut(&(user.clone(), what)) {
            window.used = window.used.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_after_the_first_there_is_room_again() {
        let rates = Rates::new(RateLimits { workspace_create: 2, terminal_token: 1, credential_update: 0 });
        let (ada, bob, start) = (UserId::new(), UserId::new(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let take = |user, what, seconds| rates.take(user, what, at(seconds)).is_ok();
        assert!(take(&ada, Rated::WorkspaceCreate, 0) && take(&ada, Rated::WorkspaceCreate, 3000));
        assert!(!take(&ada, Rated::WorkspaceCreate, 3599));
        // Everybody, and everything, by itself.
        assert!(take(&bob, Rated::WorkspaceCreate, 3599) && take(&ada, Rated::TerminalToken, 3599));
        assert!((0..1000).all(|_| take(&ada, Rated::CredentialUpdate, 3599)), "0 is no limit");
        assert!(take(&ada, Rated::WorkspaceCreate, 3600) && take(&ada, Rated::WorkspaceCreate, 3600));
        assert!(!take(&ada, Rated::WorkspaceCreate, 3600));
        rates.give_back(&ada, Rated::WorkspaceCreate);
        assert!(take(&ada, Rated::WorkspaceCreate, 3600) && !take(&ada, Rated::WorkspaceCreate, 3600));
        // What has ended is forgotten.
        assert!(take(&UserId::new(), Rated::WorkspaceCreate, 3600 + 7200));
        assert_eq!(rates.windows.lock().unwrap().len(), 1);
    }
}
