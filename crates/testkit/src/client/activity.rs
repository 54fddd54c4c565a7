use std::fmt::Display;

use reqwest::Method;

use super::{Client, Result, Sse};

/// What happens in projects.
impl Client {
    /// `query` is empty or begins with a question mark.
    pub async fn activity_list(&self, project: impl Display, query: &str) -> Result<api::ActivityList> {
        self.get(&format!("/api/projects/{project}/activity{query}")).await
    }

    /// What happens from now on, or after `position`.
    pub async fn activity_stream(
        &self,
        project: impl Display,
        position: Option<&str>,
    ) -> Result<Sse<api::ActivityEvent>> {
        self.stream(self.raw(Method::GET, &format!("/api/projects/{project}/activity/stream")), position).await
    }
}
