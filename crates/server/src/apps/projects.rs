//! Projects over HTTP, with what is deployed of them.

use axum::extract::State;
use axum::http::StatusCode;
use domain::deployment::Deployment;
use domain::placement::Placement;
use domain::project::{LimitSettings, NetworkSettings, Project, Volume};
use ids::{DeploymentState, NodeId, ProjectStatus, SourceKind};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::WorkloadState;

use crate::apps::deployments::{Deployments, Recent, http::shown as shown_deployment};
use crate::caller::User;
use crate::error::Result;
use crate::http::{Json, PathId};
use crate::platform::nodes::Nodes;
use crate::platform::projects::{ProjectRef, Projects};
use crate::rfc3339;
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(project_list, project_create))
        .routes(routes!(project_get, project_update, project_delete))
        .routes(routes!(project_volumes))
        .routes(routes!(project_plan))
}

/// Every project with its live and its latest deployment.
#[utoipa::path(get, path = "/api/projects", tag = "projects", responses(
    (status = 200, body = api::ProjectList), (status = 401, body = api::ErrorBody)))]
async fn project_list(
    _: User,
    State(projects): State<Projects>,
    State(deployments): State<Deployments>,
    State(nodes): State<Nodes>,
) -> Result<axum::Json<api::ProjectList>> {
    let listed = deployments.overview().await?;
    let projects = listed.into_iter().map(|(project, recent)| shown(&projects, &nodes, project, recent)).collect();
    Ok(axum::Json(api::ProjectList { projects }))
}

/// Makes a project and, when it has a repository or an image, deploys it.
#[utoipa::path(post, path = "/api/projects", tag = "projects", request_body = api::ProjectCreate, responses(
    (status = 201, body = api::ProjectCreated), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn project_create(
    User(user): User,
    State(projects): State<Projects>,
    State(deployments): State<Deployments>,
    State(nodes): State<Nodes>,
    Json(create): Json<api::ProjectCreate>,
) -> Result<(StatusCode, axum::Json<api::ProjectCreated>)> {
    let project = projects.create(create, &user).await?;
    let deployment = match project.source {
        SourceKind::Git | SourceKind::Image => Some(deployments.create_first(&project, &user).await?),
        SourceKind::Upload => None,
    };
    let deployment = deployment.map(|deployment| shown_deployment(deployment, false));
    let recent = deployments.recent(&project).await?;
    let project = shown(&projects, &nodes, project, recent);
    Ok((StatusCode::CREATED, axum::Json(api::ProjectCreated { project, deployment })))
}

/// One project.
#[utoipa::path(get, path = "/api/projects/{id}", tag = "projects", params(("id" = String, Path)), responses(
    (status = 200, body = api::Project), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn project_get(
    _: User,
    State(projects): State<Projects>,
    State(deployments): State<Deployments>,
    State(nodes): State<Nodes>,
    PathId(id): PathId<ProjectRef>,
) -> Result<axum::Json<api::Project>> {
    let project = projects.find(&id).await?;
    let recent = deployments.recent(&project).await?;
    Ok(axum::Json(shown(&projects, &nodes, project, recent)))
}

/// Changes settings; the next deployment takes them up.
#[utoipa::path(patch, path = "/api/projects/{id}", tag = "projects", params(("id" = String, Path)),
    request_body = api::ProjectUpdate, responses(
    (status = 200, body = api::Project), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn project_update(
    User(user): User,
    State(projects): State<Projects>,
    State(deployments): State<Deployments>,
    State(nodes): State<Nodes>,
    PathId(id): PathId<ProjectRef>,
    Json(update): Json<api::ProjectUpdate>,
) -> Result<axum::Json<api::Project>> {
    let project = projects.find(&id).await?;
    let project = projects.update(&project, update, &user).await?;
    // A volume's size holds at once.
    deployments.wake();
    let recent = deployments.recent(&project).await?;
    Ok(axum::Json(shown(&projects, &nodes, project, recent)))
}

/// Removes a project with its processes, files, routes and logs. 204 when nothing is left, 202 while that goes on.
#[utoipa::path(delete, path = "/api/projects/{id}", tag = "projects", params(("id" = String, Path)), responses(
    (status = 202), (status = 204), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 409, body = api::ErrorBody)))]
async fn project_delete(
    User(user): User,
    State(projects): State<Projects>,
    State(deployments): State<Deployments>,
    PathId(id): PathId<ProjectRef>,
) -> Result<StatusCode> {
    let project = projects.find(&id).await?;
    let gone = deployments.delete_project(&project, &user).await?;
    Ok(if gone { StatusCode::NO_CONTENT } else { StatusCode::ACCEPTED })
}

/// What the project's volumes take of the disk, and may take.
#[utoipa::path(get, path = "/api/projects/{id}/volumes", tag = "projects", params(("id" = String, Path)), responses(
    (status = 200, body = api::VolumeUseList), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn project_volumes(
    _: User,
    State(projects): State<Projects>,
    State(nodes): State<Nodes>,
    PathId(id): PathId<ProjectRef>,
) -> Result<axum::Json<api::VolumeUseList>> {
    let project = projects.find(&id).await?;
    let path = format!("/v1/volumes/{}", project.id);
    let used: Vec<wire::VolumeUse> = nodes.link(&project.node_id).await?.get(&path).await?;
    let shown = |it: wire::VolumeUse| api::VolumeUse {
        name: it.name.as_str().to_owned(),
        used_bytes: it.used_bytes,
        limit_bytes: it.limit_bytes,
    };
    Ok(axum::Json(api::VolumeUseList { volumes: used.into_iter().map(shown).collect() }))
}

