use ids::ProjectId;
use serde::{Deserialize, Serialize};

/// What a group's builds keep for the ones after them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    pub group: ProjectId,
    /// On disk, when it was last measured.
    pub bytes: u64,
    /// Absent when no build said so.
    pub last_used_ms: Option<i64>,
    /// What installing and building takes without it; absent until a build succeeded.
    pub rebuild_ms: Option<u64>,
    /// A build works with it now, so it is not removed.
    pub in_use: bool,
}

/// The caches of a node, the one that would go first in front.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caches {
    pub caches: Vec<Cache>,
    /// What all of them may have; beyond it the node removes some by itself.
    pub limit_bytes: u64,
}

/// Which caches to remove.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachePrune {
    /// Only say what would go.
    pub dry_run: bool,
    /// This one.
    pub group: Option<ProjectId>,
    /// Else so many that this is freed; all of them when absent.
    pub bytes: Option<u64>,
}
