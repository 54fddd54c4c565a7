//! The edge's way to apps on other nodes: a Unix socket for each host and node, behind which bytes travel through the
//! control plane to that node's edge. Neither node needs an address that the other could reach.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use edge::Origin;
use edge::control::Member;
use futures_util::TryStreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use ids::NodeId;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::io::{ReaderStream, StreamReader};
use tokio_util::sync::{CancellationToken, DropGuard};
use wire::RouteSpec;

use crate::edge_link::Dial;
use crate::layout::remove_file;
use crate::link::{CONNECTION_WINDOW, SIGN_OF_LIFE, SILENCE, STREAM_WINDOW};

type Body = BoxBody<Bytes, io::Error>;

/// The ways to other nodes.
pub(crate) struct Peers {
    directory: PathBuf,
    /// Who else may use the sockets: the edge's group, where that is another user.
    group: Option<u32>,
    tunnel: Arc<Tunnel>,
    open: Mutex<BTreeMap<(NodeId, String), DropGuard>>,
}

// === impl Peers ===

impl Peers {
    /// Ways through whatever `dial` connects to: a control plane's tunnel.
    pub(crate) fn new(directory: PathBuf, group: Option<u32>, dial: Dial) -> io::Result<Self> {
        match std::fs::remove_dir_all(&directory) {
            // Sockets that an earlier process has left.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        make(&directory, group)?;
        let tunnel = Arc::new(Tunnel { dial, connection: tokio::sync::Mutex::default() });
        Ok(Self { directory, group, tunnel, open: Mutex::default() })
    }

    /// The members of a route that are elsewhere.
    pub(crate) fn members(&self, route: &RouteSpec) -> Vec<Member> {
        let members = route.remote.iter().map(|node| Member {
            id: format!("{}@{node}", route.host),
            origin: Origin::Socket(self.directory.join(node.as_str()).join(&route.host)),
        });
        members.collect()
    }

    /// Opens the ways that these routes need, and closes all others.
    pub(crate) fn keep(&self, routes: &[RouteSpec]) {
        let wanted = routes.iter().flat_map(|route| route.remote.iter().map(|node| (node.clone(), route.host.clone())));
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
        let (tunnel, path) = (self.tunnel.clone(), format!("/v1/peers/{node}/{host}"));
        let (stopped, socket) = (stop.clone(), directory.join(host));
        tokio::spawn(async move {
            tokio::select! {
                () = accept_forever(&listener, &tunnel, &path) => {}
                () = stopped.cancelled() => drop(remove_file(&socket)),
            }
        });
        Ok(stop.drop_guard())
    }
}

async fn accept_forever(listener: &UnixListener, tunnel: &Arc<Tunnel>, path: &str) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (tunnel, path) = (tunnel.clone(), path.to_owned());
                tokio::spawn(async move {
                    if let Err(error) = tunnel.carry(stream, &path).await {
                        tracing::debug!(%error, path, "a connection to another node ended");
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

/// One connection to the control plane for all ways, made when it is first needed.
struct Tunnel {
    dial: Dial,
    connection: tokio::sync::Mutex<Option<SendRequest<Body>>>,
}

// === impl Tunnel ===

impl Tunnel {
    /// Carries one connection of the edge to the other node and back, until both directions have ended.
    async fn carry(&self, stream: UnixStream, path: &str) -> io::Result<()> {
        let (read, mut write) = stream.into_split();
        let outward = BodyExt::boxed(StreamBody::new(ReaderStream::with_capacity(read, 64 * 1024).map_ok(Frame::data)));
        let request = Request::post(format!("http://control-plane{path}")).body(outward).map_err(io::Error::other)?;
        let response = self.connection().await?.send_request(request).await.map_err(io::Error::other)?;
        if response.status() != StatusCode::OK {
            return Err(io::Error::other(format!("the control plane answers {}", response.status())));
        }
        let inward = response.into_body().into_data_stream().map_err(io::Error::other);
        tokio::io::copy(&mut StreamReader::new(inward), &mut write).await?;
        tokio::io::AsyncWriteExt::shutdown(&mut write).await
    }

    async fn connection(&self) -> io::Result<SendRequest<Body>> {
        let mut connection = self.connection.lock().await;
        if let Some(open) = connection.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        let io = (self.dial)().await?;
        let (sender, driver) = Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(SIGN_OF_LIFE)
            .keep_alive_timeout(SILENCE)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(io))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(driver);
        Ok(connection.insert(sender).clone())
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

fn bind(directory: &Path, name: &str, group: Option<u32>) -> io::Result<UnixListener> {
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
