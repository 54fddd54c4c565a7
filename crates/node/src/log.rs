//! Logs as segment files of JSON lines: appended by one writer at a time, bounded in
//! bytes, read by position.

mod read;
mod write;

use std::io;
use std::path::{Path, PathBuf};

use ids::LogStream;
use serde::{Deserialize, Serialize};

pub(crate) use read::{Follower, records_after, tail};
pub(crate) use write::Writer;

/// One line on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Counts the log's lines from 1.
    #[serde(rename = "n")]
    pub(crate) number: u64,
    #[serde(rename = "t")]
    pub(crate) at_ms: i64,
    #[serde(rename = "s")]
    pub(crate) stream: LogStream,
    #[serde(rename = "m")]
    pub(crate) text: String,
}

/// Segments, oldest first, each with the number of its first line.
pub(crate) fn segments(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let first = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(".ndjson"))
            .and_then(|number| number.parse().ok());
        if let Some(first) = first {
            segments.push((first, path));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}
