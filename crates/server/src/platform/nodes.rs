//! The machines: what each shall do, what each reports, and the way to ask one something.

mod announced;
mod arrivals;
mod cluster;
mod embedded;
pub(crate) mod http;
mod join;
mod lines;
mod link;
mod members;
mod placing;
mod questions;
mod reported;
mod samples;
mod session;
pub(crate) mod translated;
mod tunnel;
mod wishes;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ::link::{KeyPair, PublicKey};
use domain::node::{Node, OFFLINE_AFTER_MS};
use futures_util::future::BoxFuture;
use ids::{NodeId, NodeStatus};
use store::Store;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wire::{Desired, Hello, Metrics, Observed, Refused};

use crate::error::{Error, Result};
use crate::now_ms;
use crate::platform::metrics::History;
use crate::platform::vault::Vault;
use announced::Announced;
use arrivals::Arrivals;
pub(crate) use arrivals::bytes_of;
pub(crate) use cluster::load as load_cluster_key;
pub(crate) use join::labels;
pub(crate) use lines::Lines;
pub(crate) use link::Link;
pub(crate) use reported::Disk;
pub(crate) use wishes::WorkspaceWishes;

/// The code when another server leads a node.
const FENCED: &str = "NODE_FENCED";
/// Somebody who asks a node something waits this long for it to come back.
const LINK_WAIT: Duration = Duration::from_secs(5);
/// Samples kept for a plot: ten minutes, at one every two seconds, or fewer.
const HISTORY: usize = 300;
const HISTORY_MS: i64 = 600_000;

/// Where a node's bytes come from.
pub trait LinkIo: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> LinkIo for T {}

/// The node of the server's own machine. It dials like any other: `accept` gives the server's
/// end of the next connection.
pub struct LocalNode {
    pub name: String,
    pub accept: Accept,
    /// The server's end of the next connection on which that node's edge reaches others.
    pub tunnel: Accept,
}

/// Gives the next connection.
pub type Accept = Box<dyn Fn() -> BoxFuture<'static, Box<dyn LinkIo>> + Send + Sync>;

/// How long a node may be silent.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until what it said last says nothing about now.
    pub stale_after: Duration,
    /// Until it is lost to those of its projects that may move.
    pub reschedule_after: Duration,
}

#[derive(Clone)]
pub(crate) struct Nodes {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    vault: Arc<Vault>,
    /// What nodes know this cluster by.
    cluster: KeyPair,
    arrivals: Arrivals,
    announced: Announced,
    history: History,
    /// Orders this server's desired states after those of any server before it.
    epoch: AtomicI64,
    local: LocalNode,
    local_id: NodeId,
    known: Mutex<BTreeMap<NodeId, Known>>,
    sessions: AtomicU64,
    patience: Patience,
    git_credentials: OnceLock<questions::GitCredentials>,
    /// Counts what nodes reported that was new.
    observed: watch::Sender<u64>,
    /// Set when the server goes.
    closing: CancellationToken,
}

/// What the server knows of a node while it runs.
struct Known {
    node: Node,
    link: watch::Sender<Option<Link>>,
    hello: Option<Hello>,
    observed: Option<Arc<Observed>>,
    metrics: VecDeque<Metrics>,
    /// By the clock, for people, and for how long it has been.
    last_seen: Option<(i64, Instant)>,
    /// Since when there is no link.
    down_since: Option<Instant>,
    /// Why its last connection was not taken up.
    refused: Option<Refused>,
    desired: watch::Sender<Desired>,
    wishes: wishes::Wishes,
    /// The connection by which it is led: its number, and what ends it.
    session: Option<(u64, CancellationToken)>,
    /// Ends everything of a node that is removed.
    gone: CancellationToken,
}

impl Known {
    fn new(node: Node, closing: &CancellationToken) -> Self {
        Self {
            node,
            gone: closing.child_token(),
            link: watch::Sender::new(None),
            hello: None,
            observed: None,
            metrics: VecDeque::new(),
            last_seen: None,
            down_since: Some(Instant::now()),
            refused: None,
            desired: watch::Sender::new(Desired::default()),
            wishes: wishes::Wishes::default(),
            session: None,
        }
    }

