//! The machines that apps run on.

mod caches;
mod info;
mod logs;
mod metrics;

use std::process::ExitCode;

use anyhow::{Result, bail};
use ids::{HealthStatus, NodeId};

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
    /// What builds keep on a machine for later ones, what would go first in front.
    Caches(caches::CachesArgs),
    /// Remove what builds keep. Those that builds work with stay; the next build of the others takes longer.
    Prune(caches::PruneArgs),
}

pub(super) use caches::print_pruned;

pub(super) async fn run(args: NodeArgs) -> Result<ExitCode> {
    let client = Client::signed_in()?;
    match args.command {
        NodeCommand::List => client.get::<api::NodeList>(&["nodes"]).await?.show(args.format.json, print_list)?,
        NodeCommand::Show { node } => {
            let node = find(&client, &node).await?;
            let projects = client.get::<api::ProjectList>(&["projects"]).await?.value.projects;
            node.show(args.format.json, |node| print(node, &projects))?;
        }
        NodeCommand::Metrics(which) => metrics::show(&client, which, args.format.json).await?,
        NodeCommand::Logs(which) => return logs::run(&client, which, args.format.json).await,
        NodeCommand::Info { node } => info::run(&client, node.as_deref(), args.format.json).await?,
        NodeCommand::Caches(which) => caches::list(&client, which, args.format.json).await?,
        NodeCommand::Prune(which) => caches::prune(&client, which, args.format.json).await?,
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
    let mut table = Table::new(["NAME", "STATUS", "HEALTH", "CPU", "MEMORY", "DISK", "APPS", "ID"]);
    for node in &list.nodes {
        let metrics = node.metrics.as_ref();
        let of = |used: u64, total: u64| format!("{} of {}", bytes(used), bytes(total));
        table.row([
            Cell::new(&node.name, Colour::Bold),
            node.status.into(),
            health(node.health_status),
            metrics.map_or_else(|| "-".into(), |now| format!("{:.0} %", now.cpu_percent)).into(),
            metrics.map_or_else(|| "-".into(), |now| of(now.memory_used_bytes, now.memory_total_bytes)).into(),
            metrics.map_or_else(|| "-".into(), |now| of(now.disk_used_bytes, now.disk_total_bytes)).into(),
            node.workloads.len().into(),
            Cell::new(&node.id, Colour::Dim),
        ]);
    }
    table.print()
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
    fields.add("name", &node.name).add("id", &node.id).add("status", node.status);
    fields.add("health", health(node.health_status));
    fields.add_some("version", node.version.as_ref()).add_some("kernel", node.kernel.as_ref());
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
