//! An app as its visitors have it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, Stream, StreamExt};
use reqwest::header::{HOST, HeaderMap};
use reqwest::{Body, Method, RequestBuilder};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::wait::{PATIENCE, wait_some};

pub type Socket = WebSocketStream<TcpStream>;

/// A host name at an address, usually the edge's. Clones share their connections.
#[derive(Debug, Clone)]
pub struct App {
    http: reqwest::Client,
    addr: SocketAddr,
    host: String,
}

/// A whole response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A WebSocket to an app, and the version that answered the handshake.
#[derive(Debug)]
pub struct WebSocket {
    pub version: Option<String>,
    pub socket: Socket,
}

// === impl App ===

impl App {
    pub fn new(addr: SocketAddr, host: impl Into<String>) -> Self {
        Self { http: client(true), addr, host: host.into() }
    }

    /// The same app, with a new connection for each request.
    pub fn without_keep_alive(&self) -> Self {
        Self { http: client(false), ..self.clone() }
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    /// For odd requests: a builder with the app's host name.
    pub fn raw(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("http://{}{path}", self.addr)).header(HOST, &self.host)
    }

    pub async fn get(&self, path: &str) -> Result<Reply, reqwest::Error> {
        read(self.raw(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: impl Into<Body>) -> Result<Reply, reqwest::Error> {
        read(self.raw(Method::POST, path).body(body)).await
    }

    /// A POST whose body goes out in pieces, chunked, as the stream yields them.
    pub async fn upload<S>(&self, path: &str, pieces: S) -> Result<Reply, reqwest::Error>
    where
        S: Stream<Item = Bytes> + Send + 'static,
    {
        let pieces = pieces.map(Ok::<_, std::convert::Infallible>);
        self.post(path, Body::wrap_stream(pieces)).await
    }

    pub async fn websocket(&self, path: &str) -> Result<WebSocket, Error> {
        let stream = TcpStream::connect(self.addr).await?;
        let request = format!("ws://{}{path}", self.host).into_client_request()?;
        let (socket, response) = client_async(request, stream).await?;
        let version = response.headers().get("x-version").and_then(|version| version.to_str().ok());
        Ok(WebSocket { version: version.map(str::to_owned), socket })
    }

    /// Waits until `GET /` is answered by this version.
    pub async fn wait_for_version(&self, version: &str, within: Duration) -> Reply {
        wait_some(&format!("{} answers with version {version}", self.host), within, async || {
            self.get("/").await.ok().filter(|reply| reply.version() == Some(version))
        })
        .await
    }
}

fn client(keep_alive: bool) -> reqwest::Client {
    let builder = reqwest::Client::builder()
        .no_proxy()
        .tls_built_in_root_certs(false)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE);
    let builder = if keep_alive { builder } else { builder.pool_max_idle_per_host(0) };
    builder.build().expect("build an HTTP client")
}

async fn read(request: RequestBuilder) -> Result<Reply, reqwest::Error> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Reply { status, headers, body: response.bytes().await? })
}

// === impl Reply ===

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The app's version, as the examples tell it.
    pub fn version(&self) -> Option<&str> {
        self.header("x-version")
    }
}

// === impl WebSocket ===

impl WebSocket {
    /// Sends a text and waits for the same text. `Ok(None)` when the other side closed instead.
    pub async fn echo(&mut self, text: &str) -> Result<Option<()>, String> {
        self.socket.send(Message::text(text)).await.map_err(|error| error.to_string())?;
        match self.next().await? {
            Message::Text(back) if back.as_str() == text => Ok(Some(())),
            Message::Close(_) => Ok(None),
            other => Err(format!("sent {text:?} and got {other:?}")),
        }
    }

    /// The next message other than pings.
    pub async fn next(&mut self) -> Result<Message, String> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.map_err(|_| "the WebSocket is silent".to_owned())? {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(message)) => return Ok(message),
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("the WebSocket ended without a close frame".into()),
            }
        }
    }

    pub async fn close(mut self, frame: Option<CloseFrame>) -> Result<(), Error> {
        self.socket.close(frame).await
    }
}
