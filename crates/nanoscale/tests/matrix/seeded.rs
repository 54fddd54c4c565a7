//! Flows, victims and moments by chance. `NANOSCALE_SEED` repeats a run, as far as the kernel's scheduler lets it;
//! `cargo xtask soak` goes on for longer.

use std::time::{Duration, Instant};

use checkpoint::{Checkpoint, Flow};
use ids::DeploymentState;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use testkit::Client;
use tokio::task::JoinHandle;

use crate::flows::{noted_once, run_log_faults, tick};
use crate::leftovers::leftovers;
use crate::site::{Site, release};
use crate::stand::Stand;
use crate::victim::Victim;

const SITES: usize = 3;
const FLOWS: [Flow; 5] = [Flow::Deploy, Flow::Rollback, Flow::Cancel, Flow::Job, Flow::Delete];
/// In the suite; a soak says its own.
const SECONDS: u64 = 40;
/// A step that is not come to within this time is not waited for.
const REACH: Duration = Duration::from_millis(1500);
/// A moment for a kill without a step is chosen within this time.
const MOMENT: u64 = 1200;

pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[tokio::test]
async fn chance_finds_nothing_that_is_not_put_right() {
    let seed = number("NANOSCALE_SEED").unwrap_or_else(rand::random);
    let seconds = number("NANOSCALE_SOAK_SECONDS").unwrap_or(SECONDS);
    eprintln!("NANOSCALE_SEED={seed}");
    let mut chance = Chance::new(seed).await;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(seconds) {
        chance.round().await;
        if chance.rng.random_bool(0.4)
            && let Err(faults) = chance.settle().await
        {
            panic!("NANOSCALE_SEED={seed}, after {} rounds: {}\n    {faults}", chance.history.len(), chance.told());
        }
    }
    if let Err(faults) = chance.settle().await {
        panic!("NANOSCALE_SEED={seed}, at the end: {}\n    {faults}", chance.told());
    }
    eprintln!("{} rounds in {} s", chance.history.len(), start.elapsed().as_secs());
}

struct Chance {
    rng: StdRng,
    stand: Stand,
    sites: Vec<Site>,
    made: usize,
    /// What was done, for the report of a failure.
    history: Vec<String>,
}

impl Chance {
    async fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let one_process = rng.random_bool(0.25);
        let stand = match std::env::var("NANOSCALE_TEST_DATABASE").as_deref() {
            Ok("postgres") => Stand::on_postgres().await,
            _ if one_process => Stand::in_one_process().await,
            _ => Stand::new().await,
        };
        let mut chance = Self { rng, stand, sites: Vec::new(), made: 0, history: Vec::new() };
        chance.fill().await;
        chance
    }

    /// Makes sites in the place of those that were deleted.
    async fn fill(&mut self) {
        while self.sites.len() < SITES {
            self.made += 1;
            self.sites.push(Site::live(&self.stand, &format!("site-{}", self.made)).await);
        }
    }

    fn told(&self) -> String {
        self.history.iter().rev().take(12).rev().cloned().collect::<Vec<_>>().join("\n      ")
    }

    /// One or two flows begin, and somebody is killed.
    async fn round(&mut self) {
        let mut told = String::new();
        let steps = Checkpoint::ALL.iter().copied().filter(|step| FLOWS.contains(&step.flows()[0])).collect::<Vec<_>>();
        let step = self.rng.random_bool(0.6).then(|| steps[self.rng.random_range(0..steps.len())]);
        let trap = step.map(|step| self.stand.checkpoints.hold(step));
        let mut asked = Vec::new();
        for _ in 0..self.rng.random_range(1..=2) {
            let site = self.rng.random_range(0..SITES);
            let flow = step.map(|step| step.flows()[0]).filter(|_| self.rng.random_bool(0.7));
            let flow = flow.unwrap_or_else(|| self.flow());
            told += &format!("{flow:?} of {}, ", self.sites[site].name);
            asked.push(self.begin(flow, site).await);
        }
        let victim = self.victim();
        let held = match trap {
            Some(trap) => trap.reached(REACH).await,
            None => {
                tokio::time::sleep(Duration::from_millis(self.rng.random_range(0..MOMENT))).await;
                None
            }
        };
        let at = step.filter(|_| held.is_some()).map_or("some moment", Checkpoint::name);
        self.history.push(format!("{told}{victim:?} killed at {at}"));
        let pid = held.as_ref().map(|held| held.pid);
        victim.strike(&mut self.stand, pid).await;
        drop(held);
        for asked in asked {
            asked.await.unwrap();
        }
    }

    fn victim(&mut self) -> Victim {
        let victims = self.stand.victims();
        victims[self.rng.random_range(0..victims.len())]
    }

    fn flow(&mut self) -> Flow {
        match self.rng.random_range(0..10) {
            0..4 => Flow::Deploy,
            4..6 => Flow::Rollback,
            6..7 => Flow::Cancel,
            7..9 => Flow::Job,
            _ => Flow::Delete,
        }
    }

    /// Asks for something. Whether that is answered, and with what, is not the matter here.
    async fn begin(&mut self, flow: Flow, site: usize) -> JoinHandle<()> {
        let site = &mut self.sites[site];
        let (client, project) = (self.stand.client.clone(), site.project.clone());
        site.newest += 1;
        let number = site.newest;
        let go = site.volume(&self.stand).join(format!("go-{number}"));
        tokio::spawn(async move {
            match flow {
                Flow::Deploy => drop(client.upload(&project, release(number, false)).await),
                Flow::Rollback => drop(client.rollback(&project, None).await),
                Flow::Cancel => cancel(&client, &project).await,
                Flow::Delete => drop(client.project_delete(&project).await),
                Flow::Job => {
                    // It may have been deleted.
                    let _ = std::fs::write(go, "");
                    let _ = client.run_create(&project, &tick(number).command, None).await;
                }
                // Of several nodes: see `cluster`.
                _ => {}
            }
        })
    }

    /// Waits for everything to be as it should.
    async fn settle(&mut self) -> Result<(), String> {
        // Pauses between starts of an app that was killed often begin anew with the node.
        let node = if self.stand.is_separate() { Victim::Node } else { Victim::All };
        node.strike(&mut self.stand, None).await;
        let Self { stand, sites, .. } = self;
        stand.converge(async || faults(stand, sites).await).await?;
        self.fill().await;
        Ok(())
    }
}

