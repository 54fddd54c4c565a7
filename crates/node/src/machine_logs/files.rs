//! The logs of cloud-init, which are plain files.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use ids::LogLevel;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use wire::MachineLogEntry;

use super::{Filter, Found, Newer, Older, Place, Stream};

/// Bytes of a file that are read, its last ones: one of cloud-init seldom has a twentieth of it.
const WINDOW: u64 = 16 << 20;
/// Bytes of a line that are shown.
const LINE: usize = 64 << 10;
/// Lines given out at a time.
const BATCH: usize = 1000;

/// One of the two files.
#[derive(Debug, Clone)]
pub(super) struct File {
    path: PathBuf,
}

impl File {
    pub(super) fn of(stream: Stream, directory: &Path) -> Self {
        let name = if stream == Stream::CloudInit { "cloud-init.log" } else { "cloud-init-output.log" };
        Self { path: directory.join(name) }
    }

    /// None when there is no such file.
    pub(super) fn older(&self, place: Option<&Place>, filter: &Filter, limit: usize) -> io::Result<Option<Older>> {
        let Some((start, bytes)) = self.bytes()? else { return Ok(None) };
        let head = match place {
            Some(Place::Line(bound)) => *bound,
            _ => start + bytes.len() as u64,
        };
        let mut older =
            Older { found: Vec::new(), head: Place::Line(head), end: Place::Start, more: false, note: None };
        for found in self.lines(start, &bytes).into_iter().rev().filter(|found| found.begins() < head) {
            if !filter.keeps(&found.entry) {
                continue;
            }
            older.end = found.before.clone();
            older.found.push(found);
            if older.found.len() >= limit {
                older.more = true;
                break;
            }
        }
        Ok(Some(older))
    }

    /// One that is not there yet may come.
    pub(super) fn newer(&self, place: &Place, filter: &Filter) -> io::Result<Newer> {
        let Place::Line(bound) = *place else {
            return Ok(Newer { found: Vec::new(), end: place.clone(), more: false });
        };
        let length = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        // A shorter one is another one.
        let bound = if length < bound { 0 } else { bound };
        let mut newer = Newer { found: Vec::new(), end: Place::Line(bound), more: false };
        if length == bound {
            return Ok(newer);
        }
        let Some((start, bytes)) = self.bytes()? else { return Ok(newer) };
        for found in self.lines(start, &bytes).into_iter().filter(|found| found.begins() >= bound) {
            newer.end = found.after.clone();
            if filter.keeps(&found.entry) {
                newer.found.push(found);
            }
            if newer.found.len() >= BATCH {
                newer.more = true;
                break;
            }
        }
        Ok(newer)
    }

    /// Whole lines, and where the first of them begins.
    fn bytes(&self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let mut file = match std::fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut start = file.metadata()?.len().saturating_sub(WINDOW);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(WINDOW).read_to_end(&mut bytes)?;
        bytes.truncate(bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1));
        if start > 0 {
            let cut = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1);
            bytes.drain(..cut);
            start += cut as u64;
        }
        Ok(Some((start, bytes)))
    }

    /// A line that does not say when it was written, or how much it matters, is of the one before it.
    fn lines(&self, start: u64, bytes: &[u8]) -> Vec<Found> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut lines = Vec::new();
        let mut offset = start;
        let mut before = None;
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let (begins, ends) = (offset, offset + line.len() as u64);
            offset = ends;
            let text = String::from_utf8_lossy(&line[..line.len().min(LINE)]);
            let text = text.trim_end();
            if text.is_empty() {
                continue;
            }
            let said = Said::of(text);
            let level =
                said.as_ref().map_or_else(|| before.map_or(LogLevel::Info, |(_, level)| level), |said| said.level);
            let at_us = said.as_ref().map(|said| said.at_us).or(before.map(|(at_us, _)| at_us));
            before = at_us.map(|at_us| (at_us, level));
            let message = said.as_ref().map_or(text, |said| &text[said.prefix..]).to_owned();
            let metadata = [Some(("file", name.clone())), said.and_then(|said| Some(("module", said.module?)))];
            lines.push(Found {
                entry: MachineLogEntry {
                    at_us: at_us.unwrap_or(i64::MIN),
                    level,
                    source: "cloud-init".into(),
                    message,
                    metadata: metadata.into_iter().flatten().map(|(key, value)| (key.to_owned(), value)).collect(),
                },
                before: Place::Line(begins),
                after: Place::Line(ends),
            });
        }
        self.date_first(&mut lines);
        lines
    }

    /// The lines before the first one that says when are of its time, or of the file's.
    fn date_first(&self, lines: &mut [Found]) {
        let first = lines.iter().map(|found| found.entry.at_us).find(|at_us| *at_us != i64::MIN);
        let changed = || {
            let changed = std::fs::metadata(&self.path).and_then(|metadata| metadata.modified()).ok()?;
            Some(jiff::Timestamp::try_from(changed).ok()?.as_microsecond())
        };
        let at_us = first.or_else(changed).unwrap_or_default();
        for found in lines.iter_mut().take_while(|found| found.entry.at_us == i64::MIN) {
            found.entry.at_us = at_us;
        }
    }
}

