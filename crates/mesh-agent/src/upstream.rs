//! The engines of this machine: which models they serve, and the way to them.

mod connection;
mod llama_cpp;
mod ollama;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;
use url::{Position, Url};

use crate::config::{Upstream, UpstreamKind};
use crate::offer::Offer;
pub(crate) use connection::Answer;
use connection::Peer;

/// Until an upstream is asked again which models it serves. llama.cpp looks whether somebody still waits for an answer only when
/// it was asked nothing for a second.
const EVERY: Duration = Duration::from_millis(2500);
/// For each round of questions.
const PATIENCE: Duration = Duration::from_secs(3);
/// One that does not answer so often in a row is away. One that works hard may be late; one that refuses is away at once.
const LATE_MAX: u32 = 3;
/// Bytes of an answer about models: with templates and the prompts that are worked at.
const ANSWER_MAX: usize = 16 << 20;

/// Why an upstream gives no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    #[error("it cannot be reached")]
    Connect(#[source] std::io::Error),
    #[error("it hung up")]
    Http(#[from] hyper::Error),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("it answers like no engine of its kind: {0}")]
    Unreadable(String),
}

/// Why an upstream cannot be used, ever.
#[derive(Debug, thiserror::Error)]
#[error("{0} is no address of an engine: it begins with http:// or https:// and a host")]
pub struct InvalidUpstream(Url);

/// One engine.
pub(crate) struct Engine {
    kind: UpstreamKind,
    url: Url,
    peer: Peer,
    authorization: Option<HeaderValue>,
}

// === impl Engine ===

impl Engine {
    pub(crate) fn new(upstream: &Upstream) -> Result<Self, InvalidUpstream> {
        let invalid = || InvalidUpstream(upstream.url.clone());
        let authorization = upstream.api_key.as_ref().map(|key| {
            let mut value = HeaderValue::try_from(format!("Bearer {key}"))?;
            value.set_sensitive(true);
            Ok::<_, hyper::header::InvalidHeaderValue>(value)
        });
        Ok(Self {
            kind: upstream.kind,
            peer: Peer::of(&upstream.url).ok_or_else(invalid)?,
            url: upstream.url.clone(),
            authorization: authorization.transpose().map_err(|_| invalid())?,
        })
    }

    /// Keeps what is offered of it up to date.
    pub(crate) async fn watch(&self, place: usize, offer: &Offer) {
        let (mut late, mut was_there) = (0, false);
        let mut ollama = ollama::Ollama::default();
        loop {
            let before = offer.before(place);
            let asked = async {
                match self.kind {
                    UpstreamKind::LlamaCpp => llama_cpp::models(self).await,
                    UpstreamKind::Ollama => ollama.models(self).await,
                }
            };
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(found)) => {
                    if !was_there {
                        tracing::info!(url = %self.url, models = found.len(), "an engine is there");
                    }
                    (late, was_there) = (0, true);
                    offer.set_found(place, found, &before);
                }
                Err(_) if late + 1 < LATE_MAX => late += 1,
                failed => {
                    let error = match failed {
                        Ok(Err(error)) => chain(&error),
                        _ => "it does not answer in time".to_owned(),
                    };
                    if was_there {
                        tracing::warn!(url = %self.url, error, "an engine is away; its models are not offered");
                    } else {
                        tracing::debug!(url = %self.url, error, "an engine is away");
                    }
                    was_there = false;
                    offer.set_found(place, Vec::new(), &before);
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Passes a completion on. Whoever drops the answer, or the future of it, hangs up.
    pub(crate) async fn complete(
        &self,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Answer>, UpstreamError> {
        let mut request = self.request(Method::POST, path, body)?;
        for name in [CONTENT_TYPE, ACCEPT] {
            if let Some(value) = headers.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        self.peer.send(request).await
    }

    /// Whether it fetches models by order.
    pub(crate) fn can_pull(&self) -> bool {
        self.kind == UpstreamKind::Ollama
    }

    /// Fetches a model. The answer is a line of JSON for each step.
    pub(crate) async fn pull(&self, model: &str) -> Result<Response<Answer>, UpstreamError> {
        let body = serde_json::json!({ "model": model, "stream": true }).to_string();
        let mut request = self.request(Method::POST, "/api/pull", body.into())?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = self.peer.send(request).await?;
        if response.status().is_success() { Ok(response) } else { Err(UpstreamError::Status(response.status())) }
    }

    async fn get(&self, target: &str) -> Result<Value, UpstreamError> {
        self.ask(self.request(Method::GET, target, Bytes::new())?).await
    }

    async fn post(&self, target: &str, body: &impl Serialize) -> Result<Value, UpstreamError> {
        let body = serde_json::to_vec(body).map_err(unreadable)?;
        let mut request = self.request(Method::POST, target, body.into())?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.ask(request).await
    }

    async fn ask(&self, request: Request<http_body_util::Full<Bytes>>) -> Result<Value, UpstreamError> {
        let response = self.peer.send(request).await?;
        if !response.status().is_success() {
            return Err(UpstreamError::Status(response.status()));
        }
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await.map_err(unreadable)?;
        serde_json::from_slice(&body.to_bytes()).map_err(unreadable)
    }

    fn request(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
    ) -> Result<Request<http_body_util::Full<Bytes>>, UpstreamError> {
        let below = self.url.path().trim_end_matches('/');
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{below}{target}"))
            .header(HOST, &self.url[Position::BeforeHost..Position::AfterPort])
            .body(http_body_util::Full::new(body))
            .map_err(unreadable)?;
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        Ok(request)
    }
}

fn unreadable(error: impl ToString) -> UpstreamError {
    UpstreamError::Unreadable(error.to_string())
}

/// An error with what it came of.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// A count in an engine's answer.
fn count(value: &Value) -> Option<u32> {
    value.as_u64().map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}
