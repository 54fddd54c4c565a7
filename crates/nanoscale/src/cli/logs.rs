//! What an app writes, over all its releases.

use std::process::ExitCode;

use anyhow::Result;
use ids::LogStream;
use jiff::Timestamp;

use super::client::Client;
use super::follow::{self, Followed, Follower, Line};
use super::output::{self, Colour, paint};
use super::{Format, find, time};

#[derive(clap::Args)]
pub(crate) struct LogsArgs {
    project: String,
    /// Stay and print what comes.
    #[arg(long, short)]
    follow: bool,
    /// Only what was written since: `10m`, `2h`, `3d`, or a time as RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = time::parse_past)]
    since: Option<Timestamp>,
    /// Only lines with this text in them, whatever its case.
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// At most the last so many lines of what is there. Default: 1000.
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: Option<u32>,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(args: LogsArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let project = find::project(&client, &args.project).await?.value;
    let mut query = Vec::new();
    if let Some(since) = args.since {
        query.push(("since", since.to_string()));
    }
    if let Some(search) = args.search {
        query.push(("search", search));
    }
    if let Some(limit) = args.limit {
        query.push(("limit", limit.to_string()));
    }
    let path = ["projects", project.id.as_str(), "logs"];
    let show = |line: &Line| if args.format.json { output::line(&line.raw) } else { print(&line.value) };
    if !args.follow {
        follow::read_all(client.stream(&path, &query, None).await?, show).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut follower = Follower::new(&client, path, query);
    loop {
        match follower.next().await? {
            Followed::Line(line) => show(&line)?,
            Followed::Broken => {}
            Followed::End => return Ok(ExitCode::SUCCESS),
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
