//! Workloads in units of systemd: for each process with its shim a transient scope, below a slice for its project.
//!
//! The scope is given away (`Delegate=`), so what lies in it is ours: the process is in a group of its own, which is limited,
//! counted and killed like those that the node makes, and the shim in another one beside it. The limits are the scope's
//! as well, where systemd's tools show them. A scope ends by itself when its shim does, and a name is only used again
//! after that. Files of scopes and slices themselves are systemd's: what changes there, it is told.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ids::{ProjectId, WorkloadId};
use sandbox::cgroup::{Cgroup, Limits};
use zbus::Variant;

use super::Described;
use super::bus::{Settings, Systemd, exists};

/// Below a scope, where the process is.
const PROCESS: &str = "process";
/// A unit is active this soon after it was asked for; a job that others hold up is not waited for.
const STARTED: Duration = Duration::from_secs(20);
/// A shim whose process has ended takes its leave within this time.
const LEAVE: Duration = Duration::from_secs(2);
/// For what was killed to be gone.
const GONE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);
/// What systemd gives whoever has none, and what it takes for "only while nobody else wants to" (since 252).
const ORDINARY: u64 = 100;
const IDLE: u64 = 0;
/// The least, for systemd before 252.
const LITTLE: u64 = 1;

/// Where units of this node lie, by the rules of systemd.slice(5).
pub(super) struct Places {
    instance: String,
    /// Whether there may be any.
    used: bool,
    /// The scopes that were found last.
    known: Mutex<BTreeMap<WorkloadId, String>>,
}

pub(super) struct Units {
    systemd: Systemd,
    instance: String,
    stop_grace: Duration,
    /// What may be used by what is about to start.
    limits: Mutex<BTreeMap<WorkloadId, Limits>>,
    /// Whether a group yields, as far as systemd was told.
    told: Mutex<BTreeMap<ProjectId, bool>>,
    /// Held while something is put into a slice: an empty one that is stopped takes along what comes into it.
    slices: tokio::sync::Mutex<()>,
}

// === impl Places ===

impl Places {
    pub(super) fn new(instance: &str, used: bool) -> Self {
        let mut places = Self { instance: instance.to_owned(), used: true, known: Mutex::default() };
        places.used = used || !places.slices().is_empty();
        places
    }

    fn scope(&self, id: &WorkloadId) -> String {
        format!("nanoscale-{}-{id}.scope", self.instance)
    }

    fn slice(&self, group: &ProjectId) -> String {
        format!("nanoscale-{}-{group}.slice", self.instance)
    }

    /// The group of the node's own slice, which has those of projects in it.
    fn top(&self) -> String {
        format!("nanoscale.slice/{}", self.top_slice())
    }

    fn top_slice(&self) -> String {
        format!("nanoscale-{}.slice", self.instance)
    }

    fn slices(&self) -> Vec<String> {
        if self.used { Cgroup::list(&self.top()).unwrap_or_default() } else { Vec::new() }
    }

    /// The group of a workload's scope, if it is there.
    fn path(&self, id: &WorkloadId) -> Option<String> {
        let known = lock(&self.known).get(id).cloned();
        if let Some(path) = known.filter(|path| Cgroup::exists(path)) {
            return Some(path);
        }
        let name = self.scope(id);
        let path = self.slices().into_iter().map(|slice| format!("{slice}/{name}")).find(|path| Cgroup::exists(path));
        let mut known = lock(&self.known);
        match &path {
            Some(path) => known.insert(id.clone(), path.clone()),
            None => known.remove(id),
        };
        path
    }

    /// The group of its process.
    pub(super) fn group(&self, id: &WorkloadId) -> Option<Cgroup> {
        Cgroup::open(&format!("{}/{PROCESS}", self.path(id)?)).ok()
    }

    pub(super) fn list(&self) -> Vec<WorkloadId> {
        let prefix = format!("nanoscale-{}-", self.instance);
        let scopes = self.slices().into_iter().flat_map(|slice| Cgroup::list(&slice).unwrap_or_default());
        let id = |path: String| path.rsplit('/').next()?.strip_prefix(&prefix)?.strip_suffix(".scope")?.parse().ok();
        scopes.filter_map(id).collect()
    }

