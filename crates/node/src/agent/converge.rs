use std::collections::BTreeSet;
use std::time::Duration;

use checkpoint::Checkpoint;
use futures_util::future::join_all;
use ids::{DeploymentId, ProjectId, WorkloadId};
use wire::{Desired, Fence, NetworkPolicy, Program};

use super::{Agent, build, job, workload, workspace};

/// Even without a signal the world is looked at this often.
const PERIOD: Duration = Duration::from_secs(5);

/// What got lost is looked for this often.
const TIDY: Duration = Duration::from_secs(60);

/// What to start and stop, decided under the lock and done outside of it.
#[derive(Default)]
struct Todo {
    builds: Vec<wire::BuildSpec>,
    workloads: Vec<wire::WorkloadSpec>,
    jobs: Vec<wire::JobSpec>,
    workspaces: Vec<wire::WorkspaceSpec>,
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

    /// Looks for what got lost, and looks names up again.
    pub(super) async fn tidy_forever(&self) {
        loop {
            tokio::time::sleep(TIDY).await;
            let Some(desired) = self.lock().desired.clone() else { continue };
            self.sweep(&desired).await;
            self.networks().refresh().await;
        }
    }

    async fn converge(&self) {
        let Some(desired) = self.lock().desired.clone() else { return };
        if self.first_sweep(&desired) {
            self.sweep(&desired).await;
            for preview in self.confine().layout.previews() {
                self.erase_group(&preview).await;
            }
            self.networks().expect(links(&desired)).await;
        }
        let todo = self.plan(&desired);
        for spec in todo.workloads {
            workload::start(self, spec);
        }
        for spec in todo.jobs {
            job::start(self, spec);
        }
        for spec in todo.builds {
            build::start(self, spec);
        }
        for spec in todo.workspaces {
            workspace::start(self, spec);
        }
        // What visitors were sent to before this process began is found again before the edge is told anything.
        if !self.is_settled(&desired) {
            return;
        }
        // Routes go first, what they no longer lead to goes after.
        self.apply_routes(&desired);
        self.stop_unwanted(&desired);
        for (group, build) in todo.prune {
            self.prune_release(&group, &build).await;
        }
        for group in todo.remove_groups {
            self.remove_group(&group).await;
        }
        self.announce_convergence();
        self.inner.links.notify_one();
    }

    /// Links of what no longer runs may reach nothing. Apart from converging: names that are looked up and a packet
    /// filter that takes its time hold up no route.
    pub(super) async fn forget_links_forever(&self) {
        loop {
            self.inner.links.notified().await;
            let running = || {
                let state = self.lock();
                let builds = state.builds.keys().map(WorkloadId::from);
                let workspaces = state.workspaces.keys().map(WorkloadId::from);
                state.workloads.keys().chain(state.jobs.keys()).cloned().chain(builds).chain(workspaces).collect()
            };
            self.networks().keep_only(running).await;
        }
    }

    /// The first desired state says what of an earlier process's work is still wanted; a preview never is. One that was
    /// found on the disk says so only until the control plane speaks.
    fn first_sweep(&self, desired: &Desired) -> bool {
        let mut state = self.lock();
        let due = !state.swept || (is_told(desired) && !state.swept_as_told);
        state.swept = true;
        state.swept_as_told |= is_told(desired);
        due
    }

