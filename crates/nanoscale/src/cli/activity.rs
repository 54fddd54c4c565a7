//! What happens in a project.

use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::Value;

use super::client::Client;
use super::follow::Events;
use super::output::{self, Cell, Colour, Table, paint};
use super::{Format, find, time};

#[derive(clap::Args)]
pub(crate) struct ActivityArgs {
    project: String,
    /// Only what is of this type, like `deployment.failed`.
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// How many, at most 100.
    #[arg(long, short = 'n', value_name = "COUNT")]
    limit: Option<u32>,
    /// Go on with what happens from now on.
    #[arg(long, short, conflicts_with_all = ["event_type", "limit"])]
    follow: bool,
    #[command(flatten)]
    format: Format,
}

pub(super) async fn run(args: ActivityArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let project = find::project(&client, &args.project).await?.value;
    let path = ["projects", project.id.as_str(), "activity"];
    if args.follow {
        follow(&client, project.id.as_str(), args.format).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut query = Vec::new();
    query.extend(args.event_type.map(|event_type| ("event_type", event_type)));
    query.extend(args.limit.map(|limit| ("limit", limit.to_string())));
    client.get_with::<api::ActivityList>(&path, &query).await?.show(args.format.json, |list| {
        let mut table = Table::new(["WHEN", "WHO", "WHAT", "OF"]);
        for event in &list.events {
            table.row([
                Cell::new(time::ago(&event.created_at), Colour::Dim),
                event.actor.as_deref().unwrap_or_default().into(),
                Cell::new(event.event_type, Colour::Bold),
                about(event).into(),
            ]);
        }
        table.print()
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn follow(client: &Client, project: &str, format: Format) -> Result<()> {
    let mut events = Events::new(client, vec!["projects", project, "activity", "stream"], Vec::new());
    loop {
        let Some(event) = events.next().await? else { continue };
        if format.json {
            output::line(event.data)?;
            continue;
        }
        let event = serde_json::from_str::<api::ActivityEvent>(&event.data)
            .context("the server told of something that this program cannot read")?;
        let when = paint(&time::local(&event.created_at), Colour::Dim);
        let who = event.actor.as_deref().unwrap_or_default();
        output::line(output::safe(format!("{when} {who} {} {}", event.event_type, about(&event)).trim_end()))?;
    }
}

/// What it is about, in a few words.
fn about(event: &api::ActivityEvent) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
    match &event.payload["number"] {
        Value::Number(number) => {
            let why = [text(&event.payload["reason"]), text(&event.payload["commit"]["message"])];
            let why = why.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
            format!("#{number} {}", output::shortened(&why, 60)).trim_end().to_owned()
        }
        _ => text(&event.payload["name"]),
    }
}
