//! Drives an edge from another process: the whole table comes in, what became of it goes out.
//!
//! The driver connects and sends [`Plan`]s, one JSON line each, every one the whole truth; the edge answers with a
//! [`Report`] line whenever something in it changes. Nothing is a difference to something before, so either side may
//! be ended and started again at any time: the driver sends its plan once more, and the edge serves by the last one
//! it got, from a file until the driver comes. The newest connection drives; an older one is closed.

mod applied;
mod ports;
mod snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_util::codec::{FramedRead, LinesCodec};
use tokio_util::sync::CancellationToken;

use crate::{Edge, Origin, Upstream};
use applied::Applied;
use ports::Ports;
use snapshot::Snapshot;

/// Bytes of the longest plan.
const PLAN_MAX: usize = 64 << 20;
/// How often a port that could not be listened on is tried again.
const PORTS_RETRY: Duration = Duration::from_secs(2);

/// Everything an edge shall do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Counts the plans of one driver, from 1.
    pub generation: u64,
    pub sites: Vec<Site>,
    /// Where requests go that another edge has sent on; their ports mean nothing.
    #[serde(default)]
    pub peers: Vec<Site>,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    pub host: String,
    /// A loopback port that answers for this host, whatever host a request names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    pub to: Destination,
}

/// Where requests for a host go; see [`crate::Target`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Destination {
    /// `id` names one life of a process: what is started anew at the same origin gets another one. When no site
    /// leads to it any more, it is drained.
    Upstream {
        id: String,
        origin: Origin,
    },
    /// To whichever of them does best. One is the same as [`Upstream`](Self::Upstream), and none as
    /// [`Starting`](Self::Starting).
    Upstreams {
        members: Vec<Member>,
    },
    Starting,
    Down {
        reason: String,
    },
}

/// One of several upstreams of a host; the fields are those of [`Destination::Upstream`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub id: String,
    pub origin: Origin,
}

/// What an edge does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Of the plan that requests are served by, also after the next start; 0 before the driver's first.
    pub generation: u64,
    /// Ids of the upstreams that requests are sent to, or are still in flight at.
    pub upstreams: BTreeSet<String>,
    /// Ids of the upstreams, of those that a site names together with others, that do not answer and are left out,
    /// with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unhealthy: BTreeMap<String, String>,
    /// Hosts whose port cannot be listened on, with the reason.
    pub port_errors: BTreeMap<String, String>,
}

/// The driven side. A cheap handle.
#[derive(Clone)]
pub struct Control(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    report: watch::Sender<Report>,
    snapshot: Option<Snapshot>,
}

struct State {
    applied: Applied,
    ports: Ports,
    generation: u64,
    /// Ends the connection of the present driver.
    driver: CancellationToken,
}

// === impl Destination ===

impl Destination {
    /// Whether requests may be sent to the upstream with this id.
    pub fn leads_to(&self, upstream: &str) -> bool {
        match self {
            Self::Upstream { id, .. } => id == upstream,
            Self::Upstreams { members } => members.iter().any(|member| member.id == upstream),
            Self::Starting | Self::Down { .. } => false,
        }
    }
}

// === impl Control ===

impl Control {
    /// Drives `edge`, which nobody else does. With a `snapshot` file the last plan outlives the process: it is in
    /// force when this returns.
    pub fn new(edge: Edge, snapshot: Option<PathBuf>) -> Self {
        let health = Arc::new(Notify::new());
        let control = Self(Arc::new(Shared {
            state: Mutex::new(State {
                applied: Applied::new(edge.clone(), health.clone()),
                ports: Ports::new(edge),
                generation: 0,
                driver: CancellationToken::new(),
            }),
            report: watch::Sender::default(),
            snapshot: snapshot.map(Snapshot::new),
        }));
        if let Some(plan) = control.0.snapshot.as_ref().and_then(Snapshot::read) {
            control.apply(control.lock(), &plan);
        }
        tokio::spawn(attend(Arc::downgrade(&control.0), health));
        control
    }

    /// Obeys the driver on `io` until it hangs up or another one comes.
    pub async fn serve(&self, io: impl AsyncRead + AsyncWrite) -> io::Result<()> {
        let (replaced, mut reports) = self.take_over();
        let (read, mut write) = tokio::io::split(io);
        let mut plans = std::pin::pin!(FramedRead::new(read, LinesCodec::new_with_max_length(PLAN_MAX)));
        loop {
            let report = reports.borrow_and_update().clone();
            write.write_all(&line(&report)?).await?;
            tokio::select! {
                biased;
                () = replaced.cancelled() => return Ok(()),
                plan = plans.next() => match plan {
                    Some(text) => self.obey(&replaced, serde_json::from_str(&text.map_err(io::Error::other)?)?),
                    None => return Ok(()),
                },
                // The sender is in `self`.
                _ = reports.changed() => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_over(&self) -> (CancellationToken, watch::Receiver<Report>) {
        let driver = CancellationToken::new();
        {
            let mut state = self.lock();
            std::mem::replace(&mut state.driver, driver.clone()).cancel();
            // What another driver called by a number says nothing to this one.
            state.generation = 0;
            self.report(&state);
        }
        (driver, self.0.report.subscribe())
    }

    fn obey(&self, replaced: &CancellationToken, plan: Plan) {
        let state = self.lock();
        // Another driver may have come while this plan was read.
        if replaced.is_cancelled() {
            return;
        }
        let kept = self.0.snapshot.as_ref().map(|snapshot| snapshot.keep(&plan));
        let unused = self.apply(state, &plan);
        // Visitors are served by it at once. The driver hears of it when this edge, killed and alone, would do so
        // again: then it ends what only the plan before led to.
        let (this, replaced) = (self.clone(), replaced.clone());
        tokio::spawn(async move {
            if let Some(kept) = kept {
                kept.await;
            }
            this.confirm(&replaced, plan.generation);
            for (number, upstream) in unused {
                tokio::spawn(this.clone().drain(number, upstream));
            }
        });
    }

    /// Gives what no site leads to any more.
    fn apply(&self, mut state: MutexGuard<'_, State>, plan: &Plan) -> Vec<(u64, Arc<Upstream>)> {
        let unused = state.applied.apply(plan);
        state.ports.apply(plan);
        self.report(&state);
        unused
    }

    fn confirm(&self, replaced: &CancellationToken, generation: u64) {
        let mut state = self.lock();
        if !replaced.is_cancelled() {
            state.generation = state.generation.max(generation);
            self.report(&state);
        }
    }

    async fn drain(self, number: u64, upstream: Arc<Upstream>) {
        let cut = upstream.drain().await.cut;
        if cut > 0 {
            tracing::info!(upstream = upstream.id(), cut, "requests were cut at the end of a drain");
        }
        let mut state = self.lock();
        state.applied.drained(number);
        self.report(&state);
    }

    fn report(&self, state: &State) {
        let report = Report {
            generation: state.generation,
            upstreams: state.applied.in_use(),
            unhealthy: state.applied.unhealthy(),
            port_errors: state.ports.errors(),
        };
        self.0.report.send_if_modified(|last| {
            let changed = *last != report;
            *last = report;
            changed
        });
    }
}

/// Reports what changes by itself: an upstream's health, and a port that whoever held it has let go of.
async fn attend(control: Weak<Shared>, health: Arc<Notify>) {
    loop {
        let _ = timeout(PORTS_RETRY, health.notified()).await;
        let Some(shared) = control.upgrade() else { return };
        let control = Control(shared);
        let mut state = control.lock();
        state.ports.retry();
        control.report(&state);
    }
}

/// A message as it is sent.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}
