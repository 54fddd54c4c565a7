//! What placement wants to know of nodes, and what moves between them.

use std::collections::BTreeSet;

use checkpoint::Checkpoint;
use domain::placement::Candidate;
use domain::user::User;
use ids::{DeploymentId, NodeId, NodeState, NodeStatus, ProjectId};

use super::{Known, Nodes};
use crate::error::{Error, Result};

impl Nodes {
    /// Every node as placement sees it.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let after = self.inner.reschedule_after;
        let candidate = |(id, known): (&NodeId, &Known)| {
            let last = known.metrics.back();
            let free =
                |of: fn(&wire::Metrics) -> (u64, u64)| last.map_or(0, |last| of(last).0.saturating_sub(of(last).1));
            Candidate {
                id: id.clone(),
                labels: known.node.labels.clone(),
                is_usable: known.down_since.is_none() && known.node.state == NodeState::Active,
                is_draining: known.node.state == NodeState::Draining,
                is_lost: known.down_since.is_some_and(|since| since.elapsed() >= after),
                projects: known.desired.borrow().groups.len(),
                free_memory_bytes: free(|it| (it.memory_total_bytes, it.memory_used_bytes)),
                free_disk_bytes: free(|it| (it.disk_total_bytes, it.disk_used_bytes)),
            }
        };
        self.lock().iter().map(candidate).collect()
    }

    /// The nodes that a user may put projects on.
    pub(crate) async fn open_to(&self, user: &User) -> Result<BTreeSet<NodeId>> {
        let granted = self.inner.store.read().await?.node_grants(&user.id).await?;
        let known = self.lock();
        let open = known.iter().filter(|(_, known)| known.node.is_open_to(user, &granted));
        Ok(open.map(|(id, _)| id.clone()).collect())
    }

    pub(crate) fn is_online(&self, id: &NodeId) -> bool {
        let online = |known: &mut Known| matches!(known.status(), NodeStatus::Online | NodeStatus::Draining);
        self.with(id, online) == Some(true)
    }

    /// Whether it was taken out of the cluster.
    pub(crate) fn is_removed(&self, id: &NodeId) -> bool {
        !self.lock().contains_key(id)
    }

    /// Whether nobody waits for it any more: it was removed, or has been away for long.
    pub(crate) fn is_lost(&self, id: &NodeId) -> bool {
        let after = self.inner.reschedule_after;
        self.with(id, |known| known.down_since.is_some_and(|since| since.elapsed() >= after)).unwrap_or(true)
    }

    /// Whether the edge of every node that can be reached sends visitors as it was told last.
    pub(crate) fn are_routed(&self) -> bool {
        self.lock().values().filter(|known| known.down_since.is_none()).all(|known| {
            let told = known.desired.borrow().fence;
            // One of an older version does not say.
            if known.hello.as_ref().is_some_and(|hello| hello.protocol < wire::LINK_PROTOCOL) {
                return true;
            }
            known.observed.as_ref().is_some_and(|observed| told.epoch > 0 && observed.routed >= told)
        })
    }

    /// Streams a release's files from one node to another.
    pub(crate) async fn copy_release(
        &self,
        project: &ProjectId,
        build: &DeploymentId,
        from: &NodeId,
        to: &NodeId,
    ) -> Result<()> {
        let (source, target) = (self.link(from).await?, self.link(to).await?);
        let archive = source.stream(&format!("/v1/releases/{project}/{build}")).await?;
        if !archive.status().is_success() {
            return Err(Error::internal(format!("node {from} does not have release {build}")));
        }
        checkpoint::reach(Checkpoint::CopyBegun).await;
        target.put(&format!("/v1/uploads/{build}"), archive.into_body()).await
    }
}
