use ids::{DeploymentId, ProjectId, UserId, WorkspaceId};
use sqlx::Row;

use crate::error::parse;
use crate::{StoreResult, Tx};

/// An entry of the outbox.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    pub position: i64,
    pub kind: String,
    pub project_id: Option<ProjectId>,
    pub deployment_id: Option<DeploymentId>,
    pub workspace_id: Option<WorkspaceId>,
    /// Whom it concerns; everybody where it is nobody.
    pub owner_id: Option<UserId>,
}

/// Entries beyond this many are forgotten; a reader that far behind reads everything anew.
const KEPT: i64 = 10_000;

impl Tx {
    /// Says in the outbox that something changed. Seen by readers when the transaction commits.
    pub async fn event_insert(
        &mut self,
        kind: &str,
        project_id: Option<&ProjectId>,
        deployment_id: Option<&DeploymentId>,
        now: i64,
    ) -> StoreResult<()> {
        self.event_add(kind, project_id, deployment_id, None, now).await
    }

    pub(crate) async fn event_add(
        &mut self,
        kind: &str,
        project_id: Option<&ProjectId>,
        deployment_id: Option<&DeploymentId>,
        workspace: Option<(&WorkspaceId, &UserId)>,
        now: i64,
    ) -> StoreResult<()> {
        let position = self.count_up("events").await?;
        sqlx::query(
            "insert into events (position, kind, project_id, deployment_id, created_at, workspace_id, owner_id) \
             values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(position)
        .bind(kind)
        .bind(project_id.map(ProjectId::as_str))
        .bind(deployment_id.map(DeploymentId::as_str))
        .bind(now)
        .bind(workspace.map(|(id, _)| id.as_str()))
        .bind(workspace.map(|(_, owner)| owner.as_str()))
        .execute(&mut *self.inner)
        .await?;
        if position % 100 == 0 {
            sqlx::query("delete from events where position <= $1")
                .bind(position - KEPT)
                .execute(&mut *self.inner)
                .await?;
        }
        self.event = Some(position);
        Ok(())
    }

    pub async fn event_position(&mut self) -> StoreResult<i64> {
        let row = sqlx::query("select value from counters where name = 'events'").fetch_one(&mut *self.inner).await?;
        Ok(row.try_get(0)?)
    }

    /// Up to 500 entries after `position`, oldest first.
    pub async fn events_after(&mut self, position: i64) -> StoreResult<Vec<StoredEvent>> {
        let rows = sqlx::query(
            "select position, kind, project_id, deployment_id, workspace_id, owner_id from events where position > $1 \
             order by position limit 500",
        )
        .bind(position)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter()
            .map(|row| {
                let project: Option<String> = row.try_get("project_id")?;
                let deployment: Option<String> = row.try_get("deployment_id")?;
                let workspace: Option<String> = row.try_get("workspace_id")?;
                let owner: Option<String> = row.try_get("owner_id")?;
                Ok(StoredEvent {
                    position: row.try_get("position")?,
                    kind: row.try_get("kind")?,
                    project_id: project.map(|id| parse("project id", &id)).transpose()?,
                    deployment_id: deployment.map(|id| parse("deployment id", &id)).transpose()?,
                    workspace_id: workspace.map(|id| parse("workspace id", &id)).transpose()?,
                    owner_id: owner.map(|id| parse("user id", &id)).transpose()?,
                })
            })
            .collect()
    }
}
