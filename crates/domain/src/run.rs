//! One run of a command, to its end: a release command, a scheduled job, a one-off.

use ids::{DeploymentId, ProcessName, ProjectId, ReleaseId, RunId, RunKind, RunState};

use crate::deployment::{Deployment, Failure};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub id: RunId,
    pub project_id: ProjectId,
    /// Whose files and environment it has; absent when that is no longer kept.
    pub release_id: Option<ReleaseId>,
    /// The deployment that was live, or that it belongs to.
    pub deployment_id: DeploymentId,
    pub kind: RunKind,
    /// The schedule's name, or the process it is run inside.
    pub name: String,
    pub command: String,
    pub state: RunState,
    pub timeout_seconds: i64,
    /// When a scheduled one was due.
    pub scheduled_for: Option<i64>,
    pub exit_code: Option<i64>,
    /// What ended it, where it did not end by itself.
    pub signal: Option<i64>,
    pub failure: Option<Failure>,
    pub created_by: Option<String>,
    pub created_at: i64,
    pub finished_at: Option<i64>,
}

impl Run {
    /// One that begins now, with a deployment's release.
    pub fn begun(deployment: &Deployment, kind: RunKind, now: i64) -> Self {
        Self {
            id: RunId::new(),
            project_id: deployment.project_id.clone(),
            release_id: deployment.release_id.clone(),
            deployment_id: deployment.id.clone(),
            kind,
            name: String::new(),
            command: String::new(),
            state: RunState::Running,
            timeout_seconds: 0,
            scheduled_for: None,
            exit_code: None,
            signal: None,
            failure: None,
            created_by: None,
            created_at: now,
            finished_at: None,
        }
    }
}

/// A schedule that the owner set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledJob {
    pub project_id: ProjectId,
    pub name: ProcessName,
    pub schedule: String,
    pub command: String,
    pub enabled: bool,
    pub timeout_seconds: i64,
    pub updated_at: i64,
}

/// How late a scheduled run may begin; what is later is skipped.
pub const GRACE_MS: i64 = 60 * 60 * 1000;

/// What a schedule asks for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Run it, for this time.
    Run { at: i64 },
    /// It is too late for this time.
    Skip { at: i64 },
    /// Look again then; never when absent.
    Wait { until: Option<i64> },
}

/// What is due of a schedule whose last time was `last`, or that exists since `last`. Of several missed
/// times only the latest counts. A clock that was set back makes nothing due twice.
pub fn due(schedule: &crate::schedule::Schedule, last: i64, now: i64) -> Due {
    let mut at = match schedule.next_after(last.min(now)) {
        Some(at) if at <= now => at,
        until => return Due::Wait { until },
    };
    // Bounded: a schedule of every minute that was missed for years is looked at from near now.
    if now - at > 2 * GRACE_MS {
        match schedule.next_after(now - GRACE_MS) {
            Some(near) if near <= now => at = near,
            _ => return Due::Skip { at },
        }
    }
    while let Some(next) = schedule.next_after(at).filter(|next| *next <= now) {
        at = next;
    }
    if now - at > GRACE_MS { Due::Skip { at } } else { Due::Run { at } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::parse;

    const MINUTE: i64 = 60_000;
    /// 2026-01-01T00:00:00Z, a Thursday.
    const NEW_YEAR: i64 = 1_767_225_600_000;

    #[test]
    fn only_the_latest_missed_time_is_run() {
        let quarterly = parse("*/15 * * * *").unwrap();
        assert_eq!(due(&quarterly, NEW_YEAR, NEW_YEAR + MINUTE), Due::Wait { until: Some(NEW_YEAR + 15 * MINUTE) });
        assert_eq!(due(&quarterly, NEW_YEAR, NEW_YEAR + 15 * MINUTE), Due::Run { at: NEW_YEAR + 15 * MINUTE });
        assert_eq!(due(&quarterly, NEW_YEAR, NEW_YEAR + 50 * MINUTE), Due::Run { at: NEW_YEAR + 45 * MINUTE });
        let year = 365 * 24 * 60 * MINUTE;
        assert_eq!(due(&quarterly, NEW_YEAR, NEW_YEAR + year + MINUTE), Due::Run { at: NEW_YEAR + year });
    }

    #[test]
    fn what_is_too_late_is_skipped() {
        let daily = parse("0 0 * * *").unwrap();
        let midnight = NEW_YEAR + 24 * 60 * MINUTE;
        assert_eq!(due(&daily, NEW_YEAR, midnight + 90 * MINUTE), Due::Skip { at: midnight });
        assert_eq!(due(&daily, NEW_YEAR, midnight + 10 * 60 * MINUTE), Due::Skip { at: midnight });
        assert_eq!(
            due(&daily, midnight, midnight + 90 * MINUTE),
            Due::Wait { until: Some(midnight + 24 * 60 * MINUTE) }
        );
    }

    #[test]
    fn a_clock_set_back_does_not_stop_a_schedule() {
        let hourly = parse("@hourly").unwrap();
        let tomorrow = NEW_YEAR + 24 * 60 * MINUTE;
        assert_eq!(due(&hourly, tomorrow, NEW_YEAR + MINUTE), Due::Wait { until: Some(NEW_YEAR + 60 * MINUTE) });
    }
}
