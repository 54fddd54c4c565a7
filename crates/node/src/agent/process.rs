//! One confined process of a release, from its start to its end: what workloads and jobs have in common.

use std::io;
use std::time::{Duration, Instant};

use edge::Origin;
use edge::control::Destination;
use ids::WorkloadId;
use sandbox::Network;
use sandbox::cgroup::OutOfMemory;
use wire::shim::Exit;
use wire::{Context, Failure, Limits};

use super::Agent;
use super::disk::disk_failure;
use crate::confine::{Job, Program, Role};
use crate::container;
use crate::groups::Described;
use crate::layout::LogKind;
use crate::log::Record;
use crate::shim::{Shim, read_exit};

/// The port of an app that has a loopback of its own.
pub(super) const OWN_PORT: u16 = 3000;
/// Below the run's directory: hands out sockets of the process's network.
pub(super) const SOCKETS: &str = "net.sock";
/// For the edge to say so after its longest drain.
const DRAIN_SLACK: Duration = Duration::from_secs(2);

/// Of what looks after a container.
const RUNNER: Limits = Limits { memory_bytes: 512 << 20, pids: 64, cpu_weight: 100, cpu_percent: None };

/// Where a process listens, or would.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Listen {
    pub(super) port: u16,
    /// On a loopback of its own, rather than on the host's.
    #[serde(default)]
    pub(super) own_loopback: bool,
}

impl Listen {
    /// A port for a process that is about to start.
    pub(super) fn choose(network: &Network, image: Option<&wire::Image>) -> std::io::Result<Self> {
        match network {
            Network::Own { .. } if image.is_some() => {
                Ok(Self { port: image.map_or(OWN_PORT, |image| image.port), own_loopback: true })
            }
            Network::Own { .. } if crate::confine::Confine::has_namespaces() => {
                Ok(Self { port: OWN_PORT, own_loopback: true })
            }
            _ => Ok(Self { port: free_port()?, own_loopback: false }),
        }
    }
}

/// A loopback port that nobody listens on now.
fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// What of a process differs between workloads and jobs.
pub(super) struct Start<'a> {
    pub(super) id: &'a WorkloadId,
    pub(super) context: &'a Context,
    pub(super) program: Program<'a>,
    pub(super) env: Vec<(String, String)>,
    pub(super) network: Network,
    pub(super) inside: Option<i32>,
    /// The same, by name.
    pub(super) inside_of: Option<&'a WorkloadId>,
    pub(super) log: (WorkloadId, LogKind),
}

/// A process under its shim.
pub(super) struct Process {
    pub(super) shim: Shim,
    pub(super) started: Instant,
}

pub(super) fn failed(code: &str, reason: impl Into<String>) -> Failure {
    Failure { code: code.into(), reason: reason.into(), last_lines: Vec::new() }
}

pub(super) fn node_error(error: std::io::Error) -> Failure {
    disk_failure(&error).unwrap_or_else(|| failed("NODE_ERROR", format!("the node cannot start the process: {error}")))
}

impl Agent {
    /// Makes what a process of this release needs, after ending whatever an earlier one with its name left.
    pub(super) fn prepare_process(&self, id: &WorkloadId, context: &Context) -> Result<(), Failure> {
        let confine = self.confine();
        confine.kill(id);
        confine.layout.close_gates(id);
        if !confine.layout.release(&context.group, &context.release).exists() {
            return Err(failed("RELEASE_MISSING", "the node no longer has this release; deploy again"));
        }
        confine.prepare(id, &context.group, Role::App).map_err(node_error)?;
        let image = context.runtime.image.is_some();
        confine.prepare_volumes(&context.group, &context.volumes, image).map_err(node_error)?;
        // A container has the limits itself, and what looks after it has its own.
        confine.limit(id, if image { &RUNNER } else { &context.limits }, OutOfMemory::EndsAll);
        Ok(())
    }

    pub(super) async fn start_process(&self, start: Start<'_>) -> Result<Process, Failure> {
        let confine = self.confine();
        let context = start.context;
        let mut network = start.network;
        if let Network::Own { sockets, .. } = &mut network {
            // Relative to the run's directory, where the shim works.
            *sockets = Some(SOCKETS.into());
        }
        let job = Job {
            id: start.id,
            group: &context.group,
            release: &context.release,
            role: Role::App,
            program: start.program,
            runtime: &context.runtime,
            env: start.env,
            owner_env: &context.env,
            file: None,
            files: &context.files,
            volumes: &context.volumes,
            network,
            inside: start.inside,
            log: (&start.log.0, start.log.1),
        };
        let spec = match &context.runtime.image {
            Some(image) => {
                let request = self.container_request(&job, context, image, start.inside_of)?;
                confine.container_spec(&job, &request)
            }
            None => confine.shim_spec(&job),
        };
        let spec = spec.map_err(node_error)?;
        let words = self.words(start.id, context, start.log.1);
        let what = Described { id: start.id, group: &context.group, words };
        match Box::pin(confine.start(&what, spec)).await.map_err(node_error)? {
            Ok(shim) => Ok(Process { shim, started: Instant::now() }),
            Err(exit) => {
                let why = exit.spawn_error.unwrap_or_default();
                Err(failed("CANNOT_START", format!("the process cannot be started: {why}")))
            }
        }
    }

