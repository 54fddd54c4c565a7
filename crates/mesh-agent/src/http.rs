//! What the coordinator can ask of this machine. There is nothing else, and nothing of it for anybody else.

mod completion;
mod report;
mod signed;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use domain::mesh::meter::Dialect;
use link::PublicKey;
use signatures::Nonces;
use wire::Failure;

use crate::completions::Completions;
use crate::offer::Offer;
use crate::upstream::Engine;

/// What requests are answered from.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) offer: Offer,
    pub(crate) engines: Arc<[Engine]>,
    pub(crate) completions: Arc<Completions>,
    pub(crate) nonces: Arc<Nonces>,
}

/// For a coordinator that is known by `coordinator`.
pub(crate) fn router(served: &Served, coordinator: PublicKey) -> Router {
    let mut router =
        Router::new().route("/v1/report", get(report::report)).route("/v1/completions/{id}", get(completion::progress));
    for dialect in Dialect::ALL {
        let complete = move |state, headers, body| completion::complete(dialect, state, headers, body);
        router = router.route(dialect.path(), post(complete));
    }
    let signed = signed::Signed { coordinator, nonces: served.nonces.clone() };
    router
        .fallback(nothing)
        .method_not_allowed_fallback(nothing)
        // Around all of it: a stranger does not learn what there is.
        .layer(axum::middleware::from_fn_with_state(signed, signed::check))
        .layer(DefaultBodyLimit::disable())
        .with_state(served.clone())
}

async fn nothing() -> Response {
    failure(StatusCode::NOT_FOUND, "not_found", "a mesh agent has nothing there")
}

fn failure(status: StatusCode, code: &str, reason: impl Into<String>) -> Response {
    let failure = Failure { code: code.into(), reason: reason.into(), last_lines: Vec::new() };
    (status, axum::Json(failure)).into_response()
}
