//! What programs of the machine's owner ask, with the words and errors of OpenAI's interface.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::mesh::meter::Dialect;
use ring::digest::{SHA256, digest};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::Served;
use super::completion::{Wanted, pass_back};
use crate::upstream::chain;

/// The SHA-256 of the token: what is compared has the same length.
pub(super) type TokenHash = Arc<[u8]>;

pub(super) fn hash(token: &str) -> TokenHash {
    digest(&SHA256, token.as_bytes()).as_ref().into()
}

/// Lets pass who shows the token, as OpenAI's or as Anthropic's programs do.
pub(super) async fn check(State(token): State<TokenHash>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let shown = bearer.or_else(|| headers.get("x-api-key").map(|value| value.as_bytes()));
    if shown.is_some_and(|shown| bool::from(digest(&SHA256, shown).as_ref().ct_eq(&token))) {
        return next.run(request).await;
    }
    let message =
        "show the token of this machine's mesh agent as `Authorization: Bearer`; its directory has it in local.token";
    error(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
}

/// All models of its engines, also those that others may not use.
pub(super) async fn models(State(served): State<Served>) -> Response {
    let models = served.offer.all().into_iter().map(|(id, context)| {
        json!({ "id": id, "object": "model", "created": 0, "owned_by": "local", "context_length": context })
    });
    axum::Json(json!({ "object": "list", "data": models.collect::<Vec<_>>() })).into_response()
}

/// Passes a request on to the engine, and the answer back as it comes.
pub(super) async fn complete(
    dialect: Dialect,
    State(served): State<Served>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(Wanted { model }) = serde_json::from_slice(&body) else {
        let message = "a request is a JSON object that names its `model`";
        return error(StatusCode::BAD_REQUEST, "invalid_request", message);
    };
    let Some(claim) = served.offer.claim_own(&model) else {
        let message = format!("no engine of this machine has `{model}` now; /v1/models lists what there is");
        return error(StatusCode::NOT_FOUND, "model_not_found", &message);
    };
    let Some(engine) = served.engines.get(claim.upstream()) else {
        return error(StatusCode::NOT_FOUND, "model_not_found", "the engine is gone");
    };
    match engine.complete(dialect.path(), &headers, body).await {
        // The engine works at it for as long as the answer is not read.
        Ok(response) => pass_back(response.map(|body| Held { body, _claim: claim })),
        Err(failed) => {
            let message = format!("the engine with `{model}` gave no answer: {}", chain(&failed));
            error(StatusCode::BAD_GATEWAY, "upstream_unavailable", &message)
        }
    }
}

pub(super) async fn nothing() -> Response {
    error(StatusCode::NOT_FOUND, "not_found", "models are at /v1")
}

fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let kind = if status.is_client_error() { "invalid_request_error" } else { "api_error" };
    let body = json!({ "error": { "message": message, "type": kind, "param": null, "code": code } });
    (status, axum::Json(body)).into_response()
}

/// An answer, with the place that it has at its engine.
struct Held<B> {
    body: B,
    _claim: crate::offer::Claim,
}

impl<B: http_body::Body + Unpin> http_body::Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<B::Data>, B::Error>>> {
        std::pin::Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
