use reqwest::Method;
use serde::Deserialize;

use super::{Client, Result, Sse};

/// What a stream of a machine's logs says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum MachineLogEvent {
    Entry(api::MachineLogEntry),
    CaughtUp(api::MachineLogCaughtUp),
    Unavailable(api::UnavailableSource),
    /// Its id is a cursor for what is older.
    Begin {},
}

/// Logs of machines.
impl Client {
    /// `query` is a query string.
    pub async fn machine_log_page(&self, node: impl std::fmt::Display, query: &str) -> Result<api::MachineLogPage> {
        self.get(&format!("/api/nodes/{node}/logs?{query}")).await
    }

    /// The last lines and those that come, or what comes after the event of the id `after`.
    pub async fn follow_machine_logs(
        &self,
        node: impl std::fmt::Display,
        query: &str,
        after: Option<&str>,
    ) -> Result<Sse<MachineLogEvent>> {
        self.stream(self.raw(Method::GET, &format!("/api/nodes/{node}/logs/stream?{query}")), after).await
    }

    pub async fn system_info(&self, node: impl std::fmt::Display) -> Result<api::SystemInfo> {
        self.get(&format!("/api/nodes/{node}/system-info")).await
    }
}
