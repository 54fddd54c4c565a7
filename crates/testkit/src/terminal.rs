//! A terminal of a workspace, as somebody looks at it.

use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use ids::{TerminalId, WorkspaceId};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::wait::PATIENCE;

/// Output that is not acknowledged yet, in bytes: when there is more, it is.
const UNACKNOWLEDGED: u64 = 64 << 10;

/// One who looks at a terminal, and may type. Acknowledges what it has seen, unless it is told not to.
pub struct Viewer {
    socket: WebSocketStream<TcpStream>,
    pub attached: Option<api::TerminalNotice>,
    /// What draws the screen as it was when it came.
    pub snapshot: Vec<u8>,
    expects_snapshot: bool,
    /// The output since.
    pub seen: Vec<u8>,
    /// Where the output that it has seen ends.
    pub offset: u64,
    acknowledged: u64,
    pub acknowledges: bool,
    /// All but the first and the last, oldest first.
    pub notices: Vec<api::TerminalNotice>,
    /// How the process ended: code and signal.
    pub exit: Option<(Option<i32>, Option<i32>)>,
}

impl Viewer {
    /// Looks at a terminal of the server at `base`, with an API token. `query` is empty or goes on with `&`.
    pub async fn open(
        base: &str,
        token: &str,
        workspace: &WorkspaceId,
        terminal: &TerminalId,
        query: &str,
    ) -> Result<Self, Error> {
        let path = format!("/api/workspaces/{workspace}/terminals/{terminal}/attach?rows=24&columns=80{query}");
        Self::connect(base, &path, token).await
    }

    /// Watches by a link's secret.
    pub async fn watch(base: &str, secret: &str) -> Result<Self, Error> {
        Self::connect(base, "/api/shared-terminal/attach", secret).await
    }

    async fn connect(base: &str, path: &str, token: &str) -> Result<Self, Error> {
        let mut request = format!("{base}{path}").replacen("http", "ws", 1).into_client_request()?;
        let value = format!("Bearer {token}").parse().expect("a token fits into a header");
        request.headers_mut().insert("authorization", value);
        let address = base.trim_start_matches("http://");
        let stream = TcpStream::connect(address).await.map_err(Error::Io)?;
        let (socket, _) = client_async(request, stream).await?;
        let mut viewer = Self {
            socket,
            attached: None,
            snapshot: Vec::new(),
            expects_snapshot: false,
            seen: Vec::new(),
            offset: 0,
            acknowledged: 0,
            acknowledges: true,
            notices: Vec::new(),
            exit: None,
        };
        while viewer.attached.is_none() {
            if !viewer.next().await {
                return Err(Error::ConnectionClosed);
            }
        }
        Ok(viewer)
    }

    /// Takes in one frame; false at the end.
    pub async fn next(&mut self) -> bool {
        let message = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("the terminal says something");
        match message {
            Some(Ok(Message::Binary(bytes))) if self.expects_snapshot => {
                self.expects_snapshot = false;
                self.snapshot = bytes.to_vec();
            }
            Some(Ok(Message::Binary(bytes))) => {
                self.offset += bytes.len() as u64;
                self.seen.extend_from_slice(&bytes);
                if self.acknowledges && self.offset - self.acknowledged >= UNACKNOWLEDGED {
                    self.acknowledged = self.offset;
                    self.say(&api::TerminalRequest::Ack { offset: self.offset }).await;
                }
            }
            Some(Ok(Message::Text(text))) => self.hear(serde_json::from_str(&text).expect("a notice")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return false,
            Some(Ok(_)) => {}
        }
        true
    }

    fn hear(&mut self, notice: api::TerminalNotice) {
        match notice {
            api::TerminalNotice::Attached { from, snapshot, .. } => {
                self.offset = from;
                self.acknowledged = from;
                self.expects_snapshot = snapshot;
                self.attached = Some(notice);
            }
            api::TerminalNotice::Exit { code, signal } => self.exit = Some((code, signal)),
            other => self.notices.push(other),
        }
    }

    pub async fn say(&mut self, request: &api::TerminalRequest) {
        let text = serde_json::to_string(request).expect("a request is JSON");
        let _ = self.socket.send(Message::Text(text.into())).await;
    }

    pub async fn type_in(&mut self, text: &str) {
        let _ = self.socket.send(Message::Binary(text.as_bytes().to_vec().into())).await;
    }

    pub async fn resize(&mut self, rows: u16, columns: u16) {
        self.say(&api::TerminalRequest::Resize { rows, columns }).await;
    }

    /// Waits until the output has this text.
    pub async fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.text().contains(text) {
            assert!(Instant::now() < deadline && self.next().await, "{text:?} is not in {:?}", self.text());
        }
    }

    /// What it has seen, as text, without what a shell says about pasting before each line and after it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).replace("\u{1b}[?2004l\r", "").replace("\u{1b}[?2004h", "")
    }

    /// Waits for the process's end.
    pub async fn end(&mut self) -> (Option<i32>, Option<i32>) {
        while self.exit.is_none() && self.next().await {}
        self.exit.expect("the end is told")
    }
}
