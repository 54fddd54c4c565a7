use std::sync::Arc;
use std::time::{Duration, SystemTime};

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

use super::{BODY_MAX, failure};

#[derive(Clone)]
pub(super) struct Signed {
    pub(super) coordinator: PublicKey,
    pub(super) nonces: Arc<Nonces>,
}

/// Lets pass what the coordinator has signed, once.
pub(super) async fn check(State(signed): State<Signed>, request: Request, next: Next) -> Response {
    let (parts, body) = match whole(request).await {
        Ok(whole) => whole,
        Err(refused) => return refused,
    };
    // One from the future could come again after a restart, and would have to wait. But it came over a connection that
    // only the coordinator can open: nobody else can bring it again.
    match verify(&parts, &body, MESH_TAG, &[signed.coordinator], &signed.nonces) {
        Ok(_) => next.run(Request::from_parts(parts, Body::from(body))).await,
        Err(refusal) => {
            tracing::debug!(code = refusal.code(), path = parts.uri.path(), "a request is refused");
            failure(StatusCode::UNAUTHORIZED, refusal.code(), refusal.to_string())
        }
    }
}

/// A request with all of its body: a signature is over its bytes.
pub(super) async fn whole(request: Request) -> Result<(Parts, Bytes), Response> {
    let (parts, body) = request.into_parts();
    match axum::body::to_bytes(body, BODY_MAX).await {
        Ok(body) => Ok((parts, body)),
        Err(_) => {
            let reason = format!("a request has no more than {BODY_MAX} bytes");
            Err(failure(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", reason))
        }
    }
}

/// Whether one of these keys has signed a request, and for the first time. It may be acted on after that time.
pub(super) fn verify(
    parts: &Parts,
    body: &Bytes,
    tag: &str,
    keys: &[PublicKey],
    nonces: &Nonces,
) -> Result<Duration, Refusal> {
    let signature = signatures::parse(&parts.headers)?;
    let key = keys.iter().find(|key| key.to_string() == signature.keyid()).ok_or(Refusal::UnknownKey)?;
    let host = || parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let message = Message {
        method: &parts.method,
        authority: parts.uri.authority().map(|authority| authority.as_str()).or_else(host).unwrap_or_default(),
        path: parts.uri.path(),
        query: parts.uri.query(),
        body,
    };
    let fresh = signature.verify(&message, key, tag, SystemTime::now())?;
    nonces.admit(fresh).map(|admitted| admitted.wait())
}
