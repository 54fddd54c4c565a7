//! What a terminal has put out, byte for byte, by its offset from the beginning: files named after the first offset
//! in them, of which the oldest go. Beside them, which size it had from which offset on: a line each, `offset rows columns`;
//! and once something went, how the screen was where the rest begins: such a line, and what draws it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};
use sandbox::WindowSize;

use super::directory::Directory;
use super::drawing::Drawing;

/// Beside the files of output.
const SIZES: &str = "sizes";
const BASE: &str = "base";

/// Bytes of one file.
const SEGMENT: u64 = 1 << 20;
/// What a file may be larger, as a piece is written whole.
const SLACK: u64 = 64 << 10;
/// How long whoever writes may take over what goes; nothing else is done meanwhile.
const PATIENCE: Duration = Duration::from_millis(500);

/// The one who writes.
pub(crate) struct Writer {
    directory: Directory,
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
    pub(crate) fn create(directory: &Directory, keep: u64, size: WindowSize) -> io::Result<Self> {
        let file = begin(directory, 0)?;
        let mut writer = Self { directory: directory.clone(), keep, file, segments: vec![0], end: 0 };
        writer.resized(size)?;
        Ok(writer)
    }

    /// It has this size from here on.
    pub(crate) fn resized(&mut self, size: WindowSize) -> io::Result<()> {
        let mut file = self.directory.append(SIZES)?;
        // One write, so that a reader sees whole lines.
        file.write_all(format!("{} {} {}\n", self.end, size.rows, size.columns).as_bytes())
    }

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { start: self.segments[0], end: self.end }
    }

    /// # Errors
    /// When the disk takes no more: then none of it is recorded.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.end - self.segments[self.segments.len() - 1];
        if written >= SEGMENT {
            // On a full disk its room is for what comes now.
            let is_full = |error: &io::Error| error.kind() == io::ErrorKind::StorageFull;
            self.file = match begin(&self.directory, self.end) {
                Err(error) if is_full(&error) && self.segments.len() > 1 => {
                    self.forget(1);
                    begin(&self.directory, self.end)?
                }
                result => result?,
            };
            self.segments.push(self.end);
            let unneeded = self.segments.iter().skip(1).take_while(|start| self.end - **start >= self.keep);
            self.forget(unneeded.count());
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

    /// Removes the oldest files, and keeps how the screen was after them.
    fn forget(&mut self, count: usize) {
        let Some(&start) = self.segments.get(count).filter(|_| count > 0) else { return };
        // Without it the screen is what comes from there on, as of a terminal that begins there.
        let _ = self.draw_until(start);
        for start in self.segments.drain(..count) {
            let _ = self.directory.remove(&name(start));
        }
    }

    fn draw_until(&self, start: u64) -> io::Result<()> {
        let mut record = Reader::new(&self.directory);
        let mut drawing = Drawing::begin(&mut record, start)?;
        drawing.advance(&mut record, start, PATIENCE)?;
        let size = drawing.size();
        let mut base = format!("{start} {} {}\n", size.rows, size.columns).into_bytes();
        base.append(&mut drawing.snapshot());
        self.directory.replace(BASE, &base)
    }
}

/// A file with room for all that will be in it: who looks is shown what is recorded, and on a disk that is full by then
/// has to see what to remove.
fn begin(directory: &Directory, start: u64) -> io::Result<File> {
    let file = directory.append(&name(start))?;
    let room = i64::try_from(SEGMENT + SLACK).unwrap_or(i64::MAX);
    match fallocate(&file, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, room) {
        // Not every file system can.
        Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(file),
        Err(error) => {
            let _ = directory.remove(&name(start));
            Err(error.into())
        }
    }
}

/// One who reads, from wherever.
pub(crate) struct Reader {
    directory: Directory,
    open: Option<(u64, File)>,
}

// === impl Reader ===

impl Reader {
    pub(crate) fn new(directory: &Directory) -> Self {
        Self { directory: directory.clone(), open: None }
    }

    /// What there is to read now.
    pub(crate) fn bounds(&self) -> io::Result<Bounds> {
        let segments = segments(&self.directory)?;
        let (Some(&start), Some(&last)) = (segments.first(), segments.last()) else {
            return Ok(Bounds { start: 0, end: 0 });
        };
        let end = last + self.directory.read(&name(last))?.metadata()?.len();
        Ok(Bounds { start, end })
    }

    /// The sizes it had, each with the offset from which on.
    pub(crate) fn sizes(&self) -> io::Result<Vec<(u64, WindowSize)>> {
        let mut text = String::new();
        self.directory.read(SIZES)?.read_to_string(&mut text)?;
        Ok(text.lines().filter_map(size_of).collect())
    }

