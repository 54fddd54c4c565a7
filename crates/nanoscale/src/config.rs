//! The configuration: a JSON file, environment variables over it, defaults under it.
//! Every mistake is found before any is reported.

mod inference;
mod mesh;
mod own_ports;
mod settings;
#[cfg(test)]
mod tests;
mod tokens;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ids::BaseDomain;
pub(crate) use inference::Inference;
use ipnet::Ipv4Net;
pub(crate) use mesh::{Mesh, MeshService};
use own_ports::Dashboard;
pub(crate) use settings::Secret;
use settings::Values;

/// Where an installation keeps its file.
const INSTALLED: &str = "/opt/nanoscale/config.json";

#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    /// `sqlite:…` or `postgres:…`.
    pub(crate) database_url: String,
    pub(crate) api_bind: SocketAddr,
    pub(crate) edge_http_bind: SocketAddr,
    pub(crate) node_name: String,
    pub(crate) base_domain: BaseDomain,
    /// Where what listens in workspaces is found, if not by names below that.
    pub(crate) own_ports: Option<server::OwnPorts>,
    /// Where people open the dashboard, when that is not where the API is bound.
    pub(crate) public_url: Option<String>,
    /// Whether the API answers plaintext from other machines.
    pub(crate) insecure_http: bool,
    /// Where a machine that joined finds the server, instead of where its token says.
    pub(crate) worker_url: Option<String>,
    pub(crate) worker_name: Option<String>,
    /// Where a machine that joined takes connections of other machines' edges.
    pub(crate) worker_bind: Option<SocketAddr>,
    /// Where those find it.
    pub(crate) worker_ip: Option<IpAddr>,
    /// Where the program for other machines lies, instead of below the server's directory.
    pub(crate) programs_dir: Option<PathBuf>,
    pub(crate) git_allow_hosts: Vec<String>,
    pub(crate) image_allow_hosts: Vec<String>,
    /// The container engine's socket.
    pub(crate) docker_host: String,
    pub(crate) driver: Driver,
    pub(crate) network_allow: Vec<Ipv4Net>,
    pub(crate) notification_allow_hosts: Vec<String>,
    /// The pause after a notification's first failed attempt.
    pub(crate) notification_first_retry: Duration,
    /// Who has it may read the server's metrics.
    pub(crate) metrics_token: Option<Secret>,
    pub(crate) limits: Limits,
    pub(crate) runtime: server::RuntimeLimits,
    pub(crate) machine: Machine,
    pub(crate) tokens: server::TokenConfig,
    pub(crate) activity_retention: Duration,
    /// Absent where this server takes no part in one.
    pub(crate) mesh: Option<Mesh>,
    /// The only one of the mesh's services that this process is, if it is one.
    pub(crate) service: Option<MeshService>,
    pub(crate) inference: Inference,
    /// Settings that are accepted and have no effect, each as a sentence.
    pub(crate) warnings: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) build_memory_bytes: u64,
    pub(crate) build_disk_bytes: u64,
    pub(crate) disk_reserve_bytes: u64,
    pub(crate) cache_bytes: Option<u64>,
    pub(crate) builds_at_once: Option<u64>,
    pub(crate) build_pressure_percent: u64,
    pub(crate) build_timeout: Duration,
    pub(crate) app_memory_bytes: u64,
    pub(crate) volume_bytes: u64,
    pub(crate) start_timeout: Duration,
    pub(crate) workspaces_per_user: u64,
    pub(crate) workspaces_per_node: u64,
    pub(crate) rates: server::RateLimits,
    pub(crate) workspace_memory_mb: u64,
    pub(crate) workspace_timeout: Duration,
    pub(crate) settle: Duration,
    pub(crate) drain: Duration,
    pub(crate) stop_grace: Duration,
    pub(crate) releases_kept: usize,
    pub(crate) stale_after: Duration,
    pub(crate) reschedule_after: Duration,
    pub(crate) upload_bytes: u64,
    pub(crate) log_bytes: u64,
    pub(crate) log_project_bytes: u64,
    pub(crate) log_age: Duration,
    pub(crate) disk_notice_percent: u64,
}

/// Who makes the cgroups of what runs on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    Native,
    Systemd,
}

/// How machines are looked at.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    /// Lines of a page of logs when no limit is asked for, and at most.
    pub(crate) page_lines: usize,
    pub(crate) page_lines_max: usize,
    /// Lines that a stream begins with.
    pub(crate) stream_lines: usize,
    pub(crate) reader_timeout: Duration,
    pub(crate) ping_interval: Duration,
    pub(crate) pong_timeout: Duration,
    pub(crate) cloud_init_dir: PathBuf,
    pub(crate) docker_list_timeout: Duration,
    pub(crate) docker_stats_timeout: Duration,
}

