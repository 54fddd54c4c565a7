use std::fmt;

use url::Url;

use crate::discovery::Source;

/// How a mesh agent stands with its coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Not linked, and trying.
    Connecting { reason: String },
    /// Not linked, and somebody has to do something about it. It asks again by itself.
    Dormant { reason: String },
    /// The coordinator can use its models.
    Linked { url: Url, source: Source },
}

/// As a sentence.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting { reason } => write!(f, "not linked: {reason}; trying again"),
            Self::Dormant { reason } => write!(f, "dormant: {reason}"),
            Self::Linked { url, source } => write!(f, "linked to the coordinator at {url}, {source}"),
        }
    }
}
