//! HTTP request and response types of `/api`: one source for the server, the CLI,
//! the tests, and through `docs/openapi.json` for the dashboard.
//!
//! Grammar: snake_case fields, lists as `{"<plural noun>": […]}`, times as RFC 3339 in UTC,
//! absent rather than null, errors as [`ErrorBody`].

mod activity;
mod agent;
mod audit;
mod auth;
mod cache;
mod cluster;
mod deployment;
mod env;
mod event;
mod machine;
mod mesh;
mod metrics;
mod node;
mod notification;
mod project;
mod run;
mod signing;
mod work;
mod workspace;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use activity::{ActivityEvent, ActivityList};
pub use agent::{AgentPlatform, AgentVersion};
pub use audit::{AuditEvent, AuditEventList, AuditVerified};
pub use auth::{
    AuthStatus, Credentials, Me, ModelLimits, Setup, Token, TokenCreate, TokenCreated, TokenList, User, UserCreate,
    UserList,
};
pub use cache::{BuildCache, BuildCacheList, BuildCachePrune, BuildCachePruned};
pub use cluster::{
    ClusterChallenge, ClusterIdentity, ClusterJoin, ClusterJoined, JoinToken, JoinTokenCreate, JoinTokenCreated,
    JoinTokenList,
};
pub use deployment::{
    Commit, Deployment, DeploymentAccepted, DeploymentList, DeploymentStep, LogLine, LogPage, NotDeployed, Redeploy,
    Redeployed, Release, ReleaseChange, ReleaseList, Rollback, RollbackEnd, RollbackPlan,
};
pub use env::{
    EnvVar, EnvVarInput, EnvVarUpdate, RuntimeConfig, RuntimeEnvVar, RuntimeEnvVarSet, RuntimeFile, RuntimeFileSet,
};
pub use event::Event;
pub use machine::{
    AgentInfo, Container, Cpu, DiskUse, DockerInfo, MachineLogCaughtUp, MachineLogEntry, MachineLogPage, Memory,
    NetworkInterface, Software, SystemInfo, UnavailableSource,
};
pub use mesh::{
    Completion, CompletionCandidate, CompletionChoice, CompletionExplained, CompletionList, Enrolment, EnrolmentCreate,
    EnrolmentCreated, EnrolmentList, GrantCreate, HostedModel, HostedProvider, HostedProviderCheck,
    HostedProviderCreate, HostedProviderList, HostedProviderUpdate, LedgerAccount, LedgerAudit, LedgerEntry,
    LedgerStatement, Mesh, MeshModel, MeshPull, MeshPullCreate, Model, ModelList,
};
pub use metrics::{MetricsHistory, ProcessMetrics, ProcessSample, ProjectMetrics, VolumeSample};
pub use node::{Capability, Node, NodeList, NodeMetrics, NodeUpdate, Problem, WorkloadMetrics};
pub use notification::{
    NotificationChannel, NotificationChannelCreate, NotificationChannelList, NotificationChannelUpdate,
    NotificationDelivery, NotificationDeliveryList, NotificationDeployment, NotificationNode, NotificationPayload,
    NotificationProject, NotificationSchedule, NotificationSettings, NotificationSettingsShown, NotificationTest,
};
pub use project::{
    LimitSettings, NamedCommand, NetworkSettings, Plan, PlanRequest, PlannedSchedule, Project, ProjectCreate,
    ProjectCreated, ProjectList, ProjectPlacement, ProjectUpdate, Volume, VolumeUse, VolumeUseList,
};
pub use run::{Run, RunCreate, RunList, Schedule, ScheduleList, SchedulePut};
pub use signing::{
    JsonWebKey, JsonWebKeySet, SigningKey, SigningKeyList, SigningKeyRotate, TerminalToken, TerminalTokenCreate,
};
pub use work::{GitCredential, GitCredentialList, GitCredentialPut, WorkSettings};
pub use workspace::{
    SharedTerminal, Terminal, TerminalCreate, TerminalLink, TerminalLinkCreate, TerminalLinkCreated, TerminalLinkList,
    TerminalList, TerminalMatch, TerminalMatchList, TerminalNotice, TerminalRequest, TerminalUpdate, Workspace,
    WorkspaceAwake, WorkspaceCreate, WorkspaceIdle, WorkspaceKeeper, WorkspaceList, WorkspacePort, WorkspacePortList,
    WorkspacePortShared, WorkspacePortUpdate, WorkspaceRebuild, WorkspaceStep, WorkspaceUpdate, WorkspaceUse,
};

