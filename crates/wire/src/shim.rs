//! The shim's socket: one JSON request a line, one JSON answer a line. Small and frozen,
//! since a shim lives as long as its app, over many versions of the node.

use serde::{Deserialize, Serialize};

/// Version of this exchange, in every [`Answer::Status`].
pub const SHIM_PROTOCOL: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "op")]
pub enum Request {
    Status,
    /// Send a signal to the process.
    Signal {
        signal: i32,
    },
    /// Answered when the process has ended.
    Wait,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum Answer {
    Status { protocol: u32, pid: i32, started_at_ms: i64 },
    Ok,
    Exited(Exit),
    Error { message: String },
}

/// How a process ended: by its own code or by a signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub at_ms: i64,
    /// Why it never started.
    pub spawn_error: Option<String>,
    /// Whether the kernel killed in its group for want of memory: the group may be gone when somebody asks.
    #[serde(default)]
    pub out_of_memory: bool,
}
