//! The coordinator's side: the routes that a mesh agent knows, and the link.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{any, get, post};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use ids::CompletionId;
use link::tls::Acceptor;
use link::{KeyPair, PublicKey};
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::{PATIENCE, wait_some, wait_until};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;
use wire::{MESH_REQUEST_ID, MESH_TAG, MeshCompletion, MeshReport};

const AUTHORITY: &str = "mesh-agent";

pub(crate) struct Coordinator {
    pub(crate) url: Url,
    state: Arc<Inner>,
    _stopped: DropGuard,
}

struct Inner {
    key: Mutex<Arc<KeyPair>>,
    /// Why it refuses; it accepts when there is none.
    refusal: Mutex<Option<&'static str>>,
    registrations: Mutex<Vec<Value>>,
    link: Mutex<Option<Link>>,
}

struct Link {
    node: String,
    key: PublicKey,
    sender: SendRequest<Full<Bytes>>,
    open: CancellationToken,
}

// === impl Coordinator ===

impl Coordinator {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let state = Arc::new(Inner {
            key: Mutex::new(Arc::new(KeyPair::generate().unwrap())),
            refusal: Mutex::default(),
            registrations: Mutex::default(),
            link: Mutex::default(),
        });
        let router = Router::new()
            .route("/identity", get(identity))
            .route("/register", post(register))
            .route("/mesh/link", any(arrive))
            .with_state(state.clone());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, router) => served.unwrap(),
                () = stopped.cancelled() => {}
            }
        });
        Self { url, state, _stopped: stop.drop_guard() }
    }

    pub(crate) fn key(&self) -> Arc<KeyPair> {
        self.state.key.lock().unwrap().clone()
    }

    /// As after it was set up anew.
    pub(crate) fn take_another_key(&self) {
        *self.state.key.lock().unwrap() = Arc::new(KeyPair::generate().unwrap());
    }

    pub(crate) fn refuse(&self, reason: Option<&'static str>) {
        *self.state.refusal.lock().unwrap() = reason;
    }

    pub(crate) fn registrations(&self) -> Vec<Value> {
        self.state.registrations.lock().unwrap().clone()
    }

    /// Who is linked: its name, and its key.
    pub(crate) async fn linked(&self) -> (String, PublicKey) {
        wait_some("a mesh agent is linked", PATIENCE, async || {
            let link = self.state.link.lock().unwrap();
            link.as_ref().filter(|link| !link.sender.is_closed()).map(|link| (link.node.clone(), link.key))
        })
        .await
    }

    /// Hangs up on the mesh agent.
    pub(crate) async fn hang_up(&self) {
        self.linked().await;
        self.state.link.lock().unwrap().take().unwrap().open.cancel();
    }

    /// A request as the coordinator's key signs it.
    pub(crate) fn signed(
        &self,
        method: Method,
        target: &str,
        body: &str,
        id: Option<&CompletionId>,
    ) -> Request<Full<Bytes>> {
        signed_by(&self.key(), method, target, body, id)
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        self.linked().await;
        let mut sender = self.state.link.lock().unwrap().as_ref().unwrap().sender.clone();
        sender.send_request(request).await.unwrap()
    }

    pub(crate) async fn get(&self, target: &str) -> (StatusCode, Value) {
        read(self.send(self.signed(Method::GET, target, "", None)).await).await
    }

    pub(crate) async fn post(&self, path: &str, id: &CompletionId, body: &str) -> Response<Incoming> {
        self.send(self.signed(Method::POST, path, body, Some(id))).await
    }

    pub(crate) async fn report(&self) -> MeshReport {
        serde_json::from_value(self.get("/v1/report").await.1).unwrap()
    }

    /// Once the mesh agent has these models.
    pub(crate) async fn offered(&self, names: &[&str]) -> MeshReport {
        wait_some(&format!("it offers {names:?}"), PATIENCE, async || {
            Some(self.report().await).filter(|report| report.models.iter().map(|model| &model.name).eq(names))
        })
        .await
    }

    pub(crate) async fn completion(&self, id: &CompletionId) -> Option<MeshCompletion> {
        let (status, said) = self.get(&format!("/v1/completions/{id}")).await;
        (status == StatusCode::OK).then(|| serde_json::from_value(said).unwrap())
    }

    pub(crate) async fn ended(&self, id: &CompletionId) -> MeshCompletion {
        wait_some("it has ended", PATIENCE, async || self.completion(id).await.filter(|progress| progress.ended)).await
    }

    /// Once nothing is under way at the mesh agent.
    pub(crate) async fn idle(&self) {
        let is_idle = async || self.report().await.models.iter().all(|model| model.busy == 0);
        wait_until("nothing is under way", PATIENCE, is_idle).await;
    }
}

