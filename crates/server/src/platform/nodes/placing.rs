//! What placement wants to know of nodes, and what moves between them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use checkpoint::Checkpoint;
use domain::placement::Candidate;
use domain::user::User;
use ids::{DeploymentId, NodeId, NodeState, NodeStatus, ProjectId, WorkspaceId};

use wire::{PeerSpec, RouteSpec};

use super::{Known, Nodes};
use crate::error::{Error, Result};

/// The link's version that brought workspaces.
const WORKSPACES_SINCE: u32 = 4;

impl Nodes {
    /// Every node as placement sees it.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let after = self.inner.patience.reschedule_after;
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

    /// The nodes that a user may not put projects on.
    pub(crate) fn closed_to(&self, user: &User) -> BTreeSet<NodeId> {
        let known = self.lock();
        let closed = known.iter().filter(|(_, known)| !known.node.is_open_to(user));
        closed.map(|(id, _)| id.clone()).collect()
    }

    /// The node of this id or name.
    pub(crate) fn named(&self, text: &str) -> Option<NodeId> {
        let known = self.lock();
        let by_id = known.keys().find(|id| id.as_str() == text).cloned();
        by_id.or_else(|| known.iter().find(|(_, known)| known.node.name == text).map(|(id, _)| id.clone()))
    }

    /// Whether its program is new enough to have workspaces.
    pub(crate) fn has_workspaces(&self, id: &NodeId) -> bool {
        let speaks = |known: &mut Known| known.hello.as_ref().is_some_and(|it| it.protocol >= WORKSPACES_SINCE);
        self.with(id, speaks) == Some(true)
    }

    /// Whether a node was told to end a workspace, has heard it and has nothing of it left.
    pub(crate) fn has_ended(&self, id: &NodeId, workspace: &WorkspaceId) -> bool {
        let ended = |known: &mut Known| {
            let told = known.desired.borrow();
            let is_wanted = told.workspaces.iter().any(|it| it.id == *workspace);
            told.fence.epoch > 0
                && !is_wanted
                && known.observed.as_ref().is_some_and(|observed| {
                    observed.fence >= told.fence && observed.workspaces.iter().all(|it| it.id != *workspace)
                })
        };
        self.with(id, ended) == Some(true)
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
        let after = self.inner.patience.reschedule_after;
        self.with(id, |known| known.down_since.is_some_and(|since| since.elapsed() >= after)).unwrap_or(true)
    }

    /// Whether the edge of every node that can be reached sends visitors as it was told last.
    pub(crate) fn are_routed(&self) -> bool {
        self.lock().values().filter(|known| known.down_since.is_none()).all(|known| {
            let told = known.desired.borrow().fence;
            known.observed.as_ref().is_some_and(|observed| told.epoch > 0 && observed.routed >= told)
        })
    }

    /// Who can be met by whom without this server between them.
    pub(crate) fn meetings(&self) -> Meetings {
        let known = self.lock();
        // The server's own node has no key: it is reached where the server is.
        let keys = known.iter().filter_map(|(id, known)| Some((id.clone(), known.node.public_key.clone()?)));
        let address = |known: &Known| known.hello.as_ref().and_then(|hello| hello.direct_address);
        let addresses = known.iter().filter_map(|(id, known)| Some((id.clone(), address(known)?)));
        Meetings { keys: keys.collect(), addresses: addresses.collect() }
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

/// The nodes' keys, and the addresses of those that have one.
pub(crate) struct Meetings {
    keys: BTreeMap<NodeId, String>,
    addresses: BTreeMap<NodeId, SocketAddr>,
}

impl Meetings {
    /// Whom a node may meet: those that have an address and apps that its visitors are sent to, and, if it has an
    /// address itself, everybody, since visitors come in everywhere.
    pub(crate) fn of(&self, node: &NodeId, routes: &[RouteSpec]) -> Vec<PeerSpec> {
        if self.addresses.is_empty() || !self.keys.contains_key(node) {
            return Vec::new();
        }
        let remote = routes.iter().flat_map(|route| &route.remote).collect::<BTreeSet<_>>();
        let takes_any = self.addresses.contains_key(node);
        let peer = |(other, key): (&NodeId, &String)| {
            let address = self.addresses.get(other).copied().filter(|_| remote.contains(other));
            (takes_any || address.is_some()).then(|| PeerSpec { node: other.clone(), key: key.clone(), address })
        };
        self.keys.iter().filter(|(other, _)| *other != node).filter_map(peer).collect()
    }
}
