//! How a node is set up.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::Ipv4Net;

use crate::groups::Driver;

/// How a node is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its own directory.
    pub directory: PathBuf,
    /// This program, which is also its shim.
    pub program: PathBuf,
    /// Most bytes a workload's log may take.
    pub log_max_bytes: u64,
    /// Most bytes the logs of a group may take together.
    pub log_group_max_bytes: u64,
    /// Age at which lines are removed.
    pub log_max_age: Duration,
    /// How long a process has between SIGTERM and SIGKILL.
    pub stop_grace: Duration,
    /// Most bytes of disk that a build takes, with its group's cache.
    pub build_disk_bytes: u64,
    /// Bytes of disk that builds leave free.
    pub disk_reserve_bytes: u64,
    /// Most bytes that the caches of all builds take; a part of the disk when absent.
    pub cache_bytes: Option<u64>,
    /// Most builds at the same time; at least one.
    pub builds_at_once: usize,
    /// Builds wait while programs wait for memory for a larger part of the time.
    pub build_pressure_percent: u64,
    /// The container engine's socket, like `unix:///var/run/docker.sock`.
    pub docker_host: String,
    /// Private networks that workloads may reach.
    pub network_allow: Vec<Ipv4Net>,
    pub gates: Gates,
    pub separation: Separation,
    pub driver: Driver,
    pub machine: MachineConfig,
}

/// How the machine itself is looked at.
#[derive(Debug, Clone)]
pub struct MachineConfig {
    /// Where cloud-init writes its logs.
    pub cloud_init_dir: PathBuf,
    /// How long `journalctl` and `docker` may take for a page of logs.
    pub reader_timeout: Duration,
    /// How long `docker ps` may take.
    pub docker_list_timeout: Duration,
    /// How long `docker stats` may take.
    pub docker_stats_timeout: Duration,
}

/// The directory of sockets by which the edge reaches workloads, `gates` below the node's own.
#[derive(Debug, Clone, Copy)]
pub struct Gates {
    /// Who else may enter: the edge's group, where that is another user.
    pub group: Option<u32>,
    /// The longest that the edge takes to drain an upstream.
    pub drain: Duration,
}

/// What of an installation shares the node's process, and thereby its rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separation {
    /// Server, edge and node are one process.
    OneProcess,
    /// Server and edge are processes of these users.
    Processes { server: u32, edge: u32 },
}
