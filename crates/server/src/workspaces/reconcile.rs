//! Moves every workspace on. Woken by changes of rows, by news from nodes and by a timer, it takes no input, reads
//! everything anew and may be cut off anywhere.

use std::collections::BTreeMap;
use std::time::Duration;

use checkpoint::Checkpoint;
use domain::deployment::Failure;
use domain::workspace::{Workspace, WorkspaceEvent, WorkspaceFilter, next};
use ids::{ActivityKind, WorkspaceId, WorkspaceState};
use store::WorkspaceChange;
use wire::{WorkspacePhase, WorkspaceStatus};

use super::Workspaces;
use crate::error::{Error, Result};
use crate::platform::nodes::translated;
use crate::{now_ms, until};

const PERIOD: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(500);

/// Ports and terminals that were told of.
type Shown = BTreeMap<WorkspaceId, (Vec<u16>, u32)>;

impl Workspaces {
    /// Reconciles for ever.
    pub(crate) async fn reconcile_forever(&self) {
        let mut shown = Shown::new();
        let mut news = self.nodes.news();
        loop {
            let pause = match self.reconcile(&mut shown).await {
                Ok(next) => until(next).min(PERIOD),
                Err(error) => {
                    tracing::warn!(%error, "workspaces could not be reconciled; trying again");
                    RETRY
                }
            };
            tokio::select! {
                () = self.wake.notified() => {}
                // Its sender lives as long as the nodes do.
                _ = news.changed() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// When one will have taken too long, if any may.
    async fn reconcile(&self, shown: &mut Shown) -> Result<Option<i64>> {
        let mut due = None;
        for workspace in self.all().await? {
            // What is wrong with one shall not stop the others.
            if let Err(error) = self.advance(&workspace).await {
                tracing::warn!(%error, workspace.id = %workspace.id, "a workspace could not be moved on");
            }
            match self.judge_idle(&workspace).await {
                Ok(then) => due = [due, then].into_iter().flatten().min(),
                Err(error) => {
                    tracing::warn!(%error, workspace.id = %workspace.id, "cannot judge whether a workspace is used")
                }
            }
            if workspace.state == WorkspaceState::Creating {
                due = [due, Some(self.deadline(&workspace))].into_iter().flatten().min();
            }
        }
        // Told what follows from the rows as they are after all that.
        let workspaces = self.all().await?;
        self.tell_nodes(&workspaces).await?;
        self.show_changes(&workspaces, shown).await?;
        Ok(due)
    }

    async fn all(&self) -> Result<Vec<Workspace>> {
        let mut all = self.store.read().await?.workspace_list(&WorkspaceFilter::default()).await?;
        all.reverse();
        Ok(all)
    }

    fn deadline(&self, workspace: &Workspace) -> i64 {
        let timeout = i64::try_from(self.config.limits.workspace_timeout.as_millis()).unwrap_or(i64::MAX);
        workspace.state_since.saturating_add(timeout)
    }

    /// One workspace, one step further.
    async fn advance(&self, workspace: &Workspace) -> Result<()> {
        let is_removed = self.nodes.is_removed(&workspace.node_id);
        match workspace.state {
            WorkspaceState::Creating | WorkspaceState::Running | WorkspaceState::Recovery if is_removed => {
                self.fail(workspace, &node_removed()).await
            }
            WorkspaceState::Creating | WorkspaceState::Running | WorkspaceState::Recovery => {
                self.follow(workspace).await
            }
            WorkspaceState::Stopping => {
                if is_removed || self.nodes.has_ended(&workspace.node_id, &workspace.id) {
                    self.happened(workspace, WorkspaceEvent::Stopped, WorkspaceChange::None).await?;
                }
                Ok(())
            }
            WorkspaceState::Deleting => {
                let group = workspace.id.group();
                let observed = self.nodes.observed(&workspace.node_id);
                let is_gone = observed.is_some_and(|observed| observed.removed_groups.contains(&group));
                if is_removed || is_gone { self.forget(workspace).await } else { Ok(()) }
            }
            WorkspaceState::Stopped | WorkspaceState::Error => Ok(()),
        }
    }

    /// Takes over what its node says of its present start.
    async fn follow(&self, workspace: &Workspace) -> Result<()> {
        let observed = self.nodes.observed(&workspace.node_id).unwrap_or_default();
        let of_this_start = |it: &&WorkspaceStatus| it.id == workspace.id && it.attempt == workspace.attempt;
        let status = observed.workspaces.iter().find(of_this_start);
        if let Some(status) = status {
            self.note_steps(workspace, status).await?;
            let failure = status.failure.as_ref().map(translated::failure).unwrap_or_default();
            match status.phase {
                WorkspacePhase::Running => {
                    self.happened(workspace, WorkspaceEvent::Ready, WorkspaceChange::None).await?;
                }
                WorkspacePhase::Recovery => {
                    let change = WorkspaceChange::Failed(&failure);
                    self.happened(workspace, WorkspaceEvent::ReadyToRecover, change).await?;
                }
                WorkspacePhase::Failed => return self.fail(workspace, &failure).await,
                WorkspacePhase::Starting | WorkspacePhase::Stopping => {}
            }
        }
        let is_ready = status.is_some_and(|it| matches!(it.phase, WorkspacePhase::Running | WorkspacePhase::Recovery));
        if workspace.state == WorkspaceState::Creating && !is_ready {
            return self.judge_start(workspace).await;
        }
        Ok(())
    }

    /// Ends a start that cannot be told to a node, or took too long.
    async fn judge_start(&self, workspace: &Workspace) -> Result<()> {
        if let Err(error) = self.spec_of(workspace).await {
            // What the database does not say now it may say later.
            return if error.is_lasting() {
                self.fail(workspace, &translated::failure_of(&error)).await
            } else {
                Err(error)
            };
        }
        if self.deadline(workspace) > now_ms() {
            return Ok(());
        }
        let took = self.config.limits.workspace_timeout;
        let reason = if self.nodes.is_online(&workspace.node_id) {
            format!(
                "it was not ready within {}; its log says how far it came. Restart it to try again, or raise \
                 `limits.workspace_timeout_seconds`",
                words(took)
            )
        } else {
            let name = self.nodes.name(&workspace.node_id).unwrap_or_default();
            format!(
                "it was not ready within {}, as its server {name} cannot be reached; restart the workspace when the \
                 server is back",
                words(took)
            )
        };
        self.fail(workspace, &Failure { code: Some("START_TIMEOUT".into()), reason, last_lines: Vec::new() }).await
    }

    async fn note_steps(&self, workspace: &Workspace, status: &WorkspaceStatus) -> Result<()> {
        let steps = serde_json::to_string(&status.steps).map_err(Error::internal)?;
        if steps == workspace.steps {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        if tx.workspace_progress(&workspace.id, workspace.attempt, &steps, now_ms()).await? {
            tx.workspace_event("workspace.updated", workspace, now_ms()).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn fail(&self, workspace: &Workspace, failure: &Failure) -> Result<()> {
        self.happened(workspace, WorkspaceEvent::Failed, WorkspaceChange::Failed(failure)).await
    }

    /// Changes its state by what was seen, unless somebody has done so before.
    pub(super) async fn happened(
        &self,
        workspace: &Workspace,
        event: WorkspaceEvent,
        change: WorkspaceChange<'_>,
    ) -> Result<()> {
        let Some(to) = next(workspace.state, event) else { return Ok(()) };
        let mut tx = self.store.write().await?;
        self.move_on(&mut tx, workspace, to, change).await?;
        checkpoint::reach(Checkpoint::WorkspaceReported).await;
        tx.commit().await?;
        tracing::info!(workspace.id = %workspace.id, from = %workspace.state, %to, "a workspace has changed");
        Ok(())
    }

    async fn forget(&self, workspace: &Workspace) -> Result<()> {
        let mut tx = self.store.write().await?;
        self.evidence.forget(&workspace.id);
        if tx.workspace_delete(&workspace.id).await? {
            tx.workspace_event("workspace.deleted", workspace, now_ms()).await?;
            self.activity.workspace(&mut tx, workspace, ActivityKind::WorkspaceDeleted).await?;
        }
        checkpoint::reach(Checkpoint::WorkspaceReported).await;
        Ok(tx.commit().await?)
    }

    /// Tells browsers when a port is listened on, or a terminal comes or goes.
    async fn show_changes(&self, workspaces: &[Workspace], shown: &mut Shown) -> Result<()> {
        let look = |workspace: &Workspace| {
            let status = self.status_of(workspace)?;
            Some((workspace.id.clone(), (status.ports, status.terminals)))
        };
        let now = workspaces.iter().filter_map(look).collect::<Shown>();
        if now == *shown {
            return Ok(());
        }
        let mut tx = self.store.write().await?;
        for workspace in workspaces.iter().filter(|it| now.get(&it.id) != shown.get(&it.id)) {
            tx.workspace_event("workspace.updated", workspace, now_ms()).await?;
        }
        tx.commit().await?;
        *shown = now;
        Ok(())
    }

    /// What its node says of its present start, while it is wanted there.
    pub(super) fn status_of(&self, workspace: &Workspace) -> Option<WorkspaceStatus> {
        if !workspace.state.is_active() {
            return None;
        }
        let observed = self.nodes.observed(&workspace.node_id)?;
        let of_this_start = |it: &&WorkspaceStatus| it.id == workspace.id && it.attempt == workspace.attempt;
        observed.workspaces.iter().find(of_this_start).cloned()
    }
}

/// `10 minutes`, `45 seconds`.
pub(super) fn words(time: Duration) -> String {
    match time.as_secs() {
        60 => "a minute".into(),
        seconds if seconds % 60 == 0 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
    }
}

fn node_removed() -> Failure {
    let reason = "its server was removed from the cluster, and its files with it; delete this workspace and create \
                  another one";
    Failure { code: Some("NODE_REMOVED".into()), reason: reason.into(), last_lines: Vec::new() }
}
