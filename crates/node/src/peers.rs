//! The edge's way to apps on other nodes: a Unix socket for each host and node, behind which bytes travel to that
//! node's edge: directly where it has an address that answers, and else through the control plane.

mod channel;
mod direct;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use edge::Origin;
use edge::control::Member;
use hyper::StatusCode;
use ids::NodeId;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use wire::{Desired, RouteSpec};

use crate::edge_link::Dial;
use crate::layout::remove_file;
use crate::link::{SIGN_OF_LIFE, SILENCE};
use channel::Channel;
pub use direct::{Announced, Direct};

/// The ways to other nodes.
pub(crate) struct Peers {
    directory: PathBuf,
    /// Who else may use the sockets: the edge's group, where that is another user.
    group: Option<u32>,
    ways: Arc<Ways>,
    open: Mutex<BTreeMap<(NodeId, String), DropGuard>>,
}

// === impl Peers ===

impl Peers {
    /// Ways through what `tunnel` connects to, and `direct` ones.
    pub(crate) fn new(
        directory: PathBuf,
        group: Option<u32>,
        tunnel: Dial,
        direct: Option<Direct>,
    ) -> io::Result<Self> {
        match std::fs::remove_dir_all(&directory) {
            // Sockets that an earlier process has left.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        make(&directory, group)?;
        let tunnel = Tunnel { dial: tunnel, channel: tokio::sync::Mutex::default() };
        let ways = Arc::new(Ways { tunnel, direct });
        Ok(Self { directory, group, ways, open: Mutex::default() })
    }

    /// The members of a route that are elsewhere.
    pub(crate) fn members(&self, route: &RouteSpec) -> Vec<Member> {
        let members = route.remote.iter().map(|node| Member {
            id: format!("{}@{node}", route.host),
            origin: Origin::Socket(self.directory.join(node.as_str()).join(&route.host)),
        });
        members.collect()
    }

    /// Asks the control plane something.
    pub(crate) async fn ask(&self, path: &str, question: Vec<u8>) -> io::Result<(StatusCode, Bytes)> {
        self.ways.tunnel.channel().await?.ask(path, question).await
    }

    pub(crate) fn direct(&self) -> Option<&Direct> {
        self.ways.direct.as_ref()
    }

    /// Opens the ways that this needs, and closes all others.
    pub(crate) fn keep(&self, desired: &Desired) {
        if let Some(direct) = &self.ways.direct {
            direct.keep(&desired.peers);
        }
        let wanted =
            desired.routes.iter().flat_map(|route| route.remote.iter().map(|node| (node.clone(), route.host.clone())));
        let wanted = wanted.collect::<std::collections::BTreeSet<_>>();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|way, _| wanted.contains(way));
        for way in wanted {
            if open.contains_key(&way) {
                continue;
            }
            match self.listen(&way.0, &way.1) {
                Ok(listening) => drop(open.insert(way, listening)),
                Err(error) => tracing::warn!(%error, node.id = %way.0, host = way.1, "no way to another node"),
            }
        }
    }

    fn listen(&self, node: &NodeId, host: &str) -> io::Result<DropGuard> {
        let directory = self.directory.join(node.as_str());
        make(&directory, self.group)?;
        let listener = bind(&directory, host, self.group)?;
        let stop = CancellationToken::new();
        let (ways, node, host) = (self.ways.clone(), node.clone(), host.to_owned());
        let (stopped, socket) = (stop.clone(), directory.join(&host));
        tokio::spawn(async move {
            tokio::select! {
                () = accept_forever(&listener, &ways, &node, &host) => {}
                () = stopped.cancelled() => drop(remove_file(&socket)),
            }
        });
        Ok(stop.drop_guard())
    }
}

async fn accept_forever(listener: &UnixListener, ways: &Arc<Ways>, node: &NodeId, host: &str) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (ways, node, host) = (ways.clone(), node.clone(), host.to_owned());
                tokio::spawn(async move {
                    if let Err(error) = ways.carry(stream, &node, &host).await {
                        tracing::debug!(%error, node.id = %node, host, "a connection to another node ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections for another node");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    }
}

struct Ways {
    tunnel: Tunnel,
    direct: Option<Direct>,
}

// === impl Ways ===

impl Ways {
    async fn carry(&self, stream: UnixStream, node: &NodeId, host: &str) -> io::Result<()> {
        match self.direct.as_ref().and_then(|direct| direct.channel(node)) {
            Some(mut channel) => channel.carry(stream, &format!("/v1/peers/{host}")).await,
            None => self.tunnel.channel().await?.carry(stream, &format!("/v1/peers/{node}/{host}")).await,
        }
    }
}

/// One connection to the control plane for all nodes, made when it is first needed.
struct Tunnel {
    dial: Dial,
    channel: tokio::sync::Mutex<Option<Channel>>,
}

// === impl Tunnel ===

impl Tunnel {
    async fn channel(&self) -> io::Result<Channel> {
        let mut channel = self.channel.lock().await;
        if let Some(open) = channel.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        let (open, _) = Channel::open((self.dial)().await?, SIGN_OF_LIFE, SILENCE).await?;
        Ok(channel.insert(open).clone())
    }
}

/// A directory that the edge may walk through, and nobody else.
fn make(directory: &Path, group: Option<u32>) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    if let Some(group) = group {
        chown(directory, None, Some(group))?;
    }
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o710))
}

pub(crate) fn bind(directory: &Path, name: &str, group: Option<u32>) -> io::Result<UnixListener> {
    remove_file(&directory.join(name))?;
    // A socket's path has at most 107 bytes (unix(7)); one below an open directory always fits.
    let open = std::fs::File::open(directory)?;
    let short = Path::new("/proc/self/fd").join(open.as_raw_fd().to_string()).join(name);
    let listener = UnixListener::bind(&short)?;
    if let Some(group) = group {
        chown(&short, None, Some(group))?;
    }
    std::fs::set_permissions(&short, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}
