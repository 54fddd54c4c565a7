//! How much of the disk volumes take. Counted while a group's processes run, since few file systems keep accounts per
//! directory: a group with a volume that is over its limit runs nothing but commands that clear it up.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ids::{ProcessName, ProjectId};
use tokio::sync::{Notify, watch};
use wire::{Context, Failure, VolumeUse};

use super::process::failed;
use super::{Agent, disk};

/// Counting takes at most one part in so many of the time.
const SHARE: u32 = 10;
const SHORTEST: Duration = Duration::from_secs(2);
/// A file system of which nothing seems to have changed is looked at again after this long.
const LONGEST: Duration = Duration::from_secs(60);
/// A process that is to start waits this long for its volumes to be counted first.
const FIRST_COUNT: Duration = Duration::from_secs(3);

/// What is known of volumes.
pub(super) struct Volumes {
    groups: Mutex<BTreeMap<ProjectId, Counted>>,
    changed: watch::Sender<()>,
    /// A group waits to be counted for the first time.
    wake: Notify,
}

#[derive(Clone, Default)]
struct Counted {
    volumes: Vec<VolumeUse>,
    /// Of the file system, when they were counted: while that stays, so do they.
    file_system_used: u64,
    at: Option<Instant>,
    /// When it was last seen that this holds.
    seen: Option<Instant>,
}

/// A group and what each of its volumes may take.
type Limits = BTreeMap<ProcessName, u64>;

// === impl Volumes ===

impl Volumes {
    pub(super) fn new() -> Self {
        Self { groups: Mutex::default(), changed: watch::Sender::new(()), wake: Notify::new() }
    }

