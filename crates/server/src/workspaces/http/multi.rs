//! Terminals for clients that have all of them over one connection.

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use ids::WorkspaceId;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::Workspaces;
use super::terminals::terminal_socket;
use crate::caller::TerminalHandshake;
use crate::error::{Error, Result};
use crate::http::Query;
use crate::state::AppState;

pub(in crate::workspaces) const TERMINALS: &str = "/terminal/ws/multi";

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(terminal_multi))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MultiQuery {
    /// Which one, where neither the host name nor the token says so.
    workspace_id: Option<String>,
}

/// Opens, finds and closes terminals of one workspace, and types into them: a WebSocket of JSON text frames
/// `{type, sessionId?, data?}`, see the guide to workspaces.
///
/// The workspace is that of the host name `ws-<id>`, of the terminal token, or `workspace_id`; all that say one must agree.
#[utoipa::path(get, path = "/terminal/ws/multi", tag = "workspaces", params(MultiQuery), responses(
    (status = 101), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn terminal_multi(
    TerminalHandshake { caller, only }: TerminalHandshake,
    State(workspaces): State<Workspaces>,
    Query(query): Query<MultiQuery>,
    upgrade: std::result::Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    caller.check_writes()?;
    let asked = query.workspace_id.map(|id| id.to_ascii_lowercase().parse::<WorkspaceId>()).transpose();
    let asked = asked.map_err(|_| Error::not_found("workspace"))?;
    let id = match (only, asked) {
        (Some(only), Some(asked)) if only != asked => return Err(Error::not_found("workspace")),
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => {
            let message = "say with `workspace_id` whose terminals are meant, or come with a token for terminals";
            return Err(Error::invalid("workspace_id", "WORKSPACE_MISSING", message));
        }
    };
    let workspace = workspaces.find(&caller.user, &id).await?;
    if !workspace.state.is_usable() {
        let message = format!("the workspace is {}; start it first", workspace.state);
        return Err(Error::unavailable("WORKSPACE_NOT_RUNNING", message));
    }
    let upgrade = terminal_socket(upgrade)?;
    let tasks = workspaces.viewers.clone();
    Ok(upgrade.on_upgrade(async move |socket| {
        let serving = workspaces.serve_multi(socket, caller.user, workspace, caller.credential);
        // The server does not go before everybody has heard of it.
        tasks.track_future(serving).await;
    }))
}
