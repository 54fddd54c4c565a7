//! One who looks at a terminal: what the shim sends goes to them, what they type goes to the shim, each in frames.

use std::collections::VecDeque;
use std::io;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use ids::{TerminalId, WorkloadId, WorkspaceId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{broadcast, mpsc};
use wire::attach::{ATTACHED, Attached, EXIT, INPUT, KEYBOARD, NAME, OUTPUT, Query, RESIZE, SIZE, SNAPSHOT, Size};
use wire::shim::frame;

use super::SIDE_MAX;
use super::hub::{Hub, Notice};
use crate::Agent;
use crate::shim::{Attached as Attachment, Shim, read_exit};
use crate::terminal::record::Bounds;

/// Frames on their way to somebody who is slow.
const FRAMES: usize = 4;
/// Output that is sent again to somebody who has seen none of it, or not for long: what they can scroll back in.
const TAIL: u64 = 256 << 10;
/// Who has seen the output up to here is sent the rest as it is.
const CATCH_UP: u64 = 4 << 20;

/// Bytes that are read at once at least.
const ROOM: usize = 2 << 10;

/// Where somebody begins to look.
struct Beginning {
    from: u64,
    start: u64,
    end: u64,
    size: Size,
    /// Sizes that it had later, each with the offset from which on.
    resizes: VecDeque<(u64, Size)>,
    snapshot: Option<Vec<u8>>,
}

impl Agent {
    /// Somebody looks, and types what comes. Absent when there is no such terminal.
    pub(crate) async fn view_terminal(
        &self,
        id: &WorkspaceId,
        terminal: &TerminalId,
        query: Query,
        typed: impl Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin + 'static,
    ) -> io::Result<Option<mpsc::Receiver<Bytes>>> {
        let Some(meta) = self.meta(id, terminal) else { return Ok(None) };
        let beginning = self.beginning(id, terminal, &query).await?;
        let (sender, frames) = mpsc::channel(FRAMES);
        let first = Attached {
            from: beginning.from,
            end: beginning.end,
            start: beginning.start,
            snapshot: beginning.snapshot.is_some(),
            size: beginning.size,
        };
        let _ = sender.send(frame::encode(ATTACHED, &serde_json::to_vec(&first)?).into()).await;
        let run_dir = self.confine().layout.run(&WorkloadId::terminal(id, terminal));
        let shim = if meta.exit.is_none() { Shim::look(&run_dir).await? } else { None };
        let (agent, id, terminal) = (self.clone(), id.clone(), terminal.clone());
        tokio::spawn(async move {
            let Beginning { from, size, resizes, snapshot, .. } = beginning;
            let mut shown = Shown { next: from, size, resizes, has_keyboard: None, sender: &sender, has_end: false };
            if let Some(snapshot) = snapshot {
                for part in snapshot.chunks(frame::MAX) {
                    let _ = sender.send(frame::encode(SNAPSHOT, part).into()).await;
                }
                // An empty one is the end of it.
                let _ = sender.send(frame::encode(SNAPSHOT, b"").into()).await;
            }
            let mut result = match shim {
                Some(shim) => agent.look_live(&id, &terminal, &shim, &query, typed, &mut shown).await,
                None => Ok(()),
            };
            // It may end at any moment, also before it could be looked at.
            if !shown.has_end && !sender.is_closed() && matches!(Shim::look(&run_dir).await, Ok(None)) {
                result = agent.read_back(&id, &terminal, &mut shown).await;
            }
            if let Err(error) = result {
                tracing::debug!(%error, workspace.id = %id, "somebody looks at a terminal no more");
            }
        });
        Ok(Some(frames))
    }

    /// From where on output is sent, and how the screen looked there.
    async fn beginning(&self, id: &WorkspaceId, terminal: &TerminalId, query: &Query) -> io::Result<Beginning> {
        let record = self.record(id, terminal)?;
        let Bounds { start, end } = record.bounds()?;
        let sizes = record.sizes().unwrap_or_default();
        let sizes = sizes.iter().map(|(from, size)| (*from, Size { rows: size.rows, columns: size.columns }));
        let sizes = sizes.collect::<Vec<_>>();
        let seen = query.from.filter(|from| (start..=end).contains(from) && end - from <= CATCH_UP);
        let from = seen.unwrap_or_else(|| end.saturating_sub(TAIL).max(start));
        let size = sizes.iter().rev().find(|(since, _)| *since <= from).or(sizes.first());
        let size = size.map_or(Size { rows: 24, columns: 80 }, |(_, size)| *size);
        let resizes = sizes.into_iter().filter(|(since, _)| (from + 1..=end).contains(since)).collect();
        let snapshot = match seen {
            None if from > 0 => Some(self.snapshot(id, terminal, from).await?),
            _ => None,
        };
        Ok(Beginning { from, start, end, size, resizes, snapshot })
    }

    /// Until the process ends or somebody hangs up.
    async fn look_live(
        &self,
        id: &WorkspaceId,
        terminal: &TerminalId,
        shim: &Shim,
        query: &Query,
        typed: impl Stream<Item = Result<Bytes, axum::Error>> + Send + Unpin + 'static,
        shown: &mut Shown<'_>,
    ) -> io::Result<()> {
        let attachment = shim.attach(shown.next, query.watch).await?;
        let hub = self.hub(id, terminal);
        let size = Size { rows: query.rows.clamp(1, SIDE_MAX), columns: query.columns.clamp(1, SIDE_MAX) };
        let (viewer, notices) = hub.join((!query.watch).then_some(size));
        let place = Place { hub: &hub, viewer };
        let Attachment { reader, mut writer } = attachment;
        if !query.watch
            && let Some(size) = hub.resizes(viewer, size)
        {
            writer.write_all(&resize(size)).await?;
        }
        let types = Types { hub: &hub, viewer, watches: query.watch };
        tokio::select! {
            result = types.pass_on(typed, &mut writer) => result,
            result = shown.show(reader, notices, &place) => result,
        }
    }

    /// One that has ended has a record still.
    async fn read_back(&self, id: &WorkspaceId, terminal: &TerminalId, shown: &mut Shown<'_>) -> io::Result<()> {
        let mut record = self.record(id, terminal)?;
        loop {
            let mut buffer = vec![0; frame::MAX];
            let count = record.read(shown.next, &mut buffer)?;
            if count == 0 {
                break;
            }
            shown.output(&buffer[..count]).await?;
        }
        // What its shim has said last goes when it is written down.
        let said = read_exit(&self.confine().layout.run(&WorkloadId::terminal(id, terminal)));
        let exit = said.or_else(|| self.meta(id, terminal)?.exit);
        shown.send(frame::encode(EXIT, &serde_json::to_vec(&exit)?)).await
    }
}

/// A viewer's, among those who look. Left when dropped.
struct Place<'a> {
    hub: &'a Hub,
    viewer: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.hub.leave(self.viewer);
    }
}

