//! One process of a release, kept running: start, probe, ready, restart when it dies,
//! drain and stop when it is no longer wanted.

use std::time::Duration;

use edge::control::Destination;
use ids::{DeploymentId, LogStream, WorkloadId};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use wire::shim::Exit;
use wire::{Failure, Program as Spec, Readiness, WorkloadSpec, WorkloadState, WorkloadStatus};

use super::Agent;
use super::probe::{self, Seen};
use super::process::{Listen, Process, Start, failed, how, node_error};
use super::step::LAST_LINES;
use crate::confine::Program;
use crate::confined::StaticRequest;
use crate::layout::{LogKind, write_atomic};

/// The process that visitors meet.
const WEB: &str = "web";
/// Pause before a dead process is started again, doubled with every death that follows soon.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// A process that lived this long is new to back-off.
const STABLE: Duration = Duration::from_secs(60);
/// So many deaths in a row, each before it was stable, are a crash loop.
const CRASH_LOOP: u32 = 5;
/// Lines of a process that died while it was live.
const DYING_LINES: usize = 200;

/// A workload in the node's state.
pub(super) struct Running {
    pub(super) release: DeploymentId,
    pub(super) status: WorkloadStatus,
    /// There while it is ready and answers visitors.
    pub(super) upstream: Option<Destination>,
    pub(super) stop: CancellationToken,
    /// What an earlier process left of it has been looked at, and serves again if it did before.
    pub(super) settled: bool,
}

/// What outlives the node's process: where the app listens, and that it was ready.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    listen: Listen,
    /// When it was started, in milliseconds: tells the lives of a workload apart.
    #[serde(default)]
    life: i64,
    ready: bool,
    /// Some process of it was ready before: it is started again for as long as it is wanted.
    #[serde(default)]
    was_ready: bool,
}

/// A process and what is kept of it.
struct Live {
    process: Process,
    kept: Kept,
}

/// How a process's time ended.
enum End {
    Stop,
    /// Before it was ever ready.
    Failed(Failure),
    /// It had been ready.
    Died(Failure),
}

