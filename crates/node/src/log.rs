//! Logs as segment files of JSON lines: appended to by writers that come and go, bounded in
//! bytes and age, packed once they are closed, read by position.
//!
//! `write`, `segment`, `read`, `tail` and `pack` know one log; `group`, `position`, `page` and `merge`
//! all logs of the processes of a group.

mod group;
mod merge;
mod pack;
mod page;
mod position;
mod read;
mod readers;
mod segment;
mod tail;
#[cfg(test)]
mod tests;
mod watch;
mod write;

use ids::{LogStream, WorkloadId};
use serde::{Deserialize, Serialize};
use wire::LogRecord;

pub(crate) use group::{Filter, Group};
pub(crate) use merge::Merge;
pub(crate) use pack::{Bounds, logs, pack, trim};
pub(crate) use page::page;
pub(crate) use position::{Place, Position};
pub(crate) use read::Follower;
pub(crate) use readers::{Batch, Growing, Readers};
pub(crate) use segment::list as segments;
pub(crate) use tail::{Backward, tail};
pub(crate) use write::Writer;

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

/// A line for the link, with the position after it.
pub(crate) fn to_wire(workload: &WorkloadId, record: Record, id: String) -> LogRecord {
    let Record { at_ms, stream, text, .. } = record;
    LogRecord { id, workload: workload.clone(), at_ms, stream, text }
}