/// What a viewer sends.
struct Types<'a> {
    hub: &'a Hub,
    viewer: u64,
    watches: bool,
}

impl Types<'_> {
    async fn pass_on(
        &self,
        mut typed: impl Stream<Item = Result<Bytes, axum::Error>> + Unpin,
        shim: &mut (impl AsyncWriteExt + Unpin),
    ) -> io::Result<()> {
        let mut received = BytesMut::new();
        while let Some(chunk) = typed.next().await {
            received.extend_from_slice(&chunk.map_err(io::Error::other)?);
            loop {
                let (kind, payload, rest) = match frame::decode(&received) {
                    frame::Decoded::Frame { kind, payload, after } => (kind, payload, after.len()),
                    frame::Decoded::Part => break,
                    frame::Decoded::TooLong => return Err(io::ErrorKind::InvalidData.into()),
                };
                match (kind, payload) {
                    (INPUT, payload) if !self.watches => {
                        if let Some(size) = self.hub.types(self.viewer) {
                            shim.write_all(&resize(size)).await?;
                        }
                        shim.write_all(&frame::encode(INPUT, payload)).await?;
                    }
                    (RESIZE, &[a, b, c, d]) => {
                        let (rows, columns) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
                        let size = Size { rows: rows.clamp(1, SIDE_MAX), columns: columns.clamp(1, SIDE_MAX) };
                        if let Some(size) = self.hub.resizes(self.viewer, size) {
                            shim.write_all(&resize(size)).await?;
                        }
                    }
                    _ => {}
                }
                received.advance(received.len() - rest);
            }
        }
        Ok(())
    }
}

/// What a viewer is shown, in order.
struct Shown<'a> {
    /// Offset of the output that comes next.
    next: u64,
    /// The last one that was said.
    size: Size,
    /// Sizes of what was put out before the viewer came.
    resizes: VecDeque<(u64, Size)>,
    /// As it was said last.
    has_keyboard: Option<bool>,
    sender: &'a mpsc::Sender<Bytes>,
    /// How the process ended has been said.
    has_end: bool,
}

