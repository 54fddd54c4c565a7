//! The cgroups of workloads: who makes them, and where they lie.
//!
//! The node makes them itself, or has systemd make them as transient units ([`units`]). It finds those of either driver
//! whichever it has now, so that a node which was started again with the other one adopts and ends what runs.

mod bus;
mod units;

use std::io;

use ids::{ProjectId, WorkloadId};
use sandbox::cgroup::{self, Cgroup, OutOfMemory};
use wire::Limits;

pub use bus::{Systemd, Unusable};
use units::Units;

/// Who makes the groups of processes that workloads run in.
#[derive(Debug, Clone)]
pub enum Driver {
    /// The node, below a group of its own.
    Native,
    /// systemd, as units that its tools show.
    Systemd(Systemd),
}

pub(crate) struct Groups {
    /// The name under which this node's own groups lie.
    root: String,
    /// Where those lie that are in units.
    units: units::Places,
    driver: Option<Units>,
}

/// What starts in a group, for a person to read.
pub(crate) struct Described<'a> {
    pub(crate) id: &'a WorkloadId,
    pub(crate) group: &'a ProjectId,
    pub(crate) words: String,
}

// === impl Driver ===

impl Driver {
    /// What a node's page says of it.
    pub(crate) fn capability(&self) -> wire::Capability {
        let detail = match self {
            Self::Native => "native: the node makes the cgroup of each process".to_owned(),
            Self::Systemd(systemd) => format!(
                "systemd {}: each process is a transient unit, which `systemctl status 'nanoscale-*.scope'` shows",
                systemd.version()
            ),
        };
        wire::Capability { name: "driver".into(), enabled: true, detail }
    }
}

// === impl Groups ===

impl Groups {
    /// Of the node with this mark. `stop_grace` is what processes have between SIGTERM and SIGKILL when a person
    /// stops their unit.
    pub(crate) fn new(driver: &Driver, instance: &str, stop_grace: std::time::Duration) -> Self {
        let driver = match driver {
            Driver::Native => None,
            Driver::Systemd(systemd) => Some(Units::new(systemd.clone(), instance, stop_grace)),
        };
        Self { root: format!("nanoscale-{instance}"), units: units::Places::new(instance, driver.is_some()), driver }
    }

    /// Says what `id` may use from its next start on. The node makes the group now, systemd when there is a process.
    pub(crate) fn limit(&self, id: &WorkloadId, limits: &Limits, out_of_memory: OutOfMemory) {
        let limits = cgroup::Limits {
            memory_bytes: Some(limits.memory_bytes),
            out_of_memory,
            pids: Some(limits.pids),
            cpu_weight: Some(limits.cpu_weight),
            cpu_percent: limits.cpu_percent,
        };
        if let Some(units) = &self.driver {
            return units.limit(id, limits);
        }
        if let Err(error) = Cgroup::create(&self.own(id), &limits) {
            tracing::debug!(%error, workload.id = %id, "no cgroup");
        }
    }

    /// Lets a shim of `id` come whose process will be in another group, which has the limits.
    pub(crate) fn expect(&self, id: &WorkloadId) {
        if let Some(units) = &self.driver {
            units.limit(id, cgroup::Limits::default());
        }
    }

    /// Puts a shim that waits for what it shall run into a unit; the name of the group for its process. Nothing, and no name,
    /// where the node makes the groups.
    pub(crate) async fn enter(&self, what: &Described<'_>, shim: u32) -> io::Result<Option<String>> {
        match &self.driver {
            Some(units) => Box::pin(units.enter(&self.units, what, shim)).await.map(Some),
            None => Ok(None),
        }
    }

    /// The group that the processes of `id` are in, if it is there.
    pub(crate) fn of(&self, id: &WorkloadId) -> Option<Cgroup> {
        Cgroup::open(&self.own(id)).ok().or_else(|| self.units.group(id))
    }

    /// Ends every process of `id`, whatever state they are in, and removes their group. Its shim sees that, and ends.
    pub(crate) fn kill(&self, id: &WorkloadId) {
        if let Some(units) = &self.driver {
            units.forget(id);
        }
        let Some(cgroup) = self.of(id) else { return };
        // Takes milliseconds, and longer where a process hangs in the kernel.
        tokio::task::block_in_place(|| {
            if let Err(error) = cgroup.kill() {
                tracing::warn!(%error, workload.id = %id, "cannot end all processes");
            }
            if let Err(error) = cgroup.remove() {
                tracing::debug!(%error, workload.id = %id, "cannot remove the cgroup");
            }
        });
    }

    /// Whatever has a group or a unit, by name.
    pub(crate) fn list(&self) -> Vec<WorkloadId> {
        let own = Cgroup::list(&self.root).unwrap_or_default();
        let own = own.iter().filter_map(|name| name.rsplit('/').next()?.parse().ok());
        own.chain(self.units.list()).collect()
    }

    /// Sees to it that nothing is left of what was killed, not even a shim that hangs.
    pub(crate) async fn clear(&self, id: &WorkloadId) {
        self.units.clear(id).await;
    }

    /// Has the processes of a whole group compute only while nobody else wants to, or as before. False where the node has to
    /// do so itself, with each of their groups.
    pub(crate) async fn set_idle(&self, group: &ProjectId, idle: bool) -> bool {
        let Some(units) = &self.driver else { return false };
        units.set_idle(group, idle).await;
        true
    }

    /// Removes what systemd has of groups in which nothing runs.
    pub(crate) async fn tidy(&self) {
        if let Some(units) = &self.driver {
            units.stop_empty(&self.units).await;
        }
    }

    /// The same, when the last process of a group is on its way out.
    pub(crate) async fn release(&self, group: &ProjectId) {
        if let Some(units) = &self.driver {
            self.units.emptied(group).await;
            units.stop_empty(&self.units).await;
        }
    }

    fn own(&self, id: &WorkloadId) -> String {
        format!("{}/{id}", self.root)
    }
}
