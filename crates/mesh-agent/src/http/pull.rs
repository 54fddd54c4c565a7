use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use wire::MeshPullOrder;

use super::{Served, failure};
use crate::pulls::{self, NotPulled};

/// Begins to fetch a model; how far it has come the report tells.
pub(super) async fn pull(State(served): State<Served>, Json(order): Json<MeshPullOrder>) -> Response {
    let (status, code, reason) = match pulls::begin(&order.model, &served.offer, &served.engines) {
        Ok(pull) => return (StatusCode::ACCEPTED, Json(pull)).into_response(),
        Err(NotPulled::NotAllowed) => (
            StatusCode::FORBIDDEN,
            "pulls_not_allowed",
            "the owner of this machine does not let others choose its models",
        ),
        Err(NotPulled::NoEngine) => (StatusCode::CONFLICT, "no_engine", "no engine of this machine fetches models"),
        Err(NotPulled::Busy) => (StatusCode::CONFLICT, "too_many_pulls", "other models are fetched; try again later"),
        Err(NotPulled::Invalid) => (StatusCode::BAD_REQUEST, "invalid_model", "it is no name of a model"),
    };
    failure(status, code, reason)
}
