//! On which nodes a project may run, as its owner says.

use domain::placement::{Candidate, Wish, choose};
use domain::project::{Placing, Project};
use domain::release::Release;
use domain::user::User;
use ids::{NodeId, PlacementState, SourceKind};
use store::Tx;
use wire::ReleaseSpec;

use super::Projects;
use crate::error::{Error, Result};
use crate::now_ms;
use crate::platform::nodes::labels;

const REPLICAS_MAX: u32 = 100;

/// What a request says; what it leaves out stays.
pub(super) struct Asked<'a> {
    pub(super) replicas: Option<u32>,
    pub(super) labels: Option<&'a domain::node::Labels>,
    pub(super) reschedule: Option<bool>,
}

/// What keeps a project on its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    Volumes,
    /// It lies in the engine of the server that built or fetched it.
    Image,
}

/// What keeps a project on its server, if anything does.
pub(crate) fn bound_by(project: &Project, releases: &[Release]) -> Option<Bound> {
    let in_container = |release: &Release| {
        serde_json::from_str::<ReleaseSpec>(&release.process).is_ok_and(|spec| spec.runtime.image.is_some())
    };
    if !project.runtime.volumes.is_empty() {
        Some(Bound::Volumes)
    } else if project.source == SourceKind::Image || releases.iter().any(in_container) {
        Some(Bound::Image)
    } else {
        None
    }
}

fn stays(bound: Bound) -> Error {
    let (code, message) = match bound {
        Bound::Volumes => (
            "VOLUMES_PINNED",
            "a project with volumes stays on the server where they are: it has one replica and does not move; \
             remove its volumes first",
        ),
        Bound::Image => (
            "IMAGE_PINNED",
            "a project that runs in a container stays on its server, where its image is: it has one replica and does \
             not move; make a new project on the other server instead",
        ),
    };
    Error::conflict(code, message)
}

/// The new settings, once they fit to what keeps the project where it is.
pub(super) fn changed(old: &Placing, asked: &Asked<'_>, bound: Option<Bound>) -> Result<Placing> {
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
    match bound {
        Some(bound) if placing.replicas > 1 || placing.reschedule => Err(stays(bound)),
        _ => Ok(placing),
    }
}

impl Projects {
    /// The node that a request names, or the one with most room among those with the labels.
    pub(super) fn first_node(&self, id: Option<&str>, placing: &Placing, user: &User) -> Result<NodeId> {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            return self.usable(id, user);
        }
        let (nodes, closed) = (self.nodes.candidates(), self.nodes.closed_to(user));
        let wish = Wish { replicas: 1, labels: &placing.labels, closed: &closed, is_bound: false, reschedule: false };
        let fits = |node: &Candidate| {
            let has = |(key, value): (&String, &String)| node.labels.get(key) == Some(value);
            node.is_usable && !closed.contains(&node.id) && placing.labels.iter().all(has)
        };
        if !placing.labels.is_empty() && !nodes.iter().any(fits) {
            let message = "no server that is online and open to you has these labels; `GET /api/nodes` shows which \
                           ones have which";
            return Err(Error::invalid("node_labels", "NO_SUCH_NODE", message));
        }
        let chosen = choose(&wish, self.nodes.local_id(), &[], &nodes);
        Ok(chosen.into_iter().next().unwrap_or_else(|| self.nodes.local_id().clone()))
    }

    /// Has a project go to another node: the one that it is on leaves when the other one does its work.
    pub(super) async fn move_to(&self, tx: &mut Tx, project: &Project, to: NodeId) -> Result<()> {
        if to == project.node_id {
            return Ok(());
        }
        let releases = tx.release_list(&project.id).await?;
        if let Some(bound) = bound_by(project, &releases).filter(|_| !self.nodes.is_removed(&project.node_id)) {
            return Err(stays(bound).at("node_id"));
        }
        tx.placement_want(&project.id, &to, now_ms()).await?;
        let (from, wanted) = (&project.node_id, PlacementState::Wanted);
        tx.placement_transition(&project.id, from, wanted, PlacementState::Leaving).await?;
        Ok(())
    }

    /// A node that this user can give a project to now.
    pub(crate) fn usable(&self, id: &str, user: &User) -> Result<NodeId> {
        let unknown =
            || Error::invalid("node_id", "UNKNOWN_NODE", "there is no such node; `GET /api/nodes` lists them");
        let id = id.parse::<NodeId>().map_err(|_| unknown())?;
        let candidates = self.nodes.candidates();
        let node = candidates.iter().find(|node| node.id == id).ok_or_else(unknown)?;
        if self.nodes.closed_to(user).contains(&id) {
            let message = "this server is not open to you; ask its owner or an administrator, or choose another one";
            return Err(Error::forbidden("NODE_NOT_GRANTED", message).at("node_id"));
        }
        if node.is_draining {
            let message = "this server is being emptied; resume it, or choose another one";
            return Err(Error::conflict("NODE_DRAINING", message).at("node_id"));
        }
        Ok(id)
    }
}
