//! The server's end of the link: an HTTP/2 client on connections that the node dialled.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, watch};
use wire::{Desired, Failure, Fence, Refused};

use super::LinkIo;
use crate::error::{Error, Result};

type Body = BoxBody<Bytes, std::io::Error>;

pub(super) const STREAM_WINDOW: u32 = 1 << 20;
/// Whoever takes nothing of what they asked for holds up a stream's window for as long: as many as that fit into the
/// connection's before others have to wait.
pub(super) const CONNECTION_WINDOW: u32 = 512 << 20;
/// A node that is silent is asked for a sign of life, and is gone when there is none: after 13 s at the latest.
pub(super) const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
pub(super) const SILENCE: Duration = Duration::from_secs(8);

/// Has the node dial one more connection.
pub(super) type Reach = Arc<dyn Fn(Asker) -> BoxFuture<'static, Result<Box<dyn LinkIo>>> + Send + Sync>;

/// What a node can be asked through while its further connections are made.
#[derive(Clone)]
pub(super) struct Asker(SendRequest<Body>);

/// A node that can be asked. Short exchanges and bulk have a connection each, so that a
/// log being read never delays a command. The second one is made when it is first needed.
#[derive(Clone)]
pub(crate) struct Link {
    control: SendRequest<Body>,
    bulk: Further,
    /// Of visitors, from other nodes.
    tunnel: Further,
    /// Of visitors of what listens in workspaces.
    ports: Further,
    /// Of people who look at terminals.
    terminals: Further,
}

/// A connection that is made when it is first needed.
#[derive(Clone)]
struct Further {
    asker: Asker,
    reach: Reach,
    made: Arc<Mutex<Option<SendRequest<Body>>>>,
    windows: Windows,
}

/// How much may be on its way to this server, in bytes.
#[derive(Clone, Copy)]
struct Windows {
    stream: u32,
    connection: u32,
    /// In one frame.
    frame: u32,
}

const WINDOWS: Windows = Windows { stream: STREAM_WINDOW, connection: CONNECTION_WINDOW, frame: FRAME };
/// What HTTP/2 begins with.
const FRAME: u32 = 16 << 10;
/// A whole one of our frames, with its head, is in one of HTTP/2, so that it need not be put together.
const TERMINAL_WINDOWS: Windows = Windows { stream: 512 << 10, frame: 96 << 10, ..WINDOWS };

impl Link {
    /// Takes the connection for commands; the watch turns true when it has closed.
    pub(super) async fn open(control: Box<dyn LinkIo>, reach: Reach) -> Result<(Self, watch::Receiver<bool>)> {
        let (closed, closes) = watch::channel(false);
        let control = connect(control, Some(closed), WINDOWS).await?;
        let further =
            |windows| Further { asker: Asker(control.clone()), reach: reach.clone(), made: Arc::default(), windows };
        let (bulk, tunnel, ports) = (further(WINDOWS), further(WINDOWS), further(WINDOWS));
        let terminals = further(TERMINAL_WINDOWS);
        Ok((Self { control, bulk, tunnel, ports, terminals }, closes))
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        read(ask(&self.control, Method::GET, path, empty()).await?).await
    }

    /// Asks for work that takes its time.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        read(ask(&self.bulk.get().await?, Method::POST, path, json(body)?).await?).await
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

    /// Says why this server does not lead it.
    pub(super) async fn refuse(&self, refused: &Refused) -> Result<()> {
        ask(&self.control, Method::PUT, "/v1/refused", json(refused)?).await.map(drop)
    }

    /// Sends a file.
    pub(crate) async fn put_file(&self, path: &str, file: tokio::fs::File) -> Result<()> {
        use futures_util::TryStreamExt;
        let stream = tokio_util::io::ReaderStream::with_capacity(file, 64 * 1024).map_ok(Frame::data);
        ask(&self.bulk.get().await?, Method::PUT, path, BodyExt::boxed(StreamBody::new(stream))).await.map(drop)
    }

    /// Sends what another node sends.
    pub(super) async fn put(&self, path: &str, body: Incoming) -> Result<()> {
        let body = body.map_err(std::io::Error::other).boxed();
        ask(&self.bulk.get().await?, Method::PUT, path, body).await.map(drop)
    }

    /// Reads something long, whatever the node says to it; the connection for commands is not
    /// held up by it.
    pub(crate) async fn stream(&self, path: &str) -> Result<Response<Incoming>> {
        send(&self.bulk.get().await?, Method::GET, path, empty()).await
    }
}

