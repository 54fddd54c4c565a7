//! What this program says of itself, kept in segments on disk, so that it can be read where there is no journal.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ids::{LogLevel, LogStream};
use serde::{Deserialize, Serialize};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use wire::MachineLogEntry;

use super::{Filter, Found, Newer, Older, Place};
use crate::log::{Backward, Follower, Record, Writer};
use crate::now_ms;

/// Bytes that the log takes on disk, about.
const BYTES: u64 = 8 << 20;
/// Lines on their way to the disk. Whoever writes a line never waits for it.
const LINES: usize = 4096;
/// Bytes of one line.
const LINE: usize = 16 << 10;
/// The last lines of a process that ends have this long.
const LAST: Duration = Duration::from_secs(1);
/// Lines given out at a time.
const BATCH: usize = 1000;
/// Bytes read at a time.
const TURN: usize = 256 << 10;

/// Takes what this process logs; cheap to clone. Lines from before its directory is known are kept for it.
#[derive(Clone)]
pub struct OwnLog {
    inner: Arc<Inner>,
}

struct Inner {
    lines: SyncSender<Line>,
    /// Until the writer takes it.
    received: Mutex<Option<Receiver<Line>>>,
    /// Nobody will write them.
    discarded: AtomicBool,
    lost: AtomicU64,
}

enum Line {
    Said {
        at_ms: i64,
        said: Said,
    },
    /// Everything before it is to be written.
    Flush(Sender<()>),
}

/// A line as it is on disk.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    #[serde(rename = "l")]
    level: LogLevel,
    #[serde(rename = "t")]
    target: String,
    #[serde(rename = "m")]
    message: String,
}

// === impl OwnLog ===

impl Default for OwnLog {
    fn default() -> Self {
        let (lines, received) = sync_channel(LINES);
        Self {
            inner: Arc::new(Inner {
                lines,
                received: Mutex::new(Some(received)),
                discarded: AtomicBool::new(false),
                lost: AtomicU64::new(0),
            }),
        }
    }
}

impl OwnLog {
    /// Writes to the node's directory from now on.
    ///
    /// # Errors
    /// When no log can be made there.
    pub fn open(&self, node: &Path) -> io::Result<()> {
        let directory = crate::layout::own_log(node);
        std::fs::create_dir_all(&directory)?;
        std::fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        let writer = Writer::open(&directory, BYTES)?;
        let received = self.inner.received.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(received) = received else { return Ok(()) };
        let inner = self.inner.clone();
        std::thread::Builder::new().name("own-log".into()).spawn(move || write(writer, &received, &inner))?;
        Ok(())
    }

    /// Keeps nothing: this process is no node.
    pub fn discard(&self) {
        self.inner.discarded.store(true, Ordering::Relaxed);
        self.inner.received.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Waits, not for long, until everything said so far is on disk.
    pub fn flush(&self) {
        let (done, written) = channel();
        if self.inner.lines.try_send(Line::Flush(done)).is_ok() {
            let _ = written.recv_timeout(LAST);
        }
    }
}

impl<S: Subscriber> Layer<S> for OwnLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if self.inner.discarded.load(Ordering::Relaxed) {
            return;
        }
        let level = match *event.metadata().level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG | Level::TRACE => LogLevel::Debug,
        };
        let mut text = Text::default();
        event.record(&mut text);
        let said = Said { level, target: event.metadata().target().to_owned(), message: text.finish() };
        if let Err(TrySendError::Full(_)) = self.inner.lines.try_send(Line::Said { at_ms: now_ms(), said }) {
            self.inner.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// An event's message with its fields after it, as people read it on standard error.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

impl Text {
    fn finish(mut self) -> String {
        self.message.push_str(&self.fields);
        if self.message.len() > LINE {
            self.message.truncate(self.message.floor_char_boundary(LINE));
            self.message.push('…');
        }
        self.message
    }
}

/// Writes for as long as this process lives. It says nothing of its own failures where it would hear of them.
fn write(mut writer: Writer, received: &Receiver<Line>, inner: &Inner) {
    let mut owed = 0;
    while let Ok(first) = received.recv() {
        let mut waiting = Vec::new();
        let mut lines = 0;
        for line in std::iter::once(first).chain(received.try_iter()).take(LINES) {
            match line {
                Line::Said { at_ms, said } => {
                    put(&mut writer, at_ms, &said);
                    lines += 1;
                }
                Line::Flush(done) => waiting.push(done),
            }
        }
        let lost = owed + inner.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let message = format!("{lost} lines of this log are lost: the disk was full or too slow for them");
            put(&mut writer, now_ms(), &Said { level: LogLevel::Warn, target: "node".into(), message });
        }
        owed = if writer.flush().is_ok() { 0 } else { lost + lines };
        for done in waiting {
            let _ = done.send(());
        }
    }
}

fn put(writer: &mut Writer, at_ms: i64, said: &Said) {
    if let Ok(text) = serde_json::to_string(said) {
        writer.line_at(at_ms, LogStream::Sys, text);
    }
}

// === reading ===

fn found(record: Record) -> Found {
    let said = serde_json::from_str::<Said>(&record.text);
    let said = said.unwrap_or(Said { level: LogLevel::Info, target: String::new(), message: record.text });
    let metadata = Some(("target".to_owned(), said.target)).filter(|(_, target)| !target.is_empty());
    Found {
        entry: MachineLogEntry {
            at_us: record.at_ms.saturating_mul(1000),
            level: said.level,
            source: "agent".into(),
            message: said.message,
            metadata: metadata.into_iter().collect(),
        },
        before: Place::Line(record.number),
        after: Place::Line(record.number.saturating_add(1)),
    }
}

pub(super) fn older(directory: &Path, place: Option<&Place>, filter: &Filter, limit: usize) -> io::Result<Older> {
    let bound = match place {
        Some(Place::Line(bound)) => Some(*bound),
        _ => None,
    };
    let mut lines = Backward::new(directory)?;
    let mut older = Older {
        found: Vec::new(),
        head: place.cloned().unwrap_or(Place::Line(0)),
        end: Place::Start,
        more: false,
        note: None,
    };
    let mut first = place.is_none();
    while let Some((record, _)) = lines.next()? {
        if std::mem::take(&mut first) {
            older.head = Place::Line(record.number.saturating_add(1));
        }
        if bound.is_some_and(|bound| record.number >= bound) {
            continue;
        }
        // Times of this log never go back.
        if filter.since_us.is_some_and(|since| record.at_ms.saturating_mul(1000) < since) {
            break;
        }
        let line = found(record);
        if filter.keeps(&line.entry) {
            older.end = line.before.clone();
            older.found.push(line);
            if older.found.len() >= limit {
                older.more = true;
                break;
            }
        }
    }
    Ok(older)
}

pub(super) fn newer(directory: &Path, place: &Place, filter: &Filter) -> io::Result<Newer> {
    let Place::Line(bound) = place else { return Ok(Newer { found: Vec::new(), end: place.clone(), more: false }) };
    let mut follower = Follower::after(directory.to_owned(), bound.saturating_sub(1));
    let mut newer = Newer { found: Vec::new(), end: place.clone(), more: false };
    loop {
        let records = follower.read(TURN)?;
        if records.is_empty() {
            return Ok(newer);
        }
        newer.end = Place::Line(follower.last().saturating_add(1));
        newer.found.extend(records.into_iter().map(found).filter(|line| filter.keeps(&line.entry)));
        if newer.found.len() >= BATCH {
            newer.more = true;
            return Ok(newer);
        }
    }
}
