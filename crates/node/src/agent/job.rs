//! One command, run once to its end.
//!
//! A job is begun by a mark on disk and ended by another. What lies between them is adopted
//! while its shim lives and lost when it does not: nothing is ever run twice.

use std::time::Duration;

use checkpoint::Checkpoint;
use ids::{DeploymentId, ProjectId, WorkloadId};
use tokio_util::sync::CancellationToken;
use wire::shim::Exit;
use wire::{Failure, JobOutcome, JobSpec, JobStatus};

use super::Agent;
use super::begun::{Begun, ENDED};
use super::process::{Process, Start, failed, how, node_error, span};
use crate::confine::Program;
use crate::layout::{LogKind, write_atomic};
use crate::shim::read_exit;

/// Lines that are kept with the end of a job.
const LAST_LINES: usize = 50;

/// A job in the node's state.
pub(super) struct Running {
    pub(super) group: ProjectId,
    pub(super) release: DeploymentId,
    /// What it writes to.
    pub(super) log: (WorkloadId, LogKind),
    pub(super) status: JobStatus,
    pub(super) stop: CancellationToken,
}

pub(super) fn start(agent: &Agent, spec: JobSpec) {
    let stop = CancellationToken::new();
    agent.update(|state| {
        let running = Running {
            group: spec.context.group.clone(),
            release: spec.context.release.clone(),
            log: log_of(&spec),
            status: JobStatus { id: spec.id.clone(), outcome: None },
            stop: stop.clone(),
        };
        state.jobs.insert(spec.id.clone(), running);
    });
    let job = Job { agent: agent.clone(), spec, stop };
    let closing = agent.inner.closing.clone();
    agent.inner.tasks.spawn(async move {
        tokio::select! {
            () = job.run() => {}
            () = closing.cancelled() => {}
        }
    });
}

/// The log of a job: its own, or that of the deployment it is a step of.
fn log_of(spec: &JobSpec) -> (WorkloadId, LogKind) {
    match &spec.log_of {
        Some(deployment) => (WorkloadId::from(deployment), LogKind::Build),
        None => (spec.id.clone(), LogKind::Job),
    }
}

struct Job {
    agent: Agent,
    spec: JobSpec,
    stop: CancellationToken,
}

impl Job {
    /// Runs to the end, then waits until nobody wants to hear of it any more.
    async fn run(&self) {
        let id = &self.spec.id;
        if let Some(outcome) = self.outcome().await {
            self.agent.update(|state| {
                if let Some(job) = state.jobs.get_mut(id) {
                    job.status.outcome = Some(outcome);
                }
            });
            self.stop.cancelled().await;
        }
        self.agent.end(id).await;
        self.agent.discard(&self.agent.confine().layout.run(id));
        self.agent.update(|state| state.jobs.remove(id));
    }

