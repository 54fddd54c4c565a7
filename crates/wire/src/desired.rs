use std::net::SocketAddr;

use ids::{Builder, DeploymentId, ImageReference, NodeId, ProcessName, ProjectId, WorkloadId};
use serde::{Deserialize, Serialize};

use crate::{Failure, NetworkPolicy, ReleaseSpec, RuntimeFile, WorkspaceSpec};

/// Orders desired states, also between servers: a node refuses what is older than what it has.
/// The epoch is taken from the database when a server starts, the generation counts within it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fence {
    pub epoch: i64,
    pub generation: i64,
}

/// Everything one node shall do. What is not in it is stopped; files go only when a group says so.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    pub fence: Fence,
    pub builds: Vec<BuildSpec>,
    pub workloads: Vec<WorkloadSpec>,
    pub jobs: Vec<JobSpec>,
    pub routes: Vec<RouteSpec>,
    pub groups: Vec<GroupSpec>,
    /// Groups whose every trace goes: processes, files, logs, users.
    pub removed_groups: Vec<ProjectId>,
    #[serde(default)]
    pub peers: Vec<PeerSpec>,
    #[serde(default)]
    pub workspaces: Vec<WorkspaceSpec>,
}

/// Another node that this one may meet without the control plane between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerSpec {
    pub node: NodeId,
    /// What it is known by, as the link writes keys.
    pub key: String,
    /// Where visitors can be sent on to it; absent when it takes no connections, or has nothing for them.
    #[serde(default)]
    pub address: Option<SocketAddr>,
}

impl Desired {
    /// Whether a node that did the one has done the other, whichever is newer. Whom it may meet is not asked of it.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let Self { fence: _, builds, workloads, jobs, routes, groups, removed_groups, peers: _, workspaces } = self;
        *builds == other.builds
            && *workloads == other.workloads
            && *jobs == other.jobs
            && *routes == other.routes
            && *groups == other.groups
            && *removed_groups == other.removed_groups
            && *workspaces == other.workspaces
    }
}

/// What of a group is kept. A group that is not named keeps its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    pub group: ProjectId,
    /// Builds whose release directory stays.
    pub releases: Vec<DeploymentId>,
    /// What its volumes may take. A group with one that takes more runs nothing but jobs.
    #[serde(default)]
    pub volumes: Vec<VolumeLimit>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeLimit {
    pub name: ProcessName,
    pub bytes: u64,
}

/// Fetch a source and make a release of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildSpec {
    pub id: DeploymentId,
    pub group: ProjectId,
    pub source: Source,
    /// Why it is built at all; told at the beginning of its log.
    #[serde(default)]
    pub because: Option<String>,
    pub settings: BuildSettings,
    pub env: Vec<(String, String)>,
    pub limits: Limits,
    pub network: NetworkPolicy,
    pub timeout_seconds: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Source {
    Git {
        url: String,
        /// Branch or tag; the default branch when absent.
        reference: Option<String>,
        /// A full commit id, taken instead of the newest of `reference`.
        commit: Option<String>,
        /// Whether a host in a private range is meant.
        allow_private: bool,
    },
    /// A tar archive that the server streams to the node when asked to.
    Upload { upload: DeploymentId },
    /// What another node has built already. The server streams its files, as an upload with the build's own id.
    Copy { release: Box<ReleaseSpec> },
    /// An image of a registry, which is not built but run.
    Image {
        reference: ImageReference,
        credentials: Option<Credentials>,
        /// Whether a registry in a private range is meant.
        allow_private: bool,
    },
}

/// What a registry wants to know before it gives an image.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub username: String,
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

/// What the project's owner set; the rest is detected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildSettings {
    pub root_directory: String,
    pub install_command: Option<String>,
    pub build_command: Option<String>,
    pub run_command: Option<String>,
    pub output_directory: Option<String>,
    #[serde(default)]
    pub builder: Builder,
    /// Relative to the root directory; `Dockerfile` when absent.
    #[serde(default)]
    pub dockerfile_path: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub memory_bytes: u64,
    pub pids: u64,
    /// 1 to 10000; 100 is normal.
    pub cpu_weight: u64,
    /// Of one core; absent: as much as is free.
    #[serde(default)]
    pub cpu_percent: Option<u32>,
}

/// What every process of a release has in common.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    pub group: ProjectId,
    /// The build whose release directory it runs from.
    pub release: DeploymentId,
    pub runtime: Runtime,
    /// The owner's variables.
    pub env: Vec<(String, String)>,
    /// The owner's files.
    #[serde(default)]
    pub files: Vec<RuntimeFile>,
    pub limits: Limits,
    pub network: NetworkPolicy,
    pub volumes: Vec<Volume>,
}

/// How commands of a release are run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Working directory, relative to the release directory.
    pub directory: String,
    /// Set unless the owner sets them.
    pub env: Vec<(String, String)>,
    /// Directories put before PATH, relative to the release directory.
    pub path: Vec<String>,
    /// What to run them in instead of the node's own sandbox and the release directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
}

/// An image that lies in a node's container engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// The engine's own name for it, which cannot come to mean another one: `sha256:…`.
    pub id: String,
    /// For people: where it came from, with its digest, or that it was built here.
    pub origin: String,
    /// Where it listens for visitors.
    pub port: u16,
}

/// A directory of the group that outlives releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    pub name: ProcessName,
    /// Where processes see it, absolute.
    pub path: String,
}

/// Keep one process of a release running.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadSpec {
    pub id: WorkloadId,
    pub context: Context,
    pub program: Program,
    pub readiness: Readiness,
    /// Why no process of it can be started, as its environment is not known; one that runs goes on.
    #[serde(default)]
    pub unstartable: Option<Failure>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Program {
    Command {
        command: String,
    },
    /// Serves the files of the runtime's directory.
    Files {
        /// Unknown paths are answered with the front page.
        single_page: bool,
    },
    /// What the runtime's image starts by itself.
    Image,
}

/// When a workload counts as ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Readiness {
    /// It answers HTTP.
    Answers { probe: Probe },
    /// It has been up this long.
    Stays { milliseconds: u64 },
}

/// Run a command once, to its end. What was cut off is not run again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    pub id: WorkloadId,
    pub context: Context,
    pub command: String,
    /// Runs inside this workload's sandbox, rather than in one of its own.
    pub inside: Option<WorkloadId>,
    /// Writes into the build log of this deployment, rather than into a log of its own.
    pub log_of: Option<DeploymentId>,
    pub timeout_seconds: u64,
}

/// The answer that is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    pub path: String,
    /// No good answer by then is a failure.
    pub timeout_seconds: u64,
    /// It must have been up this long before it takes over from another one.
    pub settle_ms: u64,
}

/// Sends a host's visitors to the first of `prefer` that is ready, and to the nodes of `remote`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteSpec {
    pub host: String,
    /// The loopback port that answers for this host too; 0 when none does.
    pub port: u16,
    pub prefer: Vec<WorkloadId>,
    /// Other nodes that have a workload of this host ready: their visitors are as welcome there.
    #[serde(default)]
    pub remote: Vec<NodeId>,
}

/// A source to plan without building it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewSpec {
    pub source: Source,
    pub root_directory: String,
}

/// A commit to compare with an earlier one of the same repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompareSpec {
    pub source: Source,
    /// The full id of the earlier commit.
    pub from: String,
    /// Which changes matter: what matches these patterns, or lies below the root directory when there are none.
    pub watch_paths: Vec<String>,
    pub root_directory: String,
}
