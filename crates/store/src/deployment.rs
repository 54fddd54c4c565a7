use domain::deployment::{Commit, Deployment, Failure, Step, begin_step};
use ids::{DeploymentId, DeploymentState, ProjectId, ReleaseId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::error::parse;
use crate::text::{LINE_MAX, REASON_MAX, json, last_lines, plain};
use crate::{StoreResult, Tx};

const COLUMNS: &str = "id, project_id, number, state, trigger_kind, step, branch, wanted_commit, commit_sha, \
    commit_message, commit_author, plan, env_sealed, release_id, upload_id, failure_code, reason, last_lines, created_by, \
    created_at, started_at, finished_at, steps, because";

/// What changes along with a deployment's state. Absent fields stay as they are.
#[derive(Debug, Clone, Default)]
pub struct DeploymentChange<'a> {
    pub step: Option<&'a str>,
    pub release_id: Option<&'a ReleaseId>,
    pub env_sealed: Option<&'a str>,
    pub failure: Option<&'a Failure>,
}

fn deployment(row: &AnyRow) -> StoreResult<Deployment> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    let commit = text("commit_sha")?
        .map(|sha| {
            Ok::<_, sqlx::Error>(Commit {
                sha,
                message: text("commit_message")?.unwrap_or_default(),
                author: text("commit_author")?.unwrap_or_default(),
            })
        })
        .transpose()?;
    let last_lines = text("last_lines")?.unwrap_or_default();
    let code = text("failure_code")?;
    Ok(Deployment {
        id: parse("deployment id", row.try_get("id")?)?,
        project_id: parse("project id", row.try_get("project_id")?)?,
        number: row.try_get("number")?,
        state: parse("deployment state", row.try_get("state")?)?,
        trigger: parse("trigger", row.try_get("trigger_kind")?)?,
        step: text("step")?,
        steps: steps(text("steps")?)?,
        branch: text("branch")?,
        wanted_commit: text("wanted_commit")?,
        commit,
        plan: text("plan")?,
        env_sealed: text("env_sealed")?,
        release_id: text("release_id")?.map(|id| parse("release id", &id)).transpose()?,
        upload: text("upload_id")?.map(|id| parse("upload id", &id)).transpose()?,
        because: text("because")?,
        failure: text("reason")?.map(|reason| Failure {
            code,
            reason,
            last_lines: last_lines.lines().map(str::to_owned).collect(),
        }),
        created_by: text("created_by")?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

fn steps(stored: Option<String>) -> StoreResult<Vec<Step>> {
    stored.map_or(Ok(Vec::new()), |text| json("list of steps", &text))
}

impl Tx {
    /// How many there are in each state that any is in.
    pub async fn deployment_counts(&mut self) -> StoreResult<Vec<(DeploymentState, u64)>> {
        let text = "select state, count(*) as deployments from deployments group by state order by state";
        let rows = sqlx::query(text).fetch_all(&mut *self.inner).await?;
        rows.iter()
            .map(|row| {
                let state = parse("deployment state", row.try_get("state")?)?;
                Ok((state, u64::try_from(row.try_get::<i64, _>("deployments")?).unwrap_or_default()))
            })
            .collect()
    }

    pub async fn deployment_insert(&mut self, deployment: &Deployment) -> StoreResult<()> {
        sqlx::query(
            "insert into deployments (id, project_id, number, state, trigger_kind, branch, wanted_commit, commit_sha, \
             commit_message, commit_author, plan, release_id, upload_id, created_by, created_at, because) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
        )
        .bind(deployment.id.as_str())
        .bind(deployment.project_id.as_str())
        .bind(deployment.number)
        .bind(deployment.state.as_str())
        .bind(deployment.trigger.as_str())
        .bind(&deployment.branch)
        .bind(&deployment.wanted_commit)
        .bind(deployment.commit.as_ref().map(|commit| &commit.sha))
        .bind(deployment.commit.as_ref().map(|commit| &commit.message))
        .bind(deployment.commit.as_ref().map(|commit| &commit.author))
        .bind(&deployment.plan)
        .bind(deployment.release_id.as_ref().map(ReleaseId::as_str))
        .bind(deployment.upload.as_ref().map(DeploymentId::as_str))
        .bind(&deployment.created_by)
        .bind(deployment.created_at)
        .bind(deployment.because.as_ref().map(|because| plain(because, LINE_MAX)))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    pub async fn deployment(&mut self, id: &DeploymentId) -> StoreResult<Option<Deployment>> {
        let row = sqlx::query(&format!("select {COLUMNS} from deployments where id = $1"))
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        row.as_ref().map(deployment).transpose()
    }

    /// Newest first, up to `limit`, those numbered below `before`.
    pub async fn deployment_list(
        &mut self,
        project_id: &ProjectId,
        before: i64,
        limit: i64,
    ) -> StoreResult<Vec<Deployment>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from deployments where project_id = $1 and number < $2 order by number desc limit $3"
        ))
        .bind(project_id.as_str())
        .bind(before)
        .bind(limit)
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(deployment).collect()
    }

    /// The newest deployment of every project.
    pub async fn deployment_latest(&mut self) -> StoreResult<Vec<Deployment>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from deployments where (project_id, number) in \
             (select project_id, max(number) from deployments group by project_id)"
        ))
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(deployment).collect()
    }

    /// Those that built what the project keeps.
    pub async fn deployment_of_releases(&mut self, project_id: &ProjectId) -> StoreResult<Vec<Deployment>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from deployments where id in (select deployment_id from releases where project_id = $1)"
        ))
        .bind(project_id.as_str())
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(deployment).collect()
    }

    /// Those that a reconciler has to look at: queued, active or live, oldest first.
    pub async fn deployment_unsettled(&mut self) -> StoreResult<Vec<Deployment>> {
        let rows = sqlx::query(&format!(
            "select {COLUMNS} from deployments where state in ('queued', 'building', 'starting', 'live') \
             order by project_id, number"
        ))
        .fetch_all(&mut *self.inner)
        .await?;
        rows.iter().map(deployment).collect()
    }

    /// Moves a deployment from one state to the next, if it is still there; says whether it was.
    pub async fn deployment_transition(
        &mut self,
        id: &DeploymentId,
        from: DeploymentState,
        to: DeploymentState,
        change: DeploymentChange<'_>,
        now: i64,
    ) -> StoreResult<bool> {
        debug_assert!(domain::deployment::may_become(from, to), "{from} -> {to}");
        let started = (from == DeploymentState::Queued && to.is_active()).then_some(now);
        let finished = (!from.is_settled() && to.is_settled()).then_some(now);
        let steps = self.steps_with(id, change.step, now).await?;
        let done = sqlx::query(
            "update deployments set state = $3, step = $4, release_id = coalesce($5, release_id), \
             failure_code = coalesce($6, failure_code), reason = coalesce($7, reason), \
             last_lines = coalesce($8, last_lines), started_at = coalesce(started_at, $9), \
             finished_at = coalesce(finished_at, $10), env_sealed = coalesce($11, env_sealed), \
             steps = coalesce($12, steps) where id = $1 and state = $2",
        )
        .bind(id.as_str())
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(change.step)
        .bind(change.release_id.map(ReleaseId::as_str))
        .bind(change.failure.and_then(|failure| failure.code.as_deref()))
        .bind(change.failure.map(|failure| plain(&failure.reason, REASON_MAX)))
        .bind(change.failure.map(|failure| last_lines(&failure.last_lines)))
        .bind(started)
        .bind(finished)
        .bind(change.env_sealed)
        .bind(steps)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps what a node reported of an active deployment; says whether that was news.
    pub async fn deployment_progress(
        &mut self,
        id: &DeploymentId,
        step: &str,
        commit: Option<&Commit>,
        plan: Option<&str>,
        now: i64,
    ) -> StoreResult<bool> {
        let steps = self.steps_with(id, Some(step), now).await?;
        let done = sqlx::query(
            "update deployments set step = $2, commit_sha = coalesce($3, commit_sha), \
             commit_message = coalesce($4, commit_message), commit_author = coalesce($5, commit_author), \
             plan = coalesce($6, plan), steps = coalesce($7, steps) where id = $1 and state in ('building', 'starting') \
             and (step is null or step <> $2 or (commit_sha is null and $3 is not null) \
             or (plan is null and $6 is not null))",
        )
        .bind(id.as_str())
        .bind(step)
        .bind(commit.map(|commit| commit.sha.as_str()))
        .bind(commit.map(|commit| plain(&commit.message, LINE_MAX)))
        .bind(commit.map(|commit| plain(&commit.author, LINE_MAX)))
        .bind(plan)
        .bind(steps)
        .execute(&mut *self.inner)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The steps of a deployment with one that begins now, as they are stored. Nobody else writes meanwhile.
    async fn steps_with(&mut self, id: &DeploymentId, begins: Option<&str>, now: i64) -> StoreResult<Option<String>> {
        let Some(name) = begins else { return Ok(None) };
        let row = sqlx::query("select steps from deployments where id = $1")
            .bind(id.as_str())
            .fetch_optional(&mut *self.inner)
            .await?;
        let stored = row.map(|row| row.try_get::<Option<String>, _>(0)).transpose()?.flatten();
        let mut steps = steps(stored)?;
        begin_step(&mut steps, name, now);
        Ok(serde_json::to_string(&steps).ok())
    }
}
