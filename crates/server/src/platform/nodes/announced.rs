//! Says to browsers that nodes came or went, and keeps when each was last seen. After a restart, or where a network
//! breaks, all of them come and go together; that is one transaction and one event for as many as there are.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ids::NodeId;
use tokio::sync::Notify;

use super::Nodes;
use crate::error::Result;
use crate::now_ms;

/// The first is told of at once, those that follow so soon together.
const TOGETHER: Duration = Duration::from_millis(200);

/// What is not yet told.
#[derive(Default)]
pub(super) struct Announced {
    wake: Notify,
    /// When nodes were last seen, in milliseconds since 1970.
    seen: Mutex<BTreeMap<NodeId, i64>>,
}

impl Nodes {
    /// Has browsers told that a node came or went.
    pub(super) fn announce(&self) {
        self.inner.announced.wake.notify_one();
    }

    /// The same, and has it kept when that was.
    pub(super) fn announce_seen(&self, id: &NodeId, at_ms: i64) {
        self.inner.announced.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), at_ms);
        self.announce();
    }

    pub(super) async fn announce_forever(&self) {
        loop {
            self.inner.announced.wake.notified().await;
            if let Err(error) = self.announce_now().await {
                tracing::warn!(%error, "cannot announce that nodes have changed");
            }
            tokio::time::sleep(TOGETHER).await;
        }
    }

    async fn announce_now(&self) -> Result<()> {
        let seen = std::mem::take(&mut *self.inner.announced.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let mut tx = self.inner.store.write().await?;
        for (id, at_ms) in seen {
            tx.node_seen(&id, at_ms).await?;
        }
        tx.event_insert("node.updated", None, None, now_ms()).await?;
        Ok(tx.commit().await?)
    }
}
