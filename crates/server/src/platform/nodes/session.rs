//! One node's connection, from its dial to its end: greet it, tell it what is desired,
//! hear what it sees.

use std::time::Duration;

use ids::NodeId;
use tokio::sync::mpsc;
use wire::{Hello, LINK_PROTOCOL, Metrics, Observed};

use super::{FENCED, Link, Nodes};
use crate::error::{Error, Result};

const METRICS_PERIOD: Duration = Duration::from_secs(2);
const RETRY: Duration = Duration::from_millis(500);
/// While another server leads the node.
const RETRY_FENCED: Duration = Duration::from_secs(10);

pub(super) async fn run(nodes: &Nodes, id: &NodeId) {
    loop {
        let ended = connect_once(nodes, id).await;
        if let Err(error) = &ended {
            tracing::warn!(%error, node.id = %id, "the link to a node broke");
        }
        nodes.with(id, |known| known.link.send_replace(None));
        nodes.announce().await;
        let fenced = ended.is_err_and(|error| error.told().0 == FENCED);
        tokio::time::sleep(if fenced { RETRY_FENCED } else { RETRY }).await;
    }
}

async fn connect_once(nodes: &Nodes, id: &NodeId) -> Result<()> {
    let (ended, mut ends) = mpsc::channel(2);
    let (control, bulk) = (nodes.accept().await, nodes.accept().await);
    let link = Link::open(control, bulk, ended).await?;
    let hello: Hello = link.get("/v1/hello").await?;
    if hello.protocol != LINK_PROTOCOL {
        return Err(Error::internal(format!("the node speaks link protocol {}, not {LINK_PROTOCOL}", hello.protocol)));
    }
    nodes.seen(id, |known| {
        known.hello = Some(hello);
        known.link.send_replace(Some(link.clone()));
    });
    nodes.announce().await;
    tokio::select! {
        result = tell(nodes, id, &link) => result,
        result = listen(nodes, id, &link) => result,
        result = sample(nodes, id, &link) => result,
        _ = ends.recv() => Ok(()),
    }
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
    let mut tick = tokio::time::interval(METRICS_PERIOD);
    loop {
        tick.tick().await;
        if let Some(metrics) = link.get::<Option<Metrics>>("/v1/metrics").await? {
            nodes.sampled(id, metrics);
        }
    }
}
