use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ids::MeshNodeId;
use link::{KeyPair, PublicKey};
use signatures::Nonces;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wire::MeshReport;

use crate::completions::Completions;
use crate::config::Config;
use crate::coordinator::CoordinatorClient;
use crate::discovery::Discovery;
use crate::http::Served;
use crate::kept;
use crate::local::LocalEndpoint;
use crate::offer::Offer;
use crate::own_engine::Supervised;
use crate::status::Status;
use crate::upstream::{Engine, InvalidUpstream};

/// Longer than a signature lives, and clocks may differ.
const BEFORE_ALL: Duration = Duration::from_secs(180);

/// How often it is looked what the owner says.
const OBEY: Duration = Duration::from_secs(1);

/// Why there can be no mesh agent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the mesh agent's directory cannot be used")]
    Directory(#[source] io::Error),
    #[error(transparent)]
    Upstream(#[from] InvalidUpstream),
    #[error("{} cannot be run", .0.display())]
    OwnEngine(PathBuf, #[source] io::Error),
    #[error("programs of this machine cannot be let in at {0}")]
    Local(SocketAddr, #[source] io::Error),
    #[error("the coordinator cannot be asked")]
    Client(#[from] reqwest::Error),
}

/// A machine that serves models to a coordinator. Clones are the same one.
#[derive(Clone)]
pub struct MeshAgent {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) key: Arc<KeyPair>,
    /// By which coordinators and their registry are asked.
    pub(crate) client: reqwest::Client,
    pub(crate) discovery: Discovery,
    pub(crate) served: Served,
    /// Signatures that were used.
    pub(crate) nonces: Arc<Nonces>,
    own_engines: Vec<Supervised>,
    local: Option<LocalEndpoint>,
    pub(crate) status: watch::Sender<Status>,
}

// === impl MeshAgent ===

impl MeshAgent {
    /// Makes its directory and its key, when they are not there. Nothing is asked or served before [`MeshAgent::run`].
    pub fn new(config: Config) -> Result<Self, Error> {
        kept::make(&config.directory).map_err(Error::Directory)?;
        let key = Arc::new(kept::load_key(&config.directory).map_err(Error::Directory)?);
        let own_engines = config.own_engines.iter().map(|engine| {
            Supervised::new(engine, &config.directory).map_err(|error| Error::OwnEngine(engine.program.clone(), error))
        });
        let own_engines = own_engines.collect::<Result<Vec<_>, _>>()?;
        let own = own_engines.iter().filter_map(Supervised::upstream).collect::<Vec<_>>();
        let engines = config.upstreams.iter().chain(&own).map(Engine::new).collect::<Result<Arc<[_]>, _>>()?;
        let local = config.local.map(|address| {
            LocalEndpoint::bind(address, &config.directory).map_err(|error| Error::Local(address, error))
        });
        let local = local.transpose()?;
        let served =
            Served { offer: Offer::new(config.terms.clone()), engines, completions: Arc::new(Completions::default()) };
        // What an earlier process took cannot come again: it came over a link of that process, which nobody can repeat.
        // So this one takes at once what is signed by a clock that is behind its own.
        let nonces = Arc::new(Nonces::new(SystemTime::now() - BEFORE_ALL));
        let client = CoordinatorClient::shared()?;
        let discovery = Discovery::new(client.clone(), &config);
        let status = watch::Sender::new(Status::Connecting { reason: "it has not tried yet".into() });
        Ok(Self {
            inner: Arc::new(Inner { config, key, client, discovery, served, nonces, own_engines, local, status }),
        })
    }

    pub fn node_id(&self) -> &MeshNodeId {
        &self.inner.config.node_id
    }

    /// What it is known by.
    pub fn public_key(&self) -> PublicKey {
        self.inner.key.public()
    }

    /// How it stands with the coordinator.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.inner.status.subscribe()
    }

    /// Where programs of this machine find its models.
    pub fn local(&self) -> Option<&LocalEndpoint> {
        self.inner.local.as_ref()
    }

    /// What the coordinator is told, for the owner to see.
    pub fn report(&self) -> watch::Receiver<MeshReport> {
        self.inner.served.offer.report()
    }

    /// Serves until `stop`, and then brings to an end what is under way, for a short time.
    pub async fn run(&self, stop: CancellationToken) {
        self.obey();
        let mut watching = JoinSet::new();
        let agent = self.clone();
        watching.spawn(async move {
            loop {
                tokio::time::sleep(OBEY).await;
                agent.obey();
            }
        });
        for place in 0..self.inner.served.engines.len() {
            let served = self.inner.served.clone();
            watching.spawn(async move { served.engines[place].watch(place, &served.offer).await });
        }
        for place in 0..self.inner.own_engines.len() {
            let inner = self.inner.clone();
            watching.spawn(async move { inner.own_engines[place].run().await });
        }
        let (inner, ends) = (self.inner.clone(), stop.clone());
        watching.spawn(async move {
            if let Some(local) = &inner.local
                && let Err(error) = local.serve(&inner.served, ends).await
            {
                tracing::error!(%error, "programs of this machine are let in no longer");
            }
        });
        self.keep_linked(&stop).await;
        watching.shutdown().await;
    }

    /// Pauses, or goes on, as its owner says by the directory and by the hours.
    fn obey(&self) {
        let Config { directory, terms, .. } = &self.inner.config;
        let paused = kept::paused(directory).unwrap_or_else(|error| {
            tracing::warn!(%error, "it cannot be read whether the owner has paused this machine");
            Some("it is not known whether its owner has paused it".into())
        });
        self.inner.served.offer.pause(paused.or_else(|| terms.closed(jiff::Zoned::now().time())));
    }
}
