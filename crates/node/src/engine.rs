//! The container engine of this machine: Docker, or Podman through the socket that speaks like it.
//!
//! Everything of ours in it carries this node's instance: names, labels and tags, so that several nodes and a person can use
//! the same engine.

mod build;
pub(crate) mod hold;
mod image;

use std::path::Path;
use std::time::Duration;

use bollard::errors::Error;
use bollard::models::{ContainerSummary, SystemInfo};
use bollard::query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use wire::{Capability, Failure};

pub(crate) use build::Build;
pub(crate) use image::Facts;

/// Labels of our containers.
pub(crate) const INSTANCE: &str = "nanoscale.instance";
pub(crate) const GROUP: &str = "nanoscale.group";
pub(crate) const WORKLOAD: &str = "nanoscale.workload";

/// An engine that lives says so within this time.
const ANSWER: Duration = Duration::from_secs(5);
/// The longest that anything may take which has no end of its own, as fetching an image.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
const NO_DOCKER: &str = "NO_DOCKER";

/// A connection to the engine. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Engine {
    docker: Docker,
}

/// The names of a workload's two containers.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Names {
    /// Runs the image.
    pub(crate) app: String,
    /// Holds the network that it is in.
    pub(crate) hold: String,
}

impl Names {
    pub(crate) fn of(instance: &str, workload: &ids::WorkloadId) -> Self {
        Self { app: format!("nanoscale-{instance}-{workload}"), hold: format!("nanoscale-net-{instance}-{workload}") }
    }
}

impl Engine {
    /// Connects to `host`, like `unix:///var/run/docker.sock`.
    ///
    /// # Errors
    /// `NO_DOCKER`, with what to install.
    pub(crate) async fn connect(host: &str) -> Result<Self, Failure> {
        if !nix::unistd::geteuid().is_root() {
            return Err(absent(host, "containers need a node that is root"));
        }
        // One of another machine has neither this one's directories nor its networks.
        if !host.starts_with("unix://") {
            return Err(absent(host, "only a socket of this machine can be used, like unix:///var/run/docker.sock"));
        }
        let connected = async {
            let docker = Docker::connect_with_unix(host, LONGEST.as_secs(), API_DEFAULT_VERSION)?;
            docker.negotiate_version().await
        };
        // The client's futures are large, and this one is in those of many callers.
        match tokio::time::timeout(ANSWER, Box::pin(connected)).await {
            Ok(Ok(docker)) => Ok(Self { docker }),
            Ok(Err(error)) => Err(absent(host, &told(&error))),
            Err(_) => Err(absent(host, "it takes longer than five seconds to answer")),
        }
    }

    /// Whether there is anything at `host` that could be asked.
    pub(crate) fn may_be_at(host: &str) -> bool {
        nix::unistd::geteuid().is_root() && Path::new(socket(host)).exists()
    }

    pub(crate) fn docker(&self) -> &Docker {
        &self.docker
    }

    /// Removes a container with its anonymous volumes, whatever its state; one that is not there is removed already.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), Error> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        match self.docker.remove_container(name, Some(options)).await {
            // Not there, or on its way out.
            Err(Error::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            other => other,
        }
    }

    /// Every container of a node.
    pub(crate) async fn containers(&self, instance: &str) -> Result<Vec<ContainerSummary>, Error> {
        let filters = std::collections::HashMap::from([("label", vec![format!("{INSTANCE}={instance}")])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        self.docker.list_containers(Some(options)).await
    }
}

/// The path of the engine's socket.
pub(crate) fn socket(host: &str) -> &str {
    host.strip_prefix("unix://").unwrap_or(host)
}

fn absent(host: &str, why: &str) -> Failure {
    let reason = format!(
        "this node has no container engine that answers at `{host}` ({why}); install and start Docker (`apt-get install \
         docker.io`) or Podman's socket, or say in `docker.host` where it is, then deploy again"
    );
    Failure { code: NO_DOCKER.into(), reason, last_lines: Vec::new() }
}

/// What went wrong, in the engine's words.
pub(crate) fn told(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        Error::SocketNotFoundError(_) => "there is no such socket".into(),
        other => other.to_string(),
    }
}

/// A refusal of the engine's that is nobody's fault in particular.
pub(crate) fn refused(what: &str, error: &Error) -> Failure {
    let reason = format!("the container engine cannot {what}: {}", told(error));
    Failure { code: "ENGINE_ERROR".into(), reason, last_lines: Vec::new() }
}

/// Whether images can be run here, by what, and what this kernel keeps the engine from enforcing.
pub(crate) async fn capability(host: &str) -> Capability {
    let (enabled, detail) = match describe(host).await {
        Ok(detail) => (true, detail),
        Err(reason) => (false, reason),
    };
    Capability { name: "docker".into(), enabled, detail }
}

async fn describe(host: &str) -> Result<String, String> {
    let engine = Engine::connect(host).await.map_err(|failure| failure.reason)?;
    let asked = async { Ok::<_, Error>((engine.docker.version().await?, engine.docker.info().await?)) };
    let (version, info) = match tokio::time::timeout(ANSWER, Box::pin(asked)).await {
        Ok(Ok(answers)) => answers,
        Ok(Err(error)) => return Err(absent(host, &told(&error)).reason),
        Err(_) => return Err(absent(host, "it takes longer than five seconds to answer").reason),
    };
    let components = version.components.unwrap_or_default();
    let name = if components.iter().any(|it| it.name.contains("Podman")) { "Podman" } else { "Docker" };
    let number = version.version.unwrap_or_default();
    let mut detail = format!("{name} {number}");
    let mut missing = missing(&info);
    if name == "Docker" {
        missing.extend(let_through(&number));
    }
    if !missing.is_empty() {
        detail = format!("{detail}; not enforced in containers here: {}", missing.join(", "));
    }
    Ok(detail)
}

/// What the filter of system calls of an older Docker has no part in: its defaults grew (moby 44562 and 46762).
fn let_through(version: &str) -> Vec<&'static str> {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok()).unwrap_or(u32::MAX);
    let since =
        [(23, "no sockets to the hypervisor (vsock; Docker 23 has it)"), (25, "no io_uring (Docker 25 has it)")];
    since.into_iter().filter(|(since, _)| major < *since).map(|(_, what)| what).collect()
}

fn missing(info: &SystemInfo) -> Vec<&'static str> {
    let has_seccomp = info.security_options.iter().flatten().any(|option| option.contains("seccomp"));
    let controllers = [
        (info.memory_limit, "memory limits"),
        (info.pids_limit, "limits of processes"),
        (info.cpu_cfs_quota, "shares of a processor"),
        (Some(has_seccomp), "seccomp"),
    ];
    let lacking = controllers.iter().filter(|(there, _)| *there == Some(false)).map(|(_, name)| *name);
    // No storage driver in common use has one without a file system made for it.
    lacking.chain(["a limit for what containers write outside of volumes"]).collect()
}
