//! Who may sign in, with what, and for how long.

pub(crate) mod http;
mod password;
mod recent;
mod sign_in;
mod tokens;
mod users;

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::user::User;
use futures_util::future::BoxFuture;
use ids::{SessionId, TokenId, UserId, UserName};
use rand::RngCore;
use sha2::{Digest, Sha256};
use store::{LoginAttempt, SessionOwner, Store, StoreError, TokenOwner};
use subtle::ConstantTimeEq;
use tokio::sync::watch;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::http::cookie;
use crate::mesh::MeshRole;
use crate::now_ms;
use password::Turn;
use recent::Recent;

pub(crate) const TOKEN_PREFIX: &str = "nst_";
const COOKIE: &str = "nanoscale_session";
const SECURE_COOKIE: &str = "__Host-nanoscale_session";
const SESSION_MS: i64 = 30 * 24 * 3600 * 1000;
const PASSWORD_MIN: usize = 8;
/// Argon2 takes time by its length too; nobody types more.
const PASSWORD_MAX: usize = 1024;
/// Failed sign-ins of a name from an address before they have to wait.
const FREE_FAILURES: i64 = 5;
const FIRST_LOCK_MS: i64 = 30_000;
const LONGEST_LOCK_MS: i64 = 15 * 60_000;
/// Failures further apart than this are counted anew.
const FAILURE_MEMORY_MS: i64 = 30 * 60_000;
/// What another server revoked is noticed by streams within this time.
const RECHECK: Duration = Duration::from_secs(10);

/// What a caller signed in by.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// The hash of a session's secret.
    Session(String),
    Token(Grant),
}

/// What an API token may do.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    id: TokenId,
    hash: String,
    pub(crate) scopes: Vec<String>,
    expires_at: Option<i64>,
    /// What it may ask models at most.
    pub(crate) model_limits: Option<api::ModelLimits>,
}

/// People and their API tokens, where another service knows them.
pub(crate) trait Directory: Send + Sync {
    fn token_owner<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Option<(User, Grant)>>>;

    fn user_list(&self) -> BoxFuture<'_, Result<Vec<User>>>;
}

impl Grant {
    /// Of a token that another service knows, and that makes no other ones here.
    pub(crate) fn elsewhere(
        id: TokenId,
        scopes: Vec<String>,
        model_limits: Option<api::ModelLimits>,
        expires_at: Option<i64>,
    ) -> Self {
        Self { id, hash: String::new(), scopes, expires_at, model_limits }
    }

    pub(crate) fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }

    fn of(hash: String, owner: &TokenOwner) -> Result<Self> {
        Ok(Self {
            id: owner.token_id.clone(),
            hash,
            scopes: owner.scopes.clone(),
            expires_at: owner.expires_at,
            model_limits: model_limits(owner.model_limits.as_deref())?,
        })
    }

    pub(crate) fn id(&self) -> &TokenId {
        &self.id
    }
}

/// As they are kept.
fn model_limits(kept: Option<&str>) -> Result<Option<api::ModelLimits>> {
    kept.map(serde_json::from_str).transpose().map_err(Error::internal)
}

#[derive(Clone)]
pub(crate) struct Identity {
    store: Store,
    config: Arc<Config>,
    /// Asked instead of the database, where there is one.
    elsewhere: Option<Arc<dyn Directory>>,
    recent: Arc<Recent>,
    /// See [`Self::revocations`].
    revoked: Arc<watch::Sender<()>>,
}

/// A fresh session: who it is for, and the cookie that carries it.
pub(crate) struct SignedIn {
    pub(crate) user: User,
    pub(crate) cookie: String,
}

impl Identity {
    pub(crate) fn new(store: Store, config: Arc<Config>, elsewhere: Option<Arc<dyn Directory>>) -> Self {
        Self { store, config, elsewhere, recent: Arc::default(), revoked: Arc::default() }
    }

    /// Whether this is the portal of a mesh by itself.
    pub(crate) fn is_of_mesh_only(&self) -> bool {
        self.config.mesh.as_ref().is_some_and(|mesh| mesh.role == MeshRole::Portal)
    }

    pub(crate) async fn users_count(&self) -> Result<i64> {
        Ok(self.store.read().await?.user_count().await?)
    }

    /// Makes the first administrator and signs them in. Of several at once exactly one wins.
    pub(crate) async fn setup(&self, setup: &api::Setup) -> Result<SignedIn> {
        let done = || Error::conflict("SETUP_DONE", "an administrator exists already; sign in instead");
        let username = users::acceptable(&setup.username, &setup.password)?;
        if self.users_count().await? > 0 {
            return Err(done());
        }
        if !bool::from(setup.code.trim().as_bytes().ct_eq(self.config.setup_code.as_bytes())) {
            let message = "this is not the code that the server printed when it started";
            return Err(Error::forbidden("WRONG_SETUP_CODE", message));
        }
        let hash = Turn::take().await?.hash(setup.password.clone()).await?;
        let user = User { id: UserId::new(), username: username.as_str().to_owned(), role: "superadmin".into() };
        let mut tx = self.store.write().await?;
        match tx.setup_complete(&user, &hash, now_ms()).await {
            Err(StoreError::Taken(_)) => return Err(done()),
            result => result?,
        }
        tx.commit().await?;
        self.sign_in(user).await
    }

