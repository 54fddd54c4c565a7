//! What happens in a project, for the people who work on it: kept for a while, and told as it happens.

pub(crate) mod http;
mod socket;

use std::time::Duration;

use domain::deployment::Deployment;
use domain::workspace::Workspace;
use ids::{ActivityKind, DeploymentId, DeploymentState, ProjectId, UserId};
use serde_json::{Value, json};
use store::{ActivityFilter, NewActivity, Store, StoredActivity, Tx};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::Result;
use crate::platform::identity::Identity;
use crate::{now_ms, rfc3339};

/// With several servers on one database, what the others wrote is looked for this often.
const LOOK: Duration = Duration::from_secs(2);
/// How often what is too old is removed.
const PURGE: Duration = Duration::from_secs(3600);
/// Entries that a follower reads in one go.
const BATCH: i64 = 100;

#[derive(Clone)]
pub(crate) struct Activity {
    store: Store,
    identity: Identity,
    retention: Duration,
    closing: CancellationToken,
}

impl Activity {
    pub(crate) fn new(store: Store, identity: Identity, retention: Duration, closing: CancellationToken) -> Self {
        Self { store, identity, retention, closing }
    }

    /// Says, in the transaction that makes it true, that something happened. That transaction has to write an event of
    /// the outbox too, which wakes those who follow.
    pub(crate) async fn record(&self, tx: &mut Tx, new: &NewActivity<'_>) -> Result<()> {
        Ok(tx.activity_insert(new, now_ms()).await?)
    }

    /// A deployment has come to an end: tells of those that went live or failed.
    pub(crate) async fn deployment_settled(&self, tx: &mut Tx, id: &DeploymentId) -> Result<()> {
        let Some(deployment) = tx.deployment(id).await? else { return Ok(()) };
        let kind = match deployment.state {
            DeploymentState::Live => ActivityKind::DeploymentLive,
            DeploymentState::Failed => ActivityKind::DeploymentFailed,
            _ => return Ok(()),
        };
        let new = NewActivity {
            project_id: &deployment.project_id,
            kind,
            actor: deployment.created_by.as_deref(),
            owner_id: None,
            workspace_id: None,
            deployment_id: Some(id),
            payload: about(&deployment),
        };
        self.record(tx, &new).await
    }

    /// Something became of a workspace, which its owner is told.
    pub(crate) async fn workspace(&self, tx: &mut Tx, workspace: &Workspace, kind: ActivityKind) -> Result<()> {
        let users = tx.user_list().await?;
        let owner = users.iter().find(|user| user.id == workspace.owner_id);
        let new = NewActivity {
            project_id: &workspace.project_id,
            kind,
            actor: owner.map(|user| user.username.as_str()),
            owner_id: Some(&workspace.owner_id),
            workspace_id: Some(&workspace.id),
            deployment_id: None,
            payload: json!({ "name": workspace.name }),
        };
        self.record(tx, &new).await
    }

    /// Removes what is too old, for ever.
    pub(crate) async fn purge_forever(&self) {
        loop {
            if let Err(error) = self.purge().await {
                tracing::warn!(%error, "old activity cannot be removed");
            }
            tokio::time::sleep(PURGE).await;
        }
    }

    async fn purge(&self) -> Result<()> {
        let mut tx = self.store.write().await?;
        tx.activity_forget(self.since()).await?;
        Ok(tx.commit().await?)
    }

    /// What is older is not shown, whether it is still there or not.
    fn since(&self) -> i64 {
        now_ms().saturating_sub(i64::try_from(self.retention.as_millis()).unwrap_or(i64::MAX))
    }

    /// Up to `limit` before `position`, newest first, and whether there are more.
    async fn list(
        &self,
        project: &ProjectId,
        reader: &UserId,
        kind: Option<ActivityKind>,
        position: i64,
        limit: i64,
    ) -> Result<(Vec<StoredActivity>, bool)> {
        let filter = ActivityFilter { project_id: project, reader, kind, since: self.since(), limit: limit + 1 };
        let mut events = self.store.read().await?.activity_before(&filter, position).await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = events.len() > limit;
        events.truncate(limit);
        Ok((events, more))
    }

    /// What happens after `position`, or from now on.
    async fn follow(&self, project: ProjectId, reader: UserId, position: Option<i64>) -> Result<Follow> {
        let committed = self.store.events_committed();
        let position = match position {
            Some(position) => position,
            None => self.store.read().await?.activity_position().await?,
        };
        Ok(Follow { activity: self.clone(), committed, project, reader, position })
    }
}

/// Somebody who is told what happens in a project.
struct Follow {
    activity: Activity,
    committed: watch::Receiver<i64>,
    project: ProjectId,
    reader: UserId,
    position: i64,
}

impl Follow {
    /// The next ones; waits until there are some.
    async fn next(&mut self) -> Vec<StoredActivity> {
        loop {
            self.committed.mark_unchanged();
            match self.read().await {
                Ok(events) if !events.is_empty() => return events,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "cannot read activity"),
            }
            let _ = tokio::time::timeout(LOOK, self.committed.changed()).await;
        }
    }

    async fn read(&mut self) -> store::StoreResult<Vec<StoredActivity>> {
        let (project_id, reader) = (&self.project, &self.reader);
        let filter = ActivityFilter { project_id, reader, kind: None, since: self.activity.since(), limit: BATCH };
        let events = self.activity.store.read().await?.activity_after(&filter, self.position).await?;
        if let Some(last) = events.last() {
            self.position = last.position;
        }
        Ok(events)
    }
}

fn about(deployment: &Deployment) -> Value {
    let mut about = json!({ "number": deployment.number });
    if let Some(commit) = &deployment.commit {
        about["commit"] = json!({ "sha": commit.sha, "message": commit.message });
    }
    if let Some(failure) = &deployment.failure {
        about["reason"] = json!(failure.reason);
    }
    about
}

fn shown(event: StoredActivity) -> api::ActivityEvent {
    api::ActivityEvent {
        position: event.position,
        event_type: event.kind,
        actor: event.actor,
        workspace_id: event.workspace_id,
        deployment_id: event.deployment_id,
        payload: event.payload,
        created_at: rfc3339(event.created_at),
    }
}
