//! `nanoscale serve`: server, node and edge in one process. Reads top to bottom as the
//! order of the start, then of the end.

use std::fs::File;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use edge::Edge;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use node::Agent;
use rand::Rng;
use server::{EmbeddedNode, KeyRing, LinkIo, Server, Vault};
use store::Store;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config};

/// Bytes in flight between the server and its embedded node.
const PIPE: usize = 256 * 1024;
/// Visitors wait at most this long for what was live before a restart to be found again.
const CONVERGE: Duration = Duration::from_secs(10);
/// After SIGTERM the last requests have this long.
const FINISH: Duration = Duration::from_secs(5);

pub(crate) fn run(config: Option<&Path>, setup_code: Option<String>) -> Result<ExitCode> {
    let config = config::load(config)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(config, setup_code))
}

async fn serve(config: Config, setup_code: Option<String>) -> Result<ExitCode> {
    raise_open_files();
    make_data_dir(&config.data_dir)?;
    let _lock = lock(&config.data_dir)?;
    let api = bind(config.api_bind, "orchestrator.bind_address").await?;
    let http = bind(config.edge_http_bind, "edge.http_bind").await?;
    let (api_addr, http_addr) = (api.local_addr()?, http.local_addr()?);
    let store = Store::open(&config.database_url).await.context("open the database")?;
    let ring = key_ring(&config.data_dir.join("keys.json"), &store).await?;

    let edge_config = edge::Config { drain_timeout: config.limits.drain, ..edge::Config::default() };
    let edge = Edge::new(edge_config.clone());
    let agent = Agent::new(node_config(&config, edge_config)?, edge.clone()).context("prepare the node's directory")?;
    let given = setup_code.filter(|code| !code.trim().is_empty());
    let setup_code = given.unwrap_or_else(random_code);
    let server_config = server_config(&config, api_addr, http_addr.port(), setup_code.clone());
    let server = Server::build(server_config, store.clone(), Vault::new(&ring)?, embedded(&config, agent.clone()))
        .await
        .context("start the server")?;
    let needs_setup = server.needs_setup().await;

    let stop = CancellationToken::new();
    let serving = tokio::spawn(server.run(api, stop.clone().cancelled_owned()));
    let node = tokio::spawn({
        let (agent, stop) = (agent.clone(), stop.clone());
        async move { agent.run(stop.cancelled_owned()).await }
    });
    // What was live before serves again before the first visitor is let in.
    let _ = tokio::time::timeout(CONVERGE, agent.converged()).await;
    let visitors = tokio::spawn({
        let stop = stop.clone();
        async move { edge.serve(http, stop.cancelled_owned()).await }
    });
    announce(api_addr, http_addr, needs_setup.then_some(setup_code.as_str()));

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping; apps go on running");
    stop.cancel();
    let _ = tokio::time::timeout(FINISH, visitors).await;
    let _ = tokio::time::timeout(FINISH, node).await;
    serving.await?;
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

/// Every visitor takes two descriptors, and the usual limit is for one person's programs. Apps get one of their own.
fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(soft, hard)| if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard) } else { Ok(()) });
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}

/// Says on standard output that everything is up, for people and for programs.
#[expect(clippy::print_stdout, reason = "the line that says the server is ready")]
fn announce(api: SocketAddr, edge: SocketAddr, setup_code: Option<&str>) {
    println!("listening api={api} edge={edge}");
    match setup_code {
        Some(code) => println!("first-run setup: open http://{api}/setup#code={code}"),
        None => println!("dashboard: http://{api}/"),
    }
}

/// The directory of everything this server keeps, closed to other users.
pub(crate) fn make_data_dir(path: &Path) -> Result<()> {
    let context = || format!("make the data directory {}", path.display());
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(context)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).with_context(context)
}

/// One server at a time works in a data directory. The lock ends with the process, however it ends.
fn lock(data_dir: &Path) -> Result<Flock<File>> {
    let file = File::create(data_dir.join("lock")).context("open the lock file")?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, error)| error)
        .with_context(|| format!("another nanoscale works in {}; stop it first", data_dir.display()))
}

