//! Somebody looks at a terminal: a WebSocket of theirs on one side, frames of its node on the other.
//!
//! What is typed and what is put out go their own ways, so that neither waits for the other. Who does not say that
//! output was seen is sent no more after a while, and their node reads no more for them; what they type still passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::{Bytes, BytesMut};
use domain::workspace::Workspace;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, Stream, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ids::TerminalId;
use tokio::sync::{Notify, mpsc};
use wire::attach::{self, Attached, Size};
use wire::shim::{Exit, frame};

use super::Workspaces;
use super::frames::Frames;
use super::terminals::no_terminal;
use crate::error::{Error, Result};

/// Output on its way to somebody who has not said that it was seen.
const WINDOW: u64 = 512 << 10;
/// Typed bytes on their way to a process that does not read. Its own output is taken all the same.
const TYPED_MAX: usize = 4 << 20;
/// The largest message that a viewer may send.
pub(super) const MESSAGE_MAX: usize = 1 << 20;
/// Each connection has so much for itself all the time, and what comes is mostly keys.
pub(super) const READ_BUFFER: usize = 2 << 10;
/// A connection over which nothing comes is asked for a sign of life, and is over when there is none.
pub(super) const PING: Duration = Duration::from_secs(30);
pub(super) const SILENCE: Duration = Duration::from_secs(90);
/// For the last words to somebody who may take nothing.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);
/// Answers that wait for somebody who takes nothing; more pings than that go unanswered.
const ANSWERS: usize = 64;

/// How a connection ends: what is said, and the code (RFC 6455 section 7.4).
struct End {
    code: u16,
    notice: Option<api::TerminalNotice>,
}

/// What both ways know of each other.
#[derive(Default)]
struct Shared {
    /// Output up to here was seen.
    seen: AtomicU64,
    seen_more: Notify,
}

