//! What terminals have put out, also those that have ended.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use ids::{TerminalId, WorkspaceId};
use screen::{Plain, Screen};
use serde::Serialize;
use wire::TerminalMatch;

use crate::Agent;
use crate::terminal::record::Reader;

/// Bytes of one answer.
const OUTPUT_MAX: usize = 4 << 20;
/// Read at once.
const PART: usize = 64 << 10;
/// Characters of a line that are shown.
const LINE_SHOWN: usize = 500;

/// A part of what a terminal has put out.
pub(crate) struct Output {
    /// Offset of its first byte.
    pub(crate) from: u64,
    /// Where all output ends now.
    pub(crate) end: u64,
    pub(crate) bytes: Bytes,
}

impl Agent {
    /// At most `max` bytes from an offset on, or from the first that is kept. Blocks, for as long as the disk takes.
    pub(crate) fn terminal_output(
        &self,
        id: &WorkspaceId,
        terminal: &TerminalId,
        from: u64,
        max: usize,
    ) -> io::Result<Option<Output>> {
        if self.meta(id, terminal).is_none() {
            return Ok(None);
        }
        let mut record = self.record(id, terminal)?;
        let bounds = record.bounds()?;
        let from = from.clamp(bounds.start, bounds.end);
        let mut bytes = vec![0; max.min(OUTPUT_MAX)];
        let mut filled = 0;
        while filled < bytes.len() {
            match record.read(from + filled as u64, &mut bytes[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        bytes.truncate(filled);
        Ok(Some(Output { from, end: bounds.end, bytes: bytes.into() }))
    }

    /// Bytes that draw the screen as it was at an offset.
    pub(super) async fn snapshot(&self, id: &WorkspaceId, terminal: &TerminalId, at: u64) -> io::Result<Vec<u8>> {
        let mut record = self.record(id, terminal)?;
        tokio::task::spawn_blocking(move || draw(&mut record, at)).await.map_err(io::Error::other)?
    }

    /// Lines that have `text` in them, newest terminal first, and in each the newest first. Blocks.
    pub(crate) fn terminal_matches(&self, id: &WorkspaceId, text: &str, limit: usize) -> Matches {
        let wanted = text.to_lowercase();
        let mut matches = Matches { matches: Vec::new(), truncated: false };
        for terminal in self.list_terminals(id).into_iter().rev() {
            let left = limit - matches.matches.len();
            let found = self.record(id, &terminal.id).and_then(|mut record| search(&mut record, &wanted, left));
            let Ok((found, truncated)) = found else { continue };
            matches.truncated |= truncated;
            let shown = |(offset, line)| Match {
                terminal: terminal.id.clone(),
                name: terminal.name.clone(),
                found: TerminalMatch { offset, line },
            };
            matches.matches.extend(found.into_iter().rev().map(shown));
        }
        matches
    }
}

#[derive(Serialize)]
pub(crate) struct Matches {
    matches: Vec<Match>,
    /// There are more, and older ones.
    truncated: bool,
}

/// A line of output.
#[derive(Serialize)]
struct Match {
    terminal: TerminalId,
    name: String,
    #[serde(flatten)]
    found: TerminalMatch,
}

/// What the terminal shows after everything that is kept up to `at`, at the sizes that it had.
fn draw(record: &mut Reader, at: u64) -> io::Result<Vec<u8>> {
    let sizes = record.sizes()?;
    let mut next = record.bounds()?.start;
    let before = sizes.iter().rev().find(|(since, _)| *since <= next).or(sizes.first());
    let mut screen = match before {
        Some((_, size)) => Screen::new(size.rows, size.columns),
        None => Screen::new(24, 80),
    };
    let start = next;
    let mut changes = sizes.iter().filter(|(since, _)| (start + 1..=at).contains(since)).peekable();
    let mut buffer = vec![0; PART];
    while next < at {
        let until = changes.peek().map_or(at, |(since, _)| *since);
        let room = usize::try_from(until - next).map_or(PART, |room| room.min(PART));
        let count = record.read(next, &mut buffer[..room])?;
        if count == 0 {
            break;
        }
        screen.feed(&buffer[..count]);
        next += count as u64;
        while let Some((_, size)) = changes.next_if(|(since, _)| *since <= next) {
            screen.resize(size.rows, size.columns);
        }
    }
    Ok(screen.snapshot())
}

/// The newest lines with `wanted` in them, the oldest of those first, each with the offset where it begins; whether there are older ones.
fn search(record: &mut Reader, wanted: &str, limit: usize) -> io::Result<(VecDeque<(u64, String)>, bool)> {
    let mut found = VecDeque::new();
    let (mut plain, mut next, mut truncated) = (Plain::default(), record.bounds()?.start, false);
    let mut begins = next;
    let mut buffer = vec![0; PART];
    loop {
        let count = record.read(next, &mut buffer)?;
        // By line, so that each is known by where it begins.
        for part in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
            next += part.len() as u64;
            let text = plain.feed(part);
            for line in text.lines().filter(|line| line.to_lowercase().contains(wanted)) {
                found.push_back((begins, line.chars().take(LINE_SHOWN).collect()));
            }
            if part.ends_with(b"\n") {
                begins = next;
            }
        }
        if count == 0 {
            let rest = plain.rest();
            if rest.to_lowercase().contains(wanted) {
                found.push_back((begins, rest.chars().take(LINE_SHOWN).collect()));
            }
        }
        while found.len() > limit {
            truncated |= found.pop_front().is_some();
        }
        if count == 0 {
            return Ok((found, truncated));
        }
    }
}
