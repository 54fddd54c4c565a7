//! The systemd journal, read with `journalctl`.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use ids::LogLevel;
use serde_json::{Map, Value};
use wire::MachineLogEntry;

use super::command::{Late, Running, late};
use super::{Filter, Found, Newer, Older, Place};

const JOURNALCTL: &str = "journalctl";
/// Where journals lie: on disk, and until the next start.
const DIRECTORIES: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
const FIELDS: &str = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER,_PID,CONTAINER_NAME";
/// Units of an installation, and those that it makes.
const UNITS: &str = "nanoscale*";
/// Lines given out at a time.
const BATCH: usize = 1000;
/// By how much the clock may have gone back within the journal, in microseconds.
const CLOCK: i64 = 3600 * 1_000_000;

/// An entry's name within the journal (systemd.journal-fields(7)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JournalCursor {
    pub(super) seqnum_id: [u8; 16],
    pub(super) seqnum: u64,
    pub(super) boot_id: [u8; 16],
    pub(super) monotonic: u64,
    pub(super) realtime: u64,
    pub(super) xor_hash: u64,
}

impl JournalCursor {
    fn parse(text: &str) -> Option<Self> {
        let field =
            |name: &str| text.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix('=').map(str::to_owned));
        let number = |name| u64::from_str_radix(&field(name)?, 16).ok();
        let id = |name| Some(u128::from_str_radix(&field(name)?, 16).ok()?.to_be_bytes());
        Some(Self {
            seqnum_id: id("s")?,
            seqnum: number("i")?,
            boot_id: id("b")?,
            monotonic: number("m")?,
            realtime: number("t")?,
            xor_hash: number("x")?,
        })
    }
}

impl fmt::Display for JournalCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = |bytes: [u8; 16]| u128::from_be_bytes(bytes);
        write!(
            f,
            "s={:032x};i={:x};b={:032x};m={:x};t={:x};x={:x}",
            id(self.seqnum_id),
            self.seqnum,
            id(self.boot_id),
            self.monotonic,
            self.realtime,
            self.xor_hash
        )
    }
}

/// Which entries are read at all.
pub(super) struct Which {
    arguments: Vec<String>,
    containers: bool,
}

/// Those of our units, or of one.
pub(super) fn of_units(filter: &Filter) -> Which {
    let unit = filter.unit.as_deref().unwrap_or(UNITS);
    Which { arguments: vec![format!("--unit={unit}")], containers: false }
}

/// Those of containers, where Docker gives its logs to the journal.
pub(super) fn of_containers(filter: &Filter) -> Which {
    let which = match &filter.container {
        Some(name) => format!("CONTAINER_NAME={name}"),
        None => "_COMM=dockerd".to_owned(),
    };
    Which { arguments: vec![which], containers: true }
}

/// Whether there is a journal, and if not, why.
fn check() -> Result<(), String> {
    let mut denied = false;
    for directory in DIRECTORIES {
        match has_journals(Path::new(directory)) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => denied |= error.kind() == std::io::ErrorKind::PermissionDenied,
        }
    }
    Err(if denied {
        "the user of the node may not read the systemd journal; add it to the group systemd-journal".into()
    } else {
        "there is no systemd journal on this machine".into()
    })
}

