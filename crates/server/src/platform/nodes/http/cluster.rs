//! Joining: tokens for people, proofs for machines.

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use ids::JoinTokenId;
use link::websocket::READ_BUFFER;
use serde::Deserialize;
use url::Url;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::Nodes;
use super::super::arrivals::Purpose;
use crate::caller::User;
use crate::error::{Error, Result};
use crate::http::{Json, PathId, Query};
use crate::platform::programs::Programs;
use crate::state::{AppState, PublicUrl};
use crate::{now_ms, rfc3339};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(join_token_create))
        .routes(routes!(join_token_list))
        .routes(routes!(join_token_revoke))
        .routes(routes!(identity))
        .routes(routes!(join))
        .routes(routes!(link))
        .routes(routes!(tunnel))
}

/// A token with which one machine can join, once.
#[utoipa::path(post, path = "/api/cluster/generate-token", tag = "cluster", request_body = api::JoinTokenCreate,
    responses((status = 201, body = api::JoinTokenCreated), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody)))]
async fn join_token_create(
    User(user): User,
    State(nodes): State<Nodes>,
    State(programs): State<Programs>,
    State(configured): State<PublicUrl>,
    headers: HeaderMap,
    Json(create): Json<api::JoinTokenCreate>,
) -> Result<(StatusCode, axum::Json<api::JoinTokenCreated>)> {
    let url = own_url(&configured, &headers)?;
    let local_only = is_loopback(&url);
    let (token, text) = nodes.token_create(&user, url.clone(), &create).await?;
    let install_command = programs.one_liner(&url, &text);
    let url = url.as_str().trim_end_matches('/').to_owned();
    let created = api::JoinTokenCreated {
        id: token.id,
        expires_in_seconds: (token.expires_at - token.created_at) / 1000,
        expires_at: rfc3339(token.expires_at),
        command: format!("nanoscale join {text}"),
        install_command,
        token: text.to_string(),
        url,
        local_only,
    };
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// The newest hundred tokens, newest first, and what became of them.
#[utoipa::path(get, path = "/api/cluster/tokens", tag = "cluster", responses(
    (status = 200, body = api::JoinTokenList), (status = 401, body = api::ErrorBody)))]
async fn join_token_list(User(user): User, State(nodes): State<Nodes>) -> Result<axum::Json<api::JoinTokenList>> {
    let tokens = nodes.token_list(&user).await?.into_iter().map(shown).collect();
    Ok(axum::Json(api::JoinTokenList { tokens }))
}

/// Makes a token worthless. A machine that has joined with it stays.
#[utoipa::path(delete, path = "/api/cluster/tokens/{id}", tag = "cluster", params(("id" = JoinTokenId, Path)),
    responses((status = 204), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 409, body = api::ErrorBody)))]
async fn join_token_revoke(
    User(user): User,
    State(nodes): State<Nodes>,
    PathId(id): PathId<JoinTokenId>,
) -> Result<StatusCode> {
    nodes.token_revoke(&user, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Proves to whoever asks which cluster this is. A machine asks before it says anything of itself.
#[utoipa::path(post, path = "/api/cluster/identity", tag = "cluster", request_body = api::ClusterChallenge,
    responses((status = 200, body = api::ClusterIdentity), (status = 400, body = api::ErrorBody)))]
async fn identity(
    State(nodes): State<Nodes>,
    Json(challenge): Json<api::ClusterChallenge>,
) -> Result<axum::Json<api::ClusterIdentity>> {
    nodes.identify(&challenge).map(axum::Json)
}

/// Takes a machine in that proves that it was invited, and which key is its own.
#[utoipa::path(post, path = "/api/cluster/join", tag = "cluster", request_body = api::ClusterJoin, responses(
    (status = 200, body = api::ClusterJoined), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn join(
    State(nodes): State<Nodes>,
    Json(join): Json<api::ClusterJoin>,
) -> Result<axum::Json<api::ClusterJoined>> {
    nodes.join(&join).await.map(axum::Json)
}

#[derive(Deserialize)]
struct Dialled {
    /// Which further connection this is.
    ticket: Option<String>,
}

/// A node's link: a WebSocket (RFC 6455) that carries TLS 1.3 between the node's key and the cluster's. It shows there
/// who it is; a request that cannot become a WebSocket is refused.
#[utoipa::path(get, path = "/api/cluster/link", tag = "cluster", params(("ticket" = Option<String>, Query)),
    responses((status = 101), (status = 400, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn link(
    State(nodes): State<Nodes>,
    Query(Dialled { ticket }): Query<Dialled>,
    upgrade: std::result::Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let purpose = ticket.map_or(Purpose::Lead, |ticket| Purpose::Further { ticket });
    let upgrade = upgrade.map_err(|_| no_websocket())?;
    let place = nodes.place()?;
    let upgrade = upgrade.read_buffer_size(READ_BUFFER);
    Ok(upgrade.on_upgrade(async move |socket| nodes.arrive(socket, purpose, place).await))
}

/// A node's way to apps on other nodes, as `/api/cluster/link` in everything else.
#[utoipa::path(get, path = "/api/cluster/tunnel", tag = "cluster",
    responses((status = 101), (status = 400, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn tunnel(
    State(nodes): State<Nodes>,
    upgrade: std::result::Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let upgrade = upgrade.map_err(|_| no_websocket())?;
    let place = nodes.place()?;
    let upgrade = upgrade.read_buffer_size(READ_BUFFER);
    Ok(upgrade.on_upgrade(async move |socket| nodes.arrive(socket, Purpose::Tunnel, place).await))
}

fn no_websocket() -> Error {
    Error::malformed(None, "this is for machines that have joined; they connect with a WebSocket")
}

/// Where machines find this server: as it is configured, or as the caller found it.
pub(crate) fn own_url(configured: &PublicUrl, headers: &HeaderMap) -> Result<Url> {
    let unknown = || {
        let message = "the server does not know its own address; set `orchestrator.public_url`";
        Error::conflict("NO_PUBLIC_URL", message)
    };
    if let Some(url) = &configured.0 {
        return Url::parse(url).map_err(|_| unknown());
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).ok_or_else(unknown)?;
    let plain = Url::parse(&format!("http://{host}")).map_err(|_| unknown())?;
    if plain.path() != "/" || plain.query().is_some() || !plain.username().is_empty() {
        return Err(unknown());
    }
    // Elsewhere than on this machine plaintext is not answered.
    if is_loopback(&plain) { Ok(plain) } else { Url::parse(&format!("https://{host}")).map_err(|_| unknown()) }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn shown(token: domain::node::JoinToken) -> api::JoinToken {
    let state = match (&token.used, token.revoked_at) {
        (Some(_), _) => "used",
        (None, Some(_)) => "revoked",
        (None, None) if token.expires_at <= now_ms() => "expired",
        (None, None) => "open",
    };
    api::JoinToken {
        id: token.id,
        state: state.into(),
        name: token.name,
        labels: token.labels,
        created_at: rfc3339(token.created_at),
        expires_at: rfc3339(token.expires_at),
        used_at: token.used.as_ref().map(|used| rfc3339(used.at)),
        node_id: token.used.map(|used| used.node_id),
    }
}
