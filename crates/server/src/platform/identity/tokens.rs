//! API tokens: made by whoever is signed in, and never able to do more than what made them.

use domain::user::User;
use ids::{TokenId, TokenName};
use store::{NewToken, StoredToken};

use super::{Credential, Grant, Identity, TOKEN_PREFIX, digest, random_secret};
use crate::error::{Error, Result};
use crate::{now_ms, rfc3339};

/// The last use is kept to the minute: not every request shall write.
const USE_MS: i64 = 60_000;
const MODELS: &str = "models";
const SCOPES: [&str; 3] = ["read", "write", MODELS];
/// What limits may be.
const MODELS_MAX: usize = 64;
const MODEL_NAME_MAX: usize = 256;
const PER_MINUTE_MAX: u32 = 100_000;
const CREDITS_MAX: i64 = 1_000_000_000_000_000;
/// Of a token that is made without a choice.
const USUAL: [&str; 2] = ["read", "write"];

impl Credential {
    /// Whether it may do all that a token of these rights may, and for as long.
    fn covers(&self, scopes: &[String], expires_at: Option<i64>) -> bool {
        self.lacking(scopes).is_none() && self.outlived_by(expires_at).is_none()
    }

    /// A scope that it does not have itself.
    fn lacking<'a>(&self, scopes: &'a [String]) -> Option<&'a str> {
        match self {
            Self::Session(_) => None,
            Self::Token(own) => scopes.iter().find(|scope| !own.scopes.contains(scope)).map(String::as_str),
        }
    }

    /// Whether it may not ask models as it likes.
    fn is_limited(&self) -> bool {
        matches!(self, Self::Token(own) if own.model_limits.is_some())
    }

    /// Its own end, where that comes before `expires_at`.
    fn outlived_by(&self, expires_at: Option<i64>) -> Option<i64> {
        match self {
            Self::Session(_) => None,
            Self::Token(own) => own.expires_at.filter(|end| expires_at.is_none_or(|wanted| wanted > *end)),
        }
    }
}

impl Identity {
    /// Whose token it is, and what it may do.
    pub(crate) async fn token_owner(&self, token: &str) -> Result<Option<(User, Grant)>> {
        if let Some(directory) = &self.elsewhere {
            return directory.token_owner(token).await;
        }
        self.token_owner_by_hash(digest(token)).await
    }

    /// The same, for who has only heard what the token is known by.
    pub(crate) async fn token_owner_by_hash(&self, hash: String) -> Result<Option<(User, Grant)>> {
        let now = now_ms();
        if let Some(recent) = self.recent.find(&hash) {
            return Ok(Some(recent));
        }
        let revocation = self.recent.revocation();
        let Some(owner) = self.store.read().await?.token_owner(&hash, now).await? else { return Ok(None) };
        // Either way: the clock may have gone back.
        if owner.last_used_at.is_none_or(|last| (now - last).abs() > USE_MS)
            && let Err(error) = self.token_used(&owner.token_id, now).await
        {
            // Who reads shall not need room on the disk.
            tracing::debug!(%error, token.id = %owner.token_id, "the last use of an API token cannot be kept");
        }
        let grant = Grant::of(hash, &owner)?;
        self.recent.keep(revocation, &owner.user, &grant);
        Ok(Some((owner.user, grant)))
    }

    async fn token_used(&self, id: &TokenId, now: i64) -> Result<()> {
        let mut tx = self.store.write().await?;
        tx.token_used(id, now).await?;
        Ok(tx.commit().await?)
    }