/// Stops whatever is under way.
async fn cancel(client: &Client, project: &ids::ProjectId) {
    let active = |it: &api::Deployment| !it.state.is_settled();
    if let Some(deployment) = client.deployment_list(project).await.unwrap_or_default().into_iter().find(active) {
        let _ = client.deployment_cancel(&deployment.id).await;
    }
    let running = |run: &api::Run| !run.state.is_settled();
    if let Some(run) = client.run_list(project).await.unwrap_or_default().into_iter().find(running) {
        let _ = client.run_cancel(&run.id).await;
    }
}

/// What is wrong; sites that are gone are forgotten.
async fn faults(stand: &Stand, sites: &mut Vec<Site>) -> Vec<String> {
    let projects = match stand.client.project_list().await {
        Ok(projects) => projects,
        Err(failure) => return vec![failure.to_string()],
    };
    sites.retain(|site| projects.iter().any(|project| project.id == site.project));
    let mut faults = Vec::new();
    for site in &mut *sites {
        match shown(stand, site).await {
            Ok(version) => site.version = version,
            Err(failure) => faults.push(failure),
        }
        faults.extend(site.faults(stand).await);
    }
    if faults.is_empty() {
        faults = leftovers(stand, &sites.iter().collect::<Vec<_>>()).await;
    }
    if faults.is_empty() {
        for site in &*sites {
            faults.extend(traces(stand, site).await);
        }
    }
    faults
}

/// The version that is live as the rows have it.
async fn shown(stand: &Stand, site: &Site) -> Result<u32, String> {
    let project = stand.client.project_get(&site.project).await.map_err(|failure| failure.to_string())?;
    if project.live_deployment.is_none() {
        return Ok(0);
    }
    let releases = stand.client.release_list(&site.project).await.map_err(|failure| failure.to_string())?;
    let live = releases.into_iter().find(|release| release.live).ok_or("the live release is not kept")?;
    site.version_of(stand, &live.deployment_id)
}

/// What commands and logs tell of everything that the site went through.
async fn traces(stand: &Stand, site: &Site) -> Vec<String> {
    let mut faults = Vec::new();
    for version in 1..=site.newest {
        let noted = site.noted(stand, &format!("release-{version}"));
        if noted > 1 {
            faults.push(format!("{}: the release command of version {version} was run {noted} times", site.name));
        }
    }
    for run in stand.client.run_list(&site.project).await.unwrap_or_default() {
        let begun = run.command.split("begun-").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        if let Some(number) = begun {
            faults.extend(noted_once(stand, site, number, run.state).err());
            // One that was stopped before it began has none.
            if site.logs(stand).join("jobs").join(run.id.as_str()).exists() {
                faults.extend(run_log_faults(stand, site, &run.id));
            }
        }
    }
    for deployment in stand.client.deployment_list(&site.project).await.unwrap_or_default() {
        let directory = site.logs(stand).join(deployment.id.as_str()).join("build");
        if deployment.state == DeploymentState::Live {
            faults.extend(site.deployment_faults(stand, &deployment, site.version));
        } else if directory.exists() {
            faults.extend(crate::logs::read(&directory).1);
        }
    }
    faults
}
