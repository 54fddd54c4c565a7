//! What crosses the node link and the shim socket, with protocol versions.
//!
//! The server sends *desired* state, the node reports *observed* state. A node knows
//! workloads and the group they belong to, never projects: the group only says whose
//! things may share caches and users.

mod cache;
mod connection;
mod desired;
mod hello;
mod log;
mod machine;
mod mesh;
mod network;
mod observed;
pub mod shim;
mod usage;
mod workspace;

pub use cache::{Cache, CachePrune, Caches};
pub use connection::{ConnectionTicket, Refused};
pub use desired::{
    BuildSettings, BuildSpec, CompareSpec, Context, Credentials, Desired, Fence, GroupSpec, Image, JobSpec, Limits,
    PeerSpec, PreviewSpec, Probe, Program, Readiness, RouteSpec, Runtime, Source, Volume, VolumeLimit, WorkloadSpec,
};
pub use hello::{Capability, Hello, LINK_PROTOCOL, LINK_PROTOCOL_OLDEST, Metrics, Problem};
pub use log::{LogPage, LogQuery, LogRecord};
pub use machine::{
    AgentInfo, Container, Cpu, DiskUse, DockerInfo, MachineLogEntry, MachineLogEvent, MachineLogPage, MachineLogQuery,
    Memory, NetworkInterface, Software, SystemInfo, UnavailableSource,
};
pub use mesh::{
    INFERENCE_TAG, MESH_PROTOCOL, MESH_REQUEST_ID, MESH_TAG, MeshCompletion, MeshModel, MeshPrice, MeshPull,
    MeshPullOrder, MeshReport, PullState,
};
pub use network::{NetworkPolicy, Outward};
pub use observed::{
    BuildOutcome, BuildStatus, BuildStep, Commit, Comparison, Failure, JobOutcome, JobStatus, NamedCommand, Observed,
    Plan, Preview, ReleaseSpec, RouteStatus, Schedule, VolumeUse, WorkloadState, WorkloadStatus,
};
pub use usage::{GroupUsage, WorkloadUsage};
pub use workspace::{
    Author, Checkout, GitCredential, GitCredentialRequest, Remote, RuntimeFile, Terminal, TerminalJob, TerminalMatch,
    TerminalRename, TerminalSpec, WorkspacePhase, WorkspaceQuiet, WorkspaceSpec, WorkspaceStatus, WorkspaceStep,
    WorkspaceUse, attach,
};
