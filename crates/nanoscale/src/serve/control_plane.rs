//! The server of this process: database, keys, API.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use mesh_agent::TrustedCoordinator;
use rand::Rng;
use server::{Certificate, FurtherPort, KeyRing, Listener, LocalNode, Patience, Server, Vault};
use store::Store;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::directories::Held;
use super::surfaces::Surfaces;
use crate::config::Config;

/// A server at work.
pub(super) struct ControlPlane {
    pub(super) address: SocketAddr,
    /// Where it listens, for who reads the start: `api=ADDRESS`, unless it is one service of the mesh, and the ports of that.
    pub(super) listening: String,
    /// What the first-run setup wants to know, while it is still to be done.
    pub(super) setup_code: Option<String>,
    store: Store,
    serving: JoinHandle<()>,
    inference: Option<JoinHandle<()>>,
    _directory: Held,
}

// === impl ControlPlane ===

impl ControlPlane {
    /// Serves until `stop`, from a `directory` that it holds. Visitors reach the edge at `edge_port`.
    pub(super) async fn start(
        config: &Config,
        directory: Held,
        setup_code: Option<String>,
        edge_port: u16,
        node: LocalNode,
        stop: CancellationToken,
    ) -> Result<Self> {
        let api = match config.service {
            None => Some(super::bind(config.api_bind, "orchestrator.bind_address").await?),
            Some(_) => None,
        };
        let certificate = Certificate::own(&config.server_dir().join("tls"), &own_names(config))
            .context("make the server's own certificate")?;
        let pin = certificate.pin().to_owned();
        let mut further = own_ports(config, &certificate).await?;
        let surfaces = Surfaces::bind(config).await?;
        let api_address = api.as_ref().map(TcpListener::local_addr).transpose()?;
        let address = api_address.or_else(|| surfaces.as_ref()?.address()).context("this process listens nowhere")?;
        let listener = api.map(|tcp| Listener {
            tcp,
            certificate: Some(certificate.clone()),
            plaintext_for_all: config.insecure_http,
        });
        let store = Store::open(&config.database_url).await.context("open the database")?;
        let ring = key_ring(&config.server_dir().join("keys.json"), &store).await?;
        let given = setup_code.filter(|code| !code.trim().is_empty());
        let setup_code = given.unwrap_or_else(random_code);
        let server_config = server::Config {
            certificate_pin: Some(pin),
            mesh: surfaces.as_ref().map(|surfaces| surfaces.config(config)),
            ..server_config(config, address, edge_port, setup_code.clone())
        };
        let mut listening = api_address.map(|address| format!(" api={address}")).unwrap_or_default();
        let mut inference = None;
        if let Some(mut surfaces) = surfaces {
            listening.push_str(&surfaces.announced());
            inference = surfaces.inference.take().zip(Some(surfaces.peer_id(config)));
            further.extend(surfaces.listeners(config, &certificate));
        }
        let server =
            Server::build(server_config, store.clone(), Vault::new(&ring)?, node).await.context("start the server")?;
        let inference = inference.map(|(socket, peer_id)| {
            let own = server.coordinator_key().map(|key| TrustedCoordinator { peer_id, key });
            let prepared = socket.prepare(own, certificate, config.insecure_http, stop.clone());
            prepared.map(tokio::spawn)
        });
        let needs_setup = server.needs_setup().await;
        Ok(Self {
            address,
            setup_code: needs_setup.then_some(setup_code),
            store,
            listening: listening.trim_start().to_owned(),
            serving: tokio::spawn(serve(server, listener, further, stop)),
            inference: inference.transpose()?,
            _directory: directory,
        })
    }

    /// Waits for the end of what is under way.
    pub(super) async fn finish(self) -> Result<()> {
        self.serving.await?;
        if let Some(inference) = self.inference {
            inference.await?;
        }
        self.store.close().await;
        Ok(())
    }

    /// Says where people go.
    #[expect(clippy::print_stdout, reason = "what a person wants to know after the start")]
    pub(super) fn welcome(&self) {
        let address = self.address;
        match &self.setup_code {
            Some(code) => println!("first-run setup: open http://{address}/setup#code={code}"),
            None => println!("dashboard: http://{address}/"),
        }
    }
}

