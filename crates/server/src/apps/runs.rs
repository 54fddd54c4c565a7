//! Commands run once to their end: one-offs, commands inside a running app, scheduled jobs.

pub(crate) mod http;
mod schedules;

use domain::deployment::{Deployment, Failure};
use domain::project::Project;
use domain::run::Run;
use domain::user::User;
use ids::{DeploymentState, ProjectId, RunId, RunKind, RunState};
use store::{RunEnd, Store, Tx};

use crate::apps::deployments::Deployments;
use crate::error::{Error, Result};
use crate::now_ms;

pub(crate) const TIMEOUT_SECONDS: i64 = 3600;
const TIMEOUT_MAX_SECONDS: i64 = 86_400;
/// Runs of one project at a time.
const RUNNING_MAX: usize = 20;
const COMMAND_MAX: usize = 16 * 1024;

#[derive(Clone)]
pub(crate) struct Runs {
    store: Store,
    deployments: Deployments,
}

impl Runs {
    pub(crate) fn new(store: Store, deployments: Deployments) -> Self {
        Self { store, deployments }
    }

    /// Has a command run with the live release.
    pub(crate) async fn create(&self, project: &Project, user: &User, create: api::RunCreate) -> Result<Run> {
        let command = check_command(&create.command)?;
        let timeout_seconds = check_timeout(create.timeout_seconds)?;
        let mut tx = self.store.write().await?;
        let live = live(&mut tx, &project.id).await?;
        let (kind, name) = match &create.inside {
            Some(process) => (RunKind::Exec, process.clone()),
            None => (RunKind::Once, String::new()),
        };
        if kind == RunKind::Exec {
            self.check_process(&mut tx, &live, &name).await?;
        }
        let running = tx.run_running().await?;
        if running.iter().filter(|run| run.project_id == project.id).count() >= RUNNING_MAX {
            let message =
                format!("{RUNNING_MAX} commands of this project run already; wait for one to end or stop one");
            return Err(Error::conflict("TOO_MANY_RUNS", message));
        }
        let run = Run {
            name,
            command,
            timeout_seconds,
            created_by: Some(user.username.clone()),
            ..Run::begun(&live, kind, now_ms())
        };
        tx.run_insert(&run).await?;
        self.announce(&mut tx, &run).await?;
        tx.commit().await?;
        self.deployments.wake();
        Ok(run)
    }

    async fn check_process(&self, tx: &mut Tx, live: &Deployment, name: &str) -> Result<()> {
        let names = self.deployments.process_names(tx, live).await?;
        if names.iter().any(|known| known == name) {
            return Ok(());
        }
        let message = format!("the live release has no process `{name}`; it has {}", names.join(", "));
        Err(Error::invalid("inside", "UNKNOWN_PROCESS", message))
    }

    pub(crate) async fn find(&self, id: &RunId) -> Result<Run> {
        self.store.read().await?.run(id).await?.ok_or_else(|| Error::not_found("run"))
    }

    /// Newest first; only those of `schedule` when there is one.
    async fn list(
        &self,
        project: &ProjectId,
        schedule: Option<&str>,
        before: Option<&RunId>,
        limit: i64,
    ) -> Result<Vec<Run>> {
        let before = before.map_or("~", RunId::as_str);
        Ok(self.store.read().await?.run_list(project, schedule, before, limit).await?)
    }

    /// Stops a run; its node ends the process.
    async fn cancel(&self, id: &RunId, user: &User) -> Result<Run> {
        let mut tx = self.store.write().await?;
        let run = tx.run(id).await?.ok_or_else(|| Error::not_found("run"))?;
        let settled = |run: &Run| Error::conflict("ALREADY_SETTLED", format!("the run is {} already", run.state));
        if run.state.is_settled() {
            return Err(settled(&run));
        }
        let failure = Failure { reason: format!("stopped by {}", user.username), ..Failure::default() };
        let end = RunEnd { state: RunState::Cancelled, exit_code: None, signal: None, failure: Some(&failure) };
        if !tx.run_end(id, end, now_ms()).await? {
            let run = tx.run(id).await?.unwrap_or(run);
            return Err(settled(&run));
        }
        self.announce(&mut tx, &run).await?;
        tx.commit().await?;
        self.deployments.wake();
        self.find(id).await
    }

    async fn announce(&self, tx: &mut Tx, run: &Run) -> Result<()> {
        Ok(tx.event_insert("run.updated", Some(&run.project_id), Some(&run.deployment_id), now_ms()).await?)
    }
}

/// The deployment whose release a command would run with.
async fn live(tx: &mut Tx, project: &ProjectId) -> Result<Deployment> {
    let unsettled = tx.deployment_unsettled().await?;
    let live = unsettled
        .into_iter()
        .find(|deployment| &deployment.project_id == project && deployment.state == DeploymentState::Live);
    live.ok_or_else(|| Error::conflict("NOTHING_LIVE", "no release of this project is live; deploy it first"))
}

fn check_command(command: &str) -> Result<String> {
    let command = command.trim();
    let message = match domain::command::argv(command) {
        _ if command.len() > COMMAND_MAX || command.contains('\0') => "a command has at most 16,384 characters",
        Some(_) => return Ok(command.to_owned()),
        None => "the command has no words or an open quote",
    };
    Err(Error::invalid("command", "INVALID_COMMAND", message))
}

fn check_timeout(seconds: Option<i64>) -> Result<i64> {
    let seconds = seconds.unwrap_or(TIMEOUT_SECONDS);
    if (1..=TIMEOUT_MAX_SECONDS).contains(&seconds) {
        return Ok(seconds);
    }
    Err(Error::invalid("timeout_seconds", "INVALID_TIMEOUT", "a time limit is from 1 to 86400 seconds"))
}
