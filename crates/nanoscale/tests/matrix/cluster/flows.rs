//! Each flow over several nodes once, struck at one of its steps.

use std::collections::BTreeSet;
use std::time::Duration;

use checkpoint::{Checkpoint, Flow, Part};
use ids::{DeploymentState, NodeId};
use testkit::{Held, Trap, wait_some};

use super::Cluster;
use super::faults::Shall;
use crate::BUILD;
use crate::site::Site;

/// A flow that comes to a step does so within this time.
const REACH: Duration = Duration::from_secs(25);

/// Who is killed, as a part that it plays. It is started again before the step is let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Server,
    /// The node where the project is built when the flow begins. One that was lost comes back.
    Home,
    /// The node that the project goes to, that joins, or that is removed.
    Target,
    /// Another one.
    Third,
}

/// One cell of the matrix.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) flow: Flow,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) role: Role,
}

/// Who plays the parts.
pub(crate) struct Cast {
    home: NodeId,
    target: NodeId,
    third: Option<NodeId>,
}

impl Cast {
    /// `target`: where it is known beforehand.
    fn of(cluster: &Cluster, home: NodeId, target: Option<NodeId>) -> Self {
        let others = cluster.nodes().into_iter().filter(|node| *node != home).collect::<Vec<_>>();
        let target = target.unwrap_or_else(|| others[0].clone());
        let third = others.into_iter().find(|node| *node != target);
        Self { home, target, third }
    }
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Server, Self::Home, Self::Target, Self::Third];

    /// Whoever waits at a step.
    pub(crate) fn at(flow: Flow, checkpoint: Checkpoint) -> Self {
        use Checkpoint::{GroupErased, GroupHalfErased, WorkloadDrained, WorkloadStopped};
        match (checkpoint.part(), checkpoint, flow) {
            (Part::Server, ..) => Self::Server,
            (_, WorkloadDrained | WorkloadStopped | GroupHalfErased | GroupErased, _) | (.., Flow::Redeploy) => {
                Self::Home
            }
            _ => Self::Target,
        }
    }
}

impl Case {
    pub(crate) async fn run(self, cluster: &mut Cluster, site: &mut Site) -> Result<(), String> {
        cluster.rest().await;
        match self.flow {
            Flow::Spread => self.spread(cluster, site).await,
            Flow::Move => self.move_on(cluster, site).await,
            Flow::Drain => self.drain(cluster, site).await,
            Flow::Reschedule => self.reschedule(cluster, site).await,
            Flow::Redeploy => self.redeploy(cluster, site).await,
            flow => Err(format!("{flow:?} has no case here")),
        }
    }

    pub(crate) async fn held(self, cluster: &Cluster, trap: Trap) -> Result<Held, String> {
        let held = trap.reached(REACH).await;
        held.ok_or_else(|| format!("nobody came to this step; passed were {:?}", cluster.stand.checkpoints.passed()))
    }

    /// Kills at the step, and lets go.
    async fn strike(self, cluster: &mut Cluster, trap: Trap, mut cast: Cast) -> Result<(), String> {
        let held = self.held(cluster, trap).await?;
        // Where it goes may not be known before it is seen.
        if let Some(node) = cluster.node_of(held.pid).filter(|node| *node != cast.home) {
            cast = Cast::of(cluster, cast.home, Some(node));
        }
        match self.role {
            Role::Server => cluster.restart_server().await,
            Role::Home => cluster.restart(&cast.home).await,
            Role::Target => cluster.restart(&cast.target).await,
            Role::Third => cluster.restart(cast.third.as_ref().ok_or("there is no third node")?).await,
        }
        drop(held);
        Ok(())
    }

    /// To all nodes, and back to one.
    async fn spread(self, cluster: &mut Cluster, site: &mut Site) -> Result<(), String> {
        let home = cluster.home(site).await?;
        let nodes = cluster.nodes();
        let replicas = |replicas: usize| api::ProjectUpdate { replicas: Some(count(replicas)), ..Default::default() };
        let cast = Cast::of(cluster, home.clone(), None);
        self.change(cluster, site, replicas(nodes.len()), cast).await?;
        cluster.converge(&[(site, &Shall::be_on(nodes))]).await?;
        let changed = cluster.stand.client.project_update(&site.project, &replicas(1)).await;
        changed.map_err(|failure| failure.to_string())?;
        cluster.converge(&[(site, &Shall::be_on([home]))]).await
    }

    /// To the node after the one that it is on.
    async fn move_on(self, cluster: &mut Cluster, site: &mut Site) -> Result<(), String> {
        let home = cluster.home(site).await?;
        let nodes = cluster.nodes();
        let next = nodes.iter().cycle().skip_while(|node| **node != home).nth(1).cloned().ok_or("it is nowhere")?;
        let cast = Cast::of(cluster, home, Some(next.clone()));
        let there = api::ProjectUpdate { node_id: Some(next.to_string()), ..Default::default() };
        self.change(cluster, site, there, cast).await?;
        cluster.converge(&[(site, &Shall::be_on([next]))]).await
    }

