mod cluster;

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use ids::{HealthStatus, NodeId, NodeState, NodeStatus};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Observed;

use super::{Known, Nodes};
use crate::caller::User;
use crate::error::{Error, Result};
use crate::http::{Json, PathId, Query};
use crate::rfc3339;
use crate::state::AppState;
pub(crate) use cluster::own_url;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(node_list))
        .routes(routes!(node_get, node_update, node_remove))
        .routes(routes!(node_drain))
        .routes(routes!(node_resume))
        .merge(cluster::routes())
}

/// Every machine.
#[utoipa::path(get, path = "/api/nodes", tag = "nodes", responses(
    (status = 200, body = api::NodeList), (status = 401, body = api::ErrorBody)))]
async fn node_list(_: User, State(nodes): State<Nodes>) -> axum::Json<api::NodeList> {
    axum::Json(api::NodeList { nodes: all(&nodes) })
}

/// One machine with what it uses now and what it can enforce.
#[utoipa::path(get, path = "/api/nodes/{id}", tag = "nodes", params(("id" = NodeId, Path)), responses(
    (status = 200, body = api::Node), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn node_get(_: User, State(nodes): State<Nodes>, PathId(id): PathId<NodeId>) -> Result<axum::Json<api::Node>> {
    node(&nodes, &id).map(axum::Json).ok_or_else(|| Error::not_found("node"))
}

/// Renames a machine, changes its labels, or who may use it.
#[utoipa::path(patch, path = "/api/nodes/{id}", tag = "nodes", params(("id" = NodeId, Path)),
    request_body = api::NodeUpdate, responses((status = 200, body = api::Node), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 409, body = api::ErrorBody)))]
async fn node_update(
    User(user): User,
    State(nodes): State<Nodes>,
    PathId(id): PathId<NodeId>,
    Json(update): Json<api::NodeUpdate>,
) -> Result<axum::Json<api::Node>> {
    nodes.update(&user, &id, &update).await?;
    node(&nodes, &id).map(axum::Json).ok_or_else(|| Error::not_found("node"))
}

#[derive(Deserialize)]
struct Removal {
    #[serde(default)]
    force: bool,
}

/// Takes a machine out of the cluster: its key opens nothing any more. With `force` also while projects are on it.
#[utoipa::path(delete, path = "/api/nodes/{id}", tag = "nodes",
    params(("id" = NodeId, Path), ("force" = Option<bool>, Query)), responses((status = 204),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody),
    (status = 409, body = api::ErrorBody)))]
async fn node_remove(
    User(user): User,
    State(nodes): State<Nodes>,
    PathId(id): PathId<NodeId>,
    Query(Removal { force }): Query<Removal>,
) -> Result<StatusCode> {
    nodes.remove(&user, &id, force).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a machine nothing new, and has what it runs move to others.
#[utoipa::path(post, path = "/api/nodes/{id}/drain", tag = "nodes", params(("id" = NodeId, Path)),
    responses((status = 202, body = api::Node), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn node_drain(
    User(user): User,
    State(nodes): State<Nodes>,
    PathId(id): PathId<NodeId>,
) -> Result<(StatusCode, axum::Json<api::Node>)> {
    nodes.drain(&user, &id).await?;
    let node = node(&nodes, &id).ok_or_else(|| Error::not_found("node"))?;
    Ok((StatusCode::ACCEPTED, axum::Json(node)))
}

/// Lets a drained machine have projects again.
#[utoipa::path(post, path = "/api/nodes/{id}/resume", tag = "nodes", params(("id" = NodeId, Path)),
    responses((status = 200, body = api::Node), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody), (status = 409, body = api::ErrorBody)))]
async fn node_resume(
    User(user): User,
    State(nodes): State<Nodes>,
    PathId(id): PathId<NodeId>,
) -> Result<axum::Json<api::Node>> {
    nodes.resume(&user, &id).await?;
    node(&nodes, &id).map(axum::Json).ok_or_else(|| Error::not_found("node"))
}

/// Every machine.
pub(crate) fn all(nodes: &Nodes) -> Vec<api::Node> {
    nodes.ids().iter().filter_map(|id| node(nodes, id)).collect()
}

fn node(nodes: &Nodes, id: &NodeId) -> Option<api::Node> {
    nodes.with(id, |known| shown(id, known, nodes.inner.patience.stale_after))
}