fn has_journals(directory: &Path) -> std::io::Result<bool> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let is_journal = |file: &std::fs::DirEntry| file.path().extension().is_some_and(|it| it == "journal");
        if path.is_dir() && std::fs::read_dir(path)?.flatten().any(|file| is_journal(&file)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn start(which: &Which, more: Vec<String>, timeout: Duration) -> Result<Running, String> {
    check()?;
    let common = ["--no-pager", "--quiet", "--all", "--output=json"].map(str::to_owned);
    let fields = format!("--output-fields={FIELDS}");
    let arguments = common.into_iter().chain([fields]).chain(more).chain(which.arguments.iter().cloned());
    Running::start(JOURNALCTL, &arguments.collect::<Vec<_>>(), timeout)
}

/// `@seconds.microseconds`, as systemd.time(7) has it.
fn time(at_us: i64) -> String {
    let at_us = at_us.max(0);
    format!("@{}.{:06}", at_us / 1_000_000, at_us % 1_000_000)
}

pub(super) async fn older(
    which: &Which,
    place: Option<&Place>,
    filter: &Filter,
    limit: usize,
    timeout: Duration,
) -> Result<Older, String> {
    let mut arguments = vec!["--reverse".to_owned()];
    match (place, filter.until_us) {
        (Some(Place::Journal { cursor, .. }), _) => arguments.push(format!("--cursor={cursor}")),
        (Some(Place::Since(until)), _) => arguments.push(format!("--until={}", time(*until - 1))),
        (_, Some(until)) => arguments.push(format!("--until={}", time(until - 1))),
        _ => {}
    }
    let now = Place::Since(crate::now_ms().saturating_mul(1000));
    let mut running = start(which, arguments, timeout)?;
    let mut found = Vec::new();
    let (mut head, mut end) = (place.cloned(), None);
    let more = loop {
        let line = match running.line().await {
            Ok(Some(line)) => line,
            Ok(None) => {
                finish(running).await?;
                break false;
            }
            Err(Late) if end.is_none() => return Err(late(JOURNALCTL, timeout)),
            // What was looked through so far is a page.
            Err(Late) => break true,
        };
        let Some(Entry { cursor, found: entry }) = Entry::parse(&line, which) else { continue };
        let begins = Place::Journal { cursor: cursor.clone(), after: false };
        if place == Some(&begins) {
            continue;
        }
        head.get_or_insert(Place::Journal { cursor, after: true });
        end = Some(begins);
        let Some(entry) = entry else { continue };
        if filter.since_us.is_some_and(|since| entry.entry.at_us.saturating_add(CLOCK) < since) {
            break false;
        }
        if filter.keeps(&entry.entry) {
            found.push(entry);
            if found.len() >= limit {
                break true;
            }
        }
    };
    let end = end.filter(|_| more).unwrap_or(Place::Start);
    Ok(Older { found, head: head.unwrap_or(now), end, more, note: None })
}

pub(super) async fn newer(which: &Which, place: &Place, filter: &Filter, timeout: Duration) -> Result<Newer, String> {
    let from = match place {
        Place::Journal { cursor, .. } => format!("--cursor={cursor}"),
        Place::Since(since) => format!("--since={}", time(*since)),
        _ => return Ok(Newer { found: Vec::new(), end: place.clone(), more: false }),
    };
    let mut running = start(which, vec![from], timeout)?;
    let mut newer = Newer { found: Vec::new(), end: place.clone(), more: false };
    loop {
        let line = match running.line().await {
            Ok(Some(line)) => line,
            Ok(None) => {
                finish(running).await?;
                return Ok(newer);
            }
            Err(Late) if newer.end == *place => return Err(late(JOURNALCTL, timeout)),
            Err(Late) => {
                newer.more = true;
                return Ok(newer);
            }
        };
        let Some(Entry { cursor, found }) = Entry::parse(&line, which) else { continue };
        let ends = Place::Journal { cursor, after: true };
        if *place == ends {
            continue;
        }
        newer.end = ends;
        newer.found.extend(found.filter(|found| filter.keeps(&found.entry)));
        if newer.found.len() >= BATCH {
            newer.more = true;
            return Ok(newer);
        }
    }
}

/// A pattern that no unit in the journal has is no failure: ours have said nothing yet.
async fn finish(running: Running) -> Result<(), String> {
    match running.finish().await {
        Err(complaint) if complaint.contains("No data available") => Ok(()),
        other => other,
    }
}

/// An entry of the journal; without a line when it is none of those asked for.
struct Entry {
    cursor: JournalCursor,
    found: Option<Found>,
}

impl Entry {
    fn parse(line: &[u8], which: &Which) -> Option<Self> {
        let fields = serde_json::from_slice::<Map<String, Value>>(line).ok()?;
        let field = |name: &str| text(fields.get(name)?);
        let cursor = JournalCursor::parse(&field("__CURSOR")?)?;
        let container = field("CONTAINER_NAME");
        if which.containers && container.is_none() {
            return Some(Self { cursor, found: None });
        }
        let source = match container.filter(|_| which.containers) {
            Some(name) => format!("docker:{name}"),
            None => "systemd".to_owned(),
        };
        let named = [
            ("unit", field("UNIT").or_else(|| field("_SYSTEMD_UNIT"))),
            ("identifier", field("SYSLOG_IDENTIFIER")),
            ("pid", field("_PID")),
        ];
        let named = named.into_iter().filter(|_| !which.containers);
        let found = Found {
            entry: MachineLogEntry {
                at_us: field("__REALTIME_TIMESTAMP")?.parse().ok()?,
                level: level(field("PRIORITY").as_deref()),
                source,
                message: field("MESSAGE").unwrap_or_default(),
                metadata: named.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
            },
            before: Place::Journal { cursor: cursor.clone(), after: false },
            after: Place::Journal { cursor: cursor.clone(), after: true },
        };
        Some(Self { cursor, found: Some(found) })
    }
}

/// A field's value: a text, the bytes of what is none, or several values of which the first counts.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.iter().all(Value::is_u64) => {
            let bytes = items.iter().filter_map(|item| u8::try_from(item.as_u64()?).ok()).collect::<Vec<_>>();
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        Value::Array(items) => text(items.first()?),
        _ => None,
    }
}

