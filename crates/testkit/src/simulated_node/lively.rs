//! What a simulated node says when it shall pass for a real one: it stays linked, reports what it uses, and says of
//! everything that it was told that it is done.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use futures_util::StreamExt;
use ids::DeploymentId;
use link::Purpose;
use rand::Rng;
use wire::{
    BuildOutcome, BuildSpec, BuildStatus, BuildStep, Capability, Metrics, Observed, RouteSpec, RouteStatus, Source,
    WorkloadSpec, WorkloadState, WorkloadStatus,
};

use super::{Inner, SimulatedNode, serve};

// As a real node has them.
pub(super) const LONG_POLL: Duration = Duration::from_secs(20);
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
pub(super) const SILENCE: Duration = Duration::from_secs(8);
const RETRY: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(15);
const GOOD: Duration = Duration::from_secs(30);

/// When it answered, in milliseconds since 1970.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    /// What it uses.
    pub heartbeats: Vec<i64>,
    /// What it sees.
    pub reports: Vec<i64>,
}

impl SimulatedNode {
    /// Does all that a node does which costs the server something. Before it links.
    pub fn lively(mut self) -> Self {
        self.inner_mut().lively = true;
        self
    }

    /// Links, and links again as a real node does whenever the connection ends.
    pub fn keep_linked(&mut self) {
        let inner = self.inner.clone();
        self.serving = Some(tokio::spawn(async move {
            let mut failures = 0;
            loop {
                let began = Instant::now();
                if let Ok(io) = link::dial(&inner.url, Purpose::Lead, &inner.connector).await {
                    serve(inner.clone(), io).await;
                }
                failures = if began.elapsed() >= GOOD { 0 } else { failures + 1 };
                let longest = RETRY.saturating_mul(1 << failures.min(5)).min(RETRY_MAX);
                let pause = longest.mul_f64(rand::rng().random_range(0.5..1.0));
                tokio::time::sleep(pause).await;
            }
        }));
    }

    /// When it answered what, since the last time that this was asked for.
    pub fn take_answers(&self) -> Answers {
        std::mem::take(&mut *self.inner.answers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn capabilities() -> Vec<Capability> {
    let names = ["user_namespace", "pid_namespace", "mount_namespace", "network_namespace", "cgroup", "seccomp"];
    let more = ["landlock", "no_new_privs", "network_policy", "separation", "docker", "admission"];
    let capability = |name: &str| Capability {
        name: name.into(),
        enabled: true,
        detail: "what this kernel lets the node enforce for what it runs".into(),
    };
    names.into_iter().chain(more).map(capability).collect()
}

pub(super) async fn metrics(State(node): State<Arc<Inner>>) -> axum::Json<Option<Metrics>> {
    let at_ms = now_ms();
    if !node.lively {
        return axum::Json(None);
    }
    node.answers.lock().unwrap_or_else(PoisonError::into_inner).heartbeats.push(at_ms);
    let chance = rand::rng().random_range(0.0..100.0);
    axum::Json(Some(Metrics {
        at_ms,
        cpu_percent: chance,
        cpu_cores: 4,
        load: chance / 25.0,
        load5: 1.25,
        load15: 1.5,
        memory_used_bytes: 3 << 30,
        memory_total_bytes: 8 << 30,
        swap_used_bytes: 0,
        swap_total_bytes: 2 << 30,
        disk_used_bytes: 20 << 30,
        disk_total_bytes: 80 << 30,
        network_rx_bytes_per_second: chance * 1000.0,
        network_tx_bytes_per_second: chance * 500.0,
        network_rx_bytes: 12_345_678_901,
        network_tx_bytes: 2_345_678_901,
        workloads: Vec::new(),
        groups: Vec::new(),
        problem: None,
    }))
}

/// Everything that it was told is done, as far as the files for it have come.
pub(super) fn observed(node: &Inner) -> Observed {
    node.answers.lock().unwrap_or_else(PoisonError::into_inner).reports.push(now_ms());
    let state = node.state.borrow();
    let told = &state.told;
    let build = |spec: &BuildSpec| {
        let outcome = match &spec.source {
            Source::Copy { release } if state.received.contains(&spec.id) => {
                Some(BuildOutcome::Built { release: (**release).clone() })
            }
            _ => None,
        };
        let step = if outcome.is_some() { BuildStep::Build } else { BuildStep::AwaitUpload };
        BuildStatus { id: spec.id.clone(), step, commit: None, plan: None, outcome }
    };
    let workload = |spec: &WorkloadSpec| WorkloadStatus {
        id: spec.id.clone(),
        group: spec.context.group.clone(),
        state: WorkloadState::Ready,
        failure: None,
        restarts: 0,
        crash_loop_since_ms: None,
        memory_bytes: Some(50 << 20),
        cpu_usec: Some(1_000_000),
    };
    let route = |spec: &RouteSpec| RouteStatus {
        host: spec.host.clone(),
        workload: spec.prefer.iter().find(|id| told.workloads.iter().any(|it| it.id == **id)).cloned(),
        port_error: None,
    };
    Observed {
        revision: state.revision,
        fence: told.fence,
        builds: told.builds.iter().map(build).collect(),
        workloads: told.workloads.iter().map(workload).collect(),
        jobs: Vec::new(),
        routes: told.routes.iter().map(route).collect(),
        routed: told.fence,
        removed_groups: told.removed_groups.clone(),
        workspaces: Vec::new(),
    }
}

/// Takes the files of a release, and keeps none of them.
pub(super) async fn receive(State(node): State<Arc<Inner>>, Path(build): Path<DeploymentId>, body: Body) -> StatusCode {
    let mut stream = body.into_data_stream();
    while let Some(piece) = stream.next().await {
        if piece.is_err() {
            return StatusCode::INTERNAL_SERVER_ERROR;
        }
    }
    node.state.send_modify(|state| {
        state.received.insert(build);
        state.revision += 1;
    });
    StatusCode::NO_CONTENT
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
