mod links;
mod multi;
mod terminals;

use axum::extract::State;
use axum::http::StatusCode;
use domain::workspace::WorkspaceFilter;
use ids::{WorkspaceId, WorkspaceState};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) use self::multi::TERMINALS;
use super::Workspaces;
use crate::caller::User;
use crate::error::{Error, Result};
use crate::http::{Json, PathId, Query};
use crate::platform::metrics::History;
use crate::platform::metrics::http::Asked;
use crate::platform::rates::{Rated, Rates};
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(workspace_list, workspace_create))
        .routes(routes!(workspace_get, workspace_update, workspace_delete))
        .routes(routes!(workspace_stop))
        .routes(routes!(workspace_restart))
        .routes(routes!(workspace_rebuild))
        .routes(routes!(workspace_awake, workspace_awake_end))
        .routes(routes!(workspace_metrics))
        .merge(terminals::routes())
        .merge(multi::routes())
        .merge(links::routes())
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only those in this state.
    state: Option<WorkspaceState>,
    /// Only those on this server: its id or its name.
    node_id: Option<String>,
    /// Only those of this project: its id, slug or name.
    project_id: Option<String>,
}

/// The caller's workspaces, newest first.
#[utoipa::path(get, path = "/api/workspaces", tag = "workspaces", params(ListQuery), responses(
    (status = 200, body = api::WorkspaceList), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn workspace_list(
    User(user): User,
    State(workspaces): State<Workspaces>,
    Query(query): Query<ListQuery>,
) -> Result<axum::Json<api::WorkspaceList>> {
    let named = |text: Option<String>| text.filter(|text| !text.is_empty());
    let mut filter = WorkspaceFilter { state: query.state, ..WorkspaceFilter::default() };
    if let Some(text) = named(query.node_id) {
        filter.node = Some(workspaces.nodes.named(&text).ok_or_else(|| Error::not_found("node"))?);
    }
    if let Some(text) = named(query.project_id) {
        filter.project = Some(workspaces.projects.named(&text).await?.id);
    }
    let found = workspaces.list(&user, filter).await?;
    Ok(axum::Json(api::WorkspaceList { workspaces: workspaces.shown(found).await? }))
}

/// Opens a project on a machine. It is `creating` until its node has it ready.
#[utoipa::path(post, path = "/api/workspaces", tag = "workspaces", request_body = api::WorkspaceCreate, responses(
    (status = 201, body = api::Workspace), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody),
    (status = 429, body = api::ErrorBody)))]
async fn workspace_create(
    User(user): User,
    State(workspaces): State<Workspaces>,
    State(rates): State<Rates>,
    Json(create): Json<api::WorkspaceCreate>,
) -> Result<(StatusCode, axum::Json<api::Workspace>)> {
    let workspace = rates.count(&user, Rated::WorkspaceCreate, workspaces.create(create, &user)).await?;
    Ok((StatusCode::CREATED, axum::Json(workspaces.shown_one(workspace).await?)))
}

/// One workspace, with the steps of its present or last start.
#[utoipa::path(get, path = "/api/workspaces/{id}", tag = "workspaces", params(("id" = WorkspaceId, Path)), responses(
    (status = 200, body = api::Workspace), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn workspace_get(
    User(user): User,
    State(workspaces): State<Workspaces>,
    PathId(id): PathId<WorkspaceId>,
) -> Result<axum::Json<api::Workspace>> {
    let workspace = workspaces.find(&user, &id).await?;
    Ok(axum::Json(workspaces.shown_one(workspace).await?))
}