    fn problems(&self) -> Vec<api::Problem> {
        let reported = self.metrics.back().and_then(|last| last.problem.as_ref());
        let reported = reported.map(|it| api::Problem { code: it.code.clone(), message: it.message.clone() });
        let refused = self.refused.as_ref();
        let refused = refused.map(|it| api::Problem { code: it.code.clone(), message: it.message.clone() });
        reported.into_iter().chain(refused).collect()
    }

    fn status(&self) -> NodeStatus {
        let link = match self.down_since {
            None => domain::node::Link::Up,
            Some(since) => domain::node::Link::Down(i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX)),
        };
        self.node.status(link)
    }
}

impl Nodes {
    pub(crate) async fn new(
        store: Store,
        vault: Arc<Vault>,
        history: History,
        epoch: i64,
        local: LocalNode,
        patience: Patience,
        closing: CancellationToken,
    ) -> Result<Self> {
        let cluster = cluster::load(&store, &vault).await?;
        let acceptor = ::link::tls::Acceptor::new(&cluster).map_err(Error::internal)?;
        let local_id = embedded::make_known(&store, &local.name).await?;
        let nodes = store.read().await?.node_list().await?;
        let known = nodes.into_iter().map(|node| (node.id.clone(), Known::new(node, &closing))).collect();
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                vault,
                history,
                cluster,
                arrivals: Arrivals::new(acceptor),
                announced: Announced::default(),
                epoch: AtomicI64::new(epoch),
                local,
                local_id,
                known: Mutex::new(known),
                sessions: AtomicU64::default(),
                patience,
                git_credentials: OnceLock::new(),
                observed: watch::Sender::new(0),
                closing,
            }),
        })
    }

    /// Keeps the link to the server's own machine up, for ever. Others dial.
    pub(crate) async fn run(&self) {
        tokio::join!(session::run_local(self), self.run_local_tunnels(), self.announce_forever());
    }

    async fn run_local_tunnels(&self) {
        loop {
            let (nodes, io) = (self.clone(), (self.inner.local.tunnel)().await);
            tokio::spawn(async move { nodes.serve_tunnel(&nodes.inner.local_id, io).await });
        }
    }

    /// A connection by which a node is led begins; it takes the place of the one before.
    fn begin_session(&self, id: &NodeId) -> Option<(u64, CancellationToken)> {
        let number = self.inner.sessions.fetch_add(1, Ordering::Relaxed);
        self.with(id, |known| {
            let ends = known.gone.child_token();
            if let Some((_, before)) = known.session.replace((number, ends.clone())) {
                before.cancel();
            }
            (number, ends)
        })
    }

    /// It has ended, and says so unless another one has begun.
    fn end_session(&self, id: &NodeId, number: u64) {
        let was_led = self.with(id, |known| {
            if known.session.as_ref().is_none_or(|(current, _)| *current != number) {
                return false;
            }
            known.session = None;
            let was_led = known.link.send_replace(None).is_some();
            known.down_since.get_or_insert_with(Instant::now);
            was_led
        });
        if was_led != Some(true) || self.inner.closing.is_cancelled() {
            return;
        }
        match self.with(id, |known| known.last_seen).flatten() {
            Some((at_ms, _)) => self.announce_seen(id, at_ms),
            None => self.announce(),
        }
        // When it is offline rather than unreachable, people are told as well.
        let (nodes, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            let until = Duration::from_millis(u64::try_from(OFFLINE_AFTER_MS).unwrap_or_default());
            tokio::select! {
                () = tokio::time::sleep(until) => {}
                () = nodes.inner.closing.cancelled() => return,
            }
            if nodes.with(&id, |known| known.status()) == Some(NodeStatus::Offline) {
                nodes.announce();
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Known>> {
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, id: &NodeId, look: impl FnOnce(&mut Known) -> T) -> Option<T> {
        self.lock().get_mut(id).map(look)
    }

    /// What nodes know this cluster by.
    pub(crate) fn cluster_key(&self) -> PublicKey {
        self.inner.cluster.public()
    }

    pub(crate) fn local_id(&self) -> &NodeId {
        &self.inner.local_id
    }

    pub(crate) fn ids(&self) -> Vec<NodeId> {
        self.lock().keys().cloned().collect()
    }

    pub(crate) fn name(&self, id: &NodeId) -> Option<String> {
        self.with(id, |known| known.node.name.clone())
    }

    /// What a node last reported.
    pub(crate) fn observed(&self, id: &NodeId) -> Option<Arc<Observed>> {
        self.with(id, |known| known.observed.clone()).flatten()
    }

    /// What keeps nodes from their work.
    pub(crate) fn problems(&self) -> Vec<api::Problem> {
        self.lock().values().flat_map(Known::problems).collect()
    }

    /// Changes when some node reported something new.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.inner.observed.subscribe()
    }

    /// A node knows something newer than what it is told. When no other server has begun on this database since, that
    /// was this server, before the database was put back to an older state: what it says now holds again.
    async fn lead_again(&self, newer: wire::Fence) -> Result<()> {
        let mut tx = self.inner.store.write().await?;
        if tx.epoch().await? != self.inner.epoch.load(Ordering::Relaxed) {
            return Err(Error::conflict(FENCED, "another server on the same database has taken over"));
        }
        let epoch = tx.raise_epoch(newer.epoch).await?;
        tx.commit().await?;
        tracing::warn!(
            epoch,
            "a node knows more than this database, which is an older copy; the node follows it again"
        );
        self.inner.epoch.store(epoch, Ordering::Relaxed);
        for known in self.lock().values() {
            known.desired.send_if_modified(|desired| {
                let told = desired.fence.epoch > 0;
                desired.fence.epoch = if told { epoch } else { 0 };
                told
            });
        }
        Ok(())
    }

    /// The way to ask a node something. One that is being started again is waited for.
    pub(crate) async fn link(&self, id: &NodeId) -> Result<Link> {
        let offline =
            || Error::unavailable("NODE_OFFLINE", "the node of this project is not connected; try again in a moment");
        let mut links = self.with(id, |known| known.link.subscribe()).ok_or_else(offline)?;
        let link = tokio::time::timeout(LINK_WAIT, links.wait_for(Option::is_some)).await;
        link.ok().and_then(|link| link.ok()?.clone()).ok_or_else(offline)
    }

    /// The way to ask a node that somebody named.
    pub(crate) async fn known_link(&self, id: &NodeId) -> Result<Link> {
        if self.lock().contains_key(id) { self.link(id).await } else { Err(Error::not_found("node")) }
    }

    /// Whether nobody on the node listens on a loopback port.
    pub(crate) async fn port_is_free(&self, id: &NodeId, port: u16) -> Result<bool> {
        self.link(id).await?.get(&format!("/v1/ports/{port}")).await
    }

    fn seen(&self, id: &NodeId, change: impl FnOnce(&mut Known)) {
        self.with(id, |known| {
            known.last_seen = Some((now_ms(), Instant::now()));
            change(known);
        });
    }

    fn sampled(&self, id: &NodeId, metrics: Metrics) {
        self.seen(id, |known| {
            if known.metrics.back().is_some_and(|last| last.at_ms == metrics.at_ms) {
                return;
            }
            self.inner.history.record(id, &metrics);
            known.forget_workloads();
            let oldest = metrics.at_ms.saturating_sub(HISTORY_MS);
            while known.metrics.len() == HISTORY || known.metrics.front().is_some_and(|it| it.at_ms < oldest) {
                known.metrics.pop_front();
            }
            known.metrics.push_back(metrics);
        });
    }

    fn reported(&self, id: &NodeId, observed: Observed) {
        let mut is_news = false;
        self.seen(id, |known| {
            let same = |last: &Arc<Observed>| last.revision == observed.revision && last.fence == observed.fence;
            is_news = !known.observed.as_ref().is_some_and(same);
            known.observed = Some(Arc::new(observed));
        });
        // What workloads use at the moment changes nothing that is to be done.
        if is_news {
            self.inner.observed.send_modify(|count| *count += 1);
        }
    }

    /// A connection of the node: one each for what is short and for what is long.
    async fn accept(&self) -> Box<dyn LinkIo> {
        (self.inner.local.accept)().await
    }
}
