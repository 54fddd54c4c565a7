//! States and kinds, spelled the same in the database, the API and the dashboard.

use serde::{Deserialize, Serialize};

use crate::Invalid;

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:tt),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(Invalid(format!("`{text}` is not one of {}", [$($text),*].join(", ")))),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use text_enum;

text_enum! {
    /// How one thing of a release differs from that of another one.
    ChangeKind {
        Added = "added",
        Removed = "removed",
        Changed = "changed",
    }
}

text_enum! {
    /// What a workspace does. `creating → running | recovery → stopping → stopped`, or `error` when it cannot start.
    WorkspaceState {
        /// Its node prepares it.
        Creating = "creating",
        /// Terminals can be opened.
        Running = "running",
        /// The same, without what a step of its start should have brought: its log says what failed.
        Recovery = "recovery",
        /// Its processes are being ended.
        Stopping = "stopping",
        /// Nothing of it runs; its files are kept.
        Stopped = "stopped",
        /// It could not be started.
        Error = "error",
        /// Its files are being removed.
        Deleting = "deleting",
    }
}

impl WorkspaceState {
    /// Whether its node keeps it running, or tries to.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Creating | Self::Running | Self::Recovery)
    }

    /// Whether terminals can be opened.
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Running | Self::Recovery)
    }
}

text_enum! {
    /// Who reaches what listens on a port of a workspace, beside its owner.
    PortAccess {
        Private = "private",
        /// Whoever has the link.
        Link = "link",
        /// Everybody with an account here.
        Team = "team",
        Public = "public",
    }
}

text_enum! {
    /// How a workspace was used last.
    UseKind {
        /// Not at all since its start.
        Started = "started",
        /// Something was typed into a terminal.
        Typed = "typed",
        /// A program put something out in a terminal.
        Printed = "printed",
        /// Programs computed.
        Computed = "computed",
        /// Something was asked of a port.
        Port = "port",
    }
}

text_enum! {
    /// Why a workspace will be stopped by itself.
    SleepCause {
        /// Nothing happens in it.
        Idle = "idle",
        ShutdownDeadline = "shutdown_deadline",
    }
}

text_enum! {
    /// How far a step of a workspace's start has come.
    StepState {
        Running = "running",
        Succeeded = "succeeded",
        /// The later ones are still tried where they can be.
        Failed = "failed",
        /// There was nothing to do.
        Skipped = "skipped",
    }
}

text_enum! {
    /// How far a deployment has come. `queued → building → starting → live → retired`, or out of the way early.
    DeploymentState {
        /// Waits for the one before it.
        Queued = "queued",
        /// Being fetched and built.
        Building = "building",
        /// Built; its process is starting beside the live one.
        Starting = "starting",
        /// Answers the project's visitors.
        Live = "live",
        /// Was live until a later one took its place.
        Retired = "retired",
        /// Ended with a reason; the live one before it still serves.
        Failed = "failed",
        /// Somebody stopped it.
        Cancelled = "cancelled",
        /// A newer one was asked for before this one began.
        Superseded = "superseded",
    }
}

impl DeploymentState {
    /// Whether a node works on it now. At most one deployment of a project is active.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Building | Self::Starting)
    }

    /// Whether nothing more happens to it, except that a live one retires.
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Queued | Self::Building | Self::Starting)
    }
}

text_enum! {
    /// What a visitor of the project would find.
    ProjectStatus {
        /// Nothing was ever deployed, or nothing yet with success.
        Empty = "empty",
        /// The first deployment is on its way.
        Deploying = "deploying",
        /// The live release answers.
        Live = "live",
        /// The live release's process is down or restarting.
        Down = "down",
        /// No release is live and the last try failed.
        Failed = "failed",
        /// Being removed.
        Deleting = "deleting",
    }
}

text_enum! {
    /// What caused a deployment.
    Trigger {
        Create = "create",
        Manual = "manual",
        Upload = "upload",
        Rollback = "rollback",
    }
}

text_enum! {
    /// Why a command is run to its end.
    RunKind {
        /// The release command, before a release goes live.
        Release = "release",
        /// A scheduled job whose time has come.
        Schedule = "schedule",
        /// Asked for by somebody, in a sandbox of its own.
        Once = "once",
        /// Asked for by somebody, inside the running app.
        Exec = "exec",
    }
}

text_enum! {
    /// How far a run has come. Nothing is ever run twice: what was cut off is `lost`.
    RunState {
        /// Given to its node.
        Running = "running",
        /// Ended with exit code 0.
        Succeeded = "succeeded",
        /// Ended otherwise, or could not be started.
        Failed = "failed",
        /// Somebody stopped it.
        Cancelled = "cancelled",
        /// The machine went down while it ran; nobody knows how far it came.
        Lost = "lost",
        /// Its time came while the one before it still ran, or while nobody was there to start it.
        Skipped = "skipped",
    }
}

impl RunState {
    /// Whether nothing more happens to it.
    pub fn is_settled(self) -> bool {
        self != Self::Running
    }
}

