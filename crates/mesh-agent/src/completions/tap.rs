//! Counts what passes, and changes nothing of it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use domain::mesh::meter::{Dialect, Meter};
use domain::mesh::sse::Frames;
use http_body::{Body, Frame, SizeHint};
use hyper::Response;
use hyper::header::CONTENT_TYPE;

use super::Running;
use crate::offer::Claim;
use crate::upstream::Answer;

/// Bytes of an answer that is not streamed, up to which it is metered: its usage stands at its end.
const BODY_MAX: usize = 32 << 20;

/// The body of an answer on its way to the coordinator. Dropped, it takes the connection to the engine with it.
pub(crate) struct Tap {
    answer: Answer,
    counted: Option<Counted>,
}

/// What ends with the answer.
struct Counted {
    reading: Reading,
    running: Running,
    _claim: Claim,
}

enum Reading {
    Frames(Frames, Meter),
    Whole(Vec<u8>, Meter),
    /// A failure uses nothing, and what is too long for us is not read.
    Nothing,
}

// === impl Tap ===

impl Tap {
    pub(crate) fn new(response: Response<Answer>, dialect: Dialect, running: Running, claim: Claim) -> Response<Self> {
        let content_type =
            response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let is_stream = content_type.trim_start().to_ascii_lowercase().starts_with("text/event-stream");
        let reading = match response.status().is_success() {
            false => Reading::Nothing,
            true if is_stream => Reading::Frames(Frames::new(), Meter::new(dialect, true)),
            true => Reading::Whole(Vec::new(), Meter::new(dialect, false)),
        };
        response.map(|answer| Self { answer, counted: Some(Counted { reading, running, _claim: claim }) })
    }

    /// Before the last of it leaves: who has got that may ask at once what was used.
    fn end(&mut self) {
        if let Some(mut counted) = self.counted.take() {
            counted.end();
        }
    }
}

impl Body for Tap {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.answer).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(counted), Some(bytes)) = (&mut self.counted, frame.data_ref()) {
                    counted.read(bytes);
                }
                if self.answer.is_end_stream() {
                    self.end();
                }
            }
            Poll::Ready(_) => self.end(),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}

// === impl Counted ===

impl Counted {
    fn read(&mut self, bytes: &[u8]) {
        match &mut self.reading {
            Reading::Frames(frames, meter) => {
                frames.push(bytes);
                while let Some(frame) = frames.pop() {
                    meter.frame(&frame);
                }
                self.running.note(meter.usage());
            }
            Reading::Whole(body, _) if body.len() + bytes.len() <= BODY_MAX => body.extend_from_slice(bytes),
            Reading::Whole(..) => self.reading = Reading::Nothing,
            Reading::Nothing => {}
        }
    }

    fn end(&mut self) {
        match std::mem::replace(&mut self.reading, Reading::Nothing) {
            Reading::Frames(frames, mut meter) => {
                meter.frame(&frames.finish());
                self.running.note(meter.usage());
            }
            Reading::Whole(body, mut meter) => {
                meter.body(&body);
                self.running.note(meter.usage());
            }
            Reading::Nothing => {}
        }
    }
}
