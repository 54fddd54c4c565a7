//! Many machines: what a server has to do for them, how soon they are there, and how visitors get from one to another.

#[path = "machines/fanout.rs"]
mod fanout;
#[path = "machines/fleet.rs"]
mod fleet;
#[path = "machines/joining.rs"]
mod joining;
#[path = "machines/ssh.rs"]
mod ssh;
#[path = "machines/tunnel.rs"]
mod tunnel;

use std::time::Duration;

use futures_util::{StreamExt, stream};
use ids::NodeStatus;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use testkit::{Client, SimulatedNode, TestServer, wait_until};

use crate::Row;

/// Long enough for anything in here.
const WAIT: Duration = Duration::from_secs(300);
/// Nodes that join at the same time.
const JOINERS: usize = 16;

/// What `--only` may name beside all of them.
pub(crate) const PARTS: [&str; 4] = ["fleet", "joining", "fanout", "tunnel"];

/// `count` nodes are simulated for the first part.
pub(crate) async fn measure(only: Option<&str>, count: usize) -> Vec<Row> {
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let mut rows = Vec::new();
    if wanted("fleet") {
        rows.extend(fleet::measure(count).await);
    }
    if wanted("joining") {
        rows.push(joining::measure().await);
    }
    if wanted("fanout") {
        rows.push(fanout::measure().await);
    }
    if wanted("tunnel") {
        rows.extend(tunnel::measure().await);
    }
    rows
}

/// Has so many simulated nodes join, and waits until all are online.
async fn simulate(server: &TestServer, client: &Client, count: usize) -> Vec<SimulatedNode> {
    let join = async |number: usize| {
        let node = SimulatedNode::join(client, &server.api_url(), &format!("node-{number}")).await;
        let mut node = node.lively();
        node.keep_linked();
        node
    };
    let nodes = stream::iter(0..count).map(join).buffer_unordered(JOINERS).collect::<Vec<_>>().await;
    // One more is the server's own machine.
    all_online(client, count + 1).await;
    nodes
}

async fn all_online(client: &Client, count: usize) {
    wait_until("all nodes are online", WAIT, async || {
        let nodes = client.nodes().await.unwrap_or_default();
        nodes.iter().filter(|node| node.status == NodeStatus::Online).count() == count
    })
    .await;
}
