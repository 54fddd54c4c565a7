//! Makes a workspace: what is asked for is checked, a machine is chosen, a row is written. The reconciler does the rest.

use std::collections::BTreeSet;

use checkpoint::Checkpoint;
use domain::idle::Awake;
use domain::project::Project;
use domain::user::User;
use domain::workspace::{self, NoNode, Workspace, WorkspaceFilter, choose_node};
use ids::{ActivityKind, GitRef, NodeId, WorkspaceId, WorkspaceState};
use store::Tx;

use super::{Workspaces, idle_timeout, parse_name, shutdown_deadline};
use crate::error::{Error, Result};
use crate::now_ms;

const MEMORY_MIN_MB: u64 = 64;
const MEMORY_MAX_MB: u64 = 1 << 20;

impl Workspaces {
    /// Checks everything before it makes anything.
    pub(crate) async fn create(&self, create: api::WorkspaceCreate, user: &User) -> Result<Workspace> {
        let name = create.name.as_deref().map(parse_name).transpose()?;
        let branch = git_ref("branch", create.branch.as_deref())?;
        let new_branch = git_ref("new_branch", create.new_branch.as_deref())?;
        let idle_timeout_seconds = create.idle_timeout_seconds.map_or(Ok(0), idle_timeout)?;
        let deadline = create.shutdown_deadline.as_deref().map_or(Ok(None), shutdown_deadline)?;
        let memory_mb = memory(create.memory_mb.unwrap_or(self.config.limits.workspace_memory_mb))?;
        let project = self.projects.named(&create.project_id).await?;
        if project.settings.repo_url.is_none() && (branch.is_some() || new_branch.is_some()) {
            let message = "the project has no repository, so there are no branches; leave `branch` and `new_branch` \
                           out, or set the project's `repo_url`";
            return Err(Error::conflict("NO_REPOSITORY", message));
        }
        let branch = branch.or_else(|| project.settings.branch.clone());
        let asked = create.node_id.as_deref().filter(|node| !node.is_empty());
        let asked = asked.map(|node| self.usable_node(node, user)).transpose()?;

        let mut tx = self.store.write().await?;
        self.check_project(&mut tx, &project).await?;
        self.check_user_limit(&mut tx, user).await?;
        let node_id = self.node_with_room(&mut tx, asked, user).await?;
        let filter = WorkspaceFilter { owner: Some(user.id.clone()), ..WorkspaceFilter::default() };
        let others = tx.workspace_list(&filter).await?;
        let taken = others.iter().map(|it| it.name.as_str()).collect::<BTreeSet<_>>();
        let on = new_branch.as_deref().or(branch.as_deref());
        let wanted = name.unwrap_or_else(|| workspace::default_name(&project.name, on));
        let now = now_ms();
        let workspace = Workspace {
            id: WorkspaceId::new(),
            project_id: project.id,
            owner_id: user.id.clone(),
            node_id,
            name: workspace::free_name(&wanted, &taken),
            branch,
            new_branch,
            state: WorkspaceState::Creating,
            state_since: now,
            attempt: 1,
            generation: 1,
            steps: "[]".into(),
            failure: None,
            memory_mb,
            idle_timeout_seconds,
            awake: Awake::default(),
            shutdown_deadline: deadline,
            created_at: now,
            updated_at: now,
        };
        tx.workspace_insert(&workspace).await?;
        tx.workspace_event("workspace.created", &workspace, now).await?;
        self.activity.workspace(&mut tx, &workspace, ActivityKind::WorkspaceCreated).await?;
        tx.commit().await?;
        checkpoint::reach(Checkpoint::WorkspaceRecorded).await;
        self.wake.notify_one();
        Ok(workspace)
    }

    /// It may have gone since it was found.
    async fn check_project(&self, tx: &mut Tx, project: &Project) -> Result<()> {
        let stays = tx.project(&project.id).await?.is_some_and(|project| !project.deleting);
        if stays { Ok(()) } else { Err(Error::not_found("project")) }
    }

    /// The node that somebody named, if a workspace can be started there now.
    fn usable_node(&self, text: &str, user: &User) -> Result<NodeId> {
        let named = self.nodes.named(text);
        let id = self.projects.usable(named.as_ref().map_or(text, NodeId::as_str), user)?;
        if !self.nodes.is_online(&id) {
            let message = "this server is not connected; start it, or choose another one";
            return Err(Error::conflict("NODE_OFFLINE", message).at("node_id"));
        }
        if !self.nodes.has_workspaces(&id) {
            let message = "the program on this server is too old for workspaces; bring it up to date";
            return Err(Error::conflict("NODE_TOO_OLD", message).at("node_id"));
        }
        Ok(id)
    }

    async fn node_with_room(&self, tx: &mut Tx, asked: Option<NodeId>, user: &User) -> Result<NodeId> {
        let active = tx.workspace_active_by_node().await?;
        let limit = self.config.limits.workspaces_per_node;
        if let Some(node) = asked {
            let is_full = active.get(&node).copied().unwrap_or_default() >= limit;
            return if is_full { Err(self.node_is_full(&node).at("node_id")) } else { Ok(node) };
        }
        let mut nodes = self.nodes.candidates();
        nodes.retain(|node| self.nodes.has_workspaces(&node.id));
        choose_node(&nodes, &self.nodes.closed_to(user), &active, limit).map_err(|why| match why {
            NoNode::Usable => {
                let message = "no server is online and open to you; `GET /api/nodes` shows which ones there are";
                Error::conflict("NO_NODE", message)
            }
            NoNode::Full => {
                let message = format!(
                    "every server that is open to you has {limit} workspaces that are not stopped, as many as it may \
                     (limits.workspaces_per_node); stop one, or add a server"
                );
                Error::conflict("NODE_WORKSPACE_LIMIT", message)
            }
        })
    }
}

fn git_ref(field: &str, text: Option<&str>) -> Result<Option<String>> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let parsed = text.parse::<GitRef>().map_err(|error| Error::invalid(field, "INVALID_BRANCH", error.to_string()))?;
    Ok(Some(parsed.as_str().to_owned()))
}

fn memory(megabytes: u64) -> Result<u64> {
    if (MEMORY_MIN_MB..=MEMORY_MAX_MB).contains(&megabytes) {
        return Ok(megabytes);
    }
    let message = format!("a workspace has {MEMORY_MIN_MB} to {MEMORY_MAX_MB} MB of memory");
    Err(Error::invalid("memory_mb", "INVALID_LIMIT", message))
}
