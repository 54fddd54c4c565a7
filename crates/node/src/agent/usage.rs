use ids::{ProjectId, WorkloadId};
use wire::GroupUsage;

use super::Agent;

impl Agent {
    /// What runs now and is kept running, with the group that it belongs to.
    pub(crate) fn running(&self) -> Vec<(WorkloadId, ProjectId)> {
        let state = self.lock();
        let workspaces = state.workspaces.keys().map(|id| (WorkloadId::from(id), id.group()));
        let workloads = state.workloads.iter().map(|(id, workload)| (id.clone(), workload.status.group.clone()));
        workloads.chain(workspaces).collect()
    }

    /// What groups that run something take of the disk, as far as that was counted.
    pub(crate) fn group_usage(&self) -> Vec<GroupUsage> {
        let totals = self.inner.volumes.totals().into_iter();
        totals.map(|(group, volume_bytes)| GroupUsage { group, volume_bytes }).collect()
    }
}
