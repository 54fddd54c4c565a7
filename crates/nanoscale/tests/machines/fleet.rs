//! Many machines on one server; they are simulated, but for their end of the link.

use std::time::Duration;

use ids::NodeStatus;
use testkit::{Client, SimulatedNode, wait_until};

use crate::{SHOWN, server};

const MACHINES: usize = 40;
/// Nothing more comes.
const QUIET: Duration = Duration::from_secs(2);

async fn all_online(client: &Client) {
    // One more is the server's own.
    wait_until("all are online", SHOWN, async || {
        let nodes = client.nodes().await.unwrap_or_default();
        nodes.iter().filter(|node| node.status == NodeStatus::Online).count() == MACHINES + 1
    })
    .await;
}

/// How often browsers were told that machines came or went.
async fn announcements(client: &Client) -> usize {
    let mut events = client.events(Some(0)).await.unwrap();
    let mut count = 0;
    while let Ok(Some(event)) = events.next_within(QUIET).await {
        count += usize::from(event.kind == "node.updated");
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_that_come_back_together_are_told_of_together() {
    let mut server = server().start().await;
    let client = server.setup().await;
    let mut machines = Vec::new();
    for number in 0..MACHINES {
        let node = SimulatedNode::join(&client, &server.api_url(), &format!("machine-{number}")).await;
        let mut node = node.lively();
        node.keep_linked();
        machines.push(node);
    }
    all_online(&client).await;
    let before = announcements(&client).await;
    server.restart().await;
    all_online(&client).await;
    let told = announcements(&client).await - before;
    assert!((1..MACHINES).contains(&told), "browsers were told {told} times of {MACHINES} machines");
    wait_until("all report what they use", SHOWN, async || {
        client.nodes().await.unwrap().iter().all(|node| node.metrics.is_some() && node.last_seen_at.is_some())
    })
    .await;
}
