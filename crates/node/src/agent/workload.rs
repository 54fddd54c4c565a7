//! One process of a release, kept running: start, probe, ready, restart when it dies,
//! drain and stop when it is no longer wanted.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use edge::Upstream;
use ids::{DeploymentId, LogStream};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use wire::shim::Exit;
use wire::{Failure, WorkloadSpec, WorkloadState, WorkloadStatus};

use super::Agent;
use super::probe::{self, Seen};
use super::step::LAST_LINES;
use crate::confine::{Job, Program, Role};
use crate::confined::StaticRequest;
use crate::layout::{self, LogKind, write_atomic};
use crate::shim::{Shim, read_exit};

/// Pause before a dead process is started again, doubled with every death that follows soon.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// A process that lived this long is new to back-off.
const STABLE: Duration = Duration::from_secs(60);

/// A workload in the node's state.
pub(super) struct Running {
    pub(super) release: DeploymentId,
    pub(super) status: WorkloadStatus,
    /// There while it is ready.
    pub(super) upstream: Option<Arc<Upstream>>,
    pub(super) stop: CancellationToken,
    /// What an earlier process left of it has been looked at.
    pub(super) settled: bool,
}

/// What outlives this process: where the app listens, and that it was ready.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Kept {
    port: u16,
    ready: bool,
    /// Some process of it was ready before: it is started again for as long as it is wanted.
    #[serde(default)]
    was_ready: bool,
}

/// A process and where it listens.
struct Process {
    shim: Shim,
    kept: Kept,
    started: Instant,
}

/// How a process's time ended.
enum End {
    Stop,
    /// Before it was ever ready.
    Failed(Failure),
    /// It had been ready.
    Died(Option<Exit>),
}

pub(super) fn start(agent: &Agent, spec: WorkloadSpec) {
    let stop = CancellationToken::new();
    agent.update(|state| {
        let status = WorkloadStatus {
            id: spec.id.clone(),
            group: spec.group.clone(),
            state: WorkloadState::Starting,
            failure: None,
            restarts: 0,
            memory_bytes: None,
            cpu_usec: None,
        };
        let running =
            Running { release: spec.release.clone(), status, upstream: None, stop: stop.clone(), settled: false };
        state.workloads.insert(spec.id.clone(), running);
    });
    let workload = Workload { agent: agent.clone(), spec, stop };
    let closing = agent.inner.closing.clone();
    agent.inner.tasks.spawn(async move {
        tokio::select! {
            () = workload.run() => {}
            () = closing.cancelled() => {}
        }
    });
}

struct Workload {
    agent: Agent,
    spec: WorkloadSpec,
    stop: CancellationToken,
}

impl Workload {
    async fn run(&self) {
        let kept = self.kept();
        let mut was_ready = kept.is_some_and(|kept| kept.ready || kept.was_ready);
        let mut process = match kept {
            Some(kept) => self.adopt(kept).await,
            None => None,
        };
        if process.is_none() {
            self.update(|running| running.settled = true);
        }
        let mut backoff = FIRST_BACKOFF;
        loop {
            let end = match process.take() {
                Some(process) => self.live(process, &mut was_ready, &mut backoff).await,
                None => match self.launch(was_ready).await {
                    Ok(process) => self.live(process, &mut was_ready, &mut backoff).await,
                    Err(failure) if was_ready => {
                        tracing::warn!(workload.id = %self.spec.id, reason = failure.reason, "cannot be started again");
                        End::Died(None)
                    }
                    Err(failure) => End::Failed(failure),
                },
            };
            match end {
                End::Stop => break,
                End::Failed(failure) => {
                    self.log_build(vec![format!("failed: {}", failure.reason)]);
                    self.cleanup(None).await;
                    self.update(|running| {
                        running.status.state = WorkloadState::Failed;
                        running.status.failure = Some(failure);
                    });
                    self.stop.cancelled().await;
                    break;
                }
                End::Died(exit) => {
                    self.died(exit.as_ref(), backoff);
                    tokio::select! {
                        () = tokio::time::sleep(backoff) => {}
                        () = self.stop.cancelled() => break,
                    }
                    backoff = (backoff * 2).min(LONGEST_BACKOFF);
                }
            }
        }
        let _ = layout::remove(&self.agent.confine().layout.run(&self.spec.id));
        self.agent.confine().kill(&self.spec.id);
        self.agent.update(|state| state.workloads.remove(&self.spec.id));
    }

    /// The process that an earlier life of this node started.
    async fn adopt(&self, kept: Kept) -> Option<Process> {
        let shim = Shim::find(&self.agent.confine().layout.run(&self.spec.id)).await?;
        Some(Process { shim, kept, started: Instant::now() })
    }

