//! What the server is made of, and how it starts and stops.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use link::PublicKey;
use store::{Store, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::apps::deployments::Deployments;
use crate::apps::logs::Logs;
use crate::apps::runs::Runs;
use crate::apps::uploads::Uploads;
use crate::config::Config;
use crate::error::Error;
use crate::listen::{self, Listener};
use crate::mesh::surfaces::MeshSurface;
use crate::mesh::{self, Mesh};
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
use crate::platform::nodes::{LocalNode, Nodes, load_cluster_key};
use crate::platform::notifications::Notifications;
use crate::platform::programs::Programs;
use crate::platform::projects::Projects;
use crate::platform::rates::Rates;
use crate::platform::signing::Signing;
use crate::platform::vault::Vault;
use crate::workspaces::ports::Ports;
use crate::workspaces::ports::own;
use crate::workspaces::{self, Workspaces};

/// What the handlers share; each one takes only the part it needs. It is cloned several times for each request.
#[derive(Clone)]
pub(crate) struct AppState(Arc<Services>);

pub(crate) struct Services {
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
    pub(crate) mesh: Mesh,
}

impl Deref for AppState {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.0
    }
}

macro_rules! each_part {
    ($($part:ident: $type:ty),* $(,)?) => {$(
        impl FromRef<AppState> for $type {
            fn from_ref(state: &AppState) -> Self {
                state.$part.clone()
            }
        }
    )*};
}

each_part! {
    identity: Identity,
    signing: Signing,
    rates: Rates,
    projects: Projects,
    environment: Environment,
    git_credentials: GitCredentials,
    deployments: Deployments,
    uploads: Uploads,
    runs: Runs,
    logs: Logs,
    workspaces: Workspaces,
    ports: Ports,
    machine_logs: MachineLogs,
    nodes: Nodes,
    history: History,
    exporter: Exporter,
    events: Events,
    audit: Audit,
    activity: Activity,
    notifications: Notifications,
    health: Health,
    programs: Programs,
    public_url: PublicUrl,
    mesh: Mesh,
}

/// What is served beside the dashboard, at a port of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FurtherPort {
    /// What listens in workspaces, by the port's number.
    Own(u16),
    Mesh(MeshSurface),
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
        let key = load_cluster_key(&store, &vault).await?;
        let nodes =
            Nodes::new(store.clone(), vault.clone(), history.clone(), epoch, local, patience, closing.clone()).await?;
        let environment = Environment::new(store.clone(), vault.clone(), config.runtime);
        let git_credentials = GitCredentials::new(store.clone(), vault.clone(), config.clone());
        let notifications = Notifications::new(store.clone(), vault.clone(), config.notifications.clone());
        let projects = Projects::new(store.clone(), config.clone(), nodes.clone(), environment.clone());
        let identity = Identity::new(store.clone(), config.clone(), mesh::people_elsewhere(config.mesh.as_ref())?);
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
        let mesh = Mesh::new(mesh::Foundation {
            config: config.mesh.clone(),
            store: store.clone(),
            vault: vault.clone(),
            identity: identity.clone(),
            key,
            epoch,
            tasks: tasks.clone(),
            closing: closing.clone(),
        })?;
        let state = Services {
            mesh,
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
        Ok(Self { state: AppState(Arc::new(state)), tasks, closing })
    }

    /// What machines of the mesh, and the inference service, know the coordinator by; `None` where the mesh is off.
    pub fn coordinator_key(&self) -> Option<PublicKey> {
        self.state.mesh.on().ok().map(|parts| parts.key.public())
    }

    /// Whether the first-run setup is still to be done.
    pub async fn needs_setup(&self) -> bool {
        self.state.identity.users_count().await.is_ok_and(|count| count == 0)
    }

    /// Serves `listener` and the further ports, and works in the background until `shutdown`; then finishes what is under way.
    pub async fn run(
        self,
        listener: Listener,
        further: Vec<(FurtherPort, Listener)>,
        shutdown: impl Future<Output = ()>,
    ) {
        let Services {
            deployments, uploads, workspaces, nodes, notifications, history, activity, signing, mesh, ..
        } = &*self.state;
        let (deployments, uploads, workspaces) = (deployments.clone(), uploads.clone(), workspaces.clone());
        let (nodes, notifications, history) = (nodes.clone(), notifications.clone(), history.clone());
        let (activity, signing, mesh) = (activity.clone(), signing.clone(), mesh.clone());
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
        self.tasks.spawn(stoppable(closing.clone(), async move { mesh.run().await }));
        let own = (listener, crate::http::router(self.state.clone()));
        let further = further.into_iter().map(|(port, listener)| (listener, self.state.router(port)));
        self.serve(std::iter::once(own).chain(further).collect(), shutdown).await;
        history.close().await;
    }

    /// The same for a server that is one of the mesh's services and nothing else ([`crate::MeshRole`]).
    pub async fn run_of_mesh(self, ports: Vec<(FurtherPort, Listener)>, shutdown: impl Future<Output = ()>) {
        let (activity, mesh, history) =
            (self.state.activity.clone(), self.state.mesh.clone(), self.state.history.clone());
        let closing = self.closing.clone();
        self.tasks.spawn(stoppable(closing.clone(), async move { activity.purge_forever().await }));
        self.tasks.spawn(stoppable(closing, async move { mesh.run().await }));
        let served = ports.into_iter().map(|(port, listener)| (listener, self.state.router(port)));
        self.serve(served.collect(), shutdown).await;
        history.close().await;
    }

    async fn serve(&self, served: Vec<(Listener, axum::Router)>, shutdown: impl Future<Output = ()>) {
        let closing = self.closing.clone();
        let served = served.into_iter();
        let served = served.map(|(listener, router)| listen::serve(listener, router, listen::HEAD, closing.clone()));
        let mut serving = std::pin::pin!(futures_util::future::join_all(served));
        tokio::select! {
            _ = &mut serving => {}
            () = shutdown => {
                closing.cancel();
                // Streams to browsers end by `closing`; a stuck client does not hold the server up.
                let _ = tokio::time::timeout(Duration::from_secs(5), serving).await;
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl AppState {
    fn router(&self, port: FurtherPort) -> axum::Router {
        match port {
            FurtherPort::Own(number) => own::router(self.ports.clone(), number),
            FurtherPort::Mesh(surface) => surface.router(self),
        }
    }
}

async fn stoppable(closing: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        () = closing.cancelled() => {}
    }
}
