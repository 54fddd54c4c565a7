//! Connections from node to node, where the one dialled has an address. Each side proves its key, and is let in as long
//! as the control plane says that the key is a node's.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::link::tls::{Acceptor, Connector};
use ::link::{KeyPair, PublicKey};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post};
use ids::NodeId;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;
use wire::PeerSpec;

use super::channel::Channel;
use crate::uplink::{Membership, pause};
use crate::{Agent, link};

/// Who is dialled, or dials, has this long to prove who it is.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Handshakes at the same time.
const HANDSHAKES: usize = 128;
/// Connections that one node may have to this one.
const CONNECTIONS: usize = 4;
/// A silent node is reached through the control plane after at most the sum.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
const SILENCE: Duration = Duration::from_secs(3);

/// Where other nodes are told to look for this one.
#[derive(Debug, Clone)]
pub enum Announced {
    At(SocketAddr),
    /// At the address that this machine has towards the control plane.
    Towards(Url, u16),
}

// === impl Announced ===

impl Announced {
    async fn address(&self) -> Option<SocketAddr> {
        let (url, port) = match self {
            Self::At(address) => return Some(*address),
            Self::Towards(url, port) => (url, *port),
        };
        let host = url.host_str()?.trim_matches(['[', ']']);
        let server = tokio::net::lookup_host((host, url.port_or_known_default()?)).await.ok()?.next()?;
        let any = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        // Nothing is sent: the kernel says from where it would be.
        let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await.ok()?;
        socket.connect(server).await.ok()?;
        Some(SocketAddr::new(socket.local_addr().ok()?.ip(), port))
    }
}

/// This node's side of connections between nodes.
pub struct Direct {
    key: Arc<KeyPair>,
    acceptor: Acceptor,
    announced: Option<Announced>,
    ways: Mutex<BTreeMap<NodeId, Way>>,
    callers: Mutex<BTreeMap<PublicKey, Caller>>,
}

/// To one other node.
struct Way {
    to: (PublicKey, SocketAddr),
    channel: watch::Receiver<Option<Channel>>,
    _kept_up: DropGuard,
}

/// A node that may come.
struct Caller {
    connections: Arc<Semaphore>,
    welcome: CancellationToken,
    _welcome: DropGuard,
}

// === impl Direct ===

impl Direct {
    /// For the node of this membership. Others hear where it is, if it is to be found at all.
    ///
    /// # Errors
    /// When the node's key cannot be used for TLS.
    pub fn new(membership: &Membership, announced: Option<Announced>) -> io::Result<Self> {
        let key = membership.key().clone();
        let acceptor = Acceptor::new(&key).map_err(io::Error::other)?;
        Ok(Self { key, acceptor, announced, ways: Mutex::default(), callers: Mutex::default() })
    }

    pub(crate) async fn address(&self) -> Option<SocketAddr> {
        self.announced.as_ref()?.address().await
    }

    /// Keeps connections to those of these nodes that have an address, and lets only them in.
    pub(super) fn keep(&self, peers: &[PeerSpec]) {
        let known = peers.iter().filter_map(|peer| Some((peer, peer.key.parse::<PublicKey>().ok()?)));
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut welcome, mut wanted) = (BTreeMap::new(), BTreeMap::new());
        for (peer, key) in known {
            welcome.insert(key, callers.remove(&key).unwrap_or_else(Caller::new));
            let Some(address) = peer.address else { continue };
            let to = (key, address);
            let way = ways.remove(&peer.node).filter(|way| way.to == to);
            wanted.insert(peer.node.clone(), way.unwrap_or_else(|| self.way(peer.node.clone(), to)));
        }
        (*callers, *ways) = (welcome, wanted);
    }

    /// The connection to another node, while there is one.
    pub(super) fn channel(&self, node: &NodeId) -> Option<Channel> {
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        ways.get(node)?.channel.borrow().clone().filter(|channel| !channel.is_closed())
    }

    fn way(&self, node: NodeId, to: (PublicKey, SocketAddr)) -> Way {
        let (sender, channel) = watch::channel(None);
        let stop = CancellationToken::new();
        let (key, stopped) = (self.key.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = keep_up(&node, &key, to, &sender) => {}
                () = stopped.cancelled() => {}
            }
        });
        Way { to, channel, _kept_up: stop.drop_guard() }
    }

    /// Serves who dials, as long as this node's peers include it.
    pub(crate) async fn serve(&self, agent: &Agent, listener: &TcpListener) {
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
        loop {
            let Ok(permit) = handshakes.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, from)) => {
                    let agent = agent.clone();
                    tokio::spawn(async move {
                        if let Err(error) = agent.welcome(stream, permit).await {
                            tracing::debug!(%error, %from, "a connection was not taken up");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections of other nodes");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    /// Whether the owner of this key may come, and until when.
    fn admit(&self, key: &PublicKey) -> Option<(CancellationToken, OwnedSemaphorePermit)> {
        let callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let caller = callers.get(key)?;
        Some((caller.welcome.clone(), caller.connections.clone().try_acquire_owned().ok()?))
    }
}

// === impl Caller ===

impl Caller {
    fn new() -> Self {
        let welcome = CancellationToken::new();
        let _welcome = welcome.clone().drop_guard();
        Self { connections: Arc::new(Semaphore::new(CONNECTIONS)), welcome, _welcome }
    }
}

impl Agent {
    async fn welcome(&self, stream: TcpStream, handshake: OwnedSemaphorePermit) -> io::Result<()> {
        let Some(direct) = self.direct() else { return Ok(()) };
        stream.set_nodelay(true)?;
        let (key, io) = tokio::time::timeout(HANDSHAKE, direct.acceptor.accept(stream)).await??;
        drop(handshake);
        let Some((welcome, _one_of_few)) = direct.admit(&key) else {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("{key} is no node that may come")));
        };
        let router = Router::new()
            .route("/v1/peers", get(async || StatusCode::NO_CONTENT))
            .route("/v1/peers/{host}", post(link::peers::connect))
            .with_state(self.clone());
        tokio::select! {
            () = link::serve(router, io) => {}
            () = welcome.cancelled() => {}
        }
        Ok(())
    }
}

/// Dials for ever, and has `channel` say what came of it.
async fn keep_up(
    node: &NodeId,
    key: &KeyPair,
    (peer, address): (PublicKey, SocketAddr),
    channel: &watch::Sender<Option<Channel>>,
) {
    let mut failures = 0;
    loop {
        match tokio::time::timeout(HANDSHAKE, dial(key, peer, address)).await.unwrap_or_else(|late| Err(late.into())) {
            Ok((open, driver)) => {
                tracing::info!(node.id = %node, %address, "another node is reached directly");
                channel.send_replace(Some(open));
                let _ = driver.await;
                channel.send_replace(None);
                failures = 0;
            }
            Err(error) if failures == 0 => {
                tracing::info!(%error, node.id = %node, %address, "another node is reached through the control plane");
                failures = 1;
            }
            Err(_) => failures += 1,
        }
        tokio::time::sleep(pause(failures)).await;
    }
}

async fn dial(
    key: &KeyPair,
    peer: PublicKey,
    address: SocketAddr,
) -> io::Result<(Channel, tokio::task::JoinHandle<()>)> {
    let connector = Connector::new(key, peer).map_err(io::Error::other)?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut channel, driver) = Channel::open(connector.connect(stream).await?, SIGN_OF_LIFE, SILENCE).await?;
    channel.greet().await?;
    Ok((channel, driver))
}
