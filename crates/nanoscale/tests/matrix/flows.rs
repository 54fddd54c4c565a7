//! Each flow once, struck at one of its steps.

use std::time::Duration;

use checkpoint::{Checkpoint, Flow};
use ids::{DeploymentId, DeploymentState, RunId, RunState};
use testkit::{Held, Trap, wait_some, wait_until};

use crate::BUILD;
use crate::leftovers::leftovers;
use crate::outcome::{Outcome, outcome};
use crate::processes::apps;
use crate::site::{Site, release};
use crate::stand::Stand;
use crate::victim::Victim;

/// A flow that comes to a step does so within this time.
const REACH: Duration = Duration::from_secs(20);
const SCHEDULE: &str = "tick";

/// One cell of the matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) flow: Flow,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) victim: Victim,
}

impl Case {
    pub(crate) async fn run(self, stand: &mut Stand, site: &mut Site) -> Result<(), String> {
        match (self.flow, self.checkpoint) {
            (Flow::Deploy, _) => self.deploy(stand, site).await,
            (Flow::Rollback, _) => self.rollback(stand, site).await,
            (Flow::Cancel, Checkpoint::RunCancelRecorded | Checkpoint::JobStopped) => {
                self.cancel_run(stand, site).await
            }
            (Flow::Cancel, _) => self.cancel_deployment(stand, site).await,
            (Flow::Delete, _) => self.delete(stand, site).await,
            (Flow::Job, _) => self.job(stand, site).await,
            (flow, _) => Err(format!("{flow:?} takes several nodes")),
        }
    }

    fn outcome(self) -> Outcome {
        outcome(self.flow, self.checkpoint, self.victim)
    }

    async fn held(self, stand: &Stand, trap: Trap) -> Result<Held, String> {
        let held = trap.reached(REACH).await;
        held.ok_or_else(|| format!("nobody came to this step; passed were {:?}", stand.checkpoints.passed()))
    }

    /// Kills at the step, and lets go.
    async fn strike(self, stand: &mut Stand, trap: Trap) -> Result<(), String> {
        let held = self.held(stand, trap).await?;
        self.victim.strike(stand, Some(held.pid)).await;
        drop(held);
        Ok(())
    }

    async fn deploy(self, stand: &mut Stand, site: &mut Site) -> Result<(), String> {
        site.newest += 1;
        let version = site.newest;
        let before = site.newest(stand).await.map_or(0, |deployment| deployment.number);
        let trap = stand.checkpoints.hold(self.checkpoint);
        let (client, project) = (stand.client.clone(), site.project.clone());
        let asked = tokio::spawn(async move { client.upload(&project, release(version, false)).await });
        self.strike(stand, trap).await?;
        let answer = asked.await.unwrap();
        if self.outcome() == Outcome::Unasked {
            if answer.is_ok() || site.newest(stand).await.map_or(0, |it| it.number) != before {
                return Err("there should be no deployment".into());
            }
            return stand
                .converge(async || {
                    let mut faults = site.all_faults(stand).await;
                    let kept = std::fs::read_dir(stand.server.data_dir().join("server/uploads")).unwrap().count();
                    if kept > 1 {
                        faults.push(format!("{kept} archives are kept"));
                    }
                    faults
                })
                .await;
        }
        self.deployed(stand, site, before + 1, version).await
    }

    async fn rollback(self, stand: &mut Stand, site: &mut Site) -> Result<(), String> {
        let before = site.newest(stand).await.map_or(0, |deployment| deployment.number);
        let kept = stand.client.release_list(&site.project).await.map_err(|failure| failure.to_string())?;
        let target = kept.into_iter().find(|release| !release.live).ok_or("no release is kept")?.deployment_id;
        let version = site.version_of(stand, &target)?;
        let trap = stand.checkpoints.hold(self.checkpoint);
        let (client, project) = (stand.client.clone(), site.project.clone());
        let asked = tokio::spawn(async move { client.rollback(&project, Some(&target)).await });
        self.strike(stand, trap).await?;
        let _ = asked.await.unwrap();
        self.deployed(stand, site, before + 1, version).await
    }