impl Found {
    fn begins(&self) -> u64 {
        if let Place::Line(begins) = self.before { begins } else { 0 }
    }
}

/// What a line tells of itself.
struct Said {
    at_us: i64,
    level: LogLevel,
    module: Option<String>,
    /// Bytes before what it says, which tell only what is here.
    prefix: usize,
}

impl Said {
    fn of(line: &str) -> Option<Self> {
        Self::of_python(line).or_else(|| Self::of_stage(line))
    }

    /// `2024-06-04 08:22:34,123 - util.py[DEBUG]: …`, in UTC.
    fn of_python(line: &str) -> Option<Self> {
        let (time, rest) = (line.get(..23)?, line.get(23..)?);
        let (seconds, milliseconds) = time.split_once(',')?;
        let time = DateTime::strptime("%Y-%m-%d %H:%M:%S", seconds).ok()?.to_zoned(TimeZone::UTC).ok()?;
        let milliseconds = milliseconds.parse::<u16>().ok()?;
        let (module, rest) = rest.strip_prefix(" - ")?.split_once('[')?;
        let (level, said) = rest.split_once("]: ")?;
        let level = match level {
            "DEBUG" => LogLevel::Debug,
            "WARNING" => LogLevel::Warn,
            "ERROR" | "CRITICAL" => LogLevel::Error,
            _ => LogLevel::Info,
        };
        let at_us = time.timestamp().as_microsecond() + i64::from(milliseconds) * 1000;
        Some(Self { at_us, level, module: Some(module.to_owned()), prefix: line.len() - said.len() })
    }

