//! Enrolments for people.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::StatusCode;
use domain::mesh::enrolment::{Decision, Enrolment};
use ids::EnrolmentId;
use link::PublicKey;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{may_decide, pulls};
use crate::caller::{Admin, User};
use crate::error::Result;
use crate::http::{Json, PathId};
use crate::mesh::agents::ShownAgent;
use crate::mesh::{Mesh, Parts};
use crate::rfc3339;
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(enrolment_list, enrolment_create))
        .routes(routes!(enrolment_withdraw))
        .routes(routes!(enrolment_rekey))
        .routes(routes!(enrolment_approve))
        .routes(routes!(enrolment_reject))
        .routes(routes!(enrolment_suspend))
        .merge(pulls::routes())
}

/// Takes a machine of the caller's into the mesh; it stays dormant until it is approved.
#[utoipa::path(post, path = "/api/mesh/enrolments", tag = "mesh", request_body = api::EnrolmentCreate, responses(
    (status = 201, body = api::EnrolmentCreated), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn enrolment_create(
    User(user): User,
    State(mesh): State<Mesh>,
    Json(create): Json<api::EnrolmentCreate>,
) -> Result<(StatusCode, axum::Json<api::EnrolmentCreated>)> {
    let parts = mesh.on()?;
    let created = parts.enrolments.create(&user, &create).await?;
    Ok((StatusCode::CREATED, axum::Json(shown_created(parts, &user, created))))
}

/// The machines that take part, or want to: the caller's own, or everybody's for who may approve.
#[utoipa::path(get, path = "/api/mesh/enrolments", tag = "mesh", responses((status = 200, body = api::EnrolmentList),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn enrolment_list(User(user): User, State(mesh): State<Mesh>) -> Result<axum::Json<api::EnrolmentList>> {
    let parts = mesh.on()?;
    let names = parts.enrolments.names().await?;
    let enrolments = parts.enrolments.list(&user).await?;
    let linked = if enrolments.is_empty() { Vec::new() } else { parts.coordinator.known_agents().await };
    let mut linked = linked.into_iter().map(|agent| (agent.node_id, agent.shown)).collect::<HashMap<_, _>>();
    let shown = enrolments.into_iter().map(|it| {
        let owner = names.iter().find(|user| user.id == it.owner_id);
        shown(owner.map_or("", |user| &user.username), linked.remove(&it.node_id), it)
    });
    Ok(axum::Json(api::EnrolmentList { enrolments: shown.collect(), may_decide: may_decide(&user) }))
}

/// Ends a machine's part in the mesh. What it has earned stays with its owner.
#[utoipa::path(delete, path = "/api/mesh/enrolments/{id}", tag = "mesh", params(("id" = EnrolmentId, Path)),
    responses((status = 204), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 409, body = api::ErrorBody)))]
async fn enrolment_withdraw(
    User(user): User,
    State(mesh): State<Mesh>,
    PathId(id): PathId<EnrolmentId>,
) -> Result<StatusCode> {
    let parts = mesh.on()?;
    parts.enrolments.withdraw(&user, &id).await?;
    parts.coordinator.check_soon();
    Ok(StatusCode::NO_CONTENT)
}

