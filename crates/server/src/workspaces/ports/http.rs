//! Routes of a workspace's ports.

use axum::extract::{OriginalUri, Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use ids::WorkspaceId;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Ports;
use crate::caller::{Caller, User};
use crate::error::{Error, Result};
use crate::http::{Json, Query};
use crate::platform::identity::Credential;
use crate::state::AppState;
use crate::workspaces::Workspaces;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(port_list)).routes(routes!(port_update)).routes(routes!(port_open))
}

/// What listens in a workspace, and who may reach it.
#[utoipa::path(get, path = "/api/workspaces/{id}/ports", tag = "workspaces", params(("id" = String, Path)), responses(
    (status = 200, body = api::WorkspacePortList), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn port_list(
    User(user): User,
    State(ports): State<Ports>,
    State(workspaces): State<Workspaces>,
    Path(id): Path<String>,
) -> Result<axum::Json<api::WorkspacePortList>> {
    let workspace = workspaces.find(&user, &workspace_id(&id)?).await?;
    Ok(axum::Json(api::WorkspacePortList { ports: ports.list(&workspace).await? }))
}

/// Opens a port to others, or closes it to them.
#[utoipa::path(put, path = "/api/workspaces/{id}/ports/{port}", tag = "workspaces",
    params(("id" = String, Path), ("port" = u16, Path)), request_body = api::WorkspacePortUpdate, responses(
    (status = 200, body = api::WorkspacePortShared), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn port_update(
    User(user): User,
    State(ports): State<Ports>,
    State(workspaces): State<Workspaces>,
    Path((id, port)): Path<(String, String)>,
    Json(update): Json<api::WorkspacePortUpdate>,
) -> Result<axum::Json<api::WorkspacePortShared>> {
    let (id, port) = (workspace_id(&id)?, port_number(&port)?);
    let link = ports.share(&user, &id, port, update.access).await?;
    let workspace = workspaces.find(&user, &id).await?;
    let listed = ports.list(&workspace).await?.into_iter().find(|it| it.port == port);
    let url = ports.config.port_url(&id, port, None);
    let port = listed.unwrap_or(api::WorkspacePort { port, access: update.access, is_listening: false, url });
    Ok(axum::Json(api::WorkspacePortShared { port, link }))
}

#[derive(Deserialize)]
struct Open {
    #[serde(default)]
    to: String,
}

/// Sends a browser that is signed in to a port, with a code that lets it in once.
#[utoipa::path(get, path = "/api/workspaces/{id}/ports/{port}/open", tag = "workspaces",
    params(("id" = String, Path), ("port" = u16, Path), ("to" = Option<String>, Query)), responses(
    (status = 303), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 503, body = api::ErrorBody)))]
async fn port_open(
    caller: Result<Caller>,
    State(ports): State<Ports>,
    Path((id, port)): Path<(String, String)>,
    Query(open): Query<Open>,
    OriginalUri(here): OriginalUri,
    headers: HeaderMap,
) -> Result<Response> {
    let caller = match caller {
        // Somebody who clicked on a link: they come back here when they have signed in.
        Err(error) if error.is_unauthenticated() && wants_page(&headers) => {
            let next = here.path_and_query().map_or("/", |here| here.as_str());
            let next = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
            return Ok(Redirect::to(&format!("/login?next={next}")).into_response());
        }
        caller => caller?,
    };
    let (id, port) = (workspace_id(&id)?, port_number(&port)?);
    let workspace = ports.may_open(&caller.user, &id, port).await?;
    let Credential::Session(session) = caller.credential else {
        return Err(Error::forbidden("SESSION_ONLY", "only a browser that is signed in is let in this way"));
    };
    Ok(Redirect::to(&ports.code(&workspace, port, session, &open.to).await?).into_response())
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

fn workspace_id(text: &str) -> Result<WorkspaceId> {
    text.parse().map_err(|_| Error::not_found("workspace"))
}

fn port_number(text: &str) -> Result<u16> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| Error::not_found("port"))
}
