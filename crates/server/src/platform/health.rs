//! Whether the server can do its work.

use axum::extract::State;
use store::Store;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Result;
use crate::platform::nodes::Nodes;
use crate::state::AppState;
use crate::{now_ms, rfc3339};

#[derive(Clone)]
pub(crate) struct Health {
    store: Store,
    nodes: Nodes,
}

impl Health {
    pub(crate) fn new(store: Store, nodes: Nodes) -> Self {
        Self { store, nodes }
    }

    /// In a word, and what is wrong. Fails when the database does not answer.
    async fn look(&self) -> Result<(String, Vec<api::Problem>)> {
        self.store.ping().await?;
        let problems = self.nodes.problems();
        Ok((if problems.is_empty() { "ok" } else { "degraded" }.into(), problems))
    }
}

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(health_detail))
}

/// Whether the server and its database answer.
#[utoipa::path(get, path = "/api/health", tag = "health", responses(
    (status = 200, body = api::Health), (status = 503, body = api::ErrorBody)))]
async fn health(State(health): State<Health>) -> Result<axum::Json<api::Health>> {
    let (status, problems) = health.look().await?;
    Ok(axum::Json(api::Health { status, problems }))
}

/// The same with version and time.
#[utoipa::path(get, path = "/health", tag = "health", responses(
    (status = 200, body = api::HealthDetail), (status = 503, body = api::ErrorBody)))]
async fn health_detail(State(health): State<Health>) -> Result<axum::Json<api::HealthDetail>> {
    let (status, problems) = health.look().await?;
    Ok(axum::Json(api::HealthDetail {
        status,
        problems,
        version: env!("CARGO_PKG_VERSION").into(),
        time: rfc3339(now_ms()),
    }))
}
