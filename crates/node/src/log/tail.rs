use std::collections::VecDeque;
use std::io;
use std::path::Path;

use super::Record;
use super::segment::{self, Segment};

/// Bytes of the lines of a failure.
const TAIL: usize = 64 << 10;

/// Reads a log backwards, from its newest line at the time of the call. What is torn is skipped.
pub(crate) struct Backward {
    /// Not read yet, oldest first.
    segments: Vec<Segment>,
    /// Lines of the segment being read that were not given out yet.
    bytes: Vec<u8>,
}

impl Backward {
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        Ok(Self { segments: segment::list(directory)?, bytes: Vec::new() })
    }

    /// The line before the last one given out, with the bytes that were read for it.
    pub(crate) fn next(&mut self) -> io::Result<Option<(Record, usize)>> {
        let mut read = 0;
        loop {
            while !self.bytes.is_empty() {
                let before = self.bytes.len();
                let line = &self.bytes[..before - 1];
                let start = line.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
                let record = Record::parse(&line[start..]);
                self.bytes.truncate(start);
                read += before - start;
                if let Some(record) = record {
                    return Ok(Some((record, read)));
                }
            }
            let Some(segment) = self.segments.pop() else { return Ok(None) };
            // One that has been removed is followed by nothing but removed ones, mostly.
            self.bytes = segment.bytes()?.unwrap_or_default();
            let whole = self.bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            self.bytes.truncate(whole);
        }
    }

    /// Leaves out segments whose every line comes after `at_ms`.
    pub(super) fn skip_from(&mut self, at_ms: i64) {
        let (_, later) = segment::around(&self.segments, at_ms);
        self.segments.truncate(later);
    }

    /// A time that no line is later than; none when there is no line.
    pub(super) fn newest_ms(&self) -> Option<i64> {
        self.segments.last().map(Segment::newest_ms)
    }
}

/// The last `count` lines that `keep` accepts, oldest first: what a failure is shown with. Fewer
/// when they are long, as they go through the link and into a database.
pub(crate) fn tail(directory: &Path, count: usize, keep: impl Fn(&Record) -> bool) -> io::Result<Vec<Record>> {
    let mut lines = Backward::new(directory)?;
    let mut found = VecDeque::new();
    let mut size = 0;
    while found.len() < count
        && let Some((record, _)) = lines.next()?
    {
        if keep(&record) {
            size += record.size();
            if size > TAIL && !found.is_empty() {
                break;
            }
            found.push_front(record);
        }
    }
    Ok(found.into())
}
