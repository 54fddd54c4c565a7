//! Links to terminals, and what who has one may do.

use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use ids::{TerminalId, TerminalLinkId, WorkspaceId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::attach;

use super::super::Workspaces;
use super::super::links::Watcher;
use super::super::terminals::side;
use super::terminals::{named, terminal_socket};
use crate::caller::User;
use crate::error::{Error, Result};
use crate::http::{Json, Query};
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(terminal_link_list, terminal_link_create))
        .routes(routes!(terminal_link_delete))
        .routes(routes!(shared_terminal))
        .routes(routes!(shared_terminal_attach))
}

/// Links by which others watch a terminal, oldest first.
#[utoipa::path(get, path = "/api/workspaces/{id}/terminals/{terminal_id}/links", tag = "workspaces",
    params(("id" = WorkspaceId, Path), ("terminal_id" = TerminalId, Path)), responses(
    (status = 200, body = api::TerminalLinkList), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn terminal_link_list(
    User(user): User,
    State(workspaces): State<Workspaces>,
    path: Path<(String, String)>,
) -> Result<axum::Json<api::TerminalLinkList>> {
    let (id, terminal) = named(path)?;
    Ok(axum::Json(api::TerminalLinkList { links: workspaces.links(&user, (&id, &terminal)).await? }))
}

/// Makes a link by which anybody may watch a terminal until it runs out or is taken back.
#[utoipa::path(post, path = "/api/workspaces/{id}/terminals/{terminal_id}/links", tag = "workspaces",
    params(("id" = WorkspaceId, Path), ("terminal_id" = TerminalId, Path)), request_body = api::TerminalLinkCreate,
    responses((status = 201, body = api::TerminalLinkCreated), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody),
    (status = 503, body = api::ErrorBody)))]
async fn terminal_link_create(
    User(user): User,
    State(workspaces): State<Workspaces>,
    path: Path<(String, String)>,
    Json(create): Json<api::TerminalLinkCreate>,
) -> Result<(StatusCode, axum::Json<api::TerminalLinkCreated>)> {
    let (id, terminal) = named(path)?;
    Ok((StatusCode::CREATED, axum::Json(workspaces.link_create(&user, (&id, &terminal), &create).await?)))
}

/// Takes a link back: who watches by it sees no more.
#[utoipa::path(delete, path = "/api/workspaces/{id}/terminals/{terminal_id}/links/{link_id}", tag = "workspaces",
    params(("id" = WorkspaceId, Path), ("terminal_id" = TerminalId, Path), ("link_id" = TerminalLinkId, Path)),
    responses((status = 204), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn terminal_link_delete(
    User(user): User,
    State(workspaces): State<Workspaces>,
    Path((id, terminal, link)): Path<(String, String, String)>,
) -> Result<StatusCode> {
    let (id, terminal) = named(Path((id, terminal)))?;
    let link = link.parse::<TerminalLinkId>().map_err(|_| Error::not_found("link"))?;
    workspaces.link_delete(&user, (&id, &terminal), &link).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a link shows. The link's secret is the token.
#[utoipa::path(get, path = "/api/shared-terminal", tag = "workspaces", responses(
    (status = 200, body = api::SharedTerminal), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn shared_terminal(
    watcher: Watcher,
    State(workspaces): State<Workspaces>,
) -> Result<axum::Json<api::SharedTerminal>> {
    Ok(axum::Json(workspaces.shared_terminal(&watcher).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct WatchQuery {
    /// Output up to this offset was seen; absent: none was.
    from: Option<u64>,
    /// 24 when absent.
    rows: Option<u16>,
    /// 80 when absent.
    columns: Option<u16>,
}

/// Watches a terminal by a link: the same WebSocket as its owner's, on which nothing can be typed.
#[utoipa::path(get, path = "/api/shared-terminal/attach", tag = "workspaces", params(WatchQuery), responses(
    (status = 101), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn shared_terminal_attach(
    watcher: Watcher,
    State(workspaces): State<Workspaces>,
    Query(query): Query<WatchQuery>,
    upgrade: std::result::Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let query = attach::Query {
        from: query.from,
        rows: side("rows", query.rows.unwrap_or(24))?,
        columns: side("columns", query.columns.unwrap_or(80))?,
        watch: true,
    };
    let workspace = workspaces.watched(&watcher).await?;
    let upgrade = terminal_socket(upgrade)?;
    let tasks = workspaces.viewers.clone();
    Ok(upgrade.on_upgrade(async move |socket| {
        let ended = workspaces.link_ended(&watcher);
        let viewing = workspaces.serve_viewer(socket, workspace, watcher.link.terminal_id.clone(), query, ended);
        tasks.track_future(viewing).await;
    }))
}
