//! The machines: what each shall do, what each reports, and the way to ask one something.

pub(crate) mod http;
mod lines;
mod link;
mod session;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use ids::{DeploymentId, NodeId, WorkloadId};
use store::{Store, StoreResult, StoredNode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc, watch};
use wire::{Desired, Hello, Metrics, Observed};

use crate::error::{Error, Result};
use crate::now_ms;
pub(crate) use lines::Lines;
pub(crate) use link::Link;

/// The code when another server leads a node.
const FENCED: &str = "NODE_FENCED";
/// Somebody who asks a node something waits this long for it to come back.
const LINK_WAIT: Duration = Duration::from_secs(5);
/// Samples kept for a plot: ten minutes at one every two seconds.
const HISTORY: usize = 300;

/// Where a node's bytes come from.
pub trait LinkIo: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> LinkIo for T {}

/// The node of the server's own machine. It dials like any other: `accept` gives the server's
/// end of the next connection.
pub struct LocalNode {
    pub name: String,
    pub accept: Box<dyn Fn() -> BoxFuture<'static, Box<dyn LinkIo>> + Send + Sync>,
}

#[derive(Clone)]
pub(crate) struct Nodes {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    /// Orders this server's desired states after those of any server before it.
    epoch: AtomicI64,
    local: LocalNode,
    local_id: NodeId,
    known: Mutex<BTreeMap<NodeId, Known>>,
    /// A node reported something new.
    observed: Notify,
}

/// What the server knows of a node while it runs.
struct Known {
    name: String,
    link: watch::Sender<Option<Link>>,
    hello: Option<Hello>,
    observed: Option<Observed>,
    metrics: VecDeque<Metrics>,
    /// By the clock, for people, and for how long it has been.
    last_seen: Option<(i64, Instant)>,
    desired: watch::Sender<Desired>,
}

impl Known {
    fn problem(&self) -> Option<api::Problem> {
        let problem = self.metrics.back()?.problem.clone()?;
        Some(api::Problem { code: problem.code, message: problem.message })
    }
}

/// How full a node's disk is.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub(crate) node_id: NodeId,
    /// The node's.
    pub(crate) name: String,
    pub(crate) used_bytes: u64,
    pub(crate) total_bytes: u64,
}

impl Disk {
    /// Rounded up, as `df` does.
    pub(crate) fn used_percent(&self) -> u64 {
        let percent = (u128::from(self.used_bytes) * 100).div_ceil(u128::from(self.total_bytes.max(1)));
        u64::try_from(percent).unwrap_or(u64::MAX)
    }
}

