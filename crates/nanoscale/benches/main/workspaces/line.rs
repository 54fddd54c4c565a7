//! One client for all: what is typed goes to a terminal over a WebSocket, what is put out comes back. Says what the
//! page of each would: that output was seen.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use ids::{TerminalId, WorkspaceId};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};

const PATIENCE: Duration = Duration::from_secs(60);
/// Output that we are told of when so many bytes came.
const OURS_SEEN: u64 = 64 << 10;
/// The same, of `WeTTY`'s page.
const WETTY_SEEN: usize = 256 << 10;

pub(super) struct Line {
    socket: WebSocketStream<TcpStream>,
    speech: Speech,
}

enum Speech {
    Ours {
        offset: u64,
        acknowledged: u64,
    },
    Ttyd,
    /// socket.io, version 4 of its protocol.
    Wetty {
        unseen: usize,
    },
}

impl Line {
    pub(super) async fn ours(base: &str, token: &str, workspace: &WorkspaceId, terminal: &TerminalId) -> Self {
        let path = format!("/api/workspaces/{workspace}/terminals/{terminal}/attach?rows=24&columns=80");
        let headers = [("authorization", format!("Bearer {token}"))];
        let address = base.trim_start_matches("http://").parse().unwrap();
        let socket = open(address, &path, &headers).await;
        Self { socket, speech: Speech::Ours { offset: 0, acknowledged: 0 } }
    }

    pub(super) async fn ttyd(address: SocketAddr) -> Self {
        let mut socket = open(address, "/ws", &[("sec-websocket-protocol", "tty".into())]).await;
        let hello = r#"{"AuthToken":"","columns":80,"rows":24}"#;
        socket.send(Message::Binary(Bytes::from_static(hello.as_bytes()))).await.unwrap();
        Self { socket, speech: Speech::Ttyd }
    }

    pub(super) async fn wetty(address: SocketAddr) -> Self {
        // Whoever says more before it was let in is shown out.
        let socket = open(address, "/socket.io/?EIO=4&transport=websocket", &[]).await;
        let mut line = Self { socket, speech: Speech::Wetty { unseen: 0 } };
        line.say("40").await;
        line
    }

    /// The next piece of output.
    pub(super) async fn next(&mut self) -> Bytes {
        let output = tokio::time::timeout(PATIENCE, self.output()).await.expect("the terminal says something");
        output.expect("the terminal goes on")
    }

    /// Somebody looks, and nothing happens, until it ends.
    pub(super) async fn idle(mut self) {
        while self.output().await.is_some() {}
    }

    async fn output(&mut self) -> Option<Bytes> {
        loop {
            let message = self.socket.next().await?.ok()?;
            if matches!(message, Message::Close(_)) {
                return None;
            }
            if let Some(output) = self.hear(message).await {
                return Some(output);
            }
        }
    }

    /// Takes what comes until nothing has for so long.
    pub(super) async fn settle(&mut self, quiet: Duration) {
        while tokio::time::timeout(quiet, self.next()).await.is_ok() {}
    }

    pub(super) async fn type_in(&mut self, text: &str) {
        let message = match self.speech {
            Speech::Ours { .. } => Message::Binary(Bytes::copy_from_slice(text.as_bytes())),
            Speech::Ttyd => Message::Binary(format!("0{text}").into()),
            Speech::Wetty { .. } => Message::Text(format!("42{}", serde_json::json!(["input", text])).into()),
        };
        self.socket.send(message).await.unwrap();
    }

    async fn say(&mut self, text: &str) {
        // Whoever has ended is heard of by who listens.
        let _ = self.socket.send(Message::Text(text.into())).await;
    }

    async fn hear(&mut self, message: Message) -> Option<Bytes> {
        match (&mut self.speech, message) {
            (Speech::Ours { offset, acknowledged }, Message::Binary(bytes)) => {
                *offset += bytes.len() as u64;
                let seen = *offset;
                if seen - *acknowledged >= OURS_SEEN {
                    *acknowledged = seen;
                    let ack = api::TerminalRequest::Ack { offset: seen };
                    self.say(&serde_json::to_string(&ack).unwrap()).await;
                }
                Some(bytes)
            }
            (Speech::Ours { offset, acknowledged }, Message::Text(text)) => {
                if let api::TerminalNotice::Attached { from, snapshot, .. } = serde_json::from_str(&text).unwrap() {
                    assert!(!snapshot, "these are too young for one");
                    (*offset, *acknowledged) = (from, from);
                }
                None
            }
            // Title and preferences have other first bytes.
            (Speech::Ttyd, Message::Binary(bytes)) => (bytes.first() == Some(&b'0')).then(|| bytes.slice(1..)),
            (Speech::Wetty { unseen }, Message::Text(text)) => {
                if text.as_str() == "2" {
                    self.say("3").await;
                    return None;
                }
                let (name, data) = serde_json::from_str::<(String, String)>(text.strip_prefix("42")?).ok()?;
                if name != "data" {
                    return None;
                }
                *unseen += data.len();
                if *unseen >= WETTY_SEEN {
                    *unseen -= WETTY_SEEN;
                    self.say(&format!(r#"42["commit",{WETTY_SEEN}]"#)).await;
                }
                Some(data.into())
            }
            _ => None,
        }
    }
}

async fn open(address: SocketAddr, path: &str, headers: &[(&'static str, String)]) -> WebSocketStream<TcpStream> {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    client_async(request, stream).await.unwrap().0
}
