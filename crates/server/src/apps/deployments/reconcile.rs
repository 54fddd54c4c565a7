//! Moves every deployment on. Woken by changes of rows, by news from nodes and by a timer,
//! it takes no input, reads everything anew and may be cut off anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use checkpoint::Checkpoint;
use domain::deployment::{Commit, Deployment, Failure};
use domain::project::{Project, RuntimeSettings};
use domain::release::Release;
use ids::{DeploymentState, NodeId, ProjectId, ReleaseId, RunState, Trigger, WorkloadId};
use store::{DeploymentChange, Tx};
use tokio::time::MissedTickBehavior;
use wire::{BuildOutcome, BuildStatus, BuildStep, Observed, WorkloadState, WorkloadStatus};

use super::Deployments;
use super::desired::Held;
use super::jobs::{self, Gate, release_spec};
use crate::apps::uploads::Uploads;
use crate::error::{Error, Result};
use crate::platform::nodes::translated;
use crate::{now_ms, until};

const PERIOD: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(500);

impl Deployments {
    /// Reconciles for ever.
    pub(crate) async fn reconcile_forever(&self, uploads: &Uploads) {
        let mut shown = BTreeMap::new();
        let mut news = self.nodes.news();
        // First at the start, and later however much there is to do.
        let mut collect = tokio::time::interval(PERIOD);
        collect.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let pause = match self.reconcile(uploads, &mut shown).await {
                Ok(next) => until(next).min(PERIOD),
                Err(error) => {
                    tracing::warn!(%error, "deployments could not be reconciled; trying again");
                    RETRY
                }
            };
            tokio::select! {
                () = self.wake.notified() => {}
                // Its sender lives as long as the nodes do.
                _ = news.changed() => {}
                () = tokio::time::sleep(pause) => {}
                _ = collect.tick() => self.collect_uploads(uploads).await,
            }
        }
    }

    /// Removes archives that no project and no deployment under way takes any more, and what was left of others.
    async fn collect_uploads(&self, uploads: &Uploads) {
        // Before the rows are read: each of these has been written down, if it ever was.
        let at_rest = uploads.at_rest().await;
        let Ok(held) = self.held().await else { return };
        let of_projects = held.iter().filter_map(|held| held.project.upload.as_ref());
        let of_deployments = held.iter().flat_map(|held| &held.deployments).filter_map(|it| it.upload.as_ref());
        let wanted = of_projects.chain(of_deployments).collect::<BTreeSet<_>>();
        for (path, id) in at_rest {
            if !id.is_some_and(|id| wanted.contains(&id)) {
                let _ = tokio::fs::remove_file(path).await;
            }
        }
    }

    /// When something will be due, if anything will.
    async fn reconcile(&self, uploads: &Uploads, shown: &mut Shown) -> Result<Option<i64>> {
        let mut next = None;
        for held in self.held().await? {
            let observed = self.nodes.observed(&held.project.node_id).unwrap_or_default();
            self.copy_releases(&held);
            if let Err(error) = self.place(&held).await {
                tracing::warn!(%error, project.id = %held.project.id, "a project could not be placed");
            }
            // What is wrong with one project shall not stop the others.
            match self.advance(&held, &observed, uploads).await {
                Ok(due) => next = [next, due].into_iter().flatten().min(),
                Err(error) => {
                    tracing::warn!(%error, project.id = %held.project.id, "a project could not be moved on");
                }
            }
        }
        self.show_workloads(shown).await?;
        // Told what follows from the rows as they are after all that.
        let held = self.held().await?;
        self.tell_nodes(&held);
        Ok(next)
    }

    async fn held(&self) -> Result<Vec<Held>> {
        let mut tx = self.store.read().await?;
        let unsettled = tx.deployment_unsettled().await?;
        let mut unsettled = by_project(unsettled.into_iter().map(|it| (it.project_id.clone(), it)));
        let mut running = jobs::running(&mut tx).await?;
        let nodes = self.nodes.candidates();
        let users = tx.user_list().await?.into_iter();
        let closed = users.map(|user| (user.id.clone(), self.nodes.closed_to(&user))).collect::<BTreeMap<_, _>>();
        let none = BTreeSet::new();
        let mut placed = by_project(tx.placement_all().await?);
        let mut kept = by_project(tx.release_all().await?.into_iter().map(|it| (it.project_id.clone(), it)));
        let mut held = Vec::new();
        for project in tx.project_list().await? {
            let deployments = unsettled.remove(&project.id).unwrap_or_default();
            let releases = kept.remove(&project.id).unwrap_or_default();
            let runs = running.remove(&project.id).unwrap_or_default();
            let placements = placed.remove(&project.id).unwrap_or_default();
            let chosen = Self::chosen(
                &project,
                &releases,
                &placements,
                &nodes,
                closed.get(&project.created_by).unwrap_or(&none),
            );
            let mut of_project = Held { project, deployments, releases, runs, gated: false, placements, chosen };
            of_project.gated = self.is_gated(&mut tx, &of_project).await?;
            held.push(of_project);
        }
        Ok(held)
    }

    /// One project, one step further.
    async fn advance(&self, held: &Held, observed: &Observed, uploads: &Uploads) -> Result<Option<i64>> {
        if held.project.deleting {
            return self.finish_deleting(held, observed, uploads).await.map(|()| None);
        }
        self.advance_runs(held, observed).await?;
        self.advance_deployment(held, observed, uploads).await?;
        self.start_due(held).await
    }

    async fn advance_deployment(&self, held: &Held, observed: &Observed, uploads: &Uploads) -> Result<()> {
        if let Some(building) = held.in_state(DeploymentState::Building) {
            if let Err(error) = self.build_spec(&held.project, building) {
                // No node will ever be told of it.
                return self.fail_build(building, &error).await;
            }
            if let Some(status) = observed.builds.iter().find(|build| build.id == building.id) {
                self.advance_build(held, building, status, uploads).await?;
            }
        } else if let Some(starting) = held.in_state(DeploymentState::Starting) {
            if let Some(failure) = self.failure_elsewhere(held, starting) {
                return self.fail(starting, &failure).await;
            }
            self.advance_start(held, starting, observed).await?;
        } else if held.in_state(DeploymentState::Queued).is_some() {
            let mut tx = self.store.write().await?;
            self.promote(&mut tx, &held.project.id).await?;
            tx.commit().await?;
            self.wake.notify_one();
        }
        Ok(())
    }

    async fn fail_build(&self, deployment: &Deployment, error: &Error) -> Result<()> {
        tracing::warn!(%error, deployment.id = %deployment.id, "a build cannot be described");
        self.fail(deployment, &translated::failure_of(error)).await
    }

    async fn advance_build(
        &self,
        held: &Held,
        deployment: &Deployment,
        status: &BuildStatus,
        uploads: &Uploads,
    ) -> Result<()> {
        if let (BuildStep::AwaitUpload, Some(upload)) = (status.step, &deployment.upload) {
            uploads.push_to_node(&held.project, upload);
        }
        let commit = status.commit.as_ref().map(|commit| Commit {
            sha: commit.sha.clone(),
            message: commit.message.clone(),
            author: commit.author.clone(),
        });
        let plan = status.plan.as_ref().map(serde_json::to_string).transpose().map_err(Error::internal)?;
        let known = deployment.step.as_deref() == Some(status.step.as_str())
            && (deployment.commit.is_some() || commit.is_none())
            && (deployment.plan.is_some() || plan.is_none());
        if known && status.outcome.is_none() {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        let (id, step) = (&deployment.id, status.step.as_str());
        let news = tx.deployment_progress(id, step, commit.as_ref(), plan.as_deref(), now_ms()).await?;
        if news {
            self.announce(&mut tx, deployment).await?;
        }
        match &status.outcome {
            None => {}
            Some(BuildOutcome::Failed { failure }) => {
                let deployment = Deployment { step: Some(status.step.as_str().into()), ..deployment.clone() };
                self.end(&mut tx, &deployment, DeploymentState::Failed, &translated::failure(failure)).await?;
                self.promote(&mut tx, &deployment.project_id).await?;
            }
            Some(BuildOutcome::Built { release }) => {
                let spec = serde_json::to_string(release).map_err(Error::internal)?;
                self.release(&mut tx, &held.project, deployment, spec).await?;
                checkpoint::reach(Checkpoint::BuildReported).await;
            }
        }
        tx.commit().await?;
        if let Some(BuildOutcome::Built { .. }) = status.outcome {
            checkpoint::reach(Checkpoint::ReleaseRecorded).await;
        }
        self.wake.notify_one();
        Ok(())
    }

    /// Turns a finished build into a release that starts.
    async fn release(&self, tx: &mut Tx, project: &Project, deployment: &Deployment, process: String) -> Result<()> {
        let release = Release {
            id: ReleaseId::new(),
            project_id: deployment.project_id.clone(),
            deployment_id: deployment.id.clone(),
            process,
            env_sealed: deployment.env_sealed.clone().unwrap_or_default(),
            runtime: RuntimeSettings { health_path: project.settings.health_path.clone(), ..project.runtime.clone() },
            pinned: false,
            created_at: now_ms(),
        };
        tx.release_insert(&release).await?;
        let change =
            DeploymentChange { step: Some("start"), release_id: Some(&release.id), ..DeploymentChange::default() };
        let (from, to) = (DeploymentState::Building, DeploymentState::Starting);
        if !tx.deployment_transition(&deployment.id, from, to, change, now_ms()).await? {
            // Cancelled in between: nobody gets to see the release.
            tx.release_delete(&release.id).await?;
            return Ok(());
        }
        self.announce(tx, deployment).await
    }

    async fn advance_start(&self, held: &Held, deployment: &Deployment, observed: &Observed) -> Result<()> {
        let id = WorkloadId::from(&deployment.id);
        let of_deployment = |workload: &&WorkloadStatus| workload.id.base() == deployment.id.as_str();
        let processes = observed.workloads.iter().filter(of_deployment).collect::<Vec<_>>();
        let host = self.projects.domain(&held.project);
        let routed = observed.routes.iter().any(|route| route.host == host && route.workload.as_ref() == Some(&id));
        let failed = processes
            .iter()
            .find(|workload| matches!(workload.state, WorkloadState::Failed | WorkloadState::Restarting));
        let failure = match (held.release_of(deployment), failed) {
            (None, _) => Some(Failure {
                code: Some("RELEASE_MISSING".into()),
                reason: "its release is not kept any more; redeploy its commit instead".into(),
                last_lines: Vec::new(),
            }),
            (_, Some(workload)) => Some(workload.failure.as_ref().map(translated::failure).unwrap_or_default()),
            (Some(release), None) => {
                let spec = match release_spec(release) {
                    Ok(spec) => spec,
                    Err(error) => return self.fail(deployment, &translated::failure_of(&error)).await,
                };
                if deployment.trigger != Trigger::Rollback {
                    match self.release_command(deployment, &spec).await? {
                        Gate::Open => {}
                        Gate::Closed => return Ok(()),
                        Gate::Failed(failure) => return self.fail(deployment, &failure).await,
                    }
                }
                let wanted = usize::from(spec.web.is_some()) + spec.workers.len();
                let ready = processes.iter().filter(|workload| workload.state == WorkloadState::Ready).count();
                // Everywhere else too, as far as it can be reached.
                let others = held.wanted_on().filter(|id| **id != held.project.node_id && self.nodes.is_online(id));
                let elsewhere = others.into_iter().all(|node| self.serves(held, deployment, node));
                if ready == wanted && (routed || spec.web.is_none()) && elsewhere {
                    return self.go_live(held, deployment).await;
                }
                None
            }
        };
        if let Some(failure) = failure {
            self.fail(deployment, &failure).await?;
        }
        Ok(())
    }

    /// Why a deployment cannot go live on another node than the one that built it.
    fn failure_elsewhere(&self, held: &Held, deployment: &Deployment) -> Option<Failure> {
        let others = held.wanted_on().filter(|id| **id != held.project.node_id && self.nodes.is_online(id));
        let failed = |node: &NodeId| {
            let observed = self.nodes.observed(node)?;
            let of_deployment = |it: &&WorkloadStatus| it.id.base() == deployment.id.as_str();
            let down = |it: &&WorkloadStatus| matches!(it.state, WorkloadState::Failed | WorkloadState::Restarting);
            let workload = observed.workloads.iter().filter(of_deployment).find(down)?;
            let failure = workload.failure.as_ref().map(translated::failure).unwrap_or_default();
            let name = self.nodes.name(node).unwrap_or_default();
            Some(Failure { reason: format!("on the server {name}: {}", failure.reason), ..failure })
        };
        others.into_iter().find_map(failed)
    }

    async fn fail(&self, deployment: &Deployment, failure: &Failure) -> Result<()> {
        let mut tx = self.store.write().await?;
        self.end(&mut tx, deployment, DeploymentState::Failed, failure).await?;
        self.promote(&mut tx, &deployment.project_id).await?;
        tx.commit().await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Whether a starting deployment waits for its release command, which a rollback does not run again.
    async fn is_gated(&self, tx: &mut Tx, held: &Held) -> Result<bool> {
        let Some(starting) = held.in_state(DeploymentState::Starting) else { return Ok(false) };
        let Some(release) = held.release_of(starting) else { return Ok(false) };
        // One that cannot be read is failed when it is looked at.
        let command = release_spec(release).ok().and_then(|spec| spec.release_command);
        if starting.trigger == Trigger::Rollback || command.is_none() {
            return Ok(false);
        }
        let run = tx.run_of_release(&starting.id).await?;
        Ok(run.is_none_or(|run| run.state != RunState::Succeeded))
    }

    /// The edge already sends visitors to it: the old one retires, and its node drains and stops it.
    async fn go_live(&self, held: &Held, deployment: &Deployment) -> Result<()> {
        let mut tx = self.store.write().await?;
        let none = DeploymentChange::default;
        if let Some(old) = held.in_state(DeploymentState::Live)
            && tx
                .deployment_transition(&old.id, DeploymentState::Live, DeploymentState::Retired, none(), now_ms())
                .await?
        {
            self.announce(&mut tx, old).await?;
        }
        let (from, to) = (DeploymentState::Starting, DeploymentState::Live);
        if !tx.deployment_transition(&deployment.id, from, to, none(), now_ms()).await? {
            // Cancelled in between; dropping the transaction keeps the old one live.
            return Ok(());
        }
        self.announce(&mut tx, deployment).await?;
        self.notifications.deployment_settled(&mut tx, &deployment.id).await?;
        self.activity.deployment_settled(&mut tx, &deployment.id).await?;
        self.forget_old_releases(&mut tx, held, deployment).await?;
        self.promote(&mut tx, &deployment.project_id).await?;
        checkpoint::reach(Checkpoint::GoingLive).await;
        tx.commit().await?;
        checkpoint::reach(Checkpoint::LiveRecorded).await;
        self.wake.notify_one();
        Ok(())
    }

    async fn finish_deleting(&self, held: &Held, observed: &Observed, uploads: &Uploads) -> Result<()> {
        let id = &held.project.id;
        let is_gone = |node: &NodeId| {
            let observed = self.nodes.observed(node);
            self.nodes.is_removed(node) || observed.is_some_and(|observed| observed.removed_groups.contains(id))
        };
        let home_has_it = !observed.removed_groups.contains(id) && !self.nodes.is_removed(&held.project.node_id);
        if home_has_it || !held.placements.iter().all(|placement| is_gone(&placement.node_id)) {
            return Ok(());
        }
        uploads.forget(held.project.upload.as_ref()).await;
        checkpoint::reach(Checkpoint::RemovalReported).await;
        let mut tx = self.store.write().await?;
        if tx.project_delete(id).await? {
            tx.event_insert("project.deleted", Some(id), None, now_ms()).await?;
        }
        tx.commit().await?;
        checkpoint::reach(Checkpoint::RemovalRecorded).await;
        Ok(())
    }

    /// Tells browsers when a live workload comes or goes, and its owners when it does so again and again.
    async fn show_workloads(&self, shown: &mut Shown) -> Result<()> {
        let look = |workload: &WorkloadStatus| (workload.state, workload.crash_loop_since_ms);
        let workloads = self.nodes.workloads();
        let key = |node: &NodeId, workload: &WorkloadStatus| (node.clone(), workload.id.clone());
        let now: Shown = workloads.iter().map(|(node, it)| (key(node, it), look(it))).collect();
        if *shown == now {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        let is_news = |(node, it): &&(NodeId, WorkloadStatus)| shown.get(&key(node, it)) != Some(&look(it));
        for (_, workload) in workloads.iter().filter(is_news) {
            let Some(project) = tx.project(&workload.group).await? else { continue };
            tx.event_insert("project.updated", Some(&workload.group), None, now_ms()).await?;
            if let (Some(since), Ok(deployment)) = (workload.crash_loop_since_ms, workload.id.base().parse()) {
                let reason = workload.failure.as_ref().map(|failure| failure.reason.as_str()).unwrap_or_default();
                let restarts = workload.restarts;
                self.notifications.crash_loop(&mut tx, &project, &deployment, since, restarts, reason).await?;
            }
        }
        tx.commit().await?;
        *shown = now;
        Ok(())
    }

    async fn announce(&self, tx: &mut Tx, deployment: &Deployment) -> Result<()> {
        let (project, id) = (&deployment.project_id, &deployment.id);
        Ok(tx.event_insert("deployment.updated", Some(project), Some(id), now_ms()).await?)
    }
}

/// In the order they come in.
fn by_project<T>(rows: impl IntoIterator<Item = (ProjectId, T)>) -> BTreeMap<ProjectId, Vec<T>> {
    let mut projects = BTreeMap::<_, Vec<_>>::new();
    for (project, row) in rows {
        projects.entry(project).or_default().push(row);
    }
    projects
}

/// Workload states, and since when one dies again and again, that were told of.
type Shown = BTreeMap<(NodeId, WorkloadId), (WorkloadState, Option<i64>)>;
