//! Telling people what happens: channels, and what was delivered through them.

mod add;
mod print;

use std::process::ExitCode;

use anyhow::{Result, bail};
use ids::{NotificationChannelId, NotificationDeliveryId};

use super::client::{Answer, Client};
use super::{Format, output};

#[derive(clap::Args)]
pub(crate) struct NotifyArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: NotifyCommand,
}

#[derive(clap::Subcommand)]
enum NotifyCommand {
    /// Every channel with what became of its last delivery.
    #[command(visible_alias = "ls")]
    List,
    /// Make a channel. Its address or password is read from standard input.
    #[command(subcommand)]
    Add(add::AddCommand),
    /// One channel.
    Show { channel: String },
    /// Change a channel: what is left out stays as it is.
    Update(Box<add::UpdateArgs>),
    /// Send a test now and say what became of it.
    Test { channel: String },
    /// Remove a channel with its deliveries.
    #[command(visible_alias = "rm")]
    Remove { channel: String },
    /// What a channel told, newest first.
    Deliveries {
        channel: String,
        /// At most so many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=200))]
        limit: i64,
    },
    /// Send a delivery again that did not get through.
    Retry { delivery: NotificationDeliveryId },
}

pub(super) async fn run(args: NotifyArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let json = args.format.json;
    match args.command {
        NotifyCommand::List => {
            let list = client.get::<api::NotificationChannelList>(&["notification-channels"]).await?;
            list.show(json, print::channels)?;
        }
        NotifyCommand::Add(add) => add::add(&client, add).await?.show(json, |channel| {
            output::line(format!("Added `{}`", channel.name))?;
            output::note(format!("Try it: nanoscale notify test '{}'", channel.name));
            Ok(())
        })?,
        NotifyCommand::Show { channel } => find(&client, &channel).await?.show(json, print::channel)?,
        NotifyCommand::Update(update) => add::update(&client, *update).await?.show(json, print::channel)?,
        NotifyCommand::Test { channel } => return test(&client, &channel, json).await,
        NotifyCommand::Remove { channel } => {
            let channel = find(&client, &channel).await?.value;
            client.delete(&["notification-channels", channel.id.as_str()]).await?;
            output::line(format!("Removed `{}`", channel.name))?;
        }
        NotifyCommand::Deliveries { channel, limit } => {
            let channel = find(&client, &channel).await?.value;
            let path = ["notification-channels", channel.id.as_str(), "deliveries"];
            let query = [("limit", limit.to_string())];
            let list = client.get_with::<api::NotificationDeliveryList>(&path, &query).await?;
            list.show(json, print::deliveries)?;
        }
        NotifyCommand::Retry { delivery } => {
            let path = ["notification-deliveries", delivery.as_str(), "retry"];
            let answer = client.post::<api::NotificationDelivery>(&path, &serde_json::json!({})).await?;
            answer.show(json, |_| output::line("It is being sent again"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn test(client: &Client, name: &str, json: bool) -> Result<ExitCode> {
    let channel = find(client, name).await?.value;
    let path = ["notification-channels", channel.id.as_str(), "test"];
    let answer = client.post::<api::NotificationTest>(&path, &serde_json::json!({})).await?;
    let test = &answer.value;
    let took = test.duration_ms;
    if json || test.ok {
        answer.show(json, |_| output::line(format!("`{}` took the test within {took} ms", channel.name)))?;
    } else {
        output::error(test.error.as_deref().unwrap_or("the test did not get through"));
    }
    Ok(if test.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The channel that a person names, by id or name.
async fn find(client: &Client, name: &str) -> Result<Answer<api::NotificationChannel>> {
    if let Ok(id) = name.parse::<NotificationChannelId>() {
        return client.get(&["notification-channels", id.as_str()]).await;
    }
    let list = client.get::<api::NotificationChannelList>(&["notification-channels"]).await?.value;
    match list.notification_channels.iter().find(|channel| channel.name == name.trim()) {
        Some(channel) => client.get(&["notification-channels", channel.id.as_str()]).await,
        None => bail!("there is no notification channel `{name}`; `nanoscale notify list` shows what there is"),
    }
}
