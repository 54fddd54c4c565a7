use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::{Record, segments};

/// Lines numbered above `after`, oldest first.
pub(crate) fn records_after(directory: &Path, after: u64) -> io::Result<Vec<Record>> {
    let mut follower = Follower::after(directory.to_owned(), after);
    let mut records = Vec::new();
    loop {
        let some = follower.read()?;
        if some.is_empty() {
            return Ok(records);
        }
        records.extend(some);
    }
}

/// The last `count` lines that `keep` accepts, oldest first.
pub(crate) fn tail(directory: &Path, count: usize, keep: impl Fn(&Record) -> bool) -> io::Result<Vec<Record>> {
    let mut found = VecDeque::new();
    for (_, path) in segments(directory)?.into_iter().rev() {
        let file = match File::open(&path) {
            Ok(file) => file,
            // Removed by its writer, to stay within its bounds.
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        let lines = BufReader::new(file).lines().collect::<Result<Vec<_>, _>>()?;
        for record in lines.iter().rev().filter_map(|line| serde_json::from_str::<Record>(line).ok()) {
            if keep(&record) {
                found.push_front(record);
                if found.len() == count {
                    return Ok(found.into());
                }
            }
        }
    }
    Ok(found.into())
}

/// Reads a log as it grows.
pub(crate) struct Follower {
    directory: PathBuf,
    /// The number of the last line given out.
    last: u64,
    /// The segment being read, by its first number, with the position after its last whole line.
    open: Option<(u64, File, u64)>,
}

impl Follower {
    pub(crate) fn after(directory: PathBuf, last: u64) -> Self {
        Self { directory, last, open: None }
    }

    /// What came since the last call: the rest of one segment. Empty when there is nothing new.
    pub(crate) fn read(&mut self) -> io::Result<Vec<Record>> {
        loop {
            if self.open.is_none() && !self.open_at(self.last + 1)? {
                return Ok(Vec::new());
            }
            let records = self.read_open()?;
            if !records.is_empty() {
                return Ok(records);
            }
            // Only the newest segment grows.
            let current = self.open.as_ref().map_or(0, |(first, ..)| *first);
            match segments(&self.directory)?.into_iter().find(|(first, _)| *first > current) {
                Some((first, path)) => self.open = Some((first, File::open(path)?, 0)),
                None => return Ok(Vec::new()),
            }
        }
    }

    /// Opens the segment with this line in it, or the oldest one after it.
    fn open_at(&mut self, number: u64) -> io::Result<bool> {
        let segments = segments(&self.directory)?;
        let index = segments.iter().rposition(|(first, _)| *first <= number).unwrap_or(0);
        let Some((first, path)) = segments.get(index) else { return Ok(false) };
        self.open = Some((*first, File::open(path)?, 0));
        Ok(true)
    }

    fn read_open(&mut self) -> io::Result<Vec<Record>> {
        let Some((_, file, position)) = &mut self.open else { return Ok(Vec::new()) };
        file.seek(SeekFrom::Start(*position))?;
        let mut reader = BufReader::new(&*file);
        let mut records = Vec::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.read_until(b'\n', &mut line)?;
            if read == 0 || !line.ends_with(b"\n") {
                break;
            }
            *position += read as u64;
            if let Ok(record) = serde_json::from_slice::<Record>(&line)
                && record.number > self.last
            {
                self.last = record.number;
                records.push(record);
            }
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use ids::LogStream;

    use super::super::Writer;
    use super::*;

    fn texts(records: &[Record]) -> Vec<&str> {
        records.iter().map(|record| record.text.as_str()).collect()
    }

    #[test]
    fn a_writer_goes_on_where_the_last_one_stopped() {
        let dir = tempfile::tempdir().unwrap();
        for word in ["one", "two"] {
            let mut writer = Writer::open(dir.path(), 1 << 20).unwrap();
            writer.line(LogStream::Out, word.into());
            writer.flush().unwrap();
        }
        let records = records_after(dir.path(), 0).unwrap();
        assert_eq!(texts(&records), ["one", "two"]);
        assert_eq!(records[1].number, 2);
        assert_eq!(texts(&records_after(dir.path(), 1).unwrap()), ["two"]);
    }

    #[test]
    fn a_line_cut_by_a_crash_does_not_spoil_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path(), 1 << 20).unwrap();
        writer.line(LogStream::Out, "one".into());
        writer.flush().unwrap();
        let (_, segment) = segments(dir.path()).unwrap().pop().unwrap();
        let mut torn = std::fs::read(&segment).unwrap();
        torn.extend(b"{\"n\":2,\"t\":1,\"s\":\"ou");
        std::fs::write(&segment, torn).unwrap();
        let mut writer = Writer::open(dir.path(), 1 << 20).unwrap();
        writer.line(LogStream::Out, "two".into());
        writer.flush().unwrap();
        assert_eq!(texts(&records_after(dir.path(), 0).unwrap()), ["one", "two"]);
    }

    #[test]
    fn a_log_stays_within_its_bounds_and_keeps_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path(), 3 << 20).unwrap();
        for n in 0..6000 {
            writer.line(LogStream::Out, format!("{n} {}", "x".repeat(1000)));
            writer.flush().unwrap();
        }
        let size: u64 = segments(dir.path()).unwrap().iter().map(|(_, path)| path.metadata().unwrap().len()).sum();
        assert!(size < 5 << 20, "{size}");
        let last = tail(dir.path(), 2, |_| true).unwrap();
        assert!(last[1].text.starts_with("5999 "));
        assert_eq!(last[1].number, 6000);
    }
}
