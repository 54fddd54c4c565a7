use axum::extract::State;
use axum::http::StatusCode;
use domain::deployment::{Commit, Deployment};
use domain::release::Change;
use ids::{DeploymentId, ReleaseId};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::releases::Kept;
use super::rollback::{End, Plan};
use super::{Deployments, Redeployed};
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
        .routes(routes!(project_redeploy))
        .routes(routes!(deployment_list, deployment_create))
        .routes(routes!(project_rollback))
        .routes(routes!(rollback_plan))
        .routes(routes!(release_list))
        .routes(routes!(release_pin, release_unpin))
        .routes(routes!(deployment_get))
        .routes(routes!(deployment_cancel))
}

type Accepted = (StatusCode, axum::Json<api::DeploymentAccepted>);

fn accepted(deployment: Deployment) -> Accepted {
    let deployment = shown(deployment, false);
    (StatusCode::ACCEPTED, axum::Json(api::DeploymentAccepted { deployment }))
}

/// Deploys the branch's newest commit, or the given one. 200 and no deployment when `if_changed` was asked for and
/// nothing that the project watches has changed.
#[utoipa::path(post, path = "/api/projects/{id}/redeploy", tag = "deployments", params(("id" = String, Path)),
    request_body = api::Redeploy, responses((status = 200, body = api::NotDeployed),
    (status = 202, body = api::DeploymentAccepted), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn project_redeploy(
    User(user): User,
    State(projects): State<Projects>,
    State(deployments): State<Deployments>,
    PathId(id): PathId<ProjectRef>,
    Json(request): Json<api::Redeploy>,
) -> Result<(StatusCode, axum::Json<api::Redeployed>)> {
    let project = projects.find(&id).await?;
    Ok(match deployments.redeploy(&project, &user, &request).await? {
        Redeployed::Begun(deployment) => {
            let (status, axum::Json(accepted)) = accepted(*deployment);
            (status, axum::Json(api::Redeployed::Accepted(Box::new(accepted))))
        }
        Redeployed::Unchanged { reason } => {
            let not = api::NotDeployed { deployed: false, reason };
            (StatusCode::OK, axum::Json(api::Redeployed::Not(not)))
        }
    })
}

/// Another name of redeploy.
#[utoipa::path(post, path = "/api/projects/{id}/deployments", tag = "deployments", params(("id" = String, Path)),
    request_body = api::Redeploy, responses((status = 200, body = api::NotDeployed),
    (status = 202, body = api::DeploymentAccepted), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn deployment_create(
    user: User,
    projects: State<Projects>,
    deployments: State<Deployments>,
    id: PathId<ProjectRef>,
    request: Json<api::Redeploy>,
) -> Result<(StatusCode, axum::Json<api::Redeployed>)> {
    project_redeploy(user, projects, deployments, id, request).await
}

/// Makes a kept release live again, without a build.
#[utoipa::path(post, path = "/api/projects/{id}/rollback", tag = "deployments", params(("id" = String, Path)),
    request_body = api::Rollback, responses(
    (status = 202, body = api::DeploymentAccepted), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn project_rollback(
    User(user): User,
    State(projects): State<Projects>,
    State(deployments): State<Deployments>,
    PathId(id): PathId<ProjectRef>,
    Json(request): Json<api::Rollback>,
) -> Result<Accepted> {
    let project = projects.find(&id).await?;
    Ok(accepted(deployments.rollback(&project, &user, &request).await?))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PlanOf {
    /// Whose release to make live again; the one before the live one when absent.
    deployment_id: Option<String>,
}

/// What a rollback would change, without doing it. Values of variables are not told.
#[utoipa::path(get, path = "/api/projects/{id}/rollback-plan", tag = "deployments", params(("id" = String, Path), PlanOf),
    responses((status = 200, body = api::RollbackPlan), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn rollback_plan(
    _: User,
    State(projects): State<Projects>,
    State(deployments): State<Deployments>,
    PathId(id): PathId<ProjectRef>,
    Query(of): Query<PlanOf>,
) -> Result<axum::Json<api::RollbackPlan>> {
    let project = projects.find(&id).await?;
    let Plan { from, to, diff } = deployments.rollback_plan(&project, of.deployment_id.as_deref()).await?;
    let change = |change: Change| api::ReleaseChange {
        what: change.what,
        change: change.kind,
        from: change.from,
        to: change.to,
        note: change.note.map(str::to_owned),
    };
    Ok(axum::Json(api::RollbackPlan {
        from: from.map(shown_end),
        to: shown_end(to),
        changes: diff.changes.into_iter().map(change).collect(),
        notes: diff.notes.into_iter().map(str::to_owned).collect(),
    }))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Page {
    /// At most so many, 50 when absent.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The project's history, newest first.
#[utoipa::path(get, path = "/api/projects/{id}/deployments", tag = "deployments", params(("id" = String, Path), Page),
    responses((status = 200, body = api::DeploymentList), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn deployment_list(
    _: User,
    State(projects): State<Projects>,
    State(deployments): State<Deployments>,
    PathId(id): PathId<ProjectRef>,
    Query(page): Query<Page>,
) -> Result<axum::Json<api::DeploymentList>> {
    let project = projects.find(&id).await?;
    let limit = page.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let before = match page.cursor.as_deref() {
        None => i64::MAX,
        Some(cursor) => cursor
            .parse()
            .map_err(|_| Error::invalid("cursor", "INVALID_CURSOR", "pass the `next_cursor` of an earlier answer"))?,
    };
    let listed = deployments.list(&project, before, limit).await?;
    let more = listed.len() == usize::try_from(limit).unwrap_or(usize::MAX);
    let next_cursor = listed.last().filter(|_| more).map(|(last, _)| last.number.to_string());
    let deployments = listed.into_iter().map(|(deployment, kept)| shown(deployment, kept)).collect();
    Ok(axum::Json(api::DeploymentList { deployments, next_cursor }))
}

/// What a rollback can choose from, newest first.
#[utoipa::path(get, path = "/api/projects/{id}/releases", tag = "deployments", params(("id" = String, Path)), responses(
    (status = 200, body = api::ReleaseList), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn release_list(
    _: User,
    State(projects): State<Projects>,
    State(deployments): State<Deployments>,
    PathId(id): PathId<ProjectRef>,
) -> Result<axum::Json<api::ReleaseList>> {
    let project = projects.find(&id).await?;
    let releases = deployments.releases(&project).await?.into_iter().map(shown_release).collect();
    let releases_kept = u32::try_from(deployments.releases_kept(&project)).unwrap_or(u32::MAX);
    Ok(axum::Json(api::ReleaseList { releases, releases_kept }))
}

/// Keeps a release whatever its age. A project has at most 20 of them.
#[utoipa::path(put, path = "/api/releases/{id}/pin", tag = "deployments", params(("id" = ReleaseId, Path)), responses(
    (status = 204), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 409, body = api::ErrorBody)))]
async fn release_pin(
    _: User,
    State(deployments): State<Deployments>,
    PathId(id): PathId<ReleaseId>,
) -> Result<StatusCode> {
    deployments.release_pin(&id, true).await.map(|()| StatusCode::NO_CONTENT)
}

/// Lets a release go when it is too old: with the next deployment that goes live.
#[utoipa::path(delete, path = "/api/releases/{id}/pin", tag = "deployments", params(("id" = ReleaseId, Path)),
    responses((status = 204), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn release_unpin(
    _: User,
    State(deployments): State<Deployments>,
    PathId(id): PathId<ReleaseId>,
) -> Result<StatusCode> {
    deployments.release_pin(&id, false).await.map(|()| StatusCode::NO_CONTENT)
}

/// One deployment.
#[utoipa::path(get, path = "/api/deployments/{id}", tag = "deployments", params(("id" = DeploymentId, Path)), responses(
    (status = 200, body = api::Deployment), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn deployment_get(
    _: User,
    State(projects): State<Projects>,
    State(deployments): State<Deployments>,
    PathId(id): PathId<DeploymentId>,
) -> Result<axum::Json<api::Deployment>> {
    let deployment = deployments.find(&id).await?;
    let project = projects.find(&ProjectRef::Id(deployment.project_id.clone())).await?;
    let kept = deployments.recent(&project).await?.kept;
    let is_kept = deployment.release_id.as_ref().is_some_and(|release| kept.contains(release));
    Ok(axum::Json(shown(deployment, is_kept)))
}

/// Stops a deployment that has not settled.
#[utoipa::path(post, path = "/api/deployments/{id}/cancel", tag = "deployments", params(("id" = DeploymentId, Path)),
    responses((status = 200, body = api::DeploymentAccepted), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn deployment_cancel(
    User(user): User,
    State(deployments): State<Deployments>,
    PathId(id): PathId<DeploymentId>,
) -> Result<axum::Json<api::DeploymentAccepted>> {
    let deployment = shown(deployments.cancel(&id, &user).await?, false);
    Ok(axum::Json(api::DeploymentAccepted { deployment }))
}

/// Each step ends when the next one begins, the last one when the deployment has settled.
fn steps(deployment: &Deployment) -> Vec<api::DeploymentStep> {
    let ends = deployment.steps.iter().skip(1).map(|next| Some(next.started_at)).chain([deployment.finished_at]);
    let steps = deployment.steps.iter().zip(ends);
    steps
        .map(|(step, end)| api::DeploymentStep {
            name: step.name.clone(),
            started_at: rfc3339(step.started_at),
            // The clock may have gone back meanwhile.
            finished_at: end.map(|end| rfc3339(end.max(step.started_at))),
        })
        .collect()
}

pub(crate) fn shown(deployment: Deployment, release_kept: bool) -> api::Deployment {
    let steps = steps(&deployment);
    let duration_ms =
        deployment.finished_at.zip(deployment.started_at).map(|(finished, started)| (finished - started).max(0));
    let (failure_code, reason, last_lines) = match deployment.failure {
        Some(failure) => (failure.code, Some(failure.reason), failure.last_lines),
        None => (None, None, Vec::new()),
    };
    api::Deployment {
        id: deployment.id,
        project_id: deployment.project_id,
        number: deployment.number,
        state: deployment.state,
        trigger: deployment.trigger,
        step: deployment.step,
        steps,
        branch: deployment.branch,
        commit: deployment.commit.map(shown_commit),
        // Written by the same serializer; one that an older version wrote may not be read.
        plan: deployment.plan.and_then(|plan| serde_json::from_str(&plan).ok()),
        release_id: deployment.release_id,
        release_kept,
        failure_code,
        reason,
        last_lines,
        created_by: deployment.created_by,
        created_at: rfc3339(deployment.created_at),
        started_at: deployment.started_at.map(rfc3339),
        finished_at: deployment.finished_at.map(rfc3339),
        duration_ms,
    }
}

fn shown_commit(commit: Commit) -> api::Commit {
    api::Commit { sha: commit.sha, message: commit.message, author: commit.author }
}

fn shown_release(kept: Kept) -> api::Release {
    let Kept { release, built_by, live } = kept;
    api::Release {
        id: release.id,
        deployment_id: release.deployment_id,
        number: built_by.number,
        commit: built_by.commit.map(shown_commit),
        live,
        pinned: release.pinned,
        created_at: rfc3339(release.created_at),
    }
}

fn shown_end(end: End) -> api::RollbackEnd {
    api::RollbackEnd {
        deployment_id: end.deployment.id,
        number: end.deployment.number,
        release_id: end.release.id,
        commit: end.deployment.commit.map(shown_commit),
        built_at: rfc3339(end.release.created_at),
    }
}
