use super::{Client, Result};

/// What was used, over time. A range is `10m`, `1h`, `24h` or `30d`.
impl Client {
    pub async fn node_metrics(&self, id: impl std::fmt::Display) -> Result<api::MetricsHistory> {
        self.get(&format!("/api/nodes/{id}/metrics")).await
    }

    pub async fn node_history(&self, id: impl std::fmt::Display, range: &str) -> Result<api::MetricsHistory> {
        self.get(&format!("/api/nodes/{id}/metrics?range={range}")).await
    }

    pub async fn project_metrics(&self, id: impl std::fmt::Display, range: &str) -> Result<api::ProjectMetrics> {
        self.get(&format!("/api/projects/{id}/metrics?range={range}")).await
    }

    pub async fn workspace_metrics(&self, id: impl std::fmt::Display, range: &str) -> Result<api::ProjectMetrics> {
        self.get(&format!("/api/workspaces/{id}/metrics?range={range}")).await
    }
}
