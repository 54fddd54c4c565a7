//! One try to bring one commit of a project live.

use ids::{DeploymentId, DeploymentState, ProjectId, ReleaseId, Trigger};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    pub id: DeploymentId,
    pub project_id: ProjectId,
    /// Counts the project's deployments from 1.
    pub number: i64,
    pub state: DeploymentState,
    pub trigger: Trigger,
    pub step: Option<String>,
    /// Those that have begun, in order. Each ends when the next one begins, the last one with the deployment.
    pub steps: Vec<Step>,
    pub branch: Option<String>,
    /// The commit that was asked for, if one was.
    pub wanted_commit: Option<String>,
    pub commit: Option<Commit>,
    /// How it is built and run, as the node reported it: JSON.
    pub plan: Option<String>,
    /// The environment it is built and run with, sealed, from when its turn came.
    pub env_sealed: Option<String>,
    /// What it made, or for a rollback what it makes live again.
    pub release_id: Option<ReleaseId>,
    pub upload: Option<DeploymentId>,
    /// Which change it is for, when it was asked for only if there is one.
    pub because: Option<String>,
    pub failure: Option<Failure>,
    /// Name of the user who asked for it.
    pub created_by: Option<String>,
    pub created_at: i64,
    pub started_at: Option<i64>,
    pub finished_at: Option<i64>,
}

/// A part of a deployment's work: `fetch`, `install`, `build`, `start`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub name: String,
    /// Milliseconds since 1970.
    pub started_at: i64,
}

/// Notes that a step begins, unless it is the one under way. A build that begins anew has not come as far as before.
pub fn begin_step(steps: &mut Vec<Step>, name: &str, now: i64) {
    if steps.last().is_some_and(|last| last.name == name) {
        return;
    }
    if let Some(before) = steps.iter().position(|step| step.name == name) {
        steps.truncate(before);
    }
    steps.push(Step { name: name.to_owned(), started_at: now });
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub sha: String,
    pub message: String,
    pub author: String,
}

/// Why a deployment did not go live.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Failure {
    /// UPPER_SNAKE; absent where nothing failed, as with a cancelled one.
    pub code: Option<String>,
    pub reason: String,
    pub last_lines: Vec<String>,
}

impl Deployment {
    /// A new one, waiting for its turn.
    pub fn queued(project_id: ProjectId, number: i64, trigger: Trigger, now: i64) -> Self {
        Self {
            id: DeploymentId::new(),
            project_id,
            number,
            state: DeploymentState::Queued,
            trigger,
            step: None,
            steps: Vec::new(),
            branch: None,
            wanted_commit: None,
            commit: None,
            plan: None,
            env_sealed: None,
            release_id: None,
            upload: None,
            because: None,
            failure: None,
            created_by: None,
            created_at: now,
            started_at: None,
            finished_at: None,
        }
    }
}

/// Whether a deployment may go from one state to another.
pub fn may_become(from: DeploymentState, to: DeploymentState) -> bool {
    use DeploymentState::{Building, Cancelled, Failed, Live, Queued, Retired, Starting, Superseded};
    match from {
        // A rollback has nothing to build.
        Queued => matches!(to, Building | Starting | Cancelled | Superseded | Failed),
        Building => matches!(to, Starting | Failed | Cancelled),
        Starting => matches!(to, Live | Failed | Cancelled),
        Live => matches!(to, Retired),
        Retired | Failed | Cancelled | Superseded => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_begins_once_and_a_build_may_begin_anew() {
        let mut steps = Vec::new();
        for (name, now) in [("fetch", 1), ("fetch", 2), ("build", 3), ("build", 4), ("fetch", 5), ("install", 6)] {
            begin_step(&mut steps, name, now);
        }
        let steps = steps.iter().map(|step| (step.name.as_str(), step.started_at)).collect::<Vec<_>>();
        assert_eq!(steps, [("fetch", 5), ("install", 6)]);
    }

    #[test]
    fn ends_are_ends_and_nothing_skips_starting() {
        for &to in DeploymentState::ALL {
            for from in [DeploymentState::Failed, DeploymentState::Cancelled, DeploymentState::Superseded] {
                assert!(!may_become(from, to));
            }
        }
        assert!(!may_become(DeploymentState::Queued, DeploymentState::Live));
        assert!(!may_become(DeploymentState::Building, DeploymentState::Live));
        assert!(may_become(DeploymentState::Queued, DeploymentState::Starting));
    }
}
