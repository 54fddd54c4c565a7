//! What builds keep on their nodes for later ones: how much that is, and its removal.

use axum::extract::State;
use domain::project::Project;
use ids::{NodeId, ProjectId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::{Cache, CachePrune, Caches};

use crate::caller::{Admin, User};
use crate::error::{Error, Result};
use crate::http::{Json, PathId};
use crate::platform::nodes::Nodes;
use crate::platform::projects::{ProjectRef, Projects};
use crate::rfc3339;
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(cache_list))
        .routes(routes!(cache_prune))
        .routes(routes!(project_cache, project_cache_clear))
}

impl Nodes {
    async fn caches(&self, node: &NodeId) -> Result<Caches> {
        self.known_link(node).await?.get("/v1/caches").await
    }

    async fn prune_caches(&self, node: &NodeId, prune: &CachePrune) -> Result<Vec<Cache>> {
        self.known_link(node).await?.post("/v1/caches/prune", prune).await
    }

    /// Removes one project's cache, unless a build works with it.
    async fn prune_cache(&self, node: &NodeId, project: &ProjectId, dry_run: bool) -> Result<Vec<Cache>> {
        let prune = CachePrune { dry_run, group: Some(project.clone()), bytes: None };
        let freed = self.prune_caches(node, &prune).await?;
        let is_used = |cache: &Cache| &cache.group == project && cache.in_use;
        if freed.is_empty() && self.caches(node).await?.caches.iter().any(is_used) {
            let message = "a build works with this cache; wait for it, or cancel it, and clear the cache then";
            return Err(Error::conflict("CACHE_IN_USE", message));
        }
        Ok(freed)
    }
}

/// What builds on a machine keep for later ones.
#[utoipa::path(get, path = "/api/nodes/{id}/caches", tag = "nodes", params(("id" = NodeId, Path)), responses(
    (status = 200, body = api::BuildCacheList), (status = 401, body = api::ErrorBody),
    (status = 403, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn cache_list(
    _: Admin,
    State(nodes): State<Nodes>,
    State(projects): State<Projects>,
    PathId(id): PathId<NodeId>,
) -> Result<axum::Json<api::BuildCacheList>> {
    let Caches { caches, limit_bytes } = nodes.caches(&id).await?;
    let projects = projects.list().await?;
    Ok(axum::Json(api::BuildCacheList {
        bytes: total(&caches),
        limit_bytes,
        would_free: caches.iter().filter(|cache| !cache.in_use).map(|cache| cache.group.clone()).collect(),
        caches: caches.into_iter().map(|cache| shown(cache, &projects)).collect(),
    }))
}

/// Removes build caches of a machine: one project's, as many as free `bytes`, or all that no build works with.
#[utoipa::path(post, path = "/api/nodes/{id}/caches/prune", tag = "nodes", params(("id" = NodeId, Path)),
    request_body = api::BuildCachePrune, responses(
    (status = 200, body = api::BuildCachePruned), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 403, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn cache_prune(
    _: Admin,
    State(nodes): State<Nodes>,
    State(projects): State<Projects>,
    PathId(id): PathId<NodeId>,
    Json(prune): Json<api::BuildCachePrune>,
) -> Result<axum::Json<api::BuildCachePruned>> {
    let dry_run = prune.dry_run;
    let freed = match &prune.project_id {
        Some(_) if prune.bytes.is_some() => {
            return Err(Error::invalid("bytes", "INVALID_REQUEST", "give either `project_id` or `bytes`"));
        }
        Some(project) => {
            let reference = project.parse::<ProjectRef>().map_err(|_| Error::not_found("project"))?;
            let project = projects.find(&reference).await?;
            nodes.prune_cache(&id, &project.id, dry_run).await?
        }
        None => nodes.prune_caches(&id, &CachePrune { dry_run, group: None, bytes: prune.bytes }).await?,
    };
    Ok(axum::Json(pruned(dry_run, freed, &projects.list().await?)))
}

/// What builds of a project keep for later ones.
#[utoipa::path(get, path = "/api/projects/{id}/cache", tag = "projects", params(("id" = String, Path)), responses(
    (status = 200, body = api::BuildCache), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn project_cache(
    _: User,
    State(nodes): State<Nodes>,
    State(projects): State<Projects>,
    PathId(id): PathId<ProjectRef>,
) -> Result<axum::Json<api::BuildCache>> {
    let project = projects.find(&id).await?;
    let found = nodes.caches(&project.node_id).await?.caches.into_iter().find(|cache| cache.group == project.id);
    let none = || Cache { group: project.id.clone(), bytes: 0, last_used_ms: None, rebuild_ms: None, in_use: false };
    let cache = found.unwrap_or_else(none);
    Ok(axum::Json(shown(cache, &[project])))
}

/// Clears a project's build cache; its next build takes as long as a first one.
#[utoipa::path(delete, path = "/api/projects/{id}/cache", tag = "projects", params(("id" = String, Path)), responses(
    (status = 200, body = api::BuildCachePruned), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn project_cache_clear(
    _: User,
    State(nodes): State<Nodes>,
    State(projects): State<Projects>,
    PathId(id): PathId<ProjectRef>,
) -> Result<axum::Json<api::BuildCachePruned>> {
    let project = projects.find(&id).await?;
    let freed = nodes.prune_cache(&project.node_id, &project.id, false).await?;
    Ok(axum::Json(pruned(false, freed, &[project])))
}

fn pruned(dry_run: bool, freed: Vec<Cache>, projects: &[Project]) -> api::BuildCachePruned {
    let bytes = total(&freed);
    api::BuildCachePruned { dry_run, freed: freed.into_iter().map(|cache| shown(cache, projects)).collect(), bytes }
}

fn shown(cache: Cache, projects: &[Project]) -> api::BuildCache {
    let project = projects.iter().find(|project| project.id == cache.group);
    #[expect(clippy::cast_precision_loss, reason = "seconds for a person")]
    let rebuild_seconds = cache.rebuild_ms.map(|milliseconds| milliseconds as f64 / 1000.0);
    api::BuildCache {
        project_name: project.map(|project| project.name.clone()),
        project_id: cache.group,
        bytes: cache.bytes,
        last_used_at: cache.last_used_ms.map(rfc3339),
        rebuild_seconds,
        in_use: cache.in_use,
    }
}

fn total(caches: &[Cache]) -> u64 {
    caches.iter().map(|cache| cache.bytes).sum()
}
