//! People and their API tokens where only the portal knows them, for a coordinator that is a process of its own: it asks the portal
//! whose token it was shown, and takes the portal's word for who is signed in there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::user::User;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ids::{TokenId, UserId};
use serde::{Deserialize, Serialize};

use super::portal::{GRACE, Portal};
use crate::caller::Caller;
use crate::error::Result;
use crate::now_ms;
use crate::platform::identity::{Credential, Directory, Grant, digest};

/// The portal's word for who asks, beside its service token: base64url of [`Vouched`] as JSON.
pub(super) const VOUCHED: &str = "x-portal-caller";
/// So long a token counts for what it was, also where it was revoked meanwhile.
const FRESH: Duration = Duration::from_secs(5);
/// The pause after the portal did not answer.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Tokens that are remembered.
const KNOWN_MAX: usize = 10_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Person {
    id: UserId,
    username: String,
    role: String,
}

/// Who somebody is, and by what.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Vouched {
    user: Person,
    /// Absent where they are signed in at the portal's own pages.
    token: Option<VouchedToken>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VouchedToken {
    id: TokenId,
    scopes: Vec<String>,
    model_limits: Option<api::ModelLimits>,
    /// Milliseconds since 1970.
    expires_at: Option<i64>,
}

/// `POST /internal/people/authenticate`: whose token is this?
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Authenticate {
    pub(super) token_hash: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Authenticated {
    /// Nobody where it is none, or stands no longer.
    pub(super) caller: Option<Vouched>,
}

/// `POST /internal/people`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PeopleList {
    pub(super) people: Vec<Person>,
}

/// The portal's people.
#[derive(Clone)]
pub(crate) struct People {
    portal: Portal,
    /// By the hash of their token.
    known: Arc<Mutex<HashMap<String, (Vouched, Instant)>>>,
    /// When the portal did not answer last.
    failed: Arc<Mutex<Option<Instant>>>,
}

// === impl Vouched ===

impl From<User> for Person {
    fn from(User { id, username, role }: User) -> Self {
        Self { id, username, role }
    }
}

impl From<Person> for User {
    fn from(Person { id, username, role }: Person) -> Self {
        Self { id, username, role }
    }
}

impl Vouched {
    pub(super) fn of(user: User, credential: &Credential) -> Self {
        let token = match credential {
            Credential::Session(_) => None,
            Credential::Token(grant) => Some(VouchedToken {
                id: grant.id().clone(),
                scopes: grant.scopes.clone(),
                model_limits: grant.model_limits.clone(),
                expires_at: grant.expires_at(),
            }),
        };
        Self { user: user.into(), token }
    }

    /// Whether its token has not come to the end that it was made with.
    fn stands(&self) -> bool {
        let end = self.token.as_ref().and_then(|token| token.expires_at);
        end.is_none_or(|end| end > now_ms())
    }

    /// It may have been revoked: what it changed would stay.
    fn without_changes(mut self) -> Self {
        if let Some(token) = &mut self.token {
            token.scopes.retain(|scope| scope != "write");
        }
        self
    }

    pub(super) fn read(header: &[u8]) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()
    }

    pub(super) fn written(&self) -> Result<String> {
        Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).map_err(crate::error::Error::internal)?))
    }

    pub(super) fn caller(self) -> Caller {
        let credential = match self.token {
            // The portal keeps what its sessions are known by.
            None => Credential::Session(String::new()),
            Some(token) => {
                Credential::Token(Grant::elsewhere(token.id, token.scopes, token.model_limits, token.expires_at))
            }
        };
        Caller { user: self.user.into(), credential }
    }
}

// === impl People ===

impl People {
    pub(crate) fn new(portal: Portal) -> Self {
        Self { portal, known: Arc::default(), failed: Arc::default() }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, (Vouched, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// While the portal does not answer, what it said last counts for [`GRACE`], for asking and looking.
    async fn authenticate(&self, token: &str) -> Result<Option<Vouched>> {
        let hash = digest(token);
        let known = self.known().get(&hash).cloned();
        let fresh = known.as_ref().filter(|(_, at)| at.elapsed() < FRESH);
        if let Some((vouched, _)) = fresh {
            return Ok(Some(vouched.clone()).filter(Vouched::stands));
        }
        let stale = known.filter(|(vouched, at)| at.elapsed() < GRACE && vouched.stands());
        let stale = stale.map(|(vouched, _)| vouched.without_changes());
        if stale.is_some() && self.has_just_failed() {
            return Ok(stale);
        }
        match self.portal.authenticate(&hash).await {
            Ok(vouched) => {
                self.remember(hash, vouched.clone());
                Ok(vouched)
            }
            Err(error) => {
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                stale.map(Some).ok_or(error)
            }
        }
    }

    /// One that hangs shall not hold up everybody who asks.
    fn has_just_failed(&self) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|at| at.elapsed() < ASK_AGAIN)
    }

    fn remember(&self, hash: String, vouched: Option<Vouched>) {
        let mut all = self.known();
        let Some(vouched) = vouched else {
            all.remove(&hash);
            return;
        };
        if all.len() >= KNOWN_MAX {
            all.retain(|_, (_, at)| at.elapsed() < FRESH);
        }
        if all.len() < KNOWN_MAX {
            all.insert(hash, (vouched, Instant::now()));
        }
    }
}

impl Directory for People {
    fn token_owner<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Option<(User, Grant)>>> {
        async move {
            Ok(self.authenticate(token).await?.and_then(|vouched| match vouched.caller() {
                Caller { user, credential: Credential::Token(grant) } => Some((user, grant)),
                Caller { credential: Credential::Session(_), .. } => None,
            }))
        }
        .boxed()
    }

    fn user_list(&self) -> BoxFuture<'_, Result<Vec<User>>> {
        async move { Ok(self.portal.people().await?.into_iter().map(User::from).collect()) }.boxed()
    }
}
