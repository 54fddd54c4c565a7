//! How the screen of a terminal was at some offset of its record. What a record forgets is drawn first: modes, and what
//! stays on a screen, outlive the output that made them by hours.

use std::io;
use std::time::{Duration, Instant};

use sandbox::WindowSize;
use screen::Screen;

use super::record::Reader;

/// Read at once.
const READ: usize = 64 << 10;
/// Drawn at once, before it is seen how long it has taken.
const PART: usize = 512;
/// Of a record without a word about it.
const SIZE: WindowSize = WindowSize { rows: 24, columns: 80 };

pub(crate) struct Drawing {
    pub(super) at: u64,
    screen: Screen,
}

impl Drawing {
    /// Where the record begins, of one that is to come to `until`.
    pub(crate) fn begin(record: &mut Reader, until: u64) -> io::Result<Self> {
        let start = record.bounds()?.start;
        if let Some(base) = record.base()?.filter(|base| (start..=until).contains(&base.at)) {
            return Ok(base);
        }
        let size = size_at(&record.sizes()?, start);
        Ok(Self { at: start, screen: Screen::new(size.rows, size.columns) })
    }

    /// One that `Self::snapshot` was of.
    pub(super) fn restore(at: u64, size: WindowSize, snapshot: &[u8]) -> Self {
        let mut screen = Screen::new(size.rows, size.columns);
        screen.feed(snapshot);
        Self { at, screen }
    }

    /// Draws what comes before `until`, at the sizes that it had. A few bytes can make an emulator work for hours, which is
    /// not for a program to decide: beyond `patience` the screen is a fresh one.
    pub(crate) fn advance(&mut self, record: &mut Reader, until: u64, patience: Duration) -> io::Result<()> {
        let (began, sizes, from) = (Instant::now(), record.sizes()?, self.at);
        let mut changes = sizes.iter().filter(|(since, _)| (from + 1..=until).contains(since)).peekable();
        let mut buffer = vec![0; READ];
        while self.at < until {
            let next = changes.peek().map_or(until, |(since, _)| *since);
            let room = usize::try_from(next - self.at).map_or(READ, |room| room.min(READ));
            let count = record.read(self.at, &mut buffer[..room])?;
            if count == 0 {
                break;
            }
            for part in buffer[..count].chunks(PART) {
                if began.elapsed() > patience {
                    let size = size_at(&sizes, until);
                    *self = Self { at: until, screen: Screen::new(size.rows, size.columns) };
                    return Ok(());
                }
                self.screen.feed(part);
            }
            self.at += count as u64;
            while let Some((_, size)) = changes.next_if(|(since, _)| *since <= self.at) {
                self.screen.resize(size.rows, size.columns);
            }
        }
        Ok(())
    }

    pub(super) fn size(&self) -> WindowSize {
        let (rows, columns) = self.screen.size();
        WindowSize { rows, columns }
    }

    /// Bytes that draw it on a fresh terminal of its size.
    pub(crate) fn snapshot(&self) -> Vec<u8> {
        self.screen.snapshot()
    }
}

fn size_at(sizes: &[(u64, WindowSize)], offset: u64) -> WindowSize {
    let known = sizes.iter().rev().find(|(since, _)| *since <= offset).or(sizes.first());
    known.map_or(SIZE, |(_, size)| *size)
}
