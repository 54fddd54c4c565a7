//! One workspace, kept running: its files, a sandbox that something holds open, and the steps that make it ready.
//!
//! What was done is marked on disk, so that a node that was killed goes on where it was, and a start that failed is tried
//! again from the step that did. Its processes join the holder's sandbox and its group, and end with it.

mod kept;
mod ports;
mod questions;
mod quiet;
mod steps;

use std::time::{Duration, Instant};

use checkpoint::Checkpoint;
use ids::{WorkloadId, WorkspaceId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::{Failure, WorkspacePhase, WorkspaceSpec, WorkspaceStatus, WorkspaceStep};

use self::kept::Kept;
use self::quiet::Used;
use super::Agent;
use super::process::{SOCKETS, failed, node_error};
use crate::confine::workspace::Inside;
use crate::groups::Described;
use crate::layout::LogKind;
use crate::shim::{Shim, read_exit};

/// A sandbox that died sooner than this is not started again by itself.
const STABLE: Duration = Duration::from_secs(10);
/// What shells have to end when the workspace is stopped.
pub(super) const FAREWELL: Duration = Duration::from_secs(3);

/// A workspace in the node's state.
pub(super) struct Running {
    pub(super) status: WorkspaceStatus,
    /// What is wanted of it by now.
    pub(super) wanted: watch::Sender<WorkspaceSpec>,
    pub(super) stop: CancellationToken,
    /// When something last happened in it, as far as this process has seen.
    pub(super) used: Used,
}

pub(super) fn start(agent: &Agent, spec: WorkspaceSpec) {
    let stop = CancellationToken::new();
    let id = spec.id.clone();
    let wanted = watch::Sender::new(spec.clone());
    let changes = wanted.subscribe();
    let used = agent.used_before(&id);
    agent.update(|state| {
        let status = WorkspaceStatus {
            id: id.clone(),
            attempt: spec.attempt,
            phase: WorkspacePhase::Starting,
            steps: Vec::new(),
            failure: None,
            ports: Vec::new(),
            terminals: 0,
        };
        state.workspaces.insert(id.clone(), Running { status, wanted, stop: stop.clone(), used });
    });
    let workspace = Workspace { agent: agent.clone(), id, stop, changes };
    let closing = agent.inner.closing.clone();
    agent.inner.tasks.spawn(async move {
        tokio::select! {
            () = workspace.run() => {}
            () = closing.cancelled() => {}
        }
    });
}

struct Workspace {
    agent: Agent,
    id: WorkspaceId,
    stop: CancellationToken,
    changes: watch::Receiver<WorkspaceSpec>,
}

impl Workspace {
    async fn run(mut self) {
        let (stop, agent, id) = (self.stop.clone(), self.agent.clone(), self.id.clone());
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.keep_running() => {}
            never = agent.answer_questions(&id) => match never {},
        }
        self.set_phase(WorkspacePhase::Stopping);
        self.agent.end_workspace(&self.id).await;
        self.agent.update(|state| state.workspaces.remove(&self.id));
    }

    /// Until somebody drops it.
    async fn keep_running(&mut self) {
        loop {
            let spec = self.changes.borrow_and_update().clone();
            let begun = Instant::now();
            self.discard_outdated(&spec).await;
            // From the first step on: what is cloned may lie there.
            let ports = self.agent.answer_host_ports(&WorkloadId::from(&self.id), &spec.network.host_ports);
            let ready = self.make_ready(&spec).await;
            let Some(shim) = ready else {
                // Tried again when somebody asks for it.
                self.next_attempt(spec.attempt).await;
                continue;
            };
            self.agent.adopt_terminals(&self.id);
            tokio::select! {
                () = self.next_attempt(spec.attempt) => {}
                never = self.agent.watch_ports(&self.id, &spec, &shim) => match never {},
                never = self.agent.watch_use(&self.id) => match never {},
                exit = shim.wait() => {
                    drop(ports);
                    self.say(&format!("the workspace's processes have ended: {}", super::process::how(exit.as_ref())));
                    self.agent.end_workspace(&self.id).await;
                    if begun.elapsed() < STABLE {
                        self.fail(failed("ENDED", "its processes ended right after their start; its log says why"));
                        self.next_attempt(spec.attempt).await;
                    }
                }
            }
        }
    }

    /// Resolves when the workspace shall be started anew.
    async fn next_attempt(&self, attempt: i64) {
        let mut changes = self.changes.clone();
        if changes.wait_for(|spec| spec.attempt != attempt).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Makes room for new files, where they are wanted.
    async fn discard_outdated(&self, spec: &WorkspaceSpec) {
        if self.agent.workspace_kept(&self.id).generation != spec.generation {
            self.agent.end_workspace(&self.id).await;
            self.agent.discard_homes(spec);
            checkpoint::reach(Checkpoint::HomesDiscarded).await;
            let kept = Kept { generation: spec.generation, attempt: spec.attempt, ..Kept::default() };
            self.agent.keep_workspace(&self.id, &kept);
        }
    }

    /// Takes every step that was not taken yet. The holder, when terminals can be opened.
    async fn make_ready(&self, spec: &WorkspaceSpec) -> Option<Shim> {
        let mut kept = self.agent.workspace_kept(&self.id);
        if kept.attempt == spec.attempt && kept.is_ready {
            if let Some(shim) = self.agent.find_holder(&self.id).await {
                self.agent.show_workspace(&self.id, &kept);
                return Some(shim);
            }
            // The machine was started anew, or somebody ended it: nothing but the sandbox is missing.
            kept.is_ready = false;
        }
        kept.generation = spec.generation;
        kept.begin(spec.attempt);
        steps::Steps { agent: &self.agent, spec, kept, failure: None }.run().await
    }

    fn set_phase(&self, phase: WorkspacePhase) {
        self.agent.update(|state| {
            if let Some(running) = state.workspaces.get_mut(&self.id) {
                running.status.phase = phase;
            }
        });
    }

    fn fail(&self, failure: Failure) {
        let mut kept = self.agent.workspace_kept(&self.id);
        kept.is_ready = false;
        kept.failure = Some(failure);
        self.agent.keep_workspace(&self.id, &kept);
    }

    fn say(&self, line: &str) {
        self.agent.say_in_workspace(&self.id, line.to_owned());
    }
}

impl Agent {
    /// The process that holds its sandbox, if it lives.
    pub(super) async fn find_holder(&self, id: &WorkspaceId) -> Option<Shim> {
        let run_dir = self.confine().layout.run(&WorkloadId::from(id));
        let shim = Shim::find(&run_dir).await?;
        read_exit(&run_dir).is_none().then_some(shim)
    }

    /// A running workspace that is wanted, with the init of its sandbox.
    pub(crate) async fn open_workspace(&self, id: &WorkspaceId) -> Result<(WorkspaceSpec, i32), Failure> {
        let usable = |phase| matches!(phase, WorkspacePhase::Running | WorkspacePhase::Recovery);
        let spec = {
            let state = self.lock();
            let running = state.workspaces.get(id).filter(|running| usable(running.status.phase));
            running.map(|running| running.wanted.borrow().clone())
        };
        let down = || failed("NOT_RUNNING", "the workspace does not run; start it first");
        let spec = spec.ok_or_else(down)?;
        let run_dir = self.confine().layout.run(&WorkloadId::from(id));
        let silent = |error: std::io::Error| failed("NODE_ERROR", format!("what holds it does not answer: {error}"));
        let holder = Shim::look(&run_dir).await.map_err(silent)?;
        let holder = holder.filter(|_| read_exit(&run_dir).is_none()).ok_or_else(down)?;
        let init = holder.init_pid().await.ok_or_else(down)?;
        Ok((spec, init))
    }

    /// Where something that listens in it is reached.
    pub(crate) fn workspace_origin(&self, id: &WorkspaceId, port: u16) -> edge::Origin {
        let sockets = self.confine().layout.run(&WorkloadId::from(id)).join(SOCKETS);
        if crate::confine::Confine::has_namespaces() && sockets.exists() {
            return edge::Origin::Namespace { sockets, port };
        }
        edge::Origin::Address((std::net::Ipv4Addr::LOCALHOST, port).into())
    }

    pub(crate) async fn start_inside(&self, spec: &WorkspaceSpec, inside: &Inside) -> Result<Shim, Failure> {
        let confine = self.confine();
        let id = inside.id(&spec.id);
        confine.prepare_inside(spec, inside).map_err(node_error)?;
        let shim_spec = confine.workspace_spec(spec, inside).map_err(node_error)?;
        let group = spec.id.group();
        let words = match inside {
            Inside::Holder { .. } => format!("NanoScale: workspace {}", spec.id),
            Inside::Step { name, .. } => format!("NanoScale: {name} of workspace {}", spec.id),
            Inside::Terminal { id, .. } => format!("NanoScale: terminal {id} of workspace {}", spec.id),
        };
        let what = Described { id: &id, group: &group, words };
        let started = match inside {
            Inside::Holder { .. } => Box::pin(confine.start(&what, shim_spec)).await,
            // Its shim has a unit of its own where there are units, its processes are the workspace's.
            Inside::Step { .. } | Inside::Terminal { .. } => {
                confine.groups.expect(&id);
                Box::pin(confine.start_in(&what, shim_spec)).await
            }
        };
        started.map_err(node_error)?.map_err(|exit| {
            failed("CANNOT_START", format!("it cannot be started: {}", exit.spawn_error.unwrap_or_default()))
        })
    }

    /// Ends every process of it. Its files stay.
    pub(super) async fn end_workspace(&self, id: &WorkspaceId) {
        let confine = self.confine();
        let runs = self.runs_of(id);
        let mut shells = Vec::new();
        for run in &runs {
            if let Some(shim) = Shim::find(&confine.layout.run(run)).await
                && *run != WorkloadId::from(id)
                && shim.signal(nix::libc::SIGHUP).await.is_ok()
            {
                shells.push(async move { shim.wait().await });
            }
        }
        let _ = tokio::time::timeout(FAREWELL, futures_util::future::join_all(shells)).await;
        for run in runs.iter().chain([&WorkloadId::from(id)]) {
            self.end(run).await;
        }
        checkpoint::reach(Checkpoint::WorkspaceEnded).await;
        self.forget_terminals(id).await;
        for run in &runs {
            self.discard(&confine.layout.run(run));
        }
    }

    /// Everything of it that was started: itself, steps, terminals.
    fn runs_of(&self, id: &WorkspaceId) -> Vec<WorkloadId> {
        let entries = std::fs::read_dir(self.confine().layout.runs()).into_iter().flatten().flatten();
        let runs = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<WorkloadId>().ok());
        runs.filter(|run| run.base() == id.as_str()).collect()
    }

    fn discard_homes(&self, spec: &WorkspaceSpec) {
        let layout = &self.confine().layout;
        let group = spec.id.group();
        let wanted = layout.home(&group, spec.generation);
        for entry in std::fs::read_dir(layout.group(&group)).into_iter().flatten().flatten() {
            let path = entry.path();
            if path != wanted && entry.file_name().to_string_lossy().starts_with("home-") {
                self.discard(&path);
            }
        }
    }

    pub(super) fn say_in_workspace(&self, id: &WorkspaceId, line: String) {
        if let Err(error) = self.confine().log(&WorkloadId::from(id), &id.group(), LogKind::Job, &[line]) {
            tracing::warn!(%error, workspace.id = %id, "cannot write a log");
        }
    }

    /// Has the control plane see how far it is.
    fn show_workspace(&self, id: &WorkspaceId, kept: &Kept) {
        let phase = match (kept.is_ready, &kept.failure) {
            (true, None) => WorkspacePhase::Running,
            (true, Some(_)) => WorkspacePhase::Recovery,
            (false, Some(_)) => WorkspacePhase::Failed,
            (false, None) => WorkspacePhase::Starting,
        };
        self.update(|state| {
            if let Some(Running { status, .. }) = state.workspaces.get_mut(id) {
                status.attempt = kept.attempt;
                status.phase = phase;
                status.steps.clone_from(&kept.steps);
                status.failure.clone_from(&kept.failure);
            }
        });
    }
}

/// A step that begins now.
fn begun(name: &str) -> WorkspaceStep {
    let started_at_ms = crate::now_ms();
    let state = ids::StepState::Running;
    WorkspaceStep { name: name.into(), state, started_at_ms, finished_at_ms: None, message: None }
}
