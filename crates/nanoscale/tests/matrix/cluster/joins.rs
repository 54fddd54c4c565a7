//! A machine that joins, killed or left alone by its server at each step: its token is spent once, it is one node, and
//! it is joined when it has been started again.

use checkpoint::{Checkpoint, Flow};

use super::Cluster;
use super::cases::steps;
use super::flows::{Case, Role};

/// A machine is started again so often: once is enough, when its server did not answer it.
const STARTS: usize = 3;

impl Case {
    pub(super) async fn join(self, cluster: &mut Cluster) -> Result<(), String> {
        let client = cluster.stand.client.clone();
        let token = client.join_token(&api::JoinTokenCreate::default()).await.map_err(|it| it.to_string())?;
        let mut machine = cluster.machine();
        let trap = cluster.stand.checkpoints.hold(self.checkpoint);
        machine.begin_to_join(&token.token, cluster.stand.server.api_port());
        let held = self.held(cluster, trap).await?;
        match self.role {
            Role::Server => cluster.restart_server().await,
            Role::Target => machine.begin(),
            role => return Err(format!("{role:?} has no part in it")),
        }
        drop(held);
        let mut starts = 0;
        while !machine.is_up().await {
            starts += 1;
            if starts > STARTS {
                return Err(format!("it does not join:\n{}", machine.output()));
            }
            machine.begin();
        }
        let id = machine.id().clone();
        cluster.machines.push(machine);
        cluster.converge(&[]).await?;
        let tokens = client.join_tokens().await.map_err(|it| it.to_string())?;
        let used = tokens.iter().find(|it| it.id == token.id).ok_or("its token is gone")?;
        if (used.state.as_str(), used.node_id.as_ref()) != ("used", Some(&id)) {
            return Err(format!("{id} has come with {used:?}"));
        }
        client.node_remove(&id, false).await.map_err(|it| it.to_string())?;
        cluster.machines.pop();
        Ok(())
    }
}

#[tokio::test]
async fn joining_is_struck_at_every_step() {
    let mut failures = Vec::new();
    let mut cluster = Cluster::new(0).await;
    for checkpoint in steps(Flow::Join).collect::<Vec<Checkpoint>>() {
        for role in [Role::Server, Role::Target] {
            let case = Case { flow: Flow::Join, checkpoint, role };
            if let Err(failure) = case.join(&mut cluster).await {
                failures.push(format!("{role:?} killed at {}\n    {failure}", checkpoint.name()));
                cluster = Cluster::new(0).await;
            }
        }
    }
    assert!(failures.is_empty(), "{} cases failed:\n{}", failures.len(), failures.join("\n"));
}
