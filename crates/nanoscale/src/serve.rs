//! `nanoscale serve`: server, node and edge in one process. Reads top to bottom as the
//! order of the start, then of the end. [`separate`] has them as three.

mod control_plane;
mod directories;
mod inference;
mod join;
mod mesh_service;
mod separate;
mod sockets;
mod surfaces;

use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use edge::Edge;
use edge::control::Control;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use node::{Agent, Dial, Direct, Doors, Driver, EdgeIo, Gates, MachineConfig, OwnLog, Separation, Systemd};
use server::{Accept, LinkIo, LocalNode};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config, MeshService};
use control_plane::ControlPlane;
pub(crate) use directories::make_private;
pub(crate) use join::JoinArgs;

/// Bytes in flight between parts of this process.
const PIPE: usize = 256 * 1024;
/// Visitors wait at most this long for what was live before a restart to be found again.
const CONVERGE: Duration = Duration::from_secs(10);
/// Before the reason why it does not.
const SYSTEMD: &str = "node.driver is `systemd`";
/// After SIGTERM the last requests have this long.
const FINISH: Duration = Duration::from_secs(5);

/// What a process is.
pub(crate) enum Part {
    /// Everything.
    All {
        setup_code: Option<String>,
    },
    Server {
        setup_code: Option<String>,
    },
    Edge,
    Node,
    /// Engines that a coordinator elsewhere asks for models.
    Inference,
    /// Another one of the mesh's services.
    Mesh {
        service: MeshService,
        setup_code: Option<String>,
    },
    /// Node and edge of a cluster whose server is elsewhere.
    Joined(JoinArgs),
}

pub(crate) fn run(part: Part, config: Option<&Path>, log: &OwnLog) -> Result<ExitCode> {
    let config = match part {
        Part::Inference => config::load_for_inference(config)?,
        Part::Mesh { service, .. } => config::load_for_mesh(config, service)?,
        _ => config::load(config)?,
    };
    if matches!(part, Part::Server { .. } | Part::Edge | Part::Inference | Part::Mesh { .. }) {
        log.discard();
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    raise_open_files();
    let data_dir = config.data_dir.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let own_log = log.clone();
    let served = runtime.block_on(async move {
        let termination = Termination::listen()?;
        match part {
            Part::All { setup_code } => serve(config, setup_code, termination, &own_log).await,
            Part::Server { setup_code } => separate::server(config, setup_code, termination).await,
            Part::Edge => separate::edge(config, termination).await,
            Part::Node => separate::node(config, termination, &own_log).await,
            Part::Inference => inference::inference(config, termination).await,
            Part::Mesh { service: MeshService::ControlPlane, .. } => {
                mesh_service::control_plane(config, termination).await
            }
            Part::Mesh { setup_code, .. } => mesh_service::with_database(config, setup_code, termination).await,
            Part::Joined(args) => join::join(config, args, termination, &own_log).await,
        }
    });
    log.flush();
    served.map(|()| ExitCode::SUCCESS).map_err(|error| crate::disk::explain(error, &data_dir))
}

async fn serve(config: Config, setup_code: Option<String>, mut termination: Termination, log: &OwnLog) -> Result<()> {
    directories::make(&config.data_dir)?;
    let _node = directories::hold(&config.node_dir())?;
    keep_log(log, &config);
    let directory = directories::hold(&config.server_dir())?;
    make_private(&config.data_dir)?;
    let visitors = bind(config.edge_http_bind, "edge.http_bind").await?;
    let http = visitors.local_addr()?;
    let edge = Edge::new(edge_config(&config));
    let control = Control::new(edge.clone(), None);
    let (to_tunnel, tunnels) = tunnel();
    let agent = Agent::new(
        node_config(&config, Separation::OneProcess, None).await?,
        doors(edge.clone(), control, to_tunnel, None),
    )
    .context("prepare the node's directory")?;
    let stop = CancellationToken::new();
    let local = local_node(&config, agent.clone(), tunnels);
    let server = ControlPlane::start(&config, directory, setup_code, http.port(), local, stop.clone()).await?;

    let node = tokio::spawn({
        let (agent, stop) = (agent.clone(), stop.clone());
        async move { agent.run(stop.cancelled_owned()).await }
    });
    // What was live before serves again before the first visitor is let in.
    let _ = tokio::time::timeout(CONVERGE, agent.converged()).await;
    let visitors = tokio::spawn({
        let stop = stop.clone();
        async move { edge.serve(visitors, stop.cancelled_owned()).await }
    });
    announce(&format!("listening {} edge={http}", server.listening));
    server.welcome();

    termination.requested().await;
    tracing::info!("stopping; apps go on running");
    stop.cancel();
    let _ = tokio::time::timeout(FINISH, visitors).await;
    let _ = tokio::time::timeout(FINISH, node).await;
    server.finish().await
}

/// Somebody wants this process to end. Listened for from the start on: as soon as it says that it is up, it ends in peace.
struct Termination {
    terminate: Signal,
    interrupt: Signal,
}

impl Termination {
    fn listen() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Every visitor takes two descriptors, and the usual limit is for one person's programs. Apps get one of their own.
fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(soft, hard)| if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard) } else { Ok(()) });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// Says on standard output that this process is up, for people and for programs.
#[expect(clippy::print_stdout, reason = "the line that says that it is ready")]
fn announce(line: &str) {
    println!("{line}");
}

