//! What a successful build produced: artifact, environment snapshot and process spec. Immutable.

use crate::project::RuntimeSettings;
use ids::{DeploymentId, ProjectId, ReleaseId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub id: ReleaseId,
    pub project_id: ProjectId,
    /// The deployment that built it; its node keeps the artifact under this id.
    pub deployment_id: DeploymentId,
    /// The process spec, JSON as the node reported it.
    pub process: String,
    /// The environment it was built with, sealed.
    pub env_sealed: String,
    /// What its processes may use.
    pub runtime: RuntimeSettings,
    /// Kept whatever its age.
    pub pinned: bool,
    pub created_at: i64,
}
