//! Making and changing channels.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ids::{NotificationEvent, NotificationKind, ProjectId, SmtpTls};

use crate::cli::client::{Answer, Client};
use crate::cli::{find, secret};

#[derive(clap::Subcommand)]
pub(super) enum AddCommand {
    /// Post signed JSON to an address, which is read from standard input.
    Webhook {
        #[command(flatten)]
        what: What,
        /// A file with the secret that signs what is sent.
        #[arg(long, value_name = "FILE")]
        secret_file: Option<PathBuf>,
    },
    /// Post to an incoming webhook of Slack, Mattermost or Discord (`/slack`), which is read from standard input.
    Slack {
        #[command(flatten)]
        what: What,
    },
    /// Send mail through a mail server. The password is read from standard input.
    Email(Box<EmailArgs>),
}

#[derive(clap::Args)]
pub(super) struct EmailArgs {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    server: MailServer,
}

/// What a channel is called, and what it tells.
#[derive(clap::Args)]
pub(super) struct What {
    /// What you call it.
    name: String,
    /// deployment.live, deployment.failed, workload.crash_loop, node.disk_nearly_full or schedule.failed;
    /// all but deployment.live when absent.
    #[arg(long, value_name = "EVENT")]
    event: Vec<NotificationEvent>,
    /// Only what is about this project; all projects when absent.
    #[arg(long, value_name = "PROJECT")]
    project: Vec<String>,
}

#[derive(clap::Args)]
struct MailServer {
    /// The mail server.
    #[arg(long)]
    host: Option<String>,
    /// 587 with starttls, 465 with implicit, 25 with none when absent.
    #[arg(long)]
    port: Option<i64>,
    /// starttls, implicit or none.
    #[arg(long)]
    tls: Option<SmtpTls>,
    /// Who signs in there; nobody when absent.
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// The sender.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Who is told.
    #[arg(long, value_name = "ADDRESS")]
    to: Vec<String>,
}

/// Options that are left out stay as they are.
#[derive(clap::Args)]
pub(super) struct UpdateArgs {
    channel: String,
    /// A new name.
    #[arg(long)]
    name: Option<String>,
    /// What it tells, in place of what it told before.
    #[arg(long, value_name = "EVENT")]
    event: Vec<NotificationEvent>,
    /// Only what is about this project, in place of those before.
    #[arg(long, value_name = "PROJECT", conflicts_with = "all_projects")]
    project: Vec<String>,
    #[arg(long)]
    all_projects: bool,
    /// Switch it on again.
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Switch it off; what it had still to tell is given up.
    #[arg(long)]
    disable: bool,
    /// Read a new address, or for mail a new password, from standard input.
    #[arg(long)]
    ask: bool,
    /// A file with a new secret that signs what is sent.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    #[command(flatten)]
    server: MailServer,
}

pub(super) async fn add(client: &Client, command: AddCommand) -> Result<Answer<api::NotificationChannel>> {
    let (kind, what, settings) = match command {
        AddCommand::Webhook { what, secret_file } => {
            let secret = secret_file.as_deref().map(secret_in).transpose()?;
            let settings = api::NotificationSettings { url: Some(address()?), secret, ..Default::default() };
            (NotificationKind::Webhook, what, settings)
        }
        AddCommand::Slack { what } => {
            let settings = api::NotificationSettings { url: Some(address()?), ..Default::default() };
            (NotificationKind::Slack, what, settings)
        }
        AddCommand::Email(args) => {
            let password = args.server.username.as_ref().map(|_| password()).transpose()?;
            let settings = api::NotificationSettings { password, ..mail_settings(args.server) };
            (NotificationKind::Email, args.what, settings)
        }
    };
    let project_ids = project_ids(client, &what.project).await?;
    let create = api::NotificationChannelCreate {
        name: what.name,
        kind,
        settings,
        events: Some(what.event).filter(|events| !events.is_empty()),
        project_ids: Some(project_ids).filter(|ids| !ids.is_empty()),
        enabled: None,
    };
    client.post(&["notification-channels"], &create).await
}

pub(super) async fn update(client: &Client, args: UpdateArgs) -> Result<Answer<api::NotificationChannel>> {
    let channel = super::find(client, &args.channel).await?.value;
    let mut settings = mail_settings(args.server);
    settings.secret = args.secret_file.as_deref().map(secret_in).transpose()?;
    match channel.kind {
        NotificationKind::Email if args.ask => settings.password = Some(password()?),
        _ if args.ask => settings.url = Some(address()?),
        _ => {}
    }
    let is_empty = |value: serde_json::Value| value.as_object().is_some_and(serde_json::Map::is_empty);
    let project_ids = project_ids(client, &args.project).await?;
    let update = api::NotificationChannelUpdate {
        name: args.name,
        settings: if is_empty(serde_json::to_value(&settings)?) { None } else { Some(settings) },
        events: Some(args.event).filter(|events| !events.is_empty()),
        project_ids: Some(project_ids).filter(|ids| args.all_projects || !ids.is_empty()),
        enabled: if args.enable || args.disable { Some(args.enable) } else { None },
    };
    if is_empty(serde_json::to_value(&update)?) {
        bail!("nothing to change; `nanoscale notify update --help` lists what can be");
    }
    client.patch(&["notification-channels", channel.id.as_str()], &update).await
}

fn mail_settings(server: MailServer) -> api::NotificationSettings {
    api::NotificationSettings {
        host: server.host,
        port: server.port,
        tls: server.tls,
        username: server.username,
        from: server.from,
        to: Some(server.to).filter(|to| !to.is_empty()),
        ..Default::default()
    }
}

async fn project_ids(client: &Client, names: &[String]) -> Result<Vec<ProjectId>> {
    let mut ids = Vec::new();
    for name in names {
        ids.push(find::project(client, name).await?.value.id);
    }
    Ok(ids)
}

fn address() -> Result<String> {
    secret::read("Address to post to")?.context("no address came on standard input")
}

fn password() -> Result<String> {
    secret::read("Password of the mail server")?.context("no password came on standard input")
}

fn secret_in(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    Ok(text.trim_end().to_owned())
}
