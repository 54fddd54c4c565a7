use serde::{Deserialize, Serialize};

/// The server needs another connection of this node, for what is long. The node dials one more and shows the ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionTicket {
    pub ticket: String,
}

/// Why a server does not lead this node. It is said after both have proven who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// UPPER_SNAKE.
    pub code: String,
    pub message: String,
}

impl Refused {
    /// The node was taken out of the cluster: nothing shall run there any more.
    pub const REMOVED: &str = "NODE_REMOVED";
    /// The cluster has never heard of this key.
    pub const UNKNOWN: &str = "NODE_UNKNOWN";
    /// They have no version of the link in common.
    pub const PROTOCOL: &str = "PROTOCOL_UNSUPPORTED";
}
