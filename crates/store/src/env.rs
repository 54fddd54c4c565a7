use ids::ProjectId;
use sqlx::Row;

use crate::{StoreResult, Tx};

impl Tx {
    /// The project's variables as (key, sealed value), by key.
    pub async fn env_list(&mut self, project_id: &ProjectId) -> StoreResult<Vec<(String, String)>> {
        let rows = sqlx::query("select key, value_sealed from env_vars where project_id = $1 order by key")
            .bind(project_id.as_str())
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Something that was sealed, of whatever is: who cannot open it has the wrong keys.
    pub async fn sealed_sample(&mut self) -> StoreResult<Option<String>> {
        let row = sqlx::query(
            "select value_sealed from env_vars union all select registry_password_sealed from projects \
             where registry_password_sealed is not null union all select env_sealed from releases where env_sealed <> '' \
             union all select env_sealed from deployments where env_sealed is not null limit 1",
        )
        .fetch_optional(&mut *self.inner)
        .await?;
        row.map(|row| Ok(row.try_get(0)?)).transpose()
    }

    /// Writes the whole set anew.
    pub async fn env_replace(&mut self, project_id: &ProjectId, vars: &[(String, String)]) -> StoreResult<()> {
        sqlx::query("delete from env_vars where project_id = $1")
            .bind(project_id.as_str())
            .execute(&mut *self.inner)
            .await?;
        for (key, sealed) in vars {
            sqlx::query("insert into env_vars (project_id, key, value_sealed) values ($1, $2, $3)")
                .bind(project_id.as_str())
                .bind(key)
                .bind(sealed)
                .execute(&mut *self.inner)
                .await?;
        }
        Ok(())
    }
}
