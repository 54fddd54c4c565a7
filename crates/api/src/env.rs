use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
}

/// A variable as it is shown: its value never leaves the server.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EnvVar {
    pub key: String,
    pub has_value: bool,
}
