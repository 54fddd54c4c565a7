//! Follows a deployment until it has settled, and says how it went.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use ids::{DeploymentState, LogStream};

use super::Format;
use super::client::{Answer, Client};
use super::follow::{self, Follower, Line};
use super::output::{self, Colour, paint};
use super::time;

const POLL: Duration = Duration::from_millis(300);
/// What a shell answers for a program that Ctrl-C ended (128 and SIGINT).
pub(super) const INTERRUPTED: u8 = 130;

#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Wait {
    /// Return at once instead of following the deployment.
    #[arg(long, short, visible_alias = "no-follow")]
    detach: bool,
    /// Follow until the deployment is live or has failed, as is the default.
    #[arg(long = "follow", overrides_with = "detach")]
    _follow: bool,
}

/// What a person sees while they wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    Log,
    Nothing,
}

/// Watches a deployment that was asked for, prints how it went, and says it in the exit code too.
pub(super) async fn conclude(
    client: &Client,
    project: &api::Project,
    deployment: &api::Deployment,
    wait: Wait,
    show: Show,
    format: Format,
) -> Result<ExitCode> {
    let path = ["deployments", deployment.id.as_str()];
    if wait.detach {
        return detached(&client.get(&path).await?, format);
    }
    let settled = async {
        follow_log(client, deployment, show, format).await?;
        loop {
            let answer = client.get::<api::Deployment>(&path).await?;
            if answer.value.state.is_settled() {
                return anyhow::Ok(answer);
            }
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::select! {
        answer = settled => verdict(&answer?, project, format),
        _ = tokio::signal::ctrl_c() => {
            output::note(format!("\nDeployment {} goes on without you.", deployment.number));
            output::note(format!("  watch it:  nanoscale deployment log {} --follow", deployment.id));
            output::note(format!("  stop it:   nanoscale deployment cancel {}", deployment.id));
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

fn detached(answer: &Answer<api::Deployment>, format: Format) -> Result<ExitCode> {
    answer.show(format.json, |deployment| {
        output::line(format!("Deployment {} is {}", deployment.number, deployment.state))?;
        output::line(format!("watch it: nanoscale deployment log {} --follow", deployment.id))
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn follow_log(client: &Client, deployment: &api::Deployment, show: Show, format: Format) -> Result<()> {
    let id = deployment.id.as_str();
    let follower = Follower::new(client, ["deployments", id, "log"], Vec::new());
    let print = |line: &Line| if show == Show::Log { print(line, format) } else { Ok(()) };
    let settled = async || {
        let deployment = client.get::<api::Deployment>(&["deployments", id]).await?.value;
        Ok(deployment.state.is_settled())
    };
    follow::to_end(follower, print, settled).await
}

/// A script gets JSON from standard output, and so the log from the other one.
fn print(line: &Line, format: Format) -> Result<()> {
    if format.json {
        output::note(plain(&line.value));
        return Ok(());
    }
    print_build_line(&line.value)
}

pub(super) fn plain(line: &api::LogLine) -> String {
    match line.stream {
        LogStream::Sys => format!("→ {}", line.text),
        LogStream::Out | LogStream::Err => line.text.clone(),
    }
}

/// A line of a build's log: what NanoScale does stands out from what the build's commands say.
pub(super) fn print_build_line(line: &api::LogLine) -> Result<()> {
    let text = output::safe(&plain(line));
    output::line(if line.stream == LogStream::Sys { paint(&text, Colour::Bold) } else { text })
}

fn verdict(answer: &Answer<api::Deployment>, project: &api::Project, format: Format) -> Result<ExitCode> {
    let deployment = &answer.value;
    if format.json {
        answer.show(true, |_| Ok(()))?;
    }
    let number = deployment.number;
    let why = deployment.reason.as_deref().map(|reason| format!(": {}", output::safe(reason))).unwrap_or_default();
    match deployment.state {
        DeploymentState::Live | DeploymentState::Retired => {
            if !format.json {
                let after =
                    deployment.duration_ms.map(|took| format!(" after {}", time::took(took))).unwrap_or_default();
                output::line(paint(&format!("Deployment {number} is live{after}"), Colour::Green))?;
                output::line(&project.url)?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        DeploymentState::Failed => output::error(&format!("deployment {number} failed{why}")),
        DeploymentState::Cancelled => output::error(&format!("deployment {number} was cancelled{why}")),
        DeploymentState::Superseded => output::error(&format!("deployment {number} gave way to a newer one{why}")),
        DeploymentState::Queued | DeploymentState::Building | DeploymentState::Starting => {}
    }
    for line in &deployment.last_lines {
        output::note(format!("  {}", output::safe(line)));
    }
    if project.live_deployment.is_some() {
        output::note(format!("What was live before still serves {}", project.url));
    }
    Ok(ExitCode::FAILURE)
}
