//! The control plane: for who runs the mesh, by the admin token.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRef, FromRequestParts, Path, Request, State};
use axum::http::request::Parts as RequestParts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use ids::{MeshNodeId, MeshNodeKind};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::json;
use tower::ServiceExt;

use super::super::MeshConfig;
use super::super::coordinator::{Coordinator, CoordinatorIdentity, LinkedAgent, MESH_TOKEN, There};
use super::super::forward::Forward;
use super::super::people::VOUCHED;
use super::super::portal::{self, Approval, Approved, Portal, SERVICE_TOKEN};
use super::{Answer, Refused, bearer, caller_ip, same, shows};
use crate::caller::check_origin;
use crate::error::Result;
use crate::state::AppState;
use crate::{http, now_ms, rfc3339};

/// What it is made of: it keeps nothing itself.
#[derive(Clone, FromRef)]
struct Control {
    config: Arc<MeshConfig>,
    portal: Portal,
    coordinator: Coordinator,
    pages: Pages,
}

/// Where the dashboard is.
#[derive(Clone)]
enum Pages {
    Here(Router),
    /// At the portal.
    There(Forward),
}

/// Pages of the dashboard by which a mesh is run, and what they need. Who signs in there has the rights of their account.
const PAGES: [&str; 2] = ["/", "/login"];
const BELOW: [&str; 5] = ["/models", "/portal/", "/assets/", "/api/", "/v1/"];

/// Somebody with the admin token, from where that is allowed.
struct MeshAdmin;

impl FromRequestParts<Control> for MeshAdmin {
    type Rejection = Refused;

