//! The mesh: models over machines of several owners, who have been approved, and what that costs.
//!
//! It is made of parts that may be processes of their own. The *portal* owns enrolments, and the others ask it over HTTP, also where
//! it is the same process; the *coordinator* has the links of the machines and brings requests to them; the *control plane* is for
//! who runs it.

pub(crate) mod agents;
pub(crate) mod completions;
pub(crate) mod coordinator;
mod counters;
pub(crate) mod enrolments;
mod forward;
pub(crate) mod gateway;
pub(crate) mod hosted;
pub(crate) mod ledger;
pub(crate) mod overview;
pub(crate) mod people;
pub(crate) mod portal;
pub(crate) mod surfaces;

use std::sync::Arc;

use ipnet::IpNet;
use link::KeyPair;
use prometheus::core::Collector;
use store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa_axum::router::OpenApiRouter;

use crate::error::{Error, Result};
use crate::platform::identity::{Directory, Identity};
use crate::platform::vault::Vault;
use crate::state::AppState;
use agents::MeshAgents;
pub use agents::inference::InferenceConfig;
use completions::{Completions, Work};
use coordinator::{Coordinator, CoordinatorIdentity, Here, There};
use enrolments::Enrolments;
use forward::Forward;
use gateway::limits::Rates;
use hosted::HostedProviders;
use ledger::Ledger;
use people::People;
use portal::Portal;

/// Which of the mesh's services a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeshRole {
    All,
    Coordinator,
    Portal,
}

/// How the mesh is set up.
#[derive(Clone)]
pub struct MeshConfig {
    pub role: MeshRole,
    /// Where machines of the mesh reach the coordinator, and it the portal.
    pub coordinator_url: String,
    pub portal_url: String,
    /// Where programs find models that know Ollama only, if there is such a port.
    pub ollama_url: Option<String>,
    /// What the coordinator is called.
    pub peer_id: String,
    /// By which it is known; by that of this server's cluster where there is none.
    pub key: Option<Arc<KeyPair>>,
    /// Guards the coordinator's own routes; who has none gets nowhere.
    pub mesh_token: Option<String>,
    /// Guards the control plane.
    pub admin_token: Option<String>,
    /// With which coordinator and control plane ask the portal.
    pub portal_service_token: String,
    /// Where the control plane may be asked from; anywhere when empty.
    pub allowed_admin_ips: Vec<IpNet>,
    /// Where the coordinator asks for models itself, if it does.
    pub inference: Option<InferenceConfig>,
    /// From where the dashboard may be opened at the control plane's port; when empty, from where that may be asked.
    pub allowed_ui_ips: Vec<IpNet>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The coordinator's part of what a completion costs, in hundredths of a percent.
    pub fee_bps: u32,
    /// Microcredits: what is dearer for a token is not offered to anybody.
    pub max_price: u32,
}

/// The mesh, where it is switched on.
#[derive(Clone)]
pub(crate) struct Mesh(Option<Arc<Parts>>);

pub(crate) struct Parts {
    pub(crate) config: MeshConfig,
    pub(crate) key: Arc<KeyPair>,
    /// The portal's.
    pub(crate) enrolments: Enrolments,
    pub(crate) portal: Portal,
    pub(crate) coordinator: Coordinator,
    /// Where the portal passes on what it does not answer itself; absent where the coordinator is here.
    to_coordinator: Option<Forward>,
    /// The coordinator's, like what follows: where that is a process of its own, nothing is linked here, and nobody asks.
    pub(crate) agents: MeshAgents,
    pub(crate) ledger: Ledger,
    pub(crate) completions: Completions,
    pub(crate) hosted: HostedProviders,
    pub(crate) rates: Rates,
}

/// What it is made from.
pub(crate) struct Foundation {
    pub(crate) config: Option<MeshConfig>,
    pub(crate) store: Store,
    pub(crate) vault: Arc<Vault>,
    pub(crate) identity: Identity,
    /// What this server is known by.
    pub(crate) key: KeyPair,
    pub(crate) epoch: i64,
    pub(crate) tasks: TaskTracker,
    pub(crate) closing: CancellationToken,
}