    /// What the volumes of each group took together when they were last counted.
    pub(super) fn totals(&self) -> Vec<(ProjectId, u64)> {
        self.lock().iter().map(|(group, counted)| (group.clone(), total(&counted.volumes))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProjectId, Counted>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Agent ===

impl Agent {
    /// Counts the volumes of what runs, again and again.
    pub(super) async fn watch_volumes(&self) {
        let mut only_new = false;
        loop {
            let begun = Instant::now();
            for (group, limits) in self.groups_with_volumes(only_new) {
                self.count_group(&group, &limits).await;
            }
            self.inner.volumes.changed.send_replace(());
            let pause = (begun.elapsed() * SHARE).max(SHORTEST);
            only_new = tokio::select! {
                () = tokio::time::sleep(pause) => false,
                () = self.inner.volumes.wake.notified() => true,
            };
        }
    }

    /// Those with something to count: that run something, or may not.
    fn groups_with_volumes(&self, only_new: bool) -> Vec<(ProjectId, Limits)> {
        let state = self.lock();
        let Some(desired) = &state.desired else { return Vec::new() };
        let runs = |group: &ProjectId| {
            state.workloads.values().any(|workload| &workload.status.group == group)
                || state.jobs.values().any(|job| &job.group == group)
        };
        let mut known = self.inner.volumes.lock();
        // What nothing runs in may change without being seen: its next process has it counted anew.
        known.retain(|group, _| runs(group));
        let wanted = desired.groups.iter().filter(|spec| {
            !spec.volumes.is_empty() && runs(&spec.group) && !(only_new && known.contains_key(&spec.group))
        });
        let limits = |spec: &wire::GroupSpec| spec.volumes.iter().map(|it| (it.name.clone(), it.bytes)).collect();
        wanted.map(|spec| (spec.group.clone(), limits(spec))).collect()
    }

    async fn count_group(&self, group: &ProjectId, limits: &Limits) {
        let root = self.confine().layout.volumes(group);
        let before = self.inner.volumes.lock().get(group).cloned().unwrap_or_default();
        let file_system_used = disk::used(&root).unwrap_or_default();
        let same_names = before.volumes.iter().map(|volume| &volume.name).eq(limits.keys());
        let is_fresh = before.at.is_some_and(|at| at.elapsed() < LONGEST);
        let counted = if same_names && is_fresh && before.file_system_used == file_system_used {
            // A limit may have changed.
            let with_limit = |it: VolumeUse| VolumeUse {
                limit_bytes: limits.get(&it.name).copied().unwrap_or(it.limit_bytes),
                ..it
            };
            let volumes = before.volumes.into_iter().map(with_limit).collect();
            Counted { volumes, seen: Some(Instant::now()), ..before }
        } else {
            let Some(volumes) = self.count(group, limits).await else { return };
            let now = Some(Instant::now());
            Counted { volumes, file_system_used, at: now, seen: now }
        };
        self.inner.volumes.lock().insert(group.clone(), counted);
    }

    async fn count(&self, group: &ProjectId, limits: &Limits) -> Option<Vec<VolumeUse>> {
        let root = self.confine().layout.volumes(group);
        let limits = limits.clone();
        let running = self.running_in(group);
        let count = move || {
            let of = |(name, limit_bytes): (ProcessName, u64)| {
                let used_bytes = used(&root, &root.join(name.as_str()));
                VolumeUse { name, used_bytes, limit_bytes }
            };
            let mut volumes: Vec<VolumeUse> = limits.into_iter().map(of).collect();
            // Which volume it lies in cannot be told any more.
            if let Some(largest) = volumes.iter_mut().max_by_key(|volume| volume.used_bytes) {
                largest.used_bytes += unlinked(&root, &running);
            }
            volumes
        };
        tokio::task::spawn_blocking(count).await.ok()
    }

    /// Processes of a group, as far as cgroups tell.
    fn running_in(&self, group: &ProjectId) -> Vec<i32> {
        let state = self.lock();
        let workloads = state.workloads.iter().filter(|(_, it)| &it.status.group == group).map(|(id, _)| id);
        let jobs = state.jobs.iter().filter(|(_, it)| &it.group == group).map(|(id, _)| id);
        let ids = workloads.chain(jobs).cloned().collect::<Vec<_>>();
        drop(state);
        let cgroups = ids.iter().filter_map(|id| self.confine().cgroup(id));
        cgroups.filter_map(|cgroup| cgroup.processes().ok()).flatten().collect()
    }

    /// What the volumes of a group take, counted now if nothing runs that could change them.
    pub(crate) async fn volume_use(&self, group: &ProjectId) -> Vec<VolumeUse> {
        let limits = self.volume_limits(group);
        let known = self.inner.volumes.lock().get(group).map(|counted| counted.volumes.clone());
        match known {
            Some(volumes) if volumes.iter().map(|it| &it.name).eq(limits.keys()) => {
                volumes.into_iter().zip(limits).map(|(it, (_, limit_bytes))| VolumeUse { limit_bytes, ..it }).collect()
            }
            _ => self.count(group, &limits).await.unwrap_or_default(),
        }
    }

    /// Why a process that is to start may not, if a volume of its group is full. Has them counted, and does not wait long.
    pub(super) async fn volume_full_now(&self, context: &Context) -> Option<Failure> {
        if context.volumes.is_empty() {
            return None;
        }
        let asked = Instant::now();
        let seen = || self.inner.volumes.lock().get(&context.group).and_then(|counted| counted.seen);
        let mut changed = self.inner.volumes.changed.subscribe();
        if seen().is_none() {
            self.inner.volumes.wake.notify_one();
        } else if self.volume_full(context).is_none() {
            return None;
        }
        let counted = changed.wait_for(|()| seen().is_some_and(|at| at >= asked));
        let _ = tokio::time::timeout(FIRST_COUNT, counted).await;
        self.volume_full(context)
    }

    /// Why the processes of a group may not run, if a volume of theirs is full.
    fn volume_full(&self, context: &Context) -> Option<Failure> {
        let limits = self.volume_limits(&context.group);
        let groups = self.inner.volumes.lock();
        let counted = &groups.get(&context.group)?.volumes;
        // The present limit counts, whatever it was when they were counted.
        let with_limit = |it: &VolumeUse| Some(VolumeUse { limit_bytes: *limits.get(&it.name)?, ..it.clone() });
        let mut volumes = counted.iter().filter_map(with_limit);
        volumes.find(|volume| volume.used_bytes > volume.limit_bytes).map(|volume| failure(&volume, context))
    }

    fn volume_limits(&self, group: &ProjectId) -> Limits {
        let state = self.lock();
        let groups = state.desired.iter().flat_map(|desired| &desired.groups);
        let of_group = groups.filter(|spec| &spec.group == group).flat_map(|spec| &spec.volumes);
        of_group.map(|it| (it.name.clone(), it.bytes)).collect()
    }

    /// Resolves when a volume is full.
    pub(super) async fn volume_filled(&self, context: &Context) -> Failure {
        self.filled(context, || true).await
    }

    /// The same for a command that may be there to clear it up: when there is more in it than when it began.
    pub(super) async fn volume_filled_further(&self, context: &Context) -> Failure {
        let taken = || self.inner.volumes.lock().get(&context.group).map(|counted| total(&counted.volumes));
        // Where nothing ran before, the first count says what there was.
        let mut first = taken();
        let has_grown = || taken().is_some_and(|now| now > *first.get_or_insert(now));
        self.filled(context, has_grown).await
    }

    async fn filled(&self, context: &Context, mut counts: impl FnMut() -> bool) -> Failure {
        if context.volumes.is_empty() {
            return std::future::pending().await;
        }
        let mut changed = self.inner.volumes.changed.subscribe();
        loop {
            let counts = counts();
            if let Some(failure) = self.volume_full(context).filter(|_| counts) {
                return failure;
            }
            // The sender lives as long as this does.
            let _ = changed.changed().await;
        }
    }

    /// Resolves when no volume of these is over its limit any more.
    pub(super) async fn volume_cleared(&self, context: &Context) {
        let mut changed = self.inner.volumes.changed.subscribe();
        let _ = changed.wait_for(|()| self.volume_full(context).is_none()).await;
    }
}

fn failure(volume: &VolumeUse, context: &Context) -> Failure {
    let VolumeUse { name, used_bytes, limit_bytes } = volume;
    let path = context.volumes.iter().find(|it| &it.name == name).map_or("/data", |it| it.path.as_str());
    let reason = format!(
        "the volume `{name}` takes {} MB of disk, more than its {} MB; remove files from {path} with `nanoscale run`, \
         or give it a larger size in the project's settings",
        used_bytes.div_ceil(1 << 20),
        limit_bytes >> 20,
        name = name.as_str(),
    );
    failed("VOLUME_FULL", reason)
}

fn total(volumes: &[VolumeUse]) -> u64 {
    volumes.iter().map(|volume| volume.used_bytes).sum()
}

/// Bytes on `root`'s file system of files that have no name any more and are open in one of these processes.
fn unlinked(root: &Path, processes: &[i32]) -> u64 {
    let Ok(device) = root.symlink_metadata().map(|metadata| metadata.dev()) else { return 0 };
    let mut seen = HashSet::new();
    let mut bytes = 0;
    for process in processes {
        for open in std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten() {
            // Asks for what the link leads to without opening it.
            let Ok(file) = std::fs::metadata(open.path()) else { continue };
            if file.nlink() == 0 && file.dev() == device && file.is_file() && seen.insert(file.ino()) {
                bytes += file.blocks() * 512;
            }
        }
    }
    bytes
}

/// Bytes of a volume: of its file system if it has one of its own, else of the files in it.
fn used(root: &Path, volume: &Path) -> u64 {
    let device = |path: &Path| path.symlink_metadata().map(|metadata| metadata.dev());
    match (device(root), device(volume)) {
        (Ok(around), Ok(own)) if around != own => disk::used(volume).unwrap_or_default(),
        _ => disk::size(volume),
    }
}
