//! Scheduled jobs: those of the Procfile, and those set here.

use std::process::ExitCode;

use anyhow::Result;

use super::client::Client;
use super::output::{self, Cell, Colour, Table};
use super::{Format, find, once, runs, time};

#[derive(clap::Args)]
pub(crate) struct ScheduleArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: ScheduleCommand,
}

#[derive(clap::Subcommand)]
enum ScheduleCommand {
    /// The scheduled jobs of a project, and how each went last.
    #[command(visible_alias = "ls")]
    List { project: String },
    /// Set a scheduled job. One with the name of a Procfile's line takes its place.
    Set(SetArgs),
    /// Remove a job that was set here; one of the Procfile goes with its line.
    #[command(visible_alias = "rm")]
    Remove { project: String, name: String },
    /// Run a job now, whatever its times, and end with its exit code.
    Run {
        project: String,
        name: String,
        #[command(flatten)]
        wait: once::Wait,
    },
    /// The runs of a job, newest first.
    History {
        project: String,
        name: String,
        /// At most so many.
        #[arg(long, short, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=200))]
        limit: u32,
    },
}

#[derive(clap::Args)]
struct SetArgs {
    project: String,
    /// Lower-case letters, digits, `-` and `_`.
    name: String,
    /// Five fields as in crontab(5), in UTC, such as '0 3 * * *'; or @hourly, @daily, @weekly, @monthly, @yearly.
    #[arg(value_name = "CRON")]
    schedule: String,
    /// The command and its arguments; `sh -c '…'` for more than one.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Keep it without running it.
    #[arg(long)]
    disabled: bool,
    /// Stop it after so long: `30s`, `10m`, `2h`. Default: 1h, at most 24h.
    #[arg(long, value_name = "TIME", value_parser = time::parse_seconds)]
    timeout: Option<i64>,
}

pub(super) async fn run(args: ScheduleArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let format = args.format;
    match args.command {
        ScheduleCommand::List { project } => list(&client, &project, format).await?,
        ScheduleCommand::Set(set) => self::set(&client, set).await?,
        ScheduleCommand::Remove { project, name } => {
            let project = find::project(&client, &project).await?.value;
            client.delete(&["projects", project.id.as_str(), "schedules", &name]).await?;
            output::line(format!("Removed `{name}`"))?;
        }
        ScheduleCommand::Run { project, name, wait } => {
            let interrupts = once::interrupts()?;
            let project = find::project(&client, &project).await?.value;
            let path = ["projects", project.id.as_str(), "schedules", &name, "run"];
            let run = client.post::<api::Run>(&path, &serde_json::json!({})).await?;
            return once::conclude(&client, &run, interrupts, wait, format).await;
        }
        ScheduleCommand::History { project, name, limit } => {
            runs::list(&client, &project, Some(name), limit, format).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(client: &Client, project: &str, format: Format) -> Result<()> {
    let project = find::project(client, project).await?.value;
    let answer = client.get::<api::ScheduleList>(&["projects", project.id.as_str(), "schedules"]).await?;
    answer.show(format.json, |list| {
        if list.schedules.is_empty() {
            let name = &project.name;
            return output::line(format!(
                "`{name}` has no scheduled jobs; `nanoscale schedule set '{name}' NAME '0 3 * * *' -- COMMAND` sets one."
            ));
        }
        let mut table = Table::new(["NAME", "SCHEDULE", "FROM", "NEXT", "LAST", "ENDED", "COMMAND"]);
        for job in &list.schedules {
            let next = match (&job.next_run_at, job.enabled) {
                (Some(time), _) => Cell::from(time::until(time)),
                (None, true) => Cell::new("nothing is live", Colour::Dim),
                (None, false) => Cell::new("disabled", Colour::Dim),
            };
            table.row([
                Cell::new(&job.name, Colour::Bold),
                Cell::from(&job.schedule),
                if job.from_procfile { "Procfile" } else { "here" }.into(),
                next,
                job.last_run.as_ref().map_or_else(|| "-".to_owned(), |run| time::ago(&run.created_at)).into(),
                job.last_run.as_ref().map_or_else(|| Cell::from("-"), |run| output::run_state(run.state)),
                output::shortened(&job.command, 60).into(),
            ]);
        }
        table.print()
    })
}

async fn set(client: &Client, args: SetArgs) -> Result<()> {
    let project = find::project(client, &args.project).await?.value;
    let put = api::SchedulePut {
        schedule: args.schedule,
        command: shell_words::join(&args.command),
        enabled: !args.disabled,
        timeout_seconds: args.timeout,
    };
    client.put_silently(&["projects", project.id.as_str(), "schedules", &args.name], &put).await?;
    output::line(format!("Set `{}`", args.name))?;
    output::note(format!("Try it: nanoscale schedule run '{}' {}", project.name, args.name));
    Ok(())
}
