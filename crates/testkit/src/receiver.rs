//! The other side of webhooks: ours as docs/NOTIFICATIONS.md publishes them, and Slack's incoming ones
//! (<https://api.slack.com/messaging/webhooks>).

mod tls;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hmac::{Hmac, Mac};
use serde::de::DeserializeOwned;
use sha2::Sha256;
use tokio::sync::watch;

use crate::background::{self, Task};
use crate::certificates::Certificates;
use crate::scratch::Scratch;
use crate::secrets::random_secret;
use crate::wait::wait_some;
use tls::TlsListener;

/// Takes posts on the loopback interface and remembers them, until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    addr: SocketAddr,
    /// With encryption: the authority that its certificate comes from.
    authority: Option<(Scratch, PathBuf)>,
    /// The part of its addresses that nobody else knows.
    secret: String,
    shared: Arc<Shared>,
    _serving: Task,
}

#[derive(Debug)]
struct Shared {
    received: Mutex<Vec<Received>>,
    /// Answers instead of the usual one, in this order.
    answers: Mutex<VecDeque<Answer>>,
    /// Whether requests have to wait.
    held: watch::Sender<bool>,
}

#[derive(Debug, Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub at: Instant,
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// While it lives, requests are taken and not answered.
#[derive(Debug)]
pub struct Stall(Arc<Shared>);

// === impl Receiver ===

impl Receiver {
    pub async fn start() -> Self {
        Self::listen(None)
    }

    /// With a certificate for [`Receiver::HTTPS_NAME`] of an authority that nobody knows yet.
    pub async fn start_https() -> Self {
        Self::listen(Some(Certificates::of(Self::HTTPS_NAME)))
    }

    pub const HTTPS_NAME: &str = "localhost";

    fn listen(certificates: Option<Certificates>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listen on the loopback interface");
        listener.set_nonblocking(true).expect("make the listener non-blocking");
        let addr = listener.local_addr().expect("a bound listener has an address");
        let shared =
            Arc::new(Shared { received: Mutex::default(), answers: Mutex::default(), held: watch::Sender::new(false) });
        let router = axum::Router::new().fallback(serve).with_state(shared.clone());
        let authority = certificates.as_ref().map(|certificates| {
            let scratch = Scratch::new("receiver", None);
            let file = scratch.path().join("authority.pem");
            std::fs::write(&file, &certificates.authority).expect("write a certificate");
            (scratch, file)
        });
        let serving = background::spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("take the listener over");
            let served = match certificates {
                Some(certificates) => axum::serve(TlsListener::new(listener, &certificates), router).await,
                None => axum::serve(listener, router).await,
            };
            served.expect("receive webhooks");
        });
        Self { addr, authority, secret: random_secret(), shared, _serving: serving }
    }

    /// `host:port`, as the setting `notifications.allow_hosts` takes it.
    pub fn host(&self) -> String {
        match &self.authority {
            Some(_) => format!("{}:{}", Self::HTTPS_NAME, self.addr.port()),
            None => self.addr.to_string(),
        }
    }

    /// A file for `SSL_CERT_FILE`, of one with encryption.
    pub fn authority(&self) -> &Path {
        &self.authority.as_ref().expect("a receiver that was started with encryption").1
    }

    fn at(&self, path: &str) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/{path}/{}", self.host(), self.secret)
    }

    pub fn url(&self) -> String {
        self.at("hooks")
    }

    /// An address that answers like Slack.
    pub fn slack_url(&self) -> String {
        self.at("services/T0/B0")
    }

    /// Answers the next `times` requests with this status.
    pub fn answer(&self, status: u16, times: usize) {
        self.answer_with(status, &[], "", times);
    }

    pub fn answer_with(&self, status: u16, headers: &[(&'static str, &str)], body: &str, times: usize) {
        let headers = headers.iter().map(|(name, value)| {
            let value = value.parse().expect("a header's value");
            (header::HeaderName::from_static(name), value)
        });
        let status = StatusCode::from_u16(status).expect("a status");
        let answer = Answer { status, headers: headers.collect(), body: body.to_owned() };
        lock(&self.shared.answers).extend(std::iter::repeat_n(answer, times));
    }

    /// From now on requests wait, until what this returns is dropped.
    pub fn stall(&self) -> Stall {
        self.shared.held.send_replace(true);
        Stall(self.shared.clone())
    }

    pub fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }

    /// Waits until at least so many requests have come.
    pub async fn wait_for(&self, count: usize, within: Duration) -> Vec<Received> {
        let what = format!("{count} requests came to {}", self.addr);
        wait_some(&what, within, async || Some(self.received()).filter(|received| received.len() >= count)).await
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, 1 << 20).await else { return StatusCode::BAD_REQUEST.into_response() };
    let received = Received {
        at: Instant::now(),
        method: parts.method,
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body,
    };
    let usual = usual_answer(&received);
    lock(&shared.received).push(received);
    let _ = shared.held.subscribe().wait_for(|held| !held).await;
    let (status, headers, body) = match lock(&shared.answers).pop_front() {
        Some(answer) => (answer.status, answer.headers, answer.body),
        None => (usual.0, HeaderMap::new(), usual.1.to_owned()),
    };
    (status, headers, body).into_response()
}

/// What the published contract says.
fn usual_answer(received: &Received) -> (StatusCode, &'static str) {
    let json = received.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    if received.method != Method::POST || !json {
        return (StatusCode::BAD_REQUEST, "invalid_payload");
    }
    let body = serde_json::from_slice::<serde_json::Value>(&received.body).unwrap_or_default();
    if received.path.starts_with("/services/") {
        return match body["text"].as_str() {
            Some(text) if !text.is_empty() => (StatusCode::OK, "ok"),
            _ => (StatusCode::BAD_REQUEST, "no_text"),
        };
    }
    let named = received.header("x-nanoscale-event").is_some() && received.header("x-nanoscale-delivery").is_some();
    if named { (StatusCode::NO_CONTENT, "") } else { (StatusCode::BAD_REQUEST, "not a webhook of NanoScale") }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Received ===

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Panics when the body is something else.
    pub fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not what was expected: {error}\n{}", String::from_utf8_lossy(&self.body)))
    }

    /// Whether the signature is that of the body under this secret.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes any key");
        mac.update(&self.body);
        let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        self.header("x-nanoscale-signature-256") == Some(&format!("sha256={digits}"))
    }
}

// === impl Stall ===

impl Drop for Stall {
    fn drop(&mut self) {
        self.0.held.send_replace(false);
    }
}
