//! Logs as segment files of JSON lines: appended to by writers that come and go, bounded in
//! bytes and age, packed once they are closed, read by position.
//!
//! A log never knows whose it is: that is the caller's business.

mod read;
mod segment;
mod tail;
#[cfg(test)]
mod tests;
mod write;

use ids::LogStream;
use serde::{Deserialize, Serialize};

pub(crate) use read::Follower;
pub(crate) use segment::list as segments;
pub(crate) use tail::{Backward, tail};
pub(crate) use write::{Writer, is_written};

/// One line on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Counts the log's lines from 1.
    #[serde(rename = "n")]
    pub(crate) number: u64,
    /// Never less than that of the line before.
    #[serde(rename = "t")]
    pub(crate) at_ms: i64,
    #[serde(rename = "s")]
    pub(crate) stream: LogStream,
    #[serde(rename = "m")]
    pub(crate) text: String,
}

impl Record {
    /// A line as it is on disk; none when it is torn or no line of ours.
    fn parse(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    /// About what it takes in memory and on the link.
    pub(crate) fn size(&self) -> usize {
        self.text.len() + 64
    }
}
