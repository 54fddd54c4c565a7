//! One process of a release, kept running: start, probe, ready, restart when it dies,
//! drain and stop when it is no longer wanted.

mod account;
mod launch;

use std::io;
use std::time::Duration;

use checkpoint::Checkpoint;
use edge::control::Destination;
use ids::{DeploymentId, LogStream};
use tokio_util::sync::CancellationToken;
use wire::{Failure, Readiness, WorkloadSpec, WorkloadState, WorkloadStatus};

use self::launch::{Kept, Live};
use super::Agent;
use super::probe::{self, Seen};
use super::process::node_error;
use super::step::LAST_LINES;

/// The process that visitors meet.
const WEB: &str = "web";
/// Pause before a dead process is started again, doubled with every death that follows soon.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);
/// A process that lived this long is new to back-off.
const STABLE: Duration = Duration::from_secs(60);
/// So many deaths in a row, each before it was stable, are a crash loop.
const CRASH_LOOP: u32 = 5;
const VOLUME_FULL: &str = "VOLUME_FULL";
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

/// How a process's time ended.
enum End {
    Stop,
    /// Before it was ever ready.
    Failed(Failure),
    /// It had been ready.
    Died(Failure),
    /// A volume is over its limit.
    Full(Failure),
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
                Err(failure) if failure.code == VOLUME_FULL => End::Full(failure),
                Ok(live) => self.attend(live, &mut history).await,
                Err(failure) if history.was_ready => {
                    tracing::warn!(workload.id = %self.spec.id, reason = failure.reason, "cannot be started again");
                    End::Died(failure)
                }
                Err(failure) => End::Failed(failure),
            };
            match end {
                End::Stop => break,
                End::Full(failure) if history.was_ready => {
                    self.stopped_full(failure);
                    tokio::select! {
                        () = self.agent.volume_cleared(&self.spec.context) => {}
                        () = self.stop.cancelled() => break,
                    }
                }
                End::Failed(failure) | End::Full(failure) => {
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
        checkpoint::reach(Checkpoint::WorkloadStopped).await;
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

    /// From a process's start to its end, or until it is no longer wanted.
    async fn attend(&self, live: Live, history: &mut History) -> End {
        let Live { process, kept } = &live;
        let _passing = self.agent.answer_host_ports(&self.spec.id, &self.spec.context.network.host_ports);
        if !kept.ready {
            let ended = tokio::select! {
                ready = self.until_ready(&live) => ready.err(),
                exit = process.shim.wait() => Some(self.exited_early(process, exit)),
                failure = self.agent.volume_filled(&self.spec.context) => {
                    self.agent.stop_process(&self.spec.id, Some(process)).await;
                    return End::Full(failure);
                }
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
            checkpoint::reach(Checkpoint::ReadyMarked).await;
            // A shim that answers has written down what the app said before it answered.
            let _ = process.shim.init_pid().await;
        }
        if let Err(error) = self.ready(kept) {
            self.agent.stop_process(&self.spec.id, Some(process)).await;
            return End::Died(node_error(error));
        }
        tokio::select! {
            exit = process.shim.wait() => {
                if process.started.elapsed() > STABLE {
                    *history = History { was_ready: true, backoff: FIRST_BACKOFF, deaths: 0 };
                }
                self.agent.stop_process(&self.spec.id, None).await;
                End::Died(self.death(exit.as_ref()))
            }
            failure = self.agent.volume_filled(&self.spec.context) => {
                self.agent.stop_process(&self.spec.id, Some(process)).await;
                End::Full(failure)
            }
            () = self.stop.cancelled() => {
                self.drain().await;
                checkpoint::reach(Checkpoint::WorkloadDrained).await;
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

    /// Has visitors sent to it.
    fn ready(&self, kept: &Kept) -> io::Result<()> {
        let upstream = match self.spec.readiness {
            Readiness::Answers { .. } => Some(self.agent.destination(&self.spec.id, kept.life, kept.listen)?),
            Readiness::Stays { .. } => None,
        };
        let what = if upstream.is_some() { "visitors are sent here now" } else { "it runs" };
        let end = match self.process_name() {
            WEB => format!("ready: {what}"),
            worker => format!("{worker} ready: {what}"),
        };
        if !kept.ready || self.was_cut_off(&end) {
            let said = self.agent.last_lines(&self.spec.context, &self.run_log(), LAST_LINES);
            let end = (LogStream::Sys, end);
            self.copy_to_deployment(said.into_iter().map(|line| (line.stream, line.text)).chain([end]));
        }
        self.update(|running| {
            running.status.state = WorkloadState::Ready;
            running.upstream = upstream;
            running.settled = true;
        });
        Ok(())
    }

    fn died(&self, failure: Failure, history: &mut History) {
        history.deaths += 1;
        let Failure { code, reason, .. } = failure;
        let text = format!("{reason}; starting it again in {} ms", history.backoff.as_millis());
        self.log_run(text.clone());
        self.log_start(text.clone());
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

    /// It is not wanted to write more; it is started again when there is room.
    fn stopped_full(&self, failure: Failure) {
        self.log_run(format!("stopped: {}", failure.reason));
        self.update(|running| {
            running.upstream = None;
            running.status.state = WorkloadState::Restarting;
            running.status.failure = Some(failure);
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

    fn update<T>(&self, change: impl FnOnce(&mut Running) -> T) -> Option<T> {
        self.agent.update(|state| state.workloads.get_mut(&self.spec.id).map(change))
    }
}
