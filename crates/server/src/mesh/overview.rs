//! The mesh at a glance.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Mesh;
use crate::caller::User;
use crate::error::Result;
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(mesh_show))
}

/// The mesh as this server is part of it, and what the caller has in it.
#[utoipa::path(get, path = "/api/mesh", tag = "mesh", responses((status = 200, body = api::Mesh),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn mesh_show(User(user): User, State(mesh): State<Mesh>) -> Result<axum::Json<api::Mesh>> {
    let parts = mesh.on()?;
    parts.completions.written().await;
    let standing = parts.ledger.standing(&user.id).await?;
    Ok(axum::Json(api::Mesh {
        coordinator_url: parts.config.coordinator_url.clone(),
        coordinator_key: parts.key.public().to_string(),
        ollama_url: parts.config.ollama_url.clone(),
        fee_bps: parts.config.fee_bps,
        balance: standing.balance,
        held: standing.held,
        earned: standing.earned,
    }))
}