    async fn launch(&self, was_ready: bool) -> Result<Process, Failure> {
        let confine = self.agent.confine();
        let failed = |code: &str, reason: String| Failure { code: code.into(), reason, last_lines: Vec::new() };
        let node_error =
            |error: std::io::Error| failed("NODE_ERROR", format!("the node cannot start the app: {error}"));
        // Whatever an earlier process with this name left behind.
        confine.kill(&self.spec.id);
        if !confine.layout.release(&self.spec.group, &self.spec.release).exists() {
            return Err(failed("RELEASE_MISSING", "the node no longer has this release; deploy again".into()));
        }
        confine.prepare(&self.spec.id, &self.spec.group, Role::App, LogKind::Run).map_err(node_error)?;
        confine.limit(&self.spec.id, &self.spec.limits);
        let port = free_port().map_err(node_error)?;
        let argv;
        let (program, shown) = match &self.spec.process.command {
            Some(command) => {
                argv = domain::command::argv(command).ok_or_else(|| {
                    failed("INVALID_COMMAND", format!("the run command has an open quote or no words: {command}"))
                })?;
                (Program::Command(&argv), format!("run: $ {command}"))
            }
            None => {
                let request = StaticRequest { single_page: self.spec.process.kind == "spa" };
                (
                    Program::Internal("serve-static", serde_json::to_string(&request).unwrap_or_default()),
                    match self.spec.process.directory.as_str() {
                        "" => "run: serve the files".to_owned(),
                        directory => format!("run: serve the files in `{directory}`"),
                    },
                )
            }
        };
        self.log_build(vec![shown]);
        let mut env = self.spec.process.env.clone();
        env.extend([("PORT".into(), port.to_string()), ("HOST".into(), "127.0.0.1".into())]);
        let job = Job {
            id: &self.spec.id,
            group: &self.spec.group,
            release: &self.spec.release,
            role: Role::App,
            program,
            directory: &self.spec.process.directory,
            path: &self.spec.process.path,
            env,
            owner_env: &self.spec.env,
            file: None,
        };
        let shim_spec = confine.shim_spec(&job, LogKind::Run).map_err(node_error)?;
        let kept = Kept { port, ready: false, was_ready };
        self.keep(kept).map_err(node_error)?;
        match Shim::start(&confine.program, &shim_spec).await.map_err(node_error)? {
            Ok(shim) => Ok(Process { shim, kept, started: Instant::now() }),
            Err(exit) => {
                let why = exit.spawn_error.unwrap_or_default();
                Err(failed("CANNOT_START", format!("the app cannot be started: {why}")))
            }
        }
    }

    /// From a process's start to its end, or until it is no longer wanted.
    async fn live(&self, process: Process, was_ready: &mut bool, backoff: &mut Duration) -> End {
        if process.kept.ready {
            self.ready(&process);
        } else {
            let ended = tokio::select! {
                ready = self.until_ready(&process) => ready.err(),
                exit = process.shim.wait() => Some(self.exited_early(&process, exit)),
                () = self.stop.cancelled() => {
                    self.cleanup(Some(&process)).await;
                    return End::Stop;
                }
            };
            if let Some(failure) = ended {
                self.cleanup(Some(&process)).await;
                return if *was_ready { End::Died(None) } else { End::Failed(failure) };
            }
            if let Err(error) = self.keep(Kept { ready: true, was_ready: true, ..process.kept }) {
                tracing::warn!(%error, workload.id = %self.spec.id, "cannot remember that it is ready");
            }
            *was_ready = true;
            self.ready(&process);
        }
        tokio::select! {
            exit = process.shim.wait() => {
                if process.started.elapsed() > STABLE {
                    *backoff = FIRST_BACKOFF;
                }
                self.agent.confine().kill(&self.spec.id);
                End::Died(exit)
            }
            () = self.stop.cancelled() => {
                self.drain().await;
                self.cleanup(Some(&process)).await;
                End::Stop
            }
        }
    }

    async fn until_ready(&self, process: &Process) -> Result<(), Failure> {
        let probe = &self.spec.probe;
        let timeout = Duration::from_secs(probe.timeout_seconds);
        let mut seen = Seen::NothingListens;
        let host = format!("127.0.0.1:{}", process.kept.port);
        let answered =
            tokio::time::timeout(timeout, probe::until_ready(process.kept.port, &probe.path, &host, &mut seen)).await;
        if answered.is_err() {
            return Err(self.failure(seen.code(), seen.reason(process.kept.port, &probe.path, timeout)));
        }
        let took = process.started.elapsed();
        self.log_build(vec![format!("probe: GET {} answered after {} ms", probe.path, took.as_millis())]);
        // What dies in its first moments shall not have replaced anything.
        let settle = Duration::from_millis(probe.settle_ms);
        if took < settle {
            self.log_build(vec![format!("probe: watching it for {} ms before it takes over", settle.as_millis())]);
            tokio::time::sleep(settle - took).await;
            let mut seen = Seen::NothingListens;
            let again = probe::until_ready(process.kept.port, &probe.path, &host, &mut seen);
            if tokio::time::timeout(Duration::from_secs(10), again).await.is_err() {
                return Err(self.failure("UNHEALTHY", "the app answered once and then no more".into()));
            }
        }
        Ok(())
    }

