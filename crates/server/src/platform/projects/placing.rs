//! On which nodes a project may run, as its owner says.

use domain::placement::{Wish, choose};
use domain::project::{Placing, Project, RuntimeSettings};
use ids::{NodeId, PlacementState};
use store::Tx;

use super::Projects;
use crate::error::{Error, Result};
use crate::now_ms;
use crate::platform::nodes::{Nodes, labels};

const REPLICAS_MAX: u32 = 100;

/// What a request says; what it leaves out stays.
pub(super) struct Asked<'a> {
    pub(super) replicas: Option<u32>,
    pub(super) labels: Option<&'a domain::node::Labels>,
    pub(super) reschedule: Option<bool>,
}

/// The new settings, once they fit to what the project keeps on its disk.
pub(super) fn changed(old: &Placing, asked: &Asked<'_>, runtime: &RuntimeSettings) -> Result<Placing> {
    let replicas = asked.replicas.unwrap_or(old.replicas);
    if !(1..=REPLICAS_MAX).contains(&replicas) {
        let message = format!("a project runs on 1 to {REPLICAS_MAX} servers");
        return Err(Error::invalid("replicas", "INVALID_REPLICAS", message));
    }
    let placing = Placing {
        replicas,
        labels: asked.labels.map_or_else(|| Ok(old.labels.clone()), labels)?,
        reschedule: asked.reschedule.unwrap_or(old.reschedule),
    };
    if !runtime.volumes.is_empty() && (placing.replicas > 1 || placing.reschedule) {
        let message = "a project with volumes stays on the server where they are: it has one replica and does not move; \
            remove its volumes first";
        return Err(Error::conflict("VOLUMES_PINNED", message));
    }
    Ok(placing)
}

impl Projects {
    /// The node that a request names, or the one with most room among those with the labels.
    pub(super) fn first_node(&self, id: Option<&str>, placing: &Placing) -> Result<NodeId> {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            return usable(&self.nodes, id);
        }
        let nodes = self.nodes.candidates();
        let wish = Wish { replicas: 1, labels: &placing.labels, is_bound: false, reschedule: false };
        let has_labels = |node: &domain::placement::Candidate| {
            placing.labels.iter().all(|(key, value)| node.labels.get(key) == Some(value))
        };
        if !placing.labels.is_empty() && !nodes.iter().any(|node| node.is_usable && has_labels(node)) {
            let message = "no server that is online has these labels; `GET /api/nodes` shows which ones have which";
            return Err(Error::invalid("node_labels", "NO_SUCH_NODE", message));
        }
        let chosen = choose(&wish, self.nodes.local_id(), &[], &nodes);
        Ok(chosen.into_iter().next().unwrap_or_else(|| self.nodes.local_id().clone()))
    }

    /// Has a project go to another node: the one that it is on leaves when the other one does its work.
    pub(super) async fn move_to(&self, tx: &mut Tx, project: &Project, id: &str) -> Result<()> {
        let to = usable(&self.nodes, id)?;
        if to == project.node_id {
            return Ok(());
        }
        if !project.runtime.volumes.is_empty() && !self.nodes.is_removed(&project.node_id) {
            let message = "the project's volumes are on its server, and it stays where they are";
            return Err(Error::conflict("VOLUMES_PINNED", message).at("node_id"));
        }
        tx.placement_want(&project.id, &to, now_ms()).await?;
        let (from, wanted) = (&project.node_id, PlacementState::Wanted);
        tx.placement_transition(&project.id, from, wanted, PlacementState::Leaving).await?;
        Ok(())
    }
}

/// A node that can be given a project now.
fn usable(nodes: &Nodes, id: &str) -> Result<NodeId> {
    let unknown = || Error::invalid("node_id", "UNKNOWN_NODE", "there is no such node; `GET /api/nodes` lists them");
    let id = id.parse::<NodeId>().map_err(|_| unknown())?;
    let candidates = nodes.candidates();
    let node = candidates.iter().find(|node| node.id == id).ok_or_else(unknown)?;
    if node.is_draining {
        let message = "this server is being emptied; resume it, or choose another one";
        return Err(Error::conflict("NODE_DRAINING", message).at("node_id"));
    }
    Ok(id)
}
