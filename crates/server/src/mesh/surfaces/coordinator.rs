//! The coordinator: machines register and link here, and programs ask for models.

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ids::{MeshNodeId, MeshNodeKind};
use link::PublicKey;
use link::websocket::READ_BUFFER;
use serde::Deserialize;
use serde_json::{Value, json};
use signatures::Nonces;
use wire::{MESH_TAG, MeshPullOrder};

use super::super::coordinator::{CoordinatorHealth, CoordinatorIdentity, LinkedAgent, MESH_TOKEN};
use super::super::people::{VOUCHED, Vouched};
use super::super::portal::{SERVICE_TOKEN, Validate};
use super::super::{MeshRole, Parts, gateway};
use super::{Answer, Refused, service_token_required, shows};
use crate::caller::VouchedFor;
use crate::error::Error;
use crate::platform::metrics;
use crate::state::AppState;
use crate::{http, mesh};

/// Bytes of one message of a link. A record of TLS, of which each is one, has at most 16 KiB and a little.
const MESSAGE_MAX: usize = 1 << 20;

#[derive(Clone)]
struct Coordinator {
    parts: Arc<Parts>,
    /// Signatures that were used.
    nonces: Arc<Nonces>,
}

pub(super) fn router(state: &AppState) -> Router {
    let Ok(parts) = state.mesh.on() else { return Router::new() };
    let coordinator = Coordinator { parts: parts.clone(), nonces: Arc::new(Nonces::new(SystemTime::now())) };
    let own = Router::new()
        .route("/health/runtime", get(health))
        .route("/identity", get(identity))
        .route("/register", post(register))
        .route("/mesh/link", get(mesh_link))
        .route("/status", get(status))
        .route("/internal/agents", get(agents))
        .route("/internal/agents/{id}/pulls", post(pull))
        .fallback(fallback)
        .with_state(coordinator);
    // What people have here is the portal's to show, unless that is elsewhere.
    let is_alone = parts.config.role == MeshRole::Coordinator;
    let for_people =
        if is_alone { mesh::coordinator_routes().merge(metrics::http::prometheus()) } else { gateway::routes() };
    let (for_people, _) = for_people.split_for_parts();
    let for_people = for_people
        .layer(middleware::from_fn_with_state(parts.clone(), believe_the_portal))
        .method_not_allowed_fallback(async || Error::method_not_allowed());
    let all = own.merge(for_people.with_state(state.clone()));
    if is_alone { http::guarded(all) } else { all }
}

/// Who asks by way of the portal is signed in there.
async fn believe_the_portal(State(parts): State<Arc<Parts>>, mut request: Request, next: Next) -> Response {
    if let Some(header) = request.headers_mut().remove(VOUCHED) {
        if !shows(request.headers(), SERVICE_TOKEN, Some(&parts.config.portal_service_token)) {
            return service_token_required().into_response();
        }
        let Some(vouched) = Vouched::read(header.as_bytes()) else {
            let message = "the portal does not say who asks in a way that is understood here; update both";
            return Refused::new(StatusCode::BAD_REQUEST, "invalid_request", message).into_response();
        };
        request.extensions_mut().insert(VouchedFor(vouched.caller()));
    }
    next.run(request).await
}

/// The machines that are linked at this moment, for portal and control plane.
async fn agents(
    State(Coordinator { parts, .. }): State<Coordinator>,
    headers: HeaderMap,
) -> Answer<Json<Vec<LinkedAgent>>> {
    admit(&parts, &headers)?;
    Ok(Json(parts.agents.all()))
}

/// Tells a machine to fetch a model, when the portal says so.
async fn pull(
    State(Coordinator { parts, .. }): State<Coordinator>,
    Path(node): Path<MeshNodeId>,
    headers: HeaderMap,
    Json(order): Json<MeshPullOrder>,
) -> Answer<Response> {
    admit(&parts, &headers)?;
    Ok(match parts.agents.pull(&node, &order).await {
        Ok(pull) => Json(pull).into_response(),
        Err(failure) => (StatusCode::CONFLICT, Json(failure)).into_response(),
    })
}

fn unauthorized() -> Refused {
    Refused::exactly(StatusCode::UNAUTHORIZED, "mesh_unauthorized")
}

fn admit(parts: &Parts, headers: &HeaderMap) -> Result<(), Refused> {
    if shows(headers, MESH_TOKEN, parts.config.mesh_token.as_deref()) { Ok(()) } else { Err(unauthorized()) }
}

/// That it is there; to who has the token, also how it is.
async fn health(State(Coordinator { parts, .. }): State<Coordinator>, headers: HeaderMap) -> Json<Value> {
    if admit(&parts, &headers).is_err() {
        return Json(json!({ "ok": true }));
    }
    let database = parts.completions.database().await;
    let coordinator = CoordinatorHealth {
        agents: parts.agents.ids().len(),
        models: parts.agents.models().into_keys().collect(),
        database: database.unwrap_or_else(|_| "unavailable".into()),
    };
    Json(json!({ "ok": true, "coordinator": coordinator }))
}

/// Who the coordinator is, to machines that do not know it yet.
async fn identity(State(Coordinator { parts, .. }): State<Coordinator>) -> Answer<Json<CoordinatorIdentity>> {
    Ok(Json(parts.coordinator.identity().await?))
}

