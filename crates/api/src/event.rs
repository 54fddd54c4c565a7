use ids::{DeploymentId, ProjectId, WorkspaceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Says that something changed, not what it is now: read it again. The SSE id is the position.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Gap-free and rising.
    pub position: i64,
    #[schema(example = "deployment.updated")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<ProjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
    /// Only its owner is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<WorkspaceId>,
}
