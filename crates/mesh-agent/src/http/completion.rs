use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::mesh::meter::Dialect;
use ids::CompletionId;
use serde::Deserialize;
use wire::MESH_REQUEST_ID;

use super::{Served, failure};
use crate::completions::Tap;
use crate::offer::NotOffered;
use crate::upstream::chain;

/// All that is looked at of a request.
#[derive(Deserialize)]
pub(super) struct Wanted {
    pub(super) model: String,
}

/// Passes a request on to the engine that has its model, and the answer back as it comes.
pub(super) async fn complete(
    dialect: Dialect,
    State(served): State<Served>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let id = headers.get(MESH_REQUEST_ID).and_then(|id| id.to_str().ok()?.parse::<CompletionId>().ok());
    let Some(id) = id else {
        let reason = format!("a completion has an id in {MESH_REQUEST_ID}");
        return failure(StatusCode::BAD_REQUEST, "request_id_missing", reason);
    };
    let Ok(Wanted { model }) = serde_json::from_slice(&body) else {
        return failure(StatusCode::BAD_REQUEST, "model_missing", "a request is a JSON object that names its model");
    };
    let claim = match served.offer.claim(&model) {
        Ok(claim) => claim,
        Err(NotOffered::Paused(reason)) => return failure(StatusCode::SERVICE_UNAVAILABLE, "paused", reason),
        Err(NotOffered::Absent) => {
            let reason = format!("no engine of this machine has the model `{model}` now");
            return failure(StatusCode::NOT_FOUND, "model_absent", reason);
        }
    };
    let Some(running) = served.completions.begin(&id) else {
        return failure(StatusCode::CONFLICT, "duplicate_request", format!("{id} is under way here"));
    };
    let Some(engine) = served.engines.get(claim.upstream()) else {
        return failure(StatusCode::NOT_FOUND, "model_absent", "the engine is gone");
    };
    match engine.complete(dialect.path(), &headers, body).await {
        Ok(response) => pass_back(Tap::new(response, dialect, running, claim)),
        Err(error) => {
            let error = chain(&error);
            tracing::warn!(completion.id = %id, model, error, "an engine gave no answer");
            let reason = format!("the engine with `{model}` gave no answer: {error}");
            failure(StatusCode::BAD_GATEWAY, "upstream_unavailable", reason)
        }
    }
}

/// The engine's status, type and bytes. Its other headers are about a connection that ends here.
pub(super) fn pass_back<B>(response: hyper::Response<B>) -> Response
where
    B: http_body::Body<Data = Bytes, Error: Into<axum::BoxError>> + Send + 'static,
{
    let (mut parts, body) = response.into_parts();
    let content_type = parts.headers.remove(CONTENT_TYPE);
    let mut passed = (parts.status, Body::new(body)).into_response();
    if let Some(content_type) = content_type {
        passed.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    passed
}

/// How far a completion has come.
pub(super) async fn progress(State(served): State<Served>, Path(id): Path<String>) -> Response {
    let known = id.parse::<CompletionId>().ok().and_then(|id| served.completions.get(&id));
    match known {
        Some(completion) => axum::Json(completion).into_response(),
        None => failure(StatusCode::NOT_FOUND, "completion_unknown", "this machine knows of no such completion"),
    }
}
