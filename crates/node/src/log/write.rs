use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;

use ids::LogStream;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use super::{Record, segments};
use crate::now_ms;

/// Bytes of a segment before the next one is begun.
const SEGMENT: u64 = 1 << 20;

/// Appends to a log. The directory is opened once, so that a shim can go on writing after
/// it has given up the right to walk there.
pub(crate) struct Writer {
    directory: File,
    /// First line number and size of the segments, oldest first; the last one is written to.
    sizes: Vec<(u64, u64)>,
    file: File,
    next: u64,
    max_bytes: u64,
    buffer: Vec<u8>,
}

impl Writer {
    /// Opens the log in `path`, which must exist, to hold about `max_bytes` at most.
    pub(crate) fn open(path: &Path, max_bytes: u64) -> io::Result<Self> {
        let directory = File::open(path)?;
        let mut sizes = Vec::new();
        let mut next = 1;
        for (first, segment) in segments(path)? {
            sizes.push((first, segment.metadata()?.len()));
            next = first;
        }
        if let Some((first, _)) = sizes.last() {
            let last = std::fs::read(path.join(name(*first)))?;
            // A line cut short by a crash is no line; what follows it goes to a segment of its own.
            let whole = last.split_inclusive(|&b| b == b'\n').filter(|line| line.ends_with(b"\n"));
            next = whole
                .filter_map(|line| serde_json::from_slice::<Record>(line).ok())
                .next_back()
                .map_or(*first, |record| record.number + 1);
            if last.is_empty() || last.ends_with(b"\n") {
                let file = open_segment(&directory, *first)?;
                return Ok(Self::with(directory, sizes, file, next, max_bytes));
            }
            // Two segments never share their first number.
            next = next.max(first + 1);
        }
        let file = open_segment(&directory, next)?;
        sizes.push((next, 0));
        Ok(Self::with(directory, sizes, file, next, max_bytes))
    }

    fn with(directory: File, sizes: Vec<(u64, u64)>, file: File, next: u64, max_bytes: u64) -> Self {
        Self { directory, sizes, file, next, max_bytes, buffer: Vec::new() }
    }

    /// Adds a line; it is on disk after [`Writer::flush`].
    pub(crate) fn line(&mut self, stream: LogStream, text: String) {
        let record = Record { number: self.next, at_ms: now_ms(), stream, text };
        self.next += 1;
        if serde_json::to_writer(&mut self.buffer, &record).is_ok() {
            self.buffer.push(b'\n');
        }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = self.buffer.len() as u64;
        let result = self.file.write_all(&self.buffer);
        // Lines that a full disk refuses are lost: kept, they would fill the memory instead.
        self.buffer.clear();
        result?;
        if let Some((_, size)) = self.sizes.last_mut() {
            *size += written;
            if *size >= SEGMENT {
                self.rotate()?;
            }
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file = open_segment(&self.directory, self.next)?;
        self.sizes.push((self.next, 0));
        while self.sizes.len() > 1 && self.sizes.iter().map(|(_, size)| size).sum::<u64>() > self.max_bytes {
            let (first, _) = self.sizes.remove(0);
            nix::unistd::unlinkat(
                self.directory.as_fd(),
                name(first).as_str(),
                nix::unistd::UnlinkatFlags::NoRemoveDir,
            )?;
        }
        Ok(())
    }
}

fn name(first: u64) -> String {
    format!("{first:020}.ndjson")
}

fn open_segment(directory: &File, first: u64) -> io::Result<File> {
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let fd = openat(directory.as_fd(), name(first).as_str(), flags, Mode::from_bits_truncate(0o640))?;
    Ok(fd.into())
}
