//! One deployment that goes to many nodes.

use std::time::{Duration, Instant};

use ids::{DeploymentState, ProjectId};
use testkit::{Client, SimulatedNode, TestServer, example};

use super::{WAIT, simulate};
use crate::{Row, median, row, times};

const NODES: usize = 50;
const DEPLOYMENTS: usize = 10;

pub(super) async fn measure() -> Row {
    let limits = serde_json::json!({"limits": {"settle_ms": 0}});
    let server = TestServer::builder(env!("CARGO_BIN_EXE_nanoscale")).config(limits).start().await;
    let client = server.setup().await;
    let alone = deployments(&client, "alone", 1, &[]).await;
    let nodes = simulate(&server, &client, NODES).await;
    // On the server's own machine, which builds it, and on all others.
    let everywhere = deployments(&client, "everywhere", NODES + 1, &nodes).await;
    let (alone, everywhere) = (median(alone), median(everywhere));
    row(
        format!(
            "a redeployment on {NODES} nodes beside the one that builds it, until it is live on all, median of {DEPLOYMENTS}"
        ),
        format!("{everywhere:.0} ms, on one node {alone:.0} ms"),
    )
}

/// Milliseconds of each.
async fn deployments(client: &Client, name: &str, replicas: usize, nodes: &[SimulatedNode]) -> Vec<f64> {
    let own = client.nodes().await.unwrap().into_iter().find(|node| node.embedded).unwrap();
    let replicas = Some(u32::try_from(replicas).unwrap());
    let create =
        api::ProjectCreate { name: name.into(), node_id: Some(own.id.to_string()), replicas, ..Default::default() };
    let project = client.project_create(&create).await.unwrap().project.id;
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_dir_all(".", example("hello-node")).unwrap();
    let first = client.upload(&project, archive.into_inner().unwrap()).await.unwrap();
    client.wait_for(&first.id, DeploymentState::Live, WAIT).await;
    let mut took = Vec::new();
    for _ in 0..times(DEPLOYMENTS) {
        took.push(redeploy(client, &project, nodes).await);
    }
    took
}

async fn redeploy(client: &Client, project: &ProjectId, nodes: &[SimulatedNode]) -> f64 {
    let began = Instant::now();
    let deployment = client.redeploy(project).await.unwrap();
    client.wait_for(&deployment.id, DeploymentState::Live, WAIT).await;
    let runs = |node: &SimulatedNode| {
        node.told().workloads.iter().any(|workload| workload.id.base() == deployment.id.as_str())
    };
    while !nodes.iter().all(runs) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    began.elapsed().as_secs_f64() * 1000.0
}
