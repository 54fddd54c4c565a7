use ids::{ProjectId, WorkloadId};
use serde::{Deserialize, Serialize};

/// What a workload uses. Absent is what this machine does not count, and rates before the second sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkloadUsage {
    pub id: WorkloadId,
    pub group: ProjectId,
    /// Processor time since its group of processes was made.
    pub cpu_usec: Option<u64>,
    /// 100 is one whole core.
    pub cpu_percent: Option<f64>,
    pub memory_bytes: Option<u64>,
    /// What it got from beyond its own loopback, and sent there: visitors come in another way and are not in it.
    pub network_rx_bytes: Option<u64>,
    pub network_tx_bytes: Option<u64>,
    pub network_rx_bytes_per_second: Option<f64>,
    pub network_tx_bytes_per_second: Option<f64>,
}

/// What the processes of a group share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupUsage {
    pub group: ProjectId,
    /// What its volumes take of the disk, as it was last counted.
    pub volume_bytes: u64,
}
