//! The WebSocket of a terminal.

use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::cli::client::Client;

pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// Why there is no connection.
pub(super) enum Failure {
    /// Another try may go well.
    Passing(anyhow::Error),
    Final(anyhow::Error),
}

/// What the server said.
pub(super) enum Heard {
    Notice(api::TerminalNotice),
    Output(Vec<u8>),
    /// Nothing that concerns us; the connection is alive.
    Sign,
}

impl Socket {
    pub(super) async fn connect(client: &Client, path: &[&str], query: &[(&str, String)]) -> Result<Self, Failure> {
        let (url, authorization) = client.socket(path, query).map_err(Failure::Final)?;
        let request = url.as_str().into_client_request().context("address the server").map_err(Failure::Final);
        let mut request = request?;
        let (name, value) = authorization;
        request.headers_mut().insert(name, value);
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => {
                let status = response.status();
                let error = client.refusal(status, response.body().as_deref().unwrap_or_default());
                Err(if status.is_server_error() { Failure::Passing(error) } else { Failure::Final(error) })
            }
            Err(error @ (Error::Url(_) | Error::HttpFormat(_) | Error::Capacity(_))) => {
                Err(Failure::Final(anyhow::Error::new(error).context("connect to the terminal")))
            }
            Err(error) => Err(Failure::Passing(anyhow::Error::new(error).context("connect to the terminal"))),
        }
    }

    /// What comes next; nothing when the connection is over.
    pub(super) async fn hear(&mut self) -> Option<Heard> {
        match self.0.next().await?.ok()? {
            Message::Binary(bytes) => Some(Heard::Output(bytes.to_vec())),
            // A notice that is newer than this program does not concern it.
            Message::Text(text) => Some(serde_json::from_str(&text).map_or(Heard::Sign, Heard::Notice)),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Some(Heard::Sign),
            Message::Close(_) => None,
        }
    }

    pub(super) async fn say(&mut self, request: &api::TerminalRequest) -> anyhow::Result<()> {
        let text = serde_json::to_string(request).context("write a request")?;
        Ok(self.0.send(Message::text(text)).await?)
    }

    pub(super) async fn type_in(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(self.0.send(Message::binary(bytes.to_vec())).await?)
    }

    /// Says goodbye; the terminal goes on.
    pub(super) async fn close(mut self) {
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), self.0.close(None)).await;
    }
}
