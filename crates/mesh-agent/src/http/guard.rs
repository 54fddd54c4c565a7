//! Who may ask the inference service: a coordinator that shows the token and signs each request, in one of two forms.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use link::PublicKey;
use ring::digest::{SHA256, digest};
use signatures::Nonces;
use subtle::ConstantTimeEq;
use wire::INFERENCE_TAG;

use super::header_form::{self, Used};
use super::signed;
use crate::inference::TrustedCoordinator;

const TOKEN: &str = "x-inference-token";
/// By it the form of RFC 9421 is told.
const RFC_9421: &str = "signature-input";

pub(crate) struct Guard {
    /// Of the token: what is compared has the same length.
    token: [u8; 32],
    coordinators: Vec<TrustedCoordinator>,
    nonces: Nonces,
    used: Used,
}

/// Why a request is refused: a code that programs know, and a sentence.
type Refused = (&'static str, String);

// === impl Guard ===

impl Guard {
    pub(crate) fn new(token: &str, coordinators: Vec<TrustedCoordinator>) -> Self {
        let now = SystemTime::now();
        // Nothing is taken that could have been taken by an earlier process.
        let (nonces, used) = (Nonces::new(now), Used::new(now));
        Self { token: hash(token.as_bytes()), coordinators, nonces, used }
    }

    fn shows_token(&self, parts: &Parts) -> bool {
        let shown = parts.headers.get(TOKEN).map(|token| hash(token.as_bytes()));
        shown.is_some_and(|shown| bool::from(shown.ct_eq(&self.token)))
    }

    /// After what time it may be acted on.
    fn verify(&self, parts: &Parts, body: &Bytes) -> Result<Duration, Refused> {
        if parts.headers.contains_key(RFC_9421) {
            let keys = self.coordinators.iter().map(|trusted| trusted.key).collect::<Vec<PublicKey>>();
            let verified = signed::verify(parts, body, INFERENCE_TAG, &keys, &self.nonces);
            return verified.map_err(|refusal| (refusal.code(), refusal.to_string()));
        }
        let verified = header_form::verify(parts, body, &self.coordinators, &self.used, SystemTime::now());
        verified.map_err(|refusal| (refusal.code(), refusal.to_string()))
    }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

/// Lets pass what a trusted coordinator asks, once.
pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    // As coordinators of an earlier system read it.
    let refused = |code: &str, reason: String| {
        let body = serde_json::json!({ "error": code, "message": reason });
        (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response()
    };
    let (parts, body) = request.into_parts();
    if !guard.shows_token(&parts) {
        return refused("inference_unauthorized", format!("show the token of the inference service as {TOKEN}"));
    }
    let (parts, body) = match signed::whole(Request::from_parts(parts, body)).await {
        Ok(whole) => whole,
        Err(refused) => return refused,
    };
    match guard.verify(&parts, &body) {
        Ok(wait) => {
            tokio::time::sleep(wait).await;
            next.run(Request::from_parts(parts, Body::from(body))).await
        }
        Err((code, reason)) => {
            tracing::debug!(code, path = parts.uri.path(), "a request is refused");
            refused(code, reason)
        }
    }
}
