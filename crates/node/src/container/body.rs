//! What the engine is asked to make. What a container may do is decided here.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType};

use super::Run;
use crate::engine::{GROUP, INSTANCE, WORKLOAD, hold};

/// What images in common use need to begin as root, take what is theirs, step down to a user of their own, end their
/// children and listen on port 80. None of them reaches beyond the container's own files and processes.
const CAPABILITIES: [&str; 7] = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"];
const NO_NEW_PRIVILEGES: &str = "no-new-privileges";
const ORDINARY_SHARES: u64 = 1024;
const ORDINARY_WEIGHT: u64 = 100;
/// Of what holds a network: a page or two.
const HOLD_MEMORY: i64 = 8 << 20;

/// The container that is run.
pub(super) fn app(run: &Run, env: Vec<String>) -> ContainerCreateBody {
    let limits = &run.limits;
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mount = |(source, target): &(std::path::PathBuf, String)| Mount {
        typ: Some(MountType::BIND),
        source: Some(source.display().to_string()),
        target: Some(target.clone()),
        ..Mount::default()
    };
    ContainerCreateBody {
        image: Some(run.image.clone()),
        cmd: run.command.clone(),
        env: Some(env),
        labels: Some(labels(run)),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        // The node probes by itself.
        healthcheck: Some(HealthConfig { test: Some(vec!["NONE".into()]), ..HealthConfig::default() }),
        host_config: Some(HostConfig {
            memory: Some(signed(limits.memory_bytes)),
            // Memory and swap together: there is no swap.
            memory_swap: Some(signed(limits.memory_bytes)),
            pids_limit: Some(signed(limits.pids)),
            cpu_shares: Some(signed((limits.cpu_weight * ORDINARY_SHARES / ORDINARY_WEIGHT).max(2))),
            nano_cpus: limits.cpu_percent.map(|percent| i64::from(percent) * 10_000_000),
            mounts: Some(run.volumes.iter().map(mount).collect()),
            network_mode: Some(format!("container:{}", run.names.hold)),
            cap_add: Some(CAPABILITIES.map(str::to_owned).into()),
            ..bare()
        }),
        ..ContainerCreateBody::default()
    }
}

/// The container that holds the network.
pub(super) fn holder(run: &Run) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(hold::IMAGE.into()),
        cmd: Some(vec![hold::PROGRAM.into()]),
        hostname: Some("app".into()),
        labels: Some(labels(run)),
        host_config: Some(HostConfig {
            memory: Some(HOLD_MEMORY),
            pids_limit: Some(1),
            network_mode: Some("none".into()),
            // The app's container has its files for names from here.
            dns: Some(run.resolvers.iter().map(ToString::to_string).collect()),
            ..bare()
        }),
        ..ContainerCreateBody::default()
    }
}

/// No rights, no privileges, no log of the engine's: ours is the log. The engine's own seccomp filter stays.
fn bare() -> HostConfig {
    HostConfig {
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec![NO_NEW_PRIVILEGES.into()]),
        privileged: Some(false),
        log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
        ..HostConfig::default()
    }
}

fn labels(run: &Run) -> HashMap<String, String> {
    let labels = [
        (INSTANCE, run.instance.clone()),
        (GROUP, run.group.as_str().to_owned()),
        (WORKLOAD, run.workload.as_str().to_owned()),
    ];
    labels.map(|(key, value)| (key.to_owned(), value)).into()
}
