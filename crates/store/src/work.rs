//! How people work in their workspaces: what they fetch and push with, and whose commits they make.

use domain::workspace::WorkSettings;
use ids::UserId;
use sqlx::Row;

use crate::{StoreResult, Tx};

/// What a person shows to a git server, as it lies there.
#[derive(Debug, Clone)]
pub struct StoredGitCredential {
    /// `host` or `host:port`.
    pub host: String,
    pub username: String,
    pub token_sealed: String,
    pub created_at: i64,
    pub updated_at: i64,
}

impl Tx {
    /// By host.
    pub async fn git_credential_list(&mut self, user_id: &UserId) -> StoreResult<Vec<StoredGitCredential>> {
        let rows = sqlx::query(
            "select host, username, token_sealed, created_at, updated_at from git_credentials where user_id = $1 \
             order by host",
        )
        .bind(user_id.as_str())
        .fetch_all(&mut *self.inner)
        .await?;
        let credential = |row: &sqlx::any::AnyRow| {
            Ok(StoredGitCredential {
                host: row.try_get(0)?,
                username: row.try_get(1)?,
                token_sealed: row.try_get(2)?,
                created_at: row.try_get(3)?,
                updated_at: row.try_get(4)?,
            })
        };
        rows.iter().map(credential).collect()
    }

    /// Sets it, whether there is one for the host or not. Of one that is there `created_at` stays.
    pub async fn git_credential_put(&mut self, user_id: &UserId, credential: &StoredGitCredential) -> StoreResult<()> {
        sqlx::query(
            "insert into git_credentials (user_id, host, username, token_sealed, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6) on conflict (user_id, host) do update set username = excluded.username, \
             token_sealed = excluded.token_sealed, updated_at = excluded.updated_at",
        )
        .bind(user_id.as_str())
        .bind(&credential.host)
        .bind(&credential.username)
        .bind(&credential.token_sealed)
        .bind(credential.created_at)
        .bind(credential.updated_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Whether there was one to remove.
    pub async fn git_credential_delete(&mut self, user_id: &UserId, host: &str) -> StoreResult<bool> {
        let done = sqlx::query("delete from git_credentials where user_id = $1 and host = $2")
            .bind(user_id.as_str())
            .bind(host)
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn work_settings(&mut self, user_id: &UserId) -> StoreResult<WorkSettings> {
        let row = sqlx::query("select git_name, git_email, dotfiles_url from work_settings where user_id = $1")
            .bind(user_id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        let Some(row) = row else { return Ok(WorkSettings::default()) };
        Ok(WorkSettings { git_name: row.try_get(0)?, git_email: row.try_get(1)?, dotfiles_url: row.try_get(2)? })
    }

    pub async fn work_settings_put(&mut self, user_id: &UserId, settings: &WorkSettings) -> StoreResult<()> {
        sqlx::query(
            "insert into work_settings (user_id, git_name, git_email, dotfiles_url) values ($1, $2, $3, $4) \
             on conflict (user_id) do update set git_name = excluded.git_name, git_email = excluded.git_email, \
             dotfiles_url = excluded.dotfiles_url",
        )
        .bind(user_id.as_str())
        .bind(settings.git_name.as_deref())
        .bind(settings.git_email.as_deref())
        .bind(settings.dotfiles_url.as_deref())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}
