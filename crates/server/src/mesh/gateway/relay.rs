//! An answer on its way from a mesh agent to who asked: passed on as it comes, and counted.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use domain::mesh::meter::{Dialect, Frame, Meter, Usage, UsageSource};
use domain::mesh::prefix::Prefix;
use domain::mesh::sse::Frames;
use http_body_util::BodyExt;
use ids::{CompletionState, MeshNodeId};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::dialect::Told;
use super::request::ModelRequest;
use super::serve::{REQUEST_ID, is_stream, most, whole};
use crate::mesh::Parts;
use crate::mesh::agents::{AnswerBody, MeshAgents, Place, Reachable, Timing};
use crate::mesh::completions::Open;

/// A machine that says nothing for so long says no more.
const STALL: Duration = Duration::from_secs(300);
/// Pieces of an answer that nobody has taken yet.
const UNREAD: usize = 8;
/// What is said where a machine breaks off.
pub(super) const BROKE_OFF: &str = "machine_broke_off";
/// Proxies shall not collect what streams.
pub(super) const NO_BUFFER: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The machine whose answer a response is.
#[derive(Debug, Clone)]
pub(super) struct AnsweredBy(pub(super) MeshNodeId);

pub(super) struct Relay<'a> {
    pub(super) parts: &'a Parts,
    pub(super) dialect: Dialect,
    pub(super) request: &'a ModelRequest,
    pub(super) open: Open,
    pub(super) place: Place,
    pub(super) at: &'a Reachable,
}

impl Relay<'_> {
    /// `None` where the machine turned out to have no answer, and another one may be asked.
    pub(super) async fn answer(self, answer: hyper::Response<AnswerBody>) -> Option<Response> {
        let (head, body) = answer.into_parts();
        let content_type = head.headers.get(header::CONTENT_TYPE).cloned();
        let is_stream = content_type.as_ref().is_some_and(is_stream);
        let id = HeaderValue::from_str(self.open.id().as_str()).ok();
        let counting = Counting {
            agents: self.parts.agents.clone(),
            node: self.at.candidate.node_id.clone(),
            model: self.request.model.clone(),
            prefix: self.request.prefix.clone(),
            prompt_tokens: self.request.prompt_tokens,
            most: most(self.request, self.at),
            meter: Meter::new(self.dialect, is_stream),
            is_stream,
            is_undisturbed: self.at.candidate.loaded && self.at.candidate.busy == 0,
            open: self.open,
            _place: self.place,
        };
        let body = if is_stream {
            let strips = !self.request.wants_usage;
            let stream =
                Stream { body, frames: Frames::new(), counting: Some(counting), strips, dialect: self.dialect };
            Body::from_stream(stream.pumped())
        } else {
            counting.whole(body).await?.into()
        };
        let mut response = Response::new(body);
        response.extensions_mut().insert(AnsweredBy(self.at.candidate.node_id.clone()));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/json")));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(NO_BUFFER, HeaderValue::from_static("no"));
        headers.extend(id.map(|id| (REQUEST_ID, id)));
        Some(response)
    }
}

/// What is known of an answer so far. Dropped before its end, it is settled for that.
struct Counting {
    agents: MeshAgents,
    node: MeshNodeId,
    model: String,
    prefix: Prefix,
    prompt_tokens: u64,
    /// Nobody pays for more, whatever a machine says.
    most: (u64, u64),
    meter: Meter,
    is_stream: bool,
    /// Whether the machine had the model in memory and nothing else to do.
    is_undisturbed: bool,
    open: Open,
    _place: Place,
}

impl Counting {
    fn frame(&mut self, frame: &[u8]) -> Frame {
        let kind = self.meter.frame(frame);
        if self.meter.has_output() {
            self.open.produced(self.usage());
        }
        kind
    }

    /// As the engine says, or as it was estimated where that did not get to say anything.
    fn usage(&self) -> Usage {
        let usage = self.meter.usage();
        let input = match (usage.input_tokens, usage.source) {
            (0, UsageSource::Counted) => self.prompt_tokens,
            (input, _) => input,
        };
        let (most_input, most_output) = self.most;
        Usage { input_tokens: input.min(most_input), output_tokens: usage.output_tokens.min(most_output), ..usage }
    }

