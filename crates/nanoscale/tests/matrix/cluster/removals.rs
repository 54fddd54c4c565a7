//! A node that is taken out of the cluster while a project has a replica on it.

use checkpoint::Flow;
use ids::NodeId;

use super::Cluster;
use super::cases::{steps, victims};
use super::faults::Shall;
use super::flows::{Case, Role};
use crate::site::Site;

impl Case {
    /// The project is on the server's own machine and on `target`, and shall be on the third node afterwards.
    async fn remove(self, cluster: &mut Cluster, site: &Site, target: &NodeId) -> Result<(), String> {
        let trap = cluster.stand.checkpoints.hold(self.checkpoint);
        let (client, node) = (cluster.stand.client.clone(), target.clone());
        let asked = tokio::spawn(async move { client.node_remove(&node, true).await });
        let held = self.held(cluster, trap).await?;
        let home = cluster.nodes().remove(0);
        let third = cluster.nodes().into_iter().find(|node| *node != home && node != target);
        match self.role {
            Role::Server => cluster.restart_server().await,
            Role::Home => cluster.restart(&home).await,
            Role::Target => cluster.restart(target).await,
            Role::Third => cluster.restart(&third.clone().ok_or("there is no third node")?).await,
        }
        drop(held);
        let _ = asked.await.unwrap();
        let removed = cluster.machines.iter().position(|machine| machine.id() == target).ok_or("it is no machine")?;
        let removed = cluster.machines.remove(removed);
        cluster.converge(&[(site, &Shall::be_on([home].into_iter().chain(third)))]).await?;
        let left = async || Cluster::runs(&removed.data_dir());
        cluster.stand.converge_within(super::CONVERGE, left).await
    }
}

#[tokio::test]
async fn the_removal_of_a_node_is_struck_at_every_step() {
    let mut failures = Vec::new();
    let mut made = None;
    for (number, checkpoint) in steps(Flow::Remove).enumerate() {
        for role in victims(Flow::Remove, checkpoint, number, 3) {
            let (mut cluster, site) = match made.take() {
                Some(made) => made,
                None => prepare().await,
            };
            // Where the replica is goes; another machine takes its place.
            let project = cluster.stand.client.project_get(&site.project).await.unwrap();
            let target = project.placements.into_iter().map(|it| it.node_id).find(|node| *node != project.node_id);
            let case = Case { flow: Flow::Remove, checkpoint, role };
            match case.remove(&mut cluster, &site, &target.unwrap()).await {
                Ok(()) => {
                    cluster.add().await;
                    made = Some((cluster, site));
                }
                Err(failure) => failures.push(format!("{role:?} killed at {}\n    {failure}", checkpoint.name())),
            }
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}

async fn prepare() -> (Cluster, Site) {
    let cluster = Cluster::new(2).await;
    let nodes = cluster.nodes();
    let create = api::ProjectCreate {
        name: "site".into(),
        node_id: Some(nodes[0].to_string()),
        replicas: Some(2),
        ..api::ProjectCreate::default()
    };
    let site = Site::movable(&cluster.stand, create).await;
    cluster.converge(&[(&site, &Shall { replicas: 2, among: nodes.into_iter().collect() })]).await.unwrap();
    (cluster, site)
}
