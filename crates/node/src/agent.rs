//! Makes what runs here what is desired: starts what is missing, stops what is too much,
//! points routes at what is ready. Everything happens in [`converge`], which takes no
//! input but the state below, and is woken by every change of it.

pub(crate) mod admission;
mod begun;
mod build;
mod caches;
mod config;
mod container;
mod converge;
pub(crate) mod disk;
mod dockerfile;
mod garbage;
mod host_ports;
mod image;
mod job;
mod planning;
mod preview;
mod probe;
mod process;
mod release;
mod routes;
mod step;
mod terminals;
mod usage;
mod volumes;
mod workload;
mod workspace;
mod yielding;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ids::{DeploymentId, ProjectId, WorkloadId, WorkspaceId};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use wire::{Capability, Desired, Fence, Observed};

pub use self::config::{Config, Gates, MachineConfig, Separation};
use crate::confine::Confine;
use crate::edge_link::{DialPeer, Doors, EdgeIo, EdgeLink};
use crate::groups::Groups;
use crate::identity::Identities;
use crate::layout::Layout;
use crate::log::Readers;
use crate::machine_logs::MachineLogs;
use crate::metrics::Sampler;
use crate::network::Networks;
use crate::peers::{Direct, Peers};
use crate::saved::Saved;
use crate::shim::Shim;
use crate::system_info::SystemInfos;

/// Pauses after the trash could not be emptied: at first something may still write there, later the disk has to change.
const TRASH_RETRY: Duration = Duration::from_secs(1);
const TRASH_RETRY_LATER: Duration = Duration::from_secs(30);
/// Failures in a row until they are told of.
const TRASH_FAILURES: u32 = 3;

/// The node. Cheap to clone.
#[derive(Clone)]
pub struct Agent {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    confine: Confine,
    networks: Networks,
    edge: EdgeLink,
    peer_door: DialPeer,
    peers: Peers,
    sampler: Sampler,
    log_readers: Readers,
    machine_logs: MachineLogs,
    system_infos: SystemInfos,
    saved: Saved,
    caches: caches::Ledger,
    admission: admission::Admission,
    volumes: volumes::Volumes,
    state: Mutex<State>,
    drawing: terminals::Turns,
    /// Held while what is known of a terminal is read and written anew: one is added, renamed, or has ended.
    marking: Mutex<()>,
    observed: watch::Sender<Observed>,
    /// Something in `state` changed.
    wake: Notify,
    /// Something was discarded.
    trash: Notify,
    /// Something may run no more.
    links: Notify,
    tasks: TaskTracker,
    /// Set when this process goes; workloads go on without it.
    closing: CancellationToken,
    converged: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// Absent until the control plane has spoken for the first time: until then nothing is touched.
    desired: Option<Desired>,
    builds: BTreeMap<DeploymentId, build::Running>,
    workloads: BTreeMap<WorkloadId, workload::Running>,
    jobs: BTreeMap<WorkloadId, job::Running>,
    workspaces: BTreeMap<WorkspaceId, workspace::Running>,
    hubs: terminals::Hubs,
    /// Sources that are only looked at.
    previews: BTreeSet<WorkloadId>,
    routes: routes::Applied,
    removed_groups: BTreeSet<ProjectId>,
    swept: bool,
    /// The same, by what the control plane has said to this process.
    swept_as_told: bool,
    /// What an earlier process left running is known.
    settled: bool,
}

/// A desired state older than the one the node has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stale {
    pub(crate) has: Fence,
}

// === impl Agent ===

