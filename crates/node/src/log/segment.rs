//! The files of a log: `<number of its first line>.ndjson`, with `.zst` after it once it is packed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::Record;

const PLAIN: &str = ".ndjson";
const PACKED: &str = ".ndjson.zst";
/// One that is being packed; no segment yet.
pub(super) const PART: &str = "packing.part";
/// Where a segment's first whole line is looked for.
const HEAD: u64 = 64 * 1024;
/// A file's time may be that far behind the clock, in milliseconds: it is taken from the kernel's last tick.
const CLOCK: i64 = 50;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Segment {
    /// The number of its first line.
    pub(super) first: u64,
    pub(super) packed: bool,
    pub(super) path: PathBuf,
}

/// What a file's name says of it: its first line, and whether it is packed.
pub(super) fn parse(name: &str) -> Option<(u64, bool)> {
    let (number, packed) = match name.strip_suffix(PACKED) {
        Some(number) => (number, true),
        None => (name.strip_suffix(PLAIN)?, false),
    };
    Some((number.parse().ok()?, packed))
}

pub(super) fn name(first: u64, packed: bool) -> String {
    format!("{first:020}{}", if packed { PACKED } else { PLAIN })
}

/// The segments of a log, oldest first. One that is there plain and packed counts once.
pub(crate) fn list(directory: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = all(directory)?;
    // Both hold the same lines: a packed one gets its name when it is complete.
    segments.dedup_by_key(|segment| segment.first);
    Ok(segments)
}

/// Its files.
pub(super) fn all(directory: &Path) -> io::Result<Vec<Segment>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut segments = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if let Some((first, packed)) = path.file_name().and_then(|name| parse(name.to_str()?)) {
            segments.push(Segment { first, packed, path });
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

impl Segment {
    /// Its lines as bytes; none when it has been removed to stay within the bounds. What is
    /// appended to the newest one can be read when it is there.
    pub(super) fn open(&self) -> io::Result<Option<Box<dyn Read + Send>>> {
        if self.packed {
            return unpack(&self.path);
        }
        match open_file(&self.path) {
            Ok(file) => Ok(Some(Box::new(file))),
            // Packed since it was listed, or gone.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                unpack(&self.path.with_file_name(name(self.first, true)))
            }
            Err(error) => Err(error),
        }
    }

    /// All that can be read of it.
    pub(super) fn bytes(&self) -> io::Result<Option<Vec<u8>>> {
        let Some(mut input) = self.open()? else { return Ok(None) };
        let mut bytes = Vec::new();
        if let Err(error) = input.read_to_end(&mut bytes) {
            tracing::warn!(%error, path = %self.path.display(), "a part of a log cannot be read");
        }
        Ok(Some(bytes))
    }

    /// A time that none of its lines is later than.
    pub(super) fn newest_ms(&self) -> i64 {
        let changed = self.path.symlink_metadata().and_then(|metadata| metadata.modified());
        // One that cannot be asked may hold anything; what is gone holds nothing.
        let changed =
            changed.map_or(i64::MAX, |at| jiff::Timestamp::try_from(at).map_or(i64::MAX, |at| at.as_millisecond()));
        changed.saturating_add(CLOCK)
    }

    /// When its first line was written; none when that cannot be told.
    pub(super) fn first_ms(&self) -> Option<i64> {
        let mut head = Vec::new();
        // What was read before an error is in there.
        let _ = self.open().ok()??.take(HEAD).read_to_end(&mut head);
        head.split(|&byte| byte == b'\n').find_map(Record::parse).map(|record| record.at_ms)
    }
}

/// The index of the last segment that begins no later than `at_ms`, if there is one, and that of
/// the first one that begins later. Those between them do not say when they begin.
pub(super) fn around(segments: &[Segment], at_ms: i64) -> (Option<usize>, usize) {
    let (mut before, mut low, mut high) = (None, 0, segments.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let says = |index: usize| Some((index, segments[index].first_ms()?));
        match (low..=middle).rev().find_map(says) {
            Some((index, first)) if first > at_ms => high = index,
            said => {
                before = said.map(|(index, _)| index).or(before);
                low = middle + 1;
            }
        }
    }
    (before, high)
}

fn unpack(path: &Path) -> io::Result<Option<Box<dyn Read + Send>>> {
    match open_file(path) {
        Ok(file) => Ok(Some(Box::new(zstd::Decoder::new(file)?))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Logs lie in directories that are not the node's own: no link leads out of them.
pub(super) fn open_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW).open(path)
}
