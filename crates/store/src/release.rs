use domain::release::Release;
use ids::{ProjectId, ReleaseId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::text::{json, to_json};
use crate::{StoreResult, Tx};

const COLUMNS: &str = "id, project_id, deployment_id, process, env_sealed, created_at, runtime, pinned";

fn release(row: &AnyRow) -> StoreResult<Release> {
    Ok(Release {
        id: parse("release id", row.try_get("id")?)?,
        project_id: parse("project id", row.try_get("project_id")?)?,
        deployment_id: parse("deployment id", row.try_get("deployment_id")?)?,
        process: row.try_get("process")?,
        env_sealed: row.try_get("env_sealed")?,
        runtime: json("runtime settings", row.try_get("runtime")?)?,
        pinned: row.try_get::<i64, _>("pinned")? == 1,
        created_at: row.try_get("created_at")?,
    })
}

impl Tx {
    pub async fn release_insert(&mut self, release: &Release) -> StoreResult<()> {
        sqlx::query(&format!("insert into releases ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8)"))
            .bind(release.id.as_str())
            .bind(release.project_id.as_str())
            .bind(release.deployment_id.as_str())
            .bind(&release.process)
            .bind(&release.env_sealed)
            .bind(release.created_at)
            .bind(to_json(&release.runtime))
            .bind(i64::from(release.pinned))
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    pub async fn release(&mut self, id: &ReleaseId) -> StoreResult<Option<Release>> {
        let row = sqlx::query(&format!("select {COLUMNS} from releases where id = $1"))
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(release).transpose()
    }

    /// Newest first.
    pub async fn release_list(&mut self, project_id: &ProjectId) -> StoreResult<Vec<Release>> {
        let rows = sqlx::query(&format!("select {COLUMNS} from releases where project_id = $1 order by id desc"))
            .bind(project_id.as_str())
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(release).collect()
    }

    /// Of every project, the newest first.
    pub async fn release_all(&mut self) -> StoreResult<Vec<Release>> {
        let rows = sqlx::query(&format!("select {COLUMNS} from releases order by id desc"))
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(release).collect()
    }

    /// Keeps a release whatever its age, or no longer; says whether there is one.
    pub async fn release_pin(&mut self, id: &ReleaseId, pinned: bool) -> StoreResult<bool> {
        let done = sqlx::query("update releases set pinned = $2 where id = $1")
            .bind(id.as_str())
            .bind(i64::from(pinned))
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets a release; deployments that had it keep their history without it.
    pub async fn release_delete(&mut self, id: &ReleaseId) -> StoreResult<()> {
        sqlx::query("delete from releases where id = $1").bind(id.as_str()).execute(&mut *self.inner).await?;
        Ok(())
    }
}
