//! What a coordinator can ask of this machine. There is nothing else, and nothing of it for anybody else.

mod completion;
mod guard;
mod header_form;
mod local;
mod pull;
mod report;
mod signed;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use domain::mesh::meter::Dialect;
use link::PublicKey;
use signatures::Nonces;
use wire::Failure;

use crate::completions::Completions;
use crate::offer::Offer;
use crate::upstream::Engine;
pub(crate) use guard::Guard;

/// Bytes of a request: prompts with pictures are long.
const BODY_MAX: usize = 32 << 20;

/// What requests are answered from.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) offer: Offer,
    pub(crate) engines: Arc<[Engine]>,
    pub(crate) completions: Arc<Completions>,
}

/// For a coordinator that is known by `coordinator`, over a link that it alone can use.
pub(crate) fn of_link(served: &Served, coordinator: PublicKey, nonces: Arc<Nonces>) -> Router {
    // Around all of it: a stranger does not learn what there is.
    routes(served).layer(from_fn_with_state(signed::Signed { coordinator, nonces }, signed::check))
}

/// For the coordinators that the guard knows, at an address that others reach, too.
pub(crate) fn of_service(served: &Served, guard: Arc<Guard>) -> Router {
    let guarded = routes(served).layer(from_fn_with_state(guard, guard::check));
    Router::new()
        .route("/health", get(async || axum::Json(serde_json::json!({ "ok": true }))))
        .fallback_service(guarded)
}

/// For programs of the machine's owner, who show the token.
pub(crate) fn of_owner(served: &Served, token: &str) -> Router {
    let mut router = Router::new().route("/v1/models", get(local::models));
    for dialect in Dialect::ALL {
        let complete = move |state, headers, body| local::complete(dialect, state, headers, body);
        router = router.route(dialect.path(), post(complete));
    }
    router
        .fallback(local::nothing)
        .layer(from_fn_with_state(local::hash(token), local::check))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(served.clone())
}

fn routes(served: &Served) -> Router {
    let mut router = Router::new()
        .route("/v1/report", get(report::report))
        .route("/v1/completions/{id}", get(completion::progress))
        .route("/v1/pulls", post(pull::pull));
    for dialect in Dialect::ALL {
        let complete = move |state, headers, body| completion::complete(dialect, state, headers, body);
        router = router.route(dialect.path(), post(complete));
    }
    router
        .fallback(nothing)
        .method_not_allowed_fallback(nothing)
        .layer(DefaultBodyLimit::disable())
        .with_state(served.clone())
}

async fn nothing() -> Response {
    failure(StatusCode::NOT_FOUND, "not_found", "there is nothing of this name here")
}

fn failure(status: StatusCode, code: &str, reason: impl Into<String>) -> Response {
    let failure = Failure { code: code.into(), reason: reason.into(), last_lines: Vec::new() };
    (status, axum::Json(failure)).into_response()
}
