//! `nanoscale internal container`: what a shim runs in place of a confined process when that is to run in a container.
//!
//! It makes the container, passes its output on as its own, gives out sockets of its network as a sandbox's init does, and ends as the
//! container does. So whatever a node knows of processes holds for containers too: starts, deaths, logs, probes, and
//! that they outlive the node. It is our own program with the node's rights, as it speaks to the engine; nothing of a
//! project's is in its own environment or its directory.

mod body;
mod command;
mod files;
mod runner;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use ids::{ProjectId, WorkloadId};
use serde::{Deserialize, Serialize};
use wire::{Failure, Limits};

use crate::engine::Names;

pub(crate) use files::FILES;
pub(crate) use runner::{Trouble, hold_network, main};

/// Before the name of each variable of the container's. None of them means anything to this program, nor to what loads it.
pub(crate) const VARIABLE: &str = "CONTAINER_ENV_";
/// In the run's directory: says that this is a container, and what became of it.
pub(crate) const SEEN: &str = "container.json";
/// How long the runner may take for what is not the container's own end.
pub(crate) const SLACK: std::time::Duration = std::time::Duration::from_secs(10);

/// What to run. Everybody can read it: variables come by the environment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    /// The engine's socket.
    pub(crate) host: String,
    /// How long the container has between the signal to stop and its end.
    pub(crate) grace_seconds: u64,
    pub(crate) what: What,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    Run(Box<Run>),
    /// A command inside a container that runs.
    Exec {
        container: String,
        command: Vec<String>,
    },
}

/// A container of its own.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) names: Names,
    pub(crate) instance: String,
    pub(crate) group: ProjectId,
    pub(crate) workload: WorkloadId,
    /// The image's id.
    pub(crate) image: String,
    /// In place of the image's own; its entrypoint stays, as with `docker run`.
    pub(crate) command: Option<Vec<String>>,
    pub(crate) limits: Limits,
    /// Directories of the host, and where the container sees them.
    pub(crate) volumes: Vec<(PathBuf, String)>,
    pub(crate) network: sandbox::Network,
    pub(crate) resolvers: Vec<Ipv4Addr>,
}

/// What the node gets to know beside the exit code.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Seen {
    /// The container's first process, on the host, while it runs.
    pub(crate) pid: Option<i32>,
    pub(crate) out_of_memory: bool,
    /// Why there is no container, or no more.
    pub(crate) failure: Option<Failure>,
}

impl Seen {
    /// What is written in `run_dir`; None where no container runs.
    pub(crate) fn read(run_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(run_dir.join(SEEN)).ok()?).ok()
    }

    pub(crate) fn write(&self, run_dir: &Path) -> std::io::Result<()> {
        crate::layout::write_atomic(&run_dir.join(SEEN), &serde_json::to_vec(self)?)
    }
}