    async fn change(
        self,
        cluster: &mut Cluster,
        site: &Site,
        update: api::ProjectUpdate,
        cast: Cast,
    ) -> Result<(), String> {
        let trap = cluster.stand.checkpoints.hold(self.checkpoint);
        let (client, project) = (cluster.stand.client.clone(), site.project.clone());
        let asked = tokio::spawn(async move { client.project_update(&project, &update).await });
        self.strike(cluster, trap, cast).await?;
        // Whoever asked may not have been answered, and what was asked for was written down.
        let _ = asked.await.unwrap();
        Ok(())
    }

    async fn drain(self, cluster: &mut Cluster, site: &mut Site) -> Result<(), String> {
        let home = cluster.home(site).await?;
        let cast = Cast::of(cluster, home.clone(), None);
        let trap = cluster.stand.checkpoints.hold(self.checkpoint);
        let (client, node) = (cluster.stand.client.clone(), home.clone());
        let asked = tokio::spawn(async move { client.node_drain(&node).await });
        self.strike(cluster, trap, cast).await?;
        let _ = asked.await.unwrap();
        let among = cluster.nodes().into_iter().filter(|node| *node != home).collect();
        cluster.converge(&[(site, &Shall { replicas: 1, among })]).await?;
        cluster.stand.client.node_resume(&home).await.map(drop).map_err(|failure| failure.to_string())
    }

    /// From a machine that loses its power to another one.
    async fn reschedule(self, cluster: &mut Cluster, site: &mut Site) -> Result<(), String> {
        let home = cluster.home(site).await?;
        let before = self.deployments(cluster, site).await?;
        let machines = cluster.machines.iter().map(|machine| machine.id().clone()).collect::<BTreeSet<_>>();
        let target = machines.iter().find(|node| **node != home).cloned();
        let cast = Cast::of(cluster, home.clone(), target);
        let trap = cluster.stand.checkpoints.hold(self.checkpoint);
        cluster.machine_mut(&home).ok_or("it is on the server's own machine")?.lose_power();
        self.strike(cluster, trap, cast).await?;
        if self.role != Role::Home {
            let away = || "the project did not come back elsewhere".to_owned();
            let lives = async || site.faults(&cluster.stand).await;
            cluster.stand.converge_within(super::CONVERGE, lives).await.map_err(|it| format!("{}: {it}", away()))?;
            cluster.restart(&home).await;
        }
        cluster.converge(&[(site, &Shall { replicas: 1, among: machines })]).await?;
        // Built again once, or moved after all.
        let after = self.deployments(cluster, site).await?;
        if after > before + 1 { Err(format!("it was deployed {} times", after - before)) } else { Ok(()) }
    }

    async fn redeploy(self, cluster: &mut Cluster, site: &mut Site) -> Result<(), String> {
        let home = cluster.home(site).await?;
        let before = self.deployments(cluster, site).await?;
        let archive = site.next_movable();
        let cast = Cast::of(cluster, home, None);
        let trap = cluster.stand.checkpoints.hold(self.checkpoint);
        let (client, project) = (cluster.stand.client.clone(), site.project.clone());
        let asked = tokio::spawn(async move { client.upload(&project, archive).await });
        self.strike(cluster, trap, cast).await?;
        let answer = asked.await.unwrap();
        let is_unasked = self.checkpoint == Checkpoint::UploadReceived && self.role == Role::Server;
        let expected = before + usize::from(!is_unasked);
        if is_unasked && answer.is_ok() {
            return Err("there should be no deployment".into());
        }
        if !is_unasked {
            let settled = wait_some("the deployment has settled", BUILD, async || {
                let listed = cluster.stand.client.deployment_list(&site.project).await.ok()?;
                listed.into_iter().next().filter(|it| it.state.is_settled())
            });
            let settled = settled.await;
            if settled.state != DeploymentState::Live {
                return Err(format!("it is {}: {}", settled.state, settled.reason.unwrap_or_default()));
            }
            site.version = site.newest;
        }
        cluster.converge(&[(site, &Shall::be_on(cluster.nodes()))]).await?;
        match self.deployments(cluster, site).await? {
            after if after == expected => Ok(()),
            after => Err(format!("there are {after} deployments, and should be {expected}")),
        }
    }

    async fn deployments(self, cluster: &Cluster, site: &Site) -> Result<usize, String> {
        let listed = cluster.stand.client.deployment_list(&site.project).await;
        listed.map(|listed| listed.len()).map_err(|failure| failure.to_string())
    }
}

pub(super) fn count(replicas: usize) -> u32 {
    u32::try_from(replicas).unwrap()
}

impl Cluster {
    /// Where a project is built.
    async fn home(&self, site: &Site) -> Result<NodeId, String> {
        let project = self.stand.client.project_get(&site.project).await.map_err(|failure| failure.to_string())?;
        Ok(project.node_id)
    }
}