    async fn from_request_parts(request: &mut RequestParts, control: &Control) -> std::result::Result<Self, Refused> {
        let config = &control.config;
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

/// In the process of the others.
pub(super) fn router(state: &AppState) -> Router {
    let Ok(parts) = state.mesh.on() else { return Router::new() };
    routes(Control {
        config: Arc::new(parts.config.clone()),
        portal: parts.portal.clone(),
        coordinator: parts.coordinator.clone(),
        pages: Pages::Here(http::router(state.clone())),
    })
}

/// In a process of its own.
pub(crate) fn router_alone(config: MeshConfig) -> Result<Router> {
    Ok(routes(Control {
        portal: Portal::new(&config)?,
        coordinator: Coordinator::There(There::new(&config)?),
        pages: Pages::There(Forward::new(&config.portal_url, portal::unreachable)?),
        config: Arc::new(config),
    }))
}

fn routes(control: Control) -> Router {
    Router::new()
        .route("/health", get(async || Json(json!({ "ok": true }))))
        .route("/network/coordinators", get(coordinators))
        .route("/agents", get(agents))
        .route("/agents/{id}/approval", post(approve_agent))
        .route("/coordinators/{id}/approval", post(approve_coordinator))
        .route("/bootstrap/coordinator", post(bootstrap))
        .fallback(fallback)
        .with_state(control)
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
    let config = &control.config;
    // Where nothing is said of pages, what is said of the rest counts: a port that is closed does not open by itself.
    let allowed = if config.allowed_ui_ips.is_empty() { &config.allowed_admin_ips } else { &config.allowed_ui_ips };
    if !is_from(&parts, allowed, &config.trusted_proxies) {
        let message = "the pages here are not for this address; ALLOWED_UI_IPS lists those that they are for";
        return Refused::new(StatusCode::FORBIDDEN, "ui_ip_forbidden", message).into_response();
    }
    match control.pages {
        Pages::Here(dashboard) => {
            let served = dashboard.oneshot(Request::from_parts(parts, body)).await;
            served.unwrap_or_else(|never| match never {})
        }
        Pages::There(portal) => {
            if let Err(error) = check_origin(&parts.method, &parts.headers) {
                return error.into_response();
            }
            leave_out_own(&mut parts.headers, config.admin_token.as_deref());
            portal.pass(parts, body).await.unwrap_or_else(IntoResponse::into_response)
        }
    }
}

/// What is for the control plane, or from one service to another, is none of the portal's.
fn leave_out_own(headers: &mut HeaderMap, admin_token: Option<&str>) {
    if same(bearer(headers), admin_token) {
        headers.remove(header::AUTHORIZATION);
    }
    for name in ["x-admin-token", MESH_TOKEN, SERVICE_TOKEN, VOUCHED] {
        headers.remove(name);
    }
}

/// Where machines find coordinators.
async fn coordinators(State(coordinator): State<Coordinator>) -> Answer {
    let CoordinatorIdentity { peer_id, coordinator_url, .. } = coordinator.identity().await?;
    let own = json!({ "peerId": peer_id, "coordinatorUrl": coordinator_url, "source": "bootstrap" });
    Ok(Json(json!({ "generatedAt": rfc3339(now_ms()), "count": 1, "coordinators": [own] })))
}

/// The machines that are linked at this moment.
async fn agents(_: MeshAdmin, State(coordinator): State<Coordinator>) -> Answer {
    let agents = coordinator.agents().await?.into_iter().map(|LinkedAgent { node_id, version, os, shown }| {
        json!({
            "agentId": node_id, "os": os, "version": version, "mode": "swarm-only", "health": "healthy",
            "localModelEnabled": !shown.models.is_empty(), "lastSeenMs": now_ms(),
            "models": shown.models.iter().map(|model| &model.name).collect::<Vec<_>>(),
        })
    });
    Ok(Json(json!({ "agents": agents.collect::<Vec<_>>() })))
}

#[derive(Deserialize)]
struct Decide {
    approved: bool,
}

async fn approve_agent(
    _: MeshAdmin,
    State(control): State<Control>,
    Path(id): Path<String>,
    body: std::result::Result<Json<Decide>, JsonRejection>,
) -> Answer {
    approve(&control, &id, MeshNodeKind::Agent, body).await
}

async fn approve_coordinator(
    _: MeshAdmin,
    State(control): State<Control>,
    Path(id): Path<String>,
    body: std::result::Result<Json<Decide>, JsonRejection>,
) -> Answer {
    approve(&control, &id, MeshNodeKind::Coordinator, body).await
}

async fn approve(
    control: &Control,
    id: &str,
    node_kind: MeshNodeKind,
    body: std::result::Result<Json<Decide>, JsonRejection>,
) -> Answer {
    let Json(Decide { approved }) = body.map_err(|rejection| {
        let message = format!("the body is {{\"approved\": true}} or false: {}", rejection.body_text());
        Refused::new(StatusCode::BAD_REQUEST, "invalid_request", &message)
    })?;
    let unknown =
        || Refused::new(StatusCode::NOT_FOUND, "node_not_found", "nobody has enrolled a machine of this name");
    let node = id.parse::<MeshNodeId>().map_err(|_| unknown())?;
    match control.portal.approve(&node, &Approval { approved, node_kind }).await {
        Ok(Approved::Node(node)) => {
            control.coordinator.check_soon();
            Ok(Json(json!({ "ok": true, "node": node })))
        }
        Ok(Approved::NotFound) => Err(unknown()),
        Ok(Approved::KindMismatch) => {
            let message = "it was enrolled as the other kind of machine";
            Err(Refused::new(StatusCode::CONFLICT, "node_kind_mismatch", message))
        }
        Err(error) => Err(portal_unreachable(&error)),
    }
}

fn portal_unreachable(error: &impl std::fmt::Display) -> Refused {
    tracing::warn!(%error, "the portal cannot be asked");
    let message = "the portal does not answer; try again in a moment";
    Refused::new(StatusCode::BAD_GATEWAY, "portal_service_unreachable", message)
}

/// Brings the coordinator's tables up to date, which every start does: asked again, nothing changes.
async fn bootstrap(_: MeshAdmin, State(coordinator): State<Coordinator>) -> Answer {
    let database = coordinator.database().await?;
    Ok(Json(json!({ "ok": true, "database": database, "modelBootstrap": "skipped" })))
}
