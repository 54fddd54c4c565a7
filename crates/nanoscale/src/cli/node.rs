//! The machines that apps run on.

mod caches;
mod info;
mod logs;
mod members;
mod metrics;
mod tokens;

use std::process::ExitCode;

use anyhow::{Result, bail};
use ids::{HealthStatus, JoinTokenId, NodeId, NodeStatus};

use super::client::{Answer, Client};
use super::output::{self, Cell, Colour, Fields, Table, bytes};
use super::{Format, time};

#[derive(clap::Args)]
pub(crate) struct NodeArgs {
    #[command(flatten)]
    format: Format,
    #[command(subcommand)]
    command: NodeCommand,
}

#[derive(clap::Subcommand)]
enum NodeCommand {
    /// Every machine with what it is busy with.
    #[command(visible_alias = "ls")]
    List,
    /// One machine: what it can enforce, and what runs there.
    Show {
        /// Its id or name.
        node: String,
    },
    /// What a machine used, as a small plot.
    Metrics(metrics::MetricsArgs),
    /// What a machine logs: NanoScale's own program there, cloud-init, containers, units in the systemd journal.
    Logs(logs::LogsArgs),
    /// What a machine is: system, processors, memory, disks, networks, containers, programs.
    Info {
        /// Its id or name; may be left out where there is only one.
        node: Option<String>,
    },
    /// Invite a machine: prints the command that joins it.
    Token(tokens::TokenArgs),
    /// Invitations, and what became of them.
    Tokens,
    /// Make an invitation worthless. A machine that has joined with it stays.
    Revoke { id: JoinTokenId },
    /// Give a machine another name.
    Rename {
        /// Its id or name.
        node: String,
        name: String,
    },
    /// Set and take off labels: `nanoscale node label berlin region=eu gpu-`.
    Label {
        /// Its id or name.
        node: String,
        /// `KEY=VALUE` sets one, `KEY-` takes it off.
        #[arg(required = true, value_name = "LABEL", value_parser = members::parse_relabel)]
        labels: Vec<members::Relabel>,
    },
    /// Say who may put projects on a machine.
    Access {
        /// Its id or name.
        node: String,
        access: members::Access,
        /// With `granted`: to whom, in place of everybody to whom it was granted before. User names, with commas.
        #[arg(long, value_delimiter = ',', value_name = "USER")]
        to: Option<Vec<String>>,
    },
    /// Give a machine nothing new, have what it runs move away, and wait until it is empty.
    Drain {
        /// Its id or name.
        node: String,
        /// Return at once.
        #[arg(long, short)]
        detach: bool,
    },
    /// Let a drained machine have projects again.
    Resume {
        /// Its id or name.
        node: String,
    },
    /// Take a machine out of the cluster.
    #[command(visible_alias = "rm")]
    Remove(members::RemoveArgs),
    /// What builds keep on a machine for later ones, what would go first in front.
    Caches(caches::CachesArgs),
    /// Remove what builds keep. Those that builds work with stay; the next build of the others takes longer.
    Prune(caches::PruneArgs),
}

pub(super) use caches::print_pruned;

