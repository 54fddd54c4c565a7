//! Several machines: how they join, how they are reached, and what happens when one is away. Each is the real binary;
//! those that shall be cut off are in a network namespace of their own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../it/apps.rs"]
#[expect(dead_code, reason = "the other suite uses all of it")]
mod apps;
mod attacks;
mod command_line;
mod cut;
mod direct;
mod fleet;
mod installing;
mod joining;
mod page;
mod placement;
mod proxied;
mod tunnels;
mod workspaces;

use std::time::Duration;

use ids::NodeStatus;
use serde_json::json;
use testkit::{Builder, Client, TestNode, TestServer, wait_until};

/// Long enough for any build in here on a busy machine.
const BUILD: Duration = Duration::from_secs(60);
/// Within which the state of a machine is shown right.
const SHOWN: Duration = Duration::from_secs(30);

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_nanoscale")
}

fn server() -> Builder {
    TestServer::builder(program())
}

/// A server that machines on wires reach too.
fn open_server() -> Builder {
    server().config(json!({ "orchestrator": { "bind_address": "0.0.0.0:0" } }))
}

fn machine() -> TestNode {
    TestNode::new(program())
}

/// Has a machine join under this name, and waits until it is online.
async fn join(server: &TestServer, client: &Client, mut node: TestNode, name: &str) -> TestNode {
    let token =
        client.join_token(&api::JoinTokenCreate { name: Some(name.into()), ..Default::default() }).await.unwrap();
    node.join(&token.token, server.api_port()).await;
    wait_for_status(client, &node, NodeStatus::Online).await;
    node
}

async fn wait_for_status(client: &Client, node: &TestNode, status: NodeStatus) {
    let what = format!("{} is {status}", node.id());
    wait_until(&what, SHOWN, async || client.node_get(node.id()).await.is_ok_and(|node| node.status == status)).await;
}

/// A project that waits for uploads on this machine.
async fn project_on(client: &Client, name: &str, node: &TestNode) -> ids::ProjectId {
    let create =
        api::ProjectCreate { name: name.into(), node_id: Some(node.id().to_string()), ..api::ProjectCreate::default() };
    apps::project_with(client, create).await
}
