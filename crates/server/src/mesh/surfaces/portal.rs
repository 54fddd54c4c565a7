//! The portal: people enrol their machines here, and coordinator and control plane ask it about them. It has the dashboard's pages
//! and its API as well.

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts as RequestParts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, delete, get, on, post};
use axum::{Json, Router};
use domain::mesh::enrolment::Decision;
use ids::{MeshNodeId, MeshNodeKind};
use serde::Deserialize;
use serde_json::json;

use super::super::coordinator::unreachable;
use super::super::enrolments::{Dormant, Shown};
use super::super::forward::Forward;
use super::super::people::{Authenticate, Authenticated, PeopleList, Person, VOUCHED, Vouched};
use super::super::portal::{Approval, KnownNode, LookedUp, Lookup, SERVICE_TOKEN, Validate, Validated};
use super::{Answer, Refused, service_token_required, shows};
use crate::caller::{Caller, User, bearer};
use crate::error::{Error, Result};
use crate::http;
use crate::platform::identity::Credential;
use crate::state::AppState;

/// What is passed on to the coordinator. No proxy on the way tells anybody what it was sent.
const PASSED_ON: MethodFilter = MethodFilter::GET
    .or(MethodFilter::HEAD)
    .or(MethodFilter::POST)
    .or(MethodFilter::PUT)
    .or(MethodFilter::PATCH)
    .or(MethodFilter::DELETE);

/// Coordinator or control plane.
struct Service;

impl FromRequestParts<AppState> for Service {
    type Rejection = Refused;

    async fn from_request_parts(request: &mut RequestParts, state: &AppState) -> std::result::Result<Self, Refused> {
        let token = &state.mesh.on()?.config.portal_service_token;
        if shows(&request.headers, SERVICE_TOKEN, Some(token)) {
            return Ok(Self);
        }
        Err(service_token_required())
    }
}

/// Somebody who is signed in.
struct Member(domain::user::User);

impl FromRequestParts<AppState> for Member {
    type Rejection = Refused;

    async fn from_request_parts(request: &mut RequestParts, state: &AppState) -> std::result::Result<Self, Refused> {
        let unauthenticated = |error: crate::error::Error| match error.is_unauthenticated() {
            true => Refused::new(StatusCode::UNAUTHORIZED, "not_authenticated", "sign in first"),
            false => error.into(),
        };
        User::from_request_parts(request, state).await.map(|User(user)| Self(user)).map_err(unauthenticated)
    }
}

pub(super) fn router(state: &AppState) -> Router {
    let own = Router::new()
        .route("/nodes/enroll", post(enroll))
        .route("/nodes/me", get(mine))
        .route("/nodes/{id}", delete(withdraw))
        .route("/internal/nodes/validate", post(validate))
        .route("/internal/nodes/lookup", post(lookup))
        .route("/internal/nodes/{id}/approval", post(approval))
        .route("/internal/people", post(people))
        .route("/internal/people/authenticate", post(authenticate))
        .with_state(state.clone());
    own.fallback_service(pages(state))
}

/// The dashboard and its API; where this is a process of its own, what the coordinator answers comes from there.
fn pages(state: &AppState) -> Router {
    let Ok(parts) = state.mesh.on() else { return Router::new() };
    let Some(coordinator) = parts.to_coordinator.clone() else { return http::router(state.clone()) };
    let ask = on(PASSED_ON, async move |State(state): State<AppState>, request: Request| {
        ask_the_coordinator(&state, &coordinator, request).await.unwrap_or_else(IntoResponse::into_response)
    });
    let beside = ["/api/mesh", "/api/mesh/{*rest}", "/v1/{*rest}"];
    let routes = beside.into_iter().fold(http::portal_routes(), |all, path| all.route(path, ask.clone()));
    http::finished(routes, state.clone())
}

/// Says who asks, where that is somebody who is signed in here; whose API token is shown, the coordinator asks itself.
async fn ask_the_coordinator(state: &AppState, coordinator: &Forward, request: Request) -> Result<Response> {
    let (mut head, body) = request.into_parts();
    for name in [VOUCHED, SERVICE_TOKEN] {
        head.headers.remove(name);
    }
    let is_by_token = bearer(&head.headers).is_some() || head.headers.contains_key("x-api-key");
    let vouched = if is_by_token { None } else { vouched(&mut head, state).await? };
    if let Some(vouched) = &vouched {
        head.headers.remove(header::AUTHORIZATION);
        let token = &state.mesh.on()?.config.portal_service_token;
        for (name, value) in [(VOUCHED, vouched), (SERVICE_TOKEN, token)] {
            head.headers.insert(name, HeaderValue::from_str(value).map_err(Error::internal)?);
        }
    }
    // Whoever has it is somebody, here.
    head.headers.remove(header::COOKIE);
    let response = coordinator.pass(head, body).await?;
    if vouched.is_some() && response.status() == StatusCode::UNAUTHORIZED {
        // Told to the browser, it would sign somebody out.
        tracing::error!("the coordinator does not believe this portal; look at PORTAL_SERVICE_TOKEN of both");
        return Err(unreachable());
    }
    Ok(response)
}

