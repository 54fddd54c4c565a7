use std::sync::Arc;
use std::time::SystemTime;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use link::PublicKey;
use signatures::{Message, Nonces, Refusal};
use wire::MESH_TAG;

use super::failure;

/// Bytes of a request: prompts with pictures are long.
const BODY_MAX: usize = 32 << 20;

#[derive(Clone)]
pub(super) struct Signed {
    pub(super) coordinator: PublicKey,
    pub(super) nonces: Arc<Nonces>,
}

/// Lets pass what the coordinator has signed, once.
pub(super) async fn check(State(signed): State<Signed>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_MAX).await else {
        let reason = format!("a request has no more than {BODY_MAX} bytes");
        return failure(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", reason);
    };
    if let Err(refusal) = signed.check(&parts, &body) {
        tracing::debug!(code = refusal.code(), path = parts.uri.path(), "a request is refused");
        return failure(StatusCode::UNAUTHORIZED, refusal.code(), refusal.to_string());
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

impl Signed {
    fn check(&self, parts: &Parts, body: &Bytes) -> Result<(), Refusal> {
        let signature = signatures::parse(&parts.headers)?;
        if signature.keyid() != self.coordinator.to_string() {
            return Err(Refusal::UnknownKey);
        }
        let host = || parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let message = Message {
            method: &parts.method,
            authority: parts.uri.authority().map(|authority| authority.as_str()).or_else(host).unwrap_or_default(),
            path: parts.uri.path(),
            query: parts.uri.query(),
            body,
        };
        let fresh = signature.verify(&message, &self.coordinator, MESH_TAG, SystemTime::now())?;
        // One from the future could come again after a restart, and would have to wait. But it came over a connection that
        // only the coordinator can open: nobody else can bring it again.
        let _ = self.nonces.admit(fresh)?;
        Ok(())
    }
}
