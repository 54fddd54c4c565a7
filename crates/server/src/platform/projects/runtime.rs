//! Checks of what a project's processes may use.

use std::collections::BTreeSet;

use domain::project::{LimitSettings, NetworkSettings, RuntimeSettings, Volume};
use ids::{Destination, Outward, ProcessName};

use crate::error::{Error, Result};

const VOLUMES_MAX: usize = 16;
const DESTINATIONS_MAX: usize = 100;
const HOST_PORTS_MAX: usize = 16;
/// Where the sandbox has something of its own, or of the system.
const RESERVED: [&str; 16] = [
    "/app",
    "/bin",
    "/boot",
    "/cache",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nanoscale",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
];
/// Megabytes that an app may be given.
const MEMORY_MB: std::ops::RangeInclusive<u64> = 16..=1 << 20;
const VOLUME_MB: std::ops::RangeInclusive<u64> = 1..=1 << 30;
const CPU_PERCENT: std::ops::RangeInclusive<u32> = 1..=100_000;
const PROCESSES: std::ops::RangeInclusive<u64> = 8..=1 << 20;

/// The settings after a change: what is absent stays.
pub(super) fn changed(
    old: &RuntimeSettings,
    network_settings: Option<&api::NetworkSettings>,
    volume_list: Option<&Vec<api::Volume>>,
    limit_settings: Option<&api::LimitSettings>,
) -> Result<RuntimeSettings> {
    Ok(RuntimeSettings {
        health_path: None,
        network: network_settings.map_or_else(|| Ok(old.network.clone()), network)?,
        volumes: volume_list.map_or_else(|| Ok(old.volumes.clone()), |list| volumes(list))?,
        limits: limit_settings.map_or_else(|| Ok(old.limits.clone()), limits)?,
    })
}

fn network(given: &api::NetworkSettings) -> Result<NetworkSettings> {
    let invalid = |field: &str, code, message: String| Err(Error::invalid(&format!("network.{field}"), code, message));
    if given.destinations.len() > DESTINATIONS_MAX {
        return invalid("destinations", "TOO_MANY_DESTINATIONS", format!("at most {DESTINATIONS_MAX} destinations"));
    }
    let mut destinations = Vec::new();
    for text in &given.destinations {
        match text.trim().parse::<Destination>() {
            Ok(destination) => destinations.push(destination),
            Err(error) => return invalid("destinations", "INVALID_DESTINATION", error.to_string()),
        }
    }
    match (given.outward, destinations.is_empty()) {
        (Outward::Only, true) => {
            let message = "`only` needs `destinations`; to reach nothing at all, set `outward` to `none`".to_owned();
            return invalid("destinations", "NO_DESTINATIONS", message);
        }
        (Outward::Open | Outward::None, false) => {
            let message = "`destinations` only say something when `outward` is `only`".to_owned();
            return invalid("destinations", "DESTINATIONS_WITHOUT_ONLY", message);
        }
        _ => {}
    }
    let distinct = given.host_ports.iter().collect::<BTreeSet<_>>().len() == given.host_ports.len();
    if given.host_ports.len() > HOST_PORTS_MAX || given.host_ports.contains(&0) || !distinct {
        let message = format!("at most {HOST_PORTS_MAX} different ports from 1 to 65535");
        return invalid("host_ports", "INVALID_PORT", message);
    }
    Ok(NetworkSettings { outward: given.outward, destinations, host_ports: given.host_ports.clone() })
}

fn volumes(given: &[api::Volume]) -> Result<Vec<Volume>> {
    let invalid = |code, message: String| Err(Error::invalid("volumes", code, message));
    if given.len() > VOLUMES_MAX {
        return invalid("TOO_MANY_VOLUMES", format!("a project has at most {VOLUMES_MAX} volumes"));
    }
    let mut volumes: Vec<Volume> = Vec::new();
    for volume in given {
        let name = match volume.name.parse::<ProcessName>() {
            Ok(name) => name,
            Err(error) => return invalid("INVALID_NAME", error.to_string()),
        };
        let path = volume.path.trim().trim_end_matches('/').to_owned();
        if !is_free_path(&path) {
            let message = format!(
                "`{}` cannot be a volume's path; choose an absolute one outside of the system's directories, like `/data`",
                volume.path
            );
            return invalid("INVALID_PATH", message);
        }
        let below = |other: &str| path == other || path.starts_with(&format!("{other}/"));
        if volumes
            .iter()
            .any(|other| other.name == name || below(&other.path) || other.path.starts_with(&format!("{path}/")))
        {
            return invalid(
                "VOLUMES_OVERLAP",
                format!("two volumes have the name `{}` or overlapping paths", volume.name),
            );
        }
        if volume.size_mb.is_some_and(|megabytes| !VOLUME_MB.contains(&megabytes)) {
            let message = format!("a volume has from {} to {} MB", VOLUME_MB.start(), VOLUME_MB.end());
            return invalid("INVALID_LIMIT", message);
        }
        volumes.push(Volume { name, path, size_mb: volume.size_mb });
    }
    Ok(volumes)
}

fn is_free_path(path: &str) -> bool {
    let plain = path.len() <= 255
        && path.starts_with('/')
        && path[1..].split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\:".contains(&byte));
    plain && path != "/tmp" && !RESERVED.iter().any(|taken| path == *taken || path.starts_with(&format!("{taken}/")))
}

fn limits(given: &api::LimitSettings) -> Result<LimitSettings> {
    let memory = |field: &str, value: Option<u64>| match value {
        Some(megabytes) if !MEMORY_MB.contains(&megabytes) => {
            let message = format!("{megabytes} is not from {} to {} MB", MEMORY_MB.start(), MEMORY_MB.end());
            Err(Error::invalid(&format!("limits.{field}"), "INVALID_LIMIT", message))
        }
        value => Ok(value),
    };
    if given.cpu_percent.is_some_and(|percent| !CPU_PERCENT.contains(&percent)) {
        let message = "a share of the processor is from 1 to 100000 percent of one core";
        return Err(Error::invalid("limits.cpu_percent", "INVALID_LIMIT", message));
    }
    if given.processes.is_some_and(|count| !PROCESSES.contains(&count)) {
        let message = "a project may have from 8 to 1048576 processes and threads";
        return Err(Error::invalid("limits.processes", "INVALID_LIMIT", message));
    }
    Ok(LimitSettings {
        memory_mb: memory("memory_mb", given.memory_mb)?,
        cpu_percent: given.cpu_percent,
        processes: given.processes,
        build_memory_mb: memory("build_memory_mb", given.build_memory_mb)?,
    })
}
