//! Connections that nodes dial: a WebSocket, and in it TLS between the node's key and the cluster's. Who the node is
//! is known only after that, and nothing is said before.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::{SinkExt, StreamExt};
use ids::{NodeId, NodeState};
use link::PublicKey;
use link::tls::Acceptor;
use link::websocket::stream_of;
use rand::Rng;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use wire::{ConnectionTicket, Refused};

use super::link::{Asker, Reach};
use super::{Link, LinkIo, Nodes, session};
use crate::error::{Error, Result};

/// A machine that does not get to the point in this time has none.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Machines that are proving who they are at the same time. All nodes of a cluster may come at once after a restart; a
/// stranger shall not fill the memory.
const HANDSHAKES: usize = 4096;

/// What a node dials for.
pub(super) enum Purpose {
    /// To be led.
    Lead,
    /// Because the server asked for one more connection.
    Further { ticket: String },
    /// To have its edge's connections to other nodes passed on.
    Tunnel,
}

/// Who waits for a further connection of a node.
type Tickets = HashMap<String, (NodeId, oneshot::Sender<Box<dyn LinkIo>>)>;

/// Held until a machine has proven who it is.
pub(super) struct Place(#[expect(dead_code, reason = "it is given back when dropped")] OwnedSemaphorePermit);

/// Nodes on their way in.
pub(super) struct Arrivals {
    acceptor: Acceptor,
    handshakes: Arc<Semaphore>,
    tickets: Mutex<Tickets>,
}

impl Arrivals {
    pub(super) fn new(acceptor: Acceptor) -> Self {
        Self { acceptor, handshakes: Arc::new(Semaphore::new(HANDSHAKES)), tickets: Mutex::default() }
    }

    fn tickets(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Nodes {
    /// A place for one more machine that wants to prove who it is.
    pub(super) fn place(&self) -> Result<Place> {
        let place = self.inner.arrivals.handshakes.clone().try_acquire_owned();
        place.map(Place).map_err(|_| {
            Error::unavailable("TOO_MANY_HANDSHAKES", "too many machines are connecting; try again in a moment")
        })
    }

    /// Serves a WebSocket of a machine, for as long as it is one of ours and stays.
    pub(super) async fn arrive(&self, socket: WebSocket, purpose: Purpose, place: Place) {
        let accepted = tokio::time::timeout(HANDSHAKE, self.inner.arrivals.acceptor.accept(bytes_of(socket))).await;
        drop(place);
        let (key, io) = match accepted {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(error)) => return tracing::debug!(%error, "a machine did not prove who it is"),
            Err(_) => return tracing::debug!("a machine did not prove who it is in time"),
        };
        match self.welcome(key).await {
            Ok(Ok(id)) => match purpose {
                Purpose::Lead => session::run_remote(self, &id, Box::new(io), self.reach(&id)).await,
                Purpose::Further { ticket } => self.deliver(&id, &ticket, Box::new(io)),
                Purpose::Tunnel => self.serve_tunnel(&id, Box::new(io)).await,
            },
            Ok(Err(refused)) => turn_away(Box::new(io), &refused).await,
            Err(error) => tracing::warn!(%error, "a node could not be looked up"),
        }
    }

    /// Whether a key's owner is one of ours.
    async fn welcome(&self, key: PublicKey) -> Result<std::result::Result<NodeId, Refused>> {
        let refused = |code: &str, message: &str| Refused { code: code.into(), message: message.into() };
        let node = self.inner.store.read().await?.node_by_key(&key.to_string()).await?;
        Ok(match node {
            None => Err(refused(
                Refused::UNKNOWN,
                "the cluster does not know this machine; make a new join token and run `nanoscale join` with it",
            )),
            Some(node) if node.state == NodeState::Removed => Err(refused(
                Refused::REMOVED,
                "this machine was removed from the cluster; to bring it back, make a new join token and run \
                 `nanoscale join` with it",
            )),
            Some(node) => Ok(node.id),
        })
    }

    fn deliver(&self, from: &NodeId, ticket: &str, io: Box<dyn LinkIo>) {
        let mut tickets = self.inner.arrivals.tickets();
        // Another node's stays good for that one.
        let is_its_own = tickets.get(ticket).is_some_and(|(id, _)| id == from);
        let waiting = if is_its_own { tickets.remove(ticket) } else { None };
        match waiting {
            Some((_, waiting)) => drop(waiting.send(io)),
            None => tracing::debug!(node.id = %from, "a node showed a ticket that is not its own"),
        }
    }

    /// The way to further connections of a node.
    fn reach(&self, id: &NodeId) -> Reach {
        let (nodes, id) = (self.clone(), id.clone());
        Arc::new(move |asker| {
            let (nodes, id) = (nodes.clone(), id.clone());
            Box::pin(async move { nodes.ask_for_connection(&id, asker).await })
        })
    }

    async fn ask_for_connection(&self, id: &NodeId, asker: Asker) -> Result<Box<dyn LinkIo>> {
        let ticket = format!("{:032x}", rand::rng().random::<u128>());
        let (waiting, arrival) = oneshot::channel();
        self.inner.arrivals.tickets().insert(ticket.clone(), (id.clone(), waiting));
        let dialled = async {
            asker.post("/v1/connections", &ConnectionTicket { ticket: ticket.clone() }).await?;
            arrival.await.map_err(Error::internal)
        };
        let dialled = tokio::time::timeout(HANDSHAKE, dialled).await;
        self.inner.arrivals.tickets().remove(&ticket);
        dialled.unwrap_or_else(|_| {
            Err(Error::unavailable("NODE_OFFLINE", "the node does not answer; try again in a moment"))
        })
    }
}

/// Tells a machine, which has proven who it is, why it is not led.
async fn turn_away(io: Box<dyn LinkIo>, refused: &Refused) {
    let nowhere: Reach = Arc::new(|_| Box::pin(async { Err(Error::not_found("node")) }));
    let told = async {
        let (link, _) = Link::open(io, nowhere).await?;
        link.refuse(refused).await
    };
    match tokio::time::timeout(HANDSHAKE, told).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a machine did not hear why it is refused"),
        Err(_) => tracing::debug!("a machine did not hear in time why it is refused"),
    }
}

/// What a machine sends in messages, as one stream, and the same back.
pub(crate) fn bytes_of(
    socket: WebSocket,
) -> impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static {
    let (sink, stream) = socket.split();
    let bytes = stream.filter_map(async |message| match message {
        Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
        Ok(_) => None,
        Err(error) => Some(Err(io::Error::other(error))),
    });
    let sink = sink.sink_map_err(io::Error::other).with(async |bytes| Ok::<_, io::Error>(Message::Binary(bytes)));
    stream_of(Box::pin(bytes), Box::pin(sink))
}
