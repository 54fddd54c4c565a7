use reqwest::Method;

use super::{Client, Result};

/// Commands that run to their end.
impl Client {
    pub async fn run_list(&self, project: impl std::fmt::Display) -> Result<Vec<api::Run>> {
        self.get::<api::RunList>(&format!("/api/projects/{project}/runs")).await.map(|list| list.runs)
    }

    pub async fn run_list_of(&self, project: impl std::fmt::Display, schedule: &str) -> Result<Vec<api::Run>> {
        let path = format!("/api/projects/{project}/runs?schedule={schedule}");
        self.get::<api::RunList>(&path).await.map(|list| list.runs)
    }

    pub async fn run_create(
        &self,
        project: impl std::fmt::Display,
        command: &str,
        inside: Option<&str>,
    ) -> Result<api::Run> {
        let inside = inside.map(str::to_owned);
        let create = api::RunCreate { command: command.to_owned(), inside, timeout_seconds: None };
        self.post(&format!("/api/projects/{project}/runs"), &create).await
    }

    pub async fn run(&self, id: impl std::fmt::Display) -> Result<api::Run> {
        self.get(&format!("/api/runs/{id}")).await
    }

    pub async fn run_cancel(&self, id: impl std::fmt::Display) -> Result<api::Run> {
        self.post(&format!("/api/runs/{id}/cancel"), &serde_json::json!({})).await
    }

    pub async fn schedule_list(&self, project: impl std::fmt::Display) -> Result<Vec<api::Schedule>> {
        self.get::<api::ScheduleList>(&format!("/api/projects/{project}/schedules")).await.map(|list| list.schedules)
    }

    pub async fn schedule_put(
        &self,
        project: impl std::fmt::Display,
        name: &str,
        put: &api::SchedulePut,
    ) -> Result<()> {
        let path = format!("/api/projects/{project}/schedules/{name}");
        self.send(self.raw(Method::PUT, &path).json(put)).await.map(drop)
    }

    pub async fn schedule_delete(&self, project: impl std::fmt::Display, name: &str) -> Result<()> {
        self.act(Method::DELETE, &format!("/api/projects/{project}/schedules/{name}")).await.map(drop)
    }

    pub async fn schedule_run(&self, project: impl std::fmt::Display, name: &str) -> Result<api::Run> {
        self.post(&format!("/api/projects/{project}/schedules/{name}/run"), &serde_json::json!({})).await
    }
}
