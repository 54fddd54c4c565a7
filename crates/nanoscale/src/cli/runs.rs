//! What was run of a project beside its processes, and how it ended.

use std::process::ExitCode;

use anyhow::Result;
use ids::RunId;

use super::client::Client;
use super::follow::{self, Line};
use super::output::{self, Cell, Colour, Fields, Table};
use super::watch::print_build_line;
use super::{Format, find, once, time};

#[derive(clap::Args)]
pub(crate) struct RunsArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: RunsCommand,
}

#[derive(clap::Subcommand)]
enum RunsCommand {
    /// The runs of a project, newest first.
    #[command(visible_alias = "ls")]
    List {
        project: String,
        /// Only those of this scheduled job.
        #[arg(long, value_name = "NAME")]
        schedule: Option<String>,
        /// At most so many.
        #[arg(long, short, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
    /// One run: what it ran and how it ended.
    Show { id: RunId },
    /// Stop a run.
    Cancel { id: RunId },
    /// What a run wrote.
    #[command(visible_alias = "log")]
    Logs {
        id: RunId,
        /// Go on until it has ended.
        #[arg(long, short)]
        follow: bool,
    },
}

pub(super) async fn run(args: RunsArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    match args.command {
        RunsCommand::List { project, schedule, limit } => {
            list(&client, &project, schedule, limit, args.format).await?;
        }
        RunsCommand::Show { id } => {
            client.get::<api::Run>(&["runs", id.as_str()]).await?.show(args.format.json, print)?;
        }
        RunsCommand::Cancel { id } => {
            let answer = client.post::<api::Run>(&["runs", id.as_str(), "cancel"], &serde_json::json!({})).await?;
            answer.show(args.format.json, |run| output::line(format!("Stopped {}", run.id)))?;
        }
        RunsCommand::Logs { id, follow: true } => once::follow_log(&client, id.as_str(), args.format).await?,
        RunsCommand::Logs { id, follow: false } => {
            let show =
                |line: &Line| if args.format.json { output::line(&line.raw) } else { print_build_line(&line.value) };
            follow::read_all(client.stream(&["runs", id.as_str(), "log"], &[], None).await?, show).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn list(
    client: &Client,
    project: &str,
    schedule: Option<String>,
    limit: u32,
    format: Format,
) -> Result<()> {
    let project = find::project(client, project).await?.value;
    let mut query = vec![("limit", limit.to_string())];
    query.extend(schedule.map(|name| ("schedule", name)));
    let answer = client.get_with::<api::RunList>(&["projects", project.id.as_str(), "runs"], &query).await?;
    answer.show(format.json, |list| {
        if list.runs.is_empty() {
            return output::line(format!("No command of `{}` was run yet.", project.name));
        }
        let mut table = Table::new(["ID", "STATE", "KIND", "NAME", "EXIT", "STARTED", "TOOK", "BY", "COMMAND"]);
        for run in &list.runs {
            table.row([
                Cell::new(&run.id, Colour::Dim),
                output::run_state(run.state),
                run.kind.into(),
                run.name.as_deref().unwrap_or("-").into(),
                run.exit_code.map_or_else(|| "-".to_owned(), |code| code.to_string()).into(),
                time::ago(&run.created_at).into(),
                took(run).as_deref().unwrap_or("-").into(),
                run.created_by.as_deref().unwrap_or("-").into(),
                output::shortened(&run.command, 60).into(),
            ]);
        }
        table.print()
    })
}

fn took(run: &api::Run) -> Option<String> {
    time::between(&run.created_at, run.finished_at.as_deref()?).map(time::took)
}

fn print(run: &api::Run) -> Result<()> {
    let mut fields = Fields::default();
    fields.add("id", &run.id).add("project", &run.project_id).add("release of", &run.deployment_id);
    fields.add("kind", run.kind).add_some("name", run.name.as_ref()).add("command", &run.command);
    fields
        .add("state", output::run_state(run.state))
        .add_some("exit code", run.exit_code)
        .add_some("signal", run.signal);
    fields.add_some("due", run.scheduled_for.as_deref().map(time::local));
    fields.add_some("by", run.created_by.as_ref()).add("started", time::local(&run.created_at));
    fields.add_some("finished", run.finished_at.as_deref().map(time::local)).add_some("took", took(run));
    fields.add_some("failure", run.failure_code.as_deref().map(|code| Cell::new(code, Colour::Red)));
    fields.add_some("reason", run.reason.as_ref());
    fields.print()?;
    for line in &run.last_lines {
        output::line(format!("  {}", output::safe(line)))?;
    }
    Ok(())
}
