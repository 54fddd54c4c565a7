//! What people are shown of a workspace.

use std::collections::{BTreeMap, BTreeSet};

use domain::workspace::Workspace;
use ids::{PortAccess, ProjectId, UserId, WorkspaceState};
use store::Tx;

use super::Workspaces;
use crate::error::Result;
use crate::rfc3339;

impl Workspaces {
    pub(super) async fn shown(&self, workspaces: Vec<Workspace>) -> Result<Vec<api::Workspace>> {
        let asked = workspaces.iter().map(|workspace| self.last_use(workspace));
        let used = futures_util::future::join_all(asked).await;
        let mut tx = self.store.read().await?;
        let projects = tx.project_list().await?.into_iter().map(|project| (project.id, project.name));
        let projects = projects.collect::<BTreeMap<ProjectId, String>>();
        let users = tx.user_list().await?.into_iter().map(|user| (user.id, user.username));
        let users = users.collect::<BTreeMap<UserId, String>>();
        let mut shown = Vec::new();
        for (workspace, last) in workspaces.into_iter().zip(used) {
            // One that was removed from the cluster still has a name.
            let node = match self.nodes.name(&workspace.node_id) {
                Some(name) => name,
                None => tx.node(&workspace.node_id).await?.map(|node| node.name).unwrap_or_default(),
            };
            let project = projects.get(&workspace.project_id).cloned().unwrap_or_default();
            let owner = users.get(&workspace.owner_id).cloned().unwrap_or_default();
            let ports = self.ports(&mut tx, &workspace).await?;
            let idle = self.shown_idle(&workspace, last);
            shown.push(self.show(workspace, idle, ports, project, owner, node));
        }
        Ok(shown)
    }

    pub(super) async fn shown_one(&self, workspace: Workspace) -> Result<api::Workspace> {
        let mut shown = self.shown(vec![workspace]).await?;
        shown.pop().ok_or_else(|| crate::error::Error::not_found("workspace"))
    }

    /// Those that something listens on, and those that were opened to others.
    pub(super) async fn ports(&self, tx: &mut Tx, workspace: &Workspace) -> Result<Vec<api::WorkspacePort>> {
        let stored = tx.workspace_ports(&workspace.id).await?;
        let own = tx.own_ports(&workspace.id).await?;
        let status = self.status_of(workspace).filter(|_| self.nodes.is_online(&workspace.node_id));
        let listening = status.map(|status| status.ports).unwrap_or_default();
        let open = stored.iter().filter(|it| it.access != PortAccess::Private).map(|it| it.port);
        let ports = listening.iter().copied().chain(open).collect::<BTreeSet<_>>();
        let shown = ports.into_iter().map(|port| {
            let access = stored.iter().find(|it| it.port == port).map_or(PortAccess::Private, |it| it.access);
            let number = own.iter().find(|(_, there)| *there == port).map(|(number, _)| *number);
            let url = self.config.port_url(&workspace.id, port, number);
            api::WorkspacePort { port, access, is_listening: listening.contains(&port), url }
        });
        Ok(shown.collect())
    }

    fn show(
        &self,
        workspace: Workspace,
        idle: Option<api::WorkspaceIdle>,
        ports: Vec<api::WorkspacePort>,
        project: String,
        owner: String,
        node: String,
    ) -> api::Workspace {
        let is_online = self.nodes.is_online(&workspace.node_id);
        let status = self.status_of(&workspace).filter(|_| is_online);
        let terminals = status.map(|it| it.terminals).unwrap_or_default();
        let steps: Vec<wire::WorkspaceStep> = serde_json::from_str(&workspace.steps).unwrap_or_default();
        let away = (!is_online).then(|| away(workspace.state, &node)).flatten();
        let url = format!("{}/workspaces/{}", self.config.notifications.public_url, workspace.id);
        let failure = workspace.failure.unwrap_or_default();
        let (failure_code, reason) = match away {
            Some(reason) => (Some("NODE_UNREACHABLE".to_owned()), Some(reason)),
            None => (failure.code, Some(failure.reason).filter(|reason| !reason.is_empty())),
        };
        api::Workspace {
            url,
            ports,
            terminals,
            failure_code,
            reason,
            last_lines: failure.last_lines,
            steps: steps.into_iter().map(shown_step).collect(),
            id: workspace.id,
            name: workspace.name,
            project_id: workspace.project_id,
            project_name: project,
            owner,
            node_id: workspace.node_id,
            node_name: node,
            branch: workspace.branch,
            new_branch: workspace.new_branch,
            state: workspace.state,
            state_since: rfc3339(workspace.state_since),
            attempt: workspace.attempt,
            memory_mb: workspace.memory_mb,
            idle_timeout_seconds: workspace.idle_timeout_seconds,
            shutdown_deadline: workspace.shutdown_deadline.map(rfc3339),
            idle,
            created_at: rfc3339(workspace.created_at),
            updated_at: rfc3339(workspace.updated_at),
        }
    }
}

/// What it means that the machine of a workspace cannot be reached.
fn away(state: WorkspaceState, node: &str) -> Option<String> {
    let meaning = match state {
        WorkspaceState::Creating => "it is started when the server is back",
        WorkspaceState::Running | WorkspaceState::Recovery => "what runs there goes on without us",
        WorkspaceState::Stopping => "it is stopped when the server is back",
        WorkspaceState::Deleting => "its files are removed when the server is back, or with the server",
        WorkspaceState::Stopped | WorkspaceState::Error => return None,
    };
    Some(format!("its server {node} cannot be reached; {meaning}"))
}

fn shown_step(step: wire::WorkspaceStep) -> api::WorkspaceStep {
    api::WorkspaceStep {
        name: step.name,
        state: step.state,
        started_at: rfc3339(step.started_at_ms),
        finished_at: step.finished_at_ms.map(rfc3339),
        message: step.message,
    }
}
