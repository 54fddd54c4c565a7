use ids::{ActivityKind, DeploymentId, WorkspaceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// Something that happened in a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ActivityEvent {
    /// Later ones have higher ones.
    pub position: i64,
    pub event_type: ActivityKind,
    /// User name of who did it; absent where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<WorkspaceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
    /// More about it: of a deployment its `number`, `commit` and `reason`, of a workspace its `name`.
    #[schema(value_type = Object)]
    pub payload: serde_json::Value,
    pub created_at: Time,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ActivityList {
    /// Newest first.
    pub events: Vec<ActivityEvent>,
    /// There are older ones: ask for those `before` the last one's position.
    pub has_more: bool,
}