/// What every failed request answers with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// Stable, for programs: UPPER_SNAKE.
    #[schema(example = "NOT_FOUND")]
    pub error: String,
    /// For people: what is wrong and what to do.
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub details: Option<serde_json::Value>,
}

/// `GET /api/health`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`, or `degraded` while some node has a problem.
    #[schema(example = "ok")]
    pub status: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// `GET /health`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HealthDetail {
    /// `ok`, or `degraded` while some node has a problem.
    #[schema(example = "ok")]
    pub status: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    pub version: String,
    /// RFC 3339.
    pub time: String,
}

/// An instant as RFC 3339 text in UTC with milliseconds.
pub type Time = String;

/// The shapes of this crate as an OpenAPI document without paths; the server adds its routes.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "NanoScale",
        description = "Your private cloud: deploy apps on machines you own.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(
        ErrorBody,
        Health,
        HealthDetail,
        Problem,
        Setup,
        Credentials,
        AuthStatus,
        User,
        UserCreate,
        UserList,
        Me,
        TokenCreate,
        TokenCreated,
        Token,
        TokenList,
        ProjectCreate,
        ProjectUpdate,
        Project,
        ProjectCreated,
        ProjectList,
        PlanRequest,
        Plan,
        NamedCommand,
        PlannedSchedule,
        NetworkSettings,
        Volume,
        VolumeUse,
        VolumeUseList,
        LimitSettings,
        Run,
        RunCreate,
        RunList,
        Schedule,
        ScheduleList,
        SchedulePut,
        Commit,
        Deployment,
        DeploymentAccepted,
        DeploymentList,
        DeploymentStep,
        Redeploy,
        NotDeployed,
        Rollback,
        Release,
        ReleaseChange,
        ReleaseList,
        RollbackEnd,
        RollbackPlan,
        LogLine,
        LogPage,
        EnvVar,
        EnvVarInput,
        EnvVarUpdate,
        RuntimeConfig,
        RuntimeEnvVar,
        RuntimeEnvVarSet,
        RuntimeFile,
        RuntimeFileSet,
        GitCredential,
        GitCredentialList,
        GitCredentialPut,
        WorkSettings,
        Event,
        Node,
        NodeList,
        Capability,
        NodeMetrics,
        WorkloadMetrics,
        MetricsHistory,
        ProjectMetrics,
        ProcessMetrics,
        ProcessSample,
        VolumeSample,
        AgentInfo,
        Container,
        Cpu,
        DiskUse,
        DockerInfo,
        MachineLogCaughtUp,
        MachineLogEntry,
        MachineLogPage,
        Memory,
        NetworkInterface,
        Software,
        SystemInfo,
        UnavailableSource,
        BuildCache,
        BuildCacheList,
        BuildCachePrune,
        BuildCachePruned,
        NotificationChannel,
        NotificationChannelCreate,
        NotificationChannelList,
        NotificationChannelUpdate,
        NotificationDelivery,
        NotificationDeliveryList,
        NotificationDeployment,
        NotificationNode,
        NotificationPayload,
        NotificationProject,
        NotificationSchedule,
        NotificationSettings,
        NotificationSettingsShown,
        NotificationTest,
        ActivityEvent,
        ActivityList,
        JsonWebKey,
        JsonWebKeySet,
        SigningKey,
        SigningKeyList,
        SigningKeyRotate,
        TerminalToken,
        TerminalTokenCreate,
        Terminal,
        SharedTerminal,
        TerminalCreate,
        TerminalLink,
        TerminalLinkCreate,
        TerminalLinkCreated,
        TerminalLinkList,
        TerminalList,
        TerminalMatch,
        TerminalMatchList,
        TerminalNotice,
        TerminalRequest,
        TerminalUpdate,
        Workspace,
        WorkspaceCreate,
        WorkspaceList,
        WorkspacePort,
        WorkspacePortList,
        WorkspacePortShared,
        WorkspacePortUpdate,
        WorkspaceRebuild,
        WorkspaceStep,
        WorkspaceUpdate
    ))
)]
pub struct Shapes;
