//! The start of a workspace as it happens: each step with how long it took.

use std::time::Duration;

use anyhow::Result;
use ids::{StepState, WorkspaceId, WorkspaceState};

use crate::cli::client::{Answer, Client, ClientError};
use crate::cli::output::{self, Colour, paint};
use crate::cli::{Format, time};

const POLL: Duration = Duration::from_millis(250);

/// Shows the steps of a workspace as they end, until it has come to rest.
pub(super) async fn settled(client: &Client, id: &WorkspaceId, format: Format) -> Result<Answer<api::Workspace>> {
    let mut shown = Shown::default();
    loop {
        match client.get::<api::Workspace>(&["workspaces", id.as_str()]).await {
            Ok(answer) => {
                let workspace = &answer.value;
                if !format.json {
                    for step in shown.news(workspace) {
                        output::line(line(step))?;
                    }
                }
                if is_settled(workspace.state) {
                    return Ok(answer);
                }
            }
            // The server may be starting again.
            Err(error) if ClientError::may_pass(&error) => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(POLL).await;
    }
}

fn is_settled(state: WorkspaceState) -> bool {
    match state {
        WorkspaceState::Creating | WorkspaceState::Stopping | WorkspaceState::Deleting => false,
        WorkspaceState::Running | WorkspaceState::Recovery | WorkspaceState::Stopped | WorkspaceState::Error => true,
    }
}

/// What of a start was shown already.
#[derive(Default)]
struct Shown {
    attempt: i64,
    count: usize,
}

impl Shown {
    /// Steps that have ended since.
    fn news<'a>(&mut self, workspace: &'a api::Workspace) -> &'a [api::WorkspaceStep] {
        if self.attempt != workspace.attempt {
            *self = Self { attempt: workspace.attempt, count: 0 };
        }
        // A stop runs no steps; those of the start before it are no news.
        if matches!(workspace.state, WorkspaceState::Stopping | WorkspaceState::Stopped) {
            return &[];
        }
        let ended = workspace.steps.iter().take_while(|step| step.finished_at.is_some()).count();
        let news = workspace.steps.get(self.count..ended).unwrap_or_default();
        self.count = ended.max(self.count);
        news
    }
}

fn line(step: &api::WorkspaceStep) -> String {
    let took = step.finished_at.as_deref().and_then(|end| time::between(&step.started_at, end));
    let took = took.map(time::took).unwrap_or_default();
    let (mark, colour) = match step.state {
        StepState::Succeeded => ("✓", Colour::Green),
        StepState::Skipped => ("-", Colour::Dim),
        StepState::Failed => ("✗", Colour::Red),
        StepState::Running => ("…", Colour::Yellow),
    };
    let message = step.message.as_deref().map(output::safe).unwrap_or_default();
    format!("{} {:<10} {took:>8}  {message}", paint(mark, colour), step.name).trim_end().to_owned()
}

pub(super) fn print_steps(steps: &[api::WorkspaceStep]) -> Result<()> {
    steps.iter().try_for_each(|step| output::line(line(step)))
}

/// Why it is not as it should be, where it is not.
pub(super) fn print_reason(workspace: &api::Workspace) {
    if let Some(reason) = &workspace.reason {
        output::error(&output::safe(reason));
    }
    for line in &workspace.last_lines {
        output::note(format!("  {}", output::safe(line)));
    }
}

/// How it went, and what to do next.
pub(super) fn verdict(workspace: &api::Workspace) -> Result<()> {
    let (name, id) = (&workspace.name, &workspace.id);
    match workspace.state {
        WorkspaceState::Running => {
            let first = workspace.steps.first().map(|step| step.started_at.as_str());
            let took = first.and_then(|start| time::between(start, &workspace.state_since));
            let after = took.map(|took| format!(" after {}", time::took(took))).unwrap_or_default();
            output::line(paint(&format!("{name} is running{after}"), Colour::Green))?;
            output::line(&workspace.url)?;
            output::line(format!("a shell in it: nanoscale terminal {id}"))
        }
        WorkspaceState::Recovery => {
            print_reason(workspace);
            output::note(format!("It can be worked in all the same: nanoscale terminal {id}"));
            output::note(format!("Then try again: nanoscale ws start {id}"));
            Ok(())
        }
        WorkspaceState::Error => {
            print_reason(workspace);
            output::note(format!("Try again: nanoscale ws start {id}"));
            Ok(())
        }
        state => output::line(format!("{name} is {state}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(state: &str, attempt: i64, steps: &[(&str, bool)]) -> api::Workspace {
        let steps = steps.iter().map(|(name, done)| {
            let mut step = serde_json::json!({
                "name": name, "state": if *done { "succeeded" } else { "running" }, "started_at": "2026-01-01T00:00:00Z"
            });
            if *done {
                step["finished_at"] = "2026-01-01T00:00:01.500Z".into();
            }
            step
        });
        serde_json::from_value(serde_json::json!({
            "id": WorkspaceId::new(), "name": "one", "project_id": ids::ProjectId::new(), "project_name": "shop",
            "owner": "ada", "node_id": ids::NodeId::new(), "node_name": "here", "state": state,
            "state_since": "2026-01-01T00:00:00Z", "attempt": attempt, "steps": steps.collect::<Vec<_>>(), "ports": [],
            "terminals": 0, "memory_mb": 1024, "idle_timeout_seconds": 0, "url": "http://x",
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn each_step_is_shown_once_when_it_has_ended() {
        let mut shown = Shown::default();
        let mut names =
            |workspace: &api::Workspace| shown.news(workspace).iter().map(|step| step.name.clone()).collect::<Vec<_>>();
        assert!(names(&workspace("creating", 1, &[("prepare", false)])).is_empty());
        assert_eq!(names(&workspace("creating", 1, &[("prepare", true), ("clone", false)])), ["prepare"]);
        assert_eq!(names(&workspace("running", 1, &[("prepare", true), ("clone", true)])), ["clone"]);
        assert!(names(&workspace("running", 1, &[("prepare", true), ("clone", true)])).is_empty());
        // Another start.
        assert_eq!(names(&workspace("creating", 2, &[("prepare", true)])), ["prepare"]);
        assert!(names(&workspace("stopped", 2, &[("prepare", true), ("clone", true)])).is_empty());
        let line = line(&workspace("running", 1, &[("clone", true)]).steps[0]);
        assert!(line.contains("clone") && line.contains("1.5"), "{line}");
    }
}