    /// Ends what runs, and removes what lies, under a name that nobody knows: what an earlier process
    /// started and nobody wants any more, or what got lost. A build among it starts anew.
    async fn sweep(&self, desired: &Desired) {
        let confine = self.confine();
        let mut found = confine.groups.list().into_iter().collect::<BTreeSet<_>>();
        if let Ok(entries) = std::fs::read_dir(confine.layout.runs()) {
            found.extend(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()));
        }
        let known = self.known(desired);
        confine.layout.keep_gates(|id| known.contains(id));
        // Its steps and its terminals are a workspace's own to look after.
        let of_workspace = |id: &&WorkloadId| desired.workspaces.iter().any(|it| it.id.as_str() == id.base());
        let lost = found.difference(&known).filter(|id| !of_workspace(id)).collect::<Vec<_>>();
        for id in &lost {
            tracing::info!(workload.id = %id, "ending what nobody knows of");
            self.end(id).await;
            if !desired.builds.iter().any(|build| WorkloadId::from(&build.id) == **id) {
                self.tell_stopped(id);
            }
            self.end_swept_terminal(id);
            self.discard(&confine.layout.run(id));
        }
        join_all(lost.into_iter().map(|id| confine.groups.clear(id))).await;
        confine.groups.tidy().await;
        self.sweep_uploads();
        self.sweep_engine(&known).await;
    }

    /// Archives that came for a build which was cut off, and parts of those that did not come whole.
    fn sweep_uploads(&self) {
        // Looked for before what is wanted is: one that comes meanwhile is wanted by a newer state.
        let entries = std::fs::read_dir(self.confine().layout.uploads()).into_iter().flatten().flatten();
        let entries = entries.collect::<Vec<_>>();
        let state = self.lock();
        let builds = state.desired.iter().flat_map(|desired| &desired.builds);
        let wanted = builds.filter_map(build::archive_of);
        let wanted = wanted.collect::<BTreeSet<_>>();
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let upload = name.split('.').next().and_then(|id| id.parse::<DeploymentId>().ok());
            if !upload.is_some_and(|upload| wanted.contains(&upload)) {
                self.discard(&entry.path());
            }
        }
    }

    /// Everything that may run: what is wanted, and what is on its way out.
    fn known(&self, desired: &Desired) -> BTreeSet<WorkloadId> {
        let state = self.lock();
        let wanted = desired.workloads.iter().map(|it| &it.id).chain(desired.jobs.iter().map(|it| &it.id));
        let ours = state.workloads.keys().chain(state.jobs.keys()).chain(&state.previews);
        let builds = state.builds.keys().chain(desired.builds.iter().map(|it| &it.id).filter(|_| !is_told(desired)));
        let workspaces = state.workspaces.keys().map(WorkloadId::from);
        wanted.chain(ours).cloned().chain(builds.map(WorkloadId::from)).chain(workspaces).collect()
    }

    fn plan(&self, desired: &Desired) -> Todo {
        // The disk is not looked at under the lock.
        let releases = desired.groups.iter().map(|group| self.release_list(&group.group)).collect::<Vec<_>>();
        let state = self.lock();
        // Found on the disk, until the control plane speaks: what it has cancelled meanwhile is not begun.
        let told = is_told(desired);
        let may_begin = |id: &WorkloadId| told || self.is_begun(id);
        let mut todo = Todo {
            workloads: desired
                .workloads
                .iter()
                .filter(|spec| !state.workloads.contains_key(&spec.id))
                .cloned()
                .collect(),
            jobs: desired
                .jobs
                .iter()
                .filter(|spec| !state.jobs.contains_key(&spec.id) && may_begin(&spec.id))
                .cloned()
                .collect(),
            builds: desired
                .builds
                .iter()
                .filter(|spec| told && !state.builds.contains_key(&spec.id))
                .cloned()
                .collect(),
            workspaces: desired
                .workspaces
                .iter()
                .filter(|spec| !state.workspaces.contains_key(&spec.id))
                .cloned()
                .collect(),
            ..Todo::default()
        };
        // Ids are in the order of time: after a start those come first that were asked for first.
        todo.builds.sort_by(|a, b| a.id.cmp(&b.id));
        let busy = |group: &ProjectId| {
            state.workloads.values().any(|workload| &workload.status.group == group)
                || state.jobs.values().any(|job| &job.group == group)
                || state.builds.values().any(|build| &build.group == group)
                || state.workspaces.keys().any(|workspace| workspace.group() == *group)
        };
        todo.remove_groups = desired
            .removed_groups
            .iter()
            .filter(|group| !state.removed_groups.contains(group) && !busy(group))
            .cloned()
            .collect();
        for (group, releases) in desired.groups.iter().zip(releases) {
            let kept = |id: &DeploymentId| {
                group.releases.contains(id)
                    || desired.builds.iter().any(|build| &build.id == id)
                    || state.builds.contains_key(id)
                    || state.workloads.values().any(|workload| &workload.release == id)
                    || state.jobs.values().any(|job| &job.release == id)
            };
            let stale = releases.into_iter().filter(|id| !kept(id));
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
        for (id, job) in &state.jobs {
            if !desired.jobs.iter().any(|spec| &spec.id == id) {
                job.stop.cancel();
            }
        }
        for (id, build) in &state.builds {
            if !desired.builds.iter().any(|spec| &spec.id == id) {
                build.stop.cancel();
            }
        }
        for (id, workspace) in &state.workspaces {
            match desired.workspaces.iter().find(|spec| &spec.id == id) {
                None => workspace.stop.cancel(),
                Some(spec) => {
                    workspace.wanted.send_if_modified(|wanted| {
                        let changed = wanted != spec;
                        if changed {
                            wanted.clone_from(spec);
                        }
                        changed
                    });
                }
            }
        }
    }

    async fn prune_release(&self, group: &ProjectId, build: &DeploymentId) {
        let layout = &self.confine().layout;
        self.forget_image(group, build);
        // The manifest first: without it a release is none.
        self.discard(&layout.manifest(group, build));
        checkpoint::reach(Checkpoint::ReleaseHalfPruned).await;
        self.discard(&layout.release(group, build));
    }

    async fn remove_group(&self, group: &ProjectId) {
        // What could not be removed is tried again with the next round.
        if self.erase_group(group).await {
            checkpoint::reach(Checkpoint::GroupErased).await;
            self.note(|state| {
                state.removed_groups.insert(group.clone());
            });
        }
    }

    /// Removes a group's files, logs and users. Whether nothing is left.
    pub(super) async fn erase_group(&self, group: &ProjectId) -> bool {
        let confine = self.confine();
        self.forget_images(group);
        let files = confine.layout.discard(&confine.layout.group(group));
        checkpoint::reach(Checkpoint::GroupHalfErased).await;
        let gone = files
            .and_then(|()| confine.layout.discard(&confine.layout.group_logs(group)))
            .and_then(|()| confine.identities.release(group));
        self.inner.trash.notify_one();
        if let Err(error) = &gone {
            tracing::warn!(%error, group = %group, "cannot remove everything of a group");
        }
        // Its last shims may be on their way out.
        let (agent, group) = (self.clone(), group.clone());
        tokio::spawn(async move { agent.confine().groups.release(&group).await });
        gone.is_ok()
    }

    /// Whether every workload has been looked for that an earlier process may have left running.
    fn is_settled(&self, desired: &Desired) -> bool {
        let mut state = self.lock();
        let settled = |id| state.workloads.get(id).is_some_and(|running| running.settled);
        state.settled |= desired.workloads.iter().all(|spec| settled(&spec.id));
        state.settled
    }

    /// The first convergence is over when the edge has confirmed it: what was ready before serves again.
    fn announce_convergence(&self) {
        if !*self.inner.converged.borrow() && self.lock().routes.are_confirmed() {
            self.inner.converged.send_replace(true);
        }
    }
}

/// Whether the control plane said so to this process, rather than to an earlier one that wrote it down.
fn is_told(desired: &Desired) -> bool {
    desired.fence != Fence::default()
}

/// What may have a link to the outside. Static files are served by our own code, which reaches for nothing.
fn links(desired: &Desired) -> impl Iterator<Item = (WorkloadId, &NetworkPolicy)> {
    let commands = desired.workloads.iter().filter(|spec| !matches!(spec.program, Program::Files { .. }));
    let workloads = commands.map(|spec| (spec.id.clone(), &spec.context.network));
    let jobs = desired.jobs.iter().filter(|spec| spec.inside.is_none());
    let jobs = jobs.map(|spec| (spec.id.clone(), &spec.context.network));
    let workspaces = desired.workspaces.iter().map(|spec| (WorkloadId::from(&spec.id), &spec.network));
    workloads.chain(jobs).chain(workspaces)
}
