//! The way to a mesh agent: HTTP/2 on a connection that it dialled, each request signed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::ws::WebSocket;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use ids::{CompletionId, MeshNodeId, MeshNodeKind};
use link::{KeyPair, PublicKey};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use wire::{Failure, MESH_PROTOCOL, MESH_REQUEST_ID, MESH_TAG, MeshReport};

use super::super::portal::Validate;
use super::inference::{Inference, InferenceConfig};
use super::way::Way;
use super::{Holder, Linked, MeshAgents};
use crate::error::{Error, Result};
use crate::platform::nodes::bytes_of;

const HANDSHAKE: Duration = Duration::from_secs(10);
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(8);
/// Bytes of answers that nobody has taken yet, of one completion and of all.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 64 << 20;
/// What requests to a mesh agent are addressed to: it has no address of its own.
const AUTHORITY: &str = "mesh-agent";
/// Bytes of a report, or another short answer.
pub(super) const SHORT: usize = 1 << 20;
/// A question that is not a completion is answered within this time.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The least time from one report to the next.
const REPORTS: Duration = Duration::from_millis(100);
/// So many questions in a row may stay without a report: a machine at work may be late.
const LATE_MAX: u32 = 3;
/// An inference service that is away is asked again after this time.
const AWAY: Duration = Duration::from_millis(500);
/// So many failures in a row are told of, once.
const UNUSUAL: u32 = 6;
/// What is believed of a report.
const MODELS_MAX: usize = 256;
const NAME_MAX: usize = 256;
const TEXT_MAX: usize = 256;
const PULLS_MAX: usize = 16;
const CONTEXT_MAX: u32 = 1 << 20;
const SLOTS_MAX: u32 = 1024;

/// Asks one mesh agent.
#[derive(Clone)]
pub(crate) struct AgentLink {
    sender: SendRequest<Full<Bytes>>,
    key: Arc<KeyPair>,
}

// === impl AgentLink ===

impl AgentLink {
    async fn open(
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        key: Arc<KeyPair>,
        closed: CancellationToken,
    ) -> Result<Self> {
        let (sender, connection) = Builder::new(Tied(closed.clone()))
            .timer(TokioTimer::new())
            .keep_alive_interval(SIGN_OF_LIFE)
            .keep_alive_timeout(SILENCE)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(io))
            .await
            .map_err(Error::internal)?;
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "the link of a mesh agent ended");
                },
                () = closed.cancelled() => {}
            }
            closed.cancel();
        });
        Ok(Self { sender, key })
    }

    /// Asks for a completion. The answer is the engine's, or the mesh agent's reason why there is none.
    pub(super) async fn complete(
        &self,
        path: &str,
        id: &CompletionId,
        body: Bytes,
    ) -> hyper::Result<Response<Incoming>> {
        self.send(Method::POST, path, body, Some(id)).await
    }

    /// What it answers; `None` where it has no such thing.
    pub(super) async fn get<T: serde::de::DeserializeOwned>(&self, target: &str) -> Result<Option<T>> {
        match self.ask(Method::GET, target, Bytes::new()).await? {
            (hyper::StatusCode::NOT_FOUND, _) => Ok(None),
            (status, bytes) if status.is_success() => serde_json::from_slice(&bytes).map(Some).map_err(Error::internal),
            (status, _) => Err(Error::internal(format!("a mesh agent answered {status} to {target}"))),
        }
    }

    /// What it answers to an order, or why it does not obey.
    pub(super) async fn order<T: serde::de::DeserializeOwned>(
        &self,
        target: &str,
        order: &impl serde::Serialize,
    ) -> Result<std::result::Result<T, Failure>> {
        let body = serde_json::to_vec(order).map_err(Error::internal)?;
        let (status, bytes) = self.ask(Method::POST, target, body.into()).await?;
        match status.is_success() {
            true => serde_json::from_slice(&bytes).map(Ok).map_err(Error::internal),
            false => serde_json::from_slice(&bytes).map(Err).map_err(Error::internal),
        }
    }

    /// A short answer.
    async fn ask(&self, method: Method, target: &str, body: Bytes) -> Result<(hyper::StatusCode, Bytes)> {
        let asked = async {
            let response = self.send(method, target, body, None).await.map_err(Error::internal)?;
            let status = response.status();
            let body = http_body_util::Limited::new(response.into_body(), SHORT);
            Ok((status, body.collect().await.map_err(Error::internal)?.to_bytes()))
        };
        tokio::time::timeout(PATIENCE, asked).await.map_err(Error::internal)?
    }

    async fn send(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
        id: Option<&CompletionId>,
    ) -> hyper::Result<Response<Incoming>> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let message = signatures::Message { method: &method, authority: AUTHORITY, path, query, body: &body };
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = method.clone();
        *request.uri_mut() = format!("http://{AUTHORITY}{target}").parse().unwrap_or_default();
        // What cannot be signed is refused over there.
        match signatures::sign(&message, &self.key.public().to_string(), &self.key, MESH_TAG, SystemTime::now()) {
            Ok(headers) => request.headers_mut().extend(headers),
            Err(error) => tracing::error!(%error, "a request to a mesh agent cannot be signed"),
        }
        let headers = request.headers_mut();
        headers.insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
        if let Some(id) = id.and_then(|id| hyper::header::HeaderValue::from_str(id.as_str()).ok()) {
            headers.insert(MESH_REQUEST_ID, id);
        }
        self.sender.clone().send_request(request).await
    }
}

