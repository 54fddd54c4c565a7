//! Typed ids, validated names and the states that cross layers.
//!
//! Every value here was parsed once, at the edge where it came in; a function
//! that takes one need not check again. This crate does no IO.

mod git;
mod id;
mod image;
mod machine;
mod mesh;
mod name;
mod network;
mod path;
mod state;
mod workload;

pub use git::{CommitSha, GitRef, RepoUrl};
pub use id::{
    CompletionId, DeploymentId, EnrolmentId, HostedProviderId, JoinTokenId, LedgerTransactionId, NodeId,
    NotificationChannelId, NotificationDeliveryId, ProjectId, ReleaseId, RunId, SessionId, TerminalId, TerminalLinkId,
    TokenId, UserId, WorkspaceId,
};
pub use image::ImageReference;
pub use machine::{Label, NodeName};
pub use mesh::{CompletionState, EnrolmentState, HostedProviderKind, MeshNodeId, MeshNodeKind};
pub use name::{BaseDomain, EnvKey, HostName, ProjectName, RelativeDir, Slug, TokenName, UserName};
pub use network::{Destination, DestinationHost};
pub use path::RuntimePath;
pub use state::{
    ActivityKind, Builder, ChangeKind, DeliveryState, DeploymentState, HealthStatus, LogLevel, LogStream,
    MachineLogSource, NodeAccess, NodeState, NodeStatus, NotificationEvent, NotificationKind, Outward, PlacementState,
    PortAccess, ProjectStatus, RunKind, RunState, SleepCause, SmtpTls, SourceKind, StepState, Trigger, UseKind,
    WorkspaceState,
};
pub use workload::{ProcessName, WorkloadId};

/// Why a text is not what its type wants, as a sentence for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Invalid {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}
