use std::sync::Arc;

use link::PublicKey;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::completions::Completions;
use crate::config::Upstream;
use crate::http::{self, Guard, Served};
use crate::mesh_agent::Error;
use crate::offer::Offer;
use crate::terms::Terms;
use crate::upstream::Engine;

/// What the inference service is told. It has secrets, and no `Debug` therefore.
#[derive(Clone)]
pub struct InferenceConfig {
    /// Who asks shows it, as `x-inference-token`.
    pub token: String,
    /// Who may ask. Each request is signed by one of them.
    pub coordinators: Vec<TrustedCoordinator>,
    pub upstreams: Vec<Upstream>,
    pub terms: Terms,
}

/// A coordinator that may ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedCoordinator {
    /// What it is called.
    pub peer_id: String,
    /// With which it signs.
    pub key: PublicKey,
}

/// Engines that a coordinator asks at an address, where a mesh agent has a link. It answers the same.
pub struct InferenceService {
    served: Served,
    guard: Arc<Guard>,
}

// === impl InferenceService ===

impl InferenceService {
    pub fn new(config: InferenceConfig) -> Result<Self, Error> {
        let served = Served {
            offer: Offer::new(config.terms),
            engines: config.upstreams.iter().map(Engine::new).collect::<Result<Arc<[_]>, _>>()?,
            completions: Arc::new(Completions::default()),
        };
        let guard = Arc::new(Guard::new(&config.token, config.coordinators));
        Ok(Self { served, guard })
    }

    /// What it answers, to be served wherever it is bound.
    pub fn router(&self) -> axum::Router {
        http::of_service(&self.served, self.guard.clone())
    }

    /// Keeps what it offers up to date, until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut watching = JoinSet::new();
        for place in 0..self.served.engines.len() {
            let served = self.served.clone();
            watching.spawn(async move { served.engines[place].watch(place, &served.offer).await });
        }
        stop.cancelled().await;
        watching.shutdown().await;
    }
}
