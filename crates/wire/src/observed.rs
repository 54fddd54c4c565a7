use ids::{DeploymentId, ProcessName, ProjectId, WorkloadId};
use serde::{Deserialize, Serialize};

use crate::shim::Exit;
use crate::{Fence, Program, Runtime, WorkspaceStatus};

/// What a node sees. `revision` rises with every change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    pub revision: u64,
    /// The desired state it works towards.
    pub fence: Fence,
    pub builds: Vec<BuildStatus>,
    pub workloads: Vec<WorkloadStatus>,
    pub jobs: Vec<JobStatus>,
    pub routes: Vec<RouteStatus>,
    /// The desired state by whose routes the edge sends visitors, in force.
    #[serde(default)]
    pub routed: Fence,
    /// Groups of which nothing is left.
    pub removed_groups: Vec<ProjectId>,
    #[serde(default)]
    pub workspaces: Vec<WorkspaceStatus>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildStatus {
    pub id: DeploymentId,
    pub step: BuildStep,
    pub commit: Option<Commit>,
    pub plan: Option<Plan>,
    pub outcome: Option<BuildOutcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildStep {
    /// Waits for its turn, or for memory.
    Wait,
    /// Waits for the server to stream the archive to it.
    AwaitUpload,
    Fetch,
    Install,
    Build,
}

impl BuildStep {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::AwaitUpload | Self::Fetch => "fetch",
            Self::Install => "install",
            Self::Build => "build",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    pub sha: String,
    /// The first line.
    pub message: String,
    pub author: String,
}

/// How a source is built and run, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub kind: String,
    pub reasons: Vec<String>,
    pub install_command: Option<String>,
    pub build_command: Option<String>,
    pub run_command: Option<String>,
    pub output_directory: Option<String>,
    #[serde(default)]
    pub workers: Vec<NamedCommand>,
    #[serde(default)]
    pub release_command: Option<String>,
    #[serde(default)]
    pub schedules: Vec<Schedule>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum BuildOutcome {
    Built { release: ReleaseSpec },
    Failed { failure: Failure },
}

/// What a build found out about its release: how its processes are run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseSpec {
    pub kind: String,
    pub runtime: Runtime,
    /// Answers visitors; absent where nothing does.
    pub web: Option<Program>,
    /// Kept running beside it.
    pub workers: Vec<NamedCommand>,
    /// Has to succeed before the release goes live.
    pub release_command: Option<String>,
    pub schedules: Vec<Schedule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCommand {
    pub name: ProcessName,
    pub command: String,
}

/// A command and when it is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub name: ProcessName,
    /// Five fields as in crontab(5), in UTC.
    pub schedule: String,
    pub command: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// UPPER_SNAKE.
    pub code: String,
    /// What happened and what to do.
    pub reason: String,
    pub last_lines: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkloadStatus {
    pub id: WorkloadId,
    pub group: ProjectId,
    pub state: WorkloadState,
    pub failure: Option<Failure>,
    pub restarts: u32,
    /// Since when it keeps dying soon after its starts.
    #[serde(default)]
    pub crash_loop_since_ms: Option<i64>,
    pub memory_bytes: Option<u64>,
    pub cpu_usec: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadState {
    /// Its process runs, no good answer yet.
    Starting,
    Ready,
    /// It was ready, died, and waits to be started again.
    Restarting,
    /// It never became ready and is not tried again.
    Failed,
    /// No longer wanted; its last requests are being answered.
    Draining,
}

impl WorkloadState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Restarting => "restarting",
            Self::Failed => "failed",
            Self::Draining => "draining",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    pub host: String,
    /// Who answers for the host now.
    pub workload: Option<WorkloadId>,
    /// Why the loopback port is not served.
    pub port_error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStatus {
    pub id: WorkloadId,
    /// Absent while it runs.
    pub outcome: Option<JobOutcome>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum JobOutcome {
    Exited {
        exit: Exit,
        last_lines: Vec<String>,
    },
    /// It was never started, or was ended for the reason given.
    Failed {
        failure: Failure,
    },
    /// It was begun before this machine went down, and is gone.
    Lost,
}

/// What a volume takes of the disk, when it was last counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeUse {
    pub name: ProcessName,
    pub used_bytes: u64,
    pub limit_bytes: u64,
}

/// What a node would do with a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Preview {
    Plan { plan: Plan },
    Failed { failure: Failure },
}

/// What changed since an earlier commit, as far as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Comparison {
    /// It is the same commit.
    Same,
    Untouched {
        /// The full id of the later commit.
        to: String,
    },
    Touched {
        to: String,
        /// One of the changed paths that matter.
        path: String,
    },
    /// They cannot be compared.
    Unknown { reason: String },
}
