//! Keeps the logs within their bounds. On threads for blocking work, one log at a time, so that
//! nothing waits for it, the end of this process included.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use ids::{ProjectId, WorkloadId};
use tokio::time::{MissedTickBehavior, interval};

use super::Agent;
use crate::layout::LogKind;
use crate::log::{Bounds, pack, trim};

/// How often everything is looked at: what is too old goes.
const ALL: Duration = Duration::from_secs(3600);
/// How often the logs that are written are looked at: what is full is packed, and may be too much.
const WRITTEN: Duration = Duration::from_secs(60);

impl Agent {
    pub(super) async fn collect_garbage(&self) {
        let (mut all, mut written) = (interval(ALL), interval(WRITTEN));
        all.set_missed_tick_behavior(MissedTickBehavior::Delay);
        written.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = all.tick() => {
                    let layout = self.confine().layout.clone();
                    for (group, logs) in blocking(move || Ok(crate::log::logs(&layout))).await.unwrap_or_default() {
                        self.pack(logs).await;
                        self.trim(group).await;
                    }
                }
                _ = written.tick() => {
                    for (group, logs) in self.written_logs() {
                        if self.pack(logs).await {
                            self.trim(group).await;
                        }
                    }
                }
            }
        }
    }

    /// The logs of what runs here now.
    fn written_logs(&self) -> Vec<(ProjectId, Vec<PathBuf>)> {
        let layout = &self.confine().layout;
        let state = self.lock();
        let mut logs = BTreeMap::<ProjectId, Vec<PathBuf>>::new();
        let mut add = |group: &ProjectId, id: &WorkloadId, kind| {
            logs.entry(group.clone()).or_default().push(layout.log(group, id, kind));
        };
        for (id, workload) in &state.workloads {
            add(&workload.status.group, id, LogKind::Run);
        }
        for job in state.jobs.values() {
            add(&job.group, &job.log.0, job.log.1);
        }
        for (id, build) in &state.builds {
            add(&build.group, &WorkloadId::from(id), LogKind::Build);
        }
        logs.into_iter().collect()
    }

    /// Whether something of these logs was packed.
    async fn pack(&self, logs: Vec<PathBuf>) -> bool {
        let mut any = false;
        for log in logs {
            any |= blocking(move || pack(&log)).await.unwrap_or(false);
        }
        any
    }

    async fn trim(&self, group: ProjectId) {
        let layout = self.confine().layout.clone();
        let config = &self.inner.config;
        let bounds = Bounds { bytes: config.log_group_max_bytes, age: config.log_max_age };
        blocking(move || trim(&layout, &group, bounds, SystemTime::now())).await;
    }
}

/// None when it failed, which the node's own log says; the next time is soon enough.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Option<T> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten();
    done.inspect_err(|error| tracing::warn!(%error, "a log cannot be kept within its bounds")).ok()
}
