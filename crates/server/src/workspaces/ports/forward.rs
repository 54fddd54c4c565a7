//! Passes a request on to what listens in a workspace, over the link of its node.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use axum::response::Response;
use domain::workspace::Workspace;
use futures_util::TryStreamExt;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio_util::io::{ReaderStream, StreamReader};

use super::{Ports, gate};
use crate::error::{Error, Result};

/// Bytes of a connection on their way.
const BUFFER: usize = 64 << 10;

/// Of the connection, not of the request (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// What says which workspace a request is for is ours to say.
const OURS: [&str; 2] = ["x-sam-", "x-nanoscale-"];

impl Ports {
    pub(super) async fn forward(
        &self,
        workspace: &Workspace,
        port: u16,
        mut request: Request<Body>,
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
                    let _ = tokio::io::copy_bidirectional(&mut ours, &mut theirs).await;
                }
            });
            return Ok(response.map(Body::new));
        }
        let (mut head, body) = response.into_parts();
        for name in HOP_BY_HOP {
            head.headers.remove(name);
        }
        Ok(Response::from_parts(head, Body::new(body.map_err(axum::Error::new))))
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
        let scheme = self.config.scheme();
        for name in HOP_BY_HOP {
            head.headers.remove(name);
        }
        let theirs = |name: &HeaderName| OURS.iter().any(|ours| name.as_str().starts_with(ours));
        let foreign = head.headers.keys().filter(|name| theirs(name)).cloned().collect::<Vec<_>>();
        for name in foreign {
            head.headers.remove(name);
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

fn leave_out_our_cookies(headers: &mut HeaderMap) {
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let kept = values.flat_map(|value| value.split(';')).map(str::trim).filter(|pair| !gate::is_ours(pair));
    let kept = kept.collect::<Vec<_>>().join("; ");
    headers.remove(header::COOKIE);
    if let Ok(value) = HeaderValue::from_str(&kept)
        && !kept.is_empty()
    {
        headers.insert(header::COOKIE, value);
    }
}

fn gone(error: hyper::Error) -> Error {
    Error::unavailable("PORT_SILENT", "what listens on this port of the workspace does not speak HTTP, or went away")
        .because(error)
}
