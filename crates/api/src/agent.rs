use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What machines can have of this server, and what it speaks with them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AgentVersion {
    pub version: String,
    /// Versions of the link that this server speaks.
    pub protocol_oldest: u32,
    pub protocol_newest: u32,
    pub platforms: Vec<AgentPlatform>,
}

/// The program for one kind of machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentPlatform {
    #[schema(example = "linux")]
    pub os: String,
    #[schema(example = "amd64")]
    pub arch: String,
    pub bytes: u64,
    /// Hexadecimal.
    pub sha256: String,
}
