//! Terminals, and what they and the workspace's starts have said.

use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ids::{TerminalId, WorkspaceId};
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::attach;

use super::super::Workspaces;
use super::super::attach::{MESSAGE_MAX, READ_BUFFER};
use super::super::terminals::{OUTPUT_MAX, side};
use crate::caller::{Caller, TERMINAL_PROTOCOL, TerminalHandshake, User};
use crate::error::{Error, Result};
use crate::http::{Json, PathId, Query};
use crate::platform::log_lines::{self, LINES, forward, json_lines, resume};
use crate::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(workspace_log))
        .routes(routes!(terminal_list, terminal_create))
        .routes(routes!(terminal_update, terminal_delete))
        .routes(routes!(terminal_output))
        .routes(routes!(terminal_matches))
        .routes(routes!(terminal_attach))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// Stay and send what comes, as server-sent events.
    #[serde(default)]
    follow: bool,
    /// Go on after the line with this id; `Last-Event-ID` says the same.
    after: Option<String>,
}

/// What the workspace's starts said: step by step, with what each ran.
#[utoipa::path(get, path = "/api/workspaces/{id}/log", tag = "workspaces",
    params(("id" = WorkspaceId, Path), LogQuery), responses(
    (status = 200, body = api::LogLine, content_type = "application/x-ndjson"), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn workspace_log(
    caller: Caller,
    State(workspaces): State<Workspaces>,
    PathId(id): PathId<WorkspaceId>,
    headers: HeaderMap,
    Query(query): Query<LogQuery>,
) -> Result<Response> {
    let after = resume(&headers, query.after)?;
    let lines = workspaces.log(&caller.user, &id, after, query.follow).await?;
    if !query.follow {
        return Ok(json_lines(lines));
    }
    let (send, received) = mpsc::channel(LINES);
    tokio::spawn(async move { forward(lines, &send).await });
    let Workspaces { closing, identity, .. } = workspaces;
    let end = async move {
        tokio::select! {
            () = closing.cancelled() => {}
            () = identity.ended(caller.credential) => {}
        }
    };
    Ok(log_lines::sse(received, end))
}

/// Terminals that run, and ended ones that are kept, oldest first.
#[utoipa::path(get, path = "/api/workspaces/{id}/terminals", tag = "workspaces", params(("id" = WorkspaceId, Path)),
    responses((status = 200, body = api::TerminalList), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn terminal_list(
    User(user): User,
    State(workspaces): State<Workspaces>,
    PathId(id): PathId<WorkspaceId>,
) -> Result<axum::Json<api::TerminalList>> {
    Ok(axum::Json(api::TerminalList { terminals: workspaces.terminals(&user, &id).await? }))
}

/// Opens a terminal. It goes on when nobody looks.
#[utoipa::path(post, path = "/api/workspaces/{id}/terminals", tag = "workspaces", params(("id" = WorkspaceId, Path)),
    request_body = api::TerminalCreate, responses(
    (status = 201, body = api::Terminal), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn terminal_create(
    User(user): User,
    State(workspaces): State<Workspaces>,
    PathId(id): PathId<WorkspaceId>,
    Json(create): Json<api::TerminalCreate>,
) -> Result<(StatusCode, axum::Json<api::Terminal>)> {
    let terminal = workspaces.terminal_create(&user, &id, create).await?;
    Ok((StatusCode::CREATED, axum::Json(terminal)))
}

/// Renames a terminal.
#[utoipa::path(patch, path = "/api/workspaces/{id}/terminals/{terminal_id}", tag = "workspaces",
    params(("id" = WorkspaceId, Path), ("terminal_id" = TerminalId, Path)), request_body = api::TerminalUpdate,
    responses((status = 200, body = api::Terminal), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn terminal_update(
    User(user): User,
    State(workspaces): State<Workspaces>,
    path: Path<(String, String)>,
    Json(update): Json<api::TerminalUpdate>,
) -> Result<axum::Json<api::Terminal>> {
    let (id, terminal) = named(path)?;
    Ok(axum::Json(workspaces.terminal_rename(&user, (&id, &terminal), &update).await?))
}

/// Ends a terminal's processes; forgets it, with its history, when they have ended.
#[utoipa::path(delete, path = "/api/workspaces/{id}/terminals/{terminal_id}", tag = "workspaces",
    params(("id" = WorkspaceId, Path), ("terminal_id" = TerminalId, Path)), responses(
    (status = 204), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 503, body = api::ErrorBody)))]
async fn terminal_delete(
    User(user): User,
    State(workspaces): State<Workspaces>,
    path: Path<(String, String)>,
) -> Result<StatusCode> {
    let (id, terminal) = named(path)?;
    workspaces.terminal_delete(&user, &id, &terminal).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OutputQuery {
    /// Offset of the first byte; what is not kept any more is left out.
    #[serde(default)]
    from: u64,
    /// At most so many bytes, 4194304 when absent.
    max: Option<u64>,
}

/// Bytes that a terminal put out, also one that has ended. `X-From` is the offset of the first one, `X-End` where its
/// output ends now.
#[utoipa::path(get, path = "/api/workspaces/{id}/terminals/{terminal_id}/output", tag = "workspaces",
    params(("id" = WorkspaceId, Path), ("terminal_id" = TerminalId, Path), OutputQuery), responses(
    (status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn terminal_output(
    User(user): User,
    State(workspaces): State<Workspaces>,
    path: Path<(String, String)>,
    Query(query): Query<OutputQuery>,
) -> Result<Response> {
    let (id, terminal) = named(path)?;
    let max = query.max.unwrap_or(OUTPUT_MAX).clamp(1, OUTPUT_MAX);
    let (head, body) = workspaces.terminal_output(&user, (&id, &terminal), query.from, max).await?.into_parts();
    let mut response = Body::new(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    for name in ["x-from", "x-end"] {
        if let Some(value) = head.headers.get(name) {
            headers.insert(name, value.clone());
        }
    }
    Ok(response)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MatchQuery {
    /// The text, whatever its case.
    #[serde(default)]
    q: String,
    /// At most so many lines, 100 when absent, up to 1000.
    limit: Option<u32>,
}

/// Lines of all terminals' output that have a text in them, newest first, also of ended ones and in a stopped workspace.
#[utoipa::path(get, path = "/api/workspaces/{id}/matches", tag = "workspaces",
    params(("id" = WorkspaceId, Path), MatchQuery), responses(
    (status = 200, body = api::TerminalMatchList), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn terminal_matches(
    User(user): User,
    State(workspaces): State<Workspaces>,
    PathId(id): PathId<WorkspaceId>,
    Query(query): Query<MatchQuery>,
) -> Result<axum::Json<api::TerminalMatchList>> {
    Ok(axum::Json(workspaces.matches(&user, &id, &query.q, query.limit).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AttachQuery {
    /// Output up to this offset was seen; absent: none was.
    from: Option<u64>,
    /// 24 when absent.
    rows: Option<u16>,
    /// 80 when absent.
    columns: Option<u16>,
    /// Only look: types nothing, and has no say in the size.
    #[serde(default)]
    watch: bool,
}

/// Looks at a terminal and types into it: a WebSocket whose binary messages are bytes, and whose text messages are a
/// `TerminalRequest` from the viewer and a `TerminalNotice` to it.
#[utoipa::path(get, path = "/api/workspaces/{id}/terminals/{terminal_id}/attach", tag = "workspaces",
    params(("id" = WorkspaceId, Path), ("terminal_id" = TerminalId, Path), AttachQuery), responses(
    (status = 101), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn terminal_attach(
    TerminalHandshake { caller, only }: TerminalHandshake,
    State(workspaces): State<Workspaces>,
    path: Path<(String, String)>,
    Query(query): Query<AttachQuery>,
    upgrade: std::result::Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let (id, terminal) = named(path)?;
    if only.is_some_and(|only| only != id) {
        return Err(Error::not_found("workspace"));
    }
    if !query.watch {
        caller.check_writes()?;
    }
    let query = attach::Query {
        from: query.from,
        rows: side("rows", query.rows.unwrap_or(24))?,
        columns: side("columns", query.columns.unwrap_or(80))?,
        watch: query.watch,
    };
    let workspace = workspaces.find(&caller.user, &id).await?;
    let upgrade = terminal_socket(upgrade)?;
    let tasks = workspaces.viewers.clone();
    Ok(upgrade.on_upgrade(async move |socket| {
        let ended = async {
            workspaces.identity.ended(caller.credential).await;
            Error::unauthenticated()
        };
        let viewing = workspaces.serve_viewer(socket, workspace, terminal, query, ended);
        // The server does not go before everybody has heard of it.
        tasks.track_future(viewing).await;
    }))
}

/// A socket over which terminals are looked at.
pub(super) fn terminal_socket(
    upgrade: std::result::Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<WebSocketUpgrade> {
    let no_websocket = |_| Error::malformed(None, "this route speaks WebSocket; connect with a client for that");
    let upgrade = upgrade.map_err(no_websocket)?;
    Ok(upgrade.max_message_size(MESSAGE_MAX).read_buffer_size(READ_BUFFER).protocols([TERMINAL_PROTOCOL]))
}

pub(super) fn named(Path((id, terminal)): Path<(String, String)>) -> Result<(WorkspaceId, TerminalId)> {
    let id = id.parse().map_err(|_| Error::not_found("workspace"))?;
    let terminal = terminal.parse().map_err(|_| Error::not_found("terminal"))?;
    Ok((id, terminal))
}
