//! What people decide about nodes: their names, and whether they stay.

use checkpoint::Checkpoint;
use domain::node::{Grantee, Node};
use domain::user::User;
use domain::workspace::WorkspaceFilter;
use ids::{NodeId, NodeState, UserName};
use store::{NodePatch, StoreError, Tx};

use super::join::{labels, node_name};
use super::{Nodes, Refused};
use crate::error::{Error, Result};
use crate::now_ms;

impl Nodes {
    /// A node that this user may change: an own one, or any for an admin.
    async fn changeable(&self, user: &User, id: &NodeId) -> Result<Node> {
        let node = self.inner.store.read().await?.node(id).await?;
        let node = node.filter(|node| node.state != NodeState::Removed).ok_or_else(|| Error::not_found("node"))?;
        if user.is_admin() || node.owner.as_ref() == Some(&user.id) {
            Ok(node)
        } else {
            Err(Error::forbidden("OWNER_ONLY", "only its owner or an administrator may change a server; ask one"))
        }
    }

    /// Changes what the request names.
    pub(super) async fn update(&self, user: &User, id: &NodeId, update: &api::NodeUpdate) -> Result<()> {
        let old = self.changeable(user, id).await?;
        let mut new = old.clone();
        if let Some(name) = &update.name {
            if old.embedded {
                let message = "this server's own machine is named by `orchestrator.server_name` in its configuration";
                return Err(Error::invalid("name", "NAME_CONFIGURED", message));
            }
            new.name = node_name(name)?.as_str().to_owned();
        }
        if let Some(given) = &update.labels {
            new.labels = labels(given)?;
        }
        new.access = update.access.unwrap_or(old.access);
        let mut tx = self.inner.store.write().await?;
        if let Some(names) = &update.granted_to {
            new.granted_to = grantees(&mut tx, names).await?;
            tx.node_grants_replace(id, &new.granted_to).await?;
        }
        match tx.node_update(id, NodePatch { name: &new.name, labels: &new.labels, access: new.access }).await {
            Err(StoreError::Taken(_)) => {
                let message = format!("there is a server named `{}` already", new.name);
                return Err(Error::conflict("NAME_TAKEN", message).at("name"));
            }
            updated => updated?,
        }
        tx.audit(&user.username, "node.updated", id.as_str(), &changes(&old, &new), now_ms()).await?;
        tx.event_insert("node.updated", None, None, now_ms()).await?;
        tx.commit().await?;
        self.with(id, |known| known.node = Node { state: known.node.state, ..new });
        Ok(())
    }

    /// Gives it nothing new, and has what it runs move away.
    pub(super) async fn drain(&self, user: &User, id: &NodeId) -> Result<()> {
        self.decide(user, id, NodeState::Active, NodeState::Draining, "node.drained").await
    }

    /// Lets it have projects again.
    pub(super) async fn resume(&self, user: &User, id: &NodeId) -> Result<()> {
        self.decide(user, id, NodeState::Draining, NodeState::Active, "node.resumed").await
    }

