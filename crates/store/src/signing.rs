use ids::{UserId, WorkspaceId, WorkspaceState};
use sqlx::Row;

use crate::error::parse;
use crate::{StoreResult, Tx};

/// A key that tokens are signed with, or were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSigningKey {
    pub id: String,
    /// Base64url, as in a JWK.
    pub modulus: String,
    pub exponent: String,
    /// Absent where the private half is in the configuration.
    pub key_sealed: Option<String>,
    pub active: bool,
    pub created_at: i64,
    /// When another took its place.
    pub retired_at: Option<i64>,
}

impl Tx {
    /// The one that signs first, then the others, the newest first.
    pub async fn signing_keys(&mut self) -> StoreResult<Vec<StoredSigningKey>> {
        let rows = sqlx::query(
            "select id, modulus, exponent, key_sealed, active, created_at, retired_at from signing_keys \
             order by active desc, created_at desc, id",
        )
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(StoredSigningKey {
                    id: row.try_get("id")?,
                    modulus: row.try_get("modulus")?,
                    exponent: row.try_get("exponent")?,
                    key_sealed: row.try_get("key_sealed")?,
                    active: row.try_get::<i64, _>("active")? == 1,
                    created_at: row.try_get("created_at")?,
                    retired_at: row.try_get("retired_at")?,
                })
            })
            .collect()
    }

    /// From now on this key signs, and the one that did retires. A key of the same id gives way.
    pub async fn signing_key_activate(&mut self, key: &StoredSigningKey, now: i64) -> StoreResult<()> {
        sqlx::query("update signing_keys set active = 0, retired_at = $1 where active = 1")
            .bind(now)
            .execute(&mut *self.inner)
            .await?;
        sqlx::query("delete from signing_keys where id = $1").bind(&key.id).execute(&mut *self.inner).await?;
        sqlx::query(
            "insert into signing_keys (id, modulus, exponent, key_sealed, active, created_at) \
             values ($1, $2, $3, $4, 1, $5)",
        )
        .bind(&key.id)
        .bind(&key.modulus)
        .bind(&key.exponent)
        .bind(&key.key_sealed)
        .bind(key.created_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Forgets those that retired at `until` or before.
    pub async fn signing_key_forget(&mut self, until: i64) -> StoreResult<()> {
        sqlx::query("delete from signing_keys where active = 0 and retired_at <= $1")
            .bind(until)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Whose a workspace is, and how it is.
    pub async fn workspace_owner(&mut self, id: &WorkspaceId) -> StoreResult<Option<(UserId, WorkspaceState)>> {
        let row = sqlx::query("select owner_id, state from workspaces where id = $1")
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.map(|row| {
            Ok((parse("user id", row.try_get("owner_id")?)?, parse("state of a workspace", row.try_get("state")?)?))
        })
        .transpose()
    }
}