async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listen on {address} ({setting})"))
}

fn edge_config(config: &Config) -> edge::Config {
    edge::Config { drain_timeout: config.limits.drain, ..edge::Config::default() }
}

/// `group` is the edge's, where that runs as another user. Fails where the machine lacks what the node is set to work with.
async fn node_config(config: &Config, separation: Separation, group: Option<u32>) -> Result<node::Config> {
    Ok(node::Config {
        directory: config.node_dir(),
        program: std::env::current_exe().context("find this program")?,
        log_max_bytes: config.limits.log_bytes,
        log_group_max_bytes: config.limits.log_project_bytes,
        log_max_age: config.limits.log_age,
        stop_grace: config.limits.stop_grace,
        build_disk_bytes: config.limits.build_disk_bytes,
        disk_reserve_bytes: config.limits.disk_reserve_bytes,
        cache_bytes: config.limits.cache_bytes,
        builds_at_once: builds_at_once(config),
        build_pressure_percent: config.limits.build_pressure_percent,
        docker_host: config.docker_host.clone(),
        network_allow: config.network_allow.clone(),
        gates: Gates { group, drain: config.limits.drain },
        separation,
        driver: match config.driver {
            config::Driver::Native => Driver::Native,
            config::Driver::Systemd => Driver::Systemd(Systemd::connect().await.context(SYSTEMD)?),
        },
        machine: MachineConfig {
            cloud_init_dir: config.machine.cloud_init_dir.clone(),
            reader_timeout: config.machine.reader_timeout,
            docker_list_timeout: config.machine.docker_list_timeout,
            docker_stats_timeout: config.machine.docker_stats_timeout,
        },
    })
}

/// What this process logs can be read through the API from now on.
fn keep_log(log: &OwnLog, config: &Config) {
    if let Err(error) = log.open(&config.node_dir()) {
        log.discard();
        tracing::warn!(%error, "what the node logs cannot be kept on disk; standard error has it");
    }
}

/// As many builds as there are cores, unless the configuration says otherwise.
fn builds_at_once(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    config.limits.builds_at_once.and_then(|count| count.try_into().ok()).unwrap_or_else(cores)
}

/// The node of this process dials like any other, over a pipe in memory.
fn local_node(config: &Config, agent: Agent, tunnel: Accept) -> LocalNode {
    let accept = move || {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        tokio::spawn(node::serve_link(agent.clone(), theirs));
        Box::pin(std::future::ready(Box::new(ours) as Box<dyn LinkIo>)) as _
    };
    LocalNode { name: config.node_name.clone(), accept: Box::new(accept), tunnel }
}

/// So it connects to the edge of this process.
fn doors(edge: Edge, control: Control, tunnel: Dial, direct: Option<Direct>) -> Doors {
    let control = move || {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let control = control.clone();
        tokio::spawn(async move { control.serve(theirs).await });
        Box::pin(std::future::ready(Ok(Box::pin(ours) as Pin<Box<dyn EdgeIo>>))) as _
    };
    let peer = move |host: String| {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let edge = edge.clone();
        tokio::spawn(async move { edge.serve_peer(&host, theirs).await });
        Box::pin(std::future::ready(Ok(Box::pin(ours) as Pin<Box<dyn EdgeIo>>))) as _
    };
    Doors { control: Box::new(control), peer: Box::new(peer), tunnel, direct }
}

/// And to the server's tunnel to other nodes: the node's end, and the server's.
fn tunnel() -> (Dial, Accept) {
    let (dialled, arrived) = tokio::sync::mpsc::channel(16);
    let arrived = Arc::new(tokio::sync::Mutex::new(arrived));
    let dial = move || {
        let dialled = dialled.clone();
        Box::pin(async move {
            let (ours, theirs) = tokio::io::duplex(PIPE);
            dialled.send(theirs).await.map_err(|_| std::io::ErrorKind::ConnectionRefused)?;
            Ok(Box::pin(ours) as Pin<Box<dyn EdgeIo>>)
        }) as _
    };
    let accept = move || {
        let arrived = arrived.clone();
        Box::pin(async move {
            match arrived.lock().await.recv().await {
                Some(io) => Box::new(io) as Box<dyn LinkIo>,
                // The node has gone, and this process with it.
                None => std::future::pending().await,
            }
        }) as _
    };
    (Box::new(dial), Box::new(accept))
}