pub(super) fn start(agent: &Agent, spec: WorkloadSpec) {
    let stop = CancellationToken::new();
    agent.update(|state| {
        let status = WorkloadStatus {
            id: spec.id.clone(),
            group: spec.context.group.clone(),
            state: WorkloadState::Starting,
            failure: None,
            restarts: 0,
            crash_loop_since_ms: None,
            memory_bytes: None,
            cpu_usec: None,
        };
        let running = Running {
            release: spec.context.release.clone(),
            status,
            upstream: None,
            stop: stop.clone(),
            settled: false,
        };
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

/// What is remembered from one process to the next.
struct History {
    was_ready: bool,
    backoff: Duration,
    /// Deaths since it was last stable.
    deaths: u32,
}

impl Workload {
    async fn run(&self) {
        let kept = self.kept();
        let was_ready = kept.is_some_and(|kept| kept.ready || kept.was_ready);
        let mut history = History { was_ready, backoff: FIRST_BACKOFF, deaths: 0 };
        let mut live = match kept {
            Some(kept) => self.agent.find_process(&self.spec.id).await.map(|process| Live { process, kept }),
            None => None,
        };
        if !live.as_ref().is_some_and(|live| live.kept.ready) {
            self.update(|running| running.settled = true);
        }
        loop {
            let started = match live.take() {
                Some(live) => Ok(live),
                None => self.launch(history.was_ready).await,
            };
            let end = match started {
                Ok(live) => self.attend(live, &mut history).await,
                Err(failure) if history.was_ready => {
                    tracing::warn!(workload.id = %self.spec.id, reason = failure.reason, "cannot be started again");
                    End::Died(failure)
                }
                Err(failure) => End::Failed(failure),
            };
            match end {
                End::Stop => break,
                End::Failed(failure) => {
                    self.give_up(failure).await;
                    break;
                }
                End::Died(failure) => {
                    self.died(failure, &mut history);
                    tokio::select! {
                        () = tokio::time::sleep(history.backoff) => {}
                        () = self.stop.cancelled() => break,
                    }
                    history.backoff = (history.backoff * 2).min(LONGEST_BACKOFF);
                }
            }
        }
        self.agent.confine().layout.close_gates(&self.spec.id);
        self.agent.discard(&self.agent.confine().layout.run(&self.spec.id));
        self.agent.confine().kill(&self.spec.id);
        self.agent.update(|state| state.workloads.remove(&self.spec.id));
    }

    /// It never became ready: says so until nobody wants it any more.
    async fn give_up(&self, failure: Failure) {
        self.log_start(format!("failed: {}", failure.reason));
        self.agent.stop_process(&self.spec.id, None).await;
        self.update(|running| {
            running.status.state = WorkloadState::Failed;
            running.status.failure = Some(failure);
        });
        self.stop.cancelled().await;
    }

    async fn launch(&self, was_ready: bool) -> Result<Live, Failure> {
        let Self { agent, spec, .. } = self;
        if let Some(failure) = &spec.unstartable {
            return Err(failure.clone());
        }
        agent.prepare_process(&spec.id, &spec.context, LogKind::Run)?;
        let argv;
        let (program, shown) = match &spec.program {
            Spec::Command { command } => {
                argv = domain::command::argv(command).ok_or_else(|| {
                    failed("INVALID_COMMAND", format!("the run command has an open quote or no words: {command}"))
                })?;
                (Program::Command(&argv), format!("$ {command}"))
            }
            Spec::Files { single_page } => {
                let request = StaticRequest { single_page: *single_page };
                let shown = match spec.context.runtime.directory.as_str() {
                    "" => "serve the files".to_owned(),
                    directory => format!("serve the files in `{directory}`"),
                };
                (Program::Internal("serve-static", serde_json::to_string(&request).unwrap_or_default()), shown)
            }
        };
        let name = self.process_name();
        self.log_start(format!("{}: {shown}", if name == WEB { "run" } else { name }));
        self.log_run(format!("{name} starts: {shown}"));
        let network = match &spec.program {
            // Our own code, which reaches for nothing.
            Spec::Files { .. } => sandbox::Network::Own { sockets: None, ports: Vec::new(), link: None },
            Spec::Command { .. } => agent.networks().join(&spec.id, &spec.context.network).await,
        };
        let listen = Listen::choose(&network).map_err(node_error)?;
        let env = match spec.readiness {
            Readiness::Answers { .. } => {
                vec![("PORT".into(), listen.port.to_string()), ("HOST".into(), "127.0.0.1".into())]
            }
            Readiness::Stays { .. } => Vec::new(),
        };
        let kept = Kept { listen, life: crate::now_ms(), ready: false, was_ready };
        self.keep(kept).map_err(node_error)?;
        let log = (spec.id.clone(), LogKind::Run);
        let start = Start { id: &spec.id, context: &spec.context, program, env, network, inside: None, log };
        let process = agent.start_process(start).await?;
        Ok(Live { process, kept })
    }

    /// From a process's start to its end, or until it is no longer wanted.
    async fn attend(&self, live: Live, history: &mut History) -> End {
        let Live { process, kept } = &live;
        let _passing = self.agent.answer_host_ports(&self.spec.id, &self.spec.context.network.host_ports);
        if kept.ready {
            self.ready(kept);
        } else {
            let ended = tokio::select! {
                ready = self.until_ready(&live) => ready.err(),
                exit = process.shim.wait() => Some(self.exited_early(process, exit)),
                () = self.stop.cancelled() => {
                    self.agent.stop_process(&self.spec.id, Some(process)).await;
                    return End::Stop;
                }
            };
            if let Some(failure) = ended {
                self.agent.stop_process(&self.spec.id, Some(process)).await;
                return if history.was_ready { End::Died(self.death(None)) } else { End::Failed(failure) };
            }
            if let Err(error) = self.keep(Kept { ready: true, was_ready: true, ..*kept }) {
                tracing::warn!(%error, workload.id = %self.spec.id, "cannot remember that it is ready");
            }
            history.was_ready = true;
            // A shim that answers has written down what the app said before it answered.
            let _ = process.shim.init_pid().await;
            self.ready(kept);
        }
        tokio::select! {
            exit = process.shim.wait() => {
                if process.started.elapsed() > STABLE {
                    *history = History { was_ready: true, backoff: FIRST_BACKOFF, deaths: 0 };
                }
                self.agent.stop_process(&self.spec.id, None).await;
                End::Died(self.death(exit.as_ref()))
            }
            () = self.stop.cancelled() => {
                self.drain().await;
                self.agent.stop_process(&self.spec.id, Some(process)).await;
                End::Stop
            }
        }
    }

    async fn until_ready(&self, live: &Live) -> Result<(), Failure> {
        let probe = match &self.spec.readiness {
            Readiness::Answers { probe } => probe,
            Readiness::Stays { milliseconds } => {
                let rest = Duration::from_millis(*milliseconds).saturating_sub(live.process.started.elapsed());
                tokio::time::sleep(rest).await;
                self.log_start(format!("{}: has been up for {milliseconds} ms", self.process_name()));
                return Ok(());
            }
        };
        let (started, port) = (live.process.started, live.kept.listen.port);
        let timeout = Duration::from_secs(probe.timeout_seconds);
        let mut seen = Seen::NothingListens;
        let origin = self.agent.origin(&self.spec.id, live.kept.listen);
        let host = format!("127.0.0.1:{port}");
        let answered = tokio::time::timeout(timeout, probe::until_ready(&origin, &probe.path, &host, &mut seen)).await;
        if answered.is_err() {
            return Err(self.failure(seen.code(), seen.reason(port, &probe.path, timeout)));
        }
        let took = started.elapsed();
        self.log_start(format!("probe: GET {} answered after {} ms", probe.path, took.as_millis()));
        // What dies in its first moments shall not have replaced anything.
        let settle = Duration::from_millis(probe.settle_ms);
        if took < settle {
            self.log_start(format!("probe: watching it for {} ms before it takes over", settle.as_millis()));
            tokio::time::sleep(settle - took).await;
            let mut seen = Seen::NothingListens;
            let again = probe::until_ready(&origin, &probe.path, &host, &mut seen);
            if tokio::time::timeout(Duration::from_secs(10), again).await.is_err() {
                return Err(self.failure("UNHEALTHY", "the app answered once and then no more".into()));
            }
        }
        Ok(())
    }

    fn exited_early(&self, process: &Process, exit: Option<Exit>) -> Failure {
        let after = process.started.elapsed().as_millis();
        if self.agent.ran_out_of_memory(&self.spec.id) {
            return self.failure("OUT_OF_MEMORY", self.too_little_memory());
        }
        let (name, how) = (self.process_name(), how(exit.as_ref()));
        let who = if name == WEB { "the app".to_owned() } else { format!("the process `{name}`") };
        self.failure("APP_EXITED", format!("{who} {how}, {after} ms after its start and before it was ready"))
    }

    fn too_little_memory(&self) -> String {
        let megabytes = self.spec.context.limits.memory_bytes >> 20;
        format!("the app needed more than its {megabytes} MB of memory; raise the project's memory limit")
    }

    /// A failure with the app's last lines.
    fn failure(&self, code: &str, reason: String) -> Failure {
        let lines = self.agent.last_lines(&self.spec.context, &self.run_log(), LAST_LINES);
        self.copy_to_deployment(lines.iter().map(|line| (line.stream, line.text.clone())));
        Failure { code: code.into(), reason, last_lines: lines.into_iter().map(|line| line.text).collect() }
    }

    fn ready(&self, kept: &Kept) {
        let upstream = match self.spec.readiness {
            Readiness::Answers { .. } => Some(self.agent.destination(&self.spec.id, kept.life, kept.listen)),
            Readiness::Stays { .. } => None,
        };
        if !kept.ready {
            let said = self.agent.last_lines(&self.spec.context, &self.run_log(), LAST_LINES);
            let what = if upstream.is_some() { "visitors are sent here now" } else { "it runs" };
            let end = match self.process_name() {
                WEB => format!("ready: {what}"),
                worker => format!("{worker} ready: {what}"),
            };
            let end = (LogStream::Sys, end);
            self.copy_to_deployment(said.into_iter().map(|line| (line.stream, line.text)).chain([end]));
        }
        self.update(|running| {
            running.status.state = WorkloadState::Ready;
            running.upstream = upstream;
            running.settled = true;
        });
    }

    fn death(&self, exit: Option<&Exit>) -> Failure {
        match self.agent.ran_out_of_memory(&self.spec.id) {
            true => failed("OUT_OF_MEMORY", self.too_little_memory()),
            false => failed("APP_EXITED", format!("the app {}", how(exit))),
        }
    }

    fn died(&self, failure: Failure, history: &mut History) {
        history.deaths += 1;
        let Failure { code, reason, .. } = failure;
        let text = format!("{reason}; starting it again in {} ms", history.backoff.as_millis());
        self.log_run(text.clone());
        let lines = self.agent.last_lines(&self.spec.context, &self.run_log(), DYING_LINES);
        let last_lines = lines.into_iter().map(|line| line.text).collect();
        self.update(|running| {
            running.upstream = None;
            running.status.state = WorkloadState::Restarting;
            running.status.restarts += 1;
            let since = running.status.crash_loop_since_ms.or_else(|| Some(crate::now_ms()));
            running.status.crash_loop_since_ms = since.filter(|_| history.deaths >= CRASH_LOOP);
            running.status.failure = Some(Failure { code, reason: text, last_lines });
            running.settled = true;
        });
    }

    /// Waits until the edge has answered the last request that this process began.
    async fn drain(&self) {
        let upstream = self.update(|running| {
            running.status.state = WorkloadState::Draining;
            running.upstream.take()
        });
        if let Some(Destination::Upstream { id, .. }) = upstream.flatten() {
            self.agent.drained(&id).await;
        }
    }

    fn process_name(&self) -> &str {
        self.spec.id.process_name().unwrap_or(WEB)
    }

    fn run_log(&self) -> (WorkloadId, LogKind) {
        (self.spec.id.clone(), LogKind::Run)
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

    fn log_run(&self, line: String) {
        let (id, kind) = self.run_log();
        if let Err(error) = self.agent.confine().log(&id, &self.spec.context.group, kind, &[line]) {
            tracing::warn!(%error, workload.id = %self.spec.id, "cannot write a log");
        }
    }

    /// A line in the log of the deployment this is a process of.
    fn log_start(&self, line: String) {
        self.copy_to_deployment(std::iter::once((LogStream::Sys, line)));
    }

    fn copy_to_deployment(&self, lines: impl Iterator<Item = (LogStream, String)>) {
        let Ok(deployment) = self.spec.id.base().parse::<DeploymentId>() else { return };
        let id = WorkloadId::from(&deployment);
        let logged = self.agent.confine().log_records(&id, &self.spec.context.group, LogKind::Build, lines);
        if let Err(error) = logged {
            tracing::warn!(%error, workload.id = %self.spec.id, "cannot write a log");
        }
    }
}