// === impl Mesh ===

impl Mesh {
    pub(crate) fn new(foundation: Foundation) -> Result<Self> {
        let Foundation { config, store, vault, identity, key, epoch, tasks, closing } = foundation;
        let Some(config) = config else { return Ok(Self(None)) };
        let key = config.key.clone().unwrap_or_else(|| Arc::new(key));
        let portal = Portal::new(&config)?;
        let agents = MeshAgents::new(&key, portal.clone(), config.max_price, closing.clone())?;
        let completions =
            Completions::new(store.clone(), agents.clone(), epoch, config.fee_bps, Work { tasks, closing });
        let coordinator = match config.role {
            MeshRole::Portal => Coordinator::There(There::new(&config)?),
            MeshRole::All | MeshRole::Coordinator => Coordinator::Here(Box::new(Here {
                agents: agents.clone(),
                completions: completions.clone(),
                identity: CoordinatorIdentity {
                    peer_id: config.peer_id.clone(),
                    public_key: key.public().to_string(),
                    coordinator_url: config.coordinator_url.clone(),
                    network_mode: "public_mesh".into(),
                },
            })),
        };
        let is_elsewhere = config.role == MeshRole::Portal;
        let to_coordinator = is_elsewhere.then(|| Forward::new(&config.coordinator_url, coordinator::unreachable));
        let parts = Parts {
            to_coordinator: to_coordinator.transpose()?,
            enrolments: Enrolments::new(store.clone(), identity.clone()),
            ledger: Ledger::new(store.clone(), identity),
            hosted: HostedProviders::new(store, vault, agents.clone(), config.max_price),
            coordinator,
            completions,
            rates: Rates::default(),
            portal,
            agents,
            key,
            config,
        };
        Ok(Self(Some(Arc::new(parts))))
    }

    /// The parts, or that there are none.
    pub(crate) fn on(&self) -> Result<&Arc<Parts>> {
        self.0.as_ref().ok_or_else(|| {
            let message = "this server takes no part in a mesh; set `mesh.enabled` to true (NANOSCALE_MESH_ENABLED) and \
                           start it again";
            Error::switched_off("MESH_OFF", message)
        })
    }

    /// What Prometheus is told of it; nothing where it is switched off.
    pub(crate) fn metrics(&self) -> Result<Vec<Box<dyn Collector>>> {
        let Some(parts) = &self.0 else { return Ok(Vec::new()) };
        parts.completions.counters().families(&parts.agents.all()).map_err(Error::internal)
    }

    /// Works in the background, for ever.
    pub(crate) async fn run(&self) {
        let Some(parts) = self.0.as_ref().filter(|parts| parts.config.role != MeshRole::Portal) else {
            return std::future::pending().await;
        };
        let inference = async {
            if let Some(config) = &parts.config.inference
                && let Err(error) = parts.agents.ask_inference(config, parts.key.clone()).await
            {
                tracing::error!(%error, "the inference service cannot be asked");
            }
        };
        let hosted = parts.hosted.offer_until_known();
        tokio::join!(parts.agents.check_forever(), parts.completions.clear_up(), inference, hosted);
    }
}

/// Where people are known, if that is elsewhere.
pub(crate) fn people_elsewhere(config: Option<&MeshConfig>) -> Result<Option<Arc<dyn Directory>>> {
    let Some(config) = config.filter(|config| config.role == MeshRole::Coordinator) else { return Ok(None) };
    Ok(Some(Arc::new(People::new(Portal::new(config)?))))
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(portal_routes()).merge(coordinator_routes())
}

/// What the portal answers.
pub(crate) fn portal_routes() -> OpenApiRouter<AppState> {
    enrolments::http::routes()
}

/// What the coordinator answers.
pub(crate) fn coordinator_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(overview::routes())
        .merge(ledger::http::routes())
        .merge(completions::http::routes())
        .merge(hosted::http::routes())
        .merge(gateway::routes())
}
