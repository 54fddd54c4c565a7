//! Bringing a commit live: asking for it here, doing it in the reconciler.

pub(crate) mod desired;
pub(crate) mod http;
pub(crate) mod jobs;
mod placement;
mod reconcile;
mod releases;
mod rollback;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use checkpoint::Checkpoint;
use domain::deployment::{Deployment, Failure};
use domain::placement::Placement;
use domain::project::Project;
use domain::user::User;
use domain::workspace::WorkspaceFilter;
use ids::{CommitSha, DeploymentId, DeploymentState, NodeId, ProjectId, ReleaseId, RunState, SourceKind, Trigger};
use store::{DeploymentChange, RunEnd, Store, Tx};
use tokio::sync::Notify;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::now_ms;
use crate::platform::activity::Activity;
use crate::platform::environment::Environment;
use crate::platform::nodes::Nodes;
use crate::platform::notifications::Notifications;
use crate::platform::projects::Projects;

use watch::Change;

/// A deletion that takes longer is answered with "accepted" and goes on.
const DELETE_WAIT: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct Deployments {
    store: Store,
    config: Arc<Config>,
    nodes: Nodes,
    projects: Projects,
    environment: Environment,
    notifications: Notifications,
    activity: Activity,
    wake: Arc<Notify>,
    /// Releases on their way to another node.
    copying: Arc<Mutex<BTreeSet<(DeploymentId, NodeId)>>>,
}

/// What a project's page shows of its deployments.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    pub(crate) live: Option<Deployment>,
    pub(crate) latest: Option<Deployment>,
    /// Releases that a rollback can choose from.
    pub(crate) kept: Vec<ReleaseId>,
    pub(crate) placements: Vec<Placement>,
}

/// What a new deployment shall take.
struct Wanted {
    trigger: Trigger,
    commit: Option<String>,
    upload: Option<DeploymentId>,
    because: Option<String>,
}

/// What became of a request to deploy again.
pub(crate) enum Redeployed {
    Begun(Box<Deployment>),
    /// Nothing that the project watches has changed.
    Unchanged {
        reason: String,
    },
}

impl Deployments {
    pub(crate) fn new(
        store: Store,
        config: Arc<Config>,
        nodes: Nodes,
        projects: Projects,
        environment: Environment,
        notifications: Notifications,
        activity: Activity,
    ) -> Self {
        Self {
            store,
            config,
            nodes,
            projects,
            environment,
            notifications,
            activity,
            wake: Arc::new(Notify::new()),
            copying: Arc::default(),
        }
    }

    /// Every project, by name, with its deployments.
    pub(crate) async fn overview(&self) -> Result<Vec<(Project, Recent)>> {
        let mut tx = self.store.read().await?;
        let projects = tx.project_list().await?;
        let latest = tx.deployment_latest().await?;
        let unsettled = tx.deployment_unsettled().await?;
        let mut recent = BTreeMap::<ProjectId, Recent>::new();
        for deployment in latest {
            let of_project = recent.entry(deployment.project_id.clone()).or_default();
            of_project.latest = Some(deployment);
        }
        for deployment in unsettled.into_iter().filter(|deployment| deployment.state == DeploymentState::Live) {
            let of_project = recent.entry(deployment.project_id.clone()).or_default();
            of_project.live = Some(deployment);
        }
        for (project, placement) in tx.placement_all().await? {
            recent.entry(project).or_default().placements.push(placement);
        }
        Ok(projects
            .into_iter()
            .map(|project| {
                let recent = recent.remove(&project.id).unwrap_or_default();
                (project, recent)
            })
            .collect())
    }

    pub(crate) async fn recent(&self, project: &Project) -> Result<Recent> {
        let mut tx = self.store.read().await?;
        let latest = tx.deployment_list(&project.id, i64::MAX, 1).await?.pop();
        let live = live(&mut tx, &project.id).await?;
        let kept = tx.release_list(&project.id).await?.into_iter().map(|release| release.id).collect();
        let placements = tx.placement_all().await?.into_iter().filter(|(id, _)| *id == project.id);
        let placements = placements.map(|(_, placement)| placement).collect();
        Ok(Recent { live, latest, kept, placements })
    }