impl Nodes {
    pub(crate) async fn new(store: Store, epoch: i64, local: LocalNode) -> StoreResult<Self> {
        let mut tx = store.write().await?;
        let found = tx.node_list().await?.into_iter().find(|node| node.embedded);
        let id = found.map_or_else(NodeId::new, |node| node.id);
        tx.node_upsert(&StoredNode { id: id.clone(), name: local.name.clone(), embedded: true }, now_ms()).await?;
        tx.commit().await?;
        let known = Known {
            name: local.name.clone(),
            link: watch::Sender::new(None),
            hello: None,
            observed: None,
            metrics: VecDeque::new(),
            last_seen: None,
            desired: watch::Sender::new(Desired::default()),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                epoch: AtomicI64::new(epoch),
                local,
                local_id: id.clone(),
                known: Mutex::new(BTreeMap::from([(id, known)])),
                observed: Notify::new(),
            }),
        })
    }

    /// Keeps the links up, for ever.
    pub(crate) async fn run(&self) {
        session::run(self, &self.inner.local_id).await;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, Known>> {
        self.inner.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, id: &NodeId, look: impl FnOnce(&mut Known) -> T) -> Option<T> {
        self.lock().get_mut(id).map(look)
    }

    pub(crate) fn local_id(&self) -> &NodeId {
        &self.inner.local_id
    }

    pub(crate) fn ids(&self) -> Vec<NodeId> {
        self.lock().keys().cloned().collect()
    }

    /// What a node last reported.
    pub(crate) fn observed(&self, id: &NodeId) -> Option<Observed> {
        self.with(id, |known| known.observed.clone()).flatten()
    }

    /// The disks of the nodes that have reported, as they were last.
    pub(crate) fn disks(&self) -> Vec<Disk> {
        let known = self.lock();
        let disk = |(id, known): (&NodeId, &Known)| {
            let metrics = known.metrics.back()?;
            Some(Disk {
                node_id: id.clone(),
                name: known.name.clone(),
                used_bytes: metrics.disk_used_bytes,
                total_bytes: metrics.disk_total_bytes,
            })
        };
        known.iter().filter_map(disk).collect()
    }

    /// What keeps nodes from their work.
    pub(crate) fn problems(&self) -> Vec<api::Problem> {
        self.lock().values().filter_map(Known::problem).collect()
    }

    /// Resolves when some node reported something new since the last time.
    pub(crate) async fn news(&self) {
        self.inner.observed.notified().await;
    }

    /// What a node shall do from now on; sent when it differs from what it was told last.
    pub(crate) fn desire(&self, id: &NodeId, desired: Desired) {
        self.with(id, |known| {
            known.desired.send_if_modified(|last| {
                let fence = last.fence;
                let same = Desired { fence, ..desired.clone() } == *last;
                if !same || fence.epoch == 0 {
                    *last = desired;
                    last.fence = wire::Fence {
                        epoch: self.inner.epoch.load(Ordering::Relaxed),
                        generation: fence.generation + 1,
                    };
                    return true;
                }
                false
            });
        });
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

    /// State of a workload as its node sees it.
    pub(crate) fn workload_state(&self, node: &NodeId, id: &DeploymentId) -> Option<wire::WorkloadState> {
        self.with(node, |known| {
            let observed = known.observed.as_ref()?;
            observed
                .workloads
                .iter()
                .find(|workload| workload.id == WorkloadId::from(id))
                .map(|workload| workload.state)
        })
        .flatten()
    }

    /// Why a process of a deployment does not run now, although one did.
    pub(crate) fn down_failure(&self, node: &NodeId, id: &DeploymentId) -> Option<wire::Failure> {
        self.with(node, |known| {
            let mut workloads = known.observed.as_ref()?.workloads.iter();
            let down = |workload: &&wire::WorkloadStatus| {
                workload.id.base() == id.as_str() && workload.state == wire::WorkloadState::Restarting
            };
            workloads.find(down)?.failure.clone()
        })
        .flatten()
    }

    /// Why a host's loopback port is not served by its node, if it is not.
    pub(crate) fn port_error(&self, node: &NodeId, host: &str) -> Option<String> {
        self.with(node, |known| {
            let route = known.observed.as_ref()?.routes.iter().find(|route| route.host == host)?;
            route.port_error.clone()
        })
        .flatten()
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
            if known.metrics.len() == HISTORY {
                known.metrics.pop_front();
            }
            known.metrics.push_back(metrics);
        });
    }

    fn reported(&self, id: &NodeId, observed: Observed) {
        self.seen(id, |known| known.observed = Some(observed));
        self.inner.observed.notify_one();
    }

    /// Says to browsers that a node came or went.
    async fn announce(&self) {
        let announced = async {
            let mut tx = self.inner.store.write().await?;
            tx.event_insert("node.updated", None, None, now_ms()).await?;
            tx.commit().await
        };
        if let Err(error) = announced.await {
            tracing::warn!(%error, "cannot announce a node's change");
        }
    }

    /// A connection of the node: one each for what is short and for what is long.
    async fn accept(&self) -> Box<dyn LinkIo> {
        (self.inner.local.accept)().await
    }
}

/// Spawned connections report their end here.
type Ended = mpsc::Sender<()>;
