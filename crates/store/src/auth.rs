use domain::user::User;
use ids::{SessionId, TokenId, TokenName, UserId, UserName};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::{StoreError, StoreResult, Tx};

/// Whose browser a session cookie belongs to.
#[derive(Debug, Clone)]
pub struct SessionOwner {
    pub session_id: SessionId,
    pub user: User,
    pub expires_at: i64,
}

/// Whose API token it is, and what it may do.
#[derive(Debug, Clone)]
pub struct TokenOwner {
    pub token_id: TokenId,
    pub user: User,
    pub scopes: Vec<String>,
    pub last_used_at: Option<i64>,
    pub expires_at: Option<i64>,
    /// What it may ask models at most: JSON.
    pub model_limits: Option<String>,
}

#[derive(Debug, Clone)]
pub struct NewToken<'a> {
    pub id: &'a TokenId,
    pub user_id: &'a UserId,
    pub name: &'a TokenName,
    pub scopes: &'a [String],
    pub token_hash: &'a str,
    /// The token that makes it, if one does: it goes with that.
    pub parent_id: Option<&'a TokenId>,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub model_limits: Option<&'a str>,
}

#[derive(Debug, Clone)]
pub struct StoredToken {
    pub id: TokenId,
    pub name: String,
    pub scopes: Vec<String>,
    pub parent_id: Option<TokenId>,
    pub created_at: i64,
    pub last_used_at: Option<i64>,
    pub expires_at: Option<i64>,
    pub model_limits: Option<String>,
}

/// What came of counting a sign-in attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginAttempt {
    /// It may go on; so many in a row have failed, if it does.
    Counted { failures: i64 },
    /// It may not, before `until`.
    Locked { until: i64 },
}