/// Who is signed in here, if anybody is; where nobody is, the coordinator says so in the words of who asks.
async fn vouched(head: &mut RequestParts, state: &AppState) -> Result<Option<String>> {
    match Caller::from_request_parts(head, state).await {
        Ok(Caller { user, credential }) => Vouched::of(user, &credential).written().map(Some),
        Err(error) if error.is_unauthenticated() => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Enroll {
    node_id: String,
    #[serde(default)]
    node_kind: Option<MeshNodeKind>,
    #[serde(default)]
    device_id: Option<String>,
}

async fn enroll(Member(user): Member, State(state): State<AppState>, http::Json(enroll): http::Json<Enroll>) -> Answer {
    let Enroll { node_id, node_kind, device_id } = enroll;
    let create = api::EnrolmentCreate { node_id, kind: node_kind, device_id };
    let (enrolment, token) = state.mesh.on()?.enrolments.create(&user, &create).await?;
    Ok(Json(json!({
        "ok": true,
        "nodeId": enrolment.node_id,
        "deviceId": enrolment.device_id,
        "nodeKind": enrolment.kind,
        // Accounts are made by administrators.
        "emailVerified": true,
        "nodeApproved": false,
        "active": false,
        "registrationToken": token,
    })))
}

async fn mine(Member(user): Member, State(state): State<AppState>) -> Answer {
    let nodes = state.mesh.on()?.enrolments.of(&user.id).await?.into_iter().map(KnownNode::from).collect::<Vec<_>>();
    Ok(Json(json!({ "nodes": nodes })))
}

async fn withdraw(Member(user): Member, State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let parts = state.mesh.on()?;
    let theirs = parts.enrolments.of(&user.id).await?;
    let Some(found) = theirs.into_iter().find(|it| it.node_id.as_str() == id) else { return Err(not_found()) };
    parts.enrolments.withdraw(&user, &found.id).await?;
    parts.coordinator.check_soon();
    Ok(Json(json!({ "ok": true })))
}

fn not_found() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, "node_not_found", "nobody has enrolled a machine of this name")
}

async fn validate(_: Service, State(state): State<AppState>, Json(asked): Json<Validate>) -> Answer<Json<Validated>> {
    let shown = Shown {
        node_id: &asked.node_id,
        kind: asked.node_kind,
        token: asked.registration_token.as_deref(),
        public_key: &asked.public_key,
    };
    Ok(Json(match state.mesh.on()?.enrolments.validate(&shown).await? {
        Ok(enrolment) => Validated { allowed: true, reason: "ok".into(), node: Some(enrolment.into()) },
        Err(dormant) => Validated { allowed: false, reason: Dormant::as_str(dormant).into(), node: None },
    }))
}

async fn lookup(_: Service, State(state): State<AppState>, Json(asked): Json<Lookup>) -> Answer<Json<LookedUp>> {
    let enrolments = &state.mesh.on()?.enrolments;
    let found = enrolments.of_nodes(&asked.node_ids).await?;
    if asked.seen
        && let Err(error) = enrolments.seen(&asked.node_ids).await
    {
        tracing::warn!(%error, "it is not taken down which machines are there");
    }
    Ok(Json(LookedUp { nodes: found.into_iter().map(KnownNode::from).collect() }))
}

async fn approval(
    _: Service,
    State(state): State<AppState>,
    Path(id): Path<MeshNodeId>,
    Json(asked): Json<Approval>,
) -> Answer<Json<KnownNode>> {
    let enrolments = &state.mesh.on()?.enrolments;
    let found = enrolments.find(&id).await?.ok_or_else(not_found)?;
    if found.kind != asked.node_kind {
        return Err(Refused::new(StatusCode::CONFLICT, "node_kind_mismatch", "it was enrolled as the other kind"));
    }
    let decision = if asked.approved { Decision::Approve } else { Decision::Reject };
    Ok(Json(enrolments.decide(&found.id, decision, "control-plane").await?.into()))
}

async fn people(_: Service, State(state): State<AppState>) -> Answer<Json<PeopleList>> {
    let people = state.identity.user_list().await?.into_iter().map(Person::from).collect();
    Ok(Json(PeopleList { people }))
}

async fn authenticate(
    _: Service,
    State(state): State<AppState>,
    Json(asked): Json<Authenticate>,
) -> Answer<Json<Authenticated>> {
    let owner = state.identity.token_owner_by_hash(asked.token_hash).await?;
    let caller = owner.map(|(user, grant)| Vouched::of(user, &Credential::Token(grant)));
    Ok(Json(Authenticated { caller }))
}