impl Agent {
    /// A node that works in its directory. It takes up what it was told last, until it is told anew.
    pub fn new(config: Config, doors: Doors) -> io::Result<Self> {
        let layout = Layout::new(config.directory.clone())?;
        layout.open_gates(config.gates.group)?;
        layout.remove_parts()?;
        let saved = Saved::load(&layout)?;
        let desired = saved.read();
        let identities = Identities::load(&layout)?;
        let peers = Peers::new(layout.peers(), config.gates.group, doors.tunnel, doors.direct)?;
        let networks = Networks::new(identities.instance(), config.network_allow.clone());
        let log_readers = Readers::new();
        let MachineConfig { cloud_init_dir, reader_timeout, .. } = config.machine.clone();
        let machine_logs = MachineLogs::new(&layout, cloud_init_dir, reader_timeout, log_readers.clone())?;
        let groups = Groups::new(&config.driver, &identities.instance(), config.stop_grace);
        let (program, log_max_bytes) = (config.program.clone(), config.log_max_bytes);
        let confine = Confine { layout, identities, groups, program, log_max_bytes };
        Ok(Self {
            inner: Arc::new(Inner {
                sampler: Sampler::new(config.directory.clone(), config.disk_reserve_bytes),
                log_readers,
                machine_logs,
                system_infos: SystemInfos::new(&config.machine),
                caches: caches::Ledger::default(),
                admission: admission::Admission::new(),
                volumes: volumes::Volumes::new(),
                config,
                confine,
                networks,
                edge: EdgeLink::new(doors.control),
                peer_door: doors.peer,
                peers,
                saved,
                state: Mutex::new(State { desired, ..State::default() }),
                drawing: terminals::Turns::default(),
                marking: Mutex::new(()),
                observed: watch::Sender::new(Observed::default()),
                wake: Notify::new(),
                trash: Notify::new(),
                links: Notify::new(),
                tasks: TaskTracker::new(),
                closing: CancellationToken::new(),
                converged: watch::Sender::new(false),
            }),
        })
    }

