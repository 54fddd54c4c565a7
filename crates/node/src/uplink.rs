//! The way to a control plane on another machine: this node dials, proves by its key who it is, and then answers as it
//! answers on its own machine. It needs no address that others can reach.

mod join;
mod membership;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::link::Purpose;
use ::link::tls::Connector;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{post, put};
use checkpoint::Checkpoint;
use rand::Rng;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;
use wire::{ConnectionTicket, Refused};

use crate::edge_link::{Dial, EdgeIo};
use crate::{Agent, link};
pub use join::{JoinError, join};
pub use membership::Membership;

/// The pause after a first failure; it doubles with each further one.
const RETRY: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(15);
/// While the control plane does not want this node.
const RETRY_REFUSED: Duration = Duration::from_secs(60);
/// A link that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(30);

/// How a node gets to its control plane, and proves there who it is.
#[derive(Clone)]
pub struct Way {
    url: Url,
    connector: Connector,
}

// === impl Way ===

impl Way {
    /// # Errors
    /// When the node's key cannot be used for TLS.
    pub fn new(membership: &Membership) -> io::Result<Self> {
        let connector = Connector::new(membership.key(), membership.cluster()).map_err(io::Error::other)?;
        Ok(Self { url: membership.url().clone(), connector })
    }

    async fn dial(&self, purpose: Purpose<'_>) -> io::Result<Box<dyn ::link::Io>> {
        ::link::dial(&self.url, purpose, &self.connector).await
    }

    /// To the control plane's tunnel to other nodes.
    pub fn to_tunnel(&self) -> Dial {
        let way = self.clone();
        Box::new(move || {
            let way = way.clone();
            Box::pin(async move { Ok(Box::pin(way.dial(Purpose::Tunnel).await?) as Pin<Box<dyn EdgeIo>>) })
        })
    }
}

/// A node's link to the cluster that it is a member of.
#[derive(Clone)]
pub struct Uplink {
    inner: Arc<Inner>,
}

struct Inner {
    agent: Agent,
    way: Way,
    refused: watch::Sender<Option<Refused>>,
}

// === impl Uplink ===

impl Uplink {
    pub fn new(agent: Agent, way: Way) -> Self {
        Self { inner: Arc::new(Inner { agent, way, refused: watch::Sender::new(None) }) }
    }

    /// Keeps the link up until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        tokio::select! {
            () = self.keep_linked() => {}
            () = stop.cancelled() => {}
        }
    }

    async fn keep_linked(&self) {
        let mut failures = 0_u32;
        loop {
            let began = Instant::now();
            self.inner.refused.send_replace(None);
            match self.inner.way.dial(Purpose::Lead).await {
                Ok(io) => {
                    tracing::info!(url = %self.inner.way.url, "linked to the control plane");
                    link::serve(self.router(), io).await;
                }
                // Said once for each time that it goes away.
                Err(error) if failures == 0 => {
                    tracing::warn!(%error, "the control plane cannot be reached; apps go on, trying again");
                }
                Err(error) => tracing::debug!(%error, "the control plane cannot be reached"),
            }
            if self.inner.refused.borrow().is_some() {
                tokio::time::sleep(RETRY_REFUSED).await;
                continue;
            }
            failures = if began.elapsed() >= GOOD { 0 } else { failures + 1 };
            tokio::time::sleep(pause(failures)).await;
        }
    }

    /// What this node answers on its own machine too, and what concerns the link.
    fn router(&self) -> Router {
        let of_link = Router::new()
            .route("/v1/connections", post(connection))
            .route("/v1/refused", put(refused))
            .with_state(self.clone());
        link::router(self.inner.agent.clone()).merge(of_link)
    }
}

/// Dials once more, for what is long.
async fn connection(
    State(uplink): State<Uplink>,
    axum::Json(ConnectionTicket { ticket }): axum::Json<ConnectionTicket>,
) -> StatusCode {
    match uplink.inner.way.dial(Purpose::Further { ticket: &ticket }).await {
        Ok(io) => {
            tokio::spawn(async move { link::serve(uplink.router(), io).await });
            StatusCode::NO_CONTENT
        }
        Err(error) => {
            tracing::warn!(%error, "a further connection to the control plane cannot be made");
            StatusCode::BAD_GATEWAY
        }
    }
}

/// Hears why the control plane does not lead it. It has proven who it is.
async fn refused(State(uplink): State<Uplink>, axum::Json(refused): axum::Json<Refused>) -> StatusCode {
    tracing::error!(code = refused.code, "{}", refused.message);
    if refused.code == Refused::REMOVED {
        // It does its part without being led: what it ran is run elsewhere, or not at all.
        checkpoint::reach(Checkpoint::RemovalHeard).await;
        uplink.inner.agent.end_everything().await;
        checkpoint::reach(Checkpoint::RemovalObeyed).await;
    }
    uplink.inner.refused.send_replace(Some(refused));
    StatusCode::NO_CONTENT
}

/// Doubled with each failure, and a part of it left to chance: a thousand nodes do not all come at once.
pub(crate) fn pause(failures: u32) -> Duration {
    let longest = RETRY.saturating_mul(1 << failures.min(5)).min(RETRY_MAX);
    longest.mul_f64(rand::rng().random_range(0.5..1.0))
}