    async fn decide(&self, user: &User, id: &NodeId, from: NodeState, to: NodeState, action: &str) -> Result<()> {
        let node = self.changeable(user, id).await?;
        if node.state == to {
            return Ok(());
        }
        let mut tx = self.inner.store.write().await?;
        if !tx.node_transition(id, from, to).await? {
            let message = format!("the server is {} and cannot be {to} from there", node.state);
            return Err(Error::conflict("NODE_STATE", message));
        }
        tx.audit(&user.username, action, id.as_str(), &node.name, now_ms()).await?;
        tx.event_insert("node.updated", None, None, now_ms()).await?;
        tx.commit().await?;
        if to == NodeState::Draining {
            checkpoint::reach(Checkpoint::NodeDraining).await;
        }
        self.with(id, |known| known.node.state = to);
        self.inner.observed.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Takes a node out of the cluster: from now on its key opens nothing, and it ends what it runs for us as soon as
    /// it hears of that. While projects are on it only with `force`.
    pub(super) async fn remove(&self, user: &User, id: &NodeId, force: bool) -> Result<()> {
        let node = self.changeable(user, id).await?;
        if node.embedded {
            let message = "this is the server's own machine; it cannot be removed";
            return Err(Error::conflict("EMBEDDED_NODE", message));
        }
        let mut tx = self.inner.store.write().await?;
        let projects = tx.project_list().await?;
        let here = projects.iter().filter(|project| &project.node_id == id);
        let names = here.map(|project| project.name.as_str()).collect::<Vec<_>>();
        if !names.is_empty() && !force {
            let message = format!(
                "the server still has {} project(s) ({}); drain it first, or remove it with `force` and lose what \
                 only it has",
                names.len(),
                names.join(", ")
            );
            return Err(Error::conflict("NODE_IN_USE", message));
        }
        let filter = WorkspaceFilter { node: Some(id.clone()), ..WorkspaceFilter::default() };
        let workspaces = tx.workspace_list(&filter).await?.len();
        if workspaces > 0 && !force {
            let message = format!(
                "the server still has {workspaces} workspace(s) of people; ask them to delete those, or remove it \
                 with `force` and lose the files in them"
            );
            return Err(Error::conflict("NODE_IN_USE", message));
        }
        if !tx.node_transition(id, node.state, NodeState::Removed).await? {
            return Err(Error::conflict("NODE_STATE", "the server changed at this moment; try again"));
        }
        tx.audit(&user.username, "node.removed", id.as_str(), &node.name, now_ms()).await?;
        tx.event_insert("node.updated", None, None, now_ms()).await?;
        tx.commit().await?;
        checkpoint::reach(Checkpoint::NodeRemoved).await;
        self.farewell(id).await;
        tracing::info!(node.id = %id, node.name = node.name, "a server was removed");
        Ok(())
    }

    /// Tells a connected node that it was removed, and ends its connections. One that is away hears it when it dials.
    async fn farewell(&self, id: &NodeId) {
        let Some(known) = self.lock().remove(id) else { return };
        let link = known.link.borrow().clone();
        if let Some(link) = link {
            let refused =
                Refused { code: Refused::REMOVED.into(), message: "this machine was removed from the cluster".into() };
            let told = tokio::time::timeout(std::time::Duration::from_secs(5), link.refuse(&refused)).await;
            if !matches!(told, Ok(Ok(()))) {
                tracing::warn!(node.id = %id, "the removed node did not hear of it; it will when it comes back");
            }
        }
        known.gone.cancel();
    }
}

/// The users of these names, each once.
async fn grantees(tx: &mut Tx, names: &[String]) -> Result<Vec<Grantee>> {
    let mut grantees = Vec::<Grantee>::new();
    for name in names {
        let user = match name.trim().parse::<UserName>() {
            Ok(name) => tx.user_by_name(&name).await?,
            Err(_) => None,
        };
        let Some((user, _)) = user else {
            let message = format!("there is no user `{}`; give user names of this cloud", name.trim());
            return Err(Error::invalid("granted_to", "UNKNOWN_USER", message));
        };
        if grantees.iter().all(|grantee| grantee.id != user.id) {
            grantees.push(Grantee { id: user.id, username: user.username });
        }
    }
    grantees.sort_by(|a, b| a.username.cmp(&b.username));
    Ok(grantees)
}

fn names(grantees: &[Grantee]) -> String {
    grantees.iter().map(|grantee| grantee.username.as_str()).collect::<Vec<_>>().join(", ")
}

/// What changed, for the audit.
fn changes(old: &Node, new: &Node) -> String {
    let mut changes = Vec::new();
    if old.name != new.name {
        changes.push(format!("name {} to {}", old.name, new.name));
    }
    if old.labels != new.labels {
        changes.push(format!("labels {:?} to {:?}", old.labels, new.labels));
    }
    if old.access != new.access {
        changes.push(format!("access {} to {}", old.access, new.access));
    }
    if old.granted_to != new.granted_to {
        changes.push(format!("granted to [{}] instead of [{}]", names(&new.granted_to), names(&old.granted_to)));
    }
    changes.join(", ")
}