    /// Works until `shutdown`, then leaves with every workload running.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        tokio::select! {
            () = self.converge_forever() => {}
            () = self.sampler().run(self) => {}
            () = self.empty_trash_forever() => {}
            () = self.tidy_forever() => {}
            () = self.hear_edge_forever() => {}
            () = self.forget_links_forever() => {}
            () = self.inner.edge.run() => {}
            () = self.collect_garbage() => {}
            () = self.govern_caches() => {}
            () = self.watch_volumes() => {}
            () = self.have_hogs_yield() => {}
            () = shutdown => {}
        }
        self.inner.closing.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Resolves when the first desired state has been carried out: what was ready before serves again.
    pub async fn converged(&self) {
        let mut converged = self.inner.converged.subscribe();
        // The sender lives as long as this does.
        let _ = converged.wait_for(|converged| *converged).await;
    }

    /// Resolves at once when this node was never told anything; else never.
    pub async fn knows_nothing(&self) {
        if self.lock().desired.is_some() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether a fault in the server or the edge is kept apart from what runs as root.
    pub(crate) fn separation(&self) -> Capability {
        let (enabled, detail) = match self.inner.config.separation {
            Separation::OneProcess => (
                false,
                "server, edge and node share one process and its rights; `nanoscale serve server`, `nanoscale serve edge` and \
                 `nanoscale serve node` run them as three, the first two without root"
                    .to_owned(),
            ),
            Separation::Processes { server: 0, .. } | Separation::Processes { edge: 0, .. } => {
                (false, "the server or the edge runs as root; give its directory to a user of its own".to_owned())
            }
            Separation::Processes { server, edge } => {
                (true, format!("the server runs as user {server}, the edge as user {edge}, both without root"))
            }
        };
        Capability { name: "separate_processes".into(), enabled, detail }
    }

    /// Who makes the groups that workloads run in.
    pub(crate) fn driver(&self) -> Capability {
        self.inner.config.driver.capability()
    }

    /// A connection to the edge that stands for one of another node's edge.
    pub(crate) async fn dial_peer_door(&self, host: &str) -> io::Result<std::pin::Pin<Box<dyn EdgeIo>>> {
        (self.inner.peer_door)(host.to_owned()).await
    }

    /// Takes connections of other nodes until this is dropped.
    pub async fn serve_peers(&self, listener: &TcpListener) {
        match self.direct() {
            Some(direct) => direct.serve(self, listener).await,
            None => std::future::pending().await,
        }
    }

    /// Asks the control plane something short.
    pub(crate) async fn ask_control_plane(
        &self,
        path: &str,
        question: Vec<u8>,
    ) -> io::Result<(hyper::StatusCode, bytes::Bytes)> {
        self.inner.peers.ask(path, question).await
    }

    pub(crate) fn direct(&self) -> Option<&Direct> {
        self.inner.peers.direct()
    }

    pub(crate) fn sampler(&self) -> &Sampler {
        &self.inner.sampler
    }

    pub(crate) fn log_readers(&self) -> &Readers {
        &self.inner.log_readers
    }

    pub(crate) fn machine_logs(&self) -> &MachineLogs {
        &self.inner.machine_logs
    }

    pub(crate) fn system_infos(&self) -> &SystemInfos {
        &self.inner.system_infos
    }

    pub(crate) fn confine(&self) -> &Confine {
        &self.inner.confine
    }

    pub(crate) fn networks(&self) -> &Networks {
        &self.inner.networks
    }

    /// Takes a file or a tree out of the way; the disk is cleared later.
    fn discard(&self, path: &Path) {
        if let Err(error) = self.confine().layout.discard(path) {
            tracing::warn!(%error, path = %path.display(), "cannot be removed");
        }
        self.inner.trash.notify_one();
    }

    async fn empty_trash_forever(&self) {
        let mut failures = 0;
        loop {
            let layout = self.confine().layout.clone();
            let emptied = tokio::task::spawn_blocking(move || layout.empty_trash()).await;
            failures = if matches!(emptied, Ok(Err(_))) { failures + 1 } else { 0 };
            if let Ok(Err(error)) = emptied
                && failures == TRASH_FAILURES
            {
                tracing::warn!(%error, "the trash cannot be emptied; trying again");
            }
            let pause = match failures {
                0 => Duration::MAX,
                1..=TRASH_FAILURES => TRASH_RETRY,
                _ => TRASH_RETRY_LATER,
            };
            let _ = tokio::time::timeout(pause, self.inner.trash.notified()).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, reports it and has the rest converge towards it.
    fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = self.note(change);
        self.inner.wake.notify_one();
        result
    }

    /// Changes the state and reports it; for what converging itself does.
    fn note<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        self.report(&state);
        result
    }

    fn report(&self, state: &State) {
        let mut seen = Observed {
            revision: 0,
            fence: state.desired.as_ref().map(|desired| desired.fence).unwrap_or_default(),
            builds: state.builds.values().map(|build| build.status.clone()).collect(),
            workloads: state.workloads.values().map(|workload| workload.status.clone()).collect(),
            jobs: state.jobs.values().map(|job| job.status.clone()).collect(),
            routes: state.routes.status(),
            routed: state.routes.fence(),
            removed_groups: state.removed_groups.iter().cloned().collect(),
            workspaces: state.workspaces.values().map(|workspace| workspace.status.clone()).collect(),
        };
        self.inner.observed.send_if_modified(|last| {
            seen.revision = last.revision;
            let changed = *last != seen;
            if changed {
                seen.revision += 1;
                *last = seen;
            }
            changed
        });
    }

    pub(crate) fn observed(&self) -> watch::Receiver<Observed> {
        self.inner.observed.subscribe()
    }

    /// Ends everything that runs as `id`, at once.
    async fn end(&self, id: &WorkloadId) {
        // Where there are no cgroups the shim is the only one who knows its process.
        if let Some(shim) = Shim::find(&self.confine().layout.run(id)).await {
            let _ = shim.signal(nix::libc::SIGKILL).await;
        }
        self.confine().kill(id);
        self.remove_container(id).await;
    }

    /// Takes a new desired state, unless it is older than the present one.
    pub(crate) fn set_desired(&self, desired: Desired) -> Result<(), Stale> {
        let _turn = self.inner.saved.turn();
        let has = self.lock().desired.as_ref().map(|desired| desired.fence).unwrap_or_default();
        if desired.fence < has {
            return Err(Stale { has });
        }
        // Before anything of it is done: what is found after a crash is never older than what was done.
        self.inner.saved.write(&desired);
        self.update(|state| {
            state.removed_groups.retain(|group| desired.removed_groups.contains(group));
            state.desired = Some(desired);
            Ok(())
        })
    }

    /// Stops whatever runs here for a control plane that does not want this node any more. Files stay.
    pub(crate) async fn end_everything(&self) {
        let agent = self.clone();
        let has = self.lock().desired.as_ref().map(|desired| desired.fence).unwrap_or_default();
        // It waits for the disk.
        let ended =
            tokio::task::spawn_blocking(move || agent.set_desired(Desired { fence: has, ..Desired::default() })).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::warn!("something new was desired at this moment");
        }
    }
}
