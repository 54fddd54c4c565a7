//! What an app writes, over all its releases.

use std::process::ExitCode;

use anyhow::Result;
use ids::LogStream;
use jiff::Timestamp;

use super::client::Client;
use super::follow::{Followed, Follower, Line};
use super::output::{self, Colour, paint};
use super::{Format, find, time};

/// Most lines of one request (docs/API.md).
const PAGE: u32 = 10_000;

#[derive(clap::Args)]
pub(crate) struct LogsArgs {
    project: String,
    /// Stay and print what comes.
    #[arg(long, short, overrides_with = "no_follow", conflicts_with = "until")]
    follow: bool,
    /// Print what is there and end. This is what happens without `--follow`.
    #[arg(long, overrides_with = "follow")]
    no_follow: bool,
    /// Only what was written since: `10m`, `2h`, `3d`, or a time as RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time::parse_past)]
    since: Option<Timestamp>,
    /// Only what was written before: `10m`, `2h`, `3d`, or a time as RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time::parse_past)]
    until: Option<Timestamp>,
    /// Only lines with this text in them, whatever its case.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Only what one deployment wrote, by its number or id.
    #[arg(long, value_name = "NUMBER")]
    deployment: Option<String>,
    /// Of a project on several machines: the one, by name or id, whose processes wrote them. Default: the one that it is
    /// built on.
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Only one stream: standard output, standard error, or what NanoScale says.
    #[arg(long, value_name = "STREAM", value_parser = ["out", "err", "sys"])]
    stream: Option<String>,
    /// At most the last so many lines of what is there. Default: 1000.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    format: Format,
}

impl LogsArgs {
    fn query(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("since", self.since.map(|time| time.to_string())),
            ("until", self.until.map(|time| time.to_string())),
            ("search", self.search.clone()),
            ("deployment", self.deployment.clone()),
            ("node", self.node.clone()),
            ("stream", self.stream.clone()),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

pub(super) async fn run(args: LogsArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let project = find::project(&client, &args.project).await?.value;
    let path = ["projects", project.id.as_str(), "logs"];
    let limit = args.limit.unwrap_or(1000);
    let mut query = args.query();
    if !args.follow {
        for line in read(&client, &path, &query, limit).await?.iter().rev() {
            if args.format.json { output::line(serde_json::to_string(line)?)? } else { print(line)? }
        }
        return Ok(ExitCode::SUCCESS);
    }
    query.push(("limit", limit.min(PAGE).to_string()));
    let show = |line: &Line| if args.format.json { output::line(&line.raw) } else { print(&line.value) };
    let mut follower = Follower::new(&client, path, query);
    loop {
        match follower.next().await? {
            Followed::Line(line) => show(&line)?,
            Followed::Broken => {}
            Followed::End => return Ok(ExitCode::SUCCESS),
        }
    }
}

/// The last lines that were asked for, newest first, over as many pages as it takes.
async fn read(client: &Client, path: &[&str], query: &[(&str, String)], limit: u32) -> Result<Vec<api::LogLine>> {
    let mut lines = Vec::new();
    let mut cursor = None;
    loop {
        let left = limit.saturating_sub(u32::try_from(lines.len()).unwrap_or(u32::MAX));
        let mut query = query.to_vec();
        query.push(("limit", left.min(PAGE).to_string()));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page = client.get_with::<api::LogPage>(path, &query).await?.value;
        lines.extend(page.lines.into_iter().rev());
        cursor = page.next_cursor;
        if cursor.is_none() || lines.len() >= limit as usize {
            return Ok(lines);
        }
    }
}

fn print(line: &api::LogLine) -> Result<()> {
    let text = output::safe(&line.text);
    let text = match line.stream {
        LogStream::Sys => paint(&format!("→ {text}"), Colour::Bold),
        LogStream::Out | LogStream::Err => text,
    };
    output::line(format!("{}  {text}", paint(&time::local(&line.time), Colour::Dim)))
}
