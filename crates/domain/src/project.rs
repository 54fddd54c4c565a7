//! One repository, or one uploaded directory, and how to run it.

use ids::{DeploymentId, NodeId, ProjectId, SourceKind, UserId};

/// The lowest stable port a project may have; those below are for the machine.
pub const FIRST_PORT: u16 = 3100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    pub id: ProjectId,
    pub name: String,
    /// Its host label, unique.
    pub slug: String,
    pub node_id: NodeId,
    pub source: SourceKind,
    pub settings: ProjectSettings,
    /// The loopback port that answers for it, unique on its node.
    pub port: u16,
    /// The upload that its next build takes.
    pub upload: Option<DeploymentId>,
    /// Its removal has been asked for and goes on until its node confirms.
    pub deleting: bool,
    pub created_by: UserId,
    pub created_at: i64,
    pub updated_at: i64,
}

/// What its owner set; absent means detected or default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectSettings {
    pub repo_url: Option<String>,
    pub branch: Option<String>,
    pub root_directory: Option<String>,
    pub install_command: Option<String>,
    pub build_command: Option<String>,
    pub run_command: Option<String>,
    pub output_directory: Option<String>,
    pub health_path: Option<String>,
}