/// Of a syslog priority.
fn level(priority: Option<&str>) -> LogLevel {
    match priority {
        Some("0" | "1" | "2" | "3") => LogLevel::Error,
        Some("4") => LogLevel::Warn,
        Some("7") => LogLevel::Debug,
        _ => LogLevel::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `journalctl --output=json` of systemd 252; the first two have the same time.
    const LINES: [&str; 4] = [
        r#"{"__CURSOR":"s=0dc2a057cb6440f692212c8e49a3f65c;i=9ff;b=16af64a773f341f88083ca3deb9aa1c2;m=b481b57b8;t=660cca3594126;x=547ecbc2a39d983a","__REALTIME_TIMESTAMP":"1795281890394406","__MONOTONIC_TIMESTAMP":"48454391736","_BOOT_ID":"16af64a773f341f88083ca3deb9aa1c2","SYSLOG_IDENTIFIER":"nanoscale","_PID":"31354","PRIORITY":"3","MESSAGE":"two","_SYSTEMD_UNIT":"nanoscale-node.service"}"#,
        r#"{"__CURSOR":"s=0dc2a057cb6440f692212c8e49a3f65c;i=a00;b=16af64a773f341f88083ca3deb9aa1c2;m=b481b57b8;t=660cca3594126;x=1eef7a1e6193da8c","__REALTIME_TIMESTAMP":"1795281890394406","PRIORITY":"6","MESSAGE":[27,91,51,50,109,255],"UNIT":["nanoscale-node.service","x"],"_SYSTEMD_UNIT":"init.scope"}"#,
        r#"{"__CURSOR":"s=0dc2a057cb6440f692212c8e49a3f65c;i=a01;b=16af64a773f341f88083ca3deb9aa1c2;m=b481b57b9;t=660cca3594127;x=1","__REALTIME_TIMESTAMP":"1795281890394407","PRIORITY":"4","MESSAGE":null,"CONTAINER_NAME":"web"}"#,
        "-- No entries --",
    ];

    #[test]
    fn entries_are_read_as_journalctl_writes_them() {
        let which = of_units(&Filter::new(&wire::MachineLogQuery::default()));
        let entries = LINES.map(|line| Entry::parse(line.as_bytes(), &which));
        let found = |index: usize| &entries[index].as_ref().unwrap().found.as_ref().unwrap().entry;
        assert_eq!(
            (found(0).level, found(0).message.as_str(), found(0).at_us),
            (LogLevel::Error, "two", 1_795_281_890_394_406)
        );
        let metadata = |name: &str| found(0).metadata.get(name).map(String::as_str);
        assert_eq!(
            [metadata("unit"), metadata("identifier"), metadata("pid")],
            [Some("nanoscale-node.service"), Some("nanoscale"), Some("31354")]
        );
        // What systemd says of a unit is the unit's.
        assert_eq!((found(1).level, found(1).metadata["unit"].as_str()), (LogLevel::Info, "nanoscale-node.service"));
        assert_eq!(found(1).message, "\u{1b}[32m\u{fffd}");
        assert_eq!((found(2).level, found(2).message.as_str()), (LogLevel::Warn, ""));
        assert!(entries[3].is_none());
        let cursors = entries.iter().flatten().map(|entry| entry.cursor.to_string()).collect::<Vec<_>>();
        for (cursor, line) in cursors.iter().zip(LINES) {
            assert!(line.contains(cursor.as_str()), "{cursor}");
        }
        assert_eq!(JournalCursor::parse("s=x;i=1"), None);
        assert_eq!(time(1_795_281_890_394_406), "@1795281890.394406");
    }

    #[test]
    fn only_entries_of_containers_are_lines_of_containers() {
        let which = of_containers(&Filter::new(&wire::MachineLogQuery::default()));
        let daemon = Entry::parse(LINES[0].as_bytes(), &which).unwrap();
        assert!(daemon.found.is_none());
        let web = Entry::parse(LINES[2].as_bytes(), &which).unwrap().found.unwrap();
        assert_eq!((web.entry.source.as_str(), web.entry.metadata.len()), ("docker:web", 0));
    }
}
