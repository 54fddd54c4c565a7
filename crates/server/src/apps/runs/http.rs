use axum::extract::{Path, State};
use axum::http::StatusCode;
use domain::run::Run;
use ids::{ProcessName, RunId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Runs;
use super::schedules::Shown;
use crate::caller::User;
use crate::error::{Error, Result};
use crate::http::{Json, PathId, Query};
use crate::platform::projects::{ProjectRef, Projects};
use crate::rfc3339;
use crate::state::AppState;

const PAGE: i64 = 50;
const PAGE_MAX: i64 = 200;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(run_list, run_create))
        .routes(routes!(run_get))
        .routes(routes!(run_cancel))
        .routes(routes!(schedule_list))
        .routes(routes!(schedule_put, schedule_delete))
        .routes(routes!(schedule_run))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Page {
    /// Only runs of the schedule with this name.
    schedule: Option<String>,
    /// At most so many, 50 when absent.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What was run of a project beside its processes, newest first.
#[utoipa::path(get, path = "/api/projects/{id}/runs", tag = "runs", params(("id" = String, Path), Page), responses(
    (status = 200, body = api::RunList), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn run_list(
    _: User,
    State(projects): State<Projects>,
    State(runs): State<Runs>,
    PathId(id): PathId<ProjectRef>,
    Query(page): Query<Page>,
) -> Result<axum::Json<api::RunList>> {
    let project = projects.find(&id).await?;
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let cursor = page.cursor.as_deref().map(str::parse::<RunId>).transpose();
    let before = cursor
        .map_err(|_| Error::invalid("cursor", "INVALID_CURSOR", "pass the `next_cursor` of an earlier answer"))?;
    let name = match page.schedule.as_deref().map(str::parse::<ProcessName>) {
        None => None,
        Some(Ok(name)) => Some(name),
        Some(Err(_)) => return Ok(axum::Json(api::RunList { runs: Vec::new(), next_cursor: None })),
    };
    let listed = runs.list(&project.id, name.as_ref().map(ProcessName::as_str), before.as_ref(), limit).await?;
    let more = listed.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next_cursor = listed.last().filter(|_| more).map(|run| run.id.as_str().to_owned());
    Ok(axum::Json(api::RunList { runs: listed.into_iter().map(shown).collect(), next_cursor }))
}

/// Runs a command once, with the live release's files, environment, volumes and network.
#[utoipa::path(post, path = "/api/projects/{id}/runs", tag = "runs", params(("id" = String, Path)),
    request_body = api::RunCreate, responses((status = 202, body = api::Run), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn run_create(
    User(user): User,
    State(projects): State<Projects>,
    State(runs): State<Runs>,
    PathId(id): PathId<ProjectRef>,
    Json(create): Json<api::RunCreate>,
) -> Result<(StatusCode, axum::Json<api::Run>)> {
    let project = projects.find(&id).await?;
    let run = runs.create(&project, &user, create).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(shown(run))))
}

/// One run.
#[utoipa::path(get, path = "/api/runs/{id}", tag = "runs", params(("id" = String, Path)), responses(
    (status = 200, body = api::Run), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn run_get(_: User, State(runs): State<Runs>, PathId(id): PathId<RunId>) -> Result<axum::Json<api::Run>> {
    Ok(axum::Json(shown(runs.find(&id).await?)))
}

/// Stops a run.
#[utoipa::path(post, path = "/api/runs/{id}/cancel", tag = "runs", params(("id" = String, Path)), responses(
    (status = 200, body = api::Run), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 409, body = api::ErrorBody)))]
async fn run_cancel(
    User(user): User,
    State(runs): State<Runs>,
    PathId(id): PathId<RunId>,
) -> Result<axum::Json<api::Run>> {
    Ok(axum::Json(shown(runs.cancel(&id, &user).await?)))
}

