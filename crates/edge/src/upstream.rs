//! One origin that requests are forwarded to, and the account of what is in flight there.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::health::{self, Health};
use crate::latency::Latency;
use crate::origin::Origin;
use crate::pool::{Failure, Patience, Pool};
use crate::tunnel;

/// One origin with its own connections. It goes one way only: live, draining, drained. To use the origin again,
/// make another one.
pub struct Upstream {
    id: String,
    origin: Origin,
    drain_timeout: Duration,
    in_flight: AtomicUsize,
    draining: AtomicBool,
    /// Woken when nothing is in flight while draining.
    quiet: Notify,
    /// What `draining` says, for those who wait for it.
    leaving: CancellationToken,
    cut: CancellationToken,
    pool: Arc<Pool>,
    latency: Latency,
    health: Health,
}

/// How an upstream was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Requests and tunnels that were still in flight at the deadline and were cut.
    pub cut: usize,
}

/// How long the ends of what was cut may take: tunnels send their farewell in this time.
const CUT_GRACE: Duration = tunnel::LINGER.saturating_add(Duration::from_millis(500));

impl Upstream {
    /// An upstream at `origin`; `id` is for the caller to know it by. Nothing is connected before the first request.
    pub fn new(id: String, origin: impl Into<Origin>, config: &Config) -> Self {
        let origin = origin.into();
        let cut = CancellationToken::new();
        Self {
            id,
            drain_timeout: config.drain_timeout,
            in_flight: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            quiet: Notify::new(),
            leaving: CancellationToken::new(),
            pool: Pool::new(origin.clone(), config, cut.clone()),
            origin,
            cut,
            latency: Latency::new(),
            health: Health::new(config),
        }
    }

    /// Has `changed` told whenever [`fault`](Self::fault) changes.
    #[must_use]
    pub fn telling(mut self, changed: Arc<Notify>) -> Self {
        self.health.tell(changed);
        self
    }

    /// The id given to [`Upstream::new`].
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where requests are sent.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Requests whose response is not yet completely forwarded, and open tunnels.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Whether [`drain`](Self::drain) was called.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// Why it gets no requests while others are there; `None` as long as it answers. Only among several is that asked.
    pub fn fault(&self) -> Option<String> {
        self.health.fault()
    }

    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    pub(crate) fn latency(&self) -> &Latency {
        &self.latency
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Takes the upstream out of rotation and waits until nothing is in flight there.
    ///
    /// From the call on nothing is claimed; point the route elsewhere before, or its requests are told to come back.
    /// WebSockets are closed with 1012 (RFC 6455 section 7.4.1) once quiet, see [`Config::websocket_quiet`]. What is left after
    /// [`Config::drain_timeout`] is cut. When this resolves, the process behind the origin can be stopped. A dropped
    /// drain leaves the upstream out of rotation and cuts nothing; it may be called again.
    pub async fn drain(&self) -> Drained {
        self.draining.store(true, Ordering::SeqCst);
        self.leaving.cancel();
        self.pool.close_idle();
        if timeout(self.drain_timeout, self.until_quiet()).await.is_ok() {
            return Drained { cut: 0 };
        }
        let cut = self.in_flight();
        self.cut.cancel();
        self.pool.cut();
        // A client that does not read keeps its request counted, although the upstream is already rid of it.
        let _ = timeout(CUT_GRACE, self.until_quiet()).await;
        Drained { cut }
    }

    async fn until_quiet(&self) {
        loop {
            let quiet = self.quiet.notified();
            if self.in_flight() == 0 {
                return;
            }
            quiet.await;
        }
    }

    /// Counts one more in flight, unless the upstream is leaving.
    ///
    /// The order matters: count, then look. A drain sets the flag, then reads the count; so either it sees this
    /// claim, or this claim sees the flag.
    pub(crate) fn claim(this: &Arc<Self>) -> Option<Claim> {
        this.in_flight.fetch_add(1, Ordering::SeqCst);
        let claim = Claim { upstream: Arc::clone(this), balanced: false, others: false };
        (!this.is_draining()).then_some(claim)
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("id", &self.id)
            .field("origin", &self.origin)
            .field("in_flight", &self.in_flight())
            .field("draining", &self.is_draining())
            .finish()
    }
}

/// The right to use an upstream; it counts as in flight as long as this lives.
pub(crate) struct Claim {
    upstream: Arc<Upstream>,
    /// It is one of several.
    balanced: bool,
    /// A request that gets no answer could be sent elsewhere.
    others: bool,
}

impl Claim {
    pub(crate) fn of_several(mut self, others: bool) -> Self {
        (self.balanced, self.others) = (true, others);
        self
    }

    pub(crate) fn upstream(&self) -> &Arc<Upstream> {
        &self.upstream
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.upstream.pool
    }

    pub(crate) fn is_balanced(&self) -> bool {
        self.balanced
    }

    pub(crate) fn has_others(&self) -> bool {
        self.others
    }

    pub(crate) fn patience(&self) -> Patience {
        if self.others { Patience::Short } else { Patience::Full }
    }

    /// A response began, to a request that was sent at `began` if its time is worth anything.
    pub(crate) fn answered(&self, began: Option<Instant>) {
        self.upstream.health.answered();
        if let Some(began) = began {
            let now = Instant::now();
            self.upstream.latency.observe(now.duration_since(began), now);
        }
    }

    /// There was no response.
    pub(crate) fn failed(&self, failure: &Failure) {
        if !self.balanced || matches!(failure, Failure::Cut) {
            return;
        }
        if let Some(ejection) = self.upstream.health.failed(|| failure.reason()) {
            tracing::warn!(upstream = self.upstream.id, reason = failure.reason(), "an upstream is left out");
            self.upstream.pool.drop_idle();
            tokio::spawn(health::probe(Arc::downgrade(&self.upstream), ejection));
        }
    }

    /// Resolves when the upstream begins to drain.
    pub(crate) async fn leaving(&self) {
        self.upstream.leaving.cancelled().await;
    }

    /// Resolves at the drain's deadline.
    pub(crate) async fn cut(&self) {
        self.upstream.cut.cancelled().await;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let last = self.upstream.in_flight.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.upstream.is_draining() {
            self.upstream.quiet.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    /// The race of [`Upstream::claim`] with a drain, without the network to slow it down.
    #[test]
    fn no_claim_outlives_a_drain() {
        const THREADS: usize = 3;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for _ in 0..300 {
            let upstream = Arc::new(Upstream::new(
                String::new(),
                std::net::SocketAddr::from(([127, 0, 0, 1], 9)),
                &Config::default(),
            ));
            let (begin, stopped) = (Barrier::new(THREADS + 1), AtomicBool::new(false));
            thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        begin.wait();
                        while let Some(claim) = Upstream::claim(&upstream) {
                            assert!(!stopped.load(Ordering::SeqCst), "claimed after the drain saw zero");
                            drop(claim);
                        }
                    });
                }
                begin.wait();
                assert_eq!(runtime.block_on(upstream.drain()), Drained { cut: 0 });
                stopped.store(true, Ordering::SeqCst);
            });
            assert_eq!(upstream.in_flight(), 0);
        }
    }
}
