use std::collections::BTreeMap;

use domain::deployment::Failure;
use domain::idle::{Awake, Keeper};
use domain::workspace::{Workspace, WorkspaceFilter};
use ids::{NodeId, ProjectId, UserId, WorkspaceId, WorkspaceState};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::text::{REASON_MAX, last_lines, plain};
use crate::{StoreResult, Tx};

const COLUMNS: &str = "id, project_id, owner_id, node_id, name, branch, new_branch, state, state_since, attempt, \
    generation, steps, failure_code, reason, last_lines, memory_mb, idle_timeout_seconds, shutdown_deadline, awake_until, \
    awake_terminal_id, awake_terminal_name, awake_job, awake_command, created_at, updated_at";

/// What changes along with a workspace's state.
#[derive(Debug, Clone, Copy)]
pub enum WorkspaceChange<'a> {
    /// Nothing else.
    None,
    Failed(&'a Failure),
    /// Another start: what the last one came to is forgotten.
    Restart,
    /// The same, with new files.
    Rebuild,
}

fn workspace(row: &AnyRow) -> StoreResult<Workspace> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    let last_lines = text("last_lines")?.unwrap_or_default();
    let code = text("failure_code")?;
    let keeper = match text("awake_terminal_id")? {
        Some(terminal) => Some(Keeper {
            terminal: parse("terminal id", &terminal)?,
            terminal_name: text("awake_terminal_name")?.unwrap_or_default(),
            job: text("awake_job")?,
            command: text("awake_command")?,
        }),
        None => None,
    };
    Ok(Workspace {
        id: parse("workspace id", row.try_get("id")?)?,
        project_id: parse("project id", row.try_get("project_id")?)?,
        owner_id: parse("user id", row.try_get("owner_id")?)?,
        node_id: parse("node id", row.try_get("node_id")?)?,
        name: row.try_get("name")?,
        branch: text("branch")?,
        new_branch: text("new_branch")?,
        state: parse("workspace state", row.try_get("state")?)?,
        state_since: row.try_get("state_since")?,
        attempt: row.try_get("attempt")?,
        generation: row.try_get("generation")?,
        steps: row.try_get("steps")?,
        failure: text("reason")?.map(|reason| Failure {
            code,
            reason,
            last_lines: last_lines.lines().map(str::to_owned).collect(),
        }),
        memory_mb: u64::try_from(row.try_get::<i64, _>("memory_mb")?).unwrap_or_default(),
        idle_timeout_seconds: row.try_get("idle_timeout_seconds")?,
        awake: Awake { until: row.try_get("awake_until")?, by: keeper },
        shutdown_deadline: row.try_get("shutdown_deadline")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

impl Tx {
    pub async fn workspace_insert(&mut self, workspace: &Workspace) -> StoreResult<()> {
        sqlx::query(
            "insert into workspaces (id, project_id, owner_id, node_id, name, branch, new_branch, state, state_since, \
             attempt, generation, steps, memory_mb, idle_timeout_seconds, shutdown_deadline, created_at, updated_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        )
        .bind(workspace.id.as_str())
        .bind(workspace.project_id.as_str())
        .bind(workspace.owner_id.as_str())
        .bind(workspace.node_id.as_str())
        .bind(&workspace.name)
        .bind(&workspace.branch)
        .bind(&workspace.new_branch)
        .bind(workspace.state.as_str())
        .bind(workspace.state_since)
        .bind(workspace.attempt)
        .bind(workspace.generation)
        .bind(&workspace.steps)
        .bind(i64::try_from(workspace.memory_mb).unwrap_or(i64::MAX))
        .bind(workspace.idle_timeout_seconds)
        .bind(workspace.shutdown_deadline)
        .bind(workspace.created_at)
        .bind(workspace.updated_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    pub async fn workspace(&mut self, id: &WorkspaceId) -> StoreResult<Option<Workspace>> {
        let row = sqlx::query(&format!("select {COLUMNS} from workspaces where id = $1"))
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(workspace).transpose()
    }

    /// Newest first.
    pub async fn workspace_list(&mut self, filter: &WorkspaceFilter) -> StoreResult<Vec<Workspace>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from workspaces where ($1 = '' or owner_id = $1) and ($2 = '' or project_id = $2) \
             and ($3 = '' or node_id = $3) and ($4 = '' or state = $4) order by id desc"
        ))
        .bind(filter.owner.as_ref().map_or("", UserId::as_str))
        .bind(filter.project.as_ref().map_or("", ProjectId::as_str))
        .bind(filter.node.as_ref().map_or("", NodeId::as_str))
        .bind(filter.state.map_or("", WorkspaceState::as_str))
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(workspace).collect()
    }

    /// Moves a workspace on, if it is still in that state and start; says whether it was. A start forgets a deadline that
    /// has passed, an end what kept it awake.
    pub async fn workspace_transition(
        &mut self,
        id: &WorkspaceId,
        from: (WorkspaceState, i64),
        to: WorkspaceState,
        change: WorkspaceChange<'_>,
        now: i64,
    ) -> StoreResult<bool> {
        let (restarts, rebuilds) = match change {
            WorkspaceChange::None | WorkspaceChange::Failed(_) => (0_i64, 0_i64),
            WorkspaceChange::Restart => (1, 0),
            WorkspaceChange::Rebuild => (1, 1),
        };
        let failure = if let WorkspaceChange::Failed(failure) = change { Some(failure) } else { None };
        let done = sqlx::query(
            "update workspaces set state = $4, state_since = $5, updated_at = $5, attempt = attempt + $6, \
             generation = generation + $7, steps = case when $6 = 1 then '[]' else steps end, \
             failure_code = case when $6 = 1 then null else coalesce($8, failure_code) end, \
             reason = case when $6 = 1 then null else coalesce($9, reason) end, \
             last_lines = case when $6 = 1 then null else coalesce($10, last_lines) end, \
             shutdown_deadline = case when $6 = 1 and shutdown_deadline <= $5 then null else shutdown_deadline end, \
             awake_until = case when $11 = 1 then null else awake_until end, \
             awake_terminal_id = case when $11 = 1 then null else awake_terminal_id end \
             where id = $1 and state = $2 and attempt = $3",
        )
        .bind(id.as_str())
        .bind(from.0.as_str())
        .bind(from.1)
        .bind(to.as_str())
        .bind(now)
        .bind(restarts)
        .bind(rebuilds)
        .bind(failure.and_then(|failure| failure.code.as_deref()))
        .bind(failure.map(|failure| plain(&failure.reason, REASON_MAX)))
        .bind(failure.map(|failure| last_lines(&failure.last_lines)))
        .bind(i64::from(!matches!(to, WorkspaceState::Running | WorkspaceState::Recovery | WorkspaceState::Creating)))
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps the steps that a node reported of a start; says whether they are news.
    pub async fn workspace_progress(
        &mut self,
        id: &WorkspaceId,
        attempt: i64,
        steps: &str,
        now: i64,
    ) -> StoreResult<bool> {
        let done = sqlx::query(
            "update workspaces set steps = $3, updated_at = $4 where id = $1 and attempt = $2 and steps <> $3 \
             and state in ('creating', 'running', 'recovery')",
        )
        .bind(id.as_str())
        .bind(attempt)
        .bind(steps)
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether it was there, and not on its way out.
    pub async fn workspace_update(
        &mut self,
        id: &WorkspaceId,
        name: &str,
        idle_timeout_seconds: i64,
        shutdown_deadline: Option<i64>,
        now: i64,
    ) -> StoreResult<bool> {
        let done = sqlx::query(
            "update workspaces set name = $2, idle_timeout_seconds = $3, shutdown_deadline = $4, updated_at = $5 \
             where id = $1 and state <> 'deleting'",
        )
        .bind(id.as_str())
        .bind(name)
        .bind(idle_timeout_seconds)
        .bind(shutdown_deadline)
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Writes down what keeps a workspace awake, if it still is in that start and runs.
    pub async fn workspace_awake(
        &mut self,
        id: &WorkspaceId,
        attempt: i64,
        awake: &Awake,
        now: i64,
    ) -> StoreResult<bool> {
        let by = awake.by.as_ref();
        let done = sqlx::query(
            "update workspaces set awake_until = $3, awake_terminal_id = $4, awake_terminal_name = $5, \
             awake_job = $6, awake_command = $7, updated_at = $8 \
             where id = $1 and attempt = $2 and state in ('running', 'recovery')",
        )
        .bind(id.as_str())
        .bind(attempt)
        .bind(awake.until)
        .bind(by.map(|by| by.terminal.as_str()))
        .bind(by.map(|by| by.terminal_name.as_str()))
        .bind(by.and_then(|by| by.job.as_deref()))
        .bind(by.and_then(|by| by.command.as_deref()))
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes one whose node has confirmed that nothing is left of it.
    pub async fn workspace_delete(&mut self, id: &WorkspaceId) -> StoreResult<bool> {
        let done = sqlx::query("delete from workspaces where id = $1 and state = 'deleting'")
            .bind(id.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// How many of a user's take something of a machine: those that run, begin or are being ended.
    pub async fn workspace_active_of(&mut self, owner: &UserId) -> StoreResult<u64> {
        let row = sqlx::query(
            "select count(*) from workspaces where owner_id = $1 \
             and state in ('creating', 'running', 'recovery', 'stopping')",
        )
        .bind(owner.as_str())
        .fetch_one(&mut *self.inner)
        .await?;
        Ok(u64::try_from(row.try_get::<i64, _>(0)?).unwrap_or_default())
    }

    /// The same of everybody's, for each node that has any.
    pub async fn workspace_active_by_node(&mut self) -> StoreResult<BTreeMap<NodeId, u64>> {
        let rows = sqlx::query(
            "select node_id, count(*) as workspaces from workspaces \
             where state in ('creating', 'running', 'recovery', 'stopping') group by node_id",
        )
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter()
            .map(|row| {
                let count = u64::try_from(row.try_get::<i64, _>("workspaces")?).unwrap_or_default();
                Ok((parse("node id", row.try_get("node_id")?)?, count))
            })
            .collect()
    }

    /// Says in the outbox that something happened to a workspace. Only its owner is told.
    pub async fn workspace_event(&mut self, kind: &str, workspace: &Workspace, now: i64) -> StoreResult<()> {
        self.event_add(kind, Some(&workspace.project_id), None, Some((&workspace.id, &workspace.owner_id)), now).await
    }
}
