//! Workspaces: checkouts of projects on machines, each of one person, who works there in terminals.

mod attach;
mod awake;
mod creating;
mod credentials;
mod desired;
mod frames;
pub(crate) mod http;
mod idle;
mod links;
mod multi;
pub(crate) mod ports;
mod reconcile;
mod shown;
mod terminals;

use std::sync::Arc;

use checkpoint::Checkpoint;
use domain::user::User;
use domain::workspace::{self, IDLE_TIMEOUT_MAX_SECONDS, Workspace, WorkspaceEvent, WorkspaceFilter, next};
use ids::{ActivityKind, NodeId, WorkspaceId, WorkspaceState};
use store::{Store, Tx, WorkspaceChange};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::idle::Evidence;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::now_ms;
use crate::platform::activity::Activity;
use crate::platform::environment::Environment;
use crate::platform::identity::Identity;
use crate::platform::nodes::Nodes;
use crate::platform::projects::Projects;

#[derive(Clone)]
pub(crate) struct Workspaces {
    store: Store,
    config: Arc<Config>,
    nodes: Nodes,
    projects: Projects,
    environment: Environment,
    identity: Identity,
    activity: Activity,
    evidence: Evidence,
    /// Has the reconciler look at once.
    wake: Arc<Notify>,
    /// The server stops: who follows or looks is let go, and comes back to the next one.
    closing: CancellationToken,
    /// Who looks at a terminal.
    viewers: TaskTracker,
    /// A link to a terminal was taken back.
    links_changed: Arc<watch::Sender<()>>,
}

/// What workspaces are made of.
pub(crate) struct Parts {
    pub(crate) store: Store,
    pub(crate) config: Arc<Config>,
    pub(crate) nodes: Nodes,
    pub(crate) projects: Projects,
    pub(crate) environment: Environment,
    pub(crate) identity: Identity,
    pub(crate) activity: Activity,
    pub(crate) closing: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Workspaces {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { store, config, nodes, projects, environment, identity, activity, closing, tasks } = parts;
        let (evidence, wake, links_changed) = (Evidence::default(), Arc::default(), Arc::default());
        let viewers = tasks;
        Self {
            store,
            config,
            nodes,
            projects,
            environment,
            identity,
            activity,
            evidence,
            wake,
            closing,
            viewers,
            links_changed,
        }
    }

    /// One of the user's own. Everybody else's is not there, for administrators too.
    pub(crate) async fn find(&self, user: &User, id: &WorkspaceId) -> Result<Workspace> {
        own(&mut self.store.read().await?, user, id).await
    }

    /// The user's, newest first.
    pub(crate) async fn list(&self, user: &User, filter: WorkspaceFilter) -> Result<Vec<Workspace>> {
        let filter = WorkspaceFilter { owner: Some(user.id.clone()), ..filter };
        Ok(self.store.read().await?.workspace_list(&filter).await?)
    }

    pub(crate) async fn update(&self, user: &User, id: &WorkspaceId, update: &api::WorkspaceUpdate) -> Result<()> {
        let name = update.name.as_deref().map(parse_name).transpose()?;
        let idle = update.idle_timeout_seconds.map(idle_timeout).transpose()?;
        let deadline = update.shutdown_deadline.as_deref().map(shutdown_deadline).transpose()?;
        let mut tx = self.store.write().await?;
        let old = own(&mut tx, user, id).await?;
        if let Some(name) = &name {
            let filter = WorkspaceFilter { owner: Some(user.id.clone()), ..WorkspaceFilter::default() };
            if tx.workspace_list(&filter).await?.iter().any(|it| it.id != *id && it.name == *name) {
                let message = format!("you have a workspace named `{name}` already; choose another name");
                return Err(Error::conflict("NAME_TAKEN", message).at("name"));
            }
        }
        let (name, idle) = (name.unwrap_or(old.name.clone()), idle.unwrap_or(old.idle_timeout_seconds));
        let deadline = deadline.unwrap_or(old.shutdown_deadline);
        if !tx.workspace_update(id, &name, idle, deadline, now_ms()).await? {
            return Err(cannot(&old, "changed"));
        }
        tx.workspace_event("workspace.updated", &old, now_ms()).await?;
        tx.commit().await?;
        self.wake.notify_one();
        Ok(())
    }