    /// How the screen was where the record begins, if something has gone from it.
    pub(super) fn base(&self) -> io::Result<Option<Drawing>> {
        let mut bytes = Vec::new();
        match self.directory.read(BASE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?.read_to_end(&mut bytes)?,
        };
        let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let (line, snapshot) = bytes.split_at(line);
        let known = std::str::from_utf8(line).ok().and_then(size_of);
        Ok(known.map(|(at, size)| Drawing::restore(at, size, snapshot.get(1..).unwrap_or_default())))
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
            self.open = Some((start, self.directory.read(&name(start))?));
        }
        let Some((start, file)) = &self.open else { return Ok(0) };
        file.read_at(buffer, offset - start)
    }
}

fn size_of(line: &str) -> Option<(u64, WindowSize)> {
    let mut words = line.split(' ');
    let from = words.next()?.parse().ok()?;
    let (rows, columns) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((from, WindowSize { rows, columns }))
}

/// As many digits as there can be, so that names sort.
fn name(start: u64) -> String {
    format!("{start:020}")
}

fn segments(directory: &Directory) -> io::Result<Vec<u64>> {
    let names = directory.names()?;
    let mut segments = names.iter().filter_map(|name| name.parse::<u64>().ok()).collect::<Vec<_>>();
    segments.sort_unstable();
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: WindowSize = WindowSize { rows: 24, columns: 80 };

    #[test]
    fn sizes_are_known_by_where_they_began() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let mut writer = Writer::create(&directory, 2 << 20, SIZE).unwrap();
        writer.append(b"abc").unwrap();
        let wide = WindowSize { rows: 50, columns: 132 };
        writer.resized(wide).unwrap();
        let reader = Reader::new(&directory);
        assert_eq!(reader.sizes().unwrap(), [(0, SIZE), (3, wide)]);
        assert_eq!(reader.bounds().unwrap(), Bounds { start: 0, end: 3 });
    }

    /// So that each byte says where it is.
    fn bytes(from: u64, count: usize) -> Vec<u8> {
        (from..).take(count).map(|offset| (offset % 251) as u8).collect()
    }

    #[test]
    fn everything_is_read_back_from_any_offset_while_it_is_written() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let mut writer = Writer::create(&directory, 64 << 20, SIZE).unwrap();
        let (mut early, mut seen) = (Reader::new(&directory), 0);
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
            let mut late = Reader::new(&directory);
            let count = late.read(offset, &mut buffer).unwrap();
            assert!(count > 0);
            assert_eq!(buffer[..count], bytes(offset, count));
        }
        assert_eq!(Reader::new(&directory).read(seen, &mut buffer).unwrap(), 0);
    }

    #[test]
    fn the_screen_outlives_the_output_that_made_it() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let mut writer = Writer::create(&directory, 1 << 20, SIZE).unwrap();
        let drawn = |at: u64| {
            let mut record = Reader::new(&directory);
            let mut drawing = Drawing::begin(&mut record, at).unwrap();
            drawing.advance(&mut record, at, Duration::from_secs(60)).unwrap();
            drawing.snapshot()
        };
        // Cursor keys of their own, the alternate screen, and something on it that nothing overwrites.
        writer.append(b"before\x1b[?1h\x1b[?1049h\x1b[5;5Hstays").unwrap();
        let other = WindowSize { rows: 30, columns: 90 };
        writer.resized(other).unwrap();
        while writer.bounds().start < 2 << 20 {
            writer.append(&b"\x1b[2;2Htick \x1b[2;2Htock".repeat(1000)).unwrap();
        }
        let mut screen = screen::Screen::new(30, 90);
        screen.feed(&drawn(writer.bounds().end));
        let shown = String::from_utf8(screen.snapshot()).unwrap();
        for expected in ["stays", "tock", "\x1b[?1h", "before"] {
            assert!(shown.contains(expected), "{expected} in {shown:?}");
        }
        // After a crash before the files went, the base is ahead of them.
        directory.replace(BASE, format!("{} 30 90\n", u64::MAX).as_bytes()).unwrap();
        drawn(writer.bounds().end);
    }

    #[test]
    fn the_oldest_goes_and_is_said_to_have_gone() {
        let place = tempfile::tempdir().unwrap();
        let directory = Directory::open(place.path()).unwrap();
        let mut writer = Writer::create(&directory, 2 << 20, SIZE).unwrap();
        let mut slow = Reader::new(&directory);
        let mut buffer = [0; 16];
        writer.append(&bytes(0, 16)).unwrap();
        slow.read(0, &mut buffer).unwrap();
        while writer.bounds().end < 9 << 20 {
            let end = writer.bounds().end;
            writer.append(&bytes(end, 100_000)).unwrap();
        }
        let Bounds { start, end } = writer.bounds();
        assert!((2 << 20..4 << 20).contains(&(end - start)), "{start} to {end}");
        let gone = Reader::new(&directory).read(start - 1, &mut buffer).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
        Reader::new(&directory).read(start, &mut buffer).unwrap();
        assert_eq!(buffer, *bytes(start, 16));
    }
}
