//! Tells the edge, over a connection to wherever it runs, where visitors go, and hears what became of it.

use std::io;
use std::pin::Pin;
use std::time::Duration;

use edge::control::{Plan, Report, Site};
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio_stream::StreamExt;
use tokio_util::codec::{FramedRead, LinesCodec};

use crate::peers::Direct;

/// The bytes of a connection.
pub trait EdgeIo: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> EdgeIo for T {}

/// Connects to somewhere.
pub type Dial = Box<dyn Fn() -> BoxFuture<'static, io::Result<Pin<Box<dyn EdgeIo>>>> + Send + Sync>;
/// Connects to the edge, as another edge that sends on what is asked of a host.
pub type DialPeer = Box<dyn Fn(String) -> BoxFuture<'static, io::Result<Pin<Box<dyn EdgeIo>>>> + Send + Sync>;

/// The ways from a node to what is beside it.
pub struct Doors {
    /// To the edge's driver seat, see [`edge::control`].
    pub control: Dial,
    /// To [`edge::Edge::serve_peer`].
    pub peer: DialPeer,
    /// To the control plane's tunnel to other nodes.
    pub tunnel: Dial,
    /// To other nodes without one.
    pub direct: Option<Direct>,
}

const RETRY: Duration = Duration::from_millis(100);
/// Bytes of the longest report.
const REPORT_MAX: usize = 16 << 20;

pub(crate) struct EdgeLink {
    dial: Dial,
    plan: watch::Sender<Plan>,
    report: watch::Sender<Report>,
}

// === impl EdgeLink ===

impl EdgeLink {
    pub(crate) fn new(dial: Dial) -> Self {
        Self { dial, plan: watch::Sender::default(), report: watch::Sender::default() }
    }

    /// What the edge shall do from now on. Gives the number that [`Report::generation`] has when it does.
    pub(crate) fn tell(&self, sites: Vec<Site>, peers: Vec<Site>) -> u64 {
        self.plan.send_if_modified(|plan| {
            let changed = plan.generation == 0 || plan.sites != sites || plan.peers != peers;
            if changed {
                *plan = Plan { generation: plan.generation + 1, sites, peers };
            }
            changed
        });
        self.plan.borrow().generation
    }

    /// What the edge last said.
    pub(crate) fn reports(&self) -> watch::Receiver<Report> {
        self.report.subscribe()
    }

    /// Waits until no request is in flight at an upstream that no site leads to any more.
    pub(crate) async fn drained(&self, upstream: &str) {
        let mut reports = self.report.subscribe();
        let gone = |report: &Report| {
            let plan = self.plan.borrow();
            // Before the first plan the edge goes on with what it knows.
            let current = plan.generation > 0 && report.generation == plan.generation;
            current && !report.upstreams.contains(upstream) && !leads_to(&plan, upstream)
        };
        // The sender is in `self`.
        let _ = reports.wait_for(gone).await;
    }

    /// Keeps the connection, for ever.
    pub(crate) async fn run(&self) {
        let mut away = false;
        loop {
            let connected = (self.dial)().await;
            if let Err(error) = &connected
                && !std::mem::replace(&mut away, true)
            {
                tracing::warn!(%error, "the edge does not answer; it serves by what it knew, if it runs");
            }
            if let Ok(io) = connected {
                away = false;
                let (read, write) = tokio::io::split(io);
                // Apart from each other: neither side waits for the other to read.
                let ended = tokio::select! {
                    ended = self.send(write) => ended,
                    ended = self.hear(read) => ended,
                };
                tracing::info!(why = ended.err().map(tracing::field::display), "the edge hung up");
            }
            self.report.send_replace(Report::default());
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn send(&self, mut write: impl AsyncWrite + Unpin) -> io::Result<()> {
        let mut plans = self.plan.subscribe();
        loop {
            let plan = plans.borrow_and_update().clone();
            // Until there is one, the edge goes on with what it knows.
            if plan.generation > 0 {
                write.write_all(&edge::control::line(&plan)?).await?;
            }
            // The sender is in `self`.
            let _ = plans.changed().await;
        }
    }

    async fn hear(&self, read: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut reports = FramedRead::new(read, LinesCodec::new_with_max_length(REPORT_MAX));
        while let Some(text) = reports.next().await {
            self.report.send_replace(serde_json::from_str(&text.map_err(io::Error::other)?)?);
        }
        Ok(())
    }
}

fn leads_to(plan: &Plan, upstream: &str) -> bool {
    plan.sites.iter().chain(&plan.peers).any(|site| site.to.leads_to(upstream))
}
