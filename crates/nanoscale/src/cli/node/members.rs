//! What people decide about machines: names, labels, who may use them, and whether they stay.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use ids::{NodeAccess, NodeStatus};
use reqwest::StatusCode;

use super::find;
use crate::cli::client::{Answer, Client, ClientError};
use crate::cli::confirm;
use crate::cli::output::{self, Colour, paint};
use crate::cli::watch::INTERRUPTED;

const POLL: Duration = Duration::from_millis(300);

/// `key=value`.
pub(super) fn parse_label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write a label as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// As people write them.
pub(super) fn labels(labels: &BTreeMap<String, String>) -> String {
    let all = labels.iter().map(|(key, value)| if value.is_empty() { key.clone() } else { format!("{key}={value}") });
    let all = all.collect::<Vec<_>>().join(",");
    if all.is_empty() { "-".to_owned() } else { all }
}

/// A label to set, or one to take off.
#[derive(Debug, Clone)]
pub(super) enum Relabel {
    Set(String, String),
    Remove(String),
}

/// `key=value`, or `key-` for none.
pub(super) fn parse_relabel(text: &str) -> Result<Relabel, String> {
    match (text.split_once('='), text.strip_suffix('-')) {
        (Some((key, value)), _) => Ok(Relabel::Set(key.to_owned(), value.to_owned())),
        (None, Some(key)) => Ok(Relabel::Remove(key.to_owned())),
        (None, None) => Err("write KEY=VALUE to set a label and KEY- to take it off".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Access {
    /// Its owner only.
    Owner,
    /// Its owner, and those it was granted to.
    Granted,
    Everybody,
}

impl From<Access> for NodeAccess {
    fn from(access: Access) -> Self {
        match access {
            Access::Owner => Self::Owner,
            Access::Granted => Self::Granted,
            Access::Everybody => Self::Everybody,
        }
    }
}

async fn update(client: &Client, node: &api::Node, update: &api::NodeUpdate) -> Result<Answer<api::Node>> {
    client.patch(&["nodes", node.id.as_str()], update).await
}

pub(super) async fn rename(client: &Client, name: &str, to: String, json: bool) -> Result<()> {
    let node = find(client, name).await?.value;
    let wanted = api::NodeUpdate { name: Some(to), ..api::NodeUpdate::default() };
    update(client, &node, &wanted)
        .await?
        .show(json, |renamed| output::line(format!("`{}` is now `{}`", node.name, renamed.name)))
}

pub(super) async fn label(client: &Client, name: &str, changes: Vec<Relabel>, json: bool) -> Result<()> {
    let node = find(client, name).await?.value;
    let mut wanted = node.labels.clone();
    for change in changes {
        match change {
            Relabel::Set(key, value) => drop(wanted.insert(key, value)),
            Relabel::Remove(key) => {
                if wanted.remove(&key).is_none() {
                    output::note(format!("`{}` has no label `{key}`.", node.name));
                }
            }
        }
    }
    let wanted = api::NodeUpdate { labels: Some(wanted), ..api::NodeUpdate::default() };
    update(client, &node, &wanted)
        .await?
        .show(json, |node| output::line(format!("`{}` has the labels {}", node.name, labels(&node.labels))))
}

pub(super) async fn access(
    client: &Client,
    name: &str,
    access: Access,
    to: Option<Vec<String>>,
    json: bool,
) -> Result<()> {
    if to.is_some() && !matches!(access, Access::Granted) {
        bail!("`--to` goes with `granted`");
    }
    let node = find(client, name).await?.value;
    let wanted = api::NodeUpdate { access: Some(access.into()), granted_to: to, ..api::NodeUpdate::default() };
    update(client, &node, &wanted).await?.show(json, |node| {
        output::line(format!("`{}` is for {}", node.name, whose(node)))?;
        if node.access == NodeAccess::Granted && node.granted_to.is_empty() {
            output::note("  it is granted to nobody yet: --to USER,USER");
        }
        Ok(())
    })
}

/// Who may put projects on a machine, in words.
pub(super) fn whose(node: &api::Node) -> String {
    match node.access {
        NodeAccess::Owner => "its owner".into(),
        NodeAccess::Granted if node.granted_to.is_empty() => "its owner, until it is granted to others".into(),
        NodeAccess::Granted => format!("its owner and {}", node.granted_to.join(", ")),
        NodeAccess::Everybody => "everybody".into(),
    }
}

/// Drains, and shows what is still there until nothing is.
pub(super) async fn drain(client: &Client, name: &str, detach: bool, json: bool) -> Result<ExitCode> {
    let node = find(client, name).await?.value;
    let answer = client.post::<api::Node>(&["nodes", node.id.as_str(), "drain"], &()).await?;
    if detach {
        answer.show(json, |node| output::line(format!("`{}` is being drained", node.name)))?;
        return Ok(ExitCode::SUCCESS);
    }
    tokio::select! {
        emptied = emptied(client, &node) => {
            emptied?.show(json, |node| {
                output::line(paint(&format!("`{}` is empty", node.name), Colour::Green))?;
                output::note(format!("  take it out:     nanoscale node remove {}", node.name));
                output::note(format!("  use it again:    nanoscale node resume {}", node.name));
                Ok(())
            })?;
            Ok(ExitCode::SUCCESS)
        }
        _ = tokio::signal::ctrl_c() => {
            output::note(format!("\n`{}` gets nothing new and goes on being drained.", node.name));
            output::note(format!("  use it again:  nanoscale node resume {}", node.name));
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

/// The node, once no project is at home there and nothing of one runs there.
async fn emptied(client: &Client, node: &api::Node) -> Result<Answer<api::Node>> {
    let mut said = None;
    loop {
        let projects = client.get::<api::ProjectList>(&["projects"]).await?.value.projects;
        let now = client.get::<api::Node>(&["nodes", node.id.as_str()]).await?;
        anyhow::ensure!(now.value.draining, "somebody has ended the draining of `{}`", node.name);
        let left = projects.iter().filter(|project| project.node_id == node.id);
        let left = left.map(|project| project.name.as_str()).collect::<Vec<_>>();
        // What a node that is away last said of itself is old.
        let is_up = now.value.status == NodeStatus::Draining;
        let running = if is_up { now.value.workloads.len() } else { 0 };
        let state = match (left.len(), running) {
            (0, 0) => return Ok(now),
            (0, running) => format!("{running} processes are left to stop"),
            (1, _) => format!("1 project left: {}", left.join(", ")),
            (count, _) => format!("{count} projects left: {}", left.join(", ")),
        };
        if said.as_ref() != Some(&state) {
            output::note(&state);
            said = Some(state);
        }
        tokio::time::sleep(POLL).await;
    }
}

pub(super) async fn resume(client: &Client, name: &str, json: bool) -> Result<()> {
    let node = find(client, name).await?.value;
    let answer = client.post::<api::Node>(&["nodes", node.id.as_str(), "resume"], &()).await?;
    answer.show(json, |node| output::line(format!("`{}` gets projects again", node.name)))
}

#[derive(clap::Args)]
pub(super) struct RemoveArgs {
    /// Its id or name.
    node: String,
    /// Also while projects are on it; what only this machine has of them is lost.
    #[arg(long)]
    force: bool,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn remove(client: &Client, args: &RemoveArgs) -> Result<()> {
    let node = find(client, &args.node).await?.value;
    if !args.yes {
        let warning = format!(
            "This takes `{}` out of the cluster: its key opens nothing any more, and it ends what it runs.",
            node.name
        );
        confirm::by_name(&warning, &node.name)?;
    }
    let query = [("force", args.force.to_string())];
    match client.delete_with(&["nodes", node.id.as_str()], &query).await {
        Ok(StatusCode::NO_CONTENT) => {}
        Ok(status) => anyhow::bail!("the server answers {status}"),
        // Somebody else was faster.
        Err(error) if ClientError::is_not_found(&error) => {}
        Err(error) => return Err(error),
    }
    output::line(format!("Removed `{}`", node.name))
}
