use ids::{
    NodeId, PortAccess, ProjectId, SleepCause, StepState, TerminalId, TerminalLinkId, UseKind, WorkspaceId,
    WorkspaceState,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// A workspace to open.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceCreate {
    /// Id, name or slug of the project that is checked out.
    pub project_id: String,
    /// Up to 64 characters; the project's name and branch when absent. A number is added to one that is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id or name of the machine; one with room when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_id: Option<String>,
    /// Branch or tag that is there; the project's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// A branch to begin there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_branch: Option<String>,
    /// It is stopped when nothing happened in it for so long; 0 is never. 0 when absent, at most 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_seconds: Option<i64>,
    /// When it is stopped whatever happens in it; has to lie in the future.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2030-01-31T18:00:00Z")]
    pub shutdown_deadline: Option<Time>,
    /// What its processes may take together; the server's usual when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u64>,
}

/// What to change of a workspace. What is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceUpdate {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout_seconds: Option<i64>,
    /// Has to lie in the future; empty: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutdown_deadline: Option<Time>,
}

/// Keeps a workspace awake though nothing happens in it, for a time or until a job ends: one of the two.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceAwake {
    /// From now on, 1 to 86400. A longer time that was asked for before stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// Until what has this terminal to itself now ends, or the terminal where its shell waits for a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal_id: Option<TerminalId>,
}

/// Makes a workspace anew from its repository.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspaceRebuild {
    /// Has to be true: its files are removed, also those that were never committed.
    #[serde(default)]
    pub discard_files: bool,
}

/// A checkout of a project on a machine, where one person works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
    pub project_id: ProjectId,
    pub project_name: String,
    /// User name of whose it is.
    pub owner: String,
    pub node_id: NodeId,
    pub node_name: String,
    /// Absent: the repository's default branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_branch: Option<String>,
    pub state: WorkspaceState,
    /// When it entered that state.
    pub state_since: Time,
    /// Counts its starts.
    pub attempt: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
    /// Why it is in recovery or could not be started, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
    /// Of its present or last start, in the order they were begun.
    pub steps: Vec<WorkspaceStep>,
    /// Ports that something in it listens on.
    pub ports: Vec<WorkspacePort>,
    /// Terminals that run.
    pub terminals: u32,
    pub memory_mb: u64,
    /// 0: never.
    pub idle_timeout_seconds: i64,
    /// When it is stopped whatever happens in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shutdown_deadline: Option<Time>,
    /// When it is stopped by itself, and why. Absent while it does not run or its machine cannot be reached, and where
    /// nothing would stop it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<WorkspaceIdle>,
    /// Where its page is.
    pub url: String,
    pub created_at: Time,
    pub updated_at: Time,
}

/// When a workspace is stopped by itself, if nothing happens until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkspaceIdle {
    /// Absent while a job keeps it awake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sleeps_at: Option<Time>,
    /// From when on its owner is warned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warns_at: Option<Time>,
    pub cause: SleepCause,
    #[schema(example = "nothing was typed, printed, computed or asked of a port since 13:35 UTC")]
    pub because: String,
    /// Absent where only a deadline stops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_use: Option<WorkspaceUse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_awake_until: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_awake_by: Option<WorkspaceKeeper>,
}

/// What was last seen to happen in a workspace. That somebody looks is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkspaceUse {
    pub kind: UseKind,
    pub at: Time,
    /// Where something was typed or printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal_id: Option<TerminalId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal_name: Option<String>,
    /// What something was asked of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// What keeps a workspace awake until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkspaceKeeper {
    pub terminal_id: TerminalId,
    pub terminal_name: String,
    /// The job's command; absent: the terminal itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// One step of a workspace's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkspaceStep {
    /// `prepare`, `sandbox`, `clone`, `files` or `dotfiles`.
    #[schema(example = "clone")]
    pub name: String,
    pub state: StepState,
    pub started_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// What it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A port that something in a workspace listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkspacePort {
    pub port: u16,
    pub access: PortAccess,
    /// Something listens on it now.
    pub is_listening: bool,
    /// Where a browser finds it.
    pub url: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WorkspacePortList {
    /// By number.
    pub ports: Vec<WorkspacePort>,
}