async fn serve(
    server: Server,
    listener: Option<Listener>,
    further: Vec<(FurtherPort, Listener)>,
    stop: CancellationToken,
) {
    match listener {
        Some(listener) => server.run(listener, further, stop.cancelled_owned()).await,
        None => server.run_of_mesh(further, stop.cancelled_owned()).await,
    }
}

/// The listeners of what is in workspaces, by their ports.
async fn own_ports(config: &Config, certificate: &Certificate) -> Result<Vec<(FurtherPort, Listener)>> {
    let mut listeners = Vec::new();
    let own_ports = config.own_ports.iter().filter(|_| config.service.is_none());
    for number in own_ports.flat_map(|own| own.numbers.clone()) {
        let tcp = super::bind(SocketAddr::new(config.api_bind.ip(), number), "workspaces.ports").await?;
        let certificate = Some(certificate.clone());
        listeners
            .push((FurtherPort::Own(number), Listener { tcp, certificate, plaintext_for_all: config.insecure_http }));
    }
    Ok(listeners)
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

/// What this server may be called by those who connect to it.
pub(super) fn own_names(config: &Config) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let own_ports = config.own_ports.as_ref().map(|own| own.origin.as_str());
    for url in config.public_url.as_deref().into_iter().chain(own_ports) {
        let url = url::Url::parse(url).ok();
        names.extend(url.and_then(|url| url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned())));
    }
    names.push(config.base_domain.as_str().to_owned());
    if !config.api_bind.ip().is_unspecified() {
        names.push(config.api_bind.ip().to_string());
    }
    names.sort();
    names.dedup();
    names
}

fn random_code() -> String {
    // Without the letters and digits that look alike.
    const LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";
    let mut rng = rand::rng();
    (0..20).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect()
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
        data_dir: config.server_dir(),
        base_domain: config.base_domain.clone(),
        own_ports: config.own_ports.clone(),
        public_url: config.public_url.clone(),
        certificate_pin: None,
        programs_dir: config.programs_dir.clone().unwrap_or_else(|| config.server_dir().join("agents")),
        edge_port,
        setup_code,
        git_allow_hosts: config.git_allow_hosts.clone(),
        image_allow_hosts: config.image_allow_hosts.clone(),
        notifications: server::NotificationConfig {
            public_url: public_url(config, api),
            allow_hosts: config.notification_allow_hosts.clone(),
            first_retry: config.notification_first_retry,
            disk_notice_percent: config.limits.disk_notice_percent,
        },
        metrics: server::MetricsConfig {
            database_url: store::MetricsStore::url_for(&config.database_url, &config.server_dir()),
            token: config.metrics_token.as_ref().map(|token| token.reveal().to_owned()),
        },
        runtime: config.runtime,
        machine_logs: server::MachineLogConfig {
            page_lines: config.machine.page_lines,
            page_lines_max: config.machine.page_lines_max,
            stream_lines: config.machine.stream_lines,
            ping_interval: config.machine.ping_interval,
            pong_timeout: config.machine.pong_timeout,
        },
        tokens: config.tokens.clone(),
        activity_retention: config.activity_retention,
        mesh: None,
        limits: server::Limits {
            build_memory_bytes: config.limits.build_memory_bytes,
            build_timeout: config.limits.build_timeout,
            app_memory_bytes: config.limits.app_memory_bytes,
            volume_bytes: config.limits.volume_bytes,
            start_timeout: config.limits.start_timeout,
            workspaces_per_user: config.limits.workspaces_per_user,
            workspaces_per_node: config.limits.workspaces_per_node,
            rates: config.limits.rates,
            workspace_memory_mb: config.limits.workspace_memory_mb,
            workspace_timeout: config.limits.workspace_timeout,
            settle: config.limits.settle,
            releases_kept: config.limits.releases_kept,
            patience: Patience {
                stale_after: config.limits.stale_after,
                reschedule_after: config.limits.reschedule_after,
            },
            upload_bytes: config.limits.upload_bytes,
            disk_reserve_bytes: config.limits.disk_reserve_bytes,
        },
    }
}