    fn done(self) {
        let usage = self.usage();
        // An answer that comes as a whole does not tell reading from writing.
        let first = self.open.first_byte().filter(|_| self.is_stream).unwrap_or_default();
        let timing = Timing {
            prompt_tokens: usage.input_tokens,
            input_tokens: if self.is_stream && self.is_undisturbed { usage.input_tokens } else { 0 },
            cached_tokens: self.meter.cached_tokens(),
            output_tokens: usage.output_tokens,
            until_first: first,
            writing: self.open.elapsed().saturating_sub(first),
        };
        self.agents.succeeded(&self.node, &self.model, timing, &self.prefix);
        self.open.settle(CompletionState::Done);
    }

    fn broken(self) {
        self.agents.failed(&self.node, &self.model);
        let state = if self.meter.has_output() { CompletionState::Broken } else { CompletionState::Failed };
        self.open.settle(state);
    }

    /// An answer that is not streamed: all of it or nothing.
    async fn whole(mut self, body: AnswerBody) -> Option<Bytes> {
        let read =
            tokio::time::timeout(STALL, whole(body)).await.map_err(|late| late.to_string()).and_then(|read| read);
        if let Ok(bytes) = &read {
            self.meter.body(bytes);
        }
        match read {
            Ok(bytes) if self.meter.is_complete() => {
                self.open.produced(self.usage());
                self.done();
                Some(bytes)
            }
            read => {
                let reason = read.err().unwrap_or_else(|| "it is no answer of its kind".into());
                tracing::warn!(node.id = %self.node, reason, "a mesh agent does not answer to the end");
                self.agents.failed(&self.node, &self.model);
                self.open.settle(CompletionState::Failed);
                None
            }
        }
    }
}

fn broke_off() -> Told {
    Told::new(502, BROKE_OFF, "the machine that answered broke off; ask again, and another one answers")
}

/// A streamed answer.
struct Stream {
    body: AnswerBody,
    frames: Frames,
    /// `None` when it has ended.
    counting: Option<Counting>,
    /// Whether frames that carry nothing but usage are left out.
    strips: bool,
    dialect: Dialect,
}

impl Stream {
    /// The same, also for somebody who does not read on: who takes nothing for too long is taken for gone.
    fn pumped(mut self) -> ReceiverStream<Result<Bytes, std::convert::Infallible>> {
        let (sender, receiver) = mpsc::channel(UNREAD);
        tokio::spawn(async move {
            loop {
                let passed = tokio::select! {
                    passed = self.next() => passed,
                    () = sender.closed() => return,
                };
                let Some(passed) = passed else { return };
                if sender.send_timeout(Ok(passed), STALL).await.is_err() {
                    return;
                }
            }
        });
        ReceiverStream::new(receiver)
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            self.counting.as_ref()?;
            let read = tokio::time::timeout(STALL, self.body.frame()).await;
            let passed = match read {
                Ok(Some(Ok(frame))) => frame.into_data().map(|data| self.pass(&data)).unwrap_or_default(),
                Ok(None) => self.end(),
                Ok(Some(Err(_))) | Err(_) => self.break_off(),
            };
            if !passed.is_empty() {
                return Some(passed.into());
            }
        }
    }

    /// The frames that are whole now.
    fn pass(&mut self, data: &[u8]) -> Vec<u8> {
        let Some(counting) = &mut self.counting else { return Vec::new() };
        let mut passed = Vec::with_capacity(data.len());
        self.frames.push(data);
        while let Some(frame) = self.frames.pop() {
            if counting.frame(&frame) != Frame::OnlyUsage || !self.strips {
                passed.extend_from_slice(&frame);
            }
        }
        passed
    }

    fn end(&mut self) -> Vec<u8> {
        // The last frame may lack the line that ends it.
        let mut rest = std::mem::take(&mut self.frames).finish();
        if let Some(counting) = &mut self.counting
            && counting.frame(&rest) == Frame::OnlyUsage
            && self.strips
        {
            rest.clear();
        }
        rest.extend(self.break_off());
        rest
    }

    /// Says within the stream that nothing more comes, unless it had come to its own end.
    fn break_off(&mut self) -> Vec<u8> {
        if let Some(counting) = self.counting.take_if(|counting| counting.meter.is_complete()) {
            counting.done();
            return Vec::new();
        }
        if let Some(counting) = self.counting.take() {
            tracing::warn!(node.id = %counting.node, "a mesh agent breaks off in the middle of an answer");
            counting.broken();
        }
        broke_off().frame(self.dialect).into_bytes()
    }
}
