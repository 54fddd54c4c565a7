//! Runs as part of what a node shall do: which are told to it, what came of them, and which
//! scheduled ones are due.

use std::collections::BTreeMap;

use checkpoint::Checkpoint;
use domain::deployment::{Deployment, Failure};
use domain::project::Project;
use domain::release::Release;
use domain::run::{Due, Run, due};
use ids::{DeploymentState, ProcessName, ProjectId, RunKind, RunState, WorkloadId};
use store::{RunEnd, Tx};
use wire::shim::Exit;
use wire::{JobOutcome, JobSpec, Observed, ReleaseSpec};

use super::desired::Held;
use super::{Deployments, live};
use crate::apps::runs::TIMEOUT_SECONDS;
use crate::error::{Error, Result};
use crate::now_ms;
use crate::platform::nodes::translated;

/// Ended runs that a project keeps.
const RUNS_KEPT: i64 = 500;
const WEB: &str = "web";

/// A job that is run again and again, wherever it was set.
#[derive(Debug, Clone)]
pub(crate) struct Scheduled {
    pub(crate) name: ProcessName,
    pub(crate) schedule: String,
    pub(crate) command: String,
    pub(crate) enabled: bool,
    pub(crate) timeout_seconds: i64,
    pub(crate) from_procfile: bool,
    /// Nothing before this time is due.
    pub(crate) since: i64,
    live: bool,
}

impl Scheduled {
    /// Whether its times are kept.
    pub(crate) fn is_active(&self) -> bool {
        self.enabled && self.live
    }
}