/// What is short and said of one thing on a node; it says itself what is wrong.
impl Link {
    pub(crate) async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        read(judged(send(&self.control, Method::GET, path, empty()).await?).await?).await
    }

    pub(crate) async fn create<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        read(judged(send(&self.control, Method::POST, path, json(body)?).await?).await?).await
    }

    pub(crate) async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        read(judged(send(&self.control, Method::PATCH, path, json(body)?).await?).await?).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        judged(send(&self.control, Method::DELETE, path, empty()).await?).await.map(drop)
    }

    /// Reads something long.
    pub(crate) async fn read(&self, path: &str) -> Result<Response<Incoming>> {
        judged(self.stream(path).await?).await
    }

    /// Looks at a terminal: what is typed there, what it puts out back.
    pub(crate) async fn attach<S>(&self, path: &str, typed: S) -> Result<Response<Incoming>>
    where
        S: Stream<Item = Bytes> + Send + Sync + 'static,
    {
        let body = BodyExt::boxed(StreamBody::new(typed.map(|bytes| Ok(Frame::data(bytes)))));
        judged(send(&self.terminals.get().await?, Method::POST, path, body).await?).await
    }
}

impl Link {
    /// One connection to something that listens on the node, there and back. Absent when nothing does.
    pub(crate) async fn connect<S>(&self, path: &str, outward: S) -> Result<Option<Response<Incoming>>>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + Sync + 'static,
    {
        let body = BodyExt::boxed(StreamBody::new(outward.map(|bytes| bytes.map(Frame::data))));
        let answer = send(&self.ports.get().await?, Method::POST, path, body).await?;
        if answer.status() == StatusCode::BAD_GATEWAY {
            return Ok(None);
        }
        judged(answer).await.map(Some)
    }

    /// Passes one connection of a visitor on, there and back.
    pub(super) async fn pass(&self, path: &str, connection: Incoming) -> Result<Response<Incoming>> {
        let body = connection.map_err(std::io::Error::other).boxed();
        ask(&self.tunnel.get().await?, Method::POST, path, body).await
    }
}

impl Further {
    async fn get(&self) -> Result<SendRequest<Body>> {
        let mut made = self.made.lock().await;
        if let Some(open) = made.as_ref().filter(|open| !open.is_closed()) {
            return Ok(open.clone());
        }
        let opened = connect((self.reach)(self.asker.clone()).await?, None, self.windows).await?;
        Ok(made.insert(opened).clone())
    }
}

impl Asker {
    pub(super) async fn post(&self, path: &str, body: &impl Serialize) -> Result<()> {
        ask(&self.0, Method::POST, path, json(body)?).await.map(drop)
    }
}

async fn connect(
    io: Box<dyn LinkIo>,
    closed: Option<watch::Sender<bool>>,
    windows: Windows,
) -> Result<SendRequest<Body>> {
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(SIGN_OF_LIFE)
        .keep_alive_timeout(SILENCE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(windows.stream)
        .initial_connection_window_size(windows.connection)
        .max_frame_size(windows.frame)
        .handshake(TokioIo::new(io))
        .await
        .map_err(Error::internal)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a link's connection ended");
        }
        if let Some(closed) = closed {
            closed.send_replace(true);
        }
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

/// An answer that is good, or why it is not, as the node says it.
async fn judged(response: Response<Incoming>) -> Result<Response<Incoming>> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    if status == StatusCode::NOT_FOUND {
        return Err(Error::not_found("thing on its server"));
    }
    let bytes = response.into_body().collect().await.map_err(Error::internal)?.to_bytes();
    match serde_json::from_slice::<Failure>(&bytes) {
        Ok(failure) if matches!(status, StatusCode::CONFLICT | StatusCode::INSUFFICIENT_STORAGE) => {
            Err(Error::of_node(failure, status == StatusCode::CONFLICT))
        }
        _ => Err(Error::internal(format!("the node answered {status}"))),
    }
}

async fn read<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T> {
    let bytes = response.into_body().collect().await.map_err(Error::internal)?.to_bytes();
    serde_json::from_slice(&bytes).map_err(Error::internal)
}

fn empty() -> Body {
    Full::new(Bytes::new()).map_err(|never| match never {}).boxed()
}

fn json(body: &impl Serialize) -> Result<Body> {
    let bytes = serde_json::to_vec(body).map_err(Error::internal)?;
    Ok(Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed())
}