text_enum! {
    /// What a project's processes may reach beyond their own loopback.
    #[derive(Default)]
    Outward {
        /// The internet, but no private network.
        #[default]
        Open = "open",
        /// The destinations that are named, and the resolvers.
        Only = "only",
        /// Nothing.
        None = "none",
    }
}

text_enum! {
    /// Where a project's files come from.
    SourceKind {
        Git = "git",
        Upload = "upload",
        /// A container image in a registry: there is nothing to build.
        Image = "image",
    }
}

text_enum! {
    /// What makes a release of a project's files.
    #[derive(Default)]
    Builder {
        /// The Dockerfile where there is one, the node has a container engine and no run command is set; else as `native`.
        #[default]
        Auto = "auto",
        /// What the files say of their language, run in the node's own sandbox.
        Native = "native",
        /// The Dockerfile, and nothing without one.
        Dockerfile = "dockerfile",
    }
}

text_enum! {
    /// How the control plane sees a node: `joining → online → unreachable → offline`, and back.
    NodeStatus {
        /// Taken in, and not heard of yet.
        Joining = "joining",
        Online = "online",
        /// Its link broke a moment ago. Its apps go on.
        Unreachable = "unreachable",
        /// It has been away for longer.
        Offline = "offline",
        /// Online, and being emptied.
        Draining = "draining",
        Removed = "removed",
    }
}

text_enum! {
    /// What people decided about a node.
    NodeState {
        /// Taken in, and not heard of yet.
        Joining = "joining",
        Active = "active",
        /// Gets nothing new; what it has moves away.
        Draining = "draining",
        /// Its key opens nothing any more.
        Removed = "removed",
    }
}

text_enum! {
    /// Who may put projects on a node, beside admins.
    NodeAccess {
        Owner = "owner",
        /// The owner, and those it was granted to.
        Granted = "granted",
        Everybody = "everybody",
    }
}

text_enum! {
    /// How a project is on a node.
    PlacementState {
        /// It runs there.
        Wanted = "wanted",
        /// It runs there until it does elsewhere.
        Leaving = "leaving",
        /// Visitors are sent there no more.
        Emptying = "emptying",
        /// Its files go.
        Removing = "removing",
    }
}

text_enum! {
    /// How fresh a node's last word is.
    HealthStatus {
        Healthy = "healthy",
        Stale = "stale",
        Unhealthy = "unhealthy",
    }
}

text_enum! {
    /// Who wrote a log line.
    LogStream {
        /// The process's standard output.
        Out = "out",
        /// The process's standard error.
        Err = "err",
        /// NanoScale itself.
        Sys = "sys",
    }
}

text_enum! {
    /// What of a machine has logs.
    MachineLogSource {
        /// The node's own program.
        Agent = "agent",
        /// What set the machine up when it first started.
        CloudInit = "cloud-init",
        /// Containers.
        Docker = "docker",
        /// Units of NanoScale in the systemd journal.
        Systemd = "systemd",
    }
}

text_enum! {
    /// How much a line of a machine's log matters.
    LogLevel {
        Error = "error",
        Warn = "warn",
        Info = "info",
        Debug = "debug",
    }
}

text_enum! {
    /// How a notification channel reaches people.
    NotificationKind {
        /// A signed POST of JSON to an address of theirs.
        Webhook = "webhook",
        Email = "email",
        /// An incoming webhook of Slack, or of what speaks like it: Mattermost, Discord's `/slack`.
        Slack = "slack",
    }
}

text_enum! {
    /// What people are told of.
    NotificationEvent {
        DeploymentLive = "deployment.live",
        DeploymentFailed = "deployment.failed",
        /// An app dies again and again.
        WorkloadCrashLoop = "workload.crash_loop",
        NodeDiskNearlyFull = "node.disk_nearly_full",
        ScheduleFailed = "schedule.failed",
    }
}

impl NotificationEvent {
    /// Whether a channel tells of it that was made without a choice: troubles are told, good news on request.
    pub fn on_by_default(self) -> bool {
        self != Self::DeploymentLive
    }
}

text_enum! {
    /// What people who work on a project read of it.
    ActivityKind {
        WorkspaceCreated = "workspace.created",
        WorkspaceStopped = "workspace.stopped",
        WorkspaceRestarted = "workspace.restarted",
        /// Made anew from its repository.
        WorkspaceRebuilt = "workspace.rebuilt",
        /// It could not be started.
        WorkspaceFailed = "workspace.failed",
        WorkspaceDeleted = "workspace.deleted",
        DeploymentLive = "deployment.live",
        DeploymentFailed = "deployment.failed",
    }
}

text_enum! {
    /// How far the telling of one fact to one channel has come.
    DeliveryState {
        /// Waits for its first or next attempt.
        Pending = "pending",
        /// The other side said that it has it.
        Delivered = "delivered",
        /// Every attempt failed, or one failed in a way that another would not mend.
        Failed = "failed",
        /// The channel was switched off before it got through.
        Abandoned = "abandoned",
    }
}

text_enum! {
    /// How a connection to a mail server is encrypted.
    SmtpTls {
        /// Plain at first, then upgraded; usual on port 587.
        StartTls = "starttls",
        /// From the first byte; usual on port 465.
        Implicit = "implicit",
        None = "none",
    }
}
