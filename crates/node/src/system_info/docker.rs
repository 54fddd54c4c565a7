//! Docker's containers, in all states.

use std::time::Duration;

use serde::Deserialize;
use wire::{Container, DockerInfo};

use crate::machine_logs::{DOCKER, Listed, list, output};

/// A line of `docker stats --format {{json .}}`.
#[derive(Deserialize)]
struct Stats {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "CPUPerc")]
    cpu: String,
    /// What is used, and the limit.
    #[serde(rename = "MemUsage")]
    memory: String,
}

pub(super) async fn info(list_timeout: Duration, stats_timeout: Duration) -> DockerInfo {
    let version = output(DOCKER, &["version", "--format", "{{.Server.Version}}"], list_timeout).await;
    let version = match version {
        Ok(version) => version.trim().to_owned(),
        Err(error) => {
            let installed = !error.ends_with("is not installed on this machine");
            return DockerInfo { installed, error: Some(error).filter(|_| installed), ..DockerInfo::default() };
        }
    };
    let docker = DockerInfo { installed: true, version: Some(version), ..DockerInfo::default() };
    let listed = match list(list_timeout).await {
        Ok(listed) => listed,
        Err(error) => return DockerInfo { error: Some(error), ..docker },
    };
    let mut containers = listed.into_iter().map(container).collect::<Vec<_>>();
    let error = if containers.iter().any(|container| container.state == "running") {
        let arguments = ["stats", "--no-stream", "--no-trunc", "--format", "{{json .}}"];
        output(DOCKER, &arguments, stats_timeout).await.map(|text| measure(&mut containers, &text)).err()
    } else {
        None
    };
    DockerInfo { containers, error, ..docker }
}

fn container(listed: Listed) -> Container {
    Container {
        id: listed.id.chars().take(12).collect(),
        name: listed.names,
        image: listed.image,
        state: listed.state,
        status: listed.status,
        cpu_percent: None,
        memory_bytes: None,
    }
}

fn measure(containers: &mut [Container], text: &str) {
    for stats in text.lines().filter_map(|line| serde_json::from_str::<Stats>(line).ok()) {
        if let Some(container) = containers.iter_mut().find(|container| stats.id.starts_with(&container.id)) {
            container.cpu_percent = stats.cpu.trim_end_matches('%').parse().ok();
            container.memory_bytes = stats.memory.split(" / ").next().and_then(bytes);
        }
    }
}

/// `7.684MiB`, as Docker writes it.
fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let factor = match text[digits..].trim() {
        "B" => 1.0,
        "kB" => 1e3,
        "KiB" => 1024.0,
        "MiB" => 1_048_576.0,
        "MB" => 1e6,
        "GiB" => 1_073_741_824.0,
        "GB" => 1e9,
        "TiB" => 1_099_511_627_776.0,
        _ => return None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an amount of bytes, rounded by Docker"
    )]
    let bytes = (text[..digits].parse::<f64>().ok()? * factor) as u64;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_containers_use_is_read_as_docker_writes_it() {
        let stats = r#"{"BlockIO":"0B / 0B","CPUPerc":"0.13%","Container":"37c44d1a29e8","ID":"37c44d1a29e81e0ee52d54f26a7229867569641acbbe5269228cd9220ba8415f","MemPerc":"0.00%","MemUsage":"720KiB / 23.54GiB","Name":"web","NetIO":"0B / 0B","PIDs":"2"}"#;
        let mut containers = [
            Container { id: "37c44d1a29e8".into(), ..Container::default() },
            Container { id: "b47c54eccf2b".into(), ..Container::default() },
        ];
        measure(&mut containers, stats);
        assert_eq!((containers[0].cpu_percent, containers[0].memory_bytes), (Some(0.13), Some(737_280)));
        assert_eq!((containers[1].cpu_percent, containers[1].memory_bytes), (None, None));
        assert_eq!(
            (bytes("7.684MiB"), bytes("1.5GB"), bytes("0B"), bytes("--")),
            (Some(8_057_257), Some(1_500_000_000), Some(0), None)
        );
    }
}
