//! How a server is set up.

use std::path::PathBuf;
use std::time::Duration;

use ids::{BaseDomain, WorkspaceId};

use crate::mesh::MeshConfig;
use crate::platform::nodes::Patience;
use crate::platform::signing::SigningKey;
use crate::workspaces::ports::own::OwnPorts;

/// How a server is set up.
#[derive(Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    /// Below which every project gets a host name.
    pub base_domain: BaseDomain,
    /// Where what listens in workspaces is found, if not by names below the base domain.
    pub own_ports: Option<OwnPorts>,
    /// Where people and machines find this server, when the configuration says so.
    pub public_url: Option<String>,
    /// By which machines know the key of this server's own certificate, see [`crate::Certificate::pin`].
    pub certificate_pin: Option<String>,
    /// Where the program for other machines than this one lies.
    pub programs_dir: PathBuf,
    /// Where browsers reach the edge.
    pub edge_port: u16,
    /// The first-run setup is only done by who knows this.
    pub setup_code: String,
    /// Hosts (`host` or `host:port`) that may be plain http or lie in private ranges.
    pub git_allow_hosts: Vec<String>,
    /// Registries (`host` or `host:port`) that may lie in private ranges.
    pub image_allow_hosts: Vec<String>,
    pub notifications: NotificationConfig,
    pub metrics: MetricsConfig,
    pub limits: Limits,
    pub runtime: RuntimeLimits,
    pub machine_logs: MachineLogConfig,
    pub tokens: TokenConfig,
    /// How long what happened in a project can be read.
    pub activity_retention: Duration,
    /// Absent where this server takes no part in one.
    pub mesh: Option<MeshConfig>,
}

impl Config {
    /// Whether browsers come over TLS: then cookies are `__Host-` ones, which no other host can set.
    pub(crate) fn is_secure(&self) -> bool {
        self.notifications.public_url.starts_with("https:")
    }

    /// The same of ports of workspaces.
    pub(crate) fn ports_are_secure(&self) -> bool {
        self.own_ports.as_ref().map_or(self.is_secure(), OwnPorts::is_secure)
    }

    pub(crate) fn ports_scheme(&self) -> &'static str {
        if self.ports_are_secure() { "https" } else { "http" }
    }

    /// Where programs find the terminals of a workspace.
    pub(crate) fn workspace_url(&self, id: &WorkspaceId) -> String {
        match &self.own_ports {
            Some(_) => self.notifications.public_url.trim_end_matches('/').to_owned(),
            None => self.named(&format!("ws-{id}")),
        }
    }

    /// Where a browser finds what listens on a port of a workspace: under a name of its own, or at the port of the server that it has
    /// got. Until it has one, the dashboard gives it one to who comes there.
    pub(crate) fn port_url(&self, id: &WorkspaceId, port: u16, own_port: Option<u16>) -> String {
        match (&self.own_ports, own_port) {
            (None, _) => self.named(&format!("ws-{id}--{port}")),
            (Some(own), Some(number)) if own.numbers.contains(&number) => own.url(number),
            (Some(_), _) => {
                let dashboard = self.notifications.public_url.trim_end_matches('/');
                format!("{dashboard}/api/workspaces/{id}/ports/{port}/open")
            }
        }
    }

    /// Beside the dashboard, below the base domain.
    fn named(&self, label: &str) -> String {
        let public = url::Url::parse(&self.notifications.public_url).ok();
        let at = public.as_ref().and_then(|url| Some(format!(":{}", url.port()?))).unwrap_or_default();
        let scheme = if self.is_secure() { "https" } else { "http" };
        format!("{scheme}://{label}.{}{at}", self.base_domain.as_str())
    }
}

/// How tokens that others verify are made.
#[derive(Debug, Clone)]
pub struct TokenConfig {
    /// What signs them; one that is kept in the database when absent.
    pub key: Option<SigningKey>,
    /// How long a token for terminals is good.
    pub terminal: Duration,
    /// The same of one for reports of machines.
    pub callback: Duration,
}

/// What a project's processes may be given.
#[derive(Debug, Clone, Copy)]
pub struct RuntimeLimits {
    /// Variables and files of a project.
    pub env_vars: usize,
    pub files: usize,
    /// Bytes of one value, and of one file.
    pub value_bytes: usize,
    pub content_bytes: usize,
    /// Characters.
    pub path_length: usize,
}

