//! The node of the server's own machine as a row.

use std::collections::BTreeMap;

use domain::node::Node;
use ids::{NodeAccess, NodeId, NodeState};
use store::{NodePatch, Store, StoreError};

use crate::error::{Error, Result};
use crate::now_ms;

/// The node of the server's own machine, made known now if it is not, under its present name.
pub(super) async fn make_known(store: &Store, name: &str) -> Result<NodeId> {
    let mut tx = store.write().await?;
    if let Some(node) = tx.node_list().await?.into_iter().find(|node| node.embedded) {
        if node.name != name && tx.node_name_exists(name).await? {
            tracing::warn!(name, "another server has the name of this machine's node, which keeps its old one");
            return Ok(node.id);
        }
        tx.node_update(&node.id, NodePatch { name, labels: &node.labels, access: node.access }).await?;
        tx.commit().await?;
        return Ok(node.id);
    }
    let node = Node {
        id: NodeId::new(),
        name: name.to_owned(),
        embedded: true,
        state: NodeState::Active,
        public_key: None,
        labels: BTreeMap::new(),
        owner: None,
        access: NodeAccess::Everybody,
        granted_to: Vec::new(),
        created_at: now_ms(),
        last_seen_at: None,
    };
    match tx.node_insert(&node).await {
        Err(StoreError::Taken(_)) => {
            let message = format!("a server named `{name}` has joined; set orchestrator.server_name to another name");
            return Err(Error::conflict("NAME_TAKEN", message));
        }
        inserted => inserted?,
    }
    tx.commit().await?;
    Ok(node.id)
}
