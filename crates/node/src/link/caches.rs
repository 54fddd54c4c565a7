//! What builds keep for later ones, and its removal.

use axum::extract::State;
use wire::{Cache, CachePrune, Caches};

use crate::Agent;

pub(super) async fn list(State(agent): State<Agent>) -> axum::Json<Caches> {
    axum::Json(agent.caches())
}

/// What was removed, or would be.
pub(super) async fn prune(
    State(agent): State<Agent>,
    axum::Json(prune): axum::Json<CachePrune>,
) -> axum::Json<Vec<Cache>> {
    axum::Json(agent.prune_caches(&prune))
}
