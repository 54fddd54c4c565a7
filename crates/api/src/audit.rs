use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// Something that somebody did to what concerns everybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEvent {
    /// Rising, without gaps.
    pub position: i64,
    pub time: Time,
    /// A user's name, or `node:<id>`.
    #[schema(example = "admin")]
    pub actor: String,
    #[schema(example = "node.drained")]
    pub action: String,
    /// The id of what it was done to.
    pub subject: String,
    /// In words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditEventList {
    pub events: Vec<AuditEvent>,
    /// To be given as `before`, when there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Whether nobody has changed an entry since it was written.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditVerified {
    pub intact: bool,
    /// Entries that were looked at.
    pub events: i64,
    /// The first one that is not what was written, or that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_at: Option<i64>,
}
