//! How lines of a node's log are given out: as JSON lines or as server-sent events, to go on after any of them.

use std::convert::Infallible;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use wire::LogRecord;

use crate::error::{Error, Result};
use crate::platform::nodes::Lines;
use crate::rfc3339;

/// Lines on their way to a slow browser.
pub(crate) const LINES: usize = 256;
/// A position names every process that may still write.
const POSITION_MAX: usize = 16 * 1024;

pub(crate) fn shown(record: LogRecord) -> api::LogLine {
    api::LogLine {
        id: record.id,
        process: record.workload.process_name().map(str::to_owned),
        deployment_id: record.workload.base().to_owned(),
        time: rfc3339(record.at_ms),
        stream: record.stream,
        text: record.text,
    }
}

pub(crate) fn to_sse(record: LogRecord) -> Event {
    let id = record.id.clone();
    Event::default().id(id).data(serde_json::to_string(&shown(record)).unwrap_or_default())
}

/// Everything there is as JSON lines, one [`api::LogLine`] each.
pub(crate) fn json_lines(lines: Lines<LogRecord>) -> Response {
    let stream = stream::unfold(lines, |mut lines| async {
        let record = lines.next().await.transpose()?;
        let line = record.map(|record| {
            let mut line = serde_json::to_vec(&shown(record)).unwrap_or_default();
            line.push(b'\n');
            line
        });
        Some((line.map_err(|error| std::io::Error::other(error.to_string())), lines))
    });
    let mut response = Body::from_stream(stream).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

/// What is received, until `end`.
pub(crate) fn sse(received: mpsc::Receiver<Event>, end: impl Future<Output = ()> + Send + 'static) -> Response {
    let stream = tokio_stream::wrappers::ReceiverStream::new(received).map(Ok::<_, Infallible>);
    Sse::new(stream.take_until(end)).keep_alive(KeepAlive::default()).into_response()
}

/// Sends what comes until one of both sides has gone.
pub(crate) async fn forward(mut lines: Lines<LogRecord>, send: &mpsc::Sender<Event>) {
    loop {
        tokio::select! {
            line = lines.next() => match line {
                Ok(Some(record)) => {
                    if send.send(to_sse(record)).await.is_err() {
                        return;
                    }
                }
                Ok(None) | Err(_) => return,
            },
            () = send.closed() => return,
        }
    }
}

/// Where to go on: the id of a line, as an earlier answer had it.
pub(crate) fn resume(headers: &HeaderMap, after: Option<String>) -> Result<Option<String>> {
    let after = headers.get("last-event-id").and_then(|id| Some(id.to_str().ok()?.to_owned())).or(after);
    after.filter(|id| !id.is_empty()).map(|id| position("after", id)).transpose()
}

/// A text that could be a position; a node reads more of it.
pub(crate) fn position(field: &str, text: String) -> Result<String> {
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    if text.len() <= POSITION_MAX && text.bytes().all(sign) {
        return Ok(text);
    }
    Err(Error::invalid(field, "INVALID_CURSOR", "pass the `id` of a line, or a cursor, of an earlier answer"))
}
