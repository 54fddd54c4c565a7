//! An engine as llama.cpp's server is to those that ask it, whose answers a test gives piece by piece.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http_body_util::BodyExt;
use mesh_agent::{Upstream, UpstreamKind};
use serde_json::{Value, json};
use testkit::PATIENCE;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

pub(crate) const API_KEY: &str = "the-engine's-key";

pub(crate) struct Engine {
    pub(crate) url: Url,
    state: Arc<Inner>,
    asked: mpsc::Receiver<Asked>,
    _stopped: DropGuard,
}

struct Inner {
    models: Mutex<Vec<&'static str>>,
    /// Of the owner's own requests.
    busy: Mutex<bool>,
    asked: mpsc::Sender<Asked>,
}

/// A request that waits for its answer.
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    answer: oneshot::Sender<Response>,
}

/// An answer that is under way.
pub(crate) struct Answering(mpsc::Sender<Result<Bytes, std::io::Error>>);

// === impl Engine ===

impl Engine {
    pub(crate) async fn start(models: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let (sender, asked) = mpsc::channel(16);
        let state = Arc::new(Inner { models: Mutex::new(models.to_vec()), busy: Mutex::new(false), asked: sender });
        let router = Router::new()
            .route("/v1/models", get(list))
            .route("/slots", get(slots))
            .fallback(complete)
            .with_state(state.clone());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, router) => served.unwrap(),
                () = stopped.cancelled() => {}
            }
        });
        Self { url, state, asked, _stopped: stop.drop_guard() }
    }

    pub(crate) fn upstream(&self) -> Upstream {
        Upstream { kind: UpstreamKind::LlamaCpp, url: self.url.clone(), api_key: Some(API_KEY.into()) }
    }

    pub(crate) fn set_models(&self, models: &[&'static str]) {
        *self.state.models.lock().unwrap() = models.to_vec();
    }

    /// Whether its owner uses it, past the mesh agent.
    pub(crate) fn set_busy(&self, busy: bool) {
        *self.state.busy.lock().unwrap() = busy;
    }

    /// The next request that arrives.
    pub(crate) async fn asked(&mut self) -> Asked {
        timeout(PATIENCE, self.asked.recv()).await.expect("the engine is asked").unwrap()
    }
}

// === impl Asked ===

impl Asked {
    pub(crate) fn answer(self, status: StatusCode, content_type: &str, body: impl Into<Body>) {
        let answered = self.answer.send((status, [("content-type", content_type)], body.into()).into_response());
        answered.expect("somebody waits for it");
    }

    /// Begins a stream.
    pub(crate) fn stream(self) -> Answering {
        let (sender, receiver) = mpsc::channel(1);
        let pieces =
            futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        self.answer(StatusCode::OK, "text/event-stream", Body::from_stream(pieces));
        Answering(sender)
    }

    /// Until nobody waits for it any more.
    pub(crate) async fn hung_up(mut self) {
        timeout(PATIENCE, self.answer.closed()).await.expect("nobody waits for it");
    }
}

// === impl Answering ===

impl Answering {
    pub(crate) async fn say(&self, payload: &Value) {
        self.say_bytes(format!("data: {payload}\n\n")).await;
    }

    pub(crate) async fn say_bytes(&self, bytes: impl Into<Bytes>) {
        timeout(PATIENCE, self.0.send(Ok(bytes.into()))).await.unwrap().expect("somebody listens");
    }

    /// Breaks off in the middle.
    pub(crate) async fn fail(self) {
        self.0.send(Err(std::io::Error::other("out of memory"))).await.unwrap();
    }

    /// Until nobody listens any more.
    pub(crate) async fn hung_up(self) {
        timeout(PATIENCE, self.0.closed()).await.expect("nobody listens");
    }
}

async fn list(State(state): State<Arc<Inner>>, headers: HeaderMap) -> Response {
    if headers.get("authorization").is_none_or(|value| value != format!("Bearer {API_KEY}").as_str()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let models = state.models.lock().unwrap().clone();
    let models = models.iter().map(|name| json!({ "id": name, "object": "model" })).collect::<Vec<_>>();
    axum::Json(json!({ "object": "list", "data": models })).into_response()
}

async fn slots(State(state): State<Arc<Inner>>) -> axum::Json<Value> {
    let busy = *state.busy.lock().unwrap();
    axum::Json(json!([
        { "id": 0, "n_ctx": 4096, "is_processing": busy },
        { "id": 1, "n_ctx": 4096, "is_processing": false }
    ]))
}

async fn complete(State(state): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (answer, answered) = oneshot::channel();
    let body = body.collect().await.unwrap().to_bytes();
    let asked = Asked { path: parts.uri.path().into(), headers: parts.headers, body, answer };
    state.asked.send(asked).await.unwrap_or_else(|_| panic!("the test has ended"));
    answered.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}
