//! The listener of the API and the dashboard. Not `axum::serve`: that lets a client take for ever over its request's head.
//!
//! One port speaks TLS and plaintext, told apart by the first byte. Plaintext is answered to this machine only: what
//! comes from elsewhere would carry passwords where others read them.

mod certificate;
mod plaintext;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use certificate::Certificate;

/// A request's head has to be there within this time, and the next one on the same connection too.
pub(crate) const HEAD: Duration = Duration::from_secs(30);
/// When the process has no file descriptors left, `accept` fails at once and again.
const PAUSE: Duration = Duration::from_millis(50);
/// The first byte of a TLS connection: a handshake record (RFC 8446 section 5.1).
const HANDSHAKE: u8 = 0x16;

/// Where the API and the dashboard are served.
pub struct Listener {
    pub tcp: TcpListener,
    /// What TLS is spoken with; without it, plaintext only.
    pub certificate: Option<Certificate>,
    /// Whether plaintext from other machines is answered too.
    pub plaintext_for_all: bool,
}

impl Listener {
    /// Serves every connection until `stop`, then returns when the requests under way are answered.
    pub async fn serve(self, router: Router, stop: CancellationToken) {
        serve(self, router, HEAD, stop).await;
    }
}

/// What all connections have in common.
#[derive(Clone)]
struct Serving {
    router: Router,
    tls: Option<TlsAcceptor>,
    plaintext_for_all: bool,
    head: Duration,
    stop: CancellationToken,
}

/// Serves every connection of `listener` until `stop`; then returns when the requests under way are answered.
pub(crate) async fn serve(listener: Listener, router: Router, head: Duration, stop: CancellationToken) {
    let Listener { tcp, certificate, plaintext_for_all } = listener;
    let tls = certificate.map(|certificate| TlsAcceptor::from(Arc::new(certificate.into_config())));
    let serving = Serving { router, tls, plaintext_for_all, head, stop: stop.clone() };
    let connections = TaskTracker::new();
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = tcp.accept() => match accepted {
                Ok((stream, peer)) => drop(connections.spawn(open(stream, peer, serving.clone()))),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
    drop(tcp);
    connections.close();
    connections.wait().await;
}

async fn open(stream: TcpStream, peer: SocketAddr, serving: Serving) {
    // Without it a log line waits for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let first = async {
        let mut first = [0];
        let read = tokio::time::timeout(serving.head, stream.peek(&mut first)).await.ok()?.ok()?;
        (read == 1).then_some(first[0])
    };
    let stop = serving.stop.clone();
    let first = tokio::select! {
        first = first => first,
        () = stop.cancelled() => None,
    };
    match (first, &serving.tls) {
        (None, _) => {}
        (Some(HANDSHAKE), Some(tls)) => match tokio::time::timeout(serving.head, tls.accept(stream)).await {
            Ok(Ok(stream)) => converse(stream, peer, serving.router.clone(), &serving).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        },
        (Some(_), Some(_)) if !serving.plaintext_for_all && !is_own(&stream, peer) => {
            converse(stream, peer, plaintext::router(), &serving).await;
        }
        (Some(_), _) => converse(stream, peer, serving.router.clone(), &serving).await,
    }
}

/// Whether a connection is from this machine: over loopback, or between two ends of one address.
fn is_own(stream: &TcpStream, peer: SocketAddr) -> bool {
    let peer = peer.ip().to_canonical();
    peer.is_loopback() || stream.local_addr().is_ok_and(|local| local.ip().to_canonical() == peer)
}

async fn converse<T>(stream: T, peer: SocketAddr, router: Router, serving: &Serving)
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let routes = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(serving.head)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = serving.stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Notify;

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(10);

    async fn start(router: Router) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let listener = Listener { tcp: listener, certificate: None, plaintext_for_all: false };
        tokio::spawn(serve(listener, router, SHORT, stop.clone()));
        (address, stop)
    }

    /// Sends some bytes and then nothing; what came until the connection was closed, and how long that took.
    async fn stalls(address: SocketAddr, sent: &str) -> (String, Duration) {
        let start = Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut received = Vec::new();
        // A reset is as good an end as any.
        let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut received)).await.expect("it is closed");
        (String::from_utf8(received).unwrap(), start.elapsed())
    }

    #[tokio::test]
    async fn who_never_finishes_a_head_is_cut_off() {
        let peer = async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.port().to_string();
        let (address, _stop) = start(Router::new().route("/", get(peer))).await;
        for sent in ["", "G", "PRI", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
            let (received, took) = stalls(address, sent).await;
            assert!(received.is_empty() || received.starts_with("HTTP/1.1 4"), "{sent:?}: {received}");
            assert!(took >= SHORT && took < LONG, "{sent:?}: {took:?}");
        }
        // The same for a second request on a connection that had a good one.
        let (received, _) = stalls(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /").await;
        assert!(received.starts_with("HTTP/1.1 200"), "{received}");
    }

    #[tokio::test]
    async fn an_answer_may_take_longer_and_outlives_the_listener() {
        let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (heard, go) = (asked.clone(), answer.clone());
        let slow = get(async move || {
            heard.notify_one();
            go.notified().await;
            "done"
        });
        let (address, stop) = start(Router::new().route("/", slow)).await;
        let start = Instant::now();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        asked.notified().await;
        // Somebody who stalls meanwhile is gone after the limit; this one is not.
        stalls(address, "G").await;
        assert!(start.elapsed() >= SHORT);
        stop.cancel();
        answer.notify_one();
        let mut received = String::new();
        tokio::time::timeout(LONG, stream.read_to_string(&mut received)).await.unwrap().unwrap();
        assert!(received.starts_with("HTTP/1.1 200") && received.ends_with("done"), "{received}");
        assert!(TcpStream::connect(address).await.is_err());
    }
}
