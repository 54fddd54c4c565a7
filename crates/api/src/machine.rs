//! Logs of a machine, and what the machine is.

use std::collections::BTreeMap;

use ids::{LogLevel, MachineLogSource};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MachineLogEntry {
    pub timestamp: Time,
    pub level: LogLevel,
    /// `agent`, `cloud-init`, `systemd`, or `docker:` and the container's name.
    #[schema(example = "docker:web")]
    pub source: String,
    pub message: String,
    /// What the source tells besides: `target`, `file`, `module`, `unit`, `identifier`, `pid`, `container`, `stream`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MachineLogPage {
    pub entries: Vec<MachineLogEntry>,
    /// Where the next page begins; there as long as there may be older lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    pub has_more: bool,
    /// Sources that were asked for and cannot be read on this machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<UnavailableSource>,
}

/// A source that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnavailableSource {
    pub source: MachineLogSource,
    pub reason: String,
}

/// Data of a stream's event `caught_up`: what was there has been said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MachineLogCaughtUp {
    /// Lines before this event.
    pub count: usize,
}

/// What a machine is, and what runs on it beside our own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SystemInfo {
    /// When it was read: an answer is given again for a few seconds.
    pub time: Time,
    pub hostname: String,
    #[schema(example = "Debian GNU/Linux 12 (bookworm)")]
    pub os: String,
    pub kernel: String,
    #[schema(example = "x86_64")]
    pub architecture: String,
    pub uptime_seconds: u64,
    pub cpu: Cpu,
    pub memory: Memory,
    pub swap: Memory,
    pub disks: Vec<DiskUse>,
    pub networks: Vec<NetworkInterface>,
    pub docker: DockerInfo,
    pub software: Vec<Software>,
    pub agent: AgentInfo,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Cpu {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub cores: u32,
    pub load_1: f64,
    pub load_5: f64,
    pub load_15: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Memory {
    pub total_bytes: u64,
    pub used_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskUse {
    #[schema(example = "/")]
    pub mount: String,
    pub device: String,
    #[schema(example = "ext4")]
    pub filesystem: String,
    pub total_bytes: u64,
    pub used_bytes: u64,
}

/// Bytes since the interface is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkInterface {
    pub name: String,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DockerInfo {
    /// Whether there is the program `docker`.
    pub installed: bool,
    /// Of the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// In all states.
    pub containers: Vec<Container>,
    /// Why `containers` is not, or does not tell, all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Container {
    pub id: String,
    pub name: String,
    pub image: String,
    #[schema(example = "running")]
    pub state: String,
    /// In Docker's words.
    #[schema(example = "Up 3 hours")]
    pub status: String,
    /// 100 is one core; of one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Software {
    #[schema(example = "git")]
    pub name: String,
    pub version: String,
}

/// The node's own process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentInfo {
    pub version: String,
    pub pid: u32,
    pub started_at: Time,
    pub memory_bytes: u64,
}