impl Workspaces {
    /// Serves one viewer until either side has enough, the process ends, the viewer's right `ended` or the server stops.
    pub(super) async fn serve_viewer(
        &self,
        socket: WebSocket,
        workspace: Workspace,
        terminal: TerminalId,
        query: attach::Query,
        ended: impl Future<Output = Error>,
    ) {
        let (mut sink, stream) = socket.split();
        let end = tokio::select! {
            end = self.view(&mut sink, stream, &workspace, &terminal, query) => end,
            why = ended => failed(close_code::POLICY, &why),
            () = self.closing.cancelled() => End { code: close_code::RESTART, notice: None },
        };
        let farewell = async {
            if let Some(notice) = &end.notice {
                sink.send(text(notice)).await?;
            }
            sink.send(Message::Close(Some(CloseFrame { code: end.code, reason: "".into() }))).await
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }

    async fn view(
        &self,
        sink: &mut SplitSink<WebSocket, Message>,
        stream: SplitStream<WebSocket>,
        workspace: &Workspace,
        terminal: &TerminalId,
        query: attach::Query,
    ) -> End {
        let watches = query.watch;
        let (typed, typing) = typing();
        let mut output = match self.attach(workspace, terminal, &query, typing).await {
            Ok(output) => output,
            Err(error) => return failed(code_for(&error), &error),
        };
        let (answer, answers) = mpsc::channel(ANSWERS);
        let shared = Shared::default();
        let end = tokio::select! {
            end = listen(stream, &typed, watches, answer, &shared) => end,
            end = show(sink, &mut output, answers, &shared) => end,
        };
        // What was typed before they left arrives: the node hangs up when it has taken the last of it.
        drop(typed);
        let hangs_up = async { while let Some(Ok(_)) = output.frame().await {} };
        let _ = tokio::time::timeout(FAREWELL, hangs_up).await;
        end
    }

    pub(super) async fn attach(
        &self,
        workspace: &Workspace,
        terminal: &TerminalId,
        query: &attach::Query,
        typing: impl Stream<Item = Bytes> + Send + Sync + 'static,
    ) -> Result<Incoming> {
        let query = serde_urlencoded::to_string(query).map_err(Error::internal)?;
        let path = format!("/v1/workspaces/{}/terminals/{terminal}/attach?{query}", workspace.id);
        let link = self.nodes.link(&workspace.node_id).await?;
        Ok(link.attach(&path, typing).await.map_err(no_terminal)?.into_body())
    }
}

/// Takes what is typed, as frames, for whoever reads it when they can.
#[derive(Clone)]
pub(super) struct Typed {
    frames: mpsc::UnboundedSender<Bytes>,
    waiting: Arc<AtomicUsize>,
}

pub(super) fn typing() -> (Typed, impl Stream<Item = Bytes> + Send + Sync + 'static) {
    let (frames, mut taken) = mpsc::unbounded_channel::<Bytes>();
    let waiting = Arc::new(AtomicUsize::new(0));
    let left = waiting.clone();
    let stream = futures_util::stream::poll_fn(move |context| {
        let frame = taken.poll_recv(context);
        if let std::task::Poll::Ready(Some(frame)) = &frame {
            left.fetch_sub(frame.len(), Ordering::Relaxed);
        }
        frame
    });
    (Typed { frames, waiting }, stream)
}

impl Typed {
    /// Whether there was room.
    pub(super) fn send(&self, kind: u8, payload: &[u8]) -> bool {
        let mut has_room = true;
        for part in payload.chunks(frame::MAX) {
            let frame = Bytes::from(frame::encode(kind, part));
            has_room = self.waiting.fetch_add(frame.len(), Ordering::Relaxed) + frame.len() <= TYPED_MAX;
            // Nobody takes it when the node has gone, which the other way notices.
            let _ = self.frames.send(frame);
        }
        has_room
    }
}

/// What a viewer sends, until they go or send what cannot be.
async fn listen(
    mut stream: SplitStream<WebSocket>,
    typed: &Typed,
    watches: bool,
    answer: mpsc::Sender<api::TerminalNotice>,
    shared: &Shared,
) -> End {
    let gone = End { code: close_code::NORMAL, notice: None };
    loop {
        let message = match tokio::time::timeout(SILENCE, stream.next()).await {
            Ok(Some(Ok(message))) => message,
            _ => return gone,
        };
        let has_room = match message {
            Message::Binary(bytes) if !watches => typed.send(attach::INPUT, &bytes),
            Message::Text(request) => match serde_json::from_str(&request) {
                Ok(api::TerminalRequest::Resize { rows, columns }) => watches || resize(typed, rows, columns),
                Ok(api::TerminalRequest::Ack { offset }) => {
                    shared.seen.fetch_max(offset, Ordering::Relaxed);
                    shared.seen_more.notify_one();
                    true
                }
                Ok(api::TerminalRequest::Ping { id }) => {
                    let _ = answer.try_send(api::TerminalNotice::Pong { id });
                    true
                }
                Err(error) => {
                    let error = Error::malformed(None, format!("the message is not understood: {error}"));
                    return failed(close_code::UNSUPPORTED, &error);
                }
            },
            Message::Close(_) => return gone,
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => true,
        };
        if !has_room {
            return failed(close_code::AGAIN, &typed_too_much());
        }
    }
}

/// A size that no terminal has changes nothing.
pub(super) fn resize(typed: &Typed, rows: u16, columns: u16) -> bool {
    if super::terminals::side("rows", rows).and(super::terminals::side("columns", columns)).is_err() {
        return true;
    }
    let ([a, b], [c, d]) = (rows.to_le_bytes(), columns.to_le_bytes());
    typed.send(attach::RESIZE, &[a, b, c, d])
}

/// What is put out, until that ends or the viewer takes no more.
async fn show(
    sink: &mut SplitSink<WebSocket, Message>,
    output: &mut Incoming,
    mut answers: mpsc::Receiver<api::TerminalNotice>,
    shared: &Shared,
) -> End {
    let mut frames = Frames::default();
    let mut sent = Sent::default();
    let mut ping = tokio::time::interval(PING);
    ping.reset();
    loop {
        let may_send = sent.until.saturating_sub(shared.seen.load(Ordering::Relaxed)) <= WINDOW;
        let message = tokio::select! {
            biased;
            Some(pong) = answers.recv() => text(&pong),
            _ = ping.tick() => Message::Ping(Bytes::new()),
            () = shared.seen_more.notified(), if !may_send => continue,
            taken = next(&mut frames, output), if may_send => match taken {
                Ok(Some((kind, payload))) => match read(kind, payload, &mut sent, shared) {
                    Ok(Shown::Message(message)) => message,
                    Ok(Shown::Nothing) => continue,
                    Ok(Shown::End(notice)) => return End { code: close_code::NORMAL, notice: Some(notice) },
                    Err(error) => return failed(close_code::ERROR, &error),
                },
                Ok(None) | Err(_) => return failed(close_code::AGAIN, &cut()),
            },
        };
        if sink.send(message).await.is_err() {
            return End { code: close_code::NORMAL, notice: None };
        }
    }
}

/// Loses nothing when it is given up half way.
pub(super) async fn next(frames: &mut Frames, output: &mut Incoming) -> Result<Option<(u8, Bytes)>> {
    loop {
        if let Some(frame) = frames.take()? {
            return Ok(Some(frame));
        }
        match output.frame().await {
            None => return Ok(None),
            Some(part) => {
                if let Ok(data) = part.map_err(Error::internal)?.into_data() {
                    frames.push(data);
                }
            }
        }
    }
}

enum Shown {
    Message(Message),
    Nothing,
    End(api::TerminalNotice),
}

/// What a viewer has been sent.
#[derive(Default)]
struct Sent {
    /// Where that output ends.
    until: u64,
    /// The parts of a snapshot that came until now.
    snapshot: BytesMut,
}

/// What a frame is to a viewer.
fn read(kind: u8, payload: Bytes, sent: &mut Sent, shared: &Shared) -> Result<Shown> {
    let notice = match kind {
        attach::OUTPUT => {
            sent.until += payload.len() as u64;
            return Ok(Shown::Message(Message::Binary(payload)));
        }
        attach::SNAPSHOT if payload.is_empty() => {
            return Ok(Shown::Message(Message::Binary(sent.snapshot.split().freeze())));
        }
        attach::SNAPSHOT => {
            sent.snapshot.extend_from_slice(&payload);
            return Ok(Shown::Nothing);
        }
        attach::ATTACHED => {
            let Attached { from, end, start, snapshot, size } = parse(&payload)?;
            sent.until = from;
            // What is not sent need not be seen.
            shared.seen.fetch_max(from, Ordering::Relaxed);
            api::TerminalNotice::Attached { from, end, start, snapshot, rows: size.rows, columns: size.columns }
        }
        attach::SIZE => {
            let Size { rows, columns } = parse(&payload)?;
            api::TerminalNotice::Size { rows, columns }
        }
        attach::KEYBOARD => api::TerminalNotice::Keyboard { yours: *payload == [1] },
        attach::NAME => api::TerminalNotice::Renamed { name: String::from_utf8_lossy(&payload).into_owned() },
        attach::EXIT => {
            let Exit { code, signal, .. } = parse(&payload)?;
            return Ok(Shown::End(api::TerminalNotice::Exit { code, signal }));
        }
        // Of a later version.
        _ => return Ok(Shown::Nothing),
    };
    Ok(Shown::Message(text(&notice)))
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(payload: &[u8]) -> Result<T> {
    serde_json::from_slice(payload).map_err(Error::internal)
}

fn text(notice: &api::TerminalNotice) -> Message {
    Message::Text(serde_json::to_string(notice).unwrap_or_default().into())
}

fn failed(code: u16, error: &Error) -> End {
    let (name, message) = error.told();
    End { code, notice: Some(api::TerminalNotice::Error { error: name.into(), message: message.into() }) }
}

/// Whether it is worth to come again soon.
fn code_for(error: &Error) -> u16 {
    if error.is_passing() { close_code::AGAIN } else { close_code::POLICY }
}

pub(super) fn typed_too_much() -> Error {
    let message = "too much was typed that the program does not read; connect again when it does";
    Error::unavailable("TYPED_TOO_MUCH", message)
}

pub(super) fn cut() -> Error {
    Error::unavailable("NODE_OFFLINE", "the way to its server was cut; the terminal goes on there, connect again")
}
