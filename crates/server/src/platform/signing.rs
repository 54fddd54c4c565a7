//! Tokens that others verify by our published keys (RFC 7519, RFC 7517): who may do one thing for a while.

pub(crate) mod http;
mod key;
mod provider;
mod terminal;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::user::User;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::{Store, StoredSigningKey};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::platform::identity::Identity;
use crate::platform::vault::Vault;
use crate::{now_ms, rfc3339};
pub use key::SigningKey;

/// How often keys that have become useless are removed.
const FORGET: Duration = Duration::from_secs(3600);

/// What a token is for: it is good for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Whoever has it may use one workspace's terminals.
    Terminal,
    /// A machine tells the server of one workspace.
    #[allow(dead_code, reason = "for clients of the guide that call back; its lifetime is a setting already")]
    Callback,
}

impl Audience {
    fn name(self) -> &'static str {
        match self {
            Self::Terminal => "workspace-terminal",
            Self::Callback => "workspace-callback",
        }
    }
}

/// A token, and when it ends in milliseconds since 1970.
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct Claims<T> {
    iss: String,
    aud: String,
    sub: String,
    /// Seconds since 1970.
    iat: i64,
    exp: i64,
    #[serde(flatten)]
    own: T,
}

#[derive(Clone)]
pub(crate) struct Signing {
    store: Store,
    vault: Arc<Vault>,
    identity: Identity,
    config: Arc<Config>,
}

impl Signing {
    pub(crate) fn new(store: Store, vault: Arc<Vault>, identity: Identity, config: Arc<Config>) -> Self {
        provider::install();
        Self { store, vault, identity, config }
    }

