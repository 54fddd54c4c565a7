//! Streams whose machine breaks off, and which another one takes up where it ended: it is given what was said as the beginning of
//! its own answer.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::header;
use axum::response::Response;
use domain::mesh::meter::Dialect;
use domain::mesh::sse::{self, Frames};
use futures_util::StreamExt;
use ids::MeshNodeId;
use serde_json::{Map, Value, json};

use super::Asker;
use super::relay::{AnsweredBy, BROKE_OFF};
use super::request::ModelRequest;
use super::serve::{is_stream, serve};
use crate::mesh::Parts;

/// Machines that may break off, one after the other.
const TIMES: u32 = 2;
/// How who reads the stream is told.
const TOLD: &[u8] = b": the machine broke off; another one goes on from here\n\n";
/// With these an answer is not text alone, or has a form that does not begin in its middle.
const NOT_WITH: [&str; 6] = ["tools", "functions", "response_format", "grammar", "logprobs", "json_schema"];

/// A stream of chat completions that goes on elsewhere where its machine breaks off. Any other answer is left as it is.
pub(super) fn over(
    response: Response,
    parts: Arc<Parts>,
    asker: Arc<Asker>,
    dialect: Dialect,
    request: ModelRequest,
) -> Response {
    let streams = response.headers().get(header::CONTENT_TYPE).is_some_and(is_stream);
    if !streams || dialect != Dialect::ChatCompletions {
        return response;
    }
    let nodes = answered_by(&response).into_iter().collect();
    let (head, body) = response.into_parts();
    let continued = Continued {
        parts,
        asker,
        request,
        said: String::new(),
        pieces: 0,
        left: TIMES,
        nodes,
        stream: body.into_data_stream(),
        frames: Frames::new(),
        is_again: false,
    };
    Response::from_parts(head, Body::from_stream(futures_util::stream::unfold(Some(continued), Continued::next)))
}

fn answered_by(response: &Response) -> Option<MeshNodeId> {
    response.extensions().get::<AnsweredBy>().map(|AnsweredBy(node)| node.clone())
}

/// What was asked, where its answer can be taken up: one text.
fn asked(body: &Bytes) -> Option<Map<String, Value>> {
    let Ok(Value::Object(asked)) = serde_json::from_slice(body) else { return None };
    let has = |name: &str| asked.get(name).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)));
    let is_one = asked.get("n").is_none_or(|n| n == 1) && asked.get("messages").is_some_and(Value::is_array);
    (is_one && !NOT_WITH.iter().any(|name| has(name))).then_some(asked)
}

struct Continued {
    parts: Arc<Parts>,
    asker: Arc<Asker>,
    request: ModelRequest,
    /// By all machines so far.
    said: String,
    /// Frames in which that came: it has no fewer tokens.
    pieces: u64,
    left: u32,
    /// Those that broke off, and the one that answers now.
    nodes: Vec<MeshNodeId>,
    stream: BodyDataStream,
    frames: Frames,
    /// Whether another machine has just begun, which says once more who speaks.
    is_again: bool,
}

/// What a frame is to who takes up where it ends.
enum Look {
    Text(String),
    /// Says that an assistant speaks, and nothing else.
    Role,
    BrokeOff,
    Other,
}

// === impl Continued ===

impl Continued {
    async fn next(this: Option<Self>) -> Option<(Result<Bytes, Infallible>, Option<Self>)> {
        let mut this = this?;
        loop {
            if let Some(frame) = this.frames.pop() {
                if let Some(passed) = this.pass(frame).await {
                    return Some((Ok(passed), Some(this)));
                }
                continue;
            }
            match this.stream.next().await {
                Some(Ok(data)) => this.frames.push(&data),
                Some(Err(_)) | None => {
                    let rest = std::mem::take(&mut this.frames).finish();
                    return (!rest.is_empty()).then_some((Ok(rest.into()), None));
                }
            }
        }
    }

