use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{GroupUsage, WorkloadUsage};

/// Version of the link's routes and shapes. A server speaks to its own and the one before.
pub const LINK_PROTOCOL: u32 = 4;
/// The oldest version that a server still leads.
pub const LINK_PROTOCOL_OLDEST: u32 = LINK_PROTOCOL - 1;

/// A node's first word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    pub version: String,
    pub kernel: String,
    pub capabilities: Vec<Capability>,
    /// Where it takes connections of other nodes' edges, if it does.
    #[serde(default)]
    pub direct_address: Option<SocketAddr>,
}

/// One protection, and whether this kernel lets the node enforce it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capability {
    pub name: String,
    pub enabled: bool,
    pub detail: String,
}

/// A machine's use of itself, at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    pub at_ms: i64,
    /// 0 to 100 over all cores.
    pub cpu_percent: f64,
    pub cpu_cores: u32,
    /// Of one minute.
    pub load: f64,
    #[serde(default)]
    pub load5: f64,
    #[serde(default)]
    pub load15: f64,
    pub memory_used_bytes: u64,
    pub memory_total_bytes: u64,
    #[serde(default)]
    pub swap_used_bytes: u64,
    #[serde(default)]
    pub swap_total_bytes: u64,
    pub disk_used_bytes: u64,
    pub disk_total_bytes: u64,
    pub network_rx_bytes_per_second: f64,
    pub network_tx_bytes_per_second: f64,
    /// Counters that only rise while the node's process runs.
    #[serde(default)]
    pub network_rx_bytes: u64,
    #[serde(default)]
    pub network_tx_bytes: u64,
    /// What runs, and what it uses.
    #[serde(default)]
    pub workloads: Vec<WorkloadUsage>,
    #[serde(default)]
    pub groups: Vec<GroupUsage>,
    /// What keeps the machine from its work.
    #[serde(default)]
    pub problem: Option<Problem>,
}

/// A stable code, and a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub code: String,
    pub message: String,
}