/// The keys of what is sealed in the database. New ones are made only where nothing is: they would open nothing else.
async fn key_ring(path: &Path, store: &Store) -> Result<KeyRing> {
    let ring = KeyRing::load(path).with_context(|| format!("read the key ring {}", path.display()))?;
    let sealed = store.read().await?.sealed_sample().await?;
    match (ring, sealed) {
        (Some(ring), Some(sealed)) if !ring.fits(&sealed) => bail!(
            "{} does not have the key that sealed the secrets in the database; restore the file that belongs to it",
            path.display()
        ),
        (Some(ring), _) => Ok(ring),
        (None, Some(_)) => bail!(
            "{} is not there, and the database holds secrets that only its keys open; restore the file from a backup",
            path.display()
        ),
        (None, None) => {
            let ring = KeyRing::generate();
            ring.create(path).with_context(|| format!("write the key ring {}", path.display()))?;
            Ok(ring)
        }
    }
}

async fn bind(address: SocketAddr, setting: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("listen on {address} ({setting})"))
}

fn random_code() -> String {
    // Without the letters and digits that look alike.
    const LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";
    let mut rng = rand::rng();
    (0..20).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect()
}

fn node_config(config: &Config, edge: edge::Config) -> Result<node::Config> {
    Ok(node::Config {
        directory: config.data_dir.join("node"),
        program: std::env::current_exe().context("find this program")?,
        log_max_bytes: config.limits.log_bytes,
        log_max_age: config.limits.log_age,
        stop_grace: config.limits.stop_grace,
        build_disk_bytes: config.limits.build_disk_bytes,
        disk_reserve_bytes: config.limits.disk_reserve_bytes,
        cache_bytes: config.limits.cache_bytes,
        builds_at_once: builds_at_once(config),
        build_pressure_percent: config.limits.build_pressure_percent,
        network_allow: config.network_allow.clone(),
        edge,
    })
}

/// As many builds as there are cores, unless the configuration says otherwise.
fn builds_at_once(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    config.limits.builds_at_once.and_then(|count| count.try_into().ok()).unwrap_or_else(cores)
}

/// Where people open the dashboard, as far as this machine can tell.
fn public_url(config: &Config, api: SocketAddr) -> String {
    match &config.public_url {
        Some(url) => url.clone(),
        None if api.ip().is_unspecified() => format!("http://{}:{}", config.base_domain.as_str(), api.port()),
        None => format!("http://{api}"),
    }
}

fn server_config(config: &Config, api: SocketAddr, edge_port: u16, setup_code: String) -> server::Config {
    server::Config {
        data_dir: config.data_dir.clone(),
        base_domain: config.base_domain.clone(),
        edge_port,
        setup_code,
        secure_cookies: false,
        git_allow_hosts: config.git_allow_hosts.clone(),
        notifications: server::NotificationConfig {
            public_url: public_url(config, api),
            allow_hosts: config.notification_allow_hosts.clone(),
            first_retry: config.notification_first_retry,
            disk_notice_percent: config.limits.disk_notice_percent,
        },
        limits: server::Limits {
            build_memory_bytes: config.limits.build_memory_bytes,
            build_timeout: config.limits.build_timeout,
            app_memory_bytes: config.limits.app_memory_bytes,
            volume_bytes: config.limits.volume_bytes,
            start_timeout: config.limits.start_timeout,
            settle: config.limits.settle,
            releases_kept: config.limits.releases_kept,
            upload_bytes: config.limits.upload_bytes,
        },
    }
}

/// The node of this process dials like any other, over a pipe in memory.
fn embedded(config: &Config, agent: Agent) -> EmbeddedNode {
    let dial = move || {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        tokio::spawn(node::serve_link(agent.clone(), theirs));
        Box::new(ours) as Box<dyn LinkIo>
    };
    EmbeddedNode { name: config.node_name.clone(), dial: Box::new(dial) }
}
