use reqwest::Method;

use super::{Client, Result};

/// What builds keep for later ones.
impl Client {
    pub async fn caches(&self, node: impl std::fmt::Display) -> Result<api::BuildCacheList> {
        self.get(&format!("/api/nodes/{node}/caches")).await
    }

    pub async fn cache_prune(
        &self,
        node: impl std::fmt::Display,
        prune: &api::BuildCachePrune,
    ) -> Result<api::BuildCachePruned> {
        self.post(&format!("/api/nodes/{node}/caches/prune"), prune).await
    }

    pub async fn project_cache(&self, id: impl std::fmt::Display) -> Result<api::BuildCache> {
        self.get(&format!("/api/projects/{id}/cache")).await
    }

    pub async fn project_cache_clear(&self, id: impl std::fmt::Display) -> Result<api::BuildCachePruned> {
        self.call(self.raw(Method::DELETE, &format!("/api/projects/{id}/cache"))).await
    }
}