    /// `Cloud-init v. 22.4.2 running 'init' at Tue, 04 Jun 2024 08:22:34 +0000. Up 5.20 seconds.`
    fn of_stage(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("Cloud-init v. ")?;
        let time = rest.split_once(" at ")?.1.split_once(". ")?.0;
        let time = jiff::fmt::rfc2822::parse(time).ok()?;
        Some(Self { at_us: time.timestamp().as_microsecond(), level: LogLevel::Info, module: None, prefix: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a Debian 12 machine at a provider, shortened.
    const LOG: &str = "2024-06-04 08:22:34,123 - util.py[DEBUG]: Cloud-init v. 22.4.2 running 'init' at Tue, 04 Jun 2024 08:22:34 +0000. Up 5.20 seconds.
2024-06-04 08:22:34,123 - main.py[INFO]: No kernel command line url found.
2024-06-04 08:22:36,007 - util.py[WARNING]: Failed partitioning operation
2024-06-04 08:22:36,008 - util.py[DEBUG]: Failed partitioning operation
Traceback (most recent call last):

  File \"/usr/lib/python3/dist-packages/cloudinit/config/cc_disk_setup.py\", line 142, in handle
2024-06-04 08:22:37,000 - handlers.py[ERROR]: finish: init-network: FAIL
";
    const OUTPUT: &str = "Generating locales
Cloud-init v. 22.4.2 running 'modules:final' at Tue, 04 Jun 2024 08:22:40 +0000. Up 11.31 seconds.
Hit:1 http://deb.debian.org/debian bookworm InRelease
";

    fn file(name: &str, text: &str) -> (tempfile::TempDir, File) {
        let directory = tempfile::tempdir().unwrap();
        let file = File { path: directory.path().join(name) };
        std::fs::write(&file.path, text).unwrap();
        (directory, file)
    }

    fn filter(query: wire::MachineLogQuery) -> Filter {
        Filter::new(&query)
    }

    #[test]
    fn lines_have_the_time_and_level_that_they_say_or_of_the_line_before() {
        let (_directory, file) = file("cloud-init.log", LOG);
        let older = file.older(None, &filter(wire::MachineLogQuery::default()), 100).unwrap().unwrap();
        let shown = |found: &Found| {
            let at = jiff::Timestamp::from_microsecond(found.entry.at_us).unwrap();
            (format!("{at:.3}"), found.entry.level, found.entry.metadata.get("module").cloned())
        };
        let lines = older.found.iter().map(shown).collect::<Vec<_>>();
        let line = |at: &str, level, module: Option<&str>| {
            (format!("2024-06-04T08:22:{at}Z"), level, module.map(str::to_owned))
        };
        assert_eq!(
            lines,
            [
                line("37.000", LogLevel::Error, Some("handlers.py")),
                line("36.008", LogLevel::Debug, None),
                line("36.008", LogLevel::Debug, None),
                line("36.008", LogLevel::Debug, Some("util.py")),
                line("36.007", LogLevel::Warn, Some("util.py")),
                line("34.123", LogLevel::Info, Some("main.py")),
                line("34.123", LogLevel::Debug, Some("util.py")),
            ]
        );
        assert!(!older.more);
        assert_eq!(older.found[0].entry.message, "finish: init-network: FAIL");
        assert_eq!(older.found[2].entry.message, "Traceback (most recent call last):");
        let (_directory, file) = self::file("cloud-init-output.log", OUTPUT);
        let older = file.older(None, &filter(wire::MachineLogQuery::default()), 100).unwrap().unwrap();
        let at = older.found.iter().map(|found| found.entry.at_us).collect::<Vec<_>>();
        assert_eq!(at, [1_717_489_360_000_000; 3]);
    }

    #[test]
    fn places_lie_between_lines_in_both_directions() {
        let (_directory, file) = file("cloud-init.log", LOG);
        let all = filter(wire::MachineLogQuery::default());
        let every = file.older(None, &all, 100).unwrap().unwrap().found;
        let mut place = None;
        let mut pages = Vec::new();
        loop {
            let page = file.older(place.as_ref(), &all, 2).unwrap().unwrap();
            place = Some(page.end);
            pages.extend(page.found);
            if !page.more {
                break;
            }
        }
        let texts = |found: &[Found]| found.iter().map(|found| found.entry.message.clone()).collect::<Vec<_>>();
        assert_eq!(texts(&pages), texts(&every));
        for (index, found) in every.iter().enumerate() {
            let newer = file.newer(&found.after, &all).unwrap();
            assert_eq!(newer.found.len(), index);
            assert_eq!(newer.end, Place::Line(LOG.len() as u64));
        }
        let errors = filter(wire::MachineLogQuery { level: Some(LogLevel::Warn), ..Default::default() });
        assert_eq!(file.older(None, &errors, 100).unwrap().unwrap().found.len(), 2);
        std::fs::remove_file(&file.path).unwrap();
        assert!(file.older(None, &all, 1).unwrap().is_none());
        assert!(file.newer(&Place::Line(0), &all).unwrap().found.is_empty());
    }

    #[test]
    fn a_line_that_is_being_written_is_none_yet() {
        let (_directory, file) = file("cloud-init-output.log", "one\ntw");
        let all = filter(wire::MachineLogQuery::default());
        let newer = file.newer(&Place::Line(0), &all).unwrap();
        assert_eq!((newer.found.len(), newer.end.clone()), (1, Place::Line(4)));
        std::fs::write(&file.path, "one\ntwo\n").unwrap();
        let newer = file.newer(&newer.end, &all).unwrap();
        assert_eq!((newer.found[0].entry.message.as_str(), newer.end), ("two", Place::Line(8)));
        std::fs::write(&file.path, "new\n").unwrap();
        assert_eq!(file.newer(&Place::Line(8), &all).unwrap().found[0].entry.message, "new");
    }
}
