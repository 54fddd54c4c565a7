//! How much an archive may unpack to: a small one can hold more than any disk.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use super::Error;

const BYTES_MAX: u64 = 8 << 30;
const ENTRIES_MAX: u64 = 1_000_000;
/// Of what lies before an entry: its name and attributes, which are read into memory.
const HEADERS_MAX: u64 = 1 << 20;

/// What may still come.
pub(super) struct Bounds {
    pub(super) bytes: u64,
    pub(super) entries: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { bytes: BYTES_MAX, entries: ENTRIES_MAX }
    }
}

impl Bounds {
    /// Counts an entry of `size` bytes, before they are read. What is left out counts too: it is decompressed.
    pub(super) fn take(&mut self, size: u64) -> Result<(), Error> {
        let too_large = |what: String| Error::TooLarge(what);
        self.entries = self.entries.checked_sub(1).ok_or_else(|| too_large(format!("{ENTRIES_MAX} files")))?;
        self.bytes = self.bytes.checked_sub(size).ok_or_else(|| too_large(format!("{} GiB", BYTES_MAX >> 30)))?;
        Ok(())
    }
}

/// A reader that gives no more than the entry at hand and the headers of the next one.
pub(super) struct Metered<R> {
    inner: R,
    meter: Meter,
}

/// Says how much a [`Metered`] may give.
#[derive(Clone)]
pub(super) struct Meter(Rc<Cell<u64>>);

impl Meter {
    /// Of an entry that was just met, so many bytes.
    pub(super) fn allow(&self, size: u64) {
        self.0.set(size.saturating_add(HEADERS_MAX));
    }
}

impl<R: Read> Metered<R> {
    pub(super) fn new(inner: R) -> (Self, Meter) {
        let meter = Meter(Rc::new(Cell::new(HEADERS_MAX)));
        (Self { inner, meter: meter.clone() }, meter)
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.meter.0.get();
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if length == 0 && !buffer.is_empty() {
            return Err(io::Error::other(format!("an entry's name and attributes have more than {HEADERS_MAX} bytes")));
        }
        let read = self.inner.read(&mut buffer[..length])?;
        self.meter.0.set(left - read as u64);
        Ok(read)
    }
}
