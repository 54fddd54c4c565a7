//! The server's end of the link: an HTTP/2 client on a connection that the node dialled.

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::{Desired, Fence};

use super::{Ended, LinkIo};
use crate::error::{Error, Result};

type Body = BoxBody<Bytes, std::io::Error>;

const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;

/// A node that can be asked. Short exchanges and bulk have a connection each, so that a
/// log being read never delays a command.
#[derive(Clone)]
pub(crate) struct Link {
    control: SendRequest<Body>,
    bulk: SendRequest<Body>,
}

impl Link {
    /// Takes both connections; `ended` hears when one of them closes.
    pub(super) async fn open(control: Box<dyn LinkIo>, bulk: Box<dyn LinkIo>, ended: Ended) -> Result<Self> {
        Ok(Self { control: connect(control, ended.clone()).await?, bulk: connect(bulk, ended).await? })
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let response = ask(&self.control, Method::GET, path, empty()).await?;
        let bytes = response.into_body().collect().await.map_err(Error::internal)?.to_bytes();
        serde_json::from_slice(&bytes).map_err(Error::internal)
    }

    /// Asks for work that takes its time.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        let response = ask(&self.bulk, Method::POST, path, json(body)?).await?;
        let bytes = response.into_body().collect().await.map_err(Error::internal)?.to_bytes();
        serde_json::from_slice(&bytes).map_err(Error::internal)
    }

    /// Tells the node what it shall do, or hears how new what it already knows is.
    pub(super) async fn tell(&self, desired: &Desired) -> Result<Option<Fence>> {
        let response = send(&self.control, Method::PUT, "/v1/desired", json(desired)?).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(Error::internal)?.to_bytes();
        match status {
            status if status.is_success() => Ok(None),
            StatusCode::CONFLICT => serde_json::from_slice(&bytes).map(Some).map_err(Error::internal),
            status => Err(Error::internal(format!("the node answered {status} to what it shall do"))),
        }
    }

    /// Sends a file.
    pub(crate) async fn put_file(&self, path: &str, file: tokio::fs::File) -> Result<()> {
        use futures_util::TryStreamExt;
        let stream = tokio_util::io::ReaderStream::with_capacity(file, 64 * 1024).map_ok(Frame::data);
        ask(&self.bulk, Method::PUT, path, BodyExt::boxed(StreamBody::new(stream))).await.map(drop)
    }

    /// Reads something long, whatever the node says to it; the connection for commands is not
    /// held up by it.
    pub(crate) async fn stream(&self, path: &str) -> Result<Response<Incoming>> {
        send(&self.bulk, Method::GET, path, empty()).await
    }
}

async fn connect(io: Box<dyn LinkIo>, ended: Ended) -> Result<SendRequest<Body>> {
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .handshake(TokioIo::new(io))
        .await
        .map_err(Error::internal)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a link's connection ended");
        }
        let _ = ended.send(()).await;
    });
    Ok(sender)
}

async fn send(connection: &SendRequest<Body>, method: Method, path: &str, body: Body) -> Result<Response<Incoming>> {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://node{path}"))
        .header("content-type", "application/json")
        .body(body)
        .map_err(Error::internal)?;
    let offline = |error: hyper::Error| {
        tracing::debug!(%error, "a node did not answer");
        Error::unavailable("NODE_OFFLINE", "the node does not answer; try again in a moment")
    };
    connection.clone().send_request(request).await.map_err(offline)
}

async fn ask(connection: &SendRequest<Body>, method: Method, path: &str, body: Body) -> Result<Response<Incoming>> {
    let response = send(connection, method, path, body).await?;
    match response.status() {
        status if status.is_success() => Ok(response),
        status => Err(Error::internal(format!("the node answered {status} to {path}"))),
    }
}

fn empty() -> Body {
    Full::new(Bytes::new()).map_err(|never| match never {}).boxed()
}

fn json(body: &impl Serialize) -> Result<Body> {
    let bytes = serde_json::to_vec(body).map_err(Error::internal)?;
    Ok(Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed())
}