/// How much there is to do. Completions wait at machines, not here.
async fn status(State(Coordinator { parts, .. }): State<Coordinator>, headers: HeaderMap) -> Answer {
    admit(&parts, &headers)?;
    Ok(Json(json!({ "queued": 0, "agents": parts.agents.ids().len(), "results": 0 })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Register {
    agent_id: String,
    registration_token: Option<String>,
    public_key: PublicKey,
}

/// Takes a machine in that proves its key and may take part. One that may not yet hears why, and asks again.
async fn register(
    State(Coordinator { parts, nonces }): State<Coordinator>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let register = serde_json::from_slice::<Register>(&body).map_err(|error| {
        let message = format!("the body is not what this route takes: {error}");
        Refused::new(StatusCode::BAD_REQUEST, "invalid_request", &message)
    })?;
    let fresh = proven(&register.public_key, (&method, &uri), &headers, &body)?;
    let asked = Validate {
        node_id: register.agent_id,
        node_kind: MeshNodeKind::Agent,
        registration_token: register.registration_token,
        public_key: register.public_key,
    };
    let validated = parts.portal.validate(&asked).await.map_err(|error| {
        tracing::warn!(%error, "a machine cannot be validated");
        not_activated("portal_validation_unreachable")
    })?;
    let Some(node) = validated.node.filter(|_| validated.allowed) else {
        return Err(not_activated(&validated.reason));
    };
    // Only now: keys that nobody has approved do not fill the memory of what was used, and hear the same again.
    let admitted = nonces.admit(fresh).map_err(unproven)?;
    tokio::time::sleep(admitted.wait()).await;
    Ok(Json(json!({ "accepted": true, "mode": "swarm-only", "agentId": node.node_id })))
}

fn not_activated(reason: &str) -> Refused {
    let message = match reason {
        "node_pending_coordinator_approval" => {
            "this machine waits for approval; who runs the mesh compares its fingerprint"
        }
        "node_not_enrolled" => "nobody has enrolled a machine of this name; enrol it in the portal first",
        "registration_token_required" => "set AGENT_REGISTRATION_TOKEN to what the portal gave when it was enrolled",
        "registration_token_invalid" => {
            "this is not the token that the portal gave for this machine; its owner can make a new one"
        }
        "key_mismatch" => "another key registered for this machine; its owner can make a new token for this one",
        "node_kind_mismatch" => "it was enrolled as something else; withdraw it and enrol it anew",
        "node_suspended" => "who runs the mesh has suspended this machine",
        "node_rejected" => "who runs the mesh has rejected this machine",
        _ => "the portal could not be asked; try again in a moment",
    };
    Refused::new(StatusCode::FORBIDDEN, "node_not_activated", message).because(reason)
}

/// Whether who sends a request has the private half of the key that it names (RFC 9421).
fn proven(
    key: &PublicKey,
    (method, uri): (&Method, &Uri),
    headers: &HeaderMap,
    body: &[u8],
) -> Answer<signatures::Fresh> {
    let authority = uri.authority().map(axum::http::uri::Authority::as_str);
    let authority = authority.or_else(|| headers.get(header::HOST)?.to_str().ok()).unwrap_or_default();
    let message = signatures::Message { method, authority, path: uri.path(), query: uri.query(), body };
    let signed = signatures::parse(headers).map_err(unproven)?;
    if signed.keyid() != key.to_string() {
        return Err(unproven(signatures::Refusal::UnknownKey));
    }
    signed.verify(&message, key, MESH_TAG, SystemTime::now()).map_err(unproven)
}

fn unproven(refusal: signatures::Refusal) -> Refused {
    Refused::new(StatusCode::UNAUTHORIZED, refusal.code(), &refusal.to_string())
}

#[derive(Deserialize)]
struct Dialled {
    node: String,
}

/// A mesh agent's link: a WebSocket (RFC 6455) that carries TLS 1.3 between its key and the coordinator's.
async fn mesh_link(
    State(Coordinator { parts, .. }): State<Coordinator>,
    Query(Dialled { node }): Query<Dialled>,
    upgrade: Result<WebSocketUpgrade, axum::extract::ws::rejection::WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let message = "this is for machines that have registered; they connect with a WebSocket";
        return Refused::new(StatusCode::BAD_REQUEST, "websocket_required", message).into_response();
    };
    let key = parts.key.clone();
    let upgrade = upgrade.read_buffer_size(READ_BUFFER).max_message_size(MESSAGE_MAX);
    upgrade.on_upgrade(async move |socket| parts.agents.arrive(socket, node, key).await)
}

async fn fallback(State(Coordinator { parts, .. }): State<Coordinator>, uri: Uri, headers: HeaderMap) -> Refused {
    let is_for_people = ["/v1/", "/api/"].iter().any(|below| uri.path().starts_with(below));
    match admit(&parts, &headers) {
        _ if is_for_people => Refused::new(StatusCode::NOT_FOUND, "not_found", "there is no such route"),
        Ok(()) => Refused::new(StatusCode::NOT_FOUND, "not_found", "the coordinator has no such route"),
        Err(refused) => refused,
    }
}