/// Everything that is wrong, each with the path of its setting.
#[derive(Debug)]
pub(crate) struct Mistakes(pub(crate) Vec<String>);

impl std::fmt::Display for Mistakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the configuration has {} mistake(s):", self.0.len())?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

/// Reads the configuration from `path`, from where an installation has it, or from nothing.
pub(crate) fn load(path: Option<&Path>) -> Result<Config, Mistakes> {
    load_as(path, None, |_| {})
}

/// The same for a process that is the inference service and nothing else, which listens in any case.
pub(crate) fn load_for_inference(path: Option<&Path>) -> Result<Config, Mistakes> {
    load_as(path, None, |values| values.usually("mesh.inference_bind", inference::USUAL))
}

/// The same for a process that is another one of the mesh's services, and nothing else.
pub(crate) fn load_for_mesh(path: Option<&Path>, service: MeshService) -> Result<Config, Mistakes> {
    load_as(path, Some(service), |_| {})
}

fn load_as(
    path: Option<&Path>,
    service: Option<MeshService>,
    usual: impl FnOnce(&mut Values),
) -> Result<Config, Mistakes> {
    let installed = Path::new(INSTALLED);
    let path = path.or_else(|| installed.exists().then_some(installed));
    let variables = std::env::vars().collect::<Vec<_>>();
    let mut values = Values::default();
    if let Some(path) = path {
        values.read_file(path);
    }
    values.read_variables(&variables);
    usual(&mut values);
    build(values, path == Some(installed), service)
}

/// The file of defaults, for people to start from.
pub(crate) fn default_file() -> String {
    settings::default_file()
}

fn build(mut values: Values, installed: bool, service: Option<MeshService>) -> Result<Config, Mistakes> {
    let database_path = values.path("database_path");
    let data_dir = values.path("data_dir").or_else(|| {
        // The guide sets only the database's path; the rest of the data lies beside it.
        database_path.as_ref().and_then(|path| path.parent()).map(Path::to_path_buf)
    });
    let data_dir = data_dir
        .map(|path| std::path::absolute(&path).unwrap_or(path))
        .or_else(|| if installed { Some("/opt/nanoscale/data".into()) } else { user_data_dir() })
        .unwrap_or_else(|| {
            values.mistake("data_dir", "neither XDG_DATA_HOME nor HOME says where data may go; set it");
            PathBuf::new()
        });
    let database_url = mesh::database_url(&mut values, service).unwrap_or_else(|| {
        let path = database_path.unwrap_or_else(|| data_dir.join(directory(service)).join("nanoscale.db"));
        format!("sqlite:{}", path.display())
    });
    let edge_default = if installed { "0.0.0.0:80" } else { "127.0.0.1:8080" };
    let megabytes = |count: u64| count << 20;
    let limits = Limits {
        build_memory_bytes: megabytes(values.number("limits.build_memory_mb")),
        build_disk_bytes: megabytes(values.number("limits.build_disk_mb")),
        disk_reserve_bytes: megabytes(values.number("limits.disk_reserve_mb")),
        cache_bytes: values.measured("limits.cache_mb").map(megabytes),
        builds_at_once: values.measured("limits.builds_at_once"),
        build_pressure_percent: values.number("limits.build_pressure_percent"),
        build_timeout: Duration::from_secs(values.number("limits.build_timeout_seconds")),
        app_memory_bytes: megabytes(values.number("limits.app_memory_mb")),
        volume_bytes: megabytes(values.number("limits.volume_mb")),
        start_timeout: Duration::from_secs(values.number("limits.start_timeout_seconds")),
        workspaces_per_user: values.number("limits.workspaces_per_user"),
        workspaces_per_node: values.number("limits.workspaces_per_node"),
        rates: rates(&mut values),
        workspace_memory_mb: values.number("limits.workspace_memory_mb"),
        workspace_timeout: Duration::from_secs(values.number("limits.workspace_timeout_seconds")),
        settle: Duration::from_millis(values.number("limits.settle_ms")),
        drain: Duration::from_secs(values.number("limits.drain_seconds")),
        stop_grace: Duration::from_secs(values.number("limits.stop_grace_seconds")),
        releases_kept: usize::try_from(values.number("limits.releases_kept")).unwrap_or(usize::MAX),
        stale_after: Duration::from_secs(values.number("limits.stale_after_seconds")),
        reschedule_after: Duration::from_secs(values.number("limits.reschedule_after_seconds")),
        upload_bytes: megabytes(values.number("limits.upload_mb")),
        log_bytes: megabytes(values.number("limits.log_mb")),
        log_project_bytes: megabytes(values.number("limits.log_project_mb")),
        log_age: Duration::from_secs(24 * 3600 * values.number("limits.log_days")),
        disk_notice_percent: values.number("limits.disk_notice_percent"),
    };
    let machine = machine(&mut values);
    let runtime = runtime(&mut values);
    let tokens = tokens::read(&mut values);
    let (base_domain, public_url) =
        (values.domain("orchestrator.base_domain", "localhost"), mesh::public_url(&mut values, service));
    let api_bind = values.address("orchestrator.bind_address", "127.0.0.1:4000");
    let dashboard = Dashboard { public_url: public_url.as_deref(), base: &base_domain, bound: api_bind.ip() };
    let own_ports = own_ports::read(&mut values, &dashboard);
    let config = Config {
        api_bind,
        edge_http_bind: values.address("edge.http_bind", edge_default),
        node_name: values.text("orchestrator.server_name").unwrap_or_else(|| "orchestrator".into()),
        base_domain,
        own_ports,
        public_url,
        insecure_http: values.flag("orchestrator.insecure_http"),
        worker_url: values.web_address("worker.orchestrator_url"),
        worker_name: values.text("worker.name"),
        worker_bind: values.optional("worker.bind", "an address with a port, 0.0.0.0:4000"),
        worker_ip: values.optional("worker.ip", "an address, 203.0.113.7"),
        programs_dir: values.path("agents.directory"),
        git_allow_hosts: values.list("git.allow_hosts"),
        image_allow_hosts: values.list("images.allow_hosts"),
        docker_host: values.text("docker.host").unwrap_or_else(|| "unix:///var/run/docker.sock".into()),
        driver: values.choice("node.driver", &[("native", Driver::Native), ("systemd", Driver::Systemd)]),
        network_allow: values.networks("network.allow"),
        notification_allow_hosts: values.list("notifications.allow_hosts"),
        notification_first_retry: Duration::from_millis(values.number("notifications.first_retry_ms")),
        metrics_token: values.secret("metrics.token"),
        data_dir,
        database_url,
        limits,
        runtime,
        machine,
        tokens,
        activity_retention: Duration::from_secs(24 * 3600 * values.number("activity.retention_days")),
        mesh: mesh::read(&mut values, service),
        service,
        inference: inference::read(&mut values),
        warnings: values.warnings(),
    };
    values.finish(config)
}

