//! On which nodes a project runs: chosen, prepared, left. Each step follows from the rows and from what nodes report,
//! and may be cut off anywhere.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use checkpoint::Checkpoint;
use domain::deployment::Deployment;
use domain::placement::{Candidate, Placement, Wish, choose};
use domain::project::Project;
use domain::release::Release;
use ids::{DeploymentId, DeploymentState, NodeId, PlacementState, ProjectId, Trigger, WorkloadId};
use store::Tx;
use wire::{BuildOutcome, WorkloadState};

use super::desired::Held;
use super::jobs::release_spec;
use super::{Deployments, Wanted};
use crate::error::Result;
use crate::now_ms;
use crate::platform::projects::bound_by;

impl Held {
    /// Nodes where its processes run now or shall.
    pub(super) fn runs_on(&self) -> impl Iterator<Item = &NodeId> {
        let running = |it: &&Placement| it.state != PlacementState::Removing;
        self.placements.iter().filter(running).map(|it| &it.node_id)
    }

    /// Where it shall be built, when that is another node than now.
    fn next_home(&self) -> Option<&NodeId> {
        self.chosen.first().filter(|id| **id != self.project.node_id)
    }

    fn is_on(&self, node: &NodeId) -> bool {
        self.runs_on().any(|id| id == node)
    }

    pub(super) fn in_placement(&self, node: &NodeId) -> Option<PlacementState> {
        self.placements.iter().find(|it| &it.node_id == node).map(|it| it.state)
    }

    pub(super) fn wanted_on(&self) -> impl Iterator<Item = &NodeId> {
        let wanted = self.placements.iter().filter(|it| it.state == PlacementState::Wanted);
        wanted.map(|it| &it.node_id)
    }

    /// Releases whose files a node shall have, beside those that it has built: what runs, and on the node where it
    /// will be built from now on everything that a rollback can choose from.
    pub(super) fn copies(&self, node: &NodeId) -> Vec<&Release> {
        let home = &self.project.node_id;
        if node == home || !self.is_on(node) {
            return Vec::new();
        }
        if self.next_home() == Some(node) {
            return self.releases.iter().collect();
        }
        let running = self.deployments.iter().filter_map(|deployment| self.release_of(deployment));
        running.collect()
    }
}

impl Deployments {
    /// Brings a project's nodes one step nearer to what they shall be.
    pub(super) async fn place(&self, held: &Held) -> Result<()> {
        if held.project.deleting {
            return Ok(());
        }
        self.choose_nodes(held).await?;
        self.move_home(held).await?;
        self.leave_nodes(held).await
    }

    /// Where it shall run, its home first.
    pub(super) fn chosen(
        project: &Project,
        releases: &[Release],
        placements: &[Placement],
        nodes: &[Candidate],
        closed: &BTreeSet<NodeId>,
    ) -> Vec<NodeId> {
        let wish = Wish {
            replicas: usize::try_from(project.placing.replicas).unwrap_or(usize::MAX),
            labels: &project.placing.labels,
            closed,
            is_bound: bound_by(project, releases).is_some(),
            reschedule: project.placing.reschedule,
        };
        choose(&wish, &project.node_id, placements, nodes)
    }

    async fn choose_nodes(&self, held: &Held) -> Result<()> {
        let chosen = &held.chosen;
        let new = chosen.iter().filter(|id| held.in_placement(id) != Some(PlacementState::Wanted));
        let old = held.wanted_on().filter(|id| !chosen.contains(id)).collect::<Vec<_>>();
        let new = new.collect::<Vec<_>>();
        if new.is_empty() && old.is_empty() {
            return Ok(());
        }
        let id = &held.project.id;
        let mut tx = self.store.write().await?;
        for node in new {
            tracing::info!(project.id = %id, node.id = %node, "a project goes to a server");
            tx.placement_want(id, node, now_ms()).await?;
        }
        for node in old {
            tracing::info!(project.id = %id, node.id = %node, "a project leaves a server");
            tx.placement_transition(id, node, PlacementState::Wanted, PlacementState::Leaving).await?;
        }
        tx.event_insert("project.updated", Some(id), None, now_ms()).await?;
        tx.commit().await?;
        checkpoint::reach(Checkpoint::PlacementRecorded).await;
        self.wake.notify_one();
        Ok(())
    }

