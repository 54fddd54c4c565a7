use reqwest::Method;

use super::{Client, Result};

/// Machines and how they join.
impl Client {
    pub async fn join_token(&self, create: &api::JoinTokenCreate) -> Result<api::JoinTokenCreated> {
        let created: api::JoinTokenCreated = self.post("/api/cluster/generate-token", create).await?;
        self.secrets.remember(&created.token);
        Ok(created)
    }

    pub async fn join_tokens(&self) -> Result<Vec<api::JoinToken>> {
        Ok(self.get::<api::JoinTokenList>("/api/cluster/tokens").await?.tokens)
    }

    pub async fn join_token_revoke(&self, id: impl std::fmt::Display) -> Result<()> {
        self.send(self.raw(Method::DELETE, &format!("/api/cluster/tokens/{id}"))).await.map(drop)
    }

    pub async fn cluster_join(&self, join: &api::ClusterJoin) -> Result<api::ClusterJoined> {
        self.post("/api/cluster/join", join).await
    }

    pub async fn node_update(&self, id: impl std::fmt::Display, update: &api::NodeUpdate) -> Result<api::Node> {
        self.call(self.raw(Method::PATCH, &format!("/api/nodes/{id}")).json(update)).await
    }

    pub async fn node_drain(&self, id: impl std::fmt::Display) -> Result<api::Node> {
        self.call(self.raw(Method::POST, &format!("/api/nodes/{id}/drain"))).await
    }

    pub async fn node_resume(&self, id: impl std::fmt::Display) -> Result<api::Node> {
        self.call(self.raw(Method::POST, &format!("/api/nodes/{id}/resume"))).await
    }

    pub async fn node_remove(&self, id: impl std::fmt::Display, force: bool) -> Result<()> {
        let request = self.raw(Method::DELETE, &format!("/api/nodes/{id}")).query(&[("force", force)]);
        self.send(request).await.map(drop)
    }
}
