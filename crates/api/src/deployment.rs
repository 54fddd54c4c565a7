use ids::{ChangeKind, DeploymentId, DeploymentState, LogStream, ProjectId, ReleaseId, Trigger};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Plan, Time};

/// The commit a deployment took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Commit {
    pub sha: String,
    /// The first line of its message.
    pub message: String,
    pub author: String,
}

/// A part of a deployment's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeploymentStep {
    /// `fetch`, `install`, `build` or `start`.
    #[schema(example = "build")]
    pub name: String,
    pub started_at: Time,
    /// Absent while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Deployment {
    pub id: DeploymentId,
    pub project_id: ProjectId,
    /// Counts the project's deployments from 1.
    pub number: i64,
    pub state: DeploymentState,
    pub trigger: Trigger,
    /// What an active deployment does right now, and what its log speaks of: `fetch`, `install`, `build`, `start`, `probe`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The steps that have begun, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<DeploymentStep>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_id: Option<ReleaseId>,
    /// Whether rolling back to it needs no build.
    pub release_kept: bool,
    /// UPPER_SNAKE, of a failed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
    /// Why it failed or ended early, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The last lines of the log, of a failed one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    pub created_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it went live, failed or was stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// From start to finish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeploymentAccepted {
    pub deployment: Deployment,
}

/// Newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeploymentList {
    pub deployments: Vec<Deployment>,
    /// Pass as `cursor` for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Redeploy {
    /// The full id of the commit to take instead of the branch's newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Deploy only if a path that the project watches differs between the live commit and that one. Settings and
    /// variables do not count. Where that cannot be told, where nothing is live, and uploads are deployed always.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub if_changed: bool,
}

/// What became of a redeploy.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Redeployed {
    Accepted(Box<DeploymentAccepted>),
    Not(NotDeployed),
}

/// No deployment was made, as nothing that the project watches has changed. Only who asks for `if_changed` gets it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NotDeployed {
    /// Always false.
    pub deployed: bool,
    #[schema(example = "nothing under packages/api changed between 1a2b3c4 and 5d6e7f8")]
    pub reason: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// Whose release to make live again; the one before the live one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<String>,
}

/// A kept release, newest first in its list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Release {
    pub id: ReleaseId,
    /// The deployment that built it.
    pub deployment_id: DeploymentId,
    /// That deployment's number.
    pub number: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    pub live: bool,
    /// Kept whatever its age.
    pub pinned: bool,
    pub created_at: Time,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReleaseList {
    pub releases: Vec<Release>,
    /// How many stay, beside those that are live or pinned; older ones go when the next deployment is live.
    pub releases_kept: u32,
}

/// What a rollback would do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RollbackPlan {
    /// What is live now; absent when nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<RollbackEnd>,
    /// What would be live.
    pub to: RollbackEnd,
    /// What differs apart from the files; empty when nothing does.
    pub changes: Vec<ReleaseChange>,
    /// Sentences about what it leaves as it is.
    pub notes: Vec<String>,
}

/// A deployment that a rollback goes from or to.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RollbackEnd {
    pub deployment_id: DeploymentId,
    pub number: i64,
    pub release_id: ReleaseId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// When its release was built.
    pub built_at: Time,
}

/// One thing that differs between two releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReleaseChange {
    /// `kind`, `directory`, `path`, `web`, `release_command`, `health_path`, or a name after `worker.`, `schedule.`,
    /// `env.`, `network.`, `volume.`, `limits.`.
    #[schema(example = "worker.queue")]
    pub what: String,
    pub change: ChangeKind,
    /// What it is now. Absent where it is not there, and for a variable, whose value is never shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Lines of a project's logs, newest last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    pub lines: Vec<LogLine>,
    /// Pass as `cursor` for the page before this one. There may be one, even when this one is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Pass as `after` to follow what comes after this page; absent when it does not end with the newest line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

/// One line of a log. As server-sent event its `id` is the SSE id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Opaque position; a follower goes on after it with `Last-Event-ID` or `after`.
    pub id: String,
    /// Of a run's log: the run's id.
    #[schema(example = "01j9z3k4w5x6y7z8a9b0c1d2e3")]
    pub deployment_id: String,
    /// Of which process, when it is not `web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    pub time: Time,
    pub stream: LogStream,
    pub text: String,
}
