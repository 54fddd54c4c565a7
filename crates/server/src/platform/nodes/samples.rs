use ids::NodeId;
use wire::{Metrics, WorkloadUsage};

use super::{Known, Nodes};

impl Nodes {
    /// What a machine used in the last minutes, oldest first, if there is such a machine.
    pub(crate) fn samples(&self, id: &NodeId) -> Option<Vec<Metrics>> {
        self.with(id, |known| known.metrics.iter().cloned().collect())
    }
}

impl Known {
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