fn user(row: &AnyRow) -> StoreResult<User> {
    Ok(User {
        id: parse("user id", row.try_get("user_id")?)?,
        username: row.try_get("username")?,
        role: row.try_get("role")?,
    })
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

impl Tx {
    pub async fn user_count(&mut self) -> StoreResult<i64> {
        let row = sqlx::query("select count(*) from users").fetch_one(&mut *self.inner).await?;
        Ok(row.try_get(0)?)
    }

    pub async fn user_list(&mut self) -> StoreResult<Vec<User>> {
        let rows = sqlx::query("select id as user_id, username, role from users order by username")
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(user).collect()
    }

    pub async fn user(&mut self, id: &UserId) -> StoreResult<Option<User>> {
        let row = sqlx::query("select id as user_id, username, role from users where id = $1")
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(user).transpose()
    }

    /// Makes a user; [`StoreError::Taken`] when somebody has the name.
    pub async fn user_insert(&mut self, user: &User, password_hash: &str, now: i64) -> StoreResult<()> {
        sqlx::query("insert into users (id, username, password_hash, role, created_at) values ($1, $2, $3, $4, $5)")
            .bind(user.id.as_str())
            .bind(&user.username)
            .bind(password_hash)
            .bind(&user.role)
            .bind(now)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Makes the first user; [`StoreError::Taken`] when setup was completed before.
    pub async fn setup_complete(&mut self, user: &User, password_hash: &str, now: i64) -> StoreResult<()> {
        self.user_insert(user, password_hash, now).await?;
        sqlx::query("insert into setup (singleton, user_id) values (1, $1)")
            .bind(user.id.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// The user of this name with the hash of their password.
    pub async fn user_by_name(&mut self, name: &UserName) -> StoreResult<Option<(User, String)>> {
        let row = sqlx::query("select id as user_id, username, role, password_hash from users where username = $1")
            .bind(name.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.map(|row| Ok::<_, StoreError>((user(&row)?, row.try_get("password_hash")?))).transpose()
    }

    pub async fn session_insert(
        &mut self,
        id: &SessionId,
        user_id: &UserId,
        token_hash: &str,
        now: i64,
        expires_at: i64,
    ) -> StoreResult<()> {
        sqlx::query("delete from sessions where expires_at <= $1").bind(now).execute(&mut *self.inner).await?;
        sqlx::query(
            "insert into sessions (id, token_hash, user_id, created_at, expires_at) values ($1, $2, $3, $4, $5)",
        )
        .bind(id.as_str())
        .bind(token_hash)
        .bind(user_id.as_str())
        .bind(now)
        .bind(expires_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    pub async fn session_owner(&mut self, token_hash: &str, now: i64) -> StoreResult<Option<SessionOwner>> {
        let row = sqlx::query(
            "select s.id as session_id, s.expires_at, u.id as user_id, u.username, u.role \
             from sessions s join users u on u.id = s.user_id where s.token_hash = $1 and s.expires_at > $2",
        )
        .bind(token_hash)
        .bind(now)
        .fetch_optional(&mut *self.inner)
        .await?;
        row.map(|row| {
            Ok(SessionOwner {
                session_id: parse("session id", row.try_get("session_id")?)?,
                user: user(&row)?,
                expires_at: row.try_get("expires_at")?,
            })
        })
        .transpose()
    }

    /// What is kept of a session's secret.
    pub async fn session_hash(&mut self, id: &SessionId) -> StoreResult<Option<String>> {
        let row = sqlx::query("select token_hash from sessions where id = $1")
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// What is kept of an API token.
    pub async fn token_hash(&mut self, id: &TokenId) -> StoreResult<Option<String>> {
        let row = sqlx::query("select token_hash from api_tokens where id = $1")
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub async fn session_delete(&mut self, token_hash: &str) -> StoreResult<()> {
        sqlx::query("delete from sessions where token_hash = $1").bind(token_hash).execute(&mut *self.inner).await?;
        Ok(())
    }

    pub async fn token_insert(&mut self, token: NewToken<'_>) -> StoreResult<()> {
        sqlx::query(
            "insert into api_tokens (id, token_hash, user_id, name, scopes, parent_id, created_at, expires_at, \
             model_limits) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(token.id.as_str())
        .bind(token.token_hash)
        .bind(token.user_id.as_str())
        .bind(token.name.as_str())
        .bind(token.scopes.join(" "))
        .bind(token.parent_id.map(TokenId::as_str))
        .bind(token.created_at)
        .bind(token.expires_at)
        .bind(token.model_limits)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    pub async fn token_owner(&mut self, token_hash: &str, now: i64) -> StoreResult<Option<TokenOwner>> {
        let row = sqlx::query(
            "select t.id as token_id, t.scopes, t.last_used_at, t.expires_at, t.model_limits, u.id as user_id, \
             u.username, u.role from api_tokens t join users u on u.id = t.user_id \
             where t.token_hash = $1 and (t.expires_at is null or t.expires_at > $2)",
        )
        .bind(token_hash)
        .bind(now)
        .fetch_optional(&mut *self.inner)
        .await?;
        row.map(|row| {
            Ok(TokenOwner {
                token_id: parse("token id", row.try_get("token_id")?)?,
                user: user(&row)?,
                scopes: words(row.try_get("scopes")?),
                last_used_at: row.try_get("last_used_at")?,
                expires_at: row.try_get("expires_at")?,
                model_limits: row.try_get("model_limits")?,
            })
        })
        .transpose()
    }

    pub async fn token_used(&mut self, id: &TokenId, now: i64) -> StoreResult<()> {
        sqlx::query("update api_tokens set last_used_at = $2 where id = $1")
            .bind(id.as_str())
            .bind(now)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    pub async fn token_list(&mut self, user_id: &UserId) -> StoreResult<Vec<StoredToken>> {
        let rows = sqlx::query(
            "select id, name, scopes, parent_id, created_at, last_used_at, expires_at, model_limits from api_tokens \
             where user_id = $1 order by id desc",
        )
        .bind(user_id.as_str())
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(StoredToken {
                    id: parse("token id", row.try_get("id")?)?,
                    name: row.try_get("name")?,
                    scopes: words(row.try_get("scopes")?),
                    parent_id: row
                        .try_get::<Option<String>, _>("parent_id")?
                        .map(|id| parse("token id", &id))
                        .transpose()?,
                    created_at: row.try_get("created_at")?,
                    last_used_at: row.try_get("last_used_at")?,
                    expires_at: row.try_get("expires_at")?,
                    model_limits: row.try_get("model_limits")?,
                })
            })
            .collect()
    }

    /// Removes a token, and with it those that it made, and those that these made. Whether there was one.
    pub async fn token_delete(&mut self, user_id: &UserId, id: &TokenId) -> StoreResult<bool> {
        let done = sqlx::query("delete from api_tokens where id = $1 and user_id = $2")
            .bind(id.as_str())
            .bind(user_id.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Counts a sign-in attempt as failed, before its password is looked at: of many at once each is counted.
    /// How many there were since `since` with this one, or nothing counted when the subject is locked.
    /// A lock beyond `latest` is one from before the clock was set back, and is none.
    pub async fn login_attempt(
        &mut self,
        subject: &str,
        now: i64,
        since: i64,
        latest: i64,
    ) -> StoreResult<LoginAttempt> {
        let row = sqlx::query(
            "insert into login_failures (subject, failures, locked_until, updated_at) values ($1, 1, 0, $2) \
             on conflict (subject) do update set updated_at = $2, locked_until = 0, \
             failures = case when login_failures.updated_at < $3 then 1 else login_failures.failures + 1 end \
             where login_failures.locked_until <= $2 or login_failures.locked_until > $4 \
             returning failures",
        )
        .bind(subject)
        .bind(now)
        .bind(since)
        .bind(latest)
        .fetch_optional(&mut *self.inner)
        .await?;
        if let Some(row) = row {
            return Ok(LoginAttempt::Counted { failures: row.try_get(0)? });
        }
        let until = self.login_locked_until(subject).await?;
        Ok(LoginAttempt::Locked { until })
    }

    /// Until when a subject may not sign in; 0 when it may.
    pub async fn login_locked_until(&mut self, subject: &str) -> StoreResult<i64> {
        let row = sqlx::query("select locked_until from login_failures where subject = $1")
            .bind(subject)
            .fetch_optional(&mut *self.inner)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
    }

    /// Forgets the failures before `since` that lock nobody at `now`. How many subjects they were of.
    pub async fn login_forget(&mut self, now: i64, since: i64) -> StoreResult<u64> {
        let done = sqlx::query("delete from login_failures where updated_at < $1 and locked_until <= $2")
            .bind(since)
            .bind(now)
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected())
    }

    pub async fn login_lock(&mut self, subject: &str, until: i64) -> StoreResult<()> {
        sqlx::query("update login_failures set locked_until = $2 where subject = $1")
            .bind(subject)
            .bind(until)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    pub async fn login_succeeded(&mut self, subject: &str) -> StoreResult<()> {
        sqlx::query("delete from login_failures where subject = $1").bind(subject).execute(&mut *self.inner).await?;
        Ok(())
    }
}