/// Who shall reach a port.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkspacePortUpdate {
    pub access: PortAccess,
}

/// A port with its link, which is shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorkspacePortShared {
    #[serde(flatten)]
    pub port: WorkspacePort,
    /// Who opens it gets in, for as long as the access is `link`. A new one with each such change; the one before ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WorkspaceList {
    /// Newest first.
    pub workspaces: Vec<Workspace>,
}

/// A terminal to open.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminalCreate {
    /// Up to 50 characters; `Terminal 1`, … when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// 24 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u16>,
    /// 80 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<u16>,
    /// Below the home directory, or absolute; the working copy when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// A program and its arguments instead of a login shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Starts a workspace that went to sleep, and says so with `WORKSPACE_WAKING`: ask again when it runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub wake: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminalUpdate {
    pub name: String,
}

/// A terminal of a workspace. It goes on when nobody looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Terminal {
    pub id: TerminalId,
    pub name: String,
    /// Where its shell was started.
    pub directory: String,
    pub is_running: bool,
    /// How it ended; absent when it was by a signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Who look at it now.
    pub viewers: u32,
    /// Bytes that it has put out.
    pub output_bytes: u64,
    pub created_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Time>,
    /// When something was last typed into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Time>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TerminalList {
    /// Oldest first.
    pub terminals: Vec<Terminal>,
}

/// A line of a terminal's output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TerminalMatch {
    pub terminal_id: TerminalId,
    pub terminal_name: String,
    /// Where the line begins, in bytes of output.
    pub offset: u64,
    /// Without escape sequences.
    pub line: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TerminalMatchList {
    /// Newest first.
    pub matches: Vec<TerminalMatch>,
    /// There are more than are shown.
    pub truncated: bool,
}

/// A link by which others may watch a terminal: they type nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TerminalLink {
    pub id: TerminalLinkId,
    pub created_at: String,
    pub expires_at: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TerminalLinkList {
    pub links: Vec<TerminalLink>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminalLinkCreate {
    /// How long it is good: a day when absent, 30 days at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_seconds: Option<u64>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TerminalLinkCreated {
    #[serde(flatten)]
    pub link: TerminalLink,
    /// Shown this once. Its secret is the part that browsers do not send.
    pub url: String,
}

/// What who has a link watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SharedTerminal {
    pub workspace_name: String,
    pub terminal_name: String,
    pub is_running: bool,
    pub expires_at: String,
}

/// What a viewer of a terminal says, as text frames of its WebSocket. Binary frames are bytes to type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum TerminalRequest {
    Resize {
        rows: u16,
        columns: u16,
    },
    /// Output up to here is on the screen. Who does not say so is sent no more after a while.
    Ack {
        offset: u64,
    },
    /// Answered with the same number: how long the way takes.
    Ping {
        id: u64,
    },
}

/// What a terminal says, as text frames of its WebSocket. Binary frames are output, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum TerminalNotice {
    /// The first one.
    Attached {
        /// Offset of the first byte of output that follows.
        from: u64,
        /// What comes before this offset was put out earlier: queries in it are not to be answered.
        end: u64,
        /// The first byte that is kept.
        start: u64,
        /// The next binary frame draws the screen as it was at `from`, and is no output.
        snapshot: bool,
        rows: u16,
        columns: u16,
    },
    /// Another viewer types, and decides the size.
    Size {
        rows: u16,
        columns: u16,
    },
    /// Whether this viewer has the keyboard: who has it decides the size, and its emulator alone answers queries of
    /// programs. Until it is told, it has.
    Keyboard {
        yours: bool,
    },
    Renamed {
        name: String,
    },
    Pong {
        id: u64,
    },
    /// The last one, when the process has ended.
    Exit {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<i32>,
    },
    /// Why the connection is closed.
    Error {
        error: String,
        message: String,
    },
}
