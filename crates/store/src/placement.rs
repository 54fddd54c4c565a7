use domain::placement::Placement;
use ids::{NodeId, PlacementState, ProjectId};
use sqlx::Row;

use crate::error::parse;
use crate::{StoreResult, Tx};

impl Tx {
    /// Every project's nodes, oldest first.
    pub async fn placement_all(&mut self) -> StoreResult<Vec<(ProjectId, Placement)>> {
        let rows = sqlx::query("select project_id, node_id, state from placements order by created_at, node_id")
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter()
            .map(|row| {
                let placement = Placement {
                    node_id: parse("node id", row.try_get("node_id")?)?,
                    state: parse("placement state", row.try_get("state")?)?,
                };
                Ok((parse("project id", row.try_get("project_id")?)?, placement))
            })
            .collect()
    }

    /// Puts a project on a node, where it may be on its way out.
    pub async fn placement_want(&mut self, project: &ProjectId, node: &NodeId, now: i64) -> StoreResult<()> {
        sqlx::query(
            "insert into placements (project_id, node_id, state, created_at) values ($1, $2, 'wanted', $3) \
             on conflict (project_id, node_id) do update set state = 'wanted'",
        )
        .bind(project.as_str())
        .bind(node.as_str())
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Whether it was in `from`.
    pub async fn placement_transition(
        &mut self,
        project: &ProjectId,
        node: &NodeId,
        from: PlacementState,
        to: PlacementState,
    ) -> StoreResult<bool> {
        let done =
            sqlx::query("update placements set state = $4 where project_id = $1 and node_id = $2 and state = $3")
                .bind(project.as_str())
                .bind(node.as_str())
                .bind(from.as_str())
                .bind(to.as_str())
                .execute(&mut *self.inner)
                .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Nothing of the project is on the node any more.
    pub async fn placement_delete(&mut self, project: &ProjectId, node: &NodeId) -> StoreResult<()> {
        sqlx::query("delete from placements where project_id = $1 and node_id = $2 and state <> 'wanted'")
            .bind(project.as_str())
            .bind(node.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }

    /// Builds from now on happen on another node; whether they happened on `from` until now.
    pub async fn project_move_home(&mut self, project: &ProjectId, from: &NodeId, to: &NodeId) -> StoreResult<bool> {
        let done = sqlx::query("update projects set node_id = $3 where id = $1 and node_id = $2")
            .bind(project.as_str())
            .bind(from.as_str())
            .bind(to.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