pub(super) async fn run(args: NodeArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    let json = args.format.json;
    match args.command {
        NodeCommand::List => client.get::<api::NodeList>(&["nodes"]).await?.show(json, print_list)?,
        NodeCommand::Show { node } => {
            let node = find(&client, &node).await?;
            let projects = client.get::<api::ProjectList>(&["projects"]).await?.value.projects;
            node.show(json, |node| print(node, &projects))?;
        }
        NodeCommand::Metrics(which) => metrics::show(&client, which, json).await?,
        NodeCommand::Logs(which) => return logs::run(&client, which, json).await,
        NodeCommand::Info { node } => info::run(&client, node.as_deref(), json).await?,
        NodeCommand::Token(args) => return tokens::create(&client, args, json).await,
        NodeCommand::Tokens => tokens::list(&client, json).await?,
        NodeCommand::Revoke { id } => tokens::revoke(&client, &id).await?,
        NodeCommand::Rename { node, name } => members::rename(&client, &node, name, json).await?,
        NodeCommand::Label { node, labels } => members::label(&client, &node, labels, json).await?,
        NodeCommand::Access { node, access, to } => members::access(&client, &node, access, to, json).await?,
        NodeCommand::Drain { node, detach } => return members::drain(&client, &node, detach, json).await,
        NodeCommand::Resume { node } => members::resume(&client, &node, json).await?,
        NodeCommand::Remove(args) => members::remove(&client, &args).await?,
        NodeCommand::Caches(which) => caches::list(&client, which, json).await?,
        NodeCommand::Prune(which) => caches::prune(&client, which, json).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(client: &Client, name: &str) -> Result<Answer<api::Node>> {
    if let Ok(id) = name.parse::<NodeId>() {
        return client.get(&["nodes", id.as_str()]).await;
    }
    let list = client.get::<api::NodeList>(&["nodes"]).await?.value;
    match list.nodes.iter().find(|node| node.name == name) {
        Some(node) => client.get(&["nodes", node.id.as_str()]).await,
        None => bail!("there is no node `{name}`; `nanoscale node list` shows what there is"),
    }
}

/// The one that is named, or the only one.
async fn named(client: &Client, name: Option<&str>) -> Result<api::Node> {
    if let Some(name) = name {
        return Ok(find(client, name).await?.value);
    }
    let mut nodes = client.get::<api::NodeList>(&["nodes"]).await?.value.nodes;
    match (nodes.pop(), nodes.is_empty()) {
        (Some(only), true) => Ok(only),
        _ => bail!("name one of the nodes that `nanoscale node list` shows"),
    }
}

fn print_list(list: &api::NodeList) -> Result<()> {
    let mut table = Table::new(["NAME", "STATUS", "HEALTH", "LABELS", "CPU", "MEMORY", "DISK", "APPS", "ID"]);
    for node in &list.nodes {
        let metrics = node.metrics.as_ref();
        let of = |used: u64, total: u64| format!("{} of {}", bytes(used), bytes(total));
        table.row([
            Cell::new(&node.name, Colour::Bold),
            status(node),
            health(node.health_status),
            members::labels(&node.labels).into(),
            metrics.map_or_else(|| "-".into(), |now| format!("{:.0} %", now.cpu_percent)).into(),
            metrics.map_or_else(|| "-".into(), |now| of(now.memory_used_bytes, now.memory_total_bytes)).into(),
            metrics.map_or_else(|| "-".into(), |now| of(now.disk_used_bytes, now.disk_total_bytes)).into(),
            node.workloads.len().into(),
            Cell::new(&node.id, Colour::Dim),
        ]);
    }
    table.print()
}

/// A machine that is away may be one that shall be emptied too.
fn status(node: &api::Node) -> Cell {
    let colour = match node.status {
        NodeStatus::Online => Colour::Green,
        NodeStatus::Joining | NodeStatus::Unreachable | NodeStatus::Draining => Colour::Yellow,
        NodeStatus::Offline | NodeStatus::Removed => Colour::Red,
    };
    let also = if node.draining && node.status != NodeStatus::Draining { ", draining" } else { "" };
    Cell::new(format!("{}{also}", node.status), colour)
}

fn health(status: HealthStatus) -> Cell {
    let colour = match status {
        HealthStatus::Healthy => Colour::Green,
        HealthStatus::Stale => Colour::Yellow,
        HealthStatus::Unhealthy => Colour::Red,
    };
    Cell::new(status, colour)
}

fn print(node: &api::Node, projects: &[api::Project]) -> Result<()> {
    let mut fields = Fields::default();
    fields.add("name", &node.name).add("id", &node.id).add("status", status(node));
    fields.add("health", health(node.health_status));
    for problem in &node.problems {
        fields.add("problem", Cell::new(format!("{} ({})", problem.message, problem.code), Colour::Red));
    }
    fields.add("labels", members::labels(&node.labels));
    fields.add("for", members::whose(node)).add("since", time::local(&node.created_at));
    fields.add_some("version", node.version.as_ref()).add_some("kernel", node.kernel.as_ref());
    fields.add_some("reached at", node.direct_address.map(|address| address.to_string()));
    fields.add_some("last seen", node.last_seen_at.as_deref().map(time::ago));
    if let Some(now) = &node.metrics {
        fields.add("cpu", format!("{:.0} % of {} cores, load {:.2}", now.cpu_percent, now.cpu_cores, now.load));
        fields.add("memory", format!("{} of {}", bytes(now.memory_used_bytes), bytes(now.memory_total_bytes)));
        fields.add("disk", format!("{} of {}", bytes(now.disk_used_bytes), bytes(now.disk_total_bytes)));
    }
    fields.print()?;
    if !node.capabilities.is_empty() {
        output::line("")?;
        let mut table = Table::new(["PROTECTION", "HOLDS", "HOW"]);
        for capability in &node.capabilities {
            let holds = if capability.enabled { ("yes", Colour::Green) } else { ("no", Colour::Yellow) };
            table.row([Cell::from(&capability.name), Cell::new(holds.0, holds.1), Cell::from(&capability.detail)]);
        }
        table.print()?;
    }
    if !node.workloads.is_empty() {
        output::line("")?;
        print_workloads(&node.workloads, projects)?;
    }
    Ok(())
}

fn print_workloads(workloads: &[api::WorkloadMetrics], projects: &[api::Project]) -> Result<()> {
    let mut table = Table::new(["PROJECT", "DEPLOYMENT", "STATE", "MEMORY", "CPU", "RESTARTS"]);
    for workload in workloads {
        // One that is being removed has an id only.
        let project = projects.iter().find(|project| project.id == workload.project_id);
        let known = project.into_iter().flat_map(|project| [&project.live_deployment, &project.latest_deployment]);
        let number = known.flatten().find(|known| known.id == workload.deployment_id).map(|known| known.number);
        table.row([
            project.map_or_else(|| Cell::from(&workload.project_id), |project| Cell::from(&project.name)),
            number.map_or_else(|| Cell::from(&workload.deployment_id), Cell::from),
            Cell::from(&workload.state),
            workload.memory_bytes.map_or_else(|| "-".to_owned(), bytes).into(),
            workload.cpu_seconds.map_or_else(|| "-".to_owned(), |spent| format!("{spent:.1} s")).into(),
            workload.restarts.into(),
        ]);
    }
    table.print()
}