/// Ends what a link runs with the link: hyper keeps a connection as long as an answer on it is not read to its end, and a machine
/// that is to go goes with all that is under way.
#[derive(Clone)]
struct Tied(CancellationToken);

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Tied {
    fn execute(&self, future: F) {
        let ends = self.0.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = future => {}
                () = ends.cancelled() => {}
            }
        });
    }
}

impl MeshAgents {
    /// Serves a WebSocket of a machine, for as long as it may take part and stays.
    pub(crate) async fn arrive(&self, socket: WebSocket, node: String, key: Arc<KeyPair>) {
        let Ok(place) = self.inner.handshakes.try_acquire() else { return };
        let accepted = tokio::time::timeout(HANDSHAKE, self.inner.acceptor.accept(bytes_of(socket))).await;
        drop(place);
        let Ok(Ok((public_key, io))) = accepted else {
            return tracing::debug!(node.id = node, "a mesh agent did not prove who it is");
        };
        if let Err(error) = self.lead(&node, public_key, io, key).await {
            tracing::debug!(node.id = node, %error, "a mesh agent is not linked");
        }
    }

    async fn lead(
        &self,
        node: &str,
        public_key: PublicKey,
        io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        key: Arc<KeyPair>,
    ) -> Result<()> {
        let asked =
            Validate { node_id: node.to_owned(), node_kind: MeshNodeKind::Agent, registration_token: None, public_key };
        let validated = self.inner.portal.validate(&asked).await?;
        let known = validated.node.filter(|_| validated.allowed);
        let Some(known) = known else { return Err(Error::internal(validated.reason)) };
        let ends = self.inner.closing.child_token();
        let link = AgentLink::open(io, key, ends.clone()).await?;
        let holder = Some(Holder { owner: known.owner_user_id, key: public_key });
        self.stay(&known.node_id, holder, Way::Link(link), ends).await
    }

