use ids::{ActivityKind, DeploymentId, ProjectId, UserId, WorkspaceId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::text::json;
use crate::{StoreResult, Tx};

const COLUMNS: &str = "position, kind, actor, workspace_id, deployment_id, payload, created_at";

/// Something that happened in a project.
#[derive(Debug, Clone)]
pub struct NewActivity<'a> {
    pub project_id: &'a ProjectId,
    pub kind: ActivityKind,
    /// User name of who did it, if somebody did.
    pub actor: Option<&'a str>,
    /// Whom it concerns; everybody where it is nobody.
    pub owner_id: Option<&'a UserId>,
    pub workspace_id: Option<&'a WorkspaceId>,
    pub deployment_id: Option<&'a DeploymentId>,
    /// More about it.
    pub payload: serde_json::Value,
}

#[derive(Debug, Clone)]
pub struct StoredActivity {
    /// In the order of commits.
    pub position: i64,
    pub kind: ActivityKind,
    pub actor: Option<String>,
    pub workspace_id: Option<WorkspaceId>,
    pub deployment_id: Option<DeploymentId>,
    pub payload: serde_json::Value,
    pub created_at: i64,
}

/// Which of a project's to read.
#[derive(Debug, Clone)]
pub struct ActivityFilter<'a> {
    pub project_id: &'a ProjectId,
    /// What concerns others only is left out.
    pub reader: &'a UserId,
    pub kind: Option<ActivityKind>,
    /// None from before, in milliseconds since 1970.
    pub since: i64,
    pub limit: i64,
}

fn activity(row: &AnyRow) -> StoreResult<StoredActivity> {
    let workspace: Option<String> = row.try_get("workspace_id")?;
    let deployment: Option<String> = row.try_get("deployment_id")?;
    Ok(StoredActivity {
        position: row.try_get("position")?,
        kind: parse("kind of activity", row.try_get("kind")?)?,
        actor: row.try_get("actor")?,
        workspace_id: workspace.map(|id| parse("workspace id", &id)).transpose()?,
        deployment_id: deployment.map(|id| parse("deployment id", &id)).transpose()?,
        payload: json("payload of an activity", row.try_get("payload")?)?,
        created_at: row.try_get("created_at")?,
    })
}

impl Tx {
    pub async fn activity_insert(&mut self, new: &NewActivity<'_>, now: i64) -> StoreResult<()> {
        // The counter's row stays locked to the end, so that no reader skips a late commit.
        let position = self.count_up("activity").await?;
        sqlx::query(
            "insert into activity (position, project_id, kind, actor, owner_id, workspace_id, deployment_id, payload, \
             created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(position)
        .bind(new.project_id.as_str())
        .bind(new.kind.as_str())
        .bind(new.actor)
        .bind(new.owner_id.map(UserId::as_str))
        .bind(new.workspace_id.map(WorkspaceId::as_str))
        .bind(new.deployment_id.map(DeploymentId::as_str))
        .bind(new.payload.to_string().replace("\\u0000", "\u{fffd}"))
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Those before `position`, newest first.
    pub async fn activity_before(
        &mut self,
        filter: &ActivityFilter<'_>,
        position: i64,
    ) -> StoreResult<Vec<StoredActivity>> {
        self.activity_where(filter, position, "position < $1", "desc").await
    }

    /// Those after `position`, oldest first.
    pub async fn activity_after(
        &mut self,
        filter: &ActivityFilter<'_>,
        position: i64,
    ) -> StoreResult<Vec<StoredActivity>> {
        self.activity_where(filter, position, "position > $1", "asc").await
    }

    async fn activity_where(
        &mut self,
        filter: &ActivityFilter<'_>,
        position: i64,
        beyond: &str,
        order: &str,
    ) -> StoreResult<Vec<StoredActivity>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from activity where {beyond} and project_id = $2 and ($3 = '' or kind = $3) \
             and (owner_id is null or owner_id = $4) and created_at >= $5 order by position {order} limit $6"
        ))
        .bind(position)
        .bind(filter.project_id.as_str())
        .bind(filter.kind.map_or("", ActivityKind::as_str))
        .bind(filter.reader.as_str())
        .bind(filter.since)
        .bind(filter.limit)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(activity).collect()
    }

    /// Where the newest of all projects is.
    pub async fn activity_position(&mut self) -> StoreResult<i64> {
        let row = sqlx::query("select value from counters where name = 'activity'").fetch_one(&mut *self.inner).await?;
        Ok(row.try_get(0)?)
    }

    /// Forgets what happened before `until`. How much it was.
    pub async fn activity_forget(&mut self, until: i64) -> StoreResult<u64> {
        let done =
            sqlx::query("delete from activity where created_at < $1").bind(until).execute(&mut *self.inner).await?;
        Ok(done.rows_affected())
    }
}
