use ids::ProjectId;
use sqlx::Row;

use crate::{StoreResult, Tx};

/// A variable of a project, as it lies there.
#[derive(Debug, Clone)]
pub struct StoredVariable {
    pub key: String,
    pub sealed: String,
    /// Its value is never shown.
    pub is_secret: bool,
    pub updated_at: i64,
}

/// A file of a project, as it lies there.
#[derive(Debug, Clone)]
pub struct StoredFile {
    pub path: String,
    pub sealed: String,
    /// Its content is never shown.
    pub is_secret: bool,
    pub updated_at: i64,
}

impl Tx {
    /// The project's variables, by key.
    pub async fn env_list(&mut self, project_id: &ProjectId) -> StoreResult<Vec<StoredVariable>> {
        let rows = sqlx::query(
            "select key, value_sealed, is_secret, updated_at from env_vars where project_id = $1 order by key",
        )
        .bind(project_id.as_str())
        .fetch_all(&mut *self.inner)
        .await?;
        let variable = |row: &sqlx::any::AnyRow| {
            Ok(StoredVariable {
                key: row.try_get(0)?,
                sealed: row.try_get(1)?,
                is_secret: row.try_get::<i64, _>(2)? != 0,
                updated_at: row.try_get(3)?,
            })
        };
        rows.iter().map(variable).collect()
    }

    /// Something that was sealed, of whatever is: who cannot open it has the wrong keys.
    pub async fn sealed_sample(&mut self) -> StoreResult<Option<String>> {
        let row = sqlx::query(
            "select value_sealed from env_vars union all select registry_password_sealed from projects \
             where registry_password_sealed is not null union all select env_sealed from releases where env_sealed <> '' \
             union all select env_sealed from deployments where env_sealed is not null \
             union all select content_sealed from runtime_files union all select token_sealed from git_credentials \
             union all select key_sealed from signing_keys where key_sealed is not null \
             union all select api_key_sealed from mesh_hosted_providers limit 1",
        )
        .fetch_optional(&mut *self.inner)
        .await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    /// Writes the whole set anew.
    pub async fn env_replace(&mut self, project_id: &ProjectId, variables: &[StoredVariable]) -> StoreResult<()> {
        sqlx::query("delete from env_vars where project_id = $1")
            .bind(project_id.as_str())
            .execute(&mut *self.inner)
            .await?;
        for variable in variables {
            self.env_put(project_id, variable).await?;
        }
        Ok(())
    }

    /// Sets one variable, whether it is there or not.
    pub async fn env_put(&mut self, project_id: &ProjectId, variable: &StoredVariable) -> StoreResult<()> {
        sqlx::query(
            "insert into env_vars (project_id, key, value_sealed, is_secret, updated_at) values ($1, $2, $3, $4, $5) \
             on conflict (project_id, key) do update set value_sealed = excluded.value_sealed, \
             is_secret = excluded.is_secret, updated_at = excluded.updated_at",
        )
        .bind(project_id.as_str())
        .bind(&variable.key)
        .bind(&variable.sealed)
        .bind(i64::from(variable.is_secret))
        .bind(variable.updated_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Whether there was one to remove.
    pub async fn env_delete(&mut self, project_id: &ProjectId, key: &str) -> StoreResult<bool> {
        let done = sqlx::query("delete from env_vars where project_id = $1 and key = $2")
            .bind(project_id.as_str())
            .bind(key)
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The project's files, by path.
    pub async fn runtime_file_list(&mut self, project_id: &ProjectId) -> StoreResult<Vec<StoredFile>> {
        let rows = sqlx::query(
            "select path, content_sealed, is_secret, updated_at from runtime_files where project_id = $1 order by path",
        )
        .bind(project_id.as_str())
        .fetch_all(&mut *self.inner)
        .await?;
        let file = |row: &sqlx::any::AnyRow| {
            Ok(StoredFile {
                path: row.try_get(0)?,
                sealed: row.try_get(1)?,
                is_secret: row.try_get::<i64, _>(2)? != 0,
                updated_at: row.try_get(3)?,
            })
        };
        rows.iter().map(file).collect()
    }

    /// Sets one file, whether it is there or not.
    pub async fn runtime_file_put(&mut self, project_id: &ProjectId, file: &StoredFile) -> StoreResult<()> {
        sqlx::query(
            "insert into runtime_files (project_id, path, content_sealed, is_secret, updated_at) \
             values ($1, $2, $3, $4, $5) on conflict (project_id, path) do update set \
             content_sealed = excluded.content_sealed, is_secret = excluded.is_secret, updated_at = excluded.updated_at",
        )
        .bind(project_id.as_str())
        .bind(&file.path)
        .bind(&file.sealed)
        .bind(i64::from(file.is_secret))
        .bind(file.updated_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Whether there was one to remove.
    pub async fn runtime_file_delete(&mut self, project_id: &ProjectId, path: &str) -> StoreResult<bool> {
        let done = sqlx::query("delete from runtime_files where project_id = $1 and path = $2")
            .bind(project_id.as_str())
            .bind(path)
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
