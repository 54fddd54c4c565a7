//! A connection of its own for each request. Whoever drops the answer drops the connection with it, at whatever point it
//! is: by that an engine notices that nobody waits any more, and frees its slot.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use url::Url;

use super::UpstreamError;

const CONNECT: Duration = Duration::from_secs(5);

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Where an engine is.
pub(super) struct Peer {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

// === impl Peer ===

impl Peer {
    /// `None` where nobody can be: without a host, by another scheme.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let tls = match url.scheme() {
            "http" => None,
            "https" => Some((tls()?, ServerName::try_from(host.clone()).ok()?)),
            _ => return None,
        };
        Some(Self { host, port: url.port_or_known_default()?, tls })
    }

    /// As soon as the answer begins.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Answer>, UpstreamError> {
        let connected = tokio::time::timeout(CONNECT, self.connect()).await;
        let io = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(UpstreamError::Connect)?;
        let (mut sender, connection) = Builder::new().handshake(TokioIo::new(io)).await?;
        let mut driven = Driven(Some(connection));
        let mut answer = pin!(sender.send_request(request));
        let response = std::future::poll_fn(|context| {
            driven.poll(context);
            answer.as_mut().poll(context)
        })
        .await?;
        Ok(response.map(|body| Answer { body, driven }))
    }

    async fn connect(&self) -> io::Result<Box<dyn Io>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            None => Box::new(stream),
            Some((connector, name)) => Box::new(connector.connect(name.clone(), stream).await?),
        })
    }
}

/// By the certificates that this machine trusts.
fn tls() -> Option<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(TlsConnector::from(Arc::new(config)))
}

/// A connection that goes on while its answer is waited for or read, and at no other time.
struct Driven(Option<Http1>);

type Http1 = Connection<TokioIo<Box<dyn Io>>, Full<Bytes>>;

// === impl Driven ===

impl Driven {
    fn poll(&mut self, context: &mut Context<'_>) {
        if let Some(connection) = &mut self.0
            && Pin::new(connection).poll(context).is_ready()
        {
            // Why it ended the answer says.
            self.0 = None;
        }
    }
}

/// The body of an answer, with the connection that it comes on.
pub(crate) struct Answer {
    body: Incoming,
    driven: Driven,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.driven.poll(context);
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
