//! Watches how full the nodes' disks are.

use std::collections::BTreeMap;
use std::time::Duration;

use ids::NodeId;

use super::Notifications;
use crate::error::Result;
use crate::now_ms;
use crate::platform::nodes::{Disk, Nodes};

/// As often as nodes report.
const PERIOD: Duration = Duration::from_secs(2);
/// A disk has room again when it is so many percent below the mark: at the mark itself it would be told of all day.
const RELIEF_PERCENT: u64 = 5;

/// Nodes of which this server knows what the database holds: whether people were told.
type Told = BTreeMap<NodeId, bool>;

impl Notifications {
    /// Watches for ever.
    pub(crate) async fn watch_disks(&self, nodes: &Nodes) {
        let mut told = Told::new();
        loop {
            for disk in nodes.disks() {
                if let Err(error) = self.watch_disk(&disk, &mut told).await {
                    tracing::warn!(%error, node.id = %disk.node_id, "cannot keep that a disk is nearly full");
                }
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn watch_disk(&self, disk: &Disk, told: &mut Told) -> Result<()> {
        let (used, mark) = (disk.used_percent(), self.config.disk_notice_percent);
        let full = used >= mark;
        let relieved = used + RELIEF_PERCENT < mark;
        if !(full || relieved) || told.get(&disk.node_id) == Some(&full) {
            return Ok(());
        }
        let now = now_ms();
        let mut tx = self.store.write().await?;
        if relieved {
            tx.node_disk_notice_clear(&disk.node_id).await?;
        } else if tx.node_disk_notice(&disk.node_id, now).await? {
            tracing::warn!(node.id = %disk.node_id, disk.used_percent = used, "a node's disk is nearly full");
            self.disk_nearly_full(&mut tx, disk, now).await?;
        }
        tx.commit().await?;
        told.insert(disk.node_id.clone(), full);
        Ok(())
    }
}
