use std::collections::BTreeMap;
use std::net::SocketAddr;

use ids::{DeploymentId, HealthStatus, NodeAccess, NodeId, NodeStatus, ProjectId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Node {
    pub id: NodeId,
    pub name: String,
    pub status: NodeStatus,
    pub health_status: HealthStatus,
    /// Of the server's own machine.
    pub embedded: bool,
    /// It gets nothing new, and what it has moves away.
    #[serde(default)]
    pub draining: bool,
    /// To choose it by: `{"region": "eu"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Who may put projects on it: `owner`, `granted` or `everybody`.
    pub access: NodeAccess,
    /// Names of those who may with `granted`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted_to: Vec<String>,
    /// The user who brought it; absent for the server's own machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<UserId>,
    pub created_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// Where other machines send visitors on to it; absent when they go through the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub direct_address: Option<SocketAddr>,
    /// What the node can enforce on this kernel, and what it cannot.
    pub capabilities: Vec<Capability>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<NodeMetrics>,
    /// What keeps it from its work, and what to do about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// What runs there now.
    pub workloads: Vec<WorkloadMetrics>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Time>,
}

/// `PATCH /api/nodes/{id}`: what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeUpdate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<NodeAccess>,
    /// Names of users; takes the place of all that were there. They may use the machine while `access` is `granted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_to: Option<Vec<String>>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NodeList {
    pub nodes: Vec<Node>,
}

/// A stable code, and a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    #[schema(example = "DISK_FULL")]
    pub code: String,
    pub message: String,
}

/// One protection and whether it holds here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capability {
    #[schema(example = "memory_limit")]
    pub name: String,
    pub enabled: bool,
    /// How it is done, or why it is not.
    pub detail: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeMetrics {
    pub time: Time,
    /// 0 to 100 over all cores.
    pub cpu_percent: f64,
    pub cpu_cores: u32,
    /// One-minute load average.
    pub load: f64,
    /// Of five minutes, and of fifteen; absent in samples of the past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load5: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load15: Option<f64>,
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
    /// Since the node's process began; absent in samples of the past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_rx_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_tx_bytes: Option<u64>,
    /// The most at any moment, in samples that are means over a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent_max: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_rx_bytes_per_second_max: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_tx_bytes_per_second_max: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkloadMetrics {
    pub project_id: ProjectId,
    pub deployment_id: DeploymentId,
    /// `web`, or the name of another process of the project.
    #[schema(example = "web")]
    pub process: String,
    #[schema(example = "ready")]
    pub state: String,
    /// Why it is not ready, where it failed or is started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Since it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// 100 is one whole core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// What it received from, and sent to, the outside since it started; what visitors ask of it is not in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_rx_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_tx_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_rx_bytes_per_second: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_tx_bytes_per_second: Option<f64>,
    pub restarts: u32,
}