    /// Ends its processes; its files are kept.
    pub(crate) async fn stop(&self, user: &User, id: &WorkspaceId) -> Result<Workspace> {
        self.ask(user, id, WorkspaceEvent::Stop, WorkspaceChange::None, "stopped").await
    }

    /// Starts one that does not run, or tries again what failed of its last start.
    pub(crate) async fn restart(&self, user: &User, id: &WorkspaceId) -> Result<Workspace> {
        self.ask(user, id, WorkspaceEvent::Restart, WorkspaceChange::Restart, "started").await
    }

    /// Starts it with new files.
    pub(crate) async fn rebuild(
        &self,
        user: &User,
        id: &WorkspaceId,
        asked: &api::WorkspaceRebuild,
    ) -> Result<Workspace> {
        self.find(user, id).await?;
        if !asked.discard_files {
            let message = "a rebuild removes every file of the workspace, also what was never committed or pushed; \
                           send `discard_files: true` if that is meant";
            return Err(Error::invalid("discard_files", "FILES_WOULD_BE_LOST", message));
        }
        self.ask(user, id, WorkspaceEvent::Rebuild, WorkspaceChange::Rebuild, "rebuilt").await
    }

    /// Removes it with its files. It is there until its node has confirmed that nothing is left.
    pub(crate) async fn delete(&self, user: &User, id: &WorkspaceId) -> Result<()> {
        let mut tx = self.store.write().await?;
        let workspace = own(&mut tx, user, id).await?;
        if let Some(to) = next(workspace.state, WorkspaceEvent::Delete) {
            self.move_on(&mut tx, &workspace, to, WorkspaceChange::None).await?;
        }
        tx.commit().await?;
        checkpoint::reach(Checkpoint::WorkspaceAsked).await;
        self.wake.notify_one();
        Ok(())
    }

    /// Does what its owner asks for, where its state allows that.
    async fn ask(
        &self,
        user: &User,
        id: &WorkspaceId,
        event: WorkspaceEvent,
        change: WorkspaceChange<'_>,
        done: &str,
    ) -> Result<Workspace> {
        let mut tx = self.store.write().await?;
        let workspace = own(&mut tx, user, id).await?;
        let to = next(workspace.state, event).ok_or_else(|| cannot(&workspace, done))?;
        if to == WorkspaceState::Creating {
            self.check_startable(&mut tx, user, &workspace).await?;
        }
        self.move_on(&mut tx, &workspace, to, change).await?;
        let after = own(&mut tx, user, id).await?;
        tx.commit().await?;
        checkpoint::reach(Checkpoint::WorkspaceAsked).await;
        self.wake.notify_one();
        Ok(after)
    }

    /// Whether its machine is there, and it may have one more.
    async fn check_startable(&self, tx: &mut Tx, user: &User, workspace: &Workspace) -> Result<()> {
        if self.nodes.is_removed(&workspace.node_id) {
            let message = "its server was removed from the cluster, and its files with it; delete this workspace and \
                           create another one";
            return Err(Error::conflict("NODE_REMOVED", message));
        }
        // It takes up its own place.
        if workspace.state == WorkspaceState::Recovery || workspace.state == WorkspaceState::Running {
            return Ok(());
        }
        self.check_user_limit(tx, user).await?;
        let active = tx.workspace_active_by_node().await?;
        if active.get(&workspace.node_id).copied().unwrap_or_default() >= self.config.limits.workspaces_per_node {
            return Err(self.node_is_full(&workspace.node_id));
        }
        Ok(())
    }

    async fn check_user_limit(&self, tx: &mut Tx, user: &User) -> Result<()> {
        let limit = self.config.limits.workspaces_per_user;
        if tx.workspace_active_of(&user.id).await? < limit {
            return Ok(());
        }
        let message = format!(
            "you may have {limit} workspaces that are not stopped (limits.workspaces_per_user); stop or delete one of \
             them first"
        );
        Err(Error::conflict("USER_WORKSPACE_LIMIT", message))
    }

