//! The node's API, served to its control plane over the link and to nobody else: the node
//! dials, then the roles turn round and it answers HTTP/2 requests on that connection.

mod caches;
mod logs;
mod machine;
pub(crate) mod peers;
mod releases;
mod terminals;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use futures_util::StreamExt;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ids::DeploymentId;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use wire::{
    Capability, CompareSpec, Comparison, Desired, Hello, LINK_PROTOCOL, Metrics, Observed, Preview, PreviewSpec,
};

use crate::Agent;

/// How long a node keeps a question for news open.
const LONG_POLL: Duration = Duration::from_secs(20);
/// Streams on one connection: log followers of many browsers among them, and connections of other nodes' visitors.
const STREAMS: u32 = 4096;
/// Bytes of the longest desired state.
const DESIRED_MAX: usize = 64 << 20;
/// A control plane that is silent is asked for a sign of life, and is gone when there is none: after 13 s at the latest.
pub(crate) const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
pub(crate) const SILENCE: Duration = Duration::from_secs(8);
pub(crate) const STREAM_WINDOW: u32 = 1 << 20;
/// A program that takes nothing of what is sent to it holds up a stream's window: as many as that fit into it.
pub(crate) const CONNECTION_WINDOW: u32 = 512 << 20;

/// Answers the control plane on `io` until it hangs up, or gives no sign of life.
pub async fn serve_link(agent: Agent, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    serve(router(agent), io).await;
}

pub(crate) async fn serve(router: Router, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = TowerToHyperService::new(router);
    let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(SIGN_OF_LIFE)
        .keep_alive_timeout(SILENCE)
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .serve_connection(TokioIo::new(io), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "the link ended");
    }
}

pub(crate) fn router(agent: Agent) -> Router {
    Router::new()
        .route("/v1/hello", get(hello))
        .route("/v1/desired", put(desired_put))
        .route("/v1/observed", get(observed))
        .route("/v1/metrics", get(metrics))
        .route("/v1/uploads/{upload}", put(upload_put))
        .route("/v1/previews", post(preview))
        .route("/v1/comparisons", post(compare))
        .route("/v1/ports/{port}", get(port))
        .route("/v1/volumes/{group}", get(volumes))
        .route("/v1/releases/{group}/{build}", get(releases::archive))
        .route("/v1/peers/{host}", post(peers::connect))
        .route("/v1/caches", get(caches::list))
        .route("/v1/caches/prune", post(caches::prune))
        .route("/v1/logs/build/{group}/{workload}", get(logs::build))
        .route("/v1/logs/job/{group}/{workload}", get(logs::job))
        .route("/v1/logs/run/{group}", get(logs::run))
        .route("/v1/logs/run/{group}/page", get(logs::run_page))
        .merge(machine::routes())
        .merge(terminals::routes())
        // A desired state grows with the projects in it, and the caller may be taken over.
        .layer(axum::extract::DefaultBodyLimit::max(DESIRED_MAX))
        .with_state(agent)
}

async fn hello(State(agent): State<Agent>) -> axum::Json<Hello> {
    let mut capabilities = sandbox::probe()
        .into_iter()
        .map(|capability| Capability {
            name: capability.name.to_string(),
            enabled: capability.enabled,
            detail: capability.detail,
        })
        .collect::<Vec<_>>();
    capabilities.push(agent.networks().capability().await);
    capabilities.push(agent.separation());
    capabilities.push(agent.driver());
    capabilities.push(crate::engine::capability(agent.docker_host()).await);
    capabilities.push(crate::agent::admission::capability());
    let kernel = nix::sys::utsname::uname()
        .map(|name| format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy()))
        .unwrap_or_default();
    let direct_address = match agent.direct() {
        Some(direct) => direct.address().await,
        None => None,
    };
    let version = env!("CARGO_PKG_VERSION").into();
    axum::Json(Hello { protocol: LINK_PROTOCOL, version, kernel, capabilities, direct_address })
}

