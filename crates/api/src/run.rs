use ids::{DeploymentId, ProjectId, RunId, RunKind, RunState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// A command to run once, with the live release's files, environment, volumes and network.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunCreate {
    /// Quoted as in a shell.
    #[schema(example = "python manage.py createsuperuser --noinput")]
    pub command: String,
    /// Inside the running process of this name (`web`, `worker`, …), rather than in a sandbox of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<String>,
    /// 3600 when absent, at most 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<i64>,
}

/// One run of a command, to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    pub id: RunId,
    pub project_id: ProjectId,
    /// The deployment whose release it runs.
    pub deployment_id: DeploymentId,
    pub kind: RunKind,
    /// The schedule's name, or the process it runs inside; absent for a one-off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub command: String,
    pub state: RunState,
    /// When a scheduled run was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Number of the signal that ended it; it has no exit code then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_code: Option<String>,
    /// Why it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it wrote last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_lines: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    pub created_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
}

/// Newest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunList {
    pub runs: Vec<Run>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A job that is run again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    #[schema(example = "cron-cleanup")]
    pub name: String,
    /// Five fields as in crontab(5), in UTC, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    #[schema(example = "*/15 * * * *")]
    pub schedule: String,
    pub command: String,
    pub enabled: bool,
    pub timeout_seconds: i64,
    /// From the live release's Procfile, rather than set here.
    pub from_procfile: bool,
    /// Absent while it is not enabled or nothing is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run_at: Option<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<Run>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ScheduleList {
    pub schedules: Vec<Schedule>,
}

/// One with the name of a Procfile's line takes its place.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SchedulePut {
    pub schedule: String,
    pub command: String,
    #[serde(default = "yes")]
    pub enabled: bool,
    /// 3600 when absent, at most 86400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<i64>,
}

fn yes() -> bool {
    true
}
