//! What terminals have put out, also those that have ended.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ids::{TerminalId, WorkspaceId};
use screen::Plain;
use serde::Serialize;
use tokio::sync::{Mutex, OwnedMutexGuard};
use wire::TerminalMatch;

use crate::Agent;
use crate::terminal::drawing::Drawing;
use crate::terminal::record::Reader;

/// Bytes of one answer.
const OUTPUT_MAX: usize = 4 << 20;
/// Bytes that draw a screen; with more it is not worth to be drawn.
const SNAPSHOT_MAX: usize = 16 << 20;
/// Read at once.
const PART: usize = 64 << 10;
/// How long a screen may take to be drawn.
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters of a line that are shown.
const LINE_SHOWN: usize = 500;

/// Screens are drawn one at a time for each workspace: it is programs there that decide how much work it is. Some
/// workspaces share a turn.
#[derive(Default)]
pub(in crate::agent) struct Turns([Arc<Mutex<()>>; 32]);

impl Turns {
    async fn take(&self, id: &WorkspaceId) -> OwnedMutexGuard<()> {
        let mut hasher = DefaultHasher::new();
        id.as_str().hash(&mut hasher);
        let at = usize::try_from(hasher.finish() % self.0.len() as u64).unwrap_or_default();
        self.0[at].clone().lock_owned().await
    }
}

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
        let turn = self.inner.drawing.take(id).await;
        let draw = move || {
            let _turn = turn;
            let mut drawing = Drawing::begin(&mut record, at)?;
            drawing.advance(&mut record, at, PATIENCE)?;
            let snapshot = drawing.snapshot();
            Ok(if snapshot.len() > SNAPSHOT_MAX { Vec::new() } else { snapshot })
        };
        tokio::task::spawn_blocking(draw).await.map_err(io::Error::other)?
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
