//! What the server is made of, and how it starts and stops.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use ids::{BaseDomain, WorkspaceId};
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::apps::deployments::Deployments;
use crate::apps::logs::Logs;
use crate::apps::runs::Runs;
use crate::apps::uploads::Uploads;
use crate::error::Error;
use crate::listen::{self, Listener};
use crate::platform::activity::Activity;
use crate::platform::audit::Audit;
use crate::platform::environment::Environment;
use crate::platform::events::Events;
use crate::platform::git::GitCredentials;
use crate::platform::health::Health;
use crate::platform::identity::Identity;
use crate::platform::machine_logs::MachineLogs;
use crate::platform::metrics::History;
use crate::platform::metrics::exporter::Exporter;
use crate::platform::nodes::{LocalNode, Nodes, Patience};
use crate::platform::notifications::Notifications;
use crate::platform::programs::Programs;
use crate::platform::projects::Projects;
use crate::platform::rates::Rates;
use crate::platform::signing::{Signing, SigningKey};
use crate::platform::vault::Vault;
use crate::workspaces::ports::Ports;
use crate::workspaces::{self, Workspaces};

/// How a server is set up.
#[derive(Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    /// Below which every project gets a host name.
    pub base_domain: BaseDomain,
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
}

impl Config {
    /// Whether browsers come over TLS: then cookies are `__Host-` ones, which no other host can set.
    pub(crate) fn is_secure(&self) -> bool {
        self.notifications.public_url.starts_with("https:")
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.is_secure() { "https" } else { "http" }
    }

