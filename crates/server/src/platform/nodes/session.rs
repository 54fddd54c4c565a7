//! One node's connection, from its dial to its end: greet it, tell it what is desired,
//! hear what it sees.

use std::time::Duration;

use checkpoint::Checkpoint;
use ids::{NodeId, NodeState};
use wire::{Hello, LINK_PROTOCOL, LINK_PROTOCOL_OLDEST, Metrics, Observed, Refused};

use super::link::Reach;
use super::{FENCED, Link, LinkIo, Nodes};
use crate::error::{Error, Result};
use crate::now_ms;

const RETRY: Duration = Duration::from_millis(500);
/// The node of the server's own machine offers its connections beforehand, or soon after it was started.
const OFFERED: Duration = Duration::from_secs(10);
/// While another server leads the node.
const RETRY_FENCED: Duration = Duration::from_secs(10);

/// Keeps the link to the node of the server's own machine up, for ever.
pub(super) async fn run_local(nodes: &Nodes) {
    let id = nodes.local_id().clone();
    let reach: Reach = std::sync::Arc::new({
        let nodes = nodes.clone();
        move |_| {
            let nodes = nodes.clone();
            let offline = |_| {
                Error::unavailable("NODE_OFFLINE", "this machine's node offers no connection; try again in a moment")
            };
            Box::pin(async move { tokio::time::timeout(OFFERED, nodes.accept()).await.map_err(offline) })
        }
    });
    loop {
        let ended = run(nodes, &id, nodes.accept().await, reach.clone()).await;
        let fenced = ended.is_err_and(|error| error.told().0 == FENCED);
        tokio::time::sleep(if fenced { RETRY_FENCED } else { RETRY }).await;
    }
}

/// Leads a node that has dialled, until its connection ends or it dials anew.
pub(super) async fn run_remote(nodes: &Nodes, id: &NodeId, control: Box<dyn LinkIo>, reach: Reach) {
    let _ = run(nodes, id, control, reach).await;
}

async fn run(nodes: &Nodes, id: &NodeId, io: Box<dyn LinkIo>, reach: Reach) -> Result<()> {
    let Some((number, replaced)) = nodes.begin_session(id) else { return Err(Error::not_found("node")) };
    let ended = tokio::select! {
        ended = lead(nodes, id, io, reach) => ended,
        () = replaced.cancelled() => Ok(()),
    };
    if let Err(error) = &ended {
        tracing::warn!(%error, node.id = %id, "the link to a node broke");
    }
    nodes.end_session(id, number);
    ended
}

async fn lead(nodes: &Nodes, id: &NodeId, io: Box<dyn LinkIo>, reach: Reach) -> Result<()> {
    let (link, mut closes) = Link::open(io, reach).await?;
    let hello: Hello = link.get("/v1/hello").await?;
    if !(LINK_PROTOCOL_OLDEST..=LINK_PROTOCOL).contains(&hello.protocol) {
        let refused = unsupported(&hello);
        let _ = link.refuse(&refused).await;
        let message = refused.message.clone();
        nodes.with(id, |known| known.refused = Some(refused));
        return Err(Error::conflict("PROTOCOL_UNSUPPORTED", message));
    }
    checkpoint::reach(Checkpoint::NodeGreeted).await;
    nodes.seen(id, |known| {
        known.hello = Some(hello);
        known.refused = None;
        known.down_since = None;
        known.link.send_replace(Some(link.clone()));
    });
    nodes.heard_of(id).await?;
    tokio::select! {
        result = tell(nodes, id, &link) => result,
        result = listen(nodes, id, &link) => result,
        result = sample(nodes, id, &link) => result,
        _ = closes.wait_for(|closed| *closed) => Ok(()),
    }
}

fn unsupported(hello: &Hello) -> Refused {
    let (theirs, version) = (hello.protocol, env!("CARGO_PKG_VERSION"));
    let message = format!(
        "the machine speaks version {theirs} of the link and the server versions {LINK_PROTOCOL_OLDEST} and \
         {LINK_PROTOCOL}; install NanoScale {version} on the {} one",
        if theirs < LINK_PROTOCOL_OLDEST { "machine, which is the older" } else { "server, which is the older" }
    );
    Refused { code: Refused::PROTOCOL.into(), message }
}

/// Sends every desired state once there is one.
async fn tell(nodes: &Nodes, id: &NodeId, link: &Link) -> Result<()> {
    let Some(mut desired) = nodes.with(id, |known| known.desired.subscribe()) else {
        return Err(Error::not_found("node"));
    };
    loop {
        let now = desired.borrow_and_update().clone();
        if now.fence.epoch > 0
            && let Some(newer) = link.tell(&now).await?
        {
            nodes.lead_again(newer).await?;
        }
        if desired.changed().await.is_err() {
            return Ok(());
        }
    }
}

async fn listen(nodes: &Nodes, id: &NodeId, link: &Link) -> Result<()> {
    let mut path = "/v1/observed".to_owned();
    loop {
        let observed: Observed = link.get(&path).await?;
        path = format!("/v1/observed?revision={}", observed.revision);
        nodes.reported(id, observed);
    }
}

async fn sample(nodes: &Nodes, id: &NodeId, link: &Link) -> Result<()> {
    let period = nodes.with(id, |known| known.metrics_period()).ok_or_else(|| Error::not_found("node"))?;
    let mut tick = tokio::time::interval(period);
    loop {
        tick.tick().await;
        match link.get::<Option<Metrics>>("/v1/metrics").await? {
            Some(metrics) => nodes.sampled(id, metrics),
            None => nodes.seen(id, |_| ()),
        }
    }
}

impl Nodes {
    /// It has dialled for the first time, or again.
    async fn heard_of(&self, id: &NodeId) -> Result<()> {
        if self.with(id, |known| known.node.state) == Some(NodeState::Joining) {
            let mut tx = self.inner.store.write().await?;
            let is_first = tx.node_transition(id, NodeState::Joining, NodeState::Active).await?;
            checkpoint::reach(Checkpoint::NodeActivated).await;
            tx.commit().await?;
            if is_first {
                self.with(id, |known| known.node.state = NodeState::Active);
            }
        }
        self.announce_seen(id, now_ms());
        Ok(())
    }
}
