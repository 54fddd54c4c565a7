use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// A variable with its value, on the way in.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvVarInput {
    pub key: String,
    pub value: String,
}

/// One entry of the whole set that `PUT /api/projects/{id}/env` writes.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvVarUpdate {
    pub key: String,
    /// Absent keeps the value that is stored under this key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// As read; ignored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_value: Option<bool>,
    /// Absent keeps what it is; a new one is a secret. To show the value of a secret, send that too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_secret: Option<bool>,
}

/// A variable as it is shown, without its value.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EnvVar {
    pub key: String,
    pub has_value: bool,
    /// Its value never leaves the server.
    #[serde(default = "yes")]
    pub is_secret: bool,
}

fn yes() -> bool {
    true
}

/// What a project's processes and workspaces are given.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RuntimeConfig {
    /// By key.
    pub env_vars: Vec<RuntimeEnvVar>,
    /// By path.
    pub files: Vec<RuntimeFile>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RuntimeEnvVar {
    pub key: String,
    /// Absent when it is secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    pub is_secret: bool,
    pub has_value: bool,
    pub updated_at: Time,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RuntimeFile {
    pub path: String,
    /// Absent when it is secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    pub size_bytes: u64,
    pub is_secret: bool,
    pub updated_at: Time,
}

/// A variable to set.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuntimeEnvVarSet {
    pub key: String,
    pub value: String,
    /// Never show its value. Absent keeps what it is; a new one is a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_secret: Option<bool>,
}

/// A file to set.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuntimeFileSet {
    /// `~/…` in the home directory, `/…` absolute, else relative to the project's files.
    #[schema(example = "~/.npmrc")]
    pub path: String,
    pub content: String,
    /// Never show its content. Absent keeps what it is; a new one is a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_secret: Option<bool>,
}