    /// Builds move with the project, once everything that a rollback can choose from is there too.
    async fn move_home(&self, held: &Held) -> Result<()> {
        let Some(next) = held.next_home() else { return Ok(()) };
        let home = &held.project.node_id;
        let is_busy = held.deployments.iter().any(|it| it.state.is_active()) || !held.runs.is_empty();
        let is_lost = self.nodes.is_lost(home);
        let has_all = held.releases.iter().all(|release| self.has_copy(next, &release.deployment_id));
        if !is_lost && (is_busy || !has_all || !self.runs_well(held, next)) {
            return Ok(());
        }
        if self.nodes.observed(next).is_none() {
            // It has not said yet what it has.
            return Ok(());
        }
        let id = &held.project.id;
        let mut tx = self.store.write().await?;
        if !tx.project_move_home(id, home, next).await? {
            return Ok(());
        }
        tx.event_insert("project.updated", Some(id), None, now_ms()).await?;
        let live = held.in_state(DeploymentState::Live);
        if is_lost && let Some(live) = live.filter(|live| !self.has_release(held, live, next)) {
            // With the move or not at all: after it nobody would see that something is missing.
            self.build_again(&mut tx, held, live).await?;
        }
        if is_lost {
            // Nobody can go back to what only the lost node had, nor wait for a copy of it when the project moves again.
            for release in held.releases.iter().filter(|release| !self.has_copy(next, &release.deployment_id)) {
                tx.release_delete(&release.id).await?;
            }
        }
        checkpoint::reach(Checkpoint::HomeMoving).await;
        tx.commit().await?;
        checkpoint::reach(Checkpoint::HomeMoved).await;
        tracing::info!(project.id = %id, from = %home, to = %next, "a project is built on another server from now on");
        self.wake.notify_one();
        Ok(())
    }

    /// What only a lost node had is made anew.
    async fn build_again(&self, tx: &mut Tx, held: &Held, live: &Deployment) -> Result<()> {
        let wanted = Wanted {
            trigger: if live.upload.is_some() { Trigger::Upload } else { Trigger::Manual },
            commit: live.commit.as_ref().map(|commit| commit.sha.clone()).or_else(|| live.wanted_commit.clone()),
            upload: live.upload.clone(),
            because: Some("the server that it ran on is lost".into()),
        };
        self.enqueue_in(tx, &held.project, None, wanted).await.map(drop)
    }