    /// Waits for the deployment with this number to end as it should, and for everything else to be as it should.
    async fn deployed(self, stand: &Stand, site: &mut Site, number: i64, version: u32) -> Result<(), String> {
        let wanted = match self.outcome() {
            Outcome::Either => None,
            Outcome::Done => Some(DeploymentState::Live),
            _ => Some(DeploymentState::Failed),
        };
        let seen = wait_some("the deployment has settled", BUILD, async || {
            let listed = stand.client.deployment_list(&site.project).await.ok()?;
            listed.into_iter().find(|it| it.number == number && it.state.is_settled())
        });
        let deployment = seen.await;
        if wanted.is_some_and(|wanted| wanted != deployment.state) {
            let (state, reason) = (deployment.state, deployment.reason.unwrap_or_default());
            return Err(format!("deployment {number} is {state}: {reason}"));
        }
        if deployment.state == DeploymentState::Live {
            site.version = version;
        }
        stand
            .converge(async || {
                let mut faults = site.all_faults(stand).await;
                if faults.is_empty() {
                    faults = site.deployment_faults(stand, &deployment, version);
                }
                faults
            })
            .await
    }

    async fn cancel_deployment(self, stand: &mut Stand, site: &mut Site) -> Result<(), String> {
        let upload = stand.client.upload(&site.project, release(0, true)).await.map_err(|it| it.to_string())?;
        wait_until("the build runs", BUILD, async || {
            apps(&stand.server.data_dir()).values().any(|group| group == upload.id.as_str())
                && stand.client.deployment_get(&upload.id).await.is_ok_and(|it| it.step.as_deref() == Some("build"))
        })
        .await;
        let trap = stand.checkpoints.hold(self.checkpoint);
        let (client, id) = (stand.client.clone(), upload.id.clone());
        let asked = tokio::spawn(async move { client.deployment_cancel(&id).await });
        self.strike(stand, trap).await?;
        let _ = asked.await.unwrap();
        let cancelled = stand.client.wait_settled(&upload.id, BUILD).await;
        if cancelled.state != DeploymentState::Cancelled {
            return Err(format!("the deployment is {}", cancelled.state));
        }
        stand
            .converge(async || {
                let mut faults = site.all_faults(stand).await;
                faults.extend(site.deployment_faults(stand, &cancelled, 0));
                faults
            })
            .await
    }

    async fn cancel_run(self, stand: &mut Stand, site: &mut Site) -> Result<(), String> {
        let run = stand.client.run_create(&site.project, "sleep 600", None).await.map_err(|it| it.to_string())?;
        wait_until("the run has begun", BUILD, async || {
            apps(&stand.server.data_dir()).values().any(|group| group == run.id.as_str())
        })
        .await;
        let trap = stand.checkpoints.hold(self.checkpoint);
        let (client, id) = (stand.client.clone(), run.id.clone());
        let asked = tokio::spawn(async move { client.run_cancel(&id).await });
        self.strike(stand, trap).await?;
        let _ = asked.await.unwrap();
        self.ended(stand, site, &run.id, &[RunState::Cancelled]).await.map(drop)
    }

    async fn delete(self, stand: &mut Stand, site: &mut Site) -> Result<(), String> {
        let trap = stand.checkpoints.hold(self.checkpoint);
        let (client, project) = (stand.client.clone(), site.project.clone());
        let asked = tokio::spawn(async move { client.project_delete(&project).await });
        self.strike(stand, trap).await?;
        let _ = asked.await.unwrap();
        let host = format!("{}.localhost", site.name);
        stand
            .converge(async || {
                let mut faults = leftovers(stand, &[]).await;
                match stand.client.project_get(&site.project).await {
                    Err(failure) if failure.status == 404 => {}
                    other => faults.push(format!("the project is {other:?}")),
                }
                match stand.server.app(&host).get("/").await {
                    Ok(reply) if reply.status == 404 => {}
                    other => faults.push(format!("its visitors see {other:?}")),
                }
                faults
            })
            .await
    }