async fn desired_put(State(agent): State<Agent>, axum::Json(desired): axum::Json<Desired>) -> Response {
    // It waits for the disk.
    match tokio::task::spawn_blocking(move || agent.set_desired(desired)).await {
        Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
        Ok(Err(stale)) => (StatusCode::CONFLICT, axum::Json(stale.has)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[derive(Deserialize)]
struct After {
    revision: Option<u64>,
}

/// What the node sees, as soon as that differs from revision `after`.
async fn observed(State(agent): State<Agent>, Query(after): Query<After>) -> axum::Json<Observed> {
    let mut observed = agent.observed();
    if let Some(revision) = after.revision {
        let _ = tokio::time::timeout(LONG_POLL, observed.wait_for(|seen| seen.revision != revision)).await;
    }
    let mut seen = observed.borrow().clone();
    agent.add_usage(&mut seen);
    axum::Json(seen)
}

async fn metrics(State(agent): State<Agent>) -> axum::Json<Option<Metrics>> {
    axum::Json(agent.sampler().last())
}

/// Takes an archive that a build waits for; it is there as a whole or not at all.
async fn upload_put(State(agent): State<Agent>, Path(upload): Path<DeploymentId>, body: Body) -> Response {
    match store_upload(&agent, &upload, body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn store_upload(agent: &Agent, upload: &DeploymentId, body: Body) -> std::io::Result<()> {
    let layout = &agent.confine().layout;
    // Goes again wherever this ends early, also when whoever sends it hangs up and nothing is awaited any more.
    let part = tempfile::Builder::new().prefix(&format!("{upload}.")).suffix(".part").tempfile_in(layout.uploads())?;
    let mut file = tokio::fs::File::from_std(part.reopen()?);
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        file.write_all(&chunk.map_err(std::io::Error::other)?).await?;
    }
    file.sync_all().await?;
    // It may be wanted no more now that it is there.
    if agent.wants_upload(upload) {
        // The unpacking process reads it as another user.
        std::fs::set_permissions(part.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        part.persist(layout.upload(upload))?;
    }
    Ok(())
}

/// What would be done with a source.
async fn preview(State(agent): State<Agent>, axum::Json(spec): axum::Json<PreviewSpec>) -> axum::Json<Preview> {
    // Goes on to its end, and to clearing up after itself, also when nobody waits for the answer any more.
    let looking = tokio::spawn(async move { Box::pin(agent.preview(spec)).await });
    axum::Json(looking.await.unwrap_or_else(|error| {
        let reason = format!("the node could not look at it: {error}");
        Preview::Failed { failure: wire::Failure { code: "NODE_ERROR".into(), reason, last_lines: Vec::new() } }
    }))
}

/// What changed in a repository.
async fn compare(State(agent): State<Agent>, axum::Json(spec): axum::Json<CompareSpec>) -> axum::Json<Comparison> {
    // As above.
    let looking = tokio::spawn(async move { agent.compare(spec).await });
    axum::Json(
        looking
            .await
            .unwrap_or_else(|error| Comparison::Unknown { reason: format!("the node could not look at it: {error}") }),
    )
}

/// What the volumes of a group take.
async fn volumes(State(agent): State<Agent>, Path(group): Path<ids::ProjectId>) -> axum::Json<Vec<wire::VolumeUse>> {
    axum::Json(agent.volume_use(&group).await)
}

/// Whether nobody listens on a loopback port.
async fn port(Path(port): Path<u16>) -> axum::Json<bool> {
    axum::Json(tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).await.is_ok())
}

impl Agent {
    /// Fills in what each workload uses right now.
    fn add_usage(&self, seen: &mut Observed) {
        for workload in &mut seen.workloads {
            let container = self.container_pid(&workload.id);
            let cgroup = match container {
                Some(pid) => sandbox::cgroup::Cgroup::of_process(pid).ok(),
                None => self.confine().cgroup(&workload.id),
            };
            if let Some(cgroup) = cgroup {
                let stats = cgroup.stats();
                workload.memory_bytes = stats.memory_bytes;
                workload.cpu_usec = stats.cpu_usec;
            }
        }
    }
}
