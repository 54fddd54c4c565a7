//! What a project's processes may use: network, volumes, limits.

use std::fmt::Display;
use std::str::FromStr;

use ids::Outward;

use crate::cli::output::{Fields, bytes};
use crate::cli::size;

#[derive(clap::Args)]
pub(super) struct Runtime {
    /// What its processes may reach: the internet (open), what --allow names (only), or nothing (none).
    #[arg(long, value_name = "open|only|none")]
    network: Option<Outward>,
    /// Where `--network only` may go: `api.stripe.com:443`, `203.0.113.7`, `10.1.0.0/16:5432`. May be repeated.
    #[arg(long, value_name = "DESTINATION", value_delimiter = ',')]
    allow: Vec<String>,
    /// A port of the machine's loopback, a database's for example, that appears on the project's own. May be repeated.
    #[arg(long, value_name = "PORT", value_delimiter = ',')]
    host_port: Vec<u16>,
    /// None of the machine's ports any more.
    #[arg(long, conflicts_with = "host_port")]
    no_host_ports: bool,
    /// A directory that outlives releases, where its processes see it, and how large it may become: `data:/data:20G`, or
    /// `data:/data:default`. Without a size it keeps the one it has, which holds at once. May be repeated; those not named
    /// go from the list, and keep their files until the project is deleted.
    #[arg(long, value_name = "NAME:PATH[:SIZE]", value_parser = volume)]
    volume: Vec<NamedVolume>,
    /// No volumes any more; their files are kept until the project is deleted.
    #[arg(long, conflicts_with = "volume")]
    no_volumes: bool,
    /// Memory of each of its processes, in MB; `default` for the server's.
    #[arg(long, value_name = "MB", value_parser = limit::<u64>)]
    memory_mb: Option<Limit<u64>>,
    /// Processor time of each of its processes, in percent of a core: 150 is one and a half; `default` for the server's.
    #[arg(long, value_name = "PERCENT", value_parser = limit::<u32>)]
    cpu_percent: Option<Limit<u32>>,
    /// Processes and threads that each of them may have; `default` for the server's.
    #[arg(long, value_name = "COUNT", value_parser = limit::<u64>)]
    processes: Option<Limit<u64>>,
    /// Memory of a build, in MB; `default` for the server's.
    #[arg(long, value_name = "MB", value_parser = limit::<u64>)]
    build_memory_mb: Option<Limit<u64>>,
}

/// A limit as somebody gave it.
#[derive(Debug, Clone, Copy)]
enum Limit<T> {
    Default,
    Value(T),
}

fn limit<T: FromStr<Err: Display>>(text: &str) -> Result<Limit<T>, String> {
    match text {
        "default" => Ok(Limit::Default),
        text => text.parse().map(Limit::Value).map_err(|error| format!("{error}; give a number or `default`")),
    }
}

/// A volume as somebody gave it.
#[derive(Debug, Clone)]
struct NamedVolume {
    name: String,
    path: String,
    size_mb: Option<Limit<u64>>,
}

fn volume(text: &str) -> Result<NamedVolume, String> {
    let mut parts = text.splitn(3, ':');
    let (name, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if name.is_empty() || !path.starts_with('/') {
        return Err(
            "write a name, an absolute path and perhaps a size, like `data:/data` or `data:/data:20G`".to_owned()
        );
    }
    let size_mb = match parts.next() {
        None => None,
        Some("default") => Some(Limit::Default),
        Some(size) => Some(Limit::Value(size::parse(size)?.div_ceil(1 << 20))),
    };
    Ok(NamedVolume { name: name.to_owned(), path: path.to_owned(), size_mb })
}

impl Runtime {
    /// The whole network settings after the change; none when nothing of them was named.
    pub(super) fn network(&self, before: &api::NetworkSettings) -> Option<api::NetworkSettings> {
        let named =
            self.network.is_some() || !self.allow.is_empty() || !self.host_port.is_empty() || self.no_host_ports;
        let implied = if self.allow.is_empty() { before.outward } else { Outward::Only };
        let outward = self.network.unwrap_or(implied);
        // Named ones always go along, so that the server can say when they make no sense.
        let kept = if outward == Outward::Only { before.destinations.clone() } else { Vec::new() };
        let ports = if self.no_host_ports { Vec::new() } else { before.host_ports.clone() };
        named.then(|| api::NetworkSettings {
            outward,
            destinations: if self.allow.is_empty() { kept } else { self.allow.clone() },
            host_ports: if self.host_port.is_empty() { ports } else { self.host_port.clone() },
        })
    }

    /// All volumes after the change; none when none was named.
    pub(super) fn volumes(&self, before: &[api::Volume]) -> Option<Vec<api::Volume>> {
        let after = |named: &NamedVolume| api::Volume {
            name: named.name.clone(),
            path: named.path.clone(),
            size_mb: match named.size_mb {
                Some(Limit::Value(megabytes)) => Some(megabytes),
                Some(Limit::Default) => None,
                None => before.iter().find(|it| it.name == named.name).and_then(|it| it.size_mb),
            },
        };
        (self.no_volumes || !self.volume.is_empty()).then(|| self.volume.iter().map(after).collect())
    }

    /// All limits after the change; none when none was named.
    pub(super) fn limits(&self, before: &api::LimitSettings) -> Option<api::LimitSettings> {
        fn after<T: Copy>(chosen: Option<Limit<T>>, before: Option<T>) -> Option<T> {
            match chosen {
                None => before,
                Some(Limit::Default) => None,
                Some(Limit::Value(value)) => Some(value),
            }
        }
        let named = self.memory_mb.is_some()
            || self.cpu_percent.is_some()
            || self.processes.is_some()
            || self.build_memory_mb.is_some();
        named.then(|| api::LimitSettings {
            memory_mb: after(self.memory_mb, before.memory_mb),
            cpu_percent: after(self.cpu_percent, before.cpu_percent),
            processes: after(self.processes, before.processes),
            build_memory_mb: after(self.build_memory_mb, before.build_memory_mb),
        })
    }
}

/// Says what a project's processes may use; limits only where they are not the server's default.
pub(super) fn print(fields: &mut Fields, project: &api::Project, used: &[api::VolumeUse]) {
    let network = &project.network;
    fields.add(
        "network",
        match network.outward {
            Outward::Only => format!("only {}", network.destinations.join(", ")),
            Outward::Open | Outward::None => network.outward.to_string(),
        },
    );
    let ports = network.host_ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    fields.add_some("host ports", Some(ports).filter(|ports| !ports.is_empty()));
    for volume in &project.volumes {
        let used = used.iter().find(|used| used.name == volume.name);
        let size =
            used.map(|it| format!(", {} of {}", bytes(it.used_bytes), bytes(it.limit_bytes))).unwrap_or_default();
        fields.add("volume", format!("{}:{}{size}", volume.name, volume.path));
    }
    let limits = &project.limits;
    fields.add_some("memory", limits.memory_mb.map(|amount| format!("{amount} MB")));
    fields.add_some("processor", limits.cpu_percent.map(|percent| format!("{percent} % of a core")));
    fields.add_some("processes", limits.processes);
    fields.add_some("build memory", limits.build_memory_mb.map(|amount| format!("{amount} MB")));
}