    pub(crate) async fn find(&self, id: &DeploymentId) -> Result<Deployment> {
        self.store.read().await?.deployment(id).await?.ok_or_else(|| Error::not_found("deployment"))
    }

    /// Newest first, with whether each one's release is kept.
    pub(crate) async fn list(&self, project: &Project, before: i64, limit: i64) -> Result<Vec<(Deployment, bool)>> {
        let mut tx = self.store.read().await?;
        let kept = tx.release_list(&project.id).await?;
        let listed = tx.deployment_list(&project.id, before, limit).await?;
        Ok(listed
            .into_iter()
            .map(|deployment| {
                let is_kept = kept.iter().any(|release| Some(&release.id) == deployment.release_id.as_ref());
                (deployment, is_kept)
            })
            .collect())
    }

    pub(crate) async fn create_first(&self, project: &Project, user: &User) -> Result<Deployment> {
        self.enqueue(project, user, Wanted { trigger: Trigger::Create, commit: None, upload: None, because: None })
            .await
    }

    /// Deploys the newest commit of the branch, the given one, or the last upload again.
    pub(crate) async fn redeploy(&self, project: &Project, user: &User, request: &api::Redeploy) -> Result<Redeployed> {
        let commit = request.commit.as_deref().filter(|commit| !commit.trim().is_empty());
        let commit = commit
            .map(|commit| commit.parse::<CommitSha>())
            .transpose()
            .map_err(|error| Error::invalid("commit", "INVALID_COMMIT", error.to_string()))?;
        let upload = match project.source {
            SourceKind::Git if project.settings.repo_url.is_none() => {
                let message = "this project has no repository; set its `repo_url`, or upload a directory";
                return Err(Error::conflict("NO_SOURCE", message));
            }
            SourceKind::Git => None,
            SourceKind::Image if commit.is_some() => {
                return Err(Error::invalid(
                    "commit",
                    "INVALID_COMMIT",
                    "an image has no commits; set the project's `image`",
                ));
            }
            SourceKind::Image => None,
            SourceKind::Upload if commit.is_some() => {
                return Err(Error::invalid("commit", "INVALID_COMMIT", "an uploaded project has no commits"));
            }
            SourceKind::Upload => Some(project.upload.clone().ok_or_else(|| {
                let message =
                    "nothing was uploaded yet; run `nanoscale deploy <directory>` or PUT a tar archive to its source";
                Error::conflict("NO_SOURCE", message)
            })?),
        };
        let commit = commit.map(|commit| commit.as_str().to_owned());
        let because = match request.if_changed && project.source == SourceKind::Git {
            true => match self.change(project, commit.clone()).await? {
                Change::None { reason } => return Ok(Redeployed::Unchanged { reason }),
                Change::Some { because } => Some(because),
            },
            false => None,
        };
        let wanted = Wanted { trigger: Trigger::Manual, commit, upload, because };
        self.enqueue(project, user, wanted).await.map(|deployment| Redeployed::Begun(Box::new(deployment)))
    }

    /// Deploys an archive that lies in the server's uploads.
    pub(crate) async fn deploy_upload(
        &self,
        project: &Project,
        user: &User,
        upload: DeploymentId,
    ) -> Result<Deployment> {
        let wanted = Wanted { trigger: Trigger::Upload, commit: None, upload: Some(upload), because: None };
        self.enqueue(project, user, wanted).await
    }

    async fn enqueue(&self, project: &Project, user: &User, wanted: Wanted) -> Result<Deployment> {
        let mut tx = self.store.write().await?;
        let deployment = self.enqueue_in(&mut tx, project, Some(user), wanted).await?;
        tx.commit().await?;
        checkpoint::reach(Checkpoint::DeploymentRecorded).await;
        self.wake.notify_one();
        Ok(deployment)
    }

