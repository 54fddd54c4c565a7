use std::fmt::Display;

use ids::{WorkspaceId, WorkspaceState};
use reqwest::Method;

use super::{Client, Result};
use crate::wait::{PATIENCE, wait_some};

/// Workspaces.
impl Client {
    /// `query` is empty or begins with a question mark.
    pub async fn workspace_list(&self, query: &str) -> Result<Vec<api::Workspace>> {
        Ok(self.get::<api::WorkspaceList>(&format!("/api/workspaces{query}")).await?.workspaces)
    }

    pub async fn workspace_create(&self, create: &api::WorkspaceCreate) -> Result<api::Workspace> {
        self.post("/api/workspaces", create).await
    }

    pub async fn workspace_get(&self, id: impl Display) -> Result<api::Workspace> {
        self.get(&format!("/api/workspaces/{id}")).await
    }

    pub async fn workspace_update(&self, id: impl Display, update: &api::WorkspaceUpdate) -> Result<api::Workspace> {
        self.call(self.raw(Method::PATCH, &format!("/api/workspaces/{id}")).json(update)).await
    }

    pub async fn workspace_awake(&self, id: impl Display, asked: &api::WorkspaceAwake) -> Result<api::Workspace> {
        self.post(&format!("/api/workspaces/{id}/awake"), asked).await
    }

    pub async fn workspace_awake_end(&self, id: impl Display) -> Result<api::Workspace> {
        self.call(self.raw(Method::DELETE, &format!("/api/workspaces/{id}/awake"))).await
    }

    pub async fn workspace_stop(&self, id: impl Display) -> Result<api::Workspace> {
        self.post(&format!("/api/workspaces/{id}/stop"), &()).await
    }

    pub async fn workspace_restart(&self, id: impl Display) -> Result<api::Workspace> {
        self.post(&format!("/api/workspaces/{id}/restart"), &()).await
    }

    pub async fn workspace_rebuild(&self, id: impl Display, asked: &api::WorkspaceRebuild) -> Result<api::Workspace> {
        self.post(&format!("/api/workspaces/{id}/rebuild"), asked).await
    }

    pub async fn workspace_delete(&self, id: impl Display) -> Result<()> {
        self.act(Method::DELETE, &format!("/api/workspaces/{id}")).await.map(drop)
    }

    pub async fn terminal_list(&self, id: impl Display) -> Result<Vec<api::Terminal>> {
        Ok(self.get::<api::TerminalList>(&format!("/api/workspaces/{id}/terminals")).await?.terminals)
    }

    pub async fn terminal_open(&self, id: impl Display, create: &api::TerminalCreate) -> Result<api::Terminal> {
        self.post(&format!("/api/workspaces/{id}/terminals"), create).await
    }

    pub async fn terminal_rename(&self, id: impl Display, terminal: impl Display, name: &str) -> Result<api::Terminal> {
        let path = format!("/api/workspaces/{id}/terminals/{terminal}");
        self.call(self.raw(Method::PATCH, &path).json(&api::TerminalUpdate { name: name.into() })).await
    }

    pub async fn terminal_close(&self, id: impl Display, terminal: impl Display) -> Result<()> {
        self.act(Method::DELETE, &format!("/api/workspaces/{id}/terminals/{terminal}")).await.map(drop)
    }

    pub async fn terminal_link_list(&self, id: impl Display, terminal: impl Display) -> Result<Vec<api::TerminalLink>> {
        let path = format!("/api/workspaces/{id}/terminals/{terminal}/links");
        Ok(self.get::<api::TerminalLinkList>(&path).await?.links)
    }

    pub async fn terminal_link_create(
        &self,
        id: impl Display,
        terminal: impl Display,
        expires_in_seconds: Option<u64>,
    ) -> Result<api::TerminalLinkCreated> {
        let path = format!("/api/workspaces/{id}/terminals/{terminal}/links");
        self.post(&path, &api::TerminalLinkCreate { expires_in_seconds }).await
    }

    pub async fn terminal_link_delete(
        &self,
        id: impl Display,
        terminal: impl Display,
        link: impl Display,
    ) -> Result<()> {
        let path = format!("/api/workspaces/{id}/terminals/{terminal}/links/{link}");
        self.act(Method::DELETE, &path).await.map(drop)
    }

    /// Waits until a workspace is in a state.
    pub async fn workspace_in(&self, id: &WorkspaceId, state: WorkspaceState) -> api::Workspace {
        let find = async || self.workspace_get(id).await.ok().filter(|it| it.state == state);
        wait_some(&format!("workspace {id} is {state}"), PATIENCE, find).await
    }
}
