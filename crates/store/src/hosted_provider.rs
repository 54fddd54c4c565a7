use domain::mesh::hosted::HostedProvider;
use ids::HostedProviderId;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::{StoreError, StoreResult, Tx};

const COLUMNS: &str = "id, name, kind, base_url, api_key_sealed, models, enabled, created_at, updated_at";

fn provider(row: &AnyRow) -> StoreResult<HostedProvider> {
    let models = row.try_get::<String, _>("models")?;
    Ok(HostedProvider {
        id: parse("hosted provider id", row.try_get("id")?)?,
        name: row.try_get("name")?,
        kind: parse("kind of a hosted provider", row.try_get("kind")?)?,
        base_url: row.try_get("base_url")?,
        api_key_sealed: row.try_get("api_key_sealed")?,
        models: serde_json::from_str(&models)
            .map_err(|_| StoreError::Corrupt { what: "models of a hosted provider", value: models })?,
        enabled: row.try_get::<i64, _>("enabled")? == 1,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

fn models(of: &HostedProvider) -> StoreResult<String> {
    serde_json::to_string(&of.models)
        .map_err(|error| StoreError::Corrupt { what: "models of a hosted provider", value: error.to_string() })
}

impl Tx {
    /// [`StoreError::Taken`] when another one has the name.
    pub async fn hosted_provider_insert(&mut self, new: &HostedProvider) -> StoreResult<()> {
        sqlx::query(&format!(
            "insert into mesh_hosted_providers ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        ))
        .bind(new.id.as_str())
        .bind(&new.name)
        .bind(new.kind.as_str())
        .bind(&new.base_url)
        .bind(&new.api_key_sealed)
        .bind(models(new)?)
        .bind(i64::from(new.enabled))
        .bind(new.created_at)
        .bind(new.updated_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Everything but id, name, kind and the time it was made; whether it is still there.
    pub async fn hosted_provider_update(&mut self, changed: &HostedProvider) -> StoreResult<bool> {
        let done = sqlx::query(
            "update mesh_hosted_providers set base_url = $2, api_key_sealed = $3, models = $4, enabled = $5, \
             updated_at = $6 where id = $1",
        )
        .bind(changed.id.as_str())
        .bind(&changed.base_url)
        .bind(&changed.api_key_sealed)
        .bind(models(changed)?)
        .bind(i64::from(changed.enabled))
        .bind(changed.updated_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether it was there.
    pub async fn hosted_provider_delete(&mut self, id: &HostedProviderId) -> StoreResult<bool> {
        let done = sqlx::query("delete from mesh_hosted_providers where id = $1")
            .bind(id.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// By name.
    pub async fn hosted_providers(&mut self) -> StoreResult<Vec<HostedProvider>> {
        let rows = sqlx::query(&format!("select {COLUMNS} from mesh_hosted_providers order by name"))
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(provider).collect()
    }
}