/// What a deployment of a repository would do, and why, without making anything.
#[utoipa::path(post, path = "/api/projects/plan", tag = "projects", request_body = api::PlanRequest, responses(
    (status = 200, body = api::Plan), (status = 400, body = api::ErrorBody), (status = 401, body = api::ErrorBody)))]
async fn project_plan(
    _: User,
    State(deployments): State<Deployments>,
    Json(request): Json<api::PlanRequest>,
) -> Result<axum::Json<api::Plan>> {
    Ok(axum::Json(deployments.plan(request).await?))
}

fn shown(projects: &Projects, nodes: &Nodes, project: Project, recent: Recent) -> api::Project {
    let status = status(nodes, &project, &recent);
    let Recent { live, latest, kept, placements } = recent;
    let placements = placements.iter().map(|placement| shown_placement(nodes, placement, live.as_ref())).collect();
    let deployment = |deployment: Deployment| {
        let kept = deployment.release_id.as_ref().is_some_and(|id| kept.contains(id));
        shown_deployment(deployment, kept)
    };
    let domain = projects.domain(&project);
    let down = live.as_ref().and_then(|live| nodes.down_failure(&project.node_id, &live.id));
    let down = down.map(|failure| (failure.code, failure.reason));
    let away = (status == ProjectStatus::Down && !nodes.is_online(&project.node_id)).then(|| {
        let name = nodes.name(&project.node_id).unwrap_or_default();
        let reason = format!("its server {name} cannot be reached; what runs there goes on without us");
        ("NODE_UNREACHABLE".to_owned(), reason)
    });
    let (down_code, down_reason) = away.or(down).unzip();
    api::Project {
        down_code,
        down_reason,
        port_error: nodes.port_error(&project.node_id, &domain),
        domain,
        url: projects.url(&project),
        id: project.id,
        name: project.name,
        status,
        source: project.source,
        node_id: project.node_id,
        placements,
        replicas: project.placing.replicas,
        node_labels: project.placing.labels,
        reschedule: project.placing.reschedule,
        repo_url: project.settings.repo_url,
        branch: project.settings.branch,
        root_directory: project.settings.root_directory,
        watch_paths: project.settings.watch_paths,
        install_command: project.settings.install_command,
        build_command: project.settings.build_command,
        run_command: project.settings.run_command,
        output_directory: project.settings.output_directory,
        health_path: project.settings.health_path,
        network: shown_network(&project.runtime.network),
        volumes: project.runtime.volumes.iter().map(shown_volume).collect(),
        limits: shown_limits(&project.runtime.limits),
        releases_kept: project.settings.releases_kept,
        image: project.settings.image,
        registry_username: project.settings.registry.username,
        has_registry_password: project.settings.registry.password_sealed.is_some(),
        builder: project.settings.builder,
        dockerfile_path: project.settings.dockerfile_path,
        port: project.port,
        live_deployment: live.map(deployment),
        latest_deployment: latest.map(deployment),
        created_at: rfc3339(project.created_at),
        updated_at: rfc3339(project.updated_at),
    }
}

fn shown_placement(nodes: &Nodes, placement: &Placement, live: Option<&Deployment>) -> api::ProjectPlacement {
    let node = &placement.node_id;
    api::ProjectPlacement {
        node_id: node.clone(),
        name: nodes.name(node).unwrap_or_default(),
        state: placement.state,
        ready: live.is_some_and(|live| is_ready(nodes, node, live)),
    }
}

fn is_ready(nodes: &Nodes, node: &NodeId, live: &Deployment) -> bool {
    nodes.is_online(node) && nodes.workload_state(node, &live.id) == Some(WorkloadState::Ready)
}

fn shown_network(network: &NetworkSettings) -> api::NetworkSettings {
    api::NetworkSettings {
        outward: network.outward,
        destinations: network.destinations.iter().map(ToString::to_string).collect(),
        host_ports: network.host_ports.clone(),
    }
}

fn shown_volume(volume: &Volume) -> api::Volume {
    api::Volume { name: volume.name.as_str().to_owned(), path: volume.path.clone(), size_mb: volume.size_mb }
}

fn shown_limits(limits: &LimitSettings) -> api::LimitSettings {
    let LimitSettings { memory_mb, cpu_percent, processes, build_memory_mb } = *limits;
    api::LimitSettings { memory_mb, cpu_percent, processes, build_memory_mb }
}

/// What a visitor would find.
fn status(nodes: &Nodes, project: &Project, recent: &Recent) -> ProjectStatus {
    if project.deleting {
        return ProjectStatus::Deleting;
    }
    if let Some(live) = &recent.live {
        let home = std::iter::once(&project.node_id);
        let mut places = home.chain(recent.placements.iter().map(|placement| &placement.node_id));
        return match places.any(|node| is_ready(nodes, node, live)) {
            true => ProjectStatus::Live,
            false => ProjectStatus::Down,
        };
    }
    match recent.latest.as_ref().map(|latest| latest.state) {
        Some(DeploymentState::Queued | DeploymentState::Building | DeploymentState::Starting) => {
            ProjectStatus::Deploying
        }
        Some(DeploymentState::Failed) => ProjectStatus::Failed,
        _ => ProjectStatus::Empty,
    }
}