pub(crate) fn signed_by(
    key: &KeyPair,
    method: Method,
    target: &str,
    body: &str,
    id: Option<&CompletionId>,
) -> Request<Full<Bytes>> {
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let message = signatures::Message { method: &method, authority: AUTHORITY, path, query, body: body.as_bytes() };
    let headers = signatures::sign(&message, &key.public().to_string(), key, MESH_TAG, SystemTime::now()).unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://{AUTHORITY}{target}"))
        .header("content-type", "application/json")
        .body(Full::from(body.to_owned()))
        .unwrap();
    request.headers_mut().extend(headers);
    if let Some(id) = id {
        request.headers_mut().insert(MESH_REQUEST_ID, id.as_str().parse().unwrap());
    }
    request
}

pub(crate) async fn read(response: Response<Incoming>) -> (StatusCode, Value) {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn identity(State(state): State<Arc<Inner>>) -> axum::Json<Value> {
    let key = state.key.lock().unwrap().public();
    axum::Json(json!({ "peerId": "c", "publicKey": key, "coordinatorUrl": "http://c", "networkMode": "closed" }))
}

async fn register(State(state): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let registration: Value = serde_json::from_slice(&body).unwrap();
    let key: PublicKey = registration["publicKey"].as_str().unwrap().parse().unwrap();
    let authority = headers["host"].to_str().unwrap();
    let message = signatures::Message { method: &Method::POST, authority, path: "/register", query: None, body: &body };
    let signed = signatures::parse(&headers).unwrap();
    assert_eq!(signed.keyid(), key.to_string());
    let _ = signed.verify(&message, &key, MESH_TAG, SystemTime::now()).expect("it proves to own its key");
    state.registrations.lock().unwrap().push(registration);
    let refusal = *state.refusal.lock().unwrap();
    match refusal {
        None => axum::Json(json!({ "accepted": true })).into_response(),
        Some(reason) => {
            let said = json!({ "error": "node_not_activated", "reason": reason, "message": "no" });
            (StatusCode::FORBIDDEN, axum::Json(said)).into_response()
        }
    }
}

#[derive(Deserialize)]
struct Arriving {
    node: String,
}

async fn arrive(
    State(state): State<Arc<Inner>>,
    Query(arriving): Query<Arriving>,
    upgrade: WebSocketUpgrade,
) -> Response<Body> {
    upgrade.on_upgrade(async move |socket| lead(&state, arriving.node, socket).await)
}

async fn lead(state: &Inner, node: String, socket: WebSocket) {
    let own = state.key.lock().unwrap().clone();
    let Ok((key, io)) = Acceptor::new(&own).unwrap().accept(bytes_of(socket)).await else { return };
    let open = CancellationToken::new();
    let builder = Builder::new(Tied(open.clone())).timer(TokioTimer::new()).clone();
    let (sender, connection) = builder.handshake(TokioIo::new(io)).await.unwrap();
    *state.link.lock().unwrap() = Some(Link { node, key, sender, open: open.clone() });
    tokio::select! {
        _ = connection => {}
        () = open.cancelled() => {}
    }
}

/// Ends what it runs with the link: hyper keeps a connection open as long as an answer on it is not read to its end.
#[derive(Clone)]
struct Tied(CancellationToken);

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Tied {
    fn execute(&self, future: F) {
        let open = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = future => {}
                () = open.cancelled() => {}
            }
        });
    }
}

fn bytes_of(socket: WebSocket) -> impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static {
    let (sink, stream) = socket.split();
    let bytes = stream.filter_map(async |message| match message {
        Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
        Ok(_) => None,
        Err(error) => Some(Err(io::Error::other(error))),
    });
    let sink = sink.sink_map_err(io::Error::other).with(async |bytes| Ok::<_, io::Error>(Message::Binary(bytes)));
    link::websocket::stream_of(Box::pin(bytes), Box::pin(sink))
}