    /// Asks the coordinator's own inference service what it has, for ever.
    pub(crate) async fn ask_inference(&self, config: &InferenceConfig, key: Arc<KeyPair>) -> Result<()> {
        let node = MeshNodeId::of_coordinator("inference").map_err(Error::internal)?;
        let inference = Inference::new(config, key)?;
        let mut failures = 0;
        loop {
            let stayed = self.stay(&node, None, Way::Inference(inference.clone()), self.inner.closing.child_token());
            match stayed.await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    // One that has begun within this second takes nothing that was signed in it.
                    if failures == UNUSUAL {
                        let url = &config.url;
                        tracing::warn!(%error, url, "the inference service does not answer; it is asked again and again");
                    }
                }
            }
            tokio::time::sleep(AWAY).await;
        }
    }

    /// Offers what is over there, for as long as it answers and may take part.
    async fn stay(&self, node: &MeshNodeId, holder: Option<Holder>, way: Way, ends: CancellationToken) -> Result<()> {
        let report = self.report(&way, "/v1/report").await?;
        if report.protocol != MESH_PROTOCOL {
            return Err(Error::internal(format!("it speaks protocol {}", report.protocol)));
        }
        tracing::info!(node.id = %node, models = report.models.len(), "a mesh agent is linked");
        let linked = Linked { holder, way: way.clone(), report, under_way: HashMap::new(), ends: ends.clone() };
        if let Some(before) = self.linked().insert(node.clone(), linked) {
            before.ends.cancel();
        }
        // It may have been decided otherwise since it was asked.
        self.check_soon();
        let heard = self.hear(node, &way, &ends).await;
        let mut all = self.linked();
        if ends.is_cancelled() || heard.is_err() {
            ends.cancel();
            // Unless it has come again meanwhile.
            if all.get(node).is_some_and(|linked| linked.ends.is_cancelled()) {
                all.remove(node);
            }
        }
        tracing::info!(node.id = %node, "a mesh agent is linked no longer");
        heard
    }

    /// Hears what a mesh agent offers, until it goes.
    async fn hear(&self, node: &MeshNodeId, way: &Way, ends: &CancellationToken) -> Result<()> {
        let mut late = 0;
        loop {
            let than = self.linked().get(node).map(|linked| linked.report.generation).unwrap_or_default();
            let target = format!("/v1/report?than={than}");
            let asked = async {
                let report = self.report(way, &target).await;
                tokio::time::sleep(REPORTS).await;
                report
            };
            let report = tokio::select! {
                report = asked => report,
                () = ends.cancelled() => return Ok(()),
            };
            match report {
                Ok(report) => {
                    late = 0;
                    // An engine that is away for a moment comes back as it was.
                    if !report.models.is_empty() {
                        self.forget_others(node, &report.models);
                    }
                    let mut all = self.linked();
                    if let Some(linked) = all.get_mut(node).filter(|linked| !linked.ends.is_cancelled()) {
                        linked.report = report;
                    }
                }
                Err(error) if late + 1 >= LATE_MAX => return Err(error),
                Err(_) => late += 1,
            }
        }
    }

    async fn report(&self, way: &Way, target: &str) -> Result<MeshReport> {
        Ok(believed(way.report(target).await?, self.inner.max_price))
    }
}

/// A report without what nobody can have, or may ask for.
fn believed(mut report: MeshReport, max_price: u32) -> MeshReport {
    let mut names = HashSet::new();
    report.models.retain(|model| {
        let is_named = !model.name.is_empty() && model.name.len() <= NAME_MAX && names.insert(model.name.clone());
        is_named && model.price.input.max(model.price.output) <= max_price
    });
    report.models.truncate(MODELS_MAX);
    let cut = |text: &str| text.chars().take(TEXT_MAX).collect::<String>();
    (report.version, report.os) = (cut(&report.version), cut(&report.os));
    report.paused = report.paused.as_deref().map(cut);
    report.pulls.truncate(PULLS_MAX);
    for pull in &mut report.pulls {
        (pull.model, pull.message) = (cut(&pull.model), cut(&pull.message));
    }
    for model in &mut report.models {
        model.context = model.context.min(CONTEXT_MAX);
        model.slots = model.slots.clamp(1, SLOTS_MAX);
    }
    report
}

#[cfg(test)]
mod tests {
    use wire::{MeshModel, MeshPrice};

    use super::*;

    #[test]
    fn a_report_is_believed_within_reason() {
        let price = |input, output| MeshPrice { input, output };
        let model = |name: &str, price| MeshModel {
            name: name.into(),
            loaded: true,
            context: u32::MAX,
            slots: 0,
            busy: 0,
            price,
        };
        let report = MeshReport {
            protocol: MESH_PROTOCOL,
            version: String::new(),
            os: String::new(),
            generation: 1,
            paused: None,
            allows_pulls: false,
            pulls: Vec::new(),
            models: vec![
                model("good", price(1000, 0)),
                model("good", price(1, 1)),
                model("", price(1, 1)),
                model(&"x".repeat(300), price(1, 1)),
                model("dear", price(1, 1001)),
            ],
        };
        let believed = believed(report, 1000);
        let shown = believed.models.iter().map(|model| (model.name.as_str(), model.context, model.slots));
        assert_eq!(shown.collect::<Vec<_>>(), [("good", CONTEXT_MAX, 1)]);
    }
}
