//! What was deployed, and what became of it.

use std::process::ExitCode;

use anyhow::{Result, bail};
use ids::DeploymentId;

use super::client::Client;
use super::find::DeploymentName;
use super::follow::{self, Followed, Follower, Line};
use super::output::{self, Cell, Colour, Fields, Table};
use super::watch::print_build_line;
use super::{Format, find, time};

#[derive(clap::Args)]
pub(crate) struct DeploymentArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: DeploymentCommand,
}

#[derive(clap::Subcommand)]
enum DeploymentCommand {
    /// The deployments of a project, newest first.
    #[command(visible_alias = "ls")]
    List {
        project: String,
        /// At most so many.
        #[arg(long, short, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
    /// One deployment: what it took, how it was built, why it failed.
    Show {
        #[command(flatten)]
        deployment: DeploymentName,
    },
    /// What a deployment said: fetch, install, build, start.
    Log {
        #[command(flatten)]
        deployment: DeploymentName,
        /// Go on until the deployment is live or has failed.
        #[arg(long, short)]
        follow: bool,
    },
    /// Stop a deployment that is on its way.
    Cancel {
        #[command(flatten)]
        deployment: DeploymentName,
    },
}

pub(super) async fn run(args: DeploymentArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    match args.command {
        DeploymentCommand::List { project, limit } => list(&client, &project, limit, args.format).await?,
        DeploymentCommand::Show { deployment } => {
            let id = find::deployment(&client, &deployment).await?;
            let answer = client.get::<api::Deployment>(&["deployments", id.as_str()]).await?;
            let project = client.get::<api::Project>(&["projects", answer.value.project_id.as_str()]).await?.value;
            answer.show(args.format.json, |deployment| print(deployment, &project))?;
        }
        DeploymentCommand::Log { deployment, follow } => {
            let id = find::deployment(&client, &deployment).await?;
            log(&client, &id, follow, args.format).await?;
        }
        DeploymentCommand::Cancel { deployment } => {
            let id = find::deployment(&client, &deployment).await?;
            let path = ["deployments", id.as_str(), "cancel"];
            let answer = client.post::<api::DeploymentAccepted>(&path, &serde_json::json!({})).await?;
            answer.show(args.format.json, |accepted| {
                output::line(format!("Cancelled deployment {}", accepted.deployment.number))
            })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, project: &str, limit: u32, format: Format) -> Result<()> {
    let project = find::project(client, project).await?.value;
    let path = ["projects", project.id.as_str(), "deployments"];
    let answer = client.get_with::<api::DeploymentList>(&path, &[("limit", limit.to_string())]).await?;
    answer.show(format.json, |list| {
        if list.deployments.is_empty() {
            return output::line(format!("Nothing of `{}` was deployed yet.", project.name));
        }
        let mut table = Table::new(["NUMBER", "STATE", "TRIGGER", "SOURCE", "BY", "CREATED", "TOOK", "KEPT", "ID"]);
        for deployment in &list.deployments {
            table.row([
                deployment.number.into(),
                output::deployment_state(deployment.state),
                deployment.trigger.into(),
                source(deployment).into(),
                deployment.created_by.as_deref().unwrap_or("-").into(),
                time::ago(&deployment.created_at).into(),
                deployment.duration_ms.map_or_else(|| "-".to_owned(), time::took).into(),
                if deployment.release_kept { "yes" } else { "-" }.into(),
                Cell::new(&deployment.id, Colour::Dim),
            ]);
        }
        table.print()
    })
}

/// Where its files came from, in a few words.
pub(super) fn source(deployment: &api::Deployment) -> String {
    match (&deployment.commit, &deployment.branch) {
        (Some(commit), _) => self::commit(commit),
        (None, Some(branch)) => branch.clone(),
        (None, None) => "-".to_owned(),
    }
}

/// The commit in a few words.
pub(super) fn commit(commit: &api::Commit) -> String {
    let sha = commit.sha.get(..8).unwrap_or(&commit.sha);
    format!("{sha} {}", output::shortened(&commit.message, 40))
}

fn print(deployment: &api::Deployment, project: &api::Project) -> Result<()> {
    let mut fields = Fields::default();
    fields.add("id", &deployment.id).add("project", &project.name).add("number", deployment.number);
    fields.add("state", output::deployment_state(deployment.state)).add("trigger", deployment.trigger);
    fields.add_some("steps", steps(deployment)).add_some("branch", deployment.branch.as_ref());
    if let Some(commit) = &deployment.commit {
        fields.add("commit", &commit.sha).add("message", &commit.message).add("author", &commit.author);
    }
    if let Some(plan) = &deployment.plan {
        fields.add("kind", &plan.kind).add_some("install", plan.install_command.as_ref());
        fields.add_some("build", plan.build_command.as_ref()).add_some("run", plan.run_command.as_ref());
        fields.add_some("output", plan.output_directory.as_ref());
        fields.add_some("release command", plan.release_command.as_ref());
        for worker in &plan.workers {
            fields.add("worker", format!("{}: {}", worker.name, worker.command));
        }
        for job in &plan.schedules {
            fields.add("schedule", format!("{}: {} {}", job.name, job.schedule, job.command));
        }
        for reason in &plan.reasons {
            fields.add("because", reason);
        }
    }
    fields.add_some("by", deployment.created_by.as_ref()).add("created", time::local(&deployment.created_at));
    fields.add_some("finished", deployment.finished_at.as_deref().map(time::local));
    fields.add_some("took", deployment.duration_ms.map(time::took));
    fields.add("roll back", if deployment.release_kept { "possible without a build" } else { "needs a build" });
    fields.add_some("failure", deployment.failure_code.as_deref().map(|code| Cell::new(code, Colour::Red)));
    fields.add_some("reason", deployment.reason.as_ref());
    fields.print()?;
    for line in &deployment.last_lines {
        output::line(format!("  {}", output::safe(line)))?;
    }
    Ok(())
}

/// How long each step took: `fetch 1.2 s, build 12.3 s`.
fn steps(deployment: &api::Deployment) -> Option<String> {
    let steps = deployment.steps.iter().map(|step| {
        let took = step.finished_at.as_deref().and_then(|end| time::between(&step.started_at, end));
        format!("{} {}", step.name, took.map_or_else(|| "running".to_owned(), time::took))
    });
    Some(steps.collect::<Vec<_>>().join(", ")).filter(|steps| !steps.is_empty())
}

async fn log(client: &Client, id: &DeploymentId, follow: bool, format: Format) -> Result<()> {
    let show = |line: &Line| if format.json { output::line(&line.raw) } else { print_build_line(&line.value) };
    let path = ["deployments", id.as_str(), "log"];
    if !follow {
        return follow::read_all(client.stream(&path, &[], None).await?, show).await;
    }
    let mut follower = Follower::new(client, path, Vec::new());
    loop {
        match follower.next().await? {
            Followed::Line(line) => show(&line)?,
            Followed::Broken => {}
            Followed::End => break,
        }
    }
    let deployment = client.get::<api::Deployment>(&["deployments", id.as_str()]).await?.value;
    match deployment.reason {
        Some(reason) => bail!("deployment {} is {}: {reason}", deployment.number, deployment.state),
        None => {
            output::note(format!("Deployment {} is {}", deployment.number, deployment.state));
            Ok(())
        }
    }
}