/// What all of its processes used together: means.
#[utoipa::path(get, path = "/api/workspaces/{id}/metrics", tag = "workspaces",
    params(("id" = WorkspaceId, Path), ("range" = Option<String>, Query, description = "`10m`, `1h`, `24h` or `30d`")),
    responses((status = 200, body = api::ProjectMetrics), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn workspace_metrics(
    User(user): User,
    State(workspaces): State<Workspaces>,
    State(history): State<History>,
    PathId(id): PathId<WorkspaceId>,
    Query(asked): Query<Asked>,
) -> Result<axum::Json<api::ProjectMetrics>> {
    let workspace = workspaces.find(&user, &id).await?;
    let mut metrics = history.of_group(&workspace.id.group(), &asked).await?;
    // Whoever measures knows no name for what is not a process of a release.
    metrics.processes.iter_mut().for_each(|it| "workspace".clone_into(&mut it.process));
    Ok(axum::Json(metrics))
}

/// Renames it, or changes when it is stopped for want of use.
#[utoipa::path(patch, path = "/api/workspaces/{id}", tag = "workspaces", params(("id" = WorkspaceId, Path)),
    request_body = api::WorkspaceUpdate, responses(
    (status = 200, body = api::Workspace), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn workspace_update(
    User(user): User,
    State(workspaces): State<Workspaces>,
    PathId(id): PathId<WorkspaceId>,
    Json(update): Json<api::WorkspaceUpdate>,
) -> Result<axum::Json<api::Workspace>> {
    workspaces.update(&user, &id, &update).await?;
    let workspace = workspaces.find(&user, &id).await?;
    Ok(axum::Json(workspaces.shown_one(workspace).await?))
}

/// Removes it with its files. It is `deleting` until its node has nothing of it left, and then not there.
#[utoipa::path(delete, path = "/api/workspaces/{id}", tag = "workspaces", params(("id" = WorkspaceId, Path)), responses(
    (status = 202), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn workspace_delete(
    User(user): User,
    State(workspaces): State<Workspaces>,
    PathId(id): PathId<WorkspaceId>,
) -> Result<StatusCode> {
    workspaces.delete(&user, &id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Ends its processes. Its files stay, also those that were not committed.
#[utoipa::path(post, path = "/api/workspaces/{id}/stop", tag = "workspaces", params(("id" = WorkspaceId, Path)),
    responses((status = 202, body = api::Workspace), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn workspace_stop(
    User(user): User,
    State(workspaces): State<Workspaces>,
    PathId(id): PathId<WorkspaceId>,
) -> Result<(StatusCode, axum::Json<api::Workspace>)> {
    let workspace = workspaces.stop(&user, &id).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(workspaces.shown_one(workspace).await?)))
}

/// Starts it with the files it has. One in recovery or error is tried again from the step that failed.
#[utoipa::path(post, path = "/api/workspaces/{id}/restart", tag = "workspaces", params(("id" = WorkspaceId, Path)),
    responses((status = 202, body = api::Workspace), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn workspace_restart(
    User(user): User,
    State(workspaces): State<Workspaces>,
    PathId(id): PathId<WorkspaceId>,
) -> Result<(StatusCode, axum::Json<api::Workspace>)> {
    let workspace = workspaces.restart(&user, &id).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(workspaces.shown_one(workspace).await?)))
}

/// Makes it anew from its repository: its files are removed, also those that were never committed.
#[utoipa::path(post, path = "/api/workspaces/{id}/rebuild", tag = "workspaces", params(("id" = WorkspaceId, Path)),
    request_body = api::WorkspaceRebuild, responses(
    (status = 202, body = api::Workspace), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn workspace_rebuild(
    User(user): User,
    State(workspaces): State<Workspaces>,
    PathId(id): PathId<WorkspaceId>,
    Json(asked): Json<api::WorkspaceRebuild>,
) -> Result<(StatusCode, axum::Json<api::Workspace>)> {
    let workspace = workspaces.rebuild(&user, &id, &asked).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(workspaces.shown_one(workspace).await?)))
}

/// Keeps it awake though nothing happens in it: for a time from now on, or until the job ends that has a terminal to
/// itself now. A shutdown deadline counts all the same.
#[utoipa::path(post, path = "/api/workspaces/{id}/awake", tag = "workspaces", params(("id" = WorkspaceId, Path)),
    request_body = api::WorkspaceAwake, responses(
    (status = 200, body = api::Workspace), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn workspace_awake(
    User(user): User,
    State(workspaces): State<Workspaces>,
    PathId(id): PathId<WorkspaceId>,
    Json(asked): Json<api::WorkspaceAwake>,
) -> Result<axum::Json<api::Workspace>> {
    workspaces.keep_awake(&user, &id, &asked).await?;
    let workspace = workspaces.find(&user, &id).await?;
    Ok(axum::Json(workspaces.shown_one(workspace).await?))
}

/// Takes that back: it is stopped when nothing happened in it for its time, after a warning at least.
#[utoipa::path(delete, path = "/api/workspaces/{id}/awake", tag = "workspaces", params(("id" = WorkspaceId, Path)),
    responses((status = 200, body = api::Workspace), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn workspace_awake_end(
    User(user): User,
    State(workspaces): State<Workspaces>,
    PathId(id): PathId<WorkspaceId>,
) -> Result<axum::Json<api::Workspace>> {
    workspaces.keep_awake_no_more(&user, &id).await?;
    let workspace = workspaces.find(&user, &id).await?;
    Ok(axum::Json(workspaces.shown_one(workspace).await?))
}
