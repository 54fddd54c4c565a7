//! Passes a request on to what listens in a workspace, over the link of its node.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use axum::response::Response;
use domain::workspace::Workspace;
use futures_util::TryStreamExt;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio_util::io::{ReaderStream, StreamReader};

use super::{Ports, gate};
use crate::error::{Error, Result};
use crate::http::{cookies, leave_out_hops};

/// Bytes of a connection on their way.
const BUFFER: usize = 64 << 10;

/// What says who asks, and for which workspace, is ours to say.
const OURS: [&str; 5] = ["x-sam-", "x-nanoscale-", "x-forwarded-", "x-real-ip", "forwarded"];

impl Ports {
    pub(super) async fn forward(
        &self,
        workspace: &Workspace,
        port: u16,
        mut request: Request<Body>,
        ended: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Response> {
        let stream = self.connect(workspace, port).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake::<_, Body>(TokioIo::new(stream)).await.map_err(gone)?;
        tokio::spawn(connection.with_upgrades());
        let upgrade = request.headers().get(header::UPGRADE).cloned();
        let ours = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        let mut response = sender.send_request(self.rewrite(request, port, upgrade.as_ref())).await.map_err(gone)?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(ours) = ours
        {
            let theirs = hyper::upgrade::on(&mut response);
            tokio::spawn(async move {
                if let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) {
                    let (mut ours, mut theirs) = (TokioIo::new(ours), TokioIo::new(theirs));
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut ours, &mut theirs) => {}
                        () = ended => {}
                    }
                }
            });
            return Ok(response.map(Body::new));
        }
        let (mut head, body) = response.into_parts();
        leave_out_hops(&mut head.headers);
        leave_out_cookies_for_us(&mut head.headers);
        Ok(Response::from_parts(head, Body::new(Ending { body, ended: Box::pin(ended) })))
    }

    /// A connection to what listens there.
    async fn connect(&self, workspace: &Workspace, port: u16) -> Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(BUFFER);
        let (read, mut write) = tokio::io::split(theirs);
        let outward = ReaderStream::with_capacity(read, BUFFER);
        let path = format!("/v1/workspaces/{}/ports/{port}", workspace.id);
        let answer = self.nodes.link(&workspace.node_id).await?.connect(&path, outward).await?;
        let Some(answer) = answer else {
            let message =
                format!("nothing listens on port {port} of the workspace; start it there and load this page again");
            return Err(Error::unavailable("PORT_CLOSED", message));
        };
        tokio::spawn(async move {
            let inward = answer.into_body().into_data_stream().map_err(std::io::Error::other);
            let _ = tokio::io::copy(&mut StreamReader::new(inward), &mut write).await;
            let _ = write.shutdown().await;
        });
        Ok(ours)
    }

    /// As the app shall see it: by the name that it has on its own machine, so that what checks for one takes it.
    fn rewrite(&self, request: Request<Body>, port: u16, upgrade: Option<&HeaderValue>) -> Request<Body> {
        let (mut head, body) = request.into_parts();
        let from = head.headers.get(header::HOST).cloned();
        let local = format!("localhost:{port}");
        let scheme = self.config.ports_scheme();
        leave_out_hops(&mut head.headers);
        let visitor = visitor(&head);
        let ours = head.headers.keys().filter(|name| is_ours(name)).cloned().collect::<Vec<_>>();
        for name in ours {
            head.headers.remove(name);
        }
        if let Some(visitor) = visitor {
            head.headers.insert("x-forwarded-for", visitor);
        }
        leave_out_our_cookies(&mut head.headers);
        if let Some(from) = &from {
            let origin = format!("{scheme}://{}", from.to_str().unwrap_or_default());
            if head.headers.get(header::ORIGIN).is_some_and(|it| it.as_bytes() == origin.as_bytes())
                && let Ok(value) = HeaderValue::from_str(&format!("http://{local}"))
            {
                head.headers.insert(header::ORIGIN, value);
            }
            head.headers.insert("x-forwarded-host", from.clone());
        }
        if let Ok(value) = HeaderValue::from_str(scheme) {
            head.headers.insert("x-forwarded-proto", value);
        }
        if let Ok(value) = HeaderValue::from_str(&local) {
            head.headers.insert(header::HOST, value);
        }
        if let Some(upgrade) = upgrade {
            head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            head.headers.insert(header::UPGRADE, upgrade.clone());
        }
        // To an origin server, by path alone.
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = path.parse().unwrap_or(Uri::from_static("/"));
        head.version = axum::http::Version::HTTP_11;
        Request::from_parts(head, body)
    }
}

/// `_` counts as `-`, since what hands headers on as variables makes one of the two.
fn is_ours(name: &HeaderName) -> bool {
    let name = name.as_str().replace('_', "-");
    OURS.iter().any(|ours| name.starts_with(ours))
}

/// The address that the request comes from. Behind a proxy on this machine, it says so last.
fn visitor(head: &Parts) -> Option<HeaderValue> {
    let ConnectInfo(peer) = head.extensions.get::<ConnectInfo<SocketAddr>>()?;
    let told = head.headers.get_all("x-forwarded-for").into_iter().next_back();
    let told = told.and_then(|line| line.to_str().ok()?.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
    let address = told.filter(|_| peer.ip().is_loopback()).unwrap_or(peer.ip());
    HeaderValue::from_str(&address.to_string()).ok()
}

fn leave_out_our_cookies(headers: &mut HeaderMap) {
    let kept = cookies(headers).filter(|pair| !gate::is_ours(pair)).collect::<Vec<_>>().join(&b"; "[..]);
    headers.remove(header::COOKIE);
    if let Ok(value) = HeaderValue::from_bytes(&kept)
        && !kept.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

/// A page could set one for all hosts below the domain, and be taken for somebody else, or somebody else for it.
fn leave_out_cookies_for_us(headers: &mut HeaderMap) {
    let set = headers.get_all(header::SET_COOKIE).into_iter();
    let kept = set.filter(|line| !gate::is_ours(line.as_bytes())).cloned().collect::<Vec<_>>();
    headers.remove(header::SET_COOKIE);
    for line in kept {
        headers.append(header::SET_COOKIE, line);
    }
}

/// An answer that breaks off when whoever it is for may have it no more.
struct Ending<F> {
    body: Incoming,
    ended: Pin<Box<F>>,
}

impl<F: Future<Output = ()>> HttpBody for Ending<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, axum::Error>>> {
        if self.ended.as_mut().poll(cx).is_ready() {
            let gone = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
            return Poll::Ready(Some(Err(axum::Error::new(gone))));
        }
        Pin::new(&mut self.body).poll_frame(cx).map_err(axum::Error::new)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn gone(error: hyper::Error) -> Error {
    Error::unavailable("PORT_SILENT", "what listens on this port of the workspace does not speak HTTP, or went away")
        .because(error)
}
