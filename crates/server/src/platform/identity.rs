//! Who may sign in, with what, and for how long.

pub(crate) mod http;
mod password;

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::user::User;
use ids::{SessionId, TokenId, UserId, UserName};
use rand::RngCore;
use sha2::{Digest, Sha256};
use store::{NewToken, SessionOwner, Store, StoreError, StoredToken, TokenOwner};
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};
use crate::now_ms;
use crate::state::Config;

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
const TOKEN_USE_MS: i64 = 60_000;
const SCOPES: [&str; 2] = ["read", "write"];

#[derive(Clone)]
pub(crate) struct Identity {
    store: Store,
    config: Arc<Config>,
}

/// A fresh session: who it is for, and the cookie that carries it.
pub(crate) struct SignedIn {
    pub(crate) user: User,
    pub(crate) cookie: String,
}

impl Identity {
    pub(crate) fn new(store: Store, config: Arc<Config>) -> Self {
        Self { store, config }
    }

    pub(crate) async fn users_count(&self) -> Result<i64> {
        Ok(self.store.read().await?.user_count().await?)
    }

    /// Makes the first administrator and signs them in. Of several at once exactly one wins.
    pub(crate) async fn setup(&self, setup: &api::Setup) -> Result<SignedIn> {
        let done = || Error::conflict("SETUP_DONE", "an administrator exists already; sign in instead");
        let username = setup
            .username
            .parse::<UserName>()
            .map_err(|error| Error::invalid("username", "INVALID_USERNAME", error.to_string()))?;
        if setup.password.chars().count() < PASSWORD_MIN || setup.password.len() > PASSWORD_MAX {
            let message = format!("a password has at least {PASSWORD_MIN} characters");
            return Err(Error::invalid("password", "PASSWORD_TOO_SHORT", message));
        }
        if self.users_count().await? > 0 {
            return Err(done());
        }
        if !bool::from(setup.code.trim().as_bytes().ct_eq(self.config.setup_code.as_bytes())) {
            let message = "this is not the code that the server printed when it started";
            return Err(Error::forbidden("WRONG_SETUP_CODE", message));
        }
        let hash = password::hash(setup.password.clone()).await?;
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
        let now = now_ms();
        let mut tx = self.store.read().await?;
        let failures = tx.login_failures(&subject).await?;
        let found = match &name {
            Some(name) => tx.user_by_name(name).await?,
            None => None,
        };
        drop(tx);
        if failures.locked_until > now {
            return Err(Error::locked_out((failures.locked_until - now + 999) / 1000));
        }
        let password = credentials.password.chars().take(PASSWORD_MAX).collect::<String>();
        let (user, hash) = found.unzip();
        if !password::verify(password, hash).await? {
            return Err(self.failed(&subject).await?);
        }
        let user = user.ok_or_else(Error::bad_credentials)?;
        let mut tx = self.store.write().await?;
        tx.login_succeeded(&subject).await?;
        tx.commit().await?;
        self.sign_in(user).await
    }

    /// Counts a failed sign-in and says so, or that the next one has to wait.
    async fn failed(&self, subject: &str) -> Result<Error> {
        let now = now_ms();
        let mut tx = self.store.write().await?;
        let failures = tx.login_failed(subject, now, now - FAILURE_MEMORY_MS).await?;
        let over = failures - FREE_FAILURES;
        if over >= 0 {
            let lock = (FIRST_LOCK_MS << over.min(10)).min(LONGEST_LOCK_MS);
            tx.login_lock(subject, now + lock).await?;
        }
        tx.commit().await?;
        Ok(Error::bad_credentials())
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
        }
        Ok(self.set_cookie("", 0))
    }

    fn set_cookie(&self, value: &str, max_age_seconds: i64) -> String {
        let (name, secure) = if self.config.secure_cookies { (SECURE_COOKIE, "; Secure") } else { (COOKIE, "") };
        format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_seconds}{secure}")
    }

    /// The hash of the session that a request's cookie names.
    pub(crate) fn session_cookie(&self, headers: &HeaderMap) -> Option<String> {
        let name = if self.config.secure_cookies { SECURE_COOKIE } else { COOKIE };
        let pairs = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
        let secret = pairs
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))?;
        Some(digest(secret))
    }

    pub(crate) async fn session_owner(&self, session: &str) -> Result<Option<SessionOwner>> {
        Ok(self.store.read().await?.session_owner(session, now_ms()).await?)
    }

    pub(crate) async fn token_owner(&self, token: &str) -> Result<Option<TokenOwner>> {
        let now = now_ms();
        let owner = self.store.read().await?.token_owner(&digest(token), now).await?;
        // To the minute: not every request shall write.
        let stale = |last: Option<i64>| last.is_none_or(|last| last < now - TOKEN_USE_MS);
        if let Some(owner) = owner.as_ref().filter(|owner| stale(owner.last_used_at)) {
            let mut tx = self.store.write().await?;
            tx.token_used(&owner.token_id, now).await?;
            tx.commit().await?;
        }
        Ok(owner)
    }

    pub(crate) async fn token_create(&self, user: &User, create: &api::TokenCreate) -> Result<api::TokenCreated> {
        let name = create.name.trim();
        if name.is_empty() || name.chars().count() > 100 {
            return Err(Error::invalid("name", "INVALID_NAME", "a token has a name of 1 to 100 characters"));
        }
        let scopes = create.scopes.clone().unwrap_or_else(|| SCOPES.map(str::to_owned).to_vec());
        if scopes.is_empty() || scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
            return Err(Error::invalid("scopes", "INVALID_SCOPE", "scopes are `read` and `write`"));
        }
        let expires_at = create.expires_at.as_deref().map(parse_expiry).transpose()?;
        let token = format!("{TOKEN_PREFIX}{}", random_secret());
        let id = TokenId::new();
        let mut tx = self.store.write().await?;
        tx.token_insert(NewToken {
            id: &id,
            user_id: &user.id,
            name,
            scopes: &scopes,
            token_hash: &digest(&token),
            created_at: now_ms(),
            expires_at,
        })
        .await?;
        tx.commit().await?;
        Ok(api::TokenCreated { id, token })
    }

    pub(crate) async fn token_list(&self, user: &User) -> Result<Vec<StoredToken>> {
        Ok(self.store.read().await?.token_list(&user.id).await?)
    }

    pub(crate) async fn token_delete(&self, user: &User, id: &TokenId) -> Result<()> {
        let mut tx = self.store.write().await?;
        if !tx.token_delete(&user.id, id).await? {
            return Err(Error::not_found("API token"));
        }
        Ok(tx.commit().await?)
    }
}

fn parse_expiry(text: &str) -> Result<i64> {
    let time: jiff::Timestamp = text
        .parse()
        .map_err(|_| Error::invalid("expires_at", "INVALID_TIME", "a time looks like 2030-01-31T12:00:00Z"))?;
    let time = time.as_millisecond();
    if time <= now_ms() {
        return Err(Error::invalid("expires_at", "INVALID_TIME", "the token would have expired already"));
    }
    Ok(time)
}

/// 256 random bits as text.
fn random_secret() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What is stored of a secret of 256 random bits: nothing slower is needed to keep it from being guessed.
fn digest(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