    /// Waits until a scope has gone, as it does when its shim has; kills what stays.
    pub(super) async fn clear(&self, id: &WorkloadId) {
        let deadline = Instant::now() + LEAVE;
        while let Some(path) = self.path(id) {
            if Instant::now() > deadline {
                tracing::warn!(workload.id = %id, "its unit does not end; killing what is in it");
                let killed = tokio::task::block_in_place(|| Cgroup::open(&path)?.kill());
                if let Err(error) = killed {
                    tracing::warn!(%error, workload.id = %id, "cannot end all of a unit's processes");
                }
                return;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until no scope is in a group's slice, for a while.
    pub(super) async fn emptied(&self, group: &ProjectId) {
        let path = format!("{}/{}", self.top(), self.slice(group));
        let deadline = Instant::now() + GONE;
        while !Cgroup::list(&path).unwrap_or_default().is_empty() && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
    }
}

// === impl Units ===

impl Units {
    pub(super) fn new(systemd: Systemd, instance: &str, stop_grace: Duration) -> Self {
        Self {
            systemd,
            instance: instance.to_owned(),
            stop_grace,
            limits: Mutex::default(),
            told: Mutex::default(),
            slices: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn limit(&self, id: &WorkloadId, limits: Limits) {
        lock(&self.limits).insert(id.clone(), limits);
    }

    pub(super) fn forget(&self, id: &WorkloadId) {
        lock(&self.limits).remove(id);
    }

    /// Makes a scope with `shim` in it, and a group for the process that it will start.
    ///
    /// # Errors
    /// In words, if systemd does not make it: nothing is run outside of its unit.
    pub(super) async fn enter(&self, places: &Places, what: &Described<'_>, shim: u32) -> io::Result<String> {
        let (slice, scope) = (places.slice(what.group), places.scope(what.id));
        let limits = lock(&self.limits).get(what.id).cloned();
        // Else it would have none.
        let limits = limits.ok_or_else(|| io::Error::other("it was ended before it began"))?;
        let deadline = Instant::now() + GONE;
        let path = loop {
            let settings = self.settings(&slice, what, shim, &limits);
            match self.start(&slice, &scope, what.group, settings).await {
                Ok(path) => break path,
                // Of an earlier process of the same workload, which is on its way out; or a person stops it right now.
                Err(error) if exists(&error) && Instant::now() < deadline => {
                    places.clear(what.id).await;
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => return Err(io::Error::other(format!("systemd does not start {scope}: {error}"))),
            }
        };
        lock(&places.known).insert(what.id.clone(), path.clone());
        let group = Cgroup::create_in(&path, PROCESS, &limits);
        group.map(|group| group.name().to_owned()).map_err(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            io::Error::other(format!("no group can be made in {scope}: {error}{cause}"))
        })
    }

    /// Starts a scope, with its slice where that is not there; the scope's group.
    async fn start(&self, slice: &str, scope: &str, group: &ProjectId, settings: Settings<'_>) -> zbus::Result<String> {
        let _held = self.slices.lock().await;
        let words = format!("NanoScale: everything of project {group}");
        let made = self.systemd.start_transient(slice, &vec![("Description", words.into())]).await;
        match made {
            Ok(()) => drop(lock(&self.told).remove(group)),
            Err(error) if exists(&error) => {}
            Err(error) => return Err(error),
        }
        self.systemd.start_transient(scope, &settings).await?;
        let deadline = Instant::now() + STARTED;
        loop {
            let state = self.systemd.state(scope).await?;
            match state.as_str() {
                "active" => return self.systemd.control_group(scope).await,
                "activating" | "inactive" if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                other => return Err(zbus::Error::Failure(format!("it is {other}"))),
            }
        }
    }

    fn settings(&self, slice: &str, what: &Described<'_>, shim: u32, limits: &Limits) -> Settings<'static> {
        let microseconds = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let mut settings: Settings<'static> = vec![
            ("Description", what.words.clone().into()),
            ("Slice", slice.to_owned().into()),
            ("PIDs", vec![shim].into()),
            ("Delegate", true.into()),
            // A scope that has ended badly is not kept to be looked at: its name is used again.
            ("CollectMode", "inactive-or-failed".into()),
            ("TimeoutStopUSec", microseconds(self.stop_grace).into()),
            ("CPUAccounting", true.into()),
            ("MemoryAccounting", true.into()),
            ("TasksAccounting", true.into()),
        ];
        let mut limit = |name, value: Option<u64>| settings.extend(value.map(|value| (name, Variant::from(value))));
        limit("MemoryMax", limits.memory_bytes);
        limit("MemorySwapMax", limits.memory_bytes.map(|_| 0));
        limit("TasksMax", limits.pids);
        limit("CPUWeight", limits.cpu_weight.map(|weight| weight.clamp(1, 10_000)));
        limit("CPUQuotaPerSecUSec", limits.cpu_percent.map(|percent| u64::from(percent.max(1)) * 10_000));
        // When the machine is shut down, apps are stopped after the node: it would take their ends for crashes.
        if let Some(service) = own_service() {
            settings.push(("Before", vec![service].into()));
        }
        settings
    }

    pub(super) async fn set_idle(&self, group: &ProjectId, idle: bool) {
        if lock(&self.told).get(group) == Some(&idle) {
            return;
        }
        let slice = format!("nanoscale-{}-{group}.slice", self.instance);
        let set = async |weight: u64| self.systemd.set(&slice, &vec![("CPUWeight", weight.into())]).await;
        let done = match set(if idle { IDLE } else { ORDINARY }).await {
            Err(_) if idle => set(LITTLE).await,
            other => other,
        };
        match done {
            Ok(()) => drop(lock(&self.told).insert(group.clone(), idle)),
            Err(error) => tracing::debug!(%error, %slice, "cannot have a group yield"),
        }
    }

    /// Stops slices with nothing in them. What systemd refuses is tried again with the next round.
    pub(super) async fn stop_empty(&self, places: &Places) {
        if let Err(error) = self.try_stop_empty(places).await {
            tracing::debug!(%error, "slices cannot be stopped");
        }
    }

    async fn try_stop_empty(&self, places: &Places) -> zbus::Result<()> {
        let _held = self.slices.lock().await;
        let mut left = false;
        for slice in self.systemd.list(&format!("nanoscale-{}-*.slice", self.instance)).await? {
            if Cgroup::list(&format!("{}/{slice}", places.top())).unwrap_or_default().is_empty() {
                self.stop(&slice).await?;
            } else {
                left = true;
            }
        }
        let top = places.top_slice();
        if !left && !self.systemd.list(&top).await?.is_empty() {
            self.stop(&top).await?;
        }
        Ok(())
    }

    /// Stops a slice, and waits until it has gone or somebody wants it again.
    async fn stop(&self, slice: &str) -> zbus::Result<()> {
        self.systemd.stop(slice).await?;
        let deadline = Instant::now() + LEAVE;
        while self.systemd.state(slice).await.is_ok_and(|state| state != "inactive") && Instant::now() < deadline {
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

/// The service that this process is of, where systemd has started it.
fn own_service() -> Option<String> {
    let memberships = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = memberships.lines().find_map(|line| line.strip_prefix("0::"))?;
    path.split('/').find(|part| part.ends_with(".service")).map(str::to_owned)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