/// A new registration token, for a machine that has lost its key. The old key is worth nothing from now on, and the machine waits
/// for approval anew.
#[utoipa::path(post, path = "/api/mesh/enrolments/{id}/rekey", tag = "mesh", params(("id" = EnrolmentId, Path)),
    responses((status = 200, body = api::EnrolmentCreated), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn enrolment_rekey(
    User(user): User,
    State(mesh): State<Mesh>,
    PathId(id): PathId<EnrolmentId>,
) -> Result<axum::Json<api::EnrolmentCreated>> {
    let parts = mesh.on()?;
    let rekeyed = parts.enrolments.rekey(&user, &id).await?;
    parts.coordinator.check_soon();
    Ok(axum::Json(shown_created(parts, &user, rekeyed)))
}

/// Lets a machine take part.
#[utoipa::path(post, path = "/api/mesh/enrolments/{id}/approve", tag = "mesh", params(("id" = EnrolmentId, Path)),
    responses((status = 200, body = api::Enrolment), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn enrolment_approve(
    Admin(user): Admin,
    State(mesh): State<Mesh>,
    PathId(id): PathId<EnrolmentId>,
) -> Result<axum::Json<api::Enrolment>> {
    decide(&mesh, &user, &id, Decision::Approve).await
}

/// Says no. A machine that took part is suspended by it.
#[utoipa::path(post, path = "/api/mesh/enrolments/{id}/reject", tag = "mesh", params(("id" = EnrolmentId, Path)),
    responses((status = 200, body = api::Enrolment), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn enrolment_reject(
    Admin(user): Admin,
    State(mesh): State<Mesh>,
    PathId(id): PathId<EnrolmentId>,
) -> Result<axum::Json<api::Enrolment>> {
    decide(&mesh, &user, &id, Decision::Reject).await
}

/// Takes a machine out until it is approved again. Its completions under way break off.
#[utoipa::path(post, path = "/api/mesh/enrolments/{id}/suspend", tag = "mesh", params(("id" = EnrolmentId, Path)),
    responses((status = 200, body = api::Enrolment), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn enrolment_suspend(
    Admin(user): Admin,
    State(mesh): State<Mesh>,
    PathId(id): PathId<EnrolmentId>,
) -> Result<axum::Json<api::Enrolment>> {
    decide(&mesh, &user, &id, Decision::Suspend).await
}

async fn decide(
    mesh: &Mesh,
    by: &domain::user::User,
    id: &EnrolmentId,
    decision: Decision,
) -> Result<axum::Json<api::Enrolment>> {
    let parts = mesh.on()?;
    let enrolment = parts.enrolments.decide(id, decision, &by.username).await?;
    parts.coordinator.check_soon();
    let linked = parts.coordinator.agent(&enrolment.node_id).await;
    let names = parts.enrolments.names().await?;
    let owner = names.iter().find(|user| user.id == enrolment.owner_id).map_or("", |user| &user.username);
    Ok(axum::Json(shown(owner, linked.map(|agent| agent.shown), enrolment)))
}

fn shown_created(
    parts: &Parts,
    owner: &domain::user::User,
    (enrolment, registration_token): (Enrolment, String),
) -> api::EnrolmentCreated {
    let command =
        format!("nanoscale mesh serve --coordinator {} --node-id {}", parts.config.coordinator_url, enrolment.node_id);
    api::EnrolmentCreated { enrolment: shown(&owner.username, None, enrolment), registration_token, command }
}

fn shown(owner: &str, linked: Option<ShownAgent>, enrolment: Enrolment) -> api::Enrolment {
    let key = enrolment.public_key.as_deref().and_then(|text| text.parse::<PublicKey>().ok());
    api::Enrolment {
        id: enrolment.id,
        node_id: enrolment.node_id,
        kind: enrolment.kind,
        state: enrolment.state,
        owner_id: enrolment.owner_id,
        owner: owner.to_owned(),
        device_id: enrolment.device_id,
        public_key: enrolment.public_key,
        fingerprint: key.map(|key| key.fingerprint()),
        online: linked.is_some(),
        paused: linked.as_ref().and_then(|linked| linked.paused.clone()),
        allows_pulls: linked.as_ref().is_some_and(|linked| linked.allows_pulls),
        pulls: linked.iter().flat_map(|linked| linked.pulls.iter().cloned().map(pulls::shown)).collect(),
        models: linked.map(|linked| linked.models).unwrap_or_default(),
        created_at: rfc3339(enrolment.created_at),
        decided_at: enrolment.decided_at.map(rfc3339),
        decided_by: enrolment.decided_by,
        last_seen_at: enrolment.last_seen_at.map(rfc3339),
    }
}