    /// A token for `subject` that carries `own` claims beside the registered ones.
    pub(crate) async fn issue<T: Serialize>(&self, audience: Audience, subject: &str, own: T) -> Result<Issued> {
        let key = self.active().await?;
        let issued_at = now_ms() / 1000;
        let lifetime = i64::try_from(self.lifetime(audience).as_secs()).unwrap_or(i64::MAX);
        let claims = Claims {
            iss: self.issuer(),
            aud: audience.name().to_owned(),
            sub: subject.to_owned(),
            iat: issued_at,
            exp: issued_at.saturating_add(lifetime.max(1)),
            own,
        };
        let header = Header { kid: Some(key.id), ..Header::new(Algorithm::RS256) };
        let token = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_rsa_der(&key.private_der))
            .map_err(Error::internal)?;
        Ok(Issued { token, expires_at: claims.exp.saturating_mul(1000) })
    }

    /// Subject and own claims of a token that is ours, for this, and has not run out.
    pub(crate) async fn verify<T: DeserializeOwned>(&self, audience: Audience, token: &str) -> Result<(String, T)> {
        let id = jsonwebtoken::decode_header(token).map_err(|error| refused().because(error))?.kid;
        let keys = self.store.read().await?.signing_keys().await?;
        let key = keys.iter().find(|key| Some(&key.id) == id.as_ref() && self.is_accepted(key)).ok_or_else(refused)?;
        let key = DecodingKey::from_rsa_components(&key.modulus, &key.exponent).map_err(Error::internal)?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.leeway = 0;
        validation.set_audience(&[audience.name()]);
        validation.set_issuer(&[self.issuer()]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = jsonwebtoken::decode::<Claims<T>>(token, &key, &validation)
            .map_err(|error| refused().because(error))?
            .claims;
        Ok((claims.sub, claims.own))
    }

    fn issuer(&self) -> String {
        let own = || format!("https://api.{}", self.config.base_domain.as_str());
        self.config.public_url.clone().unwrap_or_else(own)
    }

    fn lifetime(&self, audience: Audience) -> Duration {
        match audience {
            Audience::Terminal => self.config.tokens.terminal,
            Audience::Callback => self.config.tokens.callback,
        }
    }

    /// The last moment at which a key that signs no more can have retired, for one of its tokens to be good still.
    fn oldest_retirement(&self) -> i64 {
        let longest = self.config.tokens.terminal.max(self.config.tokens.callback);
        now_ms().saturating_sub(i64::try_from(longest.as_millis()).unwrap_or(i64::MAX))
    }

    fn is_accepted(&self, key: &StoredSigningKey) -> bool {
        key.retired_at.is_none_or(|at| at > self.oldest_retirement())
    }

    /// The key that signs, which is the configuration's, or made now if there is none.
    async fn active(&self) -> Result<SigningKey> {
        let keys = self.store.read().await?.signing_keys().await?;
        let active = keys.into_iter().find(|key| key.active);
        if let Some(configured) = &self.config.tokens.key {
            let is_active = |key: StoredSigningKey| key.id == configured.id && key.modulus == configured.modulus;
            if !active.is_some_and(is_active) {
                self.activate(configured, None).await?;
            }
            return Ok(configured.clone());
        }
        if let Some(StoredSigningKey { id, key_sealed: Some(sealed), .. }) = active {
            return self.open(&id, &sealed);
        }
        let made = generate().await?;
        let mut tx = self.store.write().await?;
        // Another server, or request, may have been first.
        if let Some(StoredSigningKey { id, key_sealed: Some(sealed), .. }) =
            tx.signing_keys().await?.into_iter().find(|key| key.active)
        {
            return self.open(&id, &sealed);
        }
        tx.signing_key_activate(&self.stored(&made)?, now_ms()).await?;
        tx.commit().await?;
        Ok(made)
    }

    async fn activate(&self, key: &SigningKey, sealed: Option<String>) -> Result<()> {
        let mut tx = self.store.write().await?;
        let stored = StoredSigningKey { key_sealed: sealed, ..public_half(key) };
        tx.signing_key_activate(&stored, now_ms()).await?;
        tx.signing_key_forget(self.oldest_retirement()).await?;
        Ok(tx.commit().await?)
    }

    /// As it is kept: only this server's keys open it.
    fn stored(&self, key: &SigningKey) -> Result<StoredSigningKey> {
        let der = STANDARD.encode(&key.private_der);
        let sealed = self.vault.seal(&place(&key.id), &der).map_err(Error::internal)?;
        Ok(StoredSigningKey { key_sealed: Some(sealed), ..public_half(key) })
    }

    fn open(&self, id: &str, sealed: &str) -> Result<SigningKey> {
        let der = self.vault.open(&place(id), sealed).map_err(Error::internal)?;
        SigningKey::from_der(&STANDARD.decode(der).map_err(Error::internal)?, id).map_err(Error::internal)
    }

    /// Every key that a token may be verified by, the one that signs first.
    async fn accepted(&self) -> Result<Vec<StoredSigningKey>> {
        self.active().await?;
        let mut keys = self.store.read().await?.signing_keys().await?;
        keys.retain(|key| self.is_accepted(key));
        Ok(keys)
    }

    /// Has a new key sign from now on. Tokens of earlier ones stay good to their end, or are refused at once.
    async fn rotate(&self, by: &User, revoke_previous: bool) -> Result<Vec<StoredSigningKey>> {
        if by.role != "superadmin" {
            let message = "only the superadmin, who did the first-run setup, changes signing keys; ask them";
            return Err(Error::forbidden("SUPERADMIN_ONLY", message));
        }
        if self.config.tokens.key.is_some() {
            let message = "the key is in the configuration (JWT_PRIVATE_KEY); put another one there, or take it out, and \
                start the server again";
            return Err(Error::conflict("KEY_CONFIGURED", message));
        }
        let made = generate().await?;
        let now = now_ms();
        let mut tx = self.store.write().await?;
        tx.signing_key_activate(&self.stored(&made)?, now).await?;
        tx.signing_key_forget(if revoke_previous { now } else { self.oldest_retirement() }).await?;
        let told = if revoke_previous { "earlier keys revoked" } else { "" };
        tx.audit(&by.username, "signing_key.rotated", &made.id, told, now).await?;
        tx.commit().await?;
        self.accepted().await
    }

    /// Forgets keys of which no token is good any more, for ever.
    pub(crate) async fn forget_forever(&self) {
        loop {
            if let Err(error) = self.forget().await {
                tracing::warn!(%error, "old signing keys cannot be removed");
            }
            tokio::time::sleep(FORGET).await;
        }
    }

    async fn forget(&self) -> Result<()> {
        let mut tx = self.store.write().await?;
        tx.signing_key_forget(self.oldest_retirement()).await?;
        Ok(tx.commit().await?)
    }

    fn shown(&self, key: StoredSigningKey) -> api::SigningKey {
        let longest = self.config.tokens.terminal.max(self.config.tokens.callback);
        let longest = i64::try_from(longest.as_millis()).unwrap_or(i64::MAX);
        api::SigningKey {
            is_active: key.active,
            is_configured: key.key_sealed.is_none(),
            created_at: rfc3339(key.created_at),
            accepted_until: key.retired_at.map(|at| rfc3339(at.saturating_add(longest))),
            id: key.id,
        }
    }
}

async fn generate() -> Result<SigningKey> {
    let made = tokio::task::spawn_blocking(SigningKey::generate).await;
    made.map_err(Error::internal)?.map_err(Error::internal)
}

fn public_half(key: &SigningKey) -> StoredSigningKey {
    StoredSigningKey {
        id: key.id.clone(),
        modulus: key.modulus.clone(),
        exponent: key.exponent.clone(),
        key_sealed: None,
        active: true,
        created_at: now_ms(),
        retired_at: None,
    }
}

fn place(id: &str) -> String {
    format!("signing_keys/{id}")
}

fn refused() -> Error {
    Error::refused("INVALID_TOKEN", "this token is not valid, or not any more; ask for a new one")
}
