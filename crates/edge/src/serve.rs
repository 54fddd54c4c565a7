//! Listeners and their connections.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::forward;
use crate::framing::Framing;
use crate::headers::Peer;
use crate::pool::BUFFER_MAX;
use crate::table::{self, Table, Target};
use crate::watched::Watched;

/// The proxy: a route table and the listeners that serve by it. A cheap handle; clones share the table.
#[derive(Clone)]
pub struct Edge(Arc<Shared>);

struct Shared {
    config: Config,
    table: Table,
    /// Where requests go that another edge has sent on.
    peers: Table,
}

impl Edge {
    /// A proxy without routes.
    pub fn new(config: Config) -> Self {
        Self(Arc::new(Shared { config, table: Table::default(), peers: Table::default() }))
    }

    /// Serves the connections of `listener` until `shutdown` resolves. Then it takes no more, and returns when the
    /// requests in flight are finished, at the latest after [`Config::drain_timeout`]. WebSockets are closed with
    /// 1012. When the future is dropped, all its connections end at once.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        self.run(listener, None, shutdown).await;
    }

    /// As [`serve`](Self::serve), but every request goes where `host` leads, whatever host it names itself.
    pub async fn serve_host(&self, listener: TcpListener, host: &str, shutdown: impl Future<Output = ()>) {
        self.run(listener, Some(table::key(host)), shutdown).await;
    }

    /// Serves one connection of another edge, which sends on what its own clients ask of `host`, whatever host they
    /// name: by the routes of [`replace_peer_routes`](Self::replace_peer_routes), so that nothing goes round in
    /// circles. What it says about its clients is believed. When the future is dropped the connection ends.
    pub async fn serve_peer<I>(&self, host: &str, io: I)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (serving, _guards) = Serving::new(self, Some(table::key(host)), 0, true);
        let connection =
            Connection { peer: Peer::unknown(), framing: Framing::default(), serving: Arc::clone(&serving) };
        connection.serve(io).await;
        serving.tasks.close();
        // WebSockets go on after the connection was theirs.
        serving.tasks.wait().await;
    }

    /// Replaces all routes by which other edges' requests go.
    pub fn replace_peer_routes(&self, routes: HashMap<String, Target>) {
        self.0.peers.replace(routes);
    }

    /// Replaces what is known about `host`, which is compared in lower case and without port. Requests from now on
    /// see it; those already at an upstream stay there.
    pub fn set_route(&self, host: &str, target: Target) {
        self.0.table.set(host, &target);
    }

    /// Replaces all routes at once.
    pub fn replace_routes(&self, routes: HashMap<String, Target>) {
        self.0.table.replace(routes);
    }

    /// Forgets `host`. Requests already at its upstream stay there.
    pub fn remove_route(&self, host: &str) {
        self.0.table.remove(host);
    }

    /// All routes, by host.
    pub fn routes(&self) -> Vec<(String, Target)> {
        self.0.table.list()
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    async fn run(&self, listener: TcpListener, host: Option<Box<str>>, shutdown: impl Future<Output = ()>) {
        let (serving, guards) = Serving::new(self, host, listener.local_addr().map_or(0, |addr| addr.port()), false);
        let mut shutdown = pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, peer)) => serving.open(stream, peer),
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept connections; trying again");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(listener);
        serving.closing.cancel();
        serving.tasks.close();
        if timeout(self.0.config.drain_timeout, serving.tasks.wait()).await.is_err() {
            serving.cut.cancel();
            serving.tasks.wait().await;
        }
        drop(guards);
    }
}

/// When the process has no file descriptors left, `accept` fails at once and again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One listener at work.
pub(crate) struct Serving {
    edge: Edge,
    /// The host all requests are for.
    pub(crate) host: Option<Box<str>>,
    port: HeaderValue,
    /// Whether other edges are the clients.
    pub(crate) of_peers: bool,
    /// No more requests; finish.
    pub(crate) closing: CancellationToken,
    /// End now.
    pub(crate) cut: CancellationToken,
    /// Connections and tunnels.
    pub(crate) tasks: TaskTracker,
}

impl Serving {
    /// With what ends its connections when it is dropped.
    fn new(edge: &Edge, host: Option<Box<str>>, port: u16, of_peers: bool) -> (Arc<Self>, [DropGuard; 2]) {
        let serving = Self {
            edge: edge.clone(),
            host,
            port: HeaderValue::from(port),
            of_peers,
            closing: CancellationToken::new(),
            cut: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let guards = [serving.cut.clone().drop_guard(), serving.closing.clone().drop_guard()];
        (Arc::new(serving), guards)
    }

    pub(crate) fn table(&self) -> &Table {
        if self.of_peers { &self.edge.0.peers } else { &self.edge.0.table }
    }

    pub(crate) fn config(&self) -> &Config {
        self.edge.config()
    }

    fn open(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        // It fails only for a connection that is already gone.
        let _ = stream.set_nodelay(true);
        let Ok(address) = HeaderValue::try_from(peer.ip().to_canonical().to_string()) else { return };
        let connection = Connection {
            peer: Peer { address, port: self.port.clone(), proto: HeaderValue::from_static("http") },
            framing: Framing::default(),
            serving: Arc::clone(self),
        };
        self.tasks.spawn(connection.serve(stream));
    }
}

/// What the requests of one connection have in common.
pub(crate) struct Connection {
    pub(crate) serving: Arc<Serving>,
    pub(crate) peer: Peer,
    pub(crate) framing: Framing,
}

impl Connection {
    async fn serve<I>(self, io: I)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let framing = self.framing.clone();
        let io = TokioIo::new(Watched::new(io, move |bytes: &[u8]| framing.read(bytes)));
        let serving = Arc::clone(&self.serving);
        let this = Arc::new(self);
        let service = service_fn(move |request| {
            let this = Arc::clone(&this);
            async move { Ok::<_, Infallible>(forward::handle(&this, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(serving.config().header_timeout)
            .max_buf_size(BUFFER_MAX)
            .serve_connection(io, service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = serving.closing.cancelled() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = connection => ended,
                    () = serving.cut.cancelled() => return,
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection of a client ended");
        }
    }
}
