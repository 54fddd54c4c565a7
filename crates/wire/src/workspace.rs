use ids::{StepState, TerminalId, UseKind, WorkspaceId};
use serde::{Deserialize, Serialize};

use crate::shim::Exit;
use crate::{Failure, Limits, NetworkPolicy};

/// Keep one workspace running. Its group ([`WorkspaceId::group`]) owns its files, which stay when it is not desired any
/// more, and go with the group.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceSpec {
    pub id: WorkspaceId,
    /// Rises with every start that somebody asks for: what failed is tried again, what is done is not.
    pub attempt: i64,
    /// Rises when the files shall be made anew: those of an earlier one are discarded.
    pub generation: i64,
    /// What to clone at its first start.
    pub checkout: Option<Checkout>,
    /// Variables of every process in it.
    pub env: Vec<(String, String)>,
    pub files: Vec<RuntimeFile>,
    pub author: Author,
    /// Cloned into the home directory, and installed.
    pub dotfiles: Option<Remote>,
    pub limits: Limits,
    pub network: NetworkPolicy,
    /// For each step of the start.
    pub step_timeout_seconds: u64,
}

/// A working copy, below the home directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkout {
    pub remote: Remote,
    /// Branch or tag that is there; the default branch when absent.
    pub branch: Option<String>,
    /// A branch to begin there.
    pub new_branch: Option<String>,
    /// Name of its directory.
    pub directory: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    pub url: String,
    /// Whether a host in a private range, or plain http, is meant.
    pub allow_private: bool,
}

/// A file that every process finds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeFile {
    /// `~/…` in the home directory, `/…` absolute, else below the working copy, or the release directory.
    pub path: String,
    pub content: String,
}

/// Whose commits are made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    pub name: String,
    pub email: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkspaceStatus {
    pub id: WorkspaceId,
    /// The start that it tells of.
    pub attempt: i64,
    pub phase: WorkspacePhase,
    /// In the order they were begun.
    pub steps: Vec<WorkspaceStep>,
    /// Why it is in recovery or failed.
    pub failure: Option<Failure>,
    /// Ports that something in it listens on, in order.
    #[serde(default)]
    pub ports: Vec<u16>,
    #[serde(default)]
    pub terminals: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkspacePhase {
    Starting,
    Running,
    /// It runs, without what a failed step should have brought.
    Recovery,
    /// Nothing runs; tried again with the next attempt.
    Failed,
    /// No longer wanted; its processes are being ended.
    Stopping,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceStep {
    /// `prepare`, `sandbox`, `clone`, `files`, `dotfiles`.
    pub name: String,
    pub state: StepState,
    pub started_at_ms: i64,
    pub finished_at_ms: Option<i64>,
    /// What it came to, for people.
    pub message: Option<String>,
}

/// How long nothing has happened in a workspace: nothing was typed, put out, asked of a port or computed. That somebody
/// looks is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceQuiet {
    pub milliseconds: u64,
    /// What happened last; a node that is older does not say.
    #[serde(default)]
    pub last: Option<WorkspaceUse>,
}

/// Something that shows that a workspace is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceUse {
    pub kind: UseKind,
    /// Where something was typed or put out, with its name.
    pub terminal: Option<TerminalId>,
    pub terminal_name: Option<String>,
    /// What something was asked of.
    pub port: Option<u16>,
}

/// What has a terminal to itself: answer to `/v1/workspaces/{workspace}/terminals/{terminal}/job`, which with `?id=` is
/// not there when the job of that id has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalJob {
    pub terminal_name: String,
    /// Absent while the shell waits for a command: then the terminal itself.
    pub id: Option<String>,
    /// As it was called.
    pub command: Option<String>,
}

/// A terminal to open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSpec {
    pub id: TerminalId,
    pub name: String,
    pub rows: u16,
    pub columns: u16,
    /// Below the home directory, or absolute; the working copy when absent.
    pub directory: Option<String>,
    /// Instead of a login shell.
    pub command: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    pub id: TerminalId,
    pub name: String,
    pub directory: String,
    pub created_at_ms: i64,
    /// When something was last typed into it.
    pub used_at_ms: Option<i64>,
    pub viewers: u32,
    /// How it ended; absent while it runs.
    pub exit: Option<Exit>,
    /// Bytes it has put out.
    pub end: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalRename {
    pub name: String,
}

/// A line of a terminal's output that has what was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalMatch {
    /// Where the line begins, in bytes of output.
    pub offset: u64,
    /// Without escape sequences.
    pub line: String,
}

/// What git in a workspace asks for; its node passes it on to `/v1/workspaces/{workspace}/git-credential` of the control
/// plane, over the connection for other nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitCredentialRequest {
    /// `https` or `http`.
    pub protocol: String,
    /// With the port where there is one.
    pub host: String,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitCredential {
    pub username: String,
    pub password: String,
}

/// What passes between a viewer and a terminal, in [`crate::shim::frame`]s: the shim's own kinds and these.
pub mod attach {
    use serde::{Deserialize, Serialize};

    pub use crate::shim::frame::{EXIT, INPUT, OUTPUT, RESIZE};

    /// An [`Attached`] as JSON: the first one, to the viewer.
    pub const ATTACHED: u8 = 16;
    /// A part of the bytes that draw the screen as it was at [`Attached::from`], after the first frame where there are
    /// any; an empty one is the end of them. To the viewer.
    pub const SNAPSHOT: u8 = 17;
    /// A [`Size`] as JSON, when the terminal has another one. To the viewer.
    pub const SIZE: u8 = 18;
    /// The terminal's new name, as text. To the viewer.
    pub const NAME: u8 = 19;
    /// Whether this viewer has the keyboard, one byte: who has it decides the size, and its emulator alone answers queries.
    pub const KEYBOARD: u8 = 20;

    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Attached {
        /// Offset of the first byte of output that follows.
        pub from: u64,
        /// Where the output ends now: what comes before that was put out earlier.
        pub end: u64,
        /// The first byte that is kept.
        pub start: u64,
        /// A snapshot comes before it.
        pub snapshot: bool,
        pub size: Size,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Size {
        pub rows: u16,
        pub columns: u16,
    }

    /// How somebody looks: query of the request.
    #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Query {
        /// Output up to here was seen; absent: none was.
        #[serde(default)]
        pub from: Option<u64>,
        pub rows: u16,
        pub columns: u16,
        /// Types nothing, and has no say in the size.
        #[serde(default)]
        pub watch: bool,
    }
}
