use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{NodeMetrics, Time};

/// Samples, oldest first. Where some are missing nothing was heard of the machine.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MetricsHistory {
    pub interval_seconds: u32,
    pub samples: Vec<NodeMetrics>,
}

/// What a project's processes used, over all machines, or those of a workspace together, as `workspace`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProjectMetrics {
    pub interval_seconds: u32,
    /// `web` first.
    pub processes: Vec<ProcessMetrics>,
    /// What the volumes took of the disk.
    pub volumes: Vec<VolumeSample>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProcessMetrics {
    #[schema(example = "web")]
    pub process: String,
    /// Oldest first. Where some are missing it did not run.
    pub samples: Vec<ProcessSample>,
}

/// Means from a time on, and the most at any moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProcessSample {
    pub time: Time,
    /// 100 is one whole core.
    pub cpu_percent: f64,
    pub cpu_percent_max: f64,
    pub memory_bytes: u64,
    pub memory_bytes_max: u64,
    /// Received from, and sent to, the outside; what visitors ask of it is not in it.
    pub network_rx_bytes_per_second: f64,
    pub network_rx_bytes_per_second_max: f64,
    pub network_tx_bytes_per_second: f64,
    pub network_tx_bytes_per_second_max: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VolumeSample {
    pub time: Time,
    pub used_bytes: u64,
}
