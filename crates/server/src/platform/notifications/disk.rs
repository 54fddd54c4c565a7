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
            if let Err(error) = self.look_at_disks(nodes.disks(), &mut told).await {
                tracing::warn!(%error, "cannot keep that disks are nearly full");
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// All in one transaction: after a start nothing is known of any.
    async fn look_at_disks(&self, disks: Vec<Disk>, told: &mut Told) -> Result<()> {
        let mark = self.config.disk_notice_percent;
        let judged = disks.into_iter().filter_map(|disk| {
            let used = disk.used_percent();
            let (full, relieved) = (used >= mark, used + RELIEF_PERCENT < mark);
            ((full || relieved) && told.get(&disk.node_id) != Some(&full)).then_some((disk, full))
        });
        let news = judged.collect::<Vec<_>>();
        if news.is_empty() {
            return Ok(());
        }
        let now = now_ms();
        let mut tx = self.store.write().await?;
        for (disk, full) in &news {
            if !full {
                tx.node_disk_notice_clear(&disk.node_id).await?;
            } else if tx.node_disk_notice(&disk.node_id, now).await? {
                let used = disk.used_percent();
                tracing::warn!(node.id = %disk.node_id, disk.used_percent = used, "a node's disk is nearly full");
                self.disk_nearly_full(&mut tx, disk, now).await?;
            }
        }
        tx.commit().await?;
        told.extend(news.into_iter().map(|(disk, full)| (disk.node_id, full)));
        Ok(())
    }
}
