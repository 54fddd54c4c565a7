use domain::node::{JoinToken, Used};
use ids::{JoinTokenId, NodeId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::text::{json, to_json};
use crate::{StoreResult, Tx};

const COLUMNS: &str = "id, secret_sealed, name, labels, created_by, created_at, expires_at, revoked_at, used_at, \
    used_by_key, node_id";

/// The cluster's own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCluster {
    pub public_key: String,
    pub key_sealed: String,
}

fn token(row: &AnyRow) -> StoreResult<JoinToken> {
    let used = match (row.try_get::<Option<i64>, _>("used_at")?, row.try_get::<Option<String>, _>("used_by_key")?) {
        (Some(at), Some(by_key)) => Some(Used { at, by_key, node_id: parse("node id", row.try_get("node_id")?)? }),
        _ => None,
    };
    Ok(JoinToken {
        id: parse("join token id", row.try_get("id")?)?,
        name: row.try_get("name")?,
        labels: json("labels", row.try_get("labels")?)?,
        created_by: parse("user id", row.try_get("created_by")?)?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        revoked_at: row.try_get("revoked_at")?,
        used,
    })
}

impl Tx {
    pub async fn cluster(&mut self) -> StoreResult<Option<StoredCluster>> {
        let row = sqlx::query("select public_key, key_sealed from cluster").fetch_optional(&mut *self.inner).await?;
        row.map(|row| {
            Ok(StoredCluster { public_key: row.try_get("public_key")?, key_sealed: row.try_get("key_sealed")? })
        })
        .transpose()
    }

    /// Whether there was none.
    pub async fn cluster_insert(&mut self, cluster: &StoredCluster, now: i64) -> StoreResult<bool> {
        let done = sqlx::query(
            "insert into cluster (singleton, public_key, key_sealed, created_at) values (1, $1, $2, $3) \
             on conflict (singleton) do nothing",
        )
        .bind(&cluster.public_key)
        .bind(&cluster.key_sealed)
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn join_token_insert(&mut self, token: &JoinToken, secret_sealed: &str) -> StoreResult<()> {
        sqlx::query(
            "insert into join_tokens (id, secret_sealed, name, labels, created_by, created_at, expires_at) \
             values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(token.id.as_str())
        .bind(secret_sealed)
        .bind(&token.name)
        .bind(to_json(&token.labels))
        .bind(token.created_by.as_str())
        .bind(token.created_at)
        .bind(token.expires_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// A token and its sealed secret.
    pub async fn join_token(&mut self, id: &JoinTokenId) -> StoreResult<Option<(JoinToken, String)>> {
        let row = sqlx::query(&format!("select {COLUMNS} from join_tokens where id = $1"))
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.map(|row| Ok((token(&row)?, row.try_get("secret_sealed")?))).transpose()
    }

    /// The newest hundred, newest first.
    pub async fn join_token_list(&mut self) -> StoreResult<Vec<JoinToken>> {
        let rows = sqlx::query(&format!("select {COLUMNS} from join_tokens order by id desc limit 100"))
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(token).collect()
    }

    /// Takes a token for the machine with this key; whether nobody had taken, or revoked, it before.
    pub async fn join_token_use(&mut self, id: &JoinTokenId, key: &str, node: &NodeId, now: i64) -> StoreResult<bool> {
        let done = sqlx::query(
            "update join_tokens set used_at = $2, used_by_key = $3, node_id = $4 \
             where id = $1 and used_at is null and revoked_at is null and expires_at > $2",
        )
        .bind(id.as_str())
        .bind(now)
        .bind(key)
        .bind(node.as_str())
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether it was still open.
    pub async fn join_token_revoke(&mut self, id: &JoinTokenId, now: i64) -> StoreResult<bool> {
        let done = sqlx::query(
            "update join_tokens set revoked_at = $2 where id = $1 and used_at is null and revoked_at is null",
        )
        .bind(id.as_str())
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
