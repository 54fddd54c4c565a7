use std::fmt::Write as _;
use std::time::Duration;

use ids::{DeploymentId, DeploymentState};

use super::{ApiFailure, Client};
use crate::wait::{stretched, wait_some};

impl Client {
    /// Waits until a deployment is in `state`. Panics with its reason and log when it settles
    /// otherwise, and when it takes too long. A server that restarts meanwhile is waited for.
    pub async fn wait_for(&self, id: &DeploymentId, state: DeploymentState, within: Duration) -> api::Deployment {
        let waited = self.settle_or(id, Some(state), within).await;
        if waited.state == state {
            return waited;
        }
        panic!("deployment {id} did not become {state}:\n{}", self.describe(&waited).await);
    }

    /// Waits until nothing more happens to a deployment, whatever became of it.
    pub async fn wait_settled(&self, id: &DeploymentId, within: Duration) -> api::Deployment {
        self.settle_or(id, None, within).await
    }

    async fn settle_or(&self, id: &DeploymentId, state: Option<DeploymentState>, within: Duration) -> api::Deployment {
        let deadline = tokio::time::Instant::now() + stretched(within);
        let mut last = None;
        loop {
            match self.deployment_get(id).await {
                Ok(deployment) if Some(deployment.state) == state || deployment.state.is_settled() => {
                    return deployment;
                }
                Ok(deployment) => last = Some(deployment),
                Err(failure) if failure.is_passing() => {}
                Err(failure) => panic!("cannot read deployment {id}: {failure}"),
            }
            if tokio::time::Instant::now() > deadline {
                let told = match &last {
                    Some(deployment) => self.describe(deployment).await,
                    None => "the server did not answer".into(),
                };
                let wanted = state.map_or("settled", DeploymentState::as_str);
                panic!("deployment {id} is not {wanted} after {within:?}:\n{told}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a deleted project is gone.
    pub async fn wait_deleted(&self, project: impl std::fmt::Display, within: Duration) {
        let what = format!("project {project} is gone");
        wait_some(&what, within, async || match self.project_get(&project).await {
            Err(ApiFailure { status: 404, .. }) => Some(()),
            _ => None,
        })
        .await;
    }

    async fn describe(&self, deployment: &api::Deployment) -> String {
        let mut text = format!("state {}", deployment.state);
        for (name, value) in
            [("step", &deployment.step), ("failure_code", &deployment.failure_code), ("reason", &deployment.reason)]
        {
            if let Some(value) = value {
                let _ = write!(text, "\n{name}: {value}");
            }
        }
        match self.log(&deployment.id).await {
            Ok(lines) => {
                for line in lines {
                    let _ = write!(text, "\n  {} {}", line.stream, line.text);
                }
            }
            Err(failure) => {
                let _ = write!(text, "\nits log cannot be read: {failure}");
            }
        }
        text
    }
}
