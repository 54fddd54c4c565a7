use ids::Destination;
use serde::{Deserialize, Serialize};

/// What the processes of a group may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkPolicy {
    pub outward: Outward,
    /// Ports of the node's own loopback that appear on theirs.
    #[serde(default)]
    pub host_ports: Vec<u16>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum Outward {
    /// The internet, but no private network.
    #[default]
    Open,
    /// These and the resolvers.
    Only {
        destinations: Vec<Destination>,
    },
    None,
}