    /// Where a browser finds a workspace, or what listens on a port of it: beside the dashboard, under a name of its own.
    pub(crate) fn workspace_url(&self, id: &WorkspaceId, port: Option<u16>) -> String {
        let public = url::Url::parse(&self.notifications.public_url).ok();
        let at = public.as_ref().and_then(|url| Some(format!(":{}", url.port()?))).unwrap_or_default();
        let port = port.map(|port| format!("--{port}")).unwrap_or_default();
        format!("{}://ws-{id}{port}.{}{at}", self.scheme(), self.base_domain.as_str())
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

/// What the handlers share; each one takes only the part it needs.
#[derive(Clone, FromRef)]
pub(crate) struct AppState {
    pub(crate) identity: Identity,
    pub(crate) signing: Signing,
    pub(crate) rates: Rates,
    pub(crate) projects: Projects,
    pub(crate) environment: Environment,
    pub(crate) git_credentials: GitCredentials,
    pub(crate) deployments: Deployments,
    pub(crate) uploads: Uploads,
    pub(crate) runs: Runs,
    pub(crate) logs: Logs,
    pub(crate) workspaces: Workspaces,
    pub(crate) ports: Ports,
    pub(crate) machine_logs: MachineLogs,
    pub(crate) nodes: Nodes,
    pub(crate) history: History,
    pub(crate) exporter: Exporter,
    pub(crate) events: Events,
    pub(crate) audit: Audit,
    pub(crate) activity: Activity,
    pub(crate) notifications: Notifications,
    pub(crate) health: Health,
    pub(crate) programs: Programs,
    pub(crate) public_url: PublicUrl,
}

/// Where people and machines find this server, when the configuration says so.
#[derive(Clone)]
pub(crate) struct PublicUrl(pub(crate) Option<String>);

/// Why a server cannot start. What is the matter in the end is among its sources.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("the database cannot be used")]
    Database(#[from] StoreError),
    #[error("the cluster's machines cannot be read")]
    Nodes(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<Error> for BuildError {
    fn from(error: Error) -> Self {
        Self::Nodes(Box::new(error))
    }
}

/// The control plane, ready to run.
pub struct Server {
    state: AppState,
    tasks: TaskTracker,
    closing: CancellationToken,
}

// === impl Server ===

impl Server {
    /// Wires the services and makes sure that the machine's own node is known.
    ///
    /// # Errors
    /// When the database does not answer, or holds a cluster key that the vault does not open.
    pub async fn build(config: Config, store: Store, vault: Vault, local: LocalNode) -> Result<Self, BuildError> {
        let config = Arc::new(config);
        let vault = Arc::new(vault);
        let closing = CancellationToken::new();
        let mut tx = store.write().await?;
        let epoch = tx.next_epoch().await?;
        tx.commit().await?;
        let history = History::open(config.metrics.database_url.clone()).await;
        let patience = config.limits.patience;
        let nodes =
            Nodes::new(store.clone(), vault.clone(), history.clone(), epoch, local, patience, closing.clone()).await?;
        let environment = Environment::new(store.clone(), vault.clone(), config.runtime);
        let git_credentials = GitCredentials::new(store.clone(), vault.clone(), config.clone());
        let notifications = Notifications::new(store.clone(), vault.clone(), config.notifications.clone());
        let projects = Projects::new(store.clone(), config.clone(), nodes.clone(), environment.clone());
        let identity = Identity::new(store.clone(), config.clone());
        let activity = Activity::new(store.clone(), identity.clone(), config.activity_retention, closing.clone());
        let deployments = Deployments::new(
            store.clone(),
            config.clone(),
            nodes.clone(),
            projects.clone(),
            environment.clone(),
            notifications.clone(),
            activity.clone(),
        );
        let signing = Signing::new(store.clone(), vault.clone(), identity.clone(), config.clone());
        let logs = Logs::new(
            nodes.clone(),
            deployments.clone(),
            projects.clone(),
            identity.clone(),
            store.clone(),
            closing.clone(),
        );
        let machine_logs =
            MachineLogs::new(nodes.clone(), identity.clone(), config.machine_logs.clone(), closing.clone());
        let tasks = TaskTracker::new();
        let workspaces = Workspaces::new(workspaces::Parts {
            store: store.clone(),
            config: config.clone(),
            nodes: nodes.clone(),
            projects: projects.clone(),
            environment: environment.clone(),
            identity: identity.clone(),
            activity: activity.clone(),
            closing: closing.clone(),
            tasks: tasks.clone(),
        });
        workspaces.answer_git(git_credentials.clone());
        let state = AppState {
            ports: Ports::new(
                store.clone(),
                config.clone(),
                nodes.clone(),
                identity.clone(),
                workspaces.clone(),
                vault.clone(),
            ),
            identity,
            signing,
            rates: Rates::new(config.limits.rates),
            workspaces,
            public_url: PublicUrl(config.public_url.clone()),
            programs: Programs::new(&config, nodes.cluster_key()),
            runs: Runs::new(store.clone(), deployments.clone()),
            exporter: Exporter::new(store.clone(), config.metrics.token.as_deref()),
            history,
            uploads: Uploads::new(config, deployments.clone(), nodes.clone()),
            logs,
            machine_logs,
            audit: Audit::new(store.clone()),
            activity,
            events: Events::new(store.clone(), closing.clone()),
            health: Health::new(store, nodes.clone()),
            notifications,
            projects,
            environment,
            git_credentials,
            deployments,
            nodes,
        };
        Ok(Self { state, tasks, closing })
    }

    /// Whether the first-run setup is still to be done.
    pub async fn needs_setup(&self) -> bool {
        self.state.identity.users_count().await.is_ok_and(|count| count == 0)
    }

    /// Serves `listener` and works in the background until `shutdown`; then finishes what is under way.
    pub async fn run(self, listener: Listener, shutdown: impl Future<Output = ()>) {
        let AppState { deployments, uploads, workspaces, nodes, notifications, history, activity, signing, .. } =
            self.state.clone();
        let closing = self.closing.clone();
        self.tasks.spawn(stoppable(closing.clone(), async move { deployments.reconcile_forever(&uploads).await }));
        self.tasks.spawn(stoppable(closing.clone(), async move { workspaces.reconcile_forever().await }));
        self.tasks.spawn(stoppable(closing.clone(), async move { activity.purge_forever().await }));
        self.tasks.spawn(stoppable(closing.clone(), async move { signing.forget_forever().await }));
        let (watched, watcher) = (nodes.clone(), notifications.clone());
        self.tasks.spawn(stoppable(closing.clone(), async move { nodes.run().await }));
        self.tasks.spawn(stoppable(closing.clone(), async move { watcher.watch_disks(&watched).await }));
        self.tasks.spawn(stoppable(closing.clone(), async move { notifications.send_forever().await }));
        let keeper = history.clone();
        self.tasks.spawn(stoppable(closing.clone(), async move { keeper.run().await }));
        let router = crate::http::router(self.state);
        let mut serving = std::pin::pin!(listen::serve(listener, router, listen::HEAD, closing.clone()));
        tokio::select! {
            () = &mut serving => {}
            () = shutdown => {
                closing.cancel();
                // Streams to browsers end by `closing`; a stuck client does not hold the server up.
                let _ = tokio::time::timeout(Duration::from_secs(5), serving).await;
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
        history.close().await;
    }
}

async fn stoppable(closing: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        () = closing.cancelled() => {}
    }
}

/// A configuration with which services can be looked at.
#[cfg(test)]
pub(crate) fn test_config(directory: &std::path::Path, tokens: TokenConfig) -> Config {
    let second = Duration::from_secs(1);
    Config {
        data_dir: directory.to_owned(),
        base_domain: "example.com".parse().unwrap(),
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
    }
}
