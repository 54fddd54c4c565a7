//! From the command to join until the machine is part of the cluster.

use std::time::{Duration, Instant};

use ids::NodeStatus;
use testkit::{TestNode, TestServer};

use super::WAIT;
use crate::{Row, median, row, times};

const LOOK: Duration = Duration::from_millis(5);
const MACHINES: usize = 10;

pub(super) async fn measure() -> Row {
    let server = TestServer::builder(env!("CARGO_BIN_EXE_nanoscale")).start().await;
    let client = server.setup().await;
    let mut took = Vec::new();
    for number in 0..times(MACHINES) {
        let name = format!("machine-{number}");
        let create = api::JoinTokenCreate { name: Some(name.clone()), ..Default::default() };
        let token = client.join_token(&create).await.unwrap().token;
        let mut node = TestNode::new(env!("CARGO_BIN_EXE_nanoscale"));
        let began = Instant::now();
        let online = async {
            loop {
                let nodes = client.nodes().await.unwrap();
                if nodes.iter().any(|node| node.name == name && node.status == NodeStatus::Online) {
                    return began.elapsed().as_secs_f64() * 1000.0;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        let both = async { tokio::join!(node.join(&token, server.api_port()), online).1 };
        took.push(tokio::time::timeout(WAIT, both).await.unwrap());
    }
    let count = took.len();
    row(
        format!("`nanoscale join`, from the start of the process until the machine is online, median of {count}"),
        format!("{:.0} ms", median(took)),
    )
}
