//! An edge under test, upstreams made of closures, and HTTP/1.1 as bytes.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use edge::{Config, Edge, Target, Upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// No wait in a test is longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("waited too long")
}

/// Waits until `condition` holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

/// An edge at work, stopped at the end of the test.
pub(crate) struct Running {
    pub(crate) edge: Edge,
    pub(crate) addr: SocketAddr,
    pub(crate) config: Config,
    shutdown: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::serve(config, None).await
    }

    pub(crate) async fn for_host(host: &'static str) -> Self {
        Self::serve(Config::default(), Some(host)).await
    }

    async fn serve(config: Config, host: Option<&'static str>) -> Self {
        let edge = Edge::new(config.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (shutdown, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn({
            let edge = edge.clone();
            async move {
                let stopped = async { drop(stopped.await) };
                match host {
                    Some(host) => edge.serve_host(listener, host, stopped).await,
                    None => edge.serve(listener, stopped).await,
                }
            }
        });
        Self { edge, addr, config, shutdown: Some(shutdown), serving }
    }

    pub(crate) fn upstream(&self, addr: SocketAddr) -> Arc<Upstream> {
        Arc::new(Upstream::new(addr.to_string(), addr, &self.config))
    }

    /// Points `host` to the app and returns the upstream made for it.
    pub(crate) fn route(&self, host: &str, app: &App) -> Arc<Upstream> {
        let upstream = self.upstream(app.addr);
        self.edge.set_route(host, Target::Upstream(upstream.clone()));
        upstream
    }

    pub(crate) async fn connect(&self) -> Wire {
        Wire::connect(self.addr).await
    }

    /// One request on its own connection.
    pub(crate) async fn request(&self, bytes: impl AsRef<[u8]>) -> Reply {
        let mut wire = self.connect().await;
        wire.send(bytes).await;
        wire.reply().await
    }

    pub(crate) fn begin_shutdown(&mut self) {
        drop(self.shutdown.take());
    }

    pub(crate) async fn ended(self) {
        soon(self.serving).await.unwrap();
    }
}

/// A server whose every connection is handled by a closure. Dropping it ends all of them.
pub(crate) struct App {
    pub(crate) addr: SocketAddr,
    _accepting: JoinSet<()>,
}

impl App {
    pub(crate) async fn start<F, Fut>(handle: F) -> Self
    where
        F: Fn(Wire) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, handle)
    }

    pub(crate) fn on<F, Fut>(listener: TcpListener, handle: F) -> Self
    where
        F: Fn(Wire) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let addr = listener.local_addr().unwrap();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                connections.spawn(handle(Wire::new(stream)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { addr, _accepting: accepting }
    }

    /// Answers every request with 200 and `text`.
    pub(crate) async fn says(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::start(move |mut wire| {
            let text = text.clone();
            async move {
                while let Some(message) = wire.message().await {
                    let _ = message;
                    if wire.try_send(ok(&text)).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// Answers every request with its head and body as the upstream saw them.
    pub(crate) async fn mirror() -> Self {
        Self::start(|mut wire| async move {
            while let Some(message) = wire.message().await {
                let text = format!("{}{}", message.head, String::from_utf8_lossy(&message.body));
                wire.send(ok(&text)).await;
            }
        })
        .await
    }
}

pub(crate) fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub(crate) fn get(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// A connection and what was read from it ahead of need.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    pub(crate) buffer: Vec<u8>,
}

/// A head with its blank line, and a decoded body.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.unwrap();
    }

    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Reads more; false at the end.
    pub(crate) async fn fill(&mut self) -> bool {
        soon(self.stream.read_buf(&mut self.buffer)).await.is_ok_and(|n| n > 0)
    }

    /// Whether the other side ended the connection; nothing more may have come before.
    pub(crate) async fn closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.fill().await
    }

    pub(crate) async fn line_end(&mut self, mark: &[u8]) -> Option<usize> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|bytes| bytes == mark) {
                return Some(at + mark.len());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    pub(crate) fn cut(&mut self, at: usize) -> Vec<u8> {
        self.buffer.drain(..at).collect()
    }

    pub(crate) async fn head(&mut self) -> Option<String> {
        let end = self.line_end(b"\r\n\r\n").await?;
        Some(String::from_utf8(self.cut(end)).unwrap())
    }

    /// Exactly `n` bytes, or `None` when the connection ends before.
    pub(crate) async fn exactly(&mut self, n: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < n {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.cut(n))
    }

    /// The next chunk with its size line; empty for the last.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = self.line_end(b"\r\n").await?;
        let line = String::from_utf8(self.cut(end)).unwrap();
        let size = usize::from_str_radix(line.trim().split(';').next().unwrap(), 16).unwrap();
        if size == 0 {
            return Some(Vec::new());
        }
        let mut chunk = self.exactly(size + 2).await?;
        chunk.truncate(size);
        Some(chunk)
    }

    /// Head and whole body; `None` at the end of the connection.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        let head = self.head().await?;
        let body = if field(&head, "transfer-encoding").is_some() {
            let mut body = Vec::new();
            loop {
                let chunk = self.chunk().await?;
                if chunk.is_empty() {
                    break;
                }
                body.extend(chunk);
            }
            loop {
                let end = self.line_end(b"\r\n").await?;
                let line = self.cut(end);
                if line == b"\r\n" {
                    break;
                }
            }
            body
        } else {
            let length = field(&head, "content-length").map_or(0, |length| length.parse().unwrap());
            self.exactly(length).await?
        };
        Some(Message { head, body })
    }

    pub(crate) async fn reply(&mut self) -> Reply {
        self.try_reply().await.expect("the connection ended before the response did")
    }

    pub(crate) async fn try_reply(&mut self) -> Option<Reply> {
        let Message { head, body } = self.message().await?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Reply { status, head, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// The first field of this name in a head.
pub(crate) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

impl Reply {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }
}
