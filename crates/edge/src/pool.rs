//! The connections to one upstream.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::body::RequestBody;
use crate::config::Config;
use crate::origin::{Origin, Stream};
use crate::watched::Watched;

/// A connection to send requests on.
pub(crate) struct Sender {
    requests: http1::SendRequest<RequestBody>,
    /// Something came in since the last request was sent.
    heard: Arc<AtomicBool>,
}

/// Why an upstream gave no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    #[error("cannot connect in time")]
    Timeout,
    #[error("cut at the drain deadline")]
    Cut,
    #[error("the exchange failed")]
    Exchange(#[from] hyper::Error),
}

impl Failure {
    /// With its cause.
    pub(crate) fn reason(&self) -> String {
        use std::error::Error as _;
        self.source().map_or_else(|| self.to_string(), |source| format!("{self}: {source}"))
    }
}

pub(crate) struct Pool {
    origin: Origin,
    connect_timeout: Duration,
    idle_timeout: Duration,
    cut: CancellationToken,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Unused connections, the one used last on top.
    idle: Vec<Idle>,
    /// Every connection's driver. Dropping the pool ends them.
    drivers: JoinSet<()>,
    /// No connection is kept or opened any more, respectively.
    leaving: bool,
    cut: bool,
    sweeping: bool,
}

struct Idle {
    sender: Sender,
    since: Instant,
}

/// Connections kept unused. More come and go with a burst of requests.
const IDLE_MAX: usize = 256;
/// Grows with the largest head and with what is read or written at once.
pub(crate) const BUFFER_MAX: usize = 64 * 1024;
/// An upstream that has just begun to listen, or whose backlog is full, answers after a few of these.
const CONNECT_TRIES: u32 = 5;
const CONNECT_PAUSE: Duration = Duration::from_millis(20);

/// How long to try to connect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As the configuration says.
    Full,
    /// There is another upstream: no second attempt, and a fraction of the time.
    Short,
}

const SHORT: u32 = 5;

// === impl Sender ===

impl Sender {
    /// As [`http1::SendRequest::try_send_request`].
    pub(crate) fn send(
        &mut self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>> {
        self.heard.store(false, Ordering::Relaxed);
        self.requests.try_send_request(request)
    }

    /// Whether a byte has come in answer to the last request.
    pub(crate) fn has_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}

// === impl Pool ===

impl Pool {
    pub(crate) fn new(origin: Origin, config: &Config, cut: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            origin,
            connect_timeout: config.connect_timeout,
            idle_timeout: config.upstream_idle,
            cut,
            state: Mutex::default(),
        })
    }

    /// An unused connection, as far as this side knows still open.
    pub(crate) fn take(&self) -> Option<Sender> {
        let mut state = self.lock();
        while let Some(idle) = state.idle.pop() {
            if idle.since.elapsed() < self.idle_timeout && idle.sender.requests.is_ready() {
                return Some(idle.sender);
            }
        }
        None
    }

    /// A new connection. Tries again while the upstream refuses, as long as there is patience.
    pub(crate) async fn connect(&self, patience: Patience) -> Result<Sender, Failure> {
        let stream = tokio::select! {
            stream = self.open(patience) => stream?,
            () = self.cut.cancelled() => return Err(Failure::Cut),
        };
        let heard = Arc::new(AtomicBool::new(false));
        let listening = Arc::clone(&heard);
        let io = TokioIo::new(Watched::new(stream, move |_: &[u8]| listening.store(true, Ordering::Relaxed)));
        let (requests, connection) = http1::Builder::new().max_buf_size(BUFFER_MAX).handshake(io).await?;
        let mut state = self.lock();
        if state.cut {
            return Err(Failure::Cut);
        }
        while state.drivers.try_join_next().is_some() {}
        state.drivers.spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "connection to an upstream ended");
            }
        });
        Ok(Sender { requests, heard })
    }

    /// Whether the upstream can be connected to.
    pub(crate) async fn probe(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + self.connect_timeout;
        self.open_once(deadline).await.map(drop)
    }

    async fn open(&self, patience: Patience) -> Result<Stream, Failure> {
        if patience == Patience::Short {
            return self.open_once(Instant::now() + self.connect_timeout / SHORT).await;
        }
        let deadline = Instant::now() + self.connect_timeout;
        let mut pause = CONNECT_PAUSE;
        for _ in 1..CONNECT_TRIES {
            match self.open_once(deadline).await {
                Err(Failure::Connect(error)) => {
                    tracing::debug!(origin = %self.origin, %error, "connect to an upstream failed");
                }
                ended => return ended,
            }
            sleep_until((Instant::now() + pause).min(deadline)).await;
            pause *= 2;
        }
        self.open_once(deadline).await
    }

    async fn open_once(&self, deadline: Instant) -> Result<Stream, Failure> {
        timeout_at(deadline, self.origin.connect()).await.map_err(|_| Failure::Timeout)?.map_err(Failure::Connect)
    }

    /// Takes back a connection whose response was read to its end.
    pub(crate) fn put(self: &Arc<Self>, mut sender: Sender) {
        if sender.requests.is_ready() {
            self.keep(sender);
        } else if !sender.requests.is_closed()
            && let Ok(runtime) = Handle::try_current()
        {
            // Its driver is still busy, with the request's body or with the very end of the response.
            let pool = Arc::downgrade(self);
            runtime.spawn(async move {
                if sender.requests.ready().await.is_ok()
                    && let Some(pool) = pool.upgrade()
                {
                    pool.keep(sender);
                }
            });
        }
    }

    fn keep(self: &Arc<Self>, sender: Sender) {
        let mut state = self.lock();
        if state.leaving || state.idle.len() >= IDLE_MAX {
            return;
        }
        state.idle.push(Idle { sender, since: Instant::now() });
        if !state.sweeping
            && let Ok(runtime) = Handle::try_current()
        {
            state.sweeping = true;
            let (pool, pause) = (Arc::downgrade(self), self.idle_timeout);
            runtime.spawn(async move {
                loop {
                    sleep(pause).await;
                    match pool.upgrade() {
                        Some(pool) if pool.sweep() => {}
                        _ => return,
                    }
                }
            });
        }
    }

    /// Closes what is unused for too long. Says whether there will be more to sweep.
    fn sweep(&self) -> bool {
        let mut state = self.lock();
        state.idle.retain(|idle| idle.since.elapsed() < self.idle_timeout && !idle.sender.requests.is_closed());
        while state.drivers.try_join_next().is_some() {}
        state.sweeping = !state.idle.is_empty();
        state.sweeping
    }

    /// Closes unused connections.
    pub(crate) fn drop_idle(&self) {
        self.lock().idle.clear();
    }

    /// Closes unused connections now, and the others after their request.
    pub(crate) fn close_idle(&self) {
        let mut state = self.lock();
        state.leaving = true;
        state.idle.clear();
    }

    /// Ends every connection; whoever reads from one gets an error.
    pub(crate) fn cut(&self) {
        let mut state = self.lock();
        state.cut = true;
        state.idle.clear();
        state.drivers.abort_all();
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.lock().cut
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