    /// `None`: it was stopped.
    async fn outcome(&self) -> Option<JobOutcome> {
        if let Some(outcome) = self.read(ENDED).and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
            return Some(outcome);
        }
        let outcome = match self.process().await {
            Ok(Some(process)) => self.attend(&process).await?,
            Ok(None) => self.found_ended(),
            Err(failure) => JobOutcome::Failed { failure },
        };
        self.agent.stop_process(&self.spec.id, None).await;
        checkpoint::reach(Checkpoint::JobEnded).await;
        self.say(&outcome);
        checkpoint::reach(Checkpoint::JobEndTold).await;
        if let Err(error) = self.write(ENDED, &outcome) {
            tracing::warn!(%error, job.id = %self.spec.id, "cannot remember how a job ended");
        }
        checkpoint::reach(Checkpoint::JobEndMarked).await;
        Some(outcome)
    }

    /// The process, begun now or by an earlier life of this node; `None` when that one has ended.
    async fn process(&self) -> Result<Option<Process>, Failure> {
        if self.agent.is_begun(&self.spec.id) {
            return Ok(self.agent.find_process(&self.spec.id).await);
        }
        let Self { agent, spec, .. } = self;
        agent.prepare_process(&spec.id, &spec.context)?;
        let inside = self.sandbox_to_join().await?;
        let argv = domain::command::argv(&spec.command).ok_or_else(|| {
            failed("INVALID_COMMAND", format!("the command has an open quote or no words: {}", spec.command))
        })?;
        let network = match inside {
            Some(_) => sandbox::Network::Host,
            None => agent.networks().join(&spec.id, &spec.context.network).await,
        };
        self.log(format!("$ {}", spec.command));
        // What joins a sandbox finds the files that are there.
        if inside.is_none() {
            agent.prepare_files(&spec.id, &spec.context)?.into_iter().for_each(|line| self.log(line));
        }
        let begun =
            Begun { group: spec.context.group.clone(), log: log_of(&self.spec), stopped: self.line("stopped".into()) };
        agent.mark_begun(&spec.id, &begun).map_err(node_error)?;
        checkpoint::reach(Checkpoint::JobMarked).await;
        let start = Start {
            id: &spec.id,
            context: &spec.context,
            program: Program::Command(&argv),
            env: Vec::new(),
            network,
            inside,
            inside_of: spec.inside.as_ref(),
            log: log_of(&self.spec),
        };
        let process = agent.start_process(start).await?;
        checkpoint::reach(Checkpoint::JobStarted).await;
        Ok(Some(process))
    }

    async fn sandbox_to_join(&self) -> Result<Option<i32>, Failure> {
        let Some(inside) = &self.spec.inside else { return Ok(None) };
        let down = || failed("NOT_RUNNING", "the app does not run at the moment, so nothing can be run inside of it");
        let process = self.agent.find_process(inside).await.ok_or_else(down)?;
        process.shim.init_pid().await.map(Some).ok_or_else(down)
    }

    /// From its start to its end. `None`: it was stopped, and runs no more.
    async fn attend(&self, process: &Process) -> Option<JobOutcome> {
        let id = &self.spec.id;
        let limit = Duration::from_secs(self.spec.timeout_seconds);
        let ports = if self.spec.inside.is_some() { &[] } else { self.spec.context.network.host_ports.as_slice() };
        let _passing = self.agent.answer_host_ports(id, ports);
        tokio::select! {
            exit = process.shim.wait() => Some(match exit {
                Some(exit) => self.exited(exit),
                None => JobOutcome::Lost,
            }),
            failure = self.agent.volume_filled_further(&self.spec.context) => {
                self.agent.stop_process(id, Some(process)).await;
                Some(JobOutcome::Failed { failure: Failure { last_lines: self.last_lines(), ..failure } })
            }
            () = tokio::time::sleep(limit) => {
                self.agent.stop_process(id, Some(process)).await;
                let reason = format!("it was stopped after {}, its time limit", span(limit));
                Some(JobOutcome::Failed { failure: Failure { last_lines: self.last_lines(), ..failed("TIMEOUT", reason) } })
            }
            () = self.stop.cancelled() => {
                self.agent.stop_process(id, Some(process)).await;
                checkpoint::reach(Checkpoint::JobStopped).await;
                self.agent.tell_stopped(id);
                None
            }
        }
    }

    fn found_ended(&self) -> JobOutcome {
        match read_exit(&self.agent.confine().layout.run(&self.spec.id)) {
            Some(exit) => self.exited(exit),
            None => JobOutcome::Lost,
        }
    }

    fn exited(&self, exit: Exit) -> JobOutcome {
        if let Some(failure) = self.agent.container_failure(&self.spec.id) {
            return JobOutcome::Failed { failure };
        }
        if exit.code != Some(0) && self.agent.ran_out_of_memory(&self.spec.id) {
            let megabytes = self.spec.context.limits.memory_bytes >> 20;
            let reason = format!("it needed more than its {megabytes} MB of memory");
            return JobOutcome::Failed {
                failure: Failure { last_lines: self.last_lines(), ..failed("OUT_OF_MEMORY", reason) },
            };
        }
        if let Some(error) = &exit.spawn_error {
            return JobOutcome::Failed { failure: failed("CANNOT_START", format!("it cannot be started: {error}")) };
        }
        JobOutcome::Exited { exit, last_lines: self.last_lines() }
    }

    fn last_lines(&self) -> Vec<String> {
        let lines = self.agent.last_lines(&self.spec.context, &log_of(&self.spec), LAST_LINES);
        lines.into_iter().map(|line| line.text).collect()
    }

    fn say(&self, outcome: &JobOutcome) {
        let line = match outcome {
            JobOutcome::Exited { exit, .. } => how(Some(exit)),
            JobOutcome::Failed { failure } => format!("failed: {}", failure.reason),
            JobOutcome::Lost => "lost: the machine went down while it ran".into(),
        };
        let (log, kind) = log_of(&self.spec);
        self.agent.tell_end(&log, &self.spec.context.group, kind, self.line(line));
    }

    /// As it stands in the log.
    fn line(&self, line: String) -> String {
        match self.spec.log_of {
            Some(_) => format!("release command: {line}"),
            None => line,
        }
    }

    fn log(&self, line: String) {
        let (id, kind) = log_of(&self.spec);
        let line = self.line(line);
        if let Err(error) = self.agent.confine().log(&id, &self.spec.context.group, kind, &[line]) {
            tracing::warn!(%error, job.id = %self.spec.id, "cannot write a log");
        }
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.agent.confine().layout.run(&self.spec.id).join(name)).ok()
    }

    fn write(&self, name: &str, value: &impl serde::Serialize) -> std::io::Result<()> {
        write_atomic(&self.agent.confine().layout.run(&self.spec.id).join(name), &serde_json::to_vec(value)?)
    }
}