impl Shown<'_> {
    async fn send(&self, frame: impl Into<Bytes>) -> io::Result<()> {
        self.sender.send(frame.into()).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// Frames of the shim as they come, and between two of them what else there is to say.
    async fn show(
        &mut self,
        mut reader: impl AsyncReadExt + Unpin,
        mut notices: broadcast::Receiver<Notice>,
        place: &Place<'_>,
    ) -> io::Result<()> {
        self.tell(place).await?;
        let mut received = BytesMut::new();
        loop {
            received.reserve(missing(&received));
            tokio::select! {
                biased;
                read = reader.read_buf(&mut received) => if read? == 0 {
                    return Ok(());
                },
                // Sizes that it had earlier are said first: the last word is how it is now.
                notice = notices.recv(), if self.resizes.is_empty() => {
                    if let Ok(Notice::Name(name)) = notice {
                        self.send(frame::encode(NAME, name.as_bytes())).await?;
                    }
                    // Also for one who was too far behind to hear of it.
                    self.tell(place).await?;
                    continue;
                }
                () = self.sender.closed() => return Ok(()),
            }
            loop {
                let (kind, length) = match frame::decode(&received) {
                    frame::Decoded::Frame { kind, after, .. } => (kind, received.len() - after.len()),
                    frame::Decoded::Part => break,
                    frame::Decoded::TooLong => return Err(io::ErrorKind::InvalidData.into()),
                };
                let frame = received.split_to(length).freeze();
                match kind {
                    OUTPUT if self.resizes.is_empty() => {
                        self.next += (frame.len() - frame::HEAD) as u64;
                        self.send(frame).await?;
                    }
                    OUTPUT => {
                        self.output(&frame[frame::HEAD..]).await?;
                        self.tell(place).await?;
                    }
                    _ => self.send(frame).await?,
                }
                if kind == EXIT {
                    self.has_end = true;
                    return Ok(());
                }
            }
            if received.is_empty() {
                // What was large is not kept by somebody to whom nothing is said now.
                received = BytesMut::new();
            }
        }
    }

    /// How it is by now, as far as that was not said: who has the keyboard, and its size once the earlier ones were said.
    async fn tell(&mut self, place: &Place<'_>) -> io::Result<()> {
        if let Some(has) = place.hub.has_keyboard(place.viewer)
            && self.has_keyboard.replace(has) != Some(has)
        {
            self.send(frame::encode(KEYBOARD, &[u8::from(has)])).await?;
        }
        match place.hub.size() {
            Some(size) if self.resizes.is_empty() && size != self.size => self.resized(size).await,
            _ => Ok(()),
        }
    }

    async fn resized(&mut self, size: Size) -> io::Result<()> {
        self.size = size;
        self.send(frame::encode(SIZE, &serde_json::to_vec(&size)?)).await
    }

    /// Output, with the sizes that it was meant for.
    async fn output(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let until = self.resizes.front().map_or(u64::MAX, |(since, _)| *since) - self.next;
            let count = usize::try_from(until).map_or(bytes.len(), |until| until.min(bytes.len()));
            let (now, later) = bytes.split_at(count);
            if !now.is_empty() {
                self.next += now.len() as u64;
                self.send(frame::encode(OUTPUT, now)).await?;
            }
            while let Some((_, size)) = self.resizes.pop_front_if(|(since, _)| *since <= self.next) {
                self.resized(size).await?;
            }
            bytes = later;
        }
        Ok(())
    }
}

/// How much to make room for: the rest of a frame that has begun to come, or what comes when somebody types.
fn missing(received: &[u8]) -> usize {
    match received.first_chunk::<{ frame::HEAD }>() {
        Some(&[_, a, b, c, d]) => {
            let length = frame::HEAD + (u32::from_le_bytes([a, b, c, d]) as usize).min(frame::MAX);
            length.saturating_sub(received.len()).max(ROOM)
        }
        None => ROOM,
    }
}

fn resize(Size { rows, columns }: Size) -> Vec<u8> {
    let ([a, b], [c, d]) = (rows.to_le_bytes(), columns.to_le_bytes());
    frame::encode(RESIZE, &[a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_present_size_comes_after_those_of_earlier_output() {
        let wide = |columns| Size { rows: 24, columns };
        let hub = Hub::default();
        let (viewer, notices) = hub.join(Some(wide(100)));
        let place = Place { hub: &hub, viewer };
        hub.resizes(viewer, wide(100));
        let (sender, mut frames) = mpsc::channel(16);
        let resizes = VecDeque::from([(2, wide(81)), (4, wide(82))]);
        let mut shown = Shown { next: 0, size: wide(80), resizes, has_keyboard: None, sender: &sender, has_end: false };
        // Nothing is put out after that.
        let output = frame::encode(OUTPUT, b"abcd");
        shown.show(output.as_slice(), notices, &place).await.unwrap();
        let told = std::iter::from_fn(|| frames.try_recv().ok()).map(|it| (it[0], it.slice(frame::HEAD..)));
        let size = |columns| (SIZE, Bytes::from(serde_json::to_vec(&wide(columns)).unwrap()));
        let part = |bytes: &'static [u8]| (OUTPUT, Bytes::from_static(bytes));
        let keyboard = (KEYBOARD, Bytes::from_static(&[1]));
        let expected = [keyboard, part(b"ab"), size(81), part(b"cd"), size(82), size(100)];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }
}
