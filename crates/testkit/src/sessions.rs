//! Terminals over one connection, as clients have them that number terminals themselves.

use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::wait::PATIENCE;

/// A client of `/terminal/ws/multi`.
pub struct Sessions {
    socket: WebSocketStream<TcpStream>,
    /// Every message that came, oldest first.
    pub heard: Vec<Value>,
    /// With what the server closed it.
    pub close_code: Option<u16>,
}

impl Sessions {
    /// Connects to the server at `base`, by a host name, with headers. `query` is empty or begins with a question mark.
    ///
    /// # Errors
    /// When it is refused, with the answer.
    pub async fn open(base: &str, host: &str, query: &str, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let address = base.trim_start_matches("http://");
        let mut request = format!("ws://{address}/terminal/ws/multi{query}").into_client_request()?;
        for (name, value) in [("host", host)].iter().chain(headers) {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let stream = TcpStream::connect(address).await.map_err(Error::Io)?;
        let (socket, _) = client_async(request, stream).await?;
        Ok(Self { socket, heard: Vec::new(), close_code: None })
    }

    /// The status by which it is refused.
    pub async fn refused(base: &str, host: &str, query: &str, headers: &[(&'static str, &str)]) -> u16 {
        match Self::open(base, host, query, headers).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it is let in"),
        }
    }

    pub async fn say(&mut self, kind: &str, session: &str, data: Value) {
        let frame = json!({ "type": kind, "sessionId": session, "data": data });
        let _ = self.socket.send(Message::text(frame.to_string())).await;
    }

    pub async fn type_in(&mut self, session: &str, text: &str) {
        self.say("input", session, json!({ "data": text })).await;
    }

    /// Takes in one message; false at the end.
    pub async fn next(&mut self) -> bool {
        let message = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("something comes");
        match message {
            Some(Ok(Message::Text(text))) => self.heard.push(serde_json::from_str(&text).expect("JSON")),
            Some(Ok(Message::Close(frame))) => {
                self.close_code = frame.map(|frame| frame.code.into());
                return false;
            }
            Some(Err(_)) | None => return false,
            Some(Ok(_)) => {}
        }
        true
    }

    /// Waits for a message of this type, of one session or of none: its data.
    pub async fn hear(&mut self, kind: &str, session: Option<&str>) -> Value {
        let is_it = |it: &&Value| it["type"] == kind && it["sessionId"].as_str() == session;
        let mut looked = 0;
        loop {
            if let Some(found) = self.heard[looked..].iter().find(is_it) {
                return found["data"].clone();
            }
            looked = self.heard.len();
            assert!(self.next().await, "{kind} of {session:?} is not in {:?}", self.heard);
        }
    }

    /// What a session was told to have put out: scrollback and what came then.
    pub fn text(&self, session: &str) -> String {
        let is_text =
            |it: &&Value| it["sessionId"] == session && (it["type"] == "output" || it["type"] == "scrollback");
        let parts = self.heard.iter().filter(is_text).filter_map(|it| it["data"]["data"].as_str());
        parts.collect::<String>().replace("\u{1b}[?2004l\r", "").replace("\u{1b}[?2004h", "")
    }

    /// Waits until a session's output has this text.
    pub async fn wait_for(&mut self, session: &str, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.text(session).contains(text) {
            let goes_on = Instant::now() < deadline && self.next().await;
            assert!(goes_on, "{text:?} is not in {:?}", self.text(session));
        }
    }
}