    /// A node that a project leaves goes on until others do its work; then visitors are sent elsewhere; then it
    /// stops; then its files go.
    async fn leave_nodes(&self, held: &Held) -> Result<()> {
        use PlacementState::{Emptying, Leaving, Removing, Wanted};
        let id = &held.project.id;
        for Placement { node_id, state } in &held.placements {
            let next = match state {
                Wanted => continue,
                Leaving => (self.others_do(held, node_id)).then_some(Emptying),
                Emptying => self.nodes.are_routed().then_some(Removing),
                Removing => {
                    let observed = self.nodes.observed(node_id);
                    let confirmed = observed.is_some_and(|observed| observed.removed_groups.contains(id));
                    if confirmed || self.nodes.is_removed(node_id) {
                        let mut tx = self.store.write().await?;
                        tx.placement_delete(id, node_id).await?;
                        tx.event_insert("node.updated", None, None, now_ms()).await?;
                        tx.commit().await?;
                        checkpoint::reach(Checkpoint::PlacementForgotten).await;
                        self.wake.notify_one();
                    }
                    None
                }
            };
            let Some(next) = next else { continue };
            let mut tx = self.store.write().await?;
            if tx.placement_transition(id, node_id, *state, next).await? {
                tx.event_insert("project.updated", Some(id), None, now_ms()).await?;
            }
            tx.commit().await?;
            checkpoint::reach(match next {
                Removing => Checkpoint::PlacementRemoving,
                _ => Checkpoint::PlacementEmptying,
            })
            .await;
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Whether every wanted node that can be reached does what this one does, and it builds elsewhere.
    fn others_do(&self, held: &Held, leaving: &NodeId) -> bool {
        let mut wanted = held.wanted_on().filter(|id| self.nodes.is_online(id)).peekable();
        let is_home = &held.project.node_id == leaving;
        !is_home && wanted.peek().is_some() && wanted.all(|id| self.runs_well(held, id))
    }

    /// Whether what is live of a project runs on a node, and its edge sends visitors there.
    fn runs_well(&self, held: &Held, node: &NodeId) -> bool {
        let Some(live) = held.in_state(DeploymentState::Live) else { return true };
        self.serves(held, live, node)
    }

    /// Whether a deployment's front is up on a node, and its edge sends visitors there.
    pub(super) fn serves(&self, held: &Held, deployment: &Deployment, node: &NodeId) -> bool {
        let has_web = held.release_of(deployment).and_then(|release| release_spec(release).ok());
        if has_web.is_some_and(|spec| spec.web.is_none()) {
            return true;
        }
        let id = WorkloadId::from(&deployment.id);
        let host = self.projects.domain(&held.project);
        self.nodes.observed(node).is_some_and(|observed| {
            let ready = |it: &wire::WorkloadStatus| it.id == id && it.state == WorkloadState::Ready;
            let routed = |it: &wire::RouteStatus| it.host == host && it.workload.as_ref() == Some(&id);
            observed.workloads.iter().any(ready) && observed.routes.iter().any(routed)
        })
    }

    fn has_release(&self, held: &Held, deployment: &Deployment, node: &NodeId) -> bool {
        held.release_of(deployment).is_some_and(|release| self.has_copy(node, &release.deployment_id))
    }

    /// Whether a node has reported the copy of a release.
    pub(super) fn has_copy(&self, node: &NodeId, build: &DeploymentId) -> bool {
        self.nodes.observed(node).is_some_and(|observed| {
            let built =
                |it: &wire::BuildStatus| it.id == *build && matches!(it.outcome, Some(BuildOutcome::Built { .. }));
            observed.builds.iter().any(built)
        })
    }

    /// Sends nodes the files of releases that they wait for, from one that has them.
    pub(super) fn copy_releases(&self, held: &Held) {
        for node in held.runs_on().filter(|id| **id != held.project.node_id) {
            let Some(observed) = self.nodes.observed(node) else { continue };
            for release in held.copies(node) {
                let build = &release.deployment_id;
                let waits = |it: &wire::BuildStatus| it.id == *build && it.step == wire::BuildStep::AwaitUpload;
                if !observed.builds.iter().any(|it| waits(it) && it.outcome.is_none()) {
                    continue;
                }
                let others = held.runs_on().filter(|id| *id != node && self.has_copy(id, build));
                let home = Some(&held.project.node_id).filter(|home| self.nodes.is_online(home));
                if let Some(from) = home.or_else(|| others.into_iter().next()) {
                    self.copy(&held.project.id, build, from, node);
                }
            }
        }
    }

    /// Begins to stream a release from the node that has it to one that waits for it.
    pub(super) fn copy(&self, project: &ProjectId, build: &DeploymentId, from: &NodeId, to: &NodeId) {
        let way = (build.clone(), to.clone());
        if !self.copying.lock().unwrap_or_else(PoisonError::into_inner).insert(way.clone()) {
            return;
        }
        let (this, project, from) = (self.clone(), project.clone(), from.clone());
        tokio::spawn(async move {
            let (build, to) = &way;
            if let Err(error) = this.nodes.copy_release(&project, build, &from, to).await {
                tracing::warn!(%error, build.id = %build, node.id = %to, "a release did not reach another server");
            }
            this.copying.lock().unwrap_or_else(PoisonError::into_inner).remove(&way);
        });
    }
}
