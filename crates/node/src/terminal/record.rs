//! What a terminal has put out, byte for byte, by its offset from the beginning: files named after the first offset
//! in them, of which the oldest go.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes of one file.
const SEGMENT: u64 = 1 << 20;

/// The one who writes.
pub(crate) struct Writer {
    directory: PathBuf,
    /// Bytes that are kept at least, once there are so many.
    keep: u64,
    file: File,
    /// First offsets of the files, the one that is written last.
    segments: Vec<u64>,
    end: u64,
}

/// What of a record there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

// === impl Writer ===

impl Writer {
    /// A new record in this directory, which has to be there and empty.
    pub(crate) fn create(directory: &Path, keep: u64) -> io::Result<Self> {
        let file = create(directory, 0)?;
        Ok(Self { directory: directory.to_owned(), keep, file, segments: vec![0], end: 0 })
    }

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { start: self.segments[0], end: self.end }
    }

    /// # Errors
    /// When the disk takes no more: then none of it is recorded.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.end - self.segments[self.segments.len() - 1];
        if written >= SEGMENT {
            self.file = create(&self.directory, self.end)?;
            self.segments.push(self.end);
            self.forget();
        }
        if let Err(error) = self.file.write_all(bytes) {
            // A part that was written would be taken for the next bytes.
            let written = self.end - self.segments[self.segments.len() - 1];
            self.file.set_len(written)?;
            return Err(error);
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Removes files that are not needed to keep what is to be kept.
    fn forget(&mut self) {
        let unneeded = self.segments.iter().skip(1).take_while(|start| self.end - **start >= self.keep).count();
        for start in self.segments.drain(..unneeded) {
            let _ = std::fs::remove_file(path(&self.directory, start));
        }
    }
}

/// One who reads, from wherever.
pub(crate) struct Reader {
    directory: PathBuf,
    open: Option<(u64, File)>,
}

// === impl Reader ===

impl Reader {
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), open: None }
    }

    /// Reads what is recorded from `offset` on; nothing at the end.
    ///
    /// # Errors
    /// `NotFound` when what was there has been removed.
    pub(crate) fn read(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((start, file)) = &self.open
            && *start <= offset
        {
            let count = file.read_at(buffer, offset - start)?;
            if count > 0 {
                return Ok(count);
            }
        }
        // At the end of this file; another one may have been begun.
        let segments = segments(&self.directory)?;
        let Some(&start) = segments.iter().rev().find(|start| **start <= offset) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if self.open.as_ref().is_none_or(|(open, _)| *open != start) {
            self.open = Some((start, File::open(path(&self.directory, start))?));
        }
        let Some((start, file)) = &self.open else { return Ok(0) };
        file.read_at(buffer, offset - start)
    }
}

fn create(directory: &Path, start: u64) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).mode(0o640).open(path(directory, start))
}

fn path(directory: &Path, start: u64) -> PathBuf {
    // As many digits as there can be, so that they sort.
    directory.join(format!("{start:020}"))
}

fn segments(directory: &Path) -> io::Result<Vec<u64>> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        segments.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    segments.sort_unstable();
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So that each byte says where it is.
    fn bytes(from: u64, count: usize) -> Vec<u8> {
        (from..).take(count).map(|offset| (offset % 251) as u8).collect()
    }

    #[test]
    fn everything_is_read_back_from_any_offset_while_it_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(directory.path(), 64 << 20).unwrap();
        let (mut early, mut seen) = (Reader::new(directory.path()), 0);
        let mut buffer = vec![0; 4096];
        while writer.bounds().end < 3 << 20 {
            let end = writer.bounds().end;
            writer.append(&bytes(end, 70_001)).unwrap();
            loop {
                let count = early.read(seen, &mut buffer).unwrap();
                if count == 0 {
                    break;
                }
                assert_eq!(buffer[..count], bytes(seen, count));
                seen += count as u64;
            }
            assert_eq!(seen, writer.bounds().end);
        }
        for offset in [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT + 7, seen - 1] {
            let mut late = Reader::new(directory.path());
            let count = late.read(offset, &mut buffer).unwrap();
            assert!(count > 0);
            assert_eq!(buffer[..count], bytes(offset, count));
        }
        assert_eq!(Reader::new(directory.path()).read(seen, &mut buffer).unwrap(), 0);
    }

    #[test]
    fn the_oldest_goes_and_is_said_to_have_gone() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = Writer::create(directory.path(), 2 << 20).unwrap();
        let mut slow = Reader::new(directory.path());
        let mut buffer = [0; 16];
        writer.append(&bytes(0, 16)).unwrap();
        slow.read(0, &mut buffer).unwrap();
        while writer.bounds().end < 9 << 20 {
            let end = writer.bounds().end;
            writer.append(&bytes(end, 100_000)).unwrap();
        }
        let Bounds { start, end } = writer.bounds();
        assert!((2 << 20..4 << 20).contains(&(end - start)), "{start} to {end}");
        let gone = Reader::new(directory.path()).read(start - 1, &mut buffer).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        Reader::new(directory.path()).read(start, &mut buffer).unwrap();
        assert_eq!(buffer, *bytes(start, 16));
    }
}
