//! How portal and control plane ask the coordinator, which has the links of the machines: in this process, or over HTTP.

use std::time::Duration;

use ids::MeshNodeId;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::{Failure, MeshPull, MeshPullOrder};

use super::MeshConfig;
use super::agents::{MeshAgents, ShownAgent};
use super::completions::Completions;
use crate::error::{Error, Result};

/// What portal and control plane show.
pub(super) const MESH_TOKEN: &str = "x-mesh-token";
const TIMEOUT: Duration = Duration::from_secs(5);
/// The machine is asked in between.
const PULL_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) enum Coordinator {
    Here(Box<Here>),
    There(There),
}

/// The coordinator of this process.
#[derive(Clone)]
pub(crate) struct Here {
    pub(super) agents: MeshAgents,
    pub(super) completions: Completions,
    pub(super) identity: CoordinatorIdentity,
}

/// One elsewhere.
#[derive(Clone)]
pub(crate) struct There {
    client: reqwest::Client,
    url: String,
    token: String,
}

/// `GET /identity`: who a coordinator is, to machines that do not know it yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CoordinatorIdentity {
    pub(super) peer_id: String,
    /// In base64url.
    pub(super) public_key: String,
    pub(super) coordinator_url: String,
    pub(super) network_mode: String,
}

/// `GET /internal/agents`: a machine that is linked at this moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkedAgent {
    pub(crate) node_id: MeshNodeId,
    pub(crate) version: String,
    pub(crate) os: String,
    #[serde(flatten)]
    pub(crate) shown: ShownAgent,
}

/// What is known of its health by who has the token.
#[derive(Debug, Deserialize)]
struct Health {
    coordinator: CoordinatorHealth,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CoordinatorHealth {
    pub(super) agents: usize,
    pub(super) models: Vec<String>,
    /// `sqlite_ready`, `postgres_ready`, or `unavailable`.
    pub(super) database: String,
}

// === impl Coordinator ===

impl Coordinator {
    pub(crate) async fn agents(&self) -> Result<Vec<LinkedAgent>> {
        match self {
            Self::Here(here) => Ok(here.agents.all()),
            Self::There(there) => there.get("/internal/agents").await,
        }
    }

    /// One of them. Where the coordinator does not answer, nobody is known to be linked.
    pub(crate) async fn agent(&self, node: &MeshNodeId) -> Option<LinkedAgent> {
        match self {
            Self::Here(here) => here.agents.one(node),
            Self::There(_) => self.known_agents().await.into_iter().find(|agent| agent.node_id == *node),
        }
    }

    pub(crate) async fn known_agents(&self) -> Vec<LinkedAgent> {
        self.agents().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "it is not known which machines are linked");
            Vec::new()
        })
    }

    /// Somebody was taken out. One elsewhere looks every second by itself.
    pub(crate) fn check_soon(&self) {
        if let Self::Here(here) = self {
            here.agents.check_soon();
        }
    }

    /// Tells a machine to fetch a model. It, or the coordinator, may say no.
    pub(crate) async fn pull(
        &self,
        node: &MeshNodeId,
        order: &MeshPullOrder,
    ) -> Result<std::result::Result<MeshPull, Failure>> {
        match self {
            Self::Here(here) => Ok(here.agents.pull(node, order).await),
            Self::There(there) => there.pull(node, order).await,
        }
    }

    pub(super) async fn identity(&self) -> Result<CoordinatorIdentity> {
        match self {
            Self::Here(here) => Ok(here.identity.clone()),
            Self::There(there) => there.get("/identity").await,
        }
    }

    pub(super) async fn database(&self) -> Result<String> {
        match self {
            Self::Here(here) => here.completions.database().await,
            Self::There(there) => match there.get::<Health>("/health/runtime").await?.coordinator.database {
                database if database.ends_with("_ready") => Ok(database),
                _ => Err(Error::unavailable(
                    "DATABASE_UNAVAILABLE",
                    "the coordinator's database does not answer; try again in a moment",
                )),
            },
        }
    }
}

// === impl There ===

impl There {
    pub(super) fn new(config: &MeshConfig) -> Result<Self> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
        Ok(Self {
            client: client.no_proxy().build().map_err(Error::internal)?,
            url: config.coordinator_url.clone(),
            token: config.mesh_token.clone().unwrap_or_default(),
        })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let request = self.client.get(format!("{}{path}", self.url)).timeout(TIMEOUT);
        let response = self.send(request).await?;
        response.error_for_status().map_err(refuses)?.json().await.map_err(refuses)
    }

    async fn pull(&self, node: &MeshNodeId, order: &MeshPullOrder) -> Result<std::result::Result<MeshPull, Failure>> {
        let request = self.client.post(format!("{}/internal/agents/{node}/pulls", self.url));
        let response = self.send(request.json(order).timeout(PULL_TIMEOUT)).await?;
        if response.status() == reqwest::StatusCode::CONFLICT {
            return response.json().await.map(Err).map_err(refuses);
        }
        response.error_for_status().map_err(refuses)?.json().await.map(Ok).map_err(refuses)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
        request.header(MESH_TOKEN, &self.token).send().await.map_err(|error| unreachable().because(error))
    }
}

pub(super) fn unreachable() -> Error {
    Error::unavailable("COORDINATOR_UNREACHABLE", "the mesh's coordinator does not answer; try again in a moment")
}

fn refuses(error: reqwest::Error) -> Error {
    let message = "the mesh's coordinator refuses to answer; look at COORDINATOR_URL and MESH_AUTH_TOKEN";
    Error::unavailable("COORDINATOR_UNREACHABLE", message).because(error)
}