    /// Makes a token with at most the rights and the life of what asks for it.
    pub(crate) async fn token_create(
        &self,
        user: &User,
        by: &Credential,
        create: &api::TokenCreate,
    ) -> Result<api::TokenCreated> {
        let name = create
            .name
            .parse::<TokenName>()
            .map_err(|error| Error::invalid("name", "INVALID_NAME", error.to_string()))?;
        let scopes = create.scopes.clone().unwrap_or_else(|| USUAL.map(str::to_owned).to_vec());
        if scopes.is_empty() || scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
            return Err(Error::invalid("scopes", "INVALID_SCOPE", "scopes are `read`, `write` and `models`"));
        }
        let expires_at = create.expires_at.as_deref().map(parse_expiry).transpose()?;
        if let Some(scope) = by.lacking(&scopes) {
            let message = format!("this API token lacks the scope `{scope}` and cannot give it to another one");
            return Err(Error::forbidden("SCOPE_EXCEEDED", message).at("scopes"));
        }
        if let Some(end) = by.outlived_by(expires_at) {
            let end = rfc3339(end);
            let message = format!("this API token ends at {end}; one that it makes needs an `expires_at` no later");
            return Err(Error::forbidden("EXPIRY_EXCEEDED", message).at("expires_at"));
        }
        let model_limits = create.model_limits.as_ref().map(|limits| check_limits(limits, &scopes)).transpose()?;
        if by.is_limited() && scopes.iter().any(|scope| scope == MODELS) {
            let message = "this API token may not ask models without limits, and makes none that asks models";
            return Err(Error::forbidden("LIMITS_EXCEEDED", message).at("scopes"));
        }
        let token = format!("{TOKEN_PREFIX}{}", random_secret());
        let id = TokenId::new();
        let mut tx = self.store.write().await?;
        let parent_id = match by {
            Credential::Session(_) => None,
            Credential::Token(own) => {
                // It may have been revoked meanwhile, and with it all that it makes.
                tx.token_owner(&own.hash, now_ms()).await?.ok_or_else(Error::unauthenticated)?;
                Some(&own.id)
            }
        };
        tx.token_insert(NewToken {
            id: &id,
            user_id: &user.id,
            name: &name,
            scopes: &scopes,
            token_hash: &digest(&token),
            parent_id,
            created_at: now_ms(),
            expires_at,
            model_limits: model_limits.as_deref(),
        })
        .await?;
        tx.commit().await?;
        Ok(api::TokenCreated { id, token })
    }

    /// Those that the caller could have made; a session sees all.
    pub(crate) async fn token_list(&self, user: &User, by: &Credential) -> Result<Vec<StoredToken>> {
        let mut tokens = self.store.read().await?.token_list(&user.id).await?;
        tokens.retain(|token| reaches(by, token));
        Ok(tokens)
    }

    /// Ends a token and all that it made.
    pub(crate) async fn token_delete(&self, user: &User, by: &Credential, id: &TokenId) -> Result<()> {
        let mut tx = self.store.write().await?;
        let reached = tx.token_list(&user.id).await?.iter().any(|token| &token.id == id && reaches(by, token));
        if !reached || !tx.token_delete(&user.id, id).await? {
            return Err(Error::not_found("API token"));
        }
        tx.commit().await?;
        self.recent.forget_all();
        self.revoked.send_replace(());
        Ok(())
    }
}

fn reaches(by: &Credential, token: &StoredToken) -> bool {
    let itself = matches!(by, Credential::Token(own) if own.id == token.id);
    itself || by.covers(&token.scopes, token.expires_at)
}

/// As they are kept.
fn check_limits(limits: &api::ModelLimits, scopes: &[String]) -> Result<String> {
    let invalid = |message: &str| Error::invalid("model_limits", "INVALID_LIMITS", message);
    if !scopes.iter().any(|scope| scope == MODELS) {
        return Err(invalid("only a token with the scope `models` has limits of what it asks models"));
    }
    let is_name = |name: &String| !name.is_empty() && name.len() <= MODEL_NAME_MAX;
    if limits
        .models
        .as_ref()
        .is_some_and(|models| models.is_empty() || models.len() > MODELS_MAX || !models.iter().all(is_name))
    {
        return Err(invalid("`models` are the names of 1 to 64 models"));
    }
    if limits.requests_per_minute.is_some_and(|most| !(1..=PER_MINUTE_MAX).contains(&most)) {
        return Err(invalid("`requests_per_minute` is 1 to 100000"));
    }
    if limits.credits.is_some_and(|most| !(1..=CREDITS_MAX).contains(&most)) {
        return Err(invalid("`credits` are 1 to 1000000000000000 microcredits"));
    }
    serde_json::to_string(limits).map_err(Error::internal)
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