/// How often one person may do something in an hour; 0 is as often as they want.
#[derive(Debug, Clone, Copy)]
pub struct RateLimits {
    pub workspace_create: u32,
    pub terminal_token: u32,
    pub credential_update: u32,
}

/// How logs of machines are given out.
#[derive(Debug, Clone)]
pub struct MachineLogConfig {
    /// Lines of a page when no limit is asked for, and at most.
    pub page_lines: usize,
    pub page_lines_max: usize,
    /// Lines that a stream begins with.
    pub stream_lines: usize,
    /// How often a quiet stream says that it is there.
    pub ping_interval: Duration,
    /// A stream whose client takes nothing for so long is ended.
    pub pong_timeout: Duration,
}

/// How metrics are kept and told.
#[derive(Clone)]
pub struct MetricsConfig {
    /// Where their history is: `sqlite:…` or `postgres:…`.
    pub database_url: String,
    /// Who has it may read `/metrics`; nobody may without one.
    pub token: Option<String>,
}

/// How people are told of what happens.
#[derive(Debug, Clone)]
pub struct NotificationConfig {
    /// Where people open the dashboard, without a slash at the end.
    pub public_url: String,
    /// Hosts (`host` or `host:port`) that may be plain http or lie in private ranges.
    pub allow_hosts: Vec<String>,
    /// The pause after a delivery's first failed attempt; later ones grow from it.
    pub first_retry: Duration,
    /// A node's disk that is so full is told of.
    pub disk_notice_percent: u64,
}

/// Bounds that the operator may set.
#[derive(Debug, Clone)]
pub struct Limits {
    pub build_memory_bytes: u64,
    pub build_timeout: Duration,
    pub app_memory_bytes: u64,
    /// Of a volume without a size of its own.
    pub volume_bytes: u64,
    pub start_timeout: Duration,
    /// Workspaces that one user, and that one node, may have active.
    pub workspaces_per_user: u64,
    pub workspaces_per_node: u64,
    pub rates: RateLimits,
    /// Of a workspace that asks for no other.
    pub workspace_memory_mb: u64,
    /// A workspace has to be ready by then.
    pub workspace_timeout: Duration,
    /// How long a new release must have been up before it replaces a live one.
    pub settle: Duration,
    pub releases_kept: usize,
    pub patience: Patience,
    pub upload_bytes: u64,
    /// Of the disk, what uploads leave free.
    pub disk_reserve_bytes: u64,
}

/// A configuration with which services can be looked at.
#[cfg(test)]
pub(crate) fn test_config(directory: &std::path::Path, tokens: TokenConfig) -> Config {
    let second = Duration::from_secs(1);
    Config {
        data_dir: directory.to_owned(),
        base_domain: "example.com".parse().unwrap(),
        own_ports: None,
        public_url: None,
        certificate_pin: None,
        programs_dir: directory.to_owned(),
        edge_port: 80,
        setup_code: "code".into(),
        git_allow_hosts: Vec::new(),
        image_allow_hosts: Vec::new(),
        notifications: NotificationConfig {
            public_url: "https://example.com".into(),
            allow_hosts: Vec::new(),
            first_retry: second,
            disk_notice_percent: 90,
        },
        metrics: MetricsConfig { database_url: "sqlite::memory:".into(), token: None },
        limits: Limits {
            build_memory_bytes: 1 << 30,
            build_timeout: second,
            app_memory_bytes: 1 << 30,
            volume_bytes: 1 << 30,
            start_timeout: second,
            workspaces_per_user: 10,
            workspaces_per_node: 10,
            rates: RateLimits { workspace_create: 0, terminal_token: 0, credential_update: 0 },
            workspace_memory_mb: 1024,
            workspace_timeout: second,
            settle: second,
            releases_kept: 5,
            patience: Patience { stale_after: second, reschedule_after: second },
            upload_bytes: 1 << 20,
            disk_reserve_bytes: 0,
        },
        runtime: RuntimeLimits {
            env_vars: 150,
            files: 50,
            value_bytes: 8192,
            content_bytes: 131_072,
            path_length: 256,
        },
        machine_logs: MachineLogConfig {
            page_lines: 1,
            page_lines_max: 1,
            stream_lines: 1,
            ping_interval: second,
            pong_timeout: second,
        },
        tokens,
        activity_retention: second,
        mesh: None,
    }
}