/// Scheduled jobs, by name: those of the live release's Procfile and those set here.
#[utoipa::path(get, path = "/api/projects/{id}/schedules", tag = "runs", params(("id" = String, Path)), responses(
    (status = 200, body = api::ScheduleList), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn schedule_list(
    _: User,
    State(projects): State<Projects>,
    State(runs): State<Runs>,
    PathId(id): PathId<ProjectRef>,
) -> Result<axum::Json<api::ScheduleList>> {
    let project = projects.find(&id).await?;
    let schedules = runs.schedules(&project).await?.into_iter().map(shown_schedule).collect();
    Ok(axum::Json(api::ScheduleList { schedules }))
}

/// Sets a scheduled job.
#[utoipa::path(put, path = "/api/projects/{id}/schedules/{name}", tag = "runs",
    params(("id" = String, Path), ("name" = String, Path)), request_body = api::SchedulePut, responses(
    (status = 204), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn schedule_put(
    _: User,
    State(projects): State<Projects>,
    State(runs): State<Runs>,
    Path((id, name)): Path<(String, String)>,
    Json(put): Json<api::SchedulePut>,
) -> Result<StatusCode> {
    let project = projects.find(&reference(&id)?).await?;
    let name = name.parse().map_err(|error: ids::Invalid| Error::invalid("name", "INVALID_NAME", error.to_string()))?;
    runs.schedule_put(&project, name, put).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a scheduled job that was set; one of the Procfile goes with its line.
#[utoipa::path(delete, path = "/api/projects/{id}/schedules/{name}", tag = "runs",
    params(("id" = String, Path), ("name" = String, Path)), responses(
    (status = 204), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn schedule_delete(
    _: User,
    State(projects): State<Projects>,
    State(runs): State<Runs>,
    Path((id, name)): Path<(String, String)>,
) -> Result<StatusCode> {
    let project = projects.find(&reference(&id)?).await?;
    runs.schedule_delete(&project, &name.parse().map_err(|_| Error::not_found("schedule"))?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Runs a scheduled job now, whatever its times.
#[utoipa::path(post, path = "/api/projects/{id}/schedules/{name}/run", tag = "runs",
    params(("id" = String, Path), ("name" = String, Path)), responses(
    (status = 202, body = api::Run), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 409, body = api::ErrorBody)))]
async fn schedule_run(
    User(user): User,
    State(projects): State<Projects>,
    State(runs): State<Runs>,
    Path((id, name)): Path<(String, String)>,
) -> Result<(StatusCode, axum::Json<api::Run>)> {
    let project = projects.find(&reference(&id)?).await?;
    let name = name.parse().map_err(|_| Error::not_found("schedule"))?;
    let run = runs.schedule_run(&project, &name, &user).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(shown(run))))
}

fn reference(text: &str) -> Result<ProjectRef> {
    text.parse().map_err(|_| Error::not_found("project"))
}

fn shown(run: Run) -> api::Run {
    let failure = run.failure.unwrap_or_default();
    api::Run {
        id: run.id,
        project_id: run.project_id,
        deployment_id: run.deployment_id,
        kind: run.kind,
        name: Some(run.name).filter(|name| !name.is_empty()),
        command: run.command,
        state: run.state,
        scheduled_for: run.scheduled_for.map(rfc3339),
        exit_code: run.exit_code,
        signal: run.signal,
        failure_code: failure.code,
        reason: Some(failure.reason).filter(|reason| !reason.is_empty()),
        last_lines: failure.last_lines,
        created_by: run.created_by,
        created_at: rfc3339(run.created_at),
        finished_at: run.finished_at.map(rfc3339),
    }
}

fn shown_schedule(shown_one: Shown) -> api::Schedule {
    let Shown { scheduled, next_run_at, last_run } = shown_one;
    api::Schedule {
        name: scheduled.name.as_str().to_owned(),
        schedule: scheduled.schedule,
        command: scheduled.command,
        enabled: scheduled.enabled,
        timeout_seconds: scheduled.timeout_seconds,
        from_procfile: scheduled.from_procfile,
        next_run_at: next_run_at.map(rfc3339),
        last_run: last_run.map(shown),
    }
}
