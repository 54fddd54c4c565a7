use std::io::{self, Read};
use std::path::PathBuf;

use super::Record;
use super::segment::{self, Segment};

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// Reads a log forwards, as it grows. What is torn is skipped: the last write of a writer that was killed.
pub(crate) struct Follower {
    directory: PathBuf,
    /// The number of the last line given out.
    last: u64,
    open: Option<Open>,
}

/// The segment being read.
struct Open {
    first: u64,
    input: Box<dyn Read + Send>,
    /// The beginning of a line whose end has not been read.
    rest: Vec<u8>,
}

impl Follower {
    pub(crate) fn after(directory: PathBuf, last: u64) -> Self {
        Self { directory, last, open: None }
    }

    /// After the lines that have been `given`, which no line before `at_ms` is asked for.
    pub(super) fn from(directory: PathBuf, at_ms: i64, given: impl Fn(&Record) -> bool) -> io::Result<Self> {
        let segments = segment::list(&directory)?;
        // Lines of that very time may lie on both sides of a segment's beginning.
        let (before, _) = segment::around(&segments, at_ms.saturating_sub(1));
        let last = before.map_or(0, |index| segments[index].first.saturating_sub(1));
        let mut follower = Self::after(directory, last);
        loop {
            let records = follower.read(CHUNK)?;
            if let Some(first) = records.iter().find(|record| !given(record)) {
                return Ok(Self::after(follower.directory, first.number.saturating_sub(1)));
            }
            if records.is_empty() {
                return Ok(follower);
            }
        }
    }

    /// The number of the last line given out, or before the first one.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The next lines, some `max` bytes of them at most. Empty when there is nothing new.
    pub(crate) fn read(&mut self, max: usize) -> io::Result<Vec<Record>> {
        let mut records = Vec::new();
        if self.open.is_none() {
            let segments = segment::list(&self.directory)?;
            let index = segments.iter().rposition(|segment| segment.first <= self.last.saturating_add(1)).unwrap_or(0);
            self.open = open_first(&segments[index.min(segments.len())..])?;
        }
        while let Some(open) = &mut self.open {
            open.read(&mut self.last, max, &mut records);
            if !records.is_empty() {
                break;
            }
            // Only the newest segment grows.
            let segments = segment::list(&self.directory)?;
            let newer = segments.partition_point(|segment| segment.first <= open.first);
            let Some(next) = open_first(&segments[newer..])? else { break };
            // What was appended just before the next one was begun.
            open.read(&mut self.last, max, &mut records);
            if !records.is_empty() {
                break;
            }
            self.open = Some(next);
        }
        Ok(records)
    }
}

impl Open {
    fn read(&mut self, last: &mut u64, max: usize, records: &mut Vec<Record>) {
        let mut chunk = vec![0; CHUNK];
        let mut size = 0;
        while size < max {
            match self.input.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => self.rest.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The other segments are as good as before.
                Err(error) => {
                    tracing::warn!(%error, "a part of a log cannot be read");
                    break;
                }
            }
            let whole = self.rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            for record in self.rest[..whole].split(|&byte| byte == b'\n').filter_map(Record::parse) {
                if record.number > *last {
                    *last = record.number;
                    size += record.size();
                    records.push(record);
                }
            }
            self.rest.drain(..whole);
        }
    }
}

/// The first of these segments that has not been removed meanwhile.
fn open_first(segments: &[Segment]) -> io::Result<Option<Open>> {
    for segment in segments {
        if let Some(input) = segment.open()? {
            return Ok(Some(Open { first: segment.first, input, rest: Vec::new() }));
        }
    }
    Ok(None)
}
