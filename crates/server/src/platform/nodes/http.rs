use std::time::Duration;

use axum::extract::State;
use ids::{HealthStatus, NodeId, NodeStatus};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use wire::Observed;

use super::{Known, Nodes};
use crate::caller::User;
use crate::error::{Error, Result};
use crate::http::PathId;
use crate::rfc3339;
use crate::state::AppState;

/// A node that has been silent longer is stale.
const STALE: Duration = Duration::from_secs(30);

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(node_list)).routes(routes!(node_get))
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

/// Every machine.
pub(crate) fn all(nodes: &Nodes) -> Vec<api::Node> {
    nodes.ids().iter().filter_map(|id| node(nodes, id)).collect()
}

fn node(nodes: &Nodes, id: &NodeId) -> Option<api::Node> {
    let embedded = nodes.local_id() == id;
    nodes.with(id, |known| shown(id, known, embedded))
}

fn shown(id: &NodeId, known: &Known, embedded: bool) -> api::Node {
    let online = known.link.borrow().is_some();
    let fresh = known.last_seen.is_some_and(|(_, seen)| seen.elapsed() < STALE);
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
        problems: known.problem().into_iter().collect(),
        workloads: known.observed.as_ref().map(|observed| workloads(known, observed)).unwrap_or_default(),
        last_seen_at: known.last_seen.map(|(at_ms, _)| rfc3339(at_ms)),
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
