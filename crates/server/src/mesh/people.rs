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
use crate::platform::identity::{Credential, Directory, Grant, digest};

/// The portal's word for who asks, beside its service token: base64url of [`Vouched`] as JSON.
pub(super) const VOUCHED: &str = "x-portal-caller";
/// So long a token counts for what it was, also where it was revoked meanwhile.
const FRESH: Duration = Duration::from_secs(5);
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
}

/// `POST /internal/people/authenticate`: whose token is this?
#[derive(Serialize, Deserialize)]
pub(super) struct Authenticate {
    pub(super) token: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Authenticated {
    /// Nobody where it is none, or stands no longer.
    pub(super) caller: Option<Vouched>,
}

/// `GET /internal/people`.
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
            }),
        };
        Self { user: user.into(), token }
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
            Some(token) => Credential::Token(Grant::elsewhere(token.id, token.scopes, token.model_limits)),
        };
        Caller { user: self.user.into(), credential }
    }
}

// === impl People ===

impl People {
    pub(crate) fn new(portal: Portal) -> Self {
        Self { portal, known: Arc::default() }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, (Vouched, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// While the portal does not answer, what it said last counts for [`GRACE`].
    async fn authenticate(&self, token: &str) -> Result<Option<Vouched>> {
        let hash = digest(token);
        let known = self.known().get(&hash).cloned();
        if let Some((vouched, at)) = &known
            && at.elapsed() < FRESH
        {
            return Ok(Some(vouched.clone()));
        }
        match self.portal.authenticate(token).await {
            Ok(Some(vouched)) => {
                let mut all = self.known();
                if all.len() >= KNOWN_MAX {
                    all.retain(|_, (_, at)| at.elapsed() < FRESH);
                }
                if all.len() < KNOWN_MAX {
                    all.insert(hash, (vouched.clone(), Instant::now()));
                }
                Ok(Some(vouched))
            }
            Ok(None) => {
                self.known().remove(&hash);
                Ok(None)
            }
            Err(error) => match known.filter(|(_, at)| at.elapsed() < GRACE) {
                Some((vouched, _)) => Ok(Some(vouched)),
                None => Err(error),
            },
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
