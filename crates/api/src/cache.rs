use ids::ProjectId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// What a project's builds keep on its node for later ones: downloads, compiled dependencies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BuildCache {
    pub project_id: ProjectId,
    /// Absent while the project is being removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_name: Option<String>,
    pub bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Time>,
    /// What installing and building takes without it; absent until a build succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebuild_seconds: Option<f64>,
    /// A build works with it now, so it stays.
    pub in_use: bool,
}

/// The build caches of a node, the one that would go first in front.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BuildCacheList {
    pub caches: Vec<BuildCache>,
    /// Of all of them.
    pub bytes: u64,
    /// Beyond it the node removes some by itself, those first that are old, large and soon made again.
    pub limit_bytes: u64,
    /// Projects whose caches could go now, in that order.
    pub would_free: Vec<ProjectId>,
}

/// Removes one project's cache, or as many as free `bytes`, or all. Those that builds work with stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BuildCachePrune {
    /// Only say what would be freed.
    #[serde(default)]
    pub dry_run: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What was freed, or would be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BuildCachePruned {
    pub dry_run: bool,
    pub freed: Vec<BuildCache>,
    pub bytes: u64,
}
