use axum::extract::State;
use ids::{HealthStatus, NodeId, NodeStatus};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Observed;

use super::{Known, Nodes};
use crate::caller::User;
use crate::error::{Error, Result};
use crate::http::PathId;
use crate::state::AppState;
use crate::{now_ms, rfc3339};

/// A node that has been silent longer is stale.
const STALE_MS: i64 = 30_000;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(node_list)).routes(routes!(node_get)).routes(routes!(node_metrics))
}

/// Every machine.
#[utoipa::path(get, path = "/api/nodes", tag = "nodes", responses(
    (status = 200, body = api::NodeList), (status = 401, body = api::ErrorBody)))]
async fn node_list(_: User, State(nodes): State<Nodes>) -> axum::Json<api::NodeList> {
    let nodes = nodes.ids().iter().filter_map(|id| node(&nodes, id)).collect();
    axum::Json(api::NodeList { nodes })
}

/// One machine with what it uses now and what it can enforce.
#[utoipa::path(get, path = "/api/nodes/{id}", tag = "nodes", params(("id" = NodeId, Path)), responses(
    (status = 200, body = api::Node), (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody)))]
async fn node_get(_: User, State(nodes): State<Nodes>, PathId(id): PathId<NodeId>) -> Result<axum::Json<api::Node>> {
    node(&nodes, &id).map(axum::Json).ok_or_else(|| Error::not_found("node"))
}

/// The last ten minutes, for a plot.
#[utoipa::path(get, path = "/api/nodes/{id}/metrics", tag = "nodes", params(("id" = NodeId, Path)), responses(
    (status = 200, body = api::MetricsHistory), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn node_metrics(
    _: User,
    State(nodes): State<Nodes>,
    PathId(id): PathId<NodeId>,
) -> Result<axum::Json<api::MetricsHistory>> {
    let samples = nodes.with(&id, |known| known.metrics.iter().map(metrics).collect());
    let samples = samples.ok_or_else(|| Error::not_found("node"))?;
    Ok(axum::Json(api::MetricsHistory { interval_seconds: 2, samples }))
}

fn node(nodes: &Nodes, id: &NodeId) -> Option<api::Node> {
    let embedded = nodes.local_id() == id;
    nodes.with(id, |known| shown(id, known, embedded))
}

fn shown(id: &NodeId, known: &Known, embedded: bool) -> api::Node {
    let online = known.link.borrow().is_some();
    let fresh = known.last_seen_ms.is_some_and(|seen| now_ms() - seen < STALE_MS);
    api::Node {
        id: id.clone(),
        name: known.name.clone(),
        status: if online { NodeStatus::Online } else { NodeStatus::Offline },
        health_status: match (online, fresh) {
            (true, true) => HealthStatus::Healthy,
            (true, false) => HealthStatus::Stale,
            (false, _) => HealthStatus::Unhealthy,
        },
        embedded,
        version: known.hello.as_ref().map(|hello| hello.version.clone()),
        kernel: known.hello.as_ref().map(|hello| hello.kernel.clone()),
        capabilities: known.hello.iter().flat_map(|hello| &hello.capabilities).map(capability).collect(),
        metrics: known.metrics.back().map(metrics),
        workloads: known.observed.as_ref().map(workloads).unwrap_or_default(),
        last_seen_at: known.last_seen_ms.map(rfc3339),
    }
}

fn capability(capability: &wire::Capability) -> api::Capability {
    api::Capability { name: capability.name.clone(), enabled: capability.enabled, detail: capability.detail.clone() }
}

fn workloads(observed: &Observed) -> Vec<api::WorkloadMetrics> {
    #[expect(clippy::cast_precision_loss, reason = "seconds for a person")]
    let seconds = |usec: u64| usec as f64 / 1e6;
    observed
        .workloads
        .iter()
        .filter_map(|workload| Some((workload, workload.id.base().parse().ok()?)))
        .map(|(workload, deployment_id)| api::WorkloadMetrics {
            project_id: workload.group.clone(),
            deployment_id,
            process: workload.id.process_name().unwrap_or("web").to_owned(),
            state: workload.state.as_str().to_owned(),
            reason: reason(workload),
            memory_bytes: workload.memory_bytes,
            cpu_seconds: workload.cpu_usec.map(seconds),
            restarts: workload.restarts,
        })
        .collect()
}

/// A failure is remembered after it is over.
fn reason(workload: &wire::WorkloadStatus) -> Option<String> {
    let down = matches!(workload.state, wire::WorkloadState::Failed | wire::WorkloadState::Restarting);
    workload.failure.as_ref().filter(|_| down).map(|failure| failure.reason.clone())
}

fn metrics(sample: &wire::Metrics) -> api::NodeMetrics {
    api::NodeMetrics {
        time: rfc3339(sample.at_ms),
        cpu_percent: sample.cpu_percent,
        cpu_cores: sample.cpu_cores,
        load: sample.load,
        memory_used_bytes: sample.memory_used_bytes,
        memory_total_bytes: sample.memory_total_bytes,
        disk_used_bytes: sample.disk_used_bytes,
        disk_total_bytes: sample.disk_total_bytes,
        network_rx_bytes_per_second: sample.network_rx_bytes_per_second,
        network_tx_bytes_per_second: sample.network_tx_bytes_per_second,
    }
}