    fn node_is_full(&self, node: &NodeId) -> Error {
        let (name, limit) = (self.nodes.name(node).unwrap_or_default(), self.config.limits.workspaces_per_node);
        let message = format!(
            "the server {name} has {limit} workspaces that are not stopped, as many as it may \
             (limits.workspaces_per_node); stop one there, or choose another server"
        );
        Error::conflict("NODE_WORKSPACE_LIMIT", message)
    }

    /// Changes its state, unless it has another one by now.
    async fn move_on(
        &self,
        tx: &mut Tx,
        workspace: &Workspace,
        to: WorkspaceState,
        change: WorkspaceChange<'_>,
    ) -> Result<()> {
        let from = (workspace.state, workspace.attempt);
        let told = match (to, &change) {
            (WorkspaceState::Stopped, _) => Some(ActivityKind::WorkspaceStopped),
            (WorkspaceState::Error, _) => Some(ActivityKind::WorkspaceFailed),
            (_, WorkspaceChange::Restart) => Some(ActivityKind::WorkspaceRestarted),
            (_, WorkspaceChange::Rebuild) => Some(ActivityKind::WorkspaceRebuilt),
            _ => None,
        };
        if tx.workspace_transition(&workspace.id, from, to, change, now_ms()).await? {
            tx.workspace_event("workspace.updated", workspace, now_ms()).await?;
            if let Some(kind) = told {
                self.activity.workspace(tx, workspace, kind).await?;
            }
        }
        Ok(())
    }
}

async fn own(tx: &mut Tx, user: &User, id: &WorkspaceId) -> Result<Workspace> {
    let found = tx.workspace(id).await?.filter(|workspace| workspace.owner_id == user.id);
    found.ok_or_else(|| Error::not_found("workspace"))
}

/// What its state does not allow, and what it does.
fn cannot(workspace: &Workspace, done: &str) -> Error {
    let now = match workspace.state {
        WorkspaceState::Creating => "it is being started; wait until it runs, stop it or delete it",
        WorkspaceState::Running => "it runs; stop it first, rebuild or delete it",
        WorkspaceState::Recovery => "it runs, without all it should have; restart, rebuild, stop or delete it",
        WorkspaceState::Stopping => "its processes are being ended; wait until it is stopped, or delete it",
        WorkspaceState::Stopped => "it is stopped; restart, rebuild or delete it",
        WorkspaceState::Error => "it could not be started; restart, rebuild or delete it",
        WorkspaceState::Deleting => "it is being deleted; create another one",
    };
    Error::conflict("WORKSPACE_STATE", format!("the workspace cannot be {done} now: {now}"))
}

fn parse_name(name: &str) -> Result<String> {
    workspace::name(name).map_err(|error| Error::invalid("name", "INVALID_NAME", error.to_string()))
}

fn idle_timeout(seconds: i64) -> Result<i64> {
    if (0..=IDLE_TIMEOUT_MAX_SECONDS).contains(&seconds) {
        return Ok(seconds);
    }
    let message = format!("a time without use is 0 (never) to {IDLE_TIMEOUT_MAX_SECONDS} seconds");
    Err(Error::invalid("idle_timeout_seconds", "INVALID_IDLE_TIMEOUT", message))
}

/// A time in milliseconds; nothing for an empty text.
fn shutdown_deadline(text: &str) -> Result<Option<i64>> {
    let invalid = |message| Error::invalid("shutdown_deadline", "INVALID_SHUTDOWN_DEADLINE", message);
    if text.trim().is_empty() {
        return Ok(None);
    }
    let time = text.trim().parse::<jiff::Timestamp>();
    let time = time.map_err(|_| invalid("a time looks like 2030-01-31T12:00:00Z"))?.as_millisecond();
    if time > now_ms() { Ok(Some(time)) } else { Err(invalid("a deadline has to lie in the future")) }
}
