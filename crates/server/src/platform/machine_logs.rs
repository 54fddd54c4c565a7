//! Logs of machines, and what each machine is, asked of the node there.

mod filter;
pub(crate) mod http;
mod shown;

use ids::NodeId;
use tokio_util::sync::CancellationToken;
use wire::{MachineLogEvent, MachineLogPage, MachineLogQuery, SystemInfo};

use crate::config::MachineLogConfig;
use crate::error::{Error, Result};
use crate::platform::identity::Identity;
use crate::platform::nodes::{Lines, Nodes};

#[derive(Clone)]
pub(crate) struct MachineLogs {
    nodes: Nodes,
    identity: Identity,
    config: MachineLogConfig,
    /// The server stops: followers are let go, and come back to the next one.
    closing: CancellationToken,
}

impl MachineLogs {
    pub(crate) fn new(nodes: Nodes, identity: Identity, config: MachineLogConfig, closing: CancellationToken) -> Self {
        Self { nodes, identity, config, closing }
    }

    async fn page(&self, node: &NodeId, query: &MachineLogQuery) -> Result<MachineLogPage> {
        self.ask(node, "/v1/machine/logs", query, "cursor").await?.json().await
    }

    async fn follow(&self, node: &NodeId, query: &MachineLogQuery) -> Result<Lines<MachineLogEvent>> {
        self.ask(node, "/v1/machine/logs/follow", query, "after").await
    }

    async fn info(&self, node: &NodeId) -> Result<SystemInfo> {
        let link = self.nodes.known_link(node).await?;
        // Docker may take its time, and the connection for commands is not held up by it.
        Lines::<()>::of(link.stream("/v1/machine/info").await?, "id")?.json().await
    }

    async fn ask(
        &self,
        node: &NodeId,
        path: &str,
        query: &MachineLogQuery,
        place: &str,
    ) -> Result<Lines<MachineLogEvent>> {
        let query = serde_urlencoded::to_string(query).map_err(Error::internal)?;
        Lines::of(self.nodes.known_link(node).await?.stream(&format!("{path}?{query}")).await?, place)
    }
}
