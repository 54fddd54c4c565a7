//! What each workload uses, and how fast.

use std::collections::HashMap;
use std::time::Duration;

use ids::{ProjectId, WorkloadId};
use sandbox::cgroup::Stats;
use wire::WorkloadUsage;

use super::network::{Interfaces, risen};
use crate::Agent;

/// What a workload had used at one instant.
pub(super) struct Counted {
    id: WorkloadId,
    group: ProjectId,
    /// The host's end of its link to the outside, where it has one.
    link: String,
    stats: Stats,
}

/// The counters of the last sample.
#[derive(Default)]
pub(super) struct Workloads(HashMap<WorkloadId, Counters>);

#[derive(Debug, Clone, Copy, Default)]
struct Counters {
    cpu_usec: Option<u64>,
    received: Option<u64>,
    sent: Option<u64>,
}

/// Counts what runs. The kernel may have much to add up.
pub(super) async fn count(agent: &Agent) -> Vec<Counted> {
    let agent = agent.clone();
    let count = move || {
        let running = agent.running().into_iter();
        let counted = running.map(|(id, group)| {
            let stats = agent.confine().cgroup(&id).map(|cgroup| cgroup.stats()).unwrap_or_default();
            Counted { link: agent.networks().link_name(&id), id, group, stats }
        });
        counted.collect()
    };
    tokio::task::spawn_blocking(count).await.unwrap_or_default()
}

// === impl Workloads ===

impl Workloads {
    /// What each uses now, at rates over the time since the last sample.
    #[expect(clippy::cast_precision_loss, reason = "a plot does not need the last bit of a counter")]
    pub(super) fn advance(
        &mut self,
        counted: Vec<Counted>,
        interfaces: &Interfaces,
        elapsed: Duration,
    ) -> Vec<WorkloadUsage> {
        let last = std::mem::take(&mut self.0);
        let per_second =
            |before: Option<u64>, now: Option<u64>| Some(risen(before?, now?) as f64 / elapsed.as_secs_f64());
        let used = counted.into_iter().map(|Counted { id, group, link, stats }| {
            // What the host's end sends is what the workload receives.
            let (sent, received) = interfaces.get(&link).copied().unzip();
            let now = Counters { cpu_usec: stats.cpu_usec, received, sent };
            let before = last.get(&id).copied().unwrap_or_default();
            self.0.insert(id.clone(), now);
            WorkloadUsage {
                id,
                group,
                cpu_usec: now.cpu_usec,
                cpu_percent: per_second(before.cpu_usec, now.cpu_usec).map(|usec| usec / 10_000.0),
                memory_bytes: stats.memory_bytes,
                network_rx_bytes: received,
                network_tx_bytes: sent,
                network_rx_bytes_per_second: per_second(before.received, received),
                network_tx_bytes_per_second: per_second(before.sent, sent),
            }
        });
        used.collect()
    }
}

#[cfg(test)]
mod tests {
    use ids::DeploymentId;

    use super::*;

    #[test]
    fn rates_begin_with_the_second_sample_and_outlive_a_restart() {
        let (id, group) = (WorkloadId::from(&DeploymentId::new()), ProjectId::new());
        let mut workloads = Workloads::default();
        let mut sample = |cpu_usec: u64, sent: u64| {
            let stats = Stats { cpu_usec: Some(cpu_usec), memory_bytes: Some(7), pids: None };
            let counted = vec![Counted { id: id.clone(), group: group.clone(), link: "n-1".into(), stats }];
            let interfaces = Interfaces::from([("n-1".to_owned(), (sent, 10))]);
            workloads.advance(counted, &interfaces, Duration::from_secs(2)).remove(0)
        };
        let first = sample(1_000_000, 100);
        assert_eq!((first.cpu_percent, first.network_tx_bytes_per_second, first.memory_bytes), (None, None, Some(7)));
        let second = sample(2_000_000, 300);
        assert_eq!((second.cpu_percent, second.network_tx_bytes_per_second), (Some(50.0), Some(100.0)));
        assert_eq!((second.network_rx_bytes, second.network_rx_bytes_per_second), (Some(10), Some(0.0)));
        // Started again: its counters begin at zero.
        let third = sample(100_000, 50);
        assert_eq!((third.cpu_percent, third.network_tx_bytes_per_second), (Some(5.0), Some(25.0)));
    }
}
