//! Whether everything on all machines is as it was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ids::{DeploymentId, NodeId, NodeStatus, PlacementState, RunKind};

use super::Cluster;
use crate::leftovers::{Wanted, files, of_node};
use crate::processes::{Identities, apps, shims};
use crate::site::Site;

/// A visitor who is not answered within this time is not answered.
const ANSWER: Duration = Duration::from_secs(5);

/// Where a project shall be.
#[derive(Debug, Clone)]
pub(crate) struct Shall {
    pub(crate) replicas: usize,
    pub(crate) among: BTreeSet<NodeId>,
}

/// Where it is.
struct Placed {
    on: BTreeSet<NodeId>,
    home: NodeId,
    live: Option<DeploymentId>,
    kept: Vec<DeploymentId>,
}

impl Shall {
    /// On all of these.
    pub(crate) fn be_on(nodes: impl IntoIterator<Item = NodeId>) -> Self {
        let among = nodes.into_iter().collect::<BTreeSet<_>>();
        Self { replicas: among.len(), among }
    }
}

impl Cluster {
    /// Waits until everything is right.
    pub(crate) async fn converge(&self, sites: &[(&Site, &Shall)]) -> Result<(), String> {
        self.stand.converge_within(super::CONVERGE, async || self.faults(sites).await).await
    }

    /// What is wrong. `sites`: all that there are.
    pub(crate) async fn faults(&self, sites: &[(&Site, &Shall)]) -> Vec<String> {
        let mut faults = self.faults_of_nodes().await;
        let mut placed = Vec::new();
        for (site, shall) in sites {
            match self.placed(site, shall).await {
                Ok(is) => placed.push((*site, is)),
                Err(fault) => faults.push(fault),
            }
            faults.extend(site.faults(&self.stand).await);
        }
        if !faults.is_empty() {
            return faults;
        }
        for node in self.nodes() {
            let is_elsewhere = self.wired && self.machine_of(&node).is_some();
            let found = of_node(&self.data_dir(&node), &Wanted { is_elsewhere, ..wanted(&node, &placed) });
            faults.extend(found.into_iter().map(|fault| format!("on {node}: {fault}")));
        }
        for (site, placed) in &placed {
            faults.extend(self.visits(site, placed.on.len()).await);
            faults.extend(self.traces(site).await);
        }
        faults
    }

    /// Every machine has one row, and counts as connected.
    async fn faults_of_nodes(&self) -> Vec<String> {
        let shown = match self.stand.client.nodes().await {
            Ok(shown) => shown,
            Err(failure) => return vec![failure.to_string()],
        };
        let mut faults = Vec::new();
        let is_up = |status| matches!(status, NodeStatus::Online | NodeStatus::Draining);
        faults.extend(shown.iter().filter(|it| !is_up(it.status)).map(|it| format!("node {} is {}", it.id, it.status)));
        let ids = shown.iter().map(|node| node.id.clone()).collect::<BTreeSet<_>>();
        let names = shown.iter().map(|node| &node.name).collect::<BTreeSet<_>>();
        let wanted = self.nodes().into_iter().collect::<BTreeSet<_>>();
        if ids != wanted || names.len() != shown.len() {
            faults.push(format!("nodes: there are {shown:?}, and there should be {wanted:?}"));
        }
        faults
    }

    async fn placed(&self, site: &Site, shall: &Shall) -> Result<Placed, String> {
        let project = self.stand.client.project_get(&site.project).await.map_err(|failure| failure.to_string())?;
        let kept = self.stand.client.release_list(&site.project).await.map_err(|failure| failure.to_string())?;
        let on = project.placements.iter().map(|it| it.node_id.clone()).collect::<BTreeSet<_>>();
        let is_right = project.placements.iter().all(|it| it.state == PlacementState::Wanted && it.ready)
            && on.len() == project.placements.len()
            && on.len() == shall.replicas
            && on.is_subset(&shall.among)
            && on.contains(&project.node_id);
        if !is_right {
            let (home, is) = (&project.node_id, &project.placements);
            return Err(format!("{}: built on {home}, placed {is:?}, and should be {shall:?}", site.name));
        }
        let live = project.live_deployment.map(|live| live.id);
        let kept = kept.into_iter().map(|release| release.deployment_id).collect();
        Ok(Placed { on, home: project.node_id, live, kept })
    }

    /// Through every edge, and often enough that each replica is asked.
    async fn visits(&self, site: &Site, replicas: usize) -> Vec<String> {
        let mut faults = Vec::new();
        for node in self.nodes() {
            let app = self.app(&node, site.host()).without_keep_alive();
            for _ in 0..2 * replicas {
                let shown = tokio::time::timeout(ANSWER, app.get("/version")).await;
                let shown = match shown {
                    Ok(Ok(reply)) => reply.text(),
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "nothing".into(),
                };
                if shown != site.version.to_string() {
                    faults.push(format!("{}: visitors of {node} see `{shown}`, not {}", site.name, site.version));
                }
            }
        }
        faults
    }

    /// No release command was run twice, and no log has a gap.
    async fn traces(&self, site: &Site) -> Vec<String> {
        let mut faults = Vec::new();
        let runs = self.stand.client.run_list(&site.project).await.unwrap_or_default();
        let mut released = BTreeMap::<_, usize>::new();
        for run in runs.into_iter().filter(|run| run.kind == RunKind::Release) {
            *released.entry(run.deployment_id).or_default() += 1;
        }
        let twice = released.into_iter().filter(|(_, times)| *times > 1);
        faults.extend(twice.map(|(id, times)| format!("the release command of {id} has {times} runs")));
        for node in self.nodes() {
            let logs = self.data_dir(&node).join(format!("node/logs/{}", site.project));
            for deployment in std::fs::read_dir(logs).into_iter().flatten().flatten() {
                let build = deployment.path().join("build");
                if build.exists() {
                    faults.extend(crate::logs::read(&build).1);
                }
            }
        }
        faults
    }

    /// What a machine that was taken out of the cluster still runs.
    pub(crate) fn runs(data_dir: &std::path::Path) -> Vec<String> {
        let node = Identities::of(data_dir);
        let (shims, apps) = (shims(data_dir).into_values(), apps(data_dir).into_values());
        shims.chain(apps).chain(node.cgroups()).chain(node.links()).collect()
    }
}

fn wanted(node: &NodeId, placed: &[(&Site, Placed)]) -> Wanted {
    let mut wanted = Wanted { hosts: Some(placed.iter().map(|(site, _)| site.host()).collect()), ..Wanted::default() };
    for (site, placed) in placed.iter().filter(|(_, placed)| placed.on.contains(node)) {
        wanted.projects.insert(site.project.to_string());
        wanted.workloads.extend(placed.live.as_ref().map(ToString::to_string));
        let of = |release: &DeploymentId| files(&site.project, release);
        wanted.releases.extend(placed.live.iter().flat_map(of));
        // Others are copied to where a rollback begins, and may be where one could have begun.
        let rest = placed.kept.iter().filter(|release| Some(*release) != placed.live.as_ref()).flat_map(of);
        if node == &placed.home {
            wanted.releases.extend(rest);
        } else {
            wanted.spare_releases.extend(rest);
        }
    }
    wanted
}
