//! When a workspace is stopped by itself, and what is done against that.

use anyhow::{Result, bail};
use ids::{TerminalId, WorkspaceId, WorkspaceState};

use super::boot;
use crate::cli::client::Client;
use crate::cli::output::{self, line};
use crate::cli::{Format, time};

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct Asked {
    /// `2h`, `30m`: at least so long from now on, up to a day.
    #[arg(long = "for", value_name = "TIME", value_parser = time::parse_seconds)]
    time: Option<i64>,
    /// A running terminal, by name or id: until the job that it runs now ends, or the terminal itself where it runs none.
    #[arg(long, value_name = "TERMINAL")]
    until_done: Option<String>,
    /// Take it back.
    #[arg(long)]
    off: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = true)]
pub(super) struct Change {
    #[arg(long)]
    name: Option<String>,
    /// Stop it when nothing happened in it for so long: `30m`, `2h`; `0s`: never.
    #[arg(long, value_name = "TIME", value_parser = time::parse_seconds)]
    idle_timeout: Option<i64>,
    /// Stop it then, whatever happens in it: `8h` from now, or a time like 2030-01-31T18:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time::parse_future)]
    shutdown_deadline: Option<jiff::Timestamp>,
    #[arg(long, conflicts_with = "shutdown_deadline")]
    no_shutdown_deadline: bool,
}

pub(super) async fn keep(client: &Client, name: &str, asked: Asked, format: Format) -> Result<()> {
    let id = super::find(client, name).await?.value.id;
    let path = ["workspaces", id.as_str(), "awake"];
    if asked.off {
        client.delete(&path).await?;
    } else {
        let terminal_id = match &asked.until_done {
            Some(terminal) => Some(self::terminal(client, &id, terminal).await?),
            None => None,
        };
        let body = api::WorkspaceAwake { seconds: asked.time, terminal_id };
        client.post::<api::Workspace>(&path, &body).await?;
    }
    show(client, &id, format).await
}

pub(super) async fn update(client: &Client, name: &str, change: Change, format: Format) -> Result<()> {
    let id = super::find(client, name).await?.value.id;
    let deadline = change.shutdown_deadline.map(|time| time.to_string());
    let body = api::WorkspaceUpdate {
        name: change.name,
        idle_timeout_seconds: change.idle_timeout,
        shutdown_deadline: deadline.or(change.no_shutdown_deadline.then(String::new)),
    };
    client.patch::<api::Workspace>(&["workspaces", id.as_str()], &body).await?;
    show(client, &id, format).await
}

async fn show(client: &Client, id: &WorkspaceId, format: Format) -> Result<()> {
    client.get::<api::Workspace>(&["workspaces", id.as_str()]).await?.show(format.json, |workspace| {
        let sleeps = sleeps(workspace);
        let sleeps = if sleeps.is_empty() { "is not stopped by itself".to_owned() } else { format!("sleeps {sleeps}") };
        line(format!("{} {}", workspace.name, output::safe(&sleeps)))
    })
}

/// The running terminal of this id or name.
async fn terminal(client: &Client, workspace: &WorkspaceId, text: &str) -> Result<TerminalId> {
    let list = client.get::<api::TerminalList>(&["workspaces", workspace.as_str(), "terminals"]).await?.value;
    let is_meant = |it: &&api::Terminal| it.is_running && (it.name == text || it.id.as_str() == text);
    match list.terminals.iter().filter(is_meant).collect::<Vec<_>>().as_slice() {
        [one] => Ok(one.id.clone()),
        [] => bail!("no terminal `{text}` runs in that workspace"),
        several => {
            let ids = several.iter().map(|terminal| terminal.id.as_str()).collect::<Vec<_>>().join(", ");
            bail!("several terminals are called `{text}`; name one by its id: {ids}")
        }
    }
}

/// `in 12 min, as …`; nothing for one that nothing will stop.
pub(super) fn sleeps(workspace: &api::Workspace) -> String {
    let Some(idle) = &workspace.idle else { return String::new() };
    match &idle.sleeps_at {
        Some(at) => format!("{}, at {}: {}", time::until(at), time::local(at), idle.because),
        None => format!("not now: {}", idle.because),
    }
}

/// Follows what was asked to wake up until it has come to rest.
pub(in crate::cli) async fn woken(client: &Client, id: &WorkspaceId, quietly: bool) -> Result<()> {
    let workspace = boot::settled(client, id, Format { json: quietly }).await?.value;
    match workspace.state {
        WorkspaceState::Error => {
            boot::verdict(&workspace)?;
            bail!("{} could not be started", workspace.name)
        }
        _ => Ok(()),
    }
}
