//! Logs of a machine, and what the machine is.

use std::collections::BTreeMap;

use ids::{LogLevel, MachineLogSource};
use serde::{Deserialize, Serialize};

/// Which lines of a machine's logs to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineLogQuery {
    /// All of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<MachineLogSource>,
    /// Lines that matter at least so much; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<LogLevel>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<i64>,
    /// Not the lines of this time itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<i64>,
    /// Only lines with this text in them, whatever its case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// Where to go on: `next` of a page, or `id` of what a stream said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// At most so many lines on a page, or of what a stream begins with.
    pub limit: usize,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineLogEntry {
    /// Microseconds since 1970.
    pub at_us: i64,
    pub level: LogLevel,
    /// A [`MachineLogSource`], with the container's name after it where it has one.
    pub source: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A source that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnavailableSource {
    pub source: MachineLogSource,
    pub reason: String,
}

/// Lines before some place, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineLogPage {
    pub entries: Vec<MachineLogEntry>,
    /// Where the next page begins, while there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unavailable: Vec<UnavailableSource>,
}

/// What a stream says. `id` is where to go on after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MachineLogEvent {
    /// The first of a stream that is not resumed: before it lies what pages have.
    Begin {
        id: String,
    },
    Entry {
        id: String,
        entry: MachineLogEntry,
    },
    /// Everything that was there has been said; what follows is new.
    CaughtUp {
        id: String,
        count: usize,
    },
    Unavailable {
        unavailable: UnavailableSource,
    },
}

/// What a machine is, and what runs on it beside our own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SystemInfo {
    pub at_ms: i64,
    pub hostname: String,
    pub os: String,
    pub kernel: String,
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

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    pub cores: u32,
    /// Means over 1, 5 and 15 minutes.
    pub load: [f64; 3],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    pub total_bytes: u64,
    pub used_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUse {
    pub mount: String,
    pub device: String,
    pub filesystem: String,
    pub total_bytes: u64,
    pub used_bytes: u64,
}

/// Bytes since it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInterface {
    pub name: String,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
}

/// Docker, if it is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DockerInfo {
    /// Whether there is the program `docker`.
    pub installed: bool,
    /// Of the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// In all states.
    pub containers: Vec<Container>,
    /// Why `containers` is not all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Container {
    pub id: String,
    pub name: String,
    pub image: String,
    /// `running`, `exited`, …
    pub state: String,
    /// In Docker's words, like `Up 3 hours`.
    pub status: String,
    /// 100 is one core. Of one that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Software {
    pub name: String,
    pub version: String,
}

/// The node's own process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentInfo {
    pub version: String,
    pub pid: u32,
    pub started_at_ms: i64,
    pub memory_bytes: u64,
}