    /// Signs in by name and password. A wrong password and an unknown name look alike, in time as well.
    pub(crate) async fn login(&self, credentials: &api::Credentials, address: &str) -> Result<SignedIn> {
        let name = credentials.username.parse::<UserName>().ok();
        let subject = format!("{}|{address}", name.as_ref().map_or("", UserName::as_str));
        // Who is locked out does not wait for a turn.
        refuse_locked(self.store.read().await?.login_locked_until(&subject).await?, now_ms())?;
        let turn = Turn::take_for(address).await?;
        let found = self.attempt(&subject, name.as_ref()).await?;
        let password = credentials.password.chars().take(PASSWORD_MAX).collect::<String>();
        let (user, hash) = found.unzip();
        if !turn.verify(password, hash).await? {
            return Err(Error::bad_credentials());
        }
        let user = user.ok_or_else(Error::bad_credentials)?;
        let mut tx = self.store.write().await?;
        tx.login_succeeded(&subject).await?;
        tx.commit().await?;
        self.sign_in(user).await
    }

    /// Counts an attempt before its password is looked at, and locks its subject when that was the last free one.
    /// Then says whose password it has to be.
    async fn attempt(&self, subject: &str, name: Option<&UserName>) -> Result<Option<(User, String)>> {
        let now = now_ms();
        let mut tx = self.store.write().await?;
        let failures = match tx.login_attempt(subject, now, now - FAILURE_MEMORY_MS, now + LONGEST_LOCK_MS).await? {
            LoginAttempt::Counted { failures } => failures,
            LoginAttempt::Locked { until } => return Err(Error::locked_out(seconds_until(until, now))),
        };
        let over = failures - FREE_FAILURES;
        if over >= 0 {
            let lock = (FIRST_LOCK_MS << over.min(10)).min(LONGEST_LOCK_MS);
            tx.login_lock(subject, now + lock).await?;
        }
        if failures == 1 {
            // Whoever tries one name after the other shall not fill the table.
            tx.login_forget(now, now - FAILURE_MEMORY_MS).await?;
        }
        let found = match name {
            Some(name) => tx.user_by_name(name).await?,
            None => None,
        };
        tx.commit().await?;
        Ok(found)
    }

    async fn sign_in(&self, user: User) -> Result<SignedIn> {
        let secret = random_secret();
        let now = now_ms();
        let mut tx = self.store.write().await?;
        tx.session_insert(&SessionId::new(), &user.id, &digest(&secret), now, now + SESSION_MS).await?;
        tx.commit().await?;
        Ok(SignedIn { user, cookie: self.set_cookie(&secret, SESSION_MS / 1000) })
    }

    /// Ends a session on the server; the returned cookie makes the browser forget it too.
    pub(crate) async fn logout(&self, session: Option<&str>) -> Result<String> {
        if let Some(session) = session {
            let mut tx = self.store.write().await?;
            tx.session_delete(session).await?;
            tx.commit().await?;
            self.revoked.send_replace(());
        }
        Ok(self.set_cookie("", 0))
    }

    fn set_cookie(&self, value: &str, max_age_seconds: i64) -> String {
        let (name, secure) = if self.config.is_secure() { (SECURE_COOKIE, "; Secure") } else { (COOKIE, "") };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_seconds}{secure}")
    }

    /// The hash of the session that a request's cookie names.
    pub(crate) fn session_cookie(&self, headers: &HeaderMap) -> Option<String> {
        let name = if self.config.is_secure() { SECURE_COOKIE } else { COOKIE };
        cookie(headers, name).map(digest)
    }

    pub(crate) async fn session_owner(&self, session: &str) -> Result<Option<SessionOwner>> {
        Ok(self.store.read().await?.session_owner(session, now_ms()).await?)
    }

    /// Whether what a caller signed in by still stands.
    async fn holds(&self, credential: &Credential) -> Result<bool> {
        let mut tx = self.store.read().await?;
        Ok(match credential {
            Credential::Session(hash) => tx.session_owner(hash, now_ms()).await?.is_some(),
            Credential::Token(grant) => tx.token_owner(&grant.hash, now_ms()).await?.is_some(),
        })
    }

    /// Changes when a session or token of anybody ended in this process.
    pub(crate) fn revocations(&self) -> watch::Receiver<()> {
        self.revoked.subscribe()
    }

    /// Resolves when what a caller signed in by stands no longer: signed out, revoked or expired.
    pub(crate) async fn ended(&self, credential: Credential) {
        let mut revoked = self.revoked.subscribe();
        // A database that does not answer ends nothing.
        while !matches!(self.holds(&credential).await, Ok(false)) {
            let _ = tokio::time::timeout(RECHECK, revoked.changed()).await;
        }
    }
}

/// A lock that is longer than any was set before the clock went back.
fn refuse_locked(until: i64, now: i64) -> Result<()> {
    if until > now && until <= now + LONGEST_LOCK_MS {
        Err(Error::locked_out(seconds_until(until, now)))
    } else {
        Ok(())
    }
}

fn seconds_until(until: i64, now: i64) -> i64 {
    (until - now + 999) / 1000
}

/// 256 random bits as text.
pub(crate) fn random_secret() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is stored of a secret of 256 random bits: nothing slower is needed to keep it from being guessed.
pub(crate) fn digest(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
