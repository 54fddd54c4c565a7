use std::collections::BTreeSet;
use std::time::Duration;

use ids::{DeploymentId, ProjectId};
use wire::Desired;

use super::{Agent, build, workload};
use crate::layout;

/// Even without a signal the world is looked at this often.
const PERIOD: Duration = Duration::from_secs(5);

/// What to start and stop, decided under the lock and done outside of it.
#[derive(Default)]
struct Todo {
    builds: Vec<wire::BuildSpec>,
    workloads: Vec<wire::WorkloadSpec>,
    remove_groups: Vec<ProjectId>,
    prune: Vec<(ProjectId, DeploymentId)>,
}

impl Agent {
    pub(super) async fn converge_forever(&self) {
        loop {
            self.converge().await;
            tokio::select! {
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    async fn converge(&self) {
        let Some(desired) = self.lock().desired.clone() else { return };
        if let Some(keep) = self.first_sweep(&desired) {
            self.sweep(&keep).await;
        }
        let todo = self.plan(&desired);
        for spec in todo.workloads {
            workload::start(self, spec);
        }
        for spec in todo.builds {
            build::start(self, spec);
        }
        // Routes go first, what they no longer lead to goes after.
        self.apply_routes(&desired).await;
        self.stop_unwanted(&desired);
        for (group, build) in todo.prune {
            self.prune_release(&group, &build);
        }
        for group in todo.remove_groups {
            self.remove_group(&group);
        }
        self.announce_convergence(&desired);
    }

    /// What of an earlier process's work is still wanted; once, after the first desired state.
    fn first_sweep(&self, desired: &Desired) -> Option<BTreeSet<DeploymentId>> {
        let mut state = self.lock();
        (!std::mem::replace(&mut state.swept, true))
            .then(|| desired.workloads.iter().map(|workload| workload.id.clone()).collect())
    }

    /// Ends what an earlier process started and nobody wants any more. A build among it starts anew.
    async fn sweep(&self, keep: &BTreeSet<DeploymentId>) {
        let confine = self.confine();
        let mut found = sandbox::cgroup::Cgroup::list(&confine.identities.cgroup_root()).unwrap_or_default();
        if let Ok(entries) = std::fs::read_dir(confine.layout.runs()) {
            found.extend(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()));
        }
        for id in found.iter().filter_map(|name| name.rsplit('/').next()?.parse::<DeploymentId>().ok()) {
            if keep.contains(&id) {
                continue;
            }
            tracing::info!(workload.id = %id, "ending what an earlier process left");
            self.end(&id).await;
            if let Err(error) = layout::remove(&confine.layout.run(&id)) {
                tracing::warn!(%error, workload.id = %id, "cannot remove a run's directory");
            }
        }
    }

    fn plan(&self, desired: &Desired) -> Todo {
        let state = self.lock();
        let mut todo = Todo {
            workloads: desired
                .workloads
                .iter()
                .filter(|spec| !state.workloads.contains_key(&spec.id))
                .cloned()
                .collect(),
            builds: desired.builds.iter().filter(|spec| !state.builds.contains_key(&spec.id)).cloned().collect(),
            ..Todo::default()
        };
        let busy = |group: &ProjectId| {
            state.workloads.values().any(|workload| &workload.status.group == group)
                || state.builds.values().any(|build| &build.group == group)
        };
        todo.remove_groups = desired
            .removed_groups
            .iter()
            .filter(|group| !state.removed_groups.contains(group) && !busy(group))
            .cloned()
            .collect();
        for group in &desired.groups {
            let kept = |id: &DeploymentId| {
                group.releases.contains(id)
                    || desired.builds.iter().any(|build| &build.id == id)
                    || state.builds.contains_key(id)
                    || state.workloads.values().any(|workload| &workload.release == id)
            };
            let stale = self.release_list(&group.group).into_iter().filter(|id| !kept(id));
            todo.prune.extend(stale.map(|id| (group.group.clone(), id)));
        }
        todo
    }

    /// Tells builds and workloads that are no longer desired to end.
    fn stop_unwanted(&self, desired: &Desired) {
        let state = self.lock();
        for (id, workload) in &state.workloads {
            if !desired.workloads.iter().any(|spec| &spec.id == id) {
                workload.stop.cancel();
            }
        }
        for (id, build) in &state.builds {
            if !desired.builds.iter().any(|spec| &spec.id == id) {
                build.stop.cancel();
            }
        }
    }

    fn prune_release(&self, group: &ProjectId, build: &DeploymentId) {
        let layout = &self.confine().layout;
        for path in [layout.manifest(group, build), layout.release(group, build)] {
            if let Err(error) = layout::remove(&path) {
                tracing::warn!(%error, release = %build, "cannot remove an old release");
            }
        }
    }

    fn remove_group(&self, group: &ProjectId) {
        // What could not be removed is tried again with the next round.
        if self.erase_group(group) {
            self.note(|state| {
                state.removed_groups.insert(group.clone());
            });
        }
    }

    /// Removes a group's files, logs and users. Whether nothing is left.
    pub(super) fn erase_group(&self, group: &ProjectId) -> bool {
        let confine = self.confine();
        let gone = [confine.layout.group(group), confine.layout.group_logs(group)]
            .iter()
            .try_for_each(|path| layout::remove(path))
            .and_then(|()| confine.identities.release(group));
        if let Err(error) = &gone {
            tracing::warn!(%error, group = %group, "cannot remove everything of a group");
        }
        gone.is_ok()
    }

    /// Convergence after a start is over when every workload that was ready before serves again.
    fn announce_convergence(&self, desired: &Desired) {
        if *self.inner.converged.borrow() {
            return;
        }
        let settled = {
            let state = self.lock();
            desired.workloads.iter().all(|spec| state.workloads.get(&spec.id).is_some_and(|running| running.settled))
        };
        if settled {
            self.inner.converged.send_replace(true);
        }
    }
}
