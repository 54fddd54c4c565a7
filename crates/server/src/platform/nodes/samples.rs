use std::time::Duration;

use ids::NodeId;
use wire::{Metrics, WorkloadUsage};

use super::{Known, Nodes};

/// Between two samples of the server's own machine, and of others.
const PERIOD_LOCAL: Duration = Duration::from_secs(2);
const PERIOD: Duration = Duration::from_secs(10);

impl Nodes {
    /// What a machine used in the last minutes, oldest first, and how often it is asked, if there is such a machine.
    pub(crate) fn samples(&self, id: &NodeId) -> Option<(Duration, Vec<Metrics>)> {
        self.with(id, |known| (known.metrics_period(), known.metrics.iter().cloned().collect()))
    }
}

impl Known {
    /// How often it is asked what it uses.
    pub(super) fn metrics_period(&self) -> Duration {
        if self.node.embedded { PERIOD_LOCAL } else { PERIOD }
    }

    /// What a workload used last, where that is newer than what was reported with its state.
    pub(super) fn usage(&self, id: &ids::WorkloadId) -> Option<&WorkloadUsage> {
        self.metrics.back()?.workloads.iter().find(|usage| &usage.id == id)
    }

    /// The plots of workloads come from the history: what is kept here is kept once for each sample of each machine.
    pub(super) fn forget_workloads(&mut self) {
        if let Some(last) = self.metrics.back_mut() {
            last.workloads = Vec::new();
        }
    }
}
