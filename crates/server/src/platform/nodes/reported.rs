//! What nodes last reported, as others ask for it.

use ids::{DeploymentId, NodeId, WorkloadId};

use super::{Known, Nodes};

/// How full a node's disk is.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub(crate) node_id: NodeId,
    /// The node's.
    pub(crate) name: String,
    pub(crate) used_bytes: u64,
    pub(crate) total_bytes: u64,
}

impl Disk {
    /// Rounded up, as `df` does.
    pub(crate) fn used_percent(&self) -> u64 {
        let percent = (u128::from(self.used_bytes) * 100).div_ceil(u128::from(self.total_bytes.max(1)));
        u64::try_from(percent).unwrap_or(u64::MAX)
    }
}

impl Nodes {
    /// The disks of the nodes that have reported, as they were last.
    pub(crate) fn disks(&self) -> Vec<Disk> {
        let known = self.lock();
        let disk = |(id, known): (&NodeId, &Known)| {
            let metrics = known.metrics.back()?;
            Some(Disk {
                node_id: id.clone(),
                name: known.node.name.clone(),
                used_bytes: metrics.disk_used_bytes,
                total_bytes: metrics.disk_total_bytes,
            })
        };
        known.iter().filter_map(disk).collect()
    }

    /// What runs everywhere.
    pub(crate) fn workloads(&self) -> Vec<(NodeId, wire::WorkloadStatus)> {
        let known = self.lock();
        let of_node = |(id, known): (&NodeId, &Known)| {
            let workloads = known.observed.iter().flat_map(|observed| &observed.workloads);
            workloads.map(|workload| (id.clone(), workload.clone())).collect::<Vec<_>>()
        };
        known.iter().flat_map(of_node).collect()
    }

    /// State of a workload as its node sees it.
    pub(crate) fn workload_state(&self, node: &NodeId, id: &DeploymentId) -> Option<wire::WorkloadState> {
        self.with(node, |known| {
            let observed = known.observed.as_ref()?;
            observed
                .workloads
                .iter()
                .find(|workload| workload.id == WorkloadId::from(id))
                .map(|workload| workload.state)
        })
        .flatten()
    }

    /// Why a process of a deployment does not run now, although one did.
    pub(crate) fn down_failure(&self, node: &NodeId, id: &DeploymentId) -> Option<wire::Failure> {
        self.with(node, |known| {
            let mut workloads = known.observed.as_ref()?.workloads.iter();
            let down = |workload: &&wire::WorkloadStatus| {
                workload.id.base() == id.as_str() && workload.state == wire::WorkloadState::Restarting
            };
            workloads.find(down)?.failure.clone()
        })
        .flatten()
    }

    /// Whether a node can be reached, and its edge has something of its own to send a host's visitors to.
    pub(crate) fn answers_for(&self, node: &NodeId, host: &str) -> bool {
        self.with(node, |known| {
            let routes = &known.observed.as_ref()?.routes;
            let routed = routes.iter().any(|route| route.host == host && route.workload.is_some());
            Some(routed && known.down_since.is_none())
        })
        .flatten()
        .unwrap_or_default()
    }

    /// Why a host's loopback port is not served by its node, if it is not.
    pub(crate) fn port_error(&self, node: &NodeId, host: &str) -> Option<String> {
        self.with(node, |known| {
            let route = known.observed.as_ref()?.routes.iter().find(|route| route.host == host)?;
            route.port_error.clone()
        })
        .flatten()
    }
}