    fn exited_early(&self, process: &Process, exit: Option<Exit>) -> Failure {
        let after = process.started.elapsed().as_millis();
        if self.agent.confine().cgroup(&self.spec.id).is_some_and(|cgroup| cgroup.oom_kills() > 0) {
            let megabytes = self.spec.limits.memory_bytes >> 20;
            return self.failure(
                "OUT_OF_MEMORY",
                format!("the app needed more than its {megabytes} MB of memory (limits.app_memory_mb)"),
            );
        }
        self.failure(
            "APP_EXITED",
            format!("the app {}, {after} ms after its start and before it was ready", how(exit.as_ref())),
        )
    }

    /// A failure with the app's last lines.
    fn failure(&self, code: &str, reason: String) -> Failure {
        let directory = self.agent.confine().layout.log(&self.spec.group, &self.spec.id, LogKind::Run);
        let lines = crate::log::tail(&directory, LAST_LINES, |_| true).unwrap_or_default();
        let copied = lines.iter().map(|line| (line.stream, line.text.clone()));
        let _ = self.agent.confine().log_records(&self.spec.id, &self.spec.group, LogKind::Build, copied);
        Failure { code: code.into(), reason, last_lines: lines.into_iter().map(|line| line.text).collect() }
    }

    fn ready(&self, process: &Process) {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, process.kept.port));
        let upstream = Upstream::new(self.spec.id.to_string(), address, &self.agent.inner.config.edge);
        if !process.kept.ready {
            let directory = self.agent.confine().layout.log(&self.spec.group, &self.spec.id, LogKind::Run);
            let said = crate::log::tail(&directory, LAST_LINES, |_| true).unwrap_or_default();
            let lines = said.into_iter().map(|line| (line.stream, line.text));
            let lines = lines.chain([(LogStream::Sys, "ready: visitors are sent here now".to_owned())]);
            let _ = self.agent.confine().log_records(&self.spec.id, &self.spec.group, LogKind::Build, lines);
        }
        self.update(|running| {
            running.status.state = WorkloadState::Ready;
            running.upstream = Some(Arc::new(upstream));
            running.settled = true;
        });
    }

    fn died(&self, exit: Option<&Exit>, backoff: Duration) {
        let text = format!("the app {}; starting it again in {} ms", how(exit), backoff.as_millis());
        let _ = self.agent.confine().log(&self.spec.id, &self.spec.group, LogKind::Run, std::slice::from_ref(&text));
        self.update(|running| {
            running.upstream = None;
            running.status.state = WorkloadState::Restarting;
            running.status.restarts += 1;
            running.status.failure = Some(Failure { code: "APP_EXITED".into(), reason: text, last_lines: Vec::new() });
            running.settled = true;
        });
    }

    /// Waits until the edge has answered the last request that this process began.
    async fn drain(&self) {
        let upstream = self.update(|running| {
            running.status.state = WorkloadState::Draining;
            running.upstream.take()
        });
        if let Some(upstream) = upstream.flatten() {
            let drained = upstream.drain().await;
            if drained.cut > 0 {
                tracing::info!(workload.id = %self.spec.id, cut = drained.cut, "requests were cut at the end of the drain");
            }
        }
    }

    /// Ends the process: politely, then for certain.
    async fn cleanup(&self, process: Option<&Process>) {
        if let Some(process) = process {
            let run_dir = self.agent.confine().layout.run(&self.spec.id);
            if read_exit(&run_dir).is_none() && process.shim.signal(nix::libc::SIGTERM).await.is_ok() {
                let ended = tokio::time::timeout(self.agent.inner.config.stop_grace, process.shim.wait()).await;
                if ended.is_err() {
                    let _ = process.shim.signal(nix::libc::SIGKILL).await;
                }
            }
        }
        self.agent.confine().kill(&self.spec.id);
    }

    fn kept(&self) -> Option<Kept> {
        let path = self.agent.confine().layout.run(&self.spec.id).join("kept.json");
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    fn keep(&self, kept: Kept) -> std::io::Result<()> {
        let path = self.agent.confine().layout.run(&self.spec.id).join("kept.json");
        write_atomic(&path, &serde_json::to_vec(&kept)?)
    }

    fn update<T>(&self, change: impl FnOnce(&mut Running) -> T) -> Option<T> {
        self.agent.update(|state| state.workloads.get_mut(&self.spec.id).map(change))
    }

    fn log_build(&self, lines: Vec<String>) {
        if let Err(error) = self.agent.confine().log(&self.spec.id, &self.spec.group, LogKind::Build, &lines) {
            tracing::warn!(%error, workload.id = %self.spec.id, "cannot write a log");
        }
    }
}

fn how(exit: Option<&Exit>) -> String {
    match exit {
        Some(Exit { code: Some(code), .. }) => format!("ended with exit code {code}"),
        Some(Exit { signal: Some(signal), .. }) => format!("was ended by signal {signal}"),
        _ => "ended".into(),
    }
}

/// A loopback port that nobody listens on now.
fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
