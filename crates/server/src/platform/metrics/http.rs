use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use ids::{NodeId, ProjectId};
use serde::Deserialize;
use store::{NodeSample, ProcessSample};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::exporter::Exporter;
use super::exposition::CONTENT_TYPE;
use super::{History, Range};
use crate::caller::{Metrics, User};
use crate::error::{Error, Result};
use crate::http::{PathId, Query};
use crate::mesh::Mesh;
use crate::platform::nodes::Nodes;
use crate::platform::nodes::http::metrics;
use crate::platform::projects::{ProjectRef, Projects};
use crate::rfc3339;
use crate::state::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(node_metrics)).routes(routes!(project_metrics)).merge(prometheus())
}

/// For Prometheus alone.
pub(crate) fn prometheus() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(prometheus_metrics))
}

/// How far back. Default: ten minutes.
#[derive(Deserialize)]
pub(crate) struct Asked {
    range: Option<String>,
}

impl Asked {
    fn range(&self) -> Result<Range> {
        self.range.as_deref().map_or(Ok(Range::TenMinutes), str::parse)
    }
}

impl History {
    /// What the processes of a group used, by name, over all machines: means.
    pub(crate) async fn of_group(&self, group: &ProjectId, asked: &Asked) -> Result<api::ProjectMetrics> {
        let range = asked.range()?;
        Ok(project_history(interval_seconds(range), self.project(group, range).await?))
    }
}

/// What a machine used: of the last ten minutes every sample, of longer times means.
#[utoipa::path(get, path = "/api/nodes/{id}/metrics", tag = "nodes",
    params(("id" = NodeId, Path), ("range" = Option<String>, Query, description = "`10m`, `1h`, `24h` or `30d`")),
    responses((status = 200, body = api::MetricsHistory), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn node_metrics(
    _: User,
    State(nodes): State<Nodes>,
    State(history): State<History>,
    PathId(id): PathId<NodeId>,
    Query(asked): Query<Asked>,
) -> Result<axum::Json<api::MetricsHistory>> {
    let (period, live) = nodes.samples(&id).ok_or_else(|| Error::not_found("node"))?;
    let range = asked.range()?;
    if range == Range::TenMinutes {
        return Ok(axum::Json(api::MetricsHistory {
            interval_seconds: u32::try_from(period.as_secs()).unwrap_or_default(),
            samples: live.iter().map(metrics).collect(),
        }));
    }
    let samples = history.node(&id, range).await?.iter().map(node_sample).collect();
    Ok(axum::Json(api::MetricsHistory { interval_seconds: interval_seconds(range), samples }))
}

/// What the processes of a project used, over all machines: means.
#[utoipa::path(get, path = "/api/projects/{id}/metrics", tag = "projects",
    params(("id" = String, Path), ("range" = Option<String>, Query, description = "`10m`, `1h`, `24h` or `30d`")),
    responses((status = 200, body = api::ProjectMetrics), (status = 400, body = api::ErrorBody),
    (status = 401, body = api::ErrorBody), (status = 404, body = api::ErrorBody), (status = 503, body = api::ErrorBody)))]
async fn project_metrics(
    _: User,
    State(projects): State<Projects>,
    State(history): State<History>,
    PathId(id): PathId<ProjectRef>,
    Query(asked): Query<Asked>,
) -> Result<axum::Json<api::ProjectMetrics>> {
    let project = projects.find(&id).await?;
    history.of_group(&project.id, &asked).await.map(axum::Json)
}

/// Everything for Prometheus, in its text format. Its caller has the token of the setting `metrics.token`.
#[utoipa::path(get, path = "/metrics", tag = "metrics", responses(
    (status = 200, body = String, content_type = "text/plain"), (status = 401, body = api::ErrorBody),
    (status = 404, body = api::ErrorBody)))]
async fn prometheus_metrics(
    _: Metrics,
    State(nodes): State<Nodes>,
    State(exporter): State<Exporter>,
    State(mesh): State<Mesh>,
) -> Result<impl IntoResponse> {
    let text = exporter.export(&crate::platform::nodes::http::all(&nodes), mesh.metrics()?).await?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}

fn interval_seconds(range: Range) -> u32 {
    u32::try_from(range.resolution().seconds()).unwrap_or_default()
}

fn node_sample(sample: &NodeSample) -> api::NodeMetrics {
    api::NodeMetrics {
        time: rfc3339(sample.at_ms),
        cpu_percent: sample.cpu_percent.mean,
        cpu_percent_max: Some(sample.cpu_percent.max),
        cpu_cores: sample.cpu_cores,
        load: sample.load,
        load5: None,
        load15: None,
        memory_used_bytes: sample.memory_used_bytes,
        memory_total_bytes: sample.memory_total_bytes,
        swap_used_bytes: sample.swap_used_bytes,
        swap_total_bytes: sample.swap_total_bytes,
        disk_used_bytes: sample.disk_used_bytes,
        disk_total_bytes: sample.disk_total_bytes,
        network_rx_bytes_per_second: sample.network_rx.mean,
        network_tx_bytes_per_second: sample.network_tx.mean,
        network_rx_bytes: None,
        network_tx_bytes: None,
        network_rx_bytes_per_second_max: Some(sample.network_rx.max),
        network_tx_bytes_per_second_max: Some(sample.network_tx.max),
    }
}

fn project_history(interval_seconds: u32, samples: Vec<(String, ProcessSample)>) -> api::ProjectMetrics {
    let mut volumes = Vec::new();
    let mut processes: BTreeMap<String, Vec<api::ProcessSample>> = BTreeMap::new();
    for (process, sample) in samples {
        if process.is_empty() {
            volumes.push(api::VolumeSample { time: rfc3339(sample.at_ms), used_bytes: sample.disk_bytes });
        } else {
            processes.entry(process).or_default().push(process_sample(&sample));
        }
    }
    let mut processes =
        processes.into_iter().map(|(process, samples)| api::ProcessMetrics { process, samples }).collect::<Vec<_>>();
    processes.sort_by_key(|it| it.process != "web");
    api::ProjectMetrics { interval_seconds, processes, volumes }
}

fn process_sample(sample: &ProcessSample) -> api::ProcessSample {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes were whole numbers")]
    let bytes = |value: f64| value.round() as u64;
    api::ProcessSample {
        time: rfc3339(sample.at_ms),
        cpu_percent: sample.cpu_percent.mean,
        cpu_percent_max: sample.cpu_percent.max,
        memory_bytes: bytes(sample.memory.mean),
        memory_bytes_max: bytes(sample.memory.max),
        network_rx_bytes_per_second: sample.network_rx.mean,
        network_rx_bytes_per_second_max: sample.network_rx.max,
        network_tx_bytes_per_second: sample.network_tx.mean,
        network_tx_bytes_per_second_max: sample.network_tx.max,
    }
}