fn runtime(values: &mut Values) -> server::RuntimeLimits {
    let mut count = |path| usize::try_from(values.number(path)).unwrap_or(usize::MAX);
    server::RuntimeLimits {
        env_vars: count("limits.env_vars"),
        files: count("limits.files"),
        value_bytes: count("limits.env_value_bytes"),
        content_bytes: count("limits.file_bytes"),
        path_length: count("limits.file_path_length"),
    }
}

fn rates(values: &mut Values) -> server::RateLimits {
    let mut count = |path| u32::try_from(values.number(path)).unwrap_or(u32::MAX);
    server::RateLimits {
        workspace_create: count("limits.rate_workspace_create"),
        terminal_token: count("limits.rate_terminal_token"),
        credential_update: count("limits.rate_credential_update"),
    }
}

fn machine(values: &mut Values) -> Machine {
    let mut lines = |path| usize::try_from(values.number(path)).unwrap_or(usize::MAX);
    let (page_lines, page_lines_max) = (lines("machine_logs.page_lines"), lines("machine_logs.page_lines_max"));
    let stream_lines = lines("machine_logs.stream_lines");
    if page_lines > page_lines_max {
        values
            .mistake("machine_logs.page_lines", format!("is more than machine_logs.page_lines_max, {page_lines_max}"));
    }
    Machine {
        page_lines,
        page_lines_max,
        stream_lines,
        reader_timeout: values.duration("machine_logs.reader_timeout"),
        ping_interval: values.duration("machine_logs.ping_interval"),
        pong_timeout: values.duration("machine_logs.pong_timeout"),
        cloud_init_dir: values.path("machine_logs.cloud_init_dir").unwrap_or_else(|| "/var/log".into()),
        docker_list_timeout: values.duration("system_info.docker_list_timeout"),
        docker_stats_timeout: values.duration("system_info.docker_stats_timeout"),
    }
}

/// The server's directory below `data_dir`; each service of the mesh that is a process of its own has its own.
fn directory(service: Option<MeshService>) -> &'static str {
    service.map_or("server", MeshService::as_str)
}

impl Config {
    /// What the server keeps.
    pub(crate) fn server_dir(&self) -> PathBuf {
        self.data_dir.join(directory(self.service))
    }

    pub(crate) fn edge_dir(&self) -> PathBuf {
        self.data_dir.join("edge")
    }

    pub(crate) fn node_dir(&self) -> PathBuf {
        self.data_dir.join("node")
    }
}

pub(crate) fn user_data_dir() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = variable("XDG_DATA_HOME").or_else(|| Some(variable("HOME")?.join(".local/share")))?;
    Some(base.join("nanoscale"))
}
