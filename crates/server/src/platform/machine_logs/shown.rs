//! What a node says of its machine, in the API's words.

use crate::rfc3339;

pub(super) fn page(page: wire::MachineLogPage) -> api::MachineLogPage {
    api::MachineLogPage {
        entries: page.entries.into_iter().map(entry).collect(),
        has_more: page.next.is_some(),
        next_cursor: page.next,
        unavailable: page.unavailable.into_iter().map(unavailable).collect(),
    }
}

pub(super) fn entry(entry: wire::MachineLogEntry) -> api::MachineLogEntry {
    api::MachineLogEntry {
        timestamp: rfc3339(entry.at_us.div_euclid(1000)),
        level: entry.level,
        source: entry.source,
        message: entry.message,
        metadata: entry.metadata,
    }
}

pub(super) fn unavailable(unavailable: wire::UnavailableSource) -> api::UnavailableSource {
    api::UnavailableSource { source: unavailable.source, reason: unavailable.reason }
}

pub(super) fn info(info: wire::SystemInfo) -> api::SystemInfo {
    let [load_1, load_5, load_15] = info.cpu.load;
    let memory = |memory: wire::Memory| api::Memory { total_bytes: memory.total_bytes, used_bytes: memory.used_bytes };
    api::SystemInfo {
        time: rfc3339(info.at_ms),
        hostname: info.hostname,
        os: info.os,
        kernel: info.kernel,
        architecture: info.architecture,
        uptime_seconds: info.uptime_seconds,
        cpu: api::Cpu { model: info.cpu.model, cores: info.cpu.cores, load_1, load_5, load_15 },
        memory: memory(info.memory),
        swap: memory(info.swap),
        disks: info.disks.into_iter().map(disk).collect(),
        networks: info.networks.into_iter().map(network).collect(),
        docker: docker(info.docker),
        software: info
            .software
            .into_iter()
            .map(|software| api::Software { name: software.name, version: software.version })
            .collect(),
        agent: api::AgentInfo {
            version: info.agent.version,
            pid: info.agent.pid,
            started_at: rfc3339(info.agent.started_at_ms),
            memory_bytes: info.agent.memory_bytes,
        },
    }
}

fn disk(disk: wire::DiskUse) -> api::DiskUse {
    api::DiskUse {
        mount: disk.mount,
        device: disk.device,
        filesystem: disk.filesystem,
        total_bytes: disk.total_bytes,
        used_bytes: disk.used_bytes,
    }
}

fn network(network: wire::NetworkInterface) -> api::NetworkInterface {
    api::NetworkInterface { name: network.name, rx_bytes: network.rx_bytes, tx_bytes: network.tx_bytes }
}

fn docker(docker: wire::DockerInfo) -> api::DockerInfo {
    let container = |container: wire::Container| api::Container {
        id: container.id,
        name: container.name,
        image: container.image,
        state: container.state,
        status: container.status,
        cpu_percent: container.cpu_percent,
        memory_bytes: container.memory_bytes,
    };
    api::DockerInfo {
        installed: docker.installed,
        version: docker.version,
        containers: docker.containers.into_iter().map(container).collect(),
        error: docker.error,
    }
}
