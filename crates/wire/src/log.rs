use ids::{DeploymentId, LogStream};
use serde::{Deserialize, Serialize};

/// One line of a log as it crosses the link. `id` is a position that a reader can go on after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    pub id: String,
    pub workload: DeploymentId,
    pub at_ms: i64,
    pub stream: LogStream,
    pub text: String,
}

/// Which lines to read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogQuery {
    /// Go on after this position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<i64>,
    /// Only lines with this text in them, whatever its case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    /// At most the last so many of what is there already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Stay and send what comes.
    #[serde(default)]
    pub follow: bool,
}