    /// What is passed on for a frame.
    async fn pass(&mut self, frame: Vec<u8>) -> Option<Bytes> {
        match look(&frame) {
            Look::Text(text) => {
                self.said.push_str(&text);
                self.pieces += 1;
                self.is_again = false;
            }
            Look::Role if self.is_again => return None,
            Look::BrokeOff if self.take_up().await => return Some(Bytes::from_static(TOLD)),
            Look::Role | Look::BrokeOff | Look::Other => {}
        }
        Some(frame.into())
    }

    /// Asks another machine for the rest; whether one answers.
    async fn take_up(&mut self) -> bool {
        let Some(left) = self.left.checked_sub(1).filter(|_| !self.said.is_empty()) else { return false };
        self.left = left;
        let Some(body) = self.rest() else { return false };
        let Ok(mut request) = ModelRequest::read(Dialect::ChatCompletions, body).await else { return false };
        request.not_at.clone_from(&self.nodes);
        // What is sent on asks for usage also where the program did not.
        request.wants_usage = self.request.wants_usage;
        match Box::pin(serve(&self.parts, &self.asker, Dialect::ChatCompletions, &request)).await {
            Ok(response) if response.headers().get(header::CONTENT_TYPE).is_some_and(is_stream) => {
                self.nodes.extend(answered_by(&response));
                self.stream = response.into_body().into_data_stream();
                self.frames = Frames::new();
                self.is_again = true;
                true
            }
            _ => false,
        }
    }

    /// What is still to be said, where anything is.
    fn rest(&self) -> Option<Bytes> {
        let mut asked = asked(&self.request.body)?;
        asked.get_mut("messages")?.as_array_mut()?.push(json!({ "role": "assistant", "content": self.said }));
        for bound in ["max_tokens", "max_completion_tokens"] {
            if let Some(most) = asked.get(bound).and_then(Value::as_u64) {
                asked.insert(bound.to_owned(), most.checked_sub(self.pieces).filter(|left| *left > 0)?.into());
            }
        }
        serde_json::to_vec(&asked).ok().map(Bytes::from)
    }
}

fn look(frame: &[u8]) -> Look {
    let Some(data) = sse::data(frame) else { return Look::Other };
    let Ok(value) = serde_json::from_slice::<Value>(&data) else { return Look::Other };
    if value["error"]["code"] == BROKE_OFF {
        return Look::BrokeOff;
    }
    let choice = &value["choices"][0];
    match choice["delta"]["content"].as_str() {
        Some(text) if !text.is_empty() => Look::Text(text.to_owned()),
        _ if choice["delta"]["role"].is_string() && choice["finish_reason"].is_null() => Look::Role,
        _ => Look::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn can_be_taken_up(body: &Value) -> bool {
        asked(&Bytes::from(body.to_string())).is_some()
    }

    #[test]
    fn one_text_can_be_taken_up() {
        let asked = |further: Value| {
            let mut body = json!({ "model": "m", "messages": [], "stream": true });
            body.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
            can_be_taken_up(&body)
        };
        assert!(asked(json!({})) && asked(json!({ "n": 1, "logprobs": false, "tools": null, "stop": ["x"] })));
        assert!(!asked(json!({ "n": 2 })) && !asked(json!({ "tools": [] })) && !asked(json!({ "logprobs": true })));
        assert!(!asked(json!({ "response_format": { "type": "json_object" } })));
        assert!(!can_be_taken_up(&json!({ "model": "m", "prompt": "x" })));
    }

    #[test]
    fn frames_are_told_apart() {
        let of = |delta: Value| look(format!("data: {}\n\n", json!({ "choices": [{ "delta": delta }] })).as_bytes());
        assert!(matches!(of(json!({ "content": "a" })), Look::Text(text) if text == "a"));
        assert!(matches!(of(json!({ "role": "assistant", "content": null })), Look::Role));
        assert!(matches!(of(json!({ "tool_calls": [] })), Look::Other));
        assert!(matches!(look(b": waiting\n\n"), Look::Other));
        assert!(matches!(look(b"data: [DONE]\n\n"), Look::Other));
        let broke_off = format!("data: {}\n\n", json!({ "error": { "code": BROKE_OFF } }));
        assert!(matches!(look(broke_off.as_bytes()), Look::BrokeOff));
    }
}
