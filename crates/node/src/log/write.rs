use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ids::LogStream;
use nix::dir::Dir;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstatat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat};

use super::{Record, segment};
use crate::now_ms;

/// Bytes of a segment before the next one is begun, where the log may be large enough.
const SEGMENT: u64 = 1 << 20;
const SMALLEST_SEGMENT: u64 = 64 << 10;

/// Appends to a log. Several may do so at a time, a shim and its node: each locks the newest
/// segment for its lines, and looks first whether somebody else was there.
pub(crate) struct Writer {
    /// Opened once, so that a shim can go on after it has given up the right to walk there.
    /// Locked, shared, for as long as there may be more lines: see [`is_written`].
    directory: File,
    newest: Newest,
    max_bytes: u64,
    lines: Vec<(i64, LogStream, String)>,
}

/// The segment that is appended to.
struct Newest {
    first: u64,
    file: File,
    /// As far as this writer knows.
    size: u64,
    /// The number of the next line.
    next: u64,
    last_ms: i64,
    /// It ends within a line, since the disk was full.
    torn: bool,
}

/// Whether somebody may still add to the log in `directory`.
pub(crate) fn is_written(directory: &Path) -> io::Result<bool> {
    match unwritten(directory) {
        Ok(nobody) => Ok(nobody.is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Keeps writers out of a log for as long as it is held, if none is there.
pub(super) fn unwritten(directory: &Path) -> io::Result<Option<File>> {
    let directory = File::open(directory)?;
    match directory.try_lock() {
        Ok(()) => Ok(Some(directory)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

impl Writer {
    /// Opens the log in `path`, which must exist, to hold about `max_bytes` at most.
    pub(crate) fn open(path: &Path, max_bytes: u64) -> io::Result<Self> {
        let directory = File::open(path)?;
        directory.lock_shared()?;
        let newest = Newest::find(&directory)?;
        newest.file.unlock()?;
        Ok(Self { directory, newest, max_bytes, lines: Vec::new() })
    }

    /// Adds a line; it is on disk after [`Writer::flush`].
    pub(crate) fn line(&mut self, stream: LogStream, text: String) {
        self.line_at(now_ms(), stream, text);
    }

    pub(crate) fn line_at(&mut self, at_ms: i64, stream: LogStream, text: String) {
        self.lines.push((at_ms, stream, text));
    }

    /// Lines that a full disk refuses are lost: kept, they would fill the memory instead.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return Ok(());
        }
        self.newest.file.lock()?;
        let result = self.append(lines);
        self.newest.file.unlock()?;
        result
    }

    fn append(&mut self, lines: Vec<(i64, LogStream, String)>) -> io::Result<()> {
        if self.newest.torn || self.newest.file.metadata()?.len() != self.newest.size {
            let last_ms = self.newest.last_ms;
            // It is looked up, and locked, anew.
            self.newest.file.unlock()?;
            self.newest = Newest::find(&self.directory)?;
            self.newest.last_ms = last_ms.max(self.newest.last_ms);
        }
        self.newest.append(lines)?;
        self.rotate()
    }

    /// Begins the next segment after a full one, whose lock is held until the next one is there.
    fn rotate(&mut self) -> io::Result<()> {
        if self.newest.size < (self.max_bytes / 4).clamp(SMALLEST_SEGMENT, SEGMENT) {
            return Ok(());
        }
        let file = open_segment(&self.directory, self.newest.next, OFlag::O_CREAT)?;
        let Newest { next, last_ms, .. } = self.newest;
        self.newest = Newest { first: next, file, size: 0, next, last_ms, torn: false };
        self.trim()
    }

    /// Removes the oldest segments of a log that has become too large, as they are on disk.
    fn trim(&self) -> io::Result<()> {
        let mut found = Vec::new();
        for name in names(&self.directory)? {
            let size = match fstatat(&self.directory, name.as_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(stat) => u64::try_from(stat.st_size).unwrap_or(0),
                Err(nix::errno::Errno::ENOENT) => continue,
                Err(error) => return Err(error.into()),
            };
            found.push((segment::parse(&name), name, size));
        }
        found.sort_unstable();
        let mut total = found.iter().map(|(.., size)| size).sum::<u64>();
        for (parsed, name, size) in found {
            if total <= self.max_bytes || parsed.is_none_or(|(first, _)| first >= self.newest.first) {
                break;
            }
            match unlinkat(&self.directory, name.as_str(), UnlinkatFlags::NoRemoveDir) {
                // The node has packed it meanwhile, or removed it too.
                Ok(()) | Err(nix::errno::Errno::ENOENT) => total -= size,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Newest {
    /// The newest segment of a log, locked; made where there is none that can be appended to.
    fn find(directory: &File) -> io::Result<Self> {
        loop {
            let Some((first, packed)) = newest(directory)? else {
                open_segment(directory, 1, OFlag::O_CREAT)?;
                continue;
            };
            if packed {
                let mut bytes = Vec::new();
                let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
                let file: File = openat(directory, segment::name(first, true).as_str(), flags, Mode::empty())?.into();
                // The lines before an error count.
                let _ = zstd::Decoder::new(file)?.read_to_end(&mut bytes);
                open_segment(directory, last_line(&bytes, first).0.max(first.saturating_add(1)), OFlag::O_CREAT)?;
                continue;
            }
            let mut file = open_segment(directory, first, OFlag::empty())?;
            file.lock()?;
            if newest(directory)? != Some((first, false)) {
                continue;
            }
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let (next, last_ms) = last_line(&bytes, first);
            if bytes.is_empty() || bytes.ends_with(b"\n") {
                return Ok(Self { first, file, size: bytes.len() as u64, next, last_ms, torn: false });
            }
            // A line cut short by a crash is no line; what follows it goes to a segment of its
            // own. Two segments never share their first number.
            open_segment(directory, next.max(first.saturating_add(1)), OFlag::O_CREAT)?;
        }
    }

    fn append(&mut self, lines: Vec<(i64, LogStream, String)>) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (at_ms, stream, text) in lines {
            // Readers rely on it, whatever happens to the clock.
            self.last_ms = self.last_ms.max(at_ms);
            let record = Record { number: self.next, at_ms: self.last_ms, stream, text };
            serde_json::to_writer(&mut bytes, &record)?;
            bytes.push(b'\n');
            self.next = self.next.saturating_add(1);
        }
        self.torn = true;
        self.file.write_all(&bytes)?;
        self.torn = false;
        self.size += bytes.len() as u64;
        Ok(())
    }
}

/// The number of the line after the last whole one, and the time of that one.
fn last_line(bytes: &[u8], first: u64) -> (u64, i64) {
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
    let last = bytes[..whole].rsplit(|&byte| byte == b'\n').find_map(Record::parse);
    last.map_or((first, 0), |record| (record.number.saturating_add(1), record.at_ms))
}

/// The newest segment by its first number, and whether it is packed.
fn newest(directory: &File) -> io::Result<Option<(u64, bool)>> {
    // What is there plain and packed is closed: the plain one is about to go.
    Ok(names(directory)?.iter().filter_map(|name| segment::parse(name)).max())
}

/// Names of the segments of a log.
fn names(directory: &File) -> io::Result<Vec<String>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut names = Vec::new();
    for entry in Dir::openat(directory, ".", flags, Mode::empty())?.iter() {
        if let Ok(name) = entry?.file_name().to_str()
            && segment::parse(name).is_some()
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn open_segment(directory: &File, first: u64, create: OFlag) -> io::Result<File> {
    let flags = create | OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let fd = openat(directory, segment::name(first, false).as_str(), flags, Mode::from_bits_truncate(0o640))?;
    // A shim writes to what its node has begun. Only root can, and only it needs to.
    let owner = directory.metadata()?;
    let _ = fchown(fd.as_fd(), Some(Uid::from_raw(owner.uid())), Some(Gid::from_raw(owner.gid())));
    Ok(fd.into())
}
