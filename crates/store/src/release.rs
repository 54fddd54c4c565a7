use domain::release::Release;
use ids::{ProjectId, ReleaseId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::{StoreResult, Tx};

const COLUMNS: &str = "id, project_id, deployment_id, process, env_sealed, created_at";

fn release(row: &AnyRow) -> StoreResult<Release> {
    Ok(Release {
        id: parse("release id", row.try_get("id")?)?,
        project_id: parse("project id", row.try_get("project_id")?)?,
        deployment_id: parse("deployment id", row.try_get("deployment_id")?)?,
        process: row.try_get("process")?,
        env_sealed: row.try_get("env_sealed")?,
        created_at: row.try_get("created_at")?,
    })
}

impl Tx {
    pub async fn release_insert(&mut self, release: &Release) -> StoreResult<()> {
        sqlx::query(&format!("insert into releases ({COLUMNS}) values ($1, $2, $3, $4, $5, $6)"))
            .bind(release.id.as_str())
            .bind(release.project_id.as_str())
            .bind(release.deployment_id.as_str())
            .bind(&release.process)
            .bind(&release.env_sealed)
            .bind(release.created_at)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Newest first.
    pub async fn release_list(&mut self, project_id: &ProjectId) -> StoreResult<Vec<Release>> {
        let rows = sqlx::query(&format!("select {COLUMNS} from releases where project_id = $1 order by id desc"))
            .bind(project_id.as_str())
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(release).collect()
    }

    /// Forgets a release; deployments that had it keep their history without it.
    pub async fn release_delete(&mut self, id: &ReleaseId) -> StoreResult<()> {
        sqlx::query("delete from releases where id = $1").bind(id.as_str()).execute(&mut *self.inner).await?;
        Ok(())
    }
}
