//! What its owner asks for against a workspace being stopped by itself, and what starts it again.

use domain::idle::{self, AWAKE_MAX_SECONDS, Awake, Keeper};
use domain::user::User;
use domain::workspace::{Workspace, WorkspaceEvent};
use ids::{TerminalId, WorkspaceId, WorkspaceState};
use store::WorkspaceChange;
use wire::TerminalJob;

use super::idle::ANSWER;
use super::terminals::{needs_running, no_terminal};
use super::{Workspaces, own};
use crate::error::{Error, Result};
use crate::now_ms;

enum Wanted {
    Seconds(i64),
    Until(Keeper),
}

impl Workspaces {
    /// Keeps it awake for a time, or until a job ends. What was asked for before stays.
    pub(super) async fn keep_awake(&self, user: &User, id: &WorkspaceId, asked: &api::WorkspaceAwake) -> Result<()> {
        let workspace = self.usable(user, id).await?;
        if workspace.idle_timeout_seconds == 0 {
            let message = "the workspace is never stopped for want of use; set `idle_timeout_seconds` if it shall be";
            return Err(Error::conflict("NO_IDLE_TIMEOUT", message));
        }
        let wanted = match (asked.seconds, &asked.terminal_id) {
            (Some(seconds), None) if (1..=AWAKE_MAX_SECONDS).contains(&seconds) => Wanted::Seconds(seconds),
            (None, Some(terminal)) => Wanted::Until(self.keeper(&workspace, terminal).await?),
            _ => {
                let message = format!("say either `seconds`, 1 to {AWAKE_MAX_SECONDS}, or `terminal_id`");
                return Err(Error::invalid("seconds", "INVALID_AWAKE", message));
            }
        };
        self.change_awake(user, id, |now, awake| match wanted {
            Wanted::Seconds(seconds) => awake.until = awake.until.max(Some(now.saturating_add(seconds * 1000))),
            Wanted::Until(keeper) => awake.by = Some(keeper),
        })
        .await
    }

    /// Takes that back. One that would be stopped at once is so after a warning.
    pub(super) async fn keep_awake_no_more(&self, user: &User, id: &WorkspaceId) -> Result<()> {
        let workspace = self.usable(user, id).await?;
        let used = self.last_use(&workspace).await.map(|last| last.at);
        let plain = Workspace { awake: Awake::default(), shutdown_deadline: None, ..workspace.clone() };
        let grace = now_ms() + idle::warning_ms(&workspace);
        // Nobody knows how long it was quiet while its node does not say so.
        let is_due = used.is_none() || idle::sleep(&plain, used).is_some_and(|sleep| sleep.at < grace);
        self.change_awake(user, id, |_, awake| *awake = Awake { until: is_due.then_some(grace), by: None }).await
    }

    async fn change_awake(&self, user: &User, id: &WorkspaceId, change: impl FnOnce(i64, &mut Awake)) -> Result<()> {
        let mut tx = self.store.write().await?;
        let mut workspace = own(&mut tx, user, id).await?;
        let now = now_ms();
        change(now, &mut workspace.awake);
        if !tx.workspace_awake(id, workspace.attempt, &workspace.awake, now).await? {
            return Err(needs_running());
        }
        tx.workspace_event("workspace.updated", &workspace, now).await?;
        tx.commit().await?;
        self.wake.notify_one();
        Ok(())
    }

    /// What has a terminal to itself now.
    async fn keeper(&self, workspace: &Workspace, terminal: &TerminalId) -> Result<Keeper> {
        let link = self.nodes.link(&workspace.node_id).await?;
        let path = format!("/v1/workspaces/{}/terminals/{terminal}/job", workspace.id);
        let TerminalJob { terminal_name, id: job, command } = link.ask(&path).await.map_err(no_terminal)?;
        Ok(Keeper { terminal: terminal.clone(), terminal_name, job, command })
    }

    /// Whether its node says that what keeps it awake is over. One that does not answer may say so later.
    pub(super) async fn has_keeper_ended(&self, workspace: &Workspace) -> bool {
        let Some(Keeper { terminal, job, .. }) = &workspace.awake.by else { return false };
        if !self.nodes.is_online(&workspace.node_id) {
            return false;
        }
        let query = job.as_ref().map(|job| format!("?id={job}")).unwrap_or_default();
        let path = format!("/v1/workspaces/{}/terminals/{terminal}/job{query}", workspace.id);
        let ask = async { self.nodes.link(&workspace.node_id).await?.ask::<TerminalJob>(&path).await };
        let answer = tokio::time::timeout(ANSWER, ask).await;
        answer.is_ok_and(|answer| answer.is_err_and(|error| error.is_not_found()))
    }

    /// A job has ended that kept it awake: whoever waited for that is warned before it is stopped.
    pub(super) async fn keep_no_longer(&self, workspace: &mut Workspace) -> Result<()> {
        let now = now_ms();
        let until = workspace.awake.until.max(Some(now + idle::warning_ms(workspace)));
        let awake = Awake { until, by: None };
        let mut tx = self.store.write().await?;
        let is_same = tx.workspace(&workspace.id).await?.is_some_and(|it| it.awake == workspace.awake);
        if is_same && tx.workspace_awake(&workspace.id, workspace.attempt, &awake, now).await? {
            tx.workspace_event("workspace.updated", workspace, now).await?;
            tx.commit().await?;
            workspace.awake = awake;
        }
        Ok(())
    }

    /// Starts one that was stopped by itself. It runs, or why it does not.
    pub(super) async fn wake(&self, user: &User, workspace: &Workspace) -> Result<()> {
        match workspace.state {
            state if state.is_usable() => Ok(()),
            WorkspaceState::Creating => Err(waking()),
            // Started when somebody asks again, after its end.
            WorkspaceState::Stopping if idle::was_put_to_sleep(workspace) => Err(waking()),
            _ if idle::is_asleep(workspace) => {
                self.ask(user, &workspace.id, WorkspaceEvent::Restart, WorkspaceChange::Restart, "woken").await?;
                Err(waking())
            }
            _ => Err(needs_running()),
        }
    }

    /// The same for whom its owner has let in to a port of it.
    pub(super) async fn wake_as_owner(&self, workspace: &Workspace) -> Result<()> {
        let owner = self.store.read().await?.user(&workspace.owner_id).await?;
        let owner = owner.ok_or_else(|| Error::not_found("workspace"))?;
        self.wake(&owner, workspace).await
    }
}

fn waking() -> Error {
    Error::conflict("WORKSPACE_WAKING", "the workspace was asleep and is being started; ask again when it runs")
}
