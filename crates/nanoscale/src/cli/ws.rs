//! Workspaces: checkouts of projects on a machine, where one person works.

mod awake;
mod boot;
mod share;

use std::process::ExitCode;

use anyhow::{Result, bail};
use ids::{WorkspaceId, WorkspaceState};

pub(super) use self::awake::woken;
use super::client::{Answer, Client};
use super::follow::{self, Follower, Line};
use super::output::{self, Cell, Colour, Table};
use super::plot::Range;
use super::project::metrics;
use super::{Format, confirm, find, time, watch};

#[derive(clap::Args)]
pub(crate) struct WsArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: WsCommand,
}

/// Workspaces are named by id, or by name where only one has it.
#[derive(clap::Subcommand)]
enum WsCommand {
    /// Your workspaces, newest first.
    #[command(visible_alias = "ls")]
    List,
    /// Open a project on a machine, and follow its start until it can be worked in.
    Create(CreateArgs),
    Show {
        workspace: String,
    },
    /// End what runs in it. Its files stay, also those that were never committed.
    Stop {
        workspace: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Start one that is stopped, or could not be started, with its files as they are.
    #[command(visible_alias = "restart")]
    Start {
        workspace: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Keep it awake though nothing happens in it: for a time, or until a job ends. A shutdown deadline counts all the same.
    Awake {
        workspace: String,
        #[command(flatten)]
        asked: awake::Asked,
    },
    /// Change its name, or when it is stopped by itself.
    Update {
        workspace: String,
        #[command(flatten)]
        change: awake::Change,
    },
    /// Make it anew from its repository. What was not pushed is lost.
    Rebuild {
        workspace: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Remove it with its files.
    #[command(visible_alias = "rm")]
    Delete {
        workspace: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// What its start wrote.
    Log {
        workspace: String,
        /// Go on with what it writes.
        #[arg(long, short)]
        follow: bool,
    },
    /// What its processes used together, over time.
    Metrics {
        workspace: String,
        #[command(flatten)]
        range: Range,
    },
    /// Ports that something in it listens on, and where a browser finds them.
    Ports {
        workspace: String,
    },
    /// Let others in at a port, or nobody but you.
    Port(share::PortArgs),
    /// Make a link by which anybody may watch one of its terminals.
    Share(share::ShareArgs),
    /// Where its page is.
    Open {
        workspace: String,
    },
}

#[derive(clap::Args)]
struct CreateArgs {
    project: String,
    /// What it is called. Default: the project's name and branch.
    #[arg(long)]
    name: Option<String>,
    /// The machine, by name or id. Default: one with room.
    #[arg(long)]
    node: Option<String>,
    /// Branch or tag that is there. Default: the project's.
    #[arg(long)]
    branch: Option<String>,
    /// A branch to begin there.
    #[arg(long)]
    new_branch: Option<String>,
    /// Stop it when nothing happened in it for so long: `30m`, `2h`. Default: never.
    #[arg(long, value_name = "TIME", value_parser = time::parse_seconds)]
    idle_timeout: Option<i64>,
    /// Stop it then, whatever happens in it: `8h` from now, or a time like 2030-01-31T18:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = time::parse_future)]
    shutdown_deadline: Option<jiff::Timestamp>,
    /// What its processes may take together. Default: what is usual on the server.
    #[arg(long, value_name = "MB")]
    memory: Option<u64>,
    #[command(flatten)]
    wait: Wait,
}

#[derive(clap::Args, Clone, Copy)]
struct Wait {
    /// Return at once.
    #[arg(long)]
    no_wait: bool,
}

pub(super) async fn run(args: WsArgs) -> Result<ExitCode> {
    let (client, format) = (Client::signed_in()?, args.format);
    match args.command {
        WsCommand::List => client.get::<api::WorkspaceList>(&["workspaces"]).await?.show(format.json, print_list)?,
        WsCommand::Create(create) => return self::create(&client, create, format).await,
        WsCommand::Show { workspace } => self::find(&client, &workspace).await?.show(format.json, print_one)?,
        WsCommand::Stop { workspace, wait } => {
            return change(&client, &workspace, "stop", &serde_json::json!({}), wait, format).await;
        }
        WsCommand::Start { workspace, wait } => {
            return change(&client, &workspace, "restart", &serde_json::json!({}), wait, format).await;
        }
        WsCommand::Awake { workspace, asked } => awake::keep(&client, &workspace, asked, format).await?,
        WsCommand::Update { workspace, change } => awake::update(&client, &workspace, change, format).await?,
        WsCommand::Rebuild { workspace, yes, wait } => {
            let found = self::find(&client, &workspace).await?.value;
            if !yes {
                let warning = "Its files are made anew from the repository: what was not pushed is lost.";
                confirm::by_name(warning, &found.name)?;
            }
            let body = api::WorkspaceRebuild { discard_files: true };
            return change(&client, found.id.as_str(), "rebuild", &body, wait, format).await;
        }
        WsCommand::Delete { workspace, yes } => delete(&client, &workspace, yes).await?,
        WsCommand::Log { workspace, follow } => log(&client, &workspace, follow, format).await?,
        WsCommand::Metrics { workspace, range } => {
            let found = self::find(&client, &workspace).await?.value;
            let path = ["workspaces", found.id.as_str(), "metrics"];
            let history = client.get_with::<api::ProjectMetrics>(&path, &range.query()).await?;
            history.show(format.json, |history| metrics::print(history, &range))?;
        }
        WsCommand::Ports { workspace } => self::find(&client, &workspace).await?.show(format.json, |found| {
            let mut table = Table::new(["PORT", "ACCESS", "ADDRESS"]);
            for port in &found.ports {
                table.row([Cell::new(port.port, Colour::Bold), Cell::from(port.access), Cell::from(&port.url)]);
            }
            table.print()
        })?,
        WsCommand::Port(args) => share::port(&client, args, format).await?,
        WsCommand::Share(args) => share::terminal(&client, args, format).await?,
        WsCommand::Open { workspace } => {
            self::find(&client, &workspace).await?.show(format.json, |found| output::line(&found.url))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The workspace that `text` names by id, or by a name that only one has.
pub(super) async fn find(client: &Client, text: &str) -> Result<Answer<api::Workspace>> {
    let text = text.trim();
    if let Ok(id) = text.to_ascii_lowercase().parse::<WorkspaceId>() {
        return client.get(&["workspaces", id.as_str()]).await;
    }
    let list = client.get::<api::WorkspaceList>(&["workspaces"]).await?.value;
    let id = named(&list.workspaces, text)?;
    client.get(&["workspaces", id.as_str()]).await
}

fn named<'a>(workspaces: &'a [api::Workspace], name: &str) -> Result<&'a WorkspaceId> {
    let found = workspaces.iter().filter(|workspace| workspace.name == name).collect::<Vec<_>>();
    match found.as_slice() {
        [one] => Ok(&one.id),
        [] => bail!("you have no workspace `{name}`; `nanoscale ws list` shows what there is"),
        several => {
            let ids = several.iter().map(|workspace| format!("  {}  {}", workspace.id, workspace.project_name));
            let ids = ids.collect::<Vec<_>>().join("\n");
            bail!("several workspaces are called `{name}`; name one by its id:\n{ids}")
        }
    }
}

async fn create(client: &Client, create: CreateArgs, format: Format) -> Result<ExitCode> {
    let project = find::project(client, &create.project).await?.value;
    let body = api::WorkspaceCreate {
        project_id: project.id.to_string(),
        name: create.name,
        node_id: create.node,
        branch: create.branch,
        new_branch: create.new_branch,
        idle_timeout_seconds: create.idle_timeout,
        shutdown_deadline: create.shutdown_deadline.map(|time| time.to_string()),
        memory_mb: create.memory,
    };
    let made = client.post::<api::Workspace>(&["workspaces"], &body).await?;
    conclude(client, made, create.wait, format).await
}

/// Asks for a change of a workspace's state, and follows it.
async fn change(
    client: &Client,
    name: &str,
    verb: &str,
    body: &impl serde::Serialize,
    wait: Wait,
    format: Format,
) -> Result<ExitCode> {
    let id = find(client, name).await?.value.id;
    let answer = client.post::<api::Workspace>(&["workspaces", id.as_str(), verb], body).await?;
    conclude(client, answer, wait, format).await
}

async fn conclude(client: &Client, answer: Answer<api::Workspace>, wait: Wait, format: Format) -> Result<ExitCode> {
    if wait.no_wait {
        answer.show(format.json, |workspace| {
            output::line(format!("{} is {}", workspace.name, workspace.state))?;
            output::line(format!("look at it: nanoscale ws show {}", workspace.id))
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let id = &answer.value.id;
    tokio::select! {
        settled = boot::settled(client, id, format) => {
            let answer = settled?;
            answer.show(format.json, boot::verdict)?;
            let failed = matches!(answer.value.state, WorkspaceState::Error | WorkspaceState::Recovery);
            Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        _ = tokio::signal::ctrl_c() => {
            output::note(format!("\nThe workspace goes on without you; look at it: nanoscale ws show {id}"));
            Ok(ExitCode::from(watch::INTERRUPTED))
        }
    }
}

async fn delete(client: &Client, name: &str, yes: bool) -> Result<()> {
    let found = find(client, name).await?.value;
    if !yes {
        let warning = format!("{} is removed with its files: what was not pushed is lost.", found.name);
        confirm::by_name(&warning, &found.name)?;
    }
    client.delete(&["workspaces", found.id.as_str()]).await?;
    output::line(format!("Deleted {}", found.name))
}

async fn log(client: &Client, name: &str, follow: bool, format: Format) -> Result<()> {
    let id = find(client, name).await?.value.id;
    let path = ["workspaces", id.as_str(), "log"];
    let print = |line: &Line| if format.json { output::line(&line.raw) } else { watch::print_build_line(&line.value) };
    if !follow {
        return follow::read_all(client.stream(&path, &[], None).await?, print).await;
    }
    let settled = async || {
        let workspace = client.get::<api::Workspace>(&["workspaces", id.as_str()]).await?.value;
        Ok(workspace.state != WorkspaceState::Creating)
    };
    follow::to_end(Follower::new(client, path, Vec::new()), print, settled).await
}

fn state(state: WorkspaceState) -> Cell {
    let colour = match state {
        WorkspaceState::Running => Colour::Green,
        WorkspaceState::Creating | WorkspaceState::Stopping => Colour::Yellow,
        WorkspaceState::Recovery | WorkspaceState::Error => Colour::Red,
        WorkspaceState::Stopped | WorkspaceState::Deleting => Colour::Dim,
    };
    Cell::new(state, colour)
}

fn print_list(list: &api::WorkspaceList) -> Result<()> {
    let mut table = Table::new(["NAME", "PROJECT", "STATE", "SINCE", "MACHINE", "TERMINALS", "ID"]);
    for workspace in &list.workspaces {
        table.row([
            Cell::new(&workspace.name, Colour::Bold),
            Cell::from(&workspace.project_name),
            state(workspace.state),
            time::ago(&workspace.state_since).into(),
            Cell::from(&workspace.node_name),
            workspace.terminals.into(),
            Cell::new(&workspace.id, Colour::Dim),
        ]);
    }
    table.print()
}

fn print_one(workspace: &api::Workspace) -> Result<()> {
    let branch = workspace.new_branch.as_ref().or(workspace.branch.as_ref());
    let idle = match workspace.idle_timeout_seconds {
        0 => "never stopped by itself".to_owned(),
        seconds => format!("stopped after {} without anything happening", time::took(seconds * 1000)),
    };
    for (name, value) in [
        ("name", workspace.name.clone()),
        ("id", workspace.id.to_string()),
        ("project", workspace.project_name.clone()),
        ("branch", branch.cloned().unwrap_or_else(|| "the repository's default".into())),
        ("machine", workspace.node_name.clone()),
        ("state", format!("{}, {}", workspace.state, time::ago(&workspace.state_since))),
        ("memory", format!("{} MB", workspace.memory_mb)),
        ("idle", idle),
        ("sleeps", awake::sleeps(workspace)),
        ("page", workspace.url.clone()),
    ] {
        if !value.is_empty() {
            output::line(format!("{name:<10}{}", output::safe(&value)))?;
        }
    }
    boot::print_steps(&workspace.steps)?;
    boot::print_reason(workspace);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(name: &str) -> api::Workspace {
        serde_json::from_value(serde_json::json!({
            "id": WorkspaceId::new(), "name": name, "project_id": ids::ProjectId::new(), "project_name": "shop",
            "owner": "ada", "node_id": ids::NodeId::new(), "node_name": "here", "state": "running",
            "state_since": "2026-01-01T00:00:00Z", "attempt": 1, "steps": [], "ports": [], "terminals": 0,
            "memory_mb": 1024, "idle_timeout_seconds": 0, "url": "http://x", "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
        }))
        .unwrap()
    }

    #[test]
    fn a_name_is_one_workspace_or_none() {
        let all = [workspace("one"), workspace("two"), workspace("two")];
        assert_eq!(named(&all, "one").unwrap(), &all[0].id);
        assert!(named(&all, "three").unwrap_err().to_string().contains("no workspace `three`"));
        let several = named(&all, "two").unwrap_err().to_string();
        assert!(several.contains(all[1].id.as_str()) && several.contains(all[2].id.as_str()), "{several}");
    }
}
