//! What crosses the link of a mesh agent: a machine of another owner, that serves models and nothing else.

use serde::{Deserialize, Serialize};

/// The version of this protocol that both sides speak.
pub const MESH_PROTOCOL: u32 = 1;
/// The tag of signatures between machines of the mesh (RFC 9421 section 2.3).
pub const MESH_TAG: &str = "mesh-v1";
/// The same of requests to the inference service: what was signed for a machine is worth nothing there.
pub const INFERENCE_TAG: &str = "inference-v1";
/// Which completion a request to a mesh agent is for: its id.
pub const MESH_REQUEST_ID: &str = "mesh-request-id";

/// `GET /v1/report?than=<generation>`: what a mesh agent offers at this moment. Answered as soon as that has changed, and after
/// 2 s at the latest.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MeshReport {
    pub protocol: u32,
    /// Of the agent's program.
    pub version: String,
    pub os: String,
    /// Changes with each other report of this process.
    pub generation: u64,
    /// Why its owner lets nobody use it at this moment; absent when they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<String>,
    pub models: Vec<MeshModel>,
    /// Whether its owner lets administrators of the mesh choose models that it fetches.
    #[serde(default)]
    pub allows_pulls: bool,
    /// Those that were ordered lately, the newest last.
    #[serde(default)]
    pub pulls: Vec<MeshPull>,
}

/// `POST /v1/pulls`: an order to fetch a model. Answered with a [`MeshPull`], 202.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshPullOrder {
    pub model: String,
}

/// A model that is fetched, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshPull {
    pub model: String,
    pub state: PullState,
    /// Bytes, of those that are known to be needed.
    pub completed: u64,
    pub total: u64,
    /// What is done just now, or why it failed.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    Running,
    Done,
    Failed,
}

/// A model that a mesh agent serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeshModel {
    pub name: String,
    /// Whether it is in memory: otherwise the first answer waits for that.
    pub loaded: bool,
    /// Tokens that fit into one request with its answer.
    pub context: u32,
    /// Requests that it works at, at the same time.
    pub slots: u32,
    /// Requests that it works at or that wait for it now.
    pub busy: u32,
    /// What its owner asks for it, in microcredits.
    pub price: MeshPrice,
}

/// Microcredits (millionths of a credit) for one token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshPrice {
    pub input: u32,
    pub output: u32,
}

/// `GET /v1/completions/{id}`: how far a completion has come, as the mesh agent counted it. 404 when it knows none, or forgot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeshCompletion {
    /// Whether nothing more comes of it.
    pub ended: bool,
    pub input_tokens: u64,
    pub output_tokens: u64,
}
