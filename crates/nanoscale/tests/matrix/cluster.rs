//! The matrix over several machines: every flow that takes two or three nodes, struck at each of its steps. Afterwards
//! exactly the wanted replicas run, visitors of every machine see the right version, and no machine has anything left over.
//!
//! In the suite each step has the victim that waits there and one other; `seeded.rs` and `cargo xtask soak` choose
//! among all of them.

mod cases;
mod faults;
mod flows;
mod joins;
mod partition;
mod removals;
mod seeded;

use std::path::PathBuf;
use std::time::Duration;

use ids::{NodeId, NodeStatus};
use serde_json::json;
use testkit::{App, Part, TestNode, wait_until};

use crate::program;
use crate::stand::Stand;

/// A machine that was cut off waits up to 15 s before it tries again.
const CONVERGE: Duration = Duration::from_secs(45);
/// Links that were short make a machine wait for longer; after so many of them it is started anew between two cases.
const STRIKES: u32 = 2;

/// A server with the node of its own machine, and machines that have joined it.
pub(crate) struct Cluster {
    /// Go before the server that they are linked to.
    pub(crate) machines: Vec<TestNode>,
    pub(crate) stand: Stand,
    embedded: NodeId,
    /// How often the server was killed since the machines were started.
    struck: u32,
    /// Machines have a wire each.
    wired: bool,
}

impl Cluster {
    /// With so many machines beside the server's own.
    pub(crate) async fn new(machines: usize) -> Self {
        Self::with(machines, false).await
    }

    /// The same with machines that can be cut off.
    pub(crate) async fn on_wires(machines: usize) -> Self {
        Self::with(machines, true).await
    }

    async fn with(machines: usize, wired: bool) -> Self {
        let address = if wired { "0.0.0.0:0" } else { "127.0.0.1:0" };
        let patch = json!({ "orchestrator": { "bind_address": address }, "limits": { "reschedule_after_seconds": 3 } });
        let stand = Stand::with(None, |builder| builder.separate().config(patch)).await;
        let embedded = stand.client.nodes().await.unwrap().remove(0).id;
        let mut cluster = Self { machines: Vec::new(), stand, embedded, struck: 0, wired };
        for _ in 0..machines {
            cluster.add().await;
        }
        cluster
    }

    /// A machine that has not joined.
    fn machine(&self) -> TestNode {
        // The machine's own engine is no part of a test.
        let patch = json!({ "docker": { "host": "unix:///run/no-container-engine.sock" } });
        let node = TestNode::new(program()).config(patch).checkpoints(&self.stand.checkpoints);
        if self.wired { node.on_wire() } else { node }
    }

    /// One more machine, which may have projects that move.
    async fn add(&mut self) {
        let labels = [("kind".to_owned(), "machine".to_owned())].into();
        let create = api::JoinTokenCreate { labels, ..api::JoinTokenCreate::default() };
        let token = self.stand.client.join_token(&create).await.unwrap();
        let mut node = self.machine();
        node.join(&token.token, self.stand.server.api_port()).await;
        self.machines.push(node);
        self.all_online().await;
    }

    async fn all_online(&self) {
        wait_until("every node is online", CONVERGE, async || {
            let nodes = self.stand.client.nodes().await.unwrap_or_default();
            !nodes.is_empty() && nodes.iter().all(|node| node.status == NodeStatus::Online)
        })
        .await;
    }

    /// The server's own machine first.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        let joined = self.machines.iter().map(|machine| machine.id().clone());
        [self.embedded.clone()].into_iter().chain(joined).collect()
    }

    fn machine_of(&self, node: &NodeId) -> Option<&TestNode> {
        self.machines.iter().find(|machine| machine.id() == node)
    }

    fn machine_mut(&mut self, node: &NodeId) -> Option<&mut TestNode> {
        self.machines.iter_mut().find(|machine| machine.id() == node)
    }

    pub(crate) fn data_dir(&self, node: &NodeId) -> PathBuf {
        self.machine_of(node).map_or_else(|| self.stand.server.data_dir(), TestNode::data_dir)
    }

    /// A visitor who comes to this node's edge.
    pub(crate) fn app(&self, node: &NodeId, host: String) -> App {
        match self.machine_of(node) {
            Some(machine) => machine.app(host),
            None => self.stand.server.app(host),
        }
    }

    /// The node whose process this is.
    fn node_of(&self, pid: i32) -> Option<NodeId> {
        let is_it = |of: Option<u32>| of.and_then(|of| i32::try_from(of).ok()) == Some(pid);
        let machine = self.machines.iter().find(|machine| is_it(machine.pid())).map(|machine| machine.id().clone());
        machine.or_else(|| is_it(self.stand.server.pid_of(Part::Node)).then(|| self.embedded.clone()))
    }

    /// Kills a node and starts it again; its apps go on.
    pub(crate) async fn restart(&mut self, node: &NodeId) {
        match self.machine_mut(node) {
            Some(machine) => machine.restart().await,
            None => {
                self.stand.server.kill_part(Part::Node);
                self.stand.server.start_part(Part::Node).await;
            }
        }
    }

    /// Kills the server and starts it again.
    pub(crate) async fn restart_server(&mut self) {
        self.struck += 1;
        self.stand.server.kill_part(Part::Server);
        self.stand.server.start_part(Part::Server).await;
    }

    /// Has machines that lost the server often look for it at once the next time.
    async fn rest(&mut self) {
        if self.struck >= STRIKES {
            self.struck = 0;
            for machine in &mut self.machines {
                machine.restart().await;
            }
            self.all_online().await;
        }
    }
}