fn shown(id: &NodeId, known: &Known, stale_after: Duration) -> api::Node {
    let status = known.status();
    let is_up = known.down_since.is_none();
    let fresh = known.last_seen.is_some_and(|(_, seen)| seen.elapsed() < stale_after);
    let last_seen = known.last_seen.map(|(at_ms, _)| at_ms).or(known.node.last_seen_at);
    api::Node {
        id: id.clone(),
        name: known.node.name.clone(),
        status,
        health_status: match (is_up, fresh) {
            (true, true) => HealthStatus::Healthy,
            (true, false) | (false, true) => HealthStatus::Stale,
            (false, false) if status == NodeStatus::Joining => HealthStatus::Stale,
            (false, false) => HealthStatus::Unhealthy,
        },
        embedded: known.node.embedded,
        draining: known.node.state == NodeState::Draining,
        labels: known.node.labels.clone(),
        access: known.node.access,
        granted_to: known.node.granted_to.iter().map(|grantee| grantee.username.clone()).collect(),
        owner_id: known.node.owner.clone(),
        created_at: rfc3339(known.node.created_at),
        version: known.hello.as_ref().map(|hello| hello.version.clone()),
        kernel: known.hello.as_ref().map(|hello| hello.kernel.clone()),
        direct_address: known.hello.as_ref().and_then(|hello| hello.direct_address),
        capabilities: known.hello.iter().flat_map(|hello| &hello.capabilities).map(capability).collect(),
        metrics: known.metrics.back().map(metrics),
        problems: known.problems(),
        workloads: known.observed.as_ref().map(|observed| workloads(known, observed)).unwrap_or_default(),
        last_seen_at: last_seen.map(rfc3339),
    }
}

fn capability(capability: &wire::Capability) -> api::Capability {
    api::Capability { name: capability.name.clone(), enabled: capability.enabled, detail: capability.detail.clone() }
}

fn workloads(known: &Known, observed: &Observed) -> Vec<api::WorkloadMetrics> {
    #[expect(clippy::cast_precision_loss, reason = "seconds for a person")]
    let seconds = |usec: u64| usec as f64 / 1e6;
    observed
        .workloads
        .iter()
        .filter_map(|workload| Some((workload, known.usage(&workload.id), workload.id.base().parse().ok()?)))
        .map(|(workload, usage, deployment_id)| api::WorkloadMetrics {
            project_id: workload.group.clone(),
            deployment_id,
            process: workload.id.process_name().unwrap_or("web").to_owned(),
            state: workload.state.as_str().to_owned(),
            reason: reason(workload),
            memory_bytes: usage.map_or(workload.memory_bytes, |usage| usage.memory_bytes),
            cpu_seconds: usage.map_or(workload.cpu_usec, |usage| usage.cpu_usec).map(seconds),
            cpu_percent: usage.and_then(|usage| usage.cpu_percent),
            network_rx_bytes: usage.and_then(|usage| usage.network_rx_bytes),
            network_tx_bytes: usage.and_then(|usage| usage.network_tx_bytes),
            network_rx_bytes_per_second: usage.and_then(|usage| usage.network_rx_bytes_per_second),
            network_tx_bytes_per_second: usage.and_then(|usage| usage.network_tx_bytes_per_second),
            restarts: workload.restarts,
        })
        .collect()
}

/// A failure is remembered after it is over.
fn reason(workload: &wire::WorkloadStatus) -> Option<String> {
    let down = matches!(workload.state, wire::WorkloadState::Failed | wire::WorkloadState::Restarting);
    workload.failure.as_ref().filter(|_| down).map(|failure| failure.reason.clone())
}

pub(crate) fn metrics(sample: &wire::Metrics) -> api::NodeMetrics {
    api::NodeMetrics {
        time: rfc3339(sample.at_ms),
        cpu_percent: sample.cpu_percent,
        cpu_cores: sample.cpu_cores,
        load: sample.load,
        load5: Some(sample.load5),
        load15: Some(sample.load15),
        memory_used_bytes: sample.memory_used_bytes,
        memory_total_bytes: sample.memory_total_bytes,
        swap_used_bytes: sample.swap_used_bytes,
        swap_total_bytes: sample.swap_total_bytes,
        disk_used_bytes: sample.disk_used_bytes,
        disk_total_bytes: sample.disk_total_bytes,
        network_rx_bytes_per_second: sample.network_rx_bytes_per_second,
        network_tx_bytes_per_second: sample.network_tx_bytes_per_second,
        network_rx_bytes: Some(sample.network_rx_bytes),
        network_tx_bytes: Some(sample.network_tx_bytes),
        cpu_percent_max: None,
        network_rx_bytes_per_second_max: None,
        network_tx_bytes_per_second_max: None,
    }
}
