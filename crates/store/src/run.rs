use domain::deployment::Failure;
use domain::run::{Run, ScheduledJob};
use ids::{DeploymentId, ProcessName, ProjectId, ReleaseId, RunId, RunState};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::text::{REASON_MAX, last_lines, plain};
use crate::{StoreResult, Tx};

const COLUMNS: &str = "id, project_id, release_id, deployment_id, kind, name, command, state, timeout_seconds, \
    scheduled_for, exit_code, signal, failure_code, reason, last_lines, created_by, created_at, finished_at";

fn run(row: &AnyRow) -> StoreResult<Run> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    let lines = text("last_lines")?.unwrap_or_default();
    let code = text("failure_code")?;
    Ok(Run {
        id: parse("run id", row.try_get("id")?)?,
        project_id: parse("project id", row.try_get("project_id")?)?,
        release_id: text("release_id")?.map(|id| parse("release id", &id)).transpose()?,
        deployment_id: parse("deployment id", row.try_get("deployment_id")?)?,
        kind: parse("run kind", row.try_get("kind")?)?,
        name: row.try_get("name")?,
        command: row.try_get("command")?,
        state: parse("run state", row.try_get("state")?)?,
        timeout_seconds: row.try_get("timeout_seconds")?,
        scheduled_for: row.try_get("scheduled_for")?,
        exit_code: row.try_get("exit_code")?,
        signal: row.try_get("signal")?,
        failure: text("reason")?.map(|reason| Failure {
            code,
            reason,
            last_lines: lines.lines().map(str::to_owned).collect(),
        }),
        created_by: text("created_by")?,
        created_at: row.try_get("created_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

fn scheduled_job(row: &AnyRow) -> StoreResult<ScheduledJob> {
    Ok(ScheduledJob {
        project_id: parse("project id", row.try_get("project_id")?)?,
        name: parse("schedule name", row.try_get("name")?)?,
        schedule: row.try_get("schedule")?,
        command: row.try_get("command")?,
        enabled: row.try_get::<i64, _>("enabled")? == 1,
        timeout_seconds: row.try_get("timeout_seconds")?,
        updated_at: row.try_get("updated_at")?,
    })
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunEnd<'a> {
    pub state: RunState,
    pub exit_code: Option<i64>,
    pub signal: Option<i64>,
    pub failure: Option<&'a Failure>,
}

impl Tx {
    /// Whether it is new: a second release command of a deployment, or a second run for the same time, is none.
    pub async fn run_insert(&mut self, run: &Run) -> StoreResult<bool> {
        let done = sqlx::query(&format!(
            "insert into runs ({COLUMNS}) values \
             ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) on conflict do nothing"
        ))
        .bind(run.id.as_str())
        .bind(run.project_id.as_str())
        .bind(run.release_id.as_ref().map(ReleaseId::as_str))
        .bind(run.deployment_id.as_str())
        .bind(run.kind.as_str())
        .bind(&run.name)
        .bind(&run.command)
        .bind(run.state.as_str())
        .bind(run.timeout_seconds)
        .bind(run.scheduled_for)
        .bind(run.exit_code)
        .bind(run.signal)
        .bind(run.failure.as_ref().and_then(|failure| failure.code.as_deref()))
        .bind(run.failure.as_ref().map(|failure| plain(&failure.reason, REASON_MAX)))
        .bind(run.failure.as_ref().map(|failure| last_lines(&failure.last_lines)))
        .bind(&run.created_by)
        .bind(run.created_at)
        .bind(run.finished_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    pub async fn run(&mut self, id: &RunId) -> StoreResult<Option<Run>> {
        let row = sqlx::query(&format!("select {COLUMNS} from runs where id = $1"))
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(run).transpose()
    }

    /// The release command's run for a deployment.
    pub async fn run_of_release(&mut self, deployment: &DeploymentId) -> StoreResult<Option<Run>> {
        let row = sqlx::query(&format!("select {COLUMNS} from runs where deployment_id = $1 and kind = 'release'"))
            .bind(deployment.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(run).transpose()
    }

    /// Every run that has not ended, oldest first.
    pub async fn run_running(&mut self) -> StoreResult<Vec<Run>> {
        let rows = sqlx::query(&format!("select {COLUMNS} from runs where state = 'running' order by id"))
            .fetch_all(&mut *self.inner)
            .await?;
        rows.iter().map(run).collect()
    }

    /// A project's runs before the one with id `before`, newest first; only those of a schedule when it is named,
    /// which leaves out other kinds of that name: a process may have it too.
    pub async fn run_list(
        &mut self,
        project: &ProjectId,
        schedule: Option<&str>,
        before: &str,
        limit: i64,
    ) -> StoreResult<Vec<Run>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from runs where project_id = $1 and id < $2 \
             and ($3 = '' or (kind = 'schedule' and name = $3)) order by id desc limit $4"
        ))
        .bind(project.as_str())
        .bind(before)
        .bind(schedule.unwrap_or_default())
        .bind(limit)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(run).collect()
    }

    /// When each schedule's last run was due.
    pub async fn run_last_scheduled(&mut self, project: &ProjectId) -> StoreResult<Vec<(String, i64)>> {
        let rows = sqlx::query(
            "select name, max(scheduled_for) as last from runs where project_id = $1 and kind = 'schedule' group by name",
        )
        .bind(project.as_str())
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(|row| Ok((row.try_get("name")?, row.try_get("last")?))).collect()
    }

    /// Ends a run that has not ended; says whether it had not.
    pub async fn run_end(&mut self, id: &RunId, end: RunEnd<'_>, now: i64) -> StoreResult<bool> {
        debug_assert!(end.state.is_settled());
        let done = sqlx::query(
            "update runs set state = $2, exit_code = $3, signal = $4, failure_code = $5, reason = $6, \
             last_lines = $7, finished_at = $8 where id = $1 and state = 'running'",
        )
        .bind(id.as_str())
        .bind(end.state.as_str())
        .bind(end.exit_code)
        .bind(end.signal)
        .bind(end.failure.and_then(|failure| failure.code.as_deref()))
        .bind(end.failure.map(|failure| plain(&failure.reason, REASON_MAX)))
        .bind(end.failure.map(|failure| last_lines(&failure.last_lines)))
        .bind(now)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets all but the newest `keep` ended runs of a project; the last one of each schedule stays.
    pub async fn run_purge(&mut self, project: &ProjectId, keep: i64) -> StoreResult<()> {
        sqlx::query(
            "delete from runs where project_id = $1 and state <> 'running' and id not in \
             (select id from runs where project_id = $1 order by id desc limit $2) and id not in \
             (select max(id) from runs where project_id = $1 and kind = 'schedule' group by name)",
        )
        .bind(project.as_str())
        .bind(keep)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// By name.
    pub async fn schedule_list(&mut self, project: &ProjectId) -> StoreResult<Vec<ScheduledJob>> {
        let rows = sqlx::query(
            "select project_id, name, schedule, command, enabled, timeout_seconds, updated_at from schedules \
             where project_id = $1 order by name",
        )
        .bind(project.as_str())
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(scheduled_job).collect()
    }

    /// Makes a schedule or replaces the one with its name.
    pub async fn schedule_put(&mut self, job: &ScheduledJob) -> StoreResult<()> {
        sqlx::query(
            "insert into schedules (project_id, name, schedule, command, enabled, timeout_seconds, updated_at) \
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (project_id, name) do update set \
             schedule = excluded.schedule, command = excluded.command, enabled = excluded.enabled, \
             timeout_seconds = excluded.timeout_seconds, updated_at = excluded.updated_at",
        )
        .bind(job.project_id.as_str())
        .bind(job.name.as_str())
        .bind(&job.schedule)
        .bind(&job.command)
        .bind(i64::from(job.enabled))
        .bind(job.timeout_seconds)
        .bind(job.updated_at)
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Whether there was one.
    pub async fn schedule_delete(&mut self, project: &ProjectId, name: &ProcessName) -> StoreResult<bool> {
        let done = sqlx::query("delete from schedules where project_id = $1 and name = $2")
            .bind(project.as_str())
            .bind(name.as_str())
            .execute(&mut *self.inner)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}