    /// Makes room for the owner's files; returns sentences about those that the process will not find.
    pub(super) fn prepare_files(&self, id: &WorkloadId, context: &Context) -> Result<Vec<String>, Failure> {
        let Context { group, release, files, runtime, .. } = context;
        if runtime.image.is_some() {
            // Who makes the container places them.
            return Ok(Vec::new());
        }
        let refused = |error: io::Error| {
            disk_failure(&error).unwrap_or_else(|| failed("RUNTIME_FILE_NOT_PLACED", error.to_string()))
        };
        self.confine().prepare_files(id, group, release, files).map_err(refused)
    }

    /// What a process is, for who sees it among others of this machine.
    fn words(&self, id: &WorkloadId, context: &Context, log: LogKind) -> String {
        let what = match log {
            LogKind::Run => id.process_name().unwrap_or("web"),
            LogKind::Job | LogKind::Build => "a command",
        };
        let state = self.lock();
        let mut routes = state.desired.iter().flat_map(|desired| &desired.routes);
        let of = |route: &&wire::RouteSpec| route.prefer.iter().any(|it| it.base() == context.release.as_str());
        let host = routes.find(of).map(|route| format!(" ({})", route.host)).unwrap_or_default();
        format!("NanoScale: {what} of project {}{host}", context.group)
    }

    /// The process that an earlier life of this node started.
    pub(super) async fn find_process(&self, id: &WorkloadId) -> Option<Process> {
        let shim = Shim::find(&self.confine().layout.run(id)).await?;
        Some(Process { shim, started: Instant::now() })
    }

    /// Ends a process: politely, then for certain, with all it started.
    pub(super) async fn stop_process(&self, id: &WorkloadId, process: Option<&Process>) {
        if let Some(process) = process {
            let run_dir = self.confine().layout.run(id);
            if read_exit(&run_dir).is_none() && process.shim.signal(nix::libc::SIGTERM).await.is_ok() {
                let slack = if self.is_container(id) { container::SLACK } else { Duration::ZERO };
                let ended = tokio::time::timeout(self.inner.config.stop_grace + slack, process.shim.wait()).await;
                if ended.is_err() {
                    let _ = process.shim.signal(nix::libc::SIGKILL).await;
                }
            }
        }
        self.confine().kill(id);
        self.remove_container(id).await;
    }

    /// Where the edge sends visitors of what listens there; `life` tells one process of the workload from the next.
    pub(super) fn destination(&self, id: &WorkloadId, life: i64, listen: Listen) -> io::Result<Destination> {
        let name = format!("{id}@{life}");
        let origin = match self.origin(id, listen) {
            Origin::Namespace { sockets, port } => {
                let sockets = self.confine().layout.open_gate(&name, &sockets, self.inner.config.gates.group)?;
                Origin::Namespace { sockets, port }
            }
            reached @ (Origin::Address(_) | Origin::Socket(_)) => reached,
        };
        Ok(Destination::Upstream { id: name, origin })
    }

    /// Waits until the edge is done with an upstream, as long as an edge that is there takes at most.
    pub(super) async fn drained(&self, upstream: &str) {
        let longest = self.inner.config.gates.drain + DRAIN_SLACK;
        if tokio::time::timeout(longest, self.inner.edge.drained(upstream)).await.is_err() {
            tracing::warn!(upstream, "the edge did not say that it is done with it");
        }
    }

    /// How this process reaches what listens there.
    pub(super) fn origin(&self, id: &WorkloadId, listen: Listen) -> Origin {
        match listen {
            Listen { port, own_loopback: true } => {
                Origin::Namespace { sockets: self.confine().layout.run(id).join(SOCKETS), port }
            }
            Listen { port, own_loopback: false } => Origin::Address((std::net::Ipv4Addr::LOCALHOST, port).into()),
        }
    }

    /// Whether the kernel ended a process of this workload for its memory.
    pub(super) fn ran_out_of_memory(&self, id: &WorkloadId) -> bool {
        let seen = || container::Seen::read(&self.confine().layout.run(id)).is_some_and(|seen| seen.out_of_memory);
        let told = || read_exit(&self.confine().layout.run(id)).is_some_and(|exit| exit.out_of_memory);
        self.confine().cgroup(id).is_some_and(|cgroup| cgroup.oom_kills() > 0) || told() || seen()
    }

    /// The last lines a process wrote, and nothing of the node's.
    pub(super) fn last_lines(&self, context: &Context, log: &(WorkloadId, LogKind), count: usize) -> Vec<Record> {
        let directory = self.confine().layout.log(&context.group, &log.0, log.1);
        crate::log::tail(&directory, count, |record| record.stream != ids::LogStream::Sys).unwrap_or_default()
    }
}

/// How a process ended, in words.
pub(super) fn how(exit: Option<&Exit>) -> String {
    match exit {
        Some(Exit { code: Some(code), .. }) => format!("ended with exit code {code}"),
        Some(Exit { signal: Some(signal), .. }) => format!("was ended by signal {signal}"),
        _ => "ended".into(),
    }
}

/// A span for people.
pub(super) fn span(duration: Duration) -> String {
    match duration.as_secs() {
        0..120 => format!("{} s", duration.as_secs()),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}
