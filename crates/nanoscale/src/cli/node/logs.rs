//! What a machine logs.

use std::process::ExitCode;

use anyhow::{Context, Result};
use ids::LogLevel;
use jiff::Timestamp;

use crate::cli::client::Client;
use crate::cli::follow::Events;
use crate::cli::output::{self, Colour, paint};
use crate::cli::time;

/// Lines of one request, as a server has it that is not set up otherwise.
const PAGE: u32 = 1000;

#[derive(clap::Args)]
pub(super) struct LogsArgs {
    /// Its id or name; may be left out where there is only one.
    node: Option<String>,
    /// Only one source: agent, cloud-init, docker, docker:CONTAINER or systemd.
    #[arg(long)]
    source: Option<String>,
    /// The least that matters: error, warn, info or debug. Default: info.
    #[arg(long)]
    level: Option<String>,
    /// Only one container, by its name or id.
    #[arg(long)]
    container: Option<String>,
    /// Only one unit of NanoScale, like nanoscale-node.service.
    #[arg(long)]
    unit: Option<String>,
    /// Only what was written since: `10m`, `2h`, `3d`, or a time as RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time::parse_past)]
    since: Option<Timestamp>,
    /// Only what was written before: `10m`, `2h`, `3d`, or a time as RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time::parse_past)]
    until: Option<Timestamp>,
    /// Only lines with this text in them, whatever its case.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// At most the last so many lines. Default: 200.
    #[arg(long, short, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Print the last lines and stay for what comes.
    #[arg(long, short, conflicts_with_all = ["until", "limit"])]
    follow: bool,
}

impl LogsArgs {
    fn query(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("source", self.source.clone()),
            ("level", self.level.clone()),
            ("container", self.container.clone()),
            ("unit", self.unit.clone()),
            ("since", self.since.map(|time| time.to_string())),
            ("until", self.until.map(|time| time.to_string())),
            ("search", self.search.clone()),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

pub(super) async fn run(client: &Client, args: LogsArgs, json: bool) -> Result<ExitCode> {
    let node = super::named(client, args.node.as_deref()).await?;
    let query = args.query();
    if args.follow {
        follow(client, vec!["nodes", node.id.as_str(), "logs", "stream"], query, json).await?;
    } else {
        let entries = read(client, &["nodes", node.id.as_str(), "logs"], &query, args.limit).await?;
        entries.iter().rev().try_for_each(|entry| print(entry, json))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The last lines that were asked for, newest first, over as many pages as it takes.
async fn read(
    client: &Client,
    path: &[&str],
    query: &[(&str, String)],
    limit: u32,
) -> Result<Vec<api::MachineLogEntry>> {
    let mut entries = Vec::new();
    let mut cursor = None;
    loop {
        let left = limit.saturating_sub(u32::try_from(entries.len()).unwrap_or(u32::MAX));
        let mut query = query.to_vec();
        query.push(("limit", left.min(PAGE).to_string()));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page = client.get_with::<api::MachineLogPage>(path, &query).await?.value;
        page.unavailable.iter().for_each(note);
        entries.extend(page.entries);
        cursor = page.next_cursor;
        if cursor.is_none() || entries.len() >= limit as usize {
            return Ok(entries);
        }
    }
}

async fn follow(client: &Client, path: Vec<&str>, query: Vec<(&'static str, String)>, json: bool) -> Result<()> {
    let unreadable = "the server sent a log line that this program cannot read";
    let mut events = Events::new(client, path, query);
    loop {
        let Some(event) = events.next().await? else { continue };
        match event.name.as_str() {
            "" if json => output::line(&event.data)?,
            "" => print(&serde_json::from_str(&event.data).context(unreadable)?, false)?,
            "unavailable" => note(&serde_json::from_str(&event.data).context(unreadable)?),
            _ => {}
        }
    }
}

/// A source that cannot be read is no silent hole.
fn note(unavailable: &api::UnavailableSource) {
    output::note(format!("{} cannot be read: {}", unavailable.source, unavailable.reason));
}

fn print(entry: &api::MachineLogEntry, json: bool) -> Result<()> {
    if json {
        return output::line(serde_json::to_string(entry)?);
    }
    let colour = match entry.level {
        LogLevel::Error => Colour::Red,
        LogLevel::Warn => Colour::Yellow,
        LogLevel::Info => Colour::Plain,
        LogLevel::Debug => Colour::Dim,
    };
    let head = format!("{}  {}", time::local(&entry.timestamp), entry.source);
    let level = paint(&format!("{:<5}", entry.level.as_str()), colour);
    output::line(format!("{}  {level}  {}", paint(&head, Colour::Dim), output::safe(&entry.message)))
}
