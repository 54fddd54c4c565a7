//! What machines and processes used, over time. It is kept apart from everything else: nobody who deploys waits for it, and
//! losing it is no harm.

mod buckets;
pub(crate) mod exporter;
mod exposition;
pub(crate) mod http;
mod requests;

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ids::{NodeId, ProjectId};
use store::{MetricsStore, NodeSample, ProcessSample, Resolution, StoreResult};
use tokio::sync::RwLock;
use wire::Metrics;

use crate::error::{Error, Result};
use crate::now_ms;
use buckets::{BUCKET_MS, Buckets};

/// Means wait this long for a database that takes none; then the oldest go.
const WAITING_MS: i64 = 5 * 60_000;
/// After the end of a bucket, for what is still under way.
const LAG_MS: i64 = 200;

/// How far back a plot goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Range {
    TenMinutes,
    Hour,
    Day,
    Month,
}

/// The history of every machine and project. Cheap to clone.
#[derive(Clone)]
pub(crate) struct History {
    inner: Arc<Inner>,
}

struct Inner {
    url: String,
    /// Absent while it cannot be opened.
    store: RwLock<Option<MetricsStore>>,
    /// What is not yet stored.
    buckets: Mutex<Buckets>,
}

// === impl Range ===

impl FromStr for Range {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "10m" => Ok(Self::TenMinutes),
            "1h" => Ok(Self::Hour),
            "24h" => Ok(Self::Day),
            "30d" => Ok(Self::Month),
            _ => Err(Error::invalid(
                "range",
                "INVALID_RANGE",
                "that is no range; it is one of `10m`, `1h`, `24h` and `30d`",
            )),
        }
    }
}

impl Range {
    fn ms(self) -> i64 {
        const MINUTE: i64 = 60_000;
        match self {
            Self::TenMinutes => 10 * MINUTE,
            Self::Hour => 60 * MINUTE,
            Self::Day => 24 * 60 * MINUTE,
            Self::Month => 30 * 24 * 60 * MINUTE,
        }
    }

    /// Of what is stored.
    fn resolution(self) -> Resolution {
        match self {
            Self::TenMinutes | Self::Hour => Resolution::TenSeconds,
            Self::Day => Resolution::Minute,
            Self::Month => Resolution::TenMinutes,
        }
    }
}

// === impl History ===

impl History {
    /// A history that is kept at `url`.
    pub(crate) async fn open(url: String) -> Self {
        let history = Self { inner: Arc::new(Inner { url, store: RwLock::default(), buckets: Mutex::default() }) };
        history.reopen().await;
        history
    }

    /// A machine has said what it uses. Never waits.
    pub(crate) fn record(&self, node: &NodeId, metrics: &Metrics) {
        self.inner.buckets.lock().unwrap_or_else(PoisonError::into_inner).record(node, metrics, now_ms());
    }

    /// Stores what was recorded, for ever.
    pub(crate) async fn run(&self) {
        let mut troubled = false;
        loop {
            let until_end = BUCKET_MS - now_ms().rem_euclid(BUCKET_MS) + LAG_MS;
            tokio::time::sleep(Duration::from_millis(until_end.unsigned_abs())).await;
            if self.inner.store.read().await.is_none() {
                self.reopen().await;
            }
            match self.flush(now_ms()).await {
                Err(error) if !troubled => {
                    tracing::warn!(%error, "metrics cannot be stored; trying again");
                    troubled = true;
                }
                Ok(()) if troubled => {
                    tracing::info!("metrics are stored again");
                    troubled = false;
                }
                _ => {}
            }
        }
    }

    async fn flush(&self, now: i64) -> StoreResult<()> {
        let Some(store) = self.inner.store.read().await.clone() else { return Ok(()) };
        let ended = self.buckets(|buckets| buckets.ended(now));
        let written = store.write(&ended.batch(), now).await;
        match &written {
            Ok(()) => {}
            Err(_) => self.buckets(|buckets| buckets.put_back(ended, now - WAITING_MS)),
        }
        if store.is_lost(written.as_ref().err()).await {
            *self.inner.store.write().await = None;
            self.reopen().await;
        }
        written
    }

    fn buckets<T>(&self, look: impl FnOnce(&mut Buckets) -> T) -> T {
        look(&mut self.inner.buckets.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn reopen(&self) {
        match MetricsStore::open(&self.inner.url).await {
            Ok(store) => *self.inner.store.write().await = Some(store),
            Err(error) => {
                let error = Error::from(error);
                tracing::warn!(%error, "the history of metrics cannot be opened; trying again in ten seconds");
            }
        }
    }

    pub(crate) async fn close(&self) {
        if let Some(store) = self.inner.store.write().await.take() {
            store.close().await;
        }
    }

    /// A machine's means, oldest first.
    async fn node(&self, id: &NodeId, range: Range) -> Result<Vec<NodeSample>> {
        let now = now_ms();
        Ok(self.store().await?.node(id, range.resolution(), now - range.ms(), now).await?)
    }

    /// Means of a project's processes by name, oldest first; without a name what they share.
    async fn project(&self, id: &ProjectId, range: Range) -> Result<Vec<(String, ProcessSample)>> {
        let now = now_ms();
        Ok(self.store().await?.project(id, range.resolution(), now - range.ms(), now).await?)
    }

    async fn store(&self) -> Result<MetricsStore> {
        self.inner.store.read().await.clone().ok_or_else(|| {
            Error::unavailable(
                "METRICS_UNAVAILABLE",
                "the history of metrics cannot be read now; the server's log says why",
            )
        })
    }
}