    async fn job(self, stand: &mut Stand, site: &mut Site) -> Result<(), String> {
        site.newest += 1;
        let number = site.newest;
        let go = site.volume(stand).join(format!("go-{number}"));
        let let_it_end = || std::fs::write(&go, "").unwrap();
        stand.client.schedule_put(&site.project, SCHEDULE, &tick(number)).await.map_err(|it| it.to_string())?;
        let trap = stand.checkpoints.hold(self.checkpoint);
        let (client, project) = (stand.client.clone(), site.project.clone());
        let asked = tokio::spawn(async move { client.schedule_run(&project, SCHEDULE).await });
        let ends_first = [
            Checkpoint::JobEnded,
            Checkpoint::JobEndTold,
            Checkpoint::JobEndMarked,
            Checkpoint::RunEndReported,
            Checkpoint::RunEndRecorded,
            Checkpoint::ShimSawEnd,
            Checkpoint::ShimMarkedEnd,
        ];
        if ends_first.contains(&self.checkpoint) {
            let_it_end();
        }
        self.strike(stand, trap).await?;
        let_it_end();
        let _ = asked.await.unwrap();
        let runs = wait_some("the runs are listed", BUILD, async || stand.client.run_list(&site.project).await.ok());
        let run = runs.await.into_iter().next().ok_or("there is no run")?;
        let wanted: &[RunState] = match self.outcome() {
            Outcome::Done => &[RunState::Succeeded],
            Outcome::Lost => &[RunState::Lost],
            Outcome::Adopted => &[RunState::Succeeded, RunState::Lost],
            _ => &[RunState::Failed],
        };
        let state = self.ended(stand, site, &run.id, wanted).await?;
        noted_once(stand, site, number, state)
    }

    async fn ended(self, stand: &Stand, site: &Site, run: &RunId, wanted: &[RunState]) -> Result<RunState, String> {
        let ended = wait_some("the run has ended", BUILD, async || {
            stand.client.run(run).await.ok().filter(|run| run.state.is_settled())
        });
        let ended = ended.await;
        if !wanted.contains(&ended.state) {
            return Err(format!("the run is {}: {}", ended.state, ended.reason.unwrap_or_default()));
        }
        stand
            .converge(async || {
                let mut faults = site.all_faults(stand).await;
                faults.extend(run_log_faults(stand, site, run));
                faults
            })
            .await?;
        Ok(ended.state)
    }
}

/// Notes its beginning, waits to be let go, notes its end. Its time is far.
pub(crate) fn tick(number: u32) -> api::SchedulePut {
    let command = format!(
        "sh -c 'echo begun-{number} >> /data/log; until [ -e /data/go-{number} ]; do sleep 0.02; done; echo ended-{number} >> /data/log'"
    );
    api::SchedulePut { schedule: "0 0 29 2 *".into(), command, enabled: true, timeout_seconds: None }
}

/// Whether a command left the traces of one run at most, and of a whole one where it succeeded.
pub(crate) fn noted_once(stand: &Stand, site: &Site, number: u32, state: RunState) -> Result<(), String> {
    let (begun, ended) = (site.noted(stand, &format!("begun-{number}")), site.noted(stand, &format!("ended-{number}")));
    let right = if state == RunState::Succeeded { (begun, ended) == (1, 1) } else { begun <= 1 && ended <= 1 };
    if right { Ok(()) } else { Err(format!("a run that is {state} began {begun} times and ended {ended} times")) }
}

pub(crate) fn run_log_faults(stand: &Stand, site: &Site, run: &RunId) -> Vec<String> {
    let is_end = |text: &str| {
        ["ended", "was ended", "failed: ", "lost: ", "stopped"].iter().any(|start| text.starts_with(start))
    };
    crate::logs::ends(&site.logs(stand).join("jobs").join(run.as_str()), is_end)
}

impl Site {
    /// What its owner, its visitors and the machine find wrong.
    pub(crate) async fn all_faults(&self, stand: &Stand) -> Vec<String> {
        let faults = self.faults(stand).await;
        if faults.is_empty() { leftovers(stand, &[self]).await } else { faults }
    }

    /// What the release that this deployment built says of itself.
    pub(crate) fn version_of(&self, stand: &Stand, built_by: &DeploymentId) -> Result<u32, String> {
        let releases = stand.server.data_dir().join(format!("node/groups/{}/releases", self.project));
        let said = std::fs::read_to_string(releases.join(built_by.as_str()).join("version"));
        let said = said.map_err(|error| format!("{}: the release of {built_by}: {error}", self.name))?;
        Ok(said.trim().parse().unwrap())
    }
}