    /// For somebody, or because something else that the transaction does needs it.
    async fn enqueue_in(
        &self,
        tx: &mut Tx,
        project: &Project,
        user: Option<&User>,
        wanted: Wanted,
    ) -> Result<Deployment> {
        let now = now_ms();
        refuse_deleting(tx, &project.id).await?;
        if let (Trigger::Upload, Some(upload)) = (wanted.trigger, &wanted.upload) {
            tx.project_set_upload(&project.id, upload, now).await?;
        }
        let number = tx.project_next_number(&project.id).await?;
        let mut deployment = Deployment::queued(project.id.clone(), number, wanted.trigger, now);
        deployment.branch = project.settings.branch.clone().filter(|_| wanted.upload.is_none());
        deployment.wanted_commit = wanted.commit;
        deployment.upload = wanted.upload;
        deployment.because = wanted.because;
        deployment.created_by = user.map(|user| user.username.clone());
        self.insert(tx, &deployment).await?;
        // Begun at once if nothing else is, so that a second request queues behind it instead of replacing it.
        self.promote(tx, &project.id).await?;
        Ok(tx.deployment(&deployment.id).await?.unwrap_or(deployment))
    }

    /// Adds a queued deployment; those that still waited are superseded by it.
    async fn insert(&self, tx: &mut Tx, deployment: &Deployment) -> Result<()> {
        let unsettled = tx.deployment_unsettled().await?;
        let waiting =
            |other: &&Deployment| other.project_id == deployment.project_id && other.state == DeploymentState::Queued;
        for older in unsettled.iter().filter(waiting) {
            let reason = format!("number {} was asked for before this one began", deployment.number);
            self.end(tx, older, DeploymentState::Superseded, &Failure { reason, ..Failure::default() }).await?;
        }
        tx.deployment_insert(deployment).await?;
        tx.event_insert("deployment.created", Some(&deployment.project_id), Some(&deployment.id), now_ms()).await?;
        Ok(())
    }

    /// Begins the project's oldest waiting deployment if none is active.
    async fn promote(&self, tx: &mut Tx, project: &ProjectId) -> Result<()> {
        let unsettled = tx.deployment_unsettled().await?;
        let mut of_project = unsettled.iter().filter(|deployment| &deployment.project_id == project);
        if of_project.clone().any(|deployment| deployment.state.is_active()) {
            return Ok(());
        }
        let Some(next) = of_project.find(|deployment| deployment.state == DeploymentState::Queued) else {
            return Ok(());
        };
        let (to, step) = match next.trigger {
            Trigger::Rollback => (DeploymentState::Starting, Some("start")),
            Trigger::Create | Trigger::Manual | Trigger::Upload => (DeploymentState::Building, None),
        };
        let env = self.environment.snapshot(tx, project).await?;
        let change = DeploymentChange { step, env_sealed: Some(&env), ..DeploymentChange::default() };
        if tx.deployment_transition(&next.id, DeploymentState::Queued, to, change, now_ms()).await? {
            tx.event_insert("deployment.updated", Some(project), Some(&next.id), now_ms()).await?;
        }
        Ok(())
    }

    /// Moves a deployment to one of its ends; whether it was still where it was thought to be.
    async fn end(&self, tx: &mut Tx, deployment: &Deployment, to: DeploymentState, failure: &Failure) -> Result<bool> {
        let change = DeploymentChange {
            failure: Some(failure),
            step: deployment.step.as_deref(),
            ..DeploymentChange::default()
        };
        let won = tx.deployment_transition(&deployment.id, deployment.state, to, change, now_ms()).await?;
        if won {
            let (project, id) = (&deployment.project_id, &deployment.id);
            tx.event_insert("deployment.updated", Some(project), Some(id), now_ms()).await?;
            if deployment.state == DeploymentState::Starting && deployment.trigger != Trigger::Rollback {
                self.forget_start(tx, deployment).await?;
            }
            self.notifications.deployment_settled(tx, id).await?;
            self.activity.deployment_settled(tx, id).await?;
        }
        Ok(won)
    }

    /// A release that never went live is nothing to roll back to, and its command is not wanted any more.
    async fn forget_start(&self, tx: &mut Tx, deployment: &Deployment) -> Result<()> {
        if let Some(run) = tx.run_of_release(&deployment.id).await? {
            let failure = Failure { reason: "its deployment was stopped".into(), ..Failure::default() };
            let end = RunEnd { state: RunState::Cancelled, exit_code: None, signal: None, failure: Some(&failure) };
            tx.run_end(&run.id, end, now_ms()).await?;
        }
        if let Some(id) = &deployment.release_id {
            tx.release_delete(id).await?;
        }
        Ok(())
    }

