//! The way to the coordinator: it is asked who it is, told who this is, dialled, and then asks itself.

use std::io;
use std::pin::pin;
use std::time::{Duration, Instant};

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use link::tls::Connector;
use link::{Io, PublicKey, Purpose};
use rand::Rng;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::MeshAgent;
use crate::coordinator::{AGAIN, CoordinatorClient, Registration, Setback};
use crate::discovery::Source;
use crate::http::of_link;
use crate::kept::Coordinator;
use crate::status::Status;

/// The pause after a first failure; it doubles with each further one.
const RETRY: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(10);
/// A link that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(30);
/// A coordinator that is silent is asked for a sign of life, and is gone when there is none: after 13 s at the latest.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(8);
/// For what is under way when this machine stops serving.
const DRAIN: Duration = Duration::from_secs(10);
/// Requests at the same time. Far more than any machine works at.
const STREAMS: u32 = 1024;
/// Bytes of a request, and of all, that are on their way.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 64 << 20;

/// A connection to a coordinator that has this key.
struct Link {
    io: Box<dyn Io>,
    key: PublicKey,
    url: Url,
    source: Source,
}

impl MeshAgent {
    pub(crate) async fn keep_linked(&self, stop: &CancellationToken) {
        let mut failures = 0;
        loop {
            let linked = tokio::select! {
                linked = self.link() => linked,
                () = stop.cancelled() => return,
            };
            let again = match linked {
                Ok(Link { io, key, url, source }) => {
                    let began = Instant::now();
                    self.stands(Status::Linked { url, source });
                    serve(of_link(&self.inner.served, key, self.inner.nonces.clone()), io, stop).await;
                    if stop.is_cancelled() {
                        return;
                    }
                    self.stands(Status::Connecting { reason: "the link has ended".into() });
                    failures = if began.elapsed() >= GOOD { 0 } else { failures + 1 };
                    pause(failures)
                }
                Err(Setback::Away(reason)) => {
                    self.stands(Status::Connecting { reason });
                    failures += 1;
                    pause(failures)
                }
                Err(Setback::Dormant { reason, again }) => {
                    self.stands(Status::Dormant { reason });
                    failures = 0;
                    again
                }
            };
            tokio::select! {
                () = tokio::time::sleep(again) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// To the first coordinator that takes it; what the last one says, where none does.
    async fn link(&self) -> Result<Link, Setback> {
        let mut setback = Setback::Away("the registry knows no coordinator, and none was named".into());
        for (url, source) in self.inner.discovery.coordinators().await {
            let client = CoordinatorClient::new(self.inner.client.clone(), url, self.inner.key.clone());
            match self.link_to(&client, source).await {
                Err(failed) => setback = failed,
                linked => return linked,
            }
        }
        Err(setback)
    }

    /// Registers, and dials whom it has registered with.
    async fn link_to(&self, client: &CoordinatorClient, source: Source) -> Result<Link, Setback> {
        let inner = &self.inner;
        let key = self.coordinator(client).await?;
        let registration = Registration {
            agent_id: &inner.config.node_id,
            os: std::env::consts::OS,
            version: env!("CARGO_PKG_VERSION"),
            registration_token: inner.config.registration_token.as_deref(),
            public_key: inner.key.public(),
            client_type: "nanoscale",
            mode: "swarm-only",
            local_model_provider: inner.config.upstreams.first().map_or("none", |upstream| upstream.kind.as_str()),
            max_concurrent_tasks: inner.served.offer.slots().max(1),
        };
        client.register(&registration).await?;
        let away = |error: io::Error| Setback::Away(error.to_string());
        let connector = Connector::new(&inner.key, key).map_err(|error| away(io::Error::other(error)))?;
        let purpose = Purpose::Mesh { node_id: inner.config.node_id.as_str() };
        let io = link::dial(client.url(), purpose, &connector).await.map_err(away)?;
        Ok(Link { io, key, url: client.url().clone(), source })
    }

    /// By which key to know the coordinator. Nothing is told to one with another key.
    async fn coordinator(&self, client: &CoordinatorClient) -> Result<PublicKey, Setback> {
        let (config, directory) = (&self.inner.config, &self.inner.config.directory);
        let unusable = |error: io::Error| Setback::Dormant { reason: error.to_string(), again: AGAIN };
        let kept = Coordinator::load(directory).map_err(unusable)?.map(|kept| kept.public_key);
        let answers = client.identity().await?;
        if let Some(expected) = config.coordinator_key.or(kept).filter(|expected| *expected != answers) {
            let advice = match config.coordinator_key {
                Some(_) => "look whether its address and the key given for it are right".to_owned(),
                None => format!(
                    "if it was set up anew, or is meant to be another one, remove {}",
                    Coordinator::path(directory).display()
                ),
            };
            let reason = format!(
                "another coordinator answers at {} than the one that is known, or somebody stands between: its key is {}, not \
                 {}, and nothing was told to it; {advice}",
                client.url(),
                answers.fingerprint(),
                expected.fingerprint(),
            );
            return Err(Setback::Dormant { reason, again: AGAIN });
        }
        if kept != Some(answers) {
            let met = Coordinator { url: client.url().clone(), public_key: answers };
            met.keep(directory).map_err(unusable)?;
            tracing::info!(url = %met.url, fingerprint = answers.fingerprint(), "the coordinator is known by this key from now on");
        }
        Ok(answers)
    }

    /// Said once for each change.
    fn stands(&self, status: Status) {
        self.inner.status.send_if_modified(|before| {
            let is_other = *before != status;
            if is_other {
                match &status {
                    Status::Linked { .. } => tracing::info!(node.id = %self.inner.config.node_id, "{status}"),
                    _ => tracing::warn!(node.id = %self.inner.config.node_id, "{status}"),
                }
                *before = status;
            }
            is_other
        });
    }
}

/// Answers the coordinator until it hangs up or gives no sign of life, or until `stop`.
async fn serve(router: Router, io: Box<dyn Io>, stop: &CancellationToken) {
    let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(SIGN_OF_LIFE)
        .keep_alive_timeout(SILENCE)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .serve_connection(TokioIo::new(io), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(DRAIN, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "the link ended");
    }
}

/// Doubled with each failure, and a part of it left to chance: a thousand machines do not all come at once.
fn pause(failures: u32) -> Duration {
    let longest = RETRY.saturating_mul(1 << failures.min(5)).min(RETRY_MAX);
    longest.mul_f64(rand::rng().random_range(0.5..1.0))
}