impl Deployments {
    /// Has the reconciler look at once.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(super) fn job_specs(&self, held: &Held) -> Vec<JobSpec> {
        let specs = held.runs.iter().filter_map(|run| match self.job_spec(held, run) {
            Ok(spec) => spec,
            Err(error) => {
                tracing::warn!(%error, run.id = %run.id, "a run cannot be described");
                None
            }
        });
        specs.collect()
    }

    /// Absent when the release has gone.
    fn job_spec(&self, held: &Held, run: &Run) -> Result<Option<JobSpec>> {
        let Some(release) = held.releases.iter().find(|release| Some(&release.id) == run.release_id.as_ref()) else {
            return Ok(None);
        };
        let spec = release_spec(release)?;
        let inside = match (run.kind, run.name.as_str()) {
            (RunKind::Exec, WEB) => Some(WorkloadId::from(&run.deployment_id)),
            (RunKind::Exec, name) => {
                let name = name.parse().map_err(Error::internal)?;
                Some(WorkloadId::process(&run.deployment_id, &name))
            }
            _ => None,
        };
        Ok(Some(JobSpec {
            id: WorkloadId::from(&run.id),
            context: self.context(held, release, &spec, self.given(&held.project, Some(&release.env_sealed))?),
            command: run.command.clone(),
            inside,
            log_of: (run.kind == RunKind::Release).then(|| run.deployment_id.clone()),
            timeout_seconds: u64::try_from(run.timeout_seconds).unwrap_or_default(),
        }))
    }

    /// Keeps how runs ended.
    pub(super) async fn advance_runs(&self, held: &Held, observed: &Observed) -> Result<()> {
        for run in &held.runs {
            let gone = !held.releases.iter().any(|release| Some(&release.id) == run.release_id.as_ref());
            let id = WorkloadId::from(&run.id);
            let outcome = observed.jobs.iter().find(|job| job.id == id).and_then(|job| job.outcome.as_ref());
            let ended = match outcome {
                _ if gone => Ended::failed(Failure {
                    code: Some("RELEASE_MISSING".into()),
                    reason: "its release is not kept any more".into(),
                    last_lines: Vec::new(),
                }),
                // No node will ever be told of it.
                None => match self.job_spec(held, run) {
                    Err(error) => Ended::failed(translated::failure_of(&error)),
                    Ok(_) => continue,
                },
                Some(outcome) => Ended::of(outcome),
            };
            let Ended { state, exit_code, signal, failure } = ended;
            let mut tx = self.store.write().await?;
            let end = RunEnd { state, exit_code, signal, failure: failure.as_ref() };
            if tx.run_end(&run.id, end, now_ms()).await? {
                tx.event_insert("run.updated", Some(&run.project_id), Some(&run.deployment_id), now_ms()).await?;
                tx.run_purge(&run.project_id, RUNS_KEPT).await?;
                if run.kind == RunKind::Schedule && state != RunState::Succeeded {
                    let reason = failure.as_ref().map(|failure| failure.reason.as_str()).unwrap_or_default();
                    self.notifications
                        .schedule_failed(&mut tx, &held.project, &run.name, run.id.as_str(), reason)
                        .await?;
                }
            }
            checkpoint::reach(Checkpoint::RunEndReported).await;
            tx.commit().await?;
            checkpoint::reach(Checkpoint::RunEndRecorded).await;
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Begins what is due of a project's schedules. The time at which something will be, if anything.
    pub(super) async fn start_due(&self, held: &Held) -> Result<Option<i64>> {
        let Some(deployment) = held.in_state(DeploymentState::Live) else { return Ok(None) };
        let now = now_ms();
        let mut tx = self.store.read().await?;
        let scheduled = self.scheduled(&mut tx, &held.project).await?;
        if scheduled.is_empty() {
            return Ok(None);
        }
        let last = tx.run_last_scheduled(&held.project.id).await?.into_iter().collect::<BTreeMap<_, _>>();
        drop(tx);
        let mut next: Option<i64> = None;
        for job in scheduled.into_iter().filter(Scheduled::is_active) {
            let Ok(schedule) = domain::schedule::parse(&job.schedule) else { continue };
            let since = last.get(job.name.as_str()).copied().unwrap_or_default().max(job.since);
            let (at, late) = match due(&schedule, since, now) {
                Due::Wait { until } => {
                    next = [next, until].into_iter().flatten().min();
                    continue;
                }
                Due::Run { at } => (at, false),
                Due::Skip { at } => (at, true),
            };
            let then = match self.begin_scheduled(held, deployment, &job, at, late).await? {
                true => Some(now),
                false => schedule.next_after(now),
            };
            next = [next, then].into_iter().flatten().min();
        }
        Ok(next)
    }

    /// Whether this time had no run yet.
    async fn begin_scheduled(
        &self,
        held: &Held,
        deployment: &Deployment,
        job: &Scheduled,
        at: i64,
        late: bool,
    ) -> Result<bool> {
        let runs_still = held.runs.iter().any(|run| run.kind == RunKind::Schedule && run.name == job.name.as_str());
        let skipped = match (late, runs_still) {
            (true, _) => Some("nobody was there to start it at its time"),
            (_, true) => Some("the one before it still ran"),
            _ => None,
        };
        let now = now_ms();
        let run = Run {
            name: job.name.as_str().to_owned(),
            command: job.command.clone(),
            timeout_seconds: job.timeout_seconds,
            scheduled_for: Some(at),
            state: if skipped.is_some() { RunState::Skipped } else { RunState::Running },
            failure: skipped.map(|reason| Failure { reason: reason.into(), ..Failure::default() }),
            finished_at: skipped.map(|_| now),
            ..Run::begun(deployment, RunKind::Schedule, now)
        };
        let mut tx = self.store.write().await?;
        let new = tx.run_insert(&run).await?;
        if new {
            tx.event_insert("run.updated", Some(&run.project_id), Some(&run.deployment_id), now).await?;
            tx.commit().await?;
            checkpoint::reach(Checkpoint::DueRunRecorded).await;
            self.wake.notify_one();
        }
        Ok(new)
    }

    /// How far the release command of a starting deployment has come; begun here when there is one.
    pub(super) async fn release_command(&self, deployment: &Deployment, spec: &ReleaseSpec) -> Result<Gate> {
        let Some(command) = &spec.release_command else { return Ok(Gate::Open) };
        let mut tx = self.store.write().await?;
        let run = match tx.run_of_release(&deployment.id).await? {
            Some(run) => run,
            None => {
                let run = Run {
                    name: "release".into(),
                    command: command.clone(),
                    timeout_seconds: TIMEOUT_SECONDS,
                    ..Run::begun(deployment, RunKind::Release, now_ms())
                };
                tx.run_insert(&run).await?;
                tx.commit().await?;
                checkpoint::reach(Checkpoint::ReleaseCommandRecorded).await;
                self.wake.notify_one();
                return Ok(Gate::Closed);
            }
        };
        Ok(match run.state {
            RunState::Running => Gate::Closed,
            RunState::Succeeded => Gate::Open,
            _ => {
                let failure = run.failure.unwrap_or_default();
                let reason = format!("the release command `{command}` did not succeed: {}", failure.reason);
                Gate::Failed(Failure { code: Some("RELEASE_COMMAND_FAILED".into()), reason, ..failure })
            }
        })
    }

    /// Every schedule of a project. One that was set takes the place of the Procfile's of the same name.
    pub(crate) async fn scheduled(&self, tx: &mut Tx, project: &Project) -> Result<Vec<Scheduled>> {
        let live = live(tx, &project.id).await?;
        let mut scheduled = BTreeMap::new();
        if let Some(deployment) = &live
            && let Some(id) = &deployment.release_id
            && let Some(release) = tx.release(id).await?
        {
            for line in release_spec(&release)?.schedules {
                let job = Scheduled {
                    name: line.name.clone(),
                    schedule: line.schedule,
                    command: line.command,
                    enabled: true,
                    timeout_seconds: TIMEOUT_SECONDS,
                    from_procfile: true,
                    since: deployment.finished_at.unwrap_or(deployment.created_at),
                    live: true,
                };
                scheduled.insert(line.name, job);
            }
        }
        for job in tx.schedule_list(&project.id).await? {
            let set = Scheduled {
                name: job.name.clone(),
                schedule: job.schedule,
                command: job.command,
                enabled: job.enabled,
                timeout_seconds: job.timeout_seconds,
                from_procfile: false,
                since: job.updated_at,
                live: live.is_some(),
            };
            scheduled.insert(job.name, set);
        }
        Ok(scheduled.into_values().collect())
    }

    /// Names of the processes that a deployment's release keeps running.
    pub(crate) async fn process_names(&self, tx: &mut Tx, deployment: &Deployment) -> Result<Vec<String>> {
        let Some(id) = &deployment.release_id else { return Ok(Vec::new()) };
        let Some(release) = tx.release(id).await? else { return Ok(Vec::new()) };
        let spec = release_spec(&release)?;
        let web = spec.web.iter().map(|_| WEB.to_owned());
        Ok(web.chain(spec.workers.iter().map(|worker| worker.name.as_str().to_owned())).collect())
    }
}

/// How a run ended.
struct Ended {
    state: RunState,
    exit_code: Option<i64>,
    signal: Option<i64>,
    failure: Option<Failure>,
}

impl Ended {
    fn failed(failure: Failure) -> Self {
        Self { state: RunState::Failed, exit_code: None, signal: None, failure: Some(failure) }
    }

    fn of(outcome: &JobOutcome) -> Self {
        match outcome {
            JobOutcome::Failed { failure } => Self::failed(translated::failure(failure)),
            JobOutcome::Lost => {
                let reason = "the machine went down while it ran; nobody knows how far it came".into();
                let failure = Failure { code: Some("LOST".into()), reason, last_lines: Vec::new() };
                Self { state: RunState::Lost, ..Self::failed(failure) }
            }
            JobOutcome::Exited { exit: Exit { code: Some(0), .. }, .. } => {
                Self { state: RunState::Succeeded, exit_code: Some(0), signal: None, failure: None }
            }
            JobOutcome::Exited { exit, last_lines } => {
                let reason = match (exit.code, exit.signal) {
                    (Some(code), _) => format!("ended with exit code {code}"),
                    (None, Some(signal)) => format!("was ended by signal {signal}"),
                    (None, None) => "ended".into(),
                };
                let code = Some("COMMAND_FAILED".to_owned());
                Self {
                    exit_code: exit.code.map(i64::from),
                    signal: exit.signal.map(i64::from),
                    ..Self::failed(Failure { code, reason, last_lines: last_lines.clone() })
                }
            }
        }
    }
}

/// Whether a starting deployment may start its processes.
pub(super) enum Gate {
    Open,
    /// Not yet.
    Closed,
    Failed(Failure),
}

pub(super) fn release_spec(release: &Release) -> Result<ReleaseSpec> {
    serde_json::from_str(&release.process).map_err(Error::internal)
}

/// Runs that have not ended, by project.
pub(super) async fn running(tx: &mut Tx) -> Result<BTreeMap<ProjectId, Vec<Run>>> {
    let mut of_projects = BTreeMap::<_, Vec<_>>::new();
    for run in tx.run_running().await? {
        of_projects.entry(run.project_id.clone()).or_default().push(run);
    }
    Ok(of_projects)
}
