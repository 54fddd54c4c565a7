//! Going back to a kept release: what would change, and doing it.

use checkpoint::Checkpoint;
use domain::deployment::{Deployment, Failure};
use domain::project::Project;
use domain::release::{Contents, Diff, Release, diff};
use domain::user::User;
use ids::{DeploymentId, DeploymentState, Trigger};
use store::Tx;
use wire::Program;

use super::jobs::release_spec;
use super::{Deployments, live, refuse_deleting};
use crate::error::{Error, Result};
use crate::now_ms;

/// A deployment with the release that it has.
pub(super) struct End {
    pub(super) deployment: Deployment,
    pub(super) release: Release,
}

/// What a rollback would do.
pub(super) struct Plan {
    /// What is live, if anything is.
    pub(super) from: Option<End>,
    pub(super) to: End,
    pub(super) diff: Diff,
}

impl Deployments {
    /// What [`Self::rollback`] with the same request would change. Changes nothing.
    pub(super) async fn rollback_plan(&self, project: &Project, wanted: Option<&str>) -> Result<Plan> {
        let mut tx = self.store.read().await?;
        refuse_deleting(&mut tx, &project.id).await?;
        let source = rollback_source(&mut tx, project, wanted).await?;
        let to = end(&mut tx, source).await?.ok_or_else(not_kept)?;
        let from = match live(&mut tx, &project.id).await? {
            Some(live) => end(&mut tx, live).await?,
            None => None,
        };
        drop(tx);
        let now =
            from.as_ref().map_or_else(|| Ok(Contents::default()), |from| self.contents(project, &from.release))?;
        let diff = diff(&now, &self.contents(project, &to.release)?);
        Ok(Plan { from, to, diff })
    }

    /// What a release makes run, with its variables opened: for comparing, never for an answer.
    fn contents(&self, project: &Project, release: &Release) -> Result<Contents> {
        let spec = release_spec(release)?;
        // The owner's win, as they do in a process.
        let mut env = spec.runtime.env.into_iter().collect::<std::collections::BTreeMap<_, _>>();
        let given = self.environment.open_snapshot(&project.id, &release.env_sealed)?;
        env.extend(given.env);
        let named = |it: wire::NamedCommand| (it.name.as_str().to_owned(), it.command);
        let planned = |it: wire::Schedule| (it.name.as_str().to_owned(), format!("{} {}", it.schedule, it.command));
        Ok(Contents {
            kind: spec.kind,
            directory: spec.runtime.directory,
            path: spec.runtime.path,
            image: spec.runtime.image.map(|image| image.origin),
            env,
            files: given.files.into_iter().map(|file| (file.path, file.content)).collect(),
            web: spec.web.map(program),
            workers: spec.workers.into_iter().map(named).collect(),
            release_command: spec.release_command,
            schedules: spec.schedules.into_iter().map(planned).collect(),
            runtime: release.runtime.clone(),
        })
    }

    /// Makes a kept release live again, without a build. What is on its way is stopped for it.
    pub(crate) async fn rollback(&self, project: &Project, user: &User, request: &api::Rollback) -> Result<Deployment> {
        let now = now_ms();
        let mut tx = self.store.write().await?;
        refuse_deleting(&mut tx, &project.id).await?;
        let source = rollback_source(&mut tx, project, request.deployment_id.as_deref()).await?;
        for older in tx.deployment_unsettled().await?.iter().filter(|other| other.project_id == project.id) {
            if !older.state.is_settled() {
                let reason = format!("{} rolled back to number {}", user.username, source.number);
                self.end(&mut tx, older, DeploymentState::Cancelled, &Failure { reason, ..Failure::default() }).await?;
            }
        }
        let number = tx.project_next_number(&project.id).await?;
        let deployment = Deployment {
            branch: source.branch,
            commit: source.commit,
            plan: source.plan,
            release_id: source.release_id,
            created_by: Some(user.username.clone()),
            ..Deployment::queued(project.id.clone(), number, Trigger::Rollback, now)
        };
        self.insert(&mut tx, &deployment).await?;
        self.promote(&mut tx, &project.id).await?;
        let deployment = tx.deployment(&deployment.id).await?.unwrap_or(deployment);
        tx.commit().await?;
        checkpoint::reach(Checkpoint::RollbackRecorded).await;
        self.wake.notify_one();
        Ok(deployment)
    }
}

async fn end(tx: &mut Tx, deployment: Deployment) -> Result<Option<End>> {
    let release = match &deployment.release_id {
        Some(id) => tx.release(id).await?,
        None => None,
    };
    Ok(release.map(|release| End { deployment, release }))
}

fn not_kept() -> Error {
    Error::conflict(
        "RELEASE_NOT_KEPT",
        "the release of this deployment is not kept any more; redeploy its commit instead",
    )
}

fn program(program: Program) -> String {
    match program {
        Program::Command { command } => command,
        Program::Image => "what the image starts".into(),
        Program::Files { single_page: false } => "static files".into(),
        Program::Files { single_page: true } => "static files, unknown paths answered with the front page".into(),
    }
}

/// The deployment whose release shall live again: the named one, or the last live one with another release.
async fn rollback_source(tx: &mut Tx, project: &Project, wanted: Option<&str>) -> Result<Deployment> {
    let kept = tx.release_list(&project.id).await?;
    let is_kept =
        |deployment: &Deployment| kept.iter().any(|release| Some(&release.id) == deployment.release_id.as_ref());
    if let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) {
        let unknown = || Error::invalid("deployment_id", "UNKNOWN_DEPLOYMENT", "this project has no such deployment");
        let id = wanted.parse::<DeploymentId>().map_err(|_| unknown())?;
        let found = tx.deployment(&id).await?.filter(|found| found.project_id == project.id).ok_or_else(unknown)?;
        if !is_kept(&found) {
            return Err(not_kept());
        }
        // What it made so far would go with it.
        if !found.state.is_settled() {
            let message = "this deployment was not live yet; wait for it, or choose one that was";
            return Err(Error::conflict("NOT_LIVE_YET", message));
        }
        return Ok(found);
    }
    let live = live(tx, &project.id).await?;
    let live_release = live.as_ref().and_then(|live| live.release_id.clone());
    let listed = tx.deployment_list(&project.id, i64::MAX, 200).await?;
    listed
        .into_iter()
        .find(|other| other.state == DeploymentState::Retired && other.release_id != live_release && is_kept(other))
        .ok_or_else(|| Error::conflict("NOTHING_TO_ROLL_BACK_TO", "no earlier release is kept"))
}