    /// Stops a deployment that has not settled. Its processes are ended by its node.
    pub(crate) async fn cancel(&self, id: &DeploymentId, user: &User) -> Result<Deployment> {
        let mut tx = self.store.write().await?;
        let deployment = tx.deployment(id).await?.ok_or_else(|| Error::not_found("deployment"))?;
        if deployment.state.is_settled() {
            let message = format!("the deployment is {} already", deployment.state);
            return Err(Error::conflict("ALREADY_SETTLED", message));
        }
        let reason = format!("cancelled by {}", user.username);
        let failure = Failure { reason, ..Failure::default() };
        if !self.end(&mut tx, &deployment, DeploymentState::Cancelled, &failure).await? {
            return Err(Error::conflict("ALREADY_SETTLED", "the deployment moved on at this moment; read it again"));
        }
        self.promote(&mut tx, &deployment.project_id).await?;
        tx.commit().await?;
        checkpoint::reach(Checkpoint::CancelRecorded).await;
        self.wake.notify_one();
        self.find(id).await
    }

    /// Asks for a project's removal and waits a while for it. Whether nothing is left.
    pub(crate) async fn delete_project(&self, project: &Project, user: &User) -> Result<bool> {
        let mut events = self.store.events_committed();
        let now = now_ms();
        let mut tx = self.store.write().await?;
        refuse_inhabited(&mut tx, project, user).await?;
        if tx.project_mark_deleting(&project.id, now).await? {
            for deployment in tx.deployment_unsettled().await?.iter().filter(|other| other.project_id == project.id) {
                if !deployment.state.is_settled() {
                    let failure = Failure { reason: "the project was deleted".into(), ..Failure::default() };
                    self.end(&mut tx, deployment, DeploymentState::Cancelled, &failure).await?;
                }
            }
            tx.event_insert("project.updated", Some(&project.id), None, now).await?;
        }
        tx.commit().await?;
        checkpoint::reach(Checkpoint::DeleteRecorded).await;
        self.wake.notify_one();
        let gone = async {
            while self.store.read().await?.project(&project.id).await?.is_some() {
                let _ = events.changed().await;
            }
            Ok::<_, Error>(())
        };
        match tokio::time::timeout(DELETE_WAIT, gone).await {
            Ok(result) => result.map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// What a deployment of a repository would do.
    pub(crate) async fn plan(&self, request: api::PlanRequest) -> Result<api::Plan> {
        desired::preview(self, request).await
    }
}

async fn live(tx: &mut Tx, project: &ProjectId) -> Result<Option<Deployment>> {
    let unsettled = tx.deployment_unsettled().await?;
    Ok(unsettled
        .into_iter()
        .find(|deployment| &deployment.project_id == project && deployment.state == DeploymentState::Live))
}

/// Somebody's files are in a workspace: they go when its owner says so.
async fn refuse_inhabited(tx: &mut Tx, project: &Project, user: &User) -> Result<()> {
    let filter = WorkspaceFilter { project: Some(project.id.clone()), ..WorkspaceFilter::default() };
    let workspaces = tx.workspace_list(&filter).await?;
    if workspaces.is_empty() {
        return Ok(());
    }
    // Somebody else's are not named.
    let own = workspaces.iter().filter(|it| it.owner_id == user.id).map(|it| format!("`{}`", it.name));
    let mut names = own.collect::<Vec<_>>();
    let others = workspaces.len() - names.len();
    if others > 0 {
        names.push(format!("{others} of other people"));
    }
    let message = format!("the project has workspaces ({}); delete those first", names.join(", "));
    Err(Error::conflict("PROJECT_HAS_WORKSPACES", message))
}

async fn refuse_deleting(tx: &mut Tx, id: &ProjectId) -> Result<()> {
    match tx.project(id).await? {
        Some(project) if !project.deleting => Ok(()),
        _ => Err(Error::not_found("project")),
    }
}
