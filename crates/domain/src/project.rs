//! One repository, or one uploaded directory, and how to run it.

use ids::{Builder, DeploymentId, Destination, NodeId, Outward, ProcessName, ProjectId, SourceKind, UserId};
use serde::{Deserialize, Serialize};

use crate::node::Labels;

/// The lowest stable port a project may have; those below are for the machine.
pub const FIRST_PORT: u16 = 3100;
/// The most releases that a project may keep, beside the pinned ones.
pub const RELEASES_KEPT_MAX: u32 = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    /// Its host label, unique.
    pub slug: String,
    /// Where it is built, and where its jobs run.
    pub node_id: NodeId,
    pub placing: Placing,
    pub source: SourceKind,
    pub settings: ProjectSettings,
    pub runtime: RuntimeSettings,
    /// The loopback port that answers for it, unique on its node.
    pub port: u16,
    /// The upload that its next build takes.
    pub upload: Option<DeploymentId>,
    /// Its removal has been asked for and goes on until its node confirms.
    pub deleting: bool,
    pub created_by: UserId,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What a release's processes may use. A release keeps what the project had when it was built.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RuntimeSettings {
    /// The path the probe asks for, in a release's copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_path: Option<String>,
    pub network: NetworkSettings,
    pub volumes: Vec<Volume>,
    pub limits: LimitSettings,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkSettings {
    pub outward: Outward,
    /// Where to, when only some places may be reached.
    pub destinations: Vec<Destination>,
    /// Ports of the node's loopback that appear on the app's own.
    pub host_ports: Vec<u16>,
}

/// A directory that outlives releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    pub name: ProcessName,
    /// Where processes see it.
    pub path: String,
    /// Of its files together; the server's default when absent. The project's own counts, not that of a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_mb: Option<u64>,
}

/// Absent means the server's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u64>,
    /// Of one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_memory_mb: Option<u64>,
}

/// Where it may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placing {
    /// On so many nodes, as far as there are as many.
    pub replicas: u32,
    /// Only on nodes with these.
    pub labels: Labels,
    /// It moves when its node is lost for long.
    pub reschedule: bool,
}

impl Default for Placing {
    fn default() -> Self {
        Self { replicas: 1, labels: Labels::new(), reschedule: false }
    }
}

/// What its owner set; absent means detected or default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectSettings {
    pub repo_url: Option<String>,
    pub branch: Option<String>,
    pub root_directory: Option<String>,
    /// Patterns of the paths whose changes concern it; below the root directory when empty.
    pub watch_paths: Vec<String>,
    pub install_command: Option<String>,
    pub build_command: Option<String>,
    pub run_command: Option<String>,
    pub output_directory: Option<String>,
    pub health_path: Option<String>,
    /// Releases that stay beside the pinned ones. Not a runtime setting: those are copied into each release, and
    /// how many stay is no release's own.
    pub releases_kept: Option<u32>,
    /// The image that is run, of a project that is one.
    pub image: Option<String>,
    pub registry: Registry,
    pub builder: Builder,
    /// Relative to the root directory.
    pub dockerfile_path: Option<String>,
}

/// Who a registry is asked as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    pub username: Option<String>,
    pub password_sealed: Option<String>,
}
