//! The control plane: for who runs the mesh, by the admin token.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRef, FromRequestParts, Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts as RequestParts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ids::{MeshNodeId, MeshNodeKind};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::super::Parts;
use super::super::portal::{Approval, Approved};
use super::{Answer, Refused, bearer, caller_ip, same, shows};
use crate::state::AppState;
use crate::{http, now_ms, rfc3339};

#[derive(Clone, FromRef)]
struct Control {
    parts: Arc<Parts>,
    dashboard: Router,
}

/// Pages of the dashboard by which a mesh is run, and what they need. Who signs in there has the rights of their account.
const PAGES: [&str; 2] = ["/", "/login"];
const BELOW: [&str; 5] = ["/models", "/portal/", "/assets/", "/api/", "/v1/"];

/// Somebody with the admin token, from where that is allowed.
struct MeshAdmin;

impl FromRequestParts<Control> for MeshAdmin {
    type Rejection = Refused;

    async fn from_request_parts(request: &mut RequestParts, control: &Control) -> Result<Self, Refused> {
        let config = &control.parts.config;
        if !is_from(request, &config.allowed_admin_ips, &config.trusted_proxies) {
            let message = "the control plane is not for this address; ALLOWED_ADMIN_IPS lists those that it is for";
            return Err(Refused::new(StatusCode::FORBIDDEN, "admin_ip_forbidden", message));
        }
        let token = config.admin_token.as_deref();
        if shows(&request.headers, "x-admin-token", token) || same(bearer(&request.headers), token) {
            return Ok(Self);
        }
        let message = "send the admin token (ADMIN_API_TOKEN) as `x-admin-token` or `Authorization: Bearer`";
        Err(Refused::new(StatusCode::UNAUTHORIZED, "admin_token_required", message))
    }
}

/// Whether a request comes from where it may, which is anywhere where nothing is listed.
fn is_from(request: &RequestParts, allowed: &[IpNet], trusted: &[IpNet]) -> bool {
    let from = caller_ip(request, trusted);
    allowed.is_empty() || from.is_some_and(|ip| allowed.iter().any(|net| net.contains(&ip)))
}

pub(super) fn router(state: &AppState) -> Router {
    let Ok(parts) = state.mesh.on() else { return Router::new() };
    Router::new()
        .route("/health", get(async || Json(json!({ "ok": true }))))
        .route("/network/coordinators", get(coordinators))
        .route("/agents", get(agents))
        .route("/agents/{id}/approval", post(approve_agent))
        .route("/coordinators/{id}/approval", post(approve_coordinator))
        .route("/bootstrap/coordinator", post(bootstrap))
        .fallback(fallback)
        .with_state(Control { parts: parts.clone(), dashboard: http::router(state.clone()) })
}

/// The dashboard's pages; of what else there is nothing, who has no admin token does not hear that.
async fn fallback(State(control): State<Control>, request: Request) -> Response {
    let path = request.uri().path();
    let is_page = PAGES.contains(&path) || BELOW.iter().any(|below| path.starts_with(below));
    let (mut parts, body) = request.into_parts();
    if !is_page {
        let nothing = Refused::new(StatusCode::NOT_FOUND, "not_found", "there is no such route");
        return MeshAdmin::from_request_parts(&mut parts, &control).await.err().unwrap_or(nothing).into_response();
    }
    let config = &control.parts.config;
    // Where nothing is said of pages, what is said of the rest counts: a port that is closed does not open by itself.
    let allowed = if config.allowed_ui_ips.is_empty() { &config.allowed_admin_ips } else { &config.allowed_ui_ips };
    if !is_from(&parts, allowed, &config.trusted_proxies) {
        let message = "the pages here are not for this address; ALLOWED_UI_IPS lists those that they are for";
        return Refused::new(StatusCode::FORBIDDEN, "ui_ip_forbidden", message).into_response();
    }
    let served = control.dashboard.oneshot(Request::from_parts(parts, body)).await;
    served.unwrap_or_else(|never| match never {})
}

/// Where machines find coordinators.
async fn coordinators(State(parts): State<Arc<Parts>>) -> Json<Value> {
    let own = json!({
        "peerId": parts.config.peer_id, "coordinatorUrl": parts.config.coordinator_url, "source": "bootstrap",
    });
    Json(json!({ "generatedAt": rfc3339(now_ms()), "count": 1, "coordinators": [own] }))
}

/// The machines that are linked at this moment.
async fn agents(_: MeshAdmin, State(parts): State<Arc<Parts>>) -> Json<Value> {
    let agents = parts.agents.ids().into_iter().map(|id| {
        let (version, os) = parts.agents.program(&id).unwrap_or_default();
        let models = parts.agents.shown(&id).map(|shown| shown.models).unwrap_or_default();
        json!({
            "agentId": id, "os": os, "version": version, "mode": "swarm-only", "health": "healthy",
            "localModelEnabled": !models.is_empty(), "lastSeenMs": now_ms(),
            "models": models.iter().map(|model| &model.name).collect::<Vec<_>>(),
        })
    });
    Json(json!({ "agents": agents.collect::<Vec<_>>() }))
}

#[derive(Deserialize)]
struct Decide {
    approved: bool,
}

async fn approve_agent(
    _: MeshAdmin,
    State(parts): State<Arc<Parts>>,
    Path(id): Path<String>,
    body: Result<Json<Decide>, JsonRejection>,
) -> Answer {
    approve(&parts, &id, MeshNodeKind::Agent, body).await
}

async fn approve_coordinator(
    _: MeshAdmin,
    State(parts): State<Arc<Parts>>,
    Path(id): Path<String>,
    body: Result<Json<Decide>, JsonRejection>,
) -> Answer {
    approve(&parts, &id, MeshNodeKind::Coordinator, body).await
}

async fn approve(
    parts: &Parts,
    id: &str,
    node_kind: MeshNodeKind,
    body: Result<Json<Decide>, JsonRejection>,
) -> Answer {
    let Json(Decide { approved }) = body.map_err(|rejection| {
        let message = format!("the body is {{\"approved\": true}} or false: {}", rejection.body_text());
        Refused::new(StatusCode::BAD_REQUEST, "invalid_request", &message)
    })?;
    let unknown =
        || Refused::new(StatusCode::NOT_FOUND, "node_not_found", "nobody has enrolled a machine of this name");
    let node = id.parse::<MeshNodeId>().map_err(|_| unknown())?;
    match parts.portal.approve(&node, &Approval { approved, node_kind }).await {
        Ok(Approved::Node(node)) => {
            parts.agents.check_soon();
            Ok(Json(json!({ "ok": true, "node": node })))
        }
        Ok(Approved::NotFound) => Err(unknown()),
        Ok(Approved::KindMismatch) => {
            let message = "it was enrolled as the other kind of machine";
            Err(Refused::new(StatusCode::CONFLICT, "node_kind_mismatch", message))
        }
        Err(error) => {
            tracing::warn!(%error, "the portal cannot be asked");
            let message = "the portal does not answer; try again in a moment";
            Err(Refused::new(StatusCode::BAD_GATEWAY, "portal_service_unreachable", message))
        }
    }
}

/// Brings the coordinator's tables up to date, which every start does: asked again, nothing changes.
async fn bootstrap(_: MeshAdmin, State(parts): State<Arc<Parts>>) -> Answer {
    let database = format!("{}_ready", parts.completions.database().await?);
    Ok(Json(json!({ "ok": true, "database": database, "modelBootstrap": "skipped" })))
}
