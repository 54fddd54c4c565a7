//! What a machine is.

use anyhow::Result;

use crate::cli::client::Client;
use crate::cli::output::{self, Cell, Fields, Table, bytes};
use crate::cli::time;

pub(super) async fn run(client: &Client, node: Option<&str>, json: bool) -> Result<()> {
    let node = super::named(client, node).await?;
    let driver = node.capabilities.iter().find(|capability| capability.name == "driver").map(|it| it.detail.as_str());
    let info = client.get::<api::SystemInfo>(&["nodes", node.id.as_str(), "system-info"]).await?;
    info.show(json, |info| print(info, driver))
}

fn print(info: &api::SystemInfo, driver: Option<&str>) -> Result<()> {
    let of = |memory: api::Memory| format!("{} of {}", bytes(memory.used_bytes), bytes(memory.total_bytes));
    let mut fields = Fields::default();
    fields.add("hostname", &info.hostname).add("system", &info.os);
    fields.add("kernel", format!("{} {}", info.kernel, info.architecture));
    fields.add("up", uptime(info.uptime_seconds));
    fields.add_some("processor", info.cpu.model.as_ref());
    let api::Cpu { cores, load_1, load_5, load_15, .. } = info.cpu;
    fields.add("cores", format!("{cores}, load {load_1:.2} {load_5:.2} {load_15:.2}"));
    fields.add("memory", of(info.memory)).add("swap", of(info.swap));
    let api::AgentInfo { version, pid, started_at, memory_bytes } = &info.agent;
    let started = time::ago(started_at);
    fields.add("agent", format!("{version}, process {pid}, started {started}, {}", bytes(*memory_bytes)));
    fields.add_some("driver", driver);
    fields.add("docker", docker(&info.docker));
    for software in info.software.iter().filter(|software| software.name != "docker") {
        fields.add(&software.name, &software.version);
    }
    fields.print()?;
    output::line("")?;
    let mut table = Table::new(["DISK", "USED", "DEVICE", "TYPE"]);
    for disk in &info.disks {
        let used = format!("{} of {}", bytes(disk.used_bytes), bytes(disk.total_bytes));
        table.row([Cell::from(&disk.mount), used.into(), Cell::from(&disk.device), Cell::from(&disk.filesystem)]);
    }
    table.print()?;
    output::line("")?;
    let mut table = Table::new(["NETWORK", "RECEIVED", "SENT"]);
    for network in &info.networks {
        table.row([Cell::from(&network.name), bytes(network.rx_bytes).into(), bytes(network.tx_bytes).into()]);
    }
    table.print()?;
    if info.docker.containers.is_empty() { Ok(()) } else { print_containers(&info.docker.containers) }
}

fn docker(docker: &api::DockerInfo) -> String {
    match (&docker.error, docker.installed) {
        (Some(error), _) => error.clone(),
        (None, false) => "not installed".to_owned(),
        (None, true) => docker.version.clone().unwrap_or_default(),
    }
}

fn print_containers(containers: &[api::Container]) -> Result<()> {
    output::line("")?;
    let mut table = Table::new(["CONTAINER", "IMAGE", "STATE", "CPU", "MEMORY", "STATUS"]);
    for container in containers {
        table.row([
            Cell::from(&container.name),
            Cell::from(&container.image),
            Cell::from(&container.state),
            container.cpu_percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1} %")).into(),
            container.memory_bytes.map_or_else(|| "-".to_owned(), bytes).into(),
            Cell::from(&container.status),
        ]);
    }
    table.print()
}

fn uptime(seconds: u64) -> String {
    match seconds {
        0..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}
